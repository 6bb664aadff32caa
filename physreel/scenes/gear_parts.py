"""What gears are made of and carry: finishes, handles, pointers, carriers and things that fall into teeth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from physreel.analysis.draws import pick, shuffled
from physreel.geometry.profiles import profile_compound
from physreel.scenes.objects import COLORS
from physreel.spec import (
    MATERIALS,
    Box,
    Compound,
    ConvexHull,
    Cylinder,
    Gear,
    Look,
    Piece,
    Quat,
    Shape,
    Sphere,
    Texture,
    Vec3,
)

METALS = ("brass", "steel", "bronze", "cast_iron")
_PLASTIC_COLORS = ("white", "red", "blue", "green", "yellow", "orange", "black")
MARK_COLORS = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink")
ARM_M = 0.004
"""Thickness of handles, pointers and carriers."""

KNOB_M = 0.012
"""How long the knob of a handle is."""


_HALF = 0.5**0.5
UPRIGHT: Quat = (_HALF, _HALF, 0.0, 0.0)
"""Turns the board's y to the world's z, and its z to the world's -y, where cameras stand."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where a machine stands in the world and what it looks like."""

    place_m: Vec3
    turn_wxyz: Quat
    upright: bool
    board_material: str
    board_look: Look
    handle_color: str
    pointer_color: str


@dataclass(frozen=True)
class Finish:
    """A material, its look and the words for it; ``color`` if it has one that a mark would not be told from."""

    material: str
    look: Look
    words: str
    color: str = ""


