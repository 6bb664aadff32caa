"""A spec as flat arrays for the kernels, and the poses of a frame filled in.

Arrays (P primitives, B bodies, Q hull planes, L lights); world frame, metres:

    prims  (P, 16) centre 0:3, rotation world-to-primitive row by row 3:12, half extents of its own box 12:15, radius of
           the ball about the centre 15 (1e9 for a plane)
    kinds  (P, 6) kind, body, body (its row of looks), first hull plane, number of hull planes, index in ``local``
    planes (Q, 4) outward normal and offset in the primitive's frame; of a vessel two rows for each side of its
           outline, r and z of both ends, then the directions of its smooth normal there (angle from the r axis), its
           part and the wall's thickness
    bodies (B, 16) position 0:3, rotation world-to-body 3:12, centre 12:15 and radius 15 of a ball round all primitives
    spans  (B, 2) first primitive and one past the last; none for a triangle mesh
    looks  (B + fluids, 16) colour 0:3, roughness, metallic, transmission, ior, texture kind (0 none), its colour 8:11,
           scale, offset of its noise 12:15, 1 for planks 15
    lights (L, 8) 0 sun | 1 sphere, direction to it or position 1:4, irradiance or intensity 4:7, tangent of half its
           angle or radius 7
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physreel.errors import UnsupportedError
from physreel.geometry.hulls import hull_faces, hull_planes
from physreel.geometry.profile_meshes import profile_surface
from physreel.geometry.profiles import PROFILES, Profile
from physreel.geometry.rotations import wxyz_to_matrix
from physreel.geometry.vessels import tank_compound, vessel_outline
from physreel.renderers.video import trace_packets as packets
from physreel.renderers.video.visibility import looked_through
from physreel.spec import (
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    Cylinder,
    Ellipsoid,
    Piece,
    Plane,
    SceneSpec,
    Shape,
    Sphere,
    SunLight,
    Tank,
    TriangleMesh,
    Vessel,
)
from physreel.spec.looks import Look

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mesh = tuple[int, TriangleMesh | Profile]

TEXTURES = ("none", "checker", "tiles", "stripes", "wood", "marble", "noise", "speckle")
_UNBOUNDED_M = 1e9
_SMOOTH_RAD, _RIM_RAD = float(np.radians(35.0)), float(np.radians(60.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedScene:
    """What does not change from frame to frame; see the module's table for the arrays.

    Attributes:
        local: (P, 12) rotation primitive-to-body row by row 0:9 and centre in the body's frame 9:12.
        bound: (B, 4) centre in the body's frame and radius of a ball round the body.
        meshes: body index and shape of each body that is drawn as triangles.
        clear: (P,) primitives of vessels and tanks that let light through: 2 if they are looked through to liquid (see
            visibility), 1 if not; 0 all others.
        liquids: (fluids, 8) ior, light lost per metre 1:4, colour 4:7, opacity 7.
        ambient_reach_m: how far bodies darken the ambient light around them.
        sky: (3, 3) zenith, horizon, ambient.
    """

    kinds: Ints
    planes: Floats
    spans: Ints
    looks: Floats
    lights: Floats
    extents: Floats
    local: Floats
    bound: Floats
    clear: NDArray[np.uint8]
    liquids: Floats
    meshes: tuple[Mesh, ...]
    ambient_reach_m: float
    sky: Floats

    @property
    def has_glass(self) -> bool:
        """Whether any body lets light through."""
        return bool((self.looks[:, 5] > 0.0).any())


def pack_scene(spec: SceneSpec) -> PackedScene:
    """Take a spec apart into primitives."""
    kinds: list[tuple[int, ...]] = []
    local: list[Floats] = []
    extents: list[Floats] = []
    planes: list[Floats] = []
    spans, bounds, looks = [], [], []
    meshes: list[Mesh] = []
    clear: list[int] = []
    for i, body in enumerate(spec.bodies):
        first = len(kinds)
        look = body.look or spec.material_of(body).look
        shape = body.shape
        if isinstance(shape, (TriangleMesh, *PROFILES)):
            meshes.append((i, shape))
            points, _ = triangles(shape)
            center = 0.5 * (points.min(0) + points.max(0))
            bounds.append([*center, np.linalg.norm(points - center, axis=1).max()])
        else:
            if isinstance(shape, Tank):
                shape = tank_compound(shape)
            pieces = shape.pieces if isinstance(shape, Compound) else None
            for piece in pieces or (None,):
                _add_piece(shape if piece is None else piece.shape, piece, i, kinds, local, extents, planes)
            bounds.append(_bound(local[first:], extents[first:]))
        spans.append((first, len(kinds)))
        lets_through = isinstance(body.shape, (Vessel, Tank)) and look.transmission > 0.0
        clear += [lets_through + looked_through(body, look)] * (len(kinds) - first)
        looks.append(_look_row(look, isinstance(shape, Plane)))
    fluids = [spec.liquid(fluid.liquid).look for fluid in spec.fluids]
    looks += [_look_row(Look(color=look.color, roughness=0.1), False) for look in fluids]
    sizes = [b[3] for b, body in zip(bounds, spec.bodies, strict=True) if body.motion != "static"]
    reach = float(np.median(sizes)) if sizes else 0.1
    env = spec.environment
    return PackedScene(
        kinds=np.array(kinds, np.int64).reshape(-1, 6),
        planes=np.vstack([*planes, np.zeros((1, 4))]),
        spans=np.array(spans, np.int64),
        looks=np.array(looks),
        lights=np.array([_light_row(light) for light in spec.lights]).reshape(-1, 8),
        extents=np.array(extents).reshape(-1, 4),
        local=np.array(local).reshape(-1, 12),
        bound=np.array(bounds, np.float64),
        clear=np.array(clear, np.uint8),
        liquids=np.array(
            [[look.ior, *look.absorption_per_m, *look.color, look.opacity] for look in fluids], np.float64
        ).reshape(-1, 8),
        meshes=tuple(meshes),
        ambient_reach_m=reach,
        sky=np.array([env.zenith, env.horizon, env.ambient]),
    )


def triangles(shape: TriangleMesh | Profile) -> tuple[Floats, Ints]:
    """Vertices (V, 3) and triangles (F, 3) of a shape that is drawn as triangles."""
    if isinstance(shape, TriangleMesh):
        return np.asarray(shape.vertices_m, np.float64), np.asarray(shape.faces, np.int64)
    return profile_surface(shape)


def _add_piece(
    shape: Shape,
    piece: Piece | None,
    body: int,
    kinds: list[tuple[int, ...]],
    local: list[Floats],
    extents: list[Floats],
    planes: list[Floats],
) -> None:
    start = sum(len(p) for p in planes)
    count = 0
    offset, vertices = np.zeros(3), np.zeros((1, 3))
    match shape:
        case Plane():
            kind, half = packets.PLANE, np.ones(3)
        case Sphere(radius_m=r):
            kind, half = packets.SPHERE, np.full(3, r)
        case Ellipsoid(radii_m=radii):
            kind, half = packets.ELLIPSOID, np.array(radii)
        case Box(size_m=size):
            kind, half = packets.BOX, np.array(size) / 2
        case Cylinder(radius_m=r, height_m=h):
            kind, half = packets.CYLINDER, np.array([r, r, h / 2])
        case Capsule(radius_m=r, length_m=h):
            kind, half = packets.CAPSULE, np.array([r, r, r + h / 2])
        case Cone(radius_m=r, height_m=h):
            kind, half = packets.CONE, np.array([r, r, h / 2])
        case ConvexHull():
            vertices, _ = hull_faces(shape)
            # Its own box is centred, so that the ball about it is small.
            offset = 0.5 * (vertices.min(0) + vertices.max(0))
            kind, half = packets.HULL, 0.5 * np.ptp(vertices, axis=0)
            faces = hull_planes(shape).copy()
            faces[:, 3] -= faces[:, :3] @ offset
            planes.append(faces)
            count = len(faces)
        case Vessel():
            sides = outline_rows(shape)
            offset = np.array([0.0, 0.0, 0.5 * shape.rim_z_m])
            sides[::2, 1::2] -= offset[2]
            reach = float(sides[::2, 0].max())
            kind, half = packets.VESSEL, np.array([reach, reach, offset[2]])
            planes.append(sides)
            count = len(sides)
        case _:
            raise UnsupportedError(f"raytrace cannot show a {shape.kind} as one piece")
    if kind == packets.PLANE:
        radius = _UNBOUNDED_M
    elif kind == packets.HULL:
        radius = float(np.linalg.norm(vertices - offset, axis=1).max())
    elif kind in (packets.BOX,):
        radius = float(np.linalg.norm(half))
    elif kind in (packets.CYLINDER, packets.CONE, packets.VESSEL):
        radius = float(np.hypot(half[0], half[2]))
    else:
        radius = float(half.max())
    rotation = np.eye(3) if piece is None else wxyz_to_matrix(piece.orientation_wxyz)
    place = np.zeros(3) if piece is None else np.array(piece.position_m)
    kinds.append((kind, body, body, start, count, len(local)))
    local.append(np.concatenate([rotation.ravel(), place + rotation @ offset]))
    extents.append(np.array([*half, radius]))


def outline_rows(vessel: Vessel) -> Floats:
    """(2 n, 4) the rows of ``planes`` for a vessel's outline, in its own frame; sides on the axis are left out.

    Where the outline bends by less than 35 degrees it stands for a curve, and normals turn along it; the rim is round.
    """
    points = vessel_outline(vessel)
    ends = np.roll(points, -1, axis=0)
    step = ends - points
    kept = (np.hypot(*step.T) > 1e-12) & ((points[:, 0] > 1e-12) | (ends[:, 0] > 1e-12))
    angle = np.arctan2(-step[:, 0], step[:, 1])  # of the outward normal (h, -s)
    rows, part = [], -1
    before = int(np.flatnonzero(kept)[-1])
    for k in np.flatnonzero(kept):
        after = int(np.flatnonzero(np.roll(kept, -k - 1))[0] + k + 1) % len(points)
        bend_in, bend_out = (_turn(angle[i] - angle[j]) for i, j in ((before, k), (after, k)))
        joined_in, joined_out = abs(bend_in) < _SMOOTH_RAD, abs(bend_out) < _SMOOTH_RAD
        if part < 0 or not joined_in:
            part += 1
        if step[k, 1] == 0.0 and points[k, 1] == vessel.rim_z_m:
            first, last = angle[k] - _RIM_RAD, angle[k] + _RIM_RAD
        else:
            first = angle[k] + 0.5 * bend_in * joined_in
            last = angle[k] + 0.5 * bend_out * joined_out
        rows += [[*points[k], *ends[k]], [first, last, float(part), vessel.wall_m]]
        before = int(k)
    return np.array(rows)


def _turn(angle: float) -> float:
    return float((angle + np.pi) % (2.0 * np.pi) - np.pi)


def _bound(local: list[Floats], extents: list[Floats]) -> list[float]:
    centers = np.array([row[9:12] for row in local])
    radii = np.array([row[3] for row in extents])
    if radii.max() >= _UNBOUNDED_M:
        return [0.0, 0.0, 0.0, _UNBOUNDED_M]
    low, high = (centers - radii[:, None]).min(0), (centers + radii[:, None]).max(0)
    middle = centers[0] if len(centers) == 1 else 0.5 * (low + high)
    return [*middle, float((np.linalg.norm(centers - middle, axis=1) + radii).max())]


def _look_row(look: Look, is_plane: bool) -> list[float]:
    row = [*look.color, look.roughness, look.metallic, look.transmission, look.ior]
    if look.texture is None:
        return [*row, 0.0, *look.color, 1.0, 0.0, 0.0, 0.0, 0.0]
    texture = look.texture
    # Places in the noise from the seed: three numbers below 64, the noise's period.
    offsets = [((texture.seed * a + b) % 65521) / 1024.0 for a, b in ((40503, 7), (30011, 4001), (52711, 911))]
    planks = 1.0 if is_plane and texture.kind == "wood" else 0.0
    return [*row, float(TEXTURES.index(texture.kind)), *texture.color, texture.scale_m, *offsets, planks]


def _light_row(light: object) -> list[float]:
    if isinstance(light, SunLight):
        half = np.tan(np.radians(light.angular_diameter_deg) / 2)
        return [0.0, *(-c for c in light.direction), *light.irradiance, float(half)]
    return [1.0, *light.position_m, *light.intensity, light.radius_m]  # type: ignore[attr-defined]


def place(scene: PackedScene, poses: Floats) -> tuple[Floats, Floats]:
    """``prims`` and ``bodies`` of all frames at once.

    Args:
        scene: the packed scene.
        poses: (T, B, 7) position and orientation wxyz.

    Returns:
        (T, P, 16) and (T, B, 16).
    """
    frames = len(poses)
    rotation = wxyz_to_matrix(poses[..., 3:])  # body to world
    position = poses[..., :3]
    bodies = np.empty((frames, poses.shape[1], 16))
    bodies[..., 0:3] = position
    bodies[..., 3:12] = np.swapaxes(rotation, -1, -2).reshape(*rotation.shape[:-2], 9)
    bodies[..., 12:15] = position + np.einsum("tbij,bj->tbi", rotation, scene.bound[:, :3])
    bodies[..., 15] = scene.bound[:, 3]
    owner = scene.kinds[:, 1]
    to_body = scene.local[:, :9].reshape(-1, 3, 3)
    prims = np.empty((frames, len(owner), 16))
    prims[..., 0:3] = position[:, owner] + np.einsum("tpij,pj->tpi", rotation[:, owner], scene.local[:, 9:12])
    to_world = np.einsum("tpij,pjk->tpik", rotation[:, owner], to_body)
    prims[..., 3:12] = np.swapaxes(to_world, -1, -2).reshape(frames, len(owner), 9)
    prims[..., 12:16] = scene.extents
    return prims, bodies


def mesh_boxes(scene: PackedScene, bodies: Floats) -> Floats:
    """(T, meshes, 16) as ``prims``: the box around each mesh, along its body's axes, for bodies (T, B, 16)."""
    out = np.empty((len(bodies), len(scene.meshes), 16))
    for n, (body, shape) in enumerate(scene.meshes):
        points, _ = triangles(shape)
        half = 0.5 * np.ptp(points, axis=0)
        out[:, n, :12] = bodies[:, body, :12]
        out[:, n, :3] = bodies[:, body, 12:15]
        out[:, n, 12:] = [*half, float(np.linalg.norm(half))]
    return out


def mesh_kinds(scene: PackedScene) -> Ints:
    """(meshes, 6) as ``kinds``, of these boxes."""
    return np.array([[packets.BOX, body, body, 0, 0, 0] for body, _ in scene.meshes], np.int64).reshape(-1, 6)
