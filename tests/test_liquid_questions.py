"""Questions of scenes with liquids: answers are right, balanced, and not given away by what else is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from liquid_worlds import moving, track
from tank_worlds import drain_world, filmed, floating_world, tank_world

from physreel.scenes.asking import even_out, picture_side
from physreel.scenes.dam_break import DamBreak, DamBreakOutcome
from physreel.scenes.draining import DrainedOutcome, Draining, DrainingOutcome
from physreel.scenes.pouring import Pouring, PouringOutcome
from physreel.scenes.sink_or_float import ImmersedOutcome, SinkOrFloat, SinkOrFloatOutcome
from physreel.scenes.sloshing import Sloshing, SloshingOutcome
from physreel.spec import Body, Fluid, Plane, SceneSpec, Vessel, VesselFill
from physreel.values import LiquidImpacts, Question, Trajectory

SPACING = 0.006
COUNT = 1600


def pour_world(liquid: str = "water", cue_s: float = 0.1) -> SceneSpec:
    glass = Vessel(profile_m=((0.0, 0.006), (0.03, 0.006), (0.03, 0.086)), wall_m=0.003)
    return SceneSpec(
        scene="pouring", duration_s=0.2, fps=10, particle_spacing_m=SPACING, cue_s=cue_s, cameras=(filmed(0.0, -1.0),),
        bodies=(
            Body(name="floor", shape=Plane(), material="oak", motion="static", label="floor"),
            Body(name="target", shape=glass, material="glass", motion="static", label="glass"),
            Body(name="source", shape=glass, material="ceramic", motion="static", position_m=(0.0, 0.0, 0.5)),
        ),
        fluids=(Fluid(name="liquid", liquid=liquid, label=liquid,
                      fills=(VesselFill(vessel="source", level_m=0.07),)),),
    )  # fmt: skip


def impacts(*rows: tuple[float, float, tuple[float, float, float]], body: int = 0) -> LiquidImpacts:
    """(time, speed, point) of particles that meet a body."""
    count = len(rows)
    return LiquidImpacts(
        time_s=np.array([row[0] for row in rows]),
        point_m=np.array([row[2] for row in rows]),
        velocity_m_s=np.array([(0.0, 0.0, -row[1]) for row in rows]),
        normal=np.repeat([(0.0, 0.0, 1.0)], count, 0),
        particle=np.arange(count, dtype=np.int32),
        body=np.full(count, body, np.int32),
        fluid=np.zeros(count, np.int32),
        volume_m3=np.full(count, SPACING**3),
    )


def spilled(spec: SceneSpec, left: int, right: int, gone: int = 0, heard: LiquidImpacts | None = None) -> Trajectory:
    """Ten particles in the upper vessel, others on the floor left and right of the lower one, others out of the world.

    What is gone is parked far off on the left.
    """
    points = [(0.0, 0.0, 0.51)] * 10 + [(-0.1, 0.0, 0.003)] * left + [(0.1, 0.0, 0.003)] * right
    points += [(-9.0, -9.0, -9.0)] * gone
    present = np.ones((3, len(points)), bool)
    present[1:, len(points) - gone :] = False
    return moving(spec, track(np.repeat(np.array(points, np.float32)[None], 3, 0), SPACING, present=present,
                              impacts=heard))  # fmt: skip


def pour_outcome(**changed) -> PouringOutcome:
    values = {
        "liquid": "water", "volume_l": 0.3, "in_target_share": 0.9, "left_share": 0.1, "spilled_share": 0.0,
        "in_flight_share": 0.0, "in_target_l": 0.27, "left_l": 0.03, "spilled_l": 0.0, "in_flight_l": 0.0,
        "final_level_m": 0.05, "final_level_share": 0.5, "first_contact_s": 0.15, "first_touched": "target",
        "overflows": False, "overflow_s": None, "peak_flow_l_s": 0.3, "peak_flow_s": 0.1, "source_empty": False,
        "source_empty_s": None,
    }  # fmt: skip
    return PouringOutcome(**(values | changed))


def pours(rng: np.random.Generator) -> PouringOutcome:
    """As often as at the default parameters: overflows, misses, levels, what is left."""
    over = rng.random() < 0.3
    where = "in_target" if over else str(rng.choice(["left", "in_target", "spilled"], p=[1 / 7, 5.4 / 7, 0.6 / 7]))
    shares = dict.fromkeys(("in_target_share", "left_share", "spilled_share", "in_flight_share"), 0.0)
    empty = where != "left" and rng.random() < 0.25 / (1.0 - 0.1)
    shares[f"{where}_share"] = 0.65
    shares["left_share"] += 0.0 if empty else 0.2
    shares["spilled_share" if where != "spilled" else "in_target_share"] = 1.0 - sum(shares.values())
    level = 0.95 if over else float(rng.choice([0.2, 0.5, 0.75], p=[0.13 / 0.7, 0.23 / 0.7, 0.34 / 0.7]))
    return pour_outcome(
        **shares, overflows=over, overflow_s=0.18 if over else None, final_level_share=level, source_empty=empty,
        source_empty_s=0.19 if empty else None,
    )  # fmt: skip


def pouring(rng: np.random.Generator) -> tuple[tuple[Question, ...], dict[str, str]]:
    spec, outcome = pour_world(), pours(rng)
    right = bool(rng.random() < 0.5)
    heard = impacts(*((0.12 + 0.01 * k, 2.0, (0.1, 0.0, 0.0)) for k in range(4)))
    run = spilled(spec, left=0 if right else 12, right=12 if right else 0, heard=heard)
    shares = {"in the upper vessel": outcome.left_share, "in the lower vessel": outcome.in_target_share,
              "outside both": outcome.spilled_share}  # fmt: skip
    truth = {
        "overflows": "yes" if outcome.overflows else "no",
        "overflow_time": "0.18",
        "liquid_arrives": "0.15",
        "source_empty": "yes" if outcome.source_empty else "no",
        "most_of_it": max(shares, key=lambda name: shares[name]),
        "final_level": {0.2: "less than a third", 0.5: "between a third and two thirds"}.get(
            outcome.final_level_share, "more than two thirds"
        ),
        "spill_side": "right" if right else "left",
        "heard_from": "0.12",
    }
    return Pouring().questions(spec, run, outcome, (), rng), truth


TANK = {"liquid": "water", "volume_l": 2.0, "spilled_share": 0.0, "in_flight_share": 0.0, "final_level_m": 0.05}


def spills(rng: np.random.Generator, often: float) -> dict[str, object]:
    yes = bool(rng.random() < often)
    return TANK | {"spills": yes, "spill_s": 0.8 if yes else None, "in_tank_share": 0.95 if yes else 1.0}


def dam_break(rng: np.random.Generator) -> tuple[tuple[Question, ...], dict[str, str]]:
    spec = tank_world("dam_break")
    higher = bool(rng.random() < 0.45)
    arrives = higher or bool(rng.random() < 0.75)
    outcome = DamBreakOutcome(
        **spills(rng, 0.3), column_m=0.1, obstacle_reached_s=None, obstacle_overtopped=None,
        front_arrival_s=0.4 if arrives else None, run_up_m=0.15 if higher else 0.05 * arrives,
        run_up_s=0.6 if arrives else None,
    )  # fmt: skip
    truth = {"front_arrival": "0.40", "rises_higher": "yes" if higher else "no",
             "spills": "yes" if outcome.spills else "no"}  # fmt: skip
    return DamBreak().questions(spec, None, outcome, (), rng), truth


def sloshing(rng: np.random.Generator) -> tuple[tuple[Question, ...], dict[str, str]]:
    spec = tank_world("sloshing", duration_s=0.2).model_copy(update={"cameras": (filmed(0.0, -1.0),)})
    common = spills(rng, 0.4)
    lively = common["spills"] or rng.random() < 0.8
    right = bool(rng.random() < 0.5)
    outcome = SloshingOutcome(
        **common, level_m=0.1, amplitude_m=0.05 if lively else 0.005, amplitude_s=0.1, stopped_s=0.1, frequency_hz=None
    )
    points = np.zeros((7, 20, 3), np.float32) + np.array([0.0, 0.0, 0.05], np.float32)
    points[2:, :, 0] = 0.01 if right else -0.01
    truth = {"spills": "yes" if outcome.spills else "no", "first_rise": "right" if right else "left",
             "highest_time": "0.10"}  # fmt: skip
    return Sloshing().questions(spec, moving(spec, track(points, 0.01)), outcome, (), rng), truth


def sink_or_float(rng: np.random.Generator) -> tuple[tuple[Question, ...], dict[str, str]]:
    spec = floating_world(4)
    bodies = []
    for k, color in enumerate(("red", "blue", "green", "white")):
        floats = bool(rng.random() < 0.5)
        bodies.append(
            ImmersedOutcome(
                name=f"body_{k}", label=f"{color} ball", density_kg_m3=500.0, splash_s=float(rng.uniform(0.0, 0.9)),
                splash_speed_m_s=1.0, state="floats" if floats else "sinks", settled_s=1.0, draft_m=0.05,
                submerged_share=float(rng.uniform(0.2, 0.9)) if floats else 1.0,
            )
        )  # fmt: skip
    outcome = SinkOrFloatOutcome(
        liquid="water", liquid_density_kg_m3=998.0, bodies=bodies, floating_count=0, sunk_count=0, first_splash=None,
        spilled_share=0.0, in_flight_share=0.0,
    )  # fmt: skip
    asked = SinkOrFloat().questions(spec, None, outcome, (), rng)
    named = {q.kind: [b for b in bodies if b.label in q.question] for q in asked}
    floating = [b for b in bodies if b.state == "floats"]
    truth = {
        "first_splash": min(bodies, key=lambda b: b.splash_s).label,
        "floats_deepest": max(floating, key=lambda b: b.submerged_share).label if floating else "",
    }
    if "floats" in named:
        truth["floats"] = "yes" if named["floats"][0].state == "floats" else "no"
    if "splash_time" in named:
        truth["splash_time"] = f"{named['splash_time'][0].splash_s:.2f}"
    return asked, truth


def draining(rng: np.random.Generator) -> tuple[tuple[Question, ...], dict[str, str]]:
    spec = drain_world()
    called = {"left": "vessel_0", "right": "vessel_1"}
    times = {name: float(rng.uniform(0.5, 1.9)) if rng.random() < 0.8 else None for name in called.values()}
    first = min((name for name in times if times[name] is not None), key=lambda name: times[name], default=None)
    outcome = DrainingOutcome(
        liquid="water", volume_l=1.0, first_empty=first, left_share=0.0, in_tray_share=1.0, spilled_share=0.0,
        in_flight_share=0.0,
        vessels=[DrainedOutcome(name=name, label=name, volume_l=0.5, empty_s=time, peak_flow_l_s=1.0, first_out_s=0.1,
                                left_share=0.0 if time else float(rng.uniform(0.2, 0.5)))
                 for name, time in times.items()],
    )  # fmt: skip
    asked = Draining().questions(spec, None, outcome, (), rng)
    truth = {"first_empty": "the left one" if first == "vessel_0" else "the right one"}
    for question in asked:
        if question.kind in ("empty_time", "vessel_empty"):
            time = times[called["left" if "left" in question.question else "right"]]
            truth["vessel_empty"] = "no" if time is None else "yes"
            truth["empty_time"] = f"{time or 0.0:.2f}"
    return asked, truth


Asked = list[tuple[tuple[Question, ...], dict[str, str]]]
SCENES: dict[str, tuple[Callable, set[str]]] = {
    "pouring": (pouring, {"overflows", "overflow_time", "liquid_arrives", "source_empty", "most_of_it", "final_level",
                          "spill_side", "heard_from"}),
    "dam_break": (dam_break, {"front_arrival", "rises_higher", "spills"}),
    "sloshing": (sloshing, {"spills", "first_rise", "highest_time"}),
    "sink_or_float": (sink_or_float, {"floats", "floats_deepest", "first_splash", "splash_time"}),
    "draining": (draining, {"first_empty", "empty_time", "vessel_empty"}),
}  # fmt: skip

# Kinds whose text says what another asks: that it overflows, spills, floats, is empty, arrives, moves.
TELLING = {
    "pouring": [("overflow_time", "overflows"), ("overflow_time", "final_level"), ("overflow_time", "most_of_it"),
                ("spill_side", "overflows"), ("spill_side", "most_of_it"), ("spill_side", "final_level")],
    "dam_break": [("front_arrival", "rises_higher")],
    "sloshing": [("first_rise", "spills"), ("highest_time", "spills")],
    "sink_or_float": [("floats_deepest", "floats"), ("splash_time", "first_splash")],
    "draining": [("empty_time", "vessel_empty"), ("empty_time", "first_empty"), ("first_empty", "vessel_empty")],
}  # fmt: skip


@pytest.fixture(scope="module")
def asked() -> dict[str, Asked]:
    """What is asked of many outcomes, each answer as often true as at the scene's default parameters."""
    return {name: [make(np.random.default_rng(k)) for k in range(COUNT)] for name, (make, _) in SCENES.items()}


