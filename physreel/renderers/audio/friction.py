"""Sliding and rolling: a contact that travels over rough surfaces shakes both bodies.

The force is the normal force, modulated as the contact rides over a fractal profile (after K. van den Doel, P. G. Kry,
D. K. Pai, FoleyAutomatic, SIGGRAPH 2001). How deep it is modulated follows from how high the asperities stand beside
how deep Hertz's contact is pressed in: a heavy ball on glass hums less than a light one on stone.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.hertz import contact_modulus_pa, indentation_m
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.renderers.audio.bodies import SoundingBody
from physreel.renderers.audio.hertz import curvature_radius_m
from physreel.renderers.audio.kernels import surface_force
from physreel.renderers.audio.mix import HOP
from physreel.renderers.audio.poses import Poses
from physreel.spec import Capsule, Cone, Cylinder, Ellipsoid, SceneSpec, Sphere
from physreel.values import SAMPLE_RATE_HZ, Trajectory

Floats = NDArray[np.float64]

SILENT_SPEED_M_S, FULL_SPEED_M_S = 0.02, 0.06
"""Contacts slower than the first make no sound (engines let resting bodies creep); from the second on all of it."""

SHORTEST_S = 0.03
"""What rubs for less is part of a blow."""

SLIDE_SHARE, ROLL_SHARE = 0.5, 0.1
"""Modulation of the normal force by fully developed roughness: many asperities carry at once, and not in step."""

PROFILE_SPACING_M = 1e-5
PROFILE_LENGTH = 1 << 15
PROFILE_BEND_M = 5e-4
"""The profile is fractal (height ~ wavelength) below this wavelength, and flat in spectrum above."""

MOST_WEIGHTS = 5.0
"""Normal forces above so many weights of the lighter body are blows, which sound by themselves."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rub:
    """A stretch of sliding or rolling of one pair.

    Attributes:
        kind: "slide" or "roll", whichever it mostly is.
        bodies: indices a < b.
        first: sample at which it begins.
        force: (F,) N at the sample rate.
        points: (H, 3) contact point in the world every HOP samples; H hops cover the force.
        local: for a and b: (H, 3) points and (H, 3) force directions in the body's frame.
    """

    kind: str
    bodies: tuple[int, int]
    first: int
    force: Floats
    points: Floats
    local: tuple[tuple[Floats, Floats], tuple[Floats, Floats]]


def find_rubs(
    spec: SceneSpec,
    trajectory: Trajectory,
    bodies: list[SoundingBody],
    poses: Poses,
    *,
    apart: frozenset[tuple[int, int]] = frozenset(),
) -> list[Rub]:
    """All stretches of sliding and rolling, by pair and then by time; of the pairs in ``apart`` (a < b) none."""
    contacts = trajectory.contacts
    if not len(contacts):
        return []
    count = len(spec.bodies)
    pair = contacts.body_a.astype(np.int64) * count + contacts.body_b
    order = np.argsort(pair, kind="stable")
    edges = np.flatnonzero(np.r_[True, np.diff(pair[order]) != 0, True])
    seed = hashlib.sha256(spec.to_json().encode()).digest()
    return [
        rub
        for low, high in pairwise(edges)
        if divmod(int(pair[order[low]]), count) not in apart
        for rub in _pair_rubs(spec, trajectory, bodies, poses, order[low:high], seed)
    ]


def _pair_rubs(
    spec: SceneSpec,
    trajectory: Trajectory,
    bodies: list[SoundingBody],
    poses: Poses,
    rows: NDArray[np.int64],
    seed: bytes,
) -> list[Rub]:
    contacts = trajectory.contacts
    a, b = int(contacts.body_a[rows[0]]), int(contacts.body_b[rows[0]])
    pair = (bodies[a], bodies[b])
    hops = int(np.ceil(spec.duration_s * SAMPLE_RATE_HZ / HOP)) + 1
    time = contacts.time_s[rows]
    if float(time[-1] - time[0]) < SHORTEST_S:
        return []
    impulse, normal = contacts.normal_impulse_n_s[rows], contacts.normal[rows]
    slip = np.linalg.norm(contacts.slip_velocity_m_s[rows], axis=1)
    roll = np.zeros(len(rows))
    if _is_round(pair[0]) or _is_round(pair[1]):
        between = poses.velocities(b, time) - poses.velocities(a, time)
        across = between - np.einsum("ni,ni->n", between, normal)[:, None] * normal
        roll = np.linalg.norm(across, axis=1)
    cell = np.minimum((time * SAMPLE_RATE_HZ / HOP).astype(np.int64), hops - 1)
    total = np.bincount(cell, impulse, hops)
    safe = np.maximum(total, 1e-300)
    sliding, rolling = (np.bincount(cell, impulse * v, hops) / safe for v in (slip, roll))
    weights = [s.mass.mass for s in pair if s.dynamic and s.mass is not None]
    gravity = float(np.linalg.norm(spec.gravity_m_s2)) or 1.0
    normal_force = np.minimum(_smooth(total / (HOP / SAMPLE_RATE_HZ)), MOST_WEIGHTS * gravity * min(weights, default=0))
    speed = np.maximum(sliding, rolling)
    slides = sliding >= 0.3 * rolling
    gate = np.clip((speed - SILENT_SPEED_M_S) / (FULL_SPEED_M_S - SILENT_SPEED_M_S), 0.0, 1.0)
    rubbing = (total > 0.0) & (gate > 0.0)
    runs = _runs(rubbing, gap=2, shortest=round(SHORTEST_S * SAMPLE_RATE_HZ / HOP))
    if not runs:
        return []
    name = f"{spec.bodies[a].name}\0{spec.bodies[b].name}"
    profile = fractal_profile(np.random.Generator(np.random.Philox(key=_key(seed, name))))
    found = []
    for start, stop in runs:
        # Faded in and out over a hop on either side.
        low, high = max(start - 1, 0), min(stop + 1, hops - 1)
        window = np.arange(low, high + 1)
        mine = (cell >= start) & (cell < stop)
        points = np.stack([np.interp(window, cell[mine] + 0.5, contacts.point_m[rows[mine], k]) for k in range(3)], 1)
        way = np.stack([np.interp(window, cell[mine] + 0.5, normal[mine, k]) for k in range(3)], 1)
        way /= np.maximum(np.linalg.norm(way, axis=1), 1e-9)[:, None]
        local = tuple(
            _into_body(poses, s.index, window, points, sign * way) for s, sign in zip(pair, (-1.0, 1.0), strict=True)
        )
        amplitude = gate[window] * _modulation(pair, local, normal_force[window], slides[window])
        amplitude[[0, -1]] = 0.0
        travel = np.interp(window, np.flatnonzero(rubbing), speed[rubbing])
        patch = _patch_m(pair, local, normal_force[window])
        steps = (len(window) - 1) * HOP
        force = surface_force(
            profile, PROFILE_SPACING_M, travel, amplitude, np.clip(travel / (2.0 * patch), 50.0, 20_000.0),
            _key(seed, f"{name}\0{low}") % 997 * 1e-3, HOP, steps, float(SAMPLE_RATE_HZ),
        )  # fmt: skip
        found.append(
            Rub(
                kind="slide" if slides[start:stop].mean() >= 0.5 else "roll",
                bodies=(a, b),
                first=int(low * HOP),
                force=force,
                points=points,
                local=(local[0], local[1]),
            )
        )
    return found


