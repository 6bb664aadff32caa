"""Events, captions and general questions of liquids: what they say has happened, and where."""

from __future__ import annotations

import numpy as np
import pytest
from liquid_puppets import puppet
from tank_worlds import bearing, block, drain_world, drop, floating_world, tank_world

from physreel.analysis.hollows import hole_m
from physreel.analysis.liquids import empty_s
from physreel.analysis.words import a
from physreel.labels.events import find_events
from physreel.labels.questions import general_questions
from physreel.scenes.dam_break import DamBreak, DamBreakOutcome
from physreel.scenes.draining import DrainedOutcome, Draining, DrainingOutcome
from physreel.scenes.sink_or_float import ImmersedOutcome, SinkOrFloat, SinkOrFloatOutcome
from physreel.scenes.sloshing import Sloshing, SloshingOutcome
from physreel.spec import SceneSpec, Tank, Vessel

TANK = {"volume_l": 2.0, "spills": False, "spill_s": None, "in_tank_share": 1.0, "spilled_share": 0.0,
        "in_flight_share": 0.0, "final_level_m": 0.05}  # fmt: skip


def never(spec):
    raise AssertionError("a world with liquids is simulated once")


def draining_pots(count: int) -> tuple[SceneSpec, np.ndarray, list[list]]:
    """Of two pots of 100 particles each the first runs out into the tray; ``count`` pass through the other."""
    spec = drain_world()
    pot = block((-0.03, -0.03, 0.156), (0.03, 0.03, 0.2), 0.008)[:100]
    start = np.add(pot, (-0.08, 0, 0))
    hops: list[list] = [[(0.1 + 0.008 * k, 0.3 + 0.008 * k, (float(start[k, 0]), 0.0, 0.008))] for k in range(100)]
    for k in range(count):
        hops[99 - k] = [(0.2, 0.5, (0.08 + 0.008 * k, 0.0, 0.16)), (0.7, 0.9, (0.08, 0.0, 0.008))]
    return spec, start, hops


def test_a_vessel_that_drops_bounce_through_is_not_emptied():
    spec, start, hops = draining_pots(2)
    run = puppet(spec, 0.008, start, hops)
    emptied = [event.bodies for event in find_events(spec, run) if event.kind == "vessel_empty"]
    assert emptied == [("vessel_0",)]
    assert empty_s(spec, run, spec.body_index("vessel_1")) is None
    spec, start, hops = draining_pots(4)
    assert empty_s(spec, puppet(spec, 0.008, start, hops), spec.body_index("vessel_1")) is not None


def test_what_leaves_through_a_hole_is_placed_there():
    spec, start, hops = draining_pots(0)
    events = {event.kind: event for event in find_events(spec, puppet(spec, 0.008, start, hops))}
    for kind in ("first_drop", "vessel_empty"):
        assert events[kind].position_m == pytest.approx((-0.08, 0.0, 0.156))


def test_holes_are_in_floors_and_walls():
    pot = ((0.01, 0.006), (0.04, 0.006), (0.04, 0.086))
    assert hole_m(Vessel(profile_m=pot, wall_m=0.003)) == (0.0, 0.0, 0.006)
    assert hole_m(Vessel(profile_m=((0.0, 0.006), *pot[1:]), wall_m=0.003)) is None
    assert hole_m(Tank(inside_m=(0.3, 0.2, 0.1), wall_m=0.01)) is None
    side = Tank(inside_m=(0.3, 0.2, 0.1), wall_m=0.01, hole_m=0.02, hole_height_m=0.03)
    assert hole_m(side) == pytest.approx((0.155, 0.0, 0.04))


def test_general_questions_do_not_tell_which_bodies_float():
    # Blows on the bottom, rest and what bears a body are those of what has sunk.
    spec = floating_world(3)
    lie = bearing(spec, ("body_1", "tank"), ("body_2", "tank"))
    wet = drop(spec, {"body_0": 0.12, "body_1": 0.051, "body_2": 0.051}, contacts=lie)
    kinds = set()
    for seed in range(20):
        kinds |= {q.kind for q in general_questions(spec, wet, never, np.random.default_rng(seed))}
    telling = {"rests_on", "rest_time", "first_hit_time", "fastest_hit", "touches_before", "bounces_highest"}
    assert not kinds & telling
    assert "touches" in kinds
    # Of what stays dry they are asked.
    dry = drop(spec, {"body_0": 0.12, "body_1": 0.25, "body_2": 0.25}, contacts=lie)
    asked = general_questions(spec, dry, never, np.random.default_rng(0))
    assert "rest_time" in {question.kind for question in asked}


