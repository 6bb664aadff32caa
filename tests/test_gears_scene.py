"""The scene of gears: what it draws meshes, what becomes of it is read right, and what cannot mesh is refused."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from physreel.errors import SpecError
from physreel.geometry.gears import backlash_m, mesh_distance_m
from physreel.scenes.gear_faults import CASES
from physreel.scenes.gear_outcome import GearOutcome, camera_facing, find_meshes, gear_angle
from physreel.scenes.gear_words import BREAKS_SHARES, TURNS_SHARES, breaks, how_far, turns_at_all
from physreel.scenes.gears import Gears
from physreel.seeding import sample_rng
from physreel.simulators.mujoco import MujocoSimulator
from physreel.spec import Gear, SceneSpec
from physreel.values import Trajectory

Made = tuple[Gears, SceneSpec, Trajectory, GearOutcome]


@lru_cache(maxsize=64)
def made(index: int, **parameters: str) -> Made:
    scene = Gears(**parameters)
    spec = scene.sample(sample_rng(0, scene.name, scene.version, index))
    simulator = MujocoSimulator()
    simulator.check(spec)
    trajectory = simulator.simulate(spec)
    return scene, spec, trajectory, scene.outcome(spec, trajectory)


def counts(spec: SceneSpec) -> dict[str, int]:
    return {body.name: body.shape.tooth_count for body in spec.bodies if isinstance(body.shape, Gear)}


def joint(spec: SceneSpec, name: str):
    return next(item for item in spec.joints if item.name == name)


# --- what runs ----------------------------------------------------------------------------------------------------


def settled_ratio(trajectory: Trajectory) -> float:
    """Of output and driver, over the last half of the clip."""
    out, drive = (trajectory.signals[f"angle:{name}"].values for name in ("output", "drive"))
    half = len(out) // 2
    return float((out[-1] - out[half]) / (drive[-1] - drive[half]))


def expected_ratio(spec: SceneSpec) -> float:
    """Closed form, from tooth numbers alone."""
    teeth = counts(spec)
    if "sun" in teeth:
        sun, ring = teeth["sun"], teeth["ring"]
        return sun / (sun + ring) if joint(spec, "output").child == "carrier" else -sun / ring
    ratio, names = 1.0, list(teeth)
    if spec.parameters["layout"] == "compound":
        pairs = list(zip(names[::2], names[1::2], strict=True))
    else:
        last = names.index(joint(spec, "output").child)
        pairs = list(pairwise(names[: last + 1]))
    for a, b in pairs:
        internal = spec.bodies[spec.body_index(b)].shape.internal
        ratio *= (1.0 if internal else -1.0) * teeth[a] / teeth[b]
    return ratio


@pytest.mark.parametrize(
    ("layout", "index"), [("train", 0), ("train", 3), ("loop", 0), ("compound", 1), ("internal", 0), ("planetary", 0)]
)
def test_turns_as_tooth_numbers_say(layout: str, index: int) -> None:
    _, spec, trajectory, outcome = made(index, case="turns", layout=layout)
    want = expected_ratio(spec)
    # Errors, runout and play: within 1 % over the last half, and the sense is exact.
    assert settled_ratio(trajectory) == pytest.approx(want, rel=0.01)
    assert outcome.fault == "none"
    assert outcome.output_turns
    assert outcome.output_turning_at_end
    assert outcome.jam_s is None
    facing = camera_facing(spec, joint(spec, "drive"))
    wanted = np.sign(joint(spec, "drive").motor.speed) * np.sign(want) * facing
    assert outcome.output_clockwise is bool(wanted < 0.0)


def test_rack_moves_by_what_its_pinion_rolls_off() -> None:
    _, spec, trajectory, outcome = made(0, case="turns", layout="rack")
    mesh = next(m for m in find_meshes(spec) if spec.bodies[m.b].name == "rack")
    pinion = spec.bodies[mesh.a]
    rolled = abs(gear_angle(spec, trajectory, pinion.name)[-1]) * pinion.shape.pitch_radius_m
    assert outcome.rack_travel_m == pytest.approx(rolled, rel=0.02)
    moved = trajectory.body_pose_end[spec.body_index("rack"), :3] - np.array(
        spec.bodies[spec.body_index("rack")].position_m
    )
    right = spec.cameras[0].camera_to_world(0.0)[:3, 0]
    assert outcome.rack_moves_right is bool(moved @ right > 0.0)
    assert outcome.ratio is None


@pytest.mark.parametrize(("layout", "index"), [("train", 0), ("compound", 1), ("planetary", 0), ("rack", 0)])
def test_no_more_power_comes_out_than_goes_in(layout: str, index: int) -> None:
    _, spec, _, outcome = made(index, case="turns", layout=layout)
    assert 0.7 * outcome.power_in_w < outcome.power_out_w < outcome.power_in_w
    assert outcome.work_in_j == pytest.approx(outcome.power_in_w * spec.duration_s, rel=0.02)
    friction = joint(spec, "output").friction
    assert outcome.output_torque_n_m == pytest.approx(friction, rel=0.05)


# --- what fails ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1, 2])
def test_an_odd_ring_moves_no_more_than_its_play(index: int) -> None:
    _, spec, trajectory, outcome = made(index, case="locked_loop")
    assert len(counts(spec)) % 2 == 1
    assert outcome.fault == "locked"
    assert not outcome.output_turns
    assert outcome.jam_s is not None
    for mesh in find_meshes(spec):
        a, b = spec.bodies[mesh.a], spec.bodies[mesh.b]
        play = backlash_m(a.shape, b.shape, mesh_distance_m(a.shape, b.shape))
        for body in (a, b):
            way = np.ptp(gear_angle(spec, trajectory, body.name)) * body.shape.base_radius_m
            # All the play of the ring may add up at one gear; teeth that stand proud take from it.
            assert way < len(counts(spec)) * play


def test_a_loose_gear_turns_on_its_shaft() -> None:
    seen = set()
    for index in range(4):
        _, spec, trajectory, outcome = made(index, case="loose_gear")
        hub = next(item for item in spec.joints if item.name.endswith("_hub") and item.kind == "hinge")
        assert outcome.fault == "loose_gear"
        assert outcome.faulty_gear == spec.bodies[spec.body_index(hub.child)].label
        assert np.ptp(trajectory.signals[f"angle:{hub.name}"].values) > 0.5
        seen.add(outcome.output_turns)
    assert False in seen


def test_missing_teeth_bring_gears_out_of_step() -> None:
    found = [made(index, case="missing_teeth", layout="train")[3] for index in range(4)]
    assert any(outcome.fault == "missing_teeth" for outcome in found)
    for index, outcome in enumerate(found):
        spec = made(index, case="missing_teeth", layout="train")[1]
        gaps = [b.label for b in spec.bodies if isinstance(b.shape, Gear) and b.shape.missing_teeth]
        assert outcome.fault in ("none", "missing_teeth", "jam")
        if outcome.fault == "missing_teeth":
            assert [outcome.faulty_gear] == gaps
        # Teeth that come in again after a gap meet no faster than pitch circles move.
        table, motor = made(index, case="missing_teeth", layout="train")[2].contacts, joint(spec, "drive").motor
        toothed = np.array([isinstance(body.shape, Gear) for body in spec.bodies])
        fastest = table.approach_speed_m_s[toothed[table.body_a] & toothed[table.body_b]].max()
        driver = spec.bodies[spec.body_index(joint(spec, "drive").child)]
        assert fastest < 1.3 * abs(motor.speed) * driver.shape.pitch_radius_m


def test_teeth_break_off_only_where_they_are_weak() -> None:
    lost = 0
    for index in range(3):
        _, spec, trajectory, outcome = made(index, case="stripped_tooth", layout="train")
        weak = {tooth.name: tooth for tooth in spec.breakable_teeth}
        assert outcome.teeth_lost == len(trajectory.breaks) <= len(weak)
        for gone in trajectory.breaks:
            assert gone.force_n > weak[gone.name].strength_n
        if trajectory.breaks:
            assert outcome.fault == "stripped_tooth"
            assert outcome.tooth_lost_s == trajectory.breaks[0].time_s
        lost += outcome.teeth_lost
    assert lost > 0


def test_what_falls_is_seen_to_fall_and_may_jam() -> None:
    for index in range(4):
        _, spec, trajectory, outcome = made(index, case="jam")
        thing = spec.body_index("fallen")
        height = trajectory.body_pose[:, thing, 2]
        assert height[0] - height.min() > 0.03
        released = spec.bodies[spec.body_index("gate")].keyframes[1].time_s
        before = int(released * spec.fps)
        assert np.ptp(height[:before]) < 0.006
        if outcome.jam_s is not None:
            assert outcome.fault == "jam"
            assert outcome.jammed_by == spec.bodies[thing].label
            assert outcome.jam_s > released
            assert not outcome.output_turning_at_end
        else:
            assert outcome.output_turning_at_end


# --- what is drawn, said and refused ------------------------------------------------------------------------------


def test_cases_come_as_often() -> None:
    scene = Gears()
    drawn = [scene.sample(sample_rng(0, scene.name, scene.version, k)).parameters for k in range(120)]
    for case in CASES:
        assert 8 <= sum(p["case"] == case for p in drawn) <= 36
    assert all(p["layout"] in CASES[str(p["case"])] for p in drawn)


def test_labels_tell_gears_apart_and_questions_are_sound() -> None:
    for case, layout in (("turns", "train"), ("jam", "train"), ("locked_loop", "loop"), ("turns", "rack")):
        scene, spec, trajectory, outcome = (
            made(0, case=case) if case in ("jam", "locked_loop") else made(0, case=case, layout=layout)
        )
        labels = [body.label for body in spec.bodies if body.label]
        named = [b.label for b in spec.bodies if isinstance(b.shape, Gear)]
        assert len(set(named)) == len(named)
        caption = scene.caption(spec, trajectory, outcome, ())
        assert caption.endswith(".")
        for seed in range(6):
            for question in scene.questions(spec, trajectory, outcome, (), np.random.default_rng(seed)):
                assert question.question.endswith("?")
                if question.answer_type == "choice":
                    assert question.answer in question.choices
                    assert len(set(question.choices)) == len(question.choices)
                if question.kind == "fastest_gear":
                    assert set(question.choices) <= set(labels)


def test_the_cue_ends_before_anything_moves() -> None:
    scene = Gears()
    for index in range(20):
        spec = scene.sample(sample_rng(0, scene.name, scene.version, index))
        assert 0.0 < spec.cue_s <= joint(spec, "drive").motor.start_s + 1e-9


def test_answers_come_as_often() -> None:
    """At the shares that 240 worlds had: each of the evened questions has each answer as often."""
    base = made(0, case="turns", layout="train")[3]
    rng = np.random.default_rng(4)
    seen: dict[str, Counter[str]] = {"turns_at_all": Counter(), "tooth_breaks": Counter(), "how_far": Counter()}
    for _ in range(6000):
        changed = base.model_copy(
            update={
                "output_turns": bool(rng.random() < TURNS_SHARES["yes"]),
                "teeth_lost": int(rng.random() < BREAKS_SHARES["yes"]),
                "tooth_lost_s": 1.0,
            }
        )
        for question in (turns_at_all(changed, rng), breaks(changed, rng), how_far(changed, rng)):
            if question is not None and question.kind in seen:
                ranked = question.kind == "how_far"
                seen[question.kind][str(question.choices.index(question.answer)) if ranked else question.answer] += 1
    for answers in seen.values():
        share = 1.0 / len(answers)
        total = sum(answers.values())
        bound = 4.0 * (share * (1.0 - share) / total) ** 0.5
        assert all(abs(count / total - share) < bound for count in answers.values())


def test_what_would_tell_the_rest_is_asked_alone() -> None:
    alone = {"turns_at_all", "what_stops"}
    scene, spec, trajectory, outcome = made(0, case="turns", layout="train")
    kinds = [
        {question.kind for question in scene.questions(spec, trajectory, outcome, (), np.random.default_rng(seed))}
        for seed in range(60)
    ]
    assert any(found & alone for found in kinds)
    assert all(len(found) == 1 for found in kinds if found & alone)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"tooth_count": 3, "pressure_angle_deg": "20"}, "give it at least 17 teeth"),
        ({"extra_center_distance_m": 0.01}, "set it to"),
        ({"extra_center_distance_m": -0.003}, "teeth overlap"),
        ({"bend_deg": 140}, "use at most"),
        ({"case": "jam", "layout": "planetary"}, "use jam with train, compound"),
        ({"layout": "planetary", "tooth_count": (10, 14)}, "need at least 17 teeth"),
    ],
)
def test_what_cannot_mesh_is_refused_with_what_would(parameters: dict, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        Gears(**parameters)
    assert any(words in problem and "\n" not in problem for problem in caught.value.problems)
