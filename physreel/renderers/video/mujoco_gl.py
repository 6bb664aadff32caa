"""MuJoCo's own look: its OpenGL renderer on the same spec and trajectory, for those who prefer it.

No physics runs here: a model of the shapes alone is built, and its bodies are put where the trajectory says. Needs EGL
or OSMesa; ``MUJOCO_GL`` chooses, and both are tried when it is not set.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Collection
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from physreel.errors import MissingDependencyError, UnsupportedError
from physreel.geometry.hulls import hull_faces
from physreel.geometry.profile_meshes import profile_surface
from physreel.geometry.profiles import PROFILES
from physreel.geometry.rotations import matrix_to_wxyz
from physreel.renderers.video.base import VideoRenderer
from physreel.spec import (
    Box,
    Camera,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Look,
    Plane,
    SceneSpec,
    Shape,
    Sphere,
    TriangleMesh,
)
from physreel.values import Trajectory, View
from physreel.values.clip import PassName

_REMEDY = (
    "install Mesa (apt: libegl1 libgl1-mesa-dri, or libosmesa6) and set MUJOCO_GL=egl or osmesa, "
    "or use the renderer 'raytrace', which needs neither GL nor GPU"
)
_NEAR_M, _FAR_M = 0.01, 60.0
_CONE_SIDES = 96
_PLANE_HALF_M = 50.0


class MujocoGLRenderer(VideoRenderer):
    """Films with mujoco.Renderer: rgb, depth, segmentation. Textures and transparency are plain colours.

    Depth and segmentation follow values.View; depth has the precision of a 24-bit z-buffer between 1 cm and 60 m.
    """

    name: ClassVar[str] = "mujoco_gl"
    passes: ClassVar[frozenset[PassName]] = frozenset(("rgb", "depth", "segmentation"))

    def render(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        camera: Camera,
        passes: Collection[PassName] = ("rgb", "depth", "segmentation"),
    ) -> View:
        """Film all frames with one camera; see VideoRenderer.render."""
        self.require_passes(passes)
        mujoco = _import_mujoco()
        model, owners = _build(mujoco, spec, camera)
        data = mujoco.MjData(model)
        views = np.stack([camera.camera_to_world(k / spec.fps) for k in range(trajectory.frame_count)])
        made: dict[str, list[NDArray[Any]]] = {name: [] for name in passes}
        renderer = _renderer(mujoco, model, camera)
        try:
            for frame, view in enumerate(views):
                data.mocap_pos[: len(spec.bodies)] = trajectory.body_pose[frame, :, :3]
                data.mocap_quat[: len(spec.bodies)] = trajectory.body_pose[frame, :, 3:]
                data.mocap_pos[-1] = view[:3, 3]
                # OpenGL cameras look along -z with y up.
                data.mocap_quat[-1] = matrix_to_wxyz(view[:3, :3] @ np.diag([1.0, -1.0, -1.0]))
                mujoco.mj_forward(model, data)
                renderer.update_scene(data, camera="film")
                if "rgb" in made:
                    made["rgb"].append(renderer.render().copy())
                if "depth" in made or "segmentation" in made:
                    renderer.enable_segmentation_rendering()
                    shown = renderer.render()
                    renderer.disable_segmentation_rendering()
                    geom = np.where(shown[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM), shown[..., 0], -1)
                    if "segmentation" in made:
                        made["segmentation"].append(np.where(geom >= 0, owners[geom] + 1, 0).astype(np.uint16))
                    if "depth" in made:
                        renderer.enable_depth_rendering()
                        depth = renderer.render().astype(np.float32)
                        renderer.disable_depth_rendering()
                        made["depth"].append(np.where(geom >= 0, depth, np.float32(np.inf)))
        finally:
            renderer.close()
        return View(
            camera=camera.name,
            intrinsics=camera.intrinsics(),
            camera_to_world=views,
            **{name: np.stack(pictures) for name, pictures in made.items()},
        )


def _import_mujoco() -> Any:
    """MuJoCo with a GL backend chosen: the environment's, else EGL, else OSMesa."""
    asked = os.environ.get("MUJOCO_GL", "").lower()
    if asked in ("", "egl", "osmesa"):
        found = [backend for backend in ((asked,) if asked else ("egl", "osmesa")) if _loads(backend)]
        if not found:
            raise MissingDependencyError(
                f"mujoco_gl needs {asked or 'EGL or OSMesa'}, and its library cannot be loaded here; " + _REMEDY
            )
        os.environ["MUJOCO_GL"] = found[0]
    import mujoco
    from mujoco.rendering.classic import gl_context

    if asked == "" and getattr(gl_context, "_MUJOCO_GL", None) != os.environ["MUJOCO_GL"]:
        # A simulator imported MuJoCo before a backend was chosen, and MuJoCo chooses when it is imported: once more.
        importlib.reload(gl_context)
    return mujoco


def _loads(backend: str) -> bool:
    """Whether the backend's shared library is there."""
    import ctypes
    import ctypes.util

    name = {"egl": "EGL", "osmesa": "OSMesa"}[backend]
    for library in (ctypes.util.find_library(name), f"lib{name}.so.1", f"lib{name}.so.8", f"lib{name}.so"):
        if library is None:
            continue
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return True
    return False


def _renderer(mujoco: Any, model: Any, camera: Camera) -> Any:
    try:
        return mujoco.Renderer(model, camera.height, camera.width)
    except Exception as error:  # each GL binding fails with an error of its own
        raise MissingDependencyError(
            f"mujoco_gl could not open an off-screen GL context (MUJOCO_GL={os.environ.get('MUJOCO_GL', '')!r}: "
            f"{type(error).__name__}: {error}); {_REMEDY}"
        ) from error


