"""What is said and asked about a pour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from physreel.analysis.draws import pick, shuffled
from physreel.analysis.liquids import GONE, OUTSIDE, arrival_rows, find_places, liquid_of
from physreel.analysis.thresholds import SEEN_PARTICLES
from physreel.analysis.words import Phrasing, a, amount, fullness, sentence
from physreel.scenes.asking import even_out, picture_side
from physreel.spec import SceneSpec
from physreel.values import Question, Trajectory

if TYPE_CHECKING:
    from physreel.scenes.pouring import PouringOutcome

HEARD_VISCOSITY_PA_S = 0.5
"""What is thicker folds onto itself and is hardly heard."""

HEARD_SPEED_M_S = 0.5
"""What comes down more slowly makes no bubbles."""

_SEEN_SHARE = 0.05  # of all liquid: less is not worth a word, and too little to ask about
_TOGETHER_S = 0.1  # drops farther apart are heard one by one
_HIT_SHARE = 0.3  # of what has left the upper vessel: less in the lower one is a miss

# How often each answer is true at the default parameters (docs/liquids.md); see even_out.
_OVERFLOWS = {"yes": 0.3, "no": 0.7}
_EMPTY = {"yes": 0.25, "no": 0.75}
_MOST = {"in the upper vessel": 0.1, "in the lower vessel": 0.84, "outside both": 0.06}
_LEVELS = {"less than a third": 0.13, "between a third and two thirds": 0.23, "more than two thirds": 0.64}


def pouring_caption(spec: SceneSpec, outcome: PouringOutcome) -> str:
    """One to three sentences: what is poured into what, how the lower vessel ends up, what is left in the upper one."""
    say = Phrasing(spec)
    labels = {name: spec.bodies[spec.body_index(name)].label for name in ("source", "target")}
    source, target = (labels[name].split()[-1] for name in ("source", "target"))
    if source == target:
        source, target = f"upper {source}", f"lower {target}"
    other = "another " + labels["target"] if labels["source"] == labels["target"] else a(labels["target"])
    under = next((body.label for body in spec.bodies if body.name == "table"), "floor")
    left = 1.0 - outcome.left_share
    hit = outcome.in_target_share >= _HIT_SHARE * left or left == 0.0
    into = "into" if hit else "towards"
    pours = say.pick(0, ("pours", "tilts and pours", "is tilted and pours"))
    opening = say.pick(
        1,
        (
            f"{outcome.liquid} is poured from {a(labels['source'])} {into} {other} on the {under}",
            f"{a(labels['source'])} {pours} {outcome.liquid} {into} {other} on the {under}",
        ),
    )
    if not hit and left >= _SEEN_SHARE:
        opening += say.pick(2, (", but most of it misses", ", and misses with most of it"))
    spilled = f"{amount(outcome.spilled_share)} of the {outcome.liquid} ends up on the {under}"
    if outcome.overflows:
        fills = say.pick(
            3, (f"the {target} fills up and runs over", f"the {target} is filled to the brim and overflows")
        )
    else:
        fills = f"the {target} ends up {fullness(outcome.final_level_share)}"
    middle = f"{fills}, and {spilled}" if outcome.spilled_share >= _SEEN_SHARE else fills
    if outcome.source_empty:
        ending = say.pick(4, (f"the {source} is empty in the end", f"nothing is left in the {source}"))
    elif outcome.in_flight_share >= _SEEN_SHARE:
        ending = say.pick(
            5, ("it is still flowing when the clip ends", "the stream has not stopped when the clip ends")
        )
    else:
        stays = f"{amount(outcome.left_share)} of the {outcome.liquid} stays in the {source}"
        ending = stays if outcome.left_share >= 0.005 else ""
    return " ".join(sentence(text) for text in (opening, middle, ending) if text)


def pouring_questions(
    spec: SceneSpec, trajectory: Trajectory, outcome: PouringOutcome, rng: np.random.Generator
) -> tuple[Question, ...]:
    """At most one of each kind; those with few answers are asked so that each answer comes up as often.

    Of the overflow, the place of most of it and the level only one, drawn before it is known which can be asked: an
    overflow that is to be timed tells the other two, and that a rare answer is asked about makes another unlikely. A
    spill on one side tells something of all three.
    """
    kind = pick(rng, (_overflow, _most, _level))
    told = kind(outcome, rng)
    empty = _empty(outcome, rng)
    side = None if told is not None else _spill_side(spec, trajectory, outcome)
    questions = (told, _first_contact(spec, outcome), empty, side, _heard(spec, trajectory))
    return tuple(question for question in questions if question is not None)


def _overflow(outcome: PouringOutcome, rng: np.random.Generator) -> Question | None:
    """Whether, or when: never both, as the second gives the first away."""
    if outcome.overflow_s is not None and pick(rng, (True, False, False)):
        return Question(
            kind="overflow_time",
            question="At what time, in seconds from the start of the clip, does the lower vessel begin to run over?",
            answer=f"{outcome.overflow_s:.2f}",
            answer_type="time_s",
        )
    answer = "yes" if outcome.overflows else "no"
    shares = _OVERFLOWS | {"yes": _OVERFLOWS["yes"] * 2.0 / 3.0}
    clear = outcome.overflows or outcome.final_level_share < 0.85
    if not clear or not even_out(rng, answer, shares):
        return None
    return Question(
        kind="overflows",
        question="Does the lower vessel run over before the clip ends?",
        answer=answer,
        answer_type="yes_no",
    )


def _first_contact(spec: SceneSpec, outcome: PouringOutcome) -> Question | None:
    if outcome.first_contact_s is None or outcome.first_contact_s <= spec.cue_s:
        return None
    return Question(
        kind="liquid_arrives",
        question="At what time, in seconds from the start of the clip, does the first liquid reach the lower vessel?",
        answer=f"{outcome.first_contact_s:.2f}",
        answer_type="time_s",
        needs="either" if _is_heard(spec) else "picture",
    )


def _empty(outcome: PouringOutcome, rng: np.random.Generator) -> Question | None:
    answer = "yes" if outcome.source_empty else "no"
    if (not outcome.source_empty and outcome.left_share < 0.1) or not even_out(rng, answer, _EMPTY):
        return None
    return Question(
        kind="source_empty",
        question="Is the upper vessel empty when the clip ends, but for a few drops?",
        answer=answer,
        answer_type="yes_no",
    )


def _most(outcome: PouringOutcome, rng: np.random.Generator) -> Question | None:
    shares = dict(zip(_MOST, (outcome.left_share, outcome.in_target_share, outcome.spilled_share), strict=True))
    answer = max(shares, key=lambda name: shares[name])
    second = sorted(shares.values())[-2]
    # Of what is still in the air nobody knows where it belongs.
    if shares[answer] < max(0.5, second + 0.15) or not even_out(rng, answer, _MOST):
        return None
    return Question(
        kind="most_of_it",
        question="Where is most of the liquid when the clip ends?",
        answer=answer,
        answer_type="choice",
        choices=shuffled(rng, tuple(_MOST)),
    )


def _level(outcome: PouringOutcome, rng: np.random.Generator) -> Question | None:
    level = outcome.final_level_share
    if min(abs(level - 1.0 / 3.0), abs(level - 2.0 / 3.0)) < 0.06:
        return None
    answer = tuple(_LEVELS)[int(3.0 * min(level, 0.99))]
    if not even_out(rng, answer, _LEVELS):
        return None
    return Question(
        kind="final_level",
        question="How much of the lower vessel's depth is filled when the clip ends?",
        answer=answer,
        answer_type="choice",
        choices=shuffled(rng, tuple(_LEVELS)),
    )


def _spill_side(spec: SceneSpec, trajectory: Trajectory, outcome: PouringOutcome) -> Question | None:
    """On which side; the vessel that pours comes from either side as often."""
    if outcome.spilled_share < 2.0 * _SEEN_SHARE:
        return None
    place = find_places(spec, trajectory).place[-1]
    middle = trajectory.body_pose_end[spec.body_index("target"), :3]
    # What has left the world was spilled as well, but nobody knows to which side.
    side = picture_side(spec, liquid_of(trajectory).position_end_m[place == OUTSIDE], middle)
    spilled = int(np.isin(place, (OUTSIDE, GONE)).sum())
    left, right = int((side < 0.0).sum()), int((side > 0.0).sum())
    if max(left, right) < 0.75 * spilled:
        return None
    return Question(
        kind="spill_side",
        question="On which side of the lower vessel, as seen in the picture, does most of the spilled liquid end up?",
        answer="right" if right > left else "left",
        answer_type="choice",
        choices=("left", "right"),
    )


def _is_heard(spec: SceneSpec) -> bool:
    return spec.liquid(spec.fluids[0].liquid).viscosity_pa_s <= HEARD_VISCOSITY_PA_S


def _heard(spec: SceneSpec, trajectory: Trajectory) -> Question | None:
    """When the first liquid that fell through the air is heard: not one drop, and not one that comes down softly."""
    impacts = liquid_of(trajectory).impacts
    rows = arrival_rows(spec, trajectory)[0]
    fast = np.linalg.norm(impacts.velocity_m_s[rows], axis=1) >= HEARD_SPEED_M_S
    if not _is_heard(spec) or len(rows) < SEEN_PARTICLES or not fast[:SEEN_PARTICLES].all():
        return None
    first, last = impacts.time_s[rows[0]], impacts.time_s[rows[SEEN_PARTICLES - 1]]
    if first <= spec.cue_s or last - first > _TOGETHER_S:
        return None
    return Question(
        kind="heard_from",
        question="From what time on, in seconds from the start of the clip, is liquid heard falling?",
        answer=f"{first:.2f}",
        answer_type="time_s",
        needs="sound",
    )
