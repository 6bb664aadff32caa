"""Trajectories with liquid made by hand, for tests of what reads them."""

from __future__ import annotations

import numpy as np

from physreel.geometry.rotations import keyframe_pose
from physreel.spec import SceneSpec
from physreel.values import ContactTable, LiquidImpacts, LiquidTrack, Signal, Trajectory


def moving(spec: SceneSpec, liquid: LiquidTrack | None, signals: dict[str, Signal] | None = None) -> Trajectory:
    """A trajectory in which bodies stand still or follow their keyframes, and liquid does what it is given."""
    frames, count = spec.frame_count, len(spec.bodies)
    poses = np.zeros((frames + 1, count, 7))
    for i, body in enumerate(spec.bodies):
        for k in range(frames + 1):
            driven = body.motion == "driven"
            poses[k, i] = keyframe_pose(body, k / spec.fps) if driven else (*body.position_m, *body.orientation_wxyz)
    return Trajectory(
        fps=spec.fps, step_s=1.0 / (spec.fps * spec.substeps), body_pose=poses[:-1],
        body_velocity=np.zeros((frames, count, 6)), body_pose_end=poses[-1], body_velocity_end=np.zeros((count, 6)),
        joint_position=np.zeros((frames, 0)), joint_velocity=np.zeros((frames, 0)), contacts=ContactTable.empty(),
        liquid=liquid, signals=signals or {}, simulator="by hand 1",
    )  # fmt: skip


def track(
    positions: np.ndarray,
    spacing_m: float,
    *,
    velocities: np.ndarray | None = None,
    fluid: np.ndarray | None = None,
    present: np.ndarray | None = None,
    impacts: LiquidImpacts | None = None,
) -> LiquidTrack:
    """A track of positions (T + 1, N, 3), the last at the clip's end; at rest and of fluid 0 unless said otherwise."""
    frames, count = positions.shape[0] - 1, positions.shape[1]
    speed = np.zeros_like(positions) if velocities is None else velocities
    there = np.ones((frames + 1, count), bool) if present is None else present
    return LiquidTrack(
        spacing_m=spacing_m,
        fluid=np.zeros(count, np.int32) if fluid is None else fluid,
        position_m=positions[:-1],
        velocity_m_s=speed[:-1],
        present=there[:-1],
        position_end_m=positions[-1],
        velocity_end_m_s=speed[-1],
        present_end=there[-1],
        impacts=LiquidImpacts.empty() if impacts is None else impacts,
    )
