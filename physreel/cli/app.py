"""The commands and their options."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from physreel.cli import commands
from physreel.cli.errors import guarded, say
from physreel.cli.options import (
    AudioRenderer,
    Duration,
    Fps,
    NoAudio,
    Progress,
    Quality,
    SceneOrRecipe,
    Seed,
    Settings,
    Simulator,
    Size,
    VideoRenderer,
    app,
)


@app.callback()
def options(
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error was raised (also PHYSREEL_TRACEBACK=1).")
    ] = False,
) -> None:
    """Make training clips whose physics is known: simulated, filmed, recorded, labelled, stored."""
    if traceback:
        os.environ["PHYSREEL_TRACEBACK"] = "1"


@app.command()
def generate(
    context: typer.Context,
    scene: SceneOrRecipe,
    out: Annotated[
        str,
        typer.Option(
            "--out", help="Folder of the data set: new, empty, or this same data set; or an address, s3://bucket/name."
        ),
    ],
    count: Annotated[
        int | None, typer.Option("-n", "--count", help="How many clips; a recipe says this itself.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What the scene is called in the data set; by default its own name.")
    ] = None,
    seed: Seed = 0,
    size: Size = None,
    fps: Fps = None,
    duration: Duration = None,
    quality: Quality = None,
    passes: Annotated[
        str, typer.Option("--passes", help="Of rgb, depth, segmentation, normals, flow, with commas; or all.")
    ] = "rgb",
    settings: Settings = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes; by default one a core; 0 works in this one.")
    ] = None,
    simulator: Simulator = None,
    video_renderer: VideoRenderer = "raytrace",
    audio_renderer: AudioRenderer = "modal",
    no_audio: NoAudio = False,
    exporter: Annotated[str, typer.Option("--exporter", help="How it is stored.")] = "parquet",
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="NAME=SHARE,…", help="Such as train=0.9,test=0.1; by default all is train."),
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(
            "--held-out",
            metavar="SPLIT:NAME=REGION",
            help="A region of a parameter for one split alone, such as test:drop_height_m=1.0..; once for each split.",
        ),
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option(
            "--balance",
            metavar="FIELD=VALUE:SHARE,…",
            help="Target shares of an outcome, such as all_settled=true:0.5,false:0.5; or FIELD=even.",
        ),
    ] = None,
    balance_tries: Annotated[
        int | None, typer.Option("--balance-tries", help="Worlds drawn for one clip at most; by default 64.")
    ] = None,
    shard_size: Annotated[int, typer.Option("--shard-size", help="Clips in a shard.")] = 64,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="K/N", help="Only the shards of job K (from 1) of an array of N; then physreel merge."
        ),
    ] = None,
    runner: Annotated[
        str, typer.Option("--runner", help="local: processes on this machine; ray: workers of a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            "--address", metavar="HOST:PORT", help="Of the Ray cluster, or auto; by default a Ray of its own here."
        ),
    ] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds that one clip may take.")] = None,
    memory_limit: Annotated[
        str | None, typer.Option("--memory-limit", metavar="SIZE", help="Of each worker, such as 4G.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try clips that failed once more.")] = False,
    progress: Progress = None,
) -> None:
    """Write a data set. Stop it when you like: the same command goes on where it was."""

    def command() -> int:
        from physreel.cli import arguments
        from physreel.cli.generate import generate as run_it
        from physreel.cli.generate import generate_recipe
        from physreel.runners.recipe_file import is_recipe

        reader = arguments.Reader()
        request = arguments.request(
            reader,
            size=size,
            fps=fps,
            duration=duration,
            quality=quality,
            settings=settings,
            simulator=simulator,
            video_renderer=video_renderer,
            audio_renderer=audio_renderer,
            no_audio=no_audio,
        )
        request |= {"count": count, "seed": seed, "passes": passes, "exporter": exporter, "shard_size": shard_size}
        request |= {"name": name, "splits": reader.splits(split), "held_out": reader.held_out(held_out or ())}
        request |= {"balance": reader.balance(balance, balance_tries)}
        memory = reader.bytes(memory_limit)
        reader.check_run_options(workers=workers, timeout=timeout, memory=memory)
        run_options: dict[str, Any] = {"workers": workers, "timeout_s": timeout, "memory_limit_bytes": memory}
        run_options |= {"retry_failed": retry_failed, "part": reader.part(shard)}
        run_options |= reader.runner(runner, address, workers)
        if is_recipe(scene):
            overrides = arguments.overrides(reader, context, request)
            return generate_recipe(scene, out, overrides, reader.problems, run_options, show_bar=progress)
        request |= {"count": reader.count(count), "problems": reader.problems}
        return run_it(scene, out, request, run_options, show_bar=progress)

    raise SystemExit(guarded(command, interrupted="What is finished is kept; the same command goes on from there."))


@app.command("list")
def list_names(
    kind: Annotated[
        str | None,
        typer.Argument(help="scenes, simulators, video-renderers, audio-renderers or exporters; by default all."),
    ] = None,
) -> None:
    """List what can be asked for by name."""

    def command() -> None:
        from physreel.cli.show import list_all

        list_all(kind)

    guarded(command)


@app.command()
def describe(
    name: Annotated[str, typer.Argument(help="A scene, simulator, renderer or exporter, by name or reference.")],
) -> None:
    """Tell a scene's parameters and outcome, or what a plug-in says of itself."""

    def command() -> None:
        from physreel.cli.show import describe as describe_it

        describe_it(name)

    guarded(command)


