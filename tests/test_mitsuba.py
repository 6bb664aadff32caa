"""Mitsuba's renderer: its exact passes against the ray tracer's, light against closed forms, and its promises."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from test_liquid_picture import ABOVE, AMBIENT, FLOOR, STICK, busy, in_tank, light_behind_a_block, tank_body, wet, world
from test_raytrace import SHAPES, TURN, film_of, pixel_rays, spun, still
from test_raytrace_look import linear

from physreel.errors import MissingDependencyError, UnsupportedError
from physreel.pipeline import library_versions
from physreel.renderers.video.mitsuba import MitsubaRenderer
from physreel.renderers.video.raytrace import RaytraceRenderer
from physreel.renderers.video.trace_finish import EXPOSURE
from physreel.spec import (
    Body,
    Box,
    Camera,
    CameraKeyframe,
    Environment,
    LiquidLook,
    Look,
    Plane,
    SceneSpec,
    Sphere,
    SphereLight,
    SunLight,
    Texture,
    TriangleMesh,
)
from physreel.values import PASSES, Trajectory, View

pytest.importorskip("mitsuba")

CAMERA = Camera(
    width=64,
    height=48,
    fov_y_deg=34.0,
    keyframes=(
        CameraKeyframe(position_m=(0.2, -2.2, 1.2), look_at_m=(0.05, 0.0, 0.2)),
        CameraKeyframe(time_s=0.3, position_m=(0.4, -2.1, 1.1), look_at_m=(0.05, 0.0, 0.25)),
    ),
)
BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
DARK = Environment(zenith=BLACK, horizon=BLACK, ambient=BLACK)


def every_shape(frames: int = 2) -> SceneSpec:
    """Each shape once, side by side over a textured floor, with a wall behind."""
    mesh = TriangleMesh(
        vertices_m=((-0.1, -0.1, 0.0), (0.1, -0.1, 0.0), (0.0, 0.15, 0.0), (0.0, 0.0, 0.2)),
        faces=((0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3)),
    )
    bodies = [
        Body(name="floor", shape=Plane(), material="oak", motion="static"),
        Body(
            name="wall", shape=Plane(), material="concrete", motion="static", position_m=(0.0, 1.0, 0.0),
            orientation_wxyz=(0.5**0.5, 0.5**0.5, 0.0, 0.0),
        ),
    ]  # fmt: skip
    for k, (name, shape) in enumerate({**SHAPES, "mesh": mesh}.items()):
        place = (-0.6 + 0.36 * (k % 4), -0.45 + 0.4 * (k // 4), 0.2 + 0.1 * (k % 3))
        motion = "static" if name == "mesh" else "dynamic"
        bodies.append(
            Body(name=name, shape=shape, material="rubber", motion=motion, position_m=place, orientation_wxyz=TURN)
        )
    lights = (SphereLight(position_m=(1.0, -1.5, 2.0), radius_m=0.2, intensity=(8.0, 8.0, 8.0)),)
    return SceneSpec(scene="test", fps=20, duration_s=frames / 20, bodies=tuple(bodies), lights=lights)


def film(spec: SceneSpec, *, passes=("rgb",), camera: Camera = CAMERA, **options: object) -> View:
    options.setdefault("samples", 4)
    return MitsubaRenderer(**options).render(spec, still(spec), camera, passes)


def level(rgb: np.ndarray) -> float:
    """Mean linear light of bytes, where the tone curve is straight."""
    return float(linear(rgb).mean()) / EXPOSURE


def test_exact_passes_are_the_ray_tracers() -> None:
    spec = every_shape()
    passes = ("depth", "segmentation", "normals", "flow")
    ours = RaytraceRenderer().render(spec, spun(spec), CAMERA, passes)
    view = MitsubaRenderer().render(spec, spun(spec), CAMERA, passes)
    assert set(np.unique(view.segmentation)) >= set(range(1, len(spec.bodies) + 1))
    same = view.segmentation == ours.segmentation
    # Pixels whose centre lies within a hundredth of a pixel of an outline may fall to either side.
    assert same.mean() > 0.998
    assert np.abs(view.depth / ours.depth - 1.0)[same].max() < 2e-3
    assert np.quantile(np.abs(view.depth / ours.depth - 1.0)[same], 0.99) < 1e-4
    cosine = np.einsum("tyxi,tyxi->tyx", view.normals, ours.normals)[same]
    assert (cosine > np.cos(np.radians(2.0))).mean() > 0.998
    assert (np.linalg.norm(view.flow - ours.flow, axis=-1)[same] < 0.1).mean() > 0.998


def test_solids_round_the_camera_and_planes_from_behind_are_not_seen() -> None:
    behind = Camera(
        width=64, height=48, keyframes=(CameraKeyframe(position_m=(0.0, -2.0, -0.5), look_at_m=(0.0, 0.0, 0.2)),)
    )
    bodies = (
        Body(name="floor", shape=Plane(), material="oak", motion="static"),
        Body(name="shell", shape=Sphere(radius_m=0.3), material="steel", motion="static", position_m=(0.0, -2.0, -0.5)),
        Body(name="box", shape=Box(size_m=(0.4, 0.4, 0.4)), material="steel", motion="static"),
    )
    spec = SceneSpec(scene="test", fps=20, duration_s=0.05, bodies=bodies)
    view = film(spec, camera=behind, passes=("segmentation", "depth"))
    assert set(np.unique(view.segmentation)) == {0, 3}
    assert np.isinf(view.depth[view.segmentation == 0]).all()


@pytest.mark.parametrize("light", ["direct", "path"])
def test_a_matt_floor_has_the_radiance_of_the_formulas(light: str) -> None:
    albedo, look = 0.4, Look(color=(0.4, 0.4, 0.4), roughness=1.0)
    floor = (Body(name="floor", shape=Plane(), material="oak", motion="static", look=look),)
    above = Camera(
        width=32, height=32, fov_y_deg=2.0,
        keyframes=(CameraKeyframe(position_m=(0.0, -0.02, 1.0), look_at_m=(0.0, 0.0, 0.0)),),
    )  # fmt: skip

    def seen(environment: Environment = DARK, lights: tuple[SunLight | SphereLight, ...] = ()) -> float:
        spec = SceneSpec(scene="test", fps=20, duration_s=0.05, bodies=floor, environment=environment, lights=lights)
        return level(film(spec, camera=above, light=light, samples=16).rgb)

    ambient = Environment(zenith=WHITE, horizon=WHITE, ambient=(0.5, 0.5, 0.5))
    assert seen(ambient) == pytest.approx(albedo * 0.5, rel=0.02)
    tilt = np.radians(40.0)
    sun = SunLight(direction=(np.sin(tilt), 0.0, -np.cos(tilt)), irradiance=(1.2, 1.2, 1.2), angular_diameter_deg=2.0)
    # The gloss of a rough dielectric adds a little to Lambert's albedo / pi.
    assert seen(lights=(sun,)) == pytest.approx(albedo / np.pi * 1.2 * np.cos(tilt), rel=0.08)
    lamp = SphereLight(position_m=(0.0, 0.0, 2.0), radius_m=0.2, intensity=(4.0, 4.0, 4.0))
    assert seen(lights=(lamp,)) == pytest.approx(albedo / np.pi * 4.0 / 2.0**2, rel=0.08)
    point = lamp.model_copy(update={"radius_m": 0.0})
    assert seen(lights=(point,)) == pytest.approx(seen(lights=(lamp,)), rel=0.02)


def test_light_comes_from_surface_to_surface_with_path_and_not_with_direct() -> None:
    red = Look(color=(0.8, 0.05, 0.05), roughness=1.0)
    white = Look(color=(0.8, 0.8, 0.8), roughness=1.0)
    bodies = (
        Body(name="floor", shape=Plane(), material="oak", motion="static", look=white),
        Body(
            name="block", shape=Box(size_m=(0.5, 2.0, 1.0)), material="oak", motion="static", look=red,
            position_m=(-0.5, 0.0, 0.5),
        ),
    )  # fmt: skip
    sun = SunLight(direction=(-1.0, 0.0, -1.0), irradiance=(1.5, 1.5, 1.5))
    camera = Camera(
        width=48, height=32, keyframes=(CameraKeyframe(position_m=(0.6, -2.5, 1.2), look_at_m=(0.1, 0.0, 0.0)),)
    )
    spec = SceneSpec(scene="test", fps=20, duration_s=0.05, bodies=bodies, lights=(sun,), environment=DARK)
    tinge = {}
    for light in ("direct", "path"):
        view = film(spec, camera=camera, light=light, samples=16, passes=("rgb", "segmentation"))
        floor = view.rgb[view.segmentation == 1].astype(float)
        tinge[light] = floor[:, 0].mean() / floor[:, 1].mean()
    assert tinge["direct"] == pytest.approx(1.0, abs=0.005)
    assert tinge["path"] > 1.03


def test_clear_glass_neither_adds_light_nor_loses_it() -> None:
    glass = Look(color=WHITE, roughness=0.0, transmission=1.0, ior=1.5)
    ball = Body(name="ball", shape=Sphere(radius_m=0.3), material="glass", motion="static", look=glass)
    up = Camera(
        width=48, height=48, fov_y_deg=12.0,
        keyframes=(CameraKeyframe(position_m=(0.0, -0.4, -4.0), look_at_m=(0.0, 0.0, 0.0)),),
    )  # fmt: skip
    # Faint mirrored light inside is guessed to be the ambient light, here that from below.
    sky = Environment(zenith=(0.4, 0.4, 0.4), horizon=(0.4, 0.4, 0.4), ambient=(0.2, 0.2, 0.2))
    spec = SceneSpec(scene="test", fps=20, duration_s=0.05, bodies=(ball,), environment=sky)
    view = film(spec, camera=up, samples=16, passes=("rgb", "segmentation"))
    inner = view.rgb[0, 18:30, 18:30]
    assert (view.segmentation[0, 18:30, 18:30] == 1).all()
    # What two borders of 4 % each send back comes from below the horizon, where the sky is half as bright.
    through = 0.96**2
    assert level(inner) == pytest.approx(0.4 * (through + 0.5 * (1.0 - through)), rel=0.01)


def test_a_wall_that_hides_the_sun_casts_no_shadow_and_a_block_does() -> None:
    wall = Body(
        name="wall", shape=Plane(), material="concrete", motion="static", position_m=(-0.6, 0.0, 0.0),
        orientation_wxyz=(0.5**0.5, 0.0, 0.5**0.5, 0.0),
    )  # fmt: skip
    floor = Body(name="floor", shape=Plane(), material="concrete", motion="static")
    block = Body(
        name="block", shape=Box(size_m=(0.3, 0.3, 0.3)), material="oak", motion="static", position_m=(0.0, 0.0, 0.15)
    )
    sun = SunLight(direction=(1.0, 0.3, -1.0), irradiance=(1.5, 1.5, 1.5))
    for light in ("path", "direct"):
        levels = []
        for bodies in ((floor, block), (floor, block, wall)):
            spec = SceneSpec(
                scene="test", fps=20, duration_s=0.05, bodies=bodies, lights=(sun,),
                environment=Environment(ambient=(0.1, 0.1, 0.1)),
            )  # fmt: skip
            view = film(spec, light=light, passes=("rgb", "segmentation"))
            ground = view.rgb[view.segmentation == 1].astype(float).mean(1)
            levels.append((np.quantile(ground, 0.75), ground.min()))
        (open_lit, open_dark), (lit, dark) = levels
        assert lit > 0.95 * open_lit
        assert dark < 0.8 * lit
        assert open_dark < 0.8 * open_lit


def test_the_same_bytes_for_any_threads_and_passes_and_after_another_film() -> None:
    spec = every_shape(frames=1)
    lively = SceneSpec(
        **{**spec.model_dump(), "bodies": tuple(
            body.model_copy(update={"material": material})
            for body, material in zip(spec.bodies, ("marble", "concrete", "glass", "steel", "ice") * 3, strict=False)
        )}
    )  # fmt: skip
    renderer = MitsubaRenderer(samples=4)
    all_passes = renderer.render(lively, still(lively), CAMERA, PASSES)
    assert all_passes.passes == PASSES
    again = MitsubaRenderer(samples=4, threads=2).render(lively, still(lively), CAMERA, ("rgb",))
    np.testing.assert_array_equal(all_passes.rgb, again.rgb)
    film(every_shape(frames=1))
    np.testing.assert_array_equal(all_passes.rgb, renderer.render(lively, still(lively), CAMERA, ("rgb",)).rgb)


def test_frames_do_not_depend_on_those_before_them() -> None:
    spec = every_shape(frames=2)
    poses = np.array([[*body.position_m, *body.orientation_wxyz] for body in spec.bodies])
    moved = poses.copy()
    moved[2:, 2] += 0.1
    both = MitsubaRenderer(samples=4).render(spec, film_of(spec, np.stack([poses, moved, moved])), CAMERA, ("rgb",))
    second = MitsubaRenderer(samples=4).render(spec, film_of(spec, np.stack([moved, moved, moved])), CAMERA, ("rgb",))
    np.testing.assert_array_equal(both.rgb[1], second.rgb[1])


def test_textures_are_the_ray_tracers() -> None:
    texture = Texture(kind="checker", color=(0.05, 0.05, 0.05), scale_m=0.2)
    look = Look(color=(0.7, 0.6, 0.3), roughness=0.9, texture=texture)
    bodies = (
        Body(name="floor", shape=Plane(), material="oak", motion="static", look=look),
        Body(
            name="box", shape=Box(size_m=(0.5, 0.5, 0.5)), material="oak", motion="static", look=look,
            position_m=(0.1, 0.1, 0.25),
        ),
    )  # fmt: skip
    spec = SceneSpec(scene="test", fps=20, duration_s=0.05, bodies=bodies, environment=Environment(ambient=WHITE))
    ours = RaytraceRenderer().render(spec, still(spec), CAMERA, ("rgb",)).rgb.astype(float)
    theirs = film(spec, light="direct", samples=16).rgb.astype(float)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9


def test_says_what_to_install_where_mitsuba_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'physreel\[mitsuba\]'"):
        MitsubaRenderer()


def test_what_drew_a_picture_is_recorded() -> None:
    assert {"mitsuba", "drjit"} <= set(library_versions())


def test_refuses_what_it_does_not_know_and_says_what_there_is() -> None:
    spec = every_shape(frames=1)
    with pytest.raises(UnsupportedError, match=r"'x-ray'.*rgb, depth"):
        MitsubaRenderer().render(spec, still(spec), CAMERA, ("x-ray",))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError) as refusal:
        MitsubaRenderer(samples=0, depth=1, light="moon", threads=0)  # type: ignore[arg-type]
    for word in ("samples", "depth", "light", "threads"):
        assert word in str(refusal.value)


def tank_of_water(level_m: float, *extra: Body, **look: object) -> tuple[SceneSpec, Trajectory]:
    spec = world(FLOOR, tank_body(), *extra, liquids=(LiquidLook(color=BLACK, **look),), environment=AMBIENT)
    return spec, wet(spec, in_tank(level_m))


def test_exact_passes_of_liquids_are_the_ray_tracers() -> None:
    spec, run = busy()
    passes = ("depth", "segmentation", "normals", "flow")
    for camera in spec.cameras:
        small = camera.model_copy(update={"width": 75, "height": 50})
        ours = RaytraceRenderer().render(spec, run, small, passes)
        view = MitsubaRenderer().render(spec, run, small, passes)
        assert set(np.unique(view.segmentation)) == {1, 2, 3, 4}
        same = view.segmentation == ours.segmentation
        assert same.mean() > 0.998
        assert np.quantile(np.abs(view.depth - ours.depth)[same], 0.995) < 1e-3
        cosine = np.einsum("tyxi,tyxi->tyx", view.normals, ours.normals)[same]
        assert (cosine > np.cos(np.radians(2.0))).mean() > 0.995
        assert (np.linalg.norm(view.flow - ours.flow, axis=-1)[same] < 0.1).mean() > 0.998


def test_a_flat_level_is_at_its_height_and_faces_up() -> None:
    spec, run = tank_of_water(0.04)
    view = MitsubaRenderer().render(spec, run, ABOVE, ("depth", "segmentation", "normals"))
    on = view.segmentation[0] == 3
    assert on.sum() > 300
    eye, ray = pixel_rays(ABOVE)
    point = eye + view.depth[0][on][:, None] * ray[on]
    assert np.abs(point[:, 2] - 0.044).max() < 0.3 * 0.005
    assert np.degrees(np.arccos(np.clip(view.normals[0][on][:, 2], -1, 1))).mean() < 4.0


def test_clear_liquid_dims_with_depth_by_beer_and_lambert() -> None:
    lost, value = (4.0, 12.0, 30.0), {}
    for shallow_or_deep in (0.02, 0.05):
        spec, run = tank_of_water(shallow_or_deep, absorption_per_m=lost)
        rgb = MitsubaRenderer(samples=16, light="direct").render(spec, run, ABOVE, ("rgb",)).rgb[0]
        value[shallow_or_deep] = linear(rgb[44:52, 44:52].reshape(-1, 3).mean(0)) / EXPOSURE
    ray = pixel_rays(ABOVE)[1][48, 48]
    sine = np.hypot(*ray[:2]) / np.linalg.norm(ray)
    way = 0.03 / np.sqrt(1 - (sine / 1.33) ** 2)
    # What the surface mirrors of a constant sky is the same for both.
    mirrored = 0.3 * 0.0203
    share = (value[0.05] - mirrored) / (value[0.02] - mirrored)
    # The deeper the bottom lies, the less of the ambient light the walls let down to it: the same for all colours.
    np.testing.assert_allclose(np.log(share[1:] / share[0]), -np.diff(lost, prepend=0)[1:].cumsum() * way, rtol=0.06)


def test_what_lies_under_water_is_seen_where_snells_law_puts_it() -> None:
    camera = Camera(
        width=96, height=96, fov_y_deg=20.0,
        keyframes=(CameraKeyframe(position_m=(0.0, -0.3, 0.3), look_at_m=(0.0, 0.0, 0.03)),),
    )  # fmt: skip
    index, level_m = 1.5, 0.045
    spec, _ = tank_of_water(level_m, STICK, ior=index)
    points = in_tank(level_m)
    under = (np.abs(points - (0.01, 0.01, 0.0042)) < (0.03, 0.02, 0.0004)).all(1)
    run = wet(spec, points[~under])
    view = MitsubaRenderer(samples=4, light="direct").render(spec, run, camera, ("rgb", "segmentation"))
    rgb, water = view.rgb[0].astype(float), view.segmentation[0] == 4
    seen = water & (rgb[..., 0] > 2.0 * rgb[..., 1])
    eye, ray = pixel_rays(camera)
    unit = ray / np.linalg.norm(ray, axis=2, keepdims=True)
    down = np.sqrt(1 - (1 - unit[..., 2] ** 2) / index**2)
    overlap = []
    for beyond in (np.concatenate([unit[..., :2] / index, -down[..., None]], 2), unit):
        top = eye + unit * ((0.004 + level_m - eye[2]) / unit[..., 2])[..., None]
        foot = top + beyond * ((0.0044 - top[..., 2]) / beyond[..., 2])[..., None]
        want = water & (np.abs(foot[..., 0] - 0.01) < 0.03) & (np.abs(foot[..., 1] - 0.01) < 0.02)
        overlap.append((seen & want).sum() / (seen | want).sum())
    bent, straight = overlap
    assert bent > 0.85
    assert straight < 0.25


def test_wine_colours_its_shadow_and_milk_makes_it_dark() -> None:
    light = light_behind_a_block(MitsubaRenderer(samples=4, light="direct"), (2.0, 20.0, 15.0), DARK)
    assert light["milk"].max() < 0.01 * light["none"].min()
    # Two borders of 4 % each, and 0.1 m of liquid along the light, which is a little slanted through the block.
    np.testing.assert_allclose(light["water"] / light["none"], 0.92, atol=0.04)
    red, green, blue = light["wine"] / light["water"]
    assert np.log(green) / np.log(blue) == pytest.approx(20.0 / 15.0, rel=0.1)
    assert np.log(green) == pytest.approx(-20.0 * 0.1 * np.sqrt(2.0), rel=0.15)
    assert red > 0.7


def test_liquids_in_glass_are_the_same_bytes_again() -> None:
    spec, run = busy()
    small = spec.cameras[0].model_copy(update={"width": 48, "height": 32})
    for light in ("path", "direct"):
        first, second = (MitsubaRenderer(samples=4, light=light).render(spec, run, small, ("rgb",)) for _ in range(2))
        np.testing.assert_array_equal(first.rgb, second.rgb)


def test_contracts_of_a_video_renderer() -> None:
    from physreel.testing import check_video_renderer

    class Coarse(MitsubaRenderer):
        def __init__(self) -> None:
            super().__init__(samples=1, light="direct")

    check_video_renderer(Coarse)
