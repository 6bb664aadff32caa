"""Sets of gears that mesh: how many teeth, where in the plane, how turned, and how fast each turns if nothing fails.

All is in the machine's own plane, x to the right and y up; gears turn about z, which points at who looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from physreel.analysis.draws import pick
from physreel.errors import SpecError
from physreel.geometry.gears import mesh_distance_m, mesh_problems, meshing_turn_rad
from physreel.spec import Gear, Rack
from physreel.spec.toothed import least_profile_shift

Floats = NDArray[np.float64]
Point = tuple[float, float]

CLEAR_MODULES = 0.8
"""Gears that do not mesh keep so far from each other, tip to tip, in modules."""

TRIES = 400
LIKED = 10
"""Of so many layouts that fit, the most compact is taken."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What the gears of one machine have in common, and what their makers did not get right."""

    module_m: float
    pressure_angle_deg: float
    width_m: float
    backlash_m: float
    extra_distance_m: float
    least_teeth: int
    most_teeth: int
    error_m: float
    runout_m: float

    def teeth(self, rng: np.random.Generator, low: int = 0, high: int = 240) -> int:
        """A number of teeth within what is allowed and these bounds, as far as they leave any."""
        low, high = max(self.least_teeth, low), min(self.most_teeth, high)
        return int(rng.integers(low, max(low, high) + 1))

    def gear(self, rng: np.random.Generator, count: int, *, internal: bool = False) -> Gear:
        """A gear of so many teeth, shifted where they would be undercut otherwise, with errors of its own."""
        shift = 0.0 if internal else max(0.0, least_profile_shift(count, self.pressure_angle_deg))
        radius = 0.5 * self.module_m * count
        spokes = pick(rng, (0, 3, 4, 5, 5, 6)) if count >= 20 and not internal else 0
        return Gear(
            module_m=self.module_m,
            tooth_count=count,
            width_m=self.width_m,
            pressure_angle_deg=self.pressure_angle_deg,
            profile_shift=float(np.ceil(shift * 1000.0) / 1000.0),
            thinning_m=0.5 * self.backlash_m,
            internal=internal,
            rim_m=2.2 * self.module_m if internal else 0.0,
            bore_radius_m=0.0 if internal else max(0.14 * radius, 0.003),
            spoke_count=spokes,
            runout_m=float(self.runout_m * rng.uniform(0.2, 1.0)),
            tooth_errors_m=tuple(float(v) for v in rng.uniform(-1.0, 1.0, count) * self.error_m),
        )

    def distance_m(self, a: Gear, b: Gear) -> float:
        """Of two axes."""
        return mesh_distance_m(a, b) + (-1.0 if a.internal or b.internal else 1.0) * self.extra_distance_m


@dataclass(frozen=True, kw_only=True)
class PlannedGear:
    """One gear: its shape, its place, its layer (0 is next to the board), how it is turned, and what it hangs on.

    ``rate`` is its turning speed over the driver's. ``seat`` is "board" (it turns on a shaft), "still" (it is part of
    the board), the name of a gear on whose shaft it is, or "carrier".
    """

    name: str
    shape: Gear
    at_m: Point
    turn_rad: float
    rate: float
    layer: int = 0
    seat: str = "board"


@dataclass(frozen=True, kw_only=True)
class Train:
    """Gears in the order of the flow of power; ``meshes`` name those that mesh, in pairs.

    ``output`` is the last gear's name, "carrier" or "rack", and ``rate`` how fast it turns over the driver's speed (a
    rack: m a radian of the driver). ``carrier_rate`` is 0 for a carrier that stands still, None without one.
    """

    gears: tuple[PlannedGear, ...]
    meshes: tuple[tuple[str, str], ...]
    output: str
    rate: float
    rack: Rack | None = None
    rack_at_m: Point = (0.0, 0.0)
    carrier_rate: float | None = None

    def gear(self, name: str) -> PlannedGear:
        """The gear of that name."""
        return next(gear for gear in self.gears if gear.name == name)

    def bounds_m(self) -> tuple[float, float, float, float]:
        """Least and greatest x, then y, that gears reach."""
        reach = [(g.at_m, g.shape.outer_radius_m) for g in self.gears]
        return (
            min(x - r for (x, _), r in reach), max(x + r for (x, _), r in reach),
            min(y - r for (_, y), r in reach), max(y + r for (_, y), r in reach),
        )  # fmt: skip

    def nips(self) -> list[tuple[str, str, Point]]:
        """Meshes that something can fall into from above: left gear, right gear, and where they mesh."""
        found = []
        for a, b in self.meshes:
            if "rack" in (a, b):
                continue
            left, right = sorted((self.gear(a), self.gear(b)), key=lambda gear: gear.at_m[0])
            apart = np.subtract(right.at_m, left.at_m)
            if left.shape.internal or right.shape.internal or abs(apart[1]) > 0.45 * apart[0]:
                continue
            at = np.add(left.at_m, apart * (left.shape.pitch_radius_m / float(np.hypot(*apart))))
            others = [g for g in self.gears if g not in (left, right)]
            module = left.shape.module_m
            if all(
                abs(g.at_m[0] - at[0]) > g.shape.tip_radius_m + 4.0 * module or g.at_m[1] + g.shape.tip_radius_m < at[1]
                for g in others
            ):
                found.append((left.name, right.name, (float(at[0]), float(at[1]))))
        return found


