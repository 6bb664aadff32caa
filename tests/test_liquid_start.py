"""Liquids as particles at time 0, and worlds of liquids that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from liquid_laws import FLOOR, still, water, world
from scipy.spatial import cKDTree

from physreel.errors import SpecError
from physreel.geometry.distances import signed_distances, world_distances
from physreel.geometry.mass import mass_properties
from physreel.geometry.vessels import capacity_m3, inside
from physreel.simulators.dfsph import DfsphSimulator
from physreel.simulators.liquid_checks import site_problems
from physreel.simulators.liquid_record import driven_poses
from physreel.simulators.liquid_start import start_liquids
from physreel.spec import (
    Body,
    Box,
    ConvexHull,
    Keyframe,
    Plane,
    RegionFill,
    Sphere,
    Tank,
    TriangleMesh,
    Vessel,
    VesselFill,
)
from physreel.testing.worlds import small_pour

ROUND = tuple((float(0.06 * np.sin(a)), float(0.065 - 0.06 * np.cos(a))) for a in np.linspace(0, np.pi / 2, 16))
GLASS = Vessel(profile_m=((0.0, 0.005), (0.03, 0.005), (0.034, 0.09)), wall_m=0.003)
BOWL = Vessel(profile_m=ROUND, wall_m=0.003)
DISH = Vessel(profile_m=((0.0, 0.005), (0.1, 0.02), (0.11, 0.06)), wall_m=0.003)
BOTTLE = Vessel(profile_m=((0.0, 0.005), (0.04, 0.005), (0.042, 0.08), (0.02, 0.12), (0.02, 0.16)), wall_m=0.003)
STEPPED = Vessel(profile_m=((0.0, 0.01), (0.02, 0.01), (0.02, 0.06), (0.04, 0.06), (0.04, 0.11)), wall_m=0.003)
TANK = Tank(inside_m=(0.11, 0.07, 0.1), wall_m=0.004)
FLOORLESS = FLOOR.model_copy(update={"position_m": (0.0, 0.0, -1.0)})


def filled(shape, level_m, *, spacing_m=0.006, more=(), **changes):
    fill = VesselFill(vessel="vessel", level_m=level_m)
    return world(
        [FLOORLESS, still("vessel", shape), *more], [water(fill)], spacing_m=spacing_m, duration_s=0.1, **changes
    )


def problems(spec):
    with pytest.raises(SpecError) as error:
        start_liquids(spec)
    return error.value.problems


@pytest.mark.parametrize(
    ("shape", "level"),
    [
        (GLASS, 0.07),
        (BOWL, 0.045),
        (DISH, 0.04),
        (BOTTLE, 0.14),
        (TANK, 0.05),
        (TANK, 0.031),
        (STEPPED, 0.045),
        (STEPPED, 0.053),
        (STEPPED, 0.08),
    ],
)
def test_a_vessel_holds_as_many_particles_as_its_volume_asks_for(shape, level):
    start = start_liquids(filled(shape, level))
    assert 0.92 * 0.006 <= start.spacing_m <= 0.006
    assert len(start) * start.spacing_m**3 == pytest.approx(capacity_m3(shape, level), rel=0.015)
    assert inside(shape, start.position_m).all()
    assert signed_distances(shape, start.position_m).min() > 0.45 * start.spacing_m
    apart, _ = cKDTree(start.position_m).query(start.position_m, k=2)
    assert apart[:, 1].min() > 0.45 * start.spacing_m
    if shape.kind == "tank":
        top = start.position_m[:, 2].max() + 0.5 * start.spacing_m
        assert top == pytest.approx(shape.floor_z_m + level, abs=0.5 * start.spacing_m)


@pytest.mark.parametrize(
    "shape",
    [
        Sphere(radius_m=0.03),
        Box(size_m=(0.05, 0.041, 0.033)),
        ConvexHull(points_m=((0, 0, 0), (0.08, 0, 0), (0, 0.08, 0), (0, 0, 0.08))),
    ],
)
def test_a_region_holds_as_many_particles_as_its_volume_asks_for(shape):
    fill = RegionFill(shape=shape, position_m=(0.1, 0.2, 0.5), orientation_wxyz=(0.9, 0.1, 0.2, 0.3))
    start = start_liquids(world([FLOOR], [water(fill)], spacing_m=0.006, duration_s=0.1))
    assert len(start) * start.spacing_m**3 == pytest.approx(mass_properties(shape).mass, rel=0.01)
    assert (start.fluid == 0).all()


def test_several_fills_share_a_spacing():
    fills = [
        RegionFill(shape=Box(size_m=size), position_m=place)
        for size, place in (((0.05, 0.04, 0.03), (0, 0, 0.5)), ((0.031, 0.045, 0.07), (0.2, 0, 0.5)))
    ]
    spec = world(
        [FLOOR],
        [water(fills[0], name="one"), water(fills[1], name="two", velocity_m_s=(1.0, 0.0, 0.0))],
        spacing_m=0.006, duration_s=0.1,
    )  # fmt: skip
    start = start_liquids(spec)
    for k, fill in enumerate(fills):
        amount = (start.fluid == k).sum() * start.spacing_m**3
        assert amount == pytest.approx(np.prod(fill.shape.size_m), rel=0.02)
    assert (start.velocity_m_s[start.fluid == 1] == [1.0, 0.0, 0.0]).all()
    assert not start.velocity_m_s[start.fluid == 0].any()


def test_a_region_in_a_tank_keeps_to_its_side_of_the_walls():
    corners = tuple((x, y, z + 0.004) for y in (-0.035, 0.035) for x, z in ((-0.055, 0), (0.055, 0), (0.055, 0.06)))
    spec = world(
        [FLOORLESS, still("tank", TANK)], [water(RegionFill(shape=ConvexHull(points_m=corners)))], spacing_m=0.006,
        duration_s=0.1,
    )  # fmt: skip
    start = start_liquids(spec)
    assert inside(TANK, start.position_m).all()
    assert len(start) * start.spacing_m**3 == pytest.approx(0.11 * 0.06 / 2 * 0.07, rel=0.03)


def test_what_a_body_takes_up_stays_empty():
    ball = Body(name="ball", shape=Sphere(radius_m=0.015), material="steel", motion="static", position_m=(0, 0, 0.03))
    region = RegionFill(shape=Box(size_m=(0.11, 0.07, 0.05)), position_m=(0.0, 0.0, 0.029))
    poured = filled(TANK, 0.05, more=[ball])
    placed = poured.model_copy(update={"fluids": (water(region),)})
    for spec in (poured, placed):
        start = start_liquids(spec)
        assert world_distances(ball.shape, (0, 0, 0.03, 1, 0, 0, 0), start.position_m).min() > 0.4 * start.spacing_m
        wanted = 0.11 * 0.07 * 0.05 - (4 / 3 * np.pi * 0.015**3 if spec is placed else 0.0)
        if spec is placed:
            assert len(start) * start.spacing_m**3 == pytest.approx(wanted, rel=0.03)


def test_a_vessel_in_the_floor_is_refused_with_depth_and_remedy():
    spec = small_pour()
    bodies = list(spec.bodies)
    bodies[1] = bodies[1].model_copy(update={"position_m": (0.0, 0.0, -0.012)})
    (problem,) = problems(spec.model_copy(update={"bodies": tuple(bodies)}))
    assert problem == "bodies.1: 'glass' reaches 12.0 mm into 'floor'; raise it by at least that"


def test_a_driven_vessel_in_another_is_refused_unless_they_pass_through_each_other():
    spec = small_pour()
    keys = tuple(
        key.model_copy(update={"position_m": (0.034, 0.0, key.position_m[2])}) for key in spec.bodies[2].keyframes
    )
    low = tuple(Keyframe(time_s=key.time_s, position_m=(0.034, 0.0, 0.03)) for key in keys)
    bodies = (*spec.bodies[:2], spec.bodies[2].model_copy(update={"keyframes": low}))
    wrong = spec.model_copy(update={"bodies": bodies})
    assert any("'cup' reaches" in problem and "into 'glass'" in problem for problem in problems(wrong))
    start_liquids(wrong.model_copy(update={"no_contact": (("glass", "cup"),)}))


def test_touching_is_not_overlapping():
    start_liquids(small_pour())
    glass = still("vessel", GLASS, z_m=0.0004 - 0.0004)
    start_liquids(
        world([FLOOR, glass], [water(VesselFill(vessel="vessel", level_m=0.04))], spacing_m=0.006, duration_s=1)
    )


@pytest.mark.parametrize(
    ("shape", "width", "least"),
    [
        (GLASS, "68 mm wide", 0.017),
        (BOTTLE, "40 mm wide", 0.013333),
        (Vessel(profile_m=((0.008, 0.005), (0.05, 0.005), (0.05, 0.09)), wall_m=0.003), "16 mm wide", 0.005333),
        (TANK, "70 mm wide", 0.0175),
        (TANK.model_copy(update={"hole_m": 0.02, "hole_height_m": 0.03}), "20 mm wide", 0.006666),
    ],
)
def test_a_vessel_too_narrow_for_its_spacing_is_told_which_would_do(shape, width, least):
    found = [line for line in problems(filled(shape, 0.03, spacing_m=0.018)) if width in line]
    assert len(found) == 1
    assert f"particle_spacing_m to at most {least:g}" in found[0]


def test_particles_beside_their_vessel_are_refused():
    spec = filled(GLASS, 0.05)
    start = start_liquids(spec)
    standing = list(zip(spec.bodies, driven_poses(spec, 0.0), strict=True))
    sites = start.position_m.copy()
    sites[:7, 0] += 0.1
    found = site_problems(spec, standing, [(0, 0, standing[1], sites)], start.spacing_m)
    assert found == [
        f"fluids.0.fills.0: 7 of {len(sites)} particles would start outside 'vessel', which is somewhere too narrow "
        "for a spacing of 6 mm; set a smaller particle_spacing_m"
    ]


def test_bodies_that_overlap_only_for_the_engine_that_moves_them_are_refused_before_the_first_step():
    """A ball at the round wall of a vessel that is too thin for flat pieces to leave the hollow alone."""
    bowl = still("vessel", Vessel(profile_m=((0.0, 0.005), (0.2, 0.005), (0.2, 0.1)), wall_m=0.001))
    x, y = 0.18 * np.cos(np.pi / 24), 0.18 * np.sin(np.pi / 24)
    ball = Body(name="ball", shape=Sphere(radius_m=0.02), material="oak", position_m=(x, y, 0.08))
    fill = water(VesselFill(vessel="vessel", level_m=0.03))
    spec = world([FLOOR, bowl, ball], [fill], spacing_m=0.015, duration_s=0.1)
    start_liquids(spec)
    with pytest.raises(SpecError, match="'vessel' and 'ball' overlap by"):
        DfsphSimulator().check(spec)


def test_all_problems_come_at_once():
    mesh = TriangleMesh(vertices_m=((0, 0, 0), (1, 0, 0), (0, 1, 0)), faces=((0, 1, 2),))
    bodies = [
        FLOOR,
        still("vessel", GLASS, z_m=-0.01),
        Body(name="rock", shape=mesh, material="marble", motion="static", position_m=(5.0, 0.0, 0.0)),
    ]
    drop = RegionFill(shape=Sphere(radius_m=0.02), position_m=(0.5, 0.0, 0.5))
    fluids = [
        water(VesselFill(vessel="vessel", level_m=0.2), name="high"),
        water(drop, drop, name="twice"),
        water(RegionFill(shape=Sphere(radius_m=0.004), position_m=(0.8, 0.0, 0.5)), name="few"),
        water(RegionFill(shape=Box(size_m=(0.1, 0.1, 0.1)), position_m=(0.0, 2.0, -0.5)), name="buried"),
    ]
    text = "\n".join(problems(world(bodies, fluids, spacing_m=0.006, duration_s=0.1)))
    for expected in (
        "bodies.2: 'rock' is a triangle mesh",
        "bodies.1: 'vessel' reaches 10.0 mm into 'floor'",
        "fluids.0.fills.0: level_m 0.2 is above the rim",
        "fluids.1.fills.1: it overlaps fluids.1.fills.0",
        "fluids.2.fills.0: 1.",
        "fluids.3.fills.0: bodies leave room for 0 of",
    ):
        assert expected in text


def test_a_plane_is_no_obstacle_on_its_free_side():
    tilted = Body(
        name="slope", shape=Plane(), material="oak", motion="static", orientation_wxyz=(0.92388, 0.0, 0.382683, 0.0)
    )
    drop = RegionFill(shape=Sphere(radius_m=0.02), position_m=(0.1, 0.0, 0.1))
    assert len(start_liquids(world([tilted], [water(drop)], spacing_m=0.006, duration_s=0.1))) > 100
