"""Where the teeth of two gears, or of a gear and a rack, touch: exact involutes in the plane of the gears.

Two flanks that are involutes touch on the line of action, which is tangent to both base circles; along it their gap is
linear in the angles of both gears (ISO 21771). Where the flank of one ends, the corner of its tip can touch the other's
flank away from that line (at the entry of a worn or loaded tooth, beside a missing one, in a jam). Involutes of one
base circle are parallel curves, so the distance of a corner from a flank is the base radius times an angle.

Rows of ``forms`` (G, FORM): see the constants. Angles are those of tooth 0 in the plane, counter-clockwise.
"""

from __future__ import annotations

import numpy as np

from physreel.simulators.teeth_jit import inner, kernel

PITCH, BASE_RADIUS, TIP_RADIUS, ROOT_RADIUS, HALF, INTERNAL, FIRST, COUNT, FORM = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""Angle from tooth to tooth; radii; half angle of a tooth where its (produced) flank meets the base circle; whether it
is internal; first row in ``proud`` and number of teeth. Of racks, by metres instead of radians: distance from tooth to
tooth; 0; height of tips above and of roots below the pitch line; half the thickness on the pitch line; 2."""

OUT = 7
"""Columns of a contact found: point and normal (from a to b) in the plane, gap (negative: overlap), the two teeth."""

_REACH = 3
_PARALLEL = 0.9998
_NONE = 1e9


@inner
def _wrap(value, period):  # type: ignore[no-untyped-def]
    return value - period * np.floor(value / period + 0.5)


@inner
def _tooth(index, count):  # type: ignore[no-untyped-def]
    return int(index - count * np.floor(index / count))


@inner
def _involute_at(base, radius):  # type: ignore[no-untyped-def]
    """The angle that an involute has turned through at a radius (0 below the base circle)."""
    if radius <= base:
        return 0.0
    cosine = base / radius
    tangent = np.sqrt(1.0 - cosine * cosine) / cosine
    return tangent - np.arctan(tangent)


@inner
def _half_at(form, radius):  # type: ignore[no-untyped-def]
    """Half the angle of a tooth at a radius."""
    turned = _involute_at(form[BASE_RADIUS], radius)
    return form[HALF] + turned if form[INTERNAL] == 1.0 else form[HALF] - turned


@inner
def _keep(out, used, x, y, nx, ny, gap, tooth_a, tooth_b):  # type: ignore[no-untyped-def]
    out[used, 0], out[used, 1], out[used, 2], out[used, 3] = x, y, nx, ny
    out[used, 4], out[used, 5], out[used, 6] = gap, tooth_a, tooth_b


@inner
def _corner_on_gear(px, py, form, cx, cy, turn, tooth, proud, side):  # type: ignore[no-untyped-def]
    """Gap of a point from one flank of a gear's tooth, and the flank's outward normal there; _NONE where it is none."""
    dx, dy = px - cx, py - cy
    radius = np.sqrt(dx * dx + dy * dy)
    inside = form[INTERNAL] == 1.0
    low = form[TIP_RADIUS] if inside else form[ROOT_RADIUS]
    high = form[ROOT_RADIUS] if inside else form[TIP_RADIUS]
    if radius < low or radius > high:
        return _NONE, 0.0, 0.0
    base = form[BASE_RADIUS]
    angle = np.arctan2(dy, dx)
    off = _wrap(side * (angle - turn - tooth * form[PITCH]), 2.0 * np.pi)
    gap = base * (off - _half_at(form, radius)) - proud
    if not inside and gap < radius - high:
        # It has come in over the tip's top rather than past the flank: out again the short way.
        return radius - high, dx / radius, dy / radius
    lean = np.arccos(base / radius) if radius > base else 0.0
    # An internal tooth's flank leans the other way: its normal is that of the pinion's flank it faces, turned round.
    direction = angle + side * lean if inside else angle - side * lean
    return gap, -side * np.sin(direction), side * np.cos(direction)


@inner
def _pair(form_a, ax, ay, turn_a, proud, form_b, bx, by, turn_b, flip, limit, out, used):  # type: ignore[no-untyped-def]
    """Contacts of an external gear a with gear b (external or internal), appended to ``out``; the number in it.

    ``flip`` is -1 where b's axis points against a's, so that its teeth follow the other way round.
    """
    inside = form_b[INTERNAL] == 1.0
    dx, dy = bx - ax, by - ay
    distance = np.sqrt(dx * dx + dy * dy)
    if distance < 1e-12:
        return used
    base_a, base_b = form_a[BASE_RADIUS], form_b[BASE_RADIUS]
    if inside:
        # Seen from the ring's axis the pinion is towards -(dx, dy), and that is where they touch.
        ux, uy = -dx / distance, -dy / distance
        bases = base_b - base_a
        if distance > form_b[ROOT_RADIUS]:
            return used
        bottom = form_b[ROOT_RADIUS] - form_a[TIP_RADIUS] - distance
    else:
        ux, uy = dx / distance, dy / distance
        bases = base_a + base_b
        if distance > form_a[TIP_RADIUS] + form_b[TIP_RADIUS]:
            return used
        bottom = distance - max(form_a[TIP_RADIUS] + form_b[ROOT_RADIUS], form_b[TIP_RADIUS] + form_a[ROOT_RADIUS])
    if bottom < limit and used < len(out):
        # Tips on the ground between the other's teeth: the axes are too near each other (in a ring: too far apart).
        _keep(out, used, ax + form_a[TIP_RADIUS] * ux, ay + form_a[TIP_RADIUS] * uy, ux, uy, bottom, -1, -1)
        used += 1
    if bases <= 0.0 or distance <= bases:
        return used
    work = np.arccos(bases / distance)
    reach = distance * np.sin(work)
    toward = np.arctan2(uy, ux)
    from_a = _wrap(turn_a - toward, 2.0 * np.pi)
    from_b = _wrap(turn_b - toward - (0.0 if inside else np.pi), 2.0 * np.pi)
    pitch_a, pitch_b = form_a[PITCH], form_b[PITCH]
    count_a, count_b = int(form_a[COUNT]), int(form_b[COUNT])
    most_a = np.sqrt(max(form_a[TIP_RADIUS] ** 2 - base_a**2, 0.0))
    most_b = np.sqrt(max((form_b[ROOT_RADIUS] if inside else form_b[TIP_RADIUS]) ** 2 - base_b**2, 0.0))
    least_b = np.sqrt(max(form_b[TIP_RADIUS] ** 2 - base_b**2, 0.0)) if inside else 0.0
    middle = np.floor(-from_a / pitch_a + 0.5)
    tip_a = form_a[TIP_RADIUS]
    half_tip_a, half_tip_b = _half_at(form_a, tip_a), _half_at(form_b, form_b[TIP_RADIUS])
    base_pitch = base_a * pitch_a
    for side in (1.0, -1.0):
        # In the frame where u is the x axis, mirrored for the other side.
        tx, ty = np.sin(work), side * np.cos(work)
        nx, ny = ux * tx - uy * ty, uy * tx + ux * ty
        ex, ey = np.cos(work), -side * np.sin(work)
        radial_x, radial_y = ux * ex - uy * ey, uy * ex + ux * ey
        for step in range(-_REACH, _REACH + 1):
            k = middle + step
            tooth_a = _tooth(k, count_a)
            extra_a = proud[int(form_a[FIRST]) + tooth_a]
            if extra_a < -0.5:
                continue  # a missing tooth
            angle_a = from_a + k * pitch_a
            along_a = base_a * (side * angle_a + form_a[HALF] + work) + extra_a
            # The tooth of b whose flank is nearest along the line of action.
            if inside:
                rest = base_b * (side * from_b - form_b[HALF] + work) - along_a - reach
                j = side * np.floor(-rest / (base_b * pitch_b) + 0.5)
                along_b = base_b * (side * (from_b + j * pitch_b) - form_b[HALF] + work)
            else:
                rest = reach - along_a - base_b * (side * from_b + form_b[HALF] + work)
                j = side * np.floor(rest / (base_b * pitch_b) + 0.5)
                along_b = base_b * (side * (from_b + j * pitch_b) + form_b[HALF] + work)
            tooth_b = _tooth(flip * j, count_b)
            extra_b = proud[int(form_b[FIRST]) + tooth_b]
            if extra_b < -0.5:
                continue
            along_b += -extra_b if inside else extra_b
            gap = along_b - along_a - reach if inside else reach - along_a - along_b
            if abs(gap) > 0.5 * base_pitch:
                continue
            best, bx_, by_, bnx, bny = _NONE, 0.0, 0.0, 0.0, 0.0
            if 0.0 <= along_a <= most_a and least_b <= along_b <= most_b and gap < limit:
                at = along_a + 0.5 * gap
                best = gap
                bx_ = ax + base_a * radial_x + at * nx
                by_ = ay + base_a * radial_y + at * ny
                bnx, bny = nx, ny
            else:
                # The corner of a's tip on b's flank.
                polar = toward + angle_a + side * (half_tip_a + extra_a / base_a)
                px, py = ax + tip_a * np.cos(polar), ay + tip_a * np.sin(polar)
                turned = toward + (0.0 if inside else np.pi) + from_b
                other = -side if inside else side
                found, fx, fy = _corner_on_gear(px, py, form_b, bx, by, turned, j, extra_b, other)
                if found < limit and found > -0.5 * base_pitch and found < best:
                    best, bx_, by_, bnx, bny = found, px, py, -fx, -fy
                # The corner of b's tip on a's flank.
                lean = side * (half_tip_b + extra_b / base_b) if not inside else -side * (half_tip_b + extra_b / base_b)
                polar = turned + j * pitch_b + lean
                px, py = bx + form_b[TIP_RADIUS] * np.cos(polar), by + form_b[TIP_RADIUS] * np.sin(polar)
                found, fx, fy = _corner_on_gear(px, py, form_a, ax, ay, toward + from_a, k, extra_a, side)
                if found < limit and found > -0.5 * base_pitch and found < best:
                    best, bx_, by_, bnx, bny = found, px, py, fx, fy
            if best < limit and used < len(out):
                _keep(out, used, bx_, by_, bnx, bny, best, tooth_a, tooth_b)
                used += 1
    return used


@inner
def _rack(form_a, ax, ay, turn_a, proud, form_b, bx, by, turn_b, slant, limit, out, used):  # type: ignore[no-untyped-def]
    """Contacts of an external gear with a rack whose origin is at (bx, by) and whose x axis points at turn_b."""
    cosine, sine = np.cos(turn_b), np.sin(turn_b)
    # The gear's axis in the rack's frame: its teeth point to + y.
    gx = cosine * (ax - bx) + sine * (ay - by)
    gy = -sine * (ax - bx) + cosine * (ay - by)
    base, tip = form_a[BASE_RADIUS], form_a[TIP_RADIUS]
    if gy - tip > form_b[TIP_RADIUS] or gy < 0.0:
        return used
    count_a, count_b = int(form_a[COUNT]), int(form_b[COUNT])
    pitch_a, pitch_b = form_a[PITCH], form_b[PITCH]
    own = turn_a - turn_b
    half = form_b[HALF]
    most = np.sqrt(max(tip**2 - base**2, 0.0))
    half_tip = _half_at(form_a, tip)
    ca, sa = np.cos(slant), np.sin(slant)
    middle = np.floor((-0.5 * np.pi - own) / pitch_a + 0.5)
    first = -0.5 * (count_b - 1) * pitch_b
    for side in (1.0, -1.0):
        tx, ty = side * ca, -sa
        # From the axis to the point where the line of action touches the base circle.
        ex, ey = -side * sa, -ca
        for step in range(-_REACH, _REACH + 1):
            k = middle + step
            tooth_a = _tooth(k, count_a)
            extra = proud[int(form_a[FIRST]) + tooth_a]
            if extra < -0.5:
                continue
            angle = _wrap(own + k * pitch_a + 0.5 * np.pi, 2.0 * np.pi)
            along = base * (side * angle + form_a[HALF] + slant) + extra
            sx, sy = gx + base * ex + along * tx, gy + base * ey + along * ty
            # The flank of tooth j that faces it leans over the pitch line at x = place - side * half.
            rest = (first - side * half - sx) * tx - sy * ty
            j = side * np.floor(-rest / (ca * pitch_b) + 0.5)
            if j < 0 or j >= count_b or proud[int(form_b[FIRST]) + int(j)] < -0.5:
                continue
            place = first + j * pitch_b
            gap = (place - side * half - sx) * tx - sy * ty
            height = sy + gap * ty
            best, px, py, nx, ny = _NONE, 0.0, 0.0, 0.0, 0.0
            if 0.0 <= along <= most and -form_b[ROOT_RADIUS] <= height <= form_b[TIP_RADIUS] and gap < limit:
                best, px, py, nx, ny = gap, sx + 0.5 * gap * tx, sy + 0.5 * gap * ty, tx, ty
            else:
                polar = angle - 0.5 * np.pi + side * (half_tip + extra / base)
                qx, qy = gx + tip * np.cos(polar), gy + tip * np.sin(polar)
                found = (place - side * half - qx) * tx - qy * ty
                top = form_b[TIP_RADIUS]
                if -form_b[ROOT_RADIUS] <= qy <= top and -0.5 * ca * pitch_b < found < limit:
                    best, px, py, nx, ny = found, qx, qy, tx, ty
                    if found < qy - top:
                        best, nx, ny = qy - top, 0.0, -1.0
                qx, qy = place - side * (half - top * sa / ca), top
                found, fx, fy = _corner_on_gear(qx, qy, form_a, gx, gy, own, k, extra, side)
                if -0.5 * ca * pitch_b < found < limit and found < best:
                    best, px, py, nx, ny = found, qx, qy, fx, fy
            if best < limit and used < len(out):
                _keep(
                    out, used, bx + cosine * px - sine * py, by + sine * px + cosine * py,
                    cosine * nx - sine * ny, sine * nx + cosine * ny, best, tooth_a, j,
                )  # fmt: skip
                used += 1
    return used


@kernel
def find_teeth_contacts(  # type: ignore[no-untyped-def]
    pairs, forms, proud, runout, slant, position, matrix, half_width, flip, limit, plane, points, frames, gaps, which,
    teeth,
):  # fmt: skip
    """All contacts of meshing pairs; the number of them.

    Args:
        pairs: (M, 2) rows of gears; the first of each is external, the second may be internal or a rack.
        forms: (G, FORM).
        proud: by tooth, how far its flanks stand proud in metres; -1 for one that is not there.
        runout: (G,) m, how far the circle of teeth is from the axis, towards tooth 0.
        slant: (G,) pressure angle in radians.
        position: (G, 3) centres.
        matrix: (G, 9) rotations, row by row: x and z axes are columns 0 and 2.
        half_width: (G,) m.
        flip: (M,) -1 where the second gear's axis points against the first's, else 1.
        limit: gap in metres below which flanks count as touching.
        plane: (N, OUT) room for the contacts of one pair.
        points: (C, 3) written.
        frames: (C, 9) written: normal from the first gear to the second, the tangent up the tooth, the axis.
        gaps: (C,) written.
        which: (C,) row in ``pairs``, written.
        teeth: (C, 2) written.
    """
    total = 0
    for m in range(len(pairs)):
        a, b = pairs[m, 0], pairs[m, 1]
        # A frame of the plane: x and y axes of the first gear would turn with it; any will do that does not jump.
        zx, zy, zz = matrix[a, 2], matrix[a, 5], matrix[a, 8]
        if abs(zx) > 0.9:
            e1x, e1y, e1z = 0.0, 1.0, 0.0
        else:
            e1x, e1y, e1z = 1.0, 0.0, 0.0
        dot = e1x * zx + e1y * zy + e1z * zz
        e1x, e1y, e1z = e1x - dot * zx, e1y - dot * zy, e1z - dot * zz
        length = np.sqrt(e1x * e1x + e1y * e1y + e1z * e1z)
        e1x, e1y, e1z = e1x / length, e1y / length, e1z / length
        e2x, e2y, e2z = zy * e1z - zz * e1y, zz * e1x - zx * e1z, zx * e1y - zy * e1x
        # What has shifted along its axis, or tilted, no longer meets.
        rise = (
            (position[b, 0] - position[a, 0]) * zx
            + (position[b, 1] - position[a, 1]) * zy
            + (position[b, 2] - position[a, 2]) * zz
        )
        low, high = max(-half_width[a], rise - half_width[b]), min(half_width[a], rise + half_width[b])
        if high <= low or abs(matrix[b, 2] * zx + matrix[b, 5] * zy + matrix[b, 8] * zz) < _PARALLEL:
            continue
        turn_a = np.arctan2(
            matrix[a, 0] * e2x + matrix[a, 3] * e2y + matrix[a, 6] * e2z,
            matrix[a, 0] * e1x + matrix[a, 3] * e1y + matrix[a, 6] * e1z,
        )
        turn_b = np.arctan2(
            matrix[b, 0] * e2x + matrix[b, 3] * e2y + matrix[b, 6] * e2z,
            matrix[b, 0] * e1x + matrix[b, 3] * e1y + matrix[b, 6] * e1z,
        )
        dx = position[b, 0] - position[a, 0]
        dy = position[b, 1] - position[a, 1]
        dz = position[b, 2] - position[a, 2]
        ax, ay = runout[a] * np.cos(turn_a), runout[a] * np.sin(turn_a)
        bx = dx * e1x + dy * e1y + dz * e1z
        by = dx * e2x + dy * e2y + dz * e2z
        if forms[b, INTERNAL] == 2.0:
            found = _rack(
                forms[a], ax, ay, turn_a, proud, forms[b], bx, by, turn_b, slant[a], limit, plane, 0
            )  # fmt: skip
        else:
            bx += runout[b] * np.cos(turn_b)
            by += runout[b] * np.sin(turn_b)
            found = _pair(forms[a], ax, ay, turn_a, proud, forms[b], bx, by, turn_b, flip[m], limit, plane, 0)
        for i in range(found):
            if total == len(gaps):
                return total
            x, y, nx, ny = plane[i, 0], plane[i, 1], plane[i, 2], plane[i, 3]
            up = 0.5 * (low + high)
            points[total, 0] = position[a, 0] + x * e1x + y * e2x + up * zx
            points[total, 1] = position[a, 1] + x * e1y + y * e2y + up * zy
            points[total, 2] = position[a, 2] + x * e1z + y * e2z + up * zz
            frames[total, 0] = nx * e1x + ny * e2x
            frames[total, 1] = nx * e1y + ny * e2y
            frames[total, 2] = nx * e1z + ny * e2z
            frames[total, 3] = -ny * e1x + nx * e2x
            frames[total, 4] = -ny * e1y + nx * e2y
            frames[total, 5] = -ny * e1z + nx * e2z
            frames[total, 6], frames[total, 7], frames[total, 8] = zx, zy, zz
            gaps[total] = plane[i, 4]
            which[total] = m
            teeth[total, 0], teeth[total, 1] = int(plane[i, 5]), int(plane[i, 6])
            total += 1
    return total
