"""Gears, racks and rings: outlines, surfaces, masses, distances and pieces agree with formulas and with each other."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from physreel.geometry.distances import signed_distances
from physreel.geometry.extents import bounding_radius_m, support_distances
from physreel.geometry.mass import mass_properties
from physreel.geometry.profile_meshes import profile_mesh, profile_surface
from physreel.geometry.profiles import half_angles, outline, prisms, profile_compound, rack_sides, wheel
from physreel.spec import Gear, Rack, Ring
from physreel.spec.toothed import involute

M = 0.004
SHAPES = {
    "plain": Gear(module_m=M, tooth_count=30, width_m=0.012, bore_radius_m=0.006),
    "no_bore": Gear(module_m=M, tooth_count=30, width_m=0.012),
    "pinion": Gear(module_m=M, tooth_count=10, width_m=0.012, profile_shift=0.45, bore_radius_m=0.003),
    "middling": Gear(module_m=M, tooth_count=17, width_m=0.012, bore_radius_m=0.012),
    "thin_rim": Gear(module_m=M, tooth_count=30, width_m=0.012, bore_radius_m=0.0535),
    "spokes": Gear(module_m=0.002, tooth_count=60, width_m=0.012, bore_radius_m=0.006, spoke_count=5),
    "one_spoke": Gear(module_m=0.002, tooth_count=60, width_m=0.012, bore_radius_m=0.006, spoke_count=1),
    "twelve_spokes": Gear(module_m=0.002, tooth_count=60, width_m=0.012, bore_radius_m=0.006, spoke_count=12),
    "worn": Gear(
        module_m=M, tooth_count=20, width_m=0.012, missing_teeth=(3, 4), tooth_errors_m=(1e-5,) * 20, runout_m=2e-4
    ),
    "internal": Gear(module_m=0.002, tooth_count=60, width_m=0.012, internal=True, rim_m=0.006, missing_teeth=(7,)),
    "rack": Rack(module_m=M, tooth_count=12, width_m=0.01, back_m=0.01, missing_teeth=(2,)),
    "ring": Ring(inner_radius_m=0.02, outer_radius_m=0.03, height_m=0.01),
}
BALANCED = ("plain", "no_bore", "pinion", "middling", "spokes", "twelve_spokes")


def mesh_of(name: str) -> trimesh.Trimesh:
    return trimesh.Trimesh(*profile_surface(SHAPES[name]), process=False)


def area_m2(loop: np.ndarray) -> float:
    x, y = loop.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def thickness_rad(points: np.ndarray, radius_m: float, tooth: int, count: int) -> tuple[float, float]:
    """Angles of both flanks of a tooth, seen from its middle, at a radius, off the outline's polygon."""
    r, theta = np.hypot(*points.T), np.arctan2(points[:, 1], points[:, 0])
    away = (theta - 2 * np.pi * tooth / count + np.pi) % (2 * np.pi) - np.pi
    found = []
    for side in (-1.0, 1.0):
        mine = (np.sign(away) == side) & (np.abs(away) < np.pi / count)
        order = np.argsort(r[mine])
        found.append(float(np.interp(radius_m, r[mine][order], away[mine][order])))
    return found[0], found[1]


@pytest.mark.parametrize("name", ["plain", "pinion", "internal"])
def test_outlines_run_between_root_and_tip_the_right_way_round(name):
    gear = SHAPES[name]
    r = np.hypot(*outline(gear).T)
    low, high = sorted((gear.root_radius_m, gear.tip_radius_m))
    assert (r.min(), r.max()) == pytest.approx((low, high), rel=1e-12)
    assert np.pi * low**2 < area_m2(outline(gear)) < np.pi * high**2


