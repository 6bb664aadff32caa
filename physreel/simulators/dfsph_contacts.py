"""Kernels: the walls that each particle is near to, with distance, normal, velocity and share of the density."""

from __future__ import annotations

import numpy as np

from physreel.simulators.dfsph_bodies import BOX, CAPSULE, ELLIPSOID, HULL, PLANE, SPHERE
from physreel.simulators.dfsph_jit import inner, kernel, part
from physreel.simulators.dfsph_tables import FIRST, LAST, PER_UNIT, PULL, SHARE, SLOPE, SUPPORT

MOST = 6
"""Walls that a particle can be near to at once; of more, the nearest count."""

_APART = 0.2
"""Of one round surface, a second wall counts in full if its nearest point stands this many spacings over the plane of
the first: less, and it is that wall going on."""

_BEND = 0.13
"""Half the mean square of the kernel's width along a wall, as seen from half a spacing off it: by so much a curved
wall's surface is nearer than its tangent plane, in spacings for a curvature of one by spacing."""

_STIFF = 3.0
"""What is nearer to a wall than half a spacing counts as denser by this times the square of what is missing: else the
weight of the liquid would press its lowest layer half into the wall, and thin it."""

_DEEP = 0.5
"""How deep behind a wall the middle of what is seen of it lies, in spacings."""

_D, _N, _SHARE, _GRAD, _BODY, _PIECE, _COLUMNS = 0, 1, 4, 5, 8, 9, 10
"""Columns of a found wall: distance, normal (3), share of the density, its gradient (3), body, piece."""


@part
def _share(d, table):  # type: ignore[no-untyped-def]
    """A half space's share of the density, and its slope, at distance d in spacings."""
    u = (d - FIRST) * PER_UNIT
    if u <= 0.0:
        return 1.0, 0.0
    if u >= (LAST - FIRST) * PER_UNIT:
        return 0.0, 0.0
    low = int(u)
    f = u - low
    return (
        table[low, SHARE] + f * (table[low + 1, SHARE] - table[low, SHARE]),
        table[low, SLOPE] + f * (table[low + 1, SLOPE] - table[low, SLOPE]),
    )


@inner
def _add(found, count, wall):  # type: ignore[no-untyped-def]
    """Insert a wall into the list ``found`` (MOST, _COLUMNS), nearest first; return how many there are."""
    at = count
    if count == MOST:
        if wall[_D] >= found[MOST - 1, _D]:
            return count
        at = MOST - 1
    while at > 0 and found[at - 1, _D] > wall[_D]:
        found[at] = found[at - 1]
        at -= 1
    found[at] = wall
    return min(count + 1, MOST)


@part
def _flat(wall, d, nx, ny, nz, bend, spacing, table):  # type: ignore[no-untyped-def]
    """A wall that is a half space but for its bend (positive where it bulges)."""
    wall[_D], wall[_N], wall[_N + 1], wall[_N + 2] = d, nx, ny, nz
    share, slope = _share(d / spacing + _BEND * min(max(bend * spacing, -0.5), 0.5), table)
    wall[_SHARE] = share
    slope /= spacing
    wall[_GRAD], wall[_GRAD + 1], wall[_GRAD + 2] = slope * nx, slope * ny, slope * nz


@part
def _box(wall, at, size, spacing, table):  # type: ignore[no-untyped-def]
    """A box: its share is the product of its sides' shares, as if it were as deep as need be behind the side seen."""
    outside, best, axis = 0.0, -np.inf, 0
    for c in range(3):
        beyond = abs(at[c]) - size[c]
        if beyond > 0.0:
            outside += beyond * beyond
        if beyond > best:
            best, axis = beyond, c
    wall[_N], wall[_N + 1], wall[_N + 2] = 0.0, 0.0, 0.0
    if outside > 0.0:
        wall[_D] = np.sqrt(outside)
        for c in range(3):
            beyond = abs(at[c]) - size[c]
            if beyond > 0.0:
                wall[_N + c] = (beyond if at[c] >= 0 else -beyond) / wall[_D]
    else:
        wall[_D] = best
        wall[_N + axis] = 1.0 if at[axis] >= 0 else -1.0
    for c in range(3):
        wall[_GRAD + c] = 1.0
    wall[_SHARE] = 1.0
    for c in range(3):
        near = abs(at[c]) - size[c]
        value, slope = _share(near / spacing, table)
        if near < 0.0:
            # Beside the box, over its narrow side: its far face counts as well.
            far, far_slope = _share((-abs(at[c]) - size[c]) / spacing, table)
            part = -near / size[c]
            slope = slope * (1.0 - (1.0 - far) * part) + value * (-far_slope * part + (1.0 - far) * spacing / size[c])
            value *= 1.0 - (1.0 - far) * part
        slope *= (1.0 if at[c] >= 0 else -1.0) / spacing
        for k in range(3):
            wall[_GRAD + k] *= slope if k == c else value
        wall[_SHARE] *= value


