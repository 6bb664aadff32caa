"""Rows that are nearly the same, found by cells: each row is compared with few others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.audit.reading import SceneFacts
from physreel.audit.report import SceneReport
from physreel.audit.thresholds import Thresholds

_NEAR_WORLD = 1e-3
"""Distance between logarithms: what is one world but for rounding and jitter."""

_NEAR_FRAME = 1.5
"""Mean difference of small pictures, of 255: what coding makes of one picture."""

_SPREAD = 8.0
_GRIDS, _DIRECTIONS, _CELL, _WINDOW, _BLOCK = 8, 4, 8.0, 8, 4096

Points = NDArray[Any]


def judge_twins(facts: SceneFacts, report: SceneReport, limits: Thresholds) -> None:
    """Duplicates within and across splits, and groups that lie in two."""
    ids, splits, groups = facts.sample_ids, facts.splits, facts.groups
    worlds = {pair for pair in near_worlds(facts) if _strangers(facts, pair)}
    frames = {pair for pair in near_frames(facts) if _strangers(facts, pair)}
    _tell(report, "duplicate_worlds", "clips have the same world, or nearly, as one of another group",
          facts, worlds, limits)  # fmt: skip
    _tell(report, "duplicate_frames", "clips look the same, in the middle and at the end, as one of another group",
          facts, frames, limits)  # fmt: skip
    seen: dict[str, int] = {}
    for name in ids:
        seen[name] = seen.get(name, 0) + 1
    repeated = [name for name, count in seen.items() if count > 1]
    if repeated:
        extra = sum(seen[name] - 1 for name in repeated)
        report.find("repeated_ids", extra > limits.max_duplicates, f"{extra} rows have the id of an earlier row", extra,
                    limits.max_duplicates, repeated)  # fmt: skip
    homes: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        homes.setdefault(group, set()).add(split)
    crossing = [group for group, found in homes.items() if len(found) > 1]
    if crossing:
        report.find("groups_cross_splits", len(crossing) > limits.max_leaks,
                    f"{len(crossing)} groups lie in more than one split", len(crossing), limits.max_leaks,
                    crossing)  # fmt: skip
    leaks = {pair for pair in worlds | frames if splits[pair[0]] != splits[pair[1]]}
    if leaks:
        shown = [f"{ids[a]} = {ids[b]}" for a, b in sorted(leaks)]
        report.find("leaks", len(leaks) > limits.max_leaks, f"{len(leaks)} pairs of twins lie in two splits",
                    len(leaks), limits.max_leaks, shown)  # fmt: skip


def _tell(
    report: SceneReport, check: str, what: str, facts: SceneFacts, pairs: set[tuple[int, int]], limits: Thresholds
) -> None:
    rows = {row for pair in pairs for row in pair}
    if rows:
        # Of two twins one is too many.
        extra = len(rows) - _components(rows, pairs)
        report.find(check, extra > limits.max_duplicates, f"{len(rows)} {what}", extra, limits.max_duplicates,
                    [facts.sample_ids[row] for row in rows])  # fmt: skip


def _components(rows: set[int], pairs: Iterable[tuple[int, int]]) -> int:
    parent = {row: row for row in rows}

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for a, b in pairs:
        parent[root(a)] = root(b)
    return sum(parent[row] == row for row in rows)


def _strangers(facts: SceneFacts, pair: tuple[int, int]) -> bool:
    """Siblings (changed and impossible twins, views of other cameras) are alike on purpose."""
    return facts.groups[pair[0]] != facts.groups[pair[1]]


def near_worlds(facts: SceneFacts) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose worlds are the same but for looks, cameras and a thousandth; (lower, higher) row."""
    rows = [k for k, world in enumerate(facts.worlds) if world is not None]
    kinds: dict[bytes, list[int]] = {}
    for row in rows:
        world = facts.worlds[row]
        assert world is not None
        kinds.setdefault(world.kind, []).append(row)
    for members in kinds.values():
        if len(members) > 1:
            points = np.stack([world.projected for row in members if (world := facts.worlds[row]) is not None])
            for a, b in _near(points, _distance_world, _NEAR_WORLD):
                yield members[a], members[b]


def near_frames(facts: SceneFacts) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose middle and last frames are the same picture; (lower, higher) row."""
    rows = [k for k, frame in enumerate(facts.frames) if frame is not None]
    if len(rows) > 1:
        points = np.stack([frame for frame in facts.frames if frame is not None])
        for a, b in _near(points, _distance_frame, _NEAR_FRAME):
            yield rows[a], rows[b]


def _distance_world(one: Points, other: Points) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(one.astype(np.float64) - other.astype(np.float64), axis=1))


def _distance_frame(one: Points, other: Points) -> NDArray[np.float64]:
    """The greater of the two frames' mean differences; a small thing elsewhere counts by its own brightness too."""
    gap = np.abs(one.astype(np.int16) - other.astype(np.int16)).reshape(len(one), 2, -1)
    return np.asarray(np.maximum(gap.mean(2), gap.max(2) / _SPREAD).max(1), np.float64)


def _near(
    points: Points, distance: Callable[[Points, Points], NDArray[np.float64]], near: float
) -> Iterator[tuple[int, int]]:
    """Pairs within ``near``: those that lie in one cell of a coarse grid, of several grids at random.

    Two that are near lie in one cell of a grid more often than not, so eight grids miss next to none; within a crowded
    cell only neighbours are compared, so a thousand equal rows are found as a chain.
    """
    rng = np.random.default_rng(7)
    found: set[tuple[int, int]] = set()
    width = _CELL * near
    for _ in range(_GRIDS):
        directions = rng.normal(size=(points.shape[1], _DIRECTIONS + 1))
        directions /= np.linalg.norm(directions, axis=0)
        keys = np.concatenate(
            [points[start : start + _BLOCK].astype(np.float64) @ directions for start in range(0, len(points), _BLOCK)]
        )
        cells = np.floor((keys[:, :-1] + rng.uniform(0.0, width, _DIRECTIONS)) / width).astype(np.int64)
        order = np.lexsort((keys[:, -1], *cells.T))
        for step in range(1, min(_WINDOW, len(points) - 1) + 1):
            same = np.flatnonzero((cells[order[:-step]] == cells[order[step:]]).all(1))
            for start in range(0, len(same), _BLOCK):
                at = same[start : start + _BLOCK]
                a, b = order[at], order[at + step]
                close = np.flatnonzero(distance(points[a], points[b]) <= near)
                found |= {(int(min(a[k], b[k])), int(max(a[k], b[k]))) for k in close}
    yield from sorted(found)
