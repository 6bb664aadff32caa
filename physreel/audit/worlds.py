"""What a world's spec says, small enough to keep for every row: its fingerprint, its parameters, what is in it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROJECTIONS = 16

_SMALLEST = 0.01
"""Numbers are compared by ratio, those below this (of any unit) by difference."""

_LARGEST = 1e30

_PHYSICAL = ("shape", "material", "motion", "position_m", "orientation_wxyz", "velocity_m_s",
             "angular_velocity_rad_s", "mass_kg")  # fmt: skip


@dataclass(frozen=True)
class World:
    """What is kept of a spec.

    Attributes:
        kind: hash of all that is no number of parameters, bodies, joints and fluids: shapes, materials, which
            parameters. Looks, cameras and lights are not in it.
        projected: (PROJECTIONS,) float64. Distances between those of one kind are about the distances between the
            logarithms of their numbers: 0.001 is one number that differs by 0.1 %.
        parameters: drawn values, by name.
        counts: bodies, moving bodies, fluids.
        out_of_frame: whether the first moving body's centre is outside the picture in first, middle and last frame;
            None where nothing moves or the camera is not told.
    """

    kind: bytes
    projected: NDArray[np.float64]
    parameters: dict[str, float | str]
    counts: tuple[float, float, float]
    out_of_frame: bool | None


def read_world(spec: Mapping[str, Any], row: Mapping[str, Any]) -> World:
    """Read a spec (plain JSON values) and the row it belongs to."""
    bodies = spec["bodies"]
    physical = {
        "parameters": spec.get("parameters") or {},
        "bodies": [{name: body.get(name) for name in _PHYSICAL} for body in bodies],
        "joints": spec.get("joints") or [],
        "fluids": spec.get("fluids") or [],
        "gravity": spec.get("gravity_m_s2"),
    }
    texts, numbers = [], []
    for path, value in _leaves(physical, ""):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            numbers.append(float(value))
            texts.append(path)
        else:
            texts.append(f"{path}={value}")
    moving = [k for k, body in enumerate(bodies) if body.get("motion") != "static"]
    return World(
        kind=_digest("\n".join(texts)),
        projected=_project(np.array(numbers)),
        parameters={
            # One text for all rows that say the same.
            sys.intern(name): float(value)
            if isinstance(value, (int, float)) and not isinstance(value, bool)
            else sys.intern(str(value))
            for name, value in (spec.get("parameters") or {}).items()
            if isinstance(value, (bool, int, float, str))
        },
        counts=(float(len(bodies)), float(len(moving)), float(len(spec.get("fluids") or []))),
        out_of_frame=_out_of_frame(row, moving[0]) if moving else None,
    )


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name in sorted(value):
            yield from _leaves(value[name], f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from _leaves(item, f"{path}[{k}]")
    else:
        yield path, value


_directions = np.zeros((0, PROJECTIONS))


def _project(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """A fixed random projection of the logarithms of numbers (of either sign)."""
    global _directions
    if len(numbers) > len(_directions):
        size = max(256, 2 * len(numbers))
        # Row by row from one seed: a longer table begins as the shorter one did.
        drawn = np.random.default_rng(20261127).normal(size=(size, PROJECTIONS))
        _directions = drawn / np.sqrt(PROJECTIONS)
    logarithms = np.arcsinh(np.clip(np.nan_to_num(numbers), -_LARGEST, _LARGEST) / _SMALLEST)
    return np.asarray(logarithms @ _directions[: len(numbers)], np.float64)


def _out_of_frame(row: Mapping[str, Any], body: int) -> bool | None:
    camera, bodies = row.get("camera"), row.get("bodies")
    if not camera or not bodies or body >= len(bodies):
        return None
    try:
        inward = np.asarray(camera["intrinsics"], np.float64).reshape(3, 3)
        placed = np.asarray(camera["camera_to_world"], np.float64).reshape(-1, 4, 4)
        centres = np.asarray(bodies[body]["pose"], np.float64).reshape(-1, 7)[:, :3]
        width, height = float(row["width"]), float(row["height"])
    except (KeyError, TypeError, ValueError):
        return None
    count = min(len(placed), len(centres))
    if not count:
        return None
    for frame in sorted({0, count // 2, count - 1}):
        seen = placed[frame, :3, :3].T @ (centres[frame] - placed[frame, :3, 3])
        if seen[2] > 0.0:
            column, line, _ = inward @ seen / seen[2]
            if 0.0 <= column <= width and 0.0 <= line <= height:
                return False
    return True


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
