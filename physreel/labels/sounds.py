"""Questions for the ear: how many impacts, and whether any, within a stretch of the clip."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from physreel.labels.drawing import draw_balanced
from physreel.labels.facts import Facts
from physreel.values import Question

_LISTEN_S = 0.5
_SILENCE_S = 0.25
_GRID_S = 0.02
_MOMENT_S = 0.1  # windows that begin this close are alike by their time
_ROOM_S = 0.03  # the sound's way to the microphone, and how well we tell times by ear
_LOUD_SHARE = 0.02  # of the strongest impulse: - 34 dB
_FAINT_SHARE = 0.002  # - 54 dB: lost beside the others
_LOUD_SPEED_M_S = 0.2


def _sounds(facts: Facts) -> tuple[list[float], list[float]]:
    """Times of impacts that are heard for sure, and of those that may or may not be."""
    strongest = max((impact.normal_impulse_n_s for impact in facts.impacts), default=0.0)
    sure, unsure = [], []
    for impact in facts.impacts:
        share = impact.normal_impulse_n_s / strongest
        if share >= _LOUD_SHARE and impact.approach_speed_m_s >= _LOUD_SPEED_M_S:
            sure.append(impact.time_s)
        elif share >= _FAINT_SHARE:
            unsure.append(impact.time_s)
    return sure, unsure


def _moments(starts: Iterable[float]) -> dict[float, str]:
    return {start: str(int(start / _MOMENT_S + 1e-6)) for start in starts}


def impacts_heard(facts: Facts, rng: np.random.Generator) -> Question | None:
    """How many separate impacts are heard in half a second; windows with faint or merging ones are not used.

    Late in a clip there are fewer: so different counts must occur among windows that begin at nearly the same time.
    """
    sure, unsure = _sounds(facts)
    windows: dict[float, int] = {}
    for start in np.arange(0.0, facts.duration_s - _LISTEN_S + 1e-9, _GRID_S).tolist():
        low, high = start - _ROOM_S, start + _LISTEN_S + _ROOM_S
        near = [t for t in sure if low < t < high]
        inside = [t for t in near if low + 2 * _ROOM_S < t < high - 2 * _ROOM_S]
        apart = all(b - a >= 2 * _ROOM_S for a, b in pairwise(inside))
        if len(near) == len(inside) <= 6 and apart and not any(low < t < high for t in unsure):
            windows[start] = len(inside)
    drawn = draw_balanced(rng, windows, _moments(windows))
    if drawn is None:
        return None
    start, count = drawn
    return Question(
        kind="impacts_heard",
        question=f"How many separate impacts are heard between {start:.2f} s and {start + _LISTEN_S:.2f} s?",
        answer=str(count),
        answer_type="count",
        needs="sound",
    )


def impact_in_window(facts: Facts, rng: np.random.Generator) -> Question | None:
    """Whether anything strikes anything in a quarter of a second, after the first impact.

    Before it all is silent, and the time alone would tell. Both answers occur among windows that begin within a tenth
    of a second of each other, so that "early" and "late" tell nothing either.
    """
    sure, unsure = _sounds(facts)
    windows: dict[float, str] = {}
    for start in np.arange(0.0, facts.duration_s - _SILENCE_S + 1e-9, _GRID_S).tolist():
        low, high = start - _ROOM_S, start + _SILENCE_S + _ROOM_S
        if low <= min(sure, default=np.inf):
            continue
        if any(low + 2 * _ROOM_S < t < high - 2 * _ROOM_S for t in sure):
            windows[start] = "yes"
        elif not any(low < t < high for t in (*sure, *unsure)):
            windows[start] = "no"
    drawn = draw_balanced(rng, windows, _moments(windows))
    if drawn is None:
        return None
    start, answer = drawn
    return Question(
        kind="impact_in_window",
        question=f"Is an impact heard between {start:.2f} s and {start + _SILENCE_S:.2f} s?",
        answer=answer,
        answer_type="yes_no",
        needs="sound",
    )
