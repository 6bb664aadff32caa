"""The bodies and joints of a cut-away model engine: what the scene ``engine`` is built of.

The crank lies along x, ``crank_z`` above the bed; cylinders stand upright on it, open towards - y, where a fan is
driven by belt or chain. The whole block can shift sideways a little on its mount, between two stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.geometry.rotations import axis_angle_to_wxyz, multiply_wxyz, rotate_wxyz
from physreel.spec import Body, Box, Compound, Cylinder, Joint, Look, Piece, Quat, Shape, Vec3

Floats = NDArray[np.float64]

STROKE_M, BORE_M, ROD_M, SPACING_M = 0.034, 0.034, 0.07, 0.056
THROW_M = 0.5 * STROKE_M
COMPRESSION_RATIO, PEAK_PRESSURE_PA = 3.0, 6.0e5
FIRED_J = 4.55
"""What a cylinder that fires gives in a cycle with these figures, by the model of its gas; one that does not, nothing.
"""

FLYWHEEL_M, CRANK_Z_M = 0.12, 0.155
PISTON_M, CLEARANCE_M = 0.03, STROKE_M / (COMPRESSION_RATIO - 1.0)
CROWN_M = THROW_M + ROD_M + 0.5 * PISTON_M
"""Height of a piston's crown over the crank at top dead centre."""

STOP_GAP_M, MOUNT_HZ, MOUNT_DAMPING = 0.0025, 2.2, 0.12
BLOCK_KG, BALLAST_KG, BALLAST_M = 4.0, 0.35, 0.106
BED_M = 0.024
BEARING_M, PLATE_M = 0.019, 0.005
"""Radius of the fan's bearing at the bottom of its outer race, and the plate under it."""
LINK_THICK_M, LINK_WIDE_M = 0.004, 0.012

TWINS: dict[str, tuple[float, ...]] = {"even": (0.0, 360.0), "uneven": (0.0, 180.0)}
FIRING: tuple[tuple[float, ...], ...] = ((0.0,), TWINS["even"], (0.0, 480.0, 240.0), (0.0, 540.0, 180.0, 360.0))
"""For one to four cylinders: angle of the crank, of 720°, at which each fires; four of them 1-3-4-2, three 1-3-2. A
crank pin stands so that its piston is at the top then. Two stand on one throw (even) or on opposite ones."""

_X = (1.0, 0.0, 0.0)
_ALONG_X: Quat = (0.5**0.5, 0.0, 0.5**0.5, 0.0)


def vec(values: ArrayLike) -> Vec3:
    """Three plain floats."""
    x, y, z = np.asarray(values, np.float64).tolist()
    return x, y, z


def quat(values: ArrayLike) -> Quat:
    """Four plain floats."""
    w, x, y, z = np.asarray(values, np.float64).tolist()
    return w, x, y, z


