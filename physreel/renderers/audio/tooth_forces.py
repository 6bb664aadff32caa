"""The force between two toothed bodies, from the physics steps to the rate of the sound.

What presses for longer than a few steps is known well, and is joined by smooth curves. What lasts no longer (a tooth
that comes into mesh before its turn, one that flies across the backlash) is known by its impulse alone: it becomes a
half-sine as long as the teeth, which are springs, need to throw the two bodies back. Between them the flanks' roughness
shakes what is pressed together, as fast as they slide: not at all at the pitch point, most where teeth meet and part.
Rigid teeth that are wedged press as hard as no tooth could bear: what passes that bends them, and takes longer. And
they pass impulses round among themselves that nothing that moves could give: those are no blows.

Sources:
  ISO       ISO 6336-1 (2006), method B: 14 N/(mm µm) of stiffness for each width of steel teeth in mesh; other
            materials as their moduli
  Ashby     M. F. Ashby, Materials Selection in Mechanical Design, 4th ed. (2011), chart of modulus and strength
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hertz import contact_modulus_pa
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.renderers.audio.bodies import SoundingBody
from physreel.renderers.audio.dice import Dice
from physreel.renderers.audio.friction import PROFILE_BEND_M, PROFILE_SPACING_M, SLIDE_SHARE, fractal_profile
from physreel.renderers.audio.kernels import surface_force
from physreel.renderers.audio.poses import Poses
from physreel.spec import Gear, Rack, SceneSpec
from physreel.values import SAMPLE_RATE_HZ, Trajectory

Floats = NDArray[np.float64]

MESH_STIFFNESS_PA, STEEL_MODULUS_PA = 14e9, 115e9
"""Stiffness of steel teeth in mesh for each metre of width, and E* of steel on steel, that it goes with."""

BLOW_STEPS = 3
"""What rises above the force before and after for no more steps than this is a blow."""

BLOW_SHARE = 0.3
"""By so much of what presses anyway it must rise."""

CREEP_M_S, SLIDING_M_S = 0.001, 0.005
"""Flanks slower than the first do not rub; from the second on they do in full."""

STIFF_PA, STIFF_YIELD, SOFT_YIELD = 30e9, 0.002, 0.02
"""What is stiffer than the first, as metals, yields when strained by the second; all else, as plastics, by the third
(Ashby; the middle of a decade for each)."""

ROOT_MODULES, ARM_MODULES = 2.0, 1.9
"""A tooth's thickness at the root, and how far from there its tip is loaded."""

_LOOSE_SHARE = 0.3
_ROUGH_HOP = 20
_LEAST_SHARE = 1e-4


@dataclass(frozen=True, eq=False, kw_only=True)
class Mesh:
    """The contacts of one side of the teeth of two bodies.

    Attributes:
        bodies: indices a < b.
        rows: of the contact table, in order of time.
        force: (S,) N on b, along the contacts' normals, by time of the world; what presses at the beginning is
            taken off, for it makes no sound.
        blow_s: (K,) when blows are strongest.
        blow_n_s: (K,) their impulses, as far as what moves could give them.
        gap_s: (K,) for how long hardly anything pressed before.
    """

    bodies: tuple[int, int]
    rows: NDArray[np.int64]
    force: Floats
    blow_s: Floats
    blow_n_s: Floats
    gap_s: Floats


def meshing_pairs(spec: SceneSpec, trajectory: Trajectory) -> frozenset[tuple[int, int]]:
    """Pairs of bodies (a < b) whose contacts are those of teeth in mesh."""
    toothed = [(i, body.name) for i, body in enumerate(spec.bodies) if isinstance(body.shape, Gear | Rack)]
    return frozenset(
        (min(i, k), max(i, k))
        for i, one in toothed
        for k, other in toothed
        if f"tooth_force:{one}/{other}" in trajectory.signals
    )


def find_meshes(
    spec: SceneSpec,
    trajectory: Trajectory,
    pairs: frozenset[tuple[int, int]],
    bodies: list[SoundingBody],
    poses: Poses,
    samples: int,
) -> list[Mesh]:
    """The meshing sides of all pairs, by pair: one while the same flanks bear, two where the load turns round."""
    contacts = trajectory.contacts
    moving_j = _moving_j(trajectory, bodies)
    found = []
    for a, b in sorted(pairs):
        rows = np.flatnonzero((contacts.body_a == a) & (contacts.body_b == b))
        if not len(rows):
            continue
        around = np.einsum("ni,ni->n", contacts.normal[rows], _tangents(spec, poses, a, b, contacts.time_s[rows]))
        whole = float(contacts.normal_impulse_n_s[rows].sum())
        for side in (around > 0.0, around <= 0.0):
            mine = rows[side]
            if float(contacts.normal_impulse_n_s[mine].sum()) > _LEAST_SHARE * whole:
                found.append(_mesh(spec, trajectory, bodies, (a, b), mine, moving_j, samples))
    return found


