"""Liquids by SPlisHSPlasH: the reference, slow and true, each simulation in a process of its own."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

from physreel.errors import SimulationError
from physreel.simulators import splash_library, splash_worker
from physreel.simulators.base import Capability, Simulator
from physreel.simulators.liquid_record import LiquidRecord, mean_step_s
from physreel.simulators.liquid_start import start_liquids
from physreel.spec import SceneSpec
from physreel.values import Trajectory

HANG_S = 120.0
"""A step takes milliseconds."""

_POLL_S = 0.1
_TAIL = 3000


class SplashSimulator(Simulator):
    """DFSPH by SPlisHSPlasH, with walls of points, in a child process.

    What goes wrong in the engine's own code ends the child and nothing else.

    Args:
        hang_s: an engine that has taken no step for this long is ended.
        worker: the module that the child runs.
    """

    name: ClassVar[str] = "splash"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({"driven", "liquids"})

    def __init__(self, *, hang_s: float = HANG_S, worker: str = splash_worker.__name__) -> None:
        self._version = splash_library.version()
        self._hang_s, self._worker = hang_s, worker

    def check(self, spec: SceneSpec) -> None:
        """See Simulator.check."""
        self.require_capabilities(spec)
        start_liquids(spec)

    def simulate(self, spec: SceneSpec) -> Trajectory:
        """See Simulator.simulate; MissingDependencyError where the engine's tools are not installed."""
        self.check(spec)
        # Before the child: what cannot be installed or written is the user's to mend, and no fault of this spec.
        splash_library.headless_copy()
        with tempfile.TemporaryDirectory(prefix="physreel-splash-", ignore_cleanup_errors=True) as name:
            record, steps, note = self._run(spec, Path(name))
        return record.trajectory(
            spec,
            step_s=mean_step_s(spec, steps),
            simulator=f"splash {self._version}",
            notes=(note,),
        )

    def _run(self, spec: SceneSpec, folder: Path) -> tuple[LiquidRecord, int, str]:
        (folder / splash_worker.JOB).write_text(spec.to_json())
        with open(folder / splash_worker.LOG, "wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", self._worker, str(folder), str(os.getpid()), str(2.0 * self._hang_s)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=_environment(),
            )
        try:
            hung = self._wait(child, folder / splash_worker.PROGRESS)
        finally:
            child.kill()
            child.wait()
        if hung:
            raise SimulationError(
                f"SPlisHSPlasH took no step for {self._hang_s:g} s and was ended{_tail(folder)}; {_REMEDY}"
            )
        result = folder / splash_worker.RESULT
        if child.returncode or not result.exists():
            raise SimulationError(f"SPlisHSPlasH {_ending(child.returncode)}{_tail(folder)}; {_REMEDY}")
        found = pickle.loads(result.read_bytes())
        if isinstance(found, Exception):
            raise found
        record, steps, note = found
        return record, steps, note

    def _wait(self, child: subprocess.Popen[bytes], progress: Path) -> bool:
        """Wait for the child's end; True if it made no progress for too long."""
        seen, since = -1, time.monotonic()
        while True:
            try:
                child.wait(_POLL_S)
                return False
            except subprocess.TimeoutExpired:
                pass
            size = progress.stat().st_size if progress.exists() else 0
            if size != seen:
                seen, since = size, time.monotonic()
            elif time.monotonic() - since > (self._hang_s if size else max(self._hang_s, splash_worker.START_S)):
                return True


_REMEDY = "simulate the spec with 'dfsph', or report it with the spec"


def _environment() -> dict[str, str]:
    # Read when the engine is loaded: sums of several threads differ from run to run.
    threads = {"OMP_NUM_THREADS": "1", "OMP_DYNAMIC": "false", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    # The child finds what its parent finds, wherever that was started.
    return os.environ | threads | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}" if code else "ended without a result"


def _tail(folder: Path) -> str:
    lines = (folder / splash_worker.LOG).read_text(errors="replace").splitlines()
    # After a crash, Python lists everything that is loaded.
    text = "\n".join(line for line in lines if not line.startswith("Extension modules:")).strip()
    return f". The end of its log:\n{text[-_TAIL:]}\n" if text else ""
