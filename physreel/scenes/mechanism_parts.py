"""Builds a mechanism on a board: motor, gears, belt, finger, lever, latch, and a hammer or an arm that a spring moves.

Motion passes from part to part by teeth, by the belt, and by what pushes what. The finger on the second shaft is held
straight by a spring: it presses the lever down, and where the lever does not give way the finger does.
"""

from __future__ import annotations

from dataclasses import dataclass

from physreel.geometry.belts import BeltPath
from physreel.scenes import mechanism_plan as measures
from physreel.scenes.mechanism_plan import MechanismPlan
from physreel.spec import (
    Belt,
    Body,
    Box,
    Capsule,
    Compound,
    ContactPair,
    Cylinder,
    Ellipsoid,
    Joint,
    Look,
    Motor,
    Piece,
    Pulley,
    Ring,
    Sphere,
)

SHAFT_FRICTION_N_M = 0.06
"""Of each shaft in its bush: what is no longer driven does not run on for long."""

PIVOT_FRICTION_N_M = 0.004
FINGER_SPRING = (0.12, -2.2)
"""Stiffness in N m/rad, and where the spring would hold the finger if its stop did not: it is wound up."""

LINK_COUNT = 56
HAMMER_REST_RAD = -(measures.STRIKE_RAD - 0.07)
"""Where the hammer's spring holds it: short of the bell, or the bell would be muffled by its own hammer."""

LEVER_LIMIT_RAD, LATCH_LIMIT_RAD = 0.56, 0.75
ARM_REST_RAD = -1.5
ARM_LIMIT_RAD = -0.62
SAG_RAD = 0.04
"""How far hammer or arm sink where no spring holds them."""

_MARK_M = (0.042, 0.006, 0.004)
_BRASS = Look(color=(0.70, 0.50, 0.16), roughness=0.35, metallic=1.0)
_DARK = Look(color=(0.05, 0.05, 0.055), roughness=0.6)
_MILLED = Look(color=(0.40, 0.41, 0.43), roughness=0.5, metallic=0.6)
_RED = Look(color=(0.75, 0.05, 0.04), roughness=0.6)


@dataclass(frozen=True, kw_only=True)
class MechanismLooks:
    """Looks of what is painted, by part."""

    board: Look
    gears: tuple[Look, Look, Look]
    pulley: Look
    finger: Look
    lever: Look
    latch: Look
    beam: Look
    weight: Look


@dataclass(frozen=True, kw_only=True)
class MechanismValues:
    """What of a mechanism is not seen: forces, masses and speeds of a sound one."""

    motor_speed_rad_s: float
    motor_effort_n_m: float
    start_s: float
    ramp_s: float
    belt_tension_n: float
    spring_n_m_rad: float
    weight_kg: float


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """The parts of a spec that are the mechanism."""

    bodies: tuple[Body, ...]
    joints: tuple[Joint, ...]
    belts: tuple[Belt, ...]
    contact_pairs: tuple[ContactPair, ...]


CONTACTS = (
    # Oiled teeth and hooks.
    ContactPair(material_a="steel", material_b="steel", restitution=0.2, friction=0.10),
    ContactPair(material_a="aluminium", material_b="aluminium", restitution=0.2, friction=0.10),
)


def build(plan: MechanismPlan, values: MechanismValues, looks: MechanismLooks) -> Mechanism:
    """A sound mechanism."""
    bodies, joints = _drive(plan, values, looks)
    links, belt = _belt(plan, values)
    more_bodies, more_joints = _trigger(plan, looks)
    load_bodies, load_joints = (_hammer if plan.job == "ring_bell" else _lift)(plan, values, looks)
    return Mechanism(
        bodies=(*_board(plan, looks), *bodies, *links, *more_bodies, *load_bodies),
        joints=(*joints, *more_joints, *load_joints),
        belts=(belt,),
        contact_pairs=CONTACTS,
    )


def _pin(plan: MechanismPlan, end_m: float, radius_m: float = 0.007) -> Piece:
    """A part's own shaft, from close to the board to a depth."""
    return plan.piece(Cylinder(radius_m=radius_m, height_m=end_m - 0.002), (0.0, 0.0), 0.5 * (end_m + 0.002))


def _bar(
    plan: MechanismPlan, start: tuple[float, float], end: tuple[float, float], thick_m: float = measures.BAR_M
) -> Piece:
    """A straight bar in the layer of the gears, along u or v."""
    (u0, v0), (u1, v1) = start, end
    size = (abs(u1 - u0) or thick_m, abs(v1 - v0) or thick_m, measures.THICK_M)
    return plan.piece(Box(size_m=size), (0.5 * (u0 + u1), 0.5 * (v0 + v1)), measures.LAYER_M)


