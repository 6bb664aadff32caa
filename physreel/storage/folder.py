"""Stores on this machine, or in a folder that several machines share."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from physreel.storage.base import Address, Store

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class FolderStore(Store):
    """A folder of this machine, or one that several machines share."""

    def __init__(self, address: Address) -> None:
        super().__init__(os.fspath(address))
        self._folder = Path(address)

    @property
    def folder(self) -> Path:
        """See Store.folder."""
        return self._folder

    def size(self, name: str) -> int | None:
        """See Store.size."""
        try:
            return (self._folder / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, name: str) -> bytes:
        """See Store.read."""
        return (self._folder / name).read_bytes()

    def open(self, name: str) -> BinaryIO:
        """See Store.open."""
        return (self._folder / name).open("rb")

    def write(self, name: str, data: bytes) -> None:
        """See Store.write."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = _hidden(path)
        with removed_on_error(hidden):
            with hidden.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(hidden, path)
        sync_folder(path.parent)

    def create(self, name: str, data: bytes) -> bool:
        """See Store.create."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = _hidden(path)
        try:
            hidden.write_bytes(data)
            os.link(hidden, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _created(path, data)
        finally:
            hidden.unlink(missing_ok=True)
        return True

    def put(self, source: Path, name: str) -> None:
        """See Store.put."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.stat().st_dev == path.parent.stat().st_dev:
            os.replace(source, path)
        else:
            hidden = _hidden(path)
            with removed_on_error(hidden):
                with source.open("rb") as there, hidden.open("wb") as here:
                    shutil.copyfileobj(there, here, 1 << 20)
                    here.flush()
                    os.fsync(here.fileno())
                os.replace(hidden, path)
            source.unlink()
        sync_folder(path.parent)

    def remove(self, name: str) -> None:
        """See Store.remove."""
        (self._folder / name).unlink(missing_ok=True)

    def top(self) -> list[str]:
        """See Store.top."""
        return sorted(entry.name for entry in self._folder.iterdir()) if self._folder.exists() else []

    def sizes(self, below: str = "") -> dict[str, int]:
        """See Store.sizes."""
        found = {}
        for path in sorted((self._folder / below).rglob("*")):
            try:
                if path.is_file():
                    found[path.relative_to(self._folder).as_posix()] = path.stat().st_size
            except FileNotFoundError:  # a run is at work there
                continue
        return dict(sorted(found.items()))


def _created(path: Path, data: bytes) -> bool:
    """As FolderStore.create where files cannot be linked: one creates it, though others may see it half-written."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    return True


def _hidden(path: Path) -> Path:
    # Threads of one process, and processes of two machines with one number, must not write to the same file.
    return path.with_name(f".{path.name}.{uuid.uuid4().int}.tmp")


@contextmanager
def removed_on_error(path: Path) -> Iterator[None]:
    """Remove a half-written file when what writes it fails."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
