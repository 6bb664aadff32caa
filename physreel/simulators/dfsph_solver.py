"""Kernels: pressures that keep the density, viscosity, and the motion of one step."""

from __future__ import annotations

import numpy as np

from physreel.simulators.dfsph_jit import inner, kernel
from physreel.simulators.dfsph_tables import DRAG_ACROSS, DRAG_ALONG, FIRST, LAST, PER_UNIT

LENGTH = 0.8


@inner
def _pressure_change(pressure, first, other, pair, slope, mass, dt, change):  # type: ignore[no-untyped-def]
    """Velocity (n, 3) that pressures give in dt."""
    n = len(pressure)
    change[:] = 0.0
    for i in range(n):
        p = pressure[i]
        x, y, z = -p * slope[i, 0], -p * slope[i, 1], -p * slope[i, 2]
        for k in range(first[i], first[i + 1]):
            j = other[k]
            both = p + pressure[j]
            if both == 0.0:
                continue
            fx, fy, fz = both * pair[k, 0], both * pair[k, 1], both * pair[k, 2]
            x -= fx
            y -= fy
            z -= fz
            change[j, 0] += fx
            change[j, 1] += fy
            change[j, 2] += fz
        change[i, 0] += x
        change[i, 1] += y
        change[i, 2] += z
    for i in range(n):
        scale = dt / mass[i]
        change[i, 0] *= scale
        change[i, 1] *= scale
        change[i, 2] *= scale


@inner
def _rates(velocity, first, other, pair, slope, rate):  # type: ignore[no-untyped-def]
    """How fast densities (n,) grow where walls stand still."""
    n = len(rate)
    for i in range(n):
        rate[i] = velocity[i, 0] * slope[i, 0] + velocity[i, 1] * slope[i, 1] + velocity[i, 2] * slope[i, 2]
    for i in range(n):
        x, y, z = velocity[i, 0], velocity[i, 1], velocity[i, 2]
        own = 0.0
        for k in range(first[i], first[i + 1]):
            j = other[k]
            t = (
                pair[k, 0] * (x - velocity[j, 0])
                + pair[k, 1] * (y - velocity[j, 1])
                + pair[k, 2] * (z - velocity[j, 2])
            )
            own += t
            rate[j] += t
        rate[i] += own


@inner
def _apply(x, scale, first, other, pair, slope, mass, dt, pressure, change, out):  # type: ignore[no-untyped-def]
    """Set ``out`` to S A S x: A p is the loss of density in dt by pressures p, and S the diagonal ``scale``."""
    n = len(x)
    for i in range(n):
        pressure[i] = scale[i] * x[i]
    _pressure_change(pressure, first, other, pair, slope, mass, dt, change)
    _rates(change, first, other, pair, slope, out)
    for i in range(n):
        out[i] *= -dt * scale[i]


@kernel
def press(  # type: ignore[no-untyped-def]
    velocity, excess, takes_part, first, other, pair, slope, flow, mass, diagonal, dt, pressure, tolerance, most
):
    """Change velocities so that no density grows beyond 1 within dt.

    Pressures solve A p = b with p >= 0, where A p < b only where p = 0: by conjugate gradients on what is under
    pressure, with projections where that set changes (Z. Dostal, Optimal quadratic programming algorithms, 2009:
    MPRGP), scaled by the diagonal of A.
    """
    n = len(excess)
    start, change, given = np.empty(n), np.empty((n, 3)), np.empty(n)
    x, scale, g, p, ap = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    _rates(velocity, first, other, pair, slope, start)
    parts = 0
    for i in range(n):
        if takes_part[i]:
            scale[i] = 1.0 / (dt * np.sqrt(diagonal[i]))
            x[i] = max(pressure[i], 0.0) / scale[i]
            parts += 1
        else:
            scale[i], x[i] = 0.0, 0.0
        start[i] = excess[i] + dt * (start[i] - flow[i])
    # g: gradient in the scaled unknowns; its entry over scale is what is left of the density's excess, negated.
    _apply(x, scale, first, other, pair, slope, mass, dt, given, change, g)
    for i in range(n):
        g[i] -= scale[i] * start[i]
        p[i] = g[i] if x[i] > 0.0 else 0.0
    rounds = 0
    left = 0.0
    while True:
        left, free2, chopped2 = 0.0, 0.0, 0.0
        for i in range(n):
            if takes_part[i]:
                if x[i] > 0.0:
                    free2 += g[i] * g[i]
                    left += (g[i] / scale[i]) ** 2
                elif g[i] < 0.0:
                    chopped2 += g[i] * g[i]
                    left += (g[i] / scale[i]) ** 2
        left = np.sqrt(left / max(parts, 1))
        if left <= tolerance or rounds >= most:
            break
        rounds += 1
        if chopped2 <= free2:
            _apply(p, scale, first, other, pair, slope, mass, dt, given, change, ap)
            bend, along, room = 0.0, 0.0, np.inf
            for i in range(n):
                bend += p[i] * ap[i]
                along += p[i] * g[i]
                if p[i] > 0.0:
                    room = min(room, x[i] / p[i])
            step = along / bend if bend > 0.0 else np.inf
            if step <= room:
                fall = 0.0
                for i in range(n):
                    x[i] -= step * p[i]
                    g[i] -= step * ap[i]
                    if x[i] > 0.0:
                        fall += g[i] * ap[i]
                ratio = fall / bend
                for i in range(n):
                    p[i] = (g[i] if x[i] > 0.0 else 0.0) - ratio * p[i]
            else:
                for i in range(n):
                    x[i] = max(x[i] - room * p[i], 0.0)
                    g[i] -= room * ap[i]
                for i in range(n):
                    if x[i] > 0.0:
                        x[i] = max(x[i] - LENGTH * g[i], 0.0)
                _apply(x, scale, first, other, pair, slope, mass, dt, given, change, g)
                rounds += 1
                for i in range(n):
                    g[i] -= scale[i] * start[i]
                    p[i] = g[i] if x[i] > 0.0 else 0.0
        else:
            for i in range(n):
                p[i] = g[i] if takes_part[i] and x[i] <= 0.0 and g[i] < 0.0 else 0.0
            _apply(p, scale, first, other, pair, slope, mass, dt, given, change, ap)
            bend, along = 0.0, 0.0
            for i in range(n):
                bend += p[i] * ap[i]
                along += p[i] * g[i]
            step = along / bend
            for i in range(n):
                x[i] -= step * p[i]
                g[i] -= step * ap[i]
            for i in range(n):
                p[i] = g[i] if x[i] > 0.0 else 0.0
    for i in range(n):
        pressure[i] = scale[i] * x[i]
    _pressure_change(pressure, first, other, pair, slope, mass, dt, change)
    for i in range(n):
        for c in range(3):
            velocity[i, c] += change[i, c]
    return rounds, left


