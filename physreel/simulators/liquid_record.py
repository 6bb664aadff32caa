"""The recorder of engines of liquids: frames, signals and impacts from states at a fixed rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.mass import mass_center_m
from physreel.geometry.rotations import keyframe_pose, pose_rates, rotate_wxyz
from physreel.geometry.vessels import hollow_bodies
from physreel.simulators.liquid_impacts import ImpactFinder
from physreel.simulators.liquid_signals import HollowWatch
from physreel.spec import Body, SceneSpec
from physreel.values import ContactTable, LiquidTrack, Signal, Trajectory

Floats = NDArray[np.float64]

RATE_HZ = 240
"""Samples a second, about: the nearest whole multiple of the frame rate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidRecord:
    """What a recorder made of its samples.

    Attributes:
        track: the liquid's particles at the frames, and what they met.
        signals: by name, see HollowWatch.
        body_pose: (T + 1, B, 7) at the frames and the end.
    """

    track: LiquidTrack
    signals: dict[str, Signal]
    body_pose: Floats

    def trajectory(
        self,
        spec: SceneSpec,
        *,
        step_s: float,
        simulator: str,
        body_velocity: Floats | None = None,
        contacts: ContactTable | None = None,
        notes: tuple[str, ...] = (),
    ) -> Trajectory:
        """The record as a trajectory.

        Args:
            spec: the world.
            step_s: the engine's step, the mean where they vary; a whole number of them makes a frame.
            simulator: name and version.
            body_velocity: (T + 1, B, 6) at the frames and the end; None: nothing but driven bodies moves.
            contacts: between bodies; None: there were none.
            notes: see Trajectory.
        """
        velocity = driven_velocities(spec) if body_velocity is None else body_velocity
        joints = np.zeros((spec.frame_count, len(spec.joints)))
        return Trajectory(
            fps=spec.fps,
            step_s=step_s,
            body_pose=self.body_pose[:-1],
            body_velocity=velocity[:-1],
            body_pose_end=self.body_pose[-1],
            body_velocity_end=velocity[-1],
            joint_position=joints,
            joint_velocity=joints,
            contacts=ContactTable.empty() if contacts is None else contacts,
            liquid=self.track,
            signals=self.signals,
            simulator=simulator,
            notes=notes,
        )


