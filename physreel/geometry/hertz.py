"""How elastic bodies touch: what two materials yield together, for how long they touch, how deep they press.

Source: H. Hertz, J. reine angew. Math. 92, 156 (1881); K. L. Johnson, Contact Mechanics (1985), 4.2 and 11.4.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from physreel.spec import Material

Floats = NDArray[np.float64]
Number = TypeVar("Number", float, Floats)


def contact_modulus_pa(*materials: Material) -> float:
    """E* of two materials: 1/E* = (1 - nu_a²)/E_a + (1 - nu_b²)/E_b; of one, that of its touch with what is rigid."""
    return 1.0 / math.fsum((1.0 - m.poisson_ratio**2) / m.young_modulus_pa for m in materials)


def contact_time_s(*, mass_kg: float, radius_m: float, modulus_pa: float, speed_m_s: Number) -> Number:
    """How long two elastic bodies touch: 2.87 (m² / (R E*² v))^(1/5).

    Args:
        mass_kg: effective mass, 1/m = 1/m_a + 1/m_b.
        radius_m: effective radius, 1/R = 1/R_a + 1/R_b.
        modulus_pa: see ``contact_modulus_pa``.
        speed_m_s: of approach.
    """
    length: Number = 2.87 * (mass_kg**2 / (radius_m * modulus_pa**2 * speed_m_s)) ** 0.2
    return length


def indentation_m(*, force_n: Floats, radius_m: float, modulus_pa: float) -> Floats:
    """How deep a static force presses two bodies into each other: (9 F² / (16 R E*²))^(1/3)."""
    return np.asarray(np.cbrt(9.0 * force_n**2 / (16.0 * radius_m * modulus_pa**2)))
