"""Processes that make samples, one at a time each, and what happens when they raise, hang or die."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from physreel.errors import PhysreelError
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.runners import worker
from physreel.runners.base import Failure
from physreel.runners.folder import storage_error
from physreel.scenes.base import Scene

TRIES_RAISED, TRIES_DIED = 2, 4
"""How often a sample is tried that raises, and one whose worker dies (which may be no fault of the sample)."""

WARM_UP_S = 120.0
"""What a timeout leaves a worker to import things, and the run's first samples to compile them."""


@dataclass
class Task:
    """A sample to be made, where it goes, and how often it has failed."""

    index: int
    path: str
    raised: int = 0
    died: int = 0


class Makers(Protocol):
    """What makes samples: processes, or this one."""

    def results(self, tasks: Iterator[Task]) -> Iterator[tuple[int, Failure | None]]:
        """(index, None or why it failed) of each task, as they end."""

    def close(self) -> None:
        """End everything that still runs."""


class Here:
    """Works in this process: for debugging."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def results(self, tasks: Iterator[Task]) -> Iterator[tuple[int, Failure | None]]:
        """See Makers."""
        for task in tasks:
            yield task.index, _judge(worker.make_with(self.pipeline, task.index, task.path), task)

    def close(self) -> None:
        """Nothing to end."""


@dataclass
class _Worker:
    """One process, behind an executor of its own, so that a death is charged to the sample that was in it."""

    executor: Any
    grace_s: float
    ready: Future[Any] | None = None
    future: Future[Any] | None = None
    task: Task | None = None
    deadline: float = float("inf")


class Pool:
    """Processes, one sample at a time each. A process that dies or takes too long is replaced.

    Args:
        plan: what to make.
        scene: the class, where the plan's name does not lead to it.
        count: how many processes.
        timeout_s: a sample that takes longer ends with its process.
        memory_limit_bytes: address space of a process.
    """

    def __init__(
        self,
        plan: Plan,
        scene: type[Scene] | None,
        count: int,
        *,
        timeout_s: float | None = None,
        memory_limit_bytes: int | None = None,
    ) -> None:
        self.job = _pickled(plan, scene)
        self.timeout_s, self.memory = timeout_s, memory_limit_bytes
        self.workers = [_Worker(self._new_executor(), WARM_UP_S) for _ in range(count)]

    def _new_executor(self) -> Any:
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(
            max_workers=1,
            timeout=None,
            env=worker.SINGLE_THREADED,
            initializer=worker.start,
            initargs=(os.getpid(), self.memory),
        )

    def results(self, tasks: Iterator[Task]) -> Iterator[tuple[int, Failure | None]]:
        """See Makers."""
        again: list[Task] = []
        while True:
            for one in self.workers:
                if one.task is None and (task := again.pop(0) if again else next(tasks, None)) is not None:
                    self._give(one, task)
            busy = [one for one in self.workers if one.task is not None]
            if not busy:
                return
            soonest = min(one.deadline for one in busy)
            pause = None if soonest == float("inf") else max(0.0, soonest - time.monotonic())
            wait([one.future for one in busy if one.future is not None], pause, FIRST_COMPLETED)
            for one in busy:
                task = one.task
                assert one.future is not None
                assert task is not None
                if one.future.done():
                    if one.future is one.ready and one.future.exception() is None:
                        self._begin(one, task)
                        continue
                    verdict = self._verdict(one, task)
                elif time.monotonic() >= one.deadline:
                    self._replace(one)
                    verdict = self._died(task, "Timeout", f"it took longer than {self.timeout_s:g} s")
                else:
                    continue
                one.future = one.task = None
                if verdict == "again":
                    again.append(task)
                else:
                    yield task.index, None if verdict is None or isinstance(verdict, str) else verdict

    def _give(self, one: _Worker, task: Task) -> None:
        one.task = task
        if one.ready is None:
            with _sigint_blocked():
                one.ready = one.future = one.executor.submit(worker.prepare, self.job)
            if self.timeout_s is not None:
                one.deadline = time.monotonic() + WARM_UP_S
        else:
            self._begin(one, task)

    def _begin(self, one: _Worker, task: Task) -> None:
        try:
            one.future = one.executor.submit(worker.make, self.job, task.index, task.path)
        except BrokenExecutor:  # the process died while it had no sample: none is to blame
            self._replace(one)
            self._give(one, task)
            return
        if self.timeout_s is not None:
            one.deadline = time.monotonic() + self.timeout_s + one.grace_s
        one.grace_s = 0.0

    def _verdict(self, one: _Worker, task: Task) -> Failure | str | None:
        assert one.future is not None
        error = one.future.exception()
        if isinstance(error, PhysreelError):
            raise error from None  # the worker could not be made ready: no sample is to blame
        if error is not None:
            self._replace(one)
            return self._died(task, "WorkerDied", " ".join(str(error).split()) or type(error).__name__)
        failure = _judge(one.future.result(), task)
        if failure is None:
            return None
        task.raised += 1
        if task.raised < TRIES_RAISED:
            self._replace(one)  # what one sample left behind must not fail the next
            return "again"
        return failure

    def _died(self, task: Task, error: str, message: str) -> Failure | str:
        task.died += 1
        if task.died < TRIES_DIED:
            return "again"
        return Failure(index=task.index, error=error, message=f"{message} ({task.died} times)", spec=self._spec(task))

    def _spec(self, task: Task) -> str | None:
        # Drawing a world is the scene's code alone, but it may be what kills: in a process of its own.
        executor = self._new_executor()
        try:
            with _sigint_blocked():
                future = executor.submit(worker.spec_json, self.job, task.index)
            found: str | None = future.result(WARM_UP_S)
            return found
        except Exception:
            return None
        finally:
            executor.shutdown(wait=True, kill_workers=True)

    def _replace(self, one: _Worker) -> None:
        one.executor.shutdown(wait=True, kill_workers=True)
        one.executor, one.ready, one.grace_s, one.deadline = self._new_executor(), None, 0.0, float("inf")

    def close(self) -> None:
        """See Makers."""
        for one in self.workers:
            one.executor.shutdown(wait=True, kill_workers=True)


def _judge(result: dict[str, Any] | None, task: Task) -> Failure | None:
    """None for a sample that is spooled, or its failure; StorageError if the disk is at fault."""
    if result is None:
        return None
    if "storage" in result:
        raise storage_error(Path(task.path).parent, OSError(result["storage"], result["message"]))
    return Failure(**result)


def _pickled(plan: Plan, scene: type[Scene] | None) -> bytes:
    import cloudpickle

    # Classes that another process can import go by name; those of a script, notebook or lone file go by value.
    module = None if scene is None else sys.modules.get(scene.__module__)
    by_value = module is not None and module.__name__ != "__main__" and not _is_importable(module.__name__)
    if by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps((plan, scene)))
    finally:
        if by_value:
            cloudpickle.unregister_pickle_by_value(module)


def _is_importable(name: str) -> bool:
    try:
        # What is in sys.modules counts as found, so the finders themselves are asked.
        parent, _, _ = name.rpartition(".")
        path = getattr(sys.modules.get(parent), "__path__", None) if parent else None
        return any(finder.find_spec(name, path) is not None for finder in sys.meta_path if hasattr(finder, "find_spec"))
    except (ImportError, ValueError):
        return False


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """New processes inherit this: Ctrl-C goes to the whole group, and ending workers is the parent's business."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
