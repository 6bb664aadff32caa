"""What runners have in common: the summary of a run, failures, and which sample goes into which shard."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from physreel.errors import InputError, PhysreelError
from physreel.manifest import part_name
from physreel.pipeline import sample_id_of, split_of
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


@dataclass(frozen=True)
class Part:
    """One job of an array of ``count``: it makes each ``count``-th shard of a plan, beginning with the ``number``-th.

    Attributes:
        number: of the job, from 1.
        count: jobs of the array.
    """

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> Part:
        """``3/8`` as the third of eight; InputError says what is wrong with other texts."""
        match = re.fullmatch(r"\s*(\d{1,5})\s*/\s*(\d{1,5})\s*", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise InputError(
                f"expected k/n, job k of n with k from 1 to n (at most 99999), such as 3/8, got {text!r}"
                + ("; jobs that are numbered from 0 add 1" if match is not None and int(match[1]) == 0 else "")
            )
        return cls(int(match[1]), int(match[2]))

    @property
    def manifest(self) -> str:
        """Name of its manifest."""
        return part_name(self.number, self.count)

    @property
    def folder(self) -> str:
        """Name of its own folder among what is hidden."""
        return f"part-{self.number:05d}-of-{self.count:05d}"

    def of(self, shards: Shards) -> Shards:
        """Its share of all shards of a plan."""
        return shards[self.number - 1 :: self.count]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """How a run ended.

    Attributes:
        out: the data set: a folder, or an address that fsspec knows.
        scene: name of the scene.
        requested: samples asked for.
        finished: samples that are in shards now.
        made: samples that this run made; the rest was there already.
        rows: rows in the shards (a sample has one for each camera).
        bytes: size of the shards.
        shards: the scene's shards, relative to ``out``.
        failures: samples that are missing, and why.
        part: which job of an array this was; the numbers are of its shards only.
    """

    out: Path | str
    scene: str
    requested: int
    finished: int
    made: int
    rows: int
    bytes: int
    shards: tuple[str, ...]
    failures: tuple[Failure, ...] = ()
    part: Part | None = None

    @property
    def failed(self) -> int:
        """How many samples are missing."""
        return len(self.failures)

    @property
    def skipped(self) -> int:
        """How many samples were there before this run."""
        return max(0, self.finished - self.made)

    @property
    def paths(self) -> tuple[Path | str, ...]:
        """Where the shards are: paths, or addresses."""
        if isinstance(self.out, Path):
            return tuple(self.out / shard for shard in self.shards)
        return tuple(f"{self.out}/{shard}" for shard in self.shards)


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


class Shards(Sequence[Shard]):
    """All shards of a plan, or every n-th of them, each made when it is asked for: a plan may have 10^10 samples.

    Args:
        members: of each split, in order, all its samples; a range where that is what they are.
        size: samples of a shard.
    """

    def __init__(self, members: Mapping[str, range | NDArray[np.int64]], size: int) -> None:
        self._members, self._size = dict(members), size
        self._counts = {split: -(-len(own) // size) for split, own in self._members.items()}
        self._places = range(sum(self._counts.values()))

    @property
    def sample_count(self) -> int:
        """How many samples are in these shards."""
        lacking, end = 0, 0
        for split, count in self._counts.items():
            end += count
            if count and end - 1 in self._places:
                lacking += count * self._size - len(self._members[split])
        return len(self) * self._size - lacking

    @property
    def splits(self) -> dict[str, int]:
        """Of each split, how many shards it has in the whole plan."""
        return dict(self._counts)

    def place(self, split: str, number: int) -> int | None:
        """Which of these shards is that one of a split; None where it is not among them."""
        if not 0 <= number < self._counts.get(split, 0):
            return None
        names = list(self._counts)
        place = sum(self._counts[name] for name in names[: names.index(split)]) + number
        return self._places.index(place) if place in self._places else None

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Shard: ...
    @overload
    def __getitem__(self, index: slice) -> Shards: ...
    def __getitem__(self, index: int | slice) -> Shard | Shards:
        if isinstance(index, slice):
            some = Shards(self._members, self._size)
            some._places = self._places[index]
            return some
        number = self._places[index]
        for split, count in self._counts.items():
            if number < count:
                own = self._members[split][number * self._size : (number + 1) * self._size]
                return Shard(split, number, count, np.asarray(own, np.int64))
            number -= count
        raise AssertionError("a place beyond the last shard")


def shards_of(plan: Plan, scene: str) -> Shards:
    """All shards of a plan. Samples go to splits by their group's hash and to shards in order of index."""
    names = list(plan.splits)
    if len(names) == 1:
        return Shards({names[0]: range(plan.count)}, plan.shard_size)
    number = {name: k for k, name in enumerate(names)}
    where = np.fromiter(
        (number[split_of(sample_id_of(scene, plan.seed, i), plan.splits)] for i in range(plan.count)),
        np.int16,
        plan.count,
    )
    return Shards({name: np.flatnonzero(where == k).astype(np.int64) for k, name in enumerate(names)}, plan.shard_size)
