"""Studies are run by hand and seldom: what they take from the package and the tests must still be there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STUDIES = sorted((Path(__file__).parent.parent / "benchmarks").glob("*.py"))


@pytest.mark.thorough
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_can_begin(path):
    program = "import runpy, sys; runpy.run_path(sys.argv[1])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