def unshifted_least(pressure_angle_deg: float) -> int:
    """The fewest teeth that need no profile shift."""
    return next(n for n in range(4, 240) if least_profile_shift(n, pressure_angle_deg) <= 0.0)


def ring_least(pressure_angle_deg: float) -> int:
    """The fewest teeth of a ring: with fewer, tips would be inside the base circle."""
    return int(np.ceil(2.0 / (1.0 - np.cos(np.radians(pressure_angle_deg))) + 1e-9))


def refuse_unmeshed(a: Gear, b: Gear, distance_m: float) -> None:
    """SpecError with what would mesh, where two gears do not at a distance."""
    problems = mesh_problems(a, b, distance_m)
    if problems:
        raise SpecError(problems)


def keep_clear(
    shapes: Sequence[Gear], places: Floats, meshes: Sequence[tuple[int, int]], layers: Sequence[int]
) -> bool:
    """Whether gears of one layer that do not mesh keep apart; gears of other layers leave each other's shafts free."""
    together = {frozenset(pair) for pair in meshes}
    for i in range(len(shapes)):
        for k in range(i):
            if frozenset((i, k)) in together:
                continue
            apart = float(np.hypot(*(places[i] - places[k])))
            room = CLEAR_MODULES * shapes[i].module_m
            if layers[i] == layers[k]:
                need = shapes[i].tip_radius_m + shapes[k].tip_radius_m + room
            else:
                # The upper gear must pass by the driver's handle, and leave others' hubs in sight; but where one of
                # two gears on a shaft meshes, it may well cover part of the other.
                low, high = (i, k) if layers[i] < layers[k] else (k, i)
                if apart < 1e-9 or (low and any(_same_shaft(places, low, m) for m in _mates(together, high))):
                    continue
                need = (0.8 if low == 0 else 0.4) * shapes[low].tip_radius_m + shapes[high].tip_radius_m + room
            if apart < need:
                return False
    return True


def _same_shaft(places: Floats, a: int, b: int) -> bool:
    return bool(np.hypot(*(places[a] - places[b])) < 1e-9)


def _mates(meshes: set[frozenset[int]], gear: int) -> list[int]:
    return [k for pair in meshes if gear in pair for k in pair - {gear}]


def directions(rng: np.random.Generator, count: int, bend_deg: tuple[float, float]) -> Floats:
    """Directions of the steps of a chain that turns aside at each."""
    bends = np.radians(rng.uniform(*bend_deg, count)) * np.where(rng.random(count) < 0.5, -1.0, 1.0)
    bends[:1] = rng.uniform(-np.pi, np.pi)
    return np.asarray(np.cumsum(bends), np.float64)


def spread(places: Floats, shapes: Sequence[Gear]) -> float:
    """How wide a machine is, or how tall, whichever fills a picture first."""
    radii = np.array([shape.outer_radius_m for shape in shapes])[:, None]
    low, high = (places - radii).min(0), (places + radii).max(0)
    return float(max(high[0] - low[0], 1.15 * (high[1] - low[1])))


def place_chain(
    rng: np.random.Generator, cut: Cut, shapes: Sequence[Gear], bend_deg: tuple[float, float]
) -> tuple[Floats, Floats] | None:
    """Places (N, 2) and directions (N - 1,) of a chain of gears, the most compact of some; None if none fits."""
    steps = [cut.distance_m(a, b) for a, b in pairwise(shapes)]
    meshes = [(k, k + 1) for k in range(len(steps))]
    best: tuple[float, Floats, Floats] | None = None
    fitting = 0
    for _ in range(TRIES):
        ways = directions(rng, len(steps), bend_deg)
        moves = np.array(steps)[:, None] * np.column_stack([np.cos(ways), np.sin(ways)])
        places = np.concatenate([np.zeros((1, 2)), np.cumsum(moves, 0)])
        if not keep_clear(shapes, places, meshes, [0] * len(shapes)):
            continue
        wide = spread(places, shapes)
        if best is None or wide < best[0]:
            best = wide, places, ways
        fitting += 1
        if fitting == LIKED:
            break
    return None if best is None else best[1:]


def plan_chain(
    names: Sequence[str], shapes: Sequence[Gear], places: Floats, ways: Floats, start_rad: float
) -> list[PlannedGear]:
    """Gears of a chain in one layer, each turned so that it meshes with the one before."""
    turn, rate = start_rad, 1.0
    gears = []
    for k, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        if k:
            before = shapes[k - 1]
            turn = meshing_turn_rad(before, turn, shape, float(ways[k - 1]))
            rate *= -before.tooth_count / shape.tooth_count
        at = (float(places[k, 0]), float(places[k, 1]))
        gears.append(PlannedGear(name=name, shape=shape, at_m=at, turn_rad=float(turn), rate=rate))
    return gears
