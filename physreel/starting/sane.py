"""Whether a clip that was stored and read back is one at all: not black, not cut short, nothing missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from physreel.errors import PhysreelError
from physreel.loaders.records import Record
from physreel.spec import spec_problems
from physreel.testing.scenes import check_words
from physreel.values import Outcome, Question

_DARK = 4.0  # of 255, the mean of the brightest frame: below, the picture shows nothing
_FLAT = 2.0  # of 255, the spread of its pixels


def problems_of(row: Record, outcome_type: type[Outcome], passes: Sequence[str]) -> list[str]:
    """All that is wrong with a row, each in a line; [] for a sane one."""
    problems: list[str] = []
    checks: list[tuple[str, Callable[[], list[str]]]] = [
        ("spec", lambda: [] if row.spec.scene == row["scene"] else [f"is of scene {row.spec.scene!r}"]),
        ("video", lambda: _video(row)),
        *((name, lambda name=name: _pass(row, name)) for name in passes if name != "rgb"),
        ("audio", lambda: _audio(row)),
        ("outcome", lambda: _outcome(row["outcome"], outcome_type)),
        ("words", lambda: _words(row)),
        ("events", lambda: _events(row)),
    ]
    for what, check in checks:
        try:
            problems += [f"{what}: {problem}" for problem in check()]
        except (PhysreelError, ValueError, KeyError, TypeError, OSError) as error:
            problems.append(f"{what}: cannot be read back: {type(error).__name__}: {error}")
    return problems


def _video(row: Record) -> list[str]:
    wanted = (row["frame_count"], row["height"], row["width"], 3)
    if row.video.shape != wanted:
        return [f"has shape {row.video.shape}, not {wanted}"]
    problems = []
    frames = round(row.spec.fps * row.spec.duration_s)
    if row["frame_count"] != frames:
        problems.append(
            f"has {row['frame_count']} frames; {row.spec.duration_s:g} s at {row.spec.fps} a second are {frames}"
        )
    brightest = row.video[int(row.video.mean(axis=(1, 2, 3)).argmax())].astype(float)
    if brightest.mean() < _DARK:
        problems.append(f"is black: the brightest frame has a mean of {brightest.mean():.1f} of 255")
    elif brightest.std() < _FLAT:
        problems.append(
            f"shows nothing: the brightest frame is of one colour, with a spread of {brightest.std():.1f} of 255"
        )
    return problems


def _pass(row: Record, name: str) -> list[str]:
    values: Any = getattr(row, name)
    wanted = (row["frame_count"], row["height"], row["width"])
    if values.shape[:3] != wanted:
        return [f"has shape {values.shape}, not {wanted}"]
    if name == "segmentation":
        return [] if len(np.unique(values)) > 1 else ["shows a single thing"]
    if name == "depth":
        return [] if bool((np.isfinite(values) & (values > 0.0)).any()) else ["shows nothing in front of the camera"]
    return [] if bool(np.isfinite(values).all()) else ["holds what is no number"]


def _audio(row: Record) -> list[str]:
    microphones = len(row.spec.microphones)
    if microphones == 0:
        return []
    sound, wanted = row.audio, (round(48_000 * row.spec.duration_s), microphones)
    if sound.shape != wanted:
        return [f"has shape {sound.shape}, not {wanted}"]
    if not np.isfinite(sound).all() or not np.isfinite(row["pascal_per_unit"]):
        return ["holds what is no number"]
    return ["is at full scale all the time"] if sound.size and float(np.abs(sound).min()) >= 0.999 else []


def _outcome(value: Any, outcome_type: type[Outcome]) -> list[str]:
    if value is None:
        return ["is missing"]
    missing = [f"lacks {name}" for name in outcome_type.model_fields if name not in value]
    if missing:
        return missing
    try:
        outcome_type.model_validate(value)
    except ValidationError as error:
        return list(spec_problems(error))
    return []


def _words(row: Record) -> list[str]:
    questions = tuple(Question.model_validate(question) for question in row["questions"])
    try:
        check_words(row["caption"], questions, row.spec.duration_s)
    except AssertionError as error:
        return [str(error)]
    return []


def _events(row: Record) -> list[str]:
    end = row.spec.duration_s
    late = [event for event in row["events"] if not 0.0 <= event["time_s"] <= end + 1e-6]
    return [f"{event['kind']} at {event['time_s']:g} s is outside the clip of {end:g} s" for event in late]
