"""``make pages``: a page a scene in docs/scenes, from the classes as they are; with ``--clips`` their clips as well.

Parameters, outcomes, defaults and questions are read from the code, so a page cannot say what is not so;
tests/test_scene_pages.py writes the pages anew and fails if they differ from those that are there.
"""

from __future__ import annotations

import argparse
import inspect
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from scene_facts import EVENTS, EVENTS_OF, GENERAL_OF, LAWS, MORE
from scene_questions import questions_of

from physreel import registry
from physreel.scenes.base import Scene
from physreel.scenes.parameters import Choice, allowed_values, field_unit

PAGES = Path(__file__).with_name("scenes")
CLIPS = Path(__file__).with_name("images") / "scenes"
SHOWN = {
    "falling": (2, 6),
    "pouring": (5, 0),
    "dam_break": (1, 0),
    "sloshing": (1, 1),
    "sink_or_float": (1, 0),
    "draining": (1, 0),
    "engine": (3, 0),
    "bearing": (3, 0),
    "gears": (3, 0),
    "mechanism": (15, 0),
}
"""Seed and index of the clip that stands on each page."""
CLIP_PIXELS, CLIP_FPS = 176, 12
MOST_BYTES = 150_000
_WRITTEN = "<!-- Written by `python docs/scene_pages.py` from the class. Change the class, or docs/scene_facts.py. -->"
_ANSWERS = {"yes_no": "yes or no", "count": "a count", "time_s": "a time, s", "choice": "one of the choices"}
_LISTED_CHOICES = 12


def scenes() -> list[type[Scene]]:
    """Our own scenes, in the registry's order."""
    return [registry.load("scenes", entry.name) for entry in registry.entries("scenes") if entry.built_in]


def pages() -> dict[str, str]:
    """File name in docs/scenes → text."""
    return {"README.md": index_text()} | {f"{scene.name}.md": page_text(scene) for scene in scenes()}


