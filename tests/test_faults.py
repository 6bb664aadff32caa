"""What may go wrong around a run: full disks, engines that hang, crash or leak, damage, kills, two runs at once.

The long versions run where PHYSREEL_LONG is set: every byte of the manifest's last line, a hundred kills, a real leak.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fault_kills import Study, start
from quick_runs import height_name, plan, tree

from physreel.errors import InputError
from physreel.runners import tries, worker
from physreel.runners.base import Failure, StorageError
from physreel.runners.local import run
from physreel.runners.process import GROWTH_BYTES, Process
from physreel.runners.tries import Attempt, Task, Tries

TESTS = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("beside_fakes")
LONG = bool(os.environ.get("PHYSREEL_LONG"))
COMMAND = [sys.executable, "-m", "physreel", "generate", "fakes:Drop", "--video-renderer", "fakes:FlatRenderer",
           "--audio-renderer", "fakes:TickRenderer", "--passes", "rgb,depth", "--shard-size", "4",
           "-n", "10"]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that nobody disturbed."""
    os.chdir(TESTS)
    out = tmp_path_factory.mktemp("runs") / "finished"
    run(plan(), out, workers=0)
    return out


@pytest.fixture(scope="module")
def undisturbed(finished):
    return tree(finished)


def visible(out: Path) -> set[str]:
    return {name for name in tree(out) if not name.startswith(".physreel")}


# --- full disks ------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_at_any_of_its_writes_leaves_only_what_is_whole(tmp_path, monkeypatch):
    # Each sync of a finished file is one place where a disk may turn out to be full.
    sync, calls, full_at = os.fsync, 0, 0

    def full(handle):
        nonlocal calls
        calls += 1
        if calls == full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    small = plan(count=3, shard_size=2)
    run(small, tmp_path / "counted", workers=0)
    places, undisturbed = calls, tree(tmp_path / "counted")
    assert places >= 6
    for place in range(1, places + 1):
        out = tmp_path / f"out-{place}"
        full_at, calls = place, 0
        with pytest.raises(StorageError, match=r"no space is left .* run the same command again"):
            run(small, out, workers=0)
        assert visible(out) <= set(undisturbed)
        assert not [name for name in tree(out) if name.endswith(".tmp")]
        full_at = 0
        run(small, out, workers=0)
        assert tree(out) == undisturbed


