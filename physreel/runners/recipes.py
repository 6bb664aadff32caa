"""From a recipe to one data set of several scenes: checked whole, then run scene by scene."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from physreel.errors import InputError, SpecError
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.runners import local
from physreel.runners.base import RunSummary
from physreel.runners.folder import DatasetFolder
from physreel.runners.recipe_file import RecipeText, read_recipe
from physreel.runners.recipe_models import Overrides, Recipe, SceneSettings, recipe_problems, sound_part
from physreel.runners.requests import make_plan
from physreel.runners.whole import check_whole
from physreel.scenes.base import Scene
from physreel.storage import Address, open_store

_PASSED_ON = (
    "seed", "fps", "duration_s", "quality", "passes", "audio", "simulator", "video_renderer", "audio_renderer",
    "shard_size", "splits",
)  # fmt: skip
"""Settings that ``make_plan`` has under the same name."""

_HEAD = re.compile(r"([a-z_]+)(?: \((?:width|height)\))?(?:[.:]|(?= )) *(.*)", re.S)
"""How a problem begins: with the argument of ``make_plan`` that it is about."""


@dataclass(frozen=True)
class PlannedScene:
    """One scene of a recipe, ready to be run."""

    name: str
    plan: Plan
    scene: type[Scene] | None = field(default=None, repr=False)


def generate_recipe(
    recipe: str | Path | Mapping[str, Any],
    *,
    out: Address,
    progress: local.Progress | None = None,
    overrides: Mapping[str, Any] | None = None,
    run: Callable[..., RunSummary] = local.run,
    **run_options: Any,
) -> list[RunSummary]:
    """Write the data set that a recipe describes; what is there already is not made again.

    Args:
        recipe: a YAML or TOML file, or what such a file holds.
        out: folder or address; new, empty, or a data set that this recipe may go on with.
        progress: called with (done, all, failed) of all scenes together.
        overrides: settings that replace the recipe's in all scenes: {"seed": 7, "fps": 12}.
        run: what runs the plan of a scene; processes on this machine by default.
        run_options: workers, timeout_s and so on, as ``run`` has them.

    Returns:
        How each scene ended, in the recipe's order.

    Raises:
        InputError: the recipe cannot be run; all that is wrong is listed and nothing has been written.
        StorageError: the folder cannot be written to any more; the same call goes on later.
    """
    planned = plan_recipe(recipe, overrides=overrides)
    check_recipe(planned, out, retry_failed=bool(run_options.get("retry_failed")), part=run_options.get("part"))
    return run_planned(planned, out, progress=progress, run=run, **run_options)


def plan_recipe(
    recipe: str | Path | Mapping[str, Any],
    *,
    overrides: Mapping[str, Any] | None = None,
    said: Mapping[str, str] | None = None,
    problems: Iterable[str] = (),
) -> list[PlannedScene]:
    """The plan of each scene of a recipe, in its order, with its first worlds found possible.

    Args:
        recipe: a YAML or TOML file, or what such a file holds.
        overrides: settings that replace the recipe's in all scenes.
        said: how the caller calls those, for messages.
        problems: what the caller has found already.

    Raises:
        SpecError: lists all that is wrong, with path and line.
    """
    name = str(recipe) if isinstance(recipe, (str, Path)) else "the recipe"
    found, replaced = list(problems), dict[str, Any]()
    try:
        checked = Overrides.model_validate(dict(overrides or {}))
        replaced = {key: value for key in overrides or () if (value := getattr(checked, key)) is not None}
    except ValidationError as error:
        for path, line in recipe_problems(error):
            found.append(f"{(said or {}).get(path[0], '.'.join(path))}: {line}")
    try:
        if isinstance(recipe, (str, Path)):
            text = read_recipe(recipe)
        elif isinstance(recipe, Mapping):
            text = RecipeText(name, dict(recipe))
        else:
            raise InputError(f"a recipe is a file's name or a dict, got {type(recipe).__name__}")
        read = Recipe.model_validate(text.values)
    except ValidationError as error:
        found += [f"{text.place(path)}: {line}" if path else line for path, line in recipe_problems(error)]
        if (sound := sound_part(text.values, error)) is not None:
            rest = _Planner(text, sound, replaced, dict(said or {}))
            rest.plans()
            found += rest.problems
        raise SpecError(_by_line(found), what=name) from None
    except SpecError as error:
        raise SpecError([*found, *error.problems], what=name) from None
    except InputError as error:
        if not found:
            raise
        raise SpecError([*found, str(error)], what=name) from None
    planner = _Planner(text, read, replaced, dict(said or {}))
    planned = planner.plans()
    found += planner.problems
    if found:
        raise SpecError(_by_line(found), what=name)
    return planned


def _by_line(problems: Iterable[str]) -> list[str]:
    """Each problem once, in the order of the file; those without a line first."""

    def line(problem: str) -> int:
        match = re.match(r"line (\d+)", problem)
        return int(match[1]) if match else 0

    return sorted(dict.fromkeys(problems), key=line)


class _Planner:
    """Makes the plans of a recipe; what is wrong is collected, each with the place where it was written."""

    def __init__(self, text: RecipeText, recipe: Recipe, overrides: dict[str, Any], said: dict[str, str]) -> None:
        self.text, self.recipe, self.overrides, self.said = text, recipe, overrides, said
        self.problems: list[str] = []

    def plans(self) -> list[PlannedScene]:
        counts = self.recipe.counts()
        planned = [
            found for name, entry in self.recipe.scenes.items() if (found := self._scene(name, entry, counts[name]))
        ]
        ready = [one for one in planned if self._is_possible(*one)]
        entries: dict[str, str] = {}
        for entry, one in ready:
            if one.name in entries:
                self._add(
                    ("scenes", entry),
                    f"scene {one.name!r} is in the recipe already, as {entries[one.name]!r}; to have it twice, call "
                    f"one of them otherwise, such as {one.name}_2: {{scene: {one.plan.scene}, …}}",
                )
            entries.setdefault(one.name, entry)
        return [one for _, one in ready]

    def _scene(self, name: str, entry: SceneSettings, count: int) -> tuple[str, PlannedScene] | None:
        reference = name if entry.scene is None else entry.scene
        options: dict[str, Any] = {key: self._setting(entry, key) for key in _PASSED_ON}
        options = {key: value for key, value in options.items() if value is not None}
        options |= self._size(entry)
        if isinstance(splits := options.get("splits"), dict):
            options["splits"] = {split: share.model_dump() for split, share in splits.items()}
        if (exporter := self.overrides.get("exporter", self.recipe.exporter)) is not None:
            options["exporter"] = exporter
        options |= {"parameters": entry.parameters, "held_out": entry.held_out, "balance": entry.balance}
        called = None if entry.scene is None else name
        try:
            plan = make_plan(reference, count=count, name=called, **options)
        except SpecError as error:
            for line in error.problems:
                self._place(name, entry, line)
            return None
        from physreel import registry

        scene = None if isinstance(reference, str) else reference
        final = plan.name or registry.load("scenes", reference).name
        return name, PlannedScene(final, plan, scene)

    def _setting(self, entry: SceneSettings, key: str) -> Any:
        if key in self.overrides:
            return self.overrides[key]
        own = getattr(entry, key)
        return getattr(self.recipe, key) if own is None else own

    def _size(self, entry: SceneSettings) -> dict[str, int]:
        size = self._setting(entry, "size")
        if size is None:
            return {}
        width, _, height = size.partition("x")
        return {"width": int(width), "height": int(height)}

    def _place(self, name: str, entry: SceneSettings, problem: str) -> None:
        """Enter a problem that ``make_plan`` found, where its cause was written."""
        match = _HEAD.match(problem)
        head, rest = (match[1], match[2]) if match else ("", problem)
        head = {"width": "size", "height": "size"}.get(head, head)
        if head in self.overrides:
            self.problems.append(f"{self.said.get(head, head)}: {rest}")
            return
        if head not in Recipe.model_fields and head not in SceneSettings.model_fields and head != "name":
            self._add(("scenes", name), problem)
            return
        here: tuple[str, ...] = ("scenes", name, head)
        if head == "name" or (head == "scene" and entry.scene is None):
            here = ("scenes", name)  # it is the key itself
        elif getattr(entry, head, None) is None and getattr(self.recipe, head, None) is not None:
            here = (head,)  # said for all scenes
        inner, colon, message = rest.partition(": ")
        if colon and re.fullmatch(r"[A-Za-z0-9_.]+", inner):
            here, rest = (*here, *inner.split(".")), message
        self._add(here, rest)

    def _is_possible(self, entry: str, one: PlannedScene) -> bool:
        try:
            local.preflight(one.plan, one.scene)
        except SpecError as error:
            for line in error.problems:
                self._add(("scenes", entry), f"{error.what}: {line}")
        except InputError as error:
            self._add(("scenes", entry), str(error))
        else:
            return True
        return False

    def _add(self, path: tuple[str, ...], message: str) -> None:
        self.problems.append(f"{self.text.place(path)}: {message}")


def check_recipe(
    planned: Iterable[PlannedScene], out: Address, *, retry_failed: bool = False, part: Any = None
) -> None:
    """Raise InputError if ``out`` cannot hold, or go on with, all of these scenes. Writes nothing."""
    problems: list[str] = []
    for one in planned:
        pipeline = Pipeline(one.plan, scene=one.scene)
        try:
            if pipeline.exporter.of_whole:
                check_whole(one.plan, open_store(out), one.name, part=part)
            else:
                folder = DatasetFolder(out, one.name, pipeline.exporter, local.plan_record(pipeline), part=part)
                folder.check(retry_failed=retry_failed)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))


def run_planned(
    planned: Iterable[PlannedScene],
    out: Address,
    *,
    progress: local.Progress | None = None,
    run: Callable[..., RunSummary] = local.run,
    **run_options: Any,
) -> list[RunSummary]:
    """Run the plans one after the other, with one progress over all."""
    plans = list(planned)
    totals = [one.plan.count for one in plans]
    failed_before = 0
    summaries: list[RunSummary] = []
    for k, one in enumerate(plans):

        def tell(done: int, total: int, failed: int, k: int = k, lost: int = failed_before) -> None:
            totals[k] = total  # a job of an array makes a part of them
            if progress is not None:
                progress(sum(totals[:k]) + done, sum(totals), lost + failed)

        summary = run(one.plan, out, scene=one.scene, progress=None if progress is None else tell, **run_options)
        summaries.append(summary)
        failed_before += summary.failed
        if progress is not None:
            progress(sum(totals[: k + 1]), sum(totals), failed_before)
    return summaries
