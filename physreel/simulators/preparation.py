"""What engines of bodies need to know before the first step: masses, pairs, the joint tree, the step, driven motion."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SimulationError, SpecError, UnsupportedError
from physreel.geometry.extents import bounding_radius_m
from physreel.geometry.mass import MassProperties, body_mass_properties
from physreel.geometry.rotations import conjugate_wxyz, keyframe_pose, multiply_wxyz, turn_rates
from physreel.simulators.tessellation import with_solid_pieces
from physreel.simulators.tooth_pairs import ToothPair, find_tooth_pairs
from physreel.spec import (
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Gear,
    Joint,
    Rack,
    SceneSpec,
    Shape,
    Sphere,
)
from physreel.values import Trajectory

Floats = NDArray[np.float64]

TOUCHING_DEPTH_M = 0.5e-3
"""Bodies may start this deep in each other: resting poses are computed by scenes to rounding, not to the last digit."""

_MAX_REFINEMENT = 16

_DRIVEN_MASS_RATIO = 1e6
"""Driven bodies outweigh all others together by this, so that nothing they meet moves them."""


@dataclass(frozen=True, kw_only=True)
class JointLink:
    """A joint as the engines build it: ``child`` hangs on ``parent`` (body indices, -1: the world).

    ``sign`` is -1 where the spec's parent had to become the child (its own child does not move by forces).
    ``closes_loop`` marks joints that cannot be an edge of the tree and become constraints.
    """

    index: int
    joint: Joint
    child: int
    parent: int
    sign: float
    closes_loop: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Preparation:
    """A spec, looked through once: all arrays are indexed by body.

    Attributes:
        substeps: physics steps per frame.
        step_s: 1 / (fps · substeps).
        masses: mass properties of dynamic bodies, None for the others.
        links: the joints, tree edges ordered from the roots outwards, then the loop-closing ones.
        free_pairs: pairs of bodies (a < b) that pass through each other.
        material: (B,) index of each body's material in the two tables.
        restitution: (M, M) by material.
        friction: (M, M) by material.
        driven_pose: driven body -> (N + 1, 7) pose at every step.
        toothed: body -> its gear or rack; in ``spec`` these are compounds of hulls, for what is not a gear.
        tooth_pairs: pairs of toothed bodies on parallel axes that may mesh.
    """

    spec: SceneSpec
    substeps: int
    step_s: float
    masses: tuple[MassProperties | None, ...]
    links: tuple[JointLink, ...]
    free_pairs: frozenset[tuple[int, int]]
    material: NDArray[np.int64]
    restitution: Floats
    friction: Floats
    driven_pose: dict[int, Floats]
    toothed: dict[int, Gear | Rack]
    tooth_pairs: tuple[ToothPair, ...]

    @property
    def step_count(self) -> int:
        """N: steps in the whole clip."""
        return self.spec.frame_count * self.substeps

    @cached_property
    def total_mass_kg(self) -> float:
        """Mass of all dynamic bodies together."""
        return math.fsum(mass.mass for mass in self.masses if mass is not None)

    @cached_property
    def driven_mass_kg(self) -> float:
        """Mass an engine gives to driven bodies: nothing they meet moves them."""
        return _DRIVEN_MASS_RATIO * max(self.total_mass_kg, 1e-6)

    @property
    def material_names(self) -> list[str]:
        """Names in the order of the tables."""
        return sorted({body.material for body in self.spec.bodies})

    @property
    def notes(self) -> tuple[str, ...]:
        """What a trajectory has to say of its step."""
        usual = 1.0 / (self.spec.fps * self.spec.substeps)
        if self.substeps == self.spec.substeps:
            return ()
        return (f"step {self.step_s * 1e3:.3f} ms instead of {usual * 1e3:.3f} ms, so that bodies stay solid",)


def with_finer_steps(spec: SceneSpec, simulate: Callable[[Preparation], Trajectory]) -> Trajectory:
    """Simulate a spec; where bodies do not stay solid or energy appears, again with a half and a quarter of the step.

    What hits how fast in a crowd is not known before: a light body crushed between heavy ones can become faster than
    anything that was there at the start.
    """
    for factor in (1, 2, 4):
        try:
            return simulate(prepare(spec, refine=factor))
        except SimulationError:
            if factor == 4 or factor * 2 > _MAX_REFINEMENT:
                raise
    raise AssertionError


def prepare(spec: SceneSpec, *, refine: int = 1) -> Preparation:
    """Look a spec through; ``refine`` divides the step.

    Raises:
        SpecError: joints that tie nothing that could move.
        UnsupportedError: joints no tree of bodies can hold.
    """
    toothed = {i: body.shape for i, body in enumerate(spec.bodies) if isinstance(body.shape, Gear | Rack)}
    masses = tuple(
        body_mass_properties(body, spec.material_of(body)) if body.motion == "dynamic" else None for body in spec.bodies
    )
    spec = with_solid_pieces(spec)
    names = sorted({body.material for body in spec.bodies})
    place = {name: k for k, name in enumerate(names)}
    pairs = [[spec.contact(a, b) for b in names] for a in names]
    substeps = refine * _substeps(spec)
    step_s = 1.0 / (spec.fps * substeps)
    links = _links(spec)
    free_pairs = _free_pairs(spec)
    tooth_pairs = find_tooth_pairs(spec, toothed, free_pairs)
    return Preparation(
        spec=spec,
        substeps=substeps,
        step_s=step_s,
        masses=masses,
        links=links,
        free_pairs=free_pairs | {pair.bodies for pair in tooth_pairs},
        material=np.array([place[body.material] for body in spec.bodies], np.int64),
        restitution=np.array([[pair.restitution for pair in row] for row in pairs]),
        friction=np.array([[pair.friction for pair in row] for row in pairs]),
        driven_pose={
            i: _driven_poses(body, step_s, spec.frame_count * substeps)
            for i, body in enumerate(spec.bodies)
            if body.motion == "driven"
        },
        toothed=toothed,
        tooth_pairs=tooth_pairs,
    )


def _driven_poses(body: Body, step_s: float, steps: int) -> Floats:
    return np.stack([keyframe_pose(body, k * step_s) for k in range(steps + 1)])


def step_velocities(poses: Floats, step_s: float) -> tuple[Floats, Floats]:
    """Velocities that carry each of (N + 1, 7) poses to the next, both (N, 3): linear in the world, angular local."""
    linear = np.diff(poses[:, :3], axis=0) / step_s
    turn = multiply_wxyz(conjugate_wxyz(poses[:-1, 3:]), poses[1:, 3:])
    return linear, turn_rates(turn, step_s)


def half_thickness_m(shape: Shape) -> float:
    """Half the least width of a shape: how deep it can be entered before its far side is the nearer one."""
    match shape:
        case Box(size_m=size):
            return min(size) / 2
        case Sphere(radius_m=r) | Capsule(radius_m=r):
            return r
        case Ellipsoid(radii_m=radii):
            return min(radii)
        case Cylinder(radius_m=r, height_m=h):
            return min(r, h / 2)
        case Cone(radius_m=r, height_m=h):
            return min(r / 2, h / 4)
        case ConvexHull(points_m=points):
            cloud = np.asarray(points)
            _, _, axes = np.linalg.svd(cloud - cloud.mean(0), full_matrices=False)
            return float(np.ptp(cloud @ axes.T, axis=0).min()) / 2
        case Compound(pieces=pieces):
            return min(half_thickness_m(piece.shape) for piece in pieces)
    return float("inf")


def _substeps(spec: SceneSpec) -> int:
    # A body must not cross more than half of what it can hit in one step, or its contact is seen from the wrong side.
    gravity = float(np.linalg.norm(spec.gravity_m_s2))
    fall = 0.0
    moving = [body for body in spec.bodies if body.motion == "dynamic"]
    if gravity > 0 and moving:
        up = -np.asarray(spec.gravity_m_s2) / gravity
        heights = [float(np.dot(body.position_m, up)) for body in spec.bodies if body.shape.kind != "plane"]
        heights += [float(np.dot(b.position_m, up)) for b in spec.bodies if b.shape.kind == "plane"]
        free = max(float(np.dot(body.position_m, up)) for body in moving) - min(heights)
        fall = max(min(free, _drop_m(spec, body)) for body in moving)
    speed = 0.0
    for body in moving:
        speed = max(speed, float(np.linalg.norm(body.velocity_m_s)))
    for body in spec.bodies:
        for a, b in zip(body.keyframes, body.keyframes[1:], strict=False):
            way = float(np.linalg.norm(np.subtract(b.position_m, a.position_m)))
            speed = max(speed, way / (b.time_s - a.time_s))
    speed = (speed**2 + 2 * gravity * max(fall, 0.0)) ** 0.5
    # What is carried touches nothing.
    thin = min((half_thickness_m(b.shape) for b in spec.bodies if b.motion != "carried"), default=float("inf"))
    wanted = spec.substeps
    if speed > 0 and np.isfinite(thin):
        needed = int(np.ceil(speed / (0.75 * thin * spec.fps)))
        wanted = max(wanted, min(needed, _MAX_REFINEMENT * spec.substeps))
    return wanted


def _drop_m(spec: SceneSpec, body: Body) -> float:
    """How far any of a body can fall at most: without bound, unless joints hold it to what does not move by forces."""
    dynamic = {item.name for item in spec.bodies if item.motion == "dynamic"}
    holds = {joint.child: joint for joint in spec.joints}
    place, name = np.asarray(body.position_m), body.name
    reach = 2.0 * bounding_radius_m(body.shape)  # from its place, wherever in the body that is
    drop = 0.0
    for _ in range(len(spec.joints) + 1):
        joint = holds.get(name)
        if joint is None:
            break
        if joint.kind == "slide":
            drop += math.inf if joint.limits is None else joint.limits[1] - joint.limits[0]
        elif joint.kind in ("hinge", "ball"):
            arm = place - np.asarray(joint.anchor_m)
            if joint.kind == "hinge":
                arm = arm - float(arm @ np.asarray(joint.axis)) * np.asarray(joint.axis)
            drop += 2.0 * (float(np.linalg.norm(arm)) + reach)
            place, reach = np.asarray(joint.anchor_m), 0.0
        if joint.parent is None or joint.parent not in dynamic:
            return drop
        name = joint.parent
    return math.inf


def _free_pairs(spec: SceneSpec) -> frozenset[tuple[int, int]]:
    place = {body.name: i for i, body in enumerate(spec.bodies)}
    named = list(spec.no_contact)
    named += [(j.child, j.parent) for j in spec.joints if j.parent is not None and not j.collide_connected]
    return frozenset((min(place[a], place[b]), max(place[a], place[b])) for a, b in named)


def _links(spec: SceneSpec) -> tuple[JointLink, ...]:
    place = {body.name: i for i, body in enumerate(spec.bodies)}
    dynamic = [body.motion == "dynamic" for body in spec.bodies]
    problems: list[str] = []
    edges: list[_Edge] = []
    for k, joint in enumerate(spec.joints):
        child, parent = place[joint.child], -1 if joint.parent is None else place[joint.parent]
        if not dynamic[child] and (parent < 0 or not dynamic[parent]):
            problems.append(
                f"joints.{k} ({joint.name!r}): neither {joint.child!r} nor {joint.parent or 'the world'!r} is dynamic, "
                "so the joint can do nothing; make one of them dynamic or remove the joint"
            )
        edges.append((k, joint, child, parent))
    if problems:
        raise SpecError(problems)

    # Joints that carry a coordinate must be edges of the tree.
    must = {name for c in spec.couplings for name in (c.joint_a, c.joint_b)}
    parts = {bearing.joint for bearing in spec.bearings}
    parts |= {pulley.joint for belt in spec.belts for pulley in (belt.driver, belt.driven)}
    parts |= {name for cylinder in spec.gas_cylinders for name in (cylinder.crank_joint, cylinder.piston_joint)}

    def steered(joint: Joint) -> bool:
        acts = joint.limits or joint.motor or joint.stiffness or joint.damping
        return bool(joint.kind == "slide" or acts or joint.name in must)

    def needs_edge(joint: Joint) -> bool:
        return bool(steered(joint) or joint.friction or joint.name in parts)

    held = {-1} | {i for i, moves in enumerate(dynamic) if not moves}
    tree, left = _grown(sorted(edges, key=lambda edge: (not steered(edge[1]), edge[0])), held)
    if any(needs_edge(edge[1]) for edge in left):
        # Rubbing joints go first only where it matters: the order of the tree is that of all sums.
        tree, left = _grown(sorted(edges, key=lambda edge: (not needs_edge(edge[1]), edge[0])), held)
    return (*tree, *(_loop(edge, needs_edge(edge[1])) for edge in left))


_Edge = tuple[int, Joint, int, int]
"""A joint's index, itself, its child and its parent."""


