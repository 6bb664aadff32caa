"""From the text of options to the arguments of a request; what cannot be read is collected, not raised."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from physreel.errors import InputError

if TYPE_CHECKING:
    import typer

    from physreel.runners.base import Part

SAID = {
    "count": "-n",
    "seed": "--seed",
    "index": "--index",
    "width": "--size (width)",
    "height": "--size (height)",
    "fps": "--fps",
    "duration_s": "--duration",
    "quality": "--quality",
    "passes": "--passes",
    "parameters": "--set",
    "simulator": "--simulator",
    "video_renderer": "--video-renderer",
    "audio_renderer": "--audio-renderer",
    "exporter": "--exporter",
    "splits": "--split",
    "name": "--name",
    "size": "--size",
    "audio": "--no-audio",
    "held_out": "--held-out",
    "balance": "--balance",
    "shard_size": "--shard-size",
    "scene": "SCENE",
}
"""How the command line calls the arguments of a request."""


class Reader:
    """Reads the text of options and keeps what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def size(self, text: str | None) -> dict[str, int]:
        """``320x240`` as width and height."""
        if text is None:
            return {}
        match = re.fullmatch(r"\s*(-?\d+)\s*[xX×]\s*(-?\d+)\s*", text)
        if match is None:
            self.problems.append(f"--size: expected WIDTHxHEIGHT such as 320x240, got {text!r}")
            return {}
        return {"width": int(match[1]), "height": int(match[2])}

    def settings(self, texts: Iterable[str]) -> dict[str, str]:
        """``name=value`` of each, name → value."""
        found: dict[str, str] = {}
        for text in texts:
            name, equals, value = (part.strip() for part in text.partition("="))
            if not (name and equals and value):
                self.problems.append(f"--set: expected name=value such as drop_height_m=0.5..1.5, got {text!r}")
            elif name in found:
                self.problems.append(f"--set: {name} is given twice ({found[name]} and {value}); give it once")
            else:
                found[name] = value
        return found

    def splits(self, text: str | None) -> dict[str, float] | None:
        """``train=0.9,test=0.1`` as name → share."""
        if text is None:
            return None
        found: dict[str, float] = {}
        for part in text.split(","):
            name, _, share = (piece.strip() for piece in part.partition("="))
            try:
                number = float(share)
            except ValueError:
                number = float("nan")
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or not 0.0 < number <= 1.0 or name in found:
                self.problems.append(
                    f"--split: expected names with shares that add up to 1, such as train=0.9,test=0.1, got {part!r}"
                )
                return None
            found[name] = number
        total = sum(found.values())
        if abs(total - 1.0) > 1e-9:
            self.problems.append(f"--split: the shares must add up to 1, and {text} make {total:g}")
            return None
        return found

    def held_out(self, texts: Iterable[str]) -> dict[str, dict[str, str]]:
        """``test:drop_height_m=1.0..2.0`` of each, split → name → region."""
        found: dict[str, dict[str, str]] = {}
        for text in texts:
            where, _, region = (part.strip() for part in text.partition("="))
            split, _, name = (part.strip() for part in where.partition(":"))
            if not (split and name and region):
                self.problems.append(
                    f"--held-out: expected split:name=region such as test:drop_height_m=1.0..2.0, got {text!r}"
                )
            elif split in found:
                self.problems.append(f"--held-out: split {split!r} is given twice; give it once, with one parameter")
            else:
                found[split] = {name: region}
        return found

    def balance(self, text: str | None, tries: int | None) -> dict[str, Any] | None:
        """``all_settled=true:0.5,false:0.5`` or ``all_settled=even`` as arguments of a Balance."""
        if text is None:
            if tries is not None:
                self.problems.append("--balance-tries: there is nothing to balance; give --balance too")
            return None
        field, equals, asked = (part.strip() for part in text.partition("="))
        shares: dict[str, float] = {}
        for part in asked.split(",") if asked != "even" else ():
            value, _, share = (piece.strip() for piece in part.rpartition(":"))
            try:
                number = float(share)
            except ValueError:
                number = float("nan")
            if not value or not 0.0 < number <= 1.0 or value in shares:
                self.problems.append(
                    "--balance: expected values with shares that add up to 1, such as "
                    f"all_settled=true:0.5,false:0.5, or all_settled=even; got {part!r}"
                )
                return None
            shares[value] = number
        if not (field and equals):
            self.problems.append(f"--balance: expected a field of the outcome, such as all_settled=even; got {text!r}")
            return None
        return {"field": field, "shares": shares or "even"} | ({} if tries is None else {"tries": tries})

    def count(self, count: int | None) -> int:
        """A recipe has its counts; for a scene one must be given."""
        if count is None:
            self.problems.append("-n: how many clips is missing; give it, such as -n 100")
        return 1 if count is None else count

    def part(self, text: str | None) -> Part | None:
        """``3/8`` as the third job of an array of eight."""
        if text is None:
            return None
        from physreel.runners.base import Part

        try:
            return Part.read(text)
        except InputError as error:
            self.problems.append(f"--shard: {error}")
            return None

    def bytes(self, text: str | None) -> int | None:
        """``4G``, ``800M`` or a plain number of bytes."""
        if text is None:
            return None
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(?:i?[bB])?\s*", text)
        if match is None:
            self.problems.append(f"--memory-limit: expected a size such as 4G or 800M, got {text!r}")
            return None
        return int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))

    def runner(self, runner: str, address: str | None, workers: int | None) -> dict[str, Any]:
        """What makes the clips, and where it is reached."""
        from physreel.runners.local import check_runner

        try:
            check_runner(runner, address, workers)
        except InputError as error:
            self.problems.append(str(error))
        return {"runner": runner, "address": address}

    def check_run_options(self, *, workers: int | None, timeout: float | None, memory: int | None) -> None:
        """Numbers that the runner would refuse, told together with all else."""
        from physreel.runners.local import limit_problems

        said = {"workers": "--workers", "timeout_s": "--timeout", "memory_limit_bytes": "--memory-limit"}
        self.problems += limit_problems(workers, timeout, memory, said)


