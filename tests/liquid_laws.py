"""Worlds in which liquids have a law to obey, and what both engines make of them."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec

import numpy as np
import pytest

from physreel import registry
from physreel.geometry.rotations import axis_angle_to_wxyz, rotate_wxyz
from physreel.spec import (
    Body,
    Box,
    ConvexHull,
    Fluid,
    Keyframe,
    Plane,
    RegionFill,
    SceneSpec,
    Sphere,
    Tank,
    Vessel,
    VesselFill,
)
from physreel.values import LiquidTrack, Trajectory

G = 9.81
ENGINES = ("dfsph", "splash")
FLOOR = Body(name="floor", shape=Plane(), material="oak", motion="static")


def simulate(name: str, spec: SceneSpec) -> Trajectory:
    """What an engine makes of a spec; once a test run."""
    # Not by importing it: on a machine without OpenGL that ends the process.
    if name == "splash" and find_spec("pysplishsplash") is None:
        pytest.skip("pysplishsplash is not installed")
    return _simulate(name, spec.to_json())


@lru_cache(maxsize=64)
def _simulate(name: str, spec: str) -> Trajectory:
    return registry.load("simulators", name)().simulate(SceneSpec.from_json(spec))


def liquid(trajectory: Trajectory) -> LiquidTrack:
    assert trajectory.liquid is not None
    return trajectory.liquid


def positions(track: LiquidTrack) -> np.ndarray:
    """(T + 1, N, 3), the clip's end last."""
    return np.concatenate([track.position_m, track.position_end_m[None]]).astype(np.float64)


def still(name: str, shape, *, z_m: float = 0.0, **changes) -> Body:
    return Body(name=name, shape=shape, material="glass", motion="static", position_m=(0.0, 0.0, z_m), **changes)


def water(*fills, liquid: str = "water", name: str = "liquid", **changes) -> Fluid:
    return Fluid(name=name, liquid=liquid, fills=fills, **changes)


def world(bodies, fluids, *, spacing_m: float, duration_s: float, fps: int = 60, **changes) -> SceneSpec:
    return SceneSpec(
        scene="liquid_law",
        duration_s=duration_s,
        fps=fps,
        bodies=tuple(bodies),
        fluids=tuple(fluids),
        particle_spacing_m=spacing_m,
        **changes,
    )


def basin(*, spacing_m: float = 0.006, across: int = 10, deep: int = 10, duration_s: float = 1.5, kind: str = "water"):
    """A square basin, so many spacings wide and deep in liquid."""
    width = across * spacing_m
    tank = still("tank", Tank(inside_m=(width, width, 1.5 * deep * spacing_m), wall_m=0.004))
    fill = VesselFill(vessel="tank", level_m=deep * spacing_m)
    return world([FLOOR, tank], [water(fill, liquid=kind)], spacing_m=spacing_m, duration_s=duration_s)


def dam(*, width_m: float = 0.057, across: int = 10, deep: int = 5, kind: str = "water") -> SceneSpec:
    """A column twice as high as wide, let go at one end of a channel."""
    spacing = width_m / across
    length, depth = 4.6 * width_m, deep * spacing
    tank = still("tank", Tank(inside_m=(length, depth, 2.6 * width_m), wall_m=0.004))
    column = RegionFill(
        shape=Box(size_m=(width_m, depth, 2 * width_m)), position_m=(0.5 * (width_m - length), 0.0, 0.004 + width_m)
    )
    return world(
        [FLOOR, tank], [water(column, liquid=kind)], spacing_m=1.0001 * spacing, fps=240,
        duration_s=3.4 / np.sqrt(2 * G / width_m),
    )  # fmt: skip


def tilted_basin(*, length_m: float = 0.2, level_m: float = 0.06, tilt_m: float = 0.012, spacing_m: float = 0.006):
    """Liquid in a long basin whose surface starts aslant by ``tilt_m`` up and down, and then sways."""
    depth = 4 * spacing_m
    tank = still("tank", Tank(inside_m=(length_m, depth, 2 * level_m), wall_m=0.004))
    corners = tuple(
        (x, y, z + 0.004)
        for y in (-depth / 2, depth / 2)
        for x, z in (
            (-length_m / 2, 0.0),
            (length_m / 2, 0.0),
            (length_m / 2, level_m + tilt_m),
            (-length_m / 2, level_m - tilt_m),
        )
    )
    fill = RegionFill(shape=ConvexHull(points_m=corners))
    return world([FLOOR, tank], [water(fill)], spacing_m=spacing_m, duration_s=2.0)


def holed_vessel(*, hole_m: float = 0.015, radius_m: float = 0.05, level_m: float = 0.1, spacing_m: float = 0.006):
    """A cylinder with a round hole in its floor, high over the ground."""
    shape = Vessel(profile_m=((hole_m, 0.003), (radius_m, 0.003), (radius_m, 0.14)), wall_m=0.003)
    fill = VesselFill(vessel="vessel", level_m=level_m)
    return world([FLOOR, still("vessel", shape, z_m=0.3)], [water(fill)], spacing_m=spacing_m, duration_s=0.5)


