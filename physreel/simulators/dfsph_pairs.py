"""Kernels: particles in the order of their cells, and the pairs of those within reach of each other."""

from __future__ import annotations

import numpy as np

from physreel.simulators.dfsph_jit import kernel, part
from physreel.simulators.dfsph_tables import DRAG, REPELLED, SUPPORT

MOST_CELLS = 300_000
"""Cells are made larger where liquid is spread so far that there would be more."""

FINE = 2
"""Cells within the kernel's reach: with small cells fewer particles are looked at in vain."""


@kernel
def cell_order(position, spacing, start):  # type: ignore[no-untyped-def]
    """Order particles (n, 3) by cell.

    ``start`` (MOST_CELLS + 1,) is filled in: the first particle of each cell in the new order.

    Returns:
        (n,) order, (n,) each one's cell in the new order, (3,) cells along each axis, x fastest, and how many cells are
        within the kernel's reach.
    """
    n = len(position)
    low, high = position[0].copy(), position[0].copy()
    for i in range(1, n):
        for c in range(3):
            low[c] = min(low[c], position[i, c])
            high[c] = max(high[c], position[i, c])
    reach = FINE
    edge = SUPPORT * spacing / FINE
    dims = np.empty(3, np.int64)
    while True:
        total = 1.0
        for c in range(3):
            # Empty cells all round, so that no neighbour needs to be tested for the edge.
            dims[c] = int((high[c] - low[c]) / edge) + 1 + 2 * reach
            total *= dims[c]
        if total <= MOST_CELLS:
            break
        edge *= 2.0
        reach = 1
    cells = dims[0] * dims[1] * dims[2]
    start[: cells + 1] = 0
    cell = np.empty(n, np.int64)
    for i in range(n):
        cx = int((position[i, 0] - low[0]) / edge) + reach
        cy = int((position[i, 1] - low[1]) / edge) + reach
        cz = int((position[i, 2] - low[2]) / edge) + reach
        cell[i] = cx + dims[0] * (cy + dims[1] * cz)
        start[cell[i] + 1] += 1
    for k in range(cells):
        start[k + 1] += start[k]
    order, sorted_cell = np.empty(n, np.int64), np.empty(n, np.int64)
    for i in range(n - 1, -1, -1):
        # From behind, with the ends of cells as cursors: those of one cell stay in order.
        at = start[cell[i] + 1] - 1
        start[cell[i] + 1] = at
        order[at], sorted_cell[at] = i, cell[i]
    # Each cell's end has come down to its first particle, one entry too far on.
    for k in range(cells):
        start[k] = start[k + 1]
    start[cells] = n
    return order, sorted_cell, dims, reach


@part
def _behind(i, j, dx, dy, dz, count, distance, normal, wall_body):  # type: ignore[no-untyped-def]
    """Whether a wall stands between particles i and j = i - (dx, dy, dz): each is behind what the other faces."""
    for a in range(count[i]):
        for b in range(count[j]):
            if wall_body[i, a] != wall_body[j, b]:
                continue
            px, py, pz = normal[i, a, 0], normal[i, a, 1], normal[i, a, 2]
            qx, qy, qz = normal[j, b, 0], normal[j, b, 1], normal[j, b, 2]
            if px * qx + py * qy + pz * qz >= 0.0:
                continue
            if distance[i, a] < dx * px + dy * py + dz * pz and distance[j, b] < -(dx * qx + dy * qy + dz * qz):
                return True
    return False


