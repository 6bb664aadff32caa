"""A data set for PyTorch: each row once an epoch over all ranks and workers, in an order that can be gone on with.

``ClipDataset`` gives clips as arrays; ``ClipLoader`` is a DataLoader that knows epochs and where it was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from physreel.errors import InputError, MissingDependencyError
from physreel.loaders.blocks import RowReader
from physreel.loaders.items import ItemMaker
from physreel.loaders.order import Order, Uneven, epoch_rows, rank_rows
from physreel.loaders.records import Record, shard_files
from physreel.storage import Address, open_store

try:
    import torch
    import torch.utils.data
except ImportError:
    raise MissingDependencyError("physreel.loaders.torch needs PyTorch; pip install 'physreel[torch]'") from None


class ClipDataset(torch.utils.data.IterableDataset):  # type: ignore[misc]
    """The clips of a data set, as arrays.

    The order is decided by (seed, epoch) and by how many ranks and workers share it. Call ``set_epoch`` before each
    pass, or let a ``ClipLoader`` do so.

    Args:
        path: folder, or address that fsspec knows.
        scene: only this scene.
        split: only this split.
        decode: which of video, audio, depth, segmentation, normals and flow become arrays.
        columns: stored columns to give besides, as plain values.
        transform: what to make of a ``Record`` that has what ``decode`` and ``columns`` name (and ``sample_id``); its
            result is the item. By default a dict of the arrays and columns.
        frame_stride: keep each so many-th frame, from the first on, of pictures and passes.
        frame_size: (height, width) to which pictures are scaled; not for passes, whose numbers cannot be mixed.
        shuffle: False for the order in which rows are stored.
        seed: of the shuffle.
        window_rows: rows that are mixed with each other, and held in memory as they are stored, by each worker.
        uneven: what becomes of rows that do not divide by the number of ranks: ``keep`` them (ranks differ by one row
            at most), ``drop`` them, or ``pad`` with rows of the epoch's begin. DDP wants drop or pad.
        rank, ranks: of this process; by default those of ``torch.distributed``, if it is initialised, else 0 and 1.

    Raises:
        InputError: it is no data set of ours, or something asked for cannot be had.
    """

    def __init__(
        self,
        path: Address,
        *,
        scene: str | None = None,
        split: str | None = None,
        decode: Sequence[str] = ("video", "audio"),
        columns: Sequence[str] = (),
        transform: Callable[[Record], Any] | None = None,
        frame_stride: int = 1,
        frame_size: tuple[int, int] | None = None,
        shuffle: bool = True,
        seed: int = 0,
        window_rows: int = 256,
        uneven: Uneven = "keep",
        rank: int | None = None,
        ranks: int | None = None,
    ) -> None:
        super().__init__()
        self.order = Order(seed=seed, shuffle=shuffle, window_rows=window_rows, uneven=uneven)
        self._make = ItemMaker(tuple(decode), tuple(columns), transform, frame_stride, frame_size)
        self._path = path
        self._shards = shard_files(path, scene=scene, split=split)
        self.rank, self.ranks = _ranks(rank, ranks)
        # Shared, so that workers that live on for another epoch see what is set here: epoch, batches, rows a batch.
        self._shared = torch.zeros(3, dtype=torch.int64).share_memory_()
        self._taken = 0
        self._resumed: tuple[int, int] | None = None

    def __len__(self) -> int:
        """Rows that this rank reads in an epoch."""
        return rank_rows(sum(shard.rows for shard in self._shards), self.rank, self.ranks, self.order.uneven)

    @property
    def epoch(self) -> int:
        """The epoch that the next pass reads."""
        return int(self._shared[0])

    def set_epoch(self, epoch: int) -> None:
        """Read this epoch, from its begin, in the next pass."""
        if epoch < 0:
            raise InputError(f"epoch is {epoch}; it must not be negative")
        self._resumed = None
        self.begin(epoch, 0, 1)

    def begin(self, epoch: int, batches: int, batch_size: int) -> None:
        """What a loader says before a pass: so many batches were taken of it by all workers together."""
        self._shared[:] = torch.tensor([epoch, batches, batch_size])

    def __iter__(self) -> Iterator[Any]:
        """The items of one worker, or of the rank where there are no workers."""
        info = torch.utils.data.get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        epoch, batches, batch_size = self._shared.tolist()
        # A loader asks its workers in turn, from the first on; after some batches it would be another one's turn, so
        # they take each other's places.
        place = (worker + batches) % workers
        skip = (batches // workers + (place < batches % workers)) * batch_size
        if self._resumed is not None:
            skip, workers_then = self._resumed
            self._resumed = None
            if workers_then != workers:
                raise InputError(
                    f"the state was taken with {workers_then} workers, this pass has {workers}; use as many, or a "
                    "ClipLoader, which goes on as a whole"
                )
        shares = {"rank": self.rank, "ranks": self.ranks, "worker": place, "workers": workers}
        rows = epoch_rows([shard.rows for shard in self._shards], self.order, epoch, **shares)
        reader = RowReader(open_store(self._path), self._shards, self._make.stored)
        self._taken = skip
        for record in reader.read(rows, self.order.window_rows, skip=skip):
            item = self._make(record)
            self._taken += 1
            yield item

    def state_dict(self) -> dict[str, Any]:
        """Where the pass in this process is; what torchdata's StatefulDataLoader asks each worker for."""
        info = torch.utils.data.get_worker_info()
        return {
            "of": self.identity(),
            "epoch": self.epoch,
            "rows": self._taken,
            "workers": 1 if info is None else info.num_workers,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Begin the next pass where the state was taken; nothing that comes before is read.

        Raises:
            InputError: the state is of other rows or of another order.
        """
        _same(state, self.identity())
        self.begin(state["epoch"], 0, 1)
        self._resumed = state["rows"], state["workers"]

    def identity(self) -> dict[str, Any]:
        """All that decides which rows come when: states of data sets that differ in it do not fit."""
        return {
            "shards": [f"{shard.file} {shard.sha256}" for shard in self._shards],
            **{name: getattr(self.order, name) for name in ("seed", "shuffle", "window_rows", "uneven")},
            "rank": self.rank,
            "ranks": self.ranks,
        }


class ClipLoader(torch.utils.data.DataLoader):  # type: ignore[misc]
    """A DataLoader that counts: it goes through the epochs, and goes on after the batch after which it was stopped.

    Each whole pass reads the next epoch. A pass that is left early is begun anew by the next one, unless a state is
    loaded.

    Args:
        dataset: what to read.
        batch_size: clips in a batch.
        **options: as those of DataLoader; ``collate_fn`` is by default ``collate`` of this module.

    Raises:
        InputError: no batch size.

    Attributes:
        epoch: the epoch that is read, or that the next pass reads.
    """

    def __init__(self, dataset: ClipDataset, batch_size: int = 1, **options: Any) -> None:
        if not isinstance(batch_size, int) or batch_size < 1:
            raise InputError(f"batch_size is {batch_size!r}; a ClipLoader counts batches, so it must be at least 1")
        options.setdefault("collate_fn", collate)
        # Without one, DataLoader draws from the global generator.
        options.setdefault("generator", torch.Generator().manual_seed(dataset.order.seed))
        super().__init__(dataset, batch_size=batch_size, **options)
        self.epoch = dataset.epoch
        self._taken = self._begun_at = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        workers = max(self.num_workers, 1)
        each = [len(range(worker, len(self.dataset), workers)) for worker in range(workers)]
        return sum(rows // self.batch_size if self.drop_last else -(-rows // self.batch_size) for rows in each)

    def __iter__(self) -> Iterator[Any]:
        """The batches of an epoch, or what is left of it."""
        self._taken, self._begun_at = self._begun_at, 0
        self.dataset.begin(self.epoch, self._taken, self.batch_size)
        for batch in super().__iter__():
            self._taken += 1
            yield batch
        self.epoch, self._taken = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Where it is: after the batch that was given out last, whatever workers have prepared."""
        return {"of": self._identity(), "epoch": self.epoch, "batches": self._taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Give out next what came after the batch at which the state was taken.

        Raises:
            InputError: the state is of other rows, of another order, or of another number of workers or clips a batch.
        """
        _same(state, self._identity())
        self.epoch, self._begun_at = state["epoch"], state["batches"]
        self._taken = self._begun_at

    def _identity(self) -> dict[str, Any]:
        own = {"batch_size": self.batch_size, "num_workers": self.num_workers, "drop_last": self.drop_last}
        return cast("ClipDataset", self.dataset).identity() | own


def collate(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Items as one batch: arrays as tensors, numbers as a tensor, all else as lists.

    Arrays that differ in their first axis (frames, samples) are filled up with zeros at its end, and NAME_length
    (B,) int64 tells how long each was.

    Raises:
        InputError: arrays of one name differ in another axis.
    """
    batch: dict[str, Any] = {}
    for name in items[0]:
        values = [item[name] for item in items]
        if isinstance(values[0], np.ndarray):
            batch[name] = _stacked(name, values)
            if values[0].ndim:
                batch[f"{name}_length"] = torch.tensor([len(value) for value in values])
        elif all(isinstance(value, (bool, int, float)) for value in values):
            batch[name] = torch.tensor(values)
        else:
            batch[name] = values
    return batch


def _stacked(name: str, arrays: Sequence[Any]) -> Any:
    if len({array.shape[1:] for array in arrays}) > 1:
        shapes = ", ".join(sorted({str(array.shape) for array in arrays}))
        raise InputError(
            f"clips of one batch differ in the shape of {name}: {shapes}; give frame_size, read one scene, or collate "
            "them yourself"
        )
    longest = max((len(array) for array in arrays if array.ndim), default=0)
    out = np.zeros((len(arrays), *((longest,) if arrays[0].ndim else ()), *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    # Torch has no use for unsigned numbers of two bytes.
    return torch.from_numpy(out.astype(np.int32) if out.dtype == np.uint16 else out)


def _ranks(rank: int | None, ranks: int | None) -> tuple[int, int]:
    if (rank is None) != (ranks is None):
        raise InputError("give both rank and ranks, or neither")
    if rank is None or ranks is None:
        spread = torch.distributed.is_available() and torch.distributed.is_initialized()
        return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if spread else (0, 1)
    if not 0 <= rank < ranks:
        raise InputError(f"rank is {rank} of {ranks}; ranks count from 0")
    return rank, ranks


def _same(state: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    then = state.get("of", {})
    differ = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
    if differ:
        told = [
            "the shards" if name == "shards" else f"{name} ({then.get(name)!r} then, {now.get(name)!r} now)"
            for name in differ
        ]
        raise InputError(f"the state does not fit: what differs is {', '.join(told)}")
