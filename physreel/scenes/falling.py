"""Falling objects: they drop, tumble, collide, bounce and roll, onto a floor, a table or a shelf."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from pydantic import Field

from physreel.analysis import (
    Impact,
    attitude,
    find_bounces,
    find_impacts,
    rebound_height_m,
    rest_time_s,
    supports_at_end,
)
from physreel.analysis.draws import pick
from physreel.geometry.extents import lowest_points
from physreel.geometry.rotations import random_wxyz
from physreel.scenes.base import GRAVITY_M_S2, ClipSettings, Scene
from physreel.scenes.objects import OBJECT_MATERIALS, OBJECT_SHAPES, DrawnObject, draw_object
from physreel.scenes.parameters import Choice, FloatRange, IntRange, SceneParameters, choice, float_range, int_range
from physreel.scenes.rooms import (
    SURFACES,
    USUAL_SURFACES,
    Surface,
    camera_choice,
    draw_camera,
    draw_room,
    draw_surface,
    filmed,
    table_shape,
)
from physreel.spec import Body, Box, Compound, Piece, SceneSpec, Vec3
from physreel.values import Event, Outcome, Question, Trajectory

_ROOM_HALF_M = (2.4, 2.0)


class ObjectOutcome(Outcome):
    """What became of one object."""

    name: str = Field(description="the body's name in the spec")
    label: str = Field(description="what captions call it")
    first_impact_s: float | None = Field(description="time of its first contact; none if it touched nothing")
    first_impact_speed_m_s: float | None = Field(description="speed at which the surfaces met in that contact")
    bounce_count: int = Field(description="impacts that threw it off what it hit")
    rebound_height_m: float | None = Field(description="rise of its centre of mass after the first impact")
    rests_on: str | None = Field(description="body that carries it at the end; none if it is in the air or moving")
    resting_face: str | None = Field(description="the face underneath at rest: -z, +x, …, side (lies), any (ball)")
    upright: bool | None = Field(description="whether at rest its own z axis points up (within 15°); none in motion")
    turned_deg: float = Field(description="angle from up, at the end, of what pointed up at the start")
    left_support: bool = Field(description="whether it touched the table or shelf and then went below its top")
    settled_s: float | None = Field(description="time from which it rests to the end; none if it still moves")


class FallingOutcome(Outcome):
    """What became of all objects."""

    objects: list[ObjectOutcome] = Field(description="one record for each object, in the spec's order")
    first_to_land: str | None = Field(description="object with the earliest contact with something that does not move")
    last_to_stop: str | None = Field(description="object that came to rest last; none if any still moves at the end")
    left_support_count: int = Field(description="how many objects left the table or shelf")
    all_settled: bool = Field(description="whether everything is at rest at the end")


class Falling(Scene):
    """Objects of mixed shape and material fall, tumble, collide, bounce and roll off tables and shelves.

    One to twelve objects are let go at random poses and velocities over a table, a shelf on the wall or the bare floor,
    in a room whose surfaces, colours, light and camera vary.
    """

    name = "falling"
    version = 1
    domains = ("newtonian", "rigid", "contact")
    outcome_type = FallingOutcome
    headline = "left_support_count"
    default_clip = ClipSettings(fps=24, duration_s=4.0)

    class Parameters(SceneParameters):
        """What falls, from where, onto what."""

        object_count: IntRange = int_range(1, 12, allowed=(1, 12), description="how many objects fall")
        object_size_m: FloatRange = float_range(
            0.08, 0.2, allowed=(0.02, 0.4), unit="m", description="largest extent of each object"
        )
        shape: Choice = choice(OBJECT_SHAPES, allowed=OBJECT_SHAPES, description="shapes the objects are drawn from")
        material: Choice = choice(
            OBJECT_MATERIALS, allowed=OBJECT_MATERIALS, description="materials the objects are drawn from"
        )
        drop_height_m: FloatRange = float_range(
            0.12, 0.7, allowed=(0.01, 5.0), unit="m", description="gap below each object when it is let go"
        )
        release_speed_m_s: FloatRange = float_range(
            0.0, 0.6, allowed=(0.0, 5.0), unit="m/s", description="horizontal speed at release"
        )
        spin_rad_s: FloatRange = float_range(
            0.0, 8.0, allowed=(0.0, 60.0), unit="rad/s", description="angular speed at release"
        )
        furniture: Choice = choice(
            ("table", "shelf", "none"), allowed=("table", "shelf", "none"), description="what the objects fall onto"
        )
        surface: Choice = choice(
            USUAL_SURFACES,
            allowed=SURFACES,
            description="what the table or shelf is made of (without either: the floor)",
        )
        floor: Choice = choice(
            ("wood", "marble", "concrete", "carpet", "tiles"), allowed=SURFACES, description="what the floor is made of"
        )
        camera_motion: Choice = camera_choice()

    def sample(self, rng: np.random.Generator) -> SceneSpec:
        """Draw a room, furniture, objects in free space above it, a camera that sees them, and two microphones."""
        parameters = cast("Falling.Parameters", self.parameters)
        drawn = parameters.draw(rng)
        surface, floor = draw_surface(rng, drawn["surface"]), draw_surface(rng, drawn["floor"])
        if drawn["furniture"] == "none":
            floor, drawn["floor"] = surface, drawn["surface"]
        furniture, top_m, region = _draw_furniture(rng, drawn["furniture"], surface)
        room = draw_room(rng, floor, *_ROOM_HALF_M)
        objects = self._place_objects(rng, parameters, drawn["object_count"], top_m, region)
        starts = np.array([body.position_m for body in objects])
        camera = draw_camera(
            rng,
            self.clip,
            _must_see(starts, region, top_m),
            moving=drawn["camera_motion"] == "slow",
            room_half_m=_ROOM_HALF_M,
        )
        for name in ("object_size_m", "shape", "material", "drop_height_m", "release_speed_m_s", "spin_rad_s"):
            drawn[name] = str(getattr(parameters, name))  # drawn once an object: the bodies tell the rest
        return SceneSpec(
            scene=self.name,
            duration_s=self.clip.duration_s,
            fps=self.clip.fps,
            bodies=(*room.bodies, *furniture, *objects),
            **filmed(room, camera),
            cue_s=_cue(self.clip, objects, top_m),
            parameters=drawn,
        )

    def _place_objects(
        self, rng: np.random.Generator, parameters: Any, count: int, top_m: float, region: tuple[Vec3, Vec3]
    ) -> tuple[Body, ...]:
        """Objects at random places above the region, none within another's bounding ball."""
        placed: list[Body] = []
        balls: list[tuple[Any, float]] = []
        lift = 0.0
        (x0, y0, _), (x1, y1, _) = region
        while len(placed) < count:
            thing = _draw_unlike(rng, parameters, {body.label for body in placed})
            height = parameters.drop_height_m.draw(rng)
            for _ in range(60):
                x, y = rng.uniform(x0, x1), rng.uniform(y0, y1)
                orientation = random_wxyz(rng) if rng.random() < 0.75 else np.array([1.0, 0.0, 0.0, 0.0])
                depth = -float(lowest_points(thing.shape, orientation[None])[0])
                center = np.array([x, y, top_m + height + lift + depth])
                if all(np.linalg.norm(center - c) > 1.02 * (thing.radius_m + r) for c, r in balls):
                    break
            else:
                lift += 0.05  # crowded: let the rest start from a little higher
                continue
            balls.append((center, thing.radius_m))
            placed.append(_body(rng, parameters, f"object_{len(placed)}", thing, center, orientation))
        return tuple(placed)

    def outcome(self, spec: SceneSpec, trajectory: Trajectory) -> FallingOutcome:
        """Read off contacts and poses what became of each object."""
        impacts = find_impacts(spec, trajectory)
        bounces = find_bounces(spec, trajectory, impacts)
        settled, supports = rest_time_s(spec, trajectory), supports_at_end(spec, trajectory)
        moving = [i for i, body in enumerate(spec.bodies) if body.motion == "dynamic"]
        objects = []
        for i in moving:
            body = spec.bodies[i]
            own = [impact for impact in impacts if impact.involves(i)]
            at_rest = bool(np.isfinite(settled[i]))
            end = attitude(spec, trajectory, i)
            objects.append(
                ObjectOutcome(
                    name=body.name,
                    label=body.label,
                    first_impact_s=own[0].time_s if own else None,
                    first_impact_speed_m_s=own[0].approach_speed_m_s if own else None,
                    bounce_count=sum(bounce.body == i for bounce in bounces),
                    rebound_height_m=rebound_height_m(spec, trajectory, i, impacts) if own else None,
                    rests_on=spec.bodies[supports[i][0]].name if at_rest and supports[i] else None,
                    resting_face=end.resting_face if at_rest else None,
                    upright=(end.axis == "+z" and end.tilt_deg < 15.0) if at_rest else None,
                    turned_deg=end.turned_deg,
                    left_support=_left_support(spec, trajectory, own, i),
                    settled_s=float(settled[i]) if at_rest else None,
                )
            )
        landed = (
            k
            for hit in impacts
            for k, other in ((hit.body_a, hit.body_b), (hit.body_b, hit.body_a))
            if k in moving and other not in moving
        )
        first = next(landed, None)
        all_settled = all(thing.settled_s is not None for thing in objects)
        last = max(objects, key=lambda thing: thing.settled_s or 0.0) if all_settled else None
        return FallingOutcome(
            objects=objects,
            first_to_land=None if first is None else spec.bodies[first].name,
            last_to_stop=None if last is None else last.name,
            left_support_count=sum(thing.left_support for thing in objects),
            all_settled=all_settled,
        )

    def questions(
        self,
        spec: SceneSpec,
        trajectory: Trajectory,
        outcome: Outcome,
        events: tuple[Event, ...],
        rng: np.random.Generator,
    ) -> tuple[Question, ...]:
        """About the table or shelf, and about what stands upright."""
        result = cast("FallingOutcome", outcome)
        asked = []
        furniture = _furniture(spec)
        if furniture is not None:
            where = furniture.label
            asked.append(
                Question(
                    kind="left_support_count",
                    question=f"How many objects end up below the {where} after touching it?",
                    answer=str(result.left_support_count),
                    answer_type="count",
                )
            )
            touched = [thing for thing in result.objects if thing.first_impact_s is not None and _unique(thing, result)]
            # One of each answer is as likely to be asked about, so that "yes" is no safer a guess than "no".
            groups = [[t for t in touched if t.left_support is left] for left in (False, True)]
            groups = [group for group in groups if group]
            if groups:
                thing = pick(rng, pick(rng, groups))
                asked.append(
                    Question(
                        kind="leaves_support",
                        question=f"Does the {thing.label} fall from the {where} after touching it?",
                        answer="yes" if thing.left_support else "no",
                        answer_type="yes_no",
                    )
                )
        turned = [t for t in result.objects if t.resting_face not in (None, "any") and _unique(t, result)]
        groups = [[t for t in turned if t.turned_deg < 30.0], [t for t in turned if t.turned_deg > 60.0]]
        groups = [group for group in groups if group]
        if groups:
            thing = pick(rng, pick(rng, groups))
            asked.append(
                Question(
                    kind="keeps_way_up",
                    question=f"Does the {thing.label} come to rest the same way up as it was let go?",
                    answer="yes" if thing.turned_deg < 30.0 else "no",
                    answer_type="yes_no",
                )
            )
        return tuple(asked)


