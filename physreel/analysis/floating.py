"""Rigid bodies in liquid: when they enter it, whether they float or sink, how deep they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.hollows import between_walls, hollow_shape, hollows_by_size
from physreel.analysis.liquids import liquid_frames, liquid_of
from physreel.analysis.motion import center_of_mass, center_of_mass_at_end
from physreel.analysis.supports import supports_at_end
from physreel.analysis.thresholds import AFLOAT_S, BOTTOM_SPACINGS, SUNK_SPEED_M_S, WET_SPACINGS
from physreel.analysis.wetting import liquid_gap_m
from physreel.geometry.extents import support_distances
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz, up_direction
from physreel.spec import SceneSpec
from physreel.values import Trajectory

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
State = Literal["floats", "sinks", "neither", "dry"]


@dataclass(frozen=True, kw_only=True)
class Immersion:
    """What liquid did with one dynamic body.

    Attributes:
        body: index.
        enters_s: when liquid first touches it; None if it never does.
        entry_speed_m_s: its centre's speed then; 0 if it never enters.
        entry_point_m: its centre then.
        state: "floats" (part of it is above the surface in all of the last ``AFLOAT_S``, and nothing but liquid bears
            it), "sinks" (it lies on a bottom, on others that do, or under the surface on what cannot move), "dry" (no
            liquid touches it at the end), or "neither" (on its way, wholly under without having reached a bottom, or
            on something that floats).
        since_s: time from which the state has held, to a frame; None of "neither" and "dry".
        draft_m: depth of its lowest point below the surface at the end; 0 if it is dry.
        submerged_share: the part of its height that is below the surface at the end, 0 to 1.
        vessel: index of the vessel or tank it is in at the end; None outside all.
    """

    body: int
    enters_s: float | None
    entry_speed_m_s: float
    entry_point_m: tuple[float, float, float]
    state: State
    since_s: float | None
    draft_m: float
    submerged_share: float
    vessel: int | None


def surface_height_m(spec: SceneSpec, positions_m: Floats, spacing_m: float) -> float:
    """Height of a liquid's surface along gravity's up: the median, over columns, of the highest particle's top.

    Columns are two spacings wide; those that hold little (where something floats, or a drop flies) do not count.
    """
    if not len(positions_m):
        return float("-inf")
    up = up_direction(spec)
    height = positions_m @ up
    sideways = _plane_axes(up)
    cell = np.floor(positions_m @ sideways.T / (2.0 * spacing_m)).astype(np.int64)
    cell -= cell.min(0)
    key = cell[:, 0] * (int(cell[:, 1].max()) + 1) + cell[:, 1]
    columns, owner, count = np.unique(key, return_inverse=True, return_counts=True)
    top = np.full(len(columns), -np.inf)
    np.maximum.at(top, owner, height)
    full = count >= 0.5 * float(np.median(count))
    return float(np.median(top[full])) + 0.5 * spacing_m


@dataclass(frozen=True, kw_only=True, eq=False)
class _Course:
    """One body's way through the clip; rows are the frames and the end."""

    enters_s: float | None
    entry_speed_m_s: float
    entry_point_m: tuple[float, float, float]
    wet: Bools
    emerges: Bools
    grounded: Bools
    still: Bools
    draft_m: float
    submerged_share: float
    vessel: int | None


def find_immersions(spec: SceneSpec, trajectory: Trajectory) -> tuple[Immersion, ...]:
    """Of every dynamic body, in the spec's order; () where there is no liquid."""
    if trajectory.liquid is None:
        return ()
    position, present = liquid_frames(trajectory)
    center = np.concatenate([center_of_mass(spec, trajectory), center_of_mass_at_end(spec, trajectory)[None]])
    poses = np.concatenate([trajectory.body_pose, trajectory.body_pose_end[None]])
    courses = {
        index: _course(spec, trajectory, index, position, present, poses, center[:, index])
        for index, body in enumerate(spec.bodies)
        if body.motion == "dynamic"
    }
    carriers = supports_at_end(spec, trajectory)
    held = max(2, round(AFLOAT_S * trajectory.fps))
    lying = _lying(courses, carriers, held)
    found = []
    for index, course in courses.items():
        afloat = course.wet & course.emerges & ~course.grounded
        state: State = "neither"
        since = None
        if not course.wet[-1]:
            state = "dry"
        elif index in lying:
            state, since = "sinks", _since(lying[index]) / trajectory.fps
        elif not carriers[index] and _lasts(afloat, held):
            state, since = "floats", _since(afloat) / trajectory.fps
        found.append(
            Immersion(
                body=index, enters_s=course.enters_s, entry_speed_m_s=course.entry_speed_m_s,
                entry_point_m=course.entry_point_m, state=state, since_s=since, draft_m=course.draft_m,
                submerged_share=course.submerged_share, vessel=course.vessel,
            )
        )  # fmt: skip
    return tuple(found)