def _part(
    plan: MechanismPlan, name: str, label: str, place: tuple[float, float], look: Look, pieces: tuple[Piece, ...],
    material: str = "steel", motion: str = "dynamic",
) -> Body:  # fmt: skip
    return Body.model_validate(
        {
            "name": name, "label": label, "shape": Compound(pieces=pieces), "material": material, "motion": motion,
            "position_m": plan.at(place), "orientation_wxyz": measures.FACE, "look": look,
        }
    )  # fmt: skip


def _hinge(plan: MechanismPlan, name: str, child: str, place: tuple[float, float], **more: object) -> Joint:
    return Joint.model_validate(
        {"name": name, "kind": "hinge", "child": child, "anchor_m": plan.at(place), "axis": plan.axis, **more}
    )


def _board(plan: MechanismPlan, looks: MechanismLooks) -> list[Body]:
    u0, v0, u1, v1 = plan.board
    thick, tall = 0.016, measures.FOOT_M
    width, middle = u1 - u0, (0.5 * (u0 + u1), 0.5 * (v0 + v1))

    def plank(
        name: str, label: str, size: tuple[float, float, float], place: tuple[float, float], depth: float
    ) -> Body:
        return Body(
            name=name, label=label, shape=Box(size_m=size), material="oak", motion="static", look=looks.board,
            position_m=plan.at(place, depth), orientation_wxyz=measures.FACE,
        )  # fmt: skip

    return [
        plank("board", "board", (width, v1 - v0, thick), middle, -0.5 * thick),
        plank("left_foot", "foot", (0.03, tall, 0.20), (middle[0] - 0.4 * width, v0 - 0.5 * tall), 0.0),
        plank("right_foot", "foot", (0.03, tall, 0.20), (middle[0] + 0.4 * width, v0 - 0.5 * tall), 0.0),
    ]


def _drive(plan: MechanismPlan, values: MechanismValues, looks: MechanismLooks) -> tuple[list[Body], list[Joint]]:
    """Motor, three gears, two pulleys."""
    names = ("driving_gear", "middle_gear", "last_gear")
    labels = ("driving gear", "middle gear", "last gear")
    bodies, joints = [], []
    for name, label, gear, place, turn, look in zip(
        names, labels, plan.gears, plan.gear_places, plan.gear_turns_rad, looks.gears, strict=True
    ):
        bodies.append(
            Body(
                name=name, label=label, shape=gear, material="aluminium", look=look,
                position_m=plan.at(place, measures.LAYER_M), orientation_wxyz=plan.gear_facing(turn),
            )
        )  # fmt: skip
    motor = Motor(
        speed=-values.motor_speed_rad_s,
        max_effort=values.motor_effort_n_m,
        start_s=values.start_s,
        ramp_s=values.ramp_s,
    )
    first, second, third = plan.gear_places
    joints += [
        _hinge(plan, "motor", "driving_gear", first, motor=motor),
        _hinge(plan, "middle_shaft", "middle_gear", second, friction=SHAFT_FRICTION_N_M),
    ]
    for name, parent, place, end in (
        ("motor_shaft", "driving_gear", first, 0.035), ("middle_bolt", "middle_gear", second, 0.040),
    ):  # fmt: skip
        bodies.append(_part(plan, name, "shaft", place, _MILLED, (_pin(plan, end),)))
        joints.append(Joint(name=f"{name}_seat", kind="fixed", child=name, parent=parent))
    bodies.append(_motor_case(plan))
    depth = measures.PULLEY_LAYER_M
    for name, label, place, radius, joint in (
        ("small_pulley", "small pulley", third, plan.pulley_radii_m[0], "first_shaft"),
        ("large_pulley", "large pulley", plan.shaft, plan.pulley_radii_m[1], "second_shaft"),
    ):
        rim = Cylinder(radius_m=radius - 0.002, height_m=measures.PULLEY_WIDTH_M)
        flange = Cylinder(radius_m=radius + 0.003, height_m=0.003)
        sides = tuple(plan.piece(flange, (0.0, 0.0), depth + k * 0.5 * measures.PULLEY_WIDTH_M) for k in (-1, 1))
        pieces = (_pin(plan, depth + 0.014), plan.piece(rim, (0.0, 0.0), depth), *sides)
        bodies.append(_part(plan, name, label, place, looks.pulley, pieces, "aluminium"))
        joints.append(
            _hinge(plan, joint, name, place, friction=SHAFT_FRICTION_N_M).model_copy(
                update={"anchor_m": plan.at(place, depth)}
            )
        )
        front = depth + 0.5 * measures.PULLEY_WIDTH_M + 0.0040
        mark = plan.piece(Box(size_m=_MARK_M), (0.0, 0.0), front)
        bodies.append(_part(plan, f"{name}_mark", "mark", place, _RED, (mark,), "ABS"))
        joints.append(Joint(name=f"{name}_mark_seat", kind="fixed", child=f"{name}_mark", parent=name))
    joints.append(Joint(name="gear_seat", kind="fixed", child="last_gear", parent="small_pulley",
                        anchor_m=plan.at(third), axis=plan.axis))  # fmt: skip
    return bodies, joints


