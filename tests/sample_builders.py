"""A small sample made by hand, for tests of what stores and reads samples."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from physreel.testing import small_world
from physreel.values import (
    Audio,
    Clip,
    ContactTable,
    Event,
    Outcome,
    Provenance,
    Question,
    Sample,
    SoundEvent,
    Trajectory,
    View,
)

PASSES = ("rgb", "depth", "segmentation", "normals", "flow")


class Landing(Outcome):
    name: str
    time_s: float | None


class TestOutcome(Outcome):
    __test__ = False
    count: int = Field(description="how many")
    ratio: float | None
    upright: bool
    last: str | None
    times_s: list[float]
    landings: list[Landing]
    best: Landing


def make_sample(index: int = 0, *, cameras: int = 1, sound: bool = True, passes: tuple[str, ...] = PASSES) -> Sample:
    """A sample with smooth pictures, noise on top, and every kind of label; different for each index."""
    spec = small_world(cameras=cameras)
    rng = np.random.default_rng(index)
    frames, bodies = spec.frame_count, len(spec.bodies)
    height, width = spec.cameras[0].height, spec.cameras[0].width
    pose = np.zeros((frames, bodies, 7))
    pose[..., 3] = 1.0
    pose[..., :3] = rng.normal(size=(1, bodies, 3)) + np.linspace(0, 1, frames)[:, None, None]
    trajectory = Trajectory(
        fps=spec.fps, step_s=1 / 1200, body_pose=pose, body_velocity=np.zeros((frames, bodies, 6)),
        body_pose_end=pose[-1], body_velocity_end=np.zeros((bodies, 6)), joint_position=np.zeros((frames, 0)),
        joint_velocity=np.zeros((frames, 0)), contacts=ContactTable.empty(), simulator="by hand 1",
    )  # fmt: skip
    views = tuple(_view(camera, frames, height, width, rng, passes) for camera in spec.cameras)
    time = np.arange(round(spec.duration_s * 48_000)) / 48_000
    tone = (0.4 * np.sin(2 * np.pi * (440 + index) * time)[:, None] * [1.0, 0.6]).astype(np.float32)
    heard = SoundEvent(
        time_s=0.2, heard_s=0.204, kind="impact", bodies=("floor", "ball"), dominant_hz=440.0, peak_pa=0.2
    )
    audio = Audio(samples=tone, pascal_per_unit=20.0, events=(heard,)) if sound else None
    name = f"by_hand-0-{index:08d}"
    return Sample(
        sample_id=name, group_id=name, variant="original", split="train", domains=("newtonian",), spec=spec,
        trajectory=trajectory, clip=Clip(fps=spec.fps, views=views, audio=audio),
        events=(
            Event(time_s=0.2, kind="bounce", bodies=("ball", "floor"), position_m=(0.1, 0.2, 0.3), speed_m_s=1.5,
                  impulse_n_s=0.4),
        ),
        outcome=TestOutcome(
            count=index, ratio=None if index % 2 else 0.5, upright=bool(index % 2), last="ball", times_s=[0.1] * index,
            landings=[Landing(name="ball", time_s=None)], best=Landing(name="block", time_s=0.25),
        ),
        caption=f"A ball and a block fall, number {index}.",
        questions=(
            Question(kind="count", question="How many fall?", answer="2", answer_type="count"),
            Question(kind="first", question="Which is first?", answer="ball", answer_type="choice",
                     choices=("ball", "block")),
        ),
        provenance=Provenance(
            seed=0, index=index, scene="by_hand", scene_version=1, simulator="by hand 1", video_renderer="none",
            audio_renderer="none", physreel_version="0", library_versions={"numpy": "2"},
        ),
    )  # fmt: skip


def _view(camera, frames, height, width, rng, passes):
    row, column = np.mgrid[0:height, 0:width]
    step = np.arange(frames)[:, None, None]
    ball = (column - 10 - step) ** 2 + (row - 20) ** 2 < 64
    depth = np.where(ball, 1.25, 2.0 + row / height + 0.001 * step).astype(np.float32)
    depth[:, :4] = np.inf
    normals = rng.normal(size=(frames, height, width, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    shade = np.where(ball, 220, 60 + row + column % 7)
    every = {
        "rgb": np.stack([shade, shade // 2 + 40, 200 - shade // 2], -1).astype(np.uint8),
        "depth": depth,
        "segmentation": np.where(np.isinf(depth), 0, np.where(ball, 2, 1)).astype(np.uint16),
        "normals": normals.astype(np.float32),
        "flow": (rng.normal(size=(frames, height, width, 2)) * 3).astype(np.float32),
    }
    poses = np.stack([camera.camera_to_world(k / 20) for k in range(frames)])
    return View(
        camera=camera.name,
        intrinsics=camera.intrinsics(),
        camera_to_world=poses,
        **{name: every[name] for name in passes},
    )
