"""The glug of a bottle: while liquid fills its mouth, air comes in as one large bubble after another.

What goes out must be made up for by air. A mouth that liquid covers lets it in by bubbles about as wide as the neck (C.
Clanet, G. Searby, On the glug-glug of ideal bottles, J. Fluid Mech. 510, 145 (2004)), so their rate is the flow over a
bubble's volume. So does one through which more flows out than air gets past in a stream of its own (G. B. Wallis,
One-dimensional Two-phase Flow, 1969): engines that move no air do not hold that flow back, and leave the mouth in part
free. Each rings, breaks into smaller ones, and knocks on the air behind, which then breathes through what
is free of the mouth, as Helmholtz's resonator does. A jug, whose mouth is never full, pours without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.vessels import capacity_m3, inner_radius_m
from physreel.renderers.audio.bubbles import GAMMA, Bubbles, closing, gathered, ringing
from physreel.renderers.audio.dice import Dice
from physreel.renderers.audio.readings import Readings
from physreel.spec import SceneSpec, Vessel

Floats = NDArray[np.float64]

COVERED, CROWDED = 0.85, 0.5
"""Share of the mouth that must be covered, and where the flow is beyond Wallis's limit."""

WALLIS = 0.725
"""Sum of the square roots of both flows' Froude numbers beyond which they cannot pass each other (Wallis)."""

LEAST_FLOW_M3_S = 3e-6
SMOOTH_S = 0.03
SHORTEST_S = 0.05

NECK_SHARE = 0.4
"""The neck is the narrowest place of so much of the depth, from the rim."""

PIECES, PIECE_SHARE, PIECES_S = 6, (0.1, 0.35), 0.09
"""Smaller bubbles that come off each large one: how many, their radii against its own, and within which time."""

LARGE_LOSS = 0.12
"""Loss factor of a bubble that is no sphere and close to walls, beside the other losses."""

BREATH_LOSS, BREATH_SHARE = 0.25, 0.5
"""Loss factor of the air behind that breathes, and the share of the head by which its pressure swings."""

LEAST_OPEN = 0.05
"""Of a mouth full of liquid that much is free for air while a bubble comes in."""

_RATE_HZ = 1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Glugs:
    """G bubbles that came in at a vessel's mouth, and all that rings by them; ``rings.row`` is the number of a glug."""

    fluid: int
    time_s: Floats
    rings: Bubbles


def find_glugs(spec: SceneSpec, readings: Readings, vessel: int) -> Glugs | None:
    """The glugs of one vessel; None if it has none."""
    body = spec.bodies[vessel]
    if not isinstance(body.shape, Vessel) or not spec.fluids:
        return None
    if not readings.has("mouth", "outflow", "volume", body=vessel):
        return None
    shape, fluid = body.shape, readings.fluid_in(vessel)
    neck = _neck_radius_m(shape)
    grid = np.arange(0.0, spec.duration_s, 1.0 / _RATE_HZ)
    outflow, covered = readings.at("outflow", vessel, grid), _smooth(readings.at("mouth", vessel, grid))
    crowded = (covered > CROWDED) & (_smooth(outflow) > flooding_m3_s(spec, neck, fluid))
    pours = ((covered > COVERED) | crowded) & (outflow > LEAST_FLOW_M3_S)
    pours = _lasting(pours, round(SHORTEST_S * _RATE_HZ))
    if not pours.any():
        return None
    air_in = np.cumsum(np.where(pours, outflow, 0.0)) / _RATE_HZ
    dice = Dice(spec, f"{body.name} glugs")
    most = int(air_in[-1] / (0.8 * 4.0 / 3.0 * np.pi * neck**3)) + 1
    size = 0.8 + 0.4 * dice.uniform("size", most)
    due = np.cumsum(4.0 / 3.0 * np.pi * neck**3 * size)
    due = due[due <= air_in[-1]]
    if not len(due):
        return None
    time = grid[np.searchsorted(air_in, due)]
    radius = neck * np.cbrt(size[: len(due)])
    return Glugs(fluid=fluid, time_s=time, rings=_rings(spec, readings, shape, vessel, fluid, time, radius, dice))


