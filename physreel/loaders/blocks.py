"""Rows of shards by number, and no more of them read than is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from physreel.loaders.order import BLOCK_ROWS
from physreel.loaders.records import Record, ShardFile
from physreel.loaders.shards import shard_rows
from physreel.storage import Store, seekable

_FOOTERS = 256


class RowReader:
    """Reads rows in any order, a block at a time, and forgets a block when the last of its rows was taken.

    Not to be shared by processes: make one in each.
    """

    def __init__(self, store: Store, shards: Sequence[ShardFile], columns: Sequence[str] | None) -> None:
        self._store = store
        self._shards = shards
        self._columns = columns
        self._footers: dict[int, Any] = {}

    def read(self, rows: NDArray[np.int64], window_rows: int, *, skip: int = 0) -> Iterator[Record]:
        """The rows (n, 2: shard, row) in order. A block is kept until the end of the window at most.

        Args:
            rows: shard and row in it.
            window_rows: after so many rows nothing that was read before is needed.
            skip: so many rows, which are not given out, and not read but for those of the same block.
        """
        for at in range(0, len(rows), window_rows):
            window = rows[max(at, skip) : at + window_rows]
            keys = [(int(shard), int(row) // BLOCK_ROWS) for shard, row in window]
            left = Counter(keys)
            held: dict[tuple[int, int], Any] = {}
            for row, key in zip(window[:, 1].tolist(), keys, strict=True):
                if key not in held:
                    held[key] = self._block(*key)
                yield Record(_row(held[key], row % BLOCK_ROWS))
                left[key] -= 1
                if not left[key]:
                    del held[key]

    def _block(self, shard: int, block: int) -> Any:
        """A table of the block's rows, or a list of them where the format is no table."""
        file = self._shards[shard]
        start, stop = block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, file.rows)
        if file.file.endswith(".parquet"):
            table = self._parquet(shard, start, stop)
            if table is not None:
                return table
        return list(islice(shard_rows(self._store, file.file, columns=self._columns), start, stop))

    def _parquet(self, shard: int, start: int, stop: int) -> Any:
        import pyarrow.parquet as pq

        name = self._shards[shard].file
        try:
            with (
                self._store.open(name) as opened,
                pq.ParquetFile(seekable(opened), metadata=self._footers.get(shard)) as file,
            ):
                there = file.schema_arrow.names
                if "video_first_frame" in there:
                    return None  # its pictures lie elsewhere
                if shard not in self._footers:
                    if len(self._footers) >= _FOOTERS:
                        self._footers.clear()
                    self._footers[shard] = file.metadata
                wanted = None if self._columns is None else [name for name in self._columns if name in there]
                sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
                ends = np.cumsum(sizes)
                groups = [k for k, end in enumerate(ends) if end > start and end - sizes[k] < stop]
                table = file.read_row_groups(groups, columns=wanted, use_threads=False)
                return table.slice(start - int(ends[groups[0]] - sizes[groups[0]]), stop - start)
        except (pa.ArrowException, OSError, EOFError):
            return None  # what reads rows in order tells what is wrong with the file


def _row(block: Any, number: int) -> dict[str, Any]:
    if isinstance(block, list):
        return dict(block[number])
    row: dict[str, Any] = block.slice(number, 1).to_pylist()[0]
    return row
