"""A file to begin a scene of one's own with: it works as it is, and says where to change what."""

from __future__ import annotations

import errno
import importlib.util
import keyword
import os
import re
import string
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from physreel import registry
from physreel.errors import InputError, SpecError
from physreel.storage.outputs import parent_problem

MOST_LETTERS = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# How often the block of the template falls at its default parameters, measured over 400 seeds.
_SHARES = {"share_yes": "0.61", "share_no": "0.39"}


@dataclass(frozen=True)
class NewScene:
    """What was written: the files, and how the scene is called on the command line."""

    name: str
    class_name: str
    files: tuple[Path, ...]

    @property
    def reference(self) -> str:
        """``path/to/file.py:Class``."""
        return f"{self.files[0]}:{self.class_name}"


def write_new_scene(name: str, out: Path | None = None, *, test: bool = False) -> NewScene:
    """Write a scene's file, and a test beside it if asked; neither may exist.

    Args:
        name: of the scene, in snake_case.
        out: the file; ``NAME.py`` here by default.
        test: whether to write ``test_FILE`` beside it.

    Raises:
        SpecError: lists all that is wrong with the request; nothing has been written.
        InputError: the files cannot be written.
    """
    path = Path(f"{name}.py") if out is None else out
    problems = _name_problems(name)
    if out is not None or not problems:  # a bad name makes a bad file, which need not be said twice
        problems += _file_problems(path, "--out" if out is not None else "the file")
    tested = path.parent / f"test_{path.name}"
    if test and (tested.exists() or tested.is_symlink()):
        problems.append(f"--test: {tested} is there already and is not written over; move it or leave out --test")
    if problems:
        raise SpecError(problems, what="this scene cannot be begun")
    class_name = class_name_of(name)
    words = {"name": name, "class_name": class_name, "module": path.stem, "file": path.name, **_SHARES}
    texts = {path: "scene.py.txt"} | ({tested: "test_scene.py.txt"} if test else {})
    filled = {file: string.Template(_template(source)).substitute(words) for file, source in texts.items()}
    _write_all(filled)
    return NewScene(name, class_name, tuple(texts))


def class_name_of(name: str) -> str:
    """``rolling_ball`` → ``RollingBall``."""
    return "".join(part.capitalize() for part in name.split("_"))


def _template(file: str) -> str:
    return resources.files("physreel.starting").joinpath("templates", file).read_text(encoding="utf-8")


def _name_problems(name: str) -> list[str]:
    if not _NAME.fullmatch(name):
        plain = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
        plain = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_0123456789")[:MOST_LETTERS]
        hint = f"; such as {plain!r}" if _NAME.fullmatch(plain) else ""
        return [f"NAME: {name!r} must be small letters, digits and single underscores, and begin with a letter{hint}"]
    problems = []
    if len(name) > MOST_LETTERS:
        problems.append(f"NAME: {name!r} has {len(name)} letters; {MOST_LETTERS} at most")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        problems.append(f"NAME: {name!r} is a word of Python; choose another, such as {name + '_scene'!r}")
    for entry in registry.entries("scenes"):
        if entry.name == name:
            whose = "one of physreel's own scenes" if entry.built_in else f"taken by {entry.target}"
            problems.append(f"NAME: {name!r} is {whose}; choose another, such as {'my_' + name!r}")
    return problems


def _file_problems(path: Path, said: str) -> list[str]:
    if path.suffix != ".py" or not path.stem.isidentifier() or keyword.iskeyword(path.stem):
        return [f"{said}: {path} must be a Python file that can be imported, such as {path.parent / 'my_scene.py'}"]
    if _shadows(path.stem):
        return [f"{said}: {path} would hide the module {path.stem!r} from all that runs beside it; name it otherwise"]
    if path.exists() or path.is_symlink():
        return [f"{said}: {path} is there already and is not written over; move it, or name another with --out"]
    problem = parent_problem(path)
    return [f"{said}: {path} {problem}"] if problem else []


def _shadows(module: str) -> bool:
    if module in sys.stdlib_module_names:
        return True
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return True
    # What lies in the current folder is no installed module: if it is this file, it is told that it exists.
    return found is not None and (found.origin is None or "site-packages" in Path(found.origin).parts)


def _write_all(texts: dict[Path, str]) -> None:
    """Write all files or none: each appears whole, and never over another."""
    made: list[Path] = []
    hidden: list[Path] = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            hidden.append(temporary)
            temporary.write_text(text, encoding="utf-8")
            _appear(temporary, path, text)
            made.append(path)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise InputError(f"cannot write {error.filename2 or error.filename}: {error.strerror}") from None
    finally:
        for path in hidden:
            path.unlink(missing_ok=True)


def _appear(temporary: Path, path: Path, text: str) -> None:
    """Give a hidden file its name; unlike a rename this fails where somebody was faster."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        with path.open("x", encoding="utf-8") as file:  # shared folders and sticks know no links
            file.write(text)
