"""A run of 200 clips through 100 kills at random, on processes of this machine and on Ray: the same bytes in the end?

    python benchmarks/kills.py [--runner local ray] [--clips 200] [--kills 100] [--seed 1]

Killed with SIGKILL: worker processes (on Ray its own and ours), the run itself, which is begun again with the same
request, and on Ray whole nodes, each followed by a new one. After each kill of the run what is on the disk is looked
at: shards that are named must be whole, and no sample may be there twice. The end is compared with a run in one
process that nobody disturbed, file by file. Clips are quick fakes, slowed down so that kills find them at work (on Ray
more so, for a node and what runs on it take seconds to begin). Ends with 4 where bytes differ, a sample is lost or
twice, or the run came to its end before all kills had happened.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

SLOW_S = {"local": 0.3, "ray": 2.0}
TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))

from fault_kills import Nodes, Study, samples_there, start
from quick_runs import tree


def study(runner: str, clips: int, kills: int, seed: int, folder: Path) -> None:
    """Print a row for a runner."""
    plan = {"count": clips, "shard_size": 16}
    undisturbed = start(folder / "undisturbed", {"plan": plan, "workers": 0})
    undisturbed.communicate()
    faults = folder / "faults"
    faults.mkdir()
    (faults / "all").write_text(f"slow {SLOW_S[runner]}")
    out = folder / "out"
    options = {"plan": plan, "workers": 2, "runner": runner}
    os.environ["PHYSREEL_TEST_FAULTS"] = str(faults)  # the run inherits it, and nodes with what works on them
    nodes = Nodes() if runner == "ray" else None
    if nodes is not None:
        options["address"] = nodes.address
    begun = time.monotonic()
    try:
        found = Study(out, options, kills=kills, seed=seed, nodes=nodes)
        found.go(deadline_s=7200.0)
    finally:
        if nodes is not None:
            nodes.close()
    same = tree(out) == tree(folder / "undisturbed")
    there = samples_there(out)
    lost, twice = clips - len(there), sum(count > 1 for count in there.values())
    killed = found.killed
    print(
        f"| {runner} | {clips} | {sum(killed.values())} | {killed['worker']} | {killed['run']} | "
        f"{killed['node'] if nodes else '–'} | {len(found.stopped)} | {lost} | {twice} | "
        f"{'the same bytes' if same else 'OTHER BYTES'} | {time.monotonic() - begun:.0f} |",
        flush=True,
    )
    for words in found.stopped:
        print(f"  stopped with {words}", file=sys.stderr)
    if not same or lost or twice or sum(killed.values()) < kills:
        raise SystemExit(4)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", nargs="+", default=["local", "ray"], choices=["local", "ray"])
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(
        "| runner | clips | kills | of workers | of the run | of nodes | stopped by itself | lost | twice | end | s |"
    )
    print("|" + "---|" * 11)
    for runner in options.runner:
        with tempfile.TemporaryDirectory(prefix="physreel-kills-") as folder:
            study(runner, options.clips, options.kills, options.seed, Path(folder))


if __name__ == "__main__":
    main()
