"""What a reader finds in a model file: Parts (a whole model), or a FileView where it cannot be run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import fx

from cutaway.errors import BadModel, one_line
from cutaway.image import InputContract


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A graph, the contract that feeds it, class names in output order (empty: unknown), and what is known of it.

    `probabilities` says whether the graph ends in a softmax (Keras exports do) or in logits. `card` holds plain texts:
    "format", "producer", "source", "licence", "notes" (sentences about what was assumed) and the like.
    """

    graph: fx.GraphModule
    contract: InputContract
    classes: tuple[str, ...]
    probabilities: bool
    card: dict[str, str] = field(default_factory=dict)
    temperature: float = 1.0
    golden: tuple[float, ...] = ()
    """Outputs for the known picture, where the file keeps them: checked when the file is opened."""


@dataclass(frozen=True, slots=True, eq=False)
class BareWeights:
    """Weights without a network (a state_dict): name -> tensor, in the file's order. The model room looks for a match.

    `contract` and `classes` where the file says them (a timm checkpoint's pretrained_cfg, say).
    """

    tensors: Mapping[str, torch.Tensor]
    card: dict[str, str] = field(default_factory=dict)
    contract: InputContract | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One layer (or one array of weights) of a file that is looked at only. `shape`: of its output or of the array."""

    name: str
    kind: str
    shape: tuple[int, ...] | None = None
    parameters: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class FileView:
    """What can be said of a file that cannot be run.

    `answer`: "view-only" where the network is in the file but `reason` stops it; "weights" where there is none and no
    known network fits (`nearest` names the closest, best first).
    """

    answer: Literal["view-only", "weights"]
    format: str
    reason: str
    rows: tuple[ViewRow, ...]
    nearest: tuple[str, ...] = ()


class OnlyView(BadModel):
    """A file whose parts can be listed but not run; the message is `reason` and `advice`, `view` holds the list."""

    def __init__(self, view: FileView, advice: str = "") -> None:
        super().__init__(f"{view.reason} {advice}".rstrip())
        rows = tuple(
            ViewRow(
                one_line(row.name, 300), one_line(row.kind, 100), row.shape, row.parameters, one_line(row.note, 300)
            )
            for row in view.rows
        )
        nearest = tuple(map(one_line, view.nearest))
        self.view = FileView(view.answer, view.format, one_line(view.reason), rows, nearest)
