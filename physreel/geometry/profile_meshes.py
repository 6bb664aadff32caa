"""Gears, racks and rings as closed triangle surfaces with bevelled edges.

The upper half (z >= 0) is made of strips between loops and mirrored. A strip from loop a to loop b, both
counter-clockwise, faces outwards where b is above a, and up where b is inside a.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.profiles import (
    KEPT,
    RING_SIDES,
    SIDES,
    Profile,
    Wheel,
    circle,
    outline,
    outside,
    rack_sides,
    wheel,
    windows,
)
from physreel.spec import Gear, Rack, Ring

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BEVEL = 0.07  # in modules
_SIDE_STEPS = 6


@lru_cache(maxsize=KEPT)
def profile_surface(shape: Profile) -> tuple[Floats, Ints]:
    """Vertices (V, 3) and triangles (F, 3), counter-clockwise seen from outside, as read-only arrays; watertight."""
    if isinstance(shape, Ring):
        half = _ring(shape)
    elif isinstance(shape, Rack):
        half = _rack(shape)
    elif shape.internal:
        half = _internal(shape)
    else:
        half = _external(shape)
    upper = np.concatenate(half)
    corners = np.concatenate([upper, (upper * [1.0, 1.0, -1.0])[:, ::-1]])
    flat = corners.reshape(-1, 3)
    # Corners that are one but for rounding become one vertex.
    keys = np.round(flat / (1e-9 * float(np.abs(flat).max()))).astype(np.int64)
    _, first, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    vertices, faces = flat[first], index.reshape(-1, 3)
    distinct = (faces != np.roll(faces, 1, axis=1)).all(1)
    faces = np.ascontiguousarray(faces[distinct])
    vertices.flags.writeable = faces.flags.writeable = False
    return vertices, faces


def _at(loop: Floats, z_m: float) -> Floats:
    return np.column_stack([loop, np.full(len(loop), z_m)])


def _strips(*loops: Floats) -> list[Floats]:
    """(2 M, 3, 3) triangles between each two of the loops (M, 3) that follow each other."""
    out = []
    for a, b in pairwise(loops):
        a_next, b_next = np.roll(a, -1, axis=0), np.roll(b, -1, axis=0)
        out.append(np.concatenate([np.stack([a, a_next, b_next], 1), np.stack([a, b_next, b], 1)]))
    return out


def _zip(a: Floats, b: Floats, a_angle: Floats, b_angle: Floats) -> Floats:
    """(F, 3, 3) triangles between two loops of any lengths, each of which goes once round as its angles do."""
    a, ka = _from_least(a, a_angle)
    b, kb = _from_least(b, b_angle)
    i, j = np.arange(len(a)), np.arange(len(b))
    across_a = np.searchsorted(kb, ka, side="left") % len(b)
    across_b = np.searchsorted(ka, kb, side="right") % len(a)
    return np.concatenate([
        np.stack([a, a[(i + 1) % len(a)], b[across_a]], 1),
        np.stack([a[across_b], b[(j + 1) % len(b)], b], 1),
    ])  # fmt: skip


def _from_least(loop: Floats, angle: Floats) -> tuple[Floats, Floats]:
    """The loop from its least angle on, and the angles of its sides' middles."""
    angle = np.mod(angle + 1e-9, 2 * np.pi)
    first = int(np.argmin(angle))
    loop, angle = np.roll(loop, -first, axis=0), np.roll(angle, -first)
    return loop, 0.5 * (angle + np.append(angle[1:], angle[0] + 2 * np.pi))


def _round(a: Floats, b: Floats) -> Floats:
    """As ``_zip``, about the axis."""
    return _zip(a, b, np.arctan2(a[:, 1], a[:, 0]), np.arctan2(b[:, 1], b[:, 0]))


def _fan(a: Floats) -> Floats:
    middle = np.broadcast_to(a.mean(0), a.shape)
    return np.stack([a, np.roll(a, -1, axis=0), middle], 1)


