"""How much light gets past the liquid: one map a light, made of each frame's surface.

A map looks from the light at the liquid. Each of its cells adds up how far light goes through liquid on its way there:
depths where it comes out less depths where it goes in, in any order. Points behind the liquid look up the mean over the
place the light's disc takes up between them and the liquid (in sums over the map, so that its width costs nothing):
soft shadows without noise, tinted by what clear liquids leave.
"""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, kernel, part

CELLS = 224
# Of a map's cell: liquid in it, that times its nearest depth, and the light lost in red, green and blue.
LAYERS = 5
# Of a map's row: 0 sun | 1 ball, eye 1:4, right 4:7, up 7:10, ahead 10:13, cells a unit 13, half angle or radius 14,
# least depth 15, greatest 16.
ROW = 17


@kernel
def look(lights, low, high, rows):  # type: ignore[no-untyped-def]
    """Aim the maps (L, ROW) of the lights at the box from ``low`` to ``high`` that holds all liquid."""
    x, y, z = 0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]), 0.5 * (low[2] + high[2])
    radius = 0.5 * math.sqrt((high[0] - low[0]) ** 2 + (high[1] - low[1]) ** 2 + (high[2] - low[2]) ** 2) + 1e-3
    for lamp in range(len(lights)):
        row = rows[lamp]
        dx, dy, dz = -lights[lamp, 1], -lights[lamp, 2], -lights[lamp, 3]
        row[0] = lights[lamp, 0]
        if row[0] == 0.0:
            row[1], row[2], row[3] = x - radius * dx, y - radius * dy, z - radius * dz
            row[13] = CELLS / (2.0 * radius)
        else:
            row[1], row[2], row[3] = -dx, -dy, -dz
            dx, dy, dz = x + dx, y + dy, z + dz
            far = math.sqrt(dx * dx + dy * dy + dz * dz)
            dx, dy, dz = dx / far, dy / far, dz / far
            # A light amid the liquid sees it under nearly a right angle at most.
            row[13] = CELLS / (2.0 * min(radius / math.sqrt(max(far * far - radius * radius, 1e-12)), 4.0))
        ux, uy, uz = (-dy, dx, 0.0) if abs(dz) < 0.9 else (0.0, -dz, dy)
        scale = 1.0 / math.sqrt(ux * ux + uy * uy + uz * uz)
        ux, uy, uz = ux * scale, uy * scale, uz * scale
        row[4], row[5], row[6] = ux, uy, uz
        row[7], row[8], row[9] = dy * uz - dz * uy, dz * ux - dx * uz, dx * uy - dy * ux
        row[10], row[11], row[12] = dx, dy, dz
        row[14] = lights[lamp, 7]
        row[15], row[16] = 1e30, -1e30


@part
def _seen(rows, lamp, x, y, z):  # type: ignore[no-untyped-def]
    # (column, row, depth) of a world point in a light's map.
    x, y, z = x - rows[lamp, 1], y - rows[lamp, 2], z - rows[lamp, 3]
    u = rows[lamp, 4] * x + rows[lamp, 5] * y + rows[lamp, 6] * z
    v = rows[lamp, 7] * x + rows[lamp, 8] * y + rows[lamp, 9] * z
    depth = rows[lamp, 10] * x + rows[lamp, 11] * y + rows[lamp, 12] * z
    scale = rows[lamp, 13]
    if rows[lamp, 0] != 0.0:
        scale = scale / max(depth, 1e-3)
    return 0.5 * CELLS + u * scale, 0.5 * CELLS + v * scale, depth


