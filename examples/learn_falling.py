"""Train a tiny model to tell what becomes of a falling ball: does it leave the table, or stay on it?

    physreel generate falling -n 800 --out data/balls --size 64x64 --fps 12 --duration 2 --passes rgb \
        --split train=0.7,test=0.3 --set object_count=1 --set furniture=table --set shape=sphere \
        --set object_size_m=0.12..0.2 --set drop_height_m=0.12..0.4 --set spin_rad_s=0
    python examples/learn_falling.py data/balls
    python examples/learn_falling.py data/balls --inputs picture,sound --show 1.0

``--show clip`` shows all of it and asks what happened; ``--show cue`` shows what comes before the cue, a quarter of a
second, and asks what will; a number shows as many seconds. Inputs are picture, sound, question and caption. The caption
tells the outcome, which is why it belongs to the target. The same command gives the same numbers on the same machine.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from physreel.loaders import Record, records
from physreel.loaders.cue import count_before
from physreel.loaders.patches import AUDIO, TEXT, VIDEO, PatchSizes, Text, interleave

INPUTS = ("picture", "sound", "question", "caption")
QUESTION = "Does the ball fall off the table?"
COLUMNS = ("sample_id", "video", "audio", "fps", "cue_s", "duration_s", "caption", "outcome")
SIZES = PatchSizes(frames=3, height=8, width=8, samples=1920)  # a quarter of a second of 8 x 8 pixels; 40 ms of sound
KEPT = 64  # moving patches a clip
BANDS = np.unique(np.geomspace(1, SIZES.samples // 2, 49).astype(int))
WIDTHS = {"still": 64, "moving": 192, "sound": len(BANDS) - 1, "text": 256}
Tokens = dict[str, tuple[np.ndarray, np.ndarray]]  # of each kind: values (n, width), places (n, 3) in time, row, column
Batch = dict[str, list[torch.Tensor]]  # the same for many clips


def clip_tokens(record: Record, inputs: Iterable[str], show: str) -> Tokens:
    """What the model gets of one clip."""
    video, audio, fps = record.video, record.audio, record["fps"]
    if show != "clip":
        end_s = record["cue_s"] if show == "cue" else float(show)
        video, audio = video[: count_before(end_s, fps)], audio[: count_before(end_s, 48_000)]
    words = {"question": QUESTION, "caption": record["caption"]}
    grey = video.mean(-1, keepdims=True, dtype=np.float32) / 255
    still = grey.mean(0, keepdims=True)
    patches = interleave(
        4 * (grey - still) if "picture" in inputs else None,
        audio if "sound" in inputs else None,
        [Text(text, at="before") for name, text in words.items() if name in inputs],
        fps=fps,
        sizes=SIZES,
    )
    rows, columns = (-(-side // size) for side, size in zip(grey.shape[1:3], (SIZES.height, SIZES.width), strict=True))
    places = np.stack(
        [patches.start_s / record["duration_s"], patches.row / rows, patches.column / columns], axis=1, dtype=np.float32
    )
    tokens: Tokens = {}
    if "picture" in inputs:
        moving = patches.video.reshape(len(patches.video), -1)
        most = np.argsort(-np.square(moving).sum(1), kind="stable")[:KEPT]
        tokens["moving"] = moving[most], places[patches.modality == VIDEO][most]
        room = interleave(still - 0.5, fps=1, sizes=SIZES)
        at = np.stack([0 * room.row, room.row / rows, room.column / columns], axis=1, dtype=np.float32)
        tokens["still"] = room.video[:, 0].reshape(len(room.video), -1), at
    if "sound" in inputs:
        spectrum = np.abs(np.fft.rfft(patches.audio.mean(2) * np.hanning(SIZES.samples), axis=1))
        loudness = np.log10(1e-6 + np.add.reduceat(spectrum, BANDS[:-1], axis=1))
        tokens["sound"] = (loudness / 2 + 1).astype(np.float32), places[patches.modality == AUDIO]
    if len(patches.tokens):
        at = np.zeros((len(patches.tokens), 3), np.float32)
        at[:, 0] = patches.step[patches.modality == TEXT] / 100
        tokens["text"] = np.eye(256, dtype=np.float32)[patches.tokens], at
    return tokens


def padded(clips: Sequence[Tokens]) -> Batch:
    """All clips as tensors, shorter ones filled up with zeros."""
    pad = nn.utils.rnn.pad_sequence
    return {
        kind: [pad([torch.from_numpy(clip[kind][k]) for clip in clips], batch_first=True) for k in (0, 1)]
        for kind in clips[0]
    }


def read(path: str, split: str, inputs: Sequence[str], show: str) -> tuple[Batch, torch.Tensor]:
    """The clips of a split, and whether the ball left the table."""
    clips, left = [], []
    for record in records(path, split=split, columns=COLUMNS):
        clips.append(clip_tokens(record, inputs, show))
        left.append(float(record["outcome"]["left_support_count"] > 0))
    if not clips:
        raise SystemExit(f"{path} has no clips in its split {split}: generate more")
    return padded(clips), torch.tensor(left)


class Model(nn.Module):
    """Each token is read by itself, with its place; the clip is the mean and the largest of what was read."""

    def __init__(self, kinds: Iterable[str], width: int = 64) -> None:
        super().__init__()
        self.values = nn.ModuleDict({kind: nn.Linear(WIDTHS[kind], width) for kind in kinds})
        self.places = nn.ModuleDict({kind: nn.Linear(21, width) for kind in kinds})
        self.read = nn.ModuleDict(
            {
                kind: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
                for kind in kinds
            }
        )
        joined = 2 * width * len(self.values)
        self.tell = nn.Sequential(
            nn.LayerNorm(joined), nn.Dropout(0.3), nn.Linear(joined, width), nn.GELU(), nn.Linear(width, 1)
        )

    def forward(self, kinds: Batch) -> torch.Tensor:
        parts = []
        for kind, (values, places) in kinds.items():
            waves = [wave(math.pi * k * places) for k in (1, 2, 4) for wave in (torch.sin, torch.cos)]
            token = self.values[kind](values) + self.places[kind](torch.cat([places, *waves], -1))
            token = token + self.read[kind](token)
            parts += [token.mean(1), token.amax(1)]
        return self.tell(torch.cat(parts, -1))[:, 0]


def mirrored(kinds: Batch) -> Batch:
    """The same clips seen in a mirror: what happens is as possible."""
    out = dict(kinds)
    for kind in {"still", "moving"} & set(kinds):
        values, places = kinds[kind]
        places = places.clone()
        places[..., 2] = 1 - 1 / 8 - places[..., 2]
        out[kind] = [values.unflatten(-1, (-1, SIZES.width)).flip(-1).flatten(-2), places]
    return out


def learn(kinds: Batch, left: torch.Tensor, *, epochs: int, seed: int) -> Model:
    torch.manual_seed(seed)
    model = Model(kinds)
    steps = epochs * -(-len(left) // 16)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(left)).split(16):
            batch = {kind: [part[rows] for part in parts] for kind, parts in kinds.items()}
            told = model(mirrored(batch) if torch.rand(()) < 0.5 else batch)
            loss = nn.functional.binary_cross_entropy_with_logits(told, left[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: Model, kinds: Batch, left: torch.Tensor) -> float:
    told = model(kinds) + model(mirrored(kinds))
    return float(((told > 0) == (left > 0.5)).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn what becomes of a falling ball.")
    parser.add_argument("data")
    parser.add_argument("--inputs", default="picture,sound", help=f"some of {','.join(INPUTS)}")
    parser.add_argument("--show", default="clip", help="clip, cue, or seconds")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    inputs = asked.inputs.split(",")
    if unknown := set(inputs) - set(INPUTS):
        parser.error(f"no inputs of the name {', '.join(sorted(unknown))}; there are {', '.join(INPUTS)}")
    torch.set_num_threads(1)  # sums by several threads would differ from run to run
    model = learn(*read(asked.data, "train", inputs, asked.show), epochs=asked.epochs, seed=asked.seed)
    kinds, left = read(asked.data, "test", inputs, asked.show)
    right, count = accuracy(model, kinds, left), len(left)
    chance = max(float(left.mean()), 1 - float(left.mean()))
    error = math.sqrt(right * (1 - right) / count)
    print(f"{asked.inputs}, shown {asked.show}: {right:.1%} ± {error:.1%} of {count} test clips; chance {chance:.1%}")


if __name__ == "__main__":
    main()
