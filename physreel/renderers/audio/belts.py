"""The squeal of a belt that slips: friction lets go and grips again, thousands of times a second.

The rubber between pulley and cords is sheared until friction gives way, springs back, and is caught again (relaxation
oscillation; B. N. J. Persson, Sliding Friction, 2nd ed. (2000), 3; A. Akay, J. Acoust. Soc. Am. 111, 1525 (2002)). It
springs back in half a period of its shear mode, a quarter wave across the belt's thickness t, f = √(G/ρ) / (4 t); until
it gives way again the rim has to gain the stretch that the drop in friction let out:

    1 / f_squeal = 1 / f + δ / v,    δ = 2 ΔF / k,    k = G · (area of contact) / t.

So a belt that slips slowly squeals lower, and one that holds is silent. The force on the pulley falls and rises by ΔF,
the drop from holding to sliding friction, like the teeth of a saw, and shakes what carries the pulley's shaft. Where
that has a mode near the frequency, it draws the squeal to itself (entrainment; Akay).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.belts import BeltPath, holding_force_n
from physreel.geometry.extents import bounding_radius_m
from physreel.renderers.audio.dice import Dice
from physreel.renderers.audio.engines import smooth_signal
from physreel.spec import MATERIALS, Belt, Box, Material, SceneSpec
from physreel.values import SAMPLE_RATE_HZ, Trajectory

Floats = NDArray[np.float64]

SILENT_M_S, FULL_M_S = 0.01, 0.04
"""Slower slip than the first makes no squeal; from the second on it is fully there."""

THICKNESS_M, WIDTH_M = 0.004, 0.012
"""Of a belt without links to tell."""

WANDER = 0.012
"""Relative swing of the frequency, over some hundredths of a second: no two spots of a belt grip alike."""

HIGHEST_HZ = 16_000.0

CAUGHT, FREE = 0.25, 0.5
"""Natural logarithm of a frequency over that of the nearest mode: within the first the mode has caught it, beyond the
second it is its own."""


def _tread(spec: SceneSpec, belt: Belt) -> tuple[Material, float, float]:
    """Material, thickness and width of a belt, by its first link."""
    if belt.links:
        body = spec.bodies[spec.body_index(belt.links[0])]
        if isinstance(body.shape, Box):
            return spec.material_of(body), body.shape.size_m[1], body.shape.size_m[2]
        return spec.material_of(body), THICKNESS_M, 2.0 * bounding_radius_m(body.shape)
    return MATERIALS["rubber"], THICKNESS_M, WIDTH_M


def squeal_hz(spec: SceneSpec, belt: Belt, slip_m_s: Floats) -> Floats:
    """(N,) frequency at slip speeds (N,)."""
    material, thick, wide = _tread(spec, belt)
    path = BeltPath.of(spec, belt)
    shear = 0.5 * material.young_modulus_pa / (1.0 + material.poisson_ratio)
    free = np.sqrt(shear / material.density_kg_m3) / (4.0 * thick)
    wrap = min(path.driver_wrap_rad, path.driven_wrap_rad)
    radius = min(path.driver_radius_m, path.driven_radius_m)
    stiffness = shear * wide * radius * wrap / thick
    let_out = 2.0 * drop_n(spec, belt) / stiffness
    return np.asarray(1.0 / (1.0 / free + let_out / np.maximum(np.abs(slip_m_s), 1e-6)))


def drop_n(spec: SceneSpec, belt: Belt) -> float:
    """By how much friction falls when the belt begins to slide, by Euler and Eytelwein."""
    path = BeltPath.of(spec, belt)
    return holding_force_n(belt, path) - holding_force_n(belt, path, sliding=True)


def entrained_hz(hertz: Floats, modes_hz: Floats) -> Floats:
    """(N,) frequencies (N,), drawn to the nearest of modes (K,)."""
    if not len(modes_hz):
        return hertz
    apart = np.log(hertz)[:, None] - np.log(modes_hz)
    nearest = np.argmin(np.abs(apart), axis=1)
    off = apart[np.arange(len(hertz)), nearest]
    kept = np.clip((np.abs(off) - CAUGHT) / (FREE - CAUGHT), 0.0, 1.0)
    return np.asarray(modes_hz[nearest] * np.exp(kept * off))


def squeal_force(
    spec: SceneSpec, trajectory: Trajectory, belt: Belt, samples: int, modes_hz: Floats | None = None
) -> Floats:
    """(S,) N, by which a slipping belt shakes the rim that it slips on; zeros for one that holds, and for chains.

    ``modes_hz`` (K,) are those of what is shaken.
    """
    signal = trajectory.signals[f"belt_slip:{belt.name}"]
    if belt.kind == "chain" or float(np.abs(signal.values).max(initial=0.0)) <= SILENT_M_S:
        return np.zeros(samples)
    slip = np.abs(smooth_signal(signal, samples))
    level = np.clip((slip - SILENT_M_S) / (FULL_M_S - SILENT_M_S), 0.0, 1.0)
    every = 512
    knots = Dice(spec, f"squeal:{belt.name}").generator("wander").standard_normal(samples // every + 3)
    wander = np.interp(np.arange(samples), np.arange(len(knots)) * every, knots)
    knot = np.arange(0, samples + every, every)
    hertz = squeal_hz(spec, belt, np.interp(knot, np.arange(samples), slip))
    hertz = entrained_hz(hertz, np.zeros(0) if modes_hz is None else modes_hz)
    hertz = np.interp(np.arange(samples), knot, hertz) * (1.0 + WANDER * wander)
    phase = 2.0 * np.pi * np.cumsum(hertz) / SAMPLE_RATE_HZ
    force = np.zeros(samples)
    for overtone in range(1, int(HIGHEST_HZ / max(float(hertz[level > 0.0].min(initial=HIGHEST_HZ)), 50.0)) + 1):
        below = np.clip((HIGHEST_HZ - overtone * hertz) / 1000.0, 0.0, 1.0)
        if overtone > 24 or not below.any():
            break
        force += below * np.sin(overtone * phase) / overtone
    return np.asarray(drop_n(spec, belt) / np.pi * level * force)
