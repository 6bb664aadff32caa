"""Draining: one or two vessels with a hole in the floor run out into a tray; when, and which is empty first?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from pydantic import Field

from physreel.analysis.draws import pick
from physreel.analysis.liquids import (
    GONE,
    IN_FLIGHT,
    OUTSIDE,
    empty_s,
    find_places,
    first_lost_s,
    liquid_signal,
    peak_outflow,
)
from physreel.analysis.words import Phrasing, a, amount, sentence
from physreel.geometry.vessels import capacity_m3, inner_radius_m, level_for_volume_m
from physreel.scenes.asking import coin, even_out, picture_side
from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.liquids import LIQUID_NAMES, draw_liquid, particle_spacing_m
from physreel.scenes.objects import describe, draw_look
from physreel.scenes.parameters import Choice, FloatRange, IntRange, SceneParameters, choice, float_range, int_range
from physreel.scenes.rooms import camera_choice, draw_camera, draw_place, filmed, support_choice, surface_choice
from physreel.scenes.tanks import tank_points
from physreel.scenes.vessels import VESSEL_MATERIALS, draw_unlike
from physreel.spec import Body, Box, Compound, Fluid, Piece, SceneSpec, Tank, Vessel, VesselFill
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (1.6, 1.4)
_FORMS = ("pot", "funnel", "tub")

_HOLE_SPACINGS = 3.3
"""Holes are at least as many draft spacings wide."""

# How often each answer is true at the default parameters; see even_out.
_EMPTY = {"yes": 0.8, "no": 0.2}


class DrainedOutcome(Outcome):
    """What became of one vessel's liquid."""

    name: str = Field(description="the vessel's name in the spec")
    label: str = Field(description="what captions call it")
    volume_l: float = Field(description="what it held at the start, litres")
    empty_s: float | None = Field(description="from when on it is empty, but for a film or drops; none if it is not")
    left_share: float = Field(description="share of what it held that is still in it at the end")
    peak_flow_l_s: float = Field(description="greatest rate at which liquid left it, litres a second")
    first_out_s: float | None = Field(description="when the first liquid has left it; none if none has")


class DrainingOutcome(Outcome):
    """Where the liquid went. The four shares add up to one, particle by particle."""

    liquid: str = Field(description="what drains")
    volume_l: float = Field(description="how much there is of it, litres")
    vessels: list[DrainedOutcome] = Field(description="one record for each vessel that drains, in the spec's order")
    first_empty: str | None = Field(description="vessel that is empty first; none if none is")
    left_share: float = Field(description="share still in the vessels at the end")
    in_tray_share: float = Field(description="share in the tray at the end")
    spilled_share: float = Field(description="share outside all of them that has come down, at the end")
    in_flight_share: float = Field(description="share in the air, or running down, at the end")


@dataclass(frozen=True)
class _Drawn:
    """One vessel that drains, with its legs, in its own frame."""

    shape: Vessel
    legs: Compound
    material: str
    label: str
    look: Any
    level_m: float
    outer_m: float
    below_m: float


