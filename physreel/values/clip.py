"""Clip: what was seen and heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from physreel.values.arrays import read_only
from physreel.values.sample import SoundEvent

PassName = Literal["rgb", "depth", "segmentation", "normals", "flow"]
PASSES: tuple[PassName, ...] = ("rgb", "depth", "segmentation", "normals", "flow")
"""The pictures a video renderer can make, in the order they are stored."""

SAMPLE_RATE_HZ = 48_000


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """One camera's film; passes that were not asked for are None. T frames of H × W pixels.

    Depth, segmentation, normals and flow are of the first surface that the straight ray through a pixel's centre meets.
    Vessels and tanks of clear glass (transmission 0.5 or more) are looked through where liquid is the next thing that
    is not such a vessel: there they are of the liquid.

    Attributes:
        camera: name of the camera.
        intrinsics: (3, 3) K.
        camera_to_world: (T, 4, 4), OpenCV axes.
        rgb: (T, H, W, 3) uint8, sRGB.
        depth: (T, H, W) float32, metres along the optical axis; inf where nothing is hit.
        segmentation: (T, H, W) uint16; 0 = background, i + 1 = body i of the spec, B + 1 + f = fluid f.
        normals: (T, H, W, 3) float32, unit, world frame, facing the camera; 0 on the background.
        flow: (T, H, W, 2) float32, pixels (x right, y down) to where the same surface point is one frame period
            later, seen by the camera of that time; 0 on the background.
    """

    camera: str
    intrinsics: NDArray[np.float64]
    camera_to_world: NDArray[np.float64]
    rgb: NDArray[np.uint8] | None = None
    depth: NDArray[np.float32] | None = None
    segmentation: NDArray[np.uint16] | None = None
    normals: NDArray[np.float32] | None = None
    flow: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        frames = len(self.camera_to_world)
        first = next((getattr(self, name) for name in PASSES if getattr(self, name) is not None), None)
        height, width = first.shape[1:3] if first is not None else (None, None)
        size = (frames, height, width)
        for name, dtype, shape in (
            ("intrinsics", np.float64, (3, 3)),
            ("camera_to_world", np.float64, (frames, 4, 4)),
            ("rgb", np.uint8, (*size, 3)),
            ("depth", np.float32, size),
            ("segmentation", np.uint16, size),
            ("normals", np.float32, (*size, 3)),
            ("flow", np.float32, (*size, 2)),
        ):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, read_only(value, dtype, shape, f"view {self.camera!r} {name}"))

    @property
    def passes(self) -> tuple[PassName, ...]:
        """The passes this view has."""
        return tuple(name for name in PASSES if getattr(self, name) is not None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Audio:
    """Sound at the microphones.

    Attributes:
        samples: (S, C) float32 at 48 kHz; S is exactly duration × 48000; channel c is microphone c of the spec.
        pascal_per_unit: sound pressure that a sample value of 1.0 stands for; the same for a whole data set.
        clipped_fraction: share of samples beyond ± 1, which integer formats will clip.
        events: the sounds' causes.
    """

    samples: NDArray[np.float32]
    pascal_per_unit: float
    clipped_fraction: float = 0.0
    events: tuple[SoundEvent, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", read_only(self.samples, np.float32, (None, None), "audio"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """One simulation, filmed by each of its cameras and recorded once."""

    fps: int
    views: tuple[View, ...] = ()
    audio: Audio | None = None
