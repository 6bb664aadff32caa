"""A spec run through SPlisHSPlasH, in the process that this is called in: start, settle, steps, samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SimulationError
from physreel.geometry.distances import distance_gradients, world_distances
from physreel.geometry.extents import bounding_radius_m, support_distances
from physreel.geometry.mass import mass_center_m
from physreel.geometry.rotations import conjugate_wxyz, keyframe_pose, pose_rates, rotate_wxyz
from physreel.simulators.liquid_record import LiquidRecord, LiquidRecorder, driven_poses
from physreel.simulators.liquid_start import LiquidStart, start_liquids
from physreel.simulators.splash_engine import Engine, Part, Wall
from physreel.simulators.splash_walls import body_samples, corner_box, plane_samples
from physreel.spec import Body, SceneSpec, Tank, Vessel, VesselFill

Floats = NDArray[np.float64]

SHRINK = 0.98
"""The engine's particle radius over half the spacing: its liquids rest 6 % wider than particles of that size would."""

DENSITY_ERROR = 1e-3
"""Share by which the density may be too high on average."""

LONGEST_STEP_S_M = 0.5
"""No step is longer than this many seconds a metre of particle radius; longer ones are restless,"""

CFL_RADII = 0.4
"""and in none does anything move more than this many radii."""

LEAST_VISCOSITY_M_S, LEAST_WALL_VISCOSITY_M_S = 0.005, 0.0035
"""Least kinematic viscosity, in the liquid and against walls, over the particle radius: with less, liquid does not come
to rest, and a film on the floor runs for ever. Real thin liquids lose their speed in eddies that are not resolved."""

WALL_FRICTION = 3.0
"""Kinematic viscosity against walls over that of the liquid: one sheet of points is a third of what a particle would
feel of a wall that is as thick as it can see."""

COHESION = 0.01
"""Surface tension over coefficient × density² × support² of the engine's cohesion. Walls neither draw liquid nor
push it off."""

WALL_GAP = 0.35
"""Frames show no particle nearer to a wall than this many spacings. Lone drops and films, which have no pressure, come
nearer in the engine than deep liquid does, and would be seen half sunk into what they lie on."""

RELAXING_STEPS, SETTLING_STEPS, CALM_M_S, DAMPING = 20, 400, 5e-3, 0.9
"""Before the start, density errors of the lattice are taken out in steps that leave no speed; then, in vessels, liquid
settles with damped speeds until it is calm."""

MARGINS_M = (0.6, 0.45, 0.3, 0.2, 0.15)
"""Floors, tables and walls of rooms are sampled this far around what holds liquid: the first with which there are at
most STANDING_POINTS and STANDING_POINTS_A_PARTICLE points, which cost little where no liquid is, or else the last."""

STANDING_POINTS, STANDING_POINTS_A_PARTICLE = 50_000, 20

ABOVE_M = 0.2
"""They are sampled this far above it;"""

BELOW_M, LEFT_ABOVE_M = 0.1, 1.5
"""what falls this far below everything, or flies this far above, has left the world. Without gravity there is no above
and no below, and what leaves the part in which walls are sampled has left it."""

