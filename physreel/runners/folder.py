"""A data set while it is written: manifest, lock, spool and shards. Nothing half-written is ever visible in it.

``manifest.jsonl`` has one line for the format, one for each scene's plan, and one for each finished shard, after those
of its failures. A shard is written under a hidden name, synced, put in its place as a whole, and only then entered.
Finished samples wait in the hidden spool until their shard is whole; whatever dies in between, the next run finds
either the old state or the new one. The spool of a data set elsewhere lies in a scratch folder of this machine.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from physreel.errors import InputError
from physreel.exporters.base import Exporter
from physreel.manifest import FORMAT, MANIFEST, manifest_line, part_names, part_of, read_manifest
from physreel.runners import lock
from physreel.runners.base import Failure, Part, Shard
from physreel.runners.place import FULL, HIDDEN, check_place, hidden_folder, storage_error, storage_errors
from physreel.runners.spool import read_row
from physreel.storage import Address, Store, open_store, removed_on_error

Lines = list[dict[str, Any]]


class DatasetFolder:
    """One scene's part of a data set, locked for writing while ``opened``.

    Args:
        out: folder, or address that fsspec knows.
        scene: its name.
        exporter: how it is stored.
        plan_record: what the manifest is to say of the plan and of the versions.
        part: the job of an array that this run is.
    """

    def __init__(
        self, out: Address, scene: str, exporter: Exporter, plan_record: dict[str, Any], *, part: Part | None = None
    ) -> None:
        self.store = open_store(out)
        self.scene = scene
        self.exporter = exporter
        self.part = part
        self.plan_record = {"kind": "plan", "scene": scene} | plan_record
        self.manifest = MANIFEST if part is None else part.manifest
        self.hidden = hidden_folder(self.store, self.plan_record, part.folder if part else "")
        self.spool = self.hidden / scene
        self._lines: Lines = []
        self._still_ours: Callable[[], None] = lambda: None

    # --- before anything is written --------------------------------------------------------------------------------

    def check(self, *, retry_failed: bool = False) -> None:
        """Raise InputError if this place cannot become, or go on being, this data set. Writes nothing."""
        whole = check_place(self.store)
        parts = part_names(self.store)
        if self.part is None:
            self._check_no_parts(parts)
            self._check_same_plan(whole, retry_failed)
            self._check_same_exporter(whole)
            return
        self._check_same_exporter(whole)
        if self._plan_in(whole) is not None:
            self._check_same_plan(whole, retry_failed)
            if not self.is_complete(whole) or retry_failed:
                raise InputError(
                    f"--out {self.store} holds scene {self.scene!r} from a run without --shard, or merged from parts; "
                    "go on with it by the same command without --shard"
                )
        for name in parts:
            lines = read_manifest(self.store, name)
            self._check_same_exporter(lines)
            if self._plan_in(lines) is not None:
                if part_of(name)[1] != self.part.count:
                    raise InputError(
                        f"--out {self.store} is being made by {part_of(name)[1]} jobs, and --shard {self.part} is one "
                        f"of {self.part.count}; use k/{part_of(name)[1]}, or name another folder"
                    )
                self._check_same_plan(lines, retry_failed)

    def is_merged(self) -> bool:
        """Whether the scene is there already and whole, not in parts."""
        whole = check_place(self.store)
        return self._plan_in(whole) is not None and self.is_complete(whole)

    def _check_no_parts(self, parts: list[str]) -> None:
        for name in parts:
            if self._plan_in(read_manifest(self.store, name)) is not None:
                count = part_of(name)[1]
                raise InputError(
                    f"--out {self.store} holds parts of scene {self.scene!r}, made by an array of {count} jobs and not "
                    f"merged yet; go on with --shard k/{count}, or put together what is there with "
                    f"`physreel merge --partial {self.store}` and run this again"
                )

    def _plan_in(self, lines: Lines) -> dict[str, Any] | None:
        return next((line for line in lines if line["kind"] == "plan" and line["scene"] == self.scene), None)

    def _check_same_plan(self, lines: Lines, retry_failed: bool) -> None:
        old = self._plan_in(lines)
        if old is None:
            return
        changes = differences(old["plan"], self.plan_record["plan"])
        if changes:
            raise InputError(
                f"--out {self.store} already holds scene {self.scene!r} from another request:\n"
                + "\n".join(f"  - {change}" for change in changes)
                + "\nRepeat the old request to go on with it, or name another folder."
            )
        versions = differences(versions_of(old), versions_of(self.plan_record))
        if versions and (retry_failed or not self.is_complete(lines)):
            raise InputError(
                f"--out {self.store} was begun with other versions, and going on would mix them:\n"
                + "\n".join(f"  - {change}" for change in versions)
                + "\nGo back to those to go on with it, or name another folder."
            )

    def _check_same_exporter(self, lines: Lines) -> None:
        for problem in other_exporters(self.store, lines, self.plan_record["plan"]["exporter"]):
            raise InputError(problem)

    def is_complete(self, lines: Lines) -> bool:
        """Whether every shard of the scene is in the manifest and in its place."""
        return is_whole(self.store, lines, self.scene)

    # --- while it is written ---------------------------------------------------------------------------------------

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make and lock the place, mend what a killed run left, enter the plan; tidy up when all is done."""
        with self.locked():
            self.check()  # between the first look and the lock another run may have been here
            with self._errors():
                self._mend()
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """As ``opened``, but leave what is there as it is."""
        try:
            self.spool.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            where = self.store.address if self.store.folder is not None else self.hidden
            if error.errno in FULL:
                raise storage_error(Path(where), error) from None
            hint = "name another folder" if self.store.folder is not None else "set PHYSREEL_SCRATCH to another folder"
            raise InputError(f"--out {where} cannot be made: {error.strerror}; {hint}") from None
        with ExitStack() as locks:
            with self._errors():
                held = lock.held(self.store, self.part.folder if self.part else "")
                self._still_ours = locks.enter_context(held)
                self.spool.mkdir(parents=True, exist_ok=True)  # a run that was just ending may have removed it
            yield

    def _mend(self) -> None:
        for leftover in (*self.spool.glob("*.tmp"), *self.hidden.glob("*.tmp")):
            leftover.unlink(missing_ok=True)
        there = self.store.size(self.manifest) is not None
        first = FORMAT if self.part is None else FORMAT | {"part": self.part.number, "of": self.part.count}
        lines = read_manifest(self.store, self.manifest) if there else [first]
        if self._plan_in(lines) is None:
            # What waits here is of a data set whose manifest somebody removed: perhaps of another request.
            for row in self.spool.glob("*.row"):
                row.unlink()
            lines.append(self.plan_record)
        # What the manifest names but is not in its place is to be made again.
        size_of = _sizes(self.store)
        self._write_manifest(self.without_shards(lines, lambda line: size_of(line["file"]) != line["bytes"]))

    def forget_failed(self) -> None:
        """Let shards with missing samples be made again."""
        missing = {(line["split"], line["shard"]) for line in self._own(self._lines, "failure")}
        with self._errors():
            self._write_manifest(
                self.without_shards(self._lines, lambda line: (line["split"], line["shard"]) in missing)
            )

    def without_shards(self, lines: Lines, gone: Callable[[dict[str, Any]], bool]) -> Lines:
        """The lines without those of the scene's shards for which ``gone`` holds, and of their failures."""
        lost = {(line["split"], line["shard"]) for line in self._own(lines, "shard") if gone(line)}
        return [
            line
            for line in lines
            if not (
                line["kind"] in ("shard", "failure")
                and line["scene"] == self.scene
                and (line["split"], line["shard"]) in lost
            )
        ]

    def _own(self, lines: Lines, kind: str) -> Lines:
        return [line for line in lines if line["kind"] == kind and line["scene"] == self.scene]

    def finished_shards(self) -> dict[tuple[str, int], int]:
        """(split, number) of the shards that are entered, and how many samples each is of."""
        return {(line["split"], line["shard"]): line["samples"] for line in self._own(self._lines, "shard")}

    def spooled(self, index: int) -> Path:
        """Where a finished sample waits for its shard."""
        return self.spool / f"{index:010d}.row"

    def commit(self, shard: Shard, failures: list[Failure]) -> None:
        """Write a shard whose samples are all spooled or failed, enter it, and empty its part of the spool."""
        hidden, entry = self.assembled(shard, failures)
        with self._errors(), removed_on_error(hidden):
            where = {"scene": self.scene, "split": shard.split, "shard": shard.number}
            lines = [{"kind": "failure"} | where | failure.to_record() for failure in failures]
            self.enter(hidden, [*lines, {"kind": "shard"} | where | entry])
        self.empty_spool(shard)

    def enter(self, hidden: Path, lines: Lines) -> None:
        """Put a finished file in its place, and enter it by these lines, the last of which names it."""
        with self._errors():
            self._still_ours()
            self.store.put(hidden, lines[-1]["file"])
            self._append(lines)
            self._write_index()

    def assembled(self, shard: Shard, failures: list[Failure]) -> tuple[Path, dict[str, Any]]:
        """A shard under a hidden name on this machine, and what the manifest is to say of it."""
        failed = {failure.index for failure in failures}
        present = [index for index in shard.indices if index not in failed]
        name = self.exporter.shard_path(shard.split, shard.number, shard.count)
        hidden = self.spool / "shard.tmp"
        with self._errors(), removed_on_error(hidden):
            rows = self.exporter.write_shard((read_row(self.spooled(i)) for i in present), hidden)
            digest, size = file_digest(hidden)
        return hidden, {
            "file": name, "samples": len(shard.members), "rows": rows, "bytes": size, "sha256": digest,
        }  # fmt: skip

    def empty_spool(self, shard: Shard) -> None:
        """Remove the samples of a shard that is in its place."""
        for index in shard.indices:
            self.spooled(index).unlink(missing_ok=True)

    def _append(self, lines: Lines) -> None:
        if self.store.folder is None:
            self._put(self.manifest, "".join(map(manifest_line, self._lines + lines)).encode())
            self._lines += lines
            return
        path = self.store.folder / self.manifest
        size = path.stat().st_size
        try:
            with path.open("ab") as manifest:
                manifest.write("".join(map(manifest_line, lines)).encode())
                manifest.flush()
                os.fsync(manifest.fileno())
        except OSError:
            os.truncate(path, size)
            raise
        self._lines += lines

    def finish(self) -> None:
        """Put the manifest in order and remove the spool: the same bytes, however often the run was disturbed."""
        with self._errors():
            self.write_all(self._lines)
            self.tidy()

    def write_all(self, lines: Lines) -> None:
        """Write these lines in their order, and what describes the whole data set."""
        with self._errors():
            self._still_ours()
            self._write_manifest(in_order(lines))
            self._write_index()

    def tidy(self) -> None:
        """Remove the spool, and what is hidden if nothing else is in there."""
        shutil.rmtree(self.spool, ignore_errors=True)
        folders = [self.hidden]
        if self.store.folder is not None and self.part is not None:
            folders.append(self.store.folder / HIDDEN)
        for folder in folders:
            try:
                folder.rmdir()
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                    raise

    def _write_manifest(self, lines: Lines) -> None:
        self._write(self.manifest, "".join(map(manifest_line, lines)))
        self._lines = list(lines)

    def _write_index(self) -> None:
        if self.part is None:  # what describes the whole is written when the parts are merged
            for name, text in self.exporter.index_files(files_of(self._lines)).items():
                self._write(name, text)

    def _write(self, name: str, text: str) -> None:
        data = text.encode()
        with suppress(FileNotFoundError):
            if self.store.read(name) == data:
                return
        self._put(name, data)

    def _put(self, name: str, data: bytes) -> None:
        hidden = self.hidden / f"{Path(name).name}.tmp"
        with self.writing(hidden) as file:
            file.write(data)
        with removed_on_error(hidden):
            self.store.put(hidden, name)

    @contextmanager
    def writing(self, hidden: Path) -> Iterator[BinaryIO]:
        """A file of this machine to write to: synced at the end, removed if writing fails."""
        with self._errors(), removed_on_error(hidden), hidden.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with storage_errors(self.store, self.hidden):
            yield


