"""What can be wrong with a mechanism, and what mends it: functions from spec to spec."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from physreel.scenes import mechanism_plan as measures
from physreel.scenes.mechanism_parts import PIVOT_FRICTION_N_M
from physreel.scenes.mechanism_plan import MechanismPlan
from physreel.spec import Body, Cylinder, Gear, Look, Motor, SceneSpec

Fault = Literal[
    "none", "motor_dead", "loose_gear", "missing_teeth", "slack_belt", "seized_lever", "stuck_latch", "broken_spring",
    "jammed",
]  # fmt: skip
Part = Literal["motor", "gear_seat", "last_gear", "belt", "lever", "latch", "spring", "stick"]

PART_OF: dict[Fault, Part] = {
    "motor_dead": "motor",
    "loose_gear": "gear_seat",
    "missing_teeth": "last_gear",
    "slack_belt": "belt",
    "seized_lever": "lever",
    "stuck_latch": "latch",
    "broken_spring": "spring",
    "jammed": "stick",
}
"""Which part is at fault: what must be renewed, freed, fastened or taken out."""

FAULTS: tuple[Fault, ...] = ("none", *PART_OF)
FAULT_OF: dict[Part, Fault] = {part: fault for fault, part in PART_OF.items()}

_ALIKE: tuple[Part, ...] = ("gear_seat", "last_gear")
"""Who renews the one has hands on the other: neither is tried in place of the other."""

_YELLOW = Look(color=(0.80, 0.56, 0.05), roughness=0.6)
_SEIZED_N_M = 8.0
_BETTER, _STIFFER = 1.1, 1.05
"""A new motor, belt or spring is a little stronger than the old one was: a wrong repair too changes the machine."""


def put_wrong(spec: SceneSpec, plan: MechanismPlan, fault: Fault, rng: np.random.Generator) -> SceneSpec:
    """A sound mechanism with a fault, whose extent is drawn; with "none", the mechanism as it is."""
    match fault:
        case "motor_dead":
            return _with(spec, "joints", "motor", motor=None)
        case "loose_gear":
            return _with(spec, "joints", "gear_seat", kind="hinge", friction=float(rng.uniform(0.002, 0.008)))
        case "missing_teeth":
            count, share = int(rng.integers(5, 8)), float(rng.uniform(0.15, 0.6))
            gear = plan.gears[2].model_copy(update={"missing_teeth": lost_teeth(plan, share, count)})
            return _with(spec, "bodies", "last_gear", shape=gear)
        case "slack_belt":
            return _with(spec, "belts", "belt", tension_n=float(rng.uniform(0.4, 1.6)))
        case "seized_lever":
            return _with(spec, "joints", "lever_pivot", friction=_SEIZED_N_M)
        case "stuck_latch":
            return _with(spec, "joints", "latch_pivot", friction=_SEIZED_N_M)
        case "broken_spring":
            return _with(spec, "joints", "beam_hinge", stiffness=0.0)
        case "jammed":
            return spec.model_copy(update={"bodies": (*spec.bodies, stick(plan, float(rng.uniform(0.0036, 0.0048))))})
    return spec


def mended(spec: SceneSpec, part: Part) -> SceneSpec:
    """The mechanism with one part set right or renewed, whatever was wrong with it; by the spec alone."""
    drawn = spec.parameters
    match part:
        case "motor":
            motor = Motor(
                speed=-_number(drawn["motor_speed_rad_s"]), max_effort=_BETTER * _number(drawn["motor_effort_n_m"]),
                start_s=_number(drawn["start_s"]), ramp_s=_number(drawn["ramp_s"]),
            )  # fmt: skip
            return _with(spec, "joints", "motor", motor=motor)
        case "gear_seat":
            return _with(spec, "joints", "gear_seat", kind="fixed", friction=0.0)
        case "last_gear":
            gear = spec.bodies[spec.body_index("last_gear")].shape
            assert isinstance(gear, Gear)
            return _with(spec, "bodies", "last_gear", shape=gear.model_copy(update={"missing_teeth": ()}))
        case "belt":
            return _with(spec, "belts", "belt", tension_n=_BETTER * _number(drawn["belt_tension_n"]))
        case "lever" | "latch":
            return _with(spec, "joints", f"{part}_pivot", friction=0.5 * PIVOT_FRICTION_N_M)
        case "spring":
            return _with(spec, "joints", "beam_hinge", stiffness=_STIFFER * _number(drawn["spring_n_m_rad"]))
        case "stick":
            return spec.model_copy(update={"bodies": tuple(b for b in spec.bodies if b.name != "stick")})


def wrong_parts(part: Part) -> tuple[Part, ...]:
    """The parts that one may try to renew where another is at fault; a stick that is not there nobody takes out."""
    near = _ALIKE if part in _ALIKE else (part,)
    return tuple(other for other in PART_OF.values() if other not in near and other != "stick")


def lost_teeth(plan: MechanismPlan, share: float, count: int) -> tuple[int, ...]:
    """Teeth of the last gear that would come to mesh when a share of the finger's way to the lever is done."""
    teeth = plan.tooth_counts[2]
    way = share * plan.finger_way_rad * plan.pulley_radii_m[1] / plan.pulley_radii_m[0]
    mesh = plan.gear_lines_rad[1] + math.pi
    first = math.floor((mesh + way - plan.gear_turns_rad[2]) / (2.0 * math.pi / teeth))
    return tuple(sorted(int(plan.side) * (first + k) % teeth for k in range(count)))


def stick(plan: MechanismPlan, radius_m: float) -> Body:
    """A stick that lies on the first two gears where their teeth run together."""
    (u0, v0), (u1, v1), _ = plan.gear_places
    near, far = (gear.tip_radius_m + radius_m + 0.0005 for gear in plan.gears[:2])
    apart, line = math.hypot(u1 - u0, v1 - v0), plan.gear_lines_rad[0]
    along = (apart**2 + near**2 - far**2) / (2.0 * apart)
    up = math.sqrt(near**2 - along**2)
    place = (
        u0 + along * math.cos(line) - up * math.sin(line),
        v0 + along * math.sin(line) + up * math.cos(line),
    )
    return Body(
        name="stick", label="stick", shape=Cylinder(radius_m=radius_m, height_m=0.046), material="oak",
        look=_YELLOW, position_m=plan.at(place, measures.LAYER_M), orientation_wxyz=measures.FACE,
    )  # fmt: skip


def _with(spec: SceneSpec, group: str, name: str, **changes: Any) -> SceneSpec:
    """The spec with one named item changed, and checked."""
    items: Sequence[Any] = getattr(spec, group)
    alter: Callable[[Any], Any] = lambda item: type(item).model_validate({**item.model_dump(), **changes})  # noqa: E731
    changed = tuple(alter(item) if item.name == name else item for item in items)
    return spec.model_copy(update={group: changed})


def _number(value: Any) -> float:
    return float(value)
