"""Pouring: a jug, bottle or cup is tilted over a glass, bowl, bucket or cup, which may overflow or be missed."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from physreel.analysis.hollows import hollow_shape
from physreel.analysis.liquids import (
    GONE,
    IN_FLIGHT,
    OUTSIDE,
    empty_s,
    find_places,
    first_arrivals,
    overflow_s,
    peak_outflow,
    settled_level_m,
)
from physreel.geometry.rotations import rotate_wxyz
from physreel.geometry.vessels import level_for_volume_m, vessel_mesh
from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.liquids import LIQUID_NAMES, draw_liquid, least_opening_m, particle_spacing_m
from physreel.scenes.parameters import Choice, FloatRange, SceneParameters, choice, float_range
from physreel.scenes.pour_motion import TiltPlan, clear_way, lip_at, plan_tilt, throw_m
from physreel.scenes.pouring_words import pouring_caption, pouring_questions
from physreel.scenes.rooms import camera_choice, draw_camera, draw_place, filmed, support_choice, surface_choice
from physreel.scenes.vessels import VESSEL_MATERIALS, DrawnVessel, draw_vessel, standing_bodies, with_handle
from physreel.spec import Body, Fluid, Keyframe, SceneSpec, VesselFill
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (1.6, 1.4)
_LEAD = 0.95  # of the full stream's throw: the first and the last of it fall short
_MOST_LEAD = 1.4  # radii of the opening: from farther off nothing of a thin stream would fall in
_SOURCES, _TARGETS = ("jug", "bottle", "cup"), ("glass", "bowl", "bucket", "cup")


class PouringOutcome(Outcome):
    """Where the liquid went. The four shares add up to one, the four amounts to ``volume_l``, particle by particle."""

    liquid: str = Field(description="what is poured")
    volume_l: float = Field(description="how much there is of it, litres")
    in_target_share: float = Field(description="share in the lower vessel at the end")
    left_share: float = Field(description="share still in the upper vessel at the end")
    spilled_share: float = Field(description="share outside both that has come down, at the end")
    in_flight_share: float = Field(description="share in the air, or running down, at the end")
    in_target_l: float = Field(description="litres in the lower vessel at the end")
    left_l: float = Field(description="litres still in the upper vessel at the end")
    spilled_l: float = Field(description="litres outside both that have come down, at the end")
    in_flight_l: float = Field(description="litres in the air, or running down, at the end")
    final_level_m: float = Field(description="height of the liquid above the lower vessel's inside floor at the end")
    final_level_share: float = Field(description="that height as a share of the vessel's depth")
    first_contact_s: float | None = Field(description="when liquid first meets the lower vessel; none if it never does")
    first_touched: str | None = Field(description="body that the liquid meets first; none if it meets none")
    overflows: bool = Field(description="whether the lower vessel runs over")
    overflow_s: float | None = Field(description="when it begins to run over; none if it does not")
    peak_flow_l_s: float = Field(description="greatest rate at which liquid leaves the upper vessel, litres a second")
    peak_flow_s: float = Field(description="when that was")
    source_empty: bool = Field(description="whether the upper vessel is empty at the end, but for a film or drops")
    source_empty_s: float | None = Field(description="from when on; none if it is not")


class Pouring(Scene):
    """A jug, bottle or cup tilts and pours into a glass, bowl, bucket or cup, which it may fill, overfill or miss.

    The amount poured is drawn against what the lower vessel holds, so it overflows in about a third of the clips; the
    stream is aimed at the opening and then shifted, so some of them spill. Liquids go from water to honey.
    """

    name = "pouring"
    version = 1
    domains = ("newtonian", "fluid")
    outcome_type = PouringOutcome
    headline = "overflows"
    default_clip = ClipSettings(fps=30, duration_s=3.0)

    class Parameters(SceneParameters):
        """What is poured, from what into what, and how."""

        liquid: Choice = choice(LIQUID_NAMES, allowed=LIQUID_NAMES, description="what is poured")
        source: Choice = choice(_SOURCES, allowed=_SOURCES, description="the vessel that pours")
        target: Choice = choice(_TARGETS, allowed=_TARGETS, description="the vessel that is poured into")
        source_material: Choice = choice(
            VESSEL_MATERIALS, allowed=VESSEL_MATERIALS, description="what the upper vessel may be made of"
        )
        target_material: Choice = choice(
            VESSEL_MATERIALS, allowed=VESSEL_MATERIALS, description="what the lower vessel may be made of"
        )
        volume_l: FloatRange = float_range(0.15, 0.5, allowed=(0.05, 2.0), unit="l", description="amount of liquid")
        fill_share: FloatRange = float_range(
            0.5, 0.85, allowed=(0.1, 0.92), unit="1", description="how full the upper vessel is at the start"
        )
        pour_share: FloatRange = float_range(
            0.45, 1.2, allowed=(0.1, 1.2), unit="1",
            description="share of the liquid that the greatest tilt lets go; 1 and more: all of it",
        )  # fmt: skip
        target_fill: FloatRange = float_range(
            0.25, 1.5, allowed=(0.1, 4.0), unit="1",
            description="what is poured over what the lower vessel holds; above 1 it overflows",
        )  # fmt: skip
        target_offset: FloatRange = float_range(
            0.0, 1.15, allowed=(0.0, 4.0), unit="1",
            description="how far the lower vessel stands off the best place, in radii of its opening",
        )  # fmt: skip
        pour_height_m: FloatRange = float_range(
            0.02, 0.1, allowed=(0.01, 0.5), unit="m",
            description="height of the lip above the lower vessel's rim, if nothing is in the way",
        )  # fmt: skip
        pour_time_s: FloatRange = float_range(
            1.0, 1.8, allowed=(0.2, 20.0), unit="s", description="time from the first flow to the greatest tilt"
        )
        support: Choice = support_choice("the lower vessel")
        surface: Choice = surface_choice()
        camera_motion: Choice = camera_choice()

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw two vessels, a liquid, a motion that pours, and a camera that sees both vessels and what gets wet."""
        drawn = cast("Pouring.Parameters", self.parameters).draw(rng)
        liquid = draw_liquid(rng, drawn["liquid"])
        volume = 1e-3 * drawn["volume_l"]
        pour_share = min(drawn["pour_share"], 1.0)
        source = draw_vessel(
            rng,
            drawn["source"],
            self.parameters.source_material.values,  # type: ignore[attr-defined]
            volume / drawn["fill_share"],
            neck_m=least_opening_m(volume),
        )
        target = draw_vessel(
            rng,
            drawn["target"],
            self.parameters.target_material.values,  # type: ignore[attr-defined]
            volume * pour_share / drawn["target_fill"],
            taken=(source.label,),
        )
        room, stand = draw_place(rng, drawn, _ROOM_HALF_M)
        heading = float(np.radians(rng.uniform(-35.0, 35.0)) + (np.pi if rng.random() < 0.5 else 0.0))
        # A handle of the lower vessel is turned away from the stream.
        yaw = heading + np.pi + float(rng.uniform(-1.2, 1.2)) * np.pi / 2.0
        lower = standing_bodies("target", target, (0.0, 0.0, stand.top_m), yaw)
        plan = plan_tilt(
            rng, source, volume, pour_share=pour_share, pour_s=drawn["pour_time_s"],
            viscosity_pa_s=liquid.viscosity_pa_s,
        )  # fmt: skip
        astray = float(rng.uniform(0.0, 2.0 * np.pi))
        for _ in range(2):  # again with the height that was found to be clear: from higher up it falls farther off
            thrown = throw_m(
                source, volume * pour_share, drawn["pour_time_s"], drawn["pour_height_m"], liquid.viscosity_pa_s
            )
            lip = _lip(drawn, target, stand.top_m, thrown, heading, astray)
            keys = clear_way(source, plan, lip, heading, lower, stand.top_m)
            high = float(lip_at(source, keys[-1])[2] - stand.top_m - target.shape.rim_z_m)
            drawn["pour_height_m"] = round(high, 6)
        upper = _moving_bodies(source, keys)
        camera = draw_camera(
            rng, self.clip, _must_see(source, keys, plan, target, stand.top_m),
            moving=drawn["camera_motion"] == "slow", room_half_m=_ROOM_HALF_M, elevation_deg=(14.0, 36.0),
        )  # fmt: skip
        level = level_for_volume_m(source.shape, volume)
        fluid = Fluid(name="liquid", liquid=liquid.name, fills=(VesselFill(vessel="source", level_m=level),),
                      label=liquid.name)  # fmt: skip
        return SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            bodies=(*room.bodies, *stand.bodies, *lower, *upper),
            no_contact=tuple((group[0].name, group[1].name) for group in (lower, upper) if len(group) > 1),
            fluids=(fluid,),
            liquids=(liquid,),
            particle_spacing_m=particle_spacing_m(volume, self.clip.quality),
            **filmed(room, camera),
            cue_s=min(round((plan.flow_s + 0.1) * self.clip.fps) / self.clip.fps, 0.5 * self.clip.duration_s),
            parameters=drawn | {"source_material": source.material, "target_material": target.material},
        )

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> PouringOutcome:
        """Count the particles in each place at the end, and read times and flow from the signals."""
        source, target = spec.body_index("source"), spec.body_index("target")
        shape = hollow_shape(spec, target)
        places = find_places(spec, trajectory)
        where = {"in_target": (target,), "left": (source,), "spilled": (OUTSIDE, GONE), "in_flight": (IN_FLIGHT,)}
        litres = {f"{name}_l": 1e3 * float(places.volume_m3(*at)[-1]) for name, at in where.items()}
        arrivals = first_arrivals(spec, trajectory)
        meets = [(arrival.time_s, spec.bodies[body].name.removesuffix("_handle")) for body, arrival in arrivals.items()]
        over, level = overflow_s(spec, trajectory, places, target), settled_level_m(spec, trajectory, target)
        peak, peak_s = peak_outflow(spec, trajectory, source)
        empty = empty_s(spec, trajectory, source)
        return PouringOutcome(
            liquid=spec.fluids[0].label,
            volume_l=1e3 * places.particle_volume_m3 * places.place.shape[1],
            **{f"{name}_share": places.share_at_end(*at) for name, at in where.items()},
            **litres,
            final_level_m=level,
            final_level_share=level / (shape.rim_z_m - shape.floor_z_m),
            first_contact_s=min((time for time, name in meets if name == "target"), default=None),
            first_touched=min(meets)[1] if meets else None,
            overflows=over is not None,
            overflow_s=over,
            peak_flow_l_s=1e3 * peak,
            peak_flow_s=peak_s,
            source_empty=empty is not None,
            source_empty_s=empty,
        )

    def caption(self, spec: SceneSpec, trajectory: Trajectory, outcome: Outcome, events: tuple[Event, ...]) -> str:
        """What is poured from what into what, how it ends in the lower vessel, and what is left in the upper."""
        return pouring_caption(spec, cast("PouringOutcome", outcome))

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """About overflowing, emptying, spilling and when things begin."""
        return pouring_questions(spec, trajectory, cast("PouringOutcome", outcome), rng)


