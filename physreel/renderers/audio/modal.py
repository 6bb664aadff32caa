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

from physreel.renderers.audio.solids import Quadrature, gauss, surface_quadrature, volume_quadrature
from physreel.spec import Box, Capsule, Compound, Cone, ConvexHull, Cylinder, Ellipsoid, Piece, Shape, Sphere

Floats = NDArray[np.float64]

MODE_LIMIT = 96
"""Modes kept of a shape, lowest first."""

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
        tables, _ = _legendre(local, self.degrees.max(0))
        values = _products(tables, self.degrees)
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
    raise ValueError(f"a {shape.kind} has no modes of its own")


@lru_cache(maxsize=256)
def shape_modes(unit: Shape, poisson_ratio: float) -> Modes:
    """The modes of a shape as ``unit_shape`` gives it; kept in memory for shapes that come again."""
    axes, degree_limit = _basis_axes(unit), _degree_budget(unit)
    rough = volume_quadrature(unit, 4)
    center = rough.weights @ rough.points / rough.weights.sum()
    surface = surface_quadrature(unit)
    corners = np.concatenate([(surface.points - center) @ axes.T, (rough.points - center) @ axes.T])
    half = np.maximum(np.abs(corners).max(0), _reach(unit, center, axes))
    orders = _orders(half, degree_limit)
    degrees = _degrees(orders)
    solid = volume_quadrature(unit, 2 * int(orders.max()))
    points, weights = ((solid.points - center) @ axes.T) / half, solid.weights
    mirrored = _mirror_planes(points, weights, orders)
    points, weights = _reduced(points, weights, orders, mirrored)
    omega, coefficients = _solve(points, weights, half, degrees, mirrored, poisson_ratio)
    local = ((surface.points - center) @ axes.T) / half
    tables, _ = _legendre(np.clip(local, -1.0, 1.0), orders)
    motion = np.einsum("kin,qn->kqi", coefficients, _products(tables, degrees), optimize=True)
    normal = np.einsum("kqi,qi->kq", motion, surface.normals @ axes.T)
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
        volume=float(rough.weights.sum()),
    )
    for name in ("omega", "center", "axes", "half", "degrees", "weights", "normal_square", "multipole_share"):
        getattr(modes, name).flags.writeable = False
    return modes


def _reach(unit: Shape, center: Floats, axes: Floats) -> Floats:
    from physreel.geometry.extents import support_distances

    up, down = support_distances(unit, axes), support_distances(unit, -axes)
    return np.asarray(np.maximum(up - axes @ center, down + axes @ center))


def _degree_budget(unit: Shape) -> float:
    # Cost grows with the cube of the unknowns in one symmetry block: shapes with mirror planes afford more of them.
    match unit:
        case ConvexHull():
            return 6.0
        case Compound(pieces=pieces):
            return 8.0 if len(pieces) <= 6 else 7.0
        case Cone():
            return 8.0
    return 9.0


def _basis_axes(unit: Shape) -> Floats:
    if not isinstance(unit, ConvexHull):
        return np.eye(3)
    from physreel.geometry.mass import mass_properties

    _, vectors = np.linalg.eigh(mass_properties(unit).inertia)
    # Signs and handedness as numbers, not as the solver left them.
    for k in range(3):
        vectors[:, k] *= 1.0 if vectors[np.argmax(np.abs(vectors[:, k])), k] > 0 else -1.0
    return np.ascontiguousarray(vectors.T)


def _orders(half: Floats, budget: float) -> NDArray[np.int64]:
    """Highest degree along each axis: about ``budget`` for a cube, more along, less across what is long or flat."""
    ratio = np.sqrt(half / half.max())
    scale = budget / np.cbrt(ratio.prod())
    return np.asarray(np.clip(np.rint(scale * ratio), 4, 18), np.int64)


def _degrees(orders: NDArray[np.int64]) -> NDArray[np.int64]:
    every = np.indices(tuple(orders + 1)).reshape(3, -1).T
    return np.asarray(every[(every / orders).sum(1) <= 1.0 + 1e-9], np.int64)


def _legendre(points: Floats, orders: NDArray[np.int64]) -> tuple[list[Floats], list[Floats]]:
    """Per axis (Q, order + 1) normalised Legendre values, and their derivatives."""
    values, slopes = [], []
    for axis in range(3):
        x, top = points[:, axis], int(orders[axis])
        p, d = np.zeros((top + 1, len(x))), np.zeros((top + 1, len(x)))
        p[0] = 1.0
        if top:
            p[1], d[1] = x, 1.0
        for n in range(1, top):
            p[n + 1] = ((2 * n + 1) * x * p[n] - n * p[n - 1]) / (n + 1)
            d[n + 1] = d[n - 1] + (2 * n + 1) * p[n]
        norm = np.sqrt(np.arange(top + 1) + 0.5)[:, None]
        values.append((norm * p).T.copy())
        slopes.append((norm * d).T.copy())
    return values, slopes


def _products(tables: list[Floats], degrees: NDArray[np.int64]) -> Floats:
    """(Q, N) of basis functions from per-axis tables."""
    x, y, z = tables
    return np.asarray(x[:, degrees[:, 0]] * y[:, degrees[:, 1]] * z[:, degrees[:, 2]])


