"""Cameras as OpenCV has them (x right, y down, z forward), lights, the sky and microphones."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from physreel.spec.base import Name, NonNegative, Positive, Radiance, SpecModel, UnitVec3, Vec3


class CameraKeyframe(SpecModel):
    """Where the camera stands and what it looks at, at one time."""

    time_s: NonNegative = 0.0
    position_m: Vec3
    look_at_m: Vec3

    @model_validator(mode="after")
    def _has_direction(self) -> CameraKeyframe:
        gaze = np.subtract(self.look_at_m, self.position_m)
        if np.linalg.norm(gaze) < 1e-6 or np.linalg.norm(gaze[:2]) < 1e-6 * np.linalg.norm(gaze):
            raise ValueError("look_at_m must differ from position_m and not be straight above or below it")
        return self


class Camera(SpecModel):
    """A pinhole camera, upright (world z up in the picture), square pixels, optical axis through the centre.

    It moves smoothly (cosine ease) from keyframe to keyframe and is held before the first and after the last.
    """

    name: Name = "main"
    width: Annotated[int, Field(ge=16, le=4096)]
    height: Annotated[int, Field(ge=16, le=4096)]
    fov_y_deg: Annotated[float, Field(gt=1.0, lt=150.0)] = 40.0
    keyframes: Annotated[tuple[CameraKeyframe, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _times_increase(self) -> Camera:
        times = [key.time_s for key in self.keyframes]
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError(f"keyframe times must increase, got {times}")
        return self

    @property
    def moves(self) -> bool:
        """Whether the pose changes over time."""
        return len(self.keyframes) > 1

    def intrinsics(self) -> NDArray[np.float64]:
        """K (3, 3) in pixels. Pixel (column i, row j) has its centre at (i + 0.5, j + 0.5)."""
        focal = 0.5 * self.height / np.tan(np.radians(self.fov_y_deg) / 2)
        return np.array([[focal, 0.0, self.width / 2], [0.0, focal, self.height / 2], [0.0, 0.0, 1.0]])

    def camera_to_world(self, time_s: float) -> NDArray[np.float64]:
        """The (4, 4) transform from camera coordinates (OpenCV axes) to the world at a time."""
        position, target = self._place(time_s)
        forward = (target - position) / np.linalg.norm(target - position)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = (
            right,
            np.cross(forward, right),
            forward,
            position,
        )
        return pose

    def _place(self, time_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        keys = self.keyframes
        after = next((i for i, key in enumerate(keys) if key.time_s > time_s), len(keys))
        if after in (0, len(keys)):
            key = keys[min(after, len(keys) - 1)]
            return np.array(key.position_m), np.array(key.look_at_m)
        a, b = keys[after - 1], keys[after]
        w = 0.5 - 0.5 * np.cos(np.pi * (time_s - a.time_s) / (b.time_s - a.time_s))
        places = np.array((a.position_m, b.position_m)), np.array((a.look_at_m, b.look_at_m))
        position, target = ((1.0 - w) * start + w * end for start, end in places)
        return position, target


class SunLight(SpecModel):
    """Light from far away. ``direction`` is the way the light travels; ``irradiance`` on a surface facing it."""

    kind: Literal["sun"] = "sun"
    direction: UnitVec3
    irradiance: Radiance
    angular_diameter_deg: Annotated[float, Field(ge=0.0, le=60.0)] = 2.0


class SphereLight(SpecModel):
    """A glowing ball, itself unseen. ``intensity`` / distance² is the irradiance on a surface facing it."""

    kind: Literal["sphere"] = "sphere"
    position_m: Vec3
    radius_m: NonNegative = 0.1
    intensity: Radiance


Light = Annotated[SunLight | SphereLight, Field(discriminator="kind")]


class Environment(SpecModel):
    """What rays meet that meet nothing, and the constant ambient light on everything."""

    zenith: Radiance = (0.55, 0.65, 0.80)
    horizon: Radiance = (0.80, 0.80, 0.80)
    ambient: Radiance = (0.30, 0.30, 0.32)


class Microphone(SpecModel):
    """A point microphone; its place in the spec's list is its channel in the audio."""

    name: Name
    position_m: Vec3


class Air(SpecModel):
    """The air sound travels through; ``speed_of_sound_m_s`` sets the delay, the rest the absorption (ISO 9613-1)."""

    speed_of_sound_m_s: Positive = 343.0
    density_kg_m3: Positive = 1.204
    temperature_c: Annotated[float, Field(ge=-40.0, le=50.0)] = 20.0
    relative_humidity_pct: Annotated[float, Field(ge=0.0, le=100.0)] = 50.0
    pressure_pa: Positive = 101325.0
