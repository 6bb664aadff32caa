"""Kernels: pressures that keep the density, and the motion of one step."""

from __future__ import annotations

import numpy as np

from physreel.simulators.dfsph_jit import inner, kernel

LENGTH = 0.8
"""Length of a projected gradient step, in unknowns scaled so that the matrix has ones on its diagonal."""


@inner
def _pressure_change(x, scale, first, other, pair, slope, inverse_mass, dt, given, change):  # type: ignore[no-untyped-def]
    """Velocity (n, 3) that pressures scale · x give in dt; ``given`` (n,) is room for the pressures."""
    n = len(x)
    for i in range(n):
        given[i] = dt * scale[i] * x[i]
        change[i, 0], change[i, 1], change[i, 2] = 0.0, 0.0, 0.0
    for i in range(n):
        p = given[i]
        fx, fy, fz = p * slope[i, 0], p * slope[i, 1], p * slope[i, 2]
        for k in range(first[i], first[i + 1]):
            j = other[k]
            both = p + given[j]
            gx, gy, gz = both * pair[k, 0], both * pair[k, 1], both * pair[k, 2]
            fx += gx
            fy += gy
            fz += gz
            change[j, 0] += gx
            change[j, 1] += gy
            change[j, 2] += gz
        change[i, 0] -= fx
        change[i, 1] -= fy
        change[i, 2] -= fz
    for i in range(n):
        change[i, 0] *= inverse_mass[i]
        change[i, 1] *= inverse_mass[i]
        change[i, 2] *= inverse_mass[i]


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
def _solve(  # type: ignore[no-untyped-def]
    excess, x, warm, scale, first, other, pair, slope, inverse_mass, dt, tolerance, most, g, change, work, step_change
):  # fmt: skip
    """Solve for pressures that take densities' ``excess`` (n,) at the end of the step down to nothing or below.

    A x = b with x >= 0, where A x > b only where x = 0: by conjugate gradients on what is under pressure, with
    projections where that set changes (Z. Dostal, Optimal quadratic programming algorithms, 2009: MPRGP). Unknowns are
    scaled by ``scale`` (0: has no pressure), x is in and out (0 in, if not ``warm``), ``change`` (n, 3) out is the
    velocity that they give, and -g / scale what is left of the excess.

    Returns:
        Iterations and the root mean square of what is left.
    """
    n = len(x)
    given, p, ap = work[0], work[1], work[2]
    parts = 0
    if warm:
        _pressure_change(x, scale, first, other, pair, slope, inverse_mass, dt, given, change)
        _rates(change, first, other, pair, slope, g)
        for i in range(n):
            g[i] = -scale[i] * (dt * g[i] + excess[i])
    else:
        for i in range(n):
            x[i] = 0.0
            g[i] = -scale[i] * excess[i]
            change[i, 0], change[i, 1], change[i, 2] = 0.0, 0.0, 0.0
    for i in range(n):
        p[i] = g[i] if x[i] > 0.0 else 0.0
        if scale[i] > 0.0:
            parts += 1
    rounds = 0
    while True:
        left, free2, chopped2 = 0.0, 0.0, 0.0
        for i in range(n):
            if x[i] > 0.0:
                free2 += g[i] * g[i]
                left += (g[i] / scale[i]) ** 2
            elif g[i] < 0.0:
                chopped2 += g[i] * g[i]
                left += (g[i] / scale[i]) ** 2
        left = np.sqrt(left / max(parts, 1))
        if left <= tolerance or rounds >= most:
            return rounds, left
        rounds += 1
        growing = chopped2 > free2
        if growing:
            for i in range(n):
                p[i] = g[i] if x[i] <= 0.0 and g[i] < 0.0 else 0.0
        _pressure_change(p, scale, first, other, pair, slope, inverse_mass, dt, given, step_change)
        _rates(step_change, first, other, pair, slope, ap)
        bend, along, room = 0.0, 0.0, np.inf
        for i in range(n):
            ap[i] *= -dt * scale[i]
            bend += p[i] * ap[i]
            along += p[i] * g[i]
            if p[i] > 0.0 and x[i] < room * p[i]:
                room = x[i] / p[i]
        step = along / bend if bend > 0.0 else room
        within = step <= room
        if not within:
            step = room
        for i in range(n):
            x[i] = max(x[i] - step * p[i], 0.0)
            g[i] -= step * ap[i]
            for c in range(3):
                change[i, c] -= step * step_change[i, c]
        if not within:
            # The way out of what may be: a projected step down, from which all is computed anew.
            for i in range(n):
                if x[i] > 0.0:
                    x[i] = max(x[i] - LENGTH * g[i], 0.0)
            _pressure_change(x, scale, first, other, pair, slope, inverse_mass, dt, given, change)
            _rates(change, first, other, pair, slope, g)
            rounds += 1
            for i in range(n):
                g[i] = -scale[i] * (dt * g[i] + excess[i])
                p[i] = g[i] if x[i] > 0.0 else 0.0
        elif growing:
            for i in range(n):
                p[i] = g[i] if x[i] > 0.0 else 0.0
        else:
            fall = 0.0
            for i in range(n):
                if x[i] > 0.0:
                    fall += g[i] * ap[i]
            ratio = fall / bend
            for i in range(n):
                p[i] = g[i] - ratio * p[i] if x[i] > 0.0 else 0.0


