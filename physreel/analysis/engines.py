"""What a trajectory says of an engine: how fast it runs, which cylinders fire, what slips, knocks and shakes.

All is read from signals and knocks, nothing from what was intended. An engine is a crank that gas turns; its parts are
found by the joints. Criteria of faults, in the order in which they count, are those of ``find_fault``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.cranks import POLYTROPIC
from physreel.spec import GasCylinder, Joint, SceneSpec
from physreel.values import Signal, Trajectory

Floats = NDArray[np.float64]

Fault = Literal["none", "misfire", "knocking_rod", "slipping_belt", "unbalanced_flywheel", "worn_bearing"]

FIRED_SHARE = 1.15
"""A cycle has fired if its peak is this many times what compression alone would give."""

SLIP_SPEED_M_S, SLIP_SHARE = 0.02, 0.03
"""A belt slips where its signal says more than the first; its machine has a slipping belt from the second share on."""

KNOCKS_PER_TURN = 0.15
"""Blows of one source that make it knock: a rod in one of four cylinders knocks at least every other cycle."""

SHAKE_M = 1.0e-3
"""Amplitude, at the crank's own frequency, from which an engine on its mount shakes: half a pixel where
0.5 m fill 256."""

NOTE_SHARE = 0.15

_WARMUP_S = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Engine:
    """An engine as it ran.

    Attributes:
        angle_rad: (n,) of the crank, from time 0.
        mean_rev_s: of the whole clip.
        fluctuation: greatest less least speed within a cycle, over the mean; the median of all cycles.
        fired: for each cylinder, whether each of its top dead centres in the clip was followed by combustion.
        slip_share: share of the clip in which the belt slips; the greatest of all belts.
        first_slip_s: when that begins; None if it never does.
        rod_knocks: times of blows in rods with play.
        bearing_knocks: times of blows in bearings.
        mount_knocks: times of blows of the engine on its stops.
        shake_m: amplitude of the engine on its mount at the crank's frequency.
        orders: (k,) multiples of the crank's frequency: 0.5, 1, 1.5, …
        strength: (k,) of the exhaust's flow at each, in kg/s.
    """

    angle_rad: Floats
    mean_rev_s: float
    fluctuation: float
    fired: tuple[tuple[bool, ...], ...]
    slip_share: float
    first_slip_s: float | None
    rod_knocks: Floats
    bearing_knocks: Floats
    mount_knocks: Floats
    shake_m: float
    orders: Floats
    strength: Floats

    @property
    def turns(self) -> float:
        """Of the crank in the clip."""
        return float(abs(self.angle_rad[-1] - self.angle_rad[0]) / (2.0 * np.pi))

    @property
    def misfiring(self) -> tuple[int, ...]:
        """Cylinders that fire in none of their cycles."""
        return tuple(k for k, fired in enumerate(self.fired) if fired and not any(fired))

    @property
    def note_order(self) -> float:
        """The lowest line of the exhaust's note that has NOTE_SHARE of the strongest: what comes round that often."""
        return float(self.orders[int(np.argmax(self.strength >= NOTE_SHARE * self.strength.max()))])


def read_engine(spec: SceneSpec, trajectory: Trajectory) -> Engine:
    """Read off an engine with at least one cylinder."""
    signals, cylinders = trajectory.signals, spec.gas_cylinders
    crank = cylinders[0].crank_joint
    angle = signals[f"angle:{crank}"]
    time = np.arange(len(angle.values)) / angle.rate_hz
    slip_share, first_slip = _slip(trajectory, [belt.name for belt in spec.belts])
    rods, mount = _plays(spec)
    orders, strength = _order_spectrum(trajectory, cylinders, time, angle.values)
    turns = (angle.values[-1] - angle.values[0]) / (2.0 * np.pi)
    return Engine(
        angle_rad=angle.values,
        mean_rev_s=float(turns / max(time[-1], 1e-9)),
        fluctuation=_fluctuation(angle.values, signals[f"speed:{crank}"].values),
        fired=tuple(_fired(spec, trajectory, cylinder, time, angle.values) for cylinder in cylinders),
        slip_share=slip_share,
        first_slip_s=first_slip,
        rod_knocks=_knock_times(trajectory, [joint.name for joint in rods]),
        bearing_knocks=_knock_times(trajectory, [bearing.name for bearing in spec.bearings]),
        mount_knocks=_knock_times(trajectory, [joint.name for joint in mount]),
        shake_m=max(
            (_amplitude(signals[f"position:{joint.name}"], time, angle.values) for joint in mount), default=0.0
        ),
        orders=orders,
        strength=strength,
    )


def find_fault(engine: Engine) -> Fault:
    """What is wrong with an engine: the first of these that holds.

    - misfire: a cylinder fires in none of its cycles (FIRED_SHARE);
    - slipping_belt: a belt slips for SLIP_SHARE of the clip;
    - unbalanced_flywheel: it shakes on its mount by SHAKE_M at the crank's frequency;
    - knocking_rod: rods with play knock, KNOCKS_PER_TURN or more;
    - worn_bearing: a bearing does.
    """
    least = max(KNOCKS_PER_TURN * engine.turns, 1.0)
    if engine.misfiring:
        return "misfire"
    if engine.slip_share >= SLIP_SHARE:
        return "slipping_belt"
    if engine.shake_m >= SHAKE_M:
        return "unbalanced_flywheel"
    if len(engine.rod_knocks) >= least:
        return "knocking_rod"
    return "worn_bearing" if len(engine.bearing_knocks) >= least else "none"


