"""What machines have beside bodies and joints: bearings, belts, gas in cylinders, and teeth that can break off."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from physreel.spec.base import Name, NonNegative, Positive, SpecModel, UnitVec3

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class BearingDefect(SpecModel):
    """A pit on one part of a ball bearing.

    ``width_m`` is its length along the way of the balls. ``angle_deg`` is where it is at time 0, seen along the shaft's
    axis from the bearing's load direction (races), or which ball or bar it is, in shares of a turn (ball, cage).
    ``mark`` names a carried body that shows it and goes with the part it is on, or none.
    """

    part: Literal["outer_race", "inner_race", "ball", "cage"]
    width_m: Positive
    angle_deg: float = 0.0
    mark: Name | None = None


class Bearing(SpecModel):
    """A ball bearing that a hinge turns in: ``ball_count`` balls on a circle of ``pitch_diameter_m``.

    ``joint`` is the shaft's hinge (its axis and anchor are the bearing's). ``housing`` is the body that holds the outer
    ring and rings when a defect is struck. ``cage`` and ``balls`` name carried bodies that show the inside, or none.
    ``slip_share`` is how much the cage falls behind pure rolling on the mean; the way of single balls wanders by as
    much again (``seed``). ``radial_load_n`` acts on the shaft along ``load_direction`` (world).
    """

    name: Name
    joint: Name
    housing: Name
    ball_count: Annotated[int, Field(ge=3, le=60)]
    ball_diameter_m: Positive
    pitch_diameter_m: Positive
    contact_angle_deg: Annotated[float, Field(ge=0.0, le=45.0)] = 0.0
    slip_share: Annotated[float, Field(ge=0.0, le=0.05)] = 0.0
    radial_load_n: NonNegative = 0.0
    load_direction: UnitVec3 = (0.0, 0.0, -1.0)
    defect: BearingDefect | None = None
    cage: Name | None = None
    balls: tuple[Name, ...] = ()
    seed: Seed = 0

    @model_validator(mode="after")
    def _balls_fit(self) -> Bearing:
        problems = []
        room = self.pitch_diameter_m * math.sin(math.pi / self.ball_count)
        if self.ball_diameter_m >= room:
            most = int(math.pi / math.asin(min(1.0, self.ball_diameter_m / self.pitch_diameter_m)))
            problems.append(
                f"{self.ball_count} balls of {self.ball_diameter_m * 1e3:g} mm do not fit on a circle of "
                f"{self.pitch_diameter_m * 1e3:g} mm: at most {most} do, or balls below {room * 1e3:.4g} mm"
            )
        if self.balls and len(self.balls) != self.ball_count:
            problems.append(f"balls names {len(self.balls)} bodies, but ball_count is {self.ball_count}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Pulley(SpecModel):
    """A wheel that a belt runs over: the hinge that it turns on, and the radius at which the belt pulls."""

    joint: Name
    radius_m: Positive


class Belt(SpecModel):
    """An open belt or chain round two pulleys on parallel hinges.

    The force it passes on grows with its stretch (``stiffness_n_m``, ``damping_n_s_m``) up to what friction holds by
    Euler and Eytelwein's law from ``tension_n``, the force in each span at rest; beyond that it slips, and ``friction``
    falls by ``friction_drop`` (a share) once it does. A chain never slips. ``links`` are carried bodies spread evenly
    along it.
    """

    name: Name
    kind: Literal["belt", "chain"] = "belt"
    driver: Pulley
    driven: Pulley
    tension_n: Positive
    friction: Positive = 0.5
    friction_drop: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.3
    stiffness_n_m: Positive = 2e4
    damping_n_s_m: NonNegative = 20.0
    links: tuple[Name, ...] = ()


class GasCylinder(SpecModel):
    """The gas in one cylinder of a four-stroke engine, which pushes on a piston along its slide.

    The gas is at top dead centre of its cycle when the crank's hinge has turned by ``firing_angle_deg`` (every 720°).
    ``fires`` false is a misfire: it is compressed and expands, but does not burn.
    """

    name: Name
    crank_joint: Name
    piston_joint: Name
    bore_m: Positive
    stroke_m: Positive
    compression_ratio: Annotated[float, Field(gt=1.5, le=25.0)] = 9.0
    peak_pressure_pa: Positive = 3.0e6
    firing_angle_deg: float = 0.0
    fires: bool = True


class BreakableTooth(SpecModel):
    """A tooth of a gear that breaks off when the force on it passes ``strength_n``.

    Until then the body ``piece``, which starts in the tooth's place, goes with the gear; from then on it is free and
    the gear has a gap. The gear's shape lists the tooth in ``missing_teeth``, for it is the piece that is drawn.
    """

    name: Name
    gear: Name
    tooth: Annotated[int, Field(ge=0)]
    piece: Name
    strength_n: Positive
