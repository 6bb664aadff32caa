"""What anybody's scene, simulator, renderer or exporter can be put through; our own go through it too.

In a test::

    from physreel.testing import check_scene
    def test_marbles():
        check_scene(Marbles)

or from the shell: ``physreel check my_scenes.py:Marbles``. Each function runs every check it has and raises CheckError
with all that failed; it returns the names of those that held.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from physreel import registry
from physreel.errors import CheckError, PhysreelError, SpecError, UnsupportedError
from physreel.exporters.base import ExportContext, Exporter
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.renderers.audio.base import AudioRenderer
from physreel.renderers.video.base import VideoRenderer
from physreel.scenes.base import ClipSettings, Scene
from physreel.seeding import sample_rng
from physreel.simulators.base import Simulator
from physreel.spec import (
    Body,
    Box,
    Camera,
    CameraKeyframe,
    Joint,
    Microphone,
    Plane,
    SceneSpec,
    Sphere,
    SphereLight,
)
from physreel.values import PASSES, SAMPLE_RATE_HZ, Sample, Trajectory

__all__ = [
    "check_audio_renderer",
    "check_exporter",
    "check_scene",
    "check_simulator",
    "check_video_renderer",
    "run_checks",
    "small_world",
]

_CLIP = ClipSettings(width=64, height=48, fps=20, duration_s=1.0)


class _Report:
    """Runs checks one by one and collects what failed."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.passed: list[str] = []
        self.failed: list[str] = []

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            self.failed.append(f"{name}: {error}" if str(error) else name)
        except Exception as error:
            self.failed.append(f"{name}: raised {type(error).__name__}: {error}")
        else:
            self.passed.append(name)

    def done(self) -> tuple[str, ...]:
        if self.failed:
            lines = "\n".join(f"  - {line}" for line in self.failed)
            raise CheckError(
                f"{self.what}: {len(self.failed)} of {len(self.failed) + len(self.passed)} failed:\n{lines}"
            )
        return tuple(self.passed)


def _require(condition: object, message: str) -> None:
    # A plain assert would vanish under python -O, and these checks are a product feature.
    if not condition:
        raise AssertionError(message)


def small_world(*, speed_m_s: float = 1.0, height_m: float = 0.3, cameras: int = 1) -> SceneSpec:
    """A steel ball and an oak block that fall on a marble floor, filmed small: one second of everything rigid."""
    views = tuple(
        Camera(
            name=f"camera_{k}",
            width=_CLIP.width,
            height=_CLIP.height,
            keyframes=(CameraKeyframe(position_m=(0.3 * k, -1.2, 0.5), look_at_m=(0.0, 0.0, 0.15)),),
        )
        for k in range(cameras)
    )
    return SceneSpec(
        scene="small_world",
        duration_s=_CLIP.duration_s,
        fps=_CLIP.fps,
        bodies=(
            Body(name="floor", shape=Plane(), material="marble", motion="static", label="floor"),
            Body(
                name="ball",
                shape=Sphere(radius_m=0.05),
                material="steel",
                position_m=(-0.12, 0.0, 0.05 + height_m),
                velocity_m_s=(0.1 * speed_m_s, 0.0, -speed_m_s),
                label="steel ball",
            ),
            Body(
                name="block",
                shape=Box(size_m=(0.12, 0.08, 0.06)),
                material="oak",
                position_m=(0.12, 0.0, 0.06 + height_m),
                orientation_wxyz=(0.9, 0.3, 0.2, 0.1),
                label="oak block",
            ),
        ),
        cameras=views,
        lights=(SphereLight(position_m=(0.6, -1.0, 1.8), radius_m=0.2, intensity=(9.0, 9.0, 9.0)),),
        microphones=(
            Microphone(name="left", position_m=(-0.1, -1.2, 0.5)),
            Microphone(name="right", position_m=(0.1, -1.2, 0.5)),
        ),
    )


