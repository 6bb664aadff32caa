"""Impacts, bounces, supports, rest and attitude, held against closed form."""

from __future__ import annotations

import time

import numpy as np
import pytest
from labels_worlds import CONTACT_S, GRAVITY, STEP_S, Ball, Rows, bouncing_balls, trajectory_of

from physreel.analysis import (
    attitude,
    center_of_mass,
    contact_spans,
    find_bounces,
    find_impacts,
    rebound_height_m,
    rest_time_s,
    support_intervals,
    supports_at_end,
    up_axis,
)
from physreel.geometry.extents import bounding_radius_m
from physreel.geometry.mass import body_mass_properties
from physreel.geometry.rotations import axis_angle_to_wxyz
from physreel.spec import (
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Piece,
    Plane,
    SceneSpec,
    Sphere,
)
from physreel.values import ContactTable


def still_world(bodies, rows=None, *, duration_s=1.0, fps=24):
    spec = SceneSpec(scene="test", duration_s=duration_s, fps=fps, bodies=tuple(bodies))
    pose = np.zeros((spec.frame_count + 1, len(bodies), 7))
    for k, body in enumerate(bodies):
        pose[:, k] = (*body.position_m, *body.orientation_wxyz)
    velocity = np.zeros((spec.frame_count + 1, len(bodies), 6))
    table = rows.table() if rows else ContactTable.empty()
    return spec, trajectory_of(spec, pose, velocity, table)


FLOOR = Body(name="floor", shape=Plane(), material="concrete", motion="static")
CUBE = Body(name="cube", shape=Box(size_m=(0.1, 0.1, 0.1)), material="oak", position_m=(0, 0, 0.05))


def weight_of(spec, index):
    body = spec.bodies[index]
    return body_mass_properties(body, spec.material_of(body)).mass * GRAVITY


@pytest.mark.parametrize("e", [0.3, 0.5, 0.8])
def test_impacts_of_a_bouncing_ball_have_the_times_speeds_and_impulses_of_closed_form(e):
    spec, trajectory = bouncing_balls([Ball(drop_m=0.4, e=e)], duration_s=3.0)
    impacts = find_impacts(spec, trajectory)
    mass = weight_of(spec, 1) / GRAVITY
    hit = np.sqrt(2 * GRAVITY * 0.4)
    at = hit / GRAVITY
    for n, impact in enumerate(impacts[:3]):
        assert impact.time_s == pytest.approx(at, abs=STEP_S)
        assert impact.approach_speed_m_s == pytest.approx(hit * e**n, rel=1e-6)
        if hit * e ** (n + 1) >= 0.1:  # the made-up ball stays down after slower ones
            assert impact.normal_impulse_n_s == pytest.approx(mass * hit * e**n * (1 + e), rel=0.01)
        assert impact.normal == pytest.approx((0, 0, 1))
        assert (impact.body_a, impact.body_b) == (0, 1)
        at += CONTACT_S + 2 * hit * e ** (n + 1) / GRAVITY
    assert list(impacts) == sorted(impacts, key=lambda impact: impact.time_s)


def test_resting_contact_is_no_impact_and_a_fresh_blow_within_it_is_one():
    rows = Rows()
    for k in range(1200):
        rows.add(k * STEP_S, 0, 1, 0.01, 0.008 * (-1) ** k)
    spec, trajectory = still_world([FLOOR, CUBE], rows)
    assert find_impacts(spec, trajectory) == ()
    for k, speed in ((600, 0.3), (601, 0.2), (602, 0.1), (603, -0.05), (607, 0.2)):
        rows.rows[k] = (*rows.rows[k][:5], 0.2, speed)
    spec, trajectory = still_world([FLOOR, CUBE], rows)
    (impact,) = find_impacts(spec, trajectory)  # the one at step 607 is 7 ms later: the same blow
    assert impact.time_s == pytest.approx(0.5)
    assert impact.approach_speed_m_s == pytest.approx(0.3)
    # Four strong steps and one at 607: the weight that follows is not counted.
    assert 0.8 <= impact.normal_impulse_n_s <= 1.1
    rows.rows[630] = (*rows.rows[630][:5], 0.2, 0.2)
    assert len(find_impacts(*still_world([FLOOR, CUBE], rows))) == 2


