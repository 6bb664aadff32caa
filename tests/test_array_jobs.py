"""Jobs of an array: each makes its shards, any order and any kill, and merged they are the bytes of one run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import Drop, plan_values
from quick_runs import tree

from physreel.errors import CheckError, InputError
from physreel.loaders.records import records
from physreel.manifest import read_manifest
from physreel.plan import Plan
from physreel.runners import lock
from physreel.runners.base import Part, shards_of
from physreel.runners.local import run
from physreel.runners.merge import merge
from physreel.runners.status import status

TESTS = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("beside_fakes")
RUN = """
import sys
from fakes import plan_values
from physreel.plan import Plan
from physreel.runners.base import Part
from physreel.runners.local import run
done = run(Plan(**plan_values(count=14)), sys.argv[1], workers=0, part=Part.read(sys.argv[2]))
print(done.finished, done.made)
"""


def plan(**changes) -> Plan:
    return Plan(**plan_values(**({"count": 14} | changes)))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The tree of one run, of a plan with four shards."""
    os.chdir(TESTS)
    out = tmp_path_factory.mktemp("jobs") / "undisturbed"
    run(plan(), out, workers=0)
    return out


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """All three jobs of an array have ended, not merged."""
    os.chdir(TESTS)
    out = tmp_path_factory.mktemp("jobs") / "parts"
    for number in (2, 3, 1):
        run(plan(), out, workers=0, part=Part(number, 3))
    return out


@pytest.fixture
def copied(parts, tmp_path):
    return Path(shutil.copytree(parts, tmp_path / "out"))


def test_every_shard_is_of_one_job():
    shards = shards_of(plan(count=100, splits={"train": 0.7, "test": 0.3}), "drop")
    for count in (1, 2, 3, 7, 40):
        made = [shard.key for number in range(1, count + 1) for shard in Part(number, count).of(shards)]
        assert sorted(made) == sorted(shard.key for shard in shards)


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/3", "1/2/3", "1.5/2", ""])
def test_what_is_no_job_is_refused(text):
    with pytest.raises(InputError, match="job k of n with k from 1 to n"):
        Part.read(text)


def test_merged_parts_are_the_bytes_of_one_run(copied, undisturbed):
    (summary,) = merge([copied])
    assert (summary.finished, summary.rows) == (14, 14)
    assert tree(copied) == tree(undisturbed)
    assert merge([copied])[0].finished == 14, "merged again, nothing happens"
    assert run(plan(), copied, workers=0).made == 0
    assert run(plan(), copied, workers=0, part=Part(2, 3)).made == 0, "a job that is run late finds all done"
    assert tree(copied) == tree(undisturbed)


def test_parts_of_separate_places_are_merged_into_a_third(tmp_path, undisturbed):
    for number in (1, 2):
        run(plan(), tmp_path / f"job{number}", workers=0, part=Part(number, 2))
    before = tree(tmp_path)
    with pytest.raises(InputError, match="say where to with --out"):
        merge([tmp_path / "job1", tmp_path / "job2"])
    with pytest.raises(InputError, match="one of those that are merged"):
        merge([tmp_path / "job1", tmp_path / "job2"], tmp_path / "job2")
    with pytest.raises(InputError, match="job 2/2: 2 of 2 shards are missing"):
        merge([tmp_path / "job1"], tmp_path / "whole")
    assert tree(tmp_path) == before
    merge([tmp_path / "job2", tmp_path / "job1"], tmp_path / "whole")
    assert tree(tmp_path / "whole") == tree(undisturbed)
    assert {name: digest for name, digest in tree(tmp_path).items() if not name.startswith("whole")} == before


def test_a_shard_that_is_damaged_on_the_way_is_refused(copied, tmp_path):
    path = copied / "data/drop/train-00002-of-00004.parquet"
    data = bytearray(path.read_bytes())
    data[50] ^= 255
    path.write_bytes(data)
    with pytest.raises(CheckError, match="not what its manifest says"):
        merge([copied], tmp_path / "whole")
    assert not (tmp_path / "whole/data/drop/train-00002-of-00004.parquet").exists()


