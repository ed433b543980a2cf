"""What was asked -> the network to train, how, and the contract its pictures must meet."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import fx

from cutaway.dataset import Dataset
from cutaway.errors import BadInput, BadModel
from cutaway.graph.shapes import shapes_of
from cutaway.image import InputContract
from cutaway.model import open_model
from cutaway.model.backbone import Backbone, backbone_of
from cutaway.training.recipe import MODES, Mode, Recipe, recipe_for
from cutaway.training.run_folder import RUNS
from cutaway.verbs.model_name import named_network
from cutaway.verbs.train import TrainOptions
from cutaway.zoo import build

SMALL_SIDE_PX = 64
RECIPE_FLAGS = (
    "epochs",
    "batch_size",
    "lr",
    "optimizer",
    "weight_decay",
    "label_smoothing",
    "dropout",
    "hidden",
    "augment",
    "patience",
    "precision",
    "compile",
    "seed",
)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Either `graph` (from scratch) or `backbone`; `name` says what it is, `notes` what was decided for the person."""

    name: str
    recipe: Recipe
    contract: InputContract
    graph: fx.GraphModule | None
    backbone: Backbone | None
    notes: tuple[str, ...]


def plan(options: TrainOptions, dataset: Dataset) -> Plan:
    """Options and data -> the plan. Raises BadInput, BadModel or Offline in one sentence."""
    mode = _mode(options)
    recipe = recipe_for(
        mode,
        **{name: getattr(options, name) for name in RECIPE_FLAGS},
    )
    torch.manual_seed(recipe.seed)
    if mode != "scratch":
        backbone, name = open_backbone(options.backbone or options.network or "", options.size)
        notes = [f"Backbone: {name}, cut after {backbone.cut_at}: {backbone.features:,} numbers for each picture."]
        if mode == "frozen" and options.size is None and (larger := _enlarged(backbone)) is not None:
            height, width = larger.contract.size
            notes.append(
                f"Pictures enter at {height} x {width} px, an eighth larger than it was trained at, since frozen "
                "features are better so; --size keeps another."
            )
            backbone = larger
        return Plan(name, recipe, backbone.contract, None, backbone, tuple(notes))
    network, notes = options.network, []
    if network is None:
        network, why = _fitting_network(dataset)
        notes.append(why)
    size = (options.size, options.size) if options.size else own_size(network, dataset)
    knobs = {"dropout": options.dropout} if options.dropout is not None and network in WITH_DROPOUT else {}
    if options.dropout is not None and not knobs:
        raise BadInput(
            f"--dropout sets the dropout of a new head or of {', '.join(sorted(WITH_DROPOUT))}; "
            f"{network} has its own, fixed by its paper."
        )
    named = build(network, classes=dataset.classes, size=size, **knobs)  # type: ignore[arg-type]
    return Plan(network, recipe, named.contract, named.graph, None, tuple(notes))


WITH_DROPOUT = frozenset({"small-cnn", "tutorial-cats-dogs"})


def open_backbone(what: str, size: int | None = None) -> tuple[Backbone, str]:
    """Run, model file or network name -> its backbone and what to call it."""
    network, file = named_network(what)
    path = Path(file)
    if not path.exists() and (Path(RUNS) / file / "config.json").exists():
        path = Path(RUNS) / file
    if path.exists():
        model = open_model(path, network=network)
        contract = model.contract if size is None else dataclasses.replace(model.contract, size=(size, size))
        return backbone_of(model.graph, contract), _called(path)
    if network or "/" in what or path.suffix in {".h5", ".keras", ".safetensors", ".pt", ".pth", ".onnx", ".tflite"}:
        raise BadInput(f"There is no model file {file}.")
    named = build(what, classes=("0", "1"), size=(size, size) if size else None, pretrained=True)
    return backbone_of(named.graph, named.contract), what


def _enlarged(backbone: Backbone) -> Backbone | None:
    """The backbone at 8/7 of its size, None where it does not take that.

    A network trained on random crops has seen things larger than a whole picture shows them (Touvron et al. 2019,
    https://arxiv.org/abs/1906.06423). Cats and dogs, 15 folds of the training photos: 97.2 % at 256 px, 96.4 % at 224.
    """
    contract = backbone.contract
    if min(contract.size) < 96:
        return None
    height, width = (round(side * 8 / 7) for side in contract.size)
    contract = dataclasses.replace(contract, size=(height, width))
    try:
        shape = shapes_of(backbone.graph, (contract.in_channels, height, width))
    except BadModel:
        return None
    (out,) = (n.args[0] for n in backbone.graph.graph.nodes if n.op == "output")
    return dataclasses.replace(backbone, contract=contract) if shape[str(out)] == (1, backbone.features) else None


def mirrors(dataset: Dataset) -> bool:
    """Whether a mirrored picture is still of its class: not for digits, letters and sides."""
    sided = re.compile(r"\b(left|right|links|rechts)\b", re.IGNORECASE)
    signs = all(len(name) <= 1 or name.isdigit() for name in dataset.classes)
    return not signs and not any(sided.search(name.replace("_", " ")) for name in dataset.classes)


def _mode(options: TrainOptions) -> Mode:
    if options.mode is None:
        return "frozen" if options.backbone else "scratch"
    if options.mode not in MODES:
        raise BadInput(f"mode must be one of {', '.join(MODES)}. Got {options.mode!r}.")
    if options.mode == "scratch" and options.backbone:
        raise BadInput("--mode scratch trains every weight anew, so --backbone has no use; name it with --network.")
    if options.mode != "scratch" and not (options.backbone or options.network):
        raise BadInput(f"--mode {options.mode} builds on a trained network; say which with --backbone.")
    return options.mode


def _fitting_network(dataset: Dataset) -> tuple[str, str]:
    height, width = _typical_size(dataset)
    if max(height, width) <= SMALL_SIDE_PX:
        return (
            "small-cnn",
            f"Network: small-cnn, since the pictures are {height} x {width} px; --network picks another.",
        )
    return "tutorial-cats-dogs", (
        "Network: tutorial-cats-dogs from scratch; photos are recognised far better with a trained backbone: "
        "--backbone mobilenet_v2, or any model file."
    )


def own_size(network: str, dataset: Dataset) -> tuple[int, int] | None:
    """small-cnn takes pictures as they are where those are small; other networks have their own size."""
    if network != "small-cnn":
        return None
    height, width = _typical_size(dataset)
    side = min(max(height, width, 8), SMALL_SIDE_PX)
    return side, side


def _typical_size(dataset: Dataset) -> tuple[int, int]:
    """Height and width of the first readable pictures' median: enough to choose a network by."""
    from cutaway.errors import BadPicture

    sizes = []
    for index in range(0, len(dataset), max(1, len(dataset) // 9)):
        try:
            sizes.append(dataset.read(index).stored_size)
        except BadPicture:
            continue
    sizes.sort(key=lambda s: s[0] * s[1])
    return sizes[len(sizes) // 2] if sizes else (224, 224)


_SAY_NOTHING = frozenset({"keras_model.h5", "model.h5", "model.safetensors", "model.json", "model.tflite"})


def _called(path: Path) -> str:
    """A file's name, or its folder's where every such file has the same name."""
    return path.resolve().parent.name if path.name in _SAY_NOTHING else path.name
