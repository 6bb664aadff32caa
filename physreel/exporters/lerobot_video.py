"""Clips of one camera one after another in mp4 files, their H.264 frames as they are."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import InputError
from physreel.exporters.lerobot_files import VIDEO_FILE_BYTES, FileNumbers

_COUNTED = 16
_LONGEST_S = 900.0
"""LeRobot compares times within 1e-4 s as 32-bit numbers, which from 1024 s on are further apart than that."""


class VideoTrack:
    """Writes the clips of one camera; a file is full at 200 MB or 15 minutes."""

    def __init__(self, key: str, fps: int, folder: Path) -> None:
        self.key, self.fps, self.folder = key, fps, folder
        self.numbers = FileNumbers(f"videos/{key}", "mp4")
        self.finished: list[tuple[Path, str]] = []
        self.pixel_format = ""
        self._out: Any = None
        self._stream: Any = None
        self._head = b""
        self._frames = self._bytes = 0

    def add(self, film: bytes, frame_count: int) -> dict[str, Any]:
        """Append a clip; returns where it is, as LeRobot's columns call it, without the prefix.

        Raises:
            InputError: it is not as many frames of H.264 as it should be, or of another frame rate.
        """
        import av

        with av.open(io.BytesIO(film), "r") as clip:
            stream = clip.streams.video[0]
            step = Fraction(1, self.fps) / (stream.time_base or Fraction(1))
            if step.denominator != 1 or stream.codec_context.name != "h264":
                raise InputError(f"a clip's video is not H.264 of {self.fps} frames per second; make it anew")
            head = bytes(stream.codec_context.extradata or b"")
            full = self._bytes + len(film) > VIDEO_FILE_BYTES or self._frames + frame_count > _LONGEST_S * self.fps
            if self._out is not None and (full or head != self._head):
                self.close()
            if self._out is None:
                self._begin(stream, head)
            shift = self._frames * step.numerator
            packets = 0
            for packet in clip.demux(stream):
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts += shift
                packet.dts += shift
                packet.stream = self._stream
                self._out.mux(packet)
                packets += 1
        if packets != frame_count:
            raise InputError(f"a clip's video holds {packets} frames where its row says {frame_count}; it is damaged")
        first, self._frames = self._frames, self._frames + frame_count
        self._bytes += len(film)
        where = {"from_timestamp": first / self.fps, "to_timestamp": self._frames / self.fps, "first_frame": first}
        return where | self.numbers.columns

    def _begin(self, like: Any, head: bytes) -> None:
        import av

        self._path = self.folder / f"{self.key}.mp4"
        self._out = av.open(str(self._path), "w", format="mp4", options={"fflags": "+bitexact"})
        self._stream = self._out.add_stream_from_template(like)
        self._stream.time_base = like.time_base
        self.pixel_format = self.pixel_format or str(like.codec_context.pix_fmt)
        self._head, self._frames, self._bytes = head, 0, 0

    def close(self) -> None:
        """Finish the file that is being written, if there is one."""
        if self._out is None:
            return
        self._out.close()
        self._out = None
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
        name = self.numbers.name
        done = self._path.with_name(f"{self.key}.{self.numbers.number}.done")
        self._path.replace(done)
        self.finished.append((done, name))
        self.numbers.next()

    def abandon(self) -> None:
        """Give up the file that is being written, if there is one."""
        if self._out is not None:
            with suppress(OSError):
                self._out.close()
            self._out = None

    def taken(self) -> list[tuple[Path, str]]:
        """The files that have been finished since this was last asked."""
        finished, self.finished = self.finished, []
        return finished


def some_pictures(film: bytes, frame_count: int) -> NDArray[np.uint8]:
    """(N, H, W, 3) uint8: up to 16 frames of a clip, evenly spread; they are much alike."""
    import av

    wanted = set(np.linspace(0, frame_count - 1, _COUNTED).round().astype(int).tolist())
    with av.open(io.BytesIO(film), "r") as clip:
        frames = enumerate(clip.decode(video=0))
        return np.stack([np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for k, frame in frames if k in wanted])
