"""The recorder of engines of liquids, on motions that are known in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from physreel.geometry.rotations import axis_angle_to_wxyz, keyframe_pose, rotate_wxyz
from physreel.geometry.vessels import capacity_m3, level_for_volume_m, world_inside
from physreel.simulators.liquid_record import LiquidRecord, LiquidRecorder, driven_poses, driven_velocities
from physreel.simulators.liquid_signals import hollow_points, lowest_m, smoothed
from physreel.spec import Body, Box, Fluid, Keyframe, Plane, RegionFill, SceneSpec, Tank, Vessel

G = 9.81
SPACING = 0.005
GLASS = Vessel(profile_m=((0.0, 0.006), (0.03, 0.006), (0.036, 0.1)), wall_m=0.003)
FLOOR = Body(name="floor", shape=Plane(), material="oak", motion="static")
Motion = Callable[[float], tuple[np.ndarray, np.ndarray]]


def world(*bodies: Body, duration_s: float = 0.6, fps: int = 30) -> SceneSpec:
    fill = RegionFill(shape=Box(size_m=(0.05, 0.05, 0.05)), position_m=(0.0, 0.0, 1.0))
    return SceneSpec(
        scene="by_hand", duration_s=duration_s, fps=fps, bodies=(FLOOR, *bodies),
        fluids=(Fluid(name="water", liquid="water", fills=(fill,)),), particle_spacing_m=SPACING,
    )  # fmt: skip


def glass(**changes) -> Body:
    return Body(**{"name": "glass", "shape": GLASS, "material": "glass", "motion": "static"} | changes)


def recorded(
    spec: SceneSpec,
    motion: Motion,
    present: Callable[[float], np.ndarray] | None = None,
    spacing_m: float = SPACING,
) -> LiquidRecord:
    count = len(motion(0.0)[0])
    recorder = LiquidRecorder(spec, spacing_m=spacing_m, fluid=np.zeros(count))
    for k in range(recorder.sample_count):
        time = recorder.time_s(k)
        there = np.ones(count, bool) if present is None else present(time)
        recorder.sample(time, *motion(time), there, driven_poses(spec, time))
    return recorder.finish()


def falling(start: np.ndarray, stop: np.ndarray) -> Motion:
    """Particles fall from rest at ``start`` (N, 3) to heights ``stop`` (N,), where they stay."""
    hit = np.sqrt(2 * (start[:, 2] - stop) / G)

    def motion(time: float) -> tuple[np.ndarray, np.ndarray]:
        flies = time < hit
        x, v = start.copy(), np.zeros_like(start)
        x[:, 2] = np.where(flies, start[:, 2] - G * time**2 / 2, stop)
        v[:, 2] = np.where(flies, -G * time, 0.0)
        return x, v

    return motion


def scattered(count: int, low_m: float, high_m: float, radius_m: float = 0.02) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.column_stack([rng.uniform(-radius_m, radius_m, (count, 2)), rng.uniform(low_m, high_m, count)])


def at(x: np.ndarray, *offset: float) -> np.ndarray:
    """Points moved by an offset."""
    return x + np.asarray(offset, np.float64)


def pool(level_m: float, half_m: float = 0.05) -> np.ndarray:
    axis = np.arange(-half_m, half_m, SPACING)
    z = np.arange(SPACING / 2, level_m, SPACING)
    return np.stack(np.meshgrid(axis, axis, z, indexing="ij"), -1).reshape(-1, 3)


# --- impacts ----------------------------------------------------------------------------------------------------------


def test_a_fall_onto_a_floor_is_one_impact_at_its_time_place_and_speed():
    start = scattered(300, 0.1, 0.8)
    stop = np.full(300, SPACING / 2)
    met = recorded(world(), falling(start, stop)).track.impacts
    hit = np.sqrt(2 * (start[:, 2] - stop) / G)
    order = np.argsort(hit)
    order = order[hit[order] < 0.6]
    hit = hit[order]
    assert sorted(met.particle.tolist()) == sorted(order.tolist())
    assert (met.particle == order).mean() > 0.9, "hits within a sample may change places"
    np.testing.assert_allclose(met.point_m[:, :2], start[met.particle, :2], atol=1e-6)
    np.testing.assert_allclose(met.time_s, hit, atol=1e-3)
    np.testing.assert_allclose(met.velocity_m_s[:, 2], -G * hit, atol=0.01)
    np.testing.assert_allclose(met.point_m[:, 2], SPACING / 2, atol=2e-3)
    np.testing.assert_allclose(met.normal, np.tile([0.0, 0.0, 1.0], (len(met), 1)), atol=1e-6)
    assert (met.body == 0).all()
    np.testing.assert_allclose(met.volume_m3, SPACING**3)


def test_the_first_drop_is_met_within_a_sample_also_in_an_empty_glass():
    start, stop = scattered(40, 0.2, 0.4), np.full(40, 0.006 + SPACING / 2)
    record = recorded(world(glass()), falling(start, stop))
    first = np.sqrt(2 * (start[:, 2] - stop) / G).min()
    assert record.track.impacts.time_s[0] == pytest.approx(first, abs=1 / 240)
    assert (record.track.impacts.body == 1).all()


def test_a_jet_that_plunges_into_a_pool_meets_the_pool():
    """A stream slows down over 2 cm of a pool: no wall is near, and each particle arrives once."""
    still, jet = pool(0.06), scattered(120, 0.2, 0.6, radius_m=0.005)
    top, depth = 0.06, 0.02

    def motion(time: float) -> tuple[np.ndarray, np.ndarray]:
        hit = np.sqrt(2 * (jet[:, 2] - top) / G)
        speed, after = G * hit, np.maximum(time - hit, 0.0)
        slow = np.exp(-after * speed / depth)
        x, v = jet.copy(), np.zeros_like(jet)
        x[:, 2] = np.where(after > 0, top - depth * (1 - slow), jet[:, 2] - G * time**2 / 2)
        v[:, 2] = np.where(after > 0, -speed * slow, -G * time)
        return np.vstack([still, x]), np.vstack([np.zeros_like(still), v])

    met = recorded(world(), motion).track.impacts
    hit = np.sort(np.sqrt(2 * (jet[:, 2] - top) / G))
    assert len(met) == len(hit)
    np.testing.assert_allclose(met.time_s, hit, atol=1 / 240)
    assert (met.body == -1).all()
    np.testing.assert_allclose(met.velocity_m_s[:, 2], -G * hit, rtol=0.1)
    np.testing.assert_allclose(met.normal[:, 2], 1.0)


def test_velocities_are_against_what_is_met():
    """A lift that rises at 0.5 m/s, and a pool that sinks at 0.3 m/s."""
    keys = tuple(Keyframe(time_s=t, position_m=(0.0, 0.0, -0.2 + 0.5 * t)) for t in (0.0, 1.0))
    lift = Body(name="lift", shape=Box(size_m=(0.4, 0.4, 0.02)), material="oak", motion="driven", keyframes=keys)
    spec = world(lift).model_copy(update={"bodies": (FLOOR.model_copy(update={"position_m": (0, 0, -1)}), lift)})
    start = scattered(50, 0.1, 0.3)

    def onto_lift(time: float) -> tuple[np.ndarray, np.ndarray]:
        top = -0.19 + SPACING / 2
        a = top - start[:, 2]
        hit = (-0.5 + np.sqrt(0.25 - 2 * G * a)) / G
        flies = time < hit
        x, v = start.copy(), np.zeros_like(start)
        x[:, 2] = np.where(flies, start[:, 2] - G * time**2 / 2, top + 0.5 * time)
        v[:, 2] = np.where(flies, -G * time, 0.5)
        return x, v

    met = recorded(spec, onto_lift).track.impacts
    assert len(met) == 50
    assert (met.body == 1).all()
    np.testing.assert_allclose(met.velocity_m_s[:, 2], -G * met.time_s - 0.5, atol=0.02)

    still, drops = pool(0.06), scattered(30, 0.3, 0.5, radius_m=0.01)

    def into_pool(time: float) -> tuple[np.ndarray, np.ndarray]:
        x, v = falling(drops, np.full(30, 0.05))(time)
        v[v[:, 2] == 0.0, 2] = -0.3
        return np.vstack([still, x]), np.vstack([np.full_like(still, 0.0) - [0, 0, 0.3], v])

    met = recorded(world(), into_pool).track.impacts
    assert len(met) == 30
    np.testing.assert_allclose(met.velocity_m_s[:, 2], -G * met.time_s + 0.3, atol=0.05)


def test_two_bounces_are_two_impacts():
    start = scattered(20, 0.3, 0.31)

    def motion(time: float) -> tuple[np.ndarray, np.ndarray]:
        hit = np.sqrt(2 * (start[:, 2] - SPACING / 2) / G)
        up, after = 0.4 * G * hit, np.maximum(time - hit, 0.0)
        second = 2 * up / G
        x, v = start.copy(), np.zeros_like(start)
        rises = (after > 0) & (after < second)
        x[:, 2] = np.select(
            [after == 0, rises],
            [start[:, 2] - G * time**2 / 2, SPACING / 2 + up * after - G * after**2 / 2],
            SPACING / 2,
        )
        v[:, 2] = np.select([after == 0, rises], [-G * time + 0 * up, up - G * after], 0.0)
        return x, v

    met = recorded(world(), motion).track.impacts
    assert len(met) == 40
    np.testing.assert_allclose(met.velocity_m_s[20:, 2], 0.4 * met.velocity_m_s[:20, 2], rtol=0.03)


def test_what_was_met_is_looked_for_where_it_was_then():
    """A plate that slides away from under a drop which it stops within 25 ms."""
    keys = tuple(Keyframe(time_s=t, position_m=(1.5 * (t - 0.2), 0.0, -0.01)) for t in (0.0, 0.6))
    plate = Body(name="plate", shape=Box(size_m=(0.03, 0.03, 0.02)), material="oak", motion="driven", keyframes=keys)
    spec = world(plate)
    spec = spec.model_copy(update={"bodies": (FLOOR.model_copy(update={"position_m": (0.0, 0.0, -1.0)}), plate)})

    def motion(time: float) -> tuple[np.ndarray, np.ndarray]:
        after = max(time - 0.2, 0.0)
        v = min(-G * min(time, 0.2) + 2.0 * G * after, 0.0) if after else -G * time
        z = G * 0.2**2 / 2 + SPACING / 2 - G * min(time, 0.2) ** 2 / 2 - G * 0.2 * min(after, 0.02)
        return np.array([[0.0, 0.0, z]]), np.array([[0.0, 0.0, v]])

    met = recorded(spec, motion).track.impacts
    assert met.body.tolist() == [1]
    np.testing.assert_allclose(met.time_s, 0.2, atol=1 / 240)
    assert met.velocity_m_s[0, 0] == pytest.approx(-1.5, rel=0.05)


def slowed(time: float) -> tuple[np.ndarray, np.ndarray]:
    """A drop falls by 8 mm and loses 0.11 m/s there, within a sample."""
    v = -G * time + 0.11 * (time > np.sqrt(0.016 / G))
    return np.array([[0.0, 0.0, 0.0095 - G * time**2 / 2]]), np.array([[0.0, 0.0, v]])


def test_a_slow_drop_that_loses_its_speed_at_once_has_arrived():
    # Faster than 1.5 g would change it within a sample, slower than 3 g would.
    assert 1.5 * G / 240 < 0.1 < 0.11 < 3.0 * G / 240
    assert recorded(world(duration_s=0.1), slowed, spacing_m=0.003).track.impacts.body.tolist() == [0]


def test_what_has_fallen_by_less_than_its_own_size_was_never_in_the_air():
    assert len(recorded(world(duration_s=0.1), slowed, spacing_m=0.006).track.impacts) == 0


def test_liquid_that_rests_sways_is_carried_or_brushed_meets_nothing():
    x = pool(0.03, 0.02)
    rng = np.random.default_rng(0)

    def rests(time: float) -> tuple[np.ndarray, np.ndarray]:
        return x, rng.normal(0, 0.02, x.shape)

    def sways(time: float) -> tuple[np.ndarray, np.ndarray]:
        # Up to 0.6 m/s sideways and 0.9 g.
        a, w = 0.04, 15.0
        return at(x, a * np.sin(w * time), 0, 0), np.tile([a * w * np.cos(w * time), 0, 0], (len(x), 1))

    def thrown_with_its_cup(time: float) -> tuple[np.ndarray, np.ndarray]:
        # All of it falls freely for 0.2 s and is then carried at its speed by 1 g.
        fall = min(time, 0.2)
        z = -G * fall**2 / 2 - G * fall * (time - fall)
        return at(x, 0, 0, z + 0.5), np.tile([0, 0, -G * fall], (len(x), 1))

    def brushed(time: float) -> tuple[np.ndarray, np.ndarray]:
        # Falls from 2 m, and is pushed by 0.05 m/s every 50 ms.
        pushes = np.floor(time / 0.05)
        v = np.zeros_like(x) - [0, 0, G * time]
        v[:, 0] = 0.05 * (pushes % 2)
        return at(x, 0, 0, 2 - G * time**2 / 2), v

    for motion in (rests, sways, thrown_with_its_cup, brushed):
        assert len(recorded(world(), motion).track.impacts) == 0, motion.__name__


# --- what vessels hold ------------------------------------------------------------------------------------------------


def filled(shape: Vessel | Tank, level_m: float) -> np.ndarray:
    """Points evenly spread in a hollow, one for each particle's volume."""
    points = hollow_points(shape)
    points = points[points[:, 2] < shape.floor_z_m + level_m]
    count = round(capacity_m3(shape, level_m) / SPACING**3)
    return points[np.linspace(0, len(points) - 1, count).astype(int)]


