"""What the audit asks of scenes: their headline, and what their parameters were drawn from."""

from __future__ import annotations

import pytest
from audit_builders import clean_rows, write
from fakes import Drop

from physreel import registry
from physreel.cli.commands.audit import declared, headlines, plans_of
from physreel.errors import CheckError, InputError
from physreel.manifest import FORMAT, manifest_line
from physreel.testing.scenes import check_scene

SCENES = [entry.name for entry in registry.entries("scenes") if entry.built_in]


@pytest.mark.parametrize("name", SCENES)
def test_each_scene_names_a_plain_field_of_its_outcome(name):
    scene = registry.load("scenes", name)
    field = scene.outcome_type.model_fields[scene.headline]
    assert field.description


def test_a_headline_that_is_no_outcome_fails_the_check():
    class Wrong(Drop):
        """A ball falls."""

        headline = "hight_m"

        def sample(self, rng):
            raise RuntimeError("enough for this test")

    with pytest.raises(CheckError, match=r"headline 'hight_m' is no field of DropOutcome; it has height_m"):
        check_scene(Wrong)


def _plan(folder, name, **plan):
    record = {"kind": "plan", "scene": name, "plan": {"splits": {"train": 0.8, "test": 0.2}} | plan}
    (folder / "manifest.jsonl").write_text(manifest_line(FORMAT) + manifest_line(record))


def test_a_scene_under_another_name_keeps_its_headline_and_ranges(tmp_path):
    _plan(tmp_path, "low_falls", scene="falling", parameters={"drop_height_m": "0.1..0.3"})
    assert headlines(plans_of(str(tmp_path))) == {"low_falls": "left_support_count"}
    own = declared(plans_of(str(tmp_path)))["low_falls"]
    assert (own["drop_height_m"].low, own["drop_height_m"].high) == (0.1, 0.3)
    assert own["object_count"].whole
    assert own["furniture"].choices == ("table", "shelf", "none")


def test_regions_of_splits_make_one_range(tmp_path):
    held = {"train": {"drop_height_m": "0.1..0.3"}, "test": {"drop_height_m": "0.6..0.9"}}
    _plan(tmp_path, "falling", scene="falling", parameters={}, split_parameters=held)
    own = declared(plans_of(str(tmp_path)))["falling"]["drop_height_m"]
    assert (own.low, own.high) == (0.1, 0.9)


def test_a_data_set_cannot_make_the_audit_run_a_file_that_it_names(tmp_path):
    trap = tmp_path / "trap.py"
    trap.write_text("raise SystemExit('run')\n")
    _plan(tmp_path, "trap", scene=f"{trap}:Trap", parameters={})
    assert headlines(plans_of(str(tmp_path))) == {"trap": None}
    assert declared(plans_of(str(tmp_path))) == {}


def test_a_scene_that_is_not_installed_is_audited_all_the_same(tmp_path):
    folder = str(write(tmp_path, clean_rows(3)))
    assert headlines(plans_of(folder)) == {"by_hand": None}


@pytest.mark.parametrize("plan", [5, {}, {"scene": ["x"], "splits": {}}, {"scene": "falling", "splits": 3}])
def test_a_manifest_of_nonsense_is_told_in_words(tmp_path, plan):
    record = {"kind": "plan", "scene": "falling", "plan": plan}
    shard = {"kind": "shard", "scene": "falling", "split": "train", "shard": 0, "file": "x.parquet", "rows": 1}
    (tmp_path / "manifest.jsonl").write_text("".join(map(manifest_line, (FORMAT, record, shard))))
    with pytest.raises(InputError, match="is damaged: what was asked for of scene 'falling' cannot be read"):
        headlines(plans_of(str(tmp_path)))


@pytest.mark.parametrize("given", [{"parameters": 7}, {"parameters": {"drop_height_m": []}}, {"split_parameters": 1}])
def test_a_request_of_nonsense_leaves_the_ranges_to_what_occurs(tmp_path, given):
    _plan(tmp_path, "falling", scene="falling", **given)
    assert declared(plans_of(str(tmp_path))) == {}
