"""The process that one simulation of SPlisHSPlasH runs in: ``python -m physreel.simulators.splash_worker``.

It is started by SplashSimulator with a folder that holds the job and the number of its parent, and leaves the result in
that folder. It ends with its parent, and by itself where the engine hangs and nobody is there to end it.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import shutil
import sys
import threading
import time
from pathlib import Path

START_S = 60.0
"""What a child is given to import things and to start, on a busy machine, before it must take steps."""

JOB, RESULT, PROGRESS, LOG = "job.json", "result.pickle", "progress", "log.txt"


def main(folder: Path, parent: int, hang_s: float) -> None:
    """Run the job in a folder; the result, or why there is none, is pickled there."""
    threading.Thread(target=_end_with, args=(parent, folder), daemon=True).start()
    faulthandler.enable()
    _watch(hang_s + START_S)

    from physreel.errors import PhysreelError
    from physreel.simulators.splash_run import run
    from physreel.spec import SceneSpec

    with open(folder / PROGRESS, "wb", buffering=0) as beat:

        def progress() -> None:
            beat.write(b".")
            _watch(hang_s)

        result: object
        try:
            result = run(SceneSpec.from_json((folder / JOB).read_bytes()), folder, progress)
        except PhysreelError as error:
            result = error
    whole = folder / f"{RESULT}.part"
    whole.write_bytes(pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL))
    os.replace(whole, folder / RESULT)
    sys.stdout.flush()
    # The engine's own end is neither needed nor safe.
    os._exit(0)


def _watch(hang_s: float) -> None:
    """End this process, telling where it hangs, if this is not called again in time; needs no turn of Python's."""
    faulthandler.dump_traceback_later(hang_s, exit=True)


def _end_with(parent: int, folder: Path) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
