"""The base of every spec model, and the small vector types they share."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class SpecModel(BaseModel):
    """Frozen, without unknown fields, without NaN or infinity: a value, not a container."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _unit(vector: tuple[float, ...]) -> tuple[float, ...]:
    norm = math.hypot(*vector)
    if norm < 1e-9:
        raise ValueError("must not be the zero vector")
    # A vector that is already of unit length keeps its digits, so that JSON round-trips without loss.
    return vector if abs(norm - 1.0) < 1e-12 else tuple(component / norm for component in vector)


Vec3 = tuple[float, float, float]
"""x, y, z. World frame unless said otherwise: right-handed, z up."""

UnitVec3 = Annotated[Vec3, AfterValidator(_unit)]
"""A direction; normalised when given otherwise."""

Quat = Annotated[tuple[float, float, float, float], AfterValidator(_unit)]
"""Orientation as w, x, y, z; normalised when given otherwise."""

Rgb = tuple[
    Annotated[float, Field(ge=0.0, le=1.0)],
    Annotated[float, Field(ge=0.0, le=1.0)],
    Annotated[float, Field(ge=0.0, le=1.0)],
]
"""Reflectance in linear light, 0..1 (not sRGB-encoded)."""

Radiance = tuple[
    Annotated[float, Field(ge=0.0)],
    Annotated[float, Field(ge=0.0)],
    Annotated[float, Field(ge=0.0)],
]
"""Red, green, blue light in the renderer's relative units, linear."""

Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\- ]*$")]
IDENTITY: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
