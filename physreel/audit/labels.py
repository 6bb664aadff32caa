"""How often each value of a label occurs, and whether splits agree on it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from physreel.audit.reading import Label, SceneFacts
from physreel.audit.report import Balance, SceneReport
from physreel.audit.thresholds import Thresholds

_FEW_VALUES = 12
_CLASSES = 4
_ENOUGH = 20
_SHUFFLES = 999


def judge_labels(facts: SceneFacts, report: SceneReport, limits: Thresholds, judged: Sequence[str]) -> None:
    """Balance of each label; faults are told of the judged ones, of the others constancy is noted."""
    for name, values in sorted(facts.labels.items()):
        balance = _balance(name, values, facts.splits, facts.groups)
        report.balances.append(balance)
        important = name in judged
        constant = len(set(map(_text, values))) == 1 and facts.rows >= _ENOUGH
        if constant:
            report.find("constant_label", important, f"{name} is {_text(values[0])[:80]} in all {facts.rows} rows", 1.0,
                        limits.max_majority if important else None)  # fmt: skip
        elif important and balance.majority is not None and balance.majority > limits.max_majority:
            most = next(iter(balance.shares))
            report.find("label_balance", facts.rows >= _ENOUGH,
                        f"{name} is {most[:80]} in {balance.majority:.1%} of the rows", balance.majority,
                        limits.max_majority)  # fmt: skip
        # A thousandth: a data set has dozens of labels, and one in twenty shifts by chance.
        if balance.shift is not None and balance.shift_p is not None and balance.shift_p <= 0.001:
            report.find("label_shift", important and balance.shift > limits.max_shift,
                        f"{name} differs between splits: total variation {balance.shift:.3f}, by chance with "
                        f"p = {balance.shift_p:.3f}", balance.shift, limits.max_shift)  # fmt: skip


def categorical(facts: SceneFacts) -> list[str]:
    """Labels with few values: text, yes or no, small whole numbers."""
    return [
        name
        for name, values in sorted(facts.labels.items())
        if not _many_numbers(values)
        and 2 <= len(set(map(_text, values))) <= _FEW_VALUES
        and any(value is not None for value in values)
    ]


def classes(values: Sequence[Label]) -> NDArray[np.int64]:
    """A class for each row: values as they are, many numbers in quarters, rare values together."""
    if _many_numbers(values):
        numbers = np.array([np.nan if value is None else float(value) for value in values], np.float64)
        there = numbers[np.isfinite(numbers)]
        edges = np.unique(np.quantile(there, np.arange(1, _CLASSES) / _CLASSES)) if len(there) else np.array([])
        return np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, side="right"), -1).astype(np.int64)
    texts = [_text(value) for value in values]
    counts = Counter(texts)
    least = max(5, math.ceil(0.02 * len(texts)))
    known = {text: k for k, text in enumerate(sorted(text for text, count in counts.items() if count >= least))}
    return np.array([known.get(text, len(known)) for text in texts], np.int64)


def _balance(name: str, values: Sequence[Label], splits: Sequence[str], groups: Sequence[str]) -> Balance:
    which = classes(values)
    shift, shift_p = _shift(which, splits, groups)
    if _many_numbers(values):
        there = [float(value) for value in values if value is not None and math.isfinite(float(value))]
        points = (0.0, 0.25, 0.5, 0.75, 1.0)
        at = np.quantile(there, points) if there else [math.nan] * 5
        shares = {f"q{point:g}": float(value) for point, value in zip(points, at, strict=True)}
        if len(there) < len(values):
            shares["none"] = 1.0 - len(there) / len(values)
        return Balance(name, len(there), shares, None, {}, shift, shift_p)
    texts = [_text(value) for value in values]
    counts = sorted(Counter(texts).items(), key=lambda pair: (-pair[1], pair[0]))
    most = counts[0][0]
    by_split = {
        split: float(np.mean([text == most for text, own in zip(texts, splits, strict=True) if own == split]))
        for split in dict.fromkeys(splits)
    }
    shares = {text: count / len(texts) for text, count in counts[:50]}
    return Balance(name, len(texts), shares, counts[0][1] / len(texts), by_split, shift, shift_p)


def _shift(which: NDArray[np.int64], splits: Sequence[str], groups: Sequence[str]) -> tuple[float | None, float | None]:
    """Greatest total variation between a split and the rest, and its share among splits at random, group by group."""
    names = list(dict.fromkeys(splits))
    if len(names) < 2:
        return None, None
    home = {name: k for k, name in enumerate(names)}
    _, of_group = np.unique(np.array(groups), return_inverse=True)
    split = np.array([home[name] for name in splits])
    kinds = np.unique(which, return_inverse=True)[1]
    # Counts by group once; then a shuffle of groups is one product of matrices.
    table = np.zeros((int(of_group.max()) + 1, int(kinds.max()) + 1))
    np.add.at(table, (of_group, kinds), 1.0)
    of_split = np.zeros(len(table), np.int64)
    of_split[of_group] = split
    found = _variation(table, of_split, len(names))
    rng = np.random.default_rng(3)
    shuffles = _SHUFFLES if len(table) <= 20_000 else 199
    more = sum(_variation(table, rng.permutation(of_split), len(names)) >= found - 1e-12 for _ in range(shuffles))
    return found, (more + 1) / (shuffles + 1)


def _variation(table: NDArray[np.float64], of_split: NDArray[np.int64], count: int) -> float:
    sums = np.stack([np.bincount(of_split, weights=column, minlength=count) for column in table.T], 1)
    total = sums.sum(0)
    greatest = 0.0
    for own in sums:
        rest = total - own
        if own.sum() and rest.sum():
            greatest = max(greatest, float(np.abs(own / own.sum() - rest / rest.sum()).sum() / 2))
    return greatest


def _many_numbers(values: Sequence[Label]) -> bool:
    if any(isinstance(value, str) for value in values):
        return False
    numbers = {value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)}
    if any(isinstance(value, float) for value in numbers):
        return len(numbers) > _FEW_VALUES or any(value != int(value) for value in numbers if math.isfinite(value))
    return len(numbers) > _FEW_VALUES


def _text(value: Label) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
