"""The parts of the dfsph engine, each against a slow or closed-form way; and what it promises as an engine."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from liquid_laws import FLOOR, G, basin, liquid, simulate, still, water, world
from scipy.spatial import cKDTree

from physreel.errors import SimulationError, SpecError
from physreel.geometry.distances import signed_distances
from physreel.geometry.rotations import keyframe_pose
from physreel.simulators import dfsph, dfsph_contacts, dfsph_drag, dfsph_pairs, dfsph_solver
from physreel.simulators.dfsph import DfsphSimulator
from physreel.simulators.dfsph_bodies import pieces_of, world_frames
from physreel.simulators.dfsph_tables import SHARE, SUPPORT, spline, wall_tables
from physreel.simulators.dfsph_watch import Bounds, Watch, watch_held
from physreel.simulators.liquid_record import driven_poses
from physreel.spec import (
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Keyframe,
    Piece,
    Plane,
    RegionFill,
    Sphere,
    Tank,
    TriangleMesh,
    Vessel,
)
from physreel.testing.worlds import small_pour

S = 0.006
GLASS = Vessel(
    profile_m=((0.0, 0.006), (0.02, 0.006), (0.03, 0.01), (0.034, 0.02), (0.034, 0.06), (0.04, 0.09)), wall_m=0.003
)
HOLED = Vessel(profile_m=((0.012, 0.006), (0.03, 0.006), (0.034, 0.09)), wall_m=0.003)
TANK = Tank(inside_m=(0.06, 0.06, 0.08), wall_m=0.004, hole_m=0.02, hole_height_m=0.012)
SHAPES = [
    GLASS, HOLED, TANK, Box(size_m=(0.03, 0.02, 0.01)), Cylinder(radius_m=0.02, height_m=0.03),
    Cone(radius_m=0.03, height_m=0.05), Sphere(radius_m=0.02), Capsule(radius_m=0.01, length_m=0.03),
    Compound(pieces=(
        Piece(shape=Box(size_m=(0.03, 0.02, 0.01)), position_m=(0.01, 0, 0.03), orientation_wxyz=(0.9, 0.1, 0.3, 0.2)),
        Piece(shape=Sphere(radius_m=0.015), position_m=(-0.02, 0.0, 0.0)),
    )),
]  # fmt: skip


class Walls:
    """What find_contacts says of points, bodies standing still unless they are given other poses to go to."""

    def __init__(self, spec, points, *, later=None, dt=1e-3):
        pieces, n, most = pieces_of(spec), len(points), dfsph_contacts.MOST
        here = driven_poses(spec, 0.0)
        turn, place = world_frames(here)
        next_turn, next_place = world_frames(here if later is None else later)
        self.count, self.distance = np.zeros(n, np.int64), np.full((n, most), np.inf)
        self.normal, self.body = np.zeros((n, most, 3)), np.zeros((n, most), np.int64)
        self.velocity, self.wall_slope = np.zeros((n, most, 3)), np.zeros((n, most, 3))
        self.share, self.slope, self.flow, self.pull = np.zeros(n), np.zeros((n, 3)), np.zeros(n), np.zeros((n, 3))
        dfsph_contacts.find_contacts(
            np.ascontiguousarray(points), S, pieces.kind, pieces.body, pieces.turn, pieces.place, pieces.size,
            pieces.first, pieces.count, pieces.rows, pieces.middle, pieces.reach, turn, place, next_turn, next_place,
            dt, wall_tables(), np.ones(len(spec.bodies), np.bool_), self.count, self.distance, self.normal, self.body,
            self.velocity, self.wall_slope, self.share, self.slope, self.flow, self.pull,
        )  # fmt: skip


class Neighbours:
    """Pairs, densities and the rest of points (in the order of their cells: ``order``)."""

    def __init__(self, spec, points, *, cohesion=0.0):
        start = np.zeros(dfsph_pairs.MOST_CELLS + 1, np.int32)
        self.order, cell, dims, reach = dfsph_pairs.cell_order(points, S, start)
        self.points, n = points[self.order], len(points)
        self.walls = Walls(spec, self.points)
        self.first, self.other = np.zeros(n + 1, np.int64), np.zeros(60 * n, np.int32)
        self.pair, self.density, self.diagonal = np.zeros((60 * n, 4)), np.zeros(n), np.zeros(n)
        self.force = np.zeros((n, 3))
        w = self.walls
        self.count = dfsph_pairs.find_pairs(
            self.points, S, cell, start, dims, reach, w.count, w.distance, w.normal, w.body, w.share, w.slope,
            np.ones(n), np.full(n, cohesion), self.first, self.other, self.pair, self.density, self.diagonal,
            self.force, np.zeros((n, 4)),
        )  # fmt: skip

    def pairs(self):
        """The pairs as sorted tuples of the given order's indices."""
        a = np.repeat(np.arange(len(self.points)), np.diff(self.first))
        b = self.other[: self.count]
        return {tuple(sorted((int(self.order[i]), int(self.order[j])))) for i, j in zip(a, b, strict=True)}


