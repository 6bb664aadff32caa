"""What people read data sets with gives back what was made: labels, sound, frames and passes, from every format.

LeRobot's own reader is in test_exporter_lerobot.py, PyTorch's in the tests of loaders, the schema and the card of
Parquet in test_exporter_parquet.py.
"""

from __future__ import annotations

import functools
import gc
from pathlib import Path

import numpy as np
import pytest
from datasets_by_hand import sample_of, write_parquet
from sample_builders import PASSES

from physreel.exporters.card import LEROBOT_EXAMPLE, WEBDATASET_EXAMPLE
from physreel.loaders.decode import decode_audio, decode_pass, decode_video
from physreel.loaders.records import records
from physreel.runners.convert import convert

TESTS = Path(__file__).parent
COUNT = 7


def leaves_files_open(test):
    """For readers of others that close nothing: what they left is cleared where its warnings are let pass."""

    @functools.wraps(test)
    def cleared(*args, **kwargs):
        try:
            test(*args, **kwargs)
        finally:
            gc.collect()

    for warning in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
        cleared = pytest.mark.filterwarnings(f"ignore::{warning}")(cleared)
    return cleared


@pytest.fixture(scope="module")
def parquet(tmp_path_factory) -> Path:
    return write_parquet(tmp_path_factory.mktemp("parquet") / "a")


@pytest.fixture(scope="module")
def tars(tmp_path_factory, parquet) -> Path:
    out = tmp_path_factory.mktemp("tars") / "b"
    convert(parquet, out, "webdataset")
    return out


@pytest.fixture(scope="module")
def lerobot(tmp_path_factory, parquet) -> Path:
    out = tmp_path_factory.mktemp("lerobot") / "b"
    convert(parquet, out, "lerobot")
    return out


def files(dataset: Path, pattern: str = "data/*/*.parquet", split: str = "") -> list[str]:
    """Shards, train before test."""
    return sorted(
        (str(p) for p in dataset.glob(pattern) if p.name.startswith(split)),
        key=lambda n: (Path(n).name.startswith("test"), n),
    )


def check_row(row: dict, index: int, *, video: bytes | None, audio: bytes, passes: dict[str, bytes]) -> None:
    """A row is the sample of this index: its labels, its sound, its frames, its passes."""
    sample = sample_of(index)
    view = sample.clip.views[0]
    assert row["index"] == index
    assert row["caption"] == sample.caption
    assert row["outcome"]["count"] == sample.outcome.count
    assert row["outcome"]["best"]["name"] == "block"
    assert list(row["outcome"]["times_s"]) == sample.outcome.times_s
    assert [q["answer"] for q in row["questions"]] == [q.answer for q in sample.questions]
    pose = np.asarray(list(row["bodies"][1]["pose"])).reshape(row["frame_count"], 7)
    assert np.array_equal(pose, sample.trajectory.body_pose[:, 1])
    sound, rate = decode_audio(audio)
    assert rate == 48_000
    assert np.abs(sound - sample.clip.audio.samples).max() < 2e-7
    if video is not None:
        frames = decode_video(video)
        assert frames.shape == view.rgb.shape
        assert np.abs(frames.astype(int) - view.rgb).mean() < 6
    size = (row["frame_count"], row["height"], row["width"])
    assert np.array_equal(decode_pass("segmentation", passes["segmentation"], *size), view.segmentation)
    hit = np.isfinite(view.depth)
    assert np.abs(decode_pass("depth", passes["depth"], *size)[hit] - view.depth[hit]).max() < 6e-6
    assert np.abs(decode_pass("flow", passes["flow"], *size) - view.flow).max() <= 0.5 / 256 + 1e-6


def check_tables(rows: list[dict]) -> None:
    assert len(rows) == COUNT
    for index, row in enumerate(rows):
        video, audio = row["video"]["bytes"], row["audio"]["bytes"]
        check_row(row, index, video=video, audio=audio, passes={name: row[name] for name in PASSES[1:]})


def read_with_pandas(names: list[str]) -> list[dict]:
    import pandas as pd

    return pd.read_parquet(names).to_dict("records")


def read_with_polars(names: list[str]) -> list[dict]:
    import polars as pl

    return pl.read_parquet(names).to_dicts()


def read_with_duckdb(names: list[str]) -> list[dict]:
    import duckdb

    found = duckdb.sql(f"select * from read_parquet({names}) order by index")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


TABLES = {"pandas": read_with_pandas, "polars": read_with_polars, "duckdb": read_with_duckdb}


@pytest.mark.parametrize("reader", TABLES)
def test_tables_hold_what_was_made(parquet, reader):
    check_tables(TABLES[reader](files(parquet)))


