"""The particles of the dfsph engine and their steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from physreel.simulators import dfsph_contacts, dfsph_drag, dfsph_forces, dfsph_pairs, dfsph_solver
from physreel.simulators.dfsph_bodies import pieces_of, world_frames
from physreel.simulators.dfsph_tables import ALONE, ATTRACTION, wall_tables
from physreel.simulators.dfsph_watch import Bounds, Watch, mean_excess, watch_finite
from physreel.simulators.liquid_record import LiquidRecorder
from physreel.simulators.liquid_start import LiquidStart
from physreel.spec import SceneSpec

Floats = NDArray[np.float64]

WALL_GAP = 0.25
"""Particles come no nearer to walls than this many spacings."""

CFL = 0.4
"""Steps are so short that nothing that can meet anything moves more than this many spacings in one,"""

FARTHEST = 1.0
"""and what a step makes faster than that is held back to this many."""

FALL = 0.1
"""Nor is a step longer than this share of the time in which something falls a spacing or so, √(spacing / g),"""

PRESSURE_STEP = 0.28
"""or than this share of spacing / √(pressure / density): pressures act along lines that turn within the step, and at
0.35 a column of 28 spacings begins to fold up."""

SPRAY = 0.7
"""What is less dense than this has no pressure."""

SLACK = 0.01
"""Liquid grows denser freely up to this much short of its density at rest: else what shifts made a little less dense
would sink back in the next step, for ever."""

SHIFTED, SHIFT = 0.5, 0.1
"""Share of what is too dense that shifts take back in a step, and how many spacings they go at most."""

GROWTH_TOLERANCE, DENSITY_TOLERANCE = 1e-4, 1e-3
"""Root mean squares of excess density a step that pressures and shifts may leave."""

MOST_ROUNDS = 100

LEAST_VISCOSITY_M2_S = 3e-5
"""Kinematic viscosity between particles is at least this, or they jostle for seconds; at walls it is the true one."""

DRAG_TOLERANCE = 0.03

SETTLING = 20
"""Steps before time 0 in which particles only make room for each other."""

WETTING = 0.8
"""How well walls attract liquid beside how it attracts itself: (1 + cos θ) / 2 for a contact angle θ of 50°, as of
water on glass that is not quite clean."""

_NAMES = ("ids", "position", "velocity", "mass", "inverse_mass", "viscosity", "wall_viscosity", "cohesion", "pressure")


class Liquid:
    """All particles that are in the world, in the order of their cells; ``ids`` says which is which.

    Args:
        spec: the world.
        start: its particles at time 0.
        recorder: takes samples while time goes on.
        poses: (B, 7) of all bodies at a time.

    Attributes:
        impulse: (B, 6) impulses and moments that bodies took from the liquid since it was last set to zero; kept where
            ``middles`` is set, which gives their centres of mass (B, 3) at poses (B, 7).
    """

    def __init__(
        self, spec: SceneSpec, start: LiquidStart, recorder: LiquidRecorder, poses: Callable[[float], Floats]
    ) -> None:
        self.spec, self.spacing, self.recorder, self.poses = spec, start.spacing_m, recorder, poses
        self.gravity = np.asarray(spec.gravity_m_s2, np.float64)
        self.pieces, self.table = pieces_of(spec), wall_tables()
        n = len(start)
        liquids = [spec.liquid(fluid.liquid) for fluid in spec.fluids]
        density = np.array([liquid.density_kg_m3 for liquid in liquids])[start.fluid]
        self.ids = np.arange(n)
        self.position, self.velocity = start.position_m.copy(), start.velocity_m_s.copy()
        self.mass = density * start.spacing_m**3
        self.inverse_mass = 1.0 / self.mass
        self.wall_viscosity = np.array([liquid.viscosity_pa_s for liquid in liquids])[start.fluid]
        self.viscosity = np.maximum(self.wall_viscosity, LEAST_VISCOSITY_M2_S * density)
        tension = np.array([liquid.surface_tension_n_m for liquid in liquids])[start.fluid]
        # Its square is the scale of the attraction between two particles.
        self.cohesion = np.sqrt(ATTRACTION * tension * start.spacing_m)
        self.pressure = np.zeros(n)
        self.present = np.ones(n, np.bool_)
        self.full_position, self.full_velocity = self.position.copy(), self.velocity.copy()
        self.time = 0.0
        self.impulse = np.zeros((len(spec.bodies), 6))
        self.middles: Callable[[Floats], Floats] | None = None
        self._bounds = Bounds(spec, self.position)
        self._begin()
        # Room for what is made anew each step.
        most = dfsph_contacts.MOST
        self._start = np.zeros(dfsph_pairs.MOST_CELLS + 1, np.int32)
        self._count, self._distance = np.zeros(n, np.int64), np.zeros((n, most))
        self._normal, self._wall_body = np.zeros((n, most, 3)), np.zeros((n, most), np.int64)
        self._wall_velocity, self._wall_slope = np.zeros((n, most, 3)), np.zeros((n, most, 3))
        self._share, self._slope, self._flow = np.zeros(n), np.zeros((n, 3)), np.zeros(n)
        self._first, self._other, self._pair = np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros((0, 4))
        self._pull, self._force = np.zeros((n, 3)), np.zeros((n, 3))
        self._sticks = np.array([body.motion != "dynamic" for body in spec.bodies])
        self._density, self._diagonal, self._total = np.zeros(n), np.zeros(n), np.zeros((n, 4))
        self._make_room(20 * n)

    def settle(self) -> None:
        """Let particles make room for each other where they start too close, at walls that lean; nothing else moves."""
        poses, gravity, velocity = self.poses, self.gravity, self.velocity
        here = poses(0.0)
        self.poses, self.gravity = lambda _: here, np.zeros(3)
        for _ in range(SETTLING):
            self.velocity = np.zeros_like(velocity)
            self.step(1e-3)
        self.poses, self.gravity, self.velocity = poses, gravity, velocity[self.ids]
        self.pressure[:] = 0.0
        self._begin()  # anew: making room lifts some, and that is where they start

    def _begin(self) -> None:
        """Count steps, and watch energy, from the particles as they are."""
        self.steps, self.particle_steps, self.held, self.rounds, self.error_sum = 0, 0, 0, 0, 0.0
        self.last_dt = 0.0
        self.fastest = float(np.linalg.norm(self.velocity, axis=1).max(initial=0.0))
        # √(pressure / density) at the foot of a column as high as all the liquid spans.
        self.press_speed = float(np.sqrt(np.ptp(self.position @ self.gravity))) if len(self.ids) else 0.0
        self._watch = Watch(self.spec, self.position, self.velocity, self.mass)

    def advance(self, until_s: float) -> None:
        """Take steps, and the samples that fall due, up to a time."""
        recorder = self.recorder
        while True:
            due = recorder.time_s(recorder.taken) if recorder.taken < recorder.sample_count else np.inf
            if due <= self.time + 1e-9:
                self._sample(due)
                continue
            left = min(due, until_s) - self.time
            if left <= 1e-9:
                return
            dt = left / np.ceil(left / self.step_limit())
            if len(self.ids):
                self.step(dt)
            self.time += dt

    def step_limit(self) -> float:
        """The longest step that may be taken now."""
        g, s, v = float(np.linalg.norm(self.gravity)), self.spacing, max(self.fastest, 1e-3)
        if g == 0.0:
            limit = CFL * s / v
        else:
            # So that at the speed after the step, v + g dt, the way is no longer.
            limit = min((np.sqrt(v * v + 4 * g * CFL * s) - v) / (2 * g), FALL * np.sqrt(s / g))
        return float(min(limit, PRESSURE_STEP * s / max(self.press_speed, 1e-3)))

    def _sample(self, time: float) -> None:
        # What nothing presses on is half a step of gravity ahead.
        n = len(self.ids)
        falling = (self.pressure == 0.0) & (self._count[:n] == 0)
        velocity = self.velocity - (0.5 * self.last_dt * falling)[:, None] * self.gravity
        self.full_position[self.ids], self.full_velocity[self.ids] = self.position, velocity
        self._watch.look(time, self.position, velocity, self.mass, self._density[:n])
        gone = self._bounds.outside(self.position)
        if gone.any():
            self._watch.lost(self.mass[gone], self.position[gone], velocity[gone])
            self.present[self.ids[gone]] = False
            self.full_velocity[self.ids[gone]] = 0.0
            for name in _NAMES:
                setattr(self, name, getattr(self, name)[~gone])
            self._count[: len(self.ids)] = self._count[:n][~gone]
        self.recorder.sample(time, self.full_position, self.full_velocity, self.present, self.poses(time))

    def _make_room(self, pairs: int) -> None:
        self._other, self._pair = np.zeros(pairs, np.int32), np.zeros((pairs, 4))

    def step(self, dt: float) -> None:
        """Take one step."""
        s, p, n = self.spacing, self.pieces, len(self.ids)
        # Cells are indices made of positions: compiled loops do not check them.
        watch_finite(self.time, self.position)
        order, cell, dims, reach = dfsph_pairs.cell_order(self.position, s, self._start)
        for name in _NAMES:
            setattr(self, name, getattr(self, name)[order])
        here = self.poses(self.time)
        turn0, place0 = world_frames(here)
        turn1, place1 = world_frames(self.poses(self.time + dt))
        count, distance, normal, wall_body = self._count[:n], self._distance[:n], self._normal[:n], self._wall_body[:n]
        wall_velocity, wall_slope, slope, flow = (
            self._wall_velocity[:n],
            self._wall_slope[:n],
            self._slope[:n],
            self._flow[:n],
        )
        dfsph_contacts.find_contacts(
            self.position, s, p.kind, p.body, p.turn, p.place, p.size, p.first, p.count, p.rows, p.middle, p.reach,
            turn0, place0, turn1, place1, dt, self.table, self._sticks,
            count, distance, normal, wall_body, wall_velocity, wall_slope, self._share[:n], slope, flow,
            self._pull[:n],
        )  # fmt: skip
        first, density, diagonal, force = self._first[: n + 1], self._density[:n], self._diagonal[:n], self._force[:n]
        while True:
            used = dfsph_pairs.find_pairs(
                self.position, s, cell, self._start, dims, reach, count, distance, normal, wall_body, self._share[:n],
                slope, self.inverse_mass, self.cohesion, first, self._other, self._pair, density, diagonal, force,
                self._total[:n],
            )  # fmt: skip
            if used <= len(self._other):
                break
            self._make_room(int(1.2 * used))
        pairs = (first, self._other, self._pair)
        force += (WETTING * self.cohesion**2)[:, None] * self._pull[:n]
        # Velocities live between steps (leapfrog), so that free fall is exact.
        self.velocity += 0.5 * (self.last_dt + dt) * self.gravity + dt * force * self.inverse_mass[:, None]
        self.last_dt = dt
        dragged = dfsph_drag.drag(
            self.velocity, *pairs, count, distance, normal, wall_velocity, self.mass, self.viscosity,
            self.wall_viscosity, s, dt, self.table, DRAG_TOLERANCE, MOST_ROUNDS,
        )  # fmt: skip
        middle = None if self.middles is None else self.middles(here)
        if middle is not None:
            dfsph_forces.drag_impulses(
                self.position, self.velocity, count, distance, normal, wall_body, wall_velocity, self.wall_viscosity,
                s, dt, self.table, middle, self.impulse,
            )  # fmt: skip
        shift = self._pull[:n]  # its room is free again
        forced, shifted = dfsph_solver.press(
            self.velocity, density, *pairs, slope, flow, self.inverse_mass, diagonal, dt, SPRAY, SLACK, SHIFTED,
            SHIFT * s, self.pressure, shift, GROWTH_TOLERANCE, DENSITY_TOLERANCE, MOST_ROUNDS,
        )  # fmt: skip
        before = self.velocity.copy() if middle is not None else self.velocity
        place = self.position.copy() if middle is not None else self.position
        self.fastest, held = dfsph_solver.move(
            self.position, self.velocity, shift, density, 1.001 * ALONE, count, distance, normal, wall_velocity,
            WALL_GAP * s, FARTHEST * s, dt,
        )  # fmt: skip
        self.held += held
        if middle is not None:
            dfsph_forces.wall_impulses(
                place, before, self.velocity, self.mass, self.pressure, count, distance, normal, wall_body, wall_slope,
                dt, middle, self.impulse,
            )  # fmt: skip
        squares = self.pressure * self.inverse_mass
        total = float(squares.sum())
        # Sums of numpy's own: those of BLAS are split over as many threads as there happen to be.
        # Of pressures weighted by themselves; a column's is two thirds of that at its foot.
        self.press_speed = float(np.sqrt(1.5 * float((squares * squares).sum()) / total)) if total > 0.0 else 0.0
        self.steps += 1
        self.particle_steps += n
        self.rounds += forced + dragged + shifted
        self.error_sum += mean_excess(density)
