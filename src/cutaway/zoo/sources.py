"""Where a named network comes from, behind one set of questions: Cutaway's own here, the libraries' in published.py."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from cutaway.errors import BadInput
from cutaway.image import InputContract
from cutaway.zoo import heads
from cutaway.zoo.named import Library
from cutaway.zoo.names import Meant
from cutaway.zoo.plain import PLAIN
from cutaway.zoo.weights import State

Size = tuple[int, int]


class Source:
    """One network of Cutaway's own; the libraries' answer the same questions below."""

    library: ClassVar[Library] = "cutaway"

    def __init__(self, meant: Meant) -> None:
        if meant.tag:
            raise BadInput(f"{meant.network} has no published weights, so none named {meant.tag!r}.")
        self.network = meant.network
        self.plain = PLAIN[meant.network]
        gray = self.plain.in_channels == 1
        values = 1 if gray else 3
        # mean and spread of photographs, near enough that the first layer sees values of about 1
        self.contract = InputContract(
            self.plain.size, channels="gray" if gray else "RGB", mean=(0.5,) * values, std=(0.25,) * values
        )

    def make(self, classes: int, size: Size, in_channels: int, knobs: dict[str, Any]) -> nn.Module:
        """The network with fresh weights. Raises TypeError for a knob it does not have."""
        return self.plain.make(classes, size, in_channels, **knobs)

    def knobs(self) -> tuple[str, ...]:
        """Names of its settings; empty where the library keeps them to itself."""
        parameters = inspect.signature(self.plain.make).parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)

    def published_file(self) -> Path:
        """The published weights on this machine, fetched where they are not."""
        raise BadInput(f"{self.network} has no published weights; train it from scratch or give a file of weights.")

    def published_classes(self) -> tuple[str, ...]:
        """Names of the classes it was published with; empty where they are not known."""
        return ()

    def loaded(
        self, file: str, state: State, classes: int, size: Size, in_channels: int, knobs: dict[str, Any]
    ) -> nn.Module:
        """Weights by layer name -> the network with them. Raises BadModel where they do not fit."""
        return heads.with_weights(
            self.network, file, lambda count: self.make(count, size, in_channels, knobs), state, classes
        )

    def card(self, pretrained: bool) -> dict[str, str]:
        """What is known of the network, and of its weights where they are loaded."""
        del pretrained
        return {"source": "cutaway.zoo.plain", "notes": self.plain.note}


def source_of(meant: Meant) -> Source:
    """What a name means -> its source. Raises BadInput for a tag of weights that does not exist."""
    if meant.library == "cutaway":
        return Source(meant)
    from cutaway.zoo.published import Timm, Torchvision  # imports both libraries: a second that Cutaway's own save

    return Torchvision(meant) if meant.library == "torchvision" else Timm(meant)
