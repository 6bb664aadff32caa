"""Second stage: light on what is seen, in linear light, and the rays that mirrors and glass ask for.

Reflection is Lambert (radiance = albedo / pi × irradiance) with a GGX highlight per light (Karis's fit of the
visibility term), Schlick's Fresnel for gloss and the exact one for glass. The ambient light is the spec's, times the
openness from the first stage; a surface that faces down gets two thirds of it.
"""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, kernel, part
from physreel.renderers.video.trace_packets import (
    ALBEDO_B,
    ALBEDO_G,
    ALBEDO_R,
    AMBIENT,
    BOX,
    GLASS,
    HULL,
    LANES,
    METAL,
    NX,
    NY,
    NZ,
    PLANE,
    PX,
    PY,
    PZ,
    ROUGH,
    RX,
    RY,
    RZ,
    SHINE,
    SUM_B,
    SUM_G,
    SUM_R,
    SURFACE,
    VISIBLE,
)
from physreel.renderers.video.trace_primary import tile_rays
from physreel.renderers.video.trace_secondary import fresnel, sky, through_glass
from physreel.renderers.video.trace_textures import albedo_run

_INV_PI = 1.0 / math.pi
# Rougher dielectrics mirror nothing.
GLOSSY = 0.5
# Where the 12 × 12 pixels about a tile are laid out in the scratch packet, 12 to a row.
_PATCH, _OWNER, _WEIGHT = 2560, 2816, 2960
SCRATCH_SIZE = 3200


@inner
def _smooth(b, values, surface, tile, tiles_x, tiles_y, row):  # type: ignore[no-untyped-def]
    """Row ``row``: mean of ``values`` about each pixel of a tile, on the same primitive only.

    The 16 pixels of any 4 × 4 block look at 32 different places of a light between them (``disc`` in trace_primary). A
    window of 5 × 5 whose rim counts half has the same weight for each of the 16, so that the mean has the smoothness
    of 32 samples and the pattern of who looked where cancels.
    """
    left, top = (tile % tiles_x) * 8 - 2, (tile // tiles_x) * 8 - 2
    least, most = 1e9, -1e9
    for j in range(12):
        y = top + j
        for i in range(12):
            x = left + i
            at = _PATCH + 12 * j + i
            if x < 0 or y < 0 or x >= 8 * tiles_x or y >= 8 * tiles_y:
                b[at], b[at + _OWNER - _PATCH] = 0.0, -2.0
                continue
            index = ((y >> 3) * tiles_x + (x >> 3)) * LANES + (y & 7) * 8 + (x & 7)
            value = values[index]
            least, most = min(least, value), max(most, value)
            b[at] = value
            b[at + _OWNER - _PATCH] = float(surface[index] >> 9)
    if most - least < 1e-6:
        for i in range(LANES):
            b[row + i] = least
        return
    for y in range(8):
        mine, out = _OWNER + 12 * (y + 2) + 2, row + 8 * y
        for x in range(8):
            b[out + x] = 0.0
            b[_WEIGHT + x] = 0.0
        for j in range(5):
            for i in range(5):
                at = _PATCH + 12 * (y + j) + i
                share = (0.5 if j == 0 or j == 4 else 1.0) * (0.5 if i == 0 or i == 4 else 1.0)
                for x in range(8):
                    same = share if b[at + _OWNER - _PATCH + x] == b[mine + x] else 0.0
                    b[out + x] += same * b[at + x]
                    b[_WEIGHT + x] += same
        for x in range(8):
            b[out + x] /= b[_WEIGHT + x]


@inner
def _varies(flags, lamp, tile, tiles_x, tiles_y):  # type: ignore[no-untyped-def]
    # How a light's share is within two pixels of a tile: 0 all of it, 1 it varies, 2 none, 3 it varies and is coloured.
    mine = flags[lamp, tile]
    tx, ty = tile % tiles_x, tile // tiles_x
    for y in range(max(ty - 1, 0), min(ty + 2, tiles_y)):
        for x in range(max(tx - 1, 0), min(tx + 2, tiles_x)):
            other = flags[lamp, y * tiles_x + x]
            if other == 3:
                return 3
            if other != mine:
                mine = 1
    return mine


@inner
def _add_light(b, light):  # type: ignore[no-untyped-def]
    # Rows SUM += what one light gives; rows VISIBLE and GLASS hold its share, R the unit ray, N the normal.
    sun = light[0] == 0.0
    lx, ly, lz, er, eg, eb, size = light[1], light[2], light[3], light[4], light[5], light[6], light[7]
    for i in range(LANES):
        x = lx if sun else lx - b[PX + i]
        y = ly if sun else ly - b[PY + i]
        z = lz if sun else lz - b[PZ + i]
        inv2 = 1.0 / (x * x + y * y + z * z + 1e-12)
        inv = math.sqrt(inv2)
        x, y, z = x * inv, y * inv, z * inv
        strength = b[VISIBLE + i] * (1.0 if sun else inv2)
        n_l = b[NX + i] * x + b[NY + i] * y + b[NZ + i] * z
        n_l = n_l if n_l > 0.0 else 0.0
        hx, hy, hz = x - b[RX + i], y - b[RY + i], z - b[RZ + i]
        norm = 1.0 / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-12)
        n_h = (b[NX + i] * hx + b[NY + i] * hy + b[NZ + i] * hz) * norm
        l_h = (x * hx + y * hy + z * hz) * norm
        rough = b[ROUGH + i]
        narrow = rough * rough
        # A light that is not a point widens the highlight and lowers it by as much.
        wide = narrow + 0.5 * size * (1.0 if sun else inv)
        wide = wide if wide < 1.0 else 1.0
        a2 = wide * wide
        q = n_h * n_h * (a2 - 1.0) + 1.0
        spec = narrow * narrow / (q * q) * _INV_PI * 0.25 / (l_h * l_h * (rough + 0.5) + 1e-4)
        spec = spec if n_h > 0.0 else 0.0
        f = 1.0 - l_h
        f2 = f * f
        rise = f2 * f2 * f
        metal = b[METAL + i]
        base = 0.04 * (1.0 - metal)
        diffuse = (1.0 - metal) * _INV_PI * b[SHINE + i]
        strength *= n_l
        for c in range(3):
            color = b[ALBEDO_R + LANES * c + i]
            f0 = base + metal * color
            e = er if c == 0 else (eg if c == 1 else eb)
            b[SUM_R + LANES * c + i] += (
                strength * e * b[GLASS + LANES * c + i] * (diffuse * color + spec * (f0 + (1.0 - f0) * rise))
            )


