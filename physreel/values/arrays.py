"""Arrays that stages hand on: never written to again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def read_only(array: Any, dtype: DTypeLike, shape: tuple[int | None, ...], name: str) -> NDArray[Any]:
    """``array`` as a read-only, contiguous array of ``dtype``; ValueError if its shape differs (None: any length)."""
    out = np.ascontiguousarray(array, dtype)
    if out.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, out.shape, strict=True)):
        want = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise ValueError(f"{name} has shape {out.shape}, expected {want}")
    if out.flags.writeable:
        # A view, so that the caller's own array stays as writeable as it was.
        out = out.view()
        out.flags.writeable = False
    return out
