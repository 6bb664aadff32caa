"""Random streams that depend on who asks and on nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np


def sample_rng(seed: int, scene: str, scene_version: int, index: int, stream: str = "world") -> np.random.Generator:
    """The generator of one sample: a Philox stream from (dataset seed, scene, version, index).

    ``stream`` separates uses, so that drawing more for one ("world") never shifts another ("questions").
    """
    words = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") for text in (scene, stream)]
    entropy = np.random.SeedSequence([seed, words[0], scene_version, index, words[1]])
    return np.random.Generator(np.random.Philox(entropy))


def share_at(point: float, shares: Mapping[str, float]) -> str:
    """Which share holds ``point`` (0 to below 1), with all laid end to end; the last takes what rounding leaves."""
    for name, share in shares.items():
        if point < share:
            return name
        point -= share
    return next(reversed(list(shares)))
