"""Gears that mesh: trains, loops, stages, rings, planets and racks; they turn, lock, slip, strip or jam."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from physreel.analysis.draws import pick
from physreel.errors import SpecError
from physreel.geometry.gears import mesh_problems
from physreel.geometry.rotations import multiply_wxyz
from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.gear_faults import CASES, LAYOUTS, Run, draw_fault, drawing_in
from physreel.scenes.gear_layouts import RACK_TRAVEL_M, draw_train
from physreel.scenes.gear_machine import FOOT_M, Machine
from physreel.scenes.gear_outcome import GearOutcome, read_outcome
from physreel.scenes.gear_parts import UPRIGHT, Stage, draw_finishes, draw_mark_colors
from physreel.scenes.gear_trains import Cut, Train, unshifted_least
from physreel.scenes.gear_words import ask, describe_gears
from physreel.scenes.parameters import Choice, FloatRange, IntRange, SceneParameters, choice, float_range, int_range
from physreel.scenes.rooms import (
    camera_choice,
    draw_camera,
    draw_place,
    draw_surface,
    filmed,
    support_choice,
    surface_choice,
)
from physreel.spec import Look, Quat, SceneSpec
from physreel.spec.toothed import gear_problems, least_profile_shift
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (1.6, 1.4)
_STEP_S = 1.0 / 2400.0
_DRAWN_IN = 0.65
"""How often a thing falls where the teeth draw it in; elsewhere they throw it out."""

_PAINTS = (
    (0.62, 0.58, 0.48), (0.10, 0.17, 0.15), (0.11, 0.14, 0.22), (0.48, 0.52, 0.54), (0.30, 0.12, 0.10),
    (0.05, 0.05, 0.06),
)  # fmt: skip


class Gears(Scene):
    """Gears turn each other on a board, by involute teeth: they run, lock one another, slip, break teeth or jam.

    A handle drives a train of two to seven spur gears, a closed loop, stages on common shafts, a ring, a planetary set
    or a rack. Teeth may be missing or give way, a gear may be loose on its shaft, or something may fall into the teeth.
    """

    name = "gears"
    version = 1
    domains = ("machine", "rigid", "contact")
    outcome_type = GearOutcome
    headline = "output_turning_at_end"
    default_clip = ClipSettings(fps=24, duration_s=3.0)

    class Parameters(SceneParameters):
        """The gears, how they are arranged and driven, and what is wrong with them."""

        case: Choice = choice(tuple(CASES), allowed=tuple(CASES), description="what is the matter, if anything")
        layout: Choice = choice(
            LAYOUTS, allowed=LAYOUTS, description="how the gears are arranged, of those that the case can be had with"
        )
        gear_count: IntRange = int_range(
            2, 7, allowed=(2, 7),
            description="gears of a train; a loop has at least 3, a compound 4 or 6, a rack's train 1 or 2",
        )  # fmt: skip
        tooth_count: IntRange = int_range(
            12, 34, allowed=(1, 80), description="teeth of each gear; a ring has as many as fit round the others"
        )
        module_m: FloatRange = float_range(
            0.003, 0.0048, allowed=(0.001, 0.01), unit="m", description="pitch diameter over number of teeth"
        )
        pressure_angle_deg: Choice = choice(
            ("20", "25"), allowed=("14.5", "20", "25"), description="pressure angle of the teeth, in degrees"
        )
        width_m: FloatRange = float_range(
            0.008, 0.015, allowed=(0.003, 0.05), unit="m", description="width of the teeth"
        )
        backlash_m: FloatRange = float_range(
            0.0003, 0.0006, allowed=(0.0001, 0.002), unit="m", description="play between two gears' teeth"
        )
        extra_center_distance_m: FloatRange = float_range(
            0.0, 0.0, allowed=(-0.02, 0.02), unit="m",
            description="how much farther apart axes are than where the gears mesh best (in a ring: nearer)",
        )  # fmt: skip
        bend_deg: FloatRange = float_range(
            0.0, 80.0, allowed=(0.0, 150.0), unit="deg", description="how much a chain of gears turns aside at each"
        )
        tooth_error_m: FloatRange = float_range(
            5e-6, 2e-5, allowed=(0.0, 1e-4), unit="m", description="most that a flank is off its place"
        )
        runout_m: FloatRange = float_range(
            0.0, 6e-5, allowed=(0.0, 2e-4), unit="m", description="most that a gear's teeth are off its axis"
        )
        driver_speed_rad_s: FloatRange = float_range(
            1.2, 4.5, allowed=(0.3, 12.0), unit="rad/s",
            description="speed of the driver, either way round; less where a rack would run out of its teeth",
        )  # fmt: skip
        start_s: FloatRange = float_range(0.25, 0.5, allowed=(0.0, 5.0), unit="s", description="when the driver starts")
        ramp_s: FloatRange = float_range(
            0.2, 0.5, allowed=(0.0, 5.0), unit="s", description="how long it takes to start"
        )
        load_n_m: FloatRange = float_range(
            0.05, 0.3, allowed=(0.0, 5.0), unit="N·m", description="dry friction of the brake on the output's shaft"
        )
        mounting: Choice = choice(
            ("upright", "flat"), allowed=("upright", "flat"),
            description="whether the board stands or lies; it stands where something falls into the teeth",
        )  # fmt: skip
        support: Choice = support_choice("the board")
        surface: Choice = surface_choice()
        camera_motion: Choice = camera_choice()

    def __init__(self, *, clip: ClipSettings | None = None, **parameters: Any) -> None:
        super().__init__(clip=clip, **parameters)
        problems = _problems(cast("Gears.Parameters", self.parameters))
        if problems:
            raise SpecError(problems, what=f"the parameters of scene {self.name!r}")

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw gears that mesh, a board, what is wrong, and a camera that sees them all."""
        parameters = cast("Gears.Parameters", self.parameters)
        drawn = parameters.draw(rng)
        cases = [name for name in parameters.case.values if _layouts(parameters, name)]
        case = drawn["case"] = pick(rng, cases)
        layout = drawn["layout"] = pick(rng, _layouts(parameters, case))
        sense = pick(rng, (-1.0, 1.0))
        drawn_in = bool(rng.random() < _DRAWN_IN)
        cut = _cut(parameters, drawn)
        drawn["gear_count"] = _count(rng, case, layout, parameters.gear_count)
        bends = (parameters.bend_deg.low, parameters.bend_deg.high)
        train = draw_train(rng, layout, cut, drawn["gear_count"], bends, open_top=case == "jam")
        drawn["gear_count"] = len(train.gears)
        start, ramp = (min(drawn[name], 0.2 * self.clip.duration_s) for name in ("start_s", "ramp_s"))
        drawn["start_s"], drawn["ramp_s"] = start, ramp
        speed = drawn["driver_speed_rad_s"] = self._speed(train, drawn["driver_speed_rad_s"], start + 0.5 * ramp)
        run = Run(speed_rad_s=sense * speed, start_s=start, ramp_s=ramp, duration_s=self.clip.duration_s)
        fault = draw_fault(rng, case, train, run, drawn["load_n_m"])
        if fault.falling is not None:
            sense = drawing_in(train, fault.falling) * (1.0 if drawn_in else -1.0)
            run = Run(speed_rad_s=sense * speed, start_s=start, ramp_s=ramp, duration_s=self.clip.duration_s)
            drawn["mounting"] = "upright"
        finishes = draw_finishes(rng, len(train.gears), planets=layout == "planetary")
        handle_color, pointer_color = draw_mark_colors(rng, finishes)
        upright = drawn["mounting"] == "upright"
        material, look = _board(rng)
        yaw = float(rng.uniform(-0.25, 0.25))

        def machine(place: tuple[float, float, float]) -> Machine:
            turn = (float(np.cos(0.5 * yaw)), 0.0, 0.0, float(np.sin(0.5 * yaw)))
            stage = Stage(place_m=place, turn_wxyz=_product(turn, UPRIGHT) if upright else turn, upright=upright,
                          board_material=material, board_look=look, handle_color=handle_color,
                          pointer_color=pointer_color)  # fmt: skip
            return Machine(
                train=train, stage=stage, finishes=finishes, run=run, fault=fault, load_n_m=drawn["load_n_m"]
            )

        low_x, high_x, low_y, high_y = machine((0.0, 0.0, 0.0)).extent_m()
        wide, deep = high_x - low_x, 0.2 if upright else high_y - low_y
        room, stand = draw_place(rng, drawn, _ROOM_HALF_M, least_m=(max(0.5, wide + 0.12), max(0.42, deep + 0.12)))
        middle = np.array([-0.5 * (low_x + high_x), 0.0 if upright else -0.5 * (low_y + high_y)])
        c, s = np.cos(yaw), np.sin(yaw)
        x, y = c * middle[0] - s * middle[1], s * middle[0] + c * middle[1]
        height = stand.top_m + (FOOT_M[0] - low_y if upright else 0.0141)
        made = machine((float(x), float(y), height))
        made.build(rng)
        camera = draw_camera(
            rng, self.clip, made.points_m(), moving=drawn["camera_motion"] == "slow", room_half_m=_ROOM_HALF_M,
            azimuth_deg=(-108.0, -72.0), elevation_deg=(4.0, 18.0) if upright else (42.0, 62.0),
        )  # fmt: skip
        return SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            step_s=_STEP_S,
            bodies=(*room.bodies, *stand.bodies, *made.bodies),
            joints=tuple(made.joints),
            no_contact=tuple(made.apart),
            contact_pairs=made.contact_pairs(),
            breakable_teeth=tuple(made.breakable),
            **filmed(room, camera),
            cue_s=min(start, 0.5 * self.clip.duration_s),
            parameters=drawn | {"tooth_count": str(parameters.tooth_count)},
        )

    def _speed(self, train: Train, wanted: float, lost_s: float) -> float:
        """The driver's speed, such that a rack stays in its teeth."""
        if train.rack is None:
            return wanted
        return min(wanted, 0.92 * RACK_TRAVEL_M / (abs(train.rate) * max(self.clip.duration_s - lost_s, 0.1)))

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> GearOutcome:
        """Read off the signals of the joints, the contacts and the breaks what turned and what failed."""
        return read_outcome(spec, trajectory)

    def caption(self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]) -> str:
        """What is driven by what, how the last gear turns, and what fails."""
        return describe_gears(spec, cast("GearOutcome", outcome))

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """Which way, how far, how fast, whether and when it stops, whose teeth are missing, what is heard."""
        return ask(spec, trajectory, cast("GearOutcome", outcome), rng)