@part
def _ask(requests, count, x, y, z, dx, dy, dz, r, g, bl, pixel, skip, block, footprint):  # type: ignore[no-untyped-def]
    if count[0] < len(requests):
        q = requests[count[0]]
        q[0], q[1], q[2], q[3], q[4], q[5] = x, y, z, dx, dy, dz
        q[6], q[7], q[8], q[9], q[10], q[11], q[12] = r, g, bl, float(pixel), float(skip), block, footprint
        count[0] += 1


@part
def _reflections(b, i, prims, kinds, planes, looks, owner, environment, requests, count, pixel, footprint, planar):  # type: ignore[no-untyped-def]
    # What a mirror, gloss or glass adds at one pixel: asks for rays, adds what needs none to rows SUM.
    surface = int(b[SURFACE + i])
    k = surface >> 9
    x, y, z = b[PX + i], b[PY + i], b[PZ + i]
    dx, dy, dz = b[RX + i], b[RY + i], b[RZ + i]
    nx, ny, nz = b[NX + i], b[NY + i], b[NZ + i]
    cosine = max(-(dx * nx + dy * ny + dz * nz), 0.0)
    mx, my, mz = dx + 2.0 * cosine * nx, dy + 2.0 * cosine * ny, dz + 2.0 * cosine * nz
    glass, metal, rough = looks[owner, 5], looks[owner, 4], looks[owner, 3]
    if glass > 0.0:
        share, _ = fresnel(cosine, 1.0 / looks[owner, 6])
        _ask(requests, count, x, y, z, mx, my, mz, share, share, share, pixel, k, 0.0, footprint)
        if k < len(prims):
            ox, oy, oz, ux, uy, uz, _ = through_glass(
                prims, kinds, planes, k, looks[owner, 6], x, y, z, dx, dy, dz, nx, ny, nz
            )
        else:
            ox, oy, oz, ux, uy, uz = x, y, z, dx, dy, dz
        w = (1.0 - share) * glass
        _ask(
            requests, count, ox, oy, oz, ux, uy, uz, w * looks[owner, 0], w * looks[owner, 1], w * looks[owner, 2],
            pixel, k, 0.0, footprint,
        )  # fmt: skip
        return
    f = 1.0 - cosine
    rise = f * f * f * f * f
    # A rough surface spreads what it mirrors: it fades into the mean of the surroundings.
    clear = min(max(1.15 - 1.7 * rough, 0.0), 1.0)
    clear *= clear
    base = 0.04 * (1.0 - metal)
    gloss = rise * (1.0 - rough) * (1.0 - rough)
    r = base + metal * b[ALBEDO_R + i]
    g = base + metal * b[ALBEDO_G + i]
    bl = base + metal * b[ALBEDO_B + i]
    r, g, bl = r + (1.0 - r) * gloss, g + (1.0 - g) * gloss, bl + (1.0 - bl) * gloss
    if metal < 0.05 and clear * max(r, g, bl) < 0.014:
        return
    open_ = b[AMBIENT + i]
    soft = 1.0 - clear
    if metal > 0.0:
        # The mean of the surroundings: the ambient light, a little brighter above.
        lift = (0.9 + 0.45 * mz) * open_ * soft
        b[SUM_R + i] += r * lift * environment[2, 0] * 1.3
        b[SUM_G + i] += g * lift * environment[2, 1] * 1.3
        b[SUM_B + i] += bl * lift * environment[2, 2] * 1.3
    clear *= min(0.25 + 0.75 * open_, 1.0) if metal < 0.5 else 1.0
    if clear <= 0.0:
        return
    if planar:
        # A flat surface mirrors smoothly: one ray for a 2 × 2 block.
        if (i & 1) or ((i >> 3) & 1):
            return
        _ask(requests, count, x, y, z, mx, my, mz, clear * r, clear * g, clear * bl, pixel, k, 1.0, 2.0 * footprint)
    else:
        _ask(requests, count, x, y, z, mx, my, mz, clear * r, clear * g, clear * bl, pixel, k, 0.0, footprint)


