"""Convex solids that stand for shapes the engines do not know themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hulls import hull_planes
from physreel.geometry.profiles import profile_compound
from physreel.geometry.rotations import wxyz_to_matrix
from physreel.geometry.vessels import hollow_bodies, hollow_compound
from physreel.spec import (
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Gear,
    Rack,
    Ring,
    SceneSpec,
    Shape,
    Sphere,
    Tank,
    TriangleMesh,
    Vec3,
    Vessel,
)

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


def solid_pieces(shape: Shape) -> list[Floats]:
    """A shape as convex pieces, each the face planes (P, 4) of a polyhedron inside it: n·x <= d, in the shape's frame.

    Triangle meshes give their pieces, planes none. Round shapes are a little smaller than themselves.
    """
    match shape:
        case Box(size_m=size):
            half = np.repeat(np.asarray(size) / 2, 2)
            signs = np.tile([1.0, -1.0], 3)
            return [np.column_stack([np.repeat(np.eye(3), 2, axis=0) * signs[:, None], half])]
        case ConvexHull():
            return [hull_planes(shape)]
        case Sphere(radius_m=r):
            return [_cloud_planes(ball_points() * r)]
        case Ellipsoid(radii_m=radii):
            return [_cloud_planes(ball_points() * np.asarray(radii))]
        case Capsule(radius_m=r, length_m=h):
            ends = np.array([[[0.0, 0.0, h / 2]], [[0.0, 0.0, -h / 2]]])
            return [_cloud_planes((ball_points() * r + ends).reshape(-1, 3))]
        case Cylinder(radius_m=r, height_m=h):
            angle = np.arange(16) * (np.pi / 8)
            rim = np.column_stack([r * np.cos(angle), r * np.sin(angle), np.full(16, h / 2)])
            return [_cloud_planes(np.vstack([rim, rim * [1, 1, -1]]))]
        case Cone():
            return [_cloud_planes(cone_points(shape)[:: 4 if CONE_SIDES % 4 == 0 else 1])]
        case Compound(pieces=pieces):
            planes = []
            for piece in pieces:
                turn = wxyz_to_matrix(piece.orientation_wxyz)
                for own in solid_pieces(piece.shape):
                    normal = own[:, :3] @ turn.T
                    planes.append(np.column_stack([normal, own[:, 3] + normal @ np.asarray(piece.position_m)]))
            return planes
        case TriangleMesh():
            return [_cloud_planes(np.asarray(points)) for points in mesh_pieces(shape)]
    return []


def ball_points(count: int = 48) -> Floats:
    """(count, 3) points spread evenly over the unit sphere."""
    # A Fibonacci lattice: even, and the same everywhere.
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    return np.column_stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z])


def _cloud_planes(points: Floats) -> Floats:
    return hull_planes(ConvexHull(points_m=_points(points)))


def with_solid_pieces(spec: SceneSpec) -> SceneSpec:
    """The spec with vessels, tanks, gears, racks and rings as compounds, which is how rigid engines know them."""
    profiled = any(isinstance(body.shape, Gear | Rack | Ring) for body in spec.bodies)
    if not profiled and not hollow_bodies(spec):
        return spec
    return spec.model_copy(update={"bodies": tuple(_with_pieces(body) for body in spec.bodies)})


def _with_pieces(body: Body) -> Body:
    match body.shape:
        case Vessel() | Tank():
            return body.model_copy(update={"shape": hollow_compound(body.shape)})
        case Gear() | Rack() | Ring():
            return body.model_copy(update={"shape": profile_compound(body.shape)})
    return body
