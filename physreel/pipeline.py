"""One sample from start to end: sample, simulate, film and record, label."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import inspect
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from physreel import registry
from physreel.errors import InputError, PhysreelError, SampleError, SimulationError, SpecError, UnsupportedError
from physreel.exporters.base import ExportContext, Exporter
from physreel.labels import captions, events, questions
from physreel.plan import Plan
from physreel.renderers.audio.base import AudioRenderer
from physreel.renderers.video.base import VideoRenderer
from physreel.scenes.base import Scene
from physreel.scenes.outcomes import OutcomeClasses
from physreel.seeding import sample_rng, share_at
from physreel.simulators.base import Capability, Simulator, required_capabilities
from physreel.spec import SceneSpec, spec_problems
from physreel.values import Clip, Outcome, Provenance, Sample, Trajectory

_REFERENCE = "splash"
"""The simulator that moves liquids at quality fine."""

_LIBRARIES = (
    "mujoco", "pybullet", "numpy", "numba", "embreex", "pysplashsurf", "pysplishsplash", "scipy", "av", "soundfile",
    "pyarrow", "mitsuba", "drjit",
)  # fmt: skip


@dataclass(frozen=True)
class _World:
    """A world and what became of it."""

    spec: SceneSpec
    scene: Scene
    simulator: Simulator
    trajectory: Trajectory
    outcome: Outcome
    notes: tuple[str, ...] = ()


class Pipeline:
    """Makes the samples of one plan. Engines and renderers are made once and reused; samples do not see each other.

    Args:
        plan: what to make.
        scene: the scene class, where ``plan.scene`` cannot be found by name (a class made in a script or notebook).

    Attributes:
        scene: the scene as all splits have it.
        stage_seconds: wall time spent so far in each stage; for benchmarks, never stored.

    Raises:
        InputError: something in the plan does not exist or does not fit together.
    """

    def __init__(self, plan: Plan, *, scene: type[Scene] | None = None) -> None:
        self.plan = plan
        scene_type: type[Scene] = registry.load("scenes", plan.scene if scene is None else scene)
        if plan.name not in (None, scene_type.name):
            scene_type = _renamed(scene_type, plan.name or "")
        self.scene = scene_type(clip=plan.clip, **plan.parameters)
        self._scenes = {
            split: scene_type(clip=plan.clip, **plan.parameters_of(split)) for split in plan.split_parameters
        }
        self._classes: OutcomeClasses | None = None
        if plan.balance is not None:
            self._classes = OutcomeClasses(scene_type.outcome_type, plan.balance.field, plan.balance.shares)
        self._latest: tuple[int, SceneSpec] | None = None
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

    def sample_id(self, index: int) -> str:
        """The name of sample ``index``, and of its group."""
        return sample_id_of(self.scene.name, self.plan.seed, index)

    def split(self, index: int) -> str:
        """The split of sample ``index``."""
        return split_of(self.sample_id(index), self.plan.splits)

    def scene_of(self, index: int) -> Scene:
        """The scene with the parameters of the split that sample ``index`` is in."""
        return self._scenes.get(self.split(index), self.scene) if self._scenes else self.scene

    def spec(self, index: int) -> SceneSpec:
        """The world of sample ``index``; SpecError lists what is wrong with it.

        Where outcomes are balanced, that world is known only after it and those before it have been simulated. When
        making the sample has failed, it is the world that failed.
        """
        if self._classes is None:
            return self._drawn(index, 0)
        if self._latest is None or self._latest[0] != index:
            self._world(index)
        assert self._latest is not None
        return self._latest[1]

    def _drawn(self, index: int, attempt: int) -> SceneSpec:
        """The world that is drawn for a sample, the first or, if that had not the wanted outcome, a later one."""
        scene = self.scene_of(index)
        stream = "world" if attempt == 0 else f"world {attempt}"
        rng = sample_rng(self.plan.seed, scene.name, scene.version, index, stream)
        try:
            spec = scene.sample(rng)
        except ValidationError as error:
            raise SpecError(spec_problems(error), what=f"sample {index} of scene {scene.name!r}") from None
        if not isinstance(spec, SceneSpec):
            raise InputError(f"{type(scene).__name__}.sample must return a SceneSpec, got {type(spec).__name__}")
        return spec

    def preflight_indices(self, count: int) -> list[int]:
        """The samples whose worlds tell whether the plan can be run: the first few, and one of each split's own."""
        found = list(range(min(count, self.plan.count)))
        lacking = set(self._scenes) - {self.split(index) for index in found}
        for index in range(count, min(self.plan.count, 10_000)):
            if not lacking:
                break
            if (split := self.split(index)) in lacking:
                found.append(index)
                lacking.remove(split)
        return found

    def check(self, index: int) -> None:
        """Draw a sample's world (the first, where outcomes are balanced) and put it before the engine; run nothing."""
        spec = self._drawn(index, 0)
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
        world = self._world(index)
        spec, trajectory = world.spec, world.trajectory
        with self._stage("film"):
            views = tuple(self._video.render(spec, trajectory, camera, self.plan.passes) for camera in spec.cameras)
        with self._stage("record"):
            audio = self._audio.render(spec, trajectory) if self.plan.audio else None
        with self._stage("label"):
            return self._label(index, world, Clip(fps=spec.fps, views=views, audio=audio))

    def _world(self, index: int) -> _World:
        """The world of sample ``index`` and what became of it: the first drawn whose outcome is the wanted one."""
        if self._classes is None:
            return self._simulated(index, 0)
        balance, scene = self.plan.balance, self.scene
        assert balance is not None
        dice = sample_rng(self.plan.seed, scene.name, scene.version, index, "balance")
        wanted = self._classes.draw(dice.random())
        seen: list[str | None] = []
        broken: list[PhysreelError] = []
        for attempt in range(balance.tries):
            try:
                world = self._simulated(index, attempt)
            except (SimulationError, SpecError) as error:
                # By itself such a world costs its sample. Here many are drawn for one, which would cost far more.
                broken.append(error)
                continue
            seen.append(self._classes.class_of(world.outcome))
            if seen[-1] == wanted:
                note = f"balance: wanted {balance.field} = {wanted}, drew {attempt + 1} worlds"
                if broken:
                    note += f", {len(broken)} of them could not be simulated"
                return dataclasses.replace(world, notes=(*world.trajectory.notes, note))
        counts = [f"{name} {seen.count(name)}" for name in self._classes.shares]
        said = f"no world of {balance.tries} drawn has {balance.field} = {wanted}: {', '.join(counts)}"
        said += f", none of these {seen.count(None)}"
        if broken:
            last = " ".join(str(broken[-1]).split())
            said += f", not simulated {len(broken)} (the last: {last})"
        raise SampleError(f"{said}; raise tries, ask a smaller share, or set parameters that make it likelier")

    def _simulated(self, index: int, attempt: int) -> _World:
        with self._stage("sample"):
            spec = self._drawn(index, attempt)
        self._latest = (index, spec)
        simulator, scene = self.simulator_for(spec), self.scene_of(index)
        with self._stage("simulate"):
            trajectory = simulator.simulate(spec)
        with self._stage("label"):
            others = {name: simulator.simulate(world) for name, world in scene.alternatives(spec).items()}
            outcome = scene.compared_outcome(spec, trajectory, others) if others else scene.outcome(spec, trajectory)
        if not isinstance(outcome, scene.outcome_type):
            raise PhysreelError(
                f"{type(scene).__name__}.outcome must return a {scene.outcome_type.__name__}, "
                f"got {type(outcome).__name__}"
            )
        return _World(spec, scene, simulator, trajectory, outcome, trajectory.notes)

    def encode(self, index: int) -> tuple[Sample, bytes]:
        """Make sample ``index`` and encode it as the plan's exporter stores it."""
        sample = self.sample(index)
        with self._stage("encode"):
            return sample, self.exporter.encode(sample)

    def _label(self, index: int, world: _World, clip: Clip) -> Sample:
        plan, scene, spec, trajectory, outcome = self.plan, world.scene, world.spec, world.trajectory, world.outcome
        happened = events.find_events(spec, trajectory)
        rng = sample_rng(plan.seed, scene.name, scene.version, index, "questions")
        asked = questions.general_questions(spec, trajectory, world.simulator.simulate, rng)
        asked += scene.questions(spec, trajectory, outcome, happened, rng)
        caption = scene.caption(spec, trajectory, outcome, happened)
        sample_id = self.sample_id(index)
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
                notes=world.notes,
            ),
        )


def _renamed(scene: type[Scene], name: str) -> type[Scene]:
    """A scene under the name it has in a data set: its worlds, rows and files go by that name."""
    # The module stays the same, so that its source is found.
    body = {"name": name, "__module__": scene.__module__, "__doc__": scene.__doc__}
    return type(scene.__name__, (scene,), body)


def split_of(group_id: str, splits: Mapping[str, float]) -> str:
    """The split of a group: its hash decides, so siblings stay together and no other sample matters."""
    point = int.from_bytes(hashlib.sha256(group_id.encode()).digest()[:8], "big") / 2**64
    return share_at(point, splits)


def sample_id_of(scene: str, seed: int, index: int) -> str:
    """The name of a sample, and of its group."""
    return f"{scene}-{seed}-{index:08d}"


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
