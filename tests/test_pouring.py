"""Pouring: its worlds are possible and varied, and its outcomes are what the trajectory says, to the particle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from liquid_puppets import puppet

from physreel.analysis.liquids import find_places, first_arrivals, overflow_s
from physreel.errors import SpecError
from physreel.geometry.distances import world_distances
from physreel.geometry.rotations import keyframe_pose, rotate_wxyz
from physreel.geometry.vessels import capacity_m3, vessel_mesh, vessel_outline
from physreel.labels.events import find_events
from physreel.scenes.base import ClipSettings
from physreel.scenes.liquids import LIQUID_NAMES, PARTICLES
from physreel.scenes.pour_motion import plan_tilt
from physreel.scenes.pouring import Pouring
from physreel.scenes.vessels import (
    VESSEL_KINDS,
    VESSEL_MATERIALS,
    draw_vessel,
    lean_capacity_m3,
    tilt_to_hold_rad,
)
from physreel.seeding import sample_rng
from physreel.simulators.liquid_start import start_liquids
from physreel.spec import Body, Fluid, Plane, SceneSpec, Vessel, VesselFill

SPACING = 0.006


def draw(index: int, quality: str = "draft", **parameters) -> SceneSpec:
    clip = ClipSettings(fps=30, duration_s=3.0, quality=quality)
    return Pouring(clip=clip, **parameters).sample(sample_rng(3, "pouring", Pouring.version, index))


def body(spec: SceneSpec, name: str) -> Body:
    return spec.bodies[spec.body_index(name)]


# --- worlds -----------------------------------------------------------------------------------------------------------


def test_worlds_vary():
    specs = [draw(i) for i in range(50)]
    assert {spec.fluids[0].label for spec in specs} == set(LIQUID_NAMES)
    assert {spec.parameters["source"] for spec in specs} == {"jug", "bottle", "cup"}
    assert {spec.parameters["target"] for spec in specs} == {"glass", "bowl", "bucket", "cup"}
    assert {body(spec, name).material for spec in specs for name in ("source", "target")} == set(VESSEL_MATERIALS)
    assert {any(b.name == "table" for b in spec.bodies) for spec in specs} == {True, False}
    assert {spec.cameras[0].moves for spec in specs} == {True, False}
    # A steel cup over a steel cup: what is painted differs.
    assert sum(body(spec, "source").label == body(spec, "target").label for spec in specs) <= 3


def test_every_world_can_be_started_at_each_quality():
    for index in range(8):
        for quality, count in PARTICLES.items():
            start = start_liquids(draw(index, quality))
            assert 0.95 * count < len(start) < 1.15 * count, (index, quality)


def test_quality_changes_nothing_but_the_division():
    for index in range(5):
        draft, fine = draw(index, "draft"), draw(index, "fine")
        assert draft.particle_spacing_m > 1.6 * fine.particle_spacing_m
        assert draft.model_copy(update={"particle_spacing_m": fine.particle_spacing_m}) == fine


def skin(shape: Vessel, apart_m: float = 0.006) -> np.ndarray:
    """(M, 3) points all over a vessel, inside and outside."""
    corners, rings = vessel_outline(shape), []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        count = math.ceil(np.linalg.norm(b - a) / apart_m)
        for r, z in a + (b - a) * (np.arange(count) / max(count, 1))[:, None]:
            angle = np.arange(0.0, 2.0 * np.pi, apart_m / max(r, apart_m))
            rings.append(np.stack([r * np.cos(angle), r * np.sin(angle), np.full(len(angle), z)], 1))
    return np.concatenate(rings)


def least_gap_m(spec: SceneSpec) -> float:
    """Between the vessel that pours and all that stands, in the clip's first 2.4 seconds."""
    still = [b for b in spec.bodies if b.motion == "static" and b.name != "side_wall"]
    source = body(spec, "source")
    points, gaps = skin(source.shape), []
    for time in np.arange(0.0, 2.4, 0.12):
        pose = keyframe_pose(source, float(time))
        world = pose[:3] + rotate_wxyz(pose[3:], points)
        gaps += [world_distances(b.shape, (*b.position_m, *b.orientation_wxyz), world).min() for b in still]
    return min(gaps)


def test_the_vessel_that_pours_touches_nothing_on_its_way():
    for index in range(16):
        assert least_gap_m(draw(index)) > 0.006, index


