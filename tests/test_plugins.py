"""Every registered plug-in goes through the checks that anybody's can be put through, and the checks find faults."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from physreel import registry
from physreel.errors import CheckError, MissingDependencyError
from physreel.scenes.falling import Falling
from physreel.testing import check_scene, check_simulator, run_checks

ALL = [(kind, entry.name) for kind in registry.KINDS for entry in registry.entries(kind)]


@pytest.mark.parametrize(("kind", "name"), ALL, ids=[f"{kind}-{name}" for kind, name in ALL])
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


def test_a_simulator_without_gravity_is_found_out():
    mujoco = registry.load("simulators", "mujoco")

    class Weightless(mujoco):
        """Forgets gravity."""

        def simulate(self, spec):
            return super().simulate(spec.model_copy(update={"gravity_m_s2": (0.0, 0.0, 0.0)}))

    with pytest.raises(CheckError, match="lets things fall"):
        check_simulator(Weightless)
