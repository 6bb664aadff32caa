"""One process that makes samples, and what is done when it raises, hangs, dies or grows."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from physreel.errors import InputError, PhysreelError
from physreel.runners import worker
from physreel.runners.base import Failure
from physreel.runners.place import storage_error
from physreel.runners.tries import Attempt

READY_S, WARM_UP_S = 120.0, 120.0
"""What a timeout leaves a process to import things, and the run's first samples to compile them."""

WARM_UP_AGAIN_S = 15.0
"""The same for the first sample of a process that replaces another: what there was to compile is compiled by then."""

TRIES_READY, TRIES_READY_AGAIN = 3, 12
"""Deaths in a row before it could begin with which a process is given up: of one that never could, and one that has."""

GROWTH_BYTES, GROWTH_MAPPED_BYTES = 2 << 30, 256 << 20
"""Memory that samples may leave behind in a process, above what the first left, before it is replaced; and address
space that they always may, however little a limit allows (beginning anew for each sample would cost far more)."""


class Process:
    """A process behind an executor of its own, so that a death is charged to the sample that was in it.

    It is replaced after a sample that raised (what one sample left behind must not fail the next), died, took too
    long, or left it grown by 2 GiB or by half of the room within its memory limit: plug-ins leak.

    Args:
        job: what ``worker.make`` needs.
        timeout_s: a sample that takes longer ends with the process.
        memory_limit_bytes: address space of the process.
    """

    def __init__(self, job: bytes, *, timeout_s: float | None = None, memory_limit_bytes: int | None = None) -> None:
        self.job, self.timeout_s, self.memory = job, timeout_s, memory_limit_bytes
        self.future: Future[Any] | None = None
        self.deadline = float("inf")
        self._index = 0
        self._path: str | None = None
        self._ready = False
        self._was_ready = False
        self._unready = 0
        self._grace_s = WARM_UP_S
        self._first: tuple[int, int] | None = None
        self._executor = new_executor(self.memory)

    @property
    def busy(self) -> bool:
        """Whether it is at a sample."""
        return self.future is not None

    def begin(self, index: int, path: str | None) -> None:
        """Begin with a sample, which goes to the file ``path``, or into the attempt's ``encoded``."""
        self._index, self._path = index, path
        self._submit()

    def _submit(self) -> None:
        if not self._ready:
            with sigint_blocked():
                self.future = self._executor.submit(worker.prepare, self.job)
            self.deadline = float("inf") if self.timeout_s is None else time.monotonic() + READY_S
            return
        try:
            self.future = self._executor.submit(worker.make, self.job, self._index, self._path)
        except BrokenExecutor:  # it died while it had no sample: none is to blame
            self._replace()
            self._submit()
            return
        self.deadline = float("inf")
        if self.timeout_s is not None:
            self.deadline = time.monotonic() + self.timeout_s + self._grace_s
        self._grace_s = 0.0

    def attempt(self, index: int) -> Attempt:
        """Begin with a sample and wait for its end.

        Raises:
            PhysreelError: as ``poll``.
        """
        self.begin(index, None)
        while True:
            found = self.poll()
            if found is not None:
                return found
            assert self.future is not None
            pause = None if self.deadline == float("inf") else max(0.0, self.deadline - time.monotonic())
            try:
                self.future.exception(pause)
            except FutureTimeout:
                continue

    def poll(self) -> Attempt | None:
        """How the sample ended; None while it is being made.

        Raises:
            InputError: the process cannot be made ready: no sample is to blame.
            StorageError: the spool's disk does not take the sample.
        """
        future = self.future
        assert future is not None
        late = not future.done()
        if late and time.monotonic() < self.deadline:
            return None
        if not self._ready:
            self._prepared(TimeoutError(f"it was not ready after {READY_S:g} s") if late else future.exception())
            return None
        found = self._late() if late else self._ended(future)
        self.future, self.deadline = None, float("inf")
        return found

    def _prepared(self, error: BaseException | None) -> None:
        if error is None:
            self._ready = self._was_ready = True
            self._unready = 0
            self._submit()
            return
        if isinstance(error, PhysreelError):
            raise error from None
        self._unready += 1
        tries = TRIES_READY_AGAIN if self._was_ready else TRIES_READY
        if isinstance(error, MemoryError) or self._unready >= tries:
            raise self._never_ready(error)
        self._replace()
        self._submit()

    def _never_ready(self, error: BaseException) -> InputError:
        words = _words(error)
        if self.memory is None:
            return InputError(
                f"worker processes die before they can begin: {words}; look for what ends them (too little memory "
                "for so many workers?), or use --workers 0 to see what happens"
            )
        mapped, _ = worker.memory_bytes()
        return InputError(
            f"the memory limit of {self.memory >> 20} MiB is too little for a worker to begin: {words}. It counts "
            f"address space, of which this process has {mapped >> 20} MiB; give more"
        )

    def _late(self) -> Attempt:
        self._replace()
        return self._gone("died", "Timeout", f"it took longer than {self.timeout_s:g} s")

    def _ended(self, future: Future[Any]) -> Attempt:
        error = future.exception()
        if isinstance(error, PhysreelError):
            raise error from None
        if error is not None:
            self._replace()
            words = _words(error)
            if "SIGKILL" in words:  # which no process does to itself
                return self._gone("lost", "WorkerKilled", words)
            return self._gone("died", "WorkerDied", words)
        result: worker.Result = future.result()
        if result.storage is not None:
            raise storage_error(Path(str(self._path)).parent, OSError(*result.storage))
        if result.failure is not None:
            self._replace()
            return Attempt(how="raised", failure=Failure(**result.failure))
        if self._has_grown(result):
            self._replace()
        return Attempt(how="made", encoded=result.encoded)

    def _has_grown(self, result: worker.Result) -> bool:
        if self._first is None:
            self._first = result.mapped_bytes, result.resident_bytes
            return False
        mapped, resident = self._first
        grown = result.mapped_bytes - mapped
        if self.memory is not None and grown > max(GROWTH_MAPPED_BYTES, (self.memory - mapped) // 2):
            return True
        return result.resident_bytes - resident > GROWTH_BYTES

    def _gone(self, how: Literal["died", "lost"], error: str, message: str) -> Attempt:
        return Attempt(how=how, failure=Failure(index=self._index, error=error, message=message))

    def spec(self, index: int) -> str | None:
        """The world of a sample as JSON, if it can be drawn: which may be what kills, so in a process of its own."""
        executor = new_executor(self.memory)
        try:
            with sigint_blocked():
                future = executor.submit(worker.spec_json, self.job, index)
            found: str | None = future.result(READY_S)
            return found
        except Exception:
            return None
        finally:
            executor.shutdown(wait=True, kill_workers=True)

    def _replace(self) -> None:
        self.close()
        self._executor, self._ready, self._first, self._grace_s = (
            new_executor(self.memory),
            False,
            None,
            WARM_UP_AGAIN_S,
        )

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._executor.shutdown(wait=True, kill_workers=True)


def new_executor(memory_limit_bytes: int | None = None) -> Any:
    """An executor of one process that has one thread, and that ends with this one."""
    from loky import ProcessPoolExecutor

    return ProcessPoolExecutor(
        max_workers=1,
        timeout=None,
        env=worker.SINGLE_THREADED,
        initializer=worker.start,
        initargs=(os.getpid(), memory_limit_bytes),
    )


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def sigint_blocked() -> Iterator[None]:
    """New processes inherit this: Ctrl-C goes to the whole group, and ending workers is the parent's business."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
