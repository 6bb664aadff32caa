"""``physreel audit``: what is wrong with a data set before anybody trains on it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from physreel.audit.thresholds import Thresholds, option, threshold_problems
from physreel.cli.errors import guarded
from physreel.cli.options import app

if TYPE_CHECKING:
    from physreel.audit.parameters import Declared


def audit(
    dataset: Annotated[str, typer.Argument(help="Folder or address of a data set.")],
    scene: Annotated[str | None, typer.Option("--scene", help="Only this scene.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label", help="Outcome field to look for shortcuts to, by default the scene's headline; several times."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many rows of each scene.")] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="[SCENE:]CUE",
            help="A cue that may tell the label, such as 'object count'; several times.",
        ),
    ] = None,
    shortcuts: Annotated[
        bool, typer.Option("--shortcuts/--no-shortcuts", help="Look for shortcuts; needs scikit-learn.")
    ] = True,
    **thresholds: float,
) -> None:
    """Report label balance, duplicates, gaps, dead media and shortcuts; exit code 4 beyond a threshold."""

    def command() -> None:
        import json

        from physreel.audit.report import printable
        from physreel.audit.run import audit as audit_it
        from physreel.audit.run import request_problems
        from physreel.errors import CheckError, InputError

        if problems := [*threshold_problems(thresholds), *request_problems(limit, ignore or ())]:
            raise InputError("the audit cannot be made:\n" + "\n".join(f"  - {line}" for line in problems))
        plans = plans_of(dataset)
        report = audit_it(
            dataset,
            scene=scene,
            labels=label or (),
            limit=limit,
            thresholds=Thresholds(**thresholds),
            ignore=ignore or (),
            shortcuts=shortcuts,
            headlines=headlines(plans),
            declared=declared(plans),
        )
        if as_json:
            print(json.dumps(report.to_json(), indent=2), flush=True)
        else:
            # At once, so that in a log of both streams the report stands above what is said of it.
            print(report.to_text(), flush=True)
        if report.faults:
            lines = "\n".join(f"  - {printable(where)}: {found.check}" for where, found in report.faults)
            raise CheckError(f"{len(report.faults)} findings beyond their thresholds\n{lines}")

    guarded(command)


def plans_of(dataset: str) -> dict[str, dict[str, Any]]:
    """By the name that a scene has in the data set, its plan."""
    from physreel.manifest import read_manifest

    return {line["scene"]: line["plan"] for line in read_manifest(dataset) if line["kind"] == "plan"}


def _scene(name: str) -> Any:
    """The scene's class; None where it is not installed here (a data set may come from anywhere)."""
    from physreel import registry
    from physreel.errors import PhysreelError

    # Only names that are installed: a data set must not make us run a file that it names.
    if name not in {entry.name for entry in registry.entries("scenes")}:
        return None
    try:
        return registry.load("scenes", name)
    except PhysreelError:
        return None


def headlines(plans: Mapping[str, dict[str, Any]]) -> dict[str, str | None]:
    """By scene, the outcome field that one would predict first; None where the scene is not installed here."""
    return {name: getattr(_scene(plan["scene"]), "headline", None) for name, plan in plans.items()}


def declared(plans: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Declared]]:
    """What each parameter was drawn from, by scene: the scene's default, or what the request put in its place."""
    from physreel.errors import PhysreelError

    found: dict[str, dict[str, Declared]] = {}
    for name, plan in plans.items():
        scene = _scene(plan["scene"])
        if scene is None:
            continue
        try:
            given = plan.get("parameters") or {}
            # A split may have a region of its own; the data set has all of them.
            regions = [given | own for own in (plan.get("split_parameters") or {}).values()] or [given]
            if set(plan["splits"]) - set(plan.get("split_parameters") or {}):
                regions.append(given)
            drawn = [scene.Parameters.read(name, dict(region)) for region in regions]
        except (PhysreelError, TypeError, ValueError, AttributeError):  # of another version of the scene, or hostile
            continue
        own = {field: _united([getattr(values, field) for values in drawn]) for field in type(drawn[0]).model_fields}
        found[name] = {field: value for field, value in own.items() if value is not None}
    return found


def _united(values: list[Any]) -> Declared | None:
    from physreel.audit.parameters import Declared
    from physreel.scenes.parameters import Choice, FloatRange, IntRange

    if all(isinstance(value, Choice) for value in values):
        return Declared(choices=tuple(dict.fromkeys(item for value in values for item in value.values)))
    if all(isinstance(value, (FloatRange, IntRange)) for value in values):
        low, high = min(value.low for value in values), max(value.high for value in values)
        return Declared(low, high, whole=isinstance(values[0], IntRange))
    return None


def _with_thresholds() -> Any:
    """The command with an option for each threshold, so that there is one list of them."""
    shown = inspect.signature(audit, eval_str=True)
    own = [parameter for parameter in shown.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    for each in dataclasses.fields(Thresholds):
        about = typer.Option(option(each.name), help=f"Limit of: {each.metadata['what']}.")
        own.append(
            inspect.Parameter(
                each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=Annotated[float, about]
            )
        )
    audit.__signature__ = shown.replace(parameters=own)  # type: ignore[attr-defined]
    audit.__annotations__ = {parameter.name: parameter.annotation for parameter in own} | {"return": None}
    return audit


app.command("audit")(_with_thresholds())
