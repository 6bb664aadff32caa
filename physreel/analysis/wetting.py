"""How near liquid is to a rigid body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.thresholds import SEEN_PARTICLES, WET_SPACINGS
from physreel.geometry.distances import world_distances
from physreel.geometry.extents import bounding_radius_m
from physreel.geometry.mass import mass_center_m
from physreel.geometry.rotations import rotate_wxyz
from physreel.spec import SceneSpec
from physreel.values import Trajectory

Floats = NDArray[np.float64]


def liquid_gap_m(spec: SceneSpec, body: int, pose: Floats, points_m: Floats, within_m: float) -> float:
    """Distance of a body's surface from liquid: from the last of the ``SEEN_PARTICLES`` nearest particles (N, 3).

    Infinite if there are fewer within ``within_m`` of the ball about the body.
    """
    shape = spec.bodies[body].shape
    middle = pose[:3] + rotate_wxyz(pose[3:], mass_center_m(spec.bodies[body]))
    reach = bounding_radius_m(shape) + within_m
    close = points_m[((points_m - middle) ** 2).sum(1) < reach**2]
    if len(close) < SEEN_PARTICLES:
        return float("inf")
    return float(np.partition(world_distances(shape, pose, close), SEEN_PARTICLES - 1)[SEEN_PARTICLES - 1])


def wet_at_end(spec: SceneSpec, trajectory: Trajectory) -> NDArray[np.bool_]:
    """(B,) whether liquid touches a dynamic body when the clip ends; False for all others."""
    liquid = trajectory.liquid
    wet = np.zeros(len(spec.bodies), np.bool_)
    if liquid is None:
        return wet
    points = liquid.position_end_m[liquid.present_end].astype(np.float64)
    near = WET_SPACINGS * liquid.spacing_m
    for i, body in enumerate(spec.bodies):
        if body.motion == "dynamic":
            wet[i] = liquid_gap_m(spec, i, trajectory.body_pose_end[i], points, near) < near
    return wet
