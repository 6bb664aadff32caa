"""A data set's folder: manifest, lock, spool and shards. Nothing half-written is ever visible in it.

``manifest.jsonl`` has one line for the format, one for each scene's plan, and one for each finished shard, after those
of its failures. A shard is written under a hidden name, synced, renamed, and only then entered. Finished samples wait
in the hidden spool until their shard is whole; whatever dies in between, the next run finds either the old state or
the new one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from physreel.errors import InputError
from physreel.exporters.base import Exporter
from physreel.manifest import FORMAT, manifest_line, read_manifest
from physreel.runners.base import Failure, Shard, StorageError
from physreel.runners.spool import read_row
from physreel.storage import removed_on_error

HIDDEN = ".physreel"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def check_place(out: Path) -> list[dict[str, Any]]:
    """The manifest's lines of a folder that can be, or is, a data set; [] where there is none yet. Writes nothing.

    Raises:
        InputError: it is a file, not writable, or holds something else.
    """
    try:
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {out} is a file; name a folder that is new, empty or a physreel data set")
        if not out.exists():
            parent = next(parent for parent in out.absolute().parents if parent.exists())
            if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
                raise InputError(f"--out {out} cannot be made: {parent} is not a folder you may write to")
            return []
        if not os.access(out, os.R_OK | os.W_OK | os.X_OK):
            raise InputError(f"--out {out} is not writable; choose another folder or change its permissions")
        present = {entry.name for entry in out.iterdir()} - {HIDDEN}
    except (OSError, ValueError) as error:  # a name too long, a loop of links, a parent that may not be looked into
        raise InputError(f"--out {out} cannot be used: {getattr(error, 'strerror', None) or error}") from None
    if not present:
        return []
    if "manifest.jsonl" not in present:
        some = ", ".join(sorted(present)[:3])
        raise InputError(
            f"--out {out} is not empty and no physreel data set (it holds {some}); name a new or empty folder"
        )
    return read_manifest(out)


class DatasetFolder:
    """One scene's part of a data set's folder, locked for writing while ``opened``."""

    def __init__(self, out: Path, scene: str, exporter: Exporter, plan_record: dict[str, Any]) -> None:
        self.out = out
        self.scene = scene
        self.exporter = exporter
        self.plan_record = {"kind": "plan", "scene": scene} | plan_record
        self.spool = out / HIDDEN / scene

    # --- before anything is written --------------------------------------------------------------------------------

    def check(self, *, retry_failed: bool = False) -> None:
        """Raise InputError if this folder cannot become, or go on being, this data set. Writes nothing."""
        lines = check_place(self.out)
        self._check_same_plan(lines, retry_failed)
        self._check_same_exporter(lines)

    def _check_same_plan(self, lines: list[dict[str, Any]], retry_failed: bool) -> None:
        old = next((line for line in lines if line["kind"] == "plan" and line["scene"] == self.scene), None)
        if old is None:
            return
        changes = _differences(old["plan"], self.plan_record["plan"])
        if changes:
            raise InputError(
                f"--out {self.out} already holds scene {self.scene!r} from another request:\n"
                + "\n".join(f"  - {change}" for change in changes)
                + "\nRepeat the old request to go on with it, or name another folder."
            )
        versions = _differences(_versions(old), _versions(self.plan_record))
        if versions and (retry_failed or not self.is_complete(lines)):
            raise InputError(
                f"--out {self.out} was begun with other versions, and going on would mix them:\n"
                + "\n".join(f"  - {change}" for change in versions)
                + "\nGo back to those to go on with it, or name another folder."
            )

    def _check_same_exporter(self, lines: list[dict[str, Any]]) -> None:
        mine = self.plan_record["plan"]["exporter"]
        for line in lines:
            if line["kind"] == "plan" and line["plan"]["exporter"] != mine:
                raise InputError(
                    f"--out {self.out} is stored with exporter {line['plan']['exporter']!r} (scene {line['scene']!r}), "
                    f"not {mine!r}; use the same exporter, or name another folder"
                )

    def is_complete(self, lines: list[dict[str, Any]]) -> bool:
        """Whether every shard of the scene is in the manifest and on the disk."""
        done = [line for line in self._own(lines, "shard") if self._is_there(line)]
        samples = sum(line["samples"] for line in done)
        return bool(samples == self.plan_record["plan"]["count"])

    def _is_there(self, shard: dict[str, Any]) -> bool:
        try:
            return bool((self.out / shard["file"]).stat().st_size == shard["bytes"])
        except OSError:
            return False

    # --- while it is written ---------------------------------------------------------------------------------------

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make and lock the folder, repair what a killed run left, enter the plan; tidy up when all is done."""
        try:
            self.spool.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.out, os.O_RDONLY)
        except OSError as error:
            if error.errno in _FULL:
                raise storage_error(self.out, error) from None
            raise InputError(f"--out {self.out} cannot be made: {error.strerror}; name another folder") from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(
                    f"another run is writing to {self.out}; wait for it, stop it, or name another folder"
                ) from None
            with _storage_errors(self.out):
                self._repair()
            yield
        finally:
            os.close(lock)

    def _repair(self) -> None:
        for leftover in (*self.spool.glob("*.tmp"), *(self.out / HIDDEN).glob("*.tmp")):
            leftover.unlink(missing_ok=True)
        path = self.out / "manifest.jsonl"
        lines = read_manifest(self.out) if path.exists() else [FORMAT]
        if not any(line["kind"] == "plan" and line["scene"] == self.scene for line in lines):
            lines.append(self.plan_record)
        # What the manifest names but the disk does not have is to be made again.
        lines = self._without_shards(lines, lambda line: not self._is_there(line))
        self._write_manifest(lines)

    def forget_failed(self) -> None:
        """Let shards with missing samples be made again."""
        lines = read_manifest(self.out)
        missing = {(line["split"], line["shard"]) for line in self._own(lines, "failure")}
        with _storage_errors(self.out):
            self._write_manifest(self._without_shards(lines, lambda line: (line["split"], line["shard"]) in missing))

    def _without_shards(self, lines: list[dict[str, Any]], gone: Any) -> list[dict[str, Any]]:
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

    def _own(self, lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
        return [line for line in lines if line["kind"] == kind and line["scene"] == self.scene]

    def finished_shards(self) -> set[tuple[str, int]]:
        """(split, number) of the shards that are entered."""
        return {(line["split"], line["shard"]) for line in self._own(read_manifest(self.out), "shard")}

    def spooled(self, index: int) -> Path:
        """Where a finished sample waits for its shard."""
        return self.spool / f"{index:010d}.row"

    def commit(self, shard: Shard, failures: list[Failure]) -> None:
        """Write a shard whose samples are all spooled or failed, enter it, and empty its part of the spool."""
        name = self.exporter.shard_path(shard.split, shard.number, shard.count)
        failed = {failure.index for failure in failures}
        present = [index for index in shard.indices if index not in failed]
        hidden, final = self.spool / "shard.tmp", self.out / name
        with _storage_errors(self.out), removed_on_error(hidden):
            rows = self.exporter.write_shard((read_row(self.spooled(i)) for i in present), hidden)
            digest, size = _digest(hidden)
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(hidden, final)
            _sync_folder(final.parent)
            where = {"scene": self.scene, "split": shard.split, "shard": shard.number}
            lines = [{"kind": "failure"} | where | failure.to_record() for failure in failures]
            entry = {"file": name, "samples": len(shard.members), "rows": rows, "bytes": size, "sha256": digest}
            lines.append({"kind": "shard"} | where | entry)
            self._append(lines)
            self._write_index()
        for index in shard.indices:
            self.spooled(index).unlink(missing_ok=True)

    def _append(self, lines: list[dict[str, Any]]) -> None:
        path = self.out / "manifest.jsonl"
        size = path.stat().st_size
        try:
            with path.open("ab") as manifest:
                manifest.write("".join(map(manifest_line, lines)).encode())
                manifest.flush()
                os.fsync(manifest.fileno())
        except OSError:
            os.truncate(path, size)
            raise

    def finish(self) -> None:
        """Put the manifest in order and remove the spool: the same bytes, however often the run was disturbed."""
        with _storage_errors(self.out):
            lines = read_manifest(self.out)
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
                place = (splits[scene].index(line["split"]), line["shard"], rank[line["kind"]], line.get("index", 0))
                return (order[scene], *place)

            self._write_manifest(sorted(lines, key=key))
            self._write_index()
            shutil.rmtree(self.spool, ignore_errors=True)
            if not any((self.out / HIDDEN).iterdir()):
                (self.out / HIDDEN).rmdir()

    def _write_manifest(self, lines: list[dict[str, Any]]) -> None:
        self._write(self.out / "manifest.jsonl", "".join(map(manifest_line, lines)))

    def _write_index(self) -> None:
        scenes: dict[str, dict[str, list[str]]] = {}
        lines = read_manifest(self.out)
        for line in lines:
            if line["kind"] == "plan":
                scenes[line["scene"]] = {split: [] for split in line["plan"]["splits"]}
        for line in sorted((line for line in lines if line["kind"] == "shard"), key=lambda line: line["shard"]):
            scenes[line["scene"]][line["split"]].append(line["file"])
        for name, text in self.exporter.index_files(scenes).items():
            self._write(self.out / name, text)

    def _write(self, path: Path, text: str) -> None:
        data = text.encode()
        if path.exists() and path.read_bytes() == data:
            return
        hidden = self.out / HIDDEN / f"{path.name}.tmp"
        with removed_on_error(hidden):
            with hidden.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(hidden, path)
        _sync_folder(path.parent)


def _versions(record: dict[str, Any]) -> dict[str, Any]:
    """What a plan record says of code: scene version, source, physreel and libraries, flat."""
    plain = {name: record.get(name) for name in ("scene_version", "source", "physreel")}
    if plain["source"] is not None:
        plain["source"] = plain["source"][:12]
    libraries: dict[str, Any] = record.get("libraries", {})
    return plain | libraries


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        f"{key}: was {json.dumps(old.get(key))}, now {json.dumps(new.get(key))}"
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


@contextmanager
def _storage_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(out, error) from None


def storage_error(out: Path, error: OSError) -> StorageError:
    """What a failed write means to the user."""
    if error.errno in _FULL:
        what = f"no space is left for {out}; what is finished is whole. Make room"
    else:
        what = f"cannot write to {out}: {error.strerror or error}. Mend that"
    return StorageError(f"{what} and run the same command again: it goes on where it was")
