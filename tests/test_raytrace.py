"""The ray tracer's exact passes against geometry computed another way."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull as Qhull

from physreel.errors import UnsupportedError
from physreel.geometry.rotations import axis_angle_to_wxyz, multiply_wxyz, rotate_wxyz, wxyz_to_matrix
from physreel.renderers.video.raytrace import RaytraceRenderer
from physreel.spec import (
    Body,
    Box,
    Camera,
    CameraKeyframe,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Look,
    Piece,
    Plane,
    SceneSpec,
    Sphere,
    SphereLight,
    SunLight,
    TriangleMesh,
)
from physreel.values import ContactTable, Trajectory

TURN = tuple(float(q) for q in axis_angle_to_wxyz((1.0, 2.0, -0.5), 0.9))
CAMERA = Camera(
    width=150,
    height=101,
    fov_y_deg=27.0,
    keyframes=(CameraKeyframe(position_m=(0.3, -1.6, 0.9), look_at_m=(0, 0, 0.2)),),
)
MOVING = Camera(
    width=120,
    height=90,
    keyframes=(
        CameraKeyframe(position_m=(0.3, -1.6, 0.9), look_at_m=(0, 0, 0.2)),
        CameraKeyframe(time_s=0.3, position_m=(0.5, -1.5, 0.8), look_at_m=(0.05, 0, 0.25)),
    ),
)


def hull_points(seed: int = 4) -> tuple[tuple[float, float, float], ...]:
    points = np.random.default_rng(seed).normal(size=(14, 3))
    points *= 0.16 / np.linalg.norm(points, axis=1, keepdims=True) * np.array([1.0, 0.8, 0.6])
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


SHAPES = {
    "box": Box(size_m=(0.3, 0.2, 0.12)),
    "sphere": Sphere(radius_m=0.15),
    "cylinder": Cylinder(radius_m=0.1, height_m=0.26),
    "capsule": Capsule(radius_m=0.07, length_m=0.2),
    "cone": Cone(radius_m=0.14, height_m=0.28),
    "ellipsoid": Ellipsoid(radii_m=(0.18, 0.1, 0.06)),
    "convex_hull": ConvexHull(points_m=hull_points()),
    "compound": Compound(
        pieces=(
            Piece(shape=Box(size_m=(0.3, 0.08, 0.08))),
            Piece(shape=Cone(radius_m=0.08, height_m=0.16), position_m=(0.1, 0.0, 0.12)),
            Piece(shape=Sphere(radius_m=0.07), position_m=(-0.12, 0.0, 0.11), orientation_wxyz=TURN),
        )
    ),
}


def still(spec: SceneSpec) -> Trajectory:
    """Nothing moves."""
    poses = np.array([[*body.position_m, *body.orientation_wxyz] for body in spec.bodies])
    return film_of(spec, np.repeat(poses[None], spec.frame_count + 1, 0))


def film_of(spec: SceneSpec, poses: np.ndarray) -> Trajectory:
    frames, bodies = len(poses) - 1, poses.shape[1]
    return Trajectory(
        fps=spec.fps,
        step_s=spec.step_s,
        body_pose=poses[:-1],
        body_velocity=np.zeros((frames, bodies, 6)),
        body_pose_end=poses[-1],
        body_velocity_end=np.zeros((bodies, 6)),
        joint_position=np.zeros((frames, 0)),
        joint_velocity=np.zeros((frames, 0)),
        contacts=ContactTable.empty(),
        simulator="by hand 0",
    )


def world(*bodies: Body, frames: int = 1, **more: object) -> SceneSpec:
    return SceneSpec(scene="test", fps=20, duration_s=frames / 20, bodies=bodies, **more)


def spun(spec: SceneSpec) -> Trajectory:
    """Every dynamic body travels and turns, each its own way."""
    poses = np.empty((spec.frame_count + 1, len(spec.bodies), 7))
    for i, body in enumerate(spec.bodies):
        axis = np.array([np.sin(i), np.cos(2.0 * i), 0.5])
        for k in range(len(poses)):
            t = k / spec.fps if body.motion == "dynamic" else 0.0
            poses[k, i, :3] = np.array(body.position_m) + t * np.array([0.2 * np.sin(i), 0.1, 0.3 * np.cos(i)])
            poses[k, i, 3:] = multiply_wxyz(axis_angle_to_wxyz(axis, 5.0 * t), body.orientation_wxyz)
    return film_of(spec, poses)


def pixel_rays(camera: Camera, time_s: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Camera position and (H, W, 3) world directions of pixel centres, of length 1 along the optical axis."""
    k, pose = camera.intrinsics(), camera.camera_to_world(time_s)
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    view = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1)
    return pose[:3, 3], view @ pose[:3, :3].T


