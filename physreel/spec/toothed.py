"""Toothed and ring shapes: involute gears, racks, rings. Their geometry is in geometry.gears and geometry.profiles."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from physreel.spec.base import NonNegative, Positive, SpecModel

ADDENDUM, DEDENDUM = 1.0, 1.25
"""Height of a tooth above and below the pitch circle, in modules (ISO 53, profile A)."""

LEAST_TIP = 0.2
"""A tooth's least width at its tip, in modules."""

MOST_ERROR, MOST_RUNOUT = 0.1, 0.25
"""Most that a flank may be off its place, and the teeth off their axis, in modules: beyond it they do not mesh."""

MOST_TEETH = 240
"""Of a gear or rack."""

_SLIGHT_UNDERCUT = 0.01
"""In modules: so little is let pass, as in practice (17 teeth at 20° are cut without shift)."""

PressureAngle = Annotated[float, Field(ge=14.0, le=30.0)]


def involute(angle_rad: float) -> float:
    """The involute function tan α - α."""
    return math.tan(angle_rad) - angle_rad


class Gear(SpecModel):
    """A straight-toothed involute gear that turns about z; tooth 0 is centred on + x, the others follow with +z turns.

    It spans z = ± width_m / 2. Pitch radius is module · teeth / 2. ``profile_shift`` (in modules) moves the teeth
    outwards. ``thinning_m`` is taken off each tooth's thickness at the pitch circle: two meshing gears at their nominal
    distance have the sum of theirs as backlash. An ``internal`` gear is a ring with its teeth on the inside, ``rim_m``
    thick beyond their roots; an external one is solid but for ``bore_radius_m``, or has ``spoke_count`` spokes between
    hub and rim. Teeth in ``missing_teeth`` are not there. Of workmanship: ``runout_m`` is how far the teeth's circle is
    from the axis (towards tooth 0), ``tooth_errors_m`` by how much each flank stands proud (one for each tooth).
    """

    kind: Literal["gear"] = "gear"
    module_m: Positive
    tooth_count: Annotated[int, Field(ge=1, le=MOST_TEETH)]
    width_m: Positive
    pressure_angle_deg: PressureAngle = 20.0
    profile_shift: Annotated[float, Field(ge=-1.0, le=1.5)] = 0.0
    thinning_m: NonNegative = 0.0
    internal: bool = False
    rim_m: NonNegative = 0.0
    bore_radius_m: NonNegative = 0.0
    spoke_count: Annotated[int, Field(ge=0, le=12)] = 0
    missing_teeth: tuple[Annotated[int, Field(ge=0)], ...] = ()
    runout_m: NonNegative = 0.0
    tooth_errors_m: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _can_be_cut(self) -> Gear:
        problems = gear_problems(
            self.tooth_count,
            pressure_angle_deg=self.pressure_angle_deg,
            profile_shift=self.profile_shift,
            internal=self.internal,
        )
        absent = [k for k in self.missing_teeth if k >= self.tooth_count]
        if absent:
            problems.append(f"missing_teeth: there is no tooth {absent[0]}; teeth are 0 to {self.tooth_count - 1}")
        if self.tooth_errors_m and len(self.tooth_errors_m) != self.tooth_count:
            problems.append(f"tooth_errors_m has {len(self.tooth_errors_m)} values for {self.tooth_count} teeth")
        if self.internal and self.rim_m <= 0.0:
            problems.append("an internal gear needs rim_m, the thickness of its ring beyond the roots")
        if not problems:
            problems += self._workmanship()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _workmanship(self) -> list[str]:
        """What is too large of a gear that could be cut."""
        problems = []
        worst = max(map(abs, self.tooth_errors_m), default=0.0)
        if worst > MOST_ERROR * self.module_m:
            problems.append(
                f"tooth_errors_m: flanks are up to {worst:g} m off their place; at most {MOST_ERROR:g} of the module, "
                f"{MOST_ERROR * self.module_m:.4g} m"
            )
        if self.runout_m > MOST_RUNOUT * self.module_m:
            most = MOST_RUNOUT * self.module_m
            problems.append(f"runout_m: {self.runout_m:g}; at most {MOST_RUNOUT:g} of the module, {most:.4g} m")
        if self.internal and self.rim_m <= self.runout_m:
            problems.append(f"rim_m: {self.rim_m:g}; it must be above runout_m, {self.runout_m:g} m")
        # Beside a runout or error that is too large, others are told what will be right with one that is not.
        widest = self.root_radius_m - min(self.runout_m, MOST_RUNOUT * self.module_m)
        if not self.internal and self.bore_radius_m >= widest:
            problems.append(
                f"bore_radius_m: {self.bore_radius_m:g} is not below the root radius less runout_m, {widest:.4g} m"
            )
        if self.thinning_m >= (most := self.most_thinning_m):
            problems.append(
                f"thinning_m: {self.thinning_m:g} takes all of a tooth away at its tip; it must be below {most:.4g} m"
            )
        return problems

    @property
    def pitch_radius_m(self) -> float:
        """Module times teeth over two."""
        return 0.5 * self.module_m * self.tooth_count

    @property
    def base_radius_m(self) -> float:
        """Of the circle that the involute unwinds from."""
        return self.pitch_radius_m * math.cos(math.radians(self.pressure_angle_deg))

    @property
    def tip_radius_m(self) -> float:
        """Of the circle through the tips; an internal gear's is the smaller one."""
        out = ADDENDUM + self.profile_shift if not self.internal else self.profile_shift - ADDENDUM
        return self.pitch_radius_m + self.module_m * out

    @property
    def root_radius_m(self) -> float:
        """Of the circle through the roots; an internal gear's is the larger one."""
        out = self.profile_shift - DEDENDUM if not self.internal else self.profile_shift + DEDENDUM
        return self.pitch_radius_m + self.module_m * out

    @property
    def outer_radius_m(self) -> float:
        """How far the gear reaches from its axis."""
        return self.root_radius_m + self.rim_m if self.internal else self.tip_radius_m

    @property
    def half_tooth_rad(self) -> float:
        """Half the angle that a tooth takes up at the pitch circle."""
        shift = 2.0 * self.profile_shift * math.tan(math.radians(self.pressure_angle_deg)) / self.tooth_count
        half = 0.5 * math.pi / self.tooth_count + (-shift if self.internal else shift)
        return half - 0.5 * self.thinning_m / self.pitch_radius_m

    @property
    def most_thinning_m(self) -> float:
        """Thinning that would leave nothing of the thinnest tooth at its tip or pitch circle."""
        alpha, pitch, tip = math.radians(self.pressure_angle_deg), self.pitch_radius_m, self.tip_radius_m
        roll = involute(math.acos(min(self.base_radius_m / tip, 1.0))) - involute(alpha)
        half = self.half_tooth_rad + 0.5 * self.thinning_m / pitch
        deepest = min(-min((0.0, *self.tooth_errors_m)), MOST_ERROR * self.module_m)
        return 2.0 * pitch * min(half, half + roll if self.internal else half - roll) - 2.0 * deepest


