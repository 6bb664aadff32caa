"""What questions are asked about: facts of one simulated world by body name, so that two worlds can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physreel.analysis import (
    Impact,
    contact_spans,
    find_bounces,
    find_impacts,
    flight_rise_m,
    rebound_height_m,
    rest_time_s,
    supports_at_end,
)
from physreel.analysis.machines import loose_bodies
from physreel.analysis.wetting import wet_at_end
from physreel.spec import SceneSpec
from physreel.values import Trajectory

BOUNCE_RISE_M = 0.02
"""A bounce that questions count: its rise can be seen at a glance."""

_UNSURE_SHARE = 0.25
_SEEN_SPEED_M_S = 0.2
_SEEN_CONTACT_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One world's facts. Names are those of ``spec.bodies``; only dynamic bodies are subjects.

    Attributes:
        duration_s: of the clip.
        frame_s: the frame period.
        impacts: all, in order of time.
        names: of all bodies, in the spec's order.
        touched_s: for each pair (in both orders) the time of its first contact.
        seen_pairs: pairs (in both orders) whose contact can be seen: a blow of 0.2 m/s, or 0.1 s of contact.
        first_touch: for each body that touched anything the time of that and what it was.
        bounces: for each dynamic body the bounces that rise by ``BOUNCE_RISE_M``; None where one is too close to tell.
        rebound_m: after the first impact; only bodies that had one.
        rest_s: time from which a dynamic body rests; None if it never does.
        unsure_rest: bodies whose slowness at the end leaves room for doubt whether they rest.
        supports: what carries each dynamic body at the end, most load first.
        wet: bodies that liquid touches at the end.
    """

    duration_s: float
    frame_s: float
    impacts: tuple[Impact, ...]
    names: tuple[str, ...]
    touched_s: dict[tuple[str, str], float]
    seen_pairs: frozenset[tuple[str, str]]
    first_touch: dict[str, tuple[float, str]]
    bounces: dict[str, int | None]
    rebound_m: dict[str, float]
    rest_s: dict[str, float | None]
    unsure_rest: frozenset[str]
    supports: dict[str, tuple[str, ...]]
    wet: frozenset[str]


def read_facts(spec: SceneSpec, trajectory: Trajectory) -> Facts:
    """The facts of a world."""
    names = tuple(body.name for body in spec.bodies)
    dynamic = np.flatnonzero(loose_bodies(spec)).tolist()
    impacts = find_impacts(spec, trajectory)
    touched, seen = _pairs(spec, trajectory, impacts)
    first: dict[str, tuple[float, str]] = {}
    for (name, other), time in touched.items():
        if name not in first or time < first[name][0]:
            first[name] = (time, other)
    rest, supports = rest_time_s(spec, trajectory), supports_at_end(spec, trajectory)
    rebound = {names[k]: rebound_height_m(spec, trajectory, k, impacts) for k in dynamic}
    speed = np.linalg.norm(trajectory.body_velocity_end[:, :3], axis=1)
    unsure = {
        names[k]
        for k in dynamic
        # Creeping, or at rest only since a moment ago.
        if (np.isnan(rest[k]) and speed[k] < 0.1) or rest[k] > trajectory.duration_s - 0.25
    }
    return Facts(
        duration_s=trajectory.duration_s,
        frame_s=1.0 / trajectory.fps,
        impacts=impacts,
        names=names,
        touched_s=touched,
        seen_pairs=seen,
        first_touch=first,
        bounces=_bounce_counts(spec, trajectory, impacts),
        rebound_m={name: value for name, value in rebound.items() if np.isfinite(value)},
        rest_s={names[k]: float(rest[k]) if np.isfinite(rest[k]) else None for k in dynamic},
        unsure_rest=frozenset(unsure),
        supports={names[k]: tuple(names[s] for s in supports[k]) for k in dynamic},
        wet=frozenset(names[k] for k in np.flatnonzero(wet_at_end(spec, trajectory)).tolist()),
    )


def _pairs(
    spec: SceneSpec, trajectory: Trajectory, impacts: tuple[Impact, ...]
) -> tuple[dict[tuple[str, str], float], frozenset[tuple[str, str]]]:
    contacts = trajectory.contacts
    pressed = np.flatnonzero(contacts.normal_impulse_n_s > 0.0)
    pair = contacts.body_a[pressed].astype(np.int64) * len(spec.bodies) + contacts.body_b[pressed]
    _, first, count = np.unique(pair, return_index=True, return_counts=True)
    hard = {(i.body_a, i.body_b) for i in impacts if i.approach_speed_m_s >= _SEEN_SPEED_M_S}
    touched: dict[tuple[str, str], float] = {}
    seen: set[tuple[str, str]] = set()
    for row, rows in sorted(zip(pressed[first].tolist(), count.tolist(), strict=True)):
        a, b = int(contacts.body_a[row]), int(contacts.body_b[row])
        one, other = spec.bodies[a].name, spec.bodies[b].name
        touched[one, other] = touched[other, one] = float(contacts.time_s[row])
        if (a, b) in hard or rows * trajectory.step_s >= _SEEN_CONTACT_S:
            seen |= {(one, other), (other, one)}
    return touched, frozenset(seen)


def _bounce_counts(spec: SceneSpec, trajectory: Trajectory, impacts: tuple[Impact, ...]) -> dict[str, int | None]:
    counts: dict[str, int | None] = {}
    bounces = find_bounces(spec, trajectory, impacts)
    loose = loose_bodies(spec)
    for index, body in enumerate(spec.bodies):
        if not loose[index]:
            continue
        starts = [span.start_s for span in contact_spans(trajectory, index)]
        rises = []
        for bounce in bounces:
            if bounce.body == index:
                land = min((t for t in starts if t > bounce.end_s), default=trajectory.duration_s)
                rises.append(flight_rise_m(spec, trajectory, index, bounce.end_s, land))
        unsure = any(abs(rise - BOUNCE_RISE_M) < _UNSURE_SHARE * BOUNCE_RISE_M for rise in rises)
        valid = any(spec.gravity_m_s2) and not unsure
        counts[body.name] = sum(rise >= BOUNCE_RISE_M for rise in rises) if valid else None
    return counts
