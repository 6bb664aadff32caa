"""Puts a model engine together: bodies, joints, gas, belt and bearing, with one fault or none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.engines import Fault
from physreel.geometry.belts import BeltPath
from physreel.geometry.mass import body_mass_properties
from physreel.scenes import engine_parts as parts
from physreel.spec import (
    MATERIALS,
    Bearing,
    BearingDefect,
    Belt,
    Body,
    Box,
    GasCylinder,
    Joint,
    Look,
    Pulley,
)

Floats = NDArray[np.float64]

FAN_SHARE = 0.6
"""Of the engine's torque that the fan takes; the rest goes into friction on the crank."""

FRICTION, FRICTION_DROP = 0.5, 0.45
HELD_TIMES, HELD_MORE_N = 3.0, 15.0
"""A sound belt holds so many times the fan's force, and so much more: cylinders push in beats."""

LINKS = {"belt": (56, 1.06), "chain": (48, 0.97)}
"""How many links, and their length over their spacing."""

BALLS, BALL_M, PITCH_M, BEARING_LOAD_N = 8, 0.008, 2.0 * parts.BEARING_M - 0.008, 60.0


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What is drawn of an engine.

    Attributes:
        layout: where its parts are.
        drive: "belt" or "chain".
        fault: what is wrong with it.
        which: the cylinder that misfires, or whose rod knocks.
        play_m: of that rod.
        grip: of a slipping belt: what it holds while it slides, over what the fan needs.
        pit_m: width of a worn bearing's pit.
        seed: of the bearing's balls.
        pistons: name and look of each piston.
        block: look of the block and the fan's housing.
        flywheel: look of the flywheel.
        mark: look of the paint on it.
        fan: look of the fan.
    """

    layout: parts.Layout
    drive: str
    fault: Fault
    which: int
    play_m: float
    grip: float
    pit_m: float
    seed: int
    pistons: tuple[tuple[str, Look], ...]
    block: Look
    flywheel: Look
    mark: Look
    fan: Look


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The fields of a spec that are the engine's."""

    bodies: tuple[Body, ...]
    joints: tuple[Joint, ...]
    gas_cylinders: tuple[GasCylinder, ...]
    belts: tuple[Belt, ...]
    bearings: tuple[Bearing, ...]
    no_contact: tuple[tuple[str, str], ...]


