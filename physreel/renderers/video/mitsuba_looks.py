"""Looks, lamps and the sky as Mitsuba's plug-ins.

What is clear bends no light here: it tints what passes straight on, so that shadows of glass and liquids are coloured
and soft instead of black with specks. What the camera sees through clear things is bent in ``mitsuba_clear``.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.mitsuba_shapes import Patch
from physreel.renderers.video.trace_baking import bake, body_rows
from physreel.renderers.video.trace_secondary import sky
from physreel.spec import Environment, Light, LiquidLook, Look, SunLight

Floats = NDArray[np.float64]
How = Literal["lit", "plain", "tinted"]

CLEAR = 0.5
"""A look that lets through at least this share of the light counts as clear."""
# The finest detail of a texture is a 25th of its period; texels are never finer than half of that.
TEXELS_A_PERIOD = 48.0
# Beyond this many of a texture's periods to a texel there is nothing left of it but its mean.
FADED_PERIODS = 8.0
# The sun is a ball so far off that its rays are parallel over any scene, and near enough for single precision.
_SUN_M = 2.0e4
# Slabs of this index mirror as much as one border of glass does, 4 %.
_SLAB_IOR = 1.34
_SKY_STEPS = 8193


def is_clear(look: Look) -> bool:
    """Whether light goes through."""
    return look.transmission >= CLEAR


def is_shiny(look: Look) -> bool:
    """Whether other things are mirrored in it: a metal, or smoother than paint."""
    return look.metallic > 0.0 or look.roughness < 0.5


def surface(mi: Any, look: Look, how: How, texture: Any = None) -> Any:
    """The BSDF of a body's surface.

    Args:
        mi: Mitsuba.
        look: its look.
        how: ``lit``: Disney's principled BSDF, whose roughness and metal are the spec's; ``plain``: all matt, metals
            too; ``tinted``: something clear.
        texture: a bitmap in place of the colour.
    """
    color = texture or rgb(look.color)
    if how == "tinted":
        # Half of the colour on the way in, half on the way out.
        return _tinted(mi, rgb(np.sqrt(look.color)))
    if how == "plain":
        return mi.load_dict({"type": "diffuse", "reflectance": color})
    rough = max(look.roughness, 0.045)
    return mi.load_dict(
        {"type": "principled", "base_color": color, "roughness": rough, "metallic": look.metallic, "specular": 0.5}
    )


def liquid_surface(mi: Any, look: LiquidLook, how: How, tint: Any) -> Any:
    """The BSDF of a liquid's surface: a wet, glossy solid, or the tint (a texture) that light passes through."""
    if how == "tinted":
        return _tinted(mi, tint)
    if how == "plain":
        return mi.load_dict({"type": "diffuse", "reflectance": rgb(look.color)})
    return mi.load_dict({"type": "principled", "base_color": rgb(look.color), "roughness": 0.08, "eta": look.ior})


def _tinted(mi: Any, tint: Any) -> Any:
    # What it mirrors is left out: by chance a path would find a lamp in it, and make a speck.
    given = {"int_ior": _SLAB_IOR, "specular_transmittance": tint, "specular_reflectance": 0.0}
    return mi.load_dict({"type": "thindielectric", **given})


def drawn_texture(mi: Any, patch: Patch, row: Floats, lattice: Floats, footprint_m: float, most_texels: int) -> Any:
    """A bitmap of the texture on a patch, as fine as a pixel sees it.

    Args:
        mi: Mitsuba.
        patch: where.
        row: the look, see ``trace_packing``.
        lattice: from ``noise_lattice``.
        footprint_m: width of a pixel where the patch comes nearest to the camera.
        most_texels: of the bitmap to a side.
    """
    texel = max(footprint_m, row[11] / TEXELS_A_PERIOD)
    width, height = (int(np.clip(np.ceil(size / texel), 2, most_texels)) for size in patch.size_m)
    if min(patch.size_m) / most_texels > FADED_PERIODS * row[11]:
        width = height = 2
    v, u = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    points, normals = patch.place(u.ravel(), v.ravel())
    points, normals = np.ascontiguousarray(points), np.ascontiguousarray(normals)
    out, widths = np.empty(points.shape), np.full(len(points), max(patch.size_m[0] / width, patch.size_m[1] / height))
    still = body_rows(np.array([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]))
    bake(lattice, row[None], still, np.zeros(len(points), np.int64), points, normals, -normals, widths, out)
    picture = np.ascontiguousarray(out.reshape(height, width, 3), np.float32)
    return mi.load_dict({"type": "bitmap", "bitmap": mi.Bitmap(picture), "raw": True, "wrap_mode": "clamp"})


def lamp_ball(light: Light) -> tuple[Floats, float, Floats] | None:
    """(centre, radius, radiance) of a light as a glowing ball; None of one that is a point."""
    if isinstance(light, SunLight):
        size = float(np.sin(np.radians(light.angular_diameter_deg) / 2))
        radiance = np.asarray(light.irradiance) / (np.pi * max(size, 1e-12) ** 2)
        return (-np.asarray(light.direction) * _SUN_M, _SUN_M * size, radiance) if size > 0.0 else None
    radiance = np.asarray(light.intensity) / (np.pi * max(light.radius_m, 1e-12) ** 2)
    return (np.asarray(light.position_m), light.radius_m, radiance) if light.radius_m > 0.0 else None


def lamp(mi: Any, light: Light) -> Any:
    """A light as an emitter or a glowing ball."""
    ball = lamp_ball(light)
    if ball is not None:
        center, radius, radiance = ball
        emitter = {"type": "area", "radiance": rgb(radiance)}
        return mi.load_dict({"type": "sphere", "center": list(center), "radius": radius, "emitter": emitter})
    if isinstance(light, SunLight):
        given = {"type": "directional", "direction": list(light.direction), "irradiance": rgb(light.irradiance)}
    else:
        given = {"type": "point", "position": list(light.position_m), "intensity": rgb(light.intensity)}
    return mi.load_dict(given)


class Sky:
    """What rays see that meet nothing: the ray tracer's formula, as a table over a ray's z."""

    def __init__(self, environment: Environment) -> None:
        given = np.array([environment.zenith, environment.horizon, environment.ambient])
        self._z = np.linspace(-1.0, 1.0, _SKY_STEPS)
        self._color = np.array([sky.py_func(given, float(z)) for z in self._z])

    def seen(self, directions: Floats) -> Floats:
        """(N, 3) radiance along unit directions (N, 3)."""
        return np.stack([np.interp(directions[:, 2], self._z, self._color[:, c]) for c in range(3)], 1)


def rgb(values: Floats | tuple[float, ...]) -> dict[str, Any]:
    """A colour as Mitsuba's dictionaries have it."""
    return {"type": "rgb", "value": [float(v) for v in values]}
