"""``manifest.jsonl``: what was asked of a data set, and what of it is finished.

Each line ends in a checksum of the rest of it, so that a line that was altered is known from one that was written so.
A job of an array (``--shard k/n``) keeps a manifest of its own beside it until all are merged.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from physreel.errors import InputError
from physreel.storage import Address, Store, open_store

MANIFEST = "manifest.jsonl"
FORMAT = {"kind": "format", "physreel_dataset": 1}

_PART = re.compile(r"manifest-(\d{5})-of-(\d{5})\.jsonl")
_CHECKED = re.compile(rb'(\{.*),"check":"([0-9a-f]{16})"\}', re.DOTALL)
_END = b',"check":"' + b"0" * 16 + b'"}'
_FILE: dict[str, type] = {"file": str, "bytes": int, "sha256": str}
_FIELDS: dict[str, dict[str, type]] = {
    "failure": {"split": str, "shard": int, "index": int, "error": str, "message": str},
    "shard": {"split": str, "shard": int, "samples": int, "rows": int} | _FILE,
    "file": _FILE,
}
"""What each kind of line must have."""

_HEALED_BYTES = 8192
"""Longer damaged stretches are not tried to be healed: it takes seconds for each thousand bytes."""


def manifest_line(record: dict[str, Any]) -> str:
    """A record as its line."""
    body = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    return f'{body[:-1]},"check":"{_check(body.encode())}"}}\n'


def _check(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def part_name(number: int, count: int) -> str:
    """The manifest of job ``number`` (from 1) of an array of ``count``."""
    return f"manifest-{number:05d}-of-{count:05d}.jsonl"


def part_names(store: Store) -> list[str]:
    """The manifests of an array's jobs that are not merged yet."""
    return sorted(name for name in store.top() if _PART.fullmatch(name))


def part_of(name: str) -> tuple[int, int]:
    """(number, count) of the manifest of an array's job."""
    match = _PART.fullmatch(name)
    assert match is not None
    return int(match[1]), int(match[2])


@dataclass
class Scan:
    """What stands in a manifest.

    Attributes:
        lines: the records whose lines are whole, in order.
        damage: what is wrong with the rest, for people.
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)

    @property
    def ours(self) -> bool:
        """Whether it is a manifest that this version reads."""
        return bool(self.lines) and self.lines[0].get("physreel_dataset") == 1

    @property
    def without_plan(self) -> list[str]:
        """Scenes that have lines, but none that says what was asked for."""
        plans = {line["scene"] for line in self.lines if line["kind"] == "plan" and _says_what(line.get("plan"))}
        return sorted({str(line["scene"]) for line in self.lines if "scene" in line} - plans)


def scan(text: bytes) -> Scan:
    """Read a manifest, whatever became of it: damaged lines are told and left out.

    A shard counts only if its own line and those of its failures, which stand before it, are whole.
    """
    *whole, tail = text.split(b"\n")
    read = [_record(raw) for raw in whole]
    # Data sets of the first versions have no checksums at all; in others, a line without one is not as it was written.
    checked = any(state == "checked" for _, state in read)
    found = Scan()
    doubtful = False
    for number, (raw, (record, state)) in enumerate(zip(whole, read, strict=True), 1):
        if record is None or (checked and state != "checked"):
            found.damage.append(f"line {number} is damaged")
            doubtful = doubtful or not raw.startswith(b'{"kind":"shard",')
            continue
        if doubtful and record["kind"] in ("failure", "shard"):
            doubtful = record["kind"] != "shard"
            found.damage.append(f"line {number} cannot be relied on after a damaged one")
            continue
        doubtful = False
        found.lines.append(record)
    if tail:
        found.damage.append("its last line is torn")
    found.lines = list(_entered(found.lines))
    _drop_strange(found)
    return found


def _drop_strange(found: Scan) -> None:
    """Leave out lines of splits that their scene's plan has not."""
    plans = (line for line in found.lines if line["kind"] == "plan" and _says_what(line.get("plan")))
    splits = {line["scene"]: line["plan"]["splits"] for line in plans}
    strange = [
        line
        for line in found.lines
        if "split" in line and line["split"] not in splits.get(line["scene"], [line["split"]])
    ]
    if strange:
        found.damage.append(f"it has lines of a split that was not asked for, {strange[0]['split']!r}")
        found.lines = [line for line in found.lines if line not in strange]


