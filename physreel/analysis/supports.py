"""What carries what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.thresholds import CARRIED_S, FLIGHT_S, UPWARD_SHARE, WEIGHT_SHARE
from physreel.geometry.mass import body_mass_properties
from physreel.geometry.rotations import up_direction
from physreel.spec import SceneSpec
from physreel.values import Trajectory


@dataclass(frozen=True, kw_only=True)
class SupportInterval:
    """A time in which ``supporter`` (an index into the spec's bodies) carries a body, alone or with others."""

    start_s: float
    end_s: float
    supporter: int


def supports_at_end(spec: SceneSpec, trajectory: Trajectory) -> tuple[tuple[int, ...], ...]:
    """For each body the indices of those that carry it during the last ``CARRIED_S``, the one that bears most first.

    () if nothing does, or the body is not dynamic.

    A supporter's normal impulses point up by ``UPWARD_SHARE``, are there in three steps out of ten at least and in both
    halves of that time (a bounce is not support), and bear ``WEIGHT_SHARE`` of the body's weight. Without gravity
    nothing is carried.
    """
    gravity = float(np.linalg.norm(spec.gravity_m_s2))
    length = min(CARRIED_S, trajectory.duration_s)
    begin = trajectory.duration_s - length
    lifts = _Lifts.of(spec, trajectory, begin)
    steps = length / trajectory.step_s
    result: list[tuple[int, ...]] = []
    for index, body in enumerate(spec.bodies):
        mine = lifts.body == index
        if body.motion != "dynamic" or gravity == 0.0 or not mine.any():
            result.append(())
            continue
        weight = body_mass_properties(body, spec.material_of(body)).mass * gravity * length
        carriers: list[tuple[float, int]] = []
        for other in np.unique(lifts.other[mine]).tolist():
            rows = mine & (lifts.other == other)
            early = lifts.time_s[rows] < begin + length / 2
            lasting = rows.sum() >= 0.3 * steps and early.any() and not early.all()
            borne = float(lifts.impulse_n_s[rows].sum())
            if lasting and borne >= WEIGHT_SHARE * weight:
                carriers.append((-borne, other))
        result.append(tuple(other for _, other in sorted(carriers)))
    return tuple(result)


def support_intervals(spec: SceneSpec, trajectory: Trajectory, body: int) -> tuple[SupportInterval, ...]:
    """When and by what ``body`` (an index) is carried, one interval per supporter and stay, in order of start.

    Contacts from below that last ``CARRIED_S`` or more, gaps shorter than ``FLIGHT_S`` ignored.
    """
    lifts = _Lifts.of(spec, trajectory, 0.0, body)
    found = []
    for other in np.unique(lifts.other).tolist():
        time = lifts.time_s[lifts.other == other]
        breaks = np.flatnonzero(np.diff(time) > FLIGHT_S)
        starts = time[np.append(0, breaks + 1)].tolist()
        ends = time[np.append(breaks, len(time) - 1)].tolist()
        found += [
            SupportInterval(start_s=start, end_s=end, supporter=other)
            for start, end in zip(starts, ends, strict=True)
            if end - start >= CARRIED_S
        ]
    return tuple(sorted(found, key=lambda stay: (stay.start_s, stay.supporter)))


@dataclass(frozen=True, eq=False)
class _Lifts:
    """Contact rows seen from the body that is pushed up: (R,) each, in order of time within a side."""

    time_s: NDArray[np.float64]
    body: NDArray[np.int32]
    other: NDArray[np.int32]
    impulse_n_s: NDArray[np.float64]

    @classmethod
    def of(cls, spec: SceneSpec, trajectory: Trajectory, begin_s: float, body: int | None = None) -> _Lifts:
        contacts = trajectory.contacts
        rows = np.arange(int(np.searchsorted(contacts.time_s, begin_s, side="left")), len(contacts))
        if body is not None:
            rows = np.flatnonzero((contacts.body_a == body) | (contacts.body_b == body))
        a, b, time = contacts.body_a[rows], contacts.body_b[rows], contacts.time_s[rows]
        up = contacts.normal[rows] @ up_direction(spec)
        impulse = contacts.normal_impulse_n_s[rows]
        lifts_b = (up >= UPWARD_SHARE) & (impulse > 0.0)
        lifts_a = (up <= -UPWARD_SHARE) & (impulse > 0.0)
        if body is not None:
            lifts_b, lifts_a = lifts_b & (b == body), lifts_a & (a == body)
        order = np.argsort(np.concatenate([time[lifts_b], time[lifts_a]]), kind="stable")
        return cls(
            time_s=np.concatenate([time[lifts_b], time[lifts_a]])[order],
            body=np.concatenate([b[lifts_b], a[lifts_a]])[order],
            other=np.concatenate([a[lifts_b], b[lifts_a]])[order],
            impulse_n_s=np.concatenate([(impulse * up)[lifts_b], (-impulse * up)[lifts_a]])[order],
        )
