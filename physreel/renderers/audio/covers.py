"""Covers: what of a sound gets out of a closed guard that stands over its source.

A wall of m'' kilograms a square metre lets through τ = 1 / (1 + (π f m'' / (ρ c))²) of the power that meets it (mass
law, normal incidence; L. Cremer, M. Heckl, B. A. T. Petersson, Structure-Borne Sound, 3rd ed. (2005), 7): 6 dB less for
each octave, and for each doubling of the wall. Gaps let through their share s. What is thrown back meets the walls
again until it is out or absorbed, so (τ + s) / (τ + s + α) gets out (D. A. Bies, C. H. Hansen, Engineering Noise
Control, 5th ed. (2018), 7.4); hard walls and what is inside absorb α, more at high frequencies. So a cover dulls, and
does not mute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.distances import signed_distances
from physreel.geometry.extents import bounding_radius_m, support_distances
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.spec import Air, Body, Compound, SceneSpec, Tank, Vessel

Floats = NDArray[np.float64]

LEAST_LEAK = 0.01
"""Share of the power that seams let out of any cover."""

CLOSED_SHARE = 0.45
"""A body that is met in so many of all directions stands round the source..."""
OPEN_SHARE = 0.06
"""...and is closed if in no more than this share nothing is met, it or what it stands on."""

ABSORBED = 0.05
"""Share of the power that the inside of a bare guard with a machine in it absorbs at 1 kHz; it grows as √f."""

_DIRECTIONS = 240
_STEP_M = 1e-3


@dataclass(frozen=True)
class Cover:
    """A closed cover: which body, its wall's mass for each area, and the share of directions that are open."""

    body: int
    mass_kg_m2: float
    leak: float

    def passes(self, hertz: Floats, air: Air) -> Floats:
        """(K,) share of the pressure that gets out at frequencies (K,)."""
        ratio = np.pi * hertz * self.mass_kg_m2 / (air.density_kg_m3 * air.speed_of_sound_m_s)
        out = np.minimum(1.0 / (1.0 + ratio**2) + self.leak, 1.0)
        return np.asarray(np.sqrt(out / (out + ABSORBED * np.sqrt(hertz / 1000.0))))


def cover_over(spec: SceneSpec, source: int, point_m: Floats) -> Cover | None:
    """The closed cover that a point of a body lies in; None if it is in the open.

    Args:
        spec: the world; only what is static counts, and can be a cover if it is hollow or made of pieces.
        source: index of the body that sounds, which is not in its own way.
        point_m: (3,) world.
    """
    still = [
        (i, body) for i, body in enumerate(spec.bodies)
        if i != source and body.motion == "static" and body.shape.kind != "triangle_mesh"
    ]  # fmt: skip
    hollow = [
        (i, body) for i, body in still
        if isinstance(body.shape, (Compound, Vessel, Tank)) and _within_extents(body, point_m)
    ]  # fmt: skip
    if not hollow:
        return None
    rays = _directions()
    reach = 2.0 * max(bounding_radius_m(body.shape) for _, body in hollow)
    way = point_m + rays[:, None] * (np.arange(0.0, reach, _STEP_M)[None, :, None])
    depth = {i: -_distances(body, way) for i, body in hollow}
    met: dict[int, NDArray[np.bool_]] = {i: np.any(inside > 0.0, axis=1) for i, inside in depth.items()}
    index, walls = max(met.items(), key=lambda item: float(item[1].mean()))
    if walls.mean() < CLOSED_SHARE:
        return None
    open_: NDArray[np.bool_] = np.logical_not(walls)
    for i, body in still:
        if open_.any():
            other = met.get(i)
            meets = np.any(_distances(body, way[open_]) < 0.0, axis=1) if other is None else other[open_]
            open_[np.flatnonzero(open_)[meets]] = False
    if open_.mean() > OPEN_SHARE:
        return None
    thick = 2.0 * float(np.median(depth[index][walls].max(1)))
    density = spec.material_of(spec.bodies[index]).density_kg_m3
    return Cover(index, density * thick, max(float(open_.mean()), LEAST_LEAK))


def _within_extents(body: Body, point_m: Floats) -> bool:
    """Whether a point is in the box round a body along its own axes: what stands round a point is on all its sides."""
    local = rotate_wxyz(conjugate_wxyz(np.array(body.orientation_wxyz)), point_m - np.array(body.position_m))
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    return bool((axes @ local < support_distances(body.shape, axes)).all())


def _directions() -> Floats:
    """(N, 3) spread evenly."""
    turn = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(_DIRECTIONS)
    height = 1.0 - (2.0 * np.arange(_DIRECTIONS) + 1.0) / _DIRECTIONS
    ring = np.sqrt(1.0 - height**2)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), height], 1)


def _distances(body: Body, points_m: Floats) -> Floats:
    """(N, M) signed distances of points (N, M, 3)."""
    flat = points_m.reshape(-1, 3) - np.array(body.position_m)
    local = rotate_wxyz(conjugate_wxyz(np.array(body.orientation_wxyz)), flat)
    return signed_distances(body.shape, local).reshape(points_m.shape[:2])
