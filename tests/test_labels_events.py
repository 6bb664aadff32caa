"""The event list and the captions, on worlds whose course is known."""

from __future__ import annotations

import re

import numpy as np
import pytest
from labels_worlds import GRAVITY, STEP_S, Ball, Rows, bouncing_balls, trajectory_of

from physreel.analysis.words import a, listed, plural, times
from physreel.labels.captions import general_caption
from physreel.labels.events import MAX_BOUNCES_PER_BODY, find_events
from physreel.labels.naming import Names
from physreel.spec import Body, Box, Plane, SceneSpec, Sphere


def kinds_of(events, name):
    return [event.kind for event in events if event.bodies[0] == name]


def test_a_bouncing_ball_touches_bounces_and_comes_to_rest():
    spec, trajectory = bouncing_balls([Ball(drop_m=0.4, e=0.5)], duration_s=3.0)
    events = find_events(spec, trajectory)
    hit = np.sqrt(2 * GRAVITY * 0.4)
    assert kinds_of(events, "ball0")[:2] == ["first_contact", "bounce"]
    assert kinds_of(events, "ball0")[-1] == "rest"
    assert set(kinds_of(events, "ball0")) == {"first_contact", "bounce", "rest"}
    first, bounce = events[:2]
    assert first.time_s == pytest.approx(hit / GRAVITY, abs=STEP_S)
    assert first.speed_m_s == bounce.speed_m_s == pytest.approx(hit)
    assert first.impulse_n_s == pytest.approx(1.5 * hit * 0.576, rel=0.01)  # 1100 kg/m³ · 4/3 π (5 cm)³ = 0.576 kg
    assert first.bodies == ("ball0", "floor")
    assert events[-1].bodies == ("ball0", "floor")
    assert events[-1].position_m == pytest.approx((0, 0, 0.05), abs=1e-6)
    assert [e.time_s for e in events] == sorted(e.time_s for e in events)


def carried_world(*, hop=False, back=False, duration_s=3.0):
    """A ball on a table until 1 s (with a hop), then on the floor from 1.3 s, or back on the table."""
    bodies = (
        Body(name="floor", shape=Plane(), material="oak", motion="static"),
        Body(name="table", shape=Box(size_m=(1, 1, 0.1)), material="oak", motion="static", position_m=(0, 0, 0.45)),
        Body(name="ball", shape=Sphere(radius_m=0.05), material="steel", position_m=(0, 0, 0.55), label="steel ball"),
    )
    spec = SceneSpec(scene="test", duration_s=duration_s, fps=24, bodies=bodies)
    count = spec.frame_count + 1
    time = np.arange(count) / 24
    pose = np.zeros((count, 3, 7))
    for k, body in enumerate(bodies):
        pose[:, k] = (*body.position_m, 1, 0, 0, 0)
    velocity = np.zeros((count, 3, 6))
    pose[time > 1.15, 2, 2] = 0.55 if back else 0.05
    velocity[time < 1.5, 2, 0] = 0.4
    velocity[(time > 1.0) & (time < 1.3), 2, 2] = -1.5
    rows = Rows()
    for k in range(int(duration_s * 1200)):
        t = k * STEP_S
        if t <= 1.0 and not (hop and 0.4 < t < 0.6):
            rows.add(t, 1, 2, 0.04, 0.0)
        elif t >= 1.3:
            rows.add(t, 1 if back else 0, 2, 0.04, 3.0 if t < 1.3005 else 0.0)
    return spec, trajectory_of(spec, pose, velocity, rows.table())


def test_leaving_a_support_is_told_from_a_hop():
    spec, trajectory = carried_world()
    events = find_events(spec, trajectory)
    assert kinds_of(events, "ball") == ["leave_support", "first_contact", "rest"]
    leave = events[0]
    assert leave.bodies == ("ball", "table")
    assert leave.time_s == pytest.approx(1.0, abs=2 * STEP_S)
    assert leave.speed_m_s == pytest.approx(0.4)
    assert kinds_of(find_events(*carried_world(hop=True)), "ball") == ["leave_support", "first_contact", "rest"]
    assert kinds_of(find_events(*carried_world(back=True)), "ball") == ["rest"]


def test_what_touches_from_the_start_has_no_first_contact_and_what_never_moved_no_rest():
    spec, trajectory = bouncing_balls([Ball(drop_m=0.0, e=0.0)])
    assert find_events(spec, trajectory) == ()


def test_a_rattling_body_does_not_flood_the_list():
    rows = Rows()
    bodies = (
        Body(name="floor", shape=Plane(), material="oak", motion="static"),
        Body(name="coin", shape=Sphere(radius_m=0.05), material="steel", position_m=(0, 0, 0.5)),
    )
    spec = SceneSpec(scene="test", duration_s=20.0, fps=24, bodies=bodies)
    for k in range(1, 390):
        rows.add(k * 0.05, 0, 1, 0.1 + 0.001 * (k % 17), 0.3)
    pose = np.zeros((spec.frame_count + 1, 2, 7))
    pose[..., 3] = 1.0
    trajectory = trajectory_of(spec, pose, np.ones((spec.frame_count + 1, 2, 6)), rows.table())
    events = find_events(spec, trajectory)
    bounces = [event for event in events if event.kind == "bounce"]
    assert len(bounces) == MAX_BOUNCES_PER_BODY
    assert min(event.impulse_n_s for event in bounces) >= 0.114


