"""Puts the parts that the jobs of an array wrote together: the same bytes as one run would have written."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from physreel.errors import CheckError, InputError
from physreel.manifest import FORMAT, MANIFEST, part_names, part_of, read_manifest
from physreel.runners.base import Part, RunSummary
from physreel.runners.folder import DatasetFolder, differences, file_digest, versions_of
from physreel.runners.local import summary
from physreel.runners.lock import part_leases
from physreel.runners.place import HIDDEN
from physreel.runners.recorded import Recorded, plans_of
from physreel.storage import Address, Store, open_store

Key = tuple[str, str, int]
_SHOWN = 20


def merge(sources: Sequence[Address], out: Address | None = None, *, partial: bool = False) -> list[RunSummary]:
    """Make one data set of the parts of an array's jobs.

    Args:
        sources: data sets that hold parts, or a whole scene. One alone is merged in its own place.
        out: where the whole is to be, if not in the one source's place; the sources are left as they are.
        partial: merge what there is. The same request without a part then goes on with it.

    Returns:
        What the data set holds of each scene.

    Raises:
        InputError: parts are of different requests or versions, or shards are missing; nothing has been changed.
        CheckError: a shard is not what its manifest says.
    """
    stores = [open_store(source) for source in sources]
    if out is None:
        if len(stores) != 1:
            raise InputError(f"{len(stores)} data sets are to be merged: say where to with --out, a place of its own")
        return _merge_in_place(stores[0], partial=partial)
    target = open_store(out)
    if target.address in [store.address for store in stores]:
        raise InputError(f"--out {target} is one of those that are merged; name another place, or merge it alone")
    return _merge_into(target, stores, partial=partial)


@dataclass
class _Found:
    """What manifests hold together.

    Attributes:
        plans: scene → its plan line.
        arrays: scene → how many jobs its array has.
        parts: scene → jobs of which there is a manifest.
        lines: a shard's own line, after those of its failures.
        homes: where a shard lies.
    """

    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, int] = field(default_factory=dict)
    parts: dict[str, set[int]] = field(default_factory=dict)
    lines: dict[Key, list[dict[str, Any]]] = field(default_factory=dict)
    homes: dict[Key, Store] = field(default_factory=dict)
    rest: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, store: Store, name: str) -> None:
        part = None if name == MANIFEST else part_of(name)
        failures: dict[Key, list[dict[str, Any]]] = {}
        for line in read_manifest(store, name):
            if line["kind"] == "plan":
                self._add_plan(line, f"{store}/{name}", part)
            elif line["kind"] == "failure":
                failures.setdefault(_key(line), []).append(line)
            elif line["kind"] == "shard":
                self._add_shard(store, [*failures.pop(_key(line), []), line])
            elif line["kind"] != "format" and line not in self.rest:
                self.rest.append(line)

    def _add_plan(self, line: dict[str, Any], where: str, part: tuple[int, int] | None) -> None:
        scene = line["scene"]
        known = self.plans.setdefault(scene, line)
        changes = differences(known["plan"], line["plan"]) + differences(versions_of(known), versions_of(line))
        self.problems += [f"{where} is of another request or other versions: {change}" for change in changes]
        if part is not None:
            if self.arrays.setdefault(scene, part[1]) != part[1]:
                self.problems.append(f"{where} is of an array of {part[1]} jobs, another of {self.arrays[scene]}")
            self.parts.setdefault(scene, set()).add(part[0])

    def _add_shard(self, store: Store, lines: list[dict[str, Any]]) -> None:
        key = _key(lines[-1])
        known = self.lines.setdefault(key, lines)
        self.homes.setdefault(key, store)
        if known[-1]["sha256"] != lines[-1]["sha256"]:
            self.problems.append(f"{lines[-1]['file']} is there twice, with different bytes")

    def check(self, *, partial: bool) -> None:
        """Raise InputError unless all of every array's scene is there; with ``partial`` leave out what is not."""
        if self.problems:
            raise _refused(self.problems)
        sizes = {id(store): store.sizes() for store in self.homes.values()}
        for key, store in list(self.homes.items()):
            line = self.lines[key][-1]
            if key[0] in self.arrays and sizes[id(store)].get(line["file"]) != line["bytes"]:
                del self.lines[key], self.homes[key]
        missing = [] if partial else [words for scene in self.arrays for words in self.missing(scene)]
        if missing:
            raise _refused([*missing, "run those jobs (again), or merge what there is with --partial"])

    def check_names(self, recorded: Recorded) -> None:
        """Raise InputError where a shard has not the name that its plan gives it: it might lead out of the target."""
        for key, lines in self.lines.items():
            shard = recorded.find(lines[-1]["file"]) if key[0] == recorded.scene else None
            if key[0] == recorded.scene and (shard is None or shard.key != key[1:]):
                where = f"{self.homes[key]}: the manifest calls a shard of scene {key[0]!r} {lines[-1]['file']!r}"
                raise _refused([f"{where}, which is no name of its plan's; it is not as a run wrote it"])

    def missing(self, scene: str) -> list[str]:
        """Which shards of an array's scene are not there, by job."""
        recorded, count = Recorded(self.plans[scene]), self.arrays[scene]
        places = [recorded.shards.place(*key[1:]) for key in self.lines if key[0] == scene]
        there = Counter(place % count for place in places if place is not None)
        words = []
        for number in range(1, count + 1):
            part = Part(number, count)
            planned = len(part.of(recorded.shards))
            if lacking := planned - there[number - 1]:
                begun = "" if number in self.parts[scene] else " (it has not begun)"
                words.append(f"scene {scene!r}, job {part}: {lacking} of {planned} shards are missing{begun}")
        return words

    def all_lines(self) -> list[dict[str, Any]]:
        """What the manifest of the whole is to say, in any order."""
        return [FORMAT, *self.plans.values(), *(line for lines in self.lines.values() for line in lines), *self.rest]


