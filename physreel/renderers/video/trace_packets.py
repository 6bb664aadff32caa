"""Packets: what a ray tracer does for the 64 pixels of a tile at once, so that the compiler can use vector units.

A packet lives in one flat float64 scratch array ``b``, row k at ``b[64 k : 64 k + 64]``. Rows of one array at constant
offsets are what lets LLVM prove that loads and stores do not overlap; with separate arrays it stays scalar, which
measured five times slower. Loops have no branches for the same reason: conditions are selects.

Every solid but a vessel is convex, so a ray meets it in one interval [near, far]; of a vessel, near is where the ray
first meets its wall ahead and far where it last does. Rows ``OX … DZ`` hold rays in the solid's own frame (not
normalised), ``NEAR``, ``FAR`` and ``FACE`` the answer; a miss is near = 1e30, far = -1e30.
"""

from __future__ import annotations

import math

from physreel.renderers.video.trace_jit import inner

LANES = 64
PLANE, SPHERE, ELLIPSOID, BOX, CYLINDER, CAPSULE, CONE, HULL, VESSEL = range(9)

# Rows, as offsets. World rays and hits first, then the solid's frame, then answers and sums.
# PROBE is two rows, GLASS three.
RX, RY, RZ = 0, 64, 128
TIME, SURFACE = 192, 256
OX, OY, OZ, DX, DY, DZ = 320, 384, 448, 512, 576, 640
NEAR, FAR, FACE = 704, 768, 832
PX, PY, PZ = 896, 960, 1024
NX, NY, NZ = 1088, 1152, 1216
VISIBLE = 1280
PROBE = 1344
SUM_R, SUM_G, SUM_B = 1472, 1536, 1600
ALBEDO_R, ALBEDO_G, ALBEDO_B = 1664, 1728, 1792
ROUGH, METAL, SHINE = 1856, 1920, 1984
GLASS = 2048
TARGET_U, TARGET_V = 2240, 2304
AMBIENT = 2368
SCRATCH = 2432
SHIFT, BEHIND = 3072, 3136

FAR_AWAY = 1e30
# Added to direction components, so that 1 / 0 cannot arise; far below the rounding of any direction that is not 0.
_TINY = 1e-200


@inner
def rays_from_point(b, prim, ox, oy, oz):  # type: ignore[no-untyped-def]
    """Camera rays (rows R) from one world point into the frame of a primitive (its packed row)."""
    x, y, z = ox - prim[0], oy - prim[1], oz - prim[2]
    r0, r1, r2, r3, r4, r5 = prim[3], prim[4], prim[5], prim[6], prim[7], prim[8]
    r6, r7, r8 = prim[9], prim[10], prim[11]
    lx, ly, lz = r0 * x + r1 * y + r2 * z, r3 * x + r4 * y + r5 * z, r6 * x + r7 * y + r8 * z
    for i in range(LANES):
        dx, dy, dz = b[RX + i], b[RY + i], b[RZ + i]
        b[OX + i] = lx
        b[OY + i] = ly
        b[OZ + i] = lz
        b[DX + i] = r0 * dx + r1 * dy + r2 * dz + _TINY
        b[DY + i] = r3 * dx + r4 * dy + r5 * dz + _TINY
        b[DZ + i] = r6 * dx + r7 * dy + r8 * dz + _TINY


@inner
def points_to_local(b, prim, height):  # type: ignore[no-untyped-def]
    """Points P + height · N into the frame of a primitive (rows O)."""
    cx, cy, cz = prim[0], prim[1], prim[2]
    r0, r1, r2, r3, r4, r5 = prim[3], prim[4], prim[5], prim[6], prim[7], prim[8]
    r6, r7, r8 = prim[9], prim[10], prim[11]
    for i in range(LANES):
        x = b[PX + i] + height * b[NX + i] - cx
        y = b[PY + i] + height * b[NY + i] - cy
        z = b[PZ + i] + height * b[NZ + i] - cz
        b[OX + i] = r0 * x + r1 * y + r2 * z
        b[OY + i] = r3 * x + r4 * y + r5 * z
        b[OZ + i] = r6 * x + r7 * y + r8 * z


