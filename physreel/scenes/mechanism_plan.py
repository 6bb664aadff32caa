"""Where the parts of a mechanism on a board are: measures and places, from left to right as drawn, or mirrored.

Places (u, v) are metres on the board: u to the right, v up, from the middle of the driving gear. Depths are towards the
viewer, from the board's face. Angles and turns are counter-clockwise as the viewer sees an unmirrored board.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.gears import mesh_distance_m, meshing_turn_rad
from physreel.geometry.rotations import multiply_wxyz
from physreel.spec import Gear, Piece, Quat, Vec3
from physreel.spec.shapes import ConvexShape

Job = Literal["ring_bell", "lift_weight"]
Place = tuple[float, float]

MODULE_M = 0.005
LAYER_M = 0.026
"""Depth of the middle of gears, finger, lever, latch, hammer or arm, load: what touches is in one layer."""

THICK_M = 0.012
"""Of what is in the layer, along the depth."""

PULLEY_LAYER_M = 0.047
PULLEY_WIDTH_M = 0.016
REACH_M = 0.088
"""From the second shaft to the finger's tip while it is straight."""

HUB_M = 0.040
"""From the second shaft to the finger's hinge."""

OVERLAP_M = 0.019
"""How far the finger's circle reaches over the lever's end."""

DROP_M = 0.020
"""How far the lever's upper side lies below the second shaft."""

LEVER_M = (0.075, 0.092)
"""The lever's two arms."""

LATCH_GAP_M = 0.029
"""How far the lever's end rises before it meets the latch."""

LATCH_TAIL_M = 0.055
LATCH_LEG_M = 0.070
TOOTH_M = 0.011
"""How far the latch's hook reaches over the beam's tip."""

BEAM_M = 0.150
BAR_M = 0.012
"""Thickness of lever, latch and beam in the board's plane."""

HEAD_M = 0.013
BELL_M, BELL_WALL_M = 0.049, 0.0052
STRIKE_RAD = 0.42
"""How far the hammer has turned when it meets the bell."""

WEIGHT_M = (0.060, 0.050, 0.030)
WEIGHT_ARM_M = 0.085
"""From the arm's hinge to the middle of the weight."""

MARGIN_M, BOARD_STEP_M = 0.02, 0.04
FOOT_M = 0.024
MARK_M = 0.045
"""How far the weight must rise."""

FACE: Quat = (0.5**0.5, 0.5**0.5, 0.0, 0.0)
"""Turns a part's own frame (x right, y up, z to the viewer) into the world."""


