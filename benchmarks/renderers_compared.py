"""``make compare``: the default renderer beside Mitsuba on the same worlds, with direct light and constant ambient.

    python benchmarks/renderers_compared.py [--falling 20] [--pouring 20] [--samples 16] [--pictures docs/images]

Frames come from different clips of the scenes falling and pouring, four of each clip. For each pass the share of pixels
on which the two agree: the same segmentation; depth to 0.2 % or 1 mm; normals to 2 degrees; flow to 0.1 pixels, frames
being further apart than in a film. For the pictures the mean SSIM (7 × 7 windows, colour). Both have bars to hold.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import imageio.v3 as iio
import numpy as np
from skimage.metrics import structural_similarity

from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.renderers.video.mitsuba import MitsubaRenderer
from physreel.renderers.video.raytrace import RaytraceRenderer
from physreel.scenes.base import ClipSettings
from physreel.spec import SceneSpec
from physreel.values import Trajectory, View

FRAMES_A_CLIP = 4
PASSES = ("segmentation", "depth", "normals", "flow")
AGREE, SSIM = 0.995, {"falling": 0.92, "pouring": 0.85}


@dataclass
class Tally:
    """What was measured of one scene's frames."""

    agree: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in (*PASSES, "all")})
    ssim: list[float] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"raytrace": 0.0, "mitsuba": 0.0})
    pairs: list[tuple[float, np.ndarray]] = field(default_factory=list)


def thinned(spec: SceneSpec, trajectory: Trajectory, frames: int) -> tuple[SceneSpec, Trajectory]:
    """The same clip at fewer frames a second: about that many, spread over all of it."""
    step = next(n for n in range(spec.frame_count // frames, 0, -1) if spec.fps % n == 0 and spec.frame_count % n == 0)
    liquid = trajectory.liquid
    if liquid is not None:
        each = {name: getattr(liquid, name)[::step] for name in ("position_m", "velocity_m_s", "present")}
        liquid = replace(liquid, **each)
    names = ("body_pose", "body_velocity", "joint_position", "joint_velocity")
    some: dict[str, Any] = {name: getattr(trajectory, name)[::step] for name in names}
    fps = spec.fps // step
    return spec.model_copy(update={"fps": fps}), replace(trajectory, fps=fps, liquid=liquid, **some)


def agreement(ours: View, theirs: View) -> dict[str, np.ndarray]:
    """For each pass (T, H, W) where the two agree."""
    sky = ~np.isfinite(ours.depth)
    far = np.where(sky, 0.0, ours.depth)
    with np.errstate(invalid="ignore"):
        near = np.abs(ours.depth - theirs.depth) <= np.maximum(0.002 * far, 1e-3)
    cosine = np.einsum("tyxi,tyxi->tyx", ours.normals, theirs.normals)
    out = {
        "segmentation": ours.segmentation == theirs.segmentation,
        "depth": np.where(sky, ~np.isfinite(theirs.depth), near),
        "normals": (cosine >= np.cos(np.radians(2.0))) | (sky & ~np.isfinite(theirs.depth)),
        "flow": np.linalg.norm(ours.flow - theirs.flow, axis=-1) <= 0.1,
    }
    return {**out, "all": np.logical_and.reduce(list(out.values()))}


def compare(scene: str, frames: int, samples: int) -> Tally:
    """Film frames of a scene with both."""
    clip = ClipSettings(width=256, height=256, fps=24, duration_s=2.5, quality="draft")
    pipeline = Pipeline(Plan(scene=scene, count=1000, clip=clip, passes=("rgb",), audio=False))
    film = {"raytrace": RaytraceRenderer(), "mitsuba": MitsubaRenderer(samples=samples, light="direct")}
    tally, index = Tally(), 0
    while len(tally.ssim) < frames:
        spec = pipeline.spec(index)
        spec, trajectory = thinned(spec, pipeline.simulator_for(spec).simulate(spec), FRAMES_A_CLIP)
        views = {}
        for name, renderer in film.items():
            start = time.perf_counter()
            views[name] = renderer.render(spec, trajectory, spec.cameras[0])
            tally.seconds[name] += time.perf_counter() - start
        ours, theirs = views.values()
        for name, same in agreement(ours, theirs).items():
            tally.agree[name] += same.mean((1, 2)).tolist()
        likeness = [
            float(structural_similarity(a, b, channel_axis=-1, data_range=255))
            for a, b in zip(ours.rgb, theirs.rgb, strict=True)
        ]
        tally.ssim += likeness
        middle = len(likeness) // 2
        tally.pairs.append((likeness[middle], np.hstack([ours.rgb[middle], theirs.rgb[middle]])))
        print(f"{scene} {index}: SSIM {np.round(likeness, 3).tolist()}", file=sys.stderr, flush=True)
        index += 1
    return tally


def sheet(tally: Tally, count: int = 3) -> np.ndarray:
    """Pairs under each other: left the default renderer, right Mitsuba; of the clips most, middling and least alike."""
    ordered = sorted(tally.pairs, key=lambda pair: -pair[0])
    chosen = [ordered[round(k * (len(ordered) - 1) / max(count - 1, 1))][1] for k in range(min(count, len(ordered)))]
    return np.vstack(chosen)


def main() -> int:
    """Compare, print the table, write the pictures; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--falling", type=int, default=20, metavar="FRAMES")
    parser.add_argument("--pouring", type=int, default=20, metavar="FRAMES")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--pictures", type=Path, default=Path(__file__).parent.parent / "docs" / "images")
    options = parser.parse_args()
    print(
        "| scene | frames | " + " | ".join((*PASSES, "all passes")) + " | SSIM mean | least | raytrace | mitsuba |\n"
        "|---|---|" + "---|" * (len(PASSES) + 5)
    )
    missed = []
    for scene, frames in (("falling", options.falling), ("pouring", options.pouring)):
        if not frames:
            continue
        tally = compare(scene, frames, options.samples)
        shares = {name: float(np.mean(values)) for name, values in tally.agree.items()}
        likeness = float(np.mean(tally.ssim))
        seconds = [tally.seconds[name] / len(tally.ssim) for name in ("raytrace", "mitsuba")]
        print(
            f"| {scene} | {len(tally.ssim)} | "
            + " | ".join(f"{100 * share:.2f} %" for share in shares.values())
            + f" | {likeness:.3f} | {min(tally.ssim):.3f} | {seconds[0]:.2f} s | {seconds[1]:.1f} s |",
            flush=True,
        )
        missed += [f"{scene}: {name} agree on {share:.4f}" for name, share in shares.items() if share < AGREE]
        if likeness < SSIM[scene]:
            missed.append(f"{scene}: mean SSIM {likeness:.3f} is below {SSIM[scene]}")
        if options.pictures:
            options.pictures.mkdir(parents=True, exist_ok=True)
            iio.imwrite(options.pictures / f"renderers_{scene}.png", sheet(tally), optimize=True)
    for line in missed:
        print(line, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
