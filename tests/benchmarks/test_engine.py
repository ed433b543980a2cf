"""trace, stream and open_file on the least there is, and what they say when something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import open_file, peer_python, stream, trace
from benchmarks.bench import Missing, Settings
from benchmarks.processes import Failed


def test_trace_compares_with_the_plain_pass(tmp_path: Path) -> None:
    (row,) = trace.measure(Settings(tmp_path, 1, quick=True)).rows
    assert row["difference"] == 0
    assert row["ratio"] > 0
    assert "torchlens, ms" not in row


def test_trace_without_torchlens_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def lacking() -> Path:
        raise Missing("no network.")

    monkeypatch.setattr(trace, "torchlens_folder", lacking)
    assert trace._torchlens() is None
    assert "without torchlens: no network." in capsys.readouterr().out


@pytest.mark.slow
def test_stream_compares_with_plain_inference(tmp_path: Path) -> None:
    (row,) = stream.measure(Settings(tmp_path, 1, quick=True)).rows
    assert row["difference"] < 1e-4
    assert row["ratio, vectors"] > 0
    assert row["memory x4"] > 0


def test_open_file_wants_a_file(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"There is no teachable-machine/\*/keras_model\.h5 below .*name its place"):
        open_file.measure(Settings(tmp_path))


@pytest.mark.slow
def test_open_file_measures_both_kinds(shared_data: Path) -> None:
    small, large = open_file.measure(Settings(shared_data, 1, quick=True)).rows
    assert small["file"].endswith("keras_model.h5")
    assert 0 < small["ours, CPU s"] < 60
    assert large["MB"] > 40
    assert large["reading its bytes, CPU s"] >= 0


def test_torchlens_is_named_or_installed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(peer_python.TORCHLENS_VARIABLE, str(tmp_path))
    with pytest.raises(Missing, match=r"CUTAWAY_TORCHLENS is .*, which holds no torchlens; name another folder"):
        peer_python.torchlens_folder()
    (tmp_path / "torchlens").mkdir()
    assert peer_python.torchlens_folder() == tmp_path
    monkeypatch.delenv(peer_python.TORCHLENS_VARIABLE)
    monkeypatch.setattr(peer_python, "TORCHLENS_FOLDER", tmp_path)
    calls: list[list[str]] = []
    monkeypatch.setattr(peer_python, "_done", lambda command, *_: calls.append(command))
    assert peer_python.torchlens_folder() == peer_python.torchlens_folder() == tmp_path
    assert len(calls) == 1
    assert calls[0][-2:] == peer_python.TORCHLENS


@pytest.mark.slow
def test_a_side_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="ended with"):
        stream.compared("no_such_network", Settings(tmp_path, 1, quick=True))
