"""What is asked for: one plan decides every byte of a data set."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    field_validator,
    model_serializer,
    model_validator,
)

from physreel.scenes.base import ClipSettings
from physreel.spec import SpecModel
from physreel.values import PASSES
from physreel.values.clip import PassName

TRIES = 64
"""Worlds that are drawn for one balanced sample at most, where nothing else is said."""

MOST_WITH_SPLITS = 50_000_000
"""Samples that a plan with several splits may have: 80 s of hashing, and half a gigabyte, before a run begins."""

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"
"""What a scene may be called in a data set: a part of file names too."""

SplitName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}$")]
"""A part of file names."""


class Balance(SpecModel):
    """Which outcomes are to make up which share of the samples: by drawing worlds until one has the wanted outcome.

    No world and no label is changed: what is stored is what was drawn and what came of it.

    Attributes:
        field: of the scene's outcome, with dots into nested ones.
        shares: value → share: "true", "false", "none", a text, a number, or an interval of numbers ("0..1", "3..");
            or "even": each value of a bool or Literal field alike.
        tries: worlds that are drawn for one sample at most; a sample that none of them fits fails.
    """

    field: Annotated[str, Field(min_length=1, max_length=200)]
    shares: Literal["even"] | dict[str, Annotated[float, Field(gt=0.0, le=1.0)]]
    tries: Annotated[int, Field(ge=1, le=100_000)] = TRIES

    @field_validator("shares", mode="before")
    @classmethod
    def _shares_of_words(cls, value: Any) -> Any:
        if value == "even":
            return value
        if not isinstance(value, dict) or not value:
            raise ValueError("must be even, or value → share such as {true: 0.5, false: 0.5}")
        # YAML and Python have true and 3 where outcomes are named by text.
        shares = {_as_word(key): share for key, share in value.items()}
        problems = [
            f"the share of {key} must be a number above 0, at most 1, got {share!r}"
            for key, share in shares.items()
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0.0 < share <= 1.0
        ]
        if problems:
            raise ValueError("\n".join(problems))
        _must_add_up("shares", shares)
        return shares


def _as_word(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) or key is None else str(key)


def _must_add_up(what: str, shares: dict[str, float]) -> None:
    total = sum(shares.values())
    if abs(total - 1.0) > 1e-9:
        said = ", ".join(f"{name}: {share:g}" for name, share in shares.items())
        raise ValueError(f"{what} must add up to 1, and {said} make {total:g}")


class Plan(SpecModel):
    """A request for ``count`` samples of one scene. Everything that changes bytes is in here, and nothing else.

    Attributes:
        scene: name or reference (``module:Class``, ``path.py:Class``).
        name: what the scene is called in the data set; None for its own name. Worlds of another name are other worlds.
        count: samples, at most 10^10 (with several splits 5·10^7); sample i depends on (seed, scene, version, i) only.
        parameters: what the user set of the scene's parameters, as given.
        clip: size, frame rate, duration; None for the scene's default.
        passes: pictures to store; rgb becomes the video.
        audio: whether to record sound.
        simulator: name; None for the first that can do what the spec asks.
        splits: share of each split, in order; groups are assigned by hash of their id.
        split_parameters: for a split, what it has of the scene's parameters instead of ``parameters``.
        balance: target shares of outcomes; None for what comes.
        shard_size: samples a shard.
    """

    scene: str
    count: Annotated[int, Field(ge=1, le=10_000_000_000)]
    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    clip: ClipSettings | None = None
    passes: Annotated[tuple[PassName, ...], Field(min_length=1)] = ("rgb",)
    audio: bool = True
    simulator: str | None = None
    video_renderer: str = "raytrace"
    audio_renderer: str = "modal"
    exporter: str = "parquet"
    splits: dict[SplitName, Annotated[float, Field(gt=0.0, le=1.0)]] = Field(default_factory=lambda: {"train": 1.0})
    shard_size: Annotated[int, Field(ge=1, le=100_000)] = 64
    split_parameters: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    balance: Balance | None = None

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
    def _splits_fit(self) -> Plan:
        _must_add_up("splits", self.splits)
        if len(self.splits) > 1 and self.count > MOST_WITH_SPLITS:
            raise ValueError(
                f"count: with several splits at most {MOST_WITH_SPLITS}, got {self.count} (which split a sample is of "
                "is found one by one before a run begins); use one split, or several data sets of other seeds"
            )
        for name in self.split_parameters:
            if name not in self.splits:
                raise ValueError(f"split_parameters: there is no split {name!r}; splits are {', '.join(self.splits)}")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_asked(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A plan without these is written as it was before there were any, so that old data sets can be gone on with.
        data: dict[str, Any] = handler(self)
        for name in ("name", "split_parameters", "balance"):
            if not getattr(self, name):
                data.pop(name, None)
        return data

    def parameters_of(self, split: str) -> dict[str, JsonValue]:
        """What is set of the scene's parameters for samples of a split."""
        return self.parameters | self.split_parameters.get(split, {})
