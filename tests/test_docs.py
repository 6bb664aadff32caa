"""The documents are true: every command and program in them runs, every link leads somewhere."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from physreel.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_SMALL = (("-n", "2"), ("--size", "64x48"), ("--fps", "12"), ("--duration", "0.75"), ("--workers", "0"))
_SMALL_RECIPE = (("--workers", "0"),)
# Of two clips any label can be told by anything: an audit may say so (4).
_MAY_END_WITH = {"audit": (0, 4)}


# Run as a reader does, in a process of their own; of the others most of the time would be starting.
_START_QUICKLY = {"list", "describe", "unpack", "convert", "info", "status", "new-scene"}


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


def shrink(command: str, clips: str = "2") -> list[str]:
    """The command as written, with fewer and smaller clips."""
    words = shlex.split(command)
    if "--quality" in words:  # of liquids, the dearest, one is enough
        clips = "1"
    if words[:2] == ["physreel", "generate"] and "--help" not in words:
        for option, small in _SMALL_RECIPE if _is_recipe(words[2]) else (("-n", clips), *_SMALL[1:]):
            if option in words:
                words[words.index(option) + 1] = small
            else:
                words += [option, small]
    if words[:2] == ["physreel", "preview"]:
        words += ["--size", "64x48", "--fps", "12", "--duration", "0.75"]
    if words[:2] == ["physreel", "smoke"]:
        words += ["--workers", "0"]
    return words


def _is_recipe(name: str) -> bool:
    return name.endswith((".yaml", ".yml", ".toml"))


def laid_out(folder: Path) -> dict[str, str]:
    """The examples of the project in a folder, recipes shrunk; and the environment for commands that run there."""
    examples = folder / "examples"
    examples.mkdir()
    for path in sorted((ROOT / "examples").iterdir()):
        if path.suffix == ".py":
            (examples / path.name).symlink_to(path)
        elif _is_recipe(path.name):
            (examples / path.name).write_text(small_recipe(path.read_text()))
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def small_recipe(text: str) -> str:
    """A recipe with one clip where it has many, small and short, and unbalanced: that takes many tries."""
    text = re.sub(r"^\s*balance\s*[:=].*\n", "", text, flags=re.M)
    text = re.sub(r"^(\s*count\s*[:=]\s*)\d+", r"\g<1>1", text, flags=re.M)
    text = re.sub(r"^(\s+\w+:\s*)\d+(\s*(?:#.*)?)$", r"\g<1>1\g<2>", text, flags=re.M)
    text = re.sub(r"^(\s*duration_s\s*[:=]\s*)[\d.]+", r"\g<1>0.5", text, flags=re.M)
    return re.sub(r"^(\s*size\s*[:=]\s*\"?)\d+x\d+", r"\g<1>48x32", text, flags=re.M)


def run(words: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    check_end(words, done.returncode, done.stdout, done.stderr)


def run_here(words: list[str]) -> None:
    """The command in this process, in which engines and kernels are loaded once for all of them."""
    done = CliRunner().invoke(app, words[1:])
    check_end(words, done.exit_code, done.stdout, done.stderr)


def check_end(words: list[str], code: int, said: str, complained: str) -> None:
    fine = _MAY_END_WITH.get(words[1] if len(words) > 1 else "", (0,))
    assert code in fine, f"{shlex.join(words)}\n{said}\n{complained}"
    assert "Traceback" not in complained


@pytest.mark.thorough
def test_every_command_of_the_readme_runs(tmp_path, monkeypatch):
    environment = laid_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    ran = 0
    for command in [*make_demo_lines(), *shell_lines()]:
        words = shrink(command)
        if words[0] == "make":
            assert set(words[1:]) <= targets, f"make has no {words[1:]}"
            continue
        if words[0] in ("git", "cd", "pip", ".", "python"):
            continue  # what python runs is of the test below
        assert words[0] == "physreel", f"a command that no test runs: {command}"
        if words[1] in _START_QUICKLY:
            run(words, tmp_path, environment)
        else:
            run_here(words)
        ran += 1
    assert ran >= 15


def test_the_model_of_the_readme_trains(tmp_path):
    """Needs torch, as the reader does who trains it."""
    pytest.importorskip("torch", reason="needs the extra torch: make test-all")
    environment = laid_out(tmp_path)
    lines = shell_lines()
    (train,) = [shlex.split(line) for line in lines if line.startswith("python ")]
    (generate,) = [line for line in lines if line.startswith("physreel generate") and train[2] in line]
    run(shrink(generate, clips="14"), tmp_path, environment)
    run([*train, "--epochs", "1"], tmp_path, environment)


@pytest.mark.thorough
def test_every_program_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    programs = blocks(ROOT / "README.md", "python")
    assert programs
    for program in programs:
        path = tmp_path / "program.py"
        path.write_text(program)
        runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def links(page: Path) -> set[Path]:
    """The pages that a page links to."""
    targets = re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", page.read_text())
    return {(page.parent / target).resolve() for target in targets if not re.match(r"[a-z]+:", target)}


def test_every_page_is_reached_from_the_readme():
    reached, fresh = set(), {ROOT / "README.md"}
    while fresh:
        reached |= fresh
        fresh = {page for page in set().union(*map(links, fresh)) - reached if page.exists()}
    assert set(PAGES) <= reached, sorted(str(page.relative_to(ROOT)) for page in set(PAGES) - reached)


def test_every_page_of_docs_is_linked_from_the_readme_or_is_a_scene():
    direct = links(ROOT / "README.md")
    assert {page for page in PAGES if page.parent == ROOT / "docs"} <= direct


def test_every_command_and_option_is_documented():
    import typer

    page = (ROOT / "docs" / "cli.md").read_text()
    sections = dict(zip(*[iter(re.split(r"^## `physreel ([a-z-]+)[^`]*`$", page, flags=re.M)[1:])] * 2, strict=True))
    commands = typer.main.get_command(app).commands
    assert set(sections) == set(commands)
    missing = []
    for name, command in commands.items():
        linked = re.findall(r"\]\((\w+\.md)[^)]*\)", sections[name])
        text = "\n".join([sections[name], *((ROOT / "docs" / page).read_text() for page in linked)])
        for parameter in command.params:
            # Of a pair such as --progress and --no-progress one says it.
            names = [option for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")]
            said = [option for option in names if re.search(rf"`[^`\n]*{option}\b[^`\n]*`", text)]
            if names and names != ["--help"] and not said:
                missing.append(f"{name} {names[0]}")
    assert not missing, f"docs/cli.md says nothing of {', '.join(missing)}"
    known = {o for c in commands.values() for p in c.params for o in (*p.opts, *p.secondary_opts)} | {"--traceback"}
    named = {
        option for section in sections.values() for option in re.findall(r"`(-{1,2}[a-z][a-z-]*)(?=[`= ])", section)
    }
    assert named <= known | {"--help", "-h"}, f"docs/cli.md names {sorted(named - known)}, which no command has"


def test_the_citation_is_of_this_version_and_has_what_cff_asks_for():
    import tomllib

    import yaml

    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert cited["cff-version"] == "1.2.0"
    assert all({"name"} <= set(author) or {"family-names"} <= set(author) for author in cited["authors"])
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
