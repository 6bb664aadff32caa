"""What can be wrong with a world of liquids before the first step: each problem with figures and a remedy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.distances import signed_distances, world_distances
from physreel.geometry.extents import bounding_box, support_distances
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.geometry.vessels import inside, tank_compound, vessel_outline
from physreel.simulators.liquid_layout import Standing, fill_volume_m3
from physreel.simulators.liquid_record import driven_poses
from physreel.simulators.preparation import TOUCHING_DEPTH_M
from physreel.spec import Body, Compound, RegionFill, SceneSpec, Shape, Tank, Vessel, VesselFill

Floats = NDArray[np.float64]

LEAST_WIDTH = 4.0
"""Insides of vessels are at least this many spacings wide,"""

LEAST_NECK = 3.0
"""and necks and holes this many."""

LEAST_PARTICLES = 8

Place = tuple[int, int, Standing | None, Floats]
"""Of a fill: the fluid's index, its own, the vessel that holds it, and the sites (n, 3) of its particles."""

_CLOSE = 0.5
"""Particles of two fills nearer to each other than this many spacings overlap."""


def body_problems(spec: SceneSpec) -> list[str]:
    """Meshes, vessels too narrow for the spacing, and bodies that reach into each other."""
    problems = [
        f"bodies.{i}: {body.name!r} is a triangle mesh, which liquids cannot meet; use solids, a vessel or a tank"
        for i, body in enumerate(spec.bodies)
        if body.shape.kind == "triangle_mesh"
    ]
    asked = spec.particle_spacing_m
    assert asked is not None
    for i, body in enumerate(spec.bodies):
        problems += [f"bodies.{i}: {body.name!r}: {line}" for line in _size_problems(body.shape, asked)]
    return problems + _overlaps(spec)


def _size_problems(shape: Shape, spacing: float) -> list[str]:
    if not isinstance(shape, Vessel | Tank):
        return []
    widths: list[tuple[str, float, float]] = []
    if isinstance(shape, Tank):
        widths.append(("the inside is", min(shape.inside_m[:2]), LEAST_WIDTH))
        if shape.hole_m:
            widths.append(("the hole is", shape.hole_m, LEAST_NECK))
    else:
        radii = np.array([r for r, _ in shape.profile_m])
        widths.append(("the inside is", 2 * float(radii.max()), LEAST_WIDTH))
        necks = radii[radii < np.maximum.accumulate(radii)]
        if len(necks):
            widths.append(("the neck is", 2 * float(necks.min()), LEAST_NECK))
        if radii[0] > 0.0:
            widths.append(("the hole is", 2 * float(radii[0]), LEAST_NECK))
    lines = []
    for what, width, least in widths:
        if width < least * spacing * (1 - 1e-9):
            lines.append(
                f"{what} {width * 1e3:.3g} mm wide, and needs {least:g} particle spacings of "
                f"{spacing * 1e3:.3g} mm = {least * spacing * 1e3:.3g} mm; make it so, or set particle_spacing_m to at "
                f"most {np.floor(width / least * 1e6) / 1e6:g}"
            )
    return lines


# --- bodies in bodies -------------------------------------------------------------------------------------------------


def _overlaps(spec: SceneSpec) -> list[str]:
    """Vessels, tanks and driven bodies that reach into what does not move by forces, and dynamic ones into them."""
    poses = driven_poses(spec, 0.0)
    apart = {frozenset(pair) for pair in spec.no_contact}
    problems = []
    for i, a in enumerate(spec.bodies):
        for j in range(i + 1, len(spec.bodies)):
            b = spec.bodies[j]
            matters = any(body.motion != "static" or isinstance(body.shape, Vessel | Tank) for body in (a, b))
            meshes = any(body.shape.kind == "triangle_mesh" for body in (a, b))
            if (
                not matters
                or meshes
                or frozenset((a.name, b.name)) in apart
                or (a.shape.kind == b.shape.kind == "plane")
            ):
                continue
            depth = _depth(a, poses[i], b, poses[j])
            if depth > TOUCHING_DEPTH_M:
                k, mover, still = (i, a, b) if _moves_easier(a, b) else (j, b, a)
                flat = still.shape.kind == "plane"
                problems.append(
                    f"bodies.{k}: {mover.name!r} reaches {depth * 1e3:.1f} mm into {still.name!r}; "
                    f"{'raise' if flat else 'move'} it by at least that"
                )
    return problems


def _moves_easier(a: Body, b: Body) -> bool:
    """Whether it is the first of two bodies that should make way."""
    rank = {"dynamic": 0, "driven": 1, "static": 2}
    order = [
        (rank[body.motion] + 2 * (body.shape.kind == "plane"), not isinstance(body.shape, Vessel | Tank))
        for body in (a, b)
    ]
    return order[0] < order[1]


def _depth(a: Body, pose_a: Floats, b: Body, pose_b: Floats) -> float:
    depth = 0.0
    for one, pose, other, other_pose in ((a, pose_a, b, pose_b), (b, pose_b, a, pose_a)):
        if one.shape.kind == "plane":
            continue
        if other.shape.kind == "plane":
            up = rotate_wxyz(conjugate_wxyz(pose[3:]), rotate_wxyz(other_pose[3:], np.array([0.0, 0.0, 1.0])))
            height = rotate_wxyz(conjugate_wxyz(other_pose[3:]), pose[:3] - other_pose[:3])[2]
            depth = max(depth, float(support_distances(one.shape, -up)[0]) - float(height))
            continue
        points = rotate_wxyz(pose[3:], _surface(one.shape)) + pose[:3]
        depth = max(depth, -float(world_distances(other.shape, other_pose, points).min()))
    return depth


