"""From one format to another: rows are taken from finished shards and stored anew; nothing is made again."""

from __future__ import annotations

import os
import shutil
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice
from typing import Any

from physreel import registry
from physreel.errors import InputError
from physreel.exporters.base import Exporter, FinishedShard, WholeExporter, WrittenFile
from physreel.exporters.rows import RowExporter
from physreel.loaders.shards import sample_tables, shard_schema
from physreel.manifest import read_manifest
from physreel.runners.converted import Target
from physreel.runners.local import Progress
from physreel.runners.place import check_place
from physreel.storage import Address, Store, is_remote, open_store

_SHOWN = 5
_SAVES = 200
"""How often the manifest is written while a scene is converted, at most; it is written whole."""

_READABLE = (".parquet", ".tar")


@dataclass(frozen=True, kw_only=True)
class ConvertSummary:
    """How a conversion ended.

    Attributes:
        out: where the new data set is.
        scenes: its scenes.
        clips: how many it has.
        made: how many of them were written now; the rest was there already.
        bytes: size of all its files but manifest and README.
    """

    out: str
    scenes: tuple[str, ...]
    clips: int
    made: int
    bytes: int


@dataclass(frozen=True)
class NewShard:
    """A shard to be: ``first`` to ``last`` of the samples that are there of its split, and what is missing in it."""

    split: str
    number: int
    count: int
    first: int
    last: int
    failures: tuple[Mapping[str, Any], ...]

    @property
    def key(self) -> tuple[str, int]:
        """Its split and number."""
        return self.split, self.number


