"""Liquids and clear vessels in the ray tracer's pictures, against formulas."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pysplashsurf
import pytest
from test_raytrace import CAMERA, MOVING, pixel_rays, still
from test_raytrace_look import linear

from physreel.geometry.distances import signed_distances
from physreel.geometry.vessels import capacity_m3, inner_radius_m, vessel_mesh
from physreel.renderers.video import raytrace, trace_field, visibility
from physreel.renderers.video.base import VideoRenderer
from physreel.renderers.video.liquid_surface import LiquidSurface, SurfaceMaker, keep_off_level, liquid_surfaces
from physreel.renderers.video.raytrace import RaytraceRenderer
from physreel.renderers.video.trace_finish import EXPOSURE
from physreel.spec import (
    Body,
    Box,
    Camera,
    CameraKeyframe,
    Environment,
    Fluid,
    Liquid,
    LiquidLook,
    Look,
    Plane,
    RegionFill,
    SceneSpec,
    Sphere,
    SunLight,
    Tank,
    Vessel,
)
from physreel.values import LiquidImpacts, LiquidTrack, Trajectory

FLOOR = Body(name="floor", shape=Plane(), material="concrete", motion="static")
GLASS = Vessel(profile_m=((0.0, 0.006), (0.028, 0.006), (0.030, 0.010), (0.035, 0.1)), wall_m=0.002)
TANK = Tank(inside_m=(0.12, 0.12, 0.08), wall_m=0.004)
MATT = Look(color=(0.6, 0.6, 0.6), roughness=1.0)
AMBIENT = Environment(zenith=(0.3, 0.3, 0.3), horizon=(0.3, 0.3, 0.3), ambient=(0.3, 0.3, 0.3))
ABOVE = Camera(
    width=96,
    height=96,
    fov_y_deg=22.0,
    keyframes=(CameraKeyframe(position_m=(0.0, -0.12, 0.45), look_at_m=(0.0, 0.0, 0.03)),),
)


def lattice(low: tuple[float, ...], high: tuple[float, ...], spacing: float) -> np.ndarray:
    """Points that fill a box, half a spacing off its faces."""
    sides = [
        np.linspace(a + spacing / 2, b - spacing / 2, round((b - a) / spacing)) for a, b in zip(low, high, strict=True)
    ]
    return np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3)


def in_tank(level_m: float, spacing: float = 0.005) -> np.ndarray:
    return lattice((-0.06, -0.06, 0.004), (0.06, 0.06, 0.004 + level_m), spacing)


def in_glass(level_m: float, spacing: float = 0.005) -> np.ndarray:
    """Rings half a spacing off the wall and from each other."""
    rings = []
    for z in np.arange(0.006 + spacing / 2, 0.006 + level_m, spacing):
        for r in np.arange(float(inner_radius_m(GLASS, [z])[0]) - spacing / 2, 0.0, -spacing):
            angle = np.arange(max(1, round(2 * np.pi * r / spacing))) * spacing / r
            rings.append(np.stack([r * np.cos(angle), r * np.sin(angle), np.full(len(angle), z)], 1))
    return np.concatenate(rings)


def world(
    *bodies: Body, liquids: tuple[LiquidLook, ...] = (LiquidLook(color=(0.5, 0.5, 0.5)),), **more: object
) -> SceneSpec:
    """A world with one fluid a look; what the fills say is of no matter to a renderer."""
    names = [f"liquid {k}" for k in range(len(liquids))]
    fill = RegionFill(shape=Box(size_m=(0.1, 0.1, 0.1)))
    made = {"fps": 20, "duration_s": 0.05, "particle_spacing_m": 0.005, **more}
    return SceneSpec(
        scene="test",
        bodies=bodies,
        liquids=tuple(
            Liquid(name=n, density_kg_m3=1000, viscosity_pa_s=1e-3, surface_tension_n_m=0.07, look=look)
            for n, look in zip(names, liquids, strict=True)
        ),
        fluids=tuple(Fluid(name=n, liquid=n, fills=(fill,)) for n in names),
        **made,
    )


def wet(
    spec: SceneSpec, points: np.ndarray, *, velocity: object = (0.0, 0.0, 0.0), fluid: np.ndarray | None = None,
    spacing: float = 0.005, present: bool = True,
) -> Trajectory:  # fmt: skip
    """The world at rest, and particles that all move alike and yet stay where they are."""
    run, count, frames = still(spec), len(points), spec.frame_count
    place = np.repeat(points[None], frames, 0).astype(np.float32)
    speed = np.broadcast_to(np.asarray(velocity, np.float32), place.shape)
    there = np.full((frames, count), present)
    track = LiquidTrack(
        spacing_m=spacing,
        fluid=np.zeros(count, np.int32) if fluid is None else fluid,
        position_m=place,
        velocity_m_s=speed,
        present=there,
        position_end_m=place[-1],
        velocity_end_m_s=speed[-1],
        present_end=there[-1],
        impacts=LiquidImpacts.empty(),
    )
    values = {name: getattr(run, name) for name in run.__dataclass_fields__}
    return Trajectory(**(values | {"liquid": track}))


def volume(surface: LiquidSurface) -> float:
    a, b, c = (surface.vertices[surface.faces[:, k]].astype(float) for k in range(3))
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


def tank_body(**look: object) -> Body:
    return Body(name="tank", shape=TANK, material="oak", motion="static", look=MATT.model_copy(update=look))


def glass_body() -> Body:
    return Body(name="glass", shape=GLASS, material="glass", motion="static")


STICK = Body(
    name="stick", shape=Box(size_m=(0.06, 0.04, 0.0004)), material="oak", motion="static",
    position_m=(0.01, 0.01, 0.0042), look=Look(color=(0.9, 0.05, 0.05), roughness=1.0),
)  # fmt: skip


def test_a_surface_holds_the_volume_of_its_particles() -> None:
    in_air = world(FLOOR)
    block = lattice((0, 0, 0.2), (0.06, 0.04, 0.25), 0.005)
    (surface,) = liquid_surfaces(in_air, wet(in_air, block), 0)
    assert volume(surface) == pytest.approx(0.06 * 0.04 * 0.05, rel=0.05)
    held = world(FLOOR, tank_body())
    (surface,) = liquid_surfaces(held, wet(held, in_tank(0.03)), 0)
    # The liquid goes 1.2 mm into the walls; what stands in the tank is without that.
    inside = np.clip(surface.vertices, (-0.06, -0.06, 0.004), (0.06, 0.06, 1.0))
    clipped = LiquidSurface(
        fluid=0, vertices=inside, faces=surface.faces, normals=surface.normals, velocity=surface.velocity
    )
    assert volume(clipped) == pytest.approx(0.12 * 0.12 * 0.03, rel=0.05)


def test_lone_particles_are_drops_of_their_own_volume() -> None:
    spec = world(FLOOR)
    points = np.array([[0.0, 0.0, 0.05], [0.05, 0.01, 0.04], [-0.03, 0.04, 0.03]])
    (surface,) = liquid_surfaces(spec, wet(spec, points), 0)
    assert volume(surface) == pytest.approx(3 * 0.005**3, rel=0.15)
    far = np.linalg.norm(surface.vertices[:, None] - points, axis=2).min(1)
    assert 0.4 * 0.005 < far.min() < far.max() < 0.75 * 0.005
    view = RaytraceRenderer().render(spec, wet(spec, points), ABOVE, ("segmentation",))
    radius_px = (0.75 / np.pi) ** (1 / 3) * 0.005 / 0.43 * ABOVE.intrinsics()[0, 0]
    assert (view.segmentation == 2).sum() == pytest.approx(3 * np.pi * radius_px**2, rel=0.2)


def test_a_value_that_is_the_surfaces_to_the_last_bit_stops_no_clip() -> None:
    field = np.zeros((6, 6, 6), np.float32)
    values = np.array([0.0, 1.0, trace_field.LEVEL], np.float32)
    field[1:5, 1:5, 1:5] = np.random.default_rng(0).choice(values, (4, 4, 4))

    def triangles() -> int:
        made = pysplashsurf.marching_cubes(
            field, iso_surface_threshold=trace_field.LEVEL, cube_size=1.0, translation=[0.0, 0.0, 0.0]
        )
        return len(made.triangles)

    with pytest.raises(RuntimeError, match="iso surface vertex"):
        triangles()
    keep_off_level(field)
    assert triangles() > 50


def test_surfaces_are_closed_and_face_outwards() -> None:
    spec = world(FLOOR, glass_body())
    points = np.concatenate([in_glass(0.05), lattice((0.1, 0, 0), (0.16, 0.04, 0.005), 0.005)])
    (surface,) = liquid_surfaces(spec, wet(spec, points), 0)
    edges = np.concatenate([surface.faces[:, [0, 1]], surface.faces[:, [1, 2]], surface.faces[:, [2, 0]]])
    forth = {tuple(edge) for edge in edges.tolist()}
    assert len(forth) == len(edges)
    assert all((b, a) in forth for a, b in forth)
    assert volume(surface) > 0
    np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("spacing", [0.004, 0.0065])
def test_liquid_touches_thin_walls_and_never_comes_out_behind_them(spacing: float) -> None:
    spec = world(FLOOR, glass_body())
    (surface,) = liquid_surfaces(spec, wet(spec, in_glass(0.06, spacing), spacing=spacing), 0)
    outside = signed_distances(GLASS, surface.vertices)
    radius = np.hypot(surface.vertices[:, 0], surface.vertices[:, 1])
    hollow = radius < inner_radius_m(GLASS, surface.vertices[:, 2]) + 1e-6
    above_floor = surface.vertices[:, 2] > 0.006 - 1e-6
    # Behind the inside's surface everything is within the wall, at most as deep as 45 % of it.
    behind = ~(hollow & above_floor)
    assert behind.sum() > 0.3 * len(outside)
    assert outside[behind].max() < 0.0
    assert outside[behind].min() > -1.25e-3
    # From the side no gap is seen: where there is liquid behind the glass, it begins within the wall.
    beside = Camera(
        width=64, height=64, fov_y_deg=12.0,
        keyframes=(CameraKeyframe(position_m=(0.0, -0.6, 0.04), look_at_m=(0.0, 0.0, 0.04)),),
    )  # fmt: skip
    depth = RaytraceRenderer().render(spec, wet(spec, in_glass(0.06, spacing), spacing=spacing), beside, ("depth",))
    empty = world(FLOOR, glass_body())
    bare = RaytraceRenderer().render(empty, still(empty), beside, ("depth",))
    gap = depth.depth[0, 24:40, 26:38] - bare.depth[0, 24:40, 26:38]
    assert gap.min() > 0.0005
    assert gap.max() < 0.0022


@pytest.mark.parametrize("shape", [GLASS, TANK], ids=["vessel", "tank"])
def test_a_level_stands_where_it_should_and_faces_up(shape: Vessel | Tank) -> None:
    body = Body(name="hollow", shape=shape, material="ceramic", motion="static")
    points = in_tank(0.04) if isinstance(shape, Tank) else in_glass(0.04)
    spec = world(FLOOR, body)
    run = wet(spec, points)
    view = RaytraceRenderer().render(spec, run, ABOVE, ("depth", "segmentation", "normals"))
    on = view.segmentation[0] == 3
    assert on.sum() > 300
    eye, ray = pixel_rays(ABOVE)
    point = eye + view.depth[0][on][:, None] * ray[on]
    level = 0.044 if isinstance(shape, Tank) else 0.046
    assert np.abs(point[:, 2] - level).max() < 0.3 * 0.005
    assert np.degrees(np.arccos(np.clip(view.normals[0][on][:, 2], -1, 1))).mean() < 4.0


@pytest.mark.parametrize("camera", [CAMERA, MOVING], ids=["still", "moving"])
def test_flow_of_liquid_leads_along_its_velocity(camera: Camera) -> None:
    spec = world(FLOOR, fps=20, duration_s=0.1)
    velocity = np.array([0.3, -0.2, 0.5])
    run = wet(spec, lattice((-0.1, -0.1, 0.15), (0.1, 0.1, 0.3), 0.01), velocity=velocity, spacing=0.01)
    view = RaytraceRenderer().render(spec, run, camera, ("depth", "segmentation", "flow", "normals"))
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    k = camera.intrinsics()
    for frame in range(2):
        on = view.segmentation[frame] == 2
        assert on.sum() > 200
        eye, ray = pixel_rays(camera, frame / 20)
        later = eye + view.depth[frame][on][:, None] * ray[on] + velocity / 20
        pose = camera.camera_to_world((frame + 1) / 20)
        seen = (later - pose[:3, 3]) @ pose[:3, :3]
        want = seen[:, :2] / seen[:, 2:] * k[0, 0] + k[:2, 2] - np.stack([x[on], y[on]], 1)
        assert np.abs(view.flow[frame][on] - want).max() < 0.02
        assert (np.einsum("ni,ni->n", view.normals[frame][on], ray[on]) < 1e-6).all()


def test_fluids_are_numbered_after_the_bodies() -> None:
    looks = (LiquidLook(color=(0.5, 0.5, 0.5)), LiquidLook(color=(0.9, 0.9, 0.9), opacity=1.0))
    spec = world(
        FLOOR, Body(name="ball", shape=Sphere(radius_m=0.05), material="oak", position_m=(0, 0, 0.05)), liquids=looks
    )
    left, right = lattice((-0.3, 0, 0.1), (-0.2, 0.1, 0.2), 0.01), lattice((0.2, 0, 0.1), (0.3, 0.1, 0.2), 0.01)
    fluid = np.repeat(np.array([0, 1], np.int32), [len(left), len(right)])
    run = wet(spec, np.concatenate([left, right]), fluid=fluid, spacing=0.01)
    assert [surface.fluid for surface in liquid_surfaces(spec, run, 0)] == [0, 1]
    segmentation = RaytraceRenderer().render(spec, run, CAMERA, ("segmentation",)).segmentation[0]
    where = [np.argwhere(segmentation == number)[:, 1].mean() for number in (3, 2, 4)]
    assert where[0] < where[1] < where[2]
    assert set(np.unique(segmentation)) == {1, 2, 3, 4}


def test_clear_vessels_are_looked_through_to_liquid_by_the_one_rule() -> None:
    ball = Body(name="ball", shape=Sphere(radius_m=0.012), material="oak", position_m=(0.02, -0.06, 0.04))
    behind = Body(name="box", shape=Box(size_m=(0.2, 0.01, 0.2)), material="oak", position_m=(0.0, 0.1, 0.1))
    bodies = (FLOOR, ball, behind)
    camera = Camera(
        width=80, height=80, fov_y_deg=14.0,
        keyframes=(CameraKeyframe(position_m=(0.1, -0.55, 0.2), look_at_m=(0.0, 0.0, 0.05)),),
    )  # fmt: skip
    points = in_glass(0.04)
    full = world(*bodies, glass_body())
    passes = ("depth", "segmentation")
    view = RaytraceRenderer().render(full, wet(full, points), camera, passes)
    # The same, one kind of thing at a time.
    alone = SceneSpec(scene="test", fps=20, duration_s=0.05, bodies=bodies)
    body = RaytraceRenderer().render(alone, still(alone), camera, passes)
    bare = SceneSpec(scene="test", fps=20, duration_s=0.05, bodies=(glass_body(),))
    clear = RaytraceRenderer().render(bare, still(bare), camera, passes)
    (surface,) = liquid_surfaces(full, wet(full, points), 0)
    liquid = _first_hit(surface, camera)
    seen = visibility.seen(body.depth[0], clear.depth[0], liquid)
    want = np.where(seen == visibility.LIQUID, 5, np.where(seen == visibility.CLEAR, 4, body.segmentation[0]))
    assert {1, 2, 3, 4, 5} <= set(np.unique(want))
    np.testing.assert_array_equal(view.segmentation[0], want)
    depth = np.choose(seen, [body.depth[0], clear.depth[0], liquid])
    np.testing.assert_allclose(view.depth[0], depth, atol=1e-6)


def _first_hit(surface: LiquidSurface, camera: Camera) -> np.ndarray:
    """(H, W) depth along straight rays, by trimesh."""
    import trimesh

    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    eye, ray = pixel_rays(camera)
    flat = ray.reshape(-1, 3)
    triangles = mesh.triangles.astype(float)
    depth = np.full(len(flat), np.inf)
    a, u, v = triangles[:, 0] - eye, triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    for k, d in enumerate(flat):
        p = np.cross(d, v)
        det = np.einsum("ti,ti->t", u, p)
        with np.errstate(divide="ignore", invalid="ignore"):
            s = np.einsum("ti,ti->t", -a, p) / det
            q = np.cross(-a, u)
            w = q @ d / det
            t = np.einsum("ti,ti->t", v, q) / det
        hit = (s >= -1e-12) & (w >= -1e-12) & (s + w <= 1 + 1e-12) & (t > 0)
        if hit.any():
            depth[k] = t[hit].min()
    return depth.reshape(ray.shape[:2])


def test_an_opaque_vessel_is_not_looked_through() -> None:
    for look, through in ((Look(color=(0.9, 0.9, 0.9), transmission=0.4), False), (None, True)):
        vessel = Body(name="v", shape=GLASS, material="glass", motion="static", look=look)
        assert visibility.looked_through(vessel, look or Look(color=(1, 1, 1), transmission=1.0)) == through
        spec = world(FLOOR, vessel)
        beside = Camera(
            width=32, height=32, fov_y_deg=8.0,
            keyframes=(CameraKeyframe(position_m=(0.0, -0.6, 0.04), look_at_m=(0.0, 0.0, 0.04)),),
        )  # fmt: skip
        run = wet(spec, in_glass(0.06))
        assert visibility.clear_bodies(spec) == ([1] if through else [])
        middle = RaytraceRenderer().render(spec, run, beside, ("segmentation", "rgb")).segmentation[0, 16, 16]
        assert middle == (3 if through else 2)


def test_clear_liquid_dims_with_depth_by_beer_and_lambert() -> None:
    lost = (4.0, 12.0, 30.0)
    value = {}
    for level in (0.02, 0.05):
        spec = world(
            FLOOR, tank_body(), liquids=(LiquidLook(color=(0, 0, 0), absorption_per_m=lost),), environment=AMBIENT
        )
        rgb = RaytraceRenderer().render(spec, wet(spec, in_tank(level)), ABOVE, ("rgb",)).rgb[0]
        # What is mirrored by the surface is the same for both: of a constant sky.
        value[level] = linear(rgb[44:52, 44:52].reshape(-1, 3).mean(0)) / EXPOSURE
    ray = pixel_rays(ABOVE)[1][48, 48]
    sine = np.hypot(*ray[:2]) / np.linalg.norm(ray)
    way = 0.03 / np.sqrt(1 - (sine / 1.33) ** 2)
    mirrored = 0.3 * 0.0203
    share = (value[0.05] - mirrored) / (value[0.02] - mirrored)
    np.testing.assert_allclose(np.log(share), -np.array(lost) * way, rtol=0.06, atol=0.01)


def test_what_lies_under_water_is_seen_where_snells_law_puts_it() -> None:
    camera = Camera(
        width=128, height=128, fov_y_deg=20.0,
        keyframes=(CameraKeyframe(position_m=(0.0, -0.3, 0.3), look_at_m=(0.0, 0.0, 0.03)),),
    )  # fmt: skip
    index, level = 1.5, 0.045
    points = in_tank(level, 0.005)
    under = (np.abs(points - (0.01, 0.01, 0.0042)) < (0.03, 0.02, 0.0004)).all(1)
    spec = world(FLOOR, tank_body(), STICK, liquids=(LiquidLook(color=(0, 0, 0), ior=index),), environment=AMBIENT)
    view = RaytraceRenderer().render(spec, wet(spec, points[~under]), camera, ("rgb", "segmentation"))
    rgb, water = view.rgb[0].astype(float), view.segmentation[0] == 4
    seen = water & (rgb[..., 0] > 2.0 * rgb[..., 1])
    eye, ray = pixel_rays(camera)

    def where(bent: bool) -> np.ndarray:
        d = ray / np.linalg.norm(ray, axis=2, keepdims=True)
        top = eye + d * ((0.004 + level - eye[2]) / d[..., 2])[..., None]
        if bent:
            down = np.sqrt(1 - (1 - d[..., 2] ** 2) / index**2)
            d = np.concatenate([d[..., :2] / index, -down[..., None]], 2)
        foot = top + d * ((0.0044 - top[..., 2]) / d[..., 2])[..., None]
        return water & (np.abs(foot[..., 0] - 0.01) < 0.03) & (np.abs(foot[..., 1] - 0.01) < 0.02)

    bent, straight = where(True), where(False)
    overlap = [(seen & mask).sum() / (seen | mask).sum() for mask in (bent, straight)]
    assert seen.sum() > 150
    assert overlap[0] > 0.9
    assert overlap[1] < 0.2


def test_milk_hides_what_lies_in_it_and_water_does_not() -> None:
    sun = (SunLight(direction=(0.2, 0.3, -1.0), irradiance=(1.0, 1.0, 1.0)),)
    stick = Body(
        name="stick", shape=Box(size_m=(0.03, 0.03, 0.01)), material="rubber", motion="static", position_m=(0, 0, 0.009)
    )
    for look, hidden in (
        (LiquidLook(color=(0.9, 0.9, 0.9), opacity=1.0), True),
        (LiquidLook(color=(0.9, 0.9, 0.9)), False),
    ):
        pictures = []
        for bodies in ((FLOOR, tank_body()), (FLOOR, tank_body(), stick)):
            spec = world(*bodies, liquids=(look,), lights=sun)
            points = in_tank(0.05)
            points = points[(np.abs(points) > 0.016).any(1) | (points[:, 2] > 0.017)]
            pictures.append(RaytraceRenderer().render(spec, wet(spec, points), ABOVE, ("rgb",)).rgb[0].astype(int))
        differ = np.abs(pictures[0] - pictures[1]).max(2)[30:66, 30:66]
        assert (differ.max() <= 4) if hidden else (np.quantile(differ, 0.9) > 20)


def light_behind_a_block(renderer: VideoRenderer, wine_per_m: tuple[float, float, float], around: Environment) -> dict:
    """Linear light (3,) on the floor where nothing, or a block 0.1 m wide of a liquid, keeps the sun off."""
    sun = (SunLight(direction=(1.0, 0.0, -1.0), irradiance=(2.0, 2.0, 2.0), angular_diameter_deg=2.0),)
    blob = lattice((-0.05, -0.05, 0.1), (0.05, 0.05, 0.2), 0.01)
    camera = Camera(
        width=48, height=48, fov_y_deg=30.0,
        keyframes=(CameraKeyframe(position_m=(0.15, -0.6, 0.5), look_at_m=(0.12, 0.0, 0.0)),),
    )  # fmt: skip
    looks = {
        "none": None,
        "water": LiquidLook(color=(0.5, 0.5, 0.5)),
        "wine": LiquidLook(color=(0.2, 0.0, 0.0), absorption_per_m=wine_per_m),
        "milk": LiquidLook(color=(0.9, 0.9, 0.9), opacity=1.0),
    }
    eye, ray = pixel_rays(camera)
    foot = eye + ray * (-eye[2] / ray[..., 2])[..., None]
    middle = np.hypot(foot[..., 0] - 0.15, foot[..., 1]) < 0.02
    light = {}
    for name, look in looks.items():
        spec = world(FLOOR, liquids=() if look is None else (look,), lights=sun, environment=around)
        run = still(spec) if look is None else wet(spec, blob, spacing=0.01)
        light[name] = linear(renderer.render(spec, run, camera, ("rgb",)).rgb[0][middle].mean(0))
    return light


def test_shadows_milk_darkens_the_floor_and_water_hardly_does() -> None:
    light = light_behind_a_block(RaytraceRenderer(), (2.0, 60.0, 40.0), AMBIENT)
    assert light["milk"][1] < 0.6 * light["none"][1]
    assert 0.8 * light["none"][1] < light["water"][1] < light["none"][1]
    assert light["wine"][0] > 1.3 * light["wine"][1]


def test_a_vessel_looks_round_and_as_its_triangles_do() -> None:
    look = Look(color=(0.5, 0.4, 0.3), roughness=0.9)
    views = []
    for shape in (GLASS, vessel_mesh(GLASS)):
        thing = Body(name="thing", shape=shape, material="oak", motion="static", look=look)
        spec = SceneSpec(
            scene="test", fps=20, duration_s=0.05, bodies=(FLOOR, thing),
            lights=(SunLight(direction=(0.5, 0.4, -1.0), irradiance=(2.0, 2.0, 2.0)),),
            environment=Environment(ambient=(0.0, 0.0, 0.0)),
        )  # fmt: skip
        views.append(RaytraceRenderer().render(spec, still(spec), ABOVE))
    smooth, faceted = views
    same = smooth.segmentation == faceted.segmentation
    assert same.mean() > 0.999
    on = same & (smooth.segmentation == 2)
    assert np.median(np.abs(smooth.depth - faceted.depth)[on]) < 3e-5
    assert np.abs(smooth.rgb.astype(int) - faceted.rgb.astype(int))[on].mean() < 8


def test_pictures_of_clear_things_have_no_black_and_no_stray_pixels() -> None:
    spec = world(
        FLOOR, glass_body(), environment=AMBIENT, liquids=(LiquidLook(color=(0, 0, 0), absorption_per_m=(1, 1, 1)),)
    )
    camera = CAMERA.model_copy(
        update={"keyframes": (CameraKeyframe(position_m=(0.05, -0.35, 0.15), look_at_m=(0.0, 0.0, 0.05)),)}
    )
    view = RaytraceRenderer().render(spec, wet(spec, in_glass(0.05)), camera, ("rgb", "segmentation"))
    assert view.rgb.min() > 20
    # Deep in the liquid, far from any edge, neighbours are alike.
    on = view.segmentation[0] == 3
    for _ in range(4):
        on[1:-1, 1:-1] &= on[:-2, 1:-1] & on[2:, 1:-1] & on[1:-1, :-2] & on[1:-1, 2:]
    jump = np.abs(np.diff(view.rgb[0].astype(int), axis=1)).max(2)
    assert np.quantile(jump[on[:, 1:] & on[:, :-1]], 0.98) < 25


def test_without_present_particles_the_picture_is_that_of_the_empty_world() -> None:
    spec = world(FLOOR, glass_body(), lights=(SunLight(direction=(0.2, 0.3, -1.0), irradiance=(1.0, 1.0, 1.0)),))
    run = wet(spec, in_glass(0.02), present=False)
    assert liquid_surfaces(spec, run, 0) == ()
    wet_view, dry_view = (RaytraceRenderer().render(spec, r, CAMERA) for r in (run, still(spec)))
    for name in wet_view.passes:
        np.testing.assert_array_equal(getattr(wet_view, name), getattr(dry_view, name))


def busy() -> tuple[SceneSpec, Trajectory]:
    """Glass, clear and opaque liquid, a glossy floor; two frames."""
    looks = (
        LiquidLook(color=(0.5, 0.5, 0.5), absorption_per_m=(1, 2, 3)),
        LiquidLook(color=(0.9, 0.9, 0.8), opacity=0.8),
    )
    floor = Body(name="floor", shape=Plane(), material="marble", motion="static")
    cameras = (CAMERA, MOVING.model_copy(update={"name": "second"}))
    sun = (SunLight(direction=(0.2, 0.3, -1.0), irradiance=(1.0, 1.0, 1.0)),)
    spec = world(floor, glass_body(), liquids=looks, lights=sun, duration_s=0.1, cameras=cameras)
    points, spilled = in_glass(0.05), lattice((0.08, -0.02, 0), (0.13, 0.02, 0.01), 0.005)
    fluid = np.repeat(np.array([0, 1], np.int32), [len(points), len(spilled)])
    return spec, wet(spec, np.concatenate([points, spilled]), fluid=fluid)


def digest() -> str:
    spec, run = busy()
    found = hashlib.sha256()
    for surface in liquid_surfaces(spec, run, 0):
        for name in ("vertices", "faces", "normals", "velocity"):
            found.update(getattr(surface, name).tobytes())
    for camera in spec.cameras:
        view = RaytraceRenderer().render(spec, run, camera)
        for name in view.passes:
            found.update(getattr(view, name).tobytes())
    return found.hexdigest()


def test_the_same_bytes_again_in_another_process_and_for_fewer_passes() -> None:
    assert digest() == digest()
    program = f"import sys; sys.path.insert(0, {sys.path[0]!r}); import test_liquid_picture as t; print(t.digest())"
    program = program.replace(repr(sys.path[0]), repr(str(__file__).rsplit("/", 1)[0]))
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest()
    spec, run = busy()
    whole = RaytraceRenderer().render(spec, run, MOVING)
    for name in whole.passes:
        alone = RaytraceRenderer().render(spec, run, MOVING, (name,))
        np.testing.assert_array_equal(getattr(alone, name), getattr(whole, name))


def test_cameras_of_a_world_share_the_surfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    surface = SurfaceMaker._surface
    monkeypatch.setattr(SurfaceMaker, "_surface", lambda self, *args: made.append(1) or surface(self, *args))
    spec, run = busy()
    renderer = RaytraceRenderer()
    for camera in spec.cameras:
        renderer.render(spec, run, camera, ("depth",))
    assert len(made) == 2 * spec.frame_count  # two fluids


def test_a_filled_glass_holds_what_its_capacity_says() -> None:
    spec = world(FLOOR, glass_body())
    (surface,) = liquid_surfaces(spec, wet(spec, in_glass(0.06)), 0)
    radius = inner_radius_m(GLASS, surface.vertices[:, 2])
    scale = np.minimum(1.0, radius / np.maximum(np.hypot(surface.vertices[:, 0], surface.vertices[:, 1]), 1e-9))
    inside = surface.vertices * np.stack([scale, scale, np.ones_like(scale)], 1)
    inside[:, 2] = np.maximum(inside[:, 2], 0.006)
    clipped = LiquidSurface(
        fluid=0, vertices=inside, faces=surface.faces, normals=surface.normals, velocity=surface.velocity
    )
    assert volume(clipped) == pytest.approx(capacity_m3(GLASS, 0.06), rel=0.04)


def test_under_a_still_camera_clear_vessels_are_the_same_with_and_without_reuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ball = Body(name="ball", shape=Sphere(radius_m=0.02), material="oak", position_m=(-0.15, 0.05, 0.03))
    floor = Body(name="floor", shape=Plane(), material="marble", motion="static")
    sun = (SunLight(direction=(0.2, 0.3, -1.0), irradiance=(1.0, 1.0, 1.0)),)
    tank = Body(name="tank", shape=TANK, material="glass", motion="static", position_m=(0.2, 0.0, 0.0))
    spec = SceneSpec(scene="test", fps=20, duration_s=0.25, bodies=(floor, glass_body(), tank, ball), lights=sun)
    run = still(spec)
    poses = run.body_pose.copy()
    poses[:, 3, 0] += 0.06 * np.array([0.0, 0.0, 1.0, 2.0, 2.0])
    values = {name: getattr(run, name) for name in run.__dataclass_fields__}
    run = Trajectory(**(values | {"body_pose": poses, "body_pose_end": poses[-1]}))
    reused = RaytraceRenderer().render(spec, run, CAMERA)
    monkeypatch.setattr(raytrace._Film, "_todo", lambda self, frame: self.all_tiles)
    anew = RaytraceRenderer().render(spec, run, CAMERA)
    for name in reused.passes:
        np.testing.assert_array_equal(getattr(reused, name), getattr(anew, name))
