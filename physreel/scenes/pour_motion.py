"""How a vessel is tilted over another: where its lip goes, by which angles, and clear of everything on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.distances import world_distances
from physreel.geometry.extents import support_distances
from physreel.geometry.rotations import axis_angle_to_wxyz, multiply_wxyz, rotate_wxyz
from physreel.geometry.vessels import vessel_outline
from physreel.scenes.base import GRAVITY_M_S2
from physreel.scenes.vessels import DrawnVessel, bar_points, tilt_to_hold_rad
from physreel.spec import Body, Keyframe, Vec3

Floats = NDArray[np.float64]

CLEARANCE_M = 0.008
KEY_S = 0.04
"""Time between keyframes: at 120° a second the lip strays 0.1 mm from its way between two of them."""

_THROW = 1.15
_THICK_PA_S = 10.0  # honey: it is tilted faster and farther, or nothing would come of it in a clip
_THICK_TILT_DEG = 24.0
_THICK_HASTE = 0.45
_HEAD_M = 0.009  # what still runs stands about as much above the lip
_FULL_TILT_DEG = 14.0  # beyond the angle at which nothing is held: the last drops run out as well
_MOST_TILT_DEG = 138.0
_TILTS = 5  # tilts between the first flow and the greatest that are worked out
_GLANCE_M, _LOOK_M = 0.035, 0.012  # between points that must be clear: what passes a quick look is looked at closely
_LIFT_M = 0.006
_WAY_LIFT_M = 0.014  # more, where all ways to a place were tried in vain


@dataclass(frozen=True, kw_only=True)
class TiltPlan:
    """Angles over time.

    Attributes:
        begin_s: when the vessel begins to lean.
        flow_s: when liquid at rest would begin to run over its lip.
        full_s: when the greatest tilt is reached.
        back_s: when it begins to turn back, or None.
        flow_rad: tilt at ``flow_s``.
        full_rad: the greatest tilt.
        between_rad: tilts at equal times between the two.
    """

    begin_s: float
    flow_s: float
    full_s: float
    back_s: float | None
    flow_rad: float
    full_rad: float
    between_rad: tuple[float, ...] = ()

    def angle_rad(self, time_s: ArrayLike) -> Floats:
        """Tilt at times; smooth, rising to the greatest tilt and, where planned, half-way back to upright."""
        from scipy.interpolate import PchipInterpolator

        pour = np.linspace(self.flow_s, self.full_s, len(self.between_rad) + 2).tolist()
        tilts = (self.flow_rad, *self.between_rad, self.full_rad)
        knots = [(self.begin_s, 0.0), *zip(pour, tilts, strict=True)]
        if self.back_s is not None:
            knots += [(self.back_s, self.full_rad), (self.back_s + 0.55, 0.5 * self.flow_rad)]
        # Flat ends: it starts from rest and comes to rest.
        times, angles = np.array(
            [(t - 0.02, 0.0) for t, _ in knots[:1]] + knots + [(knots[-1][0] + 0.02, knots[-1][1])]
        ).T
        curve = PchipInterpolator(times, angles)
        return np.asarray(curve(np.clip(time_s, times[0], times[-1])))

    @property
    def end_s(self) -> float:
        """When the last motion ends."""
        return self.full_s if self.back_s is None else self.back_s + 0.55


def plan_tilt(
    rng: np.random.Generator,
    vessel: DrawnVessel,
    volume_m3: float,
    *,
    pour_share: float,
    pour_s: float,
    viscosity_pa_s: float,
) -> TiltPlan:
    """When and how far a vessel that holds ``volume_m3`` leans, to let go ``pour_share`` of it within ``pour_s``.

    As a hand does, it leans so that about as much runs out in each moment.
    """
    thick = min(1.0, (viscosity_pa_s / _THICK_PA_S) ** 0.5)
    begin = float(rng.uniform(0.03, 0.15))
    flow_rad = tilt_to_hold_rad(vessel.shape, volume_m3)
    shares = np.linspace(0.0, 1.0, _TILTS + 2)[1:]
    *still, full_rad = (
        tilt_to_hold_rad(vessel.shape, max(1.0 - share * pour_share, 0.01) * volume_m3, _HEAD_M) for share in shares
    )
    if pour_share > 0.97:
        full_rad += np.radians(_FULL_TILT_DEG)
    full_rad += np.radians(_THICK_TILT_DEG * thick)
    full_rad = max(min(full_rad, np.radians(_MOST_TILT_DEG)), flow_rad + np.radians(6.0))
    between = np.clip(still + shares[:-1] * np.radians(_THICK_TILT_DEG * thick), flow_rad, full_rad)
    flow_s = begin + float(rng.uniform(0.4, 0.6))
    full_s = flow_s + pour_s * (1.0 - _THICK_HASTE * thick)
    turns_back = pour_share < 0.8 and thick < 0.3 and rng.random() < 0.6
    back_s = full_s + float(rng.uniform(0.3, 0.6)) if turns_back else None
    return TiltPlan(
        begin_s=begin, flow_s=flow_s, full_s=full_s, back_s=back_s, flow_rad=float(flow_rad), full_rad=float(full_rad),
        between_rad=tuple(np.maximum.accumulate(between).tolist()),
    )  # fmt: skip


def throw_m(vessel: DrawnVessel, volume_m3: float, pour_s: float, drop_m: float, viscosity_pa_s: float) -> float:
    """About how far from the lip a full stream comes down ``drop_m`` below it.

    Flow q a metre of lip is critical there: it leaves at (g q)^(1/3); what is thick more slowly. The factors are those
    of pours simulated.
    """
    flow = 1.2 * volume_m3 / pour_s / (1.3 * vessel.rim_radius_m)
    speed = (GRAVITY_M_S2 * flow) ** (1.0 / 3.0) / (1.0 + 1.2 * viscosity_pa_s**0.5 + 1.2 * viscosity_pa_s)
    return float(_THROW * speed * np.sqrt(2.0 * max(drop_m, 0.0) / GRAVITY_M_S2))


def pour_keys(
    vessel: DrawnVessel, plan: TiltPlan, lip_m: ArrayLike, heading_rad: float, *, back_m: float, lift_m: float
) -> tuple[Keyframe, ...]:
    """Keyframes of a vessel that leans towards ``heading_rad`` about its lip.

    The lip comes from ``back_m`` behind and ``lift_m`` above its place ``lip_m`` (3,), where it is once liquid flows.
    """
    times = np.arange(0.0, plan.end_s + KEY_S, KEY_S)
    angles = plan.angle_rad(times)
    progress = np.clip((times - plan.begin_s) / (plan.flow_s - plan.begin_s), 0.0, 1.0)
    progress = progress**2 * (3.0 - 2.0 * progress)
    yaw = axis_angle_to_wxyz((0.0, 0.0, 1.0), heading_rad)
    forward = np.array([np.cos(heading_rad), np.sin(heading_rad), 0.0])
    keys = []
    for time, angle, done in zip(times.tolist(), angles.tolist(), progress.tolist(), strict=True):
        place = np.asarray(lip_m) + (1.0 - done) * np.array([0.0, 0.0, lift_m]) - (1.0 - done) * back_m * forward
        turn = multiply_wxyz(yaw, axis_angle_to_wxyz((0.0, 1.0, 0.0), angle))
        x, y, z = (place - rotate_wxyz(turn, _lip_of(vessel))).tolist()
        w, i, j, k = turn.tolist()
        keys.append(Keyframe(time_s=round(time, 6), position_m=(x, y, z), orientation_wxyz=(w, i, j, k)))
    return tuple(keys)


def lip_at(vessel: DrawnVessel, key: Keyframe) -> Floats:
    """(3,) the lip's place at a keyframe."""
    return np.asarray(key.position_m + rotate_wxyz(key.orientation_wxyz, _lip_of(vessel)))


