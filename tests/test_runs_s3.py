"""Runs into object storage, against a real S3 server on loopback: same bytes, kills, two at once, no secrets told."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from quick_runs import plan, tree

from physreel.errors import InputError
from physreel.loaders.records import records
from physreel.pipeline import Pipeline
from physreel.runners import lock
from physreel.runners.base import Part, StorageError
from physreel.runners.convert import convert
from physreel.runners.local import run
from physreel.runners.merge import merge
from physreel.runners.repair import repair
from physreel.runners.status import status
from physreel.storage import StoreError, open_store

pytest.importorskip("s3fs", reason="needs the extra s3: make test-all")
moto_server = pytest.importorskip("moto.server", reason="needs moto[server]: make test-all")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

TESTS = Path(__file__).parent
KEY, SECRET, TOKEN = "AKIAVISIBLENOWHERE01", "s3cretVisibleNowhere/02", "t0kenVisibleNowhere03"
RUN = """
import sys
from fakes import plan_values
from physreel.plan import Plan
from physreel.runners.local import run
done = run(Plan(**plan_values(count=int(sys.argv[2]))), sys.argv[1], workers=0)
print(done.finished, done.made)
"""


@pytest.fixture(scope="module")
def server():
    """A server in a process of its own, so that ours can be killed and theirs not."""
    code = "from moto.server import main; import sys; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as started:
        until = time.monotonic() + 90
        while time.monotonic() < until:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
        started.kill()


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """The environment as a user has it, and an empty bucket."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PHYSREEL_SCRATCH": str(tmp_path / "scratch"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(TESTS)
    monkeypatch.delenv("PHYSREEL_TEST_FAULTS", raising=False)
    import s3fs

    name = f"bucket-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(name)
    return name


def objects(address: str) -> dict[str, str]:
    store = open_store(address)
    return {name: hashlib.sha256(store.read(name)).hexdigest() for name in store.names()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    os.chdir(TESTS)
    out = tmp_path_factory.mktemp("s3") / "undisturbed"
    run(plan(), out, workers=0)
    return out


def no_scratch() -> bool:
    scratch = Path(os.environ["PHYSREEL_SCRATCH"])
    return not scratch.exists() or not any(scratch.iterdir())


def test_objects_have_the_bytes_of_a_local_run_and_nothing_is_left(bucket, undisturbed):
    address = f"s3://{bucket}/falls/first"
    summary = run(plan(), address, workers=0)
    assert (summary.finished, summary.made, summary.out) == (10, 10, address)
    assert summary.paths[0] == f"{address}/data/drop/train-00000-of-00003.parquet"
    assert objects(address) == tree(undisturbed)
    assert no_scratch()
    assert run(plan(), address, workers=0).made == 0
    assert status(address, checksums=True).problems == []
    there = [record["sample_id"] for record in records(address, columns=["sample_id"])]
    assert there == [record["sample_id"] for record in records(undisturbed, columns=["sample_id"])]


def test_workers_a_timeout_and_a_memory_limit_hold_for_runs_into_a_bucket(bucket, tmp_path, monkeypatch, undisturbed):
    address = f"s3://{bucket}/falls"
    summary = run(plan(), address, workers=1, timeout_s=60.0, memory_limit_bytes=8 << 30)
    assert summary.failed == 0
    assert objects(address) == tree(undisturbed)


def test_clips_that_meet_a_limit_in_a_run_into_a_bucket_are_left_out_as_in_a_folder(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("physreel.runners.process.WARM_UP_S", 20.0)
    monkeypatch.setattr("physreel.runners.process.WARM_UP_AGAIN_S", 10.0)
    monkeypatch.setattr("physreel.runners.tries.TRIES_DIED", 1)
    monkeypatch.setattr("physreel.runners.tries.TRIES_RAISED", 1)
    faults = tmp_path / "faults"
    faults.mkdir()
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(faults))
    for index, fault in ((1, "allocate 900000"), (2, "stuck")):
        height = Pipeline(plan()).spec(index).bodies[1].position_m[2]
        (faults / f"{height * 1000:.0f}").write_text(fault)
    limits = {"workers": 2, "timeout_s": 8.0, "memory_limit_bytes": 4 << 30}
    address, folder = f"s3://{bucket}/falls", tmp_path / "out"
    for out in (address, folder):
        summary = run(plan(count=5), out, **limits)
        errors = [(failure.index, failure.error.removeprefix("_Array")) for failure in summary.failures]
        assert errors == [(1, "MemoryError"), (2, "Timeout")]
    assert no_scratch()
    assert objects(address) == tree(folder)


def test_a_conversion_from_and_into_a_bucket_has_the_bytes_of_a_local_one(bucket, tmp_path, undisturbed):
    run(plan(), f"s3://{bucket}/falls", workers=0)
    convert(undisturbed, tmp_path / "tars", "webdataset")
    for name, source in (("from-folder", undisturbed), ("from-bucket", f"s3://{bucket}/falls")):
        convert(source, f"s3://{bucket}/{name}", "webdataset")
        assert objects(f"s3://{bucket}/{name}") == tree(tmp_path / "tars")
    convert(f"s3://{bucket}/from-bucket", tmp_path / "back", "parquet")
    assert tree(tmp_path / "back") == tree(undisturbed)
    assert no_scratch()


def test_another_request_and_foreign_objects_are_refused(bucket):
    run(plan(), f"s3://{bucket}/falls", workers=0)
    before = objects(f"s3://{bucket}/falls")
    with pytest.raises(InputError, match="seed: was 0, now 3"):
        run(plan(seed=3), f"s3://{bucket}/falls", workers=0)
    with pytest.raises(InputError, match=r"not empty and no physreel data set \(it holds falls\)"):
        run(plan(), f"s3://{bucket}", workers=0)
    assert objects(f"s3://{bucket}/falls") == before


def test_a_killed_run_goes_on_at_once_on_the_same_machine_and_on_another_loses_only_the_unfinished_shard(
    bucket, tmp_path, monkeypatch, undisturbed
):
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "all").write_text("slow 0.3")
    address = f"s3://{bucket}/falls"
    environment = os.environ | {"PHYSREEL_TEST_FAULTS": str(faults)}
    with subprocess.Popen([sys.executable, "-c", RUN, address, "10"], cwd=TESTS, env=environment) as started:
        until, scratch = time.monotonic() + 90, Path(os.environ["PHYSREEL_SCRATCH"])
        while len(list(scratch.glob("*/drop/*.row"))) < 2 or not _entered(address):
            assert time.monotonic() < until
            assert started.poll() is None
            time.sleep(0.1)
        os.kill(started.pid, signal.SIGKILL)
    entered, spooled = _entered(address), {int(path.stem) for path in scratch.glob("*/drop/*.row")}
    assert 1 <= entered < 3
    elsewhere = f"s3://{bucket}/copy"
    for name in open_store(address).names():
        if "lock" not in name:
            open_store(elsewhere).write(name, open_store(address).read(name))
    assert list(records(address, columns=["index"])), "what is finished can be read"
    found = status(address)
    assert found.problems == []
    assert found.scenes[0].waiting == len(spooled)
    begun = time.monotonic()
    summary = run(plan(), address, workers=0)
    assert time.monotonic() - begun < lock.LEASE_S / 2, "it waited for a process that is known to be dead"
    assert summary.made == 10 - len(spooled | set(range(4 * entered)))
    assert objects(address) == tree(undisturbed)
    assert no_scratch()
    assert run(plan(), elsewhere, workers=0).made == 10 - 4 * entered
    assert objects(elsewhere) == tree(undisturbed)


def _entered(address: str) -> int:
    try:
        lines = open_store(address).read("manifest.jsonl").splitlines()
    except OSError:
        return 0
    return sum(json.loads(line)["kind"] == "shard" for line in lines)


def test_two_runs_into_one_address_are_one_too_many(bucket, tmp_path):
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "all").write_text("slow 0.4")
    address = f"s3://{bucket}/falls"
    environment = os.environ | {"PHYSREEL_TEST_FAULTS": str(faults)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, address, "12"], cwd=TESTS, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    ended = [one.communicate(timeout=120) for one in both]
    assert sorted(one.returncode for one in both) == [0, 1]
    refused = next(errors for one, (_, errors) in zip(both, ended, strict=True) if one.returncode)
    assert "another run is writing to" in refused
    assert next(out for one, (out, _) in zip(both, ended, strict=True) if not one.returncode).split() == ["12", "12"]


