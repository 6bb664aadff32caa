"""Rooms: floor, walls, light, camera and microphones that vary from clip to clip. Shared by indoor scenes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from physreel.analysis.draws import pick
from physreel.scenes.base import ClipSettings
from physreel.scenes.parameters import choice
from physreel.spec import (
    MATERIALS,
    Body,
    Box,
    Camera,
    CameraKeyframe,
    Compound,
    Environment,
    Light,
    Look,
    Microphone,
    Piece,
    Plane,
    SphereLight,
    SunLight,
    Texture,
)

SURFACES = ("wood", "marble", "concrete", "carpet", "tiles", "rubber", "steel", "ice")
"""What floors and table tops can be made of, as a user names it."""

USUAL_SURFACES = ("wood", "marble", "tiles", "steel", "rubber")
"""What they are made of where a user says nothing."""

_WALL_COLORS = (
    (0.74, 0.72, 0.68), (0.62, 0.68, 0.72), (0.70, 0.63, 0.52), (0.48, 0.58, 0.52), (0.68, 0.52, 0.46),
    (0.42, 0.47, 0.58), (0.78, 0.76, 0.70), (0.56, 0.50, 0.58),
)  # fmt: skip
_HALF = 0.5**0.5

LEAST_TABLE_M = (0.5, 0.42)
"""Width and depth of a table top that has room for a few small things."""


@dataclass(frozen=True)
class Surface:
    """A surface as it is in one room: its material and its look there."""

    material: str
    look: Look


@dataclass(frozen=True)
class Room:
    """The still part of an indoor scene."""

    bodies: tuple[Body, ...]
    lights: tuple[Light, ...]
    environment: Environment


@dataclass(frozen=True)
class Stand:
    """What things stand on, ``top_m`` above the floor: a table, or no body at all."""

    bodies: tuple[Body, ...]
    top_m: float


def support_choice(what: str) -> Any:
    """The parameter ``support``: what ``what`` stands on."""
    return choice(("table", "floor"), allowed=("table", "floor"), description=f"what {what} stands on")


def surface_choice(*usual: str) -> Any:
    """The parameter ``surface``: what the support is made of."""
    return choice(usual or USUAL_SURFACES, allowed=SURFACES, description="what that is made of")


def camera_choice() -> Any:
    """The parameter ``camera_motion``."""
    return choice(("still", "slow"), allowed=("still", "slow"), description="whether the camera moves")


def draw_surface(rng: np.random.Generator, kind: str) -> Surface:
    """A surface of one of ``SURFACES``, with its own shade, scale and grain."""
    material = {"wood": pick(rng, ("oak", "pine")), "tiles": "ceramic"}.get(kind, kind)
    look = MATERIALS[material].look
    shade = float(rng.uniform(0.75, 1.2))
    seed = int(rng.integers(2**31 - 1))
    if kind == "tiles":
        base = pick(rng, ((0.72, 0.70, 0.66), (0.35, 0.45, 0.50), (0.60, 0.42, 0.32), (0.50, 0.55, 0.46)))
        pattern = pick(rng, ("tiles", "checker"))
        second = tuple(channel * (0.45 if pattern == "tiles" else 0.6) for channel in base)
        texture = Texture(kind=pattern, color=second, scale_m=float(rng.uniform(0.12, 0.3)), seed=seed)
        look = Look(color=base, roughness=float(rng.uniform(0.12, 0.3)), texture=texture)
    elif look.texture is not None:
        scale = float(look.texture.scale_m * rng.uniform(0.8, 1.5) * (2.0 if kind == "wood" else 1.0))
        texture = look.texture.model_copy(update={"scale_m": scale, "seed": seed})
        color = tuple(min(1.0, channel * shade) for channel in look.color)
        look = look.model_copy(update={"color": color, "texture": texture})
    elif kind == "rubber":
        grey = float(rng.uniform(0.05, 0.25))
        texture = Texture(kind="speckle", color=(grey * 1.8, grey * 1.8, grey * 1.8), scale_m=0.012, seed=seed)
        look = Look(color=(grey, grey, grey * 1.05), roughness=0.8, texture=texture)
    elif kind == "ice":  # a sheet on something white: seen, it is glossy and pale rather than clear
        look = Look(
            color=(0.72, 0.82, 0.88), roughness=0.08,
            texture=Texture(kind="marble", color=(0.86, 0.92, 0.95), scale_m=0.5, seed=seed),
        )  # fmt: skip
    elif kind == "steel":
        look = look.model_copy(update={"roughness": float(rng.uniform(0.3, 0.5))})
    return Surface(material, look)


def table_shape(width_m: float, depth_m: float, thick_m: float, height_m: float, *, leg_m: float) -> Compound:
    """A top and four square legs; the frame's origin is the middle of the top, ``height_m`` that of its upper side."""
    tall = height_m - thick_m
    legs = (
        Piece(
            shape=Box(size_m=(leg_m, leg_m, tall)),
            position_m=(sx * (width_m / 2 - leg_m), sy * (depth_m / 2 - leg_m), -(thick_m + tall) / 2),
        )
        for sx in (-1.0, 1.0)
        for sy in (-1.0, 1.0)
    )
    return Compound(pieces=(Piece(shape=Box(size_m=(width_m, depth_m, thick_m))), *legs))


