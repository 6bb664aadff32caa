"""The sound of a bearing without fault: balls that roll over ground races.

Races and balls are rough on a small scale; each ball is a spring (Hertz) between the rings, so what it rolls over
presses on the housing with stiffness times height (T. A. Harris, M. N. Kotzalas, Rolling Bearing Analysis, 5th ed.
(2006), 14). Each ball wanders on a track of its own, so that what one meets the next does not. Louder with speed and
load.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.bearings import HERTZ_MODULUS_PA, ball_loads, first_ball_angle_rad
from physreel.geometry.hertz import indentation_m
from physreel.renderers.audio.dice import Dice
from physreel.renderers.audio.friction import fractal_profile
from physreel.renderers.audio.kernels import surface_force
from physreel.renderers.audio.mix import HOP
from physreel.spec import Bearing, SceneSpec
from physreel.values import SAMPLE_RATE_HZ, Trajectory

Floats = NDArray[np.float64]

RACE_ROUGHNESS_M = 0.06e-6
"""Rms height of a honed race and a lapped ball together, on the scale that is heard."""

_SPACING_M = 1e-5


def race_force(spec: SceneSpec, trajectory: Trajectory, bearing: Bearing, samples: int) -> Floats:
    """(S,) force in N by which rough races shake the housing; zero while nothing turns."""
    signal = trajectory.signals[f"cage_angle:{bearing.name}"]
    hops = -(-samples // HOP) + 2
    time = np.arange(hops) * (HOP / SAMPLE_RATE_HZ)
    cage = np.interp(time, np.arange(len(signal.values)) / signal.rate_hz, signal.values)
    # Straight on to the end, which lies between the last value and the clip's.
    rate = np.gradient(cage, time)
    rate[time > (len(signal.values) - 1) / signal.rate_hz] = rate[max(len(rate) - 4, 0)]
    speed = np.abs(rate) * 0.5 * bearing.pitch_diameter_m
    dice = Dice(spec, f"races:{bearing.name}")
    radius = 0.5 * bearing.ball_diameter_m
    force = np.zeros((hops - 1) * HOP)
    first = first_ball_angle_rad(bearing)
    for ball in range(bearing.ball_count):
        place = first + 2.0 * np.pi * ball / bearing.ball_count + cage
        load = ball_loads(bearing, place, np.abs(rate))
        depth = indentation_m(force_n=load, radius_m=radius, modulus_pa=HERTZ_MODULUS_PA)
        stiffness = 1.5 * load / np.maximum(depth, 1e-12)
        patch = np.sqrt(radius * depth)
        moving = np.minimum(speed / 0.01, 1.0)
        force += surface_force(
            fractal_profile(dice.generator(f"ball {ball}")), _SPACING_M, speed, stiffness * RACE_ROUGHNESS_M * moving,
            np.clip(speed / (2.0 * patch), 20.0, 20_000.0), 0.0, HOP, len(force), float(SAMPLE_RATE_HZ),
        )  # fmt: skip
    return force[:samples]
