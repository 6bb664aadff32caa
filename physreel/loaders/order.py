"""In which order the rows of a data set are read in an epoch, and who reads which; numbers only, nothing is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from physreel.errors import InputError

Uneven = Literal["keep", "drop", "pad"]
BLOCK_ROWS = 16
"""Rows that are read together; shards of Parquet have row groups of as many clips."""


@dataclass(frozen=True)
class Order:
    """What decides the order of rows.

    Attributes:
        seed: of the shuffle; 0 is a seed.
        shuffle: False for the order in which rows are stored.
        window_rows: rows that are mixed with each other, and so held in memory as they are stored. Blocks of rows are
            always shuffled over the whole data set.
        uneven: what becomes of rows that do not divide by the number of ranks. ``keep``: each comes once, and ranks
            differ by one row at most. ``drop``: the last of the epoch's order are left out, other ones each epoch.
            ``pad``: the first of the epoch's order come a second time.
    """

    seed: int = 0
    shuffle: bool = True
    window_rows: int = 256
    uneven: Uneven = "keep"

    def __post_init__(self) -> None:
        problems = []
        if self.seed < 0:
            problems.append(f"seed is {self.seed}; it must not be negative")
        if self.window_rows < 1:
            problems.append(f"window_rows is {self.window_rows}; it must be at least 1")
        if self.uneven not in ("keep", "drop", "pad"):
            problems.append(f"uneven is {self.uneven!r}; it may be keep, drop or pad")
        if problems:
            raise InputError("; ".join(problems))


def rank_rows(total: int, rank: int, ranks: int, uneven: Uneven) -> int:
    """How many rows a rank reads in an epoch."""
    if uneven == "drop":
        return total // ranks
    if uneven == "pad":
        return -(-total // ranks)
    start, stop = _share(total, rank, ranks)
    return stop - start


def epoch_rows(
    shard_rows: Sequence[int],
    order: Order,
    epoch: int,
    *,
    rank: int = 0,
    ranks: int = 1,
    worker: int = 0,
    workers: int = 1,
) -> NDArray[np.int64]:
    """The rows that one worker of one rank reads in an epoch, in order: (n, 2) of shard and row in it.

    Blocks of the data set are put in an order that depends on seed and epoch alone. Ranks, and in them workers, take
    equal stretches of it, so that all but the blocks at their ends are read by one of them only; each then mixes its
    rows within windows. Over all ranks and workers each row comes exactly once (see ``Order.uneven``).
    """
    blocks = np.array(
        [
            (shard, start, min(start + BLOCK_ROWS, rows))
            for shard, rows in enumerate(shard_rows)
            for start in range(0, rows, BLOCK_ROWS)
        ],
        np.int64,
    ).reshape(-1, 3)
    total = int(sum(shard_rows))
    if order.shuffle:
        blocks = blocks[_generator(order.seed, epoch, 0, 0).permutation(len(blocks))]
    sizes = blocks[:, 2] - blocks[:, 1]
    ends = np.cumsum(sizes)
    if order.uneven == "keep":
        start, stop = _share(total, rank, ranks)
    else:
        each = rank_rows(total, rank, ranks, order.uneven)
        start, stop = rank * each, (rank + 1) * each
    first, last = _share(stop - start, worker, workers)
    places = np.arange(start + first, start + last)
    if total:
        places %= total  # padded: from the front again
    block = np.searchsorted(ends, places, side="right")
    chosen = np.stack([blocks[block, 0], blocks[block, 1] + places - (ends - sizes)[block]], axis=1)
    if order.shuffle:
        rng = _generator(order.seed, epoch, 1 + rank, worker)
        for at in range(0, len(chosen), order.window_rows):
            window = chosen[at : at + order.window_rows]
            window[:] = window[rng.permutation(len(window))]
    return chosen


def _share(total: int, part: int, parts: int) -> tuple[int, int]:
    """Start and stop of a part; the first ``total % parts`` parts have one more."""
    each, left = divmod(total, parts)
    start = part * each + min(part, left)
    return start, start + each + (part < left)


def _generator(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