def _mirror_planes(points: Floats, weights: Floats, orders: NDArray[np.int64]) -> tuple[bool, bool, bool]:
    """Whether the solid is its own mirror image across each axis plane: then all odd moments vanish."""
    tables, _ = _legendre(points, np.minimum(2 * orders, 7))
    moments = np.einsum("q,qa,qb,qc->abc", weights, *tables, optimize=True)
    scale = 1e-7 * weights.sum()
    return (
        bool(np.abs(moments[1::2]).max() < scale),
        bool(np.abs(moments[:, 1::2]).max() < scale),
        bool(np.abs(moments[:, :, 1::2]).max() < scale),
    )


def _reduced(
    points: Floats, weights: Floats, orders: NDArray[np.int64], mirrored: tuple[bool, bool, bool]
) -> tuple[Floats, Floats]:
    """The same integrals of all products of two basis functions, from fewer points.

    Mirror halves are folded away. What is still many points is replaced by a Gauss grid whose weights carry the solid's
    Legendre moments: exact for all polynomials the products can be, though some weights are negative.
    """
    for axis in np.flatnonzero(mirrored):
        at = points[:, axis]
        weights = weights * np.where(np.abs(at) < 1e-12, 1.0, 2.0)
        keep = at > -1e-12
        points, weights = points[keep], weights[keep]
    nodes = [gauss(2 * int(n) + 1, 0.0 if fold else -1.0, 1.0) for n, fold in zip(orders, mirrored, strict=True)]
    if 2 * np.prod([len(x) for x, _ in nodes]) > len(points) or any(mirrored):
        return points, weights
    top = 2 * orders
    pairs = np.indices(tuple(top + 1)).reshape(3, -1).T
    pairs = pairs[(pairs / top).sum(1) <= 1.0 + 1e-9]
    moments = np.zeros(len(pairs))
    for start in range(0, len(points), 4096):
        tables, _ = _legendre(points[start : start + 4096], top)
        moments += weights[start : start + 4096] @ _products(tables, pairs)
    full = np.zeros(tuple(top + 1))
    full[tuple(pairs.T)] = moments
    grid = np.stack([g.ravel() for g in np.meshgrid(*(x for x, _ in nodes), indexing="ij")], 1)
    per_axis = [
        _legendre(np.repeat(x[:, None], 3, 1), np.full(3, t))[0][0] for (x, _), t in zip(nodes, top, strict=True)
    ]
    density = np.einsum("abc,xa,yb,zc->xyz", full, *per_axis, optimize=True)
    cell = np.einsum("x,y,z->xyz", *(w for _, w in nodes))
    return grid, (density * cell).ravel()


def _solve(
    points: Floats,
    weights: Floats,
    half: Floats,
    degrees: NDArray[np.int64],
    mirrored: tuple[bool, bool, bool],
    poisson_ratio: float,
) -> tuple[Floats, Floats]:
    from scipy.linalg import eigh

    lame = poisson_ratio / ((1.0 + poisson_ratio) * (1.0 - 2.0 * poisson_ratio))
    shear = 0.5 / (1.0 + poisson_ratio)
    orders = degrees.max(0)
    tables, slopes = _legendre(points, orders)
    root = np.sqrt(np.abs(weights))[:, None]
    sign = np.where(weights < 0, -1.0, 1.0)[:, None]
    basis = _products(tables, degrees) * root
    gradient = [
        _products([slopes[i] if i == axis else tables[i] for i in range(3)], degrees) * (root / half[axis])
        for axis in range(3)
    ]
    parity = degrees % 2 * np.array(mirrored)
    classes = [np.array(np.unravel_index(c, (2, 2, 2))) for c in range(8)]
    classes = [c for c in classes if not (c * ~np.array(mirrored)).any()]
    found: list[tuple[Floats, Floats]] = []
    count = len(degrees)
    for block in classes:
        # Component i of a displacement of this symmetry has the block's parity, turned over along axis i.
        members = [
            np.flatnonzero((parity == np.bitwise_xor(block, np.eye(3, dtype=int)[i] * mirrored)).all(1))
            for i in range(3)
        ]
        sizes = [len(m) for m in members]
        at = np.concatenate([[0], np.cumsum(sizes)])
        stiff, mass = np.zeros((at[3], at[3])), np.zeros((at[3], at[3]))
        for i in range(3):
            mine = slice(at[i], at[i + 1])
            functions = basis[:, members[i]]
            mass[mine, mine] = functions.T @ (sign * functions)
            slope = [g[:, members[i]] for g in gradient]
            own = [s.T @ (sign * s) for s in slope]
            stiff[mine, mine] = shear * (own[0] + own[1] + own[2]) + (lame + shear) * own[i]
            for j in range(i + 1, 3):
                theirs = slice(at[j], at[j + 1])
                straight = slope[i].T @ (sign * gradient[j][:, members[j]])
                crossed = slope[j].T @ (sign * gradient[i][:, members[j]])
                stiff[mine, theirs] = lame * straight + shear * crossed
                stiff[theirs, mine] = stiff[mine, theirs].T
        if not at[3]:
            continue
        keep = min(int(at[3]) - 1, MODE_LIMIT // (1 if len(classes) == 1 else 2) + 5)
        values, vectors = eigh(stiff, mass, subset_by_index=(0, keep), driver="gvx", check_finite=False)
        full = np.zeros((len(values), 3, count))
        for i in range(3):
            full[:, i, members[i]] = vectors[at[i] : at[i + 1]].T
        found.append((values, full))
    squares = np.concatenate([values for values, _ in found])
    shapes = np.concatenate([vectors for _, vectors in found])
    # The six rigid motions come out as nearly zero; everything else is far above.
    order = np.argsort(squares, kind="stable")[6 : 6 + MODE_LIMIT]
    return np.sqrt(np.maximum(squares[order], 1e-12)), shapes[order]


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
