"""Runs of the fakes, and what they leave behind."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fakes import plan_values

from physreel.pipeline import Pipeline
from physreel.plan import Plan


def plan(**changes) -> Plan:
    """A plan of quick samples."""
    return Plan(**plan_values(**changes))


def height_name(index: int, **changes) -> str:
    """What the file is called that misleads sample ``index``."""
    return f"{Pipeline(plan(**changes)).spec(index).bodies[1].position_m[2] * 1000:.0f}"


def tree(out: Path) -> dict[str, str]:
    """Every file, hidden ones too, by its hash."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
