"""A clip in two: what may be shown, and what is to be predicted from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.loaders.records import Record
from physreel.values import SAMPLE_RATE_HZ
from physreel.values.encodings import PASS_ENCODINGS

_SAME_INSTANT = 1e-6
"""Part of a frame or sample by which a time in seconds may be off through rounding."""


@dataclass(frozen=True)
class Part:
    """Pictures and sound of a part of a clip; None for what was not read.

    Attributes:
        video: (T, H, W, 3) uint8.
        audio: (S, C) float32, full scale ± 1.
        passes: depth, segmentation, normals, flow by name, (T, H, W[, channels]).
    """

    video: NDArray[np.uint8] | None
    audio: NDArray[np.float32] | None
    passes: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Cue(Part):
    """What may be shown: the clip before ``cue_s``, and what is asked.

    Attributes:
        cue_s: the instant at which it ends.
        fps: frames a second.
        questions: kind, question, answer_type and choices of each; no answers.
    """

    cue_s: float
    fps: int
    questions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Target(Part):
    """What is to be predicted: the clip from ``cue_s`` on, and all words and labels that tell what happens in it.

    Attributes:
        outcome: the scene's own record.
        caption: it tells the outcome.
        events: from the whole clip.
        answers: of the questions, in their order.
    """

    outcome: Mapping[str, Any] | None
    caption: str | None
    events: tuple[Mapping[str, Any], ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class CueSplit:
    """Both parts of one clip."""

    sample_id: str
    cue: Cue
    target: Target


def count_before(time_s: float, rate_hz: float) -> int:
    """How many frames or samples, of which number k is at k / rate_hz, are before an instant; one on it is not."""
    return max(math.ceil(time_s * rate_hz - _SAME_INSTANT), 0)


def split_at_cue(record: Record) -> CueSplit:
    """Split a row at its ``cue_s``; columns that were not read are None or empty.

    Frames and samples whose time is before ``cue_s`` are the cue's. Flow tells where things will be in the next frame,
    so the flow of the cue's last frame is the target's.

    Raises:
        KeyError: ``cue_s`` or ``fps`` was not read.
    """
    cue_s, fps = float(record["cue_s"]), int(record["fps"])
    frames, samples = count_before(cue_s, fps), count_before(cue_s, SAMPLE_RATE_HZ)
    video = None if record.get("video") is None else record.video
    audio = None if record.get("audio") is None else record.audio
    passes = {name: getattr(record, name) for name in PASS_ENCODINGS if record.get(name) is not None}
    ends = {name: max(frames - 1, 0) if name == "flow" else frames for name in passes}
    asked = record.get("questions") or []
    cue = Cue(
        video=None if video is None else video[:frames],
        audio=None if audio is None else audio[:samples],
        passes={name: values[: ends[name]] for name, values in passes.items()},
        cue_s=cue_s,
        fps=fps,
        questions=tuple(
            {name: question[name] for name in ("kind", "question", "answer_type", "choices")} for question in asked
        ),
    )
    target = Target(
        video=None if video is None else video[frames:],
        audio=None if audio is None else audio[samples:],
        passes={name: values[ends[name] :] for name, values in passes.items()},
        outcome=record.get("outcome"),
        caption=record.get("caption"),
        events=tuple(record.get("events") or ()),
        answers=tuple(question["answer"] for question in asked),
    )
    return CueSplit(sample_id=str(record.get("sample_id")), cue=cue, target=target)
