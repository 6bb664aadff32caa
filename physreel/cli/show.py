"""``physreel list``, ``describe`` and ``info``: what there is, what it takes, and what a data set holds."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from physreel import registry
from physreel.cli.generate import format_bytes
from physreel.errors import InputError, PhysreelError
from physreel.scenes.base import Scene
from physreel.scenes.parameters import FloatRange, IntRange, allowed_values, field_unit

_KIND_NAMES: dict[str, registry.Kind] = {kind.replace("_", "-"): kind for kind in registry.KINDS}


def kind_named(text: str) -> registry.Kind:
    """The kind that ``scenes``, ``scene``, ``video-renderers`` … stands for."""
    plain = text.lower().replace("_", "-")
    for name, kind in _KIND_NAMES.items():
        if plain in (name, name.removesuffix("s")):
            return kind
    raise InputError(f"there is no kind {text!r}; kinds are {', '.join(_KIND_NAMES)}")


def list_all(kind: str | None) -> None:
    """Print every known name with the first line of what it says of itself."""
    kinds = registry.KINDS if kind is None else (kind_named(kind),)
    for k in kinds:
        print(f"{k.replace('_', ' ')}:")
        for entry in registry.entries(k):
            origin = "" if entry.built_in else f"  [{entry.target}]"
            print(f"  {entry.name:<14} {_one_line(k, entry.name)}{origin}")


def _one_line(kind: registry.Kind, name: str) -> str:
    try:
        found = registry.load(kind, name)
    except Exception as error:  # one broken plug-in must not hide the others
        return f"(cannot be used here: {str(error).splitlines()[0] if str(error) else type(error).__name__})"
    line = (inspect.getdoc(found) or "").split("\n", 1)[0]
    able = getattr(found, "capabilities", None) or getattr(found, "passes", None)
    return f"{line} [{', '.join(sorted(able))}]" if able else line


def describe(name: str) -> None:
    """Print all about a scene, or the documentation of anything else that goes by this name."""
    kind = find_kind(name)
    found = registry.load(kind, name)
    if kind == "scenes":
        _describe_scene(found)
        return
    print(f"{name} ({kind.removesuffix('s').replace('_', ' ')}, {found.__module__}:{found.__qualname__})\n")
    print(inspect.getdoc(found) or "It says nothing of itself.")
    for attribute in ("capabilities", "passes"):
        if able := getattr(found, attribute, None):
            print(f"\n{attribute}: {', '.join(sorted(able))}")


def find_kind(name: str) -> registry.Kind:
    """The kind of a name: scenes first; of a reference: what its class is derived from."""
    for kind in registry.KINDS:
        if name in [entry.name for entry in registry.entries(kind)]:
            return kind
    if ":" not in name:
        near = []
        for kind in registry.KINDS:
            import difflib

            near += difflib.get_close_matches(name, [entry.name for entry in registry.entries(kind)], n=2, cutoff=0.5)
        hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        raise InputError(
            f"there is nothing named {name!r}.{hint} `physreel list` shows all names; your own can be given as "
            "module:Class or path/to/file.py:Class."
        )
    first: PhysreelError | None = None
    for kind in registry.KINDS:
        try:
            registry.load(kind, name)
        except InputError as error:
            first = first or error
        else:
            return kind
    assert first is not None
    raise first


def _describe_scene(scene: type[Scene]) -> None:
    print(f"{scene.name} (version {scene.version}; {', '.join(scene.domains)})\n")
    print(inspect.getdoc(scene) or "It says nothing of itself.")
    clip = scene.default_clip
    print(f"\nclip by default: {clip.width}x{clip.height}, {clip.fps} frames/s, {clip.duration_s:g} s")
    fields = scene.Parameters.model_fields
    print("\nparameters (--set name=value):" if fields else "\nparameters: none")
    for name, field in fields.items():
        unit, default = field_unit(field), field.default
        allowed = allowed_values(field)
        if isinstance(default, (FloatRange, IntRange)) and allowed:
            bounds = f"{allowed[0]:g}..{allowed[1]:g}"
        else:
            bounds = " | ".join(map(str, allowed)) or "anything"
        print(f"  {name}" + (f"  [{unit}]" if unit else ""))
        _wrapped(f"default {default}; allowed {bounds}", 6)
        if field.description:
            _wrapped(field.description, 6)
    print("\noutcome:")
    _outcome_fields(scene.outcome_type, 2)


def _outcome_fields(model: Any, indent: int) -> None:
    for name, field in model.model_fields.items():
        nested = _nested(field.annotation)
        kind = _type_name(field.annotation)
        _wrapped(f"{name} ({kind}): {field.description or 'no description'}", indent)
        if nested is not None:
            _outcome_fields(nested, indent + 4)


def _nested(annotation: Any) -> Any:
    import typing

    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        if (found := _nested(argument)) is not None:
            return found
    return None


def _type_name(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__origin__") else ""
    return text or str(annotation).replace("typing.", "")


def _wrapped(text: str, indent: int) -> None:
    print(textwrap.fill(text, 118, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2)))


def info(dataset: str) -> None:
    """Print what a data set holds, by its manifest and its shards; of any format, at any address."""
    from physreel.manifest import read_manifest
    from physreel.runners.local import summary

    lines = read_manifest(dataset)
    if not any(line["kind"] == "plan" for line in lines):
        print("no scene has been begun")
    for plan_line in (line for line in lines if line["kind"] == "plan"):
        scene, plan = plan_line["scene"], plan_line["plan"]
        about = summary(dataset, scene)
        state = "complete" if about.finished + about.failed == about.requested else "not complete"
        print(f"{scene} (version {plan_line['scene_version']}, physreel {plan_line['physreel']}): {state}")
        size = sum(line["bytes"] for line in lines if line.get("scene") == scene and "bytes" in line)
        print(f"  clips: {about.finished} of {about.requested}, {about.failed} failed; {format_bytes(size)}")
        for split in plan["splits"]:
            own = [s for s in lines if s["kind"] == "shard" and s["scene"] == scene and s["split"] == split]
            rows, size = sum(s["rows"] for s in own), sum(s["bytes"] for s in own)
            print(f"  {split}: {rows} rows in {len(own)} shards, {format_bytes(size)}")
        print(
            "  plan: " + ", ".join(f"{k}={_short(v)}" for k, v in plan.items() if k not in ("scene", "splits", "count"))
        )
        for failure in about.failures[:5]:
            print(f"  failed: {failure.index} {failure.error}: {failure.message.splitlines()[0][:120]}")
        if about.rows:
            _contents(dataset, scene)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {v}" for k, v in value.items()) + "}"
    return str(value)


def _contents(dataset: str, scene: str) -> None:
    from physreel.loaders.records import records, shard_files
    from physreel.loaders.shards import shard_schema
    from physreel.storage import open_store

    store = open_store(dataset)
    print("  columns: " + ", ".join(shard_schema(store, shard_files(store, scene=scene)[0].file).names))
    outcomes = [record["outcome"] for record in records(dataset, scene=scene, columns=["outcome"])]
    print("  outcomes:")
    for name in outcomes[0]:
        if line := _spread([outcome[name] for outcome in outcomes]):
            print(f"    {name}: {line}")


def _spread(values: list[Any]) -> str:
    from collections import Counter

    known = [value for value in values if value is not None]
    if not known:
        return "always none"
    without = f", none in {len(values) - len(known)}" if len(known) < len(values) else ""
    if all(isinstance(value, bool) for value in known):
        return f"true in {sum(known)} of {len(known)}{without}"
    if all(isinstance(value, (int, float)) for value in known):
        mean = sum(known) / len(known)
        return f"{min(known):.4g} to {max(known):.4g}, mean {mean:.4g}{without}"
    if all(isinstance(value, str) for value in known):
        most = Counter(known).most_common(5)
        return ", ".join(f"{value} {count}" for value, count in most) + without
    if all(isinstance(value, list) for value in known):
        lengths = [len(value) for value in known]
        return f"lists of {min(lengths)} to {max(lengths)}{without}"
    return ""
