"""Where a data set may lie, where its unfinished clips wait, and what a failed write means."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from physreel.errors import InputError
from physreel.manifest import MANIFEST, part_names, read_manifest
from physreel.runners.base import StorageError
from physreel.storage import Address, Store, open_store
from physreel.storage.outputs import contents

HIDDEN = ".physreel"
FULL = (errno.ENOSPC, errno.EDQUOT)


def check_place(out: Address | Store) -> list[dict[str, Any]]:
    """The manifest's lines of a place that can be, or is, a data set; [] where there is none yet. Writes nothing.

    Raises:
        InputError: it is a file, not writable, or holds something else.
        StoreError: it is not on this machine, and cannot be used.
    """
    store = out if isinstance(out, Store) else open_store(out)
    present = (contents(store.folder) if store.folder is not None else set(store.top())) - {HIDDEN}
    if not present:
        return []
    if MANIFEST in present:
        return read_manifest(store)
    if part_names(store):
        return []
    some = ", ".join(sorted(present)[:3])
    raise InputError(
        f"--out {store} is not empty and no physreel data set (it holds {some}); name a new or empty folder"
    )


def hidden_folder(store: Store, plan_record: dict[str, Any], part: str = "") -> Path:
    """The folder of this machine in which a run keeps what is not finished, and which it finds again after a kill.

    It is hidden in the data set's own folder. For a store elsewhere it lies below ``$PHYSREEL_SCRATCH``, by default
    ``~/.cache/physreel``, under a name that follows from the address and the request.
    """
    if store.folder is not None:
        return store.folder / HIDDEN / part
    scratch = os.environ.get("PHYSREEL_SCRATCH") or _cache()
    asked = json.dumps([store.address, part, plan_record], sort_keys=True)
    return Path(scratch) / f"run-{hashlib.sha256(asked.encode()).hexdigest()[:20]}"


def _cache() -> Path:
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache) / "physreel"
    try:
        return Path.home() / ".cache" / "physreel"
    except RuntimeError:  # in a container, a user without a name has no home
        return Path(tempfile.gettempdir()) / f"physreel-{os.getuid()}"


@contextmanager
def storage_errors(store: Store, hidden: Path | None = None) -> Iterator[None]:
    """Turn an OSError into what it means to the user; ``hidden`` is where files of this machine are written."""
    try:
        yield
    except OSError as error:
        where = Path(store.address) if store.folder is not None or hidden is None else hidden
        raise storage_error(where, error) from None


def storage_error(out: Path, error: OSError) -> StorageError:
    """What a failed write means to the user."""
    if error.errno in FULL:
        what = f"no space is left for {out}; what is finished is whole. Make room"
    else:
        what = f"cannot write to {out}: {error.strerror or error}. Mend that"
    return StorageError(f"{what} and run the same command again: it goes on where it was")


def remove_if_empty(folder: Path) -> None:
    """Remove a folder unless something is in there."""
    with suppress(OSError):
        folder.rmdir()
