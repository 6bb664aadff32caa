"""Small data sets made by hand, for tests of the page that shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sample_builders import PASSES, TestOutcome, make_sample

from physreel.exporters.base import ExportContext
from physreel.exporters.rows import row_schema, sample_rows
from physreel.manifest import FORMAT, manifest_line


def rows_of(count: int, **how) -> tuple[list[dict], pa.Schema]:
    """Rows of ``make_sample`` and their schema."""
    context = ExportContext(
        scene="by_hand",
        outcome_type=TestOutcome,
        passes=how.get("passes", PASSES),
        audio=how.get("sound", True),
    )
    return [row for k in range(count) for row in sample_rows(make_sample(k, **how), context)], row_schema(context)


def write_dataset(
    folder: Path, scenes: dict[str, tuple[list[dict], pa.Schema]], *, rows_a_shard: int = 1000, said: str | None = None
) -> Path:
    """A data set of rows: shards and a manifest with what readers look at; ``said`` is what it calls each shard."""
    lines = [FORMAT]
    for scene, (rows, schema) in scenes.items():
        splits = list(dict.fromkeys(row["split"] for row in rows)) or ["train"]
        lines.append({"kind": "plan", "scene": scene, "plan": {"scene": scene, "splits": dict.fromkeys(splits, 1.0)}})
        for split in splits:
            chosen = [row for row in rows if row["split"] == split]
            for k, at in enumerate(range(0, len(chosen), rows_a_shard)):
                part = chosen[at : at + rows_a_shard]
                name = f"data/{len(lines)}/{k:05d}.parquet"
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                table = pa.Table.from_pylist([{**row, "scene": scene} for row in part], schema=schema)
                pq.write_table(table, folder / name, row_group_size=16)
                entry = {"kind": "shard", "scene": scene, "split": split, "shard": k, "file": said or name}
                size = {"samples": len(part), "rows": len(part), "bytes": (folder / name).stat().st_size, "sha256": ""}
                lines.append(entry | size)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.jsonl").write_text("".join(map(manifest_line, lines)))
    return folder


def script_values(text: str) -> list:
    """What a data file of a view hands to the page."""
    call, _, rest = text.partition("(JSON.parse(")
    assert call.startswith("physreelView.")
    assert rest.endswith("));\n")
    return json.loads(json.loads(rest.removesuffix("));\n")))


HOSTILE = [
    "<script>window.broken = 1</script>",
    "</script><script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 1'>",
    "\"'`${window.broken = 1}",
    "line\u2028and\u2029paragraph",
    "../../../etc/passwd",
    "javascript:window.broken=1",
    "__proto__",
    "&lt;b&gt; &amp; \\u003cscript\\u003e",
    "\x00\x1b[31m\x7f",
    "<!--<script>",
    "]]>\\",
]