@pytest.mark.parametrize("scene", SCENES)
def test_every_kind_is_asked_once_at_most_and_answered_as_it_was(asked, scene):
    seen = Counter()
    for questions, truth in asked[scene]:
        kinds = [question.kind for question in questions]
        assert len(set(kinds)) == len(kinds)
        seen.update(kinds)
        for question in questions:
            assert question.answer == truth[question.kind], question
            if question.answer_type == "choice":
                assert question.answer in question.choices
                assert len(set(question.choices)) == len(question.choices) > 1
    assert set(seen) == SCENES[scene][1]
    assert min(seen.values()) > 0.02 * COUNT, seen


@pytest.mark.parametrize("scene", SCENES)
def test_no_question_says_what_another_of_the_same_clip_asks(asked, scene):
    for questions, _ in asked[scene]:
        kinds = {question.kind for question in questions}
        for pair in TELLING[scene]:
            assert not kinds >= set(pair)


def answers(questions: list[Question]) -> Counter[str]:
    """Answers; of choices that are the bodies of a clip, the place among them, as bodies differ from clip to clip."""
    bodies = any(question.answer.endswith("ball") for question in questions)
    return Counter(
        str(question.choices.index(question.answer)) if bodies else question.answer
        for question in questions
    )  # fmt: skip


