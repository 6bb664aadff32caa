"""Walls as points for SPlisHSPlasH: even sheets a little behind the surfaces that are seen.

Liquid comes to rest a certain way off the points of a wall. They lie BEHIND of a particle's radius inside the bodies,
so that the outermost particles rest with their skins on the visible wall. Walls thinner than TWO_SIDED radii get one
sheet, put where it is right for the liquid inside.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.distances import distance_gradients, polygon_distances, signed_distances
from physreel.geometry.extents import bounding_box
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.geometry.vessels import vessel_outline
from physreel.simulators.preparation import half_thickness_m
from physreel.spec import Box, Compound, Shape, Tank, Vessel

Floats = NDArray[np.float64]

BEHIND = 0.9
"""Radii from the visible surface to the points."""

APART = 1.4
"""Radii between the points of an even sheet."""

UNEVEN = 1.2
"""Least radii between the points of round bodies, which are strewn over them."""

TWO_SIDED = 3.1
"""Walls at least this many radii thick have a sheet on either side."""


def body_samples(shape: Shape, radius_m: float, within: tuple[Floats, Floats] | None = None) -> Floats:
    """(M, 3) points of a body's walls, in its frame; the same each time.

    Args:
        shape: the body's.
        radius_m: of the liquid's particles.
        within: of boxes, also in compounds, only what lies between these corners (3,) is sampled; None: all.

    Raises:
        ValueError: planes have no end, and meshes no distance in closed form.
    """
    behind, apart = BEHIND * radius_m, APART * radius_m
    match shape:
        case Vessel():
            return _vessel(shape, behind, apart, radius_m)
        case Tank():
            return _tank(shape, behind, apart, radius_m)
        case Box(size_m=size):
            half = np.maximum(np.asarray(size) / 2 - behind, 0.0)
            return _box(half, apart, within or (-half, half))
        case Compound(pieces=pieces):
            parts = []
            for piece in pieces:
                near = None if within is None else corner_box(piece.position_m, piece.orientation_wxyz, *within)
                own = rotate_wxyz(piece.orientation_wxyz, body_samples(piece.shape, radius_m, near))
                parts.append(own + np.asarray(piece.position_m))
            points = np.concatenate(parts)
            # What lies deep inside another piece meets no liquid.
            return np.asarray(points[signed_distances(shape, points) > -1.5 * behind])
        case _:
            return _round(shape, min(behind, 0.6 * half_thickness_m(shape)), UNEVEN * radius_m)


def plane_samples(pose: ArrayLike, low: ArrayLike, high: ArrayLike, radius_m: float) -> Floats:
    """(M, 3) points, in the world, behind a plane at a pose (7,), as far as it lies in the box from low to high."""
    at, low, high = np.asarray(pose, np.float64), np.asarray(low, np.float64), np.asarray(high, np.float64)
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    axes = rotate_wxyz(at[3:], np.eye(3))
    flat = (corners - at[:3]) @ axes[:2].T
    apart = APART * radius_m
    a, b = flat.min(0), flat.max(0)
    uv = a + hexagons(b[0] - a[0], b[1] - a[1], apart)
    points = at[:3] + uv @ axes[:2] - BEHIND * radius_m * axes[2]
    return np.asarray(points[((points > low - 4 * radius_m) & (points < high + 4 * radius_m)).all(axis=1)])


def corner_box(position_m: ArrayLike, wxyz: ArrayLike, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The corners, in a frame at a pose, of the box around the box from low to high (3,)."""
    x, y, z = (np.array([low[k], high[k]]) for k in range(3))
    corners = np.stack(np.meshgrid(x, y, z, indexing="ij"), -1).reshape(-1, 3)
    local = rotate_wxyz(conjugate_wxyz(wxyz), corners - np.asarray(position_m, np.float64))
    return local.min(0), local.max(0)


def hexagons(width_m: float, height_m: float, apart_m: float) -> Floats:
    """(K, 2) points of a hexagonal grid that covers 0…width × 0…height, borders and all."""
    rows = max(1, int(np.ceil(height_m / (apart_m * 0.866) - 1e-9)) + 1) if height_m > 1e-9 else 1
    columns = max(1, int(np.ceil(width_m / apart_m - 1e-9))) if width_m > 1e-9 else 0
    even = np.linspace(0.0, width_m, columns + 1)
    # Odd rows are shifted by half a step, and keep their ends on the border.
    odd = np.concatenate([even[:1], 0.5 * (even[1:] + even[:-1]), even[-1:]]) if columns else even
    heights = np.linspace(0.0, height_m, rows)
    return np.concatenate(
        [np.stack([u, np.full(len(u), v)], 1) for k, v in enumerate(heights) for u in [(even, odd)[k % 2]]]
    )


