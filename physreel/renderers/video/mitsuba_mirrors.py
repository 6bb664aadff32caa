"""What metals and gloss mirror where light is traced no further than one surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.mitsuba_clear import axes_across
from physreel.renderers.video.mitsuba_looks import is_shiny
from physreel.spec import Look

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Mirrors:
    """The shiny surfaces of a world.

    Attributes:
        shiny: (owners + 1,) whether an owner mirrors; the last is of a miss.
        metal: (owners + 1,) how far it is a metal.
    """

    def __init__(self, looks: list[Look], owners: int) -> None:
        self.shiny = np.zeros(owners + 1, np.bool_)
        self._width, self.metal = np.ones(owners + 1), np.zeros(owners + 1)
        self._color = np.zeros((owners + 1, 3))
        for i, look in enumerate(looks):
            self.shiny[i] = is_shiny(look) and look.transmission == 0.0
            self._width[i], self.metal[i] = max(look.roughness, 0.045) ** 2, look.metallic
            self._color[i] = look.color

    def rays(self, owner: Ints, normal: Floats, direction: Floats, u: float, v: float) -> tuple[Floats, Floats]:
        """Where N rays are mirrored to by one facet of GGX, and what they bring back.

        Args:
            owner: (N,) what was met.
            normal: (N, 3) towards the ray.
            direction: (N, 3) unit vectors.
            u: from 0 to 1, which facet.
            v: likewise.

        Returns:
            (N, 3) unit vectors, (N, 3) weights of the radiance that comes from there.
        """
        width = self._width[owner]
        x, y = axes_across(normal)
        out = -np.stack([np.einsum("ni,ni->n", direction, axis) for axis in (x, y, normal)], 1)
        facet = _facets(out, width, u, v)
        cosine = np.einsum("ni,ni->n", out, facet)
        to = 2.0 * cosine[:, None] * facet - out
        base = 0.04 * (1.0 - self.metal[owner, None]) + self.metal[owner, None] * self._color[owner]
        fresnel = base + (1.0 - base) * (1.0 - np.clip(cosine, 0.0, 1.0))[:, None] ** 5
        weight = fresnel * np.where(to[:, 2] > 1e-6, _masking(to, width), 0.0)[:, None]
        return to[:, :1] * x + to[:, 1:2] * y + to[:, 2:] * normal, weight


def _facets(out: Floats, width: Floats, u: float, v: float) -> Floats:
    """Facets that can be seen from ``out`` (N, 3), in the frame whose z is the normal.

    E. Heitz, Sampling the GGX distribution of visible normals, J. Computer Graphics Techniques 7 (2018).
    """
    stretched = out * np.stack([width, width, np.ones(len(out))], 1)
    stretched[:, 2] = np.maximum(stretched[:, 2], 1e-6)
    stretched /= np.linalg.norm(stretched, axis=1, keepdims=True)
    flat = np.hypot(stretched[:, 0], stretched[:, 1])
    safe = np.maximum(flat, 1e-9)
    first = np.stack([-stretched[:, 1] / safe, stretched[:, 0] / safe, 0 * flat], 1)
    first[flat < 1e-9] = (1.0, 0.0, 0.0)
    second = np.cross(stretched, first)
    radius, angle = np.sqrt(u), 2 * np.pi * v
    a = np.full(len(out), radius * np.cos(angle))
    s = 0.5 * (1.0 + stretched[:, 2])
    b = (1.0 - s) * np.sqrt(1.0 - a**2) + s * radius * np.sin(angle)
    c = np.sqrt(np.maximum(1.0 - a**2 - b**2, 0.0))
    facet = a[:, None] * first + b[:, None] * second + c[:, None] * stretched
    facet *= np.stack([width, width, np.ones(len(out))], 1)
    facet[:, 2] = np.maximum(facet[:, 2], 1e-6)
    return np.asarray(facet / np.linalg.norm(facet, axis=1, keepdims=True))


def _masking(to: Floats, width: Floats) -> Floats:
    """(N,) share of facets that are not in the way of light from ``to`` (Smith)."""
    slope = (to[:, 0] ** 2 + to[:, 1] ** 2) / np.maximum(to[:, 2], 1e-6) ** 2
    return np.asarray(2.0 / (1.0 + np.sqrt(1.0 + width**2 * slope)))
