"""Captions and questions of gears: which way, how far, how fast, whether and when it stops, whose teeth are missing."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from physreel.analysis.draws import pick, shuffled
from physreel.analysis.words import Phrasing, a, listed, number, sentence
from physreel.scenes.asking import coin, even_out
from physreel.scenes.gear_outcome import (
    THUMP_M_S,
    GearOutcome,
    camera_facing,
    find_thumps,
    gear_angle,
)
from physreel.spec import Gear, SceneSpec
from physreel.values import Question, Trajectory

CLOCKWISE, COUNTER = "clockwise", "counterclockwise"
_CLEAR_TURN_RAD = 0.35
_ALONE = 0.35
"""How often a clip is asked only whether its output turns, or what stops the handle."""

_TOLD_TURN_RAD = 0.65
"""Turns below this are too small for three smaller ones to be told from each other."""

_FASTER, _SLOWER = 1.2, 0.83

TURNS_SHARES = {"yes": 0.61, "no": 0.39}
"""How often, at the default parameters, the output moves at all; the others likewise."""

END_SHARES = {"yes": 0.65, "no": 0.35}

FASTER_SHARES = {"yes": 0.22, "no": 0.78}
BREAKS_SHARES = {"yes": 0.12, "no": 0.88}
STOP_SHARES = {"keeps turning": 0.71, "jams": 0.14, "gears block each other": 0.15}
THUMP_SHARES = {"one": 0.67, "more": 0.33}

_STOPS = {
    "keeps turning": "nothing stops it",
    "jams": "something gets between the teeth, or teeth clash",
    "gears block each other": "the gears block each other",
}


def describe_gears(spec: SceneSpec, result: GearOutcome) -> str:
    """What drives what, how the output moves, and what fails."""
    say = Phrasing(spec)
    names = {body.name: body.label for body in spec.bodies}
    gears = [body for body in spec.bodies if isinstance(body.shape, Gear)]
    handle = names["handle"]
    where = "an upright board" if "foot" in names else "a board that lies flat"
    kind = {
        "train": f"a train of {number(result.gear_count)} gears",
        "loop": f"{number(result.gear_count)} gears in a closed ring",
        "compound": f"{number(result.gear_count)} gears in stages on common shafts",
        "internal": "a gear in a toothed ring" if result.gear_count == 2 else "two gears in a toothed ring",
        "planetary": "a sun gear with three planets in a toothed ring",
        "rack": "a gear on a toothed rack" if result.gear_count == 1 else "two gears on a toothed rack",
    }[result.layout]
    verb = say.pick(0, ("drives", "turns"))
    opening = f"on {where}, {a(handle)} {verb} {kind}"
    if result.layout in ("train", "loop") and len(gears) <= 4:
        opening += f": {listed([a(body.label) for body in gears])}"
    return " ".join(sentence(text) for text in (opening, _motion(result, handle), _failure(result, handle)) if text)


def _motion(result: GearOutcome, handle: str) -> str:
    what = result.output
    if not result.output_turns:
        return f"the {what} does not move"
    if result.rack_travel_m is not None:
        side = {True: " to the right", False: " to the left", None: ""}[result.rack_moves_right]
        return f"the {what} is moved{side} by {result.rack_travel_m * 100:.0f} cm"
    assert result.output_angle_rad is not None
    turns = abs(result.output_angle_rad) / (2.0 * np.pi)
    way = "" if result.output_clockwise is None else f" {CLOCKWISE if result.output_clockwise else COUNTER}"
    text = (
        f"the {what} turns{way} by {turns:.1f} turns"
        if turns >= 0.95
        else (f"the {what} turns{way} by {np.degrees(2.0 * np.pi * turns):.0f}°")
    )
    if result.ratio is not None and result.fault == "none":
        ratio = abs(result.ratio)
        if not _SLOWER < ratio < _FASTER:
            text += f", {'faster' if ratio > 1.0 else 'slower'} than the {handle}"
    return text


def _failure(result: GearOutcome, handle: str) -> str:
    thumps = f", with {'a thump' if result.thump_count == 1 else f'{number(result.thump_count)} thumps'}"
    thumps = thumps if 0 < result.thump_count < 10 else ""
    match result.fault:
        case "missing_teeth":
            return f"teeth are missing on the {result.faulty_gear}, and gears come out of step there{thumps}"
        case "loose_gear":
            return f"the {result.faulty_gear} is loose and turns on its shaft"
        case "stripped_tooth":
            count = "a tooth breaks" if result.teeth_lost == 1 else f"{number(result.teeth_lost)} teeth break"
            text = f"at {result.tooth_lost_s:.1f} s {count} off the {result.faulty_gear}"
            return text + (f", and at {result.jam_s:.1f} s everything jams" if result.jam_s is not None else "")
        case "jam":
            cause = f" because of the {result.jammed_by} in the teeth" if result.jammed_by else ""
            if result.faulty_gear:
                cause = f": teeth clash behind the gap in the {result.faulty_gear}"
            return f"at {result.jam_s:.1f} s the {handle} is stopped{cause}"
        case "locked":
            return "the gears block each other"
        case _:
            return ""


def ask(spec: SceneSpec, trajectory: Trajectory, result: GearOutcome, rng: np.random.Generator) -> tuple[Question, ...]:
    """Questions with the same chance of each answer.

    Nearly every one tells that something turns: whether the output does, and what stops the handle, are asked alone.
    """
    alone, stops = bool(rng.random() < _ALONE), coin(rng)
    if alone:
        asked = [_what_stops(spec, result, rng) if stops else turns_at_all(result, rng)]
    else:
        asked = [
            _direction(result),
            _still_moving(spec, result, rng),
            _speeds(spec, result, rng),
            how_far(result, rng),
            _fastest(spec, trajectory, rng),
            _same_way(spec, trajectory, rng),
            _whose_teeth(spec, rng),
            _whose_hub(spec, result, rng),
            breaks(result, rng),
            _thumps(spec, trajectory, result, rng),
        ]
    return tuple(question for question in asked if question is not None)


def turns_at_all(result: GearOutcome, rng: np.random.Generator) -> Question | None:
    """Whether the output moves, evened out."""
    answer = "yes" if result.output_turns else "no"
    if not even_out(rng, answer, TURNS_SHARES):
        return None
    return Question(
        kind="turns_at_all", question=f"Does the {result.output} move at all?", answer=answer, answer_type="yes_no"
    )


def _what_stops(spec: SceneSpec, result: GearOutcome, rng: np.random.Generator) -> Question | None:
    state = "keeps turning"
    if result.jam_s is not None:
        state = "gears block each other" if result.fault == "locked" else "jams"
    if not even_out(rng, state, STOP_SHARES):
        return None
    handle = next(body.label for body in spec.bodies if body.name == "handle")
    return Question(
        kind="what_stops", question=f"What stops the {handle}?", answer=_STOPS[state], answer_type="choice",
        choices=shuffled(rng, tuple(_STOPS.values())),
    )  # fmt: skip


def _direction(result: GearOutcome) -> Question | None:
    if result.rack_moves_right is not None:
        return Question(
            kind="rack_way", question="Which way does the rack move in the picture?",
            answer="to the right" if result.rack_moves_right else "to the left", answer_type="choice",
            choices=("to the left", "to the right"),
        )  # fmt: skip
    if result.output_clockwise is None or abs(result.output_angle_rad or 0.0) < _CLEAR_TURN_RAD:
        return None
    return Question(
        kind="output_way", question=f"Which way does the {result.output} turn, as the camera sees it?",
        answer=CLOCKWISE if result.output_clockwise else COUNTER, answer_type="choice", choices=(CLOCKWISE, COUNTER),
    )  # fmt: skip


def _still_moving(spec: SceneSpec, result: GearOutcome, rng: np.random.Generator) -> Question | None:
    """Whether what has moved still does at the end, or when the handle is stopped: one of them."""
    if coin(rng):
        answer = "yes" if result.output_turning_at_end else "no"
        if not result.output_turns or not even_out(rng, answer, END_SHARES):
            return None
        return Question(
            kind="moving_at_end", question=f"Is the {result.output} still moving when the clip ends?", answer=answer,
            answer_type="yes_no",
        )  # fmt: skip
    if result.jam_s is None or result.fault == "locked" or result.jam_s <= spec.cue_s:
        return None
    handle = next(body.label for body in spec.bodies if body.name == "handle")
    return Question(
        kind="stop_time", question=f"At what time, in seconds from the start of the clip, is the {handle} stopped?",
        answer=f"{result.jam_s:.2f}", answer_type="time_s",
    )  # fmt: skip


def _speeds(spec: SceneSpec, result: GearOutcome, rng: np.random.Generator) -> Question | None:
    """Asked of what runs as it should: otherwise which is faster depends on when one looks."""
    if result.ratio is None or result.fault != "none" or _SLOWER < abs(result.ratio) < _FASTER:
        return None
    answer = "yes" if abs(result.ratio) > 1.0 else "no"
    if not even_out(rng, answer, FASTER_SHARES):
        return None
    handle = next(body.label for body in spec.bodies if body.name == "handle")
    return Question(
        kind="faster_than_handle", question=f"Does the {result.output} turn faster than the {handle}?", answer=answer,
        answer_type="yes_no",
    )  # fmt: skip


def how_far(result: GearOutcome, rng: np.random.Generator) -> Question | None:
    """Four angles in even steps of their ratio, of which the true one may be any."""
    if result.output_angle_rad is None or abs(result.output_angle_rad) < _TOLD_TURN_RAD:
        return None
    turned = float(np.degrees(abs(result.output_angle_rad)))
    rank = int(rng.integers(4))
    choices = [f"about {5 * max(1, round(turned * 1.8 ** (k - rank) / 5.0))}°" for k in range(4)]
    if len(set(choices)) < 4:
        return None
    return Question(
        kind="how_far", question=f"Through what angle, in all, has the {result.output} turned when the clip ends?",
        answer=choices[rank], answer_type="choice", choices=tuple(choices),
    )  # fmt: skip


def _turns(spec: SceneSpec, trajectory: Trajectory) -> dict[str, float]:
    """How far each gear has turned, as the camera sees it (counterclockwise), by label."""
    drive = spec.joint("drive")
    facing = camera_facing(spec, drive)
    gears = [body for body in spec.bodies if isinstance(body.shape, Gear)]
    return {body.label: facing * float(gear_angle(spec, trajectory, body.name)[-1]) for body in gears}


def _fastest(spec: SceneSpec, trajectory: Trajectory, rng: np.random.Generator) -> Question | None:
    turns = _turns(spec, trajectory)
    ranked = sorted(turns, key=lambda label: -abs(turns[label]))
    if len(ranked) < 3 or abs(turns[ranked[0]]) < max(1.0, 1.15 * abs(turns[ranked[1]])):
        return None
    return Question(
        kind="fastest_gear", question="Which of these gears turns through the greatest angle?", answer=ranked[0],
        answer_type="choice", choices=shuffled(rng, ranked),
    )  # fmt: skip


def _same_way(spec: SceneSpec, trajectory: Trajectory, rng: np.random.Generator) -> Question | None:
    """Of two gears: the answer is drawn first, of those that there are."""
    turns = {label: turn for label, turn in _turns(spec, trajectory).items() if abs(turn) > _CLEAR_TURN_RAD}
    pairs: dict[str, list[tuple[str, str]]] = {"yes": [], "no": []}
    for first, second in combinations(turns, 2):
        pairs["yes" if turns[first] * turns[second] > 0.0 else "no"].append((first, second))
    answer = "yes" if coin(rng) else "no"
    if not all(pairs.values()):
        return None
    first, second = shuffled(rng, pick(rng, pairs[answer]))
    return Question(
        kind="same_way", question=f"Do the {first} and the {second} turn the same way round?", answer=answer,
        answer_type="yes_no",
    )  # fmt: skip


def _whose_teeth(spec: SceneSpec, rng: np.random.Generator) -> Question | None:
    """Asked where some are missing from the beginning; what breaks off is another question."""
    gears = [body for body in spec.bodies if isinstance(body.shape, Gear)]
    weak = {tooth.gear for tooth in spec.breakable_teeth}
    gaps = [
        body.label
        for body in gears
        if isinstance(body.shape, Gear) and body.shape.missing_teeth and body.name not in weak
    ]
    if len(gaps) != 1 or len(gears) < 2:
        return None
    return Question(
        kind="teeth_missing", question="Which of these gears has a gap in its teeth?", answer=gaps[0],
        answer_type="choice", choices=shuffled(rng, [body.label for body in gears]),
    )  # fmt: skip


def _whose_hub(spec: SceneSpec, result: GearOutcome, rng: np.random.Generator) -> Question | None:
    gears = [body.label for body in spec.bodies if isinstance(body.shape, Gear)]
    if result.fault != "loose_gear" or result.faulty_gear is None or len(gears) < 2:
        return None
    return Question(
        kind="gear_loose", question="Which of these gears is loose on its shaft?", answer=result.faulty_gear,
        answer_type="choice", choices=shuffled(rng, gears),
    )  # fmt: skip


def breaks(result: GearOutcome, rng: np.random.Generator) -> Question | None:
    """Whether a tooth breaks off, or when: one of them."""
    if coin(rng):
        if result.tooth_lost_s is None:
            return None
        return Question(
            kind="break_time",
            question="At what time, in seconds from the start of the clip, does the first tooth break off?",
            answer=f"{result.tooth_lost_s:.2f}", answer_type="time_s", needs="either",
        )  # fmt: skip
    answer = "yes" if result.teeth_lost else "no"
    if not even_out(rng, answer, BREAKS_SHARES):
        return None
    return Question(
        kind="tooth_breaks", question="Does a tooth break off one of the gears?", answer=answer, answer_type="yes_no"
    )


def _thumps(spec: SceneSpec, trajectory: Trajectory, result: GearOutcome, rng: np.random.Generator) -> Question | None:
    """How often teeth thump, or when first; where all blows are clear ones, and few enough to count."""
    counted = coin(rng)
    found = find_thumps(spec, trajectory)
    if result.teeth_lost or result.jam_s is not None or not 1 <= len(found) <= 6:
        return None
    if len(find_thumps(spec, trajectory, 0.6 * THUMP_M_S)) != len(found):
        return None
    if not counted:
        return Question(
            kind="first_thump",
            question="At what time, in seconds from the start of the clip, do teeth first meet with a thump?",
            answer=f"{found[0]:.2f}", answer_type="time_s", needs="sound",
        )  # fmt: skip
    if not even_out(rng, "one" if len(found) == 1 else "more", THUMP_SHARES):
        return None
    return Question(
        kind="thumps_heard", question="How many times do teeth of the running gears meet with a thump?",
        answer=str(len(found)), answer_type="count", needs="sound",
    )  # fmt: skip
