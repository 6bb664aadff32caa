"""Would-it questions: one thing is changed, the world is simulated again, and the answer read from that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from physreel.analysis.draws import pick
from physreel.analysis.machines import loose_bodies
from physreel.errors import PhysreelError
from physreel.labels.drawing import conduct, draw_balanced
from physreel.labels.facts import BOUNCE_RISE_M, Facts, read_facts
from physreel.labels.naming import Names
from physreel.spec import MATERIALS, SceneSpec
from physreel.values import Question, Trajectory

Simulate = Callable[[SceneSpec], Trajectory]

_SWAPS = ("steel", "rubber", "cork", "oak", "glass")


@dataclass(frozen=True, kw_only=True)
class _Change:
    """A changed world and the words for the change."""

    spec: SceneSpec
    body: str
    removed: bool
    words: str


def what_if(
    spec: SceneSpec, facts: Facts, names: Names, simulate: Simulate, rng: np.random.Generator
) -> Question | None:
    """A question about the world with one object taken away or made of something else; None if there is no fair one.

    One simulation at most; none of a world with liquids, which would cost as much as the clip itself. Asked are things
    that, in the changed world, are so of one object and not of another of the same sort: then yes and no are as likely,
    whoever is asked about. Things that the change turned are preferred.
    """
    if spec.fluids:
        return None
    called = {body.name: name for k, body in enumerate(spec.bodies) if (name := names.unique(k)) is not None}
    change = _draw_change(spec, facts, called, rng)
    if change is None:
        return None
    try:
        changed = read_facts(change.spec, simulate(change.spec))
    except PhysreelError:
        return None  # no engine could say what would have happened, so nothing is asked

    subjects = [
        body
        for body, loose in zip(change.spec.bodies, loose_bodies(change.spec), strict=True)
        if loose and body.name in called and body.name in facts.rest_s
    ]
    tables = []
    for words, before, after, telling in _predicates(spec, facts, changed, called, [body.name for body in subjects]):
        sorts = {body.name: conduct(change.spec, body) if telling else "" for body in subjects}
        turned = {name for name in after if before.get(name) not in (None, after[name])}
        tables.append((words, after, sorts, turned))
    in_random_order = [tables[k] for k in rng.permutation(len(tables))]
    # Stable: those with a turned answer first, in random order among themselves.
    for words, answers, sorts, turned in sorted(in_random_order, key=lambda item: not item[3]):
        drawn = draw_balanced(rng, answers, sorts)
        if drawn is None:
            continue
        name, answer = drawn
        alike = [n for n in turned if answers[n] == answer and sorts[n] == sorts[name]]
        name = pick(rng, sorted(alike)) if alike else name
        return Question(
            kind="would_it",
            question=f"If {change.words}, would {'it' if name == change.body else 'the ' + called[name]} {words}?",
            answer=answer,
            answer_type="yes_no",
        )
    return None


def _draw_change(spec: SceneSpec, facts: Facts, called: dict[str, str], rng: np.random.Generator) -> _Change | None:
    dynamic = [body for body, loose in zip(spec.bodies, loose_bodies(spec), strict=True) if loose]
    free = [body.name for body in dynamic if body.name in called]
    if len(dynamic) < 3 or not free:
        return None  # two others at least must be left to ask about
    partners = {
        name: sum((name, other.name) in facts.touched_s for other in dynamic if other.name != name) for name in free
    }
    most = max(partners.values())
    # What met others made a difference; of what met nobody, only itself would go another way.
    name = pick(rng, [n for n in free if partners[n] == most])
    if most == 0 or rng.random() < 0.3:
        return _made_of(spec, name, called[name], rng)
    bodies = tuple(body for body in spec.bodies if body.name != name)
    passing = tuple(pair for pair in spec.no_contact if name not in pair)
    changed = spec.model_copy(update={"bodies": bodies, "no_contact": passing})
    return _Change(spec=changed, body=name, removed=True, words=f"the {called[name]} were not there")


def _made_of(spec: SceneSpec, name: str, called: str, rng: np.random.Generator) -> _Change:
    index = spec.body_index(name)
    body = spec.bodies[index]
    old = spec.material_of(body)
    # Something that moves otherwise: lighter or heavier, livelier or duller.
    others = [
        other
        for other in _SWAPS
        if abs(np.log(MATERIALS[other].density_kg_m3 / old.density_kg_m3)) > 0.3
        or abs(MATERIALS[other].restitution - old.restitution) > 0.15
    ]
    new = pick(rng, others)
    swapped = body.model_copy(update={"material": new, "mass_kg": None, "inertia_kg_m2": None})
    bodies = (*spec.bodies[:index], swapped, *spec.bodies[index + 1 :])
    words = f"the {called} were made of {new}" + (" instead" if old.name in called else "")
    return _Change(spec=spec.model_copy(update={"bodies": bodies}), body=name, removed=False, words=words)


_Table = tuple[str, dict[str, str], dict[str, str], bool]


def _predicates(
    spec: SceneSpec, facts: Facts, changed: Facts, called: dict[str, str], subjects: list[str]
) -> list[_Table]:
    """What may be asked: its words, the answers as it was and as it would be, and whether names tell."""
    tables: list[_Table] = []
    for thing in [body.name for body in spec.bodies if body.name in called and body.name in changed.names]:
        before, after = (
            {
                name: "yes" if (name, thing) in world.touched_s else "no"
                for name in subjects
                if name != thing and ((name, thing) in world.seen_pairs) == ((name, thing) in world.touched_s)
            }
            for world in (facts, changed)
        )
        tables.append((f"touch the {called[thing]}", before, after, False))
        before, after = (
            {
                name: "yes" if thing in world.supports[name] else "no"
                for name in subjects
                if name != thing and name not in world.unsure_rest and world.rest_s[name] is not None
            }
            for world in (facts, changed)
        )
        tables.append((f"end up resting on the {called[thing]}", before, after, False))
    before, after = (
        {name: "yes" if world.rest_s[name] is None else "no" for name in subjects if name not in world.unsure_rest}
        for world in (facts, changed)
    )
    tables.append(("still be moving when the clip ends", before, after, True))
    before, after = (
        {name: "yes" if world.bounces[name] else "no" for name in subjects if world.bounces[name] is not None}
        for world in (facts, changed)
    )
    tables.append((f"bounce up by {100 * BOUNCE_RISE_M:.0f} cm or more at least once", before, after, True))
    return tables
