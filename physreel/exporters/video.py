"""H.264 and AAC in mp4: the video for eyes."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.values import SAMPLE_RATE_HZ

_PRESET, _QUALITY, _AUDIO_BIT_RATE = "veryfast", "20", 128_000
_BLOCK = 1024


def encode_mp4(frames: NDArray[np.uint8], fps: int, samples: NDArray[np.float32] | None = None) -> bytes:
    """(T, H, W, 3) sRGB frames and (S, C) samples (C 1 or 2 are used) as an mp4 file; the same bytes each time."""
    import av

    out = io.BytesIO()
    # bitexact: no version strings or times
    with av.open(out, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        video = _video_stream(container, frames, fps)
        sound = None
        if samples is not None and samples.shape[1]:
            sound = container.add_stream(
                "aac", rate=SAMPLE_RATE_HZ, layout="stereo" if samples.shape[1] > 1 else "mono"
            )
            sound.bit_rate = _AUDIO_BIT_RATE
            sound.codec_context.thread_count = 1
            sound.codec_context.flags |= av.codec.context.Flags.bitexact
        for packet in _video_packets(video, frames):
            container.mux(packet)
        if sound is not None and samples is not None:
            for packet in _audio_packets(sound, samples):
                container.mux(packet)
    return out.getvalue()


def _video_stream(container: Any, frames: NDArray[np.uint8], fps: int) -> Any:
    import av

    height, width = frames.shape[1:3]
    stream = container.add_stream("libx264", rate=fps)
    stream.width, stream.height = width, height
    # 4:2:0 needs even sides.
    stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    # The macroblock tree's vector code reads behind its rows: with it the bytes depend on what lay in memory before.
    stream.options = {"preset": _PRESET, "crf": _QUALITY, "x264-params": "threads=1:lookahead-threads=1:no-mbtree=1"}
    context = stream.codec_context
    context.thread_count = 1
    context.time_base = Fraction(1, fps)
    context.flags |= av.codec.context.Flags.bitexact
    # sRGB primaries and BT.709 matrix, said so in the file, or players guess.
    context.color_primaries = context.color_trc = context.colorspace = 1
    context.color_range = 1
    return stream


def _video_packets(stream: Any, frames: NDArray[np.uint8]) -> Any:
    import av
    from av.video.reformatter import ColorRange, Colorspace

    for k, picture in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(
            format=stream.pix_fmt,
            src_colorspace=Colorspace.DEFAULT,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts = k
        frame.time_base = stream.codec_context.time_base
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _audio_packets(stream: Any, samples: NDArray[np.float32]) -> Any:
    import av

    # Whole blocks only: what the encoder finds behind a short last one is not ours.
    missing = -len(samples) % _BLOCK
    channels = np.ascontiguousarray(np.clip(np.pad(samples[:, :2], ((0, missing), (0, 0))), -1.0, 1.0).T)
    for at in range(0, channels.shape[1], _BLOCK):
        block = np.ascontiguousarray(channels[:, at : at + _BLOCK])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.codec_context.layout.name)
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts = at
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        yield from stream.encode(frame)
    yield from stream.encode(None)
