"""The plop of a body that falls into liquid: the cavity behind it closes, and what air it keeps rings.

Sources: T. T. Truscott, B. P. Epps, J. Belden, Annu. Rev. Fluid Mech. 46, 355 (2014), water entry: the cavity closes
about 2 √(R/g) after entry, whatever the speed. How much air stays with it varies with wetting and shape; AIR_SHARE is a
usual value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.extents import support_distances
from physreel.geometry.mass import mass_properties
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz, up_direction
from physreel.geometry.vessels import hollow_bodies, inside
from physreel.renderers.audio.bubbles import Bubbles, closing, ringing
from physreel.renderers.audio.dice import Dice
from physreel.renderers.audio.entrainment import RISE, roughness
from physreel.renderers.audio.poses import Poses
from physreel.renderers.audio.readings import Readings
from physreel.spec import Body, SceneSpec, Tank, Vessel

Floats = NDArray[np.float64]

SLOWEST_M_S, LEAST_FROUDE = 0.4, 1.0
"""What comes in slower, or with a smaller v² / (g R), is wetted all round and keeps no air."""

CLOSES = 2.0
"""The cavity closes after so many √(R/g)."""

AIR_SHARE, FULL_FROUDE = 0.35, 6.0
"""Radius of the bubble against that of the ball of the body's volume, from the second Froude number on."""

SWING, PLUNGE_LOSS = 0.008, 0.06
"""Swing of the bubble's radius against it, and its loss factor beside Devin's: it is no sphere, and near a body."""

_RATE_HZ = 1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Plunge:
    """A body that came into liquid.

    Attributes:
        body: index of the body.
        vessel: index of what holds the liquid.
        fluid: index of the fluid.
        ring: the bubble that it left, one or none.
    """

    body: int
    vessel: int
    fluid: int
    ring: Bubbles


def find_plunges(spec: SceneSpec, readings: Readings, poses: Poses) -> list[Plunge]:
    """Bodies that fall into vessels and tanks with liquid in them, by vessel and body; each the first time it does.

    Without gravity nothing falls, and no cavity closes.
    """
    if not any(spec.gravity_m_s2):
        return []
    vessels = [i for i in hollow_bodies(spec) if readings.has("level", body=i)]
    found = []
    for vessel in vessels:
        for index, body in enumerate(spec.bodies):
            if body.motion == "dynamic":
                found += _first_plunge(spec, readings, poses, vessel, index, body)
    return found


def _first_plunge(
    spec: SceneSpec, readings: Readings, poses: Poses, vessel: int, index: int, body: Body
) -> list[Plunge]:
    grid = np.arange(0.0, spec.duration_s, 1.0 / _RATE_HZ)
    level = readings.calm_level(vessel, grid)
    holder, holder_quat = poses.at(vessel, grid)
    shape = spec.bodies[vessel].shape
    assert isinstance(shape, (Vessel, Tank))
    up = up_direction(spec)
    surface = holder @ up + _lowest_m(shape, rotate_wxyz(conjugate_wxyz(holder_quat), up)) + level
    position, quat = poses.at(index, grid)
    height = position @ up
    above = height - support_distances(body.shape, rotate_wxyz(conjugate_wxyz(quat), -up)) - surface
    at = np.flatnonzero((above[:-1] > 0.0) & (above[1:] <= 0.0) & (level[1:] > 0.0))
    within = position + (surface - height)[:, None] * up
    for k in at.tolist():
        speed = (above[k] - above[k + 1]) * _RATE_HZ
        local = rotate_wxyz(conjugate_wxyz(holder_quat[k]), within[k] - holder[k])
        if speed >= SLOWEST_M_S and bool(inside(shape, local[None])[0]):
            time = float(grid[k] + above[k] / (above[k] - above[k + 1]) / _RATE_HZ)
            return [_plunge(spec, readings, vessel, index, time, speed)]
    return []


def _lowest_m(shape: Vessel | Tank, up: Floats) -> Floats:
    """(N,) heights of the lowest point of a hollow over the shape's origin, along ``up`` (N, 3) in its frame.

    It is from there that levels are counted.
    """
    if isinstance(shape, Tank):
        lower = np.minimum(shape.floor_z_m * up[:, 2], shape.rim_z_m * up[:, 2])
        return np.asarray(lower - np.abs(up[:, :2]) @ (np.array(shape.inside_m[:2]) / 2))
    r, z = np.asarray(shape.profile_m, np.float64).T
    return np.asarray((z * up[:, 2:] - r * np.hypot(up[:, 0], up[:, 1])[:, None]).min(1))


def _plunge(spec: SceneSpec, readings: Readings, vessel: int, index: int, time_s: float, speed_m_s: float) -> Plunge:
    body, fluid = spec.bodies[index], readings.fluid_in(vessel)
    liquid = spec.liquid(spec.fluids[fluid].liquid)
    radius = float(np.cbrt(3.0 * mass_properties(body.shape).mass / (4.0 * np.pi)))
    gravity = float(np.linalg.norm(spec.gravity_m_s2))
    froude = speed_m_s**2 / (gravity * radius)
    kept = np.clip((froude - LEAST_FROUDE) / (FULL_FROUDE - LEAST_FROUDE), 0.0, 1.0)
    some = np.zeros(int(kept > 0.0), np.int64)
    dice = Dice(spec, f"{body.name} into {spec.bodies[vessel].name}")
    speed, size = np.full(len(some), speed_m_s), np.full(len(some), radius)
    ring = ringing(
        some,
        np.full(len(some), time_s + CLOSES * np.sqrt(radius / gravity)),
        AIR_SHARE * size * np.cbrt(kept) * (0.85 + 0.3 * dice.uniform("size", len(some))),
        SWING * dice.swing("swing", len(some)) * closing(speed, liquid) * roughness(speed, size, liquid),
        np.full(len(some), RISE),
        liquid,
        spec.air,
        more_loss=PLUNGE_LOSS,
    )
    return Plunge(body=index, vessel=vessel, fluid=fluid, ring=ring)
