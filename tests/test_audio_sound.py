"""What is heard: timing, level, decay, brightness, silence, stereo, stems."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from audio_worlds import STEP_S, blow, mass_kg, resting, rows, still, strikes_of, world

from physreel.geometry.hertz import contact_modulus_pa, contact_time_s
from physreel.renderers.audio.contact import ContactSoundRenderer
from physreel.renderers.audio.mix import PASCAL_PER_UNIT
from physreel.spec import MATERIALS, Body, Box, Sphere
from physreel.testing import check_audio_renderer
from physreel.values import SAMPLE_RATE_HZ, ContactTable

RENDERER = ContactSoundRenderer()
BAR = Box(size_m=(0.2, 0.03, 0.02))
TABLE = Body(
    name="table", shape=Box(size_m=(0.8, 0.5, 0.03)), material="oak", motion="static", position_m=(0.0, 0.0, -0.015)
)


def pascals(spec, trajectory) -> np.ndarray:
    return RENDERER.render(spec, trajectory).samples.astype(float) * PASCAL_PER_UNIT


def bar(material: str, **options):
    return world(BAR, material, position_m=(0.0, 0.0, 0.01), **options)


def struck(material: str, **options) -> np.ndarray:
    """A bar of a material struck near its end, first channel."""
    spec = bar(material)
    return pascals(spec, blow(spec, point=(0.09, 0.01, 0.0), **options))[:, 0]


def onset_s(signal: np.ndarray) -> float:
    return float(np.argmax(np.abs(signal) > 0.02 * np.abs(signal).max()) / SAMPLE_RATE_HZ)


def t60_s(signal: np.ndarray) -> float:
    """From the backward energy integral between -5 and -35 dB, as in room acoustics."""
    left = np.cumsum((signal**2)[::-1])[::-1]
    decibel = 10 * np.log10(np.maximum(left / left[0], 1e-12))
    low, high = np.argmax(decibel < -5), np.argmax(decibel < -35)
    return float(2.0 * (high - low) / SAMPLE_RATE_HZ)


def centroid_hz(signal: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(signal)) ** 2
    return float(np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE_HZ) @ power / power.sum())


def test_keeps_the_contracts_of_audio_renderers():
    pytest.importorskip("mujoco")
    assert check_audio_renderer("modal")


@pytest.mark.parametrize(("material", "partner"), [("steel", "marble"), ("rubber", "oak"), ("glass", "steel")])
@pytest.mark.parametrize("speed_m_s", [0.3, 3.0])
def test_contact_lasts_as_long_as_hertz_says(material, partner, speed_m_s):
    """Law 25, worked out here from the constants: τ = 2.87 (m² / (R E*² v))^(1/5)."""
    spec = world(Sphere(radius_m=0.02), material, floor=partner, position_m=(0.0, 0.0, 0.02))
    (strike,) = strikes_of(spec, blow(spec, speed_m_s=speed_m_s))
    a, b = MATERIALS[material], MATERIALS[partner]
    modulus = 1 / ((1 - a.poisson_ratio**2) / a.young_modulus_pa + (1 - b.poisson_ratio**2) / b.young_modulus_pa)
    mass = a.density_kg_m3 * 4 / 3 * np.pi * 0.02**3
    expected = 2.87 * (mass**2 / (0.02 * modulus**2 * speed_m_s)) ** 0.2
    assert strike.length_s == pytest.approx(expected, rel=0.05)
    assert strike.peak_n * strike.length_s * 2 / np.pi == pytest.approx(1.5 * mass * speed_m_s, rel=1e-9)


def test_hertz_time_is_that_of_the_integrated_collision():
    """The formula against the equation of motion m x'' = -4/3 E* √R x^(3/2)."""
    mass, radius, modulus, speed = 0.3, 0.03, contact_modulus_pa(MATERIALS["glass"], MATERIALS["oak"]), 1.7
    x, v, t, dt = 0.0, speed, 0.0, 1e-8 * 50
    while x >= 0.0:
        v -= dt * 4 / 3 * modulus * np.sqrt(radius) * max(x, 0.0) ** 1.5 / mass
        x += dt * v
        t += dt
    assert contact_time_s(mass_kg=mass, radius_m=radius, modulus_pa=modulus, speed_m_s=speed) == pytest.approx(
        t, rel=0.01
    )


@pytest.mark.parametrize("material", ["steel", "oak", "rubber"])
@pytest.mark.parametrize("microphone", [(0.0, -1.0, 0.3), (2.5, 1.0, 1.2)])
def test_sound_arrives_when_the_contact_happened_plus_the_way(material, microphone):
    """Law 31: within 1 ms, for a ball on the floor and a bar on a table, at a time that is no whole sample."""
    for floor, shape in (("marble", Sphere(radius_m=0.03)), (TABLE, BAR)):
        spec = world(
            shape,
            material,
            floor=floor,
            microphones=(microphone,),
            position_m=(0.0, 0.0, 0.03 if floor == "marble" else 0.01),
        )
        time_s = round(0.2 / STEP_S) * STEP_S + 0.3e-3
        heard = onset_s(pascals(spec, blow(spec, time_s=time_s))[:, 0])
        assert abs(heard - time_s - np.linalg.norm(microphone) / 343.0) < 1e-3


def test_events_tell_time_place_kind_and_level_of_what_is_heard():
    spec = bar("steel")
    trajectory = blow(spec, point=(0.09, 0.01, 0.0))
    audio = RENDERER.render(spec, trajectory)
    (event,) = audio.events
    assert (event.kind, event.bodies) == ("impact", ("floor", "thing"))
    assert abs(event.time_s - 0.2) <= STEP_S
    assert event.heard_s - event.time_s == pytest.approx(np.linalg.norm([0.09, 1.51, 0.5]) / 343.0, abs=1e-6)
    assert event.peak_pa == pytest.approx(np.abs(audio.samples).max() * PASCAL_PER_UNIT, rel=1e-5)
    power = np.abs(np.fft.rfft(audio.samples[:, 0])) ** 2
    assert event.dominant_hz == pytest.approx(np.argmax(power) * SAMPLE_RATE_HZ / len(audio.samples), rel=0.02)


def test_steel_rings_longer_than_glass_than_oak_than_rubber():
    decay = [t60_s(struck(material)) for material in ("steel", "glass", "oak", "rubber")]
    assert all(longer > 1.5 * shorter for longer, shorter in pairwise(decay)), decay
    assert decay[0] > 0.5
    assert decay[2] < 0.1


def test_decay_is_that_of_the_loss_factor():
    """T60 = 2.2 / (η f): the third of steel's modes here, alone in its band, with a little radiation on top."""
    signal = struck("steel")
    spectrum = np.fft.rfft(signal)
    hertz = np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE_HZ)
    peak = hertz[np.argmax(np.abs(spectrum) * (hertz > 5000) * (hertz < 8000))]
    tone = np.fft.irfft(np.where(np.abs(hertz - peak) < 300, spectrum, 0))
    low, high = round(0.25 * SAMPLE_RATE_HZ), round(0.45 * SAMPLE_RATE_HZ)
    rms = [np.sqrt(np.mean(tone[k : k + 960] ** 2)) for k in (low, high)]
    loss = 2 * np.log(rms[0] / rms[1]) / 0.2 / (2 * np.pi * peak)
    assert MATERIALS["steel"].loss_factor <= loss < 1.6 * MATERIALS["steel"].loss_factor


