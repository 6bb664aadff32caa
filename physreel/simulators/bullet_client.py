"""The pybullet module, and one physics server of it."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any


def import_pybullet() -> Any:
    """The module; ImportError where it is not installed."""
    # On its first import the library prints its build time to the C standard output, past sys.stdout.
    if "pybullet" not in sys.modules:
        sys.stdout.flush()
        kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 1)
            return importlib.import_module("pybullet")
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            os.close(nowhere)
    return importlib.import_module("pybullet")


class Client:
    """pybullet's functions on one physics server: a fresh one each run, so that no run knows of another."""

    def __init__(self) -> None:
        self._module = import_pybullet()
        self._id = self._module.connect(self._module.DIRECT)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if not callable(found):
            return found
        bound = lambda *args, **options: found(*args, physicsClientId=self._id, **options)  # noqa: E731
        setattr(self, name, bound)
        return bound