@dataclass(frozen=True)
class Turning:
    """How something turns about a line along x at time 0."""

    centre: Floats
    speed_rad_s: float

    def velocity(self, point: ArrayLike) -> Vec3:
        """Of a point (3,) that goes with it."""
        return vec(np.cross([self.speed_rad_s, 0.0, 0.0], np.asarray(point, np.float64) - self.centre))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where an engine's parts are.

    Attributes:
        origin: (3,) middle of the bed's upper side.
        angles_deg: of the crank, at which each cylinder fires.
        start_deg: the crank at time 0.
        speed_rad_s: of the crank at time 0.
        driver_m: radius at which the belt runs on the crank's pulley.
        driven_m: likewise on the fan's.
        fan_y_m: how far in front of the crank the fan's shaft is.
    """

    origin: Floats
    angles_deg: tuple[float, ...]
    start_deg: float
    speed_rad_s: float
    driver_m: float
    driven_m: float
    fan_y_m: float

    @property
    def count(self) -> int:
        """Cylinders."""
        return len(self.angles_deg)

    @property
    def half_m(self) -> float:
        """Half the length of the block."""
        return 0.5 * self.count * SPACING_M + 0.012

    @property
    def belt_x_m(self) -> float:
        """Where the belt runs, from the middle."""
        return self.half_m + 0.022

    @property
    def fan_z_m(self) -> float:
        """Height of the fan's shaft above the bed."""
        return 0.085

    @property
    def crank(self) -> Turning:
        """The crank's line and speed."""
        return Turning(self.origin + np.array([0.0, 0.0, CRANK_Z_M]), self.speed_rad_s)

    @property
    def fan(self) -> Turning:
        """The fan's line and speed."""
        centre = self.origin + np.array([0.0, -self.fan_y_m, self.fan_z_m])
        return Turning(centre, self.speed_rad_s * self.driver_m / self.driven_m)

    def cylinder_x_m(self, k: int) -> float:
        """Of cylinder k, from the middle; the first is at the belt's end."""
        return (0.5 * (self.count - 1) - k) * SPACING_M

    def angle_rad(self, k: int) -> float:
        """Of crank pin k from its top, at time 0."""
        return float(np.radians(self.start_deg - self.angles_deg[k]))

    def pin(self, k: int) -> Floats:
        """(3,) crank pin k at time 0."""
        angle = self.angle_rad(k)
        aside = [self.cylinder_x_m(k), -THROW_M * np.sin(angle), THROW_M * np.cos(angle)]
        return np.asarray(self.crank.centre + aside)

    def corners(self) -> Floats:
        """(N, 3) points that a camera must see."""
        x0, x1 = -self.half_m - 0.06, self.belt_x_m + 0.02
        top = CRANK_Z_M + CROWN_M + CLEARANCE_M + 0.015
        y0, y1 = -self.fan_y_m - 0.075, FLYWHEEL_M
        box = [(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (0.0, top)]
        low = [(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (-BED_M, 0.17)]
        # Nothing in front reaches as high as the cylinders.
        keep = [point for point in box if point[1] > 0.0 or point[2] == 0.0]
        return np.asarray(self.origin + np.array(keep + low + [(x, -0.06, top) for x in (x0 + 0.03, x1)]))


def _box(size: tuple[float, float, float], at: ArrayLike, turn: Quat = (1.0, 0.0, 0.0, 0.0)) -> Piece:
    return Piece(shape=Box(size_m=size), position_m=vec(at), orientation_wxyz=turn)


def _rod(radius: float, length: float, at: ArrayLike) -> Piece:
    """A cylinder along x."""
    return Piece(shape=Cylinder(radius_m=radius, height_m=length), position_m=vec(at), orientation_wxyz=_ALONG_X)


def _about_x(angle_rad: float) -> Quat:
    return quat(axis_angle_to_wxyz(_X, angle_rad))


def bed_shape(layout: Layout) -> Compound:
    """A board with two pairs of stops, which the block's foot would meet; its frame is the middle of the upper side."""
    long, front = 2.0 * layout.half_m + 0.13, layout.fan_y_m + 0.07
    deep = front + 0.11
    board = _box((long, deep, BED_M), (0.0, 0.5 * (0.11 - front), -0.5 * BED_M))
    posts = [
        _box((0.014, 0.012, 0.016), (x, side * (0.045 + STOP_GAP_M + 0.006), 0.008))
        for x in (-0.7 * layout.half_m, 0.7 * layout.half_m)
        for side in (-1.0, 1.0)
    ]
    return Compound(pieces=(board, *posts))


def block_shape(layout: Layout) -> Compound:
    """Foot, bearing plates, half-open sleeves and head; its frame is the crank's middle."""
    half, low = layout.half_m, -CRANK_Z_M
    pieces = [_box((2.0 * half, 0.09, 0.012), (0.0, 0.0, low + 0.0075))]
    for x in (-half + 0.003, half - 0.003):
        pieces.append(_box((0.006, 0.05, CRANK_Z_M + 0.012), (x, 0.0, low + 0.0135 + 0.5 * (CRANK_Z_M + 0.012))))
    top = CROWN_M + CLEARANCE_M
    pieces.append(_box((2.0 * half, 0.006, top + 0.1), (0.0, 0.034, 0.5 * (top - 0.1))))
    radius, sleeve_low = 0.5 * BORE_M + 0.0035, CROWN_M - STROKE_M - PISTON_M + 0.004
    for k in range(layout.count):
        x = layout.cylinder_x_m(k)
        for turn in np.radians([0.0, 45.0, 90.0, 135.0, 180.0]):
            at = (x + radius * np.cos(turn), radius * np.sin(turn), 0.5 * (sleeve_low + top))
            pieces.append(
                _box((0.005, 0.0155, top - sleeve_low), at, quat(axis_angle_to_wxyz((0.0, 0.0, 1.0), turn)))
            )  # fmt: skip
    pieces.append(_box((2.0 * half, 0.05, 0.012), (0.0, 0.012, top + 0.006)))
    return Compound(pieces=tuple(pieces))


def crank_shape(layout: Layout) -> Compound:
    """Shaft, webs and pins, for a crank whose angle is 0."""
    half = layout.half_m
    pieces = []
    edges = [-half - 0.055]
    for k in reversed(range(layout.count)):
        edges += [layout.cylinder_x_m(k) - 0.017, layout.cylinder_x_m(k) + 0.017]
    edges.append(layout.belt_x_m + 0.012)
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        pieces.append(_rod(0.008, high - low, (0.5 * (low + high), 0.0, 0.0)))
    for k in range(layout.count):
        angle = -np.radians(layout.angles_deg[k])
        pin = THROW_M * np.array([0.0, -np.sin(angle), np.cos(angle)])
        x = layout.cylinder_x_m(k)
        pieces.append(_rod(0.0065, 0.022, (x, pin[1], pin[2])))
        for side in (-0.014, 0.014):
            pieces.append(_box((0.006, 0.022, 0.054), (x + side, 0.0, 0.0), _about_x(angle)))
    return Compound(pieces=tuple(pieces))


def flywheel_shape() -> Compound:
    """Hub, five spokes and a rim of flats; the wheel's axis is x."""
    pieces = [_rod(0.02, 0.026, (0.0, 0.0, 0.0))]
    rim, count = FLYWHEEL_M - 0.014, 28
    for turn in 2.0 * np.pi * np.arange(5) / 5:
        away = 0.5 * (0.02 + rim - 0.012)
        pieces.append(
            _box((0.01, 0.014, rim - 0.034), (0.0, -away * np.sin(turn), away * np.cos(turn)), _about_x(turn))
        )
    wide = 2.0 * rim * np.tan(np.pi / count) + 0.002
    for turn in 2.0 * np.pi * np.arange(count) / count:
        at = (0.0, -rim * np.sin(turn), rim * np.cos(turn))
        pieces.append(_box((0.026, wide, 0.028), at, _about_x(float(turn))))
    return Compound(pieces=tuple(pieces))


def mark_shape() -> Compound:
    """A stripe of paint across a flywheel's rim and one spoke, for a wheel whose angle is 0."""
    rim = FLYWHEEL_M - 0.014
    return Compound(
        pieces=(
            _box((0.0285, 0.028, 0.0305), (0.0, 0.0, rim)),
            _box((0.012, 0.0155, 0.05), (0.0, 0.0, rim - 0.042)),
        )
    )


def pulley_shape(radius_m: float) -> Compound:
    """Two flanges and the drum that the belt lies on; the axis is x."""
    drum = radius_m - 0.5 * LINK_THICK_M
    flanges = [_rod(radius_m + 0.004, 0.004, (x, 0.0, 0.0)) for x in (-0.0092, 0.0092)]
    return Compound(pieces=(_rod(drum, 0.0145, (0.0, 0.0, 0.0)), *flanges))


def spot_shape(radius_m: float) -> Compound:
    """A dab of paint on the outer flange of a pulley of that radius, for a pulley whose angle is 0."""
    return Compound(pieces=(_box((0.005, 0.2 * radius_m + 0.004, 0.55 * radius_m), (0.0092, 0.0, 0.6 * radius_m)),))


def fan_shape() -> Compound:
    """Shaft, hub and six blades; the axis is x, the frame where the belt runs."""
    at = -0.062
    pieces = [_rod(0.0085, 0.078, (-0.033, 0.0, 0.0)), _rod(0.014, 0.02, (at, 0.0, 0.0))]
    for turn in 2.0 * np.pi * np.arange(6) / 6:
        spun = multiply_wxyz(_about_x(float(turn)), axis_angle_to_wxyz((0.0, 0.0, 1.0), 0.6))
        away = (0.0, -0.036 * np.sin(turn), 0.036 * np.cos(turn))
        pieces.append(_box((0.004, 0.022, 0.048), np.add((at, 0.0, 0.0), away), quat(spun)))
    return Compound(pieces=tuple(pieces))


def housing_shape(layout: Layout) -> Compound:
    """A bridge of plates with half a ring on it, which carries the fan's bearing; its frame is in the bearing.

    The plate is right under the outer race: what the bearing does is heard from it.
    """
    high, seat = layout.fan_z_m, BEARING_M - 0.0005
    ring = [
        _box((0.02, 0.0135, 0.007), (0.0, -(BEARING_M + 0.0035) * np.sin(t), (BEARING_M + 0.0035) * np.cos(t)),
             _about_x(float(t)))
        for t in np.pi * np.arange(-3, 4) / 6
    ]  # fmt: skip
    legs = high - seat - PLATE_M
    return Compound(
        pieces=(
            _box((0.036, 0.11, PLATE_M), (0.0, 0.0, -seat - 0.5 * PLATE_M)),
            *ring,
            *(_box((0.036, 0.006, legs), (0.0, y, 0.5 * legs - high)) for y in (-0.052, 0.052)),
        )
    )


def rod_shape() -> Compound:
    """A rod along z, its frame in the middle between its pins: big end below."""
    big, small = _rod(0.0115, 0.012, (0.0, 0.0, -0.5 * ROD_M)), _rod(0.008, 0.012, (0.0, 0.0, 0.5 * ROD_M))
    return Compound(pieces=(big, small, _box((0.007, 0.01, ROD_M - 0.0205), (0.0, 0.0, 0.0018))))


@dataclass(frozen=True)
class Cylinders:
    """Pistons, rods and joints of all cylinders."""

    bodies: tuple[Body, ...]
    joints: tuple[Joint, ...]


def cylinder_parts(layout: Layout, colors: Sequence[tuple[str, Look]], play_m: Sequence[float]) -> Cylinders:
    """Pistons, rods, and pins where a small end has play.

    Args:
        layout: of the engine.
        colors: of each piston: what labels call it, and its look.
        play_m: of each small end.
    """
    bodies: list[Body] = []
    joints: list[Joint] = []
    centre = layout.crank.centre
    for k, ((color, look), play) in enumerate(zip(colors, play_m, strict=True)):
        pin, angle = layout.pin(k), layout.angle_rad(k)
        aside = -THROW_M * np.sin(angle)  # of the pin, along y
        small = np.array([pin[0], centre[1], pin[2] + np.sqrt(ROD_M**2 - aside**2)])
        lean = float(np.arctan2(aside, small[2] - pin[2]))
        pin_velocity = np.asarray(layout.crank.velocity(pin))
        spin = pin_velocity[1] / (small[2] - pin[2])  # so that the small end does not leave its line
        swung = np.cross([spin, 0.0, 0.0], small - pin)
        up = vec(pin_velocity + swung)
        bodies += [
            Body(name=f"piston_{k}", shape=Cylinder(radius_m=0.5 * BORE_M - 0.0006, height_m=PISTON_M),
                 material="aluminium", position_m=vec(small), velocity_m_s=(0.0, 0.0, up[2]), look=look,
                 label=f"{color} piston"),
            Body(name=f"rod_{k}", shape=rod_shape(), material="steel", position_m=vec(0.5 * (pin + small)),
                 orientation_wxyz=_about_x(lean), velocity_m_s=vec(pin_velocity + 0.5 * swung),
                 angular_velocity_rad_s=(float(spin), 0.0, 0.0), label="connecting rod"),
        ]  # fmt: skip
        holder = f"piston_{k}"
        joints.append(Joint(name=f"piston_{k}", kind="slide", child=holder, parent="block"))
        if play:
            # The gas has the piston pressed onto its pin, at the upper end of the play.
            pin_body = Body(name=f"pin_{k}", shape=Cylinder(radius_m=0.004, height_m=0.024), material="steel",
                            position_m=vec(small), orientation_wxyz=_ALONG_X, velocity_m_s=(0.0, 0.0, up[2]),
                            label="piston pin")  # fmt: skip
            bodies.append(pin_body)
            joints.append(
                Joint(name=f"play_{k}", kind="slide", child=pin_body.name, parent=holder, limits=(-play, -1e-6))
            )
            holder = pin_body.name
        joints += [
            Joint(name=f"small_end_{k}", kind="hinge", child=f"rod_{k}", parent=holder, anchor_m=vec(small), axis=_X),
            Joint(name=f"big_end_{k}", kind="hinge", child=f"rod_{k}", parent="crank", anchor_m=vec(pin), axis=_X),
        ]
    return Cylinders(tuple(bodies), tuple(joints))


def fixed_to(turning: Turning, name: str, shape: Shape, at: Floats, turn_rad: float, **fields: object) -> Body:
    """A body that turns with ``turning``, its frame at ``at`` (3,) and turned about x."""
    return Body.model_validate(
        {
            "name": name, "shape": shape, "position_m": vec(at), "orientation_wxyz": _about_x(turn_rad),
            "velocity_m_s": turning.velocity(at), "angular_velocity_rad_s": (turning.speed_rad_s, 0.0, 0.0),
        } | fields
    )  # fmt: skip


def turned(layout: Layout, offset: ArrayLike) -> Floats:
    """(3,) where a point given for a crank at angle 0, from the crank's middle, is at time 0."""
    return np.asarray(layout.crank.centre + rotate_wxyz(_about_x(np.radians(layout.start_deg)), np.asarray(offset)))