@inner
def shadow_rays(b, prim, light, u, v, height):  # type: ignore[no-untyped-def]
    """Rays from P + height · N to points of a light (see trace_packing: lights) into a primitive's frame.

    The parameter runs from 0 at the point to 1 at the light (without end for a sun). ``u``, ``v`` are the two axes of
    the light's disc; rows TARGET hold each lane's place on it.
    """
    r0, r1, r2, r3, r4, r5 = prim[3], prim[4], prim[5], prim[6], prim[7], prim[8]
    r6, r7, r8 = prim[9], prim[10], prim[11]
    points_to_local(b, prim, height)
    sun = 0.0 if light[0] == 0.0 else 1.0
    lx, ly, lz = light[1], light[2], light[3]
    ux, uy, uz, vx, vy, vz = u[0], u[1], u[2], v[0], v[1], v[2]
    for i in range(LANES):
        p, q = b[TARGET_U + i], b[TARGET_V + i]
        x = lx + p * ux + q * vx - sun * (b[PX + i] + height * b[NX + i])
        y = ly + p * uy + q * vy - sun * (b[PY + i] + height * b[NY + i])
        z = lz + p * uz + q * vz - sun * (b[PZ + i] + height * b[NZ + i])
        b[DX + i] = r0 * x + r1 * y + r2 * z + _TINY
        b[DY + i] = r3 * x + r4 * y + r5 * z + _TINY
        b[DZ + i] = r6 * x + r7 * y + r8 * z + _TINY


@inner
def _round(b, ex, ey, ez):  # type: ignore[no-untyped-def]
    # Sphere and ellipsoid: a unit ball once lengths are divided by the half axes. The distance of the line from the
    # centre is taken at its nearest point, which keeps the digits that b² - ac would lose.
    ix, iy, iz = 1.0 / ex, 1.0 / ey, 1.0 / ez
    for i in range(LANES):
        ox, oy, oz = b[OX + i] * ix, b[OY + i] * iy, b[OZ + i] * iz
        dx, dy, dz = b[DX + i] * ix, b[DY + i] * iy, b[DZ + i] * iz
        a = 1.0 / (dx * dx + dy * dy + dz * dz)
        t = -(ox * dx + oy * dy + oz * dz) * a
        qx, qy, qz = ox + t * dx, oy + t * dy, oz + t * dz
        h = 1.0 - (qx * qx + qy * qy + qz * qz)
        half = math.sqrt((h if h > 0.0 else 0.0) * a)
        b[NEAR + i] = t - half if h > 0.0 else FAR_AWAY
        b[FAR + i] = t + half if h > 0.0 else -FAR_AWAY
        b[FACE + i] = 0.0


@inner
def _box(b, ex, ey, ez):  # type: ignore[no-untyped-def]
    # Faces: 0 -x, 1 +x, 2 -y, 3 +y, 4 -z, 5 +z.
    for i in range(LANES):
        dx, dy, dz = b[DX + i], b[DY + i], b[DZ + i]
        ix, iy, iz = 1.0 / dx, 1.0 / dy, 1.0 / dz
        mx, my, mz = -b[OX + i] * ix, -b[OY + i] * iy, -b[OZ + i] * iz
        ax, ay, az = abs(ix) * ex, abs(iy) * ey, abs(iz) * ez
        x0, y0, z0, x1, y1, z1 = mx - ax, my - ay, mz - az, mx + ax, my + ay, mz + az
        face = 0.0 if dx > 0.0 else 1.0
        face_y = 2.0 if dy > 0.0 else 3.0
        face_z = 4.0 if dz > 0.0 else 5.0
        face = face if x0 > y0 else face_y
        near = x0 if x0 > y0 else y0
        face = face if near > z0 else face_z
        near = near if near > z0 else z0
        far = x1 if x1 < y1 else y1
        far = far if far < z1 else z1
        b[NEAR + i] = near if near <= far else FAR_AWAY
        b[FAR + i] = far if near <= far else -FAR_AWAY
        b[FACE + i] = face


