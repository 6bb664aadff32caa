"""Converting: the same bytes as generating that way, from any format, through kills; bad input writes nothing."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes import plan_values
from quick_runs import tree

from physreel.errors import InputError
from physreel.loaders.records import records
from physreel.manifest import FORMAT, manifest_line
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.runners.convert import convert
from physreel.runners.local import run
from physreel.storage import FolderStore

TESTS = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("beside_fakes")
SPLITS = {"train": 0.6, "test": 0.4}
CONVERT = """
import os, signal, sys
from test_convert import ticking
from physreel.runners.convert import convert
def die():
    os.kill(os.getpid(), signal.SIGKILL)
with ticking(int(sys.argv[4]), die) as tick:
    convert(sys.argv[1], sys.argv[2], sys.argv[3], progress=tick)
"""


def generated(out: Path, **changes) -> Path:
    run(Plan(**plan_values(splits=SPLITS, **changes)), out, workers=0)
    return out


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Ten clips in two splits, as Parquet."""
    os.chdir(TESTS)
    return generated(tmp_path_factory.mktemp("original") / "a")


def values(dataset: Path) -> list[dict]:
    return [dict(record) for record in records(dataset)]


def test_parquet_to_webdataset_is_what_generating_webdataset_writes(tmp_path, original):
    done = convert(original, tmp_path / "b", "webdataset")
    assert (done.clips, done.made, done.scenes) == (10, 10, ("drop",))
    assert tree(tmp_path / "b") == tree(generated(tmp_path / "direct", exporter="webdataset"))


def test_there_and_back_gives_the_same_bytes(tmp_path, original):
    convert(original, tmp_path / "b", "webdataset")
    convert(tmp_path / "b", tmp_path / "c", "parquet")
    assert tree(tmp_path / "c") == tree(original)


def test_every_format_gives_the_same_records(tmp_path, original):
    convert(original, tmp_path / "tars", "webdataset")
    convert(original, tmp_path / "lerobot", "lerobot")
    wanted = values(original)
    assert values(tmp_path / "tars") == wanted
    for number, (found, row) in enumerate(zip(records(tmp_path / "lerobot"), wanted, strict=True)):
        assert found["episode_index"] == number
        rest = {name: value for name, value in found.items() if name not in ("episode_index", "video_first_frame")}
        assert {**rest, "video": None} == {**row, "video": None}


@pytest.mark.parametrize("to", ["webdataset", "parquet"])
def test_other_shards_are_those_of_a_run_with_that_size(tmp_path, original, to):
    convert(original, tmp_path / "b", to, shard_size=3)
    assert tree(tmp_path / "b") == tree(generated(tmp_path / "direct", exporter=to, shard_size=3))


def test_missing_clips_stay_missing_and_told_of(tmp_path, monkeypatch):
    faults = tmp_path / "faults"
    faults.mkdir()
    pipeline = Pipeline(Plan(**plan_values()))
    for index in (1, 5):
        (faults / f"{pipeline.spec(index).bodies[1].position_m[2] * 1000:.0f}").write_text("raise")
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(faults))
    generated(tmp_path / "a")
    generated(tmp_path / "direct", exporter="webdataset", shard_size=3)
    lines = [json.loads(line) for line in (tmp_path / "a" / "manifest.jsonl").read_text().splitlines()]
    assert sorted(line["index"] for line in lines if line["kind"] == "failure") == [1, 5]
    convert(tmp_path / "a", tmp_path / "b", "webdataset", shard_size=3)
    assert [record["index"] for record in records(tmp_path / "b")] == [
        record["index"] for record in records(tmp_path / "direct")
    ]
    for name in ("b", "direct"):
        for path in (tmp_path / name).rglob("manifest.jsonl"):
            path.write_text("")  # tracebacks of the two runs differ in nothing that is stored elsewhere
    assert tree(tmp_path / "b") == tree(tmp_path / "direct")
    done = convert(tmp_path / "a", tmp_path / "c", "lerobot")
    assert (done.clips, done.made) == (8, 8)
    assert [record["episode_index"] for record in records(tmp_path / "c")] == list(range(8))


@pytest.mark.parametrize("to", ["webdataset", "lerobot"])
def test_a_finished_conversion_is_left_alone(tmp_path, original, to):
    convert(original, tmp_path / "b", to)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "b").rglob("*") if path.suffix in (".tar", ".mp4")}
    assert before
    assert convert(original, tmp_path / "b", to).made == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("to", ["webdataset", "lerobot"])
