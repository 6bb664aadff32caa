"""Small specs for tests: one idea each, all numbers given by the test."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from physreel.geometry.rotations import axis_angle_to_wxyz
from physreel.simulators.base import Simulator
from physreel.simulators.mujoco import MujocoSimulator
from physreel.spec import Body, Box, ContactPair, Plane, SceneSpec, Shape, Sphere
from physreel.values import Trajectory

G = 9.81
ENGINES = ["mujoco", pytest.param("bullet", marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="no wheel"))]


def engine(name: str) -> Simulator:
    """A simulator by name, without the registry."""
    if name == "mujoco":
        return MujocoSimulator()
    from physreel.simulators.bullet import BulletSimulator

    return BulletSimulator()


def surface(restitution: float = 0.0, friction: float = 0.5) -> tuple[ContactPair, ...]:
    """One restitution and friction between all steel and oak."""
    return tuple(
        ContactPair(material_a=a, material_b=b, restitution=restitution, friction=friction)
        for a, b in (("steel", "oak"), ("steel", "steel"), ("oak", "oak"))
    )


def floor(tilt_rad: float = 0.0, **options: Any) -> Body:
    """A plane, tilted about y so that +x goes down."""
    turn = tuple(float(x) for x in axis_angle_to_wxyz((0, 1, 0), tilt_rad))
    return Body(name="floor", shape=Plane(), material="oak", motion="static", orientation_wxyz=turn, **options)


def body(name: str = "body", shape: Shape | None = None, material: str = "steel", **options: Any) -> Body:
    """A dynamic steel ball of 5 cm radius unless told otherwise."""
    return Body(name=name, shape=shape or Sphere(radius_m=0.05), material=material, **options)


def cube(name: str = "cube", edge_m: float = 0.1, **options: Any) -> Body:
    """A steel cube."""
    return body(name, Box(size_m=(edge_m, edge_m, edge_m)), **options)


def world(bodies: Iterable[Body], *, duration_s: float = 1.0, fps: int = 60, **options: Any) -> SceneSpec:
    """A spec without cameras."""
    options.setdefault("contact_pairs", surface())
    return SceneSpec(scene="test", duration_s=duration_s, fps=fps, bodies=tuple(bodies), **options)


def on_incline(tilt_rad: float, shape: Shape, height_m: float, *, lying: bool = False, **options: Any) -> Body:
    """A body that touches the tilted floor; ``lying``: its z axis across the slope."""
    turn = axis_angle_to_wxyz((1, 0, 0), np.pi / 2) if lying else axis_angle_to_wxyz((0, 1, 0), tilt_rad)
    place = (height_m * np.sin(tilt_rad), 0.0, height_m * np.cos(tilt_rad))
    return body(
        "body",
        shape,
        position_m=tuple(float(x) for x in place),
        orientation_wxyz=tuple(float(x) for x in turn),
        **options,
    )


def way_m(trajectory: Trajectory, index: int) -> float:
    """Distance between a body's places at the start and the end."""
    return float(np.linalg.norm(trajectory.body_pose_end[index, :3] - trajectory.body_pose[0, index, :3]))


def period_s(values: np.ndarray, fps: int) -> float:
    """Mean time between upward zero crossings, interpolated."""
    at = np.flatnonzero((values[:-1] < 0) & (values[1:] >= 0))
    crossings = at - values[at] / (values[at + 1] - values[at])
    return float(np.diff(crossings).mean() / fps)