@pytest.mark.parametrize("shift", [0.0, 0.3])
@pytest.mark.parametrize("internal", [False, True])
def test_teeth_have_their_thickness_at_the_pitch_circle_and_are_involutes(internal, shift):
    gear = Gear(
        module_m=M, tooth_count=40, width_m=0.01, profile_shift=shift, thinning_m=1e-4, internal=internal, rim_m=0.01
    )
    slope = np.tan(np.radians(20.0)) * (-1.0 if internal else 1.0)
    thick = M * (np.pi / 2 + 2 * shift * slope) - 1e-4
    assert 2 * gear.pitch_radius_m * half_angles(gear, gear.pitch_radius_m) == pytest.approx(thick, rel=1e-12)
    # A flank is the way of a point of a taut string: its tangent distance from the base circle is the arc unwound.
    inward = -1.0 if internal else 1.0
    r = np.linspace(max(gear.base_radius_m, min(gear.root_radius_m, gear.tip_radius_m)), gear.pitch_radius_m, 7)[1:]
    roll = np.sqrt((r / gear.base_radius_m) ** 2 - 1.0)
    turned = gear.half_tooth_rad + inward * involute(np.radians(20.0))
    assert half_angles(gear, r) == pytest.approx(turned - inward * (roll - np.arctan(roll)), rel=1e-9)
    for tooth in (0, 13):
        low, high = thickness_rad(outline(gear), gear.pitch_radius_m, tooth, 40)
        assert (high - low) * gear.pitch_radius_m == pytest.approx(thick, rel=2e-3)
        assert low == pytest.approx(-high, rel=1e-9)


def test_errors_make_both_flanks_of_their_tooth_stand_proud():
    errors = [0.0] * 30
    errors[4] = 5e-5
    gear = SHAPES["no_bore"].model_copy(update={"tooth_errors_m": tuple(errors)})
    r = gear.pitch_radius_m
    for tooth, error in ((3, 0.0), (4, 5e-5)):
        low, high = thickness_rad(outline(gear), r, tooth, 30)
        plain = thickness_rad(outline(SHAPES["no_bore"]), r, tooth, 30)
        assert high - plain[1] == pytest.approx(error / gear.base_radius_m, abs=1e-9)
        assert low - plain[0] == pytest.approx(-error / gear.base_radius_m, abs=1e-9)


def test_a_missing_tooth_leaves_the_root_circle():
    gear = SHAPES["no_bore"].model_copy(update={"missing_teeth": (3,)})
    points = outline(gear)
    angle = np.arctan2(points[:, 1], points[:, 0]) * 30 / (2 * np.pi)
    there = np.abs(angle - 3.0) < 0.4
    assert np.hypot(*points[there].T) == pytest.approx(gear.root_radius_m, rel=1e-9)
    assert mass_properties(gear).mass < mass_properties(SHAPES["no_bore"]).mass
    assert mass_properties(gear).center[:2] @ [np.cos(0.2 * np.pi), np.sin(0.2 * np.pi)] < 0.0


def test_runout_shifts_the_teeth_and_not_the_bore():
    true = SHAPES["spokes"]
    gear = true.model_copy(update={"runout_m": 3e-4})
    assert outline(gear) - outline(true) == pytest.approx(np.broadcast_to([3e-4, 0.0], outline(true).shape), abs=1e-12)
    vertices, _ = profile_surface(gear)
    assert np.hypot(*vertices[:, :2].T).min() == pytest.approx(gear.bore_radius_m, rel=1e-3)
    # Of the whole disc only the rim is there, but all of its outline moves.
    moment = 3e-4 * area_m2(outline(true)) * gear.width_m
    assert mass_properties(gear).center[0] == pytest.approx(moment / mass_properties(gear).mass, rel=0.02)


def test_a_rack_has_its_teeth_where_the_spec_says():
    rack = SHAPES["rack"].model_copy(update={"missing_teeth": ()})
    top, bottom = rack_sides(rack)
    assert np.abs(outline(rack)[:, 0]).max() == pytest.approx(0.5 * rack.length_m)
    assert (top[:, 1].max(), top[:, 1].min(), bottom[0, 1]) == pytest.approx((M, -1.25 * M, -1.25 * M - 0.01))
    x, y = top[::-1].T
    crossings = [
        x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i]) for i in np.flatnonzero((y[:-1] < 0) != (y[1:] < 0))
    ]
    middles = 0.5 * (np.array(crossings[::2]) + crossings[1::2])
    assert middles == pytest.approx((np.arange(12) - 5.5) * rack.pitch_m, abs=1e-12)
    assert np.diff(crossings)[::2] == pytest.approx(rack.pitch_m / 2, rel=1e-9)


@pytest.mark.parametrize("name", SHAPES)
def test_surfaces_are_closed_and_face_outwards(name):
    mesh = mesh_of(name)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0.0
    # Caps are flat, and no triangle of them lies outside the outline.
    assert mesh.triangles_center[mesh.face_normals[:, 2] > 0.999, 2].min() > 0.0
    assert signed_distances(SHAPES[name], mesh.vertices).max() < 1e-4 * bounding_radius_m(SHAPES[name])