def _product(a: Quat, b: Quat) -> Quat:
    w, x, y, z = multiply_wxyz(a, b).tolist()
    return w, x, y, z


def _cut(parameters: Gears.Parameters, drawn: dict[str, Any]) -> Cut:
    return Cut(
        module_m=drawn["module_m"], pressure_angle_deg=float(drawn["pressure_angle_deg"]), width_m=drawn["width_m"],
        backlash_m=drawn["backlash_m"], extra_distance_m=drawn["extra_center_distance_m"],
        least_teeth=parameters.tooth_count.low, most_teeth=parameters.tooth_count.high, error_m=drawn["tooth_error_m"],
        runout_m=drawn["runout_m"],
    )  # fmt: skip


def _count(rng: np.random.Generator, case: str, layout: str, given: IntRange) -> int:
    """How many gears, of those that the case and layout can have."""
    odd = case == "locked_loop"
    usual = {
        "loop": (3, 5, 3) if odd else (4, 4, 6),
        "compound": (4,) if case == "jam" else (4, 4, 6),
        "rack": (2, 3),
    }.get(layout)
    if usual is None:
        count = given.draw(rng)
        # What falls is small: it is to be seen.
        return max(given.low, 2 + count % 3) if case == "jam" else count
    return pick(rng, [n for n in usual if n <= given.high] or usual[:1])


