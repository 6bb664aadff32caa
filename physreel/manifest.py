"""``manifest.jsonl``: what was asked of a data set, and what of it is finished."""

from __future__ import annotations

import json
from typing import Any

from physreel.errors import InputError
from physreel.storage import Address, Store, open_store

MANIFEST = "manifest.jsonl"
FORMAT = {"kind": "format", "physreel_dataset": 1}


def read_manifest(out: Address | Store) -> list[dict[str, Any]]:
    """The whole lines of a manifest, in order; a torn tail (killed while writing) is left out.

    Raises:
        InputError: there is no manifest of ours.
    """
    store = out if isinstance(out, Store) else open_store(out)
    try:
        text = store.read(MANIFEST)
    except OSError:
        raise InputError(f"{store} is no physreel data set: it has no {MANIFEST}") from None
    lines: list[dict[str, Any]] = []
    for line in text.split(b"\n")[:-1]:
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not isinstance(record, dict):
            break
        lines.append(record)
    if not lines or lines[0].get("physreel_dataset") != 1:
        raise InputError(
            f"{store}/{MANIFEST} is not a manifest that this version of physreel can read; use another folder"
        )
    while lines[-1]["kind"] == "failure":  # the shard they belong to was not entered
        lines.pop()
    return lines


def manifest_line(record: dict[str, Any]) -> str:
    """A record as its line."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n"
