"""Ball bearings: where cage and balls are, exactly, and the blows of a pit that is rolled over.

The outer ring stands still in the housing; the shaft's angle is given. Balls roll on the outer race; what slips does
so on the inner race, so that the cage falls behind. Single balls wander in their pockets of the cage.

A ball that comes to a pit of width w drops into it until it meets the far edge, where its way is bent at once (J. Epps,
An investigation into vibrations excited by discrete faults in rolling element bearings, PhD thesis, Univ. of Canterbury
(1991); N. Sawalhi, R. B. Randall, Mech. Syst. Signal Process. 22, 1924 (2008) and 25, 846 (2011)). Loads of single
balls: Stribeck's zone with Sjövall's integral (Harris and Kotzalas, Rolling Bearing Analysis, 5th ed. (2006), 7).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.bearings import (
    HERTZ_MODULUS_PA,
    ball_loads,
    ball_mass_kg,
    bearing_orders,
    defect_ball,
    first_ball_angle_rad,
    first_pit_angle_rad,
    load_point_m,
)
from physreel.geometry.hertz import contact_time_s, indentation_m
from physreel.geometry.rotations import multiply_wxyz, rotate_wxyz
from physreel.simulators.machinery import JointMotion, MachinePart, PartRecord, signal_stride
from physreel.simulators.preparation import Preparation
from physreel.spec import Bearing
from physreel.values import KnockTable, Signal

Floats = NDArray[np.float64]

CAGE_MASS_SHARE = 0.4 + 0.5
"""What a blow on the cage sets going, over the mass of all balls: a pressed steel cage (of a 6205, 8 g to 18 g of
balls), and the half of the balls that nothing presses, which lie in its pockets."""

SKID_SHARE = 0.15
"""Balls that nothing presses fall behind by this share of the cage's speed when no bar pushes them (Harris, 14)."""

CAGE_ENTRY_DEG = 60.0
"""How long before the middle of the load zone a ball is gripped by both races again."""

CAGE_BLOW_S = 5e-5
"""Of a ball on a bar: Hertz's time for some tenths of a metre a second, a little more for the bar gives way."""

SLOWEST_M_S = 1e-3
"""Balls that roll slower than this over an edge do not knock."""


