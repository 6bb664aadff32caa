"""SceneSpec: the whole of a world, in numbers, for any engine."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    Field,
    JsonValue,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from physreel.errors import SpecError
from physreel.spec.base import Name, NonNegative, Positive, SpecModel, Vec3
from physreel.spec.bodies import Body, Coupling, Joint
from physreel.spec.cameras import Air, Camera, Environment, Light, Microphone
from physreel.spec.liquids import LIQUIDS, Fluid, Liquid
from physreel.spec.machines import Bearing, Belt, BreakableTooth, GasCylinder
from physreel.spec.materials import CONTACT_PAIRS, MATERIALS, ContactPair, Material, combine_contact
from physreel.spec.references import MACHINES, NAMED, reference_problems


class SceneSpec(SpecModel):
    """A world and how it is to be watched; it says nothing of an engine.

    ``step_s`` is the longest physics step allowed; the frame period is a whole multiple of the step that engines take
    (see ``substeps``). ``materials`` holds those used that differ from, or are missing in, the built-in table.
    ``cue_s`` is how much of the clip may be shown before the outcome is to be predicted.
    ``fluids`` are amounts of liquids (``liquids`` holds those that differ from the built-in table); engines divide them
    into particles no farther apart than ``particle_spacing_m``, each of which stands for spacing³ of liquid.
    ``bearings``, ``belts``, ``gas_cylinders`` and ``breakable_teeth`` are what machines have beside bodies and joints.
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
    fluids: tuple[Fluid, ...] = ()
    liquids: tuple[Liquid, ...] = ()
    particle_spacing_m: Positive | None = None
    bearings: tuple[Bearing, ...] = ()
    belts: tuple[Belt, ...] = ()
    gas_cylinders: tuple[GasCylinder, ...] = ()
    breakable_teeth: tuple[BreakableTooth, ...] = ()
    cameras: tuple[Camera, ...] = ()
    lights: tuple[Light, ...] = ()
    environment: Environment = Environment()
    microphones: tuple[Microphone, ...] = ()
    air: Air = Air()
    cue_s: NonNegative = 0.0
    parameters: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _all_problems_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[SceneSpec]) -> SceneSpec:
        # Dangling names are looked for even where fields are wrong, so that nobody mends a spec line by line.
        try:
            spec = handler(data)
        except ValidationError as error:
            if not isinstance(data, dict):
                raise
            raise _with_problems(error, reference_problems(data)) from None
        if isinstance(data, SceneSpec):
            return spec
        problems = reference_problems(spec.model_dump(include=set(NAMED)))
        if spec.cue_s > spec.duration_s:
            problems.append(f"cue_s: {spec.cue_s} is longer than the clip ({spec.duration_s} s)")
        if spec.fluids and spec.particle_spacing_m is None:
            problems.append("particle_spacing_m: a spec with fluids must say how fine they are to be; add it")
        if spec.frame_count < 1:
            problems.append(f"duration_s: {spec.duration_s} s at {spec.fps} frames/s is less than one frame")
        if problems:
            raise ValueError("\n".join(problems))
        return spec

    @model_serializer(mode="wrap")
    def _without_what_is_not_there(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The spec of a world without liquids or machines is written as it was before there were any.
        data: dict[str, Any] = handler(self)
        if not self.fluids and not self.liquids and self.particle_spacing_m is None:
            for name in ("fluids", "liquids", "particle_spacing_m"):
                data.pop(name, None)
        for name in MACHINES:
            if not getattr(self, name):
                data.pop(name, None)
        return data

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

    def joint_index(self, name: str) -> int:
        """The position of a joint in ``joints`` (KeyError if there is none)."""
        for j, joint in enumerate(self.joints):
            if joint.name == name:
                return j
        raise KeyError(name)

    def joint(self, name: str) -> Joint:
        """A joint by name (KeyError if there is none)."""
        return self.joints[self.joint_index(name)]

    @property
    def jointed(self) -> frozenset[str]:
        """Names of all bodies that a joint ties to something."""
        tied = (name for joint in self.joints for name in (joint.child, joint.parent))
        return frozenset(name for name in tied if name is not None)

    def material_of(self, body: Body) -> Material:
        """The material of a body: the spec's own first, then the built-in table."""
        return self.material(body.material)

    def material(self, name: str) -> Material:
        """A material by name: the spec's own first, then the built-in table."""
        for material in self.materials:
            if material.name == name:
                return material
        return MATERIALS[name]

    def liquid(self, name: str) -> Liquid:
        """A liquid by name: the spec's own first, then the built-in table."""
        for liquid in self.liquids:
            if liquid.name == name:
                return liquid
        return LIQUIDS[name]

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


def _with_problems(error: ValidationError, problems: list[str]) -> ValidationError:
    """The error with further problems beside its own."""
    lines: list[InitErrorDetails] = [
        {
            "type": PydanticCustomError("spec", "{message}", {"message": item["msg"].removeprefix("Value error, ")}),
            "loc": item["loc"],
            "input": item["input"],
        }
        for item in error.errors()
    ]
    lines += [
        {"type": PydanticCustomError("spec", "{message}", {"message": problem}), "loc": (), "input": None}
        for problem in problems
    ]
    return ValidationError.from_exception_data(error.title, lines)


def _ceil(value: float) -> int:
    # 1200.0000001 steps are 1200: the quotient of two floats must not add a step.
    return int(-(-(value - 1e-6) // 1))


def spec_problems(error: ValidationError) -> list[str]:
    """A pydantic error as lines ``path: what is wrong (got …)``, one per problem."""
    lines: list[str] = []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"])
        lines += [f"{path}: {part}" if path else part for part in item_problems(item)]
    return lines


def item_problems(item: Any) -> list[str]:
    """What one item of a pydantic error says, without its path."""
    message: str = item["msg"].removeprefix("Value error, ")
    if "after validation, not" in message:
        return []  # a list that is only short because its items were faulty, and those are listed
    given: Any = item.get("input")
    endless = isinstance(given, int) and abs(given) > 10**40  # Python may refuse to write such a number out
    short = isinstance(given, (int, float, str, bool)) and not endless and len(repr(given)) < 60
    return [f"{part} (got {given!r})" if short else part for part in message.split("\n")]
