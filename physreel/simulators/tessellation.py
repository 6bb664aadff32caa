"""Convex point sets that stand for shapes the engines do not know themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hulls import hull_planes
from physreel.spec import Cone, ConvexHull, TriangleMesh, Vec3

Floats = NDArray[np.float64]

CONE_SIDES = 64


def cone_points(cone: Cone) -> Floats:
    """(CONE_SIDES + 1, 3) apex and base rim of a cone, whose polygon has the circle's area."""
    angle = np.arange(CONE_SIDES) * (2 * np.pi / CONE_SIDES)
    # A polygon between the inscribed and the circumscribed one: it rolls at the cone's mean radius.
    radius = cone.radius_m * np.sqrt(2 * np.pi / (CONE_SIDES * np.sin(2 * np.pi / CONE_SIDES)))
    rim = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(CONE_SIDES, -cone.height_m / 2)])
    return np.vstack([[0.0, 0.0, cone.height_m / 2], rim])


def mesh_pieces(mesh: TriangleMesh) -> list[tuple[Vec3, ...]]:
    """A triangle mesh as convex pieces: itself if it is convex, else one thin prism a triangle, grown inwards.

    Contact with a prism is contact with the triangle's outer face; the thickness keeps fast bodies from passing.
    """
    vertices = np.asarray(mesh.vertices_m, np.float64)
    faces = np.asarray(mesh.faces, np.int64)
    if is_convex(mesh):
        return [_points(vertices[np.unique(faces)])]
    size = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    thickness = min(max(0.02 * size, 0.002), 0.02)
    pieces = []
    for face in faces:
        corners = vertices[face]
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        area = np.linalg.norm(normal)
        if area < 1e-12:
            continue
        # Narrowed a little below, so that the prisms of a convex edge do not stick out through each other's faces.
        below = corners.mean(0) + 0.8 * (corners - corners.mean(0)) - thickness * normal / area
        pieces.append(_points(np.vstack([corners, below])))
    return pieces


def is_convex(mesh: TriangleMesh) -> bool:
    """Whether the mesh is closed and the surface of its own convex hull."""
    vertices = np.asarray(mesh.vertices_m, np.float64)
    faces = np.asarray(mesh.faces, np.int64)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    if (counts != 2).any() or len(np.unique(faces)) > 256:
        return False
    points = vertices[np.unique(faces)]
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
    if spread[2] < 1e-6 * spread[0]:
        return False
    planes = hull_planes(ConvexHull(points_m=_points(points)))
    middle = vertices[faces].mean(1)
    distance = (middle @ planes[:, :3].T - planes[:, 3]).max(1)
    return bool((distance > -1e-6 * float(np.ptp(vertices, axis=0).max())).all())


def _points(points: Floats) -> tuple[Vec3, ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in points)