@inner
def _cylinder(b, r, hz):  # type: ignore[no-untyped-def]
    # Faces: 0 side, 1 +z, 2 -z.
    for i in range(LANES):
        ox, oy, dx, dy, dz = b[OX + i], b[OY + i], b[DX + i], b[DY + i], b[DZ + i]
        a = dx * dx + dy * dy
        upright = a < 1e-24 * dz * dz
        a = 1.0 if upright else 1.0 / a
        t = 0.0 if upright else -(ox * dx + oy * dy) * a
        qx, qy = ox + t * dx, oy + t * dy
        h = r * r - (qx * qx + qy * qy)
        half = math.sqrt((h if h > 0.0 else 0.0) * a)
        half = FAR_AWAY if upright else half
        iz = 1.0 / dz
        mz, az = -b[OZ + i] * iz, abs(iz) * hz
        side, cap = t - half, mz - az
        near = side if side > cap else cap
        face_z = 2.0 if dz > 0.0 else 1.0
        face = 0.0 if side > cap else face_z
        far = t + half if t + half < mz + az else mz + az
        hit = (h > 0.0) & (near <= far)
        b[NEAR + i] = near if hit else FAR_AWAY
        b[FAR + i] = far if hit else -FAR_AWAY
        b[FACE + i] = face


@inner
def _capsule(b, r, hl):  # type: ignore[no-untyped-def]
    # The hull of two balls: the interval is from the first entry to the last exit of tube and balls.
    for i in range(LANES):
        ox, oy, oz, dx, dy, dz = b[OX + i], b[OY + i], b[OZ + i], b[DX + i], b[DY + i], b[DZ + i]
        a = dx * dx + dy * dy
        dd = 1.0 / (a + dz * dz)
        upright = a < 1e-24 * dz * dz
        a = 1.0 if upright else 1.0 / a
        t = 0.0 if upright else -(ox * dx + oy * dy) * a
        qx, qy = ox + t * dx, oy + t * dy
        h = r * r - (qx * qx + qy * qy)
        half = math.sqrt((h if h > 0.0 else 0.0) * a)
        half = FAR_AWAY if upright else half
        iz = 1.0 / dz
        mz, az = -oz * iz, abs(iz) * hl
        near = t - half if t - half > mz - az else mz - az
        far = t + half if t + half < mz + az else mz + az
        hit = (h > 0.0) & (near <= far)
        near = near if hit else FAR_AWAY
        far = far if hit else -FAR_AWAY
        for end in (-hl, hl):
            z = oz - end
            t = -(ox * dx + oy * dy + z * dz) * dd
            qx, qy, qz = ox + t * dx, oy + t * dy, z + t * dz
            h = r * r - (qx * qx + qy * qy + qz * qz)
            half = math.sqrt((h if h > 0.0 else 0.0) * dd)
            near = t - half if (h > 0.0) & (t - half < near) else near
            far = t + half if (h > 0.0) & (t + half > far) else far
        b[NEAR + i] = near
        b[FAR + i] = far
        b[FACE + i] = 0.0


@inner
def _cone(b, r, hz):  # type: ignore[no-untyped-def]
    # Faces: 0 side, 1 base. The side is the lower half of x² + y² = k² (z - hz)².
    k2 = (r / (2.0 * hz)) ** 2
    for i in range(LANES):
        ox, oy, oz, dx, dy, dz = b[OX + i], b[OY + i], b[OZ + i] - hz, b[DX + i], b[DY + i], b[DZ + i]
        # From the point nearest to the apex on, again for the digits.
        shift = -(ox * dx + oy * dy + oz * dz) / (dx * dx + dy * dy + dz * dz)
        ox, oy, oz = ox + shift * dx, oy + shift * dy, oz + shift * dz
        a = dx * dx + dy * dy - k2 * dz * dz
        a = a if abs(a) > 1e-14 * dz * dz else 1e-14 * dz * dz + _TINY
        h = ox * dx + oy * dy - k2 * oz * dz
        disc = h * h - a * (ox * ox + oy * oy - k2 * oz * oz)
        root = math.sqrt(disc if disc > 0.0 else 0.0)
        inv = 1.0 / a
        t0, t1 = (-h - root) * inv, (-h + root) * inv
        low, high = (t0 if t0 < t1 else t1), (t0 if t0 > t1 else t1)
        one_sheet = a > 0.0
        falls = dz < 0.0
        near = low if one_sheet else (high if falls else -FAR_AWAY)
        far = high if one_sheet else (FAR_AWAY if falls else low)
        near = -FAR_AWAY if (disc <= 0.0) & (not one_sheet) else near
        far = FAR_AWAY if (disc <= 0.0) & (not one_sheet) else far
        iz = 1.0 / dz
        # The slab between base (z = -2 hz from the apex) and apex (0).
        za, zb = (-2.0 * hz - oz) * iz, -oz * iz
        cap0, cap1 = (za if za < zb else zb), (za if za > zb else zb)
        face = 1.0 if cap0 > near else 0.0
        near = cap0 if cap0 > near else near
        far = cap1 if cap1 < far else far
        hit = (near <= far) & ((disc > 0.0) | (not one_sheet))
        b[NEAR + i] = near + shift if hit else FAR_AWAY
        b[FAR + i] = far + shift if hit else -FAR_AWAY
        b[FACE + i] = face