def draw_finishes(rng: np.random.Generator, count: int, *, planets: bool = False) -> list[Finish]:
    """Finishes of so many gears, each different: mostly metal, mostly plastic, or mixed.

    ``planets`` are all but the first gear and the last, and all plastic: equally heavy, they balance each other.
    """
    metals = [Finish(name, _worn(rng, MATERIALS[name].look), name.replace("_", " ")) for name in shuffled(rng, METALS)]
    plastics = [
        Finish(
            "nylon",
            Look(color=COLORS[color], roughness=float(rng.uniform(0.32, 0.5))),
            f"{color} plastic",
            color,
        )
        for color in shuffled(rng, _PLASTIC_COLORS)
    ]
    style = pick(rng, ("metal", "metal", "plastic", "mixed"))
    if planets:
        ends = [*metals, *plastics[count - 2 :]]
        first, last = shuffled(rng, ends)[:2]
        return [first, *plastics[: count - 2], last]
    if style == "mixed":
        both = [*metals[: max(1, (count + 1) // 2)], *plastics[: count - max(1, (count + 1) // 2)]]
        if len(both) < count:
            both += plastics[len(both) - len(metals) :][: count - len(both)]
        return list(shuffled(rng, both))
    ordered = [*metals, *plastics] if style == "metal" else [*plastics, *metals]
    return list(shuffled(rng, ordered[:count]))


def _worn(rng: np.random.Generator, look: Look) -> Look:
    shade = float(rng.uniform(0.88, 1.08))
    r, g, b = (min(1.0, channel * shade) for channel in look.color)
    return look.model_copy(update={"color": (r, g, b), "roughness": float(look.roughness * rng.uniform(0.9, 1.25))})


def draw_mark_colors(rng: np.random.Generator, finishes: Sequence[Finish]) -> tuple[str, str]:
    """Two colours that no gear has, nor what is like it."""
    taken = {finish.color for finish in finishes}
    like = {"red": "pink", "orange": "yellow", "blue": "turquoise", "green": "turquoise", "yellow": "orange"}
    if any(finish.material in ("brass", "bronze") for finish in finishes):
        taken |= {"orange", "yellow"}
    free = [name for name in MARK_COLORS if name not in taken and name not in {like.get(color) for color in taken}]
    first, second = shuffled(rng, free if len(free) > 1 else MARK_COLORS)[:2]
    return first, second


def about_z(angle_rad: float) -> Quat:
    """The turn about z."""
    return float(np.cos(0.5 * angle_rad)), 0.0, 0.0, float(np.sin(0.5 * angle_rad))


def handle(hub_m: float, arm_m: float) -> Compound:
    """A hub, an arm along x with a knob at its end that stands out, and a round weight that balances them."""
    knob, broad = min(0.14 * arm_m, 0.006), max(0.9 * hub_m, 0.005)
    long, back = arm_m - hub_m - knob, 0.6 * arm_m
    moment = long * broad * ARM_M * 0.5 * (arm_m + hub_m - knob) + np.pi * knob**2 * KNOB_M * arm_m
    weight = float(np.sqrt(moment / (back * np.pi * 3.0 * ARM_M)))
    return Compound(
        pieces=(
            Piece(shape=Cylinder(radius_m=hub_m, height_m=1.6 * ARM_M)),
            Piece(
                shape=Box(size_m=(long, broad, ARM_M)),
                position_m=(0.5 * (arm_m + hub_m - knob), 0.0, 0.0),
            ),
            Piece(shape=Cylinder(radius_m=knob, height_m=KNOB_M), position_m=(arm_m, 0.0, 0.5 * (KNOB_M - ARM_M))),
            Piece(shape=Cylinder(radius_m=weight, height_m=3.0 * ARM_M), position_m=(-back, 0.0, ARM_M)),
        )
    )


def pointer(hub_m: float, arm_m: float) -> Compound:
    """A hub and a long wedge along x, with a short broad tail: it is seen which way it points."""
    broad, half = max(1.1 * hub_m, 0.006), 0.5 * ARM_M
    tip = 0.25 * broad
    wedge = tuple(
        (x, y, z) for z in (-half, half)
        for x, y in ((0.8 * hub_m, 0.5 * broad), (0.8 * hub_m, -0.5 * broad), (arm_m, -tip), (arm_m, tip))
    )  # fmt: skip
    tail = 0.35 * arm_m
    return Compound(
        pieces=(
            Piece(shape=Cylinder(radius_m=hub_m, height_m=1.6 * ARM_M)),
            Piece(shape=ConvexHull(points_m=wedge)),
            Piece(shape=Box(size_m=(tail, 0.8 * broad, ARM_M)), position_m=(-0.8 * hub_m - 0.5 * tail, 0.0, 0.0)),
        )
    )


def carrier(places_m: Sequence[tuple[float, float]], pin_m: float, hub_m: float, depth_m: float) -> Compound:
    """A hub with an arm to each planet and a pin through that; the arms are about z = 0, the pins reach down."""
    pieces = [Piece(shape=Cylinder(radius_m=hub_m, height_m=1.5 * ARM_M))]
    for x, y in places_m:
        long, angle = float(np.hypot(x, y)), float(np.arctan2(y, x))
        middle = 0.5 * (long + hub_m)
        pieces.append(
            Piece(
                shape=Box(size_m=(long - hub_m, 2.2 * pin_m, ARM_M)),
                position_m=(middle * float(np.cos(angle)), middle * float(np.sin(angle)), 0.0),
                orientation_wxyz=about_z(angle),
            )
        )
        pieces.append(
            Piece(shape=Cylinder(radius_m=1.35 * pin_m, height_m=1.5 * ARM_M), position_m=(x, y, 0.0)),
        )
        pieces.append(
            Piece(shape=Cylinder(radius_m=0.9 * pin_m, height_m=depth_m), position_m=(x, y, -0.5 * (depth_m + ARM_M))),
        )
    return Compound(pieces=tuple(pieces))


def tooth_piece(gear: Gear, tooth: int) -> tuple[ConvexHull, Vec3]:
    """A tooth as a body of its own, about its middle, and where that is in the gear's frame."""
    whole = gear.model_copy(update={"missing_teeth": ()})
    hull = profile_compound(whole).pieces[1 + tooth].shape
    assert isinstance(hull, ConvexHull)
    points = np.array(hull.points_m)
    # The hull reaches into the disc below the teeth, where a tooth that has broken off would be caught.
    radius = np.linalg.norm(points[:, :2], axis=1)
    points[:, :2] *= (np.maximum(radius, gear.root_radius_m + 0.02 * gear.module_m) / radius)[:, None]
    points[:, 2] *= 0.98
    middle = points.mean(0)
    x, y, z = middle.tolist()
    return ConvexHull(points_m=tuple((float(a), float(b), float(c)) for a, b, c in points - middle)), (x, y, z)


def falling_thing(rng: np.random.Generator, kind: str, radius_m: float, width_m: float) -> tuple[Shape, str, Look, str]:
    """A shape along z, its material, its look and its name; as long as the gears below are wide."""
    long = width_m
    match kind:
        case "pin":
            return Cylinder(radius_m=radius_m, height_m=long), "steel", MATERIALS["steel"].look, "steel pin"
        case "screw":
            head = 0.5 * radius_m + 0.002
            long -= head
            shank = Cylinder(radius_m=0.8 * radius_m, height_m=long)
            cap = Cylinder(radius_m=1.35 * radius_m, height_m=head)
            shape = Compound(pieces=(Piece(shape=shank), Piece(shape=cap, position_m=(0.0, 0.0, 0.5 * (long + head)))))
            return shape, "brass", MATERIALS["brass"].look, "brass screw"
        case "pebble":
            if rng.random() < 0.4:
                return Sphere(radius_m=1.1 * radius_m), "glass", Look(color=COLORS["blue"], roughness=0.1), "blue bead"
            count = 14
            turn = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)
            height = 1.0 - (2.0 * np.arange(count) + 1.0) / count
            ring = np.sqrt(1.0 - height**2)
            points = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], 1)
            points += rng.normal(0.0, 0.07, (count, 3))
            points -= points.mean(0)
            points = np.round(points * (1.3 * radius_m / np.linalg.norm(points, axis=1).max()), 6)
            grey = float(rng.uniform(0.25, 0.5))
            look = Look(color=(grey, grey, 0.95 * grey), roughness=0.85,
                        texture=Texture(kind="speckle", color=(0.15, 0.14, 0.13), scale_m=0.003))  # fmt: skip
            return (
                ConvexHull(points_m=tuple((float(x), float(y), float(z)) for x, y, z in points)),
                "marble",
                look,
                ("pebble"),
            )
        case _:
            return Cylinder(radius_m=radius_m, height_m=long), "oak", MATERIALS["pine"].look, "wooden stick"
