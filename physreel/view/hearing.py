"""The sound of a row for the page: as a picture, and loud enough to be heard."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.view.colours import ramp

_WINDOW, _TALL, _WIDE_LEAST, _WIDE_MOST, _PER_SECOND = 2048, 160, 320, 1200, 240
LOWEST_HZ, _RANGE_DB = 60.0, 80.0
_MARKS_HZ = (100, 300, 1000, 3000, 10_000)
_SILENCE = 1e-7
_LOUDEST = 10 ** (-3.0 / 20.0)


def spectrogram(samples: NDArray[np.float32], rate: int) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Power over time and frequency as a picture, and what its axes mean.

    Frequency goes up by its logarithm, from 60 Hz to half the rate. The brightest colour is the loudest moment of the
    clip, black is 80 dB below: a soft clip is drawn as clearly as a loud one, and ``peak_db`` says how loud it was.

    Args:
        samples: (S, C), full scale ± 1; the channels' mean is drawn.
        rate: Hz.
    """
    mono = samples.mean(1, dtype=np.float64) if samples.size else np.zeros(1)
    wide = int(np.clip(round(len(mono) / rate * _PER_SECOND), _WIDE_LEAST, _WIDE_MOST))
    centres = ((np.arange(wide) + 0.5) / wide * len(mono)).astype(np.int64)
    padded = np.pad(np.nan_to_num(mono), _WINDOW // 2)
    window = np.hanning(_WINDOW)
    cut = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[np.minimum(centres, len(padded) - _WINDOW)]
    power = np.abs(np.fft.rfft(cut * window)) * (2.0 / window.sum())
    lines = np.geomspace(LOWEST_HZ, rate / 2.0, _TALL + 1) * _WINDOW / rate
    rows = np.empty((_TALL, wide))
    for k in range(_TALL):
        low, high = lines[k], lines[k + 1]
        if high - low < 1.0:  # between two lines of the transform: interpolated
            below = int((low + high) / 2)
            part = (low + high) / 2 - below
            rows[k] = power[:, below] * (1 - part) + power[:, min(below + 1, power.shape[1] - 1)] * part
        else:
            rows[k] = power[:, int(np.ceil(low)) : int(np.floor(high)) + 1].max(1)
    level = 20.0 * np.log10(np.maximum(rows, _SILENCE))
    # Silence is black, and not the loudest moment of itself.
    top = max(float(level.max()), -60.0)
    shade = np.clip((level - (top - _RANGE_DB)) / _RANGE_DB, 0.0, 1.0)
    picture = ramp(256)[(shade[::-1] * 235).astype(np.uint8)]
    peak = float(np.abs(samples).max()) if samples.size else 0.0
    marks = [hz for hz in _MARKS_HZ if hz < rate / 2]
    return picture, {
        "low_hz": LOWEST_HZ,
        "high_hz": rate / 2.0,
        "marks_hz": marks,
        "peak_db": 20.0 * float(np.log10(peak)) if peak > 0 else None,
        "range_db": _RANGE_DB,
    }


def audible(samples: NDArray[np.float32], rate: int) -> tuple[bytes, float]:
    """The sound as 16 bit FLAC, its peak raised to -3 dB of full scale, and by how many dB it was raised.

    One scale holds for all clips of a data set, so that a steel ball and olive oil can be compared: as stored, the oil
    is too soft for most loudspeakers.

    Args:
        samples: (S, C), full scale ± 1; the first two channels are used.
        rate: Hz.
    """
    import soundfile

    peak = float(np.abs(samples).max()) if samples.size else 0.0
    gain = max(1.0, _LOUDEST / peak) if peak > 0 else 1.0
    out = io.BytesIO()
    whole = np.rint(np.clip(samples[:, :2].astype(np.float64) * gain, -1.0, 1.0) * 32767).astype(np.int16)
    soundfile.write(out, whole, rate, format="FLAC", subtype="PCM_16")
    return out.getvalue(), 20.0 * float(np.log10(gain))
