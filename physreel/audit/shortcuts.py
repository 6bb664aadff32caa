"""How well cues that are no understanding tell a label: small models, tried on groups they have not seen."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.audit.labels import classes
from physreel.audit.reading import Lesson, SceneFacts
from physreel.audit.report import SceneReport, Shortcut
from physreel.audit.thresholds import Thresholds
from physreel.audit.words import clustered_error, questions_alone, words
from physreel.errors import MissingDependencyError

FIRST, LAST, LOUDNESS = "first frame", "last frame", "loudness"
CAPTION, QUESTIONS, COUNT = "caption length", "questions asked", "object count"
SIZE, PLACE, TEXT = "duration and size", "split and index", "question text"

CUES = (FIRST, LAST, LOUDNESS, CAPTION, QUESTIONS, COUNT, SIZE, PLACE, TEXT)

TELLS_ON_PURPOSE = (LAST, CAPTION, QUESTIONS)
"""Told, and no fault: the last frame shows what happened, the caption says it, some questions are asked of it only."""

_ENOUGH = 60
_FOLDS = 5
_COMPONENTS = 20
_TREES = 30
_WORDS = 200
_SHUFFLES = 10
_SURE = 3.0

Vectors = NDArray[np.float64]


def require_learners() -> None:
    """MissingDependencyError where scikit-learn is not installed."""
    _learner("base", "clone")


def _learner(module: str, name: str) -> Any:
    """A part of scikit-learn, which is optional."""
    try:
        return getattr(importlib.import_module(f"sklearn.{module}"), name)
    except ImportError:
        raise MissingDependencyError(
            "looking for shortcuts needs scikit-learn: pip install 'physreel[audit]', or audit with --no-shortcuts"
        ) from None


def judge_shortcuts(
    facts: SceneFacts, report: SceneReport, limits: Thresholds, labels: Sequence[str], ignored: Sequence[str]
) -> None:
    """Try each cue on each label, and question texts on their answers; cues in ``ignored`` are told and no fault."""
    # One thread: sums come out the same on any machine, and many small fits are no quicker with more.
    limit_threads = importlib.import_module("threadpoolctl").threadpool_limits
    with limit_threads(1):
        _try_all(facts, report, limits, labels, ignored)
    for one in report.shortcuts:
        if one.flagged:
            report.find("shortcut", one.judged,
                        f"{one.cue} tells {one.label} in {one.accuracy:.1%} of {one.count}, chance in {one.chance:.1%}",
                        one.excess, limits.max_shortcut)  # fmt: skip


def _try_all(
    facts: SceneFacts, report: SceneReport, limits: Thresholds, labels: Sequence[str], ignored: Sequence[str]
) -> None:
    cues = _cues(facts.lessons)
    groups = [facts.groups[lesson.row] for lesson in facts.lessons]
    for label in labels:
        values = [facts.labels[label][lesson.row] for lesson in facts.lessons]
        target = np.unique(classes(values), return_inverse=True)[1]
        why = _too_little(target, groups)
        if why:
            report.skipped.append(f"shortcuts to {label}: {why}")
            continue
        for cue, (rows, vectors) in cues.items():
            chosen = target[rows]
            if vectors is None or _too_little(chosen, [groups[k] for k in rows]):
                continue
            one = _try(label, cue, vectors, chosen, [groups[k] for k in rows], limits.max_shortcut)
            report.shortcuts.append(replace(one, judged=cue not in (*TELLS_ON_PURPOSE, *ignored)))
    for one in questions_alone(facts, limits.max_shortcut):
        report.shortcuts.append(replace(one, judged=TEXT not in ignored))


def _too_little(target: NDArray[np.int64], groups: Sequence[str]) -> str:
    if len(target) < _ENOUGH:
        return f"{len(target)} rows are too few to tell a shortcut from luck (at least {_ENOUGH})"
    # Each fold has to have some of each; values of few groups alone tell nothing of other groups.
    counts = [len({groups[k] for k in np.flatnonzero(target == value).tolist()}) for value in np.unique(target)]
    if len(counts) < 2 or sorted(counts)[-2] < _FOLDS:
        return "it is the same in nearly all groups"
    return ""


def _cues(lessons: Sequence[Lesson]) -> dict[str, tuple[NDArray[np.int64], Vectors | None]]:
    """Rows that have the cue, and their vectors; None where nothing in it varies."""
    cues: dict[str, tuple[NDArray[np.int64], Vectors | None]] = {}
    for cue, at in ((FIRST, 0), (LAST, 1)):
        seen = [k for k, lesson in enumerate(lessons) if lesson.tiles is not None]
        if seen:
            cues[cue] = (np.array(seen), _varied(np.stack([_frame(lessons[k], at) for k in seen])))
    heard = [k for k, lesson in enumerate(lessons) if lesson.envelope is not None]
    if heard:
        envelopes = [envelope for lesson in lessons if (envelope := lesson.envelope) is not None]
        cues[LOUDNESS] = (np.array(heard), _varied(np.stack(envelopes)))
    everyone = np.arange(len(lessons))
    for cue in (CAPTION, COUNT, SIZE, PLACE):
        cues[cue] = (everyone, _varied(np.array([lesson.numbers[cue] for lesson in lessons])))
    cues[QUESTIONS] = (everyone, _varied(_bags([[one.question for one in lesson.asked] for lesson in lessons])))
    return {cue: cues[cue] for cue in CUES if cue in cues}


def _frame(lesson: Lesson, at: int) -> Vectors:
    assert lesson.tiles is not None
    assert lesson.colors is not None
    return np.concatenate([lesson.colors[at], lesson.tiles[at].ravel()]).astype(np.float64)


def _varied(vectors: NDArray[Any]) -> Vectors | None:
    """Only columns in which anything differs."""
    values = np.nan_to_num(np.asarray(vectors, np.float64))
    kept = values[:, np.ptp(values, axis=0) > 1e-9] if len(values) else values
    return kept if kept.size else None


def _bags(texts: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """1 where a word occurs in any of a row's texts, of the words that occur in most rows but not in all."""
    found = [set(words(" ".join(each))) for each in texts]
    counts: dict[str, int] = {}
    for row in found:
        for word in row:
            counts[word] = counts.get(word, 0) + 1
    known = sorted((word for word, count in counts.items() if 5 <= count < len(found)),
                   key=lambda word: (-counts[word], word))[:_WORDS]  # fmt: skip
    return np.array([[float(word in row) for word in known] for row in found]).reshape(len(found), len(known))