@pytest.mark.parametrize("shape", [GLASS, Tank(inside_m=(0.12, 0.06, 0.1), wall_m=0.004)])
@pytest.mark.parametrize("level_m", [0.02, 0.05, 0.09])
def test_volume_and_level_of_what_stands_upright(shape, level_m):
    x = filled(shape, level_m)
    body = glass(shape=shape, position_m=(0.3, -0.2, 0.1))
    signals = recorded(world(body), lambda t: (at(x, 0.3, -0.2, 0.1), np.zeros_like(x))).signals
    volume, level = signals["volume:glass"], signals["level:glass"]
    assert (volume.unit, level.unit, volume.rate_hz) == ("m3", "m", 240.0)
    assert len(volume.values) == 0.6 * 240 + 1
    np.testing.assert_allclose(volume.values, capacity_m3(shape, level_m), rtol=2e-2)
    np.testing.assert_allclose(level.values, level_m, rtol=0.02)


def test_the_level_follows_a_vessel_that_leans():
    """Liquid below a level plane in a glass that leans by 30°: its depth over the hollow's lowest point."""
    turn = axis_angle_to_wxyz((0.0, 1.0, 0.0), np.radians(30))
    body = glass(position_m=(0.0, 0.0, 0.1), orientation_wxyz=tuple(turn.tolist()))
    inside = hollow_points(GLASS)
    up = rotate_wxyz(turn * [1, -1, -1, -1], [0.0, 0.0, 1.0])
    depth = inside @ up - lowest_m(GLASS, up)
    assert depth.min() == pytest.approx(0.0, abs=2e-3)
    wet = inside[depth < 0.05]
    count = round(len(wet) / len(inside) * capacity_m3(GLASS) / SPACING**3)
    x = at(rotate_wxyz(turn, wet[np.linspace(0, len(wet) - 1, count).astype(int)]), 0, 0, 0.1)
    signals = recorded(world(body), lambda t: (x, np.zeros_like(x))).signals
    np.testing.assert_allclose(signals["level:glass"].values, 0.05, rtol=0.03)


