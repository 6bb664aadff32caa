"""Glass tanks that stand turned about the vertical, and placing things in them. Shared by scenes with liquids."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.rotations import axis_angle_to_wxyz, conjugate_wxyz, rotate_wxyz
from physreel.spec import Quat, Tank, Vec3
from physreel.values import Trajectory

Floats = NDArray[np.float64]


def draw_turn(rng: np.random.Generator, spread_deg: float = 20.0) -> Quat:
    """A turn about the vertical: the tank's + x to the right as often as to the left, within ``spread_deg``."""
    yaw = np.radians(rng.uniform(-spread_deg, spread_deg)) + (np.pi if rng.random() < 0.5 else 0.0)
    w, x, y, z = axis_angle_to_wxyz((0.0, 0.0, 1.0), float(yaw)).tolist()
    return w, x, y, z


def put(place_m: ArrayLike, turn_wxyz: ArrayLike, point_m: ArrayLike) -> Vec3:
    """A point of a frame that stands at ``place_m`` turned by ``turn_wxyz``, in the world."""
    x, y, z = (np.asarray(place_m) + rotate_wxyz(turn_wxyz, point_m)).tolist()
    return x, y, z


def tank_points(tank: Tank) -> Floats:
    """(8, 3) corners of the tank's outside, in its frame."""
    x, y, _ = tank.inside_m
    half = np.array([x / 2 + tank.wall_m, y / 2 + tank.wall_m])
    return np.array(
        [(sx * half[0], sy * half[1], z) for sx in (-1.0, 1.0) for sy in (-1.0, 1.0) for z in (0.0, tank.rim_z_m)]
    )


def in_frame(trajectory: Trajectory, body: int, points_m: Floats) -> Floats:
    """(T + 1, N, 3) points at the frames and the end, in a body's frame then."""
    pose = np.concatenate([trajectory.body_pose[:, body], trajectory.body_pose_end[None, body]])[:, None]
    return np.asarray(rotate_wxyz(conjugate_wxyz(pose[..., 3:]), points_m - pose[..., :3]))
