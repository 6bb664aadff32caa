"""Kills at random over a run: of its workers, of the run itself, of nodes of its Ray cluster.

Used by tests/test_faults.py, tests/test_ray.py and benchmarks/kills.py. A run is a process of its own, which is begun
again whenever it was killed; after each kill what is on the disk is looked at.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

TESTS = Path(__file__).parent
RUN = """
import json, sys
from fakes import plan_values
from physreel.plan import Plan
from physreel.runners.local import run
options = json.loads(sys.argv[2])
done = run(Plan(**plan_values(**options.pop("plan"))), sys.argv[1], **options)
print(json.dumps([done.finished, done.made, done.failed]))
"""


def start(out: Path, options: dict) -> subprocess.Popen:
    """A run in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(out), json.dumps(options)],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    found = []
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            numbers = [int(number) for number in child.read_text().split()]
        except OSError:
            continue
        for number in numbers:
            found += [number, *descendants(number)]
    return sorted(set(found))


def commands(pids: list[int]) -> dict[int, str]:
    """The command line of each that lives."""
    found = {}
    for pid in pids:
        try:
            found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def workers_below(pid: int) -> list[int]:
    """Our worker processes, and Ray's, below a process.

    Not Ray's agents, whose names begin alike: a node dies with its agents, and the run with the node it is on.
    """
    marks = ("popen_loky_posix", "ray::RayWorker")
    return [number for number, command in commands(descendants(pid)).items() if any(mark in command for mark in marks)]


def samples_there(out: Path) -> Counter:
    """How often each sample is there: in shards that are entered, or waiting for its shard."""
    found: Counter = Counter()
    manifest = out / "manifest.jsonl"
    if manifest.exists():
        lines = [json.loads(line) for line in manifest.read_bytes().split(b"\n")[:-1]]
        for line in lines:
            if line["kind"] == "shard":
                found.update(pq.read_table(out / line["file"], columns=["index"])["index"].to_pylist())
    # A kill between a shard's entry and the removal of its waiting samples leaves both: each is one sample.
    waiting = {int(path.stem) for path in out.glob(".physreel/**/*.row")}
    found.update(waiting - set(found))
    return found


def progress(out: Path) -> int:
    """About how many samples are there, quickly."""
    manifest = out / "manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_bytes().split(b"\n")[:-1]] if manifest.exists() else []
    shards = sum(line["samples"] for line in lines if line["kind"] == "shard")
    return shards + len(list(out.glob(".physreel/**/*.row")))


class Study:
    """Runs to the end in spite of kills; PHYSREEL_TEST_FAULTS, which all that is begun inherits, slows samples down.

    Args:
        out: folder of the data set.
        options: of ``run``; ``plan`` in it has the changes of ``plan_values``.
        kills: how many in all.
        seed: of what is killed and when.
        nodes: where workers run that are not below the run but below this process; None where all is below the run.
    """

    def __init__(self, out: Path, options: dict, *, kills: int, seed: int, nodes: Nodes | None = None) -> None:
        self.out, self.options, self.kills, self.nodes = out, options, kills, nodes
        self.chance = random.Random(seed)
        self.killed: Counter = Counter()
        self.runs = self.made = 0
        self.stopped: list[str] = []

    def go(self, *, deadline_s: float = 3000.0) -> None:
        """Until the run has ended by itself."""
        until = time.monotonic() + deadline_s
        while True:
            self.runs += 1
            with start(self.out, self.options) as started:
                try:
                    if self._ended(started, until):
                        return
                finally:
                    started.kill()

    def _ended(self, started: subprocess.Popen, until: float) -> bool:
        """Kill what comes until the run is killed or ends; whether it ended well."""
        while started.poll() is None:
            assert time.monotonic() < until, f"no end after {dict(self.killed)} and {self.runs} runs"
            if sum(self.killed.values()) >= self.kills:
                time.sleep(0.05)
                continue
            self._wait(started)
            kind = self.chance.choices(("worker", "run", "node"), (6, 2, 3 if self.nodes else 0))[0]
            if started.poll() is None and self._kill(kind, started):
                self.killed[kind] += 1
                if kind == "run":
                    started.wait()
                    self._look()
                    return False
        said, errors = started.communicate()
        if started.returncode:
            # It may end with a message (all nodes gone at once); the same command goes on.
            self.stopped.append(f"{started.returncode}: {errors[-6000:]}")
            return False
        assert json.loads(said.splitlines()[-1])[2] == 0, said
        return True

    def _wait(self, started: subprocess.Popen) -> None:
        """Until a few more samples are there, or none: so that kills are spread over the run on any machine."""
        wanted = progress(self.out) + self.chance.choice((0, 1, 1, 2, 3))
        patience = time.monotonic() + 40.0
        while progress(self.out) < wanted and time.monotonic() < patience and started.poll() is None:
            time.sleep(0.02)
        time.sleep(self.chance.uniform(0.0, 0.5))

    def _kill(self, kind: str, started: subprocess.Popen) -> bool:
        if kind == "run":
            started.kill()
            return True
        if kind == "node":
            return bool(self.nodes.kill_one(self.chance))
        # Nodes are children of the process that made the cluster, as the run is.
        workers = workers_below(os.getpid() if self.nodes else started.pid)
        if not workers:
            return False
        try:
            os.kill(self.chance.choice(workers), signal.SIGKILL)
        except OSError:
            return False
        return True

    def _look(self) -> None:
        for path in self.out.glob("data/*/*"):
            assert pq.ParquetFile(path).metadata.num_rows > 0
        twice = [index for index, count in samples_there(self.out).items() if count > 1]
        assert not twice, f"samples {twice} are there twice"


class Nodes:
    """A Ray cluster of two nodes with a core each, beside a head without any.

    Args:
        object_store_bytes: of each node.
    """

    def __init__(self, object_store_bytes: int = 100 << 20) -> None:
        from ray.cluster_utils import Cluster

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        self.size = object_store_bytes
        head = {"num_cpus": 0, "object_store_memory": self.size, "include_dashboard": False}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.nodes = [self._add() for _ in range(2)]

    def _add(self):
        for _ in range(5):
            try:
                return self.cluster.add_node(num_cpus=1, object_store_memory=self.size, wait=False)
            except Exception:  # on a busy machine one may not be up in time
                time.sleep(1.0)
        raise RuntimeError("no node of Ray could be begun")

    @property
    def address(self) -> str:
        """Where the cluster is."""
        return self.cluster.address

    def kill_one(self, chance: random.Random) -> bool:
        """Kill a node with all that is on it, and begin another."""
        node = self.nodes.pop(chance.randrange(len(self.nodes)))
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.append(self._add())
        return True

    def close(self) -> None:
        """End the cluster."""
        self.cluster.shutdown()