def test_a_lease_of_another_machine_is_respected_while_it_moves_and_taken_over_when_it_stands_still(
    bucket, monkeypatch, caplog
):
    monkeypatch.setattr(lock, "LEASE_S", 1.0)
    monkeypatch.setattr(lock, "BEAT_S", 0.2)
    store = open_store(f"s3://{bucket}/falls")
    other = lock.Lease(store, ".physreel")
    with monkeypatch.context() as there:
        there.setattr(lock, "_machine", lambda: "another machine")
        with other.held(), monkeypatch.context() as here:
            here.setattr(lock, "_machine", lambda: "this machine")
            with pytest.raises(InputError, match=r"another run is writing to .* remove s3://.*lock-000000\.json"):
                run(plan(), store.address, workers=0)
    left = json.dumps({"host": "gone", "pid": 1, "boot": "x", "started": "1", "token": "t", "beat": 4}).encode()
    store.write(".physreel/lock-000003.json", left)
    assert run(plan(count=4), store.address, workers=0).made == 4
    assert not any("lock" in name for name in store.names())
    assert "watching for 1 s" in caplog.text


def test_a_run_that_lost_its_lease_enters_nothing_more(bucket):
    store = open_store(f"s3://{bucket}/falls")
    with lock.Lease(store, ".physreel").held() as lease:
        lease.check()
        store.write(".physreel/lock-000001.json", b"{}")
        with pytest.raises(StorageError, match="another run has taken over"):
            lease.check()
    assert store.read(".physreel/lock-000001.json") == b"{}"