def _tangents(spec: SceneSpec, poses: Poses, a: int, b: int, time_s: Floats) -> Floats:
    """(N, 3) across the line of centres, in the plane of the teeth; along a rack."""
    for index in (a, b):
        if isinstance(spec.bodies[index].shape, Rack):
            _, quat = poses.at(index, time_s)
            return rotate_wxyz(quat, np.tile((1.0, 0.0, 0.0), (len(time_s), 1)))
    axis = rotate_wxyz(np.array(spec.bodies[a].orientation_wxyz), np.array([0.0, 0.0, 1.0]))
    return np.asarray(np.cross(axis, poses.at(b, time_s)[0] - poses.at(a, time_s)[0]))


def _mesh(
    spec: SceneSpec,
    trajectory: Trajectory,
    bodies: list[SoundingBody],
    pair: tuple[int, int],
    rows: NDArray[np.int64],
    moving_j: Floats,
    samples: int,
) -> Mesh:
    contacts, h = trajectory.contacts, trajectory.step_s
    steps = max(round(spec.duration_s / h), 1)
    at = np.clip(np.rint(contacts.time_s[rows] / h).astype(np.int64) - 1, 0, steps - 1)
    force = np.bincount(at, contacts.normal_impulse_n_s[rows], steps) / h
    steady, blow_s, blow_n_s, gap_s = _apart(force, h)
    closing = np.zeros(steps)
    np.maximum.at(closing, at, contacts.approach_speed_m_s[rows])
    blow_n_s = np.minimum(blow_n_s, _most_n_s(trajectory, _yielding(bodies, pair), moving_j, closing, blow_s))
    most_n = _bearable_n(bodies, pair)
    steady = np.minimum(steady, most_n)
    middle = np.asarray((np.arange(steps) + 0.5) * h, np.float64)
    time = np.asarray(np.arange(samples) / SAMPLE_RATE_HZ, np.float64)
    total = _joined(middle, steady, time)
    swing_s = max(_swing_s(bodies, pair), 1.0 / SAMPLE_RATE_HZ)
    total += _released(spec, trajectory, pair, steady, time, swing_s)
    _add_blows(total, blow_s, blow_n_s, np.maximum(swing_s, 0.5 * np.pi * blow_n_s / most_n))
    total += _rubbing(spec, trajectory, bodies, pair, rows, steady, samples)
    total -= steady[0]
    return Mesh(bodies=pair, rows=rows, force=total, blow_s=blow_s, blow_n_s=blow_n_s, gap_s=gap_s)


def _apart(force: Floats, h: float) -> tuple[Floats, Floats, Floats, Floats]:
    """(N,) what presses for longer, and (K,) times, impulses and gaps before of the blows; force (N,) of steps of h."""
    from scipy.ndimage import median_filter

    under = np.asarray(median_filter(force, 2 * BLOW_STEPS + 1, mode="nearest"))
    high = force > under * (1.0 + BLOW_SHARE)
    edges = np.diff(np.r_[0, high.astype(np.int8), 0])
    starts, stops = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    short = stops - starts <= BLOW_STEPS
    starts, stops = starts[short], stops[short]
    steady = force.copy()
    times, impulses, gaps = (np.zeros(len(starts)) for _ in range(3))
    usual = float(np.median(force[force > 0.0])) if (force > 0.0).any() else 0.0
    pressed = np.flatnonzero(force > _LOOSE_SHARE * usual)
    for k, (low, high_) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        part = force[low:high_] - under[low:high_]
        steady[low:high_] = under[low:high_]
        times[k] = float(((np.arange(low, high_) + 0.5) * part).sum() / part.sum()) * h
        impulses[k] = float(part.sum()) * h
        before = int(np.searchsorted(pressed, low))
        gaps[k] = (low - (pressed[before - 1] + 1 if before else 0)) * h
    return steady, times, impulses, gaps


def _joined(middle: Floats, steady: Floats, time: Floats) -> Floats:
    # Monotone between the steps: no overshoot where contact ends, and next to nothing of the steps' own rate.
    from scipy.interpolate import PchipInterpolator

    if len(middle) < 2 or not steady.any():
        return np.full(len(time), steady[0])
    return np.asarray(PchipInterpolator(middle, steady)(np.clip(time, middle[0], middle[-1])), np.float64)