def test_files_that_may_not_grow_end_the_command_with_2_and_one_message(tmp_path, undisturbed):
    # A limit on the size of files is met in the middle of a write, as a quota is.
    program = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        "sys.argv = ['physreel', *sys.argv[1:]]; runpy.run_module('physreel', run_name='__main__')"
    )
    out = tmp_path / "out"
    command = [sys.executable, "-c", program, *COMMAND[3:], "--out", str(out), "--workers", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert not list(out.glob("data/*/*"))
    assert not [name for name in tree(out) if name.endswith(".tmp")]
    run(plan(), out, workers=0)
    assert tree(out) == undisturbed


def test_a_full_file_system_ends_the_command_with_2_and_the_same_request_goes_on(tmp_path, undisturbed):
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(mount)], capture_output=True)
    if made.returncode:
        pytest.skip("no tmpfs can be mounted here (needs root)")
    try:
        command = [*COMMAND, "--out", str(mount / "out"), "--workers", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("physreel: error: no space is left for")
        assert done.stderr.count("\n") == 1
        subprocess.run(["mount", "-o", "remount,size=50m", str(mount)], check=True)
        run(plan(), mount / "out", workers=0)
        assert tree(mount / "out") == undisturbed
    finally:
        subprocess.run(["umount", str(mount)], check=True)


# --- engines ---------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_engines_that_stick_in_c_crash_or_run_out_of_memory_cost_their_own_samples_only(tmp_path, faults, monkeypatch):
    monkeypatch.setattr("physreel.runners.process.WARM_UP_S", 20.0)
    monkeypatch.setattr("physreel.runners.process.WARM_UP_AGAIN_S", 10.0)
    monkeypatch.setattr("physreel.runners.tries.TRIES_DIED", 1)
    monkeypatch.setattr("physreel.runners.tries.TRIES_RAISED", 1)
    (faults / height_name(2)).write_text("crash")
    (faults / height_name(4)).write_text("allocate 900000")
    (faults / height_name(5)).write_text("stuck")
    limits = {"timeout_s": 8.0, "memory_limit_bytes": 4 << 30}
    summary = run(plan(count=8), tmp_path / "out", workers=2, **limits)
    errors = {failure.index: failure.error.removeprefix("_Array") for failure in summary.failures}
    assert errors == {2: "WorkerDied", 4: "MemoryError", 5: "Timeout"}
    assert summary.finished == 5
    assert all(failure.spec for failure in summary.failures)


def test_a_memory_limit_that_does_not_hold_the_imports_is_one_message_and_no_failure(tmp_path):
    command = [*COMMAND, "--out", str(tmp_path / "out"), "--workers", "1", "--memory-limit", "256M"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("physreel: ")]
    assert len(lines) == 1
    assert "the memory limit of 256 MiB is too little for a worker to begin" in lines[0]
    assert '"failure"' not in (tmp_path / "out" / "manifest.jsonl").read_text()


def test_a_memory_limit_that_holds_no_engine_is_told_after_two_samples():
    def starved(index: int) -> tuple[Task, Attempt]:
        failure = Failure(index=index, error="MemoryError", message="Unable to allocate 1. GiB")
        return Task(index, "x"), Attempt(how="raised", failure=failure)

    counter = Tries(memory_limit_bytes=1 << 29)
    assert not counter.is_last(*starved(0))
    with pytest.raises(InputError, match=r"limit of 512 MiB is too little: no sample was made.*Unable to allocate"):
        counter.is_last(*starved(1))
    # Where samples are made, those that need more than others are failures of their own.
    counter = Tries(memory_limit_bytes=1 << 29)
    counter.is_last(Task(0, "x"), Attempt(how="made"))
    for index in range(1, 9):
        assert not counter.is_last(*starved(index))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"workers": 0, "timeout_s": 3.0}, "timeout_s: this process cannot be ended, so it needs workers 1 or more"),
        ({"workers": 0, "memory_limit_bytes": 1 << 30}, "memory_limit_bytes: this process cannot be ended"),
        ({"memory_limit_bytes": 1 << 63}, "must be 256 MiB to 1 PiB"),
        ({"memory_limit_bytes": 1 << 20}, "must be 256 MiB to 1 PiB"),
        ({"timeout_s": float("nan")}, "timeout_s: must be a number of seconds above 0"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(tmp_path, limits, words):
    with pytest.raises(InputError, match=re.escape(words)):
        run(plan(), tmp_path / "out", **limits)
    assert not (tmp_path / "out").exists()


def test_a_process_that_cannot_begin_blames_no_sample_and_does_not_try_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "prepare", _die)
    with pytest.raises(InputError, match="die before they can begin"):
        run(plan(), tmp_path / "out", workers=1)


def _die(job):
    os._exit(7)


def test_a_worker_that_is_stuck_in_c_ends_with_a_run_that_is_killed(tmp_path, faults):
    (faults / "all").write_text("stuck")
    with start(tmp_path / "out", {"plan": {}, "workers": 1}) as started:
        until = time.monotonic() + 120
        while not (found := list(faults.glob("stuck-*"))) and time.monotonic() < until:
            time.sleep(0.05)
        number = int(found[0].name.partition("-")[2])
        assert Path(f"/proc/{number}").exists()
        started.kill()
    until = time.monotonic() + 10
    while _lives(number) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(number)


