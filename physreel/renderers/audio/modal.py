"""How a free solid rings: its modes of vibration from linear elasticity.

Rayleigh-Ritz with products of Legendre polynomials on the solid's bounding box, as in resonant ultrasound
spectroscopy (W. M. Visscher, A. Migliori, T. M. Bell, R. A. Reinert, J. Acoust. Soc. Am. 90, 2154 (1991)): no mesh, any
shape that can be integrated over, and convergence in the degree instead of the number of elements. Mirror planes of the
shape split the problem into independent small ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hulls import hull_faces
from physreel.renderers.audio.ritz import degrees_of, folded, grid, hull_moments, legendre, products, solve
from physreel.renderers.audio.solids import Quadrature, surface_quadrature, volume_quadrature
from physreel.spec import (
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Piece,
    Ring,
    Shape,
    Sphere,
    Vessel,
)

Floats = NDArray[np.float64]

ROUGH_BUDGET = 4.0
"""Degree of the basis that only asks whether a shape can be heard."""

WALL_ORDER = 10
"""Degree across a vessel: its lowest ten modes are then some 5 to 10 % high."""

MULTIPOLES = 5
"""Multipole orders told apart: 0 (breathing) … 3, and all higher as order 4."""


@dataclass(frozen=True, eq=False)
class Modes:
    """Modes of a shape of unit largest extent, density and Young's modulus; K modes, in order of frequency.

    Attributes:
        omega: (K,) angular frequency; that of a real body is omega / L · sqrt(E / rho), L its largest extent.
        center: (3,) centre of mass in the unit shape's frame.
        axes: (3, 3) rows are the axes of the basis in the shape's frame.
        half: (3,) half extents of the bounding box along them.
        degrees: (N, 3) Legendre degrees of each basis function.
        weights: (K, 3, N) each mode in the basis; ∫ |φ|² dV = 1.
        normal_square: (K,) mean over the surface of (φ · n)².
        multipole_share: (K, MULTIPOLES) share of it in each multipole order about the centre.
        area: surface of the unit shape.
        volume: of the unit shape.
    """

    omega: Floats
    center: Floats
    axes: Floats
    half: Floats
    degrees: NDArray[np.int64]
    weights: Floats
    normal_square: Floats
    multipole_share: Floats
    area: float
    volume: float

    def displacements(self, points: Floats, count: int | None = None) -> Floats:
        """(P, K, 3) φ of the first ``count`` modes at points (P, 3) of the unit shape, in the shape's frame.

        Points outside the bounding box are moved onto it: contacts lie a little off the surface.
        """
        local = np.clip((np.atleast_2d(points) - self.center) @ self.axes.T / self.half, -1.0, 1.0)
        tables, _ = legendre(local, self.degrees.max(0))
        values = products(tables, self.degrees)
        chosen = self.weights[:count]
        moved = (values @ chosen.reshape(-1, chosen.shape[2]).T).reshape(len(local), len(chosen), 3)
        return np.asarray(moved @ self.axes)


def largest_extent(shape: Shape) -> float:
    """Largest edge of the shape's bounding box along its own axes, in metres."""
    from physreel.geometry.extents import support_distances

    both = support_distances(shape, np.concatenate([np.eye(3), -np.eye(3)]))
    return float((both[:3] + both[3:]).max())


def unit_shape(shape: Shape) -> tuple[Shape, float]:
    """The shape scaled to unit largest extent with its numbers rounded to 9 digits, and the scale L taken out.

    Rounding makes like shapes of unlike size one shape, so that what is kept in memory never changes a result.
    """
    scale = largest_extent(shape)
    return _scaled(shape, 1.0 / scale), scale


