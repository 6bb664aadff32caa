"""How bodies moved: centres of mass, rebounds, rest, and which way up they ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.impacts import Impact, find_impacts
from physreel.analysis.thresholds import CARRIED_S, FLIGHT_S, IMPACT_LENGTH_S, REST_SPEED_M_S
from physreel.analysis.wetting import wet_at_end
from physreel.geometry.extents import bounding_radius_m
from physreel.geometry.mass import mass_center_m
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz, up_direction
from physreel.spec import Body, SceneSpec
from physreel.values import Trajectory


def center_of_mass(spec: SceneSpec, trajectory: Trajectory) -> NDArray[np.float64]:
    """(T, B, 3) centres of mass in the world, metres; the origin of planes and meshes."""
    return _centers(spec, trajectory.body_pose)


def center_of_mass_at_end(spec: SceneSpec, trajectory: Trajectory) -> NDArray[np.float64]:
    """(B, 3) centres of mass when the clip ends."""
    return _centers(spec, trajectory.body_pose_end)


def _centers(spec: SceneSpec, pose: NDArray[np.float64]) -> NDArray[np.float64]:
    centers = np.array([mass_center_m(body) for body in spec.bodies])
    return np.asarray(pose[..., :3] + rotate_wxyz(pose[..., 3:], centers))


def rest_time_s(spec: SceneSpec, trajectory: Trajectory) -> NDArray[np.float64]:
    """(B,) time of the frame from which a body stays at rest to the end; nan where it never does, 0 if static.

    At rest means: centre of mass, and farthest point by the body's turning, slower than ``REST_SPEED_M_S`` in every
    frame and in the end state, for ``CARRIED_S`` at least (or the whole clip); and, if there is gravity, held by a
    contact or a joint in that last stretch or by liquid at the end: a ball at the top of its flight is not at rest.
    """
    velocity = np.concatenate([trajectory.body_velocity, trajectory.body_velocity_end[None]])
    radius = np.array([0.0 if body.motion == "static" else bounding_radius_m(body.shape) for body in spec.bodies])
    speed = np.linalg.norm(velocity[..., :3], axis=-1)
    rim = np.linalg.norm(velocity[..., 3:], axis=-1) * radius
    moving = (speed >= REST_SPEED_M_S) | (rim >= REST_SPEED_M_S)
    last_moving = np.where(moving.any(0), len(moving) - 1 - moving[::-1].argmax(0), -1)
    rest = (last_moving + 1) / trajectory.fps
    long_enough = trajectory.duration_s - rest >= min(CARRIED_S, trajectory.duration_s) - 1e-9
    held = _held_at_end(spec, trajectory)
    static = np.array([body.motion == "static" for body in spec.bodies])
    return np.where(static, 0.0, np.where(long_enough & held, rest, np.nan))


def _held_at_end(spec: SceneSpec, trajectory: Trajectory) -> NDArray[np.bool_]:
    if not any(spec.gravity_m_s2):
        return np.ones(len(spec.bodies), bool)
    held = np.array([body.motion != "dynamic" for body in spec.bodies])
    jointed = spec.jointed
    held |= np.array([body.name in jointed for body in spec.bodies])
    held |= wet_at_end(spec, trajectory)  # what floats is borne by liquid
    contacts = trajectory.contacts
    late = np.searchsorted(contacts.time_s, trajectory.duration_s - CARRIED_S)
    pressed = contacts.normal_impulse_n_s[late:] > 0.0
    held[contacts.body_a[late:][pressed]] = True
    held[contacts.body_b[late:][pressed]] = True
    return held


def rebound_height_m(
    spec: SceneSpec, trajectory: Trajectory, body: int, impacts: tuple[Impact, ...] | None = None
) -> float:
    """How far a body's centre of mass rises after its first impact, above its height at that impact, in metres.

    Frames are too coarse to show an apex, but each holds exact position and velocity: the parabola through a frame in
    the flight after the impact gives the apex and the height at which the blow let go. A flight that misses every frame
    is as high as its length says, g t² / 8. Of a body that lands in several knocks
    (edge, then edge) the highest flight that begins within ``FLIGHT_S`` counts. A rise cut short by the end of the clip
    counts as far as it goes.

    Args:
        spec: the world.
        trajectory: what happened in it.
        body: index of the body.
        impacts: those of ``find_impacts``, if they are known already.

    Returns:
        0 for a body that stays down; nan without an impact or gravity, and for bodies that are not dynamic.
    """
    impacts = find_impacts(spec, trajectory) if impacts is None else impacts
    gravity = float(np.linalg.norm(spec.gravity_m_s2))
    first = next((impact for impact in impacts if impact.involves(body)), None)
    if gravity == 0.0 or first is None or spec.bodies[body].motion != "dynamic":
        return float("nan")
    track = _Track.of(spec, trajectory, body)
    return max(0.0, track.highest_rise(first.time_s, trajectory))


def flight_rise_m(spec: SceneSpec, trajectory: Trajectory, body: int, begin_s: float, land_s: float) -> float:
    """How far a body's centre of mass rises in a free flight from ``begin_s`` to ``land_s``; nan without gravity."""
    if not any(spec.gravity_m_s2):
        return float("nan")
    track = _Track.of(spec, trajectory, body)
    base = track.release(begin_s, land_s, 0.0)
    return max(0.0, track.apex(begin_s, land_s, base) - base)


