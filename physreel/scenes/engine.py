"""A cut-away model engine runs: gas, pistons, crank, flywheel, and a fan driven by a belt; sound, or with a fault."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from pydantic import Field

from physreel.analysis.draws import pick, shuffled
from physreel.analysis.engines import Fault, find_fault, firing_times_s, read_engine
from physreel.errors import SpecError
from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.engine_build import Draft, build
from physreel.scenes.engine_parts import FIRING, TWINS, Layout
from physreel.scenes.engine_words import FAULT_WORDS, describe, engine_questions
from physreel.scenes.objects import COLORS
from physreel.scenes.parameters import Choice, FloatRange, IntRange, SceneParameters, choice, float_range, int_range
from physreel.scenes.rooms import camera_choice, draw_camera, draw_place, filmed, support_choice, surface_choice
from physreel.spec import Look, SceneSpec
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (2.4, 2.0)
_TABLE_M = (0.62, 0.56)
_FAULTS: tuple[Fault, ...] = tuple(FAULT_WORDS)


class EngineOutcome(Outcome):
    """How an engine ran, read from its signals and knocks."""

    fault: str = Field(description="what is wrong: none, misfire, knocking_rod, slipping_belt, unbalanced_flywheel, …")
    cylinder_count: int = Field(description="how many cylinders it has")
    mean_rev_s: float = Field(description="turns of the crank a second, mean of the clip")
    turns: float = Field(description="turns of the crank in the clip")
    speed_fluctuation: float = Field(description="greatest less least speed within a cycle, over the mean")
    note_order: float = Field(description="lowest strong line of the exhaust's note, over the crank's frequency")
    half_order_share: float = Field(description="strength of the line at half that frequency, over the strongest")
    firing_hz: float = Field(description="firings a second")
    misfiring_piston: str | None = Field(description="piston whose cylinder never fires, if any")
    knocking_piston: str | None = Field(description="piston on whose rod blows are heard, if any")
    belt_slip_share: float = Field(description="share of the clip in which the belt slips")
    first_slip_s: float | None = Field(description="when the belt first slips, if it does")
    fan_rev_s: float = Field(description="turns of the fan a second, mean of the clip")
    knock_count: int = Field(description="blows in rods, bearings and on the engine's stops")
    shake_m: float = Field(description="amplitude of the engine on its mount at the crank's frequency")


class EngineScene(Scene):
    """A small four-stroke engine with one to four cylinders in line turns a fan, sound or with one fault.

    Its cylinders are cut open. It can misfire, knock in a rod, slip with its belt, shake by an unbalanced flywheel, or
    drive a fan whose bearing is worn.
    """

    name = "engine"
    version = 1
    domains = ("machine", "rigid", "contact")
    outcome_type = EngineOutcome
    headline = "fault"
    default_clip = ClipSettings(fps=24, duration_s=3.0)

    class Parameters(SceneParameters):
        """What the engine is like, and what is wrong with it."""

        cylinder_count: IntRange = int_range(1, 4, allowed=(1, 4), description="how many cylinders it has, in line")
        twin: Choice = choice(
            tuple(TWINS), allowed=tuple(TWINS),
            description="how two cylinders fire: on one throw of the crank (even) or on opposite ones (uneven)",
        )  # fmt: skip
        fault: Choice = choice(_FAULTS, allowed=_FAULTS, description="what is wrong with it")
        speed_rev_s: FloatRange = float_range(
            4.0, 8.0, allowed=(3.0, 12.0), unit="1/s", description="turns of the crank a second"
        )
        drive: Choice = choice(("belt", "chain"), allowed=("belt", "chain"), description="what drives the fan")
        fan_ratio: FloatRange = float_range(
            0.65, 1.6, allowed=(0.6, 1.7), unit="1", description="turns of the fan for one of the crank, without slip"
        )
        play_m: FloatRange = float_range(
            0.0006, 0.001, allowed=(0.0003, 0.0015), unit="m", description="play of a knocking rod"
        )
        grip_share: FloatRange = float_range(
            0.45, 0.8, allowed=(0.2, 0.85), unit="1", description="what a slipping belt passes on of what the fan needs"
        )
        pit_width_m: FloatRange = float_range(
            0.0012, 0.002, allowed=(0.0008, 0.003), unit="m", description="pit in a worn bearing's outer race"
        )
        support: Choice = support_choice("the engine")
        surface: Choice = surface_choice("wood", "marble", "tiles")
        camera_motion: Choice = camera_choice()

    def __init__(self, *, clip: ClipSettings | None = None, **parameters: Any) -> None:
        super().__init__(clip=clip, **parameters)
        given = cast("EngineScene.Parameters", self.parameters)
        problems = []
        if given.fault.values == ("misfire",) and given.cylinder_count.high == 1:
            problems.append("cylinder_count: an engine of one cylinder that misfires stands still; allow more, 1..4")
        if given.fault.values == ("slipping_belt",) and given.drive.values == ("chain",):
            problems.append("drive: a chain cannot slip; allow 'belt' as well, or another fault")
        if problems:
            raise SpecError(problems, what=f"the parameters of scene {self.name!r}")

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw an engine in a room, its fault, and a camera that sees the open side and the belt."""
        parameters = cast("EngineScene.Parameters", self.parameters)
        drawn = parameters.draw(rng)
        # What cannot go together is drawn again, the fault first: each comes as often.
        while drawn["fault"] == "misfire" and drawn["cylinder_count"] == 1:
            drawn["cylinder_count"] = parameters.cylinder_count.draw(rng)
            if parameters.cylinder_count.high == 1:
                drawn["fault"] = parameters.fault.draw(rng)
        while drawn["fault"] == "slipping_belt" and drawn["drive"] == "chain":
            drawn["drive"] = parameters.drive.draw(rng)
            if parameters.drive.values == ("chain",):
                drawn["fault"] = parameters.fault.draw(rng)
        room, stand = draw_place(rng, drawn, _ROOM_HALF_M, least_m=_TABLE_M)
        draft = _draft(rng, drawn, stand.top_m)
        machine = build(draft)
        camera = draw_camera(
            rng, self.clip, draft.layout.corners(), moving=drawn["camera_motion"] == "slow", room_half_m=_ROOM_HALF_M,
            azimuth_deg=(-58.0, -30.0), elevation_deg=(12.0, 28.0),
        )  # fmt: skip
        return SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            step_s=1.0 / 2400.0,
            bodies=(*room.bodies, *stand.bodies, *machine.bodies),
            joints=machine.joints,
            gas_cylinders=machine.gas_cylinders,
            belts=machine.belts,
            bearings=machine.bearings,
            no_contact=machine.no_contact,
            **filmed(room, camera),
            cue_s=min(0.5, 0.25 * self.clip.duration_s),
            parameters=drawn,
        )

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> EngineOutcome:
        """Read off signals and knocks how it ran and what is wrong with it."""
        engine = read_engine(spec, trajectory)
        labels = {body.name: body.label for body in spec.bodies}
        pistons = [labels[spec.joint(cylinder.piston_joint).child] for cylinder in spec.gas_cylinders]
        fault = find_fault(engine)
        knocking = None
        if fault == "knocking_rod":
            heard = {source for source in trajectory.knocks.sources if source.startswith("play_")}
            knocking = pistons[min(int(source.removeprefix("play_")) for source in heard)]
        fired = sum(sum(each) for each in engine.fired)
        possible = sum(len(each) for each in engine.fired)
        fan = trajectory.signals["angle:fan"]
        return EngineOutcome(
            fault=fault,
            cylinder_count=len(spec.gas_cylinders),
            mean_rev_s=engine.mean_rev_s,
            turns=engine.turns,
            speed_fluctuation=engine.fluctuation,
            note_order=engine.note_order,
            half_order_share=float(engine.strength[0] / engine.strength.max()),
            firing_hz=engine.mean_rev_s * 0.5 * len(spec.gas_cylinders) * fired / max(possible, 1),
            misfiring_piston=pistons[engine.misfiring[0]] if engine.misfiring else None,
            knocking_piston=knocking,
            belt_slip_share=engine.slip_share,
            first_slip_s=engine.first_slip_s,
            fan_rev_s=float((fan.values[-1] - fan.values[0]) / (2.0 * np.pi) * fan.rate_hz / (len(fan.values) - 1)),
            knock_count=len(engine.rod_knocks) + len(engine.bearing_knocks) + len(engine.mount_knocks),
            shake_m=engine.shake_m,
        )

    def caption(self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]) -> str:
        """What engine it is, how it runs, what it drives and what is wrong with it."""
        result = cast("EngineOutcome", outcome)
        return describe(spec, result.model_dump())

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """About the fault one of several questions; about firings heard and turns seen."""
        result = cast("EngineOutcome", outcome)
        return engine_questions(spec, result.model_dump(), firing_times_s(spec, trajectory), rng)


