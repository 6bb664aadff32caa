"""Rays beyond the first: through glass, and what mirrors and glass show."""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, kernel, part
from physreel.renderers.video.trace_packets import FAR_AWAY
from physreel.renderers.video.trace_rays import interval, light_passes, normal, trace
from physreel.renderers.video.trace_textures import albedo

_INV_PI = 1.0 / math.pi


@inner
def sky(environment, z):  # type: ignore[no-untyped-def]
    """Radiance (r, g, b) of the sky where a unit ray has that z: horizon to zenith, floor colour below."""
    w = math.sqrt(max(z, 0.0))
    low = 1.0 - 0.5 * max(min(-z * 4.0, 1.0), 0.0)
    return (
        (environment[1, 0] + w * (environment[0, 0] - environment[1, 0])) * low,
        (environment[1, 1] + w * (environment[0, 1] - environment[1, 1])) * low,
        (environment[1, 2] + w * (environment[0, 2] - environment[1, 2])) * low,
    )


@inner
def fresnel(cos_in, ratio):  # type: ignore[no-untyped-def]
    """(share reflected, cosine beyond) at a smooth border; ``ratio`` = index before / index beyond."""
    k = 1.0 - ratio * ratio * (1.0 - cos_in * cos_in)
    if k <= 0.0:
        return 1.0, 0.0
    cos_out = math.sqrt(k)
    s = (ratio * cos_in - cos_out) / (ratio * cos_in + cos_out)
    p = (cos_in - ratio * cos_out) / (cos_in + ratio * cos_out)
    return 0.5 * (s * s + p * p), cos_out


@inner
def through_glass(prims, kinds, planes, k, ior, x, y, z, dx, dy, dz, nx, ny, nz):  # type: ignore[no-untyped-def]
    """Into a convex solid at a point with normal n, and out again: (place, direction, length inside) of the ray."""
    cos_in = -(dx * nx + dy * ny + dz * nz)
    _, cos_out = fresnel(cos_in, 1.0 / ior)
    bend = cos_in / ior - cos_out
    dx, dy, dz = dx / ior + bend * nx, dy / ior + bend * ny, dz / ior + bend * nz
    inside = 0.0
    for _ in range(4):
        near, far, _, face = interval(prims, kinds, planes, k, x, y, z, dx, dy, dz)
        if near > far or far <= 0.0:
            break
        x, y, z = x + far * dx, y + far * dy, z + far * dz
        inside += far
        mx, my, mz = normal(prims, kinds, planes, k, face, x, y, z)
        cos_in = dx * mx + dy * my + dz * mz
        share, cos_out = fresnel(cos_in, ior)
        if share < 1.0:
            bend = ior * cos_in - cos_out
            return x, y, z, ior * dx - bend * mx, ior * dy - bend * my, ior * dz - bend * mz, inside
        dx, dy, dz = dx - 2.0 * cos_in * mx, dy - 2.0 * cos_in * my, dz - 2.0 * cos_in * mz
    return x, y, z, dx, dy, dz, inside


