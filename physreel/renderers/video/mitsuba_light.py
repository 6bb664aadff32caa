"""The picture: light traced by Mitsuba, one scene for each set of walls that may stand in the light's way.

Infinite planes cast no shadows (a sun may shine through a wall, as it does for the ray tracer). So a plane that would
hide a lamp, and with direct light every plane, is lit in a scene of its own, and each pixel takes its colour from the
scene that is its owner's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import rotate_wxyz
from physreel.renderers.video import mitsuba_looks as looks
from physreel.renderers.video.mitsuba import LightMode
from physreel.renderers.video.mitsuba_clear import Clear
from physreel.renderers.video.mitsuba_gather import half_space, shared, spread
from physreel.renderers.video.mitsuba_mirrors import Mirrors
from physreel.renderers.video.mitsuba_passes import Hits, Lens, hits
from physreel.renderers.video.mitsuba_rays import Rays
from physreel.renderers.video.mitsuba_world import Kind, Stage, World
from physreel.spec import Light, Plane, SunLight

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Radiance = Callable[["Scenes", Hits, Floats, Floats, int], Floats]

_BLOCK = 32
_SKY, _CLEAR = -1, -2
# Brighter samples of a mixed pixel, and of what is mirrored, count as this bright: a highlight beside a dark edge must
# not outweigh it, nor one sample of a mirrored one become a speck.
_BRIGHTEST, _BRIGHTEST_SHOWN = 4.0, 1.5


@dataclass(frozen=True, eq=False)
class Take:
    """Part of a picture's light: how shapes look, what shines, and how it is followed. The picture is their sum."""

    kind: Kind
    emitters: tuple[Any, ...]
    integrator: Any


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How much work goes into a picture: samples a pixel, borders a path may meet, and what light is followed."""

    samples: int
    depth: int
    light: LightMode


class Studio:
    """Lamps, sky and the integrator; the pictures of frames.

    Args:
        mi: Mitsuba with a variant set.
        world: what is filmed.
        lens: by what.
        rays: for questions by the ray.
        quality: how well.
        size: width and height of the picture.
        fov_y_deg: the camera's.
    """

    def __init__(
        self, mi: Any, world: World, lens: Lens, rays: Rays, quality: Quality, size: tuple[int, int], fov_y_deg: float
    ) -> None:
        self.mi, self.world, self.lens, self.rays = mi, world, lens, rays
        self.quality, self.size, self.fov_y_deg = quality, size, fov_y_deg
        spec = world.spec
        self.sky = looks.Sky(spec.environment)
        self.ambient = np.array(spec.environment.ambient)
        self._make_takes()
        self.planes = [i for i, body in enumerate(spec.bodies) if isinstance(body.shape, Plane)]
        alone = self.planes if quality.light == "direct" else [i for i in self.planes if self._hides_a_lamp(i)]
        shared = [i for i in self.planes if i not in alone]
        self.walls = [shared, *([*shared, i] for i in alone)]
        owners = len(spec.bodies) + len(spec.fluids)
        self._clear, self._mirrors = Clear(world, self.sky), Mirrors(world.looks, owners)
        self._group = np.zeros(owners + 1, np.int64)
        for number, i in enumerate(alone):
            self._group[i] = number + 1
        self._group[self._clear.number >= 0] = _CLEAR
        # The last is what rays see that meet nothing.
        self._group[-1] = _SKY

    def _make_takes(self) -> None:
        mi = self.mi
        lamps = tuple(looks.lamp(mi, light) for light in self.world.spec.lights)
        ambient = mi.load_dict({"type": "constant", "radiance": looks.rgb(self.ambient)})

        def volpath(depth: int) -> Any:
            # Of Mitsuba's integrators the one that lets light pass straight through what is clear.
            given = {"type": "volpath", "max_depth": depth, "hide_emitters": True, "block_size": _BLOCK}
            return mi.load_dict(given)

        # One lamp at a time: no grain from the choice between them.
        self._lamps = [Take("lit", (lamp,), volpath(2)) for lamp in lamps]
        self._plain_lamps = [Take("plain", take.emitters, take.integrator) for take in self._lamps]
        self._between = Take("plain", (*lamps, ambient), volpath(self.quality.depth - 1))

    def _hides_a_lamp(self, i: int) -> bool:
        pose = self.world.trajectory.body_pose[0, i]
        normal = rotate_wxyz(pose[3:], np.array([0.0, 0.0, 1.0]))
        return any(_height(light, pose[:3], normal) <= 0.0 for light in self.world.spec.lights)

    def picture(self, stage: Stage, bare: Any, seen: Hits) -> Floats:
        """(H, W, 3) linear light.

        Args:
            stage: what is there.
            bare: its bare scene.
            seen: what the pixels' centres met, whatever it is.
        """
        width, height = self.size
        scenes = Scenes(self, stage, bare)
        group = self._group[seen.owner].reshape(height, width)
        shiny = self._mirrors.shiny[seen.owner].reshape(height, width)
        pure = _pure(2 * group + shiny) & (group != _CLEAR)
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        eye, directions = self.lens.rays(stage.frame, x.ravel(), y.ravel())
        out = self.sky.seen(directions)
        for number in range(len(self.walls)):
            mine = np.flatnonzero(pure & (group == number))
            if len(mine):
                out[mine] = np.sum([self._film(scenes, number, take, mine) for take in self._lamps], axis=0)
        matt = np.flatnonzero(pure & (group >= 0))
        out[matt] += self._soft(scenes, seen, eye, directions, matt)
        mirrors = np.flatnonzero(pure & shiny)
        out[mirrors] += self._by_the_ray(scenes, mirrors, self._reflected)
        mixed = np.flatnonzero(~pure)
        out[mixed] = self._by_the_ray(scenes, mixed, self._radiance)
        return out.reshape(height, width, 3)

    def _film(self, scenes: Scenes, number: int, take: Take, pixels: Ints) -> Floats:
        """(N, 3) of one take."""
        mi, frame = self.mi, scenes.stage.frame
        width, height = self.size
        x, y = pixels % width, pixels // width
        left, top = int(x.min()), int(y.min())
        film = {
            "type": "hdrfilm", "width": width, "height": height, "rfilter": {"type": "box"}, "pixel_format": "rgb",
            "component_format": "float32", "crop_offset_x": left, "crop_offset_y": top,
            "crop_width": int(x.max()) + 1 - left, "crop_height": int(y.max()) + 1 - top,
        }  # fmt: skip
        count = int(np.ceil(np.sqrt(self.quality.samples))) ** 2  # multijitter lays them out in a square
        view = self.lens.views[frame] @ np.diag([-1.0, -1.0, 1.0, 1.0])  # Mitsuba's cameras have x left and y up
        sensor = mi.load_dict(
            {
                "type": "perspective", "fov": self.fov_y_deg, "fov_axis": "y", "near_clip": 1e-3, "far_clip": 1e5,
                "to_world": mi.ScalarTransform4f(view), "film": film,
                "sampler": {"type": "multijitter", "sample_count": count},
            }
        )  # fmt: skip
        made = mi.render(
            scenes.get(number, take), sensor=sensor, integrator=take.integrator, spp=count,
            seed=_seed(frame, number),
        )  # fmt: skip
        return np.asarray(np.array(made, np.float64)[y - top, x - left])

    def _soft(self, scenes: Scenes, seen: Hits, eye: Floats, directions: Floats, pixels: Ints) -> Floats:
        """(N, 3) light that pixels have from everything but lamps: gathered, shared, and sent on."""
        width = self.size[0]
        places = eye + seen.time[:, None] * directions
        found = np.zeros(directions.shape)
        mine = seen.of(pixels)
        samples = max(1, self.quality.samples // 2)
        for k in range(samples):
            u, v = spread(pixels % width, pixels // width, k, samples)
            found[pixels] += self._looked_around(scenes, mine, places[pixels], u, v, k)
        owner = np.full(len(directions), -1)
        owner[pixels] = mine.owner
        alike = replace(seen, owner=owner)
        found = shared(found / samples, alike, places, 1.0 / self.lens.focal, self.size)
        return found[pixels] * self._colors(scenes, mine, places[pixels], directions[pixels], matt=True)

    def _looked_around(self, scenes: Scenes, seen: Hits, places: Floats, u: Floats, v: Floats, sample: int) -> Floats:
        """(N, 3) radiance that comes to surfaces from one direction each, not straight from lamps."""
        to = half_space(seen.normal, u, v)
        origins = places + _off(places) * seen.normal
        if self.quality.light == "direct":
            time, _, _ = self.rays.nearest(scenes.in_the_way, origins, to)
            return np.where(np.isfinite(time)[:, None], 0.0, self.ambient)
        group = np.maximum(self._group[seen.owner], 0)
        out = np.empty(places.shape)
        for number in np.unique(group).tolist():
            rows = np.flatnonzero(group == number)
            asked = [(scenes.get(number, self._between), self._between.integrator)]
            seed = _seed(scenes.stage.frame, number, sample + 1)
            out[rows] = self.rays.light(asked, origins[rows], to[rows], seed, miss=self.ambient)
        return out

    def _colors(self, scenes: Scenes, seen: Hits, places: Floats, directions: Floats, *, matt: bool) -> Floats:
        """(N, 3) reflectance of what was met; if ``matt``, without what of it is metal."""
        out = self.world.colors(scenes.stage, seen.owner, places, seen.normal, directions)
        return out * (1.0 - self._mirrors.metal[seen.owner, None]) if matt else out

    def _by_the_ray(self, scenes: Scenes, pixels: Ints, radiance: Radiance) -> Floats:
        """(N, 3) mean of samples in pixels."""
        width, samples = self.size[0], self.quality.samples
        out = np.zeros((len(pixels), 3))
        for k in range(samples if len(pixels) else 0):
            # A rank-1 lattice: no two samples of a pixel share a row or a column.
            u, v = (k + 0.5) / samples, (k * 0.6180339887 + 0.309) % 1.0
            eye, directions = self.lens.rays(scenes.stage.frame, pixels % width + u, pixels // width + v)
            eyes = np.broadcast_to(eye, directions.shape)
            seen = self._met(scenes, eyes, directions)
            out += np.minimum(radiance(scenes, seen, eyes, directions, k), _BRIGHTEST)
        return out / max(samples, 1)

    def _met(self, scenes: Scenes, origins: Floats, directions: Floats) -> Hits:
        return hits(scenes.stage, self.rays, scenes.bare, origins, directions)

    def _radiance(self, scenes: Scenes, seen: Hits, origins: Floats, directions: Floats, sample: int) -> Floats:
        """(N, 3) what comes along rays, whatever they meet."""
        out = self._opaque(scenes, seen, origins, directions, sample)
        mirrors = np.flatnonzero(self._mirrors.shiny[seen.owner])
        if len(mirrors):
            out[mirrors] += self._reflected(scenes, seen.of(mirrors), origins[mirrors], directions[mirrors], sample)
        clear = np.flatnonzero(self._group[seen.owner] == _CLEAR)
        if len(clear):
            out[clear] = self._clear.seen(
                seen.of(clear), origins[clear], directions[clear],
                meet=lambda o, d: self._met(scenes, o, d),
                shade=lambda met, o, d: self._opaque(scenes, met, o, d, sample, shown=True),
                solid=lambda met, o, d: self._opaque(scenes, met, o, d, sample, shown=True, solid=True),
                rng=np.random.Generator(np.random.PCG64(_seed(scenes.stage.frame, sample))),
            )  # fmt: skip
        return out

    def _reflected(self, scenes: Scenes, seen: Hits, origins: Floats, directions: Floats, sample: int) -> Floats:
        """(N, 3) what shiny surfaces mirror but lamps."""
        samples = self.quality.samples
        u, v = (sample * 0.7548776662 + 0.5) % 1.0, (sample + 0.5) / samples
        out = np.zeros(directions.shape)
        mine = np.flatnonzero(self._mirrors.shiny[seen.owner])
        seen = seen.of(mine)
        place = origins[mine] + seen.time[:, None] * directions[mine]
        to, weight = self._mirrors.rays(seen.owner, seen.normal, directions[mine], u, v)
        kept = np.flatnonzero(weight.any(1))
        place, to = place[kept] + _off(place[kept]) * seen.normal[kept], to[kept]
        met = self._met(scenes, place, to)
        out[mine[kept]] = weight[kept] * self._opaque(scenes, met, place, to, sample, shown=True)
        return out

    def _opaque(
        self, scenes: Scenes, seen: Hits, origins: Floats, directions: Floats, sample: int, *, shown: bool = False,
        solid: bool = False,
    ) -> Floats:  # fmt: skip
        """(N, 3) light sent on by opaque surfaces, and the sky.

        If ``shown``, by a mirror or something clear: matt, and limited. If ``solid``, what is partly clear is opaque.
        """
        group = self._group[seen.owner]
        if solid:
            group = np.where(group == _CLEAR, 0, group)
        out = np.zeros(directions.shape)
        out[group == _SKY] = self.sky.seen(directions[group == _SKY])
        for number in range(len(self.walls)):
            rows = np.flatnonzero(group == number)
            takes = self._plain_lamps if shown else self._lamps
            asked = [(scenes.get(number, take, solid=solid), take.integrator) for take in takes if len(rows)]
            seed = _seed(scenes.stage.frame, number, sample + 1)
            out[rows] = self.rays.light(asked, origins[rows], directions[rows], seed)
        rows = np.flatnonzero(group >= 0)
        met, along = seen.of(rows), directions[rows]
        places = origins[rows] + met.time[:, None] * along
        u, v = spread(np.arange(len(rows)), np.zeros(len(rows), np.int64), sample, self.quality.samples)
        soft = self._looked_around(scenes, met, places, u, v, sample)
        out[rows] += soft * self._colors(scenes, met, places, along, matt=not shown)
        return np.minimum(out, _BRIGHTEST_SHOWN) if shown else out


class Scenes:
    """The scenes of one frame, made when they are needed."""

    def __init__(self, studio: Studio, stage: Stage, bare: Any) -> None:
        self._studio, self.stage, self.bare = studio, stage, bare
        self._made: dict[tuple[int, Take, bool], Any] = {}
        owners = np.unique(stage.owner).tolist()
        free = [i for i in owners if i in studio.planes or studio.world.is_clear(i)]
        # What keeps ambient light away where that is not traced on: neither planes nor anything clear.
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


def _pure(group: Ints) -> NDArray[np.bool_]:
    """(H, W) pixels whose four neighbours are of their own group."""
    padded = np.pad(group, 1, mode="edge")
    out = np.ones(group.shape, np.bool_)
    for other in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        out &= other == group
    return out


def _off(places: Floats) -> Floats:
    """(N, 1) how far off a surface rays start, so that they do not meet it."""
    return np.asarray(1e-5 * (1.0 + np.abs(places).max(1, initial=0.0, keepdims=True)))


def _seed(*numbers: int) -> int:
    """A seed for each frame and use."""
    out = 0
    for number in numbers:
        out = (out * 1_000_003 + number + 1) % (2**31 - 1)
    return out
