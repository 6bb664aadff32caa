"""The default renderer: a ray tracer for solids in closed form, triangle meshes by Embree. No GPU, no GL, no window.

See docs/rendering.md for how it works and what it costs. Stages: ``trace_packing`` (the spec as arrays),
``trace_primary`` (what is seen, ``trace_shadows``, openness), ``trace_shading`` (light), ``trace_secondary`` (mirrors,
glass), ``trace_finish`` (edges, tone, passes); ``trace_meshes`` for triangles, ``trace_reuse`` for what stays.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from physreel.errors import UnsupportedError
from physreel.geometry.rotations import wxyz_to_matrix
from physreel.renderers.video.base import VideoRenderer
from physreel.spec import Camera, SceneSpec
from physreel.values import PASSES, Trajectory, View
from physreel.values.clip import PassName

if TYPE_CHECKING:
    from physreel.renderers.video.liquid_film import LiquidFilm
    from physreel.renderers.video.liquid_surface import SurfaceMaker

Floats = NDArray[np.float64]

_MIRROR_START_M = 2e-5  # what mirrors show begins so far from them


class RaytraceRenderer(VideoRenderer):
    """Films a trajectory by ray tracing on one CPU core; every pass of the contract.

    Infinite planes (floors, walls) receive shadows and cast none; a camera inside a solid looks through it.

    Args:
        edge_samples: samples of each pixel that a border between surfaces crosses.
    """

    name: ClassVar[str] = "raytrace"

    def __init__(self, *, edge_samples: int = 8) -> None:
        if not 1 <= edge_samples <= 64:
            raise UnsupportedError(f"edge_samples is {edge_samples}; it must be from 1 to 64")
        self.edge_samples = edge_samples
        self._tables: _Tables | None = None
        self._surfaces: SurfaceMaker | None = None

    def render(
        self, spec: SceneSpec, trajectory: Trajectory, camera: Camera, passes: Collection[PassName] = PASSES
    ) -> View:
        """Film all frames with one camera; see VideoRenderer.render."""
        self.require_passes(passes)
        if self._tables is None:
            self._tables = _Tables(self.edge_samples)
        return _Film(
            spec, trajectory, camera, frozenset(passes), self._tables, self._surfaces_of(spec, trajectory)
        ).run()

    def _surfaces_of(self, spec: SceneSpec, trajectory: Trajectory) -> SurfaceMaker | None:
        # Cameras of one world share the surfaces of its liquids.
        if trajectory.liquid is None:
            return None
        if self._surfaces is None or self._surfaces.trajectory is not trajectory:
            from physreel.renderers.video.liquid_surface import SurfaceMaker

            self._surfaces = SurfaceMaker(spec, trajectory, keep=len(spec.cameras) > 1)
        return self._surfaces


class _Tables:
    """Numbers that never change: noise, tone curve, where on a light and in a pixel samples lie."""

    def __init__(self, edge_samples: int) -> None:
        from physreel.renderers.video.trace_finish import tone_table
        from physreel.renderers.video.trace_textures import noise_lattice

        self.lattice = noise_lattice()
        self.tone = tone_table()
        self.disc = _disc_places()
        # A rank-1 lattice: no two samples share a row or a column.
        k = np.arange(edge_samples)
        self.offsets = np.stack([(k + 0.5) / edge_samples, (k * 0.6180339887 + 0.309) % 1.0], 1)


def _disc_places() -> Floats:
    """(2, 2, 16): 32 places on the unit disc, a golden-angle spiral; set 0 is the outermost 16."""
    k = np.arange(32)
    radius, angle = np.sqrt((k + 0.5) / 32), k * np.pi * (3.0 - np.sqrt(5.0))
    places = np.stack([radius * np.cos(angle), radius * np.sin(angle)])
    # Pixels of a 4 × 4 block take their places from all over the disc; neighbours' places lie far apart.
    order = np.array([0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5])
    return np.ascontiguousarray(np.stack([places[:, 16:][:, order], places[:, :16][:, order]]))


class _Film:
    """One camera's film in the making: buffers that are used again for every frame."""

    def __init__(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        camera: Camera,
        passes: frozenset[PassName],
        tables: _Tables,
        surfaces: SurfaceMaker | None,
    ) -> None:
        from physreel.renderers.video.trace_packing import mesh_boxes, mesh_kinds, pack_scene, place
        from physreel.renderers.video.trace_shading import SCRATCH_SIZE

        self.camera, self.wanted, self.tables = camera, passes, tables
        self.frames, self.frame_s = trajectory.frame_count, 1.0 / spec.fps
        self.scene = pack_scene(spec)
        self.surfaces = surfaces
        self.poses = _hold(np.concatenate([trajectory.body_pose, trajectory.body_pose_end[None]]))
        self.prims, self.bodies = place(self.scene, self.poses)
        # For what changes from frame to frame a mesh is the box around it.
        self.marks = np.concatenate([self.prims, mesh_boxes(self.scene, self.bodies)], axis=1)
        self.mark_kinds = np.concatenate([self.scene.kinds, mesh_kinds(self.scene)])
        self.intrinsics = camera.intrinsics()
        self.views = np.stack([camera.camera_to_world(k / spec.fps) for k in range(self.frames + 1)])
        self.rows = np.array([self._camera_row(k) for k in range(self.frames)])
        width, height = camera.width, camera.height
        self.tiles_x, self.tiles_y = -(-width // 8), -(-height // 8)
        tiles = self.tiles_x * self.tiles_y
        size = tiles * 64
        lights, prims = len(self.scene.lights), len(self.scene.kinds)
        self.all_tiles = np.arange(tiles)
        self.scratch = np.zeros(SCRATCH_SIZE)
        self.boxes, self.boxes_before = np.empty((2, len(self.mark_kinds), 4))
        self.balls = np.zeros((tiles, 8))
        self.dirty, self.grown = np.zeros(tiles, np.uint8), np.zeros(tiles, np.uint8)
        self.marked = np.ones(tiles, np.uint8)
        self.time, self.surface = np.full(size, 1e30), np.full(size, -1)
        self.normals = np.zeros((3, size), np.float32)
        self.shading = "rgb" in passes
        kept = size if self.shading else 1
        self.visible = np.ones((lights, kept), np.float32)
        within = surfaces is not None or bool(self.scene.clear.any())
        self.tint = np.ones((lights, 3, kept if self.scene.has_glass or within else 1), np.float32)
        self.traced = np.zeros(size if within else 1, np.uint8)
        self.moving = np.zeros((3, size if surfaces is not None else 1), np.float32)
        self.openness, self.color = np.ones(kept, np.float32), np.zeros((3, kept), np.float32)
        self.flags = np.zeros((lights + 1, tiles), np.int64)
        self.found = np.empty(prims + 1, np.int64)
        self.requests, self.count = np.empty((2 * kept, 13)), np.zeros(1, np.int64)
        self.edges = np.zeros((height, width) if self.shading else (0, 0), np.uint8)
        fluids = len(spec.bodies) + np.arange(len(spec.fluids))
        meshes = [mesh[0] for mesh in self.scene.meshes]
        self.owners = np.concatenate([self.scene.kinds[:, 1], meshes, fluids]).astype(np.int64)
        self.first_liquid = prims + len(meshes)
        self.liquids: LiquidFilm | None = None
        if within:
            from physreel.renderers.video.liquid_film import LiquidFilm

            self.liquids = LiquidFilm(
                spec, self.scene, first_number=self.first_liquid, shading=self.shading,
                spacing_m=0.0 if trajectory.liquid is None else trajectory.liquid.spacing_m,
            )  # fmt: skip
        self.meshes: Any = None
        if self.scene.meshes:
            from physreel.renderers.video.trace_meshes import MeshTracer

            self.meshes = MeshTracer(self.scene.meshes, first_number=prims)

    def _camera_row(self, frame: int) -> list[float]:
        view = self.views[frame]
        k = self.intrinsics
        return [k[0, 0], k[0, 2], k[1, 2], *view[:3, 3], *view[:3, :3].ravel()]

    def _carry(self, frame: int) -> Floats:
        """(B + 1, 12) where points of each body, and one at rest, are a frame later, in that time's camera frame."""
        now, later = wxyz_to_matrix(self.poses[frame, :, 3:]), wxyz_to_matrix(self.poses[frame + 1, :, 3:])
        turn = later @ np.swapaxes(now, -1, -2)
        shift = self.poses[frame + 1, :, :3] - np.einsum("bij,bj->bi", turn, self.poses[frame, :, :3])
        view = self.views[frame + 1]
        out = np.empty((len(turn), 3, 4))
        out[..., :3] = view[:3, :3].T @ turn
        out[..., 3] = (shift - view[:3, 3]) @ view[:3, :3]
        rest = np.column_stack([view[:3, :3].T, -view[:3, 3] @ view[:3, :3]])
        return np.concatenate([out, rest[None]]).reshape(-1, 12)

    def run(self) -> View:
        """Film every frame."""
        height, width = self.camera.height, self.camera.width
        made: dict[str, NDArray[Any]] = {}
        for name, dtype, channels in (
            ("rgb", np.uint8, (3,)),
            ("depth", np.float32, ()),
            ("segmentation", np.uint16, ()),
            ("normals", np.float32, (3,)),
            ("flow", np.float32, (2,)),
        ):
            # An empty picture tells the kernels that a pass is not asked for.
            size = (self.frames, height, width, *channels) if name in self.wanted else (self.frames, 0, 0, *channels)
            made[name] = np.empty(size, dtype)
        for frame in range(self.frames):
            self._frame(frame, made)
        return View(
            camera=self.camera.name,
            intrinsics=self.intrinsics,
            camera_to_world=self.views[: self.frames],
            **{name: made[name] for name in self.wanted},
        )

    def _frame(self, frame: int, made: dict[str, NDArray[Any]]) -> None:
        from physreel.renderers.video import trace_finish, trace_primary

        scene, prims, bodies, row = self.scene, self.prims[frame], self.bodies[frame], self.rows[frame]
        out = {name: value[frame] for name, value in made.items()}
        drawn = self.meshes is not None or self.surfaces is not None
        self.boxes, self.boxes_before = self.boxes_before, self.boxes
        trace_primary.screen_boxes(self.marks[frame], self.mark_kinds, row, self.boxes)
        todo = self._todo(frame)
        if len(todo) < len(self.all_tiles):
            for name, picture in out.items():
                picture[...] = made[name][frame - 1]
        if drawn:
            self.marked.fill(0)
            self.marked[todo] = 1
            self.time.reshape(-1, 64)[todo] = 1e30
            self.surface.reshape(-1, 64)[todo] = -1
            self.normals.reshape(3, -1, 64)[:, todo] = 0.0
        if self.meshes is not None:
            self.meshes.place(bodies)
            self.meshes.primary(row, self.tiles_x, self.camera, self.marked, self.time, self.surface, self.normals)
        if self.surfaces is not None and self.liquids is not None:
            self.liquids.start(self.surfaces.make(frame), row)
            self.liquids.draw(
                row, (self.camera.width, self.camera.height), self.tiles_x, self.time, self.surface, self.normals,
                self.moving,
            )  # fmt: skip
        trace_primary.primary(
            self.scratch, prims, scene.kinds, scene.planes, bodies, scene.spans, scene.looks, scene.lights,
            self.tables.disc, row, self.boxes, self.tiles_x, todo, scene.ambient_reach_m, int(self.shading),
            drawn, scene.clear, self.first_liquid, self.time, self.surface, self.normals, self.visible, self.tint,
            self.openness, self.traced, self.flags, self.found, self.balls,
        )  # fmt: skip
        if self.wanted - {"rgb"}:
            trace_finish.passes(
                self.owners, todo, self.tiles_x, (self.camera.width, self.camera.height), self.time, self.surface,
                self.normals, self.moving, self.frame_s, row, self._carry(frame), out["depth"], out["segmentation"],
                out["normals"], out["flow"],
            )  # fmt: skip
        if self.shading:
            self._shade(prims, bodies, row, out["rgb"], todo)

    def _todo(self, frame: int) -> NDArray[np.int64]:
        """Tiles that differ from the last frame; all of them under a moving camera and with liquids."""
        if frame == 0 or self.surfaces is not None or not np.array_equal(self.rows[frame], self.rows[frame - 1]):
            return self.all_tiles
        from physreel.renderers.video.trace_reuse import mark_changed

        poses = self.poses[frame - 1 : frame + 2]
        moved = (poses[1:] != poses[:-1]).any((0, 2)).astype(np.uint8)
        self.dirty.fill(0)
        # Rays of a tile part by at most its diagonal; the same after a flat mirror. A little more for safety.
        spread = 8.0 / self.rows[frame][0]
        mark_changed(
            self.marks[frame], self.marks[frame - 1], self.boxes, self.boxes_before, moved, self.mark_kinds,
            self.scene.lights, self.balls, spread, self.scene.ambient_reach_m, self.tiles_x, self.tiles_y, self.dirty,
        )  # fmt: skip
        return np.flatnonzero(self.dirty)

    def _grow(self, todo: NDArray[np.int64]) -> NDArray[np.int64]:
        from physreel.renderers.video.trace_reuse import grow

        if len(todo) == len(self.all_tiles):
            return todo
        self.dirty.fill(0)
        self.dirty[todo] = 1
        grow(self.dirty, self.tiles_x, self.tiles_y, self.grown)
        return np.flatnonzero(self.grown)

    def _shade(
        self, prims: Floats, bodies: Floats, row: Floats, rgb: NDArray[np.uint8], todo: NDArray[np.int64]
    ) -> None:
        from physreel.renderers.video import trace_finish, trace_shading

        scene = self.scene
        if self.meshes is not None:
            self.meshes.shadows(
                scene.lights, self.tables.disc, row, self.tiles_x, todo, self.balls, self.time, self.surface,
                self.normals, self.visible, self.flags,
            )  # fmt: skip
        if self.liquids is not None:
            self.liquids.gather()
            self.liquids.dim(
                row, self.tiles_x, todo, self.time, self.surface, self.traced, self.balls, self.tint, self.flags
            )
        self.count[0] = 0
        # Shadows are smoothed over tiles' borders, so neighbours of a new tile are lit anew.
        todo = self._grow(todo)
        trace_shading.shade(
            self.scratch, prims, scene.kinds, scene.planes, bodies, scene.looks, scene.lights, scene.sky,
            self.tables.lattice, row, self.tiles_x, self.tiles_y, todo, self.owners, self.time, self.surface,
            self.normals, self.visible, self.tint, self.openness, self.traced, self.flags, self.balls, self.color,
            self.requests, self.count,
        )  # fmt: skip
        smooth = np.empty(0, np.int64)
        if self.liquids is None:
            self._mirror(prims, bodies, row)
        else:
            smooth = self.liquids.follow(
                prims, bodies, row, self.tables.lattice, self.owners, self.meshes, self.traced,
                self.requests[: int(self.count[0])], todo, (self.camera.width, self.camera.height), self.tiles_x,
                self.color,
            )  # fmt: skip
        todo = self._grow(todo)
        self.marked[todo] = 1
        trace_finish.find_edges(self.surface, todo, self.tiles_x, self.edges)
        trace_finish.clear_edges(smooth, self.tiles_x, self.edges)
        mesh_of, edge_time, edge_surface = np.empty((0, 0), np.int64), np.empty((0, 0)), np.empty((0, 0), np.int64)
        if self.meshes is not None:
            mesh_of, edge_time, edge_surface = self.meshes.edge_samples(
                self.edges, self.tables.offsets, row, self.tiles_x, self.marked, self.surface
            )
        if self.liquids is not None and self.surfaces is not None:
            if self.meshes is None:
                mesh_of, edge_time, edge_surface = self.liquids.edge_rows(
                    self.edges, len(self.tables.offsets), self.tiles_x, self.surface
                )
            self.liquids.draw_samples(row, self.tables.offsets, mesh_of, edge_time, edge_surface)
        trace_finish.finish(
            self.scratch, prims, scene.kinds, scene.planes, scene.clear, self.first_liquid, row, todo, self.tiles_x,
            self.surface, self.color, self.edges, self.tables.tone, self.tables.offsets, mesh_of, edge_time,
            edge_surface, self.found, rgb,
        )  # fmt: skip

    def _mirror(self, prims: Floats, bodies: Floats, row: Floats) -> None:
        from physreel.renderers.video import trace_secondary

        scene = self.scene
        asked = int(self.count[0])
        mesh_time, mesh_surface, mesh_normal = np.empty(0), np.empty(0, np.int64), np.empty((0, 3))
        if self.meshes is not None:
            mesh_time, mesh_surface, mesh_normal = self.meshes.nearest(
                self.requests[:asked, 0:3], self.requests[:asked, 3:6], start_m=_MIRROR_START_M
            )
        trace_secondary.resolve(
            prims, scene.kinds, scene.planes, bodies, scene.spans, scene.looks, scene.lights, scene.sky,
            self.tables.lattice, row, self.owners, self.requests, asked, mesh_time, mesh_surface, mesh_normal,
            self.color,
        )  # fmt: skip


def _hold(poses: Floats) -> Floats:
    """Poses (T, B, 7) in which a body that stirs by less than two micrometres stays where it was.

    Engines let bodies at rest tremble by far less than anything a pass can show; held, their part of the picture need
    not be made anew.
    """
    out = poses.copy()
    for k in range(1, len(out)):
        still = (np.abs(out[k] - out[k - 1]) < 2e-6).all(1)
        out[k, still] = out[k - 1, still]
    return out