@kernel
def shade(  # type: ignore[no-untyped-def]
    b, prims, kinds, planes, bodies, looks, lights, environment, lattice, camera, tiles_x, tiles_y, todo, owners,
    time, surface, normals, visible, tint, openness, traced, flags, balls, color, requests, count,
):  # fmt: skip
    """``color`` (3, N), linear light, of the tiles in ``todo``; mirrors and glass add their rays to ``requests``.

    Pixels that are ``traced`` (see trace_primary) ask for nothing.

    What is handed over (see trace_packing for the scene's arrays):
        owners: body of each primitive, then of each triangle mesh.
        requests: (M, 13) place, direction, weights, pixel, primitive to pass, 1 for a 2 × 2 block, footprint.
        balls: (tiles, 8) columns 4:8 become the tile's way of mirroring, see ``trace_reuse``.
        count: (1,) how many there are.
    """
    pixel_size = 1.0 / camera[0]
    for tile in todo:
        base = tile * LANES
        if len(traced) > 1 and traced[base : base + LANES].all():
            balls[tile, 7] = 2.0
            continue
        tile_rays(b, camera, (tile % tiles_x) * 8, (tile // tiles_x) * 8)
        only = flags[len(lights), tile]
        for i in range(LANES):
            t = time[base + i]
            t = t if t < 1e29 else 0.0
            b[SURFACE + i] = float(surface[base + i])
            x, y, z = b[RX + i], b[RY + i], b[RZ + i]
            b[PX + i], b[PY + i], b[PZ + i] = camera[3] + t * x, camera[4] + t * y, camera[5] + t * z
            inv = 1.0 / math.sqrt(x * x + y * y + z * z)
            b[RX + i], b[RY + i], b[RZ + i] = x * inv, y * inv, z * inv
            b[NX + i], b[NY + i], b[NZ + i] = normals[0, base + i], normals[1, base + i], normals[2, base + i]
            b[AMBIENT + i] = openness[base + i] * (0.83 + 0.17 * b[NZ + i])
            b[SUM_R + i], b[SUM_G + i], b[SUM_B + i] = 0.0, 0.0, 0.0
        shiny = False
        owner, last = -1, -1
        for i in range(LANES):
            k = surface[base + i] >> 9
            if k < 0:
                last = -1
                b[ALBEDO_R + i], b[ALBEDO_G + i], b[ALBEDO_B + i] = 0.0, 0.0, 0.0
                b[ROUGH + i], b[METAL + i], b[SHINE + i] = 1.0, 0.0, 0.0
                continue
            if k != last:
                owner, last = owners[k], k
                if looks[owner, 7] > 0.0:
                    end = i + 1
                    while end < LANES and (surface[base + end] >> 9) == k:
                        end += 1
                    albedo_run(b, lattice, looks, bodies, owner, i, end, time, base, pixel_size)
                shiny = shiny or looks[owner, 4] > 0.0 or looks[owner, 5] > 0.0 or looks[owner, 3] < GLOSSY
            if looks[owner, 7] <= 0.0:
                b[ALBEDO_R + i], b[ALBEDO_G + i], b[ALBEDO_B + i] = looks[owner, 0], looks[owner, 1], looks[owner, 2]
            b[ROUGH + i], b[METAL + i], b[SHINE + i] = (
                max(looks[owner, 3], 0.045), looks[owner, 4], 1.0 - looks[owner, 5],
            )  # fmt: skip
        for c in range(3):
            for i in range(LANES):
                share = b[ALBEDO_R + LANES * c + i] * (1.0 - b[METAL + i]) * b[SHINE + i]
                b[SUM_R + LANES * c + i] = share * b[AMBIENT + i] * environment[2, c]
        for lamp in range(len(lights)):
            how = _varies(flags, lamp, tile, tiles_x, tiles_y)
            if how == 2:
                continue
            if how == 0:
                for i in range(LANES):
                    b[VISIBLE + i] = 1.0
            else:
                _smooth(b, visible[lamp], surface, tile, tiles_x, tiles_y, VISIBLE)
            for c in range(3):
                if how == 3:
                    _smooth(b, tint[lamp, c], surface, tile, tiles_x, tiles_y, GLASS + LANES * c)
                else:
                    for i in range(LANES):
                        b[GLASS + LANES * c + i] = 1.0
            _add_light(b, lights[lamp])
        asked_before = count[0]
        balls[tile, 7] = 0.0
        planar = only >= 0 and only < len(prims)
        if planar and kinds[only, 0] != PLANE:
            planar = kinds[only, 0] == BOX or kinds[only, 0] == HULL
            for i in range(LANES):
                planar = planar and surface[base + i] == surface[base]
        through = False
        if len(traced) > 1:
            for i in range(LANES):
                through = through or traced[base + i] > 0
        if shiny:
            for i in range(LANES):
                k = surface[base + i] >> 9
                if k < 0 or (through and traced[base + i] > 0):
                    continue
                owner = owners[k]
                metal = looks[owner, 4] > 0.0
                if planar and not metal and looks[owner, 5] <= 0.0 and ((i & 1) or ((i >> 3) & 1)):
                    continue
                if metal or looks[owner, 5] > 0.0 or looks[owner, 3] < GLOSSY:
                    _reflections(
                        b, i, prims, kinds, planes, looks, owner, environment, requests, count, base + i,
                        time[base + i] * pixel_size, planar,
                    )  # fmt: skip
        if count[0] > asked_before:
            # For trace_reuse: how the tile mirrors, by its middle pixel where it is flat.
            balls[tile, 7] = 1.0 if planar else 2.0
            i = 36
            double = -2.0 * (b[RX + i] * b[NX + i] + b[RY + i] * b[NY + i] + b[RZ + i] * b[NZ + i])
            balls[tile, 4] = b[RX + i] + double * b[NX + i]
            balls[tile, 5] = b[RY + i] + double * b[NY + i]
            balls[tile, 6] = b[RZ + i] + double * b[NZ + i]
        if through:
            balls[tile, 7] = 2.0
        for i in range(LANES):
            if surface[base + i] < 0:
                b[SUM_R + i], b[SUM_G + i], b[SUM_B + i] = sky(environment, b[RZ + i])
        for i in range(LANES):
            color[0, base + i], color[1, base + i], color[2, base + i] = b[SUM_R + i], b[SUM_G + i], b[SUM_B + i]
