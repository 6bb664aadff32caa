"""Procedural textures in the body's frame, filtered by the size of a pixel's footprint.

Solid noise is interpolated from one lattice of random numbers (``noise_lattice``, 32 cells before it repeats). Where a
footprint is wider than a pattern, the pattern fades into its mean; squares and lines are integrated over the footprint
in closed form (box filter), so that they neither crawl nor sparkle in the distance.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.trace_jit import inner, part
from physreel.renderers.video.trace_packets import (
    ALBEDO_B,
    ALBEDO_G,
    ALBEDO_R,
    NX,
    NY,
    NZ,
    PX,
    PY,
    PZ,
    RX,
    RY,
    RZ,
)

CELLS = 32


def noise_lattice() -> NDArray[np.float64]:
    """(33³,) numbers in 0..1, the same on every machine; the last of each axis repeats the first."""
    # PCG64 by a fixed seed; its stream is guaranteed by numpy.
    cells = np.random.Generator(np.random.PCG64(20240607)).random((CELLS, CELLS, CELLS))
    return np.pad(cells, (0, 1), mode="wrap").ravel()


@part
def _noise(lattice, x, y, z):  # type: ignore[no-untyped-def]
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    x, y, z = x - fx, y - fy, z - fz
    at = (int(fx) & 31) + 33 * (int(fy) & 31) + 1089 * (int(fz) & 31)
    x, y, z = x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y), z * z * (3.0 - 2.0 * z)
    a, b, c, d = lattice[at], lattice[at + 33], lattice[at + 1089], lattice[at + 1122]
    a += x * (lattice[at + 1] - a)
    b += x * (lattice[at + 34] - b)
    c += x * (lattice[at + 1090] - c)
    d += x * (lattice[at + 1123] - d)
    a += y * (b - a)
    c += y * (d - c)
    return a + z * (c - a)


@part
def _keep(width):  # type: ignore[no-untyped-def]
    # How much of a pattern of unit period is left under a footprint of that width.
    return min(max(1.5 - 2.0 * width, 0.0), 1.0)


@part
def _square_wave(x, width):  # type: ignore[no-untyped-def]
    # Mean of a wave that is +1 on [0, 1) and -1 on [1, 2), over [x - width/2, x + width/2].
    a, b = 0.5 * (x - 0.5 * width), 0.5 * (x + 0.5 * width)
    a, b = a - math.floor(a), b - math.floor(b)
    # The integral over one period is a triangle; whole periods add nothing.
    ia, ib = (a if a < 0.5 else 1.0 - a), (b if b < 0.5 else 1.0 - b)
    value = 2.0 * (ib - ia) / width
    return min(max(value, -1.0), 1.0) * _keep(0.5 * width - 0.3)


@part
def _line(x, thickness, width):  # type: ignore[no-untyped-def]
    # Share of [x - width/2, x + width/2] that lies in lines of that thickness about whole numbers.
    d = abs(x - math.floor(x + 0.5))
    half = 0.5 * width
    cover = min(max((0.5 * thickness + half - d) / width, 0.0), min(1.0, thickness / width))
    fade = _keep(width)
    return cover * fade + thickness * (1.0 - fade)


@inner
def _wood(lattice, x, y, z, width, sx, sy, sz):  # type: ignore[no-untyped-def]
    # Growth rings about an axis nearly along x, wavy along it, and pores drawn out along it. Lengths in ring periods.
    broad = _noise(lattice, 0.07 * x + sx, 0.5 * y + sy, 0.5 * z + sz) - 0.5
    wave = _noise(lattice, 0.016 * x + sy, 0.12 * y + sz, 0.12 * z + sx) - 0.5
    ry, rz = y + 6.0 * (sy - math.floor(sy)) + 2.2 + 5.0 * wave, z + 3.1 + 5.0 * (sx - math.floor(sx)) + 0.03 * x
    ring = math.sqrt(ry * ry + rz * rz) + 0.9 * broad
    phase = ring - math.floor(ring)
    # Light early wood darkens slowly into late wood, then starts anew; the step is as wide as the footprint.
    late = phase * phase * min((1.0 - phase) / max(width, 0.12), 1.0)
    keep = _keep(width)
    late = keep * late + (1.0 - keep) * 0.31
    broad *= _keep(0.4 * width)
    fine = _keep(9.0 * width)
    if fine > 0.0:
        late += fine * 0.55 * (_noise(lattice, 0.45 * x + sz, 11.0 * y, 11.0 * z + sx) - 0.5)
    return min(max(0.08 + 0.95 * late + 0.35 * broad, 0.0), 1.0)


@part
def _planks(lattice, x, y, z, width, sx, sy, sz):  # type: ignore[no-untyped-def]
    # Floor boards, 3.6 by 30 periods, each cut from its own tree: (share of the dark grain, brightness).
    v = y / 3.6
    row = math.floor(v)
    u = (x + 21.0 * (row * 0.618 - math.floor(row * 0.618))) / 30.0
    column = math.floor(u)
    gap = min(_line(v, 0.012, width / 3.6) + _line(u, 0.0015, width / 30.0), 1.0)
    tone = row * 0.7548777 + column * 0.5698403 + sx
    tone -= math.floor(tone)
    tone = 0.5 + (tone - 0.5) * _keep(0.35 * width)
    mix = _wood(lattice, x, y - 3.6 * row - 1.8, z, width, sx + 13.7 * row, sy + 7.31 * column + 3.9 * row, sz)
    return mix, (0.82 + 0.36 * tone) * (1.0 - 0.7 * gap)


@inner
def _blend_at(lattice, kind, x, y, z, width, sx, sy, sz, planks):  # type: ignore[no-untyped-def]
    # (share of the second colour, brightness) at a place in periods of the texture.
    if kind == 4:
        if planks > 0.0:
            return _planks(lattice, x, y, z, width, sx, sy, sz)
        return _wood(lattice, x, y, z, width, sx, sy, sz), 1.0
    if kind == 5:
        # Veins: where a noise passes through its middle, bent by a coarser one.
        n = _noise(lattice, 0.8 * x + sx, 0.8 * y + sy, 0.8 * z + sz)
        bent_x, bent_y = x + 1.4 * n, y - 1.4 * n
        m = _noise(lattice, 1.3 * bent_x + sy, 1.1 * bent_y + sz, 1.2 * z + sx)
        k = _keep(2.0 * width)
        m += 0.30 * k * (_noise(lattice, 4.1 * bent_x + sz, 3.7 * bent_y + sx, 3.9 * z) - 0.5)
        m += 0.12 * _keep(5.0 * width) * (_noise(lattice, 11.0 * x, 10.0 * y + sz, 10.5 * z + sx) - 0.5)
        vein = 1.0 - min(abs(m - 0.5) / 0.07, 1.0)
        k = _keep(1.2 * width)
        return k * min(1.05 * vein * vein * (1.0 - n) + 0.25 * (1.0 - n), 1.0) + (1.0 - k) * 0.2, 1.0
    if kind == 6:
        n = 0.5 + 0.5 * _keep(width) * (_noise(lattice, x + sx, y + sy, z + sz) - 0.5)
        n += 0.25 * _keep(2.5 * width) * (2.0 * _noise(lattice, 2.7 * x + sy, 2.7 * y + sz, 2.7 * z) - 1.0)
        k = _keep(24.0 * width)
        if k > 0.0:
            n += 0.22 * k * (_noise(lattice, 25.0 * x, 25.0 * y + sx, 25.0 * z + sy) - 0.5)
        return min(max(n, 0.0), 1.0), 1.0
    keep = _keep(width)
    mean = 0.32
    if keep <= 0.0:
        return mean, 1.0
    # Turned out of the axes, so that the lattice does not show.
    n = _noise(lattice, 0.8 * x + 0.6 * y + sx, 0.8 * y - 0.6 * x + 0.3 * z + sy, 0.95 * z - 0.2 * x + sz)
    t = min(max((n - 0.48 + 0.5 * width) / (0.14 + width), 0.0), 1.0)
    return keep * t * t * (3.0 - 2.0 * t) + (1.0 - keep) * mean, 1.0


@part
def albedo(lattice, looks, bodies, owner, wx, wy, wz, nx, ny, nz, vx, vy, vz, footprint):  # type: ignore[no-untyped-def]
    """Linear reflectance (r, g, b) of a body's surface.

    What is handed over (see trace_packing for the scene's arrays):
        lattice: from ``noise_lattice``.
        looks, bodies: see ``trace_packing``.
        owner: the body's number.
        wx, wy, wz: the point, world frame.
        nx, ny, nz: outward normal there.
        vx, vy, vz: unit direction of the ray that came.
        footprint: width in metres of a pixel at that distance, square to the ray.
    """
    kind = int(looks[owner, 7])
    if kind == 0:
        return looks[owner, 0], looks[owner, 1], looks[owner, 2]
    inv = 1.0 / looks[owner, 11]
    facing = max(abs(nx * vx + ny * vy + nz * vz), 0.05)
    # A quarter period below the surface, so that a face never lies on the border between two cells.
    depth = 0.25 * looks[owner, 11]
    px, py, pz = (
        wx - depth * nx - bodies[owner, 0],
        wy - depth * ny - bodies[owner, 1],
        wz - depth * nz - bodies[owner, 2],
    )
    x = (bodies[owner, 3] * px + bodies[owner, 4] * py + bodies[owner, 5] * pz) * inv
    y = (bodies[owner, 6] * px + bodies[owner, 7] * py + bodies[owner, 8] * pz) * inv
    z = (bodies[owner, 9] * px + bodies[owner, 10] * py + bodies[owner, 11] * pz) * inv
    mean_width = footprint * inv / math.sqrt(facing)
    bright = 1.0
    if kind >= 4:
        mix, bright = _blend_at(
            lattice, kind, x, y, z, mean_width, looks[owner, 12], looks[owner, 13], looks[owner, 14], looks[owner, 15]
        )
    else:
        # The footprint is stretched by 1 / facing along the ray's course on the surface.
        cx, cy, cz = (
            bodies[owner, 3] * vx + bodies[owner, 4] * vy + bodies[owner, 5] * vz,
            bodies[owner, 6] * vx + bodies[owner, 7] * vy + bodies[owner, 8] * vz,
            0.0,
        )
        cz = bodies[owner, 9] * vx + bodies[owner, 10] * vy + bodies[owner, 11] * vz
        stretch = footprint * inv * (1.0 / facing - 1.0)
        width_x = footprint * inv + stretch * abs(cx)
        width_y = footprint * inv + stretch * abs(cy)
        width_z = footprint * inv + stretch * abs(cz)
        if kind == 1:
            mix = 0.5 - 0.5 * _square_wave(x, width_x) * _square_wave(y, width_y) * _square_wave(z, width_z)
        elif kind == 3:
            mix = 0.5 - 0.5 * _square_wave(x, width_x)
        else:
            lx = bodies[owner, 3] * nx + bodies[owner, 4] * ny + bodies[owner, 5] * nz
            ly = bodies[owner, 6] * nx + bodies[owner, 7] * ny + bodies[owner, 8] * nz
            lz = bodies[owner, 9] * nx + bodies[owner, 10] * ny + bodies[owner, 11] * nz
            mix = (1.0 - lx * lx) * _line(x, 0.03, width_x)
            mix = max(mix, (1.0 - ly * ly) * _line(y, 0.03, width_y))
            mix = max(mix, (1.0 - lz * lz) * _line(z, 0.03, width_z))
            cell = _noise(
                lattice,
                math.floor(x) * 17.0 + looks[owner, 12] * 7.0,
                math.floor(y) * 29.0 + looks[owner, 13] * 5.0,
                math.floor(z) * 11.0 + 0.5,
            )
            bright = 1.0 + 0.22 * (cell - 0.5) * _keep(mean_width)
    return (
        (looks[owner, 0] + mix * (looks[owner, 8] - looks[owner, 0])) * bright,
        (looks[owner, 1] + mix * (looks[owner, 9] - looks[owner, 1])) * bright,
        (looks[owner, 2] + mix * (looks[owner, 10] - looks[owner, 2])) * bright,
    )


@inner
def albedo_run(b, lattice, looks, bodies, owner, first, last, time, base, pixel_size):  # type: ignore[no-untyped-def]
    """Rows ALBEDO for lanes ``first`` to ``last`` of a packet, all on one body."""
    for i in range(first, last):
        b[ALBEDO_R + i], b[ALBEDO_G + i], b[ALBEDO_B + i] = albedo(
            lattice, looks, bodies, owner, b[PX + i], b[PY + i], b[PZ + i], b[NX + i], b[NY + i], b[NZ + i],
            b[RX + i], b[RY + i], b[RZ + i], time[base + i] * pixel_size,
        )  # fmt: skip
