"""Everything is found by name, by module, by file or as an object, and what is not found is told with near matches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from physreel import registry
from physreel.errors import InputError

SCENE = """
import physreel
class ThingOutcome(physreel.Outcome):
    count: int
class Thing(physreel.Scene):
    name = "thing"
    outcome_type = ThingOutcome
    def sample(self, rng): ...
    def outcome(self, spec, trajectory): ...
class Half(physreel.Scene):
    name = "half"
    outcome_type = ThingOutcome
    def sample(self, rng): ...
not_a_class = 3
"""


@pytest.fixture
def scene_file(tmp_path: Path) -> Path:
    path = tmp_path / "my_things.py"
    path.write_text(SCENE)
    return path


def test_built_in_names_load_classes_of_their_kind():
    for kind in registry.KINDS:
        for entry in registry.entries(kind):
            assert registry.load(kind, entry.name).name == entry.name


def test_a_class_is_found_in_a_file(scene_file):
    found = registry.load("scenes", f"{scene_file}:Thing")
    assert found.name == "thing"
    assert registry.load("scenes", f"{scene_file}:Thing") is found


def test_a_class_is_found_in_a_module_of_the_current_folder(scene_file, monkeypatch):
    monkeypatch.chdir(scene_file.parent)
    try:
        assert registry.load("scenes", "my_things:Thing").name == "thing"
    finally:
        sys.modules.pop("my_things", None)


def test_a_class_stands_for_itself(scene_file):
    found = registry.load("scenes", f"{scene_file}:Thing")
    assert registry.load("scenes", found) is found


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("faling", ["no scene named 'faling'", "'falling'", "module:Class"]),
        ("{file}:Thng", ["has no 'Thng'", "did you mean 'Thing'", "Half"]),
        ("{file}:Half", ["does not define outcome"]),
        ("{file}:not_a_class", ["not a scene", "physreel.scenes.base.Scene"]),
        ("{folder}/my_thing.py:Thing", ["there is no file", "my_things.py"]),
        ("no_such_module_here:Thing", ["cannot import", "path/to/file.py"]),
    ],
)
def test_what_cannot_be_found_is_told_with_a_remedy(scene_file, reference, words):
    with pytest.raises(InputError) as caught:
        registry.load("scenes", reference.format(file=scene_file, folder=scene_file.parent))
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_raises_is_told_with_its_line(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("a = 1\nb = a / 0\n")
    with pytest.raises(InputError, match=r"broken\.py line 2 raised ZeroDivisionError"):
        registry.load("scenes", f"{path}:Thing")
    path.write_text("def f(:\n")
    with pytest.raises(InputError, match=r"broken\.py line 1 raised SyntaxError"):
        registry.load("scenes", f"{path}:Thing")


def test_installed_entry_points_are_found(tmp_path, monkeypatch, scene_file):
    folder = tmp_path / "things-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: things\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[physreel.scenes]\nthing = my_things:Thing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert "thing" in [entry.name for entry in registry.entries("scenes")]
        assert registry.load("scenes", "thing").name == "thing"
    finally:
        sys.modules.pop("my_things", None)