def draw_stand(
    rng: np.random.Generator, support: str, surface: Surface, *, least_m: tuple[float, float] = LEAST_TABLE_M
) -> Stand:
    """A "table" about the middle of the room, its top ``least_m`` (width, depth) or a little more; or the "floor"."""
    if support == "floor":
        return Stand((), 0.0)
    width, depth = (float(least * rng.uniform(1.0, 1.4)) for least in least_m)
    thick, height, leg = float(rng.uniform(0.02, 0.04)), float(rng.uniform(0.4, 0.6)), float(rng.uniform(0.03, 0.05))
    x, y = (
        float(rng.uniform(-0.4, 0.4) * (side - least)) for side, least in ((width, least_m[0]), (depth, least_m[1]))
    )
    table = Body(
        name="table", shape=table_shape(width, depth, thick, height, leg_m=leg), material=surface.material,
        motion="static", position_m=(x, y, height - thick / 2), look=surface.look, label="table",
    )  # fmt: skip
    return Stand((table,), height)


def draw_room(rng: np.random.Generator, floor: Surface, half_width_m: float, half_depth_m: float) -> Room:
    """A floor at z = 0, a back wall at y = + half_depth_m and a side wall at x = - half_width_m, and the light."""
    wall_color = pick(rng, _WALL_COLORS)
    wall_look = Look(color=wall_color, roughness=0.95)
    if rng.random() < 0.35:
        second = tuple(channel * float(rng.uniform(0.75, 0.9)) for channel in wall_color)
        texture = Texture(kind=pick(rng, ("stripes", "noise")), color=second, scale_m=float(rng.uniform(0.1, 0.4)))
        wall_look = wall_look.model_copy(update={"texture": texture})
    bodies = (
        Body(name="floor", shape=Plane(), material=floor.material, motion="static", look=floor.look, label="floor"),
        Body(
            name="back_wall", shape=Plane(), material="concrete", motion="static", look=wall_look, label="back wall",
            position_m=(0.0, half_depth_m, 0.0), orientation_wxyz=(_HALF, _HALF, 0.0, 0.0),
        ),
        Body(
            name="side_wall", shape=Plane(), material="concrete", motion="static", look=wall_look, label="side wall",
            position_m=(-half_width_m, 0.0, 0.0), orientation_wxyz=(_HALF, 0.0, _HALF, 0.0),
        ),
    )  # fmt: skip
    return Room(bodies, *_draw_light(rng))


def draw_place(
    rng: np.random.Generator,
    drawn: Mapping[str, Any],
    room_half_m: tuple[float, float],
    *,
    least_m: tuple[float, float] = LEAST_TABLE_M,
) -> tuple[Room, Stand]:
    """A room and what things stand on in it, by the parameters ``support`` and ``surface``; under a table is wood."""
    surface = draw_surface(rng, drawn["surface"])
    stand = draw_stand(rng, drawn["support"], surface, least_m=least_m)
    floor = surface if drawn["support"] == "floor" else draw_surface(rng, "wood")
    return draw_room(rng, floor, *room_half_m), stand


def filmed(room: Room, camera: Camera) -> dict[str, Any]:
    """The fields of a spec that say how it is lit, seen and heard: a stereo pair at the camera."""
    return {
        "cameras": (camera,), "lights": room.lights, "environment": room.environment, "microphones": ear_pair(camera),
    }  # fmt: skip


