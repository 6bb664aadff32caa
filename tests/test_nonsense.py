"""Five hundred malformed recipes and command lines: one message, exit code 2, no traceback, and no file touched."""

from __future__ import annotations

import contextlib
import copy
import datetime
import io
import os
from pathlib import Path

import click
import pytest
import yaml
from fakes import plan_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.main import get_command

from physreel.cli import app, main
from physreel.plan import Plan
from physreel.runners.local import run

TESTS = Path(__file__).parent
BUILT = get_command(app)
QUIET = settings(
    max_examples=250,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder to stand in: with photos that are none of our business, a data set, and things that are no data sets."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "photos").mkdir()
    (folder / "photos" / "cat.jpg").write_bytes(b"cat")
    (folder / "empty").mkdir()
    (folder / "garbage").mkdir()
    (folder / "garbage" / "manifest.jsonl").write_bytes(b'\x00\xff{"kind": 3}\n[]\n')
    (folder / "half").mkdir()
    (folder / "half" / "manifest.jsonl").write_text('{"kind":"format","physreel_dataset":1}\n{"kind":"plan"}\n')
    (folder / "file").write_bytes(bytes(range(256)))
    (folder / "broken.py").write_text("1 / 0\n")
    old = Path.cwd()
    os.chdir(TESTS)
    run(Plan(**plan_values(count=2, audio=False)), folder / "drops", workers=0)
    os.chdir(old)
    return folder


@pytest.fixture(autouse=True)
def _standing_there(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(TESTS))
    # Always the same, and dear to build five hundred times.
    monkeypatch.setattr("typer.main.get_command", lambda _: BUILT)
    for name in ("PHYSREEL_TEST_FAULTS", "PHYSREEL_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything in a folder, hidden files too, and when it was written."""
    found = {}
    for path in folder.rglob("*"):
        about = path.lstat()
        found[str(path.relative_to(folder))] = (about.st_size, about.st_mtime_ns)
    return found


def call(words: list[str]) -> tuple[int, str, str]:
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            main(words)
        except SystemExit as ended:
            code = ended.code
        else:
            code = 0
    return 0 if code is None else code, out.getvalue(), errors.getvalue()


def assert_refused(words: list[str], place: Path, *, also: int | None = None) -> None:
    before = tree(place)
    code, said, errors = call(words)
    assert code in (2, also), (words, code, errors)
    if code == 2:
        assert errors.strip(), words
        assert not said.strip(), (words, said)
    assert "Traceback" not in errors, (words, errors)
    assert "internal error" not in errors, (words, errors)
    assert tree(place) == before, words
    assert Path.cwd() == place


# --- recipes -----------------------------------------------------------------------------------------

VALID = {
    "seed": 7,
    "size": "32x24",
    "fps": 10,
    "duration_s": 0.5,
    "passes": ["rgb", "depth"],
    "video_renderer": "fakes:FlatRenderer",
    "audio_renderer": "fakes:TickRenderer",
    "shard_size": 3,
    "splits": {"train": 0.6, "test": {"share": 0.4, "parameters": {"fault": "none"}}},
    "scenes": {
        "drop": {"scene": "fakes:Drop", "count": 1, "held_out": {"test": {"height_m": "0.5.."}}},
        "low": {
            "scene": "fakes:Drop",
            "count": 1,
            "parameters": {"height_m": "0.2..0.4"},
            "balance": {"field": "height_m", "shares": {"..0.3": 0.5, "0.3..": 0.5}, "tries": 9},
        },
    },
}
TEXT = st.text(max_size=8)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from(
        [10**30, -(10**400), 1e308, 2**63, "1..", "..", "3..1", "a|b", "nan", "1e999", "../../x", "\0", "x" * 3000,
         datetime.date(1979, 5, 27), datetime.datetime(1979, 5, 27), b"\x00\xff", "even", "fakes:Nothing", "a:b", ":",
         "broken.py:Scene", "0x0", "-1x-1", "all", "{}", "*x", "&x", "!!python/name:os.system", "%", "\t", "\u2028"]
    )
)  # fmt: skip
NESTED = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
RAW = st.sampled_from(
    [
        b"", b"\n", b"---\n", b"--- 1\n--- 2\n", b"[]", b"scenes", b"scenes:", b"\xff\xfe", b"\x00", b"a: \x00b",
        b"scenes: &a {falling: *a}\n", b"a: &a [1]\nscenes: {<<: *a}\n", b"scenes: !!set {falling}\n",
        b"a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nscenes: [*c,*c,*c]\n",
        b"scenes: !!python/object/apply:os.mkdir [bad]\n", b"scenes:\n\tfalling: 1\n", b"? {a: b}\n: 1\n",
        b"scenes: {falling: 1, falling: 2}\n", b"{" * 3000, b"[" * 3000, b"- " * 2000, b"a: " * 500, b"a = 1\na = 2\n",
        b"[a]\n[a]\n", b"scenes = {falling = 1\n", b"scenes.falling = 1979-05-27T07:32:00Z\n", b"x = " + b"[" * 3000,
        b"seed = 0x" + b"f" * 9000 + b"\n", b"seed: 1" + b"0" * 9000 + b"\nscenes: {falling: 1}\n", b"'", b'"',
        b"%YAML 9\n",
        b"scenes: {falling: 1}\n...\njunk: }\n", b"\xef\xbb\xbfscenes: 3\n", b"scenes: {falling: 1}\x0c\n", b"*", b"@",
        b"seed: 0o7\nfps: 1:30\nscenes: {falling: 2001-01-01}\n", b"a: |\n  b\n c\n", b"x" * 300_000,
    ]
)  # fmt: skip


def places(inside: dict, path: tuple = ()) -> list[tuple]:
    """The paths of all keys of a nested mapping."""
    found = []
    for key, value in inside.items():
        found.append((*path, key))
        if isinstance(value, dict):
            found += places(value, (*path, key))
    return found


@st.composite
def mutated(draw) -> bytes:
    """A recipe that was fine before one to three things in it were changed."""
    recipe = copy.deepcopy(VALID)
    for _ in range(draw(st.integers(1, 3))):
        *way, key = draw(st.sampled_from(places(recipe)))
        inside = recipe
        for step in way:
            inside = inside[step]
        change = draw(st.sampled_from(["replace", "remove", "add", "misspell"]))
        if change == "replace":
            inside[key] = draw(NESTED)
        elif change == "remove" and len(inside) > 1:
            del inside[key]
        elif change == "add":
            inside[draw(PLAIN.filter(lambda value: not isinstance(value, bytes)))] = draw(NESTED)
        else:
            inside[f"{key}s"] = inside.pop(key)
    text = yaml.safe_dump(recipe, allow_unicode=True).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(text)))
        junk = draw(
            st.binary(max_size=4) | st.sampled_from([b"\t", b"\n\n", b": ", b"- ", b"&a ", b"*a", b"#", b"!", b"}"])
        )
        text = text[:at] + junk + text[at + draw(st.integers(0, 6)) :]
    return text