class BearingPart(MachinePart):
    """One ball bearing during one run; it only tells what happened."""

    acts = False

    def __init__(self, prep: Preparation, bearing: Bearing) -> None:
        spec = prep.spec
        self.spec, self.bearing = spec, bearing
        self.joint = spec.joint_index(bearing.joint)
        joint = spec.joints[self.joint]
        self.axis, self.anchor = np.array(joint.axis), np.array(joint.anchor_m)
        _, self.toward = load_point_m(spec, bearing)
        self.aside = np.cross(self.axis, self.toward)
        self.ratio = bearing_orders(bearing).ftf * (1.0 - bearing.slip_share)

    def finish(self, motion: JointMotion) -> PartRecord:
        """Cage and balls at the frames, and every blow of the defect."""
        shaft = motion.position[:, self.joint]
        cage = self.ratio * shaft
        way = _Ways(self.bearing, cage)
        name = self.bearing.name
        every = signal_stride(motion.substeps, self.spec.fps)
        rate = 1.0 / (every * motion.step_s)
        return PartRecord(
            signals={f"cage_angle:{name}": Signal(values=cage[:-1:every], rate_hz=rate, unit="rad")},
            poses=self._poses(motion, shaft, cage, way),
            knocks=self._knocks(motion, shaft, cage, way),
        )

    def _poses(self, motion: JointMotion, shaft: Floats, cage: Floats, way: _Ways) -> dict[int, Floats]:
        bearing, spec = self.bearing, self.spec
        at_shaft, at_cage = motion.at_frames(shaft), motion.at_frames(cage)
        poses = {}
        if bearing.cage is not None:
            poses[spec.body_index(bearing.cage)] = self._turned(bearing.cage, at_cage)
        for k, ball in enumerate(bearing.balls):
            poses[spec.body_index(ball)] = self._rolled(ball, k, at_cage, way)
        defect = bearing.defect
        if defect is not None and defect.mark is not None:
            index = spec.body_index(defect.mark)
            match defect.part:
                case "ball":
                    poses[index] = self._rolled(defect.mark, way.defect_ball, at_cage, way)
                case "cage":
                    poses[index] = self._turned(defect.mark, at_cage)
                case "inner_race":
                    poses[index] = self._turned(defect.mark, at_shaft)
                case "outer_race":
                    poses[index] = self._turned(defect.mark, np.zeros_like(at_cage))
        return poses

    def _turned(self, name: str, angle: Floats) -> Floats:
        """(T + 1, 7) of a body that goes round the axis as a whole."""
        body = self.spec.bodies[self.spec.body_index(name)]
        turn = _about(self.axis, angle)
        position = self.anchor + rotate_wxyz(turn, np.array(body.position_m) - self.anchor)
        return np.concatenate([position, multiply_wxyz(turn, np.array(body.orientation_wxyz))], 1)

    def _rolled(self, name: str, ball: int, cage: Floats, way: _Ways) -> Floats:
        """(T + 1, 7) of a ball, or of what is on it: round with the cage, and about itself."""
        bearing = self.bearing
        body = self.spec.bodies[self.spec.body_index(name)]
        travel = way.travel(ball, cage)
        start = way.place(ball, np.zeros(1))[0]
        radial = math.cos(start) * self.toward + math.sin(start) * self.aside
        middle = self.anchor + 0.5 * bearing.pitch_diameter_m * radial
        tilt = math.radians(bearing.contact_angle_deg)
        own_axis = math.cos(tilt) * self.axis + math.sin(tilt) * radial
        round_, spin = _about(self.axis, travel), _about(own_axis, -way.spin_ratio * travel)
        arm = np.array(body.position_m) - middle
        turn = multiply_wxyz(round_, spin)
        position = self.anchor + rotate_wxyz(round_, middle - self.anchor) + rotate_wxyz(turn, arm)
        return np.concatenate([position, multiply_wxyz(turn, np.array(body.orientation_wxyz))], 1)

    def _knocks(self, motion: JointMotion, shaft: Floats, cage: Floats, way: _Ways) -> KnockTable:
        defect = self.bearing.defect
        if defect is None:
            return KnockTable.empty()
        time = motion.time_s
        fixed = math.radians(defect.angle_deg)
        found: list[tuple[Floats, Floats, Floats]] = []  # times, places (angle from the load), speeds over the pit
        half = 0.5 * self.bearing.pitch_diameter_m
        if defect.part == "cage":
            # Balls are slowed where nothing presses them; the one behind the broken bar catches up as the zone begins.
            for sense in (1.0, -1.0):
                entry = -sense * math.radians(CAGE_ENTRY_DEG)
                at = _passings(time, way.place(way.defect_ball, cage) - entry)
                rate = _rate(time, cage, at)
                comes = rate * sense > 0.0
                found.append((at[comes], np.full(comes.sum(), entry), rate[comes] * half))
        elif defect.part == "ball":
            travel = way.travel(way.defect_ball, cage)
            for side in (0.0, math.pi):  # outer race, inner race
                at = _passings(time, way.spin_ratio * travel + way.spin_start + side)
                place = np.interp(at, time, way.place(way.defect_ball, cage))
                found.append((at, place, _rate(time, travel, at) * way.spin_ratio * 0.5 * self.bearing.ball_diameter_m))
        else:
            for ball in range(self.bearing.ball_count):
                place = way.place(ball, cage)
                pit = shaft + fixed if defect.part == "inner_race" else np.full_like(shaft, fixed)
                at = _passings(time, place - pit)
                found.append((at, np.interp(at, time, place), _rate(time, place - pit, at) * half))
        times, places, speeds = (np.concatenate(parts) for parts in zip(*found, strict=True))
        speeds = np.abs(speeds)
        keep = (speeds > SLOWEST_M_S) & (times < self.spec.frame_count / self.spec.fps)
        order = np.flatnonzero(keep)[np.argsort(times[keep], kind="stable")]
        times, places, speeds = times[order], places[order], speeds[order]
        impulse, length = knock_forces(
            self.bearing, places, speeds, np.abs(_rate(time, cage, times))
        )  # fmt: skip
        radial = np.cos(places)[:, None] * self.toward + np.sin(places)[:, None] * self.aside
        count = len(times)
        return KnockTable(
            time_s=times,
            length_s=length,
            impulse_n_s=impulse,
            point_m=self.anchor + (half + 0.5 * self.bearing.ball_diameter_m) * radial,
            direction=radial,
            body=np.full(count, self.spec.body_index(self.bearing.housing), np.int32),
            source=np.zeros(count, np.int32),
            sources=(self.bearing.name,),
        )


