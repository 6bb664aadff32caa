"""Compiled inner loops of the MuJoCo simulator: what each contact shall do in this step.

Contacts are handled as in Moreau's time stepping: the solver finds, for all contacts at once, impulses that give every
contact a wanted velocity at the end of the step (J. J. Moreau, "Numerical aspects of the sweeping process", Comput.
Methods Appl. Mech. Eng. 177, 1999). MuJoCo's solver takes wanted accelerations, so the wanted velocity v* enters as the
reference acceleration (v* - v) / h.

MuJoCo's cone is the convex relaxation of Coulomb's law: left alone, a contact that slides at speed s is pushed apart
at μ s. The shift -μ s in the wanted normal velocity takes that back (G. De Saxcé, Z.-Q. Feng, Math. Comput. Modelling
28, 1998; F. Cadoux's fixed point).
"""

from __future__ import annotations

import numba
import numpy as np

SLOP_M = 5e-5
"""Bodies at rest may stay this deep in each other, so that the contact is not lost and found again."""

CORRECTION = 0.1
"""Share of the remaining depth that is taken back in a step."""

IMPACT_SPEED_M_S = 0.05
"""From this speed on a contact counts as an impact, for which the slip after the step has to be found by iteration."""

JOINTED_LIFT_M_S = 0.005
"""Depth in what hangs on a joint is taken back no faster than this: gravity stops a thing that is lifted, but nothing
stops a wheel that is turned by what is wedged in it, and that would be work from nowhere."""

_FREE_M_S = 1e3
"""Wanting to approach so fast leaves a contact without force."""

FLANK_CORRECTION = 0.2
"""The same for flanks of teeth, which have no depth to rest in: their errors are smaller than that."""

# Columns of the recorded contacts.
POINT, NORMAL, TANGENT_1, TANGENT_2, NORMAL_SPEED, SLIP_1, SLIP_2, DISTANCE, COLUMNS = 0, 3, 6, 9, 12, 13, 14, 15, 16


@numba.njit(cache=True, nogil=True)
def _wanted_flank_speed(speed, distance, restitution, h):  # type: ignore[no-untyped-def]
    """The same for flanks of teeth, which are smooth: they may come together, and stay in touch without depth."""
    if distance > 0.0:
        # What comes fast is let in first: a blow has to find its full speed.
        return -distance / h if speed > -IMPACT_SPEED_M_S else -_FREE_M_S
    bounce = -speed * restitution if speed < -IMPACT_SPEED_M_S else 0.0
    return max(bounce, FLANK_CORRECTION * -distance / h)


@numba.njit(cache=True, nogil=True)
def _wanted_normal_speed(speed, distance, restitution, h, gravity, on_joint):  # type: ignore[no-untyped-def]
    """Separation speed wanted after the step, from that before it (negative: approaching)."""
    wanted = 0.0
    if speed < 0.0:
        # What gravity adds in a step is not a fall: below that, bodies rest. Above it the bounce sets in smoothly.
        start = gravity * h
        share = (-speed - start) / (3.0 * start + 1e-9)
        share = min(max(share, 0.0), 1.0)
        wanted = -speed * restitution * share * share * (3.0 - 2.0 * share)
    depth = -distance - SLOP_M
    if depth > 0.0:
        # No faster than lets gravity stop it again within the depth: lifting out must not become a jump.
        most = JOINTED_LIFT_M_S if on_joint else np.sqrt(max(gravity, 1.0) * depth)
        wanted = max(wanted, min(CORRECTION * depth / h, most))
    return wanted


