"""The events of liquids: first drops, arrivals, overflows, empty vessels, splashes, floating and sinking."""

from __future__ import annotations

import numpy as np

from physreel.analysis import center_of_mass, center_of_mass_at_end
from physreel.analysis.floating import find_immersions
from physreel.analysis.hollows import hole_m, hollow_shape
from physreel.analysis.liquids import (
    empty_s,
    find_places,
    first_arrivals,
    first_lost_s,
    overflow_s,
    starts_with_liquid,
)
from physreel.geometry.rotations import rotate_wxyz
from physreel.geometry.vessels import hollow_bodies
from physreel.spec import SceneSpec
from physreel.values import Event, Trajectory

Keyed = list[tuple[tuple[float, int, int], Event]]


def find_liquid_events(spec: SceneSpec, trajectory: Trajectory, first_kind: int) -> Keyed:
    """Events with what they are sorted by: time, kind (counted from ``first_kind``), body. None where nothing flows.

    Vessels have events only if the engine recorded their signals.
    """
    if trajectory.liquid is None:
        return []
    found: Keyed = []

    def add(kind: int, event: Event) -> None:
        found.append(((event.time_s, first_kind + kind, spec.body_index(event.bodies[0])), event))

    places = find_places(spec, trajectory)
    for body in hollow_bodies(spec):
        if f"volume:{spec.bodies[body].name}" not in trajectory.signals:
            continue
        full = starts_with_liquid(spec, trajectory, body)
        for kind, name, time in (
            (0, "first_drop", first_lost_s(places, body) if full else None),
            (2, "overflow_begins", None if full else overflow_s(spec, trajectory, places, body)),
            (3, "vessel_empty", empty_s(spec, trajectory, body)),
        ):
            if time is not None:
                add(kind, _at_opening(spec, trajectory, body, name, time))
    for arrival in first_arrivals(spec, trajectory).values():
        event = Event(
            time_s=arrival.time_s, kind="liquid_contact", bodies=(spec.bodies[arrival.body].name,),
            position_m=arrival.point_m, speed_m_s=arrival.speed_m_s, impulse_n_s=arrival.momentum_n_s,
        )  # fmt: skip
        add(1, event)
    for kind, event in _immersed(spec, trajectory):
        add(kind, event)
    return found


def _at_opening(spec: SceneSpec, trajectory: Trajectory, body: int, kind: str, time_s: float) -> Event:
    """An event where liquid gets out: at the middle of the hole, or of the rim; its speed is the vessel's."""
    frame = min(round(time_s * trajectory.fps), trajectory.frame_count - 1)
    pose = trajectory.body_pose[frame, body]
    shape = hollow_shape(spec, body)
    opening = (0.0, 0.0, shape.rim_z_m) if kind == "overflow_begins" else hole_m(shape) or (0.0, 0.0, shape.rim_z_m)
    x, y, z = (pose[:3] + rotate_wxyz(pose[3:], opening)).tolist()
    return Event(
        time_s=time_s,
        kind=kind,
        bodies=(spec.bodies[body].name,),
        position_m=(x, y, z),
        speed_m_s=float(np.linalg.norm(trajectory.body_velocity[frame, body, :3])),
        impulse_n_s=0.0,
    )


def _immersed(spec: SceneSpec, trajectory: Trajectory) -> list[tuple[int, Event]]:
    found = []
    centers = np.concatenate([center_of_mass(spec, trajectory), center_of_mass_at_end(spec, trajectory)[None]])
    for item in find_immersions(spec, trajectory):
        around = () if item.vessel is None else (spec.bodies[item.vessel].name,)
        name = spec.bodies[item.body].name
        if item.enters_s is not None and item.enters_s > 0.0:
            splash = Event(
                time_s=item.enters_s, kind="splash", bodies=(name, *around), position_m=item.entry_point_m,
                speed_m_s=item.entry_speed_m_s, impulse_n_s=0.0,
            )  # fmt: skip
            found.append((4, splash))
        if item.since_s is not None:
            frame = round(item.since_s * trajectory.fps)
            x, y, z = centers[frame, item.body].tolist()
            speed = trajectory.body_velocity[min(frame, trajectory.frame_count - 1), item.body, :3]
            state = Event(
                time_s=item.since_s, kind=item.state, bodies=(name, *around), position_m=(x, y, z),
                speed_m_s=float(np.linalg.norm(speed)), impulse_n_s=0.0,
            )  # fmt: skip
            found.append((5, state))
    return found