def test_a_shard_whose_name_leads_out_of_the_target_is_refused(undisturbed, tmp_path):
    copied = Path(shutil.copytree(undisturbed, tmp_path / "copied"))
    part = copied / "manifest.jsonl"
    lines = [json.loads(line) for line in part.read_text().splitlines()]
    shard = next(line for line in lines if line["kind"] == "shard")
    shutil.copy(copied / shard["file"], tmp_path / "outside.parquet")
    shard["file"] = "../outside.parquet"
    part.write_text("".join(json.dumps({k: v for k, v in line.items() if k != "check"}) + "\n" for line in lines))
    whole, target = tree(tmp_path), tmp_path / "deeper" / "target"
    with pytest.raises(InputError, match=r"calls a shard of scene 'drop' '\.\./outside\.parquet', which is no name"):
        merge([copied], target)
    assert tree(tmp_path) == whole


def test_what_is_missing_is_told_by_job_and_merged_on_request(copied, undisturbed):
    (copied / "manifest-00003-of-00003.jsonl").unlink()
    (copied / "data/drop/train-00001-of-00004.parquet").unlink()
    before = tree(copied)
    with pytest.raises(InputError) as caught:
        merge([copied])
    assert "job 2/3: 1 of 1 shards are missing" in str(caught.value)
    assert "job 3/3: 1 of 1 shards are missing (it has not begun)" in str(caught.value)
    assert "job 1/3" not in str(caught.value)
    assert tree(copied) == before
    assert merge([copied], partial=True)[0].finished == 6
    with pytest.raises(InputError, match="without --shard"):
        run(plan(), copied, workers=0, part=Part(3, 3))
    assert run(plan(), copied, workers=0).made == 8
    assert tree(copied) == tree(undisturbed)


def test_a_partial_merge_keeps_the_clips_that_wait(tmp_path, monkeypatch, undisturbed):
    out = tmp_path / "out"
    run(plan(), out, workers=0, part=Part(1, 2))

    def stop(done, total, failed):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan(), out, workers=0, part=Part(2, 2), progress=stop)
    assert status(out).scenes[1].waiting == 3
    merge([out], partial=True)
    assert run(plan(), out, workers=0).made == 6 - 3
    assert tree(out) == tree(undisturbed)


def test_unmerged_parts_are_no_data_set_yet(copied):
    for read in (lambda: read_manifest(copied), lambda: list(records(copied))):
        with pytest.raises(InputError, match=r"holds 3 of the 3 parts .* `physreel merge"):
            read()
    with pytest.raises(InputError, match="go on with --shard k/3"):
        run(plan(), copied, workers=0)
    with pytest.raises(InputError, match="use k/3"):
        run(plan(), copied, workers=0, part=Part(1, 2))
    with pytest.raises(InputError, match="seed: was 0, now 5"):
        run(plan(seed=5), copied, workers=0, part=Part(1, 3))


