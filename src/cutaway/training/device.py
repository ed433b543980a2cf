"""Which processor trains, how exactly it multiplies, and whether this process is one of several (torchrun)."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist

from cutaway.engine.bfloat16 import native_bfloat16
from cutaway.errors import BadInput, must_be
from cutaway.training.recipe import Precision


@dataclass(frozen=True, slots=True)
class World:
    """This process's place: `rank` of `size`; rank 0 writes files and talks."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        return self.rank == 0


def join_world() -> World:
    """RANK and WORLD_SIZE in the environment (torchrun sets them) -> this process's place, connected to the others."""
    size, rank, local = (
        _number(name, default) for name, default in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0))
    )
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if size > 1 and not dist.is_initialized():
        if cuda:
            torch.cuda.set_device(device)
        try:  # a head on kept vectors trains on the processor even where pictures go through a GPU
            dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
        except (ValueError, RuntimeError) as error:
            raise BadInput(
                f"WORLD_SIZE={size} says that this is one of {size} processes, but they could not be joined "
                f"({str(error).splitlines()[0]}); start them with torchrun, or unset WORLD_SIZE."
            ) from None
    return World(rank, size, device)


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise must_be(f"The environment variable {name}", "a whole number, as torchrun sets it", text)
    return int(text)


def leave_world(world: World) -> None:
    if world.size > 1 and dist.is_initialized():
        dist.destroy_process_group()


def sum_over(world: World, values: torch.Tensor) -> torch.Tensor:
    """Sums -> the same sums over all processes."""
    if world.size > 1:
        dist.all_reduce(values)
    return values


def agree(world: World, values: torch.Tensor) -> torch.Tensor:
    """Values -> the leading process's, in place, so that all decide alike."""
    if world.size > 1:
        dist.broadcast(values, 0)
    return values


def dtype_for(precision: Precision, device: torch.device) -> torch.dtype:
    if precision == "auto":
        return torch.bfloat16 if native_bfloat16(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32
