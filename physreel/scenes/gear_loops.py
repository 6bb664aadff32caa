"""Gears in a closed ring, each meshing with the next: places and a turn at which the teeth of all fit.

Power may flow either way round. An even number of gears turns, where the ring has a shape in which the teeth fit; an
odd number fits in any ring, but at one turn only: it locks itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physreel.geometry.gears import meshing_turn_rad
from physreel.scenes.gear_trains import CLEAR_MODULES, Cut, Floats
from physreel.spec import Gear

Closed = tuple[list[Gear], Floats, Floats, float]

_SHARE = 0.22
"""Of the backlash, that the teeth of the last gear may be off the middle of the first one's gaps."""

_SCAN_RAD = np.linspace(-0.5, 0.5, 201)


def close_loop(rng: np.random.Generator, cut: Cut, count: int) -> Closed | None:
    """Gears, places (N, 2), directions (N,) to the next, and the first one's turn; None if no ring was found."""
    for _ in range(60):
        shapes = [cut.gear(rng, cut.teeth(rng)) for _ in range(count)]
        corners = 2.0 * np.pi / count + rng.uniform(-0.25, 0.25, count - 3)
        odd = bool(count % 2)
        placed = _polygon(cut, shapes, corners) if odd else _turned_to_fit(cut, shapes, corners)
        if placed is None or not _apart(shapes, placed):
            continue
        # Each gear turns against the one before: in an odd ring the first one's turn comes back with its sign changed.
        turn = 0.5 * _turn_after(shapes, placed) if odd else float(rng.uniform(-np.pi, np.pi))
        return shapes, placed, _ways(placed), turn
    return None


def _polygon(cut: Cut, shapes: Sequence[Gear], corners_rad: Floats) -> Floats | None:
    """Places of a closed ring whose first outer angles are given, the last gear closing it; None if it cannot."""
    sides = [cut.distance_m(shapes[k], shapes[(k + 1) % len(shapes)]) for k in range(len(shapes))]
    ways = np.concatenate([[0.0], np.cumsum(corners_rad)])
    places = [np.zeros(2)]
    for side, way in zip(sides, ways, strict=False):
        places.append(places[-1] + side * np.array([np.cos(way), np.sin(way)]))
    gap = places[0] - places[-1]
    span, to_last, to_first = float(np.hypot(*gap)), sides[-2], sides[-1]
    if not abs(to_last - to_first) < span < to_last + to_first:
        return None
    cosine = (to_last**2 + span**2 - to_first**2) / (2.0 * to_last * span)
    # The ring is counter-clockwise: the last gear lies to the right of the way home.
    way = np.arctan2(gap[1], gap[0]) - np.arccos(cosine)
    places.append(places[-1] + to_last * np.array([np.cos(way), np.sin(way)]))
    return np.array(places)


def _ways(places: Floats) -> Floats:
    steps = np.roll(places, -1, 0) - places
    return np.asarray(np.arctan2(steps[:, 1], steps[:, 0]))


def _turn_after(shapes: Sequence[Gear], places: Floats) -> float:
    """How the first gear, not turned, would have to be turned for the last one's teeth."""
    turn = 0.0
    for k, way in enumerate(_ways(places).tolist()):
        turn = meshing_turn_rad(shapes[k], turn, shapes[(k + 1) % len(shapes)], way)
    return turn


def _misfit(shapes: Sequence[Gear], places: Floats) -> float:
    """By what share of a pitch, -0.5 to 0.5, the first gear of an even ring is off where the last one wants it."""
    share = _turn_after(shapes, places) * shapes[0].tooth_count / (2.0 * np.pi)
    return float(share - np.round(share))


def _apart(shapes: Sequence[Gear], places: Floats) -> bool:
    count = len(shapes)
    for i in range(count):
        for k in range(i):
            if (i - k) % count in (1, count - 1):
                continue
            room = shapes[i].tip_radius_m + shapes[k].tip_radius_m + CLEAR_MODULES * shapes[i].module_m
            if float(np.hypot(*(places[i] - places[k]))) < room:
                return False
    return True


def _turned_to_fit(cut: Cut, shapes: Sequence[Gear], corners_rad: Floats) -> Floats | None:
    """An even ring near the given one, with its first angle such that the teeth fit."""

    def at(shift: float) -> Floats | None:
        turned = corners_rad.copy()
        turned[0] += shift
        placed = _polygon(cut, shapes, turned)
        return placed if placed is not None and _apart(shapes, placed) else None

    before: tuple[float, float] | None = None
    for shift in _SCAN_RAD.tolist():
        placed = at(shift)
        if placed is None:
            before = None
            continue
        off = _misfit(shapes, placed)
        if before is not None and before[1] * off <= 0.0 and abs(before[1] - off) < 0.5:
            low, high = before[0], shift
            for _ in range(40):
                middle = 0.5 * (low + high)
                now = at(middle)
                if now is None:
                    return None
                if _misfit(shapes, now) * before[1] > 0.0:
                    low = middle
                else:
                    high = middle
            found = at(0.5 * (low + high))
            fits = found is not None and abs(_misfit(shapes, found)) * np.pi * cut.module_m < _SHARE * cut.backlash_m
            return found if fits else None
        before = shift, off
    return None
