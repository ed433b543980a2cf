"""Which number format is chosen, and this process's place among several."""

from __future__ import annotations

import pytest
import torch

from cutaway.engine.bfloat16 import native_bfloat16
from cutaway.errors import BadInput
from cutaway.training import device
from cutaway.training.device import World, agree, dtype_for, join_world, leave_world, sum_over

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_bf16": False}, False),
        ({}, False),
    ],
)
def test_bfloat16_only_where_the_processor_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], native: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert native_bfloat16(CPU) is native
    assert dtype_for("auto", CPU) is (torch.bfloat16 if native else torch.float32)
    assert dtype_for("float32", CPU) is torch.float32
    assert dtype_for("bfloat16", CPU) is torch.bfloat16


def test_a_torch_that_does_not_tell_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert dtype_for("auto", CPU) is torch.float32


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_is_asked_without_emulation(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native and not including_emulation)
    assert dtype_for("auto", CUDA) is (torch.bfloat16 if native else torch.float32)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return monkeypatch


@pytest.mark.usefixtures("plain")
def test_one_process_is_alone() -> None:
    world = join_world()
    assert world == World(0, 1, CPU)
    assert world.leads
    values = torch.arange(3)
    assert sum_over(world, values) is values
    assert agree(world, values) is values
    leave_world(world)


def test_torchruns_environment_is_read(plain: pytest.MonkeyPatch) -> None:
    joined: list[str] = []
    plain.setattr(device.dist, "init_process_group", joined.append)
    for name, value in {"WORLD_SIZE": "4", "RANK": "2", "LOCAL_RANK": "1"}.items():
        plain.setenv(name, value)
    assert join_world() == World(2, 4, CPU)
    assert not join_world().leads
    assert joined == ["gloo", "gloo"]
    plain.setattr(torch.cuda, "is_available", lambda: True)
    plain.setattr(torch.cuda, "set_device", lambda chosen: joined.append(str(chosen)))
    assert join_world() == World(2, 4, torch.device("cuda", 1))
    assert joined[2:] == ["cuda:1", "cpu:gloo,cuda:nccl"]


def test_a_process_that_cannot_be_joined_is_told(plain: pytest.MonkeyPatch) -> None:
    plain.setenv("WORLD_SIZE", "2")
    plain.setenv("RANK", "0")
    with pytest.raises(
        BadInput, match=r"WORLD_SIZE=2 says .* could not be joined \(.*MASTER_ADDR.*\); start them with torchrun"
    ):
        join_world()


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "LOCAL_RANK"])
def test_nonsense_in_the_environment_is_told(plain: pytest.MonkeyPatch, name: str) -> None:
    plain.setenv(name, "many")
    with pytest.raises(
        BadInput, match=f"environment variable {name} must be a whole number, as torchrun .* Got 'many'"
    ):
        join_world()