@numba.njit(cache=True, nogil=True)
def set_contacts(  # type: ignore[no-untyped-def]
    h, gravity, aref, velocity, count, geoms, distance, point, frame, friction, mu, address, geom_body,
    body_material, restitution_of, friction_of, wanted, record, record_ids, used, step, force_base, touched,
    flanks_from, on_joint,
):  # fmt: skip
    """Set friction and reference accelerations of all contacts and record them; return whether one is an impact.

    Contacts from number ``flanks_from`` on are those of meshing teeth; ``on_joint`` (B,) tells what hangs on a joint.
    Writes ``aref``, ``friction``, ``mu``, ``wanted`` (n,), rows ``used`` … of ``record`` and ``record_ids``, and
    ``touched`` (B,): 1 for bodies in contact.
    """
    impact = False
    touched[:] = 0
    for i in range(count):
        row = used + i
        a, b = geom_body[geoms[i, 0]], geom_body[geoms[i, 1]]
        touched[a] = touched[b] = 1
        at = address[i]
        record_ids[row, 0], record_ids[row, 1], record_ids[row, 2] = step, a, b
        record_ids[row, 3] = force_base + at if at >= 0 else -1
        for k in range(3):
            record[row, POINT + k] = point[i, k]
        for k in range(9):
            record[row, NORMAL + k] = frame[i, k]
        record[row, DISTANCE] = distance[i]
        if at < 0:
            continue
        ma, mb = body_material[a], body_material[b]
        coefficient = max(friction_of[ma, mb], 1e-5)
        friction[i, 0] = friction[i, 1] = coefficient
        mu[i] = coefficient
        speed, slip_1, slip_2 = velocity[at], velocity[at + 1], velocity[at + 2]
        record[row, NORMAL_SPEED], record[row, SLIP_1], record[row, SLIP_2] = speed, slip_1, slip_2
        if i >= flanks_from:
            wanted[i] = _wanted_flank_speed(speed, distance[i], restitution_of[ma, mb], h)
        else:
            held = on_joint[a] or on_joint[b]
            wanted[i] = _wanted_normal_speed(speed, distance[i], restitution_of[ma, mb], h, gravity, held)
        slip = np.sqrt(slip_1 * slip_1 + slip_2 * slip_2)
        aref[at] = (wanted[i] - coefficient * slip - speed) / h
        aref[at + 1] = -slip_1 / h
        aref[at + 2] = -slip_2 / h
        if speed < -IMPACT_SPEED_M_S:
            impact = True
    return impact


@numba.njit(cache=True, nogil=True)
def update_slip(h, aref, velocity, acceleration, count, friction, address, wanted):  # type: ignore[no-untyped-def]
    """Replace the slip that ``set_contacts`` assumed by that of the solution; return the largest change in m/s.

    ``acceleration`` (nefc,) is J·qacc of the last solution.
    """
    change = 0.0
    for i in range(count):
        at = address[i]
        if at < 0:
            continue
        after_1 = velocity[at + 1] + h * acceleration[at + 1]
        after_2 = velocity[at + 2] + h * acceleration[at + 2]
        target = wanted[i] - friction[i, 0] * np.sqrt(after_1 * after_1 + after_2 * after_2)
        new = (target - velocity[at]) / h
        change = max(change, abs(new - aref[at]) * h)
        aref[at] = new
    return change


@numba.njit(cache=True, nogil=True)
def touching_groups(count, address, record_ids, used, joined):  # type: ignore[no-untyped-def]
    """(B,) ``joined`` with one number for all bodies that hang together by joints or contacts of this step.

    ``joined`` (B,) has one number for all bodies that joints hold together, and -1 for those that do not give way.
    """
    group = joined.copy()
    for i in range(count):
        a, b = group[record_ids[used + i, 1]], group[record_ids[used + i, 2]]
        if address[i] >= 0 and a >= 0 and b >= 0 and a != b:
            for k in range(len(group)):
                if group[k] == b:
                    group[k] = a
    return group


@numba.njit(cache=True, nogil=True)
def limit_rebound(  # type: ignore[no-untyped-def]
    h, velocity, acceleration, force, count, address, record_ids, used, wanted, group
):  # fmt: skip
    """Lessen the rebound where contacts would add energy; return whether there were any.

    Restitution as a ratio of speeds (Newton's) and friction together can create energy in an eccentric impact whose
    slip turns round (T. R. Kane, D. A. Levinson, Dynamics, 1985); and a light body that bounces off the ground would
    carry away a heavy one that lies on it. So no pair of bodies and no group of bodies that touch may gain. The work
    of an impulse is its product with the mean of the velocities before and after.

    ``group`` (B,) is that of ``touching_groups``.
    """
    work, scale = np.zeros(count), np.zeros(count)
    for j in range(count):
        at = address[j]
        if at < 0:
            continue
        for k in range(3):
            impulse = h * force[at + k]
            work[j] += impulse * (velocity[at + k] + 0.5 * h * acceleration[at + k])
            scale[j] += abs(impulse * velocity[at + k])
    found = False
    for i in range(count):
        at = address[i]
        if at < 0 or wanted[i] <= 0.0 or velocity[at] >= 0.0:
            continue
        a, b = record_ids[used + i, 1], record_ids[used + i, 2]
        own = max(group[a], group[b])
        pair_work, pair_scale, group_work, group_scale = 0.0, 0.0, 0.0, 0.0
        for j in range(count):
            c, d = record_ids[used + j, 1], record_ids[used + j, 2]
            if c == a and d == b:
                pair_work += work[j]
                pair_scale += scale[j]
            if max(group[c], group[d]) == own:
                group_work += work[j]
                group_scale += scale[j]
        if pair_work > 1e-3 * pair_scale or group_work > 1e-3 * group_scale:
            wanted[i] *= 0.7
            found = True
    return found


