"""LeRobot v3: frames at every time that LeRobot asks for, states, boundaries, all labels beside it; its own reader."""

from __future__ import annotations

import gc
import io
import json
import os
import subprocess
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets_by_hand import write_parquet
from sample_builders import make_sample

from physreel.errors import InputError
from physreel.exporters import lerobot_files, lerobot_video
from physreel.exporters.card import LEROBOT_EXAMPLE
from physreel.exporters.lerobot_state import find_layout, states
from physreel.exporters.lerobot_stats import Totals, picture_stats, vector_stats
from physreel.exporters.lerobot_video import VideoTrack
from physreel.exporters.video import encode_mp4
from physreel.loaders.decode import decode_video
from physreel.loaders.records import records
from physreel.runners.convert import convert

TESTS = Path(__file__).parent
CAMERAS = ("camera_0", "camera_1")


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return write_parquet(tmp_path_factory.mktemp("original") / "a", cameras=2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, original) -> Path:
    out = tmp_path_factory.mktemp("lerobot") / "b"
    convert(original, out, "lerobot")
    return out


def lerobot_python() -> str:
    """The Python that has LeRobot; skips where there is none."""
    given = os.environ.get("PHYSREEL_LEROBOT_PYTHON")
    found = Path(given) if given else TESTS.parent / ".venv-lerobot" / "bin" / "python"
    if not found.exists():
        pytest.skip("needs lerobot: make test-all")
    return str(found)


