"""Seconds of each stage of a 3 s pour, 256 × 256 × 90 frames, all passes and sound, on one core.

    python benchmarks/liquids.py [--clips 3] [--quality draft standard]

``make bench`` runs it after the solids. The first clip of each quality warms caches and compiles, and is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.renderers.video.liquid_surface import liquid_surfaces
from physreel.scenes.base import ClipSettings
from physreel.values import PASSES, Sample

BARS_S = {"draft": 25.0, "standard": 100.0}


def surface_seconds(sample: Sample) -> float:
    """What the surfaces of all frames cost by themselves; it is part of the film's time."""
    start = time.perf_counter()
    for frame in range(sample.trajectory.frame_count):
        liquid_surfaces(sample.spec, sample.trajectory, frame)
    return time.perf_counter() - start


def measure(quality: str, clips: int) -> None:
    clip = ClipSettings(width=256, height=256, fps=30, duration_s=3.0, quality=quality)  # type: ignore[arg-type]
    pipeline = Pipeline(Plan(scene="pouring", count=clips + 1, clip=clip, passes=PASSES))
    rows, particles = [], []
    for index in range(clips + 1):
        pipeline.stage_seconds.clear()
        start = time.perf_counter()
        sample, _ = pipeline.encode(index)
        whole = time.perf_counter() - start
        surface = surface_seconds(sample)
        stages = dict(pipeline.stage_seconds)
        stages["film"] -= surface
        if index:
            rows.append({"clip": whole, "surface": surface, **stages})
            assert sample.trajectory.liquid is not None
            particles.append(len(sample.trajectory.liquid))
    mean = {name: statistics.fmean(row[name] for row in rows) for name in rows[0]}
    worst = max(row["clip"] for row in rows)
    names = ("simulate", "surface", "film", "record", "label", "encode")
    parts = " | ".join(f"{mean[name]:.1f}" for name in names)
    bar = f"{BARS_S[quality]:.0f}" if quality in BARS_S else "none"
    count = f"{min(particles)}..{max(particles)}"
    print(f"| {quality} | {count} | {parts} | {mean['clip']:.1f} | {worst:.1f} | {bar} |", flush=True)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--quality", nargs="+", default=["draft", "standard"], choices=["draft", "standard", "fine"])
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("pouring, 256 x 256 x 90 frames, all passes and sound, seconds on one core")
    print("| quality | particles | simulate | surface | film | sound | label | encode | clip | slowest | bar |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for quality in options.quality:
        measure(quality, options.clips)


if __name__ == "__main__":
    main()
