"""Rotations, masses, hulls and extents agree with other people's code and with each other."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from physreel.geometry.extents import lowest_points, support_distances
from physreel.geometry.hulls import hull_faces, hull_planes
from physreel.geometry.mass import body_mass_properties, mass_properties
from physreel.geometry.rotations import (
    axis_angle_to_wxyz,
    keyframe_pose,
    matrix_to_wxyz,
    multiply_wxyz,
    pose_rates,
    random_wxyz,
    rotate_wxyz,
    slerp_wxyz,
    wxyz_to_matrix,
    wxyz_to_xyzw,
    xyzw_to_wxyz,
)
from physreel.spec import (
    MATERIALS,
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Keyframe,
    Piece,
    Plane,
    Sphere,
)

RNG = np.random.default_rng(5)
ROCK = ConvexHull(
    points_m=tuple(tuple(float(x) for x in p) for p in RNG.normal(size=(14, 3)) * [0.1, 0.06, 0.04] + 0.02)
)
TURNED = Compound(
    pieces=(
        Piece(shape=Box(size_m=(0.1, 0.02, 0.03)), position_m=(0.0, 0.05, 0.0), orientation_wxyz=(0.8, 0.2, 0.4, 0.1)),
        Piece(shape=Sphere(radius_m=0.02), position_m=(0.0, -0.05, 0.03)),
        Piece(
            shape=Cone(radius_m=0.02, height_m=0.05),
            position_m=(0.08, -0.05, 0.0),
            orientation_wxyz=(0.5, 0.5, 0.5, 0.5),
        ),
    )
)
SHAPES = {
    "box": (Box(size_m=(0.1, 0.2, 0.05)), trimesh.creation.box((0.1, 0.2, 0.05))),
    "sphere": (Sphere(radius_m=0.07), trimesh.creation.icosphere(subdivisions=5, radius=0.07)),
    "cylinder": (Cylinder(radius_m=0.05, height_m=0.12), trimesh.creation.cylinder(0.05, 0.12, sections=512)),
    "capsule": (Capsule(radius_m=0.03, length_m=0.1), trimesh.creation.capsule(0.1, 0.03, count=[128, 128])),
    "ellipsoid": (
        Ellipsoid(radii_m=(0.1, 0.05, 0.03)),
        trimesh.creation.icosphere(subdivisions=5).apply_scale((0.1, 0.05, 0.03)),
    ),
    "cone": (
        Cone(radius_m=0.05, height_m=0.1),
        trimesh.creation.cone(0.05, 0.1, sections=512).apply_translation((0, 0, -0.05)),
    ),
    "convex_hull": (ROCK, trimesh.convex.convex_hull(np.array(ROCK.points_m))),
}


@pytest.mark.parametrize("name", SHAPES)
def test_mass_agrees_with_a_fine_mesh(name):
    shape, mesh = SHAPES[name]
    ours = mass_properties(shape, 1000.0)
    assert ours.mass == pytest.approx(1000.0 * mesh.volume, rel=2e-3)
    assert ours.center == pytest.approx(mesh.center_mass, abs=1e-4)
    scale = np.trace(ours.inertia)
    assert ours.inertia / scale == pytest.approx(1000.0 * mesh.moment_inertia / scale, abs=2e-3)


@pytest.mark.parametrize("name", SHAPES)
def test_extents_agree_with_a_fine_mesh(name):
    shape, mesh = SHAPES[name]
    directions = RNG.normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert support_distances(shape, directions) == pytest.approx((directions @ mesh.vertices.T).max(1), abs=2e-4)


def test_compound_mass_is_that_of_its_pieces():
    total = mass_properties(TURNED)
    parts = [mass_properties(piece.shape) for piece in TURNED.pieces]
    centers = [
        rotate_wxyz(piece.orientation_wxyz, part.center) + piece.position_m
        for piece, part in zip(TURNED.pieces, parts, strict=True)
    ]
    assert total.mass == pytest.approx(sum(part.mass for part in parts))
    assert total.center == pytest.approx(
        sum(part.mass * center for part, center in zip(parts, centers, strict=True)) / total.mass
    )
    # Steiner: a point cloud of the pieces' masses gives the difference to the sum of their own inertias.
    own = sum(
        wxyz_to_matrix(piece.orientation_wxyz) @ part.inertia @ wxyz_to_matrix(piece.orientation_wxyz).T
        for piece, part in zip(TURNED.pieces, parts, strict=True)
    )
    arms = [center - total.center for center in centers]
    steiner = sum(part.mass * (a @ a * np.eye(3) - np.outer(a, a)) for part, a in zip(parts, arms, strict=True))
    assert total.inertia == pytest.approx(own + steiner)


def test_a_body_may_have_its_own_mass_and_inertia():
    body = Body(name="b", shape=Sphere(radius_m=0.1), material="steel")
    solid = body_mass_properties(body, MATERIALS["steel"])
    assert solid.mass == pytest.approx(7850 * 4 / 3 * np.pi * 1e-3)
    light = body_mass_properties(body.model_copy(update={"mass_kg": 1.0}), MATERIALS["steel"])
    assert light.inertia == pytest.approx(0.4 * 0.01 * np.eye(3))
    hoop = body_mass_properties(
        body.model_copy(update={"mass_kg": 1.0, "inertia_kg_m2": (1e-2, 1e-2, 2e-2)}), MATERIALS["steel"]
    )
    assert np.diag(hoop.inertia) == pytest.approx([1e-2, 1e-2, 2e-2])


def test_planes_have_no_mass():
    with pytest.raises(ValueError, match="no mass"):
        mass_properties(Plane())


def test_hull_faces_are_closed_and_turned_outwards():
    vertices, faces = hull_faces(ROCK)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_watertight
    assert mesh.volume > 0


def test_hull_planes_hold_all_points_and_merge_coplanar_faces():
    planes = hull_planes(ROCK)
    assert (np.array(ROCK.points_m) @ planes[:, :3].T <= planes[:, 3] + 1e-12).all()
    cube = ConvexHull(points_m=tuple((x, y, z) for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)))
    assert len(hull_planes(cube)) == 6


def test_lowest_points_touch_the_floor():
    shape = Box(size_m=(0.2, 0.2, 0.2))
    upright, on_edge = (1.0, 0.0, 0.0, 0.0), axis_angle_to_wxyz((1, 0, 0), np.pi / 4)
    assert lowest_points(shape, [upright, on_edge]) == pytest.approx([-0.1, -0.1 * 2**0.5])


quats = st.integers(0, 2**32 - 1).map(lambda seed: random_wxyz(np.random.default_rng(seed)))


@settings(max_examples=50, deadline=None)
@given(a=quats, b=quats, w=st.floats(0, 1))
def test_rotations_agree_with_scipy(a, b, w):
    ra, rb = (Rotation.from_quat(wxyz_to_xyzw(q)) for q in (a, b))
    v = np.array([0.3, -0.4, 0.9])
    assert np.allclose(wxyz_to_matrix(a), ra.as_matrix())
    assert np.allclose(rotate_wxyz(a, v), ra.apply(v))
    assert np.allclose(wxyz_to_matrix(multiply_wxyz(a, b)), (ra * rb).as_matrix())
    assert abs(matrix_to_wxyz(ra.as_matrix()) @ a) == pytest.approx(1.0)
    assert np.allclose(xyzw_to_wxyz(wxyz_to_xyzw(a)), a)
    middle = slerp_wxyz(a, b, w)
    whole = (ra.inv() * rb).magnitude()
    part = (ra.inv() * Rotation.from_quat(wxyz_to_xyzw(middle))).magnitude()
    assert part == pytest.approx(w * whole, abs=1e-5)


def test_rates_carry_poses_to_their_ends_the_shorter_way():
    turn = axis_angle_to_wxyz((0.0, 0.6, 0.8), 0.2)
    pose, end = np.array([0, 0, 0, 1.0, 0, 0, 0]), np.array([0.1, 0, 0, *(-turn)])
    linear, angular = pose_rates(pose, end, 0.1)
    np.testing.assert_allclose(linear, [1.0, 0, 0])
    np.testing.assert_allclose(angular, [0, 1.2, 1.6])
    tilt = axis_angle_to_wxyz((1.0, 0.0, 0.0), 1.0)
    start = np.stack([pose, [0, 0, 0, *tilt]])
    ends = np.stack([end, [0, 0, 0, *multiply_wxyz(turn, tilt)]])
    np.testing.assert_allclose(pose_rates(start, ends, 0.1)[1], [[0, 1.2, 1.6]] * 2)


def test_driven_bodies_pass_through_their_keyframes():
    keys = (
        Keyframe(time_s=0.5, position_m=(0, 0, 0)),
        Keyframe(time_s=1.5, position_m=(2, 0, 0), orientation_wxyz=axis_angle_to_wxyz((0, 0, 1), 1.0)),
    )
    body = Body(name="b", shape=Sphere(radius_m=1.0), material="oak", motion="driven", keyframes=keys)
    assert keyframe_pose(body, 0.0)[:3] == pytest.approx([0, 0, 0])
    assert keyframe_pose(body, 1.0) == pytest.approx([1, 0, 0, *axis_angle_to_wxyz((0, 0, 1), 0.5)])
    assert keyframe_pose(body, 9.0) == pytest.approx([2, 0, 0, *axis_angle_to_wxyz((0, 0, 1), 1.0)])
