"""The command line: what it writes, what it says, how it ends; bad input is one message and nothing is written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import Drop, plan_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from physreel import registry
from physreel.cli import main

TESTS = Path(__file__).parent
FAKE = ["--video-renderer", "fakes:FlatRenderer", "--audio-renderer", "fakes:TickRenderer"]
GENERATE = ["generate", "fakes:Drop", "-n", "5", "--shard-size", "2", *FAKE, "--workers", "0"]


@pytest.fixture(autouse=True)
def _fakes_importable(monkeypatch):
    monkeypatch.chdir(TESTS)
    for name in ("PHYSREEL_TEST_FAULTS", "PHYSREEL_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def physreel(capsys):
    """Runs a command in this process: (exit code, stdout, stderr)."""

    def call(*words: str | Path):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        code = ended.value.code
        said = capsys.readouterr()
        return 0 if code is None else code, said.out, said.err

    return call


@pytest.fixture
def dataset(tmp_path, physreel):
    out = tmp_path / "drops"
    code, _, errors = physreel(*GENERATE, "--out", out, "--passes", "all", "--split", "train=0.5,test=0.5")
    assert code == 0, errors
    return out


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- what commands do --------------------------------------------------------------------------------


def test_generate_tells_where_things_are_and_is_quiet_elsewhere(tmp_path, physreel):
    code, said, errors = physreel(*GENERATE, "--out", tmp_path / "out")
    assert (code, errors) == (0, "")
    assert said.startswith(f"5 of 5 clips of 'drop' in {tmp_path / 'out'} (")
    assert f"shards: {tmp_path / 'out' / 'data' / 'drop'}/" in said
    code, said, _ = physreel(*GENERATE, "--out", tmp_path / "out")
    assert code == 0
    assert "nothing to do" in said


def test_options_reach_the_plan(tmp_path, physreel):
    words = [
        "--size",
        "48x32",
        "--fps",
        "20",
        "--duration",
        "0.4",
        "--passes",
        "depth,rgb",
        "--seed",
        "9",
        "--no-audio",
        "--quality",
        "draft",
    ]
    code, _, errors = physreel(*GENERATE, *words, "--set", "height_m=0.3..0.4", "--out", tmp_path / "out")
    assert code == 0, errors
    plan = json.loads((tmp_path / "out" / "manifest.jsonl").read_text().splitlines()[1])["plan"]
    assert plan["clip"] == {"width": 48, "height": 32, "fps": 20, "duration_s": 0.4, "quality": "draft"}
    assert (plan["passes"], plan["seed"], plan["audio"]) == (["rgb", "depth"], 9, False)
    assert plan["parameters"] == {"height_m": "0.3..0.4"}


def test_a_bar_with_speed_and_time_left_is_shown_on_request(tmp_path, physreel):
    code, _, errors = physreel(*GENERATE, "--out", tmp_path / "out", "--progress")
    assert code == 0
    assert re.search(r"5/5 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+(clip/s|s/clip)\]", errors)


def test_failed_samples_end_in_a_table_and_exit_code_3(tmp_path, physreel, monkeypatch):
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "all").write_text("raise")
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(faults))
    code, said, errors = physreel(*GENERATE, "--out", tmp_path / "out")
    assert code == 3
    assert "0 of 5 clips" in said
    assert "5 of 5 samples failed" in errors
    assert re.search(r"^ +4  RuntimeError +on demand$", errors, re.M)
    assert "--retry-failed" in errors
    assert "Traceback" not in errors
    assert physreel(*GENERATE, "--out", tmp_path / "out")[0] == 3, "they are still missing"
    (faults / "all").unlink()
    assert physreel(*GENERATE, "--out", tmp_path / "out", "--retry-failed")[0] == 0


def test_list_names_everything_there_is(physreel):
    code, said, _ = physreel("list")
    assert code == 0
    for kind in registry.KINDS:
        for entry in registry.entries(kind):
            assert re.search(rf"^  {entry.name} ", said, re.M)
    assert "bullet" not in physreel("list", "scenes")[1]


def test_describe_tells_parameters_with_bounds_and_outcome_fields(physreel):
    code, said, _ = physreel("describe", "fakes:Drop")
    assert code == 0
    for words in ("height_m  [m]", "default 0.2..0.9; allowed 0.1..2", "height of the ball", "none | overlap | raise"):
        assert words in said
    assert "height_m (float): height at the end" in said
    for name in ("falling", "mujoco", "parquet"):
        assert physreel("describe", name)[0] == 0


def test_info_tells_splits_rows_plan_columns_and_outcomes(physreel, dataset):
    code, said, _ = physreel("info", dataset)
    assert code == 0
    assert "drop (version 1" in said
    assert ": complete" in said
    rows = {split: int(count) for split, count in re.findall(r"^  (train|test): (\d+) rows", said, re.M)}
    assert sum(rows.values()) == 5
    assert len(rows) == 2
    assert "passes=rgb+depth+segmentation+normals+flow" in said
    assert re.search(r"columns: sample_id, .*video.*depth.*outcome", said)
    assert re.search(r"height_m: 0\.\d+ to 0\.\d+, mean 0\.\d+", said)


def test_unpack_writes_films_sheet_and_labels(physreel, dataset, tmp_path):
    out = tmp_path / "clips"
    code, said, _ = physreel("unpack", dataset, "--out", out)
    assert code == 0
    assert [name for name in files(out) if name.endswith(".mp4")] == [f"drop-0-0000000{i}.mp4" for i in range(5)]
    labels = [json.loads(line) for line in (out / "labels.jsonl").read_text().splitlines()]
    assert {line["sample_id"] for line in labels} == {f"drop-0-0000000{i}" for i in range(5)}
    assert set(labels[0]) == {"sample_id", "caption", "questions", "outcome"}
    from imageio.v3 import imread

    sheet = imread(out / "contact_sheet.png")
    assert sheet.shape == (3 * 28 + 4, 8 * 36 + 4, 3), "five clips of four frames, two clips in a row"
    assert sheet.max() > 200
    for place in (out / "contact_sheet.png", out / "labels.jsonl", dataset / "data" / "drop"):
        assert str(place) in said
    assert physreel("unpack", dataset, "--out", out, "--limit", "2")[0] == 0, "it may be done again"
    assert len((out / "labels.jsonl").read_text().splitlines()) == 2


def test_preview_shows_the_sample_that_the_data_set_has(physreel, dataset, tmp_path):
    out = tmp_path / "look"
    code, said, errors = physreel("preview", "fakes:Drop", "--index", "3", "--out", out, *FAKE)
    assert code == 0, errors
    assert files(out) == ["drop-0-00000003.mp4", "drop-0-00000003.png", "labels.json", "spec.json"]
    labels = json.loads((out / "labels.json").read_text())
    physreel("unpack", dataset, "--out", tmp_path / "clips")
    stored = [json.loads(line) for line in (tmp_path / "clips" / "labels.jsonl").read_text().splitlines()]
    same = next(line for line in stored if line["sample_id"] == "drop-0-00000003")
    assert (labels["caption"], labels["outcome"]) == (same["caption"], same["outcome"])
    for words in ("caption: ", "outcome: ", "questions:", str(out / "drop-0-00000003.mp4")):
        assert words in said


def test_preview_runs_a_spec_file_as_it_is(physreel, tmp_path):
    physreel("preview", "fakes:Drop", "--out", tmp_path / "first", *FAKE)
    code, said, errors = physreel("preview", tmp_path / "first" / "spec.json", "--out", tmp_path / "again", *FAKE)
    assert code == 0, errors
    assert "outcome" not in said
    first, again = (json.loads((tmp_path / name / "labels.json").read_text()) for name in ("first", "again"))
    assert first["events"] == again["events"]
    film = "drop-0-00000000.mp4"
    assert (tmp_path / "first" / film).read_bytes() == (tmp_path / "again" / film).read_bytes()


def test_version_names_the_libraries(physreel):
    code, said, _ = physreel("version")
    assert code == 0
    assert re.search(r"physreel \d.*\n.*mujoco \d.*numpy \d", said)


def test_check_runs_the_checks_of_the_kind(physreel, monkeypatch):
    import physreel.testing as testing
    from physreel.errors import CheckError

    asked = []
    monkeypatch.setattr(testing, "run_checks", lambda kind, name: asked.append((kind, name)) or ("one", "two", "three"))
    code, said, _ = physreel("check", "fakes:TickRenderer")
    assert (code, asked) == (0, [("audio_renderers", "fakes:TickRenderer")])
    assert "all 3 checks hold" in said

    def fail(kind, name):
        raise CheckError("two of them do not")

    monkeypatch.setattr(testing, "run_checks", fail)
    code, _, errors = physreel("check", "fakes:Drop")
    assert code == 4
    assert "two of them do not" in errors


BAD_SPEC = json.dumps(
    {
        "scene": "s",
        "gravity": 3,
        "duration_s": 1,
        "fps": 0,
        "bodies": [{"name": "a", "shape": {"kind": "sphere", "radius_m": 1}, "material": "cheese"}],
    }
)

# --- what goes wrong --------------------------------------------------------------------------------


def test_all_problems_of_a_request_are_told_at_once(tmp_path, physreel):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    code, said, errors = physreel(
        "generate", "fakes:Drop", "-n", "0", "--size", "0x24", "--fps", "0", "--passes", "rgb,dept", "--seed", "-1",
        "--set", "height_m=0.5..9", "--set", "falt=none", "--split", "train=0.9,test=0.2", "--shard-size", "0",
        "--workers", "-1", "--timeout", "-3", "--memory-limit", "much", "--simulator", "mujocco",
        "--video-renderer", "fakes:Nothing", "--audio-renderer", "fakes:TickRenderer", "--out", tmp_path / "photos",
    )  # fmt: skip
    assert (code, said) == (2, "")
    for words in (
        "-n: Input should be greater than or equal to 1", "--size (width)", "--fps", "did you mean 'depth'", "--seed",
        "0.5..9 is outside the allowed 0.1..2 m", "did you mean 'fault'", "add up to 1", "--shard-size", "--workers",
        "--timeout", "--memory-limit", "Did you mean 'mujoco'", "fakes has no 'Nothing'", "it holds cat.jpg",
    ):  # fmt: skip
        assert words in errors, words
    assert files(tmp_path) == ["photos/cat.jpg"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["generate", "fakes:Dorp"], ["did you mean 'Drop'"]),
        (["generate", "faling"], ["no scene named 'faling'", "'falling'"]),
        (["generate", "{tmp}/broken.py:Scene"], ["broken.py line 2 raised ZeroDivisionError"]),
        (["generate", "fakes:Drop", "--set", "fault=raise"], ["sample 0", "fakes.py line", "the scene has a bug"]),
        (["generate", "fakes:Drop", "--set", "fault=nan"], ["sample 0", "position_m.2", "finite"]),
        (["generate", "fakes:Drop", "--set", "fault=overlap"], ["sample 0", "ball", "floor"]),
        (["generate", "fakes:Drop", "--size", "big"], ["--size", "320x240"]),
        (["generate", "fakes:Drop", "--set", "height_m"], ["--set", "name=value"]),
        (["generate", "fakes:Drop", "--passes", ""], ["--passes"]),
        (["generate", "fakes:Drop", "--out", "{tmp}/file"], ["is a file"]),
        (["generate", "fakes:Drop", "--out", "{tmp}/file/inside"], ["not a folder you may write to"]),
        (["generate", "fakes:Drop", "--out", "/proc/none/out"], ["cannot be made"]),
        (["generate", "fakes:Drop", "--out", "{tmp}/" + "x" * 300], ["cannot be"]),
        (["generate", "fakes:Drop", "-n", "many"], ["-n", "integer"]),
        (["generate", "fakes:Drop", "--sizes", "3x3"], ["--size"]),
        (["generat", "fakes:Drop"], ["generat"]),
        (["preview", "fakes:Drop", "--index", "-1"], ["--index"]),
        (["preview", "{tmp}/nothing.json"], ["cannot read", "nothing.json"]),
        (["preview", "{tmp}/bad.json"], ["bodies.0.material", "fps", "gravity"]),
        (["preview", "{tmp}/bad.json", "--size", "64x48"], ["--size", "change it there", "bodies.0.material"]),
        (["preview", "fakes:Drop", "--out", "{tmp}"], ["was not written by this command"]),
        (["unpack", "{tmp}"], ["no physreel data set"]),
        (["unpack", "{tmp}", "--limit", "0"], ["--limit"]),
        (["info", "{tmp}"], ["no physreel data set"]),
        (["info", "{tmp}/nowhere"], ["no physreel data set"]),
        (["describe", "mujocco"], ["nothing named 'mujocco'", "'mujoco'"]),
        (["list", "cats"], ["no kind 'cats'", "simulators"]),
        (["check", "fakes:misbehave"], ["fakes:misbehave"]),
    ],
)  # fmt: skip
def test_bad_input_is_one_message_with_a_remedy_and_nothing_is_written(tmp_path, physreel, words, expected):
    (tmp_path / "broken.py").write_text("a = 1\nb = a / 0\n")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "bad.json").write_text(BAD_SPEC)
    before = files(tmp_path)
    words = [word.format(tmp=tmp_path) for word in words]
    if words[0] == "generate" and "-n" not in words:
        words += ["-n", "3"]
    if words[0] in ("generate", "preview", "unpack") and "--out" not in words:
        words += ["--out", str(tmp_path / "out")]
    if words[0] in ("generate", "preview"):
        words += FAKE
    code, said, errors = physreel(*words)
    assert (code, said) == (2, "")
    for text in expected:
        assert text in errors
    assert "Traceback" not in errors
    assert files(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_an_internal_error_is_told_with_how_to_see_more(tmp_path, physreel, monkeypatch):
    def fail(*args, **options):
        raise KeyError("oops")

    monkeypatch.setattr("physreel.cli.show.list_all", fail)
    code, _, errors = physreel("list")
    assert code == 1
    assert "internal error: KeyError: 'oops'" in errors
    assert "--traceback" in errors
    with pytest.raises(KeyError):
        main(["list", "--traceback"])
    monkeypatch.setenv("PHYSREEL_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main(["list"])


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_full_disk_is_told(tmp_path, physreel, monkeypatch):
    import errno

    from physreel.exporters.parquet import ParquetExporter

    def full(self, encoded, path):
        path.write_bytes(b"half a shard")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ParquetExporter, "write_shard", full)
        code, _, errors = physreel(*GENERATE, "--out", tmp_path / "out")
    assert code == 2
    assert "no space is left" in errors
    assert "run the same command again" in errors
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert physreel(*GENERATE, "--out", tmp_path / "out")[0] == 0
    assert not (tmp_path / "out" / ".physreel").exists()


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(tmp_path):
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / "all").write_text("slow 0.2")
    words = list(GENERATE[:-2])
    words[words.index("-n") + 1] = "200"
    command = [sys.executable, "-m", "physreel", *words, "--workers", "2", "--out", str(tmp_path / "out")]
    environment = os.environ | {"PHYSREEL_TEST_FAULTS": str(faults)}
    with subprocess.Popen(
        command,
        cwd=TESTS,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as started:
        until = time.monotonic() + 60
        while not list((tmp_path / "out").glob("data/drop/*")) and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(started.pid, signal.SIGINT)
        _, errors = started.communicate(timeout=30)
    assert started.returncode == 130
    assert errors == "physreel: stopped. What is finished is kept; the same command goes on from there.\n"


def test_output_into_a_closed_pipe_is_no_error(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m physreel list | true", shell=True, cwd=TESTS, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""


TEXT = st.text(max_size=12)
OPTION = st.sampled_from(
    ["--size", "--fps", "--duration", "--passes", "--set", "--split", "--seed", "-n", "--shard-size", "--timeout",
     "--memory-limit", "--workers", "--simulator", "--exporter"]
)  # fmt: skip
VALUE = (
    TEXT | st.integers().map(str) | st.floats().map(str) | st.sampled_from(["0x0", "a=b", "..", "1..2..3", "=", "a:b"])
)


@given(scene=TEXT | st.just("fakes:Drop"), given_options=st.lists(st.tuples(OPTION, VALUE), max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_malformed_command_lines_never_show_a_traceback_or_write(tmp_path, physreel, scene, given_options):
    # -n 0 is always in it, so every one of these requests is at fault.
    words = [word for option in given_options for word in option]
    code, _, errors = physreel("generate", *words, "-n", "0", "--out", tmp_path / "out", *FAKE, "--", scene)
    assert code == 2
    assert errors
    assert "Traceback" not in errors
    assert "internal error" not in errors
    assert files(tmp_path) == []


# --- promises about the whole --------------------------------------------------------------------------------


def test_help_is_quick():
    # Processor time, not the clock: other work on the machine must not matter. The bar is 0.5 s.
    command = [sys.executable, "-m", "physreel", "--help"]
    subprocess.run(command, capture_output=True, check=True)
    before = os.times()
    subprocess.run(command, capture_output=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < 0.4


def test_python_api_makes_the_same_data_set(tmp_path, physreel):
    import physreel as package

    physreel(*GENERATE, "--out", tmp_path / "shell")
    options = {key: value for key, value in plan_values().items() if key.endswith("renderer")}
    done = package.generate("fakes:Drop", count=5, out=tmp_path / "python", workers=0, shard_size=2, **options)
    assert (done.finished, done.failed, done.out) == (5, 0, tmp_path / "python")
    for name in files(tmp_path / "shell"):
        assert (tmp_path / "shell" / name).read_bytes() == (tmp_path / "python" / name).read_bytes()
    sample = package.sample(Drop, index=2, width=48, height=32, passes="all", **options)
    assert sample.clip.views[0].flow.shape[1:] == (32, 48, 2)
    with pytest.raises(package.SpecError) as caught:
        package.sample(Drop, index=-1, width=0, parameters={"height_m": 77}, **options)
    for words in ("index", "width", "height_m"):
        assert words in str(caught.value)
