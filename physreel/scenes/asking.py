"""How scenes ask about what can be asked of one thing only, without the question giving its answer away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from physreel.spec import SceneSpec


def even_out(rng: np.random.Generator, answer: str, shares: Mapping[str, float]) -> bool:
    """Whether to ask: always where the answer is the rarest, less often where it is common, so that all come as often.

    Args:
        rng: decides.
        answer: the true one.
        shares: how often each answer is true at the scene's default parameters, in any unit.
    """
    return bool(rng.random() < min(shares.values()) / shares[answer])


def picture_side(spec: SceneSpec, point_m: object, other_m: object) -> float:
    """How far a point is to the right of another in the picture of the first camera when the clip begins, in pixels."""
    camera = spec.cameras[0]
    world_to_camera = np.linalg.inv(camera.camera_to_world(0.0))
    columns = []
    for point in (point_m, other_m):
        seen = camera.intrinsics() @ (world_to_camera[:3, :3] @ np.asarray(point, np.float64) + world_to_camera[:3, 3])
        columns.append(seen[0] / seen[2])
    return float(columns[0] - columns[1])


def shuffled(rng: np.random.Generator, items: tuple[str, ...]) -> tuple[str, ...]:
    """The items in random order."""
    return tuple(items[k] for k in rng.permutation(len(items)))