@dataclass(frozen=True, kw_only=True)
class MechanismPlan:
    """What was drawn of a mechanism, and the places that follow.

    Attributes:
        job: what it is for.
        tooth_counts: of the three gears.
        gear_lines_rad: where the second gear lies from the first, and the third from the second.
        shaft_line_rad: where the second shaft lies from the first.
        shaft_distance_m: between the two.
        pulley_radii_m: on the first and on the second shaft.
        finger_turn_rad: where the finger points at first.
        gear_turn_rad: where tooth 0 of the driving gear points at first.
        thinning_m: of the teeth.
        mirrored: whether the chain runs from right to left.
        origin_m: the middle of the driving gear on the board's face, in the world.
    """

    job: Job
    tooth_counts: tuple[int, int, int]
    gear_lines_rad: tuple[float, float]
    shaft_line_rad: float
    shaft_distance_m: float
    pulley_radii_m: tuple[float, float]
    finger_turn_rad: float
    gear_turn_rad: float
    thinning_m: float
    mirrored: bool
    origin_m: Vec3

    @property
    def side(self) -> float:
        """1.0, or -1.0 where mirrored."""
        return -1.0 if self.mirrored else 1.0

    @property
    def axis(self) -> Vec3:
        """Of all hinges: turns about it are counter-clockwise on an unmirrored board."""
        return (0.0, -self.side, 0.0)

    def at(self, place: Place, depth_m: float = 0.0) -> Vec3:
        """A place on the board in the world."""
        x, y, z = self.origin_m
        return (x + self.side * place[0], y - depth_m, z + place[1])

    def gear_facing(self, turn_rad: float) -> Quat:
        """The orientation of a gear whose tooth 0 points along a turn."""
        half = 0.5 * (math.pi - turn_rad if self.mirrored else turn_rad)
        w, x, y, z = multiply_wxyz(np.array(FACE), np.array([math.cos(half), 0.0, 0.0, math.sin(half)])).tolist()
        return w, x, y, z

    def piece(self, shape: ConvexShape, place: Place, depth_m: float = 0.0, turn_rad: float = 0.0) -> Piece:
        """A piece of a part that faces the viewer, at a place in the part's own frame."""
        half = 0.5 * self.side * turn_rad
        return Piece(
            shape=shape,
            position_m=(self.side * place[0], place[1], depth_m),
            orientation_wxyz=(math.cos(half), 0.0, 0.0, math.sin(half)),
        )

    # --- gears and shafts -------------------------------------------------------------------------------------------

    @cached_property
    def gears(self) -> tuple[Gear, Gear, Gear]:
        """The three gears, whole."""
        first, second, third = (
            Gear(
                module_m=MODULE_M,
                tooth_count=count,
                width_m=THICK_M,
                thinning_m=self.thinning_m,
                bore_radius_m=0.008,
                spoke_count=5 if k == 2 else 0,
            )
            for k, count in enumerate(self.tooth_counts)
        )
        return first, second, third

    @cached_property
    def gear_places(self) -> tuple[Place, Place, Place]:
        """Middles of the gears; the third's is the first shaft."""
        first, second, third = self.gears
        one = _along((0.0, 0.0), self.gear_lines_rad[0], mesh_distance_m(first, second))
        two = _along(one, self.gear_lines_rad[1], mesh_distance_m(second, third))
        return (0.0, 0.0), one, two

    @cached_property
    def gear_turns_rad(self) -> tuple[float, float, float]:
        """Where tooth 0 of each gear points at first."""
        first, second, third = self.gears
        one = meshing_turn_rad(first, self.gear_turn_rad, second, self.gear_lines_rad[0])
        return self.gear_turn_rad, one, meshing_turn_rad(second, one, third, self.gear_lines_rad[1])

    @property
    def shaft(self) -> Place:
        """The second shaft."""
        return _along(self.gear_places[2], self.shaft_line_rad, self.shaft_distance_m)

    @property
    def finger(self) -> Place:
        """The finger's hinge."""
        return _along(self.shaft, self.finger_turn_rad, HUB_M)

    @property
    def finger_way_rad(self) -> float:
        """How far the second shaft turns before the finger meets the lever."""
        return self.finger_turn_rad + math.asin((DROP_M - 0.005) / REACH_M)

    # --- lever, latch, beam, load -----------------------------------------------------------------------------------

    @property
    def lever(self) -> Place:
        """The lever's pivot, in the middle of its bar."""
        u, v = self.shaft
        return u + REACH_M - OVERLAP_M + LEVER_M[0], v - DROP_M - 0.5 * BAR_M

    @property
    def latch(self) -> Place:
        """The latch's pivot, in the middle of its tail."""
        u, v = self.lever
        return u + LEVER_M[1] + LATCH_TAIL_M - 0.028, v + BAR_M + LATCH_GAP_M

    @property
    def beam(self) -> Place:
        """The hinge of hammer or lifting arm, in the middle of its bar; the bar points back to the latch."""
        u, v = self.latch
        return u + 0.007 + BEAM_M, v - LATCH_LEG_M - 0.5 * BAR_M - 0.0002

    @property
    def head(self) -> Place:
        """The middle of the hammer's head, from the beam's hinge."""
        return -(BEAM_M - 0.032), 0.5 * BAR_M + 0.012

    @property
    def bell(self) -> Place:
        """The bell's middle: it is met squarely when the hammer has turned by STRIKE_RAD."""
        (x, y), (u, v) = self.head, self.beam
        cosine, sine = math.cos(STRIKE_RAD), math.sin(STRIKE_RAD)
        x, y = x * cosine + y * sine, -x * sine + y * cosine
        size, reach = math.hypot(x, y), BELL_M + HEAD_M
        return u + x + reach * y / size, v + y - reach * x / size

    @property
    def weight(self) -> Place:
        """The middle of the weight, which stands on the arm."""
        u, v = self.beam
        return u - WEIGHT_ARM_M, v + 0.5 * BAR_M + 0.5 * WEIGHT_M[1] + 0.0002

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Of everything on the board: least u and v, greatest u and v."""
        tips = [(place, gear.tip_radius_m) for place, gear in zip(self.gear_places, self.gears, strict=True)]
        tips += [(self.shaft, REACH_M), (self.beam, 0.035)]
        tips += [(self.bell, BELL_M)] if self.job == "ring_bell" else [(self.weight, 0.5 * WEIGHT_M[1] + 0.09)]
        return (
            min(u - r for (u, _), r in tips),
            min(v - r for (_, v), r in tips),
            max(u + r for (u, _), r in tips),
            max(v + r for (_, v), r in tips),
        )

    @property
    def board(self) -> tuple[float, float, float, float]:
        """The board's edges: least u and v, greatest u and v. It is sawn to whole BOARD_STEP_M."""
        u0, v0, u1, v1 = self.extent
        wide, tall = (
            0.5 * (math.ceil((size + 2.0 * MARGIN_M) / BOARD_STEP_M) * BOARD_STEP_M - size)
            for size in (u1 - u0, v1 - v0)
        )
        return u0 - wide, v0 - tall, u1 + wide, v1 + tall

    def standing(self, x: float, y: float, top_m: float) -> MechanismPlan:
        """The same with the board's feet at a height, its middle at x and its face at y."""
        u0, v0, u1, _ = self.board
        return replace(self, origin_m=(x - self.side * 0.5 * (u0 + u1), y, top_m - v0 + FOOT_M))

    def corners_m(self) -> NDArray[np.float64]:
        """(8, 3) corners of what must be seen, in the world."""
        u0, v0, u1, v1 = self.board
        return np.array([self.at((u, v), d) for u in (u0, u1) for v in (v0 - FOOT_M, v1) for d in (-0.02, 0.07)])


def _along(place: Place, turn_rad: float, distance_m: float) -> Place:
    return place[0] + distance_m * math.cos(turn_rad), place[1] + distance_m * math.sin(turn_rad)
