"""The interface of video renderers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import ClassVar

from physreel.errors import UnsupportedError
from physreel.spec import Camera, SceneSpec
from physreel.values import PASSES, Trajectory, View
from physreel.values.clip import PassName


class VideoRenderer(ABC):
    """Films a trajectory. The same spec and trajectory give the same bytes; cameras are independent of each other."""

    name: ClassVar[str]
    passes: ClassVar[frozenset[PassName]] = frozenset(PASSES)
    """The passes this renderer can make."""

    def require_passes(self, passes: Collection[str]) -> None:
        """Raise UnsupportedError if this renderer cannot make one of the passes."""
        lacking = [repr(name) for name in passes if name not in self.passes]
        if lacking:
            made = ", ".join(name for name in PASSES if name in self.passes)
            more = "" if len(self.passes) == len(PASSES) else "; the renderer 'raytrace' makes every pass"
            raise UnsupportedError(f"{self.name} cannot make {', '.join(lacking)}; it makes {made}{more}")

    @abstractmethod
    def render(
        self, spec: SceneSpec, trajectory: Trajectory, camera: Camera, passes: Collection[PassName] = PASSES
    ) -> View:
        """Film all T frames with one camera; the view holds exactly the passes asked for (see values.View).

        Raises:
            UnsupportedError: a pass or something in the spec is beyond this renderer.
            MissingDependencyError: a library or driver is not there; the message says how to get it.
        """
