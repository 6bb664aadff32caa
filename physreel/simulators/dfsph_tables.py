"""What a particle feels of a wall, by its distance: the kernel summed over layers of liquid that go on behind it.

Lengths are in spacings, and a particle's volume is 1. The kernel is the cubic spline of support 2 (J. J. Monaghan, Rep.
Prog. Phys. 68, 2005): over a cubic lattice of spacing 1 it sums up to 1.000. A wall is taken for a half space in which
the lattice goes on in layers, the first half a spacing behind its surface (so that liquid at rest stands half a spacing
off it); each layer is spread evenly over its plane. In place of the integral over the half space (D. Koschier, J.
Bender, Density maps for improved SPH boundary handling, SCA 2017) the sum over layers agrees with the liquid's own sum.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SUPPORT = 2.0
H = SUPPORT / 2

FIRST, LAST, PER_UNIT = -1.5, SUPPORT - 0.5, 128
"""The tables' range of distances, and entries a spacing."""

SHARE, SLOPE, DRAG_ALONG, DRAG_ACROSS, PULL = range(5)
"""Columns: the wall's share of the density, its derivative by distance, the viscous drag of the wall on a particle
along and across it, for a viscosity of 1 and a speed of 1, and the attraction to a wall of the same liquid."""

DRAG, WALL_DRAG = 12.5, 1.4
"""Scales of the drag between two particles and at walls. In a continuum they are 10 and 1; particles in disorder give
way beside each other, and near walls they do not stand in layers, which takes off a fifth and more. With these, liquid
in a cylinder that is set turning follows it as it should to a few hundredths, at 12 and at 16 spacings across."""

REPELLED = 0.7
"""Particles attract each other by (q - REPELLED) (1 - q / 2)², q their distance (up to 2) in spacings."""

ATTRACTION = 15.1
"""Scale of that force by surface tension and spacing. Of a liquid of n particles by volume the tension is
σ = π n² / 8 ∫ q⁴ F dq (R. H. Fowler, Proc. R. Soc. A 159, 1937); the integral, over distances that occur, is 0.168."""

_SMALLEST = 0.25
"""A particle nearer to the wall than this has the velocity gradient of one that is not."""


def spline(r: Floats) -> Floats:
    """The kernel at distance r."""
    q = r / H
    return np.where(q < 1.0, 1.0 - 1.5 * q**2 + 0.75 * q**3, 0.25 * np.maximum(2.0 - q, 0.0) ** 3) / np.pi / H**3


def spline_slope(r: Floats) -> Floats:
    """The kernel's derivative at distance r."""
    q = r / H
    return np.where(q < 1.0, -3.0 * q + 2.25 * q**2, -0.75 * np.maximum(2.0 - q, 0.0) ** 2) / np.pi / H**4


ALONE = float(spline(np.zeros(1))[0])
"""Density of a particle that is near no other."""


@lru_cache(maxsize=1)
def wall_tables() -> Floats:
    """(n, 5) the columns above at distances FIRST + k / PER_UNIT."""
    u = FIRST + np.arange(int((LAST - FIRST) * PER_UNIT) + 2) / PER_UNIT
    out = np.zeros((len(u), 5))
    edges = np.linspace(0.0, SUPPORT, 4097)
    radius = 0.5 * (edges[1:] + edges[:-1])
    area = np.pi * np.diff(edges**2)
    for depth in (0.5, 1.5, 2.5, 3.5):
        z = u + depth
        # Distances from the particle to the rings of a layer.
        q = np.sqrt(z[:, None] ** 2 + radius**2)
        drag = DRAG * area * -spline_slope(q) * q / (q**2 + 0.04)
        mirror = WALL_DRAG * (1.0 + depth / np.maximum(u, _SMALLEST))
        out[:, SHARE] += (spline(q) * area).sum(1)
        out[:, SLOPE] -= 2.0 * np.pi * z * spline(np.abs(z))
        out[:, DRAG_ALONG] += mirror * (drag * 0.5 * radius**2 / q**2).sum(1)
        attraction = np.where(q < 2.0, (q - REPELLED) * (1.0 - 0.5 * q) ** 2, 0.0)
        out[:, PULL] += (attraction * area * z[:, None] / q).sum(1)
        out[:, DRAG_ACROSS] += mirror * (drag * z[:, None] ** 2 / q**2).sum(1)
    out.flags.writeable = False
    return out
