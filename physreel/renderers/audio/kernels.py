"""The compiled loops: banks of ringing modes, the surface under a sliding contact, moving sources heard from afar.

A mode is a complex number z that turns and shrinks, z' = λ z + F; what is heard of it is the real part of a weight
times z. Between blows it runs in blocks over tables of powers, whose samples do not wait for each other.
"""

from __future__ import annotations

import numba
import numpy as np

BLOCK = 64
"""Samples a block; damping changes only between blocks, and the modes' state is carried over."""


@numba.njit(cache=True, nogil=True)
def ring(out, rates, weights, damped, start, length, force, gains, direct, sample_rate, silence):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add to ``out`` (S,) what a bank of K modes gives when struck by E half-sine pulses.

    Args:
        out: (S,) float64, pressure.
        rates: (2, K) complex λ in 1/s: free, and while something touches the body.
        weights: (K,) complex.
        damped: (ceil(S / BLOCK),) bool, whether something touches the body in each block.
        start: (E,) when the pulse is first heard, in samples, increasing or not.
        length: (E,) in samples.
        force: (E,) peak force, N.
        gains: (E, K) Pa per (weight · z).
        direct: (E,) Pa/N of the force itself.
        sample_rate: Hz.
        silence: Pa; a mode below it is dropped.
    """
    count, modes, blocks = len(out), rates.shape[1], len(damped)
    step = 1.0 / sample_rate
    events = len(start)
    at = np.zeros(events, np.int64)
    jumps = np.zeros((events, modes), np.complex128)
    first_block = blocks
    for e in range(events):
        begin, end = int(np.ceil(start[e])), int(np.ceil(start[e] + length[e]))
        at[e] = end
        if begin < 0 or begin >= count:
            at[e] = count + BLOCK  # not heard within the clip
            continue
        first_block = min(first_block, begin // BLOCK)
        spin = np.pi / (length[e] * step)
        amplitude = force[e]
        stop = min(end, count)
        if direct[e] != 0.0:
            for n in range(begin, stop):
                out[n] += direct[e] * amplitude * np.sin(spin * (n - start[e]) * step)
        touch = 1 if damped[min(begin // BLOCK, blocks - 1)] else 0
        for k in range(modes):
            gain = gains[e, k]
            if gain == 0.0:
                continue
            rate = rates[touch, k]
            # Exact response to a half-sine: two exponentials of the pulse, one of the mode.
            up, down = 1.0 / (1j * spin - rate), 1.0 / (-1j * spin - rate)
            scale = weights[k] * gain * amplitude / 2j
            u = (begin - start[e]) * step
            mode, turn = np.exp(rate * u), np.exp(1j * spin * u)
            mode_step, turn_step = np.exp(rate * step), np.exp(1j * spin * step)
            for n in range(begin, stop):
                z = scale * ((turn - mode) * up - (np.conj(turn) - mode) * down)
                out[n] += z.real
                mode *= mode_step
                turn *= turn_step
            length_s = length[e] * step
            last = np.exp(rate * length_s)
            z = scale * ((-1.0 - last) * up - (-1.0 - last) * down)
            jumps[e, k] = z * np.exp(rate * ((end - start[e]) * step - length_s))
    order = np.argsort(at, kind="mergesort")
    powers = np.zeros((2, modes, BLOCK + 1), np.complex128)
    for s in range(2):
        for k in range(modes):
            ratio = np.exp(rates[s, k] * step)
            powers[s, k, 0] = 1.0
            for j in range(BLOCK):
                powers[s, k, j + 1] = powers[s, k, j] * ratio
    real, imag = powers.real.copy(), powers.imag.copy()
    state = np.zeros(modes, np.complex128)
    quiet = silence * silence
    next_event = 0
    for b in range(first_block, blocks):
        low = b * BLOCK
        width = min(BLOCK, count - low)
        s = 1 if damped[b] else 0
        until = next_event
        while until < events and at[order[until]] < low + BLOCK:
            until += 1
        for k in range(modes):
            w = state[k]
            if w.real * w.real + w.imag * w.imag > quiet:
                x, y = w.real, w.imag
                for j in range(width):
                    out[low + j] += x * real[s, k, j] - y * imag[s, k, j]
                w *= powers[s, k, BLOCK]
            else:
                w = 0.0j
            for i in range(next_event, until):
                jump = jumps[order[i], k]
                x, y = jump.real, jump.imag
                if x * x + y * y > quiet:
                    j0 = at[order[i]] - low
                    for j in range(j0, width):
                        out[low + j] += x * real[s, k, j - j0] - y * imag[s, k, j - j0]
                    w += jump * powers[s, k, BLOCK - j0]
            state[k] = w
        next_event = until


@numba.njit(cache=True, nogil=True)
def scrape(out, first, force, gains, hop, rates, weights, sample_rate, silence):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add to ``out`` (S,) the modes driven by a force signal that begins at sample ``first``.

    Args:
        out: (S,) float64.
        first: sample at which ``force`` begins.
        force: (F,) N at the sample rate.
        gains: (H, K) gain of each mode every ``hop`` samples from ``first``; straight lines between.
        hop: samples.
        rates: (K,) λ in 1/s.
        weights: (K,) complex.
        sample_rate: Hz.
        silence: Pa; when all modes are below it after the force has ended, the loop ends.
    """
    count, modes, steps = len(out), len(rates), len(force)
    pr, pi, wr, wi = np.zeros(modes), np.zeros(modes), np.zeros(modes), np.zeros(modes)
    for k in range(modes):
        power = np.exp(rates[k] / sample_rate)
        # The force is constant over a sample: z gains F (p - 1) / λ.
        push = weights[k] * (power - 1.0) / rates[k]
        pr[k], pi[k], wr[k], wi[k] = power.real, power.imag, push.real, push.imag
    zr, zi = np.zeros(modes), np.zeros(modes)
    for n in range(steps):
        if first + n >= count:
            return
        h = n // hop
        part = (n - h * hop) / hop
        f, total = force[n], 0.0
        for k in range(modes):
            push = f * (gains[h, k] * (1.0 - part) + gains[h + 1, k] * part)
            a = pr[k] * zr[k] - pi[k] * zi[k] + push * wr[k]
            b = pr[k] * zi[k] + pi[k] * zr[k] + push * wi[k]
            zr[k], zi[k] = a, b
            total += a
        out[first + n] += total
    n = first + steps
    for k in range(modes):
        x, y, m = zr[k], zi[k], n
        while m < count and x * x + y * y > silence * silence:
            for _ in range(min(64, count - m)):
                x, y = pr[k] * x - pi[k] * y, pr[k] * y + pi[k] * x
                out[m] += x
                m += 1


