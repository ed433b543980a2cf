"""Max pooling, average pooling or a stride in the convolution: what each does to a network's calm when things move."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from torch import fx, nn

from cutaway.dataset.scan import must_be_trainable, open_dataset
from cutaway.errors import BadInput
from cutaway.events import Event, Note
from cutaway.graph.names import steps_of
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import Edit
from cutaway.surgery.fit import FitInput
from cutaway.surgery.layers import Remove
from cutaway.surgery.pooling import SetPooling
from cutaway.surgery.shift import Change, Compared, compare_invariance
from cutaway.surgery.strides import SetStride
from cutaway.verbs.find import find_model
from cutaway.verbs.heal import HealOptions
from cutaway.verbs.heal_run import healing
from cutaway.verbs.survey import Survey, survey


def compare_pooling(
    model: Model | str,
    data: str,
    change: Change | None = None,
    *,
    epochs: int = 2,
    pictures: int = 60,
    steps: int = 9,
    seed: int = 0,
) -> tuple[Compared, ...]:
    """Model with max pooling (or its name), labelled photos, change (default: an eighth of its width to each side) ->
    "max", "average" and "stride", each with its invariance, kept answers and accuracy on held-out pictures.

    Every variant, the unchanged one too, trains `epochs` more with the same photos, so that the difference is the
    pooling's. "stride": the pool is taken out and the convolution before it moves on two cells at a time. Raises
    BadInput where the network has no max pooling.
    """
    running = comparing_pooling(model, data, change, epochs=epochs, pictures=pictures, steps=steps, seed=seed)
    while True:
        try:
            next(running)
        except StopIteration as end:
            found: tuple[Compared, ...] = end.value
            return found


def comparing_pooling(
    model: Model | str, data: str, change: Change | None, *, epochs: int, pictures: int, steps: int, seed: int
) -> Generator[Event, None, tuple[Compared, ...]]:
    """As `compare_pooling`, with its events."""
    whole = find_model(model) if isinstance(model, str) else model
    change = change or Change("translate", max(1, whole.contract.size[1] // 8))
    dataset = open_dataset(data, classes=whole.classes)
    must_be_trainable(dataset)
    seen: Survey = yield from survey(dataset, whole.contract, seed=seed, val=0.15, test=0.15)
    options = HealOptions("", data, epochs=epochs, all=True, seed=seed)
    healed = {}
    for name, variant in variants(whole).items():
        yield Note(f"{name}:")
        healed[name] = (yield from healing(variant, seen, None, options)).model
    at = seen.at("test") if len(seen.at("test")) else seen.at("val")
    at = np.sort(np.random.default_rng(seed).permutation(at)[:pictures])
    return compare_invariance(healed, seen.pixels.rows(at), change, steps=steps, labels=seen.labels(at).tolist())


def variants(model: Model) -> dict[str, Model]:
    """Model -> "max" (itself), "average" and "stride", made by edits. Raises BadInput where it has no max pooling."""
    pools = [
        name for name, node in steps_of(model.graph).items() if isinstance(_layer(model.graph, node), nn.MaxPool2d)
    ]
    if not pools:
        raise BadInput("The network has no max pooling to compare with; take one that has, such as tutorial-cifar.")
    average = [SetPooling(name, "avg") for name in pools]
    stride = [e for name in pools for e in (SetStride(_convolution_before(model, name), 2), Remove(name))]
    return {"max": model, "average": apply(model, average), "stride": _fitted(model, stride)}


def _fitted(model: Model, edits: Sequence[Edit]) -> Model:
    """The edits, and where the first dense layer then gets another number of values, that layer made anew."""
    try:
        return apply(model, edits)
    except BadInput:
        dense = next(n for n, node in steps_of(model.graph).items() if isinstance(_layer(model.graph, node), nn.Linear))
        return apply(model, [*edits, FitInput(dense)])


def _convolution_before(model: Model, pool: str) -> str:
    names = {node: name for name, node in steps_of(model.graph).items()}
    node = steps_of(model.graph)[pool]
    while not isinstance(_layer(model.graph, node), nn.Conv2d):
        if len(node.all_input_nodes) != 1 or node.all_input_nodes[0] not in names:
            raise BadInput(f"No convolution comes straight before {pool}, which could take the pool's stride.")
        node = node.all_input_nodes[0]
    return names[node]


def _layer(graph: fx.GraphModule, node: fx.Node) -> Any:
    return graph.get_submodule(str(node.target)) if node.op == "call_module" else None
