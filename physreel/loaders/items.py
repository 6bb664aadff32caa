"""A row as the arrays that were asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from physreel.errors import InputError
from physreel.loaders.decode import decode_video
from physreel.loaders.records import Record
from physreel.values.encodings import PASS_ENCODINGS

DECODABLE = ("video", "audio", *PASS_ENCODINGS)


@dataclass(frozen=True)
class ItemMaker:
    """Makes items of records; see ``ClipDataset`` for what its fields mean."""

    decode: tuple[str, ...]
    columns: tuple[str, ...]
    transform: Callable[[Record], Any] | None
    frame_stride: int
    frame_size: tuple[int, int] | None

    def __post_init__(self) -> None:
        problems = [
            f"decode names {name!r}; it may name {', '.join(DECODABLE)} (give stored columns as columns)"
            for name in self.decode
            if name not in DECODABLE
        ]
        problems += [f"{name!r} is in decode and in columns" for name in self.columns if name in self.decode]
        if self.frame_stride < 1:
            problems.append(f"frame_stride is {self.frame_stride}; it must be at least 1")
        if self.frame_size is not None:
            if min(self.frame_size) < 1:
                problems.append(f"frame_size is {self.frame_size}; height and width must be at least 1")
            fixed = [name for name in self.decode if name in PASS_ENCODINGS]
            if fixed:
                problems.append(f"frame_size is for video, not for {', '.join(fixed)}: their numbers cannot be mixed")
        if self.transform is not None and (self.frame_stride != 1 or self.frame_size is not None):
            problems.append("a transform does its own decoding: give stride and size to decode_video in it")
        if problems:
            raise InputError("; ".join(problems))

    @property
    def stored(self) -> list[str]:
        """The columns that must be read."""
        shape = ["frame_count", "height", "width"] if set(self.decode) & set(PASS_ENCODINGS) else []
        return list(dict.fromkeys(["sample_id", *self.decode, *shape, *self.columns]))

    def __call__(self, record: Record) -> Any:
        """An item."""
        if self.transform is not None:
            return self.transform(record)
        item: dict[str, Any] = {"sample_id": record["sample_id"]}
        for name in self.decode:
            if name == "video":
                item[name] = decode_video(record.stored_bytes(name), stride=self.frame_stride, size=self.frame_size)
            elif name == "audio":
                item[name] = record.audio
            else:
                item[name] = getattr(record, name)[:: self.frame_stride]
        for name in self.columns:
            if name not in record:
                raise InputError(f"row {record['sample_id']!r} has no column {name!r}")
            item[name] = record[name]
        return item
