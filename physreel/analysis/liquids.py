"""Where liquid is and when it got there: in vessels, in the air, spilled; arrivals, overflows, emptying, flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.hollows import hollow_shape, hollows_by_size
from physreel.analysis.thresholds import (
    EMPTY_SHARE,
    FALLING_SPEED_M_S,
    FREE_FALL_SHARE,
    FULL_SHARE,
    HEAP_SPACINGS,
    OVERFLOW_SHARE,
    SEEN_PARTICLES,
)
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz, up_direction
from physreel.geometry.vessels import capacity_m3, inside, world_inside
from physreel.spec import SceneSpec
from physreel.values import LiquidTrack, Signal, Trajectory

IN_FLIGHT, OUTSIDE, GONE = -1, -2, -3
"""Places that are no body: in the air, come to stand somewhere outside all vessels, out of the world."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidPlaces:
    """Where each particle is.

    Attributes:
        place: (T + 1, N) int32 at the frames and the end: index of the vessel or tank that holds it, or one of
            ``IN_FLIGHT``, ``OUTSIDE`` and ``GONE``. Each particle is in one place, so shares add up.
        particle_volume_m3: what each stands for.
        fps: frames a second.
    """

    place: NDArray[np.int32]
    particle_volume_m3: float
    fps: int

    def counts(self, *places: int) -> NDArray[np.int64]:
        """(T + 1,) how many particles are in any of the places."""
        return np.asarray(np.isin(self.place, places).sum(1), np.int64)

    def volume_m3(self, *places: int) -> NDArray[np.float64]:
        """(T + 1,) how much is in any of the places."""
        return np.asarray(self.counts(*places) * self.particle_volume_m3, np.float64)

    def leaving_s(self, body: int) -> NDArray[np.float64]:
        """Times, in order, at which particles left a vessel for good; each half-way between two frames."""
        held = self.place == body
        gone = held.any(0) & ~held[-1]
        last = len(held) - 1 - held[::-1, gone].argmax(0)
        return np.sort((last + 0.5) / self.fps)

    def share_at_end(self, *places: int) -> float:
        """The share of all particles that is in any of the places when the clip ends."""
        return int(self.counts(*places)[-1]) / len(self.place[0])


def liquid_of(trajectory: Trajectory) -> LiquidTrack:
    """The trajectory's liquid.

    Raises:
        ValueError: it has none.
    """
    if trajectory.liquid is None:
        raise ValueError("the trajectory has no liquid; it was not made by an engine of liquids")
    return trajectory.liquid


def find_places(spec: SceneSpec, trajectory: Trajectory) -> LiquidPlaces:
    """The place of every particle at every frame and at the end.

    Of vessels that stand within one another (a glass in a tray) the smaller one counts. A vessel also has what is
    heaped on it: not flying, over its opening, at most ``HEAP_SPACINGS`` above its rim. What is outside all of them is
    in flight if its acceleration between frames is near gravity's, or if it comes down fast.
    """
    liquid = liquid_of(trajectory)
    position, present = liquid_frames(trajectory)
    velocity = np.concatenate([liquid.velocity_m_s, liquid.velocity_end_m_s[None]]).astype(np.float64)
    poses = np.concatenate([trajectory.body_pose, trajectory.body_pose_end[None]])
    flying = _in_free_fall(spec, velocity, trajectory.fps)
    falling = velocity @ -up_direction(spec) > FALLING_SPEED_M_S
    place = np.where(flying | falling, IN_FLIGHT, OUTSIDE).astype(np.int32)
    above = HEAP_SPACINGS * liquid.spacing_m
    for i in reversed(hollows_by_size(spec)):
        shape = hollow_shape(spec, i)
        for k in range(len(place)):
            local = rotate_wxyz(conjugate_wxyz(poses[k, i, 3:]), position[k] - poses[k, i, :3])
            over = local[:, 2] - shape.rim_z_m
            heaped = (over >= 0.0) & (over < above) & ~flying[k]
            local[heaped, 2] = shape.rim_z_m - 1e-9
            place[k, inside(shape, local) & (heaped | (over < 0.0))] = i
    place[~present] = GONE
    return LiquidPlaces(place=place, particle_volume_m3=liquid.particle_volume_m3, fps=trajectory.fps)


