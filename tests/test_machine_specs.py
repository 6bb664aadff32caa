"""What machines refuse, and what they do where a spec is unusual but right."""

from __future__ import annotations

import json
import math
from typing import Any

import bearing_worlds
import numpy as np
import pytest
from engine_worlds import one_cylinder
from gear_worlds import gear, train, with_weak_tooth
from pydantic import ValidationError

from physreel.errors import InputError, SpecError, UnsupportedError
from physreel.geometry.belts import BeltPath, holding_force_n
from physreel.geometry.profiles import half_angles
from physreel.scenes.gears import Gears
from physreel.simulators.base import required_capabilities
from physreel.simulators.gas import GasPart
from physreel.simulators.machinery import machine_parts
from physreel.simulators.mujoco import MujocoSimulator
from physreel.simulators.preparation import prepare
from physreel.spec import (
    Air,
    Bearing,
    Belt,
    Body,
    Box,
    Cylinder,
    Gear,
    Joint,
    Motor,
    Plane,
    Pulley,
    Rack,
    SceneSpec,
    Sphere,
)
from physreel.spec.toothed import ring_gap
from physreel.values import Trajectory

Y = (0.0, 1.0, 0.0)
BALLS: dict[str, Any] = {"ball_count": 8, "ball_diameter_m": 0.006, "pitch_diameter_m": 0.03}


def _four_bar(*, bearing: str = "", all_rub: bool = False, **last: Any) -> SceneSpec:
    """A crank, a coupler and a rocker; ``last`` goes to the hinge between the latter two, which closes the loop."""
    rub = {"friction": 0.01} if all_rub else {}
    bodies = [
        Body(name="a", shape=Box(size_m=(0.02, 0.02, 0.2)), material="steel", position_m=(0.0, 0.0, 0.1)),
        Body(name="b", shape=Box(size_m=(0.2, 0.02, 0.02)), material="steel", position_m=(0.1, 0.03, 0.2)),
        Body(name="c", shape=Box(size_m=(0.02, 0.02, 0.2)), material="steel", position_m=(0.2, 0.0, 0.1)),
        Body(name="wall", shape=Box(size_m=(0.05, 0.01, 0.05)), material="steel", motion="static",
             position_m=(0.2, 0.5, 0.2)),
    ]  # fmt: skip
    joints = [
        Joint(name="j1", kind="hinge", child="a", axis=Y, motor=Motor(speed=1.0, max_effort=5.0)),
        Joint(name="j2", kind="hinge", child="b", parent="a", anchor_m=(0.0, 0.0, 0.2), axis=Y, **rub),
        Joint(name="j3", kind="hinge", child="c", parent="wall", anchor_m=(0.2, 0.0, 0.0), axis=Y, **rub),
        Joint(name="j4", kind="hinge", child="c", parent="b", anchor_m=(0.2, 0.0, 0.2), axis=Y, **(rub | last)),
    ]
    return SceneSpec(
        scene="test",
        duration_s=0.3,
        fps=24,
        bodies=tuple(bodies),
        joints=tuple(joints),
        bearings=(Bearing(name="balls", joint=bearing, housing="wall", **BALLS),) if bearing else (),
        no_contact=(("a", "b"), ("b", "c"), ("a", "c")),
    )


def _run(spec: SceneSpec) -> Trajectory:
    return MujocoSimulator().simulate(spec)


def _closing(spec: SceneSpec) -> list[str]:
    return [link.joint.name for link in prepare(spec).links if link.closes_loop]


# --- joints that close loops ----------------------------------------------------------------------------------------


def test_a_joint_that_rubs_does_not_close_a_loop() -> None:
    assert _closing(_four_bar()) == ["j4"]
    stuck = _four_bar(friction=1000.0)
    assert _closing(stuck) != ["j4"]
    turned = _run(stuck).joint_position[-1]
    assert turned == pytest.approx(0.0, abs=1e-3)  # the free loop's crank turns by 0.29 in that time


def test_a_hinge_with_a_bearing_does_not_close_a_loop() -> None:
    spec = _four_bar(bearing="j4", all_rub=False)
    assert _closing(spec) not in ([], ["j4"])


def test_where_every_joint_is_needed_the_loop_is_refused_with_all_reasons() -> None:
    spec = _four_bar(all_rub=True)
    with pytest.raises(UnsupportedError, match=r"damping or friction, and those of couplings, bearings, belts and gas"):
        prepare(spec)


