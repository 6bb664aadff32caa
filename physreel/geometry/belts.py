"""The way of an open belt round two pulleys, and what friction lets it pass on.

Euler  L. Euler, Mém. Acad. Sci. Berlin 18, 265 (1762); J. A. Eytelwein, Handbuch der Statik fester Körper (1808)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.errors import SpecError
from physreel.geometry.rotations import matrix_to_wxyz, multiply_wxyz
from physreel.spec import Belt, Joint, SceneSpec

Floats = NDArray[np.float64]

_PARALLEL = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class BeltPath:
    """A closed way that runs, in the sense in which the driver turns about its axis, off the driver and back to it.

    It begins where the straight span that the driver feeds towards the driven pulley leaves the driver: that span, the
    driven pulley, the other span, the driver. World frame at time 0, in the plane of the driver's anchor.

    Attributes:
        driver_m: (3,) the driver's centre.
        along: (3,) unit, from the driver's centre to the driven pulley's.
        axis: (3,) unit, the driver's hinge axis.
        distance_m: between the centres.
        driver_radius_m: at which the belt runs.
        driven_radius_m: likewise.
        sense: 1.0 where the two hinges' axes point the same way, -1.0 where they point opposite ways.
    """

    driver_m: Floats
    along: Floats
    axis: Floats
    distance_m: float
    driver_radius_m: float
    driven_radius_m: float
    sense: float

    @classmethod
    def of(cls, spec: SceneSpec, belt: Belt) -> BeltPath:
        """The way of a belt of the spec.

        Raises:
            SpecError: pulleys on axes that are not parallel, or that overlap.
        """
        joints: dict[str, Joint] = {joint.name: joint for joint in spec.joints}
        driver, driven = joints[belt.driver.joint], joints[belt.driven.joint]
        axis = np.asarray(driver.axis, np.float64)
        dot = float(axis @ np.asarray(driven.axis))
        where = f"belts.{spec.belts.index(belt)} ({belt.name!r})"
        if abs(dot) < 1.0 - _PARALLEL:
            angle = np.degrees(np.arccos(min(abs(dot), 1.0)))
            raise SpecError(
                [
                    f"{where}: the hinges {driver.name!r} and {driven.name!r} are not parallel ({angle:.2g}° apart); "
                    "an open belt needs parallel axes"
                ]
            )
        if driver is driven:
            raise SpecError([f"{where}: both pulleys are on the hinge {driver.name!r}; a belt runs between two hinges"])
        between = np.subtract(driven.anchor_m, driver.anchor_m)
        between = between - axis * float(between @ axis)
        distance = float(np.linalg.norm(between))
        least = belt.driver.radius_m + belt.driven.radius_m
        if distance <= least:
            raise SpecError(
                [
                    f"{where}: pulleys of {belt.driver.radius_m:g} and {belt.driven.radius_m:g} m overlap, their "
                    f"centres being {distance:.4g} m apart; move the hinges more than {least:.4g} m apart"
                ]
            )
        return cls(
            driver_m=np.asarray(driver.anchor_m, np.float64),
            along=between / distance,
            axis=axis,
            distance_m=distance,
            driver_radius_m=belt.driver.radius_m,
            driven_radius_m=belt.driven.radius_m,
            sense=1.0 if dot > 0.0 else -1.0,
        )

    @cached_property
    def lean_rad(self) -> float:
        """How far the spans lean from the line of centres; > 0 where the driver is the larger."""
        return float(np.arcsin((self.driver_radius_m - self.driven_radius_m) / self.distance_m))

    @property
    def span_m(self) -> float:
        """Length of one straight span."""
        return float(self.distance_m * np.cos(self.lean_rad))

    @property
    def driver_wrap_rad(self) -> float:
        """Angle over which the belt lies on the driver."""
        return float(np.pi + 2.0 * self.lean_rad)

    @property
    def driven_wrap_rad(self) -> float:
        """Angle over which the belt lies on the driven pulley."""
        return float(np.pi - 2.0 * self.lean_rad)

    @property
    def length_m(self) -> float:
        """Of the whole belt."""
        round_both = self.driver_radius_m * self.driver_wrap_rad + self.driven_radius_m * self.driven_wrap_rad
        return 2.0 * self.span_m + round_both

    def poses(self, at_m: ArrayLike) -> Floats:
        """(…, 7) poses at distances (…,) along the way: x along the belt, z along the driver's axis, y inwards."""
        at = np.mod(np.asarray(at_m, np.float64), self.length_m)
        lean, span, r1, r2 = self.lean_rad, self.span_m, self.driver_radius_m, self.driven_radius_m
        onto_driven, off_driven = span, span + r2 * self.driven_wrap_rad
        onto_driver = off_driven + span
        parts = [at < onto_driven, at < off_driven, at < onto_driver]
        turned = [np.full_like(at, lean), lean + (at - onto_driven) / r2, np.full_like(at, np.pi - lean)]
        heading = np.select(parts, turned, np.pi - lean + (at - onto_driver) / r1)
        centre = np.select(parts, [0.0, self.distance_m, self.distance_m], 0.0)
        radius = np.select(parts, [r1, r2, r2], r1)
        ahead = np.select(parts, [at, 0.0, at - off_driven], 0.0)
        across = np.cross(self.axis, self.along)
        cosine, sine = np.cos(heading), np.sin(heading)
        u = centre + radius * sine + ahead * cosine
        w = -radius * cosine + ahead * sine
        place = self.driver_m + u[..., None] * self.along + w[..., None] * across
        base = matrix_to_wxyz(np.stack([self.along, across, self.axis], 1))
        none = np.zeros_like(heading)
        turn = multiply_wxyz(base, np.stack([np.cos(heading / 2), none, none, np.sin(heading / 2)], -1))
        return np.concatenate([place, turn], -1)

    def share_to_driven(self, points_m: ArrayLike) -> Floats:
        """(…,) how far along the line of centres points (…, 3) are: 0 at the driver's centre, 1 at the driven one's."""
        way = (np.asarray(points_m, np.float64) - self.driver_m) @ self.along
        return np.clip(way / self.distance_m, 0.0, 1.0)


def holding_force_n(belt: Belt, path: BeltPath, *, sliding: bool = False) -> float:
    """The most that friction lets a belt pass on, N: 2 T tanh(μ θ / 2) (Euler); ``sliding``: once it slips."""
    friction = belt.friction * (1.0 - belt.friction_drop) if sliding else belt.friction
    wrap = min(path.driver_wrap_rad, path.driven_wrap_rad)
    return 2.0 * belt.tension_n * math.tanh(0.5 * friction * wrap)
