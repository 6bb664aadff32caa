"""The procedural textures at points found elsewhere: for renderers that do not trace here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import wxyz_to_matrix
from physreel.renderers.video.trace_jit import kernel
from physreel.renderers.video.trace_textures import albedo

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def bake(lattice, looks, bodies, owner, points, normals, directions, widths, out):  # type: ignore[no-untyped-def]
    """``out`` (N, 3): linear reflectance at points (N, 3) of bodies ``owner`` (N,).

    What is handed over (see trace_packing for the scene's arrays):
        lattice: from ``noise_lattice``.
        normals: (N, 3) outward.
        directions: (N, 3) unit vectors along which the points are seen.
        widths: (N,) metres that are averaged over, square to the direction.
    """
    for i in range(len(points)):
        p, n, d = points[i], normals[i], directions[i]
        out[i, 0], out[i, 1], out[i, 2] = albedo(
            lattice, looks, bodies, owner[i], p[0], p[1], p[2], n[0], n[1], n[2], d[0], d[1], d[2], widths[i]
        )


def body_rows(poses: Floats) -> Floats:
    """(B, 16) rows of ``bodies`` for poses (B, 7), as far as textures look at them."""
    rows = np.zeros((len(poses), 16))
    rows[:, :3] = poses[:, :3]
    rows[:, 3:12] = np.swapaxes(wxyz_to_matrix(poses[:, 3:]), -1, -2).reshape(-1, 9)
    return rows
