"""The errors physreel raises for a reason a user can act on.

Every message says what was given, what is allowed and what to do. The command line turns each class into
its exit code and prints the message alone, without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable


class PhysreelError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class InputError(PhysreelError):
    """The request cannot be run as given: bad parameters, an unknown name, a folder that is not ours."""

    exit_code = 2


class SpecError(InputError):
    """A SceneSpec is not a possible world. ``problems`` lists every fault found, each with its path."""

    def __init__(self, problems: Iterable[str], *, what: str = "the scene spec") -> None:
        self.problems = tuple(problems)
        self.what = what
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(f"{what}: {count}\n" + "\n".join(f"  - {problem}" for problem in self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders; the default would call __init__ with the formatted message.
        return (_spec_error, (self.problems, self.what))


def _spec_error(problems: tuple[str, ...], what: str) -> SpecError:
    return SpecError(problems, what=what)


class UnsupportedError(InputError):
    """The chosen engine or renderer cannot do what the spec asks; the message names those that can."""


class MissingDependencyError(InputError):
    """An optional library is not installed; the message holds the command that installs it."""


class SimulationError(PhysreelError):
    """The simulation went wrong (NaN, energy out of nothing, tunnelling): an error for that sample, never a clip."""

    exit_code = 3


class SampleError(PhysreelError):
    """A sample failed for another reason; the run goes on without it."""

    exit_code = 3


class CheckError(PhysreelError):
    """A check that was asked for did not hold."""

    exit_code = 4