def _rectangle(origin: ArrayLike, u: ArrayLike, v: ArrayLike, apart: float) -> Floats:
    """Points of the rectangle origin + s u + t v, 0 ≤ s, t ≤ 1."""
    du, dv = np.asarray(u, np.float64), np.asarray(v, np.float64)
    a, b = float(np.linalg.norm(du)), float(np.linalg.norm(dv))
    grid = hexagons(a, b, apart)
    return np.asarray(origin, np.float64) + grid[:, :1] / max(a, 1e-12) * du + grid[:, 1:] / max(b, 1e-12) * dv


def _box(half: Floats, apart: float, within: tuple[Floats, Floats]) -> Floats:
    """Points of all faces of a box, as far as they are between two corners; edges belong to two faces."""
    low, high = np.maximum(-half, within[0]), np.minimum(half, within[1])
    size = high - low
    if (size < 0.0).any():
        return np.zeros((0, 3))
    faces = []
    for axis in range(3):
        u, v = (np.eye(3)[k] * size[k] for k in range(3) if k != axis)
        for face, end in ((-half[axis], low[axis]), (half[axis], high[axis])):
            if face == end:
                origin = low.copy()
                origin[axis] = face
                faces.append(_rectangle(origin, u, v, apart))
    return thinned(np.concatenate(faces), 0.6 * apart) if faces else np.zeros((0, 3))


def _tank(tank: Tank, behind: float, apart: float, radius: float) -> Floats:
    (x, y, z), w = tank.inside_m, tank.wall_m
    two = w >= TWO_SIDED * radius
    top = w + z - behind
    shells = [(x / 2 + behind, y / 2 + behind, w - behind)]
    if two:
        shells.append((x / 2 + w - behind, y / 2 + w - behind, behind))
    parts = []
    half, middle = tank.hole_m / 2 + behind, w + tank.hole_height_m
    for a, b, floor in shells:
        up = np.array([0.0, 0.0, top - floor])
        parts.append(_rectangle([-a, -b, floor], [2 * a, 0, 0], [0, 2 * b, 0], apart))
        for corner, along in (
            ([-a, -b, floor], [2 * a, 0, 0]),
            ([-a, b, floor], [2 * a, 0, 0]),
            ([-a, -b, floor], [0, 2 * b, 0]),
            ([a, -b, floor], [0, 2 * b, 0]),
        ):
            parts.append(_rectangle(corner, along, up, apart))
    if two:
        (a, b, _), (c, d, _) = shells
        for sign in (-1.0, 1.0):
            parts.append(_rectangle([sign * a, -d, top], [sign * (c - a), 0, 0], [0, 2 * d, 0], apart))
            parts.append(_rectangle([-a, sign * b, top], [2 * a, 0, 0], [0, sign * (d - b), 0], apart))
    points = np.concatenate(parts)
    if tank.hole_m:
        bored = (points[:, 0] > 0) & (np.abs(points[:, 1]) < half) & (np.abs(points[:, 2] - middle) < half)
        bored &= points[:, 0] > x / 2
        points = points[~bored]
        # The tunnel, and its edge, which thin walls have alone.
        near, far = shells[0][0], shells[-1][0]
        low, high = middle - half, middle + half
        tunnel = []
        for sign in (-1.0, 1.0):
            tunnel.append(_rectangle([near, sign * half, low], [far - near, 0, 0], [0, 0, high - low], apart))
        tunnel.append(_rectangle([near, -half, high], [far - near, 0, 0], [0, 2 * half, 0], apart))
        tunnel.append(_rectangle([near, -half, low], [far - near, 0, 0], [0, 2 * half, 0], apart))
        points = np.concatenate([points, *tunnel])
    return thinned(points, 0.6 * apart)


