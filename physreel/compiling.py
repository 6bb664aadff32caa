"""How kernels are compiled: once, kept on disk, and anew whenever any of the files they are made of changes.

numba keeps compiled code beside the package (``__pycache__``), in the user's cache folder where that is read-only, or
where the environment variable NUMBA_CACHE_DIR says. It looks at a function's own file to see whether the code is stale,
not at the files of what it calls: so the stamp of each is made one of all kernel files together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

Decorator = Callable[[Callable[..., Any]], Any]

# No fastmath and no parallel: the same bytes in every process.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
# Python never calls these; wrappers that unpack two dozen arrays are half of what there is to compile.
_INNER: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def compilers(folder: Path, pattern: str) -> tuple[Decorator, Decorator, Decorator]:
    """``kernel``, ``inner`` and ``part``, for functions in the files of a folder whose names match a pattern.

    ``kernel`` compiles what Python calls, on its first call, and keeps the code on disk. ``inner`` is for what only
    kernels call: it is kept as part of them. ``part`` is the same without a call: one with whole arrays as arguments
    costs as much as a little work.
    """
    stamp = _stamp(folder, pattern)

    def kernel(function: Callable[..., Any]) -> Any:
        try:
            made = njit(cache=True, no_cfunc_wrapper=True, **_OPTIONS)(function)
        except RuntimeError:  # no folder that can be written to: compile in each process
            return njit(**_OPTIONS)(function)
        file: Any = getattr(getattr(made, "_cache", None), "_cache_file", None)
        if file is not None and hasattr(file, "_source_stamp"):
            file._source_stamp = stamp
        return made

    def inner(function: Callable[..., Any]) -> Any:
        return njit(**_INNER)(function)

    def part(function: Callable[..., Any]) -> Any:
        return njit(forceinline=True, **_INNER)(function)

    return kernel, inner, part


def _stamp(folder: Path, pattern: str) -> tuple[str, int]:
    """The same shape as numba's own stamp, of the text of all files, and of this one."""
    digest = hashlib.sha256()
    size = 0
    for path in (Path(__file__), *sorted(folder.glob(pattern))):
        text = path.read_bytes()
        digest.update(text)
        size += len(text)
    return digest.hexdigest(), size