def _scaled(shape: Shape, factor: float) -> Shape:
    def n(value: float) -> float:
        return float(np.format_float_positional(value * factor, precision=9, fractional=False))

    match shape:
        case Box(size_m=(a, b, c)):
            return Box(size_m=(n(a), n(b), n(c)))
        case Sphere(radius_m=r):
            return Sphere(radius_m=n(r))
        case Cylinder(radius_m=r, height_m=h):
            return Cylinder(radius_m=n(r), height_m=n(h))
        case Capsule(radius_m=r, length_m=h):
            return Capsule(radius_m=n(r), length_m=n(h))
        case Ring(inner_radius_m=inner, outer_radius_m=outer, height_m=h):
            return Ring(inner_radius_m=n(inner), outer_radius_m=n(outer), height_m=n(h))
        case Cone(radius_m=r, height_m=h):
            return Cone(radius_m=n(r), height_m=n(h))
        case Ellipsoid(radii_m=(a, b, c)):
            return Ellipsoid(radii_m=(n(a), n(b), n(c)))
        case ConvexHull(points_m=points):
            return ConvexHull(points_m=tuple((n(x), n(y), n(z)) for x, y, z in points))
        case Compound(pieces=pieces):
            return Compound(
                pieces=tuple(
                    Piece(
                        shape=_scaled(piece.shape, factor),
                        position_m=(n(piece.position_m[0]), n(piece.position_m[1]), n(piece.position_m[2])),
                        orientation_wxyz=piece.orientation_wxyz,
                    )
                    for piece in pieces
                )
            )
        case Vessel(profile_m=profile, wall_m=wall):
            return Vessel(profile_m=tuple((n(r), n(z)) for r, z in profile), wall_m=n(wall))
    raise ValueError(f"a {shape.kind} has no modes of its own")


@lru_cache(maxsize=256)
def shape_modes(unit: Shape, poisson_ratio: float, *, rough: bool = False) -> Modes:
    """The modes of a shape as ``unit_shape`` gives it; kept in memory for shapes that come again.

    Args:
        unit: the shape.
        poisson_ratio: of its material.
        rough: with few basis functions. Frequencies are bounds from above, the lowest within some 20 % for compact
            shapes: enough to know that there is nothing to be heard.
    """
    axes, degree_limit = _basis_axes(unit), ROUGH_BUDGET if rough else _degree_budget(unit)
    low = volume_quadrature(unit, 4)
    center = low.weights @ low.points / low.weights.sum()
    surface = surface_quadrature(unit)
    corners = np.concatenate([(surface.points - center) @ axes.T, (low.points - center) @ axes.T])
    half = np.maximum(np.abs(corners).max(0), _reach(unit, center, axes))
    # Without mirror planes all unknowns are in one block, and a sliver's would be too many.
    orders = _orders(half, degree_limit, 10 if isinstance(unit, ConvexHull) else 18)
    if isinstance(unit, (Vessel, Ring)):
        # A thin wall bends where it is far from the middle: that takes high degrees across.
        orders = np.array([WALL_ORDER, WALL_ORDER, int(np.clip(orders[2], 6 if isinstance(unit, Vessel) else 3, 10))])
    degrees = degrees_of(orders)
    mirrored = _mirror_planes(unit, center, half)
    if isinstance(unit, ConvexHull):
        vertices, faces = hull_faces(unit)
        points, weights = grid(hull_moments(((vertices - center) @ axes.T / half)[faces], 2 * orders), orders)
        weights = weights * half.prod()
    else:
        solid = volume_quadrature(unit, 2 * int(orders.max()))
        points, weights = folded((solid.points - center) / half, solid.weights, mirrored)
    omega, coefficients = solve(points, weights, half, degrees, mirrored, poisson_ratio)
    local = ((surface.points - center) @ axes.T) / half
    tables, _ = legendre(np.clip(local, -1.0, 1.0), orders)
    values, outward = products(tables, degrees), surface.normals @ axes.T
    normal = sum((coefficients[:, i] @ values.T * outward[:, i] for i in range(3)), np.zeros((len(omega), len(local))))
    area = float(surface.weights.sum())
    modes = Modes(
        omega=omega,
        center=center,
        axes=axes,
        half=half,
        degrees=degrees,
        weights=coefficients,
        normal_square=normal**2 @ surface.weights / area,
        multipole_share=_multipole_share(normal, surface, center),
        area=area,
        volume=float(low.weights.sum()),
    )
    for name in ("omega", "center", "axes", "half", "degrees", "weights", "normal_square", "multipole_share"):
        getattr(modes, name).flags.writeable = False
    return modes


