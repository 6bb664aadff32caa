"""Drawing from what there is, for scenes and questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")


def pick(rng: np.random.Generator, items: Sequence[_T]) -> _T:
    """One of the items, each as likely."""
    return items[int(rng.integers(len(items)))]


def shuffled(rng: np.random.Generator, items: Sequence[_T]) -> tuple[_T, ...]:
    """The items in random order."""
    return tuple(items[k] for k in rng.permutation(len(items)))
