"""Glasses, bowls, buckets, cups, jugs and bottles: shapes, materials, looks and words. For scenes with liquids."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.analysis.draws import pick
from physreel.geometry.rotations import axis_angle_to_wxyz, rotate_wxyz
from physreel.geometry.vessels import capacity_m3, inner_radius_m, inside
from physreel.scenes.objects import describe, draw_look
from physreel.spec import Body, Capsule, Compound, Look, Piece, Vessel

VESSEL_KINDS = ("glass", "bowl", "bucket", "cup", "jug", "bottle")
VESSEL_MATERIALS = ("glass", "ceramic", "steel", "ABS")

_USUAL = {
    "glass": ("glass",), "bowl": VESSEL_MATERIALS, "bucket": ("steel", "ABS"), "cup": ("ceramic", "ABS", "steel"),
    "jug": ("glass", "ceramic", "ABS"), "bottle": ("glass", "ABS"),
}  # fmt: skip
_WITH_HANDLE = ("cup", "jug")
_GRID = 28  # points across a hollow: its volume is known to about 0.3 %

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DrawnVessel:
    """A vessel with a look and a name for it; ``handle`` is in the vessel's frame, at its - x, or there is none."""

    kind: str
    shape: Vessel
    handle: Compound | None
    material: str
    look: Look
    label: str

    @property
    def rim_radius_m(self) -> float:
        """Inner radius at the rim."""
        return self.shape.profile_m[-1][0]

    @property
    def outer_radius_m(self) -> float:
        """The wall's greatest reach from the axis."""
        return max(r for r, _ in self.shape.profile_m) + self.shape.wall_m


def draw_vessel(
    rng: np.random.Generator,
    kind: str,
    materials: Sequence[str],
    capacity: float,
    *,
    neck_m: float = 0.0,
    taken: Sequence[str] = (),
) -> DrawnVessel:
    """A vessel of one of ``VESSEL_KINDS`` that holds about ``capacity`` m³ when full.

    Args:
        rng: the source of proportions, material and colour.
        kind: what it is.
        materials: what it may be made of; of these, such as is usual for the kind if there is any.
        capacity: to the rim, m³.
        neck_m: the least inner diameter anywhere above the floor.
        taken: labels of other vessels in the picture, which this one is called unlike if it can be.
    """
    material = pick(rng, [m for m in materials if m in _USUAL[kind]] or list(materials))
    profile = _profile(rng, kind)
    shape = _scaled(profile, material, capacity)
    if neck_m > 0.0:
        profile = np.column_stack([_widened(profile, shape, neck_m), profile[:, 1]])
        shape = _scaled(profile, material, capacity)
    handle = _handle(rng, shape) if kind in _WITH_HANDLE else None
    look, label = draw_unlike(rng, material, lambda color: _label(kind, material, color, shape), taken)
    return DrawnVessel(kind, shape, handle, material, look, label)


def draw_unlike(
    rng: np.random.Generator, material: str, called: Callable[[str], str], taken: Collection[str]
) -> tuple[Look, str]:
    """A look of a material and what a thing of that colour is ``called``: not one of ``taken``, if a dozen draws do."""
    for _ in range(12):
        look, color = draw_look(rng, material)
        label = called(color)
        if label not in taken:
            break
    return look, label


def _label(kind: str, material: str, color: str, shape: Vessel) -> str:
    if kind != "glass":
        return describe(color, material, kind)
    if material != "glass":
        return describe(color, material, "tumbler")
    tall = (shape.rim_z_m - shape.floor_z_m) / (2.0 * shape.profile_m[-1][0])
    return "tall glass" if tall > 1.35 else "wide glass" if tall < 1.0 else "glass"


