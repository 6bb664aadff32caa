"""Sink or float: bodies of given density are dropped into a tank of liquid, splash, and come to float or to sink."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from pydantic import Field

from physreel.analysis.draws import pick, shuffled
from physreel.analysis.floating import Immersion, find_immersions
from physreel.analysis.liquids import GONE, IN_FLIGHT, OUTSIDE, find_places
from physreel.analysis.words import Phrasing, a, listed, sentence
from physreel.geometry.extents import bounding_radius_m, lowest_points
from physreel.geometry.rotations import random_wxyz, rotate_wxyz
from physreel.scenes.asking import coin
from physreel.scenes.base import GRAVITY_M_S2, ClipSettings, Scene
from physreel.scenes.liquids import LIQUID_NAMES, draw_liquid, particle_spacing_m
from physreel.scenes.objects import COLORS
from physreel.scenes.parameters import Choice, FloatRange, IntRange, SceneParameters, choice, float_range, int_range
from physreel.scenes.rooms import camera_choice, draw_camera, draw_place, filmed, support_choice, surface_choice
from physreel.scenes.tanks import draw_turn, put, tank_points
from physreel.spec import (
    MATERIALS,
    Body,
    Box,
    Capsule,
    Cylinder,
    Ellipsoid,
    Fluid,
    Material,
    SceneSpec,
    Shape,
    Sphere,
    Tank,
    VesselFill,
)
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (1.8, 1.6)
_SHAPES = ("sphere", "box", "cylinder", "capsule", "ellipsoid")
_NOUNS = {"sphere": "ball", "box": "block", "cylinder": "cylinder", "capsule": "capsule", "ellipsoid": "egg"}
_UNDECIDED = (0.94, 1.06)
"""Ratios of density to the liquid's between which a body takes longer than a clip to show what it does."""


class ImmersedOutcome(Outcome):
    """What became of one body."""

    name: str = Field(description="the body's name in the spec")
    label: str = Field(description="what captions call it")
    density_kg_m3: float = Field(description="its density")
    splash_s: float | None = Field(description="when it meets the liquid; none if it never does")
    splash_speed_m_s: float | None = Field(description="its speed then; none if it never does")
    state: str = Field(
        description="at the end: floats, sinks (on the bottom, or on others that lie there), neither, dry"
    )
    settled_s: float | None = Field(description="from when on it has floated, or lain on the bottom; none if neither")
    draft_m: float = Field(description="depth of its lowest point below the surface at the end")
    submerged_share: float = Field(description="share of its height that is below the surface at the end")


class SinkOrFloatOutcome(Outcome):
    """What became of all bodies, and of the liquid."""

    liquid: str = Field(description="what they are dropped into")
    liquid_density_kg_m3: float = Field(description="its density")
    bodies: list[ImmersedOutcome] = Field(description="one record for each body, in the spec's order")
    floating_count: int = Field(description="how many float at the end")
    sunk_count: int = Field(description="how many have sunk at the end")
    first_splash: str | None = Field(description="body that meets the liquid first; none if none does")
    spilled_share: float = Field(description="share of the liquid outside the tank that has come down, at the end")
    in_flight_share: float = Field(description="share of the liquid in the air, or running down, at the end")