@dataclass(frozen=True, eq=False)
class _Track:
    """Height of one body's centre of mass at frames, and the steps in which it touches something."""

    height: NDArray[np.float64]
    rise: NDArray[np.float64]
    fps: int
    gravity: float
    touching: NDArray[np.float64]

    @classmethod
    def of(cls, spec: SceneSpec, trajectory: Trajectory, body: int) -> _Track:
        up = up_direction(spec)
        pose = trajectory.body_pose[:, body]
        contacts = trajectory.contacts
        own = ((contacts.body_a == body) | (contacts.body_b == body)) & (contacts.normal_impulse_n_s > 0.0)
        return cls(
            height=(pose[:, :3] + rotate_wxyz(pose[:, 3:], mass_center_m(spec.bodies[body]))) @ up,
            rise=trajectory.body_velocity[:, body, :3] @ up,
            fps=trajectory.fps,
            gravity=float(np.linalg.norm(spec.gravity_m_s2)),
            touching=contacts.time_s[own],
        )

    def ballistic(self, frame: int, time_s: float) -> float:
        dt = time_s - frame / self.fps
        return float(self.height[frame] + self.rise[frame] * dt - 0.5 * self.gravity * dt * dt)

    def height_before(self, time_s: float) -> float:
        frame = min(int(max(time_s, 0.0) * self.fps + 1e-9), len(self.height) - 1)
        earlier = np.searchsorted(self.touching, [frame / self.fps, time_s - 1e-9])
        if earlier[0] == earlier[1]:
            return self.ballistic(frame, time_s)
        # In contact since the frame (a box that was rolling): a straight line does for less than a frame.
        return float(self.height[frame] + self.rise[frame] * (time_s - frame / self.fps))

    def highest_rise(self, start_s: float, trajectory: Trajectory) -> float:
        """The highest rise of the flights that begin within FLIGHT_S of a first touch, above the height at that."""
        # A row's time is the end of its step: the bodies met at the state before it.
        met = self.height_before(start_s - trajectory.step_s)
        times = self.touching[np.searchsorted(self.touching, start_s - 1e-9) :]
        begins = times[times <= start_s + FLIGHT_S]
        lands = np.append(times[1:], trajectory.duration_s)[: len(begins)]
        best, first = -np.inf, True
        for begin, land in zip(begins.tolist(), lands.tolist(), strict=True):
            if land - begin > 1.5 * trajectory.step_s:
                # The first blow's own flight is measured from where it let go: within one step of a hard blow the
                # body moves by millimetres, which must not count as rise.
                base = self.release(begin, land, met) if first and begin - start_s <= IMPACT_LENGTH_S else met
                best, first = max(best, self.apex(begin, land, base) - base), False
        return best

    def release(self, begin: float, land: float, otherwise: float) -> float:
        frame = int(np.ceil(begin * self.fps - 1e-9))
        inside = frame < len(self.height) and frame / self.fps < land
        return self.ballistic(frame, begin) if inside else otherwise

    def apex(self, begin: float, land: float, base: float) -> float:
        frame = int(np.ceil(begin * self.fps - 1e-9))
        if frame >= len(self.height) or frame / self.fps >= land:
            return base + self.gravity * (land - begin) ** 2 / 8
        to_top = float(self.rise[frame]) / self.gravity
        top = min(max(frame / self.fps + to_top, begin), land)
        return self.ballistic(frame, top)


