"""Kernels: the walls that each particle is near to, with distance, normal, velocity and share of the density."""

from __future__ import annotations

import numpy as np

from physreel.simulators.dfsph_bodies import BOX, CAPSULE, ELLIPSOID, HULL, PLANE, SPHERE
from physreel.simulators.dfsph_jit import inner, kernel
from physreel.simulators.dfsph_tables import FIRST, LAST, PER_UNIT, SHARE, SLOPE

MOST = 6
"""Walls that a particle can be near to at once; of more, the nearest count."""

_APART = 0.2
"""A second wall counts in full if its nearest point stands this many spacings over the first one's plane."""

_BEND = 0.13
"""Half the mean square of the kernel's width along a wall, as seen from half a spacing off it: what a curved wall's
surface is nearer than its tangent plane, in spacings for a curvature of one by spacing."""


@inner
def _add(found, count, d, nx, ny, nz, bend, body):  # type: ignore[no-untyped-def]
    """Insert a wall into the sorted list ``found`` (MOST, 6); return how many there are."""
    at = count
    if count == MOST:
        if d >= found[MOST - 1, 0]:
            return count
        at = MOST - 1
    while at > 0 and found[at - 1, 0] > d:
        for c in range(6):
            found[at, c] = found[at - 1, c]
        at -= 1
    found[at, 0], found[at, 1], found[at, 2], found[at, 3], found[at, 4] = d, nx, ny, nz, bend
    found[at, 5] = body
    return min(count + 1, MOST)


@inner
def _box(x, y, z, size, out):  # type: ignore[no-untyped-def]
    qx, qy, qz = abs(x) - size[0], abs(y) - size[1], abs(z) - size[2]
    sx, sy, sz = (1.0 if x >= 0 else -1.0), (1.0 if y >= 0 else -1.0), (1.0 if z >= 0 else -1.0)
    if qx <= 0.0 and qy <= 0.0 and qz <= 0.0:
        out[0] = max(qx, qy, qz)
        out[1], out[2], out[3] = 0.0, 0.0, 0.0
        if qx >= qy and qx >= qz:
            out[1] = sx
        elif qy >= qz:
            out[2] = sy
        else:
            out[3] = sz
        return
    px, py, pz = max(qx, 0.0), max(qy, 0.0), max(qz, 0.0)
    d = np.sqrt(px * px + py * py + pz * pz)
    out[0], out[1], out[2], out[3] = d, sx * px / d, sy * py / d, sz * pz / d


@inner
def _turned(x, y, z, rows, first, count, reach, found, have, body):  # type: ignore[no-untyped-def]
    """Walls of a turned polygon: each edge that is seen squarely, and convex corners; in the piece's frame."""
    r = np.sqrt(x * x + y * y)
    ux, uy = (x / r, y / r) if r > 1e-12 else (1.0, 0.0)
    inside = False
    near, near_r, near_z = np.inf, 0.0, 0.0
    before = have
    last = first + count - 1
    pr, pz = rows[last, 0] - rows[last - 1, 0], rows[last, 1] - rows[last - 1, 1]
    a, b = rows[last, 0], rows[last, 1]
    for k in range(first, first + count):
        # The edge from (a, b) to this corner; (pr, pz) is the edge before it.
        c, d = rows[k, 0], rows[k, 1]
        er, ez = c - a, d - b
        wr, wz = r - a, z - b
        along, length2 = wr * er + wz * ez, er * er + ez * ez
        if (b > z) != (d > z) and r < a + er * (z - b) / ez:
            inside = not inside
        if wr * pr + wz * pz > 0.0 and along < 0.0:
            gap = np.sqrt(wr * wr + wz * wz)
            if gap < reach and gap > 0.0:
                n = wr / gap
                have = _add(found, have, gap, n * ux, n * uy, wz / gap, n / max(a, 1e-9) if a > 0 else 0.0, body)
        if (a > 1e-12 or c > 1e-12) and length2 > 0.0:
            length = np.sqrt(length2)
            nr, nz = ez / length, -er / length
            side = wr * nr + wz * nz
            if 0.0 <= along <= length2:
                if 0.0 <= side < reach:
                    at = a + er * along / length2
                    have = _add(found, have, side, nr * ux, nr * uy, nz, nr / max(at, 1e-9), body)
                if abs(side) < near:
                    near, near_r, near_z = abs(side), nr, nz
        a, b, pr, pz = c, d, er, ez
    if inside:
        have = before
        if near < np.inf:
            have = _add(found, have, -near, near_r * ux, near_r * uy, near_z, 0.0, body)
    return have


