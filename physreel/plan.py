"""What is asked for: one plan decides every byte of a data set."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, JsonValue, model_validator

from physreel.scenes.base import ClipSettings
from physreel.spec import SpecModel
from physreel.values import PASSES
from physreel.values.clip import PassName


class Plan(SpecModel):
    """A request for ``count`` samples of one scene. Everything that changes bytes is in here, and nothing else.

    Attributes:
        scene: name or reference (``module:Class``, ``path.py:Class``).
        count: samples; sample i depends on (seed, scene, version, i) only.
        parameters: what the user set of the scene's parameters, as given.
        clip: size, frame rate, duration; None for the scene's default.
        passes: pictures to store; rgb becomes the video.
        audio: whether to record sound.
        simulator: name; None for the first that can do what the spec asks.
        splits: share of each split, in order; groups are assigned by hash of their id.
        shard_size: samples a shard.
    """

    scene: str
    count: Annotated[int, Field(ge=1, le=10_000_000_000)]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    clip: ClipSettings | None = None
    passes: Annotated[tuple[PassName, ...], Field(min_length=1)] = ("rgb",)
    audio: bool = True
    simulator: str | None = None
    video_renderer: str = "raytrace"
    audio_renderer: str = "modal"
    exporter: str = "parquet"
    splits: dict[str, Annotated[float, Field(gt=0.0, le=1.0)]] = Field(default_factory=lambda: {"train": 1.0})
    shard_size: Annotated[int, Field(ge=1, le=100_000)] = 64

    @model_validator(mode="before")
    @classmethod
    def _order_passes(cls, value: Any) -> Any:
        # One order of columns, however they were asked for.
        if isinstance(value, dict) and isinstance(value.get("passes"), (list, tuple, set, frozenset)):
            given = list(value["passes"])
            order = {name: i for i, name in enumerate(PASSES)}
            unique = list(dict.fromkeys(given))
            value = value | {"passes": tuple(sorted(unique, key=lambda name: order.get(name, len(order))))}
        return value

    @model_validator(mode="after")
    def _splits_add_up(self) -> Plan:
        total = sum(self.splits.values())
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"splits must add up to 1, got {self.splits} = {total:g}")
        return self
