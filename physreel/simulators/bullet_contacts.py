"""Contacts of a Bullet world, read at every step, and their rebound by Poisson's law."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import wxyz_to_matrix
from physreel.simulators.bullet_world import BulletWorld
from physreel.simulators.contact_rows import ContactPoints
from physreel.simulators.preparation import Preparation

Floats = NDArray[np.float64]

_Impact = tuple[int, int, tuple[float, float, float], tuple[float, float, float], float, tuple[float, ...]]
"""Two bodies, point, normal, the impulse of the rebound, and the velocities before the step as recorded."""


class Contacts:
    """Records contacts and gives impacts their rebound.

    Bullet's own restitution depends on the step (its contacts look ahead by a gap's length a step) and knows only
    products of two bodies' numbers. So Bullet's contacts are inelastic, and the impulse that stopped the approach is
    followed by e times itself: Poisson's law (S. D. Poisson, 1833; W. J. Stronge, Impact Mechanics, 2000, chapter 3).
    """

    def __init__(
        self,
        client: Any,
        preparation: Preparation,
        world: BulletWorld,
        driven: dict[int, tuple[Floats, Floats, Floats]],
    ) -> None:
        self.p, self.prep, self.world, self.driven = client, preparation, world, driven
        self.raw: list[tuple[float, ...]] = []
        self._gravity = float(np.linalg.norm(preparation.spec.gravity_m_s2))
        self._material = preparation.material.tolist()
        self._restitution = preparation.restitution.tolist()
        self._turn = np.zeros((len(preparation.masses), 4))

    def points(self) -> ContactPoints:
        """All contact points recorded so far."""
        return _points(self.raw)

    def record(self, n: int, before: Floats, center: Floats, turn: Floats) -> set[int]:
        """Record the contacts of step n and hand impacts their rebound; return the bodies that touched."""
        p, h, world = self.p, self.prep.step_s, self.world
        touched: set[int] = set()
        raw, self._turn = self.raw, turn
        # Bullet's resting contacts shake by a few times what gravity adds in a step; that must not bounce.
        start = 4.0 * self._gravity * h
        impacts: list[_Impact] = []
        speeds, centers = before.tolist(), center.tolist()
        body_at, material = world.body_at, self._material
        # Plain numbers: for three components numpy costs more than it saves.
        for point in p.getContactPoints():
            force = point[9]
            if force <= 0.0:
                continue
            a, b = body_at.get((point[1], point[3])), body_at.get((point[2], point[4]))
            if a is None or b is None:
                continue
            touched.add(a)
            touched.add(b)
            x, y, z = point[6]
            nx, ny, nz = point[7]
            nx, ny, nz = -nx, -ny, -nz
            ax, ay, az = _surface_velocity(speeds[a], centers[a], x, y, z)
            bx, by, bz = _surface_velocity(speeds[b], centers[b], x, y, z)
            rx, ry, rz = bx - ax, by - ay, bz - az
            speed = rx * nx + ry * ny + rz * nz
            impulse = force * h
            # Bullet gives friction on its body A; the table wants it on the second body.
            f1, (ux, uy, uz), f2, (vx, vy, vz) = point[10], point[11], point[12], point[13]
            tx, ty, tz = -h * (f1 * ux + f2 * vx), -h * (f1 * uy + f2 * vy), -h * (f1 * uz + f2 * vz)
            raw.append(
                (
                    n, a, b, x, y, z, nx, ny, nz, impulse, tx, ty, tz,
                    rx - speed * nx, ry - speed * ny, rz - speed * nz, speed,
                )
            )  # fmt: skip
            share = min(max((-speed - start) / (2.0 * start + 1e-9), 0.0), 1.0)
            if share <= 0.0:
                continue
            rebound = self._restitution[material[a]][material[b]] * share * share * (3 - 2 * share)
            if rebound > 0.0:
                impacts.append((a, b, (x, y, z), (nx, ny, nz), rebound * impulse, raw[-1][13:17]))
        if impacts:
            self._rebound(n, impacts, centers)
        return touched

    def _rebound(self, n: int, impacts: list[_Impact], centers: list[list[float]]) -> None:
        """Give back what restitution keeps of the impulses that stopped the approach, at once.

        Friction goes on during the rebound, but no further than to end what slip is left.
        """
        prep = self.prep
        points: dict[tuple[int, int], int] = {}
        for a, b, *_ in impacts:
            points[a, b] = points.get((a, b), 0) + 1
        after = {i: self._velocity(i, n) for a, b, *_ in impacts for i in (a, b)}
        for a, b, place, normal, impulse, before in impacts:
            slip = np.subtract(
                _surface_velocity(after[b], centers[b], *place), _surface_velocity(after[a], centers[a], *place)
            )
            slip = slip - float(slip @ normal) * np.asarray(normal)
            speed = float(np.linalg.norm(slip))
            friction = np.zeros(3)
            if speed > 1e-6:
                way = slip / speed
                yielding = math.fsum(self._yielding(i, centers[i], place, way) for i in (a, b))
                coefficient = float(prep.friction[prep.material[a], prep.material[b]])
                friction = -min(coefficient * impulse, speed / (yielding * points[a, b])) * way
            push = impulse * np.asarray(normal) + friction
            self.raw.append((n, a, b, *place, *normal, impulse, *friction.tolist(), *before))
            for i, sign in ((a, -1.0), (b, 1.0)):
                self._push(i, sign * push, np.asarray(place), centers[i])

    def _push(self, i: int, impulse: Floats, place: Floats, center: list[float]) -> None:
        p, mass, at = self.p, self.prep.masses[i], self.world.places[i]
        if mass is None:
            return
        if i not in self.world.free:
            # What hangs on joints takes it as a force in the next step, so that its joints feel it.
            p.applyExternalForce(
                at.bullet_id, at.link, (impulse / self.prep.step_s).tolist(), place.tolist(), p.WORLD_FRAME
            )
            return
        linear, angular = p.getBaseVelocity(at.bullet_id)
        matrix = wxyz_to_matrix(self._turn[i])
        twist = matrix @ np.linalg.solve(mass.inertia, matrix.T @ np.cross(place - center, impulse))
        p.resetBaseVelocity(at.bullet_id, (linear + impulse / mass.mass).tolist(), (angular + twist).tolist())

    def _velocity(self, i: int, n: int) -> list[float]:
        place = self.world.places[i]
        if i in self.driven:
            return [*self.driven[i][1][n].tolist(), *self.driven[i][2][n].tolist()]
        if self.prep.masses[i] is None:
            return [0.0] * 6
        if place.link == -1:
            linear, angular = self.p.getBaseVelocity(place.bullet_id)
        else:
            state = self.p.getLinkState(place.bullet_id, place.link, computeLinkVelocity=1)
            linear, angular = state[6], state[7]
        return [*linear, *angular]

    def _yielding(self, i: int, center: list[float], place: tuple[float, float, float], way: Floats) -> float:
        """Speed per impulse (1/kg) of a body's surface point in a direction, the body being free."""
        mass = self.prep.masses[i]
        if mass is None:
            return 0.0
        lever = wxyz_to_matrix(self._turn[i]).T @ np.cross(np.subtract(place, center), way)
        return float(1.0 / mass.mass + lever @ np.linalg.solve(mass.inertia, lever))


def _surface_velocity(
    velocity: list[float], center: list[float], x: float, y: float, z: float
) -> tuple[float, float, float]:
    dx, dy, dz = x - center[0], y - center[1], z - center[2]
    vx, vy, vz, wx, wy, wz = velocity
    return vx + wy * dz - wz * dy, vy + wz * dx - wx * dz, vz + wx * dy - wy * dx


def _points(raw: list[tuple[float, ...]]) -> ContactPoints:
    table = np.array(raw, np.float64).reshape(-1, 17)
    return ContactPoints(
        step=table[:, 0].astype(np.int64),
        first=table[:, 1].astype(np.int64),
        second=table[:, 2].astype(np.int64),
        point_m=table[:, 3:6],
        normal=table[:, 6:9],
        normal_impulse_n_s=table[:, 9],
        tangential_impulse_n_s=table[:, 10:13],
        slip_velocity_m_s=table[:, 13:16],
        separation_speed_m_s=table[:, 16],
    )
