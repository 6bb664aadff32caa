"""What carries a shaft, and how a force on what stands on the shaft shakes it.

A tooth's force lies in the plane of the gear. The shaft hands it on to its bearing, which sits at some distance in a
plate, a block or a table: there it arrives as the same force in the plane, and as a moment, force times distance, which
bends the plate as a pair of equal and opposite forces along the shaft do. It is the moment that is heard: plates move
easily across, hardly in their plane. A shaft that stands out on one side is a cantilever (moment F a). One that is held
on both sides is a beam with both ends clamped, a and b from its load: F a b² / (a + b)² at the end that is a away, with
F b² (3 a + b) / (a + b)³ as its share of the force (S. Timoshenko, Strength of Materials I (1955), 42).

Shaft and bearings give way, and what is on the shaft has mass: together they are an oscillator that hands on what is
slower than it, and little of what is faster. A blow on the teeth is short; what comes through is duller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.distances import distance_gradients, world_distances
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.spec import Body, Gear, Joint, Rack, Ring, SceneSpec, TriangleMesh

Floats = NDArray[np.float64]

THIN_SHARE, THINNEST_M = 0.15, 1e-3
"""Radius of a shaft of which no bore tells, as a share of its gear's root radius, and at least."""

SHAFT_MODULUS_PA, BEARING_N_M = 2.1e11, 5e7
"""Shafts are of steel; so stiff is a small ball bearing under a radial load (T. A. Harris, M. N. Kotzalas, Rolling
Bearing Analysis, 5th ed. (2006), 8)."""

SHAFT_DAMPING = 0.16
"""Damping ratio of what stands on a shaft: 0.1 for grease and fits, 0.06 for what the holder takes away to ring with (a
wide plate's moment mobility is ω / (16 D), L. Cremer, M. Heckl, B. A. T. Petersson, Structure-Borne Sound; so much for
a steel gear of 0.35 kg that stands 26 mm out from 8 mm of steel)."""

_REACH_M, _STEP_M, _TOUCH_M = 0.5, 5e-4, 2e-4


@dataclass(frozen=True, eq=False, kw_only=True)
class Foot:
    """Where a shaft stands in what holds it, at time 0.

    Attributes:
        body: index of the holder.
        point: (3,) world.
        up: (3,) unit, from there to what the shaft carries.
        share: of the force across the shaft.
        moment_m: moment for each newton across the shaft.
        radius_m: of the shaft.
        stiffness_n_m: of shaft and bearings across it, where the force acts.
    """

    body: int
    point: Floats
    up: Floats
    share: float
    moment_m: float
    radius_m: float
    stiffness_n_m: float

    def passes(self, force: Floats, mass_kg: float, sample_rate_hz: float) -> Floats:
        """(S,) what of a force (S,) on a mass on the shaft comes through to the holder."""
        from scipy.signal import lfilter

        omega = min(float(np.sqrt(self.stiffness_n_m / mass_kg)), 0.8 * np.pi * sample_rate_hz)
        warped = np.tan(0.5 * omega / sample_rate_hz)
        low, damping = warped**2, 2.0 * SHAFT_DAMPING * warped
        top = 1.0 + damping + low
        poles = [1.0, 2.0 * (low - 1.0) / top, (1.0 - damping + low) / top]
        return np.asarray(lfilter(np.array([low, 2.0 * low, low]) / top, poles, force))

    def loads(self, force: Floats) -> tuple[Floats, Floats]:
        """Points and forces (3, 3) in the world that a force (3,) on what the shaft carries becomes."""
        across = force - (force @ self.up) * self.up
        size = float(np.linalg.norm(across))
        way = across / max(size, 1e-12)
        pair = self.moment_m * size / (2.0 * self.radius_m) * self.up
        points = self.point + self.radius_m * np.stack([np.zeros(3), way, -way])
        return points, np.stack([self.share * across + force - across, -pair, pair])


