"""Is it still physics? Energy out of nothing, and bodies through what is solid, end a simulation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.simulators.preparation import Preparation
from physreel.values import Trajectory


def watch(prep: Preparation, trajectory: Trajectory, path: NDArray[np.float64], depth: object) -> None:
    """Placeholder until the laws run."""
