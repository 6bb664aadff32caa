"""The default recorder: every blow, slide and roll through the modes of what it touches, and what liquids do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.analysis import find_impacts
from physreel.renderers.audio.base import AudioRenderer
from physreel.renderers.audio.bodies import CONTACT_LOSS, CONTACT_LOSS_SHARE, Bank, SoundingBody
from physreel.renderers.audio.covers import Covers
from physreel.renderers.audio.friction import Rub, find_rubs
from physreel.renderers.audio.gears import GearSound
from physreel.renderers.audio.kernels import BLOCK, listen, ring, scrape
from physreel.renderers.audio.liquid import LiquidSound
from physreel.renderers.audio.machines import MachineSound
from physreel.renderers.audio.mix import FAINT_PA, HOP, NEAREST_M, PASCAL_PER_UNIT, SILENCE_PA, ears_of
from physreel.renderers.audio.poses import Poses
from physreel.renderers.audio.radiation import transmission
from physreel.renderers.audio.strikes import Strike, find_strikes, pulse_spectrum, pulse_strength
from physreel.spec import SceneSpec
from physreel.values import SAMPLE_RATE_HZ, Audio, SoundEvent, Trajectory

Floats = NDArray[np.float64]

_PEAK_WINDOW_S = 0.02
_MARGIN = 32
_WINDOW = 4096


@dataclass(frozen=True, eq=False, kw_only=True)
class _Blows:
    """All N blows on one bank: numbers and sides of the strikes, gains and spectra (N, K), energies (N,)."""

    sounding: SoundingBody
    bank: Bank
    numbers: NDArray[np.int64]
    sides: NDArray[np.int64]
    gains: Floats
    spectrum: Floats
    energy: Floats


@dataclass(eq=False)
class _Sound:
    """What is known of one cause's sound: pressure at the first microphone, and the frequency it is loudest at."""

    loudness: float = 0.0
    hertz: float = 0.0
    pressure: float = 0.0

    def add(self, loudness: float, hertz: float, pressure: float) -> None:
        """Take in one of the bodies that sound."""
        if loudness > self.loudness:
            self.loudness, self.hertz = loudness, hertz
        self.pressure = max(self.pressure, pressure)


class ContactSoundRenderer(AudioRenderer):
    """Modal synthesis of impacts, sliding and rolling, and liquids (docs/sound.md has models, sources and limits)."""

    name = "modal"

    def render(self, spec: SceneSpec, trajectory: Trajectory) -> Audio:
        """Record the clip: (S, C) samples on the fixed scale PASCAL_PER_UNIT, and the causes of all sounds."""
        recording = _Recording(spec, trajectory)
        stems = recording.stems(apart=False)
        total = np.zeros((recording.length, len(spec.microphones)))
        for stem in stems.values():
            total += stem
        for group in recording.others():
            for stem in group.stems().values():
                total += stem.T
        return _audio(total, recording.all_events(total))

    def stems(self, spec: SceneSpec, trajectory: Trajectory) -> dict[str, Audio]:
        """What each body and fluid gives off by itself, by name; they add up to what ``render`` records.

        Both bodies of a contact sound: a ball that strikes a table is in the ball's stem and in the table's. What
        liquid strikes is in the struck body's stem, its bubbles are in the fluid's (which is a body's of the same name,
        should there be one). Events are with the last of their bodies.
        """
        recording = _Recording(spec, trajectory)
        stems = {spec.bodies[i].name: stem for i, stem in recording.stems().items()}
        more = [group.stems() for group in recording.others()]
        for name in [*(fluid.name for fluid in spec.fluids), *more[0]]:
            stems.setdefault(name, np.zeros((recording.length, len(spec.microphones))))
        for name, channels in (item for group in more for item in group.items()):
            stems[name] = stems[name] + channels.T
        total = sum(stems.values(), np.zeros((recording.length, len(spec.microphones))))
        events = recording.all_events(total)
        return {
            name: _audio(stem, tuple(event for event in events if event.bodies[-1] == name))
            for name, stem in stems.items()
        }


def _audio(pascals: Floats, events: tuple[SoundEvent, ...]) -> Audio:
    samples = (pascals / PASCAL_PER_UNIT).astype(np.float32)
    clipped = float(np.mean(np.abs(samples) > 1.0)) if samples.size else 0.0
    return Audio(samples=samples, pascal_per_unit=PASCAL_PER_UNIT, clipped_fraction=clipped, events=events)


