"""Runs whose format numbers clips and frames throughout: rows are stored first, hidden, and the format from them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from physreel import registry
from physreel.errors import InputError
from physreel.exporters.base import Exporter
from physreel.manifest import read_manifest
from physreel.pipeline import Pipeline
from physreel.plan import Plan
from physreel.runners.base import RunSummary
from physreel.runners.convert import Conversion, Source
from physreel.runners.converted import Target
from physreel.runners.folder import differences, is_whole, other_exporters
from physreel.runners.local import plan_record
from physreel.runners.place import check_place, remove_if_empty
from physreel.runners.status import index_files, index_problems
from physreel.storage import Address, Store, open_store

_STAGED, _STORED = ".physreel/whole", "parquet"


def run_whole(
    plan: Plan,
    out: Address,
    scene: str,
    run: Callable[..., RunSummary],
    summary: Callable[..., RunSummary],
    options: Mapping[str, Any],
) -> RunSummary:
    """Make the samples of a plan that are not there yet as Parquet, and write the plan's format from them.

    Args:
        plan: what to make; its exporter is a WholeExporter.
        out: the data set's place.
        scene: name of the scene.
        run: runs a plan of another format, at the address given.
        summary: tells what a data set holds of a scene.
        options: of the run (scene, part, retry_failed and more). Samples that failed can be tried once more, for the
            Parquet is kept while there are any.

    Returns:
        How it ended. Where no sample could be made, the format cannot be written, and it is that of the rows.

    Raises:
        InputError: the request cannot be run, or the place is not for it; nothing has been written.
        StorageError: the place cannot be written to any more; the same call goes on later.
    """
    store = open_store(out)
    exporter: type[Exporter] = registry.load("exporters", plan.exporter)
    there = check_whole(plan, store, scene, part=options.get("part"))
    staged = f"{os.fspath(out).rstrip('/')}/{_STAGED}/{scene}"
    failed = any(line["kind"] == "failure" and line["scene"] == scene for line in there)
    if is_whole(store, there, scene) and not (failed and options.get("retry_failed")):
        described = index_files(there)
        if index_problems(store, described):  # killed just before its end
            with Target(store).opened() as place:
                place.begin([])
                place.describe(described)
        if not failed:
            _remove(store, scene)
        return _with_all_bytes(summary(out, scene), store)
    line = {"kind": "plan", "scene": scene} | plan_record(Pipeline(plan, scene=options.get("scene")))
    with Target(store).opened() as place:  # so that status and repair know what the hidden rows are for
        place.begin([line])
        place.save()
    made = run(plan.model_copy(update={"exporter": _STORED}), staged, **options)
    if not made.finished:
        return made
    source = Source(open_store(staged), scene, read_manifest(staged))
    with Target(store).opened() as place:
        place.begin([])
        if failed:
            place.forget(scene)
        try:
            Conversion(exporter, place, None, [source], None).run()
        except InputError as error:
            raise InputError(f"{error}; its clips are finished, as {_STORED}: {staged} is a data set") from None
    if not made.failed:
        _remove(store, scene)
    return replace(_with_all_bytes(summary(out, scene), store), made=made.made)


def check_whole(plan: Plan, store: Store, scene: str, *, part: Any = None) -> list[dict[str, Any]]:
    """The manifest's lines of a place that can become, or go on being, this data set; InputError if it cannot."""
    there = check_place(store)
    problems = _problems(plan, scene, there, store)
    if part is not None:
        problems.append(
            f"--shard: {plan.exporter} numbers clips throughout and cannot be written in parts; store parquet, merge, "
            f"and then run `physreel convert DATASET NEW --to {plan.exporter}`"
        )
    if problems:
        raise InputError("\n".join(problems))
    return there


def _problems(plan: Plan, scene: str, lines: list[dict[str, Any]], store: Store) -> list[str]:
    if found := other_exporters(store, lines, plan.exporter):
        return found
    old = next((line["plan"] for line in lines if line["kind"] == "plan" and line["scene"] == scene), None)
    changes = "" if old is None else "; ".join(differences(old, plan.model_dump(mode="json")))
    if not changes:
        return []
    return [
        f"--out {store} already holds scene {scene!r} from another request ({changes}); repeat the old request, or "
        "name another folder"
    ]


def _with_all_bytes(summary: RunSummary, store: Store) -> RunSummary:
    lines = read_manifest(store)
    more = sum(line["bytes"] for line in lines if line["kind"] == "file" and line["scene"] == summary.scene)
    return replace(summary, bytes=summary.bytes + more)


def _remove(store: Store, scene: str) -> None:
    """Remove what was stored on the way, and the hidden folders if they are empty now."""
    below = f"{_STAGED}/{scene}"
    if store.folder is None:
        for name in store.names(below):
            store.remove(name)
        return
    shutil.rmtree(store.folder / below, ignore_errors=True)
    for folder in (store.folder / _STAGED, (store.folder / _STAGED).parent):
        remove_if_empty(folder)
