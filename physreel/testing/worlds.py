"""Small worlds that every plug-in is put through."""

from __future__ import annotations

import numpy as np

from physreel import registry
from physreel.geometry.gears import mesh_distance_m, meshing_turn_rad
from physreel.geometry.rotations import axis_angle_to_wxyz, rotate_wxyz
from physreel.scenes.base import ClipSettings
from physreel.simulators.base import Simulator
from physreel.spec import (
    Body,
    Box,
    Camera,
    CameraKeyframe,
    Fluid,
    Gear,
    Joint,
    Keyframe,
    Microphone,
    Motor,
    Plane,
    SceneSpec,
    Sphere,
    SphereLight,
    Tank,
    Vessel,
    VesselFill,
)
from physreel.values import Trajectory

CLIP = ClipSettings(width=64, height=48, fps=20, duration_s=1.0, quality="draft")
_TILT_DEG = (0.0, 25.0, 60.0, 95.0, 110.0)
_LIP_M = (-0.045, 0.0, 0.14)

GEARS_RATIO, GEARS_START_S = 17 / 27, 0.1
"""Of small_gears: how many times slower the wheel turns, and when the motor is switched on."""

FLOAT_LEVEL_M, FLOAT_RADIUS_M = 0.06, 0.018
"""Of small_float: how high the water stands, and how large the balls are."""


def small_world(*, speed_m_s: float = 1.0, height_m: float = 0.3, cameras: int = 1) -> SceneSpec:
    """A steel ball and an oak block that fall on a marble floor, filmed small: one second of everything rigid."""
    views = tuple(
        Camera(
            name=f"camera_{k}",
            width=CLIP.width,
            height=CLIP.height,
            keyframes=(CameraKeyframe(position_m=(0.3 * k, -1.2, 0.5), look_at_m=(0.0, 0.0, 0.15)),),
        )
        for k in range(cameras)
    )
    return SceneSpec(
        scene="small_world",
        duration_s=CLIP.duration_s,
        fps=CLIP.fps,
        bodies=(
            Body(name="floor", shape=Plane(), material="marble", motion="static", label="floor"),
            Body(
                name="ball",
                shape=Sphere(radius_m=0.05),
                material="steel",
                position_m=(-0.12, 0.0, 0.05 + height_m),
                velocity_m_s=(0.1 * speed_m_s, 0.0, -speed_m_s),
                label="steel ball",
            ),
            Body(
                name="block",
                shape=Box(size_m=(0.12, 0.08, 0.06)),
                material="oak",
                position_m=(0.12, 0.0, 0.06 + height_m),
                orientation_wxyz=(0.9, 0.3, 0.2, 0.1),
                label="oak block",
            ),
        ),
        cameras=views,
        lights=(SphereLight(position_m=(0.6, -1.0, 1.8), radius_m=0.2, intensity=(9.0, 9.0, 9.0)),),
        microphones=(
            Microphone(name="left", position_m=(-0.1, -1.2, 0.5)),
            Microphone(name="right", position_m=(0.1, -1.2, 0.5)),
        ),
    )


def small_gears() -> SceneSpec:
    """A pinion of 17 teeth that drives a wheel of 27 about vertical axes, for half a second, without pictures."""
    pinion, wheel = (Gear(module_m=0.004, tooth_count=n, width_m=0.01, thinning_m=1e-4) for n in (17, 27))
    apart = mesh_distance_m(pinion, wheel)
    turn = meshing_turn_rad(pinion, 0.0, wheel, 0.0)
    return SceneSpec(
        scene="small_gears",
        duration_s=0.5,
        fps=CLIP.fps,
        step_s=1.0 / 2400.0,
        bodies=(
            Body(name="pinion", shape=pinion, material="steel", position_m=(0.0, 0.0, 0.2)),
            Body(
                name="wheel",
                shape=wheel,
                material="steel",
                position_m=(apart, 0.0, 0.2),
                orientation_wxyz=(float(np.cos(turn / 2)), 0.0, 0.0, float(np.sin(turn / 2))),
            ),
        ),
        joints=(
            Joint(
                name="pinion",
                kind="hinge",
                child="pinion",
                anchor_m=(0.0, 0.0, 0.2),
                motor=Motor(speed=6.0, max_effort=2.0, start_s=GEARS_START_S, ramp_s=0.1),
            ),
            Joint(name="wheel", kind="hinge", child="wheel", anchor_m=(apart, 0.0, 0.2), damping=0.01),
        ),
    )