def test_glass_is_brighter_than_oak_and_oak_than_rubber():
    bright = [centroid_hz(struck(material)) for material in ("glass", "oak", "rubber")]
    assert bright[0] > 1.2 * bright[1] > 3 * bright[2], bright


def test_spectrum_peaks_at_the_modes():
    signal = struck("glass")
    from physreel.renderers.audio.modal import shape_modes, unit_shape

    unit, scale = unit_shape(BAR)
    m = MATERIALS["glass"]
    modes = shape_modes(unit, m.poisson_ratio).omega / scale * np.sqrt(m.young_modulus_pa / m.density_kg_m3)
    power = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    hertz = np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE_HZ)
    strongest = hertz[np.argmax(power * (hertz > 1000))]
    assert np.abs(modes / (2 * np.pi) / strongest - 1).min() < 2e-3


def test_energy_grows_with_impact_speed():
    energy = [float((struck("glass", speed_m_s=speed) ** 2).sum()) for speed in (0.3, 1.0, 3.0)]
    assert energy[0] * 5 < energy[1]
    assert energy[1] * 5 < energy[2]


def test_faster_blows_are_brighter():
    spec = world(Sphere(radius_m=0.03), "oak", floor="oak", position_m=(0.0, 0.0, 0.03))
    bright = [centroid_hz(pascals(spec, blow(spec, speed_m_s=speed))[:, 0]) for speed in (0.2, 4.0)]
    assert bright[1] > 1.3 * bright[0]


