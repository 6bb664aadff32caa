"""A shaft in one bearing, and its motion made by hand: what tests of bearings run on."""

from __future__ import annotations

import numpy as np

from physreel.geometry.bearings import BEARINGS
from physreel.spec import Bearing, BearingDefect, Body, Box, Cylinder, Joint, Microphone, Motor, SceneSpec

OWN = {"ball_count": 12, "ball_diameter_m": 6e-3, "pitch_diameter_m": 42e-3, "contact_angle_deg": 15.0}


def sizes(kind: str) -> dict[str, float]:
    """Count, diameters and contact angle of a bearing of the table, or of our own."""
    if kind == "own":
        return dict(OWN)
    size = BEARINGS[kind]
    return {
        "ball_count": size.ball_count,
        "ball_diameter_m": size.ball_diameter_m,
        "pitch_diameter_m": size.pitch_diameter_m,
    }


def world(kind="6205", part=None, *, turns_s=20.0, width_m=1e-3, angle_deg=0.0, load_n=300.0, slip=0.0, seed=1,
          duration_s=3.0, bodies=(), **extra) -> SceneSpec:  # fmt: skip
    """A disc on a shaft along + y through a steel block, driven at a constant speed from the start."""
    omega = 2.0 * np.pi * turns_s
    defect = None if part is None else BearingDefect(part=part, width_m=width_m, angle_deg=angle_deg)
    return SceneSpec(
        scene="test",
        duration_s=duration_s,
        fps=24,
        bodies=(
            Body(name="block", shape=Box(size_m=(0.14, 0.04, 0.1)), material="steel", motion="static",
                 position_m=(0.0, 0.0, 0.05)),
            Body(name="disc", shape=Cylinder(radius_m=0.05, height_m=0.01), material="steel",
                 position_m=(0.0, 0.06, 0.05), orientation_wxyz=(0.5**0.5, -(0.5**0.5), 0.0, 0.0),
                 angular_velocity_rad_s=(0.0, omega, 0.0)),
            *bodies,
        ),
        joints=(
            Joint(name="shaft", kind="hinge", child="disc", parent="block", anchor_m=(0.0, 0.0, 0.05),
                  axis=(0.0, 1.0, 0.0), motor=Motor(speed=omega, max_effort=5.0)),
        ),
        bearings=(
            Bearing(name="bearing", joint="shaft", housing="block", radial_load_n=load_n, slip_share=slip, seed=seed,
                    defect=defect, **sizes(kind), **extra),
        ),
        microphones=(Microphone(name="ear", position_m=(0.2, -0.6, 0.3)),),
    )  # fmt: skip
