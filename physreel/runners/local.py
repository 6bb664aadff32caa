"""Runs a plan in processes on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from physreel.errors import InputError
from physreel.pipeline import Pipeline, library_versions, physreel_version, source_digest
from physreel.plan import Plan
from physreel.runners import worker
from physreel.runners.base import Failure, RunSummary, Shard, shards_of
from physreel.runners.folder import DatasetFolder, read_manifest, storage_error
from physreel.scenes.base import Scene

PREFLIGHT = 3
"""Samples whose worlds are drawn and put before the engine before anything is written."""

TRIES_RAISED, TRIES_DIED = 2, 4
"""How often a sample is tried that raises, and one whose worker dies (which may be no fault of the sample)."""

WARM_UP_S = 180.0
"""What a timeout leaves a new worker to import and compile before its first sample."""

Progress = Callable[[int, int, int], None]
"""Called with (samples done, samples in all, samples failed)."""


def run(
    plan: Plan,
    out: str | Path,
    *,
    workers: int | None = None,
    scene: type[Scene] | None = None,
    progress: Progress | None = None,
    timeout_s: float | None = None,
    memory_limit_bytes: int | None = None,
    retry_failed: bool = False,
) -> RunSummary:
    """Make the samples of a plan that are not there yet, and write their shards.

    Args:
        plan: what to make.
        out: folder; new, empty, or a data set of ours.
        workers: processes; None for one a core, 0 to work in this process.
        scene: the scene class where ``plan.scene`` is no name that another process finds.
        progress: told of each finished sample.
        timeout_s: a sample that takes longer is ended and counts as a worker that died.
        memory_limit_bytes: address space of a worker.
        retry_failed: make shards anew that lack samples.

    Raises:
        InputError: the request cannot be run, or the folder is not for it; nothing has been written.
        StorageError: the folder cannot be written to any more; the same call goes on later.
    """
    if workers is not None and workers < 0:
        raise InputError(f"workers must be 0 or more, got {workers}")
    pipeline = Pipeline(plan, scene=scene)
    record = {
        "scene_version": pipeline.scene.version,
        "source": source_digest(type(pipeline.scene)),
        "physreel": physreel_version(),
        "plan": plan.model_dump(mode="json"),
        "libraries": library_versions(),
    }
    folder = DatasetFolder(Path(out), pipeline.scene.name, pipeline.exporter, record)
    folder.check()
    for index in range(min(PREFLIGHT, plan.count)):
        pipeline.check(index)
    shards = shards_of(plan, pipeline.scene.name)
    with folder.opened():
        if retry_failed:
            folder.forget_failed()
        finished = folder.finished_shards()
        todo = [shard for shard in shards if (shard.split, shard.number) not in finished]
        made = 0
        if todo:
            state = _State(folder, todo, sum(len(shard.indices) for shard in shards), progress)
            count = len(os.sched_getaffinity(0)) if workers is None else workers
            state.run(_Here(pipeline) if count == 0 else _Pool(plan, scene, count, timeout_s, memory_limit_bytes))
            made = state.made
        folder.finish()
    return summary(Path(out), pipeline.scene.name, made=made)


def summary(out: Path, scene: str, *, made: int = 0) -> RunSummary:
    """What a data set holds of a scene, by its manifest."""
    lines = [line for line in read_manifest(out) if line.get("scene") == scene]
    shards = [line for line in lines if line["kind"] == "shard"]
    failures = tuple(
        Failure(**{name: line[name] for name in ("index", "error", "message", "traceback", "spec")})
        for line in lines
        if line["kind"] == "failure"
    )
    return RunSummary(
        out=out,
        scene=scene,
        requested=next(line["plan"]["count"] for line in lines if line["kind"] == "plan"),
        finished=sum(line["samples"] for line in shards) - len(failures),
        made=made,
        rows=sum(line["rows"] for line in shards),
        shards=tuple(line["file"] for line in shards),
        failures=failures,
    )


@dataclass
class _Task:
    index: int
    path: str
    raised: int = 0
    died: int = 0


class _State:
    """Hands out the missing samples in order, and commits shards in order as they become whole."""

    def __init__(self, folder: DatasetFolder, shards: list[Shard], total: int, progress: Progress | None) -> None:
        self.folder = folder
        self.shards = shards
        self.total = total
        self.progress = progress
        self.missing = {
            (shard.split, shard.number): {i for i in shard.indices if not folder.spooled(i).exists()}
            for shard in shards
        }
        self.place = {i: (shard.split, shard.number) for shard in shards for i in shard.indices}
        self.failures: dict[int, Failure] = {}
        self.done = total - sum(len(missing) for missing in self.missing.values())
        self.made = 0

    def run(self, pool: Any) -> None:
        try:
            self._commit()
            for index, outcome in pool.results(self._tasks()):
                if isinstance(outcome, Failure):
                    self.failures[index] = outcome
                else:
                    self.made += 1
                self.done += 1
                self.missing[self.place[index]].discard(index)
                if self.progress is not None:
                    self.progress(self.done, self.total, len(self.failures))
                self._commit()
        finally:
            pool.close()

    def _tasks(self) -> Iterator[_Task]:
        for shard in list(self.shards):
            for index in shard.indices:
                if index in self.missing[shard.split, shard.number]:
                    yield _Task(index, str(self.folder.spooled(index).absolute()))

    def _commit(self) -> None:
        while self.shards and not self.missing[self.shards[0].split, self.shards[0].number]:
            shard = self.shards.pop(0)
            self.folder.commit(shard, [self.failures[i] for i in shard.indices if i in self.failures])


class _Here:
    """Works in this process: for debugging."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def results(self, tasks: Iterator[_Task]) -> Iterator[tuple[int, Failure | None]]:
        for task in tasks:
            yield task.index, _judge(worker.make_with(self.pipeline, task.index, task.path), task)

    def close(self) -> None:
        """Nothing to end."""


