"""Triangle meshes by Embree: one tree a mesh, built once; rays move into its frame, not triangles into the world.

Only rays that can meet a mesh's box are handed over. A surface number is 512 · (first number + mesh) + the number
(modulo 509) of the triangle's patch: triangles joined by edges that bend less than 25°, so that sharp edges inside a
mesh are found and smoothed as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import MissingDependencyError
from physreel.geometry.profiles import PROFILES, Profile
from physreel.renderers.video import trace_mesh_rays as rays
from physreel.renderers.video.trace_packing import Mesh, triangles
from physreel.spec import Camera, TriangleMesh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


_KEPT = 12  # a clip's own wheels, of 7 MB each: other clips have others


class MeshTracer:
    """Traces rays against the meshes of a spec.

    Args:
        meshes: see trace_packing.PackedScene.
        first_number: number of the first mesh among surfaces: how many primitives there are.
    """

    def __init__(self, meshes: tuple[Mesh, ...], *, first_number: int) -> None:
        self.first_number = first_number
        self.owners = [body for body, _ in meshes]
        # A machine has the same wheel several times, a tree of which is dear; other meshes are rarely met twice.
        made = [(_kept if isinstance(shape, PROFILES) else _make)(shape) for _, shape in meshes]
        self._trees = [mesh.tree for mesh in made]
        self._facets = [mesh.facets for mesh in made]
        self._patches = [mesh.patches for mesh in made]
        self._boxes = [mesh.box for mesh in made]
        self._placed = np.zeros((len(meshes), 22))
        for n, (low, high) in enumerate(self._boxes):
            self._placed[n, 12:15], self._placed[n, 15:18] = low, high
        self._room = 0
        self._normal, self._frame = np.zeros(3), np.zeros(6)

    def place(self, bodies: Floats) -> None:
        """Take the meshes' poses from the packed bodies of a frame (see trace_packing)."""
        self._placed[:, :12] = bodies[self.owners, :12]
        self._placed[:, 18:] = bodies[self.owners, 12:]

    def nearest(self, origins: Floats, directions: Floats, *, start_m: float = 0.0) -> tuple[Floats, Ints, Floats]:
        """(parameter, surface, normal towards the ray's origin) of N world rays; 1e30 and -1 where they miss.

        ``origins`` are (N, 3), or (1, 3) for all; what is nearer to them than ``start_m`` is passed by.
        """
        count = len(directions)
        time, surface, normals = np.full(count, 1e30), np.full(count, -1, np.int64), np.zeros((count, 3))
        self._make_room(count)
        for n in range(len(self._trees)):
            asked = rays.ask_rays(self._placed[n], origins, directions, start_m, *self._ask)
            if asked:
                rays.keep_rays(
                    self._placed[n], self._facets[n], self._patches[n], self.first_number + n,
                    self._run(n, asked, "INTERSECT"), asked, self._ask[3], origins, directions, time, surface, normals,
                )  # fmt: skip
        return time, surface, normals

    def primary(
        self, row: Floats, tiles_x: int, camera: Camera, wanted: NDArray[np.uint8], time: Floats, surface: Ints,
        normals: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """Write what each pixel of the ``wanted`` tiles sees of the meshes into the frame's buffers (trace_primary)."""
        self._make_room(len(time))
        for n in range(len(self._trees)):
            box = self._screen_box(n, row, camera)
            asked = rays.ask_pixels(self._placed[n], row, box, tiles_x, wanted, *self._ask)
            if asked:
                rays.keep_pixels(
                    self._placed[n], self._facets[n], self._patches[n], self.first_number + n,
                    self._run(n, asked, "INTERSECT"), asked, self._ask[3], row, tiles_x, self._normal, time, surface,
                    normals,
                )  # fmt: skip

    def shadows(
        self, lights: Floats, disc: Floats, row: Floats, tiles_x: int, todo: Ints, balls: Floats, time: Floats,
        surface: Ints, normals: NDArray[np.float32], visible: NDArray[np.float32], flags: Ints,
    ) -> None:  # fmt: skip
        """Lessen ``visible`` (L, N) by the meshes' shadows, from the same places on the lights as in trace_primary."""
        self._make_room(len(time))
        for lamp, light in enumerate(lights):
            dark, settled = np.zeros(len(time), np.uint8), np.zeros(len(balls), np.uint8)
            for sample, places in enumerate(disc):
                for n in range(len(self._trees)):
                    asked = rays.ask_light(
                        self._placed[n], light, places, sample, row, tiles_x, todo, balls, settled, dark, time,
                        surface, normals, self._frame, *self._ask,
                    )  # fmt: skip
                    if asked:
                        rays.darken(self._run(n, asked, "OCCLUDED"), asked, self._ask[3], sample, dark)
                rays.settle(todo, sample, dark, settled)
            rays.dim(todo, len(disc), dark, lamp, visible, flags)

    def edge_samples(
        self, edges: NDArray[np.uint8], offsets: Floats, row: Floats, tiles_x: int, wanted: NDArray[np.uint8],
        surface: Ints,
    ) -> tuple[Ints, Floats, Ints]:  # fmt: skip
        """For edge pixels beside a mesh: their row (H, W) or -1, and what each of S samples meets: two of (E, S)."""
        number, shape = np.empty(edges.shape, np.int64), (edges.size, 2)
        places = np.empty(shape, np.int64)
        count = rays.edge_pixels(edges, tiles_x, surface, self.first_number, wanted, number, places)
        time, seen = np.full((count, len(offsets)), 1e30), np.full((count, len(offsets)), -1, np.int64)
        self._make_room(seen.size)
        for n in range(len(self._trees)):
            asked = rays.ask_samples(
                self._placed[n], self.first_number + n, places[:count], offsets, row, tiles_x, surface, edges.shape,
                *self._ask,
            )  # fmt: skip
            if asked:
                rays.keep_samples(
                    self._placed[n], self._facets[n], self._patches[n], self.first_number + n,
                    self._run(n, asked, "INTERSECT"), asked, self._ask[3], places, offsets, row, self._normal, time,
                    seen,
                )  # fmt: skip
        return number, time, seen

    def _make_room(self, count: int) -> None:
        if count > self._room:
            self._room = count
            self._ask = (
                np.empty((count + 1, 3), np.float32), np.empty((count + 1, 3), np.float32),
                np.empty(count + 1, np.float32), np.empty(count + 1, np.int64),
            )  # fmt: skip

    def _run(self, n: int, count: int, query: str) -> NDArray[np.int32]:
        # The triangle that each ray meets or, if it is only asked whether it meets one, any; -1 for a miss.
        o, d, reach, _ = self._ask
        return np.asarray(self._trees[n].run(o[:count], d[:count], dists=reach[:count], query=query), np.int32)

    def _screen_box(self, n: int, row: Floats, camera: Camera) -> Ints:
        """(4,) the columns and rows x0, x1, y0, y1 between which the mesh can be seen."""
        corners = np.array(np.meshgrid(*np.stack(self._boxes[n], 1))).reshape(3, -1).T
        world = corners @ self._placed[n, 3:12].reshape(3, 3) + self._placed[n, :3]
        view = (world - row[3:6]) @ row[6:15].reshape(3, 3)
        w, h = camera.width, camera.height
        if (view[:, 2] < 1e-3).any():
            return np.array([0, w, 0, h])
        u, v = row[1] + row[0] * view[:, 0] / view[:, 2], row[2] + row[0] * view[:, 1] / view[:, 2]
        low, high = np.floor([u.min(), v.min()]) - 1, np.ceil([u.max(), v.max()]) + 1
        return np.asarray(np.clip([low[0], high[0], low[1], high[1]], 0, [w, w, h, h]), np.int64)


def embree_tree(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> tuple[Any, Any]:
    """Embree's tree over triangles, and what has to be kept as long as it is.

    Raises:
        MissingDependencyError: embreex is not there.
    """
    try:
        from embreex.mesh_construction import TriangleMesh as EmbreeMesh
        from embreex.rtcore_scene import EmbreeScene
    except ImportError as error:
        raise MissingDependencyError(
            f"triangles are traced with embreex, which cannot be imported ({error}); pip install embreex"
        ) from None
    tree = EmbreeScene()
    return tree, EmbreeMesh(tree, vertices, faces)


@dataclass(frozen=True, eq=False)
class _Made:
    tree: Any
    lives: Any  # what the tree needs as long as it is
    facets: Floats
    patches: Ints
    box: tuple[Floats, Floats]


def _make(shape: TriangleMesh | Profile) -> _Made:
    vertices, faces = triangles(shape)
    tree, lives = embree_tree(vertices.astype(np.float32), faces.astype(np.int32))
    facets, patches = _facets(vertices, faces, not isinstance(shape, TriangleMesh))
    return _Made(tree, lives, facets, patches % 509, (vertices.min(0), vertices.max(0)))


_kept = lru_cache(maxsize=_KEPT)(_make)


def smooth_normals(vertices: Floats, faces: Ints, patches: Ints | None = None) -> Floats:
    """(F, 3, 3) unit normals at the corners of triangles: the mean of their patch's about there, by angles."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-300)[:, None]
    if patches is None:
        patches = _patches(faces, normal)
    corners = np.empty((len(faces), 3, 3))
    for k, (at, p, q) in enumerate(((a, b, c), (b, c, a), (c, a, b))):
        lengths = np.linalg.norm(p - at, axis=1) * np.linalg.norm(q - at, axis=1)
        cosine = np.einsum("fi,fi->f", p - at, q - at) / np.maximum(lengths, 1e-300)
        corners[:, k] = normal * np.arccos(np.clip(cosine, -1.0, 1.0))[:, None]
    which = np.unique(faces + len(vertices) * patches[:, None], return_inverse=True)[1].reshape(-1)
    sums = np.stack([np.bincount(which, corners[..., axis].reshape(-1)) for axis in range(3)], 1)
    unit = sums / np.maximum(np.linalg.norm(sums, axis=1), 1e-300)[:, None]
    return np.asarray(unit[which].reshape(-1, 3, 3), np.float64)


def _facets(vertices: Floats, faces: Ints, curved: bool) -> tuple[Floats, Ints]:
    """``facets`` and ``patches`` of trace_mesh_rays; flat normals unless the triangles stand for something curved."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    area = np.maximum(np.linalg.norm(cross, axis=1), 1e-300)[:, None]
    normal = cross / area
    patches = _patches(faces, normal)
    corners = smooth_normals(vertices, faces, patches) if curved else np.repeat(normal[:, None], 3, axis=1)
    along = np.cross(c - a, normal) / area, np.cross(normal, b - a) / area
    return np.concatenate([a, normal, *along, corners.reshape(-1, 9)], axis=1), patches


def _patches(faces: Ints, normals: Floats) -> Ints:
    """(F,) number of each triangle's patch: those joined by edges that bend less than 25 degrees."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(faces)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    owner = np.tile(np.arange(count), 3)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, owner = edges[order], owner[order]
    same = (edges[1:] == edges[:-1]).all(1)
    a, b = owner[:-1][same], owner[1:][same]
    flat = np.einsum("ei,ei->e", normals[a], normals[b]) > np.cos(np.radians(25.0))
    graph = coo_matrix((np.ones(int(flat.sum())), (a[flat], b[flat])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def beside(edges: NDArray[np.uint8], tiles_x: int, surface: Ints, first_number: int) -> tuple[Ints, Ints]:
    """Rows and columns of edge pixels (H, W) that show, or touch what shows, a surface from ``first_number`` on."""
    height, width = edges.shape
    y, x = np.indices((height, width))
    shows = np.pad(surface[_tile_index(x, y, tiles_x)] >= 512 * first_number, 1)
    found = np.zeros((height, width), np.bool_)
    for j in range(3):
        for i in range(3):
            found |= shows[j : j + height, i : i + width]
    y, x = np.nonzero(found & (edges > 0))
    return y, x


def _tile_index(x: Ints, y: Ints, tiles_x: int) -> Ints:
    return np.asarray(((y >> 3) * tiles_x + (x >> 3)) * 64 + (y & 7) * 8 + (x & 7))
