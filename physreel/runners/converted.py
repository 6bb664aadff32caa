"""A data set that is being converted: its manifest and files, which appear whole, and going on after a kill."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from physreel.exporters.base import Exporter
from physreel.manifest import FORMAT, MANIFEST, manifest_line, read_manifest
from physreel.runners.folder import file_digest, files_of, in_order
from physreel.runners.lock import held
from physreel.runners.place import HIDDEN, remove_if_empty, storage_errors
from physreel.storage import Store

_OF_FILES = ("shard", "failure", "file")
_ORDER = ("kind", "scene", "split", "shard", "file", "samples", "rows", "bytes", "sha256")


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
        self._entered: set[tuple[str, str, int]] = set()

    @contextmanager
    def opened(self) -> Iterator[Target]:
        """Make and lock the place, and clear what a killed conversion left."""
        folder = self.store.folder
        new = folder is not None and not folder.exists()
        with ExitStack() as stack, storage_errors(self.store):
            if folder is not None and new:
                stack.callback(remove_if_empty, folder)
            self._check_held = stack.enter_context(held(self.store))
            if folder is None:
                self.hidden = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="physreel-")))
            else:
                self.hidden = folder / HIDDEN / "convert"
                stack.callback(_clear, self.hidden)
                shutil.rmtree(self.hidden, ignore_errors=True)
                self.hidden.mkdir(parents=True)
            yield self

    def begin(self, plans: Sequence[Mapping[str, Any]]) -> None:
        """Take in what is there, and the plans; what is entered but not there as it should be is forgotten.

        Nothing is written before ``save``.
        """
        old = read_manifest(self.store) if self.store.size(MANIFEST) is not None else [FORMAT]
        known = {line["scene"] for line in old if line["kind"] == "plan"}
        new = [dict(plan) for plan in plans if plan["scene"] not in known]
        sizes: dict[Any, int] = dict(self.store.sizes())
        lost = [line for line in old if "file" in line and sizes.get(line["file"]) != line["bytes"]]
        gone = {_place(line) for line in lost}
        kept = [line for line in old if line["kind"] not in _OF_FILES or _place(line) not in gone]
        self.lines = [*kept, *new]
        self._entered = {_place(line) for line in kept if line["kind"] == "shard"}

    def has_shard(self, scene: str, key: tuple[str, int]) -> bool:
        """Whether a shard is entered."""
        return (scene, *key) in self._entered

    def has_whole(self, scene: str, shards: Collection[tuple[str, int]]) -> bool:
        """Whether all shards of a scene are entered, and the files that make it a data set."""
        files = any(line["kind"] == "file" and line["scene"] == scene for line in self.lines)
        return files and all(self.has_shard(scene, key) for key in shards)

    def forget(self, scene: str) -> None:
        """Take out all lines of a scene but its plan."""
        self.lines = [line for line in self.lines if line.get("scene") != scene or line["kind"] == "plan"]
        self._entered = {place for place in self._entered if place[0] != scene}

    def put(self, path: Path, name: str, lines: Sequence[dict[str, Any]]) -> None:
        """Move a finished file to its place; the last of ``lines`` is what the manifest is to say of it."""
        digest, size = file_digest(path)
        self._check_held()
        self.store.put(path, name)
        *before, entry = lines
        full = entry | {"file": name, "bytes": size, "sha256": digest}
        self.lines += [*before, {key: full[key] for key in _ORDER if key in full}]
        if entry["kind"] == "shard":
            self._entered.add(_place(entry))

    def save(self) -> None:
        """Write the manifest, in the order of a finished data set's."""
        self.lines = in_order(self.lines)
        self._write(MANIFEST, "".join(map(manifest_line, self.lines)))

    def finish(self, exporter: Exporter) -> None:
        """Write the files that describe the whole, and the manifest."""
        self.describe(exporter.index_files(files_of(self.lines)))
        self.save()

    def describe(self, texts: Mapping[str, str]) -> None:
        """Write files that describe the whole, by name."""
        for name, text in texts.items():
            self._write(name, text)

    def _write(self, name: str, text: str) -> None:
        # Not by the store's own write: what that leaves when it is killed would lie beside the data.
        path = self.hidden / "text"
        with path.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._check_held()
        self.store.put(path, name)


def _clear(hidden: Path) -> None:
    shutil.rmtree(hidden, ignore_errors=True)
    remove_if_empty(hidden.parent)  # if nothing else waits there


def _place(line: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return line["scene"], line.get("split"), line.get("shard")
