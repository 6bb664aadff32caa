"""Recipes: read strictly, checked whole before anything is written, run as one; held-out regions never cross splits."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fakes import Drop, plan_values
from pydantic import BaseModel
from quick_runs import tree

import physreel
from physreel.cli import main
from physreel.errors import InputError, SpecError
from physreel.pipeline import Pipeline
from physreel.plan import Balance, Plan
from physreel.runners import local, recipe_models
from physreel.runners.recipe_file import read_recipe
from physreel.runners.recipes import plan_recipe
from physreel.runners.requests import make_plan
from physreel.scenes.parameters import FloatRange, IntRange, SceneParameters, choice, float_range, int_range
from physreel.scenes.regions import split_regions

TESTS = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("beside_fakes")
DOCS = TESTS.parent / "docs" / "recipes.md"
EXAMPLES = sorted((TESTS.parent / "examples").glob("*.yaml")) + sorted((TESTS.parent / "examples").glob("*.toml"))
FAKE = {"video_renderer": "fakes:FlatRenderer", "audio_renderer": "fakes:TickRenderer"}
MIX = """
seed: 7
size: 32x24
fps: 10
duration_s: 0.5
video_renderer: fakes:FlatRenderer
audio_renderer: fakes:TickRenderer
shard_size: 3
splits: {train: 0.6, test: 0.4}
scenes:
  drop: {scene: fakes:Drop, count: 7}
  low:
    scene: fakes:Drop
    count: 5
    fps: 20
    passes: [depth, rgb]
    parameters: {height_m: 0.2..0.4}
"""


@pytest.fixture
def write(tmp_path):
    def call(text: str, name: str = "mix.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return call


@pytest.fixture
def command(capsys):
    def call(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return call


def rows(out: Path, scene: str, columns: list[str]) -> list[dict]:
    shards = sorted((out / "data" / scene).glob("*.parquet"))
    return [row for shard in shards for row in pq.read_table(shard, columns=columns).to_pylist()]


def problems(recipe) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        plan_recipe(recipe)
    return caught.value.problems


# --- what a recipe becomes ---------------------------------------------------------------------------


def test_a_mix_is_one_data_set_with_the_same_bytes_made_here_or_by_workers(tmp_path, write, command):
    recipe = write(MIX)
    told = []
    summaries = physreel.generate_recipe(
        recipe, out=tmp_path / "a", workers=0, progress=lambda *news: told.append(news)
    )
    assert [(s.scene, s.finished, s.failed) for s in summaries] == [("drop", 7, 0), ("low", 5, 0)]
    assert told[0] == (0, 12, 0)
    assert told[-1] == (12, 12, 0)
    assert all(one[0] <= two[0] for one, two in itertools.pairwise(told)), "it never goes back"
    assert all(news[1] == 12 for news in told)
    code, said, errors = command("generate", recipe, "--out", tmp_path / "b", "--workers", "0")
    assert (code, errors) == (0, "")
    assert "7 of 7 clips of 'drop'" in said
    assert "5 of 5 clips of 'low'" in said
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    alone = {**read_recipe(recipe).values, "scenes": {"low": read_recipe(recipe).values["scenes"]["low"]}}
    physreel.generate_recipe(alone, out=tmp_path / "c", workers=1)
    assert tree(tmp_path / "a" / "data" / "low") == tree(tmp_path / "c" / "data" / "low")
    low = rows(tmp_path / "a", "low", ["scene", "fps", "spec", "sample_id", "depth"])
    assert {row["scene"] for row in low} == {"low"}
    assert {row["fps"] for row in low} == {20.0}
    assert "depth" not in pq.read_schema(next((tmp_path / "a" / "data" / "drop").glob("*"))).names
    for row in low:
        spec = json.loads(row["spec"])
        assert 0.2 <= spec["parameters"]["height_m"] <= 0.4
        assert row["sample_id"].startswith("low-7-")


def test_an_interrupted_mix_goes_on_with_the_same_bytes(tmp_path, write):
    recipe = write(MIX)
    physreel.generate_recipe(recipe, out=tmp_path / "whole", workers=0)

    class StopError(Exception):
        pass

    for after in (2, 9):

        def stop(done: int, total: int, failed: int, after: int = after) -> None:
            if done == after:
                raise StopError

        with pytest.raises(StopError):
            physreel.generate_recipe(recipe, out=tmp_path / "out", workers=0, progress=stop)
    summaries = physreel.generate_recipe(recipe, out=tmp_path / "out", workers=0)
    assert summaries[0].made == 0
    assert summaries[1].made < 5
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_scene_may_be_added_later_and_a_changed_one_is_refused_before_anything_is_made(tmp_path, write, command):
    first, both = MIX[: MIX.index("  low:")], MIX
    physreel.generate_recipe(write(first, "first.yaml"), out=tmp_path / "out", workers=0)
    changed = both.replace("count: 7", "count: 8")
    before = tree(tmp_path / "out")
    code, _, errors = command("generate", write(changed, "changed.yaml"), "--out", tmp_path / "out")
    assert code == 2
    assert "count: was 7, now 8" in errors
    assert tree(tmp_path / "out") == before, "not even the new scene was begun"
    summaries = physreel.generate_recipe(write(both), out=tmp_path / "out", workers=0)
    assert [s.made for s in summaries] == [0, 5]
    physreel.generate_recipe(write(both), out=tmp_path / "at_once", workers=0)
    assert tree(tmp_path / "out") == tree(tmp_path / "at_once")


def test_a_scene_under_two_names_gives_different_worlds_from_one_source():
    planned = plan_recipe(
        {"scenes": {"one": {"scene": "fakes:Drop", "count": 3}, "two": {"scene": Drop, "count": 3}}, **FAKE}
    )
    one, two = (Pipeline(p.plan, scene=p.scene) for p in planned)
    assert one.spec(0).parameters["height_m"] != two.spec(0).parameters["height_m"]
    assert one.sample(0).sample_id == "one-0-00000000"
    assert (one.sample(0).provenance.scene, two.sample(0).provenance.scene) == ("fakes:Drop", "fakes:Drop")
    own = plan_recipe({"scenes": {"drop": {"scene": "fakes:Drop", "count": 3}}, **FAKE})[0].plan
    assert own.name is None, "its own name is no other"
    assert Pipeline(own).spec(0) == Pipeline(Plan(**plan_values())).spec(0)


def test_counts_by_weight_add_up_to_the_total():
    scenes = {"falling": {"weight": 1.0}, "gears": {"weight": 2.0}, "bearing": None}
    recipe = recipe_models.Recipe.model_validate({"total_count": 103, "scenes": scenes})
    assert recipe.counts() == {"falling": 26, "gears": 51, "bearing": 26}
    for total in range(3, 40):
        counts = recipe.model_copy(update={"total_count": total}).counts()
        assert sum(counts.values()) == total
        assert min(counts.values()) >= 1


def test_toml_says_the_same(write):
    toml = """
