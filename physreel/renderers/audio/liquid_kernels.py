"""The compiled loops of liquids: who arrives together, bubbles that ring, drops that press, and horns of air."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def crowd(time, point, volume, span, reach, near_span, near_reach):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What else arrives about when and where each of R rows does; rows are in order of time.

    Args:
        time: (R,) s.
        point: (R, 3) m.
        volume: (R,) m³.
        span: s, how far back and ahead is looked.
        reach: m, half the edge of the box that is looked at.
        near_span: s, and
        near_reach: m, within which rows are parts of one drop.

    Returns:
        (R, 3) volumes of others that arrive within ``span`` before, within ``span`` after, and in the same drop.
    """
    count = len(time)
    out = np.zeros((count, 3))
    for i in range(count):
        j = i + 1
        while j < count and time[j] - time[i] < span:
            x = abs(point[j, 0] - point[i, 0])
            y = abs(point[j, 1] - point[i, 1])
            z = abs(point[j, 2] - point[i, 2])
            far = max(x, y, z)
            if far < reach:
                out[i, 1] += volume[j]
                out[j, 0] += volume[i]
                if far < near_reach and time[j] - time[i] < near_span:
                    out[i, 2] += volume[j]
                    out[j, 2] += volume[i]
            j += 1
    return out


@numba.njit(cache=True, nogil=True)
def chirps(out, start, omega, decay, attack, amplitude, sweep, silence, sample_rate):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add to ``out`` (S,) N decaying sinusoids, a (1 - exp(-b t)) exp(-d t) sin(w t + w s t² / 2).

    Args:
        out: (S,) float64.
        start: (N,) when each begins, in samples.
        omega: (N,) w, rad/s.
        decay: (N,) d, 1/s.
        attack: (N,) b, 1/s.
        amplitude: (N,) a.
        sweep: (N,) s, relative growth of frequency in 1/s.
        silence: each ends where its envelope falls below this.
        sample_rate: Hz.
    """
    count, step = len(out), 1.0 / sample_rate
    for n in range(len(start)):
        loud = abs(amplitude[n])
        if loud <= silence or start[n] < 0.0:
            continue
        first = int(np.ceil(start[n]))
        u = (first - start[n]) * step
        last = min(count, first + int(np.log(loud / silence) / decay[n] * sample_rate) + 1)
        w, d, s = omega[n], decay[n], sweep[n]
        z = amplitude[n] * np.exp(-d * u + 1j * (w * u + 0.5 * w * s * u * u))
        turn = np.exp(-d * step + 1j * w * (step + s * step * (u + 0.5 * step)))
        faster = np.exp(1j * w * s * step * step)
        rise, grow = np.exp(-attack[n] * u), np.exp(-attack[n] * step)
        for k in range(first, last):
            out[k] += (1.0 - rise) * z.imag
            z *= turn
            turn *= faster
            rise *= grow


@numba.njit(cache=True, nogil=True)
def presses(out, start, length, impulse, sample_rate):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add to ``out`` (S,) N forces of drops that land, I √t exp(-t / T) scaled to the impulse I.

    The peak is at T / 2. Ends where it has fallen to 10⁻⁴ of the peak.

    Args:
        out: (S,) float64, N.
        start: (N,) in samples.
        length: (N,) T in s.
        impulse: (N,) N·s.
        sample_rate: Hz.
    """
    count, step = len(out), 1.0 / sample_rate
    for n in range(len(start)):
        if start[n] < 0.0 or impulse[n] == 0.0:
            continue
        first = int(np.ceil(start[n]))
        last = min(count, first + int(12.0 * length[n] * sample_rate) + 1)
        scale = impulse[n] * 2.0 / (np.sqrt(np.pi) * length[n] ** 1.5)
        u = (first - start[n]) * step
        fall, ratio = np.exp(-u / length[n]), np.exp(-step / length[n])
        for k in range(first, last):
            out[k] += scale * np.sqrt(u) * fall
            u += step
            fall *= ratio


@numba.njit(cache=True, nogil=True)
def horn(flow, pressure, laplace, area, step, impedance, speed):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(D + 1, F) flow at depths 0 … D slices below a mouth through which a flow of 1 goes out.

    Args:
        flow: (D + 1, F) complex, written: U at each depth.
        pressure: (F,) complex at the mouth, for a flow of 1; overwritten.
        laplace: (F,) complex s.
        area: (D,) m² of the slices, from the mouth down.
        step: m, height of a slice.
        impedance: density times speed of sound.
        speed: of sound.
    """
    slices = len(area)
    for f in range(len(laplace)):
        e = np.exp(laplace[f] * step / speed)
        cosh, sinh = 0.5 * (e + 1.0 / e), 0.5 * (e - 1.0 / e)
        p, u = pressure[f], 1.0 + 0.0j
        flow[0, f] = u
        for k in range(slices):
            z = impedance / area[k]
            p, u = cosh * p + z * sinh * u, sinh / z * p + cosh * u
            flow[k + 1, f] = u
