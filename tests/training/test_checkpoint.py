"""A checkpoint is replaced whole or not at all, and reading one runs nothing."""

from __future__ import annotations

import errno
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cutaway.errors import BadInput, BadModel
from cutaway.training.checkpoint import load_checkpoint, save_checkpoint, write_whole

DAMAGED = r"run\.pt is damaged \(.*\); delete it, and cutaway resume begins this stretch of training anew"


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def state(value: float) -> dict[str, object]:
    return {"network": OrderedDict(w=torch.full((64,), value)), "at": {"step": 3, "rows": [{"epoch": 1}], "ended": ""}}


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "run.pt", state(1.5))
    back = load_checkpoint(tmp_path / "run.pt")
    assert torch.equal(back["network"]["w"], torch.full((64,), 1.5))
    assert back["at"] == state(0)["at"]
    assert names(tmp_path) == ["run.pt"]


def test_a_full_disk_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(path, state(1))

    def fail(partial: Path) -> None:
        partial.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(
        BadInput, match=r"run\.pt could not be written \(No space left on device\); what was saved before"
    ):
        write_whole(path, fail)
    assert names(tmp_path) == ["run.pt"]
    assert load_checkpoint(path)["network"]["w"][0] == 1


def test_a_really_full_disk_leaves_the_older_one(tiny_disk: Path) -> None:
    path = tiny_disk / "run.pt"
    save_checkpoint(path, state(1))
    big = {"network": torch.zeros(1_000_000)}
    with pytest.raises(
        BadInput, match=r"could not be written \(the disk is full\).* Free some space .* with: cutaway resume"
    ):
        save_checkpoint(path, big)
    assert names(tiny_disk) == ["run.pt"]
    assert load_checkpoint(path)["network"]["w"][0] == 1


def test_a_kill_while_writing_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(path, state(1))
    child = os.fork()
    if not child:

        def half(partial: Path) -> None:
            partial.write_bytes(path.read_bytes()[:100])
            os.kill(os.getpid(), 9)

        write_whole(path, half)
    os.waitpid(child, 0)
    assert names(tmp_path) == ["run.pt", "run.pt.partial"]
    assert load_checkpoint(path)["network"]["w"][0] == 1
    save_checkpoint(path, state(2))
    assert names(tmp_path) == ["run.pt"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="could not be written"):
        save_checkpoint(tmp_path / "gone" / "run.pt", state(1))


class Bomb:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, how: str) -> None:
    canary, path = tmp_path / "canary", tmp_path / "run.pt"
    if how == "torch":
        torch.save({"network": Bomb(canary)}, path)
    else:
        path.write_bytes(pickle.dumps({"network": Bomb(canary)}))
    with pytest.raises(BadModel, match=DAMAGED):
        load_checkpoint(path)
    assert not canary.exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 50, b"PK\3\4 nothing", b"not a checkpoint"])
def test_what_is_no_checkpoint_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.pt").write_bytes(content)
    with pytest.raises(BadModel, match=DAMAGED):
        load_checkpoint(tmp_path / "run.pt")


def test_a_tensor_alone_is_no_state(tmp_path: Path) -> None:
    torch.save(torch.zeros(2), tmp_path / "run.pt")
    with pytest.raises(BadModel, match=r"damaged \(it holds no state\)"):
        load_checkpoint(tmp_path / "run.pt")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, 1500))
def test_one_cut_short_is_told(tmp_path: Path, length: int) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(path, state(1))
    whole = path.read_bytes()
    path.write_bytes(whole[: min(length, len(whole) - 1)])
    with pytest.raises(BadModel, match=DAMAGED):
        load_checkpoint(path)
