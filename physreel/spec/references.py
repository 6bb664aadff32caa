"""Names in a spec that are doubled, lead nowhere, or to what cannot play its part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from physreel.spec.base import SpecModel
from physreel.spec.liquids import LIQUIDS
from physreel.spec.materials import MATERIALS

MACHINES = ("bearings", "belts", "gas_cylinders", "breakable_teeth")
_UNIQUE = (
    "bodies", "joints", "couplings", "cameras", "microphones", "materials", "fluids", "liquids", *MACHINES,
)  # fmt: skip
NAMED = (*_UNIQUE, "contact_pairs", "no_contact")
"""The fields of a spec that name things."""

_MACHINE_NAMES: tuple[tuple[str, tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ("bearings", (("joint", "hinge"),), ("housing",), ("cage", "balls", "defect.mark")),
    ("belts", (("driver.joint", "hinge"), ("driven.joint", "hinge")), (), ("links",)),
    ("gas_cylinders", (("crank_joint", "hinge"), ("piston_joint", "slide")), (), ()),
    ("breakable_teeth", (), ("gear", "piece"), ()),
)
"""Of each group of a machine's parts: keys that name joints, and of what kind; bodies; and carried bodies."""

_Items = list[tuple[int, dict[str, Any]]]


def reference_problems(data: dict[str, Any]) -> list[str]:
    """What is wrong with the names in a spec's plain data; tolerates data that is wrong in other ways."""

    def items(group: str) -> _Items:
        return [(i, item) for i, item in enumerate(map(_plain, _listed(data.get(group)))) if isinstance(item, dict)]

    def names(group: str) -> list[str]:
        return [item["name"] for _, item in items(group) if isinstance(item.get("name"), str)]

    problems = [
        f"{group}: the name {name!r} is used more than once"
        for group in _UNIQUE
        for name, count in Counter(names(group)).items()
        if count > 1
    ]
    bodies = {item["name"]: item for _, item in items("bodies") if isinstance(item.get("name"), str)}
    joints = {item["name"]: item.get("kind") for _, item in items("joints") if isinstance(item.get("name"), str)}
    materials = MATERIALS.keys() | set(names("materials"))
    for i, body in items("bodies"):
        remedy = f"; use one of {', '.join(sorted(materials))}, or add it to materials"
        problems += _absent(f"bodies.{i}.material", "material", body.get("material"), materials, remedy)
    for i, pair in items("contact_pairs"):
        for key in ("material_a", "material_b"):
            problems += _absent(f"contact_pairs.{i}.{key}", "material", pair.get(key), materials)
    for i, joint in items("joints"):
        for key in ("child", "parent"):
            name = joint.get(key)
            problems += _absent(f"joints.{i}.{key}", "body", name, bodies)
            if _motion(bodies, name) == "carried":
                problems.append(
                    f"joints.{i}.{key}: {name!r} is carried, which goes where a part of a machine has it and feels no "
                    "joint; make it dynamic, or remove the joint"
                )
    for i, coupling in items("couplings"):
        for key in ("joint_a", "joint_b"):
            name = coupling.get(key)
            problems += _absent(f"couplings.{i}.{key}", "joint", name, joints)
            if (kind := _of(joints, name)) in ("ball", "fixed"):
                problems.append(f"couplings.{i}.{key}: {name!r} is a {kind} joint; only hinge and slide can be coupled")
    liquids = LIQUIDS.keys() | set(names("liquids"))
    hollow = {name for name, body in bodies.items() if _shape(body).get("kind") in ("vessel", "tank")}
    for i, fluid in items("fluids"):
        remedy = f"; use one of {', '.join(sorted(liquids))}, or add it to liquids"
        problems += _absent(f"fluids.{i}.liquid", "liquid", fluid.get("liquid"), liquids, remedy)
        for k, fill in enumerate(map(_plain, _listed(fluid.get("fills")))):
            if isinstance(fill, dict) and fill.get("kind", "vessel") == "vessel":
                where = f"fluids.{i}.fills.{k}.vessel"
                problems += _absent(where, "vessel or tank", fill.get("vessel"), hollow)
    problems += _machine_problems({group: items(group) for group in MACHINES}, bodies, joints)
    problems += _tooth_problems(items("breakable_teeth"), items("joints"), bodies)
    for i, pair_names in enumerate(_listed(data.get("no_contact"))):
        for name in _listed(pair_names):
            problems += _absent(f"no_contact.{i}", "body", name, bodies)
    return problems


