"""How the kernels of meshing teeth are compiled; see physreel.compiling."""

from __future__ import annotations

from pathlib import Path

from physreel.compiling import compilers

kernel, inner, part = compilers(Path(__file__).parent, "teeth_*.py")