class LiquidRecorder:
    """Takes the state of all particles and bodies at k / rate_hz for k = 0 … sample_count - 1, in order.

    Args:
        spec: the world.
        spacing_m: the cube root of the volume that a particle stands for.
        fluid: (N,) index into the spec's fluids.

    Attributes:
        rate_hz: samples a second, a whole multiple of the frame rate.
        sample_count: how many samples there are to be; the last is at T / fps.
    """

    def __init__(self, spec: SceneSpec, *, spacing_m: float, fluid: ArrayLike) -> None:
        self.spec, self.spacing_m = spec, spacing_m
        self.fluid = np.asarray(fluid, np.int32)
        self.per_frame = samples_per_frame(spec)
        self.rate_hz = spec.fps * self.per_frame
        self.sample_count = spec.frame_count * self.per_frame + 1
        self.taken = 0
        frames, count = spec.frame_count + 1, len(self.fluid)
        self._position = np.zeros((frames, count, 3), np.float32)
        self._velocity = np.zeros((frames, count, 3), np.float32)
        self._present = np.zeros((frames, count), np.bool_)
        self._pose = np.zeros((frames, len(spec.bodies), 7))
        self._impacts = ImpactFinder(spec, spacing_m, self.fluid, self.rate_hz)
        up = self._impacts.up
        self._hollow_index = hollow_bodies(spec)
        self._hollows = [HollowWatch(spec.bodies[i], up, spacing_m) for i in self._hollow_index]

    def time_s(self, k: int) -> float:
        """When sample k is to be taken."""
        return k / self.rate_hz

    def sample(
        self, time_s: float, position_m: ArrayLike, velocity_m_s: ArrayLike, present: ArrayLike, body_pose: ArrayLike
    ) -> None:
        """Take in the next sample.

        Args:
            time_s: k / rate_hz for the k-th call.
            position_m: (N, 3); what is not present may be anywhere.
            velocity_m_s: (N, 3).
            present: (N,) bool.
            body_pose: (B, 7).

        Raises:
            ValueError: the time is not that of the next sample.
        """
        k = self.taken
        if k >= self.sample_count or abs(time_s - self.time_s(k)) > 0.01 / self.rate_hz:
            raise ValueError(f"sample {k} of {self.sample_count} is due at {self.time_s(k):.6f} s, got {time_s:.6f} s")
        # Copies: an engine may go on writing into its own arrays.
        x, v = np.array(position_m, np.float64), np.array(velocity_m_s, np.float64)
        there, pose = np.array(present, np.bool_), np.array(body_pose, np.float64)
        airborne = self._impacts.step(self.time_s(k), x, v, there, pose)
        for watch, i in zip(self._hollows, self._hollow_index, strict=True):
            watch.step(x, there, airborne, pose[i])
        if k % self.per_frame == 0:
            frame = k // self.per_frame
            self._position[frame], self._velocity[frame] = x, v
            self._present[frame], self._pose[frame] = there, pose
        self.taken += 1

    def finish(self) -> LiquidRecord:
        """Everything, once all samples are taken.

        Raises:
            ValueError: samples are missing.
        """
        if self.taken != self.sample_count:
            raise ValueError(f"{self.taken} of {self.sample_count} samples were taken")
        track = LiquidTrack(
            spacing_m=self.spacing_m,
            fluid=self.fluid,
            position_m=self._position[:-1],
            velocity_m_s=self._velocity[:-1],
            present=self._present[:-1],
            position_end_m=self._position[-1],
            velocity_end_m_s=self._velocity[-1],
            present_end=self._present[-1],
            impacts=self._impacts.finish(),
        )
        signals: dict[str, Signal] = {}
        for watch in self._hollows:
            signals |= watch.signals(float(self.rate_hz))
        return LiquidRecord(track=track, signals=signals, body_pose=self._pose)


def samples_per_frame(spec: SceneSpec) -> int:
    """Samples that a recorder takes a frame."""
    return max(1, round(RATE_HZ / spec.fps))


def mean_step_s(spec: SceneSpec, steps: int) -> float:
    """The mean length of an engine's steps, by which a frame is a whole number of them."""
    return 1.0 / (spec.fps * max(1, round(steps / spec.frame_count)))


def driven_poses(spec: SceneSpec, time_s: float) -> Floats:
    """(B, 7) poses at a time: driven bodies on their keyframes, all others where they start."""
    return np.stack([_pose(body, time_s) for body in spec.bodies])


def driven_velocities(spec: SceneSpec) -> Floats:
    """(T + 1, B, 6) velocities at the frames and the end of bodies that follow keyframes; 0 for all others.

    Of the centre of mass and of rotation, over the millisecond before the frame (after it at time 0).
    """
    h = 1e-3
    out = np.zeros((spec.frame_count + 1, len(spec.bodies), 6))
    for i, body in enumerate(spec.bodies):
        if body.motion != "driven":
            continue
        ends = np.maximum(np.arange(spec.frame_count + 1) / spec.fps, h)
        pose = np.array([[keyframe_pose(body, float(time)) for time in times] for times in (ends - h, ends)])
        pose[..., :3] += rotate_wxyz(pose[..., 3:], mass_center_m(body))
        out[:, i] = np.concatenate(pose_rates(pose[0], pose[1], h), axis=1)
    return out


def _pose(body: Body, time_s: float) -> Floats:
    if body.motion == "driven":
        return keyframe_pose(body, time_s)
    return np.array([*body.position_m, *body.orientation_wxyz], np.float64)
