"""``physreel generate``: the bar while it runs and the words at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from physreel.cli.errors import EXIT_FAILED_SAMPLES, EXIT_FINE, say
from physreel.errors import InputError
from physreel.runners.base import RunSummary
from physreel.runners.place import check_place
from physreel.runners.local import run
from physreel.runners.requests import make_plan

_SHOWN = 10


def generate(
    scene: str, out: Path, request: dict[str, Any], run_options: dict[str, Any], *, show_bar: bool | None
) -> int:
    """Run a request and tell how it ended; returns the exit code."""
    try:
        check_place(out)
    except InputError as error:
        request["problems"].append(str(error))
    plan = make_plan(scene, **request)
    with _Bar(sys.stderr.isatty() if show_bar is None else show_bar, plan.count) as bar:
        summary = run(plan, out, progress=bar.update, **run_options)
    _tell(summary)
    return EXIT_FAILED_SAMPLES if summary.failed else EXIT_FINE


class _Bar:
    """A bar with clips/s and time left, made when the first news comes so that errors before it stand alone."""

    def __init__(self, wanted: bool, total: int) -> None:
        self.wanted, self.total = wanted, total
        self.bar: Any = None
        self.update: Callable[[int, int, int], None] | None = self._update if wanted else None

    def _update(self, done: int, total: int, failed: int) -> None:
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(
                total=total,
                initial=done,
                unit="clip",
                file=sys.stderr,
                dynamic_ncols=True,
                smoothing=0.1,
                mininterval=0.5,
            )
        if failed:
            self.bar.set_postfix_str(f"{failed} failed", refresh=False)
        self.bar.update(done - self.bar.n)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


def _tell(summary: RunSummary) -> None:
    size = format_bytes(summary.bytes)
    clips = f"{summary.finished} of {summary.requested} clips of {summary.scene!r}"
    if summary.made or summary.failed:
        there = f", {summary.skipped} were there already" if summary.skipped else ""
        print(f"{clips} in {summary.out} ({size}, {len(summary.shards)} shards){there}")
    else:
        print(f"{clips} were there already in {summary.out} ({size}); nothing to do")
    if summary.shards:
        folder = Path(summary.out, summary.shards[0]).parent
        print(f"shards: {folder}/")
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
    lines.append(
        f"Their worlds and tracebacks are in {Path(summary.out) / 'manifest.jsonl'}; "
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
