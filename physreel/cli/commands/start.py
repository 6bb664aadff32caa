"""``physreel new-scene``, ``smoke`` and ``completion``: the first steps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from physreel.cli.errors import guarded
from physreel.cli.options import app


@app.command("new-scene")
def new_scene(
    name: Annotated[str, typer.Argument(help="What the scene is called: small letters and underscores.")],
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; NAME.py here by default.")] = None,
    test: Annotated[bool, typer.Option("--test", help="Write a test of it as well, test_NAME.py beside it.")] = False,
) -> None:
    """Begin a scene of your own: a file that works as it is and says where to change what."""

    def command() -> None:
        from physreel.starting.new_scene import write_new_scene

        made = write_new_scene(name, out, test=test)
        for path in made.files:
            print(f"written: {path}")
        print("next:")
        print(f"  physreel check {made.reference}")
        print(f"  physreel preview {made.reference} --out out/{made.name}")
        print(f"  physreel generate {made.reference} -n 2 --out data/{made.name}")
        for path in made.files[1:]:
            print(f"  python -m pytest {path}")

    guarded(command)


@app.command()
def smoke(
    scenes: Annotated[
        str | None,
        typer.Option("--scenes", metavar="A,B,…", help="Names or file.py:Class; by default all that are installed."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", help="Seconds that one scene may take, compiling included; 300 by default."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Scenes at a time; by default one a core; 0 works in this process.")
    ] = None,
) -> None:
    """Make, store and read back a small clip of every installed scene; exit code 4 if one is not sane."""

    def command() -> int:
        from physreel.cli.arguments import Reader
        from physreel.cli.smoke import smoke as try_them

        reader = Reader()
        reader.check_run_options(workers=workers, timeout=timeout, memory=None)
        return try_them(scenes, junit, timeout, workers, reader.problems)

    raise SystemExit(guarded(command, interrupted="Nothing has been kept."))


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print what makes a shell complete commands, options, scenes and data sets; docs/cli.md says where to put it."""

    def command() -> None:
        from physreel.cli.completion import script

        print(script(shell))

    guarded(command)
