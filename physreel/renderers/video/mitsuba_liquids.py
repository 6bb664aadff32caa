"""Liquids' surfaces as Mitsuba's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from physreel.renderers.video.mitsuba_looks import How, liquid_surface
from physreel.renderers.video.mitsuba_rays import Rays, mesh
from physreel.spec import Light, LiquidLook, SunLight

if TYPE_CHECKING:
    from physreel.renderers.video.liquid_surface import LiquidSurface

Floats = NDArray[np.float64]

_BESIDE_M = 1e-4


def liquid_shape(
    mi: Any, rays: Rays, surface: LiquidSurface, look: LiquidLook, how: How, lights: tuple[Light, ...]
) -> Any:
    """The shape of a liquid; if ``how`` is tinted, light that passes straight through is dimmed by the way inside."""
    name = f"liquid_{surface.fluid}"
    if how != "tinted":
        bsdf = liquid_surface(mi, look, how, None)
        return mesh(mi, name, surface.vertices, surface.faces, normals=surface.normals, bsdf=bsdf)
    bsdf = liquid_surface(mi, look, how, {"type": "mesh_attribute", "name": "vertex_tint"})
    made = mesh(mi, name, surface.vertices, surface.faces, normals=surface.normals, bsdf=bsdf)
    # Half of the loss where light goes in and half where it comes out.
    loss = np.exp(-0.5 * _ways(mi, rays, surface, lights)[:, None] * np.array(look.absorption_per_m))
    made.add_attribute("vertex_tint", 3, np.ascontiguousarray(loss, np.float32).ravel())
    return made


def _ways(mi: Any, rays: Rays, surface: LiquidSurface, lights: tuple[Light, ...]) -> Floats:
    """(V,) how far the brightest lamp's light that meets a vertex has to go, or has gone, through the liquid."""
    vertices = np.asarray(surface.vertices, np.float64)
    if not lights:
        return np.zeros(len(vertices))
    to = _to_brightest(lights, vertices)
    outside = np.einsum("vi,vi->v", to, surface.normals) > 0.0
    to[outside] *= -1.0
    scene = mi.load_dict({"type": "scene", "all": mesh(mi, "all", vertices, surface.faces)})
    time, _, _ = rays.nearest(scene, vertices + _BESIDE_M * to, to)
    return np.where(np.isfinite(time), time + _BESIDE_M, 0.0)


def _to_brightest(lights: tuple[Light, ...], points: Floats) -> Floats:
    """(N, 3) unit vectors from points (N, 3) to the lamp that is brightest in their midst."""
    middle = points.mean(0)

    def brightness(light: Light) -> float:
        if isinstance(light, SunLight):
            return max(light.irradiance)
        return max(light.intensity) / max(float(((np.asarray(light.position_m) - middle) ** 2).sum()), 1e-12)

    best = max(lights, key=brightness)
    if isinstance(best, SunLight):
        return np.tile(-np.asarray(best.direction), (len(points), 1))
    to = np.asarray(best.position_m) - points
    return np.asarray(to / np.linalg.norm(to, axis=1, keepdims=True))
