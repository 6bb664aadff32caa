"""What clear things show: rays bent by glass and liquids until they meet something opaque or the sky.

Borders are found by Mitsuba. Where two media share a place, the first by rank counts, bodies before liquids: a liquid
that reaches a little into its glass touches it without a film of air between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.mitsuba_looks import Sky, lamp_ball
from physreel.renderers.video.mitsuba_passes import Hits
from physreel.renderers.video.mitsuba_world import World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Meet = Callable[[Floats, Floats], Hits]


class Shade(Protocol):
    """What adds the light of opaque surfaces."""

    def __call__(
        self, met: Hits, origins: Floats, directions: Floats, pixel: Ints, weight: Floats, *, solid: bool
    ) -> None:
        """Add to pixels, with weights, what surfaces send along rays; ``solid``: partly clear ones too."""


_MOST_BORDERS = 24
# Mirrored light that brings less than the first is not followed but guessed; what brings less than the second is lost.
_FOLLOWED, _LEAST = 0.06, 0.003
# A lamp's mirror image in one sample is never brighter: it must not become a speck.
_LAMP_LIMIT = 8.0
# Smoother surfaces than this (GGX) mirror as if they were smooth.
_SMOOTH = 2e-3
_STEP = 1e-5
# Narrower gaps between a liquid and a wall only come of their triangles, and between solids of how engines let them
# touch: there is none.
_GAP_M, _CONTACT_M = 0.8e-3, 0.1e-3


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
        self._sky, self._ambient = sky, np.array(world.spec.environment.ambient)
        bodies = len(world.spec.bodies)
        # Owner, index, loss a metre, colour, opaque share, width of facets' slopes.
        media: list[tuple[int, float, tuple[float, ...], tuple[float, ...], float, float]] = []
        for i, look in enumerate(world.looks):
            if look.transmission > 0.0:
                loss = world.wall_loss.get(i, (0.0, 0.0, 0.0))
                color = (1.0, 1.0, 1.0) if i in world.wall_loss else look.color
                media.append((i, look.ior, loss, color, 1.0 - look.transmission, look.roughness**2))
        for f, liquid in enumerate(world.liquids):
            if liquid.opacity < 1.0:
                media.append((bodies + f, liquid.ior, liquid.absorption_per_m, (1.0,) * 3, liquid.opacity, 0.0))
        self.number = np.full(bodies + len(world.liquids) + 1, -1)
        self.number[[row[0] for row in media]] = np.arange(len(media))
        self._liquid = np.array([*(row[0] >= bodies for row in media), False])
        media.append((-1, 1.0, (0.0,) * 3, (1.0,) * 3, 0.0, 0.0))
        _, self._ior, self._loss, self._color, self._matte, self._rough = map(np.array, zip(*media, strict=True))
        self._lamps = [ball for ball in map(lamp_ball, world.spec.lights) if ball is not None]

    def follow(
        self, out: Floats, met: Hits, origins: Floats, directions: Floats, pixel: Ints, weight: Floats, *, meet: Meet,
        meet_opaque: Meet, shade: Shade, salt: int,
    ) -> None:  # fmt: skip
        """Follow rays that come through air and meet something clear, and add what they bring.

        Args:
            out: (P, 3) radiance of pixels, added to.
            met: what the rays met.
            origins: (N, 3).
            directions: (N, 3) unit vectors.
            pixel: (N,) to which each belongs.
            weight: (N, 3) what each brings there.
            meet: what rays meet.
            meet_opaque: what they would meet if nothing clear were there.
            shade: what opaque surfaces send along rays.
            salt: number of the sample, for the facets of rough glass.
        """
        count, air = len(origins), len(self._ior) - 1
        inside = np.zeros((count, air + 1), np.int64)
        inside[:, air] = 1
        rays = Bundle(origins, directions, pixel, weight, inside, np.zeros(count, np.bool_))
        for border in range(_MOST_BORDERS):
            rays = self._dimmed(rays, met)
            self._add_lamps(out, rays, met.time)
            gone, number = met.owner < 0, self.number[met.owner]
            np.add.at(out, rays.pixel[gone], rays.weight[gone] * self._sky.seen(rays.direction[gone]))
            # From just before the hit: nothing clear is between.
            way = np.where(np.isfinite(met.time), met.time, 0.0)
            near = replace(rays, origin=rays.origin + 0.999 * way[:, None] * rays.direction)
            ends = ((number < 0) & ~gone)[:, None]
            self._end(near, replace(met, time=0.001 * way), np.where(ends, rays.weight, 0.0), shade, solid=False)
            goes_on = np.flatnonzero((number >= 0) & (rays.weight.max(1) > _LEAST))
            if not len(goes_on):
                break
            followed = _FOLLOWED if border else 0.0
            rays = self._across(
                out, rays.of(goes_on), met.of(goes_on), meet, meet_opaque, shade, followed, salt + border
            )
            met = meet(rays.origin, rays.direction)
        else:
            np.add.at(out, rays.pixel, rays.weight * self._ambient)

    def _across(
        self, out: Floats, rays: Bundle, met: Hits, meet: Meet, meet_opaque: Meet, shade: Shade, followed: float,
        salt: int,
    ) -> Bundle:  # fmt: skip
        """Rays beyond a border: bent ones, and mirrored ones that bring more than ``followed``."""
        row, number, air = np.arange(len(rays.pixel)), self.number[met.owner], len(self._ior) - 1
        inside = rays.inside.copy()
        # A solid's pieces may overlap; a liquid's surface may fold over itself, but what is in it is in it once.
        new = met.entering & ~((inside[row, number] > 0) & self._liquid[number])
        inside[row, number] = np.maximum(inside[row, number] + np.where(new, 1, np.where(met.entering, 0, -1)), 0)
        after = replace(rays, inside=inside)
        place = rays.origin + met.time[:, None] * rays.direction
        close, before = self._touched(rays, after, place, meet_opaque)
        touched = np.isfinite(close.time)
        over, width = self._bridged(rays, after, place, meet)
        medium, beyond = rays.medium, after.medium
        same = (medium == beyond) | touched  # a border inside a medium of higher rank is none
        normal = self._roughened(met.normal, np.where(same, air, number), salt)
        cosine = np.clip(-np.einsum("ni,ni->n", rays.direction, normal), 1e-6, 1.0)
        ratio = self._ior[medium] / self._ior[beyond]
        share, bent_cosine = _fresnel(cosine, ratio)
        share[same] = 0.0
        bent = ratio[:, None] * rays.direction + (ratio * cosine - bent_cosine)[:, None] * normal
        bent[same] = rays.direction[same]
        mirrored = rays.direction + 2.0 * cosine[:, None] * normal
        kept = (1.0 - share)[:, None] * np.where((new & (beyond == number) & ~same)[:, None], self._color[number], 1.0)
        # What is partly opaque shows that part where light enters it, also through the glass it touches.
        first = np.where(new & (share < 1.0), self._matte[number], 0.0)
        self._end(rays, met, rays.weight * (first * (1.0 - share))[:, None], shade, solid=True)
        edge = replace(rays, origin=place + _STEP * rays.direction)
        second = np.where(np.isfinite(over.time), self._matte[self.number[over.owner]], 0.0)
        self._end(edge, over, rays.weight * (second * (1.0 - share))[:, None], shade, solid=True)
        kept *= ((1.0 - first) * (1.0 - second))[:, None]
        self._end(before, close, np.where(touched[:, None], rays.weight * kept, 0.0), shade, solid=False)
        strong = rays.weight.max(1) * share > followed
        back = _sent(rays, place, mirrored, share[:, None])
        back = replace(back, mirrored=np.ones(len(row), np.bool_))
        weak = back.of(np.flatnonzero(~strong & (share > 0.0)))
        self._add_lamps(out, weak, np.full(len(weak.pixel), np.inf))
        np.add.at(out, weak.pixel, weak.weight * self._ambient)
        on = _sent(after, place + width[:, None] * rays.direction, bent, kept)
        return on.of(np.flatnonzero((share < 1.0) & ~touched)).and_(back.of(np.flatnonzero(strong)))

    @staticmethod
    def _end(rays: Bundle, met: Hits, weight: Floats, shade: Shade, *, solid: bool) -> None:
        rows = np.flatnonzero(weight.any(1))
        if len(rows):
            part = rays.of(rows)
            shade(met.of(rows), part.origin, part.direction, part.pixel, weight[rows], solid=solid)

    def _bridged(self, rays: Bundle, after: Bundle, place: Floats, meet: Meet) -> tuple[Hits, Floats]:
        """Put rays that come to a narrow gap before something clear into that.

        Returns:
            what is beyond the gap (at infinity where there is none), (N,) the gap's width.
        """
        count, air = len(place), len(self._ior) - 1
        over, width = Hits.none(count), np.zeros(count)
        rows = np.flatnonzero((after.medium == air) & (rays.medium != air))
        if len(rows):
            to = rays.direction[rows]
            found = meet(place[rows] + _STEP * to, to)
            number = self.number[found.owner]
            narrow = found.time < self._gap(rays.medium[rows], number)
            next_ = np.flatnonzero(narrow & (number >= 0) & found.entering)
            there = rows[next_]
            after.inside[there, number[next_]] += 1
            width[there] = found.time[next_] + _STEP
            over.put(there, found.of(next_))
        return over, width

    def _touched(self, rays: Bundle, after: Bundle, place: Floats, meet_opaque: Meet) -> tuple[Hits, Bundle]:
        """What opaque things borders touch (at infinity where none), and rays that lead there from a little before."""
        count, air = len(place), len(self._ior) - 1
        close, before = Hits.none(count), replace(rays, origin=place - _CONTACT_M * rays.direction)
        rows = np.flatnonzero((after.medium == air) & (rays.medium != air))
        if len(rows):
            found = meet_opaque(before.origin[rows], rays.direction[rows])
            narrow = np.flatnonzero(found.time < _CONTACT_M + self._gap(rays.medium[rows], self.number[found.owner]))
            close.put(rows[narrow], found.of(narrow))
        return close, before

    def _gap(self, medium: Ints, beyond: Ints) -> Floats:
        return np.where(self._liquid[medium] | self._liquid[beyond], _GAP_M, _CONTACT_M)

    def _dimmed(self, rays: Bundle, met: Hits) -> Bundle:
        way = np.where(np.isfinite(met.time), met.time, 0.0)
        return replace(rays, weight=rays.weight * np.exp(-self._loss[rays.medium] * way[:, None]))

    def _add_lamps(self, out: Floats, rays: Bundle, time: Floats) -> None:
        # Lamps themselves are unseen, but not their mirror images.
        for center, radius, radiance in self._lamps:
            to = center - rays.origin
            along = np.einsum("ni,ni->n", to, rays.direction)
            off = np.einsum("ni,ni->n", to, to) - along**2
            shown = np.flatnonzero(rays.mirrored & (along > 0.0) & (off < radius**2) & (along < time))
            np.add.at(out, rays.pixel[shown], np.minimum(rays.weight[shown] * radiance, _LAMP_LIMIT))

    def _roughened(self, normal: Floats, number: Ints, salt: int) -> Floats:
        """Normals of the facets of rough glass (GGX), spread evenly over rays and samples."""
        width = self._rough[number]
        rough = np.flatnonzero(width > _SMOOTH)
        if not len(rough):
            return normal
        k = 1 + np.arange(len(rough)) + 7919 * salt
        u, v = k * 0.7548776662466927 % 1.0, k * 0.5698402909980532 % 1.0
        slope = width[rough] * np.sqrt(u / np.maximum(1.0 - u, 1e-6))
        x, y = axes_across(normal[rough])
        angle = 2 * np.pi * v
        tilted = normal[rough] + (slope * np.cos(angle))[:, None] * x + (slope * np.sin(angle))[:, None] * y
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
