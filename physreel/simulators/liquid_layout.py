"""Where the particles of a fill go at the start: as many as its volume asks for, about a spacing from each other."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.distances import distance_gradients, signed_distances, world_distances
from physreel.geometry.extents import bounding_box
from physreel.geometry.mass import mass_properties
from physreel.geometry.rotations import rotate_wxyz
from physreel.geometry.vessels import capacity_m3, inner_radius_m
from physreel.spec import Body, Box, Fill, RegionFill, Tank, Vessel

Floats = NDArray[np.float64]

_GOLDEN = (5**0.5 - 1) / 2
_SLICES = 512
_LOOK_M, _LOOKS = 0.4e-3, 1000
"""Walls are looked for in steps of this length, and so many of them."""

_FINENESS = 4
"""What bodies take up of a fill is measured by points of this many a spacing along each axis."""

Standing = tuple[Body, Floats]
"""A body and its pose (7,) at the start."""


def fill_volume_m3(fill: Fill, holder: Standing | None) -> float:
    """Volume of a fill, bodies in it not taken off."""
    if isinstance(fill, RegionFill):
        return mass_properties(fill.shape).mass
    assert holder is not None
    assert isinstance(holder[0].shape, Vessel | Tank)
    return capacity_m3(holder[0].shape, fill.level_m)


def fill_edges_m(fill: Fill, holder: Standing | None) -> tuple[float, float, float] | None:
    """Edges of a fill that is a box, else None."""
    if isinstance(fill, RegionFill):
        return fill.shape.size_m if isinstance(fill.shape, Box) else None
    assert holder is not None
    if isinstance(holder[0].shape, Tank):
        return (*holder[0].shape.inside_m[:2], fill.level_m)
    return None


def fill_sites(
    fill: Fill,
    holder: Standing | None,
    others: list[Standing],
    spacing_m: float,
) -> Floats:
    """(n, 3) world positions of a fill's particles, half a spacing off walls.

    Args:
        fill: the fill.
        holder: of a VesselFill, its vessel or tank.
        others: all other bodies.
        spacing_m: the cube root of a particle's volume.
    """
    if isinstance(fill, RegionFill):
        return _region(fill, others, spacing_m)
    assert holder is not None
    body, pose = holder
    assert isinstance(body.shape, Vessel | Tank)
    layers = _tank_layers if isinstance(body.shape, Tank) else _vessel_layers
    volume = capacity_m3(body.shape, fill.level_m)
    wanted = round(volume / spacing_m**3)
    local = layers(body.shape, volume, spacing_m)  # type: ignore[arg-type]
    near = _reached(others, _to_world(local, pose), 0.5 * spacing_m)
    if not near:
        return _to_world(local, pose)
    # What bodies take up is made good on top.
    higher = layers(body.shape, volume + 8 * spacing_m * volume / fill.level_m, spacing_m)  # type: ignore[arg-type]
    fine = layers(body.shape, volume, spacing_m / _FINENESS)  # type: ignore[arg-type]
    free = float((_least_distance(near, _to_world(fine, pose)) > 0.0).mean())
    room = _least_distance(near, _to_world(higher, pose)) >= 0.5 * spacing_m
    higher = higher[room]
    order = np.argsort(np.round(higher[:, 2] / spacing_m, 2) + _scatter(len(higher)) * 1e-3, kind="stable")
    return _to_world(higher[np.sort(order[: round(free * wanted)])], pose)


def lattice_error(edges_m: tuple[float, float, float], spacing_m: float) -> float:
    """By what share a box lattice's particles make up more or less than the box."""
    counts = _counts(edges_m, spacing_m)
    return abs(float(np.prod(counts)) * spacing_m**3 / float(np.prod(edges_m)) - 1.0)


def _counts(edges_m: Iterable[float], spacing_m: float) -> list[int]:
    return [max(1, round(edge / spacing_m)) for edge in edges_m]


