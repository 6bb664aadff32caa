"""What people write by hand instead: MuJoCo, mujoco.Renderer for three passes, imageio for the video.

One clip a call. It stands for the script that physreel is to replace, so it does no more than such a script does:
MuJoCo's default contacts and step, its own materials, no labels, no sound, passes saved uncompressed.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("MUJOCO_GL", "egl")

import imageio.v3 as iio
import mujoco
import numpy as np

from physreel.geometry.hulls import hull_faces
from physreel.spec import SceneSpec

_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "plane": mujoco.mjtGeom.mjGEOM_PLANE,
}


def _size(shape: object) -> list[float]:
    match shape.kind:  # type: ignore[attr-defined]
        case "box":
            return [s / 2 for s in shape.size_m]
        case "sphere":
            return [shape.radius_m, 0, 0]
        case "cylinder":
            return [shape.radius_m, shape.height_m / 2, 0]
        case "capsule":
            return [shape.radius_m, shape.length_m / 2, 0]
        case "ellipsoid":
            return list(shape.radii_m)
    return [5, 5, 0.1]


def _cone_points(shape: object) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    base = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1) * shape.radius_m
    return np.vstack([base - [0, 0, shape.height_m / 2], [[0, 0, shape.height_m / 2]]])


def build(spec: SceneSpec) -> mujoco.MjModel:
    """The same bodies, poses and velocities, with MuJoCo's defaults for all else."""
    model = mujoco.MjSpec()
    model.visual.global_.offwidth, model.visual.global_.offheight = spec.cameras[0].width, spec.cameras[0].height
    model.visual.global_.fovy = spec.cameras[0].fov_y_deg
    for body in spec.bodies:
        made = model.worldbody.add_body(name=body.name, pos=body.position_m, quat=body.orientation_wxyz)
        if body.motion == "dynamic":
            made.add_freejoint()
        pieces = body.shape.pieces if body.shape.kind == "compound" else None
        material = spec.material_of(body)
        look = body.look or material.look
        for k, piece in enumerate(pieces or [None]):
            shape = piece.shape if piece else body.shape
            common = {"rgba": [*np.array(look.color) ** 0.45, 1], "density": material.density_kg_m3}
            if piece:
                common |= {"pos": piece.position_m, "quat": piece.orientation_wxyz}
            if shape.kind in _TYPES:
                made.add_geom(type=_TYPES[shape.kind], size=_size(shape), **common)
                continue
            points = _cone_points(shape) if shape.kind == "cone" else hull_faces(shape)[0]
            mesh = model.add_mesh(name=f"{body.name}_{k}", uservert=points.ravel())
            made.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=mesh.name, **common)
    model.worldbody.add_light(pos=[0.5, -1.5, 3.0], dir=[-0.1, 0.4, -1.0], castshadow=True)
    pose = spec.cameras[0].camera_to_world(0.0)
    model.worldbody.add_camera(
        name="main", pos=pose[:3, 3], xyaxes=[*pose[:3, 0], *(-pose[:3, 1])], fovy=spec.cameras[0].fov_y_deg
    )
    return model.compile()


def make_clip(spec: SceneSpec, folder: Path) -> None:
    """Simulate, render RGB, depth and segmentation, write mp4 and npz."""
    model = build(spec)
    data = mujoco.MjData(model)
    moving = [body for body in spec.bodies if body.motion == "dynamic"]
    for k, body in enumerate(moving):
        data.qvel[6 * k : 6 * k + 3] = body.velocity_m_s
        data.qvel[6 * k + 3 : 6 * k + 6] = body.angular_velocity_rad_s
    mujoco.mj_forward(model, data)
    frames, depths, segmentations = [], [], []
    camera = spec.cameras[0]
    with mujoco.Renderer(model, camera.height, camera.width) as renderer:
        for k in range(spec.frame_count):
            while data.time < k / spec.fps:
                mujoco.mj_step(model, data)
            renderer.update_scene(data, camera="main")
            frames.append(renderer.render())
            renderer.enable_depth_rendering()
            depths.append(renderer.render())
            renderer.disable_depth_rendering()
            renderer.enable_segmentation_rendering()
            segmentations.append(renderer.render()[..., 0].astype(np.int16))
            renderer.disable_segmentation_rendering()
    iio.imwrite(folder / "clip.mp4", np.stack(frames), plugin="pyav", codec="libx264", fps=spec.fps)
    np.savez(folder / "passes.npz", depth=np.stack(depths), segmentation=np.stack(segmentations))
