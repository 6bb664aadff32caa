"""From what a user says to a plan: everything that is wrong with a request is found at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from physreel import registry
from physreel.errors import InputError, SpecError
from physreel.pipeline import Pipeline
from physreel.plan import NAME_PATTERN, Balance, Plan
from physreel.runners.base import Part, RunSummary
from physreel.runners.local import Progress, preflight, run
from physreel.scenes.base import ClipSettings, Scene
from physreel.scenes.outcomes import OutcomeClasses
from physreel.scenes.parameters import did_you_mean
from physreel.scenes.regions import split_regions
from physreel.spec import spec_problems
from physreel.storage import Address
from physreel.values import PASSES, Sample

_PLUG_INS: dict[str, registry.Kind] = {
    "simulator": "simulators",
    "video_renderer": "video_renderers",
    "audio_renderer": "audio_renderers",
    "exporter": "exporters",
}


def make_plan(
    scene: str | type[Scene],
    *,
    count: int,
    name: str | None = None,
    seed: int = 0,
    width: int | None = None,
    height: int | None = None,
    fps: int | None = None,
    duration_s: float | None = None,
    quality: str | None = None,
    passes: str | Iterable[str] = "rgb",
    audio: bool = True,
    parameters: Mapping[str, Any] | None = None,
    simulator: str | None = None,
    video_renderer: str = "raytrace",
    audio_renderer: str = "modal",
    exporter: str = "parquet",
    splits: Mapping[str, float | Mapping[str, Any]] | None = None,
    held_out: Mapping[str, Mapping[str, Any]] | None = None,
    balance: Balance | Mapping[str, Any] | None = None,
    shard_size: int = 64,
    said: Mapping[str, str] | None = None,
    problems: Iterable[str] = (),
) -> Plan:
    """The plan of a request.

    Args:
        scene: a known name, ``module:Class``, ``file.py:Class``, or the class itself.
        count: samples.
        name: what the scene is called in the data set; None for its own name. So one scene can be in it in several
            ways, each with worlds of its own.
        seed: of the data set.
        width: pixels; None, as for height, fps and duration_s, for the scene's default.
        height: pixels.
        fps: frames per second.
        duration_s: length of a clip.
        quality: draft, standard or fine: how finely liquids are divided and by which engine they are moved.
        passes: of rgb, depth, segmentation, normals, flow; a list, "rgb,depth" or "all".
        audio: whether to record sound.
        parameters: of the scene: name → number, "0.5..1.5", (0.5, 1.5), "wood|marble".
        simulator: name; None for the first that can do what the scene asks.
        video_renderer: name.
        audio_renderer: name.
        exporter: name.
        splits: share of each split; None for one split, train. A split that is drawn with parameters of its own is
            {"share": 0.2, "parameters": {"drop_height_m": "1.0..2.0"}}.
        held_out: split → parameter → region that only this split has; what is left of it is for all others.
        balance: target shares of outcomes, {"field": "all_settled", "shares": {"true": 0.5, "false": 0.5}}; see
            Balance.
        shard_size: samples in a shard.
        said: how the caller calls these arguments, for messages ({"count": "-n"}).
        problems: what the caller has found already.

    Raises:
        SpecError: lists all that is wrong.
    """
    found = _Problems(said or {}, problems)
    scene_type: type[Scene] | None = None
    with found.collected("scene"):
        scene_type = registry.load("scenes", scene)
    base = ClipSettings() if scene_type is None else scene_type.default_clip
    given = {"width": width, "height": height, "fps": fps, "duration_s": duration_s, "quality": quality}
    given = {key: value for key, value in given.items() if value is not None}
    clip: ClipSettings | None = None
    with found.collected():
        clip = ClipSettings(**(base.model_dump() | given)) if given else None
    wanted = [word.strip() for word in (passes.split(",") if isinstance(passes, str) else passes)]
    if wanted == ["all"]:
        wanted = list(PASSES)
    for asked in wanted:
        if asked not in PASSES:
            hint = did_you_mean(asked, PASSES)
            found.add("passes", f"{asked!r} is not one of {', '.join(PASSES)} or all{hint}")
    plug_ins = {
        "simulator": simulator,
        "video_renderer": video_renderer,
        "audio_renderer": audio_renderer,
        "exporter": exporter,
    }
    for argument, reference in plug_ins.items():
        if reference is not None:
            with found.collected(argument):
                registry.load(_PLUG_INS[argument], reference)
    values = {str(key): _plain(value) for key, value in (parameters or {}).items()}
    if scene_type is not None:
        with found.collected("parameters"):
            scene_type.Parameters.read(scene_type.name, values)
    fields: dict[str, Any] = {"count": count, "seed": seed, "passes": [p for p in wanted if p in PASSES] or ["rgb"]}
    if not wanted:
        found.add("passes", f"name at least one of {', '.join(PASSES)}")
    fields |= plug_ins | {"audio": audio, "shard_size": shard_size, "clip": clip, "parameters": values}
    if scene_type is not None and name not in (None, scene_type.name):
        others = [entry.name for entry in registry.entries("scenes")]
        if name in others:
            found.add("name", f"{name!r} is another scene; choose a name of your own, not of {', '.join(others)}")
        elif re.fullmatch(NAME_PATTERN, name or "") is None:
            found.add("name", f"must be a letter and then at most 63 letters, digits or _, got {name!r}")
        else:
            fields["name"] = name
    if splits is not None:
        fields["splits"] = {split: _share(asked) for split, asked in splits.items()}
    if scene_type is not None:
        fields["split_parameters"] = _split_parameters(found, scene_type, values, splits or {}, held_out or {})
        fields["balance"] = _balance(found, scene_type, balance)
    plan: Plan | None = None
    with found.collected():
        plan = Plan(scene=registry.reference_of("scenes", scene), **fields)
    found.raise_if_any()
    assert plan is not None
    return plan


def _share(asked: Any) -> Any:
    """The share of a split that is given as that, or beside its parameters."""
    return asked.get("share") if isinstance(asked, Mapping) else asked


def _split_parameters(
    found: _Problems,
    scene: type[Scene],
    values: Mapping[str, Any],
    splits: Mapping[str, Any],
    held_out: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    own: dict[str, dict[str, Any]] = {}
    for split, asked in splits.items():
        if not isinstance(asked, Mapping) or not asked.get("parameters"):
            continue
        own[split] = {str(name): _plain(value) for name, value in asked["parameters"].items()}
        with found.collected("splits"):
            try:
                scene.Parameters.read(scene.name, own[split])
            except SpecError as error:
                raise SpecError([f"{split}: {line}" for line in error.problems], what=error.what) from None
        for name in own[split]:
            if any(name in regions for regions in held_out.values()):
                found.add("splits", f"{split}: {name} is held out too; say it in one place")
    regions: dict[str, dict[str, str]] = {}
    if held_out:
        with found.collected("held_out"):
            try:
                base = scene.Parameters.read(scene.name, dict(values))
            except SpecError:
                return {}  # told where parameters are read
            regions = split_regions(scene.name, base, held_out, splits or {"train": 1.0})
    return {split: both for split in splits if (both := own.get(split, {}) | regions.get(split, {}))}


def _balance(found: _Problems, scene: type[Scene], asked: Balance | Mapping[str, Any] | None) -> Balance | None:
    balance: Balance | None = None
    with found.collected("balance"):
        if isinstance(asked, Balance) or asked is None:
            balance = asked
        else:
            try:
                balance = Balance(**asked)
            except ValidationError as error:
                raise SpecError(spec_problems(error), what="balance") from None
        if balance is not None:
            OutcomeClasses(scene.outcome_type, balance.field, balance.shares)
    return balance


def _plain(value: Any) -> Any:
    """A parameter as the plan's JSON has it."""
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return str(value) if not isinstance(value, (bool, int, float, str, dict, type(None))) else value