def chance(questions: list[Question]) -> float:
    return max(1.0 / (len(question.choices) or 2) for question in questions)


@pytest.mark.parametrize("scene", SCENES)
def test_no_answer_is_likelier_than_chance_by_the_text_alone_nor_by_what_else_is_asked(asked, scene):
    for kind in sorted(SCENES[scene][1]):
        groups = {"": [q for questions, _ in asked[scene] for q in questions if q.kind == kind]}
        if groups[""][0].answer_type not in ("yes_no", "choice"):
            continue
        for other in sorted(SCENES[scene][1] - {kind}):
            groups[other] = [
                q for questions, _ in asked[scene] for q in questions
                if q.kind == kind and any(r.kind == other for r in questions)
            ]  # fmt: skip
        for other, group in groups.items():
            if len(group) < 30:
                continue
            p = chance(group)
            # What else is asked may tell a little: that an upper vessel is emptied of what is mostly below.
            most = p + (0.12 if other else 0.0) + 3.5 * np.sqrt(p * (1.0 - p) / len(group))
            assert max(answers(group).values()) / len(group) < most, (kind, other, answers(group))


def test_evening_out_asks_always_of_the_rare_and_as_often_of_each():
    rng = np.random.default_rng(0)
    shares = {"yes": 0.1, "no": 0.6, "maybe": 0.3}
    kept = Counter(a for a in rng.choice(list(shares), 6000, p=list(shares.values())) if even_out(rng, a, shares))
    assert all(abs(count - 600) < 90 for count in kept.values())
    assert all(even_out(rng, "yes", shares) for _ in range(50))


