"""Distances from primitives: of a packet of points for openness, of single points for liquids at walls."""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, part
from physreel.renderers.video.trace_packets import (
    BOX,
    CAPSULE,
    CONE,
    CYLINDER,
    ELLIPSOID,
    FAR,
    FAR_AWAY,
    HULL,
    LANES,
    NEAR,
    OX,
    OY,
    OZ,
    PLANE,
    SPHERE,
    VESSEL,
)


@inner
def distances(b, kind, prim, planes, start, count, row):  # type: ignore[no-untyped-def]
    """Row ``row`` becomes the least of itself and the (near) distance of the points in rows O from a primitive."""
    ex, ey, ez = prim[12], prim[13], prim[14]
    if kind == PLANE:
        for i in range(LANES):
            b[NEAR + i] = b[OZ + i]
    elif kind == BOX:
        for i in range(LANES):
            x, y, z = abs(b[OX + i]) - ex, abs(b[OY + i]) - ey, abs(b[OZ + i]) - ez
            x, y, z = (x if x > 0.0 else 0.0), (y if y > 0.0 else 0.0), (z if z > 0.0 else 0.0)
            b[NEAR + i] = math.sqrt(x * x + y * y + z * z)
    elif kind in (SPHERE, ELLIPSOID):
        # First order for an ellipsoid: |p/e| (|p/e| - 1) / |p/e²|; exact for a ball.
        for i in range(LANES):
            x, y, z = b[OX + i] / ex, b[OY + i] / ey, b[OZ + i] / ez
            k = math.sqrt(x * x + y * y + z * z)
            x, y, z = x / ex, y / ey, z / ez
            b[NEAR + i] = k * (k - 1.0) / (math.sqrt(x * x + y * y + z * z) + 1e-12)
    elif kind == CYLINDER:
        for i in range(LANES):
            x = math.sqrt(b[OX + i] * b[OX + i] + b[OY + i] * b[OY + i]) - ex
            z = abs(b[OZ + i]) - ez
            x, z = (x if x > 0.0 else 0.0), (z if z > 0.0 else 0.0)
            b[NEAR + i] = math.sqrt(x * x + z * z)
    elif kind == CAPSULE:
        for i in range(LANES):
            z = abs(b[OZ + i]) - (ez - ex)
            z = z if z > 0.0 else 0.0
            b[NEAR + i] = math.sqrt(b[OX + i] * b[OX + i] + b[OY + i] * b[OY + i] + z * z) - ex
    elif kind == CONE:
        slant = 1.0 / math.sqrt(ex * ex + 4.0 * ez * ez)
        for i in range(LANES):
            rho = math.sqrt(b[OX + i] * b[OX + i] + b[OY + i] * b[OY + i])
            side = (2.0 * ez * rho + ex * (b[OZ + i] - ez)) * slant
            base = -ez - b[OZ + i]
            b[NEAR + i] = side if side > base else base
    elif kind == VESSEL:
        # From the outline, whichever side of it.
        for i in range(LANES):
            b[FAR + i] = math.sqrt(b[OX + i] * b[OX + i] + b[OY + i] * b[OY + i])
            b[NEAR + i] = FAR_AWAY
        for k in range(start, start + count, 2):
            r0, z0, s, h = planes[k, 0], planes[k, 1], planes[k, 2] - planes[k, 0], planes[k, 3] - planes[k, 1]
            inv = 1.0 / (s * s + h * h)
            for i in range(LANES):
                r, z = b[FAR + i] - r0, b[OZ + i] - z0
                along = (r * s + z * h) * inv
                along = along if along > 0.0 else 0.0
                along = along if along < 1.0 else 1.0
                r, z = r - along * s, z - along * h
                d = math.sqrt(r * r + z * z)
                b[NEAR + i] = d if d < b[NEAR + i] else b[NEAR + i]
    else:
        for i in range(LANES):
            b[NEAR + i] = -FAR_AWAY
        for k in range(count):
            nx, ny, nz, offset = planes[start + k, 0], planes[start + k, 1], planes[start + k, 2], planes[start + k, 3]
            for i in range(LANES):
                d = nx * b[OX + i] + ny * b[OY + i] + nz * b[OZ + i] - offset
                b[NEAR + i] = d if d > b[NEAR + i] else b[NEAR + i]
    for i in range(LANES):
        d, least = b[NEAR + i], b[row + i]
        b[row + i] = d if d < least else least


@part
def to_local(prims, k, x, y, z):  # type: ignore[no-untyped-def]
    """A world point in the frame of a primitive."""
    x, y, z = x - prims[k, 0], y - prims[k, 1], z - prims[k, 2]
    return (
        prims[k, 3] * x + prims[k, 4] * y + prims[k, 5] * z,
        prims[k, 6] * x + prims[k, 7] * y + prims[k, 8] * z,
        prims[k, 9] * x + prims[k, 10] * y + prims[k, 11] * z,
    )


@inner
def _outside(beyond_x, beyond_y):  # type: ignore[no-untyped-def]
    x, y = max(beyond_x, 0.0), max(beyond_y, 0.0)
    return math.sqrt(x * x + y * y) + min(max(beyond_x, beyond_y), 0.0)


@inner
def distance(prims, kinds, planes, k, x, y, z):  # type: ignore[no-untyped-def]
    """Signed distance of a world point from a convex primitive; see geometry.distances for how exact."""
    kind, start, count = kinds[k, 0], kinds[k, 3], kinds[k, 4]
    lx, ly, lz = to_local(prims, k, x, y, z)
    ex, ey, ez = prims[k, 12], prims[k, 13], prims[k, 14]
    if kind == PLANE:
        return lz
    if kind == BOX:
        return _outside(_outside(abs(lx) - ex, abs(ly) - ey), abs(lz) - ez)
    if kind == CYLINDER:
        return _outside(math.sqrt(lx * lx + ly * ly) - ex, abs(lz) - ez)
    if kind == CAPSULE:
        lz = max(abs(lz) - (ez - ex), 0.0)
        return math.sqrt(lx * lx + ly * ly + lz * lz) - ex
    if kind == CONE:
        rho = math.sqrt(lx * lx + ly * ly)
        side = (2.0 * ez * rho + ex * (lz - ez)) / math.sqrt(ex * ex + 4.0 * ez * ez)
        return max(side, -ez - lz)
    if kind == HULL:
        most = -FAR_AWAY
        for n in range(start, start + count):
            most = max(most, planes[n, 0] * lx + planes[n, 1] * ly + planes[n, 2] * lz - planes[n, 3])
        return most
    lx, ly, lz = lx / ex, ly / ey, lz / ez
    size = math.sqrt(lx * lx + ly * ly + lz * lz)
    lx, ly, lz = lx / ex, ly / ey, lz / ez
    return size * (size - 1.0) / (math.sqrt(lx * lx + ly * ly + lz * lz) + 1e-12)
