"""How well an engine of liquids holds its laws, and what it costs, by number of particles.

    python benchmarks/liquid_accuracy.py [--engine dfsph]

Errors are of the worlds of the tests (tests/liquid_laws.py), also made finer; seconds are of one core.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from liquid_laws import (
    G,
    basin,
    dam,
    floating_block,
    holed_vessel,
    liquid,
    positions,
    slow_pour,
    tilted_basin,
)
from scipy.optimize import curve_fit
from test_liquid_laws import MARTIN_MOYCE

from physreel import registry
from physreel.spec import SceneSpec
from physreel.values import Trajectory


def run(engine: str, spec: SceneSpec) -> tuple[Trajectory, str]:
    """The trajectory, and particles and seconds a simulated second as text."""
    simulator = registry.load("simulators", engine)()
    start = time.process_time()
    trajectory = simulator.simulate(spec)
    cost = (time.process_time() - start) / spec.duration_s
    return trajectory, f"{len(liquid(trajectory)):6d} particles, {cost:6.2f} s a simulated second"


def dam_error(trajectory: Trajectory, spec: SceneSpec, width: float) -> float:
    """Greatest error of the front's place, as a share, aligned on the first point."""
    track = liquid(trajectory)
    x = positions(track)[:, :, 0] + 4.6 * width / 2
    front = np.maximum.accumulate(np.sort(x, axis=1)[:, -4] + track.spacing_m / 2) / width
    clock = np.arange(len(front)) / spec.fps * np.sqrt(2 * G / width)
    aligned = np.interp(MARTIN_MOYCE[0, 1], front, clock) - MARTIN_MOYCE[0, 0]
    return float(np.abs(np.interp(MARTIN_MOYCE[:, 0] + aligned, clock, front) / MARTIN_MOYCE[:, 1] - 1).max())


def sway(trajectory: Trajectory, fps: int) -> tuple[float, float]:
    """Error of the frequency, as a share, and the decay of the amplitude a second."""
    x = positions(liquid(trajectory))[:, :, 0].mean(1)
    clock, k = np.arange(len(x)) / fps, np.pi / 0.2
    wanted = np.sqrt(G * k * np.tanh(k * 0.06)) / (2 * np.pi)

    def swing(t, size, frequency, phase, decay, middle):  # type: ignore[no-untyped-def]
        return size * np.exp(-decay * t) * np.cos(2 * np.pi * frequency * t + phase) + middle

    found, _ = curve_fit(swing, clock, x, p0=(np.abs(x).max(), wanted, 0.0, 1.0, 0.0))
    return float(found[1] / wanted - 1), float(found[3])


def outflow(trajectory: Trajectory) -> float:
    """Share of the ideal discharge."""
    signal = trajectory.signals["volume:vessel"]
    clock = np.arange(len(signal.values)) / signal.rate_hz
    later = (clock > 0.15) & (clock < 0.45)
    flow = -np.polyfit(clock[later], signal.values[later], 1)[0]
    level = signal.values[later].mean() / (np.pi * 0.05**2)
    return float(flow / (np.pi * 0.015**2 * np.sqrt(2 * G * (level + 0.003))))


def main() -> None:
    """Print one line a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="dfsph")
    engine = parser.parse_args().engine
    run(engine, basin(duration_s=0.05))  # compiles
    for across, deep in ((10, 5), (14, 6), (20, 8)):
        spec = dam(across=across, deep=deep)
        trajectory, cost = run(engine, spec)
        print(f"dam break    {cost}; front off by {100 * dam_error(trajectory, spec, 0.057):.1f} % at most", flush=True)
    for spacing in (0.006, 0.0045):
        spec = basin(spacing_m=spacing, across=round(0.06 / spacing), deep=round(0.06 / spacing))
        trajectory, cost = run(engine, spec)
        track = liquid(trajectory)
        height = 2 * (float(track.position_end_m[:, 2].mean()) - 0.004)
        volume = len(track) * track.particle_volume_m3
        edge = spec.bodies[1].shape.inside_m[0]  # type: ignore[union-attr]
        speed = np.sqrt((track.velocity_end_m_s**2).sum(1).mean())
        print(
            f"rest         {cost}; height off by {100 * (height * edge**2 / volume - 1):+.1f} %, rms speed "
            f"{1e3 * speed:.1f} mm/s", flush=True,
        )  # fmt: skip
    for spacing in (0.006, 0.0045):
        spec = tilted_basin(spacing_m=spacing)
        trajectory, cost = run(engine, spec)
        error, decay = sway(trajectory, spec.fps)
        print(f"swaying      {cost}; frequency off by {100 * error:+.1f} %, decay {decay:.1f} a second", flush=True)
    for spacing in (0.0075, 0.006, 0.005):
        trajectory, cost = run(engine, holed_vessel(spacing_m=spacing))
        print(f"outflow      {cost}; {outflow(trajectory):.2f} of the ideal", flush=True)
    if "two_way" in registry.load("simulators", engine).capabilities:
        for ratio in (0.3, 0.5, 0.9):
            trajectory, cost = run(engine, floating_block(ratio=ratio))
            level = 0.108 + ratio * 0.08 * 0.08 * 0.06 / 0.16**2
            draft = level - (float(trajectory.body_pose[-10:, 2, 2].mean()) - 0.03)
            print(f"floating {ratio:g} {cost}; draft off by {100 * (draft / (0.06 * ratio) - 1):+.1f} %", flush=True)
    for spacing in (0.0062, 0.0046, 0.0039, 0.0029):
        trajectory, cost = run(engine, slow_pour(spacing_m=spacing).model_copy(update={"fps": 30}))
        print(f"pour         {cost}; {trajectory.notes[0]}", flush=True)


if __name__ == "__main__":
    main()
