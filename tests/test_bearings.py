"""Ball bearings as a machine part: ways of cage and balls, times and strengths of blows, covers."""

from __future__ import annotations

import numpy as np
import pytest
from bearing_worlds import motion, record, spun, world

from physreel.errors import SpecError
from physreel.geometry.bearings import ball_loads, bearing_orders, first_ball_angle_rad
from physreel.renderers.audio.contact import ContactSoundRenderer
from physreel.renderers.audio.covers import ABSORBED, Cover, Covers, cover_over
from physreel.simulators.bearings import BearingPart
from physreel.simulators.preparation import prepare
from physreel.spec import MATERIALS, Bearing, Body, Box, Compound, Cylinder, Microphone, Piece, Sphere

TURNS_S = 20.0


def knocks(part, **settings):
    spec = world("6205", part, turns_s=TURNS_S, **settings)
    return spec, record(spec, motion(spec)).knocks


@pytest.mark.parametrize("part", ["outer_race", "inner_race", "ball", "cage"])
def test_blows_come_as_often_as_the_closed_form_says_to_the_last_digits(part):
    spec, table = knocks(part)
    order = bearing_orders(spec.bearings[0])
    rate = {"outer_race": order.bpfo, "inner_race": order.bpfi, "ball": 2 * order.bsf, "cage": order.ftf}[part]
    gaps = np.diff(table.time_s)
    assert gaps == pytest.approx(np.full(len(gaps), 1.0 / (rate * TURNS_S)), rel=1e-6)
    assert table.sources == ("bearing",)
    assert set(table.body.tolist()) == {spec.body_index("block")}


def test_blows_on_the_outer_race_come_when_a_ball_is_over_the_pit():
    spec, table = knocks("outer_race", angle_deg=40.0)
    bearing = spec.bearings[0]
    turned = bearing_orders(bearing).ftf * 2.0 * np.pi * TURNS_S * table.time_s
    balls = first_ball_angle_rad(bearing) + turned[:, None] + 2.0 * np.pi * np.arange(9) / 9
    off = np.abs((balls - np.radians(40.0) + np.pi) % (2.0 * np.pi) - np.pi).min(1)
    assert off.max() < 1e-6
    # 40 degrees from straight down, towards axis x down.
    place = table.point_m - (0.0, 0.0, 0.05)
    down, side = np.array([0.0, 0.0, -1.0]), np.cross([0.0, 1.0, 0.0], [0.0, 0.0, -1.0])
    assert np.degrees(np.arctan2(place @ side, place @ down)) == pytest.approx(np.full(len(table), 40.0))
    assert table.direction == pytest.approx(place / np.linalg.norm(place, axis=1)[:, None])


def test_a_pit_on_the_inner_race_knocks_harder_in_the_load_zone_once_a_turn():
    _, table = knocks("inner_race", load_n=800.0)
    place = np.arctan2(table.direction[:, 0], -table.direction[:, 2])
    inside = np.abs(place) < np.radians(30.0)
    assert table.impulse_n_s[inside].min() > 3.0 * table.impulse_n_s[np.abs(place) > np.radians(120.0)].max()


def test_blows_grow_with_load_speed_and_width():
    usual = knocks("outer_race")[1].impulse_n_s.mean()
    assert knocks("outer_race", load_n=900.0)[1].impulse_n_s.mean() > 1.5 * usual
    assert knocks("outer_race", width_m=3e-3)[1].impulse_n_s.mean() > 1.05 * usual
    slow = world("6205", "outer_race", turns_s=5.0)
    assert record(slow, motion(slow)).knocks.impulse_n_s.mean() < usual


def test_loads_carry_the_shaft():
    bearing = world("6205", load_n=1000.0).bearings[0]
    place = np.arange(9) * 2.0 * np.pi / 9
    held = [(ball_loads(bearing, place + turn, np.zeros(1)) * np.cos(place + turn)).sum() for turn in (0.0, 0.2, 0.35)]
    assert held == pytest.approx([1000.0] * 3, rel=0.03)