def _motor_case(plan: MechanismPlan) -> Body:
    case = plan.piece(Cylinder(radius_m=0.026, height_m=0.034), (0.0, 0.0), 0.054)
    arm = plan.piece(Box(size_m=(0.060, 0.022, 0.012)), (-0.040, 0.0), 0.050)
    leg = plan.piece(Box(size_m=(0.012, 0.022, 0.056)), (-0.064, 0.0), 0.028)
    return _part(plan, "motor_case", "motor", (0.0, 0.0), _DARK, (case, arm, leg), "aluminium", "static")


def _belt(plan: MechanismPlan, values: MechanismValues) -> tuple[list[Body], Belt]:
    import numpy as np

    depth, (r1, r2) = measures.PULLEY_LAYER_M, plan.pulley_radii_m
    first, second = (np.array(plan.at(place, depth)) for place in (plan.gear_places[2], plan.shaft))
    between = second - first
    path = BeltPath(
        driver_m=first, along=between / np.linalg.norm(between), axis=np.array(plan.axis),
        distance_m=float(np.linalg.norm(between)), driver_radius_m=r1, driven_radius_m=r2, sense=1.0,
    )  # fmt: skip
    poses = path.poses(np.arange(LINK_COUNT) * path.length_m / LINK_COUNT)
    size = (1.02 * path.length_m / LINK_COUNT, 0.004, measures.PULLEY_WIDTH_M - 0.003)
    shades = (0.035, 0.12)
    links = [
        Body(
            name=f"link_{k}", label="belt", shape=Box(size_m=size), material="rubber", motion="carried",
            position_m=tuple(pose[:3].tolist()), orientation_wxyz=tuple(pose[3:].tolist()),
            # Every fourth link is paler: a belt of one shade would not be seen to run.
            look=Look(color=(shades[k % 4 == 0],) * 3, roughness=0.8),
        )
        for k, pose in enumerate(poses)
    ]  # fmt: skip
    belt = Belt(
        name="belt", driver=Pulley(joint="first_shaft", radius_m=r1), driven=Pulley(joint="second_shaft", radius_m=r2),
        tension_n=values.belt_tension_n, stiffness_n_m=8e3, damping_n_s_m=10.0,
        links=tuple(link.name for link in links),
    )  # fmt: skip
    return links, belt


def _trigger(plan: MechanismPlan, looks: MechanismLooks) -> tuple[list[Body], list[Joint]]:
    """Finger, lever and latch."""
    depth, thick = measures.LAYER_M, measures.BAR_M
    length = measures.REACH_M - measures.HUB_M
    # In the finger's own frame it lies along x: fingers that point elsewhere are one shape, whose sound is known.
    lying = Piece(
        shape=Capsule(radius_m=0.005, length_m=length - 0.005), position_m=(0.5 * length, 0.0, depth),
        orientation_wxyz=(0.5**0.5, 0.0, 0.5**0.5, 0.0),
    )  # fmt: skip
    pin = plan.piece(Cylinder(radius_m=0.006, height_m=0.017), (0.0, 0.0), 0.0285)
    finger = _part(plan, "finger", "finger", plan.finger, looks.finger, (lying, pin)).model_copy(
        update={"orientation_wxyz": plan.gear_facing(plan.finger_turn_rad)}
    )
    left, right = measures.LEVER_M
    block = plan.piece(Box(size_m=(0.030, 0.016, measures.THICK_M)), (right - 0.030, -0.5 * thick - 0.008), depth)
    bar = _bar(plan, (-left, 0.0), (right, 0.0))
    lever = _part(plan, "lever", "lever", plan.lever, looks.lever, (_pin(plan, 0.038), bar, block))
    leg, tail = measures.LATCH_LEG_M, measures.LATCH_TAIL_M
    tooth = 0.007 + measures.TOOTH_M
    hook = plan.piece(
        Box(size_m=(tooth + 0.005, 0.010, measures.THICK_M)), (0.5 * (tooth - 0.005), -leg + 0.5 * thick), depth
    )
    pieces = (
        _pin(plan, 0.038), _bar(plan, (-tail, 0.0), (0.005, 0.0)), _bar(plan, (0.0, -0.005), (0.0, -leg + thick)), hook,
    )  # fmt: skip
    latch = _part(plan, "latch", "latch", plan.latch, looks.latch, pieces)
    stiffness, rest = FINGER_SPRING
    return [finger, lever, latch], [
        _hinge(plan, "finger_hinge", "finger", plan.finger, parent="large_pulley", limits=(0.0, 1.9),
               stiffness=stiffness, rest=rest, damping=0.002),
        _hinge(plan, "lever_pivot", "lever", plan.lever, limits=(0.0, LEVER_LIMIT_RAD), friction=PIVOT_FRICTION_N_M),
        _hinge(plan, "latch_pivot", "latch", plan.latch, limits=(-LATCH_LIMIT_RAD, 0.0), friction=PIVOT_FRICTION_N_M),
    ]  # fmt: skip


