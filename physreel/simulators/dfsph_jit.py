"""How the kernels of the dfsph engine are compiled: once, kept on disk, and anew whenever any of their files changes.

numba looks at a function's own file to see whether the code it kept is stale, not at the files of what it calls: so the
stamp of each is made one of all kernel files together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import njit

# No fastmath and no parallel: the same bytes in every process.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}


@lru_cache(maxsize=1)
def _stamp() -> tuple[str, int]:
    """The same shape as numba's own stamp, of the text of all kernel files."""
    digest = hashlib.sha256()
    size = 0
    for path in sorted(Path(__file__).parent.glob("dfsph_*.py")):
        text = path.read_bytes()
        digest.update(text)
        size += len(text)
    return digest.hexdigest(), size


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls, on its first call, and keep the code on disk."""
    try:
        made = njit(cache=True, no_cfunc_wrapper=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder that can be written to: compile in each process
        return njit(**_OPTIONS)(function)
    file: Any = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if file is not None and hasattr(file, "_source_stamp"):
        file._source_stamp = _stamp()
    return made


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call; it is kept as part of them."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function)


def part(function: Callable[..., Any]) -> Any:
    """As ``inner``, without a call: one with whole arrays as arguments costs as much as a little work."""
    return njit(forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function)
