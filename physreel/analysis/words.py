"""English for what was read: articles, plurals, numbers, amounts. For captions and questions, of labels and scenes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from physreel.spec import SceneSpec

_T = TypeVar("_T")

_SPELLED = ("A", "E", "F", "H", "I", "L", "M", "N", "O", "R", "S", "X")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def a(label: str) -> str:
    """The label with "a" or "an", by its sound; "other cup" becomes "another cup"."""
    first = label.split()[0]
    if first == "other":
        return f"an{label}"
    lower = first.lower()
    if first.isupper() and len(first) > 1:
        vowel = first.startswith(_SPELLED)
    elif lower.startswith(("uni", "use", "eu", "one")):
        vowel = False
    else:
        vowel = lower[0] in "aeiou" or lower.startswith(("hour", "heir", "honest"))
    return f"{'an' if vowel else 'a'} {label}"


def plural(label: str) -> str:
    """The label with its last word in the plural."""
    if label.endswith(("s", "x", "z", "ch", "sh")):
        return label + "es"
    if label.endswith("y") and label[-2:-1] not in "aeiou":
        return label[:-1] + "ies"
    return label + "s"


def number(count: int) -> str:
    """Small numbers in words, larger ones in figures."""
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def times(count: int) -> str:
    """How often, in words: "once", "twice", "three times"; beyond nine nobody counts."""
    if count > 9:
        return "many times"
    return ("never", "once", "twice")[count] if count < 3 else f"{number(count)} times"


def listed(phrases: Sequence[str], word: str = "and") -> str:
    """A list in words: "a", "a and b", "a, b and c"."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} {word} {phrases[-1]}"


def amount(share: float) -> str:
    """A share in words: "about half"; what it is a share of follows with "of"."""
    for most, words in (
        (0.005, "none"), (0.1, "a little"), (0.18, "some"), (0.3, "about a quarter"), (0.42, "about a third"),
        (0.58, "about half"), (0.71, "about two thirds"), (0.83, "about three quarters"), (0.95, "most"),
        (0.995, "nearly all"),
    ):  # fmt: skip
        if share < most:
            return words
    return "all"


def fullness(share: float) -> str:
    """How full a vessel is, in words, by the share of its depth that is filled."""
    for most, words in (
        (0.03, "almost empty"), (0.18, "less than a fifth full"), (0.3, "about a quarter full"),
        (0.42, "about a third full"), (0.58, "about half full"), (0.71, "about two thirds full"),
        (0.85, "about three quarters full"), (0.95, "nearly full"),
    ):  # fmt: skip
        if share < most:
            return words
    return "full to the brim"


class Phrasing:
    """Picks forms of sentences by a hash of the spec: like clips read differently, and each the same every time."""

    def __init__(self, spec: SceneSpec) -> None:
        self._digest = hashlib.sha256(spec.to_json().encode()).digest()

    def pick(self, slot: int, forms: Sequence[_T]) -> _T:
        """One of the forms; ``slot`` (0 to 31) tells the places of a text apart."""
        return forms[self._digest[slot] % len(forms)]

    def number(self, slot: int) -> int:
        """A whole number from 0 to 255."""
        return self._digest[slot]


def sentence(text: str) -> str:
    """With a capital at the start and a full stop at the end."""
    return text[0].upper() + text[1:] + "."
