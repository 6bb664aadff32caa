"""``physreel convert``: a data set once more, in another format."""

from __future__ import annotations

from typing import Annotated

import typer

from physreel.cli.errors import guarded
from physreel.cli.options import Progress, app


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="A", help="A finished data set: a folder, or s3://bucket/name.")],
    out: Annotated[str, typer.Argument(metavar="B", help="Where the new one goes: new, empty, or begun before.")],
    to: Annotated[str, typer.Option("--to", help="webdataset, parquet, lerobot, or an exporter of your own.")],
    shard_size: Annotated[
        int | None, typer.Option("--shard-size", help="Clips in a shard; by default the shards stay as they are.")
    ] = None,
    progress: Progress = None,
) -> None:
    """Store a data set in another format. Stop it when you like: the same command goes on where it was."""

    def command() -> None:
        from physreel.cli.generate import format_bytes
        from physreel.cli.progress import Bar
        from physreel.runners.convert import convert as convert_it

        with Bar(progress) as bar:
            done = convert_it(source, out, to, shard_size=shard_size, progress=bar.update)
        there = f", {done.clips - done.made} were there already" if 0 < done.made < done.clips else ""
        what = f"{done.clips} clips of {', '.join(done.scenes)}"
        if done.made or not done.clips:
            print(f"{what} in {done.out} as {to} ({format_bytes(done.bytes)}){there}")
        else:
            print(f"{what} were there already in {done.out} ({format_bytes(done.bytes)}); nothing to do")

    raise SystemExit(guarded(command, interrupted="What is finished is kept; the same command goes on from there."))
