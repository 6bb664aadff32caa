"""The interface of audio renderers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from physreel.spec import SceneSpec
from physreel.values import Audio, Trajectory


class AudioRenderer(ABC):
    """Records a trajectory at the spec's microphones. The same spec and trajectory give the same samples."""

    name: ClassVar[str]

    @abstractmethod
    def render(self, spec: SceneSpec, trajectory: Trajectory) -> Audio:
        """Record the whole clip: (duration × 48000, one channel a microphone of the spec), see values.Audio."""
