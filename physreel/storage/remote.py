"""Stores that are not on this machine: objects under an address that fsspec knows."""

from __future__ import annotations

import errno
import io
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from physreel.errors import InputError, MissingDependencyError, PhysreelError
from physreel.storage.base import Store, StoreError

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "az": "azure"}
_PACKAGES = {"gcs": "gcsfs", "azure": "adlfs"}


TRIES = 4
PAUSE_S = 0.5
"""How often something is asked of a remote store before it is given up, and the first pause; each is twice as long."""


class RemoteStore(Store):
    """Objects under an address that fsspec knows: an object is whole once it is there at all."""

    def __init__(self, address: str) -> None:
        if _WITH_USER.match(address):
            raise InputError(
                f"the address {_without_user(address)} holds a user name or key; give credentials by the environment "
                "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or what your cloud's library reads)"
            )
        super().__init__(address.rstrip("/"))
        if not address.partition("://")[2].strip("/"):
            raise InputError(f"{address} names no place; give an address such as s3://bucket/name")
        self._fs, self._root = _file_system(self.address)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def size(self, name: str) -> int | None:
        """See Store.size."""
        try:
            found = self._do(lambda: self._fs.info(self._path(name)))
        except FileNotFoundError:
            return None
        return None if found["type"] == "directory" else int(found["size"])

    def read(self, name: str) -> bytes:
        """See Store.read."""
        return bytes(self._do(lambda: self._fs.cat_file(self._path(name))))

    def open(self, name: str) -> BinaryIO:
        """See Store.open."""
        file = self._do(lambda: self._fs.open(self._path(name), "rb"))
        return io.BufferedReader(_Reading(file, self._do), 1 << 16)

    def write(self, name: str, data: bytes) -> None:
        """See Store.write."""
        with self._there():
            self._make_folder(name)
            self._do(lambda: self._fs.pipe_file(self._path(name), data))

    def create(self, name: str, data: bytes) -> bool:
        """See Store.create."""
        with self._there():
            self._make_folder(name)
            with suppress(FileExistsError):
                self._do(lambda: self._create(name, data))
            # An attempt of ours that seemed to fail may have succeeded; a server that does not know the condition
            # may have let another one write over it.
            return self.read(name) == data

    def _create(self, name: str, data: bytes) -> None:
        try:
            self._fs.pipe_file(self._path(name), data, mode="create")
        except (TypeError, NotImplementedError):
            self._create_unconditionally(name, data)
        except OSError as error:
            if error.errno == errno.ENOSYS:  # the server says that it does not know the condition
                self._create_unconditionally(name, data)
            elif error.errno == errno.EBUSY and "conflict" in str(error).lower():
                raise FileExistsError(name) from None  # two at once: the server lets neither know who was first
            else:
                raise

    def _create_unconditionally(self, name: str, data: bytes) -> None:
        if self._fs.exists(self._path(name)):
            raise FileExistsError(name)
        self._fs.pipe_file(self._path(name), data)

    def put(self, source: Path, name: str) -> None:
        """See Store.put."""
        with source.open("rb"):  # if it cannot be read, that is no fault of the store
            pass
        with self._there():
            self._make_folder(name)
            self._do(lambda: self._fs.put_file(str(source), self._path(name)))
        source.unlink()

    def remove(self, name: str) -> None:
        """See Store.remove."""
        with suppress(FileNotFoundError):
            self._do(lambda: self._fs.rm_file(self._path(name)))

    def top(self) -> list[str]:
        """See Store.top. Tells of a bucket that is not there."""
        try:
            found = self._do(lambda: self._fs.ls(self._root, detail=False), tries=1)
        except FileNotFoundError as error:
            if "bucket does not exist" in str(error):
                raise self._no_bucket() from None
            return []
        return sorted({path.rstrip("/").rpartition("/")[2] for path in found if path.strip("/") != self._root})

    def sizes(self, below: str = "") -> dict[str, int]:
        """See Store.sizes."""
        start = len(self._root.strip("/")) + 1
        try:
            found = self._do(lambda: self._fs.find(self._path(below), detail=True))
        except FileNotFoundError:
            return {}
        return dict(sorted((path.strip("/")[start:], int(about["size"])) for path, about in found.items()))

    def _make_folder(self, name: str) -> None:
        # Objects need none, and what makes folders makes buckets there.
        if self.address.partition("://")[0] not in _EXTRAS:
            self._do(lambda: self._fs.makedirs(self._path(name).rpartition("/")[0], exist_ok=True))

    @contextmanager
    def _there(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise self._no_bucket() from None

    def _no_bucket(self) -> StoreError:
        return StoreError(f"there is no bucket for {self.address}; make it first, or check the address")

    def _do(self, action: Callable[[], Any], *, tries: int = TRIES) -> Any:
        """What an action returns; tried again, after growing pauses, where its failure may pass by itself.

        What the libraries raise is of many classes and may quote what they were asked with, so it is not let through.
        """
        for left in reversed(range(tries)):
            try:
                return action()
            except (FileNotFoundError, FileExistsError, PhysreelError, MemoryError):
                raise
            except Exception as error:
                if left and _may_pass(error):
                    time.sleep(PAUSE_S * 2 ** (tries - 1 - left))
                    continue
                what = (
                    "the credentials that the environment gives are refused, or lack a permission"
                    if isinstance(error, PermissionError)
                    else "check the address, that it can be reached, and the credentials in the environment"
                )
                raise StoreError(
                    f"cannot use {self.address}: {type(error).__name__}: {_short(error)}; {what}. "
                    "Mend that and run the same command again"
                ) from None
        raise AssertionError("tries must be 1 or more")


class _Reading(io.RawIOBase):
    """A remote file whose failures while it is read are told, and tried again, as those of all else."""

    def __init__(self, file: BinaryIO, do: Callable[[Callable[[], Any]], Any]) -> None:
        self._file, self._do = file, do

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._do(lambda: self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


_LASTING = (errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.ENAMETOOLONG, errno.EMSGSIZE)


def _may_pass(error: Exception) -> bool:
    """Whether a failure may be gone when the same is tried again: a server that is busy, a connection that broke."""
    if isinstance(error, PermissionError) or type(error).__name__ in ("NoCredentialsError", "ParamValidationError"):
        return False
    if isinstance(error, OSError):
        return error.errno not in _LASTING
    return not isinstance(error, (ValueError, TypeError, NotImplementedError, AttributeError, KeyError))


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


_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSW|CREDENTIAL", re.IGNORECASE)


def _short(error: Exception) -> str:
    """What an error says, without anything that the environment keeps under a name such as …_SECRET_KEY."""
    words = " ".join(str(error).split()) or "no reason given"
    for name, value in os.environ.items():
        if len(value) >= 4 and _SECRET_NAME.search(name):
            words = words.replace(value, "…")
    words = re.sub(r"(?i)((?:signature|credential|token|key)[^=\s&]*=)[^&\s]+", r"\1…", words)
    return words[:200]


_WITH_USER = re.compile(r"([^/]*//)(?:[^/]*|.*:.*)@")
"""A user before the place. Keys may have slashes in them; an @ further on is part of a name."""


def _without_user(address: str) -> str:
    return _WITH_USER.sub(r"\1…@", address)
