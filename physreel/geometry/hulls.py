"""Convex hulls: faces in a fixed order, and face planes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from physreel.spec import ConvexHull


@lru_cache(maxsize=512)
def hull_faces(shape: ConvexHull) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices (V, 3) on the hull and triangles (F, 3) counter-clockwise seen from outside, as read-only arrays."""
    from scipy.spatial import ConvexHull as Qhull

    points = np.asarray(shape.points_m, np.float64)
    hull = Qhull(points)
    used = np.unique(hull.simplices)
    vertices = points[used]
    faces = np.searchsorted(used, hull.simplices).astype(np.int64)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    inward = np.einsum("fi,fi->f", np.cross(b - a, c - a), hull.equations[:, :3]) < 0
    faces[inward] = faces[inward][:, ::-1]
    faces = faces[np.lexsort(faces.T[::-1])]
    vertices.flags.writeable = faces.flags.writeable = False
    return vertices, faces


@lru_cache(maxsize=512)
def hull_planes(shape: ConvexHull) -> NDArray[np.float64]:
    """(P, 4) outward unit normal n and offset d of each distinct face plane: inside is n·x <= d."""
    vertices, faces = hull_faces(shape)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    keep = area > 1e-12 * area.max()
    normal, a = normal[keep] / area[keep, None], a[keep]
    planes = np.column_stack([normal, np.einsum("fi,fi->f", normal, a)])
    # Coplanar triangles are one plane; rounding groups them, and the first of each group keeps its exact numbers.
    size = float(np.ptp(vertices, axis=0).max())
    _, first = np.unique(np.round(planes / np.array([1, 1, 1, size]), 6), axis=0, return_index=True)
    planes = planes[np.sort(first)]
    planes.flags.writeable = False
    return planes
