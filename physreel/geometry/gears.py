"""How involute gears mesh: centre distances, backlash, contact ratio, and how one must be turned to fit another.

Formulas of ISO 21771 for spur gears. Angles are about the common axis, counter-clockwise.
"""

from __future__ import annotations

import math

from physreel.spec import Gear, Rack
from physreel.spec.toothed import ADDENDUM, involute

LEAST_CONTACT_RATIO = 1.05
"""Below about one pair of teeth in contact on the mean, power would pass in jerks."""

LEAST_TIP_CLEARANCE = 0.1
"""Room that tips must have above the roots of the other gear, in modules (0.25 by design)."""


def pair_problems(a: Gear, b: Gear) -> list[str]:
    """Why two gears can mesh at no distance; none if they can."""
    problems = _unlike(a, b)
    if a.internal and b.internal:
        problems.append("both are internal gears; one of the two must be external")
    if not problems and (a.internal or b.internal):
        ring, pinion = (a, b) if a.internal else (b, a)
        if ring.tooth_count - pinion.tooth_count < 10:
            problems.append(
                f"an internal gear of {ring.tooth_count} teeth and a pinion of {pinion.tooth_count} foul each other's "
                f"tips; they must differ by at least 10 teeth: give the ring at least {pinion.tooth_count + 10}"
            )
    return problems


def mesh_distance_m(a: Gear, b: Gear) -> float:
    """The nominal distance of two axes: at it, teeth of full thickness would mesh without backlash."""
    sign_a, sign_b = _sign(a), _sign(b)
    alpha = math.radians(a.pressure_angle_deg)
    teeth = sign_a * a.tooth_count + sign_b * b.tooth_count
    shift = sign_a * a.profile_shift + sign_b * b.profile_shift
    wanted = involute(alpha) + 2.0 * math.tan(alpha) * shift / teeth
    return abs(teeth) * a.module_m / 2.0 * math.cos(alpha) / math.cos(_angle_of_involute(wanted))


def rack_distance_m(gear: Gear, rack: Rack) -> float:
    """The nominal distance of a gear's axis from a rack's pitch line."""
    return gear.pitch_radius_m + gear.profile_shift * rack.module_m


def working_angle_rad(a: Gear, b: Gear, distance_m: float) -> float:
    """The pressure angle at which two gears work at a distance of their axes."""
    bases = _bases_m(a, b)
    if distance_m < bases:
        raise ValueError(f"at {distance_m:g} m the base circles overlap; the least distance is {bases:.6g} m")
    return math.acos(bases / distance_m)


def contact_ratio(a: Gear, b: Gear, distance_m: float) -> float:
    """How many pairs of teeth are in contact on the mean."""
    alpha = working_angle_rad(a, b, distance_m)
    reach = distance_m * math.sin(alpha)
    lengths = [math.sqrt(max(g.tip_radius_m**2 - g.base_radius_m**2, 0.0)) for g in (a, b)]
    if a.internal or b.internal:
        pinion, ring = (lengths[1], lengths[0]) if a.internal else (lengths[0], lengths[1])
        length = pinion - ring + reach
    else:
        length = sum(lengths) - reach
    return length / (math.pi * a.module_m * math.cos(math.radians(a.pressure_angle_deg)))


def backlash_m(a: Gear, b: Gear, distance_m: float) -> float:
    """Play between the teeth along the line of action; negative where they would be jammed into each other."""
    alpha, nominal = working_angle_rad(a, b, distance_m), math.radians(a.pressure_angle_deg)
    pitch = 2.0 * math.pi * a.base_radius_m / a.tooth_count
    half_a, half_b = (g.half_tooth_rad + _sign(g) * involute(nominal) for g in (a, b))
    if a.internal or b.internal:
        ring, pinion, half_r, half_p = (a, b, half_a, half_b) if a.internal else (b, a, half_b, half_a)
        # Seen along the line of action: the ring's space less the pinion's tooth.
        space = pitch - 2.0 * ring.base_radius_m * half_r
        tooth = 2.0 * pinion.base_radius_m * half_p
        return space - tooth - 2.0 * involute(alpha) * (ring.base_radius_m - pinion.base_radius_m)
    teeth = 2.0 * (a.base_radius_m * half_a + b.base_radius_m * half_b)
    return pitch - teeth + 2.0 * involute(alpha) * (a.base_radius_m + b.base_radius_m)


def mesh_problems(a: Gear, b: Gear, distance_m: float) -> list[str]:
    """Why two gears do not mesh at a distance of their axes, and what would; none if they do."""
    problems = pair_problems(a, b)
    if problems:
        return problems
    nominal, module = mesh_distance_m(a, b), a.module_m
    pair = f"gears of {a.tooth_count} and {b.tooth_count} teeth, module {module * 1e3:g} mm"
    advice = f"set it to {nominal * 1e3:.3f} mm"
    inside = a.internal or b.internal
    bases = _bases_m(a, b)
    if distance_m <= bases:
        return [f"{pair}: at a centre distance of {distance_m * 1e3:.3f} mm their base circles overlap; {advice}"]
    play = backlash_m(a, b, distance_m)
    if play < -1e-9:
        problems.append(
            f"{pair}: at a centre distance of {distance_m * 1e3:.3f} mm the teeth overlap by {-play * 1e3:.3f} mm; "
            f"{advice} or {'less' if inside else 'more'}"
        )
    ratio = contact_ratio(a, b, distance_m)
    if ratio < LEAST_CONTACT_RATIO:
        limit = _limit_distance_m(a, b)
        problems.append(
            f"{pair}: at a centre distance of {distance_m * 1e3:.3f} mm only {max(ratio, 0.0):.2f} pairs of teeth "
            f"touch on the mean; {advice}, at {'least' if inside else 'most'} {limit * 1e3:.3f} mm"
        )
    if not inside:
        for tip, root in ((a, b), (b, a)):
            room = (distance_m - tip.tip_radius_m - root.root_radius_m) / module
            if room < LEAST_TIP_CLEARANCE:
                problems.append(
                    f"{pair}: at a centre distance of {distance_m * 1e3:.3f} mm tips come within "
                    f"{room * module * 1e3:.3f} mm of the roots, {LEAST_TIP_CLEARANCE * module * 1e3:.3f} mm are "
                    f"needed; {advice}"
                )
                break
    return problems


