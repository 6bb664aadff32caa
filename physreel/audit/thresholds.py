"""How much of what is too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from physreel.errors import InputError


def _share(default: float, description: str) -> Any:
    return field(default=default, metadata={"what": description, "most": 1.0})


def _number(default: float, description: str) -> Any:
    return field(default=default, metadata={"what": description, "most": float("inf")})


@dataclass(frozen=True)
class Thresholds:
    """Limits, each a share of the clips unless it says otherwise; a finding beyond one is a fault."""

    max_majority: float = _share(0.9, "share of the commonest value of a label")
    max_shift: float = _share(0.15, "total variation between a label's shares in two splits")
    max_duplicates: float = _number(0, "clips that have a near-identical twin in another group")
    max_leaks: float = _number(0, "groups and twins that lie in two splits")
    max_missing: float = _share(0.0, "clips that lack picture, sound or words that others have")
    max_wrong_length: float = _share(0.0, "clips whose frames or sound do not last as long as they say")
    max_nan: float = _share(0.0, "clips with a number that is none")
    max_silent: float = _share(0.02, "clips in which nothing is heard")
    max_clipped: float = _share(0.02, "clips whose sound is cut off at full scale")
    max_black: float = _share(0.0, "clips whose picture is black or white all over")
    max_still: float = _share(0.02, "clips in which nothing is seen to move")
    max_out_of_frame: float = _share(0.02, "clips whose first moving body is never in the picture")
    max_empty_words: float = _share(0.0, "clips with an empty caption, question or answer")
    max_repeated_captions: float = _share(0.5, "clips whose caption another group's clip has too")
    max_answer_majority: float = _share(0.9, "share of the commonest answer to a kind of question")
    min_coverage: float = _share(0.8, "bins of a parameter's range that are hit, of those that chance would hit")
    max_correlation: float = _share(0.6, "association of two parameters, 0 to 1")
    max_shortcut: float = _share(0.1, "how far a cue may tell the label above chance")

    def __post_init__(self) -> None:
        if problems := threshold_problems({each.name: getattr(self, each.name) for each in fields(self)}):
            raise InputError("the thresholds cannot be used:\n" + "\n".join(f"  - {line}" for line in problems))


def threshold_problems(values: Mapping[str, float]) -> list[str]:
    """Which of these limits, by name, cannot be used."""
    return [
        f"{option(each.name)} {values[each.name]:g} is not in 0..{each.metadata['most']:g}"
        for each in fields(Thresholds)
        if each.name in values and not 0.0 <= values[each.name] <= each.metadata["most"]
    ]


def option(name: str) -> str:
    """A threshold's name on the command line."""
    return "--" + name.replace("_", "-")
