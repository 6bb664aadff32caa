"""Picture, sound and text as patches on one time line, and back.

Video becomes space-time patches of (frames, height, width), sound patches of samples, text tokens. All are put in order
of time; of each is known what it is, when it begins and ends, and where it lies. Needs numpy alone; tensors of torch
on the CPU are taken as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physreel.errors import InputError
from physreel.loaders.cue import count_before
from physreel.loaders.records import Record
from physreel.values import SAMPLE_RATE_HZ

TEXT, VIDEO, AUDIO = 0, 1, 2
"""Modality ids; at one instant they come in this order."""

Role = Literal["prompt", "question", "caption", "answer"]


class Tokenizer(Protocol):
    """Text to whole numbers and back."""

    def encode(self, text: str) -> Sequence[int]:
        """The tokens of a text."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""


class ByteTokenizer:
    """UTF-8 bytes: 256 tokens, nothing to learn, no text that cannot be said."""

    def encode(self, text: str) -> Sequence[int]:
        """See Tokenizer.encode."""
        return list(text.encode("utf-8", "surrogatepass"))

    def decode(self, tokens: Sequence[int]) -> str:
        """See Tokenizer.decode."""
        return bytes(tokens).decode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class PatchSizes:
    """How much goes into a patch: frames x height x width (pixels) of video, samples of sound (960 are 20 ms)."""

    frames: int = 4
    height: int = 16
    width: int = 16
    samples: int = 960

    def __post_init__(self) -> None:
        wrong = [f"{name} is {value}" for name, value in vars(self).items() if value < 1]
        if wrong:
            raise InputError(f"sizes of patches must be at least 1: {', '.join(wrong)}")


@dataclass(frozen=True)
class Text:
    """A text and where it stands.

    Attributes:
        text: the words.
        at: before all else, after all else, at the cut, or at a time in seconds.
        role: captions and answers tell the outcome, so they are never part of what may be seen at the cut.
    """

    text: str
    at: Literal["before", "cut", "after"] | float = "before"
    role: Role = "prompt"


@dataclass(frozen=True)
class Layout:
    """What the inverse must know: shapes before padding, where the cut was, and the texts' places."""

    sizes: PatchSizes
    video_shape: tuple[int, ...] | None
    audio_shape: tuple[int, ...] | None
    fps: float
    rate_hz: float
    cut_s: float | None
    texts: tuple[tuple[float | str, Role], ...]

    @property
    def end_s(self) -> float:
        """The end of picture or sound, whichever ends later."""
        video = 0.0 if self.video_shape is None else self.video_shape[0] / self.fps
        audio = 0.0 if self.audio_shape is None else self.audio_shape[0] / self.rate_hz
        return max(video, audio)

    def spans(self, length: int, rate_hz: float, size: int) -> NDArray[np.int64]:
        """First and last + 1 of what is in each patch along time, (n, 2); the grid begins anew at the cut."""
        cut = 0 if self.cut_s is None else min(count_before(self.cut_s, rate_hz), length)
        starts = np.concatenate([np.arange(0, cut, size), np.arange(cut, length, size)])
        stops = np.minimum(starts + size, np.where(starts < cut, cut, length))
        return np.stack([starts, stops], axis=1)


@dataclass(frozen=True)
class Unpatched:
    """What the patches were made of."""

    video: NDArray[Any] | None
    audio: NDArray[Any] | None
    texts: tuple[Text, ...]


