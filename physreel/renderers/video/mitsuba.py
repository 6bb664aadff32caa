"""The renderer for quality over speed: light traced from surface to surface by Mitsuba 3.

See docs/rendering.md. Stages: ``mitsuba_world`` (the spec as meshes), ``mitsuba_passes`` (what is seen),
``mitsuba_light`` (the picture), ``mitsuba_clear`` (glass and liquids); looks and shapes in ``mitsuba_looks`` and
``mitsuba_shapes``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from physreel.errors import MissingDependencyError, UnsupportedError
from physreel.renderers.video.base import VideoRenderer
from physreel.spec import Camera, SceneSpec
from physreel.values import PASSES, Trajectory, View
from physreel.values.clip import PassName

LightMode = Literal["path", "direct"]
# The variant that runs everywhere. Those that compile (LLVM) do so anew for each frame's scene, which costs more.
_VARIANT = "scalar_rgb"


class MitsubaRenderer(VideoRenderer):
    """Films a trajectory by path tracing; every pass of the contract.

    Args:
        samples: of each pixel of the picture; twice as many halve the variance of its grain.
        depth: how many surfaces a path of light may meet, the lamp included.
        light: ``path``: light goes from surface to surface. ``direct``: it comes from lamps and the ambient sky alone,
            as for the renderer 'raytrace'.
        threads: how many Mitsuba uses; the picture is the same for any number.

    Raises:
        MissingDependencyError: Mitsuba is not installed.
    """

    name: ClassVar[str] = "mitsuba"

    def __init__(
        self,
        *,
        samples: int = 32,
        depth: int = 6,
        light: LightMode = "path",
        threads: int = 1,
    ) -> None:
        problems = []
        if not 1 <= samples <= 65536:
            problems.append(f"samples is {samples}; it must be from 1 to 65536")
        if not 2 <= depth <= 64:
            problems.append(f"depth is {depth}; it must be from 2 (one surface and the lamp) to 64")
        if light not in get_args(LightMode):
            problems.append(f"light is {light!r}; it must be 'path' or 'direct'")
        if threads < 1:
            problems.append(f"threads is {threads}; it must be at least 1")
        if problems:
            raise UnsupportedError("\n".join(problems))
        # Now, not in the first film: worlds would be simulated in vain.
        lacking = [name for name in ("mitsuba", "drjit") if importlib.util.find_spec(name) is None]
        if lacking:
            raise _missing(f"{' and '.join(lacking)} not installed")
        self.samples, self.depth, self.light = samples, depth, light
        self.threads = threads

    def render(
        self, spec: SceneSpec, trajectory: Trajectory, camera: Camera, passes: Collection[PassName] = PASSES
    ) -> View:
        """Film all frames with one camera; see VideoRenderer.render."""
        self.require_passes(passes)
        with _mitsuba(self.threads) as mi:
            return self._film(mi, spec, trajectory, camera, frozenset(passes))

    def _film(
        self, mi: Any, spec: SceneSpec, trajectory: Trajectory, camera: Camera, wanted: frozenset[PassName]
    ) -> View:
        from physreel.renderers.video.mitsuba_light import Quality
        from physreel.renderers.video.mitsuba_passes import Lens, exact_passes, first_hits
        from physreel.renderers.video.mitsuba_picture import Painter
        from physreel.renderers.video.mitsuba_rays import Rays
        from physreel.renderers.video.mitsuba_world import World
        from physreel.renderers.video.trace_finish import TONE_STEPS, tone_table

        frames, size = trajectory.frame_count, (camera.height, camera.width)
        views = np.stack([camera.camera_to_world(k / spec.fps) for k in range(frames + 1)])
        rays, lens, tone = Rays(mi), Lens(camera, views), tone_table()
        world = World(mi, rays, spec, trajectory, camera)
        quality = Quality(samples=self.samples, depth=self.depth, light=self.light)
        painter = Painter(mi, world, lens, rays, quality) if "rgb" in wanted else None
        made: dict[str, list[NDArray[Any]]] = {name: [] for name in wanted}
        for frame in range(frames):
            stage = world.stage(frame)
            bare = world.bare_scene(stage)
            eye, directions = lens.pixel_rays(frame)
            seen, counted = first_hits(world, stage, rays, bare, eye, directions)
            for name, picture in exact_passes(world, lens, frame, counted, directions, wanted).items():
                made[name].append(picture.reshape(*size, *picture.shape[1:]))
            if painter is not None:
                linear = painter.picture(stage, bare, seen)
                made["rgb"].append(tone[np.clip(4096.0 * linear + 0.5, 0, TONE_STEPS).astype(np.int64)])
        return View(
            camera=camera.name,
            intrinsics=camera.intrinsics(),
            camera_to_world=views[:frames],
            **{name: np.stack(pictures) for name, pictures in made.items()},
        )


@contextmanager
def _mitsuba(threads: int) -> Iterator[Any]:
    """Mitsuba with a variant and a number of threads set, and both as they were afterwards."""
    try:
        import drjit
        import mitsuba
    except ImportError as error:
        raise _missing(str(error)) from None
    variant, count = mitsuba.variant(), drjit.thread_count()
    mitsuba.set_variant(_VARIANT)
    drjit.set_thread_count(threads)
    try:
        yield mitsuba
    finally:
        drjit.set_thread_count(count)
        if variant is not None:
            mitsuba.set_variant(variant)


def _missing(why: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"the renderer 'mitsuba' needs Mitsuba 3, which cannot be imported ({why}); "
        "pip install 'physreel[mitsuba]', or use the renderer 'raytrace', which needs nothing more"
    )
