"""What makes the samples of a run: processes of this machine, or this process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.runners import worker
from physreel.runners.base import Failure
from physreel.runners.place import storage_error
from physreel.runners.process import Process
from physreel.runners.tries import Attempt, Task, Tries
from physreel.scenes.base import Scene

_LOOK_S = 60.0
"""How long at most the pool sleeps between looks at its processes."""


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
            result = worker.make_with(self.pipeline, task.index, task.path)
            if result.storage is not None:
                raise storage_error(Path(task.path).parent, OSError(*result.storage))
            yield task.index, None if result.failure is None else Failure(**result.failure)

    def close(self) -> None:
        """Nothing to end."""


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
        job = pickled(plan, scene)
        self.tries = Tries(memory_limit_bytes)
        self.processes = [
            Process(job, timeout_s=timeout_s, memory_limit_bytes=memory_limit_bytes) for _ in range(count)
        ]

    def results(self, tasks: Iterator[Task]) -> Iterator[tuple[int, Failure | None]]:
        """See Makers."""
        again: list[Task] = []
        at: dict[int, Task] = {}  # process → what it is at
        while True:
            for k, process in enumerate(self.processes):
                if k not in at and (task := again.pop(0) if again else next(tasks, None)) is not None:
                    at[k] = task
                    process.begin(task.index, task.path)
            if not at:
                return
            busy = [self.processes[k] for k in at]
            pause = min(_LOOK_S, min(process.deadline for process in busy) - time.monotonic())
            wait([process.future for process in busy if process.future is not None], max(0.0, pause), FIRST_COMPLETED)
            for k in list(at):
                attempt = self.processes[k].poll()
                if attempt is None:
                    continue
                task = at.pop(k)
                if self.tries.is_last(task, attempt):
                    yield task.index, given_up(task, attempt, self.processes[k].spec)
                else:
                    again.append(task)

    def close(self) -> None:
        """See Makers."""
        for process in self.processes:
            process.close()


def given_up(task: Task, attempt: Attempt, spec: Callable[[int], str | None]) -> Failure | None:
    """What is recorded of a sample after its last attempt; None of one that was made."""
    failure = attempt.failure
    if failure is None or attempt.how == "raised":
        return failure
    times = task.died if attempt.how == "died" else task.lost
    return replace(failure, message=f"{failure.message} ({times} times)", spec=spec(task.index))


def pickled(plan: Plan, scene: type[Scene] | None) -> bytes:
    """What ``worker.make`` needs to know, for another process."""
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
