"""Pictures of a row for the page: its passes painted and put into one film, and a still."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import InputError
from physreel.loaders.decode import decode_pass
from physreel.values.encodings import PASS_ENCODINGS
from physreel.view import colours

Encode = Callable[[NDArray[np.uint8], int], bytes]
"""(T, H, W, 3) frames and frames per second as an mp4 file."""

_STILL_WIDTH, _MOST_TILE, _MOST_BYTES, _MOST_PIXELS = 320, 640, 600_000_000, 400_000_000


def pass_names(record: Mapping[str, Any]) -> list[str]:
    """The passes that a row has, besides the picture."""
    return [name for name in PASS_ENCODINGS if record.get(name) is not None]


def pass_film(
    record: Mapping[str, Any], palette: Sequence[tuple[int, int, int]], encode: Encode, problems: list[str]
) -> tuple[bytes, dict[str, Any], NDArray[np.uint8]] | None:
    """All passes in one film, so that they cannot get out of step; where each is, its legend, and its middle frame.

    Passes that cannot be decoded are told in ``problems`` and left out; None if there are none.
    """
    painted: list[tuple[str, NDArray[np.uint8], Any]] = []
    names = pass_names(record)
    if not names:
        return None
    try:
        fps, frames, height, width = film_size(record)
    except InputError as error:
        problems.append(str(error))
        return None
    step = _coarser(frames, height, width, len(names))
    for name in names:
        try:
            values = decode_pass(name, record[name], frames, height, width)[:, ::step, ::step]
            painted.append((name, *_paint(name, values, palette)))
        except Exception as error:  # what is stored may be anything, and each library has its own way to say so
            problems.append(f"{name} cannot be decoded: {type(error).__name__}: {str(error)[:160]}")
    if not painted:
        return None
    tall, wide = painted[0][1].shape[1:3]
    # Even sides, for 4:2:0.
    cell_tall, cell_wide = tall + tall % 2, wide + wide % 2
    across = 1 if len(painted) == 1 else 2
    sheet = np.zeros((frames, -(-len(painted) // across) * cell_tall, across * cell_wide, 3), np.uint8)
    tiles = []
    for k, (name, picture, legend) in enumerate(painted):
        top, left = k // across * cell_tall, k % across * cell_wide
        sheet[:, top : top + tall, left : left + wide] = picture
        tiles.append({"name": name, "x": left, "y": top, "w": wide, "h": tall, "legend": legend})
    still = next((p for n, p, _ in painted if n == "segmentation"), painted[0][1])[frames // 2]
    return encode(sheet, fps), {"width": sheet.shape[2], "height": sheet.shape[1], "tiles": tiles}, still


def _paint(name: str, values: Any, palette: Sequence[tuple[int, int, int]]) -> tuple[NDArray[np.uint8], Any]:
    if name == "segmentation":
        return colours.paint_segmentation(values, palette)
    return {"depth": colours.paint_depth, "normals": colours.paint_normals, "flow": colours.paint_flow}[name](values)


def film_size(record: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Fps, frames, height and width of a row.

    Raises:
        InputError: they are not sizes that a film can have.
    """
    found = [record.get(name) for name in ("fps", "frame_count", "height", "width")]
    good = all(isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 20 for value in found)
    if not good or found[1] * found[2] * found[3] > _MOST_PIXELS:  # type: ignore[operator]
        raise InputError(f"fps, frame_count, height and width are {found}: no size of a film that can be shown")
    return found[0], found[1], found[2], found[3]  # type: ignore[return-value]


def _coarser(frames: int, height: int, width: int, passes: int) -> int:
    """Every how many-th pixel is shown, so that large films stay within memory and on the screen."""
    step = -(-width // _MOST_TILE)
    while frames * (height // step) * (width // step) * 3 * passes > _MOST_BYTES:
        step += 1
    return step


def film_still(film: bytes, frames: Any) -> NDArray[np.uint8]:
    """The middle frame of an mp4, (H, W, 3); the last it has where it has fewer than said."""
    import av

    wanted = frames // 2 if isinstance(frames, int) and 0 < frames < 1 << 20 else 0
    picture = None
    with av.open(io.BytesIO(film), "r") as container:
        for k, frame in enumerate(container.decode(video=0)):
            picture = frame
            if k >= wanted:
                break
    if picture is None:
        raise ValueError("it has no frames")
    return np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A picture at most 320 pixels wide as JPEG."""
    from PIL import Image

    image = Image.fromarray(picture)
    if image.width > _STILL_WIDTH:
        image = image.resize((_STILL_WIDTH, max(1, round(image.height * _STILL_WIDTH / image.width))))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()


def png(picture: NDArray[np.uint8]) -> bytes:
    """A picture as PNG."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).quantize(64, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
