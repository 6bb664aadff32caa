"""Rigid bodies by MuJoCo."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from physreel.errors import MissingDependencyError, SimulationError
from physreel.geometry.rotations import rotate_wxyz, wxyz_to_matrix
from physreel.simulators.base import Capability, Simulator
from physreel.simulators.contact_rows import ContactPoints, merge
from physreel.simulators.mujoco_frames import Frames, body_state, pose_velocities
from physreel.simulators.preparation import (
    Preparation,
    overlap_error,
    prepare,
    step_velocities,
    with_finer_steps,
)
from physreel.simulators.rolling import RollingFriction
from physreel.simulators.tooth_pairs import meshing_problems
from physreel.simulators.watch import watch, watch_finite, watch_solid
from physreel.spec import SceneSpec
from physreel.values import Trajectory

if TYPE_CHECKING:
    from physreel.simulators.mujoco_model import MujocoModel

Floats = NDArray[np.float64]
Pushed = Callable[[int, Floats, Floats], Floats]

_FIXED_POINT_ROUNDS = 12
_FIXED_POINT_M_S = 1e-3


class MujocoSimulator(Simulator):
    """MuJoCo with contacts that keep the spec's restitution and friction at any step (see kernels)."""

    name: ClassVar[str] = "mujoco"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({"rigid", "joints", "couplings", "driven", "machines"})

    def __init__(self) -> None:
        try:
            import mujoco
        except ImportError:
            raise MissingDependencyError(
                "simulator 'mujoco' needs the mujoco library; install it with: pip install mujoco"
            ) from None
        # Of what MuJoCo warns (a state that is not finite) watch() tells; MuJoCo would write a log file where it runs.
        mujoco.set_mju_user_warning(lambda _: None)
        self._version = str(mujoco.__version__)

    def check(self, spec: SceneSpec) -> None:
        """See Simulator.check."""
        self.require_capabilities(spec)
        self.check_prepared(prepare(spec))

    def check_prepared(self, preparation: Preparation) -> None:
        """Raise SpecError for bodies of a prepared spec that overlap at the start."""
        _Run(preparation).check_overlaps()

    def simulate(self, spec: SceneSpec) -> Trajectory:
        """See Simulator.simulate."""
        self.require_capabilities(spec)
        return with_finer_steps(spec, self._simulate)

    def _simulate(self, preparation: Preparation) -> Trajectory:
        run = _Run(preparation)
        run.check_overlaps()
        run.run()
        trajectory, path = run.trajectory(f"mujoco {self._version}")
        watch(preparation, trajectory, path, work_j=run.machine_work_j)
        return trajectory

    def simulate_pushed(self, preparation: Preparation, pushed: Pushed) -> Trajectory:
        """Run a prepared spec with forces from elsewhere, as those of a liquid; see ``_Run.run`` for ``pushed``.

        Energy is not watched: what pushes may do work. Fluids of the spec are left to the caller.
        """
        run = _Run(preparation)
        run.check_overlaps()
        run.run(pushed)
        trajectory, path = run.trajectory(f"mujoco {self._version}")
        watch_finite(preparation, trajectory)
        watch_solid(preparation, trajectory, path)
        return trajectory


