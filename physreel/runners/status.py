"""What a data set holds, what is still to be made, and what is wrong with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from physreel.errors import InputError
from physreel.manifest import MANIFEST, Scan, part_names, part_of, scan
from physreel.runners.base import Part
from physreel.runners.folder import files_of
from physreel.runners.lock import folder_is_held, lease_is_held, part_leases
from physreel.runners.place import HIDDEN, hidden_folder
from physreel.runners.recorded import Recorded, plans_of
from physreel.storage import Address, Store, open_store

What = Literal["manifest", "missing", "size", "checksum", "not entered", "index", "leftover", "stray"]
Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes in all)."""

_LEFT = re.compile(r"(?:.*/)?\.[^/]+\.\d+\.tmp")
_SHARD = re.compile(r".+-\d{5,}-of-\d{5,}\.[^/]+")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        file: relative to the data set.
        what: kind of the problem.
        detail: in words.
        scene: whose shard it is, "" for what belongs to none.
    """

    file: str
    what: What
    detail: str
    scene: str = ""


@dataclass
class SceneStatus:
    """How far a scene is.

    Attributes:
        scene: its name.
        samples: asked for.
        shards: that the plan has.
        shards_finished: of these, how many are entered.
        rows: in them.
        failures: samples that could not be made, in finished shards.
        bytes: size of the finished shards.
        waiting: samples that are made and wait on this machine for their shard.
        part: the job of an array whose numbers these are, "" for the whole.
    """

    scene: str
    samples: int
    shards: int
    shards_finished: int
    rows: int
    failures: int
    bytes: int
    waiting: int = 0
    part: str = ""

    @property
    def complete(self) -> bool:
        """Whether every shard is entered."""
        return self.shards_finished == self.shards


@dataclass
class Status:
    """The state of a data set.

    Attributes:
        address: where it lies.
        scenes: in the order of the manifest; those of parts that are not merged come last.
        writing: whether a run is writing to it now (one of another machine may have died since).
        checksums: whether every file was read.
        problems: what is wrong.
    """

    address: str
    scenes: list[SceneStatus] = field(default_factory=list)
    writing: bool = False
    checksums: bool = False
    problems: list[Problem] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all that was asked for is entered, and merged."""
        return bool(self.scenes) and all(scene.complete and not scene.part for scene in self.scenes)

    def waits(self, name: str) -> bool:
        """Whether a hidden file is one that the same command will need.

        A clip that waits is, and what a format of whole data sets is written from, while a clip may be tried again.
        """
        for one in self.scenes:
            if not one.complete and name.startswith(_spool_of(one)):
                return name.endswith(".row")
            if name.startswith(f"{HIDDEN}/whole/{one.scene}/"):
                return not one.complete or one.failures > 0
        return False

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        found = asdict(self)
        for one, scene in zip(found["scenes"], self.scenes, strict=True):
            one["complete"] = scene.complete
        return found | {"complete": self.complete, "damaged": bool(self.problems)}


def is_held(store: Store) -> bool:
    """Whether a run is writing to a data set, as far as can be told at once."""
    held = store.folder is not None and folder_is_held(store.folder)
    return (
        held
        or lease_is_held(store, HIDDEN)
        or any(lease_is_held(store, name.rpartition("/")[0]) for name in part_leases(store))
    )


def status(out: Address, *, checksums: bool = False, progress: Progress | None = None) -> Status:
    """Look at a data set; changes nothing.

    Args:
        out: folder, or address that fsspec knows.
        checksums: read every file and compare it with its sha256 in the manifest.
        progress: told what has been read.

    Raises:
        InputError: there is no data set of ours, or its manifest is lost.
    """
    store = open_store(out)
    sizes = store.sizes()
    parts = part_names(store)
    if MANIFEST not in sizes and not parts:
        raise InputError(no_manifest(store, sizes))
    found = Status(store.address, writing=is_held(store), checksums=checksums)
    known: set[str] = set()
    every: list[dict[str, Any]] = []
    index: list[Problem] = []
    for name in [*([MANIFEST] if MANIFEST in sizes else []), *parts]:
        read = scan(manifest_text(store, name))
        found.problems += manifest_problems(read, name, writing=found.writing)
        lines = usable(read.lines)
        known |= {name} | _look(
            found, store, sizes, lines, "/".join(map(str, part_of(name))) if name != MANIFEST else ""
        )
        if name == MANIFEST:
            described = index_files(lines)
            known |= set(described)
            index = index_problems(store, described)
        every += lines
    if found.complete and not found.writing:  # else the next run, or the next shard, writes it
        found.problems += index
    if checksums:
        whole = [line for line in every if "sha256" in line and sizes.get(line["file"]) == line["bytes"]]
        found.problems += wrong_sums(store, whole, progress)
    for scene in found.scenes:
        scene.waiting += sum(found.waits(name) for name in sizes if name.startswith(_spool_of(scene)))
    if found.complete:
        known |= {name for name in sizes if found.waits(name)}
    else:  # the next run removes what it does not need
        known |= {name for name in sizes if name.startswith(f"{HIDDEN}/")}
    if not found.writing:
        found.problems += _strays(set(sizes) - known)
    return found


def manifest_text(store: Store, name: str = MANIFEST) -> bytes:
    """The bytes of a manifest; InputError where they cannot be read."""
    try:
        return store.read(name)
    except OSError as error:
        raise InputError(f"{store}/{name} cannot be read: {error.strerror or error}") from None


