"""The compiled loops that put passes together again: bytes sorted by significance and differenced from frame to frame.

What they give is to the bit what numpy gives in four passes over the memory, each of which costs more than zstd.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from physreel.compiling import compilers

kernel, _, _ = compilers(Path(__file__).parent, "unpack_*.py")


@kernel
def values_of_4(planes, step, nothing, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whole numbers of 4 bytes times a step.

    Args:
        planes: (4, T · N) uint8: lowest bytes first.
        step: what one is.
        nothing: what 0 stands for.
        out: (T, N) float32, is filled.
    """
    frames, count = out.shape
    whole = np.zeros(count, np.int32)
    for t in range(frames):
        at = t * count
        for k in range(count):
            low = np.uint32(planes[0, at + k]) | np.uint32(planes[1, at + k]) << np.uint32(8)
            high = np.uint32(planes[2, at + k]) | np.uint32(planes[3, at + k]) << np.uint32(8)
            number = np.int32(whole[k] + np.int32(low | high << np.uint32(16)))
            whole[k] = number
            out[t, k] = nothing if number == 0 else np.float32(number * step)


@kernel
def values_of_2(planes, step, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whole numbers of 2 bytes times a step, as in ``values_of_4``."""
    frames, count = out.shape
    whole = np.zeros(count, np.int16)
    for t in range(frames):
        at = t * count
        for k in range(count):
            change = np.uint16(planes[0, at + k]) | np.uint16(np.uint16(planes[1, at + k]) << np.uint16(8))
            number = np.int16(whole[k] + np.int16(change))
            whole[k] = number
            out[t, k] = np.float32(number * step)


@kernel
def numbers_of_2(planes, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whole numbers of 2 bytes without sign as they are, into (T, N) uint16."""
    frames, count = out.shape
    whole = np.zeros(count, np.uint16)
    for t in range(frames):
        at = t * count
        for k in range(count):
            change = np.uint16(planes[0, at + k]) | np.uint16(np.uint16(planes[1, at + k]) << np.uint16(8))
            number = np.uint16(whole[k] + change)
            whole[k] = number
            out[t, k] = number