@pytest.mark.parametrize("name", SHAPES)
def test_volume_agrees_with_areas(name):
    volume = 0.0
    for prism in prisms(SHAPES[name]):
        # The first loop is round all others. What the web laps over is counted twice, and taken off again below.
        areas = [area_m2(loop) for loop in prism.loops]
        volume += 2 * prism.half_m * (areas[0] - sum(areas[1:]))
    shape = SHAPES[name]
    if len(prisms(shape)) > 1:
        plan, (_, web, _) = wheel(shape), prisms(shape)
        lapped = area_m2(web.loops[0]) - area_m2(web.loops[1]) - np.pi * (plan.rim_radius_m**2 - plan.hub_radius_m**2)
        volume -= 2 * plan.web_half_m * lapped
    # Bevels and dimples are what is left.
    assert mass_properties(shape).mass == pytest.approx(volume, rel=0.013)
    assert mass_properties(shape).mass == pytest.approx(mesh_of(name).volume, rel=0.005)


def test_mass_of_a_ring_and_inertia_of_all():
    ring = SHAPES["ring"]
    assert mass_properties(ring).mass == pytest.approx(np.pi * (0.03**2 - 0.02**2) * 0.01, rel=1e-12)
    for name, shape in SHAPES.items():
        ours, mesh = mass_properties(shape), mesh_of(name)
        assert ours.center == pytest.approx(mesh.center_mass, abs=1e-6), name
        assert ours.inertia == pytest.approx(ours.inertia.T), name
        assert ours.inertia == pytest.approx(mesh.moment_inertia, rel=0.01, abs=1e-3 * ours.inertia.max()), name
        if name in BALANCED:
            assert not ours.center.any(), name
            assert ours.inertia[0, 0] == pytest.approx(ours.inertia[1, 1], rel=1e-9), name
            assert not (ours.inertia - np.diag(np.diag(ours.inertia))).any(), name


@pytest.mark.parametrize("name", ["plain", "spokes", "worn", "internal", "rack", "ring"])
def test_distances_and_extents_agree_with_the_mesh(name):
    shape, mesh = SHAPES[name], mesh_of(name)
    reach = bounding_radius_m(shape)
    rng = np.random.default_rng(3)
    points = rng.uniform(-1.1, 1.1, (300, 3)) * [reach, reach, 0.008]
    ours = signed_distances(shape, points)
    # Inside, ours may be the lesser where rim, web and hub meet. Bevels and dimples are not ours.
    samples, _ = trimesh.sample.sample_surface(mesh, 200_000, seed=1)
    theirs = cKDTree(samples).query(points)[0] * np.where(mesh.contains(points), -1.0, 1.0)
    bevel = 0.1 * M + 0.12 * 0.012 * (name == "worn")
    far = np.abs(theirs) > bevel
    assert (np.sign(ours[far]) == np.sign(theirs[far])).all()
    outside = theirs > bevel
    assert ours[outside] == pytest.approx(theirs[outside], abs=bevel)
    directions = rng.normal(size=(40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert support_distances(shape, directions) == pytest.approx((mesh.vertices @ directions.T).max(0), abs=0.1 * M)
    center = mass_properties(shape).center
    assert reach == pytest.approx(np.linalg.norm(mesh.vertices - center, axis=1).max(), rel=5e-3)


@pytest.mark.parametrize("name", SHAPES)
def test_pieces_fill_the_shape(name):
    shape = SHAPES[name]
    pieces = profile_compound(shape)
    points = mesh_of(name).vertices
    # All that is solid is in a piece, but for fillets and a hair where flanks curve; and teeth are nowhere thicker.
    assert signed_distances(pieces, points).max() < 0.08 * getattr(shape, "module_m", M)
    corners = [np.asarray(p.shape.points_m) for p in pieces.pieces if p.shape.kind == "convex_hull"]
    if name != "ring":
        assert signed_distances(shape, np.concatenate(corners)).max() < 0.05 * shape.module_m
    if isinstance(shape, Gear) and not shape.internal:
        assert len(pieces.pieces) == 1 + shape.tooth_count - len(shape.missing_teeth)


def test_holes_of_rings_are_open():
    for name in ("ring", "internal"):
        assert signed_distances(profile_compound(SHAPES[name]), [[0.0, 0.0, 0.0], [0.015, 0.0, 0.0]]).min() > 0.0


def test_a_mesh_is_the_surface():
    mesh = profile_mesh(SHAPES["ring"])
    assert len(mesh.faces) == len(profile_surface(SHAPES["ring"])[1])
