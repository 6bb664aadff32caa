"""Shadows of a tile: which primitives can stand in a light's way, and how much of the light they leave."""

from __future__ import annotations

import math

from physreel.renderers.video import trace_packets as tp
from physreel.renderers.video.trace_jit import inner
from physreel.renderers.video.trace_packets import (
    FAR_AWAY,
    LANES,
    NX,
    NY,
    NZ,
    SURFACE,
    TARGET_U,
    TARGET_V,
    VISIBLE,
)


@inner
def light_frame(light, x, y, z, u, v):  # type: ignore[no-untyped-def]
    """Axes of a light's disc seen from a point, times its radius, into ``u`` and ``v``; (direction to it, distance)."""
    if light[0] == 0.0:
        dx, dy, dz, far = light[1], light[2], light[3], 1e30
    else:
        dx, dy, dz = light[1] - x, light[2] - y, light[3] - z
        far = math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-12
        dx, dy, dz = dx / far, dy / far, dz / far
    # An axis across: with z, or with x where the light is overhead.
    if abs(dz) < 0.9:
        ux, uy, uz = -dy, dx, 0.0
    else:
        ux, uy, uz = 0.0, -dz, dy
    scale = light[7] / math.sqrt(ux * ux + uy * uy + uz * uz)
    u[0], u[1], u[2] = ux * scale, uy * scale, uz * scale
    v[0], v[1], v[2] = dy * u[2] - dz * u[1], dz * u[0] - dx * u[2], dx * u[1] - dy * u[0]
    return dx, dy, dz, far


@inner
def in_cone(balls, n, at, x, y, z, dx, dy, dz, far, radius, spread, size):  # type: ignore[no-untyped-def]
    """Whether a ball (centre from column ``at`` of row n on) can be between a ball of points and a light.

    ``far`` is the light's distance, ``spread`` its radius / distance, ``size`` the ball's radius.
    """
    cx, cy, cz = balls[n, at] - x, balls[n, at + 1] - y, balls[n, at + 2] - z
    along = cx * dx + cy * dy + cz * dz
    if along < -(size + radius) or along > far + size:
        return False
    across = cx * cx + cy * cy + cz * cz - along * along
    limit = radius + size + spread * max(along + size, 0.0)
    return across < limit * limit


@inner
def _box_in_beam(prims, k, x, y, z, dx, dy, dz, far, radius):  # type: ignore[no-untyped-def]
    # Whether the beam's axis meets the primitive's own box grown by the beam's radius.
    wx, wy, wz = x - prims[k, 0], y - prims[k, 1], z - prims[k, 2]
    near, end = -radius, far
    for axis in range(3):
        a, c, d = prims[k, 3 + 3 * axis], prims[k, 4 + 3 * axis], prims[k, 5 + 3 * axis]
        o = a * wx + c * wy + d * wz
        rate = a * dx + c * dy + d * dz + 1e-200
        e = prims[k, 12 + axis] + radius
        t0, t1 = (-e - o) / rate, (e - o) / rate
        near, end = max(near, min(t0, t1)), min(end, max(t0, t1))
    return near <= end


@inner
def _facing_any(b, dx, dy, dz, slack):  # type: ignore[no-untyped-def]
    best = -1.0
    for i in range(LANES):
        c = b[NX + i] * dx + b[NY + i] * dy + b[NZ + i] * dz
        c = c if b[SURFACE + i] >= 0.0 else -1.0
        best = c if c > best else best
    return best > -slack


@inner
def _blockers(prims, kinds, bodies, spans, light, frame, only, found):  # type: ignore[no-untyped-def]
    # Primitives that can stand between the tile's points and a light, into ``found``; their number. The one primitive
    # that a tile shows does not, unless it is hollow.
    x, y, z, radius = frame[0], frame[1], frame[2], frame[3]
    dx, dy, dz, far = light_frame(light, x, y, z, frame[4:7], frame[7:10])
    spread = light[7] if light[0] == 0.0 else light[7] / far
    count = 0
    for body in range(len(spans)):
        if spans[body, 0] == spans[body, 1] or bodies[body, 15] > 1e8:
            continue
        if not in_cone(bodies, body, 12, x, y, z, dx, dy, dz, far, radius, spread, bodies[body, 15]):
            continue
        for k in range(spans[body, 0], spans[body, 1]):
            if (k == only and kinds[k, 0] != tp.VESSEL) or not in_cone(
                prims, k, 0, x, y, z, dx, dy, dz, far, radius, spread, prims[k, 15]
            ):
                continue
            ahead = (prims[k, 0] - x) * dx + (prims[k, 1] - y) * dy + (prims[k, 2] - z) * dz + prims[k, 15]
            if not _box_in_beam(prims, k, x, y, z, dx, dy, dz, far, radius + spread * min(max(ahead, 0.0), far)):
                continue
            if only < 0 and not (_in_beam_of(prims, k, light, frame, 10) or _in_beam_of(prims, k, light, frame, 14)):
                continue
            found[count] = k
            count += 1
    return count