LEAST_LIMIT_M_S = 2.0
"""Liquid slower than this is never too fast: where nothing falls and nothing pushes, surface tension still moves it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """Part of the world: a box from ``low_m`` (3,) to ``high_m`` (3,)."""

    low_m: Floats
    high_m: Floats

    def holds(self, points_m: Floats) -> NDArray[np.bool_]:
        """(N,) whether points (N, 3) are in it."""
        return np.asarray(((points_m > self.low_m) & (points_m < self.high_m)).all(axis=1))


def run(spec: SceneSpec, folder: Path, progress: Callable[[], None]) -> tuple[LiquidRecord, int, str]:
    """Simulate a spec's liquids; ``progress`` is called at every step.

    Returns:
        the record, how many steps it took, and a line on how it was made.

    Raises:
        SimulationError: the engine did not take what it was given, or the liquid became faster than it can.
    """
    return _Run(spec, folder, progress).run()


class _Run:
    def __init__(self, spec: SceneSpec, folder: Path, progress: Callable[[], None]) -> None:
        self.spec, self.progress = spec, progress
        self.start = start = start_liquids(spec)
        self.radius = radius = SHRINK * start.spacing_m / 2
        self.recorder = LiquidRecorder(spec, spacing_m=start.spacing_m, fluid=start.fluid)
        # The engine has the particles liquid by liquid.
        self.order = np.argsort(start.fluid, kind="stable")
        self.rank = np.argsort(self.order)
        self.driven = [i for i, body in enumerate(spec.bodies) if body.motion == "driven"]
        walls, self.extents, self.reach = _walls(spec, start, radius)
        self.points = sum(len(wall.points_m) for wall in walls)
        self.engine = Engine(
            folder,
            _parts(spec, start, radius),
            walls,
            radius_m=radius,
            gravity_m_s2=spec.gravity_m_s2,
            density_error=DENSITY_ERROR,
        )
        self.wall_speed = self._wall_speeds()
        self.limit = self._speed_limit()
        self.present = np.ones(len(start), np.bool_)
        self.steps = self.parked = 0

    def run(self) -> tuple[LiquidRecord, int, str]:
        self._settle()
        recorder, now = self.recorder, 0.0
        for k in range(recorder.sample_count):
            target = recorder.time_s(k)
            while now < target - 1e-9:
                now += self._step(now, target - now)
            now = target
            self._sample(now)
        shortest = recorder.time_s(recorder.sample_count - 1) / max(self.steps, 1)
        note = (
            f"{len(self.start)} particles {self.start.spacing_m * 1e3:.2f} mm apart, {self.points} points of walls, "
            f"{self.steps} steps of {shortest * 1e3:.2f} ms on average, {self.parked} particles left the world"
        )
        return recorder.finish(), self.steps, note

    def _settle(self) -> None:
        poses = self._driven_poses(0.0)
        still = np.zeros((len(self.start), 3))
        for _ in range(RELAXING_STEPS):
            self.engine.step(0.1 * LONGEST_STEP_S_M * self.radius, poses, poses)
            self.engine.set_velocities(still)
            self.progress()
        if held(self.spec):
            for _ in range(SETTLING_STEPS):
                self.engine.step(LONGEST_STEP_S_M * self.radius, poses, poses)
                _, velocity = self.engine.state()
                self.engine.set_velocities(DAMPING * velocity)
                self.progress()
                if float(np.sqrt((velocity**2).sum(1).mean())) < CALM_M_S:
                    break
        # Steps give a speed first and then a way by it: what falls is ahead by half a step, and so starts behind.
        early = 0.0 if held(self.spec) else 0.5 * LONGEST_STEP_S_M * self.radius
        gravity = np.asarray(self.spec.gravity_m_s2, np.float64)
        self.engine.set_velocities(self.start.velocity_m_s[self.order] - early * gravity)

    def _step(self, now: float, left: float) -> float:
        speed = max(self._fastest(now), 1e-6)
        longest = min(LONGEST_STEP_S_M * self.radius, CFL_RADII * self.radius / speed)
        step = left / np.ceil(left / longest - 1e-9)
        self.engine.step(step, self._driven_poses(now), self._driven_poses(now + step))
        self.steps += 1
        self.progress()
        return float(step)

    def _fastest(self, now: float) -> float:
        """Of the particles, and of the walls over the next step."""
        _, velocity = self.engine.state()
        fastest = float(np.sqrt((velocity**2).sum(1).max()))
        if not fastest < self.limit:
            raise SimulationError(
                f"liquid is {fastest:.1f} m/s fast at {now:.3f} s, and nothing in this world can make it faster than "
                f"{self.limit:.1f} m/s; the simulation went unstable"
            )
        return max(
            fastest, float(self.wall_speed[min(int(now * self.recorder.rate_hz + 1e-6), len(self.wall_speed) - 1)])
        )

    def _wall_speeds(self) -> Floats:
        """(K - 1,) of the fastest wall between each two samples."""
        count, rate = self.recorder.sample_count, float(self.recorder.rate_hz)
        out = np.zeros(count - 1)
        for i, extent in zip(self.driven, self.extents, strict=True):
            poses = np.stack([keyframe_pose(self.spec.bodies[i], self.recorder.time_s(k)) for k in range(count)])
            linear, angular = pose_rates(poses[:-1], poses[1:], 1.0 / rate)
            out = np.maximum(out, np.linalg.norm(linear, axis=1) + np.linalg.norm(angular, axis=1) * extent)
        return out

    def _speed_limit(self) -> float:
        """Twice what a fall through all of the world, after a push by the fastest wall, could come to."""
        pushed = max(float(np.linalg.norm(self.start.velocity_m_s, axis=1).max()), 2.0 * float(self.wall_speed.max()))
        fall = float(np.abs(self.spec.gravity_m_s2) @ (self.reach.high_m - self.reach.low_m))
        return max(2.0 * float(np.sqrt(pushed**2 + 2.0 * fall)), LEAST_LIMIT_M_S)

    def _sample(self, now: float) -> None:
        position, velocity = np.empty((2, len(self.start), 3))
        position[self.order], velocity[self.order] = self.engine.state()
        if now == 0.0:
            velocity = self.start.velocity_m_s
        out = self.present & ~self.reach.holds(position)
        if out.any():
            # Far below, apart from each other: what flies on would make the steps ever shorter.
            who = np.flatnonzero(out)
            place = self.parked + np.arange(len(who))
            grid = np.stack([place % 64, place // 64, 0 * place], 1).astype(np.float64)
            places = self.reach.low_m - 1.0 - 6.0 * self.start.spacing_m * grid
            self.engine.park(self.rank[who], places)
            self.present &= ~out
            self.parked += len(who)
        poses = driven_poses(self.spec, now)
        position = lifted(self.spec, poses, position, WALL_GAP * self.start.spacing_m)
        self.recorder.sample(now, position, velocity, self.present, poses)

    def _driven_poses(self, now: float) -> list[Floats]:
        return [keyframe_pose(self.spec.bodies[i], now) for i in self.driven]


def lifted(spec: SceneSpec, poses: Floats, position_m: Floats, gap_m: float) -> Floats:
    """Positions (N, 3), of which those nearer than a gap to a body at its pose (B, 7) are moved off it by that much."""
    out = position_m.copy()
    for body, pose in zip(spec.bodies, poses, strict=True):
        around = np.arange(len(out))
        if body.shape.kind != "plane":
            middle = pose[:3] + rotate_wxyz(pose[3:], mass_center_m(body))
            around = np.flatnonzero(((out - middle) ** 2).sum(1) < (bounding_radius_m(body.shape) + gap_m) ** 2)
        distance = world_distances(body.shape, pose, out[around]) if len(around) else np.zeros(0)
        near, distance = around[distance < gap_m], distance[distance < gap_m]
        if len(near):
            local = rotate_wxyz(conjugate_wxyz(pose[3:]), out[near] - pose[:3])
            away = rotate_wxyz(pose[3:], distance_gradients(body.shape, local))
            out[near] += (gap_m - distance)[:, None] * away
    return out


def held(spec: SceneSpec) -> bool:
    """Whether all liquid starts in vessels without holes, where it can settle before anything begins."""
    bodies = {body.name: body.shape for body in spec.bodies}
    fills = [fill for fluid in spec.fluids for fill in fluid.fills]
    shapes = [bodies[fill.vessel] for fill in fills if isinstance(fill, VesselFill)]
    tight = [
        not shape.hole_m if isinstance(shape, Tank) else isinstance(shape, Vessel) and shape.profile_m[0][0] == 0.0
        for shape in shapes
    ]
    return len(shapes) == len(fills) and all(tight)


def reach(spec: SceneSpec, start: LiquidStart, margin_m: float, above_m: float) -> Reach:
    """Around all that holds liquid, moves or is liquid, and down to what lies below it."""
    low, high = start.position_m.min(0), start.position_m.max(0)
    for body in spec.bodies:
        if isinstance(body.shape, Vessel | Tank) or body.motion == "driven":
            a, b = _bounds(body, spec)
            low, high = np.minimum(low, a), np.maximum(high, b)
    gravity = np.asarray(spec.gravity_m_s2)
    if not gravity.any():
        return Reach(low_m=low - margin_m, high_m=high + margin_m)
    axis = int(np.argmax(np.abs(gravity)))
    rises = gravity[axis] <= 0
    middle = 0.5 * (low + high)
    bottom = [low[axis] if rises else high[axis]]
    for body, pose in zip(spec.bodies, driven_poses(spec, 0.0), strict=True):
        if body.shape.kind == "plane":
            up = rotate_wxyz(pose[3:], np.array([0.0, 0.0, 1.0]))
            if (up[axis] if rises else -up[axis]) > 0.7:
                bottom.append(middle[axis] - float((middle - pose[:3]) @ up) / up[axis])
        elif body.motion == "static":
            a, b = _bounds(body, spec)
            apart = np.delete((a > high + margin_m) | (b < low - margin_m), axis)
            if not apart.any():
                bottom.append(a[axis] if rises else b[axis])
    low, high = low - margin_m, high + margin_m
    if rises:
        low[axis], high[axis] = min(bottom) - BELOW_M, high[axis] - margin_m + above_m
    else:
        low[axis], high[axis] = low[axis] + margin_m - above_m, max(bottom) + BELOW_M
    return Reach(low_m=low, high_m=high)


def _bounds(body: Body, spec: SceneSpec) -> tuple[Floats, Floats]:
    """Corners of the box that a body stays in."""
    poses = np.array([[*body.position_m, *body.orientation_wxyz]], np.float64)
    if body.motion == "driven":
        poses = np.stack([keyframe_pose(body, k / spec.fps) for k in range(spec.frame_count + 1)])
    axes = rotate_wxyz(conjugate_wxyz(poses[:, None, 3:]), np.concatenate([np.eye(3), -np.eye(3)]))
    ends = support_distances(body.shape, axes.reshape(-1, 3)).reshape(-1, 2, 3)
    return (poses[:, :3] - ends[:, 1]).min(0), (poses[:, :3] + ends[:, 0]).max(0)


def _standing(spec: SceneSpec, near: Reach, radius: float) -> Floats:
    """(M, 3) points, in the world, of all bodies that do not move, as far as they are near."""
    points = [np.zeros((0, 3))]
    for body, pose in zip(spec.bodies, driven_poses(spec, 0.0), strict=True):
        if body.shape.kind == "plane":
            points.append(plane_samples(pose, near.low_m, near.high_m, radius))
        elif body.motion != "driven":
            within = corner_box(pose[:3], pose[3:], near.low_m, near.high_m)
            own = rotate_wxyz(pose[3:], body_samples(body.shape, radius, within)) + pose[:3]
            points.append(own[near.holds(own)])
    return np.concatenate(points)


def _walls(spec: SceneSpec, start: LiquidStart, radius: float) -> tuple[list[Wall], list[float], Reach]:
    """The walls, all that stand as one; how far each that moves reaches from its origin; where liquid is followed."""
    most = STANDING_POINTS + STANDING_POINTS_A_PARTICLE * len(start)
    standing = _standing(spec, reach(spec, start, MARGINS_M[0], ABOVE_M), radius)
    for margin in MARGINS_M:
        standing = standing[reach(spec, start, margin, ABOVE_M).holds(standing)]
        if len(standing) <= most:
            break
    walls, extents = [], []
    if len(standing):
        here = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
        walls.append(Wall(points_m=standing, pose=here, moves=False))
    for body, pose in zip(spec.bodies, driven_poses(spec, 0.0), strict=True):
        if body.motion == "driven":
            points = body_samples(body.shape, radius)
            walls.append(Wall(points_m=points, pose=pose, moves=True))
            extents.append(float(np.linalg.norm(points, axis=1).max()))
    return walls, extents, reach(spec, start, margin, LEFT_ABOVE_M)


def _parts(spec: SceneSpec, start: LiquidStart, radius: float) -> list[Part]:
    parts = []
    for i in np.unique(start.fluid):
        liquid = spec.liquid(spec.fluids[i].liquid)
        viscosity = liquid.viscosity_pa_s / liquid.density_kg_m3
        parts.append(
            Part(
                position_m=start.position_m[start.fluid == i],
                density_kg_m3=liquid.density_kg_m3,
                viscosity_m2_s=max(viscosity, LEAST_VISCOSITY_M_S * radius),
                wall_viscosity_m2_s=max(WALL_FRICTION * viscosity, LEAST_WALL_VISCOSITY_M_S * radius),
                surface_tension=liquid.surface_tension_n_m / (COHESION * (liquid.density_kg_m3 * 4.0 * radius) ** 2),
            )
        )
    return parts
