"""The picture of a frame: which of its pixels Mitsuba films, and which are put together ray by ray."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.mitsuba_clear import Clear
from physreel.renderers.video.mitsuba_gather import Pending, shared, spread
from physreel.renderers.video.mitsuba_light import CLEAR, SKY, Quality, Scenes, Studio, beside
from physreel.renderers.video.mitsuba_looks import Sky
from physreel.renderers.video.mitsuba_mirrors import Mirrors
from physreel.renderers.video.mitsuba_passes import Hits, Lens
from physreel.renderers.video.mitsuba_rays import Rays
from physreel.renderers.video.mitsuba_world import Stage, World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Brighter samples of a mixed pixel, and of what is mirrored, count as this bright: a highlight beside a dark edge must
# not outweigh it, nor one sample of a mirrored one become a speck.
_BRIGHTEST, _BRIGHTEST_SHOWN = 4.0, 1.5


@dataclass(eq=False)
class Sample:
    """One sample of some pixels in the making: ``out`` (N, 3) and ``pending`` grow."""

    scenes: Scenes
    number: int
    out: Floats
    pending: Pending


class Painter:
    """Makes the pictures of a film.

    Args:
        mi: Mitsuba with a variant set.
        world: what is filmed.
        lens: by what.
        rays: for questions.
        quality: how well.
    """

    def __init__(self, mi: Any, world: World, lens: Lens, rays: Rays, quality: Quality) -> None:
        self._world, self._lens, self._samples = world, lens, quality.samples
        self._sky = Sky(world.spec.environment)
        self._clear = Clear(world, self._sky)
        self._mirrors = Mirrors(world.looks, len(world.spec.bodies) + len(world.spec.fluids))
        self._studio = Studio(mi, world, lens, rays, quality, self._clear.number >= 0)

    def picture(self, stage: Stage, bare: Any, seen: Hits) -> Floats:
        """(H, W, 3) linear light.

        Args:
            stage: what is there.
            bare: its bare scene.
            seen: what the pixels' centres met, whatever it is.
        """
        studio, camera = self._studio, self._lens.camera
        scenes = Scenes(studio, stage, bare)
        group, shiny = studio.group[seen.owner], self._mirrors.shiny[seen.owner]
        pure = _pure((2 * group + shiny).reshape(camera.height, camera.width)).ravel() & (group != CLEAR)
        eye, directions = self._lens.pixel_rays(stage.frame)
        out = self._sky.seen(directions)
        for number in range(studio.groups):
            mine = np.flatnonzero(pure & (group == number))
            if len(mine):
                out[mine] = studio.filmed(scenes, number, mine)
        matt = np.flatnonzero(pure & (group >= 0))
        out[matt] += self._soft(scenes, seen, eye, directions, matt)
        mirrors, mixed = np.flatnonzero(pure & shiny), np.flatnonzero(~pure)
        out[mirrors] += self._by_the_ray(scenes, mirrors, mirrored_only=True)
        out[mixed] = self._by_the_ray(scenes, mixed, mirrored_only=False)
        return out.reshape(camera.height, camera.width, 3)

    def _soft(self, scenes: Scenes, seen: Hits, eye: Floats, directions: Floats, pixels: Ints) -> Floats:
        """(N, 3) light that pixels have from everything but lamps: gathered, shared, and sent on."""
        width = self._lens.camera.width
        mine, places = seen.of(pixels), eye + seen.time[:, None] * directions
        found = np.zeros(directions.shape)
        samples = max(1, self._samples // 2)
        for k in range(samples):
            u, v = spread(pixels % width, pixels // width, k, samples)
            found[pixels] += self._studio.around(scenes, mine, places[pixels], u, v, k) / samples
        owner = np.full(len(directions), -1)
        owner[pixels] = mine.owner
        found = shared(found, replace(seen, owner=owner), places, self._lens)
        return found[pixels] * self._colors(scenes, mine, places[pixels], directions[pixels], matt=True)

    def _colors(self, scenes: Scenes, seen: Hits, places: Floats, directions: Floats, *, matt: bool) -> Floats:
        """(N, 3) reflectance of what was met; if ``matt``, without what of it is metal."""
        out = self._world.colors(scenes.stage, seen.owner, places, seen.normal, directions)
        return out * (1.0 - self._mirrors.metal[seen.owner, None]) if matt else out

    def _by_the_ray(self, scenes: Scenes, pixels: Ints, *, mirrored_only: bool) -> Floats:
        """(N, 3) light of pixels, or what of it is mirrored, as the mean of samples."""
        width, out, pending = self._lens.camera.width, np.zeros((len(pixels), 3)), Pending()
        for k in range(self._samples if len(pixels) else 0):
            # A rank-1 lattice: no two samples of a pixel share a row or a column.
            u, v = (k + 0.5) / self._samples, (k * 0.6180339887 + 0.309) % 1.0
            eye, directions = self._lens.rays(scenes.stage.frame, pixels % width + u, pixels // width + v)
            eyes = np.broadcast_to(eye, directions.shape)
            seen = self._studio.met(scenes, eyes, directions)
            sample = Sample(scenes, k, np.zeros(out.shape), pending)
            if not mirrored_only:
                every, whole = np.arange(len(pixels)), np.ones(out.shape)
                self._opaque(sample, seen, eyes, directions, every, whole, shown=False)
                self._through(sample, seen, eyes, directions, every, whole)
            self._mirrored(sample, seen, eyes, directions)
            out += np.minimum(sample.out, _BRIGHTEST)
        return (out + pending.settled(len(pixels))) / max(self._samples, 1)

    def _through(
        self, sample: Sample, seen: Hits, origins: Floats, directions: Floats, pixel: Ints, weight: Floats
    ) -> None:
        """Add to pixels, with weights (N, 3), what is seen in and through clear things."""

        def shade(met: Hits, origins: Floats, directions: Floats, pixel: Ints, weight: Floats, *, solid: bool) -> None:
            self._opaque(sample, met, origins, directions, pixel, weight, shown=True, solid=solid)

        rows = np.flatnonzero(self._studio.group[seen.owner] == CLEAR)
        if len(rows):
            self._clear.follow(
                sample.out, seen.of(rows), origins[rows], directions[rows], pixel[rows], weight[rows],
                meet=lambda o, d: self._studio.met(sample.scenes, o, d),
                meet_opaque=lambda o, d: self._studio.met(sample.scenes, o, d, opaque=True),
                shade=shade, salt=sample.number,
            )  # fmt: skip

    def _mirrored(self, sample: Sample, seen: Hits, origins: Floats, directions: Floats) -> None:
        """Add what shiny surfaces mirror but lamps."""
        u, v = (sample.number * 0.7548776662 + 0.5) % 1.0, (sample.number + 0.5) / self._samples
        rows = np.flatnonzero(self._mirrors.shiny[seen.owner])
        seen = seen.of(rows)
        places = origins[rows] + seen.time[:, None] * directions[rows]
        to, weight = self._mirrors.rays(seen.owner, seen.normal, directions[rows], u, v)
        kept = np.flatnonzero(weight.any(1))
        places, to = places[kept] + beside(places[kept]) * seen.normal[kept], to[kept]
        if len(kept):
            met = self._studio.met(sample.scenes, places, to)
            self._opaque(sample, met, places, to, rows[kept], weight[kept], shown=True)
            self._through(sample, met, places, to, rows[kept], weight[kept])

    def _opaque(
        self, sample: Sample, seen: Hits, origins: Floats, directions: Floats, pixel: Ints, weight: Floats, *,
        shown: bool, solid: bool = False,
    ) -> None:  # fmt: skip
        """Add to pixels, with weights (N, 3), what opaque surfaces send along rays, and the sky.

        If ``shown``, as a mirror or something clear shows it: matt, and limited. If ``solid``, what is partly clear is
        opaque.
        """
        studio, scenes = self._studio, sample.scenes
        group = studio.group[seen.owner]
        if solid:
            group = np.where(group == CLEAR, 0, group)
        light = studio.from_lamps(scenes, group, origins, directions, sample.number + 1, shown=shown, solid=solid)
        if shown:
            light = np.minimum(light, _BRIGHTEST_SHOWN)
        light[group == SKY] = self._sky.seen(directions[group == SKY])
        np.add.at(sample.out, pixel, weight * light)
        rows = np.flatnonzero(group >= 0)
        met, along = seen.of(rows), directions[rows]
        places = origins[rows] + met.time[:, None] * along
        u, v = spread(np.arange(len(rows)), np.zeros(len(rows), np.int64), sample.number, self._samples)
        soft = studio.around(scenes, met, places, u, v, sample.number)
        gain = weight[rows] * self._colors(scenes, met, places, along, matt=not shown)
        sample.pending.add(pixel[rows], gain, met, places, soft, self._lens.widths(scenes.stage.frame, places))


def _pure(group: Ints) -> NDArray[np.bool_]:
    """(H, W) pixels whose four neighbours are of their own group."""
    padded = np.pad(group, 1, mode="edge")
    out = np.ones(group.shape, np.bool_)
    for other in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        out &= other == group
    return out