class _Recording:
    """One clip while it is made."""

    def __init__(self, spec: SceneSpec, trajectory: Trajectory) -> None:
        self.spec, self.trajectory = spec, trajectory
        self.length = round(spec.duration_s * SAMPLE_RATE_HZ)
        self.ears = ears_of(spec)
        self.poses = Poses(spec, trajectory)
        self.bodies = [SoundingBody(spec, i) for i in range(len(spec.bodies))]
        self.strikes: list[Strike] = []
        self.rubs: list[Rub] = []
        self.sounds: list[_Sound] = []
        self._losses: dict[int, float] = {}
        self.liquid = LiquidSound(spec, trajectory, self.ears, self.poses, self.bodies, self.length)
        covers = Covers(spec)
        self.machines = MachineSound(spec, trajectory, self.ears, self.poses, self.bodies, covers, self.length)
        self.gears = GearSound(spec, trajectory, self.ears, self.poses, self.bodies, covers, self.length)
        if not self.ears:
            return
        # Teeth in mesh are heard as gears, from every step's force: not again as blows and rubs.
        meshing = self.gears.pairs
        impacts = tuple(hit for hit in find_impacts(spec, trajectory) if (hit.body_a, hit.body_b) not in meshing)
        self.strikes = find_strikes(impacts, self.bodies, self.poses, trajectory.step_s)
        self.rubs = find_rubs(spec, trajectory, self.bodies, self.poses, apart=meshing)

    def others(self) -> tuple[LiquidSound, MachineSound, GearSound]:
        """What sounds beside blows and rubs."""
        return self.liquid, self.machines, self.gears

    def stems(self, *, apart: bool = True) -> dict[int, Floats]:
        """(S, C) pascals of each body; unless ``apart``, both sides of a rub are in one stem, which is quicker."""
        out = {i: np.zeros((len(self.ears), self.length)) for i in range(len(self.bodies))}
        struck: dict[tuple[int, int, float], list[tuple[int, int]]] = {}
        for number, strike in enumerate(self.strikes):
            for side in (0, 1):
                sounding = self.bodies[strike.bodies[side]]
                piece = sounding.piece_at(strike.local[side][0])
                burden = self.liquid.burden(sounding, strike.time_s)
                struck.setdefault((sounding.index, piece, burden), []).append((number, side))
        blows = [self._blows(self.bodies[key[0]], key[1], key[2], listed) for key, listed in sorted(struck.items())]
        energy = np.zeros(len(self.strikes))
        for blow in blows:
            np.add.at(energy, blow.numbers, blow.energy)
        lost = np.array([strike.lost_j for strike in self.strikes])
        # A ball that strikes a thin plate is slowed by the plate itself, and Hertz's pulse on a rigid one is too hard:
        # what rings can have no more energy than the blow lost.
        soften = np.sqrt(np.minimum(1.0, lost / np.maximum(energy, 1e-300)))
        self.sounds = [_Sound() for _ in self.strikes]
        for blow in blows:
            self._strike(out[blow.sounding.index], blow, soften)
        self.sounds += [self._rub(out, rub, apart) for rub in self.rubs]
        return {i: channels.T for i, channels in out.items()}

    def _blows(self, sounding: SoundingBody, piece: int, burden: float, listed: list[tuple[int, int]]) -> _Blows:
        bank = sounding.bank(piece, self._contact_loss(sounding.index), burden)
        strikes = [self.strikes[number] for number, _ in listed]
        local = [strike.local[side] for strike, (_, side) in zip(strikes, listed, strict=True)]
        gains, mobility = bank.gains(np.stack([at for at, _ in local]), np.stack([way for _, way in local]))
        spectrum = np.stack([pulse_spectrum(strike, bank.hertz) for strike in strikes])
        return _Blows(
            sounding=sounding,
            bank=bank,
            numbers=np.array([number for number, _ in listed]),
            sides=np.array([side for _, side in listed]),
            gains=gains,
            spectrum=spectrum,
            energy=np.asarray((0.5 * mobility * spectrum**2).sum(1)),
        )

    def _contact_loss(self, index: int) -> float:
        if index not in self._losses:
            self._losses[index] = self._found_loss(index)
        return self._losses[index]

    def _found_loss(self, index: int) -> float:
        contacts = self.trajectory.contacts
        others = np.concatenate([contacts.body_b[contacts.body_a == index], contacts.body_a[contacts.body_b == index]])
        losses = [self.bodies[int(k)].material.loss_factor for k in np.unique(others)]
        return CONTACT_LOSS + CONTACT_LOSS_SHARE * max(losses, default=0.0)

    def _touched(self, index: int, delay_s: float) -> NDArray[np.bool_]:
        contacts = self.trajectory.contacts
        flags = np.zeros(-(-self.length // BLOCK), bool)
        mine = (contacts.body_a == index) | (contacts.body_b == index)
        at = ((contacts.time_s[mine] + delay_s) * SAMPLE_RATE_HZ / BLOCK).astype(np.int64)
        flags[at[(at >= 0) & (at < len(flags))]] = True
        return flags

    def _strike(self, out: Floats, blows: _Blows, soften: Floats) -> None:
        bank, sounding = blows.bank, blows.sounding
        if not len(bank.hertz):
            return
        strikes = [self.strikes[number] for number in blows.numbers]
        tonal = len(bank.groups)
        gains = blows.gains.copy()
        gains[:, :tonal] *= soften[blows.numbers][:, None]
        strength = np.stack([pulse_strength(strike, bank.hertz) for strike in strikes])
        # Loudness over the whole sound, not at its onset: what rings long is what is heard.
        onset = np.abs(gains) * blows.spectrum
        weight = onset / np.sqrt(-bank.rates[0].real)
        for number, strike, row, level in zip(blows.numbers.tolist(), strikes, weight, onset.max(1), strict=True):
            best = int(np.argmax(row))
            # The click and the slab have no pitch: their spectrum ends where the pulse's does.
            hertz = float(bank.hertz[best]) if best < tonal else min(float(bank.hertz[best]), 0.5 / strike.length_s)
            way = max(float(np.linalg.norm(strike.point - self.ears[0].position)), NEAREST_M)
            pressure = max(float(level), bank.direct * strike.peak_n) / way
            self.sounds[number].add(float(row[best]), hertz, pressure)
        points = np.stack([strike.point for strike in strikes])
        forces = np.stack([strike.normal for strike in strikes]) * np.where(blows.sides, 1.0, -1.0)[:, None]
        times = np.array([strike.time_s for strike in strikes])
        lengths = np.array([strike.length_s for strike in strikes]) * SAMPLE_RATE_HZ
        peaks = np.array([strike.peak_n for strike in strikes])
        speed = self.spec.air.speed_of_sound_m_s
        for channel, ear in enumerate(self.ears):
            arrivals, factors = [], []
            for image in ear.images(sounding.slab):
                distance, cosine, share = image.hears(points, forces)
                arrivals.append((times + distance / speed) * SAMPLE_RATE_HZ)
                amount = gains * transmission(bank.hertz[None], distance[:, None], self.spec.air)
                amount *= (share / distance)[:, None]
                if sounding.dynamic and bank.click:
                    amount[:, -1] *= cosine
                amount[np.abs(amount) * strength < FAINT_PA] = 0.0
                factors.append((amount, bank.direct * share / distance))
            ring(
                out[channel],
                bank.rates,
                bank.weights,
                self._touched(sounding.index, float(np.linalg.norm(points - ear.position, axis=1).mean()) / speed),
                np.concatenate(arrivals),
                np.tile(lengths, len(arrivals)),
                np.tile(peaks, len(arrivals)),
                np.concatenate([amount for amount, _ in factors]),
                np.concatenate([direct for _, direct in factors]),
                float(SAMPLE_RATE_HZ),
                SILENCE_PA,
            )

    def _rub(self, out: dict[int, Floats], rub: Rub, apart: bool) -> _Sound:
        sides = [(rub.bodies[side], self._rubbed(rub, side)) for side in (0, 1)]
        if not apart:
            # Both are heard from the contact, over the same way.
            sides = [(rub.bodies[1], sides[0][1] + sides[1][1])]
        sound, spectrum = _Sound(), np.zeros(_WINDOW // 2 + 1)
        distances = [np.linalg.norm(rub.points - ear.position, axis=1) for ear in self.ears]
        hops = -(-self.length // HOP) + 1
        place = np.clip(np.arange(hops) - rub.first // HOP, 0, len(rub.points) - 1)
        for index, source in sides:
            heard = np.flatnonzero(np.abs(source) > SILENCE_PA * 1e-2)
            if not len(heard):
                continue
            low, high = int(heard[0]), int(heard[-1]) + 1
            padded = np.pad(source[low:high], _MARGIN)
            middle = max(rub.first + (len(rub.force) - _WINDOW) // 2, 0)
            part = source[middle : middle + _WINDOW]
            spectrum += np.abs(np.fft.rfft(part * np.hanning(len(part)), _WINDOW)) ** 2
            sound.pressure += float(np.abs(source).max()) / max(float(distances[0].min()), NEAREST_M)
            for channel, ear in enumerate(self.ears):
                listen(
                    out[index][channel], padded, low - _MARGIN, distances[channel][place], HOP,
                    self.spec.air.speed_of_sound_m_s, float(SAMPLE_RATE_HZ), ear.interpolation,
                )  # fmt: skip
        sound.hertz = float(np.argmax(np.convolve(spectrum, np.ones(5), "same")) * SAMPLE_RATE_HZ / _WINDOW)
        return sound

    def _rubbed(self, rub: Rub, side: int) -> Floats:
        """(S,) pascals at 1 m of one of the two bodies."""
        sounding = self.bodies[rub.bodies[side]]
        at, way = rub.local[side]
        bank = sounding.bank(sounding.piece_at(at[len(at) // 2]), self._contact_loss(sounding.index))
        source = np.zeros(self.length)
        if bank.direct:
            stop = min(self.length, rub.first + len(rub.force))
            source[rub.first : stop] += bank.direct * rub.force[: stop - rub.first]
        elif len(bank.hertz):
            gains, _ = bank.gains(at, way)
            if sounding.dynamic:
                gains[:, -1] *= 0.5  # the mean over directions of a dipole
            steady = np.abs(gains).max(0) * np.abs(1.0 / bank.rates[1].real)
            keep = steady * np.abs(rub.force).max(initial=0.0) > SILENCE_PA
            if keep.any():
                scrape(
                    source, rub.first, rub.force, np.ascontiguousarray(gains[:, keep]), HOP, bank.rates[1][keep],
                    bank.weights[keep], float(SAMPLE_RATE_HZ), SILENCE_PA,
                )  # fmt: skip
        return source if np.abs(source).max(initial=0.0) > 0.3 * FAINT_PA else np.zeros(self.length)

    def all_events(self, total: Floats) -> tuple[SoundEvent, ...]:
        """Of solids, liquids and machines, in order of time."""
        events = [*self.events(total), *(event for group in self.others() for event in group.events())]
        return tuple(sorted(events, key=lambda event: (event.time_s, event.kind, event.bodies)))

    def events(self, total: Floats) -> tuple[SoundEvent, ...]:
        """The causes of what is heard in ``total`` (S, C) pascals, in order of time; none below FAINT_PA."""
        if not self.ears:
            return ()
        found = []
        causes: list[Strike | Rub] = [*self.strikes, *self.rubs]
        for cause, sound in zip(causes, self.sounds, strict=True):
            if sound.pressure < FAINT_PA:
                continue
            if isinstance(cause, Strike):
                kind, time_s, place = "impact", cause.time_s, cause.point
            else:
                kind, time_s, place = cause.kind, cause.first / SAMPLE_RATE_HZ, cause.points[0]
            distance = float(np.linalg.norm(place - self.ears[0].position))
            heard_s = time_s + distance / self.spec.air.speed_of_sound_m_s
            if heard_s >= self.spec.duration_s:
                continue
            if kind == "impact":
                low = int(heard_s * SAMPLE_RATE_HZ)
                part = total[low : low + int(_PEAK_WINDOW_S * SAMPLE_RATE_HZ), 0]
                sound.pressure = float(np.abs(part).max(initial=0.0))
            a, b = (self.spec.bodies[i].name for i in cause.bodies)
            found.append(
                SoundEvent(
                    time_s=time_s,
                    heard_s=heard_s,
                    kind=kind,
                    bodies=(a, b),
                    dominant_hz=sound.hertz,
                    peak_pa=sound.pressure,
                )
            )
        return tuple(sorted(found, key=lambda event: (event.time_s, event.kind, event.bodies)))
