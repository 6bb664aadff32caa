"""The runner: the same bytes on any number of workers, through kills, faults and full disks; nothing half-written."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fakes import Drop
from fault_kills import workers_below
from quick_runs import height_name, plan, tree

from physreel.errors import InputError, SpecError
from physreel.pipeline import split_of
from physreel.runners.base import Part, StorageError, shards_of
from physreel.runners.local import run
from physreel.runners.pool import Pool
from physreel.runners.repair import repair
from physreel.runners.status import status
from physreel.runners.tries import Task

TESTS = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("beside_fakes")
RUN = """
import sys
from pathlib import Path
from fakes import plan_values
from physreel.plan import Plan
from physreel.runners.local import run
done = run(Plan(**plan_values(count=int(sys.argv[2]))), sys.argv[1], workers=int(sys.argv[3]))
print(done.finished, done.made)
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The tree of a run in one process that nobody disturbed."""
    os.chdir(TESTS)
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    run(plan(), out, workers=0)
    return tree(out)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_gives_the_same_bytes(tmp_path, undisturbed, workers):
    summary = run(plan(), tmp_path / "out", workers=workers)
    assert (summary.finished, summary.made, summary.rows) == (10, 10, 10)
    assert tree(tmp_path / "out") == undisturbed


def test_shards_hold_the_samples_in_order(tmp_path):
    summary = run(plan(), tmp_path / "out", workers=0)
    assert summary.shards == tuple(f"data/drop/train-0000{k}-of-00003.parquet" for k in range(3))
    indices = [pq.read_table(tmp_path / "out" / name)["index"].to_pylist() for name in summary.shards]
    assert indices == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_the_manifest_tells_rows_bytes_and_hashes(tmp_path):
    run(plan(), tmp_path / "out", workers=0)
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["format", "plan", "shard", "shard", "shard"]
    for line in lines[2:]:
        data = (tmp_path / "out" / line["file"]).read_bytes()
        assert line["bytes"] == len(data)
        assert line["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_finished_run_is_left_alone(tmp_path, undisturbed):
    out = tmp_path / "out"
    run(plan(), out, workers=0)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert run(plan(), out, workers=0).made == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == times
    assert tree(out) == undisturbed


@pytest.mark.thorough
def test_twenty_kills_at_random_moments_change_no_byte_and_no_spooled_sample_is_made_again(tmp_path, faults):
    count, chance = 150, random.Random(4)
    run(plan(count=count), tmp_path / "undisturbed", workers=0)
    (faults / "all").write_text("slow 0.15")
    out = tmp_path / "out"
    killed = {"worker": 0, "run": 0}
    while min(killed.values()) < 10:
        with _started(out, count) as started:
            _sleep(chance.uniform(0.7, 2.0), started)
            if chance.random() < 0.4:  # on a busy machine a run may not have come to its first sample yet
                before, until = _samples_there(out), time.monotonic() + 20
                while _samples_there(out) <= before and time.monotonic() < until:
                    _sleep(0.05, started)
            workers = workers_below(started.pid)
            if workers:
                with suppress(ProcessLookupError):  # it ended just now
                    os.kill(chance.choice(workers), signal.SIGKILL)
                    killed["worker"] += 1
                _sleep(chance.uniform(0.0, 0.7), started)
            assert started.poll() is None, f"it ended before it was killed: {started.communicate()[1]!r}"
            os.kill(started.pid, signal.SIGKILL)
            killed["run"] += 1
        _check_shards_whole(out)
    (faults / "all").unlink()
    time.sleep(0.3)  # the kernel ends a killed run's workers, but a moment later
    there = _samples_there(out)
    assert 0 < there < count
    summary = run(plan(count=count), out, workers=2)
    assert summary.made == count - there
    assert tree(out) == tree(tmp_path / "undisturbed")


@contextmanager
def _started(out: Path, count: int, workers: int = 2):
    """A run in a process of its own."""
    command = [sys.executable, "-c", RUN, str(out), str(count), str(workers)]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def _sleep(seconds: float, started: subprocess.Popen) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and started.poll() is None:
        time.sleep(0.01)


def _samples_there(out: Path) -> int:
    # A kill between a shard's entry and the removal of its waiting samples leaves both: each sample counts once.
    there = {int(path.stem) for path in out.glob(".physreel/drop/*.row")}
    for path in _entered(out):
        there.update(pq.read_table(path, columns=["index"])["index"].to_pylist())
    return len(there)


def _entered(out: Path) -> list[Path]:
    manifest = out / "manifest.jsonl"
    if not manifest.exists():  # on a busy machine a run may not have opened its folder yet
        return []
    lines = [json.loads(line) for line in manifest.read_bytes().split(b"\n")[:-1]]
    return [out / line["file"] for line in lines if line["kind"] == "shard"]


def _check_shards_whole(out: Path) -> None:
    for path in out.glob("data/*/*"):
        assert pq.ParquetFile(path).metadata.num_rows > 0


def test_ctrl_c_leaves_whole_shards_and_the_same_command_goes_on(tmp_path, undisturbed, faults):
    (faults / "all").write_text("slow 0.05")
    out = tmp_path / "out"
    started = subprocess.Popen(
        [sys.executable, "-c", RUN, str(out), "10", "2"], cwd=TESTS, stderr=subprocess.PIPE, start_new_session=True
    )
    until = time.monotonic() + 30
    while not list(out.glob(".physreel/drop/*.row")) and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(started.pid, signal.SIGINT)
    _, errors = started.communicate(timeout=30)
    assert started.returncode != 0
    assert errors.count(b"Traceback") <= 1, "workers print tracebacks on Ctrl-C"
    _check_shards_whole(out)
    spooled = len(list(out.glob(".physreel/drop/*.row")))
    summary = run(plan(), out, workers=2)
    assert summary.made <= 10 - spooled
    assert tree(out) == undisturbed


def test_a_sample_that_raises_is_recorded_and_the_run_goes_on(tmp_path, faults):
    (faults / height_name(5)).write_text("raise")
    summary = run(plan(), tmp_path / "out", workers=2)
    assert (summary.finished, summary.failed) == (9, 1)
    failure = summary.failures[0]
    assert (failure.index, failure.error, failure.message) == (5, "RuntimeError", "on demand")
    assert "fakes.py" in failure.traceback
    assert json.loads(failure.spec)["scene"] == "drop"
    rows = [i for name in summary.shards for i in pq.read_table(tmp_path / "out" / name)["index"].to_pylist()]
    assert rows == [0, 1, 2, 3, 4, 6, 7, 8, 9]


@pytest.mark.parametrize("fault", ["raise once", "die once"])
def test_a_sample_that_fails_once_is_made_in_a_fresh_process(tmp_path, faults, undisturbed, fault):
    (faults / height_name(3)).write_text(fault)
    assert run(plan(), tmp_path / "out", workers=2).failed == 0
    assert tree(tmp_path / "out") == undisturbed


def test_a_sample_that_kills_its_process_costs_only_itself(tmp_path, faults):
    (faults / height_name(2)).write_text("die")
    summary = run(plan(count=6), tmp_path / "out", workers=2)
    assert [failure.index for failure in summary.failures] == [2]
    assert summary.failures[0].error == "WorkerDied"
    assert summary.failures[0].spec is not None
    assert summary.finished == 5


def test_a_process_that_dies_while_it_has_no_sample_is_replaced_and_no_sample_blamed(tmp_path):
    pool = Pool(plan(), None, 1)
    results = pool.results(Task(i, str(tmp_path / f"{i}.row")) for i in range(4))
    try:
        assert next(results) == (0, None)
        (number,) = workers_below(os.getpid())
        os.kill(number, signal.SIGKILL)
        until = time.monotonic() + 10
        while workers_below(os.getpid()) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)  # until the executor has noticed, too
        assert list(results) == [(1, None), (2, None), (3, None)]
    finally:
        pool.close()
    assert len(list(tmp_path.glob("*.row"))) == 4


def test_a_sample_that_hangs_is_ended_by_the_timeout(tmp_path, faults, monkeypatch):
    monkeypatch.setattr("physreel.runners.process.WARM_UP_S", 4.0)
    monkeypatch.setattr("physreel.runners.process.WARM_UP_AGAIN_S", 2.0)
    monkeypatch.setattr("physreel.runners.tries.TRIES_DIED", 2)
    (faults / height_name(1)).write_text("hang")
    summary = run(plan(count=5), tmp_path / "out", workers=2, timeout_s=4.0)
    assert [(failure.index, failure.error) for failure in summary.failures] == [(1, "Timeout")]
    assert summary.finished == 4


def test_failed_samples_are_made_again_on_request(tmp_path, faults, undisturbed):
    (faults / height_name(5)).write_text("raise")
    out = tmp_path / "out"
    assert run(plan(), out, workers=0).failed == 1
    (faults / height_name(5)).unlink()
    assert run(plan(), out, workers=0).failed == 1, "without a request nothing is made again"
    assert run(plan(), out, workers=0, retry_failed=True).failed == 0
    assert tree(out) == undisturbed


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(tmp_path, undisturbed):
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", str(mount)], capture_output=True)
    if made.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        out = mount / "out"
        with pytest.raises(StorageError, match=r"no space is left .* run the same command again"):
            run(plan(), out, workers=2)
        for path in out.glob("data/*/*"):
            pq.read_table(path)
        subprocess.run(["mount", "-o", "remount,size=50m", str(mount)], check=True)
        assert run(plan(), out, workers=2).failed == 0
        assert tree(out) == undisturbed
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_two_runs_into_one_folder_are_one_too_many(tmp_path, faults):
    (faults / "all").write_text("slow 0.05")
    out = tmp_path / "out"
    first = subprocess.Popen([sys.executable, "-c", RUN, str(out), "40", "1"], cwd=TESTS, stdout=subprocess.PIPE)
    until = time.monotonic() + 30
    while not list(out.glob(".physreel/drop/*.row")) and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(InputError, match="another run is writing"):
        run(plan(count=40), out, workers=0)
    assert first.communicate(timeout=60)[0].split() == [b"40", b"40"]


def test_a_torn_manifest_line_is_mended(tmp_path, undisturbed):
    out = tmp_path / "out"
    run(plan(), out, workers=0)
    manifest = out / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-30])
    assert run(plan(), out, workers=0).made == 2
    assert tree(out) == undisturbed


def test_a_deleted_shard_is_made_again(tmp_path, undisturbed):
    out = tmp_path / "out"
    run(plan(), out, workers=0)
    (out / "data/drop/train-00001-of-00003.parquet").unlink()
    assert run(plan(), out, workers=0).made == 4
    assert tree(out) == undisturbed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 3}, ["seed: was 0, now 3", "another folder"]),
        ({"count": 12, "passes": ("rgb",)}, ["count: was 10, now 12", 'passes: was ["rgb", "depth"]']),
    ],
)
def test_another_request_for_the_same_folder_is_refused_with_the_differences(tmp_path, changes, words):
    out = tmp_path / "out"
    run(plan(), out, workers=0)
    before = tree(out)
    with pytest.raises(InputError) as caught:
        run(plan(**changes), out, workers=0)
    for word in words:
        assert word in str(caught.value)
    assert tree(out) == before


def test_foreign_folders_and_files_are_refused_and_left_alone(tmp_path):
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(InputError, match=r"not empty and no physreel data set \(it holds cat\.jpg\)"):
        run(plan(), foreign, workers=0)
    with pytest.raises(InputError, match="is a file"):
        run(plan(), foreign / "cat.jpg", workers=0)
    with pytest.raises(InputError, match="cannot be made"):
        run(plan(), "/proc/nothing/out", workers=0)
    assert [path.name for path in foreign.iterdir()] == ["cat.jpg"]


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"fault": "overlap"}, SpecError, ["ball", "floor", "sample 0"]),
        ({"fault": "nan"}, SpecError, ["position_m.2", "sample 0"]),
        ({"fault": "raise"}, InputError, ["RuntimeError: the scene has a bug", "fakes.py", "sample 0"]),
        ({"height_m": "0.1..99", "falt": "x"}, SpecError, ["0.1..99 is outside", "did you mean 'fault'"]),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, parameters, error, words):
    with pytest.raises(error) as caught:
        run(plan(parameters=parameters), tmp_path / "out", workers=0)
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_several_scenes_share_a_folder(tmp_path):
    class Other(Drop):
        """The same under another name."""

        name = "other"

    out = tmp_path / "out"
    run(plan(count=3), out, workers=0)
    run(plan(count=3, scene="other"), out, workers=0, scene=Other)
    card = (out / "README.md").read_text()
    assert "config_name: drop" in card
    assert "config_name: other" in card


def test_splits_are_whole_groups_and_near_their_shares():
    ids = [f"drop-0-{i:08d}" for i in range(4000)]
    splits = {"train": 0.8, "validation": 0.05, "test": 0.15}
    found = [split_of(name, splits) for name in ids]
    for name, share in splits.items():
        assert found.count(name) / 4000 == pytest.approx(share, abs=0.02)
    shards = shards_of(plan(count=400, splits=splits, shard_size=50), "drop")
    assert sorted(i for shard in shards for i in shard.indices) == list(range(400))
    assert {shard.count for shard in shards if shard.split == "train"} == {
        len([shard for shard in shards if shard.split == "train"])
    }


@pytest.mark.parametrize("splits", [{"train": 1.0}, {"train": 0.6, "rest": 0.1, "test": 0.3}])
def test_shards_that_are_made_when_asked_for_are_those_of_a_list(splits):
    made = shards_of(plan(count=103, splits=splits, shard_size=7), "drop")
    listed = list(made)
    assert sorted(i for shard in listed for i in shard.indices) == list(range(103))
    for number, count in ((1, 1), (1, 4), (3, 4), (4, 4), (40, 50)):
        own = Part(number, count).of(made)
        assert [shard.key for shard in own] == [shard.key for shard in listed[number - 1 :: count]]
        assert own.sample_count == sum(len(shard.indices) for shard in listed[number - 1 :: count])
        for place, shard in enumerate(own):
            assert own.place(*shard.key) == place
            assert own[place].indices == shard.indices
        keys = {shard.key for shard in own}
        assert all((own.place(*shard.key) is None) == (shard.key not in keys) for shard in listed)
    assert made.place("train", 10_000) is made.place("other", 0) is None


def test_a_plan_of_ten_thousand_million_clips_begins_at_once(tmp_path):
    def stop(done: int, total: int, failed: int) -> None:
        assert (total, failed) == (10**10, 0)
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan(count=10**10), tmp_path / "out", workers=0, progress=stop)
    (scene,) = status(tmp_path / "out").scenes
    assert (scene.shards_finished, scene.shards, scene.waiting) == (1, 25 * 10**8, 1)
    assert (tmp_path / "out/data/drop/train-00000-of-2500000000.parquet").exists()
    assert repair(tmp_path / "out", workers=0).after.problems == []
    with pytest.raises(ValueError, match="with several splits at most 50000000, got 10000000000"):
        plan(count=10**10, splits={"train": 0.5, "test": 0.5})


def test_a_class_made_in_a_script_runs_in_processes(tmp_path):
    program = tmp_path / "script.py"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        "from fakes import Drop, plan_values\n"
        "from physreel.plan import Plan\nfrom physreel.runners.local import run\n"
        "class Mine(Drop):\n    'Made in a script.'\n    name = 'mine'\n"
        f"plan, out = Plan(**plan_values(scene='mine', count=4)), {str(tmp_path / 'out')!r}\n"
        "print(run(plan, out, workers=2, scene=Mine).rows)\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, cwd=TESTS, timeout=120)
    assert done.stdout.strip() == "4", done.stderr
