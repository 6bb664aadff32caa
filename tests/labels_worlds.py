"""Worlds with a known course, written down in closed form, for the tests of analysis and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from physreel.geometry.mass import body_mass_properties
from physreel.spec import Body, Box, Plane, SceneSpec, Sphere
from physreel.values import ContactTable, Trajectory

GRAVITY = 9.81
STEP_S = 1 / 1200
CONTACT_S = 4 * STEP_S
"""How long a made-up blow lasts; the ball stands still meanwhile."""


@dataclass
class Rows:
    """Contact rows, in any order, to be made a table."""

    rows: list[tuple[float, int, int, tuple, tuple, float, float]] = field(default_factory=list)

    def add(self, time, a, b, impulse, approach, *, normal=(0.0, 0.0, 1.0), point=(0.0, 0.0, 0.0)):
        if a > b:
            a, b, normal = b, a, tuple(-x for x in normal)
        self.rows.append((time, a, b, point, normal, impulse, approach))

    def table(self) -> ContactTable:
        if not self.rows:
            return ContactTable.empty()
        rows = sorted(self.rows, key=lambda row: row[:3])
        time, a, b, point, normal, impulse, approach = zip(*rows, strict=True)
        zeros = np.zeros((len(rows), 3))
        return ContactTable(
            time_s=np.array(time),
            body_a=np.array(a),
            body_b=np.array(b),
            point_m=np.array(point),
            normal=np.array(normal),
            normal_impulse_n_s=np.array(impulse),
            tangential_impulse_n_s=zeros,
            slip_velocity_m_s=zeros,
            approach_speed_m_s=np.array(approach),
        )


def trajectory_of(spec, pose, velocity, contacts):
    """A trajectory from (T + 1, B, 7) poses and (T + 1, B, 6) velocities, the last row being the end."""
    return Trajectory(
        fps=spec.fps,
        step_s=STEP_S,
        body_pose=pose[:-1],
        body_velocity=velocity[:-1],
        body_pose_end=pose[-1],
        body_velocity_end=velocity[-1],
        joint_position=np.zeros((len(pose) - 1, 0)),
        joint_velocity=np.zeros((len(pose) - 1, 0)),
        contacts=contacts,
        simulator="closed form 1",
    )


@dataclass(frozen=True)
class Ball:
    """A ball that falls from ``drop_m`` (gap to what is below) onto body ``onto`` and bounces with restitution e."""

    drop_m: float
    e: float
    onto: int = 0
    level_m: float = 0.0
    radius_m: float = 0.05
    label: str = ""
    material: str = "rubber"


def bouncing_balls(
    balls: Sequence[Ball], *, duration_s: float = 2.0, fps: int = 24, table: bool = False, floor_label: str = "floor"
) -> tuple[SceneSpec, Trajectory]:
    """Balls side by side over a floor (body 0) and, if asked for, a table (body 1) with its top at their level_m."""
    fixed = [Body(name="floor", shape=Plane(), material="concrete", motion="static", label=floor_label)]
    if table:
        fixed.append(
            Body(
                name="table", shape=Box(size_m=(1, 1, 0.04)), material="oak", motion="static", label="table",
                position_m=(0, 0, 0.48),
            )
        )  # fmt: skip
    bodies = [
        Body(
            name=f"ball{k}",
            shape=Sphere(radius_m=ball.radius_m),
            material=ball.material,
            position_m=(0.3 * k, 0.0, ball.level_m + ball.radius_m + ball.drop_m),
            label=ball.label,
        )
        for k, ball in enumerate(balls)
    ]
    spec = SceneSpec(scene="test", duration_s=duration_s, fps=fps, bodies=(*fixed, *bodies))
    frames = spec.frame_count
    time = np.arange(frames + 1) / fps
    pose = np.zeros((frames + 1, len(spec.bodies), 7))
    pose[..., 3] = 1.0
    velocity = np.zeros((frames + 1, len(spec.bodies), 6))
    for k, body in enumerate(spec.bodies):
        pose[:, k, :3] = body.position_m
    rows = Rows()
    for k, ball in enumerate(balls):
        index = len(fixed) + k
        mass = body_mass_properties(spec.bodies[index], spec.material_of(spec.bodies[index])).mass
        z, v, at = ball.drop_m, 0.0, 0.0
        resting_from = np.inf
        point = (0.3 * k, 0.0, ball.level_m)
        base = ball.level_m + ball.radius_m
        while at < duration_s:
            flight = (v + np.sqrt(v * v + 2 * GRAVITY * z)) / GRAVITY
            seen = (time >= at) & (time < at + flight)
            dt = time[seen] - at
            pose[seen, index, 2] = base + z + v * dt - 0.5 * GRAVITY * dt * dt
            velocity[seen, index, 2] = v - GRAVITY * dt
            hit = GRAVITY * flight - v
            at, z, v = at + flight, 0.0, ball.e * hit
            if v < 0.1:
                rows.add(at, ball.onto, index, mass * hit, hit, point=point)
                resting_from = at
                break
            shares = np.sin(np.pi * (np.arange(5) + 0.5) / 5)
            for n, share in enumerate(shares / shares.sum()):
                speed = hit * (1 - n / 2.5) if n < 2.5 else -ball.e * hit * (n - 2.5) / 2.5
                if at + n * STEP_S <= duration_s:
                    rows.add(at + n * STEP_S, ball.onto, index, mass * (hit + v) * share, speed, point=point)
            pressed = (time >= at) & (time < at + CONTACT_S)
            pose[pressed, index, 2] = base
            at += CONTACT_S
        still = time >= resting_from
        pose[still, index, 2], velocity[still, index] = base, 0.0
        if np.isfinite(resting_from):
            for t in np.arange(resting_from + STEP_S, duration_s, STEP_S):
                rows.add(float(t), ball.onto, index, mass * GRAVITY * STEP_S, 0.0, point=point)
    return spec, trajectory_of(spec, pose, velocity, rows.table())
