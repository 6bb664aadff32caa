"""What the grid knows of each row: identity, caption, and the outcome as flat fields to filter by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from physreel.view.scripts import cut, plain

ROWS_A_CHUNK = 1000
"""Rows in one script file of the grid."""

_MOST_FIELDS, _MOST_CAPTION, _MOST_NAME, _MOST_WORD, _MOST_ITEMS = 200, 600, 200, 80, 20
_NUMBERS = {"fps": "fps", "frame_count": "frames", "width": "width", "height": "height", "duration_s": "duration"}
_TEXTS = {"sample_id": "id", "scene": "scene", "split": "split", "variant": "variant", "group_id": "group"}


def entry_of(record: Mapping[str, Any], has: Sequence[str]) -> dict[str, Any]:
    """The entry of a row.

    Args:
        record: at least the light columns that it has.
        has: of rgb, passes, sound, poster: which files it has.
    """
    camera = record.get("camera")
    entry: dict[str, Any] = {
        short: cut(str("" if record.get(name) is None else record[name]), _MOST_NAME) for name, short in _TEXTS.items()
    }
    entry |= {short: _number(record.get(name)) for name, short in _NUMBERS.items()}
    # Views of one sample have the same seed and index, and their own ids.
    entry["sample"] = [plain(record.get("seed")), plain(record.get("index"))]
    entry["camera"] = cut(str(camera.get("name") or ""), _MOST_NAME) if isinstance(camera, Mapping) else ""
    entry["caption"] = cut(str(record.get("caption") or ""), _MOST_CAPTION)
    entry["has"] = list(has)
    entry["outcome"] = flat_outcome(record.get("outcome"))
    return entry


def _number(value: Any) -> Any:
    return plain(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def flat_outcome(outcome: Any) -> dict[str, Any]:
    """An outcome's fields by dotted name: bool, number, text, a list of texts, or the length of any other list."""
    found: dict[str, Any] = {}

    def walk(value: Any, name: str, depth: int) -> None:
        if len(found) >= _MOST_FIELDS:
            return
        if isinstance(value, Mapping) and depth < 6:
            for key, inner in value.items():
                walk(inner, f"{name}.{key}" if name else str(key), depth + 1)
        elif isinstance(value, list | tuple):
            if value and all(isinstance(each, str) for each in value):
                found[cut(name, _MOST_NAME)] = sorted({cut(each, _MOST_WORD) for each in value[:_MOST_ITEMS]})
            else:
                found[cut(f"{name} (how many)", _MOST_NAME)] = len(value)
        else:
            worth = plain(value)
            found[cut(name, _MOST_NAME)] = cut(worth, _MOST_WORD) if isinstance(worth, str) else worth

    if isinstance(outcome, Mapping):
        walk(outcome, "", 0)
    return found


def chunk_of(first: int, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Entries as one value for the page: what repeats from row to row is said once."""
    kinds: dict[tuple[str, ...], int] = {}
    rows = []
    for entry in entries:
        fields: dict[str, Any] = entry["outcome"]
        kind = kinds.setdefault((entry["scene"], *fields), len(kinds))
        rows.append([kind, *(entry[name] for name in COLUMNS), list(fields.values())])
    return {
        "first": first,
        "columns": list(COLUMNS),
        "kinds": [{"scene": scene, "fields": fields} for scene, *fields in kinds],
        "rows": rows,
    }


COLUMNS = (
    "id", "split", "variant", "group", "camera", "sample", "caption", "duration", "fps", "frames", "width", "height",
    "has",
)  # fmt: skip
