"""The Rayleigh-Ritz basis on a solid's bounding box, its integrals, and the eigenvalue problem.

Lengths are in units of the box's half extents; Legendre polynomials are normalised on [-1, 1].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.audio.solids import gauss

Floats = NDArray[np.float64]

MODE_LIMIT = 96
"""Modes kept of a shape, lowest first."""


def degrees_of(orders: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, 3) degrees of all products within the simplex Σ degree / order <= 1."""
    every = np.indices(tuple(orders + 1)).reshape(3, -1).T
    return np.asarray(every[(every / orders).sum(1) <= 1.0 + 1e-9], np.int64)


def legendre(points: Floats, orders: NDArray[np.int64]) -> tuple[list[Floats], list[Floats]]:
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


def products(tables: list[Floats], degrees: NDArray[np.int64]) -> Floats:
    """(Q, N) of basis functions from per-axis tables."""
    x, y, z = tables
    return np.asarray(x[:, degrees[:, 0]] * y[:, degrees[:, 1]] * z[:, degrees[:, 2]])


def folded(points: Floats, weights: Floats, mirrored: tuple[bool, bool, bool]) -> tuple[Floats, Floats]:
    """The half, quarter or eighth on the positive side of the mirror planes, weighing as much as the whole."""
    for axis in np.flatnonzero(mirrored):
        at = points[:, axis]
        weights = weights * np.where(np.abs(at) < 1e-12, 1.0, 2.0)
        keep = at > -1e-12
        points, weights = points[keep], weights[keep]
    return points, weights


