"""Light: lamps, and scenes, one for each set of walls that may stand in the light's way.

Infinite planes cast no shadows (a sun may shine through a wall, as it does for the ray tracer). So a plane that would
hide a lamp, and with direct light every plane, is lit in a scene of its own, and each surface takes its light from the
scene of its group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import rotate_wxyz
from physreel.renderers.video import mitsuba_looks as looks
from physreel.renderers.video.mitsuba import LightMode
from physreel.renderers.video.mitsuba_gather import half_space
from physreel.renderers.video.mitsuba_passes import Hits, Lens, hits
from physreel.renderers.video.mitsuba_rays import Rays
from physreel.renderers.video.mitsuba_world import Kind, Stage, World
from physreel.spec import Light, Plane, SunLight

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BLOCK = 32
SKY, CLEAR = -1, -2
"""Groups of rays that meet nothing, and of what is clear."""


@dataclass(frozen=True, eq=False)
class Take:
    """Part of the light: how shapes look, what shines, and how it is followed."""

    kind: Kind
    emitters: tuple[Any, ...]
    integrator: Any


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How much work goes into a picture: samples a pixel, surfaces a path may meet, and what light is followed."""

    samples: int
    depth: int
    light: LightMode


class Studio:
    """Lamps, sky and groups of a world.

    Args:
        mi: Mitsuba with a variant set.
        world: what is filmed.
        lens: by what.
        rays: for questions by the ray.
        quality: how well.
        clear: (owners + 1,) whether rays go on through an owner; the last is of a miss.

    Attributes:
        group: (owners + 1,) the group in whose scene an owner is lit, SKY or CLEAR; the last is of a miss.
        groups: how many.
        direct: whether light comes from lamps and the ambient sky alone.
    """

    def __init__(
        self, mi: Any, world: World, lens: Lens, rays: Rays, quality: Quality, clear: NDArray[np.bool_]
    ) -> None:
        self.mi, self.world, self.lens, self.rays, self.quality = mi, world, lens, rays, quality
        self.direct = quality.light == "direct"
        spec = world.spec
        self.ambient = np.array(spec.environment.ambient)
        self._make_takes()
        self.planes = [i for i, body in enumerate(spec.bodies) if isinstance(body.shape, Plane)]
        alone = [i for i in self.planes if self.direct or self._hides_a_lamp(i)]
        shared = [i for i in self.planes if i not in alone]
        self.walls = [shared, *([*shared, i] for i in alone)]
        self.groups = len(self.walls)
        self.group = np.zeros(len(clear), np.int64)
        for number, i in enumerate(alone):
            self.group[i] = number + 1
        self.group[clear] = CLEAR
        self.group[-1] = SKY

    def _make_takes(self) -> None:
        mi = self.mi
        lamps = tuple(looks.lamp(mi, light) for light in self.world.spec.lights)
        ambient = mi.load_dict({"type": "constant", "radiance": looks.rgb(self.ambient)})

        def volpath(depth: int) -> Any:
            # Of Mitsuba's integrators the one that lets light pass straight through what is clear.
            given = {"type": "volpath", "max_depth": depth, "hide_emitters": True, "block_size": _BLOCK}
            return mi.load_dict(given)

        # One lamp at a time: no grain from the choice between them.
        self.lamps = [Take("lit", (lamp,), volpath(2)) for lamp in lamps]
        self.plain_lamps = [Take("plain", take.emitters, take.integrator) for take in self.lamps]
        self._between = Take("plain", (*lamps, ambient), volpath(self.quality.depth - 1))

    def _hides_a_lamp(self, i: int) -> bool:
        pose = self.world.trajectory.body_pose[0, i]
        normal = rotate_wxyz(pose[3:], np.array([0.0, 0.0, 1.0]))
        return any(_height(light, pose[:3], normal) <= 0.0 for light in self.world.spec.lights)

    def filmed(self, scenes: Scenes, number: int, pixels: Ints) -> Floats:
        """(N, 3) light that pixels (N,), all of one group, have from lamps, smoothed over each pixel."""
        out = np.zeros((len(pixels), 3))
        for take in self.lamps:
            out += self._film(scenes, number, take, pixels)
        return out

    def _film(self, scenes: Scenes, number: int, take: Take, pixels: Ints) -> Floats:
        mi, frame, camera = self.mi, scenes.stage.frame, self.lens.camera
        x, y = pixels % camera.width, pixels // camera.width
        left, top = int(x.min()), int(y.min())
        film = {
            "type": "hdrfilm", "width": camera.width, "height": camera.height, "rfilter": {"type": "box"},
            "pixel_format": "rgb", "component_format": "float32", "crop_offset_x": left, "crop_offset_y": top,
            "crop_width": int(x.max()) + 1 - left, "crop_height": int(y.max()) + 1 - top,
        }  # fmt: skip
        count = int(np.ceil(np.sqrt(self.quality.samples))) ** 2  # multijitter lays them out in a square
        view = self.lens.views[frame] @ np.diag([-1.0, -1.0, 1.0, 1.0])  # Mitsuba's cameras have x left and y up
        sensor = mi.load_dict(
            {
                "type": "perspective", "fov": camera.fov_y_deg, "fov_axis": "y", "near_clip": 1e-3, "far_clip": 1e5,
                "to_world": mi.ScalarTransform4f(view), "film": film,
                "sampler": {"type": "multijitter", "sample_count": count},
            }
        )  # fmt: skip
        scene, seed = scenes.get(number, take), seed_of(frame, number)
        made = mi.render(scene, sensor=sensor, integrator=take.integrator, spp=count, seed=seed)
        return np.asarray(np.array(made, np.float64)[y - top, x - left])

    def from_lamps(
        self, scenes: Scenes, group: Ints, origins: Floats, directions: Floats, salt: int, *, shown: bool, solid: bool
    ) -> Floats:
        """(N, 3) lamps' light that surfaces send along rays; 0 for groups SKY and CLEAR.

        If ``shown``, as a mirror or something clear shows it: matt. If ``solid``, what is partly clear is opaque.
        """
        takes = self.plain_lamps if shown else self.lamps

        def asked(number: int, rows: Ints) -> Floats:
            those = [(scenes.get(number, take, solid=solid), take.integrator) for take in takes]
            return self.rays.light(those, origins[rows], directions[rows], seed_of(scenes.stage.frame, number, salt))

        return self._by_group(group, asked)

    def _by_group(self, group: Ints, asked: Callable[[int, Ints], Floats]) -> Floats:
        out = np.zeros((len(group), 3))
        for number in range(self.groups):
            rows = np.flatnonzero(group == number)
            if len(rows):
                out[rows] = asked(number, rows)
        return out

    def around(self, scenes: Scenes, seen: Hits, places: Floats, u: Floats, v: Floats, salt: int) -> Floats:
        """(N, 3) radiance that comes to surfaces from one direction each, not straight from lamps."""
        to = half_space(seen.normal, u, v)
        origins = places + beside(places) * seen.normal
        if self.direct:
            time, _, _ = self.rays.nearest(scenes.in_the_way, origins, to)
            return np.where(np.isfinite(time)[:, None], 0.0, self.ambient)
        take = self._between

        def asked(number: int, rows: Ints) -> Floats:
            those = [(scenes.get(number, take), take.integrator)]
            seed = seed_of(scenes.stage.frame, number, salt)
            return self.rays.light(those, origins[rows], to[rows], seed, miss=self.ambient)

        return self._by_group(np.maximum(self.group[seen.owner], 0), asked)

    def met(self, scenes: Scenes, origins: Floats, directions: Floats, *, opaque: bool = False) -> Hits:
        """What N rays meet; if ``opaque``, but for what is clear."""
        scene = scenes.opaque if opaque else scenes.bare
        return hits(scenes.stage, self.rays, scene, origins, directions)


