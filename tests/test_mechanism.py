"""A mechanism to mend: sound ones work, faults stop them, and what is said of faults and repairs was simulated."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from physreel.errors import SpecError
from physreel.scenes.base import ClipSettings
from physreel.scenes.mechanism import JOBS, RIGHT, WRONG, MechanismOutcome, MechanismScene, PartMotion
from physreel.scenes.mechanism_faults import FAULTS, PART_OF, mended, wrong_parts
from physreel.scenes.mechanism_reading import CHAIN, job_done_s
from physreel.scenes.mechanism_words import REPAIR_WORDS, questions
from physreel.seeding import sample_rng
from physreel.simulators.mujoco import MujocoSimulator
from physreel.spec import SceneSpec

FIRST = {
    "motor_dead": {"driving_gear"},
    "loose_gear": {"small_pulley"},
    "missing_teeth": {"last_gear"},
    "slack_belt": {"large_pulley"},
    "seized_lever": {"lever"},
    "stuck_latch": {"latch"},
    "broken_spring": {"hammer", "lifting_arm"},
    "jammed": {"driving_gear"},
}
"""The first part that such a fault stops."""

SIMULATOR = MujocoSimulator()


def draw(index, **parameters):
    scene = MechanismScene(**parameters)
    return scene, scene.sample(sample_rng(3, "mechanism", MechanismScene.version, index))


@cache
def compared(index, fault, job):
    scene, spec = draw(index, fault=fault, job=job)
    run = SIMULATOR.simulate(spec)
    others = {name: SIMULATOR.simulate(world) for name, world in scene.alternatives(spec).items()}
    return scene, spec, run, others, scene.compared_outcome(spec, run, others)


@pytest.mark.parametrize("index", range(8))
def test_a_sound_machine_does_its_job(index):
    scene, spec = draw(index, fault="none", job=JOBS[index % 2])
    SIMULATOR.check(spec)
    assert scene.alternatives(spec) == {}
    run = SIMULATOR.simulate(spec)
    outcome = scene.outcome(spec, run)
    assert outcome.done
    assert spec.parameters["start_s"] < outcome.done_s < 2.2
    assert (outcome.fault, outcome.first_part, outcome.repair, outcome.wrong_repair_works) == ("none",) * 3 + (None,)
    assert outcome.belt_slips_s is None
    starts = {part.name: part.first_motion_s for part in outcome.parts}
    order = [starts[name] for name in ("driving_gear", "lever", "latch")]
    assert order == sorted(order)  # what pushes moves before what is pushed
    if outcome.job == "ring_bell":
        assert outcome.bell_strikes >= 1
        assert outcome.weight_rise_m is None
    else:
        assert 0.045 <= outcome.weight_rise_m < 0.12
        assert outcome.bell_strikes is None


@pytest.mark.parametrize(
    ("fault", "job"),
    [
        pytest.param(fault, JOBS[k % 2], marks=[pytest.mark.thorough] if k % 4 > 1 else [])
        for k, fault in enumerate(PART_OF)
    ],
)
def test_a_fault_stops_the_job_and_its_repair_alone_mends_it(fault, job):
    scene, spec, run, others, outcome = compared(len(fault), fault, job)
    assert not outcome.done
    assert outcome.fault == fault
    assert outcome.repair == PART_OF[fault]
    assert outcome.repair_verified
    assert job_done_s(spec, others[RIGHT]) is not None
    assert outcome.first_part in FIRST[fault]
    assert outcome.wrong_repair in wrong_parts(PART_OF[fault])
    assert outcome.wrong_repair_works == (job_done_s(spec, others[WRONG]) is not None)
    assert outcome.wrong_repair_works is False
    assert (outcome.belt_slips_s is not None) == (fault == "slack_belt")
    order = [name for name, _ in CHAIN]
    bad = [order.index(part.name) for part in outcome.parts if not part.as_it_should]
    assert order.index(outcome.first_part) == min(bad)
    caption = scene.caption(spec, run, outcome, ())
    assert REPAIR_WORDS[PART_OF[fault]] in caption.lower()


def test_without_the_simulated_repair_nothing_is_claimed():
    scene, spec, run, _, _ = compared(len("motor_dead"), "motor_dead", "ring_bell")
    outcome = scene.outcome(spec, run)
    assert (outcome.done, outcome.fault, outcome.repair, outcome.repair_verified) == (False, "none", "none", False)


@pytest.mark.parametrize("fault", PART_OF)
def test_repairs_follow_from_the_written_spec(fault):
    scene, spec = draw(4, fault=fault)
    read = SceneSpec.from_json(spec.to_json())
    assert dict(scene.alternatives(read)) == dict(scene.alternatives(spec))
    right, wrong = (scene.alternatives(spec)[name] for name in (RIGHT, WRONG))
    assert right != spec
    assert wrong != right  # it may equal the spec: a whole gear that is renewed is a whole gear
    for part in PART_OF.values():
        assert SceneSpec.from_json(mended(spec, part).to_json()).parameters == spec.parameters


def test_a_fault_changes_nothing_but_the_part():
    def same(index, fault):
        _, sound = draw(index, fault="none")
        _, faulty = draw(index, fault=fault)
        return [body.name for body in sound.bodies if body not in faulty.bodies], sound, faulty

    for fault in PART_OF:
        changed, sound, faulty = same(6, fault)
        assert changed == (["last_gear"] if fault == "missing_teeth" else [])
        assert sum(a != b for a, b in zip(sound.joints, faulty.joints, strict=True)) <= 1
        assert sound.cameras == faulty.cameras


def test_worlds_vary_and_stay_in_the_picture():
    specs = [draw(index)[1] for index in range(40)]
    assert {spec.parameters["fault"] for spec in specs} == set(FAULTS)
    assert {spec.parameters["job"] for spec in specs} == set(JOBS)
    for spec in specs:
        camera = spec.cameras[0]
        K, pose = camera.intrinsics(), np.linalg.inv(camera.camera_to_world(0.0))
        for body in spec.bodies:
            if body.motion == "static" and body.name not in ("bell", "mark", "motor_case"):
                continue
            seen = K @ (pose[:3, :3] @ np.array(body.position_m) + pose[:3, 3])
            column, row = seen[:2] / seen[2]
            assert 0 < column < camera.width, body.name
            assert 0 < row < camera.height, body.name


def test_wrong_parameters_are_told_all_at_once():
    with pytest.raises(SpecError) as caught:
        MechanismScene(fault="brocken_spring", motor_speed=3.0, weight_kg="0.2..2")
    text = str(caught.value)
    for words in (
        "did you mean 'broken_spring'",
        "did you mean 'motor_speed_rad_s'",
        "outside the allowed 0.05..0.32 kg",
    ):
        assert words in text
    assert len(caught.value.problems) == 3


def test_a_motor_that_starts_after_the_clip_is_refused():
    with pytest.raises(SpecError, match=r"use at most 0\.5 s, or a longer clip than 1 s"):
        MechanismScene(clip=ClipSettings(duration_s=1.0), start_s=1.5)


_STARTS = {"missing_teeth": "large_pulley", "slack_belt": "large_pulley"}
"""What still moves, if only for a while."""


def made_up(fault, wrong):
    works = fault == "none"
    first = "none" if works else sorted(FIRST[fault])[0]
    labels = [(name, name.replace("_", " ")) for name, _ in CHAIN if name not in ("lifting_arm", "weight")]
    order = [name for name, _ in labels]
    stops = len(order) if works else order.index(first)
    parts = [
        PartMotion(
            name=name, label=text, as_it_should=name != first,
            first_motion_s=0.5 if order.index(name) < stops or _STARTS.get(fault) == name else None,
        )
        for name, text in labels
    ]  # fmt: skip
    return MechanismOutcome(
        job="ring_bell", done=works, done_s=1.5 if works else None, fault=fault, first_part=first,
        repair="none" if works else PART_OF[fault], repair_verified=not works, wrong_repair=wrong or "none",
        wrong_repair_works=None if works else False, parts=parts, weight_rise_m=None, bell_strikes=int(works),
        belt_slips_s=0.4 if fault == "slack_belt" else None,
    )  # fmt: skip


def test_questions_are_not_answered_by_their_words():
    _, spec = draw(0)
    rng = np.random.default_rng(8)
    counts: dict[str, Counter[str]] = {}
    for _ in range(9000):
        fault = FAULTS[rng.integers(len(FAULTS))]
        wrong = None
        if fault != "none":
            others = wrong_parts(PART_OF[fault])
            wrong = others[rng.integers(len(others))]
        asked = questions(spec, made_up(fault, wrong), rng)
        kinds = {question.kind for question in asked}
        # None of these is asked beside one that it answers.
        assert not ("does_its_job" in kinds and kinds & {"job_time", "repair", "would_repair", "first_part"})
        assert not ("belt_slips" in kinds and kinds & {"repair", "would_repair"})
        for question in asked:
            key = question.question if question.answer_type == "yes_no" else question.kind
            counts.setdefault(key, Counter())[question.answer] += 1
            if question.answer_type == "choice":
                assert question.answer in question.choices
    repairs = [key for key in counts if key.startswith("Would ")]
    assert len(repairs) == len(PART_OF) - 1
    moves = ("Does the large pulley move at any time?", "Does the latch move at any time?")
    for key in ("Does the machine ring its bell?", "Does the belt slip on a pulley?", *moves):
        assert 0.35 < counts[key]["yes"] / counts[key].total() < 0.65
    for key in repairs:
        assert 0.3 < counts[key]["yes"] / counts[key].total() < 0.7, key
    assert max(counts["repair"].values()) < 0.2 * counts["repair"].total()
    assert max(counts["first_part"].values()) < 0.25 * counts["first_part"].total()
