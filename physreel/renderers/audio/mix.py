"""Microphones: the one scale of level, direct sound, and first reflections off floor and walls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import rotate_wxyz
from physreel.renderers.audio.kernels import listen, sinc_table
from physreel.spec import Air, Plane, SceneSpec
from physreel.values import SAMPLE_RATE_HZ

Floats = NDArray[np.float64]

HOP = 480
"""Samples between places of a source that moves, and between values of what drives it: 10 ms."""

PASCAL_PER_UNIT = 100.0
"""Sound pressure of a sample value of 1.0, in every clip."""

SILENCE_PA = PASCAL_PER_UNIT * 5e-7
"""- 126 dB of full scale: what stays below is left out."""

FAINT_PA = PASCAL_PER_UNIT * 1e-5
"""- 100 dB of full scale: modes that a blow cannot raise above it are left out of that blow."""

REFLECTION = 0.8
"""Share of the pressure that floors and walls throw back: a furnished room's, not a bathroom's."""

NEAREST_M = 0.05
"""Microphones are not let nearer than this: 1/r has no bound."""


@dataclass(frozen=True, eq=False)
class Image:
    """A microphone, or its mirror image in a plane.

    Hearing a source's image at the microphone is hearing the source at the microphone's image. ``normal`` (3,) and
    ``offset`` are of the plane (None for the microphone itself); only sources in front of it are heard.
    """

    position: Floats
    share: float
    normal: Floats | None
    offset: float

    def hears(self, points: Floats, forces: Floats) -> tuple[Floats, Floats, Floats]:
        """Of sources at points (N, 3): distances (N,), cosines with the forces (N, 3), and shares of the pressure."""
        arm = self.position - points
        distance = np.maximum(np.linalg.norm(arm, axis=1), NEAREST_M)
        share = np.full(len(points), self.share)
        if self.normal is not None:
            # A source in the very plane is thrown back no later than it is heard, and its radiation has that in it.
            share *= np.clip((points @ self.normal - self.offset) / 0.02, 0.0, 1.0)
        return distance, np.einsum("ni,ni->n", arm, forces) / distance, share


@dataclass(frozen=True, eq=False)
class Ear:
    """One channel. ``interpolation`` is the table for sources that move."""

    position: Floats
    mirrored: tuple[tuple[int, Image], ...]
    interpolation: Floats

    def images(self, slab: int | None) -> list[Image]:
        """The microphone and its images; a slab (index of the body) is not mirrored in itself."""
        direct = Image(self.position, 1.0, None, 0.0)
        return [direct, *(image for index, image in self.mirrored if index != slab)]


def ears_of(spec: SceneSpec) -> list[Ear]:
    """The spec's microphones with their images in the spec's planes."""
    table = sinc_table()
    planes = [
        (i, rotate_wxyz(body.orientation_wxyz, np.array([0.0, 0.0, 1.0])), np.array(body.position_m))
        for i, body in enumerate(spec.bodies)
        if isinstance(body.shape, Plane)
    ]
    found = []
    for microphone in spec.microphones:
        position = np.array(microphone.position_m)
        mirrored = []
        for index, normal, place in planes:
            height = float((position - place) @ normal)
            if height > 0.0:
                image = Image(position - 2.0 * height * normal, REFLECTION, normal, float(place @ normal))
                mirrored.append((index, image))
        found.append(Ear(position, tuple(mirrored), table))
    return found


_MARGIN = 32
_PATCH_M, _MOST_PATCHES = 0.25, 6


def carry(out: Floats, pascals: Floats, path: Floats, ears: list[Ear], air: Air, *, slab: int | None = None) -> None:
    """Add to ``out`` (C, S) what the microphones hear of a small source, straight and by reflection.

    Args:
        out: one row an ear.
        pascals: (S,) at 1 m by time of departure.
        path: (H, 3) its place every HOP samples, at least until its sound has ended.
        ears: the microphones.
        air: between.
        slab: index of the body that is itself the source, and does not reflect.
    """
    sounding = np.flatnonzero(pascals)
    if not len(sounding):
        return
    low, high = int(sounding[0]), int(sounding[-1]) + 1
    padded = np.pad(pascals[low:high], _MARGIN)
    for channel, ear in enumerate(ears):
        for image in ear.images(slab):
            distance, _, share = image.hears(path, np.zeros_like(path))
            loud = float(share.mean())
            if loud > 0.0:
                listen(
                    out[channel], padded * loud, low - _MARGIN, distance, HOP, air.speed_of_sound_m_s,
                    float(SAMPLE_RATE_HZ), ear.interpolation,
                )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Voice:
    """A small source.

    Attributes:
        owner: the stem it belongs to.
        pascals: (S,) at 1 m by time of departure.
        path: (H, 3) where it is every HOP samples.
        slab: index of the slab that it is, if it is one.
    """

    owner: str
    pascals: Floats
    path: Floats
    slab: int | None = None


def mixed(voices: Iterable[Voice], ears: list[Ear], air: Air, samples: int) -> dict[str, Floats]:
    """(C, samples) pascals of each owner's voices together, by name."""
    out: dict[str, Floats] = {}
    for voice in voices:
        stem = out.setdefault(voice.owner, np.zeros((len(ears), samples)))
        carry(stem, voice.pascals, voice.path, ears, air, slab=voice.slab)
    return out


def patches(points: Floats) -> NDArray[np.int64]:
    """(N,) number of the patch of space that each point (N, 3) is in; what is heard from one patch has one place.

    Patches are 0.25 m wide (0.4 ms of sound, either way), wider where there would be more than six.
    """
    size = _PATCH_M
    while True:
        _, patch = np.unique(np.floor(points / size).astype(np.int64), axis=0, return_inverse=True)
        if not len(points) or int(patch.max()) < _MOST_PATCHES:
            return np.asarray(patch.reshape(-1), np.int64)
        size *= 1.5