@inner
def _in_beam_of(prims, k, light, frame, at):  # type: ignore[no-untyped-def]
    # Whether a primitive's own box can be between the ball at frame[at : at + 4] and a light.
    x, y, z, radius = frame[at], frame[at + 1], frame[at + 2], frame[at + 3]
    if radius < 0.0:
        return False
    dx, dy, dz, far, spread = light[1], light[2], light[3], 1e30, light[7]
    if light[0] != 0.0:
        dx, dy, dz = dx - x, dy - y, dz - z
        far = math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-12
        dx, dy, dz, spread = dx / far, dy / far, dz / far, light[7] / far
    ahead = (prims[k, 0] - x) * dx + (prims[k, 1] - y) * dy + (prims[k, 2] - z) * dz + prims[k, 15]
    return _box_in_beam(prims, k, x, y, z, dx, dy, dz, far, radius + spread * min(max(ahead, 0.0), far))


@inner
def shadow(  # type: ignore[no-untyped-def]
    b, prims, kinds, planes, bodies, spans, looks, light, disc, frame, only, height, found, out, tint, lamp, base
):
    """Light ``lamp``'s share that reaches a tile, into ``out`` and ``tint``.

    Returns 0 if all of it does, 1 if it varies, 2 if none does, 3 if glass colours it.
    """
    x, y, z, radius, u, v = frame[0], frame[1], frame[2], frame[3], frame[4:7], frame[7:10]
    dx, dy, dz, far = light_frame(light, x, y, z, u, v)
    spread = light[7] if light[0] == 0.0 else light[7] / far
    if not _facing_any(b, dx, dy, dz, spread + radius / far + 1e-3):
        return 0
    end = FAR_AWAY if light[0] == 0.0 else 1.0
    count = _blockers(prims, kinds, bodies, spans, light, frame, only, found)
    if count == 0:
        return 0
    glassy = False
    share = 1.0 / len(disc)
    for s in range(len(disc)):
        for i in range(LANES):
            cell = (i & 3) + 4 * ((i >> 3) & 3)
            b[VISIBLE + i] = 1.0
            b[TARGET_U + i] = disc[s, 0, cell]
            b[TARGET_V + i] = disc[s, 1, cell]
        kept = 0
        for c in range(count):
            k = found[c]
            tp.shadow_rays(b, prims[k], light, u, v, height)
            tp.intervals(b, kinds[k, 0], prims[k], planes, kinds[k, 3], kinds[k, 4])
            glass = looks[kinds[k, 1], 5]
            if glass > 0.0:
                # A share for each sample; clear glass lets most light through.
                shaded = 0
                for channel in range(3):
                    loss = share * (1.0 - 0.9 * glass * looks[kinds[k, 1], channel])
                    shaded = _stain(b, k, end, loss, tint[lamp, channel, base : base + LANES])
                glassy = glassy or shaded > 0
            else:
                shaded = tp.block_light(b, k, end, kinds[k, 0] != tp.VESSEL)
            if shaded > 0 or s > 0:
                found[kept] = k
                kept += 1
        # The first sample goes to sixteen places on the light's rim, each from four pixels: what blocks none of them is
        # out of the way, and where none or all are blocked, the tile is lit or dark throughout.
        count = kept
        dark, here = 0, 0
        for i in range(LANES):
            out[lamp, base + i] = b[VISIBLE + i] + (out[lamp, base + i] if s > 0 else 0.0)
            here += 1 if b[SURFACE + i] >= 0.0 else 0
            dark += 1 if b[VISIBLE + i] == 0.0 else 0
        if s == 0 and not glassy and (dark == 0 or dark == here):
            return 0 if dark == 0 else 2
    for i in range(LANES):
        out[lamp, base + i] *= share
    return 3 if glassy else 1


@inner
def _stain(b, number, end, loss, tint):  # type: ignore[no-untyped-def]
    base = 512.0 * number
    shaded = 0
    for i in range(LANES):
        own = (b[SURFACE + i] >= base) & (b[SURFACE + i] < base + 512.0)
        hit = (b[tp.FAR + i] > 0.0) & (b[tp.NEAR + i] < end) & (not own) & (b[SURFACE + i] >= 0.0)
        tint[i] -= loss if hit else 0.0
        shaded += 1 if hit else 0
    return shaded
