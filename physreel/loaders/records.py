"""A data set's rows, one at a time, whatever format it is stored in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import InputError
from physreel.loaders.decode import decode_audio, decode_pass, decode_video
from physreel.manifest import read_manifest
from physreel.spec import SceneSpec
from physreel.storage import Address, Store, open_store


@dataclass(frozen=True)
class ShardFile:
    """A finished shard: where it is, what it holds."""

    scene: str
    split: str
    number: int
    file: str
    rows: int
    bytes: int
    sha256: str


class Record(Mapping[str, Any]):
    """One row: its columns as they are stored, by name; pictures and sound are decoded when they are asked for."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.row = dict(row)

    def __getitem__(self, name: str) -> Any:
        return self.row[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.row)

    def __len__(self) -> int:
        return len(self.row)

    def __repr__(self) -> str:
        return f"Record({self.row.get('sample_id')!r}, {len(self.row)} columns)"

    @cached_property
    def video(self) -> NDArray[np.uint8]:
        """(T, H, W, 3) uint8 sRGB."""
        return decode_video(self.stored_bytes("video"))

    @cached_property
    def audio(self) -> NDArray[np.float32]:
        """(S, C) float32 at 48 kHz, full scale ± 1; times ``pascal_per_unit``: pascals."""
        return decode_audio(self.stored_bytes("audio"))[0]

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """(T, H, W) float32 m along the optical axis, inf where nothing is."""
        return self._pass("depth")

    @cached_property
    def segmentation(self) -> NDArray[np.uint16]:
        """(T, H, W) uint16: 0 the background, i + 1 ``bodies[i]``, then the fluids."""
        return self._pass("segmentation")

    @cached_property
    def normals(self) -> NDArray[np.float32]:
        """(T, H, W, 3) float32, world frame."""
        return self._pass("normals")

    @cached_property
    def flow(self) -> NDArray[np.float32]:
        """(T, H, W, 2) float32 pixels to the next frame."""
        return self._pass("flow")

    @cached_property
    def spec(self) -> SceneSpec:
        """The whole world."""
        return SceneSpec.from_json(self.row["spec"])

    def stored_bytes(self, name: str) -> bytes:
        """The file in ``video`` or ``audio``: an mp4, a FLAC; InputError where there is none."""
        file = self.row.get(name)
        data: bytes | None = file["bytes"] if file is not None else None
        if data is None:
            raise InputError(f"row {self.row.get('sample_id')!r} has no {name}: it was not made, or not read")
        return data

    def _pass(self, name: str) -> NDArray[Any]:
        data = self.row.get(name)
        if data is None:
            raise InputError(f"row {self.row.get('sample_id')!r} has no {name}: it was not made, or not read")
        return decode_pass(name, data, self.row["frame_count"], self.row["height"], self.row["width"])


def shard_files(path: Address | Store, *, scene: str | None = None, split: str | None = None) -> list[ShardFile]:
    """The finished shards of a data set, in order of scene, split and number.

    Raises:
        InputError: it is no data set of ours, or has no such scene or split.
    """
    lines = read_manifest(path)
    plans = {line["scene"]: list(line["plan"]["splits"]) for line in lines if line["kind"] == "plan"}
    known = {name for splits in plans.values() for name in splits}
    for what, asked, there in (("scene", scene, set(plans)), ("split", split, known)):
        if asked is not None and asked not in there:
            raise InputError(f"{path} has no {what} {asked!r}; it has {', '.join(sorted(there))}")
    found = [
        ShardFile(
            **{name: line[name] for name in ("scene", "split", "file", "rows", "bytes", "sha256")}, number=line["shard"]
        )
        for line in lines
        if line["kind"] == "shard"
    ]
    chosen = [shard for shard in found if scene in (None, shard.scene) and split in (None, shard.split)]
    order = {name: k for k, name in enumerate(plans)}
    return sorted(chosen, key=lambda s: (order[s.scene], plans[s.scene].index(s.split), s.number))


def records(
    path: Address,
    *,
    scene: str | None = None,
    split: str | None = None,
    columns: Sequence[str] | None = None,
) -> Iterator[Record]:
    """All rows of a data set, in order; a few are held at a time.

    Args:
        path: folder, or address that fsspec knows.
        scene: only this scene.
        split: only this split.
        columns: only these; what is not read costs little. None for all. A shard that lacks one is read without it.

    Raises:
        InputError: it is no data set of ours, or has no such scene or split.
    """
    store = open_store(path)
    for shard in shard_files(store, scene=scene, split=split):
        yield from shard_records(store, shard, columns=columns)


def shard_records(store: Store, shard: ShardFile, *, columns: Sequence[str] | None = None) -> Iterator[Record]:
    """The rows of one shard, in order.

    Raises:
        InputError: it is not what was written.
    """
    from physreel.loaders.shards import shard_rows

    for row in shard_rows(store, shard.file, rows=shard.rows, columns=columns):
        yield Record(row)
