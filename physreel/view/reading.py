"""The rows of a data set by number, read a part at a time, whatever state the data set is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from physreel.errors import InputError
from physreel.loaders.records import Record, ShardFile, shard_files, shard_records
from physreel.storage import Address, Store, open_store, seekable

LIGHT = (
    "sample_id", "scene", "split", "variant", "group_id", "seed", "index", "camera.name", "caption", "outcome", "fps",
    "frame_count", "width", "height", "duration_s",
)  # fmt: skip
"""Columns that the grid needs."""


@dataclass(frozen=True)
class Part:
    """Rows that are read together: a row group of a Parquet shard, or a whole shard of another format.

    Attributes:
        first: number of its first row in the data set.
        columns: names of the columns there are.
    """

    shard: ShardFile
    group: int | None
    first: int
    rows: int
    columns: tuple[str, ...]


class Rows:
    """The rows of a data set by number, in its order.

    Attributes:
        parts: where they are.
        count: how many.
        problems: shards that could not be read and are left out.
    """

    def __init__(self, dataset: Address, *, scene: str | None = None, limit: int | None = None) -> None:
        self.store: Store = open_store(dataset)
        self.parts: list[Part] = []
        self.problems: list[str] = []
        self.count = 0
        shards = self._shards(scene)
        for shard in shards:
            if limit is not None and self.count >= limit:
                break
            try:
                self._add(shard, limit)
            except (OSError, ValueError, ArithmeticError, KeyError, RecursionError, InputError) as error:
                reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({_short(error)})"
                self.problems.append(f"{shard.file} {reason}")
        if shards and self.problems and not self.parts:
            raise InputError(
                f"no shard of {self.store} can be read:\n" + "\n".join(f"  - {problem}" for problem in self.problems)
            )

    def _shards(self, scene: str | None) -> list[ShardFile]:
        try:
            shards = shard_files(self.store, scene=scene)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(
                f"the manifest of {self.store} is damaged ({type(error).__name__}: {_short(error)}); get it anew from "
                "where the data set came from"
            ) from None
        outside = [shard.file for shard in shards if not _inside(shard.file)]
        if outside:
            raise InputError(f"the manifest of {self.store} names files outside of the data set: {outside[0]!r}")
        return [shard for shard in shards if shard.rows]

    def _add(self, shard: ShardFile, limit: int | None) -> None:
        if shard.file.endswith(".parquet"):
            import pyarrow.parquet as pq

            with self.store.open(shard.file) as opened, pq.ParquetFile(seekable(opened)) as file:
                columns = tuple(file.schema_arrow.names)
                groups: list[tuple[int | None, int]] = [
                    (g, file.metadata.row_group(g).num_rows) for g in range(file.num_row_groups)
                ]
        else:
            first = next(iter(shard_records(self.store, shard)))
            columns, groups = tuple(first), [(None, shard.rows)]
        for group, rows in groups:
            rows = rows if limit is None else min(rows, limit - self.count)
            if rows > 0:
                self.parts.append(Part(shard, group, self.count, rows, columns))
                self.count += rows

    def part_of(self, number: int) -> Part:
        """The part that a row is in."""
        return next(part for part in self.parts if part.first <= number < part.first + part.rows)

    def read(self, part: Part, columns: Sequence[str] | None = None) -> list[Record]:
        """The rows of a part; of some columns (``struct.field`` is one field of a struct) or of all."""
        return read_part(self.store, part, columns)


def read_part(store: Store, part: Part, columns: Sequence[str] | None = None) -> list[Record]:
    """See Rows.read."""
    if part.group is None:
        wanted = None if columns is None else [name.partition(".")[0] for name in columns]
        found = []
        for record in shard_records(store, part.shard, columns=wanted):
            found.append(record)
            if len(found) == part.rows:
                break
        return found
    import pyarrow.parquet as pq

    with store.open(part.shard.file) as opened, pq.ParquetFile(seekable(opened)) as file:
        if columns is not None:
            columns = [name for name in columns if name.partition(".")[0] in part.columns]
        table = file.read_row_group(part.group, columns=columns, use_threads=False)
    names = table.column_names
    lists = [_values(column.combine_chunks()) for column in table.columns]
    return [Record(dict(zip(names, values, strict=True))) for values in zip(*lists, strict=True)][: part.rows]


def _values(array: Any) -> list[Any]:
    try:
        listed: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        return _loose(array)
    return listed


def _loose(array: Any) -> list[Any]:
    """As ``to_pylist``, with a mark in place of each byte that is no UTF-8."""
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in _loose(chunk)]
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        raw = array.cast(pa.binary() if pa.types.is_string(kind) else pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "replace") for value in raw]
    valid = array.is_valid().to_pylist()
    if pa.types.is_struct(kind):
        names = [kind.field(k).name for k in range(kind.num_fields)]
        fields = [_loose(field) for field in array.flatten()]
        return [{n: f[k] for n, f in zip(names, fields, strict=True)} if ok else None for k, ok in enumerate(valid)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inside, at, found = _loose(array.flatten()), 0, []
        for length in array.value_lengths().to_pylist():
            found.append(None if length is None else inside[at : at + length])
            at += length or 0
        return found
    plain: list[Any] = array.to_pylist()
    return plain


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
