"""SceneSpec: the whole of a world, in numbers, for any engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
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
        problems = reference_problems(spec.model_dump(include=set(_NAMED)))
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
        for name in _MACHINES:
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


_MACHINES = ("bearings", "belts", "gas_cylinders", "breakable_teeth")
_UNIQUE = (
    "bodies", "joints", "couplings", "cameras", "microphones", "materials", "fluids", "liquids", *_MACHINES,
)  # fmt: skip
_NAMED = (*_UNIQUE, "contact_pairs", "no_contact")


def reference_problems(data: dict[str, Any]) -> list[str]:
    """Names in a spec's plain data that are doubled or lead nowhere; tolerates data that is wrong in other ways."""

    def items(group: str) -> list[tuple[int, dict[str, Any]]]:
        given = data.get(group)
        listed = given if isinstance(given, (list, tuple)) else ()
        plain = (item.model_dump() if isinstance(item, SpecModel) else item for item in listed)
        return [(i, item) for i, item in enumerate(plain) if isinstance(item, dict)]

    def names(group: str) -> list[Any]:
        return [item.get("name") for _, item in items(group) if isinstance(item.get("name"), str)]

    def absent(where: str, what: str, name: Any, known: Collection[Any], remedy: str = "") -> list[str]:
        return [f"{where}: there is no {what} named {name!r}{remedy}"] if name is not None and name not in known else []

    problems = [
        f"{group}: the name {name!r} is used more than once"
        for group in _UNIQUE
        for name, count in Counter(names(group)).items()
        if count > 1
    ]
    bodies, materials = set(names("bodies")), MATERIALS.keys() | set(names("materials"))
    joints = {item.get("name"): item.get("kind") for _, item in items("joints")}
    for i, body in items("bodies"):
        remedy = f"; use one of {', '.join(sorted(materials))}, or add it to materials"
        problems += absent(f"bodies.{i}.material", "material", body.get("material"), materials, remedy)
    for i, pair in items("contact_pairs"):
        for key in ("material_a", "material_b"):
            problems += absent(f"contact_pairs.{i}.{key}", "material", pair.get(key), materials)
    for i, joint in items("joints"):
        for key in ("child", "parent"):
            problems += absent(f"joints.{i}.{key}", "body", joint.get(key), bodies)
    for i, coupling in items("couplings"):
        for key in ("joint_a", "joint_b"):
            name = coupling.get(key)
            problems += absent(f"couplings.{i}.{key}", "joint", name, joints)
            if joints.get(name) in ("ball", "fixed"):
                kind = joints[name]
                problems.append(f"couplings.{i}.{key}: {name!r} is a {kind} joint; only hinge and slide can be coupled")
    liquids = LIQUIDS.keys() | set(names("liquids"))
    hollow = {item.get("name") for _, item in items("bodies") if _kind(item.get("shape")) in ("vessel", "tank")}
    for i, fluid in items("fluids"):
        remedy = f"; use one of {', '.join(sorted(liquids))}, or add it to liquids"
        problems += absent(f"fluids.{i}.liquid", "liquid", fluid.get("liquid"), liquids, remedy)
        fills = fluid.get("fills")
        for k, fill in enumerate(fills if isinstance(fills, (list, tuple)) else ()):
            fill = fill.model_dump() if isinstance(fill, SpecModel) else fill
            if isinstance(fill, dict) and fill.get("kind", "vessel") == "vessel":
                where = f"fluids.{i}.fills.{k}.vessel"
                problems += absent(where, "vessel or tank", fill.get("vessel"), hollow)
    motions = {item.get("name"): item.get("motion", "dynamic") for _, item in items("bodies")}
    for group, joint_keys, body_keys, carried_keys in _MACHINE_NAMES:
        for i, item in items(group):
            for key, kind in joint_keys:
                name = _at(item, key)
                problems += absent(f"{group}.{i}.{key}", "joint", name, joints)
                if joints.get(name, kind) != kind:
                    problems.append(f"{group}.{i}.{key}: {name!r} must be a {kind} joint, it is a {joints[name]}")
            for key in body_keys:
                problems += absent(f"{group}.{i}.{key}", "body", item.get(key), bodies)
            for key in carried_keys:
                named = _at(item, key)
                for name in named if isinstance(named, (list, tuple)) else (named,):
                    problems += absent(f"{group}.{i}.{key}", "body", name, bodies)
                    if motions.get(name, "carried") != "carried":
                        problems.append(f"{group}.{i}.{key}: {name!r} must be carried, it is {motions[name]}")
    apart = data.get("no_contact")
    for i, pair_names in enumerate(apart if isinstance(apart, (list, tuple)) else ()):
        for name in pair_names if isinstance(pair_names, (list, tuple)) else ():
            problems += absent(f"no_contact.{i}", "body", name, bodies)
    return problems


_MACHINE_NAMES: tuple[tuple[str, tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ("bearings", (("joint", "hinge"),), ("housing",), ("cage", "balls", "defect.mark")),
    ("belts", (("driver.joint", "hinge"), ("driven.joint", "hinge")), (), ("links",)),
    ("gas_cylinders", (("crank_joint", "hinge"), ("piston_joint", "slide")), (), ()),
    ("breakable_teeth", (), ("gear", "piece"), ()),
)
"""Of each group of a machine's parts: keys that name joints, and of what kind; bodies; and carried bodies."""


def _at(item: dict[str, Any], path: str) -> Any:
    value: Any = item
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _kind(shape: Any) -> Any:
    return shape.get("kind") if isinstance(shape, dict) else getattr(shape, "kind", None)


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
        message = item["msg"].removeprefix("Value error, ")
        if "after validation, not" in message:
            continue  # a list that is only short because its items were faulty, and those are listed
        given: Any = item.get("input")
        for part in message.split("\n"):
            line = f"{path}: {part}" if path else part
            if isinstance(given, (int, float, str, bool)) and len(repr(given)) < 60:
                line += f" (got {given!r})"
            lines.append(line)
    return lines
