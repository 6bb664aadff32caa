"""The compiled loops and the formulas of radiation against brute force and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from audio_worlds import blow, strikes_of, world

from physreel.renderers.audio.kernels import listen, ring, scrape, sinc_table
from physreel.renderers.audio.radiation import (
    absorption_db_per_m,
    dipole_rate,
    multipole_efficiency,
    slab_pressure_per_newton,
    slab_rate_and_weight,
)
from physreel.renderers.audio.strikes import pulse_spectrum
from physreel.spec import Air, Sphere


def bank(out, **options):
    rate = complex(-40.0, 2 * np.pi * 440.0)
    settings = {
        "rates": np.full((2, 1), rate), "weights": np.ones(1, complex), "damped": np.zeros(-(-len(out) // 64), bool),
        "start": np.array([1000.37]), "length": np.array([9.2]), "force": np.array([3.0]), "gains": np.ones((1, 1)),
        "direct": np.zeros(1), "sample_rate": 48e3, "silence": 1e-12,
    }  # fmt: skip
    ring(out, *(settings | options).values())
    return rate


def test_ring_is_the_convolution_of_pulse_and_mode():
    """Against brute force at 400 times the sample rate, through block borders, with the pulse between samples."""
    out = np.zeros(4000)
    rate = bank(out)
    fine = 400
    dt = 1 / 48e3 / fine
    t = (np.arange(4000 * fine) + 0.5) * dt
    u = t - 1000.37 / 48e3
    length = 9.2 / 48e3
    force = np.where((u > 0) & (u < length), 3.0 * np.sin(np.pi * np.clip(u / length, 0, 1)), 0.0)
    samples = np.array([800, 1003, 1009, 1010, 1015, 1024, 1088, 1500, 3999])
    active = np.flatnonzero(force)
    expected = [
        (force[active] * np.exp(rate * np.maximum(k / 48e3 - t[active], 0)) * (t[active] < k / 48e3)).sum().real * dt
        for k in samples
    ]
    assert out[samples] == pytest.approx(expected, abs=2e-3 * np.abs(expected).max())
    assert not out[:1001].any()


def test_blocks_leave_no_seams():
    out = np.zeros(6400)
    rate = bank(out)
    tail = out[1100:]
    n = np.arange(len(tail)) / 48e3
    basis = np.stack([np.exp(rate.real * n) * np.cos(rate.imag * n), np.exp(rate.real * n) * np.sin(rate.imag * n)], 1)
    fit = basis @ np.linalg.lstsq(basis, tail, rcond=None)[0]
    assert np.abs(tail - fit).max() < 1e-9 * np.abs(tail).max()


def test_steady_force_drives_a_mode_as_it_does_a_pulse():
    # A pulse written as a force signal at the sample rate gives what the exact pulse gives.
    exact, driven = np.zeros(4000), np.zeros(4000)
    rate = bank(exact, start=np.array([1000.0]), length=np.array([200.0]))
    force = 3.0 * np.sin(np.pi * (np.arange(200) + 0.5) / 200)
    scrape(driven, 1000, force, np.ones((3, 1)), 100, np.array([rate]), np.ones(1, complex), 48e3, 1e-12)
    assert driven[999:-1] == pytest.approx(exact[1000:], abs=0.01 * np.abs(exact).max())


def test_moving_source_is_delayed_and_shifted_in_pitch():
    count, tone = 24_000, 1000.0
    source = np.sin(2 * np.pi * tone * np.arange(count) / 48e3)
    source[:64] = source[-64:] = 0.0
    out = np.zeros(count + 2000)
    hops = np.arange(60)
    listen(out, source, 0, 5.0 - 10.0 * hops * 480 / 48e3, 480, 343.0, 48e3, sinc_table())  # comes nearer at 10 m/s
    part = out[4000:20_000]
    crossings = np.flatnonzero((part[:-1] < 0) & (part[1:] >= 0))
    exact = crossings - part[crossings] / (part[crossings + 1] - part[crossings])
    assert 48e3 / np.diff(exact).mean() == pytest.approx(tone / (1 - 10.0 / 343.0), rel=1e-3)


def test_interpolation_is_flat_to_16_khz():
    table = sinc_table()
    for share in (0, 100, 256, 400):
        for hertz in (100, 4000, 16_000):
            phase = 2 * np.pi * hertz / 48e3
            value = table[share] @ np.exp(1j * phase * (np.arange(16) - 7))
            assert value == pytest.approx(np.exp(1j * phase * share / 512), abs=0.03)


def test_half_sine_spectrum():
    spec = world(Sphere(radius_m=0.03), position_m=(0, 0, 0.03))
    (strike,) = strikes_of(spec, blow(spec))
    t = np.linspace(0, strike.length_s, 20_001)
    force = strike.peak_n * np.sin(np.pi * t / strike.length_s)
    for x in (0.0, 0.3, 0.5, 0.7, 0.95):
        hertz = x / strike.length_s
        exact = abs(np.trapezoid(force * np.exp(-2j * np.pi * hertz * t), t))
        assert pulse_spectrum(strike, np.array([hertz]))[0] == pytest.approx(exact, rel=1e-4)


def test_multipoles_radiate_as_spheres_do():
    x = np.array([0.05, 0.5, 2.0, 9.0])
    assert multipole_efficiency(0, x) == pytest.approx(x**2 / (1 + x**2))
    assert multipole_efficiency(1, x) == pytest.approx(x**4 / (4 + x**4))
    assert multipole_efficiency(2, x) == pytest.approx(x**6 / (81 + 9 * x**2 - 2 * x**4 + x**6))


def test_click_of_a_slowly_pushed_ball_is_that_of_its_dipole():
    """Far below c/a: p = rho a³ / (2 c r) cos θ · dA/dt, from Landau and Lifshitz's accelerated sphere."""
    air, radius, mass, distance = Air(), 0.02, 0.1, 1.5
    omega = 2 * np.pi * 200.0
    s = 1j * omega
    rate = dipole_rate(radius, air)
    # Re((1 + i) z) with z = F / (s - λ), written for a complex force: mean of the pair.
    transfer = 0.5 * ((1 + 1j) / (s - rate) + (1 - 1j) / (s - np.conj(rate)))
    impedance = air.density_kg_m3 * air.speed_of_sound_m_s
    pressure = impedance * radius / (mass * distance) * transfer
    jerk = s / mass
    assert abs(pressure) == pytest.approx(
        abs(air.density_kg_m3 * radius**3 / (2 * air.speed_of_sound_m_s * distance) * jerk), rel=0.01
    )


def test_slab_follows_the_force_above_its_resonance_and_not_below():
    rate, weight = slab_rate_and_weight()
    for hertz, low, high in ((5.0, 0.0, 0.05), (35.0, 0.8, 1.2), (1000.0, 0.98, 1.02)):
        s = 2j * np.pi * hertz
        follow = 1 - 0.5 * (weight / (s - rate) + np.conj(weight) / (s - np.conj(rate)))
        assert low <= abs(follow) <= high
    assert slab_pressure_per_newton(2300.0, Air()) > slab_pressure_per_newton(7850.0, Air())


@pytest.mark.parametrize(
    ("hertz", "per_km"), [(250, 1.1), (500, 2.8), (1000, 5.0), (2000, 9.0), (4000, 22.9), (8000, 76.6)]
)
def test_air_absorbs_as_iso_9613_says(hertz, per_km):
    """ISO 9613-2:1996, table 2, at 20 °C and 70 %."""
    air = Air(temperature_c=20.0, relative_humidity_pct=70.0)
    assert absorption_db_per_m(hertz, air) * 1000 == pytest.approx(per_km, rel=0.03)
