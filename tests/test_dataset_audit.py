"""The audit finds each planted fault, that alone, and nothing where nothing is wrong."""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from audit_builders import FRAMES, SCHEMA, SIDE, clean_rows, film, flac, mp4, question, tone, write
from typer.main import get_command
from typer.testing import CliRunner

from physreel.audit import reading
from physreel.audit.labels import classes
from physreel.audit.parameters import Declared, _association, _codes
from physreel.audit.run import audit
from physreel.audit.thresholds import Thresholds
from physreel.cli.app import app
from physreel.errors import InputError

COUNT = 60


@pytest.fixture(autouse=True, scope="module")
def decoded_once():
    """The tests share most of their clips: each is decoded once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("look_at", "listen_to"):
            patch.setattr(reading, name, functools.cache(getattr(reading, name)))
        yield


@pytest.fixture(scope="module")
def clean() -> list[dict]:
    return clean_rows(COUNT)


def faults(folder: Path, **options) -> set[str]:
    """Names of the faults found, without shortcuts."""
    return {found.check for _, found in audit(folder, shortcuts=False, **options).faults}


def changed(rows: list[dict], which, **columns) -> list[dict]:
    """The rows with other columns in some; a function is called with the row."""
    return [
        row | {name: value(row) if callable(value) else value for name, value in columns.items()}
        if k in which
        else row
        for k, row in enumerate(rows)
    ]  # fmt: skip


def with_spec(change):
    """The spec's text after ``change`` of its values."""

    def made(row):
        spec = json.loads(row["spec"])
        change(spec)
        return json.dumps(spec)

    return made


def outcome(**fields):
    return lambda row: row["outcome"] | fields


def test_nothing_is_found_where_nothing_is_wrong(clean, tmp_path):
    report = audit(write(tmp_path, clean), shortcuts=False)
    assert [found.check for scene in report.scenes for found in scene.findings] == []
    assert report.scenes[0].rows == COUNT
    assert report.scenes[0].splits == {"train": 48, "test": 12}


def _poses_with_nan(row):
    bodies = [dict(body) for body in row["bodies"]]
    pose = np.array(bodies[-1]["pose"])
    pose[3] = np.nan
    bodies[-1]["pose"] = pose
    return bodies


def _behind_the_camera(row):
    seen = np.asarray(row["camera"]["camera_to_world"]).reshape(-1, 4, 4)[0]
    place = seen[:3, 3] - seen[:3, 2]
    pose = np.tile([*place, 1.0, 0.0, 0.0, 0.0], (4, 1)).ravel()
    return [body if body["motion"] == "static" else body | {"pose": pose} for body in row["bodies"]]


RNG = np.random.default_rng(99)
FAULTS = {
    "silent": ({3, 9}, {"audio": flac(tone(RNG, gain=0.0))}),
    "clipped": (
        {3, 9},
        {"audio": lambda row: flac(np.clip(tone(np.random.default_rng(row["index"]), gain=4.0), -1, 1))},
    ),
    "black": ({3}, {"video": lambda row: mp4(film(np.random.default_rng(row["index"]), light=row["index"] % 3))}),
    "still": ({3, 9}, {"video": lambda row: mp4(film(np.random.default_rng(row["index"]), moves=False))}),
    "out_of_frame": ({3, 9}, {"bodies": _behind_the_camera}),
    "nan": ({3}, {"bodies": _poses_with_nan}),
    "empty_words": ({3}, {"caption": " "}),
    "missing": ({3}, {"audio": None}),
    "wrong_length": ({3}, {"audio": lambda row: flac(tone(np.random.default_rng(row["index"]), seconds=0.4))}),
}


@pytest.mark.parametrize("check", FAULTS)
def test_a_planted_fault_is_found_and_nothing_else(clean, tmp_path, check):
    which, columns = FAULTS[check]
    folder = write(tmp_path, changed(clean, which, **columns))
    (found,) = (each for _, each in audit(folder, shortcuts=False).faults)
    assert found.check == check
    assert set(found.examples) == {clean[k]["sample_id"] for k in which}
    # The same is no fault to those who allow it.
    threshold = {"black": "max_black", "missing": "max_missing", "nan": "max_nan"}.get(check, f"max_{check}")
    assert faults(folder, thresholds=Thresholds(**{threshold: 0.05})) == set()


