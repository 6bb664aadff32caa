"""English for what was read: articles, plurals, numbers, lists. For captions and questions, of labels and of scenes."""

from __future__ import annotations

from collections.abc import Sequence

_SPELLED = ("A", "E", "F", "H", "I", "L", "M", "N", "O", "R", "S", "X")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def a(label: str) -> str:
    """The label with "a" or "an", by its sound."""
    first = label.split()[0]
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