@app.command()
def preview(
    scene: Annotated[str, typer.Argument(help="A scene as for generate, or a file of a spec: world.json.")],
    seed: Seed = 0,
    index: Annotated[int, typer.Option("--index", help="Which sample of the data set with that seed.")] = 0,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the files: new, empty or of an earlier preview.")
    ] = Path("out/preview"),
    size: Size = None,
    fps: Fps = None,
    duration: Duration = None,
    quality: Quality = None,
    settings: Settings = None,
    simulator: Simulator = None,
    video_renderer: VideoRenderer = "raytrace",
    audio_renderer: AudioRenderer = "modal",
    no_audio: NoAudio = False,
) -> None:
    """Make one clip to look at: mp4, contact sheet, sound, and its labels as JSON."""

    def command() -> None:
        from physreel.cli import arguments
        from physreel.cli.clips import preview as preview_it

        reader = arguments.Reader()
        request = arguments.request(
            reader,
            size=size,
            fps=fps,
            duration=duration,
            quality=quality,
            settings=settings,
            simulator=simulator,
            video_renderer=video_renderer,
            audio_renderer=audio_renderer,
            no_audio=no_audio,
        )
        request["problems"] = reader.problems
        preview_it(scene, out, request, seed=seed, index=index)

    guarded(command)


@app.command()
def unpack(
    dataset: Annotated[str, typer.Argument(help="A data set: a folder, or an address such as s3://bucket/name.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files: new, empty or of an earlier unpack.")],
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many clips.")] = None,
) -> None:
    """Write a data set's clips as files: mp4, FLAC, a contact sheet, and labels.jsonl."""

    def command() -> None:
        from physreel.cli.clips import unpack as unpack_it

        unpack_it(dataset, out, limit)

    guarded(command, interrupted="Some files are missing; the same command writes them all.")


@app.command()
def info(
    dataset: Annotated[str, typer.Argument(help="A data set: a folder, or an address such as s3://bucket/name.")],
) -> None:
    """Tell what a data set holds: scenes, splits, rows, bytes, plan, failures, columns, outcomes."""

    def command() -> None:
        from physreel.cli.show import info as info_it

        info_it(dataset)

    guarded(command)


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="A scene, simulator, renderer or exporter, by name or reference.")],
) -> None:
    """Put a plug-in through the checks that our own go through."""

    def command() -> None:
        from physreel.cli.show import find_kind
        from physreel.testing import run_checks

        kind = find_kind(name)
        passed = run_checks(kind, name)
        for line in passed:
            print(f"  {line}")
        print(f"{name} ({kind.removesuffix('s').replace('_', ' ')}): all {len(passed)} checks hold")

    guarded(command)


@app.command()
def version() -> None:
    """Tell the versions of physreel, Python and the libraries that stored bytes depend on."""

    def command() -> None:
        import platform

        from physreel.pipeline import library_versions, physreel_version

        print(f"physreel {physreel_version()}, Python {platform.python_version()}")
        print(", ".join(f"{name} {number}" for name, number in library_versions().items()))

    guarded(command)


for _command in sorted(module.name for module in pkgutil.iter_modules(commands.__path__)):
    importlib.import_module(f"physreel.cli.commands.{_command}")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with the exit code."""
    if "_PHYSREEL_COMPLETE" in os.environ:  # a shell asks what could be typed next
        from physreel.cli.completion import answer

        answer(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    # It belongs to every command, so it may stand anywhere.
    if "--traceback" in given:
        given = ["--traceback", *(word for word in given if word != "--traceback")]
    before = os.environ.get("PHYSREEL_TRACEBACK")
    try:
        app(args=given, prog_name="physreel")
    except KeyboardInterrupt:
        say("stopped")
        raise SystemExit(130) from None
    finally:  # --traceback holds for one command, also where several run in one process
        if before is None:
            os.environ.pop("PHYSREEL_TRACEBACK", None)
        else:
            os.environ["PHYSREEL_TRACEBACK"] = before
