"""WebDataset tars: nothing is lost, the same bytes each time, and what reads tars by name finds what it expects."""

from __future__ import annotations

import io
import json
import math
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets_by_hand import CONTEXT, write_parquet
from sample_builders import PASSES, make_sample

from physreel.errors import InputError
from physreel.exporters.base import ExportContext
from physreel.exporters.parquet import ParquetExporter
from physreel.exporters.webdataset import WebDatasetExporter, member_key
from physreel.loaders.records import records
from physreel.loaders.shards import sample_tables, shard_schema
from physreel.loaders.webdataset import tar_rows
from physreel.runners.convert import convert
from physreel.storage import open_store


def shard(path: Path, samples, context=CONTEXT) -> Path:
    exporter = WebDatasetExporter(context)
    exporter.write_shard([exporter.encode(sample) for sample in samples], path)
    return path


@pytest.fixture(scope="module")
def tar(tmp_path_factory) -> Path:
    return shard(tmp_path_factory.mktemp("tar") / "x.tar", [make_sample(i, cameras=2) for i in range(2)])


def members(path: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(path) as opened:
        return opened.getmembers()


def rows_of(path: Path, **options) -> list[dict]:
    with path.open("rb") as file:
        return list(tar_rows(file, **options))


def parquet_rows(tmp_path: Path, samples) -> list[dict]:
    exporter = ParquetExporter(CONTEXT)
    exporter.write_shard([exporter.encode(sample) for sample in samples], tmp_path / "p.parquet")
    return pq.read_table(tmp_path / "p.parquet").to_pylist()


def test_rows_come_back_as_parquet_gives_them(tar, tmp_path):
    found, wanted = rows_of(tar), parquet_rows(tmp_path, [make_sample(i, cameras=2) for i in range(2)])
    assert found == wanted
    assert [list(row) for row in found] == [list(row) for row in wanted]

    def kinds(value):
        if isinstance(value, dict):
            return {name: kinds(part) for name, part in value.items()}
        return [kinds(part) for part in value] if isinstance(value, list) else type(value)

    assert kinds(found) == kinds(wanted)


def test_the_columns_come_back_with_what_readers_must_know(tar, tmp_path):
    parquet_rows(tmp_path, [make_sample(0)])
    there = shard_schema(open_store(tar.parent), tar.name)
    assert there.equals(pq.read_schema(tmp_path / "p.parquet"), check_metadata=False)
    assert there.field("depth").metadata == CONTEXT_SCHEMA.field("depth").metadata
    assert there.metadata == CONTEXT_SCHEMA.metadata


CONTEXT_SCHEMA = ParquetExporter(CONTEXT).schema


def test_members_are_in_order_without_times_or_owners(tar):
    found = members(tar)
    keys = [f"by_hand-0-0000000{i}-camera_{k}" for i in range(2) for k in range(2)]
    endings = ("mp4", "flac", "depth.zst", "segmentation.zst", "normals.zst", "flow.zst", "json")
    assert [m.name for m in found] == ["__physreel__", *(f"{key}.{ending}" for key in keys for ending in endings)]
    for member in found:
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode) == (
            0,
            0,
            0,
            "",
            "",
            0o644,
        )
        assert member.isreg()


def test_the_same_samples_give_the_same_bytes_under_any_name(tar, tmp_path):
    # That encoded samples do not depend on the process is held for Parquet, and they are the same.
    again = shard(tmp_path / "another.name.tar", [make_sample(i, cameras=2) for i in range(2)])
    assert again.read_bytes() == tar.read_bytes()


