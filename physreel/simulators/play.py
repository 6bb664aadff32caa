"""Joints with play: what knocks where a rod has room in its end, or a block between its stops.

A slide whose limits are close together (``Joint.has_play``) is a fit. The engine of bodies stops it at its ends; here
each stop becomes a blow on the bodies on both sides, and on the body that carries them all if that is another: a rod's
knock is heard from the engine's block. It lasts as long as Hertz's contact of a ball of CONTACT_RADIUS_M, and its
impulse is the mass that is stopped times the speed at which it came.

Where the sliding body belongs to a mechanism that holds it (a rod's pin), what is stopped is its partner (the piston),
and the small body itself is not heard beside it; otherwise both are, with all that hangs on them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hertz import contact_modulus_pa, contact_time_s
from physreel.simulators.machinery import JointMotion, MachinePart, PartRecord, slides_under
from physreel.simulators.preparation import Preparation
from physreel.values import KnockTable

Floats = NDArray[np.float64]

CONTACT_RADIUS_M = 0.01
SLOWEST_M_S = 0.01
"""What comes to its end slower leans on it, and makes no sound."""

LONGEST_S = 5e-3
APART_S = 4e-3
"""Meetings closer together than this are one blow."""


class PlayPart(MachinePart):
    """One slide with play during a run; it only tells what happened."""

    acts = False

    def __init__(self, prep: Preparation, index: int) -> None:
        self._prep, self._index = prep, index
        spec = prep.spec
        self._joint = spec.joints[index]
        joint = self._joint
        child = spec.body_index(joint.child)
        self._child = child
        self._parent = -1 if joint.parent is None else spec.body_index(joint.parent)
        self._held = False
        self._mass_kg = self._stopped_kg()
        hit = [k for k in (child, self._parent) if k >= 0 and not (self._held and k == child)]
        root = self._carrier(child)
        self._struck = [*hit, *([root] if root not in hit else [])]
        materials = [spec.material_of(spec.bodies[k]) for k in (child, self._parent) if k >= 0]
        self._modulus_pa = contact_modulus_pa(*materials)

    def _stopped_kg(self) -> float:
        links, masses = self._prep.links, self._prep.masses

        def hanging(body: int) -> set[int]:
            found, todo = set[int](), [body]
            while todo:
                k = todo.pop()
                if k not in found:
                    found.add(k)
                    todo += [link.child for link in links if link.parent == k and not link.closes_loop]
            return found

        def weight(bodies: set[int]) -> float:
            return math.fsum(mass.mass for k in bodies if (mass := masses[k]) is not None)

        mine = hanging(self._child)
        held = any(link.closes_loop and (link.child in mine) != (link.parent in mine) for link in links)
        parent = None if self._parent < 0 else masses[self._parent]
        if parent is None:
            return weight(mine)
        if held:
            self._held = True
            return parent.mass
        own = weight(mine)
        return own * parent.mass / (own + parent.mass)

    def _carrier(self, body: int) -> int:
        """The last body that moves, on the way from one to what stands still, along the tree of joints."""
        above = {link.child: link.parent for link in self._prep.links if not link.closes_loop}
        while (parent := above.get(body, -1)) >= 0 and self._prep.masses[parent] is not None:
            body = parent
        return body

    def finish(self, motion: JointMotion) -> PartRecord:
        """The blows at both ends of the play."""
        limits = self._joint.limits
        assert limits is not None
        position, velocity = motion.position[:, self._index], motion.velocity[:, self._index]
        h = motion.step_s
        times, speeds, signs = [], [], []
        for sign, end in ((-1.0, -limits[0]), (1.0, limits[1])):
            way, speed = sign * position, sign * velocity
            # The step in which it passes its end: from the next on the limit acts.
            at = np.flatnonzero((way[:-1] < end) & (way[1:] >= end))
            came = np.maximum(speed[at], speed[at + 1])
            last = -math.inf
            for n, v in zip(at.tolist(), came.tolist(), strict=True):
                time = (n + min(1.0, (end - way[n]) / max(way[n + 1] - way[n], 1e-300))) * h
                if v >= SLOWEST_M_S and time - last >= APART_S:
                    times.append(time)
                    speeds.append(v)
                    signs.append(sign)
                    last = time
        if not times:
            return PartRecord()
        order = np.argsort(times, kind="stable")
        time, speed, toward = (np.array(values)[order] for values in (times, speeds, signs))
        length = contact_time_s(
            mass_kg=self._mass_kg, radius_m=CONTACT_RADIUS_M, modulus_pa=self._modulus_pa, speed_m_s=speed
        )
        return PartRecord(
            knocks=self._table(motion, time, np.minimum(length, LONGEST_S), self._mass_kg * speed, toward)
        )

    def _table(self, motion: JointMotion, time: Floats, length: Floats, impulse: Floats, toward: Floats) -> KnockTable:
        count, struck = len(time), self._struck
        axis = np.asarray(self._joint.axis)
        rows = len(struck)
        # The child is thrown back, the parent pushed on; so is what carries it.
        back = np.array([-1.0 if k == self._child else 1.0 for k in struck])
        direction = toward[:, None, None] * back[None, :, None] * axis
        point = self._place(motion, time)
        return KnockTable(
            time_s=np.repeat(time, rows),
            length_s=np.repeat(length, rows),
            impulse_n_s=np.repeat(impulse, rows),
            point_m=np.repeat(point, rows, axis=0),
            direction=direction.reshape(-1, 3),
            body=np.tile(np.array(struck, np.int32), count),
            source=np.zeros(count * rows, np.int32),
            sources=(self._joint.name,),
        )

    def _place(self, motion: JointMotion, time: Floats) -> Floats:
        """(K, 3) of the child's frame, carried along by slides above it."""
        spec = self._prep.spec
        place = np.tile(np.asarray(spec.bodies[self._child].position_m, np.float64), (len(time), 1))
        for j, axis in slides_under(spec, self._joint.child):
            place += np.interp(time, motion.time_s, motion.position[:, j])[:, None] * axis
        return place
