"""Kernels between rays in the world and Embree's trees: which rays can meet a mesh, and what its answers mean.

Arrays (of one mesh, F triangles):

    placed (22,) position 0:3, rotation world-to-body row by row 3:12, the mesh's own box 12:18, centre 18:21 and radius
           21 of a ball round it, in the world
    facets (F, 21) corner 0:3, unit normal 3:6, the vectors 6:9 and 9:12 whose products with a point less the corner are
           its shares of the other two corners, smooth normals at the three corners 12:21
    patches (F,) number of each triangle's patch

``o``, ``d``, ``reach``, ``rows`` are what Embree is asked: origins, unit directions and lengths in the mesh's frame,
and which ray or pixel each belongs to.
"""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, kernel
from physreel.renderers.video.trace_packets import LANES
from physreel.renderers.video.trace_shadows import light_frame


@inner
def _ask(placed, ox, oy, oz, dx, dy, dz, end, o, d, reach, at):  # type: ignore[no-untyped-def]
    # Whether a world ray meets the mesh's box at a parameter between 0 and ``end``; if so it is written down at ``at``.
    px, py, pz = ox - placed[0], oy - placed[1], oz - placed[2]
    length2, near, far = 0.0, -1e300, 1e300
    for axis in range(3):
        a, b, c = placed[3 + 3 * axis], placed[4 + 3 * axis], placed[5 + 3 * axis]
        p, v = a * px + b * py + c * pz, a * dx + b * dy + c * dz
        inv = 1.0 / (v if abs(v) > 1e-300 else 1e-300)
        t0, t1 = (placed[12 + axis] - 1e-6 - p) * inv, (placed[15 + axis] + 1e-6 - p) * inv
        near, far = max(near, min(t0, t1)), min(far, max(t0, t1))
        o[at, axis], d[at, axis] = p, v
        length2 += v * v
    if near > far or far <= 0.0 or near >= end:
        return False
    length = math.sqrt(length2)
    for axis in range(3):
        d[at, axis] /= length
    reach[at] = end * length
    return True


@inner
def _passes_ball(placed, x, y, z, dx, dy, dz):  # type: ignore[no-untyped-def]
    # Whether a line (direction of any length) comes within the ball round the mesh.
    cx, cy, cz = placed[18] - x, placed[19] - y, placed[20] - z
    along = cx * dx + cy * dy + cz * dz
    square = dx * dx + dy * dy + dz * dz
    return (cx * cx + cy * cy + cz * cz - placed[21] * placed[21]) * square <= along * along


@kernel
def ask_rays(placed, origins, directions, start_m, o, d, reach, rows):  # type: ignore[no-untyped-def]
    """Write down those of N world rays that can meet the mesh, and return how many they are.

    ``origins`` is (N, 3), or (1, 3) for all. Embree is asked from ``start_m`` on: its single precision may find the
    triangle that a ray begins on once more, in place of what is beyond.
    """
    count = 0
    for i in range(len(directions)):
        k = i if len(origins) > 1 else 0
        x, y, z, dx, dy, dz = (
            origins[k, 0], origins[k, 1], origins[k, 2], directions[i, 0], directions[i, 1], directions[i, 2],
        )  # fmt: skip
        if not _passes_ball(placed, x, y, z, dx, dy, dz):
            continue
        if _ask(placed, x, y, z, dx, dy, dz, 1e30, o, d, reach, count):
            for axis in range(3):
                o[count, axis] += start_m * d[count, axis]
            rows[count] = i
            count += 1
    return count


