"""What became of a set of gears, read off the trajectory: turns, ratios, slips, jams, lost teeth, torque and power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from physreel.analysis.machines import jam_s, machine_signal, turned_rad
from physreel.geometry.gears import backlash_m, mesh_distance_m
from physreel.geometry.rotations import rotate_wxyz
from physreel.spec import Body, Gear, Joint, Rack, SceneSpec
from physreel.values import Outcome, Trajectory

Floats = NDArray[np.float64]

TURNED_RAD = 0.1
"""What has turned by less than 6° has not turned as far as anyone could tell from the picture."""

MOVED_M = 0.004
"""Likewise of a rack."""

SKIPPED_PITCHES = 0.25
"""Gears whose teeth come out of step by more than this, beyond their play, have lost hold of each other for a while."""

HUB_SLIP_RAD = 0.15
END_S = 0.25
"""Speeds at the end are means over this time."""

MOVING_RAD_S = 0.05
THUMP_GAP_S = 0.06
THUMP_M_S = 0.03
"""Teeth that meet faster than this thump: errors and runout of a good gear make them meet at up to half of it."""

_WAY_S = 0.05

Fault = Literal["none", "missing_teeth", "loose_gear", "stripped_tooth", "jam", "locked"]


class GearOutcome(Outcome):
    """What turned, how fast and which way, and what failed."""

    layout: str = Field(description="train, loop, compound, internal, planetary or rack")
    gear_count: int = Field(description="how many gears there are, rings and planets too")
    output: str = Field(description="what the load is on: the label of the pointer, mark, carrier or rack")
    output_turns: bool = Field(description="whether the output moves at all: by 6° or more, a rack by 4 mm")
    output_turning_at_end: bool = Field(description="whether it moves at the end of the clip")
    output_clockwise: bool | None = Field(
        description="whether the output turns clockwise as the camera sees it, on the whole; none if it does not turn"
    )
    rack_moves_right: bool | None = Field(description="whether the rack moves to the right in the picture, if it moves")
    ratio: float | None = Field(
        description="turns of the output for each of the driver, negative if against it; none if the driver stands, "
        "or drives a rack"
    )
    rack_travel_m: float | None = Field(description="how far the rack is from where it began at the end")
    driver_angle_rad: float = Field(description="how far the driver has turned at the end")
    output_angle_rad: float | None = Field(description="how far the output has turned at the end; none of a rack")
    driver_speed_rad_s: float = Field(description="the driver's mean speed in the last quarter of a second")
    output_speed: float = Field(description="the output's likewise, rad/s (a rack's m/s)")
    fastest_gear: str | None = Field(description="label of the gear that turns through most; none if no gear turns")
    fault: Fault = Field(
        description="what shows: none, missing_teeth (teeth thump or come out of step where some are missing), "
        "loose_gear (it turns on its shaft), stripped_tooth, jam (the driver is stopped by something in the teeth, by "
        "teeth that clash, or at the end of the rack), locked (it never gets beyond its play)"
    )
    faulty_gear: str | None = Field(description="label of the gear at fault, if one is")
    jam_s: float | None = Field(description="since when the driver stands although it is driven; none if it does not")
    jammed_by: str | None = Field(description="label of the thing in the teeth that stops them")
    tooth_lost_s: float | None = Field(description="when the first tooth breaks off")
    teeth_lost: int = Field(description="how many teeth break off")
    thump_count: int = Field(description="blows of teeth that meet faster than 0.03 m/s, once the driver is at speed")
    output_torque_n_m: float = Field(description="mean load torque at the output while it moves (of a rack: force, N)")
    tooth_force_n: float = Field(
        description="greatest force between two meshing gears while the driver turns, mean over 0.1 s"
    )
    work_in_j: float = Field(description="work of the motor over the clip")
    work_out_j: float = Field(description="work at the load over the clip")
    power_in_w: float = Field(description="mean power of the motor over the clip")
    power_out_w: float = Field(description="mean power at the load over the clip")


@dataclass(frozen=True)
class Mesh:
    """Two bodies with teeth that mesh: indices of bodies; the second may be a rack or a ring."""

    a: int
    b: int


def find_meshes(spec: SceneSpec) -> list[Mesh]:
    """Which gears mesh: those in one plane whose teeth reach into each other, and gears on a rack."""
    toothed = [(k, body) for k, body in enumerate(spec.bodies) if isinstance(body.shape, Gear | Rack)]
    found = []
    for i, (k, one) in enumerate(toothed):
        for j, other in toothed[i + 1 :]:
            first, second = (one, other) if not _outer(one) else (other, one)
            if _reach_into(first, second):
                found.append(Mesh(k, j) if first is one else Mesh(j, k))
    return found


def _outer(body: Body) -> bool:
    return isinstance(body.shape, Rack) or (isinstance(body.shape, Gear) and body.shape.internal)


def _reach_into(a: Body, b: Body) -> bool:
    axis = rotate_wxyz(np.asarray(a.orientation_wxyz), np.array([0.0, 0.0, 1.0]))
    apart = np.subtract(b.position_m, a.position_m)
    rise = float(apart @ axis)
    assert isinstance(a.shape, Gear)
    assert isinstance(b.shape, Gear | Rack)
    if a.shape.internal or abs(rise) >= 0.5 * (a.shape.width_m + b.shape.width_m):
        return False
    distance = float(np.linalg.norm(apart - rise * axis))
    if isinstance(b.shape, Rack):
        up = rotate_wxyz(np.asarray(b.orientation_wxyz), np.array([0.0, 1.0, 0.0]))
        return bool(0.0 < -float(apart @ up) < a.shape.tip_radius_m + b.shape.module_m)
    return bool(abs(distance - mesh_distance_m(a.shape, b.shape)) < 1.5 * a.shape.module_m)


def gear_angle(spec: SceneSpec, trajectory: Trajectory, body: str) -> Floats:
    """(n,) how far a body has turned about the machine's axis, in the sense of its hinges, at the rate of signals."""
    length = len(machine_signal(trajectory, "angle", "drive").values)
    total = np.zeros(length)
    name: str | None = body
    while name is not None:
        joint = next((j for j in spec.joints if j.child == name and j.kind in ("hinge", "fixed")), None)
        if joint is None:
            break
        if joint.kind == "hinge":
            total = total + machine_signal(trajectory, "angle", joint.name).values
        name = joint.parent
    return np.asarray(total, np.float64)


