"""``physreel merge``, ``status`` and ``repair``: what runs have left, put together, looked at, mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from physreel.cli.errors import EXIT_CHECK, EXIT_FAILED_SAMPLES, EXIT_FINE, guarded, say
from physreel.cli.options import Progress, app

if TYPE_CHECKING:
    from physreel.runners.repair import Repaired
    from physreel.runners.status import Problem, SceneStatus, Status

Place = Annotated[str, typer.Argument(metavar="OUT", help="A data set: a folder, or an address, s3://bucket/name.")]
_SHOWN = 50


@app.command()
def merge(
    sources: Annotated[
        list[str], typer.Argument(metavar="OUT…", help="The data set that all jobs wrote to; or one of each job.")
    ],
    out: Annotated[
        str | None, typer.Option("--out", help="Where the whole is to be, for data sets of several jobs.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Merge what there is; generate without --shard goes on with it.")
    ] = False,
) -> None:
    """Put together what the jobs of an array wrote (generate --shard k/n): the bytes of a single run."""

    def command() -> int:
        from physreel.cli.generate import failure_table, format_bytes
        from physreel.runners.merge import merge as merge_them

        done = merge_them(sources, out, partial=partial)
        for summary in done:
            print(
                f"{summary.finished} of {summary.requested} clips of {summary.scene!r} in {summary.out} "
                f"({format_bytes(summary.bytes)}, {len(summary.shards)} shards)"
            )
            if summary.failed:
                say(failure_table(summary))
        return EXIT_FAILED_SAMPLES if any(summary.failed for summary in done) else EXIT_FINE

    raise SystemExit(guarded(command, interrupted="The same command goes on with it."))


@app.command()
def status(
    out: Place,
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Read every file and compare it with its sha256 in the manifest.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Tell what is finished, what is still to be made, and what is damaged; exit code 4 if anything is."""

    def command() -> int:
        from physreel.runners.status import status as look

        found = look(out, checksums=checksums)
        if as_json:
            import json

            print(json.dumps(found.as_json(), indent=2))
        else:
            _tell_status(found)
        return EXIT_CHECK if found.problems else EXIT_FINE

    raise SystemExit(guarded(command))


@app.command()
def repair(
    out: Place,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes; by default one a core; 0 works in this one.")
    ] = None,
    allow_versions: Annotated[
        bool,
        typer.Option(
            "--allow-versions", help="Try with other versions; only shards that come out with the same bytes are taken."
        ),
    ] = False,
    remove_strays: Annotated[
        bool, typer.Option("--remove-strays", help="Remove files, too, that no run can have left.")
    ] = False,
    progress: Progress = None,
) -> None:
    """Make anew exactly what is damaged or missing, and nothing else; exit code 4 if something cannot be mended."""

    def command() -> int:
        from physreel.cli.arguments import Reader
        from physreel.cli.progress import Bar
        from physreel.errors import InputError
        from physreel.runners.repair import repair as repair_it

        reader = Reader()
        reader.check_run_options(workers=workers, timeout=None, memory=None)
        if reader.problems:
            raise InputError("; ".join(reader.problems))
        with Bar(progress) as bar:
            done = repair_it(
                out, workers=workers, allow_versions=allow_versions, remove_strays=remove_strays, progress=bar.update
            )
        _tell_repair(done)
        return EXIT_CHECK if done.after.problems else EXIT_FINE

    raise SystemExit(guarded(command, interrupted="What is mended is whole; the same command goes on."))


def _tell_status(found: Status) -> None:
    print(f"{found.address}: {_state(found)}")
    for scene in found.scenes:
        print(f"  {_scene(scene)}")
    _tell_problems(found.problems)
    if found.problems and not any(scene.part for scene in found.scenes):
        print(f"to mend it: physreel repair {found.address}")
    if not found.problems and not found.checksums:
        print("every file has its size; --checksums reads them all")


def _state(found: Status) -> str:
    words = ["complete" if found.complete else "not complete"]
    if any(scene.part for scene in found.scenes):
        words.append("in parts that are not merged")
    if found.writing:
        words.append("a run is writing to it")
    problems = f"{len(found.problems)} problem{'s' if len(found.problems) > 1 else ''}" if found.problems else ""
    return ", ".join([*words, problems or ("every file as written" if found.checksums else "no damage seen")])


def _scene(scene: SceneStatus) -> str:
    from physreel.cli.generate import format_bytes

    job = f", job {scene.part}" if scene.part else ""
    words = [
        f"{scene.scene}{job}: {scene.shards_finished} of {scene.shards} shards",
        f"{scene.rows} rows of {scene.samples} clips",
        format_bytes(scene.bytes),
    ]
    if scene.failures:
        words.append(f"{scene.failures} clips failed")
    if scene.waiting:
        words.append(f"{scene.waiting} clips wait for their shard")
    return ", ".join(words)


def _tell_problems(problems: list[Problem]) -> None:
    for problem in problems[:_SHOWN]:
        print(f"  {problem.what}: {problem.file}: {problem.detail}")
    if len(problems) > _SHOWN:
        print(f"  and {len(problems) - _SHOWN} more")


def _tell_repair(done: Repaired) -> None:
    for words, names in (
        ("made anew", done.made),
        ("made anew and found to be as it was", done.confirmed),
        ("written anew", done.index),
        ("removed", done.removed),
        ("came out with other bytes than it should have, and was left", done.refused),
    ):
        for name in names[:_SHOWN]:
            print(f"  {words}: {name}")
        if len(names) > _SHOWN:
            print(f"  and {len(names) - _SHOWN} more {words}")
    if done.manifest:
        print("  mended: manifest.jsonl")
    did = bool(done.made or done.confirmed or done.removed or done.manifest or done.index)
    if not did and not done.after.problems:
        print(f"{done.after.address}: nothing was damaged")
        return
    print(f"{done.after.address}: {_state(done.after)}")
    _tell_problems(done.after.problems)
    if any(problem.what == "stray" for problem in done.after.problems):
        print("  to remove what is stray: the same command with --remove-strays")
