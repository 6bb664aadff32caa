"""Impacts as force pulses: when, how long, how strong, and what each of the two bodies makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.analysis import Impact
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.renderers.audio.bodies import SoundingBody
from physreel.renderers.audio.hertz import contact_modulus_pa, contact_time_s, curvature_radius_m, yielding
from physreel.renderers.audio.poses import Poses

Floats = NDArray[np.float64]

LONGEST_PULSE_S = 0.03
"""Slower contacts are pushes, not blows; they make no sound that could be heard."""

EARLIEST_S = 0.0007
"""A contact is told at the end of the step that first felt it; it began up to a step before, but the ear is not led
farther than this from the table."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """One impact as heard at its source.

    Attributes:
        time_s: when the force sets in.
        length_s: Hertz contact time.
        peak_n: of the half-sine force; its integral is the impact's impulse.
        bodies: indices a < b.
        point: (3,) world.
        normal: (3,) unit, from a to b: the force on b.
        local: for a and b: point and force direction in the body's frame.
    """

    time_s: float
    length_s: float
    peak_n: float
    bodies: tuple[int, int]
    point: Floats
    normal: Floats
    local: tuple[tuple[Floats, Floats], tuple[Floats, Floats]]


def find_strikes(impacts: tuple[Impact, ...], bodies: list[SoundingBody], poses: Poses, step_s: float) -> list[Strike]:
    """The pulses of impacts, in their order; those of pairs of which neither can yield have none."""
    if not impacts:
        return []
    count = len(impacts)
    times = np.maximum(np.array([impact.time_s for impact in impacts]) - min(step_s, EARLIEST_S), 0.0)
    points = np.array([impact.point_m for impact in impacts])
    normals = np.array([impact.normal for impact in impacts])
    pairs = np.array([(impact.body_a, impact.body_b) for impact in impacts])
    compliance, curvature = np.zeros(count), np.zeros(count)
    at, toward = np.zeros((2, count, 3)), np.zeros((2, count, 3))
    for side, sign in ((0, -1.0), (1, 1.0)):
        for index in np.unique(pairs[:, side]):
            mine = np.flatnonzero(pairs[:, side] == index)
            sounding = bodies[int(index)]
            position, quat = poses.at(int(index), times[mine])
            back = conjugate_wxyz(quat)
            at[side, mine] = rotate_wxyz(back, points[mine] - position)
            toward[side, mine] = rotate_wxyz(back, sign * normals[mine])
            if sounding.dynamic and sounding.mass is not None:
                arms = at[side, mine] - sounding.mass.center
                compliance[mine] += yielding(sounding.mass, arms, toward[side, mine])
            if not sounding.is_slab:
                curvature[mine] += [1.0 / curvature_radius_m(sounding.body.shape, p) for p in at[side, mine]]
    found = []
    for k, impact in enumerate(impacts):
        if compliance[k] == 0.0 or curvature[k] == 0.0 or impact.normal_impulse_n_s <= 0.0:
            continue
        a, b = impact.body_a, impact.body_b
        length = contact_time_s(
            mass_kg=1.0 / float(compliance[k]),
            radius_m=1.0 / float(curvature[k]),
            modulus_pa=contact_modulus_pa(bodies[a].material, bodies[b].material),
            speed_m_s=impact.approach_speed_m_s,
        )
        length = min(length, LONGEST_PULSE_S)
        found.append(
            Strike(
                time_s=float(times[k]),
                length_s=length,
                peak_n=impact.normal_impulse_n_s * np.pi / (2.0 * length),
                bodies=(a, b),
                point=points[k],
                normal=normals[k],
                local=((at[0, k], toward[0, k]), (at[1, k], toward[1, k])),
            )
        )
    return found


def pulse_strength(strike: Strike, hertz: Floats) -> Floats:
    """(K,) what a pulse leaves behind in a mode of unit gain, Pa: the half-sine's spectrum, and what it bends."""
    x = np.pi * hertz * strike.length_s  # ωτ/2
    spectrum = 2.0 * strike.length_s / np.pi / np.maximum(np.abs(1.0 - (2.0 * x / np.pi) ** 2), 0.2)
    bent = np.pi / strike.length_s / np.maximum(2.0 * np.pi * hertz, 1.0) ** 2
    return np.asarray(strike.peak_n * np.maximum(spectrum, bent))
