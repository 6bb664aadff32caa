"""Closed-form laws of motion without contact, in both rigid engines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ellipk
from worlds import ENGINES, G, body, engine, period_s, world

from physreel.geometry.mass import body_mass_properties
from physreel.geometry.rotations import axis_angle_to_wxyz, wxyz_to_matrix
from physreel.simulators.preparation import prepare
from physreel.simulators.watch import mechanical_energy
from physreel.spec import MATERIALS, Box, Cone, Coupling, Cylinder, Joint, Sphere

pytestmark = pytest.mark.parametrize("name", ENGINES)


def test_free_fall(name):
    """Law 1: z = z0 - g t²/2 (Galileo; e.g. Halliday & Resnick, chapter 2), to 0.1 % at every frame."""
    trajectory = engine(name).simulate(world([body(position_m=(0, 0, 20))], duration_s=1.5))
    fallen = 20 - trajectory.body_pose[1:, 0, 2]
    assert fallen == pytest.approx(G * trajectory.time_s[1:] ** 2 / 2, rel=1e-3)
    assert -trajectory.body_velocity[1:, 0, 2] == pytest.approx(G * trajectory.time_s[1:], rel=1e-3)


def test_free_fall_of_a_body_whose_frame_is_not_its_centre_of_mass(name):
    """Law 1 for a turning cone: its centre of mass falls by g t²/2 while its frame circles about it."""
    cone = body(
        shape=Cone(radius_m=0.1, height_m=0.4), position_m=(0, 0, 5), velocity_m_s=(1, 0, 0),
        angular_velocity_rad_s=(0, 8, 0),
    )  # fmt: skip
    trajectory = engine(name).simulate(world([cone], duration_s=0.8))
    center = trajectory.body_pose[:, 0, :3] + wxyz_to_matrix(trajectory.body_pose[:, 0, 3:]) @ [0, 0, -0.1]
    time = trajectory.time_s
    expected = np.column_stack([time, 0 * time, 4.9 - G * time**2 / 2])
    assert np.abs(center - expected).max() < 1e-3
    assert trajectory.body_velocity[:, 0, 0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("angle_deg", [25.0, 45.0, 70.0])
def test_projectile_range(name, angle_deg):
    """Law 2: range v² sin 2θ / g on flat ground (Halliday & Resnick, chapter 4), to 0.5 %."""
    angle, speed = np.radians(angle_deg), 6.0
    start = (speed * np.cos(angle), 0.0, speed * np.sin(angle))
    flight = 2 * start[2] / G
    trajectory = engine(name).simulate(
        world([body(velocity_m_s=tuple(map(float, start)))], duration_s=flight + 0.1, fps=200)
    )
    x, z = trajectory.body_pose[:, 0, 0], trajectory.body_pose[:, 0, 2]
    k = int(np.flatnonzero(z[1:] < 0)[0])
    landing = x[k] + (x[k + 1] - x[k]) * z[k] / (z[k] - z[k + 1])
    assert landing == pytest.approx(speed**2 * np.sin(2 * angle) / G, rel=5e-3)


@pytest.mark.parametrize("angle_deg", [5.0, 60.0, 120.0, 170.0])
def test_pendulum_period(name, angle_deg):
    """Law 8: T = 4 √(L/g) K(sin(θ0/2)) (Landau & Lifshitz, Mechanics, §11), to 0.5 %."""
    angle, length = np.radians(angle_deg), 1.0
    bob = body(
        shape=Sphere(radius_m=0.001), mass_kg=1.0,
        position_m=(float(length * np.sin(angle)), 0.0, float(-length * np.cos(angle))),
    )  # fmt: skip
    hinge = Joint(name="pivot", kind="hinge", child="body", axis=(0, 1, 0))
    expected = 4 * np.sqrt(length / G) * ellipk(np.sin(angle / 2) ** 2)
    trajectory = engine(name).simulate(world([bob], joints=(hinge,), duration_s=3.5 * expected, fps=100))
    swing = np.arctan2(trajectory.body_pose[:, 0, 0], -trajectory.body_pose[:, 0, 2])
    assert period_s(swing, 100) == pytest.approx(expected, rel=5e-3)
    assert trajectory.joint_position[:, 0] == pytest.approx(np.unwrap(angle - swing), abs=2e-3)


def test_compound_pendulum(name):
    """Law 9: T = 2π √(I/(m g d)), I about the pivot (Landau & Lifshitz, Mechanics, §32), to 0.5 %."""
    angle = np.radians(4.0)
    rod = body(
        shape=Box(size_m=(0.05, 0.05, 1.0)),
        position_m=(float(-0.4 * np.sin(angle)), 0.0, float(-0.4 * np.cos(angle))),
        orientation_wxyz=tuple(map(float, axis_angle_to_wxyz((0, 1, 0), angle))),
    )
    hinge = Joint(name="pivot", kind="hinge", child="body", axis=(0, 1, 0))
    about_pivot = (1 + 0.05**2) / 12 + 0.4**2
    trajectory = engine(name).simulate(world([rod], joints=(hinge,), duration_s=6.0, fps=100))
    swing = np.arctan2(trajectory.body_pose[:, 0, 0], -trajectory.body_pose[:, 0, 2])
    assert period_s(swing, 100) == pytest.approx(2 * np.pi * np.sqrt(about_pivot / (G * 0.4)), rel=5e-3)


def test_spring(name):
    """Law 11: f = √(k/m) / 2π (Landau & Lifshitz, Mechanics, §21), to 1 %."""
    slide = Joint(name="rail", kind="slide", child="body", axis=(1, 0, 0), stiffness=100.0, rest=0.1)
    trajectory = engine(name).simulate(world([body(mass_kg=1.0)], joints=(slide,), duration_s=4.0, fps=200))
    frequency = 1 / period_s(trajectory.joint_position[:, 0] - 0.1, 200)
    assert frequency == pytest.approx(np.sqrt(100.0) / (2 * np.pi), rel=1e-2)
    assert trajectory.joint_position.max() == pytest.approx(0.2, rel=1e-2)


def test_spring_with_damping(name):
    """Law 11: logarithmic decrement 2πζ/√(1-ζ²) (Landau & Lifshitz, Mechanics, §25), to 1 %."""
    damping = 1.0
    ratio = damping / (2 * np.sqrt(100.0))
    slide = Joint(name="rail", kind="slide", child="body", axis=(1, 0, 0), stiffness=100.0, rest=0.1, damping=damping)
    trajectory = engine(name).simulate(world([body(mass_kg=1.0)], joints=(slide,), duration_s=4.0, fps=1000))
    x = trajectory.joint_position[:, 0] - 0.1
    peaks = x[1:-1][(x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:]) & (x[1:-1] > 0)]
    assert len(peaks) >= 5
    expected = 2 * np.pi * ratio / np.sqrt(1 - ratio**2)
    assert np.log(peaks[:-1] / peaks[1:]).mean() == pytest.approx(expected, rel=1e-2)


def test_tumbling_box(name):
    """Law 12: spun about its intermediate axis a box flips over and over, keeping energy and angular momentum to 1 %.

    L. Poinsot (1834); Landau & Lifshitz, Mechanics, §37.
    """
    box = body(shape=Box(size_m=(0.3, 0.2, 0.1)), angular_velocity_rad_s=(0.05, 6.0, 0.05))
    spec = world([box], gravity_m_s2=(0, 0, 0), duration_s=10.0)
    trajectory = engine(name).simulate(spec)
    energy = mechanical_energy(prepare(spec), trajectory)[:, 0]
    inertia = body_mass_properties(box, MATERIALS["steel"]).inertia
    turn = wxyz_to_matrix(trajectory.body_pose[:, 0, 3:])
    spin = np.einsum("tji,tj->ti", turn, trajectory.body_velocity[:, 0, 3:])
    momentum = np.einsum("tij,jk,tk->ti", turn, inertia, spin)
    assert np.abs(energy / energy[0] - 1).max() < 0.01
    assert np.abs(momentum - momentum[0]).max() < 0.01 * np.linalg.norm(momentum[0])
    assert np.count_nonzero(np.diff(np.sign(spin[:, 1]))) >= 2


def test_atwood_machine(name):
    """Law 13: a = (m1 - m2) g / (m1 + m2 + I/r²), rope and pulley as couplings, to 1 % (G. Atwood, 1784)."""
    radius, inertia = 0.2, 0.5 * 4.0 * 0.2**2
    pulley = body(
        "pulley", Cylinder(radius_m=radius, height_m=0.05), mass_kg=4.0, position_m=(0, 0, 2),
        orientation_wxyz=tuple(map(float, axis_angle_to_wxyz((1, 0, 0), np.pi / 2))),
    )  # fmt: skip
    left = body("left", mass_kg=3.0, position_m=(radius, 0, 1))
    right = body("right", mass_kg=2.0, position_m=(-radius, 0, 1))
    joints = (
        Joint(name="axle", kind="hinge", child="pulley", axis=(0, 1, 0), anchor_m=(0, 0, 2)),
        Joint(name="rope_left", kind="slide", child="left"),
        Joint(name="rope_right", kind="slide", child="right"),
    )
    couplings = (
        Coupling(name="left", joint_a="axle", joint_b="rope_left", ratio=-radius),
        Coupling(name="right", joint_a="axle", joint_b="rope_right", ratio=radius),
    )
    trajectory = engine(name).simulate(world([pulley, left, right], joints=joints, couplings=couplings))
    expected = (3 - 2) * G / (3 + 2 + inertia / radius**2)
    assert 2 * (1 - trajectory.body_pose_end[1, 2]) == pytest.approx(expected, rel=1e-2)
    assert 2 * (trajectory.body_pose_end[2, 2] - 1) == pytest.approx(expected, rel=1e-2)
    assert trajectory.joint_position[:, 1] == pytest.approx(-radius * trajectory.joint_position[:, 0], abs=1e-4)
