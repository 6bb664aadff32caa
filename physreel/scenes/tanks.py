"""Glass tanks that stand turned about the vertical, placing things in them, what stays in them and what they spill.

Shared by scenes with liquids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from physreel.analysis.liquids import GONE, IN_FLIGHT, OUTSIDE, LiquidPlaces, first_lost_s, settled_level_m
from physreel.geometry.rotations import axis_angle_to_wxyz, conjugate_wxyz, rotate_wxyz
from physreel.scenes.asking import even_out
from physreel.spec import Quat, SceneSpec, Tank, Vec3
from physreel.values import Outcome, Question, Trajectory

Floats = NDArray[np.float64]

_SEEN_SHARE = 0.005  # of the liquid: less that is lost may escape the eye


class TankOutcome(Outcome):
    """What stays in a tank, and what leaves it. The three shares add up to one, particle by particle."""

    liquid: str = Field(description="what is in the tank")
    volume_l: float = Field(description="how much there is of it, litres")
    spills: bool = Field(description="whether liquid leaves the tank")
    spill_s: float | None = Field(description="when it first does; none if it does not")
    in_tank_share: float = Field(description="share in the tank at the end")
    spilled_share: float = Field(description="share outside that has come down, at the end")
    in_flight_share: float = Field(description="share in the air, or running down, at the end")
    final_level_m: float = Field(description="height of the liquid above the tank's inside floor at the end")


def tank_record(spec: SceneSpec, trajectory: Trajectory, places: LiquidPlaces, tank: int) -> dict[str, Any]:
    """The values of a ``TankOutcome``, by field."""
    spill = first_lost_s(places, tank)
    return {
        "liquid": spec.fluids[0].label,
        "volume_l": 1e3 * places.particle_volume_m3 * places.place.shape[1],
        "spills": spill is not None,
        "spill_s": spill,
        "in_tank_share": places.share_at_end(tank),
        "spilled_share": places.share_at_end(OUTSIDE, GONE),
        "in_flight_share": places.share_at_end(IN_FLIGHT),
        "final_level_m": settled_level_m(spec, trajectory, tank),
    }


def spill_question(result: TankOutcome, shares: Mapping[str, float], rng: np.random.Generator) -> Question | None:
    """Whether any is spilled; None where too little is for the eye, or where the answer has come up often enough."""
    answer, lost = "yes" if result.spills else "no", 1.0 - result.in_tank_share
    if 0.0 < lost <= _SEEN_SHARE or not even_out(rng, answer, shares):
        return None
    return Question(
        kind="spills", question="Does any of the liquid leave the tank?", answer=answer, answer_type="yes_no"
    )


def draw_turn(rng: np.random.Generator, spread_deg: float = 20.0) -> Quat:
    """A turn about the vertical: the tank's + x to the right as often as to the left, within ``spread_deg``."""
    yaw = np.radians(rng.uniform(-spread_deg, spread_deg)) + (np.pi if rng.random() < 0.5 else 0.0)
    w, x, y, z = axis_angle_to_wxyz((0.0, 0.0, 1.0), float(yaw)).tolist()
    return w, x, y, z


def put(place_m: ArrayLike, turn_wxyz: ArrayLike, point_m: ArrayLike) -> Vec3:
    """A point of a frame that stands at ``place_m`` turned by ``turn_wxyz``, in the world."""
    x, y, z = (np.asarray(place_m) + rotate_wxyz(turn_wxyz, point_m)).tolist()
    return x, y, z


def tank_points(tank: Tank) -> Floats:
    """(8, 3) corners of the tank's outside, in its frame."""
    x, y, _ = tank.inside_m
    half = np.array([x / 2 + tank.wall_m, y / 2 + tank.wall_m])
    return np.array(
        [(sx * half[0], sy * half[1], z) for sx in (-1.0, 1.0) for sy in (-1.0, 1.0) for z in (0.0, tank.rim_z_m)]
    )


def in_frame(trajectory: Trajectory, body: int, points_m: Floats) -> Floats:
    """(T + 1, N, 3) points at the frames and the end, in a body's frame then."""
    pose = np.concatenate([trajectory.body_pose[:, body], trajectory.body_pose_end[None, body]])[:, None]
    return np.asarray(rotate_wxyz(conjugate_wxyz(pose[..., 3:]), points_m - pose[..., :3]))
