"""Values as script files, the only form of data that a page opened from disk may load.

Names, labels and captions of a data set are anybody's. They reach the page inside one string that the page gives to
``JSON.parse``, so no value of theirs is ever read as a program or as markup.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

MOST_TEXT = 200_000
"""Characters of one text that are shown; the rest is counted."""

_MOST_EXACT, _MOST_DEPTH = 2**53, 40


def script(call: str, *values: Any) -> str:
    """The text of a script file that calls ``physreelView.<call>`` with these values, in ASCII."""
    text = json.dumps([plain(value) for value in values], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"physreelView.{call}(JSON.parse({json.dumps(text, ensure_ascii=True)}));\n"


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON has it: numbers that JSON lacks become their names, bytes their length.

    Long texts are cut, and what is nested deeper than anybody looks.
    """
    if depth > _MOST_DEPTH:
        return "…"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return cut(value, MOST_TEXT)
    if isinstance(value, int | np.integer):
        return int(value) if abs(int(value)) <= _MOST_EXACT else str(int(value))
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else number_name(float(value))
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping):
        return {cut(str(key), MOST_TEXT): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, Iterable):
        return [plain(each, depth + 1) for each in value]
    return cut(str(value), MOST_TEXT)


def number_name(value: float) -> str:
    """What a number that JSON lacks is called."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def cut(text: str, most: int) -> str:
    """The text, or its beginning and how much is missing."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} characters more)"


def rounded(values: Any, digits: int) -> list[float | None]:
    """Numbers for drawing, short; None where there is none."""
    flat = np.asarray(values, np.float64).ravel()
    return [round(value, digits) if math.isfinite(value) else None for value in flat.tolist()]
