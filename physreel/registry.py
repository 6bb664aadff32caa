"""Finds scenes, simulators, renderers and exporters: by name, ``module:Name``, ``file.py:Name``, or as objects.

Nothing heavy is imported before a name is asked for. An installed package adds its own by entry points in the group
of the kind, for example::

    [project.entry-points."physreel.scenes"]
    marbles = "my_package.scenes:Marbles"
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from physreel.errors import InputError

Kind = Literal["scenes", "simulators", "video_renderers", "audio_renderers", "exporters"]

KINDS: tuple[Kind, ...] = ("scenes", "simulators", "video_renderers", "audio_renderers", "exporters")

_BUILT_IN: dict[Kind, dict[str, str]] = {
    "scenes": {
        "falling": "physreel.scenes.falling:Falling",
        "pouring": "physreel.scenes.pouring:Pouring",
        "dam_break": "physreel.scenes.dam_break:DamBreak",
        "sloshing": "physreel.scenes.sloshing:Sloshing",
        "sink_or_float": "physreel.scenes.sink_or_float:SinkOrFloat",
        "draining": "physreel.scenes.draining:Draining",
        "engine": "physreel.scenes.engine:EngineScene",
        "bearing": "physreel.scenes.bearing:BearingScene",
        "gears": "physreel.scenes.gears:Gears",
        "mechanism": "physreel.scenes.mechanism:MechanismScene",
    },
    "simulators": {
        "mujoco": "physreel.simulators.mujoco:MujocoSimulator",
        "bullet": "physreel.simulators.bullet:BulletSimulator",
        "dfsph": "physreel.simulators.dfsph:DfsphSimulator",
        "splash": "physreel.simulators.splash:SplashSimulator",
    },
    "video_renderers": {
        "raytrace": "physreel.renderers.video.raytrace:RaytraceRenderer",
        "mitsuba": "physreel.renderers.video.mitsuba:MitsubaRenderer",
        "mujoco_gl": "physreel.renderers.video.mujoco_gl:MujocoGLRenderer",
    },
    "audio_renderers": {"modal": "physreel.renderers.audio.contact:ContactSoundRenderer"},
    "exporters": {
        "parquet": "physreel.exporters.parquet:ParquetExporter",
        "webdataset": "physreel.exporters.webdataset:WebDatasetExporter",
        "lerobot": "physreel.exporters.lerobot:LerobotExporter",
    },
}

_BASES: dict[Kind, tuple[str, str]] = {
    "scenes": ("physreel.scenes.base", "Scene"),
    "simulators": ("physreel.simulators.base", "Simulator"),
    "video_renderers": ("physreel.renderers.video.base", "VideoRenderer"),
    "audio_renderers": ("physreel.renderers.audio.base", "AudioRenderer"),
    "exporters": ("physreel.exporters.base", "Exporter"),
}


@dataclass(frozen=True)
class Entry:
    """One thing that can be asked for by name, and where it comes from."""

    name: str
    target: str
    built_in: bool


def entries(kind: Kind) -> list[Entry]:
    """All that is known of a kind, built in first, then installed; imports none of it."""
    known = {name: Entry(name, target, True) for name, target in _BUILT_IN[kind].items()}
    for name, target in _installed(tuple(sys.path)).get(kind, ()):
        known.setdefault(name, Entry(name, target, False))
    return list(known.values())


@lru_cache(maxsize=4)
def _installed(path: tuple[str, ...]) -> dict[Kind, list[tuple[str, str]]]:
    """Name and target of all that is installed where Python looks: ``path``, by which it is kept, for it is dear."""
    points = importlib.metadata.entry_points()
    return {kind: sorted((p.name, p.value) for p in points.select(group=f"physreel.{kind}")) for kind in KINDS}


def load(kind: Kind, reference: str | type) -> type[Any]:
    """The class that ``reference`` names: a known name, ``module:Name``, ``file.py:Name``, or the class itself.

    Raises:
        InputError: nothing by that name (with near matches), or it cannot be imported, or it is not of this kind.
    """
    if not isinstance(reference, str):
        return _checked(kind, reference, getattr(reference, "__name__", repr(reference)))
    known = {entry.name: entry.target for entry in entries(kind)}
    target = known.get(reference, reference)
    if ":" not in target:
        _installed.cache_clear()  # it may be installed by the next time that it is asked for
        raise InputError(_unknown(kind, reference, list(known)))
    module_name, _, attribute = target.rpartition(":")
    module = _from_file(module_name) if module_name.endswith(".py") else _from_module(module_name, reference)
    try:
        found = getattr(module, attribute)
    except AttributeError:
        base = _base(kind)
        there = [name for name, value in vars(module).items() if inspect.isclass(value) and issubclass(value, base)]
        there = [name for name in there if vars(module)[name] is not base]
        near = difflib.get_close_matches(attribute, there, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"{module_name} has no {attribute!r}{hint} (its {_singular(kind)} classes: {', '.join(there) or 'none'})"
        ) from None
    return _checked(kind, found, reference)


def reference_of(kind: Kind, reference: str | type) -> str:
    """How a class is recorded: its known name, else ``module:Name`` or ``file.py:Name`` as given."""
    if isinstance(reference, str):
        return reference
    for entry in entries(kind):
        if entry.target == f"{reference.__module__}:{reference.__qualname__}":
            return entry.name
    return f"{reference.__module__}:{reference.__qualname__}"


def _singular(kind: Kind) -> str:
    return kind.removesuffix("s").replace("_", " ")


def _base(kind: Kind) -> type[Any]:
    module, name = _BASES[kind]
    found: type[Any] = getattr(importlib.import_module(module), name)
    return found


def _unknown(kind: Kind, reference: str, known: list[str]) -> str:
    near = difflib.get_close_matches(reference, known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
    return (
        f"there is no {_singular(kind)} named {reference!r}.{hint} Known: {', '.join(known)}. "
        f"Your own can be given as module:Class or path/to/file.py:Class."
    )


def _from_module(name: str, reference: str) -> Any:
    # The current folder counts, as for `python -m`: people try their own scene before they package it.
    added = str(Path.cwd())
    sys.path.insert(0, added)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise InputError(
                f"cannot import {name!r} for {reference!r}: there is no such module here or installed; "
                "give a file as path/to/file.py:Class"
            ) from None
        raise InputError(f"importing {name!r} failed: {error}; install what it needs first") from None
    except Exception as error:
        raise InputError(_raised(name, error)) from None
    finally:
        sys.path.remove(added)


def _from_file(path_name: str) -> Any:
    path = Path(path_name).expanduser().resolve()
    if not path.is_file():
        siblings = [str(Path(path_name).with_name(p.name)) for p in sorted(path.parent.glob("*.py"))]
        near = difflib.get_close_matches(path_name, siblings, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"there is no file {path_name}{hint}")
    # The name is fixed by the path, so that every process gives the same module the same name.
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path_name} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(_raised(path_name, error)) from None
    finally:
        sys.path.remove(str(path.parent))
    return module


def _raised(where: str, error: Exception) -> str:
    line = ""
    trace = error.__traceback__
    while trace is not None:  # the deepest line that is in the user's file
        if Path(trace.tb_frame.f_code.co_filename).name == Path(where).name:
            line = f" line {trace.tb_lineno}"
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.lineno:
        line = f" line {error.lineno}"
    return f"{where}{line} raised {type(error).__name__}: {error}; mend it and run again"


def _checked(kind: Kind, found: Any, reference: str) -> type[Any]:
    base = _base(kind)
    if not (inspect.isclass(found) and issubclass(found, base)):
        what = f"a {type(found).__name__}" if not inspect.isclass(found) else "another kind of class"
        raise InputError(
            f"{reference!r} is {what}, not a {_singular(kind)}: derive it from {base.__module__}.{base.__name__}"
        )
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise InputError(f"{reference!r} does not define {', '.join(missing)}; {base.__name__} asks for it")
    if not isinstance(getattr(found, "name", None), str):
        raise InputError(f'{reference!r} has no name; add the class attribute name = "…"')
    return found
