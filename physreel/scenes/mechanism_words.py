"""What is said and asked of a mechanism."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from physreel.analysis.draws import pick, shuffled
from physreel.analysis.words import Phrasing, sentence
from physreel.scenes.asking import coin, even_out
from physreel.scenes.mechanism_faults import PART_OF, Part
from physreel.scenes.objects import COLORS
from physreel.spec import SceneSpec
from physreel.values import Question

if TYPE_CHECKING:
    from physreel.scenes.mechanism import MechanismOutcome

REPAIR_WORDS: dict[Part, str] = {
    "motor": "renewing the motor",
    "gear_seat": "fastening the last gear on its shaft",
    "last_gear": "renewing the last gear",
    "belt": "renewing the belt",
    "lever": "freeing the lever's pivot",
    "latch": "freeing the latch's pivot",
    "spring": "renewing the spring",
    "stick": "taking the stick out of the gears",
}

_WRONG = {
    "motor_dead": "the motor does not run",
    "loose_gear": "the last gear turns loosely on its shaft",
    "missing_teeth": "the last gear has lost teeth, and is no longer driven where they are missing",
    "slack_belt": "the belt is slack and slips",
    "seized_lever": "the lever has seized on its pivot, and the finger bends past it",
    "stuck_latch": "the latch is stuck, and the lever cannot lift it",
    "broken_spring": "the latch is lifted, but the spring has no force",
    "jammed": "a stick jams the gears",
}

_NONE = "none, all move as they should"
_CLEAR_S = 0.1
"""A belt that slips for less at the clip's end is not asked about."""

_FIRST_SHARES = {
    "none": 1.0, "driving_gear": 2.0, "last_gear": 1.0, "small_pulley": 1.0, "large_pulley": 1.0, "lever": 1.0,
    "latch": 1.0, "hammer": 0.5, "lifting_arm": 0.5,
}  # fmt: skip
"""How often each part is the first that does not move as it should, at the default parameters, in ninths."""


_MOVE_SHARES = {"large_pulley": {"yes": 5.1, "no": 2.9}, "latch": {"yes": 2.0, "no": 6.0}}
"""How often these parts move and do not, at the default parameters, without jams."""


def caption(spec: SceneSpec, outcome: MechanismOutcome) -> str:
    """One sentence on the machine, one on what comes of it, one on what would mend it."""
    say = Phrasing(spec)
    where = "on a table" if any(body.name == "table" for body in spec.bodies) else "on the floor"
    bell = outcome.job == "ring_bell"
    job = "ring a bell" if bell else "lift a weight to a red mark"
    chain = say.pick(1, ("a motor, three gears, a belt, a lever, a latch", "gears, a belt, a lever, a latch"))
    end = "a sprung hammer" if bell else "a sprung arm"
    opening = f"{where}, a machine on a board is meant to {job} by way of {chain} and {end}"
    if outcome.done_s is not None:
        what = "the bell rings" if bell else "the weight reaches the mark"
        return f"{sentence(opening)} {sentence(f'{what} {outcome.done_s:.1f} s into the clip')}"
    failed = say.pick(2, ("the bell stays silent", "the bell is not struck")) if bell else "the weight is not lifted"
    if outcome.fault == "none":
        return f"{sentence(opening)} {sentence(failed + ' while the clip lasts')}"
    still = [part.label for part in outcome.parts if part.name == outcome.first_part]
    follows = f", and the {still[0]} is the first part that does not move as it should" if still else ""
    mend = REPAIR_WORDS[PART_OF[outcome.fault]]
    return (
        f"{sentence(opening)} {sentence(f'{failed}: {_WRONG[outcome.fault]}{follows}')} "
        f"{sentence(f'{mend} would make it work')}"
    )


