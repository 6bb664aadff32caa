"""Air that falling liquid takes along: how many bubbles, how large, how strongly they ring, and when.

Sources:
  Bin         A. K. Biń, Chem. Eng. Sci. 48, 3585 (1993): air that plunging jets carry down
  Hinze       J. O. Hinze, AIChE J. 1, 289 (1955), and G. B. Deane, M. D. Stokes, Nature 418, 839 (2002): sizes
  Oguz        H. N. Oguz, A. Prosperetti, J. Fluid Mech. 219, 143 (1990): drops that leave a bubble for sure
  Pumphrey    H. C. Pumphrey, P. A. Elmore, J. Fluid Mech. 220, 539 (1990): all others
  Deng        Q. Deng, A. V. Anilkumar, T. G. Wang, J. Fluid Mech. 578, 119 (2007): drops of thick liquid leave none
  Medwin      H. Medwin, M. M. Beaky, J. Acoust. Soc. Am. 86, 1124 (1989): amplitudes of new bubbles
  Doel        K. van den Doel, ACM Trans. Appl. Percept. 2, 534 (2005): bubbles that rise while they ring
  Hahn        T. R. Hahn, T. K. Berger, M. J. Buckingham, Proc. R. Soc. A 459, 1751 (2003): the plume of bubbles under
              a plunging jet swings as a whole, and is what is heard below 1 kHz
  Bagad       P. Bagad, M. Tapaswi, C. G. M. Snoek, A. Zisserman, The Sound of Water, arXiv 2411.11222 (2024)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.audio.arrivals import Arrivals
from physreel.renderers.audio.bubbles import GAMMA, Bubbles, closing, gathered, ringing
from physreel.renderers.audio.dice import Dice
from physreel.spec import Air, Liquid, SceneSpec

Floats = NDArray[np.float64]

ENERGY_SHARE = 0.001
"""Share of the arriving kinetic energy with which new bubbles ring. Relative amplitudes are then 0.002 to 0.005
(Medwin: 0.015 in breaking waves), and a filling glass is as loud as one is."""

MOST_AMPLITUDE = 0.05
"""No bubble's radius swings by more than this share."""

SLOWEST_M_S = 0.5
"""Streams slower than this join without taking air along (Biń: 0.8 m/s and more for smooth jets, less for rough)."""

ROUGH_REYNOLDS = 300.0
"""Below this Reynolds number a stream is smooth, and takes far less air along."""

DISSIPATION = 0.05
"""Turbulent dissipation where a stream of diameter d comes in at v, in v³ / d."""

SIZES = (0.4, 2.5)
"""Smallest and largest radius against Hinze's."""

PLUME_SHARE, PLUME_BURSTS = 0.5, 2
"""Share of the arriving kinetic energy that sets the plume swinging, and in how many bursts a particle does so. From
it the air above rings: in recordings of glasses that fill, that ring stands out from the bubbles' own (Bagad)."""

PLUME_HZ = (120.0, 2500.0)
PLUME_LOSS = 0.7
"""The plume's own frequencies change all the time, and it hardly rings (Hahn): together they are a noise."""

FILM_SHARE, FILM_RADIUS_M = 0.3, 0.002
"""In a film or a puddle there is less depth for bubbles, and none for large ones."""

LARGEST_DROP_M3 = 1.3e-7
"""Larger drops fall apart: 6.3 mm across. Coarse particles that fly alone are several."""

DROP_SHARE = (0.14, 0.3)
"""Radius of a drop's bubble against the drop's diameter."""

MOST_CAPILLARY = 0.6
"""Drops whose capillary number μ v / σ is greater leave no bubble (Deng)."""

IRREGULAR_CHANCE = 0.6
"""Of drops faster than those that always do, so many leave a bubble (Pumphrey)."""

RISING_SHARE, RISE = 0.35, 0.1
"""So many bubbles come up while they ring; their pitch grows by this share in the time in which they fade (Doel)."""

MOST = 24_000
"""Bubbles a fluid and clip. Were there more, so many are heard, and each for several."""


def air_share(speed_m_s: Floats, jet_m: Floats, gravity_m_s2: float) -> Floats:
    """Air that a rough jet carries down against its own volume: 0.04 Fr^0.28 (L/d)^0.4 (Biń).

    Its length L is that of a fall to its speed.
    """
    froude = speed_m_s**2 / (gravity_m_s2 * jet_m)
    length = np.clip(0.5 * froude, 1.0, 100.0)
    return np.asarray(0.04 * froude**0.28 * length**0.4)


def hinze_radius_m(speed_m_s: Floats, jet_m: Floats, liquid: Liquid) -> Floats:
    """Radius of the largest bubbles that turbulence leaves whole, 0.5 to 1.5 mm."""
    dissipation = DISSIPATION * speed_m_s**3 / jet_m
    size = 2.0**-1.6 * (4.7 * liquid.surface_tension_n_m / liquid.density_kg_m3) ** 0.6 * dissipation**-0.4
    return np.asarray(np.clip(size, 5e-4, 1.5e-3))


