"""How bodies meet: effective masses, and the curvature of shapes where they touch.

Source: H. Hertz, J. reine angew. Math. 92, 156 (1881); K. L. Johnson, Contact Mechanics (1985), 4.2 and 11.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hulls import hull_planes
from physreel.geometry.mass import MassProperties
from physreel.geometry.vessels import inner_radius_m
from physreel.renderers.audio.modal import largest_extent
from physreel.renderers.audio.solids import deepest_piece
from physreel.spec import (
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Shape,
    Sphere,
    Vessel,
)

Floats = NDArray[np.float64]

EDGE_SHARE = 0.02
"""Edges and corners are rounded to this share of the body's largest extent; no real thing is sharper."""
NEAR_SHARE = 0.03
"""A point this near to a face (share of the extent) lies on it."""


def yielding(mass: MassProperties, arms: Floats, directions: Floats) -> Floats:
    """(N,) 1 / effective mass (1/kg) of a free body struck at ``arms`` (N, 3) from its centre, body frame."""
    lever = np.cross(arms, directions)
    return np.asarray(1.0 / mass.mass + np.einsum("ni,ij,nj->n", lever, np.linalg.inv(mass.inertia), lever))


def curvature_radius_m(shape: Shape, point: Floats) -> float:
    """Radius of the surface near a point (3,) in the shape's frame; of two principal radii the geometric mean.

    Flat faces count as a ball of the body's extent, edges as rounded (EDGE_SHARE).
    """
    if isinstance(shape, Compound):
        best, local = deepest_piece(shape, point)
        return curvature_radius_m(shape.pieces[best].shape, local)
    extent = largest_extent(shape)
    edge, near = EDGE_SHARE * extent, NEAR_SHARE * extent
    radial = float(np.hypot(point[0], point[1]))
    match shape:
        case Sphere(radius_m=r):
            return r
        case Ellipsoid(radii_m=radii):
            on = point / max(float(np.linalg.norm(point / np.array(radii))), 1e-9)
            return float(np.prod(radii) * (on**2 / np.array(radii) ** 4).sum())
        case Capsule(radius_m=r, length_m=h):
            return r if abs(point[2]) > h / 2 else float(np.sqrt(r * extent))
        case Cylinder(radius_m=r, height_m=h):
            cap, side = h / 2 - abs(point[2]) < near, r - radial < near
            if cap and side:
                return float(np.sqrt(edge * r))
            return extent if cap else float(np.sqrt(r * extent))
        case Cone(radius_m=r, height_m=h):
            if h / 2 - point[2] < near:
                return edge
            if point[2] + h / 2 < near:
                return float(np.sqrt(edge * r)) if r - radial < near else extent
            return float(np.sqrt(max(radial, edge) * extent))
        case Vessel():
            if abs(point[2] - shape.rim_z_m) < near:
                return float(np.sqrt(0.5 * shape.wall_m * radial))
            wall = float(inner_radius_m(shape, point[2])) - radial < near
            return float(np.sqrt(radial * extent)) if wall else extent
        case Box(size_m=size):
            faces = int((np.array(size) / 2 - np.abs(point) < near).sum())
        case ConvexHull():
            planes = hull_planes(shape)
            faces = int((planes[:, 3] - planes[:, :3] @ point < near).sum())
        case _:
            return extent
    return (extent, extent, float(np.sqrt(edge * extent)), edge)[min(faces, 3)]
