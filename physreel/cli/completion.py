"""What a shell asks when Tab is pressed: commands and options by typer, names and data sets by us.

typer answers when the environment variable ``_PHYSREEL_COMPLETE`` is set, as its scripts do. Nothing heavy is imported.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from physreel import registry
from physreel.errors import InputError
from physreel.manifest import MANIFEST

VARIABLE = "_PHYSREEL_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

_KIND_OF: dict[str, registry.Kind] = {
    "scene": "scenes",
    "scenes": "scenes",
    "simulator": "simulators",
    "video_renderer": "video_renderers",
    "audio_renderer": "audio_renderers",
    "exporter": "exporters",
    "to": "exporters",
}
"""Parameters of commands that take a name of the registry."""

_DATA_SETS = {"dataset", "datasets", "source", "sources"}
_FILES = {"out", "junit"}
_QUALITIES = ("draft", "standard", "fine")
_PASSES = ("rgb", "depth", "segmentation", "normals", "flow", "all")


def script(shell: str) -> str:
    """What a shell has to read, by typer's own templates.

    Raises:
        InputError: for another shell.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in SHELLS:
        raise InputError(f"SHELL: must be one of {', '.join(SHELLS)}, got {shell!r}")
    return str(get_completion_script(prog_name="physreel", complete_var=VARIABLE, shell=shell))


def answer(app: typer.Typer) -> None:
    """Answer the shell that asks, and end the process."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()
    group: Any = typer.main.get_command(app)
    for command in group.commands.values():
        for parameter in command.params:
            if values := _source(command.name, parameter):
                parameter._custom_shell_complete = values
    group(prog_name="physreel", complete_var=VARIABLE)


def _source(command: str, parameter: Any) -> Any:
    """A function (context, parameter, incomplete) → texts for what a parameter takes; None: typer knows better."""
    name = parameter.name
    if command == "completion":
        return lambda _context, _parameter, incomplete: _beginning(SHELLS, incomplete)
    if command == "list":
        kinds = [kind.replace("_", "-") for kind in registry.KINDS]
        return lambda _context, _parameter, incomplete: _beginning(kinds, incomplete)
    if command in ("describe", "check") and name == "name":
        return lambda _context, _parameter, incomplete: _beginning(_names(*registry.KINDS), incomplete)
    if name in _KIND_OF:
        kind = _KIND_OF[name]
        listed = name == "scenes"
        return lambda _context, _parameter, incomplete: _of_list(_names(kind), incomplete, listed=listed)
    if name == "quality":
        return lambda _context, _parameter, incomplete: _beginning(_QUALITIES, incomplete)
    if name == "passes":
        return lambda _context, _parameter, incomplete: _of_list(_PASSES, incomplete, listed=True)
    if name in _DATA_SETS or (name == "out" and parameter.param_type_name == "argument"):
        return lambda _context, _parameter, incomplete: data_sets(incomplete)
    if name in _FILES:
        return lambda _context, _parameter, incomplete: files(incomplete)
    return None


def _names(*kinds: registry.Kind) -> list[str]:
    return [entry.name for kind in kinds for entry in registry.entries(kind)]


def _beginning(values: Any, incomplete: str) -> list[str]:
    return [value for value in values if value.startswith(incomplete)]


def _of_list(values: Any, incomplete: str, *, listed: bool) -> list[str]:
    """Values for the last of several with commas, or for the only one; files where it looks like a path."""
    if not listed:
        return _beginning(values, incomplete) or files(incomplete)
    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{value}" for value in _beginning(values, last) if value not in done.split(",")]


def data_sets(incomplete: str) -> list[str]:
    """Folders that hold a data set, and those on the way to one; where none is one, the shell's own files."""
    found = []
    for text, path in _paths(incomplete):
        if path.is_dir():
            found.append(text if (path / MANIFEST).is_file() else f"{text}/")
    if any(not text.endswith("/") for text in found):
        return found
    return files(incomplete)


def files(incomplete: str) -> list[str]:
    """Nothing for shells that complete files themselves and better (bash, zsh); the files for fish."""
    if "fish" not in os.environ.get(VARIABLE, ""):
        return []
    return [f"{text}/" if path.is_dir() else text for text, path in _paths(incomplete)]


def _paths(incomplete: str) -> list[tuple[str, Path]]:
    """(as it would be typed, path) of what a folder holds that begins like this; hidden files only if asked for."""
    head, slash, last = incomplete.rpartition("/")
    folder = Path(head + slash).expanduser() if head or slash else Path()
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
    shown = [name for name in names if name.startswith(last) and (last.startswith(".") or not name.startswith("."))]
    return [(f"{head}{slash}{name}", folder / name) for name in shown]
