"""Rigid bodies by Bullet."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from physreel.errors import MissingDependencyError, UnsupportedError
from physreel.geometry.rotations import (
    conjugate_wxyz,
    multiply_wxyz,
    rotate_wxyz,
    wxyz_to_matrix,
    wxyz_to_xyzw,
    xyzw_to_wxyz,
)
from physreel.simulators.base import Capability, Simulator
from physreel.simulators.contact_rows import ContactPoints, merge
from physreel.simulators.preparation import JointLink, Preparation, overlap_error, prepare, step_velocities
from physreel.simulators.watch import watch
from physreel.spec import SceneSpec
from physreel.values import Trajectory

Floats = NDArray[np.float64]

_Impact = tuple[int, int, tuple[float, float, float], tuple[float, float, float], float, tuple[float, ...]]
"""Two bodies, point, normal, the impulse of the rebound, and the velocities before the step as recorded."""


class BulletSimulator(Simulator):
    """Bullet, with rebounds by Poisson's law on top of its inelastic contacts (see docs/simulators.md)."""

    name: ClassVar[str] = "bullet"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({"rigid", "joints", "couplings", "driven"})

    def __init__(self) -> None:
        try:
            pybullet = _pybullet()
        except ImportError:
            raise MissingDependencyError(
                "simulator 'bullet' needs pybullet, which has wheels for Python 3.11 only; make an environment of "
                "Python 3.11 (uv venv --python 3.11, or python3.11 -m venv) and install physreel there, "
                "or use simulator 'mujoco'"
            ) from None
        self._version = str(pybullet.getAPIVersion())

    def check(self, spec: SceneSpec) -> None:
        """See Simulator.check."""
        self.require_capabilities(spec)
        run = _Run(prepare(spec))
        try:
            run.check_overlaps()
        finally:
            run.close()

    def simulate(self, spec: SceneSpec) -> Trajectory:
        """See Simulator.simulate."""
        self.require_capabilities(spec)
        run = _Run(prepare(spec))
        try:
            run.check_overlaps()
            trajectory, path = run.run(f"bullet {self._version}")
        finally:
            run.close()
        watch(run.prep, trajectory, path)
        return trajectory


def _pybullet() -> Any:
    # On its first import the library prints its build time to the C standard output, past sys.stdout.
    if "pybullet" not in sys.modules:
        sys.stdout.flush()
        kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 1)
            return importlib.import_module("pybullet")
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            os.close(nowhere)
    return importlib.import_module("pybullet")


class _Client:
    """pybullet's functions on one physics server: a fresh one each run, so that no run knows of another."""

    def __init__(self) -> None:
        self._module = _pybullet()
        self._id = self._module.connect(self._module.DIRECT)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if not callable(found):
            return found
        bound = lambda *args, **options: found(*args, physicsClientId=self._id, **options)  # noqa: E731
        setattr(self, name, bound)
        return bound


