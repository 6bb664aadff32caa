"""A spec in Mitsuba's hands: bodies as meshes made once, and put in place for each frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.distances import signed_distances
from physreel.geometry.extents import bounding_radius_m
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.renderers.video import mitsuba_looks as looks
from physreel.renderers.video.mitsuba_liquids import liquid_shape
from physreel.renderers.video.mitsuba_rays import Rays, mesh
from physreel.renderers.video.mitsuba_shapes import Patch, patches, plane_patches, sides_for
from physreel.spec import Body, Camera, LiquidLook, Look, Plane, SceneSpec, TriangleMesh
from physreel.values import Trajectory

if TYPE_CHECKING:
    from physreel.renderers.video.liquid_surface import LiquidSurface

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Kind = Literal["lit", "plain"]
"""How shapes are to look: as they are, or matt, metals too."""
How = looks.How

_PLANE_RINGS = 14
_NEAREST_M = 0.05


@dataclass(frozen=True, eq=False)
class Sheet:
    """Part of a body with one texture, in the body's frame; ``texture`` is a Mitsuba bitmap or None."""

    vertices: Floats
    normals: Floats
    uv: Floats
    faces: Ints
    texture: Any


@dataclass(frozen=True, eq=False)
class Stage:
    """All that can be seen in one frame, in the world frame.

    Attributes:
        frame: its number.
        vertices: (V, 3) of all bodies and liquids that are there for this camera.
        normals: (V, 3) outward unit normals.
        velocity: (V, 3) metres a second, of liquids; 0 on bodies, which move by their poses.
        faces: (F, 3).
        owner: (F,) body of each triangle, or number of bodies + fluid.
        surfaces: of each liquid that is seen, by owner.
    """

    frame: int
    vertices: Floats
    normals: Floats
    velocity: Floats
    faces: Ints
    owner: Ints
    surfaces: dict[int, LiquidSurface]


