"""A bearing that runs: sound, or with a pit on a race or ball, or with a broken cage; in the open or under a guard."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
from pydantic import Field

from physreel.analysis.draws import pick, shuffled
from physreel.analysis.words import Phrasing, sentence
from physreel.errors import SpecError
from physreel.geometry.bearings import BEARINGS, BearingSize, orders
from physreel.scenes.asking import coin, even_out
from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.bearing_stand import draw_plan, stand_bodies
from physreel.scenes.objects import COLORS
from physreel.scenes.parameters import Choice, FloatRange, IntRange, SceneParameters, choice, float_range, int_range
from physreel.scenes.rooms import camera_choice, draw_camera, draw_place, filmed, support_choice, surface_choice
from physreel.spec import Bearing, BearingDefect, Joint, Motor, SceneSpec
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (1.6, 1.4)
FAULTS = ("none", "outer_race", "inner_race", "ball", "cage")
PART_WORDS = {
    "none": "none", "outer_race": "outer race", "inner_race": "inner race", "ball": "a ball", "cage": "cage",
}  # fmt: skip
Part = Literal["none", "outer_race", "inner_race", "ball", "cage"]

_LEAST_TABLE_M = (0.42, 0.36)
_STEP_S = 1.0 / 480.0
"""Nothing touches anything, and blows are timed between steps: long ones do."""
_SEEN_TURN = 0.4
"""Turns a frame up to which a turning thing is seen to turn the way it does."""
_SEEN_PIXELS = 1.0
"""A pit narrower than this in the picture may escape the eye."""


class BearingOutcome(Outcome):
    """What the bearing has, and how it is told."""

    fault: Part = Field(
        description="which part is damaged, as the blows tell: none, outer_race, inner_race, ball, cage"
    )
    bearing_type: str = Field(description="number of the bearing in the table of sizes, or own")
    ball_count: int = Field(description="how many balls it has")
    defect_width_m: float | None = Field(description="length of the pit along the way of the balls; none without fault")
    shaft_turns_s: float = Field(description="turns a second of the shaft, the mean over the clip")
    clockwise: bool = Field(description="whether the flywheel turns clockwise as seen from the bearing's side")
    characteristic_hz: float | None = Field(
        description="closed form of how often the damaged part is met, without slip, at the shaft's mean speed"
    )
    knock_hz: float | None = Field(description="how often it knocks, from first to last blow; none without two blows")
    knocks_per_turn: float | None = Field(description="the same for each turn of the shaft")
    knock_count: int = Field(description="blows in the clip")
    covered: bool = Field(description="whether a guard hides the bearing")
    defect_in_view: bool = Field(description="whether the pit is in the open and wide enough in the picture to be seen")


class BearingScene(Scene):
    """A shaft turns in a ball bearing that may be damaged, in the open or under a guard.

    A motor drives a shaft with a flywheel through a ball bearing of a common size in an upright stand. It is sound, or
    has a pit on its outer race, inner race or on a ball, or a broken bar in its cage. What is damaged is heard in the
    rhythm of the blows; it is seen only where no guard hides the bearing.
    """

    name = "bearing"
    version = 1
    domains = ("machine", "rigid")
    outcome_type = BearingOutcome
    headline = "fault"
    default_clip = ClipSettings(fps=24, duration_s=3.0)

    class Parameters(SceneParameters):
        """The bearing, what is wrong with it, and how it runs."""

        fault: Choice = choice(FAULTS, allowed=FAULTS, description="which part of the bearing is damaged")
        bearing_type: Choice = choice(
            tuple(BEARINGS), allowed=(*BEARINGS, "own"),
            description="size of the bearing; own takes ball_count, ball_diameter_m and pitch_diameter_m",
        )  # fmt: skip
        speed_rev_s: FloatRange = float_range(
            8.0, 24.0, allowed=(2.0, 60.0), unit="1/s", description="turns a second of the shaft, either way round"
        )
        radial_load_n: FloatRange = float_range(
            400.0, 1500.0, allowed=(50.0, 5000.0), unit="N", description="load on the bearing, downwards"
        )
        defect_width_m: FloatRange = float_range(
            0.0008,
            0.0025,
            allowed=(0.0002, 0.005),
            unit="m",
            description="length of the pit along the way of the balls",
        )
        defect_angle_deg: FloatRange = float_range(
            -50.0, 50.0, allowed=(-180.0, 180.0), unit="deg",
            description="where on the outer race the pit is, from the middle of the load; other parts turn",
        )  # fmt: skip
        slip_share: FloatRange = float_range(
            0.004, 0.015, allowed=(0.0, 0.03), unit="1", description="how much the cage falls behind pure rolling"
        )
        ball_count: IntRange = int_range(8, 8, allowed=(5, 16), description="balls of an own bearing")
        ball_diameter_m: FloatRange = float_range(
            0.007, 0.007, allowed=(0.003, 0.016), unit="m", description="of an own bearing"
        )
        pitch_diameter_m: FloatRange = float_range(
            0.032,
            0.032,
            allowed=(0.015, 0.07),
            unit="m",
            description="of the circle of an own bearing's balls' middles",
        )
        start: Choice = choice(
            ("running",), allowed=("running", "from_rest"), description="whether it runs when the clip begins"
        )
        cover: Choice = choice(("open", "closed"), allowed=("open", "closed"), description="whether a guard is over it")
        support: Choice = support_choice("the machine")
        surface: Choice = surface_choice()
        camera_motion: Choice = camera_choice()

    def __init__(self, *, clip: ClipSettings | None = None, **parameters: Any) -> None:
        super().__init__(clip=clip, **parameters)
        given = cast("BearingScene.Parameters", self.parameters)
        if "own" in given.bearing_type.values:
            problems = _own_problems(given)
            if problems:
                raise SpecError(problems, what=f"the parameters of scene {self.name!r}")

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw a bearing, the machine round it, what is wrong, and a camera that looks at its open side."""
        parameters = cast("BearingScene.Parameters", self.parameters)
        drawn = parameters.draw(rng)
        size = _size(drawn)
        # The middle of the way that a ball's pit or a bar of the cage starts at; drawn whatever is damaged.
        angle, turning = drawn["defect_angle_deg"], float(rng.uniform(0.0, 360.0))
        sense = pick(rng, (-1.0, 1.0))
        omega = sense * 2.0 * np.pi * drawn["speed_rev_s"]
        running = drawn["start"] == "running"
        seed = int(rng.integers(1, 2**31 - 1))
        room, stand = draw_place(rng, drawn, _ROOM_HALF_M, least_m=_LEAST_TABLE_M)
        plan = draw_plan(
            rng, size, covered=drawn["cover"] == "closed", place_m=(0.0, 0.0, stand.top_m + 0.01),
            spin_rad_s=omega if running else 0.0,
        )  # fmt: skip
        defect = None
        if drawn["fault"] != "none":
            defect = BearingDefect(
                part=drawn["fault"], width_m=drawn["defect_width_m"], mark="pit",
                angle_deg=angle if drawn["fault"] == "outer_race" else turning,
            )  # fmt: skip
        bearing = Bearing(
            name="bearing", joint="shaft", housing="plate", ball_count=size.ball_count,
            ball_diameter_m=size.ball_diameter_m, pitch_diameter_m=size.pitch_diameter_m,
            slip_share=drawn["slip_share"], radial_load_n=drawn["radial_load_n"], defect=defect, cage="cage",
            balls=tuple(f"ball_{k}" for k in range(size.ball_count)), seed=seed,
        )  # fmt: skip
        bodies = stand_bodies(plan, bearing)
        camera = draw_camera(
            rng, self.clip, plan.points_m(), moving=drawn["camera_motion"] == "slow", room_half_m=_ROOM_HALF_M,
            azimuth_deg=(-112.0, -68.0), elevation_deg=(8.0, 24.0),
        )  # fmt: skip
        turning_bodies = [body.name for body in bodies if body.motion == "dynamic"]
        still = [body.name for body in (*stand.bodies, *bodies) if body.motion == "static"]
        driven = Motor(speed=omega, max_effort=6.0, ramp_s=0.0 if running else 0.4 * self.clip.duration_s)
        return SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            step_s=_STEP_S,
            bodies=(*room.bodies, *stand.bodies, *bodies),
            joints=(
                Joint(name="shaft", kind="hinge", child="shaft", parent="plate", anchor_m=plan.anchor_m,
                      axis=plan.axis, motor=driven),
                *(Joint(name=f"{name}_seat", kind="fixed", child=name, parent="shaft", anchor_m=plan.anchor_m)
                  for name in turning_bodies if name != "shaft"),
            ),
            no_contact=(
                *((name, other) for name in turning_bodies for other in still),
                ("inner_ring", "flywheel"), ("inner_ring", "mark"), ("flywheel", "mark"),
            ),
            bearings=(bearing,),
            **filmed(room, camera),
            cue_s=min(0.5, 0.3 * self.clip.duration_s),
            parameters=drawn,
        )  # fmt: skip

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> BearingOutcome:
        """Read the fault off the rhythm of the blows, and the speed off the shaft's angle."""
        bearing = spec.bearings[0]
        angle = trajectory.signals[f"angle:{bearing.joint}"]
        turned = angle.values[-1] - angle.values[0]
        speed = abs(turned) / (2.0 * np.pi) / ((len(angle.values) - 1) / angle.rate_hz)
        knocks = trajectory.knocks
        times = knocks.time_s[[knocks.sources[k] == bearing.name for k in knocks.source.tolist()]]
        shaft = np.interp(times, np.arange(len(angle.values)) / angle.rate_hz, angle.values)
        per_turn = None
        if len(times) > 1:
            per_turn = 2.0 * np.pi * (len(times) - 1) / max(abs(float(shaft[-1] - shaft[0])), 1e-9)
        fault = _read_fault(bearing, per_turn, len(times))
        rates = _expected(bearing)
        covered = any(body.name == "guard" for body in spec.bodies)
        return BearingOutcome(
            fault=fault,
            bearing_type=str(spec.parameters.get("bearing_type", "own")),
            ball_count=bearing.ball_count,
            defect_width_m=None if bearing.defect is None else bearing.defect.width_m,
            shaft_turns_s=float(speed),
            clockwise=bool(turned > 0.0),
            characteristic_hz=None if fault == "none" else float(rates[fault] * speed),
            knock_hz=float((len(times) - 1) / (times[-1] - times[0])) if len(times) > 1 else None,
            knocks_per_turn=per_turn,
            knock_count=len(times),
            covered=covered,
            defect_in_view=fault != "none" and _pit_seen(spec),
        )

    def caption(self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]) -> str:
        """What turns in what, how fast, and what is wrong with it."""
        result, say = cast("BearingOutcome", outcome), Phrasing(spec)
        where = "on a table" if any(body.name == "table" for body in spec.bodies) else "on the floor"
        verb = say.pick(0, ("turns a shaft with a flywheel", "drives a shaft and its flywheel"))
        opening = f"{where}, a motor {verb} in a ball bearing at {result.shaft_turns_s:.1f} turns a second"
        if result.covered:
            guard = next(body.label for body in spec.bodies if body.name == "guard")
            hidden = say.pick(1, ("which is hidden under", "which is out of sight under"))
            opening += f", {hidden} {'an' if guard[0] in 'aeiou' else 'a'} {guard}"
        if result.fault == "none":
            state = say.pick(2, ("the bearing is sound and runs evenly", "nothing is wrong with the bearing"))
        else:
            what = {
                "outer_race": "its outer race has a pit", "inner_race": "its inner race has a pit",
                "ball": "one of its balls has a pit", "cage": "a bar of its cage is broken",
            }[result.fault]  # fmt: skip
            rhythm = "" if result.knock_hz is None else f", and it knocks {result.knock_hz:.0f} times a second"
            state = f"{what}{rhythm}"
        return f"{sentence(opening)} {sentence(state)}"

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """What is damaged, by one of three questions; which way the flywheel turns; the colour of its mark."""
        result = cast("BearingOutcome", outcome)
        asked = []
        # Of a sound bearing as of any other: what must be perceived would tell the answer otherwise.
        seen = _pit_seen(spec)
        which = int(rng.integers(3))
        turning = result.shaft_turns_s / spec.fps <= _SEEN_TURN
        if which == 0:
            asked.append(
                Question(
                    kind="damaged_part",
                    question="Which part of the ball bearing is damaged, if any?",
                    answer=PART_WORDS[result.fault],
                    answer_type="choice",
                    choices=shuffled(rng, tuple(PART_WORDS.values())),
                    needs="either" if seen else "sound",
                )
            )
        elif which == 1 and turning:
            rates = {
                "none": "it does not knock",
                **{part: f"{rate:.1f}" for part, rate in _expected(spec.bearings[0]).items()},
            }
            if len(set(rates.values())) == len(rates):
                asked.append(
                    Question(
                        kind="knocks_per_turn",
                        question="About how many times does the bearing knock in each turn of the flywheel?",
                        answer=rates[result.fault],
                        answer_type="choice",
                        choices=shuffled(rng, tuple(rates.values())),
                        needs="both",
                    )
                )
        elif which == 2:
            answer = "no" if result.fault == "none" else "yes"
            if even_out(rng, answer, {"yes": 4.0, "no": 1.0}):
                asked.append(
                    Question(
                        kind="bearing_damaged",
                        question="Is anything wrong with the ball bearing?",
                        answer=answer,
                        answer_type="yes_no",
                        needs="either" if seen else "sound",
                    )
                )
        clockwise = coin(rng)
        way = "clockwise" if clockwise else "counterclockwise"
        if turning:
            asked.append(
                Question(
                    kind="turns_clockwise",
                    question=f"Does the flywheel turn {way}, as the camera sees it?",
                    answer="yes" if result.clockwise == clockwise else "no",
                    answer_type="yes_no",
                )
            )
        mark = next(body.label for body in spec.bodies if body.name == "mark").split()[0]
        others = [name for name in COLORS if name not in (mark, "black", "white")]
        asked.append(
            Question(
                kind="mark_color",
                question="What colour is the mark on the flywheel?",
                answer=mark,
                answer_type="choice",
                choices=shuffled(rng, (mark, *(others[k] for k in rng.permutation(len(others))[:4]))),
            )
        )
        return tuple(asked)