def flooding_m3_s(spec: SceneSpec, neck_radius_m: float, fluid: int) -> float:
    """The greatest flow of a liquid through a neck past as much air that comes in, in streams of their own (Wallis)."""
    lighter = spec.air.density_kg_m3 / spec.liquid(spec.fluids[fluid].liquid).density_kg_m3
    gravity = float(np.linalg.norm(spec.gravity_m_s2))
    speed = np.sqrt(2.0 * gravity * neck_radius_m * (1.0 - lighter)) * (WALLIS / (1.0 + lighter**0.25)) ** 2
    return float(speed * np.pi * neck_radius_m**2)


def _rings(
    spec: SceneSpec,
    readings: Readings,
    shape: Vessel,
    vessel: int,
    fluid: int,
    time: Floats,
    radius: Floats,
    dice: Dice,
) -> Bubbles:
    liquid, air, count = spec.liquid(spec.fluids[fluid].liquid), spec.air, len(time)
    gravity = float(np.linalg.norm(spec.gravity_m_s2))
    number = np.arange(count)
    # The head of liquid over the mouth is what the bubble meets: it is squeezed by as much when it closes.
    head = liquid.density_kg_m3 * gravity * np.maximum(readings.calm_level(vessel, time), 2.0 * radius)
    squeeze = head / (3.0 * GAMMA * air.pressure_pa)
    speed = np.sqrt(2.0 * head / liquid.density_kg_m3)
    relative = squeeze * dice.swing("swing", count) * closing(speed, liquid)
    large = ringing(number, time, radius, relative, np.zeros(count), liquid, air, more_loss=LARGE_LOSS)
    of = np.repeat(number, PIECES)
    low, high = PIECE_SHARE
    small = ringing(
        of,
        time[of] + PIECES_S * dice.uniform("moment", len(of)),
        radius[of] * (low + (high - low) * dice.uniform("piece", len(of))),
        2.0 * squeeze[of] * dice.swing("pieces", len(of)) * closing(speed[of], liquid),
        np.zeros(len(of)),
        liquid,
        air,
    )
    # Helmholtz: the air behind, and the plug of air in the free part of the neck.
    rim = shape.profile_m[-1][0]
    behind = np.maximum(capacity_m3(shape) - readings.at("volume", vessel, time), 1e-5)
    free = np.maximum(1.0 - readings.at("mouth", vessel, time), LEAST_OPEN) * np.pi * rim**2
    plug = _neck_length_m(shape) + 1.2 * np.sqrt(free / np.pi)
    omega = air.speed_of_sound_m_s * np.sqrt(free / (behind * plug))
    breath = Bubbles(
        row=number,
        time_s=time,
        radius_m=radius,
        hertz=omega / (2.0 * np.pi),
        decay_per_s=0.5 * BREATH_LOSS * omega,
        flow_m3_s2=BREATH_SHARE * free * head / (air.density_kg_m3 * plug) * closing(speed, liquid),
        sweep_per_s=np.zeros(count),
    )
    return gathered([large, small, breath])


def _neck_radius_m(shape: Vessel) -> float:
    deep = shape.rim_z_m - shape.floor_z_m
    return float(inner_radius_m(shape, shape.rim_z_m - np.linspace(0.0, NECK_SHARE, 40) * deep).min())


def _neck_length_m(shape: Vessel) -> float:
    """How far down from the rim the vessel is hardly wider than its neck; at least the neck's radius."""
    neck = _neck_radius_m(shape)
    down = np.linspace(0.0, shape.rim_z_m - shape.floor_z_m, 200)
    wide = np.flatnonzero(inner_radius_m(shape, shape.rim_z_m - down) > 1.3 * neck)
    return max(float(down[wide[0]]) if len(wide) else float(down[-1]), neck)


def _smooth(values: Floats) -> Floats:
    width = round(SMOOTH_S * _RATE_HZ)
    return np.convolve(np.pad(values, width, mode="edge"), np.full(2 * width + 1, 1.0 / (2 * width + 1)), mode="valid")


def _lasting(flags: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """Runs of True that are at least so long."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False]))
    out = np.zeros(len(flags), np.bool_)
    for start, stop in edges.reshape(-1, 2).tolist():
        out[start:stop] = stop - start >= shortest
    return out
