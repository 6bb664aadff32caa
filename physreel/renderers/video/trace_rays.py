"""Single rays against the packed primitives: for reflections, refractions and the samples of edge pixels."""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner, part
from physreel.renderers.video.trace_packets import (
    BOX,
    CAPSULE,
    CONE,
    CYLINDER,
    ELLIPSOID,
    FAR_AWAY,
    HULL,
    PLANE,
    SPHERE,
    VESSEL,
)

_TINY = 1e-200


@inner
def _quadric(a, h, c):  # type: ignore[no-untyped-def]
    # The two roots of a t² + 2 h t + c, in order; (1e30, -1e30) if there are none.
    disc = h * h - a * c
    if disc <= 0.0:
        return FAR_AWAY, -FAR_AWAY
    root = math.sqrt(disc)
    t0, t1 = (-h - root) / a, (-h + root) / a
    return (t0, t1) if t0 < t1 else (t1, t0)


@part
def slab(ox, oy, oz, dx, dy, dz, x0, x1, y0, y1, z0, z1):  # type: ignore[no-untyped-def]
    """(near, far, near face, far face) of a box between two corners; near > far if the ray does not meet it.

    Faces in the order - x, + x, - y, + y, - z, + z.
    """
    near, far, face_in, face_out = -FAR_AWAY, FAR_AWAY, 0, 0
    for axis in range(3):
        o, d = (ox, dx) if axis == 0 else ((oy, dy) if axis == 1 else (oz, dz))
        low, high = (x0, x1) if axis == 0 else ((y0, y1) if axis == 1 else (z0, z1))
        d = d if abs(d) > 1e-200 else 1e-200
        t0, t1, up = (low - o) / d, (high - o) / d, 0
        if t0 > t1:
            t0, t1, up = t1, t0, 1
        if t0 > near:
            near, face_in = t0, 2 * axis + up
        if t1 < far:
            far, face_out = t1, 2 * axis + 1 - up
    return near, far, face_in, face_out


@part
def walls(planes, start, count, reach, high, ox, oy, oz, dx, dy, dz, least, end):  # type: ignore[no-untyped-def]
    """(first, last, smooth part of the outline first, last) a ray in a vessel's frame meets its wall beyond ``least``.

    What lies beyond ``end`` may be left out. ``reach`` is the vessel's greatest radius, ``high`` half its height.
    """
    near, far, face_in, face_out = FAR_AWAY, -FAR_AWAY, 0, 0
    shift = -(ox * dx + oy * dy + oz * dz) / (dx * dx + dy * dy + dz * dz)
    ox, oy, oz = ox + shift * dx, oy + shift * dy, oz + shift * dz
    xx, xd, dd = ox * ox + oy * oy, ox * dx + oy * dy, dx * dx + dy * dy
    # Only what is within the cylinder about the vessel, and heights the ray has there.
    room = xd * xd - (dd + 1e-200) * (xx - reach * reach)
    if room <= 0.0:
        return near, far, face_in, face_out
    middle, half = -xd / (dd + 1e-200), math.sqrt(room) / (dd + 1e-200)
    z0, z1 = oz + max(middle - half, least - shift) * dz, oz + min(middle + half, end - shift) * dz
    low, top = max(min(z0, z1), -high) - 1e-9, min(max(z0, z1), high) + 1e-9
    if low > top:
        return near, far, face_in, face_out
    for k in range(start, start + count, 2):
        r0, z0, r1, z1 = planes[k, 0], planes[k, 1], planes[k, 2], planes[k, 3]
        if max(z0, z1) < low or min(z0, z1) > top:
            continue
        h, s = z1 - z0, r1 - r0
        if h == 0.0:
            t = (z0 - oz) / dz
            rho2 = xx + t * (2.0 * xd + t * dd)
            t += shift
            if t > least and min(r0, r1) ** 2 <= rho2 < max(r0, r1) ** 2:
                if t < near:
                    near, face_in = t, int(planes[k + 1, 2])
                if t > far:
                    far, face_out = t, int(planes[k + 1, 2])
            continue
        h2 = h * h
        e, f = h * r0 + s * (oz - z0), s * dz
        a, g = h2 * dd - f * f, h2 * xd - e * f
        if abs(a) < 1e-14 * h2:
            a = 1e-14 * h2
        disc = g * g - a * (h2 * xx - e * e)
        if disc <= 0.0:
            continue
        root = math.sqrt(disc)
        for side in range(2):
            t = ((-g - root) if side == 0 else (-g + root)) / a
            z = oz + t * dz
            t += shift
            if t > least and min(z0, z1) <= z < max(z0, z1):
                if t < near:
                    near, face_in = t, int(planes[k + 1, 2])
                if t > far:
                    far, face_out = t, int(planes[k + 1, 2])
    return near, far, face_in, face_out