def test_an_empty_vessel_has_no_level_and_a_film_hardly_one():
    outside = np.array([[0.2, 0.0, 0.002]])
    signals = recorded(world(glass()), lambda t: (outside, np.zeros_like(outside))).signals
    assert not signals["level:glass"].values.any()
    assert not signals["volume:glass"].values.any()
    film = np.array([[0.0, 0.0, 0.006 + SPACING / 2], [0.01, 0.0, 0.006 + SPACING / 2]])
    signals = recorded(world(glass()), lambda t: (film, np.zeros_like(film))).signals
    want = level_for_volume_m(GLASS, 2 * SPACING**3)
    assert 0.0 < signals["level:glass"].values[-1] < 2 * want


def test_drops_in_the_air_do_not_raise_the_level():
    x = np.vstack([filled(GLASS, 0.03), [[0.0, 0.0, 0.3]] * 20])

    def motion(time: float) -> tuple[np.ndarray, np.ndarray]:
        now, v = x.copy(), np.zeros_like(x)
        now[-20:, 2] -= 1.0 * time + G * time**2 / 2
        v[-20:, 2] = -1.0 - G * time
        return now, v

    signals = recorded(world(glass(), duration_s=0.15, fps=60), motion).signals
    assert signals["volume:glass"].values.max() > signals["volume:glass"].values[0]
    np.testing.assert_allclose(signals["level:glass"].values, 0.03, rtol=0.03)


