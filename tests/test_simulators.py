"""What both engines promise beside the laws: refusals, determinism, joints, driven bodies, watchfulness."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from worlds import ENGINES, G, body, cube, engine, floor, surface, world

from physreel.errors import MissingDependencyError, SimulationError, SpecError, UnsupportedError
from physreel.geometry.rotations import axis_angle_to_wxyz, random_wxyz
from physreel.simulators import preparation
from physreel.simulators.contact_rows import ContactPoints, merge
from physreel.simulators.mujoco import MujocoSimulator
from physreel.simulators.preparation import prepare, step_velocities
from physreel.simulators.tessellation import is_convex, mesh_pieces, solid_pieces
from physreel.simulators.watch import watch_energy, watch_solid, work_done
from physreel.spec import (
    Body,
    Box,
    Capsule,
    Compound,
    Cone,
    ContactPair,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Joint,
    Keyframe,
    Motor,
    Piece,
    Sphere,
    TriangleMesh,
)

both = pytest.mark.parametrize("name", ENGINES)

WEDGE = ConvexHull(points_m=((0, 0, 0), (0.1, 0, 0), (0, 0.1, 0), (0.1, 0.1, 0), (0, 0, 0.06), (0, 0.1, 0.06)))
HAMMER = Compound(
    pieces=(
        Piece(shape=Cylinder(radius_m=0.01, height_m=0.2)),
        Piece(shape=Box(size_m=(0.1, 0.04, 0.04)), position_m=(0, 0, 0.12)),
    )
)
SHAPES = {
    "box": Box(size_m=(0.1, 0.08, 0.06)),
    "sphere": Sphere(radius_m=0.05),
    "cylinder": Cylinder(radius_m=0.04, height_m=0.1),
    "capsule": Capsule(radius_m=0.03, length_m=0.08),
    "cone": Cone(radius_m=0.05, height_m=0.1),
    "ellipsoid": Ellipsoid(radii_m=(0.05, 0.04, 0.03)),
    "convex_hull": WEDGE,
    "compound": HAMMER,
    "compound of hulls": Compound(
        pieces=(Piece(shape=WEDGE), Piece(shape=Cone(radius_m=0.04, height_m=0.1), position_m=(0.05, 0.05, -0.05)))
    ),
}


def keys(*stops: tuple[float, tuple[float, float, float]]) -> tuple[Keyframe, ...]:
    return tuple(Keyframe(time_s=time, position_m=place) for time, place in stops)


def square_mesh(half_m: float) -> TriangleMesh:
    corners = ((-half_m, -half_m, 0.0), (half_m, -half_m, 0.0), (half_m, half_m, 0.0), (-half_m, half_m, 0.0))
    return TriangleMesh(vertices_m=corners, faces=((0, 1, 2), (0, 2, 3)))


# --- shapes -----------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("kind", SHAPES)
def test_every_shape_falls_hits_and_does_not_sink(name, kind):
    turn = tuple(map(float, random_wxyz(np.random.default_rng(3))))
    thing = body(shape=SHAPES[kind], position_m=(0, 0, 0.5), orientation_wxyz=turn)
    trajectory = engine(name).simulate(world([floor(), thing], duration_s=1.5, contact_pairs=surface(0.3, 0.6)))
    first = trajectory.contacts
    assert len(first) > 0
    assert first.approach_speed_m_s[0] == pytest.approx(np.sqrt(2 * G * 0.45), rel=0.15)
    from physreel.geometry.extents import lowest_points

    lowest = trajectory.body_pose[-1, 1, 2] + lowest_points(thing.shape, trajectory.body_pose[-1, 1, 3:])[0]
    assert abs(lowest) < 1e-3
    weight = prepare(world([floor(), thing])).masses[1].mass * G
    late = first.time_s > 1.2
    pushed = (first.normal_impulse_n_s[late, None] * first.normal[late])[:, 2].sum()
    assert pushed == pytest.approx(weight * 0.3, rel=0.15)


@both
@pytest.mark.parametrize("shape", [Box(size_m=(1, 1, 0.05)), square_mesh(0.5), WEDGE], ids=["box", "mesh", "hull"])
def test_static_shapes_carry(name, shape):
    top = {"box": 0.025, "triangle_mesh": 0.0, "convex_hull": 0.06}[shape.kind]
    support = Body(name="support", shape=shape, material="oak", motion="static")
    ball = body(shape=Sphere(radius_m=0.02), position_m=(0.001, 0.05, top + 0.15))
    trajectory = engine(name).simulate(world([support, ball], duration_s=0.16))
    assert trajectory.body_pose_end[1, 2] > top
    table = engine(name).simulate(world([support, ball], duration_s=0.3)).contacts
    assert table.time_s[0] == pytest.approx(np.sqrt(2 * 0.13 / G), abs=3e-3)


def test_meshes_become_pieces_that_fill_them():
    cube_points = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    from physreel.geometry.hulls import hull_faces

    vertices, faces = hull_faces(ConvexHull(points_m=tuple(map(tuple, cube_points.tolist()))))
    closed = TriangleMesh(vertices_m=tuple(map(tuple, vertices.tolist())), faces=tuple(map(tuple, faces.tolist())))
    assert is_convex(closed)
    assert len(mesh_pieces(closed)) == 1
    opened = TriangleMesh(vertices_m=closed.vertices_m, faces=closed.faces[1:])
    assert not is_convex(opened)
    assert len(mesh_pieces(opened)) == 11


@pytest.mark.parametrize("kind", [kind for kind in SHAPES if kind != "compound of hulls"])
def test_solid_pieces_hold_the_centre_and_not_the_outside(kind):
    shape = SHAPES[kind]
    from physreel.geometry.mass import mass_properties

    center = mass_properties(shape).center

    def inside(point: np.ndarray) -> bool:
        return any((planes[:, :3] @ point < planes[:, 3]).all() for planes in solid_pieces(shape))

    assert inside(center)
    assert not any(inside(center + 0.2 * way) for way in (*np.eye(3), *-np.eye(3)))


# --- refusals ---------------------------------------------------------------------------------------------------------


@both
def test_overlaps_are_refused_all_at_once(name):
    bodies = [
        floor(),
        cube("a", position_m=(0, 0, 0.04)),
        cube("b", position_m=(0.09, 0, 0.2)),
        body("c", position_m=(0, 0, 0.2)),
        cube("far", position_m=(2, 0, 0.05)),
        cube("through", position_m=(2, 0.05, 0.05)),
    ]
    spec = world(bodies, no_contact=(("far", "through"),))
    for call in (engine(name).check, engine(name).simulate):
        with pytest.raises(SpecError) as caught:
            call(spec)
        assert len(caught.value.problems) == 2
        assert "'floor' and 'a' overlap by 10.0 mm" in caught.value.problems[0]
        assert "'b' and 'c' overlap by 10.0 mm" in caught.value.problems[1]
        assert "no_contact" in caught.value.problems[0]


@both
def test_touching_and_static_overlap_are_no_fault(name):
    wall = Body(name="wall", shape=Box(size_m=(0.1, 1, 1)), material="oak", motion="static", position_m=(1, 0, 0.2))
    engine(name).check(world([floor(), wall, cube("a", position_m=(0, 0, 0.0499)), cube("b", position_m=(0, 0, 0.15))]))


@both
def test_capabilities_are_asked_for(name, monkeypatch):
    simulator = engine(name)
    monkeypatch.setattr(type(simulator), "capabilities", frozenset({"rigid"}))
    spec = world([body()], joints=(Joint(name="pivot", kind="hinge", child="body"),))
    with pytest.raises(UnsupportedError, match="joints"):
        simulator.check(spec)
    with pytest.raises(UnsupportedError, match="joints"):
        simulator.simulate(spec)


@both
def test_a_joint_between_what_cannot_move_is_refused(name):
    spec = world(
        [body(), Body(name="post", shape=Box(size_m=(1, 1, 1)), material="oak", motion="static", position_m=(5, 0, 0))],
        joints=(Joint(name="nothing", kind="hinge", child="post"),),
    )
    with pytest.raises(SpecError, match="neither 'post' nor 'the world' is dynamic"):
        engine(name).check(spec)


def test_bullet_says_what_it_needs(monkeypatch):
    from physreel.simulators.bullet import BulletSimulator

    monkeypatch.setitem(sys.modules, "pybullet", None)
    with pytest.raises(MissingDependencyError, match=r"Python 3\.11"):
        BulletSimulator()


def test_mujoco_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(MissingDependencyError, match="pip install mujoco"):
        MujocoSimulator()


# --- sameness ---------------------------------------------------------------------------------------------------------


def crowd(count: int = 6, **options: object) -> list[Body]:
    rng = np.random.default_rng(5)
    shapes = list(SHAPES.values())
    return [
        floor(),
        *(
            body(
                f"thing {k}", shapes[k % len(shapes)], position_m=(0.12 * (k % 3), 0.15 * (k // 3), 0.3 + 0.2 * k),
                orientation_wxyz=tuple(map(float, random_wxyz(rng))),
            )
            for k in range(count)
        ),
    ]  # fmt: skip


@both
def test_same_spec_same_bytes_whatever_ran_before(name):
    spec = world(crowd(), duration_s=1.0, contact_pairs=surface(0.4, 0.5))
    first = engine(name).simulate(spec)
    simulator = engine(name)
    simulator.simulate(world([floor(), cube(position_m=(0, 0, 1), velocity_m_s=(1, 2, 3))], gravity_m_s2=(0, 1, -5)))
    second = simulator.simulate(spec)
    for part in ("body_pose", "body_velocity", "body_pose_end"):
        assert getattr(first, part).tobytes() == getattr(second, part).tobytes()
    for part in first.contacts.__dataclass_fields__:
        assert getattr(first.contacts, part).tobytes() == getattr(second.contacts, part).tobytes()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no wheel of pybullet")
@pytest.mark.parametrize(
    ("shape", "restitution", "tilt_deg"), [("sphere", 0.4, 0.0), ("sphere", 0.7, 10.0), ("box", 0.0, 0.0)]
)
def test_engines_agree_where_nothing_is_chaotic(shape, restitution, tilt_deg):
    """One body, a drop and a bounce: the same places to a centimetre, the same first impact to 2 ms."""
    thing = body(shape=SHAPES[shape], position_m=(0, 0, 0.5), velocity_m_s=(0.5, 0, 0))
    ground = floor(float(np.radians(tilt_deg)))
    spec = world([ground, thing], duration_s=0.6, contact_pairs=surface(restitution, 0.3))
    one, two = (engine(name).simulate(spec) for name in ("mujoco", "bullet"))
    assert np.abs(one.body_pose[:, 1, :3] - two.body_pose[:, 1, :3]).max() < 0.01
    assert one.contacts.time_s[0] == pytest.approx(two.contacts.time_s[0], abs=2e-3)
    assert one.contacts.approach_speed_m_s[0] == pytest.approx(two.contacts.approach_speed_m_s[0], rel=0.01)


# --- driven bodies ----------------------------------------------------------------------------------------------------


@both
def test_driven_plate_carries_by_friction(name):
    plate = Body(
        name="plate", shape=Box(size_m=(4, 1, 0.1)), material="oak", motion="driven",
        keyframes=keys((0, (0, 0, 0)), (1, (1, 0, 0)), (1.5, (1, 0, 0))),
    )  # fmt: skip
    spec = world([plate, cube(position_m=(0, 0, 0.1))], duration_s=2.0, contact_pairs=surface(0.0, 0.4))
    trajectory = engine(name).simulate(spec)
    assert trajectory.body_pose[:, 0, 0] == pytest.approx(np.minimum(trajectory.time_s, 1.0), abs=1e-9)
    assert trajectory.body_velocity[30, 0, 0] == pytest.approx(1.0, abs=1e-9)
    catching_up = 1.0 / (0.4 * G)
    caught = trajectory.time_s > catching_up + 0.05
    before_stop = trajectory.time_s < 0.95
    assert trajectory.body_velocity[caught & before_stop, 1, 0] == pytest.approx(1.0, abs=0.01)
    # It loses as much on the way up to speed as it gains on sliding to rest.
    assert trajectory.body_pose_end[1, 0] == pytest.approx(1.0, abs=5e-3)
    spec_work = work_done(prepare(spec), trajectory)
    cube_mass = prepare(spec).masses[1].mass
    # Of the work, half goes into the cube and half into heat.
    assert spec_work[40] == pytest.approx(cube_mass * 1.0**2, rel=0.05)


@both
@pytest.mark.parametrize("restitution", [0.0, 0.6])
def test_driven_bat_hits(name, restitution):
    """A ball leaves an infinitely heavy bat at (1 + e) v (Newton's law of restitution)."""
    bat = Body(
        name="bat", shape=Box(size_m=(0.1, 0.1, 0.1)), material="oak", motion="driven",
        keyframes=keys((0, (-0.5, 0, 0)), (1, (0.5, 0, 0))),
    )  # fmt: skip
    spec = world([bat, body()], gravity_m_s2=(0, 0, 0), duration_s=0.8, contact_pairs=surface(restitution, 0.2))
    trajectory = engine(name).simulate(spec)
    assert trajectory.body_velocity_end[1, 0] == pytest.approx(1 + restitution, rel=0.03)
    assert trajectory.contacts.approach_speed_m_s[0] == pytest.approx(1.0, rel=1e-3)


@both
def test_load_on_a_driven_crane_swings(name):
    """Started with a jerk at speed v, the load swings as one pushed at v: ω_max = v m L / I (angular momentum)."""
    trolley = Body(
        name="trolley", shape=Box(size_m=(0.1, 0.1, 0.1)), material="oak", motion="driven",
        keyframes=keys((0, (0, 0, 0)), (5, (2, 0, 0))),
    )  # fmt: skip
    load = body(shape=Sphere(radius_m=0.02), position_m=(0, 0, -1))
    rope = Joint(name="rope", kind="hinge", child="body", parent="trolley", axis=(0, 1, 0))
    trajectory = engine(name).simulate(world([trolley, load], joints=(rope,), duration_s=3.0))
    expected = 2 * np.arcsin(0.4 / (2 * np.sqrt(G)))
    assert np.abs(trajectory.joint_position).max() == pytest.approx(expected, rel=0.02)
    apart = trajectory.body_pose[:, 1, :3] - trajectory.body_pose[:, 0, :3]
    assert np.linalg.norm(apart, axis=1) == pytest.approx(1.0, abs=1e-3)


def test_step_velocities_lead_from_pose_to_pose():
    rng = np.random.default_rng(1)
    a, b = random_wxyz(rng), random_wxyz(rng)
    poses = np.array([[0, 0, 0, *a], [1, 2, 3, *b]])
    linear, angular = step_velocities(poses, 0.5)
    from physreel.geometry.rotations import multiply_wxyz

    turn = multiply_wxyz(a, axis_angle_to_wxyz(angular[0], 0.5 * float(np.linalg.norm(angular[0]))))
    assert abs(abs(float(turn @ b)) - 1) < 1e-12
    assert linear[0] == pytest.approx([2, 4, 6])


# --- joints -----------------------------------------------------------------------------------------------------------


@both
def test_motor_pulls_with_its_effort_up_to_its_speed(name):
    """ω = M t / I while it gathers speed, then the speed that was asked for."""
    rotor = body(shape=Box(size_m=(1, 0.1, 0.1)), mass_kg=1.0)
    hinge = Joint(name="axle", kind="hinge", child="body", motor=Motor(speed=-5.0, max_effort=0.2))
    spec = world([rotor], joints=(hinge,), gravity_m_s2=(0, 0, 0), duration_s=3.0)
    trajectory = engine(name).simulate(spec)
    inertia = (1 + 0.1**2) / 12
    assert trajectory.joint_velocity[60, 0] == pytest.approx(-0.2 / inertia, rel=0.01)
    assert trajectory.joint_velocity[-1, 0] == pytest.approx(-5.0, rel=1e-3)
    assert work_done(prepare(spec), trajectory)[-1] >= 0.5 * inertia * 25


@both
def test_limits_stop(name):
    slide = Joint(name="rail", kind="slide", child="body", limits=(-0.3, 0.1))
    trajectory = engine(name).simulate(world([body()], joints=(slide,), duration_s=2.0))
    assert trajectory.joint_position[-1, 0] == pytest.approx(-0.3, abs=3e-3)
    assert trajectory.joint_position.min() > -0.31
    assert abs(trajectory.joint_velocity[-1, 0]) < 1e-3


@both
def test_joint_whose_child_is_static_turns_the_other_way(name):
    post = Body(name="post", shape=Box(size_m=(0.1, 0.1, 0.1)), material="oak", motion="static")
    arm = cube("arm", position_m=(0.5, 0, 0))
    hinge = Joint(name="pivot", kind="hinge", child="post", parent="arm", axis=(0, 1, 0), limits=(-0.4, 0.4))
    trajectory = engine(name).simulate(world([post, arm], joints=(hinge,), duration_s=2.0))
    # The arm sinks: it turns by + about y, so the post turns by - as seen from the arm.
    assert trajectory.body_pose_end[1, 2] < -0.15
    assert trajectory.joint_position[-1, 0] == pytest.approx(-0.4, abs=0.01)


@both
def test_fixed_joint_makes_one_body(name):
    pair = [cube("a", position_m=(0, 0, 1)), cube("b", position_m=(0.2, 0, 1), angular_velocity_rad_s=(0, 0, 0))]
    weld = Joint(name="weld", kind="fixed", child="b", parent="a", anchor_m=(0.1, 0, 1))
    trajectory = engine(name).simulate(world([floor(), *pair], joints=(weld,), duration_s=1.0))
    apart = trajectory.body_pose[:, 2, :3] - trajectory.body_pose[:, 1, :3]
    assert np.linalg.norm(apart, axis=1) == pytest.approx(0.2, abs=1e-3)


def test_ball_joint_swings_in_every_direction():
    """A conical pendulum: ω² = g / (L cos θ) (C. Huygens, 1673)."""
    angle, length = 0.5, 1.0
    speed = length * np.sin(angle) * np.sqrt(G / (length * np.cos(angle)))
    bob = body(
        shape=Sphere(radius_m=0.001), mass_kg=1.0, velocity_m_s=(0, float(speed), 0),
        position_m=(float(np.sin(angle)), 0, float(-np.cos(angle))),
        angular_velocity_rad_s=(0, 0, float(speed / np.sin(angle))),
    )  # fmt: skip
    joint = Joint(name="eye", kind="ball", child="body")
    trajectory = MujocoSimulator().simulate(world([bob], joints=(joint,), duration_s=3.0))
    assert trajectory.body_pose[:, 0, 2] == pytest.approx(-np.cos(angle), abs=0.01)
    turned = np.unwrap(np.arctan2(trajectory.body_pose[:, 0, 1], trajectory.body_pose[:, 0, 0]))
    assert turned[-1] / trajectory.time_s[-1] == pytest.approx(np.sqrt(G / np.cos(angle)), rel=0.01)


def four_bar() -> tuple[list[Body], tuple[Joint, ...]]:
    def bar(name: str, place: tuple[float, float, float], angle: float) -> Body:
        turn = tuple(map(float, axis_angle_to_wxyz((0, 1, 0), angle)))
        return body(name, Box(size_m=(1, 0.05, 0.05)), position_m=place, orientation_wxyz=turn)

    def hinge(name: str, child: str, parent: str | None, anchor: tuple[float, float, float]) -> Joint:
        return Joint(name=name, kind="hinge", child=child, parent=parent, axis=(0, 1, 0), anchor_m=anchor)

    bars = [
        bar("left", (0, 0, -0.5), np.pi / 2), bar("right", (1, 0, -0.5), np.pi / 2), bar("across", (0.5, 0, -1), 0.0)
    ]  # fmt: skip
    return bars, (
        hinge("1", "left", None, (0, 0, 0)),
        hinge("2", "right", None, (1, 0, 0)),
        hinge("3", "across", "left", (0, 0, -1)),
        hinge("4", "across", "right", (1, 0, -1)),
    )


def test_a_loop_of_joints_stays_closed():
    bars, joints = four_bar()
    spec = world(bars, joints=joints, gravity_m_s2=(3, 0, -G), duration_s=2.0)
    trajectory = MujocoSimulator().simulate(spec)
    assert np.abs(trajectory.body_pose[:, 2, 3:] - [1, 0, 0, 0]).max() < 1e-3
    assert np.ptp(trajectory.body_pose[:, 2, 0]) > 0.3


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no wheel of pybullet")
def test_bullet_refuses_loops():
    bars, joints = four_bar()
    with pytest.raises(UnsupportedError, match="loops of joints"):
        engine("bullet").check(world(bars, joints=joints))


# --- materials --------------------------------------------------------------------------------------------------------


@both
def test_each_pair_has_its_own_restitution_and_friction(name):
    pairs = (
        ContactPair(material_a="steel", material_b="oak", restitution=0.8, friction=0.2),
        ContactPair(material_a="rubber", material_b="oak", restitution=0.3, friction=0.6),
    )
    things = [
        cube("slick", position_m=(0, 0, 0.05), velocity_m_s=(1.5, 0, 0)),
        cube("grippy", position_m=(0, 1, 0.05), velocity_m_s=(1.5, 0, 0)).model_copy(update={"material": "rubber"}),
        body("lively", position_m=(0, 2, 0.55)),
        body("dull", material="rubber", position_m=(0, 3, 0.55)),
    ]
    trajectory = engine(name).simulate(world([floor(), *things], duration_s=1.2, fps=200, contact_pairs=pairs))
    end = trajectory.body_pose_end[:, 0]
    assert end[1] == pytest.approx(1.5**2 / (2 * 0.2 * G), rel=0.02)
    assert end[2] == pytest.approx(1.5**2 / (2 * 0.6 * G), rel=0.02)
    first = np.sqrt(2 * 0.5 / G)
    for i, restitution in ((3, 0.8), (4, 0.3)):
        flight = (trajectory.time_s > first + 0.01) & (trajectory.time_s < first * (1 + 2 * restitution) - 0.01)
        apex = trajectory.body_pose[flight, i, 2].max() - 0.05
        assert apex == pytest.approx(0.5 * restitution**2, rel=0.06)


# --- watchfulness -----------------------------------------------------------------------------------------------------


def after_steps(monkeypatch: pytest.MonkeyPatch, steps: int, meddle: object) -> None:
    """Let ``meddle(data)`` loose on MuJoCo's state after so many steps."""
    import mujoco

    step2, count = mujoco.mj_step2, [0]

    def meddling(model: object, data: object) -> None:
        step2(model, data)
        count[0] += 1
        if count[0] == steps:
            meddle(data)  # type: ignore[operator]

    monkeypatch.setattr(mujoco, "mj_step2", meddling)
    # The second try with a finer step would not be meddled with.
    monkeypatch.setattr(preparation, "_MAX_REFINEMENT", 1)


def test_energy_out_of_nothing_is_an_error(monkeypatch):
    def kick(data):
        data.qvel[:3] *= 1.5

    after_steps(monkeypatch, 400, kick)
    spec = world([floor(), body("ball", position_m=(0, 0, 3))])
    with pytest.raises(SimulationError, match=r"energy out of nothing: at 0\.3\d+ s .* body 'ball'"):
        MujocoSimulator().simulate(spec)


def test_not_a_number_is_an_error(monkeypatch):
    def spoil(data):
        data.qvel[0] = np.nan

    after_steps(monkeypatch, 240, spoil)
    with pytest.raises(SimulationError, match=r"body 'ball': .* no longer a number at 0\.2"):
        MujocoSimulator().simulate(world([floor(), body("ball", position_m=(0, 0, 3))]))


def test_a_body_put_below_the_floor_is_an_error(monkeypatch):
    def sink(data):
        data.qpos[2] = -0.3

    after_steps(monkeypatch, 240, sink)
    with pytest.raises(SimulationError, match=r"body 'ball' went through 'floor': at 0\.20\d s"):
        MujocoSimulator().simulate(world([floor(), body("ball", position_m=(0, 0, 3))]))


def thin_shelf() -> list[Body]:
    shelf = Body(name="shelf", shape=Box(size_m=(1, 1, 0.01)), material="oak", motion="static")
    pellet = body("pellet", Sphere(radius_m=0.004), position_m=(0, 0, 0.5), velocity_m_s=(0, 0, -15))
    return [shelf, pellet]


@both
def test_fast_small_bodies_do_not_tunnel(name):
    trajectory = engine(name).simulate(world(thin_shelf(), duration_s=0.2, contact_pairs=surface(0.5)))
    assert trajectory.body_pose[:, 1, 2].min() > 0
    assert 1 / (trajectory.fps * trajectory.step_s) == pytest.approx(round(1 / (60 * trajectory.step_s)), abs=1e-6)
    assert trajectory.step_s < 1 / 1200
    assert any("stay solid" in note for note in trajectory.notes)


def test_a_run_that_fails_is_tried_with_a_finer_step():
    calls = []

    def simulate(prep):
        calls.append(prep.substeps)
        raise SimulationError("through")

    spec = world([floor(), cube(position_m=(0, 0, 0.05))])
    with pytest.raises(SimulationError, match="through"):
        preparation.with_finer_steps(spec, simulate)
    assert calls == [20, 40, 80]


@both
def test_tunnelling_at_an_absurd_step_is_an_error(name, monkeypatch):
    monkeypatch.setattr(preparation, "_MAX_REFINEMENT", 1)
    spec = world(thin_shelf(), duration_s=0.2, step_s=1 / 60)
    with pytest.raises(SimulationError, match="'pellet' went through 'shelf'"):
        engine(name).simulate(spec)


@both
def test_a_hook_may_hang_on_a_shelf(name):
    """A hook's centre of mass lies outside it, here inside the shelf it hangs on: no tunnelling."""
    shelf = Body(name="shelf", shape=Box(size_m=(0.4, 0.4, 0.06)), material="oak", motion="static")
    hook = Compound(
        pieces=(
            Piece(shape=Box(size_m=(0.2, 0.05, 0.02)), position_m=(-0.1, 0, 0.04)),
            Piece(shape=Box(size_m=(0.02, 0.05, 0.12)), position_m=(0.0105, 0, -0.01)),
        )
    )
    spec = world([shelf, body("hook", hook, position_m=(0.2, 0, 0))], contact_pairs=surface(0.0, 0.5))
    trajectory = engine(name).simulate(spec)
    center = trajectory.body_pose_end[1, :3] + prepare(spec).masses[1].center
    assert (np.abs(center) < [0.2, 0.2, 0.03]).all()
    assert np.abs(trajectory.body_pose_end[1, :3] - [0.2, 0, 0]).max() < 5e-3


@both
def test_a_compound_put_into_a_shelf_is_an_error(name):
    shelf = Body(name="shelf", shape=Box(size_m=(1, 1, 0.2)), material="oak", motion="static")
    spec = world([shelf, body("hammer", HAMMER, position_m=(0, 0, 0.4))])
    trajectory = engine(name).simulate(spec)
    sunk = trajectory.body_pose.copy()
    sunk[30:, 1, 2] = 0.05
    prep = prepare(spec)
    with pytest.raises(SimulationError, match=r"'hammer' went through 'shelf': at 0\.500 s"):
        watch_solid(prep, replace(trajectory, body_pose=sunk), np.ones((prep.step_count + 1, 2, 3)))


@both
def test_a_crowd_keeps_its_energy_and_stays_above_ground(name):
    spec = world(crowd(8), duration_s=1.5, contact_pairs=surface(0.6, 0.5))
    trajectory = engine(name).simulate(spec)
    watch_energy(prepare(spec), trajectory)
    assert trajectory.body_pose[:, 1:, 2].min() > 0


def test_what_lies_on_a_light_bouncing_thing_is_not_carried_away():
    """The light ball leaves the heavy one for the ground, and comes back with its speed, not with that of the heavy."""
    light = body("light", Sphere(radius_m=0.05), position_m=(0, 0, 0.051), velocity_m_s=(0, 0, -6.0), mass_kg=0.05)
    heavy = body("heavy", Sphere(radius_m=0.1), position_m=(0, 0, 0.2006), velocity_m_s=(0, 0, -0.5), mass_kg=10.0)
    spec = world([floor(), light, heavy], duration_s=0.05, contact_pairs=surface(0.9, 0.5))
    trajectory = MujocoSimulator().simulate(spec)
    assert trajectory.step_s == spec.step_s
    watch_energy(prepare(spec), trajectory)
    assert trajectory.body_velocity[1:, 2, 2].max() < 0.5
    assert trajectory.body_velocity[1, 1, 2] > -6.0


# --- the contact table ------------------------------------------------------------------------------------------------


def test_points_of_a_pair_become_one_row():
    points = ContactPoints(
        step=np.array([4, 4, 3, 4]),
        first=np.array([2, 0, 0, 1]),
        second=np.array([0, 2, 2, 2]),
        point_m=np.array([[0.0, 0, 0], [1, 0, 0], [5, 5, 5], [9, 9, 9]]),
        normal=np.array([[0.0, 0, -1], [0, 0, 1], [0, 0, 1], [0, 1, 0]]),
        normal_impulse_n_s=np.array([1.0, 3.0, 2.0, 0.0]),
        tangential_impulse_n_s=np.array([[1.0, 0, 0], [0.5, 0, 0], [0, 0, 0], [0, 0, 0]]),
        slip_velocity_m_s=np.array([[0.0, 4, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]),
        separation_speed_m_s=np.array([-2.0, -1.0, 0.5, -9.0]),
    )
    table = merge(points, 0.1)
    assert len(table) == 2
    assert table.time_s == pytest.approx([0.4, 0.5])
    assert table.body_a.tolist() == [0, 0]
    assert table.body_b.tolist() == [2, 2]
    assert table.normal_impulse_n_s == pytest.approx([2.0, 4.0])
    assert table.point_m[1] == pytest.approx([0.75, 0, 0])
    assert table.tangential_impulse_n_s[1] == pytest.approx([-0.5, 0, 0])
    assert table.slip_velocity_m_s[1] == pytest.approx([0, -1, 0])
    assert table.approach_speed_m_s == pytest.approx([-0.5, 1.25])


@both
def test_friction_in_the_table_brakes(name):
    """The impulses on a sliding cube sum to its loss of momentum, and its slip is its speed."""
    slider = cube(position_m=(0, 0, 0.05), velocity_m_s=(1, 0, 0), mass_kg=2.0)
    table = engine(name).simulate(world([floor(), slider], contact_pairs=surface(0.0, 0.3))).contacts
    assert table.tangential_impulse_n_s[:, 0].sum() == pytest.approx(-2.0, rel=0.02)
    assert table.normal_impulse_n_s.sum() == pytest.approx(2.0 * G, rel=0.02)
    assert table.slip_velocity_m_s[0] == pytest.approx([1, 0, 0], abs=0.02)
    assert np.abs(np.einsum("ci,ci->c", table.tangential_impulse_n_s, table.normal)).max() < 1e-12