def _reach(unit: Shape, center: Floats, axes: Floats) -> Floats:
    from physreel.geometry.extents import support_distances

    up, down = support_distances(unit, axes), support_distances(unit, -axes)
    return np.asarray(np.maximum(up - axes @ center, down + axes @ center))


def _degree_budget(unit: Shape) -> float:
    # The lowest ten modes are then within 1 % of converged, for shapes glued from pieces within some 15 %.
    match unit:
        case ConvexHull():
            return 6.0
        case Compound(pieces=pieces):
            return 8.0 if len(pieces) <= 6 else 7.0
        case Ellipsoid() | Sphere() | Capsule() | Cone():
            return 7.0
    return 8.0


def _basis_axes(unit: Shape) -> Floats:
    if not isinstance(unit, ConvexHull):
        return np.eye(3)
    from physreel.geometry.mass import mass_properties

    _, vectors = np.linalg.eigh(mass_properties(unit).inertia)
    # Signs and handedness as numbers, not as the solver left them.
    for k in range(3):
        vectors[:, k] *= 1.0 if vectors[np.argmax(np.abs(vectors[:, k])), k] > 0 else -1.0
    return np.ascontiguousarray(vectors.T)


def _orders(half: Floats, budget: float, most: int) -> NDArray[np.int64]:
    """Highest degree along each axis: about ``budget`` for a cube, more along, less across what is long or flat."""
    ratio = np.sqrt(half / half.max())
    scale = budget / np.cbrt(ratio.prod())
    return np.asarray(np.clip(np.rint(scale * ratio), 4, most), np.int64)


def _mirror_planes(unit: Shape, center: Floats, half: Floats) -> tuple[bool, bool, bool]:
    """Across which axis planes through the centre the solid is its own mirror image."""
    if isinstance(unit, ConvexHull):
        return (False, False, False)
    if isinstance(unit, (Cone, Vessel)):
        return (True, True, False)
    if not isinstance(unit, Compound):
        return (True, True, True)
    # Then all odd moments vanish; those of low degree tell apart whatever is put together from a few pieces.
    solid = volume_quadrature(unit, 7)
    tables, _ = legendre((solid.points - center) / half, np.full(3, 5))
    x, y, z = tables
    moments = ((x * solid.weights[:, None])[:, :, None] * y[:, None, :]).reshape(len(x), -1).T @ z
    moments = np.abs(moments.reshape(6, 6, 6)) > 1e-7 * solid.weights.sum()
    moments &= np.indices((6, 6, 6)).sum(0) <= 7
    return (not moments[1::2].any(), not moments[:, 1::2].any(), not moments[:, :, 1::2].any())


def _multipole_share(normal: Floats, surface: Quadrature, center: Floats) -> Floats:
    arms = surface.points - center
    x, y, z = (arms / np.maximum(np.linalg.norm(arms, axis=1), 1e-12)[:, None]).T
    one = np.ones_like(x)
    harmonics = [
        one, x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1,
        x * (x * x - 3 * y * y), y * (3 * x * x - y * y), z * (x * x - y * y), x * y * z,
        x * (5 * z * z - 1), y * (5 * z * z - 1), z * (5 * z * z - 3),
    ]  # fmt: skip
    root = np.sqrt(surface.weights)
    # Orthonormal on this surface, low orders first: a share belongs to the lowest order that can radiate it.
    q, r = np.linalg.qr(np.stack(harmonics, 1) * root[:, None])
    q = q * (np.abs(np.diag(r)) > 1e-9 * np.abs(r).max())
    part = (normal * root @ q) ** 2
    total = np.maximum((normal**2) @ surface.weights, 1e-300)
    share = np.stack([part[:, a:b].sum(1) for a, b in ((0, 1), (1, 4), (4, 9), (9, 16))], 1) / total[:, None]
    return np.concatenate([share, np.maximum(1.0 - share.sum(1, keepdims=True), 0.0)], 1)
