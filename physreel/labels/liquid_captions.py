"""Captions of what liquids do, from the events; for scenes that have no words of their own."""

from __future__ import annotations

from physreel.analysis.liquids import starts_with_liquid
from physreel.analysis.words import Phrasing, listed
from physreel.geometry.vessels import hollow_bodies
from physreel.labels.naming import Names
from physreel.spec import SceneSpec
from physreel.values import Event, Trajectory


def liquid_sentences(
    spec: SceneSpec, trajectory: Trajectory, events: tuple[Event, ...], names: Names, say: Phrasing
) -> list[str]:
    """What there is and in what, what it reaches first, what runs over, is emptied, floats or sinks; without stops."""
    if trajectory.liquid is None:
        return []
    index = {body.name: k for k, body in enumerate(spec.bodies)}
    what = listed(list(dict.fromkeys(fluid.label or fluid.liquid for fluid in spec.fluids)))
    homes = [k for k in hollow_bodies(spec) if starts_with_liquid(spec, trajectory, k)]
    where = f" in {listed(names.introduced(homes))}" if homes else ""
    sentences = [f"there is {what}{where}"]

    def about(kind: str) -> list[int]:
        return [index[event.bodies[0]] for event in events if event.kind == kind]

    gone, reached = about("first_drop"), about("liquid_contact")
    clauses = [f"it {say.pick(20, ('leaves', 'runs out of'))} {names.the_all(gone)}"] if gone else []
    if reached:
        verb = say.pick(21, ("reaches", "arrives at"))
        clauses.append(
            f"{'' if gone else 'it '}{verb} {names.the_all(reached[:2])}" + (" first" if len(reached) > 2 else "")
        )
    sentences.append(" and ".join(clauses))
    for kind, one, many in (
        ("overflow_begins", ("runs over", "overflows"), ("run over", "overflow")),
        ("vessel_empty", ("is empty in the end", "is emptied"), ("are empty in the end", "are emptied")),
        ("floats", ("floats", "comes to float"), ("float", "come to float")),
        ("sinks", ("sinks", "goes to the bottom"), ("sink", "go to the bottom")),
    ):
        bodies = about(kind)
        if bodies:
            sentences.append(f"{names.the_all(bodies)} {say.pick(22, one if len(bodies) == 1 else many)}")
    return [text for text in sentences if text]
