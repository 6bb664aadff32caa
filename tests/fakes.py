"""Plug-ins that are quick, and one that misbehaves on demand, for tests of what runs around them."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

import numpy as np
from pydantic import Field

from physreel.renderers.audio.base import AudioRenderer
from physreel.renderers.video.base import VideoRenderer
from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.parameters import Choice, FloatRange, SceneParameters, choice, float_range
from physreel.spec import Body, Camera, CameraKeyframe, Plane, SceneSpec, Sphere
from physreel.values import Audio, Outcome, View

LEAKED: list[np.ndarray] = []
"""What misbehaving samples leave behind."""


class DropOutcome(Outcome):
    """Where the ball is at the end."""

    height_m: float = Field(description="height at the end")


class Drop(Scene):
    """A ball falls; what else it does, it does on demand.

    The environment variable PHYSREEL_TEST_FAULTS names a folder; a file ``<height in mm>`` or ``all`` in it says what
    the outcome of that sample does: raise, die, killed (as from outside), hang, stuck (in C, without letting go of the
    interpreter), crash (a wrong address), slow <seconds>, allocate <MiB>, leak <MiB>, or raise, die or killed once
    (the file is removed first).
    """

    name = "drop"
    outcome_type = DropOutcome
    default_clip = ClipSettings(width=32, height=24, fps=10, duration_s=0.5)

    class Parameters(SceneParameters):
        """Height and fault."""

        height_m: FloatRange = float_range(0.2, 0.9, allowed=(0.1, 2.0), unit="m", description="height of the ball")
        fault: Choice = choice(
            ("none",), allowed=("none", "overlap", "raise", "nan"), description="what is wrong with the spec"
        )

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """One ball over a plane."""
        drawn = self.parameters.draw(rng)
        if drawn["fault"] == "raise":
            raise RuntimeError("the scene has a bug")
        height = {"overlap": 0.01, "nan": float("nan")}.get(drawn["fault"], drawn["height_m"])
        ball = Body(name="ball", shape=Sphere(radius_m=0.05), material="rubber", position_m=(0.0, 0.0, height))
        keys = (CameraKeyframe(position_m=(0.0, -1.5, 0.5), look_at_m=(0.0, 0.0, 0.3)),)
        return SceneSpec(
            scene=self.name, duration_s=self.clip.duration_s, fps=self.clip.fps,
            bodies=(Body(name="floor", shape=Plane(), material="oak", motion="static"), ball),
            cameras=(Camera(width=self.clip.width, height=self.clip.height, keyframes=keys),), parameters=drawn,
        )  # fmt: skip

    def outcome(self, spec, trajectory) -> DropOutcome:
        """The height; or a fault."""
        if folder := os.environ.get("PHYSREEL_TEST_FAULTS"):
            misbehave(Path(folder), f"{spec.bodies[1].position_m[2] * 1000:.0f}")
        return DropOutcome(height_m=float(trajectory.body_pose_end[1, 2]))


def misbehave(folder: Path, name: str) -> None:
    path = folder / (name if (folder / name).exists() else "all")
    if not path.exists():
        return
    what = path.read_text()
    if what.endswith("once"):
        path.unlink()
    if what.startswith("raise"):
        raise RuntimeError("on demand")
    if what.startswith("die"):
        os._exit(9)
    if what.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if what.startswith("hang"):
        time.sleep(600)
    if what.startswith("slow"):
        time.sleep(float(what.split()[1]))
    if what.startswith("stuck"):
        (folder / f"stuck-{os.getpid()}").touch()
        ctypes.PyDLL(None).sleep(600)
    if what.startswith("crash"):
        ctypes.string_at(0)
    if what.startswith(("allocate", "leak")):
        words = what.split()
        block = np.ones(int(words[1]) << 20, np.uint8)
        if words[0] == "leak":
            LEAKED.append(block)


class FlatRenderer(VideoRenderer):
    """A dot where each body is; all passes from that dot."""

    name = "flat"

    def render(self, spec, trajectory, camera, passes=("rgb",)) -> View:
        """Dots."""
        frames, height, width = trajectory.frame_count, camera.height, camera.width
        rows = np.arange(height)[None, :, None] + np.zeros((frames, 1, width))
        level = height * (1 - trajectory.body_pose[:, -1, 2])[:, None, None]
        near = np.abs(rows - level) < 3
        every = {
            "rgb": np.where(near[..., None], 255, 40).astype(np.uint8) + np.zeros((1, 1, 1, 3), np.uint8),
            "depth": np.where(near, 1.5, 2.0).astype(np.float32),
            "segmentation": np.where(near, 2, 1).astype(np.uint16),
            "normals": np.tile(np.float32([0, -1, 0]), (frames, height, width, 1)),
            "flow": np.zeros((frames, height, width, 2), np.float32),
        }
        poses = np.stack([camera.camera_to_world(k / spec.fps) for k in range(frames)])
        chosen = {name: every[name] for name in passes}
        return View(camera=camera.name, intrinsics=camera.intrinsics(), camera_to_world=poses, **chosen)


class TickRenderer(AudioRenderer):
    """A click at each frame."""

    name = "tick"

    def render(self, spec, trajectory) -> Audio:
        """Clicks."""
        samples = np.zeros((round(spec.duration_s * 48_000), len(spec.microphones)), np.float32)
        samples[:: 48_000 // spec.fps] = 0.5
        return Audio(samples=samples, pascal_per_unit=10.0)


def plan_values(**changes):
    """Keyword arguments of a Plan of quick samples."""
    values = {"scene": "fakes:Drop", "count": 10, "video_renderer": "fakes:FlatRenderer",
              "audio_renderer": "fakes:TickRenderer", "passes": ("rgb", "depth"), "shard_size": 4}  # fmt: skip
    return values | changes
