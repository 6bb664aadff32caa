"""``make pictures``: the contact sheets of the README, from the code as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from physreel.exporters.stills import contact_sheet, write_png
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.scenes.base import ClipSettings

IMAGES = Path(__file__).with_name("images")
FALLING = ClipSettings(width=224, height=224, fps=24, duration_s=1.25)
POURING = ClipSettings(width=256, height=256, fps=30, duration_s=3.0)
RUNNING = ClipSettings(width=256, height=256, fps=24, duration_s=2.5)
MACHINES_SEED = 3
LIQUIDS = ("water", "milk", "red wine", "olive oil", "honey")


def film(plan: Plan, index: int) -> NDArray[np.uint8]:
    """(T, H, W, 3) what the first camera of a sample saw."""
    frames = Pipeline(plan).sample(index).clip.views[0].rgb
    assert frames is not None
    return frames


def falling() -> None:
    """Twenty seeds, each at 0.5 s: things are in the air, and the first have landed."""
    plan = Plan(scene="falling", count=20, seed=2, clip=FALLING, audio=False)
    write_png(IMAGES / "falling.png", contact_sheet([film(plan, index)[12] for index in range(20)], 5))


def liquids() -> None:
    """Five liquids out of jugs into glasses, one a column, at three times."""
    stills = []
    for index, liquid in enumerate(LIQUIDS):
        parameters = {"liquid": liquid, "source": "jug", "target": "glass", "support": "table", "target_offset": 0}
        plan = Plan(scene="pouring", count=8, seed=5, clip=POURING, audio=False, parameters=parameters)
        frames = film(plan, index)
        stills.append([frames[k] for k in (34, 52, 87)])
    write_png(IMAGES / "liquids.png", contact_sheet([column[k] for k in range(3) for column in stills], 5))


def machines() -> None:
    """Five seeds of each scene of machines, one scene a row, two seconds into the clip."""
    stills = []
    for scene in ("gears", "bearing", "engine", "mechanism"):
        plan = Plan(scene=scene, count=5, seed=MACHINES_SEED, clip=RUNNING, audio=False)
        stills += [film(plan, index)[48] for index in range(5)]
    write_png(IMAGES / "machines.png", contact_sheet(stills, 5))


if __name__ == "__main__":
    falling()
    liquids()
    machines()
