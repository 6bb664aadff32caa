"""Points and weights that integrate over a solid and over its surface, for every shape that has a volume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hulls import hull_faces, hull_planes
from physreel.geometry.rotations import wxyz_to_matrix
from physreel.geometry.vessels import vessel_outline
from physreel.spec import (
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    ConvexShape,
    Cylinder,
    Ellipsoid,
    Ring,
    Shape,
    Sphere,
    Vessel,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quadrature:
    """``points`` (Q, 3) and ``weights`` (Q,) summing to the volume or area; ``normals`` (Q, 3) on surfaces only."""

    points: Floats
    weights: Floats
    normals: Floats


def gauss(count: int, low: float = -1.0, high: float = 1.0) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights on [low, high]: exact to degree 2 count - 1."""
    x, w = _leggauss(count)
    half = 0.5 * (high - low)
    return np.asarray(low + half * (x + 1.0), np.float64), np.asarray(half * w, np.float64)


@lru_cache(maxsize=128)
def _leggauss(count: int) -> tuple[Floats, Floats]:
    nodes, factors = np.polynomial.legendre.leggauss(count)
    x, w = np.asarray(nodes, np.float64), np.asarray(factors, np.float64)
    x.flags.writeable = w.flags.writeable = False
    return x, w


def _tensor(*axes: tuple[Floats, Floats]) -> tuple[list[Floats], Floats]:
    grids = np.meshgrid(*(nodes for nodes, _ in axes), indexing="ij")
    weights = axes[0][1]
    for _, w in axes[1:]:
        weights = (weights[:, None] * w).ravel()
    return [np.asarray(grid.ravel(), np.float64) for grid in grids], weights


