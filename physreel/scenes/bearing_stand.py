"""A bearing on a stand: an upright plate that holds it, a shaft with a flywheel, a motor, and a guard over the bearing.

In the machine's own frame the shaft is along y, which points from the bearing's open face to the flywheel; z is up, and
the origin is on the base plate's upper side below the middle of the balls.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.draws import pick
from physreel.geometry.bearings import BearingSize, defect_ball, first_ball_angle_rad, first_pit_angle_rad
from physreel.geometry.rotations import multiply_wxyz, rotate_wxyz
from physreel.scenes.objects import COLORS
from physreel.spec import (
    MATERIALS,
    Bearing,
    Body,
    Box,
    Compound,
    Cylinder,
    Ellipsoid,
    Look,
    Piece,
    Quat,
    Ring,
    Shape,
    Sphere,
    Vec3,
)

Floats = NDArray[np.float64]

SHOULDER_SHARE = 0.3
"""How far races reach over the balls at their sides, in ball diameters from the pitch circle."""

FLYWHEEL_REACH_M = 0.042
"""The flywheel is so much wider than the bearing, in radius: it is seen above the guard."""

PLATE_REACH_M = 0.011
GUARD_GAP_M = 0.005
_ALONG: Quat = (0.5**0.5, -(0.5**0.5), 0.0, 0.0)
"""Turns z to y."""

STEEL_LOOK = MATERIALS["steel"].look
_RAW = {
    "steel": Look(color=(0.40, 0.41, 0.43), roughness=0.5, metallic=0.6),
    "aluminium": Look(color=(0.62, 0.63, 0.65), roughness=0.5, metallic=0.6),
}
"""Rolled and milled, not polished: large flat mirrors would hide the machine's shape."""
_DARK = Look(color=(0.012, 0.009, 0.008), roughness=0.9)
_BRASS = Look(color=(0.70, 0.50, 0.16), roughness=0.35, metallic=1.0)
_PAINTS = {
    "grey": (0.30, 0.31, 0.32), "green": (0.10, 0.24, 0.15), "blue": (0.07, 0.15, 0.33), "cream": (0.66, 0.60, 0.46),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StandPlan:
    """What of the machine is not the bearing's own: measures, materials, colours, and whether it is covered."""

    size: BearingSize
    plate_m: float
    plate_material: str
    paint: str
    flywheel_material: str
    mark_color: str
    covered: bool
    guard_material: str
    guard_wall_m: float
    guard_color: str
    place_m: Vec3
    turn_wxyz: Quat
    spin_rad_s: float

    @property
    def flywheel_m(self) -> float:
        """Its radius."""
        return 0.5 * self.size.outer_diameter_m + FLYWHEEL_REACH_M

    @property
    def axis_m(self) -> float:
        """Height of the shaft above the base."""
        return self.flywheel_m + 0.008

    @property
    def top_m(self) -> float:
        """Of the plate, above the base."""
        return self.axis_m + 0.5 * self.size.outer_diameter_m + 0.009

    @property
    def half_m(self) -> float:
        """Half the plate's width."""
        return 0.5 * self.size.outer_diameter_m + PLATE_REACH_M

    @property
    def face_m(self) -> float:
        """Where along the shaft the plate's front is: the front half of the bearing stands out of it."""
        return 0.15 * self.size.width_m

    @property
    def wheel_at_m(self) -> float:
        """Where along the shaft the middle of the flywheel is."""
        return self.face_m + self.plate_m + 0.042

    def world(self, point_m: tuple[float, float, float]) -> Vec3:
        """A point of the machine's frame in the world."""
        x, y, z = (np.array(self.place_m) + rotate_wxyz(self.turn_wxyz, np.array(point_m))).tolist()
        return x, y, z

    def turned(self, quat: Quat) -> Quat:
        """A turn of the machine's frame in the world."""
        w, x, y, z = multiply_wxyz(self.turn_wxyz, quat).tolist()
        return w, x, y, z

    @property
    def anchor_m(self) -> Vec3:
        """The middle of the balls, world."""
        return self.world((0.0, 0.0, self.axis_m))

    @property
    def axis(self) -> Vec3:
        """Of the shaft, world."""
        x, y, z = rotate_wxyz(self.turn_wxyz, np.array([0.0, 1.0, 0.0])).tolist()
        return x, y, z

    def points_m(self) -> Floats:
        """(N, 3) what the camera must see: the corners of everything but the motor."""
        half, front = self.flywheel_m + 0.004, -0.5 * self.size.width_m - GUARD_GAP_M - 0.012
        back = self.wheel_at_m + 0.01
        return np.array(
            [self.world((x, y, z)) for x in (-half, half) for y in (front, back) for z in (-0.01, self.axis_m + half)]
        )


@dataclass(eq=False)
class _Builder:
    plan: StandPlan
    bodies: list[Body] = field(default_factory=list)

    def add(
        self, name: str, shape: Shape, at: tuple[float, float, float], *, material: str = "steel",
        look: Look | None = None, motion: str = "static", turn: Quat = (1.0, 0.0, 0.0, 0.0), label: str = "",
    ) -> str:  # fmt: skip
        """A body at a place of the machine's frame; what is dynamic turns with the shaft from the start."""
        plan = self.plan
        spin = plan.spin_rad_s if motion == "dynamic" else 0.0
        axis = np.array(plan.axis)
        position = plan.world(at)
        velocity = np.cross(spin * axis, np.subtract(position, plan.anchor_m)).tolist()
        self.bodies.append(
            Body(
                name=name, shape=shape, material=material, motion=motion, position_m=position,
                orientation_wxyz=plan.turned(turn), look=look, label=label,
                velocity_m_s=tuple(velocity) if spin else (0.0, 0.0, 0.0),
                angular_velocity_rad_s=tuple((spin * axis).tolist()),
            )
        )  # fmt: skip
        return name


def stand_bodies(plan: StandPlan, bearing: Bearing) -> tuple[Body, ...]:
    """The machine with its bearing; what turns is "shaft", "inner_ring", "flywheel" and "mark"."""
    size, build = plan.size, _Builder(plan)
    height, width = plan.axis_m, size.width_m
    paint = Look(color=_PAINTS[plan.paint], roughness=0.5)
    front = -0.5 * width - GUARD_GAP_M - 0.012
    back = plan.wheel_at_m + 0.075
    build.add("base", Box(size_m=(2.0 * plan.flywheel_m + 0.008, back - front, 0.01)),
              (0.0, 0.5 * (front + back), -0.005), look=paint, label="base plate")  # fmt: skip
    build.add("plate", Box(size_m=(2.0 * plan.half_m, plan.plate_m, plan.top_m)),
              (0.0, plan.face_m + 0.5 * plan.plate_m, 0.5 * plan.top_m), material=plan.plate_material,
              look=paint if plan.plate_material == "steel" else _RAW["aluminium"], label="stand")  # fmt: skip
    motor = 0.55 * plan.flywheel_m
    build.add("motor", Cylinder(radius_m=motor, height_m=0.05), (0.0, plan.wheel_at_m + 0.045, height), turn=_ALONG,
              look=paint, label="motor")  # fmt: skip
    build.add("motor_foot", Box(size_m=(1.2 * motor, 0.05, height - 0.8 * motor)),
              (0.0, plan.wheel_at_m + 0.045, 0.5 * (height - 0.8 * motor)), look=paint, label="motor foot")  # fmt: skip
    _turning(build)
    build.add(
        "outer_ring",
        Ring(inner_radius_m=0.5 * size.pitch_diameter_m + SHOULDER_SHARE * size.ball_diameter_m,
             outer_radius_m=0.5 * size.outer_diameter_m, height_m=width),
        (0.0, 0.0, height), turn=_ALONG, look=STEEL_LOOK, label="outer ring",
    )  # fmt: skip
    _inside(build, bearing)
    if plan.covered:
        _guard(build)
    return tuple(build.bodies)


def _turning(build: _Builder) -> None:
    plan = build.plan
    size, height = plan.size, plan.axis_m
    thin = 0.3 * size.bore_m
    stub = Piece(shape=Cylinder(radius_m=0.5 * size.bore_m, height_m=size.width_m + 0.002))
    start, end = 0.5 * size.width_m + 0.001, plan.wheel_at_m + 0.015
    rod = Piece(shape=Cylinder(radius_m=thin, height_m=end - start), position_m=(0.0, 0.0, 0.5 * (start + end)))
    look = STEEL_LOOK.model_copy(update={"roughness": 0.45})
    build.add("shaft", Compound(pieces=(stub, rod)), (0.0, 0.0, height), motion="dynamic", turn=_ALONG, look=look,
              label="shaft")  # fmt: skip
    inner = 0.5 * size.pitch_diameter_m - SHOULDER_SHARE * size.ball_diameter_m
    build.add("inner_ring", Ring(inner_radius_m=0.5 * size.bore_m, outer_radius_m=inner, height_m=size.width_m),
              (0.0, 0.0, height), motion="dynamic", turn=_ALONG, look=STEEL_LOOK, label="inner ring")  # fmt: skip
    build.add("flywheel", Cylinder(radius_m=plan.flywheel_m, height_m=0.014), (0.0, plan.wheel_at_m, height),
              motion="dynamic", turn=_ALONG, material=plan.flywheel_material, look=_RAW[plan.flywheel_material],
              label="flywheel")  # fmt: skip
    # One broad bar from the hub to the rim: with two, half a turn would look like none.
    long = plan.flywheel_m - thin - 0.004
    build.add("mark", Box(size_m=(0.35 * plan.flywheel_m, 0.002, long)),
              (0.0, plan.wheel_at_m - 0.0081, height + thin + 0.5 * long), motion="dynamic", material="ABS",
              look=Look(color=COLORS[plan.mark_color], roughness=0.5), label=f"{plan.mark_color} mark")  # fmt: skip


def _inside(build: _Builder, bearing: Bearing) -> None:
    """Balls, cage, and the pit, where they are at time 0."""
    plan = build.plan
    size, height = plan.size, plan.axis_m
    ball, radius = size.ball_diameter_m, 0.5 * size.pitch_diameter_m
    spacing = 2.0 * np.pi / size.ball_count
    first = first_ball_angle_rad(bearing)
    for k, name in enumerate(bearing.balls):
        build.add(name, Sphere(radius_m=0.5 * ball), _round(radius, first + k * spacing, height), motion="carried",
                  look=STEEL_LOOK.model_copy(update={"roughness": 0.08}), label="ball")  # fmt: skip
    assert bearing.cage is not None
    build.add(bearing.cage, _cage(size, first), (0.0, 0.0, height), motion="carried", look=_BRASS, label="cage")
    defect = bearing.defect
    if defect is None or defect.mark is None:
        return
    face = -0.5 * size.width_m
    wide, angle = defect.width_m, float(np.radians(defect.angle_deg))
    shoulder = SHOULDER_SHARE * ball
    match defect.part:
        case "outer_race":
            low, high = radius + shoulder, radius + shoulder + 0.75 * (0.5 * size.outer_diameter_m - radius - shoulder)
        case "inner_race":
            low, high = radius - shoulder - 0.75 * (radius - shoulder - 0.5 * size.bore_m), radius - shoulder
        case "cage":
            angle = first + (defect_ball(bearing) + 0.5) * spacing
            low, high, face = radius - 0.26 * ball, radius + 0.26 * ball, -0.47 * ball
        case _:
            _ball_pit(build, bearing)
            return
    build.add(defect.mark, Box(size_m=(wide, 0.6e-3, high - low)), _round(0.5 * (low + high), angle, height, face),
              motion="carried", turn=_radial(angle), look=_DARK, label="pit")  # fmt: skip


def _ball_pit(build: _Builder, bearing: Bearing) -> None:
    """A flake from where the ball rolls to its front pole."""
    plan, defect = build.plan, bearing.defect
    assert defect is not None
    assert defect.mark is not None
    size = plan.size
    half = 0.5 * size.ball_diameter_m
    place = first_ball_angle_rad(bearing) + defect_ball(bearing) * 2.0 * np.pi / size.ball_count
    # From outwards, against the shaft's sense: balls turn the other way.
    angle = place - first_pit_angle_rad(bearing)
    middle = np.array(_round(0.5 * size.pitch_diameter_m, place, plan.axis_m))
    outward = np.array(_round(1.0, angle, 0.0)) * np.cos(0.85) + np.array([0.0, -1.0, 0.0]) * np.sin(0.85)
    x, y, z = (middle + 0.88 * half * outward).tolist()
    shape = Ellipsoid(radii_m=(0.5 * defect.width_m, 0.7 * half, 0.16 * half))
    tilt = (float(np.cos(0.425)), float(np.sin(0.425)), 0.0, 0.0)
    turn = multiply_wxyz(_radial(angle), tilt).tolist()
    build.add(defect.mark, shape, (x, y, z), motion="carried", turn=(turn[0], turn[1], turn[2], turn[3]), look=_DARK,
              label="pit")  # fmt: skip


def _round(radius: float, angle: float, height: float, along: float = 0.0) -> tuple[float, float, float]:
    """A place round the shaft: the angle is from straight down, in the sense of a turn about + y."""
    return -radius * float(np.sin(angle)), along, height - radius * float(np.cos(angle))


def _radial(angle: float) -> Quat:
    """Turns - z outwards at such an angle, about y."""
    return float(np.cos(0.5 * angle)), 0.0, float(np.sin(0.5 * angle)), 0.0


def _cage(size: BearingSize, first: float) -> Compound:
    """A bar between each two balls, and a ribbon of straight pieces along the front."""
    ball, radius = size.ball_diameter_m, 0.5 * size.pitch_diameter_m
    spacing = 2.0 * np.pi / size.ball_count
    pieces = []
    for k in range(size.ball_count):
        between = first + (k + 0.5) * spacing
        bar = max(2.0 * radius * np.sin(0.5 * spacing) - 1.08 * ball, 0.12 * ball)
        pieces.append(
            Piece(shape=Box(size_m=(float(bar), 0.8 * ball, 0.34 * ball)), position_m=_round(radius, between, 0.0),
                  orientation_wxyz=_radial(between))
        )  # fmt: skip
        for share in (0.25, 0.75):
            at = first + (k + share) * spacing
            chord = 2.0 * radius * float(np.sin(0.25 * spacing)) * 1.04
            pieces.append(
                Piece(shape=Box(size_m=(chord, 0.06 * ball, 0.17 * ball)),
                      position_m=_round(radius, at, 0.0, -0.43 * ball), orientation_wxyz=_radial(at))
            )  # fmt: skip
    return Compound(pieces=tuple(pieces))


def _guard(build: _Builder) -> None:
    """Five walls over stand and bearing, closed but for a hole for the shaft at the back."""
    plan = build.plan
    wall = plan.guard_wall_m
    half, top = plan.half_m + GUARD_GAP_M + wall, plan.top_m + GUARD_GAP_M + wall
    front = -0.5 * plan.size.width_m - GUARD_GAP_M - wall
    back = plan.face_m + plan.plate_m + GUARD_GAP_M + wall
    deep, middle = back - front, 0.5 * (front + back)
    hole = 0.3 * plan.size.bore_m + 0.001
    axis = plan.axis_m

    def box(size: tuple[float, float, float], at: tuple[float, float, float]) -> Piece:
        return Piece(shape=Box(size_m=size), position_m=at)

    side = half - hole
    pieces = (
        box((2.0 * half, wall, top), (0.0, front + 0.5 * wall, 0.5 * top)),
        box((wall, deep, top), (half - 0.5 * wall, middle, 0.5 * top)),
        box((wall, deep, top), (0.5 * wall - half, middle, 0.5 * top)),
        box((2.0 * half, deep, wall), (0.0, middle, top - 0.5 * wall)),
        box((side, wall, top), (hole + 0.5 * side, back - 0.5 * wall, 0.5 * top)),
        box((side, wall, top), (-hole - 0.5 * side, back - 0.5 * wall, 0.5 * top)),
        box((2.0 * hole, wall, axis - hole), (0.0, back - 0.5 * wall, 0.5 * (axis - hole))),
        box((2.0 * hole, wall, top - axis - hole), (0.0, back - 0.5 * wall, 0.5 * (top + axis + hole))),
    )
    look = _RAW.get(plan.guard_material)
    if look is None:
        look = Look(color=COLORS[plan.guard_color], roughness=0.4)
    noun = "plastic" if plan.guard_material == "ABS" else plan.guard_material
    color = f"{plan.guard_color} " if plan.guard_material == "ABS" else ""
    build.add("guard", Compound(pieces=pieces), (0.0, 0.0, 0.0), material=plan.guard_material, look=look,
              label=f"{color}{noun} guard")  # fmt: skip


def draw_plan(
    rng: np.random.Generator, size: BearingSize, *, covered: bool, place_m: Vec3, spin_rad_s: float
) -> StandPlan:
    """A machine round a bearing; everything is drawn whether or not it comes to use, so that nothing hangs on it."""
    yaw = float(rng.uniform(-0.35, 0.35))
    guard = pick(rng, ("ABS", "ABS", "aluminium", "steel"))
    thick = {"ABS": (0.0015, 0.003), "aluminium": (0.001, 0.002), "steel": (0.0007, 0.0012)}[guard]
    colors = tuple(name for name in COLORS if name not in ("black", "white"))
    return StandPlan(
        size=size,
        plate_m=float(rng.uniform(0.006, 0.012)),
        plate_material=pick(rng, ("steel", "aluminium")),
        paint=pick(rng, tuple(_PAINTS)),
        flywheel_material=pick(rng, ("steel", "aluminium")),
        mark_color=pick(rng, colors),
        covered=covered,
        guard_material=guard,
        guard_wall_m=float(rng.uniform(*thick)),
        guard_color=pick(rng, colors),
        place_m=place_m,
        turn_wxyz=(float(np.cos(0.5 * yaw)), 0.0, 0.0, float(np.sin(0.5 * yaw))),
        spin_rad_s=spin_rad_s,
    )
