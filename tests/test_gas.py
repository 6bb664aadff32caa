"""Slider-cranks against their closed form, the gas that drives them, and rods with play."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_worlds import BORE_M, ROD_M, STROKE_M, one_cylinder

from physreel.errors import SpecError
from physreel.geometry.cranks import POLYTROPIC, SliderCrank
from physreel.simulators.gas import GasPart
from physreel.simulators.machinery import JointMotion
from physreel.simulators.mujoco import MujocoSimulator
from physreel.simulators.preparation import prepare
from physreel.spec import Motor, SceneSpec
from physreel.values import Trajectory

AMBIENT_PA = 101_325.0
AREA_M2 = np.pi * BORE_M**2 / 4.0
GAS: dict[str, Any] = {"compression_ratio": 3.0, "peak_pressure_pa": 9e5}


def _run(spec: SceneSpec) -> Trajectory:
    return MujocoSimulator().simulate(spec)


def test_the_piston_goes_as_the_closed_form_has_it() -> None:
    trajectory = _run(one_cylinder(start_deg=30.0, motor=Motor(speed=40.0, max_effort=80.0), step_s=1.0 / 4800.0))
    angle = trajectory.signals["angle:crank"].values + np.radians(30.0)
    r = 0.5 * STROKE_M
    height = r * np.cos(angle) + np.sqrt(ROD_M**2 - (r * np.sin(angle)) ** 2)
    assert trajectory.signals["position:piston"].values == pytest.approx(height - height[0], abs=1e-3 * STROKE_M)
    assert angle[-1] - angle[0] == pytest.approx(40.0 * (len(angle) - 1) / len(angle), rel=1e-3)


def test_the_crank_is_read_off_the_joints() -> None:
    spec = one_cylinder(start_deg=250.0, firing_angle_deg=110.0)
    crank = SliderCrank.of(spec, spec.gas_cylinders[0])
    assert (crank.radius_m, crank.rod_m) == pytest.approx((0.5 * STROKE_M, ROD_M))
    assert crank.height_m(crank.start_rad) == pytest.approx(spec.bodies[2].position_m[2])
    assert crank.top_m == pytest.approx(0.5 * STROKE_M + ROD_M - spec.bodies[2].position_m[2])


def _work(motion: JointMotion, low: int, high: int) -> float:
    """Of the gas on the piston from one step to another; engines put forces between half steps, so by trapezia."""
    force, moved = motion.motor_effort[low : high + 1, 1], np.diff(motion.position[low : high + 1, 1])
    return float(np.sum(0.5 * (force[1:] + force[:-1]) * moved))


def _turned(spec: SceneSpec, turns: float, rev_s: float) -> tuple[JointMotion, GasPart]:
    """A crank at constant speed, without an engine of bodies."""
    prep = prepare(spec)
    part = GasPart(prep, spec.gas_cylinders[0])
    steps = round(turns / rev_s / prep.step_s)
    angle = np.arange(steps + 1) * prep.step_s * 2.0 * np.pi * rev_s
    height = part.crank.height_m(part.crank.start_rad + angle)
    position = np.zeros((steps + 1, len(spec.joints)))
    position[:, part.crank.crank], position[:, part.crank.piston] = angle, height - height[0]
    effort = np.zeros((steps, len(spec.joints)))
    for n in range(steps):
        part.push(n, position[n], position[n], effort[n])
    motion = JointMotion(
        step_s=prep.step_s, substeps=prep.substeps, position=position, velocity=position, motor_effort=effort
    )
    return motion, part


def test_motored_compression_is_polytropic_and_gives_nothing() -> None:
    spec = one_cylinder(duration_s=0.5, fires=False, **GAS)
    motion, part = _turned(spec, 4.0, 8.0)
    pressure = part.finish(motion).signals["pressure:one"].values
    # From the valve's closing, 40° after bottom dead centre.
    crank = part.crank
    way = crank.radius_m + crank.rod_m - crank.height_m(np.radians([580.0, 720.0]))
    volumes = STROKE_M / 2.0 + way  # of a compression ratio of 3
    assert pressure.max() == pytest.approx(AMBIENT_PA * (volumes[0] / volumes[1]) ** POLYTROPIC, rel=0.03)
    assert _work(motion, 0, len(motion.motor_effort) - 1) < 0.0


def test_fired_work_is_the_loop_of_pressure_and_volume() -> None:
    spec = one_cylinder(duration_s=0.5, **GAS)
    motion, part = _turned(spec, 4.0, 8.0)
    signal = part.finish(motion).signals["pressure:one"]
    assert signal.values.max() == pytest.approx(GAS["peak_pressure_pa"], rel=0.02)
    # The second cycle: the work on the piston, and the loop read from the signal.
    low, high = (round(t * 2400) for t in (0.25, 0.5))
    work = _work(motion, low, high - 2)
    every = round(2400 / signal.rate_hz)
    volume = -AREA_M2 * motion.position[low:high:every, 1]
    pressure = signal.values[low // every : high // every]
    loop = float(np.sum(0.5 * (pressure[1:] + pressure[:-1]) * np.diff(volume)))
    assert work > 1.0
    assert work == pytest.approx(loop, rel=0.03)
    # Of the heat no more became work than Otto's cycle would make of it.
    otto = 1.0 - 3.0 ** (1.0 - POLYTROPIC)
    assert 0.5 * otto < work / part.heat_j < otto


def test_blow_down_comes_with_the_exhaust_valve_and_only_if_it_burnt() -> None:
    pulses = {}
    for fires in (True, False):
        motion, part = _turned(one_cylinder(duration_s=0.5, fires=fires, **GAS), 4.0, 8.0)
        flow = part.finish(motion).signals["exhaust:one"]
        angle = np.arange(len(flow.values)) / flow.rate_hz * 8.0 * 360.0 % 720.0
        second = slice(len(angle) // 2, None)
        at = int(np.argmax(flow.values[second]))
        pulses[fires] = (angle[second][at], flow.values[second][at])
    assert 140.0 < pulses[True][0] < 190.0
    assert pulses[False][1] < 0.5 * pulses[True][1]


def test_it_runs_by_its_gas() -> None:
    spec = one_cylinder(start_deg=30.0, firing_angle_deg=-30.0, damping=0.004, spin_rad_s=40.0, **GAS)
    speed = _run(spec).signals["speed:crank"].values
    assert speed[-20:].mean() > 42.0
    dead = spec.model_copy(
        update={"gas_cylinders": (spec.gas_cylinders[0].model_copy(update={"fires": False}),)}
    )  # fmt: skip
    assert _run(dead).signals["speed:crank"].values[-20:].mean() < 35.0


def test_play_knocks_when_the_load_turns_round() -> None:
    sound = _run(one_cylinder(start_deg=30.0, firing_angle_deg=-30.0, damping=0.004, **GAS))
    assert len(sound.knocks) == 0
    worn = _run(one_cylinder(start_deg=30.0, firing_angle_deg=-30.0, damping=0.004, play_m=8e-4, **GAS))
    knocks = worn.knocks
    assert knocks.sources == ("play",)
    turns = worn.signals["angle:crank"].values[-1] / (2.0 * np.pi)
    times = np.unique(knocks.time_s)
    assert 0.7 * turns < len(times) < 2.5 * turns
    # Piston (0.1 kg) times what it gains over some tenths of a millimetre; both sides feel the same.
    late = knocks.time_s > 0.05
    assert ((knocks.impulse_n_s[late] > 0.1 * 0.02) & (knocks.impulse_n_s[late] < 0.1 * 0.6)).all()
    assert knocks.direction[0] == pytest.approx(-knocks.direction[1])
    position = worn.signals["position:play"].values
    assert -1e-3 < position.min() < -7.9e-4  # stopped by the step after
    assert position.max() < 2e-4


def test_what_cannot_be_is_refused() -> None:
    def part(**gas: Any) -> GasPart:
        spec = one_cylinder(start_deg=30.0, **({"firing_angle_deg": -30.0} | gas))
        return GasPart(prepare(spec), spec.gas_cylinders[0])

    with pytest.raises(SpecError, match=r"firing_angle_deg: after 10° no pin.*330°"):
        part(firing_angle_deg=10.0)
    with pytest.raises(SpecError, match=r"stroke_m: 0.05 m, but pins .* strokes of 0.04 m"):
        part(stroke_m=0.05)
    with pytest.raises(SpecError, match=r"peak_pressure_pa: 2e\+05 Pa, but a compression ratio of 9 alone gives"):
        part(peak_pressure_pa=2e5)
