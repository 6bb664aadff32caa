"""The walls of SPlisHSPlasH: points that are close enough together, and in the right places."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from physreel.geometry.distances import signed_distances, world_distances
from physreel.geometry.extents import support_distances
from physreel.geometry.rotations import axis_angle_to_wxyz
from physreel.geometry.vessels import inner_radius_m, world_inside
from physreel.simulators import splash_walls
from physreel.spec import (
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    Cylinder,
    Ellipsoid,
    Piece,
    Plane,
    Sphere,
    Tank,
    Vessel,
)

GLASS = Vessel(profile_m=((0.0, 0.006), (0.025, 0.006), (0.027, 0.07)), wall_m=0.003)

SOLIDS = {
    "box": Box(size_m=(0.06, 0.05, 0.04)),
    "plate": Box(size_m=(0.06, 0.05, 0.003)),
    "sphere": Sphere(radius_m=0.02),
    "cylinder": Cylinder(radius_m=0.02, height_m=0.05),
    "cone": Cone(radius_m=0.03, height_m=0.06),
    "capsule": Capsule(radius_m=0.02, length_m=0.04),
    "ellipsoid": Ellipsoid(radii_m=(0.02, 0.03, 0.025)),
    "glass": GLASS,
    "bottle": Vessel(profile_m=((0.0, 0.004), (0.03, 0.004), (0.03, 0.1), (0.012, 0.13), (0.012, 0.16)), wall_m=0.003),
    "funnel": Vessel(profile_m=((0.015, 0.005), (0.015, 0.007), (0.06, 0.08)), wall_m=0.004),
    "bowl": Vessel(profile_m=((0.0, 0.004), (0.03, 0.005), (0.06, 0.02), (0.08, 0.06)), wall_m=0.005),
    "bored": Vessel(profile_m=((0.01, 0.012), (0.04, 0.012), (0.04, 0.08)), wall_m=0.01),
    "tank": Tank(inside_m=(0.1, 0.06, 0.06), wall_m=0.004),
    "draining tank": Tank(inside_m=(0.1, 0.06, 0.06), wall_m=0.01, hole_m=0.02, hole_height_m=0.015),
    "two boxes": Compound(
        pieces=(
            Piece(shape=Box(size_m=(0.04, 0.04, 0.04))),
            Piece(shape=Box(size_m=(0.04, 0.04, 0.04)), position_m=(0.04, 0.0, 0.0)),
        )
    ),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_no_surface_is_farther_from_the_points_of_its_wall_than_keeps_liquid_out(name):
    """Particles keep 1.8 radii off the points, so there is no way through between points of an even sheet."""
    shape, radius = SOLIDS[name], 0.003
    points = splash_walls.body_samples(shape, radius)
    rng = np.random.default_rng(0)
    low, high = (sign * support_distances(shape, sign * np.eye(3)) for sign in (-1, 1))
    everywhere = rng.uniform(low, high, (200_000, 3))
    surface = everywhere[np.abs(signed_distances(shape, everywhere)) < 0.2 * radius]
    if isinstance(shape, Vessel | Tank):
        # Of hollow bodies the inside counts; its sheet serves thin walls on both sides.
        surface = surface[world_wet(shape, surface)]
    assert len(surface) > 300
    nearest = cKDTree(points).query(surface)[0]
    # Farthest behind edges and rims.
    assert nearest.max() < 2.4 * radius
    assert np.percentile(nearest, 99) < 2.0 * radius
    assert np.array_equal(points, splash_walls.body_samples(shape, radius))


def world_wet(shape: Vessel | Tank, points: np.ndarray) -> np.ndarray:
    """Which points of a hollow body's surface are of its inside: a step towards the middle is in the hollow."""
    middle = np.array([0.0, 0.0, 0.5 * (shape.floor_z_m + shape.rim_z_m)])
    body = Body(name="hollow", shape=shape, material="glass", motion="static")
    return world_inside(body, [0, 0, 0, 1, 0, 0, 0], points + 0.02 * (middle - points))


def test_the_sheets_of_thin_walls_are_single_and_right_for_the_inside():
    points = splash_walls.body_samples(GLASS, 0.003)
    behind = np.hypot(points[:, 0], points[:, 1]) - inner_radius_m(GLASS, points[:, 2])
    side = points[:, 2] > 0.02
    np.testing.assert_allclose(behind[side], 0.9 * 0.003, atol=2e-4)
    thick = splash_walls.body_samples(GLASS.model_copy(update={"wall_m": 0.012}), 0.003)
    assert len(thick) > 1.8 * len(points)


def test_planes_are_covered_as_far_as_liquid_is_followed():
    turn = axis_angle_to_wxyz((0.0, 1.0, 0.0), 0.3)
    low, high = np.array([-0.2, -0.1, -0.1]), np.array([0.2, 0.1, 0.3])
    points = splash_walls.plane_samples([0, 0, 0.05, *turn], low, high, 0.002)
    plane = Body(name="slope", shape=Plane(), material="oak", motion="static")
    rng = np.random.default_rng(0)
    inside = rng.uniform(low, high, (200_000, 3))
    on = inside[np.abs(world_distances(plane.shape, [0, 0, 0.05, *turn], inside)) < 2e-4]
    assert len(on) > 100
    assert cKDTree(points).query(on)[0].max() < 2.0 * 0.002
    np.testing.assert_allclose(world_distances(plane.shape, [0, 0, 0.05, *turn], points), -0.0018, atol=1e-9)


def test_large_boxes_are_sampled_where_liquid_can_come_only():
    table = Box(size_m=(2.0, 2.0, 0.04))
    near = (np.array([-0.1, -0.1, -0.1]), np.array([0.1, 0.1, 0.1]))
    points = splash_walls.body_samples(table, 0.003, near)
    assert np.abs(points).max() <= 0.1
    assert set(np.round(np.abs(points[:, 2]), 6)) == {0.0173}