def is_whole(store: Store, lines: Lines, scene: str) -> bool:
    """Whether all that was asked for of a scene is in the manifest, and each of its files in its place."""
    own = [line for line in lines if line.get("scene") == scene]
    count = next((line["plan"]["count"] for line in own if line["kind"] == "plan"), None)
    files = [line for line in own if line["kind"] in ("shard", "file")]
    size_of = _sizes(store)
    samples = sum(line.get("samples", 0) for line in files)
    return count == samples and all(size_of(line["file"]) == line["bytes"] for line in files)


def _sizes(store: Store) -> Callable[[str], int | None]:
    # One listing is cheaper than a question for each object; a folder of this machine is asked file by file.
    return store.size if store.folder is not None else store.sizes().get


def other_exporters(store: Store, lines: Lines, mine: str) -> list[str]:
    """What to say of each scene that is stored in another format: a place holds one."""
    return [
        f"--out {store} is stored with exporter {line['plan']['exporter']!r} (scene {line['scene']!r}), not {mine!r}; "
        "use the same exporter, or name another folder"
        for line in lines
        if line["kind"] == "plan" and line["plan"]["exporter"] != mine
    ]


def in_order(lines: Lines) -> Lines:
    """A manifest's lines as they stand when all is finished: scene by scene, split by split, shard by shard."""
    plans = [line for line in lines if line["kind"] == "plan"]
    order = {line["scene"]: k for k, line in enumerate(plans)}
    splits = {line["scene"]: list(line["plan"]["splits"]) for line in plans}
    rank = {"plan": 0, "failure": 1, "shard": 2}

    def key(line: dict[str, Any]) -> tuple[int, ...]:
        if line["kind"] == "format":
            return (-1,)
        scene = line["scene"]
        if line["kind"] == "plan":
            return (order[scene],)
        if line["kind"] not in rank:  # files beside the shards, of formats that have such
            return (order[scene], len(splits[scene]))
        place = (splits[scene].index(line["split"]), line["shard"], rank[line["kind"]], line.get("index", 0))
        return (order[scene], *place)

    return sorted(lines, key=key)


def files_of(lines: Lines) -> dict[str, dict[str, list[str]]]:
    """For each scene, for each split, its finished shards' names, in order."""
    scenes: dict[str, dict[str, list[str]]] = {}
    for line in lines:
        if line["kind"] == "plan":
            scenes[line["scene"]] = {split: [] for split in line["plan"]["splits"]}
    for line in sorted((line for line in lines if line["kind"] == "shard"), key=lambda line: line["shard"]):
        scenes[line["scene"]][line["split"]].append(line["file"])
    return scenes


def versions_of(record: dict[str, Any]) -> dict[str, Any]:
    """What a plan record says of code: scene version, source, physreel and libraries, flat."""
    plain = {name: record.get(name) for name in ("scene_version", "source", "physreel")}
    if plain["source"] is not None:
        plain["source"] = str(plain["source"])[:12]
    libraries = record.get("libraries", {})
    return plain | (libraries if isinstance(libraries, dict) else {"libraries": libraries})


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between two records, a line each."""
    return [
        f"{key}: was {json.dumps(old.get(key))}, now {json.dumps(new.get(key))}"
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


def file_digest(path: Path) -> tuple[str, int]:
    """(sha256, bytes) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