def _profile(rng: np.random.Generator, kind: str) -> Floats:
    """(n, 2) inside (r, z above the inside floor) of a kind, in units of its greatest radius."""
    match kind:
        case "glass":
            foot, deep = rng.uniform(0.74, 0.98), rng.uniform(1.7, 3.1)
            return _rounded(foot, 1.0, deep)
        case "cup":
            foot, deep = rng.uniform(0.78, 1.0), rng.uniform(1.6, 2.3)
            return _rounded(foot, 1.0, deep)
        case "bucket":
            foot, deep = rng.uniform(0.68, 0.82), rng.uniform(1.5, 2.1)
            return _rounded(foot, 1.0, deep, corner=0.04)
        case "bowl":
            foot, deep, bulge = rng.uniform(0.3, 0.45), rng.uniform(0.6, 0.85), rng.uniform(1.8, 2.4)
            z = np.linspace(0.0, 1.0, 9)
            r = foot + (1.0 - foot) * (1.0 - (1.0 - z) ** bulge) ** (1.0 / bulge)
            return np.vstack([[0.0, 0.0], np.column_stack([r, deep * z])])
        case "jug":
            foot, neck, deep = rng.uniform(0.75, 0.9), rng.uniform(0.66, 0.82), rng.uniform(2.4, 3.0)
            flare = neck * rng.uniform(1.06, 1.18)
            heights = [0.0, 0.04, 0.18, 0.34, 0.5, 0.66, 0.8, 0.9, 1.0]
            radii = [0.94 * foot, foot, 0.97, 1.0, 0.98, (1.0 + neck) / 2.0, neck, 1.02 * neck, flare]
            return np.vstack([[0.0, 0.0], np.column_stack([radii, deep * np.array(heights)])])
        case "bottle":
            neck, deep, shoulder = rng.uniform(0.44, 0.56), rng.uniform(3.2, 4.0), rng.uniform(0.5, 0.6)
            heights = [0.0, 0.03, shoulder, shoulder + 0.07, shoulder + 0.15, shoulder + 0.22, 0.95, 1.0]
            radii = [0.93, 1.0, 1.0, 0.18 * neck + 0.82, 0.65 * neck + 0.35, neck, neck, 1.05 * neck]
            return np.vstack([[0.0, 0.0], np.column_stack([radii, deep * np.array(heights)])])
    raise KeyError(kind)


def _rounded(foot: float, rim: float, deep: float, corner: float = 0.12) -> Floats:
    """A straight wall with a small fillet at the floor."""
    cut = corner * foot
    at = cut / deep
    return np.array(
        [
            [0.0, 0.0], [foot - cut, 0.0], [foot - 0.3 * cut + 0.3 * at * (rim - foot), 0.3 * cut],
            [foot + at * (rim - foot), cut], [rim, deep],
        ]
    )  # fmt: skip


def _scaled(profile: Floats, material: str, capacity: float) -> Vessel:
    unit = Vessel(profile_m=_points(profile + np.array([0.0, 1.0])), wall_m=0.1)
    scale = float((capacity / capacity_m3(unit)) ** (1.0 / 3.0))
    # Walls as they are made, a little thick for small things; liquid on either side must not meet through them.
    share = {"glass": 0.06, "ceramic": 0.075, "steel": 0.045, "ABS": 0.05}.get(material, 0.06)
    wall = round(max(0.003, share * scale), 5)
    return Vessel(profile_m=_points(scale * profile + np.array([0.0, 1.5 * wall])), wall_m=wall)


def _points(profile: Floats) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(r), 6), round(float(z), 6)) for r, z in profile)


def _widened(profile: Floats, shape: Vessel, neck_m: float) -> Floats:
    """(n,) radii of a unit profile, its walls not nearer to the axis than half of ``neck_m`` once it is scaled."""
    scale = max(r for r, _ in shape.profile_m) / profile[:, 0].max()
    least = 0.5 * neck_m / scale
    return np.asarray(np.where(profile[:, 0] > 0.0, np.maximum(profile[:, 0], min(least, 0.95)), 0.0))


def _handle(rng: np.random.Generator, shape: Vessel) -> Compound:
    """A loop of round bars at - x, from below the rim to above the foot."""
    deep = shape.rim_z_m - shape.floor_z_m
    high, low = shape.floor_z_m + rng.uniform(0.78, 0.88) * deep, shape.floor_z_m + rng.uniform(0.2, 0.34) * deep
    bar = float(np.clip(0.035 * deep + 0.001, 0.003, 0.007))
    # Ends sit in the middle of the wall; the loop stands off from the widest point.
    roots = inner_radius_m(shape, (high, low)) + 0.5 * shape.wall_m
    reach = max(float(roots.max()), max(r for r, _ in shape.profile_m)) + shape.wall_m
    reach += rng.uniform(0.22, 0.3) * deep
    corners = np.array(
        [
            (roots[0] + bar, high), (0.75 * reach + 0.25 * roots[0], high), (reach, 0.72 * high + 0.28 * low),
            (0.97 * reach, 0.35 * high + 0.65 * low), (0.7 * reach + 0.3 * roots[1], low), (roots[1] + bar, low),
        ]
    )  # fmt: skip
    pieces = []
    for (r0, z0), (r1, z1) in pairwise(corners):
        dx, dz = -(r1 - r0), z1 - z0
        angle = float(np.arctan2(dx, dz))
        w, x, y, z = axis_angle_to_wxyz((0.0, 1.0, 0.0), angle).tolist()
        pieces.append(
            Piece(
                shape=Capsule(radius_m=bar, length_m=float(np.hypot(dx, dz))),
                position_m=(float(-(r0 + r1) / 2), 0.0, float((z0 + z1) / 2)),
                orientation_wxyz=(w, x, y, z),
            )
        )
    return Compound(pieces=tuple(pieces))


