"""How many processor threads train fastest now: on a busy machine one can beat two by ten to one.

A step is hundreds of small parallel pieces, and each waits for its slowest thread. Where another program keeps one of
two cores busy, a step of tutorial-cifar took 508 ms with two threads and 32 ms with one (measured, batch 128).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from cutaway.training.device import dtype_for
from cutaway.training.loop import Job

_TRIES = 4
_WORTH = 0.9  # fewer threads must be this much faster: a quiet machine keeps all of its own


def fastest_threads(network: nn.Module, job: Job) -> int:
    """Network and its job -> the number of threads with which a training step takes least time, network untouched.

    Tried: all threads torch has now, half of them, one. On a GPU, and for one of several processes, nothing is tried.
    """
    most = torch.get_num_threads()
    if most == 1 or job.world.device.type != "cpu" or job.world.size > 1:
        return most
    step = _step(network, job)
    try:
        seconds = {threads: _seconds(step, threads) for threads in dict.fromkeys((most, max(1, most // 2), 1))}
    finally:
        torch.set_num_threads(most)
    best = min(seconds, key=lambda threads: seconds[threads])
    return best if seconds[best] < _WORTH * seconds[most] else most


def _seconds(step: Callable[[], None], threads: int) -> float:
    torch.set_num_threads(threads)
    step()  # the first one makes what later ones reuse
    taken = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        step()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[_TRIES // 2]


def _step(network: nn.Module, job: Job) -> Callable[[], None]:
    twin = copy.deepcopy(network).train()
    dtype = dtype_for(job.recipe.precision, job.world.device)
    at = torch.arange(min(job.recipe.batch_size, len(job.train.labels)))
    x, target = job.train.batch(at, None), job.train.labels[at]

    def step() -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            logits = twin(x)
        F.cross_entropy(logits.float(), target).backward()  # type: ignore[no-untyped-call]

    return step
