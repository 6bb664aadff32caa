"""One fixed scheme of colours for everything that has no colour of its own, and the legends that say so."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

BACKGROUND = (20, 22, 26)
_STILL = ((92, 96, 104), (120, 116, 106), (78, 88, 96), (134, 130, 126))
_MOVING = (
    (239, 91, 79), (70, 160, 240), (250, 190, 50), (70, 190, 120), (180, 110, 230), (240, 130, 190), (60, 200, 205),
    (190, 140, 90), (160, 200, 60), (120, 125, 245),
)  # fmt: skip
_LIQUID = ((60, 120, 255), (30, 190, 255), (110, 90, 255))
_ANGLES, _STRENGTHS = 128, 32


def ramp(steps: int = 256) -> Picture:
    """(steps, 3): black to white through changing hues, each step brighter than the one before (a cubehelix)."""
    x = np.linspace(0.0, 1.0, steps)
    angle = 2.0 * np.pi * (1.1 - 1.1 * x)
    swing = 1.1 * x * (1.0 - x) / 2.0
    red = x + swing * (-0.14861 * np.cos(angle) + 1.78277 * np.sin(angle))
    green = x + swing * (-0.29227 * np.cos(angle) - 0.90649 * np.sin(angle))
    blue = x + swing * (1.97294 * np.cos(angle))
    return np.rint(np.clip(np.stack([red, green, blue], -1), 0.0, 1.0) * 255).astype(np.uint8)


def body_colours(motions: Sequence[str], fluids: int) -> list[tuple[int, int, int]]:
    """A colour for each number of a segmentation: background, bodies (what stands still in greys), fluids."""
    found: list[tuple[int, int, int]] = [BACKGROUND]
    still = moving = 0
    for motion in motions:
        if motion == "static":
            found.append(_STILL[still % len(_STILL)])
            still += 1
        else:
            found.append(_MOVING[moving] if moving < len(_MOVING) else _golden(moving))
            moving += 1
    return found + [_LIQUID[k % len(_LIQUID)] for k in range(fluids)]


def _golden(k: int) -> tuple[int, int, int]:
    # Hues a golden angle apart are never near one that was given shortly before.
    red, green, blue = colorsys.hls_to_rgb(k * 0.381966 % 1.0, 0.5 + 0.14 * (k % 3 - 1), 0.65)
    return round(red * 255), round(green * 255), round(blue * 255)


def hex_colour(colour: Sequence[int]) -> str:
    """As CSS has it."""
    return "#" + "".join(f"{int(part):02x}" for part in colour[:3])


def paint_segmentation(values: NDArray[np.uint16], colours: Sequence[tuple[int, int, int]]) -> tuple[Picture, Any]:
    """(T, H, W) numbers as (T, H, W, 3) colours; numbers without a body are white."""
    table = np.full((65536, 3), 255, np.uint8)
    table[: len(colours)] = colours
    return table[values], {"kind": "bodies"}


def paint_depth(values: NDArray[np.float32]) -> tuple[Picture, Any]:
    """(T, H, W) m as colours, near bright and far dark; nothing is background. Of each clip its own range."""
    finite = np.isfinite(values)
    some = values[finite]
    near, far = (
        (float(q) for q in np.percentile(some[:: max(1, some.size // 200_000)], (0.5, 99.5))) if some.size else (0, 1)
    )
    far = max(far, near + 1e-6)
    place = np.clip((far - np.where(finite, values, far)) / (far - near), 0.0, 1.0)
    table = ramp(256)[24:]
    painted = table[(place * (len(table) - 1)).astype(np.uint8)]
    painted[~finite] = BACKGROUND
    stops = [hex_colour(table[k]) for k in np.linspace(len(table) - 1, 0, 9).astype(int)]
    return painted, {"kind": "ramp", "low": near, "high": far, "unit": "m", "stops": stops}


def paint_normals(values: NDArray[np.float32]) -> tuple[Picture, Any]:
    """(T, H, W, 3) unit vectors of the world: x, y, z from -1 to 1 as red, green, blue from 0 to 255."""
    painted = np.clip(values * 127.5 + 127.5, 0, 255).astype(np.uint8)
    painted[~values.any(-1)] = BACKGROUND
    axes = [[name, hex_colour([round(127.5 + 127.5 * part) for part in axis])] for name, axis in _AXES]
    return painted, {"kind": "axes", "axes": axes}


_AXES = (
    ("+x", (1, 0, 0)),
    ("−x", (-1, 0, 0)),
    ("+y", (0, 1, 0)),
    ("−y", (0, -1, 0)),
    ("+z", (0, 0, 1)),
    ("−z", (0, 0, -1)),
)


def paint_flow(values: NDArray[np.float32]) -> tuple[Picture, Any]:
    """(T, H, W, 2) pixels a frame: hue is the direction, brightness the speed; black stands still."""
    speed = np.hypot(values[..., 0], values[..., 1])
    moves = speed > 1.0 / 64.0
    some = speed[moves]
    top = max(float(np.percentile(some[:: max(1, some.size // 200_000)], 98.0)), 0.25) if some.size else 0.25
    painted = np.zeros((*speed.shape, 3), np.uint8)
    painted[...] = (10, 10, 12)
    if some.size:
        moving = values[moves]
        turn = np.arctan2(moving[:, 1], moving[:, 0]) / (2.0 * np.pi) % 1.0
        # The root shows slow things beside fast ones.
        strength = np.sqrt(np.minimum(some / top, 1.0))
        painted[moves] = _wheel()[
            (strength * (_STRENGTHS - 1)).astype(np.int64), (turn * _ANGLES).astype(np.int64) % _ANGLES
        ]
    # The legend's wheel begins at the right and goes clockwise, as the page's y does.
    stops = [hex_colour(_wheel()[-1, k % _ANGLES]) for k in range(0, _ANGLES + 1, _ANGLES // 16)]
    return painted, {"kind": "wheel", "high": top, "unit": "px per frame", "stops": stops}


def _wheel() -> Picture:
    hues = np.arange(_ANGLES) / _ANGLES
    pure = np.array([colorsys.hls_to_rgb(hue, 0.58, 0.85) for hue in hues])
    scale = np.linspace(0.12, 1.0, _STRENGTHS)[:, None, None]
    return np.rint(pure[None] * scale * 255).astype(np.uint8)
