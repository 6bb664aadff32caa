"""How checks are run one by one, and what counts as the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from physreel.errors import CheckError, MissingDependencyError


class Report:
    """Runs checks one by one and collects what failed."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.passed: list[str] = []
        self.failed: list[str] = []

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        """Run a block as the check of that name; whatever it raises is a failure, and the next check runs.

        But for a library that is not installed, which is no fault of what is checked.
        """
        try:
            yield
        except MissingDependencyError:
            raise
        except AssertionError as error:
            self.failed.append(f"{name}: {error}" if str(error) else name)
        except Exception as error:
            self.failed.append(f"{name}: raised {type(error).__name__}: {error}")
        else:
            self.passed.append(name)

    def done(self) -> tuple[str, ...]:
        """Names of the checks that held; CheckError with all that failed."""
        if self.failed:
            lines = "\n".join(f"  - {line}" for line in self.failed)
            raise CheckError(
                f"{self.what}: {len(self.failed)} of {len(self.failed) + len(self.passed)} failed:\n{lines}"
            )
        return tuple(self.passed)


def require(condition: object, message: str) -> None:
    """Fail the check that runs, unless the condition holds."""
    # A plain assert would vanish under python -O, and these checks are a product feature.
    if not condition:
        raise AssertionError(message)


def same(a: Any, b: Any) -> bool:
    """Whether two values agree to the last byte, arrays and dataclasses included."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(getattr(a, n), getattr(b, n)) for n in a.__dataclass_fields__)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if hasattr(a, "items"):
        return list(a) == list(b) and all(same(value, b[key]) for key, value in a.items())
    return bool(a == b)


@contextmanager
def untouched_global_rng() -> Iterator[None]:
    """Fail if a block draws from a generator that is not its own."""
    import random

    before = (random.getstate(), copy.deepcopy(np.random.get_state()))  # noqa: NPY002
    try:
        yield
    finally:  # the cause comes before what it led to
        after = (random.getstate(), np.random.get_state())  # noqa: NPY002
        require(before[0] == after[0], "it draws from the global random module; use the generator it is given")
        require(
            all(np.array_equal(x, y) for x, y in zip(before[1], after[1], strict=True)),
            "it draws from numpy's global generator; use the generator it is given",
        )
