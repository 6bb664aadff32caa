"""What liquids sound like: pitch of bubbles and of a filling glass, level, timing, glugs, nothing without a cause."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from audio_pours import BOTTLE, GLASS, POOL, RATE_HZ, emptying, filling, happened, impacts, stream, wet_world
from liquid_worlds import moving

from physreel.renderers.audio.air_column import column_modes_hz
from physreel.renderers.audio.arrivals import find_arrivals
from physreel.renderers.audio.contact import ContactSoundRenderer
from physreel.renderers.audio.entrainment import find_bubbles
from physreel.renderers.audio.glug import flooding_m3_s
from physreel.renderers.audio.mix import PASCAL_PER_UNIT
from physreel.renderers.audio.poses import Poses
from physreel.spec import LIQUIDS, Body, Plane, Sphere, Vessel
from physreel.testing.report import untouched_global_rng
from physreel.values import SAMPLE_RATE_HZ, LiquidImpacts, Signal

RENDERER = ContactSoundRenderer()
MIC = ((0.0, -0.5, 0.2),)


def pascals(spec, trajectory) -> np.ndarray:
    return RENDERER.render(spec, trajectory).samples.astype(float) * PASCAL_PER_UNIT


def decibel(signal: np.ndarray) -> float:
    return float(20 * np.log10(max(np.sqrt(np.mean(signal**2)), 1e-12) / 2e-5))


def between(signal: np.ndarray, start_s: float, stop_s: float) -> np.ndarray:
    return signal[round(start_s * SAMPLE_RATE_HZ) : round(stop_s * SAMPLE_RATE_HZ)]


def onset_s(signal: np.ndarray) -> float:
    return float(np.argmax(np.abs(signal) > 0.02 * np.abs(signal).max()) / SAMPLE_RATE_HZ)


def bubbles_of(spec, trajectory):
    arrivals = find_arrivals(spec, trajectory.liquid, Poses(spec, trajectory))
    return find_bubbles(spec, arrivals, spacing_m=trajectory.liquid.spacing_m, record_hz=RATE_HZ)


def pool_level(spec, level_m: float = 0.2) -> dict[str, Signal]:
    values = np.full(round(spec.duration_s * RATE_HZ) + 1, level_m)
    return {"level:thing": Signal(values=values, rate_hz=RATE_HZ, unit="m")}


def dripping(spec, times=(0.2, 0.5, 0.8, 1.1), speed_m_s=1.0):
    """Drops of 6 mm into a wide pool, fast enough to leave a bubble and slow enough to do so for sure."""
    return happened(spec, impacts(times, speed_m_s=speed_m_s, point_m=(0.0, 0.0, 0.2)), pool_level(spec))


@pytest.mark.parametrize(("liquid", "speed"), [("water", 1.0), ("milk", 0.75)])
@pytest.mark.parametrize("draw", range(3))
def test_a_drop_rings_at_minnaerts_pitch(liquid, speed, draw):
    """Law 28 on the audio: f = √(3 γ p0 / rho) / (2π a) within 1 %, 3.26 m/s over the radius in water."""
    spec = wet_world(POOL, liquid=liquid, duration_s=1.5, microphones=MIC, parameters={"draw": draw})
    trajectory = dripping(spec, speed_m_s=speed)
    signal = pascals(spec, trajectory)[:, 0]
    bubbles = bubbles_of(spec, trajectory)
    assert len(bubbles) == 4
    density = LIQUIDS[liquid].density_kg_m3
    for time, radius in zip(bubbles.time_s, bubbles.radius_m, strict=True):
        expected = np.sqrt(3 * 1.4 * 101_325 / density) / (2 * np.pi * radius)
        if liquid == "water":
            assert expected == pytest.approx(3.26 / radius, rel=0.01)
        part = between(signal, time, time + 0.08)
        power = np.abs(np.fft.rfft(part, 1 << 17))
        heard = np.argmax(power) * SAMPLE_RATE_HZ / (1 << 17)
        assert heard == pytest.approx(expected, rel=0.01)


def test_a_bubble_fades_as_heat_radiation_and_viscosity_say():
    """Against the decay heard, exp(-(0.13/a + 0.0072 a^-1.5) t) in water (van den Doel's fit to Devin's figures)."""
    spec = wet_world(POOL, duration_s=0.6, microphones=((0.0, 0.0, 2.0),))
    trajectory = dripping(spec, times=(0.2,))
    (radius,) = bubbles_of(spec, trajectory).radius_m
    part = between(pascals(spec, trajectory)[:, 0], 0.21, 0.5)
    level = np.cumsum(part[::-1] ** 2)[::-1]
    low, high = (np.argmax(level < share * level[0]) for share in (0.6, 0.01))
    decay = 0.5 * np.log(0.6 / 0.01) / ((high - low) / SAMPLE_RATE_HZ)
    assert decay == pytest.approx(0.13 / radius + 0.0072 * radius**-1.5, rel=0.2)


def peak_hz(part: np.ndarray) -> float:
    """Strongest sixth of an octave or so: noise in a band has no sharper peak."""
    size = 4096
    windows = [part[k : k + size] * np.hanning(size) for k in range(0, len(part) - size + 1, size // 4)]
    power = np.sum([np.abs(np.fft.rfft(w, 4 * size)) ** 2 for w in windows], axis=0)
    grid = np.arange(np.log(300.0), np.log(5000.0), 0.005)
    along = np.interp(np.exp(grid), np.fft.rfftfreq(4 * size, 1 / SAMPLE_RATE_HZ), power)
    bell = np.exp(-0.5 * (np.arange(-30, 31) * 0.005 / 0.05) ** 2)
    return float(np.exp(grid[np.argmax(np.convolve(along, bell, "same"))]))


@pytest.mark.parametrize(
    ("radius", "deep", "flow", "speed"), [(0.03, 0.12, 1e-4, 1.5), (0.035, 0.11, 1.2e-4, 2.2), (0.04, 0.14, 2e-4, 1.8)]
)
def test_the_pitch_of_a_filling_glass_follows_its_air(radius, deep, flow, speed):
    """The strongest pitch against c / (4 (L + 0.61 r)), over time, within 5 %; it rises."""
    glass = Vessel(profile_m=((0.0, 0.005), (radius, 0.005), (radius, 0.005 + deep)), wall_m=0.003)
    spec = wet_world(glass, microphones=MIC)
    trajectory = filling(spec, flow_m3_s=flow, speed_m_s=speed, width_m=0.01)
    signal, level = pascals(spec, trajectory)[:, 0], trajectory.signals["level:thing"].values
    heard, expected = [], []
    for start in np.arange(0.3, 2.6, 0.2):
        length = deep - level[round((start + 0.15) * RATE_HZ)]
        if length > 1.6 * radius:
            heard.append(peak_hz(between(signal, start, start + 0.3)))
            expected.append(343.0 / (4 * (length + 0.61 * radius)))
    off = np.array(heard) / expected - 1
    assert len(off) >= 4
    assert np.abs(off).max() < 0.05, off
    assert heard[-1] > 1.2 * heard[0]


def test_honey_hardly_sounds_and_oil_less_than_water():
    """At the same arrivals."""
    level = {}
    for name in ("water", "milk", "olive oil", "maple syrup", "honey"):
        spec = wet_world(liquid=name, microphones=MIC)
        level[name] = decibel(between(pascals(spec, filling(spec))[:, 0], 0.4, 2.8))
    assert level["honey"] < level["water"] - 25
    assert level["water"] - 30 < level["olive oil"] < level["water"] - 8
    assert level["maple syrup"] < level["olive oil"]
    assert level["milk"] == pytest.approx(level["water"], abs=3)


def test_levels_are_those_of_a_kitchen():
    spec = wet_world(microphones=MIC)
    assert 50 < decibel(between(pascals(spec, filling(spec))[:, 0], 0.4, 2.8)) < 65
    pool = wet_world(POOL, duration_s=1.5, microphones=((0.0, 0.0, 0.7),))
    signal = pascals(pool, dripping(pool))[:, 0]
    loudest = max(decibel(between(signal, t, t + 0.02)) for t in (0.2, 0.5, 0.8, 1.1))
    assert 40 < loudest < 58


def test_it_is_louder_from_higher_up_and_with_more_flow():
    def loud(**options) -> float:
        spec = wet_world(microphones=MIC)
        return decibel(between(pascals(spec, filling(spec, **options))[:, 0], 0.4, 2.8))

    fall = [loud(speed_m_s=np.sqrt(2 * 9.81 * height)) for height in (0.015, 0.15, 0.3, 0.6)]
    assert all(high > low for low, high in pairwise(fall)), fall
    flow = [loud(flow_m3_s=q) for q in (2e-5, 4e-5, 8e-5)]
    assert all(high > low + 1 for low, high in pairwise(flow)), flow
    assert loud(speed_m_s=0.3) < fall[1] - 20


def test_particles_may_be_coarse_or_fine():
    """One stream as particles of 3.5, 5 and 7 mm: within 3 dB."""
    level = []
    for spacing in (0.0035, 0.005, 0.007):
        spec = wet_world(microphones=MIC)
        time, across = stream(spacing_m=spacing)
        point = np.column_stack([across, np.full(len(time), 0.06)])
        signals = pool_level(spec, 0.055)
        rows = impacts(time, point_m=point, volume_m3=spacing**3)
        level.append(decibel(between(pascals(spec, happened(spec, rows, signals, spacing))[:, 0], 0.4, 2.8)))
    assert np.ptp(level) < 3, level


def test_silence_before_the_first_arrival():
    for shape in (GLASS, POOL, BOTTLE):
        spec = wet_world(shape, duration_s=1.5, microphones=((0.0, -0.3, 0.2),))
        samples = RENDERER.render(spec, filling(spec, start_s=0.7, flow_m3_s=5e-5)).samples
        first = round(0.7 * SAMPLE_RATE_HZ)
        assert np.abs(samples[:first]).max() == 0.0
        assert np.abs(samples[first:]).max() > 1e-5


def test_without_liquid_arrivals_or_microphones_there_is_nothing():
    spec = wet_world(duration_s=1.0)
    assert not RENDERER.render(spec, happened(spec, LiquidImpacts.empty())).samples.any()
    assert not RENDERER.render(spec, moving(spec, None)).samples.any()
    deaf = wet_world(duration_s=1.0, microphones=())
    assert RENDERER.render(deaf, filling(deaf)).samples.shape == (48_000, 0)


@pytest.mark.parametrize("microphone", [(0.0, -0.4, 0.3), (1.5, 1.0, 0.8)])
@pytest.mark.parametrize(
    "case", ["drop into a pool", "stream into a glass", "stream onto a dry glass", "onto the floor"]
)
def test_sound_arrives_when_the_liquid_did_plus_the_way(case, microphone):
    """Law 31: within 2 ms, though bubbles are spread over some milliseconds."""
    time_s = 0.2317
    if case == "drop into a pool":
        spec = wet_world(POOL, duration_s=1.0, microphones=(microphone,))
        trajectory, place = dripping(spec, times=(time_s,)), (0.0, 0.0, 0.2)
    elif case == "stream into a glass":
        spec = wet_world(duration_s=1.0, microphones=(microphone,))
        trajectory, place = filling(spec, start_s=time_s, begin_level_m=0.1), (0.0, 0.0, 0.105)
    else:
        dry = case == "stream onto a dry glass"
        spec = wet_world(GLASS if dry else None, duration_s=1.0, microphones=(microphone,))
        time, across = stream(start_s=time_s, stop_s=0.4)
        place = (0.0, 0.0, 0.005) if dry else (0.0, 0.0, 0.0)
        rows = impacts(time, point_m=np.column_stack([across, np.full(len(time), place[2])]), body=int(dry))
        trajectory = happened(spec, rows)
    heard = onset_s(pascals(spec, trajectory)[:, 0])
    first = float(trajectory.liquid.impacts.time_s[0])
    assert abs(heard - first - np.linalg.norm(np.subtract(microphone, place)) / 343.0) < 2e-3


def test_same_bytes_again_other_worlds_other_bubbles_and_no_global_generator():
    spec = wet_world(duration_s=1.0)
    trajectory = filling(spec)
    with untouched_global_rng():
        first = RENDERER.render(spec, trajectory)
        again = ContactSoundRenderer().render(spec, trajectory)
    assert first.samples.tobytes() == again.samples.tobytes()
    assert first.events == again.events
    other = spec.model_copy(update={"parameters": {"draw": 2}})
    assert RENDERER.render(other, trajectory).samples.tobytes() != first.samples.tobytes()


def test_what_comes_later_does_not_change_what_came_before():
    spec = wet_world(POOL, duration_s=2.0, microphones=MIC)
    time, across = stream(start_s=0.2, stop_s=1.8)
    point = np.column_stack([across, np.full(len(time), 0.2)])
    early = time < 1.0
    whole, part = (
        pascals(spec, happened(spec, impacts(time[k], point_m=point[k]), pool_level(spec)))
        for k in (np.ones(len(time), bool), early)
    )
    same = round(0.95 * SAMPLE_RATE_HZ)
    assert np.abs(whole[:same] - part[:same]).max() < 1e-9


@pytest.mark.parametrize(
    "options", [{"sampled_hz": RATE_HZ}, {"layered": True}, {"layered": True, "sampled_hz": RATE_HZ}]
)
def test_neither_the_recorders_rate_nor_the_particles_are_heard(options):
    """No line at 240 Hz, nor at v / spacing = 300 Hz, in the audio or in its loudness, beyond those of noise."""
    spec = wet_world(duration_s=5.0, microphones=MIC)
    part = between(pascals(spec, filling(spec, flow_m3_s=5e-5, speed_m_s=1.5, **options))[:, 0], 0.4, 4.8)
    loudness = part**2 - np.mean(part**2)
    for signal in (part, loudness):
        power = np.abs(np.fft.rfft(signal * np.hanning(len(signal)))) ** 2
        hertz = np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE_HZ)
        for line in (240.0, 480.0, 300.0, 600.0):
            beside = power[(np.abs(hertz - line) > 3) & (np.abs(hertz - line) < 40)]
            # Of some 350 values of noise the greatest is about 6 times the mean; a line of 4 s stands far above that.
            assert power[np.abs(hertz - line) < 1.5].max() < 12 * beside.mean(), line


def test_a_bottle_glugs_when_its_mouth_is_covered():
    spec = wet_world(BOTTLE, microphones=MIC)
    audio = RENDERER.render(spec, emptying(spec))
    glugs = [event for event in audio.events if event.kind == "glug"]
    # Bubbles as wide as the neck take in what flows out: 80 ml/s in spheres of 15 mm radius is 5.7 a second.
    expected = 8e-5 / (4 / 3 * np.pi * 0.015**3)
    assert len(glugs) == pytest.approx(expected * 2.2, abs=2)
    assert all(event.bodies == ("thing", "drink") for event in glugs)
    assert all(0.3 < event.time_s < 2.5 for event in glugs)
    assert np.median([event.dominant_hz for event in glugs]) < 400
    signal = audio.samples[:, 0].astype(float)
    assert decibel(between(signal, 0.4, 2.6) * PASCAL_PER_UNIT) > 40
    assert np.abs(between(signal, 0.0, 0.3)).max() == 0.0


def test_a_bottle_glugs_when_more_flows_than_air_gets_past():
    """Wallis's limit for a neck 30 mm wide, water and air: 0.14 l/s."""
    spec = wet_world(BOTTLE, microphones=MIC)
    assert flooding_m3_s(spec, 0.015, 0) == pytest.approx(1.4e-4, rel=0.03)
    heard = [
        [event.kind for event in RENDERER.render(spec, emptying(spec, covered=0.6, outflow_m3_s=flow)).events]
        for flow in (1.2e-4, 1.7e-4)
    ]
    assert heard[0] == []
    assert set(heard[1]) == {"glug"}


