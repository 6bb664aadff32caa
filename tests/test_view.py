"""The page to look at a data set with: its files, what is in them, what is refused, and how it is served."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from view_datasets import HOSTILE, rows_of, script_values, write_dataset

from physreel.errors import InputError
from physreel.exporters.video import encode_mp4
from physreel.geometry.extents import bounding_box
from physreel.loaders.decode import decode_video
from physreel.manifest import FORMAT, manifest_line
from physreel.spec import Box, Capsule, Cone, ConvexHull, Cylinder, Ellipsoid, SceneSpec, Sphere, Tank, Vessel
from physreel.spec.toothed import Gear, Rack, Ring
from physreel.view import colours, hearing
from physreel.view.clip import write_clip
from physreel.view.entries import chunk_of, entry_of, flat_outcome
from physreel.view.folder import MARK, assets, write_view
from physreel.view.outlines import outline
from physreel.view.reading import Rows
from physreel.view.scripts import MOST_TEXT, plain, script
from physreel.view.serve import HOST, serve_view, wanted_range

NAMES = re.compile(
    r"index\.html|physreel-view\.json|assets/[a-z]+\.(js|css|svg)|data/(summary|rows-\d{5})\.js"
    r"|clips/\d{4}/\d{8}(\.js|-(rgb|passes)\.mp4|-poster\.jpg|-spectrogram\.png|-sound\.flac)"
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    rows, schema = rows_of(3)
    rows[2] |= {"group_id": rows[0]["group_id"], "variant": "changed"}
    return write_dataset(tmp_path_factory.mktemp("data") / "small", {"by_hand": (rows, schema)})


@pytest.fixture(scope="module")
def page(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("view") / "page"
    written = write_view(dataset, out, encode=encode_mp4)
    assert (written.clips, written.problems) == (3, ())
    return out


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def detail(folder, number):
    found_number, found = script_values((folder / f"clips/0000/{number:08d}.js").read_text())
    assert found_number == number
    return found


def test_a_view_is_a_folder_of_known_names_and_nothing_of_it_is_loaded_from_elsewhere(page):
    found = files(page)
    assert all(NAMES.fullmatch(name) for name in found)
    html = found["index.html"].decode()
    for asked in re.findall(r'(?:src|href)="([^"#]+)"', html):
        assert asked in found
    assert "<script>" not in html
    assert "style=" not in html
    assert "default-src 'none'" in html
    assert "unsafe" not in html
    for name, data in found.items():
        if name.startswith("assets/") and name.endswith((".js", ".css")):
            assert not re.search(rb"https?:|//cdn|@import|url\(", data), name
            assert not re.search(rb"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", data), (
                name
            )


def test_the_page_has_every_row_and_what_is_known_of_it(page, dataset):
    (summary,) = script_values((page / "data/summary.js").read_text())
    assert summary == {"dataset": "small", "count": 3, "chunks": 1, "problems": []}
    (chunk,) = script_values((page / "data/rows-00000.js").read_text())
    rows = [dict(zip(chunk["columns"], cells[1:-1], strict=True)) for cells in chunk["rows"]]
    assert [row["id"] for row in rows] == [f"by_hand-0-{k:08d}" for k in range(3)]
    assert rows[0]["group"] == rows[2]["group"] != rows[1]["group"]
    assert rows[2]["variant"] == "changed"
    assert rows[0]["has"] == ["rgb", "passes", "sound", "poster"]
    fields = chunk["kinds"][0]["fields"]
    outcome = dict(zip(fields, chunk["rows"][1][-1], strict=True))
    assert outcome["count"] == 1
    assert outcome["upright"] is True
    assert outcome["best.time_s"] == 0.25
    assert outcome["landings (how many)"] == 1
    stored = next(iter(Rows(dataset).read(Rows(dataset).parts[0])))
    shown = detail(page, 0)
    for name in ("caption", "questions", "events", "sound_events", "outcome", "cue_s", "group_id"):
        assert shown[name] == plain(stored[name])
    assert "".join(shown["spec"]) == stored["spec"]
    assert json.loads("".join(shown["provenance"]))["index"] == 0
    ball = next(body for body in shown["bodies"] if body["name"] == "ball")
    pose = next(body for body in stored["bodies"] if body["name"] == "ball")["pose"]
    np.testing.assert_allclose(ball["pose"], pose, atol=5e-5)
    assert ball["lines"]
    assert shown["problems"] == []
    assert (page / "clips/0000/00000000-rgb.mp4").read_bytes() == stored["video"]["bytes"]


def test_passes_are_tiles_of_one_film_in_the_fixed_colours(page, dataset):
    shown = detail(page, 1)
    record = Rows(dataset).read(Rows(dataset).parts[0])[1]
    film = decode_video((page / "clips/0000/00000001-passes.mp4").read_bytes())
    assert film.shape[0] == record["frame_count"]
    assert film.shape[1:3] == (shown["media"]["passes"]["height"], shown["media"]["passes"]["width"])
    tiles = {tile["name"]: tile for tile in shown["media"]["passes"]["tiles"]}
    assert set(tiles) == {"depth", "segmentation", "normals", "flow"}
    at = tiles["segmentation"]
    picture = film[3, at["y"] : at["y"] + at["h"], at["x"] : at["x"] + at["w"]].astype(int)
    palette = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in shown["colours"]])
    wanted = palette[record.segmentation[3]]
    inside = np.ones(wanted.shape[:2], bool)  # away from edges, where a film's colours run
    for axis, by in ((0, 1), (0, -1), (1, 1), (1, -1), (0, 2), (0, -2), (1, 2), (1, -2)):
        inside &= np.roll(record.segmentation[3], by, axis) == record.segmentation[3]
    assert inside.sum() > 200
    assert np.abs(picture - wanted)[inside].mean() < 8
    legend = tiles["depth"]["legend"]
    finite = record.depth[np.isfinite(record.depth)]
    assert finite.min() - 0.01 <= legend["low"] < legend["high"] <= finite.max() + 0.01


def test_near_is_brighter_than_far_and_opposite_ways_have_other_hues():
    depth = np.linspace(1, 3, 64, dtype=np.float32).reshape(1, 1, 64)
    painted, legend = colours.paint_depth(depth)
    light = painted[0, 0].astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(light) <= 1.0).all()
    assert light[0] > light[-1] + 120
    assert 1.0 <= legend["low"] < legend["high"] <= 3.0
    flow = np.zeros((1, 1, 3, 2), np.float32)
    flow[0, 0, 0], flow[0, 0, 1] = (3, 0), (-3, 0)
    moving, _ = colours.paint_flow(flow)
    assert np.abs(moving[0, 0, 0].astype(int) - moving[0, 0, 1]).max() > 120
    assert moving[0, 0, 2].max() < 20
    normals, _ = colours.paint_normals(np.float32([[[[0, 0, 1], [0, 0, 0]]]]))
    assert normals[0, 0, 0].tolist() == [127, 127, 255]
    assert tuple(normals[0, 0, 1]) == colours.BACKGROUND


def test_a_colour_belongs_to_one_body_only():
    palette = colours.body_colours(["static", "dynamic", "driven"] + ["dynamic"] * 30, 2)
    assert len(palette) == 1 + 33 + 2
    moving = palette[2:]
    assert len(set(moving)) == len(moving)


def test_a_tone_is_brightest_at_its_own_height():
    time_s = np.arange(48_000) / 48_000
    for hz in (200.0, 1000.0, 8000.0):
        picture, axes = hearing.spectrogram(
            (0.25 * np.cos(2 * np.pi * hz * time_s))[:, None].astype(np.float32), 48_000
        )
        row = picture[:, picture.shape[1] // 2].sum(-1, dtype=int).argmax()
        place = 1 - (row + 0.5) / picture.shape[0]
        heard = axes["low_hz"] * (axes["high_hz"] / axes["low_hz"]) ** place
        assert heard == pytest.approx(hz, rel=0.08)
        assert axes["peak_db"] == pytest.approx(-12.04, abs=0.1)
    silent, axes = hearing.spectrogram(np.zeros((4800, 2), np.float32), 48_000)
    assert silent.max() < 10
    assert axes["peak_db"] is None


def test_soft_sounds_are_raised_and_it_is_said_by_how_much(page, dataset):
    from physreel.loaders.decode import decode_audio

    for peak, gain_db in ((1e-4, 77.0), (0.5, 3.02), (0.9, 0.0), (0.0, 0.0)):
        wave = peak * np.cos(np.arange(48_000) * 0.1)[:, None] * np.float32([1, -0.5, 0.1])
        data, raised = hearing.audible(wave.astype(np.float32), 48_000)
        assert raised == pytest.approx(gain_db, abs=0.02)
        heard, rate = decode_audio(data)
        assert (heard.shape, rate) == ((48_000, 2), 48_000)
        assert np.abs(heard).max() == pytest.approx(max(peak, 0.7079) if peak else 0.0, abs=1e-3)
    stored = Rows(dataset).read(Rows(dataset).parts[0])[0].audio
    heard, _ = decode_audio((page / "clips/0000/00000000-sound.flac").read_bytes())
    gain = 10 ** (detail(page, 0)["media"]["sound"]["gain_db"] / 20)
    np.testing.assert_allclose(heard, stored[:, :2] * gain, atol=0.01)


# --- what a data set says is never more than text ----------------------------------------------------------------


def test_hostile_values_come_back_as_they_were_and_the_file_is_plain_ascii():
    text = script("clip", 1, {word: word for word in HOSTILE})
    assert text.isascii()
    assert text.count("\n") == 1
    assert script_values(text) == [1, {word: word for word in HOSTILE}]


def test_values_that_json_lacks_become_words():
    odd = {
        "nan": float("nan"),
        "up": float("inf"),
        "down": float("-inf"),
        "big": 2**70,
        "raw": b"\xff" * 9,
        "none": None,
    }
    assert plain(odd) == {
        "nan": "NaN",
        "up": "Infinity",
        "down": "-Infinity",
        "big": str(2**70),
        "raw": "9 bytes",
        "none": None,
    }
    long = plain("x" * (MOST_TEXT + 5))
    assert long.endswith("… (5 characters more)")
    assert script_values(script("clip", odd))[0]["nan"] == "NaN"


def test_ids_and_groups_of_a_hostile_data_set_name_no_file(tmp_path):
    rows, schema = rows_of(len(HOSTILE), passes=("rgb",), sound=False)
    for row, word in zip(rows, HOSTILE, strict=True):
        row |= dict.fromkeys(("sample_id", "group_id", "variant", "caption", "split", "spec", "provenance"), word)
        row["outcome"] = row["outcome"] | {"last": word}
        row["questions"] = [dict(each, question=word, answer=word, kind=word) for each in row["questions"]]
        row["video"] = row["video"] | {"path": word}
        row["bodies"] = [body | {"name": word, "label": word} for body in row["bodies"]]
    out = tmp_path / "page"
    write_view(write_dataset(tmp_path / "data", {"../<b>": (rows, schema)}), out, encode=encode_mp4)
    found = files(out)
    assert all(NAMES.fullmatch(name) for name in found)
    for k, word in enumerate(HOSTILE):
        shown = detail(out, k)
        assert shown["caption"] == word
        assert shown["bodies"][0]["label"] == word
        assert "the spec cannot be read" in shown["problems"][0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "page"]


def test_text_that_is_no_utf8_is_shown_with_marks(tmp_path):
    rows, schema = rows_of(1, passes=(), sound=False)
    folder = write_dataset(tmp_path / "data", {"by_hand": (rows, schema)})
    (shard,) = folder.rglob("*.parquet")
    table = pq.read_table(shard)
    for name, word in (("caption", b"caf\xe9 <b>"), ("sample_id", b"\xff\xfe")):
        raw = pa.array([word], pa.binary())
        broken = pa.Array.from_buffers(pa.string(), 1, raw.buffers())
        table = table.set_column(table.column_names.index(name), name, broken)
    kind = table.schema.field("questions").type
    raw = pa.array([b"wh\xe9n?", b"?"], pa.binary())
    asked = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    (inner,) = table.column("questions").chunks
    names = [field.name for field in kind.value_type]
    parts = [asked if name == "question" else inner.values.field(name) for name in names]
    questions = pa.StructArray.from_arrays(parts, fields=list(kind.value_type))
    made = pa.ListArray.from_arrays(inner.offsets, questions, type=kind)
    table = table.set_column(table.column_names.index("questions"), table.schema.field("questions"), made)
    pq.write_table(table, shard)
    write_view(folder, tmp_path / "page", encode=encode_mp4)
    shown = detail(tmp_path / "page", 0)
    assert shown["caption"] == "caf\ufffd <b>"
    assert shown["sample_id"] == "\ufffd\ufffd"
    assert shown["questions"][0]["question"] == "wh\ufffdn?"
    assert shown["questions"][0]["answer"] == "2"
    assert shown["outcome"]["best"] == {"name": "block", "time_s": 0.25}


def test_what_cannot_be_decoded_is_told_and_the_rest_is_shown(tmp_path):
    rows, schema = rows_of(3)
    rows[0]["video"] = {"bytes": b"<html>no film</html>", "path": "x.mp4"}
    rows[0]["depth"] = b"\x00" * 40
    rows[1]["audio"] = {"bytes": b"RIFFnone", "path": "x"}
    rows[1]["bodies"] = [body | {"pose": [float("nan")] * 13} for body in rows[1]["bodies"]]
    rows[2] |= {"frame_count": -3, "width": 1 << 40, "fps": 0, "duration_s": float("nan")}
    out = tmp_path / "page"
    assert write_view(write_dataset(tmp_path / "data", {"by_hand": (rows, schema)}), out, encode=encode_mp4).clips == 3
    first, second, third = (detail(out, k) for k in range(3))
    assert [problem.split(":")[0] for problem in first["problems"]] == [
        "the picture cannot be decoded",
        "depth cannot be decoded",
    ]
    assert [tile["name"] for tile in first["media"]["passes"]["tiles"]] == ["segmentation", "normals", "flow"]
    assert first["media"]["sound"] is not None
    assert "the sound cannot be decoded" in second["problems"][0]
    assert all(body["pose"] == [] for body in second["bodies"])
    assert "no size of a film" in third["problems"][0]
    assert third["media"]["passes"] is None
    assert third["duration_s"] == "NaN"


# --- data sets of every kind --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passes", "sound", "expected"),
    [
        ((), False, []),
        ((), True, ["sound", "poster"]),
        (("depth",), False, ["passes", "poster"]),
        (("rgb",), False, ["rgb", "poster"]),
        (("segmentation", "flow"), True, ["passes", "sound", "poster"]),
    ],
)
def test_data_sets_without_picture_passes_or_sound_are_shown(tmp_path, passes, sound, expected):
    rows = rows_of(1, passes=passes, sound=sound)
    write_view(write_dataset(tmp_path / "data", {"by_hand": rows}), tmp_path / "page", encode=encode_mp4)
    (chunk,) = script_values((tmp_path / "page/data/rows-00000.js").read_text())
    assert chunk["rows"][0][1 + chunk["columns"].index("has")] == expected
    media = detail(tmp_path / "page", 0)["media"]
    assert (media["sound"] is not None) == sound
    assert (media["passes"] is not None) == ("passes" in expected)
    assert ("poster" in expected) == (tmp_path / "page/clips/0000/00000000-poster.jpg").exists()


def test_a_data_set_without_rows_has_a_page(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "manifest.jsonl").write_text(manifest_line(FORMAT))
    assert write_view(folder, tmp_path / "page", encode=encode_mp4).clips == 0
    assert script_values((tmp_path / "page/data/summary.js").read_text())[0]["count"] == 0
    assert (tmp_path / "page/index.html").exists()


def test_several_cameras_limit_and_scene(tmp_path):
    folder = write_dataset(
        tmp_path / "data",
        {"one": rows_of(2, cameras=2, passes=("rgb",)), "two": rows_of(2, passes=("rgb",), sound=False)},
    )
    rows = Rows(folder)
    assert rows.count == 6
    records = [record for part in rows.parts for record in rows.read(part)]
    entries = [entry_of(record, []) for record in records]
    assert entries[0]["sample"] == entries[1]["sample"]
    assert entries[0]["camera"] != entries[1]["camera"]
    assert [entry["scene"] for entry in entries] == ["one"] * 4 + ["two"] * 2
    assert write_view(folder, tmp_path / "few", encode=encode_mp4, limit=3).clips == 3
    assert write_view(folder, tmp_path / "one", encode=encode_mp4, scene="two").clips == 2
    with pytest.raises(InputError, match=r"no scene 'three'; it has one, two"):
        write_view(folder, tmp_path / "none", encode=encode_mp4, scene="three")
    assert not (tmp_path / "none").exists()


def test_any_number_of_workers_writes_the_same_bytes(tmp_path):
    folder = write_dataset(tmp_path / "data", {"by_hand": rows_of(3, passes=("rgb", "depth"))}, rows_a_shard=1)
    write_view(folder, tmp_path / "here", encode=encode_mp4)
    told = []
    write_view(folder, tmp_path / "there", encode=encode_mp4, workers=2, progress=lambda *at: told.append(at))
    assert files(tmp_path / "here") == files(tmp_path / "there")
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_outcomes_are_flat_fields_and_repeated_names_are_said_once():
    nested = {"a": {"b": 1, "c": {"d": None}}, "words": ["y", "x", "y"], "times": [0.1, 0.2], "none": [], "flag": True}
    flat = flat_outcome(nested)
    assert flat == {
        "a.b": 1,
        "a.c.d": None,
        "words": ["x", "y"],
        "times (how many)": 2,
        "none (how many)": 0,
        "flag": True,
    }
    entries = [entry_of({"scene": "s", "outcome": nested, "sample_id": str(k)}, []) for k in range(50)]
    entries.append(entry_of({"scene": "other", "outcome": None}, []))
    chunk = chunk_of(7, entries)
    assert [kind["scene"] for kind in chunk["kinds"]] == ["s", "other"]
    assert chunk["first"] == 7
    assert len(flat_outcome({f"f{k}": k for k in range(5000)})) == 200
    deep = {}
    inner = deep
    for _ in range(100):
        inner["x"] = {}
        inner = inner["x"]
    assert len(flat_outcome(deep)) == 1
    for _ in range(900):
        deep = {"x": [deep]}
    assert script("clip", deep).count("x") <= 40


def test_every_shape_has_an_outline_within_its_extent(dataset):
    spec = SceneSpec.from_json(Rows(dataset).read(Rows(dataset).parts[0])[0]["spec"])
    assert any(outline(body.shape) for body in spec.bodies)
    shapes = [
        Box(size_m=(1, 2, 3)),
        Sphere(radius_m=0.5),
        Cylinder(radius_m=0.5, height_m=2),
        Capsule(radius_m=0.5, length_m=1),
        Cone(radius_m=1, height_m=2),
        Ellipsoid(radii_m=(1, 2, 3)),
        ConvexHull(points_m=((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.1, 0.1, 0.1))),
        Gear(module_m=0.01, tooth_count=20, width_m=0.02, bore_radius_m=0.01),
        Gear(module_m=0.01, tooth_count=40, width_m=0.02, internal=True, rim_m=0.02),
        Rack(module_m=0.01, tooth_count=8, width_m=0.02, back_m=0.01),
        Ring(inner_radius_m=0.1, outer_radius_m=0.2, height_m=0.05),
        Vessel(profile_m=((0.0, 0.01), (0.1, 0.01), (0.12, 0.2)), wall_m=0.01),
        Tank(inside_m=(0.3, 0.2, 0.2), wall_m=0.01),
    ]
    for shape in shapes:
        points = np.concatenate(outline(shape))
        low, high = bounding_box(shape)
        slack = 0.02 * (high - low)
        assert (points >= low - slack).all(), shape.kind
        assert (points <= high + slack).all(), shape.kind
        assert (points.min(0) < low + 5 * slack).all(), shape.kind
        assert (points.max(0) > high - 5 * slack).all(), shape.kind


# --- where it is written ------------------------------------------------------------------------------------------


def test_a_folder_of_others_is_not_touched(tmp_path, dataset):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "letter.txt").write_text("mine")
    for out, words in (
        (theirs, "is not empty and was not written by this command"),
        (theirs / "letter.txt", "is a file"),
        (dataset, "must not be in the data set's own folder"),
        (dataset / "inside" / "page", "must not be in the data set's own folder"),
        ("s3://bucket/page", "must be a folder of this machine"),
        (tmp_path / ("x" * 300), "cannot be used"),
    ):
        with pytest.raises(InputError, match=words):
            write_view(dataset, out, encode=encode_mp4)
    assert files(theirs) == {"letter.txt": b"mine"}
    assert "inside" not in {p.name for p in dataset.iterdir()}


def test_an_earlier_view_is_replaced_whole_and_kept_when_the_new_one_fails(tmp_path, dataset):
    out = tmp_path / "page"
    write_view(dataset, out, encode=encode_mp4)
    before = files(out)

    def fails(frames, fps):
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"No space left.*earlier view is kept"):
        write_view(dataset, out, encode=fails)
    assert files(out) == before
    with pytest.raises(KeyboardInterrupt):
        write_view(dataset, out, encode=lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert files(out) == before
    write_view(dataset, out, encode=encode_mp4, limit=1)
    assert {name for name in files(out) if name.startswith("clips/")} == {
        name for name in before if name.startswith("clips/0000/00000000")
    }
    with pytest.raises(InputError):
        write_view(dataset, tmp_path / "new" / "page", encode=fails)
    assert not (tmp_path / "new" / "page").exists()


def test_a_view_that_was_killed_half_way_is_written_again(tmp_path, dataset):
    out = tmp_path / "page"
    (out / ".physreel-view" / "clips").mkdir(parents=True)
    write_view(dataset, out, encode=encode_mp4, limit=1)
    assert (out / MARK).exists()
    assert not (out / ".physreel-view").exists()


def test_damaged_shards_are_left_out_and_told(tmp_path):
    folder = write_dataset(tmp_path / "data", {"by_hand": rows_of(3, passes=("rgb",), sound=False)}, rows_a_shard=1)
    shards = sorted(folder.rglob("*.parquet"))
    shards[0].unlink()
    shards[1].write_bytes(shards[1].read_bytes()[:-50])
    written = write_view(folder, tmp_path / "page", encode=encode_mp4)
    assert written.clips == 1
    assert len(written.problems) == 2
    assert "is missing" in written.problems[0]
    assert "cannot be read" in written.problems[1]
    assert script_values((tmp_path / "page/data/summary.js").read_text())[0]["problems"] == list(written.problems)
    # Numbers in the middle of a file: the footer is whole, what it points to is not.
    data = bytearray(shards[2].read_bytes())
    data[100:-5000] = bytes(len(data) - 5100)
    shards[2].write_bytes(data)
    with pytest.raises(InputError, match=r"no clip can be read|no shard"):
        write_view(folder, tmp_path / "none", encode=encode_mp4)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["../outside.parquet", "/etc/passwd", "data/../../x.parquet", "data\\..\\x.parquet"])
def test_a_manifest_that_names_files_outside_is_refused(tmp_path, name):
    folder = write_dataset(tmp_path / "data", {"by_hand": rows_of(1, passes=(), sound=False)}, said=name)
    with pytest.raises(InputError, match="outside of the data set"):
        write_view(folder, tmp_path / "page", encode=encode_mp4)


@pytest.mark.parametrize(
    "line",
    [
        {"kind": "shard"},
        {"kind": "plan", "scene": 1},
        {"kind": "plan", "scene": "x", "plan": []},
        {"kind": "shard", "scene": "x", "split": 3, "file": None},
        {"no": 1},
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused_or_holds_nothing(tmp_path, line):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "manifest.jsonl").write_text(manifest_line(FORMAT) + manifest_line(line))
    try:
        assert write_view(folder, tmp_path / "page", encode=encode_mp4).clips == 0
    except InputError as refused:
        told = str(refused)
    else:
        told = "a manifest that holds nothing"
    assert "manifest" in told


# --- served -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(dataset):
    """(port, site) of a server that runs until the tests of this file are done."""
    found = {}
    started = threading.Event()

    def ready(address, site):
        found.update(address=address, site=site)
        started.set()

    def run():
        import physreel.view.serve as module

        server_class = module.ThreadingHTTPServer

        class Stoppable(server_class):
            def __init__(self, *args):
                super().__init__(*args)
                found["server"] = self

        module.ThreadingHTTPServer = Stoppable
        try:
            serve_view(dataset, encode=encode_mp4, ready=ready)
        finally:
            module.ThreadingHTTPServer = server_class

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(20)
    yield found
    found["server"].shutdown()
    thread.join(10)
    assert not thread.is_alive()
    assert not found["site"].folder.exists()


def ask(served, path, method="GET", **headers):
    port = int(served["address"].rsplit(":", 1)[1].strip("/"))
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_served_files_are_those_of_the_folder(served, page):
    for name, data in files(page).items():
        if name == MARK or name == "data/rows-00000.js":
            continue
        answer, body = ask(served, f"/{name}")
        assert answer.status == 200, name
        assert body == data, name
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    answer, body = ask(served, "/")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert body == assets()["index.html"]


def test_films_are_served_in_ranges_so_that_they_seek(served, page):
    name = "clips/0000/00000001-rgb.mp4"
    data = (page / name).read_bytes()
    answer, body = ask(served, f"/{name}", Range="bytes=10-19")
    assert (answer.status, answer.headers["Content-Range"]) == (206, f"bytes 10-19/{len(data)}")
    assert body == data[10:20]
    assert ask(served, f"/{name}", Range="bytes=-5")[1] == data[-5:]
    assert ask(served, f"/{name}", Range=f"bytes={len(data) - 3}-")[1] == data[-3:]
    answer, body = ask(served, f"/{name}", Range=f"bytes={len(data)}-")
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
    answer, body = ask(served, f"/{name}", method="HEAD")
    assert (answer.status, body, answer.headers["Content-Length"]) == (200, b"", str(len(data)))


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, (0, 99)), ("bytes=0-0", (0, 0)), ("bytes=5-", (5, 99)), ("bytes=90-900", (90, 99)), ("bytes=-10", (90, 99)),
     ("bytes=-1000", (0, 99)), ("bytes=100-", None), ("bytes=9-3", None), ("bytes=-0", None), ("bytes=-", (0, 99)),
     ("lines=1-2", (0, 99)), ("bytes=0-1,4-5", (0, 99)), ("bytes=a-b", (0, 99))],
)  # fmt: skip
def test_ranges(header, expected):
    assert wanted_range(header, 100) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/clips/0000/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/assets/",
        "/assets/../clip.py",
        "/assets/base.css/",
        "/clips/",
        "/clips/0000/00000009.js",
        "/clips/0000/00000000-secret.mp4",
        "/manifest.jsonl",
    ],
)
def test_nothing_else_is_served(served, path):
    assert ask(served, path)[0].status == 404


def test_pages_of_other_names_may_not_read_it(served):
    assert ask(served, "/", Host="evil.example")[0].status == 403
    assert ask(served, "/", method="POST")[0].status == 501
    assert served["address"].startswith("http://127.0.0.1:")
    assert served["server"].server_address[0] == "127.0.0.1"


def test_a_still_is_made_without_the_rest_of_the_clip(tmp_path, dataset):
    from physreel.view.serve import Site

    def never(frames, fps):
        raise AssertionError("a still needs no film")

    site = Site(dataset, never, scene=None, limit=None, folder=tmp_path)
    assert site.find("clips/0000/00000001-poster.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["00000001-poster.jpg"]


# --- the command --------------------------------------------------------------------------------------------------


def run(*words, **how):
    return subprocess.run(
        [sys.executable, "-m", "physreel", "view", *map(str, words)], capture_output=True, text=True, timeout=60, **how
    )


def test_all_that_is_wrong_with_a_request_is_told_at_once(tmp_path, dataset):
    done = run(dataset, "--out", dataset / "page", "--serve", "--limit", 0, "--port", 70000, "--workers", 9000)
    assert done.returncode == 2
    for words in ("give one of --out", "--limit must be 1 or more", "--port must be 0", "--workers"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    done = run(tmp_path / "nothing", "--out", tmp_path / "page")
    assert done.returncode == 2
    assert "no physreel data set" in done.stderr
    assert not (tmp_path / "page").exists()


def test_the_command_writes_a_page(tmp_path, dataset):
    done = run(dataset, "--out", tmp_path / "page", "--limit", 1, "--workers", 0)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"1 clips: {tmp_path / 'page' / 'index.html'}\n"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serving_ends_cleanly(tmp_path, dataset, how):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "physreel", "view", str(dataset), "--serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stdout.readline()
        port = int(re.fullmatch(r"3 clips: http://127\.0\.0\.1:(\d+)/\n", line)[1])
        assert ask({"address": f"http://127.0.0.1:{port}/"}, "/clips/0000/00000000.js")[0].status == 200
        assert any(tmp_path.iterdir())
        done = run(dataset, "--serve", "--port", port)
        assert done.returncode == 2
        assert f"--port {port} cannot be used" in done.stderr
        process.send_signal(how)
        _, told = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert told == "physreel: Ctrl-C ends it\nphysreel: stopped\n"
    assert not any(tmp_path.glob("physreel-view-*"))


def test_the_scripts_are_programs():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    home = Path(sys.modules["physreel.view"].__file__).parent / "assets"
    for path in sorted(home.glob("*.js")):
        done = subprocess.run([node, "--check", str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_clip_with_a_long_film_is_shown_coarser(tmp_path):
    from physreel.view.film import _coarser

    assert _coarser(60, 256, 256, 4) == 1
    assert _coarser(60, 1080, 1920, 4) == 3
    frames = 3000
    step = _coarser(frames, 480, 640, 4)
    assert frames * (480 // step) * (640 // step) * 3 * 4 <= 600_000_000
    rows, _ = rows_of(1, passes=("depth",), sound=False)
    assert write_clip(rows[0], 12_345_678, tmp_path, encode_mp4)["has"] == ["passes", "poster"]
    assert (tmp_path / "clips/12345/12345678-passes.mp4").exists()
