"""Falling: its worlds are possible and varied, and its outcomes are what the trajectory says."""

from __future__ import annotations

import numpy as np
import pytest

from physreel.errors import SpecError
from physreel.geometry.extents import lowest_points
from physreel.scenes.base import ClipSettings
from physreel.scenes.falling import Falling
from physreel.scenes.objects import OBJECT_MATERIALS, OBJECT_SHAPES, draw_object
from physreel.scenes.rooms import SURFACES
from physreel.seeding import sample_rng
from physreel.simulators.mujoco import MujocoSimulator

SPHERE = {"object_count": 1, "shape": "sphere", "release_speed_m_s": 0, "spin_rad_s": 0, "furniture": "none"}


def draw(index: int, **parameters):
    return Falling(**parameters).sample(sample_rng(11, "falling", Falling.version, index))


def moving(spec):
    return [body for body in spec.bodies if body.motion == "dynamic"]


def test_worlds_vary():
    specs = [draw(i) for i in range(120)]
    assert {len(moving(spec)) for spec in specs} == set(range(1, 13))
    bodies = [body for spec in specs for body in moving(spec)]
    assert {body.shape.kind for body in bodies} == set(OBJECT_SHAPES)
    assert {body.material for body in bodies} == set(OBJECT_MATERIALS)
    assert {spec.parameters["furniture"] for spec in specs} == {"table", "shelf", "none"}
    assert {spec.cameras[0].moves for spec in specs} == {True, False}
    assert len({body.label for body in bodies}) > 100


def test_objects_start_above_what_they_fall_on_and_inside_the_picture():
    for index in range(40):
        spec = draw(index)
        camera = spec.cameras[0]
        K, pose = camera.intrinsics(), np.linalg.inv(camera.camera_to_world(0.0))
        top = next((body.position_m[2] for body in spec.bodies if body.name in ("table", "shelf")), 0.0)
        for body in moving(spec):
            gap = body.position_m[2] + lowest_points(body.shape, body.orientation_wxyz)[0] - top
            assert gap >= 0.12 - 0.03, (index, body.name)
            seen = K @ (pose[:3, :3] @ np.array(body.position_m) + pose[:3, 3])
            column, row = seen[:2] / seen[2]
            assert 0 < column < camera.width, (index, body.label)
            assert 0 < row < camera.height, (index, body.label)


def test_what_a_user_sets_is_what_is_drawn():
    for index in range(6):
        spec = draw(index, material="glass", shape="box|cone", object_count=3, drop_height_m="0.5..0.6", surface="ice",
                    furniture="table")  # fmt: skip
        assert {body.material for body in moving(spec)} == {"glass"}
        assert {body.shape.kind for body in moving(spec)} <= {"box", "cone"}
        assert len(moving(spec)) == 3
        assert spec.bodies[spec.body_index("table")].material == "ice"
    for surface in SURFACES:
        assert draw(0, surface=surface, furniture="none").parameters["floor"] == surface


def test_wrong_parameters_are_told_all_at_once():
    with pytest.raises(SpecError) as caught:
        Falling(drop_hight_m=1.0, object_count="3..40", surface="wod", material="glass|stell")
    text = str(caught.value)
    for words in (
        "did you mean 'drop_height_m'",
        "3..40 is outside the allowed 1..12",
        "'wod'",
        "did you mean 'steel'",
    ):
        assert words in text
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("kind", OBJECT_SHAPES)
def test_objects_fit_their_ball_and_their_size(kind):
    rng = np.random.default_rng(3)
    directions = rng.normal(size=(200, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for _ in range(10):
        thing = draw_object(rng, kind, "oak", 0.1)
        from physreel.geometry.extents import support_distances

        reach = support_distances(thing.shape, directions)
        assert reach.max() <= thing.radius_m + 1e-9
        assert 0.05 < 2 * thing.radius_m < 0.25


@pytest.mark.parametrize("index", range(6))
def test_the_outcome_of_a_dropped_ball_is_that_of_closed_form(index):
    scene = Falling(material="steel|glass|rubber", surface="marble", clip=ClipSettings(duration_s=2.0), **SPHERE)
    spec = scene.sample(sample_rng(1, "falling", 1, index))
    run = MujocoSimulator().simulate(spec)
    outcome = scene.outcome(spec, run)
    (ball,) = moving(spec)
    height = ball.position_m[2] - ball.shape.radius_m
    e = spec.contact(ball.material, "marble").restitution
    thing = outcome.objects[0]
    assert thing.first_impact_s == pytest.approx(np.sqrt(2 * height / 9.81), abs=2 * run.step_s)
    assert thing.first_impact_speed_m_s == pytest.approx(np.sqrt(2 * 9.81 * height), rel=0.01)
    assert thing.rebound_height_m == pytest.approx(e * e * height, rel=0.06)
    assert thing.bounce_count >= 2
    assert outcome.first_to_land == ball.name
    assert not thing.left_support


def test_an_object_pushed_over_the_edge_has_left_the_table():
    scene = Falling(object_count=1, furniture="table", release_speed_m_s=3.0, drop_height_m=0.05, shape="sphere",
                    material="oak", floor="carpet", clip=ClipSettings(duration_s=3.0))  # fmt: skip
    left = 0
    for index in range(4):
        spec = scene.sample(sample_rng(2, "falling", 1, index))
        run = MujocoSimulator().simulate(spec)
        outcome = scene.outcome(spec, run)
        below = run.body_pose_end[spec.body_index("object_0"), 2] < spec.bodies[spec.body_index("table")].position_m[2]
        assert outcome.objects[0].left_support == (below and outcome.objects[0].first_impact_s is not None)
        left += outcome.left_support_count
    assert left >= 2
