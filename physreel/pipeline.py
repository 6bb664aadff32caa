"""One sample from start to end: sample, simulate, film and record, label."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from physreel import registry
from physreel.errors import InputError, PhysreelError, SpecError, UnsupportedError
from physreel.exporters.base import ExportContext, Exporter
from physreel.labels import captions, events, questions
from physreel.plan import Plan
from physreel.renderers.audio.base import AudioRenderer
from physreel.renderers.video.base import VideoRenderer
from physreel.scenes.base import Scene
from physreel.seeding import sample_rng
from physreel.simulators.base import Capability, Simulator, required_capabilities
from physreel.spec import SceneSpec, spec_problems
from physreel.values import Clip, Provenance, Sample, Trajectory

_REFERENCE = "splash"
"""The simulator that moves liquids at quality fine."""

_LIBRARIES = (
    "mujoco", "pybullet", "numpy", "numba", "embreex", "pysplashsurf", "pysplishsplash", "scipy", "av", "soundfile",
    "pyarrow", "mitsuba", "drjit",
)  # fmt: skip


class Pipeline:
    """Makes the samples of one plan. Engines and renderers are made once and reused; samples do not see each other.

    Args:
        plan: what to make.
        scene: the scene class, where ``plan.scene`` cannot be found by name (a class made in a script or notebook).

    Attributes:
        stage_seconds: wall time spent so far in each stage; for benchmarks, never stored.

    Raises:
        InputError: something in the plan does not exist or does not fit together.
    """

    def __init__(self, plan: Plan, *, scene: type[Scene] | None = None) -> None:
        self.plan = plan
        scene_type: type[Scene] = registry.load("scenes", plan.scene if scene is None else scene)
        self.scene = scene_type(clip=plan.clip, **plan.parameters)
        self.stage_seconds: dict[str, float] = {}
        self._simulators: dict[str, Simulator] = {}
        self._video: VideoRenderer = registry.load("video_renderers", plan.video_renderer)()
        self._audio: AudioRenderer = registry.load("audio_renderers", plan.audio_renderer)()
        lacking = [name for name in plan.passes if name not in self._video.passes]
        if lacking:
            raise InputError(
                f"video renderer {plan.video_renderer!r} cannot make {', '.join(lacking)}; "
                f"it makes {', '.join(sorted(self._video.passes))}"
            )
        self.exporter: Exporter = registry.load("exporters", plan.exporter)(self.export_context())

    def export_context(self) -> ExportContext:
        """What the exporter needs to know of all samples."""
        return ExportContext(
            scene=self.scene.name,
            outcome_type=self.scene.outcome_type,
            passes=self.plan.passes,
            audio=self.plan.audio,
        )

    def spec(self, index: int) -> SceneSpec:
        """The world of sample ``index``; SpecError lists what is wrong with it."""
        rng = sample_rng(self.plan.seed, self.scene.name, self.scene.version, index)
        try:
            spec = self.scene.sample(rng)
        except ValidationError as error:
            raise SpecError(spec_problems(error), what=f"sample {index} of scene {self.scene.name!r}") from None
        if not isinstance(spec, SceneSpec):
            raise InputError(f"{type(self.scene).__name__}.sample must return a SceneSpec, got {type(spec).__name__}")
        return spec

    def check(self, index: int) -> None:
        """Draw a sample's world and put it before the engine, without running it."""
        spec = self.spec(index)
        try:
            self.simulator_for(spec).check(spec)
        except SpecError as error:
            raise SpecError(error.problems, what=f"sample {index} of scene {self.scene.name!r}") from None

    def simulator_for(self, spec: SceneSpec) -> Simulator:
        """The named simulator, or the first that can do what the spec asks; liquids of quality fine: the reference."""
        needed = required_capabilities(spec)
        if self.plan.simulator is not None:
            simulator = self._simulator(self.plan.simulator)
            lacking = needed - simulator.capabilities
            if lacking:
                raise UnsupportedError(
                    f"simulator {self.plan.simulator!r} cannot do {', '.join(sorted(lacking))}, which scene "
                    f"{spec.scene!r} needs; {_who_can(spec)}"
                )
            return simulator
        # One by one: classes of others, which may be broken, are not loaded in vain.
        if spec.fluids and self.scene.clip.quality == "fine" and _can(_REFERENCE, needed):
            return self._simulator(_REFERENCE)
        found = next(_able(spec), None)
        if found is None:
            raise UnsupportedError(f"scene {spec.scene!r} needs {', '.join(sorted(needed))}; {_who_can(spec)}")
        return self._simulator(found)

    def _simulator(self, name: str) -> Simulator:
        if name not in self._simulators:
            self._simulators[name] = registry.load("simulators", name)()
        return self._simulators[name]

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + time.perf_counter() - start

    def sample(self, index: int) -> Sample:
        """Make sample ``index``, whole."""
        with self._stage("sample"):
            spec = self.spec(index)
        simulator = self.simulator_for(spec)
        with self._stage("simulate"):
            trajectory = simulator.simulate(spec)
        with self._stage("film"):
            views = tuple(self._video.render(spec, trajectory, camera, self.plan.passes) for camera in spec.cameras)
        with self._stage("record"):
            audio = self._audio.render(spec, trajectory) if self.plan.audio else None
        with self._stage("label"):
            return self._label(index, spec, trajectory, Clip(fps=spec.fps, views=views, audio=audio), simulator)

    def encode(self, index: int) -> tuple[Sample, bytes]:
        """Make sample ``index`` and encode it as the plan's exporter stores it."""
        sample = self.sample(index)
        with self._stage("encode"):
            return sample, self.exporter.encode(sample)

    def _label(self, index: int, spec: SceneSpec, trajectory: Trajectory, clip: Clip, simulator: Simulator) -> Sample:
        plan, scene = self.plan, self.scene
        happened = events.find_events(spec, trajectory)
        others = {name: simulator.simulate(world) for name, world in scene.alternatives(spec).items()}
        outcome = scene.compared_outcome(spec, trajectory, others) if others else scene.outcome(spec, trajectory)
        if not isinstance(outcome, scene.outcome_type):
            raise PhysreelError(
                f"{type(scene).__name__}.outcome must return a {scene.outcome_type.__name__}, "
                f"got {type(outcome).__name__}"
            )
        rng = sample_rng(plan.seed, scene.name, scene.version, index, "questions")
        asked = questions.general_questions(spec, trajectory, simulator.simulate, rng)
        asked += scene.questions(spec, trajectory, outcome, happened, rng)
        caption = scene.caption(spec, trajectory, outcome, happened)
        sample_id = f"{scene.name}-{plan.seed}-{index:08d}"
        return Sample(
            sample_id=sample_id,
            group_id=sample_id,
            variant="original",
            split=split_of(sample_id, plan.splits),
            domains=scene.domains,
            spec=spec,
            trajectory=trajectory,
            clip=clip,
            events=happened,
            outcome=outcome,
            caption=captions.general_caption(spec, trajectory, happened) if caption is None else caption,
            questions=asked,
            provenance=Provenance(
                seed=plan.seed,
                index=index,
                scene=registry.reference_of("scenes", plan.scene),
                scene_version=scene.version,
                simulator=trajectory.simulator,
                video_renderer=plan.video_renderer,
                audio_renderer=plan.audio_renderer if plan.audio else "",
                physreel_version=physreel_version(),
                library_versions=library_versions(),
                notes=trajectory.notes,
            ),
        )