def _draft(rng: np.random.Generator, drawn: dict[str, Any], top_m: float) -> Draft:
    count = drawn["cylinder_count"]
    angles = TWINS[drawn["twin"]] if count == 2 else FIRING[count - 1]
    driver = float(rng.uniform(0.032, 0.036)) * min(1.0, drawn["fan_ratio"]) ** 0.5
    layout = Layout(
        origin=np.array([float(rng.uniform(-0.04, 0.04)), 0.06, top_m + 0.024]),
        angles_deg=angles,
        start_deg=float(rng.uniform(0.0, 720.0)),
        speed_rad_s=2.0 * np.pi * drawn["speed_rev_s"],
        driver_m=driver,
        driven_m=driver / drawn["fan_ratio"],
        fan_y_m=float(rng.uniform(0.19, 0.23)),
    )
    names = shuffled(rng, tuple(COLORS))
    painted = [Look(color=COLORS[name], roughness=float(rng.uniform(0.25, 0.5))) for name in names]
    plain = float(rng.uniform(0.3, 0.6))
    block = pick(rng, (Look(color=(plain, plain, plain * 1.05), roughness=0.4, metallic=0.8), painted[5]))
    wheel = painted[6]
    bright = "white" if float(np.mean(wheel.color)) < 0.35 else "black"
    return Draft(
        layout=layout,
        drive=drawn["drive"],
        fault=drawn["fault"],
        which=int(rng.integers(len(angles))),
        play_m=drawn["play_m"],
        grip=drawn["grip_share"],
        pit_m=drawn["pit_width_m"],
        seed=int(rng.integers(2**31 - 1)),
        pistons=tuple(zip(names[: len(angles)], painted[: len(angles)], strict=True)),
        block=block,
        flywheel=wheel,
        mark=Look(color=COLORS[bright], roughness=0.5),
        fan=painted[4],
    )