@kernel
def expose(vertices, faces, fluid_of, dims, rows, seen, ways, nearest, maps):  # type: ignore[no-untyped-def]
    """Fill the maps (L, CELLS + 1, CELLS + 1, LAYERS), each cell the sum over all before it.

    What is handed over:
        vertices, faces: all liquids' surfaces together; fluid_of: (F,) the fluid of each triangle.
        dims: (fluids, 3) light lost per metre, red, green and blue.
        seen: (V, 3), ways: (CELLS, CELLS, 3) and nearest: (CELLS, CELLS) are scratch.
    """
    for lamp in range(len(rows)):
        for i in range(len(vertices)):
            column, line, depth = _seen(rows, lamp, vertices[i, 0], vertices[i, 1], vertices[i, 2])
            seen[i, 0], seen[i, 1], seen[i, 2] = column, line, depth
            rows[lamp, 15], rows[lamp, 16] = min(rows[lamp, 15], depth), max(rows[lamp, 16], depth)
        ways[:], nearest[:] = 0.0, 1e30
        for f in range(len(faces)):
            _expose_face(faces, f, fluid_of, dims, seen, ways, nearest)
        maps[lamp, 0, :, :] = 0.0
        maps[lamp, :, 0, :] = 0.0
        for j in range(CELLS):
            cover, depth, red, green, blue = 0.0, 0.0, 0.0, 0.0, 0.0
            for i in range(CELLS):
                if nearest[j, i] < 1e29:
                    cover += 1.0
                    depth += nearest[j, i]
                    # What is reflected at the surface is lost as well.
                    red += 1.0 - 0.95 * math.exp(-max(ways[j, i, 0], 0.0))
                    green += 1.0 - 0.95 * math.exp(-max(ways[j, i, 1], 0.0))
                    blue += 1.0 - 0.95 * math.exp(-max(ways[j, i, 2], 0.0))
                cell, above = maps[lamp, j + 1, i + 1], maps[lamp, j, i + 1]
                cell[0], cell[1] = above[0] + cover, above[1] + depth
                cell[2], cell[3], cell[4] = above[2] + red, above[3] + green, above[4] + blue


@inner
def _expose_face(faces, f, fluid_of, dims, seen, ways, nearest):  # type: ignore[no-untyped-def]
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay, bx, by, cx, cy = seen[a, 0], seen[a, 1], seen[b, 0], seen[b, 1], seen[c, 0], seen[c, 1]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if area == 0.0:
        return
    # Columns grow to the right and lines against ``up``: a triangle whose outside is seen has a negative area.
    sign = 1.0 if area > 0.0 else -1.0
    inv = 1.0 / area
    red, green, blue = sign * dims[fluid_of[f], 0], sign * dims[fluid_of[f], 1], sign * dims[fluid_of[f], 2]
    for j in range(max(math.ceil(min(ay, by, cy) - 0.5), 0), min(math.floor(max(ay, by, cy) - 0.5) + 1, CELLS)):
        y = j + 0.5
        for i in range(max(math.ceil(min(ax, bx, cx) - 0.5), 0), min(math.floor(max(ax, bx, cx) - 0.5) + 1, CELLS)):
            x = i + 0.5
            wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) * inv
            wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) * inv
            if wa < 0.0 or wb < 0.0 or wa + wb > 1.0:
                continue
            depth = wa * seen[a, 2] + wb * seen[b, 2] + (1.0 - wa - wb) * seen[c, 2]
            ways[j, i, 0] += red * depth
            ways[j, i, 1] += green * depth
            ways[j, i, 2] += blue * depth
            if depth < nearest[j, i]:
                nearest[j, i] = depth


@part
def _sum_at(maps, lamp, layer, column, line):  # type: ignore[no-untyped-def]
    i, j = min(int(column), CELLS - 1), min(int(line), CELLS - 1)
    p, q = column - i, line - j
    low = maps[lamp, j, i, layer] + p * (maps[lamp, j, i + 1, layer] - maps[lamp, j, i, layer])
    high = maps[lamp, j + 1, i, layer] + p * (maps[lamp, j + 1, i + 1, layer] - maps[lamp, j + 1, i, layer])
    return low + q * (high - low)