def build(draft: Draft) -> Machine:
    """The engine of a draft, running at its layout's speed as if it had always done so."""
    layout = draft.layout
    crank, fan = layout.crank, layout.fan
    firing = layout.count - (draft.fault == "misfire")
    torque = firing * parts.FIRED_J / (4.0 * math.pi)
    needs = FAN_SHARE * torque / layout.driver_m
    slips = draft.fault == "slipping_belt"
    passed = needs * (draft.grip if slips else 1.0)
    fan_damping = needs * layout.driven_m / fan.speed_rad_s
    fan = parts.Turning(fan.centre, fan.speed_rad_s * (draft.grip if slips else 1.0))
    play = [draft.play_m if draft.fault == "knocking_rod" and k == draft.which else 0.0 for k in range(layout.count)]
    cylinders = parts.cylinder_parts(layout, draft.pistons, play)
    moving = [*_block_and_crank(draft, crank), *cylinders.bodies]
    if draft.fault == "unbalanced_flywheel":
        # Inside the rim, under the paint.
        at = parts.turned(layout, (-layout.half_m - 0.04, 0.0, parts.BALLAST_M))
        shape = Box(size_m=(0.018, 0.02, 0.018))
        turn = math.radians(layout.start_deg)
        moving.append(
            parts.fixed_to(
                crank, "ballast", shape, at, turn, material="steel", mass_kg=parts.BALLAST_KG, label="weight"
            )
        )
    mass = [body.mass_kg or body_mass_properties(body, MATERIALS[body.material]).mass for body in moving]
    # As a whole it does not drift: the block goes against what turns off the axis.
    drift = -sum(m * body.velocity_m_s[1] for m, body in zip(mass, moving, strict=True)) / sum(mass)
    moving = [
        body.model_copy(update={"velocity_m_s": tuple(np.add(body.velocity_m_s, (0.0, drift, 0.0)).tolist())})
        for body in moving
    ]
    still = _still(draft)
    at_belt = fan.centre + np.array([layout.belt_x_m, 0.0, 0.0])
    fan_body = parts.fixed_to(
        fan, "fan", parts.fan_shape(), at_belt, 0.0, material="aluminium", look=draft.fan, label="fan"
    )
    fan_pulley = parts.fixed_to(
        fan,
        "fan_pulley",
        parts.pulley_shape(layout.driven_m),
        at_belt,
        0.0,
        material="aluminium",
        label="fan pulley",
    )
    fan_spot = parts.fixed_to(
        fan, "fan_spot", parts.spot_shape(layout.driven_m), at_belt, 0.0, material="ABS", mass_kg=0.002,
        look=_spot(draft), label="paint mark",
    )  # fmt: skip
    turning_fan = [fan_body, fan_pulley, fan_spot]
    joints = [
        _mount(sum(mass)),
        Joint(name="crank", kind="hinge", child="crank", parent="block", anchor_m=parts.vec(crank.centre),
              axis=(1.0, 0.0, 0.0), damping=(torque - passed * layout.driver_m) / crank.speed_rad_s),
        Joint(name="fan", kind="hinge", child="fan", parent="fan_housing",
              anchor_m=parts.vec(at_belt - np.array([0.034, 0.0, 0.0])),
              axis=(1.0, 0.0, 0.0), damping=fan_damping),
        *(Joint(name=body.name, kind="fixed", child=body.name, parent="fan") for body in turning_fan[1:]),
        *(Joint(name=body.name, kind="fixed", child=body.name, parent="crank")
          for body in moving if body.name in ("flywheel", "mark", "crank_pulley", "crank_spot", "ballast")),
        *cylinders.joints,
    ]  # fmt: skip
    belt, links = _belt(draft, needs)
    solid = [body.name for body in (*still, *moving, *turning_fan)]
    return Machine(
        bodies=(*still, *moving, *turning_fan, *links),
        joints=tuple(joints),
        gas_cylinders=tuple(_gas(draft, k) for k in range(layout.count)),
        belts=(belt,),
        bearings=(_bearing(draft, needs),),
        no_contact=tuple((a, b) for k, b in enumerate(solid) for a in solid[:k]),
    )


def _block_and_crank(draft: Draft, crank: parts.Turning) -> list[Body]:
    layout = draft.layout
    turn = math.radians(layout.start_deg)
    wheel = parts.turned(layout, (-layout.half_m - 0.04, 0.0, 0.0))
    pulley = parts.turned(layout, (layout.belt_x_m, 0.0, 0.0))
    return [
        Body(name="block", shape=parts.block_shape(layout), material="aluminium", position_m=parts.vec(crank.centre),
             mass_kg=parts.BLOCK_KG, look=draft.block, label="engine block"),
        parts.fixed_to(crank, "crank", parts.crank_shape(layout), crank.centre, turn, material="steel", label="crank"),
        parts.fixed_to(crank, "flywheel", parts.flywheel_shape(), wheel, turn, material="steel", look=draft.flywheel,
                       label="flywheel"),
        parts.fixed_to(crank, "mark", parts.mark_shape(), wheel, turn, material="ABS", mass_kg=0.004, look=draft.mark,
                       label="paint mark"),
        parts.fixed_to(crank, "crank_spot", parts.spot_shape(layout.driver_m), pulley, turn, material="ABS",
                       mass_kg=0.002, look=_spot(draft), label="paint mark"),
        parts.fixed_to(crank, "crank_pulley", parts.pulley_shape(layout.driver_m), pulley, turn, material="steel",
                       label="crank pulley"),
    ]  # fmt: skip


def _still(draft: Draft) -> list[Body]:
    layout = draft.layout
    return [
        Body(name="bed", shape=parts.bed_shape(layout), material="oak", motion="static",
             position_m=parts.vec(layout.origin), label="wooden bed"),
        Body(name="fan_housing", shape=parts.housing_shape(layout), material="steel", motion="static",
             position_m=parts.vec(layout.fan.centre + np.array([layout.belt_x_m - 0.034, 0.0, 0.0])), look=draft.block,
             label="fan housing"),
    ]  # fmt: skip


