"""Sloshing: a tank is pushed along and stops, or is shaken to and fro; the liquid goes on, and may go over the wall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from physreel.analysis.liquids import (
    extreme_m,
    find_places,
    liquid_frames,
    liquid_of,
)
from physreel.analysis.words import Phrasing, amount, sentence
from physreel.geometry.rotations import rotate_wxyz
from physreel.scenes.asking import coin, picture_side
from physreel.scenes.base import GRAVITY_M_S2, ClipSettings, Scene
from physreel.scenes.liquids import LIQUID_NAMES, draw_liquid, particle_spacing_m
from physreel.scenes.objects import draw_look
from physreel.scenes.parameters import Choice, FloatRange, SceneParameters, choice, float_range
from physreel.scenes.rooms import camera_choice, draw_camera, draw_place, filmed, support_choice, surface_choice
from physreel.scenes.tanks import TankOutcome, draw_turn, in_frame, put, spill_question, tank_points, tank_record
from physreel.spec import Body, Fluid, Keyframe, Quat, SceneSpec, Tank, Vec3, VesselFill
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (1.8, 1.6)
_KEY_S = 1.0 / 60.0
_END_SPACINGS = 2.5
_STILL_SPEED_M_S = 0.01
_GATHERED = 0.012

# How often each answer is true at the default parameters; see even_out.
_SPILLS = {"yes": 0.4, "no": 0.6}


class SloshingOutcome(TankOutcome):
    """How high the liquid went and how often, and what went over the wall."""

    level_m: float = Field(description="height of the liquid above the tank's inside floor at the start")
    amplitude_m: float = Field(description="greatest rise above that at either end wall")
    amplitude_s: float = Field(description="when that was")
    stopped_s: float | None = Field(description="from when on the tank stands; none if it still moves at the end")
    frequency_hz: float | None = Field(
        description="of the liquid's to and fro once the tank stands; none if it does not swing three half periods"
    )


@dataclass(frozen=True, kw_only=True)
class _Drive:
    """The tank's way along its own x."""

    kind: str
    begin_s: float
    length_s: float
    way_m: float
    swings: int

    def place_m(self, time_s: ArrayLike) -> NDArray[np.float64]:
        """Distance from where it starts. A push is a quick start and a harder stop; shaking is a sine, eased in."""
        t = np.clip((np.asarray(time_s, np.float64) - self.begin_s) / self.length_s, 0.0, 1.0)
        if self.kind == "push":
            # Speeds up evenly over the first 0.55 of the time, stops evenly within the last 0.2.
            rise = np.where(
                t < 0.55, t**2 / 0.55, np.where(t < 0.8, 2.0 * t - 0.55, 2.0 * t - 0.55 - (t - 0.8) ** 2 / 0.2)
            )
            return np.asarray(self.way_m * rise / (2.0 - 0.55 - 0.2))
        ease = np.minimum(1.0, 4.0 * self.swings * np.minimum(t, 1.0 - t) / 2.0)
        ease = ease**2 * (3.0 - 2.0 * ease)
        return np.asarray(self.way_m * ease * np.sin(2.0 * np.pi * self.swings * t))


