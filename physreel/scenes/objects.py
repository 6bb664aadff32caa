"""Everyday objects: a shape, a material, a colour and the words for them. Shared by scenes that need things to move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from physreel.analysis.draws import pick
from physreel.spec import (
    MATERIALS,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Look,
    Piece,
    Shape,
    Sphere,
    Texture,
)

OBJECT_SHAPES = ("box", "sphere", "cylinder", "capsule", "cone", "ellipsoid", "convex_hull", "compound")
OBJECT_MATERIALS = ("steel", "aluminium", "glass", "ceramic", "oak", "pine", "rubber", "ABS", "cork", "ice")

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.60, 0.045, 0.035),
    "orange": (0.80, 0.25, 0.03),
    "yellow": (0.80, 0.56, 0.05),
    "green": (0.06, 0.32, 0.08),
    "turquoise": (0.03, 0.40, 0.38),
    "blue": (0.035, 0.12, 0.50),
    "purple": (0.24, 0.06, 0.36),
    "pink": (0.78, 0.27, 0.38),
    "white": (0.80, 0.80, 0.78),
    "black": (0.025, 0.025, 0.027),
}
"""Linear reflectances of the colours that labels name."""

_PAINTED = ("rubber", "ABS", "ceramic")
_WORDS = {"ABS": "plastic"}


@dataclass(frozen=True)
class DrawnObject:
    """A shape with a look and a name for it; ``radius_m`` of the ball about the frame's origin that holds it."""

    shape: Shape
    material: str
    look: Look
    label: str
    radius_m: float


def draw_object(rng: np.random.Generator, kind: str, material: str, size_m: float) -> DrawnObject:
    """An object of the given kind of shape whose largest extent is about ``size_m``."""
    shape, noun, radius = _SHAPERS[kind](rng, size_m)
    look, color = draw_look(rng, material)
    return DrawnObject(shape, material, look, describe(color, material, noun), radius)


def describe(color: str, material: str, noun: str) -> str:
    """What captions call a thing: "red plastic cup"; an empty colour is left out."""
    return " ".join(word for word in (color, _WORDS.get(material, material), noun) if word)


def draw_look(rng: np.random.Generator, material: str) -> tuple[Look, str]:
    """A look of that material, and the colour's name if it has one to be called by (else "")."""
    base = MATERIALS[material].look
    if material in _PAINTED:
        color = pick(rng, tuple(COLORS))
        texture = None
        if material != "rubber" and rng.random() < 0.25:
            texture = Texture(
                kind=pick(rng, ("stripes", "checker")),
                color=COLORS["white" if color != "white" else "blue"],
                scale_m=float(rng.uniform(0.015, 0.03)),
            )
        return base.model_copy(update={"color": COLORS[color], "texture": texture}), color
    if base.texture is not None:  # the grain of this piece of wood or cork
        shade = float(rng.uniform(0.8, 1.2))
        grain = base.texture.model_copy(update={"seed": int(rng.integers(2**31 - 1))})
        color_of = tuple(min(1.0, shade * channel) for channel in base.color)
        return base.model_copy(update={"color": color_of, "texture": grain}), ""
    return base, ""


def _box(rng: np.random.Generator, size: float) -> tuple[Shape, str, float]:
    form = pick(rng, ("cube", "block", "block", "plate", "bar"))
    ratios = {
        "cube": (1.0, 1.0, 1.0),
        "block": (1.0, rng.uniform(0.55, 0.8), rng.uniform(0.35, 0.55)),
        "plate": (1.0, rng.uniform(0.75, 1.0), rng.uniform(0.10, 0.18)),
        "bar": (1.2, rng.uniform(0.2, 0.3), rng.uniform(0.2, 0.3)),
    }[form]
    scale = size * (0.8 if form == "cube" else 1.0)
    x, y, z = (float(scale * ratio) for ratio in ratios)
    return Box(size_m=(x, y, z)), form, 0.5 * float(np.sqrt(x * x + y * y + z * z))


def _sphere(rng: np.random.Generator, size: float) -> tuple[Shape, str, float]:
    return Sphere(radius_m=size / 2), "ball", size / 2


def _cylinder(rng: np.random.Generator, size: float) -> tuple[Shape, str, float]:
    form = pick(rng, ("disc", "cylinder", "cylinder", "rod"))
    aspect = {"disc": rng.uniform(0.12, 0.3), "cylinder": rng.uniform(0.8, 1.4), "rod": rng.uniform(4.0, 6.0)}[form]
    diameter = size / max(1.0, aspect)
    shape = Cylinder(radius_m=float(diameter / 2), height_m=float(diameter * aspect))
    return shape, form, float(np.hypot(shape.radius_m, shape.height_m / 2))


def _capsule(rng: np.random.Generator, size: float) -> tuple[Shape, str, float]:
    radius = float(size / rng.uniform(3.0, 5.0))
    return Capsule(radius_m=radius, length_m=size - 2 * radius), "capsule", size / 2


def _cone(rng: np.random.Generator, size: float) -> tuple[Shape, str, float]:
    shape = Cone(radius_m=float(size * rng.uniform(0.35, 0.5)), height_m=size)
    return shape, "cone", float(np.hypot(shape.radius_m, size / 2))