@kernel
def find_pairs(  # type: ignore[no-untyped-def]
    position, spacing, cell, start, dims, reach, count, distance, normal, wall_body, wall_share, slope, inverse_mass,
    cohesion, first, other, pair, density, diagonal, force, total
):  # fmt: skip
    """Find pairs of particles in cell order, each once; densities; the diagonal of the pressure equations.

    Arguments, by name:
        position: (n, 3) in cell order.
        cell, start, dims, reach: see cell_order.
        count … slope: see find_contacts.
        inverse_mass: (n,).
        cohesion: (n,) its square is the scale of the attraction between particles.
        first: (n + 1,) out: first pair of each particle.
        other: (m,) out: the pairs' second particles.
        pair: (m, 4) out: gradient of the density of the first by its place, and the viscous weight (see drag).
        density: (n,) out, 1 at rest.
        diagonal: (n,) out.
        force: (n, 3) out: attraction.
        total: (n, 4) scratch.

    Returns:
        How many pairs there are; more than m where there was no room for them, and then nothing is of use.
    """
    n = len(position)
    reach2 = (SUPPORT * spacing) ** 2
    # The cubic spline in r / half, times a particle's volume.
    half = 0.5 * SUPPORT * spacing
    inverse = 1.0 / half
    height = spacing**3 / (np.pi * half**3)
    steep = height / (half * half)
    # Where a pair's drag along its line is 10 r² / (r² + 0.04 s²) times the slope, over r and the gradient's square.
    soft, viscous = 0.04 * spacing * spacing, -DRAG * spacing**2
    most = len(other)
    used = 0
    for i in range(n):
        density[i] = height + wall_share[i]
        force[i, 0], force[i, 1], force[i, 2] = 0.0, 0.0, 0.0
        total[i, 0], total[i, 1], total[i, 2], total[i, 3] = slope[i, 0], slope[i, 1], slope[i, 2], 0.0
    nx, nxy = dims[0], dims[0] * dims[1]
    width = 2 * reach + 1
    # Half of the rows of cells around: those of higher y in the same layer, and all in higher layers.
    rows = reach + reach * width
    for i in range(n):
        first[i] = used
        at = cell[i]
        x, y, z = position[i, 0], position[i, 1], position[i, 2]
        gx, gy, gz, g2, w_sum = 0.0, 0.0, 0.0, 0.0, 0.0
        hx, hy, hz = 0.0, 0.0, 0.0
        own_cohesion = cohesion[i] / spacing
        near_wall = count[i] > 0
        own_inverse = inverse_mass[i]
        for row in range(rows + 1):
            if row == 0:
                a, b = i + 1, start[at + reach + 1]
            else:
                if row <= reach:
                    middle = at + row * nx
                else:
                    layer, line = (row - reach - 1) // width, (row - reach - 1) % width
                    middle = at + (layer + 1) * nxy + (line - reach) * nx
                a, b = start[middle - reach], start[middle + reach + 1]
            for j in range(a, b):
                dx, dy, dz = x - position[j, 0], y - position[j, 1], z - position[j, 2]
                r2 = dx * dx + dy * dy + dz * dz
                if r2 >= reach2:
                    continue
                if near_wall and count[j] > 0 and _behind(i, j, dx, dy, dz, count, distance, normal, wall_body):
                    continue
                if used >= most:
                    used += 1
                    continue
                r = np.sqrt(r2)
                q = r * inverse
                if q < 1.0:
                    w = (1.0 + q * q * (0.75 * q - 1.5)) * height
                    by_way = (2.25 * q - 3.0) * steep
                else:
                    u = 2.0 - q
                    w = 0.25 * u * u * u * height
                    by_way = -0.75 * u * u / q * steep
                fx, fy, fz = by_way * dx, by_way * dy, by_way * dz
                f2 = by_way * by_way * r2
                away = 1.0 - 0.5 * r / spacing
                held = own_cohesion * cohesion[j] * (REPELLED * spacing / max(r, 1e-9) - 1.0) * away * away
                if away <= 0.0:
                    held = 0.0
                other[used] = j
                pair[used, 0], pair[used, 1], pair[used, 2] = fx, fy, fz
                pair[used, 3] = viscous / (by_way * (r2 + soft))
                used += 1
                cx, cy, cz = held * dx, held * dy, held * dz
                hx += cx
                hy += cy
                hz += cz
                force[j, 0] -= cx
                force[j, 1] -= cy
                force[j, 2] -= cz
                w_sum += w
                density[j] += w
                gx += fx
                gy += fy
                gz += fz
                g2 += f2 * inverse_mass[j]
                total[j, 0] -= fx
                total[j, 1] -= fy
                total[j, 2] -= fz
                total[j, 3] += f2 * own_inverse
        density[i] += w_sum
        force[i, 0] += hx
        force[i, 1] += hy
        force[i, 2] += hz
        total[i, 0] += gx
        total[i, 1] += gy
        total[i, 2] += gz
        total[i, 3] += g2
    first[n] = used
    for i in range(n):
        size = total[i, 0] ** 2 + total[i, 1] ** 2 + total[i, 2] ** 2
        diagonal[i] = size * inverse_mass[i] + total[i, 3]
    return used