def alone(shape=None, **changes):
    bodies = [] if shape is None else [Body(name="body", shape=shape, material="oak", motion="static", **changes)]
    far = RegionFill(shape=Sphere(radius_m=0.02), position_m=(9.0, 0.0, 9.0))
    ground = FLOOR.model_copy(update={"position_m": (0.0, 0.0, -9.0)})
    return world([*bodies, ground], [water(far)], spacing_m=S, duration_s=0.1)


# --- walls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.kind)
def test_the_nearest_wall_is_as_far_as_the_shape_and_its_normal_points_away(shape):
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.07, 0.07, (4000, 3)) + np.array([0.0, 0.0, 0.03])
    distance = signed_distances(shape, points)
    near = (distance > 0.0) & (distance < 1.9 * S)
    points, distance = points[near], distance[near]
    walls = Walls(alone(shape), points)
    assert walls.distance[:, 0] == pytest.approx(distance, abs=1e-9)
    ahead = signed_distances(shape, points + 1e-6 * walls.normal[:, 0])
    # Where two surfaces are as near as each other, the other one may be the nearer after a step.
    assert np.quantile(np.abs(ahead - distance - 1e-6), 0.98) < 1e-8


@pytest.mark.parametrize("shape", [*SHAPES, Ellipsoid(radii_m=(0.03, 0.02, 0.02))], ids=lambda shape: shape.kind)
def test_a_walls_share_of_the_density_grows_as_its_gradient_says(shape):
    rng = np.random.default_rng(2)
    points = rng.uniform(-0.07, 0.07, (4000, 3)) + np.array([0.0, 0.0, 0.03])
    distance = signed_distances(shape, points)
    points = points[(distance > 0.2 * S) & (distance < 1.6 * S)]
    walls, step = Walls(alone(shape), points), 1e-6
    numeric = np.stack(
        [
            (Walls(alone(shape), points + step * axis).share - Walls(alone(shape), points - step * axis).share)
            / (2 * step)
            for axis in np.eye(3)
        ],
        1,
    )
    error = np.linalg.norm(numeric - walls.slope, axis=1) * S
    assert np.quantile(error, 0.95) < 0.05
    assert (walls.share >= 0.0).all()
    assert walls.slope == pytest.approx(walls.wall_slope.sum(1), abs=1e-9 / S)


def test_hulls_are_felt_like_the_boxes_they_are():
    corners = tuple(itertools.product((-0.015, 0.015), (-0.01, 0.01), (-0.005, 0.005)))
    rng = np.random.default_rng(3)
    points = rng.uniform(-0.03, 0.03, (3000, 3))
    box, hull = (Walls(alone(shape), points) for shape in (SHAPES[3], ConvexHull(points_m=corners)))
    beside = (np.abs(points) < [0.011, 0.006, 0.001]).sum(1) == 2  # over a face
    assert hull.distance[beside, 0] == pytest.approx(box.distance[beside, 0], abs=1e-12)
    assert hull.share[beside] == pytest.approx(box.share[beside], abs=0.05)