def _vessel(vessel: Vessel, behind: float, apart: float, radius: float) -> Floats:
    two = vessel.wall_m >= TWO_SIDED * radius
    # Where the walls or the floor are too thin, the sheet is that of a vessel with thicker ones.
    enough = 1.5 * TWO_SIDED * radius
    lift = max(0.0, enough - vessel.floor_z_m)
    profile = tuple((r, z + lift) for r, z in vessel.profile_m)
    thick = vessel.model_copy(update={"profile_m": profile, "wall_m": vessel.wall_m if two else enough})
    outline = vessel_outline(thick)
    line = _inner_parallel(outline, behind, apart)
    near = 1.2 * behind
    inside = np.asarray(profile)
    bore = [[inside[0, 0], 0.0]] if inside[0, 0] > 0.0 else np.zeros((0, 2))
    rim = [inside[-1] + [vessel.wall_m, 0.0]] if two else np.zeros((0, 2))
    inner = _line_distances(np.vstack([bore, inside, rim]), line) < near
    under = _line_distances(outline[:2], line) < near
    outer = ~inner & ~under & (line[:, 1] - lift > 0.5 * behind)
    line = line[inner | (under & (lift == 0.0)) | (outer & two)]
    rings = []
    for k, (r, z) in enumerate(line):
        count = max(1, int(np.ceil(2 * np.pi * r / apart)))
        angle = 2 * np.pi * (np.arange(count) / count + k * 0.6180339887498949)
        rings.append(np.stack([r * np.cos(angle), r * np.sin(angle), np.full(count, z - lift)], 1))
    return np.concatenate(rings)


def _inner_parallel(polygon: Floats, behind: float, apart: float) -> Floats:
    """(K, 2) points ``apart`` from each other along the line that runs ``behind`` inside a polygon (M, 2)."""
    step = apart / 24
    closed = np.vstack([polygon, polygon[:1]])
    candidates = []
    normals = []
    for a, b in pairwise(closed):
        edge = b - a
        length = float(np.linalg.norm(edge))
        normal = np.array([-edge[1], edge[0]]) / length
        normals.append(normal)
        along = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / step))))[:, None]
        candidates.append(a + along * edge + behind * normal)
    for corner, before, after in zip(polygon, [normals[-1], *normals[:-1]], normals, strict=True):
        turn = np.arctan2(before[0] * after[1] - before[1] * after[0], before @ after)
        angle = np.arctan2(before[1], before[0]) + turn * np.linspace(0.0, 1.0, 16)
        candidates.append(corner + behind * np.stack([np.cos(angle), np.sin(angle)], 1))
    # In order along the outline: an edge, then the corner after it.
    ordered = [
        part for k in range(len(polygon)) for part in (candidates[k], candidates[len(polygon) + (k + 1) % len(polygon)])
    ]
    points = np.concatenate(ordered)
    points = points[(points[:, 0] > -1e-12) & (polygon_distances(polygon, points) < -0.98 * behind)]
    return thinned(points, 0.866 * apart)


def _line_distances(line: Floats, points: Floats) -> Floats:
    """(N,) distance of points (N, 2) from an open line (M, 2)."""
    nearest = np.full(len(points), np.inf)
    for a, b in pairwise(line):
        edge, offset = b - a, points - a
        along = np.clip(offset @ edge / float(edge @ edge), 0.0, 1.0)
        nearest = np.minimum(nearest, np.linalg.norm(offset - along[:, None] * edge, axis=1))
    return nearest


def _round(shape: Shape, behind: float, apart: float) -> Floats:
    """Points strewn over the surface that runs ``behind`` inside a convex shape, none nearer than ``apart``."""
    low, high = bounding_box(shape)
    rng = np.random.default_rng(0)
    points = np.zeros((0, 3))
    size = high - low
    # A few times as many as there is room for around the box.
    count = 64 + int(10 * float(size @ np.roll(size, 1)) / apart**2)
    while True:
        before = len(points)
        new = rng.uniform(low, high, (count, 3))
        for _ in range(4):
            new -= (signed_distances(shape, new) + behind)[:, None] * distance_gradients(shape, new)
        new = new[np.abs(signed_distances(shape, new) + behind) < 0.05 * behind]
        points = thinned(np.concatenate([points, new]), apart)
        if len(points) - before <= 0.01 * len(points):
            return points


def thinned(points: Floats, apart_m: float) -> Floats:
    """Of points (N, D) the first of any that are nearer to each other than ``apart_m``, in their order."""
    from scipy.spatial import cKDTree

    count = len(points)
    pairs = cKDTree(points).query_pairs(apart_m * (1 - 1e-9), output_type="ndarray")
    keep, open_ = np.zeros(count, np.bool_), np.ones(count, np.bool_)
    while open_.any():
        # Those before whom no undecided neighbour stands stay; their neighbours go.
        first = np.full(count, count)
        np.minimum.at(first, pairs[:, 0], pairs[:, 1])
        np.minimum.at(first, pairs[:, 1], pairs[:, 0])
        new = open_ & (np.arange(count) < first)
        keep |= new
        gone = np.zeros(count, np.bool_)
        gone[pairs[new[pairs[:, 0]], 1]] = True
        gone[pairs[new[pairs[:, 1]], 0]] = True
        open_ &= ~new & ~gone
        pairs = pairs[open_[pairs].all(axis=1)]
    return np.asarray(points[keep])
