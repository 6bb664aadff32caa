"""Bodies, and the joints and couplings between them."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from physreel.spec.base import IDENTITY, Name, NonNegative, Positive, Quat, SpecModel, UnitVec3, Vec3
from physreel.spec.looks import Look
from physreel.spec.shapes import MASSLESS, Shape

MOST_PLAY_M = 0.006
"""Limits of a slide no farther apart than this are a fit with play: stops of an engine on its mount are 5 mm apart,
play of a worn rod is below 2 mm."""


class Keyframe(SpecModel):
    """A pose that a driven body passes through; straight lines and slerp between keyframes, held after the last."""

    time_s: NonNegative
    position_m: Vec3
    orientation_wxyz: Quat = IDENTITY


class Body(SpecModel):
    """A rigid body. Pose is that of the shape's frame in the world; velocity that of the centre of mass.

    ``motion``: ``dynamic`` obeys forces, ``static`` never moves, ``driven`` follows ``keyframes`` whatever it meets,
    ``carried`` is part of a machine (a belt's link, a ball in a bearing) that moves it and touches nothing itself.
    ``mass_kg`` and ``inertia_kg_m2`` (principal, about the centre of mass, along the body axes) default to those of
    the solid shape at the material's density. ``label`` is what captions and questions call it ("red rubber ball").
    """

    name: Name
    shape: Shape
    material: Name
    motion: Literal["dynamic", "static", "driven", "carried"] = "dynamic"
    position_m: Vec3 = (0.0, 0.0, 0.0)
    orientation_wxyz: Quat = IDENTITY
    velocity_m_s: Vec3 = (0.0, 0.0, 0.0)
    angular_velocity_rad_s: Vec3 = (0.0, 0.0, 0.0)
    keyframes: tuple[Keyframe, ...] = ()
    mass_kg: Positive | None = None
    inertia_kg_m2: tuple[Positive, Positive, Positive] | None = None
    look: Look | None = None
    label: str = ""

    @model_validator(mode="after")
    def _motion_fits(self) -> Body:
        problems = []
        if self.motion == "dynamic" and self.shape.kind in MASSLESS:
            problems.append(f"a {self.shape.kind} cannot be dynamic; make it static or use convex pieces")
        if self.motion in ("driven", "carried") and self.shape.kind == "plane":
            problems.append(f"a plane cannot be {self.motion}; use a box")
        if (self.motion == "driven") != bool(self.keyframes):
            problems.append("keyframes are needed by, and only by, driven bodies")
        times = [key.time_s for key in self.keyframes]
        if any(later <= earlier for earlier, later in pairwise(times)):
            problems.append(f"keyframe times must increase, got {times}")
        if self.motion != "dynamic" and (any(self.velocity_m_s) or any(self.angular_velocity_rad_s)):
            problems.append("only dynamic bodies have an initial velocity")
        if self.inertia_kg_m2 is not None:
            a, b, c = sorted(self.inertia_kg_m2)
            if a + b < c * (1.0 - 1e-9):
                problems.append(
                    f"inertia {self.inertia_kg_m2} breaks the triangle rule a + b >= c; no real body has it"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Motor(SpecModel):
    """Drives a hinge or slide: towards ``speed`` (rad/s or m/s) with at most ``max_effort`` (N·m or N).

    It is off before ``start_s``, and wants a speed that grows evenly to the full one over the ``ramp_s`` after that.
    """

    speed: float
    max_effort: Positive
    start_s: NonNegative = 0.0
    ramp_s: NonNegative = 0.0


class Joint(SpecModel):
    """Ties ``child`` to ``parent`` (None: the world). Anchor and axis are in the world frame at time 0.

    ``hinge`` turns about the axis, ``slide`` moves along it, ``ball`` turns freely about the anchor, ``fixed`` welds.
    Positions are 0 at time 0, in rad or m; ``limits`` bound them. ``stiffness`` (N·m/rad or N/m) pulls to ``rest``.
    ``friction`` (N·m or N) is a dry friction, as of a brake or a tight fit; a joint with a motor has none of its own.
    A slide whose limits are at most MOST_PLAY_M (6 mm) apart is a fit with play: it knocks at its ends (``has_play``).
    """

    name: Name
    kind: Literal["hinge", "slide", "ball", "fixed"]
    child: Name
    parent: Name | None = None
    anchor_m: Vec3 = (0.0, 0.0, 0.0)
    axis: UnitVec3 = (0.0, 0.0, 1.0)
    limits: tuple[float, float] | None = None
    damping: NonNegative = 0.0
    friction: NonNegative = 0.0
    stiffness: NonNegative = 0.0
    rest: float = 0.0
    motor: Motor | None = None
    collide_connected: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Joint:
        problems = []
        if self.limits is not None and self.limits[0] >= self.limits[1]:
            problems.append(f"limits must be (low, high) with low < high, got {self.limits}")
        if self.kind in ("ball", "fixed") and (self.limits or self.motor or self.stiffness or self.friction):
            problems.append(f"a {self.kind} joint has no limits, motor, stiffness or friction")
        if self.motor is not None and self.friction:
            problems.append("a joint with a motor has no friction of its own; brake another joint of the machine")
        if self.parent == self.child:
            problems.append("parent and child are the same body")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def has_play(self) -> bool:
        """Whether it is a slide that knocks between stops close together; only engines of machines tell such blows."""
        return self.kind == "slide" and self.limits is not None and self.limits[1] - self.limits[0] <= MOST_PLAY_M


class Coupling(SpecModel):
    """Holds position(joint_b) = ratio × position(joint_a): a belt, a rope over a pulley, a rack."""

    name: Name
    joint_a: Name
    joint_b: Name
    ratio: Annotated[float, Field()]