def _unique(thing: ObjectOutcome, outcome: FallingOutcome) -> bool:
    return sum(other.label == thing.label for other in outcome.objects) == 1


def _draw_unlike(rng: np.random.Generator, parameters: Any, labels: set[str]) -> DrawnObject:
    """An object that is called unlike the others where the parameters leave any choice."""
    for _ in range(12):
        thing = draw_object(
            rng, parameters.shape.draw(rng), parameters.material.draw(rng), parameters.object_size_m.draw(rng)
        )
        if thing.label not in labels:
            break
    return thing


def _body(
    rng: np.random.Generator, parameters: Any, name: str, thing: DrawnObject, center: Any, orientation: Any
) -> Body:
    heading, speed = rng.uniform(0.0, 2.0 * np.pi), parameters.release_speed_m_s.draw(rng)
    axis = rng.standard_normal(3)
    spin = parameters.spin_rad_s.draw(rng) * axis / np.linalg.norm(axis)
    return Body(
        name=name,
        shape=thing.shape,
        material=thing.material,
        look=thing.look,
        label=thing.label,
        position_m=_vec(center),
        orientation_wxyz=tuple(float(q) for q in orientation),
        velocity_m_s=(float(speed * np.cos(heading)), float(speed * np.sin(heading)), 0.0),
        angular_velocity_rad_s=_vec(spin),
    )