class _Problems:
    """Collects what is wrong, in the caller's words."""

    def __init__(self, said: Mapping[str, str], found: Iterable[str]) -> None:
        self.said = said
        self.lines = list(found)

    def add(self, argument: str, message: str) -> None:
        self.lines.append(f"{self.said.get(argument, argument)}: {message}")

    @contextmanager
    def collected(self, argument: str | None = None) -> Iterator[None]:
        try:
            yield
        except ValidationError as error:
            for line in spec_problems(error):
                name, colon, rest = line.partition(": ")
                head, dot, tail = name.partition(".")
                self.lines.append(f"{self.said.get(head, head)}{dot}{tail}{colon}{rest}")
        except SpecError as error:
            self.lines += [f"{self.said.get(argument or '', argument)} {line}" for line in error.problems]
        except InputError as error:
            self.add(argument or "request", str(error))

    def raise_if_any(self) -> None:
        if self.lines:
            raise SpecError(self.lines, what="this request cannot be run")


def generate(
    scene: str | type[Scene],
    *,
    count: int,
    out: Address,
    seed: int = 0,
    shard: str | None = None,
    workers: int | None = None,
    timeout_s: float | None = None,
    memory_limit_bytes: int | None = None,
    retry_failed: bool = False,
    runner: str = "local",
    address: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> RunSummary:
    """Write a data set of ``count`` clips to ``out``; what is there already is not made again.

    Args:
        scene: a known name, ``module:Class``, ``file.py:Class``, or a class, also one of a script or notebook.
        count: samples.
        out: a folder, or an address such as ``s3://bucket/name``, that is new, empty, or this same data set.
        seed: of the data set.
        shard: "k/n" for only the shards of job k, from 1, of an array of n jobs; ``physreel merge`` puts them together.
        workers: processes; None for one a core, 0 to work in this one.
        timeout_s: what a sample may take.
        memory_limit_bytes: address space of a worker.
        retry_failed: make shards anew that lack samples.
        runner: local, or ray for workers of a Ray cluster.
        address: of that cluster, auto or host:port; None for a Ray of this call's own on this machine.
        progress: called with (done, all, failed).
        options: see make_plan.

    Raises:
        InputError: the request cannot be run; all that is wrong is listed and nothing has been written.
        StorageError: the folder cannot be written to any more; the same call goes on later.
    """
    part = None if shard is None else Part.read(shard)
    plan = make_plan(scene, count=count, seed=seed, **options)
    return run(
        plan,
        out,
        part=part,
        workers=workers,
        scene=None if isinstance(scene, str) else scene,
        progress=progress,
        timeout_s=timeout_s,
        memory_limit_bytes=memory_limit_bytes,
        retry_failed=retry_failed,
        runner=runner,
        address=address,
    )


def sample(scene: str | type[Scene], *, seed: int = 0, index: int = 0, **options: Any) -> Sample:
    """Make one sample in this process and write nothing; the same one that a data set with this seed has.

    Args:
        scene: as for generate.
        seed: of the data set.
        index: of the sample.
        options: see make_plan.

    Raises:
        InputError: the request cannot be run; all that is wrong is listed.
        SimulationError: the world cannot be simulated.
    """
    return pipeline_for(scene, seed=seed, index=index, **options).sample(index)


def pipeline_for(scene: str | type[Scene], *, seed: int = 0, index: int = 0, **options: Any) -> Pipeline:
    """The pipeline of a single sample of a request."""
    problems = list(options.pop("problems", ()))
    if index < 0:
        said = options.get("said") or {}
        problems.append(f"{said.get('index', 'index')}: must be 0 or more, got {index}")
    plan = make_plan(scene, count=max(index, 0) + 1, seed=seed, problems=problems, **options)
    return preflight(plan, None if isinstance(scene, str) else scene, indices=(index,))