def test_joints_that_close_a_loop_have_no_signals() -> None:
    trajectory = _run(_four_bar())
    assert "angle:j1" in trajectory.signals
    assert "angle:j4" not in trajectory.signals
    assert "speed:j4" not in trajectory.signals


# --- parts go with the body that turns ------------------------------------------------------------------------------


def _with_reversed(spec: SceneSpec, name: str, static: str) -> SceneSpec:
    """The spec with a joint whose child is a static body, and whose parent is what was its child."""
    joints = tuple(
        joint.model_copy(update={"child": static, "parent": joint.child}) if joint.name == name else joint
        for joint in spec.joints
    )
    return spec.model_copy(update={"joints": joints})


def _belt_world(**changes: Any) -> SceneSpec:
    wheels = [("a", 0.03, 0.0), ("b", 0.05, 0.2)]
    bodies = [
        Body(name=name, shape=Cylinder(radius_m=radius, height_m=0.01), material="steel", position_m=(x, 0.0, 0.2))
        for name, radius, x in wheels
    ]
    post = Body(name="post", shape=Box(size_m=(0.01, 0.01, 0.05)), material="steel", motion="static",
                position_m=(0.2, 0.0, 0.3))  # fmt: skip
    given: dict[str, Any] = {
        "name": "belt", "tension_n": 50.0,
        "driver": Pulley(joint="a", radius_m=0.03), "driven": Pulley(joint="b", radius_m=0.05),
    }  # fmt: skip
    return SceneSpec(
        scene="test",
        duration_s=0.2,
        fps=24,
        step_s=1.0 / 2400.0,
        bodies=(*bodies, post),
        joints=tuple(Joint(name=name, kind="hinge", child=name, anchor_m=(x, 0.0, 0.2)) for name, _, x in wheels),
        belts=(Belt(**(given | changes)),),
    )


def test_joints_of_parts_have_the_body_that_moves_as_child() -> None:
    belt = _with_reversed(_belt_world(), "b", "post")
    with pytest.raises(SpecError, match=r"belts\.0\.driven\.joint: the child 'post' of 'b' is static.*swap child and"):
        machine_parts(prepare(belt))
    bearing = _with_reversed(bearing_worlds.world(), "shaft", "block")
    with pytest.raises(SpecError, match=r"bearings\.0\.joint: the child 'block' of 'shaft' is static"):
        machine_parts(prepare(bearing))
    loose = Joint(name="fit", kind="slide", child="post", parent="a", limits=(-0.001, 0.0))
    with pytest.raises(SpecError, match=r"joints\.0: the child 'post' of 'fit' is static"):
        machine_parts(prepare(_belt_world().model_copy(update={"joints": (loose,), "belts": ()})))


def test_a_bearing_stands_still_and_all_that_is_wrong_with_it_is_told_at_once() -> None:
    good = bearing_worlds.world()
    assert len(machine_parts(prepare(good))) == 1
    block = good.bodies[0].model_copy(update={"motion": "dynamic"})
    moving = good.model_copy(update={"bodies": (block, *good.bodies[1:])})
    with pytest.raises(SpecError) as caught:
        machine_parts(prepare(moving))
    assert [line.split(":")[0] for line in caught.value.problems] == ["bearings.0.joint", "bearings.0.housing"]
    assert "let the hinge's parent be a static body or the world" in caught.value.problems[0]


def test_a_load_along_the_shaft_is_refused_by_its_path() -> None:
    with pytest.raises(SpecError, match=r"bearings\.0\.load_direction: \(0\.0, 1\.0, 0\.0\) is along the shaft"):
        machine_parts(prepare(bearing_worlds.world(load_direction=(0.0, 1.0, 0.0))))


def test_a_belt_runs_between_two_hinges() -> None:
    spec = _belt_world(driven=Pulley(joint="a", radius_m=0.05))
    with pytest.raises(SpecError, match=r"belts\.0 \('belt'\): both pulleys are on the hinge 'a'"):
        machine_parts(prepare(spec))


def test_a_belt_holds_by_eulers_law() -> None:
    belt = _belt_world().belts[0]
    path = BeltPath.of(_belt_world(), belt)
    ratio = math.exp(belt.friction * path.driver_wrap_rad)
    # Of two spans whose sum is twice the tension at rest, the one pulls ``ratio`` times as hard as the other.
    assert holding_force_n(belt, path) == pytest.approx(2.0 * belt.tension_n * (ratio - 1.0) / (ratio + 1.0))
    assert holding_force_n(belt, path, sliding=True) < holding_force_n(belt, path)


# --- slides with play -----------------------------------------------------------------------------------------------


