"""A spec's liquids as particles at time 0, for all engines of liquids; or every reason why that cannot be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SpecError
from physreel.simulators.liquid_checks import Place, body_problems, site_problems
from physreel.simulators.liquid_layout import Standing, fill_edges_m, fill_sites, fill_volume_m3, lattice_error
from physreel.simulators.liquid_record import driven_poses
from physreel.spec import Fill, SceneSpec, VesselFill

Floats = NDArray[np.float64]

_FINEST = 0.92
"""The spacing may be this share of what the spec asks for, where boxes are then divided without a remainder."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidStart:
    """Particles at time 0, each of which stands for ``spacing_m``³ of its fluid.

    Attributes:
        spacing_m: at most the spec's ``particle_spacing_m``.
        position_m: (N, 3) world.
        velocity_m_s: (N, 3).
        fluid: (N,) int32, index into the spec's fluids.
    """

    spacing_m: float
    position_m: Floats
    velocity_m_s: Floats
    fluid: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.fluid)


def start_liquids(spec: SceneSpec) -> LiquidStart:
    """Place all particles of a world with fluids.

    Raises:
        SpecError: bodies that reach into each other, fills that overlap or have no room, vessels too narrow for the
            spacing, shapes without a distance in closed form; all of them at once.
    """
    problems = body_problems(spec)
    standing: list[Standing] = list(zip(spec.bodies, driven_poses(spec, 0.0), strict=True))
    fills = _fills(spec, standing)
    spacing = _spacing(spec, [(fill, holder) for _, _, fill, holder in fills])
    position, velocity, fluid = [], [], []
    places: list[Place] = []
    for i, k, fill, holder in fills:
        others = [one for one in standing if one is not holder]
        sites = fill_sites(fill, holder, others, spacing)
        places.append((i, k, holder, sites))
        position.append(sites)
        velocity.append(np.tile(np.asarray(spec.fluids[i].velocity_m_s, np.float64), (len(sites), 1)))
        fluid.append(np.full(len(sites), i, np.int32))
    problems += site_problems(spec, standing, places, spacing)
    if problems:
        raise SpecError(problems)
    return LiquidStart(
        spacing_m=spacing,
        position_m=np.concatenate(position),
        velocity_m_s=np.concatenate(velocity),
        fluid=np.concatenate(fluid),
    )


def _fills(spec: SceneSpec, standing: list[Standing]) -> list[tuple[int, int, Fill, Standing | None]]:
    """All fills with their fluid's index, their own, and the vessel that holds them."""
    return [
        (i, k, fill, standing[spec.body_index(fill.vessel)] if isinstance(fill, VesselFill) else None)
        for i, fluid in enumerate(spec.fluids)
        for k, fill in enumerate(fluid.fills)
    ]


def _spacing(spec: SceneSpec, fills: list[tuple[Fill, Standing | None]]) -> float:
    """The spacing at or a little below the asked-for one at which lattices in boxes make up their volume best."""
    asked = spec.particle_spacing_m
    assert asked is not None
    boxes = [edges for fill, holder in fills if (edges := fill_edges_m(fill, holder)) is not None]
    if not boxes:
        return asked
    if len(boxes) == 1 and len(fills) == 1:
        # One box: its cells' own size, to the last digit.
        counts = [max(1, int(np.ceil(edge / asked - 1e-9))) for edge in boxes[0]]
        return float((fill_volume_m3(*fills[0]) / np.prod(counts)) ** (1 / 3))
    tried = asked * np.linspace(1.0, _FINEST, 81)
    errors = [round(max(lattice_error(edges, float(s)) for edges in boxes), 6) for s in tried]
    return float(tried[int(np.argmin(errors))])