def out_of_step(spec: SceneSpec, trajectory: Trajectory, mesh: Mesh) -> Floats:
    """(n,) by how many teeth two meshing gears have come out of step since the start; play makes it vary a little."""
    a, b = spec.bodies[mesh.a], spec.bodies[mesh.b]
    assert isinstance(a.shape, Gear)
    turned = gear_angle(spec, trajectory, a.name) * a.shape.tooth_count / (2.0 * np.pi)
    if isinstance(b.shape, Rack):
        moved = machine_signal(trajectory, "position", "output").values / b.shape.pitch_m
        return np.asarray(turned - moved, np.float64)
    assert isinstance(b.shape, Gear)
    other = gear_angle(spec, trajectory, b.name) * b.shape.tooth_count / (2.0 * np.pi)
    carried = next((j.parent for j in spec.joints if j.child == a.name and j.parent == "carrier"), None)
    sign = -1.0 if b.shape.internal else 1.0
    off = turned + sign * other
    if carried or any(j.child == b.name and j.parent == "carrier" for j in spec.joints):
        # Teeth mesh in the frame of the carrier, which turns round with the middles of the planets.
        frame = gear_angle(spec, trajectory, "carrier") / (2.0 * np.pi)
        off = off - frame * (a.shape.tooth_count + sign * b.shape.tooth_count)
    return np.asarray(off, np.float64)


