"""``physreel new-scene``: what it writes works at once, and it writes nothing where it should not."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

import physreel
from physreel.cli import main
from physreel.errors import InputError
from physreel.starting.new_scene import class_name_of, write_new_scene


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def test_what_is_written_passes_the_checks_and_its_own_test(tmp_path):
    made = write_new_scene("tipping_block", tmp_path / "scenes" / "mine.py", test=True)
    assert [path.name for path in made.files] == ["mine.py", "test_mine.py"]
    # The test that is written puts the scene through every check of `physreel check`.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=tmp_path / "scenes", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    for rules in (["check", "--select", "E,F,W,I,B,D1", "--ignore", "D103"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *rules, "--isolated", "--no-cache", "--line-length", "120", "."]
        linted = subprocess.run(ruff, cwd=tmp_path / "scenes", capture_output=True, text=True)
        assert linted.returncode == 0, linted.stdout + linted.stderr


def test_it_makes_a_data_set_at_once(tmp_path):
    made = write_new_scene("tipping_block", tmp_path / "mine.py")
    reference = f"{made.files[0]}:TippingBlock"
    assert made.reference == reference
    summary = physreel.generate(
        reference, count=2, out=tmp_path / "data", workers=0, width=32, height=32, fps=8, duration_s=0.5, audio=False
    )
    assert summary.finished == 2
    assert summary.scene == "tipping_block"


def test_the_next_commands_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main_ended = _no_exit("new-scene", "tipping_block", "--test")
    told = capsys.readouterr().out
    assert main_ended == 0
    assert Path("tipping_block.py").exists()
    assert Path("test_tipping_block.py").exists()
    assert "physreel check tipping_block.py:TippingBlock" in told
    assert "physreel generate tipping_block.py:TippingBlock -n 2 --out data/tipping_block" in told


def _no_exit(*words: str) -> int:
    try:
        main(list(words))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TippingBlock", "such as 'tipping_block'"),
        ("tipping-block", "such as 'tipping_block'"),
        ("", "small letters"),
        ("2fast", "such as 'fast'"),
        ("a__b", "such as 'a_b'"),
        ("../evil", "such as 'evil'"),
        ("a\nb", "such as 'a_b'"),
        ("naïve", "small letters"),
        ("falling", "one of physreel's own scenes"),
        ("class", "a word of Python"),
        ("match", "a word of Python"),
        ("random", "would hide the module 'random'"),
        ("numpy", "would hide the module 'numpy'"),
        ("x" * 41, "40 at most"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(tmp_path, monkeypatch, capsys, name, words):
    monkeypatch.chdir(tmp_path)
    assert run("new-scene", "--", name) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over_and_all_that_is_wrong_is_told_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mine, tested = Path("mine.py"), Path("test_mine.py")
    mine.write_text("mine")
    tested.write_text("mine too")
    assert run("new-scene", "falling", "--out", "mine.py", "--test") == 2
    told = capsys.readouterr().err
    assert "3 problems" in told
    assert "not written over" in told
    tested.unlink()
    mine.unlink()
    mine.symlink_to("nowhere.py")  # a link that leads nowhere is there too
    assert run("new-scene", "tipping_block", "--out", "mine.py") == 2
    assert not Path("nowhere.py").exists()


def test_a_test_that_is_there_keeps_the_scene_from_being_written(tmp_path):
    (tmp_path / "test_mine.py").write_text("mine")
    with pytest.raises(InputError, match="leave out --test"):
        write_new_scene("tipping_block", tmp_path / "mine.py", test=True)
    assert [path.name for path in tmp_path.iterdir()] == ["test_mine.py"]


@pytest.mark.parametrize("out", ["", "mine.txt", "my-scene.py", "file/mine.py", "class.py", "json.py"])
def test_a_file_that_cannot_be_imported_or_made_is_refused(tmp_path, monkeypatch, capsys, out):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    assert run("new-scene", "tipping_block", "--out", out) == 2
    assert "--out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_appears_meanwhile_is_not_written_over(tmp_path, monkeypatch):
    from physreel.starting import new_scene

    def slow(file: str) -> str:
        (tmp_path / "mine.py").write_text("somebody was faster")
        return "$name"

    monkeypatch.setattr(new_scene, "_template", slow)
    with pytest.raises(InputError, match="cannot write"):
        write_new_scene("tipping_block", tmp_path / "mine.py")
    assert (tmp_path / "mine.py").read_text() == "somebody was faster"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_without_links_takes_a_scene_and_keeps_what_is_there(tmp_path, monkeypatch, there):
    def link(source, target):
        if there:
            Path(target).write_text("somebody was faster")
        raise PermissionError(errno.EPERM, "Operation not permitted", str(source), None, str(target))

    monkeypatch.setattr("os.link", link)
    if there:
        with pytest.raises(InputError, match="cannot write"):
            write_new_scene("tipping_block", tmp_path / "mine.py")
        assert (tmp_path / "mine.py").read_text() == "somebody was faster"
    else:
        write_new_scene("tipping_block", tmp_path / "mine.py")
        assert "class TippingBlock" in (tmp_path / "mine.py").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_classes_are_named_after_scenes():
    assert class_name_of("rolling_ball_2") == "RollingBall2"
