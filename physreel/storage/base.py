"""What a store is."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import BinaryIO

from physreel.errors import PhysreelError

Address = str | os.PathLike[str]


class StoreError(PhysreelError):
    """A store that is not on this machine could not be reached, or would not have it; try again later."""

    exit_code = 2


class Store(ABC):
    """Files by relative name (forward slashes).

    Attributes:
        address: as the user gave it.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    @property
    def folder(self) -> Path | None:
        """The folder on this machine, or None for a store elsewhere."""
        return None

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """All of a file; FileNotFoundError where there is none."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """A file to read from, seekable; FileNotFoundError where there is none."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """A file with these bytes, whole or not at all, and lasting."""

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """As write, if there is no such file yet; False if there is. Of two at once, one succeeds."""

    @abstractmethod
    def put(self, source: Path, name: str) -> None:
        """Move a finished, synced file of this machine to ``name``, whole or not at all."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""

    @abstractmethod
    def top(self) -> list[str]:
        """Names of the files and folders that lie there itself, sorted; [] where there is nothing."""

    @abstractmethod
    def sizes(self, below: str = "") -> dict[str, int]:
        """Bytes of every file below a folder, hidden ones too, by name, sorted."""

    def names(self, below: str = "") -> list[str]:
        """Names of all files below a folder, hidden ones too, sorted."""
        return list(self.sizes(below))

    def __str__(self) -> str:
        return self.address
