"""A spec as a MuJoCo model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from physreel.geometry.extents import bounding_radius_m
from physreel.geometry.mass import MassProperties
from physreel.geometry.rotations import conjugate_wxyz, multiply_wxyz, rotate_wxyz
from physreel.simulators.preparation import JointLink, Preparation
from physreel.simulators.tessellation import cone_points, mesh_pieces
from physreel.spec import (
    IDENTITY,
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Shape,
    Sphere,
    TriangleMesh,
)

Floats = NDArray[np.float64]

_STIFF = (0.9999, 0.9999, 0.001, 0.5, 2.0)
"""MuJoCo's hardest impedance: 0.01 % of the unconstrained acceleration is left."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MujocoModel:
    """The compiled model and the way from its indices to the spec's.

    Attributes:
        model: mujoco.MjModel.
        body_ids: (B,) MuJoCo's index of each body of the spec.
        geom_body: (ngeom,) body of the spec that each geom belongs to.
        offset: (B, 3) origin of MuJoCo's body frame in the spec's body frame (free bodies: the centre of mass).
        free_dofs: (F,) first dof of bodies that fly alone, with ``free_inertia`` (F, 3, 3) and ``free_bodies`` (F,).
        driven: driven bodies as (body, first qpos, first dof, mass, inertia).
        motor_speed: (R,) wanted speed of each row of dry friction (motors, brakes), in order of dofs.
        row_joint: (R,) the joint of the spec that each of those rows is of.
        joint_qpos: (J,) qpos of each joint that has a coordinate, else -1; ``joint_dof`` and ``joint_sign`` likewise.
    """

    model: Any
    body_ids: NDArray[np.int64]
    geom_body: NDArray[np.int64]
    offset: Floats
    free_bodies: NDArray[np.int64]
    free_dofs: NDArray[np.int64]
    free_inertia: Floats
    driven: tuple[tuple[int, int, int, float, float], ...]
    motor_speed: Floats
    row_joint: NDArray[np.int64]
    joint_qpos: NDArray[np.int64]
    joint_dof: NDArray[np.int64]
    joint_sign: Floats


def build(preparation: Preparation) -> MujocoModel:
    """Compile a spec."""
    return _Builder(preparation).build()


