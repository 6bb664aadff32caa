"""What a pixel belongs to where liquids stand in clear vessels: one rule for every renderer.

Geometry passes show the first surface met along the straight ray, except that clear vessels and tanks are looked
through to liquid: where the straight ray meets a liquid before any body that is not a clear vessel or tank, the pixel
is the liquid's. Otherwise it belongs to the first body met, be it a clear vessel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from physreel.spec import Body, Look, SceneSpec, Tank, Vessel

LOOK_THROUGH = 0.5
"""Vessels and tanks that let through at least this share of light (Look.transmission) are looked through."""

BODY, CLEAR, LIQUID = 0, 1, 2


def looked_through(body: Body, look: Look) -> bool:
    """Whether a body is a vessel or tank clear enough to be looked through to the liquid in it."""
    return isinstance(body.shape, (Vessel, Tank)) and look.transmission >= LOOK_THROUGH


def clear_bodies(spec: SceneSpec) -> list[int]:
    """Indices of the bodies that are looked through."""
    looks = (body.look or spec.material_of(body).look for body in spec.bodies)
    return [i for i, (body, look) in enumerate(zip(spec.bodies, looks, strict=True)) if looked_through(body, look)]


def seen(body_m: Any, clear_m: Any, liquid_m: Any) -> Any:
    """Which of three surfaces a pixel belongs to: BODY, CLEAR or LIQUID, of the shape of the distances.

    Args:
        body_m: how far off the first body is that is no clear vessel or tank, along the straight ray; inf for none.
        clear_m: how far off the first clear vessel or tank is.
        liquid_m: how far off the first liquid is.
    """
    return np.where(liquid_m < body_m, LIQUID, np.where(clear_m < body_m, CLEAR, BODY))
