"""Kernels: viscosity."""

from __future__ import annotations

import numpy as np

from physreel.simulators.dfsph_jit import inner, kernel
from physreel.simulators.dfsph_tables import DRAG_ACROSS, DRAG_ALONG, FIRST, LAST, PER_UNIT


@kernel
def drag(  # type: ignore[no-untyped-def]
    velocity, first, other, pair, count, distance, normal, wall_velocity, mass, viscosity, wall_viscosity, spacing, dt,
    table, tolerance, most
):  # fmt: skip
    """Change velocities by viscosity within dt, implicitly.

    By conjugate gradients, preconditioned by mass: so momentum is kept whatever is left over. The pair form is that of
    M. Weiler, D. Koschier, M. Brand, J. Bender, A physically consistent implicit viscosity solver for SPH fluids
    (2018): forces along the line of two particles, so that turning as a whole costs nothing.

    Arguments, by name:
        velocity: (n, 3) in and out.
        first, other, pair: see find_pairs.
        count … wall_velocity: see find_contacts; walls do not let liquid slip.
        mass: (n,).
        viscosity, wall_viscosity: (n,) dynamic, between particles and at walls.
        tolerance: share of the residual that may be left.
        most: iterations.

    Returns:
        Iterations taken.
    """
    n = len(mass)
    wall = np.zeros((n, 6))
    r, p, a = np.zeros((n, 3)), np.empty((n, 3)), np.empty((n, 3))
    scale = np.empty(n)
    # Each wall's drag, along and across: a symmetric matrix a particle.
    for i in range(n):
        scale[i] = dt * spacing * wall_viscosity[i]
        for k in range(count[i]):
            u = (distance[i, k] / spacing - FIRST) * PER_UNIT
            if u <= 0.0 or u >= (LAST - FIRST) * PER_UNIT:
                continue
            low = int(u)
            f = u - low
            along = table[low, DRAG_ALONG] + f * (table[low + 1, DRAG_ALONG] - table[low, DRAG_ALONG])
            across = table[low, DRAG_ACROSS] + f * (table[low + 1, DRAG_ACROSS] - table[low, DRAG_ACROSS])
            nx, ny, nz = normal[i, k, 0], normal[i, k, 1], normal[i, k, 2]
            more = across - along
            xx, yy, zz = along + more * nx * nx, along + more * ny * ny, along + more * nz * nz
            xy, xz, yz = more * nx * ny, more * nx * nz, more * ny * nz
            wall[i, 0] += xx
            wall[i, 1] += yy
            wall[i, 2] += zz
            wall[i, 3] += xy
            wall[i, 4] += xz
            wall[i, 5] += yz
            ux, uy, uz = (
                wall_velocity[i, k, 0] - velocity[i, 0],
                wall_velocity[i, k, 1] - velocity[i, 1],
                wall_velocity[i, k, 2] - velocity[i, 2],
            )
            r[i, 0] += scale[i] * (xx * ux + xy * uy + xz * uz)
            r[i, 1] += scale[i] * (xy * ux + yy * uy + yz * uz)
            r[i, 2] += scale[i] * (xz * ux + yz * uy + zz * uz)
    _pair_drag(velocity, first, other, pair, viscosity, dt * spacing, r, -1.0)
    size = 0.0
    for i in range(n):
        for c in range(3):
            size += r[i, c] * r[i, c] / mass[i]
            p[i, c] = r[i, c] / mass[i]
    limit = size * tolerance * tolerance
    rounds = 0
    while size > limit and rounds < most:
        for i in range(n):
            x, y, z = p[i, 0], p[i, 1], p[i, 2]
            a[i, 0] = mass[i] * x + scale[i] * (wall[i, 0] * x + wall[i, 3] * y + wall[i, 4] * z)
            a[i, 1] = mass[i] * y + scale[i] * (wall[i, 3] * x + wall[i, 1] * y + wall[i, 5] * z)
            a[i, 2] = mass[i] * z + scale[i] * (wall[i, 4] * x + wall[i, 5] * y + wall[i, 2] * z)
        _pair_drag(p, first, other, pair, viscosity, dt * spacing, a, 1.0)
        bend = 0.0
        for i in range(n):
            for c in range(3):
                bend += p[i, c] * a[i, c]
        step = size / bend
        new = 0.0
        for i in range(n):
            for c in range(3):
                velocity[i, c] += step * p[i, c]
                r[i, c] -= step * a[i, c]
                new += r[i, c] * r[i, c] / mass[i]
        ratio = new / size
        for i in range(n):
            for c in range(3):
                p[i, c] = r[i, c] / mass[i] + ratio * p[i, c]
        size = new
        rounds += 1
    return rounds


@inner
def _pair_drag(velocity, first, other, pair, viscosity, scale, out, sign):  # type: ignore[no-untyped-def]
    """Add the drag of all pairs at velocities (n, 3) to ``out`` (n, 3), times scale and sign."""
    for i in range(len(viscosity)):
        x, y, z = velocity[i, 0], velocity[i, 1], velocity[i, 2]
        mu = viscosity[i]
        ox, oy, oz = 0.0, 0.0, 0.0
        for k in range(first[i], first[i + 1]):
            j = other[k]
            gx, gy, gz = pair[k, 0], pair[k, 1], pair[k, 2]
            t = gx * (x - velocity[j, 0]) + gy * (y - velocity[j, 1]) + gz * (z - velocity[j, 2])
            both = mu if viscosity[j] == mu else 2.0 * mu * viscosity[j] / (mu + viscosity[j])
            t *= sign * scale * both * pair[k, 3]
            ox += t * gx
            oy += t * gy
            oz += t * gz
            out[j, 0] -= t * gx
            out[j, 1] -= t * gy
            out[j, 2] -= t * gz
        out[i, 0] += ox
        out[i, 1] += oy
        out[i, 2] += oz
