"""Every registered plug-in goes through the checks that anybody's can be put through, and the checks find faults."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from physreel import registry
from physreel.errors import CheckError, MissingDependencyError
from physreel.scenes.falling import Falling
from physreel.simulators.base import Simulator
from physreel.simulators.liquid_record import LiquidRecorder, driven_poses
from physreel.simulators.liquid_start import start_liquids
from physreel.testing import check_scene, check_simulator, run_checks
from physreel.testing.report import Report
from physreel.testing.simulators import _check_two_way

# What these hold others hold too: a pour, Mitsuba at one ray a pixel (tests/test_mitsuba.py), tests/test_splash.py.
DEAR = {
    ("video_renderers", "mitsuba"),
    ("simulators", "splash"),
    *(("scenes", name) for name in ("dam_break", "draining", "sink_or_float", "sloshing")),
}
ALL = [
    pytest.param(*each, id="-".join(each), marks=[pytest.mark.thorough] if each in DEAR else [])
    for each in ((kind, entry.name) for kind in registry.KINDS for entry in registry.entries(kind))
]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_registered_plug_in_holds_its_contract(kind, name):
    if name == "bullet" and sys.version_info >= (3, 12):
        pytest.skip("pybullet has no wheels for this Python")
    try:
        passed = run_checks(kind, name)
    except MissingDependencyError as error:
        pytest.skip(f"{name}: {error}")
    assert len(passed) >= 3


def test_a_scene_that_uses_the_global_generator_is_found_out():
    class Careless(Falling):
        """Falling, but careless."""

        def sample(self, rng):
            return super().sample(np.random.default_rng(int(np.random.randint(1000))))  # noqa: NPY002

    with pytest.raises(CheckError, match="global generator"):
        check_scene(Careless)


def test_a_scene_that_ignores_its_clip_settings_is_found_out():
    class Stubborn(Falling):
        """Falling, but always for two seconds."""

        def sample(self, rng):
            return super().sample(rng).model_copy(update={"duration_s": 2.0})

    with pytest.raises(CheckError, match="obeys its clip settings"):
        check_scene(Stubborn)


@pytest.mark.parametrize(
    ("kind", "name", "method", "said"),
    [
        ("simulators", "dfsph", "simulate", "runs a small pour: raised RuntimeError: it broke"),
        ("video_renderers", "raytrace", "render", "films a small world from two sides: raised RuntimeError"),
        ("audio_renderers", "modal", "render", "records a small world: raised RuntimeError"),
    ],
)
def test_a_plug_in_that_fails_at_once_is_reported_with_all_that_failed(kind, name, method, said):
    def breaks(*arguments):
        raise RuntimeError("it broke")

    broken = type("Broken", (registry.load(kind, name),), {"__doc__": "Always raises.", method: breaks})
    with pytest.raises(CheckError, match=said):
        run_checks(kind, broken)


def test_an_engine_whose_bodies_do_not_feel_the_liquid_is_found_out():
    class OneWay(Simulator):
        """Bodies fall as if there were nothing, liquid stays where it starts."""

        name = "one_way"
        capabilities = frozenset({"liquids", "two_way"})

        def check(self, spec):
            pass

        def simulate(self, spec):
            start = start_liquids(spec)
            recorder = LiquidRecorder(spec, spacing_m=start.spacing_m, fluid=start.fluid)
            still, there = np.zeros_like(start.position_m), np.ones(len(start), bool)
            for k in range(recorder.sample_count):
                recorder.sample(recorder.time_s(k), start.position_m, still, there, driven_poses(spec, 0.0))
            dry = registry.load("simulators", "mujoco")().simulate(spec.model_copy(update={"fluids": ()}))
            return replace(dry, liquid=recorder.finish().track)

    report = Report("an engine")
    _check_two_way(report, OneWay())
    with pytest.raises(CheckError) as error:
        report.done()
    for failed in ("the cork ball is 18 mm above the floor", "mm deep in 'cork'"):
        assert failed in str(error.value)


def test_a_simulator_without_gravity_is_found_out():
    mujoco = registry.load("simulators", "mujoco")

    class Weightless(mujoco):
        """Forgets gravity."""

        def simulate(self, spec):
            return super().simulate(spec.model_copy(update={"gravity_m_s2": (0.0, 0.0, 0.0)}))

    with pytest.raises(CheckError, match="lets things fall"):
        check_simulator(Weightless)
