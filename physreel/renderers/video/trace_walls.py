"""Where liquid meets walls: images of particles behind them, and vertices of its surface brought back to them.

Particles at rest stand about half a spacing off a wall. Mirrored in it they make the liquid go on behind it, and what
of the surface lies behind a wall is then moved to just inside of it: so liquid and wall touch, however thin it is.
"""

from __future__ import annotations

import math

from physreel.renderers.video.trace_distances import distance, to_local
from physreel.renderers.video.trace_field import cell
from physreel.renderers.video.trace_jit import inner, kernel, part
from physreel.renderers.video.trace_packets import FAR_AWAY, PLANE, VESSEL
from physreel.renderers.video.trace_rays import interval, normal, walls

MOST_WALLS = 3
# How deep the liquid goes into walls it touches: no more than this, and less than half of a thin one. No less either:
# its triangles cut round corners off, and must not come out of the wall there.
_DEPTH_M, _DEPTH_SHARE = 1.2e-3, 0.45


@part
def _to_world(prims, k, x, y, z):  # type: ignore[no-untyped-def]
    return (
        prims[k, 3] * x + prims[k, 6] * y + prims[k, 9] * z,
        prims[k, 4] * x + prims[k, 7] * y + prims[k, 10] * z,
        prims[k, 5] * x + prims[k, 8] * y + prims[k, 11] * z,
    )


@part
def _outline_to_world(prims, k, x, y, rho, nr, nz):  # type: ignore[no-untyped-def]
    # A normal of a vessel's outline, at a point (x, y) of the vessel's frame, rho from its axis.
    return _to_world(prims, k, x / (rho + 1e-30) * nr, y / (rho + 1e-30) * nr, nz)


@part
def _depth(prims, kinds, planes, k):  # type: ignore[no-untyped-def]
    if kinds[k, 0] == PLANE:
        return _DEPTH_M
    thickness = 2.0 * min(prims[k, 12], prims[k, 13], prims[k, 14])
    if kinds[k, 0] == VESSEL:
        thickness = planes[kinds[k, 3] + 1, 3]
    return min(_DEPTH_M, _DEPTH_SHARE * thickness)


@inner
def _gradient(prims, kinds, planes, k, x, y, z):  # type: ignore[no-untyped-def]
    h = 1e-5
    gx = distance(prims, kinds, planes, k, x + h, y, z) - distance(prims, kinds, planes, k, x - h, y, z)
    gy = distance(prims, kinds, planes, k, x, y + h, z) - distance(prims, kinds, planes, k, x, y - h, z)
    gz = distance(prims, kinds, planes, k, x, y, z + h) - distance(prims, kinds, planes, k, x, y, z - h)
    scale = 1.0 / (math.sqrt(gx * gx + gy * gy + gz * gz) + 1e-30)
    return gx * scale, gy * scale, gz * scale


@inner
def _to_part(planes, start, count, part, rho, z):  # type: ignore[no-untyped-def]
    # (signed distance, normal r, normal z) of a point from one smooth part of a vessel's outline.
    least, d, nr, nz = FAR_AWAY, 0.0, 1.0, 0.0
    for k in range(start, start + count, 2):
        if int(planes[k + 1, 2]) != part:
            continue
        s, h = planes[k, 2] - planes[k, 0], planes[k, 3] - planes[k, 1]
        r, v = rho - planes[k, 0], z - planes[k, 1]
        along = min(max((r * s + v * h) / (s * s + h * h), 0.0), 1.0)
        r, v = r - along * s, v - along * h
        far = r * r + v * v
        if far < least:
            size = math.sqrt(s * s + h * h)
            least, nr, nz = far, h / size, -s / size
            d = r * nr + v * nz
    return math.sqrt(least), d, nr, nz