def _size(drawn: dict[str, Any]) -> BearingSize:
    if drawn["bearing_type"] != "own":
        return BEARINGS[drawn["bearing_type"]]
    ball, pitch = drawn["ball_diameter_m"], drawn["pitch_diameter_m"]
    return BearingSize(
        ball_count=drawn["ball_count"],
        ball_diameter_m=ball,
        pitch_diameter_m=pitch,
        bore_m=pitch - 1.6 * ball,
        outer_diameter_m=pitch + 1.6 * ball,
        width_m=1.9 * ball,
        source="own",
    )


def _own_problems(given: BearingScene.Parameters) -> list[str]:
    """Why the ranges of an own bearing cannot all be built."""
    count, ball, pitch = given.ball_count.high, given.ball_diameter_m.high, given.pitch_diameter_m.low
    problems = []
    room = pitch * float(np.sin(np.pi / count))
    if ball >= 0.97 * room:
        most = int(np.pi / np.arcsin(min(1.0, ball / (0.97 * pitch))))
        problems.append(
            f"ball_count: {count} balls of {ball * 1e3:g} mm with a cage between them do not fit on a circle of "
            f"{pitch * 1e3:g} mm; at most {most} do, or balls below {0.97 * room * 1e3:.3g} mm"
        )
    if pitch < 2.2 * ball:
        problems.append(
            f"pitch_diameter_m: {ball * 1e3:g} mm balls on a circle of {pitch * 1e3:g} mm leave no room for a shaft; "
            f"use at least {2.2 * ball * 1e3:.3g} mm"
        )
    return problems