def _in_free_fall(spec: SceneSpec, velocity: NDArray[np.float64], fps: int) -> NDArray[np.bool_]:
    """(T + 1, N) whether a particle falls freely in the interval before a frame, or in the one after it."""
    gravity = np.asarray(spec.gravity_m_s2, np.float64)
    excess = np.linalg.norm(np.diff(velocity, axis=0) * fps - gravity, axis=-1)
    free = excess < FREE_FALL_SHARE * float(np.linalg.norm(gravity))
    out = np.zeros(velocity.shape[:2], np.bool_)
    out[:-1] |= free
    out[1:] |= free
    return out


def liquid_signal(spec: SceneSpec, trajectory: Trajectory, kind: str, body: int) -> Signal:
    """The series "<kind>:<body's name>", kind being volume, level, inflow, outflow or mouth.

    Raises:
        ValueError: the engine recorded none.
    """
    name = f"{kind}:{spec.bodies[body].name}"
    if name not in trajectory.signals:
        known = ", ".join(sorted(trajectory.signals)) or "none"
        raise ValueError(f"the trajectory has no signal {name!r}; it has {known}")
    return trajectory.signals[name]


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Liquid that came through the air and met a body, or liquid that is in it.

    Attributes:
        time_s: when.
        body: index of the body.
        point_m: where.
        speed_m_s: against what it met.
        momentum_n_s: of the particle, against what it met.
    """

    time_s: float
    body: int
    point_m: tuple[float, float, float]
    speed_m_s: float
    momentum_n_s: float


def first_arrivals(spec: SceneSpec, trajectory: Trajectory) -> dict[int, Arrival]:
    """The first liquid to arrive through the air at each body, in order of time.

    Liquid that falls into liquid arrives at the smallest vessel that it is in (at nothing outside all vessels). Vessels
    do not have arrivals of what splashes up within them: only of what has come from outside.
    """
    impacts = liquid_of(trajectory).impacts
    rows, body = arrival_rows(spec, trajectory)
    first = np.sort(rows[np.unique(body[rows], return_index=True)[1]])
    found: dict[int, Arrival] = {}
    for row in first.tolist():
        x, y, z = impacts.point_m[row].tolist()
        speed = float(np.linalg.norm(impacts.velocity_m_s[row]))
        density = spec.liquid(spec.fluids[int(impacts.fluid[row])].liquid).density_kg_m3
        found[int(body[row])] = Arrival(
            time_s=float(impacts.time_s[row]), body=int(body[row]), point_m=(x, y, z), speed_m_s=speed,
            momentum_n_s=density * float(impacts.volume_m3[row]) * speed,
        )  # fmt: skip
    return found


def arrival_rows(spec: SceneSpec, trajectory: Trajectory) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Of the table of impacts, the rows that are arrivals, as ``first_arrivals`` counts them; and of each row its body.

    Returns:
        (A,) rows in order of time, and (R,) for every row of the table the body, -1 for liquid outside all vessels.
    """
    impacts = liquid_of(trajectory).impacts
    body = impacts.body.copy()
    hollows = hollows_by_size(spec)
    for i in hollows:
        loose = np.flatnonzero(body < 0)
        body[loose[_within(spec, trajectory, i, impacts.time_s[loose], impacts.point_m[loose])]] = i
    arrives = body >= 0
    for i in hollows:
        own = _starts_in(spec, trajectory, i)
        rows = np.flatnonzero(body == i)
        arrives[rows] = ~own[impacts.particle[rows]]
    return np.flatnonzero(arrives), body