@inner
def _add_wall(found, count, d, nx, ny, nz):  # type: ignore[no-untyped-def]
    # Of walls that face the same way, the nearest counts.
    for n in range(count):
        if found[n, 1] * nx + found[n, 2] * ny + found[n, 3] * nz > 0.9:
            if d < found[n, 0]:
                found[n, 0], found[n, 1], found[n, 2], found[n, 3] = d, nx, ny, nz
            return count
    if count == MOST_WALLS:
        return count
    found[count, 0], found[count, 1], found[count, 2], found[count, 3] = d, nx, ny, nz
    return count + 1


@kernel
def images(prims, kinds, planes, points, reach, found, out):  # type: ignore[no-untyped-def]
    """Mirror images of points (N, 3) in the walls nearer than ``reach``, into ``out`` (7 N, 3); how many.

    In a corner of two or three walls there are images of images as well. ``found`` (3, 4) is scratch.
    """
    made = 0
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        count = 0
        for k in range(len(prims)):
            kind = kinds[k, 0]
            if kind != PLANE:
                limit = prims[k, 15] + reach
                if (x - prims[k, 0]) ** 2 + (y - prims[k, 1]) ** 2 + (z - prims[k, 2]) ** 2 > limit * limit:
                    continue
            if kind == VESSEL:
                lx, ly, lz = to_local(prims, k, x, y, z)
                rho = math.sqrt(lx * lx + ly * ly)
                start, sides = kinds[k, 3], kinds[k, 4]
                last = int(planes[start + sides - 1, 2])
                for part in range(last + 1):
                    far, d, nr, nz = _to_part(planes, start, sides, part, rho, lz)
                    # Beside a part's end there is no wall to be mirrored in.
                    if d <= 0.0 or far > reach or d < 0.98 * far:
                        continue
                    gx, gy, gz = _outline_to_world(prims, k, lx, ly, rho, nr, nz)
                    count = _add_wall(found, count, d, gx, gy, gz)
                continue
            d = distance(prims, kinds, planes, k, x, y, z)
            if 0.0 < d < reach:
                gx, gy, gz = _gradient(prims, kinds, planes, k, x, y, z)
                count = _add_wall(found, count, d, gx, gy, gz)
        for subset in range(1, 1 << count):
            px, py, pz = x, y, z
            for n in range(count):
                if subset >> n & 1:
                    twice = 2.0 * found[n, 0]
                    px, py, pz = px - twice * found[n, 1], py - twice * found[n, 2], pz - twice * found[n, 3]
            out[made, 0], out[made, 1], out[made, 2] = px, py, pz
            made += 1
    return made


