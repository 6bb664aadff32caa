"""Belts: what they pass on, when they slip, and the way they run."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from physreel.errors import SpecError
from physreel.geometry.belts import BeltPath, holding_force_n
from physreel.geometry.rotations import rotate_wxyz
from physreel.simulators.belts import BeltPart
from physreel.simulators.machinery import JointMotion, PartRecord, machine_parts
from physreel.simulators.preparation import prepare
from physreel.spec import Belt, Body, Box, Cylinder, Joint, Pulley, SceneSpec

R1, R2, DISTANCE_M = 0.06, 0.04, 0.3
STEPS_HZ = 2400


def _spec(links: int = 0, r1: float = R1, r2: float = R2, flip: bool = False, **belt: Any) -> SceneSpec:
    """Two wheels on hinges along y, side by side along x, in a world without weight."""
    turned = (0.5**0.5, 0.5**0.5, 0.0, 0.0)
    wheels = [
        Body(
            name=name, shape=Cylinder(radius_m=r, height_m=0.02), material="steel", position_m=(x, 0.0, 0.0),
            orientation_wxyz=turned,
        )
        for name, r, x in (("a", r1, 0.0), ("b", r2, DISTANCE_M))
    ]  # fmt: skip
    pieces = [
        Body(name=f"link{k}", shape=Box(size_m=(0.01, 0.003, 0.01)), material="rubber", motion="carried")
        for k in range(links)
    ]
    given: dict[str, Any] = {"tension_n": 40.0} | belt
    return SceneSpec(
        scene="test",
        duration_s=1.0,
        fps=24,
        step_s=1.0 / STEPS_HZ,
        gravity_m_s2=(0.0, 0.0, 0.0),
        bodies=(*wheels, *pieces),
        joints=(
            Joint(name="ja", kind="hinge", child="a", axis=(0.0, 1.0, 0.0)),
            Joint(
                name="jb", kind="hinge", child="b", anchor_m=(DISTANCE_M, 0.0, 0.0),
                axis=(0.0, -1.0 if flip else 1.0, 0.0),
            ),
        ),
        belts=(
            Belt(
                name="belt", driver=Pulley(joint="ja", radius_m=r1), driven=Pulley(joint="jb", radius_m=r2),
                links=tuple(body.name for body in pieces), **given,
            ),
        ),
    )  # fmt: skip


def _run(
    spec: SceneSpec,
    torque: Any = lambda t: 0.0,
    load: Any = lambda speed: 0.0,
    *,
    held_rad_s: float | None = None,
    start: tuple[float, float] = (0.0, 0.0),
) -> tuple[JointMotion, PartRecord]:
    """Semi-implicit steps of the two wheels; ``held_rad_s``: the driver's speed is given."""
    prep = prepare(spec)
    (part,) = machine_parts(prep)
    assert isinstance(part, BeltPart)
    inertia = np.array([prep.masses[k].inertia[2, 2] for k in range(2)])  # type: ignore[union-attr]
    steps, h = prep.step_count, prep.step_s
    position, velocity = np.zeros((steps + 1, 2)), np.zeros((steps + 1, 2))
    velocity[0] = start
    for n in range(steps):
        effort = np.zeros(2)
        part.push(n, position[n], velocity[n], effort)
        effort += [torque(n * h), load(velocity[n, 1])]
        velocity[n + 1] = velocity[n] + h * effort / inertia
        if held_rad_s is not None:
            velocity[n + 1, 0] = held_rad_s * min(1.0, (n + 1) * h / 0.3)
        position[n + 1] = position[n] + h * velocity[n + 1]
    motion = JointMotion(
        step_s=h, substeps=prep.substeps, position=position, velocity=velocity, motor_effort=np.zeros((steps, 2))
    )
    return motion, part.finish(motion)


def test_the_ratio_is_that_of_the_radii() -> None:
    for kind, load, most in (("chain", -0.2, 1e-9), ("belt", 0.0, 1e-9), ("belt", -0.2, 0.01)):
        motion, record = _run(_spec(kind=kind), load=lambda w, torque=load: torque, held_rad_s=30.0)
        late = STEPS_HZ // 2
        ratio = np.ptp(motion.position[late:, 1]) / np.ptp(motion.position[late:, 0])
        creep = 1.0 - ratio * R2 / R1
        assert np.abs(record.signals["belt_slip:belt"].values).max() == 0.0
        assert creep == pytest.approx(0.0, abs=1e-3 + most)
        if kind == "belt" and load:
            path = BeltPath.of(_spec(), _spec().belts[0])
            assert creep == pytest.approx(-load / R2 / (0.5 * 2e4 * path.span_m), rel=0.03)


def test_axes_that_point_opposite_ways_turn_opposite_ways() -> None:
    motion, _ = _run(_spec(kind="chain", flip=True), held_rad_s=30.0)
    assert motion.velocity[-1, 1] == pytest.approx(-30.0 * R1 / R2, rel=1e-3)


def test_it_holds_to_eytelweins_limit_and_no_further() -> None:
    spec = _spec(friction=0.5, friction_drop=0.0)
    path = BeltPath.of(spec, spec.belts[0])
    ratio = np.exp(0.5 * (np.pi - 2.0 * np.arcsin((R1 - R2) / DISTANCE_M)))
    limit = 2.0 * 40.0 * (ratio - 1.0) / (ratio + 1.0)
    assert holding_force_n(spec.belts[0], path) == pytest.approx(limit)
    for share, slips in ((0.97, False), (1.03, True)):
        torque = share * limit * R2
        # A brake: it takes its torque only from a wheel that turns.
        _, record = _run(spec, load=lambda w, most=torque: -most * np.tanh(w / 0.5), held_rad_s=8.0)
        assert bool(record.signals["belt_slip:belt"].values[-50:].mean() > 0.01) == slips
        if slips:
            assert record.signals["belt_force:belt"].values[-50:].mean() == pytest.approx(limit, rel=1e-6)