@part
def wall_normal(planes, start, count, face, x, y, z):  # type: ignore[no-untyped-def]
    """Smooth outward normal of a vessel's wall, not normalised, at a point on that part of its outline."""
    rho = math.sqrt(x * x + y * y)
    least, nr, nz = FAR_AWAY, 0.0, 1.0
    for k in range(start, start + count, 2):
        if int(planes[k + 1, 2]) != face:
            continue
        s, h = planes[k, 2] - planes[k, 0], planes[k, 3] - planes[k, 1]
        r, v = rho - planes[k, 0], z - planes[k, 1]
        along = min(max((r * s + v * h) / (s * s + h * h), 0.0), 1.0)
        d = (r - along * s) ** 2 + (v - along * h) ** 2
        if d < least:
            # Between the directions at the side's ends, which are kept as angles.
            angle = planes[k + 1, 0] + along * (planes[k + 1, 1] - planes[k + 1, 0])
            least, nr, nz = d, math.cos(angle), math.sin(angle)
    scale = nr / (rho + 1e-30)
    return x * scale, y * scale, nz


@inner
def interval(prims, kinds, planes, number, wx, wy, wz, vx, vy, vz):  # type: ignore[no-untyped-def]
    """(near, far, near face, far face) of a world ray and a primitive; near > far if they do not meet.

    The same formulas and face numbers as the packets'. Here and elsewhere arrays are passed whole, with an index: a row
    taken out as an array of its own costs two atomic counts of references.
    """
    kind, start, count = kinds[number, 0], kinds[number, 3], kinds[number, 4]
    x, y, z = wx - prims[number, 0], wy - prims[number, 1], wz - prims[number, 2]
    ox, oy, oz = (
        prims[number, 3] * x + prims[number, 4] * y + prims[number, 5] * z,
        prims[number, 6] * x + prims[number, 7] * y + prims[number, 8] * z,
        prims[number, 9] * x + prims[number, 10] * y + prims[number, 11] * z,
    )
    dx, dy, dz = (
        prims[number, 3] * vx + prims[number, 4] * vy + prims[number, 5] * vz + _TINY,
        prims[number, 6] * vx + prims[number, 7] * vy + prims[number, 8] * vz + _TINY,
        prims[number, 9] * vx + prims[number, 10] * vy + prims[number, 11] * vz + _TINY,
    )
    ex, ey, ez = prims[number, 12], prims[number, 13], prims[number, 14]
    near, far, face_in, face_out = -FAR_AWAY, FAR_AWAY, 0, 0
    if kind == PLANE:
        if oz > 0.0 and dz < 0.0:
            return -oz / dz, FAR_AWAY, 0, 0
        return FAR_AWAY, -FAR_AWAY, 0, 0
    if kind == HULL:
        for k in range(start, start + count):
            room = planes[k, 3] - (planes[k, 0] * ox + planes[k, 1] * oy + planes[k, 2] * oz)
            rate = planes[k, 0] * dx + planes[k, 1] * dy + planes[k, 2] * dz + _TINY
            t = room / rate
            if rate < 0.0:
                if t > near:
                    near, face_in = t, k - start
            elif t < far:
                far, face_out = t, k - start
        return near, far, face_in, face_out
    if kind == BOX:
        return slab(ox, oy, oz, dx, dy, dz, -ex, ex, -ey, ey, -ez, ez)
    if kind in (SPHERE, ELLIPSOID):
        ox, oy, oz, dx, dy, dz = ox / ex, oy / ey, oz / ez, dx / ex, dy / ey, dz / ez
        dd = dx * dx + dy * dy + dz * dz
        near, far = _quadric(dd, ox * dx + oy * dy + oz * dz, ox * ox + oy * oy + oz * oz - 1.0)
        return near, far, 0, 0
    if kind == CAPSULE:
        hl = ez - ex
        near, far = FAR_AWAY, -FAR_AWAY
        a = dx * dx + dy * dy
        dd = a + dz * dz
        if a > 1e-24 * dz * dz:
            near, far = _quadric(a, ox * dx + oy * dy, ox * ox + oy * oy - ex * ex)
            t0, t1 = (-hl - oz) / dz, (hl - oz) / dz
            near, far = max(near, min(t0, t1)), min(far, max(t0, t1))
            if near > far:
                near, far = FAR_AWAY, -FAR_AWAY
        for end in (-hl, hl):
            z = oz - end
            t0, t1 = _quadric(dd, ox * dx + oy * dy + z * dz, ox * ox + oy * oy + z * z - ex * ex)
            near, far = min(near, t0), max(far, t1)
        return near, far, 0, 0
    if kind == CYLINDER:
        a = dx * dx + dy * dy
        if a > 1e-24 * dz * dz:
            near, far = _quadric(a, ox * dx + oy * dy, ox * ox + oy * oy - ex * ex)
        elif ox * ox + oy * oy > ex * ex:
            return FAR_AWAY, -FAR_AWAY, 0, 0
        t0, t1 = (-ez - oz) / dz, (ez - oz) / dz
        face0, face1 = 2, 1
        if t0 > t1:
            t0, t1, face0, face1 = t1, t0, 1, 2
        if t0 > near:
            near, face_in = t0, face0
        if t1 < far:
            far, face_out = t1, face1
        return near, far, face_in, face_out
    if kind == CONE:
        k2 = (ex / (2.0 * ez)) ** 2
        oz -= ez
        a = dx * dx + dy * dy - k2 * dz * dz
        if abs(a) < 1e-14 * dz * dz:
            a = 1e-14 * dz * dz + _TINY
        h = ox * dx + oy * dy - k2 * oz * dz
        near, far = _quadric(a, h, ox * ox + oy * oy - k2 * oz * oz)
        if a < 0.0:
            if near > far:
                near, far = -FAR_AWAY, FAR_AWAY
            elif dz < 0.0:
                near, far = far, FAR_AWAY
            else:
                near, far = -FAR_AWAY, near
        ta, tb = (-2.0 * ez - oz) / dz, -oz / dz
        t0, t1 = min(ta, tb), max(ta, tb)
        if t0 > near:
            near, face_in = t0, 1
        if t1 < far:
            far, face_out = t1, 1
        return near, far, face_in, face_out
    if kind == VESSEL:
        return walls(planes, start, count, ex, ez, ox, oy, oz, dx, dy, dz, 1e-6, FAR_AWAY)
    return FAR_AWAY, -FAR_AWAY, 0, 0


