"""What happens inside a worker process."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any

from physreel.errors import InputError, PhysreelError
from physreel.pipeline import Pipeline
from physreel.runners.spool import write_row

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
SINGLE_THREADED = dict.fromkeys(_THREADS, "1")
"""Workers are many and each has one thread; sums that depend on the number of threads would depend on the machine."""


def start(parent: int, memory_limit_bytes: int | None) -> None:
    """Set up a worker: Ctrl-C is the parent's business, and a worker without a parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if memory_limit_bytes is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


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
        InputError: it worked in the parent but does not here; the message says what could not be found.
    """
    try:
        _pipeline(job)
    except PhysreelError:
        raise
    except Exception as error:
        raise InputError(
            f"a worker process cannot load what the run needs: {type(error).__name__}: {error}; put your classes "
            "into a module or file that can be imported, or use --workers 0"
        ) from None


def make(job: bytes, index: int, spooled: str) -> dict[str, Any] | None:
    """Make one sample and spool it; None if that went well, else how it failed.

    Args:
        job: cloudpickle of (plan, scene class or None); the pipeline is made once for all samples of a job.
        index: of the sample.
        spooled: path of the file that is to hold the encoded sample; it appears whole.
    """
    return make_with(_pipeline(job), index, spooled)


def spec_json(job: bytes, index: int) -> str | None:
    """The world of a sample as JSON, if it can be drawn."""
    return _spec_json(_pipeline(job), index)


def make_with(pipeline: Pipeline, index: int, spooled: str) -> dict[str, Any] | None:
    """As ``make``, with a pipeline at hand."""
    try:
        _, encoded = pipeline.encode(index)
    except Exception as error:
        return {
            "index": index,
            "error": type(error).__name__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error)),
            "spec": _spec_json(pipeline, index),
        }
    try:
        write_row(Path(spooled), encoded)
    except OSError as error:
        return {"storage": error.errno, "message": error.strerror or str(error)}
    return None


def _spec_json(pipeline: Pipeline, index: int) -> str | None:
    try:
        return str(pipeline.spec(index).to_json())
    except Exception:
        return None
