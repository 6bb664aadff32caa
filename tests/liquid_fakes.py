"""A scene of a little water in a glass, and engines of liquids that crash or hang in it, on demand (see fakes.py)."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

import numpy as np
from pydantic import Field

from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.parameters import FloatRange, SceneParameters, float_range
from physreel.simulators.dfsph import DfsphSimulator
from physreel.simulators.splash import SplashSimulator
from physreel.spec import Body, Camera, CameraKeyframe, Fluid, Plane, SceneSpec, Vessel, VesselFill
from physreel.values import Outcome


class GlassOutcome(Outcome):
    """What is in the glass at the end."""

    volume_l: float = Field(description="volume at the end")


class Glass(Scene):
    """Some 60 particles of water at rest."""

    name = "glass"
    outcome_type = GlassOutcome
    default_clip = ClipSettings(width=32, height=24, fps=10, duration_s=0.1)

    class Parameters(SceneParameters):
        """The level."""

        level_m: FloatRange = float_range(0.02, 0.03, allowed=(0.01, 0.04), unit="m", description="height of the water")

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """One glass on a floor."""
        drawn = self.parameters.draw(rng)
        shape = Vessel(profile_m=((0.0, 0.006), (0.022, 0.006), (0.024, 0.05)), wall_m=0.004)
        water = VesselFill(vessel="glass", level_m=drawn["level_m"])
        keys = (CameraKeyframe(position_m=(0.0, -0.5, 0.2), look_at_m=(0.0, 0.0, 0.03)),)
        return SceneSpec(
            scene=self.name, duration_s=self.clip.duration_s, fps=self.clip.fps,
            bodies=(Body(name="floor", shape=Plane(), material="oak", motion="static"),
                    Body(name="glass", shape=shape, material="glass", motion="static")),
            fluids=(Fluid(name="water", liquid="water", fills=(water,)),),
            particle_spacing_m=0.009,
            cameras=(Camera(width=self.clip.width, height=self.clip.height, keyframes=keys),), parameters=drawn,
        )  # fmt: skip

    def outcome(self, spec, trajectory) -> GlassOutcome:
        """The volume."""
        return GlassOutcome(volume_l=1e3 * float(trajectory.signals["volume:glass"].values[-1]))


def fault_name(spec: SceneSpec) -> str:
    """What the file is called that misleads the engine in this world."""
    return f"{spec.fluids[0].fills[0].level_m * 1e6:.0f}"


class FaultySplash(SplashSimulator):
    """Its engine goes wrong inside its own process."""

    def __init__(self) -> None:
        super().__init__(worker="splash_faults", hang_s=3.0)


class FaultyDfsph(DfsphSimulator):
    """It goes wrong in the process that makes samples."""

    def simulate(self, spec):
        """As the file says."""
        path = Path(os.environ["PHYSREEL_TEST_FAULTS"]) / fault_name(spec)
        fault = path.read_text() if path.exists() else ""
        if fault == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "hang":
            time.sleep(600)
        if fault == "hang in C":
            ctypes.PyDLL(None).pause()  # no turn for Python's threads
        return super().simulate(spec)
