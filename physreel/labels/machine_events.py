"""The events of machines: shafts that start, jams, teeth that break off, belts that slip, bearings that knock."""

from __future__ import annotations

import numpy as np

from physreel.analysis.machines import first_motion_s, jam_s, slip_begins_s
from physreel.spec import SceneSpec
from physreel.values import Event, Trajectory

Keyed = list[tuple[tuple[float, int, int], Event]]


def find_machine_events(spec: SceneSpec, trajectory: Trajectory, first_kind: int) -> Keyed:
    """Events with what they are sorted by: time, kind (counted from ``first_kind``), body. None without machines."""
    found: Keyed = []

    def add(kind: int, name: str, time_s: float, bodies: tuple[str, ...], speed: float, force_n: float = 0.0) -> None:
        place = trajectory.body_pose[min(int(time_s * trajectory.fps), trajectory.frame_count - 1)]
        body = spec.body_index(bodies[0])
        x, y, z = place[body, :3].tolist()
        event = Event(
            time_s=time_s,
            kind=name,
            bodies=bodies,
            position_m=(x, y, z),
            speed_m_s=speed,
            # The push of one physics step: what gave way gave way within it.
            impulse_n_s=force_n * trajectory.step_s,
        )
        found.append(((time_s, first_kind + kind, body), event))

    hinges = [joint for joint in spec.joints if joint.kind == "hinge" and f"speed:{joint.name}" in trajectory.signals]
    for joint in hinges:
        start = first_motion_s(trajectory, joint.name)
        if start:  # what turns from the beginning does not begin to
            add(0, "first_motion", start, (joint.child,), 0.0)
        jammed = jam_s(spec, trajectory, joint.name)
        if jammed is not None:
            add(1, "jam", jammed, (joint.child,), 0.0)
    for gone in trajectory.breaks:
        add(2, "tooth_lost", gone.time_s, gone.bodies, 0.0, gone.force_n)
    for belt in spec.belts:
        slips = slip_begins_s(trajectory, belt.name) if f"belt_slip:{belt.name}" in trajectory.signals else None
        if slips is not None:
            driver = spec.joint(belt.driver.joint)
            signal = trajectory.signals[f"belt_slip:{belt.name}"]
            speed = float(np.abs(signal.values[min(round(slips * signal.rate_hz), len(signal.values) - 1)]))
            add(3, "slip_begins", slips, (driver.child, spec.joint(belt.driven.joint).child), speed)
    return [*found, *_knocking(spec, trajectory, first_kind + 4)]


def _knocking(spec: SceneSpec, trajectory: Trajectory, kind: int) -> Keyed:
    """The first blow of each bearing that knocks."""
    knocks, found = trajectory.knocks, Keyed()
    for bearing in spec.bearings:
        if bearing.name not in knocks.sources:
            continue
        rows = np.flatnonzero(knocks.source == knocks.sources.index(bearing.name))
        if len(rows):
            first = int(rows[0])
            x, y, z = knocks.point_m[first].tolist()
            event = Event(
                time_s=float(knocks.time_s[first]), kind="knocking_begins", bodies=(bearing.housing,),
                position_m=(x, y, z), speed_m_s=0.0, impulse_n_s=float(knocks.impulse_n_s[first]),
            )  # fmt: skip
            found.append(((event.time_s, kind, int(knocks.body[first])), event))
    return found