def _layouts(parameters: Gears.Parameters, case: str) -> tuple[str, ...]:
    return tuple(name for name in parameters.layout.values if name in CASES[case])


def _board(rng: np.random.Generator) -> tuple[str, Look]:
    if rng.random() < 0.4:
        surface = draw_surface(rng, "wood")
        return surface.material, surface.look
    color = pick(rng, _PAINTS)
    return "steel", Look(color=color, roughness=float(rng.uniform(0.5, 0.75)))


def _problems(given: Gears.Parameters) -> list[str]:
    """Why what a user asks for cannot be built, with what could; none if it can."""
    problems: list[str] = []
    cases = [case for case in given.case.values if _layouts(given, case)]
    if not cases:
        wanted = "; ".join(f"{case} with {', '.join(CASES[case])}" for case in given.case.values)
        problems.append(f"layout: {given.layout} cannot be had with case {given.case}; use {wanted}")
    low, high = given.tooth_count.low, given.tooth_count.high
    for text in given.pressure_angle_deg.values:
        problems += _tooth_problems(given, cases, low, high, float(text))
    if not problems:
        problems += _bend_problems(given, low, cases)
    return list(dict.fromkeys(problems))


def _tooth_problems(given: Gears.Parameters, cases: list[str], low: int, high: int, angle: float) -> list[str]:
    for count in (low, high):
        shift = max(0.0, least_profile_shift(count, angle))
        if gear_problems(count, pressure_angle_deg=angle, profile_shift=shift):
            return [f"tooth_count: {gear_problems(count, pressure_angle_deg=angle, profile_shift=0.0)[0]}"]
    found = []
    plain = unshifted_least(angle)
    rings = [name for name in ("internal", "planetary") if any(name in _layouts(given, case) for case in cases)]
    if rings and high < plain:
        found.append(
            f"tooth_count: {' and '.join(rings)} gears at {angle:g}° need at least {plain} teeth, {given.tooth_count} "
            f"are allowed; allow more, or choose another layout"
        )
    module = given.module_m.low
    found += _backlash_problems(given, low, angle)
    if found:
        return found
    for extra in (given.extra_center_distance_m.low, given.extra_center_distance_m.high):
        for a, b in ((low, low), (low, high), (high, high)):
            cut = Cut(module_m=module, pressure_angle_deg=angle, width_m=0.01, backlash_m=given.backlash_m.low,
                      extra_distance_m=extra, least_teeth=low, most_teeth=high, error_m=0.0, runout_m=0.0)  # fmt: skip
            rng = np.random.default_rng(0)
            one, other = cut.gear(rng, a), cut.gear(rng, b)
            wrong = mesh_problems(one, other, cut.distance_m(one, other))
            if wrong:
                return [*found, f"extra_center_distance_m: {wrong[0]}"]
    return found