@kernel
def drag(  # type: ignore[no-untyped-def]
    velocity, first, other, pair, count, distance, normal, wall_velocity, weight, mass, viscosity, spacing, dt, table,
    tolerance, most
):  # fmt: skip
    """Change velocities by viscosity within dt, implicitly (conjugate gradients).

    The pair form is that of M. Weiler, D. Koschier, M. Brand, J. Bender, A physically consistent implicit viscosity
    solver for SPH fluids (2018): forces along the line of two particles, so that turning as a whole costs nothing.

    Arguments, by name:
        velocity: (n, 3) in and out.
        count … wall_velocity: see find_contacts; walls do not let liquid slip.
        weight: (n, MOST) share of each wall that counts.
        mass: (n,).
        viscosity: (n,) dynamic.
        tolerance: share of the residual that may be left.

    Returns:
        Iterations taken.
    """
    n = len(mass)
    wall = np.zeros((n, 6))
    r, p, a = np.zeros((n, 3)), np.empty((n, 3)), np.empty((n, 3))
    scale = np.empty(n)
    # Each wall's drag, along and across: a symmetric matrix a particle.
    for i in range(n):
        scale[i] = dt * spacing * viscosity[i]
        for k in range(count[i]):
            u = (distance[i, k] / spacing - FIRST) * PER_UNIT
            if u <= 0.0 or u >= (LAST - FIRST) * PER_UNIT:
                continue
            low = int(u)
            f = u - low
            along = weight[i, k] * (table[low, DRAG_ALONG] + f * (table[low + 1, DRAG_ALONG] - table[low, DRAG_ALONG]))
            across = weight[i, k] * (
                table[low, DRAG_ACROSS] + f * (table[low + 1, DRAG_ACROSS] - table[low, DRAG_ACROSS])
            )
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
            size += r[i, c] * r[i, c]
            p[i, c] = r[i, c]
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
                new += r[i, c] * r[i, c]
        ratio = new / size
        for i in range(n):
            for c in range(3):
                p[i, c] = r[i, c] + ratio * p[i, c]
        size = new
        rounds += 1
    return rounds


@inner
def _pair_drag(velocity, first, other, pair, viscosity, scale, out, sign):  # type: ignore[no-untyped-def]
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


@kernel
def move(position, velocity, count, distance, normal, wall_velocity, least, dt):  # type: ignore[no-untyped-def]
    """Move particles by dt, none nearer to a wall than ``least`` and none through one.

    What would come nearer in this step loses so much of its speed towards the wall, against the wall's own motion.

    Returns:
        The greatest speed.
    """
    fastest = 0.0
    for i in range(len(position)):
        for _ in range(3 if count[i] > 1 else 1):
            for k in range(count[i]):
                nx, ny, nz = normal[i, k, 0], normal[i, k, 1], normal[i, k, 2]
                speed = (
                    (velocity[i, 0] - wall_velocity[i, k, 0]) * nx
                    + (velocity[i, 1] - wall_velocity[i, k, 1]) * ny
                    + (velocity[i, 2] - wall_velocity[i, k, 2]) * nz
                )
                lack = -max(distance[i, k] - least, 0.0) / dt - speed
                if lack > 0.0:
                    velocity[i, 0] += lack * nx
                    velocity[i, 1] += lack * ny
                    velocity[i, 2] += lack * nz
        size = velocity[i, 0] ** 2 + velocity[i, 1] ** 2 + velocity[i, 2] ** 2
        fastest = max(fastest, size)
        for c in range(3):
            position[i, c] += dt * velocity[i, c]
        for k in range(count[i]):
            deep = least - distance[i, k]
            if deep > 0.0:
                push = min(deep, 0.1 * least)
                for c in range(3):
                    position[i, c] += push * normal[i, k, c]
    return np.sqrt(fastest)