@kernel
def bring_back(prims, kinds, planes, vertices, near, touching):  # type: ignore[no-untyped-def]
    """Move vertices (V, 3) that lie behind a wall to just inside it; ``touching`` (V,) becomes 1 for them.

    What a vertex lies behind is seen from the particle nearest to it, ``near`` (V, 3): whatever stands between them.
    """
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        qx, qy, qz = near[i, 0], near[i, 1], near[i, 2]
        for _ in range(3):
            moved = False
            for k in range(len(prims)):
                kind, depth = kinds[k, 0], _depth(prims, kinds, planes, k)
                if kind == PLANE:
                    _, _, height = to_local(prims, k, x, y, z)
                    if height < -depth:
                        up = -depth - height
                        x, y, z = x + up * prims[k, 9], y + up * prims[k, 10], z + up * prims[k, 11]
                        touching[i], moved = 1, True
                    continue
                dx, dy, dz = x - qx, y - qy, z - qz
                limit = prims[k, 15] + math.sqrt(dx * dx + dy * dy + dz * dz)
                if (x - prims[k, 0]) ** 2 + (y - prims[k, 1]) ** 2 + (z - prims[k, 2]) ** 2 > limit * limit:
                    continue
                lx, ly, lz = to_local(prims, k, x, y, z)
                px, py, pz = to_local(prims, k, qx, qy, qz)
                ex, ey, ez = prims[k, 12], prims[k, 13], prims[k, 14]
                if min(lx, px) > ex or max(lx, px) < -ex or min(ly, py) > ey or max(ly, py) < -ey:
                    continue
                if min(lz, pz) > ez or max(lz, pz) < -ez:
                    continue
                if kind == VESSEL:
                    t, far, face, _ = walls(
                        planes, kinds[k, 3], kinds[k, 4], ex, ez, px, py, pz, lx - px, ly - py, lz - pz, 1e-6, 1.0
                    )
                else:
                    t, far, face, _ = interval(prims, kinds, planes, k, qx, qy, qz, dx, dy, dz)
                if t > far or t >= 1.0 or far <= 0.0:
                    continue
                if kind == VESSEL:
                    rho = math.sqrt(lx * lx + ly * ly)
                    _, d, nr, nz = _to_part(planes, kinds[k, 3], kinds[k, 4], face, rho, lz)
                    gx, gy, gz = _outline_to_world(prims, k, lx, ly, rho, nr, nz)
                elif t > 0.0:
                    px, py, pz = qx + t * dx, qy + t * dy, qz + t * dz
                    gx, gy, gz = normal(prims, kinds, planes, k, face, px, py, pz)
                    d = (x - px) * gx + (y - py) * gy + (z - pz) * gz
                else:
                    d = distance(prims, kinds, planes, k, x, y, z)
                    gx, gy, gz = _gradient(prims, kinds, planes, k, x, y, z)
                if d < -depth:
                    up = -depth - d
                    x, y, z = x + up * gx, y + up * gy, z + up * gz
                    touching[i], moved = 1, True
            if not moved:
                break
        vertices[i, 0], vertices[i, 1], vertices[i, 2] = x, y, z


@kernel
def draw_to(prims, kinds, planes, vertices, normals, reach, corner, touching):  # type: ignore[no-untyped-def]
    """Move vertices that face a wall nearer than ``reach`` to just inside it.

    Particles do not fill narrow corners, and hover a little over what they lie on; liquid does neither. What touches
    one wall is drawn to a second nearer than ``corner``, so that triangles do not cut the corner off.
    """
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        touches = touching[i] > 0
        least, gx, gy, gz = corner if touches else reach, 0.0, 0.0, 0.0
        limit_m, depth = least, 0.0
        for k in range(len(prims)):
            kind = kinds[k, 0]
            if kind != PLANE:
                limit = prims[k, 15] + least
                if (x - prims[k, 0]) ** 2 + (y - prims[k, 1]) ** 2 + (z - prims[k, 2]) ** 2 > limit * limit:
                    continue
            if kind == VESSEL:
                lx, ly, lz = to_local(prims, k, x, y, z)
                rho = math.sqrt(lx * lx + ly * ly)
                start, sides = kinds[k, 3], kinds[k, 4]
                for part in range(int(planes[start + sides - 1, 2]) + 1):
                    far, d, nr, nz = _to_part(planes, start, sides, part, rho, lz)
                    if 0.0 < d < least and far < least:
                        least, depth = d, _depth(prims, kinds, planes, k)
                        gx, gy, gz = _outline_to_world(prims, k, lx, ly, rho, nr, nz)
                continue
            d = distance(prims, kinds, planes, k, x, y, z)
            if 0.0 < d < least:
                least, depth = d, _depth(prims, kinds, planes, k)
                gx, gy, gz = _gradient(prims, kinds, planes, k, x, y, z)
        if least == limit_m:
            continue
        if touches or normals[i, 0] * gx + normals[i, 1] * gy + normals[i, 2] * gz < -0.6:
            down = least + depth
            vertices[i, 0], vertices[i, 1], vertices[i, 2] = x - down * gx, y - down * gy, z - down * gz
            touching[i] = 1


