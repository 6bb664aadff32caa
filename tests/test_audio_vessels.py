"""Vessels and tanks that are struck: what rings, at which pitch, and that liquid lowers it."""

from __future__ import annotations

import numpy as np
import pytest
from audio_worlds import rows, still, world

from physreel.geometry.vessels import tank_compound
from physreel.renderers.audio.bodies import SoundingBody
from physreel.renderers.audio.contact import ContactSoundRenderer
from physreel.renderers.audio.hertz import curvature_radius_m
from physreel.renderers.audio.modal import shape_modes, unit_shape
from physreel.renderers.audio.solids import deepest_piece, surface_quadrature, volume_quadrature
from physreel.spec import MATERIALS, Body, Fluid, Sphere, Tank, Vessel, VesselFill
from physreel.values import SAMPLE_RATE_HZ, Signal

GLASS = Vessel(profile_m=((0.0, 0.005), (0.035, 0.005), (0.035, 0.1)), wall_m=0.0025)
RING = Vessel(profile_m=((0.035, 0.001), (0.0351, 0.001), (0.035, 0.1)), wall_m=0.0025)
"""A hole for a floor: a straight pipe."""

BOWL = Vessel(
    profile_m=((0.0, 0.006), (0.03, 0.006), (0.05, 0.012), (0.06, 0.03), (0.065, 0.05), (0.065, 0.06)), wall_m=0.004
)
TANK = Tank(inside_m=(0.4, 0.25, 0.25), wall_m=0.006)


def hertz_of(shape, material: str) -> np.ndarray:
    unit, scale = unit_shape(shape)
    m = MATERIALS[material]
    modes = shape_modes(unit, m.poisson_ratio)
    return modes.omega / scale * np.sqrt(m.young_modulus_pa / m.density_kg_m3) / (2 * np.pi)


def struck(shape, *, level_m: float | None = None, point=(0.0375, 0.0, 0.09), normal=(1.0, 0.0, 0.0)) -> np.ndarray:
    """Pascals at half a metre of a glass vessel or tank that a small steel ball strikes."""
    held = Body(name="held", shape=shape, material="glass", motion="static")
    spec = world(Sphere(radius_m=0.006), "steel", floor=held, microphones=((0.0, -0.5, 0.3),))
    signals = {}
    if level_m is not None:
        drink = Fluid(name="drink", liquid="water", fills=(VesselFill(vessel="held", level_m=0.01),))
        spec = spec.model_copy(update={"fluids": (drink,), "particle_spacing_m": 0.005})
        signals = {"level:held": Signal(values=np.full(241, level_m), rate_hz=240.0, unit="m")}
    mass = MATERIALS["steel"].density_kg_m3 * 4 / 3 * np.pi * 0.006**3
    contacts = rows(
        time_s=np.array([0.1]),
        point_m=np.array([point]),
        normal=np.array([normal]),
        normal_impulse_n_s=np.array([1.6 * mass * 0.5]),
        approach_speed_m_s=np.array([0.5]),
    )
    samples = ContactSoundRenderer().render(spec, still(spec, contacts, signals=signals)).samples
    return samples[:, 0].astype(float) * 100.0


def loudest_hz(signal: np.ndarray, below_hz: float = 20_000.0) -> float:
    hertz = np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE_HZ)
    return float(hertz[np.argmax(np.abs(np.fft.rfft(signal)) * (hertz < below_hz))])


@pytest.mark.parametrize("shape", [GLASS, BOWL, RING])
def test_quadratures_know_volume_middle_and_outside(shape):
    """Against Pappus on the outline."""
    from physreel.geometry.vessels import vessel_outline

    outline = vessel_outline(shape)
    (r0, z0), (r1, z1) = outline.T, np.roll(outline, -1, axis=0).T
    cross = r0 * z1 - r1 * z0
    volume = np.pi / 3 * np.sum(cross * (r0 + r1))
    height = np.pi / 12 * np.sum(cross * (2 * r0 * z0 + r0 * z1 + r1 * z0 + 2 * r1 * z1)) / volume
    solid = volume_quadrature(shape, 20)
    assert solid.weights.sum() == pytest.approx(volume, rel=1e-9)
    assert solid.weights @ solid.points / volume == pytest.approx([0, 0, height], abs=1e-9)
    assert (solid.weights > 0).all()
    skin = surface_quadrature(shape)
    assert np.abs(np.linalg.norm(skin.normals, axis=1) - 1).max() < 1e-12
    steps = np.hypot(r1 - r0, z1 - z0) * np.pi * (r0 + r1)
    assert skin.weights.sum() == pytest.approx(steps[: len(outline) - len(shape.profile_m)].sum(), rel=1e-9)


