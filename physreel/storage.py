"""Where a data set lies: a folder, or any address that fsspec knows (``s3://bucket/falls``).

A store holds files by relative name. What is written to one appears whole or not at all. Credentials come from the
environment that the file system's own library reads, and are never part of an address.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from physreel.errors import InputError, MissingDependencyError, PhysreelError

Address = str | os.PathLike[str]

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "az": "azure"}
_PACKAGES = {"gcs": "gcsfs", "azure": "adlfs"}


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
    def put(self, source: Path, name: str) -> None:
        """Move a finished, synced file of this machine to ``name``, whole or not at all."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""

    @abstractmethod
    def names(self, below: str = "") -> list[str]:
        """Names of all files below a folder, hidden ones too, sorted."""

    def __str__(self) -> str:
        return self.address


def is_remote(address: Address) -> bool:
    """Whether an address is one of fsspec's, and not a path of this machine."""
    text = os.fspath(address)
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None and not text.startswith("file://")


def open_store(address: Address) -> Store:
    """The store at an address; makes and writes nothing.

    Raises:
        InputError: no such protocol, or a user name or key inside the address.
        MissingDependencyError: the protocol's library is not installed.
    """
    text = os.fspath(address)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    return RemoteStore(text) if is_remote(text) else FolderStore(text)


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
        hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with removed_on_error(hidden):
            with hidden.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(hidden, path)
        _sync_folder(path.parent)

    def put(self, source: Path, name: str) -> None:
        """See Store.put."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.stat().st_dev == path.parent.stat().st_dev:
            os.replace(source, path)
        else:
            hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            with removed_on_error(hidden):
                with source.open("rb") as there, hidden.open("wb") as here:
                    shutil.copyfileobj(there, here, 1 << 20)
                    here.flush()
                    os.fsync(here.fileno())
                os.replace(hidden, path)
            source.unlink()
        _sync_folder(path.parent)

    def remove(self, name: str) -> None:
        """See Store.remove."""
        (self._folder / name).unlink(missing_ok=True)

    def names(self, below: str = "") -> list[str]:
        """See Store.names."""
        found = (path for path in (self._folder / below).rglob("*") if path.is_file())
        return sorted(path.relative_to(self._folder).as_posix() for path in found)


class RemoteStore(Store):
    """Objects under an address that fsspec knows: an object is whole once it is there at all."""

    def __init__(self, address: str) -> None:
        if "@" in address:
            raise InputError(
                f"the address {_without_user(address)} holds a user name or key; give credentials by the environment "
                "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or what your cloud's library reads)"
            )
        super().__init__(address.rstrip("/"))
        self._fs, self._root = _file_system(self.address)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def size(self, name: str) -> int | None:
        """See Store.size."""
        with self._errors():
            try:
                found = self._fs.info(self._path(name))
            except FileNotFoundError:
                return None
            return None if found["type"] == "directory" else int(found["size"])

    def read(self, name: str) -> bytes:
        """See Store.read."""
        with self._errors():
            return bytes(self._fs.cat_file(self._path(name)))

    def open(self, name: str) -> BinaryIO:
        """See Store.open."""
        with self._errors():
            file: BinaryIO = self._fs.open(self._path(name), "rb")
            return file

    def write(self, name: str, data: bytes) -> None:
        """See Store.write."""
        with self._errors():
            self._fs.pipe_file(self._path(name), data)

    def put(self, source: Path, name: str) -> None:
        """See Store.put."""
        with self._errors():
            self._fs.put_file(str(source), self._path(name))
        source.unlink()

    def remove(self, name: str) -> None:
        """See Store.remove."""
        with self._errors():
            try:
                self._fs.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def names(self, below: str = "") -> list[str]:
        """See Store.names."""
        with self._errors():
            start = len(self._root.strip("/")) + 1
            try:
                return sorted(path.strip("/")[start:] for path in self._fs.find(self._path(below)))
            except FileNotFoundError:
                return []

    @contextmanager
    def _errors(self) -> Iterator[None]:
        # What its libraries raise when it cannot be reached is of many classes, and may quote what it was asked with.
        try:
            yield
        except (FileNotFoundError, PhysreelError, MemoryError):
            raise
        except Exception as error:
            raise StoreError(
                f"cannot use {self.address}: {type(error).__name__}: {_short(error)}; check the address, that it can "
                "be reached, and the credentials in the environment, then run the same command again"
            ) from None


def _file_system(address: str) -> tuple[Any, str]:
    import fsspec

    protocol = address.partition("://")[0]
    try:
        # Listings are not kept: other machines write there too.
        fs, root = fsspec.url_to_fs(address, use_listings_cache=False, skip_instance_cache=True)
    except ImportError:
        extra = _EXTRAS.get(protocol)
        package = (
            f"'physreel[{extra}]'" if extra == "s3" else _PACKAGES.get(extra or "", f"what fsspec needs for {protocol}")
        )
        raise MissingDependencyError(f"{address} needs a library for {protocol}://; pip install {package}") from None
    except ValueError as error:
        raise InputError(f"{address}: {error}; give a folder, or an address such as s3://bucket/name") from None
    except Exception as error:
        raise StoreError(f"cannot use {address}: {type(error).__name__}: {_short(error)}") from None
    return fs, root


def _short(error: Exception) -> str:
    words = " ".join(str(error).split()) or "no reason given"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        if secret := os.environ.get(name):
            words = words.replace(secret, "…")
    return words[:200]


def _without_user(address: str) -> str:
    return re.sub(r"://.*@", "://…@", address)


@contextmanager
def removed_on_error(path: Path) -> Iterator[None]:
    """Remove a half-written file when what writes it fails."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seekable(file: BinaryIO) -> BinaryIO:
    """The file itself, or its bytes in memory where it cannot seek."""
    return file if file.seekable() else io.BytesIO(file.read())
