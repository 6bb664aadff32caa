"""How much is in each vessel, how high it stands, and what flows in and out: from particles, sample by sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.geometry.vessels import Hollow, capacity_m3, inner_radius_m, inside
from physreel.spec import Body, Tank, Vessel
from physreel.values import Signal

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FLOW_WIDTH_S = 0.05
"""Flow rates are smoothed with a bell of this width at half its height; it is symmetric, so nothing is delayed."""

BAND = 0.25
"""A particle has crossed the border of a hollow when it is this many spacings beyond it; what only jitters has not."""

HEAP = 1.1
"""Liquid is thought to stand at most this much higher than its volume would if it were calm."""

_POINTS = 8192


class HollowWatch:
    """Signals of one vessel or tank; see ``signals`` for what they are.

    Args:
        body: the vessel or tank.
        up: (3,) against gravity.
        spacing_m: the cube root of a particle's volume.
    """

    def __init__(self, body: Body, up: Floats, spacing_m: float) -> None:
        assert isinstance(body.shape, Vessel | Tank)
        self.body, self.shape, self.up, self.spacing = body, body.shape, up, spacing_m
        self.points = hollow_points(self.shape)
        self.capacity = capacity_m3(self.shape)
        self.state: Bools | None = None
        self.up_before: Floats | None = None
        self.heights = self.means = np.zeros(0)
        self.offsets = _disc(0.71 * spacing_m, spacing_m / 3)
        rows: dict[str, list[float]] = {"volume": [], "level": [], "outflow": [], "inflow": []}
        if isinstance(self.shape, Vessel):
            rows["mouth"] = []
        self.rows = rows

    def step(self, position: Floats, present: Bools, airborne: Bools, pose: Floats) -> None:
        """Take in a sample: positions (N, 3), who is there, who is in the air, the body's pose (7,)."""
        back = conjugate_wxyz(pose[3:])
        local = rotate_wxyz(back, position - pose[:3])
        within = present & inside(self.shape, local)
        volume = float(within.sum()) * self.spacing**3
        self.rows["volume"].append(volume)
        self.rows["level"].append(self._level(local[within & ~airborne], rotate_wxyz(back, self.up)))
        self._flow(local, present, within)
        if "mouth" in self.rows:
            self.rows["mouth"].append(self._mouth(local[present]))

    def _level(self, local: Floats, up: Floats) -> float:
        # The plane below which the hollow has the mean height that the liquid has: as good for a vessel that leans,
        # steady where single particles are not, and true to where they are rather than to how many they are. A film on
        # the floor or along a wall has no level of its own: it stands for the level that its volume would have.
        if not len(local):
            return 0.0
        if self.up_before is None or not np.array_equal(up, self.up_before):
            self.up_before = up
            heights = np.sort(self.points @ up)
            self.lowest = lowest_m(self.shape, up)
            self.heights = heights - self.lowest
            self.means = np.cumsum(self.heights) / np.arange(1, len(heights) + 1)
        mean = float((local @ up).mean()) - self.lowest
        by_mean = float(np.interp(mean, self.means, self.heights))
        filled = len(local) * self.spacing**3 / self.capacity
        share = (np.arange(len(self.heights)) + 0.5) / len(self.heights)
        by_volume = float(np.interp(filled, share, self.heights))
        return min(by_mean, HEAP * by_volume)

    def _flow(self, local: Floats, present: Bools, within: Bools) -> None:
        if self.state is None:
            self.state = within
        beyond = beyond_m(self.shape, local)
        enters = present & ~self.state & (beyond < -BAND * self.spacing)
        leaves = present & self.state & (beyond > BAND * self.spacing)
        self.state = (self.state | enters) & ~leaves & present
        self.rows["inflow"].append(float(enters.sum()))
        self.rows["outflow"].append(float(leaves.sum()))

    def _mouth(self, local: Floats) -> float:
        assert isinstance(self.shape, Vessel)
        radius, cell = self.shape.profile_m[-1][0], self.spacing / 3
        near = np.abs(local[:, 2] - self.shape.rim_z_m) < 0.75 * self.spacing
        near &= np.hypot(local[:, 0], local[:, 1]) < radius + self.spacing
        if not near.any():
            return 0.0
        half = int(np.ceil((radius + 2.0 * self.spacing) / cell))
        covered = np.zeros((2 * half + 1, 2 * half + 1), np.bool_)
        at = np.rint(local[near, :2] / cell).astype(np.int64) + half
        covered[at[:, :1] + self.offsets[:, 0], at[:, 1:] + self.offsets[:, 1]] = True
        axis = (np.arange(2 * half + 1) - half) * cell
        disc = np.hypot(axis[:, None], axis[None, :]) <= radius
        return float(covered[disc].mean())

    def signals(self, rate_hz: float) -> dict[str, Signal]:
        """The named series at ``rate_hz``, as docs/storage.md describes them."""
        name = self.body.name
        units = {"volume": "m3", "level": "m", "outflow": "m3/s", "inflow": "m3/s", "mouth": "1"}
        out = {}
        for kind, rows in self.rows.items():
            values = np.asarray(rows, np.float64)
            if kind in ("outflow", "inflow"):
                values = smoothed(values * self.spacing**3 * rate_hz, rate_hz)
            out[f"{kind}:{name}"] = Signal(values=values, rate_hz=rate_hz, unit=units[kind])
        return out