@kernel
def find_contacts(  # type: ignore[no-untyped-def]
    position, spacing, kind, body, turn, place, size, first, rows_count, rows, middle, reach,
    body_turn, body_place, next_turn, next_place, dt, table,
    count, distance, normal, wall_body, wall_velocity, wall_slope, wall_share, slope, flow
):  # fmt: skip
    """Fill in the walls of each of n particles, the nearest first.

    Arguments, by name:
        position: (n, 3).
        spacing: a particle's size.
        kind … reach: the pieces, see Pieces.
        body_turn, body_place: (B, 3, 3) and (B, 3), now.
        next_turn, next_place: likewise, after dt.
        table: see wall_tables.
        count: (n,) out: how many walls.
        distance: (n, MOST) out.
        normal: (n, MOST, 3) out, from wall to particle.
        wall_body: (n, MOST) out.
        wall_velocity: (n, MOST, 3) out, of the wall at its nearest point.
        wall_slope: (n, MOST) out: how the share of the density grows along the normal.
        wall_share: (n,) out: share of the density that is walls.
        slope: (n, 3) out: its gradient.
        flow: (n,) out: its growth by the walls' own motion, negated: gradients · wall velocities.
    """
    far = 2.0 * spacing
    found = np.empty((MOST, 6))
    all_found = np.empty((MOST, 6))
    shape = np.empty(4)
    pieces = len(kind)
    # Pieces' frames in the world.
    turns, places = np.empty((pieces, 3, 3)), np.empty((pieces, 3))
    middles = np.empty((pieces, 3))
    for p in range(pieces):
        b = body[p]
        for i in range(3):
            places[p, i] = body_place[b, i]
            middles[p, i] = body_place[b, i]
            for k in range(3):
                places[p, i] += body_turn[b, i, k] * place[p, k]
                middles[p, i] += body_turn[b, i, k] * middle[p, k]
                turns[p, i, k] = 0.0
                for m in range(3):
                    turns[p, i, k] += body_turn[b, i, m] * turn[p, m, k]
    bodies = len(body_place)
    # Velocity of a body's point x: rate (x - place) + drift.
    rate, drift = np.zeros((bodies, 3, 3)), np.empty((bodies, 3))
    for b in range(bodies):
        for i in range(3):
            drift[b, i] = (next_place[b, i] - body_place[b, i]) / dt
            for k in range(3):
                total = -1.0 if i == k else 0.0
                for m in range(3):
                    total += next_turn[b, i, m] * body_turn[b, k, m]
                rate[b, i, k] = total / dt
    for i in range(len(position)):
        x, y, z = position[i, 0], position[i, 1], position[i, 2]
        total = 0
        for p in range(pieces):
            dx, dy, dz = x - middles[p, 0], y - middles[p, 1], z - middles[p, 2]
            if kind[p] != PLANE and dx * dx + dy * dy + dz * dz > (reach[p] + far) ** 2:
                continue
            dx, dy, dz = x - places[p, 0], y - places[p, 1], z - places[p, 2]
            t = turns[p]
            lx = t[0, 0] * dx + t[1, 0] * dy + t[2, 0] * dz
            ly = t[0, 1] * dx + t[1, 1] * dy + t[2, 1] * dz
            lz = t[0, 2] * dx + t[1, 2] * dy + t[2, 2] * dz
            have = 0
            if kind[p] == PLANE:
                if lz < far:
                    have = _add(found, 0, lz, 0.0, 0.0, 1.0, 0.0, body[p])
            elif kind[p] == BOX:
                _box(lx, ly, lz, size[p], shape)
                if shape[0] < far:
                    have = _add(found, 0, shape[0], shape[1], shape[2], shape[3], 0.0, body[p])
            elif kind[p] == SPHERE or kind[p] == CAPSULE:
                along = min(max(lz, -size[p, 1]), size[p, 1])
                h = np.sqrt(lx * lx + ly * ly + (lz - along) ** 2)
                if h > 1e-12 and h - size[p, 0] < far:
                    bend = (2.0 if abs(along) == size[p, 1] else 1.0) / size[p, 0]
                    have = _add(found, 0, h - size[p, 0], lx / h, ly / h, (lz - along) / h, bend, body[p])
            elif kind[p] == ELLIPSOID:
                ax, ay, az = lx / size[p, 0], ly / size[p, 1], lz / size[p, 2]
                k0 = np.sqrt(ax * ax + ay * ay + az * az)
                gx, gy, gz = ax / size[p, 0], ay / size[p, 1], az / size[p, 2]
                k1 = np.sqrt(gx * gx + gy * gy + gz * gz)
                if k1 > 1e-12:
                    d = k0 * (k0 - 1.0) / k1
                    if d < far:
                        have = _add(found, 0, d, gx / k1, gy / k1, gz / k1, 0.0, body[p])
            elif kind[p] == HULL:
                best, at = -np.inf, -1
                for m in range(first[p], first[p] + rows_count[p]):
                    d = rows[m, 0] * lx + rows[m, 1] * ly + rows[m, 2] * lz - rows[m, 3]
                    if d > best:
                        best, at = d, m
                if best < far:
                    have = _add(found, 0, best, rows[at, 0], rows[at, 1], rows[at, 2], 0.0, body[p])
            else:
                have = _turned(lx, ly, lz, rows, first[p], rows_count[p], far, found, 0, body[p])
            for m in range(have):
                nx, ny, nz = found[m, 1], found[m, 2], found[m, 3]
                total = _add(
                    all_found, total, found[m, 0],
                    t[0, 0] * nx + t[0, 1] * ny + t[0, 2] * nz,
                    t[1, 0] * nx + t[1, 1] * ny + t[1, 2] * nz,
                    t[2, 0] * nx + t[2, 1] * ny + t[2, 2] * nz,
                    found[m, 4], body[p],
                )  # fmt: skip
        count[i] = total
        free = 1.0
        for k in range(total):
            d = all_found[k, 0]
            distance[i, k] = d
            wall_body[i, k] = int(all_found[k, 5])
            for c in range(3):
                normal[i, k, c] = all_found[k, 1 + c]
            # A wall that lies in the plane of a nearer one, or behind it, is part of that one's half space.
            weight = 1.0
            for m in range(k):
                cosine = 0.0
                for c in range(3):
                    cosine += normal[i, m, c] * normal[i, k, c]
                weight = min(weight, max((distance[i, m] - d * cosine) / (_APART * spacing), 0.0))
            bend = min(max(all_found[k, 4] * spacing, -0.5), 0.5)
            u = (d / spacing + _BEND * bend - FIRST) * PER_UNIT
            if u <= 0.0:
                share, growth = table[0, SHARE], 0.0
            elif u >= (LAST - FIRST) * PER_UNIT:
                share, growth = 0.0, 0.0
            else:
                low = int(u)
                share = table[low, SHARE] + (u - low) * (table[low + 1, SHARE] - table[low, SHARE])
                growth = table[low, SLOPE] + (u - low) * (table[low + 1, SLOPE] - table[low, SLOPE])
            wall_slope[i, k] = weight * growth / spacing
            all_found[k, 4] = 1.0 - weight * share
            free *= all_found[k, 4]
        wall_share[i] = 1.0 - free
        flow[i] = 0.0
        slope[i, 0], slope[i, 1], slope[i, 2] = 0.0, 0.0, 0.0
        for k in range(total):
            others = 1.0
            for m in range(total):
                if m != k:
                    others *= all_found[m, 4]
            wall_slope[i, k] *= others
            b = wall_body[i, k]
            px = x - distance[i, k] * normal[i, k, 0] - body_place[b, 0]
            py = y - distance[i, k] * normal[i, k, 1] - body_place[b, 1]
            pz = z - distance[i, k] * normal[i, k, 2] - body_place[b, 2]
            for c in range(3):
                v = drift[b, c] + rate[b, c, 0] * px + rate[b, c, 1] * py + rate[b, c, 2] * pz
                wall_velocity[i, k, c] = v
                slope[i, c] += wall_slope[i, k] * normal[i, k, c]
                flow[i] += wall_slope[i, k] * normal[i, k, c] * v
