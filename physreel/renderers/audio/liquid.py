"""The sound of liquids: bubbles through the air above them, glugs at a mouth, and what liquid strikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import rotate_wxyz
from physreel.renderers.audio.air_column import FRAME, resistance, through_column
from physreel.renderers.audio.arrivals import OUTSIDE, find_arrivals
from physreel.renderers.audio.bodies import SoundingBody
from physreel.renderers.audio.entrainment import find_bubbles
from physreel.renderers.audio.glug import find_glugs
from physreel.renderers.audio.liquid_events import GLUGS, PLUNGES, Heard, liquid_events
from physreel.renderers.audio.mix import HOP, NEAREST_M, SILENCE_PA, Ear, Voice, mixed, patches
from physreel.renderers.audio.patter import find_struck
from physreel.renderers.audio.plunge import Plunge, find_plunges
from physreel.renderers.audio.poses import Poses
from physreel.renderers.audio.readings import Readings
from physreel.spec import SceneSpec, Tank, Vessel
from physreel.values import SAMPLE_RATE_HZ, SoundEvent, Trajectory

Floats = NDArray[np.float64]

RECORD_HZ = 240.0
"""How often engines' states are recorded, where no signal says so."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Voice(Voice):
    """``cause``: fluid and place (see Arrivals) whose events it is part of."""

    cause: tuple[int, int]