def test_it_sticks_and_slips_where_sliding_friction_is_less() -> None:
    spec = _spec(friction=0.5, friction_drop=0.4)
    path = BeltPath.of(spec, spec.belts[0])
    holds = holding_force_n(spec.belts[0], path) * R2
    # A load that comes in beats: each takes the belt over its limit, and between them it holds again.
    beats = iter(np.arange(10**6))

    def load(_: float) -> float:
        return float(-holds * max(0.0, 0.4 + 0.7 * np.sin(2.0 * np.pi * 8.0 * next(beats) / STEPS_HZ)))

    _, record = _run(spec, load=load, held_rad_s=30.0)
    sliding = record.signals["belt_slip:belt"].values > 0.0
    assert 5 <= np.count_nonzero(np.diff(sliding.astype(int)) == 1) <= 8
    assert 0.05 < sliding.mean() < 0.8


def test_no_energy_comes_from_it() -> None:
    """It gives the wheels no more than they gave it, but for the ripple of a step."""
    rng = np.random.default_rng(5)
    for tension in (2.0, 40.0):
        spec = _spec(tension_n=tension, stiffness_n_m=5e4, damping_n_s_m=0.0)
        w = tuple(rng.uniform(-20.0, 20.0, 2))
        motion, _ = _run(spec, start=w)
        inertia = np.array([prepare(spec).masses[k].inertia[2, 2] for k in range(2)])  # type: ignore[union-attr]
        energy = 0.5 * (inertia * motion.velocity**2).sum(1)
        assert energy.max() <= energy[0] * 1.01
        assert energy[-1] < energy[0]


def test_a_step_costs_little() -> None:
    spec = _spec()
    prep = prepare(spec)
    (part,) = machine_parts(prep)
    position, velocity, effort = np.zeros(2), np.array([20.0, 10.0]), np.zeros(2)
    start = time.perf_counter()
    for n in range(prep.step_count):
        part.push(n, position, velocity, effort)
    assert (time.perf_counter() - start) / prep.step_count < 20e-6  # some 2 µs; machines that are busy are slower


def test_links_run_along_the_tangents() -> None:
    count = 40
    motion, record = _run(_spec(links=count, kind="chain"), held_rad_s=12.0)
    spec = _spec(links=count)
    path = BeltPath.of(spec, spec.belts[0])
    poses = np.stack([record.poses[spec.body_index(f"link{k}")] for k in range(count)])
    assert poses.shape == (count, 25, 7)
    # Nowhere nearer to a centre than its rim, and evenly spread.
    for centre, radius in ((0.0, R1), (DISTANCE_M, R2)):
        assert np.linalg.norm(poses[:, :, :3] - [centre, 0.0, 0.0], axis=2).min() >= radius - 1e-9
    steps = np.linalg.norm(np.diff(poses[:, 0, :3], axis=0), axis=1)
    assert steps == pytest.approx(path.length_m / count, rel=0.05)
    # x points where it goes, z along the axis; on the spans it goes as far as the rim turns.
    tangent = rotate_wxyz(poses[:, :, 3:], np.array([1.0, 0.0, 0.0]))
    moved = np.diff(poses[:, :, :3], axis=1)
    assert (np.einsum("lti,lti->lt", tangent[:, :-1], moved)[:, 5:] > 0.0).all()
    assert rotate_wxyz(poses[:, :, 3:], np.array([0.0, 0.0, 1.0])) == pytest.approx(
        np.broadcast_to([0.0, 1.0, 0.0], (count, 25, 3)), abs=1e-9
    )
    travel = R1 * np.diff(motion.at_frames(motion.position[:, 0]))
    assert np.linalg.norm(moved, axis=2).max(0)[8:] == pytest.approx(travel[8:], rel=1e-9)


def test_the_way_is_closed_and_smooth() -> None:
    for r1, r2 in ((0.06, 0.04), (0.03, 0.08), (0.05, 0.05)):
        spec = _spec(r1=r1, r2=r2)
        path = BeltPath.of(spec, spec.belts[0])
        at = np.linspace(0.0, path.length_m, 4001)
        place = path.poses(at)[:, :3]
        steps = np.linalg.norm(np.diff(place, axis=0), axis=1)
        assert steps == pytest.approx(path.length_m / 4000, rel=1e-4)
        for one, two in pairwise(path.poses(at)[::400, 3:]):
            assert np.linalg.norm(one) == pytest.approx(1.0)
            assert np.linalg.norm(two) == pytest.approx(1.0)


def test_what_cannot_be_is_refused() -> None:
    stiff = _spec(stiffness_n_m=1e8)
    with pytest.raises(SpecError, match=r"belts\.0\.stiffness_n_m.*too stiff.*at most"):
        machine_parts(prepare(stiff))
    with pytest.raises(SpecError, match="overlap"):
        machine_parts(prepare(_spec(r1=0.2, r2=0.2)))
    spec = _spec()
    askew = spec.joints[1].model_copy(update={"axis": (0.0, 0.0, 1.0)})
    with pytest.raises(SpecError, match="not parallel"):
        machine_parts(prepare(spec.model_copy(update={"joints": (spec.joints[0], askew)})))
