"""Modes of shapes against closed forms, finite elements and the laws of scaling."""

from __future__ import annotations

import numpy as np
import pytest
from audio_worlds import blow, mass_kg, world

from physreel.geometry.mass import mass_properties
from physreel.renderers.audio.bodies import SoundingBody
from physreel.renderers.audio.modal import largest_extent, shape_modes, unit_shape
from physreel.renderers.audio.solids import surface_quadrature, volume_quadrature
from physreel.spec import (
    MATERIALS,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Piece,
    Shape,
    Sphere,
)

HULL = ConvexHull(
    points_m=((0.05, 0, 0), (-0.04, 0.01, 0), (0, 0.04, 0.01), (0.01, -0.03, 0), (0, 0, 0.03), (0.01, 0.01, -0.03))
)
DUMBBELL = Compound(
    pieces=(
        Piece(shape=Box(size_m=(0.1, 0.02, 0.02))),
        Piece(shape=Sphere(radius_m=0.03), position_m=(0.078, 0.0, 0.0)),
        Piece(
            shape=Box(size_m=(0.04, 0.04, 0.04)), position_m=(-0.07, 0.0, 0.0), orientation_wxyz=(0.8, 0.6, 0.0, 0.0)
        ),
    )
)
SHAPES: dict[str, Shape] = {
    "box": Box(size_m=(0.1, 0.07, 0.05)),
    "sphere": Sphere(radius_m=0.05),
    "cylinder": Cylinder(radius_m=0.03, height_m=0.08),
    "capsule": Capsule(radius_m=0.02, length_m=0.06),
    "cone": Cone(radius_m=0.04, height_m=0.1),
    "ellipsoid": Ellipsoid(radii_m=(0.05, 0.04, 0.03)),
    "convex_hull": HULL,
    "compound": DUMBBELL,
}


def hertz(shape: Shape, material: str) -> np.ndarray:
    """All frequencies of a shape, distinct or not."""
    unit, size_m = unit_shape(shape)
    m = MATERIALS[material]
    omega = shape_modes(unit, m.poisson_ratio).omega
    return omega / size_m * np.sqrt(m.young_modulus_pa / m.density_kg_m3) / (2 * np.pi)


def bending(length_m: float, thickness_m: float, material: str) -> np.ndarray:
    """f_n = (β_n L)² / (2π L²) √(E I / (ρ A)) of a free-free bar of square section (law 26)."""
    m = MATERIALS[material]
    stiffness = np.sqrt(m.young_modulus_pa * thickness_m**2 / (12 * m.density_kg_m3))
    return np.array([4.730041, 7.853205, 10.995608]) ** 2 / (2 * np.pi * length_m**2) * stiffness


@pytest.mark.parametrize("material", ["steel", "oak", "glass"])
def test_slender_bar_rings_at_the_frequencies_of_beam_theory(material):
    # Each bending mode comes twice (two directions); torsion and stretching are far above the third of so thin a bar.
    found = hertz(Box(size_m=(0.3, 0.006, 0.006)), material)
    assert found[[0, 2, 4]] == pytest.approx(bending(0.3, 0.006, material), rel=0.02)
    assert found[[1, 3, 5]] == pytest.approx(found[[0, 2, 4]], rel=1e-6)


def test_stout_bar_is_lower_than_beam_theory_by_what_timoshenko_says():
    # 300 × 12 × 12 mm: shear and rotary inertia, left out by the formula, lower the third mode by 3 %.
    m = MATERIALS["steel"]
    found = hertz(Box(size_m=(0.3, 0.012, 0.012)), "steel")[[0, 2, 4]]
    plain = bending(0.3, 0.012, "steel")
    assert found[:2] == pytest.approx(plain[:2], rel=0.02)
    kappa, shear = 10 * 1.29 / (12 + 11 * 0.29), m.young_modulus_pa / (2 * 1.29)
    length, radius2 = 0.3, 0.012**2 / 12
    exact = [_timoshenko(length, radius2, m.young_modulus_pa, kappa * shear, m.density_kg_m3, f) for f in plain]
    assert found == pytest.approx(exact, rel=0.002)


