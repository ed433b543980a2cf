"""Weights without a network -> the Model of the known network that fits them, or a view of what the file holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from cutaway.errors import BadModel
from cutaway.formats.labels import class_names
from cutaway.formats.parts import BareWeights, FileView, OnlyView, ViewRow
from cutaway.model.model import Model

_MOST_ARRAYS = 20_000
_SHARED = "of its weights fit by name and shape"


def model_of_weights(bare: BareWeights, path: Path, network: str = "") -> Model:
    """Weights, the file they lie in, the network a person named ("": any) -> Model.

    Raises OnlyView where no known network fits, with the arrays and the nearest networks; BadModel where the network
    that fits cannot be taken apart, or the one that was named does not fit.
    """
    from cutaway.zoo import matching

    if len(bare.tensors) > _MOST_ARRAYS:
        raise BadModel(f"{path.name} holds {len(bare.tensors):,} arrays; at most {_MOST_ARRAYS:,} are accepted.")
    state = {name: t for name, t in bare.tensors.items() if not t.is_complex()}
    fit = matching.match(state, path.name, bare.card.get("architecture", ""), network)
    if fit is None and network:
        raise BadModel(f"The weights in {path.name} do not fit {network}; open it without naming a network.")
    if fit is None:
        raise OnlyView(_view(bare, path, matching.near(state)))
    _must_be_numbers(state, path)
    named = matching.filled(fit, state, path.name, classes=bare.classes, contract=bare.contract)
    classes = named.classes
    label_notes: list[str] = []
    if not bare.classes and path.with_name("labels.txt").is_file():
        classes, label_notes = class_names(path, fit.classes)
    notes = [bare.card.get("notes", ""), named.card.get("notes", ""), *label_notes]
    if any(t.is_floating_point() and t.dtype != torch.float32 for t in state.values()):
        notes.append("The weights were stored in another precision and are float32 now.")
    card = {**named.card, **bare.card, "notes": " ".join(n for n in notes if n)}
    return Model(named.graph, named.contract, tuple(classes), False, card)


def _must_be_numbers(state: Mapping[str, torch.Tensor], path: Path) -> None:
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            raise BadModel(
                f"{path.name}: the weights {name!r} hold values that are no numbers (NaN or infinity); the training "
                "that wrote it broke: take an earlier checkpoint."
            )


def _view(bare: BareWeights, path: Path, near: tuple[object, ...]) -> FileView:
    rows = tuple(_rows(bare.tensors))
    nearest = tuple(f"{n.name} ({n.share:.0%} {_SHARED})" for n in near)  # type: ignore[attr-defined]
    total = sum(t.numel() for t in bare.tensors.values())
    what = f"{path.name} holds weights without a network ({len(rows)} layers, {total:,} numbers)"
    hint = f"nearest: {', '.join(nearest[:3])}" if nearest else "nothing near was found"
    pickled = bare.card.get("class")
    why = f"; the file is a pickled {pickled}, whose code Cutaway does not run" if pickled else ""
    reason = (
        f"{what} and no known network has just these names and shapes ({hint}){why}. Where the network was made, "
        "write it with its graph: torch.export.save(torch.export.export(net.eval(), (torch.zeros(1, 3, 224, 224),)), "
        '"net.pt2"), and open that.'
    )
    return FileView("weights", bare.card.get("format", "weights"), reason, rows, nearest)


def _rows(tensors: Mapping[str, torch.Tensor]) -> list[ViewRow]:
    """Arrays grouped by layer: "layer1.0.conv1" with weight and bias is one row, its shape the weight's."""
    layers: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        layers.setdefault(layer, {})[part] = tensor
    return [_row(layer or "(top)", parts) for layer, parts in layers.items()]


def _row(layer: str, parts: Mapping[str, torch.Tensor]) -> ViewRow:
    first = parts.get("weight", next(iter(parts.values())))
    note = ", ".join(f"{name} {' x '.join(map(str, t.shape)) or 'one number'}" for name, t in list(parts.items())[:8])
    numbers = sum(t.numel() for name, t in parts.items() if name != "num_batches_tracked")
    return ViewRow(layer, _kind(parts), tuple(first.shape), numbers, note)


def _kind(parts: Mapping[str, torch.Tensor]) -> str:
    weight = parts.get("weight")
    if "running_mean" in parts:
        return "batch normalisation"
    if weight is None:
        return "array" if len(parts) == 1 else "arrays"
    return {
        1: "scale (normalisation)",
        2: "dense layer",
        3: "convolution (1-D)",
        4: "convolution",
        5: "convolution (3-D)",
    }.get(weight.ndim, "array")
