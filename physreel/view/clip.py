"""The files of one row: its films, still and spectrogram, and a script with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from physreel.loaders.decode import decode_audio
from physreel.values.encodings import PASS_ENCODINGS
from physreel.view import colours, film, hearing
from physreel.view.entries import entry_of
from physreel.view.outlines import outline
from physreel.view.scripts import MOST_TEXT, cut, plain, rounded, script

MOST_POINTS = 1200
"""Values of a signal that are drawn; each stands for the least or greatest of those around it."""

_MOST_SPEC, _MOST_FRAMES = 3_000_000, 20_000
_PLAIN = (
    "sample_id", "scene", "scene_version", "domains", "seed", "index", "split", "group_id", "variant", "fps",
    "frame_count", "width", "height", "duration_s", "cue_s", "pascal_per_unit", "clipped_fraction", "caption",
    "questions", "events", "sound_events", "microphones", "outcome", "fluids",
)  # fmt: skip


def stem(number: int) -> str:
    """Where the files of a row are, without what each ends in. Never made of anything that the data set says."""
    return f"clips/{number // 1000:04d}/{number:08d}"


FILES = {
    "script": ".js",
    "rgb": "-rgb.mp4",
    "passes": "-passes.mp4",
    "poster": "-poster.jpg",
    "spectrogram": "-spectrogram.png",
    "sound": "-sound.flac",
}
"""What a row's files end in."""


def write_clip(record: Mapping[str, Any], number: int, folder: Path, encode: film.Encode) -> dict[str, Any]:
    """Write a row's files below ``folder``; returns its entry in the grid.

    Whatever cannot be decoded is told on the clip's page and left out.
    """
    base = folder / stem(number)
    base.parent.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    bodies = [body for body in _list(record.get("bodies")) if isinstance(body, Mapping)]
    fluids = _list(record.get("fluids"))
    palette = colours.body_colours([str(body.get("motion")) for body in bodies[:5000]], min(len(fluids), 1000))

    def put(what: str, data: bytes) -> None:
        base.with_name(base.name + FILES[what]).write_bytes(data)

    has = []
    media: dict[str, Any] = {"rgb": False, "passes": None, "sound": None, "spectrogram": None}
    still = None
    if (picture := _bytes(record.get("video"))) is not None:
        try:
            still = film.film_still(picture, record.get("frame_count"))
            put("rgb", picture)
            media["rgb"] = True
            has.append("rgb")
        except Exception as error:  # a film may be anything, and libav has an error for each way to be broken
            problems.append(f"the picture cannot be decoded: {type(error).__name__}: {str(error)[:160]}")
    if (made := film.pass_film(record, palette, encode, problems)) is not None:
        put("passes", made[0])
        media["passes"] = made[1]
        has.append("passes")
        still = made[2] if still is None else still
    if (sound := _bytes(record.get("audio"))) is not None:
        try:
            samples, rate = decode_audio(sound)
            drawn, media["spectrogram"] = hearing.spectrogram(samples, rate)
            put("spectrogram", film.png(drawn))
            heard, gain_db = hearing.audible(samples, rate)
            put("sound", heard)
            media["sound"] = {"gain_db": round(gain_db, 1)}
            has.append("sound")
            still = drawn if still is None else still
        except Exception as error:
            problems.append(f"the sound cannot be decoded: {type(error).__name__}: {str(error)[:160]}")
    if still is not None:
        put("poster", film.jpeg(still))
        has.append("poster")
    detail = _detail(record, bodies, problems) | {
        "number": number,
        "media": media,
        "colours": [colours.hex_colour(colour) for colour in palette],
        "problems": problems,
    }
    put("script", script("clip", number, detail).encode())
    return entry_of(record, has)


def write_poster(record: Mapping[str, Any], number: int, folder: Path) -> bool:
    """Only the still of a row's picture, for a grid that is served; False where it has none that can be decoded."""
    picture = _bytes(record.get("video"))
    if picture is None:
        return False
    try:
        still = film.film_still(picture, record.get("frame_count"))
    except Exception:  # told on the clip's page
        return False
    path = folder / f"{stem(number)}{FILES['poster']}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(film.jpeg(still))
    return True


def has_of(columns: tuple[str, ...]) -> list[str]:
    """What files a row of a part with these columns is expected to have, before it is read."""
    found = ["rgb"] if "video" in columns else []
    if any(name in columns for name in PASS_ENCODINGS):
        found.append("passes")
    if "audio" in columns:
        found.append("sound")
    return [*found, "poster"] if found else []


