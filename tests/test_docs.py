"""The documents are true: every command and program in them runs, every link leads somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_SMALL = (("-n", "2"), ("--size", "64x48"), ("--fps", "12"), ("--duration", "0.75"), ("--workers", "2"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.S | re.M)


def shell_lines() -> list[str]:
    lines = []
    for block in blocks(ROOT / "README.md", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            command = line.split("  #")[0].strip()
            if command and not command.startswith("#"):
                lines.append(command)
    return lines


def make_demo_lines() -> list[str]:
    recipe = (ROOT / "Makefile").read_text().split("\ndemo:")[1].split("\n\n")[0].splitlines()[1:]
    return [line.strip().replace("$(BIN)/", "") for line in recipe]


def shrink(command: str) -> list[str]:
    """The command as written, with fewer and smaller clips."""
    words = shlex.split(command)
    if words[:2] == ["physreel", "generate"] and "--help" not in words:
        for option, small in _SMALL:
            if option in words:
                words[words.index(option) + 1] = small
            else:
                words += [option, small]
    if words[:2] == ["physreel", "preview"]:
        words += ["--size", "64x48", "--fps", "12", "--duration", "0.75"]
    return words


def test_every_command_of_the_readme_runs(tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "my_scenes.py").symlink_to(ROOT / "examples" / "my_scenes.py")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    ran = 0
    for command in [*make_demo_lines(), *shell_lines()]:
        words = shrink(command)
        if words[0] == "make":
            assert set(words[1:]) <= targets, f"make has no {words[1:]}"
            continue
        if words[0] in ("git", "cd", "pip"):
            continue
        assert words[0] == "physreel", f"a command that no test runs: {command}"
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        ran += 1
    assert ran >= 6


def test_every_program_of_the_readme_runs(tmp_path):
    programs = blocks(ROOT / "README.md", "python")
    assert programs
    for program in programs:
        path = tmp_path / "program.py"
        path.write_text(program)
        done = subprocess.run([sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{program}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_every_page_is_reached_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[^)#\s]+\.md)", (ROOT / "README.md").read_text()))
    assert {f"docs/{page.name}" for page in PAGES if page.parent.name == "docs"} <= linked
