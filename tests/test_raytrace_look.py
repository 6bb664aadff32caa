"""What the ray tracer's pictures look like: shadows, edges, glass, mirrors, textures."""

from __future__ import annotations

import numpy as np
import pytest
from test_raytrace import still, world

from physreel.renderers.video.raytrace import RaytraceRenderer
from physreel.renderers.video.trace_finish import EXPOSURE
from physreel.spec import (
    Body,
    Box,
    Camera,
    CameraKeyframe,
    Environment,
    Look,
    Plane,
    SceneSpec,
    Sphere,
    SphereLight,
    SunLight,
    Texture,
)

MATT = Look(color=(0.5, 0.5, 0.5), roughness=1.0)
FLOOR = Body(name="floor", shape=Plane(), material="concrete", motion="static", look=MATT)
DOWN = Camera(
    width=96,
    height=96,
    fov_y_deg=40.0,
    keyframes=(CameraKeyframe(position_m=(0.0, -0.01, 2.0), look_at_m=(0.0, 0.0, 0.0)),),
)
SIDE = Camera(
    width=96,
    height=96,
    fov_y_deg=30.0,
    keyframes=(CameraKeyframe(position_m=(0.0, -2.0, 0.3), look_at_m=(0.0, 0.0, 0.3)),),
)


def picture(spec: SceneSpec, camera: Camera) -> np.ndarray:
    return RaytraceRenderer().render(spec, still(spec), camera, ("rgb",)).rgb[0].astype(int)


def linear(bytes_: np.ndarray) -> np.ndarray:
    x = np.asarray(bytes_) / 255.0
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def test_a_matt_floor_has_the_radiance_of_lamberts_law() -> None:
    ambient = Environment(ambient=(0.1, 0.1, 0.1))
    sun = SunLight(direction=(0.6, 0.0, -0.8), irradiance=(1.2, 1.2, 1.2))
    spec = world(FLOOR, lights=(sun,), environment=ambient)
    want = EXPOSURE * 0.5 * (1.2 * 0.8 / np.pi + 0.1)
    got = linear(picture(spec, DOWN)[40:56, 40:56].mean())
    # The highlight of a fully rough surface (F0 = 0.04) adds a few per cent.
    assert want < got < 1.12 * want


def test_the_light_of_a_sphere_falls_with_the_square_of_distance() -> None:
    values = []
    for height in (1.0, 1.6):
        lamp = SphereLight(position_m=(0.0, 0.0, height), radius_m=0.01, intensity=(0.5, 0.5, 0.5))
        spec = world(FLOOR, lights=(lamp,), environment=Environment(ambient=(0.0, 0.0, 0.0)))
        values.append(float(linear(picture(spec, DOWN)[46:50, 46:50].mean())))
    assert values[0] / values[1] == pytest.approx(1.6**2, rel=0.03)


