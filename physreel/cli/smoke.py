"""``physreel smoke``: a line a scene as they end, and what was wrong."""

from __future__ import annotations

import time
from pathlib import Path

from physreel.cli.errors import EXIT_CHECK, EXIT_FINE, say
from physreel.errors import SpecError
from physreel.starting.junit import junit_problem, write_junit
from physreel.starting.smoke import TIMEOUT_S, SceneResult, chosen_scenes
from physreel.starting.smoke import smoke as try_scenes

_WORDS = {"passed": "ok", "failed": "FAILED", "error": "ERROR", "skipped": "skipped"}
_SHOWN = 0.05  # s of compiling: less is not worth a word


def smoke(
    scenes: str | None, junit: Path | None, timeout: float | None, workers: int | None, problems: list[str]
) -> int:
    """Try the scenes, tell of each, write the report; returns the exit code."""
    names = None if scenes is None else [name.strip() for name in scenes.split(",") if name.strip()]
    try:
        chosen = chosen_scenes(names)
    except SpecError as error:
        problems += error.problems
    if junit is not None and (problem := junit_problem(junit)):
        problems.append(problem)
    if problems:
        raise SpecError(problems, what="this cannot be tried")
    start = time.perf_counter()
    width = max(len(scene) for scene in chosen)
    limit = TIMEOUT_S if timeout is None else timeout
    results = try_scenes(chosen, workers=workers, timeout_s=limit, tell=lambda result: _tell(result, width))
    spent = time.perf_counter() - start
    if junit is not None:
        write_junit(junit, results)
    bad = [result.scene for result in results if result.status in ("failed", "error")]
    skipped = sum(result.status == "skipped" for result in results)
    compiling = sum(result.compile_seconds for result in results)
    print(
        f"{len(results) - len(bad) - skipped} of {len(results)} scenes are sane"
        + (f", {skipped} skipped" if skipped else "")
        + f", {spent:.0f} s"
        + (
            f"; compiling took {compiling:.0f} s of the workers' time, which the next run saves"
            if compiling > 1.0
            else ""
        )
    )
    if bad:
        again = f"physreel generate {bad[0]} -n 1 --out out/smoke --quality draft --workers 0"
        say(f"not sane: {', '.join(bad)}; look closer with `{again}`")
    return EXIT_CHECK if bad else EXIT_FINE


def _tell(result: SceneResult, width: int) -> None:
    compiled = f" (and {result.compile_seconds:.1f} s to compile)" if result.compile_seconds > _SHOWN else ""
    spent = f"{result.seconds:5.1f} s, CPU {result.cpu_seconds:.1f} s{compiled}"
    print(f"{_WORDS[result.status]:<8}{result.scene:<{width}}  {spent}", flush=True)
    for problem in result.problems:
        for line in problem.splitlines():
            print(f"        {line}", flush=True)
