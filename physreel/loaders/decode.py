"""Bytes of a row back to arrays. Needs no engine and no renderer."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from physreel.values.encodings import PASS_ENCODINGS


def decode_video(data: bytes) -> NDArray[np.uint8]:
    """An mp4's pictures, (T, H, W, 3) uint8 sRGB."""
    import av

    with av.open(io.BytesIO(data), "r") as container:
        frames = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]
    return np.stack(frames)


def decode_audio(data: bytes) -> tuple[NDArray[np.float32], int]:
    """A FLAC file's samples (S, C), full scale ± 1, and their rate in Hz."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return samples, int(rate)


def decode_pass(name: str, data: bytes, frames: int, height: int, width: int) -> NDArray[Any]:
    """A lossless pass: depth (T, H, W) float32 m with inf, segmentation (T, H, W) uint16, normals and flow float32."""
    encoding = PASS_ENCODINGS[name]
    dtype, shape = np.dtype(encoding.dtype), encoding.shape(frames, height, width)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = pa.decompress(data, decompressed_size=size, codec="zstd", asbytes=True)
    planes = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, -1)
    whole = np.ascontiguousarray(planes.T).view(dtype).reshape(shape)
    whole = np.cumsum(whole, axis=0, dtype=dtype)
    if name == "segmentation":
        return whole
    values = (whole * encoding.step).astype(np.float32)
    if name == "depth":
        values[whole == 0] = np.inf
    return values
