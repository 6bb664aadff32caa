"""Reads a recipe's YAML or TOML into plain values, with the line that each stands in.

Of YAML it takes what a recipe needs: mappings, lists and plain values of the YAML 1.2 core schema, so that ``no`` is a
word and ``1:30`` no number. Tags, anchors and keys that are given twice are refused.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from physreel.errors import InputError, SpecError

SUFFIXES = (".yaml", ".yml", ".toml")
"""What tells a recipe from the name of a scene."""

_MOST_BYTES = 200_000
_DEEPEST = 20

Path_ = tuple[str, ...]
_INT = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
}
"""What the parser gives to values without a tag; ours are read by their text."""
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), math.inf),
    "-.inf": -math.inf,
}


@dataclass
class RecipeText:
    """A recipe as it was written: plain values, and the line of each by its path (empty where that is not known)."""

    name: str
    values: dict[str, Any]
    lines: dict[Path_, int] = field(default_factory=dict)

    def place(self, path: Path_) -> str:
        """``line 7, scenes.falling.count``: the line of the nearest thing that was written."""
        line = next((self.lines[path[:k]] for k in range(len(path), 0, -1) if path[:k] in self.lines), None)
        said = ".".join(part if part.isprintable() else repr(part) for part in path)
        return said if line is None else f"line {line}, {said}"


def is_recipe(name: str) -> bool:
    """Whether this is the name of a recipe's file, and not of a scene."""
    return name.lower().endswith(SUFFIXES)


def read_recipe(path: str | Path) -> RecipeText:
    """Read a recipe's file.

    Raises:
        InputError: it cannot be read, or is no YAML or TOML; SpecError where several things in it are at fault.
    """
    name = str(path)
    if not is_recipe(name):
        raise InputError(f"a recipe is a file {', '.join('*' + suffix for suffix in SUFFIXES)}, and {name!r} is none")
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {name!r}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _MOST_BYTES:
        raise InputError(f"{name} has more than {_MOST_BYTES} bytes, which is no recipe")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no text: byte {error.start} is not UTF-8") from None
    found = _toml(name, text) if name.lower().endswith(".toml") else _yaml(name, text)
    if not found.values:
        raise InputError(f"{name} is empty; a recipe has at least scenes, such as\n  scenes:\n    falling: 100")
    return found


def _toml(name: str, text: str) -> RecipeText:
    try:
        return RecipeText(name, tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is no TOML: {error or 'it is nested too deeply'}") from None


def _yaml(name: str, text: str) -> RecipeText:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Ends with what is nested too deeply before it costs much."""

        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.depth > _DEEPEST:
                said = f"it is nested deeper than {_DEEPEST} levels, which no recipe is"
                raise yaml.MarkedYAMLError(problem=said, problem_mark=self.peek_event().start_mark)
            self.depth += 1
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    try:
        root = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" line {mark.line + 1}" if mark else ""
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{name}{where} is no YAML: {said}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{name} is no YAML: {' '.join(str(error).split())}") from None
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise InputError(
            f"{name} line {root.start_mark.line + 1}: a recipe is a mapping, such as scenes: {{falling: 100}}"
        )
    reader = _Reader()
    values = {} if root is None else reader.value(root, ())
    if reader.problems:
        raise SpecError(reader.problems, what=name)
    return RecipeText(name, values, reader.lines)


class _Reader:
    """From nodes to plain values; what is wrong is collected."""

    def __init__(self) -> None:
        self.lines: dict[Path_, int] = {}
        self.problems: list[str] = []
        self._seen: set[int] = set()

    def problem(self, line: int, said: str) -> None:
        self.problems.append(f"line {line}: {said}")

    def value(self, node: Any, path: Path_) -> Any:
        import yaml

        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        # An alias is the same node once more: a few of them within each other would make more than memory holds.
        if id(node) in self._seen:
            self.problem(line, "anchors and aliases (&, *) are not read; write it out, or use defaults")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line)
        if node.tag not in _TAGS:
            self.problem(line, f"tags ({node.tag}) are not read; write plain values")
            return None
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, str(k))) for k, item in enumerate(node.value)]
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key, item in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problem(at, "a key must be a word, not a list or mapping")
                continue
            name = str(key.value)
            inside = (*path, name)
            if name in found:
                self.problems.append(
                    f"line {at}, {'.'.join(inside)}: given before, in line {first[name]}; give it once"
                )
                continue
            self.lines[inside] = first[name] = at
            found[name] = self.value(item, inside)
        return found

    def _scalar(self, node: Any, line: int) -> Any:
        text: str = node.value
        if node.tag not in _TAGS:
            self.problem(line, f"tags ({node.tag}) are not read; write plain values")
            return None
        if node.style is not None:  # in quotes, or a block
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text