def _timoshenko(length: float, radius2: float, young: float, shear: float, density: float, near_hz: float) -> float:
    """Free-free Timoshenko beam: the zero below ``near_hz`` of the determinant of end moments and shears."""

    def determinant(hz: float) -> float:
        w2 = (2 * np.pi * hz) ** 2
        # Waves exp(k x): E r² k⁴ + rho w² (r² + E r²/G) k² - ... from the two coupled equations, solved for k².
        a = young * radius2 * shear
        b = density * w2 * (shear * radius2 + young * radius2)
        c = density * w2 * (density * w2 * radius2 - shear)
        squares = np.roots([a, b, c])
        columns = []
        for square in squares:
            k = np.sqrt(complex(square))
            for wave in (k, -k):
                # Per unit deflection: rotation from the balance of shear.
                turn = (shear * wave**2 + density * w2) / (shear * wave)
                rows = []
                for x in (0.0, length):
                    e = np.exp(wave * (x - length / 2))
                    rows += [turn * wave * e, (wave - turn) * e]
                columns.append(rows)
        value = np.linalg.det(np.array(columns).T)
        return float(value.real if abs(value.real) > abs(value.imag) else value.imag)

    grid = np.linspace(0.9 * near_hz, near_hz, 201)
    values = [determinant(f) for f in grid]
    k = next(i for i in range(200) if values[i] * values[i + 1] < 0)
    return float(np.interp(0.0, sorted(values[k : k + 2]), grid[k : k + 2][:: 1 if values[k] < values[k + 1] else -1]))


@pytest.mark.parametrize("kind", SHAPES)
def test_frequencies_scale_with_sound_speed_over_size(kind):
    """Law 27: f ∝ √(E/ρ)/L exactly, at equal Poisson's ratio."""
    shape, factor = SHAPES[kind], 1.7
    double = shape.model_validate(_scaled(shape.model_dump(), factor))
    m = MATERIALS["ABS"]
    other = m.model_copy(update={"name": "other", "young_modulus_pa": 3.3e9, "density_kg_m3": 1234.0})
    first, second = (hertz(s, "ABS") for s in (shape, double))
    assert second * factor == pytest.approx(first, rel=1e-6)
    spec = world(shape, "ABS").model_copy(update={"materials": (other,)})
    light, heavy = (SoundingBody(s, 1).bank(0, 0.0).hertz for s in (world(shape, "ABS"), _made_of(spec, "other")))
    speed = np.sqrt(3.3e9 / 1234.0 / (m.young_modulus_pa / m.density_kg_m3))
    # The damped click at the end of the bank is air's; the others are the solid's.
    count = min(len(light), len(heavy)) - 1
    assert count >= 1
    assert heavy[:count] == pytest.approx(light[:count] * speed, rel=1e-6)


def _made_of(spec, material):
    floor, thing = spec.bodies
    return spec.model_copy(update={"bodies": (floor, thing.model_copy(update={"material": material}))})


def _scaled(data, factor):
    if isinstance(data, dict):
        return {k: v if k in ("kind", "orientation_wxyz") else _scaled(v, factor) for k, v in data.items()}
    if isinstance(data, tuple | list):
        return tuple(_scaled(v, factor) for v in data)
    return data * factor


def test_ball_rings_as_lamb_found():
    """A free ball (H. Lamb 1882): toroidal modes at k_t a = 2.5011, 3.8647; spheroidal n = 2 at ν = 0.25: 2.6397."""
    unit, _ = unit_shape(Sphere(radius_m=0.05))
    omega = shape_modes(unit, 0.25).omega
    ka = omega * 0.5 / np.sqrt(0.5 / 1.25)
    assert ka[:5] == pytest.approx(2.5011, rel=2e-4)
    assert ka[5:10] == pytest.approx(2.6397, rel=2e-3)
    assert np.abs(ka / 3.8647 - 1).min() < 1e-3


def test_long_bar_stretches_at_half_a_wave():
    found = hertz(Box(size_m=(0.3, 0.01, 0.01)), "steel")
    assert np.abs(found / (np.sqrt(200e9 / 7850) / 0.6) - 1).min() < 2e-3


@pytest.mark.parametrize("size_m", [(0.1, 0.07, 0.05), (0.12, 0.1, 0.02)])
def test_box_agrees_with_quadratic_finite_elements(size_m):
    skfem = pytest.importorskip("skfem")
    from scipy.sparse.linalg import eigsh
    from skfem.helpers import ddot, dot, eye, sym_grad, trace
    from skfem.models.elasticity import lame_parameters

    mesh = skfem.MeshTet.init_tensor(*(np.linspace(-s / 2, s / 2, n) for s, n in zip(size_m, (9, 9, 4), strict=True)))
    basis = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementTetP2()), intorder=4)
    lam, mu = lame_parameters(1.0, 0.29)

    @skfem.BilinearForm
    def stiffness(u, v, w):
        strain = sym_grad(u)
        return ddot(2 * mu * strain + lam * eye(trace(strain), 3), sym_grad(v))

    @skfem.BilinearForm
    def mass(u, v, w):
        return dot(u, v)

    start = np.random.default_rng(0).standard_normal(basis.N)
    values = eigsh(stiffness.assemble(basis), k=16, M=mass.assemble(basis), sigma=-1.0, v0=start, tol=1e-9)[0]
    elements = np.sqrt(np.sort(values)[6:])
    unit, scale = unit_shape(Box(size_m=size_m))
    ours = shape_modes(unit, 0.29).omega[:10] / scale
    # Both are bounds from above: the lower of the two is the better.
    assert ours == pytest.approx(elements, rel=0.01)
    assert (ours < elements * 1.005).all()


