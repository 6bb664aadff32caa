"""Seconds of each stage of 3 s clips of machines, 256 × 256 × 72 frames, all passes and sound, on one core.

    python benchmarks/machines.py [--clips 6]

``make bench`` runs it last. The first clip of each scene loads kernels and works out the modes of its shapes; it is
told by itself. Then: how many times faster than real time five gears are simulated, and how true their ratio is.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from gear_worlds import gear, train

from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.scenes.base import ClipSettings
from physreel.simulators.mujoco import MujocoSimulator
from physreel.values import PASSES

SCENES = ("gears", "bearing", "engine", "mechanism")
TEETH = (18, 24, 20, 30, 22)
STAGES = ("simulate", "film", "record", "label", "encode")
BAR_S, BAR_REAL_TIME = 12.0, 3.0


def clips(scene: str, count: int) -> None:
    """Print a row for a scene."""
    clip = ClipSettings(width=256, height=256, fps=24, duration_s=3.0)
    pipeline = Pipeline(Plan(scene=scene, count=count + 1, seed=21, clip=clip, passes=PASSES))
    rows, first = [], 0.0
    for index in range(count + 1):
        pipeline.stage_seconds.clear()
        start = time.process_time()
        pipeline.encode(index)
        whole = time.process_time() - start
        if index:
            rows.append({"clip": whole, **pipeline.stage_seconds})
        else:
            first = whole
    mean = {name: statistics.fmean(row[name] for row in rows) for name in rows[0]}
    parts = " | ".join(f"{mean[name]:.2f}" for name in STAGES)
    worst = max(row["clip"] for row in rows)
    print(f"| {scene} | {parts} | {mean['clip']:.1f} | {worst:.1f} | {first:.1f} | {BAR_S:.0f} |", flush=True)


def five_gears() -> None:
    """Print how fast a train of five gears is simulated."""
    expected = TEETH[0] / TEETH[-1]
    spec = train([gear(teeth) for teeth in TEETH], duration_s=4.0, speed_rad_s=24.0)
    engine = MujocoSimulator()
    engine.simulate(spec)
    took = []
    for _ in range(5):
        start = time.process_time()
        run = engine.simulate(spec)
        took.append(time.process_time() - start)
    way = run.joint_position[-1] - run.joint_position[0]
    speed = spec.duration_s / statistics.median(took)
    print(
        f"five gears {':'.join(map(str, TEETH))} at {1.0 / run.step_s:.0f} steps/s: {speed:.1f} times real time "
        f"(bar {BAR_REAL_TIME:.0f}); ratio off by {100.0 * abs(way[-1] / way[0] / expected - 1.0):.3f} % over "
        f"{abs(way[-1]) / 6.283185:.0f} turns of the output (bar 0.1 %)"
    )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=6)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("machines, 256 x 256 x 72 frames, all passes and sound, CPU seconds on one core")
    print("| scene | simulate | film | sound | label | encode | clip | slowest | the first | bar |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for scene in SCENES:
        clips(scene, options.clips)
    five_gears()


if __name__ == "__main__":
    main()
