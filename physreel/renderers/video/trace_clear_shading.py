"""Light on what is seen through clear things: solids, opaque liquids, and the lights' own reflections."""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, part
from physreel.renderers.video.trace_light import past_liquid
from physreel.renderers.video.trace_packets import FAR_AWAY
from physreel.renderers.video.trace_rays import light_passes, normal, trace
from physreel.renderers.video.trace_secondary import sky
from physreel.renderers.video.trace_textures import albedo

_INV_PI = 1.0 / math.pi


@part
def _lit(  # type: ignore[no-untyped-def]
    prims, kinds, planes, bodies, spans, looks, lights, maps, rows, lamp, x, y, z, nx, ny, nz, wrap, bias, fine
):
    # (r, g, b) of a light on a matt white surface: its irradiance there over pi, past solids, glass and liquid.
    lx, ly, lz, fade, end = lights[lamp, 1], lights[lamp, 2], lights[lamp, 3], 1.0, FAR_AWAY
    size = lights[lamp, 7]
    if lights[lamp, 0] != 0.0:
        lx, ly, lz = lx - x, ly - y, lz - z
        fade = 1.0 / (lx * lx + ly * ly + lz * lz + 1e-12)
        scale = math.sqrt(fade)
        lx, ly, lz, end, size = lx * scale, ly * scale, lz * scale, 1.0 / scale, size * scale
    n_l = (nx * lx + ny * ly + nz * lz + wrap) / (1.0 + wrap)
    if n_l <= 0.0:
        return 0.0, 0.0, 0.0
    r, g, b = 0.0, 0.0, 0.0
    # Off the surface, so that it is not in its own way.
    x, y, z = x + 2e-6 * nx, y + 2e-6 * ny, z + 2e-6 * nz
    ux, uy, uz = (-ly, lx, 0.0) if abs(lz) < 0.9 else (0.0, -lz, ly)
    across = 0.7 * size / math.sqrt(ux * ux + uy * uy + uz * uz)
    ux, uy, uz = ux * across, uy * across, uz * across
    vx, vy, vz = ly * uz - lz * uy, lz * ux - lx * uz, lx * uy - ly * ux
    first, taken = 0.0, 0
    for s in range(8):
        # Eight places on the light, in opposite pairs; the first pair where that tells, or the middle where it will do.
        p, q = 0.0, 0.0
        if fine:
            angle = 0.4 + math.pi * ((s & 1) + 0.5 * ((s >> 1) & 1) + 0.25 * (s >> 2))
            far = 1.3 if s < 4 else 0.8
            p, q = far * math.cos(angle), far * math.sin(angle)
        mx, my, mz = lx + p * ux + q * vx, ly + p * uy + q * vy, lz + p * uz + q * vz
        length = 1.0 / math.sqrt(mx * mx + my * my + mz * mz)
        pr, pg, pb = light_passes(
            prims, kinds, looks, planes, bodies, spans, x, y, z, mx * length, my * length, mz * length, end, -1
        )
        r, g, b, taken = r + pr, g + pg, b + pb, taken + 1
        if not fine or (s == 1 and pg == first):
            break
        first = pg
    w = n_l * fade * _INV_PI / taken
    if len(maps) > 0:
        qr, qg, qb = past_liquid(maps, rows, lamp, x, y, z, bias)
        r, g, b = r * qr, g * qg, b * qb
    return w * lights[lamp, 4] * r, w * lights[lamp, 5] * g, w * lights[lamp, 6] * b


@inner
def shade(  # type: ignore[no-untyped-def]
    prims, kinds, planes, bodies, spans, looks, lights, environment, lattice, maps, rows, body, open_, x, y, z,
    nx, ny, nz, dx, dy, dz, footprint, fine,
):  # fmt: skip
    """Colour (r, g, b) of a solid's point: as in trace_secondary, with softer shadows and those of the liquid."""
    cr, cg, cb = albedo(lattice, looks, bodies, body, x, y, z, nx, ny, nz, dx, dy, dz, footprint)
    ambient = (1.0 + 0.2 * looks[body, 4]) * (0.83 + 0.17 * nz) * open_
    r, g, b = ambient * environment[2, 0], ambient * environment[2, 1], ambient * environment[2, 2]
    matt = (1.0 - looks[body, 4]) + 0.47 * looks[body, 4]
    for lamp in range(len(lights)):
        lr, lg, lb = _lit(
            prims, kinds, planes, bodies, spans, looks, lights, maps, rows, lamp, x, y, z, nx, ny, nz, 0.0, 0.0, fine
        )  # fmt: skip
        r, g, b = r + matt * lr, g + matt * lg, b + matt * lb
    return r * cr, g * cg, b * cb


