"""What each body sounds like when it is struck: its modes as a bank of resonators that give pressure at a metre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.geometry.mass import MassProperties, body_mass_properties, mass_properties
from physreel.geometry.rotations import conjugate_wxyz, rotate_wxyz
from physreel.geometry.vessels import tank_compound
from physreel.renderers.audio.blanks import blank
from physreel.renderers.audio.modal import Modes, shape_modes, unit_shape
from physreel.renderers.audio.radiation import (
    dipole_rate,
    mode_efficiency,
    slab_pressure_per_newton,
    slab_rate_and_weight,
)
from physreel.renderers.audio.solids import deepest_piece, deepest_pieces
from physreel.spec import (
    Air,
    Body,
    Compound,
    Gear,
    Material,
    Piece,
    Plane,
    Rack,
    SceneSpec,
    Shape,
    Tank,
    TriangleMesh,
    Vessel,
)

Floats = NDArray[np.float64]

LOWEST_HZ, HIGHEST_HZ = 20.0, 20_000.0
ROUGH_MARGIN, GLUED_MARGIN = 1.2, 2.0
"""A shape whose lowest frequency, roughly known, is so much above what is heard is not looked at closer (compounds are
known less well)."""
SUPPORT_LOSS, FOOT_LOSS = 0.02, 0.003
"""Loss factor that a static body has from what it is fixed to; a vessel stands on its foot, which hardly moves."""
CONTACT_LOSS, CONTACT_LOSS_SHARE = 0.005, 0.3
"""A body that touches another loses this much more, plus this share of the other's own loss factor."""


@dataclass(frozen=True, eq=False)
class Bank:
    """The audible modes of one solid piece, K of them, plus the click of a free body as the last.

    Attributes:
        rates: (2, K) λ in 1/s: free, and while something touches it.
        weights: (K,) complex.
        hertz: (K,).
        direct: Pa·m per newton of the force itself (slabs only).
    """

    rates: NDArray[np.complex128]
    weights: NDArray[np.complex128]
    hertz: Floats
    direct: float
    modes: Modes | None
    groups: NDArray[np.int64]
    used: int
    loudness: Floats
    signs: Floats
    scale: float
    place: Piece | None
    click: float
    modal_mass: float

    def gains(self, points: Floats, directions: Floats) -> tuple[Floats, Floats]:
        """What forces at points (N, 3) along directions (N, 3), body frame, do to each resonator.

        Returns (N, K) pressure at 1 m per unit, and (N, K) mobility in 1/kg: the energy that a pulse leaves in a mode
        is mobility · |spectrum of the force|² / 2.

        Modes of one frequency (a ball has them by fives) count as one, by the sum of squares: which of them a solver
        returns is arbitrary, what they give together is not. The click's gain is for a listener along the force.
        """
        out, mobility = np.zeros((2, len(points), len(self.hertz)))
        if self.modes is not None and len(self.groups):
            if self.place is not None:
                back = conjugate_wxyz(self.place.orientation_wxyz)
                points = rotate_wxyz(back, points - np.array(self.place.position_m))
                directions = rotate_wxyz(back, directions)
            shapes = self.modes.displacements(points / self.scale, self.used)
            push = np.einsum("nki,ni->nk", shapes, directions)
            tonal = slice(len(self.groups))
            heard = np.add.reduceat((push * self.loudness) ** 2, self.groups, axis=1)
            out[:, tonal] = np.sqrt(heard) * self.signs
            mobility[:, tonal] = np.add.reduceat(push * push, self.groups, axis=1) / self.modal_mass
        if self.click:
            out[:, -1] = self.click
        return out, mobility

    def gain_together(self, points: Floats, forces: Floats) -> Floats:
        """(K,) pressure at 1 m per unit of forces (P, 3) at points (P, 3), body frame, that act together.

        Signs are those of the modes, so that what acts elsewhere on the same body adds up or cancels. The click is left
        out: what has several forces on it is held.
        """
        out = np.zeros(len(self.hertz))
        if self.modes is not None and len(self.groups):
            if self.place is not None:
                back = conjugate_wxyz(self.place.orientation_wxyz)
                points = rotate_wxyz(back, points - np.array(self.place.position_m))
                forces = rotate_wxyz(back, forces)
            push = np.einsum("nki,ni->k", self.modes.displacements(points / self.scale, self.used), forces)
            heard = push * self.loudness
            size = np.sqrt(np.add.reduceat(heard**2, self.groups))
            out[: len(self.groups)] = np.copysign(size, np.add.reduceat(heard, self.groups)) * self.signs
        return out


