"""Depth, segmentation, normals and flow: what the rays through the pixels' centres meet in Mitsuba's scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import wxyz_to_matrix
from physreel.renderers.video.mitsuba_rays import Rays
from physreel.renderers.video.mitsuba_world import Stage, World
from physreel.spec import Camera
from physreel.values.clip import PassName

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Lens:
    """A camera at each frame: its rays, and where points lie in its picture.

    Args:
        camera: the camera.
        views: (T + 1, 4, 4) camera-to-world, the last when the film ends.
    """

    def __init__(self, camera: Camera, views: Floats) -> None:
        intrinsics = camera.intrinsics()
        self.camera, self.views = camera, views
        self.focal, self.middle = float(intrinsics[0, 0]), intrinsics[:2, 2]

    def pixel_rays(self, frame: int) -> tuple[Floats, Floats]:
        """As ``rays``, through the pixels' centres, row by row."""
        x, y = np.meshgrid(np.arange(self.camera.width) + 0.5, np.arange(self.camera.height) + 0.5)
        return self.rays(frame, x.ravel(), y.ravel())

    def widths(self, frame: int, points: Floats) -> Floats:
        """(N,) width of a pixel where points (N, 3) are."""
        return np.asarray(np.linalg.norm(points - self.views[frame, :3, 3], axis=1) / self.focal)

    def rays(self, frame: int, x: NDArray[Any], y: NDArray[Any]) -> tuple[Floats, Floats]:
        """The eye (3,) and unit world directions (N, 3) through picture points."""
        view = np.stack([(x - self.middle[0]) / self.focal, (y - self.middle[1]) / self.focal, np.ones(len(x))], 1)
        view /= np.linalg.norm(view, axis=1, keepdims=True)
        return self.views[frame, :3, 3], view @ self.views[frame, :3, :3].T

    def shown(self, frame: int, points: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """(N, 2) picture points and (N,) whether they are before the camera."""
        local = (points - self.views[frame, :3, 3]) @ self.views[frame, :3, :3]
        ahead = local[:, 2] > 1e-6
        return self.focal * local[:, :2] / np.where(ahead, local[:, 2], 1.0)[:, None] + self.middle, ahead


@dataclass(frozen=True, eq=False)
class Hits:
    """What N rays met.

    Attributes:
        time: (N,) distance; inf where nothing was met.
        owner: (N,) body, or number of bodies + fluid; -1 where nothing was met.
        normal: (N, 3) unit normal towards the ray's origin.
        velocity: (N, 3) of the liquid there.
        entering: (N,) whether the ray goes into what it met.
    """

    time: Floats
    owner: Ints
    normal: Floats
    velocity: Floats
    entering: NDArray[np.bool_]

    def of(self, rows: Ints) -> Hits:
        """Some of them."""
        return Hits(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def put(self, rows: Ints, others: Hits) -> None:
        """Write others over some of them."""
        for name in self.__dataclass_fields__:
            getattr(self, name)[rows] = getattr(others, name)

    @classmethod
    def none(cls, count: int) -> Hits:
        """Those of rays that meet nothing."""
        nowhere = np.zeros((count, 3))
        return cls(np.full(count, np.inf), np.full(count, -1), nowhere, nowhere.copy(), np.zeros(count, np.bool_))


def hits(stage: Stage, rays: Rays, scene: Any, origins: Floats, directions: Floats) -> Hits:
    """What N rays meet first in a bare scene of the stage."""
    time, prim, uv = rays.nearest(scene, origins, directions)
    met = np.isfinite(time)
    out = Hits.none(len(time))
    out.time[met], out.owner[met] = time[met], stage.owner[prim[met]]
    corners = stage.faces[prim[met]]
    weights = np.stack([1.0 - uv[met].sum(1), uv[met, 0], uv[met, 1]], 1)
    mean = np.einsum("nk,nki->ni", weights, stage.normals[corners])
    mean /= np.maximum(np.linalg.norm(mean, axis=1), 1e-12)[:, None]
    # Which side is met is the triangle's to say; at an outline the smooth normal may already look away.
    a, b, c = (stage.vertices[corners[:, k]] for k in range(3))
    flat = np.einsum("ni,ni->n", np.cross(b - a, c - a), directions[met])
    out.entering[met] = flat < 0.0
    mean[flat > 0.0] *= -1.0
    excess = np.maximum(np.einsum("ni,ni->n", mean, directions[met]), 0.0)[:, None]
    mean -= excess * directions[met]
    out.normal[met] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    out.velocity[met] = np.einsum("nk,nki->ni", weights, stage.velocity[corners])
    return out


def first_hits(
    world: World, stage: Stage, rays: Rays, scene: Any, eye: Floats, directions: Floats
) -> tuple[Hits, Hits]:
    """What the camera's rays meet first, and what counts as seen: through clear vessels the liquid in them.

    Where the first thing is a clear vessel or tank, and the ray, going straight on, meets a liquid before any body
    that is not one, the liquid is seen.
    """
    seen = hits(stage, rays, scene, eye, directions)
    if not stage.surfaces:
        return seen, seen
    from physreel.renderers.video.visibility import LIQUID, clear_bodies
    from physreel.renderers.video.visibility import seen as counts

    count, hollow = len(world.spec.bodies), np.array(clear_bodies(world.spec), np.int64)
    within = np.flatnonzero(np.isin(seen.owner, hollow))
    behind = hits(stage, rays, world.bare_scene(stage, without=hollow), eye, directions[within])
    liquid = behind.owner >= count
    body_m, liquid_m = (np.where(mine, behind.time, np.inf) for mine in (~liquid, liquid))
    wet = counts(body_m, seen.time[within], liquid_m) == LIQUID
    within = within[wet]
    counted = seen.of(np.arange(len(seen.owner)))
    counted.put(within, behind.of(np.flatnonzero(wet)))
    return seen, counted


def exact_passes(
    world: World, lens: Lens, frame: int, seen: Hits, directions: Floats, wanted: frozenset[PassName]
) -> dict[PassName, NDArray[Any]]:
    """The passes of a frame (N, …) from what was seen."""
    met = seen.owner >= 0
    out: dict[PassName, NDArray[Any]] = {}
    if "depth" in wanted:
        out["depth"] = np.where(met, seen.time * (directions @ lens.views[frame, :3, 2]), np.inf).astype(np.float32)
    if "segmentation" in wanted:
        out["segmentation"] = (seen.owner + 1).astype(np.uint16)
    if "normals" in wanted:
        out["normals"] = seen.normal.astype(np.float32)
    if "flow" in wanted:
        out["flow"] = _flow(world, lens, frame, seen, directions)
    return out


def _flow(world: World, lens: Lens, frame: int, seen: Hits, directions: Floats) -> NDArray[np.float32]:
    trajectory, bodies = world.trajectory, len(world.spec.bodies)
    last = frame + 1 == trajectory.frame_count
    now = trajectory.body_pose[frame]
    later = trajectory.body_pose_end if last else trajectory.body_pose[frame + 1]
    turn = wxyz_to_matrix(later[:, 3:]) @ np.swapaxes(wxyz_to_matrix(now[:, 3:]), -1, -2)
    met = seen.owner >= 0
    owner = seen.owner[met]
    points = lens.views[frame, :3, 3] + seen.time[met, None] * directions[met]
    there = points + seen.velocity[met] / world.spec.fps
    solid = owner < bodies
    body = owner[solid]
    there[solid] = np.einsum("nij,nj->ni", turn[body], points[solid] - now[body, :3]) + later[body, :3]
    out = np.zeros((len(met), 2), np.float32)
    before, _ = lens.shown(frame, points)
    after, ahead = lens.shown(frame + 1, there)
    out[met] = np.where(ahead[:, None], after - before, 0.0)
    return out
