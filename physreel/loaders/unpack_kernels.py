"""The compiled loops that put passes together again: bytes sorted by significance and differenced from frame to frame.

What they give is to the bit what numpy gives in five passes over the memory, which cost far more than zstd.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from physreel.compiling import compilers

kernel, _, part = compilers(Path(__file__).parent, "unpack_*.py")


@part
def two_bytes(lower, higher):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The uint16 of two uint8."""
    # Of single bytes, not of planes and a place: such loops are not vectorized, and take three times as long.
    return np.uint16(np.uint16(lower) | np.uint16(np.uint16(higher) << np.uint16(8)))


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
            low = np.uint32(two_bytes(planes[0, at + k], planes[1, at + k]))
            high = np.uint32(two_bytes(planes[2, at + k], planes[3, at + k]))
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
            number = np.int16(whole[k] + np.int16(two_bytes(planes[0, at + k], planes[1, at + k])))
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
            number = np.uint16(whole[k] + two_bytes(planes[0, at + k], planes[1, at + k]))
            whole[k] = number
            out[t, k] = number
