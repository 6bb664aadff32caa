"""Outlines of gears, racks and rings from the exact involute, what is inside a gear's teeth, and convex pieces.

Outlines are closed polygons (M, 2), counter-clockwise, in the plane z = 0 of the shape's frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.spec import Box, Compound, ConvexHull, Cylinder, Gear, Piece, Rack, Ring
from physreel.spec.toothed import ADDENDUM, DEDENDUM, involute

Floats = NDArray[np.float64]
Profile = Gear | Rack | Ring
PROFILES = (Gear, Rack, Ring)
"""The kinds of shape that this module is about, for isinstance."""

SIDES, RING_SIDES = 96, 192
"""Corners, at least, of the circles that stand for round ones: of bores and hubs, and of rings."""

RING_PIECES = 32
"""Convex pieces around a ring, at least."""

KEPT = 32
"""What is made of shapes is kept for so many of the last: a clip's own, for gears differ from clip to clip, and that of
one takes up to a megabyte."""

_FLANK_POINTS, _FILLET_POINTS, _TIP_POINTS, _ROOT_POINTS = 9, 4, 4, 3
_FILLET = 0.25  # in modules: it ends where the mate's tip would come
_DIMPLED = 12  # sectors of a wheel with dimples: the narrower, the easier to fill
# A flank below the base circle leans by so much, that no two of its points lie on one ray from the axis.
_DRAUGHT_RAD = 1e-3


@dataclass(frozen=True)
class Wheel:
    """What an external gear is inside its teeth.

    Up to ``rim_radius_m`` from the teeth, and within ``hub_radius_m``, it is as thick as they are; between, a web is
    ``web_half_m`` thick to either side. Of ``sector_count`` equal sectors each has a window between two spokes
    (``hole_radius_m`` is 0) or a round hole; or every fourth has a round dimple of ``dimple_m`` in both its faces.
    Without a web (``sector_count`` 0) hub and rim are one.
    """

    rim_radius_m: float
    hub_radius_m: float
    web_half_m: float
    sector_count: int = 0
    hole_radius_m: float = 0.0
    dimple_m: float = 0.0
    spoke_half_m: float = 0.0

    @property
    def edge_m(self) -> float:
        """Width of the bevel of holes and windows."""
        room = 0.5 * (self.rim_radius_m - self.hub_radius_m)
        return min(0.12 * self.web_half_m, 0.06 * room, 0.3 * (self.spoke_half_m or room))

    @property
    def hole_middle_m(self) -> float:
        """How far the middles of holes and windows are from the axis."""
        return 0.5 * (self.rim_radius_m + self.hub_radius_m)


@dataclass(frozen=True, eq=False)
class Prism:
    """A part of a shape: between z = ± ``half_m``, what an odd number of the ``loops`` (M, 2) are round."""

    loops: tuple[Floats, ...]
    half_m: float


def half_angles(gear: Gear, radius_m: ArrayLike) -> Floats:
    """Half the angle that a tooth takes up at radii between root and tip; without fillet, error or runout."""
    r = np.asarray(radius_m, np.float64)
    base = gear.base_radius_m
    alpha = np.arccos(np.minimum(base / np.maximum(r, base), 1.0))
    roll = involute(math.radians(gear.pressure_angle_deg)) - (np.tan(alpha) - alpha)
    if gear.internal:
        return np.asarray(gear.half_tooth_rad - roll)
    return np.asarray(gear.half_tooth_rad + roll + _DRAUGHT_RAD * np.maximum(base - r, 0.0) / base)


@lru_cache(maxsize=KEPT)
def outline(shape: Profile, inset_m: float = 0.0) -> Floats:
    """(M, 2) the toothed outline of a gear (of an internal one that of its hole), a rack's, or a ring's outside.

    With ``inset_m`` about that far inside the solid, corner for corner: once round the axis, and nowhere back.
    """
    if isinstance(shape, Ring):
        points = circle(shape.outer_radius_m - inset_m, RING_SIDES)
    elif isinstance(shape, Rack):
        top, bottom = rack_sides(shape, inset_m)
        points = np.concatenate([bottom[::-1], top])
    else:
        points = _gear_outline(shape, inset_m)
    points.flags.writeable = False
    return points


def circle(radius_m: float, sides: int) -> Floats:
    """(sides, 2) a regular polygon with the area of the circle; its first corner is on + x."""
    swell = math.sqrt(2 * math.pi / (sides * math.sin(2 * math.pi / sides)))
    angle = np.arange(sides) * (2 * np.pi / sides)
    return np.asarray(np.stack([np.cos(angle), np.sin(angle)], 1) * (radius_m * swell))


def outside(gear: Gear, inset_m: float = 0.0) -> Floats:
    """(M, 2) the round outside of an internal gear."""
    return circle(gear.outer_radius_m - inset_m, max(RING_SIDES, 2 * gear.tooth_count))


def _flank(gear: Gear, points: int) -> tuple[Floats, Floats]:
    """Radii and half angles of one flank from the root circle to the tip."""
    root, tip, base = gear.root_radius_m, gear.tip_radius_m, gear.base_radius_m
    inward = -1.0 if gear.internal else 1.0
    pitch = math.pi / gear.tooth_count
    gap = (pitch - float(half_angles(gear, root))) * root
    fillet = min(_FILLET * gear.module_m, max(0.8 * gap, 1e-3 * gear.module_m))
    bottom = root + inward * fillet
    first = bottom if gear.internal else max(base, bottom)
    # Even steps of the roll angle: the involute bends most at its base.
    low, high = (math.sqrt(max(r * r - base * base, 0.0)) for r in (first, tip))
    roll = np.linspace(low, high, points)
    radii = np.hypot(roll, base)
    if first > bottom * (1.0 + 1e-6) and not gear.internal:
        radii = np.insert(radii, 0, bottom)
    turn = np.linspace(0.5 * np.pi, 0.0, _FILLET_POINTS, endpoint=False)
    radii = np.concatenate([root + inward * fillet * (1.0 - np.sin(turn)), radii])
    beyond = fillet - np.sqrt(np.maximum(fillet**2 - np.maximum(inward * (bottom - radii), 0.0) ** 2, 0.0))
    return radii, np.minimum(half_angles(gear, radii) + beyond / root, pitch * (1.0 - 1e-3))


def _gear_outline(gear: Gear, inset_m: float) -> Floats:
    pitch = 2 * math.pi / gear.tooth_count
    radii, half = _flank(gear, _FLANK_POINTS)
    radii += inset_m if gear.internal else -inset_m
    half -= inset_m / gear.pitch_radius_m
    root, tip_radius = radii[0], radii[-1]
    errors = gear.tooth_errors_m or (0.0,) * gear.tooth_count
    missing = frozenset(gear.missing_teeth)
    r, theta = [], []
    for k, error in enumerate(errors):
        middle = k * pitch
        if k in missing:
            angle = middle + pitch * (np.arange(6) / 6 - 0.5)
            theta.append(angle)
            r.append(np.full(len(angle), root))
            continue
        mine = half + error / gear.base_radius_m
        tip = mine[-1] * np.linspace(-1.0, 1.0, _TIP_POINTS)[1:-1]
        side = np.linspace(-0.5 * pitch, -mine[0], _ROOT_POINTS, endpoint=False)
        theta.append(middle + np.concatenate([side, -mine, tip, mine[::-1], -side[:0:-1]]))
        ends = np.full(len(side), root)
        r.append(np.concatenate([ends, radii, np.full(len(tip), tip_radius), radii[::-1], ends[1:]]))
    rs, angles = np.concatenate(r), np.concatenate(theta)
    return np.column_stack([rs * np.cos(angles) + gear.runout_m, rs * np.sin(angles)])


def rack_sides(rack: Rack, inset_m: float = 0.0) -> tuple[Floats, Floats]:
    """The toothed side (K, 2), from + x to - x, and as many points below them along the back; see ``outline``."""
    m, slope = rack.module_m, math.tan(math.radians(rack.pressure_angle_deg))
    root, tip = -DEDENDUM * m, ADDENDUM * m
    fillet = _FILLET * m
    turn = np.linspace(0.5 * np.pi, 0.0, _FILLET_POINTS, endpoint=False)
    y = np.concatenate([root + fillet * (1.0 - np.sin(turn)), [root + fillet, tip]])
    half = 0.25 * rack.pitch_m - 0.5 * rack.thinning_m - y * slope
    half[: len(turn)] += fillet * (1.0 - np.cos(turn))
    half = np.minimum(half, 0.5 * rack.pitch_m * (1.0 - 1e-3)) - inset_m
    missing = frozenset(rack.missing_teeth)
    xs, ys = [[0.5 * rack.length_m]], [[root]]
    for k in range(rack.tooth_count - 1, -1, -1):
        middle = (k - 0.5 * (rack.tooth_count - 1)) * rack.pitch_m
        if k not in missing:
            xs.append([*(middle + half), *(middle - half[::-1])])
            ys.append([*y, *y[::-1]])
        xs.append([middle - 0.5 * rack.pitch_m])
        ys.append([root])
    top = np.column_stack([np.concatenate(xs), np.concatenate(ys) - inset_m])
    top[[0, -1], 0] += [-inset_m, inset_m]
    return top, np.column_stack([top[:, 0], np.full(len(top), root - rack.back_m + inset_m)])


@lru_cache(maxsize=256)
def wheel(gear: Gear) -> Wheel:
    """Rim, web and hub of an external gear: spokes where asked for; else holes in large wheels, dimples in small."""
    m, w = gear.module_m, gear.width_m
    root, bore = gear.root_radius_m - gear.runout_m, gear.bore_radius_m
    hub = max(1.7 * bore, bore + m) if bore else max(0.22 * root, m)
    rim = root - (1.3 if gear.spoke_count else 1.7) * m
    room = rim - hub
    if gear.spoke_count and room > 0.8 * m:
        spoke = min(0.1 * rim + 0.2 * m, 0.7 * math.pi * hub / gear.spoke_count, 0.6 * hub)
        return Wheel(rim, hub, 0.35 * w, gear.spoke_count, spoke_half_m=0.5 * spoke)
    if gear.root_radius_m > 6.0 * m and room > 1.5 * m:
        count = 6 if room > 3.5 * m else 5
        hole = min(0.33 * room, 0.32 * 2 * math.pi * 0.5 * (rim + hub) / count)
        if room > 2.5 * m:
            return Wheel(rim, hub, 0.33 * w, count, hole_radius_m=hole)
        return Wheel(rim, hub, 0.38 * w, _DIMPLED, hole_radius_m=min(0.25 * room, 0.1 * (rim + hub)), dimple_m=0.12 * w)
    inner = max(bore + 0.15 * m, 0.35 * root)
    outer = root - 0.25 * m
    if outer - inner < 0.3 * m:
        return Wheel(0.0, 0.0, 0.5 * w)
    hole = min(0.3 * (outer - inner), 0.5 * m, 0.1 * (outer + inner))
    return Wheel(outer, inner, 0.5 * w, _DIMPLED, hole_radius_m=hole, dimple_m=0.1 * w)


def windows(gear: Gear) -> dict[int, Floats]:
    """Outlines (K, 2) of the windows, holes or dimples of an external gear's web, by the number of their sector."""
    plan = wheel(gear)
    step, every = 2 * np.pi / max(plan.sector_count, 1), 4 if plan.dimple_m else 1
    # The first sector begins at tooth 0: there is a spoke.
    return {k: _turned(_window(plan), (k + 0.5) * step) for k in range(0, plan.sector_count, every)}


