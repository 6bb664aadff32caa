"""A spec as a Bullet world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SimulationError
from physreel.geometry.hulls import hull_faces
from physreel.geometry.rotations import (
    conjugate_wxyz,
    matrix_to_wxyz,
    multiply_wxyz,
    rotate_wxyz,
    wxyz_to_xyzw,
)
from physreel.simulators.preparation import JointLink, Preparation
from physreel.simulators.tessellation import ball_points, cone_points, is_convex
from physreel.spec import (
    IDENTITY,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Plane,
    Shape,
    Sphere,
    TriangleMesh,
)

Floats = NDArray[np.float64]

MARGIN_M = 1e-4
"""Bullet rounds hulls off by this; their points are taken in by about as much."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a body of the spec is in Bullet: the id, the link (-1: base) and its joint's index and sign."""

    bullet_id: int
    link: int


@dataclass(frozen=True, kw_only=True, eq=False)
class BulletWorld:
    """The made world.

    Attributes:
        places: of each body of the spec.
        body_at: (bullet id, link) -> body of the spec.
        axes: (B, 4) wxyz of Bullet's frame (principal axes) in the body frame.
        center: (B, 3) centre of mass in the body frame.
        free: bodies that fly alone.
        carriers: driven body -> base without shape that carries what is jointed to it.
        joint_places: joint of the spec -> (bullet id, link, sign), for joints with a coordinate.
    """

    places: tuple[Place, ...]
    body_at: dict[tuple[int, int], int]
    axes: Floats
    center: Floats
    free: tuple[int, ...]
    carriers: dict[int, int]
    joint_places: dict[int, tuple[int, int, float]]