def find_bubbles(spec: SceneSpec, arrivals: Arrivals, *, spacing_m: float, record_hz: float) -> Bubbles:
    """The bubbles of all arrivals, by arrival.

    Their number, sizes and moments are drawn from the spec's JSON; what comes later in a clip does not change what
    came before, unless there are more than MOST in all: then they are thinned alike all through it.

    Args:
        spec: the world.
        arrivals: of its liquids.
        spacing_m: the cube root of a particle's volume.
        record_hz: how often the engine's state was recorded.
    """
    gravity = float(np.linalg.norm(spec.gravity_m_s2)) or 9.81
    parts = []
    for k, fluid in enumerate(spec.fluids):
        rows = np.flatnonzero((arrivals.fluid == k) & (arrivals.wet > 0.0))
        if len(rows):
            maker = _Maker(arrivals, spec.liquid(fluid.liquid), spec.air, Dice(spec, fluid.name), gravity)
            of_drop = maker.dice.uniform("kind", len(rows)) >= arrivals.stream[rows]
            parts.append(maker.of_drops(rows[of_drop], spacing_m, record_hz))
            parts += maker.of_streams(rows[~of_drop], spacing_m, record_hz)
    return gathered(parts)


@dataclass(frozen=True, eq=False)
class _Maker:
    arrivals: Arrivals
    liquid: Liquid
    air: Air
    dice: Dice
    gravity: float

    def of_drops(self, rows: NDArray[np.int64], spacing_m: float, record_hz: float) -> Bubbles:
        arrivals, liquid, dice = self.arrivals, self.liquid, self.dice
        speed, volume = arrivals.speed_m_s[rows], arrivals.drop_m3[rows]
        pieces = np.maximum(volume / LARGEST_DROP_M3, 1.0)
        diameter = np.cbrt(6.0 * volume / (np.pi * pieces))
        tension = max(liquid.surface_tension_n_m, 1e-4)
        weber = liquid.density_kg_m3 * speed**2 * diameter / tension
        froude = speed**2 / (self.gravity * diameter)
        # Between the two all drops leave a bubble (Oguz), above some, below none.
        chance = np.where(weber < 48.3 * froude**0.247, 1.0, IRREGULAR_CHANCE)
        chance = np.where(weber > 41.3 * froude**0.179, chance, 0.0)
        chance = np.where(liquid.viscosity_pa_s * speed < MOST_CAPILLARY * tension, chance, 0.0)
        film = arrivals.shallow[rows]
        chance = chance * np.where(film, FILM_SHARE * arrivals.wet[rows], 1.0)
        # Of a drop's particles one speaks for it; what is larger than drops can be falls as several.
        one = dice.uniform("drop", len(rows)) < chance * arrivals.volume_m3[rows] / volume
        many = dice.generator("drops").poisson(chance * arrivals.volume_m3[rows] / LARGEST_DROP_M3)
        of = np.repeat(np.arange(len(rows)), np.where(pieces > 1.0, many, one))
        total = len(of)
        low, high = DROP_SHARE
        radius = diameter[of] * low * (high / low) ** dice.uniform("drop size", total)
        radius = np.where(film[of], np.minimum(radius, FILM_RADIUS_M), radius)
        wide = np.maximum(spacing_m / speed, 1.0 / record_hz)[of]
        late = (dice.uniform("drop late", total) + dice.uniform("drop later", total)) * wide
        late[np.diff(of, prepend=-1) != 0] = 0.0
        falls = (volume / pieces)[of]
        relative = _relative_amplitude(speed[of], falls / (4.0 / 3.0 * np.pi * radius**3), liquid, self.air)
        relative = relative * dice.swing("drop swing", total)
        time = arrivals.time_s[rows[of]] + late
        return ringing(rows[of], time, radius, relative, np.zeros(total), liquid, self.air)

    def of_streams(self, rows: NDArray[np.int64], spacing_m: float, record_hz: float) -> list[Bubbles]:
        arrivals, liquid, dice = self.arrivals, self.liquid, self.dice
        speed, jet = arrivals.speed_m_s[rows], arrivals.jet_m[rows]
        hinze = hinze_radius_m(speed, jet, liquid)
        share = air_share(speed, jet, self.gravity)
        film = arrivals.shallow[rows]
        taken = np.maximum(1.0 - SLOWEST_M_S / speed, 0.0) * roughness(speed, jet, liquid)
        taken = taken * np.where(film, FILM_SHARE * arrivals.wet[rows], 1.0)
        # Sizes: N ~ a^(-3/2) up to Hinze's radius, a^(-10/3) above (Deane and Stokes), as far as the stream is thick.
        low = SIZES[0]
        top = np.clip(np.where(film, FILM_RADIUS_M, 0.5 * jet) / hinze, 1.0, SIZES[1])
        below, above = 2.0 * (low**-0.5 - 1.0), 3.0 / 7.0 * (1.0 - top ** (-7.0 / 3.0))
        cubes = 0.4 * (1.0 - low**2.5) + 1.5 * (top ** (2.0 / 3.0) - 1.0)
        mean_volume = 4.0 / 3.0 * np.pi * hinze**3 * cubes / (below + above)
        expected = taken * share * arrivals.volume_m3[rows] / mean_volume
        thinned = min(1.0, MOST / max(float(expected.sum()), 1.0))
        count = dice.generator("count").poisson(expected * thinned)
        # What is seen to arrive first is heard to.
        first = arrivals.fresh[rows] & (expected > 0.5)
        count = np.where(first, np.maximum(count, 1), count)
        of = np.repeat(np.arange(len(rows)), count)
        total = len(of)
        pick = dice.uniform("size", total) * (below + above[of])
        fine = pick < below
        small = (low**-0.5 - 0.5 * np.minimum(pick, below)) ** -2.0
        large = (1.0 - 7.0 / 3.0 * np.clip(pick - below, 0.0, above[of])) ** (-3.0 / 7.0)
        # Hinze's radius itself is not everywhere the same in the plume.
        radius = hinze[of] * np.where(fine, small, large) * (0.7 + 0.4 * dice.uniform("place", total))
        # Particles come in layers, and states were recorded at their own rate: a bell as wide as either hides both.
        wide = np.maximum(spacing_m / speed, 1.0 / record_hz)
        late = (dice.uniform("late", total) + dice.uniform("later", total)) * wide[of]
        starts = np.r_[True, np.diff(of) != 0] if total else np.zeros(0, bool)
        late[starts & first[of]] = 0.0
        swing = dice.swing("swing", total) / np.sqrt(thinned)
        relative = _relative_amplitude(speed, 1.0 / share, liquid, self.air)[of] * swing
        rising = np.where(dice.uniform("rise", total) < RISING_SHARE, RISE, 0.0)
        time = arrivals.time_s[rows]
        single = ringing(rows[of], time[of] + late, radius, relative, rising, liquid, self.air)
        return [single, self._plume(rows, taken, wide)]

    def _plume(self, rows: NDArray[np.int64], taken: Floats, wide: Floats) -> Bubbles:
        """The bursts of a cloud of bubbles as large as the stream is thick."""
        arrivals, liquid, dice = self.arrivals, self.liquid, self.dice
        of = np.repeat(np.flatnonzero(taken > 0.0), PLUME_BURSTS)
        total = len(of)
        radius, speed = 0.5 * arrivals.jet_m[rows[of]], arrivals.speed_m_s[rows[of]]
        omega = 2.0 * np.pi * PLUME_HZ[0] * (PLUME_HZ[1] / PLUME_HZ[0]) ** dice.uniform("plume pitch", total)
        kinetic = 0.5 * liquid.density_kg_m3 * arrivals.volume_m3[rows[of]] * speed**2
        energy = PLUME_SHARE / PLUME_BURSTS * kinetic * taken[of]
        # As a bubble of that radius: energy 2π rho a³ u², flow 4π a² u ω, u the speed of its surface.
        flow = omega * np.sqrt(8.0 * np.pi * radius * energy / liquid.density_kg_m3)
        late = (dice.uniform("plume late", total) + dice.uniform("plume later", total)) * wide[of]
        late[arrivals.fresh[rows[of]] & (np.diff(of, prepend=-1) != 0)] = 0.0  # the first is heard when it is seen
        return Bubbles(
            row=rows[of],
            time_s=arrivals.time_s[rows[of]] + late,
            radius_m=radius,
            hertz=omega / (2.0 * np.pi),
            decay_per_s=0.5 * PLUME_LOSS * omega,
            flow_m3_s2=flow * closing(speed, liquid) * np.where(dice.uniform("plume way", total) < 0.5, -1.0, 1.0),
            sweep_per_s=np.zeros(total),
        )


def roughness(speed: Floats, size: Floats, liquid: Liquid) -> Floats:
    """(N,) share of turbulence that streams (N,) of a thickness have at a speed: 1 if fast and thin, 0 for honey."""
    reynolds = liquid.density_kg_m3 * speed * size / liquid.viscosity_pa_s
    return np.asarray(reynolds / (reynolds + ROUGH_REYNOLDS))


def _relative_amplitude(speed: Floats, liquid_per_air: Floats, liquid: Liquid, air: Air) -> Floats:
    """Swing of the radius against it, from ENERGY_SHARE of the kinetic energy shared out by volume of air.

    A bubble that rings has the energy 2π rho a³ (ω ξ)², ω a being the same for all.
    """
    energy = ENERGY_SHARE * liquid.density_kg_m3 * speed**2 * liquid_per_air
    relative = np.sqrt(energy / (9.0 * GAMMA * air.pressure_pa))
    return np.asarray(np.minimum(relative, MOST_AMPLITUDE) * closing(speed, liquid))