def _lying(courses: Mapping[int, _Course], carriers: Sequence[tuple[int, ...]], held: int) -> dict[int, Bools]:
    """Of the bodies that lie on a bottom for the last ``held`` rows, or on others that do: the rows in which they do.

    What moves under the surface onto something that cannot has sunk as well; above the surface it is stranded.
    """
    lying: dict[int, Bools] = {}
    while True:  # one layer of a pile at a time
        layer: dict[int, Bools] = {}
        for index, course in courses.items():
            below = carriers[index]
            if index in lying:
                continue
            rows = course.wet & course.grounded
            if below and all(k in lying or k not in courses for k in below):
                stranded = course.emerges & (not all(k in lying for k in below))
                rows = course.wet & (course.grounded | (course.still & ~stranded))
            if _lasts(rows, held):
                layer[index] = rows
        if not layer:
            return lying
        lying |= layer


def _course(
    spec: SceneSpec,
    trajectory: Trajectory,
    index: int,
    position: Floats,
    present: Bools,
    poses: Floats,
    center: Floats,
) -> _Course:
    spacing, fps = liquid_of(trajectory).spacing_m, trajectory.fps
    near = np.array(
        [liquid_gap_m(spec, index, poses[k, index], position[k][present[k]], 0.1) for k in range(len(poses))]
    )
    wet = near < WET_SPACINGS * spacing
    velocity = np.concatenate([trajectory.body_velocity, trajectory.body_velocity_end[None]])
    enters, speed, point = None, 0.0, center[0]
    if wet.any():
        k = int(wet.argmax())
        before = near[k - 1] - WET_SPACINGS * spacing if k else 0.0
        gone = before - (near[k] - WET_SPACINGS * spacing)
        share = before / gone if k and np.isfinite(before) and gone > 0.0 else 1.0 if k else 0.0
        enters = max(k - 1 + share, 0.0) / fps
        speed = float(np.linalg.norm(velocity[max(k - 1, 0), index, :3]))
        point = center[max(k - 1, 0)] + share * (center[k] - center[max(k - 1, 0)])
    up = up_direction(spec)
    low, high = _reach(spec, index, poses[:, index], up)
    vessels = [_vessel_around(spec, poses[k], center[k]) for k in range(len(poses))]
    surface = np.array(
        [_surface(spec, poses[k], vessels[k], position[k][present[k]], spacing) for k in range(len(poses))]
    )
    bottom = np.array([_bottom(spec, poses[k], vessels[k], up) for k in range(len(poses))])
    draft = float(np.clip(surface[-1] - low[-1], 0.0, None)) if wet[-1] else 0.0
    x, y, z = point.tolist()
    return _Course(
        enters_s=enters,
        entry_speed_m_s=speed,
        entry_point_m=(x, y, z),
        wet=wet,
        emerges=high > surface,
        grounded=low - bottom < BOTTOM_SPACINGS * spacing,
        still=np.linalg.norm(velocity[:, index, :3], axis=1) < SUNK_SPEED_M_S,
        draft_m=draft,
        submerged_share=float(np.clip(draft / max(high[-1] - low[-1], 1e-9), 0.0, 1.0)),
        vessel=vessels[-1],
    )


def _lasts(holds: Bools, rows: int) -> bool:
    """Whether something holds in each of the last rows."""
    return len(holds) >= rows and bool(holds[-rows:].all())


def _since(holds: Bools) -> int:
    """The frame from which something holds to the end."""
    return len(holds) - int((~holds[::-1]).argmax()) if not holds.all() else 0


def _reach(spec: SceneSpec, index: int, pose: Floats, up: Floats) -> tuple[Floats, Floats]:
    """(T + 1,) heights of a body's lowest and highest points."""
    shape, back = spec.bodies[index].shape, conjugate_wxyz(pose[:, 3:])
    height = pose[:, :3] @ up
    return (
        height - support_distances(shape, rotate_wxyz(back, -up)),
        height + support_distances(shape, rotate_wxyz(back, up)),
    )


def _vessel_around(spec: SceneSpec, poses: Floats, point: Floats) -> int | None:
    """The smallest vessel or tank over whose inside floor, and between whose walls, a point is, however high."""
    for i in hollows_by_size(spec):
        if between_walls(hollow_shape(spec, i), _local(poses[i], point[None]))[0]:
            return i
    return None


def _surface(spec: SceneSpec, poses: Floats, vessel: int | None, points: Floats, spacing: float) -> float:
    if vessel is None:
        return float("-inf")
    within = between_walls(hollow_shape(spec, vessel), _local(poses[vessel], points))
    return surface_height_m(spec, points[within], spacing)


def _local(pose: Floats, points: Floats) -> Floats:
    return rotate_wxyz(conjugate_wxyz(pose[3:]), points - pose[:3])


def _bottom(spec: SceneSpec, poses: Floats, vessel: int | None, up: Floats) -> float:
    if vessel is None:
        return float("-inf")
    floor = np.array([0.0, 0.0, hollow_shape(spec, vessel).floor_z_m])
    return float((poses[vessel, :3] + rotate_wxyz(poses[vessel, 3:], floor)) @ up)


def _plane_axes(up: Floats) -> Floats:
    """(2, 3) unit vectors across ``up``."""
    aside = np.eye(3)[int(np.abs(up).argmin())]
    one = np.cross(up, aside)
    one /= np.linalg.norm(one)
    return np.stack([one, np.cross(up, one)])