def smoothed(values: Floats, rate_hz: float) -> Floats:
    """A rate (K,) smoothed by a symmetric bell of FLOW_WIDTH_S; what it integrates to is kept."""
    half = min(max(1, round(FLOW_WIDTH_S * rate_hz)), len(values) - 1)
    if half < 1:
        return values
    bell = 1.0 + np.cos(np.pi * np.arange(-half, half + 1) / (half + 1))
    return np.asarray(np.convolve(np.pad(values, half, mode="symmetric"), bell / bell.sum(), mode="valid"))


def beyond_m(shape: Hollow, local: Floats) -> Floats:
    """(N,) how far points (N, 3) in the shape's frame are beyond its hollow: negative inside, by the nearest border."""
    x, y, z = local.T
    ends = np.maximum(z - shape.rim_z_m, shape.floor_z_m - z)
    if isinstance(shape, Tank):
        wide, deep, _ = shape.inside_m
        return np.asarray(np.maximum(ends, np.maximum(np.abs(x) - wide / 2, np.abs(y) - deep / 2)))
    return np.asarray(np.maximum(ends, np.hypot(x, y) - inner_radius_m(shape, z)))


def lowest_m(shape: Hollow, up: Floats) -> float:
    """Height, along ``up`` (3,) in the shape's frame, of the lowest point of its hollow, against the shape's origin."""
    if isinstance(shape, Tank):
        wide, deep, _ = shape.inside_m
        sideways = abs(up[0]) * wide / 2 + abs(up[1]) * deep / 2
        return float(min(shape.floor_z_m * up[2], shape.rim_z_m * up[2]) - sideways)
    r, z = np.asarray(shape.profile_m, np.float64).T
    return float((z * up[2] - r * np.hypot(up[0], up[1])).min())


def hollow_points(shape: Hollow) -> Floats:
    """(M, 3) points spread evenly over a hollow, in the shape's frame; the same each time."""
    # Roberts' R3 sequence: no two points at one height, so that heights have no steps.
    root = 1.2207440846057596
    k = np.arange(1, _POINTS + 1)[:, None]
    unit = (0.5 + k * np.array([1 / root, 1 / root**2, 1 / root**3])) % 1.0
    if isinstance(shape, Tank):
        wide, deep, _ = shape.inside_m
    else:
        wide = deep = 2.0 * max(r for r, _ in shape.profile_m)
    low = np.array([-wide / 2, -deep / 2, shape.floor_z_m])
    points = low + unit * np.array([wide, deep, shape.rim_z_m - shape.floor_z_m])
    return np.asarray(points[inside(shape, points)])


def _disc(radius_m: float, cell_m: float) -> NDArray[np.int64]:
    """(D, 2) cells of a grid that a disc about a cell's middle covers."""
    reach = int(radius_m / cell_m) + 1
    steps = np.arange(-reach, reach + 1)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    return np.asarray(grid[np.hypot(*grid.T) * cell_m <= radius_m])
