"""Makes the samples of a run on a Ray cluster, or on a Ray of its own on this machine.

Each Ray worker has one process of ours beside it, and hands it one sample at a time: so a sample that hangs, crashes or
takes too much memory meets the same rules as on one machine, and Ray's own process is never in it. The driver keeps
the spool and writes the shards; encoded samples come to it through Ray's object store, so nothing else is shared.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from physreel.errors import InputError, MissingDependencyError, PhysreelError
from physreel.pipeline import Pipeline
from physreel.runners.base import Failure
from physreel.runners.place import storage_error
from physreel.runners.pool import given_up, pickled
from physreel.runners.process import READY_S, TRIES_READY, Process
from physreel.runners.ray_worker import RayWorker, versions
from physreel.runners.spool import write_row
from physreel.runners.tries import Attempt, Task, Tries
from physreel.scenes.base import Scene

CONNECT_S = 5.0
"""How long an address may take to answer."""

PATIENCE_S = 600.0
"""How long a run waits while no node of the cluster has a core for it."""

_RESIZE_S = 10.0
_FEW = 4
"""Up to so many workers wait for the driver between samples; more have the next one at hand."""

# Ray says much, asks home whether it may be counted, and warns of what it will change one day.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}


class ClusterError(PhysreelError):
    """The cluster went away while the run was going on; what is finished is kept."""

    exit_code = 2


def check_ray(address: str | None, workers: int | None) -> None:
    """Raise InputError where a run on Ray cannot begin: not installed, an address that nothing answers at."""
    try:
        import ray  # noqa: F401
    except ImportError:
        raise MissingDependencyError("--runner ray needs Ray; pip install 'physreel[ray]'") from None
    if workers == 0:
        raise InputError("--workers 0 works in this process, which --runner ray cannot; give 1 or more, or none")
    if address in (None, "auto"):
        return
    assert address is not None
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(
            f"--address {address!r} is no address of a Ray cluster; give auto or host:port as `ray start --head` "
            "prints it (most often port 6379), and run this on a node of the cluster"
        )
    try:
        _greet(host.strip("[]"), int(port))
    except OSError as error:
        raise InputError(
            f"--address {address}: no Ray cluster answers there ({error.strerror or error}); look at `ray status` on "
            "its head node, or leave --address out to work on this machine"
        ) from None


def _greet(host: str, port: int) -> None:
    """OSError where no server of gRPC, which Ray speaks, answers. Ray itself would ask for minutes, or end us."""
    with socket.create_connection((host, port), CONNECT_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0") != "0":
            return
        connection.settimeout(CONNECT_S)
        # The client's preface of HTTP/2 and empty settings; a server answers with its own.
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
        answer = connection.recv(9)
        if len(answer) < 4 or answer[3] != 4:
            raise OSError("something else listens there")


@dataclass
class _Member:
    """A Ray worker, and the samples that it has been given: it is at the first."""

    actor: Any
    hello: Any
    ready: bool = False
    given: deque[tuple[Task, Any]] = field(default_factory=deque)
    deadline: float = float("inf")


class RayMakers:
    """Ray workers, one core each, one sample at a time each; those that are lost are replaced.

    Args:
        pipeline: of the plan, as this process has it.
        scene: the class, where the plan's name does not lead to it.
        count: how many workers; None for one for each core that the cluster has or comes to have.
        address: of a cluster; None for a Ray of this run's own on this machine.
        timeout_s: a sample that takes longer ends with its process.
        memory_limit_bytes: address space of a process.

    Raises:
        InputError: Ray is not installed, or the cluster cannot be reached.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        scene: type[Scene] | None,
        count: int | None,
        *,
        address: str | None = None,
        timeout_s: float | None = None,
        memory_limit_bytes: int | None = None,
    ) -> None:
        check_ray(address, count)
        import ray

        self.ray: Any = ray
        self.timeout_s = timeout_s
        self.options: dict[str, Any] = {"timeout_s": timeout_s, "memory_limit_bytes": memory_limit_bytes}
        self.tries = Tries(memory_limit_bytes)
        self.elastic = count is None and address is not None
        self.count = len(os.sched_getaffinity(0)) if count is None else count
        self.members: list[_Member] = []
        self.again: deque[Task] = deque()
        self.unready = 0
        self._temporary: str | None = None
        self._loud: Any = None
        self._ours = not ray.is_initialized()
        # A class of a lone file goes by value: other machines do not have the file.
        by_file = pipeline.plan.scene.partition(":")[0].endswith(".py")
        job = pickled(pipeline.plan, type(pipeline.scene) if scene is None and by_file else scene)
        try:
            if self._ours:
                self._connect(address)
            self.job, self.job_there = job, ray.put(job)
            self.worker: Any = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(RayWorker)
            self._resize()
        except BaseException:
            self.close()
            raise
        self.alive_since = self._resized = time.monotonic()

    def _connect(self, address: str | None) -> None:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        options: dict[str, Any] = {"address": address}
        if address is None:
            # A folder of its own: `--address auto` of other commands must not find this Ray. Sockets want short names.
            self._temporary = tempfile.mkdtemp(prefix="physreel-ray-", dir="/tmp")
            memory = min(2 << 30, max(128 << 20, self.count * (64 << 20)))
            options = {"address": "local", "num_cpus": self.count, "num_gpus": 0, "include_dashboard": False}
            options |= {"object_store_memory": memory, "_temp_dir": self._temporary}
        try:
            self.ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL, configure_logging=True)
        except Exception as error:
            words = " ".join(str(error).split())[:300]
            if address is None:
                raise InputError(f"Ray could not be started on this machine: {words}") from None
            raise InputError(
                f"--address {address}: cannot join this Ray cluster: {words}; give host:port as `ray start --head` "
                "prints it, run this on one of its nodes, and have the same Ray and Python on all of them"
            ) from None
        self._loud = _silenced()

    # --- workers ---------------------------------------------------------------------------------------------------

    def _resize(self) -> None:
        self._resized = time.monotonic()
        if self.elastic:
            self.count = max(1, int(self.ray.cluster_resources().get("CPU", 0)))
        while len(self.members) < self.count:
            actor = self.worker.remote(self.job_there, os.getcwd(), list(sys.path), self.options)
            self.members.append(_Member(actor, actor.hello.remote()))

    def _remove(self, member: _Member) -> None:
        self.members.remove(member)
        with suppress(Exception):
            self.ray.kill(member.actor)

    def _welcome(self, member: _Member) -> None:
        """Enter a worker that has said what it is."""
        try:
            facts = self.ray.get(member.hello)
        except self.ray.exceptions.RayError as error:
            self._remove(member)
            self.unready += 1
            if self.unready >= TRIES_READY * max(4, self.count):
                raise ClusterError(f"Ray workers do not start: {_reason(error)}") from None
            if "physreel" in str(error) and "ModuleNotFoundError" in str(error):
                raise InputError(
                    "a node of the cluster has no physreel: install the same physreel on all nodes "
                    "(a container image, or the same environment on a shared file system)"
                ) from None
            return
        self.unready = 0
        self._check_versions(facts)
        member.ready = True

    def _check_versions(self, facts: dict[str, Any]) -> None:
        mine, theirs = versions(), facts["versions"]
        changes = [
            f"{name}: there {theirs.get(name, 'missing')}, here {mine.get(name, 'missing')}"
            for name in dict.fromkeys((*mine, *theirs))
            if mine.get(name) != theirs.get(name)
        ]
        if changes:
            raise InputError(
                f"node {facts['host']} has other versions than this process, and its clips would differ:\n"
                + "\n".join(f"  - {change}" for change in changes)
                + "\nInstall the same on all nodes (a container image, or one environment on a shared file system)."
            )

    # --- samples ---------------------------------------------------------------------------------------------------

    def results(self, tasks: Iterator[Task]) -> Iterator[tuple[int, Failure | None]]:
        """See Makers."""
        more = True
        while True:
            more = self._hand_out(tasks, more)
            if not more and not any(member.given for member in self.members) and not self.again:
                return
            for task, failure in self._look():
                yield task.index, failure
            self._watch()

    def _hand_out(self, tasks: Iterator[Task], more: bool) -> bool:
        depth = 1 if self.count <= _FEW else 2
        for level in range(depth):
            for member in self.members:
                if not member.ready or len(member.given) > level:
                    continue
                task = self.again.popleft() if self.again else next(tasks, None) if more else None
                if task is None:
                    return False
                self._give(member, task)
        return more

    def _give(self, member: _Member, task: Task) -> None:
        if not member.given:
            self._begin(member)
        member.given.append((task, member.actor.attempt.remote(task.index)))

    def _begin(self, member: _Member) -> None:
        # The worker's own process keeps time; this is for a worker that does not answer any more.
        if self.timeout_s is not None:
            member.deadline = time.monotonic() + self.timeout_s + 4.0 * READY_S

    def _look(self) -> Iterator[tuple[Task, Failure | None]]:
        """Wait a moment for what ends first; the samples that are done with."""
        waiting = {member.hello: member for member in self.members if not member.ready}
        waiting |= {member.given[0][1]: member for member in self.members if member.given}
        # Bytes stay where they are made until the driver has a hand free: what is under way is bounded by the workers.
        ended, _ = self.ray.wait(list(waiting), num_returns=1, timeout=1.0, fetch_local=False)
        if ended:  # and what else has ended by now
            ended, _ = self.ray.wait(list(waiting), num_returns=len(waiting), timeout=0.0, fetch_local=False)
        for reference in ended:
            member = waiting[reference]
            if not member.ready:
                self._welcome(member)
                continue
            task, found = member.given[0][0], self._ended(reference, member)
            if not self.tries.is_last(task, found):
                self.again.append(task)
            elif found.how == "made":
                assert found.encoded is not None
                _spool(task, found.encoded)
                yield task, None
            else:
                # Its world is drawn in a process of this machine: workers are busy, and have the same code.
                yield task, given_up(task, found, Process(self.job, **self.options).spec)

    def _ended(self, reference: Any, member: _Member) -> Attempt:
        task = member.given[0][0]
        try:
            found = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            return self._lost(member, error)
        if isinstance(found, PhysreelError):
            raise found
        member.given.popleft()
        if member.given:
            self._begin(member)
        if not isinstance(found, Attempt):
            raise PhysreelError(f"sample {task.index}: a Ray worker answered {found!r}")
        return found

    def _lost(self, member: _Member, error: Exception) -> Attempt:
        """A worker is gone. The sample that it was at has failed once; those it had not begun have not."""
        task, _ = member.given.popleft()
        self.again.extendleft(reversed([waiting for waiting, _ in member.given]))
        self._remove(member)
        # What a sample does meets the process beside the Ray worker, so the worker's end is not the sample's doing.
        failure = Failure(index=task.index, error="WorkerLost", message=_reason(error))
        return Attempt(how="lost", failure=failure)

    def _watch(self) -> None:
        """What time brings: workers that do not answer, nodes that come and go, none left."""
        now = time.monotonic()
        for member in [member for member in self.members if member.given and now > member.deadline]:
            self.ray.kill(member.actor)
            member.deadline = float("inf")
        if len(self.members) < self.count or (self.elastic and now - self._resized > _RESIZE_S):
            self._resize()
        if any(member.ready for member in self.members):
            self.alive_since = now
        elif now - self.alive_since > PATIENCE_S:
            raise ClusterError(
                f"no node of the Ray cluster has had a free core for {PATIENCE_S / 60:.0f} minutes (`ray status` tells "
                "of its nodes); what is finished is kept, and the same command goes on from there"
            )

    def close(self) -> None:
        """See Makers."""
        for member in list(self.members):
            self._remove(member)
        if self._ours:
            with suppress(Exception):
                self.ray.shutdown()
                if self._loud is not None:
                    self.ray._private.worker.print_to_stdstream = self._loud
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def _spool(task: Task, encoded: bytes) -> None:
    try:
        write_row(Path(task.path), encoded)
    except OSError as error:
        raise storage_error(Path(task.path).parent, error) from None


def _silenced() -> Any:
    # Deaths of nodes and workers are answered by the run; Ray would print pages of a dead node's log to stdout.
    import ray._private.worker as inner

    loud = getattr(inner, "print_to_stdstream", None)
    if loud is not None:
        inner.print_to_stdstream = lambda *_, **__: None
    return loud


def _reason(error: Exception) -> str:
    """The line of Ray's message that says why, without its advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    because = next((line for line in lines if "because" in line), lines[0] if lines else type(error).__name__)
    return because.partition(". Some common causes")[0][:300]
