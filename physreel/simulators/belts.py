"""Belts and chains between two pulleys: what they pass on, when they slip, and where their links are.

A belt is a spring and a damper between the rims of its pulleys, held by friction. The force it passes on is the
difference of the tensions of its two spans, whose sum stays twice the tension at rest; friction on the pulley with the
lesser wrap θ holds it up to T1 / T2 = exp(μ θ) (Euler and Eytelwein), so up to

    F = 2 T tanh(μ θ / 2).

Beyond that the belt slides, and friction is less by ``friction_drop`` until rim and belt go at one speed again: a belt
at its limit sticks and slips. A sound belt too is shorter where it is slack, so it comes back to the driver a little
less fast than it left: creep, the share F / EA of its speed, where EA, the force that would stretch it to twice its
length, is half the stiffness times the length of a span. A chain has neither slip nor creep.

Left out: the belt's own mass (its centrifugal force, the swinging of its spans) and that it takes force to bend it.

Sources:
  Euler      L. Euler, Mém. Acad. Sci. Berlin 18, 265 (1762); J. A. Eytelwein, Handbuch der Statik fester Körper (1808)
  Creep      O. Reynolds, "On the efficiency of belts or straps as communicators of work", The Engineer 38, 396 (1874);
             K. L. Johnson, Contact Mechanics (1985), chapter 8.1
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SpecError
from physreel.geometry.belts import BeltPath, holding_force_n
from physreel.geometry.rotations import rotate_wxyz, wxyz_to_matrix
from physreel.simulators.machinery import JointMotion, MachinePart, PartRecord, signal_stride, slides_under
from physreel.simulators.preparation import Preparation
from physreel.spec import Belt
from physreel.values import Signal

Floats = NDArray[np.float64]

MOST_STIFFNESS, MOST_DAMPING = 2.0, 0.5
"""Of h² k / m and h c / m, with h the step and m the mass of both pulleys as felt at their rims. A step that takes
forces from its start and positions from its end is stable while h² k / m + 2 h c / m < 4: stiffer belts are refused,
stronger dampers clipped."""


class BeltPart(MachinePart):
    """One belt during a run.

    Args:
        prep: the prepared spec.
        belt: of the spec.

    Raises:
        SpecError: pulleys that no open belt can run round, or a belt too stiff for the step.
    """

    def __init__(self, prep: Preparation, belt: Belt) -> None:
        self._prep, self._belt = prep, belt
        self._path = BeltPath.of(prep.spec, belt)
        self._driver, self._driven = (prep.spec.joint_index(p.joint) for p in (belt.driver, belt.driven))
        self._r1, self._r2 = belt.driver.radius_m, self._path.sense * belt.driven.radius_m
        self._step_s = prep.step_s
        self._stiffness = belt.stiffness_n_m
        self._damping = self._stable_damping()
        if belt.kind == "chain":
            self._most = self._sliding = math.inf
            self._creep = 0.0
        else:
            self._most = holding_force_n(belt, self._path)
            self._sliding = holding_force_n(belt, self._path, sliding=True)
            self._creep = 2.0 / (self._stiffness * self._path.span_m)
        self._slipped = 0.0
        self._sense = 0.0  # of a slip: 1 where the driver runs ahead, -1 where it is behind, 0 where the belt holds
        self._force = np.zeros(prep.step_count)
        self._slip = np.zeros(prep.step_count)

    def _stable_damping(self) -> float:
        prep, belt, h = self._prep, self._belt, self._step_s
        ease = self._r1**2 / self._inertia(self._driver) + self._r2**2 / self._inertia(self._driven)
        if h * h * self._stiffness * ease > MOST_STIFFNESS:
            most = MOST_STIFFNESS / (h * h * ease)
            raise SpecError(
                [
                    f"belts.{prep.spec.belts.index(belt)}.stiffness_n_m: {belt.stiffness_n_m:g} N/m is too stiff for "
                    f"pulleys that weigh {1e3 / ease:.3g} g at their rims and a step of {h * 1e3:.3g} ms; "
                    f"at most {most:.3g} N/m, or heavier pulleys, or a smaller step_s"
                ]
            )
        return min(belt.damping_n_s_m, MOST_DAMPING / (h * ease))

    def _inertia(self, joint_index: int) -> float:
        """Moment of inertia about a hinge of the one body on it; what hangs on that only adds to it."""
        joint = self._prep.spec.joints[joint_index]
        index = self._prep.spec.body_index(joint.child)
        body, mass = self._prep.spec.bodies[index], self._prep.masses[index]
        assert mass is not None
        axis = np.asarray(joint.axis)
        local = wxyz_to_matrix(body.orientation_wxyz).T @ axis
        centre = np.asarray(body.position_m) + rotate_wxyz(body.orientation_wxyz, mass.center)
        arm = np.cross(axis, centre - np.asarray(joint.anchor_m))
        return float(local @ mass.inertia @ local + mass.mass * (arm @ arm))

    def push(self, step: int, position: Floats, velocity: Floats, effort: Floats) -> None:
        """See MachinePart.push."""
        i, j, r1, r2, h = self._driver, self._driven, self._r1, self._r2, self._step_s
        pull, push = r1 * velocity.item(i), r2 * velocity.item(j)
        apart = pull - push
        stretch = r1 * position.item(i) - r2 * position.item(j) - self._slipped
        slip = 0.0
        if self._sense == 0.0:
            force = self._stiffness * stretch + self._damping * apart
            if force > self._most:
                self._sense = 1.0
            elif force < -self._most:
                self._sense = -1.0
        if self._sense != 0.0:
            force = self._sense * self._sliding
            # Sliding, spring and damper settle under the force of friction, by an implicit step; the rest is slip.
            settled = (self._damping * stretch + h * force) / (self._damping + h * self._stiffness)
            slip = apart - (settled - stretch) / h
            if slip * self._sense <= 0.0:
                # Rim and belt go at one speed: it holds again, with no more than friction held while it slid.
                self._sense = slip = 0.0
        creep = self._creep * force * 0.5 * abs(pull + push)
        self._slipped += h * (slip + creep)
        self._force[step], self._slip[step] = force, slip
        effort[i] -= r1 * force
        effort[j] += r2 * force

    def finish(self, motion: JointMotion) -> PartRecord:
        """Force, slip and travel of the belt, and the poses of its links.

        Signals: "belt_force:<belt>" (N, tension of the span that pulls less that of the other, > 0 where the driver
        drives) and "belt_slip:<belt>" (m/s, how much faster the driver's rim is than the driven one's while the belt
        slides; creep and stretching are not in it), both the means of intervals; "belt_travel:<belt>" (m).
        """
        every = signal_stride(motion.substeps, self._prep.spec.fps)
        rate = 1.0 / (every * motion.step_s)
        travel = self._travel(motion)
        name = self._belt.name

        def mean(values: Floats, unit: str) -> Signal:
            return Signal(values=values.reshape(-1, every).mean(1), rate_hz=rate, unit=unit)

        return PartRecord(
            signals={
                f"belt_force:{name}": mean(self._force, "N"),
                f"belt_slip:{name}": mean(self._slip, "m/s"),
                f"belt_travel:{name}": Signal(values=travel[:-1:every], rate_hz=rate, unit="m"),
            },
            poses=self._link_poses(motion, motion.at_frames(travel)),
        )

    def _travel(self, motion: JointMotion) -> Floats:
        """(N + 1,) how far the belt has run: with the pulley on which it lies longer, for it slides on the other."""
        if self._belt.driver.radius_m >= self._belt.driven.radius_m:
            return np.asarray(self._r1 * motion.position[:, self._driver])
        return np.asarray(self._r2 * motion.position[:, self._driven])

    def _link_poses(self, motion: JointMotion, travel: Floats) -> dict[int, Floats]:
        spec, path, links = self._prep.spec, self._path, self._belt.links
        if not links:
            return {}
        at_driver, at_driven = (carried_along(self._prep, motion, j) for j in (self._driver, self._driven))
        found = {}
        for k, name in enumerate(links):
            index = spec.body_index(name)
            pose = path.poses(k * path.length_m / len(links) + travel)
            share = path.share_to_driven(pose[:, :3])[:, None]
            aside = float((np.asarray(spec.bodies[index].position_m) - path.driver_m) @ path.axis)
            pose[:, :3] += aside * path.axis + (1.0 - share) * at_driver + share * at_driven
            found[index] = pose
        return found


def carried_along(prep: Preparation, motion: JointMotion, joint: int) -> Floats:
    """(T + 1, 3) how far a hinge has been moved by the slides that its parent stands on; not by what turns."""
    spec = prep.spec
    moved = np.zeros((len(motion.at_frames(motion.position)), 3))
    for j, axis in slides_under(spec, spec.joints[joint].parent):
        moved += motion.at_frames(motion.position[:, j])[:, None] * axis
    return moved
