"""What was heard of liquids, in a few words: drips, splashes, pours, glugs and plops."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.audio.arrivals import OUTSIDE, Arrivals
from physreel.renderers.audio.mix import FAINT_PA, Ear
from physreel.spec import SceneSpec
from physreel.values import SAMPLE_RATE_HZ, SoundEvent

Floats = NDArray[np.float64]

QUIET_S = 0.2
"""Arrivals with a longer pause between them are two events."""

POUR_S, POUR_WIDTH_M, POUR_SWING = 0.25, 0.04, 0.9
"""A pour lasts at least so long, comes down in one place (standard deviation across; within a vessel, anywhere) and
flows evenly: its flow varies from one twentieth of a second to the next by less than this share of its mean. All that
of the middle four fifths of it: pours begin with a splash and end in drips."""

DRIP_M3, DRIP_PARTICLES = 4e-7, 3
"""A drip has at most so much, or so many particles."""

MOST_EVENTS = 24
"""The loudest are kept."""

RING_S = 0.05
"""An event is heard for so long after its last cause."""

_SPECTRUM = 4096
_LOWEST_HZ = 40.0


GLUGS, PLUNGES = 1 << 20, 1 << 21
"""The place of a vessel's glugs is so much more than its index, that of the n-th plunge so much more than n."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """A glug or a plop: when it left its source, fluid and place, the vessel or the body, and where in the world."""

    kind: str
    time_s: float
    cause: tuple[int, int]
    body: int
    point: Floats


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Arrivals without a pause: kind, first and last, the mean place of the first of them (3,), cause and body."""

    kind: str
    start_s: float
    stop_s: float
    point: Floats
    cause: tuple[int, int]
    body: int


def liquid_events(
    spec: SceneSpec, arrivals: Arrivals, singles: list[Heard], own: dict[tuple[int, int], Floats], ear: Ear
) -> tuple[SoundEvent, ...]:
    """Events in order of time.

    ``bodies`` of an event are the vessel it is in, or the solid that is struck or falls in, if any, then the fluid.
    Peak and pitch are those of its own sound, come straight.

    Args:
        spec: the world.
        arrivals: of its liquids.
        singles: glugs and plops.
        own: by fluid and place, (S,) pascals at the first microphone by time of departure.
        ear: the first microphone.
    """
    runs = [*_runs(spec, arrivals), *(_single(heard) for heard in singles)]
    found = [event for run in runs if run.cause in own for event in _event(spec, run, own[run.cause], ear)]
    found = sorted(found, key=lambda event: (-event.peak_pa, event.time_s, event.kind, event.bodies))[:MOST_EVENTS]
    return tuple(sorted(found, key=lambda event: (event.time_s, event.kind, event.bodies)))


def _single(heard: Heard) -> _Run:
    time = heard.time_s
    return _Run(kind=heard.kind, start_s=time, stop_s=time, point=heard.point, cause=heard.cause, body=heard.body)


def _runs(spec: SceneSpec, arrivals: Arrivals) -> list[_Run]:
    out = []
    for fluid, place in arrivals.causes():
        rows = np.flatnonzero((arrivals.fluid == fluid) & (arrivals.place == place))
        edges = np.flatnonzero(np.diff(arrivals.time_s[rows]) > QUIET_S) + 1
        for low, high in pairwise([0, *edges.tolist(), len(rows)]):
            run = rows[low:high]
            out.append(
                _Run(
                    kind=_kind(spec, arrivals, place, run),
                    start_s=float(arrivals.time_s[run[0]]),
                    stop_s=float(arrivals.time_s[run[-1]]),
                    point=arrivals.point_m[run[: max(1, len(run) // 8)]].mean(0),
                    cause=(fluid, place),
                    body=place % OUTSIDE if place >= 0 else -1,
                )
            )
    return out


def _kind(spec: SceneSpec, arrivals: Arrivals, place: int, run: NDArray[np.int64]) -> str:
    time, volume = arrivals.time_s[run], arrivals.volume_m3[run]
    if volume.sum() <= max(DRIP_M3, DRIP_PARTICLES * float(volume.max()) * 1.001):
        return "drip"
    gone = np.cumsum(volume) / volume.sum()
    main = (gone > 0.1) & (gone < 0.9)
    if not main.any() or float(np.ptp(time[main])) < POUR_S:
        return "splash"
    in_glass = spec.bodies[place].shape.kind == "vessel" if 0 <= place < OUTSIDE else False
    if not in_glass and float(arrivals.point_m[run[main], :2].std(0).max()) > POUR_WIDTH_M:
        return "splash"
    parts = np.bincount(((time[main] - time[main][0]) * 20.0).astype(np.int64), volume[main])[:-1]
    return "pour" if parts.std() < POUR_SWING * parts.mean() else "splash"


def _event(spec: SceneSpec, run: _Run, pascals: Floats, ear: Ear) -> list[SoundEvent]:
    """The event of a run, or none if it cannot be heard within the clip."""
    heard = run.start_s + float(np.linalg.norm(ear.position - run.point)) / spec.air.speed_of_sound_m_s
    part = pascals[round(run.start_s * SAMPLE_RATE_HZ) : round((run.stop_s + RING_S) * SAMPLE_RATE_HZ)]
    peak = float(np.abs(part).max(initial=0.0))
    if heard >= spec.duration_s or peak < FAINT_PA:
        return []
    names = () if run.body < 0 else (spec.bodies[run.body].name,)
    return [
        SoundEvent(
            time_s=run.start_s,
            heard_s=heard,
            kind=run.kind,
            bodies=(*names, spec.fluids[run.cause[0]].name),
            dominant_hz=_loudest_hz(part),
            peak_pa=peak,
        )
    ]


def _loudest_hz(part: Floats) -> float:
    """Of the mean spectrum over windows of a twelfth of a second that overlap by half."""
    power = np.zeros(_SPECTRUM // 2 + 1)
    for low in range(0, max(len(part) - _SPECTRUM // 2, 1), _SPECTRUM // 2):
        piece = part[low : low + _SPECTRUM]
        power += np.abs(np.fft.rfft(piece * np.hanning(len(piece)), _SPECTRUM)) ** 2
    hertz = np.fft.rfftfreq(_SPECTRUM, 1.0 / SAMPLE_RATE_HZ)
    smooth = np.convolve(power, np.ones(5), "same") * (hertz >= _LOWEST_HZ)
    return float(hertz[np.argmax(smooth)])