class LiquidSound:
    """All that is heard of a clip's liquids; nothing where there are none.

    Args:
        spec: the world.
        trajectory: what happened.
        ears: the microphones.
        poses: of the bodies.
        bodies: as they sound.
        samples: S.
    """

    def __init__(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        ears: list[Ear],
        poses: Poses,
        bodies: list[SoundingBody],
        samples: int,
    ) -> None:
        self.spec, self.ears, self.poses, self.samples = spec, ears, poses, samples
        self.heard: list[Heard] = []
        self._voices: list[_Voice] = []
        self.readings = Readings(spec, trajectory)
        if trajectory.liquid is None or not ears:
            return
        rates = [signal.rate_hz for name, signal in trajectory.signals.items() if name.startswith("level:")]
        liquid = trajectory.liquid
        self.arrivals = find_arrivals(spec, liquid, poses)
        self.bubbles = find_bubbles(
            spec, self.arrivals, spacing_m=liquid.spacing_m, record_hz=min(rates, default=RECORD_HZ)
        )
        self._fall_into()
        for struck in find_struck(spec, self.arrivals, bodies, poses, self.readings, samples):
            self._voice(
                spec.bodies[struck.body].name, (struck.fluid, struck.place), struck.pascals, self._still(struck.point),
                slab=bodies[struck.body].slab,
            )  # fmt: skip
        for index, body in enumerate(spec.bodies):
            if isinstance(body.shape, Vessel):
                self._glugs(index)
        for number, plunge in enumerate(find_plunges(spec, self.readings, poses)):
            self._plunge(number, plunge)

    def burden(self, sounding: SoundingBody, time_s: float) -> float:
        """Mass that moves with a body's wall against its own: more than 1 for a vessel with liquid in it."""
        return float(self.readings.burden(sounding.index, sounding.material, np.array([time_s]))[0])

    def stems(self) -> dict[str, Floats]:
        """(C, S) pascals by name: a body's is what strikes it, a fluid's its bubbles and glugs."""
        return mixed(self._voices, self.ears, self.spec.air, self.samples)

    def events(self) -> tuple[SoundEvent, ...]:
        """Splashes, drips, pours and glugs that can be heard, in order of time."""
        own: dict[tuple[int, int], Floats] = {}
        for voice in self._voices:
            # Straight to the first microphone, but for the delay.
            distance = np.linalg.norm(voice.path - self.ears[0].position, axis=1)
            near = np.repeat(np.maximum(distance, NEAREST_M), HOP)[: self.samples]
            own[voice.cause] = own.get(voice.cause, np.zeros(self.samples)) + voice.pascals / near
        return liquid_events(self.spec, self.arrivals, self.heard, own, self.ears[0]) if own else ()

    def _fall_into(self) -> None:
        """Bubbles in vessels, heard at their mouths, and in puddles, heard from where they are."""
        arrivals, bubbles, air = self.arrivals, self.bubbles, self.spec.air
        row, silence = bubbles.row, self._silence_m3_s2()
        for fluid, place in arrivals.causes():
            chosen = np.flatnonzero((arrivals.fluid[row] == fluid) & (arrivals.place[row] == place))
            if not len(chosen):
                continue
            name = self.spec.fluids[fluid].name
            mine = bubbles.some(chosen)
            if 0 <= place < OUTSIDE:
                shape = self.spec.bodies[place].shape
                assert isinstance(shape, (Vessel, Tank))
                density = self.spec.liquid(self.spec.fluids[fluid].liquid).density_kg_m3
                level = self.readings.calm_level(place, mine.time_s)
                source = mine.loaded(resistance(shape, level, mine.hertz, air), density).sound(self.samples, silence)
                level = self.readings.calm_level(place, np.arange(0, self.samples, FRAME // 2) / SAMPLE_RATE_HZ)
                pascals = through_column(source, level, shape, air) * (air.density_kg_m3 / (4.0 * np.pi))
                self._voice(name, (fluid, place), pascals, self._mouth(place))
                continue
            patch = patches(arrivals.point_m[mine.row])
            for k in range(int(patch.max()) + 1):
                part = mine.some(np.flatnonzero(patch == k))
                # Liquid all around below: it sounds into half of space.
                pascals = part.sound(self.samples, silence) * (air.density_kg_m3 / (2.0 * np.pi))
                path = self._still(arrivals.point_m[part.row].mean(0))
                self._voice(name, (fluid, place), pascals, path)

    def _glugs(self, vessel: int) -> None:
        glugs = find_glugs(self.spec, self.readings, vessel)
        if glugs is None:
            return
        scale = self.spec.air.density_kg_m3 / (4.0 * np.pi)
        pascals = glugs.rings.sound(self.samples, self._silence_m3_s2()) * scale
        path = self._mouth(vessel)
        cause = (glugs.fluid, GLUGS + vessel)
        self._voice(self.spec.fluids[glugs.fluid].name, cause, pascals, path)
        for time in glugs.time_s.tolist():
            place = path[min(round(time * SAMPLE_RATE_HZ / HOP), len(path) - 1)]
            self.heard.append(Heard(kind="glug", time_s=time, cause=cause, body=vessel, point=place))

    def _plunge(self, number: int, plunge: Plunge) -> None:
        scale = self.spec.air.density_kg_m3 / (4.0 * np.pi)
        pascals = plunge.ring.sound(self.samples, self._silence_m3_s2()) * scale
        path = self._mouth(plunge.vessel)
        cause = (plunge.fluid, PLUNGES + number)
        self._voice(self.spec.fluids[plunge.fluid].name, cause, pascals, path)
        for time in plunge.ring.time_s.tolist():
            at = path[min(round(time * SAMPLE_RATE_HZ / HOP), len(path) - 1)]
            self.heard.append(Heard(kind="plop", time_s=time, cause=cause, body=plunge.body, point=at))

    def _voice(
        self, owner: str, cause: tuple[int, int], pascals: Floats, path: Floats, *, slab: int | None = None
    ) -> None:
        self._voices.append(_Voice(owner=owner, cause=cause, pascals=pascals, path=path, slab=slab))

    def _silence_m3_s2(self) -> float:
        return SILENCE_PA * 0.02 * 4.0 * np.pi / self.spec.air.density_kg_m3

    def _hops(self) -> Floats:
        return np.asarray(np.arange(-(-self.samples // HOP) + 2) * (HOP / SAMPLE_RATE_HZ))

    def _still(self, point: Floats) -> Floats:
        return np.tile(point, (len(self._hops()), 1))

    def _mouth(self, vessel: int) -> Floats:
        shape = self.spec.bodies[vessel].shape
        assert isinstance(shape, (Vessel, Tank))
        position, quat = self.poses.at(vessel, self._hops())
        return np.asarray(position + rotate_wxyz(quat, np.array([0.0, 0.0, shape.rim_z_m])))
