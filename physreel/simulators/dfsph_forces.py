"""Kernels: what a liquid's step does to the bodies it touches."""

from __future__ import annotations

from physreel.simulators.dfsph_jit import inner, kernel
from physreel.simulators.dfsph_tables import DRAG_ACROSS, DRAG_ALONG, FIRST, LAST, PER_UNIT


@inner
def _add(out, b, ax, ay, az, x, y, z):  # type: ignore[no-untyped-def]
    """An impulse at an arm, and its moment."""
    out[b, 0] += x
    out[b, 1] += y
    out[b, 2] += z
    out[b, 3] += ay * z - az * y
    out[b, 4] += az * x - ax * z
    out[b, 5] += ax * y - ay * x


@kernel
def wall_impulses(  # type: ignore[no-untyped-def]
    position, before, after, mass, pressure, count, distance, normal, wall_body, wall_slope, dt, middle, out
):
    """Add to ``out`` (B, 6) the impulses, and their moments about ``middle`` (B, 3), that bodies take from particles.

    Arguments, by name:
        position: (n, 3).
        before, after: (n, 3) velocities round what walls alone do to a particle (viscosity at walls, being kept out).
        mass, pressure: (n,).
        count … wall_slope: see find_contacts.

    Pressure acts by each wall's own share. The change from ``before`` to ``after`` is the nearest wall's doing.
    """
    for i in range(len(mass)):
        for k in range(count[i]):
            b = wall_body[i, k]
            x = dt * pressure[i] * wall_slope[i, k, 0]
            y = dt * pressure[i] * wall_slope[i, k, 1]
            z = dt * pressure[i] * wall_slope[i, k, 2]
            if k == 0:
                x += mass[i] * (before[i, 0] - after[i, 0])
                y += mass[i] * (before[i, 1] - after[i, 1])
                z += mass[i] * (before[i, 2] - after[i, 2])
            ax = position[i, 0] - distance[i, k] * normal[i, k, 0] - middle[b, 0]
            ay = position[i, 1] - distance[i, k] * normal[i, k, 1] - middle[b, 1]
            az = position[i, 2] - distance[i, k] * normal[i, k, 2] - middle[b, 2]
            _add(out, b, ax, ay, az, x, y, z)


@kernel
def drag_impulses(  # type: ignore[no-untyped-def]
    position, velocity, count, distance, normal, wall_body, wall_velocity, viscosity, spacing, dt, table, middle, out
):
    """Add what viscosity at walls did to bodies, from velocities (n, 3) as ``drag`` left them; see wall_impulses."""
    for i in range(len(viscosity)):
        for k in range(count[i]):
            u = (distance[i, k] / spacing - FIRST) * PER_UNIT
            if u <= 0.0 or u >= (LAST - FIRST) * PER_UNIT:
                continue
            low = int(u)
            f = u - low
            scale = dt * spacing * viscosity[i]
            along = scale * (table[low, DRAG_ALONG] + f * (table[low + 1, DRAG_ALONG] - table[low, DRAG_ALONG]))
            across = scale * (table[low, DRAG_ACROSS] + f * (table[low + 1, DRAG_ACROSS] - table[low, DRAG_ACROSS]))
            b = wall_body[i, k]
            nx, ny, nz = normal[i, k, 0], normal[i, k, 1], normal[i, k, 2]
            x, y, z = (
                velocity[i, 0] - wall_velocity[i, k, 0],
                velocity[i, 1] - wall_velocity[i, k, 1],
                velocity[i, 2] - wall_velocity[i, k, 2],
            )
            more = (across - along) * (nx * x + ny * y + nz * z)
            ax = position[i, 0] - distance[i, k] * nx - middle[b, 0]
            ay = position[i, 1] - distance[i, k] * ny - middle[b, 1]
            az = position[i, 2] - distance[i, k] * nz - middle[b, 2]
            _add(out, b, ax, ay, az, along * x + more * nx, along * y + more * ny, along * z + more * nz)
