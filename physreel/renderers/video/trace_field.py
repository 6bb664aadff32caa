"""A field of particles whose level set is the liquid's surface, and the evening out of that surface.

The field is that of SPH: each particle's kernel over the sum of kernels at it, so that it is near 1 inside and a lone
particle has it in full at its own place. The level 0.6 of the cubic spline then encloses a lone particle's own volume.
"""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, kernel

LEVEL = 0.6


@inner
def _spline(q2):  # type: ignore[no-untyped-def]
    # The cubic spline of the squared distance in units of its support; 1 at 0.
    if q2 >= 1.0:
        return 0.0
    q = math.sqrt(q2)
    if q < 0.5:
        return 1.0 - 6.0 * q2 * (1.0 - q)
    return 2.0 * (1.0 - q) ** 3


@inner
def cell(value, low, size, count):  # type: ignore[no-untyped-def]
    """Which of ``count`` cells along an axis; what lies beyond them all is in the last one."""
    return min(max(int((value - low) / size), 0), count - 1)


@kernel
def crowding(points, order, start, low, size, shape, count, support, out):  # type: ignore[no-untyped-def]
    """``out`` (count,): sum of the kernels of all points at each of the first ``count``; support at most ``size``.

    ``order``, ``start``, ``low``, ``size``, ``shape``: the points by cell, see liquid_surface.
    """
    scale = 1.0 / (support * support)
    for i in range(count):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        cx, cy, cz = cell(x, low[0], size, shape[0]), cell(y, low[1], size, shape[1]), cell(z, low[2], size, shape[2])
        total = 0.0
        for a in range(max(cx - 1, 0), min(cx + 2, shape[0])):
            for b in range(max(cy - 1, 0), min(cy + 2, shape[1])):
                row = (a * shape[1] + b) * shape[2]
                for n in range(start[row + max(cz - 1, 0)], start[row + min(cz + 1, shape[2] - 1) + 1]):
                    j = order[n]
                    total += _spline(
                        ((points[j, 0] - x) ** 2 + (points[j, 1] - y) ** 2 + (points[j, 2] - z) ** 2) * scale
                    )
        out[i] = total


@kernel
def spread(points, weight, support, low, edge, field):  # type: ignore[no-untyped-def]
    """Add each point's kernel times its weight to ``field``, whose nodes stand ``edge`` apart from ``low`` on."""
    reach = support / edge
    scale = 1.0 / (reach * reach)
    for i in range(len(points)):
        x, y, z = (points[i, 0] - low[0]) / edge, (points[i, 1] - low[1]) / edge, (points[i, 2] - low[2]) / edge
        for a in range(max(math.ceil(x - reach), 0), min(math.floor(x + reach) + 1, field.shape[0])):
            for b in range(max(math.ceil(y - reach), 0), min(math.floor(y + reach) + 1, field.shape[1])):
                off2 = (a - x) ** 2 + (b - y) ** 2
                room = reach * reach - off2
                if room <= 0.0:
                    continue
                half = math.sqrt(room)
                for c in range(max(math.ceil(z - half), 0), min(math.floor(z + half) + 1, field.shape[2])):
                    field[a, b, c] += weight[i] * _spline((off2 + (c - z) ** 2) * scale)


@kernel
def neighbours(faces, start, listed):  # type: ignore[no-untyped-def]
    """Vertices joined to each vertex by an edge, ``listed`` from ``start`` (V + 1,) on, for a closed surface.

    Each edge of a closed surface runs one way in one triangle and back in the other: the three ways of each triangle
    are all there are.
    """
    for f in range(len(faces)):
        for corner in range(3):
            start[faces[f, corner] + 2] += 1
    for i in range(2, len(start)):
        start[i] += start[i - 1]
    for f in range(len(faces)):
        for corner in range(3):
            i = faces[f, corner]
            listed[start[i + 1]] = faces[f, (corner + 1) % 3]
            start[i + 1] += 1


@kernel
def even_out(vertices, start, listed, weight, rounds, there, back, other):  # type: ignore[no-untyped-def]
    """Taubin's smoothing: towards the neighbours' mean by ``there``, then away from it by ``back``, which keeps volume.

    ``weight`` (V,) is how much of it is done where: threads and drops are too thin for all of it. ``other`` (V, 3) is
    scratch.
    """
    for turn in range(2 * rounds):
        for i in range(len(vertices)):
            share = weight[i] * (there if turn % 2 == 0 else -back)
            first, last = start[i], start[i + 1]
            x, y, z = 0.0, 0.0, 0.0
            for n in range(first, last):
                j = listed[n]
                x, y, z = x + vertices[j, 0], y + vertices[j, 1], z + vertices[j, 2]
            inv = share / max(last - first, 1)
            keep = 1.0 - share if last > first else 1.0
            other[i, 0] = keep * vertices[i, 0] + inv * x
            other[i, 1] = keep * vertices[i, 1] + inv * y
            other[i, 2] = keep * vertices[i, 2] + inv * z
        for i in range(len(vertices)):
            vertices[i, 0], vertices[i, 1], vertices[i, 2] = other[i, 0], other[i, 1], other[i, 2]
