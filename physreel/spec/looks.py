"""How a surface looks: colour, gloss, transparency and procedural texture."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from physreel.spec.base import Positive, Rgb, SpecModel

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Texture(SpecModel):
    """A procedural pattern in the body's own frame (so that it turns with the body).

    ``checker``, ``tiles`` and ``stripes`` mix the look's colour with ``color``; ``wood``, ``marble``, ``noise`` and
    ``speckle`` blend them by solid noise. ``scale_m`` is the size of one cell, or of one period of the grain.
    """

    kind: Literal["checker", "tiles", "stripes", "wood", "marble", "noise", "speckle"]
    color: Rgb
    scale_m: Positive
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class Look(SpecModel):
    """A surface's appearance. ``transmission`` 1 with ``ior`` 1.5 is clear glass; ``metallic`` 1 tints reflections."""

    color: Rgb
    roughness: Fraction = 0.6
    metallic: Fraction = 0.0
    transmission: Fraction = 0.0
    ior: Annotated[float, Field(ge=1.0, le=3.0)] = 1.5
    texture: Texture | None = None