def _block(low: Floats, high: Floats, counts: list[int]) -> Floats:
    """(n, 3) middles of the cells of a box divided into counts, the last axis outermost."""
    axes = [a + (b - a) * (np.arange(n) + 0.5) / n for a, b, n in zip(low, high, counts, strict=True)]
    z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return np.stack([x.ravel(), y.ravel(), z.ravel()], 1)


def _box_sites(low: Floats, high: Floats, spacing_m: float) -> Floats:
    """(n, 3) sites of a box, as many as its volume asks for: what a whole lattice has too many is left out on top."""
    wanted = max(1, round(float(np.prod(high - low)) / spacing_m**3))
    nx, ny = _counts((high - low)[:2].tolist(), spacing_m)
    # A layer of a few particles is not worth it.
    nz = max(1, int(np.ceil(wanted / (nx * ny) - 0.02)))
    sites = _block(low, high, [nx, ny, nz])
    surplus = max(0, len(sites) - wanted)
    first = len(sites) - nx * ny
    top = np.argsort(_scatter(nx * ny), kind="stable")[: min(surplus, nx * ny)]
    return np.delete(sites, first + top, axis=0)


def _tank_layers(tank: Tank, volume_m3: float, spacing_m: float) -> Floats:
    x, y, _ = tank.inside_m
    height = volume_m3 / (x * y)
    low = np.array([-x / 2, -y / 2, tank.floor_z_m])
    return _box_sites(low, low + np.array([x, y, height]), spacing_m)