def test_sides_are_those_of_the_picture_and_behind_the_camera_there_is_none():
    spec = pour_world()
    right, left, behind = picture_side(spec, [(0.1, 0.0, 0.0), (-0.1, 0.3, 0.0), (0.1, -2.0, 0.0)], (0.0, 0.0, 0.0))
    assert right > 0.0 > left
    assert np.isnan(behind)
    other = spec.model_copy(update={"cameras": (filmed(0.0, 1.0),)})
    assert float(picture_side(other, (0.1, 0.0, 0.0), (0.0, 0.0, 0.0))) < 0.0


def of_kind(kind: str, spec: SceneSpec, run: Trajectory, outcome: PouringOutcome) -> Question | None:
    for seed in range(40):
        for question in Pouring().questions(spec, run, outcome, (), np.random.default_rng(seed)):
            if question.kind == kind:
                return question
    return None


def test_what_has_left_the_world_is_on_no_side():
    spec, outcome = pour_world(), pour_outcome(spilled_share=0.6, left_share=0.4, in_target_share=0.0)
    assert of_kind("spill_side", spec, spilled(spec, left=1, right=12), outcome).answer == "right"
    # Parked on the left, it was a vote for that side; a dozen seen on the right are now most of all, or too few to say.
    assert of_kind("spill_side", spec, spilled(spec, left=0, right=12, gone=2), outcome).answer == "right"
    assert of_kind("spill_side", spec, spilled(spec, left=0, right=12, gone=30), outcome) is None


