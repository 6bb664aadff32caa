"""What runners have in common: the summary of a run, failures, and which sample goes into which shard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import PhysreelError
from physreel.pipeline import split_of
from physreel.plan import Plan


class StorageError(PhysreelError):
    """The folder cannot be written to any more (full, gone, read-only). What is finished stays whole."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A sample that could not be made.

    Attributes:
        index: of the sample.
        error: class of the error, or how the worker died.
        message: what it said.
        traceback: where it was raised ("" for a worker that died).
        spec: JSON of the world, where it could still be drawn.
    """

    index: int
    error: str
    message: str
    traceback: str = ""
    spec: str | None = None

    def to_record(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {name: getattr(self, name) for name in ("index", "error", "message", "traceback", "spec")}


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """How a run ended.

    Attributes:
        out: folder of the data set.
        scene: name of the scene.
        requested: samples asked for.
        finished: samples that are in shards now.
        made: samples that this run made; the rest was there already.
        rows: rows in the shards (a sample has one for each camera).
        bytes: size of the shards.
        shards: the scene's shards, relative to ``out``.
        failures: samples that are missing, and why.
    """

    out: Path
    scene: str
    requested: int
    finished: int
    made: int
    rows: int
    bytes: int
    shards: tuple[str, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def failed(self) -> int:
        """How many samples are missing."""
        return len(self.failures)

    @property
    def skipped(self) -> int:
        """How many samples were there before this run."""
        return max(0, self.finished - self.made)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the shards are."""
        return tuple(self.out / shard for shard in self.shards)


@dataclass(frozen=True, eq=False)
class Shard:
    """One file to be: ``number`` of ``count`` of a split, and the samples that belong in it (int64, ascending)."""

    split: str
    number: int
    count: int
    members: NDArray[np.int64]

    @property
    def key(self) -> tuple[str, int]:
        """Its split and number."""
        return self.split, self.number

    @property
    def indices(self) -> list[int]:
        """Its samples as plain numbers."""
        return [int(index) for index in self.members]


def shards_of(plan: Plan, scene: str) -> list[Shard]:
    """All shards of a plan. Samples go to splits by their group's hash and to shards in order of index."""
    names = list(plan.splits)
    if len(names) == 1:
        members = {names[0]: np.arange(plan.count, dtype=np.int64)}
    else:
        number = {name: k for k, name in enumerate(names)}
        where = np.fromiter(
            (number[split_of(f"{scene}-{plan.seed}-{i:08d}", plan.splits)] for i in range(plan.count)),
            np.int16,
            plan.count,
        )
        members = {name: np.flatnonzero(where == k).astype(np.int64) for k, name in enumerate(names)}
    shards = []
    for split, indices in members.items():
        count = -(-len(indices) // plan.shard_size)
        for k in range(count):
            shards.append(Shard(split, k, count, indices[k * plan.shard_size : (k + 1) * plan.shard_size]))
    return shards
