"""How gears sound. Law 30: mesh frequency, its sidebands, and the thump of a missing tooth, read off the audio."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import gear_worlds as worlds
import numpy as np
import pytest

from physreel.geometry.mass import mass_properties
from physreel.renderers.audio.blanks import blank
from physreel.renderers.audio.contact import ContactSoundRenderer
from physreel.renderers.audio.modal import shape_modes, unit_shape
from physreel.renderers.audio.shafts import BEARING_N_M, SHAFT_DAMPING, feet_of
from physreel.renderers.audio.tooth_forces import MESH_STIFFNESS_PA, find_meshes, meshing_pairs
from physreel.simulators.mujoco import MujocoSimulator
from physreel.spec import Bearing, Body, Box, Compound, Cylinder, Microphone, Piece, Rack, Ring
from physreel.values import SAMPLE_RATE_HZ

TRAINS = ((18, 30), (24, 40))
SPEEDS = (10.0, 20.0)
PLATE_M = 0.008
OVERHANG_M = 0.02
START_S = 1.0
"""From here on the trains run at their full speed."""


def on_plate(spec, **changes):
    """The train in front of a steel plate that carries all shafts which nothing else does; heard from a metre."""
    right = max(body.position_m[0] for body in spec.bodies)
    size, middle = (right + 0.16, 0.16, PLATE_M), (0.5 * right, 0.0, 0.2 - OVERHANG_M - 0.5 * PLATE_M)
    plate = Body(name="plate", shape=Box(size_m=size), material="steel", motion="static", position_m=middle)
    joints = tuple(j if j.parent else j.model_copy(update={"parent": "plate"}) for j in spec.joints)
    ear = Microphone(name="ear", position_m=(0.5 * right, -1.0, 0.25))
    return spec.model_copy(update={"bodies": (*spec.bodies, plate), "joints": joints, "microphones": (ear,)} | changes)


@cache
def run(teeth=(18, 30), speed=10.0, *, load=0.05, duration_s=4.0, runout_m=0.0, missing=(), errors_m=0.0,
        thinning_m=6e-4, weak_n=0.0):  # fmt: skip
    rng = np.random.default_rng(3)
    gears = [
        worlds.gear(n, thinning_m=thinning_m, tooth_errors_m=tuple(rng.normal(0.0, errors_m, n)) if errors_m else ())
        for n in teeth
    ]
    gears[0] = gears[0].model_copy(update={"runout_m": runout_m, "missing_teeth": missing})
    spec = worlds.train(
        gears, duration_s=duration_s, speed_rad_s=speed, effort_n_m=50.0, ramp_s=0.3, load=0.0 if weak_n else load,
        friction=8.0 if weak_n else 0.0,
    )  # fmt: skip
    if weak_n:
        spec = worlds.with_weak_tooth(spec, "g1", 9, weak_n)
    spec = on_plate(spec)
    return spec, MujocoSimulator().simulate(spec)


@cache
def heard(**settings):
    """(S,) pascals at the microphone, and the events."""
    audio = ContactSoundRenderer().render(*run(**settings))
    assert audio.clipped_fraction == 0.0
    return audio.samples[:, 0].astype(float) * audio.pascal_per_unit, audio.events


def lines(samples):
    """Frequencies and amplitudes of the spectrum, 8 times as fine as the clip is long."""
    size = 8 * len(samples)
    amplitude = np.abs(np.fft.rfft((samples - samples.mean()) * np.hanning(len(samples)), size))
    return np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE_HZ), amplitude


def envelope(samples):
    from scipy.signal import hilbert

    return np.abs(hilbert(samples))


def highest(hertz, amplitude, wanted, within):
    """Frequency and amplitude of the highest line no farther than ``within`` Hz from one."""
    near = np.flatnonzero(np.abs(hertz - wanted) < within)
    best = near[np.argmax(amplitude[near])]
    return float(hertz[best]), float(amplitude[best])


def level_db(samples):
    return 10.0 * np.log10(np.mean(samples**2) / 4e-10)


# --- law 30 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("teeth", TRAINS)
def test_the_loudness_beats_at_the_mesh_frequency(teeth, speed):
    """10 to 80 Hz is below what a plate radiates: it is the envelope that has it (law 30, 0.5 %)."""
    wanted = teeth[0] * speed / (2.0 * np.pi)
    samples, _ = heard(teeth=teeth, speed=speed)
    hertz, amplitude = lines(envelope(samples[round(START_S * SAMPLE_RATE_HZ) :]))
    found, size = highest(hertz, amplitude, wanted, 0.2 * wanted)
    assert found == pytest.approx(wanted, rel=0.005)
    band = (hertz > 0.5 * wanted) & (hertz < 1.5 * wanted)
    assert size > 30.0 * np.median(amplitude[band])


@pytest.mark.parametrize("teeth", TRAINS)
def test_the_sound_itself_has_harmonics_of_the_mesh_frequency(teeth):
    """Where the plate rings, the audio's own spectrum is lines as far apart as the teeth follow each other."""
    speed = 20.0
    mesh = teeth[0] * speed / (2.0 * np.pi)
    samples, _ = heard(teeth=teeth, speed=speed)
    hertz, amplitude = lines(samples[round(START_S * SAMPLE_RATE_HZ) :])
    orders = sorted(range(4, 20), key=lambda n: -highest(hertz, amplitude, n * mesh, 0.3)[1])[:4]
    for order in orders:
        found, size = highest(hertz, amplitude, order * mesh, 0.3 * mesh)
        assert found / order == pytest.approx(mesh, rel=0.005)
        between = np.abs(hertz - (order + 0.5) * mesh) < 0.2 * mesh
        assert size > 30.0 * np.median(amplitude[between])


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("teeth", TRAINS)
def test_runout_gives_sidebands_a_turn_away(teeth, speed):
    turns = speed / (2.0 * np.pi)
    sides = {}
    for runout_m in (0.0, 3e-4):
        samples, _ = heard(teeth=teeth, speed=speed, runout_m=runout_m)
        hertz, amplitude = lines(envelope(samples[round(START_S * SAMPLE_RATE_HZ) :]))
        middle = highest(hertz, amplitude, teeth[0] * turns, 0.1 * turns)[1]
        found = [highest(hertz, amplitude, teeth[0] * turns + sign * turns, 0.3 * turns) for sign in (-1, 1)]
        sides[runout_m] = 20.0 * np.log10(max(size for _, size in found) / middle)
        if runout_m:
            where, _ = max(found, key=lambda line: line[1])
            assert abs(where - teeth[0] * turns) == pytest.approx(turns, abs=0.005 * teeth[0] * turns)
    assert sides[3e-4] > sides[0.0] + 10.0
    assert sides[3e-4] > -25.0


