"""What a liquid did: its particles at each frame, and what arrived where at step rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.values.arrays import read_only


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidImpacts:
    """Liquid that was in the air and met something: one row a particle and arrival, in order of time.

    R rows; world frame; SI units.

    Attributes:
        time_s: (R,) float64, to the engine's step.
        point_m: (R, 3) float64.
        velocity_m_s: (R, 3) float64, of the particle against what it met, just before.
        normal: (R, 3) float64, unit, out of what it met (of a liquid's surface: up against gravity).
        particle: (R,) int32, index into the track's particles: tells where it comes from.
        body: (R,) int32, index into the spec's bodies; -1 where it fell into liquid.
        fluid: (R,) int32, index into the spec's fluids.
        volume_m3: (R,) float64.
    """

    time_s: NDArray[np.float64]
    point_m: NDArray[np.float64]
    velocity_m_s: NDArray[np.float64]
    normal: NDArray[np.float64]
    particle: NDArray[np.int32]
    body: NDArray[np.int32]
    fluid: NDArray[np.int32]
    volume_m3: NDArray[np.float64]

    def __post_init__(self) -> None:
        rows = len(self.time_s)
        for name, dtype, width in (
            ("time_s", np.float64, 0),
            ("point_m", np.float64, 3),
            ("velocity_m_s", np.float64, 3),
            ("normal", np.float64, 3),
            ("particle", np.int32, 0),
            ("body", np.int32, 0),
            ("fluid", np.int32, 0),
            ("volume_m3", np.float64, 0),
        ):
            shape = (rows, width) if width else (rows,)
            object.__setattr__(self, name, read_only(getattr(self, name), dtype, shape, f"impacts.{name}"))

    def __len__(self) -> int:
        return len(self.time_s)

    @classmethod
    def empty(cls) -> LiquidImpacts:
        """A table without rows."""
        none, none3, whole = np.zeros(0), np.zeros((0, 3)), np.zeros(0, np.int32)
        return cls(
            time_s=none, point_m=none3, velocity_m_s=none3, normal=none3, particle=whole, body=whole, fluid=whole,
            volume_m3=none,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidTrack:
    """All liquid of a world as N particles, each of which stands for ``spacing_m``³ of its fluid, at T frames.

    Attributes:
        spacing_m: the cube root of a particle's volume.
        fluid: (N,) int32, index into the spec's fluids.
        position_m: (T, N, 3) float32.
        velocity_m_s: (T, N, 3) float32.
        present: (T, N) bool; False from when a particle has left the world (it fell off all there is), for good.
        position_end_m: (N, 3) float32, at T / fps, when the clip ends; the last frame's motion leads there.
        velocity_end_m_s: (N, 3) float32.
        present_end: (N,) bool.
        impacts: what fell into or onto what.
    """

    spacing_m: float
    fluid: NDArray[np.int32]
    position_m: NDArray[np.float32]
    velocity_m_s: NDArray[np.float32]
    present: NDArray[np.bool_]
    position_end_m: NDArray[np.float32]
    velocity_end_m_s: NDArray[np.float32]
    present_end: NDArray[np.bool_]
    impacts: LiquidImpacts

    def __post_init__(self) -> None:
        frames, count = np.shape(self.position_m)[:2]
        for name, dtype, shape in (
            ("fluid", np.int32, (count,)),
            ("position_m", np.float32, (frames, count, 3)),
            ("velocity_m_s", np.float32, (frames, count, 3)),
            ("present", np.bool_, (frames, count)),
            ("position_end_m", np.float32, (count, 3)),
            ("velocity_end_m_s", np.float32, (count, 3)),
            ("present_end", np.bool_, (count,)),
        ):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype, shape, f"liquid {name}"))

    def __len__(self) -> int:
        return len(self.fluid)

    @property
    def particle_volume_m3(self) -> float:
        """Volume one particle stands for."""
        return self.spacing_m**3
