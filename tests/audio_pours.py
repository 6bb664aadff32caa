"""Worlds in which liquid arrives by hand, so that a test of its sound depends on no engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from liquid_worlds import moving, track

from physreel.geometry.vessels import Hollow, capacity_m3
from physreel.spec import Body, Fluid, Microphone, Plane, RegionFill, SceneSpec, Shape, Sphere, Tank, Vessel, VesselFill
from physreel.values import LiquidImpacts, Signal, Trajectory

RATE_HZ = 240.0
SPACING_M = 0.005
GLASS = Vessel(profile_m=((0.0, 0.005), (0.03, 0.005), (0.03, 0.125)), wall_m=0.0025)
"""Straight inside: 30 mm in radius, 120 mm deep."""

POOL = Tank(inside_m=(0.6, 0.6, 0.3), wall_m=0.01)
BOTTLE = Vessel(profile_m=((0.0, 0.005), (0.036, 0.005), (0.036, 0.14), (0.016, 0.18), (0.015, 0.24)), wall_m=0.003)


def wet_world(
    shape: Shape | None = GLASS,
    *,
    liquid: str = "water",
    duration_s: float = 3.0,
    microphones: tuple[tuple[float, float, float], ...] = ((0.0, -0.5, 0.2),),
    material: str = "glass",
    floor: str = "oak",
    **options: Any,
) -> SceneSpec:
    """A vessel, tank or other body named "thing" that stands on a floor at the origin (or no such body)."""
    ground = Body(name="floor", shape=Plane(), material=floor, motion="static")
    things = [Body(name="thing", shape=shape, material=material, motion="static")] if shape is not None else []
    fill = (
        VesselFill(vessel="thing", level_m=0.01)
        if isinstance(shape, (Vessel, Tank))
        else RegionFill(shape=Sphere(radius_m=0.02))
    )
    values: dict[str, Any] = {
        "scene": "by_hand",
        "duration_s": duration_s,
        "fps": 24,
        "bodies": (ground, *things),
        "fluids": (Fluid(name="drink", liquid=liquid, fills=(fill,)),),
        "particle_spacing_m": SPACING_M,
        "microphones": tuple(Microphone(name=f"m{k}", position_m=p) for k, p in enumerate(microphones)),
    }
    return SceneSpec(**(values | options))


def impacts(
    time_s: Any,
    *,
    speed_m_s: Any = 1.5,
    point_m: Any = (0.0, 0.0, 0.05),
    body: int = -1,
    normal: Any = (0.0, 0.0, 1.0),
    volume_m3: float = SPACING_M**3,
) -> LiquidImpacts:
    """Rows at times (R,), straight against the normal at ``speed_m_s``."""
    time = np.asarray(time_s, np.float64)
    count = len(time)
    out = np.broadcast_to(np.asarray(normal, np.float64), (count, 3))
    return LiquidImpacts(
        time_s=time,
        point_m=np.broadcast_to(np.asarray(point_m, np.float64), (count, 3)),
        velocity_m_s=-out * np.broadcast_to(np.asarray(speed_m_s, np.float64), (count,))[:, None],
        normal=out,
        particle=np.zeros(count, np.int32),
        body=np.full(count, body, np.int32),
        fluid=np.zeros(count, np.int32),
        volume_m3=np.full(count, volume_m3),
    )


def happened(
    spec: SceneSpec, rows: LiquidImpacts, signals: dict[str, Signal] | None = None, spacing_m: float = SPACING_M
) -> Trajectory:
    """A trajectory in which these rows are all that the liquid does, and bodies stand still."""
    count = max(len(rows), 1)
    positions = np.zeros((spec.frame_count + 1, count, 3), np.float32)
    return moving(spec, track(positions, spacing_m, impacts=rows), signals)


def stream(
    *,
    flow_m3_s: float = 1e-4,
    speed_m_s: float = 1.5,
    start_s: float = 0.2,
    stop_s: float = 2.9,
    width_m: float = 0.01,
    spacing_m: float = SPACING_M,
    seed: int = 1,
    layered: bool = False,
    sampled_hz: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Times (R,) and places across (R, 2) of the particles of a stream.

    ``layered``: as packed particles come, all of a layer at once; otherwise with jitter. ``sampled_hz``: times are
    those of the next sample of a recorder.
    """
    rng = np.random.default_rng(seed)
    count = round(flow_m3_s * (stop_s - start_s) / spacing_m**3)
    time = start_s + (np.arange(count) + (0.0 if layered else rng.uniform(-0.5, 0.5, count))) * spacing_m**3 / flow_m3_s
    if layered:
        period = spacing_m / speed_m_s
        time = start_s + np.floor((time - start_s) / period + 1e-9) * period
    if sampled_hz is not None:
        time = np.ceil(time * sampled_hz) / sampled_hz
    radius, angle = 0.5 * width_m * np.sqrt(rng.random(count)), 2 * np.pi * rng.random(count)
    order = np.argsort(time, kind="stable")
    return np.maximum(time, start_s)[order], np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def levels(shape: Hollow, volume_m3: np.ndarray) -> np.ndarray:
    """(N,) heights above the inside floor at which an upright vessel holds volumes (N,)."""
    heights = np.linspace(0.0, shape.rim_z_m - shape.floor_z_m, 500)
    return np.interp(volume_m3, [capacity_m3(shape, float(h)) for h in heights], heights)


