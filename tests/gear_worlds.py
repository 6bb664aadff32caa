"""Gear trains for tests: specs without pictures, every gear on a hinge of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from physreel.geometry.gears import mesh_distance_m, meshing_turn_rad
from physreel.spec import (
    Body,
    BreakableTooth,
    ConvexHull,
    Cylinder,
    Gear,
    Joint,
    Motor,
    Plane,
    SceneSpec,
)
from physreel.spec.materials import ContactPair

MODULE_M, WIDTH_M, THINNING_M = 0.004, 0.012, 1e-4
STEP_S = 1.0 / 2400.0
OILED = (ContactPair(material_a="steel", material_b="steel", restitution=0.1, friction=0.06),)


def turned(angle_rad: float) -> tuple[float, float, float, float]:
    """An orientation about z."""
    return math.cos(angle_rad / 2), 0.0, 0.0, math.sin(angle_rad / 2)


def gear(teeth: int, **changes: Any) -> Gear:
    """A gear of the size that all tests use."""
    return Gear(
        **({"module_m": MODULE_M, "tooth_count": teeth, "width_m": WIDTH_M, "thinning_m": THINNING_M} | changes)
    )


def body(name: str, shape: Any, place: Sequence[float], turn_rad: float, **changes: Any) -> Body:
    """A steel body about a vertical axis."""
    x, y, z = (float(v) for v in place)
    given: dict[str, Any] = {"material": "steel", "position_m": (x, y, z), "orientation_wxyz": turned(turn_rad)}
    return Body(name=name, shape=shape, **(given | changes))


def hinge(name: str, place: Sequence[float], **changes: Any) -> Joint:
    """A vertical hinge of the body of the same name."""
    x, y, z = (float(v) for v in place)
    return Joint(name=name, kind="hinge", child=name, anchor_m=(x, y, z), **({"damping": 1e-5} | changes))


def world(bodies: Sequence[Body], joints: Sequence[Joint], *, duration_s: float, **changes: Any) -> SceneSpec:
    """A spec of them."""
    given: dict[str, Any] = {"step_s": STEP_S, "contact_pairs": OILED}
    return SceneSpec(
        scene="gears", duration_s=duration_s, fps=24, bodies=tuple(bodies), joints=tuple(joints), **(given | changes)
    )


def train(
    gears: Sequence[Gear],
    *,
    duration_s: float,
    speed_rad_s: float = 4.0,
    effort_n_m: float = 5.0,
    ramp_s: float = 0.1,
    extra_m: float = 0.0,
    load: float = 0.02,
    friction: float = 0.0,
) -> SceneSpec:
    """A chain of gears g0, g1, … along x, the first driven, the last braked by ``load`` (N·m·s) and ``friction``."""
    bodies, joints = [], []
    x, turn = 0.0, 0.3
    for i, shape in enumerate(gears):
        if i:
            x += mesh_distance_m(gears[i - 1], shape) + extra_m
            turn = meshing_turn_rad(gears[i - 1], turn, shape, 0.0)
        last = i == len(gears) - 1
        bodies.append(body(f"g{i}", shape, (x, 0.0, 0.2), turn))
        joints.append(
            hinge(
                f"g{i}",
                (x, 0.0, 0.2),
                damping=load if last else 1e-5,
                friction=friction if last else 0.0,
                motor=Motor(speed=speed_rad_s, max_effort=effort_n_m, ramp_s=ramp_s) if i == 0 else None,
            )
        )
    return world(bodies, joints, duration_s=duration_s)


def compound_train(*, duration_s: float, speed_rad_s: float) -> tuple[SceneSpec, float]:
    """Two steps on three shafts, 18:36 below and 20:30 above, and the ratio of the last to the first."""
    first, wheel, pinion, last = gear(18), gear(36), gear(20), gear(30)
    a, b = mesh_distance_m(first, wheel), mesh_distance_m(pinion, last)
    turn_wheel = meshing_turn_rad(first, 0.1, wheel, 0.0)
    turn_last = meshing_turn_rad(pinion, turn_wheel, last, 1.0)
    place = (a + b * math.cos(1.0), b * math.sin(1.0), 0.22)
    bodies = [
        body("first", first, (0.0, 0.0, 0.2), 0.1),
        body("wheel", wheel, (a, 0.0, 0.2), turn_wheel),
        body("pinion", pinion, (a, 0.0, 0.22), turn_wheel),
        body("last", last, place, turn_last),
    ]
    joints = [
        hinge("first", (0.0, 0.0, 0.2), motor=Motor(speed=speed_rad_s, max_effort=5.0, ramp_s=0.1)),
        hinge("wheel", (a, 0.0, 0.2)),
        Joint(name="shaft", kind="fixed", child="pinion", parent="wheel", anchor_m=(a, 0.0, 0.21)),
        hinge("last", place, damping=0.02),
    ]
    return world(bodies, joints, duration_s=duration_s), (18 / 36) * (20 / 30)


def planetary(
    *, duration_s: float, speed_rad_s: float, sun_teeth: int = 24, planet_teeth: int = 18, carrier_held: bool = False
) -> SceneSpec:
    """A sun that is driven, three planets on a carrier, and a ring; the ring is held, or else the carrier."""
    sun, planet = gear(sun_teeth), gear(planet_teeth)
    ring = gear(sun_teeth + 2 * planet_teeth, internal=True, rim_m=0.01)
    apart = mesh_distance_m(sun, planet)
    ring_turn = meshing_turn_rad(planet, meshing_turn_rad(sun, 0.0, planet, 0.0), ring, math.pi)
    bodies = [
        body("sun", sun, (0.0, 0.0, 0.2), 0.0),
        body("ring", ring, (0.0, 0.0, 0.2), ring_turn, motion="dynamic" if carrier_held else "static"),
        body("carrier", Cylinder(radius_m=0.03, height_m=0.004), (0.0, 0.0, 0.22), 0.0,
             motion="static" if carrier_held else "dynamic"),
    ]  # fmt: skip
    joints = [hinge("sun", (0.0, 0.0, 0.2), motor=Motor(speed=speed_rad_s, max_effort=5.0, ramp_s=0.1))]
    joints.append(hinge("ring" if carrier_held else "carrier", (0.0, 0.0, 0.2), damping=0.02))
    for k in range(3):
        angle = 2.0 * math.pi * k / 3
        place = (apart * math.cos(angle), apart * math.sin(angle), 0.2)
        bodies.append(body(f"planet{k}", planet, place, meshing_turn_rad(sun, 0.0, planet, angle)))
        joints.append(hinge(f"planet{k}", place, parent="carrier"))
    return world(bodies, joints, duration_s=duration_s)


def locked_loop(teeth: int = 27, *, thinning_m: float = 4e-4, duration_s: float = 1.0) -> SceneSpec:
    """Three equal gears, each in mesh with both others, the first driven; phases close for odd multiples of 3 teeth."""
    shape = gear(teeth, thinning_m=thinning_m)
    side = mesh_distance_m(shape, shape)
    places = [(0.0, 0.0), (side, 0.0), (0.5 * side, side * math.sqrt(0.75))]
    turns = [0.0, meshing_turn_rad(shape, 0.0, shape, 0.0), meshing_turn_rad(shape, 0.0, shape, math.pi / 3)]
    bodies, joints = [], []
    for k, ((x, y), turn) in enumerate(zip(places, turns, strict=True)):
        motor = Motor(speed=3.0, max_effort=1.0, ramp_s=0.1) if k == 0 else None
        bodies.append(body(f"g{k}", shape, (x, y, 0.2), turn))
        joints.append(hinge(f"g{k}", (x, y, 0.2), motor=motor))
    return world(bodies, joints, duration_s=duration_s)


def with_weak_tooth(spec: SceneSpec, name: str, tooth: int, strength_n: float) -> SceneSpec:
    """The spec with one tooth of a gear on a vertical axis as a body of its own, over a floor."""
    index = spec.body_index(name)
    owner = spec.bodies[index]
    assert isinstance(owner.shape, Gear)
    shape = owner.shape
    turn = 2.0 * math.atan2(owner.orientation_wxyz[3], owner.orientation_wxyz[0])
    angle = turn + 2.0 * math.pi * tooth / shape.tooth_count
    middle = 0.5 * (shape.root_radius_m + shape.tip_radius_m)
    half, long, high = 0.35 * shape.module_m, 0.5 * (shape.tip_radius_m - shape.root_radius_m), 0.5 * shape.width_m
    corners = [(sx * long, sy * half, sz * high) for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)]
    x, y, z = owner.position_m
    piece = body(
        "tooth", ConvexHull(points_m=tuple(corners)), (x + middle * math.cos(angle), y + middle * math.sin(angle), z),
        angle,
    )  # fmt: skip
    bodies = list(spec.bodies)
    bodies[index] = owner.model_copy(update={"shape": shape.model_copy(update={"missing_teeth": (tooth,)})})
    floor = Body(name="floor", shape=Plane(), material="steel", motion="static")
    weak = BreakableTooth(name="weak", gear=name, tooth=tooth, piece="tooth", strength_n=strength_n)
    return spec.model_copy(update={"bodies": (*bodies, piece, floor), "breakable_teeth": (weak,)})