class SinkOrFloat(Scene):
    """One to four bodies of different densities fall into a tank of liquid; some come up again and float, some sink.

    Their looks tell nothing of their weight: all are painted, and density is drawn apart from colour and shape.
    """

    name = "sink_or_float"
    version = 1
    domains = ("newtonian", "fluid", "rigid")
    outcome_type = SinkOrFloatOutcome
    headline = "floating_count"
    default_clip = ClipSettings(fps=30, duration_s=3.0)

    class Parameters(SceneParameters):
        """The liquid, the tank, and what is dropped."""

        liquid: Choice = choice(
            ("water", "olive oil", "glycerine", "maple syrup", "red wine", "milk", "orange juice"),
            allowed=LIQUID_NAMES, description="what is in the tank",
        )  # fmt: skip
        body_count: IntRange = int_range(1, 4, allowed=(1, 4), description="how many bodies are dropped")
        shape: Choice = choice(_SHAPES, allowed=_SHAPES, description="shapes the bodies are drawn from")
        density_ratio: FloatRange = float_range(
            0.25, 2.2, allowed=(0.05, 12.0), unit="1",
            description="a body's density over the liquid's; lighter and heavier come as often where both are allowed",
        )  # fmt: skip
        tank_length_m: FloatRange = float_range(
            0.26, 0.36, allowed=(0.15, 1.0), unit="m", description="inside length of the tank"
        )
        body_size_share: FloatRange = float_range(
            0.19, 0.24, allowed=(0.12, 0.3), unit="1", description="size of each body over the tank's length"
        )
        level_share: FloatRange = float_range(
            0.36, 0.5, allowed=(0.25, 1.0), unit="1", description="height of the liquid over the tank's length"
        )
        drop_height_m: FloatRange = float_range(
            0.02, 0.2, allowed=(0.005, 1.0), unit="m", description="gap between each body and the surface at the start"
        )
        support: Choice = support_choice("the tank")
        surface: Choice = surface_choice()
        camera_motion: Choice = camera_choice()

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw a tank, painted bodies above it, and a camera that sees them and into the tank."""
        parameters = cast("SinkOrFloat.Parameters", self.parameters)
        drawn = parameters.draw(rng)
        liquid = draw_liquid(rng, drawn["liquid"])
        length = drawn["tank_length_m"]
        deep, level = 0.68 * length, drawn["level_share"] * length
        tank = Tank(inside_m=(length, deep, level + 0.28 * length), wall_m=max(0.005, 0.016 * length))
        room, stand = draw_place(rng, drawn, _ROOM_HALF_M)
        place, turn = (0.0, 0.0, stand.top_m), draw_turn(rng)
        bodies, materials = self._drop(rng, parameters, drawn, tank, level, liquid.density_kg_m3)
        bodies = [body.model_copy(update={"position_m": put(place, turn, body.position_m)}) for body in bodies]
        drop = min(body.position_m[2] + float(lowest_points(body.shape, body.orientation_wxyz)[0]) for body in bodies)
        drop -= stand.top_m + tank.floor_z_m + level
        glass = Body(name="tank", shape=tank, material="glass", motion="static", position_m=place,
                     orientation_wxyz=turn, label="glass tank")  # fmt: skip
        starts = np.array([body.position_m for body in bodies])
        reach = np.array([[0.0, 0.0, 0.6], [0.0, 0.0, -0.6]]) * drawn["body_size_share"] * length
        camera = draw_camera(
            rng, self.clip, np.vstack([place + rotate_wxyz(turn, tank_points(tank)), *(starts + r for r in reach)]),
            moving=drawn["camera_motion"] == "slow", room_half_m=_ROOM_HALF_M,
            azimuth_deg=(-110.0, -65.0), elevation_deg=(8.0, 24.0),
        )  # fmt: skip
        for name in ("shape", "density_ratio", "body_size_share", "drop_height_m"):
            drawn[name] = str(getattr(parameters, name))  # drawn once a body: the bodies tell the rest
        fluid = Fluid(name="liquid", liquid=liquid.name, fills=(VesselFill(vessel="tank", level_m=level),),
                      label=liquid.name)  # fmt: skip
        return SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            bodies=(*room.bodies, *stand.bodies, glass, *bodies),
            materials=materials,
            fluids=(fluid,),
            liquids=(liquid,),
            particle_spacing_m=particle_spacing_m(length * deep * level, self.clip.quality),
            **filmed(room, camera),
            cue_s=_cue(self.clip, drop),
            parameters=drawn,
        )

    def _drop(
        self, rng: np.random.Generator, parameters: Any, drawn: dict[str, Any], tank: Tank, level: float, density: float
    ) -> tuple[list[Body], tuple[Material, ...]]:
        """Bodies above the tank, in its frame, apart from each other and its walls; each of a material of its own."""
        colors = list(COLORS)
        bodies: list[Body] = []
        materials: list[Material] = []
        count = drawn["body_count"]
        half = np.array(tank.inside_m[:2]) / 2
        # One slot along the tank for each, so that they do not fall onto one another.
        slots = rng.permutation(count)
        for k in range(count):
            size = parameters.body_size_share.draw(rng) * tank.inside_m[0]
            kind = parameters.shape.draw(rng)
            shape = _shape(rng, kind, size)
            color = colors.pop(int(rng.integers(len(colors))))
            material = MATERIALS["ABS"].model_copy(
                update={
                    "name": f"painted_{k}",
                    "density_kg_m3": float(f"{density * _ratio(rng, parameters.density_ratio):.5g}"),
                    "source": "density drawn by the scene; otherwise ABS",
                }
            )
            turn = random_wxyz(rng) if rng.random() < 0.6 else np.array([1.0, 0.0, 0.0, 0.0])
            radius = bounding_radius_m(shape)
            room = half - radius - 0.004
            wide = tank.inside_m[0] / count
            x = float(np.clip((slots[k] + rng.uniform(0.4, 0.6)) * wide - half[0], -room[0], room[0]))
            y = float(rng.uniform(-room[1], room[1]) * 0.6)
            low = -float(lowest_points(shape, turn[None])[0])
            z = tank.floor_z_m + level + parameters.drop_height_m.draw(rng) + low
            for other in bodies:  # neighbours that would touch start one above the other
                near = radius + bounding_radius_m(other.shape) + 0.002
                aside = float(np.hypot(x - other.position_m[0], y - other.position_m[1]))
                if aside < near:
                    z = max(z, other.position_m[2] + float(np.sqrt(near**2 - aside**2)))
            q0, q1, q2, q3 = turn.tolist()
            look = material.look.model_copy(update={"color": COLORS[color]})
            bodies.append(
                Body(name=f"body_{k}", shape=shape, material=material.name, position_m=(x, y, float(z)),
                     orientation_wxyz=(q0, q1, q2, q3), look=look, label=f"{color} {_NOUNS[kind]}")
            )  # fmt: skip
            materials.append(material)
        return bodies, tuple(materials)

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> SinkOrFloatOutcome:
        """Read off where each body lies against the surface and the bottom at the end."""
        found = find_immersions(spec, trajectory)
        places = find_places(spec, trajectory)
        wet = [item for item in found if item.enters_s is not None]
        first = min(wet, key=lambda item: (item.enters_s or 0.0, item.body), default=None)
        return SinkOrFloatOutcome(
            liquid=spec.fluids[0].label,
            liquid_density_kg_m3=spec.liquid(spec.fluids[0].liquid).density_kg_m3,
            bodies=[_record(spec, item) for item in found],
            floating_count=sum(item.state == "floats" for item in found),
            sunk_count=sum(item.state == "sinks" for item in found),
            first_splash=None if first is None else spec.bodies[first.body].name,
            spilled_share=places.share_at_end(OUTSIDE, GONE),
            in_flight_share=places.share_at_end(IN_FLIGHT),
        )

    def caption(self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]) -> str:
        """What falls into what, which of it floats and which sinks, and what never gets there."""
        result, say = cast("SinkOrFloatOutcome", outcome), Phrasing(spec)
        missing = [body for body in result.bodies if body.splash_s is None]
        entered = [body for body in result.bodies if body.splash_s is not None] or result.bodies
        one = len(entered) == 1
        verb = say.pick(0, ("falls into", "drops into") if one else ("fall into", "drop into"))
        if len(missing) == len(result.bodies):
            verb = "is let go over" if one else "are let go over"
        opening = f"{listed([a(body.label) for body in entered])} {verb} a glass tank of {result.liquid}"
        clauses = []
        for state, singular, plural in (
            ("floats", "comes up and floats", "come up and float"),
            ("sinks", "sinks", "sink"),
            ("dry", "is out of the liquid again when the clip ends", "are out of the liquid again when the clip ends"),
            (
                "neither",
                "is neither afloat nor at the bottom when the clip ends",
                "are neither afloat nor at the bottom when the clip ends",
            ),
        ):
            members = [body for body in entered if body.state == state and body.splash_s is not None]
            if members:
                who = "it" if one else "all" if len(members) == len(entered) else ""
                who = who or listed([f"the {body.label}" for body in members])
                clauses.append(f"{who} {singular if len(members) == 1 else plural}")
        if missing:
            who = "it" if len(result.bodies) == 1 else "they" if missing == entered else ""
            who = who or listed([a(body.label) for body in missing])
            clauses.append(f"{who} {'does' if len(missing) == 1 else 'do'} not reach the {result.liquid}")
        ending = ", ".join(clauses[:-1]) + (", and " if len(clauses) > 1 else "") + "".join(clauses[-1:])
        return " ".join(sentence(text) for text in (opening, ending) if text)

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """Whether one floats or which floats deepest, and which meets the liquid first or when one does.

        Of each pair only one: "of these floating objects" says of each whether it floats, and what is asked for a time
        after the cue is not likely to be the first.
        """
        result = cast("SinkOrFloatOutcome", outcome)
        decided = [body for body in result.bodies if body.state in ("floats", "sinks")]
        asked: list[Question] = []
        groups = [[body for body in decided if body.state == state] for state in ("floats", "sinks")]
        floating = sorted(groups[0], key=lambda body: -body.submerged_share)
        deepest = len(floating) > 1 and floating[0].submerged_share > floating[1].submerged_share + 0.12
        ranked = coin(rng) and deepest
        if ranked:
            asked.append(
                Question(
                    kind="floats_deepest",
                    question="Of these floating objects, which has the greatest part of its height below the surface?",
                    answer=floating[0].label,
                    answer_type="choice",
                    choices=shuffled(rng, [body.label for body in floating]),
                )
            )
        elif all(groups):
            body = pick(rng, pick(rng, groups))
            asked.append(
                Question(
                    kind="floats",
                    question=f"Does the {body.label} float when the clip ends?",
                    answer="yes" if body.state == "floats" else "no",
                    answer_type="yes_no",
                )
            )
        splashes = sorted((body.splash_s, body.label) for body in result.bodies if body.splash_s is not None)
        apart = 1.5 / spec.fps
        raced = coin(rng) and len(splashes) == len(result.bodies) > 1
        if raced and splashes[1][0] - splashes[0][0] > apart:
            asked.append(
                Question(
                    kind="first_splash",
                    question="Which of these objects meets the liquid first?",
                    answer=splashes[0][1],
                    answer_type="choice",
                    choices=shuffled(rng, [label for _, label in splashes]),
                )
            )
        late = [item for item in splashes if item[0] > spec.cue_s]
        if late and not raced:
            time, label = pick(rng, late)
            asked.append(
                Question(
                    kind="splash_time",
                    question=f"At what time, in seconds from the start of the clip, does the {label} hit the liquid?",
                    answer=f"{time:.2f}",
                    answer_type="time_s",
                )
            )
        return tuple(asked)


def _shape(rng: np.random.Generator, kind: str, size: float) -> Shape:
    """A body whose least extent is enough to be told from the liquid's graininess."""
    match kind:
        case "sphere":
            return Sphere(radius_m=size / 2)
        case "box":
            x, y = (float(size * rng.uniform(0.85, 1.05)) for _ in range(2))
            return Box(size_m=(x, y, float(size * rng.uniform(0.65, 0.9))))
        case "cylinder":
            return Cylinder(radius_m=float(size * rng.uniform(0.4, 0.5)), height_m=float(size * rng.uniform(0.7, 1.0)))
        case "capsule":
            radius = float(size * rng.uniform(0.34, 0.4))
            return Capsule(radius_m=radius, length_m=float(size * rng.uniform(0.3, 0.5)))
        case _:
            y, z = (float(size / 2 * rng.uniform(0.72, 0.95)) for _ in range(2))
            return Ellipsoid(radii_m=(0.55 * size, y, z))