def _released(
    spec: SceneSpec, trajectory: Trajectory, pair: tuple[int, int], steady: Floats, time: Floats, swing_s: float
) -> Floats:
    """(S,) what a tooth that breaks off takes from the force: it lets go at once, not within a step.

    Where the next pair takes over, it does so as fast as the two bodies swing on their teeth (``swing_s``).
    """
    h = trajectory.step_s
    out = np.zeros(len(time))
    names = {spec.bodies[index].name for index in pair}
    for found in trajectory.breaks:
        step = round(found.time_s / h) - 1
        if found.bodies[0] not in names or not 0 <= step < len(steady) - 1:
            continue
        drop = max(float(steady[step] - steady[step + 1]), 0.0)
        since = (time - found.time_s) / h
        near = np.abs(since) < 0.5
        out[near] += drop * np.where(since[near] < 0.0, since[near] + 0.5, since[near] - 0.5)
        since = (time - found.time_s) / swing_s
        near = (since >= 0.0) & (since < 1.0)
        out[near] -= max(found.force_n - drop, 0.0) * (0.5 + 0.5 * np.cos(np.pi * since[near]))
    return out


def _add_blows(out: Floats, time_s: Floats, impulse_n_s: Floats, length_s: Floats) -> None:
    """Add half-sines (K,) to ``out`` (S,), each sample the mean over its time: no blow falls between two samples."""
    if not len(time_s):
        return
    first = (time_s - 0.5 * length_s) * SAMPLE_RATE_HZ
    length = length_s * SAMPLE_RATE_HZ
    cells = np.floor(first).astype(np.int64)[:, None] + np.arange(int(np.ceil(length.max())) + 2)
    done = 0.5 - 0.5 * np.cos(np.pi * np.clip((cells - first[:, None]) / length[:, None], 0.0, 1.0))
    amount = np.diff(done, axis=1) * (impulse_n_s * SAMPLE_RATE_HZ)[:, None]
    cells = cells[:, :-1]
    inside = (cells >= 0) & (cells < len(out))
    np.add.at(out, cells[inside], amount[inside])


def _swing_s(bodies: list[SoundingBody], pair: tuple[int, int]) -> float:
    """Half a period of the two bodies on the spring of their teeth: how long a blow lasts."""
    yielding = _yielding(bodies, pair)
    return float(np.pi / np.sqrt(_stiffness(bodies, pair) * yielding)) if yielding else 0.0


def _yielding(bodies: list[SoundingBody], pair: tuple[int, int]) -> float:
    """1/kg: one over the mass of two bodies that their teeth part; 0 if neither moves."""
    yielding = 0.0
    for index in pair:
        shape, mass = bodies[index].body.shape, bodies[index].mass
        if not bodies[index].dynamic or mass is None:
            continue
        yielding += shape.base_radius_m**2 / mass.inertia[2, 2] if isinstance(shape, Gear) else 1.0 / mass.mass
    return yielding


def _moving_j(trajectory: Trajectory, bodies: list[SoundingBody]) -> Floats:
    """(T,) kinetic energy of all that moves, in J: the most of a frame and its two neighbours."""
    from scipy.ndimage import maximum_filter1d

    out = np.zeros(len(trajectory.body_pose))
    for index, sounding in enumerate(bodies):
        if sounding.dynamic and sounding.mass is not None:
            velocity = trajectory.body_velocity[:, index]
            turning = rotate_wxyz(conjugate_wxyz(trajectory.body_pose[:, index, 3:]), velocity[:, 3:])
            out += 0.5 * sounding.mass.mass * (velocity[:, :3] ** 2).sum(1)
            out += 0.5 * np.einsum("ti,ij,tj->t", turning, sounding.mass.inertia, turning)
    return np.asarray(maximum_filter1d(out, 3, mode="nearest"), np.float64)


def _most_n_s(trajectory: Trajectory, yielding: float, moving_j: Floats, closing_m_s: Floats, time_s: Floats) -> Floats:
    """(K,) the greatest impulses of blows at times (K,): all that moves is stopped and thrown back, 2 √(2 m E).

    What moves between two frames alone is known by how fast the teeth come together in each step (N,).
    """
    from scipy.ndimage import maximum_filter1d

    if not yielding:
        return np.full(len(time_s), np.inf)
    frames = np.clip((time_s * trajectory.fps).astype(np.int64), 0, len(moving_j) - 1)
    steps = np.clip((time_s / trajectory.step_s).astype(np.int64), 0, len(closing_m_s) - 1)
    closing = maximum_filter1d(closing_m_s, 2 * BLOW_STEPS + 1, mode="nearest")[steps]
    return np.asarray(2.0 * np.sqrt(2.0 * moving_j[frames] / yielding + (closing / yielding) ** 2))


