"""examples/learn_falling.py learns: from balls that a few lines of numpy drop, and not when labels are shuffled."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch: make test-all")

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import learn_falling  # noqa: E402

from physreel.loaders import Record  # noqa: E402

SIDE, FRAMES, FPS = 64, 24, 12


def ball_clip(rng: np.random.Generator, k: int) -> tuple[Record, bool]:
    """A bright ball that rolls off a ledge, or does not; it is heard to hit the floor when it does."""
    left = bool(rng.random() < 0.5)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    video = np.full((FRAMES, SIDE, SIDE, 3), rng.integers(60, 120), np.uint8)
    video[:, 36:39, :44] = 30
    video += rng.integers(0, 12, video.shape, np.uint8)
    at = rng.uniform(8, 36)
    speed = (rng.uniform(60, 80) - at) / FRAMES if left else (rng.uniform(10, 40) - at) / FRAMES
    for frame in range(FRAMES):
        x = at + speed * frame
        late = max(x - 44, 0) / max(speed, 1e-9)
        y = min(30 + 0.3 * late**2, 58)
        video[frame, np.hypot(rows - y, columns - x) < 5] = rng.integers(180, 250)
    audio = rng.normal(scale=1e-4, size=(FRAMES * 48_000 // FPS, 2)).astype(np.float32)
    ring = np.exp(-np.arange(6000) / 900) * np.sin(np.arange(6000) * rng.uniform(0.1, 0.3))
    for start in [rng.integers(3000, 20_000), *([rng.integers(60_000, 85_000)] if left else [])]:
        audio[start : start + 6000] += (0.1 * ring)[:, None].astype(np.float32)
    record = Record({"sample_id": f"{k}", "fps": FPS, "cue_s": 0.25, "duration_s": 2.0, "caption": "A ball."})
    record.__dict__ |= {"video": video, "audio": audio}
    return record, left


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return [ball_clip(rng, k) for k in range(240)]


def tensors(clips, inputs):
    made = [learn_falling.clip_tokens(record, inputs, "clip") for record, _ in clips]
    return learn_falling.padded(made), torch.tensor([float(left) for _, left in clips])


@pytest.mark.parametrize("inputs", [("picture",), ("sound",), ("picture", "sound")])
def test_the_example_learns_what_can_be_seen_or_heard_and_nothing_from_shuffled_labels(clips, inputs):
    torch.set_num_threads(1)
    kinds, left = tensors(clips[:140], inputs)
    test, truth = tensors(clips[140:], inputs)
    chance = max(float(truth.mean()), 1 - float(truth.mean()))
    model = learn_falling.learn(kinds, left, epochs=8, seed=0)
    assert learn_falling.accuracy(model, test, truth) > chance + 0.2
    shuffled = left[torch.randperm(len(left), generator=torch.Generator().manual_seed(1))]
    fooled = learn_falling.learn(kinds, shuffled, epochs=8, seed=0)
    assert learn_falling.accuracy(fooled, test, truth) < chance + 0.12


def test_the_same_seed_gives_the_same_model_and_the_question_tells_nothing(clips):
    torch.set_num_threads(1)
    kinds, left = tensors(clips[:60], ("question",))
    one, two = (learn_falling.learn(kinds, left, epochs=2, seed=0)(kinds) for _ in range(2))
    assert torch.equal(one, two)
    assert len(set(one.tolist())) == 1


def test_nothing_of_after_the_shown_part_reaches_the_model(clips):
    record, _ = clips[0]
    other = Record(record.row)
    other.__dict__ |= {"video": record.video.copy(), "audio": record.audio.copy()}
    other.video[3:] = 0
    other.audio[12_000:] = 1
    for show in ("cue", "0.25"):
        one, two = (learn_falling.clip_tokens(clip, ("picture", "sound"), show) for clip in (record, other))
        for kind in one:
            np.testing.assert_array_equal(one[kind][0], two[kind][0])
    assert not np.array_equal(
        learn_falling.clip_tokens(record, ("picture",), "clip")["moving"][0],
        learn_falling.clip_tokens(other, ("picture",), "clip")["moving"][0],
    )
