"""The bearing scene: what a user sets is drawn, only the fault tells the fault, and truth is the trajectory's."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from physreel.errors import SpecError
from physreel.geometry.bearings import BEARINGS
from physreel.labels.events import find_events
from physreel.renderers.audio.covers import cover_over
from physreel.scenes.base import ClipSettings
from physreel.scenes.bearing import FAULTS, BearingScene
from physreel.seeding import sample_rng
from physreel.simulators.mujoco import MujocoSimulator

SHORT = ClipSettings(width=64, height=64, fps=24, duration_s=1.0)


def draw(index, *, clip=SHORT, **parameters):
    return BearingScene(clip=clip, **parameters).sample(sample_rng(5, "bearing", BearingScene.version, index))


def run(index, **parameters):
    scene = BearingScene(clip=SHORT, **parameters)
    spec = scene.sample(sample_rng(5, "bearing", BearingScene.version, index))
    trajectory = MujocoSimulator().simulate(spec)
    return scene, spec, trajectory


def test_worlds_vary():
    specs = [draw(i) for i in range(150)]
    found = [spec.parameters for spec in specs]
    assert {p["fault"] for p in found} == set(FAULTS)
    assert {p["bearing_type"] for p in found} == set(BEARINGS)
    assert {p["cover"] for p in found} == {"open", "closed"}
    assert {np.sign(spec.joints[0].motor.speed) for spec in specs} == {-1.0, 1.0}
    assert len({body.label for spec in specs for body in spec.bodies if body.name == "guard"}) > 6
    counts = Counter(p["fault"] for p in found)
    assert min(counts.values()) > 15


@pytest.mark.parametrize("cover", ["open", "closed"])
def test_nothing_but_the_pit_hangs_on_the_fault(cover):
    for index in range(8):
        worlds = [draw(index, fault=fault, cover=cover) for fault in FAULTS]
        plain = []
        for spec in worlds:
            data = spec.model_dump(exclude={"bearings", "parameters"})
            data["bodies"] = [body for body in data["bodies"] if body["name"] != "pit"]
            plain.append(data)
        assert all(data == plain[0] for data in plain)
        bearings = [spec.bearings[0].model_dump(exclude={"defect"}) for spec in worlds]
        assert all(bearing == bearings[0] for bearing in bearings)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_outcome_is_what_the_trajectory_says(fault):
    for index in range(3):
        scene, spec, trajectory = run(index, fault=fault)
        outcome = scene.outcome(spec, trajectory)
        assert outcome.fault == fault
        assert outcome.shaft_turns_s == pytest.approx(spec.parameters["speed_rev_s"], rel=0.01)
        assert outcome.clockwise == (spec.joints[0].motor.speed > 0.0)
        assert outcome.knock_count == len(trajectory.knocks)
        if fault != "none":
            slip = spec.bearings[0].slip_share
            assert outcome.knock_hz == pytest.approx(outcome.characteristic_hz, rel=0.01 + 1.2 * slip)
        events = [event for event in find_events(spec, trajectory) if event.kind == "knocking_begins"]
        assert [event.bodies for event in events] == ([] if fault == "none" else [("plate",)])
        caption = scene.caption(spec, trajectory, outcome, ())
        words = {"none": ("sound", "nothing"), "outer_race": ("outer race",), "inner_race": ("inner race",),
                 "ball": ("its balls",), "cage": ("its cage",)}  # fmt: skip
        assert any(word in caption.lower() for word in words[fault])


def test_a_guard_hides_and_covers_and_an_open_bearing_is_in_view():
    for index in range(6):
        shut, free = draw(index, cover="closed", fault="ball"), draw(index, cover="open", fault="ball")
        anchor = np.array(shut.joints[0].anchor_m)
        plate = shut.body_index("plate")
        low = anchor - np.array([0.0, 0.0, 0.5 * BEARINGS[shut.parameters["bearing_type"]].pitch_diameter_m])
        ear = np.array(shut.microphones[0].position_m)
        found = cover_over(shut, plate, low, ear)
        assert found is not None
        assert shut.bodies[found.body].name == "guard"
        assert found.leak <= 0.06
        assert cover_over(free, free.body_index("plate"), low, ear) is None


def test_the_machine_is_in_the_picture():
    for index in range(30):
        spec = draw(index)
        camera = spec.cameras[0]
        for time in (0.0, spec.duration_s):
            back = np.linalg.inv(camera.camera_to_world(time))
            for body in spec.bodies:
                if body.name in ("outer_ring", "flywheel", "mark", "plate", "guard"):
                    seen = camera.intrinsics() @ (back[:3, :3] @ np.array(body.position_m) + back[:3, 3])
                    column, row = seen[:2] / seen[2]
                    assert 0 < column < camera.width, (index, body.name)
                    assert 0 < row < camera.height, (index, body.name)


def test_what_turns_goes_round_and_what_is_carried_follows():
    _, spec, trajectory = run(1, fault="inner_race", speed_rev_s=4.0, slip_share=0.0)
    mark, pit = (trajectory.body_pose[:, spec.body_index(name), :3] for name in ("mark", "pit"))
    anchor, axis = np.array(spec.joints[0].anchor_m), np.array(spec.joints[0].axis)
    for track in (mark, pit):
        arm = track - anchor
        arm = arm - (arm @ axis)[:, None] * axis
        assert np.ptp(np.linalg.norm(arm, axis=1)) < 1e-4
        turn = np.arccos(np.clip((arm[:-1] * arm[1:]).sum(1) / (np.linalg.norm(arm, axis=1)[0] ** 2), -1.0, 1.0))
        assert np.degrees(turn) == pytest.approx(np.full(len(turn), 60.0), abs=0.5)


def test_starting_from_rest_knocks_faster_and_faster():
    _, _, trajectory = run(2, fault="outer_race", start="from_rest")
    gaps = np.diff(trajectory.knocks.time_s)
    assert gaps[0] > 2.0 * gaps[-1]
    assert trajectory.signals["speed:shaft"].values[0] == pytest.approx(0.0, abs=0.5)


def test_own_bearings_are_made_and_those_that_cannot_be_are_refused():
    spec = draw(0, bearing_type="own", ball_count=7, ball_diameter_m=0.009, pitch_diameter_m=0.04)
    assert spec.bearings[0].ball_count == 7
    assert sum(body.name.startswith("ball_") for body in spec.bodies) == 7
    with pytest.raises(SpecError) as caught:
        BearingScene(bearing_type="own", ball_count="8..15", ball_diameter_m=0.008, pitch_diameter_m=0.034)
    assert "15 balls of 8 mm with a cage between them do not fit on a circle of 34 mm; at most 12 do" in str(
        caught.value
    )
    with pytest.raises(SpecError, match="leave no room for a shaft"):
        BearingScene(bearing_type="own", ball_count=5, ball_diameter_m=0.014, pitch_diameter_m=0.026)
    with pytest.raises(SpecError) as caught:
        BearingScene(fault="outer_rase", speed_rev_s=100, radial_lod_n=3)
    for words in ("did you mean 'outer_race'", "outside the allowed 2..60 1/s", "did you mean 'radial_load_n'"):
        assert words in str(caught.value)


def test_answers_are_true_and_none_is_a_safe_guess():
    told: dict[str, Counter[str]] = {}
    runs = {fault: run(3, fault=fault, speed_rev_s=8.0) for fault in FAULTS}
    results = {fault: scene.outcome(spec, trajectory) for fault, (scene, spec, trajectory) in runs.items()}
    for fault, (scene, spec, trajectory) in runs.items():
        for number in range(240):
            rng = np.random.default_rng(number)
            for question in scene.questions(spec, trajectory, results[fault], (), rng):
                told.setdefault(question.kind, Counter())[question.answer] += 1
                if question.kind == "damaged_part":
                    seen = results["ball"].defect_in_view  # the same drawn width, whatever is damaged
                    assert question.needs == ("either" if seen else "sound")
                    assert question.answer == {"none": "none", "ball": "a ball"}.get(fault, fault.replace("_", " "))
                if question.kind == "knocks_per_turn":
                    assert question.needs == "both"
                    if fault != "none":
                        assert float(question.answer) == pytest.approx(results[fault].knocks_per_turn, rel=0.15)
    assert set(told) == {"damaged_part", "knocks_per_turn", "bearing_damaged", "turns_clockwise", "mark_color"}
    for kind, least in (("damaged_part", 5), ("knocks_per_turn", 5), ("bearing_damaged", 2), ("turns_clockwise", 2)):
        counts = told[kind]
        assert len(counts) == least
        assert max(counts.values()) < 1.4 * sum(counts.values()) / least


def test_way_of_turning_is_not_asked_where_the_film_is_too_slow():
    scene, spec, trajectory = run(1, speed_rev_s=20.0)
    outcome = scene.outcome(spec, trajectory)
    for number in range(30):
        kinds = {q.kind for q in scene.questions(spec, trajectory, outcome, (), np.random.default_rng(number))}
        assert not kinds & {"turns_clockwise", "knocks_per_turn"}
