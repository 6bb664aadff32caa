"""Whether a place on this machine can be written to, asked before anything is."""

from __future__ import annotations

import os
from pathlib import Path

from physreel.errors import InputError


def contents(out: Path) -> set[str]:
    """The names in a folder that is to be written to; none where there is no such folder yet and one can be made.

    Raises:
        InputError: it is a file, may not be written to, or cannot be.
    """
    try:
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {out} is a file; name a folder")
        if not out.exists():
            if problem := parent_problem(out):
                raise InputError(f"--out {out} {problem}")
            return set()
        if not os.access(out, os.R_OK | os.W_OK | os.X_OK):
            raise InputError(f"--out {out} is not writable; name another folder, or change its permissions")
        return {entry.name for entry in out.iterdir()}
    except (OSError, ValueError) as error:  # a name too long, a loop of links, a parent that may not be looked into
        raise InputError(f"--out {out} cannot be used: {getattr(error, 'strerror', None) or error}") from None


def own_folder_problem(out: Path, mark: str, hidden: str | None = None) -> str | None:
    """Why a command cannot write into a folder: it may be new, empty, or hold ``mark`` from last time.

    Args:
        out: the folder.
        mark: a file that the command leaves in each folder it writes.
        hidden: what may be left of a run that was cut short.
    """
    try:
        present = contents(out) - {hidden}
    except InputError as error:
        return str(error)
    if present and mark not in present:
        return f"--out {out} is not empty and was not written by this command; name a new or empty folder"
    return None


def parent_problem(path: Path) -> str | None:
    """Why a file or folder that is not there cannot be made, as the end of a sentence that begins with its name."""
    parent = next(parent for parent in path.absolute().parents if parent.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return None
    return f"cannot be made: {parent} is not a folder you may write to"
