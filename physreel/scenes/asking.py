"""How scenes ask about what can be asked of one thing only, without the question giving its answer away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.spec import SceneSpec


def even_out(rng: np.random.Generator, answer: str, shares: Mapping[str, float]) -> bool:
    """Whether to ask: always where the answer is the rarest, less often where it is common, so that all come as often.

    Args:
        rng: decides.
        answer: the true one.
        shares: how often each answer is true at the scene's default parameters, in any unit.
    """
    return bool(rng.random() < min(shares.values()) / shares[answer])


def picture_side(spec: SceneSpec, points_m: ArrayLike, other_m: ArrayLike) -> NDArray[np.float64]:
    """How far points (..., 3) are to the right of another (3,), in pixels: (...), NaN of what is behind the camera.

    As the first camera has them when the clip begins.
    """
    camera = spec.cameras[0]
    world_to_camera = np.linalg.inv(camera.camera_to_world(0.0))

    def column(points: ArrayLike) -> NDArray[np.float64]:
        local = np.asarray(points, np.float64) @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
        seen = local @ camera.intrinsics().T
        depth = np.where(seen[..., 2] > 0.0, seen[..., 2], np.nan)
        return np.asarray(seen[..., 0] / depth)

    return np.asarray(column(points_m) - column(other_m))


def coin(rng: np.random.Generator) -> bool:
    """One way or the other: to choose between two questions, one of which would tell what the other asks.

    It is thrown whether or not they can be asked, so that it changes nothing in how often each answer comes up.
    """
    return bool(rng.random() < 0.5)