def test_a_pipe_rings_as_a_ring():
    """ω² = E h² n² (n² - 1)² / (12 rho R⁴ (n² + 1)) of an endless one; ends and walls that are not thin change it."""
    m, radius, wall = MATERIALS["glass"], 0.03625, 0.0025
    found = hertz_of(RING, "glass")
    for n, index in ((2, 0), (3, 4)):
        speed = np.sqrt(m.young_modulus_pa / (12 * m.density_kg_m3)) * wall / radius**2
        expected = speed * n * (n * n - 1) / np.sqrt(n * n + 1) / (2 * np.pi)
        assert 0.99 < found[index] / expected < 1.06
        assert found[index + 1] == pytest.approx(found[index], rel=1e-4)  # two, a quarter of a lobe apart


def test_a_glass_rings_as_french_says_within_a_quarter():
    """The oval mode of a cylinder on a floor (A. P. French, 1983); a basis of polynomials is too stiff by some 5 %."""
    m, radius, deep = MATERIALS["glass"], 0.03625, 0.095
    oval = np.sqrt(3 * m.young_modulus_pa * 0.0025**2 / (5 * m.density_kg_m3 * radius**4))
    expected = oval * np.sqrt(1 + 4 / 3 * (radius / deep) ** 4) / (2 * np.pi)
    assert hertz_of(GLASS, "glass")[0] == pytest.approx(expected, rel=0.25)


def test_a_struck_glass_rings_and_liquid_lowers_it():
    """French: the frequency falls by √(1 + rho_l R / (4 rho h) · (level / height)⁴)."""
    empty = struck(GLASS)
    oval = loudest_hz(empty, 2500)
    assert oval == pytest.approx(hertz_of(GLASS, "glass")[0], rel=0.01)
    start = round(0.1 * SAMPLE_RATE_HZ)
    assert np.abs(empty[:start]).max() == 0.0
    early, late = (np.abs(empty[start + k : start + k + 960]).max() for k in (500, 5000))
    assert 0.005 * early < late < early
    half, full = (loudest_hz(struck(GLASS, level_m=share * 0.095), 2000) for share in (0.5, 1.0))
    burden = 1 + 998 * 0.035 / (4 * MATERIALS["glass"].density_kg_m3 * 0.0025)
    assert oval / full == pytest.approx(np.sqrt(burden), rel=0.01)
    assert full < half < oval


def test_a_bowl_and_a_tank_ring_too():
    bowl = struck(BOWL, point=(0.069, 0.0, 0.058))
    assert np.abs(bowl).max() > 1e-3
    tank = struck(TANK, point=(0.206, 0.02, 0.2))
    assert np.abs(tank).max() > 1e-3
    pane = tank_compound(TANK).pieces[deepest_piece(tank_compound(TANK), np.array([0.203, 0.02, 0.2]))[0]]
    panes = hertz_of(pane.shape, "glass")
    assert np.abs(panes / loudest_hz(tank) - 1).min() < 0.01


def test_points_of_many_pieces_are_found_as_one_by_one():
    held = Body(name="held", shape=TANK, material="glass", motion="static")
    sounding = SoundingBody(world(floor=held), 0)
    points = np.random.default_rng(2).uniform((-0.25, -0.25, -0.1), (0.25, 0.25, 0.4), (50, 3))
    assert sounding.pieces_at(points).tolist() == [sounding.piece_at(point) for point in points]


def test_walls_are_curved_where_they_are():
    side, rim, floor = (np.array(p) for p in ((0.0375, 0.0, 0.05), (0.036, 0.0, 0.1), (0.0, 0.0, 0.005)))
    assert curvature_radius_m(GLASS, side) == pytest.approx(np.sqrt(0.0375 * 0.1), rel=0.01)
    assert curvature_radius_m(GLASS, rim) < 0.01
    assert curvature_radius_m(GLASS, floor) == pytest.approx(0.1, rel=0.01)
