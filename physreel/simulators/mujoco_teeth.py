"""Meshing teeth in MuJoCo: exact involute contacts take the place of those that hulls would give."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from physreel.simulators.mujoco_model import MujocoModel
from physreel.simulators.preparation import Preparation
from physreel.simulators.teeth_contacts import FIRST, FORM, OUT, find_teeth_contacts
from physreel.spec import Gear, Rack
from physreel.spec.toothed import ADDENDUM, DEDENDUM, involute

Floats = NDArray[np.float64]

NEAR_M = 5e-5
"""Flanks as near as this are handed to the solver, which lets them come together but not pass."""

_MOST_CONTACTS = 256


class Teeth:
    """The gears and racks of one run, and their contacts in each step."""

    def __init__(self, prep: Preparation, built: MujocoModel) -> None:
        self.prep, self.built = prep, built
        self.rows = {index: row for row, index in enumerate(sorted(prep.toothed))}
        shapes = [prep.toothed[index] for index in self.rows]
        self.forms = np.array([_form(shape) for shape in shapes]).reshape(-1, FORM)
        counts = [shape.tooth_count for shape in shapes]
        self.forms[:, FIRST] = np.cumsum([0, *counts[:-1]]) if counts else 0.0
        self.proud = np.concatenate([_proud(shape) for shape in shapes]) if shapes else np.zeros(0)
        self.runout = np.array([shape.runout_m if isinstance(shape, Gear) else 0.0 for shape in shapes])
        self.slant = np.radians([shape.pressure_angle_deg for shape in shapes])
        self.bodies = np.array(list(self.rows), np.int64)
        self.pairs = np.array(
            [(self.rows[pair.first], self.rows[pair.second]) for pair in prep.tooth_pairs], np.int64
        ).reshape(-1, 2)
        self.half_width = np.array([0.5 * shape.width_m for shape in shapes])
        self.flip = np.array([pair.flip for pair in prep.tooth_pairs])
        self.templates = [self._template(pair.first, pair.second) for pair in prep.tooth_pairs]
        self.ids = built.body_ids[self.bodies]
        self.offset = built.offset[self.bodies]
        self.moved = bool(self.offset.any())
        self.plane = np.zeros((64, OUT))
        self.points, self.frames = np.zeros((_MOST_CONTACTS, 3)), np.zeros((_MOST_CONTACTS, 9))
        self.gaps = np.zeros(_MOST_CONTACTS)
        self.which, self.teeth = np.zeros(_MOST_CONTACTS, np.int64), np.zeros((_MOST_CONTACTS, 2), np.int64)
        self.count = 0
        self.first = 0

    def _template(self, a: int, b: int) -> Any:
        model = self.built.model
        contact = mujoco.MjContact()
        geoms = [int(np.flatnonzero(self.built.geom_body == k)[0]) for k in (a, b)]
        contact.geom[:] = geoms
        contact.geom1, contact.geom2 = geoms
        contact.flex[:] = contact.elem[:] = contact.vert[:] = -1
        contact.dim = 3
        contact.friction[:] = 0.1
        contact.solref[:] = model.geom_solref[geoms[0]]
        contact.solimp[:] = model.geom_solimp[geoms[0]]
        contact.mu = 0.1
        contact.includemargin = NEAR_M
        return contact

    def tooth_row(self, body: int, tooth: int) -> int:
        """Where in ``proud`` a tooth of a body is."""
        return int(self.forms[self.rows[body], FIRST]) + tooth

    def find(self, data: Any, limit: float) -> int:
        """Look for contacts with gaps below ``limit``; their number. They are in points, frames, gaps, which, teeth."""
        position, matrix = data.xpos[self.ids], data.xmat[self.ids]
        if self.moved:
            position = position - np.einsum("gij,gj->gi", matrix.reshape(-1, 3, 3), self.offset)
        self.count = int(
            find_teeth_contacts(
                self.pairs, self.forms, self.proud, self.runout, self.slant, position, matrix, self.half_width,
                self.flip, limit, self.plane, self.points, self.frames, self.gaps, self.which, self.teeth,
            )
        )  # fmt: skip
        return self.count

    def position_stage(self, model: Any, data: Any) -> None:
        """What mj_step1 does, with the contacts of teeth after MuJoCo's own (from number ``first`` on)."""
        mujoco.mj_checkPos(model, data)
        mujoco.mj_checkVel(model, data)
        mujoco.mj_fwdKinematics(model, data)
        mujoco.mj_makeM(model, data)
        mujoco.mj_factorM(model, data)
        mujoco.mj_collision(model, data)
        self.first = first = data.ncon
        count = self.find(data, NEAR_M)
        if count:
            for k in range(count):
                mujoco.mj_addContact(model, data, self.templates[self.which[k]])
            contact = data.contact
            contact.dist[first:] = self.gaps[:count]
            contact.pos[first:] = self.points[:count]
            contact.frame[first:] = self.frames[:count]
        mujoco.mj_makeConstraint(model, data)
        mujoco.mj_island(model, data)
        mujoco.mj_transmission(model, data)
        mujoco.mj_fwdVelocity(model, data)

    def overlaps(self, data: Any) -> dict[tuple[int, int], float]:
        """Greatest depth of each pair of bodies whose teeth overlap as they are placed."""
        depths: dict[tuple[int, int], float] = {}
        for k in range(self.find(data, 0.0)):
            pair = self.prep.tooth_pairs[self.which[k]].bodies
            depths[pair] = max(depths.get(pair, 0.0), -float(self.gaps[k]))
        return depths


def _form(shape: Gear | Rack) -> list[float]:
    if isinstance(shape, Rack):
        module = shape.module_m
        half = 0.25 * shape.pitch_m - 0.5 * shape.thinning_m
        return [shape.pitch_m, 0.0, ADDENDUM * module, DEDENDUM * module, half, 2.0, 0.0, shape.tooth_count]
    base = involute(np.radians(shape.pressure_angle_deg))
    half = shape.half_tooth_rad + (-base if shape.internal else base)
    return [
        2.0 * np.pi / shape.tooth_count,
        shape.base_radius_m,
        shape.tip_radius_m,
        shape.root_radius_m,
        half,
        float(shape.internal),
        0.0,
        shape.tooth_count,
    ]


def _proud(shape: Gear | Rack) -> Floats:
    proud = np.zeros(shape.tooth_count)
    if isinstance(shape, Gear) and shape.tooth_errors_m:
        proud[:] = shape.tooth_errors_m
    proud[list(shape.missing_teeth)] = -1.0
    return proud
