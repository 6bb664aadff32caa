"""Which gears and racks of a spec may mesh, and why those that are near each other cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SpecError
from physreel.geometry.gears import mesh_problems, rack_problems
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.spec import Gear, Rack, SceneSpec

Floats = NDArray[np.float64]
Toothed = Gear | Rack

_PARALLEL = 1.0 - 1e-9
_Z = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class ToothPair:
    """Two toothed bodies that keep parallel axes.

    ``first`` is an external gear, ``second`` a gear or rack. ``flip`` is -1 where the second's axis points against the
    first's, else 1.
    """

    first: int
    second: int
    flip: float

    @property
    def bodies(self) -> tuple[int, int]:
        """Both, the lesser index first."""
        return min(self.first, self.second), max(self.first, self.second)


def find_tooth_pairs(
    spec: SceneSpec, toothed: dict[int, Toothed], free_pairs: frozenset[tuple[int, int]]
) -> tuple[ToothPair, ...]:
    """All pairs whose teeth may meet: on parallel axes, and both held by joints or not moved by forces at all.

    What is loose may turn any way, and touches others as a heap of hulls; so do gears on axes that cross.

    Raises:
        SpecError: a rack that faces the wrong way.
    """
    jointed = spec.jointed
    kept = [i for i in toothed if spec.bodies[i].motion != "dynamic" or spec.bodies[i].name in jointed]
    axes = {i: rotate_wxyz(np.asarray(spec.bodies[i].orientation_wxyz), _Z) for i in kept}
    found, problems = [], []
    for place, i in enumerate(kept):
        for k in kept[place + 1 :]:
            if (i, k) in free_pairs or not any(spec.bodies[n].motion == "dynamic" for n in (i, k)):
                continue
            first, second = (i, k) if _is_pinion(toothed[i]) else (k, i)
            along = float(axes[first] @ axes[second])
            if not _is_pinion(toothed[first]) or abs(along) < _PARALLEL:
                continue
            if isinstance(toothed[second], Rack) and along < 0.0:
                problems.append(
                    f"bodies.{second} ({spec.bodies[second].name!r}): the z axes of a rack and of the gears that it "
                    f"meshes with must point the same way; turn it round"
                )
            found.append(ToothPair(first=first, second=second, flip=float(np.sign(along))))
    if problems:
        raise SpecError(problems)
    return tuple(found)


def meshing_problems(
    spec: SceneSpec, toothed: dict[int, Toothed], pairs: tuple[ToothPair, ...]
) -> dict[tuple[int, int], list[str]]:
    """Why teeth that reach each other at the start cannot mesh and what would, for each such pair (a < b)."""
    found = {}
    for pair in pairs:
        first, second = toothed[pair.first], toothed[pair.second]
        assert isinstance(first, Gear)
        one, other = spec.bodies[pair.first], spec.bodies[pair.second]
        axis = rotate_wxyz(np.asarray(one.orientation_wxyz), _Z)
        apart = np.subtract(other.position_m, one.position_m)
        rise = float(apart @ axis)
        if abs(rise) >= 0.5 * (first.width_m + second.width_m):
            continue
        distance = float(np.linalg.norm(apart - rise * axis))
        if isinstance(second, Rack):
            own = rotate_wxyz(conjugate_wxyz(np.asarray(other.orientation_wxyz)), -apart)
            beside = abs(float(own[0])) > 0.5 * second.length_m
            if beside or float(own[1]) >= first.tip_radius_m + second.module_m or float(own[1]) < 0.0:
                continue
            problems = rack_problems(first, second, float(own[1]))
        else:
            inside = second.internal
            reach = second.outer_radius_m if inside else first.tip_radius_m + second.tip_radius_m
            clear = inside and distance + first.tip_radius_m <= second.tip_radius_m
            if distance >= reach or clear:
                continue
            problems = mesh_problems(first, second, distance)
        if problems:
            found[pair.bodies] = [f"bodies {one.name!r} and {other.name!r}: {line}" for line in problems]
    return found


def _is_pinion(shape: Toothed) -> bool:
    return isinstance(shape, Gear) and not shape.internal
