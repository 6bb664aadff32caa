"""Makes anew exactly what is damaged of a data set, from what its manifest says was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from physreel.errors import InputError
from physreel.manifest import MANIFEST, healed, part_names, scan
from physreel.pipeline import Pipeline
from physreel.runners.base import Failure, Shard
from physreel.runners.folder import DatasetFolder, differences, versions_of
from physreel.runners.local import Run, local_makers, plan_record
from physreel.runners.place import HIDDEN, remove_if_empty, storage_errors
from physreel.runners.recorded import Recorded, plans_of
from physreel.runners.status import (
    Problem,
    Status,
    index_files,
    index_problems,
    manifest_text,
    no_manifest,
    status,
    without_twins,
    wrong_sizes,
    wrong_sums,
)
from physreel.scenes.base import Scene
from physreel.storage import Address, Store, open_store

Progress = Callable[[int, int, int], None]
_MADE_AGAIN = ("missing", "size", "checksum")


@dataclass
class Repaired:
    """What a repair did.

    Attributes:
        made: shards that were made anew, by name.
        confirmed: shards that the manifest did not know any more, and that are what making them anew gives.
        removed: files that a run had left, or that did not belong there.
        refused: shards that came out with other bytes than the manifest has the sum of; left as they were.
        manifest: whether the manifest was mended.
        index: files that describe the whole and were written anew.
        after: the state of the data set now.
    """

    after: Status
    made: list[str] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    manifest: bool = False
    index: list[str] = field(default_factory=list)


def repair(
    out: Address,
    *,
    workers: int | None = None,
    allow_versions: bool = False,
    remove_strays: bool = False,
    scenes: Sequence[type[Scene]] = (),
    progress: Progress | None = None,
) -> Repaired:
    """Mend a data set; files that are not damaged are not touched.

    Args:
        out: folder, or address that fsspec knows.
        workers: as for ``run``.
        allow_versions: try with what is installed, even if that is not what the data set was made with. A shard counts
            only if its bytes are those that the manifest has the sum of.
        remove_strays: remove files, too, that no run can have left.
        scenes: classes of scenes that cannot be found by the name that the manifest has.
        progress: called with (samples done, samples in all, samples failed), scene by scene.

    Raises:
        InputError: it cannot be mended; says why. Nothing has been changed.
    """
    store = open_store(out)
    last = plans_of(_readable(store))[-1]
    keeper = DatasetFolder(store.address, last.scene, last.exporter, last.record)
    with keeper.locked(), storage_errors(store, keeper.hidden):
        try:
            result = _mended(store, keeper, workers, allow_versions, remove_strays, scenes, progress)
        finally:
            _remove_empty(keeper)
    result.after = status(store.address, checksums=True)
    return result


def _mended(
    store: Store,
    keeper: DatasetFolder,
    workers: int | None,
    allow_versions: bool,
    remove_strays: bool,
    scenes: Sequence[type[Scene]],
    progress: Progress | None,
) -> Repaired:
    sizes = store.sizes()
    lines = _readable(store)
    works = [_Work(store, recorded, lines, sizes) for recorded in plans_of(lines)]
    works = [work for work in works if work.todo]
    problems = [words for work in works for words in work.prepare(scenes, allow_versions)]
    if problems:
        raise InputError(f"{store} cannot be mended here:\n" + "\n".join(f"  - {words}" for words in problems))
    result = Repaired(Status(store.address))
    before = manifest_text(store)
    for work in works:
        lines = work.run(lines, workers, result, progress)
    result.index = [problem.file for problem in index_problems(store, index_files(lines))]
    keeper.write_all(lines)
    result.manifest = store.read(MANIFEST) != before
    folders = [keeper, *(work.folder for work in works if work.folder is not None)]
    _tidy(store, folders, result, remove_strays=remove_strays)
    return result


def _readable(store: Store) -> list[dict[str, Any]]:
    """The manifest's lines, with what one changed byte explains set right; InputError where there are none."""
    if part_names(store):
        raise InputError(
            f"{store} holds parts of an array of jobs; run those jobs again, which makes what is missing, then "
            f"`physreel merge {store}`"
        )
    if store.size(MANIFEST) is None:
        raise InputError(no_manifest(store, store.sizes()))
    read = scan(healed(manifest_text(store)))
    if not read.ours or read.without_plan or not any(line["kind"] == "plan" for line in read.lines):
        lost = ", ".join(map(repr, read.without_plan)) or "any scene"
        raise InputError(
            f"{store}/{MANIFEST} is damaged, and what was asked for of {lost} is lost, so nothing can be made anew. "
            "The shards that are whole can still be read by pyarrow and others; to have a data set again, repeat the "
            "request with a new folder as --out"
        )
    return without_twins(read.lines)