def _backlash_problems(given: Gears.Parameters, low: int, angle: float) -> list[str]:
    """Teeth that play would take away: those of the smallest gears are the thinnest at their tips."""
    module = given.module_m.low
    cut = Cut(module_m=module, pressure_angle_deg=angle, width_m=0.01, backlash_m=0.0, extra_distance_m=0.0,
              least_teeth=low, most_teeth=low, error_m=0.0, runout_m=0.0)  # fmt: skip
    most = 2.0 * (cut.gear(np.random.default_rng(0), low).most_thinning_m - 2.0 * given.tooth_error_m.high)
    if given.backlash_m.high < most:
        return []
    return [
        f"backlash_m: up to {given.backlash_m.high:g} m would leave nothing of the tips of {low} teeth of a module of "
        f"{module:g} m; use less than {np.floor(most * 1e6) * 1e-6:g} m, or a larger module_m"
    ]


def _bend_problems(given: Gears.Parameters, low: int, cases: list[str]) -> list[str]:
    """A chain that turns aside too sharply runs into itself."""
    chained = any(name in _layouts(given, case) for case in cases for name in ("train",))
    if not chained or given.gear_count.high < 3:
        return []
    share = min(1.0, (low + 2.8) / (2.0 * low))
    most = 2.0 * float(np.degrees(np.arccos(share)))
    if given.bend_deg.low > most:
        return [
            f"bend_deg: where a chain of gears of {low} teeth turns aside by {given.bend_deg.low:g}°, every third gear "
            f"overlaps the first; use at most {most:.0f}°"
        ]
    return []