@pytest.mark.parametrize(
    ("columns", "check"),
    [
        ({"video": lambda row: mp4(film(np.random.default_rng(row["index"]), light=255))}, "black"),
        ({"video": lambda row: mp4(film(np.random.default_rng(row["index"]), frames=3))}, "wrong_length"),
        ({"frame_count": 5}, "wrong_length"),
        ({"video": {"bytes": b"no film at all", "path": "clip.mp4"}}, "missing"),
        ({"audio": {"bytes": b"no sound at all", "path": "clip.flac"}}, "missing"),
        ({"spec": "{"}, "missing"),
        ({"outcome": outcome(speed_m_s=float("inf"))}, "nan"),
        ({"questions": [question("falls", "", "yes", "yes_no")]}, "empty_words"),
    ],
)
def test_other_forms_of_these_faults_are_found_too(clean, tmp_path, columns, check):
    assert faults(write(tmp_path, changed(clean, {7}, **columns))) == {check}


def test_a_still_picture_with_one_moving_frame_moves(clean, tmp_path):
    """First, middle and last frame are the same; the audit looks at all before it says that nothing moves."""
    still = film(np.random.default_rng(5), frames=8, moves=False)
    still[5, :10, :10] = 255 - still[5, :10, :10]
    rows = changed(clean, {3, 9}, video=mp4(still))
    assert "still" not in faults(write(tmp_path, rows))


def test_a_scene_without_sound_lacks_none(clean, tmp_path):
    schema = pa.schema([field for field in SCHEMA if field.name != "audio"])
    report = audit(write(tmp_path, clean, schema), shortcuts=False)
    assert not report.faults
    assert "sound" in report.scenes[0].skipped


def _duplicate(clean, source: int, target: int, **columns) -> list[dict]:
    rows = list(clean)
    own = {name: clean[target][name] for name in ("sample_id", "group_id", "index", "split")}
    rows[target] = clean[source] | own | columns
    return rows


def test_equal_clips_in_two_splits_are_duplicates_and_leaks(clean, tmp_path):
    assert clean[4]["split"] == "test"
    rows = _duplicate(clean, 5, 4)
    found = {each.check: each for _, each in audit(write(tmp_path, rows), shortcuts=False).faults}
    assert set(found) == {"duplicate_worlds", "duplicate_frames", "leaks"}
    assert found["duplicate_worlds"].value == 1
    assert found["leaks"].examples == (f"{rows[5]['sample_id']} = {rows[4]['sample_id']}",)


def test_a_world_moved_by_a_ten_thousandth_is_a_duplicate_and_by_a_tenth_is_none(clean, tmp_path):
    def moved(by):
        def change(spec):
            for body in spec["bodies"]:
                body["position_m"] = [value * (1.0 + by) for value in body["position_m"]]

        return lambda: with_spec(change)(clean[5])

    own = {name: clean[6][name] for name in ("video", "audio", "caption", "questions", "outcome")}
    near = _duplicate(clean, 5, 6, spec=moved(1e-4)(), **own)
    assert faults(write(tmp_path / "near", near)) == {"duplicate_worlds"}
    far = _duplicate(clean, 5, 6, spec=moved(0.1)(), **own)
    assert faults(write(tmp_path / "far", far)) == set()


def test_another_seed_colour_or_camera_does_not_hide_a_duplicate(clean, tmp_path):
    def painted(spec):
        for body in spec["bodies"]:
            body["look"] = {"color": [0.1, 0.2, 0.3]}
        spec["lights"] = [{"colour": "another"}]

    own = {name: clean[6][name] for name in ("video", "audio", "caption", "questions", "outcome")}
    rows = _duplicate(clean, 5, 6, spec=with_spec(painted)(clean[5]), seed=99, **own)
    assert faults(write(tmp_path, rows)) == {"duplicate_worlds"}


def test_the_same_film_a_shade_brighter_is_a_duplicate(clean, tmp_path):
    pictures = film(np.random.default_rng(5))
    rows = changed(changed(clean, {5}, video=mp4(pictures)), {6}, video=mp4(pictures + 1))
    assert rows[5]["video"]["bytes"] != rows[6]["video"]["bytes"]
    assert faults(write(tmp_path, rows)) == {"duplicate_frames"}


def test_siblings_of_a_group_may_be_alike_but_not_lie_in_two_splits(clean, tmp_path):
    group = clean[5]["group_id"]
    rows = _duplicate(clean, 5, 6, group_id=group)
    assert faults(write(tmp_path / "siblings", rows)) == set()
    rows = changed(clean, {4}, group_id=group)
    assert clean[4]["split"] != clean[5]["split"]
    found = {each.check: each for _, each in audit(write(tmp_path / "across", rows), shortcuts=False).faults}
    assert set(found) == {"groups_cross_splits"}
    assert found["groups_cross_splits"].examples == (group,)


