"""A working folder for every test of this room; the pictures and the caller are those of tests/verbs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

VERBS = str(Path(__file__).resolve().parents[1] / "verbs")
if VERBS not in sys.path:
    sys.path.append(VERBS)

from shapes import SRC, Cli, Said, called, plant  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("CUTAWAY_CACHE", str(folder))
        patch.setenv("PYTHONPATH", str(SRC), prepend=os.pathsep)
        yield folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("planted") / "shapes")


@pytest.fixture
def shapes(here: Path, planted: Path) -> Path:
    """shapes/ in the working folder: 14 pictures of each of three classes."""
    return Path(shutil.copytree(planted, here / "shapes")).relative_to(here)


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of the three shapes with fresh weights: enough for every door that opens one."""
    import torch

    import cutaway as ca
    from cutaway.zoo import build

    torch.manual_seed(0)
    made = build("small-cnn", classes=("circle", "cross", "square"), size=(24, 24))
    return ca.save_model(
        ca.Model(made.graph, made.contract, ("circle", "cross", "square"), False, {"network": "small-cnn"}),
        tmp_path_factory.mktemp("model") / "shapes.safetensors",
    )


@pytest.fixture
def model(here: Path, untrained: Path) -> Path:
    return Path(shutil.copy(untrained, here / "shapes.safetensors")).relative_to(here)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """(word, ...) -> what `cutaway word ...` prints and ends with, in this process."""

    def call(*words: Any) -> Said:
        return called(capsys, monkeypatch, words)

    return call
