"""Soft light: what comes to a surface from the ambient sky and from other surfaces, gathered over the half-space.

Each pixel looks in a few directions, sixteen neighbours in different ones; then neighbours on the same surface share
what they found. Soft light changes little from pixel to pixel, so the sharing costs nothing that can be seen and takes
the grain away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.mitsuba_passes import Hits, Lens

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CELL = 4
# Width of the grids' cells in pixels, to within a factor of two, and how many grids.
_CELL_PIXELS, _GRIDS = 4.0, 8
# Windows one after another: step and weights of five places; together some thirty pixels wide.
_WINDOWS = ((1, (0.5, 1.0, 1.0, 1.0, 0.5)), (2, (0.25, 0.5, 1.0, 0.5, 0.25)), (4, (0.25, 0.5, 1.0, 0.5, 0.25)))


def spread(x: Ints, y: Ints, sample: int, samples: int) -> tuple[Floats, Floats]:
    """(N,) u and v from 0 to 1: in which direction pixels look with a sample."""
    k = sample * _CELL**2 + (x % _CELL) + _CELL * (y % _CELL)
    # Cells in an order that parts neighbours; the sequence is R2 (Roberts 2018).
    number = (k * 7) % (samples * _CELL**2)
    u, v = (number * 0.7548776662466927 + 0.5) % 1.0, (number * 0.5698402909980532 + 0.5) % 1.0
    return np.asarray(u), np.asarray(v)


def half_space(normal: Floats, u: Floats, v: Floats) -> Floats:
    """(N, 3) directions about normals (N, 3), as often as a matt surface takes light from there."""
    # Duff and others, Building an orthonormal basis, revisited (2017): no seam but at -z.
    sign = np.where(normal[:, 2] >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + normal[:, 2])
    b = normal[:, 0] * normal[:, 1] * a
    x = np.stack([1.0 + sign * normal[:, 0] ** 2 * a, sign * b, -sign * normal[:, 0]], 1)
    y = np.stack([b, sign + normal[:, 1] ** 2 * a, -normal[:, 1]], 1)
    radius, angle = np.sqrt(u), 2 * np.pi * v
    across = (radius * np.cos(angle))[:, None] * x + (radius * np.sin(angle))[:, None] * y
    return np.asarray(across + np.sqrt(1.0 - u)[:, None] * normal)


def shared(light: Floats, seen: Hits, places: Floats, lens: Lens) -> Floats:
    """Means of ``light`` (H · W, 3) over neighbours on the same surface.

    Args:
        light: of each pixel.
        seen: what the pixels' centres met.
        places: (H · W, 3) where.
        lens: whose pixels.
    """
    grid = (lens.camera.height, lens.camera.width)
    owner, normal = seen.owner.reshape(grid), seen.normal.reshape(*grid, 3)
    place = np.where(np.isfinite(places), places, 0.0).reshape(*grid, 3)
    # How far off the tangent plane a neighbour may lie: some pixels' widths.
    reach = 4.0 / lens.focal * np.where(np.isfinite(seen.time), seen.time, 0.0).reshape(grid) + 1e-9
    out = light.reshape(*grid, 3)
    for step, weights in _WINDOWS:
        total, sum_ = np.zeros(grid), np.zeros((*grid, 3))
        for j, wj in enumerate(weights):
            for i, wi in enumerate(weights):
                here, there = _overlap(grid, (j - 2) * step, (i - 2) * step)
                off = np.einsum("yxi,yxi->yx", normal[here], place[there] - place[here])
                alike = np.einsum("yxi,yxi->yx", normal[here], normal[there])
                weight = wi * wj * (owner[here] == owner[there]) * np.maximum(alike, 0.0) ** 32
                weight *= np.abs(off) < reach[here] * step
                total[here] += weight
                sum_[here] += weight[..., None] * out[there]
        out = sum_ / np.maximum(total, 1e-12)[..., None]
    return out.reshape(-1, 3)


def _overlap(grid: tuple[int, int], down: int, right: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where pixels and their neighbours at an offset both are."""
    here, there = [], []
    for size, shift in zip(grid, (down, right), strict=True):
        here.append(slice(max(-shift, 0), size - max(shift, 0)))
        there.append(slice(max(shift, 0), size - max(-shift, 0)))
    return (here[0], here[1]), (there[0], there[1])


class Pending:
    """Soft light looked for at places all over, one direction each, and still to be shared by places near each other.

    Places share what they found if they are of one owner, face the same way and lie in the same cell of a grid some
    pixels wide; the mean over grids that are shifted against each other has no borders.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[NDArray[np.generic], ...]] = []

    def add(self, pixel: Ints, gain: Floats, seen: Hits, places: Floats, soft: Floats, widths: Floats) -> None:
        """Note light (N, 3) found at places (N, 3).

        Args:
            pixel: (N,) where it goes.
            gain: (N, 3) its weight there.
            seen: the surfaces at the places.
            places: where it was found.
            soft: what was found.
            widths: (N,) of a pixel there.
        """
        steepest = np.argmax(np.abs(seen.normal), axis=1)
        side = 2 * steepest + (np.take_along_axis(seen.normal, steepest[:, None], 1)[:, 0] > 0.0)
        self._rows.append((pixel, gain, 8 * seen.owner + side, places, soft, widths))

    def settled(self, count: int) -> Floats:
        """(count, 3) all of it, shared, in its pixels."""
        out = np.zeros((count, 3))
        if not self._rows:
            return out
        pixel, gain, kind, places, soft, widths = (np.concatenate(column) for column in zip(*self._rows, strict=True))
        level = np.ceil(np.log2(_CELL_PIXELS * np.maximum(widths.astype(np.float64), 1e-9)))
        mean = np.zeros(soft.shape)
        for k in range(_GRIDS):
            shift = np.array([0.8191725134, 0.6710436067, 0.5497004779]) * (k + 1) % 1.0  # the sequence R3
            cell = np.floor(places / 2.0 ** level[:, None] + shift).astype(np.int64)
            key = ((kind * 64 + level.astype(np.int64)) * 1_000_003 + cell[:, 0]) * 1_000_003
            key = (key + cell[:, 1]) * 1_000_003 + cell[:, 2]
            _, number, sizes = np.unique(key, return_inverse=True, return_counts=True)
            for c in range(3):
                mean[:, c] += (np.bincount(number, soft[:, c]) / sizes)[number] / _GRIDS
        np.add.at(out, pixel, gain * mean)
        return out
