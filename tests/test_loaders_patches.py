"""Patches: every byte comes back, order and positions are those of the time line, and nothing after the cut is seen."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physreel.errors import InputError
from physreel.loaders.patches import (
    AUDIO,
    TEXT,
    VIDEO,
    ByteTokenizer,
    PatchSizes,
    Text,
    interleave,
)


def clip(seed, frames, height, width, samples, channels):
    rng = np.random.default_rng(seed)
    video = rng.integers(0, 256, (frames, height, width, 3), np.uint8)
    bits = rng.integers(0, 2**32, (samples, channels), np.uint32).view(np.float32)  # NaN and denormals too
    return video, bits


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 9),
    shape=st.tuples(st.integers(0, 9), st.integers(1, 11), st.integers(1, 11), st.integers(0, 50), st.integers(1, 3)),
    sizes=st.builds(PatchSizes, st.integers(1, 6), st.integers(1, 13), st.integers(1, 13), st.integers(1, 20)),
    cut_s=st.none() | st.floats(0, 2),
    fps=st.sampled_from([5, 24, 29.97]),
    words=st.lists(st.tuples(st.text(max_size=8), st.sampled_from(["before", "cut", "after", 0.31])), max_size=3),
)
def test_the_inverse_is_exact_for_every_size(seed, shape, sizes, cut_s, fps, words):
    video, audio = clip(seed, *shape)
    texts = tuple(Text(text, at=at) for text, at in words if at != "cut" or cut_s is not None)
    patches = interleave(video, audio, texts, fps=fps, rate_hz=30.0, sizes=sizes, cut_s=cut_s)
    back = patches.inverse()
    assert back.video.dtype == np.uint8
    assert back.video.tobytes() == video.tobytes()
    assert back.video.shape == video.shape
    assert back.audio.dtype == np.float32
    assert back.audio.tobytes() == audio.tobytes()
    assert back.audio.shape == audio.shape
    assert back.texts == texts
    assert len(patches) == len(patches.video) + len(patches.audio) + len(patches.tokens)
    body = patches.modality != TEXT
    assert (np.diff(patches.start_s[body]) >= 0).all()
    if cut_s is not None:  # no patch crosses the cut, so what is seen is whole
        seen = patches.seen & body
        assert (patches.start_s[seen] < cut_s).all()
        hidden = body & ~patches.seen
        assert (patches.start_s[hidden] >= cut_s - 1e-6).all()


def test_each_patch_lies_where_its_positions_say():
    frames, height, width = 5, 6, 7
    video = np.arange(frames * height * width * 3, dtype=np.int32).reshape(frames, height, width, 3)
    audio = np.arange(100, dtype=np.float32).reshape(50, 2)
    sizes = PatchSizes(frames=2, height=4, width=3, samples=8)
    patches = interleave(video, audio, fps=10, rate_hz=100, sizes=sizes)
    own = patches.modality == VIDEO
    for patch, step, row, column, start, end in zip(
        patches.video, patches.step[own], patches.row[own], patches.column[own], patches.start_s[own],
        patches.end_s[own], strict=True,
    ):  # fmt: skip
        real = video[2 * step : 2 * step + 2, 4 * row : 4 * row + 4, 3 * column : 3 * column + 3]
        np.testing.assert_array_equal(patch[: real.shape[0], : real.shape[1], : real.shape[2]], real)
        assert patch.sum() == real.sum()  # padding is zeros
        assert start == pytest.approx(2 * step / 10)
        assert end == pytest.approx(min(2 * step + 2, 5) / 10)
    heard = patches.modality == AUDIO
    assert len(patches.audio) == 7
    assert patches.end_s[heard][-1] == 0.5
    np.testing.assert_array_equal(patches.audio[3], audio[24:32])
    assert patches.modality[5] == VIDEO
    assert patches.modality[6] == AUDIO


def test_texts_stand_where_they_are_put():
    video, audio = clip(0, 8, 4, 4, 80, 1)
    texts = (
        Text("cap", at="before", role="caption"), Text("why?", at="cut", role="question"),
        Text("so", at="after", role="answer"), Text("go", at="before"), Text("mid", at=0.15, role="prompt"),
        Text("late", at=0.75, role="prompt"),
    )  # fmt: skip
    sizes = PatchSizes(2, 4, 4, 10)
    patches = interleave(video, audio, texts, fps=10, rate_hz=100, sizes=sizes, cut_s=0.4)
    read = ByteTokenizer().decode(patches.tokens.tolist())
    assert read == "capgomidwhy?lateso"
    text = patches.modality == TEXT
    assert text[:5].all()
    assert not text[5]
    assert text[-2:].all()
    assert patches.end_s[-1] == 0.8
    asked = np.flatnonzero(text & (patches.row == 1))
    assert (np.diff(asked) == 1).all()
    assert patches.start_s[asked[0] - 1] < 0.4 <= patches.start_s[asked[-1] + 1]
    # The caption tells the outcome, wherever it stands.
    seen = {number for number in range(6) if patches.seen[text & (patches.row == number)].all()}
    assert seen == {1, 3, 4}
    assert not patches.seen[text & np.isin(patches.row, [0, 2, 5])].any()


@pytest.mark.parametrize("cut_s", [0.0, 0.25, 0.26, 7 / 24, 0.1 + 0.2, 5.0])
def test_what_is_seen_does_not_depend_on_what_comes_after(cut_s):
    video, audio = clip(1, 24, 6, 6, 480, 2)
    frames = np.arange(24) / 24 >= cut_s - 1e-9
    samples = np.arange(480) / 480 >= cut_s - 1e-9
    other, quiet = video.copy(), audio.copy()
    other[frames] = 255 - other[frames]
    quiet[samples] = 0.0
    sizes = PatchSizes(5, 4, 4, 70)
    one = interleave(video, audio, fps=24, rate_hz=480, sizes=sizes, cut_s=cut_s)
    two = interleave(other, quiet, fps=24, rate_hz=480, sizes=sizes, cut_s=cut_s)
    for kind, parts in ((VIDEO, (one.video, two.video)), (AUDIO, (one.audio, two.audio))):
        seen = one.seen[one.modality == kind]
        assert parts[0][seen].tobytes() == parts[1][seen].tobytes()
    seen_frames = {
        k for s, e in zip(one.start_s[one.seen], one.end_s[one.seen], strict=True) for k in range(24)
        if s - 1e-9 <= k / 24 < e - 1e-9
    }  # fmt: skip
    assert seen_frames >= {k for k in range(24) if not frames[k]}


def test_a_tokenizer_of_ones_own_and_parts_that_are_missing():
    class Words:
        known = ("a", "ball", "falls")

        def encode(self, text):
            return [self.known.index(word) for word in text.split()]

        def decode(self, tokens):
            return " ".join(self.known[k] for k in tokens)

    patches = interleave(texts=[Text("a ball falls")], tokenizer=Words())
    assert patches.tokens.tolist() == [0, 1, 2]
    assert len(patches.video) == len(patches.audio) == 0
    back = patches.inverse(Words())
    assert back.texts[0].text == "a ball falls"
    assert back.video is None
    assert back.audio is None


def test_wrong_shapes_and_sizes_are_told_together():
    with pytest.raises(InputError, match=r"frames is 0, samples is -1"):
        PatchSizes(frames=0, samples=-1)
    with pytest.raises(InputError, match=r"video has shape \(2, 2\).*audio has shape \(3,\).*cut_s is not given"):
        interleave(np.zeros((2, 2)), np.zeros(3), [Text("x", at="cut")])


def test_a_clip_of_usual_size_is_patched_without_a_loop_over_patches():
    video, audio = clip(2, 72, 256, 256, 144_000, 2)
    start = time.process_time()
    patches = interleave(video, audio, sizes=PatchSizes(2, 8, 8, 48))
    patches.inverse()
    assert len(patches) == 36 * 32 * 32 + 3000
    assert time.process_time() - start < 4.0  # a loop over 40,000 patches takes longer than all of this