def test_modes_hold_no_more_energy_than_the_blow_lost():
    # A heavy ball on a thin plate: Hertz's pulse for a rigid plate would put in many times the energy there is.
    plate = Body(name="plate", shape=Box(size_m=(0.5, 0.5, 0.002)), material="steel", motion="static")
    spec = world(
        Sphere(radius_m=0.04), "steel", floor=plate, position_m=(0.1, 0.05, 0.041), microphones=((0.1, 0.05, 1.001),)
    )
    trajectory = blow(spec, point=(0.1, 0.05, 0.001), restitution=0.9)
    signal = pascals(spec, trajectory)[:, 0]
    lost = 0.5 * mass_kg(spec) * 2.0**2 * (1 - 0.9**2)
    radiated = float((signal**2).sum() / SAMPLE_RATE_HZ * 4 * np.pi * 1.0**2 / (1.204 * 343.0))
    assert 0.0 < radiated < lost


def test_silence_before_the_first_contact():
    spec = bar("steel")
    samples = RENDERER.render(spec, blow(spec, time_s=0.5, speed_m_s=5.0)).samples
    assert np.abs(samples[: round(0.5 * SAMPLE_RATE_HZ)]).max() == 0.0
    assert np.abs(samples).max() > 1e-3


@pytest.mark.parametrize(("shape", "material"), [(BAR, "steel"), (Sphere(radius_m=0.05), "glass"), (BAR, "rubber")])
def test_what_rests_is_silent_even_where_the_engine_chatters(shape, material):
    spec = world(shape, material, position_m=(0.0, 0.0, 0.01))
    samples = RENDERER.render(spec, still(spec, resting(spec, chatter=1.0))).samples
    assert np.abs(samples).max() <= 1e-4  # -80 dB of full scale
    assert np.abs(samples).max() == 0.0


def test_without_contacts_or_microphones_there_is_nothing():
    spec = world()
    audio = RENDERER.render(spec, still(spec, ContactTable.empty()))
    assert audio.samples.shape == (48_000, 1)
    assert not audio.samples.any()
    assert audio.events == ()
    deaf = world(microphones=())
    assert RENDERER.render(deaf, blow(deaf)).samples.shape == (48_000, 0)


@pytest.mark.parametrize("duration_s", [0.5, 1.0, 1.0417, 2.3])
def test_length_is_exact(duration_s):
    spec = world(duration_s=duration_s, microphones=((0, 1, 1), (1, 0, 1), (1, 1, 1)))
    samples = RENDERER.render(spec, blow(spec)).samples
    assert samples.shape == (round(duration_s * 48_000), 3)
    assert samples.dtype == np.float32


def sliding(material: str = "oak", speed: float = 0.5, floor="oak", shape=None, roll: bool = False, **options):
    shape = shape or Box(size_m=(0.1, 0.06, 0.04))
    spec = world(shape, material, floor=floor, position_m=(0.0, 0.0, 0.02), **options)
    velocity = np.zeros((spec.frame_count + 1, 3))
    velocity[5:20, 0] = speed
    contacts = resting(spec, start_s=0.2, stop_s=0.8, slip=0.0 if roll else speed)
    if roll:
        contacts = rows(
            time_s=contacts.time_s,
            point_m=np.stack([speed * (contacts.time_s - 0.2), *np.zeros((2, len(contacts)))], 1),
            normal_impulse_n_s=contacts.normal_impulse_n_s,
        )
    return spec, still(spec, contacts, velocity=velocity)


def test_sliding_is_heard_while_it_slides_and_only_then():
    spec, trajectory = sliding()
    audio = RENDERER.render(spec, trajectory)
    signal = audio.samples[:, 0].astype(float)
    rms = [
        np.sqrt(np.mean(signal[round(a * 48e3) : round(b * 48e3)] ** 2)) for a, b in ((0, 0.19), (0.3, 0.7), (0.9, 1))
    ]
    assert rms[1] > 1e-6
    assert rms[0] < 1e-4 * rms[1]
    assert rms[2] < 1e-2 * rms[1]
    (event,) = audio.events
    assert event.kind == "slide"
    assert event.time_s == pytest.approx(0.2, abs=0.02)


def test_sliding_is_louder_when_faster_and_on_rougher_ground():
    def loud(**options) -> float:
        signal = pascals(*sliding(**options))[:, 0]
        return float(np.sqrt(np.mean(signal[14_400:33_600] ** 2)))

    assert loud(speed=1.0) > loud(speed=0.3) > 1.5 * loud(speed=0.04)
    assert loud(material="oak") > 3 * loud(material="oak", speed=0.025)
    assert loud(material="glass", floor="concrete", shape=Sphere(radius_m=0.02)) > 2 * loud(
        material="glass", floor="glass", shape=Sphere(radius_m=0.02)
    )


