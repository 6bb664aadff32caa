"""Small data sets of samples made by hand, for tests of what stores and reads them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from sample_builders import PASSES, TestOutcome, make_sample

from physreel.exporters.base import ExportContext
from physreel.exporters.parquet import ParquetExporter
from physreel.manifest import FORMAT, MANIFEST, manifest_line
from physreel.values import Sample

CONTEXT = ExportContext(scene="by_hand", outcome_type=TestOutcome, passes=PASSES, audio=True)


def sample_of(index: int, *, cameras: int = 1) -> Sample:
    """A sample whose pictures are like those of no other sample and no other camera."""
    sample = make_sample(index, cameras=cameras)
    views = [
        replace(view, rgb=(view.rgb // 2 + 14 * index + 5 * k).astype(np.uint8))
        for k, view in enumerate(sample.clip.views)
    ]
    return replace(sample, clip=replace(sample.clip, views=tuple(views)))


def write_parquet(out: Path, *, shards=(("train", 3), ("train", 2), ("test", 2)), cameras: int = 1) -> Path:
    """A finished data set of Parquet: for each shard its split and how many samples."""
    exporter = ParquetExporter(CONTEXT)
    splits = list(dict.fromkeys(split for split, _ in shards))
    count = sum(size for _, size in shards)
    plan = {"scene": "by_hand", "count": count, "exporter": "parquet", "shard_size": 3,
            "splits": dict.fromkeys(splits, 1 / len(splits))}  # fmt: skip
    lines = [FORMAT, {"kind": "plan", "scene": "by_hand", "scene_version": 1, "physreel": "0", "plan": plan}]
    first = 0
    for at, (split, size) in enumerate(shards):
        number = sum(name == split for name, _ in shards[:at])
        name = exporter.shard_path(split, number, sum(own == split for own, _ in shards))
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded = (exporter.encode(sample_of(i, cameras=cameras)) for i in range(first, first + size))
        rows = exporter.write_shard(encoded, path)
        data = path.read_bytes()
        lines.append(
            {"kind": "shard", "scene": "by_hand", "split": split, "shard": number, "file": name, "samples": size,
             "rows": rows, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        )  # fmt: skip
        first += size
    (out / MANIFEST).write_text("".join(map(manifest_line, lines)))
    return out