@dataclass(frozen=True, kw_only=True)
class Attitude:
    """Which way up a body is when the clip ends.

    Attributes:
        axis: the body axis nearest to up, "+x" … "-z"; "side" for a cylinder, capsule or cone that lies; "any" for a
            ball.
        tilt_deg: how far that axis is from up (a lying one: how far from lying flat).
        start_axis: the same at the start.
        turned_deg: the angle from up, at the end, of the body direction that pointed up at the start (0: it still
            stands as it stood, 180: upside down). 0 for a ball.
    """

    axis: str
    tilt_deg: float
    start_axis: str
    turned_deg: float

    @property
    def resting_face(self) -> str:
        """The face underneath: "-z" when "+z" is up; "side" and "any" as they are."""
        opposite = {"+": "-", "-": "+"}
        return opposite[self.axis[0]] + self.axis[1] if self.axis[0] in opposite else self.axis


def up_axis(spec: SceneSpec, trajectory: Trajectory, body: int) -> tuple[str, float]:
    """The axis of a body (an index) that is nearest to up when the clip ends, and its tilt in degrees: see Attitude."""
    end = attitude(spec, trajectory, body)
    return end.axis, end.tilt_deg


def attitude(spec: SceneSpec, trajectory: Trajectory, body: int) -> Attitude:
    """Which way up a body (an index) is when the clip ends."""
    start, end = trajectory.body_pose[0, body, 3:], trajectory.body_pose_end[body, 3:]
    return _attitude(spec.bodies[body], up_direction(spec), start, end)


def _attitude(body: Body, up: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]) -> Attitude:
    if body.shape.kind == "sphere":
        return Attitude(axis="any", tilt_deg=0.0, start_axis="any", turned_deg=0.0)
    up_start, up_end = (rotate_wxyz(conjugate_wxyz(q), up) for q in (start, end))  # in the body's frame
    axis, tilt = _nearest_axis(body, up_end)
    return Attitude(
        axis=axis,
        tilt_deg=tilt,
        start_axis=_nearest_axis(body, up_start)[0],
        turned_deg=_degrees(float(up_start @ up_end)),
    )


def _nearest_axis(body: Body, up: NDArray[np.float64]) -> tuple[str, float]:
    shape = body.shape
    if shape.kind in ("cylinder", "capsule", "cone"):
        # A cone on its side points its tip down, by half its opening angle.
        lying = 90.0 + (np.degrees(np.arctan2(shape.radius_m, shape.height_m)) if shape.kind == "cone" else 0.0)
        angle = _degrees(float(up[2]))
        candidates = [("+z", angle), ("side", abs(angle - lying)), ("-z", 180.0 - angle)]
        name, tilt = min(candidates, key=lambda item: item[1])
        return name, float(tilt)
    k = int(np.abs(up).argmax())
    return ("+" if up[k] >= 0 else "-") + "xyz"[k], _degrees(abs(float(up[k])))


def _degrees(cosine: float) -> float:
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
