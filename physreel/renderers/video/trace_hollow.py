"""Rays and the walls of clear vessels and tanks: where they next go into or out of the glass.

``hollows`` (C, 14), one row each: 0 vessel | 1 tank, its primitive, its body, ior, light lost per metre of glass 4:7,
transmission 7, and of a tank half the inside's width and depth 8:10, its height 10, wall 11, half the hole's width 12
and the height of its middle above the underside 13.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.trace_jit import inner
from physreel.renderers.video.trace_packets import FAR_AWAY
from physreel.renderers.video.trace_rays import slab, wall_normal, walls
from physreel.spec import SceneSpec, Tank, Vessel

# A look's colour is what so much glass leaves of white light.
_TINT_M = 0.010


def pack_hollows(spec: SceneSpec, spans: NDArray[np.int64], looks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows of the vessels and tanks that let light through; spans and looks as in trace_packing."""
    rows = []
    for i, body in enumerate(spec.bodies):
        shape, look = body.shape, looks[i]
        if look[5] <= 0.0 or not isinstance(shape, (Vessel, Tank)):
            continue
        lost = -np.log(np.maximum(look[:3], 1e-3)) / _TINT_M
        row = [0.0, spans[i, 0], i, look[6], *lost, look[5], *np.zeros(6)]
        if isinstance(shape, Tank):
            x, y, z = shape.inside_m
            row[0] = 1.0
            row[8:] = [x / 2, y / 2, z, shape.wall_m, shape.hole_m / 2, shape.wall_m + shape.hole_height_m]
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, 14)


@inner
def _tank(hollows, c, ox, oy, oz, dx, dy, dz, least):  # type: ignore[no-untyped-def]
    # A box without its inside and its hole. Faces 0:6 of the outside, 6:12 those of the inside and the hole.
    hx, hy, height, wall = hollows[c, 8], hollows[c, 9], hollows[c, 10], hollows[c, 11]
    o0, o1, of0, of1 = slab(ox, oy, oz, dx, dy, dz, -hx - wall, hx + wall, -hy - wall, hy + wall, 0.0, wall + height)
    if o0 > o1 or o1 <= least:
        return FAR_AWAY, 0
    i0, i1, if0, if1 = slab(ox, oy, oz, dx, dy, dz, -hx, hx, -hy, hy, wall, wall + 2.0 * height)
    if i0 > i1:
        i0, i1 = FAR_AWAY, -FAR_AWAY
    h0, h1, hf0, hf1 = FAR_AWAY, -FAR_AWAY, 0, 0
    half, middle = hollows[c, 12], hollows[c, 13]
    if half > 0.0:
        h0, h1, hf0, hf1 = slab(
            ox, oy, oz, dx, dy, dz, hx - wall, hx + 2.0 * wall, -half, half, middle - half, middle + half
        )
        if h0 > h1:
            h0, h1 = FAR_AWAY, -FAR_AWAY
    best, face = FAR_AWAY, 0
    for n in range(6):
        t = o0 if n == 0 else (o1 if n == 1 else (i0 if n == 2 else (i1 if n == 3 else (h0 if n == 4 else h1))))
        if t <= least or t >= best:
            continue
        in_box, in_inside, in_hole = o0 < t < o1, i0 < t < i1, h0 < t < h1
        if n < 2 and not in_inside and not in_hole:
            best, face = t, (of0 if n == 0 else of1)
        elif 2 <= n < 4 and in_box and not in_hole:
            best, face = t, 6 + (if0 if n == 2 else if1)
        elif n >= 4 and in_box and not in_inside:
            best, face = t, 6 + (hf0 if n == 4 else hf1)
    return best, face


@inner
def next_wall(hollows, prims, kinds, planes, bodies, x, y, z, dx, dy, dz, least):  # type: ignore[no-untyped-def]
    """(parameter, hollow, face) at which a unit world ray next crosses a clear wall's surface; hollow -1 if never."""
    best, found, face = FAR_AWAY, -1, 0
    for c in range(len(hollows)):
        body = int(hollows[c, 2])
        ax, ay, az = bodies[body, 12] - x, bodies[body, 13] - y, bodies[body, 14] - z
        along = ax * dx + ay * dy + az * dz
        r = bodies[body, 15]
        if along < -r or along > best + r or ax * ax + ay * ay + az * az - along * along > r * r:
            continue
        if hollows[c, 0] == 0.0:
            k = int(hollows[c, 1])
            px, py, pz = x - prims[k, 0], y - prims[k, 1], z - prims[k, 2]
            t, _, at, _ = walls(
                planes, kinds[k, 3], kinds[k, 4], prims[k, 12], prims[k, 14],
                prims[k, 3] * px + prims[k, 4] * py + prims[k, 5] * pz,
                prims[k, 6] * px + prims[k, 7] * py + prims[k, 8] * pz,
                prims[k, 9] * px + prims[k, 10] * py + prims[k, 11] * pz,
                prims[k, 3] * dx + prims[k, 4] * dy + prims[k, 5] * dz,
                prims[k, 6] * dx + prims[k, 7] * dy + prims[k, 8] * dz,
                prims[k, 9] * dx + prims[k, 10] * dy + prims[k, 11] * dz + 1e-200,
                least, best,
            )  # fmt: skip
        else:
            px, py, pz = x - bodies[body, 0], y - bodies[body, 1], z - bodies[body, 2]
            t, at = _tank(
                hollows, c,
                bodies[body, 3] * px + bodies[body, 4] * py + bodies[body, 5] * pz,
                bodies[body, 6] * px + bodies[body, 7] * py + bodies[body, 8] * pz,
                bodies[body, 9] * px + bodies[body, 10] * py + bodies[body, 11] * pz,
                bodies[body, 3] * dx + bodies[body, 4] * dy + bodies[body, 5] * dz,
                bodies[body, 6] * dx + bodies[body, 7] * dy + bodies[body, 8] * dz,
                bodies[body, 9] * dx + bodies[body, 10] * dy + bodies[body, 11] * dz,
                least,
            )  # fmt: skip
        if t < best:
            best, found, face = t, c, at
    return best, found, face


@inner
def glass_normal(hollows, c, prims, kinds, planes, bodies, face, x, y, z):  # type: ignore[no-untyped-def]
    """Smooth unit normal, out of the glass, at a world point of a clear wall's surface."""
    if hollows[c, 0] == 0.0:
        k = int(hollows[c, 1])
        px, py, pz = x - prims[k, 0], y - prims[k, 1], z - prims[k, 2]
        nx, ny, nz = wall_normal(
            planes, kinds[k, 3], kinds[k, 4], face,
            prims[k, 3] * px + prims[k, 4] * py + prims[k, 5] * pz,
            prims[k, 6] * px + prims[k, 7] * py + prims[k, 8] * pz,
            prims[k, 9] * px + prims[k, 10] * py + prims[k, 11] * pz,
        )  # fmt: skip
        return (
            prims[k, 3] * nx + prims[k, 6] * ny + prims[k, 9] * nz,
            prims[k, 4] * nx + prims[k, 7] * ny + prims[k, 10] * nz,
            prims[k, 5] * nx + prims[k, 8] * ny + prims[k, 11] * nz,
        )
    body = int(hollows[c, 2])
    sign = 1.0 if face & 1 else -1.0
    if face >= 6:
        face, sign = face - 6, -sign
    row = 3 + 3 * (face >> 1)
    return sign * bodies[body, row], sign * bodies[body, row + 1], sign * bodies[body, row + 2]
