"""The surface of liquids from their particles: triangles by pysplashsurf, brought to touch the walls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from physreel.errors import MissingDependencyError
from physreel.geometry.hulls import hull_faces
from physreel.spec import ConvexHull, SceneSpec
from physreel.values import Trajectory
from physreel.values.arrays import read_only

Floats = NDArray[np.float64]

# In spacings, unless said otherwise.
_SUPPORT = 2.0  # of the kernel that makes a field of the particles
_CUBE = 0.6  # edge of the cells in which the surface is sought
_REACH = 1.1  # particles nearer to a wall are mirrored in it
_DRAWN = 0.45  # of the surface what faces a wall nearer than this is drawn to it
_CORNER = 0.35  # what touches one wall is drawn to a second nearer than this
_HALF_GRID = 64  # cells of the grid of particles to each side of their median
_WORTH_NODES, _MOST_NODES = 200_000, 8_000_000  # what is worth being sought apart, and the most to be sought at once
# Sums of the kernel at a particle, its own included: below the first it is a drop by itself, from the second on the
# liquid about it is thick enough to be evened out.
_ALONE, _CROWDED = 1.02, 2.2
_ROUNDS, _THERE, _BACK = 12, 0.60, 0.62  # of evening out the surface, and how far there and back


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidSurface:
    """The closed surface of one fluid at one frame; world frame, metres.

    Attributes:
        fluid: index into the spec's fluids.
        vertices: (V, 3) float32.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        normals: (V, 3) float32, unit, outward, smooth.
        velocity: (V, 3) float32, m/s of the liquid there.
    """

    fluid: int
    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    velocity: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, dtype in (("vertices", np.float32), ("faces", np.int32), ("normals", np.float32)):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype, (None, 3), f"surface {name}"))
        velocity = read_only(self.velocity, np.float32, (len(self.vertices), 3), "surface velocity")
        object.__setattr__(self, "velocity", velocity)


def liquid_surfaces(spec: SceneSpec, trajectory: Trajectory, frame: int) -> tuple[LiquidSurface, ...]:
    """The surface of each fluid that has particles in the world at a frame, in the spec's order.

    Raises:
        MissingDependencyError: pysplashsurf is not there.
    """
    return () if trajectory.liquid is None else SurfaceMaker(spec, trajectory).make(frame)


def keep_off_level(field: NDArray[np.float32]) -> None:
    """Move values that are the surface's to the last bit below it: marching cubes finds no edge that it cuts there."""
    from physreel.renderers.video import trace_field

    level = np.float32(trace_field.LEVEL)
    field[field == level] = np.nextafter(level, np.float32(0.0))