def no_manifest(store: Store, sizes: dict[str, int]) -> str:
    """What to say of a place without a manifest."""
    if any(_SHARD.fullmatch(name) for name in sizes):
        return (
            f"{store} has shards, but no {MANIFEST}: it is lost, and with it what was asked for, so nothing can be "
            "checked or mended. The shards that are whole can still be read by pyarrow and others; to have a data set "
            "again, repeat the request with a new folder as --out"
        )
    return f"{store} is no physreel data set: it has no {MANIFEST}"


def manifest_problems(read: Scan, name: str, *, writing: bool = False) -> list[Problem]:
    """What is wrong with a manifest itself. While a run is at work, its last line may be under way."""
    damage = [words for words in read.damage if not (writing and "torn" in words)]
    if not read.ours:
        damage.append("its first line does not say that it is one of ours")
    if len(without_twins(read.lines)) < len(read.lines):
        damage.append("it has lines twice")
    damage += [f"what was asked for of scene {scene!r} cannot be read" for scene in read.without_plan]
    return [Problem(name, "manifest", words) for words in damage]


def usable(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of scenes whose plan can be read."""
    plans = {line["scene"] for line in lines if line["kind"] == "plan"}
    return [line for line in lines if line.get("scene") in plans]


def without_twins(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines, each once."""
    return list({json.dumps(line, sort_keys=True): line for line in lines}.values())


def _look(found: Status, store: Store, sizes: dict[str, int], lines: list[dict[str, Any]], part: str) -> set[str]:
    """Add what a manifest's scenes are like; returns the files that are accounted for."""
    known = set()
    for recorded in plans_of(lines):
        own = [line for line in lines if line.get("scene") == recorded.scene]
        entered = {line["file"]: line for line in own if line["kind"] in ("shard", "file")}
        found.problems += wrong_sizes(sizes, list(entered.values()))
        shards = [line for line in own if line["kind"] == "shard"]
        planned = Part.read(part).of(recorded.shards) if part else recorded.shards
        loose = [name for name, shard in recorded.loose(sizes, shards).items() if planned.place(*shard.key) is not None]
        if not found.writing:
            found.problems += [
                Problem(name, "not entered", "it is there, but the manifest does not know it", recorded.scene)
                for name in loose
            ]
        known |= set(entered) | set(loose)
        found.scenes.append(
            SceneStatus(
                scene=recorded.scene,
                samples=planned.sample_count,
                shards=len(planned),
                shards_finished=len(shards),
                rows=sum(line["rows"] for line in shards),
                failures=sum(line["kind"] == "failure" for line in own),
                bytes=sum(line["bytes"] for line in shards),
                waiting=_waiting_here(store, recorded, part),
                part=part,
            )
        )
    return known


def wrong_sizes(sizes: dict[str, int], entered: list[dict[str, Any]]) -> list[Problem]:
    """Files that a manifest names and that are not there, or not of that size."""
    problems = []
    for line in entered:
        size = sizes.get(line["file"])
        if size is None:
            problems.append(Problem(line["file"], "missing", "the manifest names it", line["scene"]))
        elif size != line["bytes"]:
            words = f"it has {size} bytes, and should have {line['bytes']}"
            problems.append(Problem(line["file"], "size", words, line["scene"]))
    return problems


def wrong_sums(store: Store, lines: list[dict[str, Any]], progress: Progress | None = None) -> list[Problem]:
    """Files whose bytes are not those that a manifest has the sum of; reads them all."""
    total, done, problems = sum(line["bytes"] for line in lines), 0, []
    for line in lines:
        digest = hashlib.sha256()
        try:
            with store.open(line["file"]) as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except FileNotFoundError:  # gone since it was listed
            problems.append(Problem(line["file"], "missing", "the manifest names it", line["scene"]))
            continue
        except OSError as error:  # a disk that goes bad
            words = f"it cannot be read: {error.strerror or error}"
            problems.append(Problem(line["file"], "checksum", words, line["scene"]))
            continue
        if digest.hexdigest() != line["sha256"]:
            words = f"its sha256 is {digest.hexdigest()[:12]}…, and should be {line['sha256'][:12]}…"
            problems.append(Problem(line["file"], "checksum", words, line["scene"]))
        done += line["bytes"]
        if progress is not None:
            progress(done, total)
    return problems


def index_files(lines: list[dict[str, Any]]) -> dict[str, str]:
    """What describes a data set as a whole, as it should be; {} where there is nothing to describe."""
    lines = usable(lines)
    plans = plans_of(lines)
    return dict(plans[-1].exporter.index_files(files_of(lines))) if plans else {}


def index_problems(store: Store, files: dict[str, str]) -> list[Problem]:
    """Files that describe the data set and are not what they should be (see ``index_files``)."""
    problems = []
    for name, text in files.items():
        try:
            if store.read(name) != text.encode():
                problems.append(Problem(name, "index", "it is not what the manifest's shards make it"))
        except FileNotFoundError:
            problems.append(Problem(name, "missing", "it describes the data set"))
    return problems


def _strays(names: set[str]) -> list[Problem]:
    problems = []
    for name in sorted(names):
        if name.startswith(f"{HIDDEN}/") or _LEFT.fullmatch(name):
            problems.append(Problem(name, "leftover", "a run that was ended left it"))
        else:
            problems.append(Problem(name, "stray", "it is not of this data set; readers that go by names may take it"))
    return problems


def _spool_of(scene: SceneStatus) -> str:
    return f"{HIDDEN}/{Part.read(scene.part).folder + '/' if scene.part else ''}{scene.scene}/"


def _waiting_here(store: Store, recorded: Recorded, part: str) -> int:
    """Clips that wait on this machine for a data set that is elsewhere."""
    if store.folder is not None:
        return 0
    hidden = hidden_folder(store, recorded.line, Part.read(part).folder if part else "")
    return sum(1 for _ in (hidden / recorded.scene).glob("*.row"))
