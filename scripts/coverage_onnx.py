#!/usr/bin/env python3
"""torchvision's CNNs exported to ONNX at four opsets, opened by Cutaway and compared with onnxruntime.

    .venv/bin/python scripts/coverage_onnx.py [NETWORK ...]      writes docs/coverage/onnx.json

Weights are random and batch-norm statistics seeded, so nothing is downloaded; each file is deleted after its row. Every
middle layer's shape is checked against what runs, and the output for one and for two pictures against onnxruntime.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from torch import nn

from cutaway.errors import BadModel
from cutaway.formats import Parts, read_model_file

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "coverage" / "onnx.json"
BAR = 1e-4

# Network -> (side of the picture, settings). The first eight are those of the bar.
NETWORKS: dict[str, tuple[int, dict[str, Any]]] = {
    "resnet18": (64, {}),
    "mobilenet_v2": (64, {}),
    "vgg11": (224, {}),
    "googlenet": (64, {"aux_logits": False, "init_weights": False}),
    "densenet121": (64, {}),
    "inception_v3": (96, {"aux_logits": False, "init_weights": False}),
    "efficientnet_b0": (64, {}),
    "convnext_tiny": (64, {}),
    "alexnet": (224, {}),
    "vgg11_bn": (224, {}),
    "squeezenet1_1": (64, {}),
    "mobilenet_v3_small": (64, {}),
    "shufflenet_v2_x1_0": (64, {}),
    "mnasnet0_5": (64, {}),
    "regnet_y_400mf": (64, {}),
}
EXPORTS = (
    ("TorchScript exporter", 13, False),
    ("torch.export", 18, True),
    ("torch.export, its default opset", None, True),
    ("torch.export, its newest opset", 23, True),
)


def main(chosen: list[str]) -> int:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    kept = json.loads(TABLE.read_text()) if TABLE.exists() and chosen else {"rows": []}
    rows = [r for r in kept["rows"] if r["network"] not in chosen]
    for name in chosen or NETWORKS:
        for export in EXPORTS:
            rows.append(row(name, *export))
            print(json.dumps(rows[-1]), flush=True)
            write(rows)
    return 0


def write(rows: list[dict[str, Any]]) -> None:
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    document = {"command": "python scripts/coverage_onnx.py", "rows": rows}
    TABLE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def versions(exporter: str) -> str:
    others = ", ".join(f"{m.__name__} {m.__version__}" for m in (torchvision, onnx, onnxruntime))
    return f"torch {torch.__version__} ({exporter}), {others}"


def row(name: str, words: str, opset: int | None, dynamo: bool) -> dict[str, Any]:
    side, settings = NETWORKS[name]
    network = seeded(name, settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        export(network, side, path, opset, dynamo)
        written = {o.domain: o.version for o in onnx.load(path, load_external_data=False).opset_import}[""]
        found: dict[str, Any] = {"format": f"ONNX opset {written}", "network": name, "versions": versions(words)}
        try:
            parts = read_model_file(path)
        except BadModel as error:
            return found | {"opens": False, "runs": False, "difference": None, "note": str(error)}
        assert isinstance(parts, Parts)
        difference, largest = compared(path, parts, side)
    note = "; ".join(s for s in parts.card["notes"].split(". ") if "merged" in s)
    good = difference <= BAR
    return found | {"opens": True, "runs": good, "difference": difference, "largest_output": largest, "note": note}


def seeded(name: str, settings: dict[str, Any]) -> nn.Module:
    """The network with weights that keep values of size 1 all the way, and statistics unlike 0 and 1."""
    torch.manual_seed(0)
    network: nn.Module = getattr(torchvision.models, name)(weights=None, **settings).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.uniform_(module.bias, -0.2, 0.2)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
    return network


def export(network: nn.Module, side: int, path: Path, opset: int | None, dynamo: bool) -> None:
    x = torch.zeros(1, 3, side, side)
    if dynamo:
        given = {} if opset is None else {"opset_version": opset}
        torch.onnx.export(network, (x,), path, dynamo=True, external_data=False, verbose=False, **given)
    else:
        open_batch = {"input": {0: "n"}}
        torch.onnx.export(
            network, (x,), path, dynamo=False, opset_version=opset, input_names=["input"], dynamic_axes=open_batch
        )


def compared(path: Path, parts: Parts, side: int) -> tuple[float, float]:
    """-> (largest difference to onnxruntime relative to the largest output where that is above 1, that output)."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    pictures = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)) * 4 - 2
    name = session.get_inputs()[0].name
    wanted = np.concatenate([session.run(None, {name: p[None].numpy()})[0] for p in pictures])
    with torch.inference_mode():
        got = parts.graph(pictures).numpy()
    assert got.shape == wanted.shape, (got.shape, wanted.shape)
    largest = float(np.abs(wanted).max())
    return float(np.abs(got - wanted).max()) / max(1.0, largest), largest


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
