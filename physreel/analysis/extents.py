"""How far shapes reach from their centre of mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.mass import mass_properties
from physreel.geometry.rotations import rotate_wxyz
from physreel.spec import Body, Box, Capsule, Compound, Cone, ConvexHull, Cylinder, Ellipsoid, Shape, Sphere


def mass_center_m(body: Body) -> NDArray[np.float64]:
    """(3,) the centre of mass in the body's frame; the origin for planes and meshes, which have none."""
    if body.shape.kind in ("plane", "triangle_mesh"):
        return np.zeros(3)
    return mass_properties(body.shape).center


def bounding_radius_m(shape: Shape) -> float:
    """The distance from the centre of mass to the farthest point; infinite for a plane.

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
    if shape.kind == "plane":
        return float("inf")
    return float(np.linalg.norm(np.asarray(shape.vertices_m), axis=1).max())
