"""From moving surfaces to pressure in the air: multipoles, the click of a struck body, the thud of a floor, absorption.

Sources:
  Morse     P. M. Morse, K. U. Ingard, Theoretical Acoustics (1968), 7.2: radiation of a sphere by multipole orders
  Koss      L. L. Koss, R. J. Alfredson, J. Sound Vib. 27, 59 (1973): sound of two colliding spheres
  Cremer    L. Cremer, M. Heckl, B. A. T. Petersson, Structure-Borne Sound, 3rd ed. (2005), 6.5: point-driven plates
  ISO       ISO 9613-1:1993: absorption of sound by the atmosphere
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.spec import Air

Floats = NDArray[np.float64]

SLAB_THICKNESS_M = 0.1
"""A plane is a slab this thick of its material, on a soft, lossy bed."""

SLAB_RESONANCE_HZ = 35.0
SLAB_DAMPING = 0.5
"""The slab on its bed: below this frequency the floor as a whole follows the blow and radiates no more."""


def multipole_efficiency(order: int, ka: ArrayLike) -> Floats:
    """Radiation efficiency of a sphere whose surface moves as spherical harmonics of an order (Morse).

    It is 1 / |ka h'(ka)|², h the outgoing spherical Hankel function: (ka)^(2 order + 2) when small, 1 when large.

    Args:
        order: 0 monopole, 1 dipole, …
        ka: radius times wavenumber, > 0.
    """
    from scipy.special import spherical_jn, spherical_yn

    x = np.maximum(np.asarray(ka, np.float64), 1e-3)
    slope = spherical_jn(order, x, derivative=True) ** 2 + spherical_yn(order, x, derivative=True) ** 2
    return np.asarray(1.0 / (x * x * slope))


def mode_efficiency(shares: Floats, omega: Floats, radius_m: float, air: Air) -> Floats:
    """(K,) radiation efficiency of modes: multipole shares (K, M) of the motion, each on the sphere of equal area."""
    ka = omega * radius_m / air.speed_of_sound_m_s
    return np.asarray(sum(shares[:, order] * multipole_efficiency(order, ka) for order in range(shares.shape[1])))


def dipole_rate(radius_m: float, air: Air) -> complex:
    """λ (1/s) of the click of a rigid ball that is pushed: with z' = λ z + F, its pressure follows Re((1 + i) z).

    The far field of a ball with velocity U(s) is rho c (a/r) cos θ · U T² s² / (2 + 2 T s + T² s²), T = a / c (Koss);
    with U = F / (m s) that is the velocity of an oscillator with the poles (-1 ± i) / T.
    """
    rate = air.speed_of_sound_m_s / radius_m
    return complex(-rate, rate)


def slab_pressure_per_newton(density_kg_m3: float, air: Air) -> float:
    """Pressure · distance / force of a slab below its critical frequency (Cremer): rho0 / (2π m''), m'' mass per m²."""
    return air.density_kg_m3 / (2.0 * np.pi * density_kg_m3 * SLAB_THICKNESS_M)


def slab_rate_and_weight() -> tuple[complex, complex]:
    """λ (1/s) and the weight W of the slab's own resonance: pressure follows F - Re(W z), z' = λ z + F."""
    omega = 2.0 * np.pi * SLAB_RESONANCE_HZ
    decay = SLAB_DAMPING * omega
    damped = float(np.sqrt(omega**2 - decay**2))
    return complex(-decay, damped), complex(2.0 * decay, -(omega**2 - 2.0 * decay**2) / damped)


def absorption_db_per_m(frequency_hz: ArrayLike, air: Air) -> Floats:
    """Pure-tone attenuation in air (ISO 9613-1, equations 3-5)."""
    f = np.asarray(frequency_hz, np.float64)
    kelvin, pressure = air.temperature_c + 273.15, air.pressure_pa / 101_325.0
    warm = kelvin / 293.15
    saturation = 10.0 ** (-6.8346 * (273.16 / kelvin) ** 1.261 + 4.6151)
    vapour = air.relative_humidity_pct * saturation / pressure
    oxygen = pressure * (24.0 + 4.04e4 * vapour * (0.02 + vapour) / (0.391 + vapour))
    nitrogen = pressure * warm**-0.5 * (9.0 + 280.0 * vapour * np.exp(-4.17 * (warm ** (-1.0 / 3.0) - 1.0)))
    relaxation = 0.01275 * np.exp(-2239.1 / kelvin) / (oxygen + f * f / oxygen)
    relaxation = relaxation + 0.1068 * np.exp(-3352.0 / kelvin) / (nitrogen + f * f / nitrogen)
    return np.asarray(8.686 * f * f * (1.84e-11 / pressure * warm**0.5 + warm**-2.5 * relaxation))


def transmission(frequency_hz: ArrayLike, distance_m: ArrayLike, air: Air) -> Floats:
    """Share of the pressure that air absorption leaves over a distance."""
    return np.asarray(10.0 ** (-absorption_db_per_m(frequency_hz, air) * np.asarray(distance_m) / 20.0))
