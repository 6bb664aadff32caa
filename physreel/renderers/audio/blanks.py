"""What of a toothed body rings: its blank, the solid that it was cut from.

Teeth are short and stiff beside the body that carries them: they bend by themselves far above what is heard, and add
mass and hardly any stiffness. So a gear rings as the disc (or, with a bore, the ring) up to the circle of its roots, a
ring gear as the ring beyond its roots, a rack as the bar below them, each with the mass of the whole.
"""

from __future__ import annotations

from physreel.spec import Box, Compound, Cylinder, Gear, Piece, Rack, Ring, Shape
from physreel.spec.toothed import DEDENDUM


def blank(shape: Shape) -> Shape:
    """The solid that stands for a gear's or a rack's modes, in the same frame; any other shape is its own."""
    match shape:
        case Gear(internal=True):
            return Ring(inner_radius_m=shape.root_radius_m, outer_radius_m=shape.outer_radius_m, height_m=shape.width_m)
        case Gear(bore_radius_m=bore) if bore > 0.0:
            return Ring(inner_radius_m=bore, outer_radius_m=shape.root_radius_m, height_m=shape.width_m)
        case Gear():
            return Cylinder(radius_m=shape.root_radius_m, height_m=shape.width_m)
        case Rack():
            bar = Box(size_m=(shape.length_m, shape.back_m, shape.width_m))
            return Compound(
                pieces=(Piece(shape=bar, position_m=(0.0, -DEDENDUM * shape.module_m - 0.5 * shape.back_m, 0.0)),)
            )
    return shape