def request(reader: Reader, **options: Any) -> dict[str, Any]:
    """Keyword arguments of ``make_plan`` from the options that generate and preview share."""
    return {
        **reader.size(options["size"]),
        "fps": options["fps"],
        "duration_s": options["duration"],
        "quality": options["quality"],
        "parameters": reader.settings(options["settings"] or ()),
        "simulator": options["simulator"],
        "video_renderer": options["video_renderer"],
        "audio_renderer": options["audio_renderer"],
        "audio": not options["no_audio"],
        "said": SAID,
    }


_RECIPE_ALONE = {
    "count": "-n",
    "name": "--name",
    "settings": "--set",
    "held_out": "--held-out",
    "balance": "--balance",
    "balance_tries": "--balance-tries",
}
"""Options of one scene, which a recipe of several says for each."""

_FOR_ALL = (
    "seed",
    "fps",
    "quality",
    "passes",
    "simulator",
    "video_renderer",
    "audio_renderer",
    "exporter",
    "shard_size",
)


def overrides(reader: Reader, context: typer.Context, request: dict[str, Any]) -> dict[str, Any]:
    """What the command line says in place of a recipe, for all its scenes: only what was given there counts."""
    given = {name for name in context.params if _is_given(context, name)}
    for name, option in _RECIPE_ALONE.items():
        if name in given:
            reader.problems.append(f"{option}: a recipe says this itself, for each of its scenes; change it there")
    found = {name: request[name] for name in _FOR_ALL if name in given}
    if "duration" in given:
        found["duration_s"] = request["duration_s"]
    if "width" in request:
        found["size"] = f"{request['width']}x{request['height']}"
    if "no_audio" in given:
        found["audio"] = request["audio"]
    if request["splits"] is not None:
        found["splits"] = request["splits"]
    return found


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
