"""Is it still physics? Energy out of nothing, and bodies through what is solid, end a simulation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physreel.errors import SimulationError
from physreel.geometry.mass import mass_properties
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz, wxyz_to_matrix
from physreel.simulators.preparation import Preparation, half_thickness_m, step_velocities
from physreel.simulators.tessellation import solid_pieces
from physreel.spec import Compound, Plane
from physreel.values import Trajectory

Floats = NDArray[np.float64]

ENERGY_SHARE = 0.05
"""Energy may seem to grow by this share of the largest kinetic energy so far: velocities are known to half a step."""

ENERGY_LIFT_M = 2e-3
"""And by what lifts all bodies by this much: contacts push out what they let in."""


def watch(prep: Preparation, trajectory: Trajectory, path: Floats, *, work_j: Floats | None = None) -> None:
    """Raise SimulationError if the trajectory is not one of solid bodies that obey the conservation of energy.

    Args:
        prep: the prepared spec.
        trajectory: what the engine made of it.
        path: (N + 1, B, 3) centre of mass of every body at every step.
        work_j: (T + 1,) what parts of machines have put in up to each frame and the end.
    """
    watch_finite(prep, trajectory)
    watch_solid(prep, trajectory, path)
    watch_energy(prep, trajectory, work_j)


def watch_finite(prep: Preparation, trajectory: Trajectory) -> None:
    """Raise if a position or velocity is not a number."""
    pose, velocity = _with_end(trajectory)
    bad = ~(np.isfinite(pose).all(2) & np.isfinite(velocity).all(2))
    if bad.any():
        k, i = np.argwhere(bad)[0]
        raise SimulationError(
            f"body {prep.spec.bodies[i].name!r}: its position or velocity is no longer a number at "
            f"{k / prep.spec.fps:.3f} s; the simulation went unstable"
        )


def mechanical_energy(prep: Preparation, trajectory: Trajectory) -> Floats:
    """(T + 1, B) kinetic plus potential energy in joules of each dynamic body at each frame and the end; 0 for others.

    Springs of joints are not in it. The zero of height is the origin.
    """
    pose, velocity = _with_end(trajectory)
    energy = np.zeros(pose.shape[:2])
    for i, mass in enumerate(prep.masses):
        if mass is None:
            continue
        center = pose[:, i, :3] + rotate_wxyz(pose[:, i, 3:], mass.center)
        spin = rotate_wxyz(conjugate_wxyz(pose[:, i, 3:]), velocity[:, i, 3:])
        energy[:, i] = (
            0.5 * mass.mass * np.einsum("ti,ti->t", velocity[:, i, :3], velocity[:, i, :3])
            + 0.5 * np.einsum("ti,ij,tj->t", spin, mass.inertia, spin)
            - mass.mass * (center @ np.asarray(prep.spec.gravity_m_s2))
        )
    return energy


def work_done(prep: Preparation, trajectory: Trajectory) -> Floats:
    """(T + 1,) joules that driven bodies, by contact, and motors (at most) have put in up to each frame and the end."""
    spec, frames = prep.spec, trajectory.frame_count
    work = np.zeros(frames + 1)
    table, h = trajectory.contacts, prep.step_s
    steps = np.rint(table.time_s / h).astype(np.int64) - 1
    frame = np.minimum(steps // prep.substeps + 1, frames)
    for i, poses in prep.driven_pose.items():
        linear, angular = step_velocities(poses, h)
        for ours, sign in ((table.body_a == i, 1.0), (table.body_b == i, -1.0)):
            rows = np.flatnonzero(ours)
            if len(rows) == 0:
                continue
            at = np.minimum(steps[rows], len(linear) - 1)
            spin = rotate_wxyz(poses[at, 3:], angular[at])
            surface = linear[at] + np.cross(spin, table.point_m[rows] - poses[at, :3])
            impulse = table.normal_impulse_n_s[rows, None] * table.normal[rows] + table.tangential_impulse_n_s[rows]
            np.add.at(work, frame[rows], sign * np.einsum("ci,ci->c", impulse, surface))
    position, speed = trajectory.joint_position, np.abs(trajectory.joint_velocity)
    for j, joint in enumerate(spec.joints):
        if joint.motor is None or frames < 1:
            continue
        way = np.abs(np.diff(position[:, j], append=position[-1:, j]))
        fastest = np.maximum(speed[:, j], np.roll(speed[:, j], -1))
        fastest[-1] = speed[-1, j] + abs(joint.motor.speed)
        work[1:] += joint.motor.max_effort * np.maximum(way, fastest / spec.fps)
    return np.cumsum(work)


def watch_energy(prep: Preparation, trajectory: Trajectory, work_j: Floats | None = None) -> None:
    """Raise if the energy of all dynamic bodies grows beyond what was put in.

    Not where a joint hangs on a driven body: what passes through a joint is not recorded.
    """
    spec = prep.spec
    for link in prep.links:
        if any(k >= 0 and spec.bodies[k].motion == "driven" for k in (link.child, link.parent)):
            return
    each = mechanical_energy(prep, trajectory)
    gravity = float(np.linalg.norm(spec.gravity_m_s2))
    weight = prep.total_mass_kg * gravity
    free = each.sum(1) + _springs(prep, trajectory) - work_done(prep, trajectory)
    if work_j is not None:
        free = free - work_j
    _, velocity = _with_end(trajectory)
    kinetic = np.zeros(len(free))
    for i, mass in enumerate(prep.masses):
        if mass is not None:
            kinetic += 0.5 * mass.mass * np.einsum("ti,ti->t", velocity[:, i, :3], velocity[:, i, :3])
            kinetic += 0.5 * float(mass.inertia.max()) * np.einsum("ti,ti->t", velocity[:, i, 3:], velocity[:, i, 3:])
    # A frame may fall between an impact and its rebound, when the energy is in the contact: one low frame is none.
    lowest = np.minimum.accumulate(np.maximum(free, np.append(free[1:], free[-1:])))
    lowest = np.minimum(lowest, free[0])
    # The kinetic energy of the frames before: what appears must not excuse itself.
    before = np.r_[kinetic[0], np.maximum.accumulate(kinetic)[:-1]]
    fallen = np.maximum(np.maximum.accumulate(each.sum(1) - kinetic) - (each.sum(1) - kinetic), 0.0)
    allowed = ENERGY_SHARE * (before + fallen) + ENERGY_LIFT_M * weight + 1e-9
    over = np.flatnonzero(free - lowest > allowed)
    if len(over):
        k = int(over[0])
        i = int(np.argmax(each[k] - each[max(k - 1, 0)]))
        raise SimulationError(
            f"energy out of nothing: at {k / spec.fps:.3f} s the bodies have {free[k] - lowest[k]:.3g} J more than "
            f"before, {allowed[k]:.3g} J are within the error; most of it is in body {spec.bodies[i].name!r}"
        )


def _springs(prep: Preparation, trajectory: Trajectory) -> Floats:
    energy = np.zeros(trajectory.frame_count + 1)
    for j, joint in enumerate(prep.spec.joints):
        stretch = trajectory.joint_position[:, j] - joint.rest
        # The end has no joint coordinates; its energy is taken to be the last frame's.
        energy += 0.5 * joint.stiffness * np.append(stretch, stretch[-1:]) ** 2
    return energy


def watch_solid(prep: Preparation, trajectory: Trajectory, path: Floats) -> None:
    """Raise if a dynamic body's centre of mass gets into or passes through what is solid and not dynamic."""
    spec, h = prep.spec, prep.step_s
    moving = [i for i, mass in enumerate(prep.masses) if mass is not None]
    if not moving:
        return
    pose, _ = _with_end(trajectory)
    # The centre of mass of a compound may lie outside it, and then rightly in something else (a hook on a shelf);
    # each of its convex pieces must keep its own centre out.
    centers = {
        i: _piece_centers(shape, pose[:, i]) for i in moving if isinstance(shape := spec.bodies[i].shape, Compound)
    }
    for s, solid in enumerate(spec.bodies):
        if solid.motion in ("dynamic", "carried"):
            continue  # what is carried touches nothing
        others = [i for i in moving if (min(i, s), max(i, s)) not in prep.free_pairs]
        if not others:
            continue
        local = _in_frame_of(prep, s, path[:, others], 1)
        if isinstance(solid.shape, Plane):
            below = -local[..., 2]
            _refuse(prep, others, s, below > 0, below, h, start=below[0])
            continue
        whole = [k for k, i in enumerate(others) if i not in centers]
        ways = [(i, _in_frame_of(prep, s, centers[i], prep.substeps)) for i in others if i in centers]
        for planes in solid_pieces(solid.shape):
            _watch_piece(prep, [others[k] for k in whole], s, planes, local[:, whole], h)
            for i, way in ways:
                _watch_piece(prep, [i] * way.shape[1], s, planes, way, 1.0 / spec.fps, crossing=False)


