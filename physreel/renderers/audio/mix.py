"""Microphones: the one scale of level, direct sound, and first reflections off floor and walls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import rotate_wxyz
from physreel.renderers.audio.kernels import sinc_table
from physreel.spec import Plane, SceneSpec

Floats = NDArray[np.float64]

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
