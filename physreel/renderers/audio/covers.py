"""Covers: what of a sound gets out of a closed guard that stands over its source.

A wall of m'' kilograms a square metre lets through τ = 1 / (1 + (π f m'' / (ρ c))²) of the power that meets it (mass
law, normal incidence; L. Cremer, M. Heckl, B. A. T. Petersson, Structure-Borne Sound, 3rd ed. (2005), 7): 6 dB less for
each octave, and for each doubling of the wall. Gaps let through their share s. What is thrown back meets the walls
again until it is out or absorbed, so (τ + s) / (τ + s + α) gets out (D. A. Bies, C. H. Hansen, Engineering Noise
Control, 5th ed. (2018), 7.4); hard walls and what is inside absorb α, more at high frequencies. So a cover dulls, and
does not mute. What ear and source are both in, as a room, is no cover.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.distances import world_distances
from physreel.geometry.extents import bounding_radius_m, support_distances
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.renderers.audio.mix import NEAREST_M
from physreel.renderers.audio.radiation import transmission
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
_STEP_M, _MOST_STEPS = 2e-5, 400
"""Rays go on by how far they are from a surface, but no less than this, and no oftener: what grazes is not met."""

_CELL_M = 0.005
"""Points of one body in one cell of a grid this wide are under one cover."""


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


@dataclass(eq=False)
class Covers:
    """The covers between a world's machine parts and its first microphone, each looked for once.

    Args:
        spec: the world, with a microphone if anything is asked.
    """

    spec: SceneSpec
    _found: dict[tuple[int, tuple[int, ...]], Cover | None] = field(default_factory=dict)

    def heard(self, hertz: Floats, source: int, point_m: Floats) -> Floats:
        """(K,) share of the pressure that gets out of a cover, and through the air to the first microphone.

        Args:
            hertz: (K,).
            source: index of the body that sounds.
            point_m: (3,) world.
        """
        ear = np.array(self.spec.microphones[0].position_m)
        cell = tuple(np.floor(point_m / _CELL_M).astype(int).tolist())
        # What moves is in nobody's way: for all such bodies the answer is one.
        key = (source if self.spec.bodies[source].motion == "static" else -1, cell)
        if key not in self._found:
            self._found[key] = cover_over(self.spec, source, point_m, ear)
        cover = self._found[key]
        share = transmission(hertz, max(float(np.linalg.norm(point_m - ear)), NEAREST_M), self.spec.air)
        return share if cover is None else share * cover.passes(hertz, self.spec.air)


def cover_over(spec: SceneSpec, source: int, point_m: Floats, ear_m: Floats) -> Cover | None:
    """The closed cover between a point of a body and an ear; None if nothing is, or both are in it.

    Args:
        spec: the world; only what is static counts, and can be a cover if it is hollow or made of pieces.
        source: index of the body that sounds, which is not in its own way.
        point_m: (3,) world.
        ear_m: (3,) world.
    """
    still = {
        i: body for i, body in enumerate(spec.bodies)
        if i != source and body.motion == "static" and body.shape.kind != "triangle_mesh"
    }  # fmt: skip
    rays = _directions()
    found: dict[int, tuple[Floats, float]] = {}
    for i, body in still.items():
        hollow = isinstance(body.shape, (Compound, Vessel, Tank))
        if hollow and _within_extents(body, point_m) and not _is_in(body, point_m):
            reach = 2.0 * bounding_radius_m(body.shape)
            way = _way_to(body, point_m, rays, np.full(len(rays), reach))
            if np.isfinite(way).mean() >= CLOSED_SHARE and not _has_in_it(body, ear_m, point_m, rays, way):
                found[i] = way, reach
    if not found:
        return None
    index = max(found, key=lambda i: float(np.isfinite(found[i][0]).mean()))
    way, reach = found[index]
    open_ = np.flatnonzero(np.isinf(way))
    for i, body in still.items():
        if i != index and len(open_) and not _is_in(body, point_m):
            open_ = open_[np.isinf(_way_to(body, point_m, rays[open_], np.full(len(open_), reach)))]
    leak = len(open_) / len(rays)
    if leak > OPEN_SHARE:
        return None
    density = spec.material_of(spec.bodies[index]).density_kg_m3
    thick = _thickness_m(spec.bodies[index], point_m, rays[np.isfinite(way)], way[np.isfinite(way)])
    return Cover(index, density * thick, max(leak, LEAST_LEAK))


def _is_in(body: Body, point_m: Floats) -> bool:
    """Whether a point is in the solid, as a shaft's foot is in the shaft: that does not stand round it."""
    return bool(_distances(body, point_m[None])[0] <= _STEP_M)


def _has_in_it(body: Body, ear_m: Floats, point_m: Floats, rays: Floats, way: Floats) -> bool:
    """Whether a hollow body stands round the ear as it does round a point whose rays meet it after ``way`` (N,).

    If so, there are places between the point and the walls from which nothing of the body hides the ear.
    """
    if not _within_extents(body, ear_m):
        return False
    met = np.isfinite(way)
    half = point_m + 0.5 * way[met, None] * rays[met]
    far = np.linalg.norm(ear_m - half, axis=1)
    toward = (ear_m - half) / np.maximum(far, 1e-9)[:, None]
    return bool(np.isinf(_way_to(body, half, toward, far)).mean() > OPEN_SHARE)


def _way_to(body: Body, starts: Floats, rays: Floats, reach: Floats, *, inside: bool = False) -> Floats:
    """(N,) m along rays (N, 3) from a start (3,) or starts (N, 3) to where a body is met; infinite beyond reach (N,).

    With ``inside`` to where it ends.
    """
    starts, sign = np.broadcast_to(starts, rays.shape), -1.0 if inside else 1.0
    way, met = np.zeros(len(rays)), np.full(len(rays), np.inf)
    going = np.arange(len(rays))
    for _ in range(_MOST_STEPS):
        gap = sign * _distances(body, starts[going] + way[going, None] * rays[going])
        met[going[gap <= 0.0]] = way[going[gap <= 0.0]]
        way[going] += np.maximum(gap, _STEP_M)
        going = going[(gap > 0.0) & (way[going] < reach[going])]
        if not len(going):
            break
    return met


def _thickness_m(body: Body, point_m: Floats, rays: Floats, way: Floats) -> float:
    """Of a body's wall, on the median over rays (N, 3) that meet it after ``way`` (N,): however slanting they are."""
    starts = point_m + (way[:, None] + _STEP_M) * rays
    through = _way_to(body, starts, rays, np.full(len(rays), 2.0 * bounding_radius_m(body.shape)), inside=True)
    middle = starts + 0.5 * np.where(np.isfinite(through), through, 0.0)[:, None] * rays
    return 2.0 * float(np.median(np.maximum(-_distances(body, middle), 0.0)))


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
    return world_distances(body.shape, (*body.position_m, *body.orientation_wxyz), points_m)
