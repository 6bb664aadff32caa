"""Where a data set lies: a folder, or any address that fsspec knows (``s3://bucket/falls``).

A store holds files by relative name. What is written to one appears whole or not at all. Credentials come from the
environment that the file system's own library reads, and are never part of an address.
"""

from __future__ import annotations

import io
import os
import re
from typing import BinaryIO

from physreel.errors import InputError
from physreel.storage.base import Address as Address
from physreel.storage.base import Store as Store
from physreel.storage.base import StoreError as StoreError
from physreel.storage.folder import FolderStore as FolderStore
from physreel.storage.folder import removed_on_error as removed_on_error
from physreel.storage.folder import sync_folder as sync_folder
from physreel.storage.remote import RemoteStore as RemoteStore


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
    if not text.strip():
        raise InputError("no place is named; give a folder, or an address such as s3://bucket/name")
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    return RemoteStore(text) if is_remote(text) else FolderStore(text)


def seekable(file: BinaryIO) -> BinaryIO:
    """The file itself, or its bytes in memory where it cannot seek."""
    return file if file.seekable() else io.BytesIO(file.read())
