"""README.md of a data set: YAML that `datasets` reads, and words that people read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

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


WEBDATASET_EXAMPLE = """\
import io, soundfile, webdataset as wds

for clip in wds.WebDataset(path, shardshuffle=False).decode():
    labels = clip["json"]  # caption, questions, events, outcome, bodies, camera, spec ...
    film = clip["mp4"]  # bytes of an mp4 file
    sound, rate = soundfile.read(io.BytesIO(clip["flac"]))  # times labels["pascal_per_unit"]: pascals
"""

LEROBOT_EXAMPLE = """\
from lerobot.datasets.lerobot_dataset import LeRobotDataset

# video_backend: the default, torchcodec, is quicker and needs FFmpeg's own libraries
dataset = LeRobotDataset(f"physreel/{scene}", root=f"{folder}/{scene}", video_backend="pyav")
frame = dataset[0]  # observation.images.<camera>, observation.state, action, task ...
"""

_NO_WORDS = ("true", "false", "yes", "no", "on", "off", "y", "n", "null")
_CODING = (
    "depth, segmentation, normals and flow are whole numbers, differenced from frame to frame, bytes sorted by "
    "significance, then zstd."
)
_READING = (
    "Depth 0 means that nothing was hit. Segmentation 0 is the background, i + 1 is `bodies[i]`. Lists of numbers "
    "are row by row: `bodies[i].pose` is (frame_count, 7), position and quaternion wxyz; `camera.camera_to_world` "
    "is (frame_count, 4, 4), x right, y down, z forward; `camera.intrinsics` is (3, 3). SI units, z up."
)


def dataset_card(scenes: Mapping[str, Mapping[str, list[str]]]) -> str:
    """The card of a Parquet data set with these scenes, splits and shards."""
    return _card(
        scenes,
        loading=[f'- `datasets.load_dataset(folder, "{scene}")` loads the scene {scene!r}.' for scene in scenes],
        about="`video` is H.264 and AAC, for eyes; `audio` is FLAC, the sample-exact sound; "
        f"{_CODING} Their dtype, scale, channels and unit are in the column's metadata. To decode a row without "
        "physreel:",
        example=DECODE_EXAMPLE,
    )


def webdataset_card(scenes: Mapping[str, Mapping[str, list[str]]]) -> str:
    """The card of a data set of tars."""
    return _card(
        scenes,
        loading=[f"- `data/{scene}/*.tar` are the scene {scene!r}." for scene in scenes],
        about="A clip is KEY.json, its labels; KEY.mp4, H.264 and AAC, for eyes; KEY.flac, the sample-exact sound; "
        f"and KEY.depth.zst and so on: {_CODING} Their dtype, scale, channels and unit are in each tar's first "
        "member, `__physreel__`, which readers of WebDataset pass over. To read a tar without physreel:",
        example=WEBDATASET_EXAMPLE,
    )


def lerobot_card(scenes: Mapping[str, Mapping[str, list[str]]]) -> str:
    """The card of a folder of LeRobot data sets."""
    return _card(
        {},
        loading=[f"- `{scene}/` is the scene {scene!r}, a LeRobot v3 data set." for scene in scenes],
        about="One clip is one episode. `observation.state` are the poses of all bodies that are not fixed, and the "
        "signals, at each frame; nobody acts, so `action` is the state one frame later. LeRobot has no place for "
        "sound and labels: they are in `SCENE/physreel/*.parquet`, a row for each camera of each clip, joined by "
        f"`episode_index`. There, `audio` is FLAC, and {_CODING} To load a scene:",
        example=LEROBOT_EXAMPLE,
    )


def _word(text: str) -> str:
    """A word in YAML: in quotes where it would be read as a number, a truth value or nothing."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_. /-]*", text) and text.lower() not in _NO_WORDS
    return text if plain else json.dumps(text)


def _card(files: Mapping[str, Mapping[str, list[str]]], *, loading: Iterable[str], about: str, example: str) -> str:
    lines = ["---", "configs:"] if files else []
    for scene, splits in files.items():
        lines += [f"- config_name: {_word(scene)}", "  data_files:"]
        for split, names in splits.items():
            if names:
                lines += [f"  - split: {_word(split)}", "    path:", *(f"    - {_word(name)}" for name in names)]
    lines += ["---", ""] if files else []
    lines += ["# Synthetic clips whose physics is known", "", "Written by physreel. One row is one clip.", ""]
    return "\n".join([*lines, *loading, "", about, "", "```python", example + "```", "", _READING, ""])