class World:
    """Bodies, liquids and their looks.

    Args:
        mi: Mitsuba with a variant set.
        rays: for questions.
        spec: what is filmed.
        trajectory: how it moves.
        camera: by whom: rings of planes lie about it, and textures are as fine as it can see.
    """

    def __init__(self, mi: Any, rays: Rays, spec: SceneSpec, trajectory: Trajectory, camera: Camera) -> None:
        from physreel.renderers.video.trace_hollow import pack_hollows
        from physreel.renderers.video.trace_packing import pack_scene
        from physreel.renderers.video.trace_textures import noise_lattice

        self.mi, self._rays, self.spec, self.trajectory = mi, rays, spec, trajectory
        self._maker = None
        if spec.fluids and trajectory.liquid is not None:
            from physreel.renderers.video.liquid_surface import SurfaceMaker

            self._maker = SurfaceMaker(spec, trajectory)
        self.looks: list[Look] = [body.look or spec.material_of(body).look for body in spec.bodies]
        self.liquids: list[LiquidLook] = [spec.liquid(fluid.liquid).look for fluid in spec.fluids]
        times = np.arange(trajectory.frame_count) / spec.fps
        self.eyes = np.stack([camera.camera_to_world(float(t))[:3, 3] for t in times])
        self._pixel = 1.0 / float(camera.intrinsics()[0, 0])
        # So many that a texel of a plane's ring, at the ring's middle, is as wide as a pixel.
        self._most_texels = int(np.clip(3.0 / self._pixel, 128, 2048))
        self._lattice = noise_lattice()
        packed = pack_scene(spec)
        self._rows = packed.looks  # of bodies, then of fluids
        # Walls of glass are coloured by the way through them, as for the ray tracer; other bodies once for all.
        hollows = pack_hollows(spec, packed.spans, packed.looks)
        self.wall_loss = {int(row[2]): (float(row[4]), float(row[5]), float(row[6])) for row in hollows}
        self._sheets = [self._body_sheets(i, body) for i, body in enumerate(spec.bodies)]
        self._bsdfs: dict[tuple[int, How, int], Any] = {}
        self._meshes: dict[tuple[int, How], tuple[Floats, list[Any]]] = {}

    def is_clear(self, owner: int) -> bool:
        """Whether light passes through a body or liquid."""
        count = len(self.spec.bodies)
        return looks.is_clear(self.looks[owner]) if owner < count else self.liquids[owner - count].opacity < looks.CLEAR

    def is_partly_clear(self, owner: int) -> bool:
        """Whether light passes through, but not all of it."""
        count = len(self.spec.bodies)
        if owner < count:
            return 0.0 < self.looks[owner].transmission < 1.0
        return 0.0 < self.liquids[owner - count].opacity < 1.0

    def stage(self, frame: int) -> Stage:
        """What is there in a frame. Solids that hold the camera are left out, planes seen from behind too."""
        poses, count = self.trajectory.body_pose[frame], len(self.spec.bodies)
        vertices, normals, velocity, faces, owner = [], [], [], [], []
        total = 0
        for i, body in enumerate(self.spec.bodies):
            if self._holds_camera(body, poses[i], frame):
                continue
            for sheet in self._sheets[i]:
                vertices.append(rotate_wxyz(poses[i, 3:], sheet.vertices) + poses[i, :3])
                normals.append(rotate_wxyz(poses[i, 3:], sheet.normals))
                velocity.append(np.zeros(sheet.vertices.shape))
                faces.append(sheet.faces + total)
                owner.append(np.full(len(sheet.faces), i))
                total += len(sheet.vertices)
        surfaces = {}
        for surface in () if self._maker is None else self._maker.make(frame):
            surfaces[count + surface.fluid] = surface
            vertices.append(surface.vertices.astype(np.float64))
            normals.append(surface.normals.astype(np.float64))
            velocity.append(surface.velocity.astype(np.float64))
            faces.append(surface.faces.astype(np.int64) + total)
            owner.append(np.full(len(surface.faces), count + surface.fluid))
            total += len(surface.vertices)
        none = np.zeros((0, 3))
        return Stage(
            frame=frame,
            vertices=np.concatenate([none, *vertices]),
            normals=np.concatenate([none, *normals]),
            velocity=np.concatenate([none, *velocity]),
            faces=np.concatenate([none.astype(np.int64), *faces]),
            owner=np.concatenate([np.zeros(0, np.int64), *owner]),
            surfaces=surfaces,
        )

    def colors(self, stage: Stage, owner: Ints, points: Floats, normals: Floats, directions: Floats) -> Floats:
        """(N, 3) linear reflectance at points of owners (N,), seen from the camera's distance along unit directions."""
        from physreel.renderers.video.trace_baking import bake, body_rows

        rows = np.zeros((len(self._rows), 16))
        rows[: len(self.spec.bodies)] = body_rows(self.trajectory.body_pose[stage.frame])
        out = np.empty(points.shape)
        widths = self._pixel * np.linalg.norm(points - self.eyes[stage.frame], axis=1)
        given = (np.ascontiguousarray(values) for values in (owner, points, normals, directions, widths))
        bake(self._lattice, self._rows, rows, *given, out)
        return out

    def bare_scene(self, stage: Stage, without: Ints | tuple[int, ...] = ()) -> Any:
        """A scene of one mesh whose triangles are the stage's, in order; those of ``without`` are points far below."""
        vertices, faces = stage.vertices, stage.faces
        if len(without):
            faces = np.where(np.isin(stage.owner, without)[:, None], 0, faces)
        if not len(faces):
            return self.mi.load_dict({"type": "scene"})
        return self.mi.load_dict({"type": "scene", "all": mesh(self.mi, "all", vertices, faces)})

    def shapes(self, stage: Stage, kind: Kind, owners: Ints, *, solid: bool) -> dict[str, Any]:
        """Shapes by name, for a scene's dictionary; if ``solid``, what is partly clear is opaque."""
        out: dict[str, Any] = {}
        count = len(self.spec.bodies)
        for i in owners.tolist():
            opaque = not self.is_clear(i) or (solid and self.is_partly_clear(i))
            how: How = kind if opaque else "tinted"
            made = self._placed(i, how, stage.frame) if i < count else [self._liquid(stage.surfaces[i], i - count, how)]
            out.update({f"shape_{i}_{k}": shape for k, shape in enumerate(made)})
        return out

    def _liquid(self, surface: LiquidSurface, fluid: int, how: How) -> Any:
        return liquid_shape(self.mi, self._rays, surface, self.liquids[fluid], how, self.spec.lights)

    def _placed(self, i: int, how: How, frame: int) -> list[Any]:
        pose = self.trajectory.body_pose[frame, i]
        before = self._meshes.get((i, how))
        if before is not None and np.array_equal(before[0], pose):
            return before[1]
        made = [
            mesh(
                self.mi,
                f"body_{i}_{k}",
                rotate_wxyz(pose[3:], sheet.vertices) + pose[:3],
                sheet.faces,
                normals=rotate_wxyz(pose[3:], sheet.normals),
                uv=None if sheet.texture is None else sheet.uv,
                bsdf=self._bsdf(i, k, sheet, how),
            )
            for k, sheet in enumerate(self._sheets[i])
        ]
        self._meshes[i, how] = pose, made
        return made

    def _bsdf(self, i: int, k: int, sheet: Sheet, how: How) -> Any:
        key = (i, how, k if sheet.texture is not None else -1)
        if key not in self._bsdfs:
            self._bsdfs[key] = looks.surface(self.mi, self.looks[i], how, sheet.texture)
        return self._bsdfs[key]

    def _holds_camera(self, body: Body, pose: Floats, frame: int) -> bool:
        if isinstance(body.shape, TriangleMesh):
            return False
        local = rotate_wxyz(conjugate_wxyz(pose[3:]), self.eyes[frame] - pose[:3])
        return bool(signed_distances(body.shape, local)[0] < 0.0)

    def _body_sheets(self, i: int, body: Body) -> list[Sheet]:
        footprint = self._footprint_m(i, body)
        if isinstance(body.shape, Plane):
            found = self._plane(i, footprint)
        else:
            found = patches(body.shape, sides_for(bounding_radius_m(body.shape) / footprint))
        if self.looks[i].texture is None:
            shift = np.cumsum([0, *(len(patch.vertices) for patch in found[:-1])])
            return [
                Sheet(
                    vertices=np.concatenate([patch.vertices for patch in found]),
                    normals=np.concatenate([patch.normals for patch in found]),
                    uv=np.concatenate([patch.uv for patch in found]),
                    faces=np.concatenate([patch.faces + by for patch, by in zip(found, shift, strict=True)]),
                    texture=None,
                )
            ]
        return [self._textured(i, patch, footprint) for patch in found]

    def _textured(self, i: int, patch: Patch, footprint_m: float) -> Sheet:
        texture = looks.drawn_texture(self.mi, patch, self._rows[i], self._lattice, footprint_m, self._most_texels)
        return Sheet(patch.vertices, patch.normals, patch.uv, patch.faces, texture)

    def _plane(self, i: int, footprint_m: float) -> list[Patch]:
        pose, texture = self.trajectory.body_pose[0, i], self.looks[i].texture
        eyes = rotate_wxyz(conjugate_wxyz(pose[3:]), self.eyes - pose[:3])
        texel = footprint_m if texture is None else max(footprint_m, texture.scale_m / looks.TEXELS_A_PERIOD)
        half = texel * self._most_texels / 2
        rings = _PLANE_RINGS
        if texture is not None:
            # Up to where a texel is wider than the pattern: the horizon is one colour.
            widest = looks.FADED_PERIODS * texture.scale_m
            rings = int(np.clip(np.ceil(np.log2(widest / texel)), 1, _PLANE_RINGS))
        return plane_patches(eyes.mean(0)[:2], half, rings)

    def _footprint_m(self, i: int, body: Body) -> float:
        """Width of a pixel where the body comes nearest to the camera."""
        poses = self.trajectory.body_pose[:, i]
        if isinstance(body.shape, Plane):
            away = rotate_wxyz(conjugate_wxyz(poses[:, 3:]), self.eyes - poses[:, :3])[:, 2]
        else:
            away = np.linalg.norm(self.eyes - poses[:, :3], axis=1) - bounding_radius_m(body.shape)
        return self._pixel * max(float(away.min()), _NEAREST_M)
