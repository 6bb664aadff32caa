"""A data set's page as one folder that opens from disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from physreel.errors import InputError
from physreel.storage import Address, Store, is_remote
from physreel.storage.outputs import own_folder_problem
from physreel.view.clip import write_clip
from physreel.view.entries import ROWS_A_CHUNK, chunk_of
from physreel.view.film import Encode
from physreel.view.reading import Part, Rows, read_part
from physreel.view.scripts import script

MARK = "physreel-view.json"
"""The file that tells a folder that this wrote from any other."""

_HIDDEN = ".physreel-view"
_OWN = (MARK, "clips", "data", "assets", "index.html")
"""What a view is made of, in the order in which it comes to be: without index.html, the last, nothing opens."""


@dataclass(frozen=True)
class Written:
    """What was written: how many clips, and what of the data set could not be read."""

    clips: int
    page: Path
    problems: tuple[str, ...]


def place_problem(dataset: Address, out: Address) -> str | None:
    """Why a view cannot be written to a folder: it may be new, empty, or hold an earlier view. Writes nothing."""
    if is_remote(out):
        return f"--out {out} must be a folder of this machine"
    out = Path(out)
    if not is_remote(dataset) and _is_within(out, Path(os.fspath(dataset).removeprefix("file://"))):
        return f"--out {out} must not be in the data set's own folder; name another"
    return own_folder_problem(out, MARK, _HIDDEN)


def _is_within(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):  # no path at all, which is told of next
        return False


def write_view(
    dataset: Address,
    out: Address,
    *,
    encode: Encode,
    scene: str | None = None,
    limit: int | None = None,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write a data set's page; an earlier one is replaced when the new one is whole.

    Args:
        dataset: folder, or address that fsspec knows.
        out: folder: new, empty, or of an earlier view.
        encode: makes an mp4 of frames.
        scene: only this scene.
        limit: at most so many clips.
        workers: processes; 0 works in this one.
        progress: told (done, total) after each part.

    Raises:
        InputError: the data set cannot be read, or the folder not be written.
    """
    if problem := place_problem(dataset, out):
        raise InputError(problem)
    out = Path(out)
    rows = Rows(dataset, scene=scene, limit=limit)
    hidden = out / _HIDDEN
    with _new_folder(out, hidden):
        entries: list[Any] = [None] * rows.count
        problems, done = list(rows.problems), 0
        for part, made in _made(rows, hidden, encode, workers):
            if isinstance(made, str):
                problems.append(f"{part.shard.file} cannot be read: {made}")
            else:
                entries[part.first : part.first + len(made)] = made
            done += part.rows
            if progress is not None:
                progress(done, rows.count)
        numbered = [(k, entry) for k, entry in enumerate(entries) if entry is not None]
        if rows.count and not numbered:
            raise InputError("no clip can be read:\n" + "\n".join(f"  - {problem}" for problem in problems))
        _write_page(hidden, rows, [entry for _, entry in numbered], [k for k, _ in numbered], problems)
        _swap(hidden, out)
    return Written(len(numbered), out / "index.html", tuple(problems))


def _made(rows: Rows, folder: Path, encode: Encode, workers: int) -> Iterator[tuple[Part, list[Any] | str]]:
    if workers == 0 or len(rows.parts) < 2:
        for part in rows.parts:
            yield part, _make_part(rows.store, part, str(folder), encode)
        return
    import loky

    pool = loky.ProcessPoolExecutor(max_workers=min(workers, len(rows.parts)))
    try:
        waiting = [(part, pool.submit(_make_part, rows.store, part, str(folder), encode)) for part in rows.parts]
        for part, future in waiting:
            yield part, future.result()
    except loky.BrokenProcessPool:
        raise InputError(
            f"a worker process was ended from outside, most likely for want of memory (workers: {workers}); an earlier "
            "view is kept. Run the same command with --workers 1"
        ) from None
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _make_part(store: Store, part: Part, folder: str, encode: Encode) -> list[Any] | str:
    try:
        records = read_part(store, part)
    except (OSError, ValueError, ArithmeticError, KeyError, RecursionError, InputError) as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return [write_clip(record, part.first + k, Path(folder), encode) for k, record in enumerate(records)]


def summary(rows: Rows, count: int, problems: list[str]) -> dict[str, Any]:
    """What the page needs to know before anything else."""
    return {
        "dataset": Path(rows.store.address.rstrip("/")).name or rows.store.address,
        "count": count,
        "chunks": -(-count // ROWS_A_CHUNK),
        "problems": problems,
    }


def chunk_name(chunk: int) -> str:
    """Where a chunk of the grid is."""
    return f"data/rows-{chunk:05d}.js"


def chunk_script(chunk: int, entries: list[Any], numbers: list[int]) -> str:
    """A chunk of the grid as a script."""
    part = slice(chunk * ROWS_A_CHUNK, (chunk + 1) * ROWS_A_CHUNK)
    return script("rows", chunk_of(chunk * ROWS_A_CHUNK, entries[part]) | {"numbers": numbers[part]})


def assets() -> dict[str, bytes]:
    """The page's own files by relative name."""
    home = resources.files("physreel.view") / "assets"
    found = {
        f"assets/{file.name}": file.read_bytes()
        for file in sorted(home.iterdir(), key=lambda file: file.name)
        if file.name.endswith((".js", ".css", ".svg"))
    }
    return found | {"index.html": (home / "index.html").read_bytes()}


def _write_page(folder: Path, rows: Rows, entries: list[Any], numbers: list[int], problems: list[str]) -> None:
    told = summary(rows, len(entries), problems)
    files = assets() | {"data/summary.js": script("summary", told).encode()}
    for chunk in range(told["chunks"]):
        files[chunk_name(chunk)] = chunk_script(chunk, entries, numbers).encode()
    files[MARK] = b'{"physreel_view": 1}\n'
    (folder / "clips").mkdir(exist_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@contextmanager
def _new_folder(out: Path, hidden: Path) -> Iterator[None]:
    """A hidden folder inside ``out`` to work in, gone in the end; so is ``out`` if it was new and stays empty."""
    was_there = out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir()
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"cannot write to {out}: {reason}; an earlier view is kept. Make room or name another folder, then run the "
            "same command again"
        ) from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        if not was_there and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def _swap(hidden: Path, out: Path) -> None:
    """Put what is in the hidden folder in place of the earlier view."""
    old = hidden / "old"
    old.mkdir()
    for name in reversed(_OWN):
        # The mark stays: whatever happens between, the folder is known as ours.
        if name != MARK and (out / name).exists():
            os.replace(out / name, old / name)
    for name in _OWN:
        os.replace(hidden / name, out / name)