def outline_points(shape: object) -> list[np.ndarray]:
    """Points whose hull is the shape, of each convex part, in its frame; curved ones finely sampled."""
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    ball = np.asarray(trimesh.creation.icosphere(subdivisions=5).vertices)
    match shape:
        case Box(size_m=size):
            return [np.array(np.meshgrid(*[(-s / 2, s / 2) for s in size])).reshape(3, -1).T]
        case Sphere(radius_m=r):
            return [r * ball]
        case Ellipsoid(radii_m=radii):
            return [ball * np.array(radii)]
        case Cylinder(radius_m=r, height_m=h):
            return [np.vstack([r * ring + [0, 0, h / 2], r * ring - [0, 0, h / 2]])]
        case Capsule(radius_m=r, length_m=h):
            return [np.vstack([r * ball + [0, 0, h / 2], r * ball - [0, 0, h / 2]])]
        case Cone(radius_m=r, height_m=h):
            return [np.vstack([r * ring - [0, 0, h / 2], [[0, 0, h / 2]]])]
        case ConvexHull(points_m=points):
            return [np.array(points)]
        case Compound(pieces=pieces):
            return [
                rotate_wxyz(piece.orientation_wxyz, outline_points(piece.shape)[0]) + piece.position_m
                for piece in pieces
            ]
    raise AssertionError(shape)


def projected_mask(body: Body, camera: Camera) -> np.ndarray:
    """(H, W) pixels whose centre lies in the body's projected outline."""
    k, pose = camera.intrinsics(), camera.camera_to_world(0.0)
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    mask = np.zeros((camera.height, camera.width), bool)
    for points in outline_points(body.shape):
        points = rotate_wxyz(body.orientation_wxyz, points) + body.position_m
        view = (points - pose[:3, 3]) @ pose[:3, :3]
        flat = view[:, :2] / view[:, 2:] * k[0, 0] + k[:2, 2]
        lines = Qhull(flat).equations
        mask |= (np.stack([x, y], -1) @ lines[:, :2].T + lines[:, 2] <= 0).all(-1)
    return mask


def test_depth_and_normals_of_a_plane_and_a_sphere_are_those_of_the_formula() -> None:
    floor = Body(name="floor", shape=Plane(), material="marble", motion="static")
    ball = Body(name="ball", shape=Sphere(radius_m=0.15), material="steel", position_m=(0.05, 0.1, 0.2))
    spec = world(floor, ball)
    view = RaytraceRenderer().render(spec, still(spec), CAMERA, ("depth", "segmentation", "normals"))
    eye, ray = pixel_rays(CAMERA)
    center = np.array(ball.position_m)
    a, b = (ray**2).sum(-1), ray @ (eye - center)
    disc = b * b - a * (((eye - center) ** 2).sum() - 0.15**2)
    on_ball = disc > 0
    t = np.where(
        on_ball, (-b - np.sqrt(np.maximum(disc, 0))) / a, -eye[2] / np.where(ray[..., 2] < 0, ray[..., 2], np.nan)
    )
    normal = np.where(on_ball[..., None], (eye + t[..., None] * ray - center) / 0.15, np.array([0.0, 0.0, 1.0]))
    seen = np.isfinite(t)
    np.testing.assert_array_equal(view.segmentation[0], np.where(on_ball, 2, np.where(seen, 1, 0)))
    np.testing.assert_allclose(view.depth[0][seen], t[seen], atol=1e-4)
    assert np.isinf(view.depth[0][~seen]).all()
    cosine = np.einsum("ni,ni->n", view.normals[0][seen], normal[seen])
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.1
    assert (view.normals[0][~seen] == 0).all()


