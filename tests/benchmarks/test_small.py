"""startup, decode and cache on the least there is; gpu_airbench's readers, and what it says without a GPU."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from benchmarks import cache, decode, gpu_airbench, startup
from benchmarks.bench import Missing, Settings
from benchmarks.programs.airbench import shortened, write_tensors


def test_startup_takes_the_median_of_processes() -> None:
    row = startup.row("nothing", [sys.executable, "-c", "pass"], 60.0, runs=1)
    assert row["met"] is True
    assert 0 < row["processor seconds"] < 60


def test_decode_compares_with_pillow(tmp_path: Path) -> None:
    (row,) = decode.measure(Settings(tmp_path, quick=True)).rows
    assert row["files"] == 1
    assert row["ratio"] > 0
    assert row["largest difference, levels"] == 0


def test_cache_compares_with_memory(tmp_path: Path) -> None:
    (row,) = cache.measure(Settings(tmp_path, quick=True)).rows
    assert row["pictures"] == 1797
    assert row["ratio held"] > 0


# Two lines in the form airbench94_muon prints: the warm-up's and a run's.
PRINTED = """
|  run     |  epoch  |  train_acc  |  val_acc  |  tta_val_acc  |  time_seconds  |
|          |      7  |     0.9440  |   0.9312  |               |        2.2912  |
|          |   eval  |     0.1010  |   0.0998  |       0.0991  |        9.1234  |
|          |   eval  |     0.9545  |   0.9305  |       0.9391  |        2.3456  |
|          |   eval  |     0.9545  |   0.9305  |       0.9401  |        2.3556  |
"""


def test_what_airbench_prints_is_read() -> None:
    found = gpu_airbench.evaluations(PRINTED)
    assert found == [(0.0991, 9.1234), (0.9391, 2.3456), (0.9401, 2.3556)]
    row = gpu_airbench.peer_row(found[1:], 2000)
    assert (row["test accuracy"], row["train, s"]) == (0.9396, 2.35)


def test_without_a_gpu_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu_airbench, "device", lambda: "")
    with pytest.raises(Missing, match="There is no CUDA GPU here"):
        gpu_airbench.measure(Settings(tmp_path))


def test_with_a_gpu_the_data_and_the_peers_file_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_cifar: Path
) -> None:
    monkeypatch.setattr(gpu_airbench, "device", lambda: "some card")
    monkeypatch.setenv(gpu_airbench.VARIABLE, str(tmp_path / "airbench94_muon.py"))
    with pytest.raises(Missing, match="There is no CIFAR-10 at"):
        gpu_airbench.wanted(Settings(tmp_path / "nowhere"))
    with pytest.raises(Missing, match=r"name a copy of airbench94_muon.py with CUTAWAY_AIRBENCH=FILE"):
        gpu_airbench.wanted(Settings(small_cifar.parent))
    (tmp_path / "airbench94_muon.py").touch()
    assert gpu_airbench.wanted(Settings(small_cifar.parent)) == (tmp_path / "airbench94_muon.py", small_cifar)


def test_the_peer_gets_the_parquets_pixels(monkeypatch: pytest.MonkeyPatch, small_cifar: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("CUTAWAY_CACHE", str(tmp_path / "cache"))
    write_tensors(small_cifar, tmp_path / "tensors")
    train = torch.load(tmp_path / "tensors" / "train.pt", weights_only=True)
    assert train["images"].shape == (60, 32, 32, 3)
    assert train["images"].dtype == torch.uint8
    assert train["labels"].tolist() == [i % 10 for i in range(60)]
    assert len(train["classes"]) == 10


def test_the_peer_is_only_shortened(tmp_path: Path) -> None:
    script = tmp_path / "airbench94_muon.py"
    script.write_text("for run in range(200): pass\n", encoding="utf-8")
    (tmp_path / "copy").mkdir()
    assert shortened(script, tmp_path / "copy", 3).read_text() == "for run in range(3): pass\n"
    script.write_text("pass\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"is it airbench94_muon.py\?"):
        shortened(script, tmp_path / "copy", 3)