def _hanging(play_m: float) -> SceneSpec:
    bob = Body(name="bob", shape=Box(size_m=(0.03, 0.03, 0.03)), material="steel", position_m=(0.0, 0.0, 0.3))
    fit = Joint(name="fit", kind="slide", child="bob", limits=(-play_m, 0.0))
    return SceneSpec(scene="test", duration_s=0.3, fps=24, bodies=(bob,), joints=(fit,))


def test_play_is_a_few_millimetres_and_only_engines_of_machines_have_it() -> None:
    assert "machines" in required_capabilities(_hanging(0.005))
    assert "machines" not in required_capabilities(_hanging(0.008))
    assert len(_run(_hanging(0.005)).knocks) > 0
    assert len(_run(_hanging(0.008)).knocks) == 0


# --- what is carried ------------------------------------------------------------------------------------------------


def test_what_is_carried_is_no_obstacle() -> None:
    ghost = Body(name="ghost", shape=Box(size_m=(0.1, 0.1, 0.02)), material="rubber", motion="carried",
                 position_m=(0.0, 0.0, 0.5))  # fmt: skip
    ball = Body(name="ball", shape=Sphere(radius_m=0.03), material="steel", position_m=(0.0, 0.0, 0.8))
    floor = Body(name="floor", shape=Plane(), material="steel", motion="static")
    spec = SceneSpec(scene="test", duration_s=0.3, fps=24, bodies=(ghost, ball, floor))
    fallen = _run(spec).body_pose_end[1, 2]
    assert fallen == pytest.approx(0.8 - 0.5 * 9.81 * (spec.frame_count / spec.fps) ** 2, abs=2e-3)


# --- gas ------------------------------------------------------------------------------------------------------------


def _turned_gas(angle: Any, spec: SceneSpec) -> Any:
    """Pressures of a cylinder whose crank is at angles (N + 1,) rad from top dead centre at the ends of steps."""
    part = machine_parts(prepare(spec))[0]
    assert isinstance(part, GasPart)
    height = part.crank.height_m(angle)
    position = np.zeros((len(angle), len(spec.joints)))
    position[:, part.crank.crank] = angle - angle[0]
    position[:, part.crank.piston] = height - height[0]
    effort = np.zeros(len(spec.joints))
    found = []
    for k, row in enumerate(position[:-1]):
        part.push(k, row, row, effort)
        found.append(part._pressure[k])
    return np.array(found)


def _engine(**changes: Any) -> SceneSpec:
    given: dict[str, Any] = {"start_deg": 30.0, "firing_angle_deg": -30.0, "compression_ratio": 9.0,
                             "peak_pressure_pa": 3e6}  # fmt: skip
    return one_cylinder(**(given | changes))


def test_a_crank_that_turns_backwards_takes_no_heat_out_of_the_gas() -> None:
    spec = _engine()
    angle = np.radians(30.0) - np.arange(2000) * 2.0 * np.pi / 200.0
    pressure = _turned_gas(angle, spec)
    assert pressure.min() > 0.2 * 101_325.0
    # Later nothing burns: what is drawn in at the exhaust is compressed and expands again.
    assert pressure[400:].max() < 1.1 * 101_325.0 * 9.0**1.4
    assert _run(_engine(spin_rad_s=-40.0, duration_s=0.3)).signals["pressure:one"].values.min() > 0.0


def test_a_charge_burns_once_however_the_crank_rocks() -> None:
    spec = _engine(start_deg=-40.0, firing_angle_deg=40.0)
    once = np.radians(np.linspace(-40.0, 60.0, 200))
    rocking = np.concatenate([once, once[::-1], once, once[::-1], once])
    pressure = _turned_gas(rocking, spec)
    last = len(rocking) - len(once)
    # Each time it comes by the same place the gas is no hotter than the first time, when all of it had burnt.
    assert pressure[last + 195] == pytest.approx(pressure[195], rel=1e-3)
    assert pressure[last + 5] > 1.5 * pressure[5]


def test_gas_starts_from_the_air_of_the_spec() -> None:
    spec = _engine(fires=False)
    thin = spec.model_copy(update={"air": Air(pressure_pa=70_000.0, temperature_c=0.0)})
    angle = np.radians(30.0) + np.arange(600) * 2.0 * np.pi / 300.0
    usual, less = _turned_gas(angle, spec), _turned_gas(angle, thin)
    assert less == pytest.approx(usual * (70_000.0 / 101_325.0), rel=0.02)


# --- bearings -------------------------------------------------------------------------------------------------------


