"""What is said and asked of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.draws import pick, shuffled
from physreel.analysis.engines import Fault
from physreel.analysis.words import Phrasing, a, number, sentence
from physreel.scenes.asking import even_out
from physreel.spec import SceneSpec
from physreel.values import Question

Floats = NDArray[np.float64]

FAULT_WORDS: dict[Fault, str] = {
    "none": "nothing",
    "misfire": "one cylinder does not fire",
    "knocking_rod": "a connecting rod has play and knocks",
    "slipping_belt": "the belt slips",
    "unbalanced_flywheel": "the flywheel is out of balance",
    "worn_bearing": "the bearing of the fan is worn",
}
"""What is wrong, as answers have it."""

_COUNT_S = 0.6
_EDGE_S = 0.035
_APART_S = 0.05
_MOST_HEARD = 7


def describe(spec: SceneSpec, result: dict[str, Any]) -> str:
    """A caption, from the outcome's fields."""
    say = Phrasing(spec)
    count, fault = result["cylinder_count"], result["fault"]
    cylinders = f"{number(count)} cylinder{'' if count == 1 else 's'}"
    drive = spec.belts[0].name
    pace = "slowly" if result["mean_rev_s"] < 5.0 else "briskly" if result["mean_rev_s"] > 7.0 else "steadily"
    opening = say.pick(
        0,
        (
            f"a cut-away model engine with {cylinders} runs {pace} and drives a fan by {a(drive)}",
            f"a small engine with {cylinders}, cut open, turns {pace} at about {result['mean_rev_s']:.1f} turns a "
            f"second; {a(drive)} takes its power to a fan",
        ),
    )
    slip = 100.0 * result["belt_slip_share"]
    often = "all the time" if slip > 95.0 else f"for about {slip:.0f} % of the time"
    endings = {
        "none": ("it runs evenly and nothing is wrong with it", "everything is in order"),
        "misfire": (
            f"the cylinder of the {result['misfiring_piston']} does not fire, so that it limps",
            f"a beat is missing: the cylinder of the {result['misfiring_piston']} never fires",
        ),
        "knocking_rod": (
            f"the rod of the {result['knocking_piston']} has play and knocks each time the load turns round",
            f"there is a knock from the rod of the {result['knocking_piston']}, which is loose",
        ),
        "slipping_belt": (
            f"the belt is too slack and slips and squeals {often}, and the fan lags behind",
            f"the slack belt slips on its pulley with a squeal, {often}",
        ),
        "unbalanced_flywheel": (
            "its flywheel is out of balance, and the engine shakes from side to side once in each turn",
            "the whole engine is shaken from side to side by a flywheel that is out of balance",
        ),
        "worn_bearing": (
            "the bearing of the fan is worn and rattles",
            "a rattle comes from the fan's bearing, which is worn",
        ),
    }
    return f"{sentence(opening)} {sentence(say.pick(1, endings[fault]))}"


def engine_questions(
    spec: SceneSpec, result: dict[str, Any], firing_s: Sequence[Floats], rng: np.random.Generator
) -> tuple[Question, ...]:
    """Questions from the outcome's fields and the times at which cylinders fire.

    Of those about the fault only one, for each would tell what another asks.
    """
    asked = [_about_fault(spec, result, rng), _heard(spec, result, firing_s, rng), _faster(result, rng), _turns(result)]
    return tuple(question for question in asked if question is not None)