seed = 7
size = "32x24"
fps = 10
duration_s = 0.5
video_renderer = "fakes:FlatRenderer"
audio_renderer = "fakes:TickRenderer"
shard_size = 3
splits = {train = 0.6, test = 0.4}
[scenes.drop]
scene = "fakes:Drop"
count = 7
[scenes.low]
scene = "fakes:Drop"
count = 5
fps = 20
passes = "depth,rgb"
parameters = {height_m = "0.2..0.4"}
"""
    assert plan_recipe(write(toml, "mix.toml")) == plan_recipe(write(MIX))


def test_the_command_line_replaces_what_holds_for_all_scenes(write, tmp_path, command):
    code, _, errors = command(
        "generate", write(MIX), "--out", tmp_path / "out", "--seed", "0", "--size", "16x16", "--fps", "5", "--no-audio",
        "--passes", "rgb", "--split", "train=1", "--shard-size", "64", "--workers", "0",
    )  # fmt: skip
    assert code == 0, errors
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    plans = [line["plan"] for line in lines if line["kind"] == "plan"]
    assert len(plans) == 2
    for plan in plans:
        assert (plan["seed"], plan["clip"]["width"], plan["clip"]["fps"]) == (0, 16, 5), "seed 0 is a seed"
        assert (plan["audio"], plan["passes"], plan["splits"], plan["shard_size"]) == (
            False,
            ["rgb"],
            {"train": 1.0},
            64,
        )
    code, _, errors = command(
        "generate", write(MIX), "--out", tmp_path / "b", "-n", "4", "--set", "height_m=1", "--fps", "0", "--name", "x",
        "--held-out", "test:height_m=0.5..", "--balance", "height_m=..1:1", "--balance-tries", "3",
    )  # fmt: skip
    assert code == 2
    for option in ("-n", "--set", "--name", "--held-out", "--balance", "--balance-tries"):
        assert f"  - {option}: a recipe says this itself" in errors
    assert errors.count("--fps: ") == 1
    assert not (tmp_path / "b").exists()


def test_what_replaces_a_recipe_from_python_is_checked_too(write):
    (plan, _) = plan_recipe(write(MIX), overrides={"seed": 0, "passes": ("depth", "rgb"), "splits": {"train": 1.0}})
    assert (plan.plan.seed, plan.plan.passes, plan.plan.splits) == (0, ("rgb", "depth"), {"train": 1.0})
    with pytest.raises(SpecError) as caught:
        plan_recipe(write(MIX), overrides={"fsp": 3, "size": (3, 4), "count": 4, "quality": "finest"})
    told = "\n".join(caught.value.problems)
    for words in ("fsp: there is no such key (did you mean 'fps'?)", "size: Input should be a valid string", "count: "):
        assert words in told, told


def test_a_plan_that_asks_for_nothing_new_is_written_as_before():
    old = {
        "scene", "count", "seed", "parameters", "clip", "passes", "audio", "simulator", "video_renderer",
        "audio_renderer", "exporter", "splits", "shard_size",
    }  # fmt: skip
    assert set(make_plan("fakes:Drop", count=1, splits={"train": 1.0}).model_dump(mode="json")) == old
    plan = make_plan("fakes:Drop", count=1, name="x", balance={"field": "height_m", "shares": {"..1": 1}})
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


# --- what is refused -------------------------------------------------------------------------------


def test_every_problem_is_told_at_once_with_its_line(write, tmp_path, command):
    recipe = write(
        """seed: -1
