"""Last stage: smooth edges, the tone curve, and the exact passes, from tiles to ordinary pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.trace_jit import inner, kernel
from physreel.renderers.video.trace_packets import (
    FAR_AWAY,
    LANES,
    RX,
    RY,
    RZ,
    SURFACE,
    TIME,
    intervals,
    keep_clear,
    keep_nearest,
    rays_from_point,
)

TONE_STEPS = 16384
_TONE_TOP = 4.0
EXPOSURE = 1.25


def tone_table() -> NDArray[np.uint8]:
    """(16385,) sRGB bytes of linear values k / 4096.

    After the exposure, linear up to 0.6, then a shoulder towards white whose slope is 1 where it begins:
    y = 0.6 + 0.4 (1 - exp(-u)) with u = (x - 0.6) / 0.4.
    """
    x = EXPOSURE * _TONE_TOP * np.arange(TONE_STEPS + 1) / TONE_STEPS
    y = np.where(x > 0.6, 0.6 + 0.4 * (1.0 - np.exp(-(x - 0.6) / 0.4)), x)
    srgb = np.where(y <= 0.0031308, 12.92 * y, 1.055 * np.maximum(y, 1e-9) ** (1 / 2.4) - 0.055)
    return np.clip(np.round(255.0 * srgb), 0, 255).astype(np.uint8)


@inner
def _index(x, y, tiles_x):  # type: ignore[no-untyped-def]
    return ((y >> 3) * tiles_x + (x >> 3)) * LANES + (y & 7) * 8 + (x & 7)


@kernel
def find_edges(surface, todo, tiles_x, edges):  # type: ignore[no-untyped-def]
    """Mark (H, W) pixels of the tiles in ``todo`` that a border between two surfaces may cross."""
    height, width = edges.shape
    for tile in todo:
        left, top = (tile % tiles_x) * 8, (tile // tiles_x) * 8
        for y in range(top, min(top + 8, height)):
            for x in range(left, min(left + 8, width)):
                s = surface[_index(x, y, tiles_x)]
                edges[y, x] = (
                    (x + 1 < width and surface[_index(x + 1, y, tiles_x)] != s)
                    or (x > 0 and surface[_index(x - 1, y, tiles_x)] != s)
                    or (y + 1 < height and surface[_index(x, y + 1, tiles_x)] != s)
                    or (y > 0 and surface[_index(x, y - 1, tiles_x)] != s)
                )


@kernel
def clear_edges(pixels, tiles_x, edges):  # type: ignore[no-untyped-def]
    """Take the marks from pixels (tile by tile) that are smooth already."""
    for at in pixels:
        tile, lane = at >> 6, at & 63
        edges[(tile // tiles_x) * 8 + (lane >> 3), (tile % tiles_x) * 8 + (lane & 7)] = 0


@inner
def _byte(table, value):  # type: ignore[no-untyped-def]
    return table[int(min(max(value, 0.0), 4.0) * 4096.0 + 0.5)]


@inner
def _near_prims(surface, edges, count, tile, tiles_x, near):  # type: ignore[no-untyped-def]
    # The primitives seen in the 10 × 10 pixels about a tile, into ``near``; how many.
    height, width = edges.shape
    left, top = (tile % tiles_x) * 8, (tile // tiles_x) * 8
    found, last = 0, -1
    for y in range(max(top - 1, 0), min(top + 9, height)):
        for x in range(max(left - 1, 0), min(left + 9, width)):
            k = surface[_index(x, y, tiles_x)] >> 9
            if k == last or k < 0 or k >= count:
                continue
            last = k
            known = False
            for n in range(found):
                known = known or near[n] == k
            if not known:
                near[found] = k
                found += 1
    return found


@inner
def _source(surface, x, y, u, v, seen, tiles_x, width, height):  # type: ignore[no-untyped-def]
    # The pixel of the 3 × 3 about (x, y) nearest to (u, v) that shows the surface ``seen``, or at least its primitive.
    at = _index(x, y, tiles_x)
    least = 1e9
    for j in range(max(y - 1, 0), min(y + 2, height)):
        for i in range(max(x - 1, 0), min(x + 2, width)):
            other = _index(i, j, tiles_x)
            if (surface[other] >> 9) == (seen >> 9):
                d = (i + 0.5 - u) ** 2 + (j + 0.5 - v) ** 2
                d += 0.0 if surface[other] == seen else 100.0
                if d < least:
                    least, at = d, other
    return at


@kernel
def finish(  # type: ignore[no-untyped-def]
    b, prims, kinds, planes, clear, first_liquid, camera, todo, tiles_x, surface, color, edges, table, offsets, mesh_of,
    mesh_time, mesh_surface, near, rgb,
):  # fmt: skip
    """Write the tiles in ``todo`` of ``rgb`` (H, W, 3); edge pixels are the mean of ``offsets`` (S, 2) samples.

    A sample takes the colour of the nearest pixel of the 3 × 3 about it that shows the same surface: what surface it
    shows is traced among the primitives seen about the tile, its light is not computed anew. For triangle meshes,
    ``mesh_of`` (H, W) gives an edge pixel's row in ``mesh_time`` and ``mesh_surface`` (E, S), or -1.
    ``b`` and ``near`` (P,) are scratch.
    """
    height, width = rgb.shape[:2]
    inv = 1.0 / camera[0]
    samples = len(offsets)
    room = LANES // samples
    pending = np.empty(LANES, np.int64)
    for tile in todo:
        left, top = (tile % tiles_x) * 8, (tile // tiles_x) * 8
        waiting, count = 0, -1
        for lane in range(LANES + 1):
            if lane < LANES:
                x, y = left + (lane & 7), top + (lane >> 3)
                if x >= width or y >= height:
                    continue
                at = tile * LANES + lane
                if not edges[y, x]:
                    for c in range(3):
                        rgb[y, x, c] = _byte(table, color[c, at])
                    continue
                for s in range(samples):
                    u = (x + offsets[s, 0] - camera[1]) * inv
                    v = (y + offsets[s, 1] - camera[2]) * inv
                    i = waiting * samples + s
                    b[RX + i] = camera[6] * u + camera[7] * v + camera[8]
                    b[RY + i] = camera[9] * u + camera[10] * v + camera[11]
                    b[RZ + i] = camera[12] * u + camera[13] * v + camera[14]
                    b[TIME + i], b[SURFACE + i] = FAR_AWAY, -1.0
                    if len(mesh_of) > 0 and mesh_of[y, x] >= 0:
                        b[TIME + i] = mesh_time[mesh_of[y, x], s]
                        b[SURFACE + i] = float(mesh_surface[mesh_of[y, x], s])
                pending[waiting] = lane
                waiting += 1
            if waiting == 0 or (waiting < room and lane < LANES):
                continue
            # A full packet of samples, or the tile's last.
            if count < 0:
                count = _near_prims(surface, edges, len(prims), tile, tiles_x, near)
            for looked_through in range(2):
                for n in range(count):
                    k = near[n]
                    if (clear[k] == 2) != (looked_through == 1):
                        continue
                    rays_from_point(b, prims[k], camera[3], camera[4], camera[5])
                    intervals(b, kinds[k, 0], prims[k], planes, kinds[k, 3], kinds[k, 4])
                    if looked_through == 1:
                        keep_clear(b, k, first_liquid)
                    else:
                        keep_nearest(b, k)
            for p in range(waiting):
                x, y = left + (pending[p] & 7), top + (pending[p] >> 3)
                own = surface[tile * LANES + pending[p]]
                r, g, bl = 0.0, 0.0, 0.0
                for s in range(samples):
                    seen = int(b[SURFACE + p * samples + s])
                    source = tile * LANES + pending[p]
                    if seen != own:
                        source = _source(
                            surface, x, y, x + offsets[s, 0], y + offsets[s, 1], seen, tiles_x, width, height
                        )
                    # Averaged after a soft limit: a highlight beside a dark edge must not outweigh it.
                    r += min(color[0, source], 1.5)
                    g += min(color[1, source], 1.5)
                    bl += min(color[2, source], 1.5)
                rgb[y, x, 0] = _byte(table, r / samples)
                rgb[y, x, 1] = _byte(table, g / samples)
                rgb[y, x, 2] = _byte(table, bl / samples)
            waiting = 0


@kernel
def passes(  # type: ignore[no-untyped-def]
    owners, todo, tiles_x, size, time, surface, normals, moving, frame_s, camera, carry, depth, segmentation,
    normal_map, flow,
):  # fmt: skip
    """Depth, segmentation, normals and flow of the tiles in ``todo``; an empty array is a pass not asked for.

    What is handed over (see trace_packing for the scene's arrays):
        owners: (P + meshes + fluids,) body of each primitive, then of each mesh; of fluids B and on.
        size: width and height.
        moving: (3, N) velocity of what is liquid.
        carry: (B + 1, 12) for each body the map of a world point on it now to camera coordinates one frame later; last
            that of a point at rest.
    """
    inv = 1.0 / camera[0]
    width, height = size
    for tile in todo:
        for lane in range(LANES):
            x, y = (tile % tiles_x) * 8 + (lane & 7), (tile // tiles_x) * 8 + (lane >> 3)
            if x >= width or y >= height:
                continue
            at = tile * LANES + lane
            s, t = surface[at], time[at]
            if len(depth) > 0:
                depth[y, x] = t if s >= 0 else np.inf
            if len(segmentation) > 0:
                segmentation[y, x] = owners[s >> 9] + 1 if s >= 0 else 0
            if len(normal_map) > 0:
                for c in range(3):
                    normal_map[y, x, c] = normals[c, at] if s >= 0 else 0.0
            if len(flow) > 0:
                if s < 0:
                    flow[y, x, 0], flow[y, x, 1] = 0.0, 0.0
                    continue
                u, v = (x + 0.5 - camera[1]) * inv, (y + 0.5 - camera[2]) * inv
                px = camera[3] + t * (camera[6] * u + camera[7] * v + camera[8])
                py = camera[4] + t * (camera[9] * u + camera[10] * v + camera[11])
                pz = camera[5] + t * (camera[12] * u + camera[13] * v + camera[14])
                m = owners[s >> 9]
                if m >= len(carry) - 1:
                    m = len(carry) - 1
                    px, py, pz = (
                        px + moving[0, at] * frame_s, py + moving[1, at] * frame_s, pz + moving[2, at] * frame_s,
                    )  # fmt: skip
                qx = carry[m, 0] * px + carry[m, 1] * py + carry[m, 2] * pz + carry[m, 3]
                qy = carry[m, 4] * px + carry[m, 5] * py + carry[m, 6] * pz + carry[m, 7]
                qz = carry[m, 8] * px + carry[m, 9] * py + carry[m, 10] * pz + carry[m, 11]
                if qz > 1e-6:
                    flow[y, x, 0] = camera[0] * qx / qz + camera[1] - x - 0.5
                    flow[y, x, 1] = camera[0] * qy / qz + camera[2] - y - 0.5
                else:  # behind the next camera: no place in its picture
                    flow[y, x, 0], flow[y, x, 1] = 0.0, 0.0