class _Builder:
    def __init__(self, preparation: Preparation) -> None:
        self.prep = preparation
        self.spec = preparation.spec
        self.mj = mujoco.MjSpec()
        self.nodes: dict[int, Any] = {}
        self.offset = np.zeros((len(self.spec.bodies), 3))
        self.meshes: dict[Any, str] = {}
        # Teeth that have not broken off touch nothing by themselves.
        self.riding = {tooth.piece for tooth in self.spec.breakable_teeth}

    def build(self) -> MujocoModel:
        mj, prep, spec = self.mj, self.prep, self.spec
        mj.compiler.degree = False
        mj.memory = 1 << 26
        option = mj.option
        option.timestep = prep.step_s
        option.gravity = spec.gravity_m_s2
        option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        option.integrator = mujoco.mjtIntegrator.mjINT_EULER
        option.tolerance = 1e-10
        option.iterations = 60
        # Pairs are chosen by excludes alone; a state that went bad must be seen, not reset.
        option.disableflags |= mujoco.mjtDisableBit.mjDSBL_FILTERPARENT | mujoco.mjtDisableBit.mjDSBL_AUTORESET
        tree = {link.child: link for link in prep.links if not link.closes_loop}
        roots = [i for i in range(len(spec.bodies)) if i not in tree]
        parents = {link.parent for link in tree.values()}
        for i in roots:
            self._root(i)
        for link in prep.links:
            if not link.closes_loop:
                self._branch(link)
        for i, body in enumerate(spec.bodies):
            if body.motion != "carried":
                self._geoms(i, body)
        for link in prep.links:
            if link.closes_loop:
                self._close_loop(link)
        self._couplings()
        for a, b in sorted(prep.free_pairs):
            mj.add_exclude(bodyname1=f"b{a}", bodyname2=f"b{b}")
        model = mj.compile()
        return self._indices(model, [i for i in roots if i not in parents])

    # --- bodies ---------------------------------------------------------------------------------------------------

    def _root(self, i: int) -> None:
        body, mass = self.spec.bodies[i], self.prep.masses[i]
        position, turn = np.asarray(body.position_m), body.orientation_wxyz
        if body.motion == "driven":
            pose = self.prep.driven_pose[i][0]
            position, turn = pose[:3], tuple(pose[3:])
        if mass is not None:
            self.offset[i] = mass.center
            position = position + rotate_wxyz(turn, mass.center)
        node = self.mj.worldbody.add_body(name=f"b{i}", pos=position, quat=turn)
        self.nodes[i] = node
        if body.motion in ("static", "carried"):
            return
        node.add_freejoint(name=f"f{i}")
        if mass is not None:
            self._inertia(node, mass, np.zeros(3))
        else:
            heavy = MassProperties(self.prep.driven_mass_kg, np.zeros(3), self.prep.driven_mass_kg * np.eye(3))
            self._inertia(node, heavy, np.zeros(3))

    def _branch(self, link: JointLink) -> None:
        body, mass = self.spec.bodies[link.child], self.prep.masses[link.child]
        assert mass is not None
        position, turn = self._start_pose(link.child)
        parent = self.mj.worldbody if link.parent < 0 else self.nodes[link.parent]
        base, base_turn = (np.zeros(3), np.array(IDENTITY)) if link.parent < 0 else self._start_frame(link.parent)
        back = conjugate_wxyz(base_turn)
        node = parent.add_body(
            name=f"b{link.child}", pos=rotate_wxyz(back, position - base), quat=multiply_wxyz(back, turn)
        )
        self.nodes[link.child] = node
        self._inertia(node, mass, mass.center)
        joint = link.joint
        if joint.kind == "fixed":
            return
        local = conjugate_wxyz(body.orientation_wxyz)
        kinds = {
            "hinge": mujoco.mjtJoint.mjJNT_HINGE,
            "slide": mujoco.mjtJoint.mjJNT_SLIDE,
            "ball": mujoco.mjtJoint.mjJNT_BALL,
        }
        made = node.add_joint(
            name=f"j{link.index}",
            type=kinds[joint.kind],
            pos=rotate_wxyz(local, np.asarray(joint.anchor_m) - position),
            axis=rotate_wxyz(local, joint.axis),
        )
        made.damping[0] = joint.damping
        made.stiffness[0] = joint.stiffness
        made.springref = link.sign * joint.rest
        made.limited = mujoco.mjtLimited.mjLIMITED_FALSE
        made.solimp_limit = made.solimp_friction = _STIFF
        if joint.limits is not None:
            made.limited = mujoco.mjtLimited.mjLIMITED_TRUE
            made.range = sorted(link.sign * limit for limit in joint.limits)
        if joint.motor is not None:
            # A motor is a dry friction that wants a speed: the effort it may use is the friction's bound.
            made.frictionloss = joint.motor.max_effort
        elif joint.friction:
            made.frictionloss = joint.friction

    def _start_pose(self, i: int) -> tuple[Floats, Floats]:
        body = self.spec.bodies[i]
        if body.motion == "driven":
            pose = self.prep.driven_pose[i][0]
            return pose[:3], pose[3:]
        return np.asarray(body.position_m), np.asarray(body.orientation_wxyz)

    def _start_frame(self, i: int) -> tuple[Floats, Floats]:
        position, turn = self._start_pose(i)
        return position + rotate_wxyz(turn, self.offset[i]), turn

    @staticmethod
    def _inertia(node: Any, mass: MassProperties, center: Floats) -> None:
        node.explicitinertial = True
        node.mass = mass.mass
        node.ipos = center
        values, axes = np.linalg.eigh(mass.inertia)
        if np.count_nonzero(mass.inertia - np.diag(np.diag(mass.inertia))) == 0:
            values, axes = np.diag(mass.inertia).copy(), np.eye(3)
        elif np.linalg.det(axes) < 0:
            axes[:, 0] *= -1
        # Flat bodies have a + b = c; rounding must not make that an impossible body.
        top = int(np.argmax(values))
        values[top] = min(values[top], (values.sum() - values[top]) * (1 - 1e-12))
        node.inertia = values
        quat = np.zeros(4)
        mujoco.mju_mat2Quat(quat, np.ascontiguousarray(axes).ravel())
        node.iquat = quat

    # --- geoms ----------------------------------------------------------------------------------------------------

    def _geoms(self, i: int, body: Body) -> None:
        shape = body.shape
        place, turn = -self.offset[i], np.array(IDENTITY)
        if isinstance(shape, Compound):
            for piece in shape.pieces:
                self._geom(i, piece.shape, place + np.asarray(piece.position_m), np.asarray(piece.orientation_wxyz))
        elif isinstance(shape, TriangleMesh):
            for points in mesh_pieces(shape):
                self._geom(i, ConvexHull(points_m=points), place, turn)
        else:
            self._geom(i, shape, place, turn)

    def _geom(self, i: int, shape: Shape, place: Floats, turn: Floats) -> None:
        kind = mujoco.mjtGeom
        mesh = ""
        match shape:
            case Box(size_m=size):
                form, numbers = kind.mjGEOM_BOX, [edge / 2 for edge in size]
            case Sphere(radius_m=r):
                form, numbers = kind.mjGEOM_SPHERE, [r, 0, 0]
            case Cylinder(radius_m=r, height_m=h):
                form, numbers = kind.mjGEOM_CYLINDER, [r, h / 2, 0]
            case Capsule(radius_m=r, length_m=h):
                form, numbers = kind.mjGEOM_CAPSULE, [r, h / 2, 0]
            case Ellipsoid(radii_m=radii):
                form, numbers = kind.mjGEOM_ELLIPSOID, list(radii)
            case Cone():
                form, numbers, mesh = kind.mjGEOM_MESH, [0, 0, 0], self._mesh(cone_points(shape))
            case ConvexHull(points_m=points):
                form, numbers, mesh = kind.mjGEOM_MESH, [0, 0, 0], self._mesh(np.asarray(points))
            case _:
                form, numbers = kind.mjGEOM_PLANE, [0, 0, 1]
        moves = self.spec.bodies[i].motion == "dynamic"
        rides = self.spec.bodies[i].name in self.riding
        self.nodes[i].add_geom(
            type=form,
            size=numbers,
            meshname=mesh,
            pos=place,
            quat=turn,
            mass=0.0,
            contype=1 if moves and not rides else 0,
            conaffinity=0 if rides else 1,
            condim=3,
            solimp=_STIFF,
        )

    def _mesh(self, points: Floats) -> str:
        key = points.tobytes()
        if key not in self.meshes:
            name = f"m{len(self.meshes)}"
            # Only the hull is used; the shell formula copes with the thinnest pieces, and masses come from the spec.
            self.mj.add_mesh(name=name, uservert=points.ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
            self.meshes[key] = name
        return self.meshes[key]

    # --- constraints ----------------------------------------------------------------------------------------------

    def _close_loop(self, link: JointLink) -> None:
        joint, h = link.joint, self.prep.step_s
        position, turn = self._start_frame(link.child)
        anchors = [np.asarray(joint.anchor_m)]
        if joint.kind == "hinge":
            # Two points on the axis leave just the turn about it.
            anchors.append(anchors[0] + 0.05 * np.asarray(joint.axis))
        for k, anchor in enumerate(anchors):
            weld = joint.kind == "fixed"
            made = self.mj.add_equality(
                name=f"loop{link.index}_{k}",
                type=mujoco.mjtEq.mjEQ_WELD if weld else mujoco.mjtEq.mjEQ_CONNECT,
                objtype=mujoco.mjtObj.mjOBJ_BODY,
                name1=f"b{link.child}",
                name2="world" if link.parent < 0 else f"b{link.parent}",
                solref=_reference(h),
                solimp=_STIFF,
            )
            if weld:
                made.data[10] = 1.0
            else:
                made.data[:3] = rotate_wxyz(conjugate_wxyz(turn), anchor - position)

    def _couplings(self) -> None:
        index = {joint.name: k for k, joint in enumerate(self.spec.joints)}
        sign = {link.index: link.sign for link in self.prep.links}
        for coupling in self.spec.couplings:
            a, b = index[coupling.joint_a], index[coupling.joint_b]
            made = self.mj.add_equality(
                name=f"c{coupling.name}",
                type=mujoco.mjtEq.mjEQ_JOINT,
                objtype=mujoco.mjtObj.mjOBJ_JOINT,
                name1=f"j{b}",
                name2=f"j{a}",
                solref=_reference(self.prep.step_s),
                solimp=_STIFF,
            )
            made.data[:5] = [0.0, coupling.ratio * sign[a] * sign[b], 0.0, 0.0, 0.0]

    # --- indices --------------------------------------------------------------------------------------------------

    def _indices(self, model: Any, alone: list[int]) -> MujocoModel:
        spec, prep = self.spec, self.prep
        body_ids = np.array([model.body(f"b{i}").id for i in range(len(spec.bodies))], np.int64)
        of = np.full(model.nbody, -1, np.int64)
        of[body_ids] = np.arange(len(spec.bodies))
        first_joint = model.body_jntadr[body_ids]
        free = [i for i in alone if prep.masses[i] is not None]
        inertia = [m.inertia for i in free if (m := prep.masses[i]) is not None]
        driven = tuple(
            (
                i,
                int(model.jnt_qposadr[first_joint[i]]),
                int(model.jnt_dofadr[first_joint[i]]),
                self.prep.driven_mass_kg,
                self.prep.driven_mass_kg,
            )
            for i in sorted(prep.driven_pose)
        )
        joints = [-1] * len(spec.joints)
        signs = np.ones(len(spec.joints))
        row_of_dof: dict[int, tuple[int, float]] = {}
        for link in prep.links:
            if link.closes_loop or link.joint.kind not in ("hinge", "slide"):
                continue
            joints[link.index] = model.joint(f"j{link.index}").id
            signs[link.index] = link.sign
            motor = link.joint.motor
            if motor is not None or link.joint.friction:
                speed = 0.0 if motor is None else link.sign * motor.speed
                row_of_dof[int(model.jnt_dofadr[joints[link.index]])] = (link.index, speed)
        # The solver's sense of scale must be that of the bodies that move by forces.
        light = [m.mass for m in prep.masses if m is not None]
        if driven and light:
            model.stat.meaninertia = float(np.mean(light))
        self._weigh_wheels(model, body_ids)
        return MujocoModel(
            model=model,
            body_ids=body_ids,
            geom_body=of[model.geom_bodyid],
            offset=self.offset,
            free_bodies=np.array(free, np.int64),
            free_dofs=np.array([model.jnt_dofadr[first_joint[i]] for i in free], np.int64),
            free_inertia=np.array(inertia).reshape(-1, 3, 3),
            driven=driven,
            motor_speed=np.array([row_of_dof[dof][1] for dof in sorted(row_of_dof)]),
            row_joint=np.array([row_of_dof[dof][0] for dof in sorted(row_of_dof)], np.int64),
            joint_qpos=np.array([-1 if j < 0 else model.jnt_qposadr[j] for j in joints], np.int64),
            joint_dof=np.array([-1 if j < 0 else model.jnt_dofadr[j] for j in joints], np.int64),
            joint_sign=signs,
        )

    def _weigh_wheels(self, model: Any, body_ids: NDArray[np.int64]) -> None:
        # MuJoCo softens a contact in proportion to how easily the bodies' centres move. A wheel on its axle has a
        # centre that does not move at all, and a contact as hard as that has no solution that could be computed: it is
        # softened by how easily the rim moves.
        weight = model.body_invweight0
        for link in self.prep.links:
            if not link.closes_loop:
                radius = bounding_radius_m(self.spec.bodies[link.child].shape)
                row = weight[body_ids[link.child]]
                row[0] = max(row[0], row[1] * (0.5 * radius) ** 2)


def _reference(step_s: float) -> tuple[float, float]:
    # Stiffness and damping of the reference acceleration: stop within a step, close a tenth of the gap in each.
    return (-0.1 / step_s**2, -1.0 / step_s)