# --- what flows in and out --------------------------------------------------------------------------------------------


def test_what_flows_out_over_the_rim_is_counted_once_though_it_jitters_there():
    """One particle after the other rises from the glass, trembles at the rim for a while and goes over it."""
    start = np.tile([0.0, 0.0, 0.05], (40, 1))
    leaves = 0.1 + 0.4 * np.arange(40) / 40

    def motion(time: float) -> tuple[np.ndarray, np.ndarray]:
        x = start.copy()
        near = np.abs(time - leaves) < 0.05
        gone = time - leaves >= 0.05
        x[near, 2] = 0.1 + 0.1 * SPACING * np.sin(2000 * time + np.arange(40)[near])
        x[gone] = [0.06, 0.0, 0.1]
        return x, np.zeros_like(x)

    signals = recorded(world(glass(), duration_s=0.8), motion).signals
    out = signals["outflow:glass"]
    assert out.values.sum() / out.rate_hz == pytest.approx(40 * SPACING**3, rel=1e-9)
    assert not signals["inflow:glass"].values.any()
    steady = out.values[round(0.25 * 240) : round(0.45 * 240)]
    np.testing.assert_allclose(steady, 100 * SPACING**3, rtol=0.05)
    assert signals["volume:glass"].values[-1] == 0.0