def test_what_is_lost_afterwards_is_written_again(tmp_path, original, to):
    convert(original, tmp_path / "b", to)
    whole = tree(tmp_path / "b")
    victim = next(path for path in sorted((tmp_path / "b").rglob("*")) if path.suffix in (".tar", ".mp4"))
    victim.write_bytes(victim.read_bytes()[:100])
    assert convert(original, tmp_path / "b", to).made > 0
    assert tree(tmp_path / "b") == whole


@contextmanager
def ticking(count: int, call=None) -> Iterator:
    """Calls something at the ``count``-th tick: a clip is told of, a file is about to be put, or was."""
    left, put = [count], FolderStore.put

    def tick(*_) -> int:
        left[0] -= 1
        if left[0] == 0:
            call()
        return left[0]

    def put_and_tick(*given) -> None:
        tick()
        put(*given)
        tick()

    FolderStore.put = put_and_tick
    try:
        yield tick
    finally:
        FolderStore.put = put


@pytest.mark.parametrize("to", ["webdataset", "lerobot"])
def test_kills_at_random_moments_change_no_byte_and_show_nothing_half_written(tmp_path, original, to):
    with ticking(0) as tick:
        convert(original, tmp_path / "undisturbed", to, progress=tick)
        total = -tick() - 1
    wanted, chance = tree(tmp_path / "undisturbed"), random.Random(total)
    for moment in (chance.randint(2, total // 2), chance.randint(total - 6, total)):
        out = tmp_path / f"killed-{moment}"
        command = [sys.executable, "-c", CONVERT, str(original), str(out), to, str(moment)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
        seen = {name: digest for name, digest in tree(out).items() if not name.startswith(".physreel")}
        for name, digest in seen.items():
            assert name == "manifest.jsonl" or digest == wanted[name]
        convert(original, out, to)
        assert tree(out) == wanted


def test_generating_lerobot_is_converting_to_it(tmp_path, original):
    generated(tmp_path / "direct", exporter="lerobot")
    convert(original, tmp_path / "b", "lerobot")
    assert tree(tmp_path / "direct") == tree(tmp_path / "b")
    assert run(Plan(**plan_values(splits=SPLITS, exporter="lerobot")), tmp_path / "direct", workers=0).made == 0


BAD = {
    "an unknown format": ({"to": "webdatasets"}, r"did you mean 'webdataset'|Did you mean 'webdataset'"),
    "no clips a shard": ({"shard_size": 0}, "--shard-size"),
    "no data set": ({"source": "nowhere"}, "nowhere is no physreel data set"),
    "nothing begun": ({"source": "begun"}, "begun holds no scene yet"),
    "itself by another name": ({"out": "./full/../a/"}, "is the data set itself"),
    "itself": ({"out": "a"}, "is the data set itself"),
    "inside it": ({"out": "a/b"}, "inside the other"),
    "something else there": ({"out": "full"}, "not empty"),
    "a file": ({"out": "file"}, "is a file"),
    "another data set there": ({"out": "other"}, "another data set"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_message_and_writes_nothing(tmp_path, original, case, monkeypatch):
    shutil.copytree(original, tmp_path / "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "manifest.jsonl").write_text(manifest_line(FORMAT))
    if case == "another data set there":
        generated(tmp_path / "other", seed=5)
    changes, message = BAD[case]
    given = {"source": "a", "out": "b", "to": "webdataset"} | changes
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(InputError, match=message):
        convert(given["source"], given["out"], given["to"], shard_size=given.get("shard_size"))
    assert tree(tmp_path) == before


def test_all_problems_are_told_at_once(tmp_path, original):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError) as caught:
        convert(tmp_path / "nowhere", tmp_path / "file", "tarball", shard_size=-1)
    for part in ("tarball", "--shard-size", "nowhere", "is a file"):
        assert part in str(caught.value)


def test_an_unfinished_or_damaged_source_is_refused(tmp_path, original):
    shutil.copytree(original, tmp_path / "a")
    shard = sorted((tmp_path / "a").rglob("*.parquet"))[0]
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(InputError, match="missing or not as it was written"):
        convert(tmp_path / "a", tmp_path / "b", "webdataset")
    manifest = tmp_path / "a" / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match="is not complete"):
        convert(tmp_path / "a", tmp_path / "b", "webdataset")
    assert not (tmp_path / "b").exists()


def test_what_the_format_cannot_hold_is_told_before_anything_is_written(tmp_path, original):
    from fakes import Drop

    class Uneven(Drop):
        """Each clip has a camera of another name."""

        name = "uneven"

        def sample(self, rng):
            spec = super().sample(rng)
            camera = spec.cameras[0].model_copy(update={"name": f"view_{int(rng.integers(1000))}"})
            return spec.model_copy(update={"cameras": (camera,)})

    shutil.copytree(original, tmp_path / "a")
    plan = Plan(**plan_values(count=3))
    run(plan, tmp_path / "a", workers=0, scene=Uneven)
    with pytest.raises(InputError, match="scene 'uneven' cannot be stored as lerobot: its clips differ in cameras"):
        convert(tmp_path / "a", tmp_path / "b", "lerobot")
    assert not (tmp_path / "b").exists(), "nor the scene before it"
    with pytest.raises(InputError, match=r"its clips are finished, as parquet: .*/uneven is a data set") as caught:
        run(plan.model_copy(update={"exporter": "lerobot"}), tmp_path / "out", workers=0, scene=Uneven)
    staged = re.search(r"parquet: (.*) is a data set", str(caught.value))[1]
    assert [record["index"] for record in records(staged)] == [0, 1, 2]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".physreel", "manifest.jsonl"}


def test_two_conversions_into_one_folder_at_once_are_refused(tmp_path, original):
    import fcntl

    (tmp_path / "b").mkdir()
    lock = os.open(tmp_path / "b", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with pytest.raises(InputError, match="another run is writing"):
            convert(original, tmp_path / "b", "webdataset")
    finally:
        os.close(lock)
    assert not list((tmp_path / "b").iterdir())


def test_any_address_can_be_read_and_written(tmp_path, original):
    convert(original, "memory://converted/b", "webdataset")
    convert("memory://converted/b", tmp_path / "c", "parquet")
    assert tree(tmp_path / "c") == tree(original)
    convert(original, "memory://converted/l", "lerobot")
    assert [r["index"] for r in records("memory://converted/l")] == [r["index"] for r in records(original)]
    assert [r.video.shape for r in records("memory://converted/l")] == [r.video.shape for r in records(original)]


def test_progress_counts_every_clip_once(original, tmp_path):
    for to in ("webdataset", "lerobot"):
        told = []
        convert(original, tmp_path / to, to, progress=lambda done, total, failed, told=told: told.append((done, total)))
        assert told[0] == (0, 10)
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        assert told[-1] == (10, 10)


def test_the_command_converts_and_info_and_unpack_read_what_it_wrote(tmp_path, original, capsys):
    from physreel.cli import main

    def command(*words) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    code, out, err = command("convert", original, tmp_path / "b", "--to", "lerobot", "--progress")
    assert code == 0, err
    assert "10 clips of drop in" in out
    assert "10/10" in err
    code, out, err = command("info", tmp_path / "b")
    assert code == 0, err
    assert "complete" in out
    assert "height_m: " in out
    code, out, err = command("unpack", tmp_path / "b", "--out", tmp_path / "files", "--limit", 3)
    assert code == 0, err
    assert len(list((tmp_path / "files").glob("*.mp4"))) == 3
    code, out, err = command("convert", tmp_path / "b", tmp_path / "c", "--to", "tar", "--shard-size", 0)
    assert code == 2
    assert err.count("\n  - ") >= 3
    assert "Traceback" not in err
    assert not (tmp_path / "c").exists()


def test_clips_without_picture_or_sound_are_converted_too(tmp_path):
    generated(tmp_path / "a", passes=("depth",), audio=False)
    for to in ("webdataset", "lerobot"):
        convert(tmp_path / "a", tmp_path / to, to)
        for found, wanted in zip(records(tmp_path / to), records(tmp_path / "a"), strict=True):
            assert found["depth"] == wanted["depth"]
            assert "video" not in found
            assert "audio" not in found
    info = json.loads((tmp_path / "lerobot" / "drop" / "meta" / "info.json").read_text())
    assert info["video_path"] is None
    assert set(info["features"]) >= {"observation.state", "action"}
