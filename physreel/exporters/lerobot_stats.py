"""What LeRobot wants to know of numbers and pictures, an episode at a time and of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
STATISTICS = ("min", "max", "mean", "std", "count", *QUANTILES)

Stats = dict[str, NDArray[Any]]


def vector_stats(values: NDArray[Any]) -> Stats:
    """Of (T, D) numbers, each (D,); of (T,) numbers, each (1,)."""
    table = np.asarray(values, np.float64).reshape(len(values), -1)
    found = {"min": table.min(0), "max": table.max(0), "mean": table.mean(0), "std": table.std(0)}
    found["count"] = np.array([len(table)])
    for name, values_at in zip(QUANTILES, np.quantile(table, list(QUANTILES.values()), axis=0), strict=True):
        found[name] = values_at
    return found


def picture_stats(frames: NDArray[np.uint8]) -> Stats:
    """Of (T, H, W, 3) pictures as LeRobot reads them, 0 to 1: each (3, 1, 1)."""
    levels = np.arange(256) / 255.0
    found: dict[str, list[float]] = {name: [] for name in STATISTICS if name != "count"}
    for channel in range(3):
        counts = np.bincount(frames[..., channel].ravel(), minlength=256)
        total = counts.sum()
        there = np.flatnonzero(counts)
        mean = float((counts * levels).sum() / total)
        found["min"].append(float(levels[there[0]]))
        found["max"].append(float(levels[there[-1]]))
        found["mean"].append(mean)
        found["std"].append(float(np.sqrt((counts * (levels - mean) ** 2).sum() / total)))
        below = np.cumsum(counts)
        for name, share in QUANTILES.items():
            found[name].append(float(levels[int(np.searchsorted(below, share * total))]))
    stats = {name: np.array(values).reshape(3, 1, 1) for name, values in found.items()}
    return stats | {"count": np.array([len(frames)])}


class Totals:
    """The statistics of all episodes, from those of each; quantiles are means weighted by length, as LeRobot's are."""

    def __init__(self) -> None:
        self._of: dict[str, Stats] = {}

    def add(self, episode: Mapping[str, Stats]) -> None:
        """Add an episode's, by feature."""
        for feature, stats in episode.items():
            old = self._of.get(feature)
            self._of[feature] = dict(stats) if old is None else _merged(old, stats)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """By feature and statistic, as nested lists."""
        return {
            feature: {name: stats[name].tolist() for name in STATISTICS} for feature, stats in sorted(self._of.items())
        }


def _merged(old: Stats, new: Stats) -> Stats:
    count = old["count"] + new["count"]
    share = float(new["count"][0] / count[0])
    apart = new["mean"] - old["mean"]
    variance = (1 - share) * old["std"] ** 2 + share * new["std"] ** 2 + share * (1 - share) * apart**2
    merged = {name: old[name] + share * (new[name] - old[name]) for name in ("mean", *QUANTILES)}
    merged |= {"min": np.minimum(old["min"], new["min"]), "max": np.maximum(old["max"], new["max"])}
    return merged | {"std": np.sqrt(variance), "count": count}