@numba.njit(cache=True, nogil=True)
def set_joint_rows(  # type: ignore[no-untyped-def]
    h, aref, velocity, position, equalities, motors, limits, motor_speed
):  # fmt: skip
    """Motors want their speed, limits stop what has passed them."""
    for i in range(motors):
        at = equalities + i
        aref[at] = (motor_speed[i] - velocity[at]) / h
    for i in range(limits):
        at = equalities + motors + i
        depth = max(-position[at], 0.0)
        aref[at] = (min(CORRECTION * depth / h, 0.2) - velocity[at]) / h


@numba.njit(cache=True, nogil=True)
def _turn(vector, axis, angle_scale, out):  # type: ignore[no-untyped-def]
    """Rotate ``vector`` by the rotation vector ``axis`` · ``angle_scale``."""
    x, y, z = axis[0] * angle_scale, axis[1] * angle_scale, axis[2] * angle_scale
    angle = np.sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        c, s, k = 1.0, 1.0, 0.5
    else:
        c, s, k = np.cos(angle), np.sin(angle) / angle, (1.0 - np.cos(angle)) / (angle * angle)
    dot = x * vector[0] + y * vector[1] + z * vector[2]
    out[0] = c * vector[0] + s * (y * vector[2] - z * vector[1]) + k * dot * x
    out[1] = c * vector[1] + s * (z * vector[0] - x * vector[2]) + k * dot * y
    out[2] = c * vector[2] + s * (x * vector[1] - y * vector[0]) + k * dot * z


@numba.njit(cache=True, nogil=True)
def set_free_spin(h, qvel, bias, dofs, inertia, inverse):  # type: ignore[no-untyped-def]
    """Let free bodies keep their angular momentum: exp(hω'/2) I ω' = exp(-hω/2) I ω in the body frame.

    MuJoCo's explicit gyroscopic term gains energy in proportion to the step; this midpoint form (velocities live
    between steps) is symmetric in time and does not. Written as a bias force (J. E. Marsden, M. West, "Discrete
    mechanics and variational integrators", Acta Numerica 10, 2001).
    """
    momentum, turned, new = np.empty(3), np.empty(3), np.empty(3)
    for i in range(len(dofs)):
        at = dofs[i] + 3
        spin = qvel[at : at + 3]
        if spin[0] == 0.0 and spin[1] == 0.0 and spin[2] == 0.0:
            continue
        for k in range(3):
            momentum[k] = inertia[i, k, 0] * spin[0] + inertia[i, k, 1] * spin[1] + inertia[i, k, 2] * spin[2]
            new[k] = spin[k]
        _turn(momentum, spin, -0.5 * h, turned)
        momentum[:] = turned
        for _ in range(12):
            _turn(momentum, new, -0.5 * h, turned)
            move = 0.0
            for k in range(3):
                value = inverse[i, k, 0] * turned[0] + inverse[i, k, 1] * turned[1] + inverse[i, k, 2] * turned[2]
                move = max(move, abs(value - new[k]))
                new[k] = value
            if move < 1e-13:
                break
        for k in range(3):
            bias[at + k] = (
                -(
                    inertia[i, k, 0] * (new[0] - spin[0])
                    + inertia[i, k, 1] * (new[1] - spin[1])
                    + inertia[i, k, 2] * (new[2] - spin[2])
                )
                / h
            )
