"""First stage of a frame: what every pixel sees, how much of each light reaches it, how open it is to the sky.

Pictures are kept tile by tile (8 × 8): pixel (x, y) is at ``tile · 64 + lane``, padded to whole tiles.
"""

from __future__ import annotations

import math

from physreel.renderers.video import trace_packets as tp
from physreel.renderers.video.trace_distances import distances
from physreel.renderers.video.trace_jit import inner, kernel
from physreel.renderers.video.trace_packets import (
    FAR_AWAY,
    LANES,
    NX,
    NY,
    NZ,
    PLANE,
    PROBE,
    PX,
    PY,
    PZ,
    RX,
    RY,
    RZ,
    SURFACE,
    TIME,
    VESSEL,
)
from physreel.renderers.video.trace_rays import normal
from physreel.renderers.video.trace_shadows import shadow

PROBES = 2


@kernel
def screen_boxes(prims, kinds, camera, boxes):  # type: ignore[no-untyped-def]
    """(P, 4) least and greatest column and row each primitive can be seen at; empty if behind the camera.

    ``camera``: focal length, centre column and row, position 3:6, rotation camera-to-world row by row 6:15.
    """
    f, cx, cy = camera[0], camera[1], camera[2]
    for k in range(len(prims)):
        p = prims[k]
        boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = -1e9, 1e9, -1e9, 1e9
        if kinds[k, 0] == PLANE:
            continue
        x, y, z = p[0] - camera[3], p[1] - camera[4], p[2] - camera[5]
        depth = camera[8] * x + camera[11] * y + camera[14] * z
        if depth + p[15] <= 0.0:
            boxes[k, 0], boxes[k, 1] = 1e9, -1e9
            continue
        if depth - p[15] <= 1e-3:
            continue
        x0, x1, y0, y1 = 1e9, -1e9, 1e9, -1e9
        for corner in range(8):
            a = p[12] if corner & 1 else -p[12]
            b = p[13] if corner & 2 else -p[13]
            c = p[14] if corner & 4 else -p[14]
            wx = x + p[3] * a + p[6] * b + p[9] * c
            wy = y + p[4] * a + p[7] * b + p[10] * c
            wz = z + p[5] * a + p[8] * b + p[11] * c
            d = camera[8] * wx + camera[11] * wy + camera[14] * wz
            d = max(d, 1e-3)
            u = cx + f * (camera[6] * wx + camera[9] * wy + camera[12] * wz) / d
            v = cy + f * (camera[7] * wx + camera[10] * wy + camera[13] * wz) / d
            x0, x1, y0, y1 = min(x0, u), max(x1, u), min(y0, v), max(y1, v)
        boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = x0, x1, y0, y1


@inner
def tile_rays(b, camera, left, top):  # type: ignore[no-untyped-def]
    """Rows R: world directions of a tile's pixel centres, of length 1 along the optical axis (so time is depth)."""
    inv = 1.0 / camera[0]
    for i in range(LANES):
        x = (left + (i & 7) + 0.5 - camera[1]) * inv
        y = (top + (i >> 3) + 0.5 - camera[2]) * inv
        b[RX + i] = camera[6] * x + camera[7] * y + camera[8]
        b[RY + i] = camera[9] * x + camera[10] * y + camera[11]
        b[RZ + i] = camera[12] * x + camera[13] * y + camera[14]


@inner
def _surface_points(b, prims, kinds, planes, eye_x, eye_y, eye_z):  # type: ignore[no-untyped-def]
    # Rows P and N of the lanes that hit; N faces the eye. Mesh lanes come with their normal.
    for i in range(LANES):
        b[PX + i] = eye_x + b[TIME + i] * b[RX + i]
        b[PY + i] = eye_y + b[TIME + i] * b[RY + i]
        b[PZ + i] = eye_z + b[TIME + i] * b[RZ + i]
    last = -1
    nx, ny, nz = 0.0, 0.0, 0.0
    for i in range(LANES):
        surface = int(b[SURFACE + i])
        if surface < 0:
            b[PX + i], b[PY + i], b[PZ + i] = eye_x, eye_y, eye_z
            continue
        k = surface >> 9
        if k >= len(prims):
            continue
        if surface != last or kinds[k, 0] != PLANE:
            nx, ny, nz = normal(prims, kinds, planes, k, surface & 511, b[PX + i], b[PY + i], b[PZ + i])
            last = surface
        b[NX + i], b[NY + i], b[NZ + i] = nx, ny, nz


