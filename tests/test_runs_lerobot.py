"""Runs to LeRobot, which is written as a whole: killed, failed, joined by another scene, refused."""

from __future__ import annotations

import pytest
from fakes import Drop, plan_values
from quick_runs import tree
from test_convert import SPLITS, generated, ticking

from physreel.errors import InputError
from physreel.loaders.records import records
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.runners.base import Part
from physreel.runners.local import run
from physreel.runners.repair import repair
from physreel.runners.status import status

pytestmark = pytest.mark.usefixtures("beside_fakes")


class Fall(Drop):
    """Another scene."""

    name = "fall"


@pytest.mark.parametrize("late", [2, 4])
def test_a_run_to_lerobot_that_was_killed_at_its_very_end_goes_on(tmp_path, late):
    class StopError(BaseException):
        """Nobody tidies up after it."""

    def stop() -> None:
        raise StopError

    plan = Plan(**plan_values(count=3, exporter="lerobot"))
    with ticking(0) as tick:
        run(plan, tmp_path / "whole", workers=0)
        total = -tick() - 1
    with ticking(total + 1 - late, stop), pytest.raises(StopError):
        run(plan, tmp_path / "out", workers=0)
    run(plan, tmp_path / "out", workers=0)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_run_to_lerobot_that_was_killed_goes_on_and_a_second_scene_joins_it(tmp_path):
    generated(tmp_path / "whole", exporter="lerobot")
    run(Plan(**plan_values(exporter="lerobot", count=3)), tmp_path / "whole", workers=0, scene=Fall)
    out = tmp_path / "out"

    class StopError(Exception):
        pass

    def stop(done, total, failed):
        if done == 5:
            raise StopError

    with pytest.raises(StopError):
        run(Plan(**plan_values(splits=SPLITS, exporter="lerobot")), out, workers=0, progress=stop)
    assert {path.name for path in out.iterdir()} == {".physreel", "manifest.jsonl"}
    assert run(Plan(**plan_values(splits=SPLITS, exporter="lerobot")), out, workers=0).made < 10
    run(Plan(**plan_values(exporter="lerobot", count=3)), out, workers=0, scene=Fall)
    assert tree(out) == tree(tmp_path / "whole")
    assert not (out / ".physreel").exists()
    assert (out / "drop" / "meta" / "info.json").exists()
    assert (out / "fall" / "meta" / "info.json").exists()


def test_clips_that_failed_can_be_tried_again_for_lerobot(tmp_path, monkeypatch):
    generated(tmp_path / "whole", exporter="lerobot")
    faults = tmp_path / "faults"
    faults.mkdir()
    plan = Plan(**plan_values(splits=SPLITS, exporter="lerobot"))
    fault = faults / f"{Pipeline(plan).spec(6).bodies[1].position_m[2] * 1000:.0f}"
    fault.write_text("raise")
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(faults))
    out = tmp_path / "out"
    assert run(plan, out, workers=0).failed == 1
    assert [record["index"] for record in records(out)].count(6) == 0
    assert run(plan, out, workers=0).made == 0
    fault.unlink()
    again = run(plan, out, workers=0, retry_failed=True)
    assert again.failed == 0
    assert 0 < again.made < 10
    assert tree(out) == tree(tmp_path / "whole")


def test_repair_leaves_alone_what_a_second_scene_is_written_from(tmp_path):
    class StopError(Exception):
        pass

    def stop(done, total, failed):
        if done == 2:
            raise StopError

    out, plan = tmp_path / "out", Plan(**plan_values(exporter="lerobot", count=3, shard_size=1))
    run(plan, out, workers=0)
    with pytest.raises(StopError):
        run(plan, out, workers=0, scene=Fall, progress=stop)
    before = tree(out)
    assert any(name.startswith(".physreel/whole/fall/data/") for name in before)
    assert not status(out).problems
    assert not status(out).complete
    repair(out)
    assert {**tree(out), "README.md": before["README.md"]} == before, "it may name the second scene"


def test_a_scene_of_which_no_clip_can_be_made_is_no_lerobot_and_told_as_failed(tmp_path, monkeypatch):
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "all").write_text("raise")
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(tmp_path / "faults"))
    plan = Plan(**plan_values(exporter="lerobot", count=2))
    for _ in range(2):
        summary = run(plan, tmp_path / "out", workers=0)
        assert (summary.finished, summary.failed) == (0, 2)
    (tmp_path / "faults" / "all").unlink()
    assert run(plan, tmp_path / "out", workers=0, retry_failed=True).finished == 2
    assert (tmp_path / "out" / "drop" / "meta" / "info.json").exists()


def test_another_request_or_format_for_a_lerobot_folder_is_refused(tmp_path):
    generated(tmp_path / "out", exporter="lerobot")
    before = tree(tmp_path / "out")
    with pytest.raises(InputError, match="count: was 10, now 11"):
        generated(tmp_path / "out", exporter="lerobot", count=11)
    with pytest.raises(InputError, match='exporter: was "lerobot", now "parquet"'):
        generated(tmp_path / "out")
    with pytest.raises(InputError, match="numbers clips throughout"):
        run(Plan(**plan_values(exporter="lerobot")), tmp_path / "new", workers=0, part=Part(1, 2))
    assert tree(tmp_path / "out") == before