def small_pour(*, liquid: str = "water", spacing_m: float = 0.006) -> SceneSpec:
    """A cup that tips over a glass on a floor, for 0.8 s: liquid that falls, is caught, and stays within walls."""
    glass = Vessel(profile_m=((0.0, 0.006), (0.032, 0.006), (0.034, 0.09)), wall_m=0.003)
    cup = Vessel(profile_m=((0.0, 0.006), (0.028, 0.006), (0.030, 0.08)), wall_m=0.003)
    keys = tuple(_tilted(0.1 + 0.12 * k, np.radians(angle), cup) for k, angle in enumerate(_TILT_DEG))
    return SceneSpec(
        scene="small_pour",
        duration_s=0.8,
        fps=CLIP.fps,
        bodies=(
            Body(name="floor", shape=Plane(), material="oak", motion="static", label="floor"),
            Body(name="glass", shape=glass, material="ceramic", motion="static", label="glass"),
            Body(
                name="cup", shape=cup, material="ceramic", motion="driven", label="cup", keyframes=keys,
                position_m=keys[0].position_m, orientation_wxyz=keys[0].orientation_wxyz,
            ),
        ),
        fluids=(Fluid(name="drink", liquid=liquid, label=liquid, fills=(VesselFill(vessel="cup", level_m=0.055),)),),
        particle_spacing_m=spacing_m,
        cameras=(
            Camera(
                width=CLIP.width,
                height=CLIP.height,
                keyframes=(CameraKeyframe(position_m=(0.05, -0.5, 0.22), look_at_m=(-0.01, 0.0, 0.1)),),
            ),
        ),
        lights=(SphereLight(position_m=(0.6, -1.0, 1.8), radius_m=0.2, intensity=(9.0, 9.0, 9.0)),),
        microphones=(Microphone(name="mono", position_m=(0.05, -0.5, 0.22)),),
    )  # fmt: skip


def small_float(*, spacing_m: float = 0.01) -> SceneSpec:
    """A ball of cork and one of steel, let go just above the water in a small tank: 0.6 s."""
    tank = Tank(inside_m=(0.13, 0.08, 0.12), wall_m=0.006)
    height = tank.floor_z_m + FLOAT_LEVEL_M + FLOAT_RADIUS_M + 0.002
    balls = tuple(
        Body(
            name=material, shape=Sphere(radius_m=FLOAT_RADIUS_M), material=material, position_m=(x, 0.0, height),
            label=f"{material} ball",
        )
        for material, x in (("cork", -0.032), ("steel", 0.032))
    )  # fmt: skip
    return SceneSpec(
        scene="small_float",
        duration_s=0.6,
        fps=CLIP.fps,
        bodies=(
            Body(name="floor", shape=Plane(), material="oak", motion="static", label="floor"),
            Body(name="tank", shape=tank, material="glass", motion="static", label="tank"),
            *balls,
        ),
        fluids=(
            Fluid(
                name="water", liquid="water", label="water", fills=(VesselFill(vessel="tank", level_m=FLOAT_LEVEL_M),)
            ),
        ),
        particle_spacing_m=spacing_m,
    )


def _tilted(time_s: float, angle_rad: float, cup: Vessel) -> Keyframe:
    # The cup turns about its lip, which stays over the glass.
    turn = axis_angle_to_wxyz((0.0, 1.0, 0.0), angle_rad)
    x, y, z = np.asarray(_LIP_M) - rotate_wxyz(turn, (cup.profile_m[-1][0], 0.0, cup.rim_z_m))
    w, i, j, k = turn.tolist()
    return Keyframe(time_s=time_s, position_m=(float(x), float(y), float(z)), orientation_wxyz=(w, i, j, k))


def free_fall() -> SceneSpec:
    """A ball that falls from 2 m and meets nothing."""
    ball = Body(name="ball", shape=Sphere(radius_m=0.05), material="steel", position_m=(0.0, 0.0, 2.0))
    return SceneSpec(scene="free_fall", duration_s=0.5, fps=20, bodies=(ball,))


def overlapping() -> SceneSpec:
    """A world that cannot be: ball and block in one place."""
    spec = small_world()
    floor, ball, block = spec.bodies
    return spec.model_copy(update={"bodies": (floor, ball, block.model_copy(update={"position_m": ball.position_m}))})


def pendulum() -> SceneSpec:
    """A world that needs joints."""
    bob = Body(name="bob", shape=Sphere(radius_m=0.05), material="steel", position_m=(0.5, 0.0, 1.0))
    hinge = Joint(name="hinge", kind="hinge", child="bob", anchor_m=(0.0, 0.0, 1.0), axis=(0.0, 1.0, 0.0))
    return SceneSpec(scene="pendulum", duration_s=0.5, fps=20, bodies=(bob,), joints=(hinge,))


def small_trajectory(spec: SceneSpec) -> Trajectory:
    """What happens in a world without liquids."""
    engine: Simulator = registry.load("simulators", "mujoco")()
    return engine.simulate(spec)
