"""Light through clear things: from the eye through glass walls and liquids to what is behind them.

Rays go on in steps, all of a step together: ``approach`` finds where each next meets a clear wall or something solid,
Embree where it meets the liquid, and ``follow`` takes it past that border: mirrored, bent, dimmed by the way it came.
A ray knows what it is in: the glass of which vessel, which liquid, or both, since liquid goes a little into the wall it
touches. Glass counts before liquid, so that a wall with liquid behind it is one border between the two; so is one with
a gap narrower than _GAP_M, which only comes of the surface's triangles.

A ray's row: place 0:3, direction 3:6, weights 6:9, pixel 9, vessel whose glass it is in 10 (from 1 on, 0 none), liquid
11 (likewise; negative in the gap before a wall), way behind it 12, borders behind it 13, and 14:17 by what Embree is to
start beside its place.
"""

from __future__ import annotations

import math

import numpy as np

from physreel.renderers.video.trace_clear_shading import glint, look_up, milk, shade
from physreel.renderers.video.trace_hollow import glass_normal, next_wall
from physreel.renderers.video.trace_jit import inner, kernel, part
from physreel.renderers.video.trace_packets import FAR_AWAY, VESSEL
from physreel.renderers.video.trace_rays import interval, normal, trace
from physreel.renderers.video.trace_secondary import fresnel, sky

ROW = 17
_MOST_BORDERS = 12
# Mirrored light that weighs more than this is followed through glass and liquid, less is looked up, least is dropped.
FOLLOWED, _DROPPED = 0.10, 0.004
_ENOUGH = 0.015
_BESIDE_M, _GAP_M = 1e-5, 0.8e-3