@given(text=RAW | mutated(), suffix=st.sampled_from([".yaml", ".yml", ".toml", ".YAML"]))
@QUIET
def test_malformed_recipes(place, tmp_path_factory, text, suffix):
    # What it would be written to holds something else, so that not even a recipe that is still fine may write.
    recipe = tmp_path_factory.getbasetemp() / f"recipe{suffix}"
    recipe.write_bytes(text)
    assert_refused(["generate", str(recipe), "--out", "photos", "--workers", "0"], place)


def test_the_recipe_that_is_mutated_is_fine_by_itself(place, tmp_path):
    (tmp_path / "fine.yaml").write_text(yaml.safe_dump(VALID))
    code, _, errors = call(["generate", str(tmp_path / "fine.yaml"), "--out", "photos"])
    assert code == 2
    assert "1 problem\n" in errors, "nothing but the folder is at fault"
    assert "cat.jpg" in errors


@pytest.mark.parametrize(
    "name", ["photos.yaml", "nothing.toml", "\0.yaml", "x" * 300 + ".yml", ".yaml", "", "-", "--", "/"]
)
def test_recipes_that_are_no_files(place, name):
    with contextlib.suppress(ValueError):
        Path(place, "photos.yaml").mkdir(exist_ok=True)
    assert_refused(["generate", "--out", "new", "--", name], place)


