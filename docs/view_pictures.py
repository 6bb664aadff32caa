"""The pictures of viewing.md, from the code as it is: ``python docs/view_pictures.py [DATASET]``.

Without a data set, one of falling objects and gears is made first. Needs Chromium and ``pip install playwright``.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import physreel
from physreel.exporters.video import encode_mp4
from physreel.view.folder import write_view

IMAGES = Path(__file__).with_name("images")
CHROMIUM = os.environ.get("PHYSREEL_CHROMIUM", "/usr/bin/chromium")
PASSES = ("rgb", "depth", "segmentation", "normals", "flow")
SHOTS = (
    ("view-grid", "", {"width": 1280, "height": 700}, 1.0),
    ("view-clip", "#clip=9", {"width": 1280, "height": 1320}, 1.9),
)


def dataset(folder: Path) -> Path:
    """Eight clips of falling objects and seven of gears, with all passes."""
    for scene, count in (("falling", 8), ("gears", 7)):
        physreel.generate(scene, count=count, seed=3, out=folder, passes=PASSES)
    return folder


def main(given: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as running:
        data = Path(given[0]) if given else dataset(Path(name) / "clips")
        write_view(data, Path(name) / "page", encode=encode_mp4)
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for shot, address, size, time_s in SHOTS:
            page = browser.new_page(viewport=size, color_scheme="dark")
            page.goto(f"file://{name}/page/index.html{address}")
            page.wait_for_timeout(4000)
            if address:
                page.evaluate(f"physreelView.player().seek({time_s})")
                page.wait_for_timeout(2000)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture.save(IMAGES / f"{shot}.webp", quality=82, method=6)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
