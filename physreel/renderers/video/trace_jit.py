"""How the ray tracer's kernels are compiled; see physreel.compiling."""

from __future__ import annotations

from pathlib import Path

from physreel.compiling import compilers

kernel, inner, part = compilers(Path(__file__).parent, "trace_*.py")
