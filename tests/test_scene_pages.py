"""The pages of scenes are complete and say what the code says."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from physreel import registry

DOCS = Path(__file__).parent.parent / "docs"
sys.path.insert(0, str(DOCS))

import scene_facts  # noqa: E402
import scene_pages  # noqa: E402
import scene_questions  # noqa: E402

TESTS = Path(__file__).parent
OURS = [entry.name for entry in registry.entries("scenes") if entry.built_in]
SOURCES = "\n".join(path.read_text() for path in sorted((DOCS.parent / "physreel" / "scenes").glob("*.py")))


def scene(name):
    return registry.load("scenes", name)


def test_the_pages_are_those_that_the_code_gives():
    written = {path.name: path.read_text() for path in scene_pages.PAGES.glob("*.md")}
    wanted = scene_pages.pages()
    assert sorted(written) == sorted(wanted)
    for name, text in wanted.items():
        assert written[name] == text, f"docs/scenes/{name} is not current: run `python docs/scene_pages.py`"


def fields(model) -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        found.append(name)
        nested, _ = scene_pages._record_in(field.annotation)
        found += [] if nested is None else fields(nested)
    return found


@pytest.mark.parametrize("name", OURS)
def test_each_scene_has_a_page_with_every_parameter_and_outcome_field(name):
    text = (scene_pages.PAGES / f"{name}.md").read_text()
    for parameter, field in scene(name).Parameters.model_fields.items():
        assert re.search(rf"^\| `{parameter}` \|.*{re.escape(field.description)}", text, re.M), parameter
    for field in fields(scene(name).outcome_type):
        assert re.search(rf"^\| `(?:\w+(?:\[\])?\.)*{field}` \|", text, re.M), field
    assert f"({name}.md)" in (scene_pages.PAGES / "README.md").read_text()


@pytest.mark.parametrize("name", OURS)
def test_each_scene_has_a_small_clip_that_moves(name):
    from PIL import Image

    path = scene_pages.CLIPS / f"{name}.webp"
    assert 0 < path.stat().st_size <= scene_pages.MOST_BYTES
    with Image.open(path) as picture:
        assert picture.n_frames >= 24
        assert picture.size == (scene_pages.CLIP_PIXELS, scene_pages.CLIP_PIXELS)


@pytest.mark.parametrize("name", OURS)
def test_each_law_is_held_by_tests_that_exist(name):
    assert scene_facts.LAWS[name]
    for law, tests in scene_facts.LAWS[name]:
        assert law
        assert tests
        for test in tests:
            file, _, function = test.partition("::")
            tree = ast.parse((TESTS / file).read_text())
            assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_every_kind_of_question_in_the_source_is_on_a_page():
    on_pages = {asked.kind for name in OURS for asked in scene_questions.questions_of(scene(name))}
    in_source = set()
    for node in ast.walk(ast.parse(SOURCES.replace("from __future__ import annotations", ""))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Question":
            kind = scene_questions._text(next(k.value for k in node.keywords if k.arg == "kind"), braces=True)
            in_source |= set(scene_questions.KINDS.get(kind, (kind,)))
    assert on_pages == in_source
    assert not [kind for kind in on_pages if "{" in kind or "…" in kind]


def test_texts_that_are_spelt_out_are_those_of_the_source():
    asked = {one.kind: one for name in OURS for one in scene_questions.questions_of(scene(name))}
    for kind, texts in scene_questions.TEXTS.items():
        for text in texts:
            assert text in SOURCES
            assert text in asked[kind].text
    assert all(one.text != "…" for one in asked.values())


def test_events_and_general_questions_are_those_that_there_are():
    from physreel.values import Event

    for name in OURS:
        assert set(scene_facts.EVENTS_OF[name]) <= set(scene_facts.EVENTS)
        for kind in scene_facts.GENERAL_OF[name]:
            assert f"`{kind}`" in (DOCS / "labels.md").read_text()
    for kind in scene_facts.EVENTS:
        assert re.search(rf"\b{kind}\b", Event.__doc__ or ""), kind


@pytest.mark.parametrize(("name", "count"), [("falling", 2), ("gears", 1), ("bearing", 1)])
def test_what_is_asked_and_happens_in_clips_is_on_the_page(name, count):
    from physreel.pipeline import Pipeline
    from physreel.plan import Plan

    clip = scene(name).default_clip.model_copy(update={"width": 32, "height": 32, "fps": 12, "duration_s": 1.0})
    plan = Plan(
        scene=name, count=count, seed=11, clip=clip, video_renderer="fakes:FlatRenderer",
        audio_renderer="fakes:TickRenderer",
    )  # fmt: skip
    pipeline = Pipeline(plan)
    own = {asked.kind for asked in scene_questions.questions_of(scene(name))}
    for index in range(count):
        sample = pipeline.sample(index)
        assert {event.kind for event in sample.events} <= set(scene_facts.EVENTS_OF[name])
        assert {asked.kind for asked in sample.questions} <= own | set(scene_facts.GENERAL_OF[name])
