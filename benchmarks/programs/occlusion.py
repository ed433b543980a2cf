"""One occlusion map of one picture by Cutaway or captum, as its page does it; prints seconds and memory, keeps it."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import models

NETWORKS = ("mobilenet_v2", "resnet18")
Array = np.ndarray[Any, Any]
Side = Callable[[], tuple[Array, list[str]]]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--library", choices=("cutaway", "captum"), required=True)
    options.add_argument("--network", choices=NETWORKS, required=True)
    options.add_argument("--folder", type=Path, required=True, help="with NETWORK.pt and the picture, pixels.npy")
    options.add_argument("--window", type=int, default=16)
    options.add_argument("--stride", type=int, default=8)
    options.add_argument("--batch", type=int, default=1, help="captum's perturbations_per_eval")
    options.add_argument("--precision", default="float32")
    options.add_argument("--threads", type=int, default=2)
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    module = getattr(models, asked.network)(weights=None).eval()
    module.load_state_dict(torch.load(asked.folder / f"{asked.network}.pt", weights_only=True))
    pixels = np.load(asked.folder / "pixels.npy")  # uint8 (1, H, W, 3)
    with torch.inference_mode():
        logits = module(torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255))
    side = (_cutaway if asked.library == "cutaway" else _captum)(module, pixels, int(logits.argmax()), asked)
    before = _resident()
    begun, spent = time.perf_counter(), time.process_time()
    found, notes = side()
    wall, cpu = time.perf_counter() - begun, time.process_time() - spent
    rise = None if before is None else _megabytes("VmHWM") - before
    name = f"{asked.library}-{asked.network}-{asked.batch}-{asked.precision}.npy"
    np.save(asked.folder / name, found)
    spread = float(logits.max() - logits.min())
    print(json.dumps({"wall": wall, "cpu": cpu, "rise": rise, "map": name, "range": spread, "notes": notes}))


def _resident() -> float | None:
    """-> MiB in memory now, the peak counted anew from here on; None where the system does not count so."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _megabytes("VmRSS")
    return None


def _megabytes(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def _cutaway(module: nn.Module, pixels: Array, target: int, asked: argparse.Namespace) -> Side:
    from cutaway.explanation import occlusion
    from cutaway.explanation.question import ask
    from cutaway.graph.trace import trace
    from cutaway.image import InputContract
    from cutaway.model import Model

    if asked.precision != "float32":
        occlusion.AGREES = -1.0  # used whatever the check finds, which the note tells
    question = ask(Model(trace(module), InputContract((pixels.shape[1], pixels.shape[2])), ()), pixels, [target])
    settings = occlusion.OcclusionSettings(asked.window, asked.stride, "zero", asked.precision)

    def side() -> tuple[Array, list[str]]:
        running = occlusion.occlusion(question, settings)
        while True:
            try:
                next(running)
            except StopIteration as end:
                return end.value.maps[0], list(end.value.notes)

    return side


def _captum(module: nn.Module, pixels: Array, target: int, asked: argparse.Namespace) -> Side:
    from captum.attr import Occlusion

    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)
    windows, strides = (3, asked.window, asked.window), (3, asked.stride, asked.stride)

    def side() -> tuple[Array, list[str]]:
        found = Occlusion(module).attribute(
            x, windows, strides, baselines=0, target=target, perturbations_per_eval=asked.batch
        )
        return found[0, 0].detach().numpy(), []  # the same in each channel

    return side


if __name__ == "__main__":
    main()
