"""What captions and questions call bodies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from physreel.analysis.words import a, listed, number, plural
from physreel.geometry.extents import bounding_radius_m
from physreel.geometry.rotations import rotate_wxyz
from physreel.spec import Body, SceneSpec

_MATERIAL_WORDS = {"ABS": "plastic"}
_SIZE_RATIO = 1.4


class Names:
    """Phrases for the bodies of one spec.

    A body is called by its label, or by material and shape if it has none. Where two share a label and one is clearly
    larger, they are "the larger" and "the smaller"; others that share a label have no name of their own, and questions
    about them cannot be asked.
    """

    def __init__(self, spec: SceneSpec) -> None:
        self._labels = [_label(body) for body in spec.bodies]
        groups: dict[str, list[int]] = {}
        for index, label in enumerate(self._labels):
            groups.setdefault(label, []).append(index)
        self._own: list[str | None] = [None] * len(self._labels)
        for label, members in groups.items():
            if len(members) == 1:
                self._own[members[0]] = label
            elif len(members) == 2 and all(spec.bodies[k].shape.kind != "plane" for k in members):
                small, large = sorted(members, key=lambda k: bounding_radius_m(spec.bodies[k].shape))
                ratio = bounding_radius_m(spec.bodies[large].shape) / bounding_radius_m(spec.bodies[small].shape)
                if ratio >= _SIZE_RATIO:
                    self._own[small], self._own[large] = f"smaller {label}", f"larger {label}"

    def unique(self, index: int) -> str | None:
        """The body's own name without article, None if it has none."""
        return self._own[index]

    def label(self, index: int) -> str:
        """The label, which others may share, without article."""
        return self._labels[index]

    def the(self, index: int) -> str:
        """With the definite article: "the red ball", "one of the red balls"."""
        own = self._own[index]
        return f"one of the {plural(self._labels[index])}" if own is None else f"the {own}"

    def the_all(self, indices: Sequence[int]) -> str:
        """Several bodies: "the red ball and two of the cubes"."""
        counts = Counter(self._labels[k] for k in indices if self._own[k] is None)
        phrases = []
        for k in indices:
            label = self._labels[k]
            if self._own[k] is not None:
                phrases.append(f"the {self._own[k]}")
            elif label in counts:
                count, total = counts.pop(label), self._labels.count(label)
                if count == total:
                    phrases.append(f"the {number(count)} {plural(label)}")
                else:
                    phrases.append(f"{number(count)} of the {plural(label)}")
        return listed(phrases)

    def introduced(self, indices: Sequence[int]) -> list[str]:
        """Phrases with the indefinite article, equal labels counted: ["a red ball", "two oak cubes"]."""
        counts = Counter(self._labels[k] for k in indices)
        return [a(label) if count == 1 else f"{number(count)} {plural(label)}" for label, count in counts.items()]


def _label(body: Body) -> str:
    label = " ".join(body.label.split())
    for article in ("a ", "an ", "the "):
        if label.lower().startswith(article):
            label = label[len(article) :]
    if label:
        return label
    if body.shape.kind == "plane":
        upward = rotate_wxyz(body.orientation_wxyz, np.array([0.0, 0.0, 1.0]))[2]
        return "floor" if upward > 0.9 else "wall" if abs(upward) < 0.5 else "slope" if upward > 0 else "ceiling"
    return f"{_MATERIAL_WORDS.get(body.material, body.material)} {_shape_word(body)}"


def _shape_word(body: Body) -> str:
    shape = body.shape
    if shape.kind == "box":
        low, _, high = sorted(shape.size_m)
        return "cube" if high < 1.1 * low else "block"
    words = {"sphere": "ball", "convex_hull": "lump", "compound": "object", "triangle_mesh": "object"}
    return words.get(shape.kind, shape.kind)
