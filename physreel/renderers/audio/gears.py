"""The sound of gears: the force between their teeth rings the gears, and through their shafts what holds them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.renderers.audio.bodies import CONTACT_LOSS, Bank, SoundingBody
from physreel.renderers.audio.covers import Covers
from physreel.renderers.audio.kernels import scrape
from physreel.renderers.audio.mix import FAINT_PA, HOP, NEAREST_M, SILENCE_PA, Ear, Voice, mixed
from physreel.renderers.audio.poses import Poses
from physreel.renderers.audio.shafts import Foot, feet_of
from physreel.renderers.audio.tooth_forces import Mesh, find_meshes, meshing_pairs
from physreel.spec import Gear, Rack, SceneSpec
from physreel.values import SAMPLE_RATE_HZ, SoundEvent, Trajectory

Floats = NDArray[np.float64]

UNEVEN = 1.0 / 12.0
"""How far off the middle of their width teeth bear, as a share of it: with a face load factor of 1.5 (ISO 6336-1),
falling straight from one end to the other. Teeth that bore in the middle alone would never bend a disc."""

THUMP_RATIO, THUMP_GAP_S, MOST_THUMPS = 4.0, 0.004, 24
"""A blow stands out with so many times the median impulse of a pair's blows, after a gap so long; of so many, the
strongest, a clip tells."""

_FEW_BLOWS = 5  # of fewer, each stands out
_THUMP_PAUSE_S = 0.06
_PEAK_WINDOW_S = 0.02
_PLACES = 12
_TURNING_RAD_S = 0.05


@dataclass(eq=False)
class GearSound:
    """All that is heard of a clip's teeth; nothing where none mesh.

    Args:
        spec: the world.
        trajectory: what happened.
        ears: the microphones.
        poses: of the bodies.
        bodies: as they sound.
        covers: over gears.
        samples: S.
    """

    spec: SceneSpec
    trajectory: Trajectory
    ears: list[Ear]
    poses: Poses
    bodies: list[SoundingBody]
    covers: Covers
    samples: int
    pairs: frozenset[tuple[int, int]] = frozenset()
    _meshes: list[Mesh] = field(default_factory=list)
    _voices: list[Voice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pairs = meshing_pairs(self.spec, self.trajectory)
        if not self.ears or not self.pairs:
            return
        self._meshes = find_meshes(self.spec, self.trajectory, self.pairs, self.bodies, self.poses, self.samples)
        feet = {index: feet_of(self.spec, index) for index in sorted({i for pair in self.pairs for i in pair})}
        sounds: dict[tuple[int, bool], list[tuple[Floats, Floats]]] = {}
        for mesh in self._meshes:
            for side, index in zip((-1.0, 1.0), mesh.bodies, strict=True):
                pascals = self._own(mesh, index, side)
                sounds.setdefault((index, True), []).append((pascals, np.zeros(3)))
                for foot in feet[index]:
                    sounds.setdefault((foot.body, False), []).append((self._held(mesh, index, side, foot), foot.point))
        for (index, own), parts in sorted(sounds.items()):
            pascals = np.sum([part for part, _ in parts], axis=0)
            if pascals.any():
                place = np.mean([place for _, place in parts], axis=0)
                path = self._path(index, None if own else place)
                sounding = self.bodies[index]
                self._voices.append(Voice(owner=sounding.body.name, pascals=pascals, path=path, slab=sounding.slab))

    def stems(self) -> dict[str, Floats]:
        """(C, S) pascals by name of the body that rings."""
        return mixed(self._voices, self.ears, self.spec.air, self.samples)

    def events(self) -> tuple[SoundEvent, ...]:
        """A "gear_mesh" of each pair that is heard, a "thump" of each blow that stands out, a "break" of each tooth."""
        if not self._voices:
            return ()
        near = np.zeros(self.samples)
        for voice in self._voices:
            near += np.abs(voice.pascals) / self._way(voice.path[0])
        found = []
        for pair in sorted(self.pairs):
            found += self._mesh_event(pair, near)
        found += self._thumps(near)
        for broken in self.trajectory.breaks:
            index = self.spec.body_index(broken.bodies[0])
            if any(index in pair for pair in self.pairs):
                found += self._event("break", broken.time_s, broken.bodies, self._centre(index, broken.time_s), near)
        return tuple(found)

    # --- what rings -------------------------------------------------------------------------------------------------

    def _own(self, mesh: Mesh, index: int, side: float) -> Floats:
        """(S,) pascals at 1 m of one of the two bodies.

        Where a round body is met makes no difference to what it gives off, so it is asked at a few places.
        """
        contacts, sounding = self.trajectory.contacts, self.bodies[index]
        rows = mesh.rows[np.unique(np.linspace(0, len(mesh.rows) - 1, _PLACES).astype(np.int64))]
        position, quat = self.poses.at(index, contacts.time_s[rows])
        back = conjugate_wxyz(quat)
        local = rotate_wxyz(back, contacts.point_m[rows] - position)
        toward = rotate_wxyz(back, side * contacts.normal[rows])
        shape = sounding.body.shape
        if isinstance(shape, Gear):
            local[:, :2] *= shape.root_radius_m / np.maximum(np.hypot(local[:, 0], local[:, 1]), 1e-9)[:, None]
        if isinstance(shape, Gear | Rack):
            half = 0.5 * shape.width_m
            local[:, 2] = np.clip(local[:, 2] + UNEVEN * shape.width_m, -half, half)
        bank = sounding.bank(sounding.piece_at(local[0]), CONTACT_LOSS)
        gains, _ = bank.gains(local, toward)
        gain = np.sqrt(np.mean(gains**2, axis=0)) * np.sign(gains[0])
        if bank.click:
            gain[-1] = 0.0  # what stands on a shaft is not jolted
        return self._driven(bank, gain, mesh.force, index, np.asarray(contacts.point_m[rows].mean(0)))

    def _held(self, mesh: Mesh, index: int, side: float, foot: Foot) -> Floats:
        """(S,) pascals at 1 m of what holds the shaft of one of the two bodies, by one of its feet."""
        contacts, sounding = self.trajectory.contacts, self.bodies[foot.body]
        bank = sounding.bank(sounding.piece_at(self._start(foot.body, foot.point)), CONTACT_LOSS)
        stations = self._stations(mesh)
        gains = np.zeros((len(stations), len(bank.hertz)))
        for row, at in enumerate(stations):
            points, forces = foot.loads(side * contacts.normal[mesh.rows[at]])
            if sounding.is_slab:
                up = rotate_wxyz(np.array(sounding.body.orientation_wxyz), np.array([0.0, 0.0, 1.0]))
                gains[row] = bank.click * float(forces.sum(0) @ up)
            else:
                turn = conjugate_wxyz(np.array(sounding.body.orientation_wxyz))
                gains[row] = bank.gain_together(self._start(foot.body, points), rotate_wxyz(turn, forces))
        times = contacts.time_s[mesh.rows[stations]]
        mass = self.bodies[index].mass
        force = mesh.force if mass is None else foot.passes(mesh.force, mass.mass, float(SAMPLE_RATE_HZ))
        return self._driven(bank, gains if len(times) > 1 else gains[0], force, foot.body, foot.point, times)

    def _stations(self, mesh: Mesh) -> NDArray[np.int64]:
        """Contacts to take the direction of the force from: one, or many where the line of centres turns round."""
        normal = self.trajectory.contacts.normal[mesh.rows]
        middle = np.linalg.norm(normal.mean(0))
        count = 1 if middle > 0.99 else min(200, len(mesh.rows))
        if count == 1:
            return np.array([int(np.argmax(normal @ normal.mean(0)))])
        return np.unique(np.linspace(0, len(mesh.rows) - 1, count).astype(np.int64))

    def _driven(
        self, bank: Bank, gain: Floats, force: Floats, body: int, point: Floats, times: Floats | None = None
    ) -> Floats:
        """(S,) a bank under a force (S,), with gains (K,), or (N, K) at times (N,)."""
        out = np.zeros(self.samples)
        if not len(bank.hertz) or not len(gain):
            return out
        hops = -(-self.samples // HOP) + 2
        if gain.ndim == 1 or times is None:
            gains = np.tile(np.atleast_2d(gain)[:1], (hops, 1))
        else:
            grid = np.arange(hops) * (HOP / SAMPLE_RATE_HZ)
            gains = np.stack([np.interp(grid, times, row) for row in gain.T], 1)
        gains = gains * self.covers.heard(bank.hertz, body, point)
        steady = np.abs(gains).max(0) * np.abs(1.0 / bank.rates[1].real)
        keep = steady * float(np.abs(force).max(initial=0.0)) > SILENCE_PA
        if not keep.any():
            return out
        slab = bank.direct != 0.0
        scrape(
            out, 0, force, np.ascontiguousarray(gains[:, keep]), HOP, bank.rates[1][keep], bank.weights[keep],
            float(SAMPLE_RATE_HZ), SILENCE_PA,
        )  # fmt: skip
        return out + gains[0, 0] * force if slab else out

    # --- where ------------------------------------------------------------------------------------------------------

    def _start(self, body: int, points: Floats) -> Floats:
        """Points of the world at time 0, in the frame of a body."""
        found = self.spec.bodies[body]
        return rotate_wxyz(conjugate_wxyz(np.array(found.orientation_wxyz)), points - np.array(found.position_m))

    def _path(self, body: int, place: Floats | None) -> Floats:
        """(H, 3) every HOP samples: a body's own place, or that of a point that was there at time 0."""
        times = np.asarray(np.arange(-(-self.samples // HOP) + 2) * (HOP / SAMPLE_RATE_HZ), np.float64)
        position, quat = self.poses.at(body, times)
        return position if place is None else position + rotate_wxyz(quat, self._start(body, place))

    def _centre(self, body: int, time_s: float) -> Floats:
        return np.asarray(self.poses.at(body, np.array([time_s]))[0][0])

    def _way(self, point: Floats) -> float:
        return max(float(np.linalg.norm(point - self.ears[0].position)), NEAREST_M)

    # --- what is said of it -----------------------------------------------------------------------------------------

    def _event(
        self, kind: str, time_s: float, bodies: tuple[str, ...], place: Floats, near: Floats, hertz: float = 0.0
    ) -> list[SoundEvent]:
        """One event, if it is heard; of a blow (no frequency given) with what is loudest in the window after it."""
        heard = time_s + self._way(place) / self.spec.air.speed_of_sound_m_s
        low = round(time_s * SAMPLE_RATE_HZ)
        stop = low + round(_PEAK_WINDOW_S * SAMPLE_RATE_HZ) if hertz == 0.0 else self.samples
        peak = float(near[low:stop].max(initial=0.0))
        if peak < FAINT_PA or heard >= self.spec.duration_s:
            return []
        if hertz == 0.0:
            part = np.sum([voice.pascals[low:stop] for voice in self._voices], axis=0)
            spectrum = np.abs(np.fft.rfft(part * np.hanning(2 * len(part))[len(part) :], 4096))
            hertz = float(np.argmax(spectrum) * SAMPLE_RATE_HZ / 4096)
        return [SoundEvent(time_s=time_s, heard_s=heard, kind=kind, bodies=bodies, dominant_hz=hertz, peak_pa=peak)]

    def _mesh_event(self, pair: tuple[int, int], near: Floats) -> list[SoundEvent]:
        hertz = self._mesh_hz(pair)
        mine = [mesh for mesh in self._meshes if mesh.bodies == pair]
        if hertz == 0.0 or not mine:
            return []
        # It begins where the pair's own force moves and something is heard.
        alone = len(self.pairs) == 1
        moving = np.any([np.abs(np.diff(mesh.force, prepend=0.0)) > 0.0 for mesh in mine], axis=0)
        loud = np.flatnonzero((near >= FAINT_PA) & (moving | alone))
        if not len(loud):
            return []
        first = float(loud[0]) / SAMPLE_RATE_HZ
        a, b = (self.spec.bodies[index].name for index in pair)
        return self._event("gear_mesh", first, (a, b), self._centre(pair[0], first), near, hertz)

    def _mesh_hz(self, pair: tuple[int, int]) -> float:
        """Teeth a second that pass the line of centres, at the speed that is kept longest; 0 if nothing turns.

        A line of centres that turns itself, as a planet's, is taken off.
        """
        a, b = pair
        gear, other = (a, b) if isinstance(self.spec.bodies[a].shape, Gear) else (b, a)
        shape = self.spec.bodies[gear].shape
        if not isinstance(shape, Gear):
            return 0.0
        pose, velocity = self.trajectory.body_pose, self.trajectory.body_velocity
        axis = rotate_wxyz(np.array(self.spec.bodies[gear].orientation_wxyz), np.array([0.0, 0.0, 1.0]))
        speed = velocity[:, gear, 3:] @ axis
        if isinstance(self.spec.bodies[other].shape, Gear):
            apart = pose[:, other, :3] - pose[:, gear, :3]
            drift = velocity[:, other, :3] - velocity[:, gear, :3]
            square = np.maximum(np.einsum("ti,ti->t", apart, apart) - (apart @ axis) ** 2, 1e-12)
            speed = speed - np.cross(apart, drift) @ axis / square
        turning = np.abs(speed[np.abs(speed) > _TURNING_RAD_S])
        if not len(turning):
            return 0.0
        return float(np.median(turning[turning > 0.5 * turning.max()])) * shape.tooth_count / (2.0 * np.pi)

    def _thumps(self, near: Floats) -> list[SoundEvent]:
        found: list[tuple[float, float, tuple[int, int]]] = []
        for mesh in self._meshes:
            if not len(mesh.blow_s):
                continue
            usual = float(np.median(mesh.blow_n_s)) if len(mesh.blow_n_s) >= _FEW_BLOWS else 0.0
            high = (mesh.blow_n_s > THUMP_RATIO * usual) & (mesh.gap_s > THUMP_GAP_S)
            found += [(float(mesh.blow_n_s[k]), float(mesh.blow_s[k]), mesh.bodies) for k in np.flatnonzero(high)]
        kept: list[tuple[float, tuple[int, int]]] = []
        for _, time_s, pair in sorted(found, key=lambda item: (-item[0], item[1])):
            if len(kept) < MOST_THUMPS and all(pair != p or abs(time_s - t) > _THUMP_PAUSE_S for t, p in kept):
                kept.append((time_s, pair))
        out = []
        for time_s, pair in sorted(kept):
            a, b = (self.spec.bodies[index].name for index in pair)
            out += self._event("thump", time_s, (a, b), self._centre(pair[0], time_s), near)
        return out
