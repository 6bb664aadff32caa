"""A crash or hang inside an engine of liquids costs one sample of a run, which is recorded with its spec."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fakes import plan_values
from liquid_fakes import fault_name

from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.runners.local import run
from physreel.spec import SceneSpec

TESTS = Path(__file__).parent


@pytest.fixture
def faults(tmp_path, monkeypatch):
    folder = tmp_path / "faults"
    folder.mkdir()
    monkeypatch.chdir(TESTS)
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(folder))
    monkeypatch.setattr("physreel.runners.tries.TRIES_DIED", 2)
    monkeypatch.setattr("physreel.runners.process.WARM_UP_S", 60.0)
    return folder


def plan(simulator: str) -> Plan:
    return Plan(**plan_values(scene="liquid_fakes:Glass", simulator=f"liquid_fakes:{simulator}", count=3))


def check_costs_one_sample(out: Path, made: Plan, index: int, **arguments) -> dict:
    """Run; sample ``index`` must fail, the others not; the manifest's line on it."""
    summary = run(made, out, workers=2, **arguments)
    assert [failure.index for failure in summary.failures] == [index]
    assert summary.finished == 2
    rows = [i for name in summary.shards for i in pq.read_table(out / name)["index"].to_pylist()]
    assert rows == [i for i in range(3) if i != index]
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    (line,) = [line for line in lines if line["kind"] == "failure"]
    assert SceneSpec.from_json(line["spec"]) == Pipeline(made).spec(index)
    return line


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("crash", "was ended by SIGSEGV"),
        *(pytest.param(fault, "took no step for 3 s", marks=pytest.mark.thorough) for fault in ("hang", "hang in C")),
    ],
)
def test_splash_costs_one_sample(tmp_path, faults, fault, words):
    made = plan("FaultySplash")
    (faults / fault_name(Pipeline(made).spec(1))).write_text(fault)
    line = check_costs_one_sample(tmp_path / "out", made, 1)
    assert line["error"] == "SimulationError"
    assert words in line["message"]


@pytest.mark.thorough
def test_dfsph_that_crashes_costs_one_sample(tmp_path, faults):
    made = plan("FaultyDfsph")
    (faults / fault_name(Pipeline(made).spec(0))).write_text("crash")
    line = check_costs_one_sample(tmp_path / "out", made, 0)
    assert line["error"] == "WorkerDied"
    assert "SIGSEGV" in line["message"]


@pytest.mark.thorough
@pytest.mark.parametrize("fault", ["hang", "hang in C"])
def test_dfsph_that_hangs_costs_one_sample(tmp_path, faults, fault):
    made = plan("FaultyDfsph")
    (faults / fault_name(Pipeline(made).spec(2))).write_text(fault)
    line = check_costs_one_sample(tmp_path / "out", made, 2, timeout_s=4.0)
    assert line["error"] == "Timeout"