def _surface(shape: Shape) -> Floats:
    """(n, 3) points all over a shape's surface, dense enough to see another body in it."""
    if isinstance(shape, Vessel):
        outline = vessel_outline(shape)
        line = np.concatenate(
            [
                a + (b - a) * np.linspace(0, 1, 16, endpoint=False)[:, None]
                for a, b in zip(outline, np.roll(outline, -1, 0), strict=True)
            ]
        )
        angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        r, z = np.repeat(line, len(angle), 0).T
        turn = np.tile(angle, len(line))
        return np.stack([r * np.cos(turn), r * np.sin(turn), z], 1)
    if isinstance(shape, Tank):
        return _surface(tank_compound(shape))
    if isinstance(shape, Compound):
        return np.concatenate(
            [
                rotate_wxyz(piece.orientation_wxyz, _surface(piece.shape)) + np.asarray(piece.position_m)
                for piece in shape.pieces
            ]
        )
    # Points of the bounding box's faces, brought to the convex surface along the line to its middle.
    low, high = bounding_box(shape)
    middle = 0.5 * (low + high)
    grid = np.linspace(-1.0, 1.0, 25)
    u, v = (g.ravel() for g in np.meshgrid(grid, grid))
    one = np.ones_like(u)
    faces = [np.roll(np.array([sign * one, u, v]), axis, axis=0).T for axis in range(3) for sign in (-1.0, 1.0)]
    outer = np.concatenate(faces) * (high - low) / 2
    inner_t, outer_t = np.zeros(len(outer)), np.full(len(outer), 1.0)
    for _ in range(40):
        t = 0.5 * (inner_t + outer_t)
        within = signed_distances(shape, middle + t[:, None] * outer) < 0.0
        inner_t, outer_t = np.where(within, t, inner_t), np.where(within, outer_t, t)
    return np.asarray(middle + inner_t[:, None] * outer)


# --- fills ------------------------------------------------------------------------------------------------------------


def site_problems(
    spec: SceneSpec,
    standing: list[Standing],
    places: list[Place],
    spacing: float,
) -> list[str]:
    """Fills above a rim, without room, of too few particles, or in each other; particles in bodies."""
    from scipy.spatial import cKDTree

    problems = []
    for i, k, held, sites in places:
        where, fill = f"fluids.{i}.fills.{k}", spec.fluids[i].fills[k]
        if isinstance(fill, VesselFill) and held is not None and (said := _vessel_problem(fill, held, sites, spacing)):
            problems.append(f"{where}: {said}")
            continue
        wanted = fill_volume_m3(fill, held) / spacing**3
        if wanted < LEAST_PARTICLES:
            finer = spacing * (wanted / LEAST_PARTICLES) ** (1 / 3)
            problems.append(
                f"{where}: {wanted:.1f} particles at a spacing of {spacing * 1e3:.3g} mm; at least {LEAST_PARTICLES} "
                f"are needed: use more liquid, or set particle_spacing_m to at most {np.floor(finer * 1e6) / 1e6:g}"
            )
            continue
        if len(sites) < 0.5 * wanted and isinstance(fill, RegionFill):
            problems.append(
                f"{where}: bodies leave room for {len(sites)} of {wanted:.0f} particles; move the region off them"
            )
            continue
        for body, pose in standing:
            if body.shape.kind == "triangle_mesh" or len(sites) == 0:
                continue
            depth = float(world_distances(body.shape, pose, sites).min())
            if depth < 0.0:
                problems.append(
                    f"{where}: liquid starts {-depth * 1e3:.1f} mm inside {body.name!r}; move the body or the liquid"
                )
    trees = [cKDTree(sites) if len(sites) else None for *_, sites in places]
    for a, first in enumerate(trees):
        for b in range(a + 1, len(trees)):
            second = trees[b]
            if first is None or second is None:
                continue
            close = int(first.count_neighbors(second, _CLOSE * spacing))
            if close:
                names = [f"fluids.{i}.fills.{k}" for i, k, *_ in (places[a], places[b])]
                problems.append(
                    f"{names[1]}: it overlaps {names[0]}: {close} pairs of particles in one place; move one of them or "
                    "make it smaller"
                )
    return problems


def _vessel_problem(fill: VesselFill, held: Standing, sites: Floats, spacing: float) -> str:
    """What is wrong with a fill and its vessel, or nothing."""
    shape, pose = held[0].shape, held[1]
    assert isinstance(shape, Vessel | Tank)
    depth = shape.rim_z_m - shape.floor_z_m
    if fill.level_m > depth * (1 + 1e-9):
        return (
            f"level_m {fill.level_m:g} is above the rim of {fill.vessel!r}, which is {depth:g} m above its inside "
            f"floor; use at most {depth:g}"
        )
    local = rotate_wxyz(conjugate_wxyz(pose[3:]), sites - pose[:3])
    # Bodies in the vessel may lift some of it above the rim.
    astray = int((~inside(shape, local[local[:, 2] < shape.rim_z_m])).sum())
    if astray:
        return (
            f"{astray} of {len(sites)} particles would start outside {fill.vessel!r}, which is somewhere too narrow "
            f"for a spacing of {spacing * 1e3:.3g} mm; set a smaller particle_spacing_m"
        )
    return ""
