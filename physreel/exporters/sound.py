"""FLAC: the sample-exact sound."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from physreel.values import SAMPLE_RATE_HZ

BITS = 24
"""16 bits would bury a cork's landing beside a steel ball's: the scale is fixed for a whole data set."""


def encode_flac(samples: NDArray[np.float32]) -> bytes:
    """(S, C) float samples, full scale ± 1, as FLAC; what is beyond full scale clips."""
    import soundfile

    out = io.BytesIO()
    # Whole numbers of our own rounding: the library's would differ from version to version.
    top = 2 ** (BITS - 1) - 1
    whole = np.clip(np.rint(samples.astype(np.float64) * top), -top - 1, top).astype(np.int32) << (32 - BITS)
    soundfile.write(out, whole, SAMPLE_RATE_HZ, format="FLAC", subtype=f"PCM_{BITS}")
    return out.getvalue()