def _ratio(rng: np.random.Generator, allowed: FloatRange) -> float:
    """Lighter or heavier than the liquid by a coin, where both are allowed; not so near that it hangs in the middle."""
    low, high = _UNDECIDED
    sides = [(allowed.low, min(allowed.high, low)), (max(allowed.low, high), allowed.high)]
    sides = [side for side in sides if side[0] <= side[1]]
    if not sides:
        return allowed.draw(rng)
    return float(rng.uniform(*pick(rng, sides)))


def _cue(clip: ClipSettings, drop_m: float) -> float:
    """Until about the first splash, at least a fifth of a second."""
    frames = max(round(0.2 * clip.fps), int(np.sqrt(2.0 * drop_m / GRAVITY_M_S2) * clip.fps))
    return min(frames / clip.fps, 0.5 * clip.duration_s)


def _record(spec: SceneSpec, item: Immersion) -> ImmersedOutcome:
    body = spec.bodies[item.body]
    entered = item.enters_s is not None
    return ImmersedOutcome(
        name=body.name,
        label=body.label,
        density_kg_m3=spec.material_of(body).density_kg_m3,
        splash_s=item.enters_s,
        splash_speed_m_s=item.entry_speed_m_s if entered else None,
        state=item.state,
        settled_s=item.since_s,
        draft_m=item.draft_m,
        submerged_share=item.submerged_share,
    )
