"""Worlds whose contacts are written by hand, so that a test of sound depends on no engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from physreel.analysis import find_impacts
from physreel.geometry.mass import mass_properties
from physreel.renderers.audio.bodies import SoundingBody
from physreel.renderers.audio.poses import Poses
from physreel.renderers.audio.strikes import Strike, find_strikes
from physreel.spec import MATERIALS, Body, Microphone, Plane, SceneSpec, Shape, Sphere
from physreel.values import ContactTable, Trajectory

STEP_S = 1.0 / 1200.0
FPS = 24


def world(
    shape: Shape | None = None,
    material: str = "steel",
    *,
    floor: str | Body = "marble",
    duration_s: float = 1.0,
    microphones: Sequence[tuple[float, float, float]] = ((0.0, -1.5, 0.5),),
    **options: Any,
) -> SceneSpec:
    """A body at the origin on something static: a plane through z = 0 unless told otherwise."""
    ground = floor if isinstance(floor, Body) else Body(name="floor", shape=Plane(), material=floor, motion="static")
    thing = Body(name="thing", shape=shape or Sphere(radius_m=0.03), material=material, **options)
    return SceneSpec(
        scene="by_hand",
        duration_s=duration_s,
        fps=FPS,
        bodies=(ground, thing),
        microphones=tuple(Microphone(name=f"m{k}", position_m=p) for k, p in enumerate(microphones)),
    )


def rows(**columns: Any) -> ContactTable:
    """A table of floor (0) and thing (1) from columns; what is not given is zero, points are the origin, normals up."""
    count = len(columns["time_s"])
    up = np.tile([0.0, 0.0, 1.0], (count, 1))
    table: dict[str, Any] = {
        "body_a": np.zeros(count, np.int32),
        "body_b": np.ones(count, np.int32),
        "point_m": np.zeros((count, 3)),
        "normal": up,
        "normal_impulse_n_s": np.zeros(count),
        "tangential_impulse_n_s": np.zeros((count, 3)),
        "slip_velocity_m_s": np.zeros((count, 3)),
        "approach_speed_m_s": np.zeros(count),
    }
    return ContactTable(**(table | columns))


def still(spec: SceneSpec, contacts: ContactTable, *, velocity: Any = None, **options: Any) -> Trajectory:
    """A trajectory in which nothing moves but what ``velocity`` (T + 1, 3) says of the last body."""
    frames, bodies = spec.frame_count, len(spec.bodies)
    pose = np.zeros((frames + 1, bodies, 7))
    for i, body in enumerate(spec.bodies):
        pose[:, i] = [*body.position_m, *body.orientation_wxyz]
    speed = np.zeros((frames + 1, bodies, 6))
    if velocity is not None:
        speed[:, -1, :3] = velocity
        pose[1:, -1, :3] += np.cumsum(speed[:-1, -1, :3], axis=0) / spec.fps
    return Trajectory(
        fps=spec.fps,
        step_s=STEP_S,
        body_pose=pose[:-1],
        body_velocity=speed[:-1],
        body_pose_end=pose[-1],
        body_velocity_end=speed[-1],
        joint_position=np.zeros((frames, 0)),
        joint_velocity=np.zeros((frames, 0)),
        contacts=contacts,
        simulator="by hand 1",
        **options,
    )


def mass_kg(spec: SceneSpec) -> float:
    """Of the thing."""
    thing = spec.bodies[-1]
    return mass_properties(thing.shape, MATERIALS[thing.material].density_kg_m3).mass


def blow(
    spec: SceneSpec,
    *,
    time_s: float = 0.2,
    speed_m_s: float = 2.0,
    point: Any = (0.0, 0.0, 0.0),
    restitution: float = 0.5,
) -> Trajectory:
    """One vertical impact of the thing on what is below, with the impulse a rigid body has, all of it in one step."""
    thing = spec.bodies[-1]
    solid = mass_properties(thing.shape, MATERIALS[thing.material].density_kg_m3)
    lever = np.cross(np.subtract(point, thing.position_m) - solid.center, (0.0, 0.0, 1.0))
    yielding = 1.0 / solid.mass + lever @ np.linalg.solve(solid.inertia, lever)
    contacts = rows(
        time_s=np.array([time_s]),
        point_m=np.array([point], float),
        normal_impulse_n_s=np.array([(1.0 + restitution) * speed_m_s / yielding]),
        approach_speed_m_s=np.array([speed_m_s]),
    )
    return still(spec, contacts)


def resting(
    spec: SceneSpec, *, start_s: float = 0.0, stop_s: float = 1.0, slip: float = 0.0, chatter: float = 0.0
) -> ContactTable:
    """Rows of a body that carries its weight, sliding along x at ``slip``; ``chatter`` shakes force and approach."""
    time = np.arange(round(start_s / STEP_S) + 1, round(stop_s / STEP_S) + 1) * STEP_S
    count = len(time)
    wobble = np.sin(np.arange(count) * 2.4)
    x = slip * (time - start_s)
    return rows(
        time_s=time,
        point_m=np.stack([x, 0 * x, 0 * x], 1),
        normal_impulse_n_s=mass_kg(spec) * 9.81 * STEP_S * (1.0 + chatter * wobble),
        slip_velocity_m_s=np.tile([slip, 0.0, 0.0], (count, 1)) + 0.004 * chatter * wobble[:, None] * [1.0, 0.0, 0.0],
        approach_speed_m_s=0.008 * chatter * wobble,
    )


def strikes_of(spec: SceneSpec, trajectory: Trajectory) -> list[Strike]:
    """The force pulses that the renderer makes of a trajectory's impacts."""
    bodies = [SoundingBody(spec, i) for i in range(len(spec.bodies))]
    return find_strikes(find_impacts(spec, trajectory), bodies, Poses(spec, trajectory), trajectory.step_s)