# --- command lines -----------------------------------------------------------------------------------

COMMANDS = BUILT.commands
NAMELESS = {"version", "list"}
"""What needs nothing and harms nothing: fine whatever is said, or told what is wrong."""

NO_SCENE_OR_DATASET = st.sampled_from(
    ["", " ", "nothing", "nothing/at/all", "empty", "garbage", "half", "file", "photos", "photos/cat.jpg",
     "broken.py:Scene", "fakes:Nothing", "fakes:misbehave", "no_module:Scene", "a:b:c", ":", "::", "x" * 5000,
     "nothing.yaml", "file.json", "s3:", "nofs://bucket/x", "file://nothing", "memory://", "\u2028", "\U0001f4a9", "%s",
     "{}", "..\\..", "\x1b[31m", "~nobody/x"]
)  # fmt: skip
NO_NUMBER = st.sampled_from(["", "x", "1.5.2", "--", "0x10", "1,5", "1e", "NaN!", "ten", "\U0001f4a9"])
VALUE = TEXT | st.integers().map(str) | st.floats().map(str) | st.sampled_from(
    ["0", "-1", "1e999", "nan", "0x0", "a=b", "..", "1..2..3", "=", ":", "a:b", "a:b=c", "train=1,train=1", "=1", "1/0",
     "2/1", "even", "a=even", "a=true:2", "photos", "file", "/proc/none", "x" * 3000]
)  # fmt: skip


def is_number(option: click.Parameter) -> bool:
    return isinstance(option.type, (click.types.IntParamType, click.types.FloatParamType))


@st.composite
def command_lines(draw) -> list[str]:
    """A command with options of its own and at least one certain fault."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    command = COMMANDS[name]
    options = [p for p in command.params if isinstance(p, click.Option) and p.name != "help"]
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    words = [name]
    for option in draw(st.lists(st.sampled_from(options), max_size=4)) if options else ():
        words.append(draw(st.sampled_from(option.opts + option.secondary_opts)))
        if not option.is_flag:
            words.append(draw(VALUE))
    numbers = [option for option in options if is_number(option)]
    faults = ["unknown option", "too much"]
    if numbers:
        faults.append("no number")
    if name != "new-scene" and {a.name for a in arguments} & {"scene", "name", "dataset", "source", "kind"}:
        faults += ["no scene or data set"] * 4
    fault = draw(st.sampled_from(faults))
    given = [draw(NO_SCENE_OR_DATASET) if a.name != "dataset" or draw(st.booleans()) else "drops" for a in arguments]
    if fault == "no number":
        words += [draw(st.sampled_from(draw(st.sampled_from(numbers)).opts)), draw(NO_NUMBER)]
    elif fault == "unknown option":
        words.append(draw(st.sampled_from(["--nonsense", "-Z", "--size-of-it=3", "--no-no", "---"])))
    elif fault == "too much":
        given += [draw(NO_SCENE_OR_DATASET)] * 4
    else:
        given = [draw(NO_SCENE_OR_DATASET) for _ in arguments]
    return [*words, "--", *given] if draw(st.booleans()) else [words[0], *given, *words[1:]]


@given(words=command_lines())
@QUIET
def test_malformed_command_lines(place, words):
    assert_refused(words, place, also=0 if words[0] in NAMELESS or {"-h", "--help"} & set(words) else None)


@given(words=st.lists(TEXT | st.sampled_from([*COMMANDS, "--traceback", "-h", "--", "drops"]), max_size=3))
@settings(QUIET, max_examples=60)
def test_words_that_are_no_command(place, words):
    known = [word for word in words if word in COMMANDS]
    if known and known[0] in ("check", "smoke"):
        return  # these would do their work
    assert_refused(["no_command", *words], place, also=0)
    assert "PHYSREEL_TRACEBACK" not in os.environ


def test_every_command_is_met(place):
    assert {"generate", "preview", "unpack", "info", "describe", "check", "convert", "audit", "view"} <= set(COMMANDS)
    for name in COMMANDS:
        assert call([name, "--help"])[0] == 0
        assert_refused([name, "--nonsense"], place)