def _ellipsoid(rng: np.random.Generator, size: float) -> tuple[Shape, str, float]:
    b, c = (float(size / 2 * rng.uniform(0.5, 0.8)) for _ in range(2))
    return Ellipsoid(radii_m=(size / 2, b, c)), "ellipsoid", size / 2


def _hull(rng: np.random.Generator, size: float) -> tuple[Shape, str, float]:
    # Points spread evenly over a flattened ball and shaken: a pebble with facets, never a sliver.
    count = int(rng.integers(10, 19))
    turn = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)
    height = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    ring = np.sqrt(1.0 - height**2)
    points = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], 1) + rng.normal(0.0, 0.12, (count, 3))
    points *= size / 2 * np.array([1.0, rng.uniform(0.7, 1.0), rng.uniform(0.5, 0.8)])
    points -= points.mean(0)
    points = np.round(points, 6)
    shape = ConvexHull(points_m=tuple((float(x), float(y), float(z)) for x, y, z in points))
    return shape, "rock" if rng.random() < 0.5 else "chunk", float(np.linalg.norm(points, axis=1).max())


def _compound(rng: np.random.Generator, size: float) -> tuple[Shape, str, float]:
    form = pick(rng, ("dumbbell", "bracket", "cross", "stool", "cup"))
    pieces: list[Piece] = []
    match form:
        case "dumbbell":
            ball, bar = 0.24 * size, 0.09 * size
            # The bar ends where the balls begin to be wider than it, so that nothing overlaps.
            half = 0.5 * size - ball - float(np.sqrt(ball**2 - bar**2))
            pieces = [
                Piece(shape=Cylinder(radius_m=bar, height_m=2 * half)),
                Piece(shape=Sphere(radius_m=ball), position_m=(0.0, 0.0, 0.5 * size - ball)),
                Piece(shape=Sphere(radius_m=ball), position_m=(0.0, 0.0, ball - 0.5 * size)),
            ]
        case "bracket":
            a, w, t = size, float(size * rng.uniform(0.3, 0.5)), 0.22 * size
            b = float(size * rng.uniform(0.6, 0.9))
            pieces = [
                Piece(shape=Box(size_m=(a, w, t)), position_m=(0.0, 0.0, t / 2 - b / 2)),
                Piece(shape=Box(size_m=(t, w, b - t)), position_m=(t / 2 - a / 2, 0.0, t / 2)),
            ]
        case "cross":
            t = 0.26 * size
            arm = (size - t) / 2
            off = (arm + t) / 2
            pieces = [Piece(shape=Box(size_m=(size, t, t)))]
            pieces += [Piece(shape=Box(size_m=(t, arm, t)), position_m=(0.0, s * off, 0.0)) for s in (-1.0, 1.0)]
            pieces += [Piece(shape=Box(size_m=(t, t, arm)), position_m=(0.0, 0.0, s * off)) for s in (-1.0, 1.0)]
        case "stool":
            top, leg = 0.16 * size, 0.14 * size
            pieces = [Piece(shape=Box(size_m=(size, size, top)), position_m=(0.0, 0.0, (size * 0.8 - top) / 2))]
            place, tall = (size - leg) / 2, 0.8 * size - top
            pieces += [
                Piece(shape=Box(size_m=(leg, leg, tall)), position_m=(sx * place, sy * place, -top / 2))
                for sx in (-1.0, 1.0)
                for sy in (-1.0, 1.0)
            ]
        case "cup":
            pieces = _cup_pieces(size)
    shape = Compound(pieces=tuple(pieces))
    reach = max(float(np.linalg.norm(piece.position_m)) + _piece_radius(piece.shape) for piece in pieces)
    return shape, form, reach


def _cup_pieces(size: float, staves: int = 12) -> list[Piece]:
    """A round cup, open at +z: a floor disc and a ring of staves that meet edge to edge."""
    outer, wall, height = 0.42 * size, 0.06 * size, size
    middle = outer - wall / 2
    width = 2.0 * (outer - wall) * float(np.tan(np.pi / staves))
    pieces = [Piece(shape=Cylinder(radius_m=outer - wall, height_m=wall), position_m=(0.0, 0.0, wall / 2 - height / 2))]
    for k in range(staves):
        angle = 2.0 * np.pi * k / staves
        pieces.append(
            Piece(
                shape=Box(size_m=(wall, width, height)),
                position_m=(float(middle * np.cos(angle)), float(middle * np.sin(angle)), 0.0),
                orientation_wxyz=(float(np.cos(angle / 2)), 0.0, 0.0, float(np.sin(angle / 2))),
            )
        )
    return pieces


def _piece_radius(shape: Any) -> float:
    match shape:
        case Sphere(radius_m=r):
            return r
        case Cylinder(radius_m=r, height_m=h):
            return float(np.hypot(r, h / 2))
        case Box(size_m=size):
            return 0.5 * float(np.linalg.norm(size))
    raise TypeError(f"no compound of ours has a {shape.kind}")


_SHAPERS = {
    "box": _box,
    "sphere": _sphere,
    "cylinder": _cylinder,
    "capsule": _capsule,
    "cone": _cone,
    "ellipsoid": _ellipsoid,
    "convex_hull": _hull,
    "compound": _compound,
}