def knock_forces(bearing: Bearing, place_rad: Floats, speed_m_s: Floats, cage_rad_s: Floats) -> tuple[Floats, Floats]:
    """Impulses (K,) in N·s and lengths (K,) in s of blows on the defect, given places, speeds and the cage's speed.

    A ball of radius r sinks into a pit by w² / (8 r) at most, and no farther than its load Q presses it while it is
    over the pit. A drop by δ bends its way by 2 √(2 δ / r) at the far edge; and what Hertz's contact had stored, 2/5 of
    Q times the depth it was pressed in, is set free and drives the ball. Its mass times the two speeds together is the
    impulse, Hertz's time the length. Behind the broken bar of a cage a ball has skidded, and is taken along again over
    the gap: it meets the next bar with v (0.15 + w / d), and the cage takes it.
    """
    defect = bearing.defect
    assert defect is not None
    mass, radius = ball_mass_kg(bearing), 0.5 * bearing.ball_diameter_m
    if defect.part == "cage":
        cage = CAGE_MASS_SHARE * bearing.ball_count * mass
        gained = speed_m_s * min(SKID_SHARE + defect.width_m / bearing.ball_diameter_m, 1.0)
        return cage * gained, np.full(len(speed_m_s), CAGE_BLOW_S)
    load = ball_loads(bearing, place_rad, cage_rad_s)
    deepest = min(defect.width_m**2 / (8.0 * radius), radius)
    drop = np.minimum(deepest, 0.5 * load / mass * (0.5 * defect.width_m / speed_m_s) ** 2)
    bent = speed_m_s * np.minimum(2.0 * np.sqrt(2.0 * drop / radius), 1.0)
    pressed = indentation_m(force_n=load, radius_m=radius, modulus_pa=HERTZ_MODULUS_PA)
    freed = 0.4 * load * pressed * (1.0 - np.maximum(1.0 - drop / pressed, 0.0) ** 2.5)
    change = np.sqrt(bent**2 + 2.0 * freed / mass)
    length = contact_time_s(
        mass_kg=mass, radius_m=radius, modulus_pa=HERTZ_MODULUS_PA, speed_m_s=np.maximum(change, 1e-6)
    )
    return mass * change, length


class _Ways:
    """Where the balls are when the cage has turned by an angle, with their wandering in its pockets."""

    def __init__(self, bearing: Bearing, cage: Floats) -> None:
        self.bearing = bearing
        stream = np.random.Generator(np.random.Philox(key=bearing.seed))
        self.start, self.spin_start = first_ball_angle_rad(bearing), first_pit_angle_rad(bearing)
        self.spacing = 2.0 * math.pi / bearing.ball_count
        self.defect_ball = defect_ball(bearing)
        ratio = bearing.ball_diameter_m / bearing.pitch_diameter_m * math.cos(math.radians(bearing.contact_angle_deg))
        # Rolling without slip on the outer race.
        self.spin_ratio = bearing.pitch_diameter_m / bearing.ball_diameter_m * (1.0 + ratio)
        low, high = float(cage.min()), float(cage.max())
        self.knots = np.arange(math.floor(low / self.spacing) - 1, math.ceil(high / self.spacing) + 3) * self.spacing
        steps = stream.standard_normal((bearing.ball_count, len(self.knots)))
        # A walk that its pocket pulls back: neighbours in time are alike, and it stays within some three times its rms.
        keep = 0.8
        walk = np.zeros_like(steps)
        for k in range(1, len(self.knots)):
            walk[:, k] = keep * walk[:, k - 1] + math.sqrt(1.0 - keep**2) * steps[:, k]
        self.walk = np.clip(walk, -3.0, 3.0) * bearing.slip_share * self.spacing

    def travel(self, ball: int, cage: Floats) -> Floats:
        """Angle that a ball has gone round since time 0."""
        wander = np.interp(cage, self.knots, self.walk[ball])
        return np.asarray(cage + wander - np.interp(0.0, self.knots, self.walk[ball]))

    def place(self, ball: int, cage: Floats) -> Floats:
        """Angle of a ball from the load's direction, not wrapped."""
        return self.start + ball * self.spacing + self.travel(ball, cage)


def _about(axis: Floats, angle: Floats) -> Floats:
    half = 0.5 * np.asarray(angle)[:, None]
    return np.concatenate([np.cos(half), np.sin(half) * axis], 1)


def _passings(time: Floats, angle: Floats) -> Floats:
    """Times at which an angle given at times, straight lines between, is a whole number of turns."""
    turns = angle / (2.0 * math.pi)
    whole = np.floor(turns)
    step = np.diff(whole)
    at = np.flatnonzero(step)
    found = []
    for k in at.tolist():
        # More than one turn in a step does not happen in bearings; each whole number in between has its time.
        for level in np.arange(min(whole[k], whole[k + 1]) + 1, max(whole[k], whole[k + 1]) + 1):
            share = (level - turns[k]) / (turns[k + 1] - turns[k])
            found.append(time[k] + share * (time[k + 1] - time[k]))
    return np.array(found, np.float64)


def _rate(time: Floats, values: Floats, at: Floats) -> Floats:
    """Slope of (N,) values at times (K,)."""
    place = np.clip(np.searchsorted(time, at, side="right") - 1, 0, len(time) - 2)
    return np.asarray((values[place + 1] - values[place]) / (time[place + 1] - time[place]))
