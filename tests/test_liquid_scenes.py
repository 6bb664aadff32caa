"""Dam break, sloshing, sink or float, draining: worlds that can be, and outcomes that are what the trajectory says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from liquid_puppets import puppet
from liquid_worlds import moving, track
from tank_worlds import SPACING, block, drain_world, drop, filmed, floating_world, tank_world

from physreel import registry
from physreel.analysis import rest_time_s
from physreel.analysis.floating import find_immersions, surface_height_m
from physreel.analysis.liquids import find_places, first_lost_s
from physreel.errors import SpecError
from physreel.geometry.vessels import capacity_m3
from physreel.labels.captions import general_caption
from physreel.labels.events import find_events
from physreel.labels.questions import general_questions
from physreel.scenes.base import ClipSettings
from physreel.scenes.dam_break import DamBreak
from physreel.scenes.draining import Draining
from physreel.scenes.liquids import PARTICLES
from physreel.scenes.sink_or_float import SinkOrFloat
from physreel.scenes.sloshing import Sloshing, natural_hz
from physreel.seeding import sample_rng
from physreel.simulators.liquid_start import start_liquids
from physreel.spec import (
    Body,
    Keyframe,
    SceneSpec,
    Tank,
    Vessel,
)

SCENES = (DamBreak, Sloshing, SinkOrFloat, Draining)


def draw(scene, index: int, quality: str = "draft", **parameters) -> SceneSpec:
    made = scene(clip=ClipSettings(fps=30, duration_s=3.0, quality=quality), **parameters)
    return made.sample(sample_rng(4, scene.name, scene.version, index))


def body(spec: SceneSpec, name: str) -> Body:
    return spec.bodies[spec.body_index(name)]


def never(spec):
    raise AssertionError("a world with liquids is simulated once")


def first_asked(scene, kind: str, spec: SceneSpec, run, result):
    """The question of a kind, from the first of twenty streams with which it is asked."""
    for seed in range(20):
        for question in scene.questions(spec, run, result, (), np.random.default_rng(seed)):
            if question.kind == kind:
                return question
    raise AssertionError(f"{kind} is never asked")


# --- worlds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", SCENES)
def test_every_world_can_be_started_and_is_about_as_fine_as_asked(scene):
    for index in range(4):
        for quality in ("draft", "standard"):
            count = PARTICLES[quality]
            assert 0.95 * count < len(start_liquids(draw(scene, index, quality))) < 1.4 * count, (index, quality)


@pytest.mark.parametrize("scene", SCENES)
def test_every_world_differs_and_reads_back(scene):
    specs = [draw(scene, i) for i in range(25)]
    assert len({spec.to_json() for spec in specs}) == 25
    assert all(SceneSpec.from_json(spec.to_json()) == spec for spec in specs[:5])
    assert len({spec.fluids[0].label for spec in specs}) > 4
    assert {spec.cameras[0].moves for spec in specs} == {True, False}
    assert {any(b.name == "table" for b in spec.bodies) for spec in specs} == {True, False}


@pytest.mark.parametrize("scene", SCENES)
def test_quality_changes_nothing_but_the_division(scene):
    draft, fine = draw(scene, 0, "draft"), draw(scene, 0, "fine")
    assert draft.particle_spacing_m > fine.particle_spacing_m
    assert draft.model_copy(update={"particle_spacing_m": fine.particle_spacing_m}) == fine


@pytest.mark.parametrize("scene", SCENES)
def test_tanks_and_vessels_are_in_the_picture(scene):
    for index in range(10):
        spec = draw(scene, index)
        camera = spec.cameras[0]
        pose = np.linalg.inv(camera.camera_to_world(0.0))
        for b in spec.bodies:
            if isinstance(b.shape, Tank | Vessel):
                rim = b.shape.rim_z_m
                seen = camera.intrinsics() @ (pose[:3, :3] @ np.add(b.position_m, (0, 0, rim)) + pose[:3, 3])
                column, row = seen[:2] / seen[2]
                assert 0 < column < camera.width, (index, b.name)
                assert 0 < row < camera.height, (index, b.name)


@pytest.mark.parametrize(
    ("scene", "parameters", "words"),
    [
        (DamBreak, {"obstacel": "block", "tank_length_m": 9}, ["did you mean 'obstacle'", "9 is outside"]),
        (Sloshing, {"motion": "pus", "speed": 1}, ["did you mean 'push'", "did you mean 'speed_m_s'"]),
        (SinkOrFloat, {"body_count": 7, "liquid": "oliv oil"}, ["7 is outside", "did you mean 'olive oil'"]),
        (Draining, {"vessel_count": "1..3", "form": "bucket"}, ["1..3 is outside", "not one of pot, funnel, tub"]),
    ],
)
def test_wrong_parameters_are_told_all_at_once(scene, parameters, words):
    with pytest.raises(SpecError) as caught:
        scene(**parameters)
    assert len(caught.value.problems) == 2
    for word in words:
        assert word in str(caught.value)


def test_what_a_user_sets_is_what_is_drawn():
    for index in range(4):
        dam = draw(DamBreak, index, obstacle="post", tank_length_m=0.5, column_aspect=2.0, liquid="milk")
        assert body(dam, "obstacle").shape.kind == "cylinder"
        fill = dam.fluids[0].fills[0]
        assert fill.shape.size_m[2] == pytest.approx(2.0 * fill.shape.size_m[0])
        assert body(dam, "tank").shape.inside_m[0] == 0.5
        drain = draw(Draining, index, vessel_count=2, form="tub", material="steel")
        assert [b.material for b in drain.bodies if isinstance(b.shape, Vessel)] == ["steel", "steel"]
        sink = draw(SinkOrFloat, index, body_count=4, shape="box", density_ratio="0.4..0.5", liquid="water")
        bodies = [b for b in sink.bodies if b.motion == "dynamic"]
        assert len({b.label for b in bodies}) == len(bodies) == 4
        density = sink.liquid("water").density_kg_m3
        assert all(0.4 <= sink.material_of(b).density_kg_m3 / density <= 0.5 for b in bodies)


def test_looks_tell_nothing_of_weight():
    # Of a hundred bodies about half are lighter than their liquid, whatever their colour, and none is near it.
    light = []
    for index in range(40):
        spec = draw(SinkOrFloat, index)
        density = spec.liquid(spec.fluids[0].liquid).density_kg_m3
        for b in spec.bodies:
            if b.motion == "dynamic":
                ratio = spec.material_of(b).density_kg_m3 / density
                assert not 0.94 < ratio < 1.06
                light.append(ratio < 1.0)
                assert not set(b.label.split()) & {"steel", "oak", "cork", "plastic", "rubber"}
    assert 0.36 < np.mean(light) < 0.64


def test_bodies_start_apart_and_above_the_surface():
    for index in range(30):
        spec = draw(SinkOrFloat, index)
        tank = body(spec, "tank")
        surface = tank.position_m[2] + tank.shape.floor_z_m + spec.fluids[0].fills[0].level_m
        bodies = [b for b in spec.bodies if b.motion == "dynamic"]
        for b in bodies:
            assert b.position_m[2] > surface + 0.01


def test_a_shaken_tank_keeps_to_its_frequency_and_a_pushed_one_to_its_speed():
    for index in range(12):
        spec = draw(Sloshing, index, motion="push", speed_m_s=0.6, support="floor")
        keys = body(spec, "tank").keyframes
        place = np.array([key.position_m for key in keys])
        speed = np.linalg.norm(np.diff(place, axis=0), axis=1) / np.diff([key.time_s for key in keys])
        assert speed.max() == pytest.approx(0.6, rel=0.03)
        assert speed[-1] < 0.12
        spec = draw(Sloshing, index, motion="shake", shake_tuning=1.0)
        tank = body(spec, "tank")
        place = np.array([key.position_m[0] for key in tank.keyframes])
        swing = place - 0.5 * (place.max() + place.min())
        crossings = np.flatnonzero(swing[1:-1] * swing[2:] < 0) + 1
        times = np.array([key.time_s for key in tank.keyframes])[crossings]
        wanted = natural_hz(tank.shape.inside_m[0], spec.fluids[0].fills[0].level_m)
        assert 0.5 / np.median(np.diff(times)) == pytest.approx(wanted, rel=0.12)


# --- outcomes of motions made by hand ---------------------------------------------------------------------------------


def test_a_front_arrives_when_it_does_and_rises_as_high_as_it_does():
    spec = tank_world("dam_break")
    start = block((-0.2, -0.06, 0.01), (-0.1, 0.06, 0.11))
    hops: list[list] = [[] for _ in start]
    # A row of particles slides along the floor at 1 m/s from 0.1 s (flat parabolas), then is thrown up by 0.12 m.
    half = math.sqrt(2 * 0.12 / 9.81)
    for n, k in enumerate(np.flatnonzero(start[:, 2] < 0.02)[:10]):
        y = -0.05 + 0.01 * n
        way = [(0.1 + 0.01 * i, 0.11 + 0.01 * i, (-0.095 + 0.01 * (i + 1), y, 0.015)) for i in range(29)]
        hops[k] = [*way, (0.5, 0.5 + half, (0.19, y, 0.135)), (0.5 + half, 0.5 + 2 * half, (0.19, y, 0.015))]
    result = DamBreak().outcome(spec, puppet(spec, SPACING, start, hops))
    assert result.column_m == pytest.approx(0.1, abs=1e-6)
    # The front, half a spacing before the centres, is 0.6 spacings off the wall at x = 0.189.
    assert result.front_arrival_s == pytest.approx(0.1 + 0.284, abs=0.012)
    assert result.run_up_m == pytest.approx(0.13, abs=0.004)
    assert result.run_up_s == pytest.approx(0.5 + half, abs=0.034)
    assert not result.spills
    assert result.in_tank_share == 1.0


def test_what_goes_over_the_wall_is_counted_and_timed():
    spec = tank_world("dam_break")
    start = block((-0.2, -0.06, 0.01), (-0.1, 0.06, 0.11))
    hops: list[list] = [[] for _ in start]
    for n in range(12):
        hops[n] = [(0.5 + 0.01 * n, 0.9 + 0.01 * n, (0.4, 0.01 * n, 0.005))]
    result = DamBreak().outcome(spec, puppet(spec, SPACING, start, hops))
    assert result.spills
    assert result.in_tank_share == pytest.approx(1 - 12 / len(start))
    assert result.spilled_share == pytest.approx(12 / len(start))
    # On its parabola a particle passes the tank's rim or wall some time within its flight.
    assert 0.5 < result.spill_s < 0.93
    # Twelve others jump as high, and fall back into the tank.
    for n in range(12, 24):
        x, y, z = start[n]
        hops[n] = [(0.2, 0.7, (float(x) + 0.1, float(y), float(z)))]
    assert DamBreak().outcome(spec, puppet(spec, SPACING, start, hops)) == result.model_copy(
        update={"front_arrival_s": None, "run_up_m": 0.0, "run_up_s": None}
    )


def test_the_swing_after_a_stop_is_measured():
    keys = (
        Keyframe(time_s=0.0, position_m=(0.0, 0.0, 0.0)),
        Keyframe(time_s=0.4, position_m=(0.2, 0.0, 0.0)),
    )
    spec = tank_world("sloshing", duration_s=2.5, keyframes=keys)
    rest = block((-0.2, -0.06, 0.01), (0.2, 0.06, 0.09))
    times = np.arange(spec.frame_count + 1) / spec.fps
    tank_x = np.minimum(times / 0.4, 1.0) * 0.2
    # The surface tilts as a standing wave of 1.5 Hz does: liquid moves up and down, and a little along.
    wave = np.sin(2 * np.pi * 1.5 * np.maximum(times - 0.4, 0.0)) * np.exp(-0.3 * times)
    height = 0.03 * wave[:, None] * np.sin(np.pi * rest[:, 0] / 0.4) * rest[:, 2] / 0.08
    positions = np.repeat(rest[None], len(times), 0)
    positions[..., 0] += tank_x[:, None] + 0.01 * wave[:, None] * np.cos(np.pi * rest[:, 0] / 0.4)
    positions[..., 2] += height
    run = puppet(spec, SPACING, rest, [[] for _ in rest])  # for its signals
    run = moving(spec, track(positions.astype(np.float32), SPACING), dict(run.signals))
    result = Sloshing().outcome(spec, run)
    assert result.stopped_s == pytest.approx(0.4, abs=0.035)
    assert result.frequency_hz == pytest.approx(1.5, rel=0.03)
    assert result.level_m == pytest.approx(0.08, abs=1e-3)
    assert result.amplitude_m == pytest.approx(0.03 * math.exp(-0.3 * 0.57), abs=0.004)
    assert result.in_tank_share == 1.0
    assert Sloshing().caption(spec, run, result, ()).startswith("A glass tank of water")


def test_bodies_float_sink_or_stay_dry_as_they_lie():
    spec = floating_world()
    # The surface is at 0.12: one ball half under, one on the bottom, one held above.
    run = drop(spec, {"body_0": 0.12, "body_1": 0.051})
    floats, sinks, dry = find_immersions(spec, run)
    assert (floats.state, sinks.state, dry.state) == ("floats", "sinks", "dry")
    assert floats.draft_m == pytest.approx(0.04, abs=0.004)
    assert floats.submerged_share == pytest.approx(0.5, abs=0.05)
    assert sinks.submerged_share == 1.0
    assert dry.enters_s is None
    # z = 0.3 - 0.249 (t / 0.3)²; it is wet when its lowest point is 0.8 spacings over the top particles at 0.115.
    gap = 0.3 - 0.04 - 0.8 * SPACING - 0.115
    enters = 0.3 * math.sqrt(gap / 0.249)
    assert sinks.enters_s == pytest.approx(enters, abs=0.006)
    assert sinks.entry_speed_m_s == pytest.approx(2 * 0.249 * enters / 0.09, rel=0.15)
    assert sinks.entry_point_m[2] == pytest.approx(0.3 - gap, abs=0.006)
    assert floats.vessel == spec.body_index("tank")
    result = SinkOrFloat().outcome(spec, run)
    assert (result.floating_count, result.sunk_count) == (1, 1)
    assert result.first_splash == "body_1"
    kinds = [(event.kind, event.bodies) for event in find_events(spec, run)]
    assert ("splash", ("body_0", "tank")) in kinds
    assert ("floats", ("body_0", "tank")) in kinds
    assert ("sinks", ("body_1", "tank")) in kinds
    text = SinkOrFloat().caption(spec, run, result, ())
    assert "red ball comes up and floats" in text
    assert "blue ball sinks" in text


def test_what_floats_still_is_at_rest():
    spec = floating_world()
    run = drop(spec, {"body_0": 0.12, "body_1": 0.051})
    rest = rest_time_s(spec, run)
    assert rest[spec.body_index("body_0")] == pytest.approx(0.3, abs=0.07)
    assert np.isnan(rest[spec.body_index("body_2")])


def test_a_surface_is_where_the_topmost_particles_end():
    spec = tank_world("sink_or_float")
    liquid = block((-0.2, -0.06, 0.01), (0.2, 0.06, 0.11))
    assert surface_height_m(spec, liquid, SPACING) == pytest.approx(0.11)
    hole = liquid[np.hypot(liquid[:, 0], liquid[:, 1]) > 0.04]
    drops = np.vstack([hole, [[0.0, 0.0, 0.3], [0.1, 0.0, 0.4]]])
    assert surface_height_m(spec, drops, SPACING) == pytest.approx(0.11)


def test_which_vessel_is_empty_first_and_when():
    spec = drain_world()
    pot = block((-0.03, -0.03, 0.156), (0.03, 0.03, 0.2), 0.008)[:100]
    start = np.concatenate([np.add(pot, (-0.08, 0, 0)), np.add(pot, (0.08, 0, 0))])
    hops: list[list] = []
    for k in range(200):
        step = 0.008 if k < 100 else 0.016
        n = k % 100
        goal = (float(start[k, 0]), float(start[k, 1]), 0.008 + 0.004 * (n // 40))
        hops.append([(0.1 + step * n, 0.3 + step * n, goal)] if k < 195 else [])
    run = puppet(spec, 0.008, start, hops)
    result = Draining().outcome(spec, run)
    red, blue = result.vessels
    assert result.first_empty == "vessel_0"
    # The red one's last particle leaves at 0.1 + 99 · 0.008 s and passes the hole within some 40 to 100 ms.
    assert red.empty_s == pytest.approx(0.1 + 0.97 * 0.8 + 0.07, abs=0.06)
    assert blue.empty_s is None
    assert blue.left_share == pytest.approx(0.05)
    assert result.left_share == pytest.approx(5 / 200)
    assert result.in_tray_share == pytest.approx(195 / 200)
    assert math.fsum([result.left_share, result.in_tray_share, result.spilled_share, result.in_flight_share]) == 1.0
    assert first_lost_s(find_places(spec, run), spec.body_index("vessel_0")) < 0.3
    first = first_asked(Draining(), "first_empty", spec, run, result)
    assert first.answer == "the left one"
    assert first.choices == ("the left one", "the right one")
    behind = spec.model_copy(update={"cameras": (filmed(0.0, 1.0),)})
    assert first_asked(Draining(), "first_empty", behind, run, result).answer == "the right one"
    assert "only the red plastic pot is empty" in Draining().caption(spec, run, result, ()).lower()


# --- general labels of worlds with liquids ----------------------------------------------------------------------------


def test_general_labels_work_where_nothing_rigid_moves():
    spec = drain_world()
    pot = block((-0.03, -0.03, 0.156), (0.03, 0.03, 0.2), 0.008)[:60]
    start = np.concatenate([np.add(pot, (-0.08, 0, 0)), np.add(pot, (0.08, 0, 0))])
    hops: list[list] = [[(0.1 + 0.01 * (k % 60), 0.3 + 0.01 * (k % 60), (float(start[k, 0]), 0.0, 0.008))]
                        for k in range(120)]  # fmt: skip
    run = puppet(spec, 0.008, start, hops)
    events = find_events(spec, run)
    assert {event.kind for event in events} >= {"first_drop", "liquid_contact", "vessel_empty"}
    assert general_questions(spec, run, never, np.random.default_rng(0)) == ()
    text = general_caption(spec, run, events)
    assert "water in a red plastic pot and a blue plastic pot" in text
    assert "free to move" not in text


def test_no_question_is_asked_of_what_is_heard_or_would_be_where_liquids_flow():
    spec = floating_world()
    run = drop(spec, {"body_0": 0.12, "body_1": 0.051, "body_2": 0.12})
    for seed in range(10):
        kinds = {q.kind for q in general_questions(spec, run, never, np.random.default_rng(seed))}
        assert not kinds & {"impacts_heard", "impact_in_window", "would_it"}


def test_capacity_of_what_drains_is_not_exceeded():
    for index in range(20):
        spec = draw(Draining, index)
        tray = body(spec, "tray").shape
        total = 0.0
        for fluid in spec.fluids:
            vessel = body(spec, fluid.fills[0].vessel).shape
            assert fluid.fills[0].level_m < vessel.rim_z_m - vessel.floor_z_m
            total += capacity_m3(vessel, fluid.fills[0].level_m)
        assert capacity_m3(tray) > 1.3 * total


def test_all_scenes_of_liquids_are_found_by_name():
    for scene in SCENES:
        assert registry.load("scenes", scene.name) is scene
