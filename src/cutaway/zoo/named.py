"""What the zoo hands out: Named, a network ready to become a Model, and NetworkRow, one line of the list of names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cutaway.image import InputContract

if TYPE_CHECKING:
    from torch import fx

Library = Literal["cutaway", "torchvision", "timm"]


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A graph in eval mode that ends in logits, the contract that feeds it, class names in output order, what is known.

    `card` holds plain texts: "network", "library", "source", "weights", "licence", "notes".
    """

    graph: fx.GraphModule
    contract: InputContract
    classes: tuple[str, ...]
    card: dict[str, str] = field(default_factory=dict)
    probabilities: bool = False


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One network that `build` takes by name; parameters counted with as many classes as it was published with."""

    name: str
    library: Library
    size: tuple[int, int]
    """Height and width in pixels it was published for."""
    parameters: int | None
    weights: str
    """Which published weights there are ("IMAGENET1K_V2", "ra_in1k"); empty where none are."""
    held: bool
    """Whether Cutaway can take it apart (false for some transformers)."""
    note: str = ""
