"""WebDataset: tars of plain files, one group of files a clip, read from end to end by `webdataset` and by people."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from physreel.exporters.card import webdataset_card
from physreel.exporters.rows import RowExporter

_MEDIA = {"video": "mp4", "audio": "flac"}
_HEADER = "__physreel__"


class WebDatasetExporter(RowExporter):
    """Shards ``data/<scene>/<split>-00000-of-00012.tar``: KEY.mp4, KEY.flac, KEY.depth.zst …, KEY.json for the rest.

    The first member, ``__physreel__``, holds the columns' types and how passes are encoded. Readers of WebDataset skip
    names of this form; ours need it to give back each row as it was.
    """

    name: ClassVar[str] = "webdataset"
    suffix: ClassVar[str] = ".tar"

    def write_rows(self, samples: Iterator[pa.Table], path: Path) -> int:
        """See RowExporter.write_rows."""
        files = column_files(self.schema)
        rows = 0
        with path.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                _add(tar, _HEADER, _header(self.schema, files))
                for table in samples:
                    for row in table.to_pylist():
                        for name, data in row_members(row, files):
                            _add(tar, name, data)
                        rows += 1
            file.flush()
            os.fsync(file.fileno())
        return rows

    def index_files(self, scenes: Mapping[str, Mapping[str, list[str]]]) -> dict[str, str]:
        """See Exporter.index_files."""
        return {"README.md": webdataset_card(scenes)}


def column_files(schema: pa.Schema) -> dict[str, str]:
    """The columns that become files of their own, with the ending of each: all that hold bytes."""
    found = {}
    for field in schema:
        if pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0:
            found[field.name] = _MEDIA.get(field.name, f"{field.name}.bin")
        elif pa.types.is_binary(field.type):
            found[field.name] = f"{field.name}.zst" if b"encoding" in (field.metadata or {}) else f"{field.name}.bin"
    return found


def row_members(row: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """The names and contents of a row's members, in the order of ``files``, labels last."""
    key = member_key(row["sample_id"])
    labels = dict(row)
    for column, ending in files.items():
        value = labels.pop(column)
        if isinstance(value, dict):
            labels[column] = {name: part for name, part in value.items() if name != "bytes"}
            value = value["bytes"]
        elif value is None:
            labels[column] = None
        if value is not None:
            yield f"{key}.{ending}", value
    yield f"{key}.json", json.dumps(labels, ensure_ascii=False, separators=(",", ":")).encode()


def member_key(sample_id: str) -> str:
    """A sample's name as the part of its members' names before the first dot; the exact name is in its labels."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", sample_id)
    if plain == sample_id and len(plain) <= 64 and not plain.startswith("__"):
        return plain
    return f"{plain[:48].lstrip('_')}-{hashlib.sha256(sample_id.encode()).hexdigest()[:12]}"


def _header(schema: pa.Schema, files: Mapping[str, str]) -> bytes:
    passes = {
        field.name: {key.decode(): value.decode() for key, value in field.metadata.items()}
        for field in schema
        if field.metadata and b"encoding" in field.metadata
    }
    content = {
        "physreel_webdataset": 1,
        "files": dict(files),
        "passes": passes,
        "columns": {field.name: str(field.type) for field in schema},
        "arrow_schema": base64.b64encode(schema.serialize().to_pybytes()).decode(),
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # times, owners and modes of a TarInfo are fixed: 0, 0, 0o644
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
