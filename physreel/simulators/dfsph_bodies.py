"""Bodies as the pieces that liquid meets: flat arrays for the kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.extents import bounding_radius_m
from physreel.geometry.hulls import hull_planes
from physreel.geometry.mass import mass_properties
from physreel.geometry.rotations import keyframe_pose, wxyz_to_matrix
from physreel.geometry.vessels import vessel_outline
from physreel.simulators.liquid_record import driven_poses
from physreel.spec import (
    IDENTITY,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Plane,
    SceneSpec,
    Shape,
    Sphere,
    Tank,
    Vessel,
)
from physreel.spec.base import Quat, Vec3

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLANE, BOX, SPHERE, CAPSULE, ELLIPSOID, HULL, TURNED = range(7)
"""Kinds of pieces; TURNED is a polygon turned about its z axis."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """P pieces of all bodies.

    Attributes:
        kind: (P,) see above.
        body: (P,) index into the spec's bodies.
        turn: (P, 3, 3) from the piece's frame to the body's.
        place: (P, 3) likewise.
        size: (P, 3) half edges, radius and half length, radii.
        first, count: (P,) rows of ``rows`` that are the piece's.
        rows: (M, 4) face planes (n, d) of hulls; corners (r, z) of polygons, counter-clockwise.
        middle: (P, 3) middle of the piece's bounding ball, in the body's frame.
        reach: (P,) its radius; infinite for planes.
    """

    kind: Ints
    body: Ints
    turn: Floats
    place: Floats
    size: Floats
    first: Ints
    count: Ints
    rows: Floats
    middle: Floats
    reach: Floats


def pieces_of(spec: SceneSpec) -> Pieces:
    """All bodies of a spec as pieces. Triangle meshes must have been refused before."""
    kind, body, turn, place, size, first, count, middle, reach = ([] for _ in range(9))
    rows: list[Floats] = []
    used = 0
    for i, one in enumerate(spec.bodies):
        for shape, at, way in _split(one.shape):
            code, numbers, table = _numbers(shape)
            matrix = wxyz_to_matrix(way)
            center = _center(shape)
            kind.append(code)
            body.append(i)
            turn.append(matrix)
            place.append(at)
            size.append(numbers)
            first.append(used)
            count.append(len(table))
            rows.append(table)
            used += len(table)
            middle.append(matrix @ center + np.asarray(at))
            reach.append(_reach(shape, center))
    return Pieces(
        kind=np.array(kind, np.int64),
        body=np.array(body, np.int64),
        turn=np.array(turn, np.float64),
        place=np.array(place, np.float64),
        size=np.array(size, np.float64),
        first=np.array(first, np.int64),
        count=np.array(count, np.int64),
        rows=np.concatenate(rows),
        middle=np.array(middle, np.float64),
        reach=np.array(reach, np.float64),
    )


def _split(shape: Shape) -> list[tuple[Shape, Vec3, Quat]]:
    if isinstance(shape, Tank):
        return _tank(shape)
    if isinstance(shape, Compound):
        return [(piece.shape, piece.position_m, piece.orientation_wxyz) for piece in shape.pieces]
    return [(shape, (0.0, 0.0, 0.0), IDENTITY)]


def _tank(tank: Tank) -> list[tuple[Shape, Vec3, Quat]]:
    """A tank's floor and walls, each right through to the outside, so that inner edges are as dense as faces."""
    (x, y, z), w = tank.inside_m, tank.wall_m
    whole = z + w
    parts = [((x + 2 * w, y + 2 * w, w), (0.0, 0.0, w / 2)), ((w, y + 2 * w, whole), (-(x + w) / 2, 0.0, whole / 2))]
    parts += [((x + 2 * w, w, whole), (0.0, sign * (y + w) / 2, whole / 2)) for sign in (-1.0, 1.0)]
    at, hole, middle = (x + w) / 2, tank.hole_m, w + tank.hole_height_m
    if hole:
        side = (y - hole) / 2 + w
        low, high = middle - hole / 2, middle + hole / 2
        parts += [((w, side, hole), (at, sign * (hole + side) / 2, middle)) for sign in (-1.0, 1.0)]
        parts += [
            ((w, y + 2 * w, low), (at, 0.0, low / 2)),
            ((w, y + 2 * w, whole - high), (at, 0.0, (whole + high) / 2)),
        ]
    else:
        parts.append(((w, y + 2 * w, whole), (at, 0.0, whole / 2)))
    return [(Box(size_m=size), place, IDENTITY) for size, place in parts]


def _numbers(shape: Shape) -> tuple[int, tuple[float, float, float], Floats]:
    none = np.zeros((0, 4))
    match shape:
        case Plane():
            return PLANE, (0.0, 0.0, 0.0), none
        case Box(size_m=(a, b, c)):
            return BOX, (a / 2, b / 2, c / 2), none
        case Sphere(radius_m=r):
            return SPHERE, (r, 0.0, 0.0), none
        case Capsule(radius_m=r, length_m=h):
            return CAPSULE, (r, h / 2, 0.0), none
        case Ellipsoid(radii_m=radii):
            return ELLIPSOID, radii, none
        case ConvexHull():
            return HULL, (0.0, 0.0, 0.0), hull_planes(shape)
        case Cylinder(radius_m=r, height_m=h):
            corners = [[0.0, -h / 2], [r, -h / 2], [r, h / 2], [0.0, h / 2]]
        case Cone(radius_m=r, height_m=h):
            corners = [[0.0, -h / 2], [r, -h / 2], [0.0, h / 2]]
        case Vessel():
            corners = vessel_outline(shape).tolist()
        case _:
            raise ValueError(f"liquid cannot meet a {shape.kind}")
    table = np.zeros((len(corners), 4))
    table[:, :2] = corners
    return TURNED, (0.0, 0.0, 0.0), table


def _center(shape: Shape) -> Floats:
    if isinstance(shape, Vessel):
        outline = vessel_outline(shape)
        return np.array([0.0, 0.0, 0.5 * float(outline[:, 1].min() + outline[:, 1].max())])
    if isinstance(shape, Plane):
        return np.zeros(3)
    return mass_properties(shape).center


def _reach(shape: Shape, center: Floats) -> float:
    if isinstance(shape, Vessel):
        return float(np.hypot(*(vessel_outline(shape) - [0.0, center[2]]).T).max())
    return bounding_radius_m(shape)


def world_frames(poses: Floats) -> tuple[Floats, Floats]:
    """Poses (B, 7) as matrices (B, 3, 3) and places (B, 3)."""
    return np.ascontiguousarray(wxyz_to_matrix(poses[:, 3:])), np.ascontiguousarray(poses[:, :3])


def pose_function(spec: SceneSpec) -> Callable[[float], Floats]:
    """Poses (B, 7) at a time, of a world in which nothing but driven bodies moves."""
    still = driven_poses(spec, 0.0)
    driven = [i for i, body in enumerate(spec.bodies) if body.motion == "driven"]

    def poses(time_s: float) -> Floats:
        out = still.copy()
        for i in driven:
            out[i] = keyframe_pose(spec.bodies[i], time_s)
        return out

    return poses
