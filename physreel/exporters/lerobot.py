"""LeRobot v3: a data set a scene that `lerobot` trains on, and beside it all that LeRobot has no place for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from physreel.exporters.base import FinishedShard, WholeExporter, WrittenFile
from physreel.exporters.card import lerobot_card
from physreel.exporters.lerobot_files import (
    TableFiles,
    episode_schema,
    features,
    frame_schema,
    info_json,
    stats_columns,
    video_key,
    write_tasks,
)
from physreel.exporters.lerobot_state import LAYOUT_COLUMNS, Layout, find_layout, states
from physreel.exporters.lerobot_stats import Stats, Totals, picture_stats, vector_stats
from physreel.exporters.lerobot_video import VideoTrack, some_pictures
from physreel.exporters.parquet import ParquetExporter


class LerobotExporter(WholeExporter, ParquetExporter):
    """LeRobot v3 in ``<scene>/``: one clip is one episode, each camera a video key; sound and all labels beside it.

    Written from a finished data set. Videos are the clips' own H.264 frames, one clip after another.
    """

    name: ClassVar[str] = "lerobot"
    of_whole: ClassVar[bool] = True

    @classmethod
    def write_whole(cls, scene: str, shards: Sequence[FinishedShard], folder: Path) -> Iterator[WrittenFile]:
        """See WholeExporter.write_whole."""
        light = (table for shard in shards for table in shard.samples(LAYOUT_COLUMNS))
        layout = find_layout(scene, (table.to_pylist() for table in light))
        return _Writer(scene, layout, folder).write(shards)

    def index_files(self, scenes: Mapping[str, Mapping[str, list[str]]]) -> dict[str, str]:
        """See Exporter.index_files."""
        return {"README.md": lerobot_card(scenes)}


_EPISODES_A_GROUP = 64


def task_of(scene: str) -> str:
    """What a policy is told. The same for all clips: captions tell what happened, and so does what is asked of them."""
    return f"Predict how it goes on: {scene.replace('_', ' ')}."


class _Writer:
    """Writes one scene."""

    def __init__(self, scene: str, layout: Layout, folder: Path) -> None:
        self.scene, self.layout, self.folder = scene, layout, folder
        self.tracks: dict[str, VideoTrack] = {}
        self.frames = TableFiles("data", frame_schema(layout), folder)
        self.episodes: TableFiles | None = None
        self.totals = Totals()
        self.episode = self.frame = 0

    def write(self, shards: Sequence[FinishedShard]) -> Iterator[WrittenFile]:
        """All files, the one that names them last."""
        try:
            yield from self._write(shards)
        finally:
            for files in self._files():
                files.abandon()

    def _write(self, shards: Sequence[FinishedShard]) -> Iterator[WrittenFile]:
        splits: dict[str, list[int]] = {}
        for shard in shards:
            first = self.episode
            yield self._labels(shard)
            bounds = splits.setdefault(shard.split, [first, first])
            bounds[1] = self.episode
            yield from self._taken()
        for files in self._files():
            files.close()
        yield from self._taken()
        yield from self._meta({split: f"{a}:{b}" for split, (a, b) in splits.items() if b > a})

    def _files(self) -> list[Any]:
        return [*self.tracks.values(), self.frames, *([self.episodes] if self.episodes is not None else [])]

    def _taken(self) -> Iterator[WrittenFile]:
        for files in self._files():
            for path, name in files.taken():
                yield WrittenFile(path=path, name=f"{self.scene}/{name}")

    def _labels(self, shard: FinishedShard) -> WrittenFile:
        """A shard's rows as they were, but for the videos, which are elsewhere now; writes its episodes on the way."""
        path = self.folder / "labels.parquet"
        exporter = ParquetExporter.of_schema(self.scene, _label_schema(shard.schema))
        rows = exporter.write_rows((self._add(table, exporter.schema) for table in shard.samples(None)), path)
        name = f"{self.scene}/physreel/{shard.split}-{shard.number:05d}-of-{shard.count:05d}.parquet"
        return WrittenFile(path=path, name=name, shard=(shard.split, shard.number), rows=rows)

    def _add(self, table: pa.Table, label_schema: pa.Schema) -> pa.Table:
        rows = table.to_pylist()
        length = rows[0]["frame_count"]
        state = states(rows[0], self.layout)
        columns: dict[str, Any] = {
            "observation.state": state,
            # Nobody acts in a clip: what would be told a machine that is to do the same is where things are next.
            "action": np.concatenate([state[1:], state[-1:]]),
            "timestamp": (np.arange(length) / self.layout.fps).astype(np.float32),
            "frame_index": np.arange(length),
            "episode_index": np.full(length, self.episode),
            "index": np.arange(self.frame, self.frame + length),
            "task_index": np.zeros(length, np.int64),
        }
        stats: dict[str, Stats] = {key: vector_stats(values) for key, values in columns.items()}
        record: dict[str, Any] = {"episode_index": self.episode, "tasks": [task_of(self.scene)], "length": length}
        places = self._add_films(rows, record, stats)
        self._add_frames(columns, record)
        record |= {"dataset_from_index": self.frame, "dataset_to_index": self.frame + length} | stats_columns(stats)
        self._add_episode(record)
        self.totals.add(stats)
        labels = _label_table(table, label_schema, self.episode, places)
        self.episode += 1
        self.frame += length
        return labels

    def _add_films(
        self, rows: Sequence[Mapping[str, Any]], record: dict[str, Any], stats: dict[str, Stats]
    ) -> list[tuple[str, int] | None]:
        places: list[tuple[str, int] | None] = []
        for row in rows:
            film = (row.get("video") or {}).get("bytes")
            if film is None:
                places.append(None)
                continue
            key = video_key(row["camera"]["name"])
            track = self.tracks.setdefault(key, VideoTrack(key, self.layout.fps, self.folder))
            where = track.add(film, row["frame_count"])
            places.append((f"{self.scene}/{track.numbers.name}", where.pop("first_frame")))
            record |= {f"videos/{key}/{name}": value for name, value in where.items()}
            stats[key] = picture_stats(some_pictures(film, row["frame_count"]))
        return places

    def _add_frames(self, columns: Mapping[str, Any], record: dict[str, Any]) -> None:
        arrays = []
        for field in self.frames.schema:
            values = columns[field.name]
            if pa.types.is_fixed_size_list(field.type):
                arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), field.type.list_size))
            else:
                arrays.append(pa.array(values.ravel(), field.type))
        table = pa.Table.from_arrays(arrays, schema=self.frames.schema)
        self.frames.make_room(table.nbytes)
        record |= {f"data/{name}": value for name, value in self.frames.numbers.columns.items()}
        self.frames.add(table)

    def _add_episode(self, record: dict[str, Any]) -> None:
        if self.episodes is None:
            schema = episode_schema(self.layout, list(self.tracks))
            self.episodes = TableFiles("meta/episodes", schema, self.folder, group=_EPISODES_A_GROUP)
        files = self.episodes
        placed = record | {f"meta/episodes/{name}": 0 for name in files.numbers.columns}
        files.make_room(pa.Table.from_pylist([placed], schema=files.schema).nbytes)
        placed |= {f"meta/episodes/{name}": value for name, value in files.numbers.columns.items()}
        files.add(pa.Table.from_pylist([placed], schema=files.schema))

    def _meta(self, splits: Mapping[str, str]) -> Iterator[WrittenFile]:
        """The tasks, the statistics and, last, info.json, without which nobody takes it for a data set."""
        path = self.folder / "tasks.parquet"
        write_tasks([task_of(self.scene)], path)
        yield WrittenFile(path=path, name=f"{self.scene}/meta/tasks.parquet")
        yield self._text("stats.json", json.dumps(self.totals.to_json(), indent=4))
        table = features(self.layout, {key: track.pixel_format for key, track in self.tracks.items()})
        yield self._text("info.json", info_json(self.layout, table, frames=self.frame, splits=splits))

    def _text(self, name: str, text: str) -> WrittenFile:
        path = self.folder / name
        with path.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return WrittenFile(path=path, name=f"{self.scene}/meta/{name}")


def _label_schema(schema: pa.Schema) -> pa.Schema:
    """The rows' own columns, the episode, and at which frame of its file a video begins."""
    places = [pa.field("episode_index", pa.int64()), pa.field("video_first_frame", pa.int64())]
    return pa.schema([*schema, *places], metadata={"physreel": "1", "physreel_lerobot": "1"})


def _label_table(
    table: pa.Table, schema: pa.Schema, episode: int, places: Sequence[tuple[str, int] | None]
) -> pa.Table:
    columns = {name: table[name] for name in table.column_names}
    if "video" in columns:
        files = [None if place is None else {"bytes": None, "path": place[0]} for place in places]
        columns["video"] = pa.array(files, schema.field("video").type)
    columns["episode_index"] = pa.array([episode] * len(table), pa.int64())
    columns["video_first_frame"] = pa.array([place and place[1] for place in places], pa.int64())
    return pa.table([columns[name] for name in schema.names], schema=schema)