def test_the_cage_falls_behind_by_its_slip_and_balls_wander_in_their_pockets():
    spec, table = knocks("outer_race", slip=0.02)
    wanted = bearing_orders(spec.bearings[0]).bpfo * TURNS_S * 0.98
    gaps = np.diff(table.time_s)
    assert 1.0 / gaps.mean() == pytest.approx(wanted, rel=2e-3)
    assert 0.005 < gaps.std() / gaps.mean() < 0.04
    again = record(spec, motion(spec)).knocks
    assert np.array_equal(again.time_s, table.time_s)
    other = knocks("outer_race", slip=0.02, seed=2)[1]
    assert not np.array_equal(other.time_s[:20], table.time_s[:20])


def test_a_shaft_that_speeds_up_and_turns_back_knocks_at_the_same_places():
    spec = world("6205", "outer_race")
    told = record(spec, motion(spec, lambda t: 40.0 * np.sin(np.pi * t / 3.0)))
    up, down = (told.knocks.time_s[told.knocks.time_s < 1.5], told.knocks.time_s[told.knocks.time_s > 1.5])
    assert len(up) > 10
    assert np.sort(3.0 - down) == pytest.approx(up, abs=1e-5)


def test_cage_and_balls_are_carried_round():
    size = world("6205").bearings[0]
    start = first_ball_angle_rad(size)
    down, side = np.array([0.0, 0.0, -1.0]), np.cross([0.0, 1.0, 0.0], [0.0, 0.0, -1.0])
    places = [
        np.array([0.0, 0.0, 0.05]) + 0.01952 * (np.cos(a) * down + np.sin(a) * side)
        for a in start + 2.0 * np.pi * np.arange(9) / 9
    ]
    balls = tuple(
        Body(name=f"ball_{k}", shape=Sphere(radius_m=0.00397), material="steel", motion="carried",
             position_m=tuple(map(float, p)))
        for k, p in enumerate(places)
    )  # fmt: skip
    cage = Body(name="cage", shape=Box(size_m=(0.04, 0.01, 0.002)), material="steel", motion="carried",
                position_m=(0.0, 0.0, 0.05))  # fmt: skip
    spec = world("6205", bodies=(*balls, cage), balls=tuple(b.name for b in balls), cage="cage")
    told = record(spec, motion(spec))
    order = bearing_orders(spec.bearings[0])
    for ball in balls:
        pose = told.poses[spec.body_index(ball.name)]
        assert len(pose) == spec.frame_count + 1
        assert pose[0] == pytest.approx([*ball.position_m, 1.0, 0.0, 0.0, 0.0])
        assert np.linalg.norm(pose[:, :3] - (0.0, 0.0, 0.05), axis=1) == pytest.approx(np.full(len(pose), 0.01952))
    frame = 2.0 * np.pi * TURNS_S / 24
    half = 0.5 * order.ftf * frame
    assert abs(told.poses[spec.body_index("cage")][1, 3]) == pytest.approx(abs(np.cos(half)))
    # In the world a ball turns by its spin against the shaft and with the cage.
    world_half = 0.5 * (order.ftf - order.bsf) * frame
    assert abs(told.poses[spec.body_index("ball_0")][1, 3]) == pytest.approx(abs(np.cos(world_half)), abs=1e-6)


def test_what_cannot_be_is_refused_with_what_to_do():
    spec = world("6205", load_direction=(0.0, 1.0, 0.0))
    with pytest.raises(SpecError, match=r"load_direction: .* is along the shaft; give one across it"):
        BearingPart(prepare(spec), spec.bearings[0])
    with pytest.raises(ValueError, match=r"14 balls of 7.94 mm do not fit on a circle of 31 mm: at most 12 do"):
        Bearing(name="b", joint="j", housing="h", ball_count=14, ball_diameter_m=7.94e-3, pitch_diameter_m=31e-3)


