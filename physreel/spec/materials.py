"""Materials: the figures that decide how things move, sound and look, each with its source.

Elastic figures and densities are handbook values for common grades; wood is taken as isotropic along the grain,
which is what decides its ring. Loss factors are for small strain at audio frequencies.

Sources, by the short names used below:
  Ashby     M. F. Ashby, Materials Selection in Mechanical Design, 4th ed. (2011), appendix A and chart E - eta
  Cremer    L. Cremer, M. Heckl, B. A. T. Petersson, Structure-Borne Sound, 3rd ed. (2005), table 4.1 and 4.2
  FPL       USDA Forest Products Laboratory, Wood Handbook, FPL-GTR-282 (2021), chapter 5
  Gibson    L. J. Gibson, M. F. Ashby, Cellular Solids, 2nd ed. (1997), chapter 12 (cork)
  Petrenko  V. F. Petrenko, R. W. Whitworth, Physics of Ice (1999), chapters 3 and 10
  Goldsmith W. Goldsmith, Impact (1960), chapter 8
  Serway    R. A. Serway, J. W. Jewett, Physics for Scientists and Engineers, 9th ed. (2014), table 5.1
  CRC       CRC Handbook of Chemistry and Physics, 95th ed. (2014), section 15, coefficients of friction
  Dubbel    Dubbel Taschenbuch fuer den Maschinenbau, table of lever arms of rolling friction: steel 0.05-0.5 mm,
            wood on wood 0.5-1.5 mm; R. C. Hibbeler, Statics, 14th ed. (2016), section 8.8: mild steel 0.1 mm;
            soft layers (rubber, cork, carpet) from the roll-out lengths of balls
  Cross     R. Cross, "The bounce of a ball", Am. J. Phys. 67, 222 (1999)
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from physreel.spec.base import Name, NonNegative, Positive, SpecModel
from physreel.spec.looks import Look, Texture


class Material(SpecModel):
    """What a body is made of.

    ``restitution`` and ``friction`` are against a hard, heavy, smooth partner; pairs are decided by
    ``ContactPair`` entries first and by ``combine_contact`` otherwise. ``surface_roughness_m`` is the rms height of
    the profile that sliding and rolling excite.
    """

    name: Name
    density_kg_m3: Positive
    young_modulus_pa: Positive
    poisson_ratio: Annotated[float, Field(ge=0.0, lt=0.5)]
    loss_factor: Annotated[float, Field(gt=0.0, le=2.0)]
    restitution: Annotated[float, Field(ge=0.0, le=1.0)]
    friction: NonNegative
    surface_roughness_m: NonNegative
    rolling_friction_m: NonNegative = 0.0
    look: Look
    source: str = ""


class ContactPair(SpecModel):
    """Restitution and friction between two materials; the order of the two does not matter.

    ``friction`` is Coulomb's coefficient. ``rolling_friction_m`` is the lever arm b of rolling resistance: a contact
    that carries the normal force N resists rolling, and spinning about the normal, with a torque of up to b N.
    """

    material_a: Name
    material_b: Name
    restitution: Annotated[float, Field(ge=0.0, le=1.0)]
    friction: NonNegative
    rolling_friction_m: NonNegative = 0.0
    source: str = ""


MATERIALS: dict[str, Material] = {
    m.name: m
    for m in (
        Material(
            name="steel", density_kg_m3=7850, young_modulus_pa=200e9, poisson_ratio=0.29, loss_factor=5e-4,
            restitution=0.85, friction=0.45, surface_roughness_m=0.8e-6, rolling_friction_m=0.0001,
            look=Look(color=(0.56, 0.57, 0.58), roughness=0.25, metallic=1.0),
            source="rho, E, nu, eta: Ashby, Cremer; e: Goldsmith; mu: Serway",
        ),
        Material(
            name="aluminium", density_kg_m3=2700, young_modulus_pa=69e9, poisson_ratio=0.33, loss_factor=1e-3,
            restitution=0.70, friction=0.42, surface_roughness_m=1.2e-6, rolling_friction_m=0.00015,
            look=Look(color=(0.80, 0.81, 0.82), roughness=0.38, metallic=1.0),
            source="rho, E, nu, eta: Ashby, Cremer; e: Goldsmith; mu: Serway",
        ),
        Material(
            name="glass", density_kg_m3=2500, young_modulus_pa=70e9, poisson_ratio=0.22, loss_factor=1.5e-3,
            restitution=0.88, friction=0.40, surface_roughness_m=0.1e-6, rolling_friction_m=0.0001,
            look=Look(color=(0.93, 0.97, 0.95), roughness=0.02, transmission=1.0, ior=1.5),
            source="rho, E, nu, eta: Ashby, Cremer; e: Goldsmith; mu: Serway",
        ),
        Material(
            name="ceramic", density_kg_m3=2400, young_modulus_pa=65e9, poisson_ratio=0.21, loss_factor=3e-3,
            restitution=0.75, friction=0.45, surface_roughness_m=1.5e-6, rolling_friction_m=0.00015,
            look=Look(color=(0.82, 0.79, 0.74), roughness=0.18),
            source="porcelain and stoneware; rho, E, nu, eta: Ashby; e: Goldsmith; mu: CRC",
        ),
        Material(
            name="oak", density_kg_m3=680, young_modulus_pa=12.3e9, poisson_ratio=0.37, loss_factor=0.02,
            restitution=0.50, friction=0.40, surface_roughness_m=8e-6, rolling_friction_m=0.0004,
            look=Look(
                color=(0.46, 0.29, 0.14), roughness=0.55,
                texture=Texture(kind="wood", color=(0.30, 0.17, 0.075), scale_m=0.035),
            ),
            source="rho, E, nu: FPL (white oak, 12 % moisture); eta: Cremer; e: Goldsmith; mu: Serway",
        ),
        Material(
            name="pine", density_kg_m3=400, young_modulus_pa=8.9e9, poisson_ratio=0.33, loss_factor=0.025,
            restitution=0.45, friction=0.40, surface_roughness_m=10e-6, rolling_friction_m=0.0005,
            look=Look(
                color=(0.72, 0.53, 0.31), roughness=0.6,
                texture=Texture(kind="wood", color=(0.58, 0.38, 0.18), scale_m=0.045),
            ),
            source="rho, E, nu: FPL (ponderosa pine, 12 % moisture); eta: Cremer; e: Goldsmith; mu: Serway",
        ),
        Material(
            name="rubber", density_kg_m3=1100, young_modulus_pa=5e6, poisson_ratio=0.49, loss_factor=0.25,
            restitution=0.78, friction=0.85, surface_roughness_m=15e-6, rolling_friction_m=0.0015,
            look=Look(color=(0.55, 0.08, 0.06), roughness=0.75),
            source="rho, E, nu, eta: Ashby; e: Cross; mu: Serway (rubber on dry concrete)",
        ),
        Material(
            name="ABS", density_kg_m3=1050, young_modulus_pa=2.3e9, poisson_ratio=0.36, loss_factor=0.02,
            restitution=0.65, friction=0.35, surface_roughness_m=2e-6, rolling_friction_m=0.00025,
            look=Look(color=(0.08, 0.25, 0.62), roughness=0.35),
            source="rho, E, nu, eta: Ashby; e, mu: CRC and maker's sheets for moulded ABS on steel",
        ),
        Material(
            name="cork", density_kg_m3=180, young_modulus_pa=20e6, poisson_ratio=0.10, loss_factor=0.20,
            restitution=0.55, friction=0.55, surface_roughness_m=40e-6, rolling_friction_m=0.001,
            look=Look(
                color=(0.55, 0.37, 0.22), roughness=0.9,
                texture=Texture(kind="speckle", color=(0.33, 0.19, 0.10), scale_m=0.006),
            ),
            source="rho, E, nu, eta: Gibson; e: Goldsmith; mu: Gibson",
        ),
        Material(
            name="ice", density_kg_m3=917, young_modulus_pa=9.3e9, poisson_ratio=0.33, loss_factor=0.01,
            restitution=0.60, friction=0.05, surface_roughness_m=3e-6, rolling_friction_m=0.0001,
            look=Look(color=(0.86, 0.93, 0.97), roughness=0.10, transmission=0.8, ior=1.31),
            source="rho, E, nu, eta, mu: Petrenko; e: Petrenko (slow impacts on ice)",
        ),
        Material(
            name="concrete", density_kg_m3=2300, young_modulus_pa=30e9, poisson_ratio=0.20, loss_factor=0.015,
            restitution=0.70, friction=0.60, surface_roughness_m=50e-6, rolling_friction_m=0.0004,
            look=Look(
                color=(0.42, 0.41, 0.39), roughness=0.9,
                texture=Texture(kind="noise", color=(0.33, 0.32, 0.31), scale_m=0.12),
            ),
            source="rho, E, nu, eta: Cremer; e: Goldsmith; mu: CRC",
        ),
        Material(
            name="marble", density_kg_m3=2700, young_modulus_pa=55e9, poisson_ratio=0.25, loss_factor=4e-3,
            restitution=0.78, friction=0.45, surface_roughness_m=2e-6, rolling_friction_m=0.00015,
            look=Look(
                color=(0.80, 0.78, 0.75), roughness=0.12,
                texture=Texture(kind="marble", color=(0.42, 0.41, 0.42), scale_m=0.35),
            ),
            source="rho, E, nu, eta: Ashby; e: Goldsmith; mu: CRC",
        ),
        Material(
            name="carpet", density_kg_m3=250, young_modulus_pa=1.5e6, poisson_ratio=0.10, loss_factor=0.35,
            restitution=0.25, friction=0.65, surface_roughness_m=300e-6, rolling_friction_m=0.005,
            look=Look(
                color=(0.30, 0.12, 0.12), roughness=1.0,
                texture=Texture(kind="speckle", color=(0.21, 0.08, 0.09), scale_m=0.008),
            ),
            source="needle felt on a hard floor; rho, E, eta: Cremer (felt); e, mu: ball-drop and tilt figures, CRC",
        ),
        Material(
            name="brass", density_kg_m3=8470, young_modulus_pa=103e9, poisson_ratio=0.34, loss_factor=1e-3,
            restitution=0.60, friction=0.42, surface_roughness_m=1.0e-6, rolling_friction_m=0.00012,
            look=Look(color=(0.78, 0.57, 0.24), roughness=0.34, metallic=1.0),
            source="CuZn39Pb3, machined; rho, E, nu, eta: Ashby, Cremer; e: Goldsmith; mu: CRC (on mild steel)",
        ),
        Material(
            name="bronze", density_kg_m3=8800, young_modulus_pa=110e9, poisson_ratio=0.34, loss_factor=1e-3,
            restitution=0.60, friction=0.35, surface_roughness_m=1.0e-6, rolling_friction_m=0.00012,
            look=Look(color=(0.58, 0.35, 0.18), roughness=0.38, metallic=1.0),
            source="CuSn8; rho, E, nu, eta: Ashby; e: Goldsmith (as brass); mu: CRC (phosphor bronze on steel)",
        ),
        Material(
            name="cast_iron", density_kg_m3=7200, young_modulus_pa=110e9, poisson_ratio=0.26, loss_factor=0.01,
            restitution=0.65, friction=0.35, surface_roughness_m=3e-6, rolling_friction_m=0.00015,
            look=Look(color=(0.27, 0.27, 0.28), roughness=0.46, metallic=1.0),
            source="grey iron GJL-250; rho, E, nu, eta (graphite damps): Ashby; e: Goldsmith; mu: CRC, Dubbel",
        ),
        Material(
            name="nylon", density_kg_m3=1140, young_modulus_pa=2.8e9, poisson_ratio=0.39, loss_factor=0.03,
            restitution=0.60, friction=0.30, surface_roughness_m=2e-6, rolling_friction_m=0.0003,
            look=Look(color=(0.78, 0.76, 0.68), roughness=0.42),
            source="PA 66, dry; rho, E, nu, eta: Ashby; e, mu: CRC and makers' sheets for PA 66 on steel",
        ),
    )
}  # fmt: skip

_PAIRS = (
    ContactPair(material_a="steel", material_b="steel", restitution=0.90, friction=0.57, source="Goldsmith; Serway"),
    ContactPair(material_a="glass", material_b="glass", restitution=0.94, friction=0.40, source="Goldsmith; Serway"),
    ContactPair(
        material_a="aluminium",
        material_b="steel",
        restitution=0.70,
        friction=0.47,
        source="Goldsmith; Serway",
    ),
    ContactPair(material_a="oak", material_b="oak", restitution=0.50, friction=0.35, source="Goldsmith; CRC"),
    ContactPair(material_a="cork", material_b="cork", restitution=0.55, friction=0.50, source="Goldsmith; Gibson"),
    ContactPair(material_a="rubber", material_b="concrete", restitution=0.78, friction=0.80, source="Cross; Serway"),
    ContactPair(material_a="ice", material_b="ice", restitution=0.60, friction=0.03, source="Petrenko; Serway"),
    ContactPair(material_a="steel", material_b="ice", restitution=0.60, friction=0.03, source="Petrenko; CRC"),
)


def combine_contact(a: Material, b: Material) -> ContactPair:
    """What two materials do to each other where no measured pair is known.

    The softer partner deforms more and so decides more: restitution is weighted by compliance,
    e = (e_a E_b + e_b E_a) / (E_a + E_b). Friction is the geometric mean, rolling friction the sum.
    """
    stiffness = a.young_modulus_pa + b.young_modulus_pa
    restitution = (a.restitution * b.young_modulus_pa + b.restitution * a.young_modulus_pa) / stiffness
    return ContactPair(
        material_a=a.name,
        material_b=b.name,
        restitution=restitution,
        friction=(a.friction * b.friction) ** 0.5,
        rolling_friction_m=a.rolling_friction_m + b.rolling_friction_m,
        source="combined",
    )


def _measured(pair: ContactPair) -> ContactPair:
    # Tables of measured pairs have no rolling friction: it comes from the rule.
    rule = combine_contact(MATERIALS[pair.material_a], MATERIALS[pair.material_b])
    return pair.model_copy(update={"rolling_friction_m": rule.rolling_friction_m})


CONTACT_PAIRS: dict[frozenset[str], ContactPair] = {
    frozenset((pair.material_a, pair.material_b)): _measured(pair) for pair in _PAIRS
}
