"""How much of each parameter's range occurs, and which parameters go together that were drawn apart."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.audit.reading import SceneFacts
from physreel.audit.report import Coverage, SceneReport
from physreel.audit.thresholds import Thresholds

_BINS = 10
_ENOUGH = 40
_WORTH_TELLING = 0.3
_FALSE_ALARM = 1e-3
_MOST_TEXTS, _COMMON = 20, 5


@dataclass(frozen=True)
class Declared:
    """What a parameter was drawn from: a range of numbers, or choices."""

    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    whole: bool = False

    def __str__(self) -> str:
        return "|".join(self.choices) if self.choices else f"{self.low:g}..{self.high:g}"


def judge_parameters(
    facts: SceneFacts, report: SceneReport, limits: Thresholds, declared: Mapping[str, Declared]
) -> None:
    """Coverage of each drawn parameter, and associations between them; one row of each group counts.

    Where it is known what was asked for, all else in a spec's parameters was worked out by the scene: that it follows
    from others is told and is no fault.
    """
    first = _first_of_groups(facts)
    columns = _columns(facts, first)
    for name, values in columns.items():
        one = _coverage(name, values, declared.get(name))
        if one is None:
            continue
        report.coverage.append(one)
        low = one.hit / max(one.expected, 1e-9)
        if one.bins > 1 and low < limits.min_coverage:
            of = f" of {one.declared}" if one.declared else ""
            report.find("coverage", len(values) >= _ENOUGH and _is_drawn(name, declared),
                        f"{name}{of}: {one.hit} of {one.bins} bins occur; chance would hit {one.expected:.1f}", low,
                        limits.min_coverage)  # fmt: skip
    _associate(columns, report, limits, declared)


def _is_drawn(name: str, declared: Mapping[str, Declared]) -> bool:
    return not declared or name in declared


def _first_of_groups(facts: SceneFacts) -> list[int]:
    seen: dict[str, int] = {}
    for row, group in enumerate(facts.groups):
        if facts.worlds[row] is not None:
            seen.setdefault(group, row)
    return list(seen.values())


def _columns(facts: SceneFacts, rows: Sequence[int]) -> dict[str, list[float | str]]:
    worlds = [world for row in rows if (world := facts.worlds[row]) is not None]
    names = sorted(set.intersection(*(set(world.parameters) for world in worlds))) if worlds else []
    return {name: [world.parameters[name] for world in worlds] for name in names}


def _coverage(name: str, values: Sequence[float | str], declared: Declared | None) -> Coverage | None:
    if all(isinstance(value, float) for value in values):
        numbers = np.array(values, np.float64)
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return None
        low, high = float(numbers.min()), float(numbers.max())
        known = declared is not None and declared.low is not None and declared.high is not None
        if known and declared is not None:
            start, end = float(declared.low or 0.0), float(declared.high or 0.0)
        else:
            start, end = low, high
        whole = declared.whole if declared is not None else bool((numbers == np.round(numbers)).all())
        bins = int(min(_BINS, end - start + 1)) if whole else _BINS
        if end <= start:
            bins = 1
        span = (end - start + 1) if whole else (end - start)
        at = np.clip(((numbers - start) / (span or 1.0) * bins).astype(np.int64), 0, bins - 1)
        # What is outside of the declared range fills no bin of it.
        inside = (numbers >= start - 1e-9 * max(1.0, abs(start))) & (numbers <= end + 1e-9 * max(1.0, abs(end)))
        hit = len(np.unique(at[inside]))
        return Coverage(name, str(declared) if known else None, low, high, hit, bins, _chance(bins, len(numbers)))
    texts = [str(value) for value in values]
    if declared is not None and declared.choices:
        if not set(texts) & set(declared.choices):
            return None  # drawn for each object: the spec only repeats the choices
        hit, bins = len(set(texts) & set(declared.choices)), len(declared.choices)
        return Coverage(name, str(declared), None, None, hit, bins, _chance(bins, len(texts)))
    if any(".." in text or "|" in text for text in texts):
        return None
    hit = len(set(texts))
    return Coverage(name, None, None, None, hit, hit, float(hit))


def _chance(bins: int, count: int) -> float:
    """Bins that so many uniform draws hit on the mean."""
    return bins * (1.0 - (1.0 - 1.0 / bins) ** count) if bins > 1 else 1.0


def _associate(
    columns: Mapping[str, Sequence[float | str]],
    report: SceneReport,
    limits: Thresholds,
    declared: Mapping[str, Declared],
) -> None:
    varied = {name: values for name, values in columns.items() if len(set(values)) > 1}
    count = len(next(iter(varied.values()), ()))
    if count < _ENOUGH:
        return
    pairs = list(itertools.combinations(varied, 2))
    sure = _FALSE_ALARM / max(len(pairs), 1)
    for one, other in pairs:
        strength, p = _association(varied[one], varied[other])
        if strength < _WORTH_TELLING or p > sure:
            continue
        report.associations.append((one, other, round(strength, 3)))
        drawn = _is_drawn(one, declared) and _is_drawn(other, declared)
        report.find("parameters_go_together", strength > limits.max_correlation and drawn,
                    f"{one} and {other} are associated: {strength:.2f} of 1", strength,
                    limits.max_correlation)  # fmt: skip


def _association(one: Sequence[float | str], other: Sequence[float | str]) -> tuple[float, float]:
    """Strength 0 to 1 and the chance of as much: Spearman's of numbers, else Cramér's (bias corrected)."""
    from scipy import stats

    if all(isinstance(value, float) for value in (*one, *other)):
        found = stats.spearmanr(np.array(one, np.float64), np.array(other, np.float64))
        return abs(float(found.statistic)), float(found.pvalue)
    a, b = _codes(one), _codes(other)
    table = np.zeros((int(a.max()) + 1, int(b.max()) + 1))
    np.add.at(table, (a, b), 1.0)
    if min(table.shape) < 2:
        return 0.0, 1.0
    chi2, p, _, _ = stats.chi2_contingency(table, correction=False)
    n, (rows, cols) = float(table.sum()), table.shape
    phi2 = max(0.0, float(chi2) / n - (rows - 1) * (cols - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), cols - (cols - 1) ** 2 / (n - 1)) - 1
    return (math.sqrt(phi2 / least) if least > 0 else 0.0), float(p)


def _codes(values: Sequence[float | str]) -> NDArray[np.int64]:
    if all(isinstance(value, float) for value in values):
        numbers = np.array(values, np.float64)
        edges = np.unique(np.quantile(numbers, (0.25, 0.5, 0.75)))
        cut = np.searchsorted(edges, numbers, side="right")
        return np.asarray(np.unique(cut, return_inverse=True)[1], np.int64)
    texts = [str(value) for value in values]
    counts = Counter(texts)
    common = [text for text, _ in counts.most_common(_MOST_TEXTS)]
    if len(counts) > _MOST_TEXTS:
        # The rest as one: a text of each row's own would make a table of rows by rows.
        common = [text for text in common if counts[text] >= _COMMON]
    code = {text: k for k, text in enumerate(sorted(common))}
    return np.unique(np.array([code.get(text, len(code)) for text in texts], np.int64), return_inverse=True)[1]
