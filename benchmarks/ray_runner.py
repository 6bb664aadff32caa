"""Clips per second of two Ray workers against two processes of this machine, in turn.

    python benchmarks/ray_runner.py [--clips 40] [--rounds 3] [--scene falling] [--workers 2]

Each round runs both, in an order that changes from round to round, so that a machine whose speed drifts slows both.
Told are clips per second from the first finished clips to the last (starting Ray takes some seconds, whatever comes
after), and from beginning to end. The bar: the median of the ratios at least 0.9.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN = """
import json, sys, time
from physreel.plan import Plan
from physreel.runners.local import run
from physreel.scenes.base import ClipSettings
scene, count, workers, runner, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
clip = ClipSettings(width=128, height=128, fps=24, duration_s=2.0)
times = []
def tell(done, total, failed):
    if done > len(times):
        times.append(time.monotonic())
plan = Plan(scene=scene, count=count, clip=clip, passes=("rgb", "depth"), shard_size=16)
begun = time.monotonic()
summary = run(plan, out, workers=workers, runner=runner, progress=tell)
assert summary.finished == count, summary.failures
spent = time.monotonic() - begun
print(json.dumps([(count - workers) / (times[-1] - times[workers - 1]), count / spent]))
"""


def once(runner: str, options: argparse.Namespace) -> list[float]:
    """(clips/s once it runs, clips/s in all) of a run."""
    with tempfile.TemporaryDirectory(prefix="physreel-bench-") as folder:
        arguments = [options.scene, str(options.clips), str(options.workers), runner, str(Path(folder, "out"))]
        done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return [float(number) for number in json.loads(done.stdout.splitlines()[-1])]


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scene", default="falling")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(f"{options.clips} clips of {options.scene}, {options.workers} workers, load {os.getloadavg()[0]:.1f}")
    print(
        "| round | local, clips/s | ray, clips/s | ratio | in all: local | ray | CPU s: local | ray |\n|" + "---|" * 8
    )
    ratios = []
    for number in range(options.rounds):
        order = ("local", "ray") if number % 2 == 0 else ("ray", "local")
        found = {}
        for runner in order:
            found[runner] = once(runner, options)
            time.sleep(1.0)
        local, ray = found["local"], found["ray"]
        ratios.append(ray[0] / local[0])
        print(
            f"| {number + 1} | {local[0]:.3f} | {ray[0]:.3f} | {ratios[-1]:.2f} | {local[1]:.3f} | {ray[1]:.3f} |",
            flush=True,
        )
    median = statistics.median(ratios)
    print(f"median of the ratios: {median:.2f} (bar: at least 0.9)")
    if median < 0.9:
        raise SystemExit(4)


if __name__ == "__main__":
    main()
