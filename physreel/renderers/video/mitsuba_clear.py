"""What clear things show: rays bent by glass and liquids until they meet something opaque or the sky.

Borders are found by Mitsuba. Where two media share a place, the first by rank counts, bodies before liquids: a liquid
that reaches a little into its glass touches it without a film of air between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.mitsuba_looks import Sky, lamp_ball
from physreel.renderers.video.mitsuba_passes import Hits
from physreel.renderers.video.mitsuba_world import World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Meet = Callable[[Floats, Floats], Hits]
Shade = Callable[[Hits, Floats, Floats], Floats]

_MOST_BORDERS = 16
# A lamp's mirror image in one sample is never brighter: it must not become a speck.
_LAMP_LIMIT = 8.0
# Smoother surfaces than this (GGX) mirror as if they were smooth.
_SMOOTH = 2e-3
_STEP = 1e-5


@dataclass(frozen=True, eq=False)
class Bundle:
    """N rays on their way.

    Attributes:
        origin: (N, 3).
        direction: (N, 3) unit vectors.
        pixel: (N,) to which ray that was asked for they belong.
        weight: (N, 3) what they bring there.
        inside: (N, M + 1) how often they have gone into each medium without coming out; of air, the last, always once.
        mirrored: (N,) whether any border has mirrored them.
    """

    origin: Floats
    direction: Floats
    pixel: Ints
    weight: Floats
    inside: Ints
    mirrored: Bools

    def of(self, rows: Ints) -> Bundle:
        """Some of the rays."""
        return Bundle(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def and_(self, other: Bundle) -> Bundle:
        """These and others."""
        both = (np.concatenate([getattr(self, n), getattr(other, n)]) for n in self.__dataclass_fields__)
        return Bundle(*both)

    @property
    def medium(self) -> Ints:
        """(N,) the medium that counts where the rays are."""
        return np.asarray(np.argmax(self.inside > 0, axis=1))


class Clear:
    """The clear bodies and liquids of a world.

    Attributes:
        number: (owners + 1,) of each owner its place among media, -1 of what is opaque; the last is of a miss.
    """

    def __init__(self, world: World, sky: Sky) -> None:
        self._sky = sky
        bodies = len(world.spec.bodies)
        # Owner, index, loss a metre, colour, opaque share, width of facets' slopes.
        media: list[tuple[int, float, tuple[float, ...], tuple[float, ...], float, float]] = []
        for i, look in enumerate(world.looks):
            if look.transmission > 0.0:
                media.append((i, look.ior, (0.0,) * 3, look.color, 1.0 - look.transmission, look.roughness**2))
        for f, liquid in enumerate(world.liquids):
            if liquid.opacity < 1.0:
                media.append((bodies + f, liquid.ior, liquid.absorption_per_m, (1.0,) * 3, liquid.opacity, 0.0))
        self.number = np.full(bodies + len(world.liquids) + 1, -1)
        self.number[[row[0] for row in media]] = np.arange(len(media))
        media.append((-1, 1.0, (0.0,) * 3, (1.0,) * 3, 0.0, 0.0))
        _, self._ior, self._loss, self._color, self._matte, self._rough = map(np.array, zip(*media, strict=True))
        self._lamps = [ball for ball in map(lamp_ball, world.spec.lights) if ball is not None]

    def seen(
        self, met: Hits, origins: Floats, directions: Floats, *, meet: Meet, shade: Shade, solid: Shade,
        rng: np.random.Generator,
    ) -> Floats:  # fmt: skip
        """(N, 3) radiance along rays that come through air.

        Args:
            met: what the rays met.
            origins: (N, 3).
            directions: (N, 3) unit vectors.
            meet: what rays meet.
            shade: radiance of what is opaque, from what was met, origins and directions.
            solid: the same of what is partly clear, as if it were opaque.
            rng: for the choice between mirrored and bent beyond the first border.
        """
        count, air = len(origins), len(self._ior) - 1
        out = np.zeros((count, 3))
        inside = np.zeros((count, air + 1), np.int64)
        inside[:, air] = 1
        rays = Bundle(origins, directions, np.arange(count), np.ones((count, 3)), inside, np.zeros(count, np.bool_))
        for border in range(_MOST_BORDERS):
            if not len(rays.pixel):
                break
            rays = self._dimmed(rays, met)
            self._add_lamps(out, rays, met)
            gone, number = met.owner < 0, self.number[met.owner]
            self._add(out, rays, gone, self._sky.seen)
            ends = np.flatnonzero((number < 0) & ~gone)
            if len(ends):
                # From just before the hit: nothing clear is between.
                last, end = rays.of(ends), met.of(ends)
                near = last.origin + 0.999 * end.time[:, None] * last.direction
                light = shade(replace(end, time=0.001 * end.time), near, last.direction)
                np.add.at(out, last.pixel, last.weight * light)
            goes_on = np.flatnonzero(number >= 0)
            rays, met = rays.of(goes_on), met.of(goes_on)
            rays = self._across(out, rays, met, solid, None if border == 0 else rng)
            met = meet(rays.origin, rays.direction)
        return out

    def _across(self, out: Floats, rays: Bundle, met: Hits, solid: Shade, rng: np.random.Generator | None) -> Bundle:
        """Rays beyond a border: mirrored and bent ones without ``rng``, with it one of both."""
        row, number = np.arange(len(rays.pixel)), self.number[met.owner]
        inside = rays.inside.copy()
        inside[row, number] = np.maximum(inside[row, number] + np.where(met.entering, 1, -1), 0)
        after = replace(rays, inside=inside)
        medium, beyond = rays.medium, after.medium
        same = medium == beyond  # a border inside a medium of higher rank is none
        normal = self._roughened(met.normal, np.where(same, len(self._ior) - 1, number), rng)
        cosine = np.clip(-np.einsum("ni,ni->n", rays.direction, normal), 1e-6, 1.0)
        ratio = self._ior[medium] / self._ior[beyond]
        share, bent_cosine = _fresnel(cosine, ratio)
        share[same] = 0.0
        bent = ratio[:, None] * rays.direction + (ratio * cosine - bent_cosine)[:, None] * normal
        bent[same] = rays.direction[same]
        enters = met.entering & (beyond == number) & ~same
        through = np.where(enters[:, None], self._color[number] * (1.0 - self._matte[number])[:, None], 1.0)
        matte = np.flatnonzero(enters & (self._matte[number] > 0.0) & (share < 1.0))
        if len(matte):
            part = rays.of(matte)
            gain = (self._matte[number[matte]] * (1.0 - share[matte]))[:, None]
            np.add.at(out, part.pixel, part.weight * gain * solid(met.of(matte), part.origin, part.direction))
        mirrored = rays.direction + 2.0 * cosine[:, None] * normal
        if rng is None:
            mirror_rows, bent_rows = np.flatnonzero(share > 0.0), np.flatnonzero(share < 1.0)
            mirror_gain, bent_gain = share[:, None], (1.0 - share)[:, None] * through
        else:
            chance = rng.random(len(row)) < share
            mirror_rows, bent_rows = np.flatnonzero(chance), np.flatnonzero(~chance)
            mirror_gain, bent_gain = np.ones((len(row), 1)), through
        place = rays.origin + met.time[:, None] * rays.direction
        back = _sent(rays.of(mirror_rows), place[mirror_rows], mirrored[mirror_rows], mirror_gain[mirror_rows])
        on = _sent(after.of(bent_rows), place[bent_rows], bent[bent_rows], bent_gain[bent_rows])
        return on.and_(replace(back, mirrored=np.ones(len(mirror_rows), np.bool_)))

    def _dimmed(self, rays: Bundle, met: Hits) -> Bundle:
        way = np.where(np.isfinite(met.time), met.time, 0.0)
        return replace(rays, weight=rays.weight * np.exp(-self._loss[rays.medium] * way[:, None]))

    @staticmethod
    def _add(out: Floats, rays: Bundle, mine: Bools, radiance: Callable[[Floats], Floats]) -> None:
        np.add.at(out, rays.pixel[mine], rays.weight[mine] * radiance(rays.direction[mine]))

    def _add_lamps(self, out: Floats, rays: Bundle, met: Hits) -> None:
        # Lamps themselves are unseen, but not their mirror images.
        for center, radius, radiance in self._lamps:
            to = center - rays.origin
            along = np.einsum("ni,ni->n", to, rays.direction)
            off = np.einsum("ni,ni->n", to, to) - along**2
            shown = np.flatnonzero(rays.mirrored & (along > 0.0) & (off < radius**2) & (along < met.time))
            np.add.at(out, rays.pixel[shown], np.minimum(rays.weight[shown] * radiance, _LAMP_LIMIT))

    def _roughened(self, normal: Floats, number: Ints, rng: np.random.Generator | None) -> Floats:
        """Normals of the facets of rough glass (GGX); those of the first border spread evenly over the pixels."""
        width = self._rough[number]
        rough = np.flatnonzero(width > _SMOOTH)
        if not len(rough):
            return normal
        if rng is None:
            k = np.arange(1, len(rough) + 1)
            draw = np.stack([k * 0.7548776662 % 1.0, k * 0.5698402910 % 1.0])
        else:
            draw = rng.random((2, len(rough)))
        slope = width[rough] * np.sqrt(draw[0] / np.maximum(1.0 - draw[0], 1e-6))
        u, v = axes_across(normal[rough])
        angle = 2 * np.pi * draw[1]
        tilted = normal[rough] + (slope * np.cos(angle))[:, None] * u + (slope * np.sin(angle))[:, None] * v
        out = normal.copy()
        out[rough] = tilted / np.linalg.norm(tilted, axis=1, keepdims=True)
        return out


def axes_across(normal: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors across each of (N, 3) unit normals."""
    across = np.where(np.abs(normal[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    u = np.cross(across, normal)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return u, np.cross(normal, u)


def _sent(rays: Bundle, place: Floats, direction: Floats, gain: Floats) -> Bundle:
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    origin = place + _STEP * (1.0 + np.abs(place).max(1, initial=0.0, keepdims=True)) * direction
    return replace(rays, origin=origin, direction=direction, weight=rays.weight * gain)


def _fresnel(cosine: Floats, ratio: Floats) -> tuple[Floats, Floats]:
    """(share mirrored, cosine beyond) at smooth borders; ``ratio`` = index before / index beyond."""
    k = 1.0 - ratio**2 * (1.0 - cosine**2)
    beyond = np.sqrt(np.maximum(k, 0.0))
    s = (ratio * cosine - beyond) / (ratio * cosine + beyond)
    p = (cosine - ratio * beyond) / (cosine + ratio * beyond)
    return np.where(k <= 0.0, 1.0, 0.5 * (s**2 + p**2)), beyond
