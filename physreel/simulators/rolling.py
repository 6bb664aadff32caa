"""Rolling and spinning friction, for both engines: the torque by which contacts resist turning on them.

The normal force of a body that rolls lies ahead of the contact by the lever arm b (ContactPair.rolling_friction_m),
and so resists with the torque b N; spinning about the normal meets the same. A torque from the last step's normal
impulses is applied in the next one, never more than would stop the turning: at rest there is none.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from physreel.simulators.preparation import Preparation

Floats = NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def _add_torques(h, first, second, impulse, spin, material, arm, inertia, contacts, torque):  # type: ignore[no-untyped-def]
    contacts[:] = 0
    torque[:] = 0.0
    for i in range(len(first)):
        contacts[first[i]] += 1
        contacts[second[i]] += 1
    for i in range(len(first)):
        a, b = first[i], second[i]
        lever = arm[material[a], material[b]]
        if lever == 0.0 or impulse[i] <= 0.0:
            continue
        x, y, z = spin[b, 0] - spin[a, 0], spin[b, 1] - spin[a, 1], spin[b, 2] - spin[a, 2]
        speed = np.sqrt(x * x + y * y + z * z)
        if speed < 1e-9:
            continue
        # Several contacts share what is needed to stop the turning.
        yielding = contacts[a] / inertia[a] + contacts[b] / inertia[b]
        if yielding == 0.0:
            continue
        scale = min(lever * impulse[i], speed / yielding) / (h * speed)
        torque[b, 0] -= scale * x
        torque[b, 1] -= scale * y
        torque[b, 2] -= scale * z
        torque[a, 0] += scale * x
        torque[a, 1] += scale * y
        torque[a, 2] += scale * z


class RollingFriction:
    """The torques of one simulation."""

    def __init__(self, preparation: Preparation) -> None:
        spec, count = preparation.spec, len(preparation.masses)
        names = preparation.material_names
        self.arm = np.array([[spec.contact(a, b).rolling_friction_m for b in names] for a in names])
        self.active = bool(self.arm.any())
        self._h, self._material = preparation.step_s, preparation.material
        # The least principal moment: a rod is stopped from rolling, not from being turned end over end, within a step.
        self._inertia = np.array(
            [np.inf if mass is None else float(np.linalg.eigvalsh(mass.inertia)[0]) for mass in preparation.masses]
        )
        self._contacts, self._torque = np.zeros(count, np.int64), np.zeros((count, 3))

    def torques(self, first: NDArray[np.int64], second: NDArray[np.int64], impulse: Floats, spin: Floats) -> Floats:
        """(B, 3) torques in N·m to apply in the next step, world frame.

        Args:
            first: (n,) the bodies a of the last step's contact points.
            second: (n,) the bodies b.
            impulse: (n,) their normal impulses in N·s.
            spin: (B, 3) angular velocities, world frame.
        """
        _add_torques(
            self._h, first, second, impulse, spin, self._material, self.arm, self._inertia, self._contacts, self._torque
        )
        return self._torque