class Sloshing(Scene):
    """A tank of liquid is pushed along and stops, or is shaken to and fro near the liquid's own frequency.

    The liquid runs up the walls, swings on when the tank stands, and goes over the rim where there is little freeboard.
    """

    name = "sloshing"
    version = 1
    domains = ("newtonian", "fluid")
    outcome_type = SloshingOutcome
    headline = "spills"
    default_clip = ClipSettings(fps=30, duration_s=3.0)

    class Parameters(SceneParameters):
        """The tank, how full it is, and how it is moved."""

        liquid: Choice = choice(LIQUID_NAMES, allowed=LIQUID_NAMES, description="what is in the tank")
        motion: Choice = choice(
            ("push", "shake"), allowed=("push", "shake"), description="pushed along until it stops, or to and fro"
        )
        tank_length_m: FloatRange = float_range(
            0.16, 0.4, allowed=(0.08, 2.0), unit="m", description="inside length of the tank, along its way"
        )
        tank_depth_share: FloatRange = float_range(
            0.4, 0.75, allowed=(0.15, 1.5), unit="1", description="inside depth over length"
        )
        level_share: FloatRange = float_range(
            0.25, 0.55, allowed=(0.1, 1.5), unit="1", description="height of the liquid over the tank's length"
        )
        freeboard_share: FloatRange = float_range(
            0.2, 1.1, allowed=(0.05, 5.0), unit="1", description="wall above the liquid over the liquid's height"
        )
        speed_m_s: FloatRange = float_range(
            0.3, 0.85, allowed=(0.05, 5.0), unit="m/s", description="greatest speed of a tank that is pushed"
        )
        shake_share: FloatRange = float_range(
            0.03, 0.09, allowed=(0.005, 0.5), unit="1", description="amplitude of shaking over the tank's length"
        )
        shake_tuning: FloatRange = float_range(
            0.75, 1.25, allowed=(0.2, 3.0), unit="1",
            description="frequency of shaking over the liquid's own (linear waves)",
        )  # fmt: skip
        support: Choice = support_choice("the tank")
        surface: Choice = surface_choice()
        camera_motion: Choice = camera_choice()

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw a tank, its way, and a camera that sees the tank all along it."""
        drawn = cast("Sloshing.Parameters", self.parameters).draw(rng)
        liquid = draw_liquid(rng, drawn["liquid"])
        length = drawn["tank_length_m"]
        level, deep = drawn["level_share"] * length, drawn["tank_depth_share"] * length
        tank = Tank(
            inside_m=(length, deep, (1.0 + drawn["freeboard_share"]) * level), wall_m=max(0.004, 0.018 * length)
        )
        drive = _draw_drive(rng, drawn, length, natural_hz(length, level))
        ends = drive.place_m(np.linspace(0.0, drive.begin_s + drive.length_s, 200))
        middle = 0.5 * float(ends.min() + ends.max())
        least = (1.35 * length + float(np.ptp(ends)), 2.0 * deep + 0.1)
        room, stand = draw_place(rng, drawn, _ROOM_HALF_M, least_m=least)
        turn = draw_turn(rng, 12.0 if drawn["support"] == "table" else 20.0)
        keys = _keys(drive, middle, turn, stand.top_m)
        look, _ = draw_look(rng, "glass")
        body = Body(name="tank", shape=tank, material="glass", motion="driven", keyframes=keys,
                    position_m=keys[0].position_m, orientation_wxyz=turn, look=look, label="glass tank")  # fmt: skip
        corners = rotate_wxyz(turn, tank_points(tank))
        seen = np.concatenate([np.asarray(key.position_m) + corners for key in keys[::4]])
        wet = np.vstack([seen, seen.max(0) + np.array([0.02, 0.02, 0.04]), seen.min(0) - np.array([0.02, 0.02, 0.0])])
        camera = draw_camera(
            rng, self.clip, wet, moving=drawn["camera_motion"] == "slow", room_half_m=_ROOM_HALF_M,
            azimuth_deg=(-110.0, -65.0), elevation_deg=(10.0, 28.0),
        )  # fmt: skip
        fluid = Fluid(name="liquid", liquid=liquid.name, fills=(VesselFill(vessel="tank", level_m=level),),
                      label=liquid.name)  # fmt: skip
        return SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            bodies=(*room.bodies, *stand.bodies, body),
            fluids=(fluid,),
            liquids=(liquid,),
            particle_spacing_m=particle_spacing_m(length * deep * level, self.clip.quality),
            **filmed(room, camera),
            cue_s=min(round((drive.begin_s + 0.25) * self.clip.fps) / self.clip.fps, 0.5 * self.clip.duration_s),
            parameters=drawn,
        )

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> SloshingOutcome:
        """Measure the rise at the end walls, the swing once the tank stands, and what leaves it."""
        index = spec.body_index("tank")
        tank = spec.bodies[index].shape
        assert isinstance(tank, Tank)
        places = find_places(spec, trajectory)
        spacing = liquid_of(trajectory).spacing_m
        local = in_frame(trajectory, index, liquid_frames(trajectory)[0])
        held = places.place == index
        ends = held & (np.abs(local[..., 0]) > tank.inside_m[0] / 2 - _END_SPACINGS * spacing)
        height = np.array([extreme_m(x[e, 2]) for x, e in zip(local, ends, strict=True)])
        height += 0.5 * spacing - tank.floor_z_m
        level = float(height[0])
        top = int(height.argmax())
        stopped = _stopped_s(trajectory, index)
        return SloshingOutcome(
            **tank_record(spec, trajectory, places, index),
            level_m=level,
            amplitude_m=float(height[top]) - level,
            amplitude_s=top / trajectory.fps,
            stopped_s=stopped,
            frequency_hz=None if stopped is None else _swing_hz(local[..., 0], held, stopped, trajectory.fps),
        )

    def caption(self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]) -> str:
        """How the tank is moved, how the liquid takes it, and whether it spills."""
        result, say = cast("SloshingOutcome", outcome), Phrasing(spec)
        if spec.parameters.get("motion") == "push":
            moved, halt = say.pick(0, (("is pushed along", "and stops"), ("slides along", "and comes to a stop")))
            moved = moved if result.stopped_s is None else f"{moved} {halt}"
        else:
            moved = say.pick(0, ("is shaken to and fro", "is moved back and forth"))
        where = next((body.label for body in spec.bodies if body.name == "table"), "floor")
        opening = f"a glass tank of {result.liquid} {moved} on the {where}"
        lively = result.amplitude_m / result.level_m
        if lively > 0.25:
            middle = say.pick(1, ("the liquid runs high up its walls", "the liquid surges up the end walls"))
        elif lively > 0.08:
            middle = say.pick(1, ("the liquid swings from end to end", "the liquid sways to and fro"))
        else:
            middle = say.pick(1, ("the liquid hardly stirs", "the surface stays nearly level"))
        share = 1.0 - result.in_tank_share
        spill = (
            f"{amount(share)} of it goes over the rim" if share >= 0.005 else say.pick(2, ("nothing is spilled", ""))
        )
        return " ".join(sentence(text) for text in (opening, middle, spill) if text)

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """Whether it spills; or on which side it rises first and when it stands highest.

        Not all three: what does not stir does not spill.
        """
        result = cast("SloshingOutcome", outcome)
        if coin(rng):
            spills = spill_question(result, _SPILLS, rng)
            return (spills,) if spills else ()
        asked = []
        side = _first_side(spec, trajectory)
        if side is not None:
            asked.append(
                Question(
                    kind="first_rise",
                    question="At which end of the tank, as seen in the picture, does the liquid first run up the wall?",
                    answer=side,
                    answer_type="choice",
                    choices=("left", "right"),
                )
            )
        if result.amplitude_m > 0.15 * result.level_m and result.amplitude_s > spec.cue_s:
            asked.append(
                Question(
                    kind="highest_time",
                    question="At what time, in seconds from the start of the clip, does the liquid stand highest at "
                    "either end of the tank?",
                    answer=f"{result.amplitude_s:.2f}",
                    answer_type="time_s",
                )
            )
        return tuple(asked)


def natural_hz(length_m: float, level_m: float) -> float:
    """Frequency of the first mode along a tank by linear waves: f = √(g k tanh(k h)) / 2π, k = π / L."""
    k = np.pi / length_m
    return float(np.sqrt(GRAVITY_M_S2 * k * np.tanh(k * level_m)) / (2.0 * np.pi))


def _draw_drive(rng: np.random.Generator, drawn: dict[str, object], length: float, natural: float) -> _Drive:
    begin = float(rng.uniform(0.08, 0.2))
    if drawn["motion"] == "push":
        way = float(rng.uniform(0.18, 0.4))
        # Its greatest speed is 2 / 1.25 of the mean.
        return _Drive(
            kind="push", begin_s=begin, length_s=1.6 * way / cast("float", drawn["speed_m_s"]), way_m=way, swings=0
        )
    swings = int(rng.integers(2, 5))
    length_s = swings / (natural * cast("float", drawn["shake_tuning"]))
    way = cast("float", drawn["shake_share"]) * length * (1.0 if rng.random() < 0.5 else -1.0)
    return _Drive(kind="shake", begin_s=begin, length_s=length_s, way_m=way, swings=swings)


def _keys(drive: _Drive, middle_m: float, turn: Quat, top_m: float) -> tuple[Keyframe, ...]:
    times = np.arange(0.0, drive.begin_s + drive.length_s + _KEY_S, _KEY_S)
    return tuple(
        Keyframe(time_s=round(t, 6), position_m=_along(turn, x - middle_m, top_m), orientation_wxyz=turn)
        for t, x in zip(times.tolist(), drive.place_m(times).tolist(), strict=True)
    )


def _along(turn: Quat, x: float, top_m: float) -> Vec3:
    return put((0.0, 0.0, top_m), turn, (x, 0.0, 0.0))


def _stopped_s(trajectory: Trajectory, index: int) -> float | None:
    """When the tank's last motion ends, to a frame."""
    place = np.concatenate([trajectory.body_pose[:, index, :3], trajectory.body_pose_end[None, index, :3]])
    moves = np.linalg.norm(np.diff(place, axis=0), axis=1) * trajectory.fps > _STILL_SPEED_M_S
    if not moves.any():
        return 0.0
    last = int(np.flatnonzero(moves)[-1]) + 1
    return None if last >= trajectory.frame_count else last / trajectory.fps