def read_outcome(spec: SceneSpec, trajectory: Trajectory) -> GearOutcome:
    """Everything there is to say of a set of gears."""
    drive, output = spec.joint("drive"), spec.joint("output")
    slides = output.kind == "slide"
    speed = machine_signal(trajectory, "speed", "output")
    driven = turned_rad(trajectory, "drive")
    moved = machine_signal(trajectory, "position" if slides else "angle", "output").values
    way = float(moved[-1] - moved[0])
    furthest = float(np.ptp(moved))
    moves = furthest > (MOVED_M if slides else TURNED_RAD)
    facing = camera_facing(spec, drive)
    tail = max(1, int(END_S * speed.rate_hz))
    end_speed = float((moved[-1] - moved[-1 - tail]) / tail * speed.rate_hz)
    drive_angle = machine_signal(trajectory, "angle", "drive").values
    drive_end = float((drive_angle[-1] - drive_angle[-1 - tail]) / tail * speed.rate_hz)
    stood = jam_s(spec, trajectory, "drive")
    fault, gear = _fault(spec, trajectory, stood)
    turns = {k: float(np.ptp(gear_angle(spec, trajectory, spec.bodies[k].name))) for k in _gears(spec)}
    quickest = max(turns, key=lambda k: turns[k])
    brake = output.friction + output.damping * np.abs(speed.values)
    going = np.abs(speed.values) > (0.05 * MOVING_RAD_S if slides else MOVING_RAD_S)
    seconds = len(speed.values) / speed.rate_hz
    effort = machine_signal(trajectory, "motor_effort", "drive").values
    # By the ways that were covered, not by speeds at single moments: what trembles wears no brake, and a motor that
    # is thrown back gets nothing back.
    every = max(1, int(_WAY_S * speed.rate_hz))
    given = np.add.reduceat(effort[:-1] * np.diff(drive_angle), np.arange(0, len(effort) - 1, every))
    work_in = float(np.maximum(given, 0.0).sum())
    work_out = float(brake[::every][:-1] @ np.abs(np.diff(moved[::every])))
    turning = np.abs(machine_signal(trajectory, "speed", "drive").values) > MOVING_RAD_S
    forces = [
        (_smooth(signal.values, signal.rate_hz) * turning).max()
        for name, signal in trajectory.signals.items()
        if name.startswith("tooth_force:")
    ]
    return GearOutcome(
        layout=str(spec.parameters["layout"]),
        gear_count=len(turns),
        output=output_label(spec),
        output_turns=moves,
        output_turning_at_end=abs(end_speed) > (0.05 * MOVING_RAD_S if slides else MOVING_RAD_S),
        output_clockwise=None if slides or abs(way) <= TURNED_RAD else bool(way * facing < 0.0),
        rack_moves_right=bool(way * _rightwards(spec, output) > 0.0) if slides and abs(way) > MOVED_M else None,
        ratio=None if slides or abs(driven) < 2.0 * TURNED_RAD else way / driven,
        rack_travel_m=abs(way) if slides else None,
        driver_angle_rad=driven,
        output_angle_rad=None if slides else way,
        driver_speed_rad_s=drive_end,
        output_speed=end_speed,
        fastest_gear=spec.bodies[quickest].label if turns[quickest] > TURNED_RAD else None,
        fault=fault,
        faulty_gear=gear,
        jam_s=stood,
        jammed_by=_in_the_teeth(spec, trajectory, stood),
        tooth_lost_s=trajectory.breaks[0].time_s if trajectory.breaks else None,
        teeth_lost=len(trajectory.breaks),
        thump_count=len(find_thumps(spec, trajectory)),
        output_torque_n_m=float(brake[going].mean()) if going.any() else 0.0,
        tooth_force_n=float(max(forces, default=0.0)),
        work_in_j=work_in,
        work_out_j=work_out,
        power_in_w=work_in / seconds,
        power_out_w=work_out / seconds,
    )


def camera_facing(spec: SceneSpec, joint: Joint) -> float:
    """1 if the camera looks against a hinge's axis, so that positive turns are counterclockwise to it; else -1."""
    gaze = spec.cameras[0].camera_to_world(0.0)[:3, 3] - np.array(joint.anchor_m)
    return 1.0 if float(gaze @ np.array(joint.axis)) > 0.0 else -1.0


def output_label(spec: SceneSpec) -> str:
    """What the output is called: its pointer or mark, the carrier, or the rack."""
    names = {body.name: body.label for body in spec.bodies}
    return next(names[name] for name in ("pointer", "rack", "carrier") if name in names)


def find_thumps(spec: SceneSpec, trajectory: Trajectory, speed_m_s: float = THUMP_M_S) -> list[float]:
    """Times of blows between teeth, once the driver is at speed, at which they meet faster than a speed."""
    motor = spec.joint("drive").motor
    assert motor is not None
    table = trajectory.contacts
    toothed = np.array([isinstance(body.shape, Gear | Rack) for body in spec.bodies])
    blows = toothed[table.body_a] & toothed[table.body_b] & (table.time_s > motor.start_s + motor.ramp_s)
    blows &= table.approach_speed_m_s > speed_m_s
    found: list[float] = []
    last = -1.0
    for time in table.time_s[blows].tolist():
        if time - last > THUMP_GAP_S:
            found.append(time)
        last = time
    return found


