"""Gears on a board: the bodies and joints of a planned train, with its handle, pointer, load, fault and falling thing.

The machine's own frame has x to the right, y up the board and z out of it to who looks; z = 0 is the board's front.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import multiply_wxyz, rotate_wxyz
from physreel.scenes.gear_faults import Fault, Run, output_rate
from physreel.scenes.gear_layouts import RACK_TRAVEL_M
from physreel.scenes.gear_parts import (
    ARM_M,
    Finish,
    Stage,
    about_z,
    carrier,
    falling_thing,
    handle,
    pointer,
    tooth_piece,
)
from physreel.scenes.gear_trains import PlannedGear, Train
from physreel.scenes.objects import COLORS
from physreel.spec import (
    MATERIALS,
    Body,
    Box,
    BreakableTooth,
    Compound,
    ContactPair,
    Cylinder,
    Joint,
    Keyframe,
    Look,
    Motor,
    Piece,
    Quat,
    Shape,
    Vec3,
)

Floats = NDArray[np.float64]

GAP_M = 0.003
"""Between the board and gears, and between layers of gears."""

FOOT_M = (0.02, 0.11)
"""Height and depth of the foot that a board stands on."""

_MARGIN_M = 0.018
_BOARD_M = 0.014

OIL_FRICTION, OIL_RESTITUTION = 0.07, 0.15
PANE_GAP_M = 0.002
"""Between gears and the pane before them."""

_HINGE_DAMPING = 2e-5


@dataclass(eq=False, kw_only=True)
class Machine:
    """The bodies, joints and the rest of a spec that a set of gears comes to."""

    train: Train
    stage: Stage
    finishes: list[Finish]
    run: Run
    fault: Fault
    load_n_m: float
    bodies: list[Body] = field(default_factory=list)
    joints: list[Joint] = field(default_factory=list)
    apart: list[tuple[str, str]] = field(default_factory=list)
    breakable: list[BreakableTooth] = field(default_factory=list)

    @property
    def width_m(self) -> float:
        """Of every gear."""
        return self.train.gears[0].shape.width_m

    @property
    def axis(self) -> Vec3:
        """The machine's z in the world."""
        x, y, z = rotate_wxyz(self.stage.turn_wxyz, np.array([0.0, 0.0, 1.0])).tolist()
        return x, y, z

    def world(self, x: float, y: float, z: float) -> Vec3:
        """A point of the machine's frame in the world."""
        a, b, c = (np.array(self.stage.place_m) + rotate_wxyz(self.stage.turn_wxyz, np.array([x, y, z]))).tolist()
        return a, b, c

    def turned(self, quat: Quat) -> Quat:
        """A turn of the machine's frame in the world."""
        w, x, y, z = multiply_wxyz(self.stage.turn_wxyz, quat).tolist()
        return w, x, y, z

    def layer_z_m(self, layer: int) -> float:
        """The middle of the gears of a layer."""
        return GAP_M + 0.5 * self.width_m + layer * (self.width_m + GAP_M)

    def extent_m(self) -> tuple[float, float, float, float]:
        """Least and greatest x, then y, of the board."""
        low_x, high_x, low_y, high_y = self.train.bounds_m()
        rack = self.train.rack
        if rack is not None:
            middle = 0.5 * rack.length_m + 0.01
            x, y = self.train.rack_at_m
            low_x, high_x = min(low_x, x - middle), max(high_x, x + middle)
            low_y = min(low_y, y - 1.25 * rack.module_m - rack.back_m - 0.02)
        falling = self.fault.falling
        if falling is not None:
            high_y = max(high_y, self.gate_y_m() + 0.03)
        return low_x - _MARGIN_M, high_x + _MARGIN_M, low_y - _MARGIN_M, high_y + _MARGIN_M

    def gate_y_m(self) -> float:
        """Height of the gate that something lies on, over the gears beside its mesh."""
        falling = self.fault.falling
        assert falling is not None
        pair = next((self.train.gear(a), self.train.gear(b)) for a, b, at in self.train.nips() if at == falling.at_m)
        return max(g.at_m[1] + g.shape.tip_radius_m for g in pair) + 0.022

    def add(
        self, name: str, shape: Shape, at: tuple[float, float, float], *, material: str = "steel",
        look: Look | None = None, motion: str = "dynamic", turn: Quat = (1.0, 0.0, 0.0, 0.0), label: str = "",
    ) -> str:  # fmt: skip
        """A body at a place of the machine's frame."""
        self.bodies.append(
            Body(name=name, shape=shape, material=material, motion=motion, position_m=self.world(*at),
                 orientation_wxyz=self.turned(turn), look=look, label=label)
        )  # fmt: skip
        return name

    def points_m(self) -> Floats:
        """(N, 3) what the camera must see, in the world."""
        low_x, high_x, low_y, high_y = self.extent_m()
        if self.train.rack is not None:
            half = 0.5 * (self.train.rack.length_m + RACK_TRAVEL_M)
            low_x, high_x = self.train.rack_at_m[0] - half, self.train.rack_at_m[0] + half
        top = self.layer_z_m(max(g.layer for g in self.train.gears)) + 0.5 * self.width_m + 0.012
        if self.stage.upright:
            low_y, top = low_y - FOOT_M[0], max(top, 0.5 * (FOOT_M[1] - _BOARD_M))
        return np.array([self.world(x, y, z) for x in (low_x, high_x) for y in (low_y, high_y) for z in (0.0, top)])

    def build(self, rng: np.random.Generator) -> None:
        """Fill in bodies, joints, contacts left out and weak teeth."""
        self._board()
        for gear, finish in zip(self.train.gears, self.finishes, strict=True):
            self._gear(gear, finish)
        self._ends(rng)
        if self.train.rack is not None:
            self._rack()
        if self.train.carrier_rate is not None:
            self._carrier()
        moving = [body.name for body in self.bodies if body.motion == "dynamic"]
        still = [body.name for body in self.bodies if body.motion == "static" and body.name != "ring"]
        self.apart += [(a, b) for a in moving for b in still]
        # What turns in front of gears passes over them; only teeth meet.
        marks = [name for name in moving if name in ("handle", "pointer", "carrier")]
        self.apart += [(a, b) for a in marks for b in moving if a != b and (b, a) not in self.apart]
        if "ring" not in moving:
            self.apart += [(name, "ring") for name in marks if any(body.name == "ring" for body in self.bodies)]
        self._weak_teeth()
        if self.fault.falling is not None:
            self._falling(rng)

    def contact_pairs(self) -> tuple[ContactPair, ...]:
        """What oil does to every pair of materials that gears, and the rack, are made of."""
        names = sorted({finish.material for finish in self.finishes} | ({"steel"} if self.train.rack else set()))
        pairs = [
            ContactPair(material_a=a, material_b=b, restitution=OIL_RESTITUTION, friction=OIL_FRICTION)
            for a, b in combinations_with_replacement(names, 2)
        ]
        felt = {body.material for body in self.bodies if body.name == "fallen"}
        # What waits in the chute lies on felt, and does not rattle about.
        pairs += [
            ContactPair(material_a=a, material_b="ABS", restitution=0.0, friction=0.4, rolling_friction_m=0.003)
            for a in felt
        ]
        return tuple(pairs)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _board(self) -> None:
        stage = self.stage
        low_x, high_x, low_y, high_y = self.extent_m()
        size = (high_x - low_x, high_y - low_y, _BOARD_M)
        middle = (0.5 * (low_x + high_x), 0.5 * (low_y + high_y), -0.5 * _BOARD_M)
        self.add("board", Box(size_m=size), middle, material=stage.board_material, look=stage.board_look,
                 motion="static", label="board")  # fmt: skip
        if stage.upright:
            foot = (size[0] + 0.02, FOOT_M[0], FOOT_M[1])
            self.add("foot", Box(size_m=foot), (middle[0], low_y - 0.5 * FOOT_M[0], -0.5 * _BOARD_M),
                     material=stage.board_material, look=stage.board_look, motion="static", label="foot")  # fmt: skip
        pieces = []
        for gear in self.train.gears:
            if gear.seat != "board" or gear.shape.internal:
                continue
            above = [g.layer for g in self.train.gears if g.seat == gear.name]
            top = self.layer_z_m(max([gear.layer, *above])) + 0.5 * self.width_m + 0.0015
            shaft = Cylinder(radius_m=0.93 * gear.shape.bore_radius_m, height_m=top)
            pieces.append(Piece(shape=shaft, position_m=(*gear.at_m, 0.5 * top)))
        look = MATERIALS["steel"].look.model_copy(update={"roughness": 0.4})
        self.add("shafts", Compound(pieces=tuple(pieces)), (0.0, 0.0, 0.0), look=look, motion="static", label="shafts")

    def _gear(self, gear: PlannedGear, finish: Finish) -> None:
        fault, shape = self.fault, gear.shape
        if fault.gear == gear.name and fault.teeth:
            shape = shape.model_copy(update={"missing_teeth": fault.teeth})
        at = (*gear.at_m, self.layer_z_m(gear.layer))
        noun = "ring" if shape.internal else "gear"
        self.add(gear.name, shape, at, material=finish.material, look=finish.look, turn=about_z(gear.turn_rad),
                 motion="static" if gear.seat == "still" else "dynamic", label=f"{finish.words} {noun}")  # fmt: skip
        loose = fault.kind == "loose_gear" and fault.gear == gear.name
        ends = self.train.gears[0].name, self.train.output
        if gear.seat == "still" or (loose and gear.seat == "board"):
            return
        if gear.seat == "board":
            self._hinge(gear, {ends[0]: "drive", ends[1]: "output"}.get(gear.name, f"{gear.name}_shaft"), "board")
        elif gear.seat == "carrier":
            self._hinge(gear, f"{gear.name}_shaft", "carrier")
        elif loose:
            self._hinge(gear, f"{gear.name}_hub", gear.seat, friction=fault.hub_friction_n_m)
        else:
            self._fix(gear.name, gear.seat, self.world(*at))

    def _hinge(self, gear: PlannedGear, name: str, parent: str, *, friction: float = 0.0) -> None:
        at = self.world(*gear.at_m, self.layer_z_m(gear.layer))
        self.joints.append(self._turning(name, gear.name, parent, at, friction))

    def _turning(self, name: str, child: str, parent: str, at: Vec3, friction: float = 0.0) -> Joint:
        """A hinge about the machine's z, with the motor or the brake where it is an end of the machine."""
        motor = None
        if name == "drive":
            run = self.run
            motor = Motor(
                speed=run.speed_rad_s, max_effort=self.motor_effort_n_m(), start_s=run.start_s, ramp_s=run.ramp_s
            )
        brake = self.load_n_m if name == "output" else friction
        return Joint(name=name, kind="hinge", child=child, parent=parent, anchor_m=at, axis=self.axis,
                     damping=_HINGE_DAMPING, friction=brake, motor=motor)  # fmt: skip

    def _fix(self, child: str, parent: str, at: Vec3) -> None:
        self.joints.append(Joint(name=f"{child}_hub", kind="fixed", child=child, parent=parent, anchor_m=at))

    def motor_effort_n_m(self) -> float:
        """Twice and a half what the load asks for, and what gets all gears to speed in a fifth of the ramp."""
        inertia = 0.0
        for gear, finish in zip(self.train.gears, self.finishes, strict=True):
            density = MATERIALS[finish.material].density_kg_m3
            inertia += 0.5 * np.pi * density * gear.shape.width_m * gear.shape.outer_radius_m**4 * gear.rate**2
        speed_up = inertia * abs(self.run.speed_rad_s) / max(self.run.ramp_s, 0.05)
        return float(2.5 * self.load_n_m * abs(output_rate(self.train)) + 5.0 * speed_up + 0.02)

    def _ends(self, rng: np.random.Generator) -> None:
        """The handle on the driver's shaft and the pointer on the last gear's."""
        train, stage = self.train, self.stage
        ends = [("handle", "drive", train.gears[0].name, stage.handle_color)]
        if train.output not in ("rack", "carrier"):
            ends.append(("pointer", "output", train.output, stage.pointer_color))
        for name, joint, gear_name, color in ends:
            gear = train.gear(gear_name)
            shape, look = gear.shape, Look(color=COLORS[color], roughness=0.4)
            front = self.layer_z_m(gear.layer) + 0.5 * self.width_m
            place, angle = gear.at_m, float(rng.uniform(-np.pi, np.pi))
            if shape.internal:
                form: Shape = Box(size_m=(0.9 * shape.rim_m, 3.5 * shape.module_m, 0.5 * ARM_M))
                middle = shape.root_radius_m + 0.5 * shape.rim_m
                place = (gear.at_m[0] + middle * float(np.cos(angle)), gear.at_m[1] + middle * float(np.sin(angle)))
                at = (*place, front + 0.25 * ARM_M)
            else:
                hub, reach = 1.5 * shape.bore_radius_m, self._reach() * shape.root_radius_m
                form = handle(hub, reach) if name == "handle" else pointer(hub, reach)
                at = (*place, front + 0.0015 + 0.8 * ARM_M)
            noun = "mark" if shape.internal else name
            self.add(name, form, at, material="ABS", look=look, turn=about_z(angle), label=f"{color} {noun}")
            anchor = self.world(*gear.at_m, self.layer_z_m(gear.layer))
            if self.fault.kind == "loose_gear" and self.fault.gear == gear_name and gear.seat == "board":
                self.joints.append(self._turning(joint, name, "board", anchor))
                hub_joint = self._turning(f"{gear_name}_hub", gear_name, name, anchor, self.fault.hub_friction_n_m)
                self.joints.append(hub_joint)
            else:
                self._fix(name, gear_name, anchor)

    def _reach(self) -> float:
        """Of handles and pointers, over the root radius: a pane before the teeth is not to be swept."""
        return 0.74 if self.fault.falling is None else 0.6

    def _rack(self) -> None:
        rack = self.train.rack
        assert rack is not None
        x, y = self.train.rack_at_m
        z = self.layer_z_m(0)
        # It begins on the side that it is moved away from, whole teeth off the middle.
        way = float(np.sign(self.run.speed_rad_s * self.train.rate))
        start = x - way * rack.pitch_m * round(0.5 * RACK_TRAVEL_M / rack.pitch_m)
        self.add("rack", rack, (start, y, z), look=MATERIALS["steel"].look, label="steel rack")
        under = y - 1.25 * rack.module_m - rack.back_m
        long = rack.length_m + 0.01
        look = Look(color=(0.10, 0.10, 0.11), roughness=0.5)
        deep = rack.width_m + GAP_M
        self.add("rail", Box(size_m=(long, 0.01, deep)), (x, under - 0.006, 0.5 * deep), look=look, motion="static",
                 label="rail")  # fmt: skip
        along = rotate_wxyz(self.stage.turn_wxyz, np.array([1.0, 0.0, 0.0])).tolist()
        force = self.load_n_m / self.train.gears[-1].shape.pitch_radius_m
        self.joints.append(
            Joint(name="output", kind="slide", child="rack", parent="board", anchor_m=self.world(start, y, z),
                  axis=(along[0], along[1], along[2]), friction=force, limits=(-RACK_TRAVEL_M, RACK_TRAVEL_M))
        )  # fmt: skip

    def _carrier(self) -> None:
        train = self.train
        planets = [gear for gear in train.gears if gear.seat == "carrier"]
        pin, hub = planets[0].shape.bore_radius_m, 1.6 * train.gears[0].shape.bore_radius_m
        form = carrier([g.at_m for g in planets], pin, hub, self.width_m)
        front = self.layer_z_m(0) + 0.5 * self.width_m + 0.001 + 0.5 * ARM_M
        turns = train.output == "carrier"
        color = self.stage.pointer_color
        look = Look(color=COLORS[color], roughness=0.4) if turns else Look(color=(0.12, 0.12, 0.13), roughness=0.5)
        self.add("carrier", form, (0.0, 0.0, front), material="aluminium", look=look,
                 motion="dynamic" if turns else "static",
                 label=f"{color} carrier" if turns else "black carrier")  # fmt: skip
        if turns:
            self.joints.append(self._turning("output", "carrier", "board", self.world(0.0, 0.0, front)))

    def _weak_teeth(self) -> None:
        fault = self.fault
        if fault.kind != "stripped_tooth":
            return
        gear, finish = next(
            (g, f) for g, f in zip(self.train.gears, self.finishes, strict=True) if g.name == fault.gear
        )
        names = []
        for tooth in fault.teeth:
            shape, middle = tooth_piece(gear.shape, tooth)
            c, s = np.cos(gear.turn_rad), np.sin(gear.turn_rad)
            x, y = gear.at_m[0] + c * middle[0] - s * middle[1], gear.at_m[1] + s * middle[0] + c * middle[1]
            names.append(
                self.add(f"tooth_{tooth}", shape, (float(x), float(y), self.layer_z_m(gear.layer) + middle[2]),
                         material=finish.material, look=finish.look, turn=about_z(gear.turn_rad),
                         label=f"tooth of the {finish.words} gear")
            )  # fmt: skip
            self.breakable.append(
                BreakableTooth(
                    name=f"weak_{tooth}", gear=gear.name, tooth=tooth, piece=names[-1], strength_n=fault.strength_n
                )
            )
        marks = [body.name for body in self.bodies if body.name in ("shafts", "handle", "pointer")]
        self.apart += [(name, mark) for name in names for mark in marks]

    def _falling(self, rng: np.random.Generator) -> None:
        """A chute over a mesh, a gate that keeps something in it and is drawn aside, and a pane in front of the way."""
        falling = self.fault.falling
        assert falling is not None
        thick, radius = 0.003, falling.radius_m
        x, y, z = falling.at_m[0], self.gate_y_m(), self.layer_z_m(falling.layer)
        deep = z + 0.5 * self.width_m + PANE_GAP_M
        shape, material, look, label = falling_thing(rng, falling.kind, radius, self.width_m)
        self.add("fallen", shape, (x, y + 1.45 * radius, z), material=material, look=look, label=label)
        inner, tall = 1.55 * radius, 6.0 * radius
        walls = tuple(
            Piece(shape=Box(size_m=(thick, tall, deep)), position_m=(side * (inner + 0.5 * thick), 0.0, 0.0))
            for side in (-1.0, 1.0)
        )
        grey = Look(color=(0.2, 0.2, 0.21), roughness=0.5)
        still = [self.add("chute", Compound(pieces=walls), (x, y + 0.0005 + 0.5 * tall, 0.5 * deep), material="ABS",
                          look=grey, motion="static", label="chute")]  # fmt: skip
        low, high = falling.at_m[1] + 0.5 * self.train.gears[0].shape.module_m, y + tall
        wide = 2.0 * (inner + thick) + 2.0 * radius
        still.append(
            self.add("pane", Box(size_m=(wide, high - low, 0.002)), (x, 0.5 * (low + high), deep + 0.001),
                     material="glass", motion="static", label="glass pane")
        )  # fmt: skip
        side, long = (1.0 if rng.random() < 0.5 else -1.0), 2.0 * inner + 2.0 * thick
        keys = []
        for time, way in ((0.0, 0.0), (falling.release_s, 0.0), (falling.release_s + 0.06, side * long)):
            place = self.world(x + way, y - 0.5 * thick, 0.5 * deep)
            keys.append(Keyframe(time_s=time, position_m=place, orientation_wxyz=self.stage.turn_wxyz))
        self.bodies.append(
            Body(name="gate", shape=Box(size_m=(long, thick - 0.0005, deep - 0.001)), material="ABS", motion="driven",
                 keyframes=tuple(keys), position_m=keys[0].position_m, orientation_wxyz=keys[0].orientation_wxyz,
                 look=Look(color=(0.75, 0.33, 0.05), roughness=0.5), label="gate")
        )  # fmt: skip
        parts = [body.name for body in self.bodies if body.motion == "dynamic" and body.name != "fallen"]
        self.apart += [("gate", name) for name in (*still, "board")]
        self.apart += [(part, name) for part in parts for name in (*still, "gate")]
