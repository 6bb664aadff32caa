"""How far shapes reach: from their centre of mass, and in a direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.mass import mass_properties
from physreel.geometry.profiles import outline
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


def support_distances(shape: Shape, directions: ArrayLike) -> NDArray[np.float64]:
    """(N,) the greatest n·x over the shape's points x, for unit directions n (N, 3) in the shape's frame."""
    n = np.atleast_2d(np.asarray(directions, np.float64))
    radial = np.hypot(n[:, 0], n[:, 1])
    match shape:
        case Box(size_m=size):
            return np.asarray(np.abs(n) @ np.array(size) / 2)
        case Sphere(radius_m=r):
            return np.full(len(n), r)
        case Ellipsoid(radii_m=radii):
            return np.asarray(np.linalg.norm(n * np.array(radii), axis=1))
        case Cylinder(radius_m=r, height_m=h):
            return np.asarray(r * radial + h / 2 * np.abs(n[:, 2]))
        case Capsule(radius_m=r, length_m=h):
            return np.asarray(r + h / 2 * np.abs(n[:, 2]))
        case Cone(radius_m=r, height_m=h):
            return np.asarray(np.maximum(r * radial - h / 2 * n[:, 2], h / 2 * n[:, 2]))
        case ConvexHull(points_m=points):
            return np.asarray((n @ np.asarray(points).T).max(1))
        case TriangleMesh(vertices_m=points):
            return np.asarray((n @ np.asarray(points).T).max(1))
        case Vessel():
            line = vessel_outline(shape)
            return np.asarray((radial[:, None] * line[:, 0] + n[:, 2:] * line[:, 1]).max(1))
        case Ring(outer_radius_m=r, height_m=h):
            return np.asarray(r * radial + h / 2 * np.abs(n[:, 2]))
        case Gear(internal=True, outer_radius_m=r, width_m=w):
            return np.asarray(r * radial + w / 2 * np.abs(n[:, 2]))
        case Gear(width_m=w) | Rack(width_m=w):
            return np.asarray((n[:, :2] @ outline(shape).T).max(1) + w / 2 * np.abs(n[:, 2]))
        case Tank():
            return support_distances(tank_compound(shape), n)
        case Compound():
            reach = [
                support_distances(piece.shape, rotate_wxyz(conjugate_wxyz(piece.orientation_wxyz), n))
                + n @ np.array(piece.position_m)
                for piece in shape.pieces
            ]
            return np.asarray(np.max(reach, axis=0))
    raise ValueError(f"a {shape.kind} has no extent")


def bounding_box(shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two corners (3,) of the box around a shape, along the axes of its frame."""
    axes = np.eye(3)
    return -support_distances(shape, -axes), support_distances(shape, axes)


def lowest_points(shape: Shape, orientations_wxyz: ArrayLike) -> NDArray[np.float64]:
    """(N,) height of the shape's lowest point above its frame's origin (negative), for orientations (N, 4)."""
    down = rotate_wxyz(conjugate_wxyz(np.atleast_2d(orientations_wxyz)), np.array([0.0, 0.0, -1.0]))
    return -support_distances(shape, down)


def bounding_radius_m(shape: Shape) -> float:
    """The distance from the centre of mass (of what has none: the origin) to the farthest point; infinite for a plane.

    For compounds the bound of each piece's ball, hence at most a little too large.
    """
    match shape:
        case Sphere(radius_m=r):
            return r
        case Box(size_m=size):
            return 0.5 * float(np.linalg.norm(size))
        case Cylinder(radius_m=r, height_m=h):
            return float(np.hypot(r, h / 2))
        case Capsule(radius_m=r, length_m=h):
            return r + h / 2
        case Cone(radius_m=r, height_m=h):
            return max(0.75 * h, float(np.hypot(r, h / 4)))
        case Ellipsoid(radii_m=radii):
            return max(radii)
        case ConvexHull(points_m=points):
            return float(np.linalg.norm(np.asarray(points) - mass_properties(shape).center, axis=1).max())
        case Compound(pieces=pieces):
            middle = mass_properties(shape).center
            reach = 0.0
            for piece in pieces:
                center = mass_properties(piece.shape).center
                offset = np.asarray(piece.position_m) + rotate_wxyz(piece.orientation_wxyz, center) - middle
                reach = max(reach, float(np.linalg.norm(offset)) + bounding_radius_m(piece.shape))
            return reach
        case Vessel():
            return float(np.linalg.norm(vessel_outline(shape), axis=1).max())
        case Tank(inside_m=(x, y, _), wall_m=wall):
            return float(np.linalg.norm((x / 2 + wall, y / 2 + wall, shape.rim_z_m)))
        case Ring(outer_radius_m=r, height_m=h):
            return float(np.hypot(r, h / 2))
        case Gear(internal=True, outer_radius_m=r, width_m=w):
            return float(np.hypot(r + np.linalg.norm(mass_properties(shape).center), w / 2))
        case Gear(width_m=w) | Rack(width_m=w):
            reach = np.linalg.norm(outline(shape) - mass_properties(shape).center[:2], axis=1)
            return float(np.hypot(reach.max(), w / 2))
        case Plane():
            return float("inf")
    return float(np.linalg.norm(np.asarray(shape.vertices_m), axis=1).max())
