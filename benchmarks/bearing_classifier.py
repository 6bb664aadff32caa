"""``make bearings``: can a plain classifier tell what is wrong with a bearing under its guard, by ear and by eye?

Sound: the envelope spectrum, as anyone who looks for bearing faults would try first, and logistic regression.
Frequencies are in turns of the shaft, whose speed is stored with each clip; the same in hertz is told beside it.
Picture: small frames and logistic regression, which must stay at chance.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before numpy is loaded: threads that wait for each other are slow

import argparse
import time
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from physreel.exporters.sound import BITS
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.scenes.base import ClipSettings
from physreel.values import SAMPLE_RATE_HZ, Sample

Floats = NDArray[np.float64]

CLASSES = ("none", "outer_race", "inner_race", "ball", "cage")
CLIP = ClipSettings(width=64, height=64, fps=24, duration_s=3.0)
BAND_HZ = (1000.0, 15_000.0)
ORDERS = np.arange(0.1, 12.0, 0.1)
HERTZ = np.geomspace(2.0, 300.0, 240)
FOLDS = 5


def envelope(sample: Sample) -> tuple[Floats, Floats]:
    """Frequencies and amplitudes of the envelope of the first channel, as stored in whole numbers."""
    from scipy.signal import butter, hilbert, sosfiltfilt

    audio = sample.clip.audio
    assert audio is not None
    stored = np.rint(audio.samples[:, 0].astype(np.float64) * 2 ** (BITS - 1))
    band = sosfiltfilt(butter(4, BAND_HZ, "bandpass", fs=SAMPLE_RATE_HZ, output="sos"), stored)
    shape = np.abs(hilbert(band))
    amplitude = np.abs(np.fft.rfft((shape - shape.mean()) * np.hanning(len(shape)), 2 * len(shape)))
    return np.fft.rfftfreq(2 * len(shape), 1.0 / SAMPLE_RATE_HZ), amplitude


def spectrum_at(hertz: Floats, amplitude: Floats, edges: Floats) -> Floats:
    """(N,) log of the highest amplitude between edges and the next, against the clip's median: level tells nothing."""
    places = np.searchsorted(hertz, np.append(edges, edges[-1] + (edges[-1] - edges[-2])))
    peaks = np.array([amplitude[low : max(high, low + 1)].max() for low, high in pairwise(places)])
    logs = np.log(peaks + 1e-9)
    return np.asarray(logs - np.median(logs))


def pictures(sample: Sample) -> Floats:
    """Six frames, 16 x 16, grey."""
    frames = sample.clip.views[0].rgb
    assert frames is not None
    chosen = frames[:: max(1, len(frames) // 6)][:6].astype(np.float64).mean(-1)
    return np.asarray(chosen.reshape(len(chosen), 16, 4, 16, 4).mean((2, 4)).ravel() / 255.0)


def accuracy(features: Floats, labels: NDArray[np.str_]) -> tuple[float, NDArray[np.str_]]:
    """Share told right by clips held out in five folds, and what each was told to be."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    told = cross_val_predict(model, features, labels, cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0))
    return float(np.mean(told == labels)), told


def main() -> None:
    """Make the clips, ask both classifiers, print what they get right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=400, help="clips, a fifth of each class")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the scene")
    asked = parser.parse_args()
    chosen = dict(pair.split("=", 1) for pair in asked.set)
    each = asked.n // len(CLASSES)
    start = time.perf_counter()
    labels, by_order, by_hertz, by_eye, speeds = [], [], [], [], []
    for number, fault in enumerate(CLASSES):
        # Each class has worlds of its own: no two clips differ in the fault alone.
        plan = Plan(
            scene="bearing", count=each, seed=asked.seed + number, clip=CLIP, passes=("rgb",),
            parameters={"cover": "closed"} | chosen | {"fault": fault},
        )  # fmt: skip
        pipeline = Pipeline(plan)
        for index in range(each):
            sample = pipeline.sample(index)
            turns = sample.outcome.model_dump()["shaft_turns_s"]
            hertz, amplitude = envelope(sample)
            labels.append(sample.outcome.model_dump()["fault"])
            by_order.append(spectrum_at(hertz / turns, amplitude, ORDERS))
            by_hertz.append(spectrum_at(hertz, amplitude, HERTZ))
            by_eye.append(pictures(sample))
            speeds.append(turns)
    made = time.perf_counter() - start
    truth = np.array(labels)
    print(f"{len(truth)} clips of 3 s, {made / len(truth):.2f} s each; {min(speeds):.0f} to {max(speeds):.0f} turns/s")
    for what, features in (
        ("sound, in turns of the shaft", by_order),
        ("sound, in hertz", by_hertz),
        ("picture", by_eye),
    ):
        share, told = accuracy(np.array(features), truth)
        print(f"{what}: {100 * share:.1f} % right (chance {100 / len(CLASSES):.0f} %)")
        for name in CLASSES:
            row = " ".join(f"{int(np.sum((truth == name) & (told == other))):4d}" for other in CLASSES)
            print(f"  {name:>10} {row}")


if __name__ == "__main__":
    main()