@dataclass(frozen=True)
class Patches:
    """A sequence of N patches and tokens in order of time.

    Attributes:
        modality: (N,) int8: TEXT, VIDEO or AUDIO. The k-th video patch of the sequence is ``video[k]``, and so on.
        start_s, end_s: (N,) float64 s on the time line, without padding. For text both are its place.
        step: (N,) int64: number of the patch along time, of a token in its text.
        row, column: (N,) int64 place in the picture in patches; for text row is the number of the text; else -1.
        seen: (N,) bool: what may be seen when what comes after the cut is to be predicted; all where there is no cut.
        video: (Nv, frames, height, width, C), padded with zeros.
        audio: (Na, samples, C), padded with zeros.
        tokens: (Nt,) int64.
        layout: what the inverse must know.
    """

    modality: NDArray[np.int8]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    step: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    seen: NDArray[np.bool_]
    video: NDArray[Any]
    audio: NDArray[Any]
    tokens: NDArray[np.int64]
    layout: Layout

    def __len__(self) -> int:
        return len(self.modality)

    def inverse(self, tokenizer: Tokenizer | None = None) -> Unpatched:
        """Video, sound and texts, bit for bit as they were."""
        layout, sizes = self.layout, self.layout.sizes
        video = audio = None
        if layout.video_shape is not None:
            frames, height, width, channels = layout.video_shape
            spans = layout.spans(frames, layout.fps, sizes.frames)
            rows, columns = -(-height // sizes.height), -(-width // sizes.width)
            grid = np.zeros((len(spans), rows, columns, *self.video.shape[1:]), self.video.dtype)
            own = self.modality == VIDEO
            grid[self.step[own], self.row[own], self.column[own]] = self.video
            whole = grid.transpose(0, 3, 1, 4, 2, 5, 6).reshape(
                len(spans) * sizes.frames, rows * sizes.height, columns * sizes.width, channels
            )
            video = whole[_places(spans, sizes.frames), :height, :width]
        if layout.audio_shape is not None:
            spans = layout.spans(layout.audio_shape[0], layout.rate_hz, sizes.samples)
            line = np.zeros((len(spans), *self.audio.shape[1:]), self.audio.dtype)
            line[self.step[self.modality == AUDIO]] = self.audio
            audio = line.reshape(-1, layout.audio_shape[1])[_places(spans, sizes.samples)]
        tokenizer = tokenizer or ByteTokenizer()
        own = self.modality == TEXT
        texts = []
        for number, (at, role) in enumerate(layout.texts):
            of_it = self.row[own] == number
            tokens = self.tokens[of_it][np.argsort(self.step[own][of_it])]
            texts.append(Text(tokenizer.decode(tokens.tolist()), at=at, role=role))  # type: ignore[arg-type]
        return Unpatched(video, audio, tuple(texts))


def interleave(
    video: ArrayLike | None = None,
    audio: ArrayLike | None = None,
    texts: Sequence[Text] = (),
    *,
    fps: float = 24.0,
    rate_hz: float = SAMPLE_RATE_HZ,
    sizes: PatchSizes | None = None,
    cut_s: float | None = None,
    tokenizer: Tokenizer | None = None,
) -> Patches:
    """Put a clip on one time line.

    Args:
        video: (T, H, W, C) of any type.
        audio: (S, C) of any type.
        texts: where each stands is a choice of its own.
        fps: frames a second.
        rate_hz: samples a second.
        sizes: of patches; what does not divide is padded with zeros at its end.
        cut_s: an instant that no patch crosses, such as the cue: patches begin anew with the first frame and sample
            that is not before it.
        tokenizer: by default UTF-8 bytes.

    Raises:
        InputError: a wrong shape, or a text at a cut that is not given.
    """
    sizes, tokenizer = sizes or PatchSizes(), tokenizer or ByteTokenizer()
    pictures = None if video is None else np.asarray(video)
    sound = None if audio is None else np.asarray(audio)
    _check(pictures, sound, texts, fps, rate_hz, cut_s)
    layout = Layout(
        sizes=sizes,
        video_shape=None if pictures is None else pictures.shape,
        audio_shape=None if sound is None else sound.shape,
        fps=fps,
        rate_hz=rate_hz,
        cut_s=cut_s,
        texts=tuple((text.at, text.role) for text in texts),
    )
    video_patches, video_table = _video(pictures, layout)
    audio_patches, audio_table = _audio(sound, layout)
    tokens, text_table = _text(texts, layout, tokenizer)
    table = np.concatenate([text_table, video_table, audio_table])
    place, start_s, modality, step, row, column = (table[:, k] for k in (0, 1, 3, 4, 5, 6))
    # Text of one instant goes text by text; pictures by time, row, column.
    inner = np.where(modality == TEXT, row, step), np.where(modality == TEXT, step, row)
    order = np.lexsort((column, inner[1], inner[0], modality, start_s, place))
    modality = modality.astype(np.int8)[order]
    numbers = np.concatenate([np.arange(len(part)) for part in (tokens, video_patches, audio_patches)])[order]
    return Patches(
        modality=modality,
        start_s=start_s[order],
        end_s=table[order, 2],
        step=step[order].astype(np.int64),
        row=row[order].astype(np.int64),
        column=column[order].astype(np.int64),
        seen=table[order, 7].astype(bool),
        video=video_patches[numbers[modality == VIDEO]],
        audio=audio_patches[numbers[modality == AUDIO]],
        tokens=tokens[numbers[modality == TEXT]],
        layout=layout,
    )


def record_patches(
    record: Record,
    *,
    sizes: PatchSizes | None = None,
    caption: Literal["before", "after"] | None = None,
    question: int | None = None,
    cut: bool = True,
    tokenizer: Tokenizer | None = None,
) -> Patches:
    """A row's picture and sound, as far as they were read, with its words, on one time line.

    Args:
        record: with fps, and cue_s, caption and questions where they are asked for.
        sizes: of patches.
        caption: where the caption stands; None for nowhere.
        question: number of the question that stands at the cut (without one: before all), its answer after all.
        cut: whether no patch may cross ``cue_s``, and ``seen`` tells what is before it.
        tokenizer: by default UTF-8 bytes.
    """
    texts = [] if caption is None else [Text(record["caption"], at=caption, role="caption")]
    if question is not None:
        asked = record["questions"]
        if not 0 <= question < len(asked):
            raise InputError(f"row {record.get('sample_id')!r} has {len(asked)} questions, not number {question}")
        texts.append(Text(asked[question]["question"], at="cut" if cut else "before", role="question"))
        texts.append(Text(asked[question]["answer"], at="after", role="answer"))
    return interleave(
        record.video if record.get("video") is not None else None,
        record.audio if record.get("audio") is not None else None,
        texts,
        fps=float(record["fps"]),
        sizes=sizes,
        cut_s=float(record["cue_s"]) if cut else None,
        tokenizer=tokenizer,
    )


def _table(count: int, **columns: Any) -> NDArray[np.float64]:
    """(N, 8): place (before, on, after the time line), start_s, end_s, modality, step, row, column, seen."""
    names = ("place", "start_s", "end_s", "modality", "step", "row", "column", "seen")
    return np.stack([np.broadcast_to(np.asarray(columns[name], np.float64), count) for name in names], axis=1)


def _video(video: NDArray[Any] | None, layout: Layout) -> tuple[NDArray[Any], NDArray[np.float64]]:
    if video is None:
        return np.zeros((0, 0, 0, 0, 0), np.uint8), np.zeros((0, 8))
    size = layout.sizes
    spans = layout.spans(len(video), layout.fps, size.frames)
    rows, columns = -(-video.shape[1] // size.height), -(-video.shape[2] // size.width)
    padded = np.zeros((len(spans) * size.frames, rows * size.height, columns * size.width, video.shape[3]), video.dtype)
    padded[_places(spans, size.frames), : video.shape[1], : video.shape[2]] = video
    grid = padded.reshape(len(spans), size.frames, rows, size.height, columns, size.width, video.shape[3])
    count = len(spans) * rows * columns
    patches = grid.transpose(0, 2, 4, 1, 3, 5, 6).reshape(count, size.frames, size.height, size.width, video.shape[3])
    step, row, column = (axis.ravel() for axis in np.indices((len(spans), rows, columns)))
    start_s, stop_s = spans[step].T / layout.fps
    seen = layout.cut_s is None or spans[step, 0] < count_before(layout.cut_s, layout.fps)
    return patches, _table(
        count, place=0, start_s=start_s, end_s=stop_s, modality=VIDEO, step=step, row=row, column=column, seen=seen
    )


def _audio(audio: NDArray[Any] | None, layout: Layout) -> tuple[NDArray[Any], NDArray[np.float64]]:
    if audio is None:
        return np.zeros((0, 0, 0), np.float32), np.zeros((0, 8))
    size = layout.sizes.samples
    spans = layout.spans(len(audio), layout.rate_hz, size)
    padded = np.zeros((len(spans) * size, audio.shape[1]), audio.dtype)
    padded[_places(spans, size)] = audio
    start_s, stop_s = spans.T / layout.rate_hz
    seen = layout.cut_s is None or spans[:, 0] < count_before(layout.cut_s, layout.rate_hz)
    steps = np.arange(len(spans))
    return padded.reshape(len(spans), size, audio.shape[1]), _table(
        len(spans), place=0, start_s=start_s, end_s=stop_s, modality=AUDIO, step=steps, row=-1, column=-1, seen=seen
    )


def _text(texts: Sequence[Text], layout: Layout, tokenizer: Tokenizer) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    cut_s = layout.cut_s
    tokens, tables = [np.zeros(0, np.int64)], [np.zeros((0, 8))]
    for number, text in enumerate(texts):
        own = np.asarray(list(tokenizer.encode(text.text)), np.int64)
        place, at_s = _stand(text.at, layout)
        seen = cut_s is None or (
            text.role in ("prompt", "question") and (place < 0 or text.at == "cut" or (place == 0 and at_s < cut_s))
        )
        tables.append(
            _table(
                len(own), place=place, start_s=at_s, end_s=at_s, modality=TEXT, step=np.arange(len(own)), row=number,
                column=-1, seen=seen,
            )
        )  # fmt: skip
        tokens.append(own)
    return np.concatenate(tokens), np.concatenate(tables)


def _stand(at: str | float, layout: Layout) -> tuple[int, float]:
    """Before (-1), on (0) or after (1) the time line, and the time of a text."""
    if isinstance(at, str):
        return {"before": (-1, 0.0), "cut": (0, layout.cut_s or 0.0), "after": (1, layout.end_s)}[at]
    return 0, float(at)


def _places(spans: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Where each frame or sample lies among padded patches."""
    offsets = np.arange(size)
    real = offsets < (spans[:, 1] - spans[:, 0])[:, None]
    return np.flatnonzero(real)


def _check(
    video: NDArray[Any] | None,
    audio: NDArray[Any] | None,
    texts: Sequence[Text],
    fps: float,
    rate_hz: float,
    cut_s: float | None,
) -> None:
    problems = []
    if video is not None and video.ndim != 4:
        problems.append(f"video has shape {video.shape}; it must be (frames, height, width, channels)")
    if audio is not None and audio.ndim != 2:
        problems.append(f"audio has shape {audio.shape}; it must be (samples, channels)")
    if not (fps > 0 and rate_hz > 0):
        problems.append(f"fps is {fps} and rate_hz {rate_hz}; both must be above 0")
    if cut_s is None and any(text.at == "cut" for text in texts):
        problems.append("a text stands at the cut, but cut_s is not given")
    if cut_s is not None and not 0.0 <= cut_s < float("inf"):
        problems.append(f"cut_s is {cut_s}; it must be a time in the clip")
    wrong: list[str | float] = [
        text.at for text in texts if isinstance(text.at, str) and text.at not in ("before", "cut", "after")
    ]
    wrong += [text.at for text in texts if not isinstance(text.at, str) and not np.isfinite(text.at)]
    if wrong:
        problems.append(f"texts stand at {wrong}; allowed are before, cut, after and times in seconds")
    if problems:
        raise InputError("; ".join(problems))
