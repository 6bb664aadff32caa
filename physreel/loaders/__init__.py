"""How it is read back: ``records`` and ``Record``; ``torch``, ``patches`` and ``cue`` are modules of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from physreel.loaders.cue import CueSplit as CueSplit
    from physreel.loaders.cue import split_at_cue as split_at_cue
    from physreel.loaders.records import Record as Record
    from physreel.loaders.records import records as records

_HOME_OF = {
    "CueSplit": "physreel.loaders.cue",
    "Record": "physreel.loaders.records",
    "records": "physreel.loaders.records",
    "split_at_cue": "physreel.loaders.cue",
}

__all__ = ["CueSplit", "Record", "records", "split_at_cue"]


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _HOME_OF:
        raise AttributeError(f"module 'physreel.loaders' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)