class SurfaceMaker:
    """Makes the surfaces of a trajectory's liquids, frame by frame; ``keep``: only once each."""

    def __init__(self, spec: SceneSpec, trajectory: Trajectory, *, keep: bool = False) -> None:
        from physreel.renderers.video.trace_packing import pack_scene, place

        if trajectory.liquid is None:
            raise ValueError("the trajectory has no liquid")
        self.trajectory, self.track = trajectory, trajectory.liquid
        self.scene = pack_scene(spec)
        self.fluids = len(spec.fluids)
        self.prims, _ = place(self.scene, trajectory.body_pose)
        self._kept: dict[int, tuple[LiquidSurface, ...]] | None = {} if keep else None
        try:
            import pysplashsurf
        except ImportError as error:
            raise MissingDependencyError(
                f"liquids are shown with pysplashsurf, which cannot be imported ({error}); pip install pysplashsurf"
            ) from None
        self._library = pysplashsurf

    def make(self, frame: int) -> tuple[LiquidSurface, ...]:
        """The surfaces at a frame, in the order of the spec's fluids."""
        if self._kept is not None and frame in self._kept:
            return self._kept[frame]
        track = self.track
        made = []
        for fluid in range(self.fluids):
            there = track.present[frame] & (track.fluid == fluid)
            if there.any():
                points = track.position_m[frame, there].astype(np.float64)
                made.append(self._surface(fluid, points, track.velocity_m_s[frame, there], self.prims[frame]))
        if self._kept is not None:
            self._kept[frame] = tuple(made)
        return tuple(made)

    def _triangles(
        self, points: Floats, weight: Floats, support: float, edge: float
    ) -> tuple[Floats, NDArray[np.int32]]:
        from physreel.renderers.video import trace_field

        vertices, faces, count = [np.zeros((0, 3))], [np.zeros((0, 3), np.int32)], 0
        for some in _apart(points, 2.0 * support, edge):
            low = points[some].min(0) - support
            size = points[some].max(0) + support - low
            # What is spread out and yet in one piece is sought less finely.
            step = max(edge, float(np.prod(size) / _MOST_NODES) ** (1 / 3))
            field = np.zeros((size / step).astype(np.int64) + 2, np.float32)
            trace_field.spread(points[some], weight[some], support, low, step, field)
            keep_off_level(field)
            mesh = self._library.marching_cubes(
                field, iso_surface_threshold=trace_field.LEVEL, cube_size=step, translation=low.tolist()
            )
            vertices.append(np.array(mesh.vertices, np.float64))
            faces.append(np.asarray(mesh.triangles).astype(np.int32) + np.int32(count))
            count += len(vertices[-1])
        return np.concatenate(vertices), np.concatenate(faces)

    def _surface(self, fluid: int, points: Floats, velocity: NDArray[np.float32], prims: Floats) -> LiquidSurface:
        from physreel.renderers.video import trace_field, trace_walls

        planes, count = self.scene.planes, len(points)
        spacing = self.track.spacing_m
        support = _SUPPORT * spacing
        # Only what the liquid may touch; the surface reaches less than two supports beyond its particles.
        beyond = np.maximum(points.min(0) - prims[:, :3], prims[:, :3] - points.max(0))
        near_by = np.linalg.norm(np.maximum(beyond, 0.0), axis=1) < prims[:, 15] + 2.0 * support
        prims, kinds = prims[near_by], self.scene.kinds[near_by]
        images = np.empty((7 * count, 3))
        made = trace_walls.images(prims, kinds, planes, points, _REACH * spacing, np.empty((3, 4)), images)
        everything = np.concatenate([points, images[:made]])
        cells = _by_cell(everything, support)
        crowd = np.empty(len(everything))
        trace_field.crowding(everything, *cells, len(everything), support, crowd)
        alone = crowd < _ALONE
        vertices, faces = self._triangles(everything[~alone], 1.0 / crowd[~alone], support, _CUBE * spacing)
        first_drop = len(vertices)
        drops, drop_faces = _drops(points[alone[:count]], spacing)
        vertices = np.concatenate([vertices, drops])
        faces = np.concatenate([faces, drop_faces + np.int32(first_drop)])
        carried, near, scratch = np.empty_like(vertices), np.empty_like(vertices), np.empty_like(vertices)
        crowd_near = np.empty(len(vertices))
        trace_walls.attach(everything, velocity, crowd, *cells, count, vertices, support, carried, near, crowd_near)
        start, listed = np.zeros(len(vertices) + 2, np.int32), np.empty(faces.size, np.int32)
        trace_field.neighbours(faces, start, listed)
        weight = np.clip((crowd_near - _ALONE) / (_CROWDED - _ALONE), 0.0, 1.0)
        weight[first_drop:] = 0.0
        trace_field.even_out(vertices, start, listed, weight, _ROUNDS, _THERE, _BACK, scratch)
        touching = np.zeros(len(vertices), np.uint8)
        trace_walls.bring_back(prims, kinds, planes, vertices, near, touching)
        normals = np.empty_like(vertices)
        trace_walls.smooth_normals(vertices, faces, touching, 0, normals, scratch)
        trace_walls.draw_to(prims, kinds, planes, vertices, normals, _DRAWN * spacing, _CORNER * spacing, touching)
        trace_walls.smooth_normals(vertices, faces, touching, 4, normals, scratch)
        return LiquidSurface(
            fluid=fluid,
            vertices=vertices.astype(np.float32),
            faces=faces,
            normals=normals.astype(np.float32),
            velocity=carried.astype(np.float32),
        )


