"""Scenes of liquids as the fast engine moves them, coarser than draft: outcomes agree with closed-form physics."""

from __future__ import annotations

import math

import numpy as np
import pytest

from physreel.analysis.liquids import find_places, liquid_signal
from physreel.geometry.vessels import capacity_m3
from physreel.labels.captions import general_caption
from physreel.labels.events import find_events
from physreel.labels.questions import general_questions
from physreel.scenes.base import ClipSettings
from physreel.scenes.dam_break import DamBreak
from physreel.scenes.draining import Draining
from physreel.scenes.pouring import Pouring
from physreel.scenes.sink_or_float import SinkOrFloat
from physreel.scenes.sloshing import Sloshing, natural_hz
from physreel.seeding import sample_rng
from physreel.simulators.dfsph import DfsphSimulator

GRAVITY = 9.81


def run(scene, index: int, *, duration_s: float, coarser: float = 1.25, **parameters):
    """A scene's world, its particles ``coarser`` times as far apart as in draft, simulated; with its outcome."""
    made = scene(clip=ClipSettings(fps=30, duration_s=duration_s, quality="draft"), **parameters)
    spec = made.sample(sample_rng(6, scene.name, scene.version, index))
    spec = spec.model_copy(update={"particle_spacing_m": coarser * spec.particle_spacing_m})
    trajectory = DfsphSimulator().simulate(spec)
    return made, spec, trajectory, made.outcome(spec, trajectory)


def never(spec):
    raise AssertionError("a world with liquids is simulated once")


def test_a_pour_arrives_fills_and_is_told():
    scene, spec, trajectory, outcome = run(
        Pouring, 0, duration_s=1.8, liquid="water", source="jug", target="glass", target_offset=0, target_fill=0.7,
        pour_share=1.2, volume_l=0.3, pour_time_s=0.9, pour_height_m=0.04,
    )  # fmt: skip
    shares = (outcome.in_target_share, outcome.left_share, outcome.spilled_share, outcome.in_flight_share)
    assert math.fsum(shares) == pytest.approx(1.0, abs=1e-12)
    assert outcome.volume_l == pytest.approx(0.3, rel=0.02)
    # Aimed at the opening, little goes astray; and it is there as soon as it has fallen from the lip.
    assert outcome.in_target_share > 0.6
    assert outcome.first_touched == "target"
    events = find_events(spec, trajectory)
    drop = next(event for event in events if event.kind == "first_drop")
    fall_s = outcome.first_contact_s - drop.time_s
    target = spec.bodies[spec.body_index("target")].shape
    way = spec.parameters["pour_height_m"] + (target.rim_z_m - target.floor_z_m)
    assert 0.2 * math.sqrt(2 * way / GRAVITY) < fall_s < 1.3 * math.sqrt(2 * way / GRAVITY)
    # What came in stands as high as its volume says.
    held = outcome.in_target_l * 1e-3
    below, above = (capacity_m3(target, scale * outcome.final_level_m) for scale in (0.8, 1.2))
    assert below < held < above
    text = scene.caption(spec, trajectory, outcome, events)
    assert text.startswith(("Water is poured from", "A ", "An "))
    asked = scene.questions(spec, trajectory, outcome, events, np.random.default_rng(0))
    arrives = next(question for question in asked if question.kind == "liquid_arrives")
    assert arrives.answer == f"{outcome.first_contact_s:.2f}"
    assert general_questions(spec, trajectory, never, np.random.default_rng(0)) == ()


def test_a_pour_that_is_set_far_off_misses():
    _, spec, trajectory, outcome = run(
        Pouring, 1, duration_s=1.5, liquid="milk", source="cup", target="cup", target_offset=3.5, pour_share=1.2,
        pour_time_s=0.7, volume_l=0.25,
    )  # fmt: skip
    assert outcome.in_target_share < 0.1
    assert outcome.first_touched in ("floor", "table")
    assert not outcome.overflows
    assert "misses" in Pouring().caption(spec, trajectory, outcome, ())