@pytest.mark.parametrize("value", [None, [], [math.nan, math.inf, -0.0, 1e-308, 0.1 + 0.2]])
def test_nothing_is_lost_of_odd_numbers_and_of_what_is_not_there(tmp_path, value):
    schema = pa.schema(
        [("sample_id", pa.string()), ("index", pa.int64()), ("numbers", pa.list_(pa.float64())),
         ("depth", pa.binary()), ("video", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
         ("best", pa.struct([("name", pa.string()), ("when_s", pa.float64())]))]
    )  # fmt: skip
    rows = [
        {"sample_id": "ü.1", "index": 2**62, "numbers": value, "depth": None, "video": None, "best": None},
        {"sample_id": "b", "index": 1, "numbers": [], "depth": b"", "video": {"bytes": None, "path": "there"},
         "best": {"name": None, "when_s": None}},
        {"sample_id": "c", "index": 0, "numbers": None, "depth": b"\0.", "video": {"bytes": b"x", "path": None},
         "best": {"name": "c", "when_s": 1.0}},
    ]  # fmt: skip
    exporter = WebDatasetExporter.of_schema("odd", schema)
    exporter.write_rows(iter([pa.Table.from_pylist(rows, schema=schema)]), tmp_path / "odd.tar")
    assert repr(rows_of(tmp_path / "odd.tar")) == repr(rows)


def test_names_hold_no_dots_and_stay_apart():
    names = [
        "falling-0-00000001",
        "a.b",
        "a_b",
        "a/b",
        "../../etc/passwd",
        "__a__",
        "ü" * 200,
        "x" * 300,
        "x" * 301,
        "",
    ]
    keys = [member_key(name) for name in names]
    assert len(set(keys)) == len(keys)
    assert keys[0] == names[0]
    for key in keys:
        assert not set(key) & set("./\\ ")
        assert not key.startswith("__")
        assert len(key) <= 64


def test_only_what_is_asked_for_is_read(tar, monkeypatch):
    read = []
    original = tarfile.TarFile.extractfile
    monkeypatch.setattr(tarfile.TarFile, "extractfile", lambda tar, m: read.append(m.name) or original(tar, m))
    found = rows_of(tar, columns=["caption", "flow", "nothing"])
    assert [set(row) for row in found] == [{"caption", "flow"}] * 4
    assert {name.partition(".")[2] for name in read[1:]} == {"flow.zst", "json"}


def test_samples_are_told_apart_by_index(tar):
    tables = list(sample_tables(open_store(tar.parent), tar.name, columns=["index", "sample_id"]))
    assert [table["index"].to_pylist() for table in tables] == [[0, 0], [1, 1]]


def test_an_empty_shard_has_columns_and_no_rows(tmp_path):
    path = shard(tmp_path / "x.tar", [])
    assert rows_of(path) == []
    assert shard_schema(open_store(tmp_path), "x.tar").names == CONTEXT_SCHEMA.names


def test_only_what_was_asked_for_has_members(tmp_path):
    context = ExportContext(scene="by_hand", outcome_type=CONTEXT.outcome_type, passes=("rgb", "depth"), audio=False)
    path = shard(tmp_path / "x.tar", [make_sample(0, sound=False, passes=("rgb", "depth"))], context)
    endings = [member.name.partition(".")[2] for member in members(path)[1:]]
    assert endings == ["mp4", "depth.zst", "json"]


def test_damaged_tars_are_told_not_read_in_part(tmp_path):
    write_parquet(tmp_path / "a")
    convert(tmp_path / "a", tmp_path / "b", "webdataset")
    path = sorted((tmp_path / "b").rglob("*.tar"))[0]
    whole = path.read_bytes()
    ends = [m.offset for m in members(path)]
    for size in (0, 100, 600, ends[5], ends[5] + 512 + 10, ends[-1], len(whole) - 10_240 - 700):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=path.name):
            list(records(tmp_path / "b"))
    path.write_bytes(b"PAR1" + whole[4:])
    with pytest.raises(InputError, match=path.name):
        list(records(tmp_path / "b"))


def test_a_tar_of_others_is_refused(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as opened:
        member = tarfile.TarInfo("a.json")
        member.size = 2
        opened.addfile(member, io.BytesIO(b"{}"))
    with pytest.raises(InputError, match="not a tar of ours"):
        rows_of(tmp_path / "x.tar")


def test_the_header_tells_people_how_to_decode(tar):
    with tarfile.open(tar) as opened:
        header = json.loads(opened.extractfile("__physreel__").read())
    assert set(header["passes"]) == set(PASSES[1:])
    assert header["passes"]["depth"]["scale"] == "1e-05"
    assert header["columns"]["caption"] == "string"
    assert header["files"]["audio"] == "flac"
