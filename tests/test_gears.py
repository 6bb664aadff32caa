"""The mathematics of meshing gears, and where their teeth touch."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from gear_worlds import body, gear, hinge, turned, world
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from physreel.geometry.distances import world_distances
from physreel.geometry.gears import (
    LEAST_CONTACT_RATIO,
    backlash_m,
    contact_ratio,
    mesh_distance_m,
    mesh_problems,
    meshing_turn_rad,
    rack_distance_m,
    rack_offset_m,
    working_angle_rad,
)
from physreel.geometry.profiles import half_angles
from physreel.geometry.rotations import rotate_wxyz
from physreel.simulators.mujoco import MujocoSimulator
from physreel.spec import Gear, Rack, SceneSpec


def test_a_worked_example_of_profile_shifted_gears() -> None:
    """KHK, Gear Technical Reference, table 4.3 (profile shifted spur gears): m 3, 12:24 teeth, x 0.6 and 0.36."""
    pair = [
        Gear(module_m=0.003, tooth_count=n, width_m=0.01, profile_shift=x) for n, x in ((12, 0.6), (24, 0.36))
    ]  # fmt: skip
    distance = mesh_distance_m(*pair)
    assert distance == pytest.approx(0.0564999, abs=2e-7)
    assert math.degrees(working_angle_rad(*pair, distance)) == pytest.approx(26.0886, abs=2e-4)
    assert pair[0].base_radius_m == pytest.approx(0.033829 / 2, abs=1e-6)


def test_plain_gears_are_half_the_sum_of_their_pitch_diameters_apart() -> None:
    assert mesh_distance_m(gear(17), gear(31)) == pytest.approx(0.004 * 24)
    ring = gear(60, internal=True, rim_m=0.01)
    assert mesh_distance_m(ring, gear(18)) == pytest.approx(0.004 * 21)


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(17, 60), second=st.integers(17, 60), thinning=st.floats(0.0, 4e-4), extra=st.floats(0.0, 5e-4),
    inside=st.booleans(),
)  # fmt: skip
def test_backlash_is_that_of_thinning_and_distance(
    first: int, second: int, thinning: float, extra: float, inside: bool
) -> None:
    """At the nominal distance it is the thinning of both; farther apart it grows by about 2 Δa sin α."""
    a = gear(first, thinning_m=thinning)
    b = gear(first + second, thinning_m=thinning, internal=True, rim_m=0.01) if inside else gear(second)
    nominal = mesh_distance_m(a, b)
    both = (thinning + b.thinning_m) * math.cos(math.radians(20.0))
    assert backlash_m(a, b, nominal) == pytest.approx(both, abs=1e-9)
    apart = nominal - extra if inside else nominal + extra
    assert backlash_m(a, b, apart) - both == pytest.approx(2 * extra * math.sin(math.radians(20.0)), rel=0.1, abs=1e-8)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"tooth_count": 3}, r"at least 17 teeth \(with profile shift, 10 to 16 can be cut too\)"),
        ({"tooth_count": 12}, r"at least 17 teeth, or a profile shift of at least 0\.289"),
        ({"tooth_count": 12, "profile_shift": 1.2}, r"pointed teeth; set profile_shift to at most 0\.60"),
        ({"tooth_count": 20, "internal": True, "rim_m": 0.01}, r"give it at least 34 teeth"),
        ({"tooth_count": 20, "missing_teeth": (20,)}, r"no tooth 20; teeth are 0 to 19"),
        ({"tooth_count": 20, "bore_radius_m": 0.05}, r"not below the root radius"),
    ],
)
def test_gears_that_cannot_be_cut_are_refused_with_those_that_can(changes: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Gear(**({"module_m": 0.004, "width_m": 0.01} | changes))  # type: ignore[arg-type]


def test_what_the_refusals_advise_is_accepted() -> None:
    Gear(module_m=0.004, width_m=0.01, tooth_count=17)
    Gear(module_m=0.004, width_m=0.01, tooth_count=12, profile_shift=0.289)
    Gear(module_m=0.004, width_m=0.01, tooth_count=12, profile_shift=0.602)
    Gear(module_m=0.004, width_m=0.01, tooth_count=10, profile_shift=0.45)


@pytest.mark.parametrize(
    ("a", "b", "distance", "text"),
    [
        (gear(20), gear(30), 0.0995, "teeth overlap by 0.148 mm; set it to 100.000 mm or more"),
        (
            gear(20),
            gear(30),
            0.1045,
            r"only 0\.\d\d pairs of teeth touch on the mean; set it to 100.000 mm, at most 10",
        ),
        (gear(20), gear(30), 0.09, "base circles overlap; set it to 100.000 mm"),
        (gear(20), gear(30, module_m=0.005), 0.1, "modules 4 and 5 mm differ"),
        (gear(20), gear(30, pressure_angle_deg=25.0), 0.1, "pressure angles 20° and 25° differ"),
        (gear(34), gear(40, internal=True, rim_m=0.01), 0.012, "give the ring at least 44"),
        (gear(20), gear(60, internal=True, rim_m=0.01), 0.081, "teeth overlap by .* set it to 80.000 mm or less"),
    ],
)
def test_gears_that_do_not_mesh_are_told_what_would(a: Gear, b: Gear, distance: float, text: str) -> None:
    (problem,) = mesh_problems(a, b, distance)

    assert re.search(text, problem), problem
    assert mesh_problems(gear(20), gear(30), 0.1) == []


def test_the_limit_told_is_one_that_meshes() -> None:
    a, b = gear(20), gear(30)
    (problem,) = mesh_problems(a, b, 0.1045)
    most = float(problem.rsplit("at most ", 1)[1].removesuffix(" mm")) * 1e-3
    assert mesh_problems(a, b, most - 1e-6) == []
    assert contact_ratio(a, b, most) == pytest.approx(LEAST_CONTACT_RATIO, abs=0.01)


def gaps(spec: SceneSpec) -> list[float]:
    """Gaps of all flanks nearer than a module, by the contacts that the simulator would see."""
    from physreel.simulators.mujoco import _Run
    from physreel.simulators.preparation import prepare

    run = _Run(prepare(spec))
    run.mujoco.mj_kinematics(run.model, run.data)
    teeth = run.machines.teeth
    assert teeth is not None
    count = teeth.find(run.data, 1e-3)
    return sorted(teeth.gaps[:count].tolist())


def pair_world(a: Gear, b: Gear, turn_a: float, off: float, direction: float, *, flip: bool = False) -> SceneSpec:
    """Gear b in mesh with a, turned by ``off`` from the middle of its gap."""
    apart = mesh_distance_m(a, b)
    turn_b = meshing_turn_rad(a, turn_a, b, direction) + off
    place = (apart * math.cos(direction), apart * math.sin(direction), 0.0)
    second = body("b", b, place, turn_b)
    if flip:  # turned over about its own x axis: the same gear seen from below
        w, _, _, z = turned(turn_b)
        second = second.model_copy(update={"orientation_wxyz": (0.0, w, z, 0.0)})
    return world(
        [body("a", a, (0.0, 0.0, 0.0), turn_a), second], [hinge("a", (0, 0, 0)), hinge("b", place)], duration_s=1.0
    )


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in range(2, 6))])
def test_gaps_are_the_distances_of_the_outlines(inside: bool, seed: int) -> None:
    """The nearest flanks, by closed form and from the other's outline as drawn, whose facets are up to 10 µm deep."""
    rng = np.random.default_rng(seed)
    a = gear(int(rng.integers(17, 30)), thinning_m=3e-4)
    count = int(rng.integers(18, 40))
    b = (
        gear(a.tooth_count + count, thinning_m=2e-4, internal=True, rim_m=0.01)
        if inside
        else gear(count, thinning_m=2e-4)
    )
    spec = pair_world(a, b, rng.uniform(0, 7), rng.uniform(-0.3, 0.3) * 2e-4 / b.pitch_radius_m, rng.uniform(0, 7))
    radius = np.linspace(a.base_radius_m, a.tip_radius_m, 200)
    flank = np.concatenate([half_angles(a, radius), -half_angles(a, radius)])
    angle = (flank + 2 * np.pi / a.tooth_count * np.arange(a.tooth_count)[:, None]).ravel()
    dense = np.tile(radius, 2 * a.tooth_count)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    first, second = spec.bodies
    points = np.column_stack([dense, np.zeros(len(dense))])
    points = rotate_wxyz(np.array(first.orientation_wxyz), points) + np.array(first.position_m)
    pose = np.concatenate([second.position_m, second.orientation_wxyz])
    nearest = float(world_distances(b, pose, points).min())
    assert gaps(spec)[0] == pytest.approx(nearest, abs=1.2e-5)
    # Two flanks each way, at half the backlash when in the middle.
    middle = pair_world(a, b, 0.3, 0.0, 1.0)
    half = 0.5 * backlash_m(a, b, mesh_distance_m(a, b))
    assert gaps(middle)[:2] == pytest.approx([half, half], abs=1e-9)


