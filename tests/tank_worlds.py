"""Worlds of one tank, and of two pots over a tray, with liquids and bodies moved by hand."""

from __future__ import annotations

import numpy as np
from liquid_worlds import moving, track

from physreel.spec import (
    Body,
    Box,
    Camera,
    CameraKeyframe,
    Fluid,
    Keyframe,
    Plane,
    RegionFill,
    SceneSpec,
    Sphere,
    Tank,
    Vessel,
    VesselFill,
)
from physreel.values import ContactTable, Trajectory

SPACING = 0.01


def tank_world(scene: str, *extra: Body, duration_s: float = 2.0, keyframes: tuple[Keyframe, ...] = ()) -> SceneSpec:
    tank = Tank(inside_m=(0.4, 0.12, 0.2), wall_m=0.01)
    motion = {"motion": "driven", "keyframes": keyframes} if keyframes else {"motion": "static"}
    return SceneSpec(
        scene=scene,
        duration_s=duration_s,
        fps=30,
        bodies=(
            Body(name="floor", shape=Plane(), material="oak", motion="static", label="floor"),
            Body(name="tank", shape=tank, material="glass", label="glass tank", **motion),
            *extra,
        ),
        fluids=(Fluid(name="liquid", liquid="water", label="water",
                      fills=(RegionFill(shape=Box(size_m=(0.1, 0.12, 0.1)), position_m=(-0.15, 0.0, 0.06)),)),),
        particle_spacing_m=SPACING,
    )  # fmt: skip


def block(low, high, spacing=SPACING) -> np.ndarray:
    axes = [np.arange(a + spacing / 2, b, spacing) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def floating_world(count: int = 3, radius: float = 0.04, apart: float = 0.12) -> SceneSpec:
    """Balls in a row over the tank, the first at x = - 0.12."""
    bodies = tuple(
        Body(name=f"body_{k}", shape=Sphere(radius_m=radius), material="ABS", position_m=(-0.12 + apart * k, 0.0, 0.3),
             label=f"{color} ball")
        for k, color in enumerate(("red", "blue", "green", "white")[:count])
    )  # fmt: skip
    return tank_world("sink_or_float", *bodies)


def bearing(spec: SceneSpec, *pairs: tuple[str, str]) -> ContactTable:
    """Contacts of one body upon another, (upper, lower), that bear its weight throughout the clip."""
    step = 1.0 / (spec.fps * spec.substeps)
    time = np.arange(1, round(spec.duration_s / step)) * step
    columns: dict[str, list] = {name: [] for name in ContactTable.__dataclass_fields__}
    for t in time:
        for upper, lower in pairs:
            a, b = spec.body_index(upper), spec.body_index(lower)
            row = (t, min(a, b), max(a, b), np.zeros(3), (0.0, 0.0, 1.0 if b < a else -1.0), 3.0 * step, np.zeros(3),
                   np.zeros(3), 0.0)  # fmt: skip
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    ints = ("body_a", "body_b")
    return ContactTable(**{k: np.array(v, np.int32 if k in ints else np.float64) for k, v in columns.items()})


def drop(
    spec: SceneSpec, ends: dict[str, float], fall_s: float = 0.3, contacts: ContactTable | None = None
) -> Trajectory:
    """Bodies fall in ``fall_s`` from where they are to the height ``ends`` and stay there; the liquid makes way."""
    times = np.arange(spec.frame_count + 1) / spec.fps
    still = moving(spec, None)
    pose = np.concatenate([still.body_pose, still.body_pose_end[None]]).copy()
    liquid = block((-0.2, -0.06, 0.01), (0.2, 0.06, 0.12))
    for name, end in ends.items():
        k = spec.body_index(name)
        pose[:, k, 2] += (end - pose[0, k, 2]) * np.minimum(times / fall_s, 1.0) ** 2
        ball = spec.bodies[k]
        final = np.array([*ball.position_m[:2], end])
        liquid = liquid[np.linalg.norm(liquid - final, axis=1) > ball.shape.radius_m + 0.45 * SPACING]
    velocity = np.zeros((len(times), len(spec.bodies), 6))
    velocity[:-1, :, :3] = np.diff(pose[..., :3], axis=0) * spec.fps
    run = moving(spec, track(np.repeat(liquid[None], len(times), 0).astype(np.float32), SPACING))
    fields = {name: getattr(run, name) for name in run.__dataclass_fields__}
    fields |= {"body_pose": pose[:-1], "body_pose_end": pose[-1], "body_velocity": velocity[:-1]}
    if contacts is not None:
        fields["contacts"] = contacts
    return type(run)(**fields)


def filmed(x: float, y: float) -> Camera:
    return Camera(width=64, height=64, keyframes=(CameraKeyframe(position_m=(x, y, 0.2), look_at_m=(0.0, 0.0, 0.1)),))


def drain_world() -> SceneSpec:
    pot = Vessel(profile_m=((0.01, 0.006), (0.04, 0.006), (0.04, 0.086)), wall_m=0.003)
    return SceneSpec(
        scene="draining",
        duration_s=2.0,
        fps=30,
        bodies=(
            Body(name="floor", shape=Plane(), material="oak", motion="static", label="floor"),
            Body(name="tray", shape=Tank(inside_m=(0.3, 0.2, 0.05), wall_m=0.004), material="steel", motion="static",
                 label="steel tray"),
            *(
                Body(name=f"vessel_{k}", shape=pot, material="ABS", motion="static", position_m=(x, 0.0, 0.15),
                     label=f"{color} plastic pot")
                for k, (x, color) in enumerate(((-0.08, "red"), (0.08, "blue")))
            ),
        ),
        fluids=tuple(
            Fluid(name=f"liquid_{k}", liquid="water", label="water",
                  fills=(VesselFill(vessel=f"vessel_{k}", level_m=0.05),))
            for k in range(2)
        ),
        particle_spacing_m=0.008,
        cameras=(filmed(0.0, -1.0),),
    )  # fmt: skip
