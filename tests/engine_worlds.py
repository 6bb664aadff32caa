"""A bare engine of one cylinder, for tests of slider-cranks and gas."""

from __future__ import annotations

from typing import Any

import numpy as np

from physreel.geometry.rotations import axis_angle_to_wxyz
from physreel.spec import Body, Box, Cylinder, GasCylinder, Joint, Motor, SceneSpec

STROKE_M, ROD_M, BORE_M = 0.04, 0.07, 0.036


def one_cylinder(
    *,
    start_deg: float = 0.0,
    play_m: float = 0.0,
    spin_rad_s: float = 40.0,
    motor: Motor | None = None,
    damping: float = 0.0,
    inertia_kg_m2: float = 0.02,
    duration_s: float = 1.0,
    step_s: float = 1.0 / 2400.0,
    **gas: Any,
) -> SceneSpec:
    """A crank that turns about y in the origin, a piston above it; ``start_deg``: the crank, past top dead centre.

    ``gas`` goes to the GasCylinder; without any there is none.
    """
    angle, radius = np.radians(start_deg), 0.5 * STROKE_M
    pin = radius * np.array([np.sin(angle), 0.0, np.cos(angle)])
    top = pin[2] + np.sqrt(ROD_M**2 - pin[0] ** 2)
    lean = np.arctan2(-pin[0], top - pin[2])
    spin = (0.0, spin_rad_s, 0.0)
    rod_spin = -spin_rad_s * radius * np.cos(angle) / np.sqrt(ROD_M**2 - pin[0] ** 2)
    pin_speed = spin_rad_s * np.array([pin[2], 0.0, -pin[0]])
    rod_speed = pin_speed + np.cross([0.0, rod_spin, 0.0], 0.5 * (np.array([0.0, 0.0, top]) - pin))
    piston_speed = pin_speed + np.cross([0.0, rod_spin, 0.0], np.array([0.0, 0.0, top]) - pin)
    middle = 0.5 * (pin + np.array([0.0, 0.0, top]))
    upright = tuple(float(v) for v in axis_angle_to_wxyz((1.0, 0.0, 0.0), np.pi / 2))

    def vec(values: Any) -> tuple[float, float, float]:
        x, y, z = (float(v) for v in values)
        return x, y, z

    bodies = [
        Body(
            name="crank", shape=Cylinder(radius_m=0.09, height_m=0.02), material="steel", position_m=(0.0, 0.05, 0.0),
            orientation_wxyz=upright, angular_velocity_rad_s=spin, mass_kg=3.0,
            inertia_kg_m2=(0.6 * inertia_kg_m2, 0.6 * inertia_kg_m2, inertia_kg_m2),
        ),
        Body(
            name="rod", shape=Box(size_m=(0.01, 0.01, ROD_M)), material="steel", position_m=vec(middle),
            orientation_wxyz=tuple(float(v) for v in axis_angle_to_wxyz((0.0, 1.0, 0.0), lean)), mass_kg=0.06,
            velocity_m_s=vec(rod_speed), angular_velocity_rad_s=(0.0, float(rod_spin), 0.0),
        ),
        Body(
            name="piston", shape=Cylinder(radius_m=0.5 * BORE_M, height_m=0.03), material="aluminium",
            position_m=(0.0, 0.0, float(top)), velocity_m_s=vec(piston_speed), mass_kg=0.1,
        ),
    ]  # fmt: skip
    y = (0.0, 1.0, 0.0)
    joints = [
        Joint(name="crank", kind="hinge", child="crank", axis=y, motor=motor, damping=damping),
        Joint(name="piston", kind="slide", child="piston"),
        Joint(name="big_end", kind="hinge", child="rod", parent="crank", anchor_m=vec(pin), axis=y),
    ]
    small_end = (0.0, 0.0, float(top))
    if play_m:
        bodies.append(
            Body(
                name="pin", shape=Cylinder(radius_m=0.004, height_m=0.02), material="steel", position_m=small_end,
                orientation_wxyz=upright, velocity_m_s=vec(piston_speed), mass_kg=0.02,
            )
        )  # fmt: skip
        # Pressed down, the piston has the pin at its upper end.
        joints.append(Joint(name="play", kind="slide", child="pin", parent="piston", limits=(-play_m, -1e-6)))
        joints.append(Joint(name="small_end", kind="hinge", child="rod", parent="pin", anchor_m=small_end, axis=y))
    else:
        joints.append(Joint(name="small_end", kind="hinge", child="rod", parent="piston", anchor_m=small_end, axis=y))
    names = [body.name for body in bodies]
    cylinder = {"name": "one", "crank_joint": "crank", "piston_joint": "piston", "bore_m": BORE_M}
    return SceneSpec(
        scene="test",
        duration_s=duration_s,
        fps=24,
        step_s=step_s,
        gravity_m_s2=(0.0, 0.0, 0.0),
        bodies=tuple(bodies),
        joints=tuple(joints),
        gas_cylinders=(GasCylinder(**(cylinder | {"stroke_m": STROKE_M} | gas)),) if gas else (),
        no_contact=tuple((a, b) for k, a in enumerate(names) for b in names[:k]),
    )
