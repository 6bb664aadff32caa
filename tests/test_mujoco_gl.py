"""MuJoCo's GL renderer against the ray tracer, and its message where there is no GL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_raytrace import CAMERA, MOVING, SHAPES, busy_world, spun

from physreel.errors import MissingDependencyError, UnsupportedError
from physreel.renderers.video import mujoco_gl
from physreel.renderers.video.mujoco_gl import MujocoGLRenderer
from physreel.renderers.video.raytrace import RaytraceRenderer


def gl_view(**more: object):  # type: ignore[no-untyped-def]
    spec = busy_world(frames=2)
    try:
        return spec, MujocoGLRenderer().render(spec, spun(spec), more.pop("camera", CAMERA), **more)  # type: ignore[arg-type]
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("camera", [CAMERA, MOVING], ids=["still", "moving"])
def test_depth_and_segmentation_agree_with_the_ray_tracer(camera: object) -> None:
    spec, view = gl_view(camera=camera)
    exact = RaytraceRenderer().render(spec, spun(spec), camera, ("depth", "segmentation"))  # type: ignore[arg-type]
    same = view.segmentation == exact.segmentation
    assert same.mean() > 0.985
    assert len(np.unique(view.segmentation)) >= len(SHAPES)
    # Away from edges, where a pixel and its neighbours are one body.
    inner = same.copy()
    for axis in (1, 2):
        for step in (-1, 1):
            inner &= np.roll(exact.segmentation, step, axis) == exact.segmentation
    inner &= np.isfinite(exact.depth) & (exact.depth < 20.0)
    error = np.abs(view.depth - exact.depth)[inner] / exact.depth[inner]
    assert np.quantile(error, 0.99) < 3e-3
    assert np.isinf(view.depth[view.segmentation == 0]).all()


def test_gives_the_passes_asked_for_and_the_same_again() -> None:
    _, view = gl_view(passes=("rgb",))
    assert view.passes == ("rgb",)
    assert view.rgb.std() > 10
    _, again = gl_view(passes=("rgb", "depth"))
    np.testing.assert_array_equal(view.rgb, again.rgb)


def test_refuses_passes_it_cannot_make_and_names_who_can() -> None:
    spec = busy_world(frames=1)
    with pytest.raises(UnsupportedError, match="raytrace"):
        MujocoGLRenderer().render(spec, spun(spec), CAMERA, ("flow",))


def test_says_what_to_install_where_no_gl_library_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = busy_world(frames=1)
    monkeypatch.setattr(mujoco_gl, "_loads", lambda backend: False)
    for asked in ("", "egl", "osmesa"):
        monkeypatch.setenv("MUJOCO_GL", asked)
        with pytest.raises(MissingDependencyError, match=r"raytrace.*neither GL nor GPU"):
            MujocoGLRenderer().render(spec, spun(spec), CAMERA)


def test_says_what_to_install_where_no_context_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    import mujoco

    def broken(*_: object) -> None:
        raise RuntimeError("no display")

    monkeypatch.setattr(mujoco, "Renderer", broken)
    spec = busy_world(frames=1)
    with pytest.raises(MissingDependencyError, match=r"no display.*apt"):
        MujocoGLRenderer().render(spec, spun(spec), CAMERA)


def test_works_after_mujoco_was_imported_without_a_backend() -> None:
    gl_view(passes=("rgb",))  # skips where there is no GL at all
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import warnings; warnings.simplefilter('ignore')\n"
        "import mujoco; mujoco.MjModel.from_xml_string('<mujoco/>')\n"
        "from test_mujoco_gl import *\n"
        "print(gl_view(passes=('depth',))[1].passes)"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == "('depth',)"