def _vec(values: Any) -> Vec3:
    x, y, z = values
    return float(x), float(y), float(z)


def _draw_furniture(
    rng: np.random.Generator, kind: str, surface: Surface
) -> tuple[tuple[Body, ...], float, tuple[Vec3, Vec3]]:
    """The table or shelf, the height of its top, and the region above which objects are let go."""
    if kind == "none":
        half = float(rng.uniform(0.25, 0.45))
        return (), 0.0, ((-half, -half, 0.0), (half, half, 0.0))
    width, depth = float(rng.uniform(0.65, 0.95)), float(rng.uniform(0.45, 0.65))
    thick, height = float(rng.uniform(0.025, 0.05)), float(rng.uniform(0.25, 0.5))
    x, y = 0.0, 0.0
    if kind == "table":
        shape = table_shape(width, depth, thick, height, leg_m=float(rng.uniform(0.04, 0.07)))
    else:
        depth = float(rng.uniform(0.25, 0.4))
        y = _ROOM_HALF_M[1] - depth / 2
        bracket = 0.03
        pieces = [Piece(shape=Box(size_m=(width, depth, thick)))]
        pieces += [
            Piece(
                shape=Box(size_m=(bracket, depth * 0.7, 0.12)),
                position_m=(sx * width * 0.35, depth * 0.15, -(thick + 0.12) / 2),
            )
            for sx in (-1.0, 1.0)
        ]
        shape = Compound(pieces=tuple(pieces))
    body = Body(
        name=kind,
        shape=shape,
        material=surface.material,
        motion="static",
        position_m=(x, y, height - thick / 2),
        look=surface.look,
        label=kind,
    )
    # A little beyond the edge: some miss, some hit the rim.
    reach_x, reach_y = width / 2 - 0.02, depth / 2 - 0.02
    back = y + reach_y if kind == "table" else y + depth / 2 - 0.16
    return (body,), height, ((x - reach_x, y - reach_y, height), (x + reach_x, back, height))