def cover(wall_m, gap_m=0.0):
    """Four walls and a lid over the block, with a slot in the back wall."""
    x, y, z = 0.3, 0.3, 0.2
    pieces = [
        Piece(shape=Box(size_m=(x, y, wall_m)), position_m=(0.0, 0.0, z / 2)),
        Piece(shape=Box(size_m=(x, wall_m, z)), position_m=(0.0, -y / 2, 0.0)),
        *(Piece(shape=Box(size_m=(wall_m, y, z)), position_m=(s * x / 2, 0.0, 0.0)) for s in (-1.0, 1.0)),
        *(
            Piece(shape=Box(size_m=(x / 2 - gap_m, wall_m, z)), position_m=(s * (x / 4 + gap_m / 2), y / 2, 0.0))
            for s in (-1.0, 1.0)
        ),
    ]
    return Body(name="cover", shape=Compound(pieces=tuple(pieces)), material="ABS", motion="static",
                position_m=(0.0, 0.0, 0.1))  # fmt: skip


FLOOR = Body(name="base", shape=Box(size_m=(0.6, 0.6, 0.02)), material="steel", motion="static",
             position_m=(0.0, 0.0, -0.03))  # fmt: skip


OUTSIDE = np.array([0.1, -1.5, 0.3])


def test_covers_are_known_by_their_walls():
    point = np.array([0.0, 0.0, 0.03])
    assert cover_over(world(bodies=(FLOOR,)), 0, point, OUTSIDE) is None
    found = cover_over(world(bodies=(FLOOR, cover(2e-3))), 0, point, OUTSIDE)
    assert found is not None
    assert found.mass_kg_m2 == pytest.approx(2e-3 * 1050.0, rel=0.03)
    assert cover_over(world(bodies=(cover(2e-3),)), 0, point, OUTSIDE) is None  # open below
    wide = world(bodies=(FLOOR, cover(2e-3, gap_m=0.12)))
    assert cover_over(wide, 0, point, OUTSIDE) is None  # half of its back is open
    thick = cover_over(world(bodies=(FLOOR, cover(4e-3))), 0, point, OUTSIDE)
    assert thick is not None
    assert thick.mass_kg_m2 == pytest.approx(2.0 * found.mass_kg_m2, rel=0.03)


def room(wall_m=0.02, half_m=2.0, *, middle_wall=False):
    """A closed room of one body about the machine, parted in two or not."""
    pieces = [
        Piece(
            shape=Box(size_m=tuple(wall_m if a == axis else 2.0 * (half_m + wall_m) for a in range(3))),
            position_m=tuple(sign * (half_m + 0.5 * wall_m) if a == axis else 0.0 for a in range(3)),
        )
        for axis in range(3)
        for sign in (-1.0, 1.0)
    ]
    if middle_wall:
        pieces.append(
            Piece(shape=Box(size_m=(2.0 * half_m, wall_m, 2.0 * half_m)), position_m=(0.0, -0.5 * half_m, 0.0))
        )
    return Body(name="room", shape=Compound(pieces=tuple(pieces)), material="marble", motion="static")


def test_what_ear_and_machine_are_both_in_is_no_cover():
    point, beyond = np.array([0.0, 0.0, 0.03]), np.array([0.1, -4.0, 0.3])
    alone, marble = world(bodies=(FLOOR, room())), MATERIALS["marble"]
    assert cover_over(alone, 0, point, OUTSIDE) is None
    away = cover_over(alone, 0, point, beyond)
    assert away is not None
    assert away.mass_kg_m2 == pytest.approx(0.02 * marble.density_kg_m3, rel=0.02)
    # A wall of the same body between the two hides the one from the other, a guard in the room still covers.
    assert cover_over(world(bodies=(FLOOR, room(middle_wall=True))), 0, point, OUTSIDE) is not None
    both = world(bodies=(FLOOR, room(), cover(2e-3)))
    guarded = cover_over(both, 0, point, OUTSIDE)
    assert guarded is not None
    assert both.bodies[guarded.body].name == "cover"
    # The room beyond does not close a guard that is open below.
    assert cover_over(world(bodies=(cover(2e-3), room())), 0, point, OUTSIDE) is None


def test_what_the_place_is_inside_of_is_no_cover():
    pins = [Piece(shape=Cylinder(radius_m=0.01, height_m=0.1), position_m=(x, 0.0, 0.03)) for x in (0.0, 0.1)]
    shafts = Body(name="shafts", shape=Compound(pieces=tuple(pins)), material="steel", motion="static")
    assert cover_over(world(bodies=(FLOOR, shafts)), 0, np.array([0.0, 0.0, 0.0]), OUTSIDE) is None