class WorldBuilder:
    """Fills an empty physics client (anything with pybullet's functions) from a prepared spec.

    Bullet takes the hulls of a compound from files only: ``folder`` holds them while the world is made.
    """

    def __init__(self, client: Any, preparation: Preparation, folder: Path) -> None:
        self.p = client
        self.folder = folder
        self.prep = preparation
        self.spec = preparation.spec
        count = len(self.spec.bodies)
        self.axes = np.tile(np.array(IDENTITY), (count, 1))
        self.center = np.zeros((count, 3))
        self.inertia = np.ones((count, 3))
        for i, mass in enumerate(preparation.masses):
            if mass is None:
                continue
            self.center[i] = mass.center
            if np.count_nonzero(mass.inertia - np.diag(np.diag(mass.inertia))) == 0:
                self.inertia[i] = np.diag(mass.inertia)
                continue
            values, frame = np.linalg.eigh(mass.inertia)
            if np.linalg.det(frame) < 0:
                frame[:, 0] *= -1
            self.inertia[i], self.axes[i] = values, matrix_to_wxyz(frame)

    def build(self) -> BulletWorld:
        """Make all bodies, joints and couplings."""
        bodies, prep = self.spec.bodies, self.prep
        tree = [link for link in prep.links if not link.closes_loop]
        hung = {link.child for link in tree}
        places: dict[int, Place] = {}
        free: list[int] = []
        carriers: dict[int, int] = {}
        joints: dict[int, tuple[int, int, float]] = {}
        parents = {link.parent for link in tree}
        for i in range(len(bodies)):
            if i in hung or (i in parents and prep.masses[i] is not None):
                continue
            places[i] = Place(bullet_id=self._single(i), link=-1)
            if prep.masses[i] is not None:
                free.append(i)
        for root in sorted({link.parent for link in tree if link.parent not in hung}, key=lambda r: (r < 0, r)):
            own = self._group(root, tree)
            bullet_id = self._multibody(root, own, places, joints)
            if root >= 0 and bodies[root].motion == "driven":
                carriers[root] = bullet_id
        world = BulletWorld(
            places=tuple(places[i] for i in range(len(bodies))),
            body_at={(place.bullet_id, place.link): i for i, place in places.items()},
            axes=self.axes,
            center=self.center,
            free=tuple(free),
            carriers=carriers,
            joint_places=joints,
        )
        self._couplings(world)
        self._filters(world, tree)
        return world

    # --- bodies ---------------------------------------------------------------------------------------------------

    def _frame(self, i: int) -> tuple[Floats, Floats]:
        """Position and orientation (wxyz) of Bullet's frame of a body at time 0."""
        body = self.spec.bodies[i]
        position, turn = np.asarray(body.position_m), np.asarray(body.orientation_wxyz)
        if body.motion == "driven":
            pose = self.prep.driven_pose[i][0]
            position, turn = pose[:3], pose[3:]
        return position + rotate_wxyz(turn, self.center[i]), multiply_wxyz(turn, self.axes[i])

    def _single(self, i: int) -> int:
        mass = self.prep.masses[i]
        position, turn = self._frame(i)
        driven = self.spec.bodies[i].motion == "driven"
        weight = self.prep.driven_mass_kg if driven else 0.0 if mass is None else mass.mass
        made: int = self.p.createMultiBody(
            baseMass=weight,
            baseCollisionShapeIndex=self._shape(i, -self.center[i]),
            basePosition=position.tolist(),
            baseOrientation=wxyz_to_xyzw(turn).tolist(),
            useMaximalCoordinates=1,
        )
        if weight > 0.0:
            inertia = [weight] * 3 if mass is None else self.inertia[i].tolist()
            # Without the mass beside it, Bullet takes the inertia for that of a body of mass 0.
            self.p.changeDynamics(made, -1, mass=weight, localInertiaDiagonal=inertia)
        return made

    def _group(self, root: int, tree: list[JointLink]) -> list[JointLink]:
        # Links come in an order in which parents precede their children.
        inside, own = {root}, []
        for link in tree:
            if link.parent in inside and (link.parent != -1 or root == -1):
                inside.add(link.child)
                own.append(link)
        return own

    def _multibody(
        self,
        root: int,
        own: list[JointLink],
        places: dict[int, Place],
        joints: dict[int, tuple[int, int, float]],
    ) -> int:
        p, masses = self.p, self.prep.masses
        mass = masses[root] if root >= 0 else None
        base_mass, shape = 0.0, -1
        position, turn = (np.zeros(3), np.array(IDENTITY)) if root < 0 else self._frame(root)
        if mass is not None:
            base_mass, shape = mass.mass, self._shape(root, -self.center[root])
        elif root >= 0 and self.spec.bodies[root].motion == "driven":
            base_mass = self.prep.driven_mass_kg
        kinds = {
            "hinge": p.JOINT_REVOLUTE,
            "slide": p.JOINT_PRISMATIC,
            "ball": p.JOINT_SPHERICAL,
            "fixed": p.JOINT_FIXED,
        }
        frames = {root: (position, turn)}
        numbers = {root: 0}
        keys = (
            "Masses CollisionShapeIndices VisualShapeIndices Positions Orientations InertialFramePositions "
            "InertialFrameOrientations ParentIndices JointTypes JointAxis"
        )
        columns: dict[str, list[Any]] = {f"link{key}": [] for key in keys.split()}
        for number, link in enumerate(own):
            child_mass = masses[link.child]
            assert child_mass is not None
            middle, axes = self._frame(link.child)
            anchor = middle if link.joint.kind == "fixed" else np.asarray(link.joint.anchor_m)
            frames[link.child], numbers[link.child] = (anchor, axes), number + 1
            base, base_turn = frames[link.parent]
            back, out = conjugate_wxyz(base_turn), conjugate_wxyz(axes)
            arm = rotate_wxyz(out, middle - anchor)
            row = (
                child_mass.mass,
                self._shape(link.child, -self.center[link.child], shift=arm),
                -1,
                rotate_wxyz(back, anchor - base).tolist(),
                wxyz_to_xyzw(multiply_wxyz(back, axes)).tolist(),
                arm.tolist(),
                [0.0, 0.0, 0.0, 1.0],
                numbers[link.parent],
                kinds[link.joint.kind],
                rotate_wxyz(out, link.joint.axis).tolist(),
            )
            for key, value in zip(columns, row, strict=True):
                columns[key].append(value)
        made: int = p.createMultiBody(
            baseMass=base_mass,
            baseCollisionShapeIndex=shape,
            basePosition=position.tolist(),
            baseOrientation=wxyz_to_xyzw(turn).tolist(),
            flags=p.URDF_USE_SELF_COLLISION,
            **columns,
        )
        if mass is not None:
            p.changeDynamics(made, -1, localInertiaDiagonal=self.inertia[root].tolist())
            places[root] = Place(bullet_id=made, link=-1)
        elif base_mass > 0:
            p.changeDynamics(made, -1, localInertiaDiagonal=[base_mass] * 3)
        for number, link in enumerate(own):
            places[link.child] = Place(bullet_id=made, link=number)
            self._joint(made, number, link)
            if link.joint.kind in ("hinge", "slide"):
                joints[link.index] = (made, number, link.sign)
        return made

    def _joint(self, made: int, number: int, link: JointLink) -> None:
        p, joint = self.p, link.joint
        p.changeDynamics(
            made, number, localInertiaDiagonal=self.inertia[link.child].tolist(), jointDamping=0.0,
            maxJointVelocity=1e6, linearDamping=0.0, angularDamping=0.0,
        )  # fmt: skip
        if joint.kind == "ball":
            # Bullet puts friction into every joint unless told not to.
            p.setJointMotorControlMultiDof(
                made, number, p.POSITION_CONTROL, targetPosition=[0, 0, 0, 1], positionGain=0, velocityGain=0,
                force=[0, 0, 0],
            )  # fmt: skip
        elif joint.kind != "fixed":
            speed, effort = 0.0, 0.0
            if joint.motor is not None:
                speed, effort = link.sign * joint.motor.speed, joint.motor.max_effort
            p.setJointMotorControl2(made, number, p.VELOCITY_CONTROL, targetVelocity=speed, force=effort)
            if joint.limits is not None:
                low, high = sorted(link.sign * limit for limit in joint.limits)
                p.changeDynamics(made, number, jointLowerLimit=low, jointUpperLimit=high)

    # --- shapes ---------------------------------------------------------------------------------------------------

    def _shape(self, i: int, offset: Floats, shift: Floats | None = None) -> int:
        """The collision shape of a body, its frame at ``offset`` from Bullet's frame (body axes), then ``shift``."""
        shape = self.spec.bodies[i].shape
        back = conjugate_wxyz(self.axes[i])
        parts: list[tuple[Shape, Floats, Floats]] = []
        if isinstance(shape, Compound):
            for piece in shape.pieces:
                parts.append((piece.shape, np.asarray(piece.position_m), np.asarray(piece.orientation_wxyz)))
        elif isinstance(shape, TriangleMesh):
            parts.append((shape, np.zeros(3), np.array(IDENTITY)))
        else:
            parts.append((shape, np.zeros(3), np.array(IDENTITY)))
        move = np.zeros(3) if shift is None else shift
        forms = [self._form(part) for part, _, _ in parts]
        places = [(rotate_wxyz(back, place + offset) + move).tolist() for _, place, _ in parts]
        turns = [wxyz_to_xyzw(multiply_wxyz(back, turn)).tolist() for _, _, turn in parts]
        if len(parts) == 1:
            form = dict(forms[0])
            kind = form.pop("shapeType")
            made = self.p.createCollisionShape(
                kind, collisionFramePosition=places[0], collisionFrameOrientation=turns[0], **form
            )
            return int(made)
        made = self.p.createCollisionShapeArray(
            shapeTypes=[form["shapeType"] for form in forms],
            radii=[form.get("radius", 1.0) for form in forms],
            halfExtents=[form.get("halfExtents", [1.0, 1.0, 1.0]) for form in forms],
            lengths=[form.get("height", 1.0) for form in forms],
            fileNames=[self._file(form) for form in forms],
            meshScales=[[1.0, 1.0, 1.0]] * len(forms),
            collisionFramePositions=places,
            collisionFrameOrientations=turns,
        )
        if made < 0:
            raise SimulationError(f"Bullet could not make the shape of body {self.spec.bodies[i].name!r}")
        return int(made)

    def _file(self, form: dict[str, Any]) -> str:
        if "vertices" not in form:
            return ""
        vertices, faces = hull_faces(ConvexHull(points_m=tuple((x, y, z) for x, y, z in form["vertices"])))
        path = self.folder / f"{len(list(self.folder.iterdir()))}.obj"
        lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
        lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces.tolist()]
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    def _form(self, shape: Shape) -> dict[str, Any]:
        p = self.p
        match shape:
            case Box(size_m=size):
                return {"shapeType": p.GEOM_BOX, "halfExtents": [edge / 2 for edge in size]}
            case Sphere(radius_m=r):
                return {"shapeType": p.GEOM_SPHERE, "radius": r}
            case Capsule(radius_m=r, length_m=h):
                return {"shapeType": p.GEOM_CAPSULE, "radius": r, "height": h}
            case Cylinder(radius_m=r, height_m=h):
                return {"shapeType": p.GEOM_CYLINDER, "radius": r, "height": h}
            case Cone():
                return self._hull(cone_points(shape))
            case Ellipsoid(radii_m=radii):
                return self._hull(ball_points(240) * np.asarray(radii))
            case ConvexHull(points_m=points):
                return self._hull(np.asarray(points))
            case TriangleMesh(vertices_m=vertices, faces=faces):
                if is_convex(shape):
                    return self._hull(np.asarray(vertices)[np.unique(faces)])
                return {
                    "shapeType": p.GEOM_MESH,
                    "vertices": [list(vertex) for vertex in vertices],
                    "indices": [k for face in faces for k in face],
                    "flags": p.GEOM_FORCE_CONCAVE_TRIMESH,
                }
            case Plane():
                return {"shapeType": p.GEOM_PLANE, "planeNormal": [0.0, 0.0, 1.0]}
        raise AssertionError(shape.kind)

    def _hull(self, points: Floats) -> dict[str, Any]:
        middle = points.mean(0)
        arm = points - middle
        reach = np.linalg.norm(arm, axis=1, keepdims=True)
        return {
            "shapeType": self.p.GEOM_MESH,
            "vertices": (middle + arm * (1 - MARGIN_M / np.maximum(reach, 4 * MARGIN_M))).tolist(),
        }

    # --- constraints ----------------------------------------------------------------------------------------------

    def _couplings(self, world: BulletWorld) -> None:
        p = self.p
        index = {joint.name: k for k, joint in enumerate(self.spec.joints)}
        for coupling in self.spec.couplings:
            id_a, link_a, sign_a = world.joint_places[index[coupling.joint_a]]
            id_b, link_b, sign_b = world.joint_places[index[coupling.joint_b]]
            made = p.createConstraint(id_b, link_b, id_a, link_a, p.JOINT_GEAR, [1, 0, 0], [0, 0, 0], [0, 0, 0])
            # Bullet holds v_parent + ratio · v_child = 0.
            p.changeConstraint(made, gearRatio=-coupling.ratio * sign_a * sign_b, maxForce=1e9, erp=0.1)

    def _filters(self, world: BulletWorld, tree: list[JointLink]) -> None:
        p, places = self.p, world.places
        pairs = set(self.prep.free_pairs)
        still = [i for i, mass in enumerate(self.prep.masses) if mass is None]
        # Static and driven bodies never touch one another; Bullet would compute what nobody needs.
        pairs |= {(a, b) for k, a in enumerate(still) for b in still[k + 1 :]}
        for a, b in sorted(pairs):
            p.setCollisionFilterPair(places[a].bullet_id, places[b].bullet_id, places[a].link, places[b].link, 0)
        connected = {(min(t.child, t.parent), max(t.child, t.parent)) for t in tree if t.joint.collide_connected}
        for a, b in sorted(connected - pairs):
            if a >= 0:
                p.setCollisionFilterPair(places[a].bullet_id, places[b].bullet_id, places[a].link, places[b].link, 1)
