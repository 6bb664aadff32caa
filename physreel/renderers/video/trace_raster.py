"""What a camera sees of liquids' surfaces: their triangles drawn pixel by pixel, by nearness.

A surface anew in each frame would need a tree anew in each frame; tens of thousands of small triangles are drawn
sooner. A pixel's ray d meets the triangle a, b, c (in camera coordinates) where d·(b × c), d·(c × a) and d·(a × b) have
one sign; they are the weights of its corners. Neighbours share an edge's number to the last bit, so that no ray slips
through.
"""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, kernel

_NEAR_M = 1e-4


@kernel
def to_camera(vertices, camera, out):  # type: ignore[no-untyped-def]
    """(V, 3) camera coordinates of world points; ``camera`` as in trace_primary."""
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0] - camera[3], vertices[i, 1] - camera[4], vertices[i, 2] - camera[5]
        out[i, 0] = camera[6] * x + camera[9] * y + camera[12] * z
        out[i, 1] = camera[7] * x + camera[10] * y + camera[13] * z
        out[i, 2] = camera[8] * x + camera[11] * y + camera[14] * z


@inner
def _columns(points, faces, f, axis, camera, most):  # type: ignore[no-untyped-def]
    # First and one past the last column (axis 0) or row (axis 1) in which what is before the eye of a triangle is seen.
    low, high = 1e30, -1e30
    for corner in range(3):
        i, j = faces[f, corner], faces[f, (corner + 1) % 3]
        z, other = points[i, 2], points[j, 2]
        if z >= _NEAR_M:
            at = camera[1 + axis] + camera[0] * points[i, axis] / z
            low, high = min(low, at), max(high, at)
        if (z >= _NEAR_M) != (other >= _NEAR_M):
            share = (_NEAR_M - z) / (other - z)
            cut = points[i, axis] + share * (points[j, axis] - points[i, axis])
            at = camera[1 + axis] + camera[0] * cut / _NEAR_M
            low, high = min(low, at), max(high, at)
    return int(min(max(math.floor(low), 0.0), most)), int(min(max(math.floor(high) + 1.0, 0.0), most))


@inner
def _meet(points, faces, f, u, v):  # type: ignore[no-untyped-def]
    # (depth, weights of the corners) where the ray (u, v, 1) meets a triangle; depth -1 if it does not.
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
    bx, by, bz = points[b, 0], points[b, 1], points[b, 2]
    cx, cy, cz = points[c, 0], points[c, 1], points[c, 2]
    wa = u * (by * cz - bz * cy) + v * (bz * cx - bx * cz) + (bx * cy - by * cx)
    wb = u * (cy * az - cz * ay) + v * (cz * ax - cx * az) + (cx * ay - cy * ax)
    wc = u * (ay * bz - az * by) + v * (az * bx - ax * bz) + (ax * by - ay * bx)
    if not ((wa >= 0.0 and wb >= 0.0 and wc >= 0.0) or (wa <= 0.0 and wb <= 0.0 and wc <= 0.0)):
        return -1.0, 0.0, 0.0, 0.0
    total = wa + wb + wc
    if total == 0.0:
        return -1.0, 0.0, 0.0, 0.0
    wa, wb, wc = wa / total, wb / total, wc / total
    return wa * az + wb * bz + wc * cz, wa, wb, wc


@inner
def _to_the_eye(nx, ny, nz, camera, u, v):  # type: ignore[no-untyped-def]
    # A smooth normal, of length 1; where it leans away from the eye, at outlines, as much as is needed towards it.
    dx = camera[6] * u + camera[7] * v + camera[8]
    dy = camera[9] * u + camera[10] * v + camera[11]
    dz = camera[12] * u + camera[13] * v + camera[14]
    along = (nx * dx + ny * dy + nz * dz) / (dx * dx + dy * dy + dz * dz)
    if along > 0.0:
        nx, ny, nz = nx - 1.01 * along * dx, ny - 1.01 * along * dy, nz - 1.01 * along * dz
    scale = 1.0 / (math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-30)
    return nx * scale, ny * scale, nz * scale


@kernel
def draw(  # type: ignore[no-untyped-def]
    points, faces, normals, velocity, number, camera, size, tiles_x, time, surface, normal_map, moving
):
    """Write what each pixel sees of one liquid's surface into the frame's buffers, where it is nearest.

    What is handed over (see trace_primary for camera and buffers):
        points: (V, 3) vertices in camera coordinates; faces, normals, velocity: those of the LiquidSurface.
        number: its number among surfaces.
        size: width and height.
        moving: (3, N) becomes the liquid's velocity.
    """
    inv = 1.0 / camera[0]
    width, height = size
    for f in range(len(faces)):
        x0, x1 = _columns(points, faces, f, 0, camera, width)
        y0, y1 = _columns(points, faces, f, 1, camera, height)
        for y in range(y0, y1):
            v = (y + 0.5 - camera[2]) * inv
            for x in range(x0, x1):
                depth, wa, wb, wc = _meet(points, faces, f, (x + 0.5 - camera[1]) * inv, v)
                at = ((y >> 3) * tiles_x + (x >> 3)) * 64 + (y & 7) * 8 + (x & 7)
                if depth < _NEAR_M or depth >= time[at]:
                    continue
                a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
                time[at], surface[at] = depth, 512 * number
                nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
                ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
                nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
                nx, ny, nz = _to_the_eye(nx, ny, nz, camera, (x + 0.5 - camera[1]) * inv, v)
                normal_map[0, at], normal_map[1, at], normal_map[2, at] = nx, ny, nz
                for axis in range(3):
                    moving[axis, at] = wa * velocity[a, axis] + wb * velocity[b, axis] + wc * velocity[c, axis]


@kernel
def draw_samples(points, faces, number, camera, offsets, rows, time, surface):  # type: ignore[no-untyped-def]
    """What samples at ``offsets`` (S, 2) of edge pixels meet: ``rows`` (H, W) is a pixel's row in (E, S), or -1."""
    inv = 1.0 / camera[0]
    height, width = rows.shape
    for f in range(len(faces)):
        x0, x1 = _columns(points, faces, f, 0, camera, width)
        y0, y1 = _columns(points, faces, f, 1, camera, height)
        for y in range(y0, y1):
            for x in range(x0, x1):
                row = rows[y, x]
                if row < 0:
                    continue
                for s in range(len(offsets)):
                    u, v = (x + offsets[s, 0] - camera[1]) * inv, (y + offsets[s, 1] - camera[2]) * inv
                    depth, _, _, _ = _meet(points, faces, f, u, v)
                    if _NEAR_M <= depth < time[row, s]:
                        time[row, s], surface[row, s] = depth, 512 * number