class _Work:
    """What of one scene is to be made anew."""

    def __init__(self, store: Store, recorded: Recorded, lines: list[dict[str, Any]], sizes: dict[str, int]) -> None:
        self.store, self.recorded = store, recorded
        own = [line for line in lines if line.get("scene") == recorded.scene]
        self.entered = {line["file"]: line for line in own if line["kind"] in ("shard", "file")}
        sized = [line for line in self.entered.values() if sizes.get(line["file"]) == line["bytes"]]
        broken = {problem.file for problem in wrong_sizes(sizes, list(self.entered.values()))}
        broken |= {problem.file for problem in wrong_sums(store, sized)}
        self.todo = sorted(broken | set(recorded.loose(sizes, own)))
        self.failures: dict[str, list[dict[str, Any]]] = {
            name: [
                line
                for line in own
                if line["kind"] == "failure" and (line["split"], line["shard"]) == (entry["split"], entry["shard"])
            ]
            for name, entry in self.entered.items()
            if entry["kind"] == "shard"
        }
        self.shards: dict[str, Shard] = {}
        self.scene: type[Scene] | None = None
        self.pipeline: Pipeline | None = None
        self.folder: DatasetFolder | None = None

    def prepare(self, scenes: Sequence[type[Scene]], allow_versions: bool) -> list[str]:
        """Find what is needed to make it; returns why that cannot be."""
        recorded = self.recorded
        files = f"{len(self.todo)} file{'s are' if len(self.todo) > 1 else ' is'}"
        what = f"scene {recorded.scene!r}, of which {files} to be made anew"
        found = {name: recorded.find(name) for name in self.todo}
        self.shards = {name: shard for name, shard in found.items() if shard is not None}
        if len(self.shards) < len(self.todo):
            some = ", ".join(self.todo[:3]) + (", …" if len(self.todo) > 3 else "")
            return [
                f"{what} ({some}): files of the format {recorded.plan.exporter!r} number clips throughout and are "
                "written from a whole data set; remove those that are damaged, and run the command that wrote them, "
                "generate or convert, once more with the same place: it writes what is missing"
            ]
        self.scene = next((one for one in scenes if one.name == recorded.scene), None)
        try:
            self.pipeline = Pipeline(recorded.plan, scene=self.scene)
        except InputError as error:
            return [f"{what}: {error}"]
        if self.pipeline.scene.name != recorded.scene:
            return [f"{what}: {recorded.plan.scene} is now called {self.pipeline.scene.name!r}"]
        changes = differences(versions_of(recorded.line), versions_of(plan_record(self.pipeline)))
        if changes and not allow_versions:
            return [
                f"{what}: {change}; install that, or try with what is here by --allow-versions (only shards that come "
                "out with the same bytes are taken)"
                for change in changes
            ]
        return []

    def run(
        self, lines: list[dict[str, Any]], workers: int | None, result: Repaired, progress: Progress | None
    ) -> list[dict[str, Any]]:
        """Make it; returns the manifest's lines as they are then."""
        pipeline = self.pipeline
        assert pipeline is not None
        folder = _Mending(self.store.address, self, lines, result)
        shards = []
        for name in self.todo:
            shard = self.shards[name]
            lost = {line["index"] for line in self.failures.get(name, ())}
            members = np.array([index for index in shard.indices if index not in lost], np.int64)
            shards.append(Shard(shard.split, shard.number, shard.count, members))
        folder.spool.mkdir(parents=True, exist_ok=True)
        total = sum(len(shard.members) for shard in shards)
        Run(folder, shards, total, progress).run(local_makers(pipeline, self.scene, workers))
        self.folder = folder
        return folder.lines


class _Mending(DatasetFolder):
    """Takes shards that were made anew, if they are what they should be."""

    def __init__(self, out: Address, work: _Work, lines: list[dict[str, Any]], result: Repaired) -> None:
        pipeline = work.pipeline
        assert pipeline is not None
        super().__init__(out, work.recorded.scene, pipeline.exporter, work.recorded.record)
        self.work, self.lines, self.result = work, list(lines), result

    def commit(self, shard: Shard, failures: list[Failure]) -> None:
        """See DatasetFolder.commit."""
        hidden, entry = self.assembled(shard, failures)
        name = entry["file"]
        known = self.work.entered.get(name)
        if known is not None and known["sha256"] != entry["sha256"]:
            hidden.unlink()
            self.result.refused.append(name)
        elif known is None and self._is_there_already(entry):
            hidden.unlink()
            self.result.confirmed.append(name)
        else:
            with self._errors():
                self.store.put(hidden, name)
            self.result.made.append(name)
        if known is None:
            where = {"scene": self.scene, "split": shard.split, "shard": shard.number}
            self.lines += [{"kind": "failure"} | where | failure.to_record() for failure in failures]
            self.lines.append({"kind": "shard"} | where | entry)
        self.empty_spool(shard)

    def _is_there_already(self, entry: dict[str, Any]) -> bool:
        line = entry | {"scene": self.scene}
        return self.store.size(entry["file"]) == entry["bytes"] and not wrong_sums(self.store, [line])


def _tidy(store: Store, folders: Sequence[DatasetFolder], result: Repaired, *, remove_strays: bool) -> None:
    """Remove what runs have left; clips that wait for the shards of an unfinished scene stay."""
    now = status(store.address)
    for name in _not_ours(store, now):
        leftover = name.startswith(f"{HIDDEN}/") or Path(name).name.startswith(".")
        if f"{HIDDEN}/lock-" in name or now.waits(name) or not (leftover or remove_strays):
            continue
        store.remove(name)
        result.removed.append(name)
    complete = {scene.scene for scene in now.scenes if scene.complete}
    for folder in folders:
        if folder.scene in complete:
            folder.tidy()


def _remove_empty(keeper: DatasetFolder) -> None:
    hidden = keeper.hidden
    for path in (*sorted(hidden.rglob("*"), reverse=True), hidden):
        remove_if_empty(path)  # not a file, nor a folder in which something waits


def _not_ours(store: Store, now: Status) -> list[str]:
    lines = scan(store.read(MANIFEST)).lines
    ours = {MANIFEST} | set(index_files(lines)) | {line["file"] for line in lines if "file" in line}
    kept = {problem.file for problem in now.problems if isinstance(problem, Problem) and problem.what in _MADE_AGAIN}
    return [name for name in store.names() if name not in ours | kept]
