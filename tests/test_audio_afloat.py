"""Bodies that come into liquid and float in it, as the ear has them, and which vessel liquid is heard in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from audio_pours import POOL, RATE_HZ, happened, impacts, wet_world
from liquid_worlds import moving, track

from physreel.renderers.audio.arrivals import find_arrivals
from physreel.renderers.audio.contact import ContactSoundRenderer
from physreel.renderers.audio.plunge import find_plunges
from physreel.renderers.audio.poses import Poses
from physreel.renderers.audio.readings import Readings
from physreel.spec import Body, Sphere, Tank
from physreel.values import LiquidImpacts, Signal


def sinking(spec, start_m, way_m_s):
    """The last body of a world goes straight on at one speed, so that frames and velocities say the same."""
    level = Signal(values=np.full(round(spec.duration_s * RATE_HZ) + 1, 0.2), rate_hz=RATE_HZ, unit="m")
    still = happened(spec, LiquidImpacts.empty(), {"level:thing": level})
    time = np.arange(spec.frame_count + 1) / spec.fps
    pose = np.concatenate([still.body_pose, still.body_pose_end[None]])
    velocity = np.zeros((len(time), len(spec.bodies), 6))
    pose[:, -1, :3] = np.add(start_m, time[:, None] * way_m_s)
    velocity[:, -1, :3] = way_m_s
    return replace(
        still, body_pose=pose[:-1], body_pose_end=pose[-1], body_velocity=velocity[:-1], body_velocity_end=velocity[-1]
    )


def with_stone(**options):
    stone = Body(name="stone", shape=Sphere(radius_m=0.02), material="marble", position_m=(0.05, 0.0, 0.6))
    base = wet_world(POOL, duration_s=1.0, **options)
    return base.model_copy(update={"bodies": (*base.bodies, stone)})


def plunge_of(spec, trajectory):
    return find_plunges(spec, Readings(spec, trajectory), Poses(spec, trajectory))


def test_without_gravity_nothing_plops():
    spec = with_stone(gravity_m_s2=(0.0, 0.0, 0.0))
    moved = sinking(spec, (0.05, 0.0, 0.6), (0.0, 0.0, -2.0))
    assert plunge_of(spec, moved) == []
    assert not ContactSoundRenderer().render(spec, moved).samples.any()


def test_a_plop_is_at_the_surface_whatever_is_up():
    """The whole world turned by a right angle sounds at the same moment."""
    upright = with_stone()
    aside = with_stone(gravity_m_s2=(-9.81, 0.0, 0.0))
    turned = aside.bodies[1].model_copy(update={"orientation_wxyz": (np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0)})
    aside = aside.model_copy(update={"bodies": (aside.bodies[0], turned, aside.bodies[2])})
    (one,) = plunge_of(upright, sinking(upright, (0.05, 0.0, 0.6), (0.0, 0.0, -2.0)))
    (other,) = plunge_of(aside, sinking(aside, (0.6, 0.0, -0.05), (-2.0, 0.0, 0.0)))
    assert one.ring.time_s == pytest.approx([(0.6 - 0.02 - 0.21) / 2.0 + 2 * np.sqrt(0.02 / 9.81)], abs=2e-3)
    assert other.ring.time_s == pytest.approx(one.ring.time_s, abs=1e-3)


@pytest.mark.parametrize("first", ["glass", "tray"])
def test_liquid_falls_into_the_smallest_vessel_around_it(first):
    tray = Body(name="tray", shape=Tank(inside_m=(0.4, 0.4, 0.2), wall_m=0.005), material="glass", motion="static")
    base = wet_world()
    glass = base.bodies[1].model_copy(update={"position_m": (0.0, 0.0, 0.005)})
    pair = (glass, tray) if first == "glass" else (tray, glass)
    spec = base.model_copy(update={"bodies": (base.bodies[0], *pair)})
    trajectory = happened(spec, impacts([0.3, 0.6], point_m=(0.0, 0.0, 0.05)))
    vessel = find_arrivals(spec, trajectory.liquid, Poses(spec, trajectory)).vessel
    assert [spec.bodies[i].name for i in vessel] == ["thing", "thing"]


def test_what_floats_does_not_sag_between_frames():
    spec = with_stone()
    grid = np.stack(np.meshgrid(*(np.arange(-4, 5) * 0.005,) * 3, indexing="ij"), -1).reshape(-1, 3)
    around = np.array([0.05, 0.0, 0.6]) + grid[np.linalg.norm(grid, axis=1) > 0.022]
    positions = np.repeat(around[None].astype(np.float32), spec.frame_count + 1, axis=0)
    between_frames = (np.arange(20) + 0.7) / spec.fps
    afloat, _ = Poses(spec, moving(spec, track(positions, 0.005))).at(2, between_frames)
    assert np.abs(afloat - [0.05, 0.0, 0.6]).max() < 1e-9
    dry, _ = Poses(spec, moving(spec, track(positions + np.float32(1.0), 0.005))).at(2, between_frames)
    assert (dry[:, 2] < 0.599).all()