def test_of_two_places_on_one_body_one_may_be_covered():
    spec = world(bodies=(FLOOR, cover(2e-3)))
    ear = Microphone(name="ear", position_m=tuple(OUTSIDE))
    covers = Covers(spec.model_copy(update={"microphones": (ear,)}))
    hertz = np.array([1000.0, 4000.0])
    beside = covers.heard(hertz, 0, np.array([0.25, 0.0, 0.0]))
    assert (covers.heard(hertz, 0, np.array([0.0, 0.0, 0.03])) < 0.6 * beside).all()
    assert (beside > 0.9).all()


def test_a_wall_lets_through_what_the_mass_law_says_and_a_gap_its_share():
    air = world().air
    wall, twice, leaky = (Cover(0, mass, leak) for mass, leak in ((2.0, 0.0), (4.0, 0.0), (4.0, 0.02)))
    hertz = np.array([1000.0, 2000.0, 8000.0])
    # Where walls let through far less than the inside absorbs, what gets out is the one over the other.
    absorbed = 5.0 * np.log10(hertz / 1000.0) - 10.0 * np.log10(1.0 / ABSORBED)
    loss = -20.0 * np.log10(wall.passes(hertz, air)) - absorbed
    assert loss[2] - loss[1] == pytest.approx(12.0, abs=0.3)
    assert -20.0 * np.log10(twice.passes(hertz, air)) - absorbed - loss == pytest.approx([6.0] * 3, abs=0.5)
    law = 20.0 * np.log10(np.pi * 1000.0 * 2.0 / (1.204 * air.speed_of_sound_m_s))
    assert loss[0] == pytest.approx(law, abs=0.5)
    assert leaky.passes(hertz, air)[2] == pytest.approx((0.02 / (0.02 + ABSORBED * 8.0**0.5)) ** 0.5, rel=0.01)


def test_a_cover_dulls_and_does_not_mute():
    loud = []
    for bodies in ((FLOOR,), (FLOOR, cover(2e-3))):
        spec = world("6205", "outer_race", load_n=500.0, bodies=bodies, duration_s=1.0)
        samples = ContactSoundRenderer().render(spec, spun(spec)).samples[:, 0].astype(float)
        power = np.abs(np.fft.rfft(samples)) ** 2
        low, high = 2_000, 10_000
        loud.append((power[: low * 2].sum(), power[high:].sum()))
    (open_low, open_high), (shut_low, shut_high) = loud
    assert 0.01 * open_high < shut_high < 0.2 * open_high
    assert shut_low / open_low > shut_high / open_high


def test_sound_events_are_one_for_each_cause():
    spec = world("6205", "inner_race", load_n=500.0)
    events = ContactSoundRenderer().render(spec, spun(spec)).events
    assert [event.kind for event in events] == ["rolling", "knocks"] or len(events) == 1
    blows = next(event for event in events if event.kind == "knocks")
    table = record(spec, motion(spec)).knocks
    assert blows.time_s == pytest.approx(table.time_s[0])
    distance = np.linalg.norm(np.array(spec.microphones[0].position_m) - table.point_m.mean(0))
    assert blows.heard_s - blows.time_s == pytest.approx(distance / spec.air.speed_of_sound_m_s, abs=1e-3)


def test_nothing_turns_nothing_sounds():
    spec = world("6205", "inner_race", load_n=500.0, duration_s=1.0)
    samples = ContactSoundRenderer().render(spec, spun(spec, lambda t: 0.0 * t)).samples
    assert not samples.any()


def test_stems_add_up():
    spec = world("6205", "ball", load_n=500.0, duration_s=1.0)
    trajectory = spun(spec)
    stems = ContactSoundRenderer().stems(spec, trajectory)
    total = sum(stem.samples.astype(float) for stem in stems.values())
    assert total == pytest.approx(ContactSoundRenderer().render(spec, trajectory).samples.astype(float), abs=1e-7)
    assert stems["block"].samples.any()
    assert not stems["disc"].samples.any()
