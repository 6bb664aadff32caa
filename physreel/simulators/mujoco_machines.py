"""Machines in a MuJoCo run: meshing teeth, motors that start, belts and gas, teeth that break, carried bodies."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import conjugate_wxyz, multiply_wxyz, rotate_wxyz
from physreel.simulators.machinery import JointMotion, joint_signals, machine_parts, signal_stride
from physreel.simulators.mujoco_model import MujocoModel
from physreel.simulators.mujoco_teeth import Teeth
from physreel.simulators.preparation import Preparation
from physreel.spec import BreakableTooth
from physreel.values import Break, ContactTable, KnockTable, Signal

Floats = NDArray[np.float64]

BREAKING_S = 1.0 / 1200.0
"""A tooth breaks by the mean force over this time: an impulse has no force of its own, for that hangs on the step."""

_OFF = 1e-9
"""Effort of a motor that has not started: MuJoCo leaves out rows without any."""


class Machines:
    """What a run does for machines before, during and after its steps."""

    def __init__(self, prep: Preparation, built: MujocoModel) -> None:
        self.prep, self.built, self.model = prep, built, built.model
        spec = prep.spec
        self.teeth = Teeth(prep, built) if prep.tooth_pairs else None
        self.parts = machine_parts(prep)
        self.acting = [part for part in self.parts if part.acts]
        self.moving = np.flatnonzero(built.joint_dof >= 0)
        self.dofs, self.signs = built.joint_dof[self.moving], built.joint_sign[self.moving]
        self.at = built.joint_qpos[self.moving]
        steps, joints = prep.step_count, len(spec.joints)
        self.position, self.velocity = np.zeros((2, steps + 1, joints))
        self.motor_effort = np.zeros((steps, joints))
        self.work = np.zeros(steps + 1)
        self.effort = np.zeros(joints)
        motors = [
            (row, j, motor) for row, j in enumerate(built.row_joint) if (motor := spec.joints[j].motor) is not None
        ]
        self.starting = [entry for entry in motors if entry[2].start_s or entry[2].ramp_s]
        self.breakable = {(spec.body_index(tooth.gear), tooth.tooth): tooth for tooth in spec.breakable_teeth}
        length = max(1, round(BREAKING_S / prep.step_s))
        self.pressed = {tooth.name: deque([0.0] * length, length) for tooth in spec.breakable_teeth}
        self.pieces = {tooth.name: _Piece(prep, built, tooth) for tooth in spec.breakable_teeth}
        if self.teeth is not None:
            for gear, tooth in self.breakable:
                self.teeth.proud[self.teeth.tooth_row(gear, tooth)] = 0.0
        self.breaks: list[Break] = []
        jointed = spec.jointed
        self.on_joint = np.array([body.motion == "dynamic" and body.name in jointed for body in spec.bodies])
        self.active = bool(spec.joints) or self.teeth is not None

    # --- during the steps -----------------------------------------------------------------------------------------

    def first_half(self, n: int, data: Any, motor_speed: Floats) -> int:
        """Set the motors; find positions, contacts and velocities (mj_step1); the number of the first tooth contact."""
        if self.starting:
            self._start_motors(n * self.prep.step_s, motor_speed)
        if self.teeth is None:
            mujoco.mj_step1(self.model, data)
            return int(data.ncon)
        self.teeth.position_stage(self.model, data)
        return self.teeth.first

    def before(self, n: int, data: Any) -> None:
        """Record the joints and let belts and gas push, at the beginning of step n (N: the end)."""
        moving = self.moving
        position, velocity = self.position[n], self.velocity[n]
        position[moving] = data.qpos[self.at] * self.signs
        velocity[moving] = data.qvel[self.dofs] * self.signs
        if n == self.prep.step_count:
            return
        if self.acting:
            self.effort[:] = 0.0
            for part in self.acting:
                part.push(n, position, velocity, self.effort)
            data.qfrc_applied[self.dofs] = self.effort[moving] * self.signs
        for piece in self.pieces.values():
            if piece.held:
                piece.follow(data)

    def after(self, n: int, data: Any) -> None:
        """Keep what motors gave in step n and what parts did; break what was pressed too hard."""
        rows = self.built.row_joint
        if len(rows):
            self.motor_effort[n, rows] = data.efc_force[data.ne : data.ne + len(rows)] * self.built.joint_sign[rows]
        if self.acting:
            now = data.qvel[self.dofs] * self.signs
            mean = 0.5 * (self.velocity[n, self.moving] + now)
            self.work[n + 1] = float(self.effort[self.moving] @ mean) * self.prep.step_s
        if self.breakable and self.teeth is not None:
            self._break_teeth(n, data)

    def _start_motors(self, time_s: float, motor_speed: Floats) -> None:
        for row, j, motor in self.starting:
            on = time_s >= motor.start_s
            share = min((time_s - motor.start_s) / motor.ramp_s, 1.0) if motor.ramp_s else 1.0
            motor_speed[row] = self.built.joint_sign[j] * motor.speed * share if on else 0.0
            self.model.dof_frictionloss[self.built.joint_dof[j]] = motor.max_effort if on else _OFF

    def _break_teeth(self, n: int, data: Any) -> None:
        teeth = self.teeth
        assert teeth is not None
        pressed = dict.fromkeys(self.breakable, 0.0)
        address = data.contact.efc_address
        for k in range(teeth.count):
            at = address[teeth.first + k]
            pair = self.prep.tooth_pairs[teeth.which[k]]
            for key in ((pair.first, int(teeth.teeth[k, 0])), (pair.second, int(teeth.teeth[k, 1]))):
                if key in pressed and at >= 0:
                    pressed[key] += float(data.efc_force[at])
        for key, force in pressed.items():
            tooth = self.breakable[key]
            recent = self.pressed[tooth.name]
            recent.append(force)
            mean = sum(recent) / len(recent)
            if mean <= tooth.strength_n or not self.pieces[tooth.name].held:
                continue
            teeth.proud[teeth.tooth_row(*key)] = -1.0
            self.pieces[tooth.name].release()
            time = (n + 1) * self.prep.step_s
            self.breaks.append(Break(time_s=time, name=tooth.name, bodies=(tooth.gear, tooth.piece), force_n=mean))

    # --- afterwards -----------------------------------------------------------------------------------------------

    def finish(self, contacts: ContactTable) -> MachineRecord:
        """Everything that the trajectory has of machines."""
        prep = self.prep
        motion = JointMotion(
            step_s=prep.step_s,
            substeps=prep.substeps,
            position=self.position,
            velocity=self.velocity,
            motor_effort=self.motor_effort,
        )
        records = [part.finish(motion) for part in self.parts]
        signals = joint_signals(prep, motion) if len(self.moving) else {}
        signals |= self._tooth_forces(contacts)
        for record in records:
            signals |= record.signals
        poses = {index: pose for record in records for index, pose in record.poses.items()}
        return MachineRecord(
            signals=signals,
            poses=poses,
            knocks=KnockTable.joined([record.knocks for record in records]),
            breaks=tuple(self.breaks),
            work_j=np.cumsum(self.work)[:: prep.substeps],
        )

    def _tooth_forces(self, contacts: ContactTable) -> dict[str, Signal]:
        prep, h = self.prep, self.prep.step_s
        every = signal_stride(prep.substeps, prep.spec.fps)
        names = [body.name for body in prep.spec.bodies]
        step = np.minimum(np.rint(contacts.time_s / h).astype(np.int64) - 1, prep.step_count - 1)
        signals = {}
        for pair in prep.tooth_pairs:
            a, b = pair.bodies
            mine = (contacts.body_a == a) & (contacts.body_b == b)
            if not mine.any():
                continue
            impulse = np.bincount(step[mine], contacts.normal_impulse_n_s[mine], minlength=prep.step_count)
            mean = impulse.reshape(-1, every).mean(1) / h
            signals[f"tooth_force:{names[pair.first]}/{names[pair.second]}"] = Signal(
                values=mean, rate_hz=1.0 / (every * h), unit="N"
            )
        return signals


@dataclass(frozen=True, kw_only=True, eq=False)
class MachineRecord:
    """What machines add to a trajectory.

    Attributes:
        signals: by name.
        poses: of carried bodies, index -> (T + 1, 7).
        knocks: of all parts.
        breaks: in order of time.
        work_j: (T + 1,) what belts and gas have put into the bodies up to each frame and the end (negative: taken).
    """

    signals: dict[str, Signal]
    poses: dict[int, Floats]
    knocks: KnockTable
    breaks: tuple[Break, ...]
    work_j: Floats


class _Piece:
    """A tooth that is a body of its own, riding on its gear until it breaks off."""

    def __init__(self, prep: Preparation, built: MujocoModel, tooth: BreakableTooth) -> None:
        spec, model = prep.spec, built.model
        gear, piece = spec.body_index(tooth.gear), spec.body_index(tooth.piece)
        self.model = model
        self.gear_id, self.piece_id = int(built.body_ids[gear]), int(built.body_ids[piece])
        self.gear_offset = built.offset[gear]
        self.root = int(model.body_rootid[self.gear_id])
        joint = int(model.body_jntadr[self.piece_id])
        self.qpos = slice(int(model.jnt_qposadr[joint]), int(model.jnt_qposadr[joint]) + 7)
        self.dofs = slice(int(model.jnt_dofadr[joint]), int(model.jnt_dofadr[joint]) + 6)
        back = conjugate_wxyz(np.asarray(spec.bodies[gear].orientation_wxyz))
        own = np.asarray(spec.bodies[piece].orientation_wxyz)
        apart = np.subtract(spec.bodies[piece].position_m, spec.bodies[gear].position_m)
        # MuJoCo's frame of the piece is at its centre of mass.
        self.place = rotate_wxyz(back, apart + rotate_wxyz(own, built.offset[piece]))
        self.turn = multiply_wxyz(back, own)
        self.held = True

    def follow(self, data: Any) -> None:
        """Put the piece where its gear has it, moving as that does."""
        turn = data.xquat[self.gear_id]
        at = data.xpos[self.gear_id] + rotate_wxyz(turn, self.place - self.gear_offset)
        own = multiply_wxyz(turn, self.turn)
        spin = data.cvel[self.gear_id, :3]
        data.qpos[self.qpos] = np.concatenate([at, own])
        linear = data.cvel[self.gear_id, 3:] + np.cross(spin, at - data.subtree_com[self.root])
        data.qvel[self.dofs] = np.concatenate([linear, rotate_wxyz(conjugate_wxyz(own), spin)])

    def release(self) -> None:
        """Let go: from the next step on the piece moves freely and touches things."""
        self.held = False
        mine = self.model.geom_bodyid == self.piece_id
        self.model.geom_contype[mine] = self.model.geom_conaffinity[mine] = 1
        # MuJoCo keeps the union over a body's geoms as well.
        self.model.body_contype[self.piece_id] = self.model.body_conaffinity[self.piece_id] = 1