@pytest.mark.parametrize(
    "parameters",
    [
        {"volume_l": 2, "target_fill": 4, "pour_height_m": 0.01},
        {"volume_l": 2, "target_fill": 0.1},
        {"volume_l": 2, "fill_share": 0.1, "target_fill": 0.1},
        {"volume_l": 2, "fill_share": 0.1, "target_fill": 4},
        {"volume_l": 0.05, "fill_share": 0.1, "target_fill": 4, "target_offset": 4},
    ],
)
def test_nor_does_it_at_the_ends_of_what_is_allowed(parameters):
    for index in range(2):
        assert least_gap_m(draw(index, **parameters)) > 0.006, index


def test_the_lip_ends_over_the_opening_unless_the_target_is_set_off():
    for index in range(12):
        spec = draw(index, target_offset=0)
        source, target = body(spec, "source"), body(spec, "target")
        rim = np.array([source.shape.profile_m[-1][0], 0.0, source.shape.rim_z_m])
        key = source.keyframes[-1]
        lip = np.asarray(key.position_m) + rotate_wxyz(key.orientation_wxyz, rim) - target.position_m
        assert np.hypot(*lip[:2]) < 1.41 * target.shape.profile_m[-1][0], index
        assert lip[2] > target.shape.rim_z_m + 0.008, index
        missed = draw(index, target_offset=3.0)
        key = body(missed, "source").keyframes[-1]
        lip = np.asarray(key.position_m) + rotate_wxyz(key.orientation_wxyz, rim) - target.position_m
        assert np.hypot(*lip[:2]) > 1.5 * target.shape.profile_m[-1][0], index


def test_everything_of_the_pour_is_in_the_picture():
    for index in range(15):
        spec = draw(index)
        camera = spec.cameras[0]
        K = camera.intrinsics()
        for time in (0.0, 1.0, 2.0):
            pose = np.linalg.inv(camera.camera_to_world(time))
            for name in ("source", "target"):
                b = body(spec, name)
                at = keyframe_pose(b, time) if b.motion == "driven" else np.array([*b.position_m, *b.orientation_wxyz])
                world = at[:3] + rotate_wxyz(at[3:], np.asarray(vessel_mesh(b.shape, 8).vertices_m))
                seen = (K @ (pose[:3, :3] @ world.T + pose[:3, 3:])).T
                pixels = seen[:, :2] / seen[:, 2:]
                assert (pixels > -2.0).all(), (index, name, time)
                assert (pixels < camera.width + 2.0).all(), (index, name, time)


def test_what_a_user_sets_is_what_is_drawn():
    for index in range(6):
        spec = draw(index, liquid="honey", source="bottle", target="bowl|bucket", target_material="steel",
                    volume_l="0.3..0.31", support="floor", surface="ice", camera_motion="still")  # fmt: skip
        assert spec.fluids[0].label == "honey"
        assert body(spec, "source").label.endswith("bottle")
        assert body(spec, "target").label in ("steel bowl", "steel bucket")
        assert 0.3 <= spec.parameters["volume_l"] <= 0.31
        assert body(spec, "floor").material == "ice"
        assert not spec.cameras[0].moves


def test_wrong_parameters_are_told_all_at_once():
    with pytest.raises(SpecError) as caught:
        Pouring(liqud="water", source="jugg", target_fill=9.0, volume_l="0.5..0.1", surface="wod")
    text = str(caught.value)
    for words in (
        "did you mean 'liquid'",
        "did you mean 'jug'",
        "9 is outside the allowed 0.1..4",
        "runs backwards",
        "'wod'",
    ):
        assert words in text
    assert len(caught.value.problems) == 5


# --- vessels and tilting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", VESSEL_KINDS)
def test_vessels_hold_what_they_are_to_hold_and_are_nowhere_too_narrow(kind):
    rng = np.random.default_rng(5)
    for _ in range(20):
        capacity = float(rng.uniform(1e-4, 1e-3))
        neck = 5.0 * (0.8 * capacity / PARTICLES["draft"]) ** (1 / 3)
        vessel = draw_vessel(rng, kind, VESSEL_MATERIALS, capacity, neck_m=neck)
        assert capacity_m3(vessel.shape) == pytest.approx(capacity, rel=1e-3)
        assert 2.0 * min(r for r, _ in vessel.shape.profile_m if r > 0) > 0.9 * neck
        assert vessel.shape.wall_m >= 0.003


def test_a_leaning_cylinder_holds_what_geometry_says():
    # While the surface meets the whole wall, a tilt by θ takes R tan θ off the mean height.
    glass = Vessel(profile_m=((0.0, 0.005), (0.04, 0.005), (0.04, 0.125)), wall_m=0.003)
    full = math.pi * 0.04**2 * 0.12
    assert lean_capacity_m3(glass, 0.0) == pytest.approx(full, rel=0.01)
    for degrees in (10, 25, 40):
        held = math.pi * 0.04**2 * (0.12 - 0.04 * math.tan(math.radians(degrees)))
        assert lean_capacity_m3(glass, math.radians(degrees)) == pytest.approx(held, rel=0.015)
        assert tilt_to_hold_rad(glass, held) == pytest.approx(math.radians(degrees), abs=0.015)
    assert lean_capacity_m3(glass, math.radians(90.5)) == 0.0


