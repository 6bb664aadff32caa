"""Runs a plan in processes on this machine."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from physreel.errors import InputError, PhysreelError
from physreel.manifest import MANIFEST, read_manifest
from physreel.pipeline import Pipeline, library_versions, physreel_version, source_digest
from physreel.plan import Plan
from physreel.runners.base import Failure, Part, RunSummary, Shard, shards_of
from physreel.runners.folder import DatasetFolder
from physreel.runners.pool import Here, Makers, Pool
from physreel.runners.spool import is_whole
from physreel.runners.tries import Task
from physreel.scenes.base import Scene
from physreel.storage import Address, open_store

PREFLIGHT = 3
"""Samples whose worlds are drawn and put before the engine before anything is written."""

RUNNERS = ("local", "ray")

Progress = Callable[[int, int, int], None]
"""Called with (samples done, samples in all, samples failed)."""


def run(
    plan: Plan,
    out: Address,
    *,
    workers: int | None = None,
    scene: type[Scene] | None = None,
    progress: Progress | None = None,
    timeout_s: float | None = None,
    memory_limit_bytes: int | None = None,
    retry_failed: bool = False,
    part: Part | None = None,
    runner: str = "local",
    address: str | None = None,
    make_makers: Callable[[], Makers] | None = None,
) -> RunSummary:
    """Make the samples of a plan that are not there yet, and write their shards.

    Args:
        plan: what to make.
        out: folder, or address that fsspec knows; new, empty, or a data set of ours.
        workers: processes; None for one a core, 0 to work in this process.
        scene: the scene class where ``plan.scene`` is no name that another process finds.
        progress: told at the start and of each finished sample.
        timeout_s: a sample that takes longer is ended and counts as a worker that died; not with ``workers=0``.
        memory_limit_bytes: address space of a worker; not with ``workers=0``.
        retry_failed: make shards anew that lack samples.
        part: make only the shards of this job of an array; ``physreel.runners.merge`` puts all jobs' together.
        runner: local for processes on this machine, ray for Ray workers.
        address: of a Ray cluster (auto, or host:port); None for a Ray of this run's own.
        make_makers: what makes the samples, in place of the runner.

    Raises:
        InputError: the request cannot be run, or the folder is not for it; nothing has been written.
        StorageError: the folder cannot be written to any more; the same call goes on later.
        StoreError: what is not on this machine cannot be reached, or refuses us.
    """
    if problems := limit_problems(workers, timeout_s, memory_limit_bytes):
        raise InputError("; ".join(problems))
    check_runner(runner, address, workers)
    pipeline = preflight(plan, scene)
    name = pipeline.scene.name
    if pipeline.exporter.of_whole:
        from physreel.runners.whole import run_whole

        options: dict[str, Any] = {"workers": workers, "scene": scene, "progress": progress, "timeout_s": timeout_s}
        options |= {"memory_limit_bytes": memory_limit_bytes, "retry_failed": retry_failed, "part": part}
        options |= {"runner": runner, "address": address, "make_makers": make_makers}
        return run_whole(plan, out, name, run, summary, options)
    folder = DatasetFolder(out, name, pipeline.exporter, plan_record(pipeline), part=part)
    folder.check(retry_failed=retry_failed)
    if part is not None and folder.is_merged():
        return summary(out, name)
    shards = shards_of(plan, name)
    if part is not None:
        shards = part.of(shards)
    made = 0
    with folder.opened():
        if retry_failed:
            folder.forget_failed()
        finished = folder.finished_shards()
        if len(finished) < len(shards):
            todo = (shard for shard in shards if shard.key not in finished)
            run_state = Run(folder, todo, shards.sample_count, progress, done=sum(finished.values()))
            limits: dict[str, Any] = {"timeout_s": timeout_s, "memory_limit_bytes": memory_limit_bytes}
            made = run_state.run(
                make_makers
                or (
                    local_makers(pipeline, scene, workers, **limits)
                    if runner == "local"
                    else ray_makers(pipeline, scene, workers, address=address, **limits)
                )
            )
        folder.finish()
    return summary(out, name, made=made, part=part)


def plan_record(pipeline: Pipeline) -> dict[str, Any]:
    """What the manifest says of a plan and of the code that it is run with."""
    return {
        "scene_version": pipeline.scene.version,
        "source": source_digest(type(pipeline.scene)),
        "physreel": physreel_version(),
        "plan": pipeline.plan.model_dump(mode="json"),
        "libraries": library_versions(),
    }


def local_makers(
    pipeline: Pipeline,
    scene: type[Scene] | None,
    workers: int | None,
    *,
    timeout_s: float | None = None,
    memory_limit_bytes: int | None = None,
) -> Callable[[], Makers]:
    """What makes samples on this machine: ``workers`` processes (None for one a core), or with 0 this one."""
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    if count == 0:
        return lambda: Here(pipeline)
    return lambda: Pool(pipeline.plan, scene, count, timeout_s=timeout_s, memory_limit_bytes=memory_limit_bytes)


def ray_makers(
    pipeline: Pipeline, scene: type[Scene] | None, workers: int | None, **options: Any
) -> Callable[[], Makers]:
    """What makes samples on Ray: ``workers`` of its workers (None for one a core). See RayMakers for the options."""
    from physreel.runners.ray import RayMakers

    return lambda: RayMakers(pipeline, scene, workers, **options)


def check_runner(runner: str, address: str | None, workers: int | None) -> None:
    """Raise InputError where a runner is unknown, lacks what it needs, or cannot be reached."""
    if runner not in RUNNERS:
        raise InputError(f"there is no runner {runner!r}; use {' or '.join(RUNNERS)}")
    if runner == "ray":
        from physreel.runners.ray import check_ray

        check_ray(address, workers)
    elif address is not None:
        raise InputError(f"the address {address!r} is of a Ray cluster: use it with --runner ray")


def limit_problems(
    workers: int | None, timeout_s: float | None, memory_limit_bytes: int | None, said: dict[str, str] | None = None
) -> list[str]:
    """What is wrong with a run's limits; ``said`` is how the caller calls them."""
    names = {"workers": "workers", "timeout_s": "timeout_s", "memory_limit_bytes": "memory_limit_bytes"} | (said or {})
    limits = {"timeout_s": timeout_s, "memory_limit_bytes": memory_limit_bytes}
    problems = []
    if workers is not None and not 0 <= workers <= 1024:
        problems.append(f"{names['workers']}: must be 0 (this process) to 1024, got {workers}")
    if timeout_s is not None and not 0.0 < timeout_s < 1e7:
        problems.append(f"{names['timeout_s']}: must be a number of seconds above 0, below 10^7, got {timeout_s:g}")
    if memory_limit_bytes is not None and not 1 << 28 <= memory_limit_bytes <= 1 << 50:
        problems.append(f"{names['memory_limit_bytes']}: must be 256 MiB to 1 PiB, got {memory_limit_bytes} bytes")
    if workers == 0:
        problems += [
            f"{names[name]}: this process cannot be ended, so it needs {names['workers']} 1 or more, not 0"
            for name, limit in limits.items()
            if limit is not None
        ]
    return problems


