"""One run at a time: locks on folders that go with the process, and leases on stores that have no such locks.

A lease is a file that only one can create. Its holder writes it anew every few seconds. Who finds one that another
machine left watches it for a minute: if it stands still, its holder is dead, and the next generation of the lease is
created in its place. Clocks are not compared, for those of two machines differ.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from physreel.errors import InputError, PhysreelError
from physreel.runners.base import StorageError
from physreel.runners.place import HIDDEN, remove_if_empty
from physreel.storage import Store

BEAT_S = 10.0
"""A lease's holder shows this often that it lives."""

LEASE_S = 60.0
"""A lease that stands still for so long has lost its holder."""

_LEASE = re.compile(r"lock-(\d{6})\.json")
_PART_LEASE = re.compile(r"\.physreel/part-[^/]+/lock-\d{6}\.json")
_UNSUPPORTED = (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


def busy(store: Store, who: str = "") -> InputError:
    """What is told to the second run."""
    return InputError(f"another run is writing to {store}{who}; wait for it, stop it, or name another folder")


class NoFlockError(Exception):
    """The file system has no such locks (some shared ones); a lease serves there."""


@contextmanager
def held(store: Store, part: str = "") -> Iterator[Callable[[], None]]:
    """Hold a data set, or the part of one that a job of an array writes, until the run ends.

    Parts may be held by several at once, each by one; the whole by one alone, when no part is held.

    Yields:
        A function to be called before something is entered: it raises StorageError if the lock has been lost.

    Raises:
        InputError: another run holds it.
    """
    with ExitStack() as locks:
        check = None if store.folder is None else _on_folder(locks, store, store.folder, part)
        yield _by_lease(locks, store, part) if check is None else check


def _on_folder(locks: ExitStack, store: Store, folder: Path, part: str) -> Callable[[], None] | None:
    try:
        locks.enter_context(folder_lock(store, folder, shared=bool(part)))
        if part:
            locks.enter_context(folder_lock(store, folder / HIDDEN / part))
    except NoFlockError:
        return None
    return lambda: None


def _by_lease(locks: ExitStack, store: Store, part: str) -> Callable[[], None]:
    lease = locks.enter_context(Lease(store, f"{HIDDEN}/{part}" if part else HIDDEN).held())
    # Each looks for the other kind after it has its own lease: of two at once, at least one sees the other.
    others = newest_lease(store, HIDDEN) if part else None
    for name in [others] if others else [] if part else part_leases(store):
        if is_alive(store, name):
            raise busy(store, lease_holder(store, name))
        store.remove(name)
    return lease.check


def part_leases(store: Store) -> list[str]:
    """The leases of the jobs of an array."""
    return [name for name in store.names(HIDDEN) if _PART_LEASE.fullmatch(name)]


@contextmanager
def folder_lock(store: Store, folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder; the lock goes with the process.

    Raises:
        InputError: another holds it.
        NoFlockError: the file system has no such locks.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except OSError as error:
                raise (NoFlockError if error.errno in _UNSUPPORTED else busy(store)) from None
            try:  # a run that was just ending may have removed the folder that was opened
                same = os.stat(folder).st_ino == os.fstat(handle).st_ino
            except FileNotFoundError:
                same = False
            if same:
                yield
                return
        finally:
            os.close(handle)


def folder_is_held(folder: Path) -> bool:
    """Whether a process of this machine, or of one that shares the folder, holds it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _UNSUPPORTED
    else:
        return False
    finally:
        os.close(handle)


class Lease:
    """A lease below a folder of a store.

    Args:
        store: where.
        folder: relative to it, with forward slashes.
    """

    def __init__(self, store: Store, folder: str) -> None:
        self.store, self.folder = store, folder
        self._name = ""
        self._content: dict[str, Any] = {}
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self._lost: PhysreelError | None = None
        self._beats: threading.Thread | None = None

    @contextmanager
    def held(self) -> Iterator[Lease]:
        """Take the lease and keep it; InputError if another has it."""
        self._take()
        self._beats = threading.Thread(target=self._beat, daemon=True, name="physreel-lease")
        self._beats.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._beats.join()
            # Whoever cannot reach the store any more leaves a lease that stands still.
            with suppress(PhysreelError, OSError), self._guard:
                if self._lost is None and self._is_mine():
                    self.store.remove(self._name)
            if self.store.folder is not None:
                for folder in dict.fromkeys((self.folder, HIDDEN)):
                    remove_if_empty(self.store.folder / folder)

    def check(self) -> None:
        """Raise StorageError if another run has taken the lease, because this one stood still for too long."""
        with self._guard:
            if self._lost is None and not self._is_mine():
                self._lost = StorageError(
                    f"another run has taken over {self.store}, since this one was not heard of for {LEASE_S:g} s; "
                    "what is finished is whole. Run the same command again if that other one ends early"
                )
            if self._lost is not None:
                raise self._lost

    def _take(self) -> None:
        while True:
            name = newest_lease(self.store, self.folder)
            if name is not None and is_alive(self.store, name):
                raise busy(self.store, lease_holder(self.store, name))
            number = 0 if name is None else _number(name) + 1
            self._name = f"{self.folder}/lock-{number:06d}.json"
            self._content = _identity() | {"token": uuid.uuid4().hex, "beat": 0}
            if self.store.create(self._name, self._bytes()):
                for old in leases(self.store, self.folder):
                    if _number(old) < number:
                        self.store.remove(old)
                return

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            try:
                self.check()
                with self._guard:
                    self._content["beat"] += 1
                    self.store.write(self._name, self._bytes())
            except (PhysreelError, OSError):
                if self._lost is not None:
                    return  # the run is told by ``check`` before it writes anything more

    def _is_mine(self) -> bool:
        try:
            found = json.loads(self.store.read(self._name))
        except (FileNotFoundError, ValueError):
            return False
        newest = newest_lease(self.store, self.folder)
        return bool(found.get("token") == self._content["token"] and newest == self._name)

    def _bytes(self) -> bytes:
        return json.dumps(self._content).encode()


def is_alive(store: Store, name: str) -> bool:
    """Whether the holder of a lease is at work; takes up to ``LEASE_S`` where it is of another machine."""
    try:
        first = store.read(name)
    except FileNotFoundError:
        return False
    here = _process_is_alive(first)
    if here is not None:
        return here
    logging.getLogger("physreel").warning(
        "physreel: %s is held%s; watching for %g s whether that run is still at work",
        store, lease_holder(store, name), LEASE_S,
    )  # fmt: skip
    until = time.monotonic() + LEASE_S
    while time.monotonic() < until:
        time.sleep(min(LEASE_S / 20, 2.0))
        if newest_lease(store, name.rpartition("/")[0]) != name:
            return newest_lease(store, name.rpartition("/")[0]) is not None
        try:
            if store.read(name) != first:
                return True
        except FileNotFoundError:
            continue
    return False


def leases(store: Store, folder: str) -> list[str]:
    """The lease files of a folder of a store (not of those below it), in order of generation."""
    return [name for name in store.names(folder) if _LEASE.fullmatch(name.removeprefix(f"{folder}/"))]


def newest_lease(store: Store, folder: str) -> str | None:
    """The lease that counts, if there is any."""
    return max(leases(store, folder), default=None)


def lease_holder(store: Store, name: str) -> str:
    """Who has a lease and how to break it, for messages."""
    try:
        found = json.loads(store.read(name))
        return (
            f" (process {found['pid']} on {found['host']}; if you know that it is dead, remove {store}/{name} "
            "and run the same command again)"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def lease_is_held(store: Store, folder: str) -> bool:
    """Whether there is a lease whose holder is not known to be dead; does not wait to find out."""
    name = newest_lease(store, folder)
    if name is None:
        return False
    try:
        return _process_is_alive(store.read(name)) is not False
    except FileNotFoundError:
        return False


def _number(name: str) -> int:
    return int(name[-11:-5])


def _identity() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "boot": _machine(),
        "pid": os.getpid(),
        "started": _start_of(os.getpid()),
    }


def _machine() -> str:
    """What two processes have in common that see each other's numbers: the running system and its process names."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """When a process that lives was started; None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return None


def _process_is_alive(content: bytes) -> bool | None:
    """Whether the process of a lease is alive; None for one of another machine."""
    try:
        found = json.loads(content)
        pid, boot, started = int(found["pid"]), found["boot"], found["started"]
    except (ValueError, KeyError, TypeError):
        return None
    if not boot or boot != _machine():
        return None
    return started is not None and _start_of(pid) == started
