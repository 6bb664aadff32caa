"""How fast clips are read back: beside a bare loop over pyarrow, PyAV and soundfile, and beside making them.

    python benchmarks/loading.py [DATASET]

Without a data set, a few clips of falling objects are made first (256 x 256, 3 s, 24 frames a second, all passes and
sound) and the time of that is the time of making. All is pinned to one core, measured in CPU seconds of the process,
and what is compared is read in turn, so that a busy machine slows all alike. ClipDataset needs torch
(``pip install 'physreel[torch]'``).
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

import physreel
from physreel.loaders import records

PASSES = ("depth", "segmentation", "normals", "flow")
SOUND_AND_PICTURE = ("video", "audio")
CLIPS, ROUNDS = 8, 3


def bare(folder: Path, names: tuple[str, ...]) -> Iterator[list[np.ndarray]]:
    """What docs/storage.md shows, as one would write it by hand; decoded to the same arrays."""
    for path in sorted(folder.glob("data/*/*.parquet")):
        with pq.ParquetFile(path) as file:
            how = {name: {k.decode(): v.decode() for k, v in file.schema_arrow.field(name).metadata.items()}
                   for name in names if name in PASSES}  # fmt: skip
            for batch in file.iter_batches(16, columns=[*names, "frame_count", "height", "width"]):
                for row in batch.to_pylist():
                    yield [bare_column(row, name, how.get(name)) for name in names]


def bare_column(row: dict, name: str, how: dict[str, str] | None) -> np.ndarray:
    if name == "video":
        with av.open(io.BytesIO(row["video"]["bytes"])) as container:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    if name == "audio":
        return soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32", always_2d=True)[0]
    dtype, channels = np.dtype(how["dtype"]), int(how["channels"])
    shape = (row["frame_count"], row["height"], row["width"], *([channels] if channels > 1 else []))
    raw = pa.decompress(row[name], np.prod(shape) * dtype.itemsize, codec="zstd", asbytes=True)
    planes = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, -1)
    whole = np.ascontiguousarray(planes.T).view(dtype).reshape(shape).cumsum(0, dtype=dtype)
    if name == "segmentation":
        return whole
    values = (whole * float(how["scale"])).astype(np.float32)
    if name == "depth":
        values[whole == 0] = np.inf
    return values


def in_order(folder: Path, names: tuple[str, ...]) -> Iterator[list[np.ndarray]]:
    """``records``."""
    for record in records(folder, columns=[*names, "frame_count", "height", "width"]):
        yield [getattr(record, name) for name in names]


def shuffled(folder: Path, names: tuple[str, ...]) -> Iterator[list[np.ndarray]]:
    """A ``ClipDataset``, as a worker of a DataLoader reads it."""
    from physreel.loaders.torch import ClipDataset

    for item in ClipDataset(folder, decode=names, seed=0):
        yield [item[name] for name in names]


def cpu_s(read: Iterable[list[np.ndarray]]) -> tuple[float, int]:
    start, clips = time.process_time(), 0
    for _ in read:
        clips += 1
    return time.process_time() - start, clips


def same(folder: Path, names: tuple[str, ...]) -> None:
    by_hand = {tuple(hash(a.tobytes()) for a in arrays) for arrays in bare(folder, names)}
    for read in (in_order, shuffled):
        assert {tuple(hash(a.tobytes()) for a in arrays) for arrays in read(folder, names)} == by_hand, read


def made(folder: Path, passes: str) -> float:
    """CPU seconds a clip of making, after a first one for which kernels are loaded."""
    clip = {"width": 256, "height": 256, "fps": 24, "duration_s": 3.0, "passes": passes, "workers": 0}
    physreel.generate("falling", count=1, seed=9, out=folder / "first", **clip)
    start = time.process_time()
    physreel.generate("falling", count=CLIPS, seed=0, out=folder / "data", **clip)
    return (time.process_time() - start) / CLIPS


def compare(folder: Path, names: tuple[str, ...], making_s: float | None) -> None:
    same(folder, names)
    readers: tuple[Callable[..., Iterator[list[np.ndarray]]], ...] = (bare, in_order, shuffled)
    total = dict.fromkeys(readers, 0.0)
    clips = 0
    for k in range(ROUNDS):
        for reader in readers[k % 3 :] + readers[: k % 3]:
            spent, clips = cpu_s(reader(folder, names))
            total[reader] += spent / ROUNDS
    for reader, title in ((bare, "bare loop"), (in_order, "records"), (shuffled, "ClipDataset, shuffled")):
        each = total[reader] / clips
        line = f"| {', '.join(names)} | {title} | {1000 * each:.1f} | {total[bare] / total[reader]:.2f} |"
        print(line + (f" {making_s / each:.0f} x |" if making_s is not None else " |"), flush=True)


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("| what | read by | CPU ms a clip | speed against the bare loop | against making |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for passes, names in (("rgb", SOUND_AND_PICTURE), ("all", (*SOUND_AND_PICTURE, *PASSES))):
            if len(sys.argv) > 1:
                compare(Path(sys.argv[1]), names, None)
            else:
                making_s = made(Path(scratch) / passes, passes)
                compare(Path(scratch) / passes / "data", names, making_s)


if __name__ == "__main__":
    main()