@part
def _shade_point(  # type: ignore[no-untyped-def]
    prims, kinds, planes, bodies, spans, looks, lights, environment, lattice, body, k, x, y, z, nx, ny, nz, dx, dy, dz,
    footprint, shadows,
):  # fmt: skip
    # Colour of a point seen by a mirror or through glass: as in ``shade``, with one shadow ray a light or none.
    cr, cg, cb = albedo(lattice, looks, bodies, body, x, y, z, nx, ny, nz, dx, dy, dz, footprint)
    diffuse = (1.0 - looks[body, 4]) * _INV_PI
    # A mirror in a mirror shows the surroundings' mean.
    gain = (1.0 - looks[body, 4]) + 1.2 * looks[body, 4]
    ambient = gain * (0.83 + 0.17 * nz) * 0.9
    r, g, b = cr * ambient * environment[2, 0], cg * ambient * environment[2, 1], cb * ambient * environment[2, 2]
    for lamp in range(len(lights)):
        lx, ly, lz, fade, end = lights[lamp, 1], lights[lamp, 2], lights[lamp, 3], 1.0, FAR_AWAY
        if lights[lamp, 0] != 0.0:
            lx, ly, lz = lx - x, ly - y, lz - z
            fade = 1.0 / (lx * lx + ly * ly + lz * lz + 1e-12)
            scale = math.sqrt(fade)
            lx, ly, lz, end = lx * scale, ly * scale, lz * scale, 1.0 / scale
        n_l = nx * lx + ny * ly + nz * lz
        if n_l <= 0.0:
            continue
        pr, pg, pb = 1.0, 1.0, 1.0
        if shadows:
            pr, pg, pb = light_passes(prims, kinds, looks, planes, bodies, spans, x, y, z, lx, ly, lz, end, k)
        w = n_l * fade * (diffuse + 0.15 * looks[body, 4])
        r += w * lights[lamp, 4] * pr * cr
        g += w * lights[lamp, 5] * pg * cg
        b += w * lights[lamp, 6] * pb * cb
    return r, g, b


@kernel
def resolve(  # type: ignore[no-untyped-def]
    prims, kinds, planes, bodies, spans, looks, lights, environment, lattice, camera, owners, requests, count,
    mesh_time, mesh_surface, mesh_normal, color,
):  # fmt: skip
    """Follow the rays asked for and add what they see to ``color``.

    ``mesh_time``, ``mesh_surface`` (M,) and ``mesh_normal`` (M, 3) say where each meets a mesh (1e30: nowhere).
    Glass behind glass is passed straight through, with its colour.
    """
    for n in range(count):
        q = requests[n]
        x, y, z, dx, dy, dz = q[0], q[1], q[2], q[3], q[4], q[5]
        r, g, b = q[6], q[7], q[8]
        pixel, skip = int(q[9]), int(q[10])
        # A machined face blurs the pattern of what it mirrors, the more the farther that is.
        blur = 2.0 * looks[owners[skip], 3] ** 2 if skip >= len(prims) else 0.0
        start = 0.0
        cr, cg, cb = 0.0, 0.0, 0.0
        for _ in range(4):
            px, py, pz = x + start * dx, y + start * dy, z + start * dz
            end = mesh_time[n] - start if len(mesh_time) > 0 and mesh_time[n] < 1e29 else FAR_AWAY
            t, hit = trace(prims, kinds, planes, bodies, spans, px, py, pz, dx, dy, dz, end, skip)
            if hit < 0 and end >= 1e29:
                cr, cg, cb = sky(environment, dz)
                break
            px, py, pz = px + t * dx, py + t * dy, pz + t * dz
            if hit >= 0:
                k = hit >> 9
                body = kinds[k, 1]
                if looks[body, 5] > 0.3:
                    _, far, _, _ = interval(prims, kinds, planes, k, x, y, z, dx, dy, dz)
                    start, skip = far + 1e-5, k
                    r, g, b = r * 0.86 * looks[body, 0], g * 0.86 * looks[body, 1], b * 0.86 * looks[body, 2]
                    continue
                nx, ny, nz = normal(prims, kinds, planes, k, hit & 511, px, py, pz)
            else:
                k = int(mesh_surface[n]) >> 9
                body = owners[k]
                nx, ny, nz = mesh_normal[n, 0], mesh_normal[n, 1], mesh_normal[n, 2]
            cr, cg, cb = _shade_point(
                prims, kinds, planes, bodies, spans, looks, lights, environment, lattice, body, k, px, py, pz, nx, ny,
                nz, dx, dy, dz, q[12] + t * (1.0 / camera[0] + blur), max(r, g, b) > 0.35,
            )  # fmt: skip
            break
        color[0, pixel] += r * cr
        color[1, pixel] += g * cg
        color[2, pixel] += b * cb
        if q[11] > 0.0:
            for other in (pixel + 1, pixel + 8, pixel + 9):
                color[0, other] += r * cr
                color[1, other] += g * cg
                color[2, other] += b * cb