def test_what_falls_in_and_leaves_by_a_hole_is_counted_at_each():
    tank = Tank(inside_m=(0.1, 0.1, 0.1), wall_m=0.004, hole_m=0.02, hole_height_m=0.02)
    body = Body(name="tank", shape=tank, material="glass", motion="static")

    def motion(time: float) -> tuple[np.ndarray, np.ndarray]:
        z = 0.2 - 0.5 * time
        x = np.array([[0.0, 0.0, max(z, 0.024)]])
        if z < 0.024:
            x[0, 0] = 0.5 * (time - 0.352)
        return x, np.zeros((1, 3))

    signals = recorded(world(body), motion).signals
    # Through the rim at 0.104 m, and through the wall at x = 0.05 m.
    for name, moment in (("inflow:tank", (0.2 - 0.104) / 0.5), ("outflow:tank", 0.352 + 0.05 / 0.5)):
        values = signals[name].values
        assert values.sum() / 240 == pytest.approx(SPACING**3)
        assert np.argmax(values) / 240 == pytest.approx(moment, abs=0.01)
    assert "mouth:tank" not in signals


def test_smoothing_delays_nothing_and_loses_nothing():
    spike = np.zeros(241)
    spike[100] = 1.0
    smooth = smoothed(spike, 240.0)
    np.testing.assert_allclose(smooth[:201], smooth[:201][::-1], atol=1e-15)
    assert smooth.sum() == pytest.approx(1.0)
    assert np.flatnonzero(smooth > smooth.max() / 2).size / 240 == pytest.approx(0.05, abs=0.01)
    ends = np.zeros(241)
    ends[0] = 1.0
    assert smoothed(ends, 240.0).sum() == pytest.approx(1.0)
    assert smoothed(np.ones(1), 240.0).tolist() == [1.0]


def test_the_mouth_is_covered_by_as_much_as_stands_in_it():
    axis = np.arange(-0.05, 0.05, SPACING) + SPACING / 2
    layers = np.stack(np.meshgrid(axis, axis, [0.0975, 0.1025], indexing="ij"), -1).reshape(-1, 3)
    half = layers[layers[:, 0] > 0.0]
    low = layers - [0, 0, 0.02]
    for x, share in ((layers, 1.0), (half, 0.5), (low, 0.0)):
        values = recorded(world(glass(), duration_s=0.1), lambda t, x=x: (x, np.zeros_like(x))).signals["mouth:glass"]
        assert values.values[0] == pytest.approx(share, abs=0.05)


