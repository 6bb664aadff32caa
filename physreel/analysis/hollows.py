"""Which vessel is meant where several stand in or over one another, and what is between its walls."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.vessels import Hollow, capacity_m3, hollow_bodies, inner_radius_m
from physreel.spec import SceneSpec, Tank, Vessel


def hollow_shape(spec: SceneSpec, body: int) -> Hollow:
    """The shape of a body that can hold liquid.

    Raises:
        ValueError: the body holds nothing.
    """
    shape = spec.bodies[body].shape
    if not isinstance(shape, Vessel | Tank):
        raise ValueError(f"{spec.bodies[body].name!r} is a {shape.kind}, which holds nothing")
    return shape


def hollows_by_size(spec: SceneSpec) -> list[int]:
    """Indices of vessels and tanks, the smallest first: of those that stand within one another the innermost."""
    return sorted(hollow_bodies(spec), key=lambda i: capacity_m3(hollow_shape(spec, i)))


def between_walls(shape: Hollow, points_m: ArrayLike) -> NDArray[np.bool_]:
    """(N,) whether points (N, 3) in the shape's frame are above its inside floor and between its walls, however high.

    Above the rim the wall is thought to go on straight up.
    """
    p = np.asarray(points_m, np.float64)
    above = p[:, 2] > shape.floor_z_m
    if isinstance(shape, Tank):
        x, y, _ = shape.inside_m
        return np.asarray(above & (np.abs(p[:, 0]) < x / 2) & (np.abs(p[:, 1]) < y / 2))
    return np.asarray(above & (np.hypot(p[:, 0], p[:, 1]) < inner_radius_m(shape, p[:, 2])))


def hole_m(shape: Hollow) -> tuple[float, float, float] | None:
    """The middle of the hole in a vessel's floor or a tank's wall, in its frame; None if it has none."""
    if isinstance(shape, Tank):
        if not shape.hole_m:
            return None
        return (shape.inside_m[0] + shape.wall_m) / 2, 0.0, shape.floor_z_m + shape.hole_height_m
    return (0.0, 0.0, shape.floor_z_m) if shape.profile_m[0][0] > 0.0 else None