class _Run:
    """One simulation, from the prepared spec to the trajectory."""

    def __init__(self, preparation: Preparation) -> None:
        import mujoco

        from physreel.simulators import kernels, mujoco_model
        from physreel.simulators.mujoco_machines import Machines

        self.mujoco, self.kernels = mujoco, kernels
        self.prep = preparation
        self.spec = preparation.spec
        self.built: MujocoModel = mujoco_model.build(preparation)
        self.model = self.built.model
        self.data: Any = mujoco.MjData(self.model)
        self.machines = Machines(preparation, self.built)
        self.gravity = float(np.linalg.norm(self.spec.gravity_m_s2))
        self.joined = self._joined()
        self._start()

    # --- before the first step ------------------------------------------------------------------------------------

    def _start(self) -> None:
        built, prep, data = self.built, self.prep, self.data
        qvel = data.qvel
        for i in np.flatnonzero(self.model.body_dofnum[built.body_ids] == 6).tolist():
            body = self.spec.bodies[i]
            at = int(self.model.body_dofadr[built.body_ids[i]])
            if body.motion != "dynamic":
                continue
            # The frame is at the centre of mass, so the spec's velocity is that of the frame.
            back = np.asarray(body.orientation_wxyz) * np.array([1.0, -1.0, -1.0, -1.0])
            qvel[at : at + 3] = body.velocity_m_s
            qvel[at + 3 : at + 6] = rotate_wxyz(back, body.angular_velocity_rad_s)
        # Velocities live half a step before positions (leapfrog): then free fall is exact at every step.
        for at in built.free_dofs:
            qvel[at : at + 3] -= 0.5 * prep.step_s * np.asarray(self.spec.gravity_m_s2)
        self.driven = []
        for k, qpos_at, dof_at, mass, inertia in built.driven:
            poses = prep.driven_pose[k]
            linear, angular = step_velocities(poses, prep.step_s)
            linear, angular = np.vstack([linear[:1], linear]), np.vstack([angular[:1], angular])
            speed = np.hstack([linear, angular])
            push = np.diff(speed, axis=0) / prep.step_s * np.r_[np.full(3, -mass), np.full(3, -inertia)]
            self.driven.append((slice(qpos_at, qpos_at + 7), slice(dof_at, dof_at + 6), poses, speed, push))
            qvel[dof_at : dof_at + 6] = speed[0]
        self._start_joints()

    def _start_joints(self) -> None:
        # Bodies on joints: the joint speeds whose motion comes nearest, in kinetic energy, to the spec's velocities.
        spec, built, data = self.spec, self.built, self.data
        linked = [link.child for link in self.prep.links if not link.closes_loop]
        given = any(any(spec.bodies[i].velocity_m_s) or any(spec.bodies[i].angular_velocity_rad_s) for i in linked)
        if not linked or not (given or data.qvel.any()):
            return
        mj, model = self.mujoco, self.model
        mj.mj_forward(model, data)
        rows, wanted = [], []
        for i in linked:
            body = spec.bodies[i]
            linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
            mj.mj_jacBodyCom(model, data, linear, angular, built.body_ids[i])
            mass = self.prep.masses[i]
            assert mass is not None
            matrix = wxyz_to_matrix(body.orientation_wxyz)
            root = np.linalg.cholesky(mass.inertia).T @ matrix.T
            rows += [mass.mass**0.5 * linear, root @ angular]
            wanted += [mass.mass**0.5 * np.asarray(body.velocity_m_s), root @ np.asarray(body.angular_velocity_rad_s)]
        jacobian, target = np.vstack(rows), np.concatenate(wanted)
        own = np.concatenate(
            [
                np.arange(model.body_dofadr[built.body_ids[i]], model.body_dofadr[built.body_ids[i]] + n)
                for i in linked
                if (n := model.body_dofnum[built.body_ids[i]]) > 0
            ]
        )
        solved, *_ = np.linalg.lstsq(jacobian[:, own], target - jacobian @ data.qvel, rcond=None)
        data.qvel[own] += solved

    def _joined(self) -> NDArray[np.int64]:
        """(B,) one number for all dynamic bodies that joints hold together, -1 for the others."""
        joined = np.array([i if body.motion == "dynamic" else -1 for i, body in enumerate(self.spec.bodies)])
        for link in self.prep.links:
            if link.parent >= 0 and joined[link.parent] >= 0 and joined[link.child] >= 0:
                joined[joined == joined[link.child]] = joined[link.parent]
        return joined

    def check_overlaps(self) -> None:
        """Raise SpecError for bodies that overlap at the start."""
        mj, data, built = self.mujoco, self.data, self.built
        mj.mj_kinematics(self.model, data)
        mj.mj_comPos(self.model, data)
        mj.mj_collision(self.model, data)
        contact = data.contact
        pairs = np.sort(built.geom_body[contact.geom], axis=1)
        depths: dict[tuple[int, int], float] = {}
        for (a, b), distance in zip(pairs.tolist(), contact.dist.tolist(), strict=True):
            depths[a, b] = max(depths.get((a, b), 0.0), -distance)
        wrong = meshing_problems(self.prep.spec, self.prep.toothed, self.prep.tooth_pairs)
        teeth = {} if self.machines.teeth is None else self.machines.teeth.overlaps(data)
        depths |= {pair: depth for pair, depth in teeth.items() if pair not in wrong}
        error = overlap_error(self.spec, depths, others=[line for lines in wrong.values() for line in lines])
        if error is not None:
            raise error

    # --- the steps ------------------------------------------------------------------------------------------------

    def run(self, pushed: Pushed | None = None) -> None:
        """Take all steps, keeping frames, the path of every body and every contact point.

        Args:
            pushed: called before step n with n, poses (B, 7) and velocities (B, 6); returns (B, 6) forces on the
                centres of mass and torques about them, world frame, that act during the step.
        """
        mj, k, m, d, built, prep = self.mujoco, self.kernels, self.model, self.data, self.built, self.prep
        h, gravity, steps = prep.step_s, self.gravity, prep.step_count
        machines, step2 = self.machines, mj.mj_step2
        set_contacts, set_free_spin, set_joint_rows = k.set_contacts, k.set_free_spin, k.set_joint_rows
        inertia = built.free_inertia
        inverse = np.linalg.inv(inertia) if len(inertia) else inertia
        material, restitution, friction_of = prep.material, prep.restitution, prep.friction
        motor_speed, geom_body, dofs = built.motor_speed, built.geom_body, built.free_dofs
        touched = np.zeros(len(self.spec.bodies), np.int64)
        record, ids = np.zeros((4096, k.COLUMNS)), np.zeros((4096, 4), np.int64)
        wanted = np.zeros(1024)
        forces: list[Floats] = []
        frames = Frames.empty(m, self.spec.frame_count + 1, len(self.spec.bodies))
        path = np.zeros((steps + 1, m.nbody, 3))
        used = force_base = 0
        qpos, qvel, bias, centers = d.qpos, d.qvel, d.qfrc_bias, d.xipos
        rolling, push = RollingFriction(prep), d.xfrc_applied
        rolling_torque = np.zeros((len(self.spec.bodies), 3))
        has_rows = bool(len(motor_speed)) or bool(m.jnt_limited.any())
        for n in range(steps + 1):
            for at_qpos, at_dof, poses, speed, _ in self.driven:
                qpos[at_qpos], qvel[at_dof] = poses[n], speed[n]
            flanks_from = machines.first_half(n, d, motor_speed)
            count = d.ncon
            path[n] = centers
            impact = False
            if count:
                if used + count > len(record):
                    more = max(len(record), count)
                    record = np.concatenate([record, np.zeros((more, k.COLUMNS))])
                    ids = np.concatenate([ids, np.zeros((more, 4), np.int64)])
                if count > len(wanted):
                    wanted = np.zeros(2 * count)
                c = d.contact
                aref, velocity, address, friction = d.efc_aref, d.efc_vel, c.efc_address, c.friction
                impact = set_contacts(
                    h, gravity, aref, velocity, count, c.geom, c.dist, c.pos, c.frame, friction, c.mu, address,
                    geom_body, material, restitution, friction_of, wanted, record, ids, used, n, force_base, touched,
                    flanks_from, machines.on_joint,
                )  # fmt: skip
            else:
                touched[:] = 0
            if n % prep.substeps == 0:
                frames.keep(n // prep.substeps, d, touched)
                if not np.isfinite(qpos).all() or not np.isfinite(qvel).all():
                    raise self._not_finite(n)
            if machines.active:
                machines.before(n, d)
            if n == steps:
                break
            if len(dofs):
                set_free_spin(h, qvel, bias, dofs, inertia, inverse)
            for _, at_dof, _, _, carry in self.driven:
                bias[at_dof] = carry[n]
            if has_rows and d.nf + d.nl:
                set_joint_rows(h, d.efc_aref, d.efc_vel, d.efc_pos, d.ne, d.nf, d.nl, motor_speed)
            if pushed is not None:
                pose, motion = body_state(m, d, built)
                push[built.body_ids] = pushed(n, pose, motion)
                push[built.body_ids, 3:] += rolling_torque
            if impact:
                self._settle_slip(aref, velocity, count, friction, address, wanted, ids, used)
            step2(m, d)
            if machines.active:
                machines.after(n, d)
            if rolling.active:
                rolling_torque[:] = 0.0
            if count:
                if rolling.active and d.nefc:
                    pair, at = ids[used : used + count], address
                    pressed = pair[:, 3] >= 0
                    impulse = np.where(pressed, d.efc_force[np.where(pressed, at, 0)], 0.0) * h
                    spin = d.cvel[built.body_ids, :3]
                    rolling_torque[:] = rolling.torques(pair[:, 1], pair[:, 2], impulse, spin)
                forces.append(d.efc_force.copy())
                force_base += len(forces[-1])
                used += count
            if rolling.active:
                push[built.body_ids, 3:] = rolling_torque
        self._frames_kept, self._path = frames, path[:, built.body_ids]
        self._raw = (record[:used], ids[:used], np.concatenate(forces) if forces else np.zeros(0))
        self._warnings()

    def _settle_slip(
        self,
        aref: Floats,
        velocity: Floats,
        count: int,
        friction: Floats,
        address: Any,
        wanted: Floats,
        ids: Any,
        used: int,
    ) -> None:
        # Cadoux's fixed point: how fast a contact slips after an impact is known only from the solution.
        mj, m, d, h, k = self.mujoco, self.model, self.data, self.prep.step_s, self.kernels
        mj.mj_fwdActuation(m, d)
        mj.mj_fwdAcceleration(m, d)
        acceleration = np.zeros(len(aref))
        group = k.touching_groups(count, address, ids, used, self.joined)
        for _ in range(_FIXED_POINT_ROUNDS):
            mj.mj_fwdConstraint(m, d)
            mj.mj_mulJacVec(m, d, acceleration, d.qacc)
            limited = k.limit_rebound(h, velocity, acceleration, d.efc_force, count, address, ids, used, wanted, group)
            change = k.update_slip(h, aref, velocity, acceleration, count, friction, address, wanted)
            if change < _FIXED_POINT_M_S and not limited:
                break

    def _not_finite(self, step: int) -> SimulationError:
        d, built = self.data, self.built
        bad = [
            body.name
            for body, k in zip(self.spec.bodies, built.body_ids, strict=True)
            if not (np.isfinite(d.xpos[k]).all() and np.isfinite(d.cvel[k]).all())
        ]
        return SimulationError(
            f"body {bad[0] if bad else '?'!r}: its position or velocity is no longer a number at "
            f"{step * self.prep.step_s:.3f} s; the simulation went unstable"
        )

    def _warnings(self) -> None:
        full = {
            self.mujoco.mjtWarning.mjWARN_CONTACTFULL: "contacts",
            self.mujoco.mjtWarning.mjWARN_CNSTRFULL: "constraints",
        }
        for warning, what in full.items():
            if self.data.warning[warning].number:
                raise SimulationError(
                    f"there was no room for all {what} in MuJoCo's memory, so some were left out; "
                    "use fewer bodies or simpler shapes"
                )

    # --- afterwards -----------------------------------------------------------------------------------------------

    def _points(self) -> ContactPoints:
        k, h = self.kernels, self.prep.step_s
        record, ids, forces = self._raw
        there = ids[:, 3] >= 0
        record, ids = record[there], ids[there]
        at = ids[:, 3]
        normal = record[:, k.NORMAL : k.NORMAL + 3]
        first, second = record[:, k.TANGENT_1 : k.TANGENT_1 + 3], record[:, k.TANGENT_2 : k.TANGENT_2 + 3]
        push = np.column_stack([forces[at], forces[at + 1], forces[at + 2]]) * h
        return ContactPoints(
            step=ids[:, 0],
            first=ids[:, 1],
            second=ids[:, 2],
            point_m=record[:, k.POINT : k.POINT + 3],
            normal=normal,
            normal_impulse_n_s=push[:, 0],
            tangential_impulse_n_s=push[:, 1:2] * first + push[:, 2:3] * second,
            slip_velocity_m_s=record[:, k.SLIP_1, None] * first + record[:, k.SLIP_2, None] * second,
            separation_speed_m_s=record[:, k.NORMAL_SPEED],
        )

    def trajectory(self, simulator: str) -> tuple[Trajectory, Floats]:
        """The trajectory, and (N + 1, B, 3) the way of each body's centre of mass."""
        spec, built, prep, f = self.spec, self.built, self.prep, self._frames_kept
        ids, h = built.body_ids, prep.step_s
        turn = f.turn[:, ids]
        position = f.position[:, ids] - rotate_wxyz(turn, np.broadcast_to(built.offset, (*turn.shape[:2], 3)))
        spin = f.motion[:, ids, :3]
        root = self.model.body_rootid[ids]
        linear = f.motion[:, ids, 3:] + np.cross(spin, f.center[:, ids] - f.root_center[:, root])
        # Free bodies' velocities are half a step behind; without a contact, gravity brings them up to the frame.
        for i in built.free_bodies:
            linear[f.in_flight[:, i], i] += 0.5 * h * np.asarray(spec.gravity_m_s2)
        pose, velocity = np.concatenate([position, turn], axis=2), np.concatenate([linear, spin], axis=2)
        has = built.joint_qpos >= 0
        angle = np.where(has, f.qpos[:, built.joint_qpos] * built.joint_sign, 0.0) if f.qpos.shape[1] else None
        rate = np.where(has, f.qvel[:, built.joint_dof] * built.joint_sign, 0.0) if f.qvel.shape[1] else None
        none = np.zeros((spec.frame_count + 1, len(spec.joints)))
        contacts = merge(self._points(), h)
        machines = self.machines.finish(contacts)
        self.machine_work_j = machines.work_j
        for i, carried in machines.poses.items():
            pose[:, i] = carried
            velocity[:, i] = pose_velocities(carried, 1.0 / spec.fps)
        trajectory = Trajectory(
            fps=spec.fps,
            step_s=h,
            body_pose=pose[:-1],
            body_velocity=velocity[:-1],
            body_pose_end=pose[-1],
            body_velocity_end=velocity[-1],
            joint_position=(none if angle is None else angle)[:-1],
            joint_velocity=(none if rate is None else rate)[:-1],
            contacts=contacts,
            knocks=machines.knocks,
            breaks=machines.breaks,
            signals=machines.signals,
            simulator=simulator,
            notes=prep.notes,
        )
        return trajectory, self._path