def _key(line: dict[str, Any]) -> Key:
    return line["scene"], line["split"], line["shard"]


def _refused(problems: list[str]) -> InputError:
    more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN + 1 else []
    shown = problems[:_SHOWN] + more if more else problems
    return InputError("these parts cannot be merged:\n" + "\n".join(f"  - {problem}" for problem in shown))


def _collect(stores: Sequence[Store]) -> _Found:
    found = _Found()
    for store in stores:
        names = part_names(store)
        whole = [MANIFEST] if store.size(MANIFEST) is not None or not names else []
        for name in [*whole, *names]:
            found.add(store, name)
    return found


def _merge_in_place(store: Store, *, partial: bool) -> list[RunSummary]:
    names = part_names(store)
    found = _collect([store])
    found.check(partial=partial)
    if names:
        last = plans_of(list(found.plans.values()))[-1]
        folder = DatasetFolder(store.address, last.scene, last.exporter, last.record)
        with folder.locked():
            # Between the first look and the lock, jobs may have gone on.
            found = _collect([store])
            found.check(partial=partial)
            folder.write_all(found.all_lines())
            unfinished = {scene for scene in found.plans if scene in found.arrays and found.missing(scene)}
            for name in part_names(store):
                _remove_part(store, Part(*part_of(name)), unfinished)
                store.remove(name)
            for name in part_leases(store):
                store.remove(name)
            if last.scene not in unfinished:
                folder.tidy()
    return [summary(store.address, scene) for scene in found.plans]


def _remove_part(store: Store, part: Part, unfinished: set[str]) -> None:
    """Remove what a job keeps hidden on this machine; clips that wait are left to the run that goes on."""
    if store.folder is None:
        return
    hidden = store.folder / HIDDEN / part.folder
    for row in hidden.glob("*/*.row"):
        if row.parent.name in unfinished:
            waiting = store.folder / HIDDEN / row.parent.name
            waiting.mkdir(exist_ok=True)
            row.replace(waiting / row.name)
    shutil.rmtree(hidden, ignore_errors=True)


def _merge_into(target: Store, stores: Sequence[Store], *, partial: bool) -> list[RunSummary]:
    found = _collect(stores)
    found.check(partial=partial)
    folders = []
    for recorded in plans_of(list(found.plans.values())):
        found.check_names(recorded)
        folder = DatasetFolder(target.address, recorded.scene, recorded.exporter, recorded.record)
        folder.check()
        folders.append(folder)
    for folder in folders:
        with folder.opened():
            there = folder.finished_shards()
            for key, lines in found.lines.items():
                if key[0] == folder.scene and key[1:] not in there:
                    _copy(found.homes[key], folder, lines)
            folder.finish()
    return [summary(target.address, scene) for scene in found.plans]


def _copy(home: Store, folder: DatasetFolder, lines: list[dict[str, Any]]) -> None:
    hidden = folder.spool / "shard.tmp"
    name = lines[-1]["file"]
    with home.open(name) as there, folder.writing(hidden) as here:
        shutil.copyfileobj(there, here, 1 << 20)
    digest, _ = file_digest(hidden)
    if digest != lines[-1]["sha256"]:
        hidden.unlink()
        raise CheckError(f"{home}/{name} is not what its manifest says; remove it and run its job again")
    folder.enter(hidden, lines)