@pytest.mark.parametrize("reader", TABLES)
def test_what_lerobot_has_no_place_for_is_beside_it_and_joins_by_episode(lerobot, reader):
    rows = TABLES[reader](files(lerobot, "by_hand/physreel/*.parquet"))
    episodes = TABLES[reader](files(lerobot, "by_hand/meta/episodes/*/*.parquet")) if reader != "duckdb" else None
    for index, row in enumerate(rows):
        assert row["episode_index"] == index
        passes = {name: row[name] for name in PASSES[1:]}
        check_row(row, index, video=None, audio=row["audio"]["bytes"], passes=passes)
        assert row["video"]["path"] == "by_hand/videos/observation.images.camera_0/chunk-000/file-000.mp4"
        if episodes is not None:
            assert episodes[index]["length"] == row["frame_count"]
            start = episodes[index]["videos/observation.images.camera_0/from_timestamp"]
            assert start == row["video_first_frame"] / row["fps"]


@pytest.mark.parametrize("stored", ["parquet", "tars", "lerobot"])
def test_our_own_records_hold_what_was_made(stored, request):
    found = list(records(request.getfixturevalue(stored)))
    check_tables([dict(record) for record in found])
    for index, record in enumerate(found):
        assert record.spec == sample_of(index).spec


def test_datasets_reads_parquet(parquet, tmp_path):
    import datasets

    loaded = datasets.Dataset.from_parquet(files(parquet), cache_dir=str(tmp_path))
    loaded = loaded.cast_column("video", datasets.Video(decode=False))
    check_tables(list(loaded.cast_column("audio", datasets.Audio(decode=False))))


@leaves_files_open
def test_webdataset_reads_tars(tars):
    wds = pytest.importorskip("webdataset", reason="needs the extra webdataset: make test-all")
    names = files(tars, "data/*/*.tar")
    count = 0
    for index, found in enumerate(wds.WebDataset(names, shardshuffle=False).decode()):
        passes = {name: found[f"{name}.zst"] for name in PASSES[1:]}
        check_row(found["json"], index, video=found["mp4"], audio=found["flac"], passes=passes)
        assert found["__key__"] == f"by_hand-0-{index:08d}"
        count += 1
    assert count == COUNT


@leaves_files_open
def test_webdataset_gives_tuples_shuffles_and_splits_by_worker(tars):
    wds = pytest.importorskip("webdataset", reason="needs the extra webdataset: make test-all")
    names = files(tars, "data/*/*.tar", "train")
    pipeline = wds.WebDataset(names, shardshuffle=10, seed=3).shuffle(4, initial=4).decode().to_tuple("json", "mp4")
    found = {labels["index"]: film for labels, film in pipeline}
    assert sorted(found) == list(range(5))
    for index, film in found.items():
        assert np.abs(decode_video(film).astype(int) - sample_of(index).clip.views[0].rgb).mean() < 6


@leaves_files_open
def test_the_lines_in_the_card_read_a_tar_without_physreel(tars):
    pytest.importorskip("webdataset", reason="needs the extra webdataset: make test-all")
    assert WEBDATASET_EXAMPLE in (tars / "README.md").read_text()
    assert "physreel" not in WEBDATASET_EXAMPLE
    space = {"path": files(tars, "data/*/*.tar")[0]}
    exec(WEBDATASET_EXAMPLE, space)
    assert space["labels"]["index"] == 2
    assert decode_video(space["film"]).shape == sample_of(2).clip.views[0].rgb.shape
    assert (space["sound"].shape, space["rate"]) == (sample_of(2).clip.audio.samples.shape, 48_000)


def python_blocks() -> list[str]:
    text = (TESTS.parent / "docs" / "formats.md").read_text()
    return [part.partition("```")[0] for part in text.split("```python\n")[1:]]


def test_the_lines_in_the_document_are_those_of_the_cards():
    blocks = python_blocks()
    assert WEBDATASET_EXAMPLE in blocks
    assert LEROBOT_EXAMPLE in blocks


@pytest.mark.parametrize("stored", ["parquet", "tars", "lerobot"])
def test_the_lines_in_the_document_read_records_of_every_format(stored, request):
    space = {"folder": str(request.getfixturevalue(stored))}
    exec(next(block for block in python_blocks() if "records(folder)" in block), space)
    assert space["caption"] == sample_of(COUNT - 1).caption
    assert space["frames"].shape == sample_of(0).clip.views[0].rgb.shape


def test_the_lines_in_the_document_read_tables(parquet):
    import glob

    block = next(block for block in python_blocks() if "duckdb" in block)
    exec(block, {"folder": str(parquet), "glob": glob})
