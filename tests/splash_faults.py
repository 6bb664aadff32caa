"""The worker of splash with an engine that crashes, hangs or dawdles for real, at its tenth step, on demand.

The demand is in the folder of faults, as fakes.py describes it; its file is named after the depth of the liquid.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from pathlib import Path

from physreel.simulators import splash_worker
from physreel.simulators.splash_engine import Engine

SLOW_S = 0.02


def fault_of(spec: dict) -> str:
    folder = Path(os.environ["PHYSREEL_TEST_FAULTS"])
    level = spec["fluids"][0]["fills"][0]["level_m"]
    for name in (f"{level * 1e6:.0f}", "all"):
        if (folder / name).exists():
            return (folder / name).read_text()
    return ""


def arm(fault: str) -> None:
    step, taken = Engine.step, [0]

    def faulty(self, *arguments) -> None:
        taken[0] += 1
        if taken[0] == 10 or fault == "slow":
            {
                "crash": lambda: ctypes.string_at(0),
                "exit": lambda: os._exit(7),
                "hang": lambda: time.sleep(600),
                "hang in C": lambda: ctypes.PyDLL(None).pause(),  # no turn for Python's threads
                "slow": lambda: time.sleep(SLOW_S),
            }.get(fault, lambda: None)()
        step(self, *arguments)

    Engine.step = faulty


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    arm(fault_of(json.loads((folder / splash_worker.JOB).read_text())))
    splash_worker.main(folder, int(sys.argv[2]), float(sys.argv[3]))