# --- captions ---------------------------------------------------------------------------------------------------------


def told(scene, spec: SceneSpec, outcome) -> list[str]:
    """Captions of a few worlds that differ in nothing that is told, but in how it is put."""
    worlds = [spec.model_copy(update={"duration_s": 2.0 + k / 30}) for k in range(8)]
    return [scene.caption(world, None, outcome, ()) for world in worlds]


def test_a_tank_is_said_to_stop_only_if_it_did():
    spec = tank_world("sloshing").model_copy(update={"parameters": {"motion": "push"}})
    moving = SloshingOutcome(**TANK, liquid="water", level_m=0.1, amplitude_m=0.05, amplitude_s=0.5, stopped_s=None,
                             frequency_hz=None)  # fmt: skip
    assert not any("stop" in text for text in told(Sloshing(), spec, moving))
    assert all("stop" in text for text in told(Sloshing(), spec, moving.model_copy(update={"stopped_s": 0.8})))


def test_why_a_front_does_not_arrive_is_not_said():
    outcome = DamBreakOutcome(**TANK, liquid="water", column_m=0.1, obstacle_reached_s=None, obstacle_overtopped=None,
                              front_arrival_s=None, run_up_m=0.0, run_up_s=None)  # fmt: skip
    assert not any("thick" in text for text in told(DamBreak(), tank_world("dam_break"), outcome))


def test_what_is_still_falling_into_the_tray_is_not_beside_it():
    one = DrainedOutcome(name="vessel_0", label="steel pot", volume_l=0.5, empty_s=None, left_share=0.5,
                         peak_flow_l_s=0.2, first_out_s=0.1)  # fmt: skip
    outcome = DrainingOutcome(liquid="water", volume_l=0.5, vessels=[one], first_empty=None, left_share=0.5,
                              in_tray_share=0.4, spilled_share=0.0, in_flight_share=0.1)  # fmt: skip
    assert not any("beside" in text for text in told(Draining(), drain_world(), outcome))
    spilled = outcome.model_copy(update={"spilled_share": 0.1, "in_flight_share": 0.0})
    assert all("beside" in text for text in told(Draining(), drain_world(), spilled))
    pair = outcome.model_copy(update={"vessels": [one, one.model_copy(update={"label": "other steel pot"})]})
    assert all("a steel pot and another steel pot through" in text for text in told(Draining(), drain_world(), pair))


def test_articles_go_by_sound_and_other_things_are_another():
    assert [a(label) for label in ("oak bar", "ABS cup", "other cup", "unit")] == [
        "an oak bar", "an ABS cup", "another cup", "a unit",
    ]  # fmt: skip


def dropped(*states: str) -> SinkOrFloatOutcome:
    """Balls that end in these states; "away" is one that never meets the liquid."""
    bodies = [
        ImmersedOutcome(
            name=f"body_{k}", label=f"{color} ball", density_kg_m3=500.0, splash_s=None if state == "away" else 0.2,
            splash_speed_m_s=None, state="dry" if state == "away" else state, settled_s=None, draft_m=0.0,
            submerged_share=0.0,
        )
        for k, (state, color) in enumerate(zip(states, ("red", "blue", "green"), strict=False))
    ]  # fmt: skip
    return SinkOrFloatOutcome(liquid="milk", liquid_density_kg_m3=1030.0, bodies=bodies, floating_count=0, sunk_count=0,
                              first_splash=None, spilled_share=0.0, in_flight_share=0.0)  # fmt: skip


def test_only_what_met_the_liquid_is_said_to_have_fallen_into_it():
    spec = floating_world(3)
    for text in told(SinkOrFloat(), spec, dropped("floats", "away", "sinks")):
        into, ending = text.split(". ")
        assert into.endswith("into a glass tank of milk")
        assert "red ball and a green ball" in into
        assert "blue" not in into
        assert (
            ending == "The red ball comes up and floats, the green ball sinks, and a blue ball does not reach the milk."
        )
    for text in told(SinkOrFloat(), spec, dropped("away", "away")):
        assert text == "A red ball and a blue ball are let go over a glass tank of milk. They do not reach the milk."
    for text in told(SinkOrFloat(), spec, dropped("away")):
        assert text == "A red ball is let go over a glass tank of milk. It does not reach the milk."
    for text in told(SinkOrFloat(), spec, dropped("floats", "floats")):
        assert text.endswith("into a glass tank of milk. All come up and float.")
    for text in told(SinkOrFloat(), spec, dropped("dry")):
        assert text.endswith("It is out of the liquid again when the clip ends.")
