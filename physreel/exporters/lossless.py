"""Depth, segmentation, normals and flow as compressed whole numbers (see values.encodings)."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from physreel.values.encodings import PASS_ENCODINGS

_LEVEL = 3


@numba.njit(cache=True, nogil=True)
def _byte_planes(values, step, low, high, planes):  # type: ignore[no-untyped-def]
    """Round (T, N) values to steps, difference them over T, and write byte k of each into ``planes[k]`` (T, N)."""
    width = planes.shape[0]
    before = np.zeros(values.shape[1], np.int64)
    for t in range(values.shape[0]):
        for i in range(values.shape[1]):
            value = np.float64(values[t, i])
            whole = np.int64(min(max(np.rint(value / step), low), high)) if np.isfinite(value) else 0
            difference = whole - before[i]  # its low bytes wrap round, and so does the sum that undoes it
            before[i] = whole
            for k in range(width):
                planes[k, t, i] = (difference >> (8 * k)) & 255


def encode_pass(name: str, values: NDArray[Any]) -> bytes:
    """One pass of a view, (T, H, W) or (T, H, W, channels), as bytes."""
    encoding = PASS_ENCODINGS[name]
    limits, frames = np.iinfo(np.dtype(encoding.dtype)), len(values)
    flat = np.ascontiguousarray(values).reshape(frames, -1)
    planes = np.empty((np.dtype(encoding.dtype).itemsize, *flat.shape), np.uint8)
    _byte_planes(flat, encoding.step, float(limits.min), float(limits.max), planes)
    return bytes(pa.Codec("zstd", compression_level=_LEVEL).compress(planes, asbytes=True))
