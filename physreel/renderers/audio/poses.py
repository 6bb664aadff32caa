"""Where bodies are between frames: in flight they obey gravity, so a pose just before a blow is known exactly.

Bodies in liquid are borne by it: theirs are joined by straight lines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.liquids import liquid_frames
from physreel.analysis.thresholds import WET_SPACINGS
from physreel.analysis.wetting import liquid_gap_m
from physreel.geometry.mass import mass_center_m
from physreel.geometry.rotations import multiply_wxyz, rotate_wxyz
from physreel.spec import SceneSpec
from physreel.values import Trajectory

Floats = NDArray[np.float64]


class Poses:
    """Poses of all bodies at any time, from frames, velocities and the times of contacts."""

    def __init__(self, spec: SceneSpec, trajectory: Trajectory) -> None:
        self._fps = trajectory.fps
        self._pose = np.concatenate([trajectory.body_pose, trajectory.body_pose_end[None]])
        self._velocity = np.concatenate([trajectory.body_velocity, trajectory.body_velocity_end[None]])
        self._gravity = np.array(spec.gravity_m_s2)
        self._center = [mass_center_m(body) for body in spec.bodies]
        self._dynamic = [body.motion == "dynamic" for body in spec.bodies]
        contacts = trajectory.contacts
        self._touch = [
            contacts.time_s[(contacts.body_a == i) | (contacts.body_b == i)] if dynamic else np.zeros(0)
            for i, dynamic in enumerate(self._dynamic)
        ]
        self._afloat = self._touches_liquid(spec, trajectory)

    def _touches_liquid(self, spec: SceneSpec, trajectory: Trajectory) -> NDArray[np.bool_]:
        """(T, B) whether liquid touches dynamic bodies when a frame begins."""
        out = np.zeros((len(self._pose) - 1, len(spec.bodies)), np.bool_)
        if trajectory.liquid is None:
            return out
        position, present = liquid_frames(trajectory)
        near = WET_SPACINGS * trajectory.liquid.spacing_m
        dynamic = np.flatnonzero(self._dynamic).tolist()
        for k in range(len(out)) if dynamic else ():
            there = position[k][present[k]]
            for i in dynamic:
                out[k, i] = liquid_gap_m(spec, i, self._pose[k, i], there, near) < near
        return out

    def at(self, body: int, times_s: Floats) -> tuple[Floats, Floats]:
        """Positions (N, 3) and orientations (N, 4) of a body at times (N,).

        A body that was free since the last frame is carried on from there, one that is free until the next frame is
        carried back from that; between two touches, and where liquid touches it, the frames are joined by straight
        lines. What falls into liquid is carried on to the end of the frame in which it does.
        """
        frame = np.clip((times_s * self._fps).astype(np.int64), 0, len(self._pose) - 2)
        since = times_s - frame / self._fps
        share = np.clip(since * self._fps, 0.0, 1.0)[:, None]
        a, b = self._pose[frame, body], self._pose[frame + 1, body]
        turn = np.where(np.einsum("ni,ni->n", a[:, 3:], b[:, 3:])[:, None] < 0.0, -b[:, 3:], b[:, 3:])
        quat = (1.0 - share) * a[:, 3:] + share * turn
        position, quat = (1.0 - share) * a[:, :3] + share * b[:, :3], quat / np.linalg.norm(quat, axis=1)[:, None]
        if self._dynamic[body]:
            touch = self._touch[body]
            before = np.searchsorted(touch, times_s - 1e-9) - np.searchsorted(touch, frame / self._fps)
            after = np.searchsorted(touch, (frame + 1) / self._fps) - np.searchsorted(touch, times_s + 1e-9)
            on, back = before <= 0, (before > 0) & (after <= 0)
            for free, base, dt in ((on, frame, since), (back, frame + 1, since - 1.0 / self._fps)):
                free = free & ~self._afloat[frame, body]
                position[free], quat[free] = self._carried(body, base[free], dt[free])
        return position, quat

    def _carried(self, body: int, frame: NDArray[np.int64], dt: Floats) -> tuple[Floats, Floats]:
        pose, velocity, center = self._pose[frame, body], self._velocity[frame, body], self._center[body]
        dt = dt[:, None]
        middle = pose[:, :3] + rotate_wxyz(pose[:, 3:], center) + velocity[:, :3] * dt + 0.5 * self._gravity * dt * dt
        half = 0.5 * dt * velocity[:, 3:]
        angle = np.linalg.norm(half, axis=1)[:, None]
        quat = multiply_wxyz(np.concatenate([np.cos(angle), np.sinc(angle / np.pi) * half], 1), pose[:, 3:])
        return middle - rotate_wxyz(quat, center), quat

    def velocities(self, body: int, times_s: Floats) -> Floats:
        """(N, 3) velocity of the centre of mass at times (N,), straight lines between frames."""
        grid = np.arange(len(self._velocity)) / self._fps
        return np.stack([np.interp(times_s, grid, self._velocity[:, body, k]) for k in range(3)], 1)

    def center(self, body: int) -> Floats:
        """(3,) centre of mass in the body's frame."""
        return self._center[body]
