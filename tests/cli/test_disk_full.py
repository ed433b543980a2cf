"""The disk fills up at any moment of a run: one sentence, exit code 2; with room again resume ends as if it had not."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from shapes import Cli

import cutaway as ca

LINE = ["train", "shapes", "--network", "small-cnn", "--epochs", "2", "--batch-size", "8", "--threads", "1", "--out"]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, planted: Path) -> dict[str, torch.Tensor]:
    """The weights that a run on a disk with room ends with."""
    home = tmp_path_factory.mktemp("whole")
    shutil.copytree(planted, home / "shapes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        run = ca.train("shapes", network="small-cnn", epochs=2, batch_size=8, threads=1)
        return dict(run.model.graph.state_dict())


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


def refused(said: Any) -> str:
    assert said.code == 2, said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    last: str = said.err.splitlines()[-1]
    assert last.endswith(".")
    return last


@pytest.fixture
def small_disk(here: Path) -> Iterator[Path]:
    """full/: a disk of its own; skips where one may not be mounted."""
    disk = here / "full"
    disk.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", "size=8k", "none", disk]
    if not shutil.which("mount") or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", "none", disk], check=True)


@pytest.mark.parametrize("size", [*(pytest.param(s, marks=pytest.mark.slow) for s in ("8k", "600k")), "16k", "2000k"])
def test_a_real_disk_that_is_full(
    size: str, shapes: Path, small_disk: Path, cli: Cli, whole: dict[str, torch.Tensor]
) -> None:
    """8k holds not even the papers, 16k no curve, 600k no checkpoint, 2000k one checkpoint but not the next."""
    del shapes
    resize(small_disk, size)
    sentence = refused(cli(*LINE, "full/run"))
    assert "full/run" in sentence
    assert "No space left on device" in sentence or "the disk is full" in sentence
    assert not list(small_disk.rglob("*.part*")), "no half-written file is left behind"
    resize(small_disk, "50m")
    assert cli("resume", "full/run").code == 0
    assert same(whole, ca.open_model("full/run").graph.state_dict())


def test_a_full_disk_at_every_file_that_is_written(
    shapes: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, whole: dict[str, torch.Tensor]
) -> None:
    """Where no small disk can be mounted too: the first, second, ... file of a run meets a full disk.

    TensorBoard's own file may be lost to it: its writer says nothing, and metrics.jsonl has the same numbers.
    """
    del shapes
    real = os.fsync
    written = fails_at = 0

    def fsync(file: int) -> None:
        nonlocal written
        ours = threading.current_thread() is threading.main_thread()  # TensorBoard's writer has a thread of its own
        written += ours
        if ours and written == fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "what was written")
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    told = []
    for fails_at in range(1, 13):
        written, out = 0, f"runs-{fails_at}/run"
        said = cli(*LINE, out)
        written = -1000
        if said.code == 2:
            told.append(refused(said))
            if Path(out, "config.json").exists():
                assert cli("resume", out).code == 0
        if Path(out, "config.json").exists():
            assert same(whole, ca.open_model(out).graph.state_dict())
    assert len(told) >= 7, "configuration, data, checkpoints, model, looks, page, numbers"
    assert all("o space left" in sentence for sentence in told)


def test_a_model_that_does_not_fit(
    shapes: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, whole: dict[str, torch.Tensor]
) -> None:
    del shapes
    from safetensors import SafetensorError

    def save(_: Any, path: Path, **__: Any) -> None:
        path.write_bytes(b"half a model")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr("cutaway.model.file.save_file", save)
        sentence = refused(cli(*LINE, "run"))
    assert sentence.startswith("run/model.safetensors could not be written (no space left); free some space")
    assert not list(Path("run").glob("*.partial"))
    assert cli("resume", "run").code == 0
    assert same(whole, ca.open_model("run").graph.state_dict())


def test_a_full_disk_for_the_answers() -> None:
    """`cutaway networks > /dev/full`: the sentence, not a traceback."""
    if not Path("/dev/full").exists():
        pytest.skip("the system has no /dev/full")
    import sys

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cutaway", "networks", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("A file cannot be written (No space left on device)")
    assert "Traceback" not in done.stderr


def test_a_cache_that_cannot_be_written_is_told(shapes: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    monkeypatch.setenv("CUTAWAY_CACHE", "file/cache")
    sentence = refused(cli(*LINE[:1], shapes, *LINE[2:], "run"))
    assert "set $CUTAWAY_CACHE to a folder that you may write to" in sentence
    assert not Path("run").exists()
