"""Regions of parameters: what is held out for one split, and what that leaves to the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from physreel.errors import SpecError
from physreel.scenes.parameters import Choice, FloatRange, IntRange, SceneParameters, did_you_mean
from physreel.spec import spec_problems

Region = FloatRange | IntRange | Choice


def split_regions(
    scene: str,
    parameters: SceneParameters,
    held_out: Mapping[str, Mapping[str, Any]],
    splits: Mapping[str, float],
) -> dict[str, dict[str, str]]:
    """What each split has of the parameters, when some hold a region out: theirs, and for all others its complement.

    Args:
        scene: name, for messages.
        parameters: what all splits would have.
        held_out: split → parameter → region: "1.0..2.0", "1.0..", "..0.3", "wood|marble"; one parameter a split.
        splits: all splits, with their shares.

    Returns:
        split → parameter → region, as ``Plan.split_parameters`` has it.

    Raises:
        SpecError: something is unknown, or a region leaves nothing, or two pieces; all that is wrong is listed.
    """
    problems: list[str] = []
    regions: dict[str, tuple[str, Region]] = {}
    for split, wanted in held_out.items():
        try:
            regions[split] = _region(scene, parameters, split, wanted, splits)
        except ValueError as error:
            problems.append(f"{split}: {error}")
    rest: dict[str, Region] = {}
    for split, (name, region) in regions.items():
        base = getattr(parameters, name)
        for other, (other_name, other_region) in regions.items():
            if other == split:
                break
            if other_name == name and _meet(region, other_region):
                problems.append(f"{split}: {name} {region} and {other_region} of {other} have values in common")
        try:
            rest[name] = _without(rest.get(name, base), region)
        except ValueError as error:
            problems.append(f"{split}.{name}: {error}")
    if held_out and not set(splits) - set(held_out):
        problems.append(f"every split holds something out ({', '.join(held_out)}); leave one that has the rest")
    if problems:
        raise SpecError(list(dict.fromkeys(problems)), what="held_out")
    found: dict[str, dict[str, str]] = {}
    for split in splits if regions else ():
        own = {regions[split][0]: regions[split][1]} if split in regions else {}
        found[split] = {name: _text(region) for name, region in (rest | own).items()}
    return found


def _region(
    scene: str, parameters: SceneParameters, split: str, wanted: Mapping[str, Any], splits: Mapping[str, float]
) -> tuple[str, Region]:
    if split not in splits:
        raise ValueError(f"there is no such split{did_you_mean(split, list(splits))}; splits are {', '.join(splits)}")
    if len(wanted) != 1:
        raise ValueError(
            f"name one parameter, not {len(wanted)}: what several leave to the others is no range; give such a split "
            "and the others their parameters under splits"
        )
    ((name, value),) = wanted.items()
    known = list(type(parameters).model_fields)
    if name not in known:
        raise ValueError(
            f"scene {scene!r} has no parameter {name!r}{did_you_mean(name, known)}; it has {', '.join(known) or 'none'}"
        )
    base = getattr(parameters, name)
    if isinstance(base, (FloatRange, IntRange)) and isinstance(value, str):
        value = _closed(value, base, name)
    try:
        region: Region = getattr(type(parameters)(**{name: value}), name)
    except ValidationError as error:
        raise ValueError("; ".join(spec_problems(error))) from None
    return name, region


def _closed(text: str, base: FloatRange | IntRange, name: str) -> str:
    """A range whose open ends are those of ``base``."""
    low, dots, high = (part.strip() for part in text.partition(".."))
    if not dots or (low and high):
        return text
    if not low and not high:
        raise ValueError(f"{name}: .. is all of it; give one end, such as {_number(base.high)}..")
    try:
        inside = float(low or high)
    except ValueError:
        return text  # whoever reads it says what is wrong
    if (inside >= base.high) if low else (inside <= base.low):
        where = "above" if low else "below"
        raise ValueError(
            f"{name}: {text} is {where} the scene's {base}; give both ends, or a wider range under parameters"
        )
    return f"{low}..{_number(base.high)}" if low else f"{_number(base.low)}..{high}"


def _meet(one: Region, other: Region) -> bool:
    if isinstance(one, Choice) and isinstance(other, Choice):
        return bool(set(one.values) & set(other.values))
    assert isinstance(one, (FloatRange, IntRange))
    assert isinstance(other, (FloatRange, IntRange))
    low, high = max(one.low, other.low), min(one.high, other.high)
    # Ranges of real numbers may have an end in common, which is never drawn; a point has nothing but its ends.
    return low < high or (low == high and (isinstance(one, IntRange) or one.low == one.high or other.low == other.high))


def _without(base: Region, region: Region) -> Region:
    """What is left of ``base``; ValueError where that is nothing or no range."""
    if not _meet(base, region):
        return base
    if isinstance(base, Choice) and isinstance(region, Choice):
        left = tuple(value for value in base.values if value not in region.values)
        if not left:
            raise ValueError(f"{region} is all there is ({base}); nothing is left for the other splits")
        return Choice(values=left)
    assert isinstance(base, (FloatRange, IntRange))
    assert isinstance(region, (FloatRange, IntRange))
    below, above = region.low > base.low, region.high < base.high
    if below and above:
        raise ValueError(
            f"{region} leaves two pieces of {base}, which is no range; hold out an end, or give each split its "
            "parameters under splits"
        )
    if not below and not above:
        raise ValueError(f"{region} is all of {base}; nothing is left for the other splits")
    step = 1 if isinstance(base, IntRange) else 0
    low, high = (base.low, region.low - step) if below else (region.high + step, base.high)
    return type(base)(low=low, high=high)


def _number(value: float) -> str:
    """All its digits: a range is read back as it was."""
    return repr(value) if math.isfinite(value) else str(value)


def _text(region: Region) -> str:
    if isinstance(region, Choice):
        return str(region)
    return _number(region.low) if region.low == region.high else f"{_number(region.low)}..{_number(region.high)}"
