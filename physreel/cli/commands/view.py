"""``physreel view``: a page to look at a data set with."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from physreel.cli.errors import guarded, say
from physreel.cli.options import Progress, app


@app.command()
def view(
    dataset: Annotated[str, typer.Argument(help="Folder or address (s3://…) of a data set.")],
    out: Annotated[
        str | None, typer.Option("--out", help="Folder for the page: new, empty or of an earlier view.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the page on this machine instead.")] = False,
    port: Annotated[int | None, typer.Option("--port", help="With --serve; 0, the default, takes any free.")] = None,
    scene: Annotated[str | None, typer.Option("--scene", help="Only this scene.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many clips.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes with --out; by default one a core; 0 works in this one.")
    ] = None,
    progress: Progress = None,
) -> None:
    """Make a page to look at a data set with: a folder that opens from disk (--out), or served here (--serve)."""

    def command() -> None:
        from physreel.errors import InputError
        from physreel.runners.local import limit_problems
        from physreel.view.folder import place_problem

        problems = []
        if (out is None) == (not serve):
            problems.append("give one of --out FOLDER (write the page) and --serve (serve it on this machine)")
        elif out is not None and (problem := place_problem(dataset, out)):
            problems.append(problem)
        if limit is not None and limit < 1:
            problems.append(f"--limit must be 1 or more, got {limit}")
        if port is not None and not serve:
            problems.append("--port is of --serve; leave it out")
        if port is not None and not 0 <= port <= 65535:
            problems.append(f"--port must be 0 (any that is free) to 65535, got {port}")
        if workers is not None and serve:
            problems.append("--workers is of --out; leave it out")
        problems += limit_problems(workers, None, None, {"workers": "--workers"})
        if problems:
            raise InputError("\n".join(problems))
        chosen: dict[str, Any] = {"scene": scene, "limit": limit}
        if out is not None:
            _write(dataset, out, workers, progress, chosen)
        else:
            _serve(dataset, port or 0, chosen)

    guarded(command, interrupted="Nothing was changed; an earlier view is kept.")


def _write(dataset: str, out: str, workers: int | None, show_bar: bool | None, chosen: dict[str, Any]) -> None:
    import os

    from physreel.cli.progress import Bar
    from physreel.exporters.video import encode_mp4
    from physreel.view.folder import write_view

    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    with Bar(show_bar) as bar:
        update = bar.update
        tell = None if update is None else lambda done, total: update(done, total, 0)
        written = write_view(dataset, out, encode=encode_mp4, workers=workers, progress=tell, **chosen)
    for problem in written.problems:
        say(f"left out: {problem}")
    print(f"{written.clips} clips: {written.page}")


def _serve(dataset: str, port: int, chosen: dict[str, Any]) -> None:
    import signal

    from physreel.exporters.video import encode_mp4
    from physreel.view.serve import Site, serve_view

    def ready(address: str, site: Site) -> None:
        for problem in site.problems:
            say(f"left out: {problem}")
        print(f"{site.count} clips: {address}", flush=True)
        say("Ctrl-C ends it")

    # Asked to end in any way, it takes its temporary folder with it.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    serve_view(dataset, encode=encode_mp4, port=port, ready=ready, **chosen)
    say("stopped")