def test_a_lattice_half_a_spacing_off_a_wall_has_the_density_of_rest():
    """On a floor, in a tank's edge and corner, and inside a wide cylinder."""
    tank = Tank(inside_m=(10 * S, 10 * S, 12 * S), wall_m=0.004)
    axis = (np.arange(10) + 0.5) * S
    points = np.stack(np.meshgrid(axis - 5 * S, axis - 5 * S, axis + 0.004, indexing="ij"), -1).reshape(-1, 3)
    found = Neighbours(alone(tank), points)
    below = found.points[:, 2] < 8 * S
    assert found.density[below] == pytest.approx(1.0, abs=0.01)
    assert wall_tables()[:, SHARE].max() == pytest.approx(1.0)


def test_a_moving_walls_velocity_is_that_of_its_motion():
    box = Box(size_m=(0.03, 0.02, 0.01))
    spec = alone(box)
    turn, dt = 0.02, 1e-3
    later = driven_poses(spec, 0.0)
    later[0] = [0.0, 0.0, 0.003, np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2)]
    points = np.array([[0.01, 0.0, 0.009], [0.02, 0.0, 0.0]])
    walls = Walls(spec, points, later=later, dt=dt)
    wanted = np.array([0.0, 0.0, 3.0]) + np.cross([0.0, 0.0, turn / dt], points)
    assert walls.velocity[:, 0] == pytest.approx(wanted, abs=0.02 * turn / dt * 0.02)
    assert walls.flow == pytest.approx(np.einsum("ni,ni->n", walls.slope, walls.velocity[:, 0]), rel=1e-6)


# --- pairs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_pairs_and_densities_are_those_of_a_search_by_tree(spread):
    """Also where liquid is spread so far that cells have to be larger."""
    rng = np.random.default_rng(4)
    points = np.concatenate([rng.uniform(0, 8 * S, (500, 3)), rng.uniform(0, 8 * S * spread, (300, 3))])
    found = Neighbours(alone(), points)
    tree = cKDTree(points)
    assert found.pairs() == tree.query_pairs(SUPPORT * S)
    density = spline(np.zeros(len(points)))
    for i, j in tree.query_pairs(SUPPORT * S):
        w = spline(np.linalg.norm(points[i] - points[j], keepdims=True) / S)[0]
        density[i] += w
        density[j] += w
    assert found.density == pytest.approx(density[found.order], rel=1e-12)
    assert found.force == pytest.approx(0.0, abs=0.0)


def test_attraction_pulls_together_and_keeps_momentum():
    rng = np.random.default_rng(5)
    points = rng.uniform(0, 6 * S, (300, 3))
    found = Neighbours(alone(), points, cohesion=1.0)
    assert np.abs(found.force.sum(0)).max() < 1e-9 * np.abs(found.force).sum()
    near = Neighbours(alone(), np.array([[0.0, 0.0, 0.0], [1.2 * S, 0.0, 0.0]]), cohesion=1.0)
    assert near.force[near.points[:, 0].argmin(), 0] > 0.0
    close = Neighbours(alone(), np.array([[0.0, 0.0, 0.0], [0.5 * S, 0.0, 0.0]]), cohesion=1.0)
    assert close.force[close.points[:, 0].argmin(), 0] < 0.0


def test_there_are_no_pairs_through_a_thin_wall():
    plate = Box(size_m=(0.2, 0.2, 0.001))
    rng = np.random.default_rng(6)
    flat = rng.uniform(-5 * S, 5 * S, (200, 2))
    height = np.where(np.arange(200) < 100, 0.0005 + 0.3 * S, -0.0005 - 0.3 * S)
    found = Neighbours(alone(plate), np.column_stack([flat, height]))
    assert all((a < 100) == (b < 100) for a, b in found.pairs())
    assert len(found.pairs()) > 100


# --- solvers ----------------------------------------------------------------------------------------------------------