@part
def glint(prims, kinds, planes, bodies, spans, looks, lights, x, y, z, nx, ny, nz, dx, dy, dz, weight):  # type: ignore[no-untyped-def]
    """(r, g, b) of the lights, mirrored by a smooth surface that reflects all: lobes little wider than they are."""
    r, g, b = 0.0, 0.0, 0.0
    for lamp in range(len(lights)):
        lx, ly, lz, fade, end, size = lights[lamp, 1], lights[lamp, 2], lights[lamp, 3], 1.0, FAR_AWAY, lights[lamp, 7]
        if lights[lamp, 0] != 0.0:
            lx, ly, lz = lx - x, ly - y, lz - z
            fade = 1.0 / (lx * lx + ly * ly + lz * lz + 1e-12)
            scale = math.sqrt(fade)
            lx, ly, lz, end, size = lx * scale, ly * scale, lz * scale, 1.0 / scale, size * scale
        if nx * lx + ny * ly + nz * lz <= 0.0:
            continue
        hx, hy, hz = lx - dx, ly - dy, lz - dz
        n_h = (nx * hx + ny * hy + nz * hz) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-12)
        narrow = 0.05 + 0.5 * size
        a2 = narrow * narrow
        q = n_h * n_h * (a2 - 1.0) + 1.0
        lobe = 0.25 * _INV_PI * a2 / (q * q) * fade
        brightest = lobe * max(lights[lamp, 4], lights[lamp, 5], lights[lamp, 6])
        if weight * brightest < 0.01:
            continue
        pr, pg, pb = light_passes(prims, kinds, looks, planes, bodies, spans, x, y, z, lx, ly, lz, end, -1)
        r, g, b = r + lobe * lights[lamp, 4] * pr, g + lobe * lights[lamp, 5] * pg, b + lobe * lights[lamp, 6] * pb
    return r, g, b


@part
def look_up(prims, kinds, planes, bodies, spans, looks, lights, environment, x, y, z, dx, dy, dz):  # type: ignore[no-untyped-def]
    """What a ray of little weight shows: the first solid thing in plain colour and light, as if nothing were clear."""
    t, surface = trace(prims, kinds, planes, bodies, spans, x, y, z, dx, dy, dz, FAR_AWAY, -1)
    if surface < 0:
        return sky(environment, dz)
    k = surface >> 9
    body = kinds[k, 1]
    x, y, z = x + t * dx, y + t * dy, z + t * dz
    nx, ny, nz = normal(prims, kinds, planes, k, surface & 511, x, y, z)
    ambient = 0.9 * (0.83 + 0.17 * nz)
    r, g, b = ambient * environment[2, 0], ambient * environment[2, 1], ambient * environment[2, 2]
    for lamp in range(len(lights)):
        lx, ly, lz, fade = lights[lamp, 1], lights[lamp, 2], lights[lamp, 3], 1.0
        if lights[lamp, 0] != 0.0:
            lx, ly, lz = lx - x, ly - y, lz - z
            fade = 1.0 / (lx * lx + ly * ly + lz * lz + 1e-12)
            fade *= math.sqrt(fade)
        w = max(nx * lx + ny * ly + nz * lz, 0.0) * fade * _INV_PI
        r, g, b = r + w * lights[lamp, 4], g + w * lights[lamp, 5], b + w * lights[lamp, 6]
    # Of a texture, the mean of its two colours.
    return (
        0.5 * (looks[body, 0] + looks[body, 8]) * r,
        0.5 * (looks[body, 1] + looks[body, 9]) * g,
        0.5 * (looks[body, 2] + looks[body, 10]) * b,
    )


@inner
def milk(  # type: ignore[no-untyped-def]
    prims,
    kinds,
    planes,
    bodies,
    spans,
    looks,
    lights,
    environment,
    maps,
    rows,
    liquids,
    fluid,
    x,
    y,
    z,
    nx,
    ny,
    nz,
    bias,
):
    """What an opaque liquid scatters back; light gets a little way round in it, so it is softer than on a solid."""
    ambient = 0.85 + 0.15 * nz
    r, g, b = ambient * environment[2, 0], ambient * environment[2, 1], ambient * environment[2, 2]
    for lamp in range(len(lights)):
        lr, lg, lb = _lit(
            prims, kinds, planes, bodies, spans, looks, lights, maps, rows, lamp, x, y, z, nx, ny, nz, 0.25, bias, True
        )
        r, g, b = r + lr, g + lg, b + lb
    return r * liquids[fluid, 4], g * liquids[fluid, 5], b * liquids[fluid, 6]
