"""The command line: ``physreel --help``. No logic of its own, and nothing heavy until a command runs."""

from physreel.cli.app import app, main

__all__ = ["app", "main"]