def test_pressures_stop_growth_and_never_pull():
    """The complementarity of an incompressible liquid: p >= 0, growth <= 0, and one of the two is 0."""
    rng = np.random.default_rng(7)
    axis = (np.arange(8) + 0.5) * S
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3) + rng.normal(
        0, 0.05 * S, (512, 3)
    )
    found = Neighbours(alone(), points)
    n, dt = len(points), 1e-3
    velocity = rng.normal(0, 0.1, (n, 3))
    before = velocity.sum(0)
    pressure, shift = np.zeros(n), np.zeros((n, 3))
    pairs = (found.first, found.other, found.pair)
    dfsph_solver.press(
        velocity, found.density, *pairs, found.walls.slope, found.walls.flow, np.ones(n), found.diagonal, dt, 0.0, 1.0,
        0.5, S, pressure, shift, 1e-9, 1e-9, 500,
    )  # fmt: skip
    growth = np.zeros(n)
    for i in range(n):
        for k in range(found.first[i], found.first[i + 1]):
            j = found.other[k]
            rate = found.pair[k, :3] @ (velocity[i] - velocity[j])
            growth[i] += rate
            growth[j] += rate
    assert (pressure >= 0.0).all()
    assert growth.max() * dt < 1e-7
    assert np.abs(growth[pressure > 0.0]).max() * dt < 1e-7
    assert (pressure > 0.0).sum() > 50
    assert velocity.sum(0) == pytest.approx(before, abs=1e-10)
    assert np.linalg.norm(shift, axis=1).max() <= S


def test_viscosity_takes_energy_and_keeps_momentum_and_turning():
    rng = np.random.default_rng(8)
    points = rng.uniform(0, 6 * S, (400, 3))
    found = Neighbours(alone(), points)
    n, most = len(points), dfsph_contacts.MOST
    mass = rng.uniform(0.5, 2.0, n)
    walls = found.walls

    def dragged(velocity, viscosity):
        out = velocity.copy()
        dfsph_drag.drag(
            out, found.first, found.other, found.pair, walls.count, walls.distance, walls.normal, walls.velocity, mass,
            np.full(n, viscosity), np.full(n, viscosity), S, 1e-3, wall_tables(), 1e-6, 200,
        )  # fmt: skip
        return out

    assert walls.count.sum() == 0
    assert most >= 4
    velocity = rng.normal(0, 1.0, (n, 3))
    slowed = dragged(velocity, 1e4)
    assert mass @ slowed == pytest.approx(mass @ velocity, abs=1e-9 * n)
    assert (mass * (slowed**2).sum(1)).sum() < 0.9 * (mass * (velocity**2).sum(1)).sum()
    turning = np.cross([1.0, 2.0, 3.0], found.points)
    assert dragged(turning, 1e4) == pytest.approx(turning, abs=1e-9)


# --- the whole --------------------------------------------------------------------------------------------------------


def test_the_same_spec_gives_the_same_bytes_whatever_ran_before():
    spec = small_pour().model_copy(update={"duration_s": 0.25})
    first = liquid(DfsphSimulator().simulate(spec))
    simulate("dfsph", basin())
    again = liquid(DfsphSimulator().simulate(spec))
    assert first.position_m.tobytes() == again.position_m.tobytes()
    assert first.velocity_m_s.tobytes() == again.velocity_m_s.tobytes()


def test_driven_bodies_are_on_their_keyframes_and_notes_say_how_it_went():
    spec = small_pour()
    trajectory = simulate("dfsph", spec)
    for k in (0, 5, 15):
        assert trajectory.body_pose[k, 2] == pytest.approx(keyframe_pose(spec.bodies[2], k / spec.fps))
    assert len(trajectory.contacts) == 0
    assert "661 particles 6.00 mm apart" in trajectory.notes[0]
    assert "mean density error" in trajectory.notes[0]
    steps = 1.0 / (trajectory.fps * trajectory.step_s)
    assert steps == pytest.approx(round(steps))


def test_what_falls_off_the_world_is_gone_for_good():
    """Liquid on a small plate over nothing runs off, leaves, and no longer counts; the rest goes on."""
    plate = Body(
        name="plate", shape=Box(size_m=(0.1, 0.1, 0.01)), material="oak", motion="static", position_m=(0.0, 0.0, 1.0)
    )
    heap = RegionFill(shape=Box(size_m=(0.06, 0.06, 0.06)), position_m=(0.0, 0.0, 1.035))
    trajectory = simulate("dfsph", world([plate], [water(heap)], spacing_m=0.006, duration_s=0.8))
    track = liquid(trajectory)
    gone = ~track.present_end
    assert gone.sum() > 100
    assert track.present[0].all()
    assert not (track.present[1:] & ~track.present[:-1]).any()
    assert track.position_end_m[track.present_end, 2].min() > 1.0 - 0.5