@inner
def _wedge(wall, first, second, cosine, part, spacing, table):  # type: ignore[no-untyped-def]
    """Take off a wall's share what a second plane cuts away: (s, nx, ny, nz) of both, the first as seen more squarely.

    The second counts by how far, at the depth that is seen, it runs from the foot of the particle; ``part`` of it.
    """
    sine = np.sqrt(max(1.0 - cosine * cosine, 1e-6))
    value, slope = _share((second[0] / spacing - (first[0] / spacing + _DEEP) * cosine) / sine, table)
    slope *= part / spacing / sine
    value = 1.0 - part * (1.0 - value)
    for c in range(3):
        across = second[1 + c] - cosine * first[1 + c]
        wall[_GRAD + c] = wall[_GRAD + c] * value + wall[_SHARE] * slope * across
    wall[_SHARE] *= value


@inner
def _hull(wall, at, rows, first, count, spacing, table):  # type: ignore[no-untyped-def]
    """A hull: the face seen most squarely, cut off by the next."""
    best, second, k0, k1 = -np.inf, -np.inf, -1, -1
    for m in range(first, first + count):
        d = rows[m, 0] * at[0] + rows[m, 1] * at[1] + rows[m, 2] * at[2] - rows[m, 3]
        if d > best:
            best, second, k0, k1 = d, best, m, k0
        elif d > second:
            second, k1 = d, m
    _flat(wall, best, rows[k0, 0], rows[k0, 1], rows[k0, 2], 0.0, spacing, table)
    cosine = rows[k0, 0] * rows[k1, 0] + rows[k0, 1] * rows[k1, 1] + rows[k0, 2] * rows[k1, 2]
    one = (best, rows[k0, 0], rows[k0, 1], rows[k0, 2])
    two = (second, rows[k1, 0], rows[k1, 1], rows[k1, 2])
    _wedge(wall, one, two, cosine, 1.0, spacing, table)


@part
def _line(rows, a, b, r, z):  # type: ignore[no-untyped-def]
    """Signed distance of (r, z) from the line through corners a and b, the line's outward normal, and its length."""
    er, ez = rows[b, 0] - rows[a, 0], rows[b, 1] - rows[a, 1]
    length = max(np.sqrt(er * er + ez * ez), 1e-300)
    nr, nz = ez / length, -er / length
    return (r - rows[a, 0]) * nr + (z - rows[a, 1]) * nz, nr, nz, length


