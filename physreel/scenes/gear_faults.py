"""What can be wrong with a set of gears, planned so that it shows in the clip: whose teeth, whose hub, what falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physreel.analysis.draws import pick
from physreel.scenes.gear_trains import Train

CASES: dict[str, tuple[str, ...]] = {
    "turns": ("train", "loop", "compound", "internal", "planetary", "rack"),
    "locked_loop": ("loop",),
    "missing_teeth": ("train", "compound", "rack"),
    "loose_gear": ("train", "compound", "internal", "planetary", "rack"),
    "stripped_tooth": ("train", "compound", "rack"),
    "jam": ("train", "compound"),
}
"""Layouts that each case can be had with."""

LAYOUTS = CASES["turns"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """How the driver is turned: its speed with its sense, when it starts, and how long it takes to come to speed."""

    speed_rad_s: float
    start_s: float
    ramp_s: float
    duration_s: float

    def turned_rad(self, time_s: float) -> float:
        """How far the driver has turned by then, if nothing holds it."""
        since = max(time_s - self.start_s, 0.0)
        ramped = min(since, self.ramp_s)
        return self.speed_rad_s * (0.5 * ramped**2 / max(self.ramp_s, 1e-9) + since - ramped)


@dataclass(frozen=True, kw_only=True)
class Falling:
    """Something that a trap door lets fall into a mesh: what it is, how thick, when, and where the mesh is."""

    kind: str
    radius_m: float
    release_s: float
    at_m: tuple[float, float]
    layer: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What was done to a machine; ``kind`` is a case, "turns" where nothing was.

    ``gear`` is whose teeth or hub it is; a loose hub holds by ``hub_friction_n_m`` alone, weak teeth up to
    ``strength_n``.
    """

    kind: str = "turns"
    gear: str = ""
    teeth: tuple[int, ...] = ()
    hub_friction_n_m: float = 0.0
    strength_n: float = 0.0
    falling: Falling | None = None


def draw_fault(rng: np.random.Generator, case: str, train: Train, run: Run, load_n_m: float) -> Fault:
    """A fault of the kind, that shows well before the clip ends.

    Args:
        rng: the source of what and where.
        case: one of ``CASES``.
        train: the gears.
        run: how they are driven.
        load_n_m: brake at the output (of a rack's last gear).
    """
    match case:
        case "missing_teeth":
            gear, teeth = _teeth_that_come_by(rng, train, run, pick(rng, (1, 2, 2, 3, 3, 4)))
            return Fault(kind=case, gear=gear, teeth=teeth)
        case "stripped_tooth":
            gear, teeth = _teeth_that_come_by(rng, train, run, pick(rng, (1, 2, 3, 3, 4)))
            # One in four holds: that a tooth looks weak cannot be seen.
            share = float(rng.uniform(0.3, 0.6)) if rng.random() < 0.75 else float(rng.uniform(4.0, 8.0))
            return Fault(kind=case, gear=gear, teeth=teeth, strength_n=share * tooth_force_n(train, gear, load_n_m))
        case "loose_gear":
            gear = pick(rng, _hubs(train))
            rate = abs(train.gear(gear).rate)
            torque = load_n_m * abs(output_rate(train)) / max(rate, 1e-9)
            return Fault(kind=case, gear=gear, hub_friction_n_m=float(rng.uniform(0.02, 0.25)) * torque)
        case "jam":
            return Fault(kind=case, falling=_falling(rng, train, run))
        case _:
            return Fault()


def output_rate(train: Train) -> float:
    """Turning speed of what bears the load over the driver's: of a rack, its pinion's."""
    return train.gears[-1].rate if train.output == "rack" else train.rate


def tooth_force_n(train: Train, gear: str, load_n_m: float) -> float:
    """Force between a gear's teeth and their mates' that the load asks for."""
    planned = train.gear(gear)
    torque = load_n_m * abs(output_rate(train) / planned.rate)
    return torque / planned.shape.base_radius_m


def drawing_in(train: Train, falling: Falling) -> float:
    """The driver's sense in which the mesh below a falling thing draws it in."""
    left = next(train.gear(a) for a, _, at in train.nips() if at == falling.at_m)
    return -float(np.sign(left.rate))


def _hubs(train: Train) -> tuple[str, ...]:
    """Gears that matter when they come loose on their shafts: the driver, the last, and those in front of others."""
    names = [train.gears[0].name]
    if train.output not in ("rack", "carrier") and not train.gear(train.output).shape.internal:
        names.append(train.output)
    names += [gear.name for gear in train.gears if gear.seat not in ("board", "still", "carrier")]
    return tuple(names)


def _teeth_that_come_by(rng: np.random.Generator, train: Train, run: Run, count: int) -> tuple[str, tuple[int, ...]]:
    """A gear, and ``count`` neighbouring teeth of it that reach a mesh in the middle part of the clip."""
    meshes = [(a, b) for a, b in train.meshes if b != "rack"]
    ways = [(a, b) for pair in meshes for a, b in (pair, pair[::-1])] + [(a, b) for a, b in train.meshes if b == "rack"]
    ways = [(a, b) for a, b in ways if not train.gear(a).shape.internal]
    late = run.start_s + (run.duration_s - run.start_s) * float(rng.uniform(0.4, 0.7))
    turned = run.turned_rad(late)
    teeth_by = {a: abs(turned * train.gear(a).rate) * train.gear(a).shape.tooth_count / 6.283 for a, _ in ways}
    enough = [way for way in ways if teeth_by[way[0]] > 0.5 * count + 2.0]
    if not enough:
        most = max(teeth_by.values())
        enough = [way for way in ways if teeth_by[way[0]] == most]
    name, mate = pick(rng, enough)
    gear = train.gear(name)
    if mate == "rack":
        way_rad = -0.5 * np.pi
    else:
        apart = np.subtract(train.gear(mate).at_m, gear.at_m)
        way_rad = float(np.arctan2(apart[1], apart[0])) + (np.pi if train.gear(mate).shape.internal else 0.0)
    pitch = 2.0 * np.pi / gear.shape.tooth_count
    middle = round((way_rad - gear.turn_rad - turned * gear.rate) / pitch)
    return name, tuple(sorted((middle - count // 2 + k) % gear.shape.tooth_count for k in range(count)))


def _falling(rng: np.random.Generator, train: Train, run: Run) -> Falling:
    left, _, at = pick(rng, train.nips())
    gear = train.gear(left)
    return Falling(
        kind=pick(rng, ("stick", "pin", "screw", "pebble")),
        radius_m=gear.shape.module_m * float(rng.uniform(0.55, 0.9)),
        release_s=run.start_s + run.ramp_s + float(rng.uniform(0.03, 0.2)) * run.duration_s,
        at_m=at,
        layer=gear.layer,
    )