def test_a_driven_wall_pushes_liquid_before_it_and_lets_none_through():
    """A plate sweeps through a trough at 0.5 m/s."""
    trough = still("trough", Tank(inside_m=(0.2, 0.04, 0.1), wall_m=0.004))
    keys = tuple(Keyframe(time_s=t, position_m=(x, 0.0, 0.054)) for t, x in ((0.0, -0.095), (0.3, 0.055)))
    plate = Body(name="plate", shape=Box(size_m=(0.002, 0.0395, 0.1)), material="oak", motion="driven", keyframes=keys)
    fill = RegionFill(shape=Box(size_m=(0.18, 0.04, 0.018)), position_m=(0.008, 0.0, 0.013))
    spec = world([FLOOR, trough, plate], [water(fill)], spacing_m=0.006, duration_s=0.3)
    track = liquid(simulate("dfsph", spec))
    low = track.position_end_m[:, 2] < 0.09
    assert (track.position_end_m[low, 0] > 0.055).all()


def test_a_mesh_is_refused_by_name():
    mesh = TriangleMesh(vertices_m=((0, 0, 0), (1, 0, 0), (0, 1, 0)), faces=((0, 1, 2),))
    rock = Body(name="rock", shape=mesh, material="marble", motion="static", position_m=(0.0, 0.0, -3.0))
    spec = alone()
    with pytest.raises(SpecError, match="'rock' is a triangle mesh"):
        DfsphSimulator().check(spec.model_copy(update={"bodies": (*spec.bodies, rock)}))


def test_steps_follow_speed_and_pressure():
    run = dfsph.start(basin())
    deep = run.step_limit()
    run.fastest = 10.0
    assert run.step_limit() < 0.4 * run.spacing / 10.0 + 1e-9
    run.fastest, run.press_speed = 0.0, 20.0
    assert run.step_limit() == pytest.approx(0.28 * run.spacing / 20.0)
    assert deep < 0.1 * np.sqrt(run.spacing / G) + 1e-9


def test_numbers_gone_wrong_energy_and_compression_end_a_simulation():
    spec = alone()
    x, v, mass = np.zeros((50, 3)), np.zeros((50, 3)), np.ones(50)
    x[:, 2] = np.linspace(0.0, 0.1, 50)
    one = np.ones(50)
    Watch(spec, x, v, mass).look(0.1, x, v, mass, one)
    with pytest.raises(SimulationError, match=r"no longer numbers at 0\.100 s"):
        Watch(spec, x, v, mass).look(0.1, np.where(x > 0.05, np.nan, x), v, mass, one)
    with pytest.raises(SimulationError, match=r"energy out of nothing: at 0\.100 s"):
        Watch(spec, x, v, mass).look(0.1, x, v + 0.5, mass, one)
    with pytest.raises(SimulationError, match=r"pressed together: at 0\.100 s it is 10\.0% too dense"):
        Watch(spec, x, v, mass).look(0.1, x, v, mass, 1.1 * one)
    watch_held(0, 1000)
    with pytest.raises(SimulationError, match="too fast for its step"):
        watch_held(50, 1000)


def test_a_position_that_is_no_number_ends_a_simulation_before_it_is_made_an_index():
    run = dfsph.start(basin())
    run.velocity[7] = np.nan
    run.step(1e-3)
    assert np.isnan(run.position).any()
    with pytest.raises(SimulationError, match="no longer numbers"):
        run.step(1e-3)


def test_the_density_error_of_the_notes_is_by_how_much_the_liquid_is_too_dense():
    run = dfsph.start(basin())
    run.position *= 0.98
    run.step(1e-4)
    # Particles at the surface are not dense to begin with.
    assert 0.5 * (0.98**-3 - 1.0) < run.error_sum < 0.98**-3 - 1.0


def test_the_world_ends_far_outside_and_below_all_that_is_in_it():
    spec = alone(Plane())
    bounds = Bounds(spec, np.array([[0.0, 0.0, 1.0], [0.1, 0.0, 1.0]]))
    outside = bounds.outside(np.array([[0.0, 0.0, 0.5], [20.0, 0.0, 0.5], [0.0, 0.0, -8.0], [0.0, 0.0, -9.5]]))
    assert outside.tolist() == [False, True, False, True]