def _lives(number: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except OSError:
        return False


def test_a_process_that_grows_is_replaced():
    process = Process(b"", memory_limit_bytes=4 << 30)
    try:
        first = worker.Result(mapped_bytes=1 << 30, resident_bytes=1 << 29)
        assert not process._has_grown(first)
        assert not process._has_grown(worker.Result(mapped_bytes=2 << 30, resident_bytes=1 << 29))
        assert process._has_grown(worker.Result(mapped_bytes=(5 << 29) + 1, resident_bytes=1 << 29))
        process.memory = (1 << 30) + (100 << 20)  # so little room that a new process would be no better
        assert not process._has_grown(worker.Result(mapped_bytes=(1 << 30) + (90 << 20), resident_bytes=1 << 29))
        assert process._has_grown(worker.Result(mapped_bytes=1 << 30, resident_bytes=(1 << 29) + GROWTH_BYTES + 1))
    finally:
        process.close()


@pytest.mark.skipif(not LONG, reason="takes long: PHYSREEL_LONG=1")
def test_an_engine_that_leaks_at_each_sample_does_not_fail_any(tmp_path, faults):
    (faults / "all").write_text("leak 200")
    summary = run(plan(count=40), tmp_path / "out", workers=1, memory_limit_bytes=4 << 30)
    assert (summary.finished, summary.failed) == (40, 0)


def test_the_tries_of_a_sample_are_counted_by_what_ended_them():
    failure = Failure(index=0, error="E", message="m")
    for how, allowed in (("raised", tries.TRIES_RAISED), ("died", tries.TRIES_DIED), ("lost", tries.TRIES_LOST)):
        task, counter = Task(0, "x"), Tries()
        last = [counter.is_last(task, Attempt(how=how, failure=failure)) for _ in range(allowed)]
        assert last == [False] * (allowed - 1) + [True]
    assert Tries().is_last(Task(0, "x"), Attempt(how="made"))


def test_a_process_that_is_killed_from_outside_is_tried_more_often_than_one_that_dies(tmp_path, faults, monkeypatch):
    monkeypatch.setattr("physreel.runners.tries.TRIES_DIED", 1)
    monkeypatch.setattr("physreel.runners.tries.TRIES_LOST", 2)
    (faults / height_name(1)).write_text("killed")
    (faults / height_name(2)).write_text("killed once")
    (faults / height_name(3)).write_text("crash")
    summary = run(plan(count=5), tmp_path / "out", workers=1)
    assert {failure.index: failure.error for failure in summary.failures} == {1: "WorkerKilled", 3: "WorkerDied"}


# --- damage ----------------------------------------------------------------------------------------------------------


def test_a_manifest_cut_at_any_byte_of_its_last_line_is_mended(tmp_path, finished, undisturbed):
    whole = (finished / "manifest.jsonl").read_bytes()
    last = len(whole) - whole[:-1].rindex(b"\n") - 1
    cuts = range(1, last + 1) if LONG else sorted({1, 2, last // 2, last - 1, last})
    for cut in cuts:
        out = tmp_path / "out"
        shutil.copytree(finished, out)
        (out / "manifest.jsonl").write_bytes(whole[:-cut])
        summary = run(plan(), out, workers=0)
        assert summary.made == 2, f"cut by {cut} bytes"
        assert tree(out) == undisturbed, f"cut by {cut} bytes"
        shutil.rmtree(out)


def test_a_waiting_sample_that_is_damaged_is_made_again(tmp_path, undisturbed, faults):
    out = tmp_path / "out"
    (faults / height_name(3)).write_text("die")
    with start(out, {"plan": {}, "workers": 0}) as died:
        died.communicate()
    waiting = sorted(out.glob(".physreel/**/*.row"))
    assert len(waiting) == 3
    data = bytearray(waiting[1].read_bytes())
    data[len(data) // 2] ^= 1
    waiting[1].write_bytes(data)
    waiting[2].write_bytes(b"")
    (faults / height_name(3)).unlink()
    assert run(plan(), out, workers=0).made == 9
    assert tree(out) == undisturbed


# --- two at once, and kills ------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_of_two_commands_at_once_one_writes_and_the_other_is_told(tmp_path, undisturbed, faults):
    (faults / "all").write_text("slow 1.0")  # the other comes to the folder while the first still works
    out = tmp_path / "out"
    both = [
        subprocess.Popen([*COMMAND, "--out", str(out), "--workers", "0"], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=300)[1] for one in both]
    assert sorted(one.returncode for one in both) == [0, 2]
    (refused,) = [words for one, words in zip(both, said, strict=True) if one.returncode]
    assert "another run is writing to" in refused
    assert tree(out) == undisturbed


def test_kills_of_workers_and_runs_change_no_byte(tmp_path, faults):
    count, kills = (200, 100) if LONG else (16, 3)
    request = {"count": count, "shard_size": 8}
    run(plan(**request), tmp_path / "undisturbed", workers=0)
    (faults / "all").write_text("slow 0.2")
    study = Study(tmp_path / "out", {"plan": request, "workers": 2}, kills=kills, seed=2)
    study.go()
    assert sum(study.killed.values()) == kills
    assert not study.stopped
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")
