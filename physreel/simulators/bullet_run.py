"""The steps of a simulation by Bullet."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import UnsupportedError
from physreel.geometry.rotations import (
    conjugate_wxyz,
    multiply_wxyz,
    rotate_wxyz,
    wxyz_to_matrix,
    wxyz_to_xyzw,
    xyzw_to_wxyz,
)
from physreel.simulators.bullet_client import Client
from physreel.simulators.bullet_contacts import Contacts
from physreel.simulators.bullet_world import MARGIN_M, WorldBuilder
from physreel.simulators.contact_rows import merge
from physreel.simulators.preparation import JointLink, Preparation, overlap_error, step_velocities
from physreel.simulators.rolling import RollingFriction
from physreel.values import Trajectory

Floats = NDArray[np.float64]


class Run:
    """One simulation, from the prepared spec to the trajectory, on a physics server of its own."""

    def __init__(self, preparation: Preparation) -> None:
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
        self.p: Any = Client()
        self.p.setPhysicsEngineParameter(
            fixedTimeStep=preparation.step_s, numSubSteps=0, numSolverIterations=200, solverResidualThreshold=0.0,
            deterministicOverlappingPairs=1, enableFileCaching=0, enableConeFriction=1, useSplitImpulse=1,
            splitImpulsePenetrationThreshold=1.0, erp=0.1, contactERP=0.1, frictionERP=0.0,
            contactBreakingThreshold=0.002, contactSlop=1e-5, restitutionVelocityThreshold=1e9,
        )  # fmt: skip
        self.p.setGravity(*self.spec.gravity_m_s2)
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
        contacts, rolling = Contacts(p, prep, world, self.driven), RollingFriction(prep)
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
            body_turn = multiply_wxyz(xyzw_to_wxyz(turn), conjugate_wxyz(world.axes))
            p.stepSimulation()
            known = len(contacts.raw)
            touched = contacts.record(n, before, center, body_turn)
            if rolling.active and len(contacts.raw) > known:
                self._resist_rolling(rolling, np.array(contacts.raw[known:]), before[:, 3:])
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
            contacts=merge(contacts.points(), h),
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
            mass = self.prep.driven_mass_kg
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

    def _resist_rolling(self, rolling: RollingFriction, rows: Floats, spin: Floats) -> None:
        first, second = rows[:, 1].astype(np.int64), rows[:, 2].astype(np.int64)
        torque = rolling.torques(first, second, rows[:, 9], np.ascontiguousarray(spin))
        for i in np.unique(np.concatenate([first, second])):
            place = self.world.places[i]
            if place.link == -1 and self.prep.masses[i] is not None and torque[i].any():
                self.p.applyExternalTorque(place.bullet_id, -1, torque[i].tolist(), self.p.WORLD_FRAME)

    def _springs(self) -> None:
        for index, (made, link, sign) in self.world.joint_places.items():
            joint = self.spec.joints[index]
            if joint.stiffness or joint.damping:
                position, speed = self.p.getJointState(made, link)[:2]
                force = -joint.stiffness * (position - sign * joint.rest) - joint.damping * speed
                self.p.setJointMotorControl2(made, link, self.p.TORQUE_CONTROL, force=force)

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
        return (*notes, *prep.notes)


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
