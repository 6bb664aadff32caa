"""What a recipe may say. What a scene's parameters and outcomes allow is asked when plans are made, not here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from physreel.plan import Balance
from physreel.scenes.parameters import did_you_mean
from physreel.spec.scene_spec import item_problems


def _plain(value: Any) -> Any:
    items = value if isinstance(value, (list, tuple)) and value else [value]
    if not all(isinstance(item, (str, bool, int, float)) for item in items):
        raise ValueError("must be a number, a range such as 0.5..1.5, or choices such as wood|marble")
    if any(isinstance(item, int) and abs(item) >= 2**63 for item in items):
        raise ValueError("is a number beyond all bounds")
    return value


Value = Annotated[Any, AfterValidator(_plain)]
"""A parameter: a number, "0.5..1.5", [0.5, 1.5], "wood|marble", [wood, marble]."""


def _size(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,6}x[0-9]{1,6}", text) is None:
        raise ValueError("expected WIDTHxHEIGHT such as 320x240")
    return text


Share = Annotated[float, Field(gt=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )


class Split(_Strict):
    """A split: its share, and what it has of the scene's parameters instead of the others' (its share alone: 0.8)."""

    share: Share
    parameters: dict[str, Value] = Field(default_factory=dict, description="as a scene's, for this split alone")


class Settings(_Strict):
    """What may stand at the top, for all scenes, or in a scene, for that alone."""

    count: int | None = Field(None, ge=1, le=10_000_000_000, description="clips of a scene")
    seed: int | None = Field(None, ge=0, lt=2**63, description="seed of the data set; 0 by default")
    size: Annotated[str, AfterValidator(_size)] | None = Field(
        None, description="pixels, 320x240; the scene's own by default"
    )
    fps: int | None = Field(None, description="frames per second; the scene's own by default")
    duration_s: float | None = Field(None, description="length of a clip; the scene's own by default")
    quality: str | None = Field(None, description="draft, standard or fine")
    passes: list[str] | None = Field(
        None, min_length=1, description="of rgb, depth, segmentation, normals, flow, or all; rgb by default"
    )
    audio: bool | None = Field(None, description="whether to record sound; true by default")
    simulator: str | None = Field(None, description="by default the first that can do what the scene asks")
    video_renderer: str | None = Field(None, description="raytrace by default")
    audio_renderer: str | None = Field(None, description="modal by default")
    shard_size: int | None = Field(None, ge=1, le=100_000, description="clips in a shard; 64 by default")
    splits: dict[Name, Split] | None = Field(
        None, min_length=1, description="name → share, or → share and parameters; all is train by default"
    )

    @field_validator("passes", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if isinstance(value, tuple):
            return list(value)
        return [name.strip() for name in value.split(",")] if isinstance(value, str) else value

    @field_validator("splits", mode="before")
    @classmethod
    def _split_of_a_share(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: v if v is None or isinstance(v, Mapping) else {"share": v} for name, v in value.items()}


class Overrides(Settings):
    """What may be said in place of a recipe, for all its scenes."""

    count: None = None  # the recipe's alone, as its scenes are
    exporter: str | None = None


class SceneSettings(Settings):
    """One scene of the mix; its count alone may stand for it."""

    scene: Any = Field(None, description="name, module:Class or file.py:Class; by default what the entry is called")
    weight: float | None = Field(
        None, gt=0.0, le=1e9, description="part of total_count, against the others'; 1 by default"
    )
    parameters: dict[str, Value] = Field(
        default_factory=dict, description="of the scene: a number, a range 0.5..1.5, choices wood|marble"
    )
    held_out: dict[Name, dict[str, Value]] = Field(
        default_factory=dict, description="split → parameter → region that it alone has, such as 1.0.."
    )
    balance: Balance | None = Field(None, description="field, shares and tries: target shares of outcomes")

    @field_validator("scene")
    @classmethod
    def _scene_by_name(cls, value: Any) -> Any:
        if not isinstance(value, (str, type)) and value is not None:
            raise ValueError("must be the name of a scene, module:Class or file.py:Class")
        return value


class Recipe(Settings):
    """A mix of scenes that becomes one data set."""

    total_count: int | None = Field(
        None, ge=1, le=10_000_000_000, description="clips of all scenes together, divided by their weights"
    )
    exporter: str | None = Field(None, description="how it is stored; parquet by default")
    scenes: dict[str, SceneSettings] = Field(min_length=1, description="name in the data set → scene, or its count")

    @model_validator(mode="before")
    @classmethod
    def _scene_of_a_count(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not isinstance(value.get("scenes"), Mapping):
            return value
        scenes = {
            name: ({} if v is None else {"count": v} if isinstance(v, (int, float)) else v)
            for name, v in value["scenes"].items()
        }
        return {**value, "scenes": scenes}

    @model_validator(mode="after")
    def _counts_or_weights(self) -> Recipe:
        problems = []
        if self.total_count is not None and self.count is not None:
            problems.append("count: total_count is given too; give one of them")
        for name, scene in self.scenes.items():
            if self.total_count is None:
                if scene.count is None and self.count is None:
                    problems.append(f"scenes.{name}.count: how many clips is missing; give it here or above all scenes")
                if scene.weight is not None:
                    problems.append(f"scenes.{name}.weight: a weight divides total_count, which is not given")
            elif scene.count is not None:
                problems.append(f"scenes.{name}.count: total_count is given too; give a weight here, or no total_count")
        if self.total_count is not None and self.total_count < len(self.scenes):
            problems.append(
                f"total_count: {self.total_count} is less than one clip for each of {len(self.scenes)} scenes"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def counts(self) -> dict[str, int]:
        """How many clips each scene gets: its count, or its part of the total by weight (largest remainders first)."""
        if self.total_count is None:
            return {name: scene.count or self.count or 0 for name, scene in self.scenes.items()}
        # Each has one at least: a scene that is asked for is there.
        weights = {name: 1.0 if scene.weight is None else scene.weight for name, scene in self.scenes.items()}
        left, total = self.total_count - len(weights), sum(weights.values())
        exact = {name: left * weight / total for name, weight in weights.items()}
        found = {name: 1 + int(part) for name, part in exact.items()}
        order = sorted(exact, key=lambda name: int(exact[name]) - exact[name])
        for name in order[: self.total_count - sum(found.values())]:
            found[name] += 1
        return found


def recipe_problems(error: ValidationError) -> list[tuple[tuple[str, ...], str]]:
    """A pydantic error as (path, what is wrong), with near matches for unknown keys."""
    found: list[tuple[tuple[str, ...], str]] = []
    for item in error.errors():
        path = tuple(str(part) for part in item["loc"] if part != "[key]")
        if item["type"] == "extra_forbidden":
            known = list(_model_at(path[:-1]).model_fields)
            found.append((path, f"there is no such key{did_you_mean(path[-1], known)}; known here: {', '.join(known)}"))
            continue
        if item["type"] == "missing":
            found.append((path, "is missing"))
            continue
        if item["type"] == "model_type":
            number = {"scenes": " or a count", "splits": " or a share"}.get(path[-2] if len(path) > 1 else "", "")
            found.append((path, f"must be a mapping of {', '.join(_model_at(path).model_fields)}{number}"))
            continue
        if not path:  # found by a look at the whole, and with the path in the words
            for line in item["msg"].removeprefix("Value error, ").split("\n"):
                head, colon, rest = line.partition(": ")
                found.append((tuple(head.split(".")), rest) if colon else ((), line))
            continue
        lines = item_problems(item)
        if not lines and not item["input"]:
            lines = ["must not be empty"]
        found += [(path, line) for line in lines]
    return found


def sound_part(values: Mapping[str, Any], error: ValidationError) -> Recipe | None:
    """What a recipe says beside that at which ``error`` points, if its scenes mean the same without that."""
    places = [item["loc"] for item in error.errors()]
    scenes = values.get("scenes")
    if not isinstance(scenes, Mapping) or any(
        not place or place[0] in ("count", "total_count", "splits") or place == ("scenes",) for place in places
    ):
        return None
    faulty = {place[1] for place in places if place[0] == "scenes"}
    rest = {key: value for key, value in values.items() if key not in {place[0] for place in places}}
    try:
        return Recipe.model_validate(rest | {"scenes": {n: scene for n, scene in scenes.items() if n not in faulty}})
    except ValidationError:
        return None


def _model_at(path: tuple[str, ...]) -> type[BaseModel]:
    """The model that a path of a recipe leads to."""
    if "balance" in path:
        return Balance
    if "splits" in path:
        return Split
    return SceneSettings if path[:1] == ("scenes",) else Recipe