def test_a_gear_that_is_turned_over_meshes_as_well() -> None:
    a, b = gear(20), gear(30)
    plain, over = (gaps(pair_world(a, b, 0.4, 1e-4, 0.7, flip=flip)) for flip in (False, True))
    assert plain == pytest.approx(over, abs=1e-12)


def test_errors_and_runout_move_the_flanks() -> None:
    a, b = gear(20), gear(30)
    plain = gaps(pair_world(a, b, 0.0, 0.0, 0.0))
    proud = gaps(pair_world(a.model_copy(update={"tooth_errors_m": (1e-5,) * 20}), b, 0.0, 0.0, 0.0))
    assert proud[0] == pytest.approx(plain[0] - 1e-5, abs=1e-9)
    out = gaps(pair_world(a.model_copy(update={"runout_m": 5e-5}), b, 0.0, 0.0, 0.0))
    assert out[0] == pytest.approx(plain[0] - 5e-5 * math.sin(math.radians(20.0)), abs=1e-7)


def test_a_rack_goes_as_far_as_its_pinion_rolls() -> None:
    pinion, rack = gear(20), Rack(module_m=0.004, tooth_count=24, width_m=0.012, thinning_m=1e-4, back_m=0.01)
    height, turn = rack_distance_m(pinion, rack), 0.2
    place = (rack_offset_m(pinion, turn, rack), -height, 0.0)
    from physreel.spec import Joint, Motor

    spec = world(
        [body("pinion", pinion, (0, 0, 0), turn), body("rack", rack, place, 0.0)],
        [
            hinge("pinion", (0, 0, 0), motor=Motor(speed=1.5, max_effort=5.0, ramp_s=0.1)),
            Joint(name="rack", kind="slide", child="rack", anchor_m=place, axis=(1.0, 0.0, 0.0), damping=5.0),
        ],
        duration_s=1.0,
    )
    trajectory = MujocoSimulator().simulate(spec)
    way = trajectory.joint_position[-1]
    play = 2e-4
    assert way[1] == pytest.approx(way[0] * pinion.pitch_radius_m, abs=play)
    assert trajectory.joint_velocity[-1, 1] == pytest.approx(1.5 * pinion.pitch_radius_m, rel=1e-3)