def test_rolling_is_heard_quieter_than_sliding_and_is_called_rolling():
    ball = Sphere(radius_m=0.02)
    rolls, slides = (RENDERER.render(*sliding("glass", shape=ball, floor=TABLE, roll=roll)) for roll in (True, False))
    assert {event.kind for event in rolls.events} == {"roll"}
    assert {event.kind for event in slides.events} == {"slide"}
    loud = [float((audio.samples.astype(float) ** 2).sum()) for audio in (rolls, slides)]
    assert 0 < loud[0] < 0.5 * loud[1]


def test_same_input_same_bytes_and_other_worlds_other_noise():
    spec, trajectory = sliding()
    first = RENDERER.render(spec, trajectory).samples.tobytes()
    RENDERER.render(*sliding("steel"))
    assert ContactSoundRenderer().render(spec, trajectory).samples.tobytes() == first
    other = spec.model_copy(update={"parameters": {"draw": 2}})
    assert RENDERER.render(other, trajectory).samples.tobytes() != first


def test_stereo_has_level_and_delay():
    near, far = (0.3, 0.0, 0.6), (-2.0, 0.0, 0.6)
    spec = world(Sphere(radius_m=0.03), "oak", floor="oak", position_m=(0.0, 0.0, 0.03), microphones=(near, far))
    signal = pascals(spec, blow(spec))
    distance = [np.linalg.norm(p) for p in (near, far)]
    late = onset_s(signal[:, 1]) - onset_s(signal[:, 0])
    assert late == pytest.approx((distance[1] - distance[0]) / 343.0, abs=5e-5)
    stem = RENDERER.stems(spec, blow(spec))["floor"].samples.astype(float)
    assert np.abs(stem[:, 0]).max() / np.abs(stem[:, 1]).max() == pytest.approx(distance[1] / distance[0], rel=0.05)


def test_stems_add_up_to_the_recording():
    spec, trajectory = sliding("steel", floor=TABLE, microphones=((0, -1, 0.5), (0.2, -1, 0.5)))
    both = still(
        spec,
        ContactTable(
            **{
                name: np.concatenate([getattr(t.contacts, name) for t in (blow(spec, time_s=0.1), trajectory)])
                for name in trajectory.contacts.__dataclass_fields__
            }
        ),
    )
    whole, stems = RENDERER.render(spec, both), RENDERER.stems(spec, both)
    assert list(stems) == ["table", "thing"]
    total = sum(stem.samples.astype(float) for stem in stems.values())
    assert np.abs(total - whole.samples).max() < 1e-6 * np.abs(whole.samples).max() + 1e-9
    assert all(np.abs(stem.samples).max() > 0 for stem in stems.values())
    assert sorted(e.time_s for s in stems.values() for e in s.events) == [e.time_s for e in whole.events]


def test_clipping_is_told_and_not_hidden():
    spec = world(Sphere(radius_m=0.15), "steel", position_m=(0, 0, 0.15), microphones=((0.0, -0.3, 0.2),))
    audio = RENDERER.render(spec, blow(spec, speed_m_s=8.0))
    assert np.abs(audio.samples).max() > 1.0
    assert audio.clipped_fraction == np.mean(np.abs(audio.samples) > 1.0) > 0.0
    assert audio.pascal_per_unit == PASCAL_PER_UNIT


def test_a_body_that_touches_something_is_damped():
    spec = bar("steel")
    flying = blow(spec, point=(0.09, 0.01, 0.0))
    after = resting(spec, start_s=0.3, stop_s=1.0)
    lying = still(
        spec,
        ContactTable(
            **{
                name: np.concatenate([getattr(t, name) for t in (flying.contacts, after)])
                for name in after.__dataclass_fields__
            }
        ),
    )
    free, held = (pascals(spec, t)[:, 0] for t in (flying, lying))
    early, late = slice(10_000, 13_900), slice(30_000, 40_000)
    assert (held[early] ** 2).sum() == pytest.approx((free[early] ** 2).sum(), rel=1e-6)
    assert (held[late] ** 2).sum() < 1e-2 * (free[late] ** 2).sum()
    # The change of damping makes no click: no jump beyond what the ring itself has from sample to sample.
    around = held[14_200:15_000]
    assert np.abs(np.diff(around, 2)).max() <= 1.01 * np.abs(np.diff(held[13_000:14_200], 2)).max()