def _inset(loop: Floats, by_m: float) -> Floats:
    """A convex loop (M, 2) moved inwards, sides parallel; outwards where ``by_m`` is negative."""
    side = np.roll(loop, -1, axis=0) - loop
    normal = np.column_stack([-side[:, 1], side[:, 0]]) / np.linalg.norm(side, axis=1)[:, None]
    mean = normal + np.roll(normal, 1, axis=0)
    # Of two unit normals with the sum s, s / (s·s / 2) has the length that keeps sides parallel.
    return np.asarray(loop + by_m * mean / (0.5 * np.einsum("ni,ni->n", mean, mean))[:, None])


def _collar(gear: Gear, inset_m: float, radius_m: float) -> Floats:
    """A circle about the middle of the teeth with a corner on the ray to each corner of the outline."""
    middle = np.array([gear.runout_m, 0.0])
    teeth = outline(gear, inset_m) - middle
    return np.asarray(teeth * (radius_m / np.linalg.norm(teeth, axis=1))[:, None] + middle)


def _bevel(shape: Profile) -> float:
    if isinstance(shape, Ring):
        return 0.04 * min(shape.outer_radius_m - shape.inner_radius_m, shape.height_m)
    bevel = min(_BEVEL * shape.module_m, 0.06 * shape.width_m)
    if isinstance(shape, Gear) and not shape.internal:
        bevel = min(bevel, 0.2 * (shape.root_radius_m - shape.runout_m - shape.bore_radius_m))
    return bevel


