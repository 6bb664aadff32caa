"""How it is read back: ``records`` and ``split_at_cue``; ``torch`` and ``patches`` are modules of their own.

Everything here is imported when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from physreel.loaders.cue import CueSplit as CueSplit
    from physreel.loaders.cue import split_at_cue as split_at_cue
    from physreel.loaders.records import Record as Record
    from physreel.loaders.records import records as records

_HOME_OF = {
    "CueSplit": "physreel.loaders.cue",
    "Record": "physreel.loaders.records",
    "split_at_cue": "physreel.loaders.cue",
}

__all__ = ["CueSplit", "Record", "records", "split_at_cue"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'physreel.loaders' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Loaders(ModuleType):
    """The package, whose ``records`` is the function also when the module of that name has been imported."""

    @property
    def records(self) -> Any:
        return importlib.import_module("physreel.loaders.records").records

    @records.setter
    def records(self, module: ModuleType) -> None:
        """What the import system does with a module; the function stays."""


sys.modules[__name__].__class__ = _Loaders