def preflight(plan: Plan, scene: type[Scene] | None = None, *, indices: Iterable[int] | None = None) -> Pipeline:
    """The plan's pipeline, after its first few worlds have been drawn and found possible.

    Raises:
        InputError: whatever is wrong, with its place where a scene's own code raised it.
    """
    where = f"scene {plan.scene!r}"
    try:
        pipeline = Pipeline(plan, scene=scene)
        for index in pipeline.preflight_indices(PREFLIGHT) if indices is None else indices:
            where = f"sample {index} of scene {pipeline.scene.name!r}"
            pipeline.check(index)
    except PhysreelError:
        raise
    except Exception as error:
        raise InputError(f"{where}: {_raised(error)}; mend it and run again") from error
    return pipeline


def _raised(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name} line {last.lineno} ({last.name}) raised {type(error).__name__}: {error}"


def summary(out: Address, scene: str, *, made: int = 0, part: Part | None = None) -> RunSummary:
    """What a data set holds of a scene, by its manifest; of a part, what that job has to make."""
    store = open_store(out)
    read = read_manifest(store, MANIFEST if part is None else part.manifest)
    lines = [line for line in read if line.get("scene") == scene]
    shards = [line for line in lines if line["kind"] == "shard"]
    failures = tuple(
        Failure(**{name: line[name] for name in ("index", "error", "message", "traceback", "spec") if name in line})
        for line in lines
        if line["kind"] == "failure"
    )
    asked = next(line["plan"] for line in lines if line["kind"] == "plan")
    requested = asked["count"]
    if part is not None:
        requested = part.of(shards_of(Plan(**asked), scene)).sample_count
    return RunSummary(
        out=store.address if store.folder is None else store.folder,
        scene=scene,
        requested=requested,
        finished=sum(line["samples"] for line in shards) - len(failures),
        made=made,
        rows=sum(line["rows"] for line in shards),
        bytes=sum(line["bytes"] for line in shards),
        shards=tuple(line["file"] for line in shards),
        failures=failures,
        part=part,
    )


class Run:
    """Hands out the missing samples in order, and commits shards in order as they become whole."""

    def __init__(
        self, folder: DatasetFolder, shards: Iterable[Shard], total: int, progress: Progress | None, *, done: int = 0
    ) -> None:
        self.folder = folder
        self.waiting = iter(shards)
        self.total = total
        self.progress = progress
        self.done = done
        # Only shards that have been begun are held by sample: a handful, however large the data set.
        self.begun: list[tuple[Shard, set[int]]] = []
        self.failures: dict[int, Failure] = {}
        self.failed = 0

    def run(self, make_makers: Callable[[], Makers]) -> int:
        """Returns how many samples were made."""
        made = 0
        self._tell()
        makers = make_makers()
        try:
            for index, failure in makers.results(self._tasks()):
                if failure is None:
                    made += 1
                else:
                    self.failures[index] = failure
                    self.failed += 1
                for _, missing in self.begun:
                    missing.discard(index)
                self.done += 1
                self._tell()
                self._commit()
        finally:
            makers.close()
        self._commit()
        return made

    def _tasks(self) -> Iterator[Task]:
        for shard in self.waiting:
            missing = {index for index in shard.indices if not is_whole(self.folder.spooled(index))}
            self.done += len(shard.members) - len(missing)
            self.begun.append((shard, missing))
            for index in sorted(missing):
                yield Task(index, str(self.folder.spooled(index).absolute()))
            self._commit()

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total, self.failed)

    def _commit(self) -> None:
        while self.begun and not self.begun[0][1]:
            shard, _ = self.begun.pop(0)
            self.folder.commit(shard, [self.failures.pop(i) for i in shard.indices if i in self.failures])
