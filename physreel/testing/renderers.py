"""Checks of renderers of picture and sound."""

from __future__ import annotations

import numpy as np

from physreel import registry
from physreel.errors import PhysreelError
from physreel.renderers.audio.base import AudioRenderer
from physreel.renderers.video.base import VideoRenderer
from physreel.testing.report import Report, require, same, untouched_global_rng
from physreel.testing.worlds import small_trajectory, small_world
from physreel.values import PASSES, SAMPLE_RATE_HZ


def check_video_renderer(renderer: str | type[VideoRenderer]) -> tuple[str, ...]:
    """Contracts of a video renderer: the passes asked for, of one geometry, the same bytes each time."""
    renderer_type: type[VideoRenderer] = registry.load("video_renderers", renderer)
    report = Report(f"video renderer {renderer_type.name!r}")
    spec = small_world(cameras=2)
    trajectory = small_trajectory(spec)
    film = renderer_type()
    passes = tuple(name for name in PASSES if name in renderer_type.passes)
    views = []
    with report.check("films a small world from two sides"):
        views = [film.render(spec, trajectory, camera, passes) for camera in spec.cameras]
    if not views:
        return report.done()
    view = views[0]
    with report.check("gives the passes asked for, and no others"):
        require(view.passes == passes, f"asked for {passes}, got {view.passes}")
        for name in passes:
            alone = film.render(spec, trajectory, spec.cameras[0], (name,))
            require(alone.passes == (name,), f"asked for {name} alone, got {alone.passes}")
            require(same(getattr(alone, name), getattr(view, name)), f"{name} alone differs from {name} among all")
    with report.check("gives T frames of the camera's size"):
        for name in passes:
            shape = getattr(view, name).shape[:3]
            want = (spec.frame_count, spec.cameras[0].height, spec.cameras[0].width)
            require(shape == want, f"{name} is {shape}, expected {want}")
    with report.check("gives the same bytes again, and each camera its own view"), untouched_global_rng():
        again = renderer_type().render(spec, trajectory, spec.cameras[0], passes)
        require(same(view, again), "a second film of the same trajectory differs")
        require(not same(getattr(views[0], passes[0]), getattr(views[1], passes[0])), "two cameras see the same")
    with report.check("shows something: neither black nor blank, and it moves"):
        if view.rgb is not None:
            require(
                view.rgb.std() > 4 and 10 < view.rgb.mean() < 245,
                f"mean {view.rgb.mean():.0f}, std {view.rgb.std():.1f}",
            )
            require((view.rgb[0] != view.rgb[spec.frame_count // 2]).any(), "the picture does not change")
    with report.check("keeps depth, segmentation and normals of one mind"):
        if view.depth is not None and view.segmentation is not None:
            background = view.segmentation == 0
            require(np.isinf(view.depth[background]).all(), "background with a finite depth")
            require((np.isfinite(view.depth) | background).all(), "a body at infinite depth")
            require((view.depth[~background] > 0).all(), "depth that is not positive")
        if view.segmentation is not None:
            require(view.segmentation.max() <= len(spec.bodies), "an id beyond the last body")
            require({2, 3} <= set(np.unique(view.segmentation)), "ball or block is never seen")
        if view.normals is not None and view.segmentation is not None:
            length = np.linalg.norm(view.normals, axis=-1)
            require(np.allclose(length[view.segmentation > 0], 1.0, atol=1e-3), "normals are not unit vectors")
    with report.check("refuses a pass it does not know"):
        try:
            film.render(spec, trajectory, spec.cameras[0], ("x-ray",))  # type: ignore[arg-type]
        except PhysreelError:
            pass
        else:
            raise AssertionError("it accepted the pass 'x-ray'")
    return report.done()


def check_audio_renderer(renderer: str | type[AudioRenderer]) -> tuple[str, ...]:
    """Contracts of an audio renderer: exact length, silence without a cause, louder when hit harder, one scale."""
    renderer_type: type[AudioRenderer] = registry.load("audio_renderers", renderer)
    report = Report(f"audio renderer {renderer_type.name!r}")
    spec = small_world()
    trajectory = small_trajectory(spec)
    recorder = renderer_type()
    audio = None
    with report.check("records a small world"):
        audio = recorder.render(spec, trajectory)
    if audio is None:
        return report.done()
    with report.check("gives duration × 48000 samples for each microphone, finite"):
        want = (round(spec.duration_s * SAMPLE_RATE_HZ), len(spec.microphones))
        require(audio.samples.shape == want, f"samples are {audio.samples.shape}, expected {want}")
        require(np.isfinite(audio.samples).all(), "NaN or infinity in the samples")
        require(
            renderer_type().render(spec.model_copy(update={"microphones": ()}), trajectory).samples.shape
            == (want[0], 0),
            "without microphones there must be no channels",
        )
    with report.check("gives the same samples again"), untouched_global_rng():
        require(same(audio, renderer_type().render(spec, trajectory)), "a second recording differs")
    with report.check("is silent before the first contact, and not after"):
        first = int(trajectory.contacts.time_s[0] * SAMPLE_RATE_HZ)
        require(np.abs(audio.samples[: first - 1]).max(initial=0.0) < 1e-4, "sound before anything touched")
        require(np.abs(audio.samples[first:]).max() > 1e-3, "no sound of a steel ball on marble")
    with report.check("is louder when things hit harder, on one scale"):
        harder = small_world(speed_m_s=4.0)
        loud = recorder.render(harder, small_trajectory(harder))
        require(float((loud.samples**2).sum()) > float((audio.samples**2).sum()), "a harder blow is not louder")
        require(loud.pascal_per_unit == audio.pascal_per_unit, "the scale changes from clip to clip")
    return report.done()
