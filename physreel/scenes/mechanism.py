"""A mechanism to mend: a motor, gears, a belt, a lever and a latch should ring a bell or lift a weight; or cannot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
from pydantic import Field

from physreel.analysis.draws import pick, shuffled
from physreel.analysis.machines import slip_begins_s
from physreel.analysis.words import Phrasing
from physreel.errors import SpecError
from physreel.scenes import mechanism_words as words
from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.mechanism_faults import FAULT_OF, FAULTS, PART_OF, Fault, Part, mended, put_wrong, wrong_parts
from physreel.scenes.mechanism_parts import MechanismLooks, MechanismValues, build
from physreel.scenes.mechanism_plan import Job, MechanismPlan
from physreel.scenes.mechanism_reading import job_done_s, part_motions, strike_times_s, weight_rise_m
from physreel.scenes.objects import COLORS
from physreel.scenes.parameters import Choice, FloatRange, SceneParameters, choice, float_range
from physreel.scenes.rooms import camera_choice, draw_camera, draw_place, filmed, support_choice, surface_choice
from physreel.spec import Look, SceneSpec, Texture
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (1.8, 1.5)
_LEAST_TABLE_M = (0.95, 0.42)
_STEP_S = 1.0 / 2400.0
"""Teeth that carry a load want steps this fine."""

_EFFORT_N_M = 0.6
_RAMP_S = 0.15
_SPRING_N_M_RAD: dict[Job, tuple[float, float]] = {"ring_bell": (2.6, 3.0), "lift_weight": (0.44, 0.49)}
RIGHT, WRONG = "repaired", "otherwise_repaired"
"""Names of the alternatives: the part at fault set right, and another part renewed."""

JOBS: tuple[Job, ...] = ("ring_bell", "lift_weight")


class PartMotion(Outcome):
    """How one part of the chain moved."""

    name: str = Field(description="the body's name in the spec")
    label: str = Field(description="what captions call it")
    first_motion_s: float | None = Field(description="when it first moves; none if it never does")
    as_it_should: bool = Field(description="whether it moves as in the repaired machine, in every 0.6 s of the clip")


class MechanismOutcome(Outcome):
    """Whether the machine did its job, and if not, what mends it."""

    job: Literal["ring_bell", "lift_weight"] = Field(description="what the machine is for")
    done: bool = Field(description="whether the bell was struck, or the weight reached the mark")
    done_s: float | None = Field(description="when; none if it did not happen")
    fault: Fault = Field(
        description="what is wrong, by the repair that makes it work: none (it works, or nothing tried mends it), "
        + ", ".join(FAULTS[1:])
    )
    first_part: str = Field(
        description="name of the first part from the motor on that does not move as in the repaired machine; none"
    )
    repair: str = Field(description="the part whose repair makes it work; none")
    repair_verified: bool = Field(description="whether the machine with that repair was simulated and did its job")
    wrong_repair: str = Field(description="another part that was renewed instead in a simulation; none")
    wrong_repair_works: bool | None = Field(description="whether the machine then did its job; none if not tried")
    parts: list[PartMotion] = Field(description="the parts that move, from the motor to the load")
    weight_rise_m: float | None = Field(description="how far the weight rose at most; none without a weight")
    bell_strikes: int | None = Field(description="how many times the bell was struck; none without a bell")
    belt_slips_s: float | None = Field(description="when the belt begins to slip; none if it holds")


class MechanismScene(Scene):
    """A machine on a board should ring a bell or lift a weight; it does, or one of its parts is faulty.

    A motor drives three gears, a belt and a finger that presses a lever down; the lever lifts a latch, and a spring
    swings a hammer against a bell or an arm under a weight. At most one part is faulty: some faults are seen, others
    follow only from what moves and what does not. The repair is verified by simulating the repaired machine.
    """

    name = "mechanism"
    version = 1
    domains = ("machine", "rigid", "contact")
    outcome_type = MechanismOutcome
    headline = "fault"
    default_clip = ClipSettings(fps=24, duration_s=3.0)

    class Parameters(SceneParameters):
        """What the machine is for, what is wrong with it, and how it runs."""

        job: Choice = choice(JOBS, allowed=JOBS, description="what the machine should do")
        fault: Choice = choice(FAULTS, allowed=FAULTS, description="what is wrong with it")
        side: Choice = choice(
            ("left_to_right", "right_to_left"), allowed=("left_to_right", "right_to_left"),
            description="which way the chain of parts runs as the camera sees it",
        )  # fmt: skip
        motor_speed_rad_s: FloatRange = float_range(
            7.0, 10.0, allowed=(2.0, 14.0), unit="rad/s", description="speed of the driving gear"
        )
        start_s: FloatRange = float_range(
            0.15, 0.4, allowed=(0.0, 5.0), unit="s", description="when the motor is switched on"
        )
        belt_tension_n: FloatRange = float_range(
            35.0, 60.0, allowed=(20.0, 200.0), unit="N", description="tension of a sound belt at rest"
        )
        weight_kg: FloatRange = float_range(
            0.15, 0.3, allowed=(0.05, 0.32), unit="kg", description="the weight that is to be lifted"
        )
        support: Choice = support_choice("the board")
        surface: Choice = surface_choice()
        camera_motion: Choice = camera_choice()

    def __init__(self, *, clip: ClipSettings | None = None, **parameters: Any) -> None:
        super().__init__(clip=clip, **parameters)
        given = cast("MechanismScene.Parameters", self.parameters)
        if clip is not None and given.start_s.high >= self.clip.duration_s and "start_s" in parameters:
            raise SpecError(
                [
                    f"start_s: {given.start_s} s is not before the clip's end; use at most "
                    f"{0.5 * self.clip.duration_s:g} s, or a longer clip than {self.clip.duration_s:g} s"
                ],
                what=f"the parameters of scene {self.name!r}",
            )

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw a machine, put one part of it wrong or none, and stand it on a table or the floor before a camera."""
        parameters = cast("MechanismScene.Parameters", self.parameters)
        drawn = parameters.draw(rng)
        job, fault = cast("Job", drawn["job"]), cast("Fault", drawn["fault"])
        room, stand = draw_place(rng, drawn, _ROOM_HALF_M, least_m=_LEAST_TABLE_M)
        plan = _draw_plan(rng, job, drawn["side"] == "right_to_left", stand.top_m)
        drawn |= {
            "motor_effort_n_m": _EFFORT_N_M,
            "ramp_s": _RAMP_S,
            "spring_n_m_rad": float(rng.uniform(*_SPRING_N_M_RAD[job])),
        }
        values = MechanismValues(
            motor_speed_rad_s=drawn["motor_speed_rad_s"], motor_effort_n_m=_EFFORT_N_M, start_s=drawn["start_s"],
            ramp_s=_RAMP_S, belt_tension_n=drawn["belt_tension_n"], spring_n_m_rad=drawn["spring_n_m_rad"],
            weight_kg=drawn["weight_kg"],
        )  # fmt: skip
        machine = build(plan, values, _draw_looks(rng))
        camera = draw_camera(
            rng, self.clip, plan.corners_m(), moving=drawn["camera_motion"] == "slow", room_half_m=_ROOM_HALF_M,
            azimuth_deg=(-104.0, -76.0), elevation_deg=(3.0, 16.0),
        )  # fmt: skip
        spec = SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            step_s=_STEP_S,
            bodies=(*room.bodies, *stand.bodies, *machine.bodies),
            joints=machine.joints,
            belts=machine.belts,
            contact_pairs=machine.contact_pairs,
            **filmed(room, camera),
            cue_s=min(drawn["start_s"] + 0.1, 0.4 * self.clip.duration_s),
            parameters=drawn,
        )
        return put_wrong(spec, plan, fault, rng)

    def alternatives(self, spec: SceneSpec) -> Mapping[str, SceneSpec]:
        """The machine with the faulty part set right, and with another part renewed instead; none of a sound one."""
        part = PART_OF.get(cast("Fault", spec.parameters["fault"]))
        if part is None:
            return {}
        return {RIGHT: mended(spec, part), WRONG: mended(spec, _tried_instead(spec, part))}

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> MechanismOutcome:
        """What the machine did; nothing of repairs, for which others must be simulated."""
        return self.compared_outcome(spec, trajectory, {})

    def compared_outcome(
        self, spec: SceneSpec, trajectory: Trajectory, others: Mapping[str, Trajectory]
    ) -> MechanismOutcome:
        """What the machine did, and the same with repairs; the first part that moves otherwise than when repaired."""
        done_s = job_done_s(spec, trajectory)
        part = PART_OF.get(cast("Fault", spec.parameters["fault"]))
        works = {name: job_done_s(spec, other) is not None for name, other in others.items()}
        verified = done_s is None and works.get(RIGHT, False)
        motions = part_motions(spec, trajectory, others[RIGHT] if verified else trajectory)
        bad = [motion.name for motion in motions if not motion.as_it_should]
        tried = part is not None and WRONG in works
        return MechanismOutcome(
            job=cast("Job", spec.parameters["job"]),
            done=done_s is not None,
            done_s=done_s,
            fault=FAULT_OF[part] if part is not None and verified else "none",
            first_part=bad[0] if bad else "none",
            repair=part if part is not None and verified else "none",
            repair_verified=verified,
            wrong_repair=_tried_instead(spec, part) if tried and part is not None else "none",
            wrong_repair_works=works[WRONG] if tried else None,
            parts=[PartMotion(**motion.__dict__) for motion in motions],
            weight_rise_m=weight_rise_m(spec, trajectory),
            bell_strikes=len(strike_times_s(spec, trajectory)) if spec.parameters["job"] == "ring_bell" else None,
            belt_slips_s=slip_begins_s(trajectory, "belt"),
        )

    def caption(self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]) -> str:
        """What the machine is for, whether it works, and if not, what stands still and why."""
        return words.caption(spec, cast("MechanismOutcome", outcome))

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """Whether and when it does its job; what stands still first; what would mend it; whether the belt slips."""
        return words.questions(spec, cast("MechanismOutcome", outcome), rng)