def _swing_hz(x: NDArray[np.float64], held: NDArray[np.bool_], stopped_s: float, fps: int) -> float | None:
    """Frequency of the liquid's centre along the tank after it stopped, from where it crosses its mean."""
    begin = round(stopped_s * fps)
    center = _centers(x[begin:], held[begin:])
    if len(center) < 8:
        return None
    swing = center - center.mean()
    if np.abs(swing).max() < 0.002 * float(np.ptp(x[0])):
        return None
    k = np.flatnonzero(np.sign(swing[1:]) != np.sign(swing[:-1]))
    if len(k) < 4:
        return None
    times = (k + swing[k] / (swing[k] - swing[k + 1])) / fps
    return float(0.5 * (len(times) - 1) / (times[-1] - times[0]))


def _centers(x: NDArray[np.float64], held: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(T,) the mean of x (T, N) of what is in the tank; 0 of nothing."""
    return np.array([row[h].mean() if h.any() else 0.0 for row, h in zip(x, held, strict=True)])


def _first_side(spec: SceneSpec, trajectory: Trajectory) -> str | None:
    """The side of the picture on which the liquid first gathers; None if it never does.

    Its centre has moved along by ``_GATHERED`` of the tank's length: a wave from end to end of 6 % of its level.
    """
    index = spec.body_index("tank")
    tank = spec.bodies[index].shape
    assert isinstance(tank, Tank)
    local = in_frame(trajectory, index, liquid_frames(trajectory)[0])
    gathered = _centers(local[..., 0], find_places(spec, trajectory).place == index)
    late = np.flatnonzero(np.abs(gathered) > _GATHERED * tank.inside_m[0])
    if not len(late):
        return None
    body = spec.bodies[index]
    end = put(body.position_m, body.orientation_wxyz, (np.sign(gathered[late[0]]) * tank.inside_m[0] / 2, 0.0, 0.0))
    return "right" if picture_side(spec, end, body.position_m) > 0.0 else "left"