def _about_fault(spec: SceneSpec, result: dict[str, Any], rng: np.random.Generator) -> Question | None:
    kind = pick(rng, ("fault", "fault", "which", "slips", "shakes", "fires"))
    fault: Fault = result["fault"]
    if kind == "fault":
        return Question(
            kind="engine_fault",
            question="What is wrong with the engine or what it drives?",
            answer=FAULT_WORDS[fault],
            answer_type="choice",
            choices=shuffled(rng, tuple(FAULT_WORDS.values())),
            needs="both",
        )
    pistons = [body.label for body in spec.bodies if body.name.startswith("piston_")]
    if kind == "which":
        which = result["misfiring_piston"] or result["knocking_piston"]
        if which is None or len(pistons) < 2:
            return None
        what = "does not fire" if fault == "misfire" else "has a knocking rod"
        return Question(
            kind="faulty_cylinder",
            question=f"One cylinder of this engine {what}. Which piston is in it?",
            answer=which,
            answer_type="choice",
            choices=shuffled(rng, pistons),
            needs="both",
        )
    yes = {"slips": "slipping_belt", "shakes": "unbalanced_flywheel", "fires": "misfire"}[kind]
    answer = "yes" if fault == yes else "no"
    if kind == "slips" and spec.belts[0].kind == "chain":
        return None
    # Of six faults one, each as likely; of engines with a belt, more slip than of all.
    if not even_out(rng, answer, {"yes": 2.0 if kind == "slips" else 1.0, "no": 5.0}):
        return None
    text, needs = {
        "slips": ("Does the belt slip on its pulleys?", "either"),
        "shakes": ("Does the engine as a whole shake from side to side?", "either"),
        "fires": ("Is there a cylinder that never fires?", "sound"),
    }[kind]
    return Question(
        kind=f"engine_{kind}", question=text, answer=answer, answer_type="yes_no",
        needs="sound" if needs == "sound" else "either",
    )  # fmt: skip


def _heard(
    spec: SceneSpec, result: dict[str, Any], firing_s: Sequence[Floats], rng: np.random.Generator
) -> Question | None:
    """How many puffs of the exhaust are heard in a stretch of the clip; only where none is at its edges."""
    if result["fault"] not in ("none", "misfire"):
        return None
    fires = [k for k, cylinder in enumerate(spec.gas_cylinders) if cylinder.fires]
    # The valve opens 140° after top dead centre.
    late = 140.0 / 360.0 / max(result["mean_rev_s"], 1e-6)
    times = np.sort(np.concatenate([firing_s[k] for k in fires]) + late)
    windows = []
    for start in np.arange(0.1, spec.duration_s - _COUNT_S - 0.05, 0.05):
        inside = times[(times > start) & (times < start + _COUNT_S)]
        edges = np.abs(times[:, None] - [start, start + _COUNT_S]).min() if len(times) else 1.0
        apart = all(later - one > _APART_S for one, later in pairwise(inside.tolist()))
        if edges > _EDGE_S and apart and 1 <= len(inside) <= _MOST_HEARD:
            windows.append((float(start), len(inside)))
    if not windows:
        return None
    # Each count that occurs is as likely.
    count = pick(rng, sorted({found for _, found in windows}))
    start = pick(rng, [begin for begin, found in windows if found == count])
    return Question(
        kind="puffs_heard",
        question=f"How many puffs of the exhaust are heard between {start:.2f} s and {start + _COUNT_S:.2f} s?",
        answer=str(count),
        answer_type="count",
        needs="sound",
    )


def _faster(result: dict[str, Any], rng: np.random.Generator) -> Question | None:
    ratio = result["fan_rev_s"] / max(result["mean_rev_s"], 1e-6)
    if 0.87 < ratio < 1.15:
        return None
    answer = "fan" if ratio > 1.0 else "flywheel"
    if not even_out(rng, answer, {"fan": 0.39, "flywheel": 0.35}):
        return None
    return Question(
        kind="turns_faster",
        question="Which of the two turns faster?",
        answer=answer,
        answer_type="choice",
        choices=shuffled(rng, ("fan", "flywheel")),
    )


def _turns(result: dict[str, Any]) -> Question | None:
    turns = result["turns"]
    if not 0.15 < turns % 1.0 < 0.85:
        return None
    return Question(
        kind="flywheel_turns",
        question="How many full turns does the flywheel make in the clip?",
        answer=str(int(turns)),
        answer_type="count",
    )