@inner
def _turned(at, rows, first, count, far, found, have, wall, spacing, table):  # type: ignore[no-untyped-def]
    """Walls of a turned polygon: each edge that is seen squarely, and convex corners; in the piece's frame."""
    r, z = np.sqrt(at[0] * at[0] + at[1] * at[1]), at[2]
    ux, uy = (at[0] / r, at[1] / r) if r > 1e-12 else (1.0, 0.0)
    inside = False
    near, near_r, near_z = np.inf, 0.0, 0.0
    before = have
    for k in range(count):
        a, b = first + k, first + (k + 1) % count
        ar, az, br, bz = rows[a, 0], rows[a, 1], rows[b, 0], rows[b, 1]
        er, ez = br - ar, bz - az
        along, length2 = (r - ar) * er + (z - az) * ez, er * er + ez * ez
        if (az > z) != (bz > z) and r < ar + er * (z - az) / ez:
            inside = not inside
        prev = first + (k + count - 1) % count
        onto = (r - ar) * (ar - rows[prev, 0]) + (z - az) * (az - rows[prev, 1])
        if onto > 0.0 and along < 0.0:
            # The corner at the edge's start is nearest: cut by both its edges, the more square one first.
            gap = np.sqrt((r - ar) ** 2 + (z - az) ** 2)
            if gap < far:
                s0, r0, z0, _ = _line(rows, prev, a, r, z)
                s1, r1, z1, _ = _line(rows, a, b, r, z)
                if ar <= 1e-12:
                    # On the axis one of the two edges is none.
                    if er == 0.0:
                        s1, r1, z1 = s0, r0, z0
                    else:
                        s0, r0, z0 = s1, r1, z1
                elif s1 > s0:
                    s0, r0, z0, s1, r1, z1 = s1, r1, z1, s0, r0, z0
                _flat(wall, s0, r0 * ux, r0 * uy, z0, 0.0, spacing, table)
                cosine = r0 * r1 + z0 * z1
                if cosine < 1.0 - 1e-9:
                    _wedge(
                        wall, (s0, r0 * ux, r0 * uy, z0), (s1, r1 * ux, r1 * uy, z1), cosine, 1.0, spacing, table
                    )  # fmt: skip
                nr, nz = ((r - ar) / gap, (z - az) / gap) if gap > 0.0 else (r0, z0)
                wall[_D], wall[_N], wall[_N + 1], wall[_N + 2] = gap, nr * ux, nr * uy, nz
                have = _add(found, have, wall)
        if (ar > 1e-12 or br > 1e-12) and 0.0 <= along <= length2 and length2 > 0.0:
            side, nr, nz, length = _line(rows, a, b, r, z)
            if 0.0 <= side < far:
                foot = ar + er * along / length2
                _flat(wall, side, nr * ux, nr * uy, nz, nr / max(foot, 1e-9), spacing, table)
                way = along / length
                closer = min(way, length - way)
                for end in range(2):
                    c, d = (prev, a) if end == 0 else (b, first + (k + 2) % count)
                    if rows[c, 0] <= 1e-12 and rows[d, 0] <= 1e-12:
                        continue
                    s1, r1, z1, other = _line(rows, c, d, r, z)
                    # Convex corners only, and of a narrow edge the farther one by degrees.
                    turn = er * (rows[d, 1] - rows[c, 1]) - ez * (rows[d, 0] - rows[c, 0])
                    if other <= 0.0 or (turn if end == 1 else -turn) <= 0.0:
                        continue
                    part = 1.0 if (way if end == 0 else length - way) == closer else 2.0 * closer / length
                    _wedge(
                        wall, (side, nr * ux, nr * uy, nz), (s1, r1 * ux, r1 * uy, z1), nr * r1 + nz * z1, part,
                        spacing, table,
                    )  # fmt: skip
                have = _add(found, have, wall)
            if abs(side) < near:
                near, near_r, near_z = abs(side), nr, nz
    if inside and near < np.inf:
        have = before
        _flat(wall, -near, near_r * ux, near_r * uy, near_z, 0.0, spacing, table)
        have = _add(found, have, wall)
    return have


