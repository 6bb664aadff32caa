"""Liquids: what flows, how it looks, and where in the world it is at the start.

Figures are for about 20 °C. Viscosity of foods varies with brand and temperature by a factor of two either way; these
are usual values.

Sources, by the short names used below:
  CRC      CRC Handbook of Chemistry and Physics, 97th ed. (2016), sections 6 and 15
  Rao      M. A. Rao, Rheology of Fluid, Semisolid, and Solid Foods, 3rd ed. (2014), tables 5-A to 5-D
  Walstra  P. Walstra, J. Wouters, T. Geurts, Dairy Science and Technology, 2nd ed. (2006), appendix A.9
  Sahasra  K. Sahasrabudhe and others, Density, viscosity and surface tension of five vegetable oils, Int. J. Food
           Prop. 20 (2017)
  Pope     R. M. Pope, E. S. Fry, Absorption spectrum of pure water, Applied Optics 36 (1997)
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from physreel.spec.base import IDENTITY, Name, NonNegative, Positive, Quat, Rgb, SpecModel, Vec3
from physreel.spec.looks import Fraction
from physreel.spec.shapes import ConvexShape

Absorption = tuple[NonNegative, NonNegative, NonNegative]


class LiquidLook(SpecModel):
    """A liquid's appearance: clear, and coloured by depth, or opaque, and coloured by what it scatters back.

    ``opacity`` 0 is clear: light is bent by ``ior`` and dimmed by exp(-absorption × way) in red, green and blue.
    ``opacity`` 1 is opaque: the surface is a glossy solid of ``color``. Between, the two are mixed.
    """

    color: Rgb
    absorption_per_m: Absorption = (0.0, 0.0, 0.0)
    opacity: Fraction = 0.0
    ior: Annotated[float, Field(ge=1.0, le=2.0)] = 1.33


class Liquid(SpecModel):
    """What a fluid is made of. Newtonian: one viscosity."""

    name: Name
    density_kg_m3: Positive
    viscosity_pa_s: Positive
    surface_tension_n_m: NonNegative
    look: LiquidLook
    source: str = ""


class VesselFill(SpecModel):
    """The inside of a vessel or tank, from its inside floor to ``level_m`` above it along the body's own z axis."""

    kind: Literal["vessel"] = "vessel"
    vessel: Name
    level_m: Positive


class RegionFill(SpecModel):
    """A convex region of the world. What bodies take up of it stays empty."""

    kind: Literal["region"] = "region"
    shape: ConvexShape
    position_m: Vec3 = (0.0, 0.0, 0.0)
    orientation_wxyz: Quat = IDENTITY


Fill = Annotated[VesselFill | RegionFill, Field(discriminator="kind")]


class Fluid(SpecModel):
    """An amount of one liquid. ``label`` is what captions and questions call it ("water")."""

    name: Name
    liquid: Name
    fills: Annotated[tuple[Fill, ...], Field(min_length=1)]
    velocity_m_s: Vec3 = (0.0, 0.0, 0.0)
    label: str = ""


LIQUIDS: dict[str, Liquid] = {
    liquid.name: liquid
    for liquid in (
        Liquid(
            name="water", density_kg_m3=998, viscosity_pa_s=1.00e-3, surface_tension_n_m=0.0728,
            look=LiquidLook(color=(0.55, 0.75, 0.85), absorption_per_m=(2.2, 0.7, 0.35), ior=1.333),
            source="rho, mu, sigma, n: CRC; absorption: of red Pope's times seven, of green and blue more, for a "
            "tint that a glass shows",
        ),
        Liquid(
            name="milk", density_kg_m3=1030, viscosity_pa_s=2.0e-3, surface_tension_n_m=0.047,
            look=LiquidLook(color=(0.90, 0.88, 0.82), opacity=1.0, ior=1.35),
            source="whole milk; rho, mu, sigma: Walstra",
        ),
        Liquid(
            name="orange juice", density_kg_m3=1045, viscosity_pa_s=3.0e-3, surface_tension_n_m=0.045,
            look=LiquidLook(color=(0.93, 0.48, 0.04), opacity=0.9, absorption_per_m=(4.0, 30.0, 150.0), ior=1.35),
            source="12 °Brix, strained; rho, mu: Rao",
        ),
        Liquid(
            name="red wine", density_kg_m3=992, viscosity_pa_s=1.6e-3, surface_tension_n_m=0.048,
            look=LiquidLook(color=(0.25, 0.01, 0.04), absorption_per_m=(9.0, 130.0, 90.0), ior=1.345),
            source="12 % ethanol; rho, mu, sigma: CRC (ethanol in water)",
        ),
        Liquid(
            name="coffee", density_kg_m3=1000, viscosity_pa_s=1.1e-3, surface_tension_n_m=0.060,
            look=LiquidLook(color=(0.07, 0.03, 0.01), absorption_per_m=(45.0, 95.0, 170.0), ior=1.335),
            source="filtered, as water; mu: Rao",
        ),
        Liquid(
            name="olive oil", density_kg_m3=913, viscosity_pa_s=0.081, surface_tension_n_m=0.033,
            look=LiquidLook(color=(0.62, 0.55, 0.08), absorption_per_m=(3.0, 6.5, 45.0), ior=1.47),
            source="rho, mu, sigma: Sahasra; n: CRC",
        ),
        Liquid(
            name="glycerine", density_kg_m3=1261, viscosity_pa_s=1.41, surface_tension_n_m=0.063,
            look=LiquidLook(color=(0.90, 0.92, 0.90), absorption_per_m=(0.8, 0.6, 1.2), ior=1.473),
            source="rho, mu, sigma, n: CRC",
        ),
        Liquid(
            name="maple syrup", density_kg_m3=1325, viscosity_pa_s=0.20, surface_tension_n_m=0.072,
            look=LiquidLook(color=(0.45, 0.16, 0.02), absorption_per_m=(7.0, 28.0, 110.0), ior=1.45),
            source="66 °Brix; rho, mu, n: Rao (sucrose solutions)",
        ),
        Liquid(
            name="honey", density_kg_m3=1420, viscosity_pa_s=10.0, surface_tension_n_m=0.080,
            look=LiquidLook(
                color=(0.83, 0.42, 0.03), opacity=0.75, absorption_per_m=(3.0, 18.0, 120.0), ior=1.49
            ),
            source="creamy, 17 % water; rho, mu: Rao; n: CRC",
        ),
    )
}  # fmt: skip
