"""Vessels and tanks: outline, triangles, box pieces, what is inside them and how much they hold."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.spec import Body, Box, Compound, ConvexHull, Cylinder, Piece, SceneSpec, Tank, TriangleMesh, Vessel

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Hollow = Vessel | Tank

SIDES = 96
"""Corners of the circle that stands for a vessel's round wall where it is made of triangles."""

STAVES, STAVE_ERROR_M = 24, 2e-4
"""Pieces around a vessel where it is made of convex ones, and how far they may be off its profile."""


def hollow_bodies(spec: SceneSpec) -> list[int]:
    """Indices of the bodies that can hold liquid: vessels and tanks."""
    return [i for i, body in enumerate(spec.bodies) if isinstance(body.shape, (Vessel, Tank))]


def inner_radius_m(vessel: Vessel, z_m: ArrayLike) -> Floats:
    """Radius of the inside at heights z (N,) above the underside; that of the ends beyond them, at ledges the wider."""
    r, z = _walls(vessel)
    return np.interp(np.asarray(z_m, np.float64), z, r)


def vessel_outline(vessel: Vessel) -> Floats:
    """(M, 2) closed polygon (r, z) of the wall's cross-section, counter-clockwise in the (r, z) half-plane.

    It runs along the underside outwards, up the outside, over the rim and down the inside to the middle. The outside is
    the inside moved outwards by the wall's thickness, along the mean normal at corners, never below the underside.
    """
    inside = np.asarray(vessel.profile_m, np.float64)
    # Only the wall's own outside: the floor's is the underside.
    outside = _outside(vessel)[_first_rise(vessel) :]
    outside = outside[outside[:, 1] > 1e-9]
    foot = [max(float(outside[0, 0]), float(inside[0, 0]) + 1e-6), 0.0]
    polygon = [[inside[0, 0], 0.0], foot, *outside, *inside[::-1]]
    return np.asarray(polygon, np.float64)


def _outside(vessel: Vessel) -> Floats:
    """(n, 2) the profile's points moved outwards by the wall's thickness."""
    inside = np.asarray(vessel.profile_m, np.float64)
    step = np.diff(inside, axis=0)
    normal = np.column_stack([step[:, 1], -step[:, 0]]) / np.linalg.norm(step, axis=1)[:, None]
    mean = np.vstack([normal[:1], normal[:-1] + normal[1:], normal[-1:]])
    mean /= np.linalg.norm(mean, axis=1)[:, None]
    along = np.vstack([normal, normal[-1:]])
    stretch = vessel.wall_m / np.maximum(np.einsum("ni,ni->n", mean, along), 0.5)
    outside = inside + mean * stretch[:, None]
    outside[-1] = inside[-1] + [vessel.wall_m, 0.0]
    outside[:, 1] = np.minimum(outside[:, 1], inside[-1, 1])
    return np.asarray(outside)


def _first_rise(vessel: Vessel) -> int:
    """Index of the profile's point at which the wall begins: the outer end of the flat floor."""
    z = np.asarray(vessel.profile_m, np.float64)[:, 1]
    return int(np.flatnonzero(np.diff(z) > 0.0)[0])