def _external(gear: Gear) -> list[Floats]:
    half, bevel, plan = 0.5 * gear.width_m, _bevel(gear), wheel(gear)
    teeth = outline(gear)
    collar = _at(_collar(gear, bevel, gear.root_radius_m - 2 * bevel), half)
    out = _strips(_at(teeth, 0.0), _at(teeth, half - bevel), _at(outline(gear, bevel), half), collar)
    count = max(plan.sector_count, 1)
    sides = count * (-(-SIDES // count))
    bore = gear.bore_radius_m

    def level(radius_m: float, z_m: float) -> Floats:
        return _at(circle(radius_m, sides), z_m)

    if plan.sector_count and plan.web_half_m < half:
        edge = min(bevel, 0.5 * (half - plan.web_half_m))
        rim, hub = plan.rim_radius_m, plan.hub_radius_m
        top = level(rim + edge, half)
        out += [_round(collar, top), *_strips(top, level(rim, half - edge), level(rim, plan.web_half_m))]
        out += _web(gear, sides)
        last = level(hub - edge, half)
        out += _strips(level(hub, plan.web_half_m), level(hub, half - edge), last)
    elif plan.sector_count:
        out.append(_round(collar, level(plan.rim_radius_m, half)))
        out += _web(gear, sides)
        last = level(plan.hub_radius_m, half)
    else:
        last = collar
    if bore == 0.0:
        return [*out, _fan(last)]
    mouth = level(bore + bevel, half)
    return [*out, _round(last, mouth), *_strips(mouth, level(bore, half - bevel), level(bore, 0.0))]


def _web(gear: Gear, sides: int) -> list[Floats]:
    """The face between rim and hub at z = web_half_m, and what is cut out of it."""
    plan, holes = wheel(gear), windows(gear)
    z, edge, steps = plan.web_half_m, plan.edge_m, sides // plan.sector_count
    # From the rim inwards: so many corners on their common sides keep triangles between sector and hole from crossing.
    arcs = [circle(r, sides) for r in np.linspace(plan.rim_radius_m, plan.hub_radius_m, _SIDE_STEPS + 1)]
    out = []
    for k in range(plan.sector_count):
        at = (k * steps + np.arange(steps + 1)) % sides
        if k not in holes:
            for outer, inner in pairwise(arcs):
                a, b = _at(outer[at], z), _at(inner[at], z)
                out += [np.stack([a[:-1], a[1:], b[1:]], 1), np.stack([a[:-1], b[1:], b[:-1]], 1)]
            continue
        hole = holes[k]
        ends = np.stack([[arc[at[-1]], arc[at[0]]] for arc in arcs])
        sector = np.concatenate([arcs[0][at], ends[1:-1, 0], arcs[-1][at[::-1]], ends[-2:0:-1, 1]])
        if plan.dimple_m:
            mouth, floor = _at(hole, z), _at(_inset(hole, 0.4 * plan.hole_radius_m), z - plan.dimple_m)
            out += [*_strips(mouth, floor), _fan(floor)]
        else:
            mouth = _at(_inset(hole, -edge), z)
            out += _strips(mouth, _at(hole, z - edge), _at(hole, 0.0))
        out.append(_zip(_at(sector, z), mouth, *_turns(plan, k, sector, mouth[:, :2])))
    return out


def _turns(plan: Wheel, number: int, sector: Floats, mouth: Floats) -> tuple[Floats, Floats]:
    """Angles at which the corners of a sector's border and of the hole in it go once round its middle."""
    half_sector, half_room = np.pi / plan.sector_count, 0.5 * (plan.rim_radius_m - plan.hub_radius_m)
    turn = (2 * number + 1) * half_sector
    if plan.hole_radius_m:
        middle = plan.hole_middle_m * np.array([np.cos(turn), np.sin(turn)])
        a, b = sector - middle, mouth - middle
        return np.arctan2(a[:, 1], a[:, 0]) - turn, np.arctan2(b[:, 1], b[:, 0]) - turn
    # Windows are round their sectors' middles in (radius, angle), however wide they are.
    radius, angle = np.hypot(*mouth.T), np.arctan2(mouth[:, 1], mouth[:, 0])
    away = (angle - turn + np.pi) % (2 * np.pi) - np.pi
    along = np.linspace(-1.0, 1.0, len(sector) // 2 + 1 - _SIDE_STEPS)
    side = np.linspace(1.0, -1.0, _SIDE_STEPS + 1)[1:-1]
    across = np.concatenate([along, np.ones(len(side)), -along, -np.ones(len(side))])
    border = np.arctan2(across, np.concatenate([np.ones(len(along)), side, -np.ones(len(along)), -side]))
    return border, np.arctan2(away / half_sector, (radius - plan.hole_middle_m) / half_room)


def _internal(gear: Gear) -> list[Floats]:
    half, bevel = 0.5 * gear.width_m, min(_bevel(gear), 0.2 * gear.rim_m)
    teeth, back = outline(gear), outside(gear)
    collar = _at(_collar(gear, bevel, gear.root_radius_m + 2 * bevel), half)
    top = _at(outside(gear, bevel), half)
    return [
        *_strips(_at(back, 0.0), _at(back, half - bevel), top),
        _round(top, collar),
        *_strips(collar, _at(outline(gear, bevel), half), _at(teeth, half - bevel), _at(teeth, 0.0)),
    ]


def _ring(ring: Ring) -> list[Floats]:
    half, bevel = 0.5 * ring.height_m, _bevel(ring)
    path = [
        (ring.outer_radius_m, 0.0), (ring.outer_radius_m, half - bevel), (ring.outer_radius_m - bevel, half),
        (ring.inner_radius_m + bevel, half), (ring.inner_radius_m, half - bevel), (ring.inner_radius_m, 0.0),
    ]  # fmt: skip
    return _strips(*(_at(circle(r, RING_SIDES), z) for r, z in path))


def _rack(rack: Rack) -> list[Floats]:
    half, bevel = 0.5 * rack.width_m, min(_bevel(rack), 0.2 * rack.back_m)
    loop = outline(rack)
    inner = _at(outline(rack, bevel), half)
    count = len(rack_sides(rack)[0])
    bottom, top = inner[:count][::-1], inner[count:]
    cap = np.concatenate([
        np.stack([top[:-1], top[1:], bottom[1:]], 1), np.stack([top[:-1], bottom[1:], bottom[:-1]], 1)
    ])  # fmt: skip
    return [*_strips(_at(loop, 0.0), _at(loop, half - bevel), inner), cap]
