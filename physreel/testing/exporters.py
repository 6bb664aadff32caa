"""Checks of exporters."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from physreel import registry
from physreel.exporters.base import ExportContext, Exporter, FinishedShard, WholeExporter
from physreel.exporters.parquet import ParquetExporter
from physreel.exporters.rows import RowExporter
from physreel.loaders.shards import shard_rows
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.storage import open_store
from physreel.testing.report import Report, require
from physreel.testing.worlds import CLIP
from physreel.values import PASSES

_READABLE = (".parquet", ".tar")


def check_exporter(exporter: str | type[Exporter]) -> tuple[str, ...]:
    """Contracts of an exporter: same bytes, every view a row, whole files, an index of what there is.

    Of one that stores rows, also that rows which are there already are stored alike and come back as they were; of one
    that stores whole scenes, that a scene is written twice alike, every file under a name of its own.
    """
    exporter_type: type[Exporter] = registry.load("exporters", exporter)
    report = Report(f"exporter {exporter_type.name!r}")
    plan = Plan(scene="falling", count=2, clip=CLIP, passes=PASSES)
    pipeline = Pipeline(plan)
    samples = [pipeline.sample(i) for i in range(2)]
    context: ExportContext = pipeline.export_context()
    make: Callable[[], Exporter] = lambda: exporter_type(context)  # noqa: E731
    with report.check("encodes the same bytes again"):
        encoded = [make().encode(sample) for sample in samples]
        require(encoded == [make().encode(sample) for sample in samples], "a second encoding differs")
    with report.check("writes the same shard again, with a row for each view"), tempfile.TemporaryDirectory() as folder:
        encoded = [make().encode(sample) for sample in samples]
        paths = [Path(folder, name) for name in ("a", "b")]
        rows = [make().write_shard(iter(encoded), path) for path in paths]
        views = sum(len(sample.clip.views) for sample in samples)
        require(rows == [views, views], f"{views} views became {rows} rows")
        require(paths[0].read_bytes() == paths[1].read_bytes(), "two shards of the same samples differ")
    with report.check("writes a shard without samples"), tempfile.TemporaryDirectory() as folder:
        require(make().write_shard(iter(()), Path(folder, "none")) == 0, "no samples became rows")
        require(Path(folder, "none").is_file(), "there is no file")
    with report.check("names shards apart and lists them in the index"):
        names = [make().shard_path(split, k, 3) for split in ("train", "test") for k in range(3)]
        require(len(set(names)) == len(names), f"two shards have one name: {names}")
        require(all(not name.startswith("/") and ".." not in name for name in names), f"not relative: {names}")
        index = make().index_files({"falling": {"train": names[:3], "test": names[3:]}})
        require(index == make().index_files({"falling": {"train": names[:3], "test": names[3:]}}), "the index differs")
    if issubclass(exporter_type, RowExporter):
        with report.check("stores rows that are there already as it stores samples, and they come back"):
            _check_rows(exporter_type, context, [ParquetExporter(context).encode(sample) for sample in samples])
    if issubclass(exporter_type, WholeExporter):
        with report.check("writes a whole scene twice alike, each file once, under a name of its own"):
            _check_whole(exporter_type, context, [ParquetExporter(context).encode(sample) for sample in samples])
    return report.done()


def _check_rows(exporter_type: type[RowExporter], context: ExportContext, encoded: Sequence[bytes]) -> None:
    tables = _tables(encoded)
    with tempfile.TemporaryDirectory() as folder:
        direct = Path(folder, f"direct{exporter_type.suffix}")
        exporter_type(context).write_shard(iter(encoded), direct)
        again = Path(folder, f"again{exporter_type.suffix}")
        exporter_type.of_schema(context.scene, tables[0].schema).write_rows(iter(tables), again)
        require(direct.read_bytes() == again.read_bytes(), "rows that were read from Parquet are stored otherwise")
        if exporter_type.suffix in _READABLE:
            found = list(shard_rows(open_store(folder), again.name))
            require(found == [row for table in tables for row in table.to_pylist()], "rows come back otherwise")


def _check_whole(exporter_type: type[WholeExporter], context: ExportContext, encoded: Sequence[bytes]) -> None:
    tables = _tables(encoded)

    def samples(columns: Sequence[str] | None) -> Any:
        for table in tables:
            yield table if columns is None else table.select([n for n in table.column_names if n in columns])

    shard = FinishedShard(split="train", number=0, count=1, schema=tables[0].schema, samples=samples)
    written: list[dict[str, bytes]] = []
    for _ in range(2):
        files: dict[str, bytes] = {}
        shards = 0
        with tempfile.TemporaryDirectory() as folder:
            for file in exporter_type.write_whole(context.scene, [shard], Path(folder)):
                require(file.name not in files, f"{file.name} is written twice")
                require(not file.name.startswith("/") and ".." not in file.name, f"{file.name} is not relative")
                files[file.name] = file.path.read_bytes()
                shards += file.shard == ("train", 0)
        require(shards == 1, f"{shards} of its files hold the rows of the shard, not one")
        written.append(files)
    require(list(written[0]) == list(written[1]), "the second time the files are others, or in another order")
    differing = [name for name in written[0] if written[0][name] != written[1][name]]
    require(not differing, f"written a second time they differ: {', '.join(differing)}")


def _tables(encoded: Sequence[bytes]) -> list[pa.Table]:
    return [pq.read_table(pa.BufferReader(blob)) for blob in encoded]
