"""``physreel generate``: the bar while it runs and the words at its end."""

from __future__ import annotations

from typing import Any

from physreel.cli.arguments import SAID
from physreel.cli.errors import EXIT_FAILED_SAMPLES, EXIT_FINE, say
from physreel.cli.progress import Bar
from physreel.errors import InputError
from physreel.manifest import MANIFEST
from physreel.runners import recipes
from physreel.runners.base import RunSummary
from physreel.runners.local import run
from physreel.runners.place import check_place
from physreel.runners.requests import make_plan

_SHOWN = 10


def generate(
    scene: str, out: str, request: dict[str, Any], run_options: dict[str, Any], *, show_bar: bool | None
) -> int:
    """Run a request and tell how it ended; returns the exit code."""
    try:
        check_place(out)
    except InputError as error:
        request["problems"].append(str(error))
    plan = make_plan(scene, **request)
    with Bar(show_bar) as bar:
        summary = run(plan, out, progress=bar.update, **run_options)
    _tell(summary)
    return EXIT_FAILED_SAMPLES if summary.failed else EXIT_FINE


def generate_recipe(
    recipe: str,
    out: str,
    overrides: dict[str, Any],
    problems: list[str],
    run_options: dict[str, Any],
    *,
    show_bar: bool | None,
) -> int:
    """Run all scenes of a recipe and tell how each ended; returns the exit code."""
    try:
        check_place(out)
    except InputError as error:
        problems.append(str(error))
    planned = recipes.plan_recipe(recipe, overrides=overrides, said=SAID, problems=problems)
    recipes.check_recipe(planned, out, retry_failed=run_options["retry_failed"], part=run_options.get("part"))
    with Bar(show_bar) as bar:
        summaries = recipes.run_planned(planned, out, progress=bar.update, **run_options)
    for summary in summaries:
        _tell(summary)
    return EXIT_FAILED_SAMPLES if any(summary.failed for summary in summaries) else EXIT_FINE


def _tell(summary: RunSummary) -> None:
    size = format_bytes(summary.bytes)
    clips = f"{summary.finished} of {summary.requested} clips of {summary.scene!r}"
    clips += f", job {summary.part}," if summary.part else ""
    if summary.part and not summary.requested:
        print(f"job {summary.part} has no shard of {summary.scene!r} to make in {summary.out}; nothing to do")
    elif summary.made or summary.failed:
        there = f", {summary.skipped} were there already" if summary.skipped else ""
        print(f"{clips} in {summary.out} ({size}, {len(summary.shards)} shards){there}")
    else:
        print(f"{clips} were there already in {summary.out} ({size}); nothing to do")
    if summary.shards:
        print(f"shards: {str(summary.paths[0]).rpartition('/')[0]}/")
    if summary.failed:
        say(failure_table(summary))


def failure_table(summary: RunSummary) -> str:
    """Which samples are missing and why, and what to do about it."""
    lines = [f"{summary.failed} of {summary.requested} samples failed and are missing:"]
    lines.append(f"  {'index':>10}  {'error':<18} message")
    for failure in summary.failures[:_SHOWN]:
        first = failure.message.strip().splitlines()[0] if failure.message.strip() else ""
        lines.append(f"  {failure.index:>10}  {failure.error:<18} {first[:160]}")
    if summary.failed > _SHOWN:
        lines.append(f"  and {summary.failed - _SHOWN} more")
    manifest = summary.part.manifest if summary.part else MANIFEST
    lines.append(
        f"Their worlds and tracebacks are in {summary.out}/{manifest}; "
        "the same command with --retry-failed makes them again."
    )
    return "\n".join(lines)


def format_bytes(count: float) -> str:
    """1234567 → 1.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
