"""A working folder and a cache of its own for every test of this room, and a run trained once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.append(HERE)

from shapes import QUICK, SRC, Cli, Said, called, plant  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache folder for all tests of this room, so that pictures are decoded once; subprocesses see it too."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("CUTAWAY_CACHE", str(folder))
        patch.setenv("PYTHONPATH", str(SRC), prepend=os.pathsep)
        yield folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in a folder of its own, so that runs/ is empty when it begins."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders drawn once; tests get copies."""
    return plant(tmp_path_factory.mktemp("planted") / "shapes")


@pytest.fixture
def shapes(here: Path, planted: Path) -> Path:
    """shapes/ in the working folder: 14 pictures of each of three classes."""
    return Path(shutil.copytree(planted, here / "shapes")).relative_to(here)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, planted: Path) -> Path:
    """A folder with shapes/ and runs/first trained on it, made once; tests must not change it."""
    import cutaway as ca

    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(planted, folder / "shapes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        ca.train("shapes", out="runs/first", **QUICK)
    return folder


@pytest.fixture
def first(here: Path, home: Path) -> Path:
    """runs/first and shapes/ in the working folder: a copy of the run that was trained once."""
    shutil.copytree(home, here, dirs_exist_ok=True)
    return Path("runs/first")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """(word, ...) -> what `cutaway word ...` prints and ends with, in this process."""

    def call(*words: Any) -> Said:
        return called(capsys, monkeypatch, words)

    return call