def test_a_row_that_is_there_twice_is_found(clean, tmp_path):
    assert faults(write(tmp_path, [*clean, clean[5]])) == {"repeated_ids"}


def test_a_constant_and_a_lopsided_label_are_found(clean, tmp_path):
    constant = changed(clean, range(COUNT), outcome=outcome(winner="left"))
    assert faults(write(tmp_path / "constant", constant)) == {"constant_label"}
    # Of a label that is not asked for it is worth a note.
    assert faults(tmp_path / "constant", labels=["falls"], headlines={"by_hand": "falls"}) == set()
    lopsided = changed(clean, range(COUNT), outcome=lambda row: row["outcome"] | {"falls": row["index"] == 7})
    assert faults(write(tmp_path / "lopsided", lopsided)) == {"label_balance"}
    assert faults(tmp_path / "lopsided", thresholds=Thresholds(max_majority=0.99)) == set()


def test_a_label_that_differs_between_splits_is_found(clean, tmp_path):
    rows = changed(clean, range(COUNT), outcome=lambda row: row["outcome"] | {"falls": row["split"] == "test"})
    assert faults(write(tmp_path, rows)) == {"label_shift"}


def test_repeated_captions_and_lopsided_answers_are_found(clean, tmp_path):
    rows = changed(clean, range(40), caption="A ball falls.")
    assert faults(write(tmp_path / "captions", rows)) == {"repeated_captions"}
    rows = changed(clean, range(COUNT), questions=lambda row: [row["questions"][0] | {"answer": "yes"}])
    assert faults(write(tmp_path / "answers", rows)) == {"answer_balance"}


def test_a_part_of_a_parameters_range_that_never_occurs_is_found(clean, tmp_path):
    folder = write(tmp_path, clean)
    whole = {"height_m": Declared(0.2, 0.9), "material": Declared(choices=("oak", "steel", "ice"))}
    assert faults(folder, declared={"by_hand": whole}) == set()
    wider = {"height_m": Declared(0.2, 2.0), "material": Declared(choices=("oak", "steel", "ice", "cork"))}
    found = audit(folder, shortcuts=False, declared={"by_hand": wider}).faults
    assert {each.check for _, each in found} == {"coverage"}
    assert {each.message.split()[0] for _, each in found} == {"height_m", "material"}


def test_parameters_that_go_together_are_found(clean, tmp_path):
    def tie(spec):
        spec["parameters"]["speed_m_s"] = 2.0 * spec["parameters"]["height_m"] + 0.1

    numbers = changed(clean, range(COUNT), spec=with_spec(tie))
    assert faults(write(tmp_path / "numbers", numbers)) == {"parameters_go_together"}

    def choose(spec):
        spec["parameters"]["material"] = "oak" if spec["parameters"]["height_m"] > 0.5 else "ice"

    words = changed(clean, range(COUNT), spec=with_spec(choose))
    assert faults(write(tmp_path / "words", words)) == {"parameters_go_together"}


def test_what_a_scene_works_out_from_its_parameters_is_told_and_no_fault(clean, tmp_path):
    def follow(spec):
        spec["parameters"]["speed_m_s"] = 4.0 if spec["parameters"]["height_m"] > 0.5 else 1.0

    folder = write(tmp_path, changed(clean, range(COUNT), spec=with_spec(follow)))
    assert faults(folder) == {"coverage", "parameters_go_together"}
    asked = {"height_m": Declared(0.2, 0.9), "material": Declared(choices=("oak", "steel", "ice"))}
    report = audit(folder, shortcuts=False, declared={"by_hand": asked})
    assert not report.faults
    told = {each.check for each in report.scenes[0].findings if "speed_m_s" in each.message}
    assert told == {"coverage", "parameters_go_together"}


def test_a_limit_takes_of_each_split(clean, tmp_path):
    report = audit(write(tmp_path, clean), shortcuts=False, limit=20)
    assert report.scenes[0].splits == {"train": 16, "test": 4}


