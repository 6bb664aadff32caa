"""The order of rows in an epoch, rows by number, and the cue apart from the target; no torch needed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from fakes import plan_values
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_builders import make_sample

from physreel.errors import InputError
from physreel.exporters.base import ExportContext
from physreel.exporters.rows import sample_rows
from physreel.loaders import Record, records, split_at_cue
from physreel.loaders.blocks import RowReader
from physreel.loaders.cue import count_before
from physreel.loaders.decode import decode_video
from physreel.loaders.items import ItemMaker
from physreel.loaders.order import Order, epoch_rows, rank_rows
from physreel.loaders.records import shard_files
from physreel.plan import Plan
from physreel.runners.local import run
from physreel.storage import open_store

SHARDS = st.lists(st.integers(0, 70), min_size=1, max_size=5)


def everything(shards, order, epoch, ranks, workers):
    return [
        [epoch_rows(shards, order, epoch, rank=r, ranks=ranks, worker=w, workers=workers) for w in range(workers)]
        for r in range(ranks)
    ]


@settings(max_examples=80, deadline=None)
@given(
    shards=SHARDS, ranks=st.integers(1, 4), workers=st.integers(1, 4), window=st.integers(1, 90), shuffle=st.booleans()
)
def test_each_row_comes_once_over_all_ranks_and_workers(shards, ranks, workers, window, shuffle):
    order = Order(seed=0, window_rows=window, shuffle=shuffle)
    read = everything(shards, order, 3, ranks, workers)
    rows = Counter(tuple(row) for rank in read for part in rank for row in part.tolist())
    assert rows == Counter((s, k) for s, count in enumerate(shards) for k in range(count))
    for r, rank in enumerate(read):
        sizes = [len(part) for part in rank]
        assert sum(sizes) == rank_rows(sum(shards), r, ranks, "keep")
        assert max(sizes) - min(sizes) <= 1
        assert sizes == sorted(sizes, reverse=True)  # what going on with several workers relies on
    lengths = [sum(map(len, rank)) for rank in read]
    assert max(lengths) - min(lengths) <= 1


@settings(max_examples=60, deadline=None)
@given(shards=SHARDS, ranks=st.integers(1, 5), uneven=st.sampled_from(["drop", "pad"]))
def test_ranks_are_of_one_length_with_drop_and_pad(shards, ranks, uneven):
    read = everything(shards, Order(uneven=uneven), 0, ranks, 1)
    lengths = {len(rank[0]) for rank in read}
    assert len(lengths) == 1
    rows = Counter(tuple(row) for rank in read for row in rank[0].tolist())
    total = sum(shards)
    if uneven == "drop":
        assert set(rows.values()) <= {1}
        assert total - len(rows) == total % ranks
    else:
        assert len(rows) == total
        assert sum(rows.values()) - total == -total % ranks


def test_the_order_follows_seed_and_epoch_alone():
    def flat(**changes):
        epoch = changes.pop("epoch", 0)
        return epoch_rows([40, 25, 60], Order(**changes), epoch).tolist()

    assert flat(seed=0) == flat(seed=0)
    assert len({str(flat(seed=s, epoch=e)) for s in (0, 1) for e in (0, 1)}) == 4
    assert flat(shuffle=False) == sorted(flat(seed=5))
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    flat(seed=1)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_rows_are_mixed_well():
    """Shuffled over 40 shards: where a row comes has little to do with where it lies, and neighbours part."""
    rows = epoch_rows([64] * 40, Order(seed=0), 0)
    stored = rows[:, 0] * 64 + rows[:, 1]
    assert abs(np.corrcoef(stored, np.arange(len(stored)))[0, 1]) < 0.1
    assert np.mean(np.abs(np.diff(stored)) < 16) < 0.1


def test_orders_that_cannot_be_are_refused_with_all_that_is_wrong():
    with pytest.raises(InputError, match=r"seed is -1.*window_rows is 0.*uneven is 'cut'"):
        Order(seed=-1, window_rows=0, uneven="cut")
    with pytest.raises(
        InputError, match=r"decode names 'vidio'.*frame_stride is 0.*frame_size is for video, not for depth"
    ):
        ItemMaker(("vidio", "depth"), (), None, 0, (4, 4))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    out = tmp_path_factory.mktemp("rows") / "data"
    run(Plan(**plan_values(count=42, shard_size=20)), out, workers=0)
    return out


def test_rows_by_number_are_the_rows_in_order(stored, monkeypatch):
    store, shards = open_store(stored), shard_files(stored)
    assert [shard.rows for shard in shards] == [20, 20, 2]
    every = [list(records(stored))[k].row for k in range(42)]
    reader = RowReader(store, shards, None)
    rows = epoch_rows([20, 20, 2], Order(seed=4, window_rows=30), 1)
    read = [record.row for record in reader.read(rows, 30)]
    assert read == [every[20 * shard + row] for shard, row in rows]
    opened = []
    plain = RowReader._block
    monkeypatch.setattr(RowReader, "_block", lambda self, *key: opened.append(key) or plain(self, *key))
    later = [record.row for record in reader.read(rows, 30, skip=37)]
    assert later == read[37:]
    assert set(opened) == {(s, k // 16) for s, k in rows[37:].tolist()}  # nothing else is read
    assert len(opened) == len(set(opened))


@pytest.mark.parametrize("exporter", ["webdataset", "lerobot"])
def test_rows_by_number_whatever_the_format(tmp_path, exporter):
    run(Plan(**plan_values(count=18, shard_size=20, exporter=exporter, passes=("rgb",))), tmp_path / "out", workers=0)
    every = [record.row for record in records(tmp_path / "out", columns=["index", "video"])]
    reader = RowReader(open_store(tmp_path / "out"), shard_files(tmp_path / "out"), ["index", "video"])
    numbers = [17, 2, 16, 0]
    assert [record.row for record in reader.read(np.array([[0, k] for k in numbers]), 4)] == [every[k] for k in numbers]


def test_only_what_is_asked_for_is_read(stored):
    reader = RowReader(open_store(stored), shard_files(stored), ["sample_id", "fps", "not there"])
    assert all(set(record) == {"sample_id", "fps"} for record in reader.read(np.array([[0, 3], [2, 1]]), 2))


def test_a_damaged_shard_is_told_as_such(stored, tmp_path):
    shards = shard_files(stored)
    copy = tmp_path / "copy"
    (copy / shards[0].file).parent.mkdir(parents=True)
    (copy / shards[0].file).write_bytes((stored / shards[0].file).read_bytes()[:500])
    with pytest.raises(InputError, match="damaged"):
        list(RowReader(open_store(copy), shards, None).read(np.array([[0, 0]]), 1))
    with pytest.raises(InputError, match="missing"):
        list(RowReader(open_store(copy), shards, None).read(np.array([[1, 0]]), 1))


def test_a_row_as_arrays():
    record = made_record()
    item = ItemMaker(("video", "audio", "depth"), ("fps",), None, 2, None)(record)
    np.testing.assert_array_equal(item["video"], record.video[::2])
    np.testing.assert_array_equal(item["depth"], record.depth[::2])
    np.testing.assert_array_equal(item["audio"], record.audio)
    assert item["fps"] == record["fps"]
    frames, height, width, _ = record.video.shape
    small = decode_video(record.stored_bytes("video"), size=(height // 2, width // 2))
    assert small.shape == (frames, height // 2, width // 2, 3)
    by_hand = record.video.reshape(frames, height // 2, 2, width // 2, 2, 3).mean((2, 4))
    assert np.abs(small - by_hand).mean() < 3


def test_pictures_are_those_of_av_at_any_size():
    import io

    import av

    from physreel.exporters.video import encode_mp4

    rng = np.random.default_rng(0)
    for height, width in ((32, 48), (31, 45), (18, 258)):  # rows that are padded in memory, and 4:4:4
        data = encode_mp4(rng.integers(0, 256, (5, height, width, 3), np.uint8), 24)
        with av.open(io.BytesIO(data)) as container:
            plain = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        np.testing.assert_array_equal(decode_video(data), plain)
        np.testing.assert_array_equal(decode_video(data, stride=2), plain[::2])


def made_record(**changes):
    sample = make_sample()
    context = ExportContext(
        scene="by_hand", outcome_type=type(sample.outcome), passes=("rgb", "depth", "segmentation", "normals", "flow"),
        audio=True,
    )  # fmt: skip
    return Record(sample_rows(sample, context)[0] | changes)


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_nothing_of_after_the_cue_is_in_the_cue(frames):
    fps = made_record()["fps"]
    record = made_record(cue_s=frames / fps)
    split = split_at_cue(record)
    assert len(split.cue.video) == frames == len(split.cue.passes["depth"])
    assert len(split.cue.audio) == frames * 48_000 // fps
    assert len(split.cue.passes["flow"]) == max(frames - 1, 0)  # flow points into the next frame
    for name in ("video", "audio"):
        whole = np.concatenate([getattr(split.cue, name), getattr(split.target, name)])
        np.testing.assert_array_equal(whole, getattr(record, name))
    for name, values in split.cue.passes.items():
        np.testing.assert_array_equal(np.concatenate([values, split.target.passes[name]]), getattr(record, name))
    # The last sample that is shown is before the cue, the next is not.
    assert (len(split.cue.audio) - 1) / 48_000 < split.cue.cue_s <= len(split.cue.audio) / 48_000


def test_words_that_tell_the_outcome_are_on_the_targets_side():
    record = made_record(cue_s=0.1)
    split = split_at_cue(record)
    shown = repr(vars(split.cue))
    assert record["caption"] not in shown
    assert "bounce" not in shown  # an event
    assert "'2'" not in shown  # an answer
    assert "needs" not in shown
    assert [question["question"] for question in split.cue.questions] == ["How many fall?", "Which is first?"]
    assert split.target.answers == ("2", "ball")
    assert split.target.caption == record["caption"]
    assert split.target.outcome == record["outcome"]
    assert len(split.target.events) == 1


@given(frame=st.integers(0, 5000), fps=st.integers(1, 240))
def test_a_frame_on_the_cue_is_not_before_it_however_the_time_was_rounded(frame, fps):
    for time_s in (frame / fps, frame * (1 / fps), float(np.float64(frame) / fps), np.nextafter(frame / fps, 1e9)):
        assert count_before(time_s, fps) == frame
    assert count_before((frame + 0.5) / fps, fps) == frame + 1
