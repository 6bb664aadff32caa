"""Reads off a trajectory what a mechanism's parts did, and whether its job was done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from physreel.analysis import find_impacts
from physreel.analysis.machines import machine_signal
from physreel.scenes.mechanism_plan import MARK_M
from physreel.spec import SceneSpec
from physreel.values import Trajectory

Floats = NDArray[np.float64]

CHAIN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("driving_gear", ("motor",)),
    ("middle_gear", ("middle_shaft",)),
    ("last_gear", ("first_shaft", "gear_seat")),
    ("small_pulley", ("first_shaft",)),
    ("large_pulley", ("second_shaft",)),
    ("finger", ("second_shaft", "finger_hinge")),
    ("lever", ("lever_pivot",)),
    ("latch", ("latch_pivot",)),
    ("hammer", ("beam_hinge",)),
    ("lifting_arm", ("beam_hinge",)),
    ("weight", ("weight_slide",)),
)
"""The parts that move, from the motor to the load, and the joints whose positions add up to a part's."""

WINDOW_S = 0.6
"""A part moves otherwise than it should if in this time it covers less than ENOUGH of what it should cover."""

ENOUGH = 0.4
"""A finger that gives way catches up within the window, and a lever that is stopped by what follows has gone half its
way; what is not driven, slips or is stuck stays far below."""

_NOTABLE = 0.25
_NOTABLE_MOST = {"rad": 0.5, "m": 0.02}
"""A window is compared where the repaired part covers so much of its way in the whole clip, or so much at all."""

MOVES = {"rad": 0.04, "m": 0.003}
"""How far a part must come from where it was to have moved, to the eye."""


@dataclass(frozen=True)
class Motion:
    """See PartMotion of the scene."""

    name: str
    label: str
    first_motion_s: float | None
    as_it_should: bool


def part_position(trajectory: Trajectory, joints: tuple[str, ...]) -> tuple[Floats, float, str]:
    """Where a part is, in rad or m from its start, at which rate, and the unit; joints that are fixed count nothing."""
    total, rate, unit = np.zeros(1), 1.0, "rad"
    for joint in joints:
        for quantity in ("angle", "position"):
            if f"{quantity}:{joint}" in trajectory.signals:
                signal = machine_signal(trajectory, quantity, joint)
                total, rate, unit = total + signal.values, signal.rate_hz, signal.unit
    return total, rate, unit


def part_motions(spec: SceneSpec, trajectory: Trajectory, repaired: Trajectory) -> list[Motion]:
    """What each part of the chain did, compared with the repaired machine."""
    bodies = {body.name: body for body in spec.bodies}
    found = []
    for name, joints in CHAIN:
        if name not in bodies:
            continue
        way, rate, unit = part_position(trajectory, joints)
        should = _at_rate(repaired, joints, len(way), rate)
        moved = np.flatnonzero(np.abs(way - way[0]) > MOVES[unit])
        start = float(moved[0] / rate) if len(moved) else None
        good = _covers(way, should, round(WINDOW_S * rate), unit)
        found.append(Motion(name, bodies[name].label, start, good))
    return found


def _at_rate(trajectory: Trajectory, joints: tuple[str, ...], count: int, rate_hz: float) -> Floats:
    """(count,) where a part is, at another rate: a finer step of the engine changes that of its signals."""
    way, rate, _ = part_position(trajectory, joints)
    return np.interp(np.arange(count) / rate_hz, np.arange(len(way)) / rate, way)


def _covers(way: Floats, should: Floats, window: int, unit: str) -> bool:
    """Whether a part covers enough of what it should in every window, or a little before or after it."""
    window = min(window, max(2, len(way) // 3))
    slack = window // 4
    wanted = np.ptp(sliding_window_view(should, window), axis=1)
    spans = np.ptp(sliding_window_view(np.pad(way, slack, mode="edge"), window + 2 * slack), axis=1)
    notable = wanted > max(min(_NOTABLE * float(np.ptp(should)), _NOTABLE_MOST[unit]), MOVES[unit])
    return not bool((spans[notable] < ENOUGH * wanted[notable]).any())


def job_done_s(spec: SceneSpec, trajectory: Trajectory) -> float | None:
    """When the bell is first struck, or the weight first at the mark; None if neither happens."""
    if any(body.name == "bell" for body in spec.bodies):
        times = strike_times_s(spec, trajectory)
        return times[0] if times else None
    signal = machine_signal(trajectory, "position", "weight_slide")
    up = np.flatnonzero(signal.values >= MARK_M)
    return float(up[0] / signal.rate_hz) if len(up) else None


def strike_times_s(spec: SceneSpec, trajectory: Trajectory) -> list[float]:
    """When anything strikes the bell."""
    bell = spec.body_index("bell")
    return [hit.time_s for hit in find_impacts(spec, trajectory) if hit.involves(bell)]


def weight_rise_m(spec: SceneSpec, trajectory: Trajectory) -> float | None:
    """How far the weight rises at most; None without one."""
    if not any(body.name == "weight" for body in spec.bodies):
        return None
    return max(0.0, float(machine_signal(trajectory, "position", "weight_slide").values.max()))
