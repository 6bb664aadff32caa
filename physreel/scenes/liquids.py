"""Liquids as scenes draw them: which, how this brand of it differs from the usual, and how finely it is divided."""

from __future__ import annotations

import numpy as np

from physreel.scenes.base import Quality
from physreel.spec import LIQUIDS, Liquid

LIQUID_NAMES = tuple(LIQUIDS)
"""Liquids by the names a user gives."""

PARTICLES: dict[Quality, int] = {"draft": 1750, "standard": 3600, "fine": 9500}
"""About how many particles the liquid of a clip is divided into."""

NECK_SPACINGS = 5.0
"""The narrowest way that liquid takes is at least as many draft spacings wide."""

_SAME_EVERYWHERE = ("water", "glycerine")


def draw_liquid(rng: np.random.Generator, name: str) -> Liquid:
    """A liquid of the built-in table as it is in one kitchen: foods differ in viscosity, all in strength of colour."""
    usual = LIQUIDS[name]
    thicker = float(np.exp(rng.uniform(-0.3, 0.3)))
    darker = float(np.exp(rng.uniform(-0.35, 0.35)))
    red, green, blue = (round(darker * value, 4) for value in usual.look.absorption_per_m)
    look = usual.look.model_copy(update={"absorption_per_m": (red, green, blue)})
    viscosity = float(f"{usual.viscosity_pa_s * (1.0 if name in _SAME_EVERYWHERE else thicker):.4g}")
    return usual.model_copy(update={"viscosity_pa_s": viscosity, "look": look})


def particle_spacing_m(volume_m3: float, quality: Quality) -> float:
    """The spacing at which a volume makes about as many particles as the quality asks for."""
    return float((volume_m3 / PARTICLES[quality]) ** (1.0 / 3.0))


def least_opening_m(volume_m3: float) -> float:
    """The least diameter of a neck or hole for a volume of liquid; the same at each quality, and so is the world."""
    return NECK_SPACINGS * particle_spacing_m(volume_m3, "draft")
