"""Trajectory: everything that moved, and everything that touched, in one simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from physreel.values.arrays import read_only
from physreel.values.liquids import LiquidTrack
from physreel.values.machines import Break, KnockTable


@dataclass(frozen=True, kw_only=True, eq=False)
class ContactTable:
    """Contacts at physics-step rate: one row for each pair of bodies that touch in a step, in order of time.

    Several contact points of one pair in one step are one row: impulses are summed, the rest is the mean weighted by
    normal impulse. C rows; world frame; SI units.

    Attributes:
        time_s: (C,) float64, end of the step.
        body_a: (C,) int32, index into the spec's bodies; always less than ``body_b``.
        body_b: (C,) int32.
        point_m: (C, 3) float64.
        normal: (C, 3) float64, unit, from a to b.
        normal_impulse_n_s: (C,) float64, >= 0.
        tangential_impulse_n_s: (C, 3) float64, the friction impulse on b, perpendicular to ``normal``.
        slip_velocity_m_s: (C, 3) float64, velocity of b's surface relative to a's at the point, tangential part,
            before the step.
        approach_speed_m_s: (C,) float64, how fast the surfaces come together along the normal before the step
            (negative when they part).
    """

    time_s: NDArray[np.float64]
    body_a: NDArray[np.int32]
    body_b: NDArray[np.int32]
    point_m: NDArray[np.float64]
    normal: NDArray[np.float64]
    normal_impulse_n_s: NDArray[np.float64]
    tangential_impulse_n_s: NDArray[np.float64]
    slip_velocity_m_s: NDArray[np.float64]
    approach_speed_m_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        rows = len(self.time_s)
        for name, dtype, width in (
            ("time_s", np.float64, 0),
            ("body_a", np.int32, 0),
            ("body_b", np.int32, 0),
            ("point_m", np.float64, 3),
            ("normal", np.float64, 3),
            ("normal_impulse_n_s", np.float64, 0),
            ("tangential_impulse_n_s", np.float64, 3),
            ("slip_velocity_m_s", np.float64, 3),
            ("approach_speed_m_s", np.float64, 0),
        ):
            shape = (rows, width) if width else (rows,)
            object.__setattr__(self, name, read_only(getattr(self, name), dtype, shape, f"contacts.{name}"))

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def slip_speed_m_s(self) -> NDArray[np.float64]:
        """(C,) length of the slip velocity."""
        return np.asarray(np.linalg.norm(self.slip_velocity_m_s, axis=1))

    @classmethod
    def empty(cls) -> ContactTable:
        """A table without rows."""
        none, none3 = np.zeros(0), np.zeros((0, 3))
        return cls(
            time_s=none,
            body_a=none.astype(np.int32),
            body_b=none.astype(np.int32),
            point_m=none3,
            normal=none3,
            normal_impulse_n_s=none,
            tangential_impulse_n_s=none3,
            slip_velocity_m_s=none3,
            approach_speed_m_s=none,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Signal:
    """A named time series at its own rate: values (n,) at times k / rate_hz."""

    values: NDArray[np.float64]
    rate_hz: float
    unit: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", read_only(self.values, np.float64, (None,), "signal"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """What a simulator returns: read-only arrays, SI units, world frame.

    T frames at k / fps; B bodies and J joints in the spec's order; ball and fixed joints have no coordinate (0).

    Attributes:
        fps: frames per second.
        step_s: the physics step taken, the mean of engines whose steps vary; 1 / (fps · step_s) is whole.
        body_pose: (T, B, 7) position of the body frame (3) and orientation wxyz (4).
        body_velocity: (T, B, 6) velocity of the centre of mass (3) and angular velocity (3).
        body_pose_end: (B, 7) the pose at T / fps, when the clip ends; the last frame's motion leads there.
        body_velocity_end: (B, 6) likewise.
        joint_position: (T, J) rad or m.
        joint_velocity: (T, J) rad/s or m/s.
        contacts: what touched, over [0, T / fps].
        liquid: what the liquids did; None where there are none.
        knocks: short blows inside machines.
        breaks: what came apart, in order of time.
        signals: further time series by name, "<quantity>:<what of>", see docs/storage.md.
        simulator: name and version of the engine, "mujoco 4.0.0".
        notes: what the engine did or could not do exactly, for the provenance ("restitution 0.8 achieved 0.81").
    """

    fps: int
    step_s: float
    body_pose: NDArray[np.float64]
    body_velocity: NDArray[np.float64]
    body_pose_end: NDArray[np.float64]
    body_velocity_end: NDArray[np.float64]
    joint_position: NDArray[np.float64]
    joint_velocity: NDArray[np.float64]
    contacts: ContactTable
    simulator: str
    liquid: LiquidTrack | None = None
    knocks: KnockTable = field(default_factory=KnockTable.empty)
    breaks: tuple[Break, ...] = ()
    signals: Mapping[str, Signal] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        frames, bodies = np.shape(self.body_pose)[:2]
        joints = np.shape(self.joint_position)[1]
        for name, shape in (
            ("body_pose", (frames, bodies, 7)),
            ("body_velocity", (frames, bodies, 6)),
            ("body_pose_end", (bodies, 7)),
            ("body_velocity_end", (bodies, 6)),
            ("joint_position", (frames, joints)),
            ("joint_velocity", (frames, joints)),
        ):
            object.__setattr__(self, name, read_only(getattr(self, name), np.float64, shape, name))
        object.__setattr__(self, "signals", MappingProxyType(dict(self.signals)))

    def __reduce__(self) -> tuple[object, ...]:
        # A mappingproxy does not pickle.
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return (_trajectory, (values | {"signals": dict(self.signals)},))

    @property
    def frame_count(self) -> int:
        """T."""
        return len(self.body_pose)

    @property
    def duration_s(self) -> float:
        """T / fps."""
        return self.frame_count / self.fps

    @property
    def time_s(self) -> NDArray[np.float64]:
        """(T,) times of the frames."""
        return np.arange(self.frame_count) / self.fps


def _trajectory(values: dict[str, object]) -> Trajectory:
    return Trajectory(**values)  # type: ignore[arg-type]
