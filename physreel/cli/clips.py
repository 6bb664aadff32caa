"""``physreel preview`` and ``unpack``: clips as files for eyes and ears."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physreel.errors import InputError, SpecError
from physreel.exporters.sound import encode_flac
from physreel.exporters.stills import contact_sheet, write_png
from physreel.exporters.video import encode_mp4
from physreel.pipeline import Pipeline
from physreel.runners.given import given_world
from physreel.runners.requests import make_plan, pipeline_for
from physreel.storage.outputs import own_folder_problem
from physreel.values import Sample

_FRAMES_A_CLIP = 4
_CLIPS_ON_A_SHEET = 24
_SHEET_COLUMNS_PREVIEW = 4
_FRAMES_PREVIEW = 12


def preview(scene: str, out: Path, request: dict[str, Any], *, seed: int, index: int) -> None:
    """Make one sample of a scene, or the world in a spec file, write it as files and tell about it."""
    problems = list(request.pop("problems"))
    if problem := own_folder_problem(out, "labels.json"):
        problems.append(problem)
    if scene.endswith(".json"):
        pipeline = _spec_file(scene, request, problems)
        index = 0
    else:
        pipeline = pipeline_for(scene, seed=seed, index=index, problems=problems, **request)
    sample = pipeline.sample(index)
    _write_preview(sample, out, with_outcome=not scene.endswith(".json"))


def _spec_file(path: str, request: dict[str, Any], problems: list[str]) -> Pipeline:
    for name in ("width", "height", "fps", "duration_s", "parameters"):
        if request.pop(name, None):
            said = request["said"].get(name, name)
            problems.append(f"{said}: a spec file says this itself; change it there")
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(
            [*problems, f"SCENE: cannot read {path}: {reason}"], what="this request cannot be run"
        ) from None
    try:
        scene = given_world(text)
    except SpecError as error:
        raise SpecError([*problems, *error.problems], what=path) from None
    plan = make_plan(scene, count=1, problems=problems, **request)
    pipeline = Pipeline(plan, scene=scene)
    try:
        pipeline.check(0)
    except SpecError as error:
        raise SpecError(error.problems, what=path) from None
    return pipeline


def _write_preview(sample: Sample, out: Path, *, with_outcome: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    audio = sample.clip.audio
    sound = audio.samples if audio is not None and audio.samples.shape[1] else None
    several = len(sample.clip.views) > 1
    labels = {
        "sample_id": sample.sample_id,
        "caption": sample.caption,
        "outcome": sample.outcome.model_dump() if with_outcome else None,
        "questions": [question.model_dump() for question in sample.questions],
        "events": [event.model_dump() for event in sample.events],
        "cue_s": sample.spec.cue_s,
    }
    # First, for it marks the folder as ours, whatever happens after.
    _put(out / "labels.json", json.dumps(labels, indent=2, ensure_ascii=False) + "\n", written)
    _put(out / "spec.json", sample.spec.model_dump_json(indent=2) + "\n", written)
    for view in sample.clip.views:
        if view.rgb is None:
            continue
        name = f"{sample.sample_id}-{view.camera}" if several else sample.sample_id
        _put(out / f"{name}.mp4", encode_mp4(view.rgb, sample.clip.fps, sound), written)
        sheet = out / f"{name}.png"
        write_png(sheet, contact_sheet(_some(view.rgb, _FRAMES_PREVIEW), _SHEET_COLUMNS_PREVIEW))
        written.append(sheet)
    if sound is not None:
        _put(out / f"{sample.sample_id}.flac", encode_flac(sound), written)
    print(f"caption: {sample.caption}")
    if with_outcome:
        print(f"outcome: {json.dumps(labels['outcome'], ensure_ascii=False)}")
    print("questions:")
    for question in sample.questions:
        choices = f" ({' / '.join(question.choices)})" if question.choices else ""
        print(f"  {question.question}{choices} {question.answer}")
    print("files:")
    for path in written:
        print(f"  {path}")


def _put(path: Path, content: str | bytes, written: list[Path]) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    written.append(path)


def _some(frames: NDArray[np.uint8], count: int) -> list[NDArray[np.uint8]]:
    """``count`` frames, evenly spread from the first to the last."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    return [frames[k] for k in chosen]


def unpack(dataset: str, out: Path, limit: int | None) -> None:
    """Write the clips of a data set, of any format and at any address, as files."""
    from physreel.loaders.records import records, shard_files
    from physreel.storage import is_remote, open_store

    problems = [problem] if (problem := own_folder_problem(out, "labels.jsonl")) else []
    if limit is not None and limit < 1:
        problems.append(f"--limit must be 1 or more, got {limit}")
    if not is_remote(dataset) and out.resolve() == Path(dataset).resolve():
        problems.append("--out must not be the data set's own folder; name another")
    if problems:
        raise InputError("\n".join(problems))
    store = open_store(dataset)
    shards = [shard.file for shard in shard_files(store) if shard.rows]
    out.mkdir(parents=True, exist_ok=True)
    sheet: list[NDArray[np.uint8]] = []
    count = films = sheet_clips = 0
    with (out / "labels.jsonl").open("w") as labels:
        for row in islice(records(dataset, columns=(*_LABELS, "video", "audio")), limit):
            name = _file_name(row["sample_id"])
            labels.write(json.dumps({key: row[key] for key in _LABELS}, ensure_ascii=False) + "\n")
            if film := (row.get("video") or {}).get("bytes"):
                (out / f"{name}.mp4").write_bytes(film)
                films += 1
                if sheet_clips < _CLIPS_ON_A_SHEET:
                    sheet_clips += _add_to_sheet(sheet, film)
            if sound := (row.get("audio") or {}).get("bytes"):
                (out / f"{name}.flac").write_bytes(sound)
            count += 1
    print(f"{count} clips: {out}/*.mp4" if films else f"{count} clips, none of them with a video")
    if sheet:
        write_png(out / "contact_sheet.png", contact_sheet(sheet, 2 * _FRAMES_A_CLIP))
        print(f"contact sheet: {out / 'contact_sheet.png'}")
    print(f"labels: {out / 'labels.jsonl'}")
    for folder in dict.fromkeys(name.rpartition("/")[0] for name in shards):
        print(f"shards: {store}/{folder}/")


_LABELS = ("sample_id", "caption", "questions", "outcome")


def _add_to_sheet(sheet: list[NDArray[np.uint8]], film: bytes) -> int:
    """A few frames of a clip, if they are of the sheet's size; returns how many clips were added."""
    from physreel.loaders.decode import decode_video

    frames = _some(decode_video(film), _FRAMES_A_CLIP)
    if sheet and frames[0].shape != sheet[0].shape:
        return 0
    # A clip of fewer frames repeats its last, so that rows stay in step.
    sheet.extend(frames + [frames[-1]] * (_FRAMES_A_CLIP - len(frames)))
    return 1


def _file_name(sample_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", sample_id)