fps: 0
pases: rgb
scenes:
  faling: {count: 3}
  drop:
    scene: fakes:Drop
    cout: 3
  low:
    scene: fakes:Drop
    count: many
    parameters: {height: 3, height_m: {a: 1}}
    splits: {train: 0.5, test: 2}
"""
    )
    code, said, errors = command("generate", recipe, "--out", tmp_path / "out")
    assert (code, said) == (2, "")
    for words in (
        "line 1, seed: ", "line 3, pases: there is no such key (did you mean 'passes'?)",
        "line 8, scenes.drop.cout: there is no such key (did you mean 'count'?)",
        "line 11, scenes.low.count: ", "line 12, scenes.low.parameters.height_m: must be a number",
        "line 13, scenes.low.splits.test.share: ",
        "line 5, scenes.faling: there is no scene named 'faling'",
    ):  # fmt: skip
        assert words in errors, errors
    lines = [int(number) for number in re.findall(r"^  - line (\d+)", errors, re.M)]
    assert lines == sorted(lines)
    assert not (tmp_path / "out").exists()


def test_what_scenes_do_not_allow_is_told_where_it_was_written(write):
    found = problems(
        write(
            """fps: 0
simulator: mujocco
scenes:
  faling: 3
  drop:
    scene: fakes:Drop
    count: 3
    parameters:
      height: 3
      height_m: 0.5..9
    held_out: {test: {height_m: 1.0..}}
    balance: {field: hight_m, shares: even}
  gears:
    scene: fakes:Drop
    count: 1
    size: 1x1
    splits: {train: 0.5, test: 0.6}
