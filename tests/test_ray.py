"""Runs on Ray: the same bytes as on one machine, through deaths of workers and nodes, and clear words otherwise."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import Drop
from quick_runs import height_name, plan, tree

pytest.importorskip("ray", reason="needs the extra ray: make test-all")

from fault_kills import Nodes, Study, start

from physreel.errors import InputError, MissingDependencyError
from physreel.runners.local import run

TESTS = Path(__file__).parent
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of files and sockets that it leaves to the collector


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """A folder of misdeeds; set before the cluster begins, whose workers inherit it."""
    folder = tmp_path_factory.mktemp("faults")
    os.environ["PHYSREEL_TEST_FAULTS"] = str(folder)
    yield folder
    del os.environ["PHYSREEL_TEST_FAULTS"]


@pytest.fixture(scope="module")
def nodes(faults):
    os.chdir(TESTS)
    found = Nodes()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _well_behaved(faults, monkeypatch):
    monkeypatch.chdir(TESTS)
    yield
    for path in faults.iterdir():
        path.unlink()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    os.chdir(TESTS)
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    run(plan(), out, workers=0)
    return tree(out)


def test_a_ray_of_its_own_gives_the_same_bytes_says_nothing_and_leaves_nothing(tmp_path, undisturbed):
    before = set(Path("/tmp").glob("physreel-ray-*"))
    started = start(tmp_path / "out", {"plan": {}, "workers": 2, "runner": "ray"})
    said, errors = started.communicate(timeout=300)
    assert (said, errors) == ("[10, 10, 0]\n", "")
    assert tree(tmp_path / "out") == undisturbed
    assert set(Path("/tmp").glob("physreel-ray-*")) <= before


def test_a_cluster_makes_a_class_of_a_test_and_of_a_lone_file_by_value(tmp_path, nodes):
    class Mine(Drop):
        """Made in a test."""

        name = "mine"

    lone = tmp_path / "lone.py"
    lone.write_text("from fakes import Drop\nclass Lone(Drop):\n    'In a file.'\n    name = 'lone'\n")
    for scene, changes in ((Mine, {"scene": "mine"}), (None, {"scene": f"{lone}:Lone"})):
        request = plan(count=3, **changes)
        name = changes["scene"].rpartition(":")[2].lower()
        run(request, tmp_path / f"local-{name}", workers=0, scene=scene)
        summary = run(request, tmp_path / name, workers=2, scene=scene, runner="ray", address=nodes.address)
        assert summary.finished == 3
        assert tree(tmp_path / name) == tree(tmp_path / f"local-{name}")


def test_what_samples_do_to_their_process_is_recorded_as_on_one_machine(tmp_path, nodes, faults, monkeypatch):
    monkeypatch.setattr("physreel.runners.tries.TRIES_DIED", 2)
    for index, fault in ((1, "raise"), (2, "die"), (4, "raise once"), (5, "die once")):
        (faults / height_name(index)).write_text(fault)
    summary = run(plan(count=7), tmp_path / "out", workers=2, runner="ray", address=nodes.address)
    failures = {failure.index: failure for failure in summary.failures}
    assert {index: failure.error for index, failure in failures.items()} == {1: "RuntimeError", 2: "WorkerDied"}
    assert "fakes.py" in failures[1].traceback
    assert json.loads(failures[2].spec)["scene"] == "drop"
    assert summary.finished == 5


def test_a_memory_limit_that_is_too_little_is_told_at_once(tmp_path, nodes):
    with pytest.raises(InputError, match="the memory limit of 256 MiB is too little"):
        run(plan(), tmp_path / "out", runner="ray", address=nodes.address, workers=1, memory_limit_bytes=1 << 28)


def test_other_versions_on_a_node_are_refused_with_what_differs(tmp_path, nodes, monkeypatch):
    from physreel.runners import ray as runner

    mine = runner.versions()
    monkeypatch.setattr(runner, "versions", lambda: mine | {"numpy": "9.9", "physreel": "0.0.1"})
    with pytest.raises(InputError) as caught:
        run(plan(), tmp_path / "out", runner="ray", address=nodes.address)
    for words in (f"numpy: there {mine['numpy']}, here 9.9", "here 0.0.1", "on all nodes"):
        assert words in str(caught.value)
    assert not list((tmp_path / "out").glob("data/*/*"))


def test_kills_of_workers_runs_and_nodes_change_no_byte(tmp_path, nodes, faults):
    long = bool(os.environ.get("PHYSREEL_LONG"))
    count, kills = (200, 100) if long else (40, 6)
    options = {"plan": {"count": count}, "workers": 2, "runner": "ray", "address": nodes.address}
    run(plan(count=count), tmp_path / "undisturbed", workers=0)
    (faults / "all").write_text("slow 0.3")
    study = Study(tmp_path / "out", options, kills=kills, seed=3, nodes=nodes)
    study.go()
    assert sum(study.killed.values()) == kills
    assert study.killed["node"]
    assert not study.stopped
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")


def test_ctrl_c_ends_with_130_and_one_line_and_leaves_no_process(tmp_path, faults):
    (faults / "all").write_text("slow 1.0")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "physreel", "generate", "fakes:Drop", "-n", "50", "--out", str(out)]
    command += ["--video-renderer", "fakes:FlatRenderer", "--audio-renderer", "fakes:TickRenderer"]
    started = subprocess.Popen(
        [*command, "--runner", "ray", "--workers", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not list(out.glob(".physreel/drop/*.row")) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130
    assert errors.splitlines() == ["physreel: stopped. What is finished is kept; the same command goes on from there."]
    time.sleep(1.0)
    left = [path for path in Path("/proc").glob("[0-9]*/environ") if _names(path, str(tmp_path))]
    assert not left


def _names(path: Path, words: str) -> bool:
    try:
        return words in Path(path.parent, "cmdline").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("address", "words"),
    [("127.0.0.1:1", "no Ray cluster answers there"), ("ray://x:1", "no address of a Ray cluster"),
     ("nowhere", "auto or host:port"), ("127.0.0.1:99999", "auto or host:port")],
)  # fmt: skip
def test_an_address_where_nothing_is_is_told_quickly_and_nothing_written(tmp_path, address, words):
    begun = time.monotonic()
    with pytest.raises(InputError, match=words):
        run(plan(), tmp_path / "out", runner="ray", address=address)
    assert time.monotonic() - begun < 10
    assert not (tmp_path / "out").exists()


def test_a_port_at_which_something_else_listens_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = start(tmp_path / "out", {"plan": {}, "runner": "ray", "address": f"127.0.0.1:{port}"})
        _, errors = done.communicate(timeout=120)
    assert f"--address 127.0.0.1:{port}: no Ray cluster answers there" in errors
    assert not (tmp_path / "out").exists()


def test_ray_that_is_not_installed_is_named_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'physreel\[ray\]'"):
        run(plan(), tmp_path / "out", runner="ray")
    assert not (tmp_path / "out").exists()


def test_a_node_that_goes_away_is_not_charged_like_a_process_that_dies(monkeypatch):
    from physreel.runners.base import Failure
    from physreel.runners.tries import TRIES_DIED, TRIES_LOST, Attempt, Task, Tries

    failure = Failure(index=0, error="WorkerLost", message="gone")
    task, tries = Task(0, "x"), Tries()
    last = [tries.is_last(task, Attempt(how="lost", failure=failure)) for _ in range(TRIES_LOST)]
    assert last == [False] * (TRIES_LOST - 1) + [True]
    assert TRIES_LOST > TRIES_DIED
    assert (task.raised, task.died) == (0, 0)