@kernel
def start(camera, tiles_x, pixels, right, down, weight, rays):  # type: ignore[no-untyped-def]
    """Fill rows, 0 so far, with rays through pixels (tile by tile, see trace_primary), at that place in each."""
    inv = 1.0 / camera[0]
    for n in range(len(pixels)):
        tile, lane = pixels[n] >> 6, pixels[n] & 63
        u = ((tile % tiles_x) * 8 + (lane & 7) + right - camera[1]) * inv
        v = ((tile // tiles_x) * 8 + (lane >> 3) + down - camera[2]) * inv
        dx = camera[6] * u + camera[7] * v + camera[8]
        dy = camera[9] * u + camera[10] * v + camera[11]
        dz = camera[12] * u + camera[13] * v + camera[14]
        scale = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
        rays[n, 0], rays[n, 1], rays[n, 2] = camera[3], camera[4], camera[5]
        rays[n, 3], rays[n, 4], rays[n, 5] = dx * scale, dy * scale, dz * scale
        rays[n, 6], rays[n, 7], rays[n, 8], rays[n, 9] = weight, weight, weight, pixels[n]


@kernel
def glance(prims, kinds, planes, bodies, spans, looks, lights, environment, requests, color):  # type: ignore[no-untyped-def]
    """Add what weak mirrors show (requests as in trace_shading) to ``color`` (3, N), as if nothing were clear."""
    for n in range(len(requests)):
        r, g, b = look_up(
            prims, kinds, planes, bodies, spans, looks, lights, environment, requests[n, 0], requests[n, 1],
            requests[n, 2], requests[n, 3], requests[n, 4], requests[n, 5],
        )  # fmt: skip
        at = int(requests[n, 9])
        for corner in range(4 if requests[n, 11] > 0.0 else 1):
            pixel = at + (corner & 1) + 8 * (corner >> 1)
            color[0, pixel] += requests[n, 6] * r
            color[1, pixel] += requests[n, 7] * g
            color[2, pixel] += requests[n, 8] * b


@inner
def _tone(color, at):  # type: ignore[no-untyped-def]
    # About what is seen of a colour's brightness.
    light = 0.3 * color[0, at] + 0.6 * color[1, at] + 0.1 * color[2, at]
    return math.sqrt(min(max(light, 0.0), 1.0))


@kernel
def uneven(color, traced, pixels, size, tiles_x, limit, out):  # type: ignore[no-untyped-def]
    """Those of the traced ``pixels`` beside which it is brighter or darker by ``limit``, into ``out``; how many."""
    width, height = size
    count = 0
    for n in range(len(pixels)):
        tile, lane = pixels[n] >> 6, pixels[n] & 63
        x, y = (tile % tiles_x) * 8 + (lane & 7), (tile // tiles_x) * 8 + (lane >> 3)
        here = _tone(color, pixels[n])
        for side in range(4):
            i = x + (1 if side == 0 else (-1 if side == 1 else 0))
            j = y + (1 if side == 2 else (-1 if side == 3 else 0))
            if i < 0 or j < 0 or i >= width or j >= height:
                continue
            at = ((j >> 3) * tiles_x + (i >> 3)) * 64 + (j & 7) * 8 + (i & 7)
            # At the border to what is not traced, the edge's own samples do.
            if traced[at] and abs(_tone(color, at) - here) > limit:
                out[count] = pixels[n]
                count += 1
                break
    return count


@kernel
def approach(  # type: ignore[no-untyped-def]
    prims, kinds, planes, bodies, spans, hollows, rays, count, low, high, meets, asked, origins, directions, reach
):
    """Where rays next meet clear walls and solids; those that may meet the liquid before are laid out for Embree.

    What is handed over (see trace_packing for the scene's arrays):
        spans: without those of clear vessels and tanks.
        low, high: corners of the box that holds all liquid.
        meets: (count, 5) becomes parameter, hollow and face of the wall, parameter and surface of the solid.
        asked, origins, directions, reach: (count,), (count, 3), (count,) become the rays for Embree and their ends.

    Returns:
        How many rays there are for Embree.
    """
    waiting = 0
    for n in range(count):
        x, y, z, dx, dy, dz = rays[n, 0], rays[n, 1], rays[n, 2], rays[n, 3], rays[n, 4], rays[n, 5]
        t, found, face = next_wall(hollows, prims, kinds, planes, bodies, x, y, z, dx, dy, dz, 1e-7)
        solid, surface = trace(prims, kinds, planes, bodies, spans, x, y, z, dx, dy, dz, FAR_AWAY, -1)
        meets[n, 0], meets[n, 1], meets[n, 2], meets[n, 3], meets[n, 4] = t, found, face, solid, surface
        near, far = 0.0, min(t, solid)
        for axis in range(3):
            d = rays[n, 3 + axis]
            d = d if abs(d) > 1e-30 else 1e-30
            t0, t1 = (low[axis] - rays[n, axis]) / d, (high[axis] - rays[n, axis]) / d
            near, far = max(near, min(t0, t1)), min(far, max(t0, t1))
        if near <= far:
            asked[waiting] = n
            for axis in range(3):
                origins[waiting, axis] = rays[n, axis] + rays[n, 14 + axis]
                directions[waiting, axis] = rays[n, 3 + axis]
            # A little farther, so that a border just behind the wall is known as well.
            reach[waiting] = min(t, solid) + 2.0 * _GAP_M
            waiting += 1
    return waiting


@part
def _index(hollows, liquids, glass, liquid):  # type: ignore[no-untyped-def]
    # Refractive index of what a ray is in.
    if glass > 0:
        return hollows[glass - 1, 3]
    return liquids[abs(liquid) - 1, 0] if liquid != 0 else 1.0


@part
def _push(out, made, x, y, z, dx, dy, dz, r, g, b, pixel, glass, liquid, way, borders, ox, oy, oz):  # type: ignore[no-untyped-def]
    out[made, 0], out[made, 1], out[made, 2] = x, y, z
    out[made, 3], out[made, 4], out[made, 5] = dx, dy, dz
    out[made, 6], out[made, 7], out[made, 8], out[made, 9] = r, g, b, pixel
    out[made, 10], out[made, 11], out[made, 12], out[made, 13] = glass, liquid, way, borders
    out[made, 14], out[made, 15], out[made, 16] = ox, oy, oz


@part
def _bring(color, at, r, g, b, cr, cg, cb):  # type: ignore[no-untyped-def]
    # What a ray of weights r, g, b brings to its pixel.
    color[0, at] += r * cr
    color[1, at] += g * cg
    color[2, at] += b * cb


@kernel
def follow(  # type: ignore[no-untyped-def]
    prims, kinds, planes, bodies, spans, all_spans, looks, lights, environment, lattice, camera, owners, hollows,
    liquids, maps, rows, vertices, faces, normals, fluid_of, hits, meets, mesh_time, mesh_surface, mesh_normal, rays,
    count, bias, out, color,
):  # fmt: skip
    """Take rays past what they met; what ends is added to ``color`` (3, N), what goes on is written to ``out``.

    What is handed over (see trace_packing for the scene's arrays):
        spans: without those of clear vessels and tanks; all_spans: with them.
        liquids: (fluids, 8) ior, light lost per metre 1:4, colour 4:7, opacity.
        maps, rows: see trace_light; maps is empty where there is no liquid.
        vertices, faces, normals, fluid_of: the liquids' surfaces together.
        hits: (count,) the triangle met, or -1; meets: from ``approach``.
        mesh_time, mesh_surface, mesh_normal: what of triangle meshes each meets; empty where there are none.
        bias: how near to itself a liquid does not shade itself.
        out: (2 count, ROW).

    Returns:
        How many rays go on.
    """
    made = 0
    pixel_size = 1.0 / camera[0]
    for n in range(count):
        x, y, z, dx, dy, dz = rays[n, 0], rays[n, 1], rays[n, 2], rays[n, 3], rays[n, 4], rays[n, 5]
        r, g, b, at = rays[n, 6], rays[n, 7], rays[n, 8], int(rays[n, 9])
        glass, liquid, way, borders = int(rays[n, 10]), int(rays[n, 11]), rays[n, 12], int(rays[n, 13])
        t, c, face = meets[n, 0], int(meets[n, 1]), int(meets[n, 2])
        solid, surface = meets[n, 3], int(meets[n, 4])
        body, mesh = -1, False
        if surface >= 0:
            body = kinds[surface >> 9, 1]
        if len(mesh_time) > 0 and mesh_time[n] < solid:
            solid, body, mesh = mesh_time[n], owners[int(mesh_surface[n]) >> 9], True
        # The liquid's triangle, met anew in double precision.
        f, wet, gx, gy, gz, p, q = hits[n], FAR_AWAY, 0.0, 0.0, 1.0, 0.0, 0.0
        if f >= 0:
            wet, gx, gy, gz, p, q = _meet(vertices, faces, f, x, y, z, dx, dy, dz)
        # A vessel may stand on what is solid: that comes first.
        what = 0
        if body >= 0 and solid < t + 1e-6 and solid <= wet:
            what, t = 1, solid
        elif wet < t:
            what, t = 3, wet
        elif c >= 0:
            what = 2
        if what > 0:
            if glass > 0:
                r *= math.exp(-hollows[glass - 1, 4] * t)
                g *= math.exp(-hollows[glass - 1, 5] * t)
                b *= math.exp(-hollows[glass - 1, 6] * t)
            elif liquid != 0:
                r *= math.exp(-liquids[abs(liquid) - 1, 1] * t)
                g *= math.exp(-liquids[abs(liquid) - 1, 2] * t)
                b *= math.exp(-liquids[abs(liquid) - 1, 3] * t)
            x, y, z, way = x + t * dx, y + t * dy, z + t * dz, way + t
        most = max(r, g, b)
        if most < _ENOUGH or what == 0 or (what > 1 and borders >= _MOST_BORDERS):
            cr, cg, cb = environment[2, 0], environment[2, 1], environment[2, 2]
            if what == 0:
                cr, cg, cb = sky(environment, dz)
            elif most >= _ENOUGH:
                cr, cg, cb = look_up(
                    prims, kinds, planes, bodies, spans, looks, lights, environment, x, y, z, dx, dy, dz
                )
            _bring(color, at, r, g, b, cr, cg, cb)
            continue
        if what == 1:
            k = surface >> 9
            if not mesh and looks[body, 5] > 0.3:
                # Glass that holds nothing is passed straight through, with its colour.
                _, far, _, _ = interval(prims, kinds, planes, k, x, y, z, dx, dy, dz)
                far = max(far, 0.0) + 1e-5
                _push(
                    out, made, x + far * dx, y + far * dy, z + far * dz, dx, dy, dz, r * 0.86 * looks[body, 0],
                    g * 0.86 * looks[body, 1], b * 0.86 * looks[body, 2], at, glass, liquid, way + far, borders + 1,
                    0.0, 0.0, 0.0,
                )  # fmt: skip
                made += 1
                continue
            open_ = 0.9
            if mesh:
                nx, ny, nz = mesh_normal[n, 0], mesh_normal[n, 1], mesh_normal[n, 2]
            else:
                nx, ny, nz = normal(prims, kinds, planes, k, surface & 511, x, y, z)
                if kinds[k, 0] == VESSEL:
                    # Little sky is seen from inside a vessel.
                    px, py, pz = x - prims[k, 0], y - prims[k, 1], z - prims[k, 2]
                    up = prims[k, 9] * px + prims[k, 10] * py + prims[k, 11] * pz
                    px, py, pz = px - up * prims[k, 9], py - up * prims[k, 10], pz - up * prims[k, 11]
                    inwards = px * nx + py * ny + pz * nz < 0.0
                    open_ = 0.65 if inwards or nx * prims[k, 9] + ny * prims[k, 10] + nz * prims[k, 11] > 0.7 else 0.9
            cr, cg, cb = shade(
                prims, kinds, planes, bodies, all_spans, looks, lights, environment, lattice, maps, rows, body, open_,
                x, y, z, nx, ny, nz, dx, dy, dz, way * pixel_size, most > 0.3,
            )  # fmt: skip
            _bring(color, at, r, g, b, cr, cg, cb)
            continue
        glass_next, liquid_next = glass, liquid
        if what == 2:
            if glass == 0:
                glass_next = c + 1
                liquid_next = max(liquid, 0)
            elif glass == c + 1:
                glass_next = 0
                if liquid == 0 and wet - t < _GAP_M and gx * dx + gy * dy + gz * dz < 0.0:
                    liquid_next = fluid_of[f] + 1
            nx, ny, nz = glass_normal(hollows, c, prims, kinds, planes, bodies, face, x, y, z)
            gx, gy, gz = nx, ny, nz
            into = glass_next > 0
        else:
            into = gx * dx + gy * dy + gz * dz < 0.0
            liquid_next = fluid_of[f] + 1 if into else 0
            if not into and glass == 0 and liquid > 0 and c >= 0 and meets[n, 0] - t < _GAP_M:
                liquid_next = -liquid
            nx, ny, nz = _between(normals, faces, f, p, q)
        index, index_next = _index(hollows, liquids, glass, liquid), _index(hollows, liquids, glass_next, liquid_next)
        side = -_BESIDE_M if into else _BESIDE_M  # to the far side of the border
        if what == 2:
            side = 0.0
        if index == index_next:
            _push(
                out, made, x, y, z, dx, dy, dz, r, g, b, at, glass_next, liquid_next, way, borders + 1, side * gx,
                side * gy, side * gz,
            )  # fmt: skip
            made += 1
            continue
        # The normal against the ray; a smooth one may lean away at outlines.
        if not into:
            nx, ny, nz = -nx, -ny, -nz
        cosine = -(nx * dx + ny * dy + nz * dz)
        if cosine < 0.02:
            nx, ny, nz = nx - (0.02 - cosine) * dx, ny - (0.02 - cosine) * dy, nz - (0.02 - cosine) * dz
            scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz)
            nx, ny, nz = nx * scale, ny * scale, nz * scale
            cosine = -(nx * dx + ny * dy + nz * dz)
        ratio = index / index_next
        share, cos_out = fresnel(cosine, ratio)
        mx, my, mz = dx + 2.0 * cosine * nx, dy + 2.0 * cosine * ny, dz + 2.0 * cosine * nz
        if share < 1.0:
            if index < index_next and borders < 4 and share * most > 0.002:
                hr, hg, hb = glint(
                    prims, kinds, planes, bodies, spans, looks, lights, x, y, z, nx, ny, nz, dx, dy, dz, share * most
                )
                _bring(color, at, r * share, g * share, b * share, hr, hg, hb)
            if share * most > FOLLOWED:
                _push(
                    out, made, x, y, z, mx, my, mz, r * share, g * share, b * share, at, glass, liquid, way,
                    borders + 1, -side * gx, -side * gy, -side * gz,
                )  # fmt: skip
                made += 1
            elif share * most > _DROPPED:
                cr, cg, cb = look_up(
                    prims, kinds, planes, bodies, spans, looks, lights, environment, x, y, z, mx, my, mz
                )
                _bring(color, at, r * share, g * share, b * share, cr, cg, cb)
            through = 1.0 - share
            if into and what == 2:
                # Glass that lets only a part through shows its own colour for the rest.
                matt, body = 1.0 - hollows[c, 7], int(hollows[c, 2])
                if matt > 0.0:
                    cr, cg, cb = shade(
                        prims, kinds, planes, bodies, all_spans, looks, lights, environment, lattice, maps, rows, body,
                        0.9, x, y, z, nx, ny, nz, dx, dy, dz, way * pixel_size, False,
                    )  # fmt: skip
                    matt *= through
                    _bring(color, at, r * matt, g * matt, b * matt, cr, cg, cb)
                    through -= matt
            if liquid_next > 0 and glass_next == 0:
                matt = liquids[liquid_next - 1, 7]
                if matt > 0.0:
                    cr, cg, cb = milk(
                        prims, kinds, planes, bodies, all_spans, looks, lights, environment, maps, rows, liquids,
                        liquid_next - 1, x, y, z, nx, ny, nz, bias,
                    )  # fmt: skip
                    matt *= through
                    _bring(color, at, r * matt, g * matt, b * matt, cr, cg, cb)
                    through -= matt
            if through * most > 0.004:
                bend = ratio * cosine - cos_out
                _push(
                    out, made, x, y, z, ratio * dx + bend * nx, ratio * dy + bend * ny, ratio * dz + bend * nz,
                    r * through, g * through, b * through, at, glass_next, liquid_next, way, borders + 1, side * gx,
                    side * gy, side * gz,
                )  # fmt: skip
                made += 1
        else:
            _push(
                out, made, x, y, z, mx, my, mz, r, g, b, at, glass, liquid, way, borders + 1, -side * gx, -side * gy,
                -side * gz,
            )  # fmt: skip
            made += 1
    return made


@inner
def _meet(vertices, faces, f, x, y, z, dx, dy, dz):  # type: ignore[no-untyped-def]
    # (parameter, unit normal, weights of the second and third corner) where a ray meets the plane of a triangle.
    i, j, m = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay, az = np.float64(vertices[i, 0]), np.float64(vertices[i, 1]), np.float64(vertices[i, 2])
    ux, uy, uz = vertices[j, 0] - ax, vertices[j, 1] - ay, vertices[j, 2] - az
    vx, vy, vz = vertices[m, 0] - ax, vertices[m, 1] - ay, vertices[m, 2] - az
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    rate = nx * dx + ny * dy + nz * dz
    size = math.sqrt(nx * nx + ny * ny + nz * nz)
    if abs(rate) < 1e-9 * size or size == 0.0:
        return FAR_AWAY, 0.0, 0.0, 1.0, 0.0, 0.0
    sx, sy, sz = ax - x, ay - y, az - z
    t = max((sx * nx + sy * ny + sz * nz) / rate, 0.0)
    inv = 1.0 / rate
    # Cramer's rule with the ray from the first corner.
    cx, cy, cz = dy * sz - dz * sy, dz * sx - dx * sz, dx * sy - dy * sx
    p = -(vx * cx + vy * cy + vz * cz) * inv
    q = (ux * cx + uy * cy + uz * cz) * inv
    p, q = min(max(p, 0.0), 1.0), min(max(q, 0.0), 1.0)
    return t, nx / size, ny / size, nz / size, p, q


@inner
def _between(normals, faces, f, p, q):  # type: ignore[no-untyped-def]
    # Unit normal between those of a triangle's corners.
    i, j, m = faces[f, 0], faces[f, 1], faces[f, 2]
    w = max(1.0 - p - q, 0.0)
    nx = w * normals[i, 0] + p * normals[j, 0] + q * normals[m, 0]
    ny = w * normals[i, 1] + p * normals[j, 1] + q * normals[m, 1]
    nz = w * normals[i, 2] + p * normals[j, 2] + q * normals[m, 2]
    scale = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-30)
    return nx * scale, ny * scale, nz * scale
