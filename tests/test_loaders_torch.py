"""PyTorch data sets: each clip once, in an order that can be gone on with, whatever the workers."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from fakes import plan_values

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-all")

from physreel.errors import InputError  # noqa: E402
from physreel.loaders import records  # noqa: E402
from physreel.loaders.records import Record  # noqa: E402
from physreel.loaders.torch import ClipDataset, ClipLoader, collate  # noqa: E402
from physreel.plan import Plan  # noqa: E402
from physreel.runners.local import run  # noqa: E402

COUNT = 43


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    out = tmp_path_factory.mktemp("clips") / "data"
    run(Plan(**plan_values(count=COUNT, shard_size=20)), out, workers=0)
    return out


def name_of(record: Record) -> str:
    return record["sample_id"]


def names(path, **changes):
    values = {"decode": (), "transform": name_of, "window_rows": 12} | changes
    return ClipDataset(path, **values)


def flat(batches):
    return [name for batch in batches for name in batch]


def listed(items):
    return list(items)


def loader(dataset, **changes):
    return ClipLoader(dataset, **({"batch_size": 4, "collate_fn": listed} | changes))


def test_each_clip_comes_once_over_ranks_and_workers(stored):
    every = Counter(record["sample_id"] for record in records(stored, columns=["sample_id"]))
    assert len(every) == COUNT
    for workers in (0, 2):
        parts = [flat(loader(names(stored, rank=r, ranks=3), num_workers=workers)) for r in range(3)]
        assert Counter(name for part in parts for name in part) == every
        assert [len(part) for part in parts] == [15, 14, 14]
    equal = [loader(names(stored, rank=r, ranks=3, uneven="pad"), num_workers=2) for r in range(3)]
    assert len({(len(one), len(list(one))) for one in equal}) == 1


def test_epochs_differ_and_come_again(stored):
    one, two = loader(names(stored)), loader(names(stored))
    first, second = list(one), list(one)
    assert first != second
    assert sorted(flat(first)) == sorted(flat(second))
    assert [list(two), list(two)] == [first, second]
    two.dataset.set_epoch(1)
    assert list(names(stored)) == flat(first)
    assert list(two.dataset) == flat(second)
    assert flat(loader(names(stored, seed=1))) != flat(first)
    stored_order = [record["sample_id"] for record in records(stored, columns=["sample_id"])]
    assert flat(loader(names(stored, shuffle=False))) == stored_order


@pytest.mark.parametrize(
    ("workers", "options"),
    [
        (0, {}),
        (2, {}),
        (2, {"drop_last": True, "batch_size": 3, "persistent_workers": True}),
    ],
)
def test_a_pass_goes_on_where_its_state_was_taken(stored, workers, options):
    options = {"num_workers": workers} | options
    whole = loader(names(stored), **options)
    expected = [list(whole), list(whole)]
    assert len(expected[0]) == len(whole)
    stops = range(len(whole) + 1) if workers == 0 else (1, len(whole) - 1)
    for stop in stops:
        broken = loader(names(stored), **options)
        before = list(islice(broken, stop)) if stop else []
        state = broken.state_dict()
        again = loader(names(stored), **options)
        again.load_state_dict(state)
        assert before + list(again) == expected[0]
        assert list(again) == expected[1]


def test_workers_may_be_spawned(stored):
    expected = flat(loader(names(stored), num_workers=1))
    assert flat(loader(names(stored), num_workers=1, multiprocessing_context="spawn")) == expected


def test_a_data_set_goes_on_by_itself_and_reads_nothing_twice(stored, monkeypatch):
    expected = list(names(stored))
    broken = names(stored)
    taken = list(islice(broken, 17))
    state = broken.state_dict()
    again = names(stored)
    again.load_state_dict(state)
    made = []
    monkeypatch.setattr("physreel.loaders.blocks.Record", lambda row: made.append(row) or Record(row))
    assert taken + list(again) == expected
    assert len(made) == COUNT - 17


def test_a_state_of_something_else_is_refused(stored):
    state = loader(names(stored)).state_dict()
    with pytest.raises(InputError, match=r"batch_size \(4 then, 5 now\), seed \(0 then, 1 now\)"):
        loader(names(stored, seed=1), batch_size=5).load_state_dict(state)
    dataset = names(stored)
    dataset.load_state_dict(names(stored).state_dict())
    with pytest.raises(InputError, match="taken with 1 workers, this pass has 2"):
        list(torch.utils.data.DataLoader(dataset, num_workers=2, batch_size=None))


def test_arrays_and_columns_are_those_of_the_records(stored):
    of_name = {record["sample_id"]: record for record in records(stored)}
    dataset = ClipDataset(stored, decode=("video", "depth"), columns=("fps", "outcome"), frame_stride=2)
    batches = list(ClipLoader(dataset, batch_size=6))
    assert sum(len(batch["sample_id"]) for batch in batches) == COUNT
    batch = batches[2]
    for k, name in enumerate(batch["sample_id"]):
        np.testing.assert_array_equal(batch["video"][k].numpy(), of_name[name].video[::2])
        np.testing.assert_array_equal(batch["depth"][k].numpy(), of_name[name].depth[::2])
        assert batch["outcome"][k] == of_name[name]["outcome"]
    assert batch["fps"].tolist() == [10] * 6
    assert batch["video_length"].tolist() == [3] * 6
    with pytest.raises(InputError, match="has no audio"):
        next(iter(ClipDataset(stored)))


def test_clips_of_different_length_are_filled_up():
    long, short = np.ones((5, 2), np.float32), np.full((3, 2), 2, np.float32)
    batch = collate([{"audio": long, "n": 1, "word": "a"}, {"audio": short, "n": 2, "word": "b"}])
    assert batch["audio"].shape == (2, 5, 2)
    assert batch["audio"][1].sum() == 12
    assert batch["audio_length"].tolist() == [5, 3]
    assert batch["n"].tolist() == [1, 2]
    assert batch["word"] == ["a", "b"]
    masks = collate([{"segmentation": np.full((1, 2, 2), 65_535, np.uint16)}])["segmentation"]
    assert masks.max() == 65_535
    with pytest.raises(InputError, match=r"shape of audio: \(5, 1\), \(5, 2\)"):
        collate([{"audio": long}, {"audio": long[:, :1]}])


def test_an_address_elsewhere_is_read_with_workers(stored):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(stored), "/loaders_torch", recursive=True)
    assert flat(loader(names("memory://loaders_torch"), num_workers=2)) == flat(loader(names(stored), num_workers=2))


def test_no_global_generator_is_used(stored):
    torch.manual_seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    list(loader(names(stored), num_workers=2))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]  # noqa: NPY002


def test_ranks_are_told_whole(stored):
    with pytest.raises(InputError, match="batch_size is None"):
        ClipLoader(names(stored), batch_size=None)
    with pytest.raises(InputError, match="both rank and ranks"):
        names(stored, rank=0)
    with pytest.raises(InputError, match="rank is 2 of 2"):
        names(stored, rank=2, ranks=2)
    with pytest.raises(InputError, match="has no split 'dev'"):
        names(stored, split="dev")
