"""What an audit found, as values and as text of at most 100 columns."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH = 100
_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """Something to look at.

    Attributes:
        check: what was looked for, such as ``silent``.
        fault: whether a threshold is passed; else it is only told.
        message: in words, with the numbers.
        value: what was measured.
        limit: the threshold it was held against, if any.
        examples: ids of some of the samples.
    """

    check: str
    fault: bool
    message: str
    value: float
    limit: float | None = None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Balance:
    """How often each value of a label occurs.

    Attributes:
        label: the outcome field.
        count: rows that have it.
        shares: share of each value, commonest first; of many numbers the quantiles 0, 0.25, 0.5, 0.75 and 1 instead.
        majority: share of the commonest value; None of many numbers.
        by_split: the same as ``majority``'s value's share, by split.
        shift: greatest total variation between a split and the rest; None with one split.
        shift_p: how likely chance makes it so large.
    """

    label: str
    count: int
    shares: dict[str, float]
    majority: float | None
    by_split: dict[str, float]
    shift: float | None
    shift_p: float | None


@dataclass(frozen=True)
class Coverage:
    """How much of a parameter's range occurs.

    Attributes:
        parameter: its name.
        declared: the range or choices it was drawn from; None where only what occurs is known.
        low, high: of what occurs (numbers).
        hit: bins or choices that occur.
        bins: of how many.
        expected: how many chance would hit.
    """

    parameter: str
    declared: str | None
    low: float | None
    high: float | None
    hit: int
    bins: int
    expected: float


@dataclass(frozen=True)
class Shortcut:
    """How well a cue tells a label, on clips of groups that the model has not seen.

    Attributes:
        label: the outcome field, or ``answers`` to a kind of question.
        cue: what the model is given.
        count: clips (or questions) it was tried on.
        chance: share of the commonest value (questions: what text alone permits).
        accuracy: share told right by the better of the models.
        error: standard error of accuracy above chance, by groups.
        permuted: mean accuracy when the labels are shuffled; None where that was not needed.
        flagged: above chance by more than the threshold, and more than noise makes likely.
        judged: whether a flag is a fault; else it is only told.
    """

    label: str
    cue: str
    count: int
    chance: float
    accuracy: float
    error: float
    permuted: float | None
    flagged: bool
    judged: bool

    @property
    def excess(self) -> float:
        """Accuracy above chance."""
        return self.accuracy - self.chance


@dataclass
class SceneReport:
    """What was found in one scene's rows."""

    scene: str
    rows: int
    groups: int
    splits: dict[str, int]
    headline: str | None
    findings: list[Finding] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
    associations: list[tuple[str, str, float]] = field(default_factory=list)
    media: dict[str, float] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    shortcuts: list[Shortcut] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def find(self, check: str, fault: bool, message: str, value: float, limit: float | None = None,
             examples: Sequence[str] = ()) -> None:  # fmt: skip
        """Enter a finding."""
        few = tuple(sorted(examples)[:_EXAMPLES])
        self.findings.append(Finding(check, fault, message, _rounded(value), limit, few))


@dataclass
class AuditReport:
    """What was found in a data set."""

    dataset: str
    scenes: list[SceneReport]

    @property
    def faults(self) -> list[tuple[str, Finding]]:
        """(scene, finding) of everything beyond a threshold."""
        return [(scene.scene, finding) for scene in self.scenes for finding in scene.findings if finding.fault]

    def to_json(self) -> dict[str, Any]:
        """Plain values; numbers rounded to six places, so that equal reports are equal text."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        plain["fault_count"] = len(self.faults)
        return plain

    def to_text(self) -> str:
        """For people."""
        lines = [f"audit of {self.dataset}"]
        for scene in self.scenes:
            lines += ["", *_scene_lines(scene)]
        return "\n".join(map(printable, lines))


def _scene_lines(scene: SceneReport) -> list[str]:
    splits = ", ".join(f"{name} {count}" for name, count in scene.splits.items())
    lines = [f"{scene.scene}: {scene.rows} rows, {scene.groups} groups ({splits})"]
    faults = [finding for finding in scene.findings if finding.fault]
    lines += _paragraphs("  FAULT ", faults) if faults else ["  no fault"]
    lines += _paragraphs("  note  ", [finding for finding in scene.findings if not finding.fault])
    lines += _wrapped("  not looked at: ", "; ".join(scene.skipped)) if scene.skipped else []
    if scene.balances:
        lines.append("  labels" + (f" (headline: {scene.headline})" if scene.headline else ""))
        for balance in scene.balances:
            shown = ", ".join(f"{_cut(value, 40)} {share:.4g}" for value, share in list(balance.shares.items())[:6])
            more = f", {len(balance.shares) - 6} more" if len(balance.shares) > 6 else ""
            lines += _wrapped(f"    {balance.label}: ", shown + more)
    if scene.shortcuts:
        lines.append("  shortcuts: share told right from a cue alone, and what chance tells")
        lines.append(f"    {'label':<26}{'cue':<22}{'n':>6}{'chance':>8}{'right':>8}{'above':>8}{'± 1 s.e.':>9}")
        for one in scene.shortcuts:
            mark = ("  <- fault" if one.judged else "  <- note") if one.flagged else ""
            names = f"{_cut(one.label, 25):<26}{_cut(one.cue, 21):<22}"
            numbers = f"{one.count:>6}{one.chance:>8.3f}{one.accuracy:>8.3f}{one.excess:>+8.3f}{one.error:>9.3f}"
            lines.append(f"    {names}{numbers}{mark}")
    if scene.answers:
        lines.append("  questions: how many, and the commonest answer's share")
        shown = ", ".join(f"{kind} {one['count']} ({one['majority']:.2f})" for kind, one in scene.answers.items())
        lines += _wrapped("    ", shown)
    if scene.coverage:
        lines.append("  parameters: bins of the range that occur")
        shown = ", ".join(f"{one.parameter} {one.hit}/{one.bins}" for one in scene.coverage)
        lines += _wrapped("    ", shown)
    if scene.media:
        lines.append("  media")
        lines += _wrapped("    ", ", ".join(f"{name} {value:.4g}" for name, value in scene.media.items()))
    return lines


def _paragraphs(lead: str, findings: Sequence[Finding]) -> list[str]:
    lines = []
    for finding in findings:
        examples = f" ({', '.join(finding.examples)})" if finding.examples else ""
        lines += _wrapped(f"{lead}{finding.check}: ", finding.message + examples)
    return lines


def _wrapped(lead: str, text: str) -> list[str]:
    indent = " " * (len(lead) - len(lead.lstrip()) + 2)
    clean = printable(lead + text)
    return textwrap.wrap(clean, WIDTH, subsequent_indent=indent, drop_whitespace=True) or [clean]


def _cut(text: str, length: int) -> str:
    text = printable(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def printable(text: str) -> str:
    """Names come from the data set, which may be anybody's: nothing in them may steer a terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _rounded(value: float) -> float:
    return round(float(value), 6) + 0.0


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return _rounded(value) if value == value and abs(value) != float("inf") else None
    return value
