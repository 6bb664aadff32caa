"""WebDataset tars of ours back to rows."""

from __future__ import annotations

import base64
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa

from physreel.errors import InputError


def tar_rows(file: BinaryIO, *, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a tar, in order: the same values, of the same types, as Parquet gives.

    Args:
        file: a seekable tar; what is not asked for is passed over.
        columns: only these; None for all.

    Raises:
        InputError: it is no tar of ours, or it is damaged.
    """
    with _said(), tarfile.open(fileobj=file, mode="r:") as tar:
        header = _header(tar)
        names = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(header["arrow_schema"]))).names
        column_of = {ending: column for column, ending in header["files"].items()}
        wanted = [name for name in names if columns is None or name in columns]
        found: dict[str, bytes] = {}
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # it would keep every member it has seen
            ending = member.name.partition(".")[2]
            if ending == "json":
                yield _row(json.loads(_content(tar, member)), found, header["files"], wanted)
                found = {}
            elif column_of.get(ending) in wanted:
                found[column_of[ending]] = _content(tar, member)


def tar_schema(file: BinaryIO) -> pa.Schema:
    """The Arrow schema of a tar's rows; InputError where it is no tar of ours."""
    with _said(), tarfile.open(fileobj=file, mode="r:") as tar:
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(_header(tar)["arrow_schema"])))


def _row(
    labels: Mapping[str, Any], found: Mapping[str, bytes], files: Mapping[str, str], wanted: Sequence[str]
) -> dict[str, Any]:
    row = {}
    for name in wanted:
        value = labels.get(name)
        if name not in files:
            row[name] = value
        elif isinstance(value, dict):
            row[name] = {"bytes": found.get(name)} | value
        else:
            row[name] = found.get(name)
    return row


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"not a tar of ours, or a damaged one ({error}); `physreel status --checksums` finds what is damaged"
        ) from None


def _header(tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    header: Any = json.loads(_content(tar, first)) if first is not None else None
    if not isinstance(header, dict) or header.get("physreel_webdataset") != 1:
        raise ValueError("its first member does not say how it is written")
    return header


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file is not None else b""