def test_a_broken_cage_is_struck_where_balls_enter_the_zone_in_the_sense_of_the_moment() -> None:
    spec = bearing_worlds.world(part="cage", duration_s=4.0)
    # Forwards for two seconds, then back again and a little beyond.
    told = bearing_worlds.record(
        spec, bearing_worlds.motion(spec, lambda t: 2.0 * np.pi * 20.0 * (2.0 - np.abs(t - 2.0)))
    )
    knocks = told.knocks
    axis, down = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])
    side = np.sign(knocks.direction @ np.cross(axis, down))
    assert (side[knocks.time_s < 1.99] == -1.0).all()
    assert (side[knocks.time_s > 2.01] == 1.0).all()
    assert min(np.count_nonzero(side < 0), np.count_nonzero(side > 0)) > 10


# --- teeth ----------------------------------------------------------------------------------------------------------

CUT: dict[str, Any] = {"module_m": 0.004, "tooth_count": 17, "width_m": 0.01}
RING: dict[str, Any] = {"module_m": 0.004, "tooth_count": 60, "width_m": 0.01, "internal": True, "rim_m": 0.01}


@pytest.mark.parametrize(
    ("shape", "changes", "texts"),
    [
        (Gear, CUT | {"thinning_m": 0.003}, ["thinning_m: 0.003 takes all of a tooth away", "below 0.002412 m"]),
        (Gear, RING | {"thinning_m": 0.004}, ["thinning_m: 0.004", "below 0.003793 m"]),
        (Gear, CUT | {"runout_m": 0.05, "tooth_errors_m": (-0.7, *[0.0] * 16)},
         ["up to 0.7 m off their place; at most 0.1 of the module, 0.0004 m", "runout_m: 0.05; at most 0.25 of the"]),
        (Gear, CUT | {"bore_radius_m": 0.0285, "runout_m": 0.0009}, ["not below the root radius less runout_m, 0.02"]),
        (Gear, RING | {"rim_m": 0.0005, "runout_m": 0.001}, ["rim_m: 0.0005; it must be above runout_m, 0.001 m"]),
        (Gear, RING | {"profile_shift": 1.5, "pressure_angle_deg": 30.0},
         ["no gaps between its teeth at their roots", "at least 195 teeth, or set profile_shift to at most 0.306"]),
        (Rack, {"module_m": 0.004, "tooth_count": 5, "width_m": 0.01, "pressure_angle_deg": 30.0, "back_m": 0.01,
                "thinning_m": 0.002}, ["thinning_m: 0.002 takes all of a tooth away", "below 0.001664 m"]),
    ],
)  # fmt: skip
def test_teeth_of_which_nothing_would_be_left_are_refused(
    shape: Any, changes: dict[str, Any], texts: list[str]
) -> None:
    with pytest.raises(ValidationError) as caught:
        shape(**changes)
    for text in texts:
        assert text in str(caught.value)


def test_teeth_within_the_limits_are_cut() -> None:
    for shape in (Gear(**CUT), Gear(**RING)):
        thin = shape.model_copy(update={"thinning_m": shape.most_thinning_m})
        assert half_angles(thin, thin.tip_radius_m) == pytest.approx(0.0, abs=1e-12)
    Gear(**CUT, thinning_m=0.0024, runout_m=2e-4, tooth_errors_m=(1e-4,) * 17)
    least = Gear(**RING | {"profile_shift": 0.306, "pressure_angle_deg": 30.0})
    gap = math.pi / least.tooth_count - float(half_angles(least, least.root_radius_m))
    assert 0.0 < gap < 1e-3
    assert 2.0 * least.root_radius_m * gap == pytest.approx(ring_gap(60, 30.0, 0.306) * least.module_m)


def test_play_that_small_teeth_cannot_spare_is_refused_before_any_is_drawn() -> None:
    with pytest.raises(InputError, match=r"backlash_m: up to 0\.002 m would leave nothing of the tips of 12 teeth"):
        Gears(backlash_m=(0.0005, 0.002), module_m=(0.001, 0.003))


# --- names ----------------------------------------------------------------------------------------------------------


def _weak_train() -> SceneSpec:
    return with_weak_tooth(train([gear(17), gear(27)], duration_s=0.25), "g0", 0, 5.0)


def _problems(spec: SceneSpec, **changes: Any) -> list[str]:
    """What a spec with changed fields says when it is read."""
    data = json.loads(spec.to_json()) | changes
    try:
        SceneSpec.from_json(json.dumps(data))
    except SpecError as error:
        return list(error.problems)
    return []


