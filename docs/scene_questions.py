"""Which questions a scene of ours can ask, read from its source: nothing is run, so a rare kind is found too."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from physreel.scenes.base import Scene

_SCENES = "physreel.scenes"
# Kinds and texts that the source puts together. tests/test_scene_pages.py fails for one that is not spelt out here,
# and for a text that is in no source.
KINDS = {"engine_{kind}": ("engine_slips", "engine_shakes", "engine_fires")}
TEXTS = {
    "engine_slips": ("Does the belt slip on its pulleys?",),
    "engine_shakes": ("Does the engine as a whole shake from side to side?",),
    "engine_fires": ("Is there a cylinder that never fires?",),
    "does_its_job": ("Does the machine ring its bell?", "Does the machine lift the weight to the mark?"),
}


@dataclass(frozen=True)
class Asked:
    """One kind of question as the source has it: ``text`` has … for what differs from clip to clip."""

    kind: str
    text: str
    answer_type: str
    needs: str


def questions_of(scene: type[Scene]) -> list[Asked]:
    """The kinds that ``scene.questions`` and all it calls in ``physreel.scenes`` can make, in order of the source."""
    method = scene.__dict__.get("questions")
    if method is None:
        return []
    module = sys.modules[scene.__module__]
    body = next(n for n in _tree(module).body if isinstance(n, ast.ClassDef) and n.name == scene.__name__)
    start = next(node for node in body.body if isinstance(node, ast.FunctionDef) and node.name == "questions")
    found: dict[str, Asked] = {}
    _read(start, module, set(), found)
    return list(found.values())


def _read(node: ast.AST, module: ModuleType, seen: set[tuple[str, str]], found: dict[str, Asked]) -> None:
    for part in _in_order(node):
        if isinstance(part, ast.Call) and _called(part.func) == "Question":
            for asked in _asked(part):
                known = found.get(asked.kind)
                if known is None or (known.text == "…" and asked.text != "…"):
                    found[asked.kind] = asked
        elif isinstance(part, (ast.Name, ast.Attribute)):
            _follow(part, module, seen, found)


@cache
def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _in_order(node: ast.AST) -> list[ast.AST]:
    return sorted(ast.walk(node), key=lambda part: (getattr(part, "lineno", 0), getattr(part, "col_offset", 0)))


def _follow(part: ast.AST, module: ModuleType, seen: set[tuple[str, str]], found: dict[str, Asked]) -> None:
    target = None
    if isinstance(part, ast.Name):
        target = getattr(module, part.id, None)
    elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
        owner = getattr(module, part.value.id, None)
        target = getattr(owner, part.attr, None) if isinstance(owner, ModuleType) else None
    if not inspect.isfunction(target) or not target.__module__.startswith(_SCENES):
        return
    key = (target.__module__, target.__name__)
    if key in seen:
        return
    seen.add(key)
    home = sys.modules[target.__module__]
    for node in _tree(home).body:
        if isinstance(node, ast.FunctionDef) and node.name == target.__name__:
            _read(node, home, seen, found)


def _called(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


def _asked(call: ast.Call) -> list[Asked]:
    given = {word.arg: word.value for word in call.keywords if word.arg}
    kind = _text(given["kind"], braces=True)
    text = _text(given["question"])
    answer_type = _text(given["answer_type"])
    needs = _text(given["needs"]) if "needs" in given else "picture"
    if "…" in needs:  # decided clip by clip
        words = [part.value for part in ast.walk(given["needs"]) if isinstance(part, ast.Constant)]
        needs = " or ".join(word for word in ("picture", "sound", "either", "both") if word in words)
    return [Asked(one, " / ".join(TEXTS.get(one, (text,))), answer_type, needs) for one in KINDS.get(kind, (kind,))]


def _text(node: ast.expr, *, braces: bool = False) -> str:
    """The literal, with … (or the name in braces) where something is put in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = []
        for value in node.values:
            if isinstance(value, ast.Constant):
                parts.append(str(value.value))
            else:
                parts.append("{" + ast.unparse(value.value) + "}" if braces else "…")  # type: ignore[attr-defined]
        return "".join(parts)
    if isinstance(node, ast.BinOp):
        return _text(node.left, braces=braces) + _text(node.right, braces=braces)
    return "…"
