"""Results as JUnit XML, which CI services read."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from physreel.errors import InputError
from physreel.starting.smoke import SceneResult
from physreel.storage.outputs import parent_problem

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS = {"failed": "failure", "error": "error", "skipped": "skipped"}


def junit_xml(results: Sequence[SceneResult]) -> bytes:
    """One test case a scene; time is that without compiling, which stands in the case's system-out."""
    suite = ElementTree.Element(
        "testsuite",
        name="physreel smoke",
        tests=str(len(results)),
        failures=str(sum(result.status == "failed" for result in results)),
        errors=str(sum(result.status == "error" for result in results)),
        skipped=str(sum(result.status == "skipped" for result in results)),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname="physreel.smoke", name=_plain(result.scene), time=f"{result.seconds:.3f}"
        )
        if tag := _TAGS.get(result.status):
            first = result.problems[0].splitlines()[0] if result.problems and result.problems[0] else result.status
            element = ElementTree.SubElement(case, tag, message=_plain(first))
            element.text = _plain("\n".join([*result.problems, result.details]).strip())
        out = ElementTree.SubElement(case, "system-out")
        out.text = f"CPU {result.cpu_seconds:.2f} s, compiling {result.compile_seconds:.2f} s"
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    text: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def junit_problem(path: Path) -> str | None:
    """Why the report cannot be written there; None if it can, as far as can be known before."""
    if path.is_dir():
        return f"--junit: {path} is a folder; name a file, such as {path / 'smoke.xml'}"
    problem = parent_problem(path)
    return f"--junit: {path} {problem}" if problem else None


def write_junit(path: Path, results: Sequence[SceneResult]) -> None:
    """Write the report, whole or not at all; an earlier one is replaced.

    Raises:
        InputError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(junit_xml(results))
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"--junit: cannot write {path}: {error.strerror}") from None


def _plain(text: str) -> str:
    """Without what XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
