"""What is read off MuJoCo's data while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import conjugate_wxyz, multiply_wxyz, rotate_wxyz, turn_rates

if TYPE_CHECKING:
    from physreel.simulators.mujoco_model import MujocoModel

Floats = NDArray[np.float64]


@dataclass(eq=False)
class Frames:
    """What is copied from MuJoCo at each frame; (T + 1, …), the last row being the clip's end."""

    position: Floats
    turn: Floats
    center: Floats
    motion: Floats
    root_center: Floats
    qpos: Floats
    qvel: Floats
    in_flight: NDArray[np.bool_]

    @classmethod
    def empty(cls, model: Any, count: int, bodies: int) -> Frames:
        """Room for ``count`` frames of a model that stands for that many bodies."""
        return cls(
            position=np.zeros((count, model.nbody, 3)),
            turn=np.zeros((count, model.nbody, 4)),
            center=np.zeros((count, model.nbody, 3)),
            motion=np.zeros((count, model.nbody, 6)),
            root_center=np.zeros((count, model.nbody, 3)),
            qpos=np.zeros((count, model.nq)),
            qvel=np.zeros((count, model.nv)),
            in_flight=np.zeros((count, bodies), bool),
        )

    def keep(self, k: int, data: Any, touched: NDArray[np.int64]) -> None:
        """Copy frame k; ``touched`` (B,) is 0 for bodies that nothing touches."""
        self.position[k], self.turn[k], self.center[k] = data.xpos, data.xquat, data.xipos
        self.motion[k], self.root_center[k] = data.cvel, data.subtree_com
        self.qpos[k], self.qvel[k] = data.qpos, data.qvel
        self.in_flight[k] = touched == 0


def body_state(model: Any, data: Any, built: MujocoModel) -> tuple[Floats, Floats]:
    """(B, 7) poses and (B, 6) velocities, of centres of mass and of rotation, as they are now."""
    ids = built.body_ids
    turn, spin = data.xquat[ids], data.cvel[ids, :3]
    position = data.xpos[ids] - rotate_wxyz(turn, built.offset)
    linear = data.cvel[ids, 3:] + np.cross(spin, data.xipos[ids] - data.subtree_com[model.body_rootid[ids]])
    return np.concatenate([position, turn], axis=1), np.concatenate([linear, spin], axis=1)


def pose_velocities(poses: Floats, interval_s: float) -> Floats:
    """(T + 1, 6) mean velocities of poses (T + 1, 7) over the intervals about them; for what no engine moves."""
    out = np.zeros((len(poses), 6))
    if len(poses) > 1:
        out[:, :3] = np.gradient(poses[:, :3], interval_s, axis=0)
        turn = multiply_wxyz(conjugate_wxyz(poses[:-1, 3:]), poses[1:, 3:])
        spin = rotate_wxyz(poses[:-1, 3:], turn_rates(turn, interval_s))
        out[:, 3:] = 0.5 * (np.concatenate([spin[:1], spin]) + np.concatenate([spin, spin[-1:]]))
    return out
