"""One pass over a data set's rows, keeping some kilobytes of each."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.audit.media import Picture, Sound, listen_to, look_at
from physreel.audit.worlds import World, read_world
from physreel.loaders.records import Record, ShardFile, shard_records
from physreel.storage import Store

LEARN_FROM = 4000
"""Pictures, envelopes and questions of about so many rows are kept to learn from."""

COLUMNS = (
    "sample_id", "index", "split", "group_id", "video", "audio", "pascal_per_unit", "clipped_fraction", "fps",
    "frame_count", "width", "height", "duration_s", "cue_s", "camera", "caption", "questions", "outcome", "bodies",
    "fluids", "signals", "spec",
)  # fmt: skip

Label = bool | int | float | str | None

_HUGE = 2**63
"""Whole numbers from here on count as text."""


@dataclass(frozen=True)
class Asked:
    """A question of a row."""

    kind: str
    question: str
    answer: str
    answer_type: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """What a model may learn from of a row.

    Attributes:
        row: which of the scene's rows.
        tiles: (2, TILES, TILES, 3) uint8, first and last frame; None without picture.
        colors: (2, 9) float32.
        envelope: (11,) float32; None without sound.
        numbers: cues that are plain numbers, by cue.
        asked: the questions.
    """

    row: int
    tiles: NDArray[np.uint8] | None
    colors: NDArray[np.float32] | None
    envelope: NDArray[np.float32] | None
    numbers: dict[str, tuple[float, ...]]
    asked: tuple[Asked, ...]


@dataclass
class SceneFacts:
    """What is kept of a scene's rows; lists run over rows.

    Attributes:
        problems: which rows have each problem, by its name (``silent``, ``black``, …).
        frames: (16 × 16 × 3) bytes of each middle frame, at a quarter of the tiles; and of the last.
        answers: how often each answer to a kind of question occurs.
    """

    scene: str
    sample_ids: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    labels: dict[str, list[Label]] = field(default_factory=dict)
    worlds: list[World | None] = field(default_factory=list)
    frames: list[NDArray[np.uint8] | None] = field(default_factory=list)
    captions: list[bytes] = field(default_factory=list)
    problems: dict[str, list[int]] = field(default_factory=dict)
    looked_at: dict[str, int] = field(default_factory=dict)
    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    answer_types: dict[str, str] = field(default_factory=dict)
    lessons: list[Lesson] = field(default_factory=list)
    has_video: int = 0
    has_audio: int = 0
    has_questions: int = 0

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.sample_ids)

    def note(self, problem: str) -> None:
        """Enter a problem of the row that was taken last; once."""
        rows = self.problems.setdefault(problem, [])
        if not rows or rows[-1] != self.rows - 1:
            rows.append(self.rows - 1)


def read_scene(store: Store, shards: list[ShardFile], limit: int | None) -> SceneFacts:
    """The facts of one scene's rows; at most ``limit`` of them, evenly from all splits."""
    facts = SceneFacts(shards[0].scene)
    total = sum(shard.rows for shard in shards)
    stride = max(1, math.ceil(min(total, limit or total) / LEARN_FROM))
    for row in _rows(store, shards, limit):
        group = int.from_bytes(_hash(str(row.get("group_id")))[:8], "little")
        _take(facts, row, learn=group % stride == 0)
    return facts


def _rows(store: Store, shards: list[ShardFile], limit: int | None) -> Iterator[Record]:
    """Rows in order; with a limit as large a share of each split, and of small ones a row while there is room."""
    total = sum(shard.rows for shard in shards)
    room = total if limit is None else limit
    for split in dict.fromkeys(shard.split for shard in shards):
        here = [shard for shard in shards if shard.split == split]
        left = sum(shard.rows for shard in here)
        if limit is not None:
            left = min(left, room, max(1, round(limit * left / total)))
        room -= left
        for shard in here:
            if left <= 0:
                break
            for row in shard_records(store, shard, columns=COLUMNS):
                yield row
                left -= 1
                if left <= 0:
                    break


def _take(facts: SceneFacts, row: Mapping[str, Any], *, learn: bool) -> None:
    before = facts.rows
    facts.sample_ids.append(str(row.get("sample_id")))
    for label, value in plain_outcome(row).items():
        # A label that first rows lack (by an older scene version) is none there.
        facts.labels.setdefault(label, [None] * before).append(value)
    for values in facts.labels.values():
        values.extend([None] * (facts.rows - len(values)))
    facts.splits.append(sys.intern(str(row.get("split"))))
    facts.groups.append(str(row.get("group_id")))
    world = _world(facts, row)
    facts.worlds.append(world)
    picture = _picture(facts, row)
    facts.frames.append(None if picture is None else _small(picture.tiles))
    sound = _sound(facts, row)
    caption = str(row.get("caption") or "").strip()
    facts.captions.append(_hash(caption)[:8])
    asked = _asked(facts, row)
    if not caption or any(not (one.question.strip() and one.answer.strip()) for one in asked):
        facts.note("empty_words")
    if _not_numbers(row) or (sound is not None and not sound.finite):
        facts.note("nan")
    if learn:
        numbers = {
            "caption length": (float(len(caption)), float(len(caption.split()))),
            "object count": world.counts if world is not None else (0.0, 0.0, 0.0),
            "duration and size": tuple(
                _number(row.get(column)) for column in ("duration_s", "frame_count", "fps", "width", "height", "cue_s")
            ),
            "split and index": _place(row),
        }
        facts.lessons.append(
            Lesson(
                row=facts.rows - 1,
                tiles=None if picture is None else picture.tiles[[0, 2]],
                colors=None if picture is None else picture.colors[[0, 2]],
                envelope=None if sound is None else sound.envelope,
                numbers=numbers,
                asked=asked,
            )
        )