def _try(
    label: str, cue: str, vectors: Vectors, target: NDArray[np.int64], groups: Sequence[str], limit: float
) -> Shortcut:
    models = _models(vectors.shape[1])
    folds = _folds(target, groups)
    most = np.bincount(target).argmax()
    usual = (target == most).astype(np.float64)
    gains: Mapping[str, NDArray[np.float64]] = {
        name: (_predict(make, vectors, target, folds) == target).astype(np.float64) for name, make in models.items()
    }
    best = max((float(right.mean()), name) for name, right in gains.items())
    right = gains[best[1]]
    error = clustered_error(right - usual, groups)
    chance = float(usual.mean())
    excess = best[0] - chance
    flagged = excess > limit and excess > _SURE * error
    permuted = None
    if flagged:
        # What looks sure by its errors must also beat the same model on labels dealt out anew among the groups.
        shuffled = [
            float((_predict(models[best[1]], vectors, other, _folds(other, groups)) == other).mean())
            for other in _shuffles(target, groups)
        ]
        permuted = float(np.mean(shuffled))
        flagged = best[0] > max(shuffled)
    return Shortcut(label, cue, len(target), chance, best[0], error, permuted, flagged, True)


def _shuffles(target: NDArray[np.int64], groups: Sequence[str]) -> list[NDArray[np.int64]]:
    """Labels dealt out anew: whole groups exchange theirs with groups as large."""
    _, of = np.unique(np.array(groups), return_inverse=True)
    members = [np.flatnonzero(of == k) for k in range(int(of.max()) + 1)]
    sizes: dict[int, list[int]] = {}
    for k, rows in enumerate(members):
        sizes.setdefault(len(rows), []).append(k)
    rng = np.random.default_rng(5)
    made = []
    for _ in range(_SHUFFLES):
        other = np.empty_like(target)
        for alike in sizes.values():
            for own, given in zip(alike, rng.permutation(alike), strict=True):
                other[members[own]] = target[members[given]]
        made.append(other)
    return made


def _folds(target: NDArray[np.int64], groups: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    cut = _learner("model_selection", "StratifiedGroupKFold")(_FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rare values: some folds have none of them
        return list(cut.split(np.zeros(len(target)), target, np.array(groups)))


def _models(width: int) -> dict[str, Callable[[], Any]]:
    make_pipeline, scale = _learner("pipeline", "make_pipeline"), _learner("preprocessing", "StandardScaler")
    linear, trees = _learner("linear_model", "LogisticRegression"), _learner("ensemble", "ExtraTreesClassifier")
    reduce = _learner("decomposition", "PCA")

    def narrow() -> list[Any]:
        # Few directions of many pixels: with as many numbers as rows all models learn by heart.
        wide = width > 5 * _COMPONENTS
        return [scale(), reduce(_COMPONENTS, svd_solver="full", random_state=0)] if wide else [scale()]

    return {
        "linear": lambda: make_pipeline(*narrow(), scale(), linear(C=0.3, max_iter=500)),
        "trees": lambda: trees(
            _TREES, min_samples_leaf=3, max_features="sqrt", random_state=0, n_jobs=1
        ),
    }  # fmt: skip


def _predict(
    make: Callable[[], Any], vectors: Vectors, target: NDArray[np.int64], folds: Sequence[tuple[Any, Any]]
) -> NDArray[np.int64]:
    guessed = np.full(len(target), -1, np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one that has not converged is a weaker guesser and no fault
        for training, test in folds:
            if len(np.unique(target[training])) < 2:
                guessed[test] = target[training][0]
                continue
            guessed[test] = make().fit(vectors[training], target[training]).predict(vectors[test])
    return guessed