def _tried_instead(spec: SceneSpec, part: Part) -> Part:
    others = wrong_parts(part)
    return others[Phrasing(spec).number(0) % len(others)]


def _draw_plan(rng: np.random.Generator, job: Job, mirrored: bool, top_m: float) -> MechanismPlan:
    def turn(low_deg: float, high_deg: float) -> float:
        return math.radians(float(rng.uniform(low_deg, high_deg)))

    plan = MechanismPlan(
        job=job,
        tooth_counts=(int(rng.integers(17, 20)), int(rng.integers(17, 21)), int(rng.integers(24, 29))),
        gear_lines_rad=(turn(-40.0, -15.0), turn(-80.0, -55.0)),
        shaft_line_rad=turn(-45.0, -10.0),
        shaft_distance_m=float(rng.uniform(0.185, 0.2)),
        pulley_radii_m=(pick(rng, (0.028, 0.031, 0.034)), pick(rng, (0.044, 0.047, 0.050))),
        finger_turn_rad=turn(90.0, 150.0),
        gear_turn_rad=turn(0.0, 20.0),
        thinning_m=1e-4,
        mirrored=mirrored,
        origin_m=(0.0, 0.0, 0.0),
    )
    return plan.standing(float(rng.uniform(-0.03, 0.03)), 0.0, top_m)


