"""Which particles of a liquid were in the air, and what they then fell into or onto, from samples of their motion."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.distances import distance_gradients, world_distances
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz, up_direction
from physreel.spec import SceneSpec
from physreel.values import LiquidImpacts

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FREE_SHARE = 0.35
"""In the air the acceleration differs from gravity by less than this share of g; liquid at rest differs by all of g."""

FLIGHT_S = 0.0125
"""What accelerates with g for this long, and is then faster than FLIGHT_SPEED_M_S, is in the air."""

FLIGHT_SPEED_M_S = 0.2

LEAST_CHANGE_M_S, CHANGE_SHARE, CHANGE_G = 0.1, 0.25, 1.5
"""A flight has met something when its velocity has changed, beside gravity's part, by the largest of three: by so
much, by this share of its speed, and faster than so many g would: 1 g is what carries liquid at rest."""

MEETING_S = 0.05
"""A change that takes longer than this is no arrival: the particle has joined others little by little."""


LEAST_FLIGHT, LOST_SHARE = 2.5, 0.15
"""It has flown at least so many spacings, and what it has met takes this share of its speed onward: a column that
collapses falls with g as well, and then more slowly, but it has never been in the air."""

POOL_SPACINGS = 2.0
"""What stands in the way of liquid that falls into liquid is this many spacings off at most: in a column that collapses
all falls with g, and what brakes it is spread out."""


class ImpactFinder:
    """Watches particles sample by sample; ``step`` says who is in the air, ``finish`` what arrived where.

    Args:
        spec: the world.
        spacing_m: the cube root of a particle's volume.
        fluid: (N,) index into the spec's fluids.
        rate_hz: samples a second.
    """

    def __init__(self, spec: SceneSpec, spacing_m: float, fluid: NDArray[np.int32], rate_hz: float) -> None:
        self.spec, self.spacing, self.fluid, self.dt = spec, spacing_m, fluid, 1.0 / rate_hz
        self.gravity = np.asarray(spec.gravity_m_s2, np.float64)
        self.g = float(np.linalg.norm(self.gravity))
        self.up = up_direction(spec)
        # A mesh has no distance in closed form; engines of liquids refuse it.
        self.colliders = [i for i, body in enumerate(spec.bodies) if body.shape.kind != "triangle_mesh"]
        count = len(fluid)
        self.long = max(2, int(np.ceil(FLIGHT_S * rate_hz - 1e-9)))
        self.patience = max(2, int(np.ceil(MEETING_S * rate_hz)))
        self.free = np.zeros(count, np.int32)  # samples on end that accelerated with g
        self.flying = np.zeros(count, np.bool_)
        self.meeting = np.zeros(count, np.int32)  # samples since something first disturbed the flight; 0: nothing has
        self.change = np.zeros((count, 3))  # velocity gained since then, beside gravity's part
        self.place, self.speed, self.moment = np.zeros((count, 3)), np.zeros((count, 3)), np.zeros(count)
        self.origin = np.zeros((count, 3))  # where its flight began
        self.last: tuple[Floats, Floats] | None = None
        # Of as many samples as pass before it is known that something was met.
        self.poses: deque[Floats] = deque(maxlen=self.patience + 1)
        self.rows: list[tuple[NDArray[np.int64], Floats, Floats, Floats, Floats, NDArray[np.int32]]] = []

    def step(self, time_s: float, position: Floats, velocity: Floats, present: Bools, body_pose: Floats) -> Bools:
        """(N,) who is in the air at this sample."""
        self.poses.append(body_pose)
        if self.last is None or self.g == 0.0:
            self.last, self.origin = (position, velocity), position.copy()
            return np.zeros(len(position), np.bool_)
        x0, v0 = self.last
        gained = velocity - v0 - self.gravity * self.dt
        size = np.einsum("ni,ni->n", gained, gained)
        free = present & (size < (FREE_SHARE * self.g * self.dt) ** 2)
        fast = np.einsum("ni,ni->n", velocity, velocity) > FLIGHT_SPEED_M_S**2
        self.free = np.where(free, self.free + 1, 0)
        grounded = ~free & ~self.flying & (self.meeting == 0)
        self.origin[grounded] = position[grounded]

        begins = self.flying & ~free & (self.meeting == 0)
        self.meeting[self.meeting > 0] += 1
        if begins.any():
            self._begin(np.flatnonzero(begins), time_s, position, velocity, x0, v0)
        meeting = self.meeting > 0
        if meeting.any():
            self.change[meeting] += gained[meeting]
            self._judge(np.flatnonzero(meeting), position, velocity, present)

        self.flying |= (self.free >= self.long) & fast & (self.meeting == 0)
        self.flying &= present
        self.last = (position, velocity)
        return np.asarray(self.flying & (self.meeting == 0))

    def _begin(self, who: NDArray[np.int64], time_s: float, x1: Floats, v1: Floats, x0: Floats, v0: Floats) -> None:
        # Between the samples it flew on until it met something, and has had its new velocity since: where it is now
        # tells when that was.
        lost = v0[who] - v1[who]
        way = x1[who] - x0[who] - v1[who] * self.dt
        after = np.einsum("ni,ni->n", way, lost) / np.maximum(np.einsum("ni,ni->n", lost, lost), 1e-12)
        after = np.clip(after, 0.0, self.dt)[:, None]
        self.place[who] = x0[who] + v0[who] * after + 0.5 * self.gravity * after**2
        self.speed[who] = v0[who] + self.gravity * after
        self.moment[who] = time_s - self.dt + after[:, 0]
        self.change[who] = 0.0
        self.meeting[who] = 1

    def _judge(self, who: NDArray[np.int64], position: Floats, velocity: Floats, present: Bools) -> None:
        change = np.linalg.norm(self.change[who], axis=1)
        speed = np.linalg.norm(self.speed[who], axis=1)
        sudden = CHANGE_G * self.g * self.dt * self.meeting[who]
        least = np.maximum(np.maximum(LEAST_CHANGE_M_S, CHANGE_SHARE * speed), sudden)
        flown = np.linalg.norm(self.place[who] - self.origin[who], axis=1)
        onward = np.einsum("ni,ni->n", velocity[who], self.speed[who])
        slows = onward < (1.0 - LOST_SHARE) * speed**2
        arrived = present[who] & (change > least) & slows & (flown > LEAST_FLIGHT * self.spacing)
        flies_on = ~arrived & (self.free[who] >= self.long)
        gave_up = ~arrived & ~flies_on & (self.meeting[who] >= self.patience)
        for since in np.unique(self.meeting[who[arrived]]).tolist():
            # What was met is where it was then.
            pose, pose0 = self.poses[-since], self.poses[-since - 1]
            self._arrive(who[arrived & (self.meeting[who] == since)], position, velocity, present, pose, pose0)
        self.meeting[who[arrived | flies_on | gave_up]] = 0
        ended = who[arrived | gave_up]
        self.flying[ended] = False
        self.free[ended] = 0

    def _arrive(
        self, who: NDArray[np.int64], position: Floats, velocity: Floats, present: Bools, pose: Floats, pose0: Floats
    ) -> None:
        point, speed = self.place[who], self.speed[who]
        nearest = np.full(len(who), self.spacing)
        body = np.full(len(who), -1, np.int32)
        for i in self.colliders:
            distance = world_distances(self.spec.bodies[i].shape, pose[i], point)
            closer = distance < nearest
            nearest[closer], body[closer] = distance[closer], i
        normal, met = np.tile(self.up, (len(who), 1)), np.zeros((len(who), 3))
        for i in np.unique(body[body >= 0]):
            rows = np.flatnonzero(body == i)
            back = conjugate_wxyz(pose[i, 3:])
            local = rotate_wxyz(back, point[rows] - pose[i, :3])
            slope = rotate_wxyz(pose[i, 3:], distance_gradients(self.spec.bodies[i].shape, local))
            length = np.linalg.norm(slope, axis=1, keepdims=True)
            normal[rows] = np.where(length > 0.5, slope, self.up)
            before = pose0[i, :3] + rotate_wxyz(pose0[i, 3:], local)
            met[rows] = (point[rows] - before) / self.dt
        wet = np.flatnonzero(body < 0)
        if len(wet):
            met[wet] = self._pool_velocity(position[who[wet]], speed[wet], position, velocity, present)
        # Drops that brush each other in the air have met nothing, nor has liquid that moves with what is around it.
        hits = np.linalg.norm(speed - met, axis=1) > FLIGHT_SPEED_M_S
        rows = np.flatnonzero(hits)
        self.rows.append(
            (who[rows], self.moment[who[rows]], point[rows], (speed - met)[rows], normal[rows], body[rows])
        )

    def _pool_velocity(
        self, point: Floats, speed: Floats, position: Floats, velocity: Floats, present: Bools
    ) -> Floats:
        """(R, 3) mean velocity of the liquid around each point that stands in its way; its own where none does.

        What is in the air itself does not, nor what goes the same way at more than half the speed.
        """
        reach = POOL_SPACINGS * self.spacing
        boxed = ((position > point.min(0) - reach) & (position < point.max(0) + reach)).all(axis=1)
        near = present & ~(self.flying & (self.meeting == 0)) & boxed
        x, v = position[near], velocity[near]
        out = speed.copy()
        for k, (at, own) in enumerate(zip(point, speed, strict=True)):
            offset = x - at
            met = (np.einsum("ni,ni->n", offset, offset) < reach**2) & (v @ own < 0.5 * (own @ own))
            if met.any():
                out[k] = v[met].mean(0)
        return out

    def finish(self) -> LiquidImpacts:
        """All that arrived, in order of time, then of particle."""
        if not self.rows:
            return LiquidImpacts.empty()
        who, time, point, speed, normal, body = (np.concatenate(column) for column in zip(*self.rows, strict=True))
        order = np.lexsort((who, time))
        return LiquidImpacts(
            time_s=time[order],
            point_m=point[order],
            velocity_m_s=speed[order],
            normal=normal[order],
            particle=who[order],
            body=body[order],
            fluid=self.fluid[who[order]],
            volume_m3=np.full(len(order), self.spacing**3),
        )
