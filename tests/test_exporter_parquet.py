"""What is written is what was made, for every reader people use, byte for byte the same each time."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import create_model
from sample_builders import PASSES, TestOutcome, make_sample

from physreel.errors import InputError
from physreel.exporters.base import ExportContext
from physreel.exporters.card import DECODE_EXAMPLE
from physreel.exporters.lossless import encode_pass
from physreel.exporters.parquet import ParquetExporter
from physreel.exporters.schema import arrow_struct
from physreel.exporters.sound import encode_flac
from physreel.exporters.stills import contact_sheet, write_png
from physreel.exporters.video import encode_mp4
from physreel.loaders.decode import decode_audio, decode_pass, decode_video
from physreel.values import Outcome
from physreel.values.encodings import PASS_ENCODINGS

CONTEXT = ExportContext(scene="by_hand", outcome_type=TestOutcome, passes=PASSES, audio=True)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Two shards of five samples, with the index beside them."""
    out = tmp_path_factory.mktemp("dataset")
    exporter = ParquetExporter(CONTEXT)
    names = [exporter.shard_path("train", k, 2) for k in range(2)]
    for k, name in enumerate(names):
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = [make_sample(i) for i in range(3 * k, min(3 * k + 3, 5))]
        assert exporter.write_shard((exporter.encode(s) for s in samples), path) == len(samples)
    for name, text in exporter.index_files({"by_hand": {"train": names}}).items():
        (out / name).write_text(text)
    return out