def _must_see(starts: Any, region: tuple[Vec3, Vec3], top_m: float) -> Any:
    """Corner points of what happens: where things start, the furniture, and the floor they are likely to land on."""
    low, high = np.array(region[0]), np.array(region[1])
    spill = 0.15 if top_m == 0.0 else 0.28  # what leaves the furniture lands and rolls beyond it
    floor = [(x, y, 0.0) for x in (low[0] - spill, high[0] + spill) for y in (low[1] - spill, high[1] + spill)]
    top = [(x, y, top_m) for x in (low[0], high[0]) for y in (low[1], high[1])]
    margin = np.array([[0.0, 0.0, 0.08], [0.0, 0.0, -0.05]])
    return np.vstack([(starts[:, None] + margin).reshape(-1, 3), floor, top])


def _cue(clip: ClipSettings, objects: tuple[Body, ...], top_m: float) -> float:
    """Until about the first landing, at least a quarter second: what moves where is seen, what comes of it is not."""
    gaps = [body.position_m[2] + float(lowest_points(body.shape, body.orientation_wxyz)[0]) - top_m for body in objects]
    fall_s = float(np.sqrt(2.0 * max(min(gaps), 0.0) / GRAVITY_M_S2))
    frames = max(round(0.25 * clip.fps), int(fall_s * clip.fps))
    return min(frames / clip.fps, 0.5 * clip.duration_s)


def _furniture(spec: SceneSpec) -> Body | None:
    return next((body for body in spec.bodies if body.name in ("table", "shelf")), None)


def _left_support(spec: SceneSpec, trajectory: Trajectory, own: list[Impact], index: int) -> bool:
    """Touched the furniture, and at the end its frame's origin is below the top."""
    furniture = _furniture(spec)
    if furniture is None:
        return False
    k = spec.body_index(furniture.name)
    touched = any(impact.involves(k) for impact in own)
    return touched and bool(trajectory.body_pose_end[index, 2] < furniture.position_m[2])
