"""Dam break: a column of liquid is let go in a tank, runs over the floor and up the far wall, and may spill over it."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from pydantic import Field

from physreel.analysis.draws import pick
from physreel.analysis.liquids import (
    crossing_s,
    extreme_m,
    find_places,
    liquid_frames,
    liquid_of,
)
from physreel.analysis.thresholds import SEEN_PARTICLES
from physreel.analysis.words import Phrasing, a, amount, sentence
from physreel.geometry.extents import support_distances
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.scenes.asking import coin, even_out
from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.liquids import LIQUID_NAMES, draw_liquid, particle_spacing_m
from physreel.scenes.objects import describe, draw_look
from physreel.scenes.parameters import Choice, FloatRange, SceneParameters, choice, float_range
from physreel.scenes.rooms import camera_choice, draw_camera, draw_place, filmed, support_choice, surface_choice
from physreel.scenes.tanks import TankOutcome, draw_turn, in_frame, put, spill_question, tank_points, tank_record
from physreel.spec import Body, Box, Cylinder, Fluid, Quat, RegionFill, SceneSpec, Tank, Vec3
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (1.8, 1.6)
_OBSTACLES = ("none", "block", "step", "post")
_NEAR_WALL_SPACINGS = 2.5

# How often each answer is true at the default parameters; see even_out.
_SPILLS = {"yes": 0.3, "no": 0.7}  # of clips in which it is clear
_HIGHER = {"yes": 0.45, "no": 0.55}


class DamBreakOutcome(TankOutcome):
    """How the liquid ran, rose and settled. Heights are above the tank's inside floor."""

    column_m: float = Field(description="height of the column at the start")
    obstacle_reached_s: float | None = Field(description="when the front meets the obstacle; none without one")
    obstacle_overtopped: bool | None = Field(description="whether liquid goes over its top; none without one")
    front_arrival_s: float | None = Field(description="when the front reaches the far wall; none if it does not")
    run_up_m: float = Field(description="greatest height of liquid at the far wall; 0 if it never gets there")
    run_up_s: float | None = Field(description="when that was; none if it never gets there")