def rows(dataset: Path) -> list[dict]:
    return [row for path in sorted(dataset.glob("data/*/*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_every_pass_comes_back_within_its_step(dataset):
    for row in rows(dataset):
        view = make_sample(row["index"]).clip.views[0]
        size = (row["frame_count"], row["height"], row["width"])
        back = {name: decode_pass(name, row[name], *size) for name in PASSES[1:]}
        assert np.array_equal(back["segmentation"], view.segmentation)
        assert np.array_equal(np.isinf(back["depth"]), np.isinf(view.depth))
        hit = np.isfinite(view.depth)
        assert np.abs(back["depth"][hit] - view.depth[hit]).max() < 6e-6
        cosine = (back["normals"] * view.normals).sum(-1) / np.linalg.norm(back["normals"], axis=-1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.05
        assert np.abs(back["flow"] - view.flow).max() <= 0.5 / 256 + 1e-6


def test_the_sound_is_sample_exact(dataset):
    for row in rows(dataset):
        samples, rate = decode_audio(row["audio"]["bytes"])
        original = make_sample(row["index"]).clip.audio.samples
        assert rate == 48_000
        assert samples.shape == original.shape
        assert np.abs(samples - original).max() < 2e-7
        assert row["pascal_per_unit"] == 20.0


def test_the_video_shows_the_frames(dataset):
    for row in rows(dataset):
        frames = decode_video(row["video"]["bytes"])
        original = make_sample(row["index"]).clip.views[0].rgb
        assert frames.shape == original.shape
        assert np.abs(frames.astype(int) - original).mean() < 6


def test_the_mp4_has_sound_in_step_with_the_picture():
    import av

    time = np.arange(48_000) / 48_000
    click = np.where((time > 0.5) & (time < 0.52), np.sin(2 * np.pi * 1000 * time), 0.0).astype(np.float32)
    film = encode_mp4(np.zeros((20, 48, 64, 3), np.uint8), 20, np.stack([click, click], 1))
    with av.open(io.BytesIO(film)) as container:
        heard = {frame.pts: frame for frame in container.decode(audio=0)}
    track = np.concatenate([frame.to_ndarray()[0] for _, frame in sorted(heard.items())])
    start = min(heard) / 48_000
    onset = start + int(np.argmax(np.abs(track) > 0.3)) / 48_000
    assert onset == pytest.approx(0.5, abs=0.003)


def test_the_mp4_does_not_depend_on_what_lay_in_memory():
    """With x264's macroblock tree this picture's bytes differed, in some processes more than in others."""
    y, x = np.mgrid[:64, :96]
    pictures = [np.stack([(3 * x + y + 5 * k) % 256, (x + 2 * y) % 256, (x * y // 7 + k) % 256], -1) for k in range(12)]
    frames = np.stack(pictures).astype(np.uint8)
    samples = (0.3 * np.sin(np.arange(24_000) / 7.0)).astype(np.float32)[:, None]
    rng = np.random.default_rng(0)
    found, junk = set(), []
    for _ in range(40):
        junk.append(np.full(rng.integers(1, 300_000), rng.integers(256), np.uint8))
        if len(junk) > 20:
            del junk[rng.integers(len(junk))]
        found.add(encode_mp4(frames, 24, samples))
    assert len(found) == 1
    settings = found.pop()
    for setting in (b" mbtree=0 ", b" threads=1 ", b" lookahead_threads=1 "):
        assert setting in settings


@pytest.mark.parametrize("size", [(48, 64), (47, 65)])
def test_odd_sizes_can_be_filmed(size):
    film = encode_mp4(np.full((5, *size, 3), 120, np.uint8), 10)
    assert decode_video(film).shape == (5, *size, 3)


def test_silence_and_full_scale_survive():
    edges = np.array([[0.0, 1.0, -1.0, 0.5, 2.0, -2.0]], np.float32).T
    back, _ = decode_audio(encode_flac(np.tile(edges, (100, 1))))
    assert back[:6, 0] == pytest.approx([0, 1, -1, 0.5, 1, -1], abs=3e-7)


def test_flow_and_depth_of_any_size_survive():
    flow = np.array([[[[1e5, -1e5], [0.001, -300.3]]]], np.float32)
    assert np.abs(decode_pass("flow", encode_pass("flow", flow), 1, 1, 2) - flow).max() <= 0.5 / 256 + 1e-2
    depth = np.array([[[0.01, 900.0, np.inf]]], np.float32)
    assert decode_pass("depth", encode_pass("depth", depth), 1, 1, 3) == pytest.approx(depth)


@pytest.mark.parametrize("name", PASSES[1:])
def test_any_bytes_are_put_together_as_numpy_would(name):
    """Also differences that wrap round."""
    encoding, size = PASS_ENCODINGS[name], (5, 4, 3)
    dtype, shape = np.dtype(encoding.dtype), encoding.shape(*size)
    planes = np.random.default_rng(0).integers(0, 256, (dtype.itemsize, int(np.prod(shape))), np.uint8)
    planes[:, :6] = 0
    whole = np.ascontiguousarray(planes.T).view(dtype).reshape(shape).cumsum(0, dtype=dtype)
    values = (whole * encoding.step).astype(np.float32)
    wanted = {"segmentation": whole, "depth": np.where(whole == 0, np.float32(np.inf), values)}.get(name, values)
    found = decode_pass(name, pa.compress(planes.tobytes(), codec="zstd", asbytes=True), *size)
    assert found.dtype == wanted.dtype
    assert found.tobytes() == wanted.tobytes()


def test_the_same_sample_gives_the_same_bytes_in_another_process(tmp_path):
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import hashlib; from datasets_by_hand import *\n"
        "print(hashlib.sha256(ParquetExporter(CONTEXT).encode(make_sample(1))).hexdigest())"
    )
    here = hashlib.sha256(ParquetExporter(CONTEXT).encode(make_sample(1))).hexdigest()
    done = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == here


def test_two_cameras_are_two_rows_of_one_group(tmp_path):
    exporter = ParquetExporter(CONTEXT)
    assert exporter.write_shard([exporter.encode(make_sample(0, cameras=2))], tmp_path / "shard") == 2
    ids = pq.read_table(tmp_path / "shard", columns=["sample_id", "group_id"]).to_pydict()
    assert ids["sample_id"] == ["by_hand-0-00000000-camera_0", "by_hand-0-00000000-camera_1"]
    assert len(set(ids["group_id"])) == 1


def test_only_what_was_asked_for_has_columns(tmp_path):
    context = ExportContext(scene="by_hand", outcome_type=TestOutcome, passes=("rgb", "depth"), audio=False)
    names = set(ParquetExporter(context).schema.names)
    assert {"video", "depth"} <= names
    assert not names & {"audio", "flow", "normals", "segmentation", "sound_events"}


def test_row_groups_are_small(tmp_path):
    exporter = ParquetExporter(CONTEXT)
    blob = exporter.encode(make_sample(0))
    assert exporter.write_shard([blob] * 40, tmp_path / "shard") == 40
    groups = pq.ParquetFile(tmp_path / "shard").metadata
    assert [groups.row_group(k).num_rows for k in range(groups.num_row_groups)] == [16, 16, 8]


def test_an_empty_shard_has_columns_and_no_rows(tmp_path):
    assert ParquetExporter(CONTEXT).write_shard([], tmp_path / "shard") == 0
    assert pq.read_table(tmp_path / "shard").schema.names == ParquetExporter(CONTEXT).schema.names


def test_an_outcome_without_a_column_type_is_refused_with_its_path():
    odd = create_model("Odd", __base__=Outcome, table=(dict[str, int], ...))
    with pytest.raises(InputError, match=r"Odd\.table: dict\[str, int\] has no column type"):
        arrow_struct(odd)
    with pytest.raises(InputError, match="has no fields"):
        arrow_struct(create_model("Empty", __base__=Outcome))


def test_labels_are_the_same_for_every_reader(dataset):
    import duckdb
    import pandas as pd
    import polars as pl

    wanted = [make_sample(i) for i in range(5)]
    files = sorted(str(path) for path in dataset.glob("data/*/*.parquet"))
    tables = {
        "pyarrow": pq.read_table(files).to_pylist(),
        "pandas": pd.read_parquet(files).to_dict("records"),
        "polars": pl.read_parquet(files).to_dicts(),
    }
    found = duckdb.sql(f"select index, caption, outcome.count as n, len(events) as e from read_parquet({files})")
    assert found.fetchall() == [(i, s.caption, s.outcome.count, 1) for i, s in enumerate(wanted)]
    for reader, table in tables.items():
        for row, sample in zip(table, wanted, strict=True):
            assert row["caption"] == sample.caption, reader
            assert row["outcome"]["best"]["name"] == "block", reader
            assert row["outcome"]["count"] == sample.outcome.count, reader
            assert list(row["outcome"]["times_s"]) == sample.outcome.times_s, reader
            assert row["questions"][1]["answer"] == "ball", reader
            pose = np.asarray(list(row["bodies"][1]["pose"])).reshape(row["frame_count"], 7)
            assert np.array_equal(pose, sample.trajectory.body_pose[:, 1]), reader


def test_datasets_loads_it_with_video_and_audio_declared(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    program = f"""
import io, sys, datasets
sys.path.insert(0, {str(Path(__file__).parent)!r})
loaded = datasets.load_dataset({str(dataset)!r}, "by_hand", cache_dir={str(tmp_path)!r})["train"]
assert type(loaded.features["video"]).__name__ == "Video", loaded.features["video"]
assert type(loaded.features["audio"]).__name__ == "Audio"
raw = loaded.cast_column("video", datasets.Video(decode=False)).cast_column("audio", datasets.Audio(decode=False))
from physreel.loaders.decode import decode_audio, decode_video
from sample_builders import make_sample
for i, row in enumerate(raw):
    sample = make_sample(i)
    assert row["caption"] == sample.caption and row["outcome"]["count"] == i
    assert abs(decode_audio(row["audio"]["bytes"])[0] - sample.clip.audio.samples).max() < 2e-7
    assert decode_video(row["video"]["bytes"]).shape == sample.clip.views[0].rgb.shape
print("rows", len(raw))
"""
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "rows 5" in done.stdout


def test_datasets_decodes_it_where_torchcodec_works(dataset, tmp_path):
    if importlib.util.find_spec("torchcodec") is None:
        pytest.skip("torchcodec is not installed")
    import datasets

    try:
        import torchcodec  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"torchcodec finds no FFmpeg: {type(error).__name__}")
    row = datasets.load_dataset(str(dataset), "by_hand", cache_dir=str(tmp_path))["train"][0]
    assert row["audio"].get_all_samples().sample_rate == 48_000
    assert len(row["video"]) == 20


def test_the_lines_in_the_card_decode_a_row_without_physreel(dataset):
    assert DECODE_EXAMPLE in (dataset / "README.md").read_text()
    path = sorted(dataset.glob("data/*/*.parquet"))[0]
    space: dict = {"path": path}
    exec(DECODE_EXAMPLE, space)
    view = make_sample(0).clip.views[0]
    passes = space["passes"]
    assert np.array_equal(passes["segmentation"][..., 0], view.segmentation)
    assert np.abs(passes["flow"] - view.flow).max() < 0.01
    depth = passes["depth"][..., 0]
    assert np.abs(depth - view.depth)[depth > 0].max() < 6e-6
    assert len(space["frames"]) == 20
    assert "physreel" not in DECODE_EXAMPLE


def test_contact_sheets_hold_all_frames(tmp_path):
    frames = [np.full((10, 20, 3), 10 * k, np.uint8) for k in range(5)]
    sheet = contact_sheet(frames, 3, gap=2)
    assert sheet.shape == (2 * 12 + 2, 3 * 22 + 2, 3)
    assert [int(sheet[2 + 12 * (k // 3) + 5, 2 + 22 * (k % 3) + 5, 0]) for k in range(5)] == [0, 10, 20, 30, 40]
    write_png(tmp_path / "sheet.png", sheet)
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"


def test_the_lines_in_the_documents_are_those_of_the_card():
    assert DECODE_EXAMPLE in (Path(__file__).parent.parent / "docs" / "storage.md").read_text()


def test_scenes_and_splits_of_any_name_are_words_in_the_card():
    import yaml

    odd = ["falling", "no", "On", "null", "1", "1e3", "0x1", "2026-11-28", "a b", "my.drop", "_", "-", "1_0"]
    files = {scene: {split: [f"data/{scene}/{split}-00000-of-00001.parquet"] for split in odd} for scene in odd}
    _, header, _ = ParquetExporter(CONTEXT).index_files(files)["README.md"].split("---\n", 2)
    configs = yaml.safe_load(header)["configs"]
    assert [config["config_name"] for config in configs] == odd
    for config in configs:
        found = {entry["split"]: entry["path"] for entry in config["data_files"]}
        assert found == files[config["config_name"]]