# --- frames -----------------------------------------------------------------------------------------------------------


def test_frames_are_samples_and_the_end_is_the_last():
    start = scattered(30, 0.5, 0.6)
    motion = falling(start, np.full(30, SPACING / 2))
    spec = world(fps=25)
    record = recorded(spec, motion, present=lambda t: np.arange(30) >= 100 * (t - 0.5))
    trajectory = record.trajectory(spec, step_s=1 / 250, simulator="by hand 1")
    liquid = trajectory.liquid
    assert liquid is record.track
    assert liquid.position_m.shape == (spec.frame_count, 30, 3)
    for k in (0, 7, 14):
        np.testing.assert_allclose(liquid.position_m[k], motion(k / 25)[0], atol=1e-6)
        np.testing.assert_allclose(liquid.velocity_m_s[k], motion(k / 25)[1], atol=1e-6)
    np.testing.assert_allclose(liquid.position_end_m, motion(0.6)[0], atol=1e-6)
    assert liquid.present[:13].all()
    assert liquid.present_end.sum() == 20
    assert record.signals == {}


def test_driven_bodies_are_where_and_as_fast_as_their_keyframes_say():
    turn = axis_angle_to_wxyz((0.0, 1.0, 0.0), 0.5)
    keys = (
        Keyframe(time_s=0.0, position_m=(0.0, 0.0, 0.2)),
        Keyframe(time_s=0.5, position_m=(0.1, 0.0, 0.2), orientation_wxyz=tuple(turn.tolist())),
    )
    cup = glass(name="cup", motion="driven", keyframes=keys)
    spec = world(cup)
    x = np.array([[0.0, 0.0, 0.5]])
    record = recorded(spec, lambda t: (x, np.zeros_like(x)))
    for k in (0, 6, 18):
        np.testing.assert_allclose(record.body_pose[k, 1], keyframe_pose(cup, k / 30), atol=1e-12)
    velocity = driven_velocities(spec)
    np.testing.assert_allclose(velocity[7, 1], [0.2, 0, 0, 0, 1.0, 0], atol=1e-6)
    np.testing.assert_allclose(velocity[0, 1], [0.2, 0, 0, 0, 1.0, 0], atol=1e-6)
    assert not velocity[17, 1].any()
    assert not velocity[:, 0].any()


def test_the_volume_counts_what_is_inside_a_moving_vessel():
    keys = tuple(Keyframe(time_s=t, position_m=(0.0, 0.0, 0.1 + t)) for t in (0.0, 1.0))
    cup = glass(name="cup", motion="driven", keyframes=keys)
    x = at(filled(GLASS, 0.05), 0.0, 0.0, 0.1)
    volume = recorded(world(cup), lambda t: (x, np.zeros_like(x))).signals["volume:cup"].values
    for k in (0, 6, 12):
        held = world_inside(cup, keyframe_pose(cup, k / 240), x).sum() * SPACING**3
        assert volume[k] == pytest.approx(held)
    assert volume[-1] == 0.0


def test_samples_come_in_order_and_in_full():
    spec = world()
    recorder = LiquidRecorder(spec, spacing_m=SPACING, fluid=np.zeros(1))
    x, there = np.zeros((1, 3)), np.ones(1, bool)
    recorder.sample(0.0, x, x, there, driven_poses(spec, 0.0))
    with pytest.raises(ValueError, match=r"sample 1 of 145 is due at 0\.004167 s, got 0\.010000 s"):
        recorder.sample(0.01, x, x, there, driven_poses(spec, 0.0))
    with pytest.raises(ValueError, match="1 of 145 samples were taken"):
        recorder.finish()


def test_samples_are_copies():
    spec = world(duration_s=0.1)
    recorder = LiquidRecorder(spec, spacing_m=SPACING, fluid=np.zeros(1))
    x, v, there = np.zeros((1, 3)), np.zeros((1, 3)), np.ones(1, bool)
    for k in range(recorder.sample_count):
        x[:] = k
        recorder.sample(recorder.time_s(k), x, v, there, driven_poses(spec, 0.0))
    assert recorder.finish().track.position_m[:, 0, 0].tolist() == [0.0, 8.0, 16.0]
