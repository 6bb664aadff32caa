"""The files of a LeRobot data set beside its videos: names, tables of frames and of episodes, info, tasks."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from physreel.exporters.lerobot_state import Layout
from physreel.exporters.lerobot_stats import STATISTICS, Stats

VERSION = "v3.0"
CHUNK_FILES = 1000
DATA_FILE_BYTES = 100 << 20
VIDEO_FILE_BYTES = 200 << 20
SCALARS = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64",
           "task_index": "int64"}  # fmt: skip
VECTORS = ("observation.state", "action")

_TYPES = {"float32": pa.float32(), "int64": pa.int64()}


class FileNumbers:
    """``chunk-000/file-000``, and so on: 1000 files a chunk."""

    def __init__(self, below: str, ending: str) -> None:
        self._below, self._ending = below, ending
        self.number = 0

    @property
    def columns(self) -> dict[str, int]:
        """The file that is being written, as two columns."""
        return {"chunk_index": self.number // CHUNK_FILES, "file_index": self.number % CHUNK_FILES}

    @property
    def name(self) -> str:
        """The file that is being written."""
        columns = self.columns
        return f"{self._below}/chunk-{columns['chunk_index']:03d}/file-{columns['file_index']:03d}.{self._ending}"

    def next(self) -> None:
        """Go on to the next."""
        self.number += 1


class TableFiles:
    """Tables of one schema, so many a row group, in Parquet files of at most 100 MB before compression."""

    def __init__(self, below: str, schema: pa.Schema, folder: Path, *, group: int = 1) -> None:
        self.numbers = FileNumbers(below, "parquet")
        self.schema, self.group = schema, group
        self._waiting: list[pa.Table] = []
        self._path = folder / f"{below.replace('/', '.')}.parquet"
        self._file: Any = None
        self._writer: Any = None
        self._bytes = 0
        self.finished: list[tuple[Path, str]] = []

    def make_room(self, size: int) -> None:
        """Begin another file if a table of this size no longer fits."""
        if self._writer is not None and self._bytes + size > DATA_FILE_BYTES:
            self.close()

    def add(self, table: pa.Table) -> None:
        """Append a table; ``make_room`` first."""
        if self._writer is None:
            self._file = self._path.open("wb")
            self._writer = pq.ParquetWriter(self._file, self.schema, compression="zstd", use_dictionary=False)
            self._bytes = 0
        self._bytes += table.nbytes
        self._waiting.append(table)
        if len(self._waiting) == self.group:
            self._write()

    def _write(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting)
            self._writer.write_table(table, row_group_size=len(table))
            self._waiting = []

    def close(self) -> None:
        """Finish the file that is being written, if there is one."""
        if self._writer is None:
            return
        self._write()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._writer = None
        done = self._path.with_name(f"{self._path.name}.{self.numbers.number}.done")
        self._path.replace(done)
        self.finished.append((done, self.numbers.name))
        self.numbers.next()

    def abandon(self) -> None:
        """Give up the file that is being written, if there is one; what it holds on a full disk is of no use."""
        if self._writer is None:
            return
        with suppress(OSError):
            self._writer.close()
        with suppress(OSError):
            self._file.close()
        self._writer = None

    def taken(self) -> list[tuple[Path, str]]:
        """The files that have been finished since this was last asked."""
        finished, self.finished = self.finished, []
        return finished


def features(layout: Layout, pixel_formats: Mapping[str, str]) -> dict[str, Any]:
    """What info.json says of each feature; ``pixel_formats`` by key of video."""
    names = layout.names
    found: dict[str, Any] = {}
    for camera, (height, width) in layout.cameras.items():
        if (key := video_key(camera)) not in pixel_formats:
            continue
        found[key] = {
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": height,
                "video.width": width,
                "video.codec": "h264",
                "video.pix_fmt": pixel_formats[key],
                "video.is_depth_map": False,
                "video.fps": layout.fps,
                "video.channels": 3,
                "has_audio": False,
            },
        }
    for key in VECTORS:
        found[key] = {"dtype": "float32", "shape": [len(names)], "names": names}
    return found | {key: {"dtype": dtype, "shape": [1], "names": None} for key, dtype in SCALARS.items()}


def video_key(camera: str) -> str:
    """How LeRobot calls a camera's pictures."""
    return f"observation.images.{camera.replace('/', '_')}"


def frame_schema(layout: Layout) -> pa.Schema:
    """The columns of ``data/``."""
    size = len(layout.names)
    vector = pa.list_(pa.float32(), size) if size > 1 else pa.float32()
    return pa.schema([(key, vector) for key in VECTORS] + [(key, _TYPES[kind]) for key, kind in SCALARS.items()])


def episode_schema(layout: Layout, video_keys: Sequence[str]) -> pa.Schema:
    """The columns of ``meta/episodes/``."""
    whole, number = pa.int64(), pa.float64()
    fields = [("episode_index", whole), ("tasks", pa.list_(pa.string())), ("length", whole)]
    fields += [(f"data/{name}", whole) for name in ("chunk_index", "file_index")]
    fields += [("dataset_from_index", whole), ("dataset_to_index", whole)]
    for key in video_keys:
        fields += [(f"videos/{key}/{name}", whole) for name in ("chunk_index", "file_index")]
        fields += [(f"videos/{key}/{name}", number) for name in ("from_timestamp", "to_timestamp")]
    for key in (*video_keys, *VECTORS, *SCALARS):
        value = pa.list_(pa.list_(pa.list_(number))) if key in video_keys else pa.list_(number)
        fields += [(f"stats/{key}/{name}", pa.list_(whole) if name == "count" else value) for name in STATISTICS]
    fields += [(f"meta/episodes/{name}", whole) for name in ("chunk_index", "file_index")]
    return pa.schema(fields)


def stats_columns(stats: Mapping[str, Stats]) -> dict[str, Any]:
    """An episode's statistics as columns."""
    return {f"stats/{key}/{name}": own[name].tolist() for key, own in stats.items() for name in STATISTICS}


def info_json(layout: Layout, feature_table: Mapping[str, Any], *, frames: int, splits: Mapping[str, str]) -> str:
    """meta/info.json."""
    videos = any(feature["dtype"] == "video" for feature in feature_table.values())
    content = {
        "codebase_version": VERSION,
        "robot_type": "physreel",
        "total_episodes": layout.episodes,
        "total_frames": frames,
        "total_tasks": 1,
        "chunks_size": CHUNK_FILES,
        "data_files_size_in_mb": DATA_FILE_BYTES >> 20,
        "video_files_size_in_mb": VIDEO_FILE_BYTES >> 20,
        "fps": layout.fps,
        "splits": dict(splits),
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4" if videos else None,
        "features": dict(feature_table),
    }
    return json.dumps(content, indent=4, ensure_ascii=False)


def write_tasks(tasks: Sequence[str], path: Path) -> None:
    """meta/tasks.parquet: a table whose index, as pandas has it, are the tasks."""
    index = {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    number = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64",
              "metadata": None}  # fmt: skip
    about = {"index_columns": ["task"], "column_indexes": [], "columns": [number, index], "pandas_version": "2.0.0"}
    schema = pa.schema([("task_index", pa.int64()), ("task", pa.string())], metadata={"pandas": json.dumps(about)})
    table = pa.table({"task_index": list(range(len(tasks))), "task": list(tasks)}, schema=schema)
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd", use_dictionary=False)
        file.flush()
        os.fsync(file.fileno())