def _machine_problems(parts: dict[str, _Items], bodies: dict[str, dict[str, Any]], joints: dict[str, Any]) -> list[str]:
    """What parts of machines name that is not there or of another kind, and carried bodies of more than one part."""
    problems = []
    taken: dict[str, str] = {}
    for group, joint_keys, body_keys, carried_keys in _MACHINE_NAMES:
        for i, item in parts[group]:
            for key, kind in joint_keys:
                name = _at(item, key)
                problems += _absent(f"{group}.{i}.{key}", "joint", name, joints)
                if (given := _of(joints, name)) not in (None, kind):
                    problems.append(f"{group}.{i}.{key}: {name!r} must be a {kind} joint, it is a {given}")
            for key in body_keys:
                problems += _absent(f"{group}.{i}.{key}", "body", item.get(key), bodies)
            for key in carried_keys:
                where, named = f"{group}.{i}.{key}", _at(item, key)
                for name in named if isinstance(named, (list, tuple)) else (named,):
                    problems += _absent(where, "body", name, bodies)
                    motion = _motion(bodies, name)
                    if motion is None:
                        continue
                    if motion != "carried":
                        problems.append(f"{where}: {name!r} must be carried, it is {motion}")
                    if name in taken:
                        problems.append(
                            f"{where}: {name!r} is carried by {taken[name]} already; give each part bodies of its own"
                        )
                    taken.setdefault(name, where)
    return problems


def _tooth_problems(teeth: _Items, joints: _Items, bodies: dict[str, dict[str, Any]]) -> list[str]:
    """What cannot be a tooth that breaks off."""
    problems = []
    held = {joint[key]: joint.get("name") for _, joint in joints for key in ("child", "parent")
            if isinstance(joint.get(key), str)}  # fmt: skip
    weak: dict[tuple[str, int], int] = {}
    pieces: dict[str, int] = {}
    for i, item in teeth:
        where = f"breakable_teeth.{i}"
        gear, tooth, piece = item.get("gear"), item.get("tooth"), item.get("piece")
        if isinstance(gear, str) and gear in bodies:
            shape = _shape(bodies[gear])
            if shape.get("kind") != "gear":
                problems.append(f"{where}.gear: {gear!r} is a {shape.get('kind')}; name a body whose shape is a gear")
            elif isinstance(tooth, int) and isinstance(count := shape.get("tooth_count"), int):
                if not 0 <= tooth < count:
                    problems.append(f"{where}.tooth: {gear!r} has no tooth {tooth}; teeth are 0 to {count - 1}")
                elif tooth not in _listed(shape.get("missing_teeth")):
                    problems.append(
                        f"{where}.tooth: tooth {tooth} of {gear!r} would be there twice, for the piece is drawn in its "
                        f"place; add {tooth} to missing_teeth of the gear"
                    )
                first = weak.setdefault((gear, tooth), i)
                if first != i:
                    problems.append(
                        f"{where}.tooth: tooth {tooth} of {gear!r} is that of breakable_teeth.{first} already; "
                        "name each tooth once"
                    )
        if not isinstance(piece, str) or (motion := _motion(bodies, piece)) is None:
            continue
        if motion != "dynamic":
            problems.append(
                f"{where}.piece: {piece!r} must be dynamic, for it falls once it breaks off; it is {motion}"
            )
        if piece == gear:
            problems.append(f"{where}.piece: {piece!r} is the gear itself; give the tooth a body of its own")
        elif piece in held:
            problems.append(
                f"{where}.piece: {piece!r} is held by the joint {held[piece]!r}; until it breaks its gear holds it, "
                "and then nothing does: remove the joint"
            )
        first = pieces.setdefault(piece, i)
        if first != i:
            problems.append(
                f"{where}.piece: {piece!r} is that of breakable_teeth.{first} already; each tooth needs its own"
            )
    return problems


def _absent(where: str, what: str, name: Any, known: Collection[Any], remedy: str = "") -> list[str]:
    # What is no name at all is not looked for: that it must be one is told where it is read.
    return (
        [f"{where}: there is no {what} named {name!r}{remedy}"] if isinstance(name, str) and name not in known else []
    )


def _of(known: dict[str, Any], name: Any) -> Any:
    return known.get(name) if isinstance(name, str) else None


def _motion(bodies: dict[str, dict[str, Any]], name: Any) -> Any:
    """How a body moves; None where there is none of that name."""
    body = _of(bodies, name)
    return None if body is None else body.get("motion", "dynamic")


def _shape(body: dict[str, Any]) -> dict[str, Any]:
    shape = _plain(body.get("shape"))
    return shape if isinstance(shape, dict) else {}


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, SpecModel) else value


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _at(item: dict[str, Any], path: str) -> Any:
    value: Any = item
    for key in path.split("."):
        value = _plain(value).get(key) if isinstance(_plain(value), dict) else None
    return value