def _turn(count: int) -> tuple[Floats, Floats]:
    # Equal steps round a circle, placed off the axes and mirror-symmetric: exact for trigonometric degree < 4 quarter.
    quarter = -(-count // 4)
    step = np.pi / (2 * quarter)
    return np.asarray((np.arange(4 * quarter) + 0.5) * step, np.float64), np.full(4 * quarter, step, np.float64)


def volume_quadrature(shape: Shape, degree: int) -> Quadrature:
    """Points inside the solid that integrate polynomials of total ``degree`` exactly (up to rounding).

    A vessel's wall is thin, and gets no more points across than tell to nine digits.
    """
    n = degree // 2 + 1
    if isinstance(shape, Compound):
        parts = [volume_quadrature(piece.shape, degree) for piece in shape.pieces]
        points = [part.points @ turn.T + place for part, turn, place in zip(parts, *piece_frames(shape), strict=True)]
        return _solid(np.concatenate(points), np.concatenate([part.weights for part in parts]))
    match shape:
        case Box(size_m=size):
            (x, y, z), w = _tensor(*(gauss(n, -edge / 2, edge / 2) for edge in size))
            return _solid(np.stack([x, y, z], 1), w)
        case Sphere(radius_m=r):
            return _ball(np.full(3, r), n)
        case Ellipsoid(radii_m=radii):
            return _ball(np.array(radii), n)
        case Cylinder(radius_m=r, height_m=h):
            return _tube(r, h, n)
        case Capsule(radius_m=r, length_m=h):
            tube, ball = _tube(r, h, n), _ball(np.full(3, r), n + n % 2)
            cap = ball.points + np.sign(ball.points[:, 2:]) * np.array([0.0, 0.0, h / 2])
            return _solid(np.concatenate([tube.points, cap]), np.concatenate([tube.weights, ball.weights]))
        case Cone(radius_m=r, height_m=h):
            (s, phi, z), w = _tensor(gauss(n + 1, 0.0, 1.0), _turn(degree + 2), gauss(n + 1, -h / 2, h / 2))
            at = r * (0.5 - z / h)
            return _solid(np.stack([at * s * np.cos(phi), at * s * np.sin(phi), z], 1), w * s * at * at)
        case ConvexHull():
            return _tetrahedra(shape, n + 1)
        case Vessel():
            return _turned(shape, degree)
        case Ring(inner_radius_m=inner, outer_radius_m=outer, height_m=h):
            return _tube(outer, h, n, inner)
    raise ValueError(f"a {shape.kind} has no volume")


def _solid(points: Floats, weights: Floats) -> Quadrature:
    return Quadrature(points, weights, np.zeros((0, 3)))


def _ball(radii: Floats, n: int) -> Quadrature:
    # Half a ball at a time, so that the nodes never lie on the equator and a capsule can pull the halves apart.
    m = n + n % 2
    (r, mu, phi), w = _tensor(gauss(n + 1, 0.0, 1.0), _halves(m), _turn(2 * n + 2))
    s = np.sqrt(1.0 - mu * mu)
    unit = np.stack([r * s * np.cos(phi), r * s * np.sin(phi), r * mu], 1)
    return _solid(unit * radii, w * r * r * radii.prod())


def _halves(n: int) -> tuple[Floats, Floats]:
    x, w = gauss(n, 0.0, 1.0)
    return np.concatenate([-x[::-1], x]), np.concatenate([w[::-1], w])


def _tube(radius: float, height: float, n: int, inner: float = 0.0) -> Quadrature:
    (r, phi, z), w = _tensor(gauss(n + 1, inner, radius), _turn(2 * n + 2), gauss(n + n % 2, -height / 2, height / 2))
    return _solid(np.stack([r * np.cos(phi), r * np.sin(phi), z], 1), w * r)


def _tetrahedra(shape: ConvexHull, n: int) -> Quadrature:
    # Collapsed coordinates on the tetrahedra from the middle to each face.
    vertices, faces = hull_faces(shape)
    apex = vertices.mean(0)
    a, b, c = (vertices[faces[:, k]] - apex for k in range(3))
    (u, v, s), w = _tensor(gauss(n, 0.0, 1.0), gauss(n, 0.0, 1.0), gauss(n, 0.0, 1.0))
    flat = u[:, None, None] * (
        a[None] * (1.0 - v)[:, None, None] + b[None] * (v * (1.0 - s))[:, None, None] + c[None] * (v * s)[:, None, None]
    )
    volume6 = np.abs(np.einsum("fi,fi->f", a, np.cross(b, c)))
    weights = (w * u * u * v)[:, None] * volume6[None]
    return _solid((flat + apex).reshape(-1, 3), weights.ravel())


def _turned(shape: Vessel, degree: int) -> Quadrature:
    # The outline is cut at the heights of its corners; between two of them the wall is a trapezoid.
    outline = vessel_outline(shape)
    after = np.roll(outline, -1, axis=0)
    reach, deep = outline.max(0)
    full = degree // 2 + 2
    heights = np.unique(outline[:, 1])
    phi, turn = _turn(degree + 2)
    points, weights = [], []
    for low, high in pairwise(heights[np.diff(heights, prepend=-1.0) > 1e-9 * deep]):
        middle = 0.5 * (low + high)
        crossing = (outline[:, 1] - middle) * (after[:, 1] - middle) < 0.0
        (r0, z0), (r1, z1) = outline[crossing].T, after[crossing].T
        slope = (r1 - r0) / (z1 - z0)
        walls = sorted(zip((r0 + (middle - z0) * slope).tolist(), slope.tolist(), strict=True))
        up, along = gauss(min(full, 3 + int(degree * (high - low) / (2.0 * deep)) + 1), low, high)
        for (inner, lean), (outer, other) in zip(walls[::2], walls[1::2], strict=True):
            a, b = inner + (up - middle) * lean, outer + (up - middle) * other
            share, across = gauss(min(full, 3 + int(degree * float((b - a).max()) / (2.0 * reach)) + 1), 0.0, 1.0)
            r = a[:, None] + (b - a)[:, None] * share
            w = along[:, None] * (b - a)[:, None] * across * r
            x, y = r[..., None] * np.cos(phi), r[..., None] * np.sin(phi)
            points.append(np.stack(np.broadcast_arrays(x, y, up[:, None, None]), -1).reshape(-1, 3))
            weights.append((w[..., None] * turn).ravel())
    return _solid(np.concatenate(points), np.concatenate(weights))


def surface_quadrature(shape: Shape) -> Quadrature:
    """A few hundred points on the surface with outward normals: what moves the air around.

    Of a compound only what is not inside another piece, of a vessel only its outside: its inside moves the other way,
    and the air in it, narrow beside the wave, lets nothing of that out.
    """
    if isinstance(shape, Compound):
        kept = []
        turns, places = piece_frames(shape)
        for k, piece in enumerate(shape.pieces):
            part = surface_quadrature(piece.shape)
            points = part.points @ turns[k].T + places[k]
            normals = part.normals @ turns[k].T
            size = float(np.ptp(points, axis=0).max())
            open_air = np.ones(len(points), bool)
            for j, other in enumerate(shape.pieces):
                if j != k:
                    open_air &= depth_inside(other.shape, (points - places[j]) @ turns[j]) < -1e-3 * size
            kept.append(Quadrature(points[open_air], part.weights[open_air], normals[open_air]))
        return Quadrature(*(np.concatenate([getattr(q, f) for q in kept]) for f in ("points", "weights", "normals")))
    match shape:
        case Box(size_m=edges):
            return _box_surface(np.array(edges))
        case Sphere(radius_m=r):
            return _ball_surface(np.full(3, r))
        case Ellipsoid(radii_m=radii):
            return _ball_surface(np.array(radii))
        case Cylinder(radius_m=r, height_m=h):
            return _join(_side(r, r, h), _disc(r, h / 2, 1.0), _disc(r, -h / 2, -1.0))
        case Capsule(radius_m=r, length_m=h):
            ball = _ball_surface(np.full(3, r))
            caps = ball.points + np.sign(ball.points[:, 2:]) * np.array([0.0, 0.0, h / 2])
            return _join(_side(r, r, h), Quadrature(caps, ball.weights, ball.normals))
        case Cone(radius_m=r, height_m=h):
            return _join(_side(r, 0.0, h), _disc(r, -h / 2, -1.0))
        case ConvexHull():
            vertices, faces = hull_faces(shape)
            a, b, c = (vertices[faces[:, k]] for k in range(3))
            normal = np.cross(b - a, c - a)
            area = np.linalg.norm(normal, axis=1) / 2
            bary = np.array([[4, 1, 1], [1, 4, 1], [1, 1, 4]]) / 6
            points = np.einsum("qc,cfi->qfi", bary, np.stack([a, b, c])).reshape(-1, 3)
            normal = normal / np.maximum(2 * area, 1e-300)[:, None]
            return Quadrature(points, np.tile(area / 3, 3), np.tile(normal, (3, 1)))
        case Ring(inner_radius_m=inner, outer_radius_m=outer, height_m=h):
            hole = _side(inner, inner, h)
            ends = (_disc(outer, sign * h / 2, sign, inner) for sign in (1.0, -1.0))
            return _join(_side(outer, outer, h), Quadrature(hole.points, hole.weights, -hole.normals), *ends)
        case Vessel():
            outline = vessel_outline(shape)
            return _turned_surface(outline[: len(outline) - len(shape.profile_m) + 1])
    raise ValueError(f"a {shape.kind} has no closed surface")


def _join(*parts: Quadrature) -> Quadrature:
    return Quadrature(*(np.concatenate([getattr(q, f) for q in parts]) for f in ("points", "weights", "normals")))


def _box_surface(size: Floats) -> Quadrature:
    parts = []
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        (u, v), w = _tensor(gauss(6, -size[i] / 2, size[i] / 2), gauss(6, -size[j] / 2, size[j] / 2))
        for sign in (-1.0, 1.0):
            points, normals = np.zeros((len(u), 3)), np.zeros((len(u), 3))
            points[:, i], points[:, j], points[:, axis] = u, v, sign * size[axis] / 2
            normals[:, axis] = sign
            parts.append(Quadrature(points, w, normals))
    return _join(*parts)


def _ball_surface(radii: Floats) -> Quadrature:
    (mu, phi), w = _tensor(_halves(5), _turn(20))
    s = np.sqrt(1.0 - mu * mu)
    unit = np.stack([s * np.cos(phi), s * np.sin(phi), mu], 1)
    outward = unit / radii
    length = np.linalg.norm(outward, axis=1)
    return Quadrature(unit * radii, w * radii.prod() * length, outward / length[:, None])


def _side(bottom: float, top: float, height: float) -> Quadrature:
    (phi, z), w = _tensor(_turn(20), gauss(6, -height / 2, height / 2))
    r = bottom + (top - bottom) * (0.5 + z / height)
    slant = np.hypot(height, bottom - top)
    normals = np.stack([np.cos(phi) * height, np.sin(phi) * height, np.full_like(phi, bottom - top)], 1) / slant
    return Quadrature(np.stack([r * np.cos(phi), r * np.sin(phi), z], 1), w * r * slant / height, normals)


def _turned_surface(outline: Floats) -> Quadrature:
    (phi, s), w = _tensor(_turn(20), gauss(4, 0.0, 1.0))
    parts = []
    for (r0, z0), (r1, z1) in pairwise(outline):
        length = float(np.hypot(r1 - r0, z1 - z0))
        r = r0 + (r1 - r0) * s
        x, y = np.cos(phi), np.sin(phi)
        out, up = (z1 - z0) / length, (r0 - r1) / length
        points = np.stack([r * x, r * y, z0 + (z1 - z0) * s], 1)
        parts.append(Quadrature(points, w * length * r, np.stack([out * x, out * y, np.full_like(x, up)], 1)))
    return _join(*parts)


def _disc(radius: float, z: float, sign: float, inner: float = 0.0) -> Quadrature:
    (r, phi), w = _tensor(gauss(4, inner, radius), _turn(16))
    points = np.stack([r * np.cos(phi), r * np.sin(phi), np.full_like(r, z)], 1)
    return Quadrature(points, w * r, np.tile([0.0, 0.0, sign], (len(r), 1)))


def depth_inside(shape: ConvexShape, points: Floats) -> Floats:
    """(N,) how deep points (N, 3) in the shape's frame lie inside, in metres; negative outside (a lower bound)."""
    x, y, z = points.T
    match shape:
        case Box(size_m=size):
            return np.asarray((np.array(size) / 2 - np.abs(points)).min(1))
        case Sphere(radius_m=r):
            return np.asarray(r - np.linalg.norm(points, axis=1))
        case Ellipsoid():
            radii = np.array(shape.radii_m)
            return np.asarray((1.0 - np.linalg.norm(points / radii, axis=1)) * radii.min())
        case Cylinder(radius_m=r, height_m=h):
            return np.asarray(np.minimum(r - np.hypot(x, y), h / 2 - np.abs(z)))
        case Capsule(radius_m=r, length_m=h):
            return np.asarray(r - np.sqrt(x * x + y * y + np.maximum(np.abs(z) - h / 2, 0.0) ** 2))
        case Cone(radius_m=r, height_m=h):
            return np.asarray(np.minimum((r * (0.5 - z / h) - np.hypot(x, y)) * h / np.hypot(r, h), z + h / 2))
        case ConvexHull():
            planes = hull_planes(shape)
            return np.asarray((planes[:, 3] - points @ planes[:, :3].T).min(1))


@lru_cache(maxsize=256)
def piece_frames(shape: Compound) -> tuple[Floats, Floats]:
    """Rotations (P, 3, 3) and places (P, 3) that take points of a compound's pieces to its own frame."""
    turns = wxyz_to_matrix(np.array([piece.orientation_wxyz for piece in shape.pieces]))
    places = np.array([piece.position_m for piece in shape.pieces])
    turns.flags.writeable = places.flags.writeable = False
    return turns, places


def deepest_piece(shape: Compound, point: Floats) -> tuple[int, Floats]:
    """Which piece a point (3,) of a compound lies in (or is nearest to), and the point in the piece's frame."""
    turns, places = piece_frames(shape)
    local = np.einsum("pij,pi->pj", turns, point - places)
    depths = [float(depth_inside(piece.shape, local[k : k + 1])[0]) for k, piece in enumerate(shape.pieces)]
    best = int(np.argmax(depths))
    return best, local[best]


def deepest_pieces(shape: Compound, points: Floats) -> NDArray[np.int64]:
    """(N,) which piece each of the points (N, 3) of a compound lies in, or is nearest to."""
    turns, places = piece_frames(shape)
    depths = [depth_inside(piece.shape, (points - places[k]) @ turns[k]) for k, piece in enumerate(shape.pieces)]
    return np.asarray(np.argmax(depths, axis=0), np.int64)