def _vessel_layers(vessel: Vessel, volume_m3: float, spacing_m: float) -> Floats:
    """Rings in layers; both, and how many go on each, follow the volume that they stand for."""
    floor = vessel.floor_z_m
    # Far enough up for what must stand above the rim: that is for the caller to refuse.
    edges = np.linspace(floor, vessel.rim_z_m + 0.5 * (vessel.rim_z_m - floor), _SLICES + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    area = np.pi * inner_radius_m(vessel, middle) ** 2
    below = np.append(0.0, np.cumsum(area * np.diff(edges)))
    top = float(np.interp(volume_m3, below, edges))
    sites: list[Floats] = []
    owed, ring = 0.0, 0
    for low, high in pairwise(_layer_ends(vessel, top, spacing_m)):
        a, b = np.interp((low, high), edges, below)
        radius = float(np.sqrt(max(b - a, 0.0) / (np.pi * (high - low))))
        rings = max(1, round(radius / spacing_m))
        width = radius / rings
        for k in range(rings):
            r = (k + 0.5) * width
            owed += 2 * np.pi * r * width * (high - low) / spacing_m**3
            count = int(owed + 0.5)
            owed -= count
            angle = 2 * np.pi * (np.arange(count) / max(count, 1) + ring * _GOLDEN)
            ring += 1
            # A lone particle of the innermost ring stands on the axis.
            r = r if count > 1 else 0.0
            z = np.full(count, 0.5 * (low + high))
            sites.append(np.stack([r * np.cos(angle), r * np.sin(angle), z], 1))
    return _off_walls(vessel, np.concatenate(sites), 0.5 * spacing_m)


def _layer_ends(vessel: Vessel, top: float, spacing_m: float) -> Floats:
    """Heights between which layers lie, about a spacing apart; ledges part them, for no ring is as wide as both."""
    stops = [vessel.floor_z_m]
    for (_, a), (_, b) in pairwise(vessel.profile_m):
        if a == b and a - stops[-1] >= 0.5 * spacing_m and top - a >= 0.5 * spacing_m:
            stops.append(a)
    ends = [np.linspace(a, b, max(1, round((b - a) / spacing_m)) + 1) for a, b in pairwise([*stops, top])]
    return np.concatenate([ends[0], *(more[1:] for more in ends[1:])])


def _off_walls(vessel: Vessel, sites: Floats, gap_m: float) -> Floats:
    """Sites (n, 3) moved off the wall where it leans so much that a layer's ends are too near to it, or in it."""
    for _ in range(4):
        lack = gap_m - signed_distances(vessel, sites)
        near = np.flatnonzero(lack > 1e-6)
        if len(near) == 0:
            break
        sites[near] += lack[near, None] * distance_gradients(vessel, sites[near])
    return sites


def _region(fill: RegionFill, others: list[Standing], spacing_m: float) -> Floats:
    pose = np.array([*fill.position_m, *fill.orientation_wxyz])
    volume = mass_properties(fill.shape).mass
    low, high = bounding_box(fill.shape)
    if isinstance(fill.shape, Box):
        sites = _to_world(_box_sites(low, high, spacing_m), pose)
        # Rounding must not push off what stands just so far from a wall.
        if not _reached(others, sites, 0.5 * spacing_m - 1e-6):
            return sites
    counts = _counts((high - low).tolist(), spacing_m)
    pitch = (high - low) / counts
    margin = 2
    grown = _block(low - margin * pitch, high + margin * pitch, [n + 2 * margin for n in counts])
    free = 1.0
    near = _reached(others, _to_world(grown, pose), 0.5 * spacing_m)
    if near:
        fine = _block(low, high, [_FINENESS * n for n in counts])
        fine = fine[signed_distances(fill.shape, fine) < 0.0]
        free = float((_least_distance(near, _to_world(fine, pose)) > 0.0).mean()) if len(fine) else 0.0
        grown = grown[_least_distance(near, _to_world(grown, pose)) >= 0.5 * spacing_m - 1e-6]
        grown = grown[_not_behind(fill, near, grown, pose)]
    wanted = round(free * volume / spacing_m**3)
    # Of many sites as far in as each other, which ones are taken must not favour a side.
    rank = np.round(signed_distances(fill.shape, grown) / spacing_m, 3) + 1e-3 * _scatter(len(grown))
    chosen = np.argsort(rank, kind="stable")[:wanted]
    return _to_world(grown[np.sort(chosen)], pose)


def _not_behind(fill: RegionFill, near: list[Standing], sites: Floats, pose: Floats) -> NDArray[np.bool_]:
    """(n,) whether no body stands between sites (n, 3) in the region's frame and the region."""
    middle = mass_properties(fill.shape).center
    clear = np.ones(len(sites), np.bool_)
    on_way = np.flatnonzero(signed_distances(fill.shape, sites) > 0.0)
    place = sites[on_way]
    way = middle - place
    length = np.linalg.norm(way, axis=1, keepdims=True)
    for _ in range(_LOOKS if len(on_way) else 0):
        # Straight to the region's middle, until in the region.
        place = place + np.minimum(_LOOK_M / np.maximum(length, 1e-12), 1.0) * way
        clear[on_way] &= _least_distance(near, _to_world(place, pose)) > -1e-6
        going = clear[on_way] & (signed_distances(fill.shape, place) > 0.0)
        if not going.any():
            break
        on_way, place, way, length = on_way[going], place[going], way[going], length[going]
    return clear


def _reached(others: list[Standing], points: Floats, reach_m: float) -> list[Standing]:
    """The bodies that any of the points is nearer to than ``reach_m``."""
    near = []
    for body, pose in others:
        if body.shape.kind == "triangle_mesh" or len(points) == 0:
            continue
        if float(world_distances(body.shape, pose, points).min()) < reach_m:
            near.append((body, pose))
    return near


def _least_distance(bodies: list[Standing], points: Floats) -> Floats:
    return np.asarray(np.min([world_distances(body.shape, pose, points) for body, pose in bodies], axis=0))


def _scatter(count: int) -> Floats:
    """(count,) numbers in 0..1 without order."""
    return np.asarray(np.mod(np.arange(count) * _GOLDEN, 1.0))


def _to_world(local: Floats, pose: Floats) -> Floats:
    return rotate_wxyz(pose[3:], local) + pose[:3]
