"""Volume, centre of mass and inertia of shapes and bodies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hulls import hull_faces
from physreel.geometry.profile_meshes import profile_surface
from physreel.geometry.rotations import wxyz_to_matrix
from physreel.spec import (
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Gear,
    Material,
    Rack,
    Ring,
    Shape,
    Sphere,
)
from physreel.spec.shapes import MASSLESS as MASSLESS


@dataclass(frozen=True, eq=False)
class MassProperties:
    """``mass`` (kg, or m³ for unit density), ``center`` (3,) in the shape's frame, ``inertia`` (3, 3) about it."""

    mass: float
    center: NDArray[np.float64]
    inertia: NDArray[np.float64]


def mass_properties(shape: Shape, density: float = 1.0) -> MassProperties:
    """Of the solid shape. Those of MASSLESS kinds have none (ValueError): they never move by forces."""
    volume, center, inertia = _unit_density(shape)
    return MassProperties(density * volume, center, density * inertia)


def body_mass_properties(body: Body, material: Material) -> MassProperties:
    """Of a body: the solid's at the material's density, with the body's own mass and inertia where it gives them."""
    solid = mass_properties(body.shape, material.density_kg_m3)
    mass = solid.mass if body.mass_kg is None else body.mass_kg
    inertia = solid.inertia * (mass / solid.mass) if body.inertia_kg_m2 is None else np.diag(body.inertia_kg_m2)
    return MassProperties(mass, solid.center, inertia)


def mass_center_m(body: Body) -> NDArray[np.float64]:
    """(3,) the centre of mass in the body's frame; the origin for planes, meshes and vessels, which have none."""
    if body.shape.kind in MASSLESS:
        return np.zeros(3)
    return mass_properties(body.shape).center


def _unit_density(shape: Shape) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    origin = np.zeros(3)
    match shape:
        case Box(size_m=(a, b, c)):
            v = a * b * c
            return v, origin, v / 12 * np.diag([b * b + c * c, a * a + c * c, a * a + b * b])
        case Sphere(radius_m=r):
            v = 4 / 3 * np.pi * r**3
            return v, origin, 0.4 * v * r * r * np.eye(3)
        case Ellipsoid(radii_m=(a, b, c)):
            v = 4 / 3 * np.pi * a * b * c
            return v, origin, v / 5 * np.diag([b * b + c * c, a * a + c * c, a * a + b * b])
        case Cylinder(radius_m=r, height_m=h):
            v = np.pi * r * r * h
            side = v * (3 * r * r + h * h) / 12
            return v, origin, np.diag([side, side, v * r * r / 2])
        case Capsule(radius_m=r, length_m=h):
            tube, ball = np.pi * r * r * h, 4 / 3 * np.pi * r**3
            side = tube * (3 * r * r + h * h) / 12 + ball * (0.4 * r * r + h * h / 4 + 3 * h * r / 8)
            return tube + ball, origin, np.diag([side, side, tube * r * r / 2 + 0.4 * ball * r * r])
        case Cone(radius_m=r, height_m=h):
            v = np.pi * r * r * h / 3
            side = v * (3 * r * r / 20 + 3 * h * h / 80)
            return v, np.array([0, 0, -h / 4]), np.diag([side, side, 0.3 * v * r * r])
        case ConvexHull():
            return _polyhedron(*hull_faces(shape))
        case Ring(inner_radius_m=a, outer_radius_m=b, height_m=h):
            v = np.pi * (b * b - a * a) * h
            side = v * (3 * (a * a + b * b) + h * h) / 12
            return v, origin, np.diag([side, side, v * (a * a + b * b) / 2])
        case Gear() | Rack():
            return _toothed(shape)
        case Compound():
            parts = []
            for piece in shape.pieces:
                v, center, inertia = _unit_density(piece.shape)
                rotation = wxyz_to_matrix(piece.orientation_wxyz)
                parts.append((v, rotation @ center + piece.position_m, rotation @ inertia @ rotation.T))
            volume = math.fsum(v for v, _, _ in parts)
            middle = sum((v * center for v, center, _ in parts), np.zeros(3)) / volume
            total = np.zeros((3, 3))
            for v, center, inertia in parts:
                arm = center - middle
                total += inertia + v * (arm @ arm * np.eye(3) - np.outer(arm, arm))
            return volume, middle, total
    raise ValueError(f"a {shape.kind} has no mass: it cannot be moved by forces")


@lru_cache(maxsize=256)
def _toothed(shape: Gear | Rack) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    volume, center, inertia = _polyhedron(*profile_surface(shape))
    # What is even about an axis stays so to the last bit: a wheel in balance must not begin to turn by itself.
    size = float(np.sqrt(np.trace(inertia) / volume))
    center[np.abs(center) < 1e-12 * size] = 0.0
    inertia[np.abs(inertia) < 1e-12 * float(np.trace(inertia))] = 0.0
    center.flags.writeable = inertia.flags.writeable = False
    return volume, center, inertia


def _polyhedron(
    vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    # Tetrahedra from the vertices' mean to each face, negative where that is seen from inside; the second moment of a
    # tetrahedron with corners 0, a, b, c is V / 20 (sum of outer products of corners + outer product of their sum).
    apex = vertices.mean(0)
    corners = vertices[faces] - apex
    volumes = np.linalg.det(corners) / 6
    volume = float(volumes.sum())
    sums = corners.sum(1)
    center = (volumes[:, None] * sums / 4).sum(0) / volume
    second = np.einsum("f,fci,fcj->ij", volumes, corners, corners) + np.einsum("f,fi,fj->ij", volumes, sums, sums)
    second = second / 20 - volume * np.outer(center, center)
    return volume, apex + center, np.trace(second) * np.eye(3) - second
