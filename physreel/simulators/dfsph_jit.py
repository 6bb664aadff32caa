"""How the kernels of the dfsph engine are compiled; see physreel.compiling."""

from __future__ import annotations

from pathlib import Path

from physreel.compiling import compilers

kernel, inner, part = compilers(Path(__file__).parent, "dfsph_*.py")