def rack_problems(gear: Gear, rack: Rack, distance_m: float) -> list[str]:
    """Why a gear does not mesh with a rack whose pitch line is that far from its axis, and what would."""
    problems = _unlike(gear, rack)
    if problems:
        return problems
    nominal, module, sine = rack_distance_m(gear, rack), rack.module_m, math.sin(math.radians(rack.pressure_angle_deg))
    pair = f"a gear of {gear.tooth_count} teeth and a rack, module {module * 1e3:g} mm"
    place = f"with its axis {distance_m * 1e3:.3f} mm above the pitch line"
    advice = f"set it to {nominal * 1e3:.3f} mm"
    out = distance_m - nominal
    play = (gear.thinning_m + rack.thinning_m) * math.cos(math.asin(sine)) + 2.0 * out * sine
    if play < -1e-9:
        return [f"{pair}: {place} the teeth overlap by {-play * 1e3:.3f} mm; {advice} or more"]
    # From the rack's tips to the gear's, along the line of action.
    length = math.sqrt(max(gear.tip_radius_m**2 - gear.base_radius_m**2, 0.0)) - gear.base_radius_m * sine / math.sqrt(
        1.0 - sine * sine
    )
    length += (ADDENDUM * module - (distance_m - gear.pitch_radius_m)) / sine
    ratio = length / (math.pi * module * math.cos(math.asin(sine)))
    if ratio < LEAST_CONTACT_RATIO:
        most = distance_m - (LEAST_CONTACT_RATIO - ratio) * math.pi * module * math.cos(math.asin(sine)) * sine
        return [
            f"{pair}: {place} only {max(ratio, 0.0):.2f} pairs of teeth touch on the mean; {advice}, at most "
            f"{most * 1e3:.3f} mm"
        ]
    return []


def meshing_turn_rad(a: Gear, turn_a_rad: float, b: Gear, direction_rad: float) -> float:
    """The turn of gear b in which it meshes with a, each tooth in the middle of its gap.

    Args:
        a: the gear that is there.
        turn_a_rad: how it is turned: where its tooth 0 points.
        b: the other.
        direction_rad: where b's axis lies, seen from a's.
    """
    pitch_a, pitch_b = 2.0 * math.pi / a.tooth_count, 2.0 * math.pi / b.tooth_count
    if a.internal or b.internal:
        # The ring's tooth sits in the pinion's gap on the same ray from the axes.
        at = direction_rad if a.internal else direction_rad + math.pi
        phase = (at - turn_a_rad) / pitch_a
        return at - (phase + 0.5) * pitch_b
    # Where a has a tooth towards b, b has a gap; and they turn against each other.
    phase = (direction_rad - turn_a_rad) / pitch_a
    return direction_rad + math.pi - (0.5 - phase) * pitch_b


def rack_offset_m(gear: Gear, turn_rad: float, rack: Rack) -> float:
    """How far along its axis a rack below a gear (its teeth upwards) is moved so that they mesh, tooth in gap.

    The gear's axis is above the rack's origin when this is 0; the value is within half a pitch.
    """
    phase = (-0.5 * math.pi - turn_rad) / (2.0 * math.pi / gear.tooth_count)
    own = 0.5 * (rack.tooth_count - 1)
    offset = (-phase + 0.5 + own) * rack.pitch_m
    return offset - rack.pitch_m * round(offset / rack.pitch_m)


def _unlike(a: Gear | Rack, b: Gear | Rack) -> list[str]:
    problems = []
    if abs(a.module_m - b.module_m) > 1e-9:
        problems.append(
            f"modules {a.module_m * 1e3:g} and {b.module_m * 1e3:g} mm differ; gears mesh only with the same module"
        )
    if abs(a.pressure_angle_deg - b.pressure_angle_deg) > 1e-9:
        problems.append(
            f"pressure angles {a.pressure_angle_deg:g}° and {b.pressure_angle_deg:g}° differ; they must be the same"
        )
    return problems


def _bases_m(a: Gear, b: Gear) -> float:
    """The distance of two axes at which the base circles touch."""
    if a.internal or b.internal:
        return abs(a.base_radius_m - b.base_radius_m)
    return a.base_radius_m + b.base_radius_m


def _sign(gear: Gear) -> float:
    return -1.0 if gear.internal else 1.0


def _angle_of_involute(value: float) -> float:
    """The angle whose involute function has a value, by Newton's method."""
    if value <= 0.0:
        raise ValueError("profile shifts leave the gears no distance at which they mesh")
    angle = min(math.cbrt(3.0 * value), 1.2)
    for _ in range(60):
        tangent = math.tan(angle)
        angle -= (tangent - angle - value) / (tangent * tangent)
    return angle


def _limit_distance_m(a: Gear, b: Gear) -> float:
    """The distance at which the contact ratio comes down to the least."""
    low = mesh_distance_m(a, b)
    high = low + (-2.0 if a.internal or b.internal else 2.0) * a.module_m
    for _ in range(60):
        middle = 0.5 * (low + high)
        try:
            enough = contact_ratio(a, b, middle) >= LEAST_CONTACT_RATIO
        except ValueError:
            enough = False
        low, high = (middle, high) if enough else (low, middle)
    return low