def _beam(plan: MechanismPlan, name: str, label: str, look: Look, *more: Piece) -> list[Body]:
    bar = _bar(plan, (-measures.BEAM_M, 0.0), (0.015, 0.0))
    drum = plan.piece(Cylinder(radius_m=0.020, height_m=0.016), (0.0, 0.0), 0.042)
    return [
        _part(plan, name, label, plan.beam, look, (_pin(plan, 0.033), bar, *more)),
        _part(plan, "spring", "spring", plan.beam, _BRASS, (drum,), "aluminium"),
    ]


def _hammer(plan: MechanismPlan, values: MechanismValues, looks: MechanismLooks) -> tuple[list[Body], list[Joint]]:
    x, y = plan.head
    stem = _bar(plan, (x, 0.5 * measures.BAR_M), (x, y), 0.006)
    head = plan.piece(Sphere(radius_m=measures.HEAD_M), (x, y), measures.LAYER_M)
    # A hoop that is free to ring, hung on its own middle; the dome within is only its face. A cup that is fixed to the
    # board would be mute after a quarter of a second.
    outer = measures.BELL_M
    bell = Body(
        name="bell", label="bell", material="steel", look=_BRASS, position_m=plan.at(plan.bell, measures.LAYER_M),
        orientation_wxyz=measures.FACE,
        shape=Ring(inner_radius_m=outer - measures.BELL_WALL_M, outer_radius_m=outer, height_m=0.026),
    )  # fmt: skip
    stud = plan.piece(Cylinder(radius_m=0.006, height_m=0.030), (0.0, 0.0), 0.015)
    inner = outer - measures.BELL_WALL_M - 0.002
    dome = plan.piece(Ellipsoid(radii_m=(inner, inner, 0.012)), (0.0, 0.0), 0.032)
    face = _part(plan, "bell_face", "bell", plan.bell, _BRASS, (stud, dome), "aluminium", "static")
    bodies = [*_beam(plan, "hammer", "hammer", looks.beam, stem, head), bell, face]
    return bodies, [
        _hinge(plan, "beam_hinge", "hammer", plan.beam, limits=(-0.8, SAG_RAD), stiffness=values.spring_n_m_rad,
               rest=HAMMER_REST_RAD, damping=0.0015, friction=0.002),
        Joint(name="spring_seat", kind="fixed", child="spring", parent="hammer"),
        _hinge(plan, "bell_hinge", "bell", plan.bell, friction=0.02),
    ]  # fmt: skip


def _lift(plan: MechanismPlan, values: MechanismValues, looks: MechanismLooks) -> tuple[list[Body], list[Joint]]:
    width, height, deep = measures.WEIGHT_M
    u, v = plan.weight
    weight = Body(
        name="weight", label="weight", material="steel", mass_kg=values.weight_kg, look=looks.weight,
        shape=Box(size_m=(width, height, deep)), position_m=plan.at(plan.weight, measures.LAYER_M),
        orientation_wxyz=measures.FACE,
    )  # fmt: skip
    tall = height + measures.MARK_M + 0.07
    rails = tuple(
        plan.piece(Box(size_m=(0.006, tall, 0.007)), (k * 0.5 * (width - 0.006), 0.5 * (tall - height)), 0.0045)
        for k in (-1.0, 1.0)
    )
    top = 0.5 * height + measures.MARK_M
    mark = plan.piece(Box(size_m=(width + 0.05, 0.005, 0.003)), (0.0, top), 0.0025)
    bodies = [
        *_beam(plan, "lifting_arm", "lifting arm", looks.beam), weight,
        _part(plan, "rails", "rails", (u, v), _MILLED, rails, motion="static"),
        _part(plan, "mark", "mark", (u, v), _RED, (mark,), "ABS", "static"),
    ]  # fmt: skip
    return bodies, [
        _hinge(plan, "beam_hinge", "lifting_arm", plan.beam, limits=(ARM_LIMIT_RAD, SAG_RAD),
               stiffness=values.spring_n_m_rad, rest=ARM_REST_RAD, damping=0.02, friction=PIVOT_FRICTION_N_M),
        Joint(name="spring_seat", kind="fixed", child="spring", parent="lifting_arm"),
        Joint(name="weight_slide", kind="slide", child="weight", anchor_m=plan.at(plan.weight), axis=(0.0, 0.0, 1.0),
              limits=(0.0, 0.12), friction=0.2),
    ]  # fmt: skip