@inner
def _hull(b, planes, start, count):  # type: ignore[no-untyped-def]
    for i in range(LANES):
        b[NEAR + i] = -FAR_AWAY
        b[FAR + i] = FAR_AWAY
        b[FACE + i] = 0.0
    for k in range(count):
        nx, ny, nz, offset = planes[start + k, 0], planes[start + k, 1], planes[start + k, 2], planes[start + k, 3]
        face = float(k)
        for i in range(LANES):
            room = offset - (nx * b[OX + i] + ny * b[OY + i] + nz * b[OZ + i])
            rate = nx * b[DX + i] + ny * b[DY + i] + nz * b[DZ + i] + _TINY
            t = room / rate
            near, far = b[NEAR + i], b[FAR + i]
            enters = (rate < 0.0) & (t > near)
            b[FACE + i] = face if enters else b[FACE + i]
            b[NEAR + i] = t if enters else near
            b[FAR + i] = t if (rate > 0.0) & (t < far) else far
    for i in range(LANES):
        near, far = b[NEAR + i], b[FAR + i]
        b[NEAR + i] = near if near <= far else FAR_AWAY
        b[FAR + i] = far if near <= far else -FAR_AWAY


@inner
def _plane(b):  # type: ignore[no-untyped-def]
    for i in range(LANES):
        t = -b[OZ + i] / b[DZ + i]
        hit = (b[OZ + i] > 0.0) & (b[DZ + i] < 0.0)
        b[NEAR + i] = t if hit else FAR_AWAY
        b[FAR + i] = FAR_AWAY if hit else -FAR_AWAY
        b[FACE + i] = 0.0


@inner
def _vessel(b, planes, start, count):  # type: ignore[no-untyped-def]
    # The wall is made of cone frusta, one for each side of its outline (see trace_packing). A side from (r0, z0) to
    # (r1, z1) is where h² ρ² = (h r0 + (r1 - r0) (z - z0))², h = z1 - z0. Faces: the smooth part of the outline.
    for i in range(LANES):
        ox, oy, oz, dx, dy, dz = b[OX + i], b[OY + i], b[OZ + i], b[DX + i], b[DY + i], b[DZ + i]
        # From the point nearest to the middle on, for the digits.
        shift = -(ox * dx + oy * dy + oz * dz) / (dx * dx + dy * dy + dz * dz)
        b[OX + i] = ox + shift * dx
        b[OY + i] = oy + shift * dy
        b[OZ + i] = oz + shift * dz
        b[SHIFT + i] = shift
        b[NEAR + i] = FAR_AWAY
        b[FAR + i] = -FAR_AWAY
        b[FACE + i] = 0.0
    for k in range(start, start + count, 2):
        r0, z0, r1, z1 = planes[k, 0], planes[k, 1], planes[k, 2], planes[k, 3]
        part = planes[k + 1, 2]
        h, s = z1 - z0, r1 - r0
        low, high = min(z0, z1), max(z0, z1)
        if low == high:
            in2, out2 = min(r0, r1) ** 2, max(r0, r1) ** 2
            for i in range(LANES):
                t = (z0 - b[OZ + i]) / b[DZ + i]
                x, y = b[OX + i] + t * b[DX + i], b[OY + i] + t * b[DY + i]
                rho2 = x * x + y * y
                t += b[SHIFT + i]
                hit = (rho2 >= in2) & (rho2 < out2) & (t > 1e-6)
                first = hit & (t < b[NEAR + i])
                b[NEAR + i] = t if first else b[NEAR + i]
                b[FACE + i] = part if first else b[FACE + i]
                b[FAR + i] = t if hit & (t > b[FAR + i]) else b[FAR + i]
            continue
        h2 = h * h
        for i in range(LANES):
            ox, oy, oz, dx, dy, dz = b[OX + i], b[OY + i], b[OZ + i], b[DX + i], b[DY + i], b[DZ + i]
            e, f = h * r0 + s * (oz - z0), s * dz
            a = h2 * (dx * dx + dy * dy) - f * f
            a = a if abs(a) > 1e-14 * h2 else 1e-14 * h2
            g = h2 * (ox * dx + oy * dy) - e * f
            disc = g * g - a * (h2 * (ox * ox + oy * oy) - e * e)
            root = math.sqrt(disc if disc > 0.0 else 0.0)
            inv = 1.0 / a
            for side in range(2):
                t = (-g - root) * inv if side == 0 else (-g + root) * inv
                z = oz + t * dz
                t += b[SHIFT + i]
                hit = (disc > 0.0) & (z >= low) & (z < high) & (t > 1e-6)
                first = hit & (t < b[NEAR + i])
                b[NEAR + i] = t if first else b[NEAR + i]
                b[FACE + i] = part if first else b[FACE + i]
                b[FAR + i] = t if hit & (t > b[FAR + i]) else b[FAR + i]


