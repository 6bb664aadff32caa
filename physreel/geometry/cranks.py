"""Slider-cranks: where a piston is for each angle of its crank, read off the joints of a spec; what gas in them is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.errors import SpecError
from physreel.spec import GasCylinder, Joint, SceneSpec

Floats = NDArray[np.float64]

POLYTROPIC = 1.32
"""Exponent of compression and expansion: not 1.4, which stands for the heat that goes to the walls."""

EXHAUST_K = 700.0
"""Temperature of what leaves a cylinder."""

_ASIDE_SHARE = 0.02
"""Of the stroke: how far a piston's line may miss the crank's axis, or a crank pin its circle."""

_ANGLE_DEG = 1.0


@dataclass(frozen=True, kw_only=True)
class SliderCrank:
    """A crank that turns about a hinge and moves a piston on a line through that hinge.

    Angles are those of the crank from top dead centre, where the piston is farthest from the hinge.

    Attributes:
        crank: index of the crank's hinge.
        piston: index of the piston's slide.
        radius_m: of the crank pin's circle: half the stroke.
        rod_m: from crank pin to piston pin.
        start_rad: the crank's angle at time 0; later it is that plus the hinge's position.
        outward: 1.0 where the slide's axis points away from the crank, else -1.0.
    """

    crank: int
    piston: int
    radius_m: float
    rod_m: float
    start_rad: float
    outward: float

    @classmethod
    def of(cls, spec: SceneSpec, cylinder: GasCylinder) -> SliderCrank:
        """Read the mechanism of a cylinder off the joints at time 0.

        The piston's pin is the hinge on the piston, or on a body that a second slide or a fixed joint ties to it (play
        in the small end). The crank's angle is that of ``firing_angle_deg`` before top dead centre.

        Raises:
            SpecError: a stroke or firing angle that does not fit the joints, or a line that misses the crank.
        """
        crank, piston = (spec.joint_index(name) for name in (cylinder.crank_joint, cylinder.piston_joint))
        hinge, slide = spec.joints[crank], spec.joints[piston]
        where = f"gas_cylinders.{spec.gas_cylinders.index(cylinder)}"
        pin = _pin(spec, slide)
        if pin is None:
            raise SpecError(
                [f"{where}.piston_joint: no hinge is on the piston {slide.child!r}, so no rod can move it; add one"]
            )
        axis, line = np.asarray(hinge.axis), np.asarray(slide.axis)
        between = np.subtract(pin.anchor_m, hinge.anchor_m)
        outward = 1.0 if float(between @ line) > 0.0 else -1.0
        out = outward * line
        side = np.cross(axis, out)
        radius, problems = 0.5 * cylinder.stroke_m, []
        aside = abs(float(between @ side))
        if abs(float(axis @ line)) > 1e-3 or aside > _ASIDE_SHARE * cylinder.stroke_m:
            problems.append(
                f"{where}.piston_joint: the line of {slide.name!r} passes the axis of {hinge.name!r} "
                f"{aside * 1e3:.3g} mm aside; it must cross it at a right angle"
            )
        start = -float(np.radians(cylinder.firing_angle_deg))
        problems += _throw_problems(spec, cylinder, where, hinge, out, side)
        height = float(between @ out)
        rod = float(np.hypot(height - radius * np.cos(start), radius * np.sin(start)))
        if not problems and (height < radius * np.cos(start) or rod < 1.2 * radius):
            problems.append(
                f"{where}.stroke_m: with a stroke of {cylinder.stroke_m:g} m the rod would be {rod:.3g} m long; "
                f"it must be at least {1.2 * radius:.3g} m to let the crank turn"
            )
        if problems:
            raise SpecError(problems)
        return cls(crank=crank, piston=piston, radius_m=radius, rod_m=rod, start_rad=start, outward=outward)

    def height_m(self, angle_rad: ArrayLike) -> Floats:
        """(…,) distance of the piston's pin from the crank's axis at angles (…,)."""
        angle = np.asarray(angle_rad, np.float64)
        across = self.radius_m * np.sin(angle)
        return np.asarray(self.radius_m * np.cos(angle) + np.sqrt(self.rod_m**2 - across**2))

    @property
    def top_m(self) -> float:
        """The piston slide's position at top dead centre."""
        return float(self.outward * (self.radius_m + self.rod_m - self.height_m(self.start_rad)))


def _throw_problems(
    spec: SceneSpec, cylinder: GasCylinder, where: str, hinge: Joint, out: Floats, side: Floats
) -> list[str]:
    """What is wrong with stroke and firing angle, by the pins on the crank."""
    pins = [
        joint
        for joint in spec.joints
        if joint.kind == "hinge" and joint is not hinge and hinge.child in (joint.child, joint.parent)
    ]
    offsets = [np.subtract(joint.anchor_m, hinge.anchor_m) for joint in pins]
    flat = np.array([(float(offset @ out), float(offset @ side)) for offset in offsets]).reshape(-1, 2)
    if not len(flat):
        return []
    radii, angles = np.hypot(*flat.T), np.degrees(np.arctan2(flat[:, 1], flat[:, 0]))
    fits = np.abs(radii - 0.5 * cylinder.stroke_m) <= _ASIDE_SHARE * cylinder.stroke_m
    if not fits.any():
        strokes = ", ".join(f"{2.0 * radius:.4g}" for radius in radii)
        return [
            f"{where}.stroke_m: {cylinder.stroke_m:g} m, but pins on the crank {hinge.child!r} give strokes of "
            f"{strokes} m"
        ]
    off = (angles + cylinder.firing_angle_deg + 180.0) % 360.0 - 180.0
    if not (fits & (np.abs(off) <= _ANGLE_DEG)).any():
        right = ", ".join(f"{-angle % 360.0:.4g}°" for angle in angles[fits])
        return [
            f"{where}.firing_angle_deg: after {cylinder.firing_angle_deg:g}° no pin of the crank is at top dead "
            f"centre; pins get there after {right} (or a turn more)"
        ]
    return []


def _pin(spec: SceneSpec, slide: Joint) -> Joint | None:
    """The hinge between a piston and its rod."""
    piston = {slide.child}
    for joint in spec.joints:
        if joint is not slide and joint.kind in ("slide", "fixed") and joint.parent is not None:
            if joint.child in piston and joint.parent != slide.parent:
                piston.add(joint.parent)
            elif joint.parent in piston:
                piston.add(joint.child)
    hinges = [
        joint for joint in spec.joints if joint.kind == "hinge" and (joint.child in piston or joint.parent in piston)
    ]
    return hinges[0] if hinges else None
