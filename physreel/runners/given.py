"""A world that is given, not drawn, as a scene: so that a spec file goes through the same pipeline."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from physreel.scenes.base import Scene
from physreel.spec import SceneSpec
from physreel.values import Outcome, Trajectory


class GivenOutcome(Outcome):
    """A given world has no outcome of its own; what happened is in its events."""

    frame_count: int = Field(description="frames of the clip")


def given_world(text: str | bytes) -> type[Scene]:
    """The scene whose every sample is the spec in this JSON; SpecError lists what is wrong with it."""
    spec = SceneSpec.from_json(text)

    class GivenWorld(Scene):
        """The world of a spec file."""

        name = spec.scene
        outcome_type = GivenOutcome

        def sample(self, rng: np.random.Generator) -> SceneSpec:
            return spec

        def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> GivenOutcome:
            return GivenOutcome(frame_count=trajectory.frame_count)

    return GivenWorld
