"""A shaft in one bearing, and its motion made by hand: what tests of bearings run on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from physreel.geometry.bearings import BEARINGS
from physreel.simulators.machinery import JointMotion, PartRecord, joint_signals, machine_parts
from physreel.simulators.preparation import prepare
from physreel.spec import Bearing, BearingDefect, Body, Box, Cylinder, Joint, Microphone, Motor, SceneSpec
from physreel.values import ContactTable, Trajectory

OWN: dict[str, Any] = {"ball_count": 12, "ball_diameter_m": 6e-3, "pitch_diameter_m": 42e-3, "contact_angle_deg": 15.0}


def sizes(kind: str) -> dict[str, Any]:
    """Count, diameters and contact angle of a bearing of the table, or of our own."""
    if kind == "own":
        return dict(OWN)
    size = BEARINGS[kind]
    return {
        "ball_count": size.ball_count,
        "ball_diameter_m": size.ball_diameter_m,
        "pitch_diameter_m": size.pitch_diameter_m,
    }


def world(kind: str = "6205", part: Any = None, *, turns_s: float = 20.0, width_m: float = 1e-3,
          angle_deg: float = 0.0, load_n: float = 300.0, slip: float = 0.0, seed: int = 1, duration_s: float = 3.0,
          bodies: tuple[Body, ...] = (), **extra: Any) -> SceneSpec:  # fmt: skip
    """A disc on a shaft along + y through a steel block, driven at a constant speed from the start."""
    omega = 2.0 * np.pi * turns_s
    defect = None if part is None else BearingDefect(part=part, width_m=width_m, angle_deg=angle_deg)
    return SceneSpec(
        scene="test",
        duration_s=duration_s,
        fps=24,
        bodies=(
            Body(name="block", shape=Box(size_m=(0.16, 0.016, 0.13)), material="steel", motion="static",
                 position_m=(0.0, 0.008, 0.05)),
            Body(name="disc", shape=Cylinder(radius_m=0.05, height_m=0.01), material="steel",
                 position_m=(0.0, 0.06, 0.05), orientation_wxyz=(0.5**0.5, -(0.5**0.5), 0.0, 0.0),
                 angular_velocity_rad_s=(0.0, omega, 0.0)),
            *bodies,
        ),
        joints=(
            Joint(name="shaft", kind="hinge", child="disc", parent="block", anchor_m=(0.0, 0.0, 0.05),
                  axis=(0.0, 1.0, 0.0), motor=Motor(speed=omega, max_effort=5.0)),
        ),
        bearings=(
            Bearing(name="bearing", joint="shaft", housing="block", radial_load_n=load_n, slip_share=slip, seed=seed,
                    defect=defect, **sizes(kind), **extra),
        ),
        microphones=(Microphone(name="ear", position_m=(0.2, -0.6, 0.3)),),
    )  # fmt: skip


def motion(spec: SceneSpec, angle_of: Callable[[Any], Any] | None = None) -> JointMotion:
    """The shaft at its motor's speed, or with ``angle_of(times)`` rad."""
    prep = prepare(spec)
    time = np.arange(prep.step_count + 1) * prep.step_s
    motor = spec.joints[0].motor
    assert motor is not None
    angle: Any = motor.speed * time if angle_of is None else angle_of(time)
    return JointMotion(
        step_s=prep.step_s,
        substeps=prep.substeps,
        position=angle[:, None],
        velocity=np.gradient(angle, prep.step_s)[:, None],
        motor_effort=np.zeros((prep.step_count, 1)),
    )


def record(spec: SceneSpec, moved: JointMotion) -> PartRecord:
    """What the bearing tells of a motion."""
    (part,) = machine_parts(prepare(spec))
    return part.finish(moved)


def spun(spec: SceneSpec, angle_of: Callable[[Any], Any] | None = None) -> Trajectory:
    """A trajectory without an engine: all bodies stay where they are, but the bearing tells of its blows."""
    moved = motion(spec, angle_of)
    told = record(spec, moved)
    pose = np.array([[*body.position_m, *body.orientation_wxyz] for body in spec.bodies])
    frames, count = spec.frame_count, len(spec.bodies)
    return Trajectory(
        fps=spec.fps,
        step_s=moved.step_s,
        body_pose=np.repeat(pose[None], frames, axis=0),
        body_velocity=np.zeros((frames, count, 6)),
        body_pose_end=pose,
        body_velocity_end=np.zeros((count, 6)),
        joint_position=moved.at_frames(moved.position)[:frames],
        joint_velocity=moved.at_frames(moved.velocity)[:frames],
        contacts=ContactTable.empty(),
        knocks=told.knocks,
        signals={**joint_signals(prepare(spec), moved), **told.signals},
        simulator="by hand",
    )
