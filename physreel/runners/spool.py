"""Finished samples that wait for their shard: each a file that appears whole and carries its own checksum."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_DIGEST = 32


def write_row(path: Path, encoded: bytes) -> None:
    """Put an encoded sample at ``path``, whole or not at all (OSError where the disk will not have it)."""
    # A worker whose parent was killed may still be at the same sample when the next run begins: names of their own.
    hidden = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with hidden.open("wb") as file:
            file.write(hashlib.sha256(encoded).digest())
            file.write(encoded)
        hidden.replace(path)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise


def read_row(path: Path) -> bytes:
    """The encoded sample at ``path``.

    Raises:
        ValueError: the file is not what was written.
    """
    data = path.read_bytes()
    if len(data) < _DIGEST or hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
        raise ValueError(f"{path} is damaged")
    return data[_DIGEST:]


def is_whole(path: Path) -> bool:
    """Whether a sample is there. Renames are not synced, so a power cut may leave an empty file: that one goes."""
    if not path.exists():
        return False
    try:
        read_row(path)
    except ValueError:
        path.unlink()
        return False
    return True