def test_what_cannot_be_audited_is_told_at_once(clean, tmp_path):
    folder = write(tmp_path, clean)
    with pytest.raises(InputError, match=r"--label 'fals': no scene has.*by_hand has falls, speed_m_s, winner"):
        audit(folder, labels=["fals"], shortcuts=False)
    with pytest.raises(InputError, match=r"(?s)--limit 0.*no such cue.*first frame"):
        audit(folder, limit=0, ignore=["loud"], shortcuts=False)
    with pytest.raises(InputError, match=r"(?s)'fell:loudness': there is no such scene; there are by_hand.*'fals'"):
        audit(folder, labels=["fals"], ignore=["fell:loudness"], shortcuts=False)
    with pytest.raises(InputError, match=r"(?s)--max-duplicates -1.*--max-silent 2 is not in 0\.\.1"):
        Thresholds(max_silent=2, max_duplicates=-1)
    with pytest.raises(InputError, match="no physreel data set"):
        audit(tmp_path / "nowhere", shortcuts=False)


def _command(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def test_the_command_ends_with_4_beyond_a_threshold_and_writes_nothing(clean, tmp_path):
    folder = write(tmp_path, changed(clean, {3, 9}, audio=FAULTS["silent"][1]["audio"]))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-m", "physreel", "audit", folder, "--no-shortcuts", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 4
    # In a log of both streams the report is above the words on it.
    report, _, words = done.stdout.rpartition("physreel: error: ")
    assert "by_hand: silent" in words
    told = json.loads(report)
    assert told["fault_count"] == 1
    assert told["scenes"][0]["findings"][0]["check"] == "silent"
    fine = _command(folder, "--no-shortcuts", "--max-silent", "0.1")
    assert fine.exit_code == 0, fine.stderr
    assert max(map(len, fine.stdout.splitlines())) <= 100
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    wrong = _command(folder, "--max-silent", "7", "--limit", "0", "--ignore", "loud")
    assert wrong.exit_code == 2
    assert all(words in wrong.stderr for words in ("--max-silent 7", "--limit 0", "'loud'"))


def test_each_threshold_is_an_option():
    shown = {name for each in get_command(app).commands["audit"].params for name in each.opts}
    for each in dataclasses.fields(Thresholds):
        assert "--" + each.name.replace("_", "-") in shown


def test_values_of_several_kinds_and_sizes_in_one_label_are_counted(clean, tmp_path):
    """A foreign data set's JSON may have anything in a field."""
    values = [1.5, "warm", True, None, 10**400, float("nan"), *range(20)]
    made = reading.SceneFacts("by_hand")
    for k, value in enumerate([*values, *values]):
        row = clean[k] | {"outcome": {"mixed": value, "number": value if not isinstance(value, str) else 2}}
        reading._take(made, row, learn=False)
    for name, own in made.labels.items():
        assert len(own) == made.rows, name
        assert len(classes(own)) == made.rows
    deep: list = []
    for _ in range(900):
        deep = [deep]
    reading._take(made, clean[1] | {"signals": deep}, learn=False)
    assert made.problems["nan"][-1] == made.rows - 1
    strange = clean[0] | {"spec": "[" * 100_000, "index": 10**400, "duration_s": 10**400}
    reading._take(made, strange, learn=True)
    assert made.problems["missing"] == [made.rows - 1]


def test_a_text_of_its_own_in_each_row_makes_no_table_of_rows_by_rows():
    rng = np.random.default_rng(0)
    texts = [[f"{word}{k}" for k in rng.permutation(5000)] for word in "ab"]
    strength, _ = _association(*texts)
    assert strength < 0.1
    assert int(_codes(texts[0]).max()) <= 20


def test_names_from_a_data_set_cannot_steer_a_terminal(clean, tmp_path):
    rows = changed(clean, {3, 9}, audio=FAULTS["silent"][1]["audio"], sample_id=lambda row: f"\x1b[31m{row['index']}")
    text = audit(write(tmp_path, rows), shortcuts=False).to_text()
    assert "silent" in text
    assert "\x1b" not in text


def test_twins_are_found_among_many_rows():
    from physreel.audit.twins import _distance_frame, _near

    rng = np.random.default_rng(0)
    pictures = rng.integers(20, 230, (20_000, 2 * 8 * 8 * 3)).astype(np.uint8)
    for k in range(200):
        pictures[19_999 - k] = np.clip(pictures[k] + rng.integers(-1, 2, pictures.shape[1]), 0, 255)
    found = set(_near(pictures, _distance_frame, 1.0))
    assert found == {(k, 19_999 - k) for k in range(200)}


def test_films_of_odd_sides_are_read(clean):
    from physreel.audit.media import look_at

    odd = film(np.random.default_rng(1))[:, : SIDE - 1, : SIDE - 3]
    seen = look_at(mp4(odd)["bytes"])
    assert (seen.width, seen.height, seen.frame_count) == (SIDE - 3, SIDE - 1, len(odd))
    assert not seen.still
    assert len(odd) == FRAMES