"""
        )
    )
    told = "\n".join(found)
    for words in (
        "line 1, fps: Input should be greater than or equal to 1",
        "line 2, simulator: there is no simulator named 'mujocco'. Did you mean 'mujoco'",
        "line 4, scenes.faling: there is no scene named 'faling'. Did you mean 'falling'",
        "line 9, scenes.drop.parameters.height: scene 'drop' has no such parameter (did you mean 'height_m'?)",
        "line 10, scenes.drop.parameters.height_m: 0.5..9 is outside the allowed 0.1..2 m",
        "scenes.drop.balance.field: there is no 'hight_m' to balance (did you mean 'height_m'?)",
        "line 13, scenes.gears: 'gears' is another scene",
        "line 16, scenes.gears.size: Input should be greater than or equal to 16",
        "line 17, scenes.gears.splits: must add up to 1",
    ):
        assert words in told, told
    assert sum(line.startswith("line 1, fps") for line in found) == 1, "said once, not for each scene"


@pytest.mark.parametrize(("fault", "words"), [("raise", "the scene has a bug"), ("overlap", "ball")])
def test_worlds_of_all_scenes_are_tried_before_anything_is_written(tmp_path, fault, words, write):
    text = MIX.replace("parameters: {height_m: 0.2..0.4}", "parameters: {fault: " + fault + "}")
    recipe = write(text)
    with pytest.raises(SpecError, match=rf"line 12, scenes.low: .*{words}"):
        physreel.generate_recipe(recipe, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_world_that_only_a_split_has_is_tried_too():
    share = {"train": 0.9, "test": {"share": 0.1, "parameters": {"fault": "overlap"}}}
    scenes = {"drop": {"scene": "fakes:Drop", "count": 60, "splits": share}}
    assert Pipeline(plan_recipe({"scenes": {"drop": {"scene": "fakes:Drop", "count": 60}}, **FAKE})[0].plan).split(0)
    (told,) = problems({"scenes": scenes, **FAKE})
    assert "ball" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("- a\n", "line 1: a recipe is a mapping"),
        ("scenes: {}\n", "line 1, scenes: must not be empty"),
        ("scenes:\n  falling: 3\n  falling: 4\n", "line 3, scenes.falling: given before, in line 2"),
        ("a: &x 3\nb: *x\n", "anchors"),
        ("a: &x [*x]\n", "anchors"),
        ("a: !!python/object/apply:os.system [ls]\n", "tags"),
        ("a: !!python/name:os.system\n", "tags"),
        ("scenes:\n\tfalling: 3\n", "line 2 is no YAML"),
        ("scenes: {falling: 3", "is no YAML"),
        ("a: " + "[" * 5000, "no YAML"),
        ("a: " + "{b: " * 40 + "1" + "}" * 40, "deeper"),
        ("? [a]\n: 3\n", "a key must be a word"),
        ("scenes: {falling: 0}\n", "greater than or equal to 1"),
        ("scenes: {falling: yes}\n", "scenes.falling"),
        ("scenes: {falling: }\n", "how many clips is missing"),
        ("total_count: 1\nscenes: {falling: , gears: }\n", "less than one clip for each"),
        ("total_count: 9\nscenes: {falling: 3}\n", "give a weight here"),
        ("count: 9\nscenes: {falling: {weight: 3}}\n", "a weight divides total_count"),
        ("seed: .nan\nscenes: {falling: 3}\n", "seed"),
        ("duration_s: .inf\nscenes: {falling: 3}\n", "finite number"),
        ("scenes: {falling: {count: 3, scene: [a]}}\n", "must be the name of a scene"),
        ("scenes: {falling: {count: 3, balance: {field: all_settled, shares: {true: 2}}}}\n", "the share of true"),
        ("scenes: {falling: {count: 3, balance: {field: all_settled, shares: {true: 0.7}}}}\n", "must add up to 1"),
        ("scenes: {falling: {count: 3, balance: {field: all_settled, shares: {maybe: 1}}}}\n", "cannot be 'maybe'"),
        ("scenes: {falling: {count: 3, balance: {feild: a}}}\n", "did you mean 'field'"),
        ("scenes: {a: {scene: falling, count: 1}, falling: 1, 'physreel.scenes.falling:Falling': 1}\n", "already"),
    ],
)  # fmt: skip
def test_a_malformed_recipe_is_one_clear_message(write, text, words, tmp_path):
    with pytest.raises(InputError) as caught:
        physreel.generate_recipe(write(text), out=tmp_path / "out")
    assert words in str(caught.value), str(caught.value)
    assert "mix.yaml" in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"\xff\xfe\x00", "a.yaml", "not UTF-8"),
        (b"a: \x00", "a.yaml", "no YAML"),
        (b"a: 3\n" * 60_000, "a.yaml", "more than"),
        (b"a = 1\na = 2\n", "a.toml", "is no TOML"),
        (b"scenes = 1979-05-27\n", "a.toml", "scenes"),
        (b"[scenes.falling]\ncount = 1\nparameters = {drop_height_m = 1979-05-27}\n", "a.toml", "must be a number"),
        (b"seed = 0x" + b"f" * 20_000 + b"\n[scenes]\nfalling=1\n", "a.toml", "seed"),
    ],
)
def test_a_file_that_is_no_text_or_not_ours_is_told(tmp_path, data, name, words):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=words):
        plan_recipe(tmp_path / name)


def test_a_recipe_that_is_not_there_is_told(tmp_path):
    for name in ("nothing.yaml", "folder.yaml", "x" * 300 + ".yaml", "no\0.yaml"):
        (tmp_path / "folder.yaml").mkdir(exist_ok=True)
        with pytest.raises(InputError, match="cannot read"):
            plan_recipe(f"{tmp_path}/{name}")
    with pytest.raises(InputError, match=r"a recipe is a file \*.yaml"):
        read_recipe("mix.txt")
    with pytest.raises(InputError, match="a dict, got list"):
        plan_recipe([1])


# --- held-out splits ------------------------------------------------------------------------------


class Parameters(SceneParameters):
    """One of each kind."""

    height_m: FloatRange = float_range(0.5, 1.5, allowed=(0.0, 5.0), unit="m", description="")
    number: IntRange = int_range(1, 6, allowed=(1, 12), description="")
    surface: physreel.Choice = choice(("wood", "marble"), allowed=("wood", "marble", "carpet"), description="")


SPLITS = {"train": 0.6, "validation": 0.2, "test": 0.2}


@pytest.mark.parametrize(
    ("held_out", "rest", "own"),
    [
        ({"test": {"height_m": "1.0.."}}, {"height_m": "0.5..1.0"}, {"height_m": "1.0..1.5"}),
        ({"test": {"height_m": "..1.0"}}, {"height_m": "1.0..1.5"}, {"height_m": "0.5..1.0"}),
        ({"test": {"height_m": "1.0..2.0"}}, {"height_m": "0.5..1.0"}, {"height_m": "1.0..2.0"}),
        ({"test": {"height_m": "2.0..3.0"}}, {"height_m": "0.5..1.5"}, {"height_m": "2.0..3.0"}),
        ({"test": {"height_m": [1.0, 1.5]}}, {"height_m": "0.5..1.0"}, {"height_m": "1.0..1.5"}),
        ({"test": {"number": "5.."}}, {"number": "1..4"}, {"number": "5..6"}),
        ({"test": {"number": 1}}, {"number": "2..6"}, {"number": "1"}),
        ({"test": {"surface": "marble"}}, {"surface": "wood"}, {"surface": "marble"}),
        ({"test": {"surface": "carpet"}}, {"surface": "wood|marble"}, {"surface": "carpet"}),
    ],
)
def test_the_other_splits_have_what_is_left(held_out, rest, own):
    found = split_regions("s", Parameters(), held_out, SPLITS)
    assert found == {"train": rest, "validation": rest, "test": own}


def test_two_splits_may_hold_out_two_regions():
    found = split_regions(
        "s", Parameters(), {"validation": {"surface": "marble"}, "test": {"height_m": "1.2.."}}, SPLITS
    )
    assert found == {
        "train": {"surface": "wood", "height_m": "0.5..1.2"},
        "validation": {"surface": "marble", "height_m": "0.5..1.2"},
        "test": {"surface": "wood", "height_m": "1.2..1.5"},
    }
    both = {"validation": {"height_m": "..0.7"}, "test": {"height_m": "1.2.."}}
    assert split_regions("s", Parameters(), both, SPLITS)["train"] == {"height_m": "0.7..1.2"}


@pytest.mark.parametrize(
    ("held_out", "words"),
    [
        ({"test": {"height_m": "0.8..1.0"}}, "leaves two pieces"),
        ({"test": {"height_m": "0.1..2"}}, "nothing is left"),
        ({"test": {"number": "1..6"}}, "nothing is left"),
        ({"test": {"surface": "wood|marble"}}, "nothing is left"),
        ({"test": {"surface": "wod"}}, "did you mean 'wood'"),
        ({"test": {"height_m": "1.5.."}}, "give both ends"),
        ({"test": {"height_m": ".."}}, "give one end"),
        ({"test": {"height_m": "a.."}}, "expected a number"),
        ({"test": {"height_m": "1.0..9"}}, "outside the allowed"),
        ({"test": {"hight_m": "1.."}}, "did you mean 'height_m'"),
        ({"tset": {"height_m": "1.."}}, "did you mean 'test'"),
        ({"test": {"height_m": "1..", "number": 3}}, "name one parameter, not 2"),
        ({"test": {}}, "name one parameter, not 0"),
        ({"test": {"height_m": "1.."}, "validation": {"height_m": "1.2.."}}, "values in common"),
        (
            {"test": {"height_m": "1.."}, "validation": {"height_m": "..0.7"}, "train": {"number": 1}},
            "leave one that has the rest",
        ),
    ],
)
def test_a_region_without_complement_is_refused(held_out, words):
    with pytest.raises(SpecError, match=re.escape(words)):
        split_regions("s", Parameters(), held_out, SPLITS)


def test_stored_rows_lie_in_the_region_of_their_split_and_ids_decide_the_split_as_before(tmp_path, command):
    words = ["generate", "fakes:Drop", "-n", "60", "--split", "train=0.6,test=0.4", "--workers", "0", "--no-audio"]
    words += ["--video-renderer", "fakes:FlatRenderer", "--shard-size", "60"]
    code, _, errors = command(*words, "--held-out", "test:height_m=0.6..1.5", "--out", tmp_path / "out")
    assert code == 0, errors
    found = rows(tmp_path / "out", "drop", ["split", "spec", "sample_id", "index"])
    heights = {"train": [], "test": []}
    for row in found:
        spec = json.loads(row["spec"])
        heights[row["split"]].append(spec["parameters"]["height_m"])
        assert spec["bodies"][1]["position_m"][2] == spec["parameters"]["height_m"]
    assert len(found) == 60
    assert 0.2 <= min(heights["train"]) < max(heights["train"]) <= 0.6
    assert 0.6 <= min(heights["test"]) < max(heights["test"]) <= 1.5
    assert max(heights["test"]) > 0.9, "also where no other split is"
    plain = Pipeline(Plan(**plan_values(count=60, splits={"train": 0.6, "test": 0.4})))
    assert {row["index"]: row["split"] for row in found} == {i: plain.split(i) for i in range(60)}
    again = Pipeline(make_plan("fakes:Drop", count=60, **FAKE, splits={"train": 0.6, "test": 0.4},
                               held_out={"test": {"height_m": "0.6..1.5"}}))  # fmt: skip
    assert again.spec(7).to_json() == next(row["spec"] for row in found if row["index"] == 7)


def test_a_real_scene_draws_each_split_from_its_region():
    plan = make_plan(
        "falling", count=40, splits={"train": 0.5, "test": 0.5}, held_out={"test": {"drop_height_m": "0.5.."}}
    )
    pipeline = Pipeline(plan)
    for index in range(8):
        region = {"train": "0.12..0.5", "test": "0.5..0.7"}[pipeline.split(index)]
        assert pipeline.spec(index).parameters["drop_height_m"] == region


# --- promises about the whole --------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_can_be_run(recipe, monkeypatch):
    monkeypatch.setattr(local, "PREFLIGHT", 1)  # three worlds of each scene are dear
    assert plan_recipe(recipe)


def test_the_documentation_names_every_key_and_no_other():
    text = DOCS.read_text()
    sections = dict(re.findall(r"^### ([A-Za-z ]+)\n(.*?)(?=^##|\Z)", text, re.M | re.S))
    models: dict[str, type[BaseModel]] = {
        "At the top": recipe_models.Recipe,
        "In a scene": recipe_models.SceneSettings,
        "In a split": recipe_models.Split,
        "In balance": Balance,
    }
    shared = set(recipe_models.Settings.model_fields)
    for title, model in models.items():
        named = set(re.findall(r"^\| `([a-z_]+)`", sections[title], re.M))
        own = set(model.model_fields)
        assert named == (own - shared if title == "In a scene" else own), title


def test_every_recipe_in_the_documentation_can_be_run(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "PREFLIGHT", 1)
    blocks = re.findall(r"```(yaml|toml)\n(.*?)```", DOCS.read_text(), re.S)
    assert len(blocks) >= 3
    for k, (kind, text) in enumerate(blocks):
        path = tmp_path / f"{k}.{kind}"
        path.write_text(text)
        assert plan_recipe(path), text