@inner
def normal(prims, kinds, planes, number, face, wx, wy, wz):  # type: ignore[no-untyped-def]
    """Outward unit normal (world) of a primitive's face at a world point on it."""
    kind, start = kinds[number, 0], kinds[number, 3]
    x, y, z = wx - prims[number, 0], wy - prims[number, 1], wz - prims[number, 2]
    lx, ly, lz = (
        prims[number, 3] * x + prims[number, 4] * y + prims[number, 5] * z,
        prims[number, 6] * x + prims[number, 7] * y + prims[number, 8] * z,
        prims[number, 9] * x + prims[number, 10] * y + prims[number, 11] * z,
    )
    ex, ey, ez = prims[number, 12], prims[number, 13], prims[number, 14]
    nx, ny, nz = 0.0, 0.0, 1.0
    if kind in (SPHERE, ELLIPSOID):
        nx, ny, nz = lx / (ex * ex), ly / (ey * ey), lz / (ez * ez)
    elif kind == BOX:
        sign = 1.0 if face & 1 else -1.0
        nx, ny, nz = (sign, 0.0, 0.0) if face < 2 else ((0.0, sign, 0.0) if face < 4 else (0.0, 0.0, sign))
    elif kind == CYLINDER:
        if face == 0:
            nx, ny, nz = lx, ly, 0.0
        elif face == 2:
            nz = -1.0
    elif kind == CAPSULE:
        hl = ez - ex
        nx, ny, nz = lx, ly, lz - min(max(lz, -hl), hl)
    elif kind == CONE:
        if face == 0:
            rho = math.sqrt(lx * lx + ly * ly) + 1e-30
            nx, ny, nz = lx / rho * 2.0 * ez, ly / rho * 2.0 * ez, ex
        else:
            nz = -1.0
    elif kind == VESSEL:
        nx, ny, nz = wall_normal(planes, start, kinds[number, 4], face, lx, ly, lz)
    elif kind == HULL:
        nx, ny, nz = planes[start + face, 0], planes[start + face, 1], planes[start + face, 2]
    scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-60)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    return (
        prims[number, 3] * nx + prims[number, 6] * ny + prims[number, 9] * nz,
        prims[number, 4] * nx + prims[number, 7] * ny + prims[number, 10] * nz,
        prims[number, 5] * nx + prims[number, 8] * ny + prims[number, 11] * nz,
    )