def _expected(bearing: Bearing) -> dict[str, float]:
    """Blows for each turn of the shaft, by damaged part."""
    found = orders(
        bearing.ball_count, bearing.ball_diameter_m, bearing.pitch_diameter_m, bearing.contact_angle_deg
    )  # fmt: skip
    return {"outer_race": found.bpfo, "inner_race": found.bpfi, "ball": 2.0 * found.bsf, "cage": found.ftf}


def _read_fault(bearing: Bearing, per_turn: float | None, count: int) -> Part:
    """The part whose closed form the blows come nearest to."""
    if count == 0:
        return "none"
    if per_turn is None:
        return "cage"
    rates = _expected(bearing)
    return cast("Part", min(rates, key=lambda part: abs(np.log(per_turn / rates[part]))))


def _pit_seen(spec: SceneSpec) -> bool:
    """Whether a pit as wide as the one drawn, which is drawn for sound bearings too, is in the open and wide enough."""
    if any(body.name == "guard" for body in spec.bodies):
        return False
    camera, defect = spec.cameras[0], spec.bearings[0].defect
    width = float(str(spec.parameters["defect_width_m"])) if defect is None else defect.width_m
    near = np.linalg.norm(camera.camera_to_world(0.0)[:3, 3] - np.array(spec.joints[0].anchor_m))
    return bool(width * camera.intrinsics()[0, 0] / near >= _SEEN_PIXELS)
