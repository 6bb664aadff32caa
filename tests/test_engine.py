"""The engine scene: it runs as asked, its faults are found in the trajectory, and its note has the right lines."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from physreel.analysis.engines import find_fault, firing_times_s, read_engine
from physreel.errors import SpecError
from physreel.renderers.audio.belts import squeal_force, squeal_hz
from physreel.renderers.audio.contact import ContactSoundRenderer
from physreel.renderers.audio.engines import exhaust_pascals, smooth_signal
from physreel.scenes.base import ClipSettings
from physreel.scenes.engine import EngineOutcome, EngineScene
from physreel.scenes.engine_words import FAULT_WORDS
from physreel.seeding import sample_rng
from physreel.simulators.mujoco import MujocoSimulator
from physreel.spec import SceneSpec
from physreel.values import SAMPLE_RATE_HZ, Signal, Trajectory

CLIP = ClipSettings(width=64, height=64, fps=24, duration_s=1.5)


@lru_cache(maxsize=32)
def _made(fault: str, layout: str, seed: int = 0, drive: str = "belt") -> tuple[EngineScene, SceneSpec, Trajectory]:
    count, _, twin = layout.partition("_")
    scene = EngineScene(
        clip=CLIP, fault=fault, cylinder_count=int(count), twin=twin or "even", drive=drive, support="floor"
    )
    spec = scene.sample(sample_rng(seed, "engine", 1, seed))
    return scene, spec, MujocoSimulator().simulate(spec)


def _outcome(fault: str, layout: str, seed: int = 0, drive: str = "belt") -> EngineOutcome:
    scene, spec, trajectory = _made(fault, layout, seed, drive)
    return scene.outcome(spec, trajectory)


@pytest.mark.parametrize("layout", ["1", "2_even", "2_uneven", "3", "4"])
def test_it_runs_at_the_speed_that_was_asked_for(layout: str) -> None:
    _, spec, _ = _made("none", layout)
    found = _outcome("none", layout)
    assert found.fault == "none"
    assert found.mean_rev_s == pytest.approx(spec.parameters["speed_rev_s"], rel=0.06)
    assert found.belt_slip_share == 0.0
    assert found.fan_rev_s == pytest.approx(found.mean_rev_s * float(spec.parameters["fan_ratio"]), rel=0.02)  # type: ignore[arg-type]
    assert found.note_order == {"1": 0.5, "2_even": 1.0, "2_uneven": 0.5, "3": 1.5, "4": 2.0}[layout]


@pytest.mark.parametrize("fault", list(FAULT_WORDS))
@pytest.mark.parametrize("layout", ["2_even", "4"])
def test_faults_are_found_in_the_trajectory(fault: str, layout: str) -> None:
    found = _outcome(fault, layout, 1)
    assert found.fault == fault
    assert (found.misfiring_piston is not None) == (fault == "misfire")
    assert (found.knocking_piston is not None) == (fault == "knocking_rod")
    assert (found.first_slip_s is not None) == (fault == "slipping_belt")
    assert (found.shake_m > 1e-3) == (fault == "unbalanced_flywheel")


def test_a_misfire_limps_at_half_the_cranks_frequency() -> None:
    sound, dead = _outcome("none", "4", 2), _outcome("misfire", "4", 2)
    assert sound.half_order_share < 0.05
    assert dead.half_order_share > 0.2
    assert dead.note_order == 0.5
    assert dead.speed_fluctuation > 1.5 * sound.speed_fluctuation


def test_more_cylinders_run_smoother() -> None:
    swings = [_outcome("none", layout).speed_fluctuation for layout in ("1", "2_even", "4")]
    assert swings[0] > swings[1] > swings[2]


def test_a_slipping_belt_passes_on_what_friction_gives() -> None:
    _, spec, trajectory = _made("slipping_belt", "3", 3)
    found = _outcome("slipping_belt", "3", 3)
    belt = spec.belts[0]
    assert found.belt_slip_share > 0.5
    assert found.fan_rev_s < 0.9 * found.mean_rev_s * float(spec.parameters["fan_ratio"])  # type: ignore[arg-type]
    slip, force = (trajectory.signals[f"{what}:{belt.name}"].values for what in ("belt_slip", "belt_force"))
    steady = (slip > 0.1) & (np.arange(len(slip)) > 40)  # the start is a meeting of its own
    assert np.ptp(force[steady]) < 1e-6 * force[steady].mean()
    assert _outcome("none", "3", 3, "chain").belt_slip_share == 0.0


def _lines(pascals: np.ndarray[Any, Any], low: float, high: float) -> float:
    """Frequency of the strongest line between two."""
    spectrum = np.abs(np.fft.rfft(pascals * np.hanning(len(pascals)), 1 << 20))
    hertz = np.fft.rfftfreq(1 << 20, 1.0 / SAMPLE_RATE_HZ)
    window = (hertz > low) & (hertz < high)
    return float(hertz[window][int(np.argmax(spectrum[window]))])


def test_the_notes_lines_are_at_the_firing_frequency() -> None:
    _, spec, trajectory = _made("none", "4", 4)
    audio = ContactSoundRenderer().render(spec, trajectory)
    firing = 2.0 * read_engine(spec, trajectory).mean_rev_s
    heard = audio.samples[:, 0].astype(float) * audio.pascal_per_unit
    for harmonic in (2, 3, 4):
        low, high = ((harmonic + side) * firing for side in (-0.4, 0.4))
        assert _lines(heard, low, high) == pytest.approx(harmonic * firing, rel=5e-3)
    kinds = {event.kind for event in audio.events}
    assert "exhaust" in kinds
    assert "squeal" not in kinds


def test_puffs_come_when_the_valve_opens() -> None:
    _, spec, trajectory = _made("none", "2_uneven", 5)
    times = firing_times_s(spec, trajectory)
    speed = trajectory.signals["speed:crank"].values.mean()
    for cylinder, tops in zip(spec.gas_cylinders, times, strict=True):
        pascals = np.abs(exhaust_pascals(spec, trajectory, cylinder, round(1.5 * SAMPLE_RATE_HZ)))
        for top in tops:
            opens = top + np.radians(140.0) / speed
            at = int((opens - 0.004) * SAMPLE_RATE_HZ)
            if 0.05 < opens < 1.4:
                peak = int(np.argmax(pascals[at : at + 3000])) / SAMPLE_RATE_HZ - 0.004
                assert -0.004 < peak < np.radians(40.0) / speed


def test_signals_are_made_sound_without_clicks() -> None:
    step = Signal(values=np.repeat([0.0, 1.0], 40), rate_hz=2400.0, unit="kg/s")
    smooth = smooth_signal(step, 1600)
    assert smooth.min() >= -1e-9
    assert smooth.max() <= 1.0 + 1e-9
    assert np.abs(np.diff(smooth, 2)).max() < 3e-3
    assert smooth[800] == pytest.approx(0.5, abs=0.05)


def test_only_a_belt_that_slips_squeals() -> None:
    samples = round(1.5 * SAMPLE_RATE_HZ)
    _, spec, trajectory = _made("slipping_belt", "3", 3)
    belt = spec.belts[0]
    force = squeal_force(spec, trajectory, belt, samples)
    slip = trajectory.signals[f"belt_slip:{belt.name}"].values.mean()
    expected = float(squeal_hz(spec, belt, np.array([slip]))[0])
    assert _lines(force, 500.0, 1.5 * expected) == pytest.approx(expected, rel=0.06)
    _, spec, trajectory = _made("none", "3", 3)
    assert not squeal_force(spec, trajectory, spec.belts[0], samples).any()


def test_faults_leave_everything_else_as_it_was() -> None:
    """Room, light, camera and colours tell nothing."""
    specs = [_made(fault, "4", 6)[1] for fault in ("none", "misfire", "worn_bearing", "unbalanced_flywheel")]
    for spec in specs[1:]:
        assert spec.cameras == specs[0].cameras
        assert spec.lights == specs[0].lights
        looks = [{body.name: body.look for body in one.bodies} for one in (specs[0], spec)]
        assert looks[0] == {name: look for name, look in looks[1].items() if name != "ballast"}


def test_questions_have_their_answers_among_the_choices() -> None:
    seen: set[str] = set()
    for fault in FAULT_WORDS:
        scene, spec, trajectory = _made(fault, "4", 1)
        outcome = scene.outcome(spec, trajectory)
        caption = scene.caption(spec, trajectory, outcome, ())
        assert "four cylinders" in caption
        for seed in range(12):
            asked = scene.questions(spec, trajectory, outcome, (), np.random.default_rng(seed))
            about = [q for q in asked if q.kind.startswith(("engine_", "faulty"))]
            assert len(about) <= 1
            for question in asked:
                seen.add(question.kind)
                assert not question.choices or question.answer in question.choices
    assert {"engine_fault", "faulty_cylinder", "engine_fires", "turns_faster"} <= seen


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="one cylinder that misfires stands still"):
        EngineScene(fault="misfire", cylinder_count=1)
    with pytest.raises(SpecError, match="a chain cannot slip"):
        EngineScene(fault="slipping_belt", drive="chain")
    with pytest.raises(SpecError, match=r"outside the allowed 3\.\.12 1/s"):
        EngineScene(speed_rev_s=40.0)


def test_the_order_of_criteria_is_as_documented() -> None:
    _, spec, trajectory = _made("misfire", "4", 1)
    assert find_fault(read_engine(spec, trajectory)) == "misfire"