@part
def _misses_ball(balls, n, at, x, y, z, dx, dy, dz, end):  # type: ignore[no-untyped-def]
    # Whether a unit ray up to its parameter ``end`` stays outside the ball: centre from column ``at``, radius in 15.
    cx, cy, cz, r = balls[n, at] - x, balls[n, at + 1] - y, balls[n, at + 2] - z, balls[n, 15]
    along = cx * dx + cy * dy + cz * dz
    return along < -r or along > end + r or cx * cx + cy * cy + cz * cz - along * along > r * r


@part
def trace(prims, kinds, planes, bodies, spans, x, y, z, dx, dy, dz, end, skip):  # type: ignore[no-untyped-def]
    """(parameter, surface) of what a unit world ray enters first before ``end``; surface -1 if nothing.

    Primitive ``skip`` is passed through (the one the ray leaves) if it is convex; -1 for none.
    """
    best, surface = end, -1
    for body in range(len(spans)):
        first, last = spans[body, 0], spans[body, 1]
        if first == last:
            continue
        if kinds[first, 0] == PLANE:
            k = first
            height = (
                prims[k, 9] * (x - prims[k, 0]) + prims[k, 10] * (y - prims[k, 1]) + prims[k, 11] * (z - prims[k, 2])
            )
            rate = prims[k, 9] * dx + prims[k, 10] * dy + prims[k, 11] * dz
            if rate < 0.0 and height > 0.0 and height < -best * rate and k != skip:
                best, surface = -height / rate, 512 * k
            continue
        if _misses_ball(bodies, body, 12, x, y, z, dx, dy, dz, best):
            continue
        for k in range(first, last):
            if (k == skip and kinds[k, 0] != VESSEL) or _misses_ball(prims, k, 0, x, y, z, dx, dy, dz, best):
                continue
            near, far, face, _ = interval(prims, kinds, planes, k, x, y, z, dx, dy, dz)
            if near <= far and 1e-6 < near < best:
                best, surface = near, 512 * k + face
    return best, surface


@part
def light_passes(prims, kinds, looks, planes, bodies, spans, x, y, z, dx, dy, dz, end, skip):  # type: ignore[no-untyped-def]
    """(r, g, b) share of light that comes along a unit ray from a point to a light at parameter ``end``."""
    r, g, b = 1.0, 1.0, 1.0
    for body in range(len(spans)):
        if spans[body, 0] == spans[body, 1] or bodies[body, 15] > 1e8:
            continue
        if _misses_ball(bodies, body, 12, x, y, z, dx, dy, dz, end):
            continue
        for k in range(spans[body, 0], spans[body, 1]):
            if (k == skip and kinds[k, 0] != VESSEL) or _misses_ball(prims, k, 0, x, y, z, dx, dy, dz, end):
                continue
            near, far, _, _ = interval(prims, kinds, planes, k, x, y, z, dx, dy, dz)
            if near <= far and far > 1e-6 and near < end:
                glass = 0.9 * looks[body, 5]
                if glass <= 0.0:
                    return 0.0, 0.0, 0.0
                r *= glass * looks[body, 0]
                g *= glass * looks[body, 1]
                b *= glass * looks[body, 2]
    return r, g, b
