"""Shapes as lines, for the drawing of where bodies go."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.spec.toothed import Gear, Rack, Ring

Lines = list[NDArray[np.float64]]
_ROUND, _MOST_EDGES = 28, 400


def outline(shape: Any) -> Lines:
    """Polylines (N, 3) in the shape's frame; none for planes, which have no edge."""
    drawer = _DRAWERS.get(shape.kind)
    return drawer(shape) if drawer else []


def _circle(radius: float, z: float = 0.0, count: int = _ROUND) -> NDArray[np.float64]:
    turn = np.linspace(0.0, 2.0 * np.pi, count + 1)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), np.full_like(turn, z)], -1)


def _box(size: Any, middle: Any = (0.0, 0.0, 0.0)) -> Lines:
    x, y, z = np.asarray(size, float) / 2.0
    ring = np.array([[-x, -y], [x, -y], [x, y], [-x, y], [-x, -y]])
    lines = [np.column_stack([ring, np.full(5, height)]) for height in (-z, z)]
    lines += [np.array([[a, b, -z], [a, b, z]]) for a, b in ring[:4]]
    return [line + np.asarray(middle, float) for line in lines]


def _sphere(radii: Any) -> Lines:
    flat = _circle(1.0)
    return [flat[:, order] * np.asarray(radii, float) for order in ((0, 1, 2), (0, 2, 1), (2, 0, 1))]


def _revolved(profile: Any) -> Lines:
    """Rings at some of the (r, z) points, and four lines along them."""
    points = np.asarray(profile, float)
    some = np.unique(np.linspace(0, len(points) - 1, min(len(points), 5)).astype(int))
    lines = [_circle(points[k, 0], points[k, 1]) for k in some if points[k, 0] > 0]
    for turn in np.arange(4) * np.pi / 2:
        lines.append(np.stack([points[:, 0] * np.cos(turn), points[:, 0] * np.sin(turn), points[:, 1]], -1))
    return lines


def _cylinder(radius: float, half: float) -> Lines:
    return _revolved([(0.0, -half), (radius, -half), (radius, half), (0.0, half)])


def _capsule(shape: Any) -> Lines:
    bend = np.linspace(-np.pi / 2, np.pi / 2, 15)
    half = np.where(bend < 0, -1.0, 1.0) * shape.length_m / 2
    return _revolved(np.stack([shape.radius_m * np.cos(bend), half + shape.radius_m * np.sin(bend)], -1))


def _edges(points: NDArray[np.float64], faces: NDArray[np.int64]) -> Lines:
    """Edges between faces that are not in one plane."""
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    seen: dict[tuple[int, int], list[int]] = {}
    for k, face in enumerate(faces.tolist()):
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            seen.setdefault((min(a, b), max(a, b)), []).append(k)
    bent = []
    for (a, b), both in seen.items():
        turn = abs(float(normals[both[0]] @ normals[both[1]])) if len(both) == 2 else 0.0
        if turn < 0.985:
            bent.append((turn, a, b))
    bent.sort()
    return [points[[a, b]] for _, a, b in bent[:_MOST_EDGES]]


def _hull(shape: Any) -> Lines:
    from scipy.spatial import ConvexHull

    points = np.asarray(shape.points_m, float)
    hull = ConvexHull(points)
    # Its triangles wind either way, so normals are compared without sign.
    return _edges(points, np.asarray(hull.simplices, np.int64))


def _mesh(shape: Any) -> Lines:
    return _edges(np.asarray(shape.vertices_m, float), np.asarray(shape.faces, np.int64))


def _compound(shape: Any) -> Lines:
    lines: Lines = []
    for piece in shape.pieces:
        w, x, y, z = piece.orientation_wxyz
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        lines += [line @ turn.T + np.asarray(piece.position_m) for line in outline(piece.shape)]
    return lines[:_MOST_EDGES]


def _vessel(shape: Any) -> Lines:
    inside = list(shape.profile_m)
    outer = inside[-1][0] + shape.wall_m
    return [*_revolved([(0.0, 0.0), *((r + shape.wall_m, z) for r, z in inside)][1:]), _circle(outer, inside[-1][1])]


def _tank(shape: Any) -> Lines:
    width, depth, height = shape.inside_m
    wall = shape.wall_m
    outside = _box((width + 2 * wall, depth + 2 * wall, height + wall), (0, 0, (height + wall) / 2))
    return outside + _box((width, depth, height), (0, 0, wall + height / 2))


def _gear(shape: Gear) -> Lines:
    """Teeth as straight flanks between root and tip, at both faces."""
    tip, root, half_tooth = shape.tip_radius_m, shape.root_radius_m, shape.half_tooth_rad
    missing = set(shape.missing_teeth)
    places = []
    for tooth in range(shape.tooth_count):
        for part, radius in ((-1.4, root), (-0.6, tip), (0.6, tip), (1.4, root)):
            turn = 2 * np.pi * tooth / shape.tooth_count + part * half_tooth
            places.append((root if tooth in missing else radius, turn))
    places.append(places[0])
    radii, turns = np.array(places).T
    ring = np.stack([radii * np.cos(turns), radii * np.sin(turns)], -1)
    half = shape.width_m / 2
    lines = [np.column_stack([ring, np.full(len(ring), z)]) for z in (-half, half)]
    if shape.internal:
        lines += [_circle(shape.outer_radius_m, z) for z in (-half, half)]
    elif shape.bore_radius_m:
        lines += [_circle(shape.bore_radius_m, z, 16) for z in (-half, half)]
    # A spoke, so that turning is seen whatever the teeth do.
    return [*lines, np.array([[shape.bore_radius_m, 0.0, half], [root, 0.0, half]])]


def _rack(shape: Rack) -> Lines:
    """Teeth as straight flanks, at both faces."""
    tip, root, missing = shape.module_m, -1.25 * shape.module_m, set(shape.missing_teeth)
    places = []
    for k in range(shape.tooth_count):
        middle = (k - (shape.tooth_count - 1) / 2) * shape.pitch_m
        for part, height in ((-0.35, root), (-0.15, tip), (0.15, tip), (0.35, root)):
            places.append((middle + part * shape.pitch_m, root if k in missing else height))
    back = root - shape.back_m
    ends = (shape.length_m / 2, -shape.length_m / 2)
    ring = np.array([*places, (ends[0], root), (ends[0], back), (ends[1], back), (ends[1], root), places[0]])
    return [np.column_stack([ring, np.full(len(ring), z)]) for z in (-shape.width_m / 2, shape.width_m / 2)]


def _ring(shape: Ring) -> Lines:
    half = shape.height_m / 2
    lines = [_circle(r, z) for r in (shape.inner_radius_m, shape.outer_radius_m) for z in (-half, half)]
    return [*lines, np.array([[shape.inner_radius_m, 0.0, half], [shape.outer_radius_m, 0.0, half]])]


_DRAWERS: dict[str, Any] = {
    "box": lambda s: _box(s.size_m),
    "sphere": lambda s: _sphere((s.radius_m,) * 3),
    "ellipsoid": lambda s: _sphere(s.radii_m),
    "cylinder": lambda s: _cylinder(s.radius_m, s.height_m / 2),
    "cone": lambda s: _revolved([(s.radius_m, -s.height_m / 2), (0, s.height_m / 2)]),
    "capsule": _capsule,
    "convex_hull": _hull,
    "triangle_mesh": _mesh,
    "compound": _compound,
    "vessel": _vessel,
    "tank": _tank,
    "gear": _gear,
    "rack": _rack,
    "ring": _ring,
}  # fmt: skip
