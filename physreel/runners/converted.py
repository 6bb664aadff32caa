"""A data set that is being converted: its manifest and files, which appear whole, and going on after a kill."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from physreel.errors import InputError
from physreel.exporters.base import Exporter
from physreel.manifest import FORMAT, MANIFEST, manifest_line, read_manifest
from physreel.runners.folder import HIDDEN, storage_error
from physreel.storage import Store

_OF_FILES = ("shard", "failure", "file")
_OF_SCENE = {"plan": 0, "file": 2}
_LEFT = re.compile(r"\..*\.\d+\.tmp")


def check_target(store: Store) -> list[dict[str, Any]]:
    """The manifest's lines of a place that is, or can become, a data set; [] where there is nothing yet.

    Raises:
        InputError: it is a file, cannot be written to, or holds something else.
    """
    folder = store.folder
    if folder is not None:
        try:
            if folder.exists() and not folder.is_dir():
                raise InputError(f"{store} is a file; name a folder that is new or empty")
            parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
            if not (parent.is_dir() and os.access(parent, os.R_OK | os.W_OK | os.X_OK)):
                raise InputError(f"{store} cannot be written: {parent} is not a folder you may write to")
        except (OSError, ValueError) as error:
            raise InputError(f"{store} cannot be used: {getattr(error, 'strerror', None) or error}") from None
    there = [name for name in store.top() if name != HIDDEN and not _LEFT.fullmatch(name)]
    if MANIFEST in there:
        return read_manifest(store)
    if there:
        some = ", ".join(there[:3])
        raise InputError(f"{store} is not empty and no physreel data set (it holds {some}); name a new or empty folder")
    return []


class Target:
    """A place that a conversion writes to.

    Attributes:
        hidden: a folder on this machine for files that are being written.
        lines: of the manifest.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.hidden = Path()
        self.lines: list[dict[str, Any]] = []

    @contextmanager
    def opened(self) -> Iterator[Target]:
        """Make and lock the place, and clear what a killed conversion left."""
        with ExitStack() as stack, _storage_errors(self.store):
            folder = self.store.folder
            if folder is None:
                self.hidden = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="physreel-")))
            else:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_locked(folder))
                self.hidden = folder / HIDDEN / "convert"
                shutil.rmtree(self.hidden, ignore_errors=True)
                self.hidden.mkdir(parents=True)
                for left in folder.rglob(".*.tmp"):
                    if _LEFT.fullmatch(left.name):
                        left.unlink(missing_ok=True)
                stack.callback(self._clear, folder)
            yield self

    def _clear(self, folder: Path) -> None:
        shutil.rmtree(self.hidden, ignore_errors=True)
        if not any((folder / HIDDEN).iterdir()):
            (folder / HIDDEN).rmdir()

    def begin(self, plans: Sequence[Mapping[str, Any]]) -> None:
        """Enter the plans; shards that are entered but not there as they should be are forgotten."""
        old = read_manifest(self.store) if self.store.size(MANIFEST) is not None else [FORMAT]
        known = {line["scene"] for line in old if line["kind"] == "plan"}
        new = [dict(plan) for plan in plans if plan["scene"] not in known]
        sizes: dict[Any, int] = dict(self.store.sizes())
        lost = [line for line in old if "file" in line and sizes.get(line["file"]) != line["bytes"]]
        gone = {_place(line) for line in lost}
        kept = [line for line in old if line["kind"] not in _OF_FILES or _place(line) not in gone]
        self.lines = [*kept, *new]
        self.save()

    def has_shard(self, scene: str, key: tuple[str, int]) -> bool:
        """Whether a shard is entered."""
        return any(
            line["kind"] == "shard" and line["scene"] == scene and (line["split"], line["shard"]) == key
            for line in self.lines
        )

    def has_whole(self, scene: str, shards: Collection[tuple[str, int]]) -> bool:
        """Whether all shards of a scene are entered, and the file that makes it a data set."""
        files = {line["file"] for line in self.lines if line["kind"] == "file" and line["scene"] == scene}
        return bool(files) and all(self.has_shard(scene, key) for key in shards)

    def forget(self, scene: str) -> None:
        """Take out all lines of a scene but its plan."""
        self.lines = [line for line in self.lines if line.get("scene") != scene or line["kind"] == "plan"]

    def put(self, path: Path, name: str, lines: Sequence[dict[str, Any]]) -> None:
        """Move a finished file to its place; the last of ``lines`` is what the manifest is to say of it."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
        self.store.put(path, name)
        *before, entry = lines
        order = ("kind", "scene", "split", "shard", "file", "samples", "rows", "bytes", "sha256")
        full = entry | {"file": name, "bytes": size, "sha256": digest}
        self.lines += [*before, {key: full[key] for key in order if key in full}]

    def save(self) -> None:
        """Write the manifest, in the order of a finished data set's."""
        self.lines = in_order(self.lines)
        self.store.write(MANIFEST, "".join(map(manifest_line, self.lines)).encode())

    def finish(self, exporter: Exporter) -> None:
        """Write the files that describe the whole."""
        scenes: dict[str, dict[str, list[str]]] = {}
        for line in self.lines:
            if line["kind"] == "plan":
                scenes[line["scene"]] = {split: [] for split in line["plan"]["splits"]}
            elif line["kind"] == "shard":
                scenes[line["scene"]][line["split"]].append(line["file"])
        for name, text in exporter.index_files(scenes).items():
            self.store.write(name, text.encode())
        self.save()


def in_order(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of a manifest as a finished data set has them: by scene, its plan, its shards, its other files."""
    plans = [line for line in lines if line["kind"] == "plan"]
    scenes = {line["scene"]: k for k, line in enumerate(plans)}
    splits = {line["scene"]: list(line["plan"]["splits"]) for line in plans}

    def key(line: dict[str, Any]) -> tuple[int, ...]:
        if line["kind"] == "format":
            return (-1,)
        scene = scenes[line["scene"]]
        if line["kind"] not in ("shard", "failure"):
            return (scene, _OF_SCENE[line["kind"]])
        failed = line["kind"] == "failure"
        place = (splits[line["scene"]].index(line["split"]), line["shard"])
        return (scene, 1, *place, 0 if failed else 1, line["index"] if failed else 0)

    return sorted(lines, key=key)


def _place(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return line["scene"], line.get("split"), line.get("shard")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"another run is writing to {folder}; wait for it, stop it, or name another") from None
        yield
    finally:
        os.close(lock)


@contextmanager
def _storage_errors(store: Store) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(Path(store.address), error) from None