def _is_round(sounding: SoundingBody) -> bool:
    return sounding.dynamic and isinstance(sounding.body.shape, (Sphere, Cylinder, Capsule, Cone, Ellipsoid))


def _smooth(values: Floats) -> Floats:
    padded = np.pad(values, 1, mode="edge")
    return np.asarray(0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:])


def _runs(flags: NDArray[np.bool_], *, gap: int, shortest: int) -> list[tuple[int, int]]:
    """[start, stop) of runs of True; gaps of up to ``gap`` are bridged, runs shorter than ``shortest`` dropped."""
    at = np.flatnonzero(flags)
    if not len(at):
        return []
    cuts = np.flatnonzero(np.diff(at) > gap + 1)
    starts, stops = at[np.r_[0, cuts + 1]], at[np.r_[cuts, len(at) - 1]] + 1
    return [(int(s), int(e)) for s, e in zip(starts, stops, strict=True) if e - s >= shortest]


def _into_body(
    poses: Poses, body: int, window: NDArray[np.int64], points: Floats, directions: Floats
) -> tuple[Floats, Floats]:
    position, quat = poses.at(body, np.asarray(window * (HOP / SAMPLE_RATE_HZ), np.float64))
    back = conjugate_wxyz(quat)
    return rotate_wxyz(back, points - position), rotate_wxyz(back, directions)


def _radius(pair: tuple[SoundingBody, SoundingBody], local: tuple[tuple[Floats, Floats], ...]) -> float:
    middle = len(local[0][0]) // 2
    curvature = math.fsum(
        1.0 / curvature_radius_m(s.shape, at[middle]) for s, (at, _) in zip(pair, local, strict=True) if not s.is_slab
    )
    return 1.0 / curvature if curvature else 1.0


def _modulation(
    pair: tuple[SoundingBody, SoundingBody],
    local: tuple[tuple[Floats, Floats], ...],
    force: Floats,
    slides: NDArray[np.bool_],
) -> Floats:
    modulus = contact_modulus_pa(pair[0].material, pair[1].material)
    rough = float(np.hypot(pair[0].material.surface_roughness_m, pair[1].material.surface_roughness_m))
    depth = indentation_m(force_n=force, radius_m=_radius(pair, local), modulus_pa=modulus)
    share = np.where(slides, SLIDE_SHARE, ROLL_SHARE)
    return np.asarray(share * force * rough / np.maximum(rough + depth, 1e-12))


def _patch_m(
    pair: tuple[SoundingBody, SoundingBody], local: tuple[tuple[Floats, Floats], ...], force: Floats
) -> Floats:
    """(H,) half width over which the contact averages the profile: Hertz's, at most 0.1 mm (then it is rough)."""
    radius = _radius(pair, local)
    depth = indentation_m(force_n=force, radius_m=radius, modulus_pa=contact_modulus_pa(*(s.material for s in pair)))
    return np.asarray(np.clip(np.sqrt(radius * depth), 1e-5, 1e-4))


def _key(seed: bytes, name: str) -> int:
    return int.from_bytes(hashlib.sha256(seed + name.encode()).digest()[:8], "little")


def fractal_profile(stream: np.random.Generator) -> Floats:
    """(PROFILE_LENGTH,) periodic fractal heights of unit rms."""
    number = np.arange(PROFILE_LENGTH // 2 + 1)
    bend = PROFILE_LENGTH * PROFILE_SPACING_M / PROFILE_BEND_M
    size = 1.0 / np.sqrt(1.0 + (number / bend) ** 2)
    size[0] = 0.0
    noise = stream.standard_normal((2, len(number)))
    heights = np.fft.irfft(size * (noise[0] + 1j * noise[1]), PROFILE_LENGTH)
    return np.asarray(heights / heights.std())
