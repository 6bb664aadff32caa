"""What can be told of a clip's picture and sound at a few places: cheap enough for every clip of a data set."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TILES = 16
"""Pictures are kept as this many by this many means of red, green and blue."""

_MOVES = 20
"""Steps of brightness, of 255, that coding alone does not make."""

_QUIET_PA = 2e-4
"""20 dB over the threshold of hearing: below it a clip is silent."""

_FULL_SCALE = 0.9999
_REFERENCE_PA = 2e-5
_WINDOW_S = 0.05


@dataclass(frozen=True)
class Picture:
    """Of a clip's first, middle and last frame.

    Attributes:
        frame_count: frames in the file.
        width, height: pixels.
        tiles: (3, TILES, TILES, 3) uint8.
        colors: (3, 9): mean and deviation of each channel; 5th, 50th and 95th percentile of brightness.
        black: all three frames are black.
        white: all three frames are white.
        still: no frame of the clip differs from its first.
    """

    frame_count: int
    width: int
    height: int
    tiles: NDArray[np.uint8]
    colors: NDArray[np.float32]
    black: bool
    white: bool
    still: bool


def look_at(data: bytes) -> Picture:
    """Decode what is needed of an mp4. ValueError where it is none, or holds no frame."""
    import av

    try:
        count, chosen = _frames(data)
        shrunk = [frame.reformat(TILES, TILES, "rgb24", interpolation="AREA").to_ndarray() for frame in chosen]
        tiles = np.stack(shrunk).astype(np.uint8)
        lights = [_brightness(frame) for frame in chosen]
        still = not any(_differ(lights[0], other) for other in lights[1:]) and not _moves(data)
    except av.FFmpegError as error:
        raise ValueError(f"the file cannot be decoded: {error}") from None
    levels = [np.percentile(light[::2, ::2], (1, 5, 50, 95, 99)) for light in lights]
    return Picture(
        frame_count=count,
        width=chosen[0].width,
        height=chosen[0].height,
        tiles=tiles,
        colors=np.stack([_colors(one, level) for one, level in zip(tiles, levels, strict=True)]),
        # Black and white of video lie at 16 and 235.
        black=all(level[-1] <= 20 for level in levels),
        white=all(level[0] >= 232 for level in levels),
        still=still,
    )


def _frames(data: bytes) -> tuple[int, list[Any]]:
    """How many frames there are; the first, a middle and the last. Others that no frame refers to are not decoded."""
    import av

    count, first, middle, last = 0, None, None, None
    with av.open(io.BytesIO(data), "r") as container:
        if not container.streams.video:
            raise ValueError("the file has no picture")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.skip_frame = "NONREF"
        half = (stream.start_time or 0) + (stream.duration or 0) // 2
        for packet in container.demux(stream):
            count += packet.size > 0
            for frame in packet.decode():
                first = first or frame
                if middle is None and frame.pts is not None and frame.pts >= half:
                    middle = frame
                last = frame
    if first is None:
        raise ValueError("the file has no frame")
    return count, [first, middle or last, last]


def _moves(data: bytes) -> bool:
    """Whether any frame differs from the first; looks at all, in colour."""
    import av

    first: NDArray[np.uint8] | None = None
    with av.open(io.BytesIO(data), "r") as container:
        for frame in container.decode(video=0):
            picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            if first is None:
                first = picture
            elif _differ(first, picture):
                return True
    return False


def _differ(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    return bool(np.abs(one.astype(np.int16) - other).max() > _MOVES)


def _brightness(frame: Any) -> NDArray[np.uint8]:
    if frame.format.name in ("yuv420p", "yuv444p"):
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        return rows[:, : plane.width]
    return np.asarray(frame.to_ndarray(format="gray"), np.uint8)


def _colors(tiles: NDArray[np.uint8], level: NDArray[np.float64]) -> NDArray[np.float32]:
    flat = tiles.reshape(-1, 3).astype(np.float64)
    return np.concatenate([flat.mean(0), flat.std(0), level[1:4]]).astype(np.float32)


@dataclass(frozen=True)
class Sound:
    """Of a clip's sound.

    Attributes:
        sample_count: samples a channel.
        rate_hz: samples a second.
        loudest_pa: greatest root mean square of 50 ms.
        cut_share: share of samples at full scale.
        finite: whether all samples are numbers.
        envelope: statistics of the level over time, dB: mean, deviation, the 10th, 50th and 90th percentile, greatest,
            peak, then the means of the clip's thirds, and how much the level changes from window to window.
    """

    sample_count: int
    rate_hz: int
    loudest_pa: float
    cut_share: float
    finite: bool
    envelope: NDArray[np.float32]

    @property
    def silent(self) -> bool:
        """Whether nobody would hear anything."""
        return self.loudest_pa < _QUIET_PA


def listen_to(data: bytes, pascal_per_unit: float) -> Sound:
    """Decode a sound file. ValueError where it is none."""
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"the sound cannot be decoded: {error}") from None
    finite = bool(np.isfinite(samples).all())
    samples = samples if finite else np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    size = max(1, int(rate * _WINDOW_S))
    square = np.einsum("sc,sc->s", samples, samples) / max(samples.shape[1], 1)
    whole = len(square) // size * size
    windows = square[:whole].reshape(-1, size).mean(1) if whole else np.array([square.mean() if len(square) else 0.0])
    loudness = np.sqrt(windows) * pascal_per_unit
    peak = float(np.abs(samples).max(initial=0.0)) * pascal_per_unit
    level = 20.0 * np.log10(np.maximum(loudness, _REFERENCE_PA) / _REFERENCE_PA)
    thirds = [float(part.mean()) if len(part) else float(level.mean()) for part in np.array_split(level, 3)]
    steps = float(np.abs(np.diff(level)).mean()) if len(level) > 1 else 0.0
    statistics = [level.mean(), level.std(), *np.percentile(level, (10, 50, 90)), level.max(),
                  20.0 * np.log10(max(peak, _REFERENCE_PA) / _REFERENCE_PA), *thirds, steps]  # fmt: skip
    return Sound(
        sample_count=len(samples),
        rate_hz=int(rate),
        loudest_pa=float(loudness.max()),
        cut_share=float((np.abs(samples) >= _FULL_SCALE).mean()) if samples.size else 0.0,
        finite=finite,
        envelope=np.array(statistics, np.float32),
    )
