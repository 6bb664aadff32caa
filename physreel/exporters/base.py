"""The interface of exporters.

Encoding (video, lossless passes, sound) is the dear part and happens in the worker that made the sample; a shard is
then put together from encoded samples in the parent, in order. Names, locks, renames and resuming are the runner's
business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

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
    """Stores the samples of one scene. The same samples give the same bytes."""

    name: ClassVar[str]

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
