"""Parts: what a reader finds in a model file, and what the zoo makes; model.Model is built from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import fx

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
