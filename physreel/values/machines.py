"""What happens inside machines faster than a physics step: blows on hidden parts, and things that come apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.values.arrays import read_only


@dataclass(frozen=True, kw_only=True, eq=False)
class KnockTable:
    """K short blows that parts of machines give to bodies, in order of time; world frame, SI units.

    A ball that rolls into a pit, a rod that takes up its play: too short for a physics step, timed exactly, and in the
    trajectory because sound and labels need them.

    Attributes:
        time_s: (K,) when the force sets in.
        length_s: (K,) how long it lasts.
        impulse_n_s: (K,) > 0.
        point_m: (K, 3) where.
        direction: (K, 3) unit, of the force on the body.
        body: (K,) int32, index of the body that is struck.
        source: (K,) int32, index into ``sources``.
        sources: names of the machine parts of the spec (bearings and joints with play) that knock.
    """

    time_s: NDArray[np.float64]
    length_s: NDArray[np.float64]
    impulse_n_s: NDArray[np.float64]
    point_m: NDArray[np.float64]
    direction: NDArray[np.float64]
    body: NDArray[np.int32]
    source: NDArray[np.int32]
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        rows = len(self.time_s)
        for name, dtype, width in (
            ("time_s", np.float64, 0),
            ("length_s", np.float64, 0),
            ("impulse_n_s", np.float64, 0),
            ("point_m", np.float64, 3),
            ("direction", np.float64, 3),
            ("body", np.int32, 0),
            ("source", np.int32, 0),
        ):
            shape = (rows, width) if width else (rows,)
            object.__setattr__(self, name, read_only(getattr(self, name), dtype, shape, f"knocks.{name}"))

    def __len__(self) -> int:
        return len(self.time_s)

    @classmethod
    def empty(cls) -> KnockTable:
        """A table without rows."""
        none, none3, whole = np.zeros(0), np.zeros((0, 3)), np.zeros(0, np.int32)
        return cls(
            time_s=none,
            length_s=none,
            impulse_n_s=none,
            point_m=none3,
            direction=none3,
            body=whole,
            source=whole,
            sources=(),
        )

    @classmethod
    def joined(cls, tables: list[KnockTable]) -> KnockTable:
        """All rows of several tables, in order of time."""
        tables = [table for table in tables if len(table)]
        if not tables:
            return cls.empty()
        firsts = np.cumsum([0, *(len(table.sources) for table in tables[:-1])])
        source = np.concatenate([table.source + first for table, first in zip(tables, firsts, strict=True)])
        time = np.concatenate([table.time_s for table in tables])
        order = np.argsort(time, kind="stable")
        return cls(
            time_s=time[order],
            length_s=np.concatenate([table.length_s for table in tables])[order],
            impulse_n_s=np.concatenate([table.impulse_n_s for table in tables])[order],
            point_m=np.concatenate([table.point_m for table in tables])[order],
            direction=np.concatenate([table.direction for table in tables])[order],
            body=np.concatenate([table.body for table in tables])[order],
            source=source[order].astype(np.int32),
            sources=tuple(name for table in tables for name in table.sources),
        )


@dataclass(frozen=True, kw_only=True)
class Break:
    """Something of the spec that came apart: its name there, when, the bodies, and the force it gave way to."""

    time_s: float
    name: str
    bodies: tuple[str, ...]
    force_n: float