def _record(raw: bytes) -> tuple[dict[str, Any] | None, str]:
    if match := _CHECKED.fullmatch(raw):
        body = match[1] + b"}"
        if _check(body) != match[2].decode():
            return None, "damaged"
    else:
        body = raw
    try:
        record = json.loads(body)
    except ValueError:
        return None, "damaged"
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        return None, "damaged"
    if record["kind"] != "format" and not isinstance(record.get("scene"), str):
        return None, "damaged"
    if not all(_is_of(record.get(name), kind) for name, kind in _FIELDS.get(record["kind"], {}).items()):
        return None, "damaged"
    return record, "checked" if match else "plain"


def _is_of(value: Any, kind: type) -> bool:
    return type(value) is kind and not (isinstance(value, int) and value < 0)


def _says_what(plan: Any) -> bool:
    """Whether a plan has what every reader of a data set asks of it."""
    return isinstance(plan, dict) and isinstance(plan.get("scene"), str) and isinstance(plan.get("splits"), dict)


def _entered(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Without failures whose shard was not entered after them."""
    waiting: list[dict[str, Any]] = []
    for line in lines:
        if line["kind"] == "failure":
            waiting.append(line)
            continue
        if line["kind"] == "shard":
            own = (line["scene"], line["split"], line["shard"])
            yield from (one for one in waiting if (one["scene"], one["split"], one["shard"]) == own)
        waiting = []
        yield line


def healed(text: bytes) -> bytes:
    """A manifest in which each damaged stretch is set right that becomes right by changing one byte.

    The checksum tells with certainty whether it does. What a changed byte cannot explain is left as it is.
    """
    *whole, torn = text.split(b"\n")
    out: list[bytes] = []
    damaged: list[bytes] = []
    for raw in whole:
        if _record(raw)[1] != "checked":
            damaged.append(raw)
            continue
        if damaged:
            out.append(_mended(b"\n".join(damaged)))
            damaged = []
        out.append(raw)
    if torn or damaged:
        # Where the file does not end in a line feed, the byte that was changed may be that one.
        last = b"\n".join([*damaged, torn] if torn else damaged)
        out.append(last[:-1] if torn and _is_right(last[:-1]) else _mended(last))
    return b"\n".join(out) + b"\n" if any(map(_is_right, out)) else text


def _mended(stretch: bytes) -> bytes:
    if len(stretch) > _HEALED_BYTES or not _ends_almost_well(stretch):
        return stretch
    trial = bytearray(stretch)
    for place, old in enumerate(stretch):
        for value in range(256):
            if value == old:
                continue
            trial[place] = value
            if _is_right(bytes(trial)):
                return bytes(trial)
        trial[place] = old
    return stretch


def _ends_almost_well(stretch: bytes) -> bool:
    """Whether it may end in a checksum of which at most one byte is another: what was torn off cannot be guessed."""
    end, digits = stretch[-len(_END) :], b"0123456789abcdef"
    pairs = zip(end, _END, strict=False)
    wrong = sum(byte not in digits if must == ord("0") else byte != must for byte, must in pairs)
    return len(end) == len(_END) and wrong <= 1


def _is_right(stretch: bytes) -> bool:
    return all(_record(raw)[1] == "checked" for raw in stretch.split(b"\n"))


def read_manifest(out: Address | Store, name: str = MANIFEST) -> list[dict[str, Any]]:
    """The whole lines of a manifest, in order; what is torn (killed while writing) or damaged is left out.

    Args:
        out: the data set.
        name: of the manifest; by default the data set's own, not that of a part.

    Raises:
        InputError: there is no manifest of ours, or it is damaged beyond what another run mends.
    """
    store = out if isinstance(out, Store) else open_store(out)
    try:
        text = store.read(name)
    except OSError:
        raise InputError(_no_manifest(store, name)) from None
    found = scan(text)
    if not found.ours:
        if any(line["kind"] in ("plan", "shard") for line in found.lines):
            what = (found.damage or ["its first line is not ours"])[0]
            raise InputError(f"{store}/{name} is damaged ({what}); run `physreel repair {store}`")
        raise InputError(f"{store}/{name} is not a manifest that this version of physreel can read; use another folder")
    if found.without_plan:
        raise InputError(
            f"{store}/{name} is damaged: what was asked for of scene {', '.join(map(repr, found.without_plan))} "
            f"cannot be read; run `physreel repair {store}`"
        )
    return found.lines


def _no_manifest(store: Store, name: str) -> str:
    try:
        parts = part_names(store) if name == MANIFEST else []
    except OSError:
        parts = []
    if not parts:
        return f"{store} is no physreel data set: it has no {name}"
    count = part_of(parts[0])[1]
    return (
        f"{store} holds {len(parts)} of the {count} parts of an array of jobs, which are not merged yet; "
        f"when all jobs have ended, run `physreel merge {store}`"
    )
