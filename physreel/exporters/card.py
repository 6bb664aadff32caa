"""README.md of a data set: YAML that `datasets` reads, and words that people read."""

from __future__ import annotations

from collections.abc import Mapping

DECODE_EXAMPLE = """\
import io, av, numpy as np, pyarrow as pa, pyarrow.parquet as pq, soundfile

table = pq.read_table(path)
row = table.slice(0, 1).to_pylist()[0]
frames = [f.to_ndarray(format="rgb24") for f in av.open(io.BytesIO(row["video"]["bytes"])).decode(video=0)]
sound, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]))  # times row["pascal_per_unit"]: pascals

def decode(name):
    how = {k.decode(): v.decode() for k, v in table.schema.field(name).metadata.items()}
    dtype, channels = np.dtype(how["dtype"]), int(how["channels"])
    shape = (row["frame_count"], row["height"], row["width"], channels)
    raw = pa.decompress(row[name], np.prod(shape) * dtype.itemsize, codec="zstd", asbytes=True)
    planes = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, -1)
    whole = np.ascontiguousarray(planes.T).view(dtype).reshape(shape).cumsum(0, dtype=dtype)
    return whole * float(how["scale"])

passes = {name: decode(name) for name in ("depth", "segmentation", "normals", "flow") if name in table.column_names}
"""


def dataset_card(scenes: Mapping[str, Mapping[str, list[str]]]) -> str:
    """The card of a data set with these scenes, splits and shards."""
    lines = ["---", "configs:"]
    for scene, splits in scenes.items():
        lines += [f"- config_name: {scene}", "  data_files:"]
        for split, files in splits.items():
            if files:
                lines += [f"  - split: {split}", "    path:", *(f"    - {file}" for file in files)]
    lines += [
        "---",
        "",
        "# Synthetic clips whose physics is known",
        "",
        "Written by physreel. One row is one clip.",
        "",
    ]
    for scene in scenes:
        lines.append(f'- `datasets.load_dataset(folder, "{scene}")` loads the scene {scene!r}.')
    lines += [
        "",
        "`video` is H.264 and AAC, for eyes; `audio` is FLAC, the sample-exact sound; depth, segmentation, normals "
        "and flow are whole numbers, differenced from frame to frame, bytes sorted by significance, then zstd. "
        "Their dtype, scale, channels and unit are in the column's metadata. To decode a row without physreel:",
        "",
        "```python",
        DECODE_EXAMPLE + "```",
        "",
        "Depth 0 means that nothing was hit. Segmentation 0 is the background, i + 1 is `bodies[i]`. Lists of numbers "
        "are row by row: `bodies[i].pose` is (frame_count, 7), position and quaternion wxyz; `camera.camera_to_world` "
        "is (frame_count, 4, 4), x right, y down, z forward; `camera.intrinsics` is (3, 3). SI units, z up.",
        "",
    ]
    return "\n".join(lines)
