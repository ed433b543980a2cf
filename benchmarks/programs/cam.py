"""One class activation map of one picture by one library, as its page does it; prints seconds, keeps the map.

A file that runs by itself: for pytorch-grad-cam under a Python that has neither Cutaway nor this package.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import models

LAYERS = {"mobilenet_v2": "features.18.2", "resnet18": "layer4"}
LIBRARIES = {"cutaway": "cutaway", "captum": "captum", "pytorch-grad-cam": "grad-cam"}
Side = Callable[[], np.ndarray[Any, Any]]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--library", choices=LIBRARIES, required=True)
    options.add_argument("--method", choices=("gradcam", "scorecam"), required=True)
    options.add_argument("--network", choices=LAYERS, required=True)
    options.add_argument("--folder", type=Path, required=True, help="with NETWORK.pt and the picture, pixels.npy")
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--bf16", type=int, default=0)
    options.add_argument("--threads", type=int, default=2)
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    module = getattr(models, asked.network)(weights=None).eval()
    module.load_state_dict(torch.load(asked.folder / f"{asked.network}.pt", weights_only=True))
    pixels = np.load(asked.folder / "pixels.npy")  # uint8 (1, H, W, 3)
    make = {"cutaway": _cutaway, "captum": _captum, "pytorch-grad-cam": _grad_cam}[asked.library]
    side = make(module, pixels, asked)
    before, wall, cpu, rise = _resident(), [], [], None
    for number in range(asked.rounds + (asked.method == "gradcam")):
        begun, spent = time.perf_counter(), time.process_time()
        found = side()
        if number or asked.method == "scorecam":  # a first, unmeasured one where one takes milliseconds
            wall.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - spent)
        if not number and before is not None:
            rise = _peak() - before
    name = f"{asked.library}-{asked.method}-{asked.network}{'-bf16' if asked.bf16 else ''}.npy"
    np.save(asked.folder / name, found)
    took = {"wall": statistics.median(wall), "cpu": statistics.median(cpu), "rise": rise}
    print(json.dumps({**took, "map": name, "version": version(LIBRARIES[asked.library])}))


def _resident() -> float | None:
    """-> MiB in memory now, the peak counted anew from here on; None where the system does not count so."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _status("VmRSS")
    return None


def _peak() -> float:
    return _status("VmHWM")


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def _x(pixels: np.ndarray[Any, Any]) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def _cutaway(module: nn.Module, pixels: np.ndarray[Any, Any], asked: argparse.Namespace) -> Side:
    from cutaway.explanation.explanation import explained
    from cutaway.explanation.method import method_named, settings_of
    from cutaway.explanation.question import ask
    from cutaway.graph.trace import trace
    from cutaway.image import InputContract
    from cutaway.model import Model

    size = (pixels.shape[1], pixels.shape[2])
    question = ask(Model(trace(module), InputContract(size), ()), pixels)
    method = method_named(asked.method)
    given = {"layer": LAYERS[asked.network], "relu": True, **({"precision": "bfloat16"} if asked.bf16 else {})}
    settings = settings_of(method, given)

    def side() -> np.ndarray[Any, Any]:
        running = explained(method, question, settings)
        while True:
            try:
                next(running)
            except StopIteration as end:
                return end.value[0].maps[0]  # type: ignore[no-any-return]

    return side


def _captum(module: nn.Module, pixels: np.ndarray[Any, Any], asked: argparse.Namespace) -> Side:
    from captum.attr import LayerAttribution, LayerGradCam

    x = _x(pixels)
    with torch.no_grad():
        target = int(module(x).argmax())
    method = LayerGradCam(module, module.get_submodule(LAYERS[asked.network]))

    def side() -> np.ndarray[Any, Any]:
        cells = method.attribute(x, target=target, relu_attributions=True)
        return LayerAttribution.interpolate(cells, (x.shape[2], x.shape[3]), "bilinear").detach().numpy()[0, 0]

    return side


def _grad_cam(module: nn.Module, pixels: np.ndarray[Any, Any], asked: argparse.Namespace) -> Side:
    import pytorch_grad_cam  # type: ignore[import-not-found]
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # type: ignore[import-not-found]

    x = _x(pixels)
    with torch.no_grad():
        targets = [ClassifierOutputTarget(int(module(x).argmax()))]
    make = pytorch_grad_cam.GradCAM if asked.method == "gradcam" else pytorch_grad_cam.ScoreCAM
    method = make(model=module, target_layers=[module.get_submodule(LAYERS[asked.network])])
    return lambda: method(input_tensor=x, targets=targets)[0]


if __name__ == "__main__":
    main()
