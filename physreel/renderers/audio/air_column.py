"""The air above the liquid in a vessel: a pipe closed by the liquid and open at the mouth, so that filling it is heard.

What the surface moves goes out at the mouth, most of all at the resonances: a quarter wave in a straight glass (with
the end correction 0.61 r), Helmholtz's in a bottle. All of them come from Webster's horn equation on the profile.

Sources:
  Webster  A. G. Webster, Proc. Natl. Acad. Sci. 5, 275 (1919): plane waves in horns
  Silva    F. Silva, Ph. Guillemain, J. Kergomard, B. Mallaroni, A. N. Norris, J. Sound Vib. 322, 255 (2009): radiation
           of an open pipe without flange, by a causal fraction of Levine and Schwinger's reflection
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.vessels import Hollow, inner_radius_m
from physreel.renderers.audio.liquid_kernels import horn
from physreel.spec import Air, Tank
from physreel.values import SAMPLE_RATE_HZ

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

SLICES = 96
"""Slices of the hollow from rim to floor; levels are told apart as finely."""

LOSS_PER_S = 40.0
"""What the amplitude of the air loses a second to walls, drops and a surface in motion, beside what goes out at the
mouth."""

FRAME = 1024
"""Samples over which the level counts as one; frames overlap by half."""

SHORTEST_SPECTRUM, LONGEST_SPECTRUM = 4096, 16_384
_RUNG_OUT = 1e-5

_FADE_HZ = (17_000.0, 23_000.0)
"""Nothing above the second is let through: a response that ended at half the sample rate would ring there."""


def _mouth_pressure(laplace: Complexes, radius_m: float, air: Air) -> Complexes:
    """(F,) radiation impedance p / U of an open end (Silva), at frequencies s."""
    x = laplace * (radius_m / air.speed_of_sound_m_s)
    reflection = -(1.0 + 0.167 * x) / (1.0 + 1.393 * x + 0.457 * x * x)
    impedance = air.density_kg_m3 * air.speed_of_sound_m_s / (np.pi * radius_m**2)
    return np.asarray(impedance * (1.0 + reflection) / (1.0 - reflection))


def _slices(shape: Hollow, count: int) -> tuple[Floats, float, float]:
    """Areas (count,) of equal slices from the rim down, their height, and the radius of the mouth."""
    deep = shape.rim_z_m - shape.floor_z_m
    if isinstance(shape, Tank):
        area = shape.inside_m[0] * shape.inside_m[1]
        return np.full(count, area), deep / count, float(np.sqrt(area / np.pi))
    z = shape.rim_z_m - (np.arange(count) + 0.5) * (deep / count)
    # Where the profile has a step, the middle of a slice stands for all of it; a cone's slice has the mean area.
    return np.pi * inner_radius_m(shape, z) ** 2, deep / count, float(inner_radius_m(shape, shape.rim_z_m))


def mouth_response(shape: Hollow, air: Air, hertz: ArrayLike, slices: int = SLICES) -> Complexes:
    """(slices + 1, F) flow out of the mouth for a flow of 1 at the liquid's surface, by depth below the rim.

    Args:
        shape: vessel or tank; a tank counts as a round one of the same area.
        air: in it.
        hertz: (F,) frequencies.
        slices: row k is for a surface k / slices of the way from rim to floor.
    """
    laplace: Complexes = np.asarray(2j * np.pi * np.atleast_1d(np.asarray(hertz, np.float64)), np.complex128)
    area, step, radius = _slices(shape, slices)
    pressure = _mouth_pressure(laplace, radius, air)
    flow = np.zeros((slices + 1, len(laplace)), np.complex128)
    impedance = air.density_kg_m3 * air.speed_of_sound_m_s
    horn(flow, pressure, laplace + LOSS_PER_S, area, step, impedance, air.speed_of_sound_m_s)
    return np.asarray(1.0 / flow)


def resistance(shape: Hollow, level_m: Floats, hertz: Floats, air: Air) -> Floats:
    """(N,) Pa·s/m³ that a flow of frequencies (N,) meets at surfaces ``level_m`` (N,) above the inside floor.

    It is what gets out at the mouth: the resistance there, as often as the flow is magnified squared.
    """
    grid = np.geomspace(40.0, 20_000.0, 500)
    _, _, radius = _slices(shape, SLICES)
    outside = _mouth_pressure(np.asarray(2j * np.pi * grid, np.complex128), radius, air).real
    table = np.abs(mouth_response(shape, air, grid)) ** 2 * outside
    column = np.clip(np.rint(np.interp(np.log(hertz), np.log(grid), np.arange(len(grid)))), 0, len(grid) - 1)
    return np.asarray(table[_depth_row(shape, level_m), column.astype(np.int64)])


def column_modes_hz(shape: Hollow, level_m: float, air: Air, count: int = 3) -> Floats:
    """(≤ count,) lowest resonances of the air above liquid that stands ``level_m`` above the inside floor.

    Where the flow at the surface is a quarter period behind that at the mouth; wide bowls have such frequencies too,
    but hardly ring at them.
    """
    hertz = np.arange(10.0, 12_000.0, 4.0)
    row = _depth_row(shape, np.array([level_m]))[0]
    back = (1.0 / mouth_response(shape, air, hertz)[row]).real
    at = np.flatnonzero(back[:-1] * back[1:] < 0.0)[:count]
    return np.asarray(hertz[at] + 4.0 * back[at] / (back[at] - back[at + 1]))


def _depth_row(shape: Hollow, level_m: Floats) -> NDArray[np.int64]:
    deep = shape.rim_z_m - shape.floor_z_m
    return np.clip(np.rint((1.0 - level_m / deep) * SLICES), 0, SLICES).astype(np.int64)


def _filter(shape: Hollow, air: Air, length: int, slices: int) -> Complexes:
    """(slices + 1, length / 2 + 1) response for transforms of so many samples."""
    hertz = np.fft.rfftfreq(length, 1.0 / SAMPLE_RATE_HZ)
    fade = 0.5 + 0.5 * np.cos(np.pi * np.clip((hertz - _FADE_HZ[0]) / (_FADE_HZ[1] - _FADE_HZ[0]), 0.0, 1.0))
    return np.asarray(mouth_response(shape, air, hertz, slices) * fade)


@lru_cache(maxsize=32)
def _spectrum_length(shape: Hollow, air: Air) -> int:
    """Samples of a transform in which the longest ring of this air dies away, after a frame."""
    ring = np.abs(np.fft.irfft(_filter(shape, air, LONGEST_SPECTRUM, 16)[1:], LONGEST_SPECTRUM, axis=1))
    # What comes last is before its cause, as wraps round: the fade's own short swing.
    late = ring[:, : LONGEST_SPECTRUM - FRAME]
    last = int(np.flatnonzero((late > _RUNG_OUT * late.max(1)[:, None]).any(0))[-1])
    length = SHORTEST_SPECTRUM
    while length < min(last + FRAME, LONGEST_SPECTRUM):
        length *= 2
    return length


def through_column(source: Floats, level_m: Floats, shape: Hollow, air: Air) -> Floats:
    """(S,) flow out of the mouth from flow at the liquid's surface, while the level changes.

    Args:
        source: (S,) at the sample rate: flow, or its rate of change.
        level_m: (H,) above the inside floor at k · FRAME / 2 samples; straight on after the last.
        shape: vessel or tank.
        air: in it.
    """
    sounding = np.flatnonzero(source)
    if not len(sounding):
        return np.zeros_like(source)
    hop, first = FRAME // 2, int(sounding[0])
    length = _spectrum_length(shape, air)
    frames = np.arange(first // hop - 1, int(sounding[-1]) // hop + 1)
    rows = _depth_row(shape, level_m[np.clip(frames + 1, 0, len(level_m) - 1)])
    response = _filter(shape, air, length, SLICES)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(FRAME) + 0.5) / FRAME)
    padded = np.pad(source, (hop, FRAME))
    out = np.zeros(len(source) + hop + FRAME + length)
    for frame, row in zip(frames.tolist(), rows.tolist(), strict=True):
        at = (frame + 1) * hop
        spectrum = np.fft.rfft(padded[at : at + FRAME] * window, length)
        out[at : at + length] += np.fft.irfft(spectrum * response[row], length)
    heard = out[hop : hop + len(source)]
    heard[:first] = 0.0  # rounding of the transforms comes before its cause
    return np.asarray(heard)
