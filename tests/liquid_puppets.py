"""Liquids whose particles are moved by hand: they rest, then fly on a parabola to a given place, and rest there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physreel.simulators.liquid_record import LiquidRecorder, driven_poses
from physreel.spec import SceneSpec
from physreel.values import Trajectory

GRAVITY = 9.81
Hop = tuple[float, float, tuple[float, float, float]]
"""Start and end time, and where to."""


def puppet(spec: SceneSpec, spacing_m: float, start: np.ndarray, hops: Sequence[Sequence[Hop]]) -> Trajectory:
    """A trajectory of particles that start at (N, 3), each with its hops; signals and impacts are the recorder's."""
    recorder = LiquidRecorder(spec, spacing_m=spacing_m, fluid=np.zeros(len(start), np.int32))
    for k in range(recorder.sample_count):
        time = recorder.time_s(k)
        position, velocity = np.array(start, float), np.zeros((len(start), 3))
        for i, moves in enumerate(hops):
            for begin, end, goal in moves:
                if time >= end:
                    position[i] = goal
                elif time > begin:
                    position[i], velocity[i] = _flight(position[i], np.array(goal), time - begin, end - begin)
        recorder.sample(time, position, velocity, np.ones(len(start), bool), driven_poses(spec, time))
    return recorder.finish().trajectory(spec, step_s=1.0 / (spec.fps * spec.substeps), simulator="by hand 1")


def _flight(a: np.ndarray, b: np.ndarray, t: float, whole: float) -> tuple[np.ndarray, np.ndarray]:
    g = np.array([0.0, 0.0, -GRAVITY])
    v0 = (b - a) / whole - 0.5 * g * whole
    return a + v0 * t + 0.5 * g * t * t, v0 + g * t
