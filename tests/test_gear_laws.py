"""Gears by tooth contact: ratios (Willis 1841), energy, locked loops, gaps, teeth that break."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gear_worlds import MODULE_M, body, compound_train, gear, locked_loop, planetary, train, with_weak_tooth, world

from physreel.analysis.machines import jam_s
from physreel.errors import SpecError
from physreel.geometry.gears import backlash_m, mesh_distance_m
from physreel.simulators.mujoco import MujocoSimulator
from physreel.spec import Cylinder, Joint, Motor, SceneSpec
from physreel.values import Trajectory

TURNS = 10


def run(spec: SceneSpec) -> Trajectory:
    return MujocoSimulator().simulate(spec)


def ratio(trajectory: Trajectory, first: int, last: int) -> float:
    """Of the angles turned from the first frame to the last: backlash is in it."""
    way = trajectory.joint_position[-1] - trajectory.joint_position[0]
    assert abs(way[last]) >= 2 * math.pi * TURNS
    return float(way[last] / way[first])


@pytest.mark.parametrize("teeth", [(17, 31), (20, 30, 25), (18, 24, 20, 30, 22)])
def test_ratio_of_a_train_over_ten_turns(teeth: tuple[int, ...]) -> None:
    """Idlers turn the sense round and leave the ratio: ω_n / ω_1 = (-1)^(n-1) N_1 / N_n."""
    speed = 24.0
    expected = (-1) ** (len(teeth) - 1) * teeth[0] / teeth[-1]
    duration = 2 * math.pi * (TURNS + 0.7) / (speed * abs(expected))
    trajectory = run(train([gear(n) for n in teeth], duration_s=duration, speed_rad_s=speed))
    assert ratio(trajectory, 0, len(teeth) - 1) == pytest.approx(expected, rel=1e-3)


def test_ratio_of_a_compound_train() -> None:
    speed = 36.0
    _, expected = compound_train(duration_s=1.0, speed_rad_s=speed)
    spec, _ = compound_train(duration_s=2 * math.pi * (TURNS + 0.7) / (speed * expected), speed_rad_s=speed)
    assert ratio(run(spec), 0, 3) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("carrier_held", [False, True])
def test_ratio_of_a_planetary_train(carrier_held: bool) -> None:
    """(ω_sun - ω_carrier) / (ω_ring - ω_carrier) = -N_ring / N_sun."""
    speed, sun, planet = 40.0, 24, 18
    around = sun + 2 * planet
    expected = -sun / around if carrier_held else sun / (sun + around)
    duration = 2 * math.pi * (TURNS + 0.7) / (speed * abs(expected))
    spec = planetary(
        duration_s=duration, speed_rad_s=speed, sun_teeth=sun, planet_teeth=planet, carrier_held=carrier_held
    )
    assert ratio(run(spec), 0, 1) == pytest.approx(expected, rel=1e-3)


def test_profile_shifted_pinions_of_ten_teeth_mesh() -> None:
    pair = [gear(10, profile_shift=0.45), gear(22)]
    trajectory = run(train(pair, duration_s=2.0, speed_rad_s=10.0))
    way = trajectory.joint_position[-1]
    assert way[1] / way[0] == pytest.approx(-10 / 22, rel=2e-3)


def test_power_out_is_no_more_than_power_in() -> None:
    """A motor drives five gears with errors against a brake; what is lost is friction of teeth, a few per cent."""
    errors = np.random.default_rng(4).normal(0.0, 8e-6, (5, 30))
    gears = [
        gear(n, runout_m=2e-5, tooth_errors_m=tuple(e[:n])) for n, e in zip((18, 24, 20, 30, 22), errors, strict=True)
    ]
    spec = train(gears, duration_s=2.0, friction=0.5, load=0.0, speed_rad_s=6.0)
    trajectory = run(spec)
    signals = trajectory.signals
    speed, effort = signals["speed:g0"].values, signals["motor_effort:g0"].values
    settled = slice(len(speed) // 2, None)
    power_in = float(np.mean(speed[settled] * effort[settled]))
    power_out = float(np.mean(np.abs(signals["speed:g4"].values[settled]) * 0.5))
    assert 0.85 * power_in < power_out <= power_in


def test_free_gears_do_not_gain_energy() -> None:
    """Two gears that rattle in their backlash, without a motor: what moves at first is all there is."""
    spec = train([gear(20, thinning_m=5e-4), gear(30, thinning_m=5e-4)], duration_s=2.0, load=0.0)
    bodies = (spec.bodies[0].model_copy(update={"angular_velocity_rad_s": (0.0, 0.0, 8.0)}), spec.bodies[1])
    joints = tuple(joint.model_copy(update={"motor": None, "damping": 0.0}) for joint in spec.joints)
    trajectory = run(spec.model_copy(update={"bodies": bodies, "joints": joints}))
    from physreel.simulators.preparation import prepare
    from physreel.simulators.watch import mechanical_energy

    energy = mechanical_energy(prepare(spec), trajectory).sum(1)
    energy = energy - spec.bodies[0].position_m[2] * 9.81 * sum(m.mass for m in prepare(spec).masses if m)
    assert energy[0] > 1e-3
    assert (np.diff(energy) <= 1e-6 * energy[0]).all()
    assert energy[-1] > 0.3 * energy[0]  # and they go on turning


def test_locked_loop_moves_no_more_than_its_backlash() -> None:
    spec = locked_loop()
    shape = gear(27, thinning_m=4e-4)
    play = backlash_m(shape, shape, mesh_distance_m(shape, shape))
    trajectory = run(spec)
    moved = np.ptp(trajectory.joint_position, axis=0) * shape.base_radius_m
    assert moved.max() <= play
    assert moved.max() > 0.1 * play
    assert jam_s(spec, trajectory, "g0") is not None


def test_missing_teeth_let_the_next_gear_coast() -> None:
    gapped = [gear(18, missing_teeth=(3, 4, 5)), gear(30)]
    whole = run(train([gear(18), gear(30)], duration_s=2.5))
    trajectory = run(train(gapped, duration_s=2.5))
    assert abs(trajectory.joint_position[-1, 1]) < 0.97 * abs(whole.joint_position[-1, 1])
    assert np.abs(trajectory.signals["speed:g1"].values[120:]).min() < 0.5 * np.abs(whole.joint_velocity[-1, 1])


def test_a_weak_tooth_breaks_when_the_force_on_it_passes_its_strength() -> None:
    base = train([gear(18), gear(30)], duration_s=2.0, load=0.0, friction=1.2, speed_rad_s=4.0)
    spec = SceneSpec.from_json(with_weak_tooth(base, "g1", 9, 15.0).to_json())
    trajectory = run(spec)
    (gone,) = trajectory.breaks
    assert gone.name == "weak"
    assert gone.bodies == ("g1", "tooth")
    assert gone.force_n > 15.0
    # Until then it rode on the gear, at the same distance from the axis; then it fell.
    place = trajectory.body_pose[:, 2, :3] - trajectory.body_pose[:, 1, :3]
    before = trajectory.time_s < gone.time_s
    radius = np.hypot(place[:, 0], place[:, 1])
    assert radius[before] == pytest.approx(np.full(before.sum(), radius[0]), abs=2e-5)
    assert trajectory.body_pose[-1, 2, 2] < 0.05
    # Its strength out of reach, it holds.
    assert run(with_weak_tooth(base, "g1", 9, 1e4)).breaks == ()


def test_teeth_that_overlap_at_the_start_are_refused_with_what_would_mesh() -> None:
    pair = [gear(20), gear(30)]
    with pytest.raises(SpecError, match=r"'g0' and 'g1': .* the teeth overlap by .* set it to 100\.000 mm or more"):
        MujocoSimulator().check(train(pair, duration_s=1.0, extra_m=-0.6 * MODULE_M))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.95])
def test_axes_that_are_far_too_near_are_refused_too(share: float) -> None:
    pair = [gear(17), gear(27)]
    near = (share - 1.0) * mesh_distance_m(*pair)
    with pytest.raises(SpecError, match=r"set it to 88\.000 mm"):
        MujocoSimulator().check(train(pair, duration_s=1.0, extra_m=near))


def test_gears_that_do_not_match_are_refused_where_they_reach_each_other() -> None:
    spec = train([gear(20), gear(30)], duration_s=1.0)
    other = spec.bodies[1].model_copy(update={"shape": gear(34, module_m=0.0035)})
    with pytest.raises(SpecError, match=r"modules 4 and 3\.5 mm differ"):
        MujocoSimulator().check(spec.model_copy(update={"bodies": (spec.bodies[0], other)}))


def test_teeth_turned_into_each_other_are_refused() -> None:
    spec = train([gear(20), gear(30)], duration_s=1.0)
    turned = spec.bodies[1].model_copy(update={"orientation_wxyz": (1.0, 0.0, 0.0, 0.0)})
    with pytest.raises(SpecError, match=r"'g0' and 'g1' overlap by"):
        MujocoSimulator().check(spec.model_copy(update={"bodies": (spec.bodies[0], turned)}))


def test_a_wheel_that_is_slid_off_its_pinion_is_driven_no_more() -> None:
    """Along its axle, off the 12 mm of its pinion after 0.6 s."""
    spec = train([gear(17), gear(27)], duration_s=1.5, load=0.05)
    wheel = spec.joints[1]
    place = wheel.anchor_m
    push = Motor(speed=0.02, max_effort=500.0)
    axle = body("axle", Cylinder(radius_m=0.005, height_m=0.02), place, 0.0)
    slide = Joint(name="axle", kind="slide", child="axle", anchor_m=place, motor=push)
    joints = (spec.joints[0], slide, wheel.model_copy(update={"parent": "axle"}))
    trajectory = run(spec.model_copy(update={"bodies": (*spec.bodies, axle), "joints": joints}))
    speed = trajectory.signals["speed:g1"]
    assert abs(speed.values[round(0.5 * speed.rate_hz)]) == pytest.approx(4.0 * 17 / 27, rel=0.02)
    assert abs(speed.values[-1]) < 0.02


def test_loose_gears_are_solid_to_each_other() -> None:
    """One that falls on another lies on it, wherever it comes down."""
    lying = body("g0", gear(30), (0.0, 0.0, 0.006), 0.0, motion="static")
    fallen = body("g1", gear(20), (0.03, 0.0, 0.05), 0.0)
    trajectory = run(world([lying, fallen], [], duration_s=0.6))
    assert trajectory.body_pose_end[1, 2] == pytest.approx(0.018, abs=1e-3)


def test_the_same_train_gives_the_same_bytes() -> None:
    spec = train([gear(17), gear(31)], duration_s=0.5)
    first, second = run(spec), run(spec)
    assert first.body_pose.tobytes() == second.body_pose.tobytes()
    assert first.signals["tooth_force:g0/g1"].values.tobytes() == second.signals["tooth_force:g0/g1"].values.tobytes()
