"""Captions: what happens, in plain English, from the events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physreel.analysis import rest_time_s, supports_at_end
from physreel.analysis.machines import loose_bodies
from physreel.analysis.words import Phrasing, listed, number, sentence, times
from physreel.geometry.rotations import up_direction
from physreel.labels.liquid_captions import liquid_sentences
from physreel.labels.naming import Names
from physreel.spec import SceneSpec
from physreel.values import Event, Trajectory

_LISTED_OBJECTS = 4
_FREE_START_S = 0.05
_TOUCH_SPEED_M_S = 0.3
_LANDING_SHARE = 0.5  # walls are hit, not landed on


def general_caption(spec: SceneSpec, trajectory: Trajectory, events: tuple[Event, ...]) -> str:
    """A few sentences: what liquids do, what falls, what hits what, what leaves what carried it, where things end.

    The forms of the sentences are chosen by a hash of the spec, so that captions differ and yet are the same each time.
    """
    writer = _Writer(spec, trajectory, events)
    sentences = liquid_sentences(spec, trajectory, events, writer.names, writer.phrasing)
    if writer.dynamic or not sentences:
        sentences += [writer.opening(), writer.meetings(), writer.leaving(), writer.ending()]
    return " ".join(sentence(text) for text in sentences if text)


class _Writer:
    def __init__(self, spec: SceneSpec, trajectory: Trajectory, events: tuple[Event, ...]) -> None:
        self.spec = spec
        self.names = Names(spec)
        self.index = {body.name: k for k, body in enumerate(spec.bodies)}
        self.dynamic = np.flatnonzero(loose_bodies(spec)).tolist()
        self.events = events
        self.rest = rest_time_s(spec, trajectory)
        self.supports = supports_at_end(spec, trajectory)
        self.phrasing = Phrasing(spec)
        self.pick = self.phrasing.pick
        contacts = trajectory.contacts
        early = contacts.time_s <= _FREE_START_S
        touched = set(contacts.body_a[early].tolist()) | set(contacts.body_b[early].tolist())
        self.falling = [k for k in self.dynamic if k not in touched]
        self.touches = [(e, *self._pair(e)) for e in events if e.kind == "first_contact"]
        level = np.abs(contacts.normal @ up_direction(spec)) >= _LANDING_SHARE
        self.from_above = set(zip(contacts.body_a[level].tolist(), contacts.body_b[level].tolist(), strict=True))

    def _pair(self, event: Event) -> tuple[int, int]:
        return self.index[event.bodies[0]], self.index[event.bodies[1]]

    def first_thing(self, body: int) -> int | None:
        """What a body touches first."""
        for _, one, other in self.touches:
            if body in (one, other):
                return other if body == one else one
        return None

    def opening(self) -> str:
        moving = self.falling
        if not self.dynamic:
            return "nothing in the scene is free to move"
        if not moving:
            subject = listed(self.names.introduced(self.dynamic[:_LISTED_OBJECTS]))
            extra = len(self.dynamic) - _LISTED_OBJECTS
            if extra > 0:
                subject = f"{subject}, with {number(extra)} more,"
            return f"{subject} {'starts' if len(self.dynamic) == 1 else 'start'} in contact with what is around"
        one = len(moving) == 1
        verb = self.pick(0, ("fall", "drop", "come down")) if any(self.spec.gravity_m_s2) else "move"
        verb = {"fall": "falls", "drop": "drops", "come down": "comes down", "move": "moves"}[verb] if one else verb
        targets = {self.first_thing(k) for k in moving}
        (target,) = targets if len(targets) == 1 else (None,)
        where = ""
        if target is not None and target not in moving:
            where = f" onto {self.names.the(target)}" if verb != "moves" else f" towards {self.names.the(target)}"
        if len(moving) <= _LISTED_OBJECTS:
            text = f"{listed(self.names.introduced(moving))} {verb}{where}"
        else:
            order = [k for _, one_body, other in self.touches for k in (one_body, other) if k in moving]
            shown = list(dict.fromkeys([*order, *moving]))[: 3 + self.phrasing.number(1) % 2]
            among = listed(self.names.introduced(shown))
            count = number(len(moving))
            text = self.pick(
                2,
                (
                    f"{count} objects {verb}{where}, among them {among}",
                    f"{count} objects, including {among}, {verb}{where}",
                ),
            )
        return text + (self._bounce_clause(moving[0]) if one else "")

    def _bounce_clause(self, body: int) -> str:
        name = self.spec.bodies[body].name
        count = sum(event.kind == "bounce" and event.bodies[0] == name for event in self.events)
        if not count:
            return ""
        return self.pick(3, (f" and bounces {times(count)}", f", bouncing {times(count)}"))

    def meetings(self) -> str:
        told: list[tuple[float, str]] = []
        landings = [
            (event, a, b)
            for event, a, b in self.touches
            if a in self.falling and b not in self.dynamic and (min(a, b), max(a, b)) in self.from_above
        ]
        if len(self.falling) > 1 and landings:
            event, body, thing = landings[0]
            the, on = self.names.the(body), self.names.the(thing)
            same = {self.first_thing(k) for k in self.falling} == {thing}  # then the opening has named it
            where = "" if same else f", on {on}"
            forms = (f"{the} is the first to land{where}", f"{the} lands first{where}", f"{the} reaches {on} first")
            told.append((event.time_s, self.pick(4, forms)))
        struck = [(e, a, b) for e, a, b in self.touches if a in self.dynamic and b in self.dynamic]
        hardest = sorted(sorted(struck, key=lambda item: -item[0].speed_m_s)[:2], key=lambda item: item[0].time_s)
        if len(hardest) == 2 and hardest[0][1] == hardest[1][1]:
            (event, a, b), (_, _, c) = hardest
            told.append((event.time_s, f"{self.names.the(a)} {self._verb(event)} {self.names.the_all([b, c])}"))
        else:
            told += [(e.time_s, f"{self.names.the(a)} {self._verb(e)} {self.names.the(b)}") for e, a, b in hardest]
        clauses = [clause for _, clause in sorted(told)]
        if len(clauses) < 2:
            return "".join(clauses)
        return f"{clauses[0]}, {self.pick(6, ('then', 'after which', 'and then'))} {listed(clauses[1:])}"

    def _verb(self, event: Event) -> str:
        return "touches" if event.speed_m_s < _TOUCH_SPEED_M_S else self.pick(5, ("hits", "strikes", "knocks into"))

    def leaving(self) -> str:
        gone: dict[int, list[int]] = {}
        for event in self.events:
            if event.kind == "leave_support":
                body, support = self._pair(event)
                if body not in gone.setdefault(support, []):
                    gone[support].append(body)
        if not gone:
            return ""
        clauses = []
        for support, bodies in list(gone.items())[:2]:
            one = len(bodies) == 1
            verb = self.pick(7, ("leaves" if one else "leave", "goes off" if one else "go off"))
            clauses.append(f"{self.names.the_all(bodies)} {verb} {self.names.the(support)}")
        return f"{self.pick(8, ('later ', '', 'after a while '))}{listed(clauses)}"

    def ending(self) -> str:
        ends: dict[tuple[int, ...], list[int]] = {}
        moving = [k for k in self.dynamic if not np.isfinite(self.rest[k])]
        for k in self.dynamic:
            if k not in moving:
                ends.setdefault(self.supports[k][:1], []).append(k)
        lying = self.pick(9, ("come to rest", "end up", "settle"))
        start = self.pick(10, ("", "in the end ", "finally "))
        if lying == "end up" and start == "in the end ":
            start = ""
        clauses = []
        for where, bodies in sorted(ends.items(), key=lambda item: (-len(item[1]), item[0]))[:3]:
            verb = lying if where else "come to rest"
            verb = _singular(verb) if len(bodies) == 1 or self._everything(bodies) else verb
            place = f" on {self.names.the(where[0])}" if where else ""
            clauses.append(f"{self._subject(bodies)} {verb}{place}")
        if moving:
            be = "is" if len(moving) == 1 or self._everything(moving) else "are"
            clauses = [*clauses[:2], f"{self._subject(moving)} {be} still moving when the clip ends"]
            start = "" if len(clauses) == 1 else start
        if len(clauses) < 3:
            return start + ", and ".join(clauses)
        return f"{start}{', '.join(clauses[:-1])}, and {clauses[-1]}"

    def _everything(self, bodies: Sequence[int]) -> bool:
        return len(bodies) == len(self.dynamic) > 2

    def _subject(self, bodies: Sequence[int]) -> str:
        if len(self.dynamic) == 1:
            return "it"
        if self._everything(bodies):
            return "everything"
        if len(bodies) == len(self.dynamic) == 2:
            return "both"
        return self.names.the_all(bodies) if len(bodies) <= _LISTED_OBJECTS else f"{number(len(bodies))} of the objects"


def _singular(verb: str) -> str:
    first, _, rest = verb.partition(" ")
    return f"{first}s {rest}".strip()
