"""The audit finds each planted shortcut, that alone, and no shortcut in noise."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from audit_builders import clean_rows, film, flac, mp4, tone, write

pytest.importorskip("sklearn", reason="needs the extra audit: make test-all")

from physreel.audit import reading
from physreel.audit import shortcuts as module
from physreel.audit.media import TILES
from physreel.audit.reading import Asked, Lesson, SceneFacts
from physreel.audit.report import SceneReport
from physreel.audit.run import audit
from physreel.audit.shortcuts import CUES, judge_shortcuts
from physreel.audit.thresholds import Thresholds
from physreel.errors import MissingDependencyError

COUNT = 100


@pytest.fixture(autouse=True)
def small_models(monkeypatch):
    monkeypatch.setattr(module, "_SHUFFLES", 3)
    monkeypatch.setattr(module, "_TREES", 10)


def facts(seed: int = 0, *, plant: str | None = None, share: float = 1.0, count: int = COUNT, siblings: int = 1):
    """Random cues and a random label; ``plant`` ties a cue to the label in so large a share of the rows."""
    rng = np.random.default_rng(seed)
    made = SceneFacts("by_hand")
    made.labels["falls"] = []
    for k in range(count):
        if k % siblings == 0:
            falls = bool(rng.integers(2))
            tiles = rng.integers(0, 255, (2, TILES, TILES, 3)).astype(np.uint8)
        told = falls if rng.random() < share else not falls
        envelope = rng.normal(60.0, 5.0, 11).astype(np.float32)
        numbers = {
            "caption length": (float(rng.integers(40, 90)), float(rng.integers(8, 16))),
            "object count": (float(rng.integers(2, 9)), float(rng.integers(1, 5)), 0.0),
            "duration and size": (3.0, 72.0, 24.0, 256.0, 256.0, float(rng.uniform(0.3, 0.6))),
            "split and index": (float(k), *(float(k % n) for n in (2, 3, 4, 5, 7)), float(rng.integers(2))),
        }
        word = str(rng.choice(["oak", "steel", "ice", "cork"]))
        answer = bool(rng.integers(2))
        text = f"Does the {word} block fall?"
        pair = [str(item) for item in rng.choice(["oak cone", "ice ball", "red tin box"], 2, replace=False)]
        best = pair[int(rng.integers(2))]
        if plant == "first frame":
            tiles[0, 0, 0] = 250 if told else 5
        elif plant == "loudness":
            envelope += 12.0 if told else 0.0
        elif plant in numbers:
            numbers[plant] = tuple(value + (60.0 if told else 0.0) for value in numbers[plant])
        elif plant == "length":
            text += " Say it." * (2 if (answer if rng.random() < share else not answer) else 0)
        elif plant == "longest choice":
            best = max(pair, key=len)
        elif plant == "questions asked":
            text = f"When does it {'fall' if told else 'stop'}, {word} as it is?"
        asked = (
            Asked("falls", text, "yes" if answer else "no", "yes_no", ()),
            Asked("first", "Which is first?", best, "choice", tuple(pair)),
        )
        made.labels["falls"].append(falls)
        made.groups.append(f"g{k // siblings}")
        made.sample_ids.append(f"s{k}")
        colors = tiles.reshape(2, -1, 3).mean(1).repeat(3, 1).astype(np.float32)
        made.lessons.append(Lesson(k, tiles, colors, envelope, numbers, asked))
    return made


def flagged(made: SceneFacts, **options) -> set[str]:
    report = SceneReport("by_hand", made.rows, COUNT, {}, "falls")
    judge_shortcuts(made, report, Thresholds(**options.get("limits", {})), ["falls"], options.get("ignored", ()))
    return {one.cue for one in report.shortcuts if one.flagged}


def test_noise_is_not_flagged():
    assert flagged(facts(1)) == set()


@pytest.mark.parametrize(
    ("plant", "cue"),
    [
        ("first frame", "first frame"),
        ("loudness", "loudness"),
        ("caption length", "caption length"),
        ("object count", "object count"),
        ("duration and size", "duration and size"),
        ("split and index", "split and index"),
        ("questions asked", "questions asked"),
        ("length", "question text"),
        ("longest choice", "question text"),
    ],
)
def test_a_planted_shortcut_is_flagged_and_no_other(plant, cue, monkeypatch):
    # Other cues are tried in the test of noise; here the planted one and a frame of noise.
    keep = {cue, "caption length"}
    whole = module._cues
    monkeypatch.setattr(module, "_cues", lambda lessons: {k: v for k, v in whole(lessons).items() if k in keep})
    assert flagged(facts(plant=plant)) == {cue}


def test_a_weak_tie_is_below_the_threshold_and_found_by_a_stricter_one(monkeypatch):
    whole = module._cues
    monkeypatch.setattr(
        module, "_cues", lambda lessons: {k: v for k, v in whole(lessons).items() if k == "caption length"}
    )
    weak = facts(plant="caption length", share=0.78, count=300)
    assert flagged(weak, limits={"max_shortcut": 0.4}) == set()
    assert flagged(weak) == {"caption length"}


def test_siblings_of_a_group_do_not_teach_each_other(monkeypatch):
    """Rows of a group share picture and label: a model that saw one knows the others by heart."""
    whole = module._cues
    monkeypatch.setattr(
        module, "_cues", lambda lessons: {k: v for k, v in whole(lessons).items() if k == "first frame"}
    )
    assert flagged(facts(3, siblings=4, count=200)) == set()


def test_the_cues_that_tell_on_purpose_or_are_ignored_are_notes_and_no_faults(monkeypatch):
    whole = module._cues
    monkeypatch.setattr(
        module,
        "_cues",
        lambda lessons: {k: v for k, v in whole(lessons).items() if k in ("object count", "questions asked")},
    )
    for plant, ignored, fault in (
        ("questions asked", (), False),
        ("object count", (), True),
        ("object count", ("object count",), False),
    ):
        made = facts(plant=plant)
        report = SceneReport("by_hand", made.rows, COUNT, {}, "falls")
        judge_shortcuts(made, report, Thresholds(), ["falls"], ignored)
        assert [found.fault for found in report.findings] == [fault]


def test_too_few_rows_say_so():
    made = facts(count=30)
    report = SceneReport("by_hand", made.rows, 30, {}, "falls")
    judge_shortcuts(made, report, Thresholds(), ["falls"], ())
    assert "too few" in report.skipped[0]
    assert not report.findings


def test_a_label_in_the_first_pixels_and_one_in_the_sound_are_found_in_a_stored_data_set(tmp_path, monkeypatch):
    whole = module._cues
    monkeypatch.setattr(
        module, "_cues", lambda lessons: {k: v for k, v in whole(lessons).items() if k in ("first frame", "loudness")}
    )
    for name in ("look_at", "listen_to"):
        monkeypatch.setattr(reading, name, functools.cache(getattr(reading, name)))
    rows = clean_rows(70, seed=4)
    for row in rows:
        rng = np.random.default_rng(row["index"])
        pictures = film(rng)
        pictures[0, :4, :4] = 255 if row["outcome"]["falls"] else 0
        row["video"] = mp4(pictures)
        row["audio"] = flac(tone(rng, gain=0.4 if row["outcome"]["winner"] == "left" else 0.02))
    folder = write(tmp_path, rows)
    report = audit(folder, labels=["falls", "winner"])
    assert {(one.label, one.cue) for one in report.scenes[0].shortcuts if one.flagged} == {
        ("falls", "first frame"),
        ("winner", "loudness"),
    }
    assert {found.check for _, found in report.faults} == {"shortcut"}
    told = next(one for one in report.scenes[0].shortcuts if one.flagged)
    assert told.permuted is not None
    assert abs(told.permuted - told.chance) < 0.15
    assert report.to_json() == audit(folder, labels=["falls", "winner"]).to_json()


def test_without_scikit_learn_the_message_names_the_extra(tmp_path, monkeypatch):
    real = module.importlib.import_module

    def missing(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(module.importlib, "import_module", missing)
    folder = write(tmp_path, clean_rows(3))
    with pytest.raises(MissingDependencyError, match=r"physreel\[audit\].*--no-shortcuts"):
        audit(folder)
    assert audit(folder, shortcuts=False).scenes[0].rows == 3


def test_every_cue_is_tried(monkeypatch):
    made = facts(count=100)
    report = SceneReport("by_hand", made.rows, 100, {}, "falls")
    monkeypatch.setattr(module, "_predict", lambda make, vectors, target, folds: target * 0)
    judge_shortcuts(made, report, Thresholds(), ["falls"], ())
    assert {one.cue for one in report.shortcuts} == set(CUES)