class Source:
    """One scene of a finished data set.

    Args:
        store: where it lies.
        scene: name of the scene.
        lines: of the data set's manifest.
    """

    def __init__(self, store: Store, scene: str, lines: Sequence[Mapping[str, Any]]) -> None:
        self.store, self.scene = store, scene
        own = [line for line in lines if line.get("scene") == scene]
        self.plan_line = next(line for line in own if line["kind"] == "plan")
        self.splits: list[str] = list(self.plan_line["plan"]["splits"])
        shards = [line for line in own if line["kind"] == "shard"]
        self.shards = sorted(shards, key=lambda line: (self.splits.index(line["split"]), line["shard"]))
        self.failures = [line for line in own if line["kind"] == "failure"]
        lost = Counter((line["split"], line["shard"]) for line in self.failures)
        self._of_split: dict[str, tuple[list[Mapping[str, Any]], list[int]]] = {}
        for split in self.splits:
            old = [line for line in self.shards if line["split"] == split]
            there = (line["samples"] - lost[split, line["shard"]] for line in old)
            self._of_split[split] = old, list(accumulate(there, initial=0))

    def problems(self, sizes: Mapping[str, int]) -> list[str]:
        """Why it cannot be converted; ``sizes`` are those of the data set's files."""
        found = []
        if not self.shards:
            return [f"scene {self.scene!r} has no finished shards: finish it first"]
        there, asked = sum(line["samples"] for line in self.shards), self.plan_line["plan"]["count"]
        if there != asked:
            found.append(f"scene {self.scene!r} is not complete, {there} of {asked} clips are done: finish it first")
        if self.plan_line["plan"]["exporter"] == "lerobot":
            found.append(f"scene {self.scene!r} is stored as lerobot, which does not keep the mp4 files as they were")
        elif other := [line["file"] for line in self.shards if not line["file"].endswith(_READABLE)]:
            found.append(f"{other[0]} is of a format that cannot be read back")
        damaged = [line["file"] for line in self.shards if sizes.get(line["file"]) != line["bytes"]]
        found += [f"{name} is missing or not as it was written: `physreel repair`" for name in damaged[:_SHOWN]]
        if len(damaged) > _SHOWN:
            found.append(f"and {len(damaged) - _SHOWN} more such shards")
        return found

    @cached_property
    def schema(self) -> Any:
        """Arrow schema of the rows."""
        return shard_schema(self.store, self.shards[0]["file"])

    def new_shards(self, shard_size: int | None) -> list[NewShard]:
        """The shards to be: those that there are, or of so many samples each."""
        found = []
        for split in self.splits:
            old, _ = self._of_split[split]
            failed = [line for line in self.failures if line["split"] == split]
            sizes = [
                (line["samples"], [one for one in failed if one["shard"] == line["shard"]])  # in order of index
                for line in old
            ]
            if shard_size is not None:
                sizes = self._cut(old, failed, shard_size)
            first = 0
            for number, (samples, missing) in enumerate(sizes):
                last = first + samples - len(missing)
                named = tuple({**line, "shard": number} for line in missing)
                found.append(NewShard(split, number, len(sizes), first, last, named))
                first = last
        return found

    def _cut(
        self, old: Sequence[Mapping[str, Any]], failed: Sequence[Mapping[str, Any]], size: int
    ) -> list[tuple[int, list[Mapping[str, Any]]]]:
        missing = {line["index"]: line for line in failed}
        indices = sorted([*self._indices(old), *missing]) if missing else range(sum(line["samples"] for line in old))
        runs = [indices[at : at + size] for at in range(0, len(indices), size)]
        return [(len(run), [missing[index] for index in run if index in missing]) for run in runs]

    def _indices(self, shards: Sequence[Mapping[str, Any]]) -> Iterator[int]:
        for line in shards:
            for table in sample_tables(self.store, line["file"], rows=line["rows"], columns=["index"]):
                yield table["index"][0].as_py()

    def samples(self, shard: NewShard, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The samples of a shard to be, each a table of its rows."""
        old, starts = self._of_split[shard.split]
        for k in range(max(bisect_right(starts, shard.first) - 1, 0), len(old)):
            if starts[k] >= shard.last:
                break
            line, there = old[k], starts[k + 1] - starts[k]
            begin, end = max(shard.first - starts[k], 0), min(shard.last - starts[k], there)
            if begin < end:
                tables = sample_tables(self.store, line["file"], rows=line["rows"], columns=columns)
                yield from islice(tables, begin, None if end == there else end)


def convert(
    source: Address,
    out: Address,
    to: str,
    *,
    shard_size: int | None = None,
    progress: Progress | None = None,
) -> ConvertSummary:
    """Write a finished data set once more in another format. Killed or stopped, the same call goes on.

    Args:
        source: a data set: folder, or address that fsspec knows.
        out: where the new one goes: new, empty, or begun by the same call.
        to: name of an exporter: webdataset, parquet, lerobot.
        shard_size: samples in a shard; None for the shards that there are.
        progress: called with (samples done, samples in all, samples that are missing in the source).

    Raises:
        InputError: it cannot be done; all that is wrong is told, and nothing has been written.
        StorageError: ``out`` cannot be written to any more; the same call goes on later.
    """
    exporter: type[Exporter] | None = None
    problems: list[str] = []
    try:
        exporter = registry.load("exporters", to)
        if not issubclass(exporter, RowExporter):
            problems.append(f"--to {to}: this exporter cannot store rows that are there already")
    except InputError as error:
        problems.append(f"--to: {error}")
    if shard_size is not None and not 1 <= shard_size <= 100_000:
        problems.append(f"--shard-size: must be 1 to 100000, got {shard_size}")
    problems += _same_place(source, out)
    sources: list[Source] = []
    try:
        store = open_store(source)
        lines = read_manifest(store)
        sources = [Source(store, line["scene"], lines) for line in lines if line["kind"] == "plan"]
        if not sources:
            problems.append(f"{os.fspath(source)} holds no scene yet: finish it first")
        sizes = store.sizes() if sources else {}
        problems += [problem for one in sources for problem in one.problems(sizes)]
    except InputError as error:
        problems.append(str(error))
    plans = [_new_plan(one, to, shard_size) for one in sources]
    target: Store | None = None
    try:
        target = open_store(out)
        there = check_place(target)
        problems += _other_plans(target, there, plans) if not problems else []
    except InputError as error:
        problems.append(str(error).removeprefix("--out "))
    if problems:
        raise InputError("\n".join([f"cannot convert {os.fspath(source)}:", *(f"  - {line}" for line in problems)]))
    assert exporter is not None
    assert target is not None
    with Target(target).opened() as place:
        place.begin(plans)
        made = Conversion(exporter, place, progress, sources, shard_size).run()
        size = sum(line["bytes"] for line in place.lines if "bytes" in line)
    clips = sum(_present(one) for one in sources)
    scenes = tuple(one.scene for one in sources)
    return ConvertSummary(out=os.fspath(out), scenes=scenes, clips=clips, made=made, bytes=size)


class Conversion:
    """Stores scenes in a place, shard by shard or as wholes; what is there already is left."""

    def __init__(
        self,
        exporter: type[Exporter],
        place: Target,
        progress: Progress | None,
        sources: Sequence[Source],
        shard_size: int | None,
    ) -> None:
        self.exporter, self.place, self.progress = exporter, place, progress
        self.sources, self.shard_size = sources, shard_size
        self.total = sum(source.plan_line["plan"]["count"] for source in sources)
        self.failed = sum(len(source.failures) for source in sources)
        self.done = self.failed

    def run(self) -> int:
        """Returns how many samples were written. What the format cannot hold is told before anything is written."""
        parts = [(source, source.new_shards(self.shard_size)) for source in self.sources]
        wholes = [self._whole_files(*part) for part in parts] if issubclass(self.exporter, WholeExporter) else []
        self.place.save()
        made = 0
        self._tell(0)
        for k, (source, shards) in enumerate(parts):
            made += self._whole(source, shards, wholes[k]) if wholes else self._rows(source, shards)
        self.place.finish(self._exporter(self.sources[0]))
        return made

    def _exporter(self, source: Source) -> RowExporter:
        assert issubclass(self.exporter, RowExporter)
        return self.exporter.of_schema(source.scene, source.schema)

    def _tell(self, more: int) -> None:
        self.done += more
        if self.progress is not None:
            self.progress(self.done, self.total, self.failed)

    def _counted(self, tables: Iterator[Any]) -> Iterator[Any]:
        for table in tables:
            yield table
            self._tell(1)

    def _rows(self, source: Source, shards: Sequence[NewShard]) -> int:
        made = 0
        exporter = self._exporter(source)
        kept_every = -(-len(shards) // _SAVES)
        for k, shard in enumerate(shards):
            if self.place.has_shard(source.scene, shard.key):
                self._tell(shard.last - shard.first)
                continue
            path = self.place.hidden / "shard"
            rows = exporter.write_rows(self._counted(source.samples(shard)), path)
            name = exporter.shard_path(shard.split, shard.number, shard.count)
            self.place.put(path, name, _shard_lines(source.scene, shard, rows))
            if k % kept_every == 0:
                self.place.save()
            made += shard.last - shard.first
        return made

    def _whole_files(self, source: Source, shards: Sequence[NewShard]) -> Iterator[WrittenFile] | None:
        """What writes a scene's files; None where they are there already."""
        assert issubclass(self.exporter, WholeExporter)
        if self.place.has_whole(source.scene, [shard.key for shard in shards]):
            return None
        finished = [
            FinishedShard(
                split=shard.split,
                number=shard.number,
                count=shard.count,
                schema=source.schema,
                samples=lambda columns, shard=shard: self._seen(source, shard, columns),  # type: ignore[misc]
            )
            for shard in shards
        ]
        return self.exporter.write_whole(source.scene, finished, self.place.hidden / "whole")

    def _whole(self, source: Source, shards: Sequence[NewShard], files: Iterator[WrittenFile] | None) -> int:
        here = sum(shard.last - shard.first for shard in shards)
        if files is None:
            self._tell(here)
            return 0
        self.place.forget(source.scene)
        by_key = {shard.key: shard for shard in shards}
        folder = self.place.hidden / "whole"
        folder.mkdir()
        for written in files:
            lines = [{"kind": "file", "scene": source.scene}]
            if written.shard is not None:
                lines = _shard_lines(source.scene, by_key[written.shard], written.rows)
            self.place.put(written.path, written.name, lines)
        self.place.save()
        shutil.rmtree(folder)
        return here

    def _seen(self, source: Source, shard: NewShard, columns: Sequence[str] | None) -> Iterator[Any]:
        tables = source.samples(shard, columns)
        return self._counted(tables) if columns is None else tables


def _shard_lines(scene: str, shard: NewShard, rows: int) -> list[dict[str, Any]]:
    where = {"scene": scene, "split": shard.split, "shard": shard.number}
    entry = {"kind": "shard"} | where | {"samples": shard.last - shard.first + len(shard.failures), "rows": rows}
    return [*(dict(line) for line in shard.failures), entry]


def _present(source: Source) -> int:
    return int(sum(line["samples"] for line in source.shards)) - len(source.failures)


def _new_plan(source: Source, to: str, shard_size: int | None) -> dict[str, Any]:
    plan = dict(source.plan_line["plan"]) | {"exporter": to}
    if shard_size is not None:
        plan["shard_size"] = shard_size
    return dict(source.plan_line) | {"plan": plan}


def _other_plans(store: Store, there: Sequence[Mapping[str, Any]], plans: Sequence[Mapping[str, Any]]) -> list[str]:
    old = [dict(line) for line in there if line["kind"] == "plan"]
    if not there or old == [dict(plan) for plan in plans]:
        return []
    return [f"{store} holds another data set than this one would be; name a new or empty folder"]


def _same_place(source: Address, out: Address) -> list[str]:
    one, other = os.fspath(source).rstrip("/"), os.fspath(out).rstrip("/")
    if not is_remote(source) and not is_remote(out):
        one, other = (os.path.realpath(path.removeprefix("file://")) for path in (one, other))
    if one == other:
        return [f"{os.fspath(out)} is the data set itself; name another folder"]
    if other.startswith(f"{one}/") or one.startswith(f"{other}/"):
        return [f"one of {os.fspath(source)} and {os.fspath(out)} is inside the other; name another folder"]
    return []
