"""Is it still physics? What a liquid may not do, and what has left the world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SimulationError
from physreel.geometry.extents import bounding_radius_m
from physreel.geometry.mass import mass_center_m
from physreel.geometry.rotations import rotate_wxyz, up_direction
from physreel.simulators.liquid_record import driven_poses
from physreel.spec import SceneSpec

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BEYOND_M = 1.5
"""Liquid this far outside all that was in the world at its start, and driven bodies at any time, has left it,"""

BELOW_M = 0.3
"""and so has liquid this far below."""

ENERGY_SHARE = 0.03
"""Of liquid that nothing but still bodies touch, energy may grow by this share of what it would take to lift it all by
the height that it spans: denseness is taken back by shifting particles, some of them up."""

DENSE_SHARE = 0.05
"""Liquid may be too dense by this share on average: not where more is pushed into a place than has room there."""

HELD_SHARE = 1e-3
"""Of all particles in all steps, at most this share may have been so fast that they had to be held back."""


class Bounds:
    """The part of the world beyond which nothing comes back.

    Args:
        spec: the world.
        position: (N, 3) particles at the start.
    """

    def __init__(self, spec: SceneSpec, position: Floats) -> None:
        falls = any(spec.gravity_m_s2)
        self.up = up_direction(spec) if falls else np.zeros(3)
        # Sideways only, where there is an up: what goes up comes down.
        self.flat = np.eye(3) - np.outer(self.up, self.up)
        low, high = (position @ self.flat).min(0), (position @ self.flat).max(0)
        least = float((position @ self.up).min())
        times = sorted({0.0, *(key.time_s for body in spec.bodies for key in body.keyframes)})
        poses = np.stack([driven_poses(spec, time) for time in times])
        for i, body in enumerate(spec.bodies):
            radius = bounding_radius_m(body.shape)
            if not np.isfinite(radius):
                if float(rotate_wxyz(poses[0, i, 3:], np.array([0.0, 0.0, 1.0])) @ self.up) > 0.5:
                    least = min(least, float(poses[0, i, :3] @ self.up))
                continue
            middle = poses[:, i, :3] + rotate_wxyz(poses[:, i, 3:], mass_center_m(body))
            aside = middle @ self.flat
            low, high = np.minimum(low, aside.min(0) - radius), np.maximum(high, aside.max(0) + radius)
            least = min(least, float((middle @ self.up).min()) - radius)
        self.low, self.high = low - BEYOND_M, high + BEYOND_M
        self.least = least - BELOW_M if falls else -np.inf

    def outside(self, position: Floats) -> Bools:
        """(n,) which of particles (n, 3) have left."""
        aside = position @ self.flat
        beyond = ((aside < self.low) | (aside > self.high)).any(1)
        return np.asarray(beyond | (position @ self.up < self.least))


class Watch:
    """Raises SimulationError where a liquid does what none does.

    Args:
        spec: the world.
        position, velocity: (N, 3) particles at the start.
        mass: (N,).
    """

    def __init__(self, spec: SceneSpec, position: Floats, velocity: Floats, mass: Floats) -> None:
        self.gravity = np.asarray(spec.gravity_m_s2, np.float64)
        self.conserves = all(body.motion == "static" for body in spec.bodies)
        height = -position @ self.gravity
        self.most = _energy(position, velocity, mass, self.gravity)
        self.allowed = ENERGY_SHARE * float(mass.sum()) * float(np.ptp(height)) + ENERGY_SHARE * _kinetic(
            velocity, mass
        )

    def look(self, time: float, position: Floats, velocity: Floats, mass: Floats, density: Floats) -> None:
        """Look at the particles (n, …) that there are at a time; densities are 1 at rest."""
        watch_finite(time, position, velocity)
        excess = mean_excess(density)
        if excess > DENSE_SHARE:
            raise SimulationError(
                f"the liquid was pressed together: at {time:.3f} s it is {excess:.1%} too dense on average, "
                f"{DENSE_SHARE:.0%} are within the error; a smaller particle_spacing_m or slower bodies may help"
            )
        if not self.conserves:
            return
        energy = _energy(position, velocity, mass, self.gravity)
        if energy - self.most > self.allowed:
            raise SimulationError(
                f"energy out of nothing: at {time:.3f} s the liquid has {energy - self.most:.3g} J more than before, "
                f"{self.allowed:.3g} J are within the error"
            )
        self.most = min(self.most, energy)

    def lost(self, mass: Floats, position: Floats, velocity: Floats) -> None:
        """What leaves the world takes its energy with it."""
        self.most -= _energy(position, velocity, mass, self.gravity)


def watch_finite(time: float, *arrays: Floats) -> None:
    """Raise if any of positions and velocities is no number."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise SimulationError(
            f"the liquid went unstable: positions or velocities are no longer numbers at {time:.3f} s"
        )


def mean_excess(density: Floats) -> float:
    """By how much densities (n,), 1 at rest, are too great on average."""
    return float(np.maximum(density - 1.0, 0.0).mean()) if len(density) else 0.0


def watch_held(held: int, particle_steps: int) -> None:
    """Raise if too many particles had to be held back."""
    if held > HELD_SHARE * particle_steps:
        raise SimulationError(
            f"the liquid went unstable: {held} times a particle was too fast for its step, in {particle_steps} moves; "
            f"at most {HELD_SHARE:.1%} may be"
        )


def _energy(position: Floats, velocity: Floats, mass: Floats, gravity: Floats) -> float:
    return _kinetic(velocity, mass) - float((mass * (position @ gravity)).sum())


def _kinetic(velocity: Floats, mass: Floats) -> float:
    return 0.5 * float((mass * np.einsum("ni,ni->n", velocity, velocity)).sum())