def hull_moments(corners: Floats, top: NDArray[np.int64]) -> Floats:
    """Normalised Legendre moments (top + 1) of a polyhedron given by its faces' corners (F, 3, 3), origin inside.

    Of a monomial of degree q the integral over the volume is 1 / (q + 3) times that over the surface of it and the
    distance of the face's plane (J. B. Lasserre, 1998): faces need far fewer points than tetrahedra.
    """
    u, wu = gauss(int(top.max()) // 2 + 2, 0.0, 1.0)
    s, r = (grid.ravel() for grid in np.meshgrid(u, u, indexing="ij"))
    weight = (np.outer(wu, wu) * u[:, None]).ravel()
    bary = np.stack([1.0 - s, s * (1.0 - r), s * r], 1)
    points = (bary @ corners).reshape(-1, 3)
    six_volume = np.abs(np.linalg.det(corners))
    heavy = (six_volume[:, None] * weight).ravel()
    x, y, z = (points[:, k, None] ** np.arange(top[k] + 1) for k in range(3))
    size = (int(top[0]) + 1, int(top[1]) + 1, int(top[2]) + 1)
    plane = (x * heavy[:, None])[:, :, None] * y[:, None, :]
    monomial = (plane.reshape(len(x), -1).T @ z).reshape(size)
    monomial /= np.indices(size).sum(0) + 3.0
    for axis in range(3):
        change = np.zeros((top[axis] + 1, top[axis] + 1))
        for n in range(top[axis] + 1):
            change[n, : n + 1] = np.polynomial.legendre.leg2poly(np.eye(n + 1)[n]) * np.sqrt(n + 0.5)
        monomial = np.moveaxis(np.tensordot(change, monomial, (1, axis)), 0, axis)
    return np.asarray(monomial)


def grid(moments: Floats, orders: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """A Gauss grid on the bounding box, weighted so that it has the solid's moments.

    Exact for all products of two basis functions, though some weights are negative.
    """
    nodes = [gauss(2 * int(n) + 1) for n in orders]
    # Degrees beyond those of products would only add noise.
    moments = np.where((np.indices(moments.shape).T / (2 * orders)).sum(-1).T <= 1.0 + 1e-9, moments, 0.0)
    for axis, ((x, w), n) in enumerate(zip(nodes, orders, strict=True)):
        values = legendre(np.repeat(x[:, None], 3, 1), np.full(3, 2 * int(n)))[0][0] * w[:, None]
        moments = np.moveaxis(np.tensordot(values, moments, (1, axis)), 0, axis)
    grid = np.stack([g.ravel() for g in np.meshgrid(*(x for x, _ in nodes), indexing="ij")], 1)
    return grid, moments.ravel()


def solve(
    points: Floats,
    weights: Floats,
    half: Floats,
    degrees: NDArray[np.int64],
    mirrored: tuple[bool, bool, bool],
    poisson_ratio: float,
) -> tuple[Floats, Floats]:
    """Modes of free vibration for unit density and Young's modulus, without the six rigid motions.

    Args:
        points: (Q, 3) quadrature in units of the half extents; folded across the mirror planes.
        weights: (Q,) of volume.
        half: (3,) half extents.
        degrees: (N, 3) of the basis functions, used for each of the three components.
        mirrored: across which axis planes the solid is symmetric: each gives two independent problems.
        poisson_ratio: of the material.

    Returns:
        (K,) angular frequencies, increasing, and (K, 3, N) modes with ∫ |φ|² dV = 1; K <= MODE_LIMIT.
    """
    lame = poisson_ratio / ((1.0 + poisson_ratio) * (1.0 - 2.0 * poisson_ratio))
    shear = 0.5 / (1.0 + poisson_ratio)
    orders = degrees.max(0)
    tables, slopes = legendre(points, orders)
    root = np.sqrt(np.abs(weights))[:, None]
    sign = np.where(weights < 0, -1.0, 1.0)[:, None]
    plain = bool((weights >= 0).all())

    def product(a: Floats, b: Floats) -> Floats:
        return np.asarray(a.T @ (b if plain else sign * b))

    basis = products(tables, degrees) * root
    gradient = [
        products([slopes[i] if i == axis else tables[i] for i in range(3)], degrees) * (root / half[axis])
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
            mass[mine, mine] = product(functions, functions)
            slope = [g[:, members[i]] for g in gradient]
            own = [product(s, s) for s in slope]
            stiff[mine, mine] = shear * (own[0] + own[1] + own[2]) + (lame + shear) * own[i]
            for j in range(i + 1, 3):
                theirs = slice(at[j], at[j + 1])
                straight = product(slope[i], gradient[j][:, members[j]])
                crossed = product(slope[j], gradient[i][:, members[j]])
                stiff[mine, theirs] = lame * straight + shear * crossed
                stiff[theirs, mine] = stiff[mine, theirs].T
        if not at[3]:
            continue
        values, vectors = _eigen(stiff, mass)
        values, vectors = values[: MODE_LIMIT + 6], vectors[:, : MODE_LIMIT + 6]
        full = np.zeros((len(values), 3, count))
        for i in range(3):
            full[:, i, members[i]] = vectors[at[i] : at[i + 1]].T
        found.append((values, full))
    squares = np.concatenate([values for values, _ in found])
    shapes = np.concatenate([vectors for _, vectors in found])
    # The six rigid motions come out as nearly zero; everything else is far above.
    order = np.argsort(squares, kind="stable")[6 : 6 + MODE_LIMIT]
    return np.sqrt(np.maximum(squares[order], 1e-12)), shapes[order]


def _eigen(stiff: Floats, mass: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues, increasing, and vectors of a stiffness and a mass matrix.

    Legendre polynomials of a box are nearly dependent on a solid that fills little of it (a needle-sharp cone, a
    sliver); directions that the mass matrix cannot tell from rounding are then left out.
    """
    from scipy.linalg import LinAlgError, eigh

    try:
        values, vectors = eigh(stiff, mass, driver="gvd", check_finite=False)
    except LinAlgError:
        pass
    else:
        if values[0] > -1e-6 * abs(values[-1]) ** 0.5:
            return values, vectors
    sizes, axes = eigh(mass, driver="evd", check_finite=False)
    kept = sizes > 1e-9 * sizes[-1]
    basis = axes[:, kept] / np.sqrt(sizes[kept])
    reduced = basis.T @ stiff @ basis
    values, vectors = eigh(0.5 * (reduced + reduced.T), driver="evd", check_finite=False)
    return values, basis @ vectors