@kernel
def attach(  # type: ignore[no-untyped-def]
    points, velocity, crowd, order, start, low, size, shape, count, vertices, reach, carried, near, crowd_near
):
    """Velocity of the liquid at vertices (V, 3), kernel-weighted, and the place and crowding of the nearest particle.

    What is handed over:
        points, order, start, low, size, shape: particles and images by cell, see liquid_surface.
        count: how many are particles, with velocity (count, 3); they come first.
        reach: the kernel's support, at most ``size``; vertices beyond it take the nearest particle in the cells about.
    """
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        cx, cy, cz = cell(x, low[0], size, shape[0]), cell(y, low[1], size, shape[1]), cell(z, low[2], size, shape[2])
        total, vx, vy, vz = 0.0, 0.0, 0.0, 0.0
        least, at = FAR_AWAY, -1
        for a in range(max(cx - 1, 0), min(cx + 2, shape[0])):
            for b in range(max(cy - 1, 0), min(cy + 2, shape[1])):
                row = (a * shape[1] + b) * shape[2]
                for n in range(start[row + max(cz - 1, 0)], start[row + min(cz + 1, shape[2] - 1) + 1]):
                    j = order[n]
                    if j >= count:
                        continue
                    d2 = (points[j, 0] - x) ** 2 + (points[j, 1] - y) ** 2 + (points[j, 2] - z) ** 2
                    if d2 < least:
                        least, at = d2, j
                    w = 1.0 - d2 / (reach * reach)
                    if w > 0.0:
                        w = w * w * w
                        total += w
                        vx, vy, vz = vx + w * velocity[j, 0], vy + w * velocity[j, 1], vz + w * velocity[j, 2]
        if at < 0:
            for j in range(count):
                d2 = (points[j, 0] - x) ** 2 + (points[j, 1] - y) ** 2 + (points[j, 2] - z) ** 2
                if d2 < least:
                    least, at = d2, j
        crowd_near[i] = crowd[at]
        for c in range(3):
            near[i, c] = points[at, c]
            carried[i, c] = velocity[at, c]
        if total > 1e-9:
            carried[i, 0], carried[i, 1], carried[i, 2] = vx / total, vy / total, vz / total


@kernel
def smooth_normals(vertices, faces, touching, rounds, normals, other):  # type: ignore[no-untyped-def]
    """Unit normals (V, 3), area-weighted and then evened out ``rounds`` times over neighbours; ``other`` is scratch.

    Where the surface bends into a wall it keeps the direction of its free side.
    """
    for i in range(len(vertices)):
        normals[i, 0], normals[i, 1], normals[i, 2] = 0.0, 0.0, 0.0
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        share = 0.02 if touching[a] and touching[b] and touching[c] else 1.0
        nx, ny, nz = share * (uy * vz - uz * vy), share * (uz * vx - ux * vz), share * (ux * vy - uy * vx)
        for corner in range(3):
            i = faces[f, corner]
            normals[i, 0], normals[i, 1], normals[i, 2] = normals[i, 0] + nx, normals[i, 1] + ny, normals[i, 2] + nz
    _unit(normals)
    for _ in range(rounds):
        for i in range(len(vertices)):
            other[i, 0], other[i, 1], other[i, 2] = normals[i, 0], normals[i, 1], normals[i, 2]
        for f in range(len(faces)):
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            if touching[a] and touching[b] and touching[c]:
                continue
            for axis in range(3):
                total = 0.5 * (normals[a, axis] + normals[b, axis] + normals[c, axis])
                other[a, axis] += total
                other[b, axis] += total
                other[c, axis] += total
        _unit(other)
        for i in range(len(vertices)):
            normals[i, 0], normals[i, 1], normals[i, 2] = other[i, 0], other[i, 1], other[i, 2]


@inner
def _unit(vectors):  # type: ignore[no-untyped-def]
    for i in range(len(vectors)):
        x, y, z = vectors[i, 0], vectors[i, 1], vectors[i, 2]
        size = math.sqrt(x * x + y * y + z * z)
        if size < 1e-30:
            x, y, z, size = 0.0, 0.0, 1.0, 1.0
        vectors[i, 0], vectors[i, 1], vectors[i, 2] = x / size, y / size, z / size