def bar_points(handle: Compound, apart_m: float) -> tuple[Floats, Floats]:
    """(M, 3) points at most ``apart_m`` apart along a handle's bars, in its frame, and (M,) the bars' radii there."""
    points, radii = [], []
    for piece in handle.pieces:
        assert isinstance(piece.shape, Capsule)
        count = 2 + int(piece.shape.length_m / apart_m)
        along = np.linspace(-0.5, 0.5, count)[:, None] * [0.0, 0.0, piece.shape.length_m]
        points.append(np.asarray(piece.position_m) + rotate_wxyz(piece.orientation_wxyz, along))
        radii.append(np.full(count, piece.shape.radius_m))
    return np.concatenate(points), np.concatenate(radii)


def with_handle(body: Body, vessel: DrawnVessel) -> tuple[Body, ...]:
    """A vessel's body, and its handle's if it has one, which goes where the vessel goes."""
    if vessel.handle is None:
        return (body,)
    handle = {"name": f"{body.name}_handle", "shape": vessel.handle, "label": f"handle of the {vessel.label}"}
    return body, body.model_copy(update=handle)


def standing_bodies(name: str, vessel: DrawnVessel, position_m: ArrayLike, yaw_rad: float) -> tuple[Body, ...]:
    """A vessel that stands still, and its handle if it has one, turned by ``yaw_rad`` about the vertical."""
    x, y, z = np.asarray(position_m, np.float64).tolist()
    w, i, j, k = axis_angle_to_wxyz((0.0, 0.0, 1.0), yaw_rad).tolist()
    body = Body(
        name=name, shape=vessel.shape, material=vessel.material, motion="static", position_m=(x, y, z),
        orientation_wxyz=(w, i, j, k), look=vessel.look, label=vessel.label,
    )  # fmt: skip
    return with_handle(body, vessel)


def lean_capacity_m3(shape: Vessel, tilt_rad: float, head_m: float = 0.0) -> float:
    """How much a vessel holds that leans by ``tilt_rad`` from upright, up to ``head_m`` above its lip."""
    points, cell = _hollow_grid(shape)
    lip = shape.rim_z_m * np.cos(tilt_rad) - shape.profile_m[-1][0] * np.sin(tilt_rad) + head_m
    height = points[:, 1] * np.cos(tilt_rad) - points[:, 0] * np.sin(tilt_rad)
    return float((height < lip).sum() * cell)


def tilt_to_hold_rad(shape: Vessel, volume_m3: float, head_m: float = 0.0) -> float:
    """The least tilt at which no more than a volume is held up to ``head_m`` above the lip; half a turn at most."""
    low, high = 0.0, np.pi
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if lean_capacity_m3(shape, middle, head_m) > volume_m3 else (low, middle)
    return high


@lru_cache(maxsize=32)
def _hollow_grid(shape: Vessel) -> tuple[Floats, float]:
    """(M, 2) x and z of points spread evenly over the hollow, and the volume that each stands for."""
    reach, deep = max(r for r, _ in shape.profile_m), shape.rim_z_m - shape.floor_z_m
    step = 2.0 * reach / _GRID
    across = (np.arange(_GRID) + 0.5) * step - reach
    layers = max(_GRID, int(np.ceil(deep / step)))
    up = shape.floor_z_m + (np.arange(layers) + 0.5) * (deep / layers)
    grid = np.stack(np.meshgrid(across, across, up, indexing="ij"), -1).reshape(-1, 3)
    held = grid[inside(shape, grid)][:, [0, 2]]
    return held, capacity_m3(shape) / len(held)
