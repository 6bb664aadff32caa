"""Kernels: particles in the order of their cells, and the pairs of those within reach of each other."""

from __future__ import annotations

import numpy as np

from physreel.simulators.dfsph_jit import inner, kernel

MOST_CELLS = 2_000_000
"""Cells are made larger where liquid is spread so far that there would be more."""


@kernel
def cell_order(position, spacing):  # type: ignore[no-untyped-def]
    """Order of particles (n, 3) by cell.

    Returns:
        (n,) order, (cells + 1,) first particle of each cell in that order, (3,) cells along each axis, x fastest.
    """
    n = len(position)
    low, high = position[0].copy(), position[0].copy()
    for i in range(1, n):
        for c in range(3):
            low[c] = min(low[c], position[i, c])
            high[c] = max(high[c], position[i, c])
    edge = 2.0 * spacing
    dims = np.empty(3, np.int64)
    while True:
        total = 1.0
        for c in range(3):
            # A row of empty cells on each side, so that no neighbour needs to be tested for the edge.
            dims[c] = int((high[c] - low[c]) / edge) + 3
            total *= dims[c]
        if total <= MOST_CELLS:
            break
        edge *= 2.0
    cells = dims[0] * dims[1] * dims[2]
    start = np.zeros(cells + 1, np.int64)
    cell = np.empty(n, np.int64)
    for i in range(n):
        cx = int((position[i, 0] - low[0]) / edge) + 1
        cy = int((position[i, 1] - low[1]) / edge) + 1
        cz = int((position[i, 2] - low[2]) / edge) + 1
        cell[i] = cx + dims[0] * (cy + dims[1] * cz)
        start[cell[i] + 1] += 1
    for k in range(cells):
        start[k + 1] += start[k]
    filled = start[:-1].copy()
    order = np.empty(n, np.int64)
    for i in range(n):
        order[filled[cell[i]]] = i
        filled[cell[i]] += 1
    return order, start, dims


@inner
def _behind(i, j, dx, dy, dz, count, distance, normal, wall_body):  # type: ignore[no-untyped-def]
    """Whether a wall stands between particles i and j = i - (dx, dy, dz): each is behind what the other faces."""
    for a in range(count[i]):
        for b in range(count[j]):
            if wall_body[i, a] != wall_body[j, b]:
                continue
            p, q = normal[i, a], normal[j, b]
            if p[0] * q[0] + p[1] * q[1] + p[2] * q[2] >= 0.0:
                continue
            if distance[i, a] - (dx * p[0] + dy * p[1] + dz * p[2]) < 0.0 and (
                distance[j, b] + dx * q[0] + dy * q[1] + dz * q[2] < 0.0
            ):
                return True
    return False


@kernel
def find_pairs(  # type: ignore[no-untyped-def]
    position, spacing, start, dims, count, distance, normal, wall_body, wall_share, slope, mass,
    first, other, pair, density, diagonal, close
):  # fmt: skip
    """Pairs of particles in cell order, each once; densities; the diagonal of the pressure equations.

    Arguments, by name:
        position: (n, 3) in cell order.
        start, dims: see cell_order.
        count … wall_body: see find_contacts.
        wall_share, slope: likewise.
        mass: (n,).
        first: (n + 1,) out: first pair of each particle.
        other: (m,) out: the pairs' second particles.
        pair: (m, 4) out: gradient of the density of the first by its place, and the viscous weight (see viscosity).
        density: (n,) out, 1 at rest.
        diagonal: (n,) out.
        close: (n,) out: how many particles are within reach.

    Returns:
        How many pairs there are; more than m where there was no room for them, and then nothing is filled in.
    """
    n = len(position)
    reach2 = (2.0 * spacing) ** 2
    inverse = 1.0 / spacing
    most = len(other)
    used = 0
    total = np.zeros((n, 4))
    for i in range(n):
        density[i] = 1.0 / np.pi
        close[i] = 0
    nx, nxy = dims[0], dims[0] * dims[1]
    cells = len(start) - 1
    for cell in range(cells):
        low, high = start[cell], start[cell + 1]
        if low == high:
            continue
        for i in range(low, high):
            first[i] = used
            x, y, z = position[i, 0], position[i, 1], position[i, 2]
            for row in range(5):
                if row == 0:
                    a, b = i + 1, start[cell + 2]
                else:
                    # (y + 1, z) and (y - 1 … y + 1, z + 1)
                    at = cell + (nx if row == 1 else nxy + (row - 3) * nx)
                    a, b = start[at - 1], start[at + 2]
                for j in range(a, b):
                    dx, dy, dz = x - position[j, 0], y - position[j, 1], z - position[j, 2]
                    r2 = dx * dx + dy * dy + dz * dz
                    if r2 >= reach2:
                        continue
                    if count[i] > 0 and count[j] > 0 and _behind(i, j, dx, dy, dz, count, distance, normal, wall_body):
                        continue
                    if used >= most:
                        used += 1
                        continue
                    r = np.sqrt(r2)
                    q = r * inverse
                    if q < 1.0:
                        w = (1.0 + q * q * (0.75 * q - 1.5)) / np.pi
                        slope_by_q = (2.25 * q - 3.0) / np.pi
                    else:
                        u = 2.0 - q
                        w = 0.25 * u * u * u / np.pi
                        slope_by_q = -0.75 * u * u / (q * np.pi)
                    scale = slope_by_q * inverse * inverse
                    gx, gy, gz = scale * dx, scale * dy, scale * dz
                    other[used] = j
                    pair[used, 0], pair[used, 1], pair[used, 2] = gx, gy, gz
                    # Drag between the two per viscosity and spacing, over the gradient's square.
                    g2 = gx * gx + gy * gy + gz * gz
                    pair[used, 3] = -10.0 * slope_by_q * q * q / (q * q + 0.04) / max(g2, 1e-30)
                    used += 1
                    density[i] += w
                    density[j] += w
                    close[i] += 1
                    close[j] += 1
                    total[i, 0] += gx
                    total[i, 1] += gy
                    total[i, 2] += gz
                    total[i, 3] += g2 / mass[j]
                    total[j, 0] -= gx
                    total[j, 1] -= gy
                    total[j, 2] -= gz
                    total[j, 3] += g2 / mass[i]
    first[n] = used
    for i in range(n):
        density[i] += wall_share[i]
        gx, gy, gz = total[i, 0] + slope[i, 0], total[i, 1] + slope[i, 1], total[i, 2] + slope[i, 2]
        diagonal[i] = (gx * gx + gy * gy + gz * gz) / mass[i] + total[i, 3]
    return used
