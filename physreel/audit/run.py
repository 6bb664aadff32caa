"""The audit of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from physreel.audit.labels import categorical, judge_labels
from physreel.audit.parameters import Declared, judge_parameters
from physreel.audit.reading import SceneFacts, plain_outcome, read_scene
from physreel.audit.report import AuditReport, SceneReport
from physreel.audit.shortcuts import CUES, judge_shortcuts, require_learners
from physreel.audit.thresholds import Thresholds
from physreel.audit.twins import judge_twins
from physreel.audit.words import judge_words
from physreel.errors import InputError
from physreel.loaders.records import ShardFile, shard_files, shard_records
from physreel.storage import Address, Store, open_store

_PROBLEMS = {
    "missing": ("max_missing", "lack picture, sound or a spec that others have, or it cannot be read"),
    "wrong_length": ("max_wrong_length", "have another number of frames or samples, or another size, than they say"),
    "nan": ("max_nan", "have a number that is none or not finite in outcome, camera, bodies, fluids, signals or sound"),
    "silent": ("max_silent", "are silent (below 20 dB all through)"),
    "clipped": ("max_clipped", "have sound that is cut off at full scale"),
    "black": ("max_black", "have a picture that is black or white all over"),
    "still": ("max_still", "show nothing that moves"),
    "out_of_frame": ("max_out_of_frame", "never have their first moving body in the picture"),
    "empty_words": ("max_empty_words", "have an empty caption, question or answer"),
}


def audit(
    dataset: Address,
    *,
    scene: str | None = None,
    labels: Sequence[str] = (),
    limit: int | None = None,
    thresholds: Thresholds | None = None,
    ignore: Sequence[str] = (),
    shortcuts: bool = True,
    headlines: Mapping[str, str | None] | None = None,
    declared: Mapping[str, Mapping[str, Declared]] | None = None,
) -> AuditReport:
    """Look for what makes a data set bad to train on. Writes nothing.

    Args:
        dataset: folder or address.
        scene: only this one.
        labels: outcome fields to look for shortcuts to; by default the scene's headline, or where that is not known
            every field of few values.
        limit: at most so many rows of each scene.
        thresholds: beyond which a finding is a fault.
        ignore: cues, or SCENE:CUE, that may tell the label: told, but no fault.
        shortcuts: whether to look for them (needs scikit-learn).
        headlines: by scene, the outcome field that people would predict first.
        declared: by scene, what each parameter was drawn from.

    Raises:
        InputError: it is no data set, or has no such scene, label or cue.
        MissingDependencyError: scikit-learn is not installed.
    """
    limits = thresholds or Thresholds()
    _refuse(request_problems(limit, ignore))
    if shortcuts:
        require_learners()
    store = open_store(dataset)
    shards = shard_files(store, scene=scene)
    names = list(dict.fromkeys(shard.scene for shard in shards))
    if not names:
        raise InputError(f"{store} has no finished shard to audit")
    _refuse([*_unknown_scenes(ignore, names), *_unknown_labels(store, shards, labels)])
    report = AuditReport(str(store), [])
    for name in names:
        facts = read_scene(store, [shard for shard in shards if shard.scene == name], limit)
        headline = (headlines or {}).get(name)
        chosen = [label for label in labels if label in facts.labels] or (
            [headline] if headline in facts.labels else categorical(facts)
        )
        unasked = [cue.rpartition(":")[2] for cue in ignore if cue.rpartition(":")[0] in ("", name)]
        report.scenes.append(
            _judge(
                facts,
                limits,
                [label for label in chosen if label],
                headline,
                (declared or {}).get(name, {}),
                unasked,
                shortcuts,
            )
        )
    return report


def request_problems(limit: int | None, ignore: Sequence[str]) -> list[str]:
    """What is wrong with a request, whatever the data set."""
    problems = [] if limit is None or limit >= 1 else [f"--limit {limit}: at least 1"]
    return problems + [
        f"--ignore {cue!r}: there is no such cue; there are {', '.join(CUES)}"
        for cue in ignore
        if cue.rpartition(":")[2] not in CUES
    ]


def _unknown_scenes(ignore: Sequence[str], names: Sequence[str]) -> list[str]:
    return [
        f"--ignore {cue!r}: there is no such scene; there are {', '.join(names)}"
        for cue in ignore
        if ":" in cue and cue.rpartition(":")[0] not in names
    ]


def _unknown_labels(store: Store, shards: Sequence[ShardFile], labels: Sequence[str]) -> list[str]:
    """Labels that no scene has, by each scene's first row: told before all rows are read."""
    if not labels:
        return []
    there: dict[str, list[str]] = {}
    for shard in shards:
        if not there.get(shard.scene):
            first = next(iter(shard_records(store, shard, columns=("outcome",))), None)
            there[shard.scene] = sorted(plain_outcome(first or {}))
    has = "; ".join(f"{scene} has {', '.join(names) or 'none'}" for scene, names in there.items())
    return [
        f"--label {label!r}: no scene has such an outcome field of plain values; {has}"
        for label in labels
        if not any(label in names for names in there.values())
    ]


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise InputError("the audit cannot be made:\n" + "\n".join(f"  - {line}" for line in problems))


def _judge(
    facts: SceneFacts,
    limits: Thresholds,
    labels: Sequence[str],
    headline: str | None,
    declared: Mapping[str, Declared],
    ignored: Sequence[str],
    shortcuts: bool,
) -> SceneReport:
    splits = {split: facts.splits.count(split) for split in dict.fromkeys(facts.splits)}
    report = SceneReport(facts.scene, facts.rows, len(set(facts.groups)), splits, headline)
    _judge_media(facts, report, limits)
    judge_words(facts, report, limits)
    constant = [] if headline else [name for name, values in facts.labels.items() if len(set(values)) == 1]
    judge_labels(facts, report, limits, [*labels, *constant])
    judge_twins(facts, report, limits)
    judge_parameters(facts, report, limits, declared)
    if shortcuts:
        judge_shortcuts(facts, report, limits, labels, ignored)
    else:
        report.skipped.append("shortcuts")
    return report


def _judge_media(facts: SceneFacts, report: SceneReport, limits: Thresholds) -> None:
    problems = {name: set(rows) for name, rows in facts.problems.items()}
    # Where no row has it, it was not asked for.
    for modality, count in (("no_video", facts.has_video), ("no_audio", facts.has_audio)):
        without = problems.pop(modality, set())
        if count:
            problems["missing"] = problems.get("missing", set()) | without
        elif without:
            report.skipped.append("picture" if modality == "no_video" else "sound")
    for check, (threshold, what) in _PROBLEMS.items():
        names = [facts.sample_ids[row] for row in problems.get(check, ())]
        share = len(names) / facts.rows
        report.media[check.replace("_", " ")] = share
        if names:
            limit = getattr(limits, threshold)
            report.find(check, share > limit, f"{len(names)} of {facts.rows} clips ({share:.1%}) {what}", share, limit,
                        names)  # fmt: skip
