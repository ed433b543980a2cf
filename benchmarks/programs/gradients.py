"""One gradient map of one picture by Cutaway or captum, as its page does it; prints seconds, keeps the map."""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import models

NETWORKS = ("mobilenet_v2", "resnet18")
METHODS = ("saliency", "integrated-gradients")
STEPS = 50
Array = np.ndarray[Any, Any]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--library", choices=("cutaway", "captum"), required=True)
    options.add_argument("--method", choices=METHODS, required=True)
    options.add_argument("--network", choices=NETWORKS, required=True)
    options.add_argument("--folder", type=Path, required=True, help="with NETWORK.pt and the picture, pixels.npy")
    options.add_argument("--batch", type=int, default=0, help="captum's internal_batch_size; 0: its default, none")
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--threads", type=int, default=2)
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    module = getattr(models, asked.network)(weights=None).eval()
    module.load_state_dict(torch.load(asked.folder / f"{asked.network}.pt", weights_only=True))
    pixels = np.load(asked.folder / "pixels.npy")  # uint8 (1, H, W, 3)
    side = (_cutaway if asked.library == "cutaway" else _captum)(module, pixels, asked)
    before, wall, cpu, rise = _resident(), [], [], None
    for number in range(asked.rounds + (asked.rounds > 1)):  # of several, the first is not measured
        begun, spent = time.perf_counter(), time.process_time()
        found = side()
        if number or asked.rounds == 1:
            wall.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - spent)
        if not number and before is not None:
            rise = _megabytes("VmHWM") - before
    name = f"{asked.library}-{asked.method}-{asked.network}-{asked.batch}.npy"
    np.save(asked.folder / name, found)
    print(json.dumps({"wall": statistics.median(wall), "cpu": statistics.median(cpu), "rise": rise, "map": name}))


def _resident() -> float | None:
    """-> MiB in memory now, the peak counted anew from here on; None where the system does not count so."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _megabytes("VmRSS")
    return None


def _megabytes(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def _cutaway(module: nn.Module, pixels: Array, asked: argparse.Namespace) -> Callable[[], Array]:
    from cutaway.explanation.explanation import explained
    from cutaway.explanation.method import method_named, settings_of
    from cutaway.explanation.question import ask
    from cutaway.graph.trace import trace
    from cutaway.image import InputContract
    from cutaway.model import Model

    question = ask(Model(trace(module), InputContract((pixels.shape[1], pixels.shape[2])), ()), pixels)
    method = method_named(asked.method)
    integrates = asked.method == "integrated-gradients"
    settings = settings_of(method, {"steps": STEPS, "baseline": "zero"} if integrates else {})

    def side() -> Array:
        running = explained(method, question, settings)
        while True:
            try:
                next(running)
            except StopIteration as end:
                return end.value[0].maps[0]  # type: ignore[no-any-return]

    return side


def _captum(module: nn.Module, pixels: Array, asked: argparse.Namespace) -> Callable[[], Array]:
    from captum.attr import IntegratedGradients, Saliency

    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255).requires_grad_()
    with torch.no_grad():
        target = int(module(x).argmax())
    if asked.method == "saliency":
        return lambda: Saliency(module).attribute(x, target=target).amax(1)[0].detach().numpy()
    whole = IntegratedGradients(module)
    batch = asked.batch or None
    return lambda: (
        whole.attribute(x, target=target, n_steps=STEPS, internal_batch_size=batch).sum(1)[0].detach().numpy()
    )


if __name__ == "__main__":
    main()
