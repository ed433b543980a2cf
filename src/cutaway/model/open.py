"""Whatever a person points at -> Model: a run folder, our own file, another program's file, a live nn.Module."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from cutaway.errors import BadModel, must_be, one_line
from cutaway.formats.parts import BareWeights
from cutaway.formats.table import is_tfjs_folder, read_model_file
from cutaway.graph.shapes import shapes_of
from cutaway.image import InputContract
from cutaway.model.bare import model_of_weights
from cutaway.model.file import is_ours, read_own
from cutaway.model.golden import must_answer_as
from cutaway.model.live import model_of_module
from cutaway.model.model import Model

IN_RUN = "model.safetensors"
_MOST_CARD = 20_000


def open_model(
    what: str | os.PathLike[str] | nn.Module,
    *,
    size: int | tuple[int, int] | None = None,
    classes: Sequence[str] | None = None,
    contract: InputContract | None = None,
    network: str = "",
) -> Model:
    """Run folder, model file or live nn.Module -> Model. Nothing in a file is executed.

    `size` (pixels, or height and width) is needed for a live module that does not carry its own; `classes` and
    `contract` replace what was found or assumed. `network` names the network of a file of weights that several fit.

    Raises BadModel in one sentence where it is missing, damaged or not a model; OnlyView (a BadModel) with what can be
    listed where it cannot be run.
    """
    if isinstance(what, nn.Module):
        return model_of_module(what, size, classes, contract)
    path = Path(what)
    if path.is_dir() and not (path / "saved_model.pb").exists() and not is_tfjs_folder(path):
        if not (path / IN_RUN).exists():
            raise BadModel(f"The folder {path} holds no {IN_RUN}; a run has one after its first training epoch ended.")
        path = path / IN_RUN
    return _changed(_opened(path, network), size, classes, contract)


def _opened(path: Path, network: str) -> Model:
    ours = path.is_file() and is_ours(path)
    found = None if ours else read_model_file(path)
    if isinstance(found, BareWeights):
        return _readable(model_of_weights(found, path, network))
    if network:
        raise BadModel(f"{path.name} holds its own network, so it cannot be opened as {network}; leave that name out.")
    if found is None:
        return _readable(read_own(path))
    model = Model.of(found)
    if found.golden:
        must_answer_as(model, found.golden, path.name)
    return _readable(model)


def _readable(model: Model) -> Model:
    """Names and notes out of a file that any terminal, table and page can show; what they name stays as it was."""
    card = {one_line(key): one_line(text, _MOST_CARD, raw_bytes=True) for key, text in model.card.items()}
    return dataclasses.replace(model, classes=tuple(one_line(name) for name in model.classes), card=card)


def _changed(
    model: Model,
    size: int | tuple[int, int] | None,
    classes: Sequence[str] | None,
    contract: InputContract | None,
) -> Model:
    """What the person said replaces what was found."""
    if contract is not None or size is not None:
        contract = contract or model.contract
        if size is not None:
            contract = dataclasses.replace(contract, size=(size, size) if isinstance(size, int) else size)
        shapes_of(model.graph, (contract.in_channels, *contract.size))  # says which layer cannot work at that size
        model = dataclasses.replace(model, contract=contract)
    if classes is not None:
        if model.classes and len(classes) != len(model.classes):
            raise must_be("classes", f"{len(model.classes)} names, one for each output of the network", classes)
        model = model.renamed(classes)
    return model