def _grown(edges: list[_Edge], roots: set[int]) -> tuple[list[JointLink], list[_Edge]]:
    """Trees that grow from roots, by the first edge that fits, and the edges that are left to close loops."""
    todo, held = list(edges), set(roots)
    tree: list[JointLink] = []
    while todo:
        pick = next((e for e in todo if (e[2] in held) != (e[3] in held)), None)
        if pick is None:
            pick = next((e for e in todo if e[2] not in held), None)
            if pick is None:
                break
            # A group that floats freely: its first parent becomes a root of its own.
            held.add(pick[3])
            continue
        todo.remove(pick)
        k, joint, child, parent = pick
        backwards = child in held
        if backwards:
            child, parent = parent, child
        held.add(child)
        tree.append(
            JointLink(
                index=k,
                joint=joint,
                child=child,
                parent=parent,
                sign=-1.0 if backwards else 1.0,
                closes_loop=False,
            )
        )
    return tree, todo


def _loop(edge: _Edge, needs_edge: bool) -> JointLink:
    k, joint, child, parent = edge
    if needs_edge:
        raise UnsupportedError(
            f"joints.{k} ({joint.name!r}) closes a loop of bodies; slides, joints with limits, motor, stiffness, "
            "damping or friction, and those of couplings, bearings, belts and gas cylinders cannot. "
            "Let a plain hinge, ball or fixed joint of the loop close it instead"
        )
    return JointLink(index=k, joint=joint, child=child, parent=parent, sign=1.0, closes_loop=True)


def overlap_error(
    spec: SceneSpec,
    depths: dict[tuple[int, int], float],
    *,
    touching_m: float = TOUCHING_DEPTH_M,
    others: Sequence[str] = (),
) -> SpecError | None:
    """The refusal of a spec whose bodies overlap at the start: every pair, its depth and the remedy; None if none do.

    Args:
        spec: the spec.
        depths: greatest depth in metres of each overlapping pair of bodies (a < b).
        touching_m: depth that still counts as touching.
        others: what else is wrong with where things are.
    """
    problems = []
    for (a, b), depth in sorted(depths.items()):
        if depth <= touching_m:
            continue
        first, second = spec.bodies[a].name, spec.bodies[b].name
        problems.append(
            f"bodies.{a} and bodies.{b}: {first!r} and {second!r} overlap by {depth * 1e3:.1f} mm at the start; "
            f"move them at least that far apart, or list them in no_contact"
        )
    problems += others
    return SpecError(problems) if problems else None
