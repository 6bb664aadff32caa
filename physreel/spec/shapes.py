"""Shapes, each in its own frame. Lengths are metres; axes of revolution are z.

The frame of a shape is the frame of its body: poses in a spec and in a trajectory are poses of this frame.
Its centre of mass is at the origin except for cones, hulls and compounds (see geometry.mass_properties).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from physreel.spec.base import IDENTITY, NonNegative, Positive, Quat, SpecModel, Vec3
from physreel.spec.toothed import Gear, Rack, Ring


class Box(SpecModel):
    """A cuboid centred on the origin, edges along the axes; ``size_m`` are full edge lengths."""

    kind: Literal["box"] = "box"
    size_m: tuple[Positive, Positive, Positive]


class Sphere(SpecModel):
    """A ball centred on the origin."""

    kind: Literal["sphere"] = "sphere"
    radius_m: Positive


class Cylinder(SpecModel):
    """A solid cylinder along z, centred on the origin: it spans z = ± height_m / 2."""

    kind: Literal["cylinder"] = "cylinder"
    radius_m: Positive
    height_m: Positive


class Capsule(SpecModel):
    """A cylinder along z of ``length_m`` between the centres of its two half-ball caps."""

    kind: Literal["capsule"] = "capsule"
    radius_m: Positive
    length_m: Positive


class Cone(SpecModel):
    """A solid cone along z: base disc at z = -height_m / 2, apex at z = + height_m / 2.

    Its centre of mass is at z = -height_m / 4.
    """

    kind: Literal["cone"] = "cone"
    radius_m: Positive
    height_m: Positive


class Ellipsoid(SpecModel):
    """An ellipsoid centred on the origin with half-axes along x, y, z."""

    kind: Literal["ellipsoid"] = "ellipsoid"
    radii_m: tuple[Positive, Positive, Positive]


class ConvexHull(SpecModel):
    """The convex hull of the given points (at least four, not all in one plane)."""

    kind: Literal["convex_hull"] = "convex_hull"
    points_m: Annotated[tuple[Vec3, ...], Field(min_length=4, max_length=256)]

    @model_validator(mode="after")
    def _spans_space(self) -> ConvexHull:
        import numpy as np

        points = np.asarray(self.points_m)
        spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
        if spread[0] == 0.0 or spread[2] < 1e-6 * spread[0]:
            raise ValueError("the points lie in one plane and enclose no volume; move one out of it")
        return self


ConvexShape = Annotated[Box | Sphere | Cylinder | Capsule | Cone | Ellipsoid | ConvexHull, Field(discriminator="kind")]


class Piece(SpecModel):
    """One convex piece of a compound, placed in the compound's frame."""

    shape: ConvexShape
    position_m: Vec3 = (0.0, 0.0, 0.0)
    orientation_wxyz: Quat = IDENTITY


MASSLESS = ("plane", "triangle_mesh", "vessel", "tank")
"""Kinds of shape that never move by forces, and so have no mass."""


class Compound(SpecModel):
    """Convex pieces glued together. Where pieces overlap, the overlap's mass counts twice: avoid it."""

    kind: Literal["compound"] = "compound"
    pieces: Annotated[tuple[Piece, ...], Field(min_length=1, max_length=256)]


class TriangleMesh(SpecModel):
    """A triangle surface, counter-clockwise seen from outside. For static and driven bodies only."""

    kind: Literal["triangle_mesh"] = "triangle_mesh"
    vertices_m: Annotated[tuple[Vec3, ...], Field(min_length=3)]
    faces: Annotated[tuple[tuple[int, int, int], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _indices_exist(self) -> TriangleMesh:
        top = max(max(face) for face in self.faces)
        low = min(min(face) for face in self.faces)
        if low < 0 or top >= len(self.vertices_m):
            raise ValueError(f"faces name vertices {low}..{top}, but there are only 0..{len(self.vertices_m) - 1}")
        return self


class Plane(SpecModel):
    """The infinite plane z = 0 of its frame, solid below. For static bodies only (floors, walls)."""

    kind: Literal["plane"] = "plane"


class Vessel(SpecModel):
    """A hollow solid of revolution about z, open at the top: a glass, bowl, jug or bottle.

    ``profile_m`` are (r, z) points of the inside, from the middle of its floor up to the rim; the underside stands at
    z = 0, so the first z is the thickness of the floor. A first r above 0 leaves a round hole of that radius in the
    floor. ``wall_m`` is the thickness of the wall, measured outwards from the inside. Static and driven bodies only.
    """

    kind: Literal["vessel"] = "vessel"
    profile_m: Annotated[tuple[tuple[NonNegative, Positive], ...], Field(min_length=2, max_length=64)]
    wall_m: Positive

    @model_validator(mode="after")
    def _profile_rises(self) -> Vessel:
        problems = []
        for k, ((r0, z0), (r1, z1)) in enumerate(pairwise(self.profile_m)):
            if z1 < z0:
                problems.append(f"profile_m.{k + 1}: z must not fall from point to point, got {z0:g} then {z1:g}")
            elif z1 == z0 and r1 <= r0:
                problems.append(f"profile_m.{k + 1}: where z stays, r must grow, got {r0:g} then {r1:g}")
            if r1 <= 0.0:
                problems.append(f"profile_m.{k + 1}: only the first point may be on the axis")
        if self.profile_m[-1][1] <= self.profile_m[0][1]:
            problems.append("profile_m: the rim must be above the floor")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def floor_z_m(self) -> float:
        """Height of the inside floor's middle above the underside."""
        return self.profile_m[0][1]

    @property
    def rim_z_m(self) -> float:
        """Height of the rim above the underside."""
        return self.profile_m[-1][1]


class Tank(SpecModel):
    """A hollow box, open at the top; the middle of its underside is the origin.

    ``inside_m`` are width, depth and height of the inside. ``hole_m`` is a square hole of that width through the wall
    at + x (its middle ``hole_height_m`` above the inside floor), or none. Static and driven bodies only.
    """

    kind: Literal["tank"] = "tank"
    inside_m: tuple[Positive, Positive, Positive]
    wall_m: Positive
    hole_m: NonNegative = 0.0
    hole_height_m: NonNegative = 0.0

    @model_validator(mode="after")
    def _hole_fits(self) -> Tank:
        _, depth, height = self.inside_m
        low, high = self.hole_height_m - self.hole_m / 2, self.hole_height_m + self.hole_m / 2
        if self.hole_m and (low < -1e-9 or high >= height or self.hole_m >= depth):
            raise ValueError(
                f"the hole spans {low:g} to {high:g} m above the floor and {self.hole_m:g} m across; the wall there is "
                f"0 to {height:g} m high and {depth:g} m wide"
            )
        return self

    @property
    def floor_z_m(self) -> float:
        """Height of the inside floor above the underside."""
        return self.wall_m

    @property
    def rim_z_m(self) -> float:
        """Height of the rim above the underside."""
        return self.wall_m + self.inside_m[2]


Shape = Annotated[
    Box
    | Sphere
    | Cylinder
    | Capsule
    | Cone
    | Ellipsoid
    | ConvexHull
    | Compound
    | TriangleMesh
    | Plane
    | Vessel
    | Tank
    | Gear
    | Rack
    | Ring,
    Field(discriminator="kind"),
]