def _lip_of(vessel: DrawnVessel) -> Vec3:
    """The lip's place in the vessel's frame."""
    return vessel.rim_radius_m, 0.0, vessel.shape.rim_z_m


def clear_way(
    vessel: DrawnVessel,
    plan: TiltPlan,
    lip_m: ArrayLike,
    heading_rad: float,
    lower: tuple[Body, ...],
    top_m: float,
) -> tuple[Keyframe, ...]:
    """Keyframes for a lip at ``lip_m`` (3,), or as little above it as keeps clear of ``lower`` and of what bears it.

    Args:
        vessel: what is tilted.
        plan: angles over time.
        lip_m: where the lip should be while it pours.
        heading_rad: the direction it leans in, seen from above.
        lower: bodies that stand below and must not be touched.
        top_m: height of the surface they stand on.
    """
    coarse, fine = _outline(vessel, _GLANCE_M), _outline(vessel, _LOOK_M)

    def clear(keys: Sequence[Keyframe]) -> bool:
        return _clear(keys[:: max(1, min(2, len(keys) // 4))], *coarse) and _clear(keys, *fine)

    def _clear(poses: Sequence[Keyframe], points: Floats, thick: Floats) -> bool:
        world = np.concatenate([key.position_m + rotate_wxyz(key.orientation_wxyz, points) for key in poses])
        radii = np.tile(thick, len(poses)) + CLEARANCE_M
        if (world[:, 2] - radii).min() < top_m:
            return False
        # Only what is about as low as the lower vessel can touch it.
        low = world[:, 2] - radii < top_m + max(_height_m(body) for body in lower)
        return all(
            bool(
                (world_distances(body.shape, (*body.position_m, *body.orientation_wxyz), world[low]) > radii[low]).all()
            )
            for body in lower
        )

    # On the way there it may come from behind or from above, whichever is less out of the way.
    ways = sorted(((b, u) for b in np.arange(0.015, 0.16, 0.0225) for u in np.arange(0.0, 0.2, 0.025)), key=sum)
    lip = np.asarray(lip_m, np.float64)
    # As far from the lip as any of it is: lifted by so much it is above everything, however it leans.
    reach = float((np.linalg.norm(fine[0] - _lip_of(vessel), axis=1) + fine[1]).max()) + CLEARANCE_M
    lift = 0.0
    while True:
        place = lip + np.array([0.0, 0.0, lift])
        keys = pour_keys(vessel, plan, place, heading_rad, back_m=0.0, lift_m=0.0)
        if clear([key for key in keys if key.time_s >= plan.flow_s - 1e-6]):
            for back, up in ways:
                keys = pour_keys(vessel, plan, place, heading_rad, back_m=float(back), lift_m=float(up))
                if lift >= reach or clear(keys):
                    return keys
            lift += _WAY_LIFT_M
        lift += _LIFT_M


def _outline(vessel: DrawnVessel, apart_m: float) -> tuple[Floats, Floats]:
    """(M, 3) points of a vessel's surface and along its handle, in its frame, and (M,) how thick it is about them.

    They are at most ``apart_m`` apart, so that no edge gets between them unseen.
    """
    corners = vessel_outline(vessel.shape)
    rings = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        count = int(np.ceil(np.linalg.norm(b - a) / apart_m))
        for r, z in a + (b - a) * (np.arange(count) / max(count, 1))[:, None]:
            sides = max(1, int(np.ceil(2.0 * np.pi * r / apart_m)))
            angle = np.arange(sides) * (2.0 * np.pi / sides)
            rings.append(np.stack([r * np.cos(angle), r * np.sin(angle), np.full(sides, z)], 1))
    wall = np.concatenate(rings)
    if vessel.handle is None:
        return wall, np.zeros(len(wall))
    bars, radii = bar_points(vessel.handle, apart_m)
    return np.vstack([wall, bars]), np.concatenate([np.zeros(len(wall)), radii])


def _height_m(body: Body) -> float:
    return float(support_distances(body.shape, (0.0, 0.0, 1.0))[0])
