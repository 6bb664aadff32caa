"""Liquids by incompressible smoothed particle hydrodynamics, in compiled loops: for draft and standard."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SimulationError
from physreel.simulators.base import Capability, Simulator
from physreel.simulators.dfsph_bodies import Pieces, pieces_of, world_frames
from physreel.simulators.dfsph_tables import wall_tables
from physreel.simulators.liquid_record import LiquidRecorder, driven_poses
from physreel.simulators.liquid_start import LiquidStart, start_liquids
from physreel.spec import SceneSpec
from physreel.values import Trajectory

Floats = NDArray[np.float64]

VERSION = "1"

WALL_GAP = 0.25
"""Particles come no nearer to walls than this many spacings."""

CFL = 0.4
"""Nothing moves more than this many spacings a step."""

DENSITY_TOLERANCE = 1e-3
GROWTH_TOLERANCE = 1e-4
MOST_ROUNDS = 100
PART = 0.7
LEAST_VISCOSITY = 3e-5


class DfsphSimulator(Simulator):
    """DFSPH (J. Bender, D. Koschier, Divergence-free SPH for incompressible and viscous fluids, 2017)."""

    name: ClassVar[str] = "dfsph"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({"driven", "liquids"})

    def check(self, spec: SceneSpec) -> None:
        """See Simulator.check."""
        self.require_capabilities(spec)
        start_liquids(spec)

    def simulate(self, spec: SceneSpec) -> Trajectory:
        """See Simulator.simulate."""
        self.require_capabilities(spec)
        run = _Run(spec, start_liquids(spec))
        run.run()
        return run.trajectory()


class _Run:
    """One simulation. Particles are kept in the order of their cells; ``ids`` says which is which."""

    def __init__(self, spec: SceneSpec, start: LiquidStart) -> None:
        from physreel.simulators import dfsph_contacts, dfsph_pairs, dfsph_solver

        self.contacts, self.pairs, self.solver = dfsph_contacts, dfsph_pairs, dfsph_solver
        self.spec, self.spacing = spec, start.spacing_m
        self.gravity = np.asarray(spec.gravity_m_s2, np.float64)
        self.pieces: Pieces = pieces_of(spec)
        self.table = wall_tables()
        self.recorder = LiquidRecorder(spec, spacing_m=start.spacing_m, fluid=start.fluid)
        n = len(start)
        liquids = [spec.liquid(fluid.liquid) for fluid in spec.fluids]
        volume = start.spacing_m**3
        self.ids = np.arange(n)
        self.position, self.velocity = start.position_m.copy(), start.velocity_m_s.copy()
        self.mass = np.array([liquid.density_kg_m3 for liquid in liquids])[start.fluid] * volume
        self.viscosity = np.array(
            [max(liquid.viscosity_pa_s, LEAST_VISCOSITY * liquid.density_kg_m3) for liquid in liquids]
        )[start.fluid]
        self.pressure, self.growth = np.zeros(n), np.zeros(n)
        self.present = np.ones(n, np.bool_)
        self.full_position, self.full_velocity = self.position.copy(), self.velocity.copy()
        self.room = 24 * n
        self.steps = 0
        self.rounds = np.zeros(3, np.int64)
        self.fastest = float(np.linalg.norm(self.velocity, axis=1).max()) if n else 0.0
        self.error_sum = 0.0

    def run(self) -> None:
        """Take all steps and samples."""
        recorder = self.recorder
        time = 0.0
        self._sample(0.0)
        for k in range(1, recorder.sample_count):
            target = recorder.time_s(k)
            while time < target - 1e-9:
                left = target - time
                dt = left / np.ceil(left / self._step_limit())
                self._step(time, dt)
                time += dt
            time = target
            self._sample(target)

    def _step_limit(self) -> float:
        g = float(np.linalg.norm(self.gravity))
        s = self.spacing
        # Speed after the step: v + g dt.
        v = max(self.fastest, 1e-3)
        dt = CFL * s / v
        if g > 0:
            dt = (-v + np.sqrt(v * v + 4 * g * CFL * s)) / (2 * g)
        return float(min(dt, 0.1 * np.sqrt(s / max(g, 1e-9))))

    def _sample(self, time: float) -> None:
        self.full_position[self.ids], self.full_velocity[self.ids] = self.position, self.velocity
        if not np.isfinite(self.position).all():
            raise SimulationError(f"the liquid went unstable: positions are no longer numbers at {time:.3f} s")
        self.recorder.sample(time, self.full_position, self.full_velocity, self.present, driven_poses(self.spec, time))

    def _step(self, time: float, dt: float) -> None:
        s = self.spacing
        order, start, dims = self.pairs.cell_order(self.position, s)
        for name in ("ids", "position", "velocity", "mass", "viscosity", "pressure", "growth"):
            setattr(self, name, getattr(self, name)[order])
        n, most = len(order), self.contacts.MOST
        p = self.pieces
        turn0, place0 = world_frames(driven_poses(self.spec, time))
        turn1, place1 = world_frames(driven_poses(self.spec, time + dt))
        count, distance = np.empty(n, np.int64), np.empty((n, most))
        normal, wall_body, wall_velocity = np.empty((n, most, 3)), np.empty((n, most), np.int64), np.empty((n, most, 3))
        wall_slope, wall_share = np.empty((n, most)), np.empty(n)
        slope, flow = np.empty((n, 3)), np.empty(n)
        self.contacts.find_contacts(
            self.position, s, p.kind, p.body, p.turn, p.place, p.size, p.first, p.count, p.rows, p.middle, p.reach,
            turn0, place0, turn1, place1, dt, self.table,
            count, distance, normal, wall_body, wall_velocity, wall_slope, wall_share, slope, flow,
        )  # fmt: skip
        density, diagonal, close = np.empty(n), np.empty(n), np.empty(n, np.int64)
        first = np.empty(n + 1, np.int64)
        while True:
            other, pair = np.empty(self.room, np.int32), np.empty((self.room, 4))
            used = self.pairs.find_pairs(
                self.position, s, start, dims, count, distance, normal, wall_body, wall_share, slope, self.mass,
                first, other, pair, density, diagonal, close,
            )  # fmt: skip
            if used <= self.room:
                break
            self.room = int(1.2 * used)
        args = (first, other, pair, slope, flow, self.mass, diagonal, dt)
        self.velocity += dt * self.gravity
        weight = np.ones((n, most))
        b = self.solver.drag(
            self.velocity, first, other, pair, count, distance, normal, wall_velocity, weight, self.mass,
            self.viscosity, s, dt, self.table, 0.03, 100,
        )  # fmt: skip
        part = density > PART
        a, _ = self.solver.press(
            self.velocity, np.minimum(density - 1.0, 0.0), part, *args, self.pressure, GROWTH_TOLERANCE, MOST_ROUNDS
        )
        moving = self.velocity.copy()
        c, error = self.solver.press(moving, density - 1.0, part, *args, self.growth, DENSITY_TOLERANCE, MOST_ROUNDS)
        self.shift = (moving - self.velocity) * dt
        self.position += self.shift
        self.fastest = self.solver.move(
            self.position, self.velocity, count, distance, normal, wall_velocity, WALL_GAP * s, dt
        )
        self.steps += 1
        self.rounds += (a, b, c)
        self.error_sum += error
        self.density = density
        self.close = close

    def trajectory(self) -> Trajectory:
        """What was recorded."""
        record = self.recorder.finish()
        spec = self.spec
        per_frame = max(1, round(self.steps / spec.frame_count))
        notes = (
            f"{len(self.recorder.fluid)} particles {self.spacing * 1e3:.2f} mm apart, {self.steps} steps, "
            f"mean density error {100 * self.error_sum / max(self.steps, 1):.2f} %",
        )
        return record.trajectory(
            spec, step_s=1.0 / (spec.fps * per_frame), simulator=f"{DfsphSimulator.name} {VERSION}", notes=notes
        )
