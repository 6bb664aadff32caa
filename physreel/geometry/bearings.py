"""Ball bearings in figures: how often what passes what in a turn of the shaft, and the measures of common sizes.

Sources, by the short names used below:
  Harris  T. A. Harris, M. N. Kotzalas, Rolling Bearing Analysis, 5th ed. (2006), 7 and 10: load zone, speeds of parts
  CWRU    Case Western Reserve University Bearing Data Center, table of the drive-end (6205) and fan-end (6203) bearing
  ISO     ISO 15:2017, boundary dimensions of radial bearings
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SpecError
from physreel.spec import Bearing, SceneSpec

Floats = NDArray[np.float64]

LOAD_INTEGRAL = 0.2288
"""Stribeck's radial integral for a load zone of half a turn and point contacts (Harris, table 7.1, epsilon = 0.5)."""


HALF_ZONE = 0.5
"""Stribeck's epsilon: without play, half a turn of the outer race carries the load."""

FLOOR_SHARE = 0.02
"""Share of the greatest ball load that preload leaves on balls outside of the zone."""

STEEL_DENSITY_KG_M3 = 7850.0

HERTZ_MODULUS_PA = 200e9 / (2.0 * (1.0 - 0.29**2))
"""Of steel on steel."""

GRAVITY_M_S2 = 9.81

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, kw_only=True)
class BearingOrders:
    """How often something happens in one turn of the shaft, without slip (Harris, 10).

    Attributes:
        bpfo: a ball passes a place on the outer race.
        bpfi: a ball passes a place on the inner race.
        bsf: a ball turns about itself; a pit on it meets a race twice as often.
        ftf: the cage goes round.
    """

    bpfo: float
    bpfi: float
    bsf: float
    ftf: float


def bearing_orders(bearing: Bearing) -> BearingOrders:
    """The kinematic orders of a bearing whose outer ring stands still; ``slip_share`` is left out."""
    return orders(
        bearing.ball_count, bearing.ball_diameter_m, bearing.pitch_diameter_m, bearing.contact_angle_deg
    )  # fmt: skip


def orders(
    ball_count: int, ball_diameter_m: float, pitch_diameter_m: float, contact_angle_deg: float = 0.0
) -> BearingOrders:
    """The same from the four figures alone."""
    ratio = ball_diameter_m / pitch_diameter_m * math.cos(math.radians(contact_angle_deg))
    return BearingOrders(
        bpfo=0.5 * ball_count * (1.0 - ratio),
        bpfi=0.5 * ball_count * (1.0 + ratio),
        bsf=0.5 * pitch_diameter_m / ball_diameter_m * (1.0 - ratio**2),
        ftf=0.5 * (1.0 - ratio),
    )


def ball_loads(bearing: Bearing, place_rad: Floats, cage_rad_s: Floats) -> Floats:
    """Load in N of balls at angles from the load's direction: Q = Qmax (1 - (1 - cos) / (2 epsilon))^1.5, and a floor.

    Outside of the zone there are preload, the ball's weight and, from the cage's speed, what presses it outwards.
    """
    mass = ball_mass_kg(bearing)
    greatest = bearing.radial_load_n / (
        bearing.ball_count * LOAD_INTEGRAL * math.cos(math.radians(bearing.contact_angle_deg))
    )
    share = np.maximum(1.0 - (1.0 - np.cos(place_rad)) / (2.0 * HALF_ZONE), 0.0) ** 1.5
    floor = FLOOR_SHARE * greatest + mass * (GRAVITY_M_S2 + cage_rad_s**2 * 0.5 * bearing.pitch_diameter_m)
    return np.asarray(greatest * share + floor)


def ball_mass_kg(bearing: Bearing) -> float:
    """Of one ball, of steel."""
    return STEEL_DENSITY_KG_M3 * math.pi / 6.0 * bearing.ball_diameter_m**3


def first_ball_angle_rad(bearing: Bearing) -> float:
    """Where ball 0 is at time 0: angle from the load's direction, in the shaft's sense. The others follow evenly."""
    return 2.0 * math.pi * ((bearing.seed * _GOLDEN) % 1.0)


def first_pit_angle_rad(bearing: Bearing) -> float:
    """How far a ball's pit has turned, at time 0, since it last met the outer race."""
    return 2.0 * math.pi * ((bearing.seed * _GOLDEN**2) % 1.0)


def load_point_m(spec: SceneSpec, bearing: Bearing) -> tuple[Floats, Floats]:
    """Where the outer race is pressed most (3,), world, and in which direction (3,).

    Raises:
        SpecError: a load along the shaft.
    """
    joint = spec.joint(bearing.joint)
    axis, load = np.array(joint.axis), np.array(bearing.load_direction)
    across = load - (load @ axis) * axis
    size = float(np.linalg.norm(across))
    if size < 1e-3:
        where = f"bearings.{spec.bearings.index(bearing)}.load_direction"
        raise SpecError([f"{where}: {bearing.load_direction} is along the shaft; give one across it"])
    toward = across / size
    reach = 0.5 * (bearing.pitch_diameter_m + bearing.ball_diameter_m)
    return np.array(joint.anchor_m) + reach * toward, toward


def defect_ball(bearing: Bearing) -> int:
    """Which ball has the pit, or is behind the broken bar of the cage (0 where there is neither)."""
    angle = bearing.defect.angle_deg if bearing.defect is not None else 0.0
    return round(angle / 360.0 * bearing.ball_count) % bearing.ball_count


@dataclass(frozen=True, kw_only=True)
class BearingSize:
    """Measures of a deep-groove ball bearing; ``source`` says where those of the balls are from."""

    ball_count: int
    ball_diameter_m: float
    pitch_diameter_m: float
    bore_m: float
    outer_diameter_m: float
    width_m: float
    source: str


def _usual(bore_mm: float, outer_mm: float, width_mm: float, count: int, ball_mm: float) -> BearingSize:
    return BearingSize(
        ball_count=count,
        ball_diameter_m=ball_mm * 1e-3,
        pitch_diameter_m=0.5e-3 * (bore_mm + outer_mm),
        bore_m=bore_mm * 1e-3,
        outer_diameter_m=outer_mm * 1e-3,
        width_m=width_mm * 1e-3,
        source="ISO; pitch circle half-way between bore and outside; balls in inch sizes as commonly filled",
    )


def _measured(
    bore_mm: float, outer_mm: float, width_mm: float, count: int, ball_mm: float, pitch: float
) -> BearingSize:
    return BearingSize(
        ball_count=count,
        ball_diameter_m=ball_mm * 1e-3,
        pitch_diameter_m=pitch * 1e-3,
        bore_m=bore_mm * 1e-3,
        outer_diameter_m=outer_mm * 1e-3,
        width_m=width_mm * 1e-3,
        source="ISO; balls and pitch circle: CWRU",
    )


BEARINGS: dict[str, BearingSize] = {
    "6000": _usual(10, 26, 8, 7, 4.762),
    "6200": _usual(10, 30, 9, 8, 4.762),
    "6201": _usual(12, 32, 10, 7, 5.953),
    "6202": _usual(15, 35, 11, 8, 5.953),
    "6203": _measured(17, 40, 12, 8, 6.747, 28.5),
    "6204": _usual(20, 47, 14, 8, 7.938),
    "6205": _measured(25, 52, 15, 9, 7.94, 39.04),
    "6206": _usual(30, 62, 16, 9, 9.525),
    "6304": _usual(20, 52, 15, 7, 9.525),
    "6306": _usual(30, 72, 19, 8, 12.303),
}
"""Deep-groove ball bearings by their number. Makers differ by a ball or a few tenths of a millimetre."""
