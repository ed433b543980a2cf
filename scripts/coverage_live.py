"""Writes docs/coverage/{live,weights}.json: live networks and files of weights, against the libraries' modules.

    .venv/bin/python scripts/coverage_live.py          # 6 minutes on one core
    .venv/bin/python scripts/coverage_live.py dla34    # only these; their rows are replaced

Every network gets seeded random weights with scales and running statistics away from 0 and 1. Live: opened at 96 px and
compared on two pictures of noise. Files: saved by torch or safetensors for 10 classes, opened by open_model, which has
to find the network by names and shapes alone, and compared at the size it was published for.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import timm
import torch
import torchvision
from torch import nn
from torchvision.models import get_model

from cutaway.errors import CutawayError
from cutaway.model import Model, open_model
from cutaway.zoo.plain import PLAIN

OUT = Path(__file__).resolve().parents[1] / "docs" / "coverage"
TORCHVISION = (
    "alexnet", "vgg11_bn", "resnet18", "mobilenet_v2", "googlenet", "densenet121", "efficientnet_b0", "inception_v3",
)  # fmt: skip
TIMM = (
    "resnet18", "efficientnet_b0", "tf_efficientnet_b0", "regnety_002", "mobilenetv3_small_100",
    "mobilenetv4_conv_small", "convnext_tiny", "nfnet_f0", "hrnet_w18_small", "vgg11_bn", "densenet121", "dla34",
    "ghostnet_100", "mnasnet_100", "rexnet_100", "repvgg_a0", "cspresnet50", "dpn68", "inception_v3", "xception41",
    "selecsls42", "hardcorenas_a", "lcnet_050", "resnest14d", "skresnet18", "res2net50d",
)  # fmt: skip
CLASSES = 10
Row = dict[str, Any]
Save = Callable[[nn.Module, torch.Tensor, Path], Path]


def shaken(network: nn.Module) -> nn.Module:
    """Scales and running statistics away from 0 and 1, so that no branch is silent."""
    with torch.no_grad():
        for value in network.parameters():
            if value.ndim <= 1:
                value.add_(torch.randn_like(value) * 0.1)
        for name, value in network.named_buffers():
            if name.endswith("running_mean"):
                value.normal_(0, 0.1)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return network.eval()


def networks() -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    for name in TORCHVISION:
        settings = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
        yield f"torchvision {name}", lambda n=name, s=settings: get_model(n, num_classes=CLASSES, **s)
    for name in TIMM:
        yield f"timm {name}", lambda n=name: timm.create_model(n, num_classes=CLASSES)
    for name, plain in PLAIN.items():
        yield f"cutaway {name}", lambda p=plain: p.make(CLASSES)


def live(name: str, network: nn.Module) -> Row:
    def opened() -> Model:
        size = PLAIN[name.split()[1]].size if name.startswith("cutaway") else 96
        return open_model(network, size=size)

    return compared("live nn.Module", name, opened, network)


def compared(kind: str, name: str, opened: Callable[[], Model], network: nn.Module) -> Row:
    """One row: whether it opens, runs, and how far its output is from the library's own module's."""
    begun = time.process_time()
    try:
        model = opened()
    except CutawayError as error:
        return row(kind, name, note=str(error))
    seconds = time.process_time() - begun
    x = torch.randn(2, model.contract.in_channels, *model.contract.size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted, got = network(x), model.graph(x)
    found = model.card.get("network", "")
    note = f"{seconds:.1f} s" + (f", found as {model.card['library']} {found}" if found else "")
    note += ", through torch.export" if "torch.export, because" in model.card.get("notes", "") else ""
    return row(kind, name, True, bool(torch.isfinite(got).all()), float((wanted - got).abs().max()), note)


def row(kind: str, name: str, opens: bool = False, runs: bool = False, off: float | None = None, note: str = "") -> Row:
    return {
        "format": kind, "network": name, "opens": opens, "runs": runs, "difference": off, "note": note,
        "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}, "
        f"safetensors {safetensors.__version__}",
    }  # fmt: skip


def state_dict(network: nn.Module, _: torch.Tensor, folder: Path) -> Path:
    torch.save(network.state_dict(), folder / "net.pth")
    return folder / "net.pth"


def older(network: nn.Module, _: torch.Tensor, folder: Path) -> Path:
    torch.save(network.state_dict(), folder / "net.pth", _use_new_zipfile_serialization=False)
    return folder / "net.pth"


def checkpoint(network: nn.Module, _: torch.Tensor, folder: Path) -> Path:
    moving = torch.optim.Adam(network.parameters())
    network.state_dict()
    weights = {f"module.{k}": v for k, v in network.state_dict().items()}
    saved = {"epoch": 3, "state_dict": weights, "optimizer": moving.state_dict(), "best_acc": 0.5}
    torch.save(saved, folder / "net.pth.tar")
    return folder / "net.pth.tar"


def safetensors_file(network: nn.Module, _: torch.Tensor, folder: Path) -> Path:
    safetensors.torch.save_model(network, str(folder / "net.safetensors"))
    return folder / "net.safetensors"


def pickled(network: nn.Module, _: torch.Tensor, folder: Path) -> Path:
    torch.save(network, folder / "net.pt")
    return folder / "net.pt"


def torchscript(network: nn.Module, x: torch.Tensor, folder: Path) -> Path:
    torch.jit.trace(network, x).save(str(folder / "net.pt"))
    return folder / "net.pt"


def exported(network: nn.Module, x: torch.Tensor, folder: Path) -> Path:
    torch.export.save(torch.export.export(network, (x,)), folder / "net.pt2")
    return folder / "net.pt2"


SAVES: dict[str, Save] = {
    "state_dict .pth": state_dict,
    "safetensors": safetensors_file,
    "state_dict .pth (older layout)": older,
    "checkpoint (module., optimizer)": checkpoint,
    "pickled module .pt": pickled,
    "TorchScript (trace)": torchscript,
    "torch.export .pt2": exported,
}


def files(name: str, network: nn.Module) -> Iterator[Row]:
    few = list(SAVES)[:2] if name.startswith("timm") else list(SAVES)
    side = PLAIN[name.split()[1]].size[0] if name.startswith("cutaway") else 96
    channels = PLAIN[name.split()[1]].in_channels if name.startswith("cutaway") else 3
    for kind in few:
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = SAVES[kind](network, torch.zeros(1, channels, side, side), Path(folder))
            except Exception as error:  # the library's own writer
                yield row(kind, name, note=f"torch could not write it: {str(error).splitlines()[0][:100]}")
                continue
            found = compared(kind, name, lambda p=path: open_model(p), network)
            if found["difference"]:  # another network has the same names and shapes: this one has to be named
                asked = name.split()[1]
                named = compared(kind, name, lambda p=path, n=asked: open_model(p, network=n), network)
                found = {
                    **named,
                    "note": f"unnamed: {found['note']}, {found['difference']:.2g} off; network={asked!r}: 0",
                }
            yield found


def main(only: list[str]) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows: dict[str, list[Row]] = {"live": [], "weights": []}
    for name, make in networks():
        if only and name.split()[1] not in only:
            continue
        torch.manual_seed(0)
        network = shaken(make())
        for group, found in (("live", [live(name, network)]), ("weights", files(name, network))):
            for one in found:
                rows[group].append(one)
                print(*(one[k] for k in ("format", "network", "runs", "difference", "note")), sep=" | ", flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    for group, found in rows.items():
        write(OUT / f"{group}.json", found, bool(only))


def write(path: Path, found: list[Row], replace: bool) -> None:
    """Rows into the file; with `replace`, in the places of those with the same format and network."""
    if replace:
        fresh = {(r["format"], r["network"]): r for r in found}
        held = json.loads(path.read_text(encoding="utf-8"))["rows"]
        found = [fresh.get((r["format"], r["network"]), r) for r in held]
    document = {"command": "python scripts/coverage_live.py", "rows": found}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
