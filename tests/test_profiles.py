"""Gears, racks and rings: outlines, surfaces, masses, distances, pieces and pictures agree with formulas."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from physreel.geometry.distances import signed_distances
from physreel.geometry.extents import bounding_radius_m, support_distances
from physreel.geometry.mass import mass_properties
from physreel.geometry.profile_meshes import profile_surface
from physreel.geometry.profiles import half_angles, outline, prisms, profile_compound, rack_sides, wheel
from physreel.geometry.rotations import axis_angle_to_wxyz, multiply_wxyz
from physreel.renderers.video.raytrace import RaytraceRenderer
from physreel.spec import Body, Camera, CameraKeyframe, Gear, Plane, Rack, Ring, SceneSpec, SphereLight
from physreel.spec.toothed import involute
from physreel.values import ContactTable, Trajectory

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
    assert signed_distances(SHAPES[name], mesh.vertices[::11]).max() < 1e-4 * bounding_radius_m(SHAPES[name])


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
    points = mesh_of(name).vertices[::3]
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


FILMED = Camera(
    width=72, height=60, fov_y_deg=12.0, keyframes=(CameraKeyframe(position_m=(0.05, 0.1, 1.0), look_at_m=(0, 0, 0)),)
)


def filmed(*bodies: Body, spin_rad: float = 0.0):
    """One frame from above of bodies that turn about their own z by so much till the next."""
    lamp = SphereLight(position_m=(0.4, -0.3, 1.5), radius_m=0.03, intensity=(20.0, 20.0, 20.0))
    spec = SceneSpec(scene="test", fps=20, duration_s=0.05, bodies=bodies, lights=(lamp,))
    poses = np.array([[[*body.position_m, *body.orientation_wxyz] for body in bodies]] * 2)
    poses[1, :, 3:] = multiply_wxyz(poses[1, :, 3:], axis_angle_to_wxyz((0.0, 0.0, 1.0), spin_rad))
    count = len(bodies)
    trajectory = Trajectory(
        fps=20, step_s=spec.step_s, body_pose=poses[:1], body_velocity=np.zeros((1, count, 6)), body_pose_end=poses[1],
        body_velocity_end=np.zeros((count, 6)), joint_position=np.zeros((1, 0)), joint_velocity=np.zeros((1, 0)),
        contacts=ContactTable.empty(), simulator="by hand 0",
    )  # fmt: skip
    return RaytraceRenderer().render(spec, trajectory, FILMED)


def pixel_rays() -> tuple[np.ndarray, np.ndarray]:
    """The camera's place, and (H, W, 3) directions through pixels' centres, of length 1 along the optical axis."""
    k, pose = FILMED.intrinsics(), FILMED.camera_to_world(0.0)
    x, y = np.meshgrid(np.arange(FILMED.width) + 0.5, np.arange(FILMED.height) + 0.5)
    local = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1)
    return pose[:3, 3], local @ pose[:3, :3].T


@pytest.mark.parametrize("name", ["spokes", "worn", "internal", "rack", "ring"])
def test_the_picture_shows_the_shape_where_it_is(name):
    shape = SHAPES[name]
    view = filmed(Body(name="it", shape=shape, material="steel"))
    eye, rays = pixel_rays()
    half = 0.5 * (shape.height_m if isinstance(shape, Ring) else shape.width_m)
    depth = (eye[2] - half) / -rays[..., 2]
    on_top = (eye + depth[..., None] * rays).reshape(-1, 3)
    # Well inside the upper face, and well beside all of the shape at any height.
    far = 0.15 * getattr(shape, "module_m", M)
    face = (signed_distances(shape, on_top - [0, 0, far]) < -0.9 * far).reshape(depth.shape)
    height = np.linspace(-half, half, 5)[:, None, None, None]
    through = eye + ((eye[2] - height) / -rays[..., 2:]) * rays
    beside = (signed_distances(shape, through.reshape(-1, 3)).reshape(5, *depth.shape) > far).all(0)
    assert face.sum() > 80
    assert beside.sum() > 100
    assert view.depth[0][face] == pytest.approx(depth[face], rel=1e-6)
    assert (view.segmentation[0][face] == 1).all()
    assert (view.segmentation[0][beside] == 0).all()
    assert view.normals[0][face] == pytest.approx(np.broadcast_to([0.0, 0.0, 1.0], (face.sum(), 3)), abs=1e-5)


def test_flow_is_that_of_a_turning_wheel():
    gear, spin = SHAPES["no_bore"], 0.08
    view = filmed(Body(name="it", shape=gear, material="brass", motion="carried"), spin_rad=spin)
    eye, rays = pixel_rays()
    at = (view.segmentation[0] == 1) & (view.normals[0][..., 2] > 0.9999)
    points = eye + view.depth[0][at][:, None] * rays[at]
    c, s = np.cos(spin), np.sin(spin)
    moved = points @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) - eye
    k, turn = FILMED.intrinsics(), FILMED.camera_to_world(0.0)[:3, :3]
    local = moved @ turn
    y, x = np.nonzero(at)
    u, v = (k[i, i] * local[:, i] / local[:, 2] + k[i, 2] for i in range(2))
    assert at.sum() > 300
    assert view.flow[0][at] == pytest.approx(np.column_stack([u - x - 0.5, v - y - 0.5]), abs=2e-3)
    assert np.abs(view.flow[0][at]).max() > 1.0


def test_round_walls_have_smooth_normals():
    ring = Ring(inner_radius_m=0.03, outer_radius_m=0.07, height_m=0.06)
    tip = tuple(float(q) for q in axis_angle_to_wxyz((1.0, 0.0, 0.0), np.pi / 2))
    view = filmed(Body(name="it", shape=ring, material="steel", orientation_wxyz=tip))
    eye, rays = pixel_rays()
    points = eye + np.where(np.isfinite(view.depth[0]), view.depth[0], 0.0)[..., None] * rays
    wall = (view.segmentation[0] == 1) & (np.abs(points[..., 1]) < 0.028)
    radial = points[wall] * [1.0, 0.0, 1.0]
    radial /= np.linalg.norm(radial, axis=1, keepdims=True)
    assert wall.sum() > 300
    assert np.degrees(np.arccos(np.clip(np.abs((view.normals[0][wall] * radial).sum(1)), 0, 1))).max() < 0.1


def test_wheels_throw_shadows_and_let_light_through_their_windows():
    floor = Body(name="floor", shape=Plane(), material="ceramic", motion="static", position_m=(0.0, 0.0, -0.03))
    lit = filmed(floor).rgb[0].astype(float).mean(-1)
    view = filmed(floor, Body(name="it", shape=SHAPES["spokes"], material="steel", motion="carried"))
    share = view.rgb[0].astype(float).mean(-1) / lit
    ground = view.segmentation[0] == 1
    assert share[ground].min() < 0.7
    eye, rays = pixel_rays()
    at = eye + ((eye[2] + 0.03) / -rays[..., 2:]) * rays
    # Where the line to the lamp's middle meets the wheel, and where it is far from it.
    lamp = np.array([0.4, -0.3, 1.5])
    height = np.linspace(-0.004, 0.004, 2)[:, None, None, None]
    way = at + (height + 0.03) / (lamp[2] + 0.03) * (lamp - at)
    gap = signed_distances(SHAPES["spokes"], way.reshape(-1, 3)).reshape(2, *ground.shape).min(0)
    # Shares are smoothed over some pixels.
    assert share[ground & (gap < -0.001)].mean() < 0.93
    assert share[ground & (gap > 0.012)].min() > 0.97
    assert (ground & (gap > 0.012) & (np.hypot(*at[..., :2].transpose(2, 0, 1)) < 0.04)).any()


def test_a_film_made_with_reuse_is_the_same_as_one_without(monkeypatch):
    floor = Body(name="floor", shape=Plane(), material="steel", motion="static", position_m=(0.0, 0.0, -0.03))
    wheel_ = Body(name="it", shape=SHAPES["pinion"], material="brass", motion="carried", position_m=(0.05, 0.0, 0.0))
    still = Body(name="still", shape=SHAPES["ring"], material="steel", motion="static", position_m=(-0.06, 0.0, 0.0))
    lamp = SphereLight(position_m=(0.4, -0.3, 1.5), radius_m=0.03, intensity=(20.0, 20.0, 20.0))
    spec = SceneSpec(scene="test", fps=20, duration_s=0.15, bodies=(floor, wheel_, still), lights=(lamp,))
    poses = np.array([[[*body.position_m, *body.orientation_wxyz] for body in spec.bodies]] * 4)
    for k in range(4):
        poses[k, 1, 3:] = axis_angle_to_wxyz((0.0, 0.0, 1.0), 0.1 * k)
    trajectory = Trajectory(
        fps=20, step_s=spec.step_s, body_pose=poses[:3], body_velocity=np.zeros((3, 3, 6)), body_pose_end=poses[3],
        body_velocity_end=np.zeros((3, 6)), joint_position=np.zeros((3, 0)), joint_velocity=np.zeros((3, 0)),
        contacts=ContactTable.empty(), simulator="by hand 0",
    )  # fmt: skip
    reused = RaytraceRenderer().render(spec, trajectory, FILMED)
    monkeypatch.setattr("physreel.renderers.video.raytrace._Film._todo", lambda film, frame: film.all_tiles)
    anew = RaytraceRenderer().render(spec, trajectory, FILMED)
    for name in ("rgb", "depth", "segmentation", "normals", "flow"):
        assert np.array_equal(getattr(reused, name), getattr(anew, name)), name