@lru_cache(maxsize=64)
def hollow_compound(shape: Hollow) -> Compound:
    """A vessel or tank as convex pieces, for engines that know no hollow shapes; a vessel's wall becomes staves."""
    if isinstance(shape, Tank):
        return tank_compound(shape)
    line = _simplified(np.asarray(shape.profile_m, np.float64), min(STAVE_ERROR_M, shape.wall_m / 10))
    vessel = shape.model_copy(update={"profile_m": tuple((float(r), float(z)) for r, z in line)})
    inside, outside, first = np.asarray(vessel.profile_m, np.float64), _outside(vessel), _first_rise(vessel)
    outside[:, 1] = np.maximum(outside[:, 1], 0.0)
    sections = [np.stack([inside[k], inside[k + 1], outside[k + 1], outside[k]]) for k in range(first, len(inside) - 1)]
    foot = float(vessel_outline(vessel)[1, 0])
    pieces = []
    if inside[0, 0] > 0.0:
        sections.append(np.array([[inside[0, 0], 0.0], inside[0], [foot, vessel.floor_z_m], [foot, 0.0]]))
    else:
        floor = Cylinder(radius_m=foot, height_m=vessel.floor_z_m)
        pieces.append(Piece(shape=floor, position_m=(0.0, 0.0, vessel.floor_z_m / 2)))
    angle = np.arange(STAVES + 1) * (2 * np.pi / STAVES)
    # Flat sides touch the round wall inside as well as outside, and do not reach into what is no wall; but for walls so
    # thin that nothing would be left of them.
    swell = min(1.0 / np.cos(np.pi / STAVES), 1.0 + 0.5 * vessel.wall_m / float(inside[:, 0].max()))
    for section in sections:
        radii = section[:, 0] * [swell, swell, 1.0, 1.0]
        for a, b in pairwise(angle):
            rim = [
                np.stack([r * np.cos((a, b)), r * np.sin((a, b)), (z, z)], 1)
                for r, z in zip(radii, section[:, 1], strict=True)
            ]
            points = np.concatenate(rim)
            hull = ConvexHull(points_m=tuple((float(x), float(y), float(z)) for x, y, z in points))
            pieces.append(Piece(shape=hull))
    # Not checked: of a profile with many points these are more pieces than a spec may ask for.
    return Compound.model_construct(pieces=tuple(pieces))


def _simplified(line: Floats, within_m: float) -> Floats:
    """Ends of a line (n, 2), and those of its points from which it would else be farther than ``within_m``."""
    a, along = line[0], line[-1] - line[0]
    share = np.clip((line - a) @ along / float(along @ along), 0.0, 1.0)
    away = np.linalg.norm(line - a - share[:, None] * along, axis=1)
    k = int(np.argmax(away))
    if away[k] <= within_m:
        return line[[0, -1]]
    return np.concatenate([_simplified(line[: k + 1], within_m), _simplified(line[k:], within_m)[1:]])


@lru_cache(maxsize=64)
def vessel_mesh(vessel: Vessel, sides: int = SIDES) -> TriangleMesh:
    """The vessel's closed surface as triangles; a polygon of ``sides`` corners that has the circle's area."""
    outline = vessel_outline(vessel)
    swell = np.sqrt(2 * np.pi / (sides * np.sin(2 * np.pi / sides)))
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1) * swell
    vertices: list[Floats] = []
    rings: list[NDArray[np.int64]] = []
    count = 0
    for r, z in outline:
        on_axis = r <= 1e-12
        ring = np.column_stack([circle * r, np.full(sides, z)]) if not on_axis else np.array([[0.0, 0.0, z]])
        rings.append(np.full(sides, count) if on_axis else count + np.arange(sides))
        vertices.append(ring)
        count += len(ring)
    faces: list[NDArray[np.int64]] = []
    for a, b in zip(rings, [*rings[1:], rings[0]], strict=True):
        here, there = np.arange(sides), (np.arange(sides) + 1) % sides
        faces.append(np.stack([a[here], a[there], b[there]], 1))
        faces.append(np.stack([a[here], b[there], b[here]], 1))
    triangles = np.concatenate(faces)
    distinct = (
        (triangles[:, 0] != triangles[:, 1])
        & (triangles[:, 1] != triangles[:, 2])
        & (triangles[:, 2] != triangles[:, 0])
    )
    points = np.concatenate(vertices)
    return TriangleMesh(
        vertices_m=tuple((float(x), float(y), float(z)) for x, y, z in points),
        faces=tuple((int(i), int(j), int(k)) for i, j, k in triangles[distinct]),
    )