def test_what_is_in_the_air_is_nowhere_yet():
    spec = pour_world()
    run = spilled(spec, 0, 0)
    shares = {"left_share": 0.1, "in_target_share": 0.35, "spilled_share": 0.1, "in_flight_share": 0.45}
    assert of_kind("most_of_it", spec, run, pour_outcome(**shares)) is None
    sure = shares | {"in_target_share": 0.75, "in_flight_share": 0.05}
    assert of_kind("most_of_it", spec, run, pour_outcome(**sure)).answer == "in the lower vessel"


def test_what_is_heard_falling_comes_from_outside_in_numbers_and_fast():
    spec, floor = pour_world(cue_s=0.05), (0.1, 0.0, 0.0)
    inside = (0.05, 0.3, (0.0, 0.0, 0.51))  # splashes in the vessel that pours

    def heard(*rows) -> str | None:
        table = impacts(*rows)
        body = table.body.copy()
        body[[row[2][2] > 0.5 for row in rows]] = 2
        table = LiquidImpacts(**{k: body if k == "body" else getattr(table, k) for k in table.__dataclass_fields__})
        question = of_kind("heard_from", spec, spilled(spec, 0, 0, heard=table), pour_outcome())
        return None if question is None else question.answer

    stream = [(0.1 + 0.01 * k, 1.5, floor) for k in range(3)]
    assert heard(inside, (0.06, 1.0, (0.0, 0.0, 0.51)), *stream) == "0.10"
    assert heard(inside) is None
    assert heard(stream[0]) is None
    assert heard((0.06, 1.5, floor), (0.18, 1.5, floor), (0.19, 1.5, floor)) is None
    assert heard(*((t, 0.3, p) for t, _, p in stream)) is None


def test_only_what_sounds_at_once_is_asked_of_the_ear():
    for liquid, needs in (("water", "either"), ("honey", "picture")):
        spec = pour_world(liquid)
        run = spilled(spec, 0, 0)
        assert of_kind("liquid_arrives", spec, run, pour_outcome()).needs == needs


@pytest.mark.parametrize("scene", ["dam_break", "sloshing", "sink_or_float", "draining"])
def test_tanks_are_asked_of_the_eye(asked, scene):
    assert {question.needs for questions, _ in asked[scene] for question in questions} == {"picture"}


def test_the_end_at_which_liquid_rises_first_is_that_of_what_is_in_the_tank():
    spec = tank_world("sloshing", duration_s=0.2).model_copy(update={"cameras": (filmed(0.0, -1.0),)})
    points = np.zeros((7, 24, 3), np.float32) + np.array([0.0, 0.0, 0.05], np.float32)
    points[3:, :, 0] = 0.01
    # Four go over the wall at once and are parked far off on the left.
    points[1:, 20:] = -9.0
    present = np.ones((7, 24), bool)
    present[1:, 20:] = False
    outcome = SloshingOutcome(**TANK, spills=True, spill_s=0.05, in_tank_share=20 / 24, level_m=0.1, amplitude_m=0.0,
                              amplitude_s=0.1, stopped_s=0.1, frequency_hz=None)  # fmt: skip
    run = moving(spec, track(points, 0.01, present=present))
    sides = {
        question.answer
        for seed in range(20)
        for question in Sloshing().questions(spec, run, outcome, (), np.random.default_rng(seed))
        if question.kind == "first_rise"
    }
    assert sides == {"right"}
