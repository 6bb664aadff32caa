"""What clips cost: CPU seconds and bytes of each scene, by size and passes, and what a million hours would take.

    python benchmarks/cost.py [--clips 2] [--liquid-clips 1] [--standard pouring dam_break] [--only falling gears]
    python benchmarks/cost.py --core-hour 0.02 --terabyte-month 20

One core, pinned; CPU seconds of the process, not time by the clock, so that a busy machine matters little. A clip is
made once, whole, and then filmed and encoded again for each size and choice of passes; simulation, sound and labels are
counted from the whole. The first clip of a scene loads kernels and is not counted. Liquids are made as drafts, and
those named by ``--standard`` at quality standard too. The tables go to stdout as Markdown, and with
``--write docs/cluster.md`` into that page, between its marks.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from physreel import registry
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.scenes.base import ClipSettings
from physreel.values import PASSES

LIQUIDS = ("pouring", "dam_break", "sloshing", "sink_or_float", "draining")
SIZES = (128, 256)
BEGIN, END = "<!-- cost: begin -->", "<!-- cost: end -->"
CHOICES = {"rgb": ("rgb",), "all": PASSES}


@dataclass
class Cost:
    """CPU seconds and bytes of a clip, and its length."""

    seconds: float
    bytes: int
    duration_s: float


def cpu(work, *arguments):
    """What work gives, and its CPU seconds."""
    start = time.process_time()
    found = work(*arguments)
    return found, time.process_time() - start


def pipeline_of(scene: str, quality: str, size: int, passes: tuple[str, ...], count: int) -> Pipeline:
    """A scene at a size, otherwise as it is by default."""
    default = registry.load("scenes", scene).default_clip.model_dump()
    clip = ClipSettings(**(default | {"width": size, "height": size, "quality": quality}))
    return Pipeline(Plan(scene=scene, count=count, seed=5, clip=clip, passes=passes))


def costs_of(scene: str, quality: str, clips: int, warm: int) -> dict[tuple[int, str], list[Cost]]:
    """The costs of a scene's clips, by size and passes; the first ``warm`` clips are not counted."""
    ways = {
        (size, name): pipeline_of(scene, quality, size, passes, clips + warm)
        for size in SIZES
        for name, passes in CHOICES.items()
    }
    found: dict[tuple[int, str], list[Cost]] = {way: [] for way in ways}
    last = list(ways)[-1]
    renderer = registry.load("video_renderers", ways[last].plan.video_renderer)()
    for index in range(clips + warm):
        (sample, _), whole = cpu(ways[last].encode, index)
        parts = {}
        for way, pipeline in ways.items():
            # The world is the same at any size but for its cameras' pixels.
            spec = pipeline.spec(index)
            passes = pipeline.plan.passes
            views, filmed = cpu(
                lambda spec=spec, passes=passes, sample=sample: tuple(
                    renderer.render(spec, sample.trajectory, camera, passes) for camera in spec.cameras
                )
            )
            other = replace(sample, spec=spec, clip=replace(sample.clip, views=views))
            encoded, stored = cpu(pipeline.exporter.encode, other)
            parts[way] = filmed + stored, len(encoded)
        rest = whole - parts[last][0]
        if index >= warm:
            for way, (seconds, size) in parts.items():
                found[way].append(Cost(rest + seconds, size, sample.spec.duration_s))
    return found


def mean_of(costs: list[Cost]) -> Cost:
    """The mean clip."""
    seconds = statistics.fmean(cost.seconds for cost in costs)
    return Cost(seconds, round(statistics.fmean(cost.bytes for cost in costs)), costs[0].duration_s)


def clip_row(scene: str, quality: str, means: dict[tuple[int, str], Cost]) -> str:
    """A scene's line: seconds, clips per core-hour and bytes of a clip, each way."""
    duration = next(iter(means.values())).duration_s
    cells = [f"{mean.seconds:.2f} s, {3600 / mean.seconds:.0f}/h, {mean.bytes / 1e3:.0f} kB" for mean in means.values()]
    return f"| {scene} | {quality} | {duration:g} | " + " | ".join(cells) + " |"


def million_row(scene: str, quality: str, way: tuple[int, str], cost: Cost, prices: tuple[float, float]) -> str:
    """What a million hours of a scene's video take: cores, bytes, money."""
    each = cost.seconds / cost.duration_s
    core_hours, terabytes = 1e6 * each, 1e6 * cost.bytes / cost.duration_s * 3600 / 1e12
    name = scene if quality == "–" else f"{scene}, {quality}"
    return (
        f"| {name} | {way[0]}² {way[1]} | {each:.2f} | {core_hours / 8760:,.0f} | {terabytes:,.0f} | "
        f"{core_hours * prices[0]:,.0f} | {terabytes * prices[1]:,.0f} |"
    )


def put_into(page: Path, lines: list[str]) -> None:
    """Replace what stands between the two marks of a page."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + after)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--liquid-clips", type=int, default=1)
    parser.add_argument("--standard", nargs="*", default=list(LIQUIDS), choices=LIQUIDS)
    parser.add_argument("--only", nargs="+", default=None)
    parser.add_argument("--core-hour", type=float, default=0.03)
    parser.add_argument("--terabyte-month", type=float, default=20.0)
    parser.add_argument("--write", type=Path, default=None, metavar="PAGE")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    scenes = [entry.name for entry in registry.entries("scenes") if entry.built_in]
    scenes = [scene for scene in scenes if options.only is None or scene in options.only]
    asked = [(scene, "draft") if scene in LIQUIDS else (scene, "–") for scene in scenes]
    asked += [(scene, "standard") for scene in scenes if scene in options.standard]
    words = {"rgb": "rgb and sound", "all": "all passes and sound"}
    ways = [f"{size}², {words[name]}" for size in SIZES for name in CHOICES]
    lines = ["| scene | quality | length, s | " + " | ".join(ways) + " |", "|" + "---|" * (3 + len(ways))]
    print(*lines, sep="\n", flush=True)
    totals = []
    prices = options.core_hour, options.terabyte_month
    for scene, quality in asked:
        clips = options.liquid_clips if scene in LIQUIDS else options.clips
        # Kernels are warm by the time liquids come at standard, and those clips are dear.
        costs = costs_of(scene, "draft" if quality == "–" else quality, clips, 0 if quality == "standard" else 1)
        means = {way: mean_of(found) for way, found in costs.items()}
        lines.append(clip_row(scene, quality, means))
        print(lines[-1], flush=True)
        totals += [million_row(scene, quality, way, means[way], prices) for way in ((128, "rgb"), (256, "all"))]
    head = "| a million hours of | way | core s a second | cores for a year | TB | once | a month |"
    more = ["", head, "|" + "---|" * 7, *totals]
    print(*more, sep="\n")
    if options.write is not None:
        now = datetime.date.today().isoformat()
        put_into(options.write, [f"Measured on {now}, {os.cpu_count()} cores, one of them used.", "", *lines, *more])


if __name__ == "__main__":
    main()
