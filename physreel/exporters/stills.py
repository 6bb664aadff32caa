"""Stills and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def contact_sheet(
    frames: Sequence[NDArray[np.uint8]], columns: int, *, gap: int = 4, background: int = 24
) -> NDArray[np.uint8]:
    """Frames (H, W, 3) of one size in rows of ``columns``, with gaps between them."""
    height, width = frames[0].shape[:2]
    rows = -(-len(frames) // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), background, np.uint8)
    for k, frame in enumerate(frames):
        top, left = gap + k // columns * (height + gap), gap + k % columns * (width + gap)
        sheet[top : top + height, left : left + width] = frame
    return sheet


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture (H, W, 3)."""
    import imageio.v3 as iio

    iio.imwrite(path, picture, extension=".png")
