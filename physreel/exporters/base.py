"""The interface of exporters.

Encoding (video, lossless passes, sound) is the dear part and happens in the worker that made the sample; a shard is
then put together from encoded samples in the parent, in order. Names, locks, renames and resuming are the runner's
business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from physreel.values import Outcome, Sample
from physreel.values.clip import PassName


@dataclass(frozen=True, kw_only=True)
class ExportContext:
    """What all samples of one scene in a data set share; it decides the columns."""

    scene: str
    outcome_type: type[Outcome]
    passes: tuple[PassName, ...]
    audio: bool


class Exporter(ABC):
    """Stores the samples of one scene. The same samples give the same bytes.

    Attributes:
        name: how it is asked for.
        of_whole: written from a data set that is finished, since its files number clips and frames throughout; a run
            stores rows first and writes it from them (see WholeExporter).
    """

    name: ClassVar[str]
    of_whole: ClassVar[bool] = False

    def __init__(self, context: ExportContext) -> None:
        self.context = context

    @abstractmethod
    def encode(self, sample: Sample) -> bytes:
        """One sample (one row for each of its views) as bytes that ``write_shard`` understands."""

    @abstractmethod
    def write_shard(self, encoded: Iterable[bytes], path: Path) -> int:
        """Write a whole shard to ``path`` (a temporary name), flushed and synced; returns the number of rows."""

    @abstractmethod
    def shard_path(self, split: str, shard: int, shard_count: int) -> str:
        """Where the shard belongs, relative to the data set's folder, with forward slashes."""

    @abstractmethod
    def index_files(self, scenes: Mapping[str, Mapping[str, list[str]]]) -> dict[str, str]:
        """Files that describe the whole data set: relative path → text.

        Args:
            scenes: for each scene in the folder, for each split, its finished shards' relative paths.
        """


@dataclass(frozen=True, kw_only=True)
class FinishedShard:
    """A shard that is there already, for those who store its samples in another form.

    Attributes:
        split: its split.
        number: which of the split's shards.
        count: how many the split has.
        schema: Arrow schema of its rows.
        samples: reads its samples in order, each an Arrow table with a row for each camera; takes the columns that are
            wanted, None for all.
    """

    split: str
    number: int
    count: int
    schema: Any
    samples: Callable[[Sequence[str] | None], Iterator[Any]]


@dataclass(frozen=True, kw_only=True)
class WrittenFile:
    """A file that is finished and synced, under a temporary name.

    Attributes:
        path: where it is now.
        name: where it belongs, relative to the data set's folder.
        shard: for a file that holds a shard's rows: its split and number.
        rows: how many rows it holds, if it is a shard.
    """

    path: Path
    name: str
    shard: tuple[str, int] | None = None
    rows: int = 0


class WholeExporter(ABC):
    """What an exporter has beside, whose files number clips and frames through all of a scene.

    It can only be written from a scene that is finished. As an exporter of samples it stores what the run keeps until
    then.
    """

    @classmethod
    @abstractmethod
    def write_whole(cls, scene: str, shards: Sequence[FinishedShard], folder: Path) -> Iterator[WrittenFile]:
        """Write a scene. Each file is handed over when it is finished; the one that makes it readable comes last.

        The call itself looks whether the scene can be written; what it returns writes.

        Args:
            scene: name of the scene.
            shards: all its shards, in order of split and number.
            folder: on this machine, empty by the time of the first file, for files that are being written.

        Raises:
            InputError: this format cannot hold the scene; raised by the call, before anything is written.
        """