def test_a_penumbra_is_as_wide_as_the_light_makes_it_and_free_of_noise() -> None:
    # A half plane's edge, h above the floor, under a sun of angular diameter a: the penumbra is h · 2 tan(a / 2) wide.
    slab = Body(
        name="slab", shape=Box(size_m=(4.0, 4.0, 0.002)), material="oak", motion="static", position_m=(-2.15, 0.0, 1.0)
    )
    angle = 12.0
    sun = SunLight(direction=(0.0, 0.0, -1.0), irradiance=(2.0, 2.0, 2.0), angular_diameter_deg=angle)
    camera = Camera(
        width=160, height=96, fov_y_deg=40.0,
        keyframes=(CameraKeyframe(position_m=(0.9, -1.0, 0.8), look_at_m=(-0.1, 0.0, 0.0)),),
    )  # fmt: skip
    spec = world(FLOOR, slab, lights=(sun,), environment=Environment(ambient=(0.02, 0.02, 0.02)))
    view = RaytraceRenderer().render(spec, still(spec), camera, ("rgb", "depth", "segmentation"))
    k, pose = camera.intrinsics(), camera.camera_to_world(0.0)
    x, y = np.meshgrid(np.arange(160) + 0.5, np.arange(96) + 0.5)
    ray = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1) @ pose[:3, :3].T
    place = pose[:3, 3] + view.depth[0][..., None] * ray
    light = linear(view.rgb[0, ..., 1])
    on_floor = view.segmentation[0] == 1
    # Lit share of a disc cut by a line at distance s of its radius from the centre.
    s = np.clip((place[..., 0] + 0.15) / np.tan(np.radians(angle / 2)), -1, 1)
    share = 1 - (np.arccos(s) - s * np.sqrt(1 - s * s)) / np.pi
    near = on_floor & (np.abs(place[..., 1]) < 1.0)
    lit, dark = light[near & (s >= 1)].mean(), light[near & (s <= -1)].mean()
    # Far from the highlight's slow change: compare shares.
    error = (light - dark) / (lit - dark) - share
    # (the slab's other edges shade what is farther back)
    inside = on_floor & (np.abs(s) < 0.95) & (np.abs(place[..., 1]) < 1.0)
    assert inside.sum() > 500
    assert np.abs(error[inside]).mean() < 0.03
    assert np.abs(error[inside]).max() < 0.13


def test_under_a_ball_it_is_dark_and_far_from_it_light() -> None:
    ball = Body(name="ball", shape=Sphere(radius_m=0.2), material="rubber", motion="static", position_m=(0.0, 0.0, 0.6))
    sun = SunLight(direction=(0.8, 0.0, -0.6), irradiance=(2.0, 2.0, 2.0), angular_diameter_deg=1.0)
    spec = world(FLOOR, ball, lights=(sun,))
    camera = Camera(
        width=96, height=96, fov_y_deg=40.0,
        keyframes=(CameraKeyframe(position_m=(0.8, -0.01, 2.5), look_at_m=(0.8, 0.0, 0.0)),),
    )  # fmt: skip
    rgb = picture(spec, camera)
    bare = picture(world(FLOOR, lights=(sun,)), camera)
    # Its centre is thrown 0.6 · 0.8 / 0.6 = 0.8 m along x.
    assert rgb[46:50, 46:50].mean() < 0.75 * bare[46:50, 46:50].mean()
    np.testing.assert_array_equal(rgb[:8, -8:], bare[:8, -8:])


def test_edges_are_smooth_where_the_exact_passes_are_not() -> None:
    white = Body(
        name="ball", shape=Sphere(radius_m=0.25), material="rubber", motion="static", position_m=(0.0, 0.0, 0.3),
        look=Look(color=(0.9, 0.9, 0.9), roughness=1.0),
    )  # fmt: skip
    dark = Environment(zenith=(0.0, 0.0, 0.0), horizon=(0.0, 0.0, 0.0), ambient=(0.5, 0.5, 0.5))
    spec = world(white, environment=dark)
    view = RaytraceRenderer().render(spec, still(spec), SIDE, ("rgb", "segmentation"))
    mask = view.segmentation[0] > 0
    rgb = linear(view.rgb[0, ..., 1])
    between = (rgb > 0.02) & (rgb < 0.25)
    assert 40 < between.sum() < 300
    # The sum of coverage is the disc's area: π (f r / sqrt(d² - r²))².
    radius = SIDE.intrinsics()[0, 0] * 0.25 / np.sqrt(4.0 - 0.25**2)
    cover = rgb.sum() / np.median(rgb[mask])
    assert cover == pytest.approx(np.pi * radius**2, rel=0.03)


