"""From engines' contact points to the contact table: one row a pair of bodies and step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.values import ContactTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ContactPoints:
    """Raw contact points in any order, P of them; ``first`` and ``second`` are bodies of the spec.

    Attributes:
        step: (P,) index of the step; its end is (step + 1) · step_s.
        first: (P,) body.
        second: (P,) body; the normal points from first to second.
        point_m: (P, 3).
        normal: (P, 3).
        normal_impulse_n_s: (P,), >= 0.
        tangential_impulse_n_s: (P, 3) on second.
        slip_velocity_m_s: (P, 3) of second relative to first, before the step.
        separation_speed_m_s: (P,) of second relative to first along the normal, before the step.
    """

    step: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    point_m: Floats
    normal: Floats
    normal_impulse_n_s: Floats
    tangential_impulse_n_s: Floats
    slip_velocity_m_s: Floats
    separation_speed_m_s: Floats


def merge(points: ContactPoints, step_s: float) -> ContactTable:
    """The contact table of raw points; points without an impulse are no contact and leave no row."""
    keep = np.flatnonzero(points.normal_impulse_n_s > 0)
    if len(keep) == 0:
        return ContactTable.empty()
    first, second, step = points.first[keep], points.second[keep], points.step[keep]
    swapped = first > second
    sign = np.where(swapped, -1.0, 1.0)
    a, b = np.where(swapped, second, first), np.where(swapped, first, second)
    # A stable order, then sums over runs: the same points give the same bits.
    order = np.lexsort((b, a, step))
    keep, a, b, step, sign = keep[order], a[order], b[order], step[order], sign[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(step) != 0) | (np.diff(a) != 0) | (np.diff(b) != 0)])
    impulse = points.normal_impulse_n_s[keep]
    total = np.add.reduceat(impulse, starts)

    def mean(values: Floats) -> Floats:
        weighted = values * impulse.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(np.add.reduceat(weighted, starts) / total.reshape(-1, *[1] * (values.ndim - 1)))

    normal = mean(points.normal[keep] * sign[:, None])
    length = np.linalg.norm(normal, axis=1)
    # Opposite normals of one pair can cancel (a wedge); then the strongest contact speaks for the row.
    for row in np.flatnonzero(length < 1e-6):
        end = starts[row + 1] if row + 1 < len(starts) else len(keep)
        best = starts[row] + int(np.argmax(impulse[starts[row] : end]))
        normal[row] = points.normal[keep[best]] * sign[best]
        length[row] = np.linalg.norm(normal[row])
    normal /= length[:, None]
    friction = np.add.reduceat(points.tangential_impulse_n_s[keep] * sign[:, None], starts)
    slip = mean(points.slip_velocity_m_s[keep] * sign[:, None])
    return ContactTable(
        time_s=np.asarray((step[starts] + 1) * step_s, np.float64),
        body_a=a[starts].astype(np.int32),
        body_b=b[starts].astype(np.int32),
        point_m=mean(points.point_m[keep]),
        normal=normal,
        normal_impulse_n_s=total,
        tangential_impulse_n_s=_across(friction, normal),
        slip_velocity_m_s=_across(slip, normal),
        approach_speed_m_s=-mean(points.separation_speed_m_s[keep]),
    )


def _across(vectors: Floats, normal: Floats) -> Floats:
    return np.asarray(vectors - np.einsum("ci,ci->c", vectors, normal)[:, None] * normal)
