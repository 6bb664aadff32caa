"""What runs on a node of a Ray cluster."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from physreel.errors import PhysreelError
from physreel.pipeline import library_versions, physreel_version
from physreel.runners.process import Process
from physreel.runners.tries import Attempt


class RayWorker:
    """What runs on a node: it looks after one process that makes samples.

    Args:
        job: what ``worker.make`` needs.
        folder: where the driver works; where there is such a folder, relative names mean the same here.
        path: where the driver imports from.
        options: of Process.
    """

    def __init__(self, job: bytes, folder: str, path: list[str], options: dict[str, Any]) -> None:
        with suppress(OSError):
            os.chdir(folder)
        sys.path += [entry for entry in path if entry not in sys.path and Path(entry).exists()]
        self.process = Process(job, **options)

    def hello(self) -> dict[str, Any]:
        """Where this is, and what is installed here."""
        return {"host": socket.gethostname(), "versions": versions()}

    def attempt(self, index: int) -> Attempt | PhysreelError:
        """Try a sample; a PhysreelError says why none can be made here."""
        try:
            return self.process.attempt(index)
        except PhysreelError as error:
            return error


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """What must be the same on all nodes for their clips to be."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "physreel": physreel_version()}
    digest = hashlib.sha256()
    home = Path(__file__).parent.parent
    for path in sorted(home.rglob("*.py")):
        digest.update(f"{path.relative_to(home)}\n".encode() + path.read_bytes())
    return found | {"physreel's source": digest.hexdigest()[:12]} | library_versions()