@pytest.mark.parametrize(
    ("shape", "covered", "outflow"), [(BOTTLE, 0.6, 8e-5), (BOTTLE, 0.95, 0.0), (GLASS, 0.3, 2e-4)]
)
def test_an_open_mouth_does_not_glug_nor_does_one_that_nothing_leaves(shape, covered, outflow):
    spec = wet_world(shape, microphones=MIC)
    audio = RENDERER.render(spec, emptying(spec, covered=covered, outflow_m3_s=outflow))
    assert audio.events == ()
    assert not audio.samples.any()


def test_thick_liquid_glugs_without_a_sound():
    loud = []
    for liquid in ("water", "honey"):
        spec = wet_world(BOTTLE, liquid=liquid, microphones=MIC)
        loud.append(decibel(pascals(spec, emptying(spec))[:, 0]))
    assert loud[1] < loud[0] - 25


def test_events_say_what_was_heard():
    spec = wet_world(microphones=MIC)
    trajectory = filling(spec)
    audio = RENDERER.render(spec, trajectory)
    (pour,) = audio.events
    assert (pour.kind, pour.bodies) == ("pour", ("thing", "drink"))
    assert pour.time_s == trajectory.liquid.impacts.time_s[0]
    way = np.linalg.norm(np.subtract(MIC[0], trajectory.liquid.impacts.point_m[0]))
    assert pour.heard_s - pour.time_s == pytest.approx(way / 343.0, abs=5e-5)
    assert 0.3 < pour.peak_pa / (np.abs(audio.samples).max() * PASCAL_PER_UNIT) < 3
    assert 500 < pour.dominant_hz < 3500
    pool = wet_world(POOL, duration_s=1.5, microphones=MIC)
    drips = RENDERER.render(pool, dripping(pool)).events
    assert {event.kind for event in drips} == {"drip"}
    assert len(drips) >= 3
    rng = np.random.default_rng(4)
    wide = np.column_stack([0.4 * rng.random((400, 2)) - 0.2, np.full(400, 0.2)])
    splash = impacts(np.sort(rng.uniform(0.3, 0.42, 400)), speed_m_s=2.0, point_m=wide)
    (event,) = RENDERER.render(pool, happened(pool, splash, pool_level(pool))).events
    assert event.kind == "splash"


