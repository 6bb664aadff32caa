"""What a manifest says of a scene, as values: its plan, all its shards, and how they are stored."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import ValidationError

from physreel import registry
from physreel.errors import InputError
from physreel.exporters.base import ExportContext, Exporter
from physreel.plan import Plan
from physreel.runners.base import Shard, shards_of
from physreel.runners.given import GivenOutcome


class Recorded:
    """A scene of a data set by its manifest's plan line.

    Raises:
        InputError: this version of physreel does not understand what was asked for.
    """

    def __init__(self, plan_line: dict[str, Any]) -> None:
        self.line = plan_line
        self.scene: str = plan_line["scene"]
        self.record = {name: value for name, value in plan_line.items() if name not in ("kind", "scene")}
        try:
            self.plan = Plan(**plan_line["plan"])
        except (ValidationError, TypeError, KeyError) as error:
            raise InputError(
                f"what was asked for of scene {self.scene!r} is not understood by this version of physreel "
                f"(it was written by {plan_line.get('physreel')}): {' '.join(str(error).split())[:200]}"
            ) from None

    @cached_property
    def exporter(self) -> Exporter:
        """Knows names and what describes the whole; not the columns, for the scene's class is not looked for."""
        kind: type[Exporter] = registry.load("exporters", self.plan.exporter)
        return kind(
            ExportContext(scene=self.scene, outcome_type=GivenOutcome, passes=self.plan.passes, audio=self.plan.audio)
        )

    @cached_property
    def shards(self) -> list[Shard]:
        """All shards that the plan has."""
        return shards_of(self.plan, self.scene)

    @cached_property
    def names(self) -> dict[str, Shard]:
        """All shards by the name of their file."""
        return {self.exporter.shard_path(shard.split, shard.number, shard.count): shard for shard in self.shards}


def plans_of(lines: list[dict[str, Any]]) -> list[Recorded]:
    """The scenes of a manifest, in order."""
    return [Recorded(line) for line in lines if line["kind"] == "plan"]