def test_a_small_vessel_overflows_and_a_large_one_does_not():
    options = {"liquid": "orange juice", "source": "jug", "target": "bucket", "target_offset": 0, "pour_share": 1.2,
               "pour_time_s": 0.8, "volume_l": 0.3, "duration_s": 1.9}  # fmt: skip
    _, spec, trajectory, small = run(Pouring, 2, target_fill=2.5, **options)
    assert small.overflows
    over = next(event for event in find_events(spec, trajectory) if event.kind == "overflow_begins")
    assert over.time_s == small.overflow_s > small.first_contact_s
    places = find_places(spec, trajectory)
    target = spec.body_index("target")
    full = capacity_m3(spec.bodies[target].shape)
    at = round(small.overflow_s * spec.fps)
    assert places.volume_m3(target)[at] > 0.7 * full
    large = run(Pouring, 2, target_fill=0.4, **options)[3]
    assert not large.overflows
    assert large.final_level_share < 0.8


def test_a_front_runs_as_fast_as_fronts_do_and_reaches_the_wall():
    # Martin and Moyce (1952), column twice as high as wide: at T = t √(2 g / a) = 3.11 the front is 3.89 a from the
    # back wall. Their gate took its time to open.
    scene, spec, _, outcome = run(
        DamBreak, 0, duration_s=0.8, obstacle="none", column_aspect=2.0, column_width_share=0.257, tank_length_m=0.5,
        tank_height_share=3.5, liquid="water",
    )  # fmt: skip
    width = spec.fluids[0].fills[0].shape.size_m[0]
    assert 3.8 < 0.5 / width < 4.0
    expected = 3.11 / math.sqrt(2 * GRAVITY / width)
    assert outcome.front_arrival_s == pytest.approx(expected, rel=0.15)
    assert outcome.run_up_m > 0.5 * outcome.column_m
    assert not outcome.spills
    assert outcome.in_tank_share > 0.997
    assert scene.caption(spec, None, outcome, ()).count(".") >= 2


@pytest.mark.parametrize("level_share", [0.3, 0.5])
def test_a_pushed_tank_swings_at_its_frequency(level_share):
    _, spec, _, outcome = run(
        Sloshing, 0, duration_s=2.6, motion="push", liquid="water", tank_length_m=0.25, tank_depth_share=0.4,
        level_share=level_share, freeboard_share=1.5, speed_m_s=0.5,
    )  # fmt: skip
    tank = spec.bodies[spec.body_index("tank")].shape
    expected = natural_hz(tank.inside_m[0], level_share * 0.25)
    assert outcome.frequency_hz == pytest.approx(expected, rel=0.08)
    assert outcome.stopped_s < 1.3
    assert outcome.amplitude_m > 0.1 * outcome.level_m
    assert not outcome.spills


def test_a_pot_runs_out_at_torricellis_speed_and_is_empty_when_it_should():
    _, spec, trajectory, outcome = run(
        Draining,
        0,
        duration_s=2.6,
        vessel_count=1,
        form="pot",
        liquid="water",
        volume_l=0.6,
        hole_share=0.4,
        coarser=1.1,
    )
    index = next(i for i, body in enumerate(spec.bodies) if body.name == "vessel_0")
    shape = spec.bodies[index].shape
    hole = math.pi * shape.profile_m[0][0] ** 2
    level = liquid_signal(spec, trajectory, "level", index).values
    volume = liquid_signal(spec, trajectory, "volume", index).values
    rate = liquid_signal(spec, trajectory, "volume", index).rate_hz
    # While it goes from four fifths to two fifths: - dV/dt over a √(2 g h).
    a, b = (int(np.flatnonzero(volume < share * volume[0])[0]) for share in (0.8, 0.4))
    ideal = hole * np.sqrt(2 * GRAVITY * level[a:b]).sum() / rate
    assert 0.55 < (volume[a] - volume[b]) / ideal < 1.05
    assert outcome.vessels[0].empty_s is not None
    assert outcome.first_empty == "vessel_0"
    assert outcome.in_tray_share > 0.9


@pytest.mark.thorough
def test_light_bodies_float_and_heavy_ones_sink():
    states = {}
    for ratio in ("0.4", "1.8"):
        scene, spec, trajectory, outcome = run(
            SinkOrFloat, 0, duration_s=1.6, body_count=2, density_ratio=ratio, liquid="water", drop_height_m=0.02,
            shape="box|sphere",
        )  # fmt: skip
        states[ratio] = {body.state for body in outcome.bodies}
        assert all(body.splash_s is not None for body in outcome.bodies)
        kinds = {event.kind for event in find_events(spec, trajectory)}
        assert "splash" in kinds
        assert scene.caption(spec, trajectory, outcome, ()).count(".") == 2
        assert general_caption(spec, trajectory, find_events(spec, trajectory))
    assert states == {"0.4": {"floats"}, "1.8": {"sinks"}}
