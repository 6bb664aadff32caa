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


def strike_of(impact: Impact, bodies: list[SoundingBody], poses: Poses, step_s: float) -> Strike | None:
    """The pulse of an impact; None where neither body can yield."""
    time_s = max(impact.time_s - min(step_s, EARLIEST_S), 0.0)
    point, normal = np.array(impact.point_m), np.array(impact.normal)
    pair = (bodies[impact.body_a], bodies[impact.body_b])
    compliance, curvature, local = 0.0, 0.0, []
    for sounding, sign in zip(pair, (-1.0, 1.0), strict=True):
        position, quat = poses.at(sounding.index, time_s)
        back = conjugate_wxyz(quat)
        at, toward = rotate_wxyz(back, point - position), rotate_wxyz(back, sign * normal)
        local.append((at, toward))
        if sounding.dynamic and sounding.mass is not None:
            arm = point - position - rotate_wxyz(quat, sounding.mass.center)
            compliance += yielding(sounding.mass, quat, arm, normal)
        if not sounding.is_slab:
            curvature += 1.0 / curvature_radius_m(sounding.body.shape, at)
    if compliance == 0.0 or curvature == 0.0 or impact.normal_impulse_n_s <= 0.0:
        return None
    length = contact_time_s(
        mass_kg=1.0 / compliance,
        radius_m=1.0 / curvature,
        modulus_pa=contact_modulus_pa(pair[0].material, pair[1].material),
        speed_m_s=impact.approach_speed_m_s,
    )
    length = min(length, LONGEST_PULSE_S)
    return Strike(
        time_s=time_s,
        length_s=length,
        peak_n=impact.normal_impulse_n_s * np.pi / (2.0 * length),
        bodies=(impact.body_a, impact.body_b),
        point=point,
        normal=normal,
        local=(local[0], local[1]),
    )


def pulse_strength(strike: Strike, hertz: Floats) -> Floats:
    """(K,) what a pulse leaves behind in a mode of unit gain, Pa: the half-sine's spectrum, and what it bends."""
    x = np.pi * hertz * strike.length_s  # ωτ/2
    spectrum = 2.0 * strike.length_s / np.pi / np.maximum(np.abs(1.0 - (2.0 * x / np.pi) ** 2), 0.2)
    bent = np.pi / strike.length_s / np.maximum(2.0 * np.pi * hertz, 1.0) ** 2
    return np.asarray(strike.peak_n * np.maximum(spectrum, bent))
