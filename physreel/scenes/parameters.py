"""Scene parameters: what a scene may vary, in which range, in which unit.

A parameter's value is itself a distribution: a number, a range ``0.5..1.5``, or choices ``oak|glass``. A scene declares
its defaults and the bounds a user may move them within::

    class Parameters(SceneParameters):
        drop_height_m: FloatRange = float_range(0.4, 1.5, allowed=(0.05, 5.0), unit="m", description="…")
        surface: Choice = choice(("wood", "marble"), allowed=("wood", "marble", "carpet"), description="…")
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from physreel.errors import SpecError
from physreel.spec import SpecModel, spec_problems


class FloatRange(SpecModel):
    """Uniform between ``low`` and ``high`` (equal: always that value). Reads 0.7, "0.7", "0.5..1.5", (0.5, 1.5)."""

    low: float
    high: float

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        return _parse_range(value, float, "a number such as 0.7 or a range such as 0.5..1.5")

    @model_validator(mode="after")
    def _ordered(self) -> FloatRange:
        if self.low > self.high:
            raise ValueError(f"the range {self} runs backwards; write {self.high:g}..{self.low:g}")
        return self

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        return float(rng.uniform(self.low, self.high))

    def __str__(self) -> str:
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g}..{self.high:g}"


class IntRange(SpecModel):
    """Uniform over the whole numbers from ``low`` to ``high``, both included. Reads 3, "3", "1..12", (1, 12)."""

    low: int
    high: int

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        return _parse_range(value, int, "a whole number such as 3 or a range such as 1..12")

    @model_validator(mode="after")
    def _ordered(self) -> IntRange:
        if self.low > self.high:
            raise ValueError(f"the range {self} runs backwards; write {self.high}..{self.low}")
        return self

    def draw(self, rng: np.random.Generator) -> int:
        """One value."""
        return int(rng.integers(self.low, self.high + 1))

    def __str__(self) -> str:
        return f"{self.low}" if self.low == self.high else f"{self.low}..{self.high}"


class Choice(SpecModel):
    """One of ``values``, each as likely. Reads "oak", "oak|glass", ("oak", "glass")."""

    values: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"values": tuple(part.strip() for part in value.split("|"))}
        if isinstance(value, (list, tuple)):
            return {"values": tuple(value)}
        return value

    def draw(self, rng: np.random.Generator) -> str:
        """One value."""
        return self.values[int(rng.integers(len(self.values)))]

    def __str__(self) -> str:
        return "|".join(self.values)


def _parse_range(value: Any, number: type, wanted: str) -> Any:
    if isinstance(value, (dict, BaseModel)):
        return value
    parts: Sequence[Any] = value.split("..") if isinstance(value, str) else value if _is_pair(value) else [value]
    try:
        if len(parts) > 2:
            raise ValueError
        ends = [_number(part, number) for part in parts]
    except (TypeError, ValueError):
        raise ValueError(f"expected {wanted}") from None
    return {"low": ends[0], "high": ends[-1]}


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def _number(part: Any, number: type) -> Any:
    if isinstance(part, bool):
        raise ValueError
    result = float(part)
    if not math.isfinite(result):
        raise ValueError
    if number is int:
        if result != int(result):
            raise ValueError
        return int(result)
    return result


def float_range(low: float, high: float, *, allowed: tuple[float, float], unit: str, description: str) -> Any:
    """A field of type FloatRange: its default range, the bounds it may be moved within, its unit."""
    default = FloatRange(low=low, high=high)
    return Field(default=default, description=description, json_schema_extra={"allowed": list(allowed), "unit": unit})


def int_range(low: int, high: int, *, allowed: tuple[int, int], description: str, unit: str = "") -> Any:
    """A field of type IntRange: its default range and the bounds it may be moved within."""
    default = IntRange(low=low, high=high)
    return Field(default=default, description=description, json_schema_extra={"allowed": list(allowed), "unit": unit})


def choice(default: Sequence[str], *, allowed: Sequence[str], description: str) -> Any:
    """A field of type Choice: the values it takes by default, and all it may take."""
    value = Choice(values=tuple(default))
    return Field(default=value, description=description, json_schema_extra={"allowed": list(allowed), "unit": ""})


class SceneParameters(BaseModel):
    """Base of a scene's parameters. All faults in what a user gives are found at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # Checked by SceneParameters.read, which knows the scene's name for the message.
    what: ClassVar[str] = "the scene's parameters"

    @model_validator(mode="after")
    def _within_bounds(self) -> SceneParameters:
        problems = []
        for name, field in type(self).model_fields.items():
            value, allowed, unit = getattr(self, name), allowed_values(field), field_unit(field)
            if isinstance(value, (FloatRange, IntRange)) and allowed:
                low, high = allowed
                if value.low < low or value.high > high:
                    shown = f"{low:g}..{high:g} {unit}".rstrip()
                    problems.append(f"{name}: {value} is outside the allowed {shown}")
            elif isinstance(value, Choice) and allowed:
                for item in value.values:
                    if item not in allowed:
                        problems.append(
                            f"{name}: {item!r} is not one of {', '.join(allowed)}{did_you_mean(item, allowed)}"
                        )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @classmethod
    def read(cls, scene: str, given: dict[str, Any]) -> SceneParameters:
        """From what a user gave; SpecError names every fault, with near matches for unknown names."""
        fields = list(cls.model_fields)
        unknown = [
            f"{name}: scene {scene!r} has no such parameter{did_you_mean(name, fields)}; "
            f"it has {', '.join(fields) or 'none'}"
            for name in given
            if name not in cls.model_fields
        ]
        problems = unknown
        for name in cls.model_fields.keys() & given.keys():
            try:  # field by field, so that a fault in one does not hide those in others
                cls(**{name: given[name]})
            except ValidationError as error:
                problems += spec_problems(error)
        if problems:
            raise SpecError(sorted(problems), what=f"the parameters of scene {scene!r}")
        return cls(**given)

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """One value of each parameter, in the order of declaration."""
        return {name: getattr(self, name).draw(rng) for name in type(self).model_fields}


def allowed_values(field: FieldInfo) -> list[Any]:
    """The bounds [low, high] or the list of choices that a parameter field allows (empty: anything)."""
    extra = cast("dict[str, Any]", field.json_schema_extra or {})
    return list(extra.get("allowed", []))


def field_unit(field: FieldInfo) -> str:
    """The unit of a parameter field ("" where it has none)."""
    extra = cast("dict[str, Any]", field.json_schema_extra or {})
    return str(extra.get("unit", ""))


def did_you_mean(given: str, known: Sequence[str]) -> str:
    """' (did you mean …?)' for a near match, else ''."""
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