class _Run:
    def __init__(self, preparation: Preparation) -> None:
        from physreel.simulators.bullet_world import MARGIN_M, WorldBuilder

        self.prep, self.spec = preparation, preparation.spec
        closing = [link.joint.name for link in preparation.links if link.closes_loop]
        if closing:
            raise UnsupportedError(
                f"simulator 'bullet' cannot keep loops of joints closed ({', '.join(closing)} of scene "
                f"{self.spec.scene!r}); use simulator 'mujoco'"
            )
        damped = [joint.name for joint in self.spec.joints if joint.kind == "ball" and joint.damping]
        if damped:
            raise UnsupportedError(
                f"simulator 'bullet' has no damped ball joints ({', '.join(damped)} of scene {self.spec.scene!r}); "
                "use simulator 'mujoco'"
            )
        self.p: Any = _Client()
        self.p.setPhysicsEngineParameter(
            fixedTimeStep=preparation.step_s, numSubSteps=0, numSolverIterations=200, solverResidualThreshold=0.0,
            deterministicOverlappingPairs=1, enableFileCaching=0, enableConeFriction=1, useSplitImpulse=1,
            splitImpulsePenetrationThreshold=1.0, erp=0.1, contactERP=0.1, frictionERP=0.0,
            contactBreakingThreshold=0.002, contactSlop=1e-5, restitutionVelocityThreshold=1e9,
        )  # fmt: skip
        self.p.setGravity(*self.spec.gravity_m_s2)
        self.gravity = float(np.linalg.norm(self.spec.gravity_m_s2))
        self.material = preparation.material.tolist()
        self.restitution = preparation.restitution.tolist()
        self._files = tempfile.TemporaryDirectory(prefix="physreel-bullet-")
        self.world = WorldBuilder(self.p, preparation, Path(self._files.name)).build()
        self._surfaces(MARGIN_M)
        self._start()

    def close(self) -> None:
        """Give the physics server back."""
        self.p.disconnect()
        self._files.cleanup()

    def _surfaces(self, margin: float) -> None:
        # Bullet multiplies the two bodies' friction. The factors come nearest to all pairs that can meet.
        prep, count = self.prep, len(self.prep.friction)
        moving = {int(prep.material[i]) for i, mass in enumerate(prep.masses) if mass is not None}
        still = {int(prep.material[i]) for i, mass in enumerate(prep.masses) if mass is None}
        rows, wanted = [], []
        self.pairs = sorted({(min(a, b), max(a, b)) for a in moving for b in moving | still})
        for a, b in self.pairs:
            # What bodies do to the ground decides most of what happens, so those pairs come first.
            weight = 100.0 if a in still or b in still else 1.0
            row = np.zeros(count)
            row[a] += weight
            row[b] += weight
            rows.append(row)
            wanted.append(weight * np.log(max(prep.friction[a, b], 1e-4)))
        factor = np.ones(count)
        if rows:
            solved, *_ = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)
            factor = np.exp(solved)
        self.factor = factor
        for i, place in enumerate(self.world.places):
            shape = self.spec.bodies[i].shape.kind
            self.p.changeDynamics(
                place.bullet_id, place.link, lateralFriction=float(factor[prep.material[i]]), restitution=0.0,
                rollingFriction=0.0, spinningFriction=0.0, linearDamping=0.0, angularDamping=0.0,
                contactProcessingThreshold=0.0,
            )  # fmt: skip
            if shape in ("convex_hull", "cone", "ellipsoid", "triangle_mesh", "compound"):
                self.p.changeDynamics(place.bullet_id, place.link, collisionMargin=margin)
            if place.link == -1 and prep.masses[i] is not None:
                self.p.changeDynamics(place.bullet_id, -1, activationState=self.p.ACTIVATION_STATE_DISABLE_SLEEPING)

    def _start(self) -> None:
        half = 0.5 * self.prep.step_s * np.asarray(self.spec.gravity_m_s2)
        for i, place in enumerate(self.world.places):
            body = self.spec.bodies[i]
            if place.link == -1 and self.prep.masses[i] is not None:
                kick = half if i in self.world.free else np.zeros(3)
                self.p.resetBaseVelocity(
                    place.bullet_id, (np.asarray(body.velocity_m_s) - kick).tolist(), list(body.angular_velocity_rad_s)
                )
        self.driven = {}
        for i, poses in self.prep.driven_pose.items():
            linear, angular = step_velocities(poses, self.prep.step_s)
            world = rotate_wxyz(poses[:-1, 3:], angular)
            self.driven[i] = (poses, np.vstack([linear, linear[-1:]]), np.vstack([world, world[-1:]]))
        for link in self.prep.links:
            if link.index in self.world.joint_places:
                made, number, _ = self.world.joint_places[link.index]
                speed = self._joint_speed(link)
                if speed:
                    self.p.resetJointState(made, number, 0.0, speed)

    def _joint_speed(self, link: JointLink) -> float:
        """The joint speed at time 0 that comes nearest, in kinetic energy, to the two bodies' velocities."""
        mass, axis = self.prep.masses[link.child], np.asarray(link.joint.axis)
        assert mass is not None
        center, linear, angular = self._start_motion(link.child)
        base, base_linear, base_angular = self._start_motion(link.parent)
        linear, angular = linear - base_linear - np.cross(base_angular, center - base), angular - base_angular
        matrix = wxyz_to_matrix(self.spec.bodies[link.child].orientation_wxyz)
        inertia = matrix @ mass.inertia @ matrix.T
        if link.joint.kind == "slide":
            return float(axis @ linear)
        way = np.cross(axis, center - np.asarray(link.joint.anchor_m))
        share = mass.mass * float(way @ linear) + float(axis @ inertia @ angular)
        return share / (mass.mass * float(way @ way) + float(axis @ inertia @ axis))

    def _start_motion(self, i: int) -> tuple[Floats, Floats, Floats]:
        if i < 0:
            return np.zeros(3), np.zeros(3), np.zeros(3)
        if i in self.driven:
            poses, linear, angular = self.driven[i]
            return poses[0, :3], linear[0], angular[0]
        body, mass = self.spec.bodies[i], self.prep.masses[i]
        offset = np.zeros(3) if mass is None else mass.center
        center = np.asarray(body.position_m) + rotate_wxyz(body.orientation_wxyz, offset)
        return center, np.asarray(body.velocity_m_s), np.asarray(body.angular_velocity_rad_s)

    def check_overlaps(self) -> None:
        """Raise SpecError for bodies that overlap at the start."""
        self.p.performCollisionDetection()
        depths: dict[tuple[int, int], float] = {}
        for point in self.p.getContactPoints():
            a, b = self.world.body_at.get((point[1], point[3])), self.world.body_at.get((point[2], point[4]))
            if a is None or b is None or a == b:
                continue
            pair = (min(a, b), max(a, b))
            depths[pair] = max(depths.get(pair, 0.0), -point[8])
        error = overlap_error(self.spec, depths)
        if error is not None:
            raise error

    # --- the steps ------------------------------------------------------------------------------------------------

    def run(self, simulator: str) -> tuple[Trajectory, Floats]:
        """Take all steps; the trajectory and (N + 1, B, 3) the way of each centre of mass."""
        p, prep, spec, world, h = self.p, self.prep, self.spec, self.world, self.prep.step_s
        bodies, frames = len(spec.bodies), spec.frame_count
        center, turn = np.zeros((bodies, 3)), np.tile(np.array([0.0, 0, 0, 1.0]), (bodies, 1))
        velocity = np.zeros((bodies, 6))
        path = np.zeros((prep.step_count + 1, bodies, 3))
        poses, velocities = np.zeros((frames + 1, bodies, 7)), np.zeros((frames + 1, bodies, 6))
        joints = np.zeros((frames + 1, len(spec.joints), 2))
        raw: list[tuple[float, ...]] = []
        for i, place in enumerate(world.places):
            center[i], turn[i] = p.getBasePositionAndOrientation(place.bullet_id) if place.link == -1 else (0, 0)
        flying = np.zeros(bodies, bool)
        flying[list(world.free)] = True
        half = 0.5 * h * np.asarray(spec.gravity_m_s2)
        for n in range(prep.step_count + 1):
            self._set_driven(n)
            self._read(center, turn, velocity, n)
            path[n] = center
            if n % prep.substeps == 0:
                k = n // prep.substeps
                quat = multiply_wxyz(xyzw_to_wxyz(turn), conjugate_wxyz(world.axes))
                poses[k] = np.hstack([center - rotate_wxyz(quat, world.center), quat])
                velocities[k] = velocity
                velocities[k, flying, :3] += half
                for index, (made, link, sign) in world.joint_places.items():
                    state = p.getJointState(made, link)
                    joints[k, index] = sign * state[0], sign * state[1]
            if n == prep.step_count:
                break
            self._springs()
            before = velocity.copy()
            self.turn = multiply_wxyz(xyzw_to_wxyz(turn), conjugate_wxyz(world.axes))
            p.stepSimulation()
            touched = self._contacts(n, before, center, raw)
            flying[:] = False
            flying[list(world.free)] = True
            flying[list(touched)] = False
            self._spin(flying, before, turn)
        trajectory = Trajectory(
            fps=spec.fps,
            step_s=h,
            body_pose=poses[:-1],
            body_velocity=velocities[:-1],
            body_pose_end=poses[-1],
            body_velocity_end=velocities[-1],
            joint_position=joints[:-1, :, 0],
            joint_velocity=joints[:-1, :, 1],
            contacts=merge(_points(raw), h),
            simulator=simulator,
            notes=self._notes(),
        )
        return trajectory, path

    def _set_driven(self, n: int) -> None:
        # Driven bodies are heavy ones put in their place at each step; gravity, which the step adds, is taken off.
        p, world, h = self.p, self.world, self.prep.step_s
        fall = h * np.asarray(self.spec.gravity_m_s2)
        for i, (poses, linear, angular) in self.driven.items():
            place, turn = poses[n, :3].tolist(), wxyz_to_xyzw(poses[n, 3:]).tolist()
            made = world.places[i].bullet_id
            p.resetBasePositionAndOrientation(made, place, turn)
            p.resetBaseVelocity(made, (linear[n] - fall).tolist(), angular[n].tolist())
            carrier = world.carriers.get(i)
            if carrier is None:
                continue
            # What hangs on joints must feel the change of speed, so its carrier is pushed and not set.
            k = max(n - 1, 0)
            p.resetBasePositionAndOrientation(carrier, place, turn)
            p.resetBaseVelocity(carrier, linear[k].tolist(), angular[k].tolist())
            mass = self.world.carrier_kg
            push = mass * ((linear[n] - linear[k]) - fall) / h
            twist = mass * (angular[n] - angular[k]) / h
            p.applyExternalForce(carrier, -1, push.tolist(), place, p.WORLD_FRAME)
            p.applyExternalTorque(carrier, -1, twist.tolist(), p.WORLD_FRAME)

    def _read(self, center: Floats, turn: Floats, velocity: Floats, n: int) -> None:
        p = self.p
        for i, place in enumerate(self.world.places):
            if i in self.driven:
                poses, linear, angular = self.driven[i]
                center[i], turn[i] = poses[n, :3], wxyz_to_xyzw(poses[n, 3:])
                velocity[i, :3], velocity[i, 3:] = linear[n], angular[n]
            elif self.prep.masses[i] is None:
                continue
            elif place.link == -1:
                center[i], turn[i] = p.getBasePositionAndOrientation(place.bullet_id)
                velocity[i, :3], velocity[i, 3:] = p.getBaseVelocity(place.bullet_id)
            else:
                state = p.getLinkState(place.bullet_id, place.link, computeLinkVelocity=1, computeForwardKinematics=1)
                center[i], turn[i], velocity[i, :3], velocity[i, 3:] = state[0], state[1], state[6], state[7]

    def _springs(self) -> None:
        for index, (made, link, sign) in self.world.joint_places.items():
            joint = self.spec.joints[index]
            if joint.stiffness or joint.damping:
                position, speed = self.p.getJointState(made, link)[:2]
                force = -joint.stiffness * (position - sign * joint.rest) - joint.damping * speed
                self.p.setJointMotorControl2(made, link, self.p.TORQUE_CONTROL, force=force)

    def _contacts(self, n: int, before: Floats, center: Floats, raw: list[tuple[float, ...]]) -> set[int]:
        """Record the contacts of step n and hand impacts their rebound; return the bodies that touched."""
        p, h, world = self.p, self.prep.step_s, self.world
        touched: set[int] = set()
        # Bullet's resting contacts shake by a few times what gravity adds in a step; that must not bounce.
        start = 4.0 * self.gravity * h
        impacts: list[_Impact] = []
        speeds, centers = before.tolist(), center.tolist()
        body_at, material = world.body_at, self.material
        # Plain numbers: for three components numpy costs more than it saves.
        for point in p.getContactPoints():
            force = point[9]
            if force <= 0.0:
                continue
            a, b = body_at.get((point[1], point[3])), body_at.get((point[2], point[4]))
            if a is None or b is None:
                continue
            touched.add(a)
            touched.add(b)
            x, y, z = point[6]
            nx, ny, nz = point[7]
            nx, ny, nz = -nx, -ny, -nz
            ax, ay, az = _surface_velocity(speeds[a], centers[a], x, y, z)
            bx, by, bz = _surface_velocity(speeds[b], centers[b], x, y, z)
            rx, ry, rz = bx - ax, by - ay, bz - az
            speed = rx * nx + ry * ny + rz * nz
            impulse = force * h
            # Bullet gives friction on its body A; the table wants it on the second body.
            f1, (ux, uy, uz), f2, (vx, vy, vz) = point[10], point[11], point[12], point[13]
            tx, ty, tz = -h * (f1 * ux + f2 * vx), -h * (f1 * uy + f2 * vy), -h * (f1 * uz + f2 * vz)
            raw.append(
                (
                    n, a, b, x, y, z, nx, ny, nz, impulse, tx, ty, tz,
                    rx - speed * nx, ry - speed * ny, rz - speed * nz, speed,
                )
            )  # fmt: skip
            share = min(max((-speed - start) / (2.0 * start + 1e-9), 0.0), 1.0)
            if share <= 0.0:
                continue
            rebound = self.restitution[material[a]][material[b]] * share * share * (3 - 2 * share)
            if rebound > 0.0:
                impacts.append((a, b, (x, y, z), (nx, ny, nz), rebound * impulse, raw[-1][13:17]))
        if impacts:
            self._rebound(n, impacts, centers, raw)
        return touched

    def _rebound(
        self, n: int, impacts: list[_Impact], centers: list[list[float]], raw: list[tuple[float, ...]]
    ) -> None:
        """Give back what restitution keeps of the impulses that stopped the approach, at once.

        Friction goes on during the rebound, but no further than to end what slip is left.
        """
        prep = self.prep
        points: dict[tuple[int, int], int] = {}
        for a, b, *_ in impacts:
            points[a, b] = points.get((a, b), 0) + 1
        after = {i: self._velocity(i, n) for a, b, *_ in impacts for i in (a, b)}
        for a, b, place, normal, impulse, before in impacts:
            slip = np.subtract(
                _surface_velocity(after[b], centers[b], *place), _surface_velocity(after[a], centers[a], *place)
            )
            slip = slip - float(slip @ normal) * np.asarray(normal)
            speed = float(np.linalg.norm(slip))
            friction = np.zeros(3)
            if speed > 1e-6:
                way = slip / speed
                yielding = sum(self._yielding(i, centers[i], place, way) for i in (a, b))
                coefficient = float(prep.friction[prep.material[a], prep.material[b]])
                friction = -min(coefficient * impulse, speed / (yielding * points[a, b])) * way
            push = impulse * np.asarray(normal) + friction
            raw.append((n, a, b, *place, *normal, impulse, *friction.tolist(), *before))
            for i, sign in ((a, -1.0), (b, 1.0)):
                self._push(i, sign * push, np.asarray(place), centers[i])

    def _push(self, i: int, impulse: Floats, place: Floats, center: list[float]) -> None:
        p, mass, at = self.p, self.prep.masses[i], self.world.places[i]
        if mass is None:
            return
        if i not in self.world.free:
            # What hangs on joints takes it as a force in the next step, so that its joints feel it.
            p.applyExternalForce(
                at.bullet_id, at.link, (impulse / self.prep.step_s).tolist(), place.tolist(), p.WORLD_FRAME
            )
            return
        linear, angular = p.getBaseVelocity(at.bullet_id)
        matrix = wxyz_to_matrix(self.turn[i])
        twist = matrix @ np.linalg.solve(mass.inertia, matrix.T @ np.cross(place - center, impulse))
        p.resetBaseVelocity(at.bullet_id, (linear + impulse / mass.mass).tolist(), (angular + twist).tolist())

    def _velocity(self, i: int, n: int) -> list[float]:
        place = self.world.places[i]
        if i in self.driven:
            return [*self.driven[i][1][n].tolist(), *self.driven[i][2][n].tolist()]
        if self.prep.masses[i] is None:
            return [0.0] * 6
        if place.link == -1:
            linear, angular = self.p.getBaseVelocity(place.bullet_id)
        else:
            state = self.p.getLinkState(place.bullet_id, place.link, computeLinkVelocity=1)
            linear, angular = state[6], state[7]
        return [*linear, *angular]

    def _yielding(self, i: int, center: list[float], place: tuple[float, float, float], way: Floats) -> float:
        """Speed per impulse (1/kg) of a body's surface point in a direction, the body being free."""
        mass = self.prep.masses[i]
        if mass is None:
            return 0.0
        lever = wxyz_to_matrix(self.turn[i]).T @ np.cross(np.subtract(place, center), way)
        return float(1.0 / mass.mass + lever @ np.linalg.solve(mass.inertia, lever))

    def _spin(self, flying: NDArray[np.bool_], before: Floats, turn: Floats) -> None:
        """Undo the numerical damping of spin: bodies in free flight keep their angular momentum."""
        p, h = self.p, self.prep.step_s
        for i in np.flatnonzero(flying):
            mass = self.prep.masses[i]
            spin = before[i, 3:]
            if mass is None or not spin.any():
                continue
            quat = multiply_wxyz(xyzw_to_wxyz(turn[i]), conjugate_wxyz(self.world.axes[i]))
            local = rotate_wxyz(conjugate_wxyz(quat), spin)
            momentum = _turned(mass.inertia @ local, local, -0.5 * h)
            inverse, new = np.linalg.inv(mass.inertia), local
            for _ in range(6):
                new = inverse @ _turned(momentum, new, -0.5 * h)
            made = self.world.places[i].bullet_id
            linear, _ = p.getBaseVelocity(made)
            place, _ = p.getBasePositionAndOrientation(made)
            angle = float(np.linalg.norm(new)) * h
            step = np.r_[np.cos(angle / 2), np.sin(angle / 2) * new * h / max(angle, 1e-300)]
            after = multiply_wxyz(multiply_wxyz(quat, step), self.world.axes[i])
            p.resetBasePositionAndOrientation(made, place, wxyz_to_xyzw(after / np.linalg.norm(after)).tolist())
            p.resetBaseVelocity(made, linear, rotate_wxyz(quat, new).tolist())

    def _notes(self) -> tuple[str, ...]:
        prep, names = self.prep, self.prep.material_names
        notes = ["restitution by Poisson's law after each inelastic step"]
        for a, b in self.pairs:
            wanted, got = float(prep.friction[a, b]), float(self.factor[a] * self.factor[b])
            if abs(got - wanted) > 0.01 * max(wanted, 1e-3):
                notes.append(f"friction {names[a]}-{names[b]} wanted {wanted:.3f}, set {got:.3f}")
        if prep.substeps != self.spec.substeps:
            notes.append(f"step {prep.step_s * 1e3:.3f} ms, so that fast bodies do not pass thin ones")
        return tuple(notes)


