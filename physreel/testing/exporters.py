"""Checks of exporters."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from physreel import registry
from physreel.exporters.base import ExportContext, Exporter
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.testing.report import Report, require
from physreel.testing.worlds import CLIP
from physreel.values import PASSES


def check_exporter(exporter: str | type[Exporter]) -> tuple[str, ...]:
    """Contracts of an exporter: same bytes, every view a row, whole files, an index of what there is."""
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
    with report.check("names shards apart and lists them in the index"):
        names = [make().shard_path(split, k, 3) for split in ("train", "test") for k in range(3)]
        require(len(set(names)) == len(names), f"two shards have one name: {names}")
        require(all(not name.startswith("/") and ".." not in name for name in names), f"not relative: {names}")
        index = make().index_files({"falling": {"train": names[:3], "test": names[3:]}})
        require(index == make().index_files({"falling": {"train": names[:3], "test": names[3:]}}), "the index differs")
    return report.done()
