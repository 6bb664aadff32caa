"""Kernels are compiled once, and again when any file that they are made of changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

JIT = """
from pathlib import Path
from physreel.compiling import compilers
kernel, inner, part = compilers(Path(__file__).parent, "spin_*.py")
"""
INNER = """
from spin_jit import inner, part
@inner
def double(x):
    return {factor} * x
@part
def more(x):
    return x + 1
"""
KERNEL = """
from spin_inner import double, more
from spin_jit import kernel
@kernel
def run(x):
    return more(double(x))
"""
PROGRAM = "from spin_kernel import run; print(run(20), sum(run.stats.cache_hits.values()))"


def answer(folder: Path) -> list[int]:
    """What the kernel gives for 20, and how often its code was found on disk."""
    paths = [str(folder), str(Path(__file__).parent.parent)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "NUMBA_CACHE_DIR": str(folder / "kept")}
    done = subprocess.run([sys.executable, "-B", "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_a_change_in_what_a_kernel_calls_is_seen_and_no_other(tmp_path):
    (tmp_path / "spin_jit.py").write_text(JIT)
    (tmp_path / "spin_inner.py").write_text(INNER.format(factor=2))
    (tmp_path / "spin_kernel.py").write_text(KERNEL)
    assert answer(tmp_path) == [41, 0]
    (tmp_path / "other.py").write_text("# not one of them\n")
    assert answer(tmp_path) == [41, 1]
    (tmp_path / "spin_inner.py").write_text(INNER.format(factor=3))
    assert answer(tmp_path) == [61, 0]
