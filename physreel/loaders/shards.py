"""Shards of any format we write, as rows or as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from physreel.errors import InputError
from physreel.loaders.lerobot import PLACE_COLUMNS, Films
from physreel.loaders.webdataset import tar_rows, tar_schema
from physreel.storage import Store, seekable

_ROWS_A_BATCH = 16
_LEROBOT = b"physreel_lerobot"


def shard_rows(
    store: Store, name: str, *, rows: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a shard, in order, as plain values.

    Args:
        store: where the data set lies.
        name: of the shard.
        rows: how many the manifest promises; None if that is not known.
        columns: only these; None for all. One that the shard lacks is left out.

    Raises:
        InputError: it is not what was written.
    """
    found = 0
    with _said(store, name), store.open(name) as opened:
        if name.endswith(".tar"):
            for row in tar_rows(seekable(opened), columns=columns):
                found += 1
                yield row
        else:
            with pq.ParquetFile(seekable(opened)) as file, Films(store) as films:
                moved = _LEROBOT in (file.schema_arrow.metadata or {}) and (columns is None or "video" in columns)
                read = columns if columns is None or not moved else [*columns, *PLACE_COLUMNS]
                for batch in _batches(file, read):
                    found += len(batch)
                    for row in batch.to_pylist():
                        if moved:
                            films.fill(row)
                        yield row if columns is None else {name: row[name] for name in columns if name in row}
        if rows is not None and found != rows:
            raise InputError(f"it holds {found} rows where {rows} were written")


def shard_schema(store: Store, name: str) -> pa.Schema:
    """The Arrow schema of a shard's rows; what else a reader must know is in its metadata."""
    with _said(store, name), store.open(name) as opened:
        return tar_schema(seekable(opened)) if name.endswith(".tar") else pq.read_schema(seekable(opened))


def sample_tables(
    store: Store, name: str, *, rows: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The samples of a shard, in order: a table of rows each, one row for each camera.

    Args:
        store: where the data set lies.
        name: of the shard, a table or a tar.
        rows: how many the manifest promises; None if that is not known.
        columns: only these, of which ``index`` is one; None for all.

    Raises:
        InputError: it is not what was written.
    """
    if name.endswith(".tar"):
        schema = shard_schema(store, name)
        if columns is not None:
            schema = pa.schema([field for field in schema if field.name in columns])
        for _, own in groupby(shard_rows(store, name, rows=rows, columns=columns), key=lambda row: row["index"]):
            yield pa.Table.from_pylist(list(own), schema=schema)
        return
    found = 0
    with _said(store, name), store.open(name) as opened, pq.ParquetFile(seekable(opened)) as file:
        waiting: pa.Table | None = None
        for batch in _batches(file, columns):
            found += len(batch)
            table = pa.Table.from_batches([batch])
            waiting = table if waiting is None else pa.concat_tables([waiting, table])
            *whole, waiting = _samples(waiting)
            yield from whole
        if waiting is not None:
            yield waiting
        if rows is not None and found != rows:
            raise InputError(f"it holds {found} rows where {rows} were written")


def _samples(table: pa.Table) -> list[pa.Table]:
    indices = table["index"].to_pylist()
    starts = [k for k in range(len(indices)) if k == 0 or indices[k] != indices[k - 1]]
    return [table.slice(a, b - a) for a, b in zip(starts, [*starts[1:], len(indices)], strict=True)]


def _batches(file: Any, columns: Sequence[str] | None) -> Iterator[Any]:
    there = file.schema_arrow.names
    wanted = None if columns is None else [name for name in there if name in columns]
    for batch in file.iter_batches(_ROWS_A_BATCH, columns=wanted):
        if len(batch):
            yield batch


@contextmanager
def _said(store: Store, name: str) -> Iterator[None]:
    if not name.endswith((".parquet", ".tar")):
        raise InputError(f"{store}/{name} is of a format that cannot be read back")
    try:
        yield
    except InputError as error:
        raise InputError(f"{store}/{name}: {error}") from None
    except FileNotFoundError:
        raise InputError(f"{store}/{name} is missing; the command that wrote the data set makes it again") from None
    except (pa.ArrowException, EOFError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # a fault of the disk, not of what is on it
            raise
        raise InputError(
            f"{store}/{name} is damaged: {error}; `physreel status --checksums` finds all that is, `physreel repair` "
            "makes it again"
        ) from None