def _same(a: Any, b: Any) -> bool:
    """Whether two values agree to the last byte, arrays and dataclasses included."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(_same(getattr(a, n), getattr(b, n)) for n in a.__dataclass_fields__)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if hasattr(a, "items"):
        return list(a) == list(b) and all(_same(value, b[key]) for key, value in a.items())
    return bool(a == b)


@contextmanager
def _untouched_global_rng() -> Iterator[None]:
    import random

    before = (random.getstate(), copy.deepcopy(np.random.get_state()))  # noqa: NPY002
    try:
        yield
    finally:  # the cause comes before what it led to
        after = (random.getstate(), np.random.get_state())  # noqa: NPY002
        _require(before[0] == after[0], "it draws from the global random module; use the generator it is given")
        _require(
            all(np.array_equal(x, y) for x, y in zip(before[1], after[1], strict=True)),
            "it draws from numpy's global generator; use the generator it is given",
        )


def check_scene(scene: str | type[Scene], *, count: int = 4, seed: int = 0, **parameters: Any) -> tuple[str, ...]:
    """Contracts of a scene: drawn by its generator alone, valid, true to its clip settings, whole to the last stage.

    Args:
        scene: the class, or a name or reference the registry finds.
        count: how many samples to draw; the first is also simulated, filmed, recorded, labelled and stored.
        seed: of the samples.
        parameters: the scene's parameters, as a user would set them.

    Raises:
        CheckError: with everything that did not hold.
    """
    scene_type: type[Scene] = registry.load("scenes", scene)
    report = _Report(f"scene {scene_type.name!r}")
    made = scene_type(clip=_CLIP, **parameters)

    def draw(index: int, of: Scene = made) -> SceneSpec:
        return of.sample(sample_rng(seed, scene_type.name, scene_type.version, index))

    with report.check("says what it shows: docstring, domains, a description for each parameter and outcome field"):
        _require(scene_type.summary(), "the class has no docstring")
        _require(scene_type.domains, "domains is empty")
        for what, model in (("parameter", scene_type.Parameters), ("outcome field", scene_type.outcome_type)):
            for name, field in model.model_fields.items():
                _require(field.description, f"{what} {name} has no description")
    with (
        report.check("draws the same world from the same generator, and other worlds from others"),
        _untouched_global_rng(),
    ):
        specs = [draw(i) for i in range(count)]
        _require(all(spec == draw(i) for i, spec in enumerate(specs)), "the same generator gave two different specs")
        _require(len({spec.to_json() for spec in specs}) == count, "different generators gave the same spec")
    with report.check("carries its own name and reads back from JSON without loss"):
        spec = draw(0)
        _require(
            spec.scene == scene_type.name, f"spec.scene is {spec.scene!r}, the scene's name is {scene_type.name!r}"
        )
        _require(SceneSpec.from_json(spec.to_json()) == spec, "from_json(to_json()) gives another spec")
        _require(spec.cameras, "the spec has no camera")
    with report.check("obeys its clip settings"):
        for clip in (_CLIP, ClipSettings(width=80, height=64, fps=25, duration_s=1.4)):
            spec = draw(0, scene_type(clip=clip, **parameters))
            got = (spec.cameras[0].width, spec.cameras[0].height, spec.fps, spec.duration_s)
            want = (clip.width, clip.height, clip.fps, clip.duration_s)
            _require(got == want, f"asked for width, height, fps, duration {want}, the spec says {got}")
            _require(spec.cue_s < spec.duration_s, f"cue_s {spec.cue_s} leaves nothing to predict")
    plan = Plan(scene=scene_type.name, count=count, seed=seed, parameters=parameters, clip=_CLIP, passes=PASSES)
    with report.check(
        "makes whole samples: simulated, filmed, recorded, labelled and stored, twice with the same bytes"
    ):
        pipeline = Pipeline(plan, scene=scene_type)
        sample = pipeline.sample(0)
        stored = pipeline.exporter.encode(sample)
        _require(pipeline.exporter.encode(Pipeline(plan, scene=scene_type).sample(0)) == stored, "the bytes differ")
        _check_words(sample)
    with report.check("reads its outcome from the trajectory, the same each time"):
        spec = draw(1)
        trajectory = Pipeline(plan, scene=scene_type).simulator_for(spec).simulate(spec)
        first, again = (made.outcome(spec, trajectory) for _ in range(2))
        _require(isinstance(first, scene_type.outcome_type), f"outcome is a {type(first).__name__}")
        _require(first == again, "two calls gave two outcomes")
    with report.check("starts without overlaps in all samples drawn"):
        checked = Pipeline(plan, scene=scene_type)
        for i in range(count):
            checked.check(i)
    return report.done()


def _check_words(sample: Sample) -> None:
    _require(sample.caption.strip(), "the caption is empty")
    for question in sample.questions:
        _require(question.question.endswith("?"), f"not a question: {question.question!r}")
        _require(question.answer, f"no answer to {question.question!r}")
        match question.answer_type:
            case "yes_no":
                good = question.answer in ("yes", "no")
            case "count":
                good = question.answer.isdigit()
            case "time_s":
                good = 0.0 <= float(question.answer) <= sample.spec.duration_s
            case "choice":
                good = question.answer in question.choices and len(question.choices) > 1
        _require(good, f"{question.answer!r} is no {question.answer_type} answer to {question.question!r}")


def check_simulator(simulator: str | type[Simulator]) -> tuple[str, ...]:
    """Contracts of a simulator: same bytes each time, true shapes and times, free fall, refusal of what cannot be."""
    simulator_type: type[Simulator] = registry.load("simulators", simulator)
    report = _Report(f"simulator {simulator_type.name!r}")
    engine = simulator_type()
    spec = small_world()
    with (
        report.check("gives the same bytes again, after other worlds, and from a new instance"),
        _untouched_global_rng(),
    ):
        first = engine.simulate(spec)
        engine.simulate(small_world(speed_m_s=2.0))
        _require(_same(first, engine.simulate(spec)), "a second run of the same spec differs")
        _require(_same(first, simulator_type().simulate(spec)), "a new instance gives another trajectory")
    with report.check("returns T frames of every body, read-only, starting from the spec's poses"):
        run = engine.simulate(spec)
        _require(run.body_pose.shape == (spec.frame_count, len(spec.bodies), 7), f"body_pose is {run.body_pose.shape}")
        _require(not run.body_pose.flags.writeable, "body_pose can be written to")
        for i, body in enumerate(spec.bodies):
            _require(np.allclose(run.body_pose[0, i, :3], body.position_m, atol=1e-9), f"{body.name} starts elsewhere")
            turned = abs(np.dot(run.body_pose[0, i, 3:], body.orientation_wxyz))
            _require(turned > 1 - 1e-9, f"{body.name} starts turned")
        substeps = 1.0 / (run.fps * run.step_s)
        _require(abs(substeps - round(substeps)) < 1e-6, f"{substeps} steps a frame is not whole")
    with report.check("lets things fall as they do"):
        fall = engine.simulate(_free_fall())
        want = 2.0 - 0.5 * 9.81 * fall.time_s**2
        error = float(np.abs(fall.body_pose[:, 0, 2] - want).max())
        _require(error < 2e-3, f"{error * 1000:.2f} mm off z0 - g t²/2")
    with report.check("orders contacts by time, a before b, with impulses and unit normals from a to b"):
        contacts = engine.simulate(spec).contacts
        _require(len(contacts), "no contact of a ball with the floor it falls on")
        _require((np.diff(contacts.time_s) >= 0).all(), "not in order of time")
        _require((contacts.body_a < contacts.body_b).all(), "body_a must be less than body_b")
        _require((contacts.normal_impulse_n_s >= 0).all(), "negative normal impulse")
        _require(np.allclose(np.linalg.norm(contacts.normal, axis=1), 1.0, atol=1e-6), "normals are not unit vectors")
        _require((contacts.normal[contacts.body_a == 0, 2] > 0.5).all(), "the normal from the floor must point up")
    with report.check("refuses bodies that overlap at the start, naming them"):
        try:
            engine.check(_overlapping())
        except SpecError as error:
            _require("ball" in str(error) and "block" in str(error), f"the message names no bodies: {error}")
        else:
            raise AssertionError("two bodies in one place were accepted")
    with report.check("refuses what it cannot do"):
        if "joints" not in simulator_type.capabilities:
            try:
                engine.simulate(_pendulum())
            except UnsupportedError:
                pass
            else:
                raise AssertionError("it has no joints among its capabilities, but ran a pendulum")
        else:
            engine.simulate(_pendulum())
    return report.done()


def _free_fall() -> SceneSpec:
    ball = Body(name="ball", shape=Sphere(radius_m=0.05), material="steel", position_m=(0.0, 0.0, 2.0))
    return SceneSpec(scene="free_fall", duration_s=0.5, fps=20, bodies=(ball,))


def _overlapping() -> SceneSpec:
    spec = small_world()
    floor, ball, block = spec.bodies
    return spec.model_copy(update={"bodies": (floor, ball, block.model_copy(update={"position_m": ball.position_m}))})


def _pendulum() -> SceneSpec:
    bob = Body(name="bob", shape=Sphere(radius_m=0.05), material="steel", position_m=(0.5, 0.0, 1.0))
    hinge = Joint(name="hinge", kind="hinge", child="bob", anchor_m=(0.0, 0.0, 1.0), axis=(0.0, 1.0, 0.0))
    return SceneSpec(scene="pendulum", duration_s=0.5, fps=20, bodies=(bob,), joints=(hinge,))


def _small_trajectory(spec: SceneSpec) -> Trajectory:
    engine: Simulator = registry.load("simulators", "mujoco")()
    return engine.simulate(spec)


def check_video_renderer(renderer: str | type[VideoRenderer]) -> tuple[str, ...]:
    """Contracts of a video renderer: the passes asked for, of one geometry, the same bytes each time."""
    renderer_type: type[VideoRenderer] = registry.load("video_renderers", renderer)
    report = _Report(f"video renderer {renderer_type.name!r}")
    spec = small_world(cameras=2)
    trajectory = _small_trajectory(spec)
    film = renderer_type()
    passes = tuple(name for name in PASSES if name in renderer_type.passes)
    views = [film.render(spec, trajectory, camera, passes) for camera in spec.cameras]
    view = views[0]
    with report.check("gives the passes asked for, and no others"):
        _require(view.passes == passes, f"asked for {passes}, got {view.passes}")
        for name in passes:
            alone = film.render(spec, trajectory, spec.cameras[0], (name,))
            _require(alone.passes == (name,), f"asked for {name} alone, got {alone.passes}")
            _require(_same(getattr(alone, name), getattr(view, name)), f"{name} alone differs from {name} among all")
    with report.check("gives T frames of the camera's size"):
        for name in passes:
            shape = getattr(view, name).shape[:3]
            want = (spec.frame_count, spec.cameras[0].height, spec.cameras[0].width)
            _require(shape == want, f"{name} is {shape}, expected {want}")
    with report.check("gives the same bytes again, and each camera its own view"), _untouched_global_rng():
        again = renderer_type().render(spec, trajectory, spec.cameras[0], passes)
        _require(_same(view, again), "a second film of the same trajectory differs")
        _require(not _same(getattr(views[0], passes[0]), getattr(views[1], passes[0])), "two cameras see the same")
    with report.check("shows something: neither black nor blank, and it moves"):
        if view.rgb is not None:
            _require(
                view.rgb.std() > 4 and 10 < view.rgb.mean() < 245,
                f"mean {view.rgb.mean():.0f}, std {view.rgb.std():.1f}",
            )
            _require((view.rgb[0] != view.rgb[spec.frame_count // 2]).any(), "the picture does not change")
    with report.check("keeps depth, segmentation and normals of one mind"):
        if view.depth is not None and view.segmentation is not None:
            background = view.segmentation == 0
            _require(np.isinf(view.depth[background]).all(), "background with a finite depth")
            _require((np.isfinite(view.depth) | background).all(), "a body at infinite depth")
            _require((view.depth[~background] > 0).all(), "depth that is not positive")
        if view.segmentation is not None:
            _require(view.segmentation.max() <= len(spec.bodies), "an id beyond the last body")
            _require({2, 3} <= set(np.unique(view.segmentation)), "ball or block is never seen")
        if view.normals is not None and view.segmentation is not None:
            length = np.linalg.norm(view.normals, axis=-1)
            _require(np.allclose(length[view.segmentation > 0], 1.0, atol=1e-3), "normals are not unit vectors")
    with report.check("refuses a pass it does not know"):
        try:
            film.render(spec, trajectory, spec.cameras[0], ("x-ray",))  # type: ignore[arg-type]
        except PhysreelError:
            pass
        else:
            raise AssertionError("it accepted the pass 'x-ray'")
    return report.done()


def check_audio_renderer(renderer: str | type[AudioRenderer]) -> tuple[str, ...]:
    """Contracts of an audio renderer: exact length, silence without a cause, louder when hit harder, one scale."""
    renderer_type: type[AudioRenderer] = registry.load("audio_renderers", renderer)
    report = _Report(f"audio renderer {renderer_type.name!r}")
    spec = small_world()
    trajectory = _small_trajectory(spec)
    recorder = renderer_type()
    audio = recorder.render(spec, trajectory)
    with report.check("gives duration × 48000 samples for each microphone, finite"):
        want = (round(spec.duration_s * SAMPLE_RATE_HZ), len(spec.microphones))
        _require(audio.samples.shape == want, f"samples are {audio.samples.shape}, expected {want}")
        _require(np.isfinite(audio.samples).all(), "NaN or infinity in the samples")
        _require(
            renderer_type().render(spec.model_copy(update={"microphones": ()}), trajectory).samples.shape
            == (want[0], 0),
            "without microphones there must be no channels",
        )
    with report.check("gives the same samples again"), _untouched_global_rng():
        _require(_same(audio, renderer_type().render(spec, trajectory)), "a second recording differs")
    with report.check("is silent before the first contact, and not after"):
        first = int(trajectory.contacts.time_s[0] * SAMPLE_RATE_HZ)
        _require(np.abs(audio.samples[: first - 1]).max(initial=0.0) < 1e-4, "sound before anything touched")
        _require(np.abs(audio.samples[first:]).max() > 1e-3, "no sound of a steel ball on marble")
    with report.check("is louder when things hit harder, on one scale"):
        harder = small_world(speed_m_s=4.0)
        loud = recorder.render(harder, _small_trajectory(harder))
        _require(float((loud.samples**2).sum()) > float((audio.samples**2).sum()), "a harder blow is not louder")
        _require(loud.pascal_per_unit == audio.pascal_per_unit, "the scale changes from clip to clip")
    return report.done()


def check_exporter(exporter: str | type[Exporter]) -> tuple[str, ...]:
    """Contracts of an exporter: same bytes, every view a row, whole files, an index of what there is."""
    exporter_type: type[Exporter] = registry.load("exporters", exporter)
    report = _Report(f"exporter {exporter_type.name!r}")
    plan = Plan(scene="falling", count=2, clip=_CLIP, passes=PASSES)
    pipeline = Pipeline(plan)
    samples = [pipeline.sample(i) for i in range(2)]
    context: ExportContext = pipeline.export_context()
    make: Callable[[], Exporter] = lambda: exporter_type(context)  # noqa: E731
    with report.check("encodes the same bytes again"):
        encoded = [make().encode(sample) for sample in samples]
        _require(encoded == [make().encode(sample) for sample in samples], "a second encoding differs")
    with report.check("writes the same shard again, with a row for each view"), tempfile.TemporaryDirectory() as folder:
        encoded = [make().encode(sample) for sample in samples]
        paths = [Path(folder, name) for name in ("a", "b")]
        rows = [make().write_shard(iter(encoded), path) for path in paths]
        views = sum(len(sample.clip.views) for sample in samples)
        _require(rows == [views, views], f"{views} views became {rows} rows")
        _require(paths[0].read_bytes() == paths[1].read_bytes(), "two shards of the same samples differ")
    with report.check("names shards apart and lists them in the index"):
        names = [make().shard_path(split, k, 3) for split in ("train", "test") for k in range(3)]
        _require(len(set(names)) == len(names), f"two shards have one name: {names}")
        _require(all(not name.startswith("/") and ".." not in name for name in names), f"not relative: {names}")
        index = make().index_files({"falling": {"train": names[:3], "test": names[3:]}})
        _require(index == make().index_files({"falling": {"train": names[:3], "test": names[3:]}}), "the index differs")
    return report.done()


_CHECKS: dict[registry.Kind, Callable[[Any], tuple[str, ...]]] = {
    "scenes": check_scene,
    "simulators": check_simulator,
    "video_renderers": check_video_renderer,
    "audio_renderers": check_audio_renderer,
    "exporters": check_exporter,
}


def run_checks(kind: registry.Kind, reference: str | type) -> tuple[str, ...]:
    """The checks of a kind on anything the registry finds; CheckError with all that failed."""
    return _CHECKS[kind](reference)
