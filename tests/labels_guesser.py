"""A guesser that reads only the text of questions: what it scores above chance is what the text gives away."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from physreel.values import Question


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9.]+", text.lower()))


def chance(question: Question) -> float:
    """What a guesser without any knowledge scores, where the text alone says how many answers there are."""
    if question.answer_type == "yes_no":
        return 0.5
    if question.answer_type == "choice":
        return 1.0 / len(question.choices)
    if question.kind == "count_of_these":
        things = question.question.removeprefix("Of ").split(", how many")[0]
        return 1.0 / (2 + len(re.findall(r", | and ", things)))
    raise ValueError(question.kind)


class BagOfWords:
    """Naive Bayes over words with add-one smoothing; for choices, of the words of the right and the wrong ones."""

    def __init__(self, training: Sequence[Question]) -> None:
        self.answers = Counter(q.answer for q in training)
        self.seen: dict[str, Counter[str]] = defaultdict(Counter)
        self.right: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        for q in training:
            self.seen[q.answer].update(words(q.question))
            for choice in q.choices:
                (self.right if choice == q.answer else self.wrong).update(words(choice))

    def guess(self, question: Question) -> str:
        if question.choices:
            total_right, total_wrong = sum(self.right.values()) + 1, sum(self.wrong.values()) + 1

            def score(choice: str) -> float:
                return sum(
                    math.log((self.right[w] + 1) / total_right) - math.log((self.wrong[w] + 1) / total_wrong)
                    for w in sorted(words(choice))
                )

            return max(question.choices, key=score)

        def fit(answer: str) -> float:
            count = self.answers[answer]
            return math.log(count) + sum(
                math.log((self.seen[answer][w] + 1) / (count + 2)) for w in sorted(words(question.question))
            )

        return max(sorted(self.answers), key=fit)


def scores(worlds: Sequence[Sequence[Question]], kind: str, folds: int = 10) -> tuple[int, int, int, float, float]:
    """Of one kind: questions, right by words, right by the commonest answer, expected by chance, its variance.

    Both guessers are trained on other worlds than those they are asked about.
    """
    asked = [(k, q) for k, questions in enumerate(worlds) for q in questions if q.kind == kind]
    by_words = by_habit = 0
    for fold in range(folds):
        training = [q for k, q in asked if k % folds != fold]
        test = [q for k, q in asked if k % folds == fold]
        if not training or not test:
            continue
        guesser = BagOfWords(training)
        habit = Counter(q.answer for q in training).most_common(1)[0][0]
        by_words += sum(guesser.guess(q) == q.answer for q in test)
        by_habit += sum(habit == q.answer for q in test)
    try:
        p = [chance(q) for _, q in asked]
    except ValueError:
        p = []
    return len(asked), by_words, by_habit, sum(p), sum(x * (1 - x) for x in p)