def plain_outcome(row: Mapping[str, Any]) -> dict[str, Label]:
    """The outcome's fields that are one value each."""
    return {
        label: str(value) if isinstance(value, int) and abs(value) >= _HUGE else value
        for label, value in (row.get("outcome") or {}).items()
        if value is None or isinstance(value, (bool, int, float, str))
    }


def _world(facts: SceneFacts, row: Mapping[str, Any]) -> World | None:
    try:
        world = read_world(json.loads(row["spec"]), row)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        facts.note("missing")
        return None
    if world.out_of_frame is not None:
        facts.looked_at["out_of_frame"] = facts.looked_at.get("out_of_frame", 0) + 1
        if world.out_of_frame:
            facts.note("out_of_frame")
    return world


def _picture(facts: SceneFacts, row: Mapping[str, Any]) -> Picture | None:
    data = (row.get("video") or {}).get("bytes")
    if not data:
        facts.note("no_video")
        return None
    facts.has_video += 1
    try:
        picture = look_at(data)
    except ValueError:
        facts.note("missing")
        return None
    wanted = _number(row.get("duration_s")) * _number(row.get("fps"))
    right = picture.frame_count == row.get("frame_count") and abs(picture.frame_count - wanted) <= 1.0
    if not right or (picture.width, picture.height) != (row.get("width"), row.get("height")):
        facts.note("wrong_length")
    for problem, found in (("black", picture.black or picture.white), ("still", picture.still)):
        if found:
            facts.note(problem)
    return picture


def _sound(facts: SceneFacts, row: Mapping[str, Any]) -> Sound | None:
    data = (row.get("audio") or {}).get("bytes")
    if not data:
        facts.note("no_audio")
        return None
    facts.has_audio += 1
    try:
        sound = listen_to(data, _number(row.get("pascal_per_unit")) or 1.0)
    except ValueError:
        facts.note("missing")
        return None
    if abs(sound.sample_count - _number(row.get("duration_s")) * sound.rate_hz) > 1.0:
        facts.note("wrong_length")
    # A thousandth of the clip: fewer samples at full scale are nothing that is heard.
    if max(sound.cut_share, _number(row.get("clipped_fraction"))) > 1e-3:
        facts.note("clipped")
    if sound.silent:
        facts.note("silent")
    return sound


def _asked(facts: SceneFacts, row: Mapping[str, Any]) -> tuple[Asked, ...]:
    asked = tuple(
        Asked(
            kind=str(one.get("kind") or ""),
            question=str(one.get("question") or ""),
            answer=str(one.get("answer") or ""),
            answer_type=str(one.get("answer_type") or ""),
            choices=tuple(str(choice) for choice in one.get("choices") or ()),
        )
        for one in row.get("questions") or ()
    )
    facts.has_questions += bool(asked)
    for one in asked:
        counts = facts.answers.setdefault(one.kind, {})
        facts.answer_types[one.kind] = one.answer_type
        counts[one.answer] = counts.get(one.answer, 0) + 1
    return asked


def _small(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Middle and last frame at 8 × 8, as one row of bytes."""
    two = tiles[1:].astype(np.uint16)
    mean = (two[:, ::2, ::2] + two[:, 1::2, ::2] + two[:, ::2, 1::2] + two[:, 1::2, 1::2] + 2) // 4
    return mean.astype(np.uint8).ravel()


def _place(row: Mapping[str, Any]) -> tuple[float, ...]:
    index = int(_number(row.get("index")))
    split = _hash(str(row.get("split")))
    return (float(index), *(float(index % k) for k in (2, 3, 4, 5, 7)), float(split[0]))


def _not_numbers(row: Mapping[str, Any]) -> bool:
    """Whether any number of a row's truth is not finite."""
    columns = ("outcome", "camera", "bodies", "fluids", "signals", "pascal_per_unit")
    try:
        return any(_has_nan(row.get(column)) for column in columns)
    except RecursionError:  # nested so deep that nobody can read it
        return True


def _has_nan(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(_has_nan(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], float):
            try:
                return not bool(np.isfinite(np.asarray(value, np.float64)).all())
            except (TypeError, ValueError):
                return any(_has_nan(item) for item in value)
        return any(_has_nan(item) for item in value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return not bool(np.isfinite(value).all())
    return False


def _number(value: Any) -> float:
    known = isinstance(value, (int, float)) and abs(value) < _HUGE  # false of what is not finite
    return float(value) if known else 0.0


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
