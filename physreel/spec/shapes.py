"""Shapes, each in its own frame. Lengths are metres; axes of revolution are z.

The frame of a shape is the frame of its body: poses in a spec and in a trajectory are poses of this frame.
Its centre of mass is at the origin except for cones, hulls and compounds (see geometry.mass_properties).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from physreel.spec.base import IDENTITY, Positive, Quat, SpecModel, Vec3


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


Shape = Annotated[
    Box | Sphere | Cylinder | Capsule | Cone | Ellipsoid | ConvexHull | Compound | TriangleMesh | Plane,
    Field(discriminator="kind"),
]