def test_a_tilt_rises_smoothly_and_turns_back_where_only_part_is_poured():
    turned = 0
    for index in range(20):
        rng = np.random.default_rng(index)
        vessel = draw_vessel(rng, "cup", VESSEL_MATERIALS, 4e-4)
        plan = plan_tilt(rng, vessel, 2.8e-4, pour_share=0.5, pour_s=1.0, viscosity_pa_s=1e-3)
        time = np.linspace(0.0, 4.0, 2000)
        angle = plan.angle_rad(time)
        speed = np.gradient(angle, time)
        assert angle[0] == 0.0
        assert angle.max() == pytest.approx(plan.full_rad, abs=1e-3)
        assert lean_capacity_m3(vessel.shape, plan.full_rad - 0.0042, 0.009) == pytest.approx(1.4e-4, rel=0.05)
        assert np.abs(speed).max() < 9.0
        assert np.abs(speed[[0, -1]]).max() < 1e-6
        turned += plan.back_s is not None
        assert (angle[-1] < 0.9 * angle.max()) == (plan.back_s is not None)
    assert 4 < turned < 18


# --- outcomes of motions made by hand ---------------------------------------------------------------------------------


def by_hand(duration_s: float = 1.6) -> SceneSpec:
    """An upright cup half a metre over a glass on the floor."""
    glass = Vessel(profile_m=((0.0, 0.006), (0.03, 0.006), (0.03, 0.086)), wall_m=0.003)
    cup = Vessel(profile_m=((0.0, 0.006), (0.04, 0.006), (0.04, 0.086)), wall_m=0.003)
    fills = (VesselFill(vessel="source", level_m=0.07),)
    return SceneSpec(
        scene="pouring",
        duration_s=duration_s,
        fps=30,
        bodies=(
            Body(name="floor", shape=Plane(), material="oak", motion="static", label="floor"),
            Body(name="target", shape=glass, material="glass", motion="static", label="glass"),
            Body(
                name="source",
                shape=cup,
                material="ceramic",
                motion="static",
                position_m=(0.0, 0.0, 0.5),
                label="red cup",
            ),
        ),
        fluids=(Fluid(name="liquid", liquid="water", label="water", fills=fills),),
        particle_spacing_m=SPACING,
    )


def lattice(radius: float, low: float, high: float) -> np.ndarray:
    """Sites in a round room, from below to above."""
    axis = np.arange(-20, 21) * SPACING
    levels = np.arange(low + SPACING / 2, high - SPACING / 2 + 1e-9, SPACING)
    grid = np.stack(np.meshgrid(axis, axis, levels, indexing="ij"), -1).reshape(-1, 3)
    grid = grid[np.hypot(grid[:, 0], grid[:, 1]) < radius - 0.4 * SPACING]
    return grid[np.argsort(grid[:, 2], kind="stable")]


def test_every_particle_is_in_one_place_and_the_shares_add_up():
    spec = by_hand()
    start = lattice(0.04, 0.506, 0.576)[:200]
    goals = lattice(0.03, 0.006, 0.086)
    hops: list[list] = [[] for _ in start]
    for k in range(90):  # into the glass
        hops[k] = [(0.2, 0.6, tuple(goals[k]))]
    for k in range(90, 130):  # onto the floor
        hops[k] = [(0.2, 0.6, (0.2 + 0.01 * (k - 90), 0.0, SPACING / 2))]
    for k in range(130, 137):  # in the air at the end
        hops[k] = [(1.5, 1.9, (0.4, 0.3, 0.2))]
    run = puppet(spec, SPACING, start, hops)
    outcome = Pouring().outcome(spec, run)
    volume = SPACING**3 * 1e3
    assert outcome.volume_l == pytest.approx(200 * volume)
    assert outcome.in_target_share == 90 / 200
    assert outcome.spilled_share == 40 / 200
    assert outcome.in_flight_share == 7 / 200
    assert outcome.left_share == 63 / 200
    assert outcome.in_target_l == pytest.approx(90 * volume)
    assert math.fsum([outcome.in_target_l, outcome.left_l, outcome.spilled_l, outcome.in_flight_l]) == pytest.approx(
        outcome.volume_l, rel=1e-12
    )
    places = find_places(spec, run)
    assert (places.counts(1, 2, -1, -2, -3) == 200).all()


