"""General questions: what, when, how many, which first, would it; answers from the trajectory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from physreel.analysis.draws import pick, shuffled
from physreel.analysis.machines import loose_bodies
from physreel.analysis.words import listed
from physreel.labels.drawing import conduct, draw_balanced, draw_contest, draw_subset
from physreel.labels.facts import BOUNCE_RISE_M, Facts, read_facts
from physreel.labels.naming import Names
from physreel.labels.sounds import impact_in_window, impacts_heard
from physreel.labels.whatifs import Simulate, what_if
from physreel.spec import SceneSpec
from physreel.values import Question, Trajectory

_MAX_CHOICES = 8


def general_questions(
    spec: SceneSpec,
    trajectory: Trajectory,
    simulate: Simulate,
    rng: np.random.Generator,
) -> tuple[Question, ...]:
    """At most one question of each kind; kinds whose answer is unclear or given away in this clip are left out.

    Args:
        spec: the world.
        trajectory: what happened in it.
        simulate: runs a changed world, once at most, for the would-it question.
        rng: draws what is asked about, and the order of choices.
    """
    asker = _Asker(spec, read_facts(spec, trajectory), rng)
    kinds: tuple[Callable[[], Question | None], ...] = (
        asker.first_to_touch,
        asker.touches_before,
        asker.first_hit_time,
        asker.fastest_hit,
        asker.touches,
        asker.count_of_these,
        asker.bounce_count,
        asker.bounces_highest,
        asker.rests_on,
        asker.last_to_stop,
        asker.moving_at_end,
        asker.rest_time,
    )
    # What splashes, bubbles or runs is heard as well, and nobody could tell it from impacts.
    if not spec.fluids and not spec.joints:
        kinds += (lambda: impacts_heard(asker.facts, rng), lambda: impact_in_window(asker.facts, rng))
    asked = [question for kind in kinds if (question := kind()) is not None]
    would = what_if(spec, asker.facts, asker.names, simulate, rng)
    return tuple(asked if would is None else [*asked, would])


class _Asker:
    """One clip's questions. Methods are named by kind; each returns None where the question must not be asked."""

    def __init__(self, spec: SceneSpec, facts: Facts, rng: np.random.Generator) -> None:
        self.spec = spec
        self.facts = facts
        self.rng = rng
        self.names = Names(spec)
        self.called = {
            body.name: name for k, body in enumerate(spec.bodies) if (name := self.names.unique(k)) is not None
        }
        self.bodies = {body.name: body for body in spec.bodies}
        dynamic = [body.name for body, loose in zip(spec.bodies, loose_bodies(spec), strict=True) if loose]
        self.loose = dynamic
        self.subjects = [name for name in dynamic if name in self.called]
        # In liquid, what hits something or comes to rest has sunk: scenes ask whether it floats.
        self.dry = [name for name in self.subjects if name not in facts.wet]
        self.all_named = len(self.subjects) == len(dynamic)
        self.things = [name for name in self.called if any(pair[1] == name for pair in facts.touched_s)]
        self.fixed = [name for name in self.things if self.bodies[name].motion != "dynamic"]
        self.conduct = {name: conduct(spec, self.bodies[name]) for name in self.subjects}

    def the(self, name: str) -> str:
        return f"the {self.called[name]}"

    def _choice(self, kind: str, text: str, contest: tuple[str, tuple[str, ...]] | None) -> Question | None:
        if contest is None:
            return None
        winner, choices = contest
        if len(choices) > _MAX_CHOICES:
            kept = {winner, *[name for name in choices if name != winner][: _MAX_CHOICES - 1]}
            choices = tuple(name for name in choices if name in kept)
        return Question(
            kind=kind,
            question=text,
            answer=self.called[winner],
            answer_type="choice",
            choices=tuple(self.called[name] for name in choices),
        )

    def first_to_touch(self) -> Question | None:
        """Which of all objects is the first to touch anything that does not move of itself."""
        fixed = [name for name in self.facts.names if self.bodies[name].motion != "dynamic"]
        first = {
            name: min(times)
            for name in self.loose
            if name not in self.facts.wet
            and (times := [self.facts.touched_s[name, s] for s in fixed if (name, s) in self.facts.touched_s])
        }
        late = {name: -time for name, time in first.items()}
        if not self.all_named or min(first.values(), default=0.0) < self.facts.frame_s:
            return None
        contest = draw_contest(self.rng, late, margin=1.5 * self.facts.frame_s)
        text = "Which of these objects is the first to hit something that was not moving, such as the floor?"
        if len({self.first_fixed(name, fixed) for name in first}) == 1:
            surface = self.first_fixed(next(iter(first)), fixed)
            if surface in self.called:
                text = f"Which of these objects is the first to touch {self.the(surface)}?"
        return self._choice("first_to_touch", text, contest)

    def first_fixed(self, name: str, fixed: list[str]) -> str:
        touched = self.facts.touched_s
        return min((s for s in fixed if (name, s) in touched), key=lambda s: touched[name, s])

    def touches_before(self) -> Question | None:
        """Whether A touches a surface before B does; the order of the two is a coin's."""
        pairs = []
        for thing in self.fixed:
            times = [(self.facts.touched_s.get((name, thing), 0.0), name) for name in self.dry]
            hits = sorted(item for item in times if item[0] > self.facts.frame_s)
            for k, (early, one) in enumerate(hits):
                pairs += [
                    (thing, one, other)
                    for late, other in hits[k + 1 :]
                    if late - early > max(1.5 * self.facts.frame_s, 0.05 * late)
                ]
        if not pairs:
            return None
        thing, first, second = pick(self.rng, pairs)
        yes = bool(self.rng.integers(2))
        a, b = (first, second) if yes else (second, first)
        verb = pick(self.rng, ("touch", "reach"))
        return Question(
            kind="touches_before",
            question=f"Does {self.the(a)} {verb} {self.the(thing)} before {self.the(b)} does?",
            answer="yes" if yes else "no",
            answer_type="yes_no",
        )

    def first_hit_time(self) -> Question | None:
        """When a body first hits something, after the cue."""
        hits = []
        for impact in self.facts.impacts:
            for one, other in ((impact.body_a, impact.body_b), (impact.body_b, impact.body_a)):
                name, thing = self.facts.names[one], self.facts.names[other]
                first = self.facts.touched_s[name, thing]
                clear = impact.approach_speed_m_s >= 0.2 and impact.time_s - first < 0.02
                if clear and name in self.dry and thing in self.called and first > self.spec.cue_s:
                    hits.append((first, name, thing))
        if not hits:
            return None
        time, name, thing = pick(self.rng, hits)
        return Question(
            kind="first_hit_time",
            question=f"At what time, in seconds from the start of the clip, does {self.the(name)} first hit "
            f"{self.the(thing)}?",
            answer=f"{time:.2f}",
            answer_type="time_s",
            needs="either",
        )

    def fastest_hit(self) -> Question | None:
        """Which body hits one surface at the highest speed."""
        contests = []
        for thing in self.fixed:
            speeds: dict[str, float] = {}
            for impact in self.facts.impacts:
                pair = (self.facts.names[impact.body_a], self.facts.names[impact.body_b])
                name = pair[1] if pair[0] == thing else pair[0]
                if thing in pair and name in self.dry:
                    speeds[name] = max(speeds.get(name, 0.0), impact.approach_speed_m_s)
            contest = draw_contest(self.rng, speeds, margin_share=0.1, margin=0.1)
            if contest is not None:
                contests.append((thing, contest))
        if not contests:
            return None
        thing, contest = pick(self.rng, contests)
        return self._choice(
            "fastest_hit", f"Which of these objects hits {self.the(thing)} at the highest speed?", contest
        )

    def touches(self) -> Question | None:
        """Whether X touches Y; contacts that could escape the eye are not asked about."""
        tables = []
        for thing in self.things:
            answers = {}
            for name in self.subjects:
                seen, touched = (name, thing) in self.facts.seen_pairs, (name, thing) in self.facts.touched_s
                if name != thing and seen == touched:
                    answers[name] = "yes" if touched else "no"
            if len(set(answers.values())) == 2:
                tables.append((thing, answers))
        if not tables:
            return None
        thing, answers = pick(self.rng, tables)
        drawn = draw_balanced(self.rng, answers)
        if drawn is None:
            return None
        return Question(
            kind="touches",
            question=f"Does {self.the(drawn[0])} touch {self.the(thing)} at any time?",
            answer=drawn[1],
            answer_type="yes_no",
        )

    def count_of_these(self) -> Question | None:
        """How many of a few named bodies do something: touch a thing, bounce, end on a thing, still move."""
        facts = self.facts
        tables = [
            (
                f"touch {self.the(thing)} at any time",
                {
                    name: (name, thing) in facts.touched_s
                    for name in self.subjects
                    if name != thing and ((name, thing) in facts.seen_pairs) == ((name, thing) in facts.touched_s)
                },
            )
            for thing in self.things
        ]
        counted = {name: facts.bounces[name] for name in self.subjects}
        tables.append(
            (
                f"bounce up by {100 * BOUNCE_RISE_M:.0f} cm or more at least once",
                {name: bool(count) for name, count in counted.items() if count is not None},
            )
        )
        tables += [(f"end up resting on {self.the(thing)}", self._resting_on(thing)) for thing in self.things]
        drawn = [(text, draw) for text, answers in tables if (draw := draw_subset(self.rng, answers)) is not None]
        if not drawn:
            return None
        text, (count, chosen) = pick(self.rng, drawn)
        return Question(
            kind="count_of_these",
            question=f"Of {listed([self.the(name) for name in chosen])}, how many {text}?",
            answer=str(count),
            answer_type="count",
        )

    def _resting_on(self, thing: str) -> dict[str, bool]:
        facts = self.facts
        return {
            name: thing in facts.supports[name]
            for name in self.subjects
            if name != thing and facts.rest_s[name] is not None and name not in facts.unsure_rest
        }

    def bounce_count(self) -> Question | None:
        """How often a body bounces."""
        counts = {name: count for name in self.subjects if (count := self.facts.bounces[name]) is not None}
        drawn = draw_balanced(self.rng, counts, self.conduct)
        if drawn is None:
            return None
        return Question(
            kind="bounce_count",
            question=f"How many times does {self.the(drawn[0])} bounce up by {100 * BOUNCE_RISE_M:.0f} cm or more?",
            answer=str(drawn[1]),
            answer_type="count",
        )

    def bounces_highest(self) -> Question | None:
        """Which body rebounds highest from its first impact."""
        heights = {name: self.facts.rebound_m[name] for name in self.dry if name in self.facts.rebound_m}
        contest = draw_contest(self.rng, heights, traits=self.conduct, margin_share=0.1, margin=0.01)
        if contest is not None and heights[contest[0]] < BOUNCE_RISE_M:
            return None
        text = "Which of these objects rises highest from its first impact, before it hits anything again?"
        return self._choice("bounces_highest", text, contest)

    def rests_on(self) -> Question | None:
        """What carries a body at the end."""
        answers = {
            name: self.facts.supports[name][0]
            for name in self.dry
            if self.facts.rest_s[name] is not None
            and name not in self.facts.unsure_rest
            and len(self.facts.supports[name]) == 1
            and self.facts.supports[name][0] in self.called
        }
        drawn = draw_balanced(self.rng, answers)
        if drawn is None:
            return None
        name, support = drawn
        possible = sorted({thing for thing in answers.values() if thing != name})
        return Question(
            kind="rests_on",
            question=f"What is {self.the(name)} resting on when the clip ends?",
            answer=self.called[support],
            answer_type="choice",
            choices=shuffled(self.rng, [self.called[thing] for thing in possible]),
        )

    def last_to_stop(self) -> Question | None:
        """Which body keeps moving longest."""
        if self.facts.unsure_rest & {name for name in self.subjects if self.facts.rest_s[name] is None}:
            return None
        stops = {
            name: self.facts.duration_s + 1.0 if (rest := self.facts.rest_s[name]) is None else rest
            for name in self.subjects
        }
        contest = draw_contest(self.rng, stops, traits=self.conduct, margin=2.5 * self.facts.frame_s)
        return self._choice("last_to_stop", "Which of these objects keeps moving the longest?", contest)

    def moving_at_end(self) -> Question | None:
        """Whether a body still moves when the clip ends."""
        answers = {
            name: "yes" if self.facts.rest_s[name] is None else "no"
            for name in self.subjects
            if name not in self.facts.unsure_rest
        }
        drawn = draw_balanced(self.rng, answers, self.conduct)
        if drawn is None:
            return None
        return Question(
            kind="moving_at_end",
            question=f"Is {self.the(drawn[0])} still moving when the clip ends?",
            answer=drawn[1],
            answer_type="yes_no",
        )

    def rest_time(self) -> Question | None:
        """When a body comes to rest for good, after the cue."""
        stops = [
            (time, name)
            for name in self.dry
            if (time := self.facts.rest_s[name]) is not None
            and time > self.spec.cue_s
            and name not in self.facts.unsure_rest
        ]
        if not stops:
            return None
        time, name = pick(self.rng, stops)
        return Question(
            kind="rest_time",
            question=f"From what time on, in seconds from the start of the clip, does {self.the(name)} stay at rest?",
            answer=f"{time:.2f}",
            answer_type="time_s",
        )