def joined_chambers(*, spacing_m: float = 0.006) -> SceneSpec:
    """Two chambers joined under a partition; the left one is filled higher."""
    s, wall = spacing_m, 0.004
    width, depth, height = 12 * s + wall, 5 * s, 20 * s
    tank = still("tank", Tank(inside_m=(width, depth, height), wall_m=wall))
    gap = 4 * s
    partition = Body(
        name="partition", shape=Box(size_m=(wall, depth, height - gap)), material="glass", motion="static",
        position_m=(0.0, 0.0, wall + gap + (height - gap) / 2),
    )  # fmt: skip
    fills = [
        RegionFill(
            shape=Box(size_m=(6 * s, depth, level * s)),
            position_m=(side * (3 * s + wall / 2), 0.0, wall + level * s / 2),
        )
        for side, level in ((-1.0, 14), (1.0, 6))
    ]
    return world(
        [FLOOR, tank, partition], [water(*fills)], spacing_m=s, duration_s=3.0, no_contact=(("tank", "partition"),)
    )


def slow_pour(*, spacing_m: float = 0.006, wall_m: float = 0.002, duration_s: float = 4.0, kind: str = "water"):
    """A cup that tips over a pot within three seconds; walls thinner than particles are apart."""
    cup = Vessel(profile_m=((0.0, wall_m), (0.03, wall_m), (0.034, 0.09)), wall_m=wall_m)
    pot = Vessel(profile_m=((0.0, wall_m), (0.05, wall_m), (0.05, 0.12)), wall_m=wall_m)
    keys = []
    for k in range(31):
        turn = axis_angle_to_wxyz((0.0, 1.0, 0.0), np.radians(4.0 * k))
        x, y, z = np.array([-0.02, 0.0, 0.23]) - rotate_wxyz(turn, np.array([0.034, 0.0, 0.09]))
        w, i, j, l = turn.tolist()  # noqa: E741
        keys.append(Keyframe(time_s=0.1 * k, position_m=(x, y, z), orientation_wxyz=(w, i, j, l)))
    tipped = Body(name="cup", shape=cup, material="glass", motion="driven", keyframes=tuple(keys))
    fill = VesselFill(vessel="cup", level_m=0.075)
    return world(
        [FLOOR, still("pot", pot), tipped], [water(fill, liquid=kind)], spacing_m=spacing_m, duration_s=duration_s,
        fps=240,
    )  # fmt: skip


def flying_drop(*, spacing_m: float = 0.006) -> SceneSpec:
    """A drop thrown over nothing."""
    fill = RegionFill(shape=Sphere(radius_m=0.025), position_m=(0.0, 0.0, 1.0))
    return world([FLOOR], [water(fill, velocity_m_s=(0.5, 0.0, 0.3))], spacing_m=spacing_m, duration_s=0.2)


def meeting_drops(*, spacing_m: float = 0.006) -> SceneSpec:
    """Two drops, of water and of honey, that fly into each other without gravity."""
    one = RegionFill(shape=Sphere(radius_m=0.025), position_m=(-0.04, 0.0, 1.0))
    two = RegionFill(shape=Sphere(radius_m=0.02), position_m=(0.03, 0.01, 1.0))
    fluids = [
        water(one, name="one", velocity_m_s=(0.4, 0.0, 0.0)),
        water(two, name="two", liquid="honey", velocity_m_s=(-0.3, 0.0, 0.0)),
    ]
    return world([FLOOR], fluids, spacing_m=spacing_m, duration_s=0.25, gravity_m_s2=(0.0, 0.0, 0.0))


def layers(*, upper: str, lower: str, spacing_m: float = 0.006) -> SceneSpec:
    """Two liquids on each other in a basin, at rest."""
    s, wall = spacing_m, 0.004
    tank = still("tank", Tank(inside_m=(8 * s, 8 * s, 20 * s), wall_m=wall))
    fluids = [
        water(
            RegionFill(shape=Box(size_m=(8 * s, 8 * s, 6 * s)), position_m=(0.0, 0.0, wall + middle * s)),
            name=name,
            liquid=kind,
        )
        for name, kind, middle in (("lower", lower, 3), ("upper", upper, 9))
    ]
    return world([FLOOR, tank], fluids, spacing_m=s, duration_s=2.0)


def turning_cylinder(*, kind: str = "glycerine", spacing_m: float = 0.005, radius_m: float = 0.03) -> SceneSpec:
    """A full cylinder that is set turning at once, at 3 rad/s."""
    keys = []
    for k in range(7):
        w, i, j, l = axis_angle_to_wxyz((0.0, 0.0, 1.0), 0.3 * k).tolist()  # noqa: E741
        keys.append(Keyframe(time_s=0.1 * k, position_m=(0.0, 0.0, 0.0), orientation_wxyz=(w, i, j, l)))
    shape = Vessel(profile_m=((0.0, 0.004), (radius_m, 0.004), (radius_m, 0.11)), wall_m=0.003)
    vessel = Body(name="vessel", shape=shape, material="glass", motion="driven", keyframes=tuple(keys))
    fill = VesselFill(vessel="vessel", level_m=0.08)
    return world([FLOOR, vessel], [water(fill, liquid=kind)], spacing_m=spacing_m, duration_s=0.4, fps=50)


def floating_block(*, ratio: float, spacing_m: float = 0.0133) -> SceneSpec:
    """A box of so many times water's density, put just above the water in a tank."""
    size, wall, level = (0.08, 0.08, 0.06), 0.008, 0.1
    block = Body(
        name="block", shape=Box(size_m=size), material="oak", mass_kg=ratio * 998 * float(np.prod(size)),
        position_m=(0.0, 0.0, wall + level + size[2] / 2 + 0.004),
    )  # fmt: skip
    tank = still("tank", Tank(inside_m=(0.16, 0.16, 0.22), wall_m=wall))
    fill = VesselFill(vessel="tank", level_m=level)
    return world([FLOOR, tank, block], [water(fill)], spacing_m=spacing_m, duration_s=1.5, fps=30, step_s=1 / 480)
