"""What anybody's scene, simulator, renderer or exporter can be put through; our own go through it too.

In a test::

    from physreel.testing import check_scene
    def test_marbles():
        check_scene(Marbles)

or from the shell: ``physreel check my_scenes.py:Marbles``. Each function runs every check it has and raises CheckError
with all that failed; it returns the names of those that held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from physreel import registry
from physreel.testing.exporters import check_exporter
from physreel.testing.renderers import check_audio_renderer, check_video_renderer
from physreel.testing.scenes import check_scene
from physreel.testing.simulators import check_simulator
from physreel.testing.worlds import small_float, small_pour, small_world

__all__ = [
    "check_audio_renderer",
    "check_exporter",
    "check_scene",
    "check_simulator",
    "check_video_renderer",
    "run_checks",
    "small_float",
    "small_pour",
    "small_world",
]

_CHECKS: dict[registry.Kind, Callable[[Any], tuple[str, ...]]] = {
    "scenes": check_scene,
    "simulators": check_simulator,
    "video_renderers": check_video_renderer,
    "audio_renderers": check_audio_renderer,
    "exporters": check_exporter,
}


def run_checks(kind: registry.Kind, reference: str | type) -> tuple[str, ...]:
    """The checks of a kind on anything the registry finds; CheckError with all that failed."""
    return _CHECKS[kind](reference)