def _within(
    spec: SceneSpec, trajectory: Trajectory, body: int, time_s: NDArray[np.float64], point_m: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(R,) whether points (R, 3) were in a vessel at times (R,), to a frame."""
    if spec.bodies[body].motion == "static":
        return world_inside(spec.bodies[body], trajectory.body_pose[0, body], point_m)
    frame = np.minimum((time_s * trajectory.fps).astype(np.int64), trajectory.frame_count - 1)
    out = np.zeros(len(point_m), np.bool_)
    for k in np.unique(frame).tolist():
        at = frame == k
        out[at] = world_inside(spec.bodies[body], trajectory.body_pose[k, body], point_m[at])
    return out


def starts_with_liquid(spec: SceneSpec, trajectory: Trajectory, body: int) -> bool:
    """Whether there is liquid in a vessel or tank at time 0."""
    return bool(_starts_in(spec, trajectory, body).any())


def _starts_in(spec: SceneSpec, trajectory: Trajectory, body: int) -> NDArray[np.bool_]:
    """(N,) which particles are in a vessel or tank at time 0."""
    position_m = liquid_of(trajectory).position_m
    if not len(position_m):
        return np.zeros(0, np.bool_)
    return np.asarray(world_inside(spec.bodies[body], trajectory.body_pose[0, body], position_m[0]))


def first_lost_s(places: LiquidPlaces, body: int, from_s: float = 0.0) -> float | None:
    """When the first ``SEEN_PARTICLES`` of those that leave a vessel for good have left it, counted from ``from_s``.

    None if fewer do. What jumps over the rim and falls back has not left.
    """
    times = places.leaving_s(body)
    times = times[times >= from_s]
    return float(times[SEEN_PARTICLES - 1]) if len(times) >= SEEN_PARTICLES else None


def filled_s(spec: SceneSpec, trajectory: Trajectory, body: int) -> float | None:
    """When a vessel was first filled to ``FULL_SHARE`` of its depth, or of its capacity; None if it never was."""
    shape = hollow_shape(spec, body)
    level = liquid_signal(spec, trajectory, "level", body)
    volume = liquid_signal(spec, trajectory, "volume", body)
    full = level.values >= FULL_SHARE * (shape.rim_z_m - shape.floor_z_m)
    full |= volume.values >= FULL_SHARE * capacity_m3(shape)
    first = np.flatnonzero(full)
    return float(first[0]) / level.rate_hz if len(first) else None


def overflow_s(spec: SceneSpec, trajectory: Trajectory, places: LiquidPlaces, body: int) -> float | None:
    """When liquid begins to run over the rim of a vessel that stands; None if it does not.

    It must be nearly full (``filled_s``), and lose ``OVERFLOW_SHARE`` of its capacity for good from then on.
    """
    full = filled_s(spec, trajectory, body)
    if full is None:
        return None
    lost = (places.leaving_s(body) >= full).sum() * places.particle_volume_m3
    return first_lost_s(places, body, full) if lost >= OVERFLOW_SHARE * capacity_m3(hollow_shape(spec, body)) else None


def empty_s(spec: SceneSpec, trajectory: Trajectory, body: int) -> float | None:
    """The time from which a vessel that held liquid is empty to the end (``EMPTY_SHARE``); None if it is not.

    None also of a vessel that never held more than drops: ``SEEN_PARTICLES``, and ``OVERFLOW_SHARE`` of its capacity.
    """
    volume = liquid_signal(spec, trajectory, "volume", body)
    most = float(volume.values.max(initial=0.0))
    drops = SEEN_PARTICLES * liquid_of(trajectory).particle_volume_m3
    if most < max(0.999 * drops, OVERFLOW_SHARE * capacity_m3(hollow_shape(spec, body))):
        return None
    holds = np.flatnonzero(volume.values >= EMPTY_SHARE * most)
    return None if holds[-1] == len(volume.values) - 1 else float(holds[-1] + 1) / volume.rate_hz


def peak_outflow(spec: SceneSpec, trajectory: Trajectory, body: int) -> tuple[float, float]:
    """The greatest rate at which liquid left a vessel, m³/s, and when."""
    flow = liquid_signal(spec, trajectory, "outflow", body)
    at = int(flow.values.argmax())
    return float(flow.values[at]), at / flow.rate_hz


def settled_level_m(spec: SceneSpec, trajectory: Trajectory, body: int, last_s: float = 0.2) -> float:
    """Height of the surface above a vessel's inside floor, mean of the last ``last_s`` seconds; 0 if empty."""
    level = liquid_signal(spec, trajectory, "level", body)
    rows = max(1, round(last_s * level.rate_hz))
    return float(level.values[-rows:].mean())


def extreme_m(values: NDArray[np.float64]) -> float:
    """The greatest of values but for the ``SEEN_PARTICLES`` - 1 beyond it, which are drops; - inf of fewer."""
    if len(values) < SEEN_PARTICLES:
        return float("-inf")
    return float(np.partition(values, len(values) - SEEN_PARTICLES)[len(values) - SEEN_PARTICLES])


def liquid_frames(trajectory: Trajectory) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(T + 1, N, 3) positions and (T + 1, N) who is there, at the frames and the end."""
    liquid = liquid_of(trajectory)
    position = np.concatenate([liquid.position_m, liquid.position_end_m[None]]).astype(np.float64)
    return position, np.concatenate([liquid.present, liquid.present_end[None]])


def crossing_s(values: NDArray[np.float64], limit: float, fps: int) -> float | None:
    """When values (T + 1,) at the frames and the end first reach a limit, by straight lines between frames; or None."""
    over = np.flatnonzero(values >= limit)
    if not len(over):
        return None
    k = int(over[0])
    if k == 0 or not np.isfinite(values[k - 1]):
        return k / fps
    return float(k - 1 + (limit - values[k - 1]) / (values[k] - values[k - 1])) / fps
