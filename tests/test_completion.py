"""What a shell gets when Tab is pressed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from physreel.cli import main

PROGRAM = [sys.executable, "-c", "from physreel.cli import main; main()"]


def asked(shell: str, line: str, folder: Path) -> list[str]:
    """What is offered for the last word of a line, by the protocol of typer's scripts."""
    words = line.split(" ")
    if shell == "bash":
        question = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    else:
        question = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    environment = os.environ | question | {"_PHYSREEL_COMPLETE": f"complete_{shell}"}
    done = subprocess.run(PROGRAM, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "data" / "falls").mkdir(parents=True)
    (tmp_path / "data" / "more").mkdir()
    (tmp_path / "data" / "falls" / "manifest.jsonl").write_text("")
    (tmp_path / "data" / "notes.txt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("physreel new", {"new-scene"}),
        ("physreel generate falling --qua", {"--quality"}),
        ("physreel generate fa", {"falling"}),
        ("physreel preview falling --quality ", {"draft", "standard", "fine"}),
        ("physreel generate falling --passes rgb,d", {"rgb,depth"}),
        ("physreel smoke --scenes gears,be", {"gears,bearing"}),
        ("physreel describe bul", {"bullet"}),
        ("physreel list vid", {"video-renderers"}),
        ("physreel completion ", {"bash", "zsh", "fish"}),
        ("physreel info data/", {"data/falls", "data/more/"}),
        ("physreel info da", set()),  # bash completes folders itself, without a space after them
    ],
)
def test_bash_is_offered_what_can_come_next(folder, line, offered):
    assert set(asked("bash", line, folder)) == offered


def test_zsh_and_fish_are_offered_the_same(folder):
    assert asked("zsh", "physreel generate fa", folder) == ["_arguments", "'*:", ':(("falling"))\'']
    assert asked("fish", "physreel generate fa", folder) == ["falling"]
    assert set(asked("fish", "physreel unpack da", folder)) == {"data/"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_itself_completes(tmp_path, capsys):
    main_ended = None
    try:
        main(["completion", "bash"])
    except SystemExit as ended:
        main_ended = ended.code
    assert main_ended in (0, None)
    script = capsys.readouterr().out
    (tmp_path / "physreel").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m physreel "$@"\n')
    (tmp_path / "physreel").chmod(0o755)
    tried = "COMP_WORDS=(physreel smo); COMP_CWORD=1; _physreel_completion physreel; echo ${COMPREPLY[@]}"
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{tried}"], env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["smoke"], done.stderr


def test_another_shell_is_refused_with_those_that_are_known(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])
    assert ended.value.code == 2
    assert "bash, zsh, fish" in capsys.readouterr().err