@pytest.mark.parametrize("kind", SHAPES)
def test_segmentation_is_the_projected_shape(kind: str) -> None:
    body = Body(name="thing", shape=SHAPES[kind], material="oak", position_m=(0.03, -0.02, 0.2), orientation_wxyz=TURN)
    spec = world(body)
    seen = RaytraceRenderer().render(spec, still(spec), CAMERA, ("segmentation",)).segmentation[0] == 1
    expected = projected_mask(body, CAMERA)
    assert expected.sum() > 400
    wrong = seen != expected
    assert wrong.sum() <= 0.005 * expected.sum()
    # What differs lies on the outline: beside a pixel of the other kind.
    padded = np.pad(expected, 1, mode="edge")
    around = np.stack([padded[j : j + 101, i : i + 150] for j in range(3) for i in range(3)])
    assert (around.any(0) & ~around.all(0))[wrong].all()


@pytest.mark.parametrize("kind", SHAPES)
def test_depth_puts_every_point_on_the_surface_with_its_normal(kind: str) -> None:
    """The hit point moved a hair along the normal is outside, against it inside, by the hull of the outline points."""
    body = Body(name="thing", shape=SHAPES[kind], material="oak", position_m=(0.0, 0.0, 0.2), orientation_wxyz=TURN)
    spec = world(body)
    view = RaytraceRenderer().render(spec, still(spec), CAMERA, ("depth", "normals"))
    eye, ray = pixel_rays(CAMERA)
    hit = np.isfinite(view.depth[0])
    point = eye + view.depth[0][hit][:, None].astype(float) * ray[hit]
    turn = wxyz_to_matrix(body.orientation_wxyz)
    local, normal = (point - body.position_m) @ turn, view.normals[0][hit] @ turn
    hulls = [Qhull(points).equations for points in outline_points(body.shape)]

    def height(points: np.ndarray) -> np.ndarray:
        # Against each part in blocks: (greatest plane distance) least over parts.
        return np.min([np.max(points @ h[:, :3].T + h[:, 3], axis=1) for h in hulls], axis=0)

    some = slice(None, None, 7)
    assert np.abs(height(local[some])).max() < 3e-4
    rise = height(local[some] + 2e-3 * normal[some]) - height(local[some])
    assert np.quantile(rise, 0.02) > 1.9e-3
    assert (np.einsum("ni,ni->n", view.normals[0][hit], ray[hit]) < 1e-6).all()


