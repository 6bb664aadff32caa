"""Parquet, one row a clip: what `datasets`, pyarrow, pandas, polars and duckdb read as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from physreel.exporters.card import dataset_card
from physreel.exporters.rows import RowExporter

_ROWS_A_GROUP = 16


class ParquetExporter(RowExporter):
    """Shards ``data/<scene>/<split>-00000-of-00012.parquet`` and a README.md that `datasets` understands."""

    name: ClassVar[str] = "parquet"
    suffix: ClassVar[str] = ".parquet"

    def write_rows(self, samples: Iterator[pa.Table], path: Path) -> int:
        """See RowExporter.write_rows; small row groups, so that readers stream and never hold a shard."""
        rows, waiting = 0, []
        with path.open("wb") as file:
            with pq.ParquetWriter(
                file, self.schema, compression="zstd", use_dictionary=False, write_statistics=["sample_id", "index"]
            ) as writer:
                for table in samples:
                    waiting += table.to_batches()
                    if sum(len(batch) for batch in waiting) >= _ROWS_A_GROUP:
                        rows += self._write_group(writer, waiting)
                        waiting = []
                rows += self._write_group(writer, waiting)
            file.flush()
            os.fsync(file.fileno())
        return rows

    def _write_group(self, writer: Any, batches: list[Any]) -> int:
        table = pa.Table.from_batches(batches, schema=self.schema)
        if len(table):
            writer.write_table(table, row_group_size=len(table))
        return len(table)

    def index_files(self, scenes: Mapping[str, Mapping[str, list[str]]]) -> dict[str, str]:
        """See Exporter.index_files."""
        return {"README.md": dataset_card(scenes)}