@inner
def _found(placed, facets, face, ox, oy, oz, dx, dy, dz, least, normal):  # type: ignore[no-untyped-def]
    # Parameter of a world ray at a triangle's plane, in double precision; the normal towards the ray into ``normal``.
    # 1e30 if it is not below ``least``.
    f = facets[face]
    px, py, pz = ox - placed[0], oy - placed[1], oz - placed[2]
    x = placed[3] * px + placed[4] * py + placed[5] * pz
    y = placed[6] * px + placed[7] * py + placed[8] * pz
    z = placed[9] * px + placed[10] * py + placed[11] * pz
    vx = placed[3] * dx + placed[4] * dy + placed[5] * dz
    vy = placed[6] * dx + placed[7] * dy + placed[8] * dz
    vz = placed[9] * dx + placed[10] * dy + placed[11] * dz
    rate = f[3] * vx + f[4] * vy + f[5] * vz
    rate = rate if abs(rate) > 1e-12 else 1e-12
    x, y, z = x - f[0], y - f[1], z - f[2]
    t = -(f[3] * x + f[4] * y + f[5] * z) / rate
    if t <= 1e-6 or t >= least:
        return 1e30
    x, y, z = x + t * vx, y + t * vy, z + t * vz
    u, v = f[6] * x + f[7] * y + f[8] * z, f[9] * x + f[10] * y + f[11] * z
    w = 1.0 - u - v
    nx = w * f[12] + u * f[15] + v * f[18]
    ny = w * f[13] + u * f[16] + v * f[19]
    nz = w * f[14] + u * f[17] + v * f[20]
    # Seen at a grazing angle a smooth normal may face away.
    if (nx * vx + ny * vy + nz * vz) * rate <= 0.0:
        nx, ny, nz = f[3], f[4], f[5]
    scale = (-1.0 if rate > 0.0 else 1.0) / math.sqrt(nx * nx + ny * ny + nz * nz)
    for axis in range(3):
        normal[axis] = scale * (placed[3 + axis] * nx + placed[6 + axis] * ny + placed[9 + axis] * nz)
    return t


@kernel
def keep_rays(  # type: ignore[no-untyped-def]
    placed, facets, patches, number, hits, count, rows, origins, directions, time, surface, normals
):
    """Enter triangles that were met into (N,) parameters and surfaces and (N, 3) normals, where nothing nearer is."""
    normal = normals[0].copy() if len(normals) > 0 else normals.ravel()
    for i in range(count):
        if hits[i] < 0:
            continue
        r = rows[i]
        k = r if len(origins) > 1 else 0
        t = _found(
            placed, facets, hits[i], origins[k, 0], origins[k, 1], origins[k, 2], directions[r, 0], directions[r, 1],
            directions[r, 2], time[r], normal,
        )  # fmt: skip
        if t < 1e29:
            time[r], surface[r] = t, 512 * number + patches[hits[i]]
            for axis in range(3):
                normals[r, axis] = normal[axis]


