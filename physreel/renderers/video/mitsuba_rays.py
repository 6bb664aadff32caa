"""Arrays handed to Mitsuba: meshes, and rays to ask what they meet and how bright it is.

In its scalar variants rays are asked about one by one, which costs two or three microseconds a ray.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Rays:
    """Questions to scenes.

    Args:
        mi: Mitsuba with a scalar variant set.
    """

    def __init__(self, mi: Any) -> None:
        self._mi = mi
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
        rows: list[float] = []
        ray, meet, add = self._mi.Ray3f, scene.ray_intersect_preliminary, rows.extend
        for ox, oy, oz, dx, dy, dz in _columns(np.broadcast_to(origins, directions.shape), directions):
            hit = meet(ray((ox, oy, oz), (dx, dy, dz)), False)
            add((hit.t, hit.prim_index, *hit.prim_uv))
        out = np.array(rows).reshape(len(directions), 4)
        return out[:, 0], out[:, 1].astype(np.int64), out[:, 2:]

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
        if not takes:
            return np.zeros(directions.shape)
        sampler, nothing = self._sampler, tuple(miss)
        sampler.seed(seed)
        rows: list[float] = []
        ray, add = self._mi.RayDifferential3f, rows.extend
        asked = [(integrator.sample, scene) for scene, integrator in takes]
        for ox, oy, oz, dx, dy, dz in _columns(origins, directions):
            along = ray((ox, oy, oz), (dx, dy, dz))
            for sample, scene in asked:
                color, valid, _ = sample(scene, sampler, along)
                add(color if valid else nothing)
        return np.asarray(np.array(rows).reshape(len(directions), len(takes), 3).sum(1))


def _columns(origins: Floats, directions: Floats) -> Iterator[tuple[float, ...]]:
    # By the column: a list for each ray would keep Python's garbage collector busy.
    return zip(*(column.tolist() for column in (*origins.T, *directions.T)), strict=True)


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