def index_text() -> str:
    """The page that leads to all others."""
    rows = [
        f"| [![{scene.name}](../images/scenes/{scene.name}.webp)]({scene.name}.md) | [`{scene.name}`]({scene.name}.md) "
        f"| {_cell(scene.summary())} | {', '.join(scene.domains)} |"
        for scene in scenes()
    ]
    return "\n".join(
        [
            _WRITTEN,
            "# Scenes",
            "",
            "A page each: what it shows, its parameters and outcome, what is asked of it, and the laws that hold it. "
            "`physreel describe NAME` tells parameters and outcome in the shell; a scene of your own is begun with "
            "[`physreel new-scene`](../cli.md#physreel-new-scene-name).",
            "",
            "| | scene | what it shows | domains |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def page_text(scene: type[Scene]) -> str:
    """All about one scene."""
    name, clip = scene.name, scene.default_clip
    seed, index = SHOWN[name]
    more, where = MORE[name]
    headline = getattr(scene, "headline", None)
    label = f"`{headline}`" if headline else "none"
    quality = " --quality draft" if "fluid" in scene.domains else ""
    parts = [
        _WRITTEN,
        f"# {name}",
        "",
        inspect.getdoc(scene) or "",
        "",
        f"![{name}, clip {index} of seed {seed}](../images/scenes/{name}.webp)",
        "",
        f"    physreel preview {name} --seed {seed} --index {index} --out out/{name}{quality}",
        f"    physreel generate {name} -n 100 --out data/{name}",
        "",
        "| | |",
        "|---|---|",
        f"| domains | {', '.join(scene.domains)} |",
        f"| a clip by default | {clip.width} × {clip.height}, {clip.fps} frames/s, {clip.duration_s:g} s |",
        f"| headline label | {label} |",
        f"| version | {scene.version} |",
        f"| more | [{more}]({where}) |",
        "",
        "## Parameters",
        "",
        "Given as `--set name=value`: a number, a range `0.5..1.5` or choices `a|b`; each clip draws from it.",
        "",
        "| parameter | unit | default | allowed | meaning |",
        "|---|---|---|---|---|",
        *_parameter_rows(scene),
        "",
        "## Outcome",
        "",
        "Read off the trajectory, and stored as the column `outcome`.",
        "",
        "| field | type | meaning |",
        "|---|---|---|",
        *outcome_rows(scene.outcome_type),
        "",
        "## Questions",
        "",
        *_question_lines(scene),
        "",
        "## Events",
        "",
        "What may happen in it ([thresholds](../labels.md#thresholds)):",
        "",
        "| event | meaning |",
        "|---|---|",
        *(f"| `{kind}` | {EVENTS[kind]} |" for kind in EVENTS_OF[name]),
        "",
        "## Laws",
        "",
        "What it is held to, and the tests that would fail:",
        "",
        "| law | tests |",
        "|---|---|",
        *(f"| {law} | {'; '.join(map(_test_link, tests))} |" for law, tests in LAWS[name]),
        "",
    ]
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _parameter_rows(scene: type[Scene]) -> list[str]:
    rows = []
    for name, field in scene.Parameters.model_fields.items():
        allowed = allowed_values(field)
        if isinstance(field.default, Choice):
            bounds = ", ".join(map(str, allowed)) or "anything"
            same = list(field.default.values) == allowed
            default = "all" if same and len(allowed) > 1 else ", ".join(field.default.values)
        else:
            bounds = f"{allowed[0]:g}..{allowed[1]:g}" if allowed else "anything"
            default = str(field.default)
        cells = (f"`{name}`", field_unit(field), default, bounds, field.description or "")
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return rows or ["| none | | | | |"]


def outcome_rows(model: type[BaseModel], before: str = "") -> list[str]:
    """One row a field; of a list of records, the record's fields follow as ``list[].field``."""
    rows = []
    for name, field in model.model_fields.items():
        nested, listed = _record_in(field.annotation)
        path = f"{before}{name}"
        rows.append(f"| `{path}` | {type_words(field.annotation)} | {_cell(field.description or '')} |")
        if nested is not None:
            rows += outcome_rows(nested, f"{path}[]." if listed else f"{path}.")
    return rows


def _record_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    listed = typing.get_origin(annotation) in (list, tuple)
    for argument in typing.get_args(annotation):
        found, within = _record_in(argument)
        if found is not None:
            return found, listed or within
    return None, False


def type_words(annotation: Any) -> str:
    """A type as people say it: ``float | None`` → number or none."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is type(None):
        return "none"
    if origin is typing.Annotated:
        return type_words(arguments[0])
    if origin is typing.Literal:
        return "text: " + ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_words(argument) for argument in arguments)
    if origin in (list, tuple):
        return f"list of {type_words(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "record"
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}[annotation]


def _question_lines(scene: type[Scene]) -> list[str]:
    own, general = questions_of(scene), GENERAL_OF[scene.name]
    rows = [
        f"| `{asked.kind}` | {_cell(asked.text)} | {_ANSWERS[asked.answer_type]} | {asked.needs} |" for asked in own
    ]
    lines = ["| kind | question | answer | needs |", "|---|---|---|---|", *rows] if rows else []
    if general:
        kinds = ", ".join(f"`{kind}`" for kind in general)
        lines += ["", f"And, of what is loose in it, these of the [general kinds](../labels.md#questions): {kinds}."]
    return [*lines, "", "A kind is asked only where its answer is clear, and where the text does not give it away."]


def _test_link(test: str) -> str:
    file, _, function = test.partition("::")
    return f"[{function.removeprefix('test_').replace('_', ' ')}](../../tests/{file})"


def draw(name: str) -> None:
    """Film the clip of a page as an animated picture that is at most ``MOST_BYTES`` long."""
    import io

    from PIL import Image

    from physreel.pipeline import Pipeline
    from physreel.plan import Plan

    scene: type[Scene] = registry.load("scenes", name)
    seed, index = SHOWN[name]
    clip = scene.default_clip.model_copy(update={"width": CLIP_PIXELS, "height": CLIP_PIXELS, "quality": "draft"})
    film = Pipeline(Plan(scene=name, count=index + 1, seed=seed, clip=clip, audio=False)).sample(index).clip.views[0]
    assert film.rgb is not None
    every = round(clip.fps / CLIP_FPS)
    frames = [Image.fromarray(frame) for frame in film.rgb[::every]]
    for quality in range(80, 0, -10):
        file = io.BytesIO()
        frames[0].save(
            file, "WEBP", save_all=True, append_images=frames[1:], duration=round(1000 * every / clip.fps), loop=0,
            quality=quality, method=6,
        )  # fmt: skip
        if file.tell() <= MOST_BYTES:
            break
    CLIPS.mkdir(parents=True, exist_ok=True)
    (CLIPS / f"{name}.webp").write_bytes(file.getvalue())
    print(f"{CLIPS / f'{name}.webp'}: {file.tell()} bytes at quality {quality}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", nargs="*", metavar="SCENE", help="film these anew, or all; some minutes")
    given = parser.parse_args()
    if given.clips is not None:
        for name in given.clips or [scene.name for scene in scenes()]:
            draw(name)
    PAGES.mkdir(exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text)
    print(f"{len(pages())} pages in {PAGES}")


if __name__ == "__main__":
    main()
