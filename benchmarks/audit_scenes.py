"""Our own scenes before the audit: makes a small data set of each, audits it, prints the table of docs/audit.md.

    python benchmarks/audit_scenes.py out/audit --count 200
    python benchmarks/audit_scenes.py out/audit --count 100 --scenes pouring,sloshing --coarser 1.4 --seconds 2

The same command goes on where it was stopped; what is finished by then is audited with ``--audit-only``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from physreel import registry
from physreel.scenes.base import Scene

LIQUIDS = ("pouring", "dam_break", "sloshing", "sink_or_float", "draining")
SCENES = ("falling", *LIQUIDS, "engine", "bearing", "gears", "mechanism")


def coarser(name: str, factor: float) -> type[Scene]:
    """The scene, its liquid divided by a wider spacing: another picture of the same worlds for less time."""
    base: type[Scene] = registry.load("scenes", name)

    class Coarser(base):  # type: ignore[misc, valid-type]
        __doc__ = base.__doc__

        def sample(self, rng):
            spec = super().sample(rng)
            wide = spec.particle_spacing_m
            return spec.model_copy(update={"particle_spacing_m": wide * factor}) if wide else spec

    return Coarser


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("out", type=Path)
    reader.add_argument("--scenes", default=",".join(SCENES))
    reader.add_argument("--count", type=int, default=200)
    reader.add_argument("--seed", type=int, default=11)
    reader.add_argument("--size", type=int, default=64)
    reader.add_argument("--fps", type=int, default=8)
    reader.add_argument("--seconds", type=float)
    reader.add_argument("--coarser", type=float, default=1.0, help="spacing of liquids over that of draft")
    reader.add_argument("--workers", type=int, default=2)
    reader.add_argument("--audit-only", action="store_true")
    given = reader.parse_args()
    names = given.scenes.split(",")
    if not given.audit_only:
        import physreel

        clip = {} if given.seconds is None else {"duration_s": given.seconds}
        for name in names:
            scene = name if given.coarser == 1.0 or name not in LIQUIDS else coarser(name, given.coarser)
            done = physreel.generate(
                scene, count=given.count, seed=given.seed, out=given.out, workers=given.workers, width=given.size,
                height=given.size, fps=given.fps, quality="draft", splits={"train": 0.8, "test": 0.2}, shard_size=10,
                **clip,
            )  # fmt: skip
            print(name, done.finished, "clips,", done.failed, "failed", file=sys.stderr)
    table(given.out, names)
    return 0


def table(out: Path, names: list[str]) -> None:
    from physreel.audit.run import audit
    from physreel.audit.shortcuts import CUES
    from physreel.cli.commands.audit import declared, plans_of

    headlines = {name: registry.load("scenes", name).headline for name in names}  # coarser ones are not registered
    drawn = declared(plans_of(str(out)))
    shown = [cue for cue in CUES if cue != "question text"]
    print("| scene | n | label | majority |", " | ".join(shown), "| question text |")
    print("|---" * (5 + len(shown)) + "|")
    for name in names:
        found = audit(out, scene=name, headlines=headlines, declared=drawn).scenes[0]
        label = found.headline
        cells = {
            one.cue: f"{one.accuracy:.2f}{' !' if one.flagged else ''}" for one in found.shortcuts if one.label == label
        }
        texts = [one for one in found.shortcuts if one.cue == "question text"]
        worst = max(texts, key=lambda one: one.excess, default=None)
        said = f"{worst.excess:+.2f}{' !' if worst.flagged else ''} ({worst.label})" if worst else "–"
        majority = next((one.majority for one in found.balances if one.label == label), None)
        share = f"{majority:.2f}" if majority is not None else "–"
        print(
            f"| {name} | {found.rows} | {label} | {share} |",
            " | ".join(cells.get(cue, "–") for cue in shown),
            f"| {said} |",
        )


if __name__ == "__main__":
    raise SystemExit(main())