@kernel
def find_contacts(  # type: ignore[no-untyped-def]
    position, spacing, kind, body, turn, place, size, first, rows_count, rows, middle, reach,
    body_turn, body_place, next_turn, next_place, dt, table, sticks,
    count, distance, normal, wall_body, wall_velocity, wall_slope, wall_share, slope, flow, pull
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
        wall_velocity: (n, MOST, 3) out, of the wall as if it reached to the particle.
        wall_slope: (n, MOST, 3) out: gradient of its share of the density.
        wall_share: (n,) out: share of the density that is walls.
        slope: (n, 3) out: its gradient.
        flow: (n,) out: its growth by the walls' own motion, negated: gradients · wall velocities.
        pull: (n, 3) out: the attraction of walls, for a cohesion of 1; of bodies that ``sticks`` (B,) names.
    """
    far = SUPPORT * spacing
    local, found = np.empty((MOST, _COLUMNS)), np.empty((MOST, _COLUMNS))
    wall, at = np.empty(_COLUMNS), np.empty(3)
    free, weight = np.empty(MOST), np.empty(MOST)
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
            for c in range(3):
                at[c] = t[0, c] * dx + t[1, c] * dy + t[2, c] * dz
            have = 0
            if kind[p] == PLANE:
                if at[2] < far:
                    _flat(wall, at[2], 0.0, 0.0, 1.0, 0.0, spacing, table)
                    have = _add(local, 0, wall)
            elif kind[p] == BOX:
                qx, qy, qz = abs(at[0]) - size[p, 0], abs(at[1]) - size[p, 1], abs(at[2]) - size[p, 2]
                if qx < far and qy < far and qz < far:
                    _box(wall, at, size[p], spacing, table)
                    if wall[_D] < far:
                        have = _add(local, 0, wall)
            elif kind[p] == SPHERE or kind[p] == CAPSULE:
                along = min(max(at[2], -size[p, 1]), size[p, 1])
                h = np.sqrt(at[0] ** 2 + at[1] ** 2 + (at[2] - along) ** 2)
                if h > 1e-12 and h - size[p, 0] < far:
                    bend = (2.0 if abs(along) == size[p, 1] else 1.0) / size[p, 0]
                    _flat(wall, h - size[p, 0], at[0] / h, at[1] / h, (at[2] - along) / h, bend, spacing, table)
                    have = _add(local, 0, wall)
            elif kind[p] == ELLIPSOID:
                ax, ay, az = at[0] / size[p, 0], at[1] / size[p, 1], at[2] / size[p, 2]
                k0 = np.sqrt(ax * ax + ay * ay + az * az)
                gx, gy, gz = ax / size[p, 0], ay / size[p, 1], az / size[p, 2]
                k1 = np.sqrt(gx * gx + gy * gy + gz * gz)
                if k1 > 1e-12 and k0 * (k0 - 1.0) / k1 < far:
                    _flat(wall, k0 * (k0 - 1.0) / k1, gx / k1, gy / k1, gz / k1, 0.0, spacing, table)
                    have = _add(local, 0, wall)
            elif kind[p] == HULL:
                _hull(wall, at, rows, first[p], rows_count[p], spacing, table)
                if wall[_D] < far:
                    have = _add(local, 0, wall)
            else:
                have = _turned(at, rows, first[p], rows_count[p], far, local, 0, wall, spacing, table)
            for m in range(have):
                # Into the world's frame.
                wall[:] = local[m]
                for first_column in (_N, _GRAD):
                    vx, vy, vz = wall[first_column], wall[first_column + 1], wall[first_column + 2]
                    for c in range(3):
                        wall[first_column + c] = t[c, 0] * vx + t[c, 1] * vy + t[c, 2] * vz
                wall[_BODY], wall[_PIECE] = body[p], p
                total = _add(found, total, wall)
        count[i] = total
        gone = 1.0
        for k in range(total):
            d = found[k, _D]
            distance[i, k] = d
            wall_body[i, k] = int(found[k, _BODY])
            for c in range(3):
                normal[i, k, c] = found[k, _N + c]
            weight[k] = 1.0
            for m in range(k):
                if found[m, _PIECE] == found[k, _PIECE]:
                    cosine = 0.0
                    for c in range(3):
                        cosine += normal[i, m, c] * normal[i, k, c]
                    weight[k] = min(weight[k], max((distance[i, m] - d * cosine) / (_APART * spacing), 0.0))
            free[k] = 1.0 - weight[k] * found[k, _SHARE]
            gone *= free[k]
        share = 1.0 - gone
        flow[i] = 0.0
        slope[i, 0], slope[i, 1], slope[i, 2] = 0.0, 0.0, 0.0
        pull[i, 0], pull[i, 1], pull[i, 2] = 0.0, 0.0, 0.0
        for k in range(total):
            others = weight[k]
            for m in range(total):
                if m != k:
                    others *= free[m]
            lack = weight[k] * _STIFF * max(0.5 - distance[i, k] / spacing, 0.0)
            share += lack * (0.5 - distance[i, k] / spacing)
            b = wall_body[i, k]
            hold = 0.0
            u = (distance[i, k] / spacing - FIRST) * PER_UNIT
            if sticks[b] and 0.0 < u < (LAST - FIRST) * PER_UNIT:
                low = int(u)
                hold = weight[k] * (table[low, PULL] + (u - low) * (table[low + 1, PULL] - table[low, PULL]))
            # The wall's motion goes on where the particle is: what turns with a wall feels no drag.
            px, py, pz = x - body_place[b, 0], y - body_place[b, 1], z - body_place[b, 2]
            for c in range(3):
                v = drift[b, c] + rate[b, c, 0] * px + rate[b, c, 1] * py + rate[b, c, 2] * pz
                wall_velocity[i, k, c] = v
                wall_slope[i, k, c] = others * found[k, _GRAD + c] - 2.0 * lack / spacing * normal[i, k, c]
                slope[i, c] += wall_slope[i, k, c]
                pull[i, c] -= hold * normal[i, k, c]
                flow[i] += wall_slope[i, k, c] * v
        wall_share[i] = share
