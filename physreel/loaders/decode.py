"""Bytes of a row back to arrays. Needs no engine and no renderer."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from physreel.values.encodings import PASS_ENCODINGS


def decode_video(data: bytes, *, stride: int = 1, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """An mp4's pictures, (T, H, W, 3) uint8 sRGB.

    Args:
        data: the file.
        stride: keep each so many-th frame, from the first on.
        size: (height, width) to scale to, by area; None as they are.
    """
    import av
    from av.video.reformatter import Interpolation, VideoReformatter

    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1  # small pictures are not worth threads, and loaders have workers
        height, width = size if size is not None else (stream.height, stream.width)
        frames = np.empty((-(-stream.frames // stride), height, width, 3), np.uint8)
        scaler = VideoReformatter()  # one for all: a frame's own would be set up for each frame
        kept = 0
        for number, frame in enumerate(container.decode(stream)):
            if number % stride:
                continue
            plane = scaler.reformat(
                frame, width=width, height=height, format="rgb24", interpolation=Interpolation.AREA if size else None
            ).planes[0]
            if kept == len(frames):  # the file's header tells fewer than there are
                frames = np.concatenate([frames, np.empty_like(frames[:1], shape=(16, *frames.shape[1:]))])
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)
            frames[kept] = rows[:, : 3 * width].reshape(height, width, 3)
            kept += 1
    return frames[:kept]


def decode_audio(data: bytes) -> tuple[NDArray[np.float32], int]:
    """A FLAC file's samples (S, C), full scale ± 1, and their rate in Hz."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return samples, int(rate)


def decode_pass(name: str, data: bytes, frames: int, height: int, width: int) -> NDArray[Any]:
    """A lossless pass: depth (T, H, W) float32 m with inf, segmentation (T, H, W) uint16, normals and flow float32."""
    from physreel.loaders.unpack_kernels import numbers_of_2, values_of_2, values_of_4

    encoding = PASS_ENCODINGS[name]
    itemsize, shape = np.dtype(encoding.dtype).itemsize, encoding.shape(frames, height, width)
    raw = pa.decompress(data, decompressed_size=int(np.prod(shape)) * itemsize, codec="zstd", asbytes=True)
    planes = np.frombuffer(raw, np.uint8).reshape(itemsize, -1)
    whole = name == "segmentation"
    out: NDArray[Any] = np.empty((frames, height * width * encoding.channels), np.uint16 if whole else np.float32)
    if whole:
        numbers_of_2(planes, out)
    elif itemsize == 2:
        values_of_2(planes, encoding.step, out)
    else:
        values_of_4(planes, encoding.step, np.float32(np.inf if name == "depth" else 0.0), out)
    return out.reshape(shape)
