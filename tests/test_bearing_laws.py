"""Law 29: what a bearing's defect is heard at, in the envelope spectrum of the sound as it is written."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from bearing_worlds import sizes, spun, world

from physreel.exporters.sound import encode_flac
from physreel.geometry.bearings import BEARINGS, bearing_orders, orders
from physreel.renderers.audio.contact import ContactSoundRenderer
from physreel.simulators.mujoco import MujocoSimulator
from physreel.values import SAMPLE_RATE_HZ

KINDS = ("6205", "6203", "own")
PARTS = ("outer_race", "inner_race", "ball", "cage")
TURNS_S = 18.0


def written(spec, trajectory):
    """The first channel of the sound, through the FLAC that is stored."""
    audio = ContactSoundRenderer().render(spec, trajectory)
    assert audio.clipped_fraction == 0.0
    samples, rate = soundfile.read(io.BytesIO(encode_flac(audio.samples)), always_2d=True)
    assert rate == SAMPLE_RATE_HZ
    return samples[:, 0]


def envelope_spectrum(samples):
    """Frequencies and amplitudes of the envelope, 4 times as fine as the clip is long."""
    from scipy.signal import butter, hilbert, sosfiltfilt

    band = sosfiltfilt(butter(4, (1500.0, 16_000.0), "bandpass", fs=SAMPLE_RATE_HZ, output="sos"), samples)
    envelope = np.abs(hilbert(band))
    size = 4 * len(envelope)
    amplitude = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)), size))
    return np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE_HZ), amplitude


def line_near(hertz, amplitude, wanted):
    """The highest frequency within 15 % of the wanted one, and how far it stands above the median around."""
    near = np.flatnonzero(np.abs(hertz / wanted - 1.0) < 0.15)
    around = np.abs(hertz / wanted - 1.0) < 0.45
    best = near[np.argmax(amplitude[near])]
    return hertz[best], amplitude[best] / np.median(amplitude[around])


def wanted_order(bearing, part):
    found = bearing_orders(bearing)
    return {"outer_race": found.bpfo, "inner_race": found.bpfi, "ball": 2.0 * found.bsf, "cage": found.ftf}[part]


def corrected(bearing, part):
    """The closed form with a cage that falls behind: what is passed on the inner race is passed more often."""
    slip, cage = bearing.slip_share, bearing_orders(bearing).ftf
    if part == "inner_race":
        return bearing.ball_count * (1.0 - cage * (1.0 - slip))
    return wanted_order(bearing, part) * (1.0 - slip)


@pytest.mark.parametrize("slip", [0.0, 0.01])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_is_heard_at_the_frequency_of_the_closed_form(kind, part, slip):
    spec = world(kind, part, turns_s=TURNS_S, slip=slip, load_n=500.0, width_m=2e-3, seed=5, duration_s=4.0)
    trajectory = spun(spec)
    angle = trajectory.signals["angle:shaft"]
    turns_s = (angle.values[-1] - angle.values[0]) / (len(angle.values) - 1) * angle.rate_hz / (2.0 * np.pi)
    assert turns_s == pytest.approx(TURNS_S)
    wanted = corrected(spec.bearings[0], part) * turns_s
    found, height = line_near(*envelope_spectrum(written(spec, trajectory)), wanted)
    assert found == pytest.approx(wanted, rel=0.01)
    assert height > 6.0


@pytest.mark.parametrize("part", PARTS)
def test_the_same_holds_of_a_shaft_that_an_engine_turns(part):
    spec = world("6205", part, turns_s=TURNS_S, load_n=500.0, width_m=2e-3, seed=5, duration_s=3.0)
    trajectory = MujocoSimulator().simulate(spec)
    angle = trajectory.signals["angle:shaft"]
    turns_s = (angle.values[-1] - angle.values[0]) / (len(angle.values) - 1) * angle.rate_hz / (2.0 * np.pi)
    assert turns_s == pytest.approx(TURNS_S, rel=0.02)
    wanted = wanted_order(spec.bearings[0], part) * turns_s
    found, height = line_near(*envelope_spectrum(written(spec, trajectory)), wanted)
    assert found == pytest.approx(wanted, rel=0.01)
    assert height > 6.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_healthy_bearing_is_heard_and_has_no_such_line(kind):
    spec = world(kind, turns_s=TURNS_S, load_n=500.0, seed=5, duration_s=4.0)
    samples = written(spec, spun(spec))
    assert np.std(samples) * 100.0 > 1e-4
    hertz, amplitude = envelope_spectrum(samples)
    faulty = {
        part: world(kind, part, turns_s=TURNS_S, load_n=500.0, width_m=2e-3, seed=5, duration_s=4.0) for part in PARTS
    }
    for part in PARTS:
        wanted = wanted_order(spec.bearings[0], part) * TURNS_S
        near = np.abs(hertz / wanted - 1.0) < 0.01
        line = envelope_spectrum(written(faulty[part], spun(faulty[part])))[1][near].max()
        assert amplitude[near].max() < 0.25 * line


@pytest.mark.parametrize(
    ("kind", "bpfo", "bpfi", "bsf", "ftf"),
    [("6205", 3.5848, 5.4152, 2.357, 0.3983), ("6203", 3.0530, 4.9470, 1.994, 0.3816)],
)
def test_orders_are_those_of_the_makers_tables(kind, bpfo, bpfi, bsf, ftf):
    found = orders(**sizes(kind))
    assert (found.bpfo, found.bpfi) == pytest.approx((bpfo, bpfi), abs=1e-4)
    assert found.bsf == pytest.approx(bsf, abs=1e-3)
    assert found.ftf == pytest.approx(ftf, abs=1e-4)


@pytest.mark.parametrize("kind", BEARINGS)
def test_the_bearings_of_the_table_can_be_built(kind):
    size = BEARINGS[kind]
    bearing = world(kind).bearings[0]
    assert bearing.ball_count == size.ball_count
    assert size.bore_m < size.pitch_diameter_m - size.ball_diameter_m
    assert size.pitch_diameter_m + size.ball_diameter_m < size.outer_diameter_m
    assert size.ball_diameter_m < size.width_m
    assert bearing_orders(bearing).bpfo + bearing_orders(bearing).bpfi == pytest.approx(size.ball_count)