@inner
def _bounds(b, low, high, frame, at):  # type: ignore[no-untyped-def]
    # A ball round the tile's hit points at depths from low to high, into frame[at : at + 4]; radius -1 if none.
    x0, x1, y0, y1, z0, z1 = 1e30, -1e30, 1e30, -1e30, 1e30, -1e30
    for i in range(LANES):
        if b[SURFACE + i] >= 0.0 and low <= b[TIME + i] < high:
            x0, x1 = min(x0, b[PX + i]), max(x1, b[PX + i])
            y0, y1 = min(y0, b[PY + i]), max(y1, b[PY + i])
            z0, z1 = min(z0, b[PZ + i]), max(z1, b[PZ + i])
    x, y, z = 0.5 * (x0 + x1), 0.5 * (y0 + y1), 0.5 * (z0 + z1)
    frame[at], frame[at + 1], frame[at + 2] = x, y, z
    frame[at + 3] = math.sqrt((x1 - x) ** 2 + (y1 - y) ** 2 + (z1 - z) ** 2) if x0 <= x1 else -1.0


@inner
def _split(b, frame):  # type: ignore[no-untyped-def]
    # Where near and far meet in a tile, one ball would hold the air between: two smaller ones, at 10 and 14.
    low, high = 1e30, -1e30
    for i in range(LANES):
        if b[SURFACE + i] >= 0.0:
            low, high = min(low, b[TIME + i]), max(high, b[TIME + i])
    middle = 0.5 * (low + high)
    _bounds(b, -1e30, middle, frame, 10)
    _bounds(b, middle, 1e30, frame, 14)


@inner
def _openness(b, prims, kinds, planes, bodies, spans, x, y, z, radius, reach, only, out, base):  # type: ignore[no-untyped-def]
    # Two probes along the normal: how near they are to anything, against how near to their own surface.
    near, far = 0.25 * reach, reach
    for i in range(LANES):
        b[PROBE + i] = near
        b[PROBE + LANES + i] = far
    found = False
    for body in range(len(spans)):
        if spans[body, 0] == spans[body, 1]:
            continue
        limit = bodies[body, 15] + radius + 2.0 * reach
        if (bodies[body, 12] - x) ** 2 + (bodies[body, 13] - y) ** 2 + (bodies[body, 14] - z) ** 2 > limit * limit:
            continue
        for k in range(spans[body, 0], spans[body, 1]):
            limit = prims[k, 15] + radius + 2.0 * reach
            cx, cy, cz = x - prims[k, 0], y - prims[k, 1], z - prims[k, 2]
            if (k == only and kinds[k, 0] != VESSEL) or cx * cx + cy * cy + cz * cz > limit * limit:
                continue
            # Distance of the tile's centre from the primitive's own box.
            gap = 0.0
            if kinds[k, 0] == PLANE:
                gap = max(prims[k, 9] * cx + prims[k, 10] * cy + prims[k, 11] * cz, 0.0)
                gap *= gap
            else:
                for axis in range(3):
                    o = (
                        abs(prims[k, 3 + 3 * axis] * cx + prims[k, 4 + 3 * axis] * cy + prims[k, 5 + 3 * axis] * cz)
                        - prims[k, 12 + axis]
                    )
                    gap += max(o, 0.0) ** 2
            if gap > (radius + 2.0 * reach) ** 2:
                continue
            found = True
            for probe in range(PROBES):
                tp.points_to_local(b, prims[k], near if probe == 0 else far)
                distances(b, kinds[k, 0], prims[k], planes, kinds[k, 3], kinds[k, 4], PROBE + LANES * probe)
    if not found:
        for i in range(LANES):
            out[base + i] = 1.0
        return
    for i in range(LANES):
        a, c = b[PROBE + i] / near, b[PROBE + LANES + i] / far
        a, c = (a if a > 0.0 else 0.0), (c if c > 0.0 else 0.0)
        out[base + i] = (0.35 + 0.65 * a) * (0.45 + 0.55 * c)


