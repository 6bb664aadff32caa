"""Triangle meshes by Embree: one tree a mesh, built once; rays move into its frame, not triangles into the world.

Only rays that can meet a mesh's box are handed over. A surface number is 512 · (first number + mesh) + the number
(modulo 509) of the triangle's patch: triangles joined by edges that bend less than 25°, so that sharp edges inside a
mesh are found and smoothed as any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import MissingDependencyError
from physreel.renderers.video.trace_packing import Mesh
from physreel.spec import Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class MeshTracer:
    """Traces rays against the meshes of a spec.

    Args:
        meshes: see trace_packing.PackedScene.
        first_number: number of the first mesh among surfaces: how many primitives there are.
    """

    def __init__(self, meshes: tuple[Mesh, ...], *, first_number: int) -> None:
        self.first_number = first_number
        self.owners = [mesh[0] for mesh in meshes]
        self._trees: list[Any] = []
        self._keep: list[Any] = []
        self._normals: list[Floats] = []
        self._faces: list[Ints] = []
        self._corner: list[Floats] = []
        self._boxes: list[tuple[Floats, Floats]] = []
        for _, vertices, faces, _ in meshes:
            a, b, c = (vertices[faces[:, k]] for k in range(3))
            normal = np.cross(b - a, c - a)
            normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-300)[:, None]
            tree, kept = embree_tree(vertices.astype(np.float32), faces.astype(np.int32))
            self._keep.append(kept)
            self._trees.append(tree)
            self._normals.append(normal)
            self._faces.append(_patches(faces, normal) % 509)
            self._corner.append(a)
            self._boxes.append((vertices.min(0), vertices.max(0)))
        self._rotation = np.zeros((len(meshes), 3, 3))
        self._position = np.zeros((len(meshes), 3))

    def place(self, bodies: Floats) -> None:
        """Take the meshes' poses from the packed bodies of a frame (see trace_packing)."""
        for n, body in enumerate(self.owners):
            self._position[n] = bodies[body, :3]
            self._rotation[n] = bodies[body, 3:12].reshape(3, 3)

    def nearest(self, origins: Floats, directions: Floats) -> tuple[Floats, Ints, Floats]:
        """(parameter, surface, normal towards the ray's origin) of N world rays; 1e30 and -1 where they miss."""
        count = len(origins)
        time, surface, normal = np.full(count, 1e30), np.full(count, -1, np.int64), np.zeros((count, 3))
        for n in range(len(self._trees)):
            o, d = self._local(n, origins, directions)
            rows = self._candidates(n, o, d, np.inf)
            if not len(rows):
                continue
            o, d = o[rows], d[rows]
            hit = self._run(n, o, d)
            found = hit >= 0
            rows, o, d, face = rows[found], o[found], d[found], hit[found]
            if not len(rows):
                continue
            # Embree works in single precision; the triangle's plane gives the parameter in double.
            facing = self._normals[n][face]
            rate = np.einsum("ri,ri->r", facing, d)
            corner = self._corner[n][face]
            t = np.einsum("ri,ri->r", facing, corner - o) / np.where(np.abs(rate) < 1e-12, 1e-12, rate)
            closer = (t > 1e-6) & (t < time[rows])
            rows, t, face, facing = rows[closer], t[closer], face[closer], facing[closer]
            facing = np.where((rate[closer] > 0)[:, None], -facing, facing)
            time[rows] = t
            surface[rows] = 512 * (self.first_number + n) + self._faces[n][face]
            normal[rows] = facing @ self._rotation[n]
        return time, surface, normal

    def blocked(self, origins: Floats, directions: Floats, end: float) -> NDArray[np.bool_]:
        """(N,) whether world rays meet a mesh at a parameter between 0 and ``end``."""
        out = np.zeros(len(origins), np.bool_)
        for n in range(len(self._trees)):
            o, d = self._local(n, origins, directions)
            rows = self._candidates(n, o, d, end)
            rows = rows[~out[rows]]
            if len(rows):
                out[rows] = self._run(n, o[rows], d[rows], end) >= 0
        return out

    def primary(
        self, row: Floats, tiles_x: int, camera: Camera, time: Floats, surface: Ints, normals: NDArray[np.float32]
    ) -> None:
        """Write what each pixel sees of the meshes into the frame's buffers (tile by tile, see trace_primary)."""
        seen = np.zeros((camera.height, camera.width), np.bool_)
        for n in range(len(self._trees)):
            x0, x1, y0, y1 = self._screen_box(n, row, camera)
            seen[y0:y1, x0:x1] = True
        y, x = np.nonzero(seen)
        if not len(x):
            return
        at = _tile_index(x, y, tiles_x)
        rays = _camera_rays(row, x + 0.5, y + 0.5)
        time[at], surface[at], normal = self.nearest(np.broadcast_to(row[3:6], rays.shape), rays)
        normals[:, at] = normal.T

    def shadows(
        self,
        lights: Floats,
        disc: Floats,
        row: Floats,
        tiles_x: int,
        time: Floats,
        surface: Ints,
        normals: NDArray[np.float32],
        visible: NDArray[np.float32],
        flags: Ints,
    ) -> None:
        """Lessen ``visible`` (L, N) by the meshes' shadows, from the same places on the lights as in trace_primary."""
        at = np.flatnonzero(surface >= 0)
        lane, tile = at % 64, at // 64
        x, y = (tile % tiles_x) * 8 + lane % 8, (tile // tiles_x) * 8 + lane // 8
        normal = normals[:, at].T.astype(np.float64)
        point = row[3:6] + time[at, None] * _camera_rays(row, x + 0.5, y + 0.5)
        point += 1e-5 * (1.0 + np.abs(point).max(1, keepdims=True)) * normal
        cell = (lane & 3) + 4 * ((lane >> 3) & 3)
        for k, light in enumerate(lights):
            sun = light[0] == 0.0
            middle = np.broadcast_to(light[1:4], point.shape) if sun else light[1:4] - point
            rows = np.flatnonzero(np.einsum("ri,ri->r", middle, normal) > 0.0)
            axis = middle[rows] / np.linalg.norm(middle[rows], axis=1, keepdims=True)
            across = np.where(np.abs(axis[:, 2:]) < 0.9, np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]))
            u = np.cross(across, axis)
            u /= np.linalg.norm(u, axis=1, keepdims=True)
            v = np.cross(axis, u)
            dark = np.zeros(len(rows))
            for s in range(disc.shape[0]):
                p, q = disc[s, :, cell[rows]].T
                ray = middle[rows] + light[7] * (p[:, None] * u + q[:, None] * v)
                dark += self.blocked(point[rows], ray, 1e9 if sun else 1.0)
            some = dark > 0.0
            visible[k, at[rows[some]]] *= (1.0 - dark[some] / disc.shape[0]).astype(np.float32)
            touched = np.unique(tile[rows[some]])
            flags[k, touched] = np.where(flags[k, touched] == 0, 1, flags[k, touched])

    def edge_samples(
        self, edges: NDArray[np.uint8], offsets: Floats, row: Floats, tiles_x: int, surface: Ints
    ) -> tuple[Ints, Floats, Ints]:
        """For edge pixels beside a mesh: their row (H, W) or -1, and what each of S samples meets: two of (E, S)."""
        y, x = beside(edges, tiles_x, surface, self.first_number)
        number = np.full(edges.shape, -1, np.int64)
        number[y, x] = np.arange(len(x))
        rays = _camera_rays(row, (x[:, None] + offsets[:, 0]).reshape(-1), (y[:, None] + offsets[:, 1]).reshape(-1))
        time, seen, _ = self.nearest(np.broadcast_to(row[3:6], rays.shape), rays)
        shape = (len(x), len(offsets))
        return number, time.reshape(shape), seen.reshape(shape)

    def _screen_box(self, n: int, row: Floats, camera: Camera) -> tuple[int, int, int, int]:
        corners = np.array(np.meshgrid(*np.stack(self._boxes[n], 1))).reshape(3, -1).T
        world = corners @ self._rotation[n] + self._position[n]
        view = (world - row[3:6]) @ row[6:15].reshape(3, 3)
        if (view[:, 2] < 1e-3).any():
            return 0, camera.width, 0, camera.height
        u, v = row[1] + row[0] * view[:, 0] / view[:, 2], row[2] + row[0] * view[:, 1] / view[:, 2]
        x0, y0 = np.floor([u.min(), v.min()]).astype(int) - 1
        x1, y1 = np.ceil([u.max(), v.max()]).astype(int) + 1
        w, h = camera.width, camera.height
        return int(np.clip(x0, 0, w)), int(np.clip(x1, 0, w)), int(np.clip(y0, 0, h)), int(np.clip(y1, 0, h))

    def _local(self, n: int, origins: Floats, directions: Floats) -> tuple[Floats, Floats]:
        turn = self._rotation[n].T
        return (origins - self._position[n]) @ turn, directions @ turn

    def _candidates(self, n: int, origins: Floats, directions: Floats, end: float) -> Ints:
        low, high = self._boxes[n]
        with np.errstate(divide="ignore", invalid="ignore"):
            inv = 1.0 / np.where(np.abs(directions) < 1e-300, 1e-300, directions)
            a, b = (low - 1e-6 - origins) * inv, (high + 1e-6 - origins) * inv
        near, far = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
        return np.flatnonzero((near <= far) & (far > 0.0) & (near < end))

    def _run(self, n: int, origins: Floats, directions: Floats, end: float = np.inf) -> Ints:
        # embreex wants unit directions in single precision; both queries answer with -1 for a miss.
        length = np.linalg.norm(directions, axis=1)
        o, d = origins.astype(np.float32), (directions / length[:, None]).astype(np.float32)
        if np.isinf(end):
            return np.asarray(self._trees[n].run(o, d), np.int64)
        reach = (end * length).astype(np.float32)
        return np.asarray(self._trees[n].run(o, d, dists=reach, query="OCCLUDED"), np.int64)


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


def _camera_rays(row: Floats, x: NDArray[Any], y: NDArray[Any]) -> Floats:
    """(N, 3) world directions through picture points, of length 1 along the optical axis."""
    inv = 1.0 / row[0]
    view = np.stack([(x - row[1]) * inv, (y - row[2]) * inv, np.ones(len(x))], 1)
    return np.asarray(view @ row[6:15].reshape(3, 3).T)