def _draw_looks(rng: np.random.Generator) -> MechanismLooks:
    names = [name for name in COLORS if name not in ("black", "white")]
    paints = shuffled(rng, tuple(names))
    shade = float(rng.uniform(0.45, 0.85))
    board = pick(
        rng, ((0.86, 0.83, 0.76), (0.62, 0.47, 0.30), (0.55, 0.62, 0.66), (0.74, 0.70, 0.62), (0.45, 0.50, 0.46))
    )
    grain = Texture(kind="wood", color=_shaded(board, 0.8), scale_m=0.06, seed=int(rng.integers(2**31 - 1)))
    wooden = rng.random() < 0.5

    def paint(k: int) -> Look:
        return Look(color=COLORS[paints[k % len(paints)]], roughness=0.45)

    metals = ((0.56, 0.57, 0.58), (0.70, 0.52, 0.22), (0.42, 0.43, 0.46))
    gears = tuple(Look(color=pick(rng, metals), roughness=0.45, metallic=0.6) for _ in range(3))
    return MechanismLooks(
        board=Look(color=_shaded(board, shade + 0.2), roughness=0.85, texture=grain if wooden else None),
        gears=(gears[0], gears[1], gears[2]),
        pulley=paint(0),
        finger=paint(1),
        lever=paint(2),
        latch=paint(3),
        beam=paint(4),
        weight=paint(5),
    )


def _shaded(color: tuple[float, float, float], share: float) -> tuple[float, float, float]:
    r, g, b = (min(1.0, share * channel) for channel in color)
    return r, g, b