@inner
def intervals(b, kind, prim, planes, start, count):  # type: ignore[no-untyped-def]
    """Rows NEAR, FAR, FACE from rows O and D for one primitive."""
    ex, ey, ez = prim[12], prim[13], prim[14]
    if kind == PLANE:
        _plane(b)
    elif kind == BOX:
        _box(b, ex, ey, ez)
    elif kind in (SPHERE, ELLIPSOID):
        _round(b, ex, ey, ez)
    elif kind == CYLINDER:
        _cylinder(b, ex, ez)
    elif kind == CAPSULE:
        _capsule(b, ex, ez - ex)
    elif kind == CONE:
        _cone(b, ex, ez)
    elif kind == VESSEL:
        _vessel(b, planes, start, count)
    else:
        _hull(b, planes, start, count)


@inner
def keep_nearest(b, number):  # type: ignore[no-untyped-def]
    """Rows TIME and SURFACE take this primitive where it is entered in front of what is there."""
    base = 512.0 * number
    for i in range(LANES):
        near, time = b[NEAR + i], b[TIME + i]
        closer = (near > 1e-6) & (near < time)
        b[SURFACE + i] = base + b[FACE + i] if closer else b[SURFACE + i]
        b[TIME + i] = near if closer else time


@inner
def keep_clear(b, number, first_liquid):  # type: ignore[no-untyped-def]
    """As ``keep_nearest`` for a clear vessel's primitive, but where a liquid is seen through it, that stays.

    Row BEHIND becomes 1 where the primitive stands in front of what is there.
    """
    base, liquid = 512.0 * number, 512.0 * first_liquid
    for i in range(LANES):
        near, time = b[NEAR + i], b[TIME + i]
        closer = (near > 1e-6) & (near < time)
        taken = closer & (b[SURFACE + i] < liquid)
        b[BEHIND + i] = 1.0 if closer else b[BEHIND + i]
        b[SURFACE + i] = base + b[FACE + i] if taken else b[SURFACE + i]
        b[TIME + i] = near if taken else time


@inner
def block_light(b, number, end, convex):  # type: ignore[no-untyped-def]
    """Row VISIBLE becomes 0 where the primitive stands between the point and the light; how many lanes it shades.

    A convex solid does not shade itself, where it faces the light.
    """
    base = 512.0 * number if convex else -1e9
    shaded = 0
    for i in range(LANES):
        own = (b[SURFACE + i] >= base) & (b[SURFACE + i] < base + 512.0)
        hit = (b[FAR + i] > 0.0) & (b[NEAR + i] < end) & (not own) & (b[SURFACE + i] >= 0.0)
        b[VISIBLE + i] = 0.0 if hit else b[VISIBLE + i]
        shaded += 1 if hit else 0
    return shaded