@pytest.mark.parametrize("kind", SHAPES)
def test_quadrature_knows_volume_centre_and_surface(kind):
    shape = SHAPES[kind]
    solid, surface, exact = volume_quadrature(shape, 6), surface_quadrature(shape), mass_properties(shape)
    assert solid.weights.sum() == pytest.approx(exact.mass, rel=1e-9)
    assert solid.weights @ solid.points / exact.mass == pytest.approx(exact.center, abs=1e-9)
    # Gauss: the flux of x through the surface is three times the volume (a glued surface has seams cut open).
    flux = np.einsum("q,qi,qi->", surface.weights, surface.points, surface.normals) / 3
    assert flux == pytest.approx(exact.mass, rel=0.02 if kind == "compound" else 1e-3)


@pytest.mark.parametrize("kind", SHAPES)
def test_modes_are_orthonormal_and_free_of_rigid_motion(kind):
    unit, _ = unit_shape(SHAPES[kind])
    modes = shape_modes(unit, 0.3)
    solid = volume_quadrature(unit, 18)
    motion = modes.displacements(solid.points, 12)
    gram = np.einsum("q,qki,qli->kl", solid.weights, motion, motion)
    assert gram == pytest.approx(np.eye(12), abs=2e-3)
    momentum = np.einsum("q,qki->ki", solid.weights, motion)
    assert np.abs(momentum).max() < 1e-3
    assert modes.multipole_share.sum(1) == pytest.approx(1.0)
    assert modes.omega[0] > 0.01


@pytest.mark.parametrize("kind", SHAPES)
def test_surface_motion_is_that_of_the_modes(kind):
    unit, _ = unit_shape(SHAPES[kind])
    modes, surface = shape_modes(unit, 0.3), surface_quadrature(unit)
    normal = np.einsum("qki,qi->kq", modes.displacements(surface.points, 10), surface.normals)
    assert modes.normal_square[:10] == pytest.approx(normal**2 @ surface.weights / surface.weights.sum(), rel=1e-6)


def test_breathing_radiates_as_a_monopole_and_bending_does_not():
    unit, _ = unit_shape(Sphere(radius_m=1.0))
    share = shape_modes(unit, 0.3).multipole_share
    assert share[:, 0].max() > 0.99  # the breathing mode
    assert share[5:10, 2].min() > 0.99  # prolate-oblate: a quadrupole


@pytest.mark.parametrize(
    "shape",
    [
        Box(size_m=(1.0, 0.001, 0.001)),
        Box(size_m=(1.0, 1.0, 0.002)),
        Cylinder(radius_m=0.5, height_m=0.001),
        Cone(radius_m=0.001, height_m=1.0),
        Ellipsoid(radii_m=(0.5, 0.001, 0.3)),
        Capsule(radius_m=0.0005, length_m=0.5),
        ConvexHull(points_m=((0, 0, 0), (1, 0, 0), (0, 1, 0), (0.3, 0.3, 0.0004))),
        Sphere(radius_m=1e-4),
        Sphere(radius_m=20.0),
    ],
)
def test_extreme_shapes_have_finite_sound(shape):
    from physreel.renderers.audio.contact import ContactSoundRenderer

    unit, _ = unit_shape(shape)
    modes = shape_modes(unit, 0.49)
    for values in (modes.omega, modes.weights, modes.normal_square, modes.multipole_share):
        assert np.isfinite(values).all()
    spec = world(shape, "steel", duration_s=0.3)
    audio = ContactSoundRenderer().render(spec, blow(spec, time_s=0.05, point=(0.001, 0.0, 0.0)))
    assert np.isfinite(audio.samples).all()
    assert mass_kg(spec) > 0


def test_unit_shape_has_unit_extent():
    for shape in SHAPES.values():
        unit, scale = unit_shape(shape)
        assert largest_extent(unit) == pytest.approx(1.0, rel=1e-6)
        assert scale == pytest.approx(largest_extent(shape))