def _lip(
    drawn: dict[str, Any], target: DrawnVessel, top_m: float, thrown_m: float, heading: float, astray: float
) -> NDArray[np.float64]:
    """(3,) where the lip is while it pours: first drops and full stream fall in; then shifted by the offset."""
    behind = min(_LEAD * thrown_m, _MOST_LEAD * target.rim_radius_m)
    off = drawn["target_offset"] * target.rim_radius_m
    return np.array(
        [
            -behind * np.cos(heading) + off * np.cos(astray),
            -behind * np.sin(heading) + off * np.sin(astray),
            top_m + target.shape.rim_z_m + drawn["pour_height_m"],
        ]
    )


def _moving_bodies(source: DrawnVessel, keys: tuple[Keyframe, ...]) -> tuple[Body, ...]:
    body = Body(
        name="source", shape=source.shape, material=source.material, motion="driven", keyframes=keys,
        position_m=keys[0].position_m, orientation_wxyz=keys[0].orientation_wxyz, look=source.look, label=source.label,
    )  # fmt: skip
    return with_handle(body, source)


def _must_see(
    source: DrawnVessel, keys: tuple[Keyframe, ...], plan: TiltPlan, target: DrawnVessel, top_m: float
) -> NDArray[np.float64]:
    """Points of both vessels, the upper one all along its way, and of what stands about to get wet."""
    outline = np.asarray(vessel_mesh(source.shape, 8).vertices_m)
    points = [
        np.asarray(key.position_m) + rotate_wxyz(key.orientation_wxyz, outline)
        for key in (keys[0], *[k for k in keys if k.time_s >= plan.flow_s][::6], keys[-1])
    ]
    reach = target.outer_radius_m + 0.035
    puddle = [(x, y, top_m) for x in (-reach, reach) for y in (-reach, reach)]
    points += [np.asarray(vessel_mesh(target.shape, 8).vertices_m) + np.array([0.0, 0.0, top_m]), np.array(puddle)]
    return np.concatenate(points)
