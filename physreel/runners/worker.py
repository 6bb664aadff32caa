"""What happens inside a worker process."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from physreel.errors import InputError, PhysreelError
from physreel.pipeline import Pipeline
from physreel.runners.spool import write_row

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
SINGLE_THREADED = dict.fromkeys(_THREADS, "1")
"""Workers are many and each has one thread; sums that depend on the number of threads would depend on the machine."""

_PR_SET_PDEATHSIG = 1

NO_ROOM = ("memory", "failed to map segment", "can't start new thread")
"""What is said where a library could not be loaded for want of room."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a sample ended that did not take its process with it.

    Attributes:
        failure: what it raised, as keyword arguments of a Failure; None if it was made.
        storage: number and words of what the disk refused; None if it took the sample or was not asked.
        encoded: the sample, where it was not to be spooled.
        mapped_bytes: address space of the process afterwards.
        resident_bytes: memory of the process afterwards.
    """

    failure: dict[str, Any] | None = None
    storage: tuple[int, str] | None = None
    encoded: bytes | None = None
    mapped_bytes: int = 0
    resident_bytes: int = 0


def start(parent: int, memory_limit_bytes: int | None) -> None:
    """Set up a worker: Ctrl-C is the parent's business, and a worker without a parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The kernel ends it with its parent, whatever it is doing then; the thread is for kernels that do not know how.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if memory_limit_bytes is not None:
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory_limit_bytes if most == resource.RLIM_INFINITY else min(memory_limit_bytes, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@lru_cache(maxsize=1)
def _pipeline(job: bytes) -> Pipeline:
    import cloudpickle

    plan, scene = cloudpickle.loads(job)
    return Pipeline(plan, scene=scene)


def prepare(job: bytes) -> None:
    """Import and build what all samples of a job need.

    Raises:
        MemoryError: there is not enough of it for that.
        InputError: it worked in the parent but does not here; the message says what could not be found.
    """
    try:
        _pipeline(job)
    except MemoryError:
        raise
    except Exception as error:
        if any(words in str(error).lower() for words in NO_ROOM):
            raise MemoryError(str(error)) from None
        if isinstance(error, PhysreelError):
            raise
        raise InputError(
            f"a worker process cannot load what the run needs: {type(error).__name__}: {error}; put your classes "
            "into a module or file that can be imported, or use --workers 0"
        ) from None


def make(job: bytes, index: int, spooled: str | None) -> Result:
    """Make one sample and spool it, or give it back.

    Args:
        job: cloudpickle of (plan, scene class or None); the pipeline is made once for all samples of a job.
        index: of the sample.
        spooled: path of the file that is to hold the encoded sample, which appears whole; None to have it returned.
    """
    return make_with(_pipeline(job), index, spooled)


def spec_json(job: bytes, index: int) -> str | None:
    """The world of a sample as JSON, if it can be drawn."""
    return _spec_json(_pipeline(job), index)


def make_with(pipeline: Pipeline, index: int, spooled: str | None) -> Result:
    """As ``make``, with a pipeline at hand."""
    try:
        _, encoded = pipeline.encode(index)
    except Exception as error:
        failure = {
            "index": index,
            "error": type(error).__name__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error)),
            "spec": _spec_json(pipeline, index),
        }
        return Result(failure=failure)
    mapped, resident = memory_bytes()
    if spooled is None:
        return Result(encoded=encoded, mapped_bytes=mapped, resident_bytes=resident)
    try:
        write_row(Path(spooled), encoded)
    except OSError as error:
        return Result(storage=(error.errno or 0, error.strerror or str(error)))
    return Result(mapped_bytes=mapped, resident_bytes=resident)


def memory_bytes() -> tuple[int, int]:
    """Address space and resident memory of this process."""
    pages = Path("/proc/self/statm").read_text().split()
    page = os.sysconf("SC_PAGE_SIZE")
    return int(pages[0]) * page, int(pages[1]) * page


def _spec_json(pipeline: Pipeline, index: int) -> str | None:
    try:
        return str(pipeline.spec(index).to_json())
    except Exception:
        return None
