"""What a scene makes is pinned by hashes: a change that nobody meant fails here.

A scene that was meant to change gets a new ``version``, and then ``make golden`` writes the hashes anew. Specs are
hashed on any machine; samples (simulated, filmed, recorded) only where the libraries are those of the hashes.

Last digits of sums and sines hang on which instructions a processor has: OpenBLAS and numpy choose their kernels by it
when they are loaded. So hashes are made in a process of its own that is held to what every x86-64 of the last ten
years can do.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from physreel import registry
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.runners.worker import SINGLE_THREADED
from physreel.scenes.base import ClipSettings
from physreel.values import PASSES

FILE = Path(__file__).with_name("golden") / "hashes.json"
CLIP = ClipSettings(width=64, height=48, fps=20, duration_s=1.0, quality="draft")
COMMON_CPU = {"OPENBLAS_CORETYPE": "Haswell", **SINGLE_THREADED}
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
    """Of one sample; of liquids, without pictures: surfaces are another library's, and change with its versions."""
    sample = Pipeline(Plan(scene=scene, count=1, clip=CLIP, passes=PASSES)).sample(0)
    view, run = sample.clip.views[0], sample.trajectory
    liquid = run.liquid
    parts = {name: getattr(view, name).tobytes() for name in PASSES if liquid is None}
    if liquid is not None:
        parts["particles"] = liquid.position_m.tobytes()
    if run.signals:
        parts["signals"] = b"".join(run.signals[name].values.tobytes() for name in sorted(run.signals))
    if len(run.knocks):
        parts["knocks"] = run.knocks.time_s.tobytes() + run.knocks.impulse_n_s.tobytes()
    parts["poses"] = run.body_pose.tobytes()
    parts["contacts"] = run.contacts.normal_impulse_n_s.tobytes()
    parts["audio"] = sample.clip.audio.samples.tobytes()
    words = (sample.caption, [e.model_dump() for e in sample.events], [q.model_dump() for q in sample.questions])
    parts["words"] = json.dumps([*words, sample.outcome.model_dump()]).encode()
    return {name: sha(data) for name, data in parts.items()}


def hashes(scene: str) -> dict[str, object]:
    """All that is pinned of a scene, as this process makes it."""
    return {
        "version": registry.load("scenes", scene).version,
        "specs": spec_hashes(scene),
        "environment": environment(),
        "sample": sample_hashes(scene),
    }


@lru_cache
def on_common_cpu(scene: str) -> dict[str, object]:
    """The same, from a process that uses no instructions of newer processors."""
    program = [sys.executable, "-W", "error", __file__, "--hash", scene]
    found = np._core._multiarray_umath.__cpu_dispatch__
    newer = [name for name in found if name.startswith(("X86_V4", "AVX512"))]
    known = [name for name in newer if np._core._multiarray_umath.__cpu_features__.get(name)]
    environment = os.environ | COMMON_CPU | {"NPY_DISABLE_CPU_FEATURES": " ".join(known)}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("scene", SCENES)
def test_scene_draws_the_worlds_and_makes_the_samples_it_used_to(scene):
    known, made = json.loads(FILE.read_text())[scene], on_common_cpu(scene)
    assert made["version"] == known["version"]
    assert made["specs"] == known["specs"], "if this was meant: raise the scene's version, then make golden"
    if made["environment"] != known["environment"]:
        pytest.skip("other library versions than those the hashes were made with")
    assert made["sample"] == known["sample"], "if this was meant: raise the scene's version, then make golden"


def write() -> None:
    """Write all hashes anew."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps({scene: on_common_cpu(scene) for scene in SCENES}, indent=1) + "\n")


if __name__ == "__main__" and "--write" in sys.argv:
    write()
if __name__ == "__main__" and "--hash" in sys.argv:
    print(json.dumps(hashes(sys.argv[-1])))
