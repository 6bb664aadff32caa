"""Impacts and bounces, read off the contact table at step rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.thresholds import (
    CARRIED_S,
    FLIGHT_S,
    IMPACT_GAP_S,
    IMPACT_LENGTH_S,
    IMPACT_SPEED_M_S,
)
from physreel.spec import SceneSpec
from physreel.values import Trajectory


@dataclass(frozen=True, kw_only=True)
class Impact:
    """One blow between two bodies.

    Attributes:
        time_s: first step of the blow.
        end_s: last step of the blow; a box that lands and stays has its impact end long before its contact does.
        body_a: index into the spec's bodies, less than ``body_b``.
        body_b: index into the spec's bodies.
        point_m: where, world frame; mean over the blow weighted by normal impulse.
        normal: unit, from a to b, weighted likewise.
        approach_speed_m_s: the greatest speed of approach along the normal during the blow.
        normal_impulse_n_s: sum over the blow.
        tangential_impulse_n_s: length of the summed friction impulse.
        rebounds: whether the two part after it: their contact ends within ``CARRIED_S`` of the blow and they stay apart
            for ``FLIGHT_S``. Of several blows in one contact only the last. (For one body's bounces see
            ``find_bounces``, which also asks that nothing else carried it meanwhile.)
    """

    time_s: float
    end_s: float
    body_a: int
    body_b: int
    point_m: tuple[float, float, float]
    normal: tuple[float, float, float]
    approach_speed_m_s: float
    normal_impulse_n_s: float
    tangential_impulse_n_s: float
    rebounds: bool

    def involves(self, body: int) -> bool:
        """Whether ``body`` is one of the two."""
        return body in (self.body_a, self.body_b)

    def other(self, body: int) -> int:
        """The partner of ``body``."""
        return self.body_b if body == self.body_a else self.body_a


@dataclass(frozen=True, kw_only=True)
class Bounce:
    """A body came through the air, struck something and went off into the air again.

    Attributes:
        body: index of the body that bounces.
        impact: the strongest impact of the touch.
        end_s: when the body is free again.
    """

    body: int
    impact: Impact
    end_s: float

    @property
    def off(self) -> int:
        """Index of what it bounced off."""
        return self.impact.other(self.body)


@dataclass(frozen=True, kw_only=True)
class ContactSpan:
    """A time in which a body touches something all the while, but for gaps shorter than ``FLIGHT_S``."""

    start_s: float
    end_s: float


def find_impacts(spec: SceneSpec, trajectory: Trajectory) -> tuple[Impact, ...]:
    """All impacts in order of time (then of bodies).

    A pair's blow begins with a step in which the surfaces come together, after at least ``IMPACT_GAP_S`` in which they
    did not: at first touch, after a gap, or within a lasting contact when another edge comes down. Meetings that never
    reach ``IMPACT_SPEED_M_S`` are not impacts. The blow ends when contact is lost, when the impulse a step falls below
    a tenth of its peak, at the next blow, or after ``IMPACT_LENGTH_S``.
    """
    contacts = trajectory.contacts
    pressed = np.flatnonzero(contacts.normal_impulse_n_s > 0.0)
    if not len(pressed):
        return ()
    count = len(spec.bodies)
    # Small keys are sorted by numpy's radix sort, ten times as fast.
    pair = contacts.body_a[pressed].astype(np.int64) * count + contacts.body_b[pressed]
    order = np.argsort(pair.astype(np.uint16) if count < 256 else pair, kind="stable")
    rows, pair = pressed[order], pair[order]
    time = contacts.time_s[rows]
    approach = contacts.approach_speed_m_s[rows]
    starts = _blow_starts(pair, time, approach)
    if not len(starts):
        return ()

    impulse = contacts.normal_impulse_n_s[rows]
    pair_end = np.searchsorted(pair, pair[starts], side="right")
    limits = np.minimum(pair_end, np.append(starts[1:], len(rows)))
    counts = np.array(
        [_blow_rows(time[start:limit], impulse[start:limit]) for start, limit in zip(starts, limits, strict=True)]
    )
    # The rows of all blows one after another, summed blow by blow.
    first = np.cumsum(counts) - counts
    picked = np.repeat(starts - first, counts) + np.arange(counts.sum())
    blow, weight = rows[picked], impulse[picked]
    total = np.add.reduceat(weight, first)
    normal = np.add.reduceat(weight[:, None] * contacts.normal[blow], first)
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-300)[:, None]
    point = np.add.reduceat(weight[:, None] * contacts.point_m[blow], first) / total[:, None]
    friction = np.linalg.norm(np.add.reduceat(contacts.tangential_impulse_n_s[blow], first), axis=1)
    speed = np.maximum.reduceat(approach[picked], first)
    parts = _parts_after(pair, time, starts, trajectory.duration_s)
    found = [
        Impact(
            time_s=float(time[starts[k]]),
            end_s=float(time[starts[k] + counts[k] - 1]),
            body_a=int(contacts.body_a[rows[starts[k]]]),
            body_b=int(contacts.body_b[rows[starts[k]]]),
            point_m=_vector(point[k]),
            normal=_vector(normal[k]),
            approach_speed_m_s=float(speed[k]),
            normal_impulse_n_s=float(total[k]),
            tangential_impulse_n_s=float(friction[k]),
            rebounds=bool(parts[k]),
        )
        for k in range(len(starts))
    ]
    return tuple(sorted(found, key=lambda impact: (impact.time_s, impact.body_a, impact.body_b)))


def _blow_starts(
    pair: NDArray[np.int64], time: NDArray[np.float64], approach: NDArray[np.float64]
) -> NDArray[np.int64]:
    # Half the threshold joins the steps of a blow (hysteresis), so that one that wavers about the threshold is one.
    closing = np.flatnonzero(approach >= 0.5 * IMPACT_SPEED_M_S)
    if not len(closing):
        return closing
    fresh = np.ones(len(closing), bool)
    fresh[1:] = (np.diff(pair[closing]) != 0) | (np.diff(time[closing]) > IMPACT_GAP_S)
    first = np.flatnonzero(fresh)
    return closing[first][np.maximum.reduceat(approach[closing], first) >= IMPACT_SPEED_M_S]


def _parts_after(
    pair: NDArray[np.int64], time: NDArray[np.float64], starts: NDArray[np.int64], duration_s: float
) -> NDArray[np.bool_]:
    last = np.flatnonzero(np.append((np.diff(pair) != 0) | (np.diff(time) > FLIGHT_S), True))
    contact = np.searchsorted(last, starts)
    gone = time[last[contact]]
    final = np.append(np.diff(contact) != 0, True)
    return np.asarray(final & (gone - time[starts] < CARRIED_S) & (duration_s - gone >= FLIGHT_S))


def _blow_rows(time: NDArray[np.float64], impulse: NDArray[np.float64]) -> int:
    count = int(np.searchsorted(time, time[0] + IMPACT_LENGTH_S, side="right"))
    gaps = np.flatnonzero(np.diff(time[:count]) > IMPACT_GAP_S)
    if len(gaps):
        count = int(gaps[0]) + 1
    peak = int(impulse[:count].argmax())
    faint = np.flatnonzero(impulse[peak:count] < 0.1 * impulse[peak])
    return peak + int(faint[0]) if len(faint) else count


def contact_spans(trajectory: Trajectory, body: int) -> tuple[ContactSpan, ...]:
    """When ``body`` touches anything, in order; between two spans it is free for at least ``FLIGHT_S``."""
    time = _contact_times(trajectory, body)
    if not len(time):
        return ()
    breaks = np.flatnonzero(np.diff(time) > FLIGHT_S)
    starts = time[np.append(0, breaks + 1)]
    ends = time[np.append(breaks, len(time) - 1)]
    return tuple(ContactSpan(start_s=a, end_s=b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True))


def _contact_times(trajectory: Trajectory, body: int) -> NDArray[np.float64]:
    contacts = trajectory.contacts
    touches = ((contacts.body_a == body) | (contacts.body_b == body)) & (contacts.normal_impulse_n_s > 0.0)
    return np.asarray(contacts.time_s[touches])


def find_bounces(
    spec: SceneSpec, trajectory: Trajectory, impacts: tuple[Impact, ...] | None = None
) -> tuple[Bounce, ...]:
    """All bounces of dynamic bodies in order of time (then of bodies).

    A body bounces when it was free (for ``FLIGHT_S``, or since the clip began), touched for less than ``CARRIED_S``
    with an impact, and is free for ``FLIGHT_S`` again. When two bodies meet in the air and part, both bounce.

    Args:
        spec: the world.
        trajectory: what happened in it.
        impacts: those of ``find_impacts``, if they are known already.
    """
    impacts = find_impacts(spec, trajectory) if impacts is None else impacts
    found = []
    for index, body in enumerate(spec.bodies):
        if body.motion != "dynamic":
            continue
        own = [impact for impact in impacts if impact.involves(index)]
        if not own:
            continue
        for span in contact_spans(trajectory, index):
            if span.end_s - span.start_s >= CARRIED_S or trajectory.duration_s - span.end_s < FLIGHT_S:
                continue
            blows = [impact for impact in own if span.start_s <= impact.time_s <= span.end_s]
            # What touches from the first step without a blow was standing there, not flying.
            stood = span.start_s <= 2.5 * trajectory.step_s and not any(
                impact.time_s <= 2.5 * trajectory.step_s for impact in blows
            )
            if blows and not stood:
                strongest = max(blows, key=lambda impact: (impact.normal_impulse_n_s, -impact.time_s))
                found.append(Bounce(body=index, impact=strongest, end_s=span.end_s))
    return tuple(sorted(found, key=lambda bounce: (bounce.impact.time_s, bounce.body)))


def _vector(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
