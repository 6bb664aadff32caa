"""Rigid bodies in a liquid: the liquid pushes them, MuJoCo moves them, and they push the liquid.

In each of MuJoCo's steps the liquid first takes its own, against bodies that go on as they move; what its pressure,
viscosity and walls did to them acts on them during the step. Momentum passes whole, a little later for light bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.mass import MassProperties, mass_properties
from physreel.geometry.rotations import multiply_wxyz, rotate_wxyz
from physreel.simulators.preparation import Preparation
from physreel.spec import SceneSpec

if TYPE_CHECKING:
    from physreel.simulators.dfsph_liquid import Liquid

Floats = NDArray[np.float64]

_HEAVY = 2.0
"""A body that weighs less than this many times the liquid it can displace feels it later: what a light body pushes away
is heavier than itself, and forces taken at their word would throw it to and fro (the added-mass instability)."""


class MovingBodies:
    """Where all bodies are within a step of MuJoCo's, and what the liquid did to them in it.

    Args:
        preparation: the prepared spec.
        spec: the spec with its vessels as they are.
        liquid: takes the liquid's steps, and asks this for ``poses`` and ``middles``.
    """

    def __init__(self, preparation: Preparation, spec: SceneSpec, liquid: Liquid) -> None:
        self.step_s, self.liquid = preparation.step_s, liquid
        liquid.poses, liquid.middles = self.poses, self.middles
        self.masses: tuple[MassProperties | None, ...] = preparation.masses
        count = len(spec.bodies)
        self.centers = np.array([np.zeros(3) if mass is None else mass.center for mass in self.masses])
        self.start_s, self.pose, self.motion = 0.0, np.zeros((count, 7)), np.zeros((count, 6))
        self.push = np.zeros((count, 6))
        heaviest = max(spec.liquid(fluid.liquid).density_kg_m3 for fluid in spec.fluids)
        self.share = np.ones(count)
        for i, body in enumerate(spec.bodies):
            if (mass := self.masses[i]) is not None:
                density = mass.mass / mass_properties(body.shape).mass
                self.share[i] = min(1.0, density / (_HEAVY * heaviest))

    def pushed(self, step: int, pose: Floats, motion: Floats) -> Floats:
        """(B, 6) forces and torques of the liquid during a step that begins with these poses and velocities."""
        self.start_s, self.pose, self.motion = step * self.step_s, pose.copy(), motion.copy()
        self.liquid.impulse[:] = 0.0
        self.liquid.advance((step + 1) * self.step_s)
        self.push += self.share[:, None] * (self.liquid.impulse / self.step_s - self.push)
        out = self.push.copy()
        out[[mass is None for mass in self.masses]] = 0.0
        return np.asarray(out)

    def middles(self, pose: Floats) -> Floats:
        """(B, 3) centres of mass at poses (B, 7)."""
        return pose[:, :3] + rotate_wxyz(pose[:, 3:], self.centers)

    def poses(self, time_s: float) -> Floats:
        """(B, 7) poses at a time within the step: each body goes on as it moves."""
        later = time_s - self.start_s
        if later == 0.0:
            return self.pose
        spin = 0.5 * later * self.motion[:, 3:]
        turn = np.concatenate([np.ones((len(spin), 1)), spin], axis=1)
        turn /= np.linalg.norm(turn, axis=1, keepdims=True)
        orientation = multiply_wxyz(turn, self.pose[:, 3:])
        middle = self.middles(self.pose) + later * self.motion[:, :3]
        return np.concatenate([middle - rotate_wxyz(orientation, self.centers), orientation], axis=1)