def _turned(points: Floats, angle_rad: float) -> Floats:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.asarray(points @ np.array([[c, s], [-s, c]]))


def _window(plan: Wheel) -> Floats:
    """The window or hole about + x."""
    if plan.hole_radius_m > 0.0:
        hole = circle(plan.hole_radius_m, 40 if plan.dimple_m == 0.0 else 20)
        return np.asarray(hole + np.array([plan.hole_middle_m, 0.0]))
    # A square with round corners in (share of the sector, share of the way between hub and rim), bent round the axis.
    half_sector, half_room = np.pi / plan.sector_count, 0.5 * (plan.rim_radius_m - plan.hub_radius_m)
    corner = 0.35
    along = np.linspace(-1.0, 1.0, 1 + 2 * max(4, round(np.degrees(half_sector) / 6)))[1:-1] * (1.0 - corner)
    turn = np.linspace(0.0, np.pi / 2, 7)
    side = [np.column_stack([np.ones(len(along)), along])]
    side.append(1.0 - corner + corner * np.column_stack([np.cos(turn), np.sin(turn)]))
    quarter = np.concatenate(side)
    square = np.concatenate([_turned(quarter, k * np.pi / 2) for k in range(4)])
    radius = plan.hole_middle_m + square[:, 0] * 0.92 * half_room
    angle = square[:, 1] * (half_sector - np.arcsin(np.minimum(plan.spoke_half_m / radius, 0.95)))
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


