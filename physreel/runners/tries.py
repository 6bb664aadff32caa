"""How often a sample is tried, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from physreel.errors import InputError
from physreel.runners.base import Failure
from physreel.runners.worker import NO_ROOM

TRIES_RAISED, TRIES_DIED = 2, 4
"""How often a sample is tried that raises, and one whose process dies (which may be no fault of the sample)."""

TRIES_LOST = 8
"""How often a sample is tried whose process is killed from outside or whose machine goes away: seldom its fault, but
one that fills the memory until the kernel kills, or takes machines down, must end."""

_STARVED = 2
"""So many samples that run out of a memory limit, or die of whatever, with none made yet, and the limit is to blame."""


@dataclass
class Task:
    """A sample to be made, where it goes, and how often it has failed."""

    index: int
    path: str
    raised: int = 0
    died: int = 0
    lost: int = 0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How one try of a sample ended.

    Attributes:
        how: made; raised, and the process lived; died, with its process; lost, because its process was killed from
            outside, or its machine went away.
        failure: why, unless it was made.
        encoded: the sample, where it was not written to the spool.
    """

    how: Literal["made", "raised", "died", "lost"]
    failure: Failure | None = None
    encoded: bytes | None = None


class Tries:
    """Which tries are a sample's last.

    Args:
        memory_limit_bytes: of a process, or None.
    """

    def __init__(self, memory_limit_bytes: int | None = None) -> None:
        self.memory_limit_bytes = memory_limit_bytes
        self._made = 0
        self._starved: set[int] = set()

    def is_last(self, task: Task, attempt: Attempt) -> bool:
        """Enter an attempt; whether the sample is done with: made, or failed so often that it is given up.

        Raises:
            InputError: nothing can be made within the memory limit.
        """
        if attempt.how == "made":
            self._made += 1
            return True
        tries = {"raised": TRIES_RAISED, "died": TRIES_DIED, "lost": TRIES_LOST}[attempt.how]
        count = getattr(task, attempt.how) + 1
        setattr(task, attempt.how, count)
        if attempt.how == "raised" and attempt.failure is not None and attempt.failure.error == "SampleError":
            return True  # no world had the wanted outcome: the seed decided that, and would again
        self._watch_memory(task, attempt, is_last=count >= tries)
        return bool(count >= tries)

    def _watch_memory(self, task: Task, attempt: Attempt, *, is_last: bool) -> None:
        limit, failure = self.memory_limit_bytes, attempt.failure
        if limit is None or self._made or failure is None:
            return
        words = f"{failure.error}: {failure.message}"
        if any(said in words.lower() for said in NO_ROOM) or (attempt.how == "died" and is_last):
            self._starved.add(task.index)
        if len(self._starved) >= _STARVED:
            raise InputError(
                f"the memory limit of {limit >> 20} MiB is too little: no sample was made, and the first "
                f"{_STARVED} ran out of memory or died ({words}); give more"
            )
