"""Liquid that arrives, as the ear has it: coarse particles told apart into streams and single drops.

A particle stands for a few millimetres of liquid. Particles that follow close on one another are a stream, whose
thickness is known from its flow and speed; what comes by itself is a drop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.hollows import hollow_shape, hollows_by_size
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.geometry.vessels import inside
from physreel.renderers.audio.liquid_kernels import crowd
from physreel.renderers.audio.poses import Poses
from physreel.spec import SceneSpec
from physreel.values import LiquidTrack

Floats = NDArray[np.float64]

WINDOW_S, WINDOW_M = 0.025, 0.012
"""A stream's flow is what arrives within this time and this far to either side (at least two spacings)."""

DROP_S = 0.008
"""Particles that arrive within this time and 1.5 spacings are parts of one drop."""

LOOSE, CLOSE = 0.3, 1.0
"""Particles a spacing of fall: below the first they are drops, from the second on a stream."""

FILM_M = 0.001
"""A solid on which so much liquid has come down is wet: more of it falls into a film."""

OUTSIDE = 1 << 16
"""The place of what does not happen in a hollow, but on a body, is so much more than the body's index."""

OWN_FILM = 0.5
"""A stream that comes down on a dry solid falls into its own foot: the solid counts as wet by so much."""

_CELL_M = 0.04


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrivals:
    """R arrivals of liquid, in order of time; world frame, SI units.

    Attributes:
        time_s: (R,).
        point_m: (R, 3).
        normal: (R, 3) out of what was met.
        speed_m_s: (R,) against what was met.
        press_m_s: (R,) its part along the normal, >= 0.
        volume_m3: (R,).
        fluid: (R,) index into the spec's fluids.
        body: (R,) index of the body that was struck, -1 where it fell into liquid.
        vessel: (R,) index of the vessel or tank in whose hollow that was, or -1.
        place: (R,) the vessel, or else OUTSIDE + the body that was struck, or else -1: what of one fluid is heard as
            one sound.
        shallow: (R,) whether there is but a film or a puddle: on solids, and outside of all vessels.
        stream: (R,) share of stream (1) against drop (0).
        jet_m: (R,) diameter of the stream.
        drop_m3: (R,) volume of the drop that it is part of.
        fresh: (R,) whether nothing arrived there just before.
        wet: (R,) how far what was struck is covered already, 0 to 1; 1 where it fell into liquid.
    """

    time_s: Floats
    point_m: Floats
    normal: Floats
    speed_m_s: Floats
    press_m_s: Floats
    volume_m3: Floats
    fluid: NDArray[np.int32]
    body: NDArray[np.int32]
    vessel: NDArray[np.int64]
    place: NDArray[np.int64]
    shallow: NDArray[np.bool_]
    stream: Floats
    jet_m: Floats
    drop_m3: Floats
    fresh: NDArray[np.bool_]
    wet: Floats

    def __len__(self) -> int:
        return len(self.time_s)

    def causes(self) -> list[tuple[int, int]]:
        """Fluids and places that occur together, in order."""
        return sorted({(int(f), int(p)) for f, p in zip(self.fluid, self.place, strict=True)})


def find_arrivals(spec: SceneSpec, liquid: LiquidTrack, poses: Poses) -> Arrivals:
    """What the impacts of a track are to the ear; see Arrivals."""
    impacts, spacing = liquid.impacts, liquid.spacing_m
    time, point, volume = impacts.time_s, impacts.point_m, impacts.volume_m3
    speed = np.maximum(np.linalg.norm(impacts.velocity_m_s, axis=1), 1e-3)
    reach = max(WINDOW_M, 2.0 * spacing)
    others = np.zeros((len(time), 3))
    for k in range(len(spec.fluids)):
        mine = np.flatnonzero(impacts.fluid == k)
        others[mine] = crowd(time[mine], point[mine], volume[mine], WINDOW_S, reach, DROP_S, 1.5 * spacing)
    # Where a stream begins or ends, only one side has it.
    flow = others[:, :2].max(1, initial=0.0) / WINDOW_S
    chain = flow * spacing / (speed * volume)
    vessel = _vessels(spec, liquid, poses)
    share = np.clip((chain - LOOSE) / (CLOSE - LOOSE), 0.0, 1.0)
    stream = share**2 * (3.0 - 2.0 * share)
    return Arrivals(
        time_s=time,
        point_m=point,
        normal=impacts.normal,
        speed_m_s=speed,
        press_m_s=np.maximum(-np.einsum("ni,ni->n", impacts.velocity_m_s, impacts.normal), 0.0),
        volume_m3=volume,
        fluid=impacts.fluid,
        body=impacts.body,
        vessel=vessel,
        shallow=(vessel < 0) | (impacts.body >= 0),
        place=np.where(vessel >= 0, vessel, np.where(impacts.body >= 0, OUTSIDE + impacts.body, -1)),
        stream=stream,
        jet_m=np.sqrt(4.0 * np.maximum(flow, volume / WINDOW_S) / (np.pi * speed)),
        drop_m3=volume + others[:, 2],
        fresh=others[:, 0] == 0.0,
        wet=np.where(impacts.body < 0, 1.0, np.maximum(_wetness(liquid), OWN_FILM * stream)),
    )


def _vessels(spec: SceneSpec, liquid: LiquidTrack, poses: Poses) -> NDArray[np.int64]:
    impacts = liquid.impacts
    found = np.full(len(impacts), -1, np.int64)
    # What met the wall is taken a little way back into the hollow, what met liquid a little way into it: a full vessel
    # has its surface above its rim.
    way = np.where(impacts.body >= 0, 0.5, -2.0)[:, None] * liquid.spacing_m * impacts.normal
    meeting = (impacts.point_m, impacts.point_m + way)
    # The smallest last: of hollows in one another it counts, as for labels.
    for index in reversed(hollows_by_size(spec)):
        shape = hollow_shape(spec, index)
        position, quat = poses.at(index, impacts.time_s)
        for point in meeting:
            found[inside(shape, rotate_wxyz(conjugate_wxyz(quat), point - position))] = index
    return found


def _wetness(liquid: LiquidTrack) -> Floats:
    """(R,) liquid that has come down before in the same cell of space, against a film over the cell's ground."""
    impacts = liquid.impacts
    cells = np.floor(impacts.point_m / _CELL_M).astype(np.int64)
    _, cell = np.unique(np.column_stack([cells, impacts.body]), axis=0, return_inverse=True)
    order = np.argsort(cell, kind="stable")
    total = np.cumsum(impacts.volume_m3[order]) - impacts.volume_m3[order]
    first = np.r_[True, np.diff(cell[order]) != 0] if len(order) else np.zeros(0, bool)
    base = np.maximum.accumulate(np.where(first, total, 0.0))
    out = np.zeros(len(order))
    out[order] = np.clip((total - base) / (FILM_M * _CELL_M**2), 0.0, 1.0)
    return out