def filling(
    spec: SceneSpec, *, flow_m3_s: float = 1e-4, start_s: float = 0.2, begin_level_m: float = 0.01, **options: Any
) -> Trajectory:
    """A steady stream into the thing, whose level rises with it."""
    shape = spec.body_index("thing"), spec.bodies[spec.body_index("thing")].shape
    assert isinstance(shape[1], (Vessel, Tank))
    hollow = shape[1]
    stop_s = options.pop("stop_s", spec.duration_s - 0.1)
    speed = options.pop("speed_m_s", 1.5)
    time, across = stream(flow_m3_s=flow_m3_s, start_s=start_s, stop_s=stop_s, speed_m_s=speed, **options)
    grid = np.arange(round(spec.duration_s * RATE_HZ) + 1) / RATE_HZ
    begin = capacity_m3(hollow, begin_level_m)
    volume = begin + flow_m3_s * np.clip(grid - start_s, 0.0, stop_s - start_s)
    level = levels(hollow, volume)
    point = np.column_stack([across, hollow.floor_z_m + np.interp(time, grid, level)])
    signals = {
        "level:thing": Signal(values=level, rate_hz=RATE_HZ, unit="m"),
        "volume:thing": Signal(values=volume, rate_hz=RATE_HZ, unit="m3"),
    }
    return happened(spec, impacts(time, speed_m_s=speed, point_m=point), signals)


def emptying(
    spec: SceneSpec, *, covered: float = 0.95, outflow_m3_s: float = 8e-5, start_s: float = 0.3, stop_s: float = 2.5
) -> Trajectory:
    """The thing loses liquid through a mouth of which a share is covered; nothing arrives anywhere."""
    shape = spec.bodies[spec.body_index("thing")].shape
    assert isinstance(shape, (Vessel, Tank))
    grid = np.arange(round(spec.duration_s * RATE_HZ) + 1) / RATE_HZ
    on = (grid >= start_s) & (grid < stop_s)
    volume = 0.6 * capacity_m3(shape) - np.cumsum(on * outflow_m3_s) / RATE_HZ
    level = levels(shape, volume)
    signals = {
        "level:thing": Signal(values=level, rate_hz=RATE_HZ, unit="m"),
        "volume:thing": Signal(values=volume, rate_hz=RATE_HZ, unit="m3"),
        "outflow:thing": Signal(values=on * outflow_m3_s, rate_hz=RATE_HZ, unit="m3/s"),
        "mouth:thing": Signal(values=on * covered, rate_hz=RATE_HZ, unit="1"),
    }
    return happened(spec, impacts(np.zeros(0)), signals)