def _smooth(values: Floats, rate_hz: float) -> Floats:
    length = max(1, int(0.1 * rate_hz))
    return np.asarray(np.convolve(values, np.ones(length) / length, "same"))


def _gears(spec: SceneSpec) -> list[int]:
    return [k for k, body in enumerate(spec.bodies) if isinstance(body.shape, Gear)]


def _rightwards(spec: SceneSpec, joint: Joint) -> float:
    return float(np.sign(spec.cameras[0].camera_to_world(0.0)[:3, 0] @ np.array(joint.axis)))


def _in_the_teeth(spec: SceneSpec, trajectory: Trajectory, stood_s: float | None) -> str | None:
    """What loose thing is in touch with gears while the driver stands."""
    if stood_s is None:
        return None
    parts = {joint.child for joint in spec.joints}
    loose = np.array([b.motion == "dynamic" and b.name not in parts for b in spec.bodies])
    toothed = np.array([isinstance(body.shape, Gear | Rack) for body in spec.bodies])
    table = trajectory.contacts
    late = table.time_s >= max(stood_s, trajectory.duration_s - 0.2)
    for thing, other in ((table.body_a, table.body_b), (table.body_b, table.body_a)):
        pressed = late & loose[thing] & toothed[other]
        if pressed.any():
            force = np.bincount(thing[pressed], table.normal_impulse_n_s[pressed])
            return spec.bodies[int(force.argmax())].label
    return None


def _fault(spec: SceneSpec, trajectory: Trajectory, stood_s: float | None) -> tuple[Fault, str | None]:
    """What shows, the gravest first: a lost tooth, a stop, a slipping hub, teeth out of step where some are missing."""
    if trajectory.breaks:
        return "stripped_tooth", spec.bodies[spec.body_index(trajectory.breaks[0].bodies[0])].label
    if stood_s is not None:
        locked = _within_play(spec, trajectory) and _in_the_teeth(spec, trajectory, stood_s) is None
        return ("locked" if locked else "jam"), _beside_a_gap(spec, trajectory, stood_s)
    for joint in spec.joints:
        if joint.name.endswith("_hub") and joint.kind == "hinge":
            angle = machine_signal(trajectory, "angle", joint.name).values
            if float(np.ptp(angle)) > HUB_SLIP_RAD:
                return "loose_gear", spec.bodies[spec.body_index(joint.child)].label
    weak = {tooth.gear for tooth in spec.breakable_teeth}
    for mesh in find_meshes(spec):
        a, b = spec.bodies[mesh.a], spec.bodies[mesh.b]
        gaps = [
            body
            for body in (a, b)
            if isinstance(body.shape, Gear) and body.shape.missing_teeth and body.name not in weak
        ]
        skipped = float(np.ptp(out_of_step(spec, trajectory, mesh))) > SKIPPED_PITCHES
        if gaps and (skipped or find_thumps(spec, trajectory)):
            return "missing_teeth", gaps[0].label
    return "none", None


def _beside_a_gap(spec: SceneSpec, trajectory: Trajectory, stood_s: float) -> str | None:
    """The gear with a gap in its teeth, where nothing but teeth is in the way: they clash as they come in again."""
    gaps = [b.label for b in spec.bodies if isinstance(b.shape, Gear) and b.shape.missing_teeth]
    return gaps[0] if len(gaps) == 1 and _in_the_teeth(spec, trajectory, stood_s) is None else None


def _within_play(spec: SceneSpec, trajectory: Trajectory) -> bool:
    """Whether the driver never got farther than the play of its teeth, all round."""
    driver = spec.joint("drive").child
    angle = float(np.ptp(gear_angle(spec, trajectory, driver)))
    meshes = [m for m in find_meshes(spec) if driver in (spec.bodies[m.a].name, spec.bodies[m.b].name)]
    play = 0.0
    for mesh in meshes:
        a, b = spec.bodies[mesh.a], spec.bodies[mesh.b]
        if isinstance(a.shape, Gear) and isinstance(b.shape, Gear):
            play = max(play, backlash_m(a.shape, b.shape, mesh_distance_m(a.shape, b.shape)))
    shape = spec.bodies[spec.body_index(driver)].shape
    assert isinstance(shape, Gear)
    return angle * shape.base_radius_m < 4.0 * play
