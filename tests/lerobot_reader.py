"""Run by test_exporter_lerobot.py in LeRobot's own environment, which has no physreel: loads, compares, trains.

Arguments: folder of the data set, npz of what it should hold.
"""

from __future__ import annotations

import json
import os
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402
from lerobot.datasets.utils import dataset_to_policy_features  # noqa: E402


class Arrays(dict):
    """The arrays of an npz, read once."""

    def __init__(self, path: str) -> None:
        with np.load(path) as arrays:
            super().__init__({name: arrays[name] for name in arrays.files})
        self.files = list(self)


def load(root: str, **options) -> LeRobotDataset:
    # torchcodec needs FFmpeg's libraries, which are not everywhere.
    return LeRobotDataset("physreel/by_hand", root=root, video_backend="pyav", **options)


def check_picture(picture, wanted, key: str, k: int) -> None:
    """It is frame k of all, and no other: the versions of FFmpeg here and there round colours differently."""
    seen = np.rint(picture.numpy().transpose(1, 2, 0) * 255).astype(int)
    films = [name for name in wanted.files if name.startswith("film:")]
    off = {(name, at): np.abs(seen - frame).mean() for name in films for at, frame in enumerate(wanted[name])}
    best = min(off, key=off.get)
    assert best == (f"film:{key}", k), (key, k, best, off[best])
    assert off[best] < 1.5, (key, k, off[best])


def check_frames(root: str, wanted) -> None:
    dataset = load(root)
    keys = [name.removeprefix("film:") for name in wanted.files if name.startswith("film:")]
    assert dataset.meta.video_keys == keys, dataset.meta.video_keys
    lengths = wanted["lengths"]
    assert (len(dataset), dataset.num_episodes) == (lengths.sum(), len(lengths))
    episode_of = np.repeat(np.arange(len(lengths)), lengths)
    first_of = np.cumsum(lengths) - lengths
    for k in range(len(dataset)):
        item = dataset[k]
        episode = int(item["episode_index"])
        assert episode == episode_of[k]
        assert (int(item["index"]), int(item["frame_index"])) == (k, k - first_of[episode])
        assert abs(float(item["timestamp"]) - (k - first_of[episode]) / dataset.fps) < 1e-6
        assert np.array_equal(item["observation.state"].numpy(), wanted["states"][k])
        last = k + 1 == len(dataset) or episode_of[k + 1] != episode
        assert np.array_equal(item["action"].numpy(), wanted["states"][k if last else k + 1])
        for key in keys:
            check_picture(item[key], wanted, key, k)
    for episode, entry in enumerate(dataset.meta.episodes):
        assert entry["dataset_from_index"] == first_of[episode]
        assert entry["dataset_to_index"] == first_of[episode] + lengths[episode]
        assert entry["length"] == lengths[episode]
    print("frames", len(dataset))


def check_times(root: str, wanted) -> None:
    fps = load(root).fps
    key = next(name.removeprefix("film:") for name in wanted.files if name.startswith("film:"))
    dataset = load(root, delta_timestamps={key: [-1 / fps, 0.0, 2 / fps], "action": [0.0, 1 / fps]})
    first = int(wanted["lengths"][0])
    for k in (0, 5, first - 1, first):
        item = dataset[k]
        start, stop = (0, first) if k < first else (first, first + int(wanted["lengths"][1]))
        at = [min(max(k + step, start), stop - 1) for step in (-1, 0, 2)]
        for picture, own in zip(item[key], at, strict=True):
            check_picture(picture, wanted, key, own)
        assert item[f"{key}_is_pad"].tolist() == [not start <= k + step < stop for step in (-1, 0, 2)]
        assert item["action"].shape[0] == 2
    some = load(root, episodes=[1])
    assert len(some) == wanted["lengths"][1]
    assert int(some[0]["episode_index"]) == 1
    print("times")


def check_stats(root: str, wanted) -> None:
    stats = load(root).meta.stats
    states = wanted["states"]
    assert np.allclose(stats["observation.state"]["mean"], states.mean(0), atol=1e-6)
    assert np.allclose(stats["observation.state"]["std"], states.std(0), atol=1e-6)
    assert np.array_equal(stats["observation.state"]["max"].astype(np.float32), states.max(0))
    assert stats["index"]["count"].tolist() == [len(states)]
    for name in (name for name in wanted.files if name.startswith("film:")):
        mean = wanted[name].mean((0, 1, 2)) / 255
        found = stats[name.removeprefix("film:")]
        assert found["mean"].shape == (3, 1, 1)
        assert np.allclose(found["mean"].ravel(), mean, atol=0.01)
    print("stats")


def check_training(root: str) -> None:
    from lerobot.configs.types import FeatureType
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy
    from lerobot.policies.factory import make_pre_post_processors

    torch.manual_seed(0)
    torch.set_num_threads(1)
    meta = load(root).meta
    features = dataset_to_policy_features(meta.features)
    outputs = {name: feature for name, feature in features.items() if feature.type is FeatureType.ACTION}
    inputs = {name: feature for name, feature in features.items() if name not in outputs}
    config = ACTConfig(
        input_features=inputs, output_features=outputs, chunk_size=4, n_action_steps=4, dim_model=32, n_heads=2,
        dim_feedforward=64, n_encoder_layers=1, n_vae_encoder_layers=1, latent_dim=8, dropout=0.0,
        pretrained_backbone_weights=None, device="cpu",
    )  # fmt: skip
    policy = ACTPolicy(config)
    policy.train()
    before, _ = make_pre_post_processors(config, dataset_stats=meta.stats)
    dataset = load(root, delta_timestamps={"action": [k / meta.fps for k in range(4)]})
    batch = before(next(iter(torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=False))))
    optimizer = torch.optim.AdamW(policy.get_optim_params(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss, _ = policy.forward(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(np.isfinite(losses)), losses
    assert losses[-1] < losses[0], losses
    print("trained", json.dumps(losses))


def check_example(root: str, example: str) -> None:
    folder, _, scene = root.rpartition("/")
    space = {"folder": folder, "scene": scene}
    exec(example, space)
    assert space["frame"]["task"].startswith("Predict")
    print("example")


def main() -> None:
    root, expected = sys.argv[1:]
    wanted = Arrays(expected)
    check_frames(root, wanted)
    check_times(root, wanted)
    check_stats(root, wanted)
    check_training(root)
    check_example(root, os.environ["PHYSREEL_LEROBOT_EXAMPLE"])


if __name__ == "__main__":
    main()
