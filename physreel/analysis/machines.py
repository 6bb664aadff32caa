"""Reading machines off a trajectory: what turns, since when, how far, and what stands still."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.thresholds import JAM_S, MOVED_RAD, TURNING_RAD_S
from physreel.spec import SceneSpec
from physreel.values import Signal, Trajectory

Floats = NDArray[np.float64]


def loose_bodies(spec: SceneSpec) -> NDArray[np.bool_]:
    """(B,) which bodies move by forces and hang on no joint: things, not parts of machines."""
    tied = spec.jointed | {tooth.piece for tooth in spec.breakable_teeth}
    return np.array([body.motion == "dynamic" and body.name not in tied for body in spec.bodies])


def machine_signal(trajectory: Trajectory, quantity: str, name: str) -> Signal:
    """The signal "<quantity>:<name>" of a joint or part; ValueError with what there is if there is none."""
    key = f"{quantity}:{name}"
    if key not in trajectory.signals:
        known = ", ".join(sorted(trajectory.signals)) or "none"
        raise ValueError(f"the trajectory has no signal {key!r}; it has {known}")
    return trajectory.signals[key]


def signal_time_s(signal: Signal, index: int) -> float:
    """When value number ``index`` of a signal was."""
    return index / signal.rate_hz


def turned_rad(trajectory: Trajectory, joint: str) -> float:
    """How far a hinge has turned in the clip, in the sense of its axis."""
    angle = machine_signal(trajectory, "angle", joint).values
    return float(angle[-1] - angle[0])


def first_motion_s(trajectory: Trajectory, joint: str) -> float | None:
    """When a hinge begins to turn; None if it never does.

    It is then faster than TURNING_RAD_S and does not stop before it has turned by MOVED_RAD: play that is taken up by a
    wheel's own weight is no motion.
    """
    angle, speed = (machine_signal(trajectory, what, joint) for what in ("angle", "speed"))
    gone = np.flatnonzero(np.abs(angle.values - angle.values[0]) > MOVED_RAD)
    if not len(gone):
        return None
    slow = np.flatnonzero(np.abs(speed.values[: gone[0] + 1]) <= TURNING_RAD_S)
    return signal_time_s(speed, int(slow[-1]) + 1) if len(slow) else 0.0


def stands_from_s(trajectory: Trajectory, joint: str) -> float | None:
    """Since when a joint has stood still to the end, after having moved; None if it moves at the end or never did.

    It must have stood for JAM_S, or nobody could tell.
    """
    signal = machine_signal(trajectory, "speed", joint)
    moving = np.flatnonzero(np.abs(signal.values) > TURNING_RAD_S)
    if not len(moving):
        return None
    time = signal_time_s(signal, int(moving[-1]) + 1)
    return time if trajectory.duration_s - time >= JAM_S else None


def jam_s(spec: SceneSpec, trajectory: Trajectory, joint: str) -> float | None:
    """Since when a motor's joint stands to the end although its motor pushes as hard as it can; None if it does not.

    A motor that never gets its joint to move is jammed from when it is switched on.
    """
    motor = spec.joint(joint).motor
    if motor is None:
        return None
    effort = machine_signal(trajectory, "motor_effort", joint)
    last = np.abs(effort.values[-max(1, int(JAM_S * effort.rate_hz)) :])
    if float(last.mean()) < 0.9 * motor.max_effort:
        return None
    if first_motion_s(trajectory, joint) is None:
        return motor.start_s if trajectory.duration_s - motor.start_s >= JAM_S else None
    return stands_from_s(trajectory, joint)


def slip_begins_s(trajectory: Trajectory, belt: str, *, threshold_m_s: float = 0.02) -> float | None:
    """When a belt first slides on a pulley, faster than a threshold and for at least 20 ms; None if it does not."""
    signal = machine_signal(trajectory, "belt_slip", belt)
    sliding = np.abs(signal.values) > threshold_m_s
    length = max(1, round(0.02 * signal.rate_hz))
    runs = np.convolve(sliding, np.ones(length), "valid") >= length - 0.5
    first = np.flatnonzero(runs)
    return signal_time_s(signal, int(first[0])) if len(first) else None