class SoundingBody:
    """A body of the spec with its mass, its loss and the banks of its pieces (one, but for compounds that are held).

    ``shape`` is what is heard of it: of a tank, its panes; of a gear, its blank.
    """

    def __init__(self, spec: SceneSpec, index: int) -> None:
        self.index = index
        self.body: Body = spec.bodies[index]
        self.material: Material = spec.material_of(self.body)
        self.air: Air = spec.air
        self.is_slab = isinstance(self.body.shape, (Plane, TriangleMesh))
        self.slab = index if self.is_slab else None
        self.dynamic = self.body.motion == "dynamic"
        hollow = isinstance(self.body.shape, (Vessel, Tank))
        self.mass: MassProperties | None = (
            None if self.is_slab or hollow else body_mass_properties(self.body, self.material)
        )
        self.shape: Shape = blank(self.body.shape)
        if isinstance(self.shape, Tank):
            self.shape = tank_compound(self.shape)
        self.pieces: tuple[Piece, ...] = ()
        if isinstance(self.shape, Compound) and not self.dynamic:
            self.pieces = self.shape.pieces
        self._banks: dict[tuple[int, float], Bank] = {}

    def piece_at(self, point: Floats) -> int:
        """Which piece of a static compound a point (3,) in the body's frame belongs to; 0 for all other bodies."""
        if not isinstance(self.shape, Compound) or self.dynamic:
            return 0
        return deepest_piece(self.shape, point)[0]

    def pieces_at(self, points: Floats) -> NDArray[np.int64]:
        """(N,) the same of points (N, 3)."""
        if not isinstance(self.shape, Compound) or self.dynamic:
            return np.zeros(len(points), np.int64)
        return deepest_pieces(self.shape, points)

    def bank(self, piece: int, contact_loss: float, burden: float = 1.0) -> Bank:
        """The bank of a piece.

        Args:
            piece: see ``piece_at``.
            contact_loss: the loss factor added while the body is touched.
            burden: mass that moves, against the body's own: above 1 with liquid in it.
        """
        key = (piece, burden)
        if key not in self._banks:
            self._banks[key] = self._slab() if self.is_slab else self._solid(piece, contact_loss, burden)
        return self._banks[key]

    def _slab(self) -> Bank:
        rate, weight = slab_rate_and_weight()
        direct = slab_pressure_per_newton(self.material.density_kg_m3, self.air)
        return Bank(
            rates=np.full((2, 1), rate),
            weights=np.array([-weight]),
            hertz=np.array([abs(rate) / (2 * np.pi)]),
            direct=direct,
            modes=None,
            groups=np.zeros(0, np.int64),
            used=0,
            loudness=np.zeros(0),
            signs=np.zeros(0),
            scale=1.0,
            place=None,
            click=direct,
            modal_mass=1.0,
        )

    def _solid(self, piece: int, contact_loss: float, burden: float) -> Bank:
        place = self.pieces[piece] if self.pieces else None
        shape: Shape = self.shape if place is None else place.shape
        unit, scale = unit_shape(shape)
        air, material = self.air, self.material
        density = material.density_kg_m3
        if self.mass is not None and isinstance(self.body.shape, (Gear, Rack)):
            density = self.mass.mass / mass_properties(self.shape).mass
        elif self.mass is not None and self.body.mass_kg is not None:
            density = self.body.mass_kg / self._volume()
        density *= burden
        pitch = float(np.sqrt(material.young_modulus_pa / density)) / scale
        # No solid rings higher than a ball, whose lowest mode is at half the speed of sound in a bar over its diameter.
        silent = False
        if pitch > 4 * np.pi * HIGHEST_HZ:
            margin = GLUED_MARGIN if isinstance(shape, Compound) else ROUGH_MARGIN
            lowest = shape_modes(unit, material.poisson_ratio, rough=True).omega[0] * pitch
            silent = lowest > margin * 2 * np.pi * HIGHEST_HZ
        modes = shape_modes(unit, material.poisson_ratio, rough=silent)
        undamped = modes.omega * pitch
        used = int(np.searchsorted(undamped, 2 * np.pi * HIGHEST_HZ))
        undamped = undamped[:used]
        surface = modes.area * scale**2
        radius = float(np.sqrt(surface / (4 * np.pi)))
        efficiency = mode_efficiency(modes.multipole_share[:used], undamped, radius, air)
        modal_mass = density * scale**3
        impedance = air.density_kg_m3 * air.speed_of_sound_m_s
        square = modes.normal_square[:used] / modal_mass
        radiation = impedance * surface * efficiency * square / np.maximum(undamped, 1e-9)
        support = FOOT_LOSS if isinstance(shape, Vessel) else SUPPORT_LOSS
        loss = material.loss_factor + radiation + (0.0 if self.dynamic else support)
        # One factor 1/√m is the push on the mode, the other its motion at the surface.
        loudness = impedance * np.sqrt(efficiency * square * surface / (4 * np.pi) / modal_mass)
        starts = np.flatnonzero(np.r_[True, np.diff(undamped) > 1e-5 * undamped[:-1]]) if used else np.zeros(0, int)
        audible = undamped[starts] >= 2 * np.pi * LOWEST_HZ
        rates = np.stack([_rates(undamped, loss + extra)[starts] for extra in (0.0, contact_loss)])
        weights = 1.0 + 1j * (-rates[0].real / rates[0].imag)
        # What a listener gets of one mode is in step with the push or against it, as the mode's shape has it there.
        signs = np.where((np.arange(len(starts)) * 0.6180339887498949) % 1.0 < 0.5, 1.0, -1.0) * audible
        hertz = undamped[starts] / (2 * np.pi)
        click = 0.0
        if self.dynamic and self.mass is not None:
            ball = float(np.cbrt(3.0 * self._volume() / (4.0 * np.pi)))
            click = impedance * ball / self.mass.mass
            rate = dipole_rate(ball, air)
            rates = np.concatenate([rates, np.full((2, 1), rate)], 1)
            weights = np.append(weights, 1.0 + 1.0j)
            hertz = np.append(hertz, abs(rate) / (2 * np.pi))
        return Bank(
            rates=rates,
            weights=weights,
            hertz=hertz,
            direct=0.0,
            modes=modes,
            groups=starts,
            used=used,
            loudness=loudness,
            signs=signs,
            scale=scale,
            place=place,
            click=click,
            modal_mass=modal_mass,
        )

    def _volume(self) -> float:
        return mass_properties(self.body.shape).mass


def _rates(undamped: Floats, loss: Floats) -> NDArray[np.complex128]:
    # A loss factor of 2 is critical damping; what is near it has no pitch left to lose.
    ratio = np.minimum(0.5 * loss, 0.7)
    return np.asarray(undamped * (-ratio + 1j * np.sqrt(1.0 - ratio**2)))
