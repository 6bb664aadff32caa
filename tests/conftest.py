"""What is run when, and fixtures of all tests that run the fakes."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser):
    parser.addoption("--thorough", action="store_true", help="run what `make test` leaves to `make test-all`")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--thorough"):
        return
    for item in items:
        if item.get_closest_marker("thorough"):
            item.add_marker(pytest.mark.skip(reason="thorough: make test-all"))


@pytest.fixture
def beside_fakes(monkeypatch):
    """Works where the fakes can be imported by name, and has them behave."""
    monkeypatch.chdir(Path(__file__).parent)
    monkeypatch.delenv("PHYSREEL_TEST_FAULTS", raising=False)


@pytest.fixture
def faults(beside_fakes, tmp_path, monkeypatch):
    """The folder whose files tell the fakes how to misbehave."""
    folder = tmp_path / "faults"
    folder.mkdir()
    monkeypatch.setenv("PHYSREEL_TEST_FAULTS", str(folder))
    return folder
