"""What machines refuse, and what they do where a spec is unusual but right."""

from __future__ import annotations

from typing import Any

import pytest

from physreel.errors import UnsupportedError
from physreel.simulators.mujoco import MujocoSimulator
from physreel.simulators.preparation import prepare
from physreel.spec import Bearing, Body, Box, Joint, Motor, SceneSpec

Y = (0.0, 1.0, 0.0)
BALLS: dict[str, Any] = {"ball_count": 8, "ball_diameter_m": 0.006, "pitch_diameter_m": 0.03}


def _four_bar(*, bearing: str = "", all_rub: bool = False, **last: Any) -> SceneSpec:
    """A crank, a coupler and a rocker; ``last`` goes to the hinge between the latter two, which closes the loop."""
    rub = {"friction": 0.01} if all_rub else {}
    bodies = [
        Body(name="a", shape=Box(size_m=(0.02, 0.02, 0.2)), material="steel", position_m=(0.0, 0.0, 0.1)),
        Body(name="b", shape=Box(size_m=(0.2, 0.02, 0.02)), material="steel", position_m=(0.1, 0.03, 0.2)),
        Body(name="c", shape=Box(size_m=(0.02, 0.02, 0.2)), material="steel", position_m=(0.2, 0.0, 0.1)),
        Body(name="wall", shape=Box(size_m=(0.05, 0.01, 0.05)), material="steel", motion="static",
             position_m=(0.2, 0.5, 0.2)),
    ]  # fmt: skip
    joints = [
        Joint(name="j1", kind="hinge", child="a", axis=Y, motor=Motor(speed=1.0, max_effort=5.0)),
        Joint(name="j2", kind="hinge", child="b", parent="a", anchor_m=(0.0, 0.0, 0.2), axis=Y, **rub),
        Joint(name="j3", kind="hinge", child="c", parent="wall", anchor_m=(0.2, 0.0, 0.0), axis=Y, **rub),
        Joint(name="j4", kind="hinge", child="c", parent="b", anchor_m=(0.2, 0.0, 0.2), axis=Y, **(rub | last)),
    ]
    return SceneSpec(
        scene="test",
        duration_s=0.3,
        fps=24,
        bodies=tuple(bodies),
        joints=tuple(joints),
        bearings=(Bearing(name="balls", joint=bearing, housing="wall", **BALLS),) if bearing else (),
        no_contact=(("a", "b"), ("b", "c"), ("a", "c")),
    )


def _closing(spec: SceneSpec) -> list[str]:
    return [link.joint.name for link in prepare(spec).links if link.closes_loop]


# --- joints that close loops ----------------------------------------------------------------------------------------


def test_a_joint_that_rubs_does_not_close_a_loop() -> None:
    assert _closing(_four_bar()) == ["j4"]
    stuck = _four_bar(friction=1000.0)
    assert _closing(stuck) != ["j4"]
    turned = MujocoSimulator().simulate(stuck).joint_position[-1]
    assert turned == pytest.approx(0.0, abs=1e-3)  # the free loop's crank turns by 0.29 in that time


def test_a_hinge_with_a_bearing_does_not_close_a_loop() -> None:
    spec = _four_bar(bearing="j4", all_rub=False)
    assert _closing(spec) not in ([], ["j4"])


def test_where_every_joint_is_needed_the_loop_is_refused_with_all_reasons() -> None:
    spec = _four_bar(all_rub=True)
    with pytest.raises(UnsupportedError, match=r"damping or friction, and those of couplings, bearings, belts and gas"):
        prepare(spec)


def test_joints_that_close_a_loop_have_no_signals() -> None:
    trajectory = MujocoSimulator().simulate(_four_bar())
    assert "angle:j1" in trajectory.signals
    assert "angle:j4" not in trajectory.signals and "speed:j4" not in trajectory.signals