class Rack(SpecModel):
    """A straight toothed bar: its pitch line is the x axis, its teeth point to + y, it spans z = ± width_m / 2.

    Tooth k of n is centred at x = (k - (n - 1) / 2) · π · module. ``back_m`` is its thickness below the roots.
    """

    kind: Literal["rack"] = "rack"
    module_m: Positive
    tooth_count: Annotated[int, Field(ge=1, le=MOST_TEETH)]
    width_m: Positive
    pressure_angle_deg: PressureAngle = 20.0
    thinning_m: NonNegative = 0.0
    back_m: Positive
    missing_teeth: tuple[Annotated[int, Field(ge=0)], ...] = ()

    @model_validator(mode="after")
    def _can_be_cut(self) -> Rack:
        problems = []
        absent = [k for k in self.missing_teeth if k >= self.tooth_count]
        if absent:
            problems.append(f"missing_teeth: there is no tooth {absent[0]}; teeth are 0 to {self.tooth_count - 1}")
        slope = math.tan(math.radians(self.pressure_angle_deg))
        most = self.module_m * (0.5 * math.pi - 2.0 * ADDENDUM * slope)
        if self.thinning_m >= most:
            problems.append(
                f"thinning_m: {self.thinning_m:g} takes all of a tooth away at its tip; it must be below {most:.4g} m"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def pitch_m(self) -> float:
        """From tooth to tooth."""
        return math.pi * self.module_m

    @property
    def length_m(self) -> float:
        """Of the bar along x."""
        return self.tooth_count * self.pitch_m


class Ring(SpecModel):
    """A ring about z with a rectangular section; it spans z = ± height_m / 2."""

    kind: Literal["ring"] = "ring"
    inner_radius_m: Positive
    outer_radius_m: Positive
    height_m: Positive

    @model_validator(mode="after")
    def _has_a_wall(self) -> Ring:
        if self.outer_radius_m <= self.inner_radius_m:
            raise ValueError(
                f"outer_radius_m {self.outer_radius_m:g} must be above inner_radius_m {self.inner_radius_m:g}"
            )
        return self


def least_profile_shift(tooth_count: int, pressure_angle_deg: float) -> float:
    """The profile shift below which a rack-shaped cutter cuts away the feet of the teeth."""
    return ADDENDUM - _SLIGHT_UNDERCUT - 0.5 * tooth_count * math.sin(math.radians(pressure_angle_deg)) ** 2


def tip_width(tooth_count: int, pressure_angle_deg: float, profile_shift: float) -> float:
    """Width of an external tooth at its tip, in modules."""
    alpha = math.radians(pressure_angle_deg)
    pitch = 0.5 * tooth_count
    tip = pitch + ADDENDUM + profile_shift
    cosine = pitch * math.cos(alpha) / tip
    half = 0.5 * math.pi / tooth_count + 2.0 * profile_shift * math.tan(alpha) / tooth_count
    return 2.0 * tip * (half + involute(alpha) - involute(math.acos(min(cosine, 1.0))))


def ring_gap(tooth_count: int, pressure_angle_deg: float, profile_shift: float) -> float:
    """Width of the gap between two teeth of an internal gear at their roots, in modules; < 0 where it is closed."""
    alpha = math.radians(pressure_angle_deg)
    pitch = 0.5 * tooth_count
    root = pitch + DEDENDUM + profile_shift
    half = 0.5 * math.pi / tooth_count - 2.0 * profile_shift * math.tan(alpha) / tooth_count
    half += involute(math.acos(min(pitch * math.cos(alpha) / root, 1.0))) - involute(alpha)
    return 2.0 * root * (math.pi / tooth_count - half)


def _closed_gaps(tooth_count: int, pressure_angle_deg: float, profile_shift: float) -> list[str]:
    if ring_gap(tooth_count, pressure_angle_deg, profile_shift) > 0.0:
        return []
    text = (
        f"an internal gear of {tooth_count} teeth at {pressure_angle_deg:g}° with profile shift {profile_shift:g} "
        "would have no gaps between its teeth at their roots; "
    )
    more = range(tooth_count + 1, MOST_TEETH + 1)
    enough = next((n for n in more if ring_gap(n, pressure_angle_deg, profile_shift) > 0.0), None)
    # With less shift the tips come nearer to the base circle.
    low = max(-1.0, ADDENDUM - 0.5 * tooth_count * (1.0 - math.cos(math.radians(pressure_angle_deg))))
    ways = [] if enough is None else [f"give it at least {enough} teeth"]
    shifts = (low + (profile_shift - low) * k / 400.0 for k in range(400, -1, -1))
    less = next((x for x in shifts if ring_gap(tooth_count, pressure_angle_deg, x) > 0.0), None)
    if less is not None and math.floor(less * 1000.0) / 1000.0 >= low:
        ways.append(f"set profile_shift to at most {math.floor(less * 1000.0) / 1000.0:g}")
    return [text + (", or ".join(ways) or "give it more teeth and a smaller pressure_angle_deg or profile_shift")]


def gear_problems(
    tooth_count: int, *, pressure_angle_deg: float, profile_shift: float, internal: bool = False
) -> list[str]:
    """Why such a gear cannot be cut, each with what could; none if it can."""
    if internal:
        least = math.ceil(2.0 * (ADDENDUM - profile_shift) / (1.0 - math.cos(math.radians(pressure_angle_deg))) + 1e-9)
        if tooth_count < least:
            return [
                f"an internal gear of {tooth_count} teeth at {pressure_angle_deg:g}° would have its tips inside the "
                f"base circle; give it at least {least} teeth"
            ]
        return _closed_gaps(tooth_count, pressure_angle_deg, profile_shift)
    shift = least_profile_shift(tooth_count, pressure_angle_deg)
    if profile_shift < shift - 1e-9:
        half_square = 0.5 * math.sin(math.radians(pressure_angle_deg)) ** 2
        plain = math.ceil((ADDENDUM - _SLIGHT_UNDERCUT - profile_shift) / half_square - 1e-9)
        fewest = fewest_teeth(pressure_angle_deg)
        text = (
            f"a gear of {tooth_count} teeth at {pressure_angle_deg:g}° with profile shift {profile_shift:g} would be "
            f"undercut; give it at least {plain} teeth"
        )
        if tooth_count >= fewest:
            text += f", or a profile shift of at least {math.ceil(shift * 1000) / 1000:g}"
        elif fewest < plain:
            text += f" (with profile shift, {fewest} to {plain - 1} can be cut too)"
        return [text]
    if tip_width(tooth_count, pressure_angle_deg, profile_shift) < LEAST_TIP:
        low = shift
        high = profile_shift
        if tip_width(tooth_count, pressure_angle_deg, low) < LEAST_TIP:
            return [
                f"a gear of {tooth_count} teeth at {pressure_angle_deg:g}° is either undercut or pointed; "
                f"give it at least {fewest_teeth(pressure_angle_deg)} teeth"
            ]
        for _ in range(40):
            middle = 0.5 * (low + high)
            wide = tip_width(tooth_count, pressure_angle_deg, middle) >= LEAST_TIP
            low, high = (middle, high) if wide else (low, middle)
        return [
            f"a gear of {tooth_count} teeth with profile shift {profile_shift:g} would have pointed teeth; "
            f"set profile_shift to at most {math.floor(low * 1000) / 1000:g}"
        ]
    return []


def fewest_teeth(pressure_angle_deg: float) -> int:
    """The fewest teeth that profile shift makes possible: neither undercut nor pointed."""
    count = 4
    while tip_width(count, pressure_angle_deg, least_profile_shift(count, pressure_angle_deg)) < LEAST_TIP:
        count += 1
    return count