class Scenes:
    """The scenes of one frame, made when they are needed."""

    def __init__(self, studio: Studio, stage: Stage, bare: Any) -> None:
        self._studio, self.stage, self.bare = studio, stage, bare
        self._made: dict[tuple[int, Take, bool], Any] = {}
        clear = np.flatnonzero(studio.group == CLEAR)
        self.opaque = studio.world.bare_scene(stage, without=clear) if len(clear) else bare
        # What keeps ambient light away where that is not traced on: neither planes nor anything clear.
        owners = np.unique(stage.owner).tolist()
        free = [i for i in owners if i in studio.planes or studio.world.is_clear(i)]
        self.in_the_way = studio.world.bare_scene(stage, without=np.array(free, np.int64))

    def get(self, number: int, take: Take, *, solid: bool = False) -> Any:
        """The scene in which the owners of a group are lit; if ``solid``, with what is partly clear opaque."""
        studio = self._studio
        key = number, take, solid
        if key not in self._made:
            there = np.unique(self.stage.owner)
            away = [i for i in studio.planes if i not in studio.walls[number]]
            shapes = studio.world.shapes(self.stage, take.kind, there[~np.isin(there, away)], solid=solid)
            lights = {f"light_{k}": emitter for k, emitter in enumerate(take.emitters)}
            self._made[key] = studio.mi.load_dict({"type": "scene", **shapes, **lights})
        return self._made[key]


def _height(light: Light, place: Floats, normal: Floats) -> float:
    """How far the lowest part of a light is above a plane; of a sun the sine."""
    if isinstance(light, SunLight):
        return float(-np.asarray(light.direction) @ normal) - float(np.sin(np.radians(light.angular_diameter_deg) / 2))
    return float((np.asarray(light.position_m) - place) @ normal) - light.radius_m


def beside(places: Floats) -> Floats:
    """(N, 1) how far off a surface rays start, so that they do not meet it."""
    return np.asarray(1e-5 * (1.0 + np.abs(places).max(1, initial=0.0, keepdims=True)))


def seed_of(*numbers: int) -> int:
    """A seed for each frame and use."""
    out = 0
    for number in numbers:
        out = (out * 1_000_003 + number + 1) % (2**31 - 1)
    return out
