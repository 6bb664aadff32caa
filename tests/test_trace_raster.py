"""Triangles drawn pixel by pixel beside the same ones met ray by ray, behind the eye and across its plane too."""

from __future__ import annotations

import time

import numpy as np

from physreel.renderers.video.trace_raster import draw

WIDTH, HEIGHT, FOCAL = 40, 24, 30.0
CAMERA = np.array([FOCAL, WIDTH / 2, HEIGHT / 2, 0.0, 0.0, 0.0, *np.eye(3).ravel()])
TILES_X = WIDTH // 8


def drawn(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(H, W) depth of the nearest, 1e30 where there is none."""
    depth, seen = np.full(WIDTH * HEIGHT, 1e30), np.full(WIDTH * HEIGHT, -1, np.int32)
    maps = np.zeros((2, 3, WIDTH * HEIGHT), np.float32)
    flat = np.zeros_like(points)
    draw(points, faces, flat, flat, 1, CAMERA, (WIDTH, HEIGHT), TILES_X, depth, seen, *maps)
    return depth.reshape(HEIGHT // 8, TILES_X, 8, 8).transpose(0, 2, 1, 3).reshape(HEIGHT, WIDTH)


def met(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The same, each ray with each triangle (T. Moeller, B. Trumbore, 1997)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rays = np.stack([(x - WIDTH / 2) / FOCAL, (y - HEIGHT / 2) / FOCAL, np.ones_like(x)], -1)
    best = np.full((HEIGHT, WIDTH), 1e30)
    for a, b, c in points[faces]:
        p = np.cross(rays, c - a)
        scale = p @ (b - a)
        u, q = -(p @ a) / scale, np.cross(-a, b - a)
        v, depth = rays @ q / scale, (c - a) @ q / scale
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (depth >= 1e-4)
        best = np.where(hit & (depth < best), depth, best)
    return best


def test_triangles_before_behind_and_across_the_plane_of_the_eye_are_seen_where_rays_meet_them():
    rng = np.random.default_rng(7)
    points = rng.uniform((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0), (60, 3))
    faces = np.arange(60, dtype=np.int64).reshape(20, 3)
    behind = points[:, 2][faces] < 0
    assert behind.all(1).any()
    assert (behind.any(1) & ~behind.all(1)).sum() > 5
    made, wanted = drawn(points, faces), met(points, faces)
    assert (wanted < 1e30).mean() > 0.5
    assert ((made < 1e30) == (wanted < 1e30)).mean() > 0.998  # rays within rounding of an edge
    both = (made < 1e30) & (wanted < 1e30)
    np.testing.assert_allclose(made[both], wanted[both], rtol=1e-6)


def test_a_puddle_behind_the_eye_costs_next_to_nothing():
    rng = np.random.default_rng(0)
    points = rng.uniform((-1.0, -1.0, -2.0), (1.0, 1.0, -1.0), (30_000, 3))
    faces = np.arange(30_000, dtype=np.int64).reshape(-1, 3)
    before = points * (0.02, 0.02, -1.0)  # each small, in the middle of the picture
    drawn(points[:3], faces[:1])
    seconds = []
    for some in (points, before):
        start = time.perf_counter()
        assert (drawn(some, faces) < 1e30).any() == (some is before)
        seconds.append(time.perf_counter() - start)
    assert seconds[0] < 2 * seconds[1], seconds
