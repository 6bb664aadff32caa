"""Arrays handed to Mitsuba: meshes, and rays to ask what they meet and how bright it is.

In scalar variants rays are asked about one by one, which costs about two microseconds a ray; in the others at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Rays:
    """Questions to scenes of the variant that is set.

    Args:
        mi: Mitsuba with a variant set.
    """

    def __init__(self, mi: Any) -> None:
        self._mi = mi
        self._scalar = mi.variant().startswith("scalar")
        self._sampler = mi.load_dict({"type": "independent"})

    def nearest(self, scene: Any, origins: Floats, directions: Floats) -> tuple[Floats, Ints, Floats]:
        """What N rays meet first in a scene of one mesh.

        Args:
            scene: a Mitsuba scene.
            origins: (N, 3) or (3,) metres.
            directions: (N, 3) unit vectors.

        Returns:
            (N,) distance, inf where nothing is met; (N,) number of the triangle; (N, 2) weights of its second and third
            corner there.
        """
        mi, count = self._mi, len(directions)
        origins = np.broadcast_to(origins, directions.shape)
        if self._scalar:
            rows: list[float] = []
            ray, meet, add = mi.Ray3f, scene.ray_intersect_preliminary, rows.extend
            for ox, oy, oz, dx, dy, dz in _columns(origins, directions):
                hit = meet(ray((ox, oy, oz), (dx, dy, dz)), False)
                add((hit.t, hit.prim_index, *hit.prim_uv))
            out = np.array(rows).reshape(count, 4)
            return out[:, 0], out[:, 1].astype(np.int64), out[:, 2:]
        hit = scene.ray_intersect_preliminary(mi.Ray3f(_points(mi, origins), _points(mi, directions)), False)
        found = np.array(hit.is_valid())
        time = np.where(found, np.array(hit.t, np.float64), np.inf)
        prim = np.where(found, np.array(hit.prim_index, np.int64), 0)
        return time, prim, np.array(hit.prim_uv, np.float64).T

    def light(
        self, takes: list[tuple[Any, Any]], origins: Floats, directions: Floats, seed: int,
        miss: Floats | tuple[float, ...] = (0.0, 0.0, 0.0),
    ) -> Floats:  # fmt: skip
        """(N, 3) radiance that comes along N rays, the sum of one sample of each take.

        Args:
            takes: scenes and the integrators to follow light in them by.
            origins: (N, 3) metres.
            directions: (N, 3) unit vectors.
            seed: of the samples.
            miss: what a take gives where it meets nothing.
        """
        mi, count, sampler = self._mi, len(directions), self._sampler
        out = np.zeros((count, 3))
        if count == 0 or not takes:
            return out
        asked = [(integrator.sample, scene) for scene, integrator in takes]
        if self._scalar:
            sampler.seed(seed)
            rows: list[float] = []
            ray, add, nothing = mi.RayDifferential3f, rows.extend, tuple(miss)
            for ox, oy, oz, dx, dy, dz in _columns(origins, directions):
                along = ray((ox, oy, oz), (dx, dy, dz))
                for sample, scene in asked:
                    color, valid, _ = sample(scene, sampler, along)
                    add(color if valid else nothing)
            return np.asarray(np.array(rows).reshape(count, len(takes), 3).sum(1))
        sampler.seed(seed, count)
        along = mi.RayDifferential3f(_points(mi, origins), _points(mi, directions))
        for sample, scene in asked:
            color, valid, _ = sample(scene, sampler, along)
            out += np.where(np.array(valid)[:, None], np.array(color, np.float64).T, miss)
        return out


def _columns(origins: Floats, directions: Floats) -> Iterator[tuple[float, ...]]:
    # By the column: a list for each ray would keep Python's garbage collector busy.
    return zip(*(column.tolist() for column in (*origins.T, *directions.T)), strict=True)


def _points(mi: Any, values: Floats) -> Any:
    return mi.Point3f(*(mi.Float(np.ascontiguousarray(column, np.float32)) for column in values.T))


def mesh(
    mi: Any, name: str, vertices: NDArray[Any], faces: NDArray[Any], *, normals: NDArray[Any] | None = None,
    uv: Floats | None = None,
    bsdf: Any = None,
) -> Any:  # fmt: skip
    """A shape of Mitsuba's from vertices (V, 3) and faces (F, 3), with normals (V, 3) and ``uv`` (V, 2) or none."""
    props = mi.Properties()
    if bsdf is not None:
        props["bsdf"] = bsdf
    made = mi.Mesh(
        name, len(vertices), len(faces), has_vertex_normals=normals is not None, has_vertex_texcoords=uv is not None,
        props=props,
    )  # fmt: skip
    values = mi.traverse(made)
    values["vertex_positions"] = np.ascontiguousarray(vertices, np.float32).ravel()
    values["faces"] = np.ascontiguousarray(faces, np.uint32).ravel()
    if normals is not None:
        values["vertex_normals"] = np.ascontiguousarray(normals, np.float32).ravel()
    if uv is not None:
        values["vertex_texcoords"] = np.ascontiguousarray(uv, np.float32).ravel()
    values.update()
    return made