@lru_cache(maxsize=64)
def tank_compound(tank: Tank) -> Compound:
    """The tank as boxes: floor and four walls, the one at + x in up to four parts around its hole."""
    (x, y, z), w = tank.inside_m, tank.wall_m
    boxes = [
        ((x + 2 * w, y + 2 * w, w), (0.0, 0.0, w / 2)),
        ((w, y + 2 * w, z), (-(x + w) / 2, 0.0, w + z / 2)),
        ((x, w, z), (0.0, -(y + w) / 2, w + z / 2)),
        ((x, w, z), (0.0, (y + w) / 2, w + z / 2)),
    ]
    at = (x + w) / 2
    if tank.hole_m:
        low, high, half = tank.hole_height_m - tank.hole_m / 2, tank.hole_height_m + tank.hole_m / 2, tank.hole_m / 2
        side = y / 2 + w - half
        boxes += [
            ((w, side, tank.hole_m), (at, sign * (half + side / 2), w + tank.hole_height_m)) for sign in (-1.0, 1.0)
        ]
        if low > 1e-9:
            boxes.append(((w, y + 2 * w, low), (at, 0.0, w + low / 2)))
        boxes.append(((w, y + 2 * w, z - high), (at, 0.0, w + (high + z) / 2)))
    else:
        boxes.append(((w, y + 2 * w, z), (at, 0.0, w + z / 2)))
    return Compound(pieces=tuple(Piece(shape=Box(size_m=size), position_m=place) for size, place in boxes))


def inside(shape: Hollow, points_m: ArrayLike) -> Bools:
    """(N,) whether points (N, 3) in the shape's frame are in its hollow: above its floor, below its rim."""
    p = np.asarray(points_m, np.float64)
    between = (p[:, 2] > shape.floor_z_m - 1e-9) & (p[:, 2] < shape.rim_z_m)
    if isinstance(shape, Tank):
        x, y, _ = shape.inside_m
        return np.asarray(between & (np.abs(p[:, 0]) < x / 2) & (np.abs(p[:, 1]) < y / 2))
    return np.asarray(between & (np.hypot(p[:, 0], p[:, 1]) < inner_radius_m(shape, p[:, 2])))


def world_inside(body: Body, pose: ArrayLike, points_m: ArrayLike) -> Bools:
    """(N,) whether world points (N, 3) are in the hollow of a vessel or tank at a pose (7,)."""
    if not isinstance(body.shape, (Vessel, Tank)):
        raise ValueError(f"{body.name!r} is a {body.shape.kind}, which holds nothing")
    at = np.asarray(pose, np.float64)
    return inside(body.shape, rotate_wxyz(conjugate_wxyz(at[3:]), np.asarray(points_m, np.float64) - at[:3]))


def capacity_m3(shape: Hollow, level_m: float | None = None) -> float:
    """Volume of the hollow up to ``level_m`` above the inside floor (None: to the rim), upright."""
    top = shape.rim_z_m if level_m is None else min(shape.floor_z_m + level_m, shape.rim_z_m)
    if isinstance(shape, Tank):
        return shape.inside_m[0] * shape.inside_m[1] * (top - shape.floor_z_m)
    r, z = _walls(shape)
    # At a ledge the level is the ledge's underside: the narrower of the two radii.
    above = max(1, int(np.searchsorted(z, top)))
    heights = np.append(z[z < top], top)
    radii = np.append(r[z < top], np.interp(top, z[above - 1 : above + 1], r[above - 1 : above + 1]))
    # Frustums.
    return float(np.sum(np.pi / 3 * np.diff(heights) * (radii[:-1] ** 2 + radii[:-1] * radii[1:] + radii[1:] ** 2)))


def level_for_volume_m(shape: Hollow, volume_m3: float) -> float:
    """Height above the inside floor at which an upright vessel holds that volume; its full depth if it cannot."""
    depth = shape.rim_z_m - shape.floor_z_m
    if volume_m3 >= capacity_m3(shape):
        return depth
    low, high = 0.0, depth
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if capacity_m3(shape, middle) < volume_m3 else (low, middle)
    return 0.5 * (low + high)


def _walls(vessel: Vessel) -> tuple[Floats, Floats]:
    """(r, z) of the inside from the outer end of its floor to the rim; at ledges two points have one height."""
    r, z = np.asarray(vessel.profile_m, np.float64)[_first_rise(vessel) :].T
    return r, z
