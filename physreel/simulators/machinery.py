"""Parts of machines that engines of bodies know nothing of: belts, gas, bearings. They act on joints, in any engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SpecError
from physreel.simulators.preparation import Preparation
from physreel.spec import SceneSpec
from physreel.values import KnockTable, Signal

Floats = NDArray[np.float64]

LEAST_SIGNAL_HZ = 240.0
"""Signals of machines are kept at the lowest rate above this that divides the rate of steps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JointMotion:
    """What all joints of a spec did: N steps of ``step_s``, J joints, in the spec's signs and order.

    Attributes:
        step_s: the physics step.
        substeps: steps per frame.
        position: (N + 1, J) rad or m at the ends of steps, from time 0; hinges are not wrapped.
        velocity: (N + 1, J) likewise.
        motor_effort: (N, J) N·m or N that a motor gave, or dry friction took, in each step.
    """

    step_s: float
    substeps: int
    position: Floats
    velocity: Floats
    motor_effort: Floats

    @property
    def time_s(self) -> Floats:
        """(N + 1,) times of the rows."""
        return np.asarray(np.arange(len(self.position)) * self.step_s, np.float64)

    def at_frames(self, values: Floats) -> Floats:
        """(T + 1, …) rows of (N + 1, …) values that fall on frames; the last is the clip's end."""
        return np.asarray(values[:: self.substeps], np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class PartRecord:
    """What a part tells of itself after a run.

    Attributes:
        signals: by name, "<quantity>:<part>".
        poses: of carried bodies, index -> (T + 1, 7).
        knocks: blows on bodies.
    """

    signals: Mapping[str, Signal] = field(default_factory=dict)
    poses: Mapping[int, Floats] = field(default_factory=dict)
    knocks: KnockTable = field(default_factory=KnockTable.empty)


class MachinePart(ABC):
    """A part of a machine during one run. It may keep state between steps."""

    acts: bool = True
    """Whether ``push`` does anything; parts that only tell what happened are not asked at each step."""

    def push(self, step: int, position: Floats, velocity: Floats, effort: Floats) -> None:
        """Add to ``effort`` (J,) what acts on the joints during a step, N·m or N; the others are as it begins, (J,)."""
        raise NotImplementedError

    @abstractmethod
    def finish(self, motion: JointMotion) -> PartRecord:
        """What became of the part."""


def machine_parts(prep: Preparation) -> list[MachinePart]:
    """The parts of a prepared spec, in the order of the spec.

    Raises:
        SpecError: joints that a part cannot go with, or measures of a part that do not fit its joints.
    """
    from physreel.simulators.bearings import BearingPart
    from physreel.simulators.belts import BeltPart
    from physreel.simulators.gas import GasPart
    from physreel.simulators.play import PlayPart

    problems = _joint_problems(prep.spec)
    if problems:
        raise SpecError(problems)
    parts: list[MachinePart] = []
    parts += [BearingPart(prep, bearing) for bearing in prep.spec.bearings]
    parts += [BeltPart(prep, belt) for belt in prep.spec.belts]
    parts += [GasPart(prep, cylinder) for cylinder in prep.spec.gas_cylinders]
    parts += [PlayPart(prep, j) for j, joint in enumerate(prep.spec.joints) if joint.has_play]
    return parts


def _joint_problems(spec: SceneSpec) -> list[str]:
    """Joints of machine parts whose child is not what moves, and bearings whose outer ring would move."""
    motions = {body.name: body.motion for body in spec.bodies}
    joints = {joint.name: joint for joint in spec.joints}
    used = [(f"bearings.{i}.joint", bearing.joint) for i, bearing in enumerate(spec.bearings)]
    for i, belt in enumerate(spec.belts):
        used += [(f"belts.{i}.driver.joint", belt.driver.joint), (f"belts.{i}.driven.joint", belt.driven.joint)]
    for i, gas in enumerate(spec.gas_cylinders):
        used += [(f"gas_cylinders.{i}.crank_joint", gas.crank_joint)]
        used += [(f"gas_cylinders.{i}.piston_joint", gas.piston_joint)]
    used += [(f"joints.{j}", joint.name) for j, joint in enumerate(spec.joints) if joint.has_play]
    problems = [
        f"{where}: the child {joint.child!r} of {name!r} is {motions[joint.child]}, and its parent moves; parts of "
        f"machines go with the child, so swap child and parent"
        for where, name in used
        if motions[(joint := joints[name]).child] != "dynamic"
    ]
    for i, bearing in enumerate(spec.bearings):
        parent = joints[bearing.joint].parent
        if parent is not None and motions[parent] != "static" and motions[joints[bearing.joint].child] == "dynamic":
            problems.append(
                f"bearings.{i}.joint: {bearing.joint!r} hangs on {parent!r}, which is {motions[parent]}; the outer "
                f"ring of a bearing stands still, so let the hinge's parent be a static body or the world"
            )
        if (motion := motions[bearing.housing]) != "static":
            problems.append(f"bearings.{i}.housing: {bearing.housing!r} must be static, it is {motion}")
    return problems


def joint_signals(prep: Preparation, motion: JointMotion) -> dict[str, Signal]:
    """Position and speed of each hinge and slide, and what motors give, at a rate above LEAST_SIGNAL_HZ.

    "angle:<joint>" (rad) or "position:<joint>" (m); "speed:<joint>"; "motor_effort:<joint>" of those with a motor, the
    mean over each interval. Joints that close a loop have no coordinate of their own, and so no signals.
    """
    every = signal_stride(motion.substeps, prep.spec.fps)
    rate = 1.0 / (every * motion.step_s)
    signals = {}
    closing = {link.index for link in prep.links if link.closes_loop}
    for j, joint in enumerate(prep.spec.joints):
        if joint.kind not in ("hinge", "slide") or j in closing:
            continue
        turns = joint.kind == "hinge"
        what = "angle" if turns else "position"
        position, velocity = motion.position[:-1:every, j], motion.velocity[:-1:every, j]
        signals[f"{what}:{joint.name}"] = Signal(values=position, rate_hz=rate, unit="rad" if turns else "m")
        signals[f"speed:{joint.name}"] = Signal(values=velocity, rate_hz=rate, unit="rad/s" if turns else "m/s")
        if joint.motor is not None:
            mean = motion.motor_effort[:, j].reshape(-1, every).mean(1)
            signals[f"motor_effort:{joint.name}"] = Signal(values=mean, rate_hz=rate, unit="N m" if turns else "N")
    return signals


def slides_under(spec: SceneSpec, name: str | None) -> list[tuple[int, Floats]]:
    """Index and axis (3,) of the slides that carry a body, along its joints from child to parent; its own first."""
    holds = {joint.child: (j, joint) for j, joint in enumerate(spec.joints)}
    found: list[tuple[int, Floats]] = []
    seen = set[str]()
    while name is not None and name in holds and name not in seen:
        seen.add(name)
        j, joint = holds[name]
        if joint.kind == "slide":
            found.append((j, np.asarray(joint.axis)))
        name = joint.parent
    return found


def signal_stride(substeps: int, fps: int, least_hz: float = LEAST_SIGNAL_HZ) -> int:
    """Steps between two values of a signal: the most that divide a frame and keep the rate above ``least_hz``."""
    return max(k for k in range(1, substeps + 1) if substeps % k == 0 and (k == 1 or substeps * fps >= least_hz * k))
