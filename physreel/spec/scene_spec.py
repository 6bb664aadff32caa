"""SceneSpec: the whole of a world, in numbers, for any engine."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import Field, JsonValue, ValidationError, model_validator

from physreel.errors import SpecError
from physreel.spec.base import Name, NonNegative, SpecModel, Vec3
from physreel.spec.bodies import Body, Coupling, Joint
from physreel.spec.cameras import Air, Camera, Environment, Light, Microphone
from physreel.spec.materials import CONTACT_PAIRS, MATERIALS, ContactPair, Material, combine_contact


class SceneSpec(SpecModel):
    """A world and how it is to be watched; it says nothing of an engine.

    ``step_s`` is the longest physics step allowed; the frame period is a whole multiple of the step that engines take
    (see ``substeps``). ``materials`` holds those used that differ from, or are missing in, the built-in table.
    ``cue_s`` is how much of the clip may be shown before the outcome is to be predicted.
    ``parameters`` are what the scene drew, for the record. ``no_contact`` lists pairs of bodies that pass through.
    """

    scene: Name
    gravity_m_s2: Vec3 = (0.0, 0.0, -9.81)
    duration_s: Annotated[float, Field(gt=0.0, le=600.0)]
    fps: Annotated[int, Field(ge=1, le=1000)]
    step_s: Annotated[float, Field(gt=1e-6, le=0.02)] = 1.0 / 1200.0
    bodies: Annotated[tuple[Body, ...], Field(min_length=1, max_length=4096)]
    joints: tuple[Joint, ...] = ()
    couplings: tuple[Coupling, ...] = ()
    no_contact: tuple[tuple[Name, Name], ...] = ()
    materials: tuple[Material, ...] = ()
    contact_pairs: tuple[ContactPair, ...] = ()
    cameras: tuple[Camera, ...] = ()
    lights: tuple[Light, ...] = ()
    environment: Environment = Environment()
    microphones: tuple[Microphone, ...] = ()
    air: Air = Air()
    cue_s: NonNegative = 0.0
    parameters: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _references_exist(self) -> SceneSpec:
        problems: list[str] = []
        names = {body.name for body in self.bodies}
        for group, items in (
            ("bodies", self.bodies),
            ("joints", self.joints),
            ("couplings", self.couplings),
            ("cameras", self.cameras),
            ("microphones", self.microphones),
            ("materials", self.materials),
        ):
            doubled = [name for name, count in Counter(item.name for item in items).items() if count > 1]
            problems += [f"{group}: the name {name!r} is used more than once" for name in doubled]
        known = MATERIALS.keys() | {material.name for material in self.materials}
        for i, body in enumerate(self.bodies):
            if body.material not in known:
                problems.append(
                    f"bodies.{i}.material: {body.material!r} is not known; use one of {', '.join(sorted(known))}, "
                    "or add it to materials"
                )
        for i, pair in enumerate(self.contact_pairs):
            problems += [
                f"contact_pairs.{i}: material {name!r} is not known"
                for name in (pair.material_a, pair.material_b)
                if name not in known
            ]
        for i, joint in enumerate(self.joints):
            problems += [
                f"joints.{i}: there is no body named {name!r}"
                for name in (joint.child, joint.parent)
                if name is not None and name not in names
            ]
        joints = {joint.name: joint for joint in self.joints}
        for i, coupling in enumerate(self.couplings):
            for name in (coupling.joint_a, coupling.joint_b):
                if name not in joints:
                    problems.append(f"couplings.{i}: there is no joint named {name!r}")
                elif joints[name].kind not in ("hinge", "slide"):
                    problems.append(
                        f"couplings.{i}: {name!r} is a {joints[name].kind} joint; only hinge and slide can be coupled"
                    )
        for i, pair_names in enumerate(self.no_contact):
            problems += [f"no_contact.{i}: there is no body named {name!r}" for name in pair_names if name not in names]
        if self.cue_s > self.duration_s:
            problems.append(f"cue_s: {self.cue_s} is longer than the clip ({self.duration_s} s)")
        if self.frame_count < 1:
            problems.append(f"duration_s: {self.duration_s} s at {self.fps} frames/s is less than one frame")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def frame_count(self) -> int:
        """T: frames at times 0, 1/fps, …, (T - 1)/fps."""
        return int(self.duration_s * self.fps + 1e-6)

    @property
    def substeps(self) -> int:
        """Physics steps per frame: the fewest that keep the step at or below ``step_s``."""
        return max(1, _ceil(1.0 / (self.fps * self.step_s)))

    def body_index(self, name: str) -> int:
        """The position of a body in ``bodies`` (KeyError if there is none)."""
        for i, body in enumerate(self.bodies):
            if body.name == name:
                return i
        raise KeyError(name)

    def material_of(self, body: Body) -> Material:
        """The material of a body: the spec's own first, then the built-in table."""
        return self.material(body.material)

    def material(self, name: str) -> Material:
        """A material by name: the spec's own first, then the built-in table."""
        for material in self.materials:
            if material.name == name:
                return material
        return MATERIALS[name]

    def contact(self, material_a: str, material_b: str) -> ContactPair:
        """Restitution and friction of two materials: the spec's pairs, then measured pairs, then the rule."""
        key = frozenset((material_a, material_b))
        for pair in self.contact_pairs:
            if frozenset((pair.material_a, pair.material_b)) == key:
                return pair
        overridden = {material.name for material in self.materials}
        if key in CONTACT_PAIRS and not key & overridden:
            return CONTACT_PAIRS[key]
        return combine_contact(self.material(material_a), self.material(material_b))

    def to_json(self) -> str:
        """Compact JSON that ``from_json`` reads back to an equal spec."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> SceneSpec:
        """Read a spec; SpecError lists every problem with its path."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise SpecError(spec_problems(error)) from None


def _ceil(value: float) -> int:
    # 1200.0000001 steps are 1200: the quotient of two floats must not add a step.
    return int(-(-(value - 1e-6) // 1))


def spec_problems(error: ValidationError) -> list[str]:
    """A pydantic error as lines ``path: what is wrong (got …)``, one per problem."""
    lines: list[str] = []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        given: Any = item.get("input")
        for part in message.split("\n"):
            line = f"{path}: {part}" if path else part
            if isinstance(given, (int, float, str, bool)) and len(repr(given)) < 60:
                line += f" (got {given!r})"
            lines.append(line)
    return lines
