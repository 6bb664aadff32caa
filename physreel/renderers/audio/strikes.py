"""Impacts as force pulses: when, how long, how strong, and what each of the two bodies makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.analysis import Impact
from physreel.geometry.hertz import contact_modulus_pa, contact_time_s
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.renderers.audio.bodies import SoundingBody
from physreel.renderers.audio.hertz import curvature_radius_m, yielding
from physreel.renderers.audio.poses import Poses

Floats = NDArray[np.float64]

LONGEST_PULSE_S = 0.03
"""Slower contacts are pushes, not blows; they make no sound that could be heard."""

LEAST_LOST = 0.02
"""Even the most elastic blow leaves this share of its energy behind (J. Reed, J. Phys. D 18, 2329 (1985): steel on
thick steel some 4 %)."""

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
        lost_j: kinetic energy that the blow cost; modes can have no more.
        bodies: indices a < b.
        point: (3,) world.
        normal: (3,) unit, from a to b: the force on b.
        local: for a and b: point and force direction in the body's frame.
    """

    time_s: float
    length_s: float
    peak_n: float
    lost_j: float
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
                curvature[mine] += [1.0 / curvature_radius_m(sounding.shape, p) for p in at[side, mine]]
    found = []
    for k, impact in enumerate(impacts):
        if compliance[k] == 0.0 or curvature[k] == 0.0 or impact.normal_impulse_n_s <= 0.0:
            continue
        a, b = impact.body_a, impact.body_b
        impulse, speed = impact.normal_impulse_n_s, impact.approach_speed_m_s
        # More impulse than the two could give by themselves: others press on them, and their mass is in the blow too.
        mass = max(1.0 / float(compliance[k]), 0.5 * impulse / speed)
        length = contact_time_s(
            mass_kg=mass,
            radius_m=1.0 / float(curvature[k]),
            modulus_pa=contact_modulus_pa(bodies[a].material, bodies[b].material),
            speed_m_s=speed,
        )
        length = min(length, LONGEST_PULSE_S)
        whole = 0.5 * mass * speed**2
        lost = impulse * speed - 0.5 * impulse**2 / mass
        found.append(
            Strike(
                time_s=float(times[k]),
                length_s=length,
                peak_n=impulse * np.pi / (2.0 * length),
                lost_j=min(max(lost, LEAST_LOST * whole), whole),
                bodies=(a, b),
                point=points[k],
                normal=normals[k],
                local=((at[0, k], toward[0, k]), (at[1, k], toward[1, k])),
            )
        )
    return found


def pulse_spectrum(strike: Strike, hertz: Floats) -> Floats:
    """(K,) |spectrum| of the force in N·s at frequencies (K,), with the zeros between its lobes filled."""
    x = 2.0 * hertz * strike.length_s  # ωτ/π
    cosine = np.maximum(np.abs(np.cos(0.5 * np.pi * x)), np.where(x < 2.0, 0.0, 0.5))
    near = np.abs(1.0 - x * x)
    smooth = np.where(near < 1e-3, np.pi / 4.0, cosine / np.maximum(near, 1e-3))
    return np.asarray(2.0 / np.pi * strike.peak_n * strike.length_s * smooth)


def pulse_strength(strike: Strike, hertz: Floats) -> Floats:
    """(K,) what a pulse can leave in or bend out of a mode of unit gain, Pa: an upper bound to leave modes out by."""
    omega = 2.0 * np.pi * np.maximum(hertz, 1.0)
    bent = np.pi / (strike.length_s * omega**2)
    spectrum = 4.0 / np.pi * strike.length_s / np.maximum(np.abs(1.0 - (2.0 * hertz * strike.length_s) ** 2), 0.5)
    return np.asarray(strike.peak_n * np.maximum(spectrum, bent))