def test_times_of_arrival_and_what_is_met_first_are_those_of_the_parabolas():
    spec = by_hand()
    start = lattice(0.04, 0.506, 0.576)[:120]
    goals = lattice(0.03, 0.006, 0.086)
    hops: list[list] = [[] for _ in start]
    for k in range(60):
        hops[k] = [(0.2 + 0.005 * k, 0.55 + 0.005 * k, tuple(goals[k]))]
    run = puppet(spec, SPACING, start, hops)
    outcome = Pouring().outcome(spec, run)
    assert outcome.first_contact_s == pytest.approx(0.55, abs=0.006)
    assert outcome.first_touched == "target"
    assert not outcome.source_empty
    # 60 particles in 0.3 s, one every 5 ms, smoothed.
    assert outcome.peak_flow_l_s == pytest.approx(SPACING**3 * 1e3 / 0.005, rel=0.1)
    hops[5] = [(0.1, 0.42, (0.25, 0.0, SPACING / 2))]
    early = Pouring().outcome(spec, puppet(spec, SPACING, start, hops))
    assert early.first_touched == "floor"
    assert early.first_contact_s == pytest.approx(0.55, abs=0.006)
    arrivals = first_arrivals(spec, puppet(spec, SPACING, start, hops))
    assert arrivals[0].time_s == pytest.approx(0.42, abs=0.006)
    assert arrivals[0].point_m[0] == pytest.approx(0.25, abs=0.01)


def overflowing(count: int) -> tuple[SceneSpec, np.ndarray, list[list]]:
    """A glass that is full from 0.8 s on; ``count`` particles go over its rim, one every 10 ms from 1 s."""
    spec = by_hand(1.8)
    goals = lattice(0.03, 0.006, 0.086)
    start = np.resize(lattice(0.04, 0.506, 0.586), (len(goals), 3))
    hops: list[list] = [[(0.1 + 0.0003 * k, 0.5 + 0.0003 * k, tuple(goals[k]))] for k in range(len(goals))]
    for n in range(count):
        k = len(goals) - 1 - n
        hops[k].append((1.0 + 0.01 * n, 1.25 + 0.01 * n, (0.12 + 0.002 * n, 0.0, SPACING / 2)))
    return spec, start, hops


def test_what_is_poured_into_a_glass_that_holds_some_arrives_and_what_splashes_up_in_it_does_not():
    spec = by_hand()
    own, poured = lattice(0.03, 0.006, 0.036), lattice(0.04, 0.506, 0.576)[:30]
    goals = lattice(0.03, 0.036, 0.086)
    hops: list[list] = [[] for _ in (*own, *poured)]
    hops[-31] = [(0.1, 0.3, tuple(own[-1] + [0.0, 0.0, 1e-4]))]  # up and down again, within the glass
    for k in range(30):
        hops[len(own) + k] = [(0.3, 0.7 + 0.01 * k, tuple(goals[k]))]
    run = puppet(spec, SPACING, np.concatenate([own, poured]), hops)
    arrival = first_arrivals(spec, run)[spec.body_index("target")]
    assert arrival.time_s == pytest.approx(0.7, abs=0.01)


def test_an_overflow_begins_when_liquid_first_goes_over_the_rim_of_a_full_vessel():
    spec, start, hops = overflowing(30)
    run = puppet(spec, SPACING, start, hops)
    outcome = Pouring().outcome(spec, run)
    assert outcome.overflows
    # The third particle takes off from the rim's height at 1.02 s; known to half a frame.
    assert outcome.overflow_s == pytest.approx(1.02, abs=0.017)
    assert outcome.source_empty
    events = find_events(spec, run)
    kinds = [event.kind for event in events]
    for kind in ("first_drop", "liquid_contact", "overflow_begins", "vessel_empty"):
        assert kind in kinds
    over = next(event for event in events if event.kind == "overflow_begins")
    assert over.bodies == ("target",)
    assert over.time_s == outcome.overflow_s
    assert [event.time_s for event in events] == sorted(event.time_s for event in events)


def test_a_drop_over_the_rim_is_no_overflow_nor_is_a_splash_out_of_a_vessel_that_is_not_full():
    spec, start, hops = overflowing(2)
    run = puppet(spec, SPACING, start, hops)
    assert overflow_s(spec, run, find_places(spec, run), 1) is None
    spec, start, hops = overflowing(30)
    low = len(hops) // 2
    run = puppet(spec, SPACING, start[:low], [[*h, (1.0, 1.3, (0.2, 0.0, SPACING / 2))] if k < 20 else h
                                              for k, h in enumerate(hops[:low])])  # fmt: skip
    outcome = Pouring().outcome(spec, run)
    assert not outcome.overflows
    assert outcome.spilled_share == pytest.approx(20 / low)