@kernel
def press(  # type: ignore[no-untyped-def]
    velocity, density, first, other, pair, slope, flow, inverse_mass, diagonal, dt, least, slack, share, farthest,
    pressure, shift, growth_tolerance, density_tolerance, most
):  # fmt: skip
    """Change velocities so that liquid at rest density is not pressed together, and places so that none is denser.

    Two solves: what stops liquid from growing denser is a force, and changes velocities for good; what takes back the
    denseness that has crept in moves particles only. (As one force it would feed energy in: what it pushes apart flies
    on.)

    Arguments, by name:
        velocity: (n, 3) in and out.
        density: (n,).
        first, other, pair, diagonal: see find_pairs.
        slope, flow: see find_contacts.
        least: what is less dense is spray, and has no pressure.
        slack: liquid may grow denser up to 1 - slack freely.
        share: of what is too dense is taken back in this step; all of it at once overshoots, since walls are stiff.
        farthest: and no particle is shifted by more than this.
        pressure: (n,) in (a guess) and out; pressure times volume.
        shift: (n, 3) out: by how much particles are to be shifted.
        growth_tolerance, density_tolerance: root mean squares of excess density that may be left in each.
        most: iterations.

    Returns:
        Iterations of both.
    """
    n = len(density)
    excess, x, scale, g = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    change, step_change, work = np.empty((n, 3)), np.empty((n, 3)), np.empty((3, n))
    _rates(velocity, first, other, pair, slope, excess)
    for i in range(n):
        if density[i] > least:
            scale[i] = 1.0 / (dt * np.sqrt(diagonal[i]))
            x[i] = max(pressure[i], 0.0) / scale[i]
        else:
            scale[i], x[i] = 0.0, 0.0
        excess[i] = min(density[i] - 1.0 + slack, 0.0) + dt * (excess[i] - flow[i])
    forced, _ = _solve(
        excess, x, True, scale, first, other, pair, slope, inverse_mass, dt, growth_tolerance, most, g, change, work,
        step_change,
    )  # fmt: skip
    for i in range(n):
        pressure[i] = scale[i] * x[i]
        for c in range(3):
            velocity[i, c] += change[i, c]
        # What is left of growth, and the denseness that is there.
        left = -g[i] / scale[i] - min(density[i] - 1.0 + slack, 0.0) if scale[i] > 0.0 else 0.0
        left += density[i] - 1.0
        excess[i] = share * left if left > 0.0 else left
    shifted, _ = _solve(
        excess, x, False, scale, first, other, pair, slope, inverse_mass, dt, density_tolerance, most, g, change, work,
        step_change,
    )  # fmt: skip
    for i in range(n):
        size = dt * np.sqrt(change[i, 0] ** 2 + change[i, 1] ** 2 + change[i, 2] ** 2)
        scale_down = dt if size <= farthest else dt * farthest / size
        for c in range(3):
            shift[i, c] = scale_down * change[i, c]
    return forced, shifted


@kernel
def move(  # type: ignore[no-untyped-def]
    position, velocity, shift, density, alone, count, distance, normal, wall_velocity, least, most, dt
):
    """Move particles by dt, none nearer to a wall than ``least``, none through one, and none farther than ``most``.

    Each goes its velocity's way and its shift (n, 3). What would come nearer in this step loses so much of its speed
    towards the wall, against the wall's own motion, and then of its shift.
    Particles as little dense as ``alone`` that are near no wall meet nothing: they count for less than half.

    Returns:
        The greatest speed that there is, walls' included, and how many particles were held back.
    """
    fastest, held = 0.0, 0
    for i in range(len(position)):
        size = velocity[i, 0] ** 2 + velocity[i, 1] ** 2 + velocity[i, 2] ** 2
        if size * dt * dt > most * most:
            held += 1
            for c in range(3):
                velocity[i, c] *= most / (dt * np.sqrt(size))
        for _ in range(3 if count[i] > 1 else 1):
            for k in range(count[i]):
                nx, ny, nz = normal[i, k, 0], normal[i, k, 1], normal[i, k, 2]
                speed = (
                    (velocity[i, 0] - wall_velocity[i, k, 0]) * nx
                    + (velocity[i, 1] - wall_velocity[i, k, 1]) * ny
                    + (velocity[i, 2] - wall_velocity[i, k, 2]) * nz
                )
                room = max(distance[i, k] - least, 0.0)
                lack = -room / dt - speed
                if lack > 0.0:
                    velocity[i, 0] += lack * nx
                    velocity[i, 1] += lack * ny
                    velocity[i, 2] += lack * nz
                    speed += lack
                lack = -room - dt * speed - (shift[i, 0] * nx + shift[i, 1] * ny + shift[i, 2] * nz)
                if lack > 0.0:
                    shift[i, 0] += lack * nx
                    shift[i, 1] += lack * ny
                    shift[i, 2] += lack * nz
        size = velocity[i, 0] ** 2 + velocity[i, 1] ** 2 + velocity[i, 2] ** 2
        if count[i] == 0 and density[i] <= alone:
            size *= 0.16
        fastest = max(fastest, size)
        for c in range(3):
            position[i, c] += dt * velocity[i, c] + shift[i, c]
        for k in range(count[i]):
            size = wall_velocity[i, k, 0] ** 2 + wall_velocity[i, k, 1] ** 2 + wall_velocity[i, k, 2] ** 2
            fastest = max(fastest, size)
            deep = least - distance[i, k]
            if deep > 0.0:
                push = min(deep, 0.1 * least)
                for c in range(3):
                    position[i, c] += push * normal[i, k, c]
    return np.sqrt(fastest), held
