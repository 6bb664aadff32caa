"""A small clip of every scene from start to end, to see that all works on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Literal

from physreel import registry
from physreel.errors import InputError, MissingDependencyError, SpecError
from physreel.loaders.records import records
from physreel.runners.local import run
from physreel.runners.process import READY_S, new_executor, sigint_blocked
from physreel.runners.requests import make_plan
from physreel.starting.sane import problems_of

WIDTH, HEIGHT, FPS, DURATION_S = 64, 48, 12, 0.75
TIMEOUT_S = 300.0
Status = Literal["passed", "failed", "error", "skipped"]


@dataclass(frozen=True)
class SceneResult:
    """How one scene did.

    Attributes:
        scene: name or reference, as it was asked for.
        status: passed; failed: a clip that is not sane; error: no clip; skipped: what it needs is not installed.
        seconds: wall time without what compiling took.
        cpu_seconds: time of the processor, likewise.
        compile_seconds: wall time of compiling kernels that were not yet on disk.
        problems: why it did not pass.
        details: a traceback, where there is one.
    """

    scene: str
    status: Status
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    compile_seconds: float = 0.0
    problems: tuple[str, ...] = ()
    details: str = ""


def chosen_scenes(names: Sequence[str] | None) -> list[str]:
    """The scenes to try: all that are installed (None), or those named, of which each must exist.

    Raises:
        SpecError: lists all names that lead nowhere.
    """
    if names is None:
        return [entry.name for entry in registry.entries("scenes")]
    problems = [] if names else ["--scenes: name at least one scene, or leave the option out for all"]
    known = {entry.name for entry in registry.entries("scenes")}
    for name in dict.fromkeys(names):
        if name not in known:  # an installed scene that cannot be loaded is what a smoke test is to find
            try:
                registry.load("scenes", name)
            except InputError as error:
                problems.append(f"--scenes: {error}")
    if problems:
        raise SpecError(problems, what="this cannot be tried")
    return list(dict.fromkeys(names))


def smoke(
    scenes: Sequence[str],
    *,
    workers: int | None = None,
    timeout_s: float = TIMEOUT_S,
    tell: Callable[[SceneResult], None] | None = None,
) -> list[SceneResult]:
    """Try each scene in a process of its own, and tell of each as it ends.

    Args:
        scenes: names or references; see ``chosen_scenes``.
        workers: how many at a time; None for one a core; 0 tries all in this process, without a timeout.
        timeout_s: what one scene may take, compiling included.
        tell: called with each result, in the order in which they end.

    Returns:
        The results in the order of ``scenes``.
    """
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    found = {}
    # One folder of this process, for one that is killed cannot clear up behind itself.
    with TemporaryDirectory(prefix="physreel-smoke-", ignore_cleanup_errors=True) as folder:
        if count == 0:
            endings: Iterator[SceneResult] = (try_scene(scene, folder) for scene in scenes)
        else:
            endings = _in_processes(scenes, folder, min(count, len(scenes)), timeout_s)
        for result in endings:
            found[result.scene] = result
            if tell is not None:
                tell(result)
    return [found[scene] for scene in scenes]


def try_scene(scene: str, folder: str) -> SceneResult:
    """Make one small clip in this process, store it in a new folder within ``folder``, and read it back."""
    wall, cpu = time.perf_counter(), time.process_time()
    status: Status = "passed"
    problems: tuple[str, ...] = ()
    details = ""
    with _compiling() as spent:
        try:
            status, problems, details = _tried(scene, folder)
        except MissingDependencyError as error:
            status, problems = "skipped", (str(error),)
        except Exception as error:
            status, problems = "error", (f"{type(error).__name__}: {error}",)
    return SceneResult(
        scene=scene,
        status=status,
        seconds=max(0.0, time.perf_counter() - wall - spent["wall"]),
        cpu_seconds=max(0.0, time.process_time() - cpu - spent["cpu"]),
        compile_seconds=spent["wall"],
        problems=problems,
        details=details,
    )


def _tried(scene: str, folder: str) -> tuple[Status, tuple[str, ...], str]:
    plan = make_plan(
        scene, count=1, width=WIDTH, height=HEIGHT, fps=FPS, duration_s=DURATION_S, quality="draft", passes="all"
    )
    out = Path(mkdtemp(dir=folder)) / "data"
    done = run(plan, out, workers=0)
    if done.failures:
        failure = done.failures[0]
        return "error", (f"{failure.error}: {failure.message}",), failure.traceback
    outcome_type = registry.load("scenes", scene).outcome_type
    rows = list(records(out))
    found = [] if rows else ["the data set has no row"]
    for row in rows:
        found += problems_of(row, outcome_type, plan.passes)
    return ("failed" if found else "passed"), tuple(found), ""


@contextmanager
def _compiling() -> Iterator[dict[str, float]]:
    """What numba spends on compiling meanwhile: "wall" and "cpu" seconds."""
    from numba.core import event

    spent = {"wall": 0.0, "cpu": 0.0}

    class Timer(event.Listener):  # type: ignore[misc]
        """Compiling one kernel compiles what it calls, so only the outermost counts."""

        depth, wall, cpu = 0, 0.0, 0.0

        def on_start(self, _: Any) -> None:
            if self.depth == 0:
                self.wall, self.cpu = time.perf_counter(), time.process_time()
            self.depth += 1

        def on_end(self, _: Any) -> None:
            self.depth -= 1
            if self.depth == 0:
                spent["wall"] += time.perf_counter() - self.wall
                spent["cpu"] += time.process_time() - self.cpu

    with event.install_listener("numba:compile", Timer()):
        yield spent


def _in_processes(scenes: Sequence[str], folder: str, count: int, timeout_s: float) -> Iterator[SceneResult]:
    """Results as they end. A process that dies or takes too long is replaced, and its scene told so."""
    todo = list(scenes)
    at: dict[int, tuple[str, Future[SceneResult], float]] = {}
    executors = {k: _Executor() for k in range(count)}
    try:
        while todo or at:
            for k in range(count):
                if k not in at and todo:
                    scene = todo.pop(0)
                    at[k] = scene, executors[k].submit(scene, folder), time.monotonic() + timeout_s
            pause = max(0.0, min(deadline for _, _, deadline in at.values()) - time.monotonic())
            wait([future for _, future, _ in at.values()], pause, FIRST_COMPLETED)
            for k, (scene, future, deadline) in list(at.items()):
                late = not future.done()
                if late and time.monotonic() < deadline:
                    continue
                del at[k]
                broken = None if late else future.exception()
                if late or broken is not None:
                    executors[k].close()
                    executors[k] = _Executor()
                    died = "its process died: " + " ".join(str(broken).split())
                    problem = f"it took longer than {timeout_s:g} s" if late else died
                    yield SceneResult(scene, "error", timeout_s if late else 0.0, problems=(problem,))
                else:
                    yield future.result()
    finally:
        for executor in executors.values():
            executor.close()


class _Executor:
    """One process, which begins to import what all scenes need as soon as it is made."""

    def __init__(self) -> None:
        self.executor = new_executor()
        with sigint_blocked():
            self.ready = self.executor.submit(_warm_up)

    def submit(self, scene: str, folder: str) -> Future[SceneResult]:
        """Begin with a scene, once the process is ready: a scene's time is its own."""
        wait([self.ready], READY_S)
        try:
            future: Future[SceneResult] = self.executor.submit(try_scene, scene, folder)
        except BrokenExecutor as error:
            future = Future()
            future.set_exception(error)
        return future

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self.executor.shutdown(wait=True, kill_workers=True)


def _warm_up() -> None:
    """Nothing more: to find this function, the process has imported this module."""
