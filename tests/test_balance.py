"""Balance: shares of outcomes by drawing alone; no world and no label is changed, and without it nothing is."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes import Drop, DropOutcome, plan_values
from pydantic import Field, ValidationError
from scipy import stats

from physreel.errors import SampleError, SimulationError, SpecError
from physreel.pipeline import Pipeline
from physreel.plan import Balance, Plan
from physreel.runners.local import run
from physreel.runners.requests import make_plan
from physreel.scenes.outcomes import OutcomeClasses
from physreel.seeding import sample_rng
from physreel.simulators.mujoco import MujocoSimulator
from physreel.spec import SceneSpec
from physreel.values import Outcome

TESTS = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("beside_fakes")


# Where the ball is after half a second of falling and bouncing: about 45 % are at or below 0.3 m by then.
LOW, HIGH = "..0.3", "0.3.."


def plan(shares=None, tries=64, **changes) -> Plan:
    shares = {LOW: 0.8, HIGH: 0.2} if shares is None else shares
    values = plan_values(passes=("rgb",), balance=Balance(field="height_m", shares=shares, tries=tries))
    return Plan(**(values | changes))


def class_of(height_m: float) -> str:
    return LOW if height_m <= 0.3 else HIGH


def test_shares_are_met_labels_are_true_and_nothing_else_is_changed(tmp_path):
    count = 60
    summary = run(plan(count=count, shard_size=200, audio=False), tmp_path / "out", workers=0)
    assert summary.failed == 0
    table = [row for path in summary.paths for row in pq.read_table(path).to_pylist()]
    classes = [class_of(row["outcome"]["height_m"]) for row in table]
    # Each sample's class is drawn by itself: their number is binomial.
    assert stats.binomtest(classes.count(LOW), count, 0.8).pvalue > 1e-3

    simulator = MujocoSimulator()
    for row in table[::10]:
        spec = SceneSpec.from_json(row["spec"])
        assert Drop().outcome(spec, simulator.simulate(spec)).height_m == row["outcome"]["height_m"]

    natural = Pipeline(Plan(**plan_values(passes=("rgb",), seed=99)))
    drawn = [natural._simulated(i, 0) for i in range(150)]
    share = sum(class_of(world.outcome.height_m) == LOW for world in drawn) / len(drawn)
    assert share < 0.6, f"a natural share of {share} would prove nothing"
    for name in (LOW, HIGH):
        balanced = [
            json.loads(row["spec"])["parameters"]["height_m"]
            for row, c in zip(table, classes, strict=True)
            if c == name
        ]
        rejected = [w.spec.parameters["height_m"] for w in drawn if class_of(w.outcome.height_m) == name]
        assert stats.ks_2samp(balanced, rejected).pvalue > 1e-3, name
        assert len(balanced) > 10


def test_what_was_wanted_and_how_many_worlds_were_drawn_is_kept():
    pipeline = Pipeline(plan({LOW: 0.5, HIGH: 0.5}))
    several = 0
    for index in range(12):
        sample = pipeline.sample(index)
        (note,) = sample.provenance.notes
        match = re.fullmatch(r"balance: wanted height_m = (\S+), drew (\d+) worlds", note)
        assert match[1] == class_of(sample.outcome.height_m)
        drew = int(match[2])
        several += drew > 1
        attempts = [pipeline._simulated(index, k) for k in range(drew)]
        assert [class_of(world.outcome.height_m) == match[1] for world in attempts] == [False] * (drew - 1) + [True]
        assert attempts[-1].spec == sample.spec
    assert several >= 2


def test_the_first_world_is_that_of_an_unbalanced_plan():
    plain, balanced = Pipeline(Plan(**plan_values())), Pipeline(plan({"..100": 1.0}))
    for index in range(4):
        assert balanced.spec(index) == plain.spec(index)
        assert plain.spec(index) == Drop().sample(sample_rng(0, "drop", 1, index))


def test_the_same_bytes_made_here_or_by_workers(tmp_path):
    def tree(out: Path) -> list[str]:
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.rglob("*")) if path.is_file()]

    for workers in (0, 1):
        run(plan(count=9), tmp_path / str(workers), workers=workers)
    assert tree(tmp_path / "0") == tree(tmp_path / "1")
    assert run(plan(count=9), tmp_path / "0", workers=0).made == 0


def test_only_the_chosen_world_is_filmed_and_none_is_simulated_twice(monkeypatch):
    counted = {"simulate": 0, "render": 0}
    pipeline = Pipeline(plan({LOW: 0.5, HIGH: 0.5}))
    simulate, render = MujocoSimulator.simulate, type(pipeline._video).render

    def counting(name, call):
        def wrapped(*args, **options):
            counted[name] += 1
            return call(*args, **options)

        return wrapped

    monkeypatch.setattr("physreel.pipeline.questions.general_questions", lambda *_: ())  # they simulate what-ifs
    monkeypatch.setattr(MujocoSimulator, "simulate", counting("simulate", simulate))
    monkeypatch.setattr(type(pipeline._video), "render", counting("render", render))
    drawn = sum(int(pipeline.sample(i).provenance.notes[0].split()[-2]) for i in range(8))
    assert drawn > 8
    assert counted == {"simulate": drawn, "render": 8}


def test_a_sample_that_no_world_fits_fails_with_the_share_that_was_seen(tmp_path):
    impossible = plan({LOW: 0.7, "9..": 0.3}, tries=12, count=6)
    summary = run(impossible, tmp_path / "out", workers=0)
    assert 0 < summary.failed < 6
    failure = summary.failures[0]
    assert failure.error == "SampleError"
    match = re.match(
        r"no world of 12 drawn has height_m = 9\.\.: \.\.0\.3 (\d+), 9\.\. 0, none of these (\d+); raise tries",
        failure.message,
    )
    assert int(match[1]) + int(match[2]) == 12
    last = Pipeline(impossible)._drawn(failure.index, 11)
    assert SceneSpec.from_json(failure.spec) == last


def test_worlds_that_cannot_be_simulated_are_passed_over_and_counted(monkeypatch):
    pipeline, calls = Pipeline(plan({"..100": 1.0})), []
    simulate = MujocoSimulator.simulate

    def unstable_at_first(self, spec):
        calls.append(spec)
        if len(calls) <= 2:
            raise SimulationError("it blew up")
        return simulate(self, spec)

    monkeypatch.setattr(MujocoSimulator, "simulate", unstable_at_first)
    sample = pipeline.sample(0)
    assert sample.provenance.notes == (
        "balance: wanted height_m = ..100, drew 3 worlds, 2 of them could not be simulated",
    )
    calls.clear()
    with pytest.raises(SampleError, match=r"not simulated 2 \(the last: it blew up\)"):
        Pipeline(plan({"..100": 1.0}, tries=2)).sample(1)


# --- fields and classes -------------------------------------------------------------------------


class Part(Outcome):
    """Nested."""

    works: bool = Field(description="")


class Rich(Outcome):
    """One field of each kind."""

    spills: bool = Field(description="")
    upright: bool | None = Field(description="")
    fault: Literal["none", "jam", "slip"] = Field(description="")
    label: str | None = Field(description="")
    lost_count: int = Field(description="")
    speed_m_s: float | None = Field(description="")
    part: Part | None = Field(description="")
    parts: list[Part] = Field(description="")


def rich(**changes) -> Rich:
    values = {"spills": True, "upright": None, "fault": "jam", "label": "a", "lost_count": 2, "speed_m_s": 0.5,
              "part": Part(works=False), "parts": []}  # fmt: skip
    return Rich(**(values | changes))


@pytest.mark.parametrize(
    ("field", "shares", "outcome", "found"),
    [
        ("spills", {"true": 0.5, "false": 0.5}, rich(), "true"),
        ("spills", "even", rich(spills=False), "false"),
        ("upright", "even", rich(), None),
        ("upright", {"none": 1.0}, rich(), "none"),
        ("fault", "even", rich(), "jam"),
        ("fault", {"slip": 1.0}, rich(), None),
        ("label", {"a": 1.0}, rich(), "a"),
        ("label", {"none": 1.0}, rich(label=None), "none"),
        ("lost_count", {"0": 0.5, "1..": 0.5}, rich(), "1.."),
        ("lost_count", {"0": 0.5, "1..": 0.5}, rich(lost_count=0), "0"),
        ("speed_m_s", {"0..0.5": 0.5, "0.5..1": 0.5}, rich(), "0..0.5"),
        ("speed_m_s", {"0..1": 0.5, "none": 0.5}, rich(speed_m_s=None), "none"),
        ("speed_m_s", {"0..1": 1.0}, rich(speed_m_s=2.0), None),
        ("part.works", "even", rich(), "false"),
        ("part.works", {"none": 1.0}, rich(part=None), "none"),
    ],
)
def test_classes_of_an_outcome(field, shares, outcome, found):
    assert OutcomeClasses(Rich, field, shares).class_of(outcome) == found


def test_even_means_every_value_alike_and_classes_are_drawn_by_their_shares():
    classes = OutcomeClasses(Rich, "fault", "even")
    assert classes.shares == {"none": 1 / 3, "jam": 1 / 3, "slip": 1 / 3}
    assert list(OutcomeClasses(Rich, "upright", "even").shares) == ["true", "false"]
    drawn = [OutcomeClasses(Rich, "spills", {"true": 0.3, "false": 0.7}).draw(p) for p in np.linspace(0, 0.999, 1000)]
    assert drawn.count("true") == 300
    assert classes.draw(1.0 - 1e-17) == "slip"


@pytest.mark.parametrize(
    ("field", "shares", "words"),
    [
        ("spils", "even", "did you mean 'spills'"),
        ("parts.works", "even", "there is no 'parts.works'"),
        ("part", "even", "there is no 'part' to balance"),
        ("spills", {"maybe": 1.0}, "cannot be 'maybe'; it is true or false"),
        ("spills", {"none": 1.0}, "cannot be 'none'"),
        ("fault", {"jum": 1.0}, "did you mean 'jam'"),
        ("label", "even", "even needs a field with few values"),
        ("lost_count", {"0.5": 1.0}, "cannot be '0.5'; it is a whole number"),
        ("lost_count", {"many": 1.0}, "cannot be 'many'"),
        ("lost_count", {"3..1": 1.0}, "cannot be '3..1'"),
        ("lost_count", {"..": 1.0}, "cannot be '..'"),
        ("lost_count", {"nan": 1.0}, "cannot be 'nan'"),
        ("lost_count", {"..inf": 1.0}, "cannot be '..inf'"),
        ("lost_count", {"0..1": 0.5, "1..2": 0.5}, "0..1 and 1..2 have values in common"),
        ("speed_m_s", {"0..1": 0.5, "0.5..2": 0.5}, "have values in common"),
    ],
)
def test_a_field_or_value_that_cannot_be_is_refused_with_what_can(field, shares, words):
    with pytest.raises(SpecError, match=re.escape(words)):
        OutcomeClasses(Rich, field, shares)
    with pytest.raises(SpecError):
        make_plan("fakes:Drop", count=1, balance={"field": "height_m", "shares": {"maybe": 1}})


@pytest.mark.parametrize(
    "values",
    [
        {"field": "a", "shares": {"true": 0.7}},
        {"field": "a", "shares": {}},
        {"field": "a", "shares": "odd"},
        {"field": "a", "shares": {"true": True}},
        {"field": "a", "shares": {"true": float("nan")}},
        {"field": "a", "shares": {"true": 1.5, "false": -0.5}},
        {"field": "a", "shares": "even", "tries": 0},
        {"field": "", "shares": "even"},
        {"shares": "even"},
    ],
)
def test_shares_that_are_none_are_refused(values):
    with pytest.raises(ValidationError):
        Balance(**values)


def test_keys_of_yaml_are_read_as_words():
    assert Balance(field="a", shares={True: 0.5, False: 0.25, None: 0.25}).shares == {
        "true": 0.5, "false": 0.25, "none": 0.25,
    }  # fmt: skip
    assert Balance(field="a", shares={0: 0.5, 1: 0.5}).shares == {"0": 0.5, "1": 0.5}
    assert DropOutcome.model_fields