def _bytes(file: Any) -> bytes | None:
    data = file.get("bytes") if isinstance(file, Mapping) else None
    return data if isinstance(data, bytes) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _detail(record: Mapping[str, Any], bodies: list[Mapping[str, Any]], problems: list[str]) -> dict[str, Any]:
    detail = {name: plain(record[name]) for name in _PLAIN if name in record}
    shapes = _outlines(record.get("spec"), len(bodies), problems)
    detail["bodies"] = [
        {name: plain(value) for name, value in body.items() if name != "pose"}
        | {"pose": _pose(body.get("pose")), "lines": shapes[k]}
        for k, body in enumerate(bodies)
    ]
    detail["signals"] = [_signal(signal) for signal in _list(record.get("signals")) if isinstance(signal, Mapping)]
    detail["camera"] = _camera(record.get("camera"))
    for name in ("spec", "provenance"):
        text = cut(str(record.get(name) or ""), _MOST_SPEC)
        # A spec may be longer than any other text is shown: it travels in pieces.
        detail[name] = [text[k : k + MOST_TEXT] for k in range(0, len(text), MOST_TEXT)]
    return detail


def _pose(pose: Any) -> list[float | None]:
    """T × 7 numbers one after the other, or 7 where the body never moves."""
    try:
        values = np.asarray(pose, np.float64)
    except (TypeError, ValueError):
        return []
    if values.size == 0 or values.size % 7 or values.size > _MOST_FRAMES * 7:
        return []
    values = values.reshape(-1, 7)
    return rounded(values[:1] if (values == values[0]).all() else values, 4)


def _camera(camera: Any) -> Any:
    if not isinstance(camera, Mapping):
        return None
    try:
        where = np.asarray(camera.get("camera_to_world"), np.float64).reshape(-1, 16)
        inside = np.asarray(camera.get("intrinsics"), np.float64).reshape(9)
    except (TypeError, ValueError):
        return {"name": plain(camera.get("name"))}
    if len(where) == 0 or len(where) > _MOST_FRAMES:
        return {"name": plain(camera.get("name"))}
    still = (where == where[0]).all()
    return {
        "name": plain(camera.get("name")),
        "intrinsics": rounded(inside, 3),
        "camera_to_world": rounded(where[:1] if still else where, 5),
    }


def _signal(signal: Mapping[str, Any]) -> dict[str, Any]:
    """A time series short enough to draw; of each stretch that is drawn as one, its least and its greatest."""
    said = {"name": plain(signal.get("name")), "unit": plain(signal.get("unit"))}
    rate = signal.get("rate_hz")
    try:
        values = np.asarray(signal.get("values"), np.float64).ravel()
    except (TypeError, ValueError):
        values = np.zeros(0)
    if not isinstance(rate, int | float) or not rate > 0 or values.size == 0:
        return said | {"times": [], "values": []}
    times = np.arange(values.size) / rate
    if values.size > MOST_POINTS:
        bounds = np.linspace(0, values.size, MOST_POINTS // 2 + 1).astype(int)
        known = np.where(np.isfinite(values), values, np.nan)
        kept: list[int] = []
        for low, high in pairwise(bounds.tolist()):
            part = known[low:high]
            if np.isnan(part).all():
                kept.append(int(low))
            else:
                kept += sorted({low + int(np.nanargmin(part)), low + int(np.nanargmax(part))})
        times, values = times[kept], values[kept]
    digits = 9 if float(np.abs(np.nan_to_num(values)).max()) < 0.01 else 6
    return said | {"times": rounded(times, 4), "values": rounded(values, digits)}


def _outlines(spec: Any, count: int, problems: list[str]) -> list[list[list[float | None]]]:
    """For each body the lines of its shape, each a list of x, y, z one after the other."""
    from physreel.spec import SceneSpec

    none: list[list[list[float | None]]] = [[] for _ in range(count)]
    if not isinstance(spec, str) or not count:
        return none
    try:
        world = SceneSpec.from_json(spec)
        shapes = [[rounded(line, 4) for line in outline(body.shape)] for body in world.bodies]
    except Exception as error:
        first = str(error).partition("\n")[0]
        problems.append(
            f"the spec cannot be read, so bodies are drawn as points: {type(error).__name__}: {first[:160]}"
        )
        return none
    return shapes if len(shapes) == count else none