@pytest.mark.parametrize(("teeth", "speed"), [((18, 30), 12.0), ((24, 40), 20.0)])
def test_a_missing_tooth_thumps_once_a_turn(teeth, speed):
    turn_s = 2.0 * np.pi / speed
    samples, events = heard(teeth=teeth, speed=speed, missing=(3,), thinning_m=3e-4, duration_s=6.0)
    loudness = envelope(samples[round(START_S * SAMPLE_RATE_HZ) :])
    loudness = loudness[: len(loudness) // 48 * 48].reshape(-1, 48).mean(1)
    loudness -= loudness.mean()
    # Over several turns, so that the millisecond of the blocks counts for little.
    turns = 5
    again = np.correlate(loudness, loudness, "full")[len(loudness) - 1 :]
    near = np.arange(round(turns * turn_s * 1000 * 0.95), round(turns * turn_s * 1000 * 1.05))
    assert near[np.argmax(again[near])] / turns / 1000 == pytest.approx(turn_s, rel=0.005)
    thumps = np.array([event.time_s for event in events if event.kind == "thump" and event.time_s > START_S])
    gaps = np.diff(thumps) / turn_s
    assert len(thumps) >= 0.8 * (6.0 - START_S) / turn_s
    assert (np.abs(gaps - np.rint(gaps)) < 0.005 * np.rint(gaps)).all()
    whole, _ = heard(teeth=teeth, speed=speed, thinning_m=3e-4, duration_s=6.0)
    assert np.abs(samples[48_000:]).max() > 3.0 * np.abs(whole[48_000:]).max()


# --- how loud, and when -----------------------------------------------------------------------------------------------


def test_nothing_is_heard_of_gears_that_stand_still():
    samples, events = heard(speed=0.0, duration_s=1.0)
    assert not events
    assert np.abs(samples).max(initial=0.0) <= 1e-4 * 100.0


def test_a_small_train_is_as_loud_as_one_and_louder_when_faster():
    slow, fast = (level_db(heard(speed=speed)[0][48_000:]) for speed in SPEEDS)
    assert 35.0 < slow < 50.0
    assert 50.0 < fast < 65.0


def test_errors_of_the_teeth_make_it_louder():
    good = level_db(heard(speed=10.0)[0][48_000:])
    bad = level_db(heard(speed=10.0, errors_m=1e-5)[0][48_000:])
    assert bad > good + 6.0


def test_a_loose_train_rattles_irregularly():
    """Hardly braked and with bad teeth it flies across the backlash: other blows each turn, no line at the mesh."""
    samples, _ = heard(speed=10.0, errors_m=3e-5, load=2e-4, thinning_m=8e-4)
    wanted = 18 * 10.0 / (2.0 * np.pi)
    heights = {}
    for name, part in (("loose", samples), ("good", heard(speed=10.0)[0])):
        hertz, amplitude = lines(envelope(part[48_000:]))
        band = (hertz > 0.5 * wanted) & (hertz < 1.5 * wanted)
        heights[name] = highest(hertz, amplitude, wanted, 0.5)[1] / np.median(amplitude[band])
    assert heights["loose"] < 0.3 * heights["good"]
    assert level_db(samples[48_000:]) > level_db(heard(speed=10.0)[0][48_000:]) + 6.0


def test_a_tooth_that_breaks_is_told_and_heard():
    _, trajectory = run(speed=3.0, weak_n=100.0, duration_s=2.0)
    (broken,) = trajectory.breaks
    samples, events = heard(speed=3.0, weak_n=100.0, duration_s=2.0)
    (told,) = [event for event in events if event.kind == "break"]
    assert told.time_s == broken.time_s
    assert told.bodies == ("g1", "tooth")
    at = round(told.heard_s * SAMPLE_RATE_HZ)
    before = np.abs(samples[at - 4800 : at - 240]).max()
    assert np.abs(samples[at - 48 : at + 960]).max() > 10.0 * before


def test_a_train_that_jams_bangs_and_is_silent():
    spec = on_plate(worlds.locked_loop(duration_s=1.5))
    audio = ContactSoundRenderer().render(spec, MujocoSimulator().simulate(spec))
    samples = np.abs(audio.samples[:, 0]) * audio.pascal_per_unit
    assert samples[:24_000].max() > 0.01
    assert samples[48_000:].max() <= 1e-4 * 100.0
    assert "thump" in {event.kind for event in audio.events}
    assert not [event for event in audio.events if event.time_s > 0.5]


def test_the_sound_is_the_same_each_time_and_has_no_jumps():
    settings = {"speed": 20.0, "runout_m": 3e-4}
    spec, trajectory = run(**settings)
    again = ContactSoundRenderer().render(spec, trajectory)
    samples, events = heard(**settings)
    assert again.events == events
    np.testing.assert_array_equal(again.samples[:, 0], (samples / again.pascal_per_unit).astype(np.float32))
    # Of a jump the spectrum falls slowly: of this sound, hardly anything is left at the upper end.
    hertz, amplitude = lines(samples)
    assert np.sum(amplitude[hertz > 18_000.0] ** 2) < 1e-3 * np.sum(amplitude**2)
    assert np.abs(samples[:48]).max() < 1e-3


def test_teeth_in_mesh_are_not_heard_as_blows_and_rubs_too():
    kinds = {event.kind for event in heard(speed=20.0)[1]}
    assert kinds <= {"gear_mesh", "thump"}


def test_a_mesh_is_told_with_its_frequency():
    (event,) = [event for event in heard(speed=20.0)[1] if event.kind == "gear_mesh"]
    assert event.bodies == ("g0", "g1")
    assert event.dominant_hz == pytest.approx(18 * 20.0 / (2.0 * np.pi), rel=0.005)
    assert event.time_s < 0.3


def test_planets_are_told_with_what_is_met_beside_the_carrier():
    spec = on_plate(worlds.planetary(duration_s=1.5, speed_rad_s=8.0))
    audio = ContactSoundRenderer().render(spec, MujocoSimulator().simulate(spec))
    carrier = 8.0 * 24 / (24 + 60)
    wanted = 24 * (8.0 - carrier) / (2.0 * np.pi)
    meshes = [event for event in audio.events if event.kind == "gear_mesh"]
    assert len(meshes) == 6
    for event in meshes:
        assert event.dominant_hz == pytest.approx(wanted, rel=0.01)


# --- forces and feet --------------------------------------------------------------------------------------------------


def test_the_force_between_teeth_has_the_impulse_of_the_steps():
    from physreel.renderers.audio.bodies import SoundingBody
    from physreel.renderers.audio.poses import Poses

    spec, trajectory = run(teeth=(24, 40), speed=20.0, missing=(3,), thinning_m=3e-4, duration_s=6.0)
    bodies = [SoundingBody(spec, i) for i in range(len(spec.bodies))]
    pairs = meshing_pairs(spec, trajectory)
    assert pairs == {(0, 1)}
    samples = round(spec.duration_s * SAMPLE_RATE_HZ)
    meshes = find_meshes(spec, trajectory, pairs, bodies, Poses(spec, trajectory), samples)
    whole = sum(float(mesh.force.sum()) / SAMPLE_RATE_HZ for mesh in meshes)
    contacts = trajectory.contacts
    told = float(contacts.normal_impulse_n_s[(contacts.body_a == 0) & (contacts.body_b == 1)].sum())
    assert whole == pytest.approx(told, rel=0.01)
    # A blow is as short as the teeth are stiff.
    blow = max(meshes, key=lambda mesh: float(mesh.blow_n_s.max(initial=0.0)))
    strongest = int(np.argmax(blow.blow_n_s))
    yielding = sum(
        spec.bodies[i].shape.base_radius_m ** 2 / bodies[i].mass.inertia[2, 2] for i in (0, 1)
    )  # fmt: skip
    length_s = np.pi / np.sqrt(MESH_STIFFNESS_PA * worlds.WIDTH_M * yielding)
    at = round(blow.blow_s[strongest] * SAMPLE_RATE_HZ)
    assert blow.force[at - 8 : at + 8].max() == pytest.approx(
        blow.blow_n_s[strongest] * np.pi / (2.0 * length_s), rel=0.15
    )


def test_teeth_that_are_wedged_press_no_harder_than_they_can_bear():
    """Rigid ones would without bound, and be thrown about harder than by all that moves."""
    from physreel.renderers.audio.bodies import SoundingBody
    from physreel.renderers.audio.poses import Poses

    spec, trajectory = run(speed=20.0)
    hard = replace(trajectory.contacts, normal_impulse_n_s=300.0 * trajectory.contacts.normal_impulse_n_s)
    bodies = [SoundingBody(spec, i) for i in range(len(spec.bodies))]
    samples = round(spec.duration_s * SAMPLE_RATE_HZ)
    meshes = [
        find_meshes(spec, given, frozenset({(0, 1)}), bodies, Poses(spec, trajectory), samples)[0]
        for given in (trajectory, replace(trajectory, contacts=hard))
    ]
    usual, wedged = (float(mesh.force.max()) for mesh in meshes)
    # The root of a steel tooth, 8 mm thick and 12 mm wide, at 400 MPa all through, loaded at the tip.
    most = 0.25 * 400e6 * worlds.WIDTH_M * 0.008**2 / (1.9 * 0.004)
    assert usual < 0.1 * most
    assert 0.5 * most < wedged < 2.1 * most
    # Blows that are real are what they were; those that are not stop at what the two gears' motion holds.
    inertia = [bodies[i].mass.inertia[2, 2] for i in (0, 1)]
    energy = 0.5 * np.einsum("tb,b->t", (trajectory.body_velocity[:, :2, 3:] ** 2).sum(-1), inertia).max()
    parted = sum(spec.bodies[i].shape.base_radius_m ** 2 / inertia[i] for i in (0, 1))
    limit = 2.0 * np.sqrt(2.0 * energy / parted)
    assert float(meshes[0].blow_n_s.max()) < 0.5 * limit
    assert float(meshes[1].blow_n_s.max()) <= 1.001 * limit


def test_a_shaft_that_stands_out_bends_its_plate():
    spec, _ = run()
    (foot,) = feet_of(spec, 1)
    assert spec.bodies[foot.body].name == "plate"
    np.testing.assert_allclose(foot.point, (*spec.joints[1].anchor_m[:2], 0.2 - OVERHANG_M), atol=6e-4)
    force = np.array([3.0, 4.0, 0.0])
    points, forces = foot.loads(force)
    np.testing.assert_allclose(forces.sum(0), force, atol=1e-12)
    moment = np.cross(points - foot.point, forces).sum(0)
    np.testing.assert_allclose(moment, np.cross(OVERHANG_M * foot.up, force), rtol=0.03, atol=1e-9)
    bend = OVERHANG_M**3 / 3.0 / (2.1e11 * np.pi / 4.0 * foot.radius_m**4)
    assert foot.stiffness_n_m == pytest.approx(1.0 / (bend + 1.0 / BEARING_N_M), rel=0.1)


def test_between_two_plates_each_takes_its_share():
    spec, _ = run()
    plates = Compound(
        pieces=tuple(Piece(shape=Box(size_m=(0.4, 0.2, 0.01)), position_m=(0.0, 0.0, z)) for z in (-0.035, 0.065))
    )
    frame = Body(name="plate", shape=plates, material="steel", motion="static", position_m=(0.05, 0.0, 0.2))
    spec = spec.model_copy(update={"bodies": (*spec.bodies[:2], frame)})
    feet = feet_of(spec, 0)
    assert [round(foot.point[2], 3) for foot in feet] == [0.26, 0.17]
    assert sum(foot.share for foot in feet) == pytest.approx(1.0)
    a, b = 0.03, 0.06
    assert feet[1].moment_m == pytest.approx(a * b**2 / (a + b) ** 2, rel=0.03)


def test_a_shaft_beside_its_plate_stands_at_the_edge():
    spec, _ = run()
    plate = spec.bodies[-1].model_copy(update={"position_m": (0.3, 0.0, spec.bodies[-1].position_m[2])})
    spec = spec.model_copy(update={"bodies": (*spec.bodies[:-1], plate)})
    (foot,) = feet_of(spec, 0)
    assert foot.point[0] == pytest.approx(0.3 - 0.5 * plate.shape.size_m[0], abs=1e-4)
    assert foot.moment_m == pytest.approx(OVERHANG_M, abs=1e-3)


def test_gears_that_nothing_carries_are_heard_by_themselves():
    spec = worlds.train([worlds.gear(18), worlds.gear(30)], duration_s=0.5)
    spec = spec.model_copy(update={"microphones": (Microphone(name="ear", position_m=(0.0, -1.0, 0.2)),)})
    trajectory = MujocoSimulator().simulate(spec)
    stems = ContactSoundRenderer().stems(spec, trajectory)
    assert set(stems) == {"g0", "g1"}
    assert np.abs(stems["g1"].samples).max() > 0.0


def test_a_bearing_names_what_holds_a_shaft():
    spec, _ = run()
    block = Body(name="block", shape=Cylinder(radius_m=0.02, height_m=0.05), material="steel", motion="static",
                 position_m=(0.0, 0.0, 0.14))  # fmt: skip
    bearing = Bearing(name="b", joint="g0", housing="block", ball_count=8, ball_diameter_m=0.004,
                      pitch_diameter_m=0.02, radial_load_n=10.0)  # fmt: skip
    spec = spec.model_copy(update={"bodies": (*spec.bodies, block), "bearings": (bearing,)})
    assert [spec.bodies[foot.body].name for foot in feet_of(spec, 0)] == ["block"]
    free = spec.model_copy(update={"joints": ()})
    assert feet_of(free, 0) == ()


def test_what_comes_through_a_shaft_is_as_a_whole_what_goes_in_and_duller():
    spec, _ = run()
    (foot,) = feet_of(spec, 0)
    force = np.zeros(SAMPLE_RATE_HZ)
    force[100] = 1.0
    out = foot.passes(force, 0.35, float(SAMPLE_RATE_HZ))
    assert out.sum() == pytest.approx(1.0, rel=1e-6)
    turning = np.sqrt(foot.stiffness_n_m / 0.35) / (2.0 * np.pi)
    spectrum = np.abs(np.fft.rfft(out))
    assert np.argmax(spectrum) == pytest.approx(turning * np.sqrt(1.0 - 2.0 * SHAFT_DAMPING**2), rel=0.01)
    assert spectrum[round(4.0 * turning)] < 0.1


# --- blanks -----------------------------------------------------------------------------------------------------------


def test_blanks_are_what_gears_are_cut_from():
    plain = worlds.gear(30)
    assert blank(plain) == Cylinder(radius_m=plain.root_radius_m, height_m=worlds.WIDTH_M)
    bored = worlds.gear(30, bore_radius_m=0.01)
    assert isinstance(blank(bored), Ring)
    inside = worlds.gear(60, internal=True, rim_m=0.01)
    assert blank(inside) == Ring(
        inner_radius_m=inside.root_radius_m, outer_radius_m=inside.outer_radius_m, height_m=worlds.WIDTH_M
    )
    rack = Rack(module_m=0.004, tooth_count=20, width_m=0.012, back_m=0.01)
    bar = blank(rack)
    assert isinstance(bar, Compound)
    center = mass_properties(bar).center
    assert center[1] == pytest.approx(-1.25 * 0.004 - 0.005)
    assert blank(bar) is bar


def test_a_ring_rings_as_a_ring():
    """In its plane, by Hoppe's formula (Love, Theory of Elasticity, 293); the wall is a twelfth of the radius."""
    inner, outer, height = 0.11, 0.12, 0.012
    unit, scale = unit_shape(Ring(inner_radius_m=inner, outer_radius_m=outer, height_m=height))
    modes = shape_modes(unit, 0.3)
    hertz = modes.omega * np.sqrt(2.1e11 / 7850.0) / scale / (2.0 * np.pi)
    radius, wall = 0.5 * (inner + outer), outer - inner
    for n in (2, 3):
        slim = wall / (radius**2 * np.sqrt(12.0)) * np.sqrt(n**2 * (n**2 - 1) ** 2 / (n**2 + 1))
        wanted = slim * np.sqrt(2.1e11 / 7850.0) / (2.0 * np.pi)
        assert np.abs(hertz / wanted - 1.0).min() < 0.02
    assert modes.volume == pytest.approx(mass_properties(unit).mass, rel=1e-6)
    assert modes.area == pytest.approx(
        2.0 * np.pi * (inner + outer) * (height + outer - inner) / scale**2, rel=1e-6
    )  # fmt: skip
