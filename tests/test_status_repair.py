"""Whatever happens to one file of a data set, status finds it and repair restores the very bytes, touching no other."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import sys
from pathlib import Path

import pytest
from fakes import Drop
from quick_runs import plan, tree

from physreel.errors import InputError
from physreel.manifest import MANIFEST, healed, manifest_line, read_manifest, scan
from physreel.pipeline import Pipeline
from physreel.runners import repair as repair_module
from physreel.runners.base import shards_of
from physreel.runners.local import run
from physreel.runners.repair import repair
from physreel.runners.status import status
from physreel.storage import FolderStore

TESTS = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("beside_fakes")
LONG = bool(os.environ.get("PHYSREEL_LONG"))
SHARD = "data/drop/train-00001-of-00003.parquet"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    os.chdir(TESTS)
    out = tmp_path_factory.mktemp("repair") / "undisturbed"
    run(plan(), out, workers=0)
    return out


@pytest.fixture
def out(undisturbed, tmp_path):
    return Path(shutil.copytree(undisturbed, tmp_path / "out"))


def whats(out: Path, **options) -> set[str]:
    return {problem.what for problem in status(out, **options).problems}


def flip(path: Path, place: int, bits: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= bits
    path.write_bytes(data)


def harm(out: Path, chance: random.Random) -> Path:
    """Do something to one file; returns the file that is not as it was."""
    path = out / chance.choice(sorted(tree(out)))
    what = chance.choice(["flip", "flip", "cut", "delete", "copy", "leftover"])
    if what == "flip":
        flip(path, chance.randrange(path.stat().st_size), chance.randrange(1, 256))
    elif what == "cut":
        # A manifest of which not even the plan is left is lost: another test.
        least = path.read_bytes().index(b'{"kind":"shard"') if path.name == MANIFEST else 0
        path.write_bytes(path.read_bytes()[: chance.randrange(least, path.stat().st_size)])
    elif what == "delete" and path.name != MANIFEST:
        path.unlink()
    elif what == "copy":
        shutil.copy(path, path.with_name(f"copy-of-{path.name}"))
    else:
        path.with_name(f".{path.name}.123.tmp").write_bytes(b"half")
    return path


@pytest.mark.parametrize("seed", range(64) if LONG else (0, 1, 2, 4, 5, 6, 7, 10))
def test_any_harm_to_any_one_file_is_found_and_undone(out, undisturbed, seed):
    harmed = harm(out, random.Random(seed))
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path != harmed}
    assert whats(out, checksums=True)
    done = repair(out, workers=0, remove_strays=True)
    assert tree(out) == tree(undisturbed)
    assert done.after.problems == []
    # A manifest that lost shards makes README be written anew by whoever goes on; repair does not go on by halves.
    for path, time in times.items():
        if path.exists():
            assert path.stat().st_mtime_ns == time, f"{path} was touched"


def test_every_single_changed_byte_of_a_manifest_is_found_and_set_right(undisturbed):
    text = (undisturbed / MANIFEST).read_bytes()
    chance = random.Random(3)
    for place in [*range(0, len(text), 1 if LONG else 397), len(text) - 1, text.index(b"\n"), text.index(b"\n") + 1]:
        damaged = bytearray(text)
        damaged[place] ^= chance.randrange(1, 256)
        assert scan(bytes(damaged)).damage, place
        assert healed(bytes(damaged)) == text, place
    assert scan(text).damage == []
    assert healed(text) == text


def test_a_manifest_with_damage_in_the_middle_costs_the_shards_that_cannot_be_relied_on_and_no_more(out, undisturbed):
    lines = (out / MANIFEST).read_bytes().splitlines(keepends=True)
    lines[3] = lines[3][:20] + b"?????" + lines[3][25:]
    (out / MANIFEST).write_bytes(b"".join(lines))
    assert [line["shard"] for line in read_manifest(out) if line["kind"] == "shard"] == [0, 2]
    assert run(plan(), out, workers=0).made == 4
    assert tree(out) == tree(undisturbed)


def test_a_damaged_failure_takes_its_shard_with_it(tmp_path, monkeypatch):
    failure = {"kind": "failure", "scene": "s", "split": "train", "shard": 0, "index": 1}
    failure |= {"error": "E", "message": "m"}
    rest = {"samples": 1, "rows": 1, "bytes": 1, "sha256": ""}
    shards = [{"kind": "shard", "scene": "s", "split": "train", "shard": k, "file": "f"} | rest for k in range(2)]
    first = [{"kind": "format", "physreel_dataset": 1}, {"kind": "plan", "scene": "s", "plan": {}}]
    text = "".join(map(manifest_line, [*first, failure, *shards]))
    assert len(scan(text.encode()).lines) == 5
    assert [line.get("shard") for line in scan(text.replace('"index":1', '"index":2').encode()).lines] == [
        None,
        None,
        1,
    ]


def test_data_sets_without_checksums_of_lines_are_read_as_before(out):
    lines = read_manifest(out)
    (out / MANIFEST).write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    assert read_manifest(out) == lines
    assert status(out, checksums=True).problems == []
    assert run(plan(), out, workers=0).made == 0


def test_the_plan_in_a_manifest_that_was_edited_is_not_believed(out):
    text = (out / MANIFEST).read_text()
    (out / MANIFEST).write_text(text.replace('"seed":0', '"seed":77'))
    with pytest.raises(InputError, match=r"what was asked for of scene 'drop' cannot be read; run `physreel repair"):
        read_manifest(out)
    assert "manifest" in whats(out)


def test_a_manifest_that_is_lost_is_told_honestly(out, undisturbed):
    (out / MANIFEST).unlink()
    before = tree(out)
    for look in (lambda: status(out), lambda: repair(out)):
        with pytest.raises(InputError, match=r"it is lost, and with it what was asked for.*new folder as --out"):
            look()
    text = (undisturbed / MANIFEST).read_bytes()
    (out / MANIFEST).write_bytes(text[: text.index(b'"plan":')])
    with pytest.raises(InputError, match="what was asked for of any scene is lost"):
        repair(out)
    (out / MANIFEST).unlink()
    assert tree(out) == before


def test_shards_that_the_manifest_lost_are_confirmed_and_not_written_again(out, undisturbed):
    lines = (out / MANIFEST).read_bytes().splitlines(keepends=True)
    (out / MANIFEST).write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    times = {path: path.stat().st_mtime_ns for path in out.glob("data/*/*")}
    assert whats(out) == {"manifest", "not entered"}
    done = repair(out, workers=0)
    assert done.confirmed == ["data/drop/train-00002-of-00003.parquet"]
    assert done.made == []
    assert {path: path.stat().st_mtime_ns for path in out.glob("data/*/*")} == times
    assert tree(out) == tree(undisturbed)


def test_a_file_that_the_disk_does_not_give_is_told_and_made_anew(out, undisturbed, monkeypatch):
    read, unreadable = FolderStore.open, bytes((out / SHARD).stat().st_size)

    def bad(self, name):
        if name == SHARD and (out / SHARD).read_bytes() == unreadable:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(self, name)

    (out / SHARD).write_bytes(unreadable)
    monkeypatch.setattr(FolderStore, "open", bad)
    (problem,) = status(out, checksums=True).problems
    assert (problem.file, problem.what, problem.detail) == (SHARD, "checksum", "it cannot be read: Input/output error")
    assert repair(out, workers=0).made == [SHARD]
    assert tree(out) == tree(undisturbed)


@pytest.mark.parametrize("name", ["split", "shard", "file", "samples", "rows", "bytes", "sha256"])
def test_a_line_of_nonsense_is_damage_and_no_shard(out, name):
    lines = read_manifest(out)
    shard = next(line for line in lines if line["kind"] == "shard")
    for value in (None, -1, True, [], {}, 3 if isinstance(shard[name], str) else "x"):
        shard[name] = value
        found = scan("".join(map(manifest_line, lines)).encode())
        assert found.damage
        assert found.lines == [line for line in lines if line is not shard]


def test_strays_are_told_and_kept_unless_their_removal_is_asked_for(out, undisturbed):
    (out / "data/drop/mine.parquet").write_bytes(b"my own")
    (out / ".physreel/drop").mkdir(parents=True)
    (out / ".physreel/drop/0000000001.row").write_bytes(b"left")
    assert whats(out) == {"stray", "leftover"}
    done = repair(out, workers=0)
    assert done.removed == [".physreel/drop/0000000001.row"]
    assert [problem.file for problem in done.after.problems] == ["data/drop/mine.parquet"]
    assert repair(out, workers=0, remove_strays=True).removed == ["data/drop/mine.parquet"]
    assert tree(out) == tree(undisturbed)
    assert not (out / ".physreel").exists()


def test_an_unfinished_data_set_is_no_damage_and_repair_does_not_go_on_with_it(tmp_path, undisturbed):
    out = tmp_path / "out"

    def stop(done, total, failed):
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan(), out, workers=0, progress=stop)
    (out / "README.md").unlink()  # as it is before the first shard
    found = status(out, checksums=True)
    assert found.problems == []
    assert (found.scenes[0].shards_finished, found.scenes[0].waiting, found.complete) == (1, 2, False)
    flip(out / "data/drop/train-00000-of-00003.parquet", 99, 1)
    assert len(repair(out, workers=0).made) == 1
    assert status(out, checksums=True).scenes[0].waiting == 2
    assert run(plan(), out, workers=0).made == 4
    assert tree(out) == tree(undisturbed)


def test_a_shard_with_failed_samples_is_made_anew_without_them(tmp_path, monkeypatch):
    faults, out = tmp_path / "faults", tmp_path / "out"
    faults.mkdir()
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(faults))
    (faults / f"{Pipeline(plan()).spec(5).bodies[1].position_m[2] * 1000:.0f}").write_text("raise")
    assert run(plan(), out, workers=0).failed == 1
    before = tree(out)
    monkeypatch.delenv("PHYSREEL_TEST_FAULTS")
    flip(out / SHARD, 99, 1)
    assert repair(out, workers=0).made == [SHARD]
    assert tree(out) == before
    assert status(out).scenes[0].failures == 1


def test_other_versions_are_refused_and_on_request_taken_if_the_bytes_are_the_same(out, undisturbed, monkeypatch):
    flip(out / SHARD, 99, 1)
    before = tree(out)
    monkeypatch.setattr(Drop, "version", 99)
    with pytest.raises(InputError, match=r"scene_version: was \d+, now 99.*--allow-versions"):
        repair(out, workers=0)
    assert tree(out) == before
    done = repair(out, workers=0, allow_versions=True)
    assert done.refused == [SHARD]
    assert {problem.what for problem in done.after.problems} == {"checksum"}
    assert tree(out) == before
    monkeypatch.undo()
    monkeypatch.chdir(TESTS)
    monkeypatch.setattr("physreel.runners.local.physreel_version", lambda: "99.0")
    with pytest.raises(InputError, match=r'now "99\.0"'):
        repair(out, workers=0)
    assert repair(out, workers=0, allow_versions=True).made == [SHARD]
    assert tree(out) == tree(undisturbed)


def test_a_scene_that_cannot_be_found_is_told_before_anything_is_changed(tmp_path, undisturbed):
    class Mine(Drop):
        """Made in a script."""

        name = "mine"

    out = tmp_path / "out"
    run(plan(scene="mine"), out, workers=0, scene=Mine)
    before = tree(out)
    path = out / "data/mine/train-00001-of-00003.parquet"
    flip(path, 99, 1)
    damaged = tree(out)
    with pytest.raises(InputError, match=r"scene 'mine', of which 1 file is to be made anew: there is no scene"):
        repair(out, workers=0)
    assert tree(out) == damaged
    assert repair(out, workers=0, scenes=[Mine]).after.problems == []
    assert tree(out) == before


def test_a_scene_from_a_file_is_found_and_mended(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("from fakes import Drop\nclass Mine(Drop):\n    'Mine.'\n    name = 'mine'\n")
    reference, out = f"{tmp_path}/mine.py:Mine", tmp_path / "out"
    monkeypatch.setattr(sys, "path", [str(TESTS), *sys.path])
    run(plan(scene=reference), out, workers=0)
    before = tree(out)
    (out / "data/mine/train-00001-of-00003.parquet").unlink()
    assert repair(out, workers=0).made == ["data/mine/train-00001-of-00003.parquet"]
    assert tree(out) == before


def test_a_data_set_that_is_being_written_is_not_repaired(tmp_path):
    out = tmp_path / "out"

    def meanwhile(done, total, failed):
        assert status(out).writing
        assert status(out).problems == []
        with pytest.raises(InputError, match="another run is writing"):
            repair(out, workers=0)

    run(plan(count=5), out, workers=0, progress=meanwhile)
    assert not status(out).writing


def test_what_another_run_did_before_the_lock_was_had_is_seen(tmp_path, undisturbed, monkeypatch):
    out = tmp_path / "out"

    def stop(done, total, failed):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan(), out, workers=0, progress=stop)
    look, looks = repair_module._readable, []

    def look_while_another_goes_on(store):
        lines = look(store)
        if not looks:
            looks.append(run(plan(), out, workers=0))
        return lines

    monkeypatch.setattr(repair_module, "_readable", look_while_another_goes_on)
    assert repair(out, workers=0).after.problems == []
    assert tree(out) == tree(undisturbed)

    new, others = tmp_path / "new", []

    def shards_while_another_begins(*arguments):
        if not others:
            others.append(None)
            run(plan(seed=5), new, workers=0)
        return shards_of(*arguments)

    monkeypatch.setattr("physreel.runners.local.shards_of", shards_while_another_begins)
    with pytest.raises(InputError, match="seed: was 5, now 0"):
        run(plan(), new, workers=0)
    assert status(new, checksums=True).problems == []


def test_clips_of_a_removed_data_set_are_not_taken_for_another_request(tmp_path):
    out = tmp_path / "out"

    def stop(done, total, failed):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan(), out, workers=0, progress=stop)
    for path in out.iterdir():  # as `rm -r out/*` does, which leaves what is hidden
        if not path.name.startswith("."):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    run(plan(seed=4), out, workers=0)
    run(plan(seed=4), tmp_path / "fresh", workers=0)
    assert tree(out) == tree(tmp_path / "fresh")


def physreel(*arguments: str) -> int:
    from physreel.cli import main

    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


def test_the_commands_tell_and_end_with_their_codes(out, undisturbed, capsys):
    assert physreel("status", str(out)) == 0
    assert "complete, no damage seen" in capsys.readouterr().out
    assert physreel("repair", str(out)) == 0
    assert "nothing was damaged" in capsys.readouterr().out
    flip(out / SHARD, 99, 1)
    assert physreel("status", str(out)) == 0
    capsys.readouterr()
    assert physreel("status", str(out), "--checksums", "--json") == 4
    found = json.loads(capsys.readouterr().out)
    assert (found["complete"], found["damaged"], found["problems"][0]["file"]) == (True, True, SHARD)
    assert physreel("repair", str(out), "--workers", "0") == 0
    assert f"made anew: {SHARD}" in capsys.readouterr().out
    assert tree(out) == tree(undisturbed)
    (out / "stray.txt").write_text("x")
    assert physreel("repair", str(out)) == 4
    assert "--remove-strays" in capsys.readouterr().out
    for arguments in (
        ["status", str(out.parent)],
        ["repair", str(out.parent)],
        ["repair", str(out), "--workers", "-1"],
    ):
        assert physreel(*arguments) == 2
        assert capsys.readouterr().err.startswith("physreel: error: ")