@inner
def _camera_ray(camera, at, tiles_x):  # type: ignore[no-untyped-def]
    # World direction through a pixel's centre, of length 1 along the optical axis.
    lane, tile = at % LANES, at // LANES
    x = ((tile % tiles_x) * 8 + (lane & 7) + 0.5 - camera[1]) / camera[0]
    y = ((tile // tiles_x) * 8 + (lane >> 3) + 0.5 - camera[2]) / camera[0]
    return (
        camera[6] * x + camera[7] * y + camera[8],
        camera[9] * x + camera[10] * y + camera[11],
        camera[12] * x + camera[13] * y + camera[14],
    )


@kernel
def ask_pixels(placed, camera, box, tiles_x, wanted, o, d, reach, rows):  # type: ignore[no-untyped-def]
    """As ``ask_rays``, for pixels in the tiles that the picture's rectangle ``box`` (x0, x1, y0, y1) touches.

    ``wanted`` (tiles,) is 0 for tiles that are not to be looked at; ``rows`` are places in the frame's buffers.
    """
    count = 0
    for ty in range(box[2] // 8, (box[3] + 7) // 8):
        for tx in range(box[0] // 8, (box[1] + 7) // 8):
            tile = ty * tiles_x + tx
            if not wanted[tile]:
                continue
            for lane in range(LANES):
                dx, dy, dz = _camera_ray(camera, tile * LANES + lane, tiles_x)
                if _ask(placed, camera[3], camera[4], camera[5], dx, dy, dz, 1e30, o, d, reach, count):
                    rows[count] = tile * LANES + lane
                    count += 1
    return count


@kernel
def keep_pixels(  # type: ignore[no-untyped-def]
    placed, facets, patches, number, hits, count, rows, camera, tiles_x, normal, time, surface, normals
):
    """As ``keep_rays``, into the frame's buffers; ``normal`` (3,) is scratch."""
    for i in range(count):
        if hits[i] < 0:
            continue
        at = rows[i]
        dx, dy, dz = _camera_ray(camera, at, tiles_x)
        t = _found(
            placed, facets, hits[i], camera[3], camera[4], camera[5], dx, dy, dz, time[at], normal,
        )  # fmt: skip
        if t < 1e29:
            time[at], surface[at] = t, 512 * number + patches[hits[i]]
            for axis in range(3):
                normals[axis, at] = normal[axis]


@kernel
def ask_light(  # type: ignore[no-untyped-def]
    placed, light, places, sample, camera, tiles_x, todo, balls, settled, dark, time, surface, normals, frame, o, d,
    reach, rows,
):  # fmt: skip
    """As ``ask_rays``, from what the pixels of the tiles in ``todo`` show to their places on a light, if they face it.

    What is handed over (see trace_primary for the frame's buffers):
        places: (2, 16) where on the light's disc; ``sample``: the how manieth such set.
        balls: (tiles, 8) a ball round each tile's points; of radius -1: not known.
        settled: (tiles,) 1 for tiles that need no more samples.
        dark: (N,) bit ``sample`` is set where a mesh is known to be in the way.
        frame: (6,) scratch.
    """
    sun = light[0] == 0.0
    count, bit = 0, 1 << sample
    for tile in todo:
        if settled[tile]:
            continue
        x, y, z, radius = balls[tile, 0], balls[tile, 1], balls[tile, 2], balls[tile, 3]
        if radius >= 0.0:
            dx, dy, dz, far = light_frame(light, x, y, z, frame[0:3], frame[3:6])
            spread, size = (light[7] if sun else light[7] / far), placed[21]
            cx, cy, cz = placed[18] - x, placed[19] - y, placed[20] - z
            along = cx * dx + cy * dy + cz * dz
            limit = radius + size + spread * max(along + size, 0.0)
            if (
                along < -(size + radius)
                or along > far + size
                or (cx * cx + cy * cy + cz * cz - along * along > limit * limit)
            ):
                continue
        for lane in range(LANES):
            at = tile * LANES + lane
            if surface[at] < 0 or dark[at] & bit:
                continue
            nx, ny, nz = normals[0, at], normals[1, at], normals[2, at]
            dx, dy, dz = _camera_ray(camera, at, tiles_x)
            px, py, pz = camera[3] + time[at] * dx, camera[4] + time[at] * dy, camera[5] + time[at] * dz
            lift = 1e-5 * (1.0 + max(abs(px), abs(py), abs(pz)))
            px, py, pz = px + lift * nx, py + lift * ny, pz + lift * nz
            mx, my, mz = light[1], light[2], light[3]
            if not sun:
                mx, my, mz = mx - px, my - py, mz - pz
            if nx * mx + ny * my + nz * mz <= 0.0:
                continue
            light_frame(light, px, py, pz, frame[0:3], frame[3:6])
            cell = (lane & 3) + 4 * ((lane >> 3) & 3)
            p, q = places[0, cell], places[1, cell]
            mx, my, mz = (
                mx + p * frame[0] + q * frame[3],
                my + p * frame[1] + q * frame[4],
                mz + p * frame[2] + q * frame[5],
            )
            if _passes_ball(placed, px, py, pz, mx, my, mz) and _ask(
                placed, px, py, pz, mx, my, mz, 1e9 if sun else 1.0, o, d, reach, count
            ):
                rows[count] = at
                count += 1
    return count


@kernel
def darken(hits, count, rows, sample, dark):  # type: ignore[no-untyped-def]
    """Set bit ``sample`` of ``dark`` where a mesh was met."""
    for i in range(count):
        if hits[i] >= 0:
            dark[rows[i]] |= 1 << sample


@kernel
def settle(todo, sample, dark, settled):  # type: ignore[no-untyped-def]
    """After a sample, tiles of which no pixel was darkened need no more of them.

    The first sample goes to the light's rim, each of sixteen places from four pixels: what blocks none of them is out
    of the way.
    """
    for tile in todo:
        some = False
        for lane in range(LANES):
            some = some or dark[tile * LANES + lane] & (1 << sample) != 0
        if not some:
            settled[tile] = 1


@kernel
def dim(todo, samples, dark, lamp, visible, flags):  # type: ignore[no-untyped-def]
    """Lessen ``visible`` (L, N) by the share of samples that are dark, and mark tiles in which it then varies."""
    for tile in todo:
        touched = False
        for lane in range(LANES):
            bits, count = dark[tile * LANES + lane], 0
            while bits:
                count, bits = count + (bits & 1), bits >> 1
            if count:
                visible[lamp, tile * LANES + lane] *= 1.0 - count / samples
                touched = True
        if touched and flags[lamp, tile] == 0:
            flags[lamp, tile] = 1


@kernel
def edge_pixels(edges, tiles_x, surface, first, wanted, number, places):  # type: ignore[no-untyped-def]
    """Of edge pixels (H, W) in wanted tiles, those that show, or touch what shows, a surface from ``first`` on.

    Their x and y go to ``places`` (E, 2), their rows there to ``number`` (H, W), -1 elsewhere; how many they are.
    """
    height, width = edges.shape
    count = 0
    for y in range(height):
        for x in range(width):
            number[y, x] = -1
            if not edges[y, x] or not wanted[(y >> 3) * tiles_x + (x >> 3)]:
                continue
            if _shown(surface, tiles_x, width, height, x, y, first, 1 << 40) > 0:
                number[y, x] = count
                places[count, 0], places[count, 1] = x, y
                count += 1
    return count


@inner
def _shown(surface, tiles_x, width, height, x, y, first, last):  # type: ignore[no-untyped-def]
    # Whether the 3 x 3 pixels about one show surfaces from number ``first`` up to ``last``: 0 none do, 1 some, 2 all.
    some, other = False, False
    for j in range(max(y - 1, 0), min(y + 2, height)):
        for i in range(max(x - 1, 0), min(x + 2, width)):
            seen = surface[((j >> 3) * tiles_x + (i >> 3)) * LANES + (j & 7) * 8 + (i & 7)] >> 9
            some, other = some or first <= seen <= last, other or seen < first or seen > last
    return (1 if other else 2) if some else 0


@inner
def _sample_ray(camera, places, offsets, i, s):  # type: ignore[no-untyped-def]
    x = (places[i, 0] + offsets[s, 0] - camera[1]) / camera[0]
    y = (places[i, 1] + offsets[s, 1] - camera[2]) / camera[0]
    return (
        camera[6] * x + camera[7] * y + camera[8],
        camera[9] * x + camera[10] * y + camera[11],
        camera[12] * x + camera[13] * y + camera[14],
    )


@kernel
def ask_samples(  # type: ignore[no-untyped-def]
    placed, number, places, offsets, camera, tiles_x, surface, size, o, d, reach, rows
):
    """As ``ask_rays``, for the samples (S, 2) of edge pixels (E, 2) about which the mesh is seen.

    Where nothing else is, every other sample does: what is smoothed is an edge of the mesh, not its outline.
    """
    count = 0
    for i in range(len(places)):
        shown = _shown(surface, tiles_x, size[1], size[0], places[i, 0], places[i, 1], number, number)
        if shown == 0:
            continue
        for s in range(0, len(offsets), shown):
            dx, dy, dz = _sample_ray(camera, places, offsets, i, s)
            if _ask(placed, camera[3], camera[4], camera[5], dx, dy, dz, 1e30, o, d, reach, count):
                rows[count] = 2 * (i * len(offsets) + s) + shown - 1
                count += 1
    return count


@kernel
def keep_samples(  # type: ignore[no-untyped-def]
    placed, facets, patches, number, hits, count, rows, places, offsets, camera, normal, time, seen
):
    """As ``keep_rays``, into what samples see, (E, S); one that was left out sees what the one before it does."""
    samples = len(offsets)
    for n in range(count):
        if hits[n] < 0:
            continue
        i, s = (rows[n] >> 1) // samples, (rows[n] >> 1) % samples
        dx, dy, dz = _sample_ray(camera, places, offsets, i, s)
        t = _found(placed, facets, hits[n], camera[3], camera[4], camera[5], dx, dy, dz, time[i, s], normal)
        if t < 1e29:
            for k in range(s, min(s + 1 + (rows[n] & 1), samples)):
                time[i, k], seen[i, k] = t, 512 * number + patches[hits[n]]