def test_when_two_dynamic_bodies_touch_the_event_is_about_the_faster():
    bodies = tuple(
        Body(name=name, shape=Sphere(radius_m=0.05), material="steel", position_m=(x, 0, 1))
        for name, x in (("slow", 0.0), ("fast", 0.4))
    )
    spec = SceneSpec(scene="test", duration_s=1.0, fps=24, bodies=bodies, gravity_m_s2=(0, 0, 0))
    rows = Rows()
    rows.add(0.5, 0, 1, 1.0, 2.0, normal=(1.0, 0.0, 0.0))
    pose = np.zeros((25, 2, 7))
    pose[..., 3] = 1.0
    velocity = np.zeros((25, 2, 6))
    velocity[:13, 1, 0] = -2.0
    velocity[13:, 0, 0] = -2.0
    events = find_events(spec, trajectory_of(spec, pose, velocity, rows.table()))
    assert [(e.kind, e.bodies) for e in events] == [
        ("first_contact", ("fast", "slow")),
        ("bounce", ("slow", "fast")),
        ("bounce", ("fast", "slow")),
        ("rest", ("fast",)),
    ]


@pytest.mark.parametrize(
    ("label", "phrase"),
    [
        ("red ball", "a red ball"),
        ("oak block", "an oak block"),
        ("ABS brick", "an ABS brick"),
        ("PVC pipe", "a PVC pipe"),
        ("unicorn", "a unicorn"),
        ("hourglass", "an hourglass"),
        ("umbrella", "an umbrella"),
    ],
)
def test_articles_follow_the_sound(label, phrase):
    assert a(label) == phrase


def test_words_for_many():
    assert [plural(w) for w in ("oak box", "red ball", "berry", "toy")] == ["oak boxes", "red balls", "berries", "toys"]
    assert [times(k) for k in (1, 2, 3)] == ["once", "twice", "three times"]
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_names_drop_articles_and_tell_doubles_apart_by_size_only():
    def ball(name, radius, label):
        return Body(name=name, shape=Sphere(radius_m=radius), material="rubber", label=label)

    spec = SceneSpec(
        scene="test",
        duration_s=1,
        fps=24,
        bodies=(
            Body(name="floor", shape=Plane(), material="oak", motion="static"),
            ball("one", 0.05, "a red ball"),
            ball("two", 0.10, "red ball"),
            ball("three", 0.05, "the blue ball"),
            ball("four", 0.05, "blue ball"),
            Body(name="five", shape=Box(size_m=(0.1, 0.1, 0.1)), material="ABS"),
        ),
    )
    names = Names(spec)
    assert [names.unique(k) for k in range(6)] == [
        "floor", "smaller red ball", "larger red ball", None, None, "plastic cube"
    ]  # fmt: skip
    assert names.the(3) == "one of the blue balls"
    assert names.the_all([3, 4, 5]) == "the two blue balls and the plastic cube"
    assert names.the_all([1, 4]) == "the smaller red ball and one of the blue balls"
    assert names.introduced([1, 2, 5]) == ["two red balls", "a plastic cube"]


def test_a_caption_tells_what_falls_where_how_often_it_bounces_and_where_it_ends():
    for drop in (0.4, 0.41, 0.42, 0.43):
        spec, trajectory = bouncing_balls([Ball(drop_m=drop, e=0.5, label="orange ball")], duration_s=3.0)
        events = find_events(spec, trajectory)
        text = general_caption(spec, trajectory, events)
        assert re.match(r"An orange ball (falls|drops|comes down) onto the floor", text)
        count = sum(event.kind == "bounce" for event in events)
        assert f" {times(count)}" in text
        assert re.search(r"(comes to rest|ends up|settles) on the floor\.$", text, re.IGNORECASE)
        assert text == general_caption(spec, trajectory, events)


def test_captions_of_like_worlds_are_not_all_alike():
    texts = set()
    for k in range(12):
        spec, trajectory = bouncing_balls(
            [Ball(drop_m=0.3 + 0.01 * k, e=0.4, label="red ball"), Ball(drop_m=0.6, e=0.4, label="blue ball")],
            duration_s=2.0,
        )
        text = general_caption(spec, trajectory, find_events(spec, trajectory))
        assert "red ball" in text
        assert re.search(r"the red ball (is the first to land|lands first|reaches)", text, re.IGNORECASE)
        texts.add(text)
    assert len(texts) >= 6


def test_a_caption_names_what_leaves_and_what_still_moves():
    spec, trajectory = carried_world()
    text = general_caption(spec, trajectory, find_events(spec, trajectory))
    assert re.search(r"the steel ball (leaves|goes off) the \w+ block", text, re.IGNORECASE)
    spec, trajectory = bouncing_balls([Ball(drop_m=1.0, e=0.9)] * 2, duration_s=1.0)
    text = general_caption(spec, trajectory, find_events(spec, trajectory))
    assert re.match(r"Two rubber balls (fall|drop|come down) onto the floor\.", text)
    assert "are still moving when the clip ends." in text


def test_captions_are_whole_sentences_without_figures():
    for k in range(1, 8):
        spec, trajectory = bouncing_balls(
            [Ball(drop_m=0.2 + 0.07 * n, e=0.1 * n, label=f"{['red', 'blue', 'green'][n % 3]} ball") for n in range(k)]
        )
        text = general_caption(spec, trajectory, find_events(spec, trajectory))
        sentences = re.findall(r"[A-Z][^.]*\.", text)
        assert 1 <= len(sentences) <= 4
        assert " ".join(sentences) == text
        assert not re.search(r"\d|  |,,|\bthe the\b|\ba [aeiou]", text)
