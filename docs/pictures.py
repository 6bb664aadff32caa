"""``make pictures``: the contact sheet of the README, from the code as it is."""

from __future__ import annotations

from pathlib import Path

from physreel.exporters.stills import contact_sheet, write_png
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.scenes.base import ClipSettings

CLIP = ClipSettings(width=224, height=224, fps=24, duration_s=1.25)


def main() -> None:
    """Twenty seeds, each at 0.5 s: things are in the air, and the first have landed."""
    pipeline = Pipeline(Plan(scene="falling", count=20, seed=2, clip=CLIP, audio=False))
    frames = [pipeline.sample(index).clip.views[0].rgb for index in range(20)]
    stills = [film[12] for film in frames if film is not None]
    write_png(Path(__file__).with_name("images") / "falling.png", contact_sheet(stills, 5))


if __name__ == "__main__":
    main()
