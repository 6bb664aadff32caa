"""Random numbers that hang on nothing but a world: the same spec, name and purpose give the same stream."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from physreel.spec import SceneSpec

Floats = NDArray[np.float64]

SWING = 0.35


class Dice:
    """A stream of random numbers for each purpose.

    Draws for one purpose come in the order in which things happen in the clip, so that what comes later never changes
    what came before.
    """

    def __init__(self, spec: SceneSpec, name: str) -> None:
        self._seed = hashlib.sha256(spec.to_json().encode()).digest() + name.encode() + b"\0"

    def generator(self, purpose: str) -> np.random.Generator:
        """A new generator, the same each time."""
        key = hashlib.sha256(self._seed + purpose.encode()).digest()[:16]
        return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))

    def uniform(self, purpose: str, count: int) -> Floats:
        """(count,) in [0, 1)."""
        return np.asarray(self.generator(purpose).random(count))

    def swing(self, purpose: str, count: int) -> Floats:
        """(count,) factors about 1 by which like causes differ in what they do."""
        return np.asarray(np.exp(SWING * self.generator(purpose).standard_normal(count)))
