"""Synthetic clips whose physics is known. Everything here is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from physreel.errors import InputError as InputError
    from physreel.errors import PhysreelError as PhysreelError
    from physreel.errors import SimulationError as SimulationError
    from physreel.errors import SpecError as SpecError
    from physreel.plan import Balance as Balance
    from physreel.plan import Plan as Plan
    from physreel.runners.base import RunSummary as RunSummary
    from physreel.runners.local import run as run
    from physreel.runners.recipes import generate_recipe as generate_recipe
    from physreel.runners.requests import generate as generate
    from physreel.runners.requests import make_plan as make_plan
    from physreel.runners.requests import sample as sample
    from physreel.scenes.base import ClipSettings as ClipSettings
    from physreel.scenes.base import Scene as Scene
    from physreel.scenes.parameters import Choice as Choice
    from physreel.scenes.parameters import FloatRange as FloatRange
    from physreel.scenes.parameters import IntRange as IntRange
    from physreel.scenes.parameters import SceneParameters as SceneParameters
    from physreel.scenes.parameters import choice as choice
    from physreel.scenes.parameters import float_range as float_range
    from physreel.scenes.parameters import int_range as int_range
    from physreel.spec import SceneSpec as SceneSpec
    from physreel.values import Clip as Clip
    from physreel.values import Event as Event
    from physreel.values import Outcome as Outcome
    from physreel.values import Question as Question
    from physreel.values import Sample as Sample
    from physreel.values import Trajectory as Trajectory

_HOMES = {
    "physreel.errors": ("InputError", "PhysreelError", "SimulationError", "SpecError"),
    "physreel.plan": ("Balance", "Plan"),
    "physreel.runners.base": ("RunSummary",),
    "physreel.runners.local": ("run",),
    "physreel.runners.recipes": ("generate_recipe",),
    "physreel.runners.requests": ("generate", "make_plan", "sample"),
    "physreel.scenes.base": ("ClipSettings", "Scene"),
    "physreel.scenes.parameters": (
        "Choice",
        "FloatRange",
        "IntRange",
        "SceneParameters",
        "choice",
        "float_range",
        "int_range",
    ),
    "physreel.spec": ("SceneSpec",),
    "physreel.values": ("Clip", "Event", "Outcome", "Question", "Sample", "Trajectory"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME_OF), "__version__"]  # noqa: PLE0605, RUF100


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        import importlib.metadata

        return importlib.metadata.version("physreel")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'physreel' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