def _build(mujoco: Any, spec: SceneSpec, camera: Camera) -> tuple[Any, NDArray[np.int64]]:
    """A model of the shapes as mocap bodies with the camera on one more, and each geom's body index."""
    scene = mujoco.MjSpec()
    scene.visual.global_.offwidth, scene.visual.global_.offheight = camera.width, camera.height
    scene.visual.quality.shadowsize = 2048
    # MuJoCo takes the clip planes in units of the model's extent.
    scene.stat.extent = 1.0
    scene.stat.center = [0.0, 0.0, 0.0]
    scene.visual.map.znear, scene.visual.map.zfar = _NEAR_M, _FAR_M
    ambient = np.clip(np.array(spec.environment.ambient), 0.0, 1.0)
    scene.visual.headlight.ambient = ambient
    scene.visual.headlight.diffuse = [0.1, 0.1, 0.1]
    scene.visual.headlight.specular = [0.0, 0.0, 0.0]
    owners: list[int] = []
    for i, body in enumerate(spec.bodies):
        made = scene.worldbody.add_body(name=f"body_{i}", mocap=True)
        look = body.look or spec.material_of(body).look
        material = scene.add_material(
            name=f"look_{i}",
            rgba=[*np.array(look.color) ** (1 / 2.2), 1.0 - 0.7 * look.transmission],
            specular=0.2 + 0.6 * (1.0 - look.roughness),
            shininess=1.0 - look.roughness,
            reflectance=_reflectance(look),
        )
        pieces = body.shape.pieces if isinstance(body.shape, Compound) else None
        for k, piece in enumerate(pieces or (None,)):
            shape = body.shape if piece is None else piece.shape
            place = {} if piece is None else {"pos": piece.position_m, "quat": piece.orientation_wxyz}
            made.add_geom(
                material=material.name, contype=0, conaffinity=0, **_geom(mujoco, scene, shape, f"{i}_{k}"), **place
            )
            owners.append(i)
    for light in spec.lights:
        _add_light(mujoco, scene, light)
    rig = scene.worldbody.add_body(name="film_rig", mocap=True)
    rig.add_camera(name="film", fovy=camera.fov_y_deg)
    try:
        return scene.compile(), np.array(owners, np.int64)
    except ValueError as error:
        raise UnsupportedError(f"MuJoCo cannot show this spec: {error}; use the renderer 'raytrace'") from None


def _reflectance(look: Look) -> float:
    return 0.3 * look.metallic * (1.0 - look.roughness)


def _add_light(mujoco: Any, scene: Any, light: Any) -> None:
    if light.kind == "sun":
        power = np.array(light.irradiance) / np.pi
        direction = np.array(light.direction)
        scene.worldbody.add_light(
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            dir=direction,
            pos=-5.0 * direction,
            diffuse=np.clip(power, 0.0, 1.0),
            castshadow=True,
        )
        return
    position = np.array(light.position_m)
    distance = float(np.linalg.norm(position)) or 1.0
    power = np.array(light.intensity) / (np.pi * distance**2)
    scene.worldbody.add_light(
        pos=position, dir=-position / distance, diffuse=np.clip(power, 0.0, 1.0), castshadow=True, cutoff=80.0
    )


def _geom(mujoco: Any, scene: Any, shape: Shape, name: str) -> dict[str, Any]:
    kinds = mujoco.mjtGeom
    match shape:
        case Box(size_m=size):
            return {"type": kinds.mjGEOM_BOX, "size": [s / 2 for s in size]}
        case Sphere(radius_m=r):
            return {"type": kinds.mjGEOM_SPHERE, "size": [r, 0, 0]}
        case Cylinder(radius_m=r, height_m=h):
            return {"type": kinds.mjGEOM_CYLINDER, "size": [r, h / 2, 0]}
        case Capsule(radius_m=r, length_m=h):
            return {"type": kinds.mjGEOM_CAPSULE, "size": [r, h / 2, 0]}
        case Ellipsoid(radii_m=radii):
            return {"type": kinds.mjGEOM_ELLIPSOID, "size": list(radii)}
        case Plane():
            return {"type": kinds.mjGEOM_PLANE, "size": [_PLANE_HALF_M, _PLANE_HALF_M, 1.0]}
    vertices, faces = _triangles(shape)
    # MuJoCo moves a mesh's frame to its centre of mass and puts the geom back there: poses stay ours.
    mesh = scene.add_mesh(name=f"mesh_{name}", uservert=vertices.ravel(), userface=faces.ravel())
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
    return {"type": kinds.mjGEOM_MESH, "meshname": mesh.name}


def _triangles(shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if isinstance(shape, ConvexHull):
        return hull_faces(shape)
    if isinstance(shape, PROFILES):
        return profile_surface(shape)
    if isinstance(shape, TriangleMesh):
        return np.asarray(shape.vertices_m, np.float64), np.asarray(shape.faces, np.int64)
    if isinstance(shape, Cone):
        angle = np.arange(_CONE_SIDES) * (2 * np.pi / _CONE_SIDES)
        ring = np.stack([np.cos(angle), np.sin(angle)], 1) * shape.radius_m
        base = np.column_stack([ring, np.full(_CONE_SIDES, -shape.height_m / 2)])
        vertices = np.vstack([base, [[0, 0, shape.height_m / 2], [0, 0, -shape.height_m / 2]]])
        here = np.arange(_CONE_SIDES)
        there = (here + 1) % _CONE_SIDES
        side = np.stack([here, there, np.full(_CONE_SIDES, _CONE_SIDES)], 1)
        under = np.stack([there, here, np.full(_CONE_SIDES, _CONE_SIDES + 1)], 1)
        return vertices, np.concatenate([side, under])
    raise UnsupportedError(f"mujoco_gl cannot show a {shape.kind}")