def _draw_light(rng: np.random.Generator) -> tuple[tuple[Light, ...], Environment]:
    warm = float(rng.uniform(-1.0, 1.0))
    tint = np.array([1.0 + 0.10 * warm, 1.0, 1.0 - 0.12 * warm])
    level = float(rng.uniform(0.75, 1.0))
    azimuth, height = rng.uniform(-2.4, -0.5), float(rng.uniform(2.2, 3.2))
    lamp_xy = 1.8 * np.array([np.cos(azimuth), np.sin(azimuth)])
    lamp = SphereLight(
        position_m=(float(lamp_xy[0]), float(lamp_xy[1]), height),
        radius_m=float(rng.uniform(0.15, 0.4)),
        intensity=_rgb(level * 20.0 * tint),
    )
    lights: tuple[Light, ...] = (lamp,)
    if rng.random() < 0.6:
        direction = (float(rng.uniform(-0.8, 0.3)), float(rng.uniform(0.2, 0.8)), -1.0)
        sun_tint = np.array([1.0, 0.96, 0.88])
        sun = SunLight(
            direction=direction, irradiance=_rgb(level * rng.uniform(0.6, 1.6) * sun_tint), angular_diameter_deg=3.0
        )
        lights = (sun, lamp)
    ambient = level * float(rng.uniform(0.28, 0.45)) * (2.0 - tint)
    return lights, Environment(
        ambient=_rgb(ambient), horizon=_rgb(0.75 * level * np.ones(3)), zenith=_rgb(0.9 * level * (2.0 - tint))
    )


def _rgb(values: ArrayLike) -> tuple[float, float, float]:
    r, g, b = np.asarray(values, float)
    return float(r), float(g), float(b)


def draw_camera(
    rng: np.random.Generator,
    clip: ClipSettings,
    points_m: ArrayLike,
    *,
    moving: bool,
    room_half_m: tuple[float, float],
    azimuth_deg: tuple[float, float] = (-115.0, -50.0),
    elevation_deg: tuple[float, float] = (10.0, 32.0),
) -> Camera:
    """A camera inside the room, looking towards its walls, that keeps ``points_m`` (N, 3) in its picture throughout.

    Args:
        rng: the source of azimuth, height, lens and the way it moves.
        clip: size and duration.
        points_m: what must be seen.
        moving: whether it travels slowly (some degrees round the target and a little nearer or farther).
        room_half_m: half width and half depth of the room that it must not leave through a wall.
        azimuth_deg: the range of directions in which it stands; - 90 is in front of the back wall.
        elevation_deg: the range of angles at which it looks down.
    """
    points = np.asarray(points_m, float)
    target = 0.5 * (points.min(0) + points.max(0))
    fov_y = float(rng.uniform(34.0, 48.0))
    azimuth = float(rng.uniform(*azimuth_deg))
    elevation = float(rng.uniform(*elevation_deg))
    turn = float(rng.uniform(6.0, 16.0)) * pick(rng, (-1.0, 1.0)) if moving else 0.0
    zoom = float(rng.uniform(1.0, 1.12)) if moving else 1.0
    tan_y = np.tan(np.radians(fov_y) / 2)
    tan_x = tan_y * clip.width / clip.height
    keys = []
    for time_s, share, distance_factor in ((0.0, -0.5, 1.0), (clip.duration_s, 0.5, zoom)):
        a, e = np.radians(azimuth + share * turn), np.radians(elevation)
        backward = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        right = np.array([-np.sin(a), np.cos(a), 0.0])
        up = np.cross(backward, right)
        offset = points - target
        # Far enough back for the widest point in each direction, with a margin.
        need = offset @ backward + 1.08 * np.maximum(np.abs(offset @ right) / tan_x, np.abs(offset @ up) / tan_y)
        place = target + float(need.max()) * distance_factor * backward
        keys.append((time_s, place))
        if not moving:
            break
    for _, place in keys:
        place[0] = max(place[0], 0.15 - room_half_m[0])
        place[1] = min(place[1], room_half_m[1] - 0.15)
        place[2] = max(place[2], 0.15)
    look_at = (float(target[0]), float(target[1]), float(target[2]))
    return Camera(
        width=clip.width,
        height=clip.height,
        fov_y_deg=fov_y,
        keyframes=tuple(
            CameraKeyframe(time_s=t, position_m=(float(p[0]), float(p[1]), float(p[2])), look_at_m=look_at)
            for t, p in keys
        ),
    )


def ear_pair(camera: Camera, spacing_m: float = 0.18) -> tuple[Microphone, Microphone]:
    """A stereo pair at the camera's first place: left and right as the picture has them."""
    pose = camera.camera_to_world(0.0)
    ears = []
    for name, side in (("left", -0.5), ("right", 0.5)):
        x, y, z = pose[:3, 3] + side * spacing_m * pose[:3, 0]
        ears.append(Microphone(name=name, position_m=(float(x), float(y), float(z))))
    return ears[0], ears[1]
