"""Classes of outcomes: which values a field of an outcome can have, and which of the wanted ones an outcome has."""

from __future__ import annotations

import math
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from physreel.errors import SpecError
from physreel.scenes.parameters import did_you_mean
from physreel.seeding import share_at
from physreel.values import Outcome


@dataclass(frozen=True)
class _Field:
    """What a field of an outcome can hold: bool, str, int or float; of a Literal its values; perhaps none."""

    kind: type
    values: tuple[str, ...]
    may_be_none: bool

    def __str__(self) -> str:
        words = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
        listed = ", ".join(self.values) if self.values and self.kind is str else words[self.kind]
        return f"{listed} or none" if self.may_be_none else listed


class OutcomeClasses:
    """The classes that a share is asked of: values, or intervals of numbers, of one field of a scene's outcomes.

    Args:
        outcome_type: of the scene.
        field: with dots into nested outcomes.
        shares: class → share, or "even".

    Attributes:
        shares: class → share, also where "even" was asked for.

    Raises:
        SpecError: there is no such field, or it cannot have such a value; all that is wrong is listed.
    """

    def __init__(self, outcome_type: type[Outcome], field: str, shares: Mapping[str, float] | Literal["even"]) -> None:
        self._path = tuple(field.split("."))
        found = dict(_fields(outcome_type))
        if field not in found:
            known = list(found)
            raise SpecError(
                [
                    f"field: there is no {field!r} to balance{did_you_mean(field, known)}; {outcome_type.__name__} has "
                    f"{', '.join(known) or 'none'} (lists cannot be balanced)"
                ],
                what="balance",
            )
        self._field = found[field]
        if shares == "even":
            if not self._field.values:
                raise SpecError(
                    [f"shares: even needs a field with few values, and {field} is {self._field}; give each its share"],
                    what="balance",
                )
            shares = {value: 1.0 / len(self._field.values) for value in self._field.values}
        assert not isinstance(shares, str)
        self.shares = dict(shares)
        self._wanted = {name: _reader(name, self._field, field) for name in self.shares}
        problems = [f"shares: {wanted}" for wanted in self._wanted.values() if isinstance(wanted, str)]
        intervals = {name: w for name, w in self._wanted.items() if isinstance(w, _Interval)}
        names = list(intervals)
        for k, one in enumerate(names):
            problems += [
                f"shares: {one} and {other} have values in common"
                for other in names[k + 1 :]
                if intervals[one].meets(intervals[other], self._field.kind is int)
            ]
        if problems:
            raise SpecError(problems, what="balance")

    def draw(self, point: float) -> str:
        """The class at ``point`` (0 to below 1) of all, laid end to end by their shares."""
        return share_at(point, self.shares)

    def class_of(self, outcome: Outcome) -> str | None:
        """The class of an outcome; None if it is in none of them. The end that two intervals share is the first's."""
        value: Any = outcome
        for name in self._path:
            value = None if value is None else getattr(value, name)
        for name, wanted in self._wanted.items():
            if isinstance(wanted, _Interval):
                if value is not None and wanted.low <= value <= wanted.high:
                    return name
            elif _word(value) == name:
                return name
        return None


@dataclass(frozen=True)
class _Interval:
    low: float
    high: float

    def meets(self, other: _Interval, whole: bool) -> bool:
        low, high = max(self.low, other.low), min(self.high, other.high)
        same = (self.low, self.high) == (other.low, other.high)
        return low <= high if whole or same else low < high


class _Word:
    """A value that is compared as text."""


def _word(value: Any) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _reader(name: str, field: _Field, path: str) -> _Interval | _Word | str:
    """How a class is told, or what is wrong with its name."""
    if name == "none" and field.may_be_none:
        return _Word()
    if field.kind in (int, float):
        interval = _interval(name, field.kind)
        if interval is None:
            return f"{path} cannot be {name!r}; it is {field}: a value such as 3, an interval such as 1..3, or 2.."
        return interval
    if field.values and name not in field.values:
        return f"{path} cannot be {name!r}{did_you_mean(name, field.values)}; it is {field}"
    return _Word()


def _interval(text: str, kind: type) -> _Interval | None:
    low, dots, high = (part.strip() for part in text.partition(".."))
    try:
        ends = (float(low) if low else -math.inf, float(high) if high else math.inf) if dots else (float(low),) * 2
    except ValueError:
        return None
    if any(math.isnan(end) for end in ends) or ends[0] > ends[1] or not (low or high):
        return None
    if any(math.isinf(end) for end, given in zip(ends, (low, high if dots else low), strict=True) if given):
        return None
    if kind is int and any(math.isfinite(end) and end != int(end) for end in ends):
        return None
    return _Interval(*ends)


def _fields(model: type[Outcome], prefix: str = "", optional: bool = False) -> Iterator[tuple[str, _Field]]:
    """Every field that is one plain value, by its path."""
    for name, info in model.model_fields.items():
        annotation, may_be_none = _without_none(info.annotation)
        may_be_none = may_be_none or optional
        if isinstance(annotation, type) and issubclass(annotation, Outcome):
            yield from _fields(annotation, f"{prefix}{name}.", may_be_none)
        elif annotation is bool:
            yield prefix + name, _Field(bool, ("true", "false"), may_be_none)
        elif annotation in (str, int, float):
            yield prefix + name, _Field(annotation, (), may_be_none)
        elif get_origin(annotation) is Literal and all(isinstance(value, str) for value in get_args(annotation)):
            yield prefix + name, _Field(str, get_args(annotation), may_be_none)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        others = [part for part in get_args(annotation) if part is not type(None)]
        return (others[0] if len(others) == 1 else annotation), len(others) < len(get_args(annotation))
    return annotation, False