def _in_frame_of(prep: Preparation, s: int, way: Floats, stride: int) -> Floats:
    """Points (K, n, 3), one row every ``stride`` steps, in the frame of body s, which is static or driven."""
    solid = prep.spec.bodies[s]
    if solid.motion == "driven":
        poses = prep.driven_pose[s][::stride, None]
        return rotate_wxyz(conjugate_wxyz(poses[..., 3:]), way - poses[..., :3])
    # Rows times the matrix of a rotation turn back.
    return np.asarray((way - np.asarray(solid.position_m)) @ wxyz_to_matrix(solid.orientation_wxyz))


def _piece_centers(shape: Compound, pose: Floats) -> Floats:
    """(T + 1, P, 3) centres of the P pieces of a compound at poses (T + 1, 7)."""
    centers = np.stack(
        [
            np.asarray(piece.position_m) + rotate_wxyz(piece.orientation_wxyz, mass_properties(piece.shape).center)
            for piece in shape.pieces
        ]
    )
    return pose[:, None, :3] + rotate_wxyz(pose[:, None, 3:], centers)


def _watch_piece(
    prep: Preparation, others: list[int], s: int, planes: Floats, local: Floats, h: float, *, crossing: bool = True
) -> None:
    if not others:
        return
    low, high = local.min((0, 1)), local.max((0, 1))
    corner = np.where(planes[:, :3] > 0, low, high)
    if (np.einsum("pi,pi->p", planes[:, :3], corner) > planes[:, 3]).any():
        return
    for k, i in enumerate(others):
        way = local[:, k]
        corner = np.where(planes[:, :3] > 0, way.min(0), way.max(0))
        if (np.einsum("pi,pi->p", planes[:, :3], corner) > planes[:, 3]).any():
            continue
        height = way @ planes[:, :3].T - planes[:, 3]
        inside = height.max(1) < 0
        # Steps that lead from outside to outside through the piece: clip each step's line by all planes.
        a, b = height[:-1], height[1:]
        near = ~inside[:-1] & ~inside[1:] & ~((a > 0) & (b > 0)).any(1)
        crossed = np.zeros(len(way), bool)
        rows = np.flatnonzero(near)
        if crossing and len(rows):
            a, b = a[rows], b[rows]
            with np.errstate(divide="ignore", invalid="ignore"):
                at = a / (a - b)
            enter = np.where(b < a, np.where(a > 0, at, 0.0), 0.0).max(1)
            leave = np.where(b > a, np.where(b > 0, at, 1.0), 1.0).min(1)
            crossed[rows + 1] = leave > enter + 1e-9
        wrong = inside | crossed
        depth = np.where(inside, -height.max(1), half_thickness_m(prep.spec.bodies[s].shape))
        _refuse(prep, [i], s, wrong[:, None], depth[:, None], h, start=None)


def _refuse(
    prep: Preparation,
    others: list[int],
    s: int,
    wrong: NDArray[np.bool_],
    depth: Floats,
    h: float,
    *,
    start: Floats | None,
) -> None:
    if start is not None:
        # A body that starts on the far side of a plane is not one that went through it.
        wrong = wrong & (start <= 0)
    if not wrong.any():
        return
    n, k = np.argwhere(wrong)[0]
    raise SimulationError(
        f"body {prep.spec.bodies[others[k]].name!r} went through {prep.spec.bodies[s].name!r}: at {n * h:.3f} s its "
        f"centre of mass was {depth[n, k] * 1e3:.1f} mm inside; a smaller step_s keeps it out"
    )


def _with_end(trajectory: Trajectory) -> tuple[Floats, Floats]:
    return (
        np.concatenate([trajectory.body_pose, trajectory.body_pose_end[None]]),
        np.concatenate([trajectory.body_velocity, trajectory.body_velocity_end[None]]),
    )
