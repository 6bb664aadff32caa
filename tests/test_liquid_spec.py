"""Liquids in specs, requests, engine choice and storage."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from liquid_worlds import moving, track
from pydantic import ValidationError
from sample_builders import TestOutcome, make_sample

from physreel import registry
from physreel.errors import SpecError, UnsupportedError
from physreel.exporters.base import ExportContext
from physreel.exporters.parquet import ParquetExporter
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.runners.requests import make_plan
from physreel.scenes.base import ClipSettings
from physreel.simulators.base import required_capabilities
from physreel.spec import LIQUIDS, Body, Fluid, Liquid, LiquidLook, SceneSpec, Sphere, VesselFill
from physreel.testing import small_float, small_pour, small_world
from physreel.values import LiquidImpacts, Signal

LOOK = LiquidLook(color=(0.5, 0.5, 0.5))


def test_specs_with_liquids_round_trip_and_those_without_do_not_speak_of_them():
    spec = small_pour(liquid="honey")
    assert SceneSpec.from_json(spec.to_json()) == spec
    assert '"fluids"' not in small_world().to_json()
    assert "particle_spacing_m" not in small_world().model_dump()


def test_every_liquid_has_figures_and_a_source():
    assert {"water", "milk", "olive oil", "maple syrup", "honey"} <= LIQUIDS.keys()
    for liquid in LIQUIDS.values():
        assert liquid.source
        assert 800 < liquid.density_kg_m3 < 1500
        assert 5e-4 < liquid.viscosity_pa_s < 50
        assert 0.02 < liquid.surface_tension_n_m < 0.09


def test_the_specs_own_liquid_goes_first():
    thick = Liquid(name="water", density_kg_m3=1000, viscosity_pa_s=5.0, surface_tension_n_m=0.07, look=LOOK)
    spec = small_pour().model_copy(update={"liquids": (thick,)})
    assert spec.liquid("water").viscosity_pa_s == 5.0
    assert spec.liquid("milk") is LIQUIDS["milk"]


@pytest.mark.parametrize("viscosity", [0.0, -1.0, float("nan")])
def test_a_viscosity_that_is_not_above_zero_is_refused(viscosity):
    with pytest.raises(ValidationError, match="viscosity_pa_s"):
        Liquid(name="x", density_kg_m3=1000, viscosity_pa_s=viscosity, surface_tension_n_m=0.07, look=LOOK)


def test_all_that_is_wrong_with_liquids_is_told_at_once():
    data = small_pour().model_dump()
    data["fluids"][0]["liquid"] = "watre"
    data["fluids"][0]["fills"][0]["vessel"] = "floor"
    data["particle_spacing_m"] = None
    with pytest.raises(ValidationError) as caught:
        SceneSpec.model_validate(data)
    said = str(caught.value)
    assert "no liquid named 'watre'; use one of" in said
    assert "no vessel or tank named 'floor'" in said
    assert "particle_spacing_m: a spec with fluids must say" in said


def test_two_fluids_of_one_name_are_refused():
    spec = small_pour()
    with pytest.raises(ValidationError, match="fluids: the name 'drink' is used more than once"):
        SceneSpec.model_validate(spec.model_dump() | {"fluids": spec.fluids * 2})


def test_what_a_world_asks_of_its_engine():
    assert required_capabilities(small_world()) == {"rigid"}
    assert required_capabilities(small_pour()) == {"liquids", "driven"}
    stone = Body(name="stone", shape=Sphere(radius_m=0.01), material="marble", position_m=(0.3, 0.0, 0.1))
    both = small_pour().model_copy(update={"bodies": (*small_pour().bodies, stone)})
    assert required_capabilities(both) == {"liquids", "driven", "two_way"}


def test_quality_reaches_the_scene_and_misspelt_it_is_refused():
    plan = make_plan("falling", count=1, quality="draft")
    assert Pipeline(plan).scene.clip.quality == "draft"
    assert ClipSettings().quality == "standard"
    with pytest.raises(SpecError, match=r"--quality: Input should be 'draft', 'standard' or 'fine' \(got 'drafty'\)"):
        make_plan("falling", count=1, quality="drafty", said={"quality": "--quality"})


@pytest.mark.parametrize(("quality", "name"), [("draft", "dfsph"), ("standard", "dfsph"), ("fine", "splash")])
def test_quality_chooses_the_engine_of_liquids(quality, name, monkeypatch):
    made = []
    monkeypatch.setattr(Pipeline, "_simulator", lambda self, name: made.append(name))
    clip = ClipSettings(quality=quality)
    pipeline = Pipeline(Plan(scene="falling", count=1, clip=clip))
    pipeline.simulator_for(small_pour())
    pipeline.simulator_for(small_world())
    assert made == [name, "mujoco"]


def test_a_broken_plug_in_does_not_keep_the_reference_from_its_liquids(monkeypatch):
    entries = registry.entries
    broken = registry.Entry("broken", "no_such_module:Engine", False)
    monkeypatch.setattr(registry, "entries", lambda kind: [*entries(kind), *[broken] * (kind == "simulators")])
    monkeypatch.setattr(Pipeline, "_simulator", lambda self, name: name)
    pipeline = Pipeline(Plan(scene="falling", count=1, clip=ClipSettings(quality="fine")))
    assert pipeline.simulator_for(small_pour()) == "splash"
    assert pipeline.simulator_for(small_float()) == "dfsph"


def test_an_engine_that_knows_no_liquids_refuses_them_by_name():
    pipeline = Pipeline(Plan(scene="falling", count=1, simulator="mujoco"))
    with pytest.raises(UnsupportedError, match=r"'mujoco' cannot do liquids, .*those that can: dfsph, splash"):
        pipeline.simulator_for(small_pour())


def test_fluids_and_signals_are_columns(tmp_path):
    spec = small_pour()
    more = Fluid(name="more", liquid="milk", fills=(VesselFill(vessel="glass", level_m=0.01),))
    spec = spec.model_copy(update={"fluids": (*spec.fluids, more)})
    positions = np.zeros((spec.frame_count + 1, 5, 3), np.float32)
    fluid = np.array([0, 0, 0, 1, 1], np.int32)
    level = Signal(values=np.linspace(0.0, 0.05, 9), rate_hz=240.0, unit="m")
    trajectory = moving(spec, track(positions, 0.01, fluid=fluid), {"level:glass": level})
    sample = make_sample()
    sample = type(sample)(**{**vars(sample), "spec": spec, "trajectory": trajectory})
    exporter = ParquetExporter(ExportContext(scene="by_hand", outcome_type=TestOutcome, passes=("rgb",), audio=False))
    exporter.write_shard([exporter.encode(_one_view(sample, spec))], tmp_path / "a.parquet")
    row = pq.read_table(tmp_path / "a.parquet").to_pylist()[0]
    assert [(f["name"], f["particle_count"], f["segmentation_id"]) for f in row["fluids"]] == [
        ("drink", 3, 4),
        ("more", 2, 5),
    ]
    assert row["fluids"][0]["volume_m3"] == pytest.approx(3e-6)
    assert row["signals"] == [{"name": "level:glass", "unit": "m", "rate_hz": 240.0, "values": level.values.tolist()}]
    assert SceneSpec.from_json(row["spec"]) == spec


def _one_view(sample, spec):
    camera = spec.cameras[0].name
    views = tuple(type(view)(**{**vars(view), "camera": camera}) for view in sample.clip.views[:1])
    return type(sample)(**{**vars(sample), "clip": type(sample.clip)(fps=sample.clip.fps, views=views)})


def test_tables_of_liquids_hold_their_shapes():
    with pytest.raises(ValueError, match=r"impacts.point_m has shape \(1, 2\), expected \(1, 3\)"):
        LiquidImpacts(**{**vars(LiquidImpacts.empty()), "time_s": [0.0], "point_m": [[0.0, 0.0]]})
    run = track(np.zeros((3, 4, 3), np.float32), 0.01)
    assert (len(run), run.particle_volume_m3) == (4, pytest.approx(1e-6))
    assert not run.position_m.flags.writeable


def test_the_registry_knows_both_engines():
    names = [entry.name for entry in registry.entries("simulators")]
    assert names.index("dfsph") < names.index("splash")