def _spot(draft: Draft) -> Look:
    """The flywheel's paint, or where that is pale, its mark's: what shows on metal."""
    return draft.flywheel if float(np.mean(draft.flywheel.color)) < 0.35 else draft.mark


def _mount(mass_kg: float) -> Joint:
    stiffness = mass_kg * (2.0 * math.pi * parts.MOUNT_HZ) ** 2
    return Joint(
        name="mount", kind="slide", child="block", parent="bed", axis=(0.0, 1.0, 0.0),
        limits=(-parts.STOP_GAP_M, parts.STOP_GAP_M), stiffness=stiffness,
        damping=2.0 * parts.MOUNT_DAMPING * math.sqrt(stiffness * mass_kg),
    )  # fmt: skip


def _gas(draft: Draft, k: int) -> GasCylinder:
    layout = draft.layout
    return GasCylinder(
        name=f"cylinder_{k}",
        crank_joint="crank",
        piston_joint=f"piston_{k}",
        bore_m=parts.BORE_M,
        stroke_m=parts.STROKE_M,
        compression_ratio=parts.COMPRESSION_RATIO,
        peak_pressure_pa=parts.PEAK_PRESSURE_PA,
        firing_angle_deg=(layout.angles_deg[k] - layout.start_deg) % 720.0,
        fires=not (draft.fault == "misfire" and k == draft.which),
    )


def _belt(draft: Draft, needs_n: float) -> tuple[Belt, list[Body]]:
    layout = draft.layout
    shift = np.array([layout.belt_x_m, 0.0, 0.0])
    between = layout.fan.centre - layout.crank.centre
    distance = float(np.linalg.norm(between))
    path = BeltPath(
        driver_m=layout.crank.centre + shift, along=between / distance, axis=np.array([1.0, 0.0, 0.0]),
        distance_m=distance, driver_radius_m=layout.driver_m, driven_radius_m=layout.driven_m, sense=1.0,
    )  # fmt: skip
    wrap = min(path.driver_wrap_rad, path.driven_wrap_rad)
    if draft.fault == "slipping_belt":
        tension = draft.grip * needs_n / (2.0 * math.tanh(0.5 * FRICTION * (1.0 - FRICTION_DROP) * wrap))
    else:
        tension = (HELD_TIMES * needs_n + HELD_MORE_N) / (2.0 * math.tanh(0.5 * FRICTION * wrap))
    count, share = LINKS[draft.drive]
    pitch = path.length_m / count
    links = []
    for k, pose in enumerate(path.poses(pitch * np.arange(count))):
        wide = parts.LINK_WIDE_M * (0.72 if draft.drive == "chain" and k % 2 else 1.0)
        links.append(
            Body(name=f"link_{k}", shape=Box(size_m=(share * pitch, parts.LINK_THICK_M, wide)), motion="carried",
                 material="rubber" if draft.drive == "belt" else "steel", position_m=parts.vec(pose[:3]),
                 orientation_wxyz=parts.quat(pose[3:]), look=_link_look(draft.drive, k), label=draft.drive)
        )  # fmt: skip
    belt = Belt(
        name=draft.drive,
        kind="chain" if draft.drive == "chain" else "belt",
        driver=Pulley(joint="crank", radius_m=layout.driver_m),
        driven=Pulley(joint="fan", radius_m=layout.driven_m),
        tension_n=tension,
        friction=FRICTION,
        friction_drop=FRICTION_DROP,
        links=tuple(body.name for body in links),
    )
    return belt, links


def _link_look(drive: str, k: int) -> Look:
    if drive == "chain":
        return MATERIALS["steel"].look
    # One piece of four is printed on, so that the belt is seen to run.
    return Look(color=(0.75, 0.72, 0.62) if k % 8 == 0 else (0.035, 0.035, 0.038), roughness=0.75)


def _bearing(draft: Draft, needs_n: float) -> Bearing:
    worn = draft.fault == "worn_bearing"
    return Bearing(
        name="fan_bearing",
        joint="fan",
        housing="fan_housing",
        ball_count=BALLS,
        ball_diameter_m=BALL_M,
        pitch_diameter_m=PITCH_M,
        radial_load_n=BEARING_LOAD_N + needs_n,
        defect=BearingDefect(part="outer_race", width_m=draft.pit_m) if worn else None,
        seed=draft.seed,
    )
