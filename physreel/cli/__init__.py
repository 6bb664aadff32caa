"""The command line: ``physreel --help``. No logic of its own, and nothing heavy until a command runs."""

from physreel.cli.app import main
from physreel.cli.options import app

__all__ = ["app", "main"]