def feet_of(spec: SceneSpec, index: int) -> tuple[Foot, ...]:
    """Where the shaft of a body stands: none of what stands still, or flies; two if it is held on both sides."""
    found = _bearing_joint(spec, index)
    if found is None:
        return ()
    joint, holder = found
    axis = _axis(spec, index, joint)
    anchor = np.array(joint.anchor_m)
    middle = anchor + ((np.array(spec.bodies[index].position_m) - anchor) @ axis) * axis
    body = spec.bodies[holder]
    pose = np.array([*body.position_m, *body.orientation_wxyz])
    along = np.arange(-_REACH_M, _REACH_M + _STEP_M, _STEP_M)
    line = middle + along[:, None] * axis
    distance = world_distances(body.shape, pose, line)
    inside = distance <= _TOUCH_M
    ahead, behind = along[inside & (along >= 0.0)], along[inside & (along < 0.0)]
    radius = _shaft_radius_m(spec.bodies[index])
    if len(ahead) and len(behind):
        a, b = float(ahead[0]), float(-behind[-1])
        return (
            _clamped(holder, middle + a * axis, -axis, a, b, radius),
            _clamped(holder, middle - b * axis, axis, b, a, radius),
        )
    # Of places that are as near to it, the first on the way.
    best = int(np.argmin(np.where(inside, 0.0, _REACH_M + np.maximum(distance, 0.0)) + 1e-3 * np.abs(along)))
    point, far = line[best], max(float(distance[best]), 0.0)
    if far > _TOUCH_M:
        # The axis passes by: something out of sight reaches over.
        back = conjugate_wxyz(pose[3:])
        slope = distance_gradients(body.shape, rotate_wxyz(back, point - pose[:3]))[0]
        point = point - far * rotate_wxyz(pose[3:], slope)
    up = axis if along[best] < 0.0 else -axis
    overhang = abs(float(along[best]))
    return (
        Foot(
            body=holder, point=point, up=up, share=1.0, moment_m=overhang, radius_m=radius,
            stiffness_n_m=_stiffness_n_m(overhang**3 / 3.0, radius),
        ),
    )  # fmt: skip


def _clamped(body: int, point: Floats, up: Floats, own: float, other: float, radius: float) -> Foot:
    whole = max(own + other, 1e-9)
    share = other**2 * (3.0 * own + other) / whole**3
    return Foot(
        body=body, point=point, up=up, share=share, moment_m=own * other**2 / whole**2, radius_m=radius,
        stiffness_n_m=_stiffness_n_m((own * other / whole) ** 3 / 3.0, radius),
    )  # fmt: skip


def _stiffness_n_m(bend_m3: float, radius_m: float) -> float:
    """Of a shaft that bends by ``bend_m3`` / (E I) under a newton, and of its bearings."""
    return 1.0 / (bend_m3 / (SHAFT_MODULUS_PA * 0.25 * np.pi * radius_m**4) + 1.0 / BEARING_N_M)


def _bearing_joint(spec: SceneSpec, index: int) -> tuple[Joint, int] | None:
    """The joint between what moves with a body and what holds it, and the holder; carriers are passed on from."""
    seen = {index}
    while spec.bodies[index].motion == "dynamic":
        name = spec.bodies[index].name
        joint = next((joint for joint in spec.joints if joint.child == name), None)
        if joint is None:
            return None
        housing = next((bearing.housing for bearing in spec.bearings if bearing.joint == joint.name), None)
        if housing is not None and spec.body_index(housing) not in seen:
            return joint, spec.body_index(housing)
        if joint.parent is None:
            holder = _nearest(spec, np.array(joint.anchor_m))
            return None if holder is None else (joint, holder)
        index = spec.body_index(joint.parent)
        free = all(other.child != joint.parent for other in spec.joints)
        if spec.bodies[index].motion != "dynamic" or (free and joint.kind != "fixed"):
            return joint, index
        if index in seen:
            return None
        seen.add(index)
    return None


def _nearest(spec: SceneSpec, anchor: Floats) -> int | None:
    """The static body nearest to a point, but for toothed ones and rings, which go round shafts, and meshes."""
    apart = {}
    for i, body in enumerate(spec.bodies):
        if body.motion == "static" and not isinstance(body.shape, Gear | Rack | Ring | TriangleMesh):
            pose = np.array([*body.position_m, *body.orientation_wxyz])
            apart[i] = max(float(world_distances(body.shape, pose, anchor[None])[0]), 0.0)
    return min(apart, key=lambda i: (apart[i], i), default=None)


def _axis(spec: SceneSpec, index: int, joint: Joint) -> Floats:
    if joint.kind == "hinge":
        return np.array(joint.axis)
    return rotate_wxyz(np.array(spec.bodies[index].orientation_wxyz), np.array([0.0, 0.0, 1.0]))


def _shaft_radius_m(body: Body) -> float:
    shape = body.shape
    if isinstance(shape, Gear) and not shape.internal:
        return shape.bore_radius_m or max(THIN_SHARE * shape.root_radius_m, THINNEST_M)
    return 5.0 * THINNEST_M