def questions(spec: SceneSpec, outcome: MechanismOutcome, rng: np.random.Generator) -> tuple[Question, ...]:
    """One of three sets, so that none tells what another asks; whether the belt slips, a part moves, and its colour."""
    asked = []
    which, right, belt = int(rng.integers(4)), coin(rng), coin(rng)
    bell = outcome.job == "ring_bell"
    clear = outcome.done or outcome.repair_verified
    if which == 0:
        answer = "yes" if outcome.done else "no"
        if clear and even_out(rng, answer, {"yes": 1.0, "no": 8.0}):
            asked.append(
                Question(
                    kind="does_its_job",
                    question="Does the machine ring its bell?"
                    if bell
                    else "Does the machine lift the weight to the mark?",
                    answer=answer,
                    answer_type="yes_no",
                    needs="either" if bell else "picture",
                )
            )
    elif which in (1, 2):
        if outcome.done_s is not None and outcome.done_s > spec.cue_s:
            asked.append(_when(outcome, bell))
        asked += _repairs(outcome, rng, right)
    elif clear and outcome.first_part in _FIRST_SHARES:
        words = {part.name: f"the {part.label}" for part in outcome.parts if part.name != "weight"} | {"none": _NONE}
        if even_out(rng, outcome.first_part, _FIRST_SHARES):
            asked.append(
                Question(
                    kind="first_part",
                    question="Counting from the motor on, which is the first part that does not move as it should?",
                    answer=words[outcome.first_part],
                    answer_type="choice",
                    choices=shuffled(rng, tuple(words.values())),
                )
            )
    slips = outcome.belt_slips_s
    if belt and which in (0, 3) and (slips is None or slips < spec.duration_s - _CLEAR_S):
        answer = "no" if slips is None else "yes"
        if even_out(rng, answer, {"yes": 1.0, "no": 8.0}):
            asked.append(
                Question(
                    kind="belt_slips",
                    question="Does the belt slip on a pulley?",
                    answer=answer,
                    answer_type="yes_no",
                )
            )
    return (*asked, *_moves(outcome, rng), _color(spec, rng))


def _moves(outcome: MechanismOutcome, rng: np.random.Generator) -> list[Question]:
    """Whether a part moves at all; of each part, as often with one answer as with the other."""
    name, shares = list(_MOVE_SHARES.items())[int(coin(rng))]
    part = next(part for part in outcome.parts if part.name == name)
    answer = "no" if part.first_motion_s is None else "yes"
    # A jam takes up the play of all gears first: too little to say that the pulley turns, or that it does not.
    if outcome.fault == "jammed" or not even_out(rng, answer, shares):
        return []
    return [
        Question(
            kind="part_moves",
            question=f"Does the {part.label} move at any time?",
            answer=answer,
            answer_type="yes_no",
        )
    ]


def _color(spec: SceneSpec, rng: np.random.Generator) -> Question:
    """Of one of the painted parts, among five colours."""
    part = spec.bodies[spec.body_index(pick(rng, ("large_pulley", "lever", "latch")))]
    names = [name for name, color in COLORS.items() if part.look is not None and color == part.look.color]
    others = shuffled(rng, tuple(name for name in COLORS if name not in (*names, "black", "white")))
    return Question(
        kind="part_color",
        question=f"What colour is the {part.label}?",
        answer=names[0],
        answer_type="choice",
        choices=shuffled(rng, (names[0], *others[:4])),
    )


def _when(outcome: MechanismOutcome, bell: bool) -> Question:
    what = "is the bell first struck" if bell else "does the weight first reach the mark"
    return Question(
        kind="job_time",
        question=f"At what time, in seconds from the start of the clip, {what}?",
        answer=f"{outcome.done_s:.2f}",
        answer_type="time_s",
        needs="either" if bell else "picture",
    )


def _repairs(outcome: MechanismOutcome, rng: np.random.Generator, right: bool) -> list[Question]:
    """Which repair is needed; or whether a certain one would do, the right one as often as a wrong one."""
    if not outcome.repair_verified:
        return []
    part = PART_OF[outcome.fault]
    if coin(rng):
        return [
            Question(
                kind="repair",
                question="Which one of these repairs would make the machine do its job?",
                answer=REPAIR_WORDS[part],
                answer_type="choice",
                choices=shuffled(rng, tuple(REPAIR_WORDS.values())),
            )
        ]
    # Nobody takes out a stick that is not there: asked whether that would do, one would know the answer.
    if outcome.fault == "jammed" or outcome.wrong_repair_works is None:
        return []
    works = right or outcome.wrong_repair_works
    named = next(words for name, words in REPAIR_WORDS.items() if name == (part if right else outcome.wrong_repair))
    return [
        Question(
            kind="would_repair",
            question=f"Would {named} alone make the machine do its job?",
            answer="yes" if works else "no",
            answer_type="yes_no",
        )
    ]