def _judge(result: dict[str, Any] | None, task: _Task) -> Failure | None:
    """None for a sample that is spooled, or its failure; StorageError if the disk is at fault."""
    if result is None:
        return None
    if "storage" in result:
        raise storage_error(Path(task.path).parent, OSError(result["storage"], result["message"]))
    return Failure(**result)


@dataclass
class _Worker:
    """One process, behind an executor of its own, so that a death is charged to the sample that was in it."""

    executor: Any
    future: Future[Any] | None = None
    task: _Task | None = None
    deadline: float = float("inf")
    fresh: bool = True


class _Pool:
    """Processes, one sample at a time each. A process that dies or takes too long is replaced."""

    def __init__(
        self, plan: Plan, scene: type[Scene] | None, count: int, timeout_s: float | None, memory: int | None
    ) -> None:
        import cloudpickle

        # A class that another process can import goes by name; one made in a script or notebook goes by value.
        self.job = cloudpickle.dumps((plan, scene))
        self.timeout_s, self.memory = timeout_s, memory
        self.workers = [self._new_worker() for _ in range(count)]

    def _new_worker(self) -> _Worker:
        from loky import ProcessPoolExecutor

        return _Worker(
            ProcessPoolExecutor(
                max_workers=1,
                timeout=None,
                env=worker.SINGLE_THREADED,
                initializer=worker.start,
                initargs=(os.getpid(), self.memory),
            )
        )

    def results(self, tasks: Iterator[_Task]) -> Iterator[tuple[int, Failure | None]]:
        again: list[_Task] = []
        while True:
            for one in self.workers:
                if one.future is None:
                    task = again.pop(0) if again else next(tasks, None)
                    if task is not None:
                        self._give(one, task)
            busy = [one for one in self.workers if one.future is not None]
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
                    retry, failure = self._verdict(one, task)
                elif time.monotonic() >= one.deadline:
                    self._replace(one)
                    retry, failure = self._died(task, "Timeout", f"it took longer than {self.timeout_s:g} s")
                else:
                    continue
                one.future = one.task = None
                if retry:
                    again.append(task)
                else:
                    yield task.index, failure

    def _give(self, one: _Worker, task: _Task) -> None:
        one.task = task
        one.future = one.executor.submit(worker.make, self.job, task.index, task.path)
        if self.timeout_s is not None:
            one.deadline = time.monotonic() + self.timeout_s + (WARM_UP_S if one.fresh else 0.0)
        one.fresh = False

    def _verdict(self, one: _Worker, task: _Task) -> tuple[bool, Failure | None]:
        """Whether to try again, and if not, the failure (None: the sample is spooled)."""
        assert one.future is not None
        error = one.future.exception()
        if error is not None:
            self._replace(one)
            return self._died(task, "WorkerDied", " ".join(str(error).split()) or type(error).__name__)
        failure = _judge(one.future.result(), task)
        if failure is None:
            return False, None
        task.raised += 1
        if task.raised < TRIES_RAISED:
            self._replace(one)  # what one sample left behind must not fail the next
            return True, None
        return False, failure

    def _died(self, task: _Task, error: str, message: str) -> tuple[bool, Failure | None]:
        task.died += 1
        if task.died < TRIES_DIED:
            return True, None
        message = f"{message} ({task.died} times)"
        return False, Failure(index=task.index, error=error, message=message, spec=self._spec(task))

    def _spec(self, task: _Task) -> str | None:
        # Drawing a world is the scene's code alone, but it may be what kills: in a process of its own.
        one = self._new_worker()
        try:
            found: str | None = one.executor.submit(worker.spec_json, self.job, task.index).result(WARM_UP_S)
            return found
        except Exception:
            return None
        finally:
            one.executor.shutdown(wait=True, kill_workers=True)

    def _replace(self, one: _Worker) -> None:
        one.executor.shutdown(wait=True, kill_workers=True)
        new = self._new_worker()
        one.executor, one.fresh, one.deadline = new.executor, True, float("inf")

    def close(self) -> None:
        for one in self.workers:
            one.executor.shutdown(wait=True, kill_workers=True)
