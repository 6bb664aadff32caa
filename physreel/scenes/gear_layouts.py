"""Layouts of gears: trains, closed rings, stages on common shafts, toothed rings, planetary sets and racks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from physreel.errors import SpecError
from physreel.geometry.gears import meshing_turn_rad, rack_distance_m, rack_offset_m
from physreel.scenes.gear_loops import close_loop
from physreel.scenes.gear_trains import (
    LIKED,
    TRIES,
    Cut,
    Floats,
    PlannedGear,
    Point,
    Train,
    directions,
    keep_clear,
    place_chain,
    plan_chain,
    refuse_unmeshed,
    ring_least,
    spread,
    unshifted_least,
)
from physreel.spec import Gear, Rack

RACK_TRAVEL_M = 0.12
"""How far a rack may move, from one side of its pinion to the other."""


def draw_train(
    rng: np.random.Generator, layout: str, cut: Cut, gear_count: int, bend_deg: tuple[float, float], *, open_top: bool
) -> Train:
    """A machine of a layout: train, loop, compound, internal, planetary or rack.

    Args:
        rng: the source of tooth numbers and places.
        layout: one of these.
        cut: what gears have in common.
        gear_count: how many gears a train, a loop, a compound or a rack's train has.
        bend_deg: by how much, least and most, a chain of gears turns aside from one to the next, either way.
        open_top: whether there must be a mesh that something can fall into.

    Raises:
        SpecError: no such set of gears was found.
    """
    for _ in range(150):
        match layout:
            case "loop":
                found = _loop(rng, cut, gear_count)
            case "compound":
                found = _compound(rng, cut, gear_count, bend_deg)
            case "internal":
                found = _internal(rng, cut)
            case "planetary":
                found = _planetary(rng, cut)
            case "rack":
                found = _rack(rng, cut, gear_count, bend_deg)
            case _:
                found = _train(rng, cut, gear_count, bend_deg)
        if found is not None and (not open_top or found.nips()):
            return found
    raise SpecError(
        [
            f"layout: no {layout} of {gear_count} gears with {cut.least_teeth} to {cut.most_teeth} teeth was found in "
            f"which gears that do not mesh keep clear of each other; allow more numbers of teeth, or other bend_deg"
        ]
    )


def _names(count: int) -> list[str]:
    return [f"gear_{k + 1}" for k in range(count)]


def _train(rng: np.random.Generator, cut: Cut, count: int, bend_deg: tuple[float, float]) -> Train | None:
    shapes = [cut.gear(rng, cut.teeth(rng)) for _ in range(count)]
    placed = place_chain(rng, cut, shapes, bend_deg)
    if placed is None:
        return None
    names = _names(count)
    gears = plan_chain(names, shapes, *placed, float(rng.uniform(-np.pi, np.pi)))
    for a, b in pairwise(shapes):
        refuse_unmeshed(a, b, cut.distance_m(a, b))
    meshes = tuple(pairwise(names))
    return Train(gears=tuple(gears), meshes=meshes, output=names[-1], rate=gears[-1].rate)


def _rack(rng: np.random.Generator, cut: Cut, count: int, bend_deg: tuple[float, float]) -> Train | None:
    """A train of which the last gear, the lowest, moves a rack below it; its travel decides how long that is."""
    train = _train(rng, cut, max(1, min(count, 3) - 1), bend_deg)
    if train is None:
        return None
    last = train.gears[-1]
    if any(g.at_m[1] - g.shape.tip_radius_m < last.at_m[1] - 0.55 * last.shape.root_radius_m for g in train.gears[:-1]):
        return None
    rate = -last.rate * last.shape.pitch_radius_m
    rack = Rack(
        module_m=cut.module_m,
        tooth_count=int(np.ceil(RACK_TRAVEL_M / (np.pi * cut.module_m))) + 6,
        width_m=cut.width_m,
        pressure_angle_deg=cut.pressure_angle_deg,
        thinning_m=0.5 * cut.backlash_m,
        back_m=2.5 * cut.module_m,
    )
    down = rack_distance_m(last.shape, rack) + cut.extra_distance_m
    x = last.at_m[0] + rack_offset_m(last.shape, last.turn_rad, rack)
    return Train(
        gears=train.gears, meshes=(*train.meshes, (last.name, "rack")), output="rack", rate=-rate, rack=rack,
        rack_at_m=(x, last.at_m[1] - down),
    )  # fmt: skip


def _compound(rng: np.random.Generator, cut: Cut, count: int, bend_deg: tuple[float, float]) -> Train | None:
    """Stages, each in front of the one before: a small gear drives a large one, or the reverse in a fast machine."""
    stages = max(2, min(3, count // 2))
    fast = bool(rng.random() < 0.3)
    shapes: list[Gear] = []
    middle = (cut.least_teeth + cut.most_teeth) // 2
    for _ in range(stages):
        small, large = cut.teeth(rng, high=max(cut.least_teeth, middle - 4)), cut.teeth(rng, low=middle + 2)
        # A fast machine steps up a little at each stage, or its last gear would be a blur.
        pair = (large, max(small, cut.teeth(rng, low=int(large / 1.6)))) if fast else (small, large)
        shapes += [cut.gear(rng, n) for n in pair]
    names = _names(2 * stages)
    layers = [layer for k in range(stages) for layer in (k, k)]
    meshes = [(2 * k, 2 * k + 1) for k in range(stages)]
    for a, b in meshes:
        refuse_unmeshed(shapes[a], shapes[b], cut.distance_m(shapes[a], shapes[b]))
    best: tuple[float, Floats, Floats] | None = None
    fitting = 0
    for _ in range(TRIES):
        ways = directions(rng, stages, bend_deg)
        places = np.zeros((2 * stages, 2))
        for k, (a, b) in enumerate(meshes):
            step = cut.distance_m(shapes[a], shapes[b]) * np.array([np.cos(ways[k]), np.sin(ways[k])])
            places[b] = places[a] + step
            if b + 1 < len(places):
                places[b + 1] = places[b]
        if not keep_clear(shapes, places, meshes, layers):
            continue
        if best is None or spread(places, shapes) < best[0]:
            best = spread(places, shapes), places, ways
        fitting += 1
        if fitting == LIKED:
            break
    if best is None:
        return None
    _, places, ways = best
    gears: list[PlannedGear] = []
    rate = 1.0
    for k, (a, b) in enumerate(meshes):
        turn = float(rng.uniform(-np.pi, np.pi))
        seat = "board" if k == 0 else names[a - 1]
        first = PlannedGear(name=names[a], shape=shapes[a], at_m=_point(places[a]), turn_rad=turn, rate=rate,
                            layer=k, seat=seat)  # fmt: skip
        rate *= -shapes[a].tooth_count / shapes[b].tooth_count
        meshing = meshing_turn_rad(shapes[a], turn, shapes[b], float(ways[k]))
        gears += [first, PlannedGear(name=names[b], shape=shapes[b], at_m=_point(places[b]), turn_rad=float(meshing),
                                     rate=rate, layer=k)]  # fmt: skip
    return Train(gears=tuple(gears), meshes=tuple((names[a], names[b]) for a, b in meshes), output=names[-1],
                 rate=rate)  # fmt: skip


def _point(place: Floats) -> Point:
    return float(place[0]), float(place[1])


def _internal(rng: np.random.Generator, cut: Cut) -> Train:
    """A pinion, at times an idler, and a ring around them that turns."""
    count = 2 if rng.random() < 0.6 else 3
    most = 26 if count == 2 else 20
    teeth = [cut.teeth(rng, low=unshifted_least(cut.pressure_angle_deg), high=most) for _ in range(count - 1)]
    widest = sum(teeth) + 12 if count == 2 else sum(teeth) + max(teeth) // 2 + 8
    widest = max(widest, 42, ring_least(cut.pressure_angle_deg))
    shapes = [cut.gear(rng, n) for n in teeth]
    shapes.append(cut.gear(rng, int(rng.integers(widest, widest + 12)), internal=True))
    ring, start = shapes[-1], float(rng.uniform(-np.pi, np.pi))
    # From the ring's middle outwards; the pinion lies where the idler leaves it room.
    way = float(rng.uniform(-np.pi, np.pi))
    out = cut.distance_m(shapes[-2], ring)
    last = out * np.array([np.cos(way), np.sin(way)])
    places = [last, np.zeros(2)]
    ways = [way + np.pi]
    if count == 3:
        back = way + np.pi + float(rng.uniform(-0.5, 0.5))
        places.insert(0, last + cut.distance_m(shapes[0], shapes[1]) * np.array([np.cos(back), np.sin(back)]))
        ways.insert(0, back + np.pi)
    for a, b in pairwise(shapes):
        refuse_unmeshed(a, b, cut.distance_m(a, b))
    names = _names(count)
    gears = plan_chain(names, shapes, np.array(places), np.array(ways), start)
    # A ring turns the way of the gear in it.
    gears[-1] = replace(gears[-1], rate=-gears[-1].rate)
    return Train(gears=tuple(gears), meshes=tuple(pairwise(names)), output=names[-1],
                 rate=gears[-1].rate)  # fmt: skip


def _planetary(rng: np.random.Generator, cut: Cut) -> Train | None:
    """A sun drives three planets in a ring; the ring stands still and the carrier turns, or the reverse."""
    least = unshifted_least(cut.pressure_angle_deg)
    sun_teeth, planet_teeth = cut.teeth(rng, low=least, high=30), cut.teeth(rng, low=least, high=26)
    if (sun_teeth + planet_teeth) % 3 or abs(sun_teeth - planet_teeth) > 12:
        return None  # three planets at equal angles would not fit in
    ring_teeth = sun_teeth + 2 * planet_teeth
    sun, planet = cut.gear(rng, sun_teeth), cut.gear(rng, planet_teeth)
    ring = cut.gear(rng, ring_teeth, internal=True)
    refuse_unmeshed(sun, planet, cut.distance_m(sun, planet))
    refuse_unmeshed(planet, ring, cut.distance_m(sun, planet))
    carried = bool(rng.random() < 0.6)
    turn, first = float(rng.uniform(-np.pi, np.pi)), float(rng.uniform(-np.pi, np.pi))
    carrier_rate = sun_teeth / (sun_teeth + ring_teeth) if carried else 0.0
    gears = [PlannedGear(name="sun", shape=sun, at_m=(0.0, 0.0), turn_rad=turn, rate=1.0)]
    apart = cut.distance_m(sun, planet)
    for k in range(3):
        way = first + 2.0 * np.pi * k / 3.0
        shape = planet if k == 0 else cut.gear(rng, planet_teeth).model_copy(update={"spoke_count": planet.spoke_count})
        rate = carrier_rate - (1.0 - carrier_rate) * sun_teeth / planet_teeth
        gears.append(
            PlannedGear(name=f"planet_{k + 1}", shape=shape, at_m=_point(apart * np.array([np.cos(way), np.sin(way)])),
                        turn_rad=float(meshing_turn_rad(sun, turn, shape, way)), rate=rate, seat="carrier")
        )  # fmt: skip
    # Planets are alike but for their errors, so that one of them tells how the ring lies.
    ring_turn = meshing_turn_rad(planet, gears[1].turn_rad, ring, first + np.pi)
    ring_rate = 0.0 if carried else -sun_teeth / ring_teeth
    gears.append(PlannedGear(name="ring", shape=ring, at_m=(0.0, 0.0), turn_rad=float(ring_turn), rate=ring_rate,
                             seat="still" if carried else "board"))  # fmt: skip
    meshes = tuple(("sun", f"planet_{k}") for k in (1, 2, 3)) + tuple((f"planet_{k}", "ring") for k in (1, 2, 3))
    return Train(gears=tuple(gears), meshes=meshes, output="carrier" if carried else "ring",
                 rate=carrier_rate if carried else ring_rate, carrier_rate=carrier_rate)  # fmt: skip


def _loop(rng: np.random.Generator, cut: Cut, count: int) -> Train | None:
    """Gears in a closed ring, each meshing with the next: an even number runs, an odd one locks itself."""
    closed = close_loop(rng, cut, count)
    if closed is None:
        return None
    shapes, places, ways, turn = closed
    names = _names(count)
    gears = plan_chain(names, shapes, places, ways[:-1], turn)
    for k in range(count):
        a, b = shapes[k], shapes[(k + 1) % count]
        refuse_unmeshed(a, b, cut.distance_m(a, b))
    meshes = tuple((names[k], names[(k + 1) % count]) for k in range(count))
    # Power may flow either way round; the gear across from the driver has the load.
    output = names[count // 2]
    return Train(gears=tuple(gears), meshes=meshes, output=output, rate=gears[count // 2].rate)
