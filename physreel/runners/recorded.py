"""What a manifest says of a scene, as values: its plan, all its shards, and how they are stored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from physreel import registry
from physreel.errors import InputError
from physreel.exporters.base import ExportContext, Exporter
from physreel.plan import Plan
from physreel.runners.base import Shard, Shards, shards_of
from physreel.runners.given import GivenOutcome

_NUMBER = re.compile(r"-(\d{1,12})-of-\d+\.[^/]*$")


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
    def shards(self) -> Shards:
        """All shards that the plan has."""
        return shards_of(self.plan, self.scene)

    def find(self, name: str) -> Shard | None:
        """The shard whose file has this name; None where the plan has none such."""
        match = _NUMBER.search(name)
        if match is None:
            return None
        number = int(match[1])
        for split, count in self.shards.splits.items():
            place = self.shards.place(split, number)
            if place is not None and self.exporter.shard_path(split, number, count) == name:
                return self.shards[place]
        return None

    def loose(self, there: Iterable[str], entered: Iterable[dict[str, Any]]) -> dict[str, Shard]:
        """Of the files that are there, those that are shards of the plan without one of these lines."""
        keys = {(line["split"], line["shard"]) for line in entered if line["kind"] == "shard"}
        found = ((name, self.find(name)) for name in there)
        return {name: shard for name, shard in found if shard is not None and shard.key not in keys}


def plans_of(lines: list[dict[str, Any]]) -> list[Recorded]:
    """The scenes of a manifest, in order."""
    return [Recorded(line) for line in lines if line["kind"] == "plan"]
