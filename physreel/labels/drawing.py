"""How questions are drawn so that their text does not give the answer away.

The rule: within one clip, first an answer is drawn, each that occurs being as likely, and then what to ask about among
those with that answer. A guesser who knows only the text is left with chance. Where a body's kind tells something (a
ball rolls on, rubber bounces), the draw is made among bodies of one kind, both of whose answers occur.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from physreel.analysis.draws import pick, shuffled
from physreel.spec import Body, SceneSpec

_T = TypeVar("_T")
_A = TypeVar("_A", str, int, bool)

_ROLLING = {"sphere": "ball", "ellipsoid": "ball", "cylinder": "roller", "capsule": "roller"}
_RESTITUTION_BAND = 0.1
_SLIPPERY_FRICTION = 0.15


def conduct(spec: SceneSpec, body: Body) -> str:
    """The sort a body is of by what its name tells of its bouncing and rolling on: shape, liveliness, slipperiness.

    Glued shapes are told by their noun (a cup rolls, a stool does not). Liveliness is restitution on what stands in
    this world, since the softer partner decides it: steel is livelier than rubber on marble, and much duller on oak.
    """
    sort = _ROLLING.get(body.shape.kind, body.shape.kind)
    noun = body.label.split()[-1:] if sort == "compound" else []
    standing = sorted({other.material for other in spec.bodies if other.motion != "dynamic"})
    pairs = [spec.contact(body.material, other) for other in standing]
    if not pairs:
        return " ".join([sort, *noun, body.material])
    restitution = math.fsum(pair.restitution for pair in pairs) / len(pairs)
    friction = math.fsum(pair.friction for pair in pairs) / len(pairs)
    band = f"{restitution / _RESTITUTION_BAND:.0f}"
    return " ".join([sort, *noun, band, *(["slippery"] if friction < _SLIPPERY_FRICTION else [])])


def draw_balanced(
    rng: np.random.Generator, answers: Mapping[_T, _A], traits: Mapping[_T, str] | None = None
) -> tuple[_T, _A] | None:
    """A thing to ask about and its answer: the answer first, uniform over those that occur; None if only one does.

    With ``traits``, all is done among the things of one trait that have different answers; None if no trait has.
    """
    groups: dict[str, dict[_T, _A]] = {}
    for key, answer in answers.items():
        groups.setdefault("" if traits is None else traits[key], {})[key] = answer
    mixed = [group for group in groups.values() if len(set(group.values())) > 1]
    if not mixed:
        return None
    group = pick(rng, mixed)
    answer = pick(rng, sorted(set(group.values())))
    return pick(rng, [key for key, value in group.items() if value == answer]), answer


def draw_contest(
    rng: np.random.Generator,
    values: Mapping[str, float],
    *,
    traits: Mapping[str, str] | None = None,
    margin_share: float = 0.05,
    margin: float = 0.0,
) -> tuple[str, tuple[str, ...]] | None:
    """The one with the greatest value and those it is to be told from, in random order.

    None if the lead over the second is less than both margins together demand: ``margin`` and ``margin_share`` of the
    greatest. With ``traits`` the contest is among those of one trait, two at least.
    """
    groups: dict[str, list[str]] = {}
    for key in values:
        groups.setdefault("" if traits is None else traits[key], []).append(key)
    clear = []
    for members in groups.values():
        ranked = sorted(members, key=lambda key: -values[key])
        if len(ranked) < 2:
            continue
        lead = values[ranked[0]] - values[ranked[1]]
        if lead >= max(margin, margin_share * abs(values[ranked[0]])) and lead > 0.0:
            clear.append((ranked[0], ranked))
    if not clear:
        return None
    winner, ranked = pick(rng, clear)
    return winner, shuffled(rng, ranked)


def draw_subset(
    rng: np.random.Generator, answers: Mapping[str, bool], most: int = 3
) -> tuple[int, tuple[str, ...]] | None:
    """How many of a few things are so: a count from 0 to k drawn first, each as likely, then k things with that count.

    k is the largest, up to ``most``, for which every count can be had; None if that is less than two.
    """
    yes = [key for key, answer in answers.items() if answer]
    no = [key for key, answer in answers.items() if not answer]
    k = min(len(yes), len(no), most)
    if k < 2:
        return None
    count = int(rng.integers(k + 1))
    chosen = [*shuffled(rng, yes)[:count], *shuffled(rng, no)[: k - count]]
    return count, shuffled(rng, chosen)