def _drops(points: Floats, spacing: float) -> tuple[Floats, NDArray[np.int32]]:
    """Vertices and faces of a ball of spacing³ about each point."""
    corners, sides = _ball()
    vertices = points[:, None] + spacing * (0.75 / np.pi) ** (1 / 3) * corners
    faces = sides + len(corners) * np.arange(len(points), dtype=np.int32)[:, None, None]
    return vertices.reshape(-1, 3), faces.reshape(-1, 3)


@lru_cache(maxsize=1)
def _ball() -> tuple[Floats, NDArray[np.int32]]:
    """42 points about the unit sphere and 80 faces that hold its volume: an icosahedron, each face in four."""
    golden = 0.5 * (1.0 + 5.0**0.5)
    first = np.array([(0.0, a, b * golden) for a in (-1.0, 1.0) for b in (-1.0, 1.0)])
    points = np.concatenate([np.roll(first, turn, axis=1) for turn in range(3)])
    pairs = [(a, b) for a in range(12) for b in range(a) if np.linalg.norm(points[a] - points[b]) < 2.1]
    points = np.concatenate([points, [points[a] + points[b] for a, b in pairs]])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points, faces = hull_faces(ConvexHull(points_m=tuple((float(x), float(y), float(z)) for x, y, z in points)))
    a, b, c = (points[faces[:, k]] for k in range(3))
    volume = float(np.einsum("fi,fi->", a, np.cross(b, c))) / 6
    return points * (4 / 3 * np.pi / volume) ** (1 / 3), faces.astype(np.int32)


def _apart(points: Floats, gap: float, edge: float) -> list[NDArray[np.int64]]:
    """Numbers of points in groups farther apart than ``gap``, where that makes boxes with fewer cells of that edge."""
    groups, waiting = [], [np.arange(len(points))] if len(points) else []
    while waiting:
        some = waiting.pop()
        size = np.ptp(points[some], axis=0) + gap
        best, parts = _WORTH_NODES * edge**3, None
        for axis in range(3):
            order = some[np.argsort(points[some, axis], kind="stable")]
            step = np.diff(points[order, axis])
            wide = int(np.argmax(step)) if len(step) else 0
            saved = float(np.prod(size) / size[axis] * (step[wide] - gap)) if len(step) else 0.0
            if saved > best:
                best, parts = saved, (order[: wide + 1], order[wide + 1 :])
        if parts is None:
            groups.append(np.sort(some))
        else:
            waiting += parts
    return groups


class _Cells(NamedTuple):
    """Points by cell: their numbers in the order of cells, where each cell begins, the grid's corner, edge and size."""

    order: NDArray[np.int64]
    start: NDArray[np.int64]
    low: Floats
    size: float
    shape: NDArray[np.int64]


def _by_cell(points: Floats, size: float) -> _Cells:
    # A drop that has flown far off must not make the grid larger: what is beyond it counts to its outermost cells.
    low = np.maximum(points.min(0) - size, np.median(points, axis=0) - _HALF_GRID * size)
    cell = np.clip((points - low) / size, 0, 2 * _HALF_GRID - 1).astype(np.int64)
    shape = cell.max(0) + 1
    number = (cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2]
    order = np.argsort(number, kind="stable")
    start = np.zeros(int(np.prod(shape)) + 1, np.int64)
    np.cumsum(np.bincount(number, minlength=len(start) - 1), out=start[1:])
    return _Cells(order, start, low, size, shape)