def test_a_drop_on_the_floor_is_a_thud_and_harder_when_faster():
    spec = wet_world(None, duration_s=1.0, floor="oak", microphones=((0.0, -0.3, 0.2),))
    peak = []
    for speed in (1.0, 3.0):
        rows = impacts([0.3], speed_m_s=speed, point_m=(0.0, 0.0, 0.0), body=0)
        signal = pascals(spec, happened(spec, rows))[:, 0]
        peak.append(np.abs(signal).max())
        assert onset_s(signal) == pytest.approx(0.3 + np.hypot(0.3, 0.2) / 343.0, abs=1e-3)
    assert 0 < 4 * peak[0] < peak[1]


def test_stems_add_up_and_name_the_fluid():
    spec = wet_world(duration_s=1.0, microphones=((0.0, -0.5, 0.2), (0.3, -0.5, 0.2)))
    time, across = stream(stop_s=0.8)
    rows = impacts(time, point_m=np.column_stack([across, np.full(len(time), 0.005)]), body=1)
    trajectory = happened(spec, rows, pool_level(spec, 0.0))
    whole, stems = RENDERER.render(spec, trajectory), RENDERER.stems(spec, trajectory)
    assert list(stems) == ["floor", "thing", "drink"]
    total = sum(stem.samples.astype(float) for stem in stems.values())
    assert np.abs(total - whole.samples).max() < 1e-6 * np.abs(whole.samples).max() + 1e-9
    assert stems["thing"].samples.any()
    assert stems["drink"].samples.any()
    assert [e for stem in stems.values() for e in stem.events] == list(whole.events)


