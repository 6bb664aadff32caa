"""Quaternions (wxyz) and matrices, vectorised over leading axes; each engine's order is in the function's name."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.spec import Body, SceneSpec

Floats = NDArray[np.float64]


def wxyz_to_xyzw(quat: ArrayLike) -> Floats:
    """(…, 4) ours to Bullet's and scipy's."""
    return np.roll(np.asarray(quat, np.float64), -1, axis=-1)


def xyzw_to_wxyz(quat: ArrayLike) -> Floats:
    """(…, 4) Bullet's and scipy's to ours."""
    return np.roll(np.asarray(quat, np.float64), 1, axis=-1)


def wxyz_to_matrix(quat: ArrayLike) -> Floats:
    """(…, 4) unit quaternions to (…, 3, 3) rotation matrices."""
    w, x, y, z = np.moveaxis(np.asarray(quat, np.float64), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def matrix_to_wxyz(matrix: ArrayLike) -> Floats:
    """(3, 3) rotation matrix to a unit quaternion with w >= 0."""
    from scipy.spatial.transform import Rotation

    quat = xyzw_to_wxyz(Rotation.from_matrix(np.asarray(matrix, np.float64)).as_quat())
    return quat if quat[0] >= 0 else -quat


def multiply_wxyz(a: ArrayLike, b: ArrayLike) -> Floats:
    """Hamilton product (…, 4): the rotation b followed by a."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a, np.float64), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b, np.float64), -1, 0)
    return np.stack(
        (
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ),
        -1,
    )


def rotate_wxyz(quat: ArrayLike, vectors: ArrayLike) -> Floats:
    """Rotate (…, 3) vectors by (…, 4) quaternions."""
    q, v = np.asarray(quat, np.float64), np.asarray(vectors, np.float64)
    t = 2.0 * np.cross(q[..., 1:], v)
    return np.asarray(v + q[..., :1] * t + np.cross(q[..., 1:], t))


def conjugate_wxyz(quat: ArrayLike) -> Floats:
    """The inverse rotation of unit quaternions (…, 4)."""
    return np.asarray(np.asarray(quat, np.float64) * np.array([1.0, -1.0, -1.0, -1.0]))


def axis_angle_to_wxyz(axis: ArrayLike, angle_rad: float) -> Floats:
    """A rotation by ``angle_rad`` about ``axis`` (3,), right-handed."""
    unit = np.asarray(axis, np.float64)
    unit = unit / np.linalg.norm(unit)
    return np.concatenate([[np.cos(angle_rad / 2)], np.sin(angle_rad / 2) * unit])


def random_wxyz(rng: np.random.Generator) -> Floats:
    """A uniformly distributed orientation."""
    quat = rng.standard_normal(4)
    return np.asarray(quat / np.linalg.norm(quat))


def slerp_wxyz(a: ArrayLike, b: ArrayLike, weight: float) -> Floats:
    """The orientation ``weight`` of the shorter way from a to b."""
    qa, qb = np.asarray(a, np.float64), np.asarray(b, np.float64)
    dot = float(qa @ qb)
    if dot < 0:
        qb, dot = -qb, -dot
    angle = np.arccos(min(dot, 1.0))
    if angle < 1e-6:
        mixed = (1 - weight) * qa + weight * qb
    else:
        mixed = (np.sin((1 - weight) * angle) * qa + np.sin(weight * angle) * qb) / np.sin(angle)
    return np.asarray(mixed / np.linalg.norm(mixed))


def turn_rates(turn: ArrayLike, step_s: float) -> Floats:
    """(…, 3) angular velocities that make turns (…, 4) in a step, each the shorter way; in the frame of the turns."""
    q = np.asarray(turn, np.float64)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1)
    angle = 2.0 * np.arctan2(sine, q[..., 0])
    scale = np.where(sine > 1e-12, angle / np.maximum(sine, 1e-300), 2.0)
    return np.asarray(q[..., 1:] * (scale / step_s)[..., None])


def pose_rates(pose: ArrayLike, end: ArrayLike, step_s: float) -> tuple[Floats, Floats]:
    """Velocities and angular velocities (…, 3), world frame, that take poses (…, 7) to their ends in a step."""
    a, b = np.asarray(pose, np.float64), np.asarray(end, np.float64)
    turn = multiply_wxyz(b[..., 3:], conjugate_wxyz(a[..., 3:]))
    return (b[..., :3] - a[..., :3]) / step_s, turn_rates(turn, step_s)


def up_direction(spec: SceneSpec) -> Floats:
    """(3,) unit vector against gravity; world z where there is none."""
    gravity = np.asarray(spec.gravity_m_s2, np.float64)
    strength = float(np.linalg.norm(gravity))
    return -gravity / strength if strength > 0.0 else np.array([0.0, 0.0, 1.0])


def keyframe_pose(body: Body, time_s: float) -> Floats:
    """(7,) pose of a driven body at a time: straight lines and slerp between its keyframes, held at both ends."""
    keys = body.keyframes
    after = next((i for i, key in enumerate(keys) if key.time_s > time_s), len(keys))
    if after in (0, len(keys)):
        key = keys[min(after, len(keys) - 1)]
        return np.array([*key.position_m, *key.orientation_wxyz])
    a, b = keys[after - 1], keys[after]
    w = (time_s - a.time_s) / (b.time_s - a.time_s)
    position = (1 - w) * np.array(a.position_m) + w * np.array(b.position_m)
    return np.concatenate([position, slerp_wxyz(a.orientation_wxyz, b.orientation_wxyz, w)])
