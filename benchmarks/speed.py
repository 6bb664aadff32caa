"""``make bench``: physreel against a script by hand, in one run on one core; then two workers against one.

    python benchmarks/speed.py [--clips 8] [--memory 500]

Same scenes (falling, twelve objects), same size and frames (256 × 256 × 60). Clips of the two are made in turn, so
that a machine whose speed drifts slows both. ``--memory N`` instead makes N clips in one process and prints its memory
on the way.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.scenes.base import ClipSettings

CLIP = ClipSettings(width=256, height=256, fps=24, duration_s=2.5)
SAME = ("rgb", "depth", "segmentation")
ALL = ("rgb", "depth", "segmentation", "normals", "flow")


def plan(passes: tuple[str, ...], audio: bool, count: int = 1000, objects: str = "12", **more: object) -> Plan:
    """Falling, as every row of the bench has it."""
    parameters = {"object_count": objects}
    return Plan(scene="falling", count=count, clip=CLIP, passes=passes, audio=audio, parameters=parameters, **more)


def against_script(clips: int) -> None:
    """Seconds a clip of each way, in turn on one core, and the share of each stage."""
    import by_hand

    ways = {"same passes": Pipeline(plan(SAME, False)), "all passes and sound": Pipeline(plan(ALL, True))}
    seconds: dict[str, list[float]] = {name: [] for name in ("by hand", *ways)}
    with tempfile.TemporaryDirectory() as folder:
        for index in range(clips + 1):
            spec = next(iter(ways.values())).spec(index)
            start = time.perf_counter()
            by_hand.make_clip(spec, Path(folder))
            spent = {"by hand": time.perf_counter() - start}
            for name, pipeline in ways.items():
                start = time.perf_counter()
                pipeline.encode(index)
                spent[name] = time.perf_counter() - start
            if index == 0:  # the first of each warms caches and compiles
                for pipeline in ways.values():
                    pipeline.stage_seconds.clear()
                continue
            for name, value in spent.items():
                seconds[name].append(value)
    print(f"{clips} clips of 256 x 256 x {round(CLIP.fps * CLIP.duration_s)} frames, 12 objects, one core")
    by_hand_s = statistics.fmean(seconds["by hand"])
    print(
        "| way | s a clip | clips/s | against by hand |\n|---|---|---|---|\n"
        f"| by hand | {by_hand_s:.2f} | {1 / by_hand_s:.2f} | 1 |"
    )
    for name in ways:
        mean = statistics.fmean(seconds[name])
        print(f"| physreel, {name} | {mean:.2f} | {1 / mean:.2f} | {by_hand_s / mean:.2f} |")
    for name, pipeline in ways.items():
        total = sum(pipeline.stage_seconds.values())
        shares = ", ".join(f"{stage} {100 * s / total:.0f} %" for stage, s in pipeline.stage_seconds.items())
        print(f"stages, {name}: {shares}")


def workers(clips: int) -> None:
    """Clips per second of two workers against one, start-up not counted (it is the same for any number of clips)."""
    from physreel.runners.local import run

    rates = {}
    for count in (1, 2):
        times = []
        for n in (4, 4 + clips):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                run(plan(ALL, True, count=n), Path(folder, "out"), workers=count)
                times.append(time.perf_counter() - start)
        rates[count] = clips / (times[1] - times[0])
    print(f"workers: 1 makes {rates[1]:.2f} clips/s, 2 make {rates[2]:.2f}: {rates[2] / rates[1]:.2f} x")


def memory(clips: int) -> None:
    """Resident memory of one worker's pipeline as it makes clips."""
    pipeline = Pipeline(plan(ALL, True, objects="1..12"))
    for index in range(clips):
        pipeline.encode(index)
        if index % max(1, clips // 10) == 0 or index == clips - 1:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"clip {index:4d}: {pages * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f} MiB resident, peak {peak:.0f} MiB",
                flush=True,
            )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--memory", type=int, default=0, metavar="N")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    if options.memory:
        memory(options.memory)
        return
    against_script(options.clips)
    os.sched_setaffinity(0, cores)
    if len(cores) > 1:
        workers(3 * options.clips)


if __name__ == "__main__":
    main()
