"""Vessels, tanks and distances: closed surfaces, volumes in closed form, and what is inside."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.spatial import cKDTree

from physreel.geometry.distances import distance_gradients, polygon_distances, signed_distances
from physreel.geometry.extents import bounding_radius_m, support_distances
from physreel.geometry.vessels import (
    capacity_m3,
    hollow_compound,
    inner_radius_m,
    inside,
    level_for_volume_m,
    tank_compound,
    vessel_mesh,
    vessel_outline,
)
from physreel.simulators.mujoco import MujocoSimulator
from physreel.spec import (
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Piece,
    Plane,
    SceneSpec,
    Sphere,
    Tank,
    TriangleMesh,
    Vessel,
)

GLASS = Vessel(profile_m=((0.0, 0.006), (0.03, 0.006), (0.04, 0.12)), wall_m=0.003)
BOWL = Vessel(profile_m=((0.0, 0.008), (0.02, 0.010), (0.04, 0.018), (0.06, 0.034), (0.07, 0.06)), wall_m=0.004)
BOTTLE = Vessel(
    profile_m=((0.0, 0.006), (0.035, 0.006), (0.035, 0.14), (0.012, 0.18), (0.012, 0.22)), wall_m=0.003
)  # fmt: skip
DRAIN = Vessel(profile_m=((0.008, 0.006), (0.035, 0.006), (0.035, 0.14)), wall_m=0.003)
TANK = Tank(inside_m=(0.2, 0.1, 0.15), wall_m=0.005)
HOLED = Tank(inside_m=(0.2, 0.1, 0.15), wall_m=0.005, hole_m=0.02, hole_height_m=0.03)
STEPPED = Vessel(profile_m=((0.0, 0.01), (0.02, 0.01), (0.02, 0.06), (0.04, 0.06), (0.04, 0.11)), wall_m=0.004)
VESSELS = {"glass": GLASS, "bowl": BOWL, "bottle": BOTTLE, "drain": DRAIN, "stepped": STEPPED}
SOLIDS = {
    "box": Box(size_m=(0.1, 0.2, 0.3)),
    "sphere": Sphere(radius_m=0.1),
    "cylinder": Cylinder(radius_m=0.1, height_m=0.3),
    "capsule": Capsule(radius_m=0.05, length_m=0.2),
    "cone": Cone(radius_m=0.1, height_m=0.2),
    "compound": Compound(pieces=(Piece(shape=Sphere(radius_m=0.06), position_m=(0.2, 0.0, 0.0)),)),
    "tank": TANK,
    **VESSELS,
}


def as_trimesh(mesh: TriangleMesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(np.array(mesh.vertices_m), np.array(mesh.faces), process=False)


@pytest.mark.parametrize("name", VESSELS)
def test_a_vessels_surface_is_closed_and_holds_the_wall(name):
    vessel = VESSELS[name]
    solid = as_trimesh(vessel_mesh(vessel))
    assert solid.is_watertight
    assert solid.is_winding_consistent
    outline = vessel_outline(vessel)
    r, z = outline.T
    area = r * np.roll(z, -1) - np.roll(r, -1) * z
    pappus = np.pi / 3 * float(((r + np.roll(r, -1)) * area).sum())
    assert solid.volume == pytest.approx(pappus, rel=2e-3)
    assert solid.volume > 0


@pytest.mark.parametrize("name", VESSELS)
def test_distances_of_vessels_are_those_of_their_meshes(name):
    vessel = VESSELS[name]
    rng = np.random.default_rng(3)
    solid = as_trimesh(vessel_mesh(vessel, 256))
    points = rng.uniform(solid.bounds[0] - 0.02, solid.bounds[1] + 0.02, (400, 3))
    outline = vessel_outline(vessel)
    ends = np.roll(outline, -1, axis=0)
    off_axis = (outline[:, 0] > 0) | (ends[:, 0] > 0)
    share = np.linspace(0.0, 1.0, 4001)[:, None, None]
    dense = (outline + share * (ends - outline))[:, off_axis].reshape(-1, 2)
    away, _ = cKDTree(dense).query(np.column_stack([np.hypot(points[:, 0], points[:, 1]), points[:, 2]]))
    got = signed_distances(vessel, points)
    assert np.abs(np.abs(got) - away).max() < 2e-5
    deep = away > 1e-4
    assert ((got < 0) == solid.contains(points))[deep].all()


@pytest.mark.parametrize("name", SOLIDS)
def test_distance_is_zero_on_the_surface_and_grows_with_unit_slope(name):
    shape = SOLIDS[name]
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.3, 0.3, (500, 3))
    far = signed_distances(shape, points)
    outside = far > 0.01
    ways = distance_gradients(shape, points)
    assert np.abs(np.linalg.norm(ways[outside], axis=1) - 1.0).max() < 1e-9
    # Walking back along the gradient by the distance leads to the surface.
    foot = points[outside] - far[outside, None] * ways[outside]
    assert np.abs(signed_distances(shape, foot)).max() < 2e-4


def test_distances_that_are_bounds_are_bounds():
    points = np.random.default_rng(2).uniform(-0.4, 0.4, (500, 3))
    cube = [(x, y, z) for x in (-0.1, 0.1) for y in (-0.1, 0.1) for z in (-0.1, 0.1)]
    hull, box = ConvexHull(points_m=tuple(cube)), Box(size_m=(0.2, 0.2, 0.2))
    assert (signed_distances(hull, points) <= signed_distances(box, points) + 1e-12).all()
    ellipsoid = Ellipsoid(radii_m=(0.1, 0.1, 0.1))
    np.testing.assert_allclose(signed_distances(ellipsoid, points), signed_distances(Sphere(radius_m=0.1), points))
    np.testing.assert_allclose(signed_distances(Plane(), points), points[:, 2])
    with pytest.raises(ValueError, match="triangle mesh has no distance"):
        signed_distances(vessel_mesh(GLASS), points)


def test_a_polygons_axis_is_no_surface():
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(polygon_distances(square, [[0.1, 0.5], [1.2, 0.5], [0.0, 0.5]]), [-0.5, 0.2, -0.5])


def test_capacity_is_that_of_frustums_and_boxes():
    depth, (r0, r1) = 0.114, (0.03, 0.04)
    assert capacity_m3(GLASS) == pytest.approx(np.pi * depth / 3 * (r0**2 + r0 * r1 + r1**2))
    assert capacity_m3(TANK, 0.05) == pytest.approx(0.2 * 0.1 * 0.05)
    assert capacity_m3(TANK, 9.0) == capacity_m3(TANK)


def test_a_ledge_makes_two_cylinders():
    narrow, wide = np.pi * 0.02**2 * 0.05, np.pi * 0.04**2 * 0.05
    for level, want in ((0.02, 0.4 * narrow), (0.05, narrow), (0.06, narrow + 0.2 * wide), (None, narrow + wide)):
        assert capacity_m3(STEPPED, level) == pytest.approx(want)
    np.testing.assert_allclose(inner_radius_m(STEPPED, [0.0, 0.035, 0.0599, 0.06, 0.2]), [0.02] * 3 + [0.04] * 2)


@given(st.sampled_from(sorted(VESSELS)), st.floats(0.02, 0.98))
@settings(max_examples=40, deadline=None)
def test_level_and_volume_are_inverse(name, share):
    vessel = VESSELS[name]
    volume = share * capacity_m3(vessel)
    assert capacity_m3(vessel, level_for_volume_m(vessel, volume)) == pytest.approx(volume, rel=1e-9)


@pytest.mark.parametrize("shape", [*VESSELS.values(), TANK], ids=[*VESSELS, "tank"])
def test_what_is_inside_fills_the_capacity_and_is_no_wall(shape):
    rng = np.random.default_rng(0)
    low, high = np.array([-0.11, -0.11, 0.0]), np.array([0.11, 0.11, 0.23])
    points = rng.uniform(low, high, (200_000, 3))
    within = inside(shape, points)
    volume = within.mean() * np.prod(high - low)
    assert volume == pytest.approx(capacity_m3(shape), rel=0.03)
    assert (signed_distances(shape, points[within]) > -1e-9).all()


def test_a_hole_opens_the_tank_and_nothing_else():
    x = 0.1 + 0.0025
    places = [(x, 0.0, 0.035), (x, 0.0, 0.08), (x, 0.03, 0.035), (-x, 0.0, 0.035)]
    assert (signed_distances(HOLED, places) > 0).tolist() == [True, False, False, False]
    solid = sum(np.prod(piece.shape.size_m) for piece in tank_compound(HOLED).pieces)
    whole = sum(np.prod(piece.shape.size_m) for piece in tank_compound(TANK).pieces)
    assert whole - solid == pytest.approx(0.005 * 0.02**2)


@pytest.mark.parametrize("name", VESSELS)
def test_staves_make_the_wall(name):
    vessel = VESSELS[name]
    compound = hollow_compound(vessel)
    points = np.random.default_rng(5).uniform((-0.08, -0.08, 0.0), (0.08, 0.08, 0.24), (4000, 3))
    want, got = signed_distances(vessel, points), signed_distances(compound, points)
    clear = np.abs(want) > 1.5e-3
    assert ((want < 0) == (got < 0))[clear].mean() > 0.995


def round_bowl(points: int, radius_m: float = 0.06, wall_m: float = 0.003) -> Vessel:
    angle = np.linspace(0.0, np.pi / 2, points)
    profile = np.stack([radius_m * np.sin(angle), 0.005 + radius_m * (1.0 - np.cos(angle))], 1)
    return Vessel(profile_m=tuple((float(r), float(z)) for r, z in profile), wall_m=wall_m)


@pytest.mark.parametrize("wall_m", [0.001, 0.004])
def test_the_finest_profile_is_made_of_staves_too(wall_m):
    bowl = round_bowl(64, wall_m=wall_m)
    compound = hollow_compound(bowl)
    points = np.random.default_rng(5).uniform((-0.07, -0.07, 0.0), (0.07, 0.07, 0.065), (4000, 3))
    want, got = signed_distances(bowl, points), signed_distances(compound, points)
    assert ((want < 0) == (got < 0))[np.abs(want) > 1.5e-3].all()
    ball = Body(name="ball", shape=Sphere(radius_m=0.01), material="oak", position_m=(0.0, 0.0, 0.0152))
    vessel = Body(name="bowl", shape=bowl, material="glass", motion="static")
    run = MujocoSimulator().simulate(SceneSpec(scene="rest", duration_s=0.2, fps=20, bodies=(vessel, ball)))
    np.testing.assert_allclose(run.body_pose_end[1, :3], (0.0, 0.0, 0.015), atol=3e-4)


@pytest.mark.parametrize("shape", [*VESSELS.values(), round_bowl(64)], ids=[*VESSELS, "round"])
def test_staves_leave_the_hollow_to_what_is_in_it(shape):
    """What touches the round wall touches the staves, give or take less than counts as an overlap."""
    points = np.random.default_rng(6).uniform((-0.08, -0.08, 0.0), (0.08, 0.08, 0.24), (40_000, 3))
    points = points[inside(shape, points)]
    assert signed_distances(hollow_compound(shape), points).min() > -2.1e-4


def test_what_lies_at_the_wall_of_a_wide_vessel_does_not_overlap_it():
    wide = Vessel(profile_m=((0.0, 0.01), (0.15, 0.01), (0.15, 0.12)), wall_m=0.005)
    vessel = Body(name="vessel", shape=wide, material="glass", motion="static")
    turn = np.pi / 24
    near = 0.15 - 0.012
    balls = [
        Body(name=f"ball{k}", shape=Sphere(radius_m=0.012), material="oak",
             position_m=(near * np.cos(k * turn), near * np.sin(k * turn), 0.022))
        for k in (0, 5, 11)
    ]  # fmt: skip
    MujocoSimulator().check(SceneSpec(scene="touch", duration_s=0.1, fps=20, bodies=(vessel, *balls)))


def test_reach_of_vessels_and_tanks():
    assert support_distances(GLASS, [[0, 0, 1.0], [1.0, 0, 0], [0, 0, -1.0]]) == pytest.approx(
        np.array([0.12, 0.043, 0.0])
    )
    np.testing.assert_allclose(support_distances(TANK, [[1.0, 0, 0], [0, 0, 1.0]]), [0.105, 0.155])
    assert bounding_radius_m(TANK) == pytest.approx(np.linalg.norm((0.105, 0.055, 0.155)))
    assert bounding_radius_m(GLASS) == pytest.approx(np.hypot(0.043, 0.12))


def test_a_ball_dropped_into_a_glass_stays_in_it():
    ball = Body(name="ball", shape=Sphere(radius_m=0.012), material="rubber", position_m=(0.012, 0.0, 0.2))
    glass = Body(name="glass", shape=GLASS, material="glass", motion="static")
    run = MujocoSimulator().simulate(SceneSpec(scene="drop", duration_s=2.0, fps=20, bodies=(glass, ball)))
    place = run.body_pose_end[1, :3]
    assert np.hypot(*place[:2]) < 0.03
    assert place[2] == pytest.approx(0.006 + 0.012, abs=2e-3)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"profile_m": ((0.0, 0.01), (0.03, 0.005)), "wall_m": 0.003}, "z must not fall"),
        ({"profile_m": ((0.03, 0.01), (0.02, 0.01)), "wall_m": 0.003}, "r must grow"),
        ({"profile_m": ((0.0, 0.01), (0.03, 0.01)), "wall_m": 0.003}, "rim must be above the floor"),
        ({"profile_m": ((0.02, 0.01), (0.0, 0.05)), "wall_m": 0.003}, "only the first point may be on the axis"),
    ],
)
def test_profiles_that_are_no_vessels_are_refused(given_, said):
    with pytest.raises(ValidationError, match=said):
        Vessel(**given_)


def test_holes_that_do_not_fit_and_vessels_that_should_fall_are_refused():
    with pytest.raises(ValidationError, match="the hole spans"):
        Tank(inside_m=(0.2, 0.1, 0.15), wall_m=0.005, hole_m=0.05, hole_height_m=0.01)
    with pytest.raises(ValidationError, match="a vessel cannot be dynamic"):
        Body(name="glass", shape=GLASS, material="glass")
