"""How lossless passes are written as numbers: what exporters write and loaders read.

A pass is rounded to whole numbers of ``step``, differenced from frame to frame (the first frame from zero), its bytes
are sorted by significance (all lowest bytes first), and the result is compressed with zstd. Still pixels become zeros.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PassEncoding:
    """The numbers of one pass: value = integer × ``step``; shape (T, H, W) or (T, H, W, channels)."""

    dtype: str
    step: float
    channels: int
    unit: str
    nothing: str

    def shape(self, frames: int, height: int, width: int) -> tuple[int, ...]:
        """The shape of the decoded pass."""
        return (frames, height, width) if self.channels == 1 else (frames, height, width, self.channels)


PASS_ENCODINGS: dict[str, PassEncoding] = {
    "depth": PassEncoding("<i4", 1e-5, 1, "m", "0 where nothing is hit (inf when decoded)"),
    "segmentation": PassEncoding("<u2", 1.0, 1, "body number: 1 + index into bodies", "0 is the background"),
    "normals": PassEncoding("<i2", 1.0 / 32767.0, 3, "unit vector, world frame", "0, 0, 0 on the background"),
    "flow": PassEncoding("<i4", 1.0 / 256.0, 2, "pixels to the next frame, x right, y down", "0, 0 on the background"),
}
