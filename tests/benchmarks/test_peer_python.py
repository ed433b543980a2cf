"""The peers' Python: named, made on demand, or missing with a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import peer_python as module
from benchmarks.bench import ROOT, Missing


def test_what_the_peers_need_stands_in_pyproject() -> None:
    names = {word.split(">")[0] for word in module.requirements(ROOT / "pyproject.toml")}
    peers = {"tensorflow", "keras", "tf-keras", "torch", "torchvision", "grad-cam"}
    assert names == {*peers, "pyarrow", "pillow"}


def test_a_named_python_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.VARIABLE, sys.executable)
    assert module.peer_python() == Path(sys.executable)


def test_a_named_python_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.VARIABLE, "nowhere/python")
    with pytest.raises(Missing, match=r"CUTAWAY_BENCH_PYTHON is nowhere/python, and there is no such file"):
        module.peer_python()


def test_it_is_installed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(module.VARIABLE, raising=False)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    calls: list[list[str]] = []
    monkeypatch.setattr(module, "install", lambda _, wanted: calls.append(wanted))
    assert module.peer_python() == module.peer_python() == tmp_path / "bin" / "python"
    assert calls == [module.requirements(ROOT / "pyproject.toml")]


def test_where_nothing_can_be_installed_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho 'no network' >&2; exit 1\n", encoding="utf-8")
    failing.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(failing))
    with pytest.raises(Missing, match=r"could not be installed into .* \(no network\); install them where"):
        module.install(failing, ["keras"])