@lru_cache(maxsize=KEPT)
def prisms(shape: Profile) -> tuple[Prism, ...]:
    """The shape as parts of even thickness; without the bevels of its edges and without dimples."""
    if isinstance(shape, Rack):
        return (Prism((outline(shape),), 0.5 * shape.width_m),)
    if isinstance(shape, Ring):
        return (Prism((outline(shape), circle(shape.inner_radius_m, RING_SIDES)), 0.5 * shape.height_m),)
    half = 0.5 * shape.width_m
    if shape.internal:
        return (Prism((outside(shape), outline(shape)), half),)
    bore = (circle(shape.bore_radius_m, SIDES),) if shape.bore_radius_m else ()
    plan = wheel(shape)
    if plan.web_half_m >= half:
        return (Prism((outline(shape), *bore), half),)
    rim, hub = circle(plan.rim_radius_m, SIDES), circle(plan.hub_radius_m, SIDES)
    holes = windows(shape).values() if plan.dimple_m == 0.0 else ()
    # The web reaches a little into rim and hub: there is no surface between them.
    lap = 0.2 * shape.module_m
    inner = max(plan.hub_radius_m - lap, 0.5 * (plan.hub_radius_m + shape.bore_radius_m))
    web = Prism((circle(plan.rim_radius_m + lap, SIDES), circle(inner, SIDES), *holes), plan.web_half_m)
    return Prism((outline(shape), rim), half), web, Prism((hub, *bore), half)