def _turned(vector: Floats, axis: Floats, scale: float) -> Floats:
    rotation = axis * scale
    angle = float(np.linalg.norm(rotation))
    if angle < 1e-12:
        return vector + np.cross(rotation, vector)
    unit = rotation / angle
    return np.asarray(
        np.cos(angle) * vector
        + np.sin(angle) * np.cross(unit, vector)
        + (1 - np.cos(angle)) * float(unit @ vector) * unit
    )


def _surface_velocity(
    velocity: list[float], center: list[float], x: float, y: float, z: float
) -> tuple[float, float, float]:
    dx, dy, dz = x - center[0], y - center[1], z - center[2]
    vx, vy, vz, wx, wy, wz = velocity
    return vx + wy * dz - wz * dy, vy + wz * dx - wx * dz, vz + wx * dy - wy * dx


def _points(raw: list[tuple[float, ...]]) -> ContactPoints:
    table = np.array(raw, np.float64).reshape(-1, 17)
    return ContactPoints(
        step=table[:, 0].astype(np.int64),
        first=table[:, 1].astype(np.int64),
        second=table[:, 2].astype(np.int64),
        point_m=table[:, 3:6],
        normal=table[:, 6:9],
        normal_impulse_n_s=table[:, 9],
        tangential_impulse_n_s=table[:, 10:13],
        slip_velocity_m_s=table[:, 13:16],
        separation_speed_m_s=table[:, 16],
    )