def test_stereo_has_level_and_delay():
    near, far = (0.3, 0.0, 0.6), (-2.0, 0.0, 0.6)
    spec = wet_world(duration_s=1.5, microphones=(near, far))
    signal = pascals(spec, filling(spec))
    mouth, image = (0.0, 0.0, GLASS.rim_z_m), (0.0, 0.0, -GLASS.rim_z_m)
    straight, thrown = ([float(np.linalg.norm(np.subtract(p, at))) for p in (near, far)] for at in (mouth, image))
    left, right = (np.fft.rfft(channel, 1 << 18) for channel in signal.T)
    # The floor throws back 0.8 of the pressure: the two ways add up or cancel, pitch by pitch.
    wave = -2j * np.pi * np.fft.rfftfreq(1 << 18, 1 / SAMPLE_RATE_HZ) / 343.0
    here, there = (np.exp(wave * a) / a + 0.8 * np.exp(wave * b) / b for a, b in zip(straight, thrown, strict=True))
    expected = left / here * there
    alike = np.fft.irfft(right * expected.conj())
    late = (np.argmax(alike) + 100) % len(alike) - 100
    assert abs(late) / SAMPLE_RATE_HZ < 1e-4
    ratio = np.sum(np.abs(right) ** 2) / np.sum(np.abs(expected) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(0.0, abs=1.0)


def test_a_changing_level_makes_no_clicks():
    """A pure tone at the surface stays one at the mouth, while the glass fills: nothing far above it."""
    from physreel.renderers.audio.air_column import FRAME, through_column
    from physreel.spec import Air

    time = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    fade = np.clip(np.minimum(time, 1 - time) / 0.1, 0, 1)
    tone = np.sin(2 * np.pi * 700 * time) * (3 * fade**2 - 2 * fade**3)
    level = np.linspace(0.0, 0.1, SAMPLE_RATE_HZ // (FRAME // 2) + 2)
    out = through_column(tone, level, GLASS, Air())
    power = np.abs(np.fft.rfft(out)) ** 2
    assert power[3000:].sum() < 1e-7 * power.sum()
    assert np.abs(out).max() > 10


def test_a_straight_pipe_and_a_bottle_have_the_pitches_of_the_textbook():
    from physreel.spec import Air

    for level in (0.0, 0.03, 0.06):
        expected = 343.0 / (4 * (0.12 - level + 0.6133 * 0.03))
        assert column_modes_hz(GLASS, level, Air(), count=1)[0] == pytest.approx(expected, rel=0.02)
    # Long and thin: odd harmonics.
    pipe = Vessel(profile_m=((0.0, 0.005), (0.01, 0.005), (0.01, 0.505)), wall_m=0.002)
    modes = column_modes_hz(pipe, 0.0, Air())
    assert modes == pytest.approx(343.0 / (4 * (0.5 + 0.006133)) * np.array([1, 3, 5]), rel=0.01)
    # A wide body and a short narrow neck: Helmholtz, with the end corrections 0.61 r outside and 0.85 r inside.
    flask = Vessel(
        profile_m=((0.0, 0.005), (0.05, 0.005), (0.05, 0.105), (0.008, 0.1051), (0.008, 0.135)), wall_m=0.002
    )
    area, volume = np.pi * 0.008**2, np.pi * 0.05**2 * 0.1
    helmholtz = 343.0 / (2 * np.pi) * np.sqrt(area / (volume * (0.03 + (0.61 + 0.5) * 0.008)))
    assert column_modes_hz(flask, 0.0, Air(), count=1)[0] == pytest.approx(helmholtz, rel=0.1)


def test_bubbles_give_the_air_no_more_than_they_have():
    """What the glass lets out of one bubble at its resonance is at most the bubble's own energy."""
    from physreel.renderers.audio.air_column import resistance, through_column
    from physreel.renderers.audio.bubbles import ringing
    from physreel.spec import Air

    air, water = Air(), LIQUIDS["water"]
    tuned = column_modes_hz(GLASS, 0.02, air, count=1)[0]
    radius = np.array([3.26 / tuned])
    bubble = ringing(np.zeros(1, int), np.array([0.01]), radius, np.array([0.01]), np.zeros(1), water, air)
    level = np.array([0.02])
    loaded = bubble.loaded(resistance(GLASS, level, bubble.hertz, air), water.density_kg_m3)
    source = loaded.sound(24_000, 1e-9)
    out = through_column(source, np.full(50, 0.02), GLASS, air)
    sound = air.density_kg_m3 / (4 * np.pi) * out
    radiated = 4 * np.pi * (sound**2).sum() / SAMPLE_RATE_HZ / (air.density_kg_m3 * 343.0)
    speed = 2 * np.pi * bubble.hertz[0] * 0.01 * radius[0]
    held = 2 * np.pi * water.density_kg_m3 * radius[0] ** 3 * speed**2
    assert 0.05 * held < radiated < held


def test_a_floor_alone_bears_puddles():
    """Liquid that falls into liquid outside of all vessels sounds, from where it is."""
    spec = wet_world(None, duration_s=1.0, microphones=((2.0, 0.0, 0.5),))
    assert isinstance(spec.bodies[0].shape, Plane)
    time, across = stream(stop_s=0.8)
    far = np.column_stack([across[:, 0] + 1.0, across[:, 1], np.full(len(time), 0.003)])
    signal = pascals(spec, happened(spec, impacts(time, point_m=far)))[:, 0]
    assert onset_s(signal) == pytest.approx(0.2 + np.hypot(1.0, 0.5) / 343.0, abs=2e-3)


@pytest.mark.parametrize(("speed", "liquid", "plops"), [(2.0, "water", 1), (0.2, "water", 0), (2.0, "honey", 0)])
def test_a_stone_that_falls_into_water_plops(speed, liquid, plops):
    stone = Body(name="stone", shape=Sphere(radius_m=0.02), material="marble", position_m=(0.05, 0.0, 0.6))
    base = wet_world(POOL, liquid=liquid, duration_s=1.5, microphones=MIC)
    spec = base.model_copy(update={"bodies": (*base.bodies, stone)})
    still = happened(spec, LiquidImpacts.empty(), pool_level(spec))
    time = np.arange(spec.frame_count + 1) / spec.fps
    # It sinks at one speed, so that frames and velocities say the same.
    pose = np.concatenate([still.body_pose, still.body_pose_end[None]])
    velocity = np.zeros((len(time), 3, 6))
    pose[:, 2, 2] = 0.6 - speed * time
    velocity[:, 2, 2] = -speed
    moved = replace(
        still, body_pose=pose[:-1], body_pose_end=pose[-1], body_velocity=velocity[:-1], body_velocity_end=velocity[-1]
    )
    audio = RENDERER.render(spec, moved)
    assert [event.kind for event in audio.events] == ["plop"] * plops
    if plops:
        (plop,) = audio.events
        assert plop.bodies == ("stone", "drink")
        touch = (0.6 - 0.02 - 0.21) / speed
        assert plop.time_s == pytest.approx(touch + 2 * np.sqrt(0.02 / 9.81), abs=0.01)
        assert 200 < plop.dominant_hz < 900
        first = round((plop.heard_s - 0.001) * SAMPLE_RATE_HZ)
        assert np.abs(audio.samples[:first]).max() == 0.0
    else:
        assert np.abs(audio.samples).max() < 1e-5