def split_of(group_id: str, splits: Mapping[str, float]) -> str:
    """The split of a group: its hash decides, so siblings stay together and no other sample matters."""
    point = int.from_bytes(hashlib.sha256(group_id.encode()).digest()[:8], "big") / 2**64
    for name, share in splits.items():
        if point < share:
            return name
        point -= share
    return next(reversed(list(splits)))


def _able(spec: SceneSpec) -> Iterator[str]:
    """Names of the simulators that can do what a spec asks, in the registry's order."""
    needed = required_capabilities(spec)
    for entry in registry.entries("simulators"):
        if _can(entry.name, needed):
            yield entry.name


def _can(simulator: str, needed: frozenset[Capability]) -> bool:
    found: type[Simulator] = registry.load("simulators", simulator)
    return needed <= found.capabilities


def _who_can(spec: SceneSpec) -> str:
    able = list(_able(spec))
    return f"those that can: {', '.join(able)}" if able else "none that is installed can"


def physreel_version() -> str:
    """The installed version."""
    return importlib.metadata.version("physreel")


def source_digest(scene: type[Scene]) -> str | None:
    """A hash of the file that a scene is written in (None: there is none), so that resuming notices an edit."""
    try:
        source = inspect.getsourcefile(scene)
        return None if source is None else hashlib.sha256(Path(source).read_bytes()).hexdigest()
    except (OSError, TypeError):
        return None


def library_versions() -> dict[str, str]:
    """Versions of the libraries that stored bytes depend on."""
    return dict(_library_versions())


@lru_cache(maxsize=1)
def _library_versions() -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found.items())
