"""Liquid that strikes solids: drops press, streams flutter, and what they land on rings by its own modes.

The force of a drop of diameter d at speed v rises as √t, is greatest after 0.16 d/v and then fades (J. M. Gordillo,
T.-P. Sun, X. Cheng, J. Fluid Mech. 840, 190 (2018)); its impulse is the drop's momentum. A stream presses evenly, which
is silent; what is heard of it is its turbulence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.renderers.audio.arrivals import Arrivals
from physreel.renderers.audio.bodies import CONTACT_LOSS, Bank, SoundingBody
from physreel.renderers.audio.dice import Dice
from physreel.renderers.audio.entrainment import roughness
from physreel.renderers.audio.kernels import scrape
from physreel.renderers.audio.liquid_kernels import presses
from physreel.renderers.audio.mix import SILENCE_PA, patches
from physreel.renderers.audio.poses import Poses
from physreel.renderers.audio.readings import Readings
from physreel.spec import SceneSpec
from physreel.values import SAMPLE_RATE_HZ

Floats = NDArray[np.float64]

TURBULENCE = 0.15
"""Fluctuation of a rough stream's force against its mean."""

FADE_SHARE = 0.32
"""A drop's force fades in this share of d/v."""

FILM_SOFTENS = 0.5
"""So much less a drop presses on a solid that is wet."""

MOST_PLACES = 64
"""Places at which a body's modes are looked up; what a body is struck at is spread over them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Struck:
    """A body, or a part of it, as liquid strikes it.

    Attributes:
        body: index into the spec's bodies.
        fluid: index into the spec's fluids.
        place: where that is, see Arrivals.
        point: (3,) mean place, world frame.
        pascals: (S,) at 1 m.
    """

    body: int
    fluid: int
    place: int
    point: Floats
    pascals: Floats


def find_struck(
    spec: SceneSpec, arrivals: Arrivals, bodies: list[SoundingBody], poses: Poses, readings: Readings, samples: int
) -> list[Struck]:
    """What liquid strikes, by body and fluid, with its sound."""
    found = []
    for fluid, place in arrivals.causes():
        at = (arrivals.fluid == fluid) & (arrivals.place == place) & (arrivals.body >= 0)
        for index in np.unique(arrivals.body[at]).tolist():
            rows = np.flatnonzero(at & (arrivals.body == index))
            sounding = bodies[index]
            impulse, fade = _presses(spec, arrivals, rows, fluid, index)
            position, quat = poses.at(index, arrivals.time_s[rows])
            back = conjugate_wxyz(quat)
            local = rotate_wxyz(back, arrivals.point_m[rows] - position)
            way = rotate_wxyz(back, -arrivals.normal[rows])
            load = readings.burden(index, sounding.material, arrivals.time_s[rows])
            part = patches(arrivals.point_m[rows]) if sounding.is_slab else sounding.pieces_at(local)
            for piece, burden in sorted({(int(p), float(b)) for p, b in zip(part, load, strict=True)}):
                mine = np.flatnonzero((part == piece) & (load == burden))
                force, start = np.zeros(samples), arrivals.time_s[rows[mine]] * SAMPLE_RATE_HZ
                presses(force, start, fade[mine], impulse[mine], float(SAMPLE_RATE_HZ))
                bank = sounding.bank(0 if sounding.is_slab else piece, CONTACT_LOSS, burden)
                weight = np.abs(impulse[mine]) + 1e-30
                found.append(
                    Struck(
                        body=index,
                        fluid=fluid,
                        place=place,
                        point=weight @ arrivals.point_m[rows[mine]] / weight.sum(),
                        pascals=_sound(bank, force, local[mine], way[mine], click=sounding.dynamic),
                    )
                )
    return found


def _presses(
    spec: SceneSpec, arrivals: Arrivals, rows: NDArray[np.int64], fluid: int, body: int
) -> tuple[Floats, Floats]:
    """(N,) impulses and (N,) times in which the forces fade."""
    liquid = spec.liquid(spec.fluids[fluid].liquid)
    dice = Dice(spec, f"{spec.fluids[fluid].name} on {spec.bodies[body].name}")
    stream, speed = arrivals.stream[rows], arrivals.speed_m_s[rows]
    jet, drop = arrivals.jet_m[rows], np.cbrt(6.0 * arrivals.drop_m3[rows] / np.pi)
    # So many particles are in the stream at once: their own jitter would be more than its turbulence is.
    crowd = np.maximum(np.pi / 4.0 * jet**3 / arrivals.volume_m3[rows], 1.0)
    flutter = np.minimum(TURBULENCE * np.sqrt(crowd), 1.0) * roughness(speed, jet, liquid)
    flutter = np.where(dice.uniform("way", len(rows)) < 0.5, -flutter, flutter)
    share = (1.0 - stream) + stream * flutter
    momentum = liquid.density_kg_m3 * arrivals.volume_m3[rows] * arrivals.press_m_s[rows]
    eddy = jet * (0.2 + 0.8 * dice.uniform("eddy", len(rows)))
    size = np.where(stream < 0.5, drop, eddy)
    return momentum * share * (1.0 - FILM_SOFTENS * arrivals.wet[rows]), FADE_SHARE * size / speed


def _sound(bank: Bank, force: Floats, local: Floats, way: Floats, *, click: bool) -> Floats:
    """(S,) pascals at 1 m of a bank under a force spread over places (N, 3), along ways (N, 3), in the body's frame."""
    out = np.zeros(len(force))
    pressed = np.flatnonzero(force)
    if not len(pressed) or not len(bank.hertz):
        return out
    first = int(pressed[0])
    some = np.linspace(0, len(local) - 1, min(len(local), MOST_PLACES)).astype(np.int64)
    gains, _ = bank.gains(local[some], way[some])
    gain = np.sqrt((gains**2).mean(0)) * np.where(gains[0] < 0.0, -1.0, 1.0)
    if click:
        gain[-1] *= 0.5  # the mean over directions of a dipole
    pushed = force[first : int(pressed[-1]) + 1]
    out[first : first + len(pushed)] += bank.direct * pushed
    keep = np.abs(gain / bank.rates[1].real) * np.abs(pushed).max() > SILENCE_PA
    if keep.any():
        scrape(
            out, first, pushed, np.stack([gain[keep]] * 2), len(pushed) + 1, bank.rates[1][keep], bank.weights[keep],
            float(SAMPLE_RATE_HZ), SILENCE_PA * 1e-2,
        )  # fmt: skip
    return out
