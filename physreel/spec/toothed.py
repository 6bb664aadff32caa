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
    tooth_count: Annotated[int, Field(ge=1, le=240)]
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
        if not self.internal and self.bore_radius_m >= self.root_radius_m:
            problems.append(
                f"bore_radius_m {self.bore_radius_m:g} is not below the root radius {self.root_radius_m:.4g}"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

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


class Rack(SpecModel):
    """A straight toothed bar: its pitch line is the x axis, its teeth point to + y, it spans z = ± width_m / 2.

    Tooth k of n is centred at x = (k - (n - 1) / 2) · π · module. ``back_m`` is its thickness below the roots.
    """

    kind: Literal["rack"] = "rack"
    module_m: Positive
    tooth_count: Annotated[int, Field(ge=1, le=240)]
    width_m: Positive
    pressure_angle_deg: PressureAngle = 20.0
    thinning_m: NonNegative = 0.0
    back_m: Positive
    missing_teeth: tuple[Annotated[int, Field(ge=0)], ...] = ()

    @model_validator(mode="after")
    def _teeth_are_there(self) -> Rack:
        absent = [k for k in self.missing_teeth if k >= self.tooth_count]
        if absent:
            raise ValueError(f"missing_teeth: there is no tooth {absent[0]}; teeth are 0 to {self.tooth_count - 1}")
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
        return []
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