def firing_times_s(spec: SceneSpec, trajectory: Trajectory) -> list[Floats]:
    """For each cylinder, the times at which it passes the top dead centre of combustion."""
    found = []
    for cylinder in spec.gas_cylinders:
        angle = trajectory.signals[f"angle:{cylinder.crank_joint}"]
        found.append(_tops(cylinder, np.arange(len(angle.values)) / angle.rate_hz, angle.values))
    return found


def _tops(cylinder: GasCylinder, time: Floats, angle: Floats) -> Floats:
    turn = (np.degrees(angle) - cylinder.firing_angle_deg) / 720.0
    whole = np.arange(np.ceil(turn.min()), np.floor(turn.max()) + 1.0)
    return np.asarray(np.interp(whole, turn, time), np.float64)


def _fired(
    spec: SceneSpec, trajectory: Trajectory, cylinder: GasCylinder, time: Floats, angle: Floats
) -> tuple[bool, ...]:
    pressure = trajectory.signals[f"pressure:{cylinder.name}"]
    at = np.arange(len(pressure.values)) / pressure.rate_hz
    alone = spec.air.pressure_pa * cylinder.compression_ratio**POLYTROPIC
    degrees = np.interp(at, time, np.degrees(angle)) - cylinder.firing_angle_deg
    found = []
    for top in _tops(cylinder, time, angle):
        middle = np.interp(top, time, np.degrees(angle)) - cylinder.firing_angle_deg
        near = np.abs(degrees - middle) < 60.0
        if middle + 40.0 < degrees[-1] and middle - 10.0 > degrees[0]:
            found.append(bool(pressure.values[near].max() > FIRED_SHARE * alone))
    return tuple(found)


def _fluctuation(angle: Floats, speed: Floats) -> float:
    cycle = np.floor((angle - angle[0]) / (4.0 * np.pi)).astype(np.int64)
    whole = [speed[cycle == k] for k in range(int(cycle[-1]))] or [speed]
    return float(np.median([np.ptp(part) / max(abs(part.mean()), 1e-9) for part in whole]))


def _slip(trajectory: Trajectory, belts: list[str]) -> tuple[float, float | None]:
    share, first = 0.0, None
    for name in belts:
        signal = trajectory.signals[f"belt_slip:{name}"]
        slips = np.abs(signal.values) > SLIP_SPEED_M_S
        if slips.mean() > share:
            share, first = float(slips.mean()), float(np.argmax(slips) / signal.rate_hz)
    return share, first


def _plays(spec: SceneSpec) -> tuple[list[Joint], list[Joint]]:
    """Slides with limits between pistons and rods, and those on which the body stands that carries the crank."""
    joints = {joint.name: joint for joint in spec.joints}
    pistons = {joints[cylinder.piston_joint].child for cylinder in spec.gas_cylinders}
    blocks = {joints[cylinder.crank_joint].parent for cylinder in spec.gas_cylinders}
    slides = [joint for joint in spec.joints if joint.kind == "slide" and joint.limits is not None]
    rods = [joint for joint in slides if joint.parent in pistons or joint.child in pistons]
    return rods, [joint for joint in slides if joint.child in blocks]


def _knock_times(trajectory: Trajectory, names: list[str]) -> Floats:
    """Times of blows of some sources; one that is felt by several bodies is one."""
    knocks = trajectory.knocks
    wanted = [k for k, source in enumerate(knocks.sources) if source in names]
    mine = np.isin(knocks.source, wanted) & (knocks.time_s > _WARMUP_S)
    return np.unique(knocks.time_s[mine])


def _amplitude(signal: Signal, time: Floats, angle: Floats) -> float:
    """Of a motion, at the crank's frequency, over the later half of the clip."""
    at = np.arange(len(signal.values)) / signal.rate_hz
    late = at >= 0.5 * at[-1]
    turn = np.interp(at[late], time, angle)
    whole = np.floor((turn[-1] - turn[0]) / (2.0 * np.pi)) * 2.0 * np.pi
    keep = turn <= turn[0] + whole if whole else np.ones(len(turn), bool)
    values = signal.values[late][keep] - signal.values[late][keep].mean()
    return float(2.0 * abs(np.mean(values * np.exp(-1j * turn[keep]))))


def _order_spectrum(
    trajectory: Trajectory, cylinders: tuple[GasCylinder, ...], time: Floats, angle: Floats
) -> tuple[Floats, Floats]:
    """Multiples of the crank's frequency up to 8, and the amplitude of all exhausts' flow at each."""
    orders = np.arange(1, 17) * 0.5
    flows = [trajectory.signals[f"exhaust:{cylinder.name}"] for cylinder in cylinders]
    total = np.sum([flow.values for flow in flows], axis=0)
    turn = np.interp(np.arange(len(total)) / flows[0].rate_hz, time, angle)
    cycles = int((turn[-1] - turn[0]) // (4.0 * np.pi))
    span = 4.0 * np.pi * cycles if cycles else turn[-1] - turn[0]
    grid = turn[0] + span * np.arange(1024 * max(cycles, 1)) / (1024 * max(cycles, 1))
    even = np.interp(grid, turn, total)
    strength = [2.0 * abs(np.mean(even * np.exp(-1j * order * grid))) for order in orders]
    return np.asarray(orders, np.float64), np.array(strength)