@kernel
def primary(  # type: ignore[no-untyped-def]
    b, prims, kinds, planes, bodies, spans, looks, lights, disc, camera, boxes, tiles_x, todo, reach, shade,
    has_mesh, clear, first_liquid, time, surface, normals, visible, tint, openness, traced, flags, found, balls,
):  # fmt: skip
    """Fill the frame's buffers for the tiles listed in ``todo``.

    What is handed over (see trace_packing for the scene's arrays):
        b: scratch packet.
        disc: (S, 2, 16) places on a unit disc: S for each pixel of a 4 × 4 block, the first 16 near the rim.
        camera: see ``screen_boxes``.
        todo: tile numbers.
        reach: ambient reach; ``shade`` 0: geometry only.
        time, surface: (N,) out: the nearest hit; in, if ``has_mesh``: hits of meshes and liquids or 1e30 and -1.
        clear: (P,) primitives of clear vessels and tanks: 2 if they are looked through to liquid (see visibility), 1
            if not; ``first_liquid``: number of the first liquid among surfaces.
        normals: (3, N) world normal facing the camera; in: that of meshes and liquids.
        visible: (L, N) share of each light; tint: (L, 3, N) colour left by glass.
        openness: (N,) share of the ambient light.
        traced: (N,) becomes 1 where light is to be followed through clear walls or liquid; (1,) if there are none.
        flags: (L + 1, tiles) what ``_shadow`` returned; last row: the one primitive seen in the tile, or -1.
        found: (P,) scratch.
        balls: (tiles, 8) columns 0:4 become a ball round the tile's points (radius -1: none).
    """
    eye_x, eye_y, eye_z = camera[3], camera[4], camera[5]
    frame = b[tp.SCRATCH : tp.SCRATCH + 18]
    for tile in todo:
        base = tile * LANES
        left, top = (tile % tiles_x) * 8, (tile // tiles_x) * 8
        tile_rays(b, camera, left, top)
        for i in range(LANES):
            b[TIME + i] = time[base + i] if has_mesh else FAR_AWAY
            b[SURFACE + i] = float(surface[base + i]) if has_mesh else -1.0
            b[NX + i] = normals[0, base + i] if has_mesh else 0.0
            b[NY + i] = normals[1, base + i] if has_mesh else 0.0
            b[NZ + i] = normals[2, base + i] if has_mesh else 0.0
        for i in range(LANES):
            b[tp.BEHIND + i] = 0.0
        looked_through = False
        for k in range(len(prims)):
            if boxes[k, 0] > left + 8 or boxes[k, 1] < left or boxes[k, 2] > top + 8 or boxes[k, 3] < top:
                continue
            if clear[k] == 2:
                looked_through = True
                continue
            tp.rays_from_point(b, prims[k], eye_x, eye_y, eye_z)
            tp.intervals(b, kinds[k, 0], prims[k], planes, kinds[k, 3], kinds[k, 4])
            tp.keep_nearest(b, k)
        if looked_through:
            for k in range(len(prims)):
                if clear[k] != 2:
                    continue
                if boxes[k, 0] > left + 8 or boxes[k, 1] < left or boxes[k, 2] > top + 8 or boxes[k, 3] < top:
                    continue
                tp.rays_from_point(b, prims[k], eye_x, eye_y, eye_z)
                tp.intervals(b, kinds[k, 0], prims[k], planes, kinds[k, 3], kinds[k, 4])
                tp.keep_clear(b, k, first_liquid)
        _surface_points(b, prims, kinds, planes, eye_x, eye_y, eye_z)
        only, hits, matt = -2, False, len(traced) == 1
        for i in range(LANES):
            time[base + i] = b[TIME + i]
            surface[base + i] = int(b[SURFACE + i])
            normals[0, base + i], normals[1, base + i], normals[2, base + i] = b[NX + i], b[NY + i], b[NZ + i]
            k = surface[base + i] >> 9
            hits = hits or k >= 0
            only = k if only == -2 or only == k else -1
            if len(traced) > 1:
                within = k >= first_liquid or (0 <= k < len(prims) and clear[k] > 0) or b[tp.BEHIND + i] > 0.0
                traced[base + i] = 1 if within else 0
                matt = matt or (k >= 0 and not within)
        flags[len(lights), tile] = only
        if shade == 0:
            continue
        for i in range(LANES):
            openness[base + i] = 1.0
        balls[tile, 3] = -1.0
        if not hits or not matt:
            for lamp in range(len(lights)):
                flags[lamp, tile] = 0
            continue
        _bounds(b, -1e30, 1e30, frame, 0)
        x, y, z, radius = frame[0], frame[1], frame[2], frame[3]
        if only < 0:
            _split(b, frame)
        balls[tile, 0], balls[tile, 1], balls[tile, 2], balls[tile, 3] = x, y, z, radius
        height = 1e-6 * (1.0 + abs(x) + abs(y) + abs(z) + radius)
        for lamp in range(len(lights)):
            for i in range(LANES):
                visible[lamp, base + i] = 1.0
            if tint.shape[2] > 1:
                for c in range(3):
                    for i in range(LANES):
                        tint[lamp, c, base + i] = 1.0
            flags[lamp, tile] = shadow(
                b, prims, kinds, planes, bodies, spans, looks, lights[lamp], disc, frame, only, height, found, visible,
                tint, lamp, base,
            )  # fmt: skip
        _openness(b, prims, kinds, planes, bodies, spans, x, y, z, radius, reach, only, openness, base)