def test_glass_shows_what_is_behind_it_bent_and_opaque_bodies_do_not() -> None:
    wall = Body(
        name="wall", shape=Box(size_m=(4.0, 0.1, 4.0)), material="oak", motion="static", position_m=(0.0, 1.0, 0.3),
        look=Look(
            color=(0.9, 0.05, 0.05), roughness=1.0,
            texture=Texture(kind="stripes", color=(0.05, 0.05, 0.9), scale_m=2.0),
        ),
    )  # fmt: skip
    rgb = {}
    for material in ("glass", "rubber"):
        ball = Body(
            name="ball", shape=Sphere(radius_m=0.25), material=material, motion="static", position_m=(0.0, 0.0, 0.3),
            look=None if material == "glass" else Look(color=(0.1, 0.8, 0.1)),
        )  # fmt: skip
        spec = world(wall, ball, lights=(SunLight(direction=(0.0, 1.0, -0.3), irradiance=(2.0, 2.0, 2.0)),))
        rgb[material] = picture(spec, SIDE)
    # Stripes are red for x in 0..2 and blue left of it; a ball lens swaps the sides.
    red_minus_blue = rgb["glass"][..., 0] - rgb["glass"][..., 2]
    assert red_minus_blue[48, 90] > 60
    assert red_minus_blue[48, 6] < -60
    assert red_minus_blue[48, 56] < -40
    assert red_minus_blue[48, 40] > 40
    assert (rgb["rubber"][48, 40:56, 1] > rgb["rubber"][48, 40:56, 0]).all()


def test_a_mirror_shows_the_scene_behind_the_camera() -> None:
    red = Body(
        name="wall", shape=Box(size_m=(6.0, 0.1, 6.0)), material="oak", motion="static", position_m=(0.0, -3.0, 0.3),
        look=Look(color=(0.9, 0.02, 0.02), roughness=1.0),
    )  # fmt: skip
    mirror = Body(
        name="mirror", shape=Box(size_m=(1.0, 0.02, 1.0)), material="steel", motion="static",
        position_m=(0.0, 0.0, 0.3),
        look=Look(color=(0.9, 0.9, 0.9), roughness=0.02, metallic=1.0),
    )  # fmt: skip
    spec = world(red, mirror, environment=Environment(ambient=(0.7, 0.7, 0.7)))
    middle = picture(spec, SIDE)[40:56, 40:56].reshape(-1, 3).mean(0)
    assert middle[0] > 3 * middle[1]


@pytest.mark.parametrize("kind", ["checker", "tiles", "stripes", "wood", "marble", "noise", "speckle"])
def test_textures_show_near_and_neither_alias_nor_flicker_far(kind: str) -> None:
    look = Look(color=(0.6, 0.5, 0.4), roughness=1.0, texture=Texture(kind=kind, color=(0.1, 0.08, 0.06), scale_m=0.1))
    floor = FLOOR.model_copy(update={"look": look})

    def seen(distance_m: float, shift_m: float = 0.0) -> np.ndarray:
        place = (0.3 + shift_m, -0.6 * distance_m, 0.8 * distance_m)
        camera = Camera(
            width=64, height=64, fov_y_deg=30.0,
            keyframes=(CameraKeyframe(position_m=place, look_at_m=(0.3 + shift_m, 0.0, 0.0)),),
        )  # fmt: skip
        bright = Environment(ambient=(0.9, 0.9, 0.9))
        return linear(picture(world(floor, environment=bright), camera)[..., 1])

    assert seen(0.9).std() > 0.02
    # From 60 m a pixel is half a metre: only the mean is left, whatever the camera's place.
    far, moved = seen(60.0), seen(60.0, 0.037)
    assert far.std() < 0.012
    assert np.abs(far - moved).max() < 0.02


def test_the_camera_may_stand_anywhere_and_the_world_be_empty_of_light() -> None:
    inside = Body(name="box", shape=Box(size_m=(9.0, 9.0, 9.0)), material="oak", motion="static")
    spec = world(inside, FLOOR)
    view = RaytraceRenderer().render(spec, still(spec), SIDE)
    assert np.isfinite(view.depth[0]).any()
    assert (view.segmentation[0] != 1).all()
