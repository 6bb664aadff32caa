"""The state of a clip as a vector of fixed length a frame, with a name for each number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import InputError

LAYOUT_COLUMNS = ("index", "fps", "frame_count", "width", "height", "camera", "bodies", "signals")
"""What must be known of each row before the first can be written."""

_POSE = ("x", "y", "z", "qw", "qx", "qy", "qz")


@dataclass(frozen=True)
class Slot:
    """Some numbers of the vector: what they are of, and whether some clips are without it."""

    name: str
    optional: bool


@dataclass(frozen=True)
class Layout:
    """What all episodes of a scene share.

    Attributes:
        fps: frames per second.
        cameras: (height, width) in pixels of each, by name.
        bodies: a slot for each body that is not fixed, by name.
        signals: a slot for each signal.
        episodes: how many.
    """

    fps: int
    cameras: Mapping[str, tuple[int, int]]
    bodies: tuple[Slot, ...]
    signals: tuple[Slot, ...]
    episodes: int

    @property
    def names(self) -> list[str]:
        """What each number of a state is."""
        found = []
        for slot in self.bodies:
            found += [f"{slot.name}.{part}" for part in _POSE] + ([f"{slot.name}.present"] if slot.optional else [])
        for slot in self.signals:
            found += [slot.name] + ([f"{slot.name}.present"] if slot.optional else [])
        return found or ["nothing"]


def find_layout(scene: str, samples: Iterable[Sequence[Mapping[str, Any]]]) -> Layout:
    """The layout of a scene's samples (each its rows, with LAYOUT_COLUMNS).

    Raises:
        InputError: frame rates, cameras or sizes differ, which LeRobot has no place for.
    """
    bodies: dict[str, int] = {}
    signals: dict[str, int] = {}
    rates: set[int] = set()
    views: dict[tuple[tuple[str, int, int], ...], int] = {}
    count = 0
    for rows in samples:
        count += 1
        rates.add(rows[0]["fps"])
        seen = tuple((row["camera"]["name"], row["height"], row["width"]) for row in rows)
        views.setdefault(seen, rows[0]["index"])
        for name in moving(rows[0]):
            bodies[name] = bodies.get(name, 0) + 1
        for signal in rows[0]["signals"]:
            signals[signal["name"]] = signals.get(signal["name"], 0) + 1
    problems = []
    if not count:
        problems.append("it has no clips")
    if len(rates) > 1:
        problems.append(f"its clips have {', '.join(map(str, sorted(rates)))} frames per second, not one rate")
    if len(views) > 1:
        (one, first), (other, second) = list(views.items())[:2]
        problems.append(
            f"its clips differ in cameras or size: {_views(one)} in {first}, but {_views(other)} in {second}"
        )
    if problems:
        raise InputError(f"scene {scene!r} cannot be stored as lerobot: {'; '.join(problems)}; use another format")
    return Layout(
        fps=rates.pop(),
        cameras={name: (height, width) for name, height, width in next(iter(views))},
        bodies=tuple(Slot(name, number < count) for name, number in bodies.items()),
        signals=tuple(Slot(name, number < count) for name, number in signals.items()),
        episodes=count,
    )


def _views(views: Sequence[tuple[str, int, int]]) -> str:
    return ", ".join(f"{name} {width}x{height}" for name, height, width in views)


def moving(row: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The bodies of a row that are not fixed, by name."""
    return {body["name"]: body for body in row["bodies"] if body["motion"] != "static"}


def states(row: Mapping[str, Any], layout: Layout) -> NDArray[np.float32]:
    """(T, D) float32: poses (m, quaternion wxyz) and signals at each frame; 0 where there is nothing."""
    frames = row["frame_count"]
    parts: list[NDArray[Any]] = []
    bodies = moving(row)
    for slot in layout.bodies:
        body = bodies.get(slot.name)
        parts.append(np.asarray(body["pose"], np.float64).reshape(frames, 7) if body else np.zeros((frames, 7)))
        if slot.optional:
            parts.append(np.full((frames, 1), float(body is not None)))
    signals = {signal["name"]: signal for signal in row["signals"]}
    for slot in layout.signals:
        signal = signals.get(slot.name)
        parts.append(_at_frames(signal, frames, row["fps"])[:, None] if signal else np.zeros((frames, 1)))
        if slot.optional:
            parts.append(np.full((frames, 1), float(signal is not None)))
    made = np.concatenate(parts, 1) if parts else np.zeros((frames, 1))
    return np.where(np.isfinite(made), made, 0.0).astype(np.float32)


def _at_frames(signal: Mapping[str, Any], frames: int, fps: int) -> NDArray[np.float64]:
    """A signal's last value at or before each frame."""
    values = np.asarray([math.nan if value is None else value for value in signal["values"]], np.float64)
    if not len(values):
        return np.zeros(frames)
    at = np.floor(np.arange(frames) * (signal["rate_hz"] / fps) + 1e-9).astype(np.int64)
    return np.asarray(values[np.minimum(at, len(values) - 1)], np.float64)