def test_jobs_of_an_array_and_merge_give_the_bytes_of_one_run(bucket, undisturbed, tmp_path):
    address = f"s3://{bucket}/falls"
    for number in (2, 3, 1):
        run(plan(), address, workers=0, part=Part(number, 3))
    with pytest.raises(InputError, match="are not merged yet"):
        list(records(address))
    merge([address])
    assert objects(address) == tree(undisturbed)
    run(plan(), tmp_path / "here", workers=0, part=Part(1, 2))
    run(plan(), f"s3://{bucket}/there", workers=0, part=Part(2, 2))
    merge([tmp_path / "here", f"s3://{bucket}/there"], f"s3://{bucket}/both")
    assert objects(f"s3://{bucket}/both") == tree(undisturbed)


def test_damaged_objects_are_found_and_made_anew(bucket, undisturbed):
    address, store = f"s3://{bucket}/falls", open_store(f"s3://{bucket}/falls")
    run(plan(), address, workers=0)
    name = "data/drop/train-00001-of-00003.parquet"
    damaged = bytearray(store.read(name))
    damaged[100] ^= 1
    store.write(name, bytes(damaged))
    store.remove("data/drop/train-00002-of-00003.parquet")
    store.write(".physreel/left.tmp", b"x")
    assert {problem.what for problem in status(address, checksums=True).problems} == {"checksum", "missing", "leftover"}
    assert len(repair(address, workers=0).made) == 2
    assert objects(address) == tree(undisturbed)
    assert no_scratch()


FAILURES = {
    "nothing listens": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "{bucket}/falls", "can be reached"),
    "no bucket": ({}, "no-such-bucket-here/falls", "there is no bucket"),
    "no credentials": ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "{bucket}/falls", "credentials"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_cannot_be_reached_is_told_in_one_message_without_secrets(bucket, tmp_path, name):
    changes, place, words = FAILURES[name]
    environment = os.environ | {"HOME": str(tmp_path)} | changes
    environment = {key: value for key, value in environment.items() if value}
    for shown in ([], ["--traceback"]):
        done = subprocess.run(
            [sys.executable, "-m", "physreel", *shown, "generate", "fakes:Drop", "-n", "2", "--workers", "0",
             "--out", f"s3://{place.format(bucket=bucket)}", "--video-renderer", "fakes:FlatRenderer",
             "--audio-renderer", "fakes:TickRenderer"],
            env=environment, capture_output=True, text=True, timeout=120, cwd=TESTS,
        )  # fmt: skip
        assert words in done.stderr
        if not shown:
            assert done.returncode == 2
            assert done.stderr.startswith("physreel: error: ")
            assert "Traceback" not in done.stderr
        for secret in (KEY, SECRET, TOKEN):
            assert secret not in done.stderr + done.stdout


def test_no_secret_is_in_anything_that_is_written(bucket, tmp_path, monkeypatch, undisturbed):
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "all").write_text("raise once")
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(faults))
    address, scratch = f"s3://{bucket}/falls", Path(os.environ["PHYSREEL_SCRATCH"])
    summary = run(plan(), address, workers=0)
    assert summary.failed == 1, "a failure, whose traceback is in the manifest"
    store = open_store(address)
    everything = b"".join(store.read(name) for name in store.names())
    everything += b"".join(path.read_bytes() for path in scratch.rglob("*") if path.is_file())
    with lock.Lease(store, ".physreel").held():
        everything += store.read(".physreel/lock-000000.json")
    for secret in (KEY, SECRET, TOKEN):
        assert secret.encode() not in everything
    with pytest.raises(InputError) as caught:
        open_store(f"s3://{KEY}:{SECRET}@{bucket}/falls")
    assert KEY not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_server_that_stumbles_is_asked_again(bucket, monkeypatch):
    monkeypatch.setattr("physreel.storage.remote.PAUSE_S", 0.01)
    store = open_store(f"s3://{bucket}/falls")
    good, calls = store._fs.pipe_file, []

    def stumbling(*arguments, **options):
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionResetError("reset by peer")
        return good(*arguments, **options)

    monkeypatch.setattr(store._fs, "pipe_file", stumbling)
    store.write("x", b"1")
    assert store.read("x") == b"1"
    assert len(calls) == 3

    def always(*arguments, **options):
        calls.append(1)
        raise OSError(f"no luck, {SECRET}")

    calls.clear()
    monkeypatch.setattr(store._fs, "pipe_file", always)
    with pytest.raises(StoreError, match=r"no luck, …") as caught:
        store.write("x", b"2")
    assert SECRET not in str(caught.value)
    assert len(calls) == 4
    shutil.rmtree(os.environ["PHYSREEL_SCRATCH"], ignore_errors=True)
