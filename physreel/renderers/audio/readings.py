"""What vessels hold, over time: the signals of a trajectory, read at any moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.vessels import capacity_m3
from physreel.spec import Material, SceneSpec, Tank, Vessel, VesselFill
from physreel.values import Trajectory

Floats = NDArray[np.float64]

CALM_S = 0.04
"""Levels are smoothed by a bell of this standard deviation: particles jitter, the air's length does not."""

LOAD_STEPS = 6
"""Fill levels that are told apart by the pitch of a struck wall."""


class Readings:
    """Signals "<quantity>:<body>" at any time; 0 where there is no such signal."""

    def __init__(self, spec: SceneSpec, trajectory: Trajectory) -> None:
        self._spec, self._signals = spec, trajectory.signals
        self._calm: dict[int, Floats] = {}

    def has(self, *kinds: str, body: int) -> bool:
        """Whether there are signals of all these kinds."""
        return all(f"{kind}:{self._spec.bodies[body].name}" in self._signals for kind in kinds)

    def at(self, kind: str, body: int, times_s: Floats) -> Floats:
        """(N,) values at times (N,), straight lines between those recorded."""
        signal = self._signals.get(f"{kind}:{self._spec.bodies[body].name}")
        if signal is None or not len(signal.values):
            return np.zeros(len(times_s))
        return np.interp(times_s, np.arange(len(signal.values)) / signal.rate_hz, signal.values)

    def calm_level(self, body: int, times_s: Floats) -> Floats:
        """(N,) height of the liquid above the inside floor, without its jitter; from the volume if that is all."""
        step = 0.25 * CALM_S
        if body not in self._calm:
            grid = np.arange(0.0, self._spec.duration_s + step, step)
            shape = self._spec.bodies[body].shape
            assert isinstance(shape, (Vessel, Tank))
            level = self.at("level", body, grid)
            if not self.has("level", body=body):
                levels = np.linspace(0.0, shape.rim_z_m - shape.floor_z_m, 120)
                held = [capacity_m3(shape, float(height)) for height in levels]
                level = np.interp(self.at("volume", body, grid), held, levels)
            bell = np.exp(-0.5 * (np.arange(-12, 13) * step / CALM_S) ** 2)
            self._calm[body] = np.convolve(np.pad(level, 12, mode="edge"), bell / bell.sum(), mode="valid")
        return np.interp(times_s, np.arange(len(self._calm[body])) * step, self._calm[body])

    def fluid_in(self, vessel: int) -> int:
        """The fluid that a vessel is filled with at the start; the first of all if none says so."""
        name = self._spec.bodies[vessel].name
        for k, fluid in enumerate(self._spec.fluids):
            if any(isinstance(fill, VesselFill) and fill.vessel == name for fill in fluid.fills):
                return k
        return 0

    def burden(self, body: int, material: Material, times_s: Floats) -> Floats:
        """(N,) mass that moves with a vessel's wall against the wall's own, in LOAD_STEPS steps; 1 for all else.

        Of the lowest, oval mode of a cylinder fixed at its foot: 1 + rho_l R / (4 rho h) · (level / height)⁴ (A. P.
        French, Am. J. Phys. 51, 688 (1983)). Higher modes move less liquid than that.
        """
        shape = self._spec.bodies[body].shape
        if not self._spec.fluids or not isinstance(shape, Vessel) or not self.has("level", body=body):
            return np.ones(len(times_s))
        density_kg_m3 = self._spec.liquid(self._spec.fluids[self.fluid_in(body)].liquid).density_kg_m3
        deep = shape.rim_z_m - shape.floor_z_m
        share = np.clip(self.calm_level(body, times_s) / deep, 0.0, 1.0)
        share = np.rint(share * LOAD_STEPS) / LOAD_STEPS
        radius = float(np.mean([r for r, z in shape.profile_m if z > shape.floor_z_m]))
        full = 0.25 * density_kg_m3 * radius / (material.density_kg_m3 * shape.wall_m)
        return np.asarray(1.0 + full * share**4)