def test_lerobot_loads_every_frame_and_a_policy_trains_on_it(original, dataset, tmp_path):
    python = lerobot_python()
    rows = list(records(original))
    one = [row for row in rows if row["camera"]["name"] == CAMERAS[0]]
    wanted = {f"film:observation.images.{name}": np.concatenate([r.video for r in rows if r["camera"]["name"] == name])
              for name in CAMERAS}  # fmt: skip
    layout = find_layout("by_hand", [[row, row] for row in one])
    wanted["states"] = np.concatenate([states(row, layout) for row in one])
    wanted["lengths"] = np.array([row["frame_count"] for row in one])
    np.savez(tmp_path / "wanted.npz", **wanted)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1",
                   "PHYSREEL_LEROBOT_EXAMPLE": LEROBOT_EXAMPLE}  # fmt: skip
    done = subprocess.run(
        [python, str(TESTS / "lerobot_reader.py"), str(dataset / "by_hand"), str(tmp_path / "wanted.npz")],
        capture_output=True, text=True, env=environment, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for said in (f"frames {len(wanted['states'])}", "times", "stats", "trained", "example"):
        assert said in done.stdout


def test_states_are_the_poses_of_what_is_not_fixed(dataset):
    table = pq.read_table(dataset / "by_hand" / "data" / "chunk-000" / "file-000.parquet")
    names = json.loads((dataset / "by_hand" / "meta" / "info.json").read_text())["features"]["observation.state"][
        "names"
    ]
    found = np.array(table["observation.state"].to_pylist())
    for index in range(7):
        sample = make_sample(index, cameras=2)
        own = found[20 * index : 20 * (index + 1)]
        for k, body in enumerate(sample.spec.bodies):
            if body.motion == "static":
                assert f"{body.name}.x" not in names
                continue
            at = names.index(f"{body.name}.x")
            assert names[at : at + 7] == [f"{body.name}.{part}" for part in ("x", "y", "z", "qw", "qx", "qy", "qz")]
            assert np.array_equal(own[:, at : at + 7], sample.trajectory.body_pose[:, k].astype(np.float32))
    assert table["episode_index"].to_pylist() == [k for k in range(7) for _ in range(20)]
    assert table["index"].to_pylist() == list(range(140))


def test_videos_are_the_clips_own_frames_at_their_times(original, dataset):
    for name in CAMERAS:
        path = dataset / "by_hand" / "videos" / f"observation.images.{name}" / "chunk-000" / "file-000.mp4"
        with av.open(str(path)) as container:
            frames = list(container.decode(video=0))
            assert not container.streams.audio
        wanted = [frame for row in records(original) if row["camera"]["name"] == name for frame in row.video]
        assert [frame.time for frame in frames] == pytest.approx([k / 20 for k in range(140)], abs=1e-9)
        for frame, picture in zip(frames, wanted, strict=True):
            assert np.array_equal(frame.to_ndarray(format="rgb24"), picture)


def test_each_record_comes_back_with_its_own_frames_and_sound(original, dataset):
    for found, wanted in zip(records(dataset), records(original), strict=True):
        assert np.array_equal(found.video, wanted.video)
        assert np.array_equal(found.audio, wanted.audio)
        assert np.array_equal(found.depth, wanted.depth)
        assert found["caption"] == wanted["caption"]
        assert found["outcome"] == wanted["outcome"]
        assert found["episode_index"] == found["index"]


def test_only_what_is_asked_for_is_read_and_given(dataset):
    assert {tuple(record) for record in records(dataset, columns=["caption"])} == {("caption",)}
    record = next(records(dataset, columns=["video", "sample_id"]))
    assert set(record) == {"video", "sample_id"}
    assert record.video.shape[0] == 20


def test_splits_and_totals_are_told(dataset):
    info = json.loads((dataset / "by_hand" / "meta" / "info.json").read_text())
    assert info["splits"] == {"train": "0:5", "test": "5:7"}
    assert (info["total_episodes"], info["total_frames"], info["fps"]) == (7, 140, 20)
    assert info["codebase_version"] == "v3.0"


def test_what_a_policy_is_told_tells_nothing_of_what_happens(dataset):
    tasks = pq.read_table(dataset / "by_hand" / "meta" / "tasks.parquet").to_pylist()
    assert tasks == [{"task_index": 0, "task": "Predict how it goes on: by hand."}]


def test_pandas_takes_the_tasks_as_an_index(dataset):
    import pandas as pd

    tasks = pd.read_parquet(dataset / "by_hand" / "meta" / "tasks.parquet")
    assert tasks.iloc[0].name == "Predict how it goes on: by hand."
    assert tasks.loc["Predict how it goes on: by hand."].task_index == 0


def test_files_are_of_bounded_size_and_every_frame_is_found(original, tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_video, "VIDEO_FILE_BYTES", 3 * len(next(records(original))["video"]["bytes"]))
    monkeypatch.setattr(lerobot_files, "DATA_FILE_BYTES", 4000)
    monkeypatch.setattr(lerobot_files, "CHUNK_FILES", 2)
    convert(original, tmp_path / "b", "lerobot")
    names = sorted(path.relative_to(tmp_path / "b").as_posix() for path in (tmp_path / "b").rglob("*.mp4"))
    assert len(names) > 4
    assert any("chunk-001/file-000" in name for name in names)
    assert len(list((tmp_path / "b" / "by_hand" / "data").rglob("*.parquet"))) > 1
    for found, wanted in zip(records(tmp_path / "b"), records(original), strict=True):
        assert np.array_equal(found.video, wanted.video)
    episodes = pq.read_table(sorted((tmp_path / "b" / "by_hand" / "meta" / "episodes").rglob("*.parquet"))).to_pylist()
    for episode in episodes:
        name = f"data/chunk-{episode['data/chunk_index']:03d}/file-{episode['data/file_index']:03d}.parquet"
        table = pq.read_table(tmp_path / "b" / "by_hand" / name)
        assert episode["episode_index"] in table["episode_index"].to_pylist()


def test_a_full_disk_is_told_once_and_not_again_when_files_are_collected(tmp_path):
    (tmp_path / "data.parquet").symlink_to("/dev/full")
    table = pa.table({"noise": np.random.default_rng(0).random(100)})
    files = lerobot_files.TableFiles("data", table.schema, tmp_path)

    def fill(files) -> None:
        for _ in range(100):
            files.add(table)

    with pytest.raises(OSError, match="No space left"):
        fill(files)
    files.abandon()
    del files
    gc.collect()  # pytest fails where this complains


def test_a_file_ends_before_times_are_too_coarse(tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_video, "_LONGEST_S", 1.5)
    track = VideoTrack("view", 10, tmp_path)
    film = encode_mp4(np.zeros((10, 32, 32, 3), np.uint8), 10)
    places = [track.add(film, 10) for _ in range(3)]
    assert [(place["file_index"], place["from_timestamp"]) for place in places] == [(0, 0.0), (1, 0.0), (2, 0.0)]


@pytest.mark.parametrize("fps", [1, 7, 24, 30, 60, 240])
def test_frames_of_any_rate_stay_at_their_times(tmp_path, fps):
    clips = [np.random.default_rng(k).integers(0, 256, (9, 32, 48, 3), np.uint8) for k in range(3)]
    track = VideoTrack("view", fps, tmp_path)
    films = [encode_mp4(clip, fps) for clip in clips]
    for film in films:
        track.add(film, 9)
    track.close()
    ((path, name),) = track.taken()
    assert name == "videos/view/chunk-000/file-000.mp4"
    with av.open(io.BytesIO(path.read_bytes())) as container:
        frames = list(container.decode(video=0))
        assert container.streams.video[0].average_rate == fps
    assert [frame.time for frame in frames] == pytest.approx([k / fps for k in range(27)], abs=1e-9)
    wanted = np.concatenate([decode_video(film) for film in films])
    assert all(np.array_equal(f.to_ndarray(format="rgb24"), p) for f, p in zip(frames, wanted, strict=True))


def test_a_video_of_another_rate_or_length_is_refused(tmp_path):
    film = encode_mp4(np.zeros((10, 32, 32, 3), np.uint8), 10)
    with pytest.raises(InputError, match=r"not H\.264 of 7 frames"):
        VideoTrack("view", 7, tmp_path).add(film, 10)
    with pytest.raises(InputError, match="holds 10 frames where its row says 12"):
        VideoTrack("view", 10, tmp_path).add(film, 12)


def row(index=0, bodies=("ball",), signals=(), fps=10, width=64, camera="main"):
    """What a layout is made of: two frames, body k at height k."""
    return {
        "index": index, "fps": fps, "frame_count": 2, "width": width, "height": 48, "camera": {"name": camera},
        "bodies": [{"name": "floor", "motion": "static", "pose": [0.0] * 14}]
        + [{"name": name, "motion": "dynamic", "pose": ([0, 0, k, 1, 0, 0, 0] * 2)} for k, name in enumerate(bodies)],
        "signals": [{"name": name, "rate_hz": 2.5 * fps, "values": values} for name, values in signals],
    }  # fmt: skip


def test_clips_with_fewer_bodies_are_padded_and_say_so():
    few, many = row(0), row(1, bodies=("ball", "cube", "cone"))
    layout = find_layout("toys", [[few], [many]])
    assert layout.names[:7] == [f"ball.{part}" for part in ("x", "y", "z", "qw", "qx", "qy", "qz")]
    assert layout.names[7:15] == [f"cube.{part}" for part in ("x", "y", "z", "qw", "qx", "qy", "qz", "present")]
    assert layout.names[15] == "cone.x"
    assert states(few, layout).shape == states(many, layout).shape == (2, 7 + 8 + 8)
    assert not states(few, layout)[:, 7:].any()
    assert states(many, layout)[0, 14] == states(many, layout)[0, 22] == 1.0


def test_a_name_is_the_same_body_in_every_clip():
    one, other = row(0, bodies=("ball", "cube")), row(1, bodies=("cube", "ball"))
    layout = find_layout("toys", [[one], [other]])
    assert states(one, layout)[0, [2, 9]].tolist() == [0.0, 1.0]
    assert states(other, layout)[0, [2, 9]].tolist() == [1.0, 0.0]


def test_signals_are_their_last_values_at_each_frame():
    one = row(0, signals=[("level", [0.0, 1.0, 2.0, 3.0]), ("flow", [5.0, float("nan"), 6.0, 7.0])])
    layout = find_layout("pour", [[one], [row(1, signals=[("level", [9.0])])]])
    assert layout.names[7:] == ["level", "flow", "flow.present"]
    assert states(one, layout)[:, 7:].tolist() == [[0.0, 5.0, 1.0], [2.0, 6.0, 1.0]]


def test_nothing_that_moves_is_still_a_vector():
    layout = find_layout("still", [[row(0, bodies=())]])
    assert layout.names == ["nothing"]
    assert states(row(0, bodies=()), layout).tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (row(1, fps=24), "10, 24 frames per second"),
        (row(1, width=80), "main 64x48 in 0, but main 80x48 in 1"),
        (row(1, camera="top"), "differ in cameras"),
    ],
)
def test_what_lerobot_has_no_place_for_is_refused(other, said):
    with pytest.raises(InputError, match=said):
        find_layout("toys", [[row(0)], [other]])


def test_statistics_of_episodes_add_up_to_those_of_all():
    rng = np.random.default_rng(0)
    parts = [rng.normal(k, 1 + k, (20 + 7 * k, 3)) for k in range(4)]
    totals = Totals()
    for part in parts:
        totals.add({"x": vector_stats(part)})
    found, every = totals.to_json()["x"], np.concatenate(parts)
    assert found["mean"] == pytest.approx(every.mean(0))
    assert found["std"] == pytest.approx(every.std(0))
    assert found["min"] == pytest.approx(every.min(0))
    assert found["count"] == [len(every)]


def test_statistics_of_pictures_are_those_of_their_pixels():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3), np.uint8)
    stats = picture_stats(pictures)
    flat = pictures.reshape(-1, 3) / 255
    assert stats["mean"].ravel() == pytest.approx(flat.mean(0))
    assert stats["std"].ravel() == pytest.approx(flat.std(0))
    assert stats["q50"].ravel() == pytest.approx(np.quantile(flat, 0.5, axis=0, method="inverted_cdf"))
    assert stats["max"].ravel() == pytest.approx(flat.max(0))
