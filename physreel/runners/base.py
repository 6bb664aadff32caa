"""What runners have in common: the summary of a run, failures, and which sample goes into which shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
        failures: samples that are missing, and why.
        shards: paths of the scene's shards, relative to ``out``.
        rows: rows in them.
    """

    out: Path
    scene: str
    requested: int
    finished: int
    made: int
    rows: int
    shards: tuple[str, ...]
    failures: tuple[Failure, ...] = field(default=())

    @property
    def failed(self) -> int:
        """How many samples are missing."""
        return len(self.failures)


@dataclass(frozen=True)
class Shard:
    """One file to be: ``number`` of ``count`` of a split, and the samples that belong in it, in order."""

    split: str
    number: int
    count: int
    indices: tuple[int, ...]


def shards_of(plan: Plan, scene: str) -> list[Shard]:
    """All shards of a plan. Samples go to splits by their group's hash and to shards in order of index."""
    members: dict[str, list[int]] = {split: [] for split in plan.splits}
    for index in range(plan.count):
        members[split_of(f"{scene}-{plan.seed}-{index:08d}", plan.splits)].append(index)
    return [shard for split, indices in members.items() for shard in _cut(split, indices, plan.shard_size)]


def _cut(split: str, indices: list[int], size: int) -> Iterator[Shard]:
    count = -(-len(indices) // size)
    for number in range(count):
        yield Shard(split, number, count, tuple(indices[number * size : (number + 1) * size]))
