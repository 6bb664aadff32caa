"""What liquids and clear vessels add to a film by the ray tracer: drawing, shadows, and light through them.

The stages are those of ``raytrace``; kernels are in ``trace_raster`` (what is seen), ``trace_light`` (shadows) and
``trace_clear`` (light through).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.liquid_surface import LiquidSurface
from physreel.renderers.video.trace_packing import PackedScene
from physreel.spec import SceneSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# What an opaque liquid takes of light that goes through it, per metre: milk some 3,000, juice less.
_SCATTER_PER_M = 60.0
# Where neighbours differ by more than this in brightness, rays are sent through these places of a pixel as well.
_UNEVEN = 0.09
_MORE = ((0.17, 0.72), (0.78, 0.2))
_BRIGHTEST = 1.5


class LiquidFilm:
    """Liquids and clear vessels of one film, frame by frame.

    Args:
        spec: the world.
        scene: the same, packed.
        first_number: number of the first fluid among surfaces.
        spacing_m: the liquid's; 0 where there is none.
        shading: whether the film has a picture, and not geometry alone.
    """

    def __init__(
        self, spec: SceneSpec, scene: PackedScene, *, first_number: int, spacing_m: float, shading: bool
    ) -> None:
        from physreel.renderers.video import trace_hollow, trace_light

        self.scene, self.first_number, self.spacing_m = scene, first_number, spacing_m
        self.surfaces: tuple[LiquidSurface, ...] = ()
        self._points: list[Floats] = []
        lights = len(scene.lights)
        has_liquid = shading and spacing_m > 0.0
        cells = trace_light.CELLS if has_liquid else 0
        self.rows = np.zeros((lights, trace_light.ROW))
        self._ways, self._nearest = np.empty((cells, cells, 3)), np.empty((cells, cells))
        self._all_maps = np.empty((lights if has_liquid else 0, cells + 1, cells + 1, trace_light.LAYERS))
        self.maps = self._all_maps[:0]
        self._tree: Any = None
        opacity = scene.liquids[:, 7]
        scatter = _SCATTER_PER_M * opacity / (1.02 - opacity)
        self._dims = scene.liquids[:, 1:4] + scatter[:, None]
        if shading:
            self.hollows = trace_hollow.pack_hollows(spec, scene.spans, scene.looks)
            # Clear walls are crossed, not met.
            self.solid_spans = scene.spans.copy()
            self.solid_spans[self.hollows[:, 2].astype(np.int64)] = 0

    def start(self, surfaces: tuple[LiquidSurface, ...], row: Floats) -> None:
        """Take up a frame: its surfaces and its camera's row (see trace_primary)."""
        from physreel.renderers.video.trace_raster import to_camera

        self.surfaces = surfaces
        self._points = [np.empty(surface.vertices.shape) for surface in surfaces]
        for surface, points in zip(surfaces, self._points, strict=True):
            to_camera(surface.vertices, row, points)

    def draw(
        self, row: Floats, size: tuple[int, int], tiles_x: int, time: Floats, seen: Ints,
        normals: NDArray[np.float32], moving: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """Write what each pixel sees of the liquids into the frame's buffers, where it is nearest."""
        from physreel.renderers.video.trace_raster import draw

        for surface, points in zip(self.surfaces, self._points, strict=True):
            number = self.first_number + surface.fluid
            draw(
                points, surface.faces, surface.normals, surface.velocity, number, row, size, tiles_x, time, seen,
                normals, moving,
            )  # fmt: skip

    def draw_samples(self, row: Floats, offsets: Floats, rows: Ints, time: Floats, seen: Ints) -> None:
        """Write what the samples of edge pixels meet of the liquids; see ``trace_raster.draw_samples``."""
        from physreel.renderers.video.trace_raster import draw_samples

        for surface, points in zip(self.surfaces, self._points, strict=True):
            draw_samples(points, surface.faces, self.first_number + surface.fluid, row, offsets, rows, time, seen)

    def gather(self) -> None:
        """Put all surfaces together and look at them from the lights; to be called before light is asked for."""
        from physreel.renderers.video import trace_light

        self.maps, self._tree = self._all_maps[:0], None
        if not self.surfaces:
            return
        starts = np.cumsum([0, *(len(surface.vertices) for surface in self.surfaces)])
        self.vertices = np.concatenate([surface.vertices for surface in self.surfaces])
        self.normals = np.concatenate([surface.normals for surface in self.surfaces])
        self.faces = np.concatenate([s.faces + np.int32(k) for s, k in zip(self.surfaces, starts, strict=False)])
        self.fluid_of = np.repeat(
            np.array([s.fluid for s in self.surfaces], np.int32), [len(s.faces) for s in self.surfaces]
        )
        self.low, self.high = self.vertices.min(0).astype(float) - 1e-4, self.vertices.max(0).astype(float) + 1e-4
        trace_light.look(self.scene.lights, self.low, self.high, self.rows)
        trace_light.expose(
            self.vertices, self.faces, self.fluid_of, self._dims, self.rows, np.empty(self.vertices.shape),
            self._ways, self._nearest, self._all_maps,
        )  # fmt: skip
        self.maps = self._all_maps

    def dim(
        self, row: Floats, tiles_x: int, todo: Ints, time: Floats, seen: Ints, traced: NDArray[np.uint8],
        balls: Floats, tint: NDArray[np.float32], flags: Ints,
    ) -> None:  # fmt: skip
        """Take from the lights what the liquid takes of them."""
        from physreel.renderers.video.trace_light import dim

        if len(self.maps):
            dim(self.maps, self.rows, row, tiles_x, todo, time, seen, traced, balls, tint, flags)

    def follow(
        self, prims: Floats, bodies: Floats, row: Floats, lattice: Floats, owners: Ints, meshes: Any,
        traced: NDArray[np.uint8], requests: Floats, todo: Ints, shape: tuple[int, int], tiles_x: int,
        color: NDArray[np.float32],
    ) -> Ints:  # fmt: skip
        """Light of pixels that are ``traced``, and what mirrors show, into ``color`` (3, N).

        Returns:
            The pixels that are the mean of several rays.
        """
        from physreel.renderers.video import trace_clear

        pixels = np.flatnonzero(traced)
        if len(todo) * 64 < len(traced):
            mine = np.zeros(len(traced) // 64, np.bool_)
            mine[todo] = True
            pixels = pixels[mine[pixels >> 6]]
        color[:, pixels] = 0.0
        weak = requests[:, 6:9].max(1, initial=0.0) <= trace_clear.FOLLOWED
        scene = self.scene
        trace_clear.glance(
            prims, scene.kinds, scene.planes, bodies, self.solid_spans, scene.looks, scene.lights, scene.sky,
            requests[weak], color,
        )  # fmt: skip
        requests = requests[~weak]
        # Requests for a block of 2 × 2 pixels are kept apart until they are known.
        size = color.shape[1]
        block = requests[:, 11] > 0.0
        rays = np.zeros((len(pixels) + len(requests), trace_clear.ROW))
        trace_clear.start(row, tiles_x, pixels, 0.5, 0.5, 1.0, rays)
        rays[len(pixels) :, :9] = requests[:, :9]
        rays[len(pixels) :, 9] = requests[:, 9] + size * block
        rays[len(pixels) :, 12] = requests[:, 12] * row[0]
        light = np.zeros((3, 2 * size if block.any() else size))
        self._light(prims, bodies, row, lattice, owners, meshes, rays, light)
        color += light[:, :size]
        if block.any():
            at = requests[block, 9].astype(np.int64)
            for beside in (0, 1, 8, 9):
                color[:, at + beside] += light[:, size + at]
        # What is bent is jagged: where neighbours differ much, further rays through the pixel.
        some = np.empty(len(pixels), np.int64)
        some = some[: trace_clear.uneven(color, traced, pixels, shape, tiles_x, _UNEVEN, some)]
        share = 1.0 / (1 + len(_MORE))
        rays = np.zeros((len(_MORE), len(some), trace_clear.ROW))
        for place, part in zip(_MORE, rays, strict=True):
            trace_clear.start(row, tiles_x, some, *place, share, part)
        light = np.zeros((3, size))
        self._light(prims, bodies, row, lattice, owners, meshes, rays.reshape(-1, trace_clear.ROW), light)
        color[:, some] = share * np.minimum(color[:, some], _BRIGHTEST) + np.minimum(light[:, some], _BRIGHTEST)
        return some

    def edge_rows(self, edges: NDArray[np.uint8], samples: int, tiles_x: int, seen: Ints) -> tuple[Ints, Floats, Ints]:
        """Rows for the samples of edge pixels beside a liquid: see ``MeshTracer.edge_samples``; nothing met as yet."""
        from physreel.renderers.video.trace_meshes import beside

        y, x = beside(edges, tiles_x, seen, self.first_number)
        number = np.full(edges.shape, -1, np.int64)
        number[y, x] = np.arange(len(x))
        return number, np.full((len(x), samples), 1e30), np.full((len(x), samples), -1, np.int64)

    def _light(
        self, prims: Floats, bodies: Floats, row: Floats, lattice: Floats, owners: Ints, meshes: Any, rays: Floats,
        color: Floats,
    ) -> None:  # fmt: skip
        # Follow rays (see trace_clear for their rows) and add what they see to color.
        from physreel.renderers.video import trace_clear
        from physreel.renderers.video.trace_meshes import embree_tree

        scene = self.scene
        if self.surfaces and self._tree is None:
            self._tree, self._kept = embree_tree(self.vertices, self.faces)
        tree = self._tree
        none, none3 = np.empty(0), np.empty((0, 3))
        faces = self.faces if tree else np.empty((0, 3), np.int32)
        vertices, normals = (self.vertices, self.normals) if tree else (none3.astype(np.float32),) * 2
        fluid_of = self.fluid_of if tree else np.empty(0, np.int32)
        low, high = (self.low, self.high) if tree else (np.full(3, 1e30), np.full(3, -1e30))
        while len(rays):
            count = len(rays)
            meets, asked = np.empty((count, 5)), np.empty(count, np.int64)
            origins, directions = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
            reach = np.empty(count, np.float32)
            waiting = trace_clear.approach(
                prims, scene.kinds, scene.planes, bodies, self.solid_spans, self.hollows, rays, count,
                low, high, meets, asked, origins, directions, reach,
            )  # fmt: skip
            hits = np.full(count, -1, np.int32)
            if tree is not None and waiting:
                hits[asked[:waiting]] = tree.run(origins[:waiting], directions[:waiting], dists=reach[:waiting])
            mesh = (none, none.astype(np.int64), none3)
            if meshes is not None:
                mesh = meshes.nearest(rays[:, :3], rays[:, 3:6])
            out = np.empty((2 * count, trace_clear.ROW))
            made = trace_clear.follow(
                prims, scene.kinds, scene.planes, bodies, self.solid_spans, scene.spans, scene.looks,
                scene.lights, scene.sky, lattice, row, owners, self.hollows, scene.liquids, self.maps, self.rows,
                vertices, faces, normals, fluid_of, hits, meets, *mesh, rays, count, 1.5 * self.spacing_m, out, color,
            )  # fmt: skip
            rays = out[:made]