def test_parts_of_different_requests_are_not_merged(tmp_path):
    run(plan(), tmp_path / "one", workers=0, part=Part(1, 2))
    run(plan(seed=5), tmp_path / "two", workers=0, part=Part(2, 2))
    with pytest.raises(InputError, match=r"of another request or other versions: seed: was 0, now 5"):
        merge([tmp_path / "one", tmp_path / "two"], tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_another_scene_is_added_by_an_array(tmp_path, copied):
    class Other(Drop):
        """The same under another name."""

        name = "other"

    merge([copied])
    run(plan(scene="other"), copied, workers=0, scene=Other)
    out = tmp_path / "array"
    run(plan(), out, workers=0)
    for number in (2, 1):
        run(plan(scene="other"), out, workers=0, scene=Other, part=Part(number, 2))
    assert [summary.scene for summary in merge([out])] == ["drop", "other"]
    assert tree(out) == tree(copied)


def test_a_merge_that_was_killed_before_it_removed_the_parts_is_finished_by_the_next(copied, undisturbed, tmp_path):
    saved = {path: path.read_bytes() for path in copied.glob("manifest-*.jsonl")}
    merge([copied])
    for path in list(saved)[1:]:
        path.write_bytes(saved[path])
    with pytest.raises(InputError, match="not merged yet"):
        run(plan(), copied, workers=0)
    merge([copied])
    assert tree(copied) == tree(undisturbed)


def test_jobs_run_at_once_and_are_killed_and_end_as_one_run_would(tmp_path, monkeypatch, undisturbed):
    faults, out = tmp_path / "faults", tmp_path / "out"
    faults.mkdir()
    (faults / "all").write_text("slow 0.2")
    environment = os.environ | {"PHYSREEL_TEST_FAULTS": str(faults)}
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, str(out), f"{k}/2"], cwd=TESTS, env=environment, stdout=subprocess.PIPE
        )
        for k in (1, 2)
    ]
    until = time.monotonic() + 60
    while len(list(out.glob(".physreel/part-*/drop/*.row"))) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert status(out).writing
    with pytest.raises(InputError, match="another run is writing"):
        run(plan(), out, workers=0, part=Part(1, 2))
    with pytest.raises(InputError, match="another run is writing"):
        merge([out], partial=True)
    jobs[0].send_signal(signal.SIGKILL)
    assert jobs[1].communicate(timeout=90)[0].split() == [b"6", b"6"]
    jobs[0].communicate()
    with pytest.raises(InputError, match="job 1/2"):
        merge([out])
    assert run(plan(), out, workers=0, part=Part(1, 2)).finished == 8
    merge([out])
    assert tree(out) == tree(undisturbed)


def test_a_file_system_without_locks_is_served_by_leases(tmp_path, monkeypatch, undisturbed):
    def no_locks(*_):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(lock.fcntl, "flock", no_locks)
    out = tmp_path / "out"
    out.mkdir()

    class HeldError(Exception):
        pass

    def second(done, total, failed):
        with pytest.raises(InputError, match="another run is writing"):
            run(plan(), out, workers=0, part=Part(1, 2))
        with pytest.raises(InputError, match="another run is writing"):
            merge([out], partial=True)
        raise HeldError

    with pytest.raises(HeldError):
        run(plan(), out, workers=0, part=Part(1, 2), progress=second)
    for number in (1, 2):
        run(plan(), out, workers=0, part=Part(number, 2))
    merge([out])
    assert tree(out) == tree(undisturbed)
    assert run(plan(), out, workers=0).made == 0
    assert tree(out) == tree(undisturbed)


def test_the_command_line_runs_jobs_and_merges_them(tmp_path, capsys):
    from physreel.cli import main

    def physreel(*arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return ended.value.code

    out = str(tmp_path / "out")
    common = ["generate", "fakes:Drop", "-n", "4", "--shard-size", "2", "--workers", "0", "--out", out,
              "--video-renderer", "fakes:FlatRenderer", "--audio-renderer", "fakes:TickRenderer"]  # fmt: skip
    assert physreel(*common, "--shard", "0/2") == 2
    assert "jobs that are numbered from 0 add 1" in capsys.readouterr().err
    assert not Path(out).exists()
    assert physreel(*common, "--shard", "3/3") == 0
    assert "job 3/3 has no shard of 'drop' to make" in capsys.readouterr().out
    shutil.rmtree(out)
    assert physreel(*common, "--shard", "2/2") == 0
    assert "2 of 2 clips of 'drop', job 2/2," in capsys.readouterr().out
    assert physreel("merge", out) == 2
    assert "job 1/2" in capsys.readouterr().err
    assert physreel("info", out) == 2
    assert "physreel merge" in capsys.readouterr().err
    assert physreel(*common, "--shard", "1/2") == 0
    assert physreel("status", out, "--json") == 0
    found = json.loads(capsys.readouterr().out.partition("{")[2].join(["{", ""]))
    assert [scene["part"] for scene in found["scenes"]] == ["1/2", "2/2"]
    assert physreel("merge", out) == 0
    assert physreel("status", out, "--checksums") == 0
    assert "complete, every file as written" in capsys.readouterr().out