class Draining(Scene):
    """A vessel with a round hole in its floor stands on legs over a tray and runs out; or two of them side by side.

    Two differ in hole, level and form, so that which of them is empty first is not to be told by one of these alone.
    """

    name = "draining"
    version = 1
    domains = ("newtonian", "fluid")
    outcome_type = DrainingOutcome
    headline = "first_empty"
    default_clip = ClipSettings(fps=30, duration_s=3.0)

    class Parameters(SceneParameters):
        """What drains, and through what."""

        liquid: Choice = choice(LIQUID_NAMES, allowed=LIQUID_NAMES, description="what drains")
        vessel_count: IntRange = int_range(1, 2, allowed=(1, 2), description="how many vessels drain side by side")
        form: Choice = choice(_FORMS, allowed=_FORMS, description="form of each vessel")
        material: Choice = choice(VESSEL_MATERIALS, allowed=VESSEL_MATERIALS, description="what each vessel is made of")
        volume_l: FloatRange = float_range(
            0.35, 1.0, allowed=(0.1, 5.0), unit="l", description="amount of liquid in each vessel"
        )
        hole_share: FloatRange = float_range(
            0.25, 0.42, allowed=(0.2, 0.8), unit="1",
            description="diameter of the hole over the cube root of the volume above it, if liquid is not too coarse",
        )  # fmt: skip
        drop_height_m: FloatRange = float_range(
            0.04, 0.12, allowed=(0.02, 1.0), unit="m", description="height of the hole above the tray's floor"
        )
        support: Choice = support_choice("all of it")
        surface: Choice = surface_choice()
        camera_motion: Choice = camera_choice()

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw one or two vessels on legs, a tray below, and a camera that sees both the vessels and the tray."""
        parameters = cast("Draining.Parameters", self.parameters)
        drawn = parameters.draw(rng)
        liquid = draw_liquid(rng, drawn["liquid"])
        below = drawn["drop_height_m"]
        volumes = [1e-3 * parameters.volume_l.draw(rng) for _ in range(drawn["vessel_count"])]
        least = _HOLE_SPACINGS * particle_spacing_m(sum(volumes), "draft")
        vessels: list[_Drawn] = []
        for volume in volumes:
            vessels.append(_draw_vessel(rng, parameters, volume, least, below, {vessel.label for vessel in vessels}))
        room, stand = draw_place(rng, drawn, _ROOM_HALF_M, least_m=(0.62, 0.45))
        tray, at = _tray(rng, vessels)
        bodies = [
            Body(name="tray", shape=tray[0], material=tray[1], motion="static", position_m=(0.0, 0.0, stand.top_m),
                 look=tray[2], label=tray[3])
        ]  # fmt: skip
        fluids, apart = [], []
        for k, (vessel, x) in enumerate(zip(vessels, at, strict=True)):
            name = f"vessel_{k}"
            place = (x, 0.0, stand.top_m + tray[0].floor_z_m + below)
            body = Body(name=name, shape=vessel.shape, material=vessel.material, motion="static", position_m=place,
                        look=vessel.look, label=vessel.label)  # fmt: skip
            legs = body.model_copy(
                update={"name": f"{name}_legs", "shape": vessel.legs, "material": "steel", "look": None,
                        "label": f"legs of the {vessel.label}"}
            )  # fmt: skip
            bodies += [body, legs]
            apart += [(name, f"{name}_legs"), ("tray", f"{name}_legs")]
            fluids.append(Fluid(name=f"liquid_{k}", liquid=liquid.name, label=liquid.name,
                                fills=(VesselFill(vessel=name, level_m=vessel.level_m),)))  # fmt: skip
        corners = tank_points(tray[0]) + np.array([0.0, 0.0, stand.top_m])
        tops = [
            (x + sx * v.outer_m, sy * v.outer_m, stand.top_m + tray[0].floor_z_m + below + v.shape.rim_z_m + 0.01)
            for v, x in zip(vessels, at, strict=True)
            for sx in (-1.0, 1.0)
            for sy in (-1.0, 1.0)
        ]
        camera = draw_camera(
            rng, self.clip, np.vstack([corners, tops]), moving=drawn["camera_motion"] == "slow",
            room_half_m=_ROOM_HALF_M, azimuth_deg=(-115.0, -65.0), elevation_deg=(10.0, 30.0),
        )  # fmt: skip
        total = sum(capacity_m3(vessel.shape, vessel.level_m) for vessel in vessels)
        for name in ("form", "material", "volume_l", "hole_share"):
            drawn[name] = str(getattr(parameters, name))  # drawn once a vessel: the bodies tell the rest
        return SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            bodies=(*room.bodies, *stand.bodies, *bodies),
            no_contact=tuple(apart),
            fluids=tuple(fluids),
            liquids=(liquid,),
            particle_spacing_m=particle_spacing_m(total, self.clip.quality),
            **filmed(room, camera),
            cue_s=min(round(0.4 * self.clip.fps) / self.clip.fps, 0.5 * self.clip.duration_s),
            parameters=drawn,
        )

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> DrainingOutcome:
        """Count the particles in each place at the end, and read emptying and flow from the signals."""
        places = find_places(spec, trajectory)
        vessels = _vessels(spec)
        records = []
        for index in vessels:
            volume = liquid_signal(spec, trajectory, "volume", index).values
            records.append(
                DrainedOutcome(
                    name=spec.bodies[index].name,
                    label=spec.bodies[index].label,
                    volume_l=1e3 * float(volume[0]),
                    empty_s=empty_s(spec, trajectory, index),
                    left_share=float(volume[-1] / volume[0]),
                    peak_flow_l_s=1e3 * peak_outflow(spec, trajectory, index)[0],
                    first_out_s=first_lost_s(places, index),
                )
            )
        empty = [record for record in records if record.empty_s is not None]
        first = min(empty, key=lambda record: cast("float", record.empty_s), default=None)
        return DrainingOutcome(
            liquid=spec.fluids[0].label,
            volume_l=1e3 * places.particle_volume_m3 * places.place.shape[1],
            vessels=records,
            first_empty=None if first is None else first.name,
            left_share=places.share_at_end(*vessels),
            in_tray_share=places.share_at_end(spec.body_index("tray")),
            spilled_share=places.share_at_end(OUTSIDE, GONE),
            in_flight_share=places.share_at_end(IN_FLIGHT),
        )

    def caption(self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]) -> str:
        """What runs out of what, and what is empty when."""
        result, say = cast("DrainingOutcome", outcome), Phrasing(spec)
        labels = [vessel.label for vessel in result.vessels]
        from_what = " and ".join(a(label) for label in labels)
        hole = "a hole in its floor" if len(labels) == 1 else "holes in their floors"
        runs = say.pick(0, ("runs out of", "drains from", "pours out of"))
        opening = f"{result.liquid} {runs} {from_what} through {hole} into a tray"
        first = next((vessel for vessel in result.vessels if vessel.name == result.first_empty), None)
        left = amount(result.left_share)
        if len(labels) == 1:
            ending = (
                say.pick(1, ("it runs dry", "it is empty before the clip ends"))
                if first
                else (f"{left} of it is still there when the clip ends")
            )
        elif first is None:
            ending = f"neither is empty when the clip ends, {left} of the {result.liquid} being left"
        elif all(vessel.empty_s is not None for vessel in result.vessels):
            ending = f"both run dry, the {first.label} first"
        else:
            ending = f"only the {first.label} is empty when the clip ends"
        beside = f"{amount(result.spilled_share)} of it lands beside the tray" if result.spilled_share >= 0.05 else ""
        return " ".join(sentence(text) for text in (opening, ending, beside) if text)

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """Of two vessels which is empty first, or of one of them whether and when it is empty: not both.

        That one is empty first says that one is empty, and that one is empty makes it likelier the first.
        """
        result = cast("DrainingOutcome", outcome)
        asked: list[Question] = []
        # By where they stand: a form would tell something, as funnels run out fast.
        called = _called(spec)
        compared = coin(rng) and len(called) == 2
        if compared and result.first_empty is not None:
            # What is not empty comes after what is, in the order of what is left.
            times = {
                v.name: v.empty_s if v.empty_s is not None else spec.duration_s + v.left_share for v in result.vessels
            }
            first, second = sorted(times, key=lambda name: times[name])
            if times[second] - times[first] > max(2.5 / spec.fps, 0.06 * times[first]):
                asked.append(
                    Question(
                        kind="first_empty",
                        question="Which of the two vessels, as seen in the picture, is empty first?",
                        answer=called[first],
                        answer_type="choice",
                        choices=("the left one", "the right one"),
                    )
                )
        if compared:
            return tuple(asked)
        vessel = pick(rng, result.vessels)
        who = called.get(vessel.name, "the vessel").replace("one", "vessel")
        if vessel.empty_s is not None and vessel.empty_s > spec.cue_s and rng.random() < 0.5:
            asked.append(
                Question(
                    kind="empty_time",
                    question=f"From what time on, in seconds from the start of the clip, is {who} empty, but for a few "
                    "drops?",
                    answer=f"{vessel.empty_s:.2f}",
                    answer_type="time_s",
                )
            )
        elif vessel.empty_s is not None or vessel.left_share > 0.1:
            answer = "yes" if vessel.empty_s is not None else "no"
            # Half of those that run dry are asked about by their time instead.
            if even_out(rng, answer, _EMPTY | {"yes": 0.5 * _EMPTY["yes"]}):
                asked.append(
                    Question(
                        kind="vessel_empty",
                        question=f"Is {who} empty when the clip ends, but for a few drops?",
                        answer=answer,
                        answer_type="yes_no",
                    )
                )
        return tuple(asked)


def _called(spec: SceneSpec) -> dict[str, str]:
    """Of two vessels, which is on the left in the picture and which on the right; {} of one."""
    pair = [spec.bodies[index] for index in _vessels(spec)]
    if len(pair) != 2:
        return {}
    right = picture_side(spec, pair[0].position_m, pair[1].position_m) > 0.0
    names = ("the right one", "the left one") if right else ("the left one", "the right one")
    return {body.name: name for body, name in zip(pair, names, strict=True)}


def _vessels(spec: SceneSpec) -> tuple[int, ...]:
    return tuple(i for i, body in enumerate(spec.bodies) if isinstance(body.shape, Vessel))


def _draw_vessel(
    rng: np.random.Generator, parameters: Any, volume: float, least_hole_m: float, below_m: float, taken: set[str]
) -> _Drawn:
    """A vessel with a hole in its floor, and legs that stand ``below_m`` lower and hold it by its rim."""
    form = parameters.form.draw(rng)
    material = parameters.material.draw(rng)
    look, label = draw_unlike(rng, material, lambda color: describe(color, material, form), taken)
    label = f"other {label}" if label in taken else label
    scale = float(volume ** (1.0 / 3.0))
    hole = 0.5 * max(parameters.hole_share.draw(rng) * scale, least_hole_m)
    # Radii and depth in units of the cube root of the liquid's volume.
    foot, rim, deep = {
        "pot": (0.58, 0.6, rng.uniform(1.0, 1.2)),
        "funnel": (0.0, 0.86, rng.uniform(0.95, 1.15)),
        "tub": (0.66, 0.78, rng.uniform(0.72, 0.85)),
    }[form]
    wall = max(0.003, 0.05 * scale)
    inner = max(foot * scale, 1.25 * hole)
    floor = 1.2 * wall
    # Floors slope towards the hole, so that little stays on them.
    foot_z = 1.6 * floor if form == "funnel" else floor + 0.3 * (inner - hole)
    foot_r = hole if form == "funnel" else inner
    profile = [(hole, floor), (foot_r, foot_z), (rim * scale, floor + deep * scale)]
    shape = Vessel(profile_m=tuple((round(float(r), 6), round(float(z), 6)) for r, z in profile), wall_m=round(wall, 5))
    level = min(level_for_volume_m(shape, volume), 0.95 * (shape.rim_z_m - shape.floor_z_m))
    outer = rim * scale + 1.1 * wall
    return _Drawn(shape, _legs(shape, below_m, outer), material, label, look, level, outer + 0.012, below_m)


def _legs(shape: Vessel, below_m: float, outer_m: float) -> Compound:
    """Four legs that stand on the tray's floor and hold the vessel by its rim."""
    thick = 0.008
    at = outer_m + thick / 2
    tall = below_m + 0.96 * shape.rim_z_m
    pieces = [
        Piece(
            shape=Box(size_m=(thick, thick, tall)),
            position_m=(float(at * np.cos(angle)), float(at * np.sin(angle)), tall / 2 - below_m),
        )
        for angle in np.pi * (0.25 + 0.5 * np.arange(4))
    ]
    # Arms from the legs to the wall just below the rim.
    reach = float(inner_radius_m(shape, 0.9 * shape.rim_z_m)) + 0.5 * shape.wall_m
    pieces += [
        Piece(
            shape=Box(size_m=(at - reach, thick / 2, thick / 2)),
            position_m=(
                float(0.5 * (at + reach) * np.cos(a)),
                float(0.5 * (at + reach) * np.sin(a)),
                0.9 * shape.rim_z_m,
            ),
            orientation_wxyz=(float(np.cos(a / 2)), 0.0, 0.0, float(np.sin(a / 2))),
        )
        for a in np.pi * (0.25 + 0.5 * np.arange(4))
    ]
    return Compound(pieces=tuple(pieces))


def _tray(rng: np.random.Generator, vessels: list[_Drawn]) -> tuple[tuple[Tank, str, Any, str], list[float]]:
    """A tray that holds what all vessels hold, its material, look and label, and where the vessels stand along it."""
    gap = 0.02
    width = sum(2.0 * vessel.outer_m for vessel in vessels) + gap * (len(vessels) - 1)
    deep = 2.0 * max(vessel.outer_m for vessel in vessels)
    inside = (1.1 * width + 0.03, 1.15 * deep + 0.03)
    volume = sum(capacity_m3(vessel.shape, vessel.level_m) for vessel in vessels)
    high = max(volume / (inside[0] * inside[1]) * float(rng.uniform(1.5, 2.2)), 0.025)
    material = pick(rng, ("ABS", "steel", "ceramic"))
    look, color = draw_look(rng, material)
    at, x = [], -width / 2
    for vessel in vessels:
        at.append(x + vessel.outer_m)
        x += 2.0 * vessel.outer_m + gap
    tank = Tank(inside_m=(*inside, high), wall_m=0.004)
    return (tank, material, look, describe(color, material, "tray")), at
