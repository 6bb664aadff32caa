"""The event list: first contacts, bounces, leaving a support, coming to rest, and what liquids do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.analysis import (
    Impact,
    SupportInterval,
    center_of_mass,
    center_of_mass_at_end,
    find_bounces,
    find_impacts,
    rest_time_s,
    support_intervals,
    supports_at_end,
)
from physreel.analysis.machines import loose_bodies
from physreel.analysis.thresholds import CARRIED_S, IMPACT_LENGTH_S
from physreel.labels.liquid_events import find_liquid_events
from physreel.labels.machine_events import find_machine_events
from physreel.spec import SceneSpec
from physreel.values import Event, Trajectory

MAX_BOUNCES_PER_BODY = 24
"""Of a body that rattles more often, the bounces with the greatest impulses are listed."""

_STOOD_S = 0.05


def find_events(spec: SceneSpec, trajectory: Trajectory) -> tuple[Event, ...]:
    """What happened to loose bodies, liquids and machines, in order of time; of one time in the order of the spec.

    Kinds are those of ``values.Event``. ``bodies`` starts with the body the event is about: of two dynamic bodies that
    touch first, the faster. rest names what carries the body after it, if anything does. Pairs that touched from the
    start have no first contact. A hop after which the same support carries the body again is not leaving it.
    """
    impacts = find_impacts(spec, trajectory)
    reader = _Reader(spec, trajectory)
    keyed = [
        *_first_contacts(spec, trajectory, impacts, reader),
        *_bounces(spec, trajectory, impacts),
        *_leaves(spec, trajectory, reader),
        *_rests(spec, trajectory, reader),
        *find_liquid_events(spec, trajectory, first_kind=4),
        *find_machine_events(spec, trajectory, first_kind=10),
    ]
    return tuple(event for _, event in sorted(keyed, key=lambda item: item[0]))


_Keyed = list[tuple[tuple[float, int, int], Event]]


class _Reader:
    """Places and speeds of bodies at any time, by straight lines between frames."""

    def __init__(self, spec: SceneSpec, trajectory: Trajectory) -> None:
        end = center_of_mass_at_end(spec, trajectory)[None]
        self.center = np.concatenate([center_of_mass(spec, trajectory), end])
        velocity = np.concatenate([trajectory.body_velocity, trajectory.body_velocity_end[None]])
        self.speed = np.linalg.norm(velocity[..., :3], axis=-1)
        self.fps = trajectory.fps

    def _at(self, values: NDArray[np.float64], body: int, time_s: float) -> NDArray[np.float64]:
        frame = min(int(time_s * self.fps), len(values) - 2)
        share = min(max(time_s * self.fps - frame, 0.0), 1.0)
        return np.asarray((1.0 - share) * values[frame, body] + share * values[frame + 1, body])

    def place(self, body: int, time_s: float) -> tuple[float, float, float]:
        x, y, z = self._at(self.center, body, time_s).tolist()
        return x, y, z

    def speed_at(self, body: int, time_s: float) -> float:
        return float(self._at(self.speed, body, time_s))

    def speed_before(self, body: int, time_s: float) -> float:
        return float(self.speed[min(int(time_s * self.fps - 1e-9), len(self.speed) - 1), body])


def _first_contacts(spec: SceneSpec, trajectory: Trajectory, impacts: tuple[Impact, ...], reader: _Reader) -> _Keyed:
    contacts = trajectory.contacts
    pressed = np.flatnonzero(contacts.normal_impulse_n_s > 0.0)
    pair = contacts.body_a[pressed].astype(np.int64) * len(spec.bodies) + contacts.body_b[pressed]
    blows: dict[tuple[int, int], Impact] = {}
    for impact in impacts:
        blows.setdefault((impact.body_a, impact.body_b), impact)
    loose = loose_bodies(spec)
    found: _Keyed = []
    for row in pressed[np.unique(pair, return_index=True)[1]].tolist():
        first, second = int(contacts.body_a[row]), int(contacts.body_b[row])
        time = float(contacts.time_s[row])
        dynamic = [k for k in (first, second) if spec.bodies[k].motion == "dynamic"]
        blow = blows.get((first, second))
        hard = blow is not None and blow.time_s <= time + IMPACT_LENGTH_S
        if not (loose[first] or loose[second]) or (time <= _STOOD_S and not hard):
            continue  # parts of machines touch all the time, and what became of them is told by other events
        subject = max(dynamic, key=lambda k: (reader.speed_before(k, time), -k))
        other = second if subject == first else first
        x, y, z = contacts.point_m[row].tolist()
        event = Event(
            time_s=time,
            kind="first_contact",
            bodies=(spec.bodies[subject].name, spec.bodies[other].name),
            position_m=(x, y, z),
            speed_m_s=blow.approach_speed_m_s if blow and hard else max(float(contacts.approach_speed_m_s[row]), 0.0),
            impulse_n_s=blow.normal_impulse_n_s if blow and hard else float(contacts.normal_impulse_n_s[row]),
        )
        found.append(((time, 0, subject), event))
    return found


def _bounces(spec: SceneSpec, trajectory: Trajectory, impacts: tuple[Impact, ...]) -> _Keyed:
    found: _Keyed = []
    of_body: dict[int, int] = {}
    loose = loose_bodies(spec)
    bounces = [bounce for bounce in find_bounces(spec, trajectory, impacts) if loose[bounce.body]]
    for bounce in sorted(bounces, key=lambda item: -item.impact.normal_impulse_n_s):
        of_body[bounce.body] = of_body.get(bounce.body, 0) + 1
        if of_body[bounce.body] > MAX_BOUNCES_PER_BODY:
            continue
        impact = bounce.impact
        event = Event(
            time_s=impact.time_s,
            kind="bounce",
            bodies=(spec.bodies[bounce.body].name, spec.bodies[bounce.off].name),
            position_m=impact.point_m,
            speed_m_s=impact.approach_speed_m_s,
            impulse_n_s=impact.normal_impulse_n_s,
        )
        found.append(((impact.time_s, 1, bounce.body), event))
    return found


def _leaves(spec: SceneSpec, trajectory: Trajectory, reader: _Reader) -> _Keyed:
    found: _Keyed = []
    loose = loose_bodies(spec)
    for index, body in enumerate(spec.bodies):
        if not loose[index]:
            continue
        stays = support_intervals(spec, trajectory, index)
        for stay in stays:
            if _leaves_for_good(trajectory, index, stay, stays):
                event = Event(
                    time_s=stay.end_s,
                    kind="leave_support",
                    bodies=(body.name, spec.bodies[stay.supporter].name),
                    position_m=reader.place(index, stay.end_s),
                    speed_m_s=reader.speed_at(index, stay.end_s),
                    impulse_n_s=0.0,
                )
                found.append(((stay.end_s, 2, index), event))
    return found


def _leaves_for_good(
    trajectory: Trajectory, body: int, stay: SupportInterval, stays: tuple[SupportInterval, ...]
) -> bool:
    if trajectory.duration_s - stay.end_s < CARRIED_S:
        return False
    again = [s.start_s for s in stays if s.supporter == stay.supporter and s.start_s > stay.end_s]
    until = min(again, default=np.inf)
    if any(s.supporter != stay.supporter and stay.start_s < s.start_s < until and s.end_s > stay.end_s for s in stays):
        return True
    if again:
        return False
    contacts = trajectory.contacts
    low, high = sorted((body, stay.supporter))
    same = (contacts.body_a == low) & (contacts.body_b == high) & (contacts.normal_impulse_n_s > 0.0)
    return not bool((contacts.time_s[same] > stay.end_s).any())


def _rests(spec: SceneSpec, trajectory: Trajectory, reader: _Reader) -> _Keyed:
    found: _Keyed = []
    rest, supports = rest_time_s(spec, trajectory), supports_at_end(spec, trajectory)
    loose = loose_bodies(spec)
    for index, body in enumerate(spec.bodies):
        time = float(rest[index])
        if not loose[index] or not time > 0.0:
            continue
        event = Event(
            time_s=time,
            kind="rest",
            bodies=(body.name, *(spec.bodies[k].name for k in supports[index])),
            position_m=reader.place(index, time),
            speed_m_s=reader.speed_at(index, time),
            impulse_n_s=0.0,
        )
        found.append(((time, 3, index), event))
    return found