def test_bounces_are_those_with_flight_before_and_after():
    spec, trajectory = bouncing_balls([Ball(drop_m=0.3, e=0.6), Ball(drop_m=0.01, e=0.1)], duration_s=3.0)
    bounces = find_bounces(spec, trajectory)
    hit = np.sqrt(2 * GRAVITY * 0.3)
    flights = [2 * hit * 0.6**n / GRAVITY for n in range(1, 20)]
    expected = sum(flight > 0.040 for flight in flights)
    assert [bounce.body for bounce in bounces] == [1] * expected
    assert all(bounce.off == 0 for bounce in bounces)
    assert [i.time_s for i in find_impacts(spec, trajectory) if i.rebounds] == [b.impact.time_s for b in bounces]


@pytest.mark.parametrize("e", [0.15, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("drop_m", [0.1, 0.43, 1.1])
def test_rebound_height_is_e_squared_times_the_drop(e, drop_m):
    spec, trajectory = bouncing_balls([Ball(drop_m=drop_m, e=e)], duration_s=3.0)
    assert rebound_height_m(spec, trajectory, 1) == pytest.approx(e * e * drop_m, rel=0.03)
    assert np.isnan(rebound_height_m(spec, trajectory, 0))


def test_rebound_cut_by_the_end_counts_as_far_as_it_goes():
    spec, trajectory = bouncing_balls([Ball(drop_m=0.45, e=0.8)], duration_s=0.5)
    t_hit = np.sqrt(2 * 0.45 / GRAVITY)
    v, dt = 0.8 * GRAVITY * t_hit, 0.5 - t_hit - CONTACT_S
    assert rebound_height_m(spec, trajectory, 1) == pytest.approx(v * dt - GRAVITY * dt**2 / 2, rel=0.03)


def test_rest_time_is_when_the_last_bounce_ended_and_a_ball_in_the_air_has_none():
    spec, trajectory = bouncing_balls(
        [Ball(drop_m=0.2, e=0.3), Ball(drop_m=1.0, e=0.9), Ball(drop_m=0.0, e=0.0)], duration_s=2.0
    )
    rest = rest_time_s(spec, trajectory)
    flight = np.sqrt(2 * 0.2 / GRAVITY)
    last = flight + sum(2 * flight * 0.3**n + CONTACT_S for n in range(1, 3))
    assert last <= rest[1] <= last + 1 / 24 + STEP_S
    assert rest[0] == 0.0
    assert np.isnan(rest[2])
    assert rest[3] == 0.0


def test_a_ball_at_the_top_of_its_flight_or_spinning_on_the_spot_is_not_at_rest():
    ball = Body(name="ball", shape=Sphere(radius_m=0.1), material="rubber", position_m=(0, 0, 1))
    spec, trajectory = still_world([FLOOR, ball], duration_s=0.5)
    assert np.isnan(rest_time_s(spec, trajectory)[1])  # held by nothing
    rows = Rows()
    for k in range(600):
        rows.add(k * STEP_S, 0, 1, 0.01, 0.0)
    spec, trajectory = still_world([FLOOR, ball], rows, duration_s=0.5)
    assert rest_time_s(spec, trajectory)[1] == 0.0
    for rate, at_rest in ((0.1, True), (0.3, False)):
        velocity = np.zeros((spec.frame_count + 1, 2, 6))
        velocity[:, 1, 5] = rate
        pose = np.concatenate([trajectory.body_pose, trajectory.body_pose_end[None]])
        spun = trajectory_of(spec, pose, velocity, trajectory.contacts)
        assert np.isfinite(rest_time_s(spec, spun)[1]) == at_rest


def test_supports_at_end_are_what_bears_weight_from_below():
    top = CUBE.model_copy(update={"name": "top", "position_m": (0, 0, 0.15)})
    wall = Body(name="wall", shape=Box(size_m=(0.1, 1, 1)), material="oak", motion="static", position_m=(0.1, 0, 0.5))
    spec, _ = still_world([FLOOR, CUBE, top, wall])
    weight = weight_of(spec, 1) * STEP_S
    rows = Rows()
    for k in range(1, 1201):
        rows.add(k * STEP_S, 1, 0, 2 * weight, 0.0, normal=(0, 0, -1))
        rows.add(k * STEP_S, 1, 2, weight, 0.0)
        rows.add(k * STEP_S, 1, 3, weight, 0.0, normal=(1, 0, 0))
    spec, trajectory = still_world([FLOOR, CUBE, top, wall], rows)
    assert supports_at_end(spec, trajectory) == ((), (0,), (1,), ())
    (stay,) = support_intervals(spec, trajectory, 2)
    assert (stay.supporter, stay.start_s, stay.end_s) == (1, pytest.approx(STEP_S), pytest.approx(1.0))


def test_a_bounce_just_before_the_end_is_no_support():
    spec, trajectory = bouncing_balls([Ball(drop_m=0.98, e=0.8)], duration_s=0.5)
    assert len(find_impacts(spec, trajectory)) == 1
    assert supports_at_end(spec, trajectory)[1] == ()
    assert support_intervals(spec, trajectory, 1) == ()


def test_support_intervals_bridge_short_hops_only():
    rows = Rows()
    for first, last in ((100, 300), (330, 500), (700, 900), (1000, 1050)):
        for k in range(first, last + 1):
            rows.add(k * STEP_S, 0, 1, 0.01, 0.0)
    spec, trajectory = still_world([FLOOR, CUBE], rows)
    stays = support_intervals(spec, trajectory, 1)
    assert [(round(s.start_s * 1200), round(s.end_s * 1200)) for s in stays] == [(100, 500), (700, 900)]
    assert [(round(s.start_s * 1200), round(s.end_s * 1200)) for s in contact_spans(trajectory, 1)] == [
        (100, 500), (700, 900), (1000, 1050)
    ]  # fmt: skip


def test_center_of_mass_of_a_tilted_cone_is_off_its_origin():
    quat = tuple(axis_angle_to_wxyz((0, 1, 0), np.pi / 2))
    cone = Body(
        name="cone", shape=Cone(radius_m=0.1, height_m=0.4), material="oak", position_m=(1, 2, 3), orientation_wxyz=quat
    )
    spec, trajectory = still_world([FLOOR, cone])
    assert center_of_mass(spec, trajectory)[5, 1] == pytest.approx((0.9, 2, 3))


@pytest.mark.parametrize(
    ("shape", "axis", "angle_deg", "name", "face", "tilt_deg"),
    [
        (Box(size_m=(0.1, 0.2, 0.3)), (1, 0, 0), 0, "+z", "-z", 0),
        (Box(size_m=(0.1, 0.2, 0.3)), (1, 0, 0), 93, "+y", "-y", 3),
        (Box(size_m=(0.1, 0.2, 0.3)), (0, 1, 0), 90, "-x", "+x", 0),
        (Box(size_m=(0.1, 0.2, 0.3)), (0, 1, 0), 180, "-z", "+z", 0),
        (Cylinder(radius_m=0.1, height_m=0.2), (1, 1, 0), 88, "side", "side", 2),
        (Cylinder(radius_m=0.1, height_m=0.2), (1, 1, 0), 178, "-z", "+z", 2),
        (Cone(radius_m=0.1, height_m=0.1), (1, 0, 0), 135, "side", "side", 0),
        (Cone(radius_m=0.1, height_m=0.1), (1, 0, 0), 5, "+z", "-z", 5),
        (Sphere(radius_m=0.1), (1, 0, 0), 50, "any", "any", 0),
    ],
)
def test_up_axis_says_which_way_up(shape, axis, angle_deg, name, face, tilt_deg):
    end = axis_angle_to_wxyz(axis, np.radians(angle_deg))
    spec, start = still_world([FLOOR, Body(name="x", shape=shape, material="oak", position_m=(0, 0, 1))])
    pose = np.concatenate([start.body_pose, start.body_pose_end[None]])
    pose[-1, 1, 3:] = end
    turned = trajectory_of(spec, pose, np.zeros((len(pose), 2, 6)), start.contacts)
    found = attitude(spec, turned, 1)
    assert up_axis(spec, turned, 1) == (found.axis, found.tilt_deg)
    assert (found.axis, found.resting_face) == (name, face)
    assert found.tilt_deg == pytest.approx(tilt_deg, abs=1e-6)
    assert found.turned_deg == pytest.approx(0 if name == "any" else angle_deg, abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "radius"),
    [
        (Sphere(radius_m=0.2), 0.2),
        (Box(size_m=(0.6, 0.8, 2.4)), 1.3),
        (Cylinder(radius_m=0.3, height_m=0.8), 0.5),
        (Capsule(radius_m=0.1, length_m=0.4), 0.3),
        (Cone(radius_m=0.3, height_m=1.6), 1.2),
        (Ellipsoid(radii_m=(0.1, 0.5, 0.2)), 0.5),
        (ConvexHull(points_m=((1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1))), 3**0.5),
        (
            Compound(
                pieces=(
                    Piece(shape=Sphere(radius_m=0.1), position_m=(0.5, 0, 0)),
                    Piece(shape=Sphere(radius_m=0.1), position_m=(-0.5, 0, 0)),
                )
            ),
            0.6,
        ),
    ],
)
def test_bounding_radius_reaches_the_farthest_point(shape, radius):
    assert bounding_radius_m(shape) == pytest.approx(radius)


def test_nothing_that_touches_is_nothing_that_happens():
    spec, trajectory = still_world([FLOOR, CUBE])
    assert find_impacts(spec, trajectory) == find_bounces(spec, trajectory) == ()
    assert contact_spans(trajectory, 1) == support_intervals(spec, trajectory, 1) == ()
    assert supports_at_end(spec, trajectory) == ((), ())
    assert np.isnan(rebound_height_m(spec, trajectory, 1))


def test_a_hundred_thousand_rows_are_read_in_a_few_hundredths_of_a_second():
    rng = np.random.default_rng(1)
    count, bodies = 100_000, 13
    names = [FLOOR] + [
        CUBE.model_copy(update={"name": f"c{k}", "position_m": (k, 0.0, 0.05)}) for k in range(bodies - 1)
    ]
    spec, still = still_world(names, duration_s=3.0)
    b = rng.integers(1, bodies, count)
    speed = np.where(rng.random(count) < 0.005, 0.4, 0.0)
    table = ContactTable(
        time_s=np.sort(rng.random(count)) * 3,
        body_a=np.zeros(count),
        body_b=b,
        point_m=np.zeros((count, 3)),
        normal=np.tile((0.0, 0.0, 1.0), (count, 1)),
        normal_impulse_n_s=np.ones(count),
        tangential_impulse_n_s=np.zeros((count, 3)),
        slip_velocity_m_s=np.zeros((count, 3)),
        approach_speed_m_s=speed,
    )
    pose = np.concatenate([still.body_pose, still.body_pose_end[None]])
    trajectory = trajectory_of(spec, pose, np.zeros((len(pose), bodies, 6)), table)
    used = []
    for _ in range(3):
        begin = time.process_time()
        impacts = find_impacts(spec, trajectory)
        find_bounces(spec, trajectory, impacts)
        rest_time_s(spec, trajectory)
        supports_at_end(spec, trajectory)
        for index in range(1, bodies):
            rebound_height_m(spec, trajectory, index, impacts)
            support_intervals(spec, trajectory, index)
        used.append(time.process_time() - begin)
    print(used)
    assert len(impacts) > 100
    assert min(used) < 0.15  # 0.03 s on a quiet machine; the bound only catches a loop over rows


@pytest.mark.parametrize("e", [0.2, 0.5, 0.8])
def test_rebound_and_impulse_of_a_simulated_ball_are_those_of_its_restitution(e):
    from physreel.simulators.mujoco import MujocoSimulator
    from physreel.spec import ContactPair

    drop_m, radius = 0.5, 0.05
    ball = Body(name="ball", shape=Sphere(radius_m=radius), material="rubber", position_m=(0, 0, drop_m + radius))
    pair = ContactPair(material_a="rubber", material_b="concrete", restitution=e, friction=0.5)
    spec = SceneSpec(scene="test", duration_s=1.5, fps=24, bodies=(FLOOR, ball), contact_pairs=(pair,))
    trajectory = MujocoSimulator().simulate(spec)
    first = find_impacts(spec, trajectory)[0]
    hit = np.sqrt(2 * GRAVITY * drop_m)
    assert first.time_s == pytest.approx(hit / GRAVITY, abs=3 * trajectory.step_s)
    assert first.approach_speed_m_s == pytest.approx(hit, rel=0.01)
    assert first.normal_impulse_n_s == pytest.approx(weight_of(spec, 1) / GRAVITY * hit * (1 + e), rel=0.03)
    assert first.rebounds
    assert rebound_height_m(spec, trajectory, 1) == pytest.approx(e * e * drop_m, rel=0.03)
