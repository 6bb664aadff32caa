"""Captions and questions: empty, repeated, unbalanced, or answered by their own text."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from physreel.audit.reading import Asked, SceneFacts
from physreel.audit.report import SceneReport, Shortcut
from physreel.audit.thresholds import Thresholds

_ENOUGH = 40
_FOLDS = 5
_MANY_ANSWERS = 20
_SURE = 3.0
"""Standard errors: of a few hundred honest cues a thousandth or so are beyond."""


def judge_words(facts: SceneFacts, report: SceneReport, limits: Thresholds) -> None:
    """Repeated captions and how often each answer to a kind of question is right."""
    owners: dict[bytes, set[str]] = defaultdict(set)
    for caption, group in zip(facts.captions, facts.groups, strict=True):
        owners[caption].add(group)
    again = [
        name
        for name, caption in zip(facts.sample_ids, facts.captions, strict=True)
        if len(owners[caption]) > 1
    ]  # fmt: skip
    share = len(again) / facts.rows
    report.media["repeated captions"] = share
    if share > limits.max_repeated_captions:
        report.find("repeated_captions", facts.rows >= _ENOUGH,
                    f"{share:.1%} of the captions are those of other groups too", share,
                    limits.max_repeated_captions, again)  # fmt: skip
    for kind, counts in sorted(facts.answers.items()):
        total = sum(counts.values())
        most, times = min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        report.answers[kind] = {
            "type": facts.answer_types[kind],
            "count": total,
            "answers": len(counts),
            "commonest": most,
            "majority": times / total,
        }
        # Beyond the limit by more than the draw of so few questions makes likely.
        error = math.sqrt(limits.max_answer_majority * (1.0 - limits.max_answer_majority) / total)
        if total >= _ENOUGH and times / total > min(limits.max_answer_majority + 2.0 * error, 0.999):
            report.find("answer_balance", True,
                        f"{kind}: {most[:80]!r} answers {times / total:.1%} of {total} questions",
                        times / total, limits.max_answer_majority)  # fmt: skip


def questions_alone(facts: SceneFacts, limit: float) -> list[Shortcut]:
    """For each kind of question: how well its text alone gives the answer, on groups that were not learnt from."""
    asked: dict[str, list[tuple[str, Asked]]] = defaultdict(list)
    for lesson in facts.lessons:
        for one in lesson.asked:
            asked[one.kind].append((facts.groups[lesson.row], one))
    shortcuts = []
    for kind, pairs in sorted(asked.items()):
        answers = {one.answer for _, one in pairs}
        if len(pairs) < _ENOUGH or len(answers) < 2:
            continue
        if len(answers) > _MANY_ANSWERS and not all(one.choices for _, one in pairs):
            continue  # times and other numbers
        # The text, or how long it is: each may be what gives the answer away.
        tried = [_try(kind, "question text", pairs, read, limit) for read in (_BagOfWords, _Length)]
        shortcuts.append(max(tried, key=lambda one: (one.flagged, one.excess)))
    return shortcuts


def _try(
    kind: str, cue: str, pairs: Sequence[tuple[str, Asked]], reader: Callable[[Sequence[Asked]], _Guesser], limit: float
) -> Shortcut:
    names = sorted({group for group, _ in pairs})
    order = np.random.default_rng(11).permutation(len(names))
    fold = {names[k]: at % _FOLDS for at, k in enumerate(order)}
    # What needs no text: the commonest answer of all, or any of the choices.
    most = min(Counter(one.answer for _, one in pairs).items(), key=lambda pair: (-pair[1], pair[0]))[0]
    right, habit, chance, owners = [], [], [], []
    for number in range(_FOLDS):
        training = [one for group, one in pairs if fold[group] != number]
        test = [(group, one) for group, one in pairs if fold[group] == number]
        if not training or not test:
            continue
        guess = reader(training)
        for group, one in test:
            right.append(guess.answer(one) == one.answer)
            habit.append(one.answer == most)
            chance.append(1.0 / len(one.choices) if one.choices else 0.0)
            owners.append(group)
    got = np.array(right, np.float64)
    base = np.array(habit, np.float64) if np.mean(habit) >= np.mean(chance) else np.array(chance)
    error = clustered_error(got - base, owners)
    excess = float(got.mean() - base.mean())
    return Shortcut(
        label=f"answers: {kind}", cue=cue, count=len(got), chance=float(base.mean()), accuracy=float(got.mean()),
        error=error, permuted=None, flagged=excess > limit and excess > _SURE * error, judged=True,
    )  # fmt: skip


def clustered_error(gain: np.ndarray, owners: Sequence[str]) -> float:
    """Standard error of the mean of ``gain`` where those of one owner go together."""
    _, of = np.unique(np.array(owners), return_inverse=True)
    sums = np.bincount(of, weights=gain - gain.mean())
    clusters = len(sums)
    if clusters < 2:
        return math.inf
    # Never below that of one change in the whole: a cue that is always right has no scatter.
    return max(float(np.sqrt((sums**2).sum() * clusters / (clusters - 1))) / len(gain), 0.5 / clusters)


def words(text: str) -> list[str]:
    """Words and numbers of a text, small letters, each once, sorted."""
    return sorted(set(re.findall(r"[\w.]+", text.lower())))


class _Guesser:
    def answer(self, one: Asked) -> str:
        raise NotImplementedError


class _BagOfWords(_Guesser):
    """Naive Bayes over words; of choices over the words of right and wrong ones, and their place in the list."""

    def __init__(self, training: Sequence[Asked]) -> None:
        self.answers = Counter(one.answer for one in training)
        self.seen: dict[str, Counter[str]] = defaultdict(Counter)
        self.right: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        for one in training:
            self.seen[one.answer].update(words(one.question))
            for place, choice in enumerate(one.choices):
                (self.right if choice == one.answer else self.wrong).update(self._marks(choice, place))

    @staticmethod
    def _marks(choice: str, place: int) -> list[str]:
        return [*words(choice), f"#{place}"]

    def answer(self, one: Asked) -> str:
        if one.choices:
            right, wrong = sum(self.right.values()) + 1, sum(self.wrong.values()) + 1
            scores = [
                sum(
                    math.log((self.right[mark] + 1) / right) - math.log((self.wrong[mark] + 1) / wrong)
                    for mark in self._marks(choice, place)
                )
                for place, choice in enumerate(one.choices)
            ]
            return one.choices[int(np.argmax(scores))]
        here = set(words(one.question))
        vocabulary = sorted({word for seen in self.seen.values() for word in seen})

        def fit(answer: str) -> float:
            count, seen = self.answers[answer], self.seen[answer]
            # Words that are missing tell as well as those that are there.
            total = math.log(count)
            for word in vocabulary:
                share = (seen[word] + 1) / (count + 2)
                total += math.log(share if word in here else 1.0 - share)
            return total

        return max(sorted(self.answers), key=fit)


class _Length(_Guesser):
    """The commonest answer to questions of about this length; of choices the one whose rank in length is right."""

    def __init__(self, training: Sequence[Asked]) -> None:
        self.most = Counter(one.answer for one in training).most_common(1)[0][0]
        lengths = np.array([len(one.question) for one in training])
        self.edges = np.unique(np.quantile(lengths, np.arange(1, 10) / 10))
        bins: dict[int, Counter[str]] = defaultdict(Counter)
        ranks: Counter[int] = Counter()
        for one in training:
            bins[self._bin(one)].update([one.answer])
            if one.answer in one.choices:
                ranks[self._by_length(one).index(one.answer)] += 1
        self.habit = {at: min(counts.items(), key=lambda pair: (-pair[1], pair[0]))[0] for at, counts in bins.items()}
        self.rank = min(ranks.items(), key=lambda pair: (-pair[1], pair[0]))[0] if ranks else 0

    def _bin(self, one: Asked) -> int:
        return int(np.searchsorted(self.edges, len(one.question), side="right"))

    @staticmethod
    def _by_length(one: Asked) -> list[str]:
        return sorted(one.choices, key=lambda choice: (len(choice), choice))

    def answer(self, one: Asked) -> str:
        if one.choices:
            return self._by_length(one)[min(self.rank, len(one.choices) - 1)]
        return self.habit.get(self._bin(one), self.most)
