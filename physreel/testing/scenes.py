"""Checks of scenes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from physreel import registry
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.scenes.base import ClipSettings, Scene
from physreel.seeding import sample_rng
from physreel.spec import SceneSpec
from physreel.testing.report import Report, require, untouched_global_rng
from physreel.testing.worlds import CLIP
from physreel.values import PASSES, Question


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
    report = Report(f"scene {scene_type.name!r}")
    made = scene_type(clip=CLIP, **parameters)

    def draw(index: int, of: Scene = made) -> SceneSpec:
        return of.sample(sample_rng(seed, scene_type.name, scene_type.version, index))

    with report.check("says what it shows: docstring, domains, a description for each parameter and outcome field"):
        require(scene_type.summary(), "the class has no docstring")
        require(scene_type.domains, "domains is empty")
        for what, model in (("parameter", scene_type.Parameters), ("outcome field", scene_type.outcome_type)):
            for name, field in model.model_fields.items():
                require(field.description, f"{what} {name} has no description")
        headline, fields = scene_type.headline, scene_type.outcome_type.model_fields
        require(
            headline is None or headline in fields,
            f"headline {headline!r} is no field of {scene_type.outcome_type.__name__}; it has {', '.join(fields)}",
        )
    with (
        report.check("draws the same world from the same generator, and other worlds from others"),
        untouched_global_rng(),
    ):
        specs = [draw(i) for i in range(count)]
        require(all(spec == draw(i) for i, spec in enumerate(specs)), "the same generator gave two different specs")
        require(len({spec.to_json() for spec in specs}) == count, "different generators gave the same spec")
    with report.check("carries its own name and reads back from JSON without loss"):
        spec = draw(0)
        require(spec.scene == scene_type.name, f"spec.scene is {spec.scene!r}, the scene's name is {scene_type.name!r}")
        require(SceneSpec.from_json(spec.to_json()) == spec, "from_json(to_json()) gives another spec")
        require(spec.cameras, "the spec has no camera")
    with report.check("obeys its clip settings"):
        for clip in (CLIP, ClipSettings(width=80, height=64, fps=25, duration_s=1.4)):
            spec = draw(0, scene_type(clip=clip, **parameters))
            got = (spec.cameras[0].width, spec.cameras[0].height, spec.fps, spec.duration_s)
            want = (clip.width, clip.height, clip.fps, clip.duration_s)
            require(got == want, f"asked for width, height, fps, duration {want}, the spec says {got}")
            require(spec.cue_s < spec.duration_s, f"cue_s {spec.cue_s} leaves nothing to predict")
    plan = Plan(scene=scene_type.name, count=count, seed=seed, parameters=parameters, clip=CLIP, passes=PASSES)
    with report.check(
        "makes whole samples: simulated, filmed, recorded, labelled and stored, twice with the same bytes"
    ):
        pipeline = Pipeline(plan, scene=scene_type)
        sample = pipeline.sample(0)
        stored = pipeline.exporter.encode(sample)
        require(pipeline.exporter.encode(Pipeline(plan, scene=scene_type).sample(0)) == stored, "the bytes differ")
        check_words(sample.caption, sample.questions, sample.spec.duration_s)
    with report.check("reads its outcome from the trajectory, the same each time"):
        spec = draw(1)
        simulator = Pipeline(plan, scene=scene_type).simulator_for(spec)
        trajectory = simulator.simulate(spec)
        first, again = (made.outcome(spec, trajectory) for _ in range(2))
        require(isinstance(first, scene_type.outcome_type), f"outcome is a {type(first).__name__}")
        require(first == again, "two calls gave two outcomes")
    with report.check("draws alternatives from the spec alone, and compares the same each time"):
        worlds = made.alternatives(spec)
        require(dict(worlds) == dict(made.alternatives(spec)), "two calls gave different alternatives")
        for name, world in worlds.items():
            require(isinstance(world, SceneSpec), f"alternative {name!r} is a {type(world).__name__}")
            require(SceneSpec.from_json(world.to_json()) == world, f"alternative {name!r} is not valid as a spec")
        others = {name: simulator.simulate(world) for name, world in worlds.items()}
        if others:
            first, again = (made.compared_outcome(spec, trajectory, others) for _ in range(2))
            require(isinstance(first, scene_type.outcome_type), f"compared outcome is a {type(first).__name__}")
            require(first == again, "two comparisons gave two outcomes")
    with report.check("starts without overlaps in all samples drawn"):
        checked = Pipeline(plan, scene=scene_type)
        for i in range(count):
            checked.check(i)
    return report.done()


def check_words(caption: str, questions: Iterable[Question], duration_s: float) -> None:
    """Fail the check that runs, unless there is a caption and each question has an answer of its type."""
    require(caption.strip(), "the caption is empty")
    for question in questions:
        require(question.question.endswith("?"), f"not a question: {question.question!r}")
        require(question.answer, f"no answer to {question.question!r}")
        match question.answer_type:
            case "yes_no":
                good = question.answer in ("yes", "no")
            case "count":
                good = question.answer.isdigit()
            case "time_s":
                good = 0.0 <= float(question.answer) <= duration_s
            case "choice":
                good = question.answer in question.choices and len(question.choices) > 1
        require(good, f"{question.answer!r} is no {question.answer_type} answer to {question.question!r}")