@numba.njit(cache=True, nogil=True)
def surface_force(profile, spacing, speed, amplitude, cutoff_hz, offset, hop, steps, sample_rate):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(steps,) force of a contact that runs over a profile: read by the way travelled, smoothed by the patch.

    Args:
        profile: (P,) periodic surface heights, unit rms.
        spacing: m between two heights.
        speed: (H,) m/s every ``hop`` samples.
        amplitude: (H,) N rms.
        cutoff_hz: (H,) above which the contact patch averages the profile out.
        offset: m, where on the profile it begins.
        hop: samples.
        steps: samples.
        sample_rate: Hz.
    """
    out = np.zeros(steps)
    way, low, mean = offset / spacing, 0.0, 0.0
    size = len(profile)
    leak = 2.0 * np.pi * 20.0 / sample_rate
    for n in range(steps):
        h = n // hop
        part = (n - h * hop) / hop
        way += (speed[h] * (1.0 - part) + speed[h + 1] * part) / (spacing * sample_rate)
        cell = int(np.floor(way))
        share = way - cell
        height = profile[cell % size] * (1.0 - share) + profile[(cell + 1) % size] * share
        cut = cutoff_hz[h] * (1.0 - part) + cutoff_hz[h + 1] * part
        low += (1.0 - np.exp(-2.0 * np.pi * cut / sample_rate)) * (height - low)
        mean += leak * (low - mean)  # what is slower than 20 Hz is a slope, not a sound
        out[n] = (low - mean) * (amplitude[h] * (1.0 - part) + amplitude[h + 1] * part)
    return out


# The order of the 16 products is free ("reassoc"), so that the compiler can take four at a time, always the same.
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def listen(out, source, first, distance, hop, speed_of_sound, sample_rate, sinc):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add to ``out`` (S,) a source signal heard over a changing distance: delayed, and weaker as 1/r.

    Args:
        out: (S,) pressure.
        source: (N,) pressure at 1 m by time of departure, with at least ``taps`` zeros before and after the sound.
        first: sample of the clip at which ``source`` begins.
        distance: (H,) m every ``hop`` samples of departure, from the start of the clip.
        hop: samples.
        speed_of_sound: m/s.
        sample_rate: Hz.
        sinc: (phases + 1, taps) windowed-sinc interpolation kernels.
    """
    count, taps = len(source), sinc.shape[1]
    phases = sinc.shape[0] - 1
    per_meter = sample_rate / speed_of_sound
    nearest, farthest = distance.min() * per_meter, distance.max() * per_meter
    left, r = float(first), distance[0]
    for n in range(max(0, int(first + nearest)), min(len(out), int(first + count + farthest) + 1)):
        for _ in range(2):  # departure time of what arrives now, starting from its neighbour's distance
            left = n - r * per_meter
            h = min(max(left / hop, 0.0), len(distance) - 1.0001)
            i = int(h)
            r = distance[i] + (distance[i + 1] - distance[i]) * (h - i)
        left = n - r * per_meter
        cell = int(np.floor(left))
        low = cell - taps // 2 + 1 - first
        if low < 0 or low + taps > count:
            continue
        kernel = int((left - cell) * phases + 0.5)
        total = 0.0
        for j in range(taps):
            total += sinc[kernel, j] * source[low + j]
        out[n] += total / max(r, 0.05)


def sinc_table(phases: int = 512, taps: int = 16) -> np.ndarray:
    """(phases + 1, taps) interpolation kernels: a sinc under a Kaiser window, each summing to 1."""
    shift = np.linspace(0.0, 1.0, phases + 1)[:, None]
    x = np.arange(taps)[None] - (taps // 2 - 1) - shift
    window = np.i0(8.0 * np.sqrt(np.maximum(1.0 - (x / (taps / 2)) ** 2, 0.0))) / np.i0(8.0)
    kernel = np.sinc(x) * window
    return np.asarray(kernel / kernel.sum(1, keepdims=True))
