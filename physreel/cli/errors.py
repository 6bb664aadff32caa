"""What ends a command: one clear message on stderr and an exit code, never a traceback unless asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from physreel.errors import PhysreelError

EXIT_FINE, EXIT_INTERNAL, EXIT_INPUT, EXIT_FAILED_SAMPLES, EXIT_CHECK, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130


def guarded(command: Callable[[], Any], *, show_traceback: bool = False, interrupted: str = "") -> Any:
    """Run a command and turn what it raises into a message and an exit code.

    Args:
        command: what to do.
        show_traceback: raise instead, for those who look for a fault (also by PHYSREEL_TRACEBACK=1).
        interrupted: what Ctrl-C means for what has been done so far.
    """
    show_traceback = show_traceback or os.environ.get("PHYSREEL_TRACEBACK", "") not in ("", "0")
    try:
        return command()
    except KeyboardInterrupt:
        say(f"stopped. {interrupted}".strip())
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output (head, less) has enough; Python's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_FINE) from None
    except PhysreelError as error:
        if show_traceback:
            raise
        say(f"error: {error}")
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if show_traceback:
            raise
        say(
            f"internal error: {type(error).__name__}: {error}\n"
            "This is a fault in physreel or in a plug-in; --traceback or PHYSREEL_TRACEBACK=1 shows where."
        )
        raise SystemExit(EXIT_INTERNAL) from None


def say(message: str) -> None:
    """To stderr."""
    print(f"physreel: {message}", file=sys.stderr)