@pytest.mark.parametrize("camera", [CAMERA, MOVING], ids=["still", "moving"])
def test_flow_leads_to_where_the_surface_point_goes(camera: Camera) -> None:
    things = [
        Body(name=name, shape=shape, material="oak", position_m=(0.33 * (i % 4) - 0.5, 0.3 * (i // 4), 0.25))
        for i, (name, shape) in enumerate(SHAPES.items())
    ]
    spec = world(Body(name="floor", shape=Plane(), material="oak", motion="static"), *things, frames=4)
    run = spun(spec)
    view = RaytraceRenderer().render(spec, run, camera, ("depth", "segmentation", "flow"))
    poses = np.concatenate([run.body_pose, run.body_pose_end[None]])
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    k = camera.intrinsics()
    for frame in range(4):
        eye, ray = pixel_rays(camera, frame / spec.fps)
        pose = camera.camera_to_world((frame + 1) / spec.fps)
        for i in range(len(spec.bodies)):
            mask = view.segmentation[frame] == i + 1
            assert mask.sum() > 10
            point = eye + view.depth[frame][mask][:, None] * ray[mask]
            local = (point - poses[frame, i, :3]) @ wxyz_to_matrix(poses[frame, i, 3:])
            later = local @ wxyz_to_matrix(poses[frame + 1, i, 3:]).T + poses[frame + 1, i, :3]
            seen = (later - pose[:3, 3]) @ pose[:3, :3]
            place = seen[:, :2] / seen[:, 2:] * k[0, 0] + k[:2, 2]
            want = place - np.stack([x[mask], y[mask]], 1)
            assert np.abs(view.flow[frame][mask] - want).max() < 0.05
    assert np.abs(view.flow).max() > 2.0
    assert (view.flow[view.segmentation == 0] == 0).all()


@pytest.mark.parametrize(("kind", "limit_m"), [("box", 1e-4), ("sphere", 2e-4)])
def test_a_mesh_looks_like_the_primitive_it_copies(kind: str, limit_m: float) -> None:
    made = (
        trimesh.creation.box(SHAPES["box"].size_m)
        if kind == "box"
        else trimesh.creation.icosphere(subdivisions=5, radius=0.15)
    )
    mesh = TriangleMesh(
        vertices_m=tuple(map(tuple, made.vertices.tolist())), faces=tuple(map(tuple, made.faces.tolist()))
    )
    floor = Body(name="floor", shape=Plane(), material="concrete", motion="static")
    look = Look(color=(0.5, 0.3, 0.2), roughness=0.9)
    views = []
    for shape in (SHAPES[kind], mesh):
        thing = Body(
            name="thing", shape=shape, material="oak", motion="static", position_m=(0.0, 0.0, 0.25),
            orientation_wxyz=TURN, look=look,
        )  # fmt: skip
        spec = world(floor, thing, lights=(SunLight(direction=(0.5, 0.4, -1.0), irradiance=(2.0, 2.0, 2.0)),))
        views.append(RaytraceRenderer().render(spec, still(spec), CAMERA))
    solid, triangles = views
    same = solid.segmentation == triangles.segmentation
    assert same.mean() > 0.999
    on = same & (solid.segmentation == 2)
    assert np.abs(solid.depth - triangles.depth)[on].max() < limit_m * (1 if kind == "box" else 20)
    assert np.median(np.abs(solid.depth - triangles.depth)[on]) < limit_m
    turned = np.degrees(np.arccos(np.clip(np.einsum("ni,ni->n", solid.normals[on], triangles.normals[on]), -1, 1)))
    assert np.median(turned) < (0.1 if kind == "box" else 2.0)
    # The mesh's shadow lies where the primitive's does.
    floor_only = same & (solid.segmentation == 1)
    level = 0.8 * np.median(solid.rgb[..., 0][floor_only])
    dark, dark_too = (view.rgb[..., 0][floor_only] < level for view in views)
    assert dark.sum() > 100
    assert (dark & dark_too).sum() > 0.93 * (dark | dark_too).sum()


def test_a_mesh_in_front_hides_and_one_behind_is_hidden() -> None:
    card = TriangleMesh(vertices_m=((-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)), faces=((0, 1, 2), (0, 2, 3)))
    ball = Body(name="ball", shape=Sphere(radius_m=0.15), material="steel", position_m=(0.0, 0.0, 0.2))
    for y, expected in ((-0.5, 2), (0.5, 1)):
        sheet = Body(name="card", shape=card, material="oak", motion="static", position_m=(0.0, y, 0.2))
        spec = world(ball, sheet)
        middle = RaytraceRenderer().render(spec, still(spec), CAMERA, ("segmentation", "normals"))
        assert middle.segmentation[0, 50, 75] == expected
        if expected == 2:  # facing the camera, whichever way its triangles turn
            np.testing.assert_allclose(middle.normals[0, 50, 75], (0, -1, 0), atol=1e-6)


def busy_world(frames: int = 5) -> SceneSpec:
    """Every shape over a glossy floor, glass and steel among them, half of them at rest."""
    materials = ("steel", "glass", "oak", "rubber", "ceramic", "ice", "cork", "aluminium")
    things = [
        Body(
            name=name, shape=shape, material=materials[i], position_m=(0.33 * (i % 4) - 0.5, 0.3 * (i // 4), 0.25),
            motion="dynamic" if i % 3 else "static",
        )
        for i, (name, shape) in enumerate(SHAPES.items())
    ]  # fmt: skip
    return world(
        Body(name="floor", shape=Plane(), material="marble", motion="static"),
        *things,
        frames=frames,
        lights=(
            SunLight(direction=(0.4, 0.5, -1.0), irradiance=(1.5, 1.5, 1.4)),
            SphereLight(position_m=(0.8, -1.0, 2.0), radius_m=0.2, intensity=(6.0, 6.0, 6.0)),
        ),
    )


def digest(view: object) -> str:
    return hashlib.sha256(b"".join(getattr(view, name).tobytes() for name in view.passes)).hexdigest()  # type: ignore[attr-defined]


@pytest.mark.parametrize("camera", [CAMERA, MOVING], ids=["still", "moving"])
def test_the_same_bytes_again_and_in_another_process(camera: Camera) -> None:
    spec = busy_world(frames=2)
    run = spun(spec)
    renderer = RaytraceRenderer()
    first = digest(renderer.render(spec, run, camera))
    renderer.render(
        world(Body(name="x", shape=Plane(), material="oak", motion="static")), still(world(spec.bodies[0])), MOVING
    )
    assert digest(renderer.render(spec, run, camera)) == first
    which = "CAMERA" if camera is CAMERA else "MOVING"
    code = (
        f"import sys; sys.path.insert(0, {str(__file__.rsplit('/', 1)[0])!r})\n"
        "from test_raytrace import *\n"
        f"spec = busy_world(frames=2); print(digest(RaytraceRenderer().render(spec, spun(spec), {which})))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == first


def test_reusing_tiles_of_the_last_frame_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from physreel.renderers.video import raytrace

    spec = busy_world()
    run = spun(spec)
    tiles = []
    whole_todo = raytrace._Film._todo

    def counted(self: raytrace._Film, frame: int) -> np.ndarray:
        todo = whole_todo(self, frame)
        tiles.append(len(todo) / len(self.all_tiles))
        return todo

    monkeypatch.setattr(raytrace._Film, "_todo", counted)
    reused = RaytraceRenderer().render(spec, run, CAMERA)
    assert min(tiles) < 0.95
    monkeypatch.setattr(raytrace._Film, "_todo", lambda self, frame: self.all_tiles)
    assert digest(RaytraceRenderer().render(spec, run, CAMERA)) == digest(reused)


def test_a_pass_alone_is_the_pass_among_all() -> None:
    spec = busy_world(frames=2)
    run = spun(spec)
    everything = RaytraceRenderer().render(spec, run, CAMERA)
    for name in everything.passes:
        alone = RaytraceRenderer().render(spec, run, CAMERA, (name,))
        assert alone.passes == (name,)
        np.testing.assert_array_equal(getattr(alone, name), getattr(everything, name))


def test_what_cannot_be_is_refused() -> None:
    spec = world(Body(name="floor", shape=Plane(), material="oak", motion="static"))
    with pytest.raises(UnsupportedError, match="x-ray"):
        RaytraceRenderer().render(spec, still(spec), CAMERA, ("x-ray",))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="edge_samples"):
        RaytraceRenderer(edge_samples=0)


def test_a_hull_of_many_faces_keeps_them_apart() -> None:
    points = np.random.default_rng(1).normal(size=(256, 3))
    points *= 0.2 / np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points_m=tuple((float(x), float(y), float(z)) for x, y, z in points))
    bodies = [
        Body(name=f"hull_{i}", shape=hull, material="oak", motion="static", position_m=(0.45 * i - 0.225, 0.0, 0.25))
        for i in range(2)
    ]
    spec = world(*bodies)
    view = RaytraceRenderer().render(spec, still(spec), CAMERA, ("depth", "segmentation", "normals"))
    eye, ray = pixel_rays(CAMERA)
    for i, body in enumerate(bodies):
        mask = view.segmentation[0] == i + 1
        assert mask.sum() > 200
        outward = eye + view.depth[0][mask][:, None] * ray[mask] - body.position_m
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        # Five hundred facets of a ball: each normal is near the radius.
        assert np.einsum("ni,ni->n", outward, view.normals[0][mask]).min() > 0.9