class DamBreak(Scene):
    """A column of liquid at one end of a tank is let go, runs to the other end, rises there and comes back.

    A block, step or post may stand in its way; low tanks are spilt over.
    """

    name = "dam_break"
    version = 1
    domains = ("newtonian", "fluid")
    outcome_type = DamBreakOutcome
    headline = "spills"
    default_clip = ClipSettings(fps=30, duration_s=3.0)

    class Parameters(SceneParameters):
        """The tank, the column, and what stands in the way."""

        liquid: Choice = choice(LIQUID_NAMES, allowed=LIQUID_NAMES, description="what runs")
        tank_length_m: FloatRange = float_range(
            0.35, 0.8, allowed=(0.15, 3.0), unit="m", description="inside length of the tank"
        )
        tank_depth_share: FloatRange = float_range(
            0.22, 0.4, allowed=(0.1, 1.0), unit="1", description="inside depth over length"
        )
        tank_height_share: FloatRange = float_range(
            1.02, 1.4, allowed=(1.0, 5.0), unit="1", description="height of the walls over that of the column"
        )
        column_width_share: FloatRange = float_range(
            0.2, 0.38, allowed=(0.05, 0.8), unit="1", description="width of the column over the tank's length"
        )
        column_aspect: FloatRange = float_range(
            0.9, 2.0, allowed=(0.3, 4.0), unit="1", description="height of the column over its width"
        )
        obstacle: Choice = choice(_OBSTACLES, allowed=_OBSTACLES, description="what stands in the way")
        support: Choice = support_choice("the tank")
        surface: Choice = surface_choice("wood", "marble", "tiles", "rubber", "concrete")
        camera_motion: Choice = camera_choice()

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw a tank, a column at one end of it, an obstacle and a camera that sees along and into the tank."""
        drawn = cast("DamBreak.Parameters", self.parameters).draw(rng)
        liquid = draw_liquid(rng, drawn["liquid"])
        length = drawn["tank_length_m"]
        width = drawn["column_width_share"] * length
        high = drawn["column_aspect"] * width
        deep = drawn["tank_depth_share"] * length
        tank = Tank(inside_m=(length, deep, drawn["tank_height_share"] * high), wall_m=max(0.005, 0.014 * length))
        room, stand = draw_place(rng, drawn, _ROOM_HALF_M, least_m=(1.3 * length, 2.0 * deep))
        # The column is at the tank's own - x; the tank is turned so that it is as often on the left as on the right.
        place, turn = (0.0, 0.0, stand.top_m), draw_turn(rng)
        look, _ = draw_look(rng, "glass")
        bodies = [
            Body(name="tank", shape=tank, material="glass", motion="static", position_m=place, orientation_wxyz=turn,
                 look=look, label="glass tank"),
            *_obstacle(rng, drawn["obstacle"], tank, width, high, place, turn),
        ]  # fmt: skip
        column = RegionFill(
            shape=Box(size_m=(width, deep, high)),
            position_m=put(place, turn, ((width - length) / 2, 0.0, tank.floor_z_m + high / 2)),
            orientation_wxyz=turn,
        )
        camera = draw_camera(
            rng, self.clip, place + rotate_wxyz(turn, tank_points(tank)), moving=drawn["camera_motion"] == "slow",
            room_half_m=_ROOM_HALF_M, azimuth_deg=(-110.0, -65.0), elevation_deg=(10.0, 30.0),
        )  # fmt: skip
        return SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            bodies=(*room.bodies, *stand.bodies, *bodies),
            fluids=(Fluid(name="liquid", liquid=liquid.name, fills=(column,), label=liquid.name),),
            liquids=(liquid,),
            particle_spacing_m=particle_spacing_m(width * deep * high, self.clip.quality),
            **filmed(room, camera),
            cue_s=min(round(0.12 * self.clip.fps) / self.clip.fps, 0.5 * self.clip.duration_s),
            parameters=drawn,
        )

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> DamBreakOutcome:
        """Follow the front along the floor, the rise at the far wall, and what leaves the tank."""
        index = spec.body_index("tank")
        tank = spec.bodies[index].shape
        assert isinstance(tank, Tank)
        places = find_places(spec, trajectory)
        local, held = in_frame(trajectory, index, liquid_frames(trajectory)[0]), places.place == index
        spacing = liquid_of(trajectory).spacing_m
        far = tank.inside_m[0] / 2
        front = np.array([extreme_m(x[h, 0]) for x, h in zip(local, held, strict=True)]) + 0.5 * spacing
        reach = far - _NEAR_WALL_SPACINGS * spacing
        rise = np.array([extreme_m(x[h & (x[:, 0] > reach), 2]) for x, h in zip(local, held, strict=True)])
        rise += 0.5 * spacing - tank.floor_z_m
        arrival = crossing_s(front, far - 0.6 * spacing, trajectory.fps)
        top = int(rise.argmax())
        reached, overtopped = _at_obstacle(spec, trajectory, local, held, front)
        return DamBreakOutcome(
            **tank_record(spec, trajectory, places, index),
            column_m=float(local[0, :, 2].max() + 0.5 * spacing - tank.floor_z_m),
            obstacle_reached_s=reached,
            obstacle_overtopped=overtopped,
            front_arrival_s=arrival,
            run_up_m=max(float(rise[top]), 0.0),
            run_up_s=top / trajectory.fps if rise[top] > 0.0 else None,
        )

    def caption(self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]) -> str:
        """What is let go, whether it gets to the far wall and how high it rises there, and whether it spills."""
        result, say = cast("DamBreakOutcome", outcome), Phrasing(spec)
        opening = say.pick(
            0,
            (
                f"a column of {result.liquid} collapses at one end of a glass tank",
                f"{result.liquid} stands as a block at one end of a glass tank and is let go",
            ),
        )
        body = next((body for body in spec.bodies if body.name == "obstacle"), None)
        if body is None:
            way = ""
        elif result.obstacle_reached_s is None:
            way = f"it does not get as far as {a(body.label)} in its way"
        else:
            over = "goes over" if result.obstacle_overtopped else say.pick(1, ("is parted by", "runs up against"))
            way = f"it {over} {a(body.label)} in its way"
        if result.front_arrival_s is None:
            far = say.pick(2, ("it does not get to the far wall in this time", "it does not reach the far wall"))
        else:
            higher = "higher" if result.run_up_m > 1.03 * result.column_m else "less high"
            far = f"at the far wall it rises {higher} than it stood"
        spill = f"{amount(result.spilled_share)} of it spills over the wall" if result.spilled_share >= 0.005 else ""
        return " ".join(sentence(text) for text in (opening, way, far, spill) if text)

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """When the front arrives or how high it rises, and whether any of it spills.

        Of the first two only one: what arrives at no time does not rise there either.
        """
        result = cast("DamBreakOutcome", outcome)
        asked = []
        timed = coin(rng)
        if timed and result.front_arrival_s is not None and result.front_arrival_s > spec.cue_s:
            asked.append(
                Question(
                    kind="front_arrival",
                    question="At what time, in seconds from the start of the clip, does the liquid reach the far wall?",
                    answer=f"{result.front_arrival_s:.2f}",
                    answer_type="time_s",
                )
            )
        ratio = result.run_up_m / result.column_m
        higher = "yes" if ratio > 1.0 else "no"
        if not timed and not 0.9 < ratio < 1.1 and even_out(rng, higher, _HIGHER):
            asked.append(
                Question(
                    kind="rises_higher",
                    question="Does the liquid rise higher at the far wall than it stood at the start?",
                    answer=higher,
                    answer_type="yes_no",
                )
            )
        spills = spill_question(result, _SPILLS, rng)
        return (*asked, *([spills] if spills else []))


def _obstacle(
    rng: np.random.Generator, kind: str, tank: Tank, width: float, high: float, place: Vec3, turn: Quat
) -> tuple[Body, ...]:
    """What stands on the tank's floor in the way of the front."""
    if kind == "none":
        return ()
    length, deep, height = tank.inside_m
    free = length - width
    x = width - length / 2 + float(rng.uniform(0.45, 0.65)) * free
    tall = float(rng.uniform(0.15, 0.3)) * high
    shape: Box | Cylinder
    match kind:
        case "block":
            shape = Box(size_m=(float(rng.uniform(0.1, 0.18)) * free, float(rng.uniform(0.35, 0.5)) * deep, tall))
        case "step":
            shape = Box(size_m=(float(rng.uniform(0.1, 0.18)) * free, deep, tall))
        case _:
            tall = 0.85 * height
            shape = Cylinder(radius_m=float(rng.uniform(0.1, 0.16)) * deep, height_m=tall)
    material = pick(rng, ("ABS", "ceramic", "marble", "oak"))
    look, color = draw_look(rng, material)
    at = put(place, turn, (x, 0.0, tank.floor_z_m + tall / 2))
    label = describe(color, material, kind)
    return (
        Body(name="obstacle", shape=shape, material=material, motion="static", position_m=at, orientation_wxyz=turn,
             look=look, label=label),
    )  # fmt: skip


def _at_obstacle(
    spec: SceneSpec, trajectory: Trajectory, local: Any, held: Any, front: Any
) -> tuple[float | None, bool | None]:
    """When the front meets the obstacle, and whether liquid ever is above it; None, None without one."""
    body = next((body for body in spec.bodies if body.name == "obstacle"), None)
    if body is None:
        return None, None
    tank = spec.bodies[spec.body_index("tank")]
    middle = rotate_wxyz(conjugate_wxyz(tank.orientation_wxyz), np.subtract(body.position_m, tank.position_m))
    half = support_distances(body.shape, np.eye(3))
    reached = crossing_s(front, float(middle[0] - half[0]) - 0.1 * liquid_of(trajectory).spacing_m, trajectory.fps)
    off = local - middle
    over = held & (np.abs(off[..., :2]) < half[:2]).all(-1) & (off[..., 2] > half[2])
    return reached, bool((over.sum(1) >= SEEN_PARTICLES).any())
