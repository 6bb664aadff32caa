"""What a scene makes is pinned by hashes: a change that nobody meant fails here.

A scene that was meant to change gets a new ``version``, and then ``make golden`` writes the hashes anew. Specs are
hashed on any machine; samples (simulated, filmed, recorded) only where the libraries are those of the hashes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import sys
from pathlib import Path

import pytest

from physreel import registry
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.scenes.base import ClipSettings
from physreel.values import PASSES

FILE = Path(__file__).with_name("golden") / "hashes.json"
CLIP = ClipSettings(width=64, height=48, fps=20, duration_s=1.0)
LIBRARIES = ("mujoco", "numpy", "numba", "scipy", "av", "soundfile", "pyarrow", "embreex")
SCENES = [entry.name for entry in registry.entries("scenes") if entry.built_in]


def environment() -> str:
    """What stored bytes depend on beside our code."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES]
    return ", ".join([platform.machine(), f"python {sys.version_info.major}.{sys.version_info.minor}", *versions])


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def spec_hashes(scene: str) -> list[str]:
    pipeline = Pipeline(Plan(scene=scene, count=5, clip=CLIP))
    return [sha(pipeline.spec(i).to_json().encode()) for i in range(5)]


def sample_hashes(scene: str) -> dict[str, str]:
    pipeline = Pipeline(Plan(scene=scene, count=1, clip=CLIP, passes=PASSES))
    sample = pipeline.sample(0)
    view, run = sample.clip.views[0], sample.trajectory
    parts = {name: getattr(view, name).tobytes() for name in PASSES}
    parts["poses"] = run.body_pose.tobytes()
    parts["contacts"] = run.contacts.normal_impulse_n_s.tobytes()
    parts["audio"] = sample.clip.audio.samples.tobytes()
    words = (sample.caption, [e.model_dump() for e in sample.events], [q.model_dump() for q in sample.questions])
    parts["words"] = json.dumps([*words, sample.outcome.model_dump()]).encode()
    return {name: sha(data) for name, data in parts.items()}


@pytest.mark.parametrize("scene", SCENES)
def test_scene_draws_the_worlds_it_used_to(scene):
    known = json.loads(FILE.read_text())[scene]
    assert registry.load("scenes", scene).version == known["version"]
    assert spec_hashes(scene) == known["specs"], "if this was meant: raise the scene's version, then make golden"


@pytest.mark.parametrize("scene", SCENES)
def test_scene_makes_the_samples_it_used_to(scene):
    known = json.loads(FILE.read_text())[scene]
    if known["environment"] != environment():
        pytest.skip("other library versions than those the hashes were made with")
    assert sample_hashes(scene) == known["sample"], "if this was meant: raise the scene's version, then make golden"


def write() -> None:
    """Write all hashes anew."""
    table = {
        scene: {
            "version": registry.load("scenes", scene).version,
            "specs": spec_hashes(scene),
            "environment": environment(),
            "sample": sample_hashes(scene),
        }
        for scene in SCENES
    }
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__" and "--write" in sys.argv:
    write()
