"""The arrows of docs/design.md, read from the imports, and what must not be imported before it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "physreel"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Each layer may use what is in the layers named, and itself. The first part of a module's name is its layer.
FREE = {"errors", "seeding", "compiling", "storage"}
VALUES = {"spec", "values", "geometry", "analysis"}
STAGES = {"scenes", "simulators", "renderers", "labels", "exporters"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "seeding": set(),
    "compiling": set(),
    "storage": set(),
    "manifest": set(),
    "spec": set(),
    "geometry": {"spec", "values"},
    "values": {"spec"},
    "analysis": {"spec", "values", "geometry"},
    **dict.fromkeys(STAGES, VALUES),
    "loaders": {"spec", "values", "manifest"},
    "audit": {"spec", "values", "manifest", "loaders"},
    "view": {"spec", "values", "manifest", "loaders"},
    "plan": {"spec", "values", "scenes"},
    "registry": set(),
    "pipeline": VALUES | STAGES | {"plan", "registry"},
    "runners": VALUES | STAGES | {"plan", "registry", "pipeline", "manifest", "loaders"},
    "testing": VALUES | STAGES | {"plan", "registry", "pipeline", "runners", "loaders", "manifest"},
    "starting": VALUES | STAGES | {"plan", "registry", "pipeline", "runners", "testing", "loaders", "manifest"},
    "cli": VALUES
    | STAGES
    | {"plan", "registry", "pipeline", "runners", "testing", "starting", "loaders", "manifest", "audit", "view"},
    "variants": VALUES | STAGES,
    "verify": VALUES | STAGES,
}
HEAVY = ["numpy", "mujoco", "pybullet", "numba", "embreex", "scipy", "av", "soundfile", "pyarrow", "pydantic", "loky"]


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, full name) of everything of ours that a module imports, also inside functions and for type checking."""
    found = []
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, name.name) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{home}.{name.name}") for name in node.names]
    return [(line, name) for line, name in found if name.split(".")[0] == "physreel"]


def layer(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_follow_the_arrows(path):
    own = layer(module_name(path))
    if own in ("", "__main__"):
        return  # the package itself names the public things, wherever they live
    assert own in ALLOWED, f"{own} is a layer that this test does not know: say what it may use"
    for line, name in imports(path):
        if name == "physreel" or name.startswith("physreel.__"):
            continue
        used = layer(name)
        where = f"{path.relative_to(PACKAGE.parent)}:{line}"
        assert used in ALLOWED[own] | FREE | {own}, f"{where}: {own} must not import {name}"
        if own == "plan" and used == "scenes":
            assert name.startswith("physreel.scenes.base."), f"{where}: a plan knows scenes by their interface only"


def test_every_layer_is_found_and_the_reader_of_imports_reads():
    layers = {layer(module_name(path)) for path in MODULES}
    assert STAGES | VALUES | {"cli", "runners", "pipeline", "plan", "registry"} <= layers
    names = {name for _, name in imports(PACKAGE / "pipeline.py")}
    assert {"physreel.registry", "physreel.plan.Plan", "physreel.labels.captions"} <= names


def test_picture_and_sound_do_not_import_each_other():
    for path in MODULES:
        name = module_name(path)
        for here, there in (("video", "audio"), ("audio", "video")):
            if name.startswith(f"physreel.renderers.{here}"):
                for line, used in imports(path):
                    assert not used.startswith(f"physreel.renderers.{there}"), f"{path}:{line}"


@pytest.mark.parametrize("module", ["physreel", "physreel.cli"])
def test_nothing_heavy_is_imported_before_it_is_needed(module):
    program = f"import {module}, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & set(HEAVY)


def test_the_registry_imports_nothing_heavy():
    program = (
        "from physreel import registry; import sys\n"
        "for kind in registry.KINDS: registry.entries(kind)\n"
        "print(*sorted({n.split('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & set(HEAVY)


def test_public_names_exist_and_are_said_twice_alike():
    import physreel

    for name in physreel.__all__:
        assert getattr(physreel, name) is not None
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    for_types = {name.asname for node in checked.body for name in node.names}
    assert for_types == set(physreel.__all__) - {"__version__"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        physreel.nothing  # noqa: B018
