"""The interface of scenes."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from physreel.scenes.parameters import SceneParameters
from physreel.spec import SceneSpec, SpecModel
from physreel.values import Event, Outcome, Question, Trajectory

GRAVITY_M_S2 = -SceneSpec.model_fields["gravity_m_s2"].default[2]
"""What things fall by where a scene says nothing else."""

Quality = Literal["draft", "standard", "fine"]


class ClipSettings(SpecModel):
    """How long, how large and how fine a clip is; a scene puts these into its spec.

    ``quality`` decides how finely liquids are divided, and by which engine they are moved (docs/simulators.md); scenes
    without liquids are the same at each.
    """

    width: Annotated[int, Field(ge=16, le=4096)] = 256
    height: Annotated[int, Field(ge=16, le=4096)] = 256
    fps: Annotated[int, Field(ge=1, le=240)] = 24
    duration_s: Annotated[float, Field(gt=0.0, le=120.0)] = 3.0
    quality: Quality = "standard"


class Scene(ABC):
    """A kind of world: its parameters, how one is drawn, and what came out of it.

    A subclass gives ``name``, ``outcome_type``, ``sample`` and ``outcome``; ``headline``, the outcome field that one
    would predict first (``physreel audit`` looks for shortcuts to it); for parameters a class ``Parameters``; for
    better words than the general ones ``caption`` and ``questions``; where the outcome depends on what would have
    been, ``alternatives`` and ``compared_outcome``. Raise ``version`` whenever samples change.

    Instances are made as ``Marbles(height_m=(0.2, 0.4), clip=ClipSettings(fps=30))`` and hold no other state.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    domains: ClassVar[tuple[str, ...]] = ("newtonian",)
    outcome_type: ClassVar[type[Outcome]]
    headline: ClassVar[str | None] = None
    Parameters: ClassVar[type[SceneParameters]] = SceneParameters
    default_clip: ClassVar[ClipSettings] = ClipSettings()

    def __init__(self, *, clip: ClipSettings | None = None, **parameters: Any) -> None:
        self.clip = self.default_clip if clip is None else clip
        self.parameters = self.Parameters.read(self.name, parameters)

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw a world. All randomness comes from ``rng``: the same generator state gives an equal spec."""

    @abstractmethod
    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> Outcome:
        """Read off the trajectory what happened: an instance of ``outcome_type``. Never from what was intended."""

    def alternatives(self, spec: SceneSpec) -> Mapping[str, SceneSpec]:
        """Changed worlds, by name, that the outcome has to know about: a machine with a part renewed.

        They follow from the spec alone, and are simulated as it is, but neither filmed nor recorded.
        """
        return {}

    def compared_outcome(self, spec: SceneSpec, trajectory: Trajectory, others: Mapping[str, Trajectory]) -> Outcome:
        """The outcome beside what happened in the alternatives (by name); asked for only where there are any."""
        return self.outcome(spec, trajectory)

    def caption(
        self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]
    ) -> str | None:
        """What happens, in plain English; None for the general caption made from the events."""
        return None

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """Questions of the scene's own, beside the general ones. None may be answerable from its text alone."""
        return ()

    @classmethod
    def summary(cls) -> str:
        """The first line of the class docstring."""
        return (inspect.getdoc(cls) or "").split("\n", 1)[0]