@part
def _mean(maps, lamp, layer, x0, x1, y0, y1, inv):  # type: ignore[no-untyped-def]
    return inv * (
        _sum_at(maps, lamp, layer, x1, y1)
        - _sum_at(maps, lamp, layer, x0, y1)
        - _sum_at(maps, lamp, layer, x1, y0)
        + _sum_at(maps, lamp, layer, x0, y0)
    )


@part
def _clip(value):  # type: ignore[no-untyped-def]
    return min(max(value, 0.0), float(CELLS))


@inner
def past_liquid(maps, rows, lamp, x, y, z, bias):  # type: ignore[no-untyped-def]
    """(r, g, b) share of a light that gets past the liquid to a point; liquid nearer than ``bias`` dims nothing."""
    column, line, depth = _seen(rows, lamp, x, y, z)
    gap = depth - rows[lamp, 15]
    if gap <= bias:
        return 1.0, 1.0, 1.0
    # The widest the disc can be where the liquid is; 0.886: a square of the disc's area.
    per_m = rows[lamp, 13] if rows[lamp, 0] == 0.0 else rows[lamp, 13] / rows[lamp, 15]
    spread = 0.886 * rows[lamp, 14] * (1.0 if rows[lamp, 0] == 0.0 else 1.0 / depth)
    half = max(spread * gap * per_m, 0.75)
    if column < -half or line < -half or column > CELLS + half or line > CELLS + half:
        return 1.0, 1.0, 1.0
    x0, x1, y0, y1 = _clip(column - half), _clip(column + half), _clip(line - half), _clip(line + half)
    cover = _mean(maps, lamp, 0, x0, x1, y0, y1, 1.0)
    if cover < 1e-9:
        return 1.0, 1.0, 1.0
    gap = depth - _mean(maps, lamp, 1, x0, x1, y0, y1, 1.0) / cover
    if gap <= bias:
        return 1.0, 1.0, 1.0
    share = min((gap - bias) / (bias + 1e-9), 1.0)
    per_m = rows[lamp, 13] if rows[lamp, 0] == 0.0 else rows[lamp, 13] / (depth - gap)
    half = max(spread * gap * per_m, 0.75)
    x0, x1, y0, y1 = _clip(column - half), _clip(column + half), _clip(line - half), _clip(line + half)
    inv = share * 0.25 / (half * half)
    return (
        1.0 - _mean(maps, lamp, 2, x0, x1, y0, y1, inv),
        1.0 - _mean(maps, lamp, 3, x0, x1, y0, y1, inv),
        1.0 - _mean(maps, lamp, 4, x0, x1, y0, y1, inv),
    )


@kernel
def dim(  # type: ignore[no-untyped-def]
    maps, rows, camera, tiles_x, todo, time, surface, traced, balls, tint, flags
):
    """Take from ``tint`` (L, 3, N) and ``flags`` what the liquid takes of each light; see trace_primary for them."""
    inv = 1.0 / camera[0]
    for lamp in range(len(rows)):
        for tile in todo:
            if flags[lamp, tile] == 2 or balls[tile, 3] < 0.0:
                continue
            touched = False
            for lane in range(64):
                at = tile * 64 + lane
                if surface[at] < 0 or traced[at] > 0:
                    continue
                u = ((tile % tiles_x) * 8 + (lane & 7) + 0.5 - camera[1]) * inv
                v = ((tile // tiles_x) * 8 + (lane >> 3) + 0.5 - camera[2]) * inv
                x = camera[3] + time[at] * (camera[6] * u + camera[7] * v + camera[8])
                y = camera[4] + time[at] * (camera[9] * u + camera[10] * v + camera[11])
                z = camera[5] + time[at] * (camera[12] * u + camera[13] * v + camera[14])
                r, g, b = past_liquid(maps, rows, lamp, x, y, z, 0.0)
                if r == 1.0 and g == 1.0 and b == 1.0:
                    continue
                tint[lamp, 0, at] *= r
                tint[lamp, 1, at] *= g
                tint[lamp, 2, at] *= b
                touched = True
            if touched:
                flags[lamp, tile] = 3
