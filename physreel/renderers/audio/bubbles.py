"""Bubbles in liquid: how they ring.

Sources:
  Minnaert    M. Minnaert, Phil. Mag. 16, 235 (1933): the pitch of a bubble
  Devin       C. Devin, J. Acoust. Soc. Am. 31, 1654 (1959): its damping by heat, radiation and viscosity
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.renderers.audio.bodies import HIGHEST_HZ
from physreel.renderers.audio.liquid_kernels import chirps
from physreel.spec import Air, Liquid
from physreel.values import SAMPLE_RATE_HZ

Floats = NDArray[np.float64]

GAMMA = 1.4
AIR_DIFFUSIVITY_M2_S = 2.1e-5
SOUND_IN_LIQUID_M_S = 1480.0

ATTACK = 0.25
"""How fast a bubble sets in, against its angular frequency."""


def minnaert_hz(radius_m: ArrayLike, liquid: Liquid, air: Air) -> Floats:
    """√(3 γ p0 / rho) / (2π a): 3.26 m/s over the radius in water (Minnaert)."""
    return np.asarray(_pulse_m_s(liquid, air) / (2.0 * np.pi * np.asarray(radius_m, np.float64)))


def _pulse_m_s(liquid: Liquid, air: Air) -> float:
    """Angular frequency times radius, for all bubbles alike."""
    return float(np.sqrt(3.0 * GAMMA * air.pressure_pa / liquid.density_kg_m3))


def damping(radius_m: ArrayLike, liquid: Liquid, air: Air) -> Floats:
    """Loss factor of a bubble at its own frequency: heat, radiation into the liquid and viscosity (Devin).

    The amplitude falls as exp(-loss · ω t / 2).
    """
    a = np.asarray(radius_m, np.float64)
    omega = 2.0 * np.pi * minnaert_hz(a, liquid, air)
    # Above 40 the hyperbolic functions are one another's equal.
    x = np.minimum(a * np.sqrt(2.0 * omega / AIR_DIFFUSIVITY_M2_S), 40.0)
    far = a * np.sqrt(2.0 * omega / AIR_DIFFUSIVITY_M2_S)
    spread = np.cosh(x) - np.cos(x)
    plus, minus = (np.sinh(x) + np.sin(x)) / spread, (np.sinh(x) - np.sin(x)) / spread
    heat = (plus - 2.0 / far) / (far / (3.0 * (GAMMA - 1.0)) + minus)
    radiation = omega * a / SOUND_IN_LIQUID_M_S
    viscous = 4.0 * liquid.viscosity_pa_s / (liquid.density_kg_m3 * omega * a * a)
    return np.asarray(heat + radiation + viscous)


def closing(speed_m_s: Floats, liquid: Liquid) -> Floats:
    """What is left of a bubble's ring where viscosity slows the neck that closes behind it: 1 in water.

    A neck of thick liquid closes at σ / μ, a thin one's as fast as the liquid came. What closes slowly does not pluck.
    """
    thick = liquid.surface_tension_n_m / liquid.viscosity_pa_s
    return np.asarray(thick / (thick + np.maximum(speed_m_s, 1.0)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Bubbles:
    """N bubbles.

    Attributes:
        row: (N,) index of what made each.
        time_s: (N,) when it closes and begins to ring.
        radius_m: (N,) of what pulsates: a bubble, or a cloud of them.
        hertz: (N,) at first.
        decay_per_s: (N,) of the amplitude.
        flow_m3_s2: (N,) amplitude of the second derivative of its volume.
        sweep_per_s: (N,) relative growth of its frequency.
    """

    row: NDArray[np.int64]
    time_s: Floats
    radius_m: Floats
    hertz: Floats
    decay_per_s: Floats
    flow_m3_s2: Floats
    sweep_per_s: Floats

    def __len__(self) -> int:
        return len(self.time_s)

    def loaded(self, resistance_pa_s_m3: Floats, density_kg_m3: float) -> Bubbles:
        """The same, each before a resistance (N,) to its flow that takes energy from it, in a liquid of that density.

        A bubble that has the flow u has the energy rho u² / (8π a).
        """
        more = 2.0 * np.pi * self.radius_m * resistance_pa_s_m3 / density_kg_m3
        return replace(self, decay_per_s=self.decay_per_s + more)

    def some(self, chosen: NDArray[np.int64]) -> Bubbles:
        """Those of these numbers."""
        return Bubbles(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})

    def sound(self, samples: int, silence_m3_s2: float) -> Floats:
        """(samples,) second derivative of their volume, at the sample rate.

        What is above 20 kHz is left out, and so is each once it is below ``silence_m3_s2``.
        """
        out = np.zeros(samples)
        mine = np.flatnonzero(self.hertz < HIGHEST_HZ)
        omega = 2.0 * np.pi * self.hertz[mine]
        chirps(
            out, self.time_s[mine] * SAMPLE_RATE_HZ, omega, self.decay_per_s[mine], ATTACK * omega,
            self.flow_m3_s2[mine], self.sweep_per_s[mine], silence_m3_s2, float(SAMPLE_RATE_HZ),
        )  # fmt: skip
        return out


def ringing(
    row: NDArray[np.int64],
    time_s: Floats,
    radius_m: Floats,
    relative: Floats,
    rise: Floats,
    liquid: Liquid,
    air: Air,
    *,
    more_loss: float = 0.0,
) -> Bubbles:
    """Bubbles by their radii.

    Args:
        row: (N,) index of what made each.
        time_s: (N,) when each begins to ring.
        radius_m: (N,).
        relative: (N,) swing of the radius against it.
        rise: (N,) relative growth of frequency in the time in which each fades by e.
        liquid: around them.
        air: above it.
        more_loss: loss factor beside Devin's.
    """
    hertz = minnaert_hz(radius_m, liquid, air)
    omega = 2.0 * np.pi * hertz
    # A loss factor of 2 is critical damping; what is near it has no pitch left to lose.
    decay = 0.5 * np.minimum(damping(radius_m, liquid, air) + more_loss, 1.4) * omega
    return Bubbles(
        row=row,
        time_s=time_s,
        radius_m=radius_m,
        hertz=hertz,
        decay_per_s=decay,
        flow_m3_s2=4.0 * np.pi * radius_m**3 * omega**2 * relative,
        sweep_per_s=rise * decay,
    )


def gathered(parts: list[Bubbles]) -> Bubbles:
    """All of them, part by part."""
    empty = np.zeros(0)
    names = ("time_s", "radius_m", "hertz", "decay_per_s", "flow_m3_s2", "sweep_per_s")
    columns = {name: np.concatenate([empty, *(getattr(part, name) for part in parts)]) for name in names}
    row = np.concatenate([np.zeros(0, np.int64), *(part.row for part in parts)])
    return Bubbles(row=row, **columns)