def test_teeth_that_cannot_break_off_are_told_all_at_once() -> None:
    spec = _weak_train()
    assert _problems(spec) == []
    seat = Joint(name="seat", kind="fixed", child="tooth", parent="g0")
    weak = {"strength_n": 5.0, "gear": "g0", "tooth": 0, "piece": "tooth"}
    given = [
        {"name": "right"} | weak,
        {"name": "again"} | weak,
        {"name": "none", **weak, "tooth": 99, "piece": "g1"},
        {"name": "there", **weak, "tooth": 3, "piece": "g0"},
        {"name": "floor", **weak, "gear": "floor", "piece": "floor"},
        {"name": "lost", **weak, "gear": "gone", "piece": "nowhere"},
    ]
    joints = [json.loads(joint.model_dump_json()) for joint in (*spec.joints, seat)]
    found = _problems(spec, breakable_teeth=given, joints=joints)
    expected = [
        ("breakable_teeth.0.piece", "held by the joint 'seat'"),
        ("breakable_teeth.1.tooth", "tooth 0 of 'g0' is that of breakable_teeth.0 already"),
        ("breakable_teeth.1.piece", "'tooth' is that of breakable_teeth.0 already"),
        ("breakable_teeth.2.tooth", "'g0' has no tooth 99; teeth are 0 to 16"),
        ("breakable_teeth.2.piece", "held by the joint 'g1'"),
        ("breakable_teeth.3.tooth", "add 3 to missing_teeth of the gear"),
        ("breakable_teeth.3.piece", "'g0' is the gear itself"),
        ("breakable_teeth.4.gear", "'floor' is a plane; name a body whose shape is a gear"),
        ("breakable_teeth.4.piece", "must be dynamic"),
        ("breakable_teeth.5.gear", "there is no body named 'gone'"),
        ("breakable_teeth.5.piece", "there is no body named 'nowhere'"),
    ]
    for path, text in expected:
        assert any(line.startswith(path) and text in line for line in found), (path, text, found)


@pytest.mark.parametrize("odd", [["x"], {"a": 1}, [["x"]], 5, None])
def test_what_is_no_name_is_told_and_not_stumbled_over(odd: Any) -> None:
    spec = _weak_train()
    for changes in (
        {"bearings": [{"name": "b", "joint": odd, "housing": odd, "balls": odd, "cage": odd} | BALLS]},
        {"belts": [{"name": odd, "driver": odd, "driven": {"joint": odd, "radius_m": 0.1}, "tension_n": 1.0}]},
        {"gas_cylinders": [{"name": "c", "crank_joint": odd, "piston_joint": odd, "bore_m": 0.1, "stroke_m": 0.1}]},
        {"breakable_teeth": [{"name": "w", "gear": odd, "tooth": odd, "piece": odd, "strength_n": 1.0}]},
        {"couplings": [{"name": "c", "joint_a": odd, "joint_b": odd, "ratio": 1.0}]},
        {"joints": [{"name": odd, "kind": odd, "child": odd, "parent": [odd]}]},
        {"bodies": [{"name": odd, "shape": odd, "material": odd, "motion": odd}]},
        {"fluids": [{"name": "f", "liquid": odd, "fills": [{"kind": odd, "vessel": odd}]}]},
        {"no_contact": [odd, [odd, "g0"]], "contact_pairs": [{"material_a": odd, "material_b": odd}]},
    ):
        assert _problems(spec, **changes)


def test_what_is_carried_is_on_no_joint_and_belongs_to_one_part() -> None:
    spec = _belt_world()
    link = Body(name="link", shape=Box(size_m=(0.01, 0.002, 0.01)), material="rubber", motion="carried")
    bodies = [json.loads(body.model_dump_json()) for body in (*spec.bodies, link)]
    belt = json.loads(spec.belts[0].model_dump_json())
    pin = json.loads(Joint(name="pin", kind="hinge", child="link", parent="a").model_dump_json())
    joints = [*(json.loads(joint.model_dump_json()) for joint in spec.joints), pin]
    assert _problems(spec, bodies=bodies, belts=[belt | {"links": ["link"]}]) == []
    found = _problems(
        spec,
        bodies=bodies,
        joints=joints,
        belts=[belt | {"links": ["link", "link"]}, belt | {"name": "other", "links": ["link"]}],
    )
    assert [line.split(":")[0] for line in found] == ["joints.2.child", "belts.0.links", "belts.1.links"]
    assert "'link' is carried by belts.0.links already; give each part bodies of its own" in found[2]
