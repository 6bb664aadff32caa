"""A small data set in which nothing is wrong, made by hand, for tests that plant one fault each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field
from sample_builders import make_sample

from physreel.exporters.base import ExportContext
from physreel.exporters.rows import row_schema, sample_rows
from physreel.exporters.sound import encode_flac
from physreel.exporters.video import encode_mp4
from physreel.manifest import FORMAT, manifest_line
from physreel.values import Outcome

SCENE, FPS, SECONDS, SIDE = "by_hand", 8, 0.5, 32
FRAMES = 4
WORDS = ["amber", "brisk", "calm", "dusty", "early", "faint", "grey", "huge", "idle", "jolly", "keen", "long", "mild",
         "neat", "odd", "pale", "quick", "red", "slow", "tall"]  # fmt: skip


class Falls(Outcome):
    """What happened."""

    falls: bool = Field(description="whether it falls")
    winner: str = Field(description="which is first")
    speed_m_s: float | None = Field(description="how fast")


CONTEXT = ExportContext(scene=SCENE, outcome_type=Falls, passes=("rgb",), audio=True)
SCHEMA = row_schema(CONTEXT)


def film(rng, *, frames=FRAMES, light=None, moves=True) -> np.ndarray:
    """(T, SIDE, SIDE, 3): a room of coloured patches, and a square that crosses it."""
    room = rng.integers(40, 200, (4, 4, 3)).repeat(SIDE // 4, 0).repeat(SIDE // 4, 1)
    pictures = np.stack([room] * frames)
    row, start = rng.integers(2, SIDE - 10), rng.integers(0, 8)
    for k, picture in enumerate(pictures):
        at = start + (4 * k if moves else 0)
        picture[row : row + 8, at : at + 8] = 250 - picture[row : row + 8, at : at + 8]
    return (pictures if light is None else np.full_like(pictures, light)).astype(np.uint8)


def mp4(pictures) -> dict:
    return {"bytes": encode_mp4(pictures, FPS), "path": "clip.mp4"}


def tone(rng, *, seconds=SECONDS, gain=None) -> np.ndarray:
    """(S, 1) a tone that comes and goes."""
    time = np.arange(round(seconds * 48_000)) / 48_000
    loud = rng.uniform(0.02, 0.3) if gain is None else gain
    shape = 0.3 + np.abs(np.sin(np.pi * rng.uniform(1, 3) * time + rng.uniform(0, 3)))
    return (loud * shape * np.sin(2 * np.pi * rng.uniform(200, 900) * time))[:, None].astype(np.float32)


def flac(samples) -> dict:
    return {"bytes": encode_flac(samples), "path": "clip.flac"}


def clean_rows(count: int = 80, seed: int = 0) -> list[dict]:
    """Rows in which nothing tells the label, no two are alike and nothing is missing."""
    sample = make_sample(passes=("rgb",))
    base = sample_rows(
        sample, ExportContext(scene=SCENE, outcome_type=type(sample.outcome), passes=("rgb",), audio=True)
    )
    return [clean_row(base[0], index, np.random.default_rng([seed, index])) for index in range(count)]


def clean_row(base: dict, index: int, rng) -> dict:
    spec = json.loads(base["spec"])
    spec["parameters"] = {
        "height_m": float(rng.uniform(0.2, 0.9)),
        "material": str(rng.choice(["oak", "steel", "ice"])),
        "speed_m_s": float(rng.uniform(0.0, 2.0)),
    }
    seen = np.asarray(base["camera"]["camera_to_world"]).reshape(-1, 4, 4)[0]
    place = seen[:3, 3] + 1.5 * seen[:3, 2]
    bodies = []
    for body, told in zip(spec["bodies"], base["bodies"], strict=True):
        if body["motion"] != "static":
            body["position_m"] = [float(value) for value in place + rng.normal(0.0, 0.02, 3)]
        pose = np.tile([*body["position_m"], 1.0, 0.0, 0.0, 0.0], (FRAMES, 1))
        bodies.append(told | {"pose": pose.ravel()})
    things = [str(word) for word in rng.choice(WORDS, 4, replace=False)]
    yes, first = bool(rng.integers(2)), int(rng.integers(2))
    name = f"{SCENE}-0-{index:08d}"
    return base | {
        "sample_id": name, "group_id": name, "index": index, "split": "test" if index % 5 == 4 else "train",
        "scene": SCENE, "fps": FPS, "frame_count": FRAMES, "width": SIDE, "height": SIDE,
        "duration_s": SECONDS, "cue_s": 0.2, "bodies": bodies, "spec": json.dumps(spec), "fluids": [],
        "video": mp4(film(rng)), "audio": flac(tone(rng)), "clipped_fraction": 0.0, "signals": [], "events": [],
        "camera": base["camera"] | {"intrinsics": [30.0, 0.0, 16.0, 0.0, 30.0, 16.0, 0.0, 0.0, 1.0],
                                    "camera_to_world": np.tile(seen.ravel(), FRAMES)},
        "caption": f"The {things[0]} and the {things[1]} block meet {things[2]} {'x' * int(rng.integers(1, 9))}.",
        "outcome": {
            "falls": bool(rng.integers(2)),
            "winner": str(rng.choice(["left", "right", "none"])),
            "speed_m_s": float(rng.uniform(0.5, 2.0)),
        },
        "questions": [
            question("falls", f"Does the {things[0]} block fall?", "yes" if yes else "no", "yes_no"),
            question("winner", f"Is {things[1]} or {things[2]} first?", things[1 + first], "choice", things[1:3]),
        ],
    }  # fmt: skip


def question(kind, text, answer, answer_type, choices=()) -> dict:
    return {"kind": kind, "question": text, "answer": answer, "answer_type": answer_type, "choices": list(choices),
            "needs": "picture"}  # fmt: skip


def write(folder: Path, rows: list[dict], schema: pa.Schema = SCHEMA) -> Path:
    """A data set of these rows, in shards by split."""
    splits = list(dict.fromkeys(row["split"] for row in rows))
    plan = {"scene": SCENE, "count": len(rows), "seed": 0, "parameters": {}, "exporter": "parquet",
            "splits": {name: 1.0 / len(splits) for name in splits}, "passes": ["rgb"], "audio": True}  # fmt: skip
    lines = [FORMAT, {"kind": "plan", "scene": SCENE, "scene_version": 1, "plan": plan, "libraries": {}}]
    for split in splits:
        own = [row for row in rows if row["split"] == split]
        file = f"data/{SCENE}/{split}-00000-of-00001.parquet"
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(own, schema=schema), path)
        data = path.read_bytes()
        lines.append({"kind": "shard", "scene": SCENE, "split": split, "shard": 0, "file": file, "samples": len(own),
                      "rows": len(own), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})  # fmt: skip
    (folder / "manifest.jsonl").write_text("".join(manifest_line(line) for line in lines))
    return folder
