"""Signed distances from the surfaces of shapes: negative inside the solid, metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.hulls import hull_planes
from physreel.geometry.profiles import prisms
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.geometry.vessels import tank_compound, vessel_outline
from physreel.spec import (
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Gear,
    Plane,
    Rack,
    Ring,
    Shape,
    Sphere,
    Tank,
    TriangleMesh,
    Vessel,
)

Floats = NDArray[np.float64]


def signed_distances(shape: Shape, points_m: ArrayLike) -> Floats:
    """(N,) distance of points (N, 3), in the shape's frame, from its surface; negative in the solid.

    Exact for all but: ellipsoids (first order, exact on the surface), hulls outside their faces (a lower bound), and
    compounds, tanks and gears with a web inside (the deepest piece). Gears and racks are those without bevels and
    dimples, their curves as the outline has them.

    Raises:
        ValueError: the shape is a triangle mesh, which has no distance in closed form.
    """
    p = np.atleast_2d(np.asarray(points_m, np.float64))
    match shape:
        case Plane():
            return np.asarray(p[:, 2])
        case Sphere(radius_m=r):
            return np.asarray(np.linalg.norm(p, axis=1) - r)
        case Box(size_m=size):
            return _box(np.abs(p) - np.asarray(size) / 2)
        case Cylinder(radius_m=r, height_m=h):
            return _box(np.stack([np.hypot(p[:, 0], p[:, 1]) - r, np.abs(p[:, 2]) - h / 2], 1))
        case Capsule(radius_m=r, length_m=h):
            z = np.maximum(np.abs(p[:, 2]) - h / 2, 0.0)
            return np.asarray(np.sqrt(p[:, 0] ** 2 + p[:, 1] ** 2 + z**2) - r)
        case Cone(radius_m=r, height_m=h):
            return polygon_distances(np.array([[0.0, -h / 2], [r, -h / 2], [0.0, h / 2]]), _meridian(p))
        case Ellipsoid(radii_m=radii):
            a = np.asarray(radii)
            k0, k1 = np.linalg.norm(p / a, axis=1), np.linalg.norm(p / a**2, axis=1)
            return np.asarray(np.where(k1 > 1e-12, k0 * (k0 - 1.0) / np.maximum(k1, 1e-12), -a.min()))
        case ConvexHull():
            planes = hull_planes(shape)
            return np.asarray((p @ planes[:, :3].T - planes[:, 3]).max(1))
        case Vessel():
            return polygon_distances(vessel_outline(shape), _meridian(p))
        case Tank():
            return signed_distances(tank_compound(shape), p)
        case Compound(pieces=pieces):
            out = np.full(len(p), np.inf)
            for piece in pieces:
                local = rotate_wxyz(conjugate_wxyz(piece.orientation_wxyz), p - np.asarray(piece.position_m))
                out = np.minimum(out, signed_distances(piece.shape, local))
            return out
        case Ring(inner_radius_m=inner, outer_radius_m=outer, height_m=h):
            radial = np.hypot(p[:, 0], p[:, 1])
            return _box(np.stack([np.maximum(radial - outer, inner - radial), np.abs(p[:, 2]) - h / 2], 1))
        case Gear() | Rack():
            out = np.full(len(p), np.inf)
            for prism in prisms(shape):
                across = [polygon_distances(loop, p[:, :2], revolved=False) for loop in prism.loops]
                sides = np.stack([_inside_out(across), np.abs(p[:, 2]) - prism.half_m], 1)
                out = np.minimum(out, _box(sides))
            return out
        case TriangleMesh():
            raise ValueError("a triangle mesh has no distance in closed form; use solids, a vessel or a tank")


def distance_gradients(shape: Shape, points_m: ArrayLike, *, step_m: float = 1e-5) -> Floats:
    """(N, 3) unit vectors in which the signed distance grows, by central differences; zero where there is none."""
    p = np.atleast_2d(np.asarray(points_m, np.float64))
    offsets = np.vstack([np.eye(3), -np.eye(3)]) * step_m
    around = signed_distances(shape, (p[:, None] + offsets).reshape(-1, 3)).reshape(len(p), 6)
    slope = around[:, :3] - around[:, 3:]
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-12, slope / np.maximum(length, 1e-12), 0.0))


def world_distances(shape: Shape, pose: ArrayLike, points_m: ArrayLike) -> Floats:
    """(N,) signed distances of world points (N, 3) from a shape at a pose (7,)."""
    at = np.asarray(pose, np.float64)
    return signed_distances(shape, rotate_wxyz(conjugate_wxyz(at[3:]), np.asarray(points_m, np.float64) - at[:3]))


def polygon_distances(polygon: ArrayLike, points: ArrayLike, *, revolved: bool = True) -> Floats:
    """(N,) signed distance of points (N, 2) from a closed polygon (M, 2); negative inside.

    Where the polygon is revolved, edges on the axis r = 0 are no surface, and do not count.
    """
    corners, p = np.asarray(polygon, np.float64), np.asarray(points, np.float64)
    nearest = np.full(len(p), np.inf)
    inside = np.zeros(len(p), np.bool_)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge, offset = b - a, p - a
        if not revolved or a[0] > 1e-12 or b[0] > 1e-12:
            along = np.clip(offset @ edge / max(float(edge @ edge), 1e-300), 0.0, 1.0)
            nearest = np.minimum(nearest, ((offset - along[:, None] * edge) ** 2).sum(1))
        straddles = (a[1] > p[:, 1]) != (b[1] > p[:, 1])
        if edge[1] != 0.0:
            inside ^= straddles & (p[:, 0] < a[0] + edge[0] * (p[:, 1] - a[1]) / edge[1])
    return np.asarray(np.where(inside, -1.0, 1.0) * np.sqrt(nearest))


def _inside_out(distances: list[Floats]) -> Floats:
    """(N,) signed distance from what an odd number of loops is round, from that of each loop."""
    every = np.stack(distances)
    odd = (every < 0.0).sum(0) % 2 == 1
    return np.asarray(np.where(odd, -1.0, 1.0) * np.abs(every).min(0))


def _box(beyond: Floats) -> Floats:
    """Distance from a box of any dimension, of (N, D) amounts beyond its half extents."""
    return np.asarray(np.linalg.norm(np.maximum(beyond, 0.0), axis=1) + np.minimum(beyond.max(1), 0.0))


def _meridian(p: Floats) -> Floats:
    return np.stack([np.hypot(p[:, 0], p[:, 1]), p[:, 2]], 1)
