"""The note of an engine: what its cylinders blow out of the exhaust.

The port is a source of volume: what flows out of it, hot, pushes the air aside, so that the pressure at a distance r is

    p(t) = ρ (d/dt) Q / (4π r),    ρ Q = m T_exhaust / T_air    (m: kg/s)

(A. P. Dowling, J. E. Ffowcs Williams, Sound and Sources of Sound (1983), 7). The flow is that of the gas in the
trajectory, so the note's lines are where the valves open: at multiples of half the crank's frequency, and of the firing
frequency where all cylinders do the same. The trajectory has the flow at some 2 kHz; between its values it is a cubic
B-spline, so that nothing clicks, and above about 1 kHz the puff itself is silent.

What is heard above that is the jet: turbulence, whose power grows as the eighth power of its speed (M. J. Lighthill,
Proc. R. Soc. A 211, 564 (1952); power 5e-5 ρ S U⁸ / c⁵, with ρ S U the flow), on a broad hump about 0.2 U / d.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from physreel.geometry.cranks import EXHAUST_K
from physreel.renderers.audio.dice import Dice
from physreel.spec import GasCylinder, SceneSpec
from physreel.values import SAMPLE_RATE_HZ, Signal, Trajectory

Floats = NDArray[np.float64]

HOT = EXHAUST_K / 293.0
"""Exhaust over air, both in kelvin."""

GAP_SHARE = 0.5
"""Width of the jet over the bore."""

HISS_THROUGH = 0.06
"""What a small pot of wool lets through of the jet's pressure: 24 dB less above 1 kHz, as absorbing silencers do (M. L.
Munjal, Acoustics of Ducts and Mufflers, 2nd ed. (2014), 6); the puff is too low for it."""

JET_POWER = 5e-5
STROUHAL = 0.2
SONIC_M_S = 450.0
"""Speed at which exhaust of that temperature chokes in the port."""


def smooth_signal(signal: Signal, samples: int) -> Floats:
    """(S,) a signal of means over intervals at the sample rate, as a cubic B-spline with those means as weights."""
    width = max(round(SAMPLE_RATE_HZ / signal.rate_hz), 1)
    at = (np.arange(samples + 4 * width) - 2 * width + 0.5) / SAMPLE_RATE_HZ * signal.rate_hz
    row = np.floor(at).astype(np.int64)
    # Before and after the clip it goes on as at its ends: what begins at once is not an event.
    values = signal.values[np.clip(row, 0, len(signal.values) - 1)]
    box = np.ones(width) / width
    for _ in range(3):
        values = np.convolve(values, box, "same")
    return np.asarray(values[2 * width : 2 * width + samples])


def exhaust_pascals(spec: SceneSpec, trajectory: Trajectory, cylinder: GasCylinder, samples: int) -> Floats:
    """(S,) pressure at 1 m of one cylinder's exhaust: puff and jet."""
    flow = smooth_signal(trajectory.signals[f"exhaust:{cylinder.name}"], samples)
    moved = HOT * flow
    puff = np.gradient(moved, 1.0 / SAMPLE_RATE_HZ) / (4.0 * np.pi)
    return np.asarray(puff + _jet(spec, trajectory, cylinder, flow, samples))


def _jet(spec: SceneSpec, trajectory: Trajectory, cylinder: GasCylinder, flow: Floats, samples: int) -> Floats:
    """(S,) pressure at 1 m of the gas that rushes out, at the speed to which the cylinder's pressure drives it."""
    air = spec.air
    density = air.density_kg_m3 / HOT
    over = smooth_signal(trajectory.signals[f"pressure:{cylinder.name}"], samples) - air.pressure_pa
    speed = np.minimum(np.sqrt(2.0 * np.maximum(over, 0.0) / density), SONIC_M_S)
    power = JET_POWER * np.maximum(flow, 0.0) * speed**7 / air.speed_of_sound_m_s**5
    rms = np.sqrt(power * air.density_kg_m3 * air.speed_of_sound_m_s / (4.0 * np.pi))
    noise = Dice(spec, f"exhaust:{cylinder.name}").generator("jet").standard_normal(samples)
    # A hump two octaves wide, by a pole on either side of its middle; the port's gap is a fraction of its width.
    middle = STROUHAL * SONIC_M_S / (GAP_SHARE * cylinder.bore_m)
    low, high = (np.exp(-2.0 * np.pi * min(f, 18_000.0) / SAMPLE_RATE_HZ) for f in (0.5 * middle, 2.0 * middle))
    shaped = lfilter([1.0 - high], [1.0, -high], lfilter([1.0, -1.0], [1.0, -low], noise))
    return np.asarray(HISS_THROUGH * rms * shaped / max(float(shaped.std()), 1e-12))