def _stiffness(bodies: list[SoundingBody], pair: tuple[int, int]) -> float:
    """N/m of the teeth in mesh."""
    modulus = contact_modulus_pa(*(bodies[index].material for index in pair))
    return MESH_STIFFNESS_PA * _width_m(bodies, pair) * modulus / STEEL_MODULUS_PA


def _bearable_n(bodies: list[SoundingBody], pair: tuple[int, int]) -> float:
    """N at which the weaker of two teeth bends for good: loaded at the tip, its root yields all through."""
    found = []
    for index in pair:
        shape, modulus = bodies[index].body.shape, bodies[index].material.young_modulus_pa
        if isinstance(shape, Gear | Rack):
            strength = modulus * (STIFF_YIELD if modulus > STIFF_PA else SOFT_YIELD)
            moment = 0.25 * strength * _width_m(bodies, pair) * (ROOT_MODULES * shape.module_m) ** 2
            found.append(moment / (ARM_MODULES * shape.module_m))
    return min(found)


def _width_m(bodies: list[SoundingBody], pair: tuple[int, int]) -> float:
    return min(shape.width_m for index in pair if isinstance(shape := bodies[index].body.shape, Gear | Rack))


def _rubbing(
    spec: SceneSpec,
    trajectory: Trajectory,
    bodies: list[SoundingBody],
    pair: tuple[int, int],
    rows: NDArray[np.int64],
    steady: Floats,
    samples: int,
) -> Floats:
    """(S,) N: the part of the force that the flanks' roughness modulates.

    As two bodies that slide (friction.py), with as many independent places along the line of contact as the roughness
    has room for; each shakes for itself.
    """
    contacts, h = trajectory.contacts, trajectory.step_s
    hops = -(-samples // _ROUGH_HOP) + 2
    time = np.arange(hops) * (_ROUGH_HOP / SAMPLE_RATE_HZ)
    slip = np.linalg.norm(contacts.slip_velocity_m_s[rows], axis=1)
    speed = np.interp(time, contacts.time_s[rows], slip)
    force = np.interp(time, (np.arange(len(steady)) + 0.5) * h, steady)
    gate = np.clip((speed - CREEP_M_S) / (SLIDING_M_S - CREEP_M_S), 0.0, 1.0)
    rough = math.hypot(*(bodies[index].material.surface_roughness_m for index in pair))
    width = _width_m(bodies, pair)
    depth = force / _stiffness(bodies, pair)
    places = max(width / PROFILE_BEND_M, 1.0)
    amplitude = SLIDE_SHARE / np.sqrt(places) * force * gate * rough / np.maximum(rough + depth, 1e-12)
    if not (amplitude > 0.0).any():
        return np.zeros(samples)
    patch = np.clip(_half_contact_m(bodies, pair, force / width), 1e-5, 1e-4)
    names = "/".join(spec.bodies[index].name for index in pair)
    profile = fractal_profile(Dice(spec, f"teeth:{names}").generator("flanks"))
    out = surface_force(
        profile, PROFILE_SPACING_M, speed, amplitude, np.clip(speed / (2.0 * patch), 50.0, 20_000.0), 0.0, _ROUGH_HOP,
        (hops - 1) * _ROUGH_HOP, float(SAMPLE_RATE_HZ),
    )  # fmt: skip
    return np.asarray(out[:samples], np.float64)


def _half_contact_m(bodies: list[SoundingBody], pair: tuple[int, int], load_n_m: Floats) -> Floats:
    """(H,) half width of Hertz's line contact at the pitch point, under loads (H,) for each metre of width."""
    curvature = 0.0
    for index in pair:
        shape = bodies[index].body.shape
        if isinstance(shape, Gear):
            radius = shape.pitch_radius_m * np.sin(np.radians(shape.pressure_angle_deg))
            curvature += -1.0 / radius if shape.internal else 1.0 / radius
    modulus = contact_modulus_pa(*(bodies[index].material for index in pair))
    return np.asarray(np.sqrt(4.0 * load_n_m / (np.pi * modulus * max(curvature, 1e-3))))
