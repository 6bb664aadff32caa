"""What floats, what has sunk, and what merely lies on something else, of bodies that are where they are put."""

from __future__ import annotations

import numpy as np
import pytest
from liquid_worlds import moving, track
from tank_worlds import SPACING, bearing, block, drop, floating_world, tank_world

from physreel.analysis.floating import find_immersions
from physreel.scenes.sink_or_float import SinkOrFloat
from physreel.spec import Body, Box, Plane, SceneSpec, Sphere, Tank, Vessel


def states(spec: SceneSpec, run) -> list[str]:
    return [item.state for item in find_immersions(spec, run)]


def test_a_body_that_lies_on_a_sunken_one_and_sticks_out_has_sunk_and_does_not_float():
    # Two balls of 8 cm on each other in 11 cm of liquid: the upper one is out of it by 5 cm, borne by the lower one.
    spec = floating_world(2, apart=0.0)
    ends = {"body_0": 0.051, "body_1": 0.131}
    run = drop(spec, ends, contacts=bearing(spec, ("body_1", "body_0")))
    assert states(spec, run) == ["sinks", "sinks"]
    outcome = SinkOrFloat().outcome(spec, run)
    assert (outcome.floating_count, outcome.sunk_count) == (0, 2)
    # Where nothing bears it, it floats.
    assert states(spec, drop(spec, ends)) == ["sinks", "floats"]


def test_what_lies_on_a_floating_body_neither_floats_nor_has_sunk():
    spec = floating_world(2, radius=0.02, apart=0.03)
    run = drop(spec, {"body_0": 0.11, "body_1": 0.13}, contacts=bearing(spec, ("body_1", "body_0")))
    assert states(spec, run) == ["floats", "neither"]
    text = SinkOrFloat().caption(spec, run, SinkOrFloat().outcome(spec, run), ())
    assert "blue ball is neither afloat nor at the bottom when the clip ends" in text


def test_a_pile_sinks_from_below_whatever_the_order_of_the_bodies():
    spec = floating_world(3, radius=0.02, apart=0.0)
    ends = {"body_0": 0.111, "body_1": 0.071, "body_2": 0.031}
    run = drop(spec, ends, contacts=bearing(spec, ("body_0", "body_1"), ("body_1", "body_2")))
    assert states(spec, run) == ["sinks", "sinks", "sinks"]


@pytest.mark.parametrize("height", [0.07, 0.1])
def test_a_body_on_a_step_has_sunk_only_under_the_surface(height):
    step = Body(name="step", shape=Box(size_m=(0.06, 0.06, height - 0.02)), material="ABS", motion="static",
                position_m=(-0.12, 0.0, 0.01 + (height - 0.02) / 2))  # fmt: skip
    ball = Body(name="ball", shape=Sphere(radius_m=0.02), material="ABS", position_m=(-0.12, 0.0, 0.3))
    spec = tank_world("sink_or_float", step, ball)
    run = drop(spec, {"ball": 0.01 + height}, contacts=bearing(spec, ("ball", "step")))
    assert states(spec, run) == ["sinks" if height == 0.07 else "neither"]


@pytest.mark.parametrize("bowl_first", [True, False])
def test_of_a_bowl_in_a_sink_the_bowls_bottom_counts_wherever_it_is_listed(bowl_first):
    bowl = Vessel(profile_m=((0.05, 0.03), (0.09, 0.03), (0.1, 0.11)), wall_m=0.005)
    pair = (
        Body(name="bowl", shape=bowl, material="ceramic", motion="static", position_m=(0.0, 0.0, 0.01)),
        Body(name="sink", shape=Tank(inside_m=(0.4, 0.4, 0.2), wall_m=0.01), material="steel", motion="static"),
    )
    ball = Body(name="ball", shape=Sphere(radius_m=0.02), material="ABS", position_m=(0.0, 0.0, 0.061))
    spec = SceneSpec(
        scene="by hand", duration_s=0.5, fps=30, particle_spacing_m=SPACING,
        bodies=(Body(name="floor", shape=Plane(), material="oak", motion="static"),
                *(pair if bowl_first else pair[::-1]), ball),
    )  # fmt: skip
    liquid = block((-0.08, -0.08, 0.04), (0.08, 0.08, 0.1))
    liquid = liquid[np.hypot(liquid[:, 0], liquid[:, 1]) < 0.085]
    # In the sink, but not in the bowl, it stands only 2 cm deep: it does not count for what lies in the bowl.
    around = block((-0.2, -0.2, 0.01), (0.2, 0.2, 0.03))
    around = around[np.hypot(around[:, 0], around[:, 1]) > 0.11]
    liquid = np.concatenate([liquid[np.linalg.norm(liquid - ball.position_m, axis=1) > 0.0245], around])
    run = moving(spec, track(np.repeat(liquid[None], 16, 0).astype(np.float32), SPACING))
    (item,) = find_immersions(spec, run)
    assert item.vessel == spec.body_index("bowl")
    assert item.state == "sinks"
    assert item.draft_m == pytest.approx(0.1 - 0.041, abs=0.002)
