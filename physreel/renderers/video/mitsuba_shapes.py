"""Every shape of the spec as patches of triangles with smooth normals and flat coordinates for textures.

A patch is a piece of surface that a sheet of paper could cover: a face, the round side of a cylinder, a ball. Its
coordinates (u, v) run from 0 to 1, and ``place`` leads from them back to the surface, so that a texture can be drawn
on the sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hulls import hull_faces, hull_planes
from physreel.geometry.profile_meshes import profile_surface
from physreel.geometry.rotations import rotate_wxyz
from physreel.renderers.video.trace_meshes import smooth_normals
from physreel.renderers.video.trace_packing import outline_rows
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
    Quat,
    Rack,
    Ring,
    Shape,
    Sphere,
    Tank,
    TriangleMesh,
    Vec3,
    Vessel,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Place = Callable[[Floats, Floats], tuple[Floats, Floats]]

# Normals along a curved outline turn by no more from point to point.
_TURN_RAD = np.radians(4.0)
# The last ring of an infinite plane ends here: on the horizon of any picture.
_PLANE_HALF_M = 8000.0


@dataclass(frozen=True, eq=False)
class Patch:
    """One piece of a surface, in the body's frame.

    Attributes:
        vertices: (V, 3) metres.
        normals: (V, 3) outward unit normals.
        uv: (V, 2) from 0 to 1.
        faces: (F, 3) counter-clockwise seen from outside.
        size_m: how long the sheet is along u and v.
        place: (N,) u and (N,) v to points (N, 3) and normals (N, 3).
    """

    vertices: Floats
    normals: Floats
    uv: Floats
    faces: Ints
    size_m: tuple[float, float]
    place: Place


def sides_for(radius_px: float) -> int:
    """Corners of a circle that stands for a round one, off by no more than 0.003 of a pixel to either side.

    At an outline a hundredth of a pixel turns the normal by some degrees.
    """
    return int(np.clip(4 * np.ceil(np.pi / 4 * np.sqrt(max(radius_px, 0.0) / 0.012)), 64, 384))


def _swell(sides: int) -> float:
    """By how much a polygon is larger than the circle it is in, so that it is too large as often as too small."""
    return 1.0 + 0.5 * float(1.0 - np.cos(np.pi / sides))


def patches(shape: Shape, sides: int) -> list[Patch]:
    """A shape's surface.

    Args:
        shape: any shape but a plane, see ``plane_patches``.
        sides: corners of the circles that stand for round ones.

    Raises:
        ValueError: the shape is a plane.
    """
    match shape:
        case Box(size_m=(x, y, z)):
            return _box(np.array([-x, -y, -z]) / 2, np.array([x, y, z]) / 2)
        case Sphere(radius_m=r):
            return [_ball(np.full(3, r), sides)]
        case Ellipsoid(radii_m=radii):
            return [_ball(np.array(radii), sides)]
        case Cylinder(radius_m=r, height_m=h):
            side = _revolved(np.array([[r, -h / 2], [r, h / 2]]), np.array([[1.0, 0.0], [1.0, 0.0]]), sides)
            return [side, _disc(r, -h / 2, -1.0, sides), _disc(r, h / 2, 1.0, sides)]
        case Capsule(radius_m=r, length_m=h):
            angle = np.linspace(-np.pi / 2, 0.0, sides // 4 + 1)
            low = np.column_stack([np.cos(angle), np.sin(angle)])
            normals = np.vstack([low, low[::-1] * [1.0, -1.0]])
            normals[[0, -1], 0] = 0.0
            lift = np.repeat([-h / 2, h / 2], len(low))
            return [_revolved(r * normals + np.column_stack([0 * lift, lift]), normals, sides)]
        case Cone(radius_m=r, height_m=h):
            # Towards its tip a cone bends as sharply as a needle.
            slope, sides = np.array([h, r]) / np.hypot(h, r), 2 * sides
            side = _revolved(np.array([[r, -h / 2], [0.0, h / 2]]), np.stack([slope, slope]), sides)
            return [side, _disc(r, -h / 2, -1.0, sides)]
        case ConvexHull():
            vertices, faces = hull_faces(shape)
            return _flat_groups(vertices, faces, _nearest_plane(vertices[faces].mean(1), hull_planes(shape)))
        case TriangleMesh():
            vertices, faces = np.asarray(shape.vertices_m, np.float64), np.asarray(shape.faces, np.int64)
            return _flat_groups(vertices, faces, _same_plane(vertices, faces))
        case Gear() | Rack() | Ring():
            vertices, faces = profile_surface(shape)
            return _flat_groups(vertices, faces, _same_plane(vertices, faces), smooth_normals(vertices, faces))
        case Vessel():
            return _vessel(shape, sides)
        case Tank():
            return _tank(shape)
        case Compound(pieces=pieces):
            return [
                _moved(patch, piece.position_m, piece.orientation_wxyz)
                for piece in pieces
                for patch in patches(piece.shape, sides)
            ]
        case Plane():
            raise ValueError("a plane has no end; see plane_patches")


def plane_patches(middle: Floats, half_m: float, rings: int) -> list[Patch]:
    """An infinite plane's surface about a point (2,) of it: a square and rings about it, each twice as wide.

    Seen from its middle, each ring is as fine as the one inside it; the last runs to the horizon.
    """
    out = [_ring(middle, 0.0, half_m)]
    for _ in range(rings):
        out.append(_ring(middle, half_m, 2 * half_m))
        half_m *= 2
    if half_m < _PLANE_HALF_M:
        out.append(_ring(middle, half_m, _PLANE_HALF_M))
    return out


def _ring(middle: Floats, inner_m: float, outer_m: float) -> Patch:
    x, y = np.array([-1, 1, 1, -1]), np.array([-1, -1, 1, 1])
    # A hair of overlap: no ray slips through between two rings.
    square = np.stack([np.r_[outer_m * x, 0.999 * inner_m * x], np.r_[outer_m * y, 0.999 * inner_m * y]], 1)
    faces = [[0, 1, 2], [0, 2, 3]]
    if inner_m > 0.0:
        faces = [f for k in range(4) for f in ([k, (k + 1) % 4, 4 + (k + 1) % 4], [k, 4 + (k + 1) % 4, 4 + k])]
    else:
        square = square[:4]
    vertices = np.column_stack([square + middle, np.zeros(len(square))])
    return _flat(vertices, np.array(faces), np.array([0.0, 0.0, 1.0]))


def _flat(vertices: Floats, faces: Ints, normal: Floats) -> Patch:
    """Triangles in one plane; the sheet is the rectangle round them."""
    across = np.cross(normal, [0.0, 1.0, 0.0] if abs(normal[1]) < 0.9 else [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(normal, across)])
    flat = vertices @ axes.T
    low = flat.min(0)
    span = np.maximum(np.ptp(flat, axis=0), 1e-9)
    origin = normal * float(vertices[0] @ normal) + low @ axes

    def place(u: Floats, v: Floats) -> tuple[Floats, Floats]:
        points = origin + (u * span[0])[:, None] * axes[0] + (v * span[1])[:, None] * axes[1]
        return points, np.broadcast_to(normal, points.shape)

    size = (float(span[0]), float(span[1]))
    return Patch(vertices, np.tile(normal, (len(vertices), 1)), (flat - low) / span, faces, size, place)


def _flat_groups(vertices: Floats, faces: Ints, group: Ints, normals: Floats | None = None) -> list[Patch]:
    """A patch for each group of triangles in one plane; ``normals`` (F, 3, 3) at their corners, if not the plane's."""
    out = []
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        mine = faces[members]
        a, b, c = (vertices[mine[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a).sum(0)
        length = float(np.linalg.norm(normal))
        if length > 0.0:
            used, index = np.unique(mine, return_inverse=True)
            patch = _flat(vertices[used], index.reshape(-1, 3), normal / length)
            if normals is not None:
                patch.normals[index.reshape(-1)] = normals[members].reshape(-1, 3)
            out.append(patch)
    return out


def _nearest_plane(points: Floats, planes: Floats) -> Ints:
    return np.asarray(np.argmax(points @ planes[:, :3].T - planes[:, 3], axis=1))


def _same_plane(vertices: Floats, faces: Ints) -> Ints:
    """(F,) number of each triangle's plane."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-300)[:, None]
    size = float(np.ptp(vertices, axis=0).max())
    planes = np.column_stack([normal, np.einsum("fi,fi->f", normal, a) / size])
    return np.asarray(np.unique(np.round(planes, 5), axis=0, return_inverse=True)[1]).reshape(-1)


def _rectangle(corner: Floats, along: Floats, up: Floats) -> Patch:
    """Seen from outside ``along`` leads right and ``up`` up."""
    vertices = np.stack([corner, corner + along, corner + along + up, corner + up])
    normal = np.cross(along, up)
    return _flat(vertices, np.array([[0, 1, 2], [0, 2, 3]]), normal / np.linalg.norm(normal))


def _box(low: Floats, high: Floats, *, inward: bool = False, without: tuple[int, ...] = ()) -> list[Patch]:
    """Faces - x, + x, - y, + y, - z, + z of a box, but for those in ``without``."""
    out = []
    for number in range(6):
        axis, top = number // 2, bool(number % 2)
        a, b = np.zeros(3), np.zeros(3)
        a[(axis + 1) % 3] = (high - low)[(axis + 1) % 3]
        b[(axis + 2) % 3] = (high - low)[(axis + 2) % 3]
        corner = low.copy()
        corner[axis] = high[axis] if top else low[axis]
        if number not in without:
            out.append(_rectangle(corner, a, b) if top != inward else _rectangle(corner, b, a))
    return out


def _tank(tank: Tank) -> list[Patch]:
    """A hollow box as one closed surface: outside, inside, the rim, and the walls of its hole."""
    (x, y, z), w = tank.inside_m, tank.wall_m
    outer = np.array([x / 2 + w, y / 2 + w, w + z])
    inner = np.array([x / 2, y / 2, w + z])
    low, floor = outer * [-1, -1, 0], inner * [-1, -1, 0] + [0, 0, w]
    holed = (1, 5) if tank.hole_m else (5,)
    out = _box(low, outer, without=holed) + _box(floor, inner, inward=True, without=holed)
    for sign in (-1.0, 1.0):
        edge = np.array([2 * outer[0], 0, 0]) * -sign, np.array([0, w * -sign, 0])
        out.append(_rectangle(np.array([outer[0] * sign, outer[1] * sign, w + z]), *edge))
        side = np.array([0, 2 * inner[1], 0]) * sign, np.array([w * -sign, 0, 0])
        out.append(_rectangle(np.array([outer[0] * sign, -inner[1] * sign, w + z]), *side))
    if tank.hole_m:
        half, middle = tank.hole_m / 2, w + tank.hole_height_m
        bottom, top = max(middle - half, w), middle + half
        for at, depth, base, sign in ((outer[0], outer[1], 0.0, 1.0), (inner[0], inner[1], w, -1.0)):
            for y0, y1, z0, z1 in (
                (-depth, depth, base, bottom),
                (-depth, depth, top, w + z),
                (-depth, -half, bottom, top),
                (half, depth, bottom, top),
            ):
                if z1 - z0 > 1e-12 and y1 - y0 > 1e-12:
                    along, up = np.array([0.0, (y1 - y0) * sign, 0.0]), np.array([0.0, 0.0, z1 - z0])
                    out.append(_rectangle(np.array([at, y0 if sign > 0 else y1, z0]), along, up))
        out += _box(np.array([x / 2, -half, bottom]), np.array([outer[0], half, top]), inward=True, without=(0, 1))
    return out


def _grid(points: Floats, normals: Floats, size_m: tuple[float, float]) -> Patch:
    """A sheet from a grid of points (M, N, 3) whose row is v and column u."""
    rows, columns = points.shape[:2]
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, 1:].ravel(), at[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    vertices, flat = points.reshape(-1, 3), normals.reshape(-1, 3)
    p, q, r = (vertices[faces[:, k]] for k in range(3))
    area = np.cross(q - p, r - p)
    length = np.linalg.norm(area, axis=1)
    faces, area = faces[length > 1e-9 * length.max()], area[length > 1e-9 * length.max()]
    inward = np.einsum("fi,fi->f", area, flat[faces].sum(1)) < 0.0
    faces[inward] = faces[inward][:, ::-1]
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")

    def place(u: Floats, v: Floats) -> tuple[Floats, Floats]:
        x, y = u * (columns - 1), v * (rows - 1)
        i, j = np.minimum(x.astype(np.int64), columns - 2), np.minimum(y.astype(np.int64), rows - 2)
        x, y = (x - i)[:, None], (y - j)[:, None]
        mixed = []
        for values in (points, normals):
            low = (1 - x) * values[j, i] + x * values[j, i + 1]
            high = (1 - x) * values[j + 1, i] + x * values[j + 1, i + 1]
            mixed.append((1 - y) * low + y * high)
        return mixed[0], mixed[1] / np.maximum(np.linalg.norm(mixed[1], axis=1), 1e-12)[:, None]

    return Patch(vertices, flat, np.stack([u.ravel(), v.ravel()], 1), faces, size_m, place)


def _revolved(profile: Floats, normals: Floats, sides: int) -> Patch:
    """The surface of revolution of (M, 2) points (r, z) with normals (M, 2)."""
    angle = np.arange(sides + 1) * (2 * np.pi / sides)
    profile = profile * np.array([_swell(sides), 1.0])
    # The seam's two edges are one: the sine of a full turn is not quite zero.
    angle[-1] = 0.0
    angles = np.tile(angle, (len(profile), 1))

    def turned(values: Floats, angles: Floats) -> Floats:
        z = np.broadcast_to(values[:, 1:], angles.shape)
        return np.stack([values[:, :1] * np.cos(angles), values[:, :1] * np.sin(angles), z], -1)

    points = turned(profile, angles)
    # A tip belongs to triangles, each of which has the normal of its middle there.
    tips = profile[:, 0] <= 1e-12
    tips[1:-1] = False
    angles[tips] = (np.arange(sides + 1) + np.where(np.flatnonzero(tips) == 0, 0.5, -0.5)[:, None]) * (
        2 * np.pi / sides
    )
    length = float(np.linalg.norm(np.diff(profile, axis=0), axis=1).sum())
    return _grid(points, turned(normals, angles), (2 * np.pi * float(profile[:, 0].max()), length))


def _disc(radius_m: float, z_m: float, up: float, sides: int) -> Patch:
    angle = np.arange(sides) * (2 * np.pi / sides) * up
    radius_m *= _swell(sides)
    rim = np.column_stack([radius_m * np.cos(angle), radius_m * np.sin(angle), np.full(sides, z_m)])
    k = np.arange(sides - 2)
    return _flat(rim, np.stack([0 * k, k + 1, k + 2], 1), np.array([0.0, 0.0, up]))


def _ball(radii_m: Floats, sides: int) -> Patch:
    angle = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    meridian = np.column_stack([np.cos(angle), np.sin(angle)])
    meridian[[0, -1], 0] = 0.0
    unit = _revolved(meridian * np.array([1.0, _swell(sides)]) * _swell(sides), meridian, sides)
    grid = unit.vertices.reshape(len(angle), sides + 1, 3)
    normals = unit.normals.reshape(grid.shape) / radii_m
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    return _grid(grid * radii_m, normals, (2 * np.pi * float(radii_m[:2].max()), np.pi * float(radii_m.max())))


def _vessel(vessel: Vessel, sides: int) -> list[Patch]:
    """The outline revolved, with the ray tracer's normals: in parts that meet at creases."""
    rows = outline_rows(vessel).reshape(-1, 8)
    out = []
    for part in np.unique(rows[:, 6]):
        points, normals = [], []
        for r0, z0, r1, z1, first, last, *_ in rows[rows[:, 6] == part]:
            steps = 1 + int(np.ceil(abs(last - first) / _TURN_RAD))
            along = np.linspace(0.0, 1.0, steps + 1)[:, None]
            angle = first + along[:, 0] * (last - first)
            points.append(np.array([r0, z0]) + along * np.array([r1 - r0, z1 - z0]))
            normals.append(np.column_stack([np.cos(angle), np.sin(angle)]))
        out.append(_revolved(np.concatenate(points), np.concatenate(normals), sides))
    return out


def _moved(patch: Patch, position_m: Vec3, orientation_wxyz: Quat) -> Patch:
    def move(points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        return rotate_wxyz(orientation_wxyz, points) + np.asarray(position_m), rotate_wxyz(orientation_wxyz, normals)

    def place(u: Floats, v: Floats) -> tuple[Floats, Floats]:
        return move(*patch.place(u, v))

    return Patch(*move(patch.vertices, patch.normals), patch.uv, patch.faces, patch.size_m, place)
