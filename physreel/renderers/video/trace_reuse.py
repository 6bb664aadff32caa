"""Under a camera that stands still, which tiles of the last frame are still true.

A tile must be made anew where a body that moved can be seen in it (before or now), can darken it or stand in its light,
or is mirrored in it. Tests are by balls and cones that are never too small, so that a film made with reuse is the same,
byte for byte, as one made without (a test holds this).
"""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, kernel
from physreel.renderers.video.trace_shadows import in_cone


@inner
def _touches(balls, tile, spread, prims, k, lights, reach):  # type: ignore[no-untyped-def]
    # Whether primitive k bears on a tile's points: near, between them and a light, or mirrored.
    x, y, z, radius = balls[tile, 0], balls[tile, 1], balls[tile, 2], balls[tile, 3]
    size = prims[k, 15]
    cx, cy, cz = prims[k, 0] - x, prims[k, 1] - y, prims[k, 2] - z
    limit = size + radius + 2.0 * reach
    if cx * cx + cy * cy + cz * cz < limit * limit:
        return True
    for lamp in range(len(lights)):
        if lights[lamp, 0] == 0.0:
            if in_cone(
                prims,
                k,
                0,
                x,
                y,
                z,
                lights[lamp, 1],
                lights[lamp, 2],
                lights[lamp, 3],
                1e30,
                radius,
                lights[lamp, 7],
                size,
            ):
                return True
            continue
        dx, dy, dz = lights[lamp, 1] - x, lights[lamp, 2] - y, lights[lamp, 3] - z
        far = math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-12
        if in_cone(prims, k, 0, x, y, z, dx / far, dy / far, dz / far, far, radius, lights[lamp, 7] / far, size):
            return True
    if balls[tile, 7] == 1.0:
        return in_cone(prims, k, 0, x, y, z, balls[tile, 4], balls[tile, 5], balls[tile, 6], 1e30, radius, spread, size)
    return False


@kernel
def mark_changed(  # type: ignore[no-untyped-def]
    prims, before, boxes, boxes_before, moved, kinds, lights, balls, spread, reach, tiles_x, tiles_y, dirty
):
    """Set ``dirty`` (tiles,) to 1 where the last frame no longer holds.

    What is handed over (see trace_packing for the scene's arrays):
        prims, before: packed primitives now and in the last frame; boxes likewise (see ``screen_boxes``).
        moved: (B,) 1 for bodies whose pose differs, or will differ in the next frame (their flow changes).
        balls: (tiles, 8) ball round each tile's points, direction in which it mirrors 4:7, and 0 no mirror | 1 a flat
            one | 2 another or glass, in column 7.
        spread: tangent of the angle by which mirrored rays of a tile part.
    """
    moves = False
    for k in range(len(prims)):
        if not moved[kinds[k, 1]]:
            continue
        moves = True
        for side in range(2):
            box = boxes if side == 0 else boxes_before
            x0, x1 = max(math.floor(box[k, 0] / 8.0), 0), min(math.floor(box[k, 1] / 8.0), tiles_x - 1)
            y0, y1 = max(math.floor(box[k, 2] / 8.0), 0), min(math.floor(box[k, 3] / 8.0), tiles_y - 1)
            for y in range(y0, y1 + 1):
                for x in range(x0, x1 + 1):
                    dirty[y * tiles_x + x] = 1
    if not moves:
        return
    for tile in range(len(dirty)):
        if dirty[tile]:
            continue
        if balls[tile, 7] == 2.0:
            dirty[tile] = 1
            continue
        if balls[tile, 3] < 0.0:
            continue
        for k in range(len(prims)):
            if moved[kinds[k, 1]] and (
                _touches(balls, tile, spread, prims, k, lights, reach)
                or _touches(balls, tile, spread, before, k, lights, reach)
            ):
                dirty[tile] = 1
                break


@kernel
def grow(mask, tiles_x, tiles_y, out):  # type: ignore[no-untyped-def]
    """``out`` (tiles,) is 1 where ``mask`` is, or is in one of the eight tiles about it."""
    for tile in range(len(mask)):
        out[tile] = 0
    for tile in range(len(mask)):
        if mask[tile]:
            for y in range(max(tile // tiles_x - 1, 0), min(tile // tiles_x + 2, tiles_y)):
                for x in range(max(tile % tiles_x - 1, 0), min(tile % tiles_x + 2, tiles_x)):
                    out[y * tiles_x + x] = 1