@lru_cache(maxsize=KEPT)
def profile_compound(shape: Profile) -> Compound:
    """The shape as convex pieces for what it meets: a hull for each tooth, and a disc, a bar or a ring of pieces.

    Pieces overlap, and bores and windows are closed: masses come from ``mass_properties``, never from these.
    """
    if isinstance(shape, Ring):
        pieces = _ring_pieces(RING_PIECES, shape.inner_radius_m, shape.outer_radius_m, shape.height_m)
    elif isinstance(shape, Rack):
        pieces = _rack_pieces(shape)
    else:
        pieces = _gear_pieces(shape)
    # Not checked: a gear may have more teeth than a spec's compound may have pieces.
    return Compound.model_construct(pieces=tuple(pieces))


def _hull(corners: Floats, half_m: float) -> Piece:
    """A prism over (K, 2) corners."""
    points = [(float(x), float(y), z) for z in (-half_m, half_m) for x, y in corners]
    return Piece(shape=ConvexHull(points_m=tuple(points)))


def _ring_pieces(count: int, inner_m: float, outer_m: float, height_m: float) -> list[Piece]:
    angle = np.arange(count + 1) * (2 * np.pi / count)
    # Flat sides touch the round hole and do not reach into it; but for walls so thin that little would be left.
    inner_m *= min(1.0 / np.cos(np.pi / count), 1.0 + 0.5 * (outer_m / inner_m - 1.0))
    pieces = []
    for a, b in pairwise(angle):
        corners = [[r * np.cos(t), r * np.sin(t)] for r in (inner_m, outer_m) for t in (a, b)]
        pieces.append(_hull(np.array(corners), 0.5 * height_m))
    return pieces


def _gear_pieces(gear: Gear) -> list[Piece]:
    half, root = 0.5 * gear.width_m, gear.root_radius_m
    radii, angles = _flank(gear, 4)
    radii, angles = radii[_FILLET_POINTS:], angles[_FILLET_POINTS:]
    # Teeth reach a little into the disc or the ring.
    radii = np.insert(radii, 0, root + (0.3 if gear.internal else -0.3) * min(gear.module_m, gear.rim_m or root))
    angles = np.insert(angles, 0, angles[0])
    if gear.internal:
        pieces = _ring_pieces(max(RING_PIECES, gear.tooth_count), root, gear.outer_radius_m, gear.width_m)
    else:
        disc = Cylinder(radius_m=root, height_m=gear.width_m)
        pieces = [Piece(shape=disc, position_m=(gear.runout_m, 0.0, 0.0))]
    errors = gear.tooth_errors_m or (0.0,) * gear.tooth_count
    missing = frozenset(gear.missing_teeth)
    for k, error in enumerate(errors):
        if k in missing:
            continue
        mine = angles + error / gear.base_radius_m
        angle = 2 * np.pi * k / gear.tooth_count + np.concatenate([-mine, mine[::-1]])
        r = np.concatenate([radii, radii[::-1]])
        pieces.append(_hull(np.column_stack([r * np.cos(angle) + gear.runout_m, r * np.sin(angle)]), half))
    return pieces


def _rack_pieces(rack: Rack) -> list[Piece]:
    m, slope = rack.module_m, math.tan(math.radians(rack.pressure_angle_deg))
    bar = Box(size_m=(rack.length_m, rack.back_m, rack.width_m))
    pieces = [Piece(shape=bar, position_m=(0.0, -DEDENDUM * m - 0.5 * rack.back_m, 0.0))]
    y = np.array([-DEDENDUM * m - 0.3 * min(m, rack.back_m), -DEDENDUM * m, ADDENDUM * m])
    half = 0.25 * rack.pitch_m - 0.5 * rack.thinning_m - np.maximum(y, -DEDENDUM * m) * slope
    missing = frozenset(rack.missing_teeth)
    for k in range(rack.tooth_count):
        if k not in missing:
            x = (k - 0.5 * (rack.tooth_count - 1)) * rack.pitch_m + np.concatenate([half, -half[::-1]])
            pieces.append(_hull(np.column_stack([x, np.concatenate([y, y[::-1]])]), 0.5 * rack.width_m))
    return pieces
