"""``physreel smoke``: what is sane passes, what is not is told, and nothing hangs or is lost."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from physreel import registry
from physreel.cli import main
from physreel.errors import MissingDependencyError, SpecError
from physreel.exporters.video import encode_mp4
from physreel.loaders.records import Record, records
from physreel.runners.local import run
from physreel.runners.requests import make_plan
from physreel.starting import smoke as smoke_module
from physreel.starting.junit import junit_xml, write_junit
from physreel.starting.sane import problems_of
from physreel.starting.smoke import SceneResult, chosen_scenes, smoke, try_scene
from physreel.values import PASSES

MARBLES = f"{Path(__file__).parent.parent / 'examples' / 'my_scenes.py'}:Marbles"

BAD_SCENES = '''
import os, time
from fakes import Drop

class Raises(Drop):
    """Raises."""
    name = "raises"
    def outcome(self, spec, trajectory):
        raise RuntimeError("on demand \\x07")

class Dies(Drop):
    """Dies."""
    name = "dies"
    def outcome(self, spec, trajectory):
        os._exit(9)

class Hangs(Drop):
    """Hangs."""
    name = "hangs"
    def outcome(self, spec, trajectory):
        time.sleep(600)

class Fine(Drop):
    """Fine."""
    name = "fine"
'''


@pytest.fixture(scope="module")
def row(tmp_path_factory) -> Record:
    """A small clip that was stored and read back."""
    out = tmp_path_factory.mktemp("smoke") / "data"
    plan = make_plan(MARBLES, count=1, width=64, height=48, fps=12, duration_s=0.5, passes="all")
    run(plan, out, workers=0)
    return next(iter(records(out)))


def outcome_type():
    return registry.load("scenes", MARBLES).outcome_type


def test_a_good_clip_has_no_problems(row):
    assert problems_of(row, outcome_type(), PASSES) == []


def _film(row: Record, frames: np.ndarray) -> dict:
    return {"video": {"bytes": encode_mp4(frames, 12, None), "path": None}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: _film(row, np.zeros_like(row.video)), "video: is black"),
        (lambda row: _film(row, np.full_like(row.video, 128)), "video: shows nothing"),
        (lambda row: _film(row, row.video[:4]), "video: has shape"),
        (lambda row: {"video": {"bytes": b"no film", "path": None}}, "video: cannot be read back"),
        (lambda row: {"frame_count": 5}, "depth: cannot be read back"),
        (lambda row: {"audio": None}, "audio: cannot be read back"),
        (lambda row: {"pascal_per_unit": float("nan")}, "audio: holds what is no number"),
        (lambda row: {"outcome": None}, "outcome: is missing"),
        (lambda row: {"outcome": {}}, "outcome: lacks highest"),
        (lambda row: {"outcome": {"highest": None, "highest_m": 0.1}}, "outcome: highest"),
        (lambda row: {"caption": " "}, "words: the caption is empty"),
        (lambda row: {"spec": "{}"}, "spec: cannot be read back"),
        (
            lambda row: {
                "questions": [
                    {"kind": "k", "question": "Is it?", "answer": "maybe", "answer_type": "yes_no", "choices": []}
                ]
            },
            "words: 'maybe' is no yes_no answer",
        ),
        (
            lambda row: {
                "events": [{"time_s": 9.0, "kind": "rest", "bodies": [], "position_m": [0, 0, 0], "speed_m_s": 0.0}]
            },
            "events: rest at 9 s is outside the clip",
        ),
    ],
)
def test_what_is_wrong_with_a_clip_is_told(row, change, words):
    problems = problems_of(Record(row.row | change(row)), outcome_type(), PASSES)
    assert any(problem.startswith(words) for problem in problems), problems


def test_one_of_our_scenes_is_sane_and_quick():
    told = []
    results = smoke(["gears"], workers=0, tell=told.append)
    assert [result.status for result in results] == ["passed"], results
    assert told == results
    # The bar is 60 s on two cores for all ten; this one takes a second or two of CPU.
    assert results[0].cpu_seconds < 10.0


def test_scenes_that_raise_or_die_are_told_and_the_others_go_on(tmp_path, capsys):
    path = tmp_path / "bad_scenes.py"
    path.write_text(BAD_SCENES)
    report = tmp_path / "reports" / "smoke.xml"
    names = ",".join(f"{path}:{name}" for name in ("Raises", "Dies", "Fine"))
    with pytest.raises(SystemExit) as ended:
        main(["smoke", "--scenes", names, "--junit", str(report), "--workers", "1"])
    assert ended.value.code == 4
    printed = capsys.readouterr()
    assert "1 of 3 scenes are sane" in printed.out
    assert "its process died" in printed.out
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("3", "2", "0")
    wrong = {case.get("name").rpartition(":")[2]: case.find("error") for case in suite.iter("testcase")}
    assert wrong["Fine"] is None
    assert "RuntimeError: on demand" in wrong["Raises"].get("message")
    assert "bad_scenes.py" in wrong["Raises"].text


def test_a_scene_that_hangs_is_ended_and_told_and_leaves_nothing_behind(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    path = tmp_path / "bad_scenes.py"
    path.write_text(BAD_SCENES)
    (result,) = smoke([f"{path}:Hangs"], workers=1, timeout_s=2.0)
    assert result.status == "error"
    assert result.problems == ("it took longer than 2 s",)
    assert not list(temporary.iterdir())


def test_a_scene_without_microphones_may_be_silent(row):
    deaf = row.spec.model_copy(update={"microphones": ()})
    assert problems_of(Record(row.row | {"spec": deaf.to_json(), "audio": None}), outcome_type(), PASSES) == []


def test_what_cannot_be_tried_is_told_at_once_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["smoke", "--scenes", "fallin,no.py:X", "--workers", "-1", "--timeout", "0", "--junit", "."])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "5 problems" in told
    assert "Did you mean 'falling'" in told
    assert not list(tmp_path.iterdir())


def test_all_installed_scenes_are_chosen_plug_ins_too_even_broken_ones(tmp_path, monkeypatch):
    ours = registry.entries("scenes")
    added = registry.Entry("theirs", "no_such_module:Theirs", built_in=False)
    monkeypatch.setattr(registry, "entries", lambda kind: [*ours, added])
    assert chosen_scenes(None) == [*(entry.name for entry in ours), "theirs"]
    assert chosen_scenes(["theirs", "theirs"]) == ["theirs"]
    with pytest.raises(SpecError, match="at least one"):
        chosen_scenes([])
    assert try_scene("theirs", str(tmp_path)).status == "error"


def test_what_needs_a_library_that_is_not_installed_is_skipped(monkeypatch, capsys):
    def lacks(*_: object, **__: object) -> None:
        raise MissingDependencyError("pip install 'physreel[splash]'")

    monkeypatch.setattr(smoke_module, "run", lacks)
    with pytest.raises(SystemExit) as ended:
        main(["smoke", "--scenes", "falling", "--workers", "0"])
    assert ended.value.code == 0
    assert "0 of 1 scenes are sane, 1 skipped" in capsys.readouterr().out


def test_compiling_is_counted_apart():
    from numba import njit

    with smoke_module._compiling() as spent:
        njit(lambda x: x + 1)(1)
    assert spent["wall"] > 0.0
    assert spent["cpu"] > 0.0
    with smoke_module._compiling() as spent:
        pass
    assert spent == {"wall": 0.0, "cpu": 0.0}


def test_the_report_holds_what_xml_cannot_and_replaces_an_earlier_one(tmp_path):
    path = tmp_path / "smoke.xml"
    path.write_text("old")
    results = [
        SceneResult("a", "failed", problems=("black \x00 & <b>", "second"), details="]]>"),
        SceneResult("b", "skipped", 1.5, problems=("pip install it",)),
    ]
    write_junit(path, results)
    assert path.read_bytes() == junit_xml(results)
    suite = ElementTree.fromstring(path.read_bytes())[0]
    assert suite.get("failures") == "1"
    assert suite.get("skipped") == "1"
    assert suite.get("time") == "1.500"
    assert "black \N{REPLACEMENT CHARACTER} & <b>\nsecond\n]]>" in suite[0].find("failure").text
    assert [file.name for file in tmp_path.iterdir()] == ["smoke.xml"]
