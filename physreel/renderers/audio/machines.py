"""The sound of machines' hidden parts: blows inside them, and bearings that roll, through the body that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.bearings import load_point_m
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.renderers.audio.belts import squeal_force
from physreel.renderers.audio.bodies import CONTACT_LOSS, SoundingBody
from physreel.renderers.audio.covers import Covers
from physreel.renderers.audio.engines import exhaust_pascals
from physreel.renderers.audio.kernels import BLOCK, ring, scrape
from physreel.renderers.audio.mix import FAINT_PA, HOP, NEAREST_M, SILENCE_PA, Ear, Voice, mixed
from physreel.renderers.audio.poses import Poses
from physreel.renderers.audio.races import race_force
from physreel.spec import Belt, GasCylinder, SceneSpec
from physreel.values import SAMPLE_RATE_HZ, SoundEvent, Trajectory

Floats = NDArray[np.float64]

_QUIET = 0.01
"""Trains of blows add up: each is followed this much farther down than a single one."""

_WINDOW = 8192


@dataclass(frozen=True, eq=False, kw_only=True)
class _Voice(Voice):
    """What one machine part makes a body give off: the ``kind`` of its event, and when that begins."""

    kind: str
    time_s: float


@dataclass(eq=False)
class MachineSound:
    """All that is heard of a clip's machine parts; nothing where there are none.

    Args:
        spec: the world.
        trajectory: what happened.
        ears: the microphones.
        poses: of the bodies.
        bodies: as they sound.
        covers: over machine parts.
        samples: S.
    """

    spec: SceneSpec
    trajectory: Trajectory
    ears: list[Ear]
    poses: Poses
    bodies: list[SoundingBody]
    covers: Covers
    samples: int
    _voices: list[_Voice] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.ears:
            return
        knocks = self.trajectory.knocks
        for source in range(len(knocks.sources)):
            for body in np.unique(knocks.body[knocks.source == source]).tolist():
                self._knocks(np.flatnonzero((knocks.source == source) & (knocks.body == body)), body)
        for bearing in self.spec.bearings:
            if f"cage_angle:{bearing.name}" in self.trajectory.signals:
                self._rolling(bearing.name)
        for cylinder in self.spec.gas_cylinders:
            if f"exhaust:{cylinder.name}" in self.trajectory.signals:
                self._exhaust(cylinder)
        for belt in self.spec.belts:
            if f"belt_slip:{belt.name}" in self.trajectory.signals:
                self._squeal(belt)

    def stems(self) -> dict[str, Floats]:
        """(C, S) pascals by name of the body that rings."""
        return mixed(self._voices, self.ears, self.spec.air, self.samples)

    def events(self) -> tuple[SoundEvent, ...]:
        """One for each part that is heard, at its beginning.

        Kinds: "knocks" of what strikes, "rolling" of a bearing, "exhaust" of a cylinder, "squeal" of a belt.
        """
        found = []
        for voice in self._voices:
            way = max(float(np.linalg.norm(voice.path[0] - self.ears[0].position)), NEAREST_M)
            peak = float(np.abs(voice.pascals).max(initial=0.0)) / way
            heard = voice.time_s + way / self.spec.air.speed_of_sound_m_s
            if peak < FAINT_PA or heard >= self.spec.duration_s:
                continue
            found.append(
                SoundEvent(
                    time_s=voice.time_s,
                    heard_s=heard,
                    kind=voice.kind,
                    bodies=(voice.owner,),
                    dominant_hz=_loudest_hz(voice.pascals),
                    peak_pa=peak,
                )
            )
        return tuple(found)

    def _knocks(self, rows: NDArray[np.int64], body: int) -> None:
        """All blows of one part on one body. They are heard from where they are on the mean: a machine part is small.

        What holds the machine touches the body all the time.
        """
        knocks, sounding = self.trajectory.knocks, self.bodies[body]
        points, way = knocks.point_m[rows], knocks.direction[rows]
        times, lengths = knocks.time_s[rows], knocks.length_s[rows]
        local, toward = self._into_body(body, times, points, way)
        bank = sounding.bank(sounding.piece_at(local[0]), CONTACT_LOSS)
        gains, _ = bank.gains(local, toward)
        center = points.mean(0)
        gains = gains * self.covers.heard(bank.hertz, body, center)
        pascals = np.zeros(self.samples)
        held = np.ones(-(-self.samples // BLOCK), np.bool_)
        ring(
            pascals, bank.rates, bank.weights, held, times * SAMPLE_RATE_HZ, lengths * SAMPLE_RATE_HZ,
            knocks.impulse_n_s[rows] * np.pi / (2.0 * lengths), gains, np.full(len(rows), bank.direct),
            float(SAMPLE_RATE_HZ), _QUIET * SILENCE_PA,
        )  # fmt: skip
        self._voice("knocks", body, float(times[0]), pascals, self._still(center))

    def _rolling(self, name: str) -> None:
        bearing = next(bearing for bearing in self.spec.bearings if bearing.name == name)
        body = self.spec.body_index(bearing.housing)
        sounding = self.bodies[body]
        point, toward = load_point_m(self.spec, bearing)
        local, way = self._into_body(body, np.zeros(1), point[None], toward[None])
        bank = sounding.bank(sounding.piece_at(local[0]), CONTACT_LOSS)
        gains, _ = bank.gains(local, way)
        gains = gains * self.covers.heard(bank.hertz, body, point)
        force = race_force(self.spec, self.trajectory, bearing, self.samples)
        moving = np.flatnonzero(force)
        if not len(moving):
            return
        pascals = bank.direct * force
        if bank.modes is not None and len(bank.hertz):
            hops = -(-self.samples // HOP) + 2
            scrape(
                pascals, 0, force, np.repeat(gains, hops, axis=0), HOP, bank.rates[1], bank.weights,
                float(SAMPLE_RATE_HZ), _QUIET * SILENCE_PA,
            )  # fmt: skip
        self._voice("rolling", body, float(moving[0]) / SAMPLE_RATE_HZ, pascals, self._still(point))

    def _exhaust(self, cylinder: GasCylinder) -> None:
        """From a port in what the piston slides in, over the piston; of a cylinder in the world, the piston's."""
        slide = self.spec.joint(cylinder.piston_joint)
        piston = self.spec.body_index(slide.child)
        owner = piston if slide.parent is None else self.spec.body_index(slide.parent)
        hops = np.arange(-(-self.samples // HOP) + 2) * (HOP / SAMPLE_RATE_HZ)
        path, _ = self.poses.at(piston, np.asarray(hops, np.float64))
        pascals = exhaust_pascals(self.spec, self.trajectory, cylinder, self.samples)
        loud = np.flatnonzero(np.abs(pascals) > 0.1 * np.abs(pascals).max(initial=0.0))
        if len(loud):
            self._voice("exhaust", owner, float(loud[0]) / SAMPLE_RATE_HZ, pascals, self._still(path.mean(0)))

    def _squeal(self, belt: Belt) -> None:
        """From the pulley on which the belt lies the less, for there it slips: it shakes what carries its shaft."""
        if not squeal_force(self.spec, self.trajectory, belt, self.samples).any():
            return
        pulley = min((belt.driven, belt.driver), key=lambda one: one.radius_m)
        joint = self.spec.joint(pulley.joint)
        body = self.spec.body_index(joint.child if joint.parent is None else joint.parent)
        other = belt.driver if pulley is belt.driven else belt.driven
        far = self.spec.joint(other.joint)
        pull = np.subtract(far.anchor_m, joint.anchor_m)
        pull = pull - np.asarray(joint.axis) * float(pull @ np.asarray(joint.axis))
        shaft = np.asarray(joint.anchor_m)
        local, way = self._into_body(body, np.zeros(1), shaft[None], (pull / np.linalg.norm(pull))[None])
        bank = self.bodies[body].bank(self.bodies[body].piece_at(local[0]), CONTACT_LOSS)
        if not len(bank.hertz):
            return
        force = squeal_force(self.spec, self.trajectory, belt, self.samples, bank.hertz[: len(bank.groups)])
        heard = np.flatnonzero(force)
        gains, _ = bank.gains(local, way)
        gains = gains * self.covers.heard(bank.hertz, body, shaft)
        pascals = np.zeros(self.samples)
        hops = -(-self.samples // HOP) + 2
        scrape(
            pascals, 0, force, np.repeat(gains, hops, axis=0), HOP, bank.rates[1], bank.weights,
            float(SAMPLE_RATE_HZ), _QUIET * SILENCE_PA,
        )  # fmt: skip
        self._voice("squeal", body, float(heard[0]) / SAMPLE_RATE_HZ, pascals, self._still(shaft))

    def _into_body(self, body: int, times: Floats, points: Floats, way: Floats) -> tuple[Floats, Floats]:
        position, quat = self.poses.at(body, times)
        back = conjugate_wxyz(quat)
        return rotate_wxyz(back, points - position), rotate_wxyz(back, way)

    def _voice(self, kind: str, body: int, time_s: float, pascals: Floats, path: Floats) -> None:
        sounding = self.bodies[body]
        self._voices.append(
            _Voice(owner=sounding.body.name, pascals=pascals, path=path, slab=sounding.slab, kind=kind, time_s=time_s)
        )

    def _still(self, point: Floats) -> Floats:
        return np.tile(point, (-(-self.samples // HOP) + 2, 1))


def _loudest_hz(pascals: Floats) -> float:
    """Where the spectrum is highest, over windows of the whole clip."""
    count = max(len(pascals) // _WINDOW, 1)
    part = pascals[: count * _WINDOW].reshape(count, -1) * np.hanning(len(pascals[: count * _WINDOW]) // count)
    power = (np.abs(np.fft.rfft(part, axis=1)) ** 2).sum(0)
    return float(np.argmax(power) * SAMPLE_RATE_HZ / part.shape[1])
