"""A clip's video, cut out of the files of a LeRobot data set of ours."""

from __future__ import annotations

import io
from contextlib import ExitStack
from fractions import Fraction
from typing import Any

from physreel.errors import InputError
from physreel.storage import Store, seekable

PLACE_COLUMNS = ("video", "video_first_frame", "frame_count", "fps")
"""What must be known of a row to cut its video."""


class Films:
    """Cuts videos, with the files it has read from last left open; a context manager."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Films:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fill(self, row: dict[str, Any]) -> None:
        """Put the bytes of an mp4 with the row's frames, as they are stored, into its ``video``."""
        if row.get("video") is not None:
            film = self._cut(row["video"]["path"], row["video_first_frame"], row["frame_count"], row["fps"])
            row["video"] = {"bytes": film, "path": None}

    def _file(self, name: str) -> Any:
        import av

        if name not in self._open:
            if len(self._open) >= 8:  # clips come in order, a file a camera
                self._stack.close()
                self._open = {}
            file = self._stack.enter_context(self._store.open(name))
            self._open[name] = self._stack.enter_context(av.open(seekable(file), "r"))
        return self._open[name]

    def _cut(self, name: str, first_frame: int, frame_count: int, fps: int) -> bytes:
        import av

        container = self._file(name)
        stream = container.streams.video[0]
        step = int(Fraction(1, fps) / stream.time_base)
        begin, end = first_frame * step, (first_frame + frame_count) * step
        container.seek(begin, stream=stream)
        out = io.BytesIO()
        frames = 0
        with av.open(out, "w", format="mp4", options={"fflags": "+bitexact"}) as clip:
            own = clip.add_stream_from_template(stream)
            own.time_base = stream.time_base
            for packet in container.demux(stream):
                if packet.dts is None or packet.pts >= end:
                    break  # each clip begins with a frame that needs no other, so none of its own comes later
                if packet.pts >= begin:
                    packet.pts -= begin
                    packet.dts -= begin
                    packet.stream = own
                    clip.mux(packet)
                    frames += 1
        if frames != frame_count:
            raise InputError(
                f"{name} holds {frames} of {frame_count} frames from frame {first_frame} on: it is damaged"
            )
        return out.getvalue()
